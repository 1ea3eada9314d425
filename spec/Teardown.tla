------------------------------ MODULE Teardown ------------------------------
(****************************************************************************)
(* How a glusterio session ends: the specification of src/glusterio/        *)
(* lifecycle/ and api/ending.py.  (Session.tla tells how to read TLA+.)     *)
(*                                                                          *)
(* Actions in capitals are the events of the code's tables, and carry their *)
(* names: a session's (GATE, SETTLED, ...), a handle's (SEND, OPENED, ...), *)
(* and those of the trace (ADMIT, LEAVE, RESERVE).  A test compares them.   *)
(* The tables themselves are generated from the code (Tables.tla).  Actions *)
(* in mixed case are what the tables do not show: the bricks, the wire, the *)
(* graphs, and what the world does.                                         *)
(*                                                                          *)
(* A caller may be cancelled at any step, a deadline may be over at any     *)
(* step, a connection may be lost at any step: each is an action that is    *)
(* always possible, and nothing says that a brick or a thread ever goes on. *)
(*                                                                          *)
(* Every rule that the code keeps is a constant (a "guard").  The session   *)
(* is safe with all of them TRUE; for each there is a configuration in      *)
(* which it is FALSE, and TLC shows what happens then.                      *)
(****************************************************************************)
EXTENDS Integers, FiniteSets, TLC, Tables

CONSTANTS
    Threads,         \* who calls; each has one call under way at most
    Handles,         \* the files that may be opened; a handle is never used twice
    Writes,          \* TRUE: writes may be deferred (performance/write-behind)
    Switches,        \* TRUE: the graph may be replaced, once
    Loses,           \* TRUE: connections may be lost
    Forks            \* TRUE: the process may fork; what follows is the child

CONSTANTS
    GateAtAdmit,     \* a call is admitted only while the session is active
    CountWithGate,   \* ... and counted in the same step
    BorrowWithGate,  \* ... in which it borrows its handle, too
    AdmitLooks,      \* a handle is lent only while it is open
    GateAtReserve,   \* a handle is reserved only while the session is active
    ReserveFirst,    \* it is in the ledger before OPEN is sent
    AbandonWatches,  \* an OPEN whose caller gave up is not forgotten
    LateCloses,      \* a handle that is opened after the gate is closed at once
    SettleWaits,     \* the drain begins when no call is left
    ConnectCounts,   \* the connecting is such a call
    Disowns,         \* a call that does not end is counted out at the deadline
    DisownedIsOut,   \* ... and its own leaving gives nothing back a second time
    AnswersFirst,    \* a call is counted out after its caller was told
    AnswersAll,      \* also the caller of a call that was cut short
    RefsFirst,       \* RELEASE waits for the borrowers
    AnswersDue,      \* RELEASE waits for the brick's answers about the handle
    FlushFirst,      \* RELEASE waits for the deferred writes
    NamesLost,       \* deferred writes that cannot be written are in the report
    ReleaseOnce,     \* one RELEASE for each handle
    DrainWaits,      \* the drain ends when the ledger is empty
    Cuts,            \* at the deadline the connections are cut
    StrikesLast,     \* nothing is struck off the ledger while its brick may hold it
    PartsAll,        \* every connection is closed, those of old graphs, too
    CloseWaits,      \* a close returns when the session is closed, whoever closes it
    SwitchWhileOpen, \* no new graph after the gate
    FlushAtSwitch,   \* deferred writes are written before a handle migrates
    DropsOwn,        \* a call gives back the fd that it took
    OldFdWaits,      \* an old graph's fd is released when nobody uses it
    OldFdFirst,      \* a handle is not closed while an old graph's fd is open
    OldGraphWaits,   \* an old graph goes when nothing of it is used
    ForkDies         \* the child's session is dead

VARIABLES
    \* what lifecycle/session.py holds
    session,     \* the session's state
    calls,       \* the threads whose calls are counted
    connecting,  \* whether the call that connects is counted
    state,       \* state[h]: the handle's state; "NONE" before it is reserved
    refs,        \* refs[h]: the calls that have borrowed it
    \* what the callers are doing
    pc,          \* pc[t]: where the thread t is
    on,          \* on[t]: the handle that it opens or uses
    took,        \* took[t]: the graph whose fd it uses
    untold,      \* threads that have left, and whose caller was not told
    \* graphs, wire and bricks
    active,      \* the graph that opens use
    conn,        \* conn[g]: the connection to the brick of the graph g
    at,          \* at[h]: the graph of the handle's present fd
    held,        \* held[h][g]: references on its fd of the graph g
    wire,        \* wire[h]: the message about the handle's life that is on its way
    unanswered,  \* <<h, g>>: a request about h, on g, that nobody waits for any more
    brick,       \* <<h, g>>: the brick of g holds an fd for h
    deferred,    \* handles with writes that were acknowledged, and not sent
    \* what happened
    lostWrite,   \* whether such a write was lost without a word
    returned,    \* whether a close() has returned
    forked       \* whether this is a child process

life == <<session, calls, connecting, state, refs>>
callers == <<pc, on, took, untold>>
world == <<active, conn, at, held, wire, unanswered, brick, deferred>>
facts == <<lostWrite, returned, forked>>
vars == <<life, callers, world, facts>>

Graphs == {1, 2}
None == 0

Symmetry == Permutations(Threads) \cup Permutations(Handles)

TypeOK ==
    /\ session \in DOMAIN SessionTable
    /\ calls \subseteq Threads
    /\ connecting \in BOOLEAN
    /\ state \in [Handles -> DOMAIN HandleTable \cup {"NONE"}]
    /\ refs \in [Handles -> Int]
    /\ pc \in [Threads -> {"out", "passed", "calling", "using", "stuck"}]
    /\ on \in [Threads -> Handles \cup {None}]
    /\ took \in [Threads -> Graphs \cup {None}]
    /\ untold \subseteq Threads
    /\ active \in Graphs
    /\ conn \in [Graphs -> {"none", "up", "down", "gone"}]
    /\ at \in [Handles -> Graphs]
    /\ held \in [Handles -> [Graphs -> Int]]
    /\ wire \in [Handles -> {"none", "open", "opened", "refused", "release", "released", "twice"}]
    /\ unanswered \subseteq Handles \X Graphs
    /\ brick \subseteq Handles \X Graphs
    /\ deferred \subseteq Handles
    /\ lostWrite \in BOOLEAN /\ returned \in BOOLEAN /\ forked \in BOOLEAN

Init ==
    /\ session = "NEW"
    /\ calls = {}
    /\ connecting = FALSE
    /\ state = [h \in Handles |-> "NONE"]
    /\ refs = [h \in Handles |-> 0]
    /\ pc = [t \in Threads |-> "out"]
    /\ on = [t \in Threads |-> None]
    /\ took = [t \in Threads |-> None]
    /\ untold = {}
    /\ active = 1
    /\ conn = [g \in Graphs |-> "none"]
    /\ at = [h \in Handles |-> 1]
    /\ held = [h \in Handles |-> [g \in Graphs |-> 0]]
    /\ wire = [h \in Handles |-> "none"]
    /\ unanswered = {}
    /\ brick = {}
    /\ deferred = {}
    /\ lostWrite = FALSE /\ returned = FALSE /\ forked = FALSE

-------------------------------------------------------------------------------
(* The tables, used *)

SessionMove(event) ==
    /\ event \in DOMAIN SessionTable[session]
    /\ session' = SessionTable[session][event]

Can(h, event) == state[h] # "NONE" /\ event \in DOMAIN HandleTable[state[h]]

HandleMove(h, event) ==
    /\ Can(h, event)
    /\ state' = [state EXCEPT ![h] = HandleTable[state[h]][event]]

\* The handles that lifecycle/session.py knows: those that a brick may hold, or come to hold.
Ledger == {h \in Handles : state[h] \notin {"NONE", "CLOSED"}}

BeforeGate == session \in {"NEW", "CONNECTING", "ACTIVE"}
FromDrain == session \in {"DRAINING", "PARTING", "CHECKING", "ENDING", "CLOSED"}
AfterDrain == session \in {"PARTING", "CHECKING", "ENDING", "CLOSED"}
AfterParting == session \in {"CHECKING", "ENDING", "CLOSED"}

Up(g) == conn[g] = "up"

\* What is forgotten of a handle that is closed.  A deferred write may be forgotten only when its
\* connection is gone, and the report names it.
Forget(h) ==
    /\ at' = [at EXCEPT ![h] = 1]
    /\ held' = [held EXCEPT ![h] = [g \in Graphs |-> 0]]
    /\ wire' = [wire EXCEPT ![h] = "none"]
    /\ deferred' = deferred \ {h}
    /\ lostWrite' = (lostWrite \/ (h \in deferred /\ (Up(at[h]) \/ ~NamesLost)))

\* The connections to the bricks of these graphs end: the bricks let go of everything, and what
\* was on its way is lost.
Disconnect(graphs) ==
    /\ conn' = [g \in Graphs |-> IF g \in graphs /\ Up(g) THEN "down" ELSE conn[g]]
    /\ brick' = {b \in brick : b[2] \notin graphs}
    /\ unanswered' = {u \in unanswered : u[2] \notin graphs}

-------------------------------------------------------------------------------
(* A session begins *)

CONNECT ==
    /\ SessionMove("CONNECT")
    /\ connecting' = TRUE
    /\ UNCHANGED <<calls, state, refs, callers, world, facts>>

BrickConnects ==
    /\ connecting
    /\ conn[1] = "none"
    /\ conn' = [conn EXCEPT ![1] = "up"]
    /\ UNCHANGED <<life, callers, active, at, held, wire, unanswered, brick, deferred, facts>>

CONNECTED ==
    /\ connecting
    /\ conn[1] = "up"
    /\ SessionMove("CONNECTED")
    /\ connecting' = FALSE
    /\ UNCHANGED <<calls, state, refs, callers, world, facts>>

ConnectFails ==  \* or is cancelled; the call that connects leaves
    /\ connecting
    /\ connecting' = FALSE
    /\ UNCHANGED <<session, calls, state, refs, callers, world, facts>>

-------------------------------------------------------------------------------
(* Calls *)

\* The thread t gets a reference on h's present fd.
Borrow(t, h) ==
    /\ refs' = [refs EXCEPT ![h] = @ + 1]
    /\ took' = [took EXCEPT ![t] = at[h]]
    /\ held' = [held EXCEPT ![h][at[h]] = @ + 1]

\* Pass the gate, be counted, borrow the handle h: one step.  With None: the call may open something,
\* once, several times, or never.
ADMIT(t, h) ==
    /\ pc[t] = "out"
    /\ t \notin untold
    /\ session = "ACTIVE" \/ (~GateAtAdmit /\ session \in {"SETTLING", "DRAINING"})
    /\ h # None => state[h] = "OPEN" \/ (~AdmitLooks /\ state[h] = "CLOSING")
    /\ on' = [on EXCEPT ![t] = h]
    /\ calls' = IF CountWithGate THEN calls \cup {t} ELSE calls
    /\ IF CountWithGate /\ (BorrowWithGate \/ h = None)
       THEN /\ pc' = [pc EXCEPT ![t] = IF h = None THEN "calling" ELSE "using"]
            /\ IF h = None THEN UNCHANGED <<refs, took, held>> ELSE Borrow(t, h)
       ELSE /\ pc' = [pc EXCEPT ![t] = "passed"]
            /\ UNCHANGED <<refs, took, held>>
    /\ UNCHANGED <<session, connecting, state, untold, active, conn, at, wire, unanswered, brick,
                   deferred, facts>>

\* What comes in a step of its own when a guard is missing.
Enter(t) ==
    /\ pc[t] = "passed"
    /\ calls' = calls \cup {t}
    /\ pc' = [pc EXCEPT ![t] = IF on[t] = None THEN "calling" ELSE "using"]
    /\ IF on[t] = None THEN UNCHANGED <<refs, took, held>> ELSE Borrow(t, on[t])
    /\ UNCHANGED <<session, connecting, state, on, untold, active, conn, at, wire, unanswered,
                   brick, deferred, facts>>

\* A write is acknowledged before it is sent.
DeferWrite(t) ==
    /\ Writes
    /\ pc[t] = "using"
    /\ took[t] = at[on[t]]
    /\ deferred' = deferred \cup {on[t]}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, facts>>

\* The graph whose fd a call that leaves gives back.
GivenBack(t) == IF DropsOwn THEN took[t] ELSE at[on[t]]

GiveBack(t) ==
    /\ refs' = [refs EXCEPT ![on[t]] = @ - 1]
    /\ held' = [held EXCEPT ![on[t]][GivenBack(t)] = @ - 1]

\* The call ends, with its answer (cut = FALSE), or cancelled, without it (cut = TRUE); one that is
\* interrupted between RESERVE and SEND may leave what it reserved to the drain.
LEAVE(t, cut) ==
    /\ \/ pc[t] = "using"
       \/ pc[t] = "calling" /\ ~cut /\ IF on[t] = None THEN TRUE ELSE state[on[t]] = "RESERVED"
       \/ pc[t] = "stuck" /\ ~cut
    /\ pc' = [pc EXCEPT ![t] = "out"]
    /\ on' = [on EXCEPT ![t] = None]
    /\ took' = [took EXCEPT ![t] = None]
    /\ calls' = calls \ {t}
    /\ untold' = IF (cut /\ ~AnswersAll) \/ ~AnswersFirst THEN untold \cup {t} ELSE untold
    /\ IF on[t] # None /\ pc[t] # "calling"
       THEN /\ GiveBack(t)
            /\ unanswered' = IF cut /\ Up(took[t]) THEN unanswered \cup {<<on[t], took[t]>>}
                             ELSE unanswered
       ELSE UNCHANGED <<refs, held, unanswered>>
    /\ UNCHANGED <<session, connecting, state, active, conn, at, wire, brick, deferred, facts>>

Tell(t) ==  \* only where a call is counted out first
    /\ t \in untold
    /\ AnswersAll
    /\ untold' = untold \ {t}
    /\ UNCHANGED <<life, pc, on, took, world, facts>>

BrickAnswers(h, g) ==
    /\ <<h, g>> \in unanswered
    /\ unanswered' = unanswered \ {<<h, g>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, brick, deferred, facts>>

-------------------------------------------------------------------------------
(* A handle is opened *)

Opener(h) == {t \in Threads : pc[t] = "calling" /\ on[t] = h}

\* Whoever opens h is done with it, and goes on, or leaves.
OpenerLeaves(h) ==
    /\ UNCHANGED pc
    /\ on' = [t \in Threads |-> IF t \in Opener(h) THEN None ELSE on[t]]

RESERVE(t, h) ==
    /\ ReserveFirst
    /\ pc[t] = "calling" /\ on[t] = None
    /\ state[h] = "NONE"
    /\ session = "ACTIVE" \/ (~GateAtReserve /\ session = "SETTLING")
    /\ state' = [state EXCEPT ![h] = "RESERVED"]
    /\ on' = [on EXCEPT ![t] = h]
    /\ UNCHANGED <<session, calls, connecting, refs, pc, took, untold, world, facts>>

\* The handle was struck off, or dropped; the open fails, nothing was sent.
OpenFails(t) ==
    /\ pc[t] = "calling" /\ on[t] # None
    /\ state[on[t]] = "CLOSED"
    /\ on' = [on EXCEPT ![t] = None]
    /\ UNCHANGED <<life, pc, took, untold, world, facts>>

SEND(t) ==
    /\ pc[t] = "calling" /\ on[t] # None
    /\ HandleMove(on[t], "SEND")
    /\ at' = [at EXCEPT ![on[t]] = active]
    /\ wire' = [wire EXCEPT ![on[t]] = IF Up(active) THEN "open" ELSE "refused"]
    /\ UNCHANGED <<session, calls, connecting, refs, callers, active, conn, held, unanswered,
                   brick, deferred, facts>>

SendUnreserved(t, h) ==  \* only where a guard is missing
    /\ ~ReserveFirst
    /\ pc[t] = "calling" /\ on[t] = None
    /\ session = "ACTIVE"
    /\ state[h] = "NONE" /\ wire[h] = "none" /\ Up(active)
    /\ at' = [at EXCEPT ![h] = active]
    /\ wire' = [wire EXCEPT ![h] = "open"]
    /\ on' = [on EXCEPT ![t] = h]
    /\ UNCHANGED <<life, pc, took, untold, active, conn, held, unanswered, brick, deferred, facts>>

BrickOpens(h, yes) ==
    /\ wire[h] = "open" /\ Up(at[h])
    /\ wire' = [wire EXCEPT ![h] = IF yes THEN "opened" ELSE "refused"]
    /\ brick' = IF yes THEN brick \cup {<<h, at[h]>>} ELSE brick
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, deferred, facts>>

\* The caller is cancelled, or times out, while OPEN is on its way.
ABANDON(t) ==
    /\ pc[t] = "calling" /\ on[t] # None
    /\ IF AbandonWatches
       THEN HandleMove(on[t], "ABANDON")
       ELSE /\ Can(on[t], "ABANDON")
            /\ state' = [state EXCEPT ![on[t]] = "CLOSED"]
    /\ on' = [on EXCEPT ![t] = None]
    /\ UNCHANGED <<session, calls, connecting, refs, pc, took, untold, world, facts>>

\* The reply came, and the brick has opened it.
Bound(h) ==
    /\ wire[h] = "opened"
    /\ wire' = [wire EXCEPT ![h] = "none"]
    /\ held' = [held EXCEPT ![h][at[h]] = 1]
    /\ OpenerLeaves(h)
    /\ UNCHANGED <<session, calls, connecting, refs, took, untold, active, conn, at, unanswered,
                   brick, deferred, facts>>

OPENED(h) ==
    /\ BeforeGate \/ ~LateCloses
    /\ HandleMove(h, "OPENED")
    /\ Bound(h)

LATE(h) ==
    /\ ~BeforeGate /\ LateCloses
    /\ HandleMove(h, "LATE")
    /\ Bound(h)

\* The reply came, and says no; or its connection is gone, and none will come.
REFUSED(h) ==
    /\ wire[h] = "refused" \/ ~Up(at[h])
    /\ HandleMove(h, "REFUSED")
    /\ OpenerLeaves(h)
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, refs, took, untold, active, conn, unanswered, brick,
                   returned, forked>>

-------------------------------------------------------------------------------
(* A handle is closed *)

CLOSE(h) ==  \* by the application, or by the drain
    /\ session \in {"ACTIVE", "SETTLING", "DRAINING"}
    /\ HandleMove(h, "CLOSE")
    /\ UNCHANGED <<session, calls, connecting, refs, callers, world, facts>>

Flush(h) ==  \* the deferred writes are sent, and answered
    /\ h \in deferred
    /\ Up(at[h])
    /\ deferred' = deferred \ {h}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, facts>>

\* Nobody stands in the way of h's end.
Idle(h) ==
    /\ RefsFirst => refs[h] = 0
    /\ AnswersDue => \A g \in Graphs : <<h, g>> \notin unanswered
    /\ OldFdFirst => \A g \in Graphs : g # at[h] => <<h, g>> \notin brick

SendRelease(h) ==
    /\ state[h] = "CLOSING"
    /\ Up(at[h])
    /\ Idle(h)
    /\ FlushFirst => h \notin deferred
    /\ wire[h] \in (IF ReleaseOnce THEN {"none"} ELSE {"none", "release"})
    /\ wire' = [wire EXCEPT ![h] = IF @ = "none" THEN "release" ELSE "twice"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, brick, deferred, facts>>

BrickReleases(h) ==
    /\ wire[h] = "release" /\ Up(at[h])
    /\ wire' = [wire EXCEPT ![h] = "released"]
    /\ brick' = brick \ {<<h, at[h]>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, deferred, facts>>

\* The brick said so; or its connection is gone, and the fd with it.
RELEASED(h) ==
    /\ wire[h] = "released" \/ (~Up(at[h]) /\ Idle(h))
    /\ HandleMove(h, "RELEASED")
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, refs, callers, active, conn, unanswered, brick,
                   returned, forked>>

-------------------------------------------------------------------------------
(* A connection is lost *)

Lose(g) ==
    /\ Loses
    /\ Up(g)
    /\ Disconnect({g})
    /\ UNCHANGED <<life, callers, active, at, held, wire, deferred, facts>>

LOST(h) ==
    /\ ~Up(at[h])
    /\ HandleMove(h, "LOST")
    /\ UNCHANGED <<session, calls, connecting, refs, callers, world, facts>>

-------------------------------------------------------------------------------
(* The graph is replaced *)

NewGraph ==
    /\ Switches
    /\ active = 1
    /\ session = "ACTIVE" \/ (~SwitchWhileOpen /\ ~BeforeGate /\ session # "CLOSED")
    /\ active' = 2
    /\ conn' = [conn EXCEPT ![2] = "up"]
    /\ UNCHANGED <<life, callers, at, held, wire, unanswered, brick, deferred, facts>>

Migrate(h) ==  \* it is opened on the new graph, and then its reference on the old fd goes back
    /\ session = "ACTIVE"
    /\ state[h] = "OPEN"
    /\ at[h] < active /\ Up(1) /\ Up(2)
    /\ FlushAtSwitch => h \notin deferred
    /\ at' = [at EXCEPT ![h] = 2]
    /\ held' = [held EXCEPT ![h][1] = @ - 1, ![h][2] = @ + 1]
    /\ brick' = brick \cup {<<h, 2>>}
    /\ deferred' = deferred \ {h}
    /\ lostWrite' = (lostWrite \/ h \in deferred)
    /\ UNCHANGED <<life, callers, active, conn, wire, unanswered, returned, forked>>

ReleaseOld(h) ==
    /\ at[h] = 2
    /\ <<h, 1>> \in brick
    /\ OldFdWaits => held[h][1] = 0 /\ <<h, 1>> \notin unanswered
    /\ brick' = brick \ {<<h, 1>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, deferred, facts>>

OldGraphGoes ==
    /\ active = 2
    /\ conn[1] \in {"up", "down"}
    /\ OldGraphWaits =>
        \A h \in Handles :
            /\ held[h][1] = 0
            /\ <<h, 1>> \notin brick \cup unanswered
            /\ at[h] = 1 => state[h] \in {"NONE", "RESERVED", "CLOSED"}
    /\ conn' = [conn EXCEPT ![1] = "gone"]
    /\ brick' = {b \in brick : b[2] # 1}
    /\ unanswered' = {u \in unanswered : u[2] # 1}
    /\ UNCHANGED <<life, callers, active, at, held, wire, deferred, facts>>

-------------------------------------------------------------------------------
(* The end.  api/ending.py, step by step *)

GATE ==
    /\ SessionMove("GATE")
    /\ UNCHANGED <<calls, connecting, state, refs, callers, world, facts>>

\* The deadline is over, and the thread t, which was told to give up, has not: it sits in a system
\* call, perhaps.  It is counted out, and what it borrowed is taken back.
Disown(t) ==
    /\ Disowns
    /\ session = "SETTLING"
    /\ t \in calls
    /\ calls' = calls \ {t}
    /\ IF pc[t] = "using"
       THEN /\ pc' = [pc EXCEPT ![t] = "stuck"]
            /\ GiveBack(t)
            /\ unanswered' = IF Up(took[t]) THEN unanswered \cup {<<on[t], took[t]>>}
                             ELSE unanswered
            /\ IF DisownedIsOut
               THEN on' = [on EXCEPT ![t] = None] /\ took' = [took EXCEPT ![t] = None]
               ELSE UNCHANGED <<on, took>>
       ELSE UNCHANGED <<pc, on, took, refs, held, unanswered>>
    /\ UNCHANGED <<session, connecting, state, untold, active, conn, at, wire, brick, deferred,
                   facts>>

DisownConnect ==
    /\ Disowns
    /\ session = "SETTLING"
    /\ connecting
    /\ connecting' = FALSE
    /\ UNCHANGED <<session, calls, state, refs, callers, world, facts>>

SETTLED ==
    /\ SettleWaits => calls = {}
    /\ ConnectCounts => ~connecting
    /\ SessionMove("SETTLED")
    /\ UNCHANGED <<calls, connecting, state, refs, callers, world, facts>>

DROP(h) ==  \* nothing was ever sent for it: by the drain, or by its opener, who was interrupted
    /\ HandleMove(h, "DROP")
    /\ UNCHANGED <<session, calls, connecting, refs, callers, world, facts>>

Cut ==  \* the deadline is over; what it waits for may have come in this very moment
    /\ Cuts
    /\ session = "DRAINING"
    /\ \E g \in Graphs : Up(g)
    /\ Disconnect(Graphs)
    /\ UNCHANGED <<life, callers, active, at, held, wire, deferred, facts>>

\* Of what nothing closes: the thread that would have to is stuck.  The report names it.
STRIKE(h) ==
    /\ session = "DRAINING"
    /\ StrikesLast => \A g \in Graphs : ~Up(g)
    /\ state[h] = "OPENING"
    /\ HandleMove(h, "STRIKE")
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, refs, callers, active, conn, unanswered, brick,
                   returned, forked>>

DRAINED ==
    /\ DrainWaits => Ledger = {}
    /\ SessionMove("DRAINED")
    /\ UNCHANGED <<calls, connecting, state, refs, callers, world, facts>>

PARTED ==
    /\ SessionMove("PARTED")
    /\ Disconnect(IF PartsAll THEN Graphs ELSE {active})
    /\ UNCHANGED <<calls, connecting, state, refs, callers, active, at, held, wire, deferred, facts>>

CHECKED ==
    /\ SessionMove("CHECKED")
    /\ UNCHANGED <<calls, connecting, state, refs, callers, world, facts>>

ENDED ==
    /\ SessionMove("ENDED")
    /\ UNCHANGED <<calls, connecting, state, refs, callers, world, facts>>

CloseReturns ==  \* to the thread that ended the session, and to any other that called close()
    /\ ~BeforeGate /\ session # "FORKED"
    /\ CloseWaits => session = "CLOSED"
    /\ ~returned
    /\ returned' = TRUE
    /\ UNCHANGED <<life, callers, world, lostWrite, forked>>

-------------------------------------------------------------------------------
(* The process forks.  What follows is the child: its copy of the session is dead; the bricks hold  *)
(* what the *parent* has open.                                                                      *)

FORK ==
    /\ Forks /\ ~forked
    /\ forked' = TRUE
    /\ IF ForkDies
       THEN /\ SessionMove("FORK")
            /\ calls' = {}
            /\ connecting' = FALSE
            /\ state' = [h \in Handles |-> "NONE"]
            /\ refs' = [h \in Handles |-> 0]
            /\ pc' = [t \in Threads |-> "out"]
            /\ on' = [t \in Threads |-> None]
            /\ took' = [t \in Threads |-> None]
            /\ held' = [h \in Handles |-> [g \in Graphs |-> 0]]
            /\ wire' = [h \in Handles |-> "none"]
            /\ at' = [h \in Handles |-> 1]
            /\ conn' = [g \in Graphs |-> "none"]
            /\ active' = 1
            /\ unanswered' = {}
            /\ deferred' = {}
            /\ UNCHANGED <<untold, brick, lostWrite, returned>>
       ELSE UNCHANGED <<life, callers, world, lostWrite, returned>>

-------------------------------------------------------------------------------
\* What the ending does by itself, as long as it runs at all.
Ending ==
    \/ SETTLED \/ DRAINED \/ PARTED \/ CHECKED \/ ENDED
    \/ Cut \/ DisownConnect
    \/ \E t \in Threads : Disown(t)
    \/ \E h \in Handles :
        \/ session = "DRAINING" /\ (CLOSE(h) \/ DROP(h) \/ STRIKE(h))
        \/ SendRelease(h) \/ RELEASED(h)
        \/ state[h] = "ABANDONED" /\ (REFUSED(h) \/ LATE(h))

Next ==
    \/ CONNECT \/ BrickConnects \/ CONNECTED \/ ConnectFails
    \/ \E t \in Threads :
        \/ ADMIT(t, None) \/ Enter(t) \/ DeferWrite(t) \/ Tell(t)
        \/ LEAVE(t, FALSE) \/ LEAVE(t, TRUE)
        \/ OpenFails(t) \/ SEND(t) \/ ABANDON(t) \/ Disown(t)
        \/ \E h \in Handles : ADMIT(t, h) \/ RESERVE(t, h) \/ SendUnreserved(t, h)
    \/ \E h \in Handles :
        \/ BrickOpens(h, TRUE) \/ BrickOpens(h, FALSE)
        \/ OPENED(h) \/ LATE(h) \/ REFUSED(h)
        \/ CLOSE(h) \/ Flush(h) \/ SendRelease(h) \/ BrickReleases(h) \/ RELEASED(h)
        \/ LOST(h) \/ Migrate(h) \/ ReleaseOld(h) \/ DROP(h) \/ STRIKE(h)
        \/ \E g \in Graphs : BrickAnswers(h, g)
    \/ \E g \in Graphs : Lose(g)
    \/ NewGraph \/ OldGraphGoes
    \/ GATE \/ DisownConnect \/ SETTLED \/ Cut \/ DRAINED \/ PARTED \/ CHECKED \/ ENDED
    \/ CloseReturns
    \/ FORK

Spec == Init /\ [][Next]_vars

\* The one assumption of liveness: the ending itself goes on while it can.  Nothing is assumed of
\* the bricks, of the network, and of the threads whose calls are under way.
FairSpec == Spec /\ WF_vars(Ending)

-------------------------------------------------------------------------------
(* What must always hold *)

NoLeakedFds == session = "CLOSED" => Ledger = {}

DrainedImpliesAllClosed == AfterDrain => Ledger = {}

LeakedOnlyFromHeldRefs == FromDrain => \A h \in Handles : refs[h] = 0

AdmittedOnlyBeforeDrain == FromDrain =>
    /\ calls = {} /\ ~connecting
    /\ \A t \in Threads : pc[t] # "using"

CompositionSafety == session = "CLOSED" => Ledger = {} /\ brick = {} /\ calls = {}

\* Once the inode tables are looked at, nothing is left that could touch one: no call, no reply,
\* no connection.  And nobody uses a graph that is gone.
NoUseAfterFree ==
    /\ AfterParting => /\ unanswered = {}
                       /\ \A h \in Handles : wire[h] = "none"
                       /\ \A g \in Graphs : ~Up(g)
    /\ \A t \in Threads : pc[t] = "using" => conn[took[t]] # "gone"

NoLostCallback == FromDrain => untold = {}

Holders(h, g) ==
    Cardinality({t \in Threads : pc[t] = "using" /\ on[t] = h /\ took[t] = g})
    + (IF state[h] \in {"OPEN", "STALE", "CLOSING"} /\ at[h] = g THEN 1 ELSE 0)

RefsAddUp == \A h \in Handles :
    /\ refs[h] = Cardinality({t \in Threads : pc[t] = "using" /\ on[t] = h})
    /\ \A g \in Graphs : held[h][g] = Holders(h, g)

\* A brick holds nothing that the ledger does not know; and in the end nothing.  (What a child
\* process finds on the bricks is its parent's.)
BrickAgrees ==
    /\ session # "FORKED" => \A b \in brick : b[1] \in Ledger
    /\ session = "CLOSED" => brick = {}

\* No RELEASE overtakes a request: what the brick works on is open.
NoOvertaking ==
    /\ \A u \in unanswered : u \in brick
    /\ \A t \in Threads : pc[t] = "using" /\ Up(took[t]) => <<on[t], took[t]>> \in brick

ReleasedOnce == \A h \in Handles : wire[h] # "twice"

NoLostWrites == ~lostWrite

ReturnsWhenClosed == returned => session = "CLOSED"

\* About steps: after the gate no handle is reserved, and none becomes open.
NoStaleFds == [][~BeforeGate => \A h \in Handles :
    state'[h] \in {"RESERVED", "OPEN"} => state'[h] = state[h]]_vars

\* A child does nothing to what its parent has open.
ParentUnharmed == [][forked => brick' = brick]_vars

\* Given a deadline, close returns.
TeardownEnds == session = "SETTLING" ~> session = "CLOSED"

-------------------------------------------------------------------------------
(* The same, in a way that can be looked at step by step, and so where there are far more states    *)
(* than can be held together.  What is left to do is some numbers.  Once the gate is shut no step   *)
(* raises one of them, each step of the ending lowers one, and the ending can take such a step in   *)
(* every state.  It does then, for it is fair; and numbers cannot fall for ever: so TeardownEnds    *)
(* follows from EndingGoesOn and EndingComesCloser.                                                 *)

Ends == session \in {"SETTLING", "DRAINING", "PARTING", "CHECKING", "ENDING"}

EndingGoesOn == Ends => ENABLED <<Ending>>_vars

SessionLeft == [NEW |-> 9, CONNECTING |-> 8, ACTIVE |-> 7, SETTLING |-> 6, DRAINING |-> 5,
                PARTING |-> 4, CHECKING |-> 3, ENDING |-> 2, CLOSED |-> 1, FORKED |-> 0][session]

HandleLeft(h) ==
    [NONE |-> 0, RESERVED |-> 6, OPENING |-> 5, OPEN |-> 4, ABANDONED |-> 4, STALE |-> 3,
     CLOSING |-> IF wire[h] = "none" THEN 2 ELSE 1, CLOSED |-> 0][state[h]]

GraphLeft(g) == [none |-> 2, up |-> 1, down |-> 0, gone |-> 0][conn[g]]

EndingComesCloser == [][Ends =>
    /\ SessionLeft' <= SessionLeft
    /\ connecting' => connecting
    /\ calls' \subseteq calls
    /\ \A h \in Handles : HandleLeft(h)' <= HandleLeft(h)
    /\ \A g \in Graphs : GraphLeft(g)' <= GraphLeft(g)
    /\ Ending =>
        \/ SessionLeft' < SessionLeft
        \/ connecting' # connecting
        \/ calls' # calls
        \/ \E h \in Handles : HandleLeft(h)' < HandleLeft(h)
        \/ \E g \in Graphs : GraphLeft(g)' < GraphLeft(g)]_vars
==============================================================================
