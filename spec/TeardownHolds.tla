---------------------------- MODULE TeardownHolds ----------------------------
(****************************************************************************)
(* What must always hold of Teardown's states.  (What must hold of its      *)
(* steps, and of its lives, stands at the end of Teardown.)                 *)
(****************************************************************************)
EXTENDS TeardownState

NoLeakedFds == session = "CLOSED" => Ledger = {}

DrainedImpliesAllClosed == AfterDrain => Ledger = {}

LeakedOnlyFromHeldRefs == FromDrain => \A h \in Handles : refs[h] = 0

AdmittedOnlyBeforeDrain == FromDrain =>
    /\ calls = {} /\ ~connecting /\ ~reloading
    /\ \A t \in Threads : pc[t] # "using"

CompositionSafety == session = "CLOSED" => Ledger = {} /\ brick = {} /\ calls = {}

\* Once the inode tables are looked at, nothing is left that could touch one: no call, no reply,
\* no connection.  And nobody uses a graph that is gone.
NoUseAfterFree ==
    /\ AfterParting => /\ unanswered = {}
                       /\ \A h \in Handles : wire[h] = "none"
                       /\ \A g \in Graphs : conn[g] \notin {"up", "back"}
    /\ \A t \in Threads : pc[t] = "using" => conn[took[t]] # "gone"

NoLostCallback == FromDrain => untold = {}

Holders(h, g) ==
    Cardinality({t \in Threads : pc[t] = "using" /\ on[t] = h /\ took[t] = g})
    + (IF state[h] \in {"OPEN", "STALE", "CLOSING"} /\ at[h] = g THEN 1 ELSE 0)

RefsAddUp == \A h \in Handles :
    /\ refs[h] = Cardinality({t \in Threads : pc[t] = "using" /\ on[t] = h})
    /\ \A g \in Graphs : held[h][g] = Holders(h, g)

\* A brick holds nothing that the ledger does not know; and in the end nothing.  (What a child
\* process finds on the bricks is its parent's.)  And what is open is open there, while the connection
\* is up.
BrickAgrees ==
    /\ session # "FORKED" => \A b \in brick : b[1] \in Ledger
    /\ session = "CLOSED" => brick = {}
    /\ \A h \in Handles : state[h] = "OPEN" /\ Up(at[h]) => There(h)

\* No RELEASE overtakes a request: what the brick works on is open.  (It works on nothing of a handle
\* that was lost.)
NoOvertaking ==
    /\ \A u \in unanswered : u \in brick
    /\ \A t \in Threads : pc[t] = "using" /\ Up(took[t]) =>
        \/ <<on[t], took[t]>> \in brick
        \/ wire[on[t]] = "gone" /\ took[t] = at[on[t]]

\* No handle is released twice, and each RELEASE is of what this connection has open: its number would
\* be another file's.
ReleasedOnce == \A h \in Handles :
    wire[h] # "twice" /\ (wire[h] = "release" /\ Up(at[h]) => There(h))

\* No deferred write is lost without a word: if an error was taken, somebody is about to tell of it.
NoLostWrites ==
    /\ ~lostWrite
    /\ \A h \in Handles : error[h] = "taken" => \E t \in Threads : t \in bearing /\ on[t] = h

\* And nobody else does, or has.
ToldOnce == \A h \in Handles : error[h] \in {"owed", "told"} =>
    \A t \in Threads : on[t] = h => t \notin bearing

\* Nobody uses a handle that has lost its locks, and does not know it.
LocksHonest == \A h \in Handles : state[h] = "OPEN" /\ Up(at[h]) => locks[h] # "lost"

ReturnsWhenClosed == returned => session = "CLOSED"
==============================================================================
