--------------------------- MODULE TeardownTrace ---------------------------
(****************************************************************************)
(* Is a trace of the real code a behaviour of Teardown?                     *)
(*                                                                          *)
(* A trace is a sequence of steps, made from the lines that                 *)
(* lifecycle/trace.py writes by src/glusterio/verify/traces.py, which also  *)
(* tells what is bound to what.  Each step is one of Teardown's own actions *)
(* (nothing is described again here), with what the line says of the state  *)
(* after it.  What bricks and the wire do is in no line: it may happen, or  *)
(* not, before a line that needs it (Hidden).                               *)
(*                                                                          *)
(* Many traces are looked at in one run; a state knows which one it is of,  *)
(* and the step that comes next.  For each step that fits, TLC prints its   *)
(* place.  A trace is accepted if its last step is printed; else the first  *)
(* that is not is where it is rejected.                                     *)
(****************************************************************************)
EXTENDS Teardown, Sequences

CONSTANT Traces  \* for each trace, its steps

VARIABLES
    trace,       \* which one
    next         \* the step of it that comes next

TraceInit ==
    /\ Init
    /\ trace \in DOMAIN Traces
    /\ next = 1

More == next <= Len(Traces[trace])
Step == Traces[trace][next]

\* What a step is made of: its action, the action's arguments, and what the line says.
Act == Step[1]
T == Step[2]
H == Step[3]
Yes == Step[4]
Look == Step[5]  \* whether it says anything
Before == Step[6]
After == Step[7]
Counted == Step[8]
InLedger == Step[9]
Lent == Step[10]
G == Step[11]

-------------------------------------------------------------------------------
(* Steps that are no action of Teardown's by themselves *)

\* The call that connects is counted; in Teardown that is a part of CONNECT.
Join == connecting /\ session = "CONNECTING" /\ UNCHANGED vars

\* It leaves.  When it had succeeded, CONNECTED has counted it out already.
Part == IF connecting THEN ConnectFails ELSE UNCHANGED vars

DisownPart ==
    IF connecting THEN DisownConnect ELSE session = "SETTLING" /\ UNCHANGED vars

\* What the brick says to an OPEN is known from a later line.
Answer ==
    IF wire[H] = "open" /\ Up(at[H]) THEN BrickOpens(H, Yes) ELSE UNCHANGED vars

\* The code has numbers enough; the names of closed handles are used again.
Reuse ==
    /\ state[H] = "CLOSED"
    /\ \A t \in Threads : on[t] # H
    /\ \A g \in Graphs : <<H, g>> \notin brick \cup unanswered
    /\ state' = [state EXCEPT ![H] = "NONE"]
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, world, facts>>

\* Before its connection comes back it must have been lost.
Down == IF Up(G) THEN Lose(G) ELSE UNCHANGED vars

\* All handles of the graph are opened again that may be.  For each that is Reopen, and BrickReopens.
Reopened ==
    /\ brick' = brick \cup {<<h, G>> : h \in {i \in Handles :
        /\ at[i] = G
        /\ \/ wire[i] = "opened"
           \/ wire[i] = "none" /\ state[i] \in {"OPEN", "STALE", "CLOSING"}}}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, carry, locks, deferred,
                   error, facts>>

Taken ==
    \/ Act = "CONNECT" /\ CONNECT
    \/ Act = "JOIN" /\ Join
    \/ Act = "CONNECTED" /\ CONNECTED
    \/ Act = "PART" /\ Part
    \/ Act = "DISOWN_CONNECT" /\ DisownPart
    \/ Act = "ADMIT" /\ ADMIT(T, H)
    \/ Act = "LEAVE" /\ LEAVE(T, FALSE)
    \/ Act = "DISOWN" /\ Disown(T)
    \/ Act = "RESERVE" /\ RESERVE(T, H)
    \/ Act = "SEND" /\ SEND(T)
    \/ Act = "ANSWER" /\ Answer
    \/ Act = "ABANDON" /\ ABANDON(T)
    \/ Act = "OPENED" /\ OPENED(H)
    \/ Act = "LATE" /\ LATE(H)
    \/ Act = "REFUSED" /\ REFUSED(H)
    \/ Act = "CLOSE" /\ CLOSE(H)
    \/ Act = "LOST" /\ LOST(H)
    \/ Act = "CARRIED" /\ CARRIED(H)
    \/ Act = "UNLOCKED" /\ UNLOCKED(H)
    \/ Act = "RELEASED" /\ RELEASED(H)
    \/ Act = "DROP" /\ DROP(H)
    \/ Act = "STRIKE" /\ STRIKE(H)
    \/ Act = "REUSE" /\ Reuse
    \/ Act = "DOWN" /\ Down
    \/ Act = "BACK" /\ ComesBack(G)
    \/ Act = "REOPENED" /\ Reopened
    \/ Act = "RECONNECTED" /\ RECONNECTED(G)
    \/ Act = "SWITCHED" /\ SWITCHED
    \/ Act = "GATE" /\ GATE
    \/ Act = "SETTLED" /\ SETTLED
    \/ Act = "DRAINED" /\ DRAINED
    \/ Act = "PARTED" /\ PARTED
    \/ Act = "CHECKED" /\ CHECKED
    \/ Act = "ENDED" /\ ENDED
    \/ Act = "FORK" /\ FORK

-------------------------------------------------------------------------------
(* What the line says *)

OfSession == {"CONNECT", "CONNECTED", "SWITCHED", "RECONNECTED", "GATE", "SETTLED", "DRAINED", "PARTED",
              "CHECKED", "ENDED", "FORK"}
OfCall == {"JOIN", "PART", "DISOWN_CONNECT", "ADMIT", "LEAVE", "DISOWN"}

Agrees ==
    /\ IF Act \in OfSession THEN <<session, session'>> = <<Before, After>>
       ELSE IF Act \in OfCall THEN <<Before, After>> = <<"", "">>
       ELSE <<state[H], state'[H]>> = <<Before, After>>
    /\ Act \in {"LEAVE", "DISOWN"} => H = (IF pc[T] = "using" THEN on[T] ELSE None)
    /\ Lent = (IF H = None THEN 0 ELSE refs'[H])
    /\ Counted = Cardinality(calls')
    /\ InLedger = Cardinality({h \in Handles : state'[h] \notin {"NONE", "CLOSED"}})

Matched ==
    /\ More
    /\ Taken
    /\ Look => Agrees
    /\ next' = next + 1
    /\ UNCHANGED trace
    /\ PrintT(<<"fits", trace, next>>)

\* src/glusterio/verify/fitting.py tells why these are enough.
Hidden ==
    /\ More
    /\ \/ Act \in {"CONNECTED", "DOWN"} /\ BrickConnects
       \/ Act = "LEAVE" /\ OpenFails(T)
       \/ Act = "LOST" /\ Lose(at[H])
       \/ Act = "RELEASED" /\ (SendRelease(H) \/ BrickReleases(H))
       \/ Act = "RELEASED" /\ \E g \in Graphs : BrickAnswers(H, g) \/ ReleaseOld(H, g)
       \/ Act = "STRIKE" /\ Cut
    /\ UNCHANGED <<trace, next>>

TraceSpec == TraceInit /\ [][Matched \/ Hidden]_<<vars, trace, next>>
===============================================================================
