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
(* What it speaks of is in TeardownState, with the rules that the code      *)
(* keeps, each of which is a constant (a "guard"); what must always hold is *)
(* in TeardownHolds; what a session lives through (a connection that is     *)
(* lost, and comes back; a new graph) is in TeardownChanges.                *)
(****************************************************************************)
EXTENDS TeardownChanges

-------------------------------------------------------------------------------
(* A session begins *)

CONNECT ==
    /\ SessionMove("CONNECT")
    /\ connecting' = TRUE
    /\ UNCHANGED <<calls, reloading, state, refs, callers, world, facts>>

BrickConnects ==
    /\ connecting
    /\ conn[1] = "none"
    /\ conn' = [conn EXCEPT ![1] = "up"]
    /\ UNCHANGED <<life, callers, active, at, held, wire, unanswered, brick, carry, locks, deferred,
                   error, facts>>

CONNECTED ==
    /\ connecting
    /\ conn[1] = "up"
    /\ SessionMove("CONNECTED")
    /\ connecting' = FALSE
    /\ UNCHANGED <<calls, reloading, state, refs, callers, world, facts>>

ConnectFails ==  \* or is cancelled; the call that connects leaves
    /\ connecting
    /\ connecting' = FALSE
    /\ UNCHANGED <<session, calls, reloading, state, refs, callers, world, facts>>

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
    /\ UNCHANGED <<session, connecting, reloading, state, untold, bearing, active, conn, at, wire,
                   unanswered, brick, carry, locks, deferred, error, facts>>

\* What comes in a step of its own when a guard is missing.
Enter(t) ==
    /\ pc[t] = "passed"
    /\ calls' = calls \cup {t}
    /\ pc' = [pc EXCEPT ![t] = IF on[t] = None THEN "calling" ELSE "using"]
    /\ IF on[t] = None THEN UNCHANGED <<refs, took, held>> ELSE Borrow(t, on[t])
    /\ UNCHANGED <<session, connecting, reloading, state, on, untold, bearing, active, conn, at,
                   wire, unanswered, brick, carry, locks, deferred, error, facts>>

\* A write is acknowledged before it is sent.
DeferWrite(t) ==
    /\ Writes > 0
    /\ pc[t] = "using"
    /\ took[t] = at[on[t]]
    /\ DefersNoMore => carry[on[t]] \in {"none", "left"}
    /\ deferred' = [deferred EXCEPT ![on[t]] = IF @ < Writes THEN @ + 1 ELSE @]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, carry, locks,
                   error, facts>>

\* A write, or an fsync, takes out the error of a deferred write, to tell of it.
TakeError(t) ==
    /\ pc[t] = "using"
    /\ error[on[t]] = "owed"
    /\ t \notin bearing
    /\ bearing' = bearing \cup {t}
    /\ error' = IF TakesOut THEN [error EXCEPT ![on[t]] = "taken"] ELSE error
    /\ UNCHANGED <<life, pc, on, took, untold, active, conn, at, held, wire, unanswered, brick,
                   carry, locks, deferred, facts>>

\* Whoever was about to tell of it has done so, or is cancelled; then somebody else will.
ErrorGoes(t, cut) ==
    /\ bearing' = bearing \ {t}
    /\ error' = IF t \in bearing
                THEN [error EXCEPT ![on[t]] = IF ~cut THEN "told" ELSE IF HandsOn THEN "owed" ELSE @]
                ELSE error

\* A byte range of the file is locked.
Lock(t) ==
    /\ Locks
    /\ pc[t] = "using"
    /\ CanAnswer(on[t], took[t])
    /\ LocksFollow => took[t] = at[on[t]]
    /\ locks[on[t]] = "none"
    /\ locks' = [locks EXCEPT ![on[t]] = IF took[t] = at[on[t]] THEN "held" ELSE "lost"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, carry, deferred,
                   error, facts>>

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
            /\ unanswered' = IF cut /\ CanAnswer(on[t], took[t])
                             THEN unanswered \cup {<<on[t], took[t]>>}
                             ELSE unanswered
       ELSE UNCHANGED <<refs, held, unanswered>>
    /\ ErrorGoes(t, cut)
    /\ UNCHANGED <<session, connecting, reloading, state, active, conn, at, wire, brick, carry,
                   locks, deferred, facts>>

Tell(t) ==  \* only where a call is counted out first
    /\ t \in untold
    /\ AnswersAll
    /\ untold' = untold \ {t}
    /\ UNCHANGED <<life, pc, on, took, bearing, world, facts>>

BrickAnswers(h, g) ==
    /\ <<h, g>> \in unanswered
    /\ unanswered' = unanswered \ {<<h, g>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, brick, carry, locks, deferred, error,
                   facts>>

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
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, pc, took, untold, bearing, world,
                   facts>>

\* The handle was struck off, or dropped; the open fails, nothing was sent.
OpenFails(t) ==
    /\ pc[t] = "calling" /\ on[t] # None
    /\ state[on[t]] = "CLOSED"
    /\ on' = [on EXCEPT ![t] = None]
    /\ UNCHANGED <<life, pc, took, untold, bearing, world, facts>>

SEND(t) ==  \* if the connection may come back it waits for that
    /\ pc[t] = "calling" /\ on[t] # None
    /\ HandleMove(on[t], "SEND")
    /\ at' = [at EXCEPT ![on[t]] = active]
    /\ wire' = [wire EXCEPT ![on[t]] = IF Lives(active) THEN "open" ELSE "refused"]
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, held,
                   unanswered, brick, carry, locks, deferred, error, facts>>

SendUnreserved(t, h) ==  \* only where a guard is missing
    /\ ~ReserveFirst
    /\ pc[t] = "calling" /\ on[t] = None
    /\ session = "ACTIVE"
    /\ state[h] = "NONE" /\ wire[h] = "none" /\ Up(active)
    /\ at' = [at EXCEPT ![h] = active]
    /\ wire' = [wire EXCEPT ![h] = "open"]
    /\ on' = [on EXCEPT ![t] = h]
    /\ UNCHANGED <<life, pc, took, untold, bearing, active, conn, held, unanswered, brick, carry,
                   locks, deferred, error, facts>>

BrickOpens(h, yes) ==
    /\ wire[h] = "open" /\ Up(at[h])
    /\ wire' = [wire EXCEPT ![h] = IF yes THEN "opened" ELSE "refused"]
    /\ brick' = IF yes THEN brick \cup {<<h, at[h]>>} ELSE brick
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, carry, locks, deferred, error,
                   facts>>

\* The caller is cancelled, or times out, while OPEN is on its way.
ABANDON(t) ==
    /\ pc[t] = "calling" /\ on[t] # None
    /\ IF AbandonWatches
       THEN HandleMove(on[t], "ABANDON")
       ELSE /\ Can(on[t], "ABANDON")
            /\ state' = [state EXCEPT ![on[t]] = "CLOSED"]
    /\ on' = [on EXCEPT ![t] = None]
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, pc, took, untold, bearing, world,
                   facts>>

\* The reply came, and the brick has opened it.
Bound(h) ==
    /\ wire[h] = "opened"
    /\ wire' = [wire EXCEPT ![h] = "none"]
    /\ held' = [held EXCEPT ![h][at[h]] = 1]
    /\ OpenerLeaves(h)
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, took, untold, bearing, active, conn,
                   at, unanswered, brick, carry, locks, deferred, error, facts>>

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
    /\ wire[h] = "refused" \/ (~Up(at[h]) /\ ~There(h))
    /\ HandleMove(h, "REFUSED")
    /\ OpenerLeaves(h)
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, took, untold, bearing, active, conn,
                   unanswered, brick, returned, forked>>

-------------------------------------------------------------------------------
(* A handle is closed *)

CLOSE(h) ==  \* by the application, or by the drain
    /\ session \in {"ACTIVE", "SETTLING", "DRAINING"}
    /\ HandleMove(h, "CLOSE")
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, world, facts>>

Flush(h) ==  \* a deferred write is sent, and answered
    /\ deferred[h] > 0
    /\ CanAnswer(h, at[h])
    /\ deferred' = [deferred EXCEPT ![h] = @ - 1]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, carry, locks,
                   error, facts>>

\* The brick says no; or the connection did not come back in time.  One error tells of all that failed
\* before it was told.
FlushFails(h) ==
    /\ Fails
    /\ deferred[h] > 0
    /\ error[h] \in {"none", "owed"}
    /\ deferred' = [deferred EXCEPT ![h] = @ - 1]
    /\ error' = [error EXCEPT ![h] = "owed"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, carry, locks,
                   facts>>

SendRelease(h) ==
    /\ state[h] = "CLOSING"
    /\ Up(at[h])
    /\ Idle(h)
    /\ FlushFirst => deferred[h] = 0
    /\ ReleaseLooks => There(h)
    /\ wire[h] \in (IF ReleaseOnce THEN {"none"} ELSE {"none", "release"})
    /\ wire' = [wire EXCEPT ![h] = IF @ = "none" THEN "release" ELSE "twice"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, brick, carry, locks, deferred,
                   error, facts>>

BrickReleases(h) ==
    /\ wire[h] = "release" /\ Up(at[h])
    /\ wire' = [wire EXCEPT ![h] = "released"]
    /\ brick' = brick \ {<<h, at[h]>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, carry, locks, deferred, error,
                   facts>>

\* There is nothing to release: its connection is gone, and the fd with it.  While the connection may
\* come back, deferred writes wait for that; a handle that was lost has nothing to wait for.
NotThere(h) ==
    IF Reconnects
    THEN /\ ~There(h)
         /\ wire[h] # "released"
         /\ ReopenFirst => wire[h] # "reopen"
         /\ deferred[h] = 0 \/ wire[h] = "gone" \/ ~Lives(at[h])
    ELSE ~Up(at[h])

\* The brick said so; or there is nothing to release.
RELEASED(h) ==
    /\ wire[h] = "released" \/ (NotThere(h) /\ Idle(h))
    /\ HandleMove(h, "RELEASED")
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, unanswered,
                   brick, returned, forked>>

-------------------------------------------------------------------------------
(* The end.  api/ending.py, step by step *)

GATE ==
    /\ SessionMove("GATE")
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, world, facts>>

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
            /\ unanswered' = IF CanAnswer(on[t], took[t])
                             THEN unanswered \cup {<<on[t], took[t]>>}
                             ELSE unanswered
            /\ ErrorGoes(t, TRUE)
            /\ IF DisownedIsOut
               THEN on' = [on EXCEPT ![t] = None] /\ took' = [took EXCEPT ![t] = None]
               ELSE UNCHANGED <<on, took>>
       ELSE UNCHANGED <<pc, on, took, bearing, refs, held, unanswered, error>>
    /\ UNCHANGED <<session, connecting, reloading, state, untold, active, conn, at, wire, brick,
                   carry, locks, deferred, facts>>

DisownConnect ==
    /\ Disowns
    /\ session = "SETTLING"
    /\ connecting
    /\ connecting' = FALSE
    /\ UNCHANGED <<session, calls, reloading, state, refs, callers, world, facts>>

DisownReload ==
    /\ Disowns
    /\ session = "SETTLING"
    /\ reloading
    /\ reloading' = FALSE
    /\ UNCHANGED <<session, calls, connecting, state, refs, callers, world, facts>>

SETTLED ==
    /\ SettleWaits => calls = {}
    /\ ConnectCounts => ~connecting
    /\ ReloadCounts => ~reloading
    /\ SessionMove("SETTLED")
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, world, facts>>

DROP(h) ==  \* nothing was ever sent for it: by the drain, or by its opener, who was interrupted
    /\ HandleMove(h, "DROP")
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, world, facts>>

Cut ==  \* the deadline is over; what it waits for may have come in this very moment
    /\ Cuts
    /\ session = "DRAINING"
    /\ \E g \in Graphs : Lives(g)
    /\ Disconnect(Graphs, Ended)
    /\ carry' = [h \in Handles |-> "none"]
    /\ UNCHANGED <<life, callers, active, at, held, deferred, error, facts>>

\* Of what nothing closes: the thread that would have to is stuck.  The report names it.
STRIKE(h) ==
    /\ session = "DRAINING"
    /\ StrikesLast => \A g \in Graphs : ~Lives(g)
    /\ state[h] = "OPENING"
    /\ HandleMove(h, "STRIKE")
    /\ Forget(h)
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, unanswered,
                   brick, returned, forked>>

DRAINED ==
    /\ DrainWaits => Ledger = {}
    /\ SessionMove("DRAINED")
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, world, facts>>

PARTED ==
    /\ SessionMove("PARTED")
    /\ Disconnect(IF PartsAll THEN Graphs ELSE {active}, Ended)
    /\ carry' = [h \in Handles |-> "none"]
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, active, at, held, deferred,
                   error, facts>>

CHECKED ==
    /\ SessionMove("CHECKED")
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, world, facts>>

ENDED ==
    /\ SessionMove("ENDED")
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, world, facts>>

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
            /\ reloading' = FALSE
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
            /\ carry' = [h \in Handles |-> "none"]
            /\ locks' = [h \in Handles |-> "none"]
            /\ deferred' = [h \in Handles |-> 0]
            /\ error' = [h \in Handles |-> "none"]
            /\ bearing' = {}
            /\ UNCHANGED <<untold, brick, lostWrite, returned>>
       ELSE UNCHANGED <<life, callers, world, lostWrite, returned>>

-------------------------------------------------------------------------------
\* What the ending does by itself, as long as it runs at all.
Ending ==
    \/ SETTLED \/ DRAINED \/ PARTED \/ CHECKED \/ ENDED
    \/ Cut \/ DisownConnect \/ DisownReload
    \/ \E t \in Threads : Disown(t)
    \/ \E h \in Handles :
        \/ session = "DRAINING" /\ (CLOSE(h) \/ DROP(h) \/ STRIKE(h))
        \/ SendRelease(h) \/ RELEASED(h)
        \/ state[h] = "ABANDONED" /\ (REFUSED(h) \/ LATE(h))

Next ==
    \/ CONNECT \/ BrickConnects \/ CONNECTED \/ ConnectFails
    \/ \E t \in Threads :
        \/ ADMIT(t, None) \/ Enter(t) \/ DeferWrite(t) \/ TakeError(t) \/ Lock(t) \/ Tell(t)
        \/ LEAVE(t, FALSE) \/ LEAVE(t, TRUE)
        \/ OpenFails(t) \/ SEND(t) \/ ABANDON(t) \/ Disown(t)
        \/ \E h \in Handles : ADMIT(t, h) \/ RESERVE(t, h) \/ SendUnreserved(t, h)
    \/ \E h \in Handles :
        \/ BrickOpens(h, TRUE) \/ BrickOpens(h, FALSE)
        \/ OPENED(h) \/ LATE(h) \/ REFUSED(h)
        \/ CLOSE(h) \/ Flush(h) \/ FlushFails(h)
        \/ SendRelease(h) \/ BrickReleases(h) \/ RELEASED(h)
        \/ LOST(h) \/ Reopen(h) \/ BrickReopens(h, TRUE) \/ BrickReopens(h, FALSE)
        \/ BeginCarry(h) \/ AskNew(h) \/ BrickCarries(h, TRUE) \/ BrickCarries(h, FALSE)
        \/ CARRIED(h) \/ NotCarried(h) \/ UNLOCKED(h)
        \/ DROP(h) \/ STRIKE(h)
        \/ \E g \in Graphs : BrickAnswers(h, g) \/ ReleaseOld(h, g)
    \/ \E g \in Graphs : Lose(g) \/ ComesBack(g) \/ RECONNECTED(g) \/ OldGraphGoes(g)
    \/ BeginReload \/ NewGraph \/ SWITCHED \/ ReloadFails \/ ReloadEnds
    \/ GATE \/ DisownConnect \/ DisownReload \/ SETTLED \/ Cut \/ DRAINED \/ PARTED \/ CHECKED \/ ENDED
    \/ CloseReturns
    \/ FORK

Spec == Init /\ [][Next]_vars

\* The one assumption of liveness: the ending itself goes on while it can.  Nothing is assumed of
\* the bricks, of the network, and of the threads whose calls are under way.
FairSpec == Spec /\ WF_vars(Ending)

-------------------------------------------------------------------------------
(* What must hold of steps, and of lives *)

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
     CLOSING |-> IF wire[h] \in {"none", "reopen", "gone"} THEN 2 ELSE 1, CLOSED |-> 0][state[h]]

GraphLeft(g) == IF conn[g] = "none" THEN 2 ELSE IF Lives(g) THEN 1 ELSE 0

EndingComesCloser == [][Ends =>
    /\ SessionLeft' <= SessionLeft
    /\ connecting' => connecting
    /\ reloading' => reloading
    /\ calls' \subseteq calls
    /\ \A h \in Handles : HandleLeft(h)' <= HandleLeft(h)
    /\ \A g \in Graphs : GraphLeft(g)' <= GraphLeft(g)
    /\ Ending =>
        \/ SessionLeft' < SessionLeft
        \/ connecting' # connecting
        \/ reloading' # reloading
        \/ calls' # calls
        \/ \E h \in Handles : HandleLeft(h)' < HandleLeft(h)
        \/ \E g \in Graphs : GraphLeft(g)' < GraphLeft(g)]_vars
==============================================================================
