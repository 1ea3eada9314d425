---------------------------- MODULE TeardownState ----------------------------
(****************************************************************************)
(* What Teardown speaks of: its constants, its variables, and what is said  *)
(* with them.  (Begin with Teardown; Session tells how to read TLA+.)       *)
(*                                                                          *)
(* Every rule that the code keeps is a constant (a "guard").  The session   *)
(* is safe with all of them TRUE; for each there is a configuration in      *)
(* which it is FALSE, and TLC shows what happens then.                      *)
(****************************************************************************)
EXTENDS Integers, FiniteSets, TLC, Tables

CONSTANTS
    Threads,         \* who calls; each has one call under way at most
    Handles,         \* the files that may be opened; a handle is never used twice
    Writes,          \* so many writes of a handle may be deferred at once (performance/write-behind)
    Fails,           \* TRUE: deferred writes may fail
    Locks,           \* TRUE: byte ranges may be locked
    Switches,        \* so often the graph may be replaced
    Steps,           \* TRUE: in the steps that it takes; FALSE: a handle is carried over in one
    Moves,           \* TRUE: locks may be on their way when a new graph's connection is lost
    Loses,           \* TRUE: connections may be lost
    Reconnects,      \* TRUE: and come back
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
    ReloadCounts,    \* and so is the replacing of the graph
    Disowns,         \* a call that does not end is counted out at the deadline
    DisownedIsOut,   \* ... and its own leaving gives nothing back a second time
    AnswersFirst,    \* a call is counted out after its caller was told
    AnswersAll,      \* also the caller of a call that was cut short
    RefsFirst,       \* RELEASE waits for the borrowers
    AnswersDue,      \* RELEASE waits for the brick's answers about the handle
    FlushFirst,      \* RELEASE waits for the deferred writes
    NamesLost,       \* deferred writes that cannot be written are in the report
    TakesOut,        \* the error of one is taken out by whoever will tell it
    HandsOn,         \* ... and handed on if that is cancelled
    ReleaseOnce,     \* one RELEASE for each handle
    ReleaseLooks,    \* ... if it is open on the present connection
    DrainWaits,      \* the drain ends when the ledger is empty
    Cuts,            \* at the deadline the connections are cut
    StrikesLast,     \* nothing is struck off the ledger while its brick may hold it
    PartsAll,        \* every connection is closed, those of old graphs, too
    CloseWaits,      \* a close returns when the session is closed, whoever closes it
    ReopensAll,      \* a connection is up again when each of its handles is opened again, or lost
    ReopensAnswered, \* ... also one whose OPEN was answered, and whose caller does not know it yet
    ReopenFirst,     \* a handle is not closed while it is being opened again
    LosesLocked,     \* a handle whose lock was lost with its connection is lost
    ReconnectEnds,   \* a connection that was cut does not come back
    SwitchWhileOpen, \* no new graph after the gate
    FlushAtSwitch,   \* deferred writes are written before a handle is carried over
    DefersNoMore,    \* ... and no write is deferred from then on
    CarriesOpened,   \* a handle uses the new graph when that has opened it
    CarriesLocks,    \* its locks are carried over with it
    LocksFollow,     \* a lock is asked for on the handle's present fd
    CarryFirst,      \* a handle is not closed while it is being carried over
    DropsNew,        \* what the new graph opened for a handle that was closed meanwhile is released
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
    reloading,   \* whether a call that replaces the graph is
    state,       \* state[h]: the handle's state; "NONE" before it is reserved
    refs,        \* refs[h]: the calls that have borrowed it
    \* what the callers are doing
    pc,          \* pc[t]: where the thread t is
    on,          \* on[t]: the handle that it opens or uses
    took,        \* took[t]: the graph whose fd it uses
    untold,      \* threads that have left, and whose caller was not told
    bearing,     \* threads that are about to tell of a deferred write that failed
    \* graphs, wire and bricks
    active,      \* the graph that opens use
    conn,        \* conn[g]: the connection to the brick of the graph g
    at,          \* at[h]: the graph of the handle's present fd
    held,        \* held[h][g]: references on its fd of the graph g
    wire,        \* wire[h]: the message about the handle's life that is on its way
    unanswered,  \* <<h, g>>: a request about h, on g, that nobody waits for any more
    brick,       \* <<h, g>>: the brick of g holds an fd for h
    carry,       \* carry[h]: how far it is on its way to the new graph
    locks,       \* locks[h]: "held" by the brick for it; "lost", and it does not know
    deferred,    \* deferred[h]: writes that were acknowledged, and not sent
    error,       \* error[h]: that of one that failed: to be told, taken by who tells it, told
    \* what happened
    lostWrite,   \* whether such a write was lost without a word
    returned,    \* whether a close() has returned
    forked       \* whether this is a child process

life == <<session, calls, connecting, reloading, state, refs>>
callers == <<pc, on, took, untold, bearing>>
world == <<active, conn, at, held, wire, unanswered, brick, carry, locks, deferred, error>>
facts == <<lostWrite, returned, forked>>
vars == <<life, callers, world, facts>>

Graphs == 1 .. Switches + 1
None == 0

Symmetry == Permutations(Threads) \cup Permutations(Handles)

\* What becomes of a message when its connection is lost.  An OPEN is sent again on the next one; a
\* RELEASE is not, for there is nothing left to release.
AfterLoss == [
    none |-> "none", open |-> "open", opened |-> "opened", refused |-> "refused",
    release |-> "released", released |-> "released", twice |-> "twice",
    reopen |-> "none", gone |-> "gone"]

TypeOK ==
    /\ session \in DOMAIN SessionTable
    /\ calls \subseteq Threads
    /\ connecting \in BOOLEAN
    /\ reloading \in BOOLEAN
    /\ state \in [Handles -> DOMAIN HandleTable \cup {"NONE"}]
    /\ refs \in [Handles -> Int]
    /\ pc \in [Threads -> {"out", "passed", "calling", "using", "stuck"}]
    /\ on \in [Threads -> Handles \cup {None}]
    /\ took \in [Threads -> Graphs \cup {None}]
    /\ untold \subseteq Threads
    /\ bearing \subseteq Threads
    /\ active \in Graphs
    /\ conn \in [Graphs -> {"none", "up", "down", "back", "cut", "gone"}]
    /\ at \in [Handles -> Graphs]
    /\ held \in [Handles -> [Graphs -> Int]]
    /\ wire \in [Handles -> DOMAIN AfterLoss]
    /\ unanswered \subseteq Handles \X Graphs
    /\ brick \subseteq Handles \X Graphs
    /\ carry \in [Handles -> {"none", "flushing", "asked", "answered", "left"}]
    /\ locks \in [Handles -> {"none", "held", "lost"}]
    /\ deferred \in [Handles -> 0 .. Writes]
    /\ error \in [Handles -> {"none", "owed", "taken", "told"}]
    /\ lostWrite \in BOOLEAN /\ returned \in BOOLEAN /\ forked \in BOOLEAN

Init ==
    /\ session = "NEW"
    /\ calls = {}
    /\ connecting = FALSE
    /\ reloading = FALSE
    /\ state = [h \in Handles |-> "NONE"]
    /\ refs = [h \in Handles |-> 0]
    /\ pc = [t \in Threads |-> "out"]
    /\ on = [t \in Threads |-> None]
    /\ took = [t \in Threads |-> None]
    /\ untold = {}
    /\ bearing = {}
    /\ active = 1
    /\ conn = [g \in Graphs |-> "none"]
    /\ at = [h \in Handles |-> 1]
    /\ held = [h \in Handles |-> [g \in Graphs |-> 0]]
    /\ wire = [h \in Handles |-> "none"]
    /\ unanswered = {}
    /\ brick = {}
    /\ carry = [h \in Handles |-> "none"]
    /\ locks = [h \in Handles |-> "none"]
    /\ deferred = [h \in Handles |-> 0]
    /\ error = [h \in Handles |-> "none"]
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

-------------------------------------------------------------------------------
(* Connections *)

\* A connection is up; or down; or back, while its handles are opened again; calls go through it only
\* while it is up.  One that was cut, or of a graph that is gone, never comes back.
Up(g) == conn[g] = "up"

\* It is up, or may be again.
Lives(g) == conn[g] \in (IF Reconnects THEN {"up", "down", "back"} ELSE {"up"})

\* The brick of h's graph has it open, for the connection that there is.
There(h) == <<h, at[h]>> \in brick

\* Whether something about h that went out on g can be answered.
CanAnswer(h, g) == Up(g) /\ (Reconnects => <<h, g>> \in brick)

\* The connections to the bricks of these graphs end: the bricks let go of everything, and what
\* was on its way is lost.
Disconnect(graphs, end) ==
    /\ conn' = [g \in Graphs |-> IF g \in graphs /\ Lives(g) THEN end ELSE conn[g]]
    /\ brick' = {b \in brick : b[2] \notin graphs}
    /\ unanswered' = {u \in unanswered : u[2] \notin graphs}
    /\ wire' = IF Reconnects
               THEN [h \in Handles |-> IF at[h] \in graphs THEN AfterLoss[wire[h]] ELSE wire[h]]
               ELSE wire
    /\ locks' = [h \in Handles |->
                    IF at[h] \in graphs /\ locks[h] = "held" THEN "lost" ELSE locks[h]]

\* How a connection ends that nobody wants to come back.
Ended == IF Reconnects THEN "cut" ELSE "down"

\* The graph that handles are carried over to: the one that is about to be in use, or is.
Newest == IF active <= Switches /\ Steps /\ conn[active + 1] # "none" THEN active + 1 ELSE active

-------------------------------------------------------------------------------
(* Handles *)

\* Nothing stands in the way of h's end.
Idle(h) ==
    /\ RefsFirst => refs[h] = 0
    /\ AnswersDue => \A g \in Graphs : <<h, g>> \notin unanswered
    /\ OldFdFirst => \A g \in Graphs : g < at[h] => <<h, g>> \notin brick
    /\ CarryFirst => carry[h] \in {"none", "left"}

\* What is forgotten of a handle that is closed.  A deferred write may be forgotten only when it can
\* not be written any more, and the report names it; so does it an error that was not told.
Forget(h) ==
    /\ at' = [at EXCEPT ![h] = IF wire[h] = "reopen" THEN @ ELSE 1]
    /\ held' = [held EXCEPT ![h] = [g \in Graphs |-> 0]]
    /\ wire' = [wire EXCEPT ![h] = IF @ = "reopen" THEN @ ELSE "none"]
    /\ carry' = [carry EXCEPT ![h] = IF @ = "left" THEN "none" ELSE @]
    /\ locks' = [locks EXCEPT ![h] = "none"]
    /\ deferred' = [deferred EXCEPT ![h] = 0]
    /\ error' = [error EXCEPT ![h] = "none"]
    /\ lostWrite' = \/ lostWrite
                    \/ deferred[h] > 0 /\ ((Up(at[h]) /\ wire[h] # "gone") \/ ~NamesLost)
                    \/ error[h] = "owed" /\ ~NamesLost
==============================================================================
