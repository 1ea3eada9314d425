--------------------------- MODULE TeardownChanges ---------------------------
(****************************************************************************)
(* What a session lives through: connections that are lost, and come back;  *)
(* and a graph that is replaced.  (These are actions of Teardown.)          *)
(****************************************************************************)
EXTENDS TeardownHolds

(* A connection is lost, and comes back *)

Lose(g) ==
    /\ Loses
    /\ Up(g) \/ (Reconnects /\ conn[g] = "back")
    /\ Disconnect({g}, "down")
    /\ carry' = [h \in Handles |->
                    IF g = Newest /\ carry[h] \in {"asked", "answered"} THEN "flushing" ELSE carry[h]]
    /\ UNCHANGED <<life, callers, active, at, held, deferred, error, facts>>

\* What the handle stood for is gone: it was not opened again, or its locks are another's by now.
LOST(h) ==
    /\ ~Up(at[h])
    /\ Reconnects => ~There(h) /\ wire[h] # "reopen"
    /\ HandleMove(h, "LOST")
    /\ wire' = IF Reconnects THEN [wire EXCEPT ![h] = "gone"] ELSE wire
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, at, held,
                   unanswered, brick, carry, locks, deferred, error, facts>>

\* The brick answers again, and has heard of nothing: the handles that are open on g, and those that are
\* closing, are opened again, all at once, and each answer comes when it does.
ComesBack(g) ==
    /\ Reconnects
    /\ conn[g] = "down" \/ (conn[g] = "cut" /\ ~ReconnectEnds)
    /\ conn' = [conn EXCEPT ![g] = "back"]
    /\ UNCHANGED <<life, callers, active, at, held, wire, unanswered, brick, carry, locks, deferred,
                   error, facts>>

Reopen(h) ==
    /\ conn[at[h]] = "back"
    /\ state[h] \in {"OPEN", "STALE", "CLOSING"}  \* what was LOST is "gone"
    /\ wire[h] = "none"
    /\ ~There(h)
    /\ LosesLocked => locks[h] # "lost"
    /\ wire' = [wire EXCEPT ![h] = "reopen"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, brick, carry, locks, deferred,
                   error, facts>>

\* Where the caller does not know yet that it is open, it need not know that it was opened twice.
BrickReopens(h, yes) ==
    /\ conn[at[h]] = "back"
    /\ wire[h] = "reopen" \/ (wire[h] = "opened" /\ ~There(h))
    /\ brick' = IF yes THEN brick \cup {<<h, at[h]>>} ELSE brick
    /\ wire' = [wire EXCEPT ![h] = IF @ = "opened" THEN (IF yes THEN "opened" ELSE "refused")
                                   ELSE IF yes THEN "none" ELSE "gone"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, unanswered, carry, locks, deferred, error,
                   facts>>

\* Whether h has to be open on its brick when the connection is up again.
Needed(h) ==
    \/ state[h] = "OPEN"
    \/ state[h] = "STALE" /\ wire[h] = "none"
    \/ state[h] = "CLOSING" /\ wire[h] = "none" /\ (refs[h] > 0 \/ deferred[h] > 0)

\* It counts as up, and the calls that wait for it go on.  What calls still use of a handle that was
\* carried over to another graph is open again with it.
RECONNECTED(g) ==
    /\ conn[g] = "back"
    /\ ReopensAll => \A h \in Handles : at[h] = g =>
        wire[h] # "reopen" /\ (Needed(h) => <<h, g>> \in brick)
    /\ ReopensAnswered => \A h \in Handles :
        at[h] = g /\ wire[h] = "opened" => <<h, g>> \in brick
    /\ SessionMove("RECONNECTED")
    /\ conn' = [conn EXCEPT ![g] = "up"]
    /\ brick' = brick \cup {<<h, g>> : h \in {i \in Handles : at[i] # g /\ held[i][g] > 0}}
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, active, at, held, wire,
                   unanswered, carry, locks, deferred, error, facts>>

-------------------------------------------------------------------------------
(* The graph is replaced *)

\* A call does that.  Also when the new graph is in use: handles may have been left to carry over.
BeginReload ==
    /\ Steps
    /\ session = "ACTIVE"
    /\ ~reloading
    /\ reloading' = TRUE
    /\ UNCHANGED <<session, calls, connecting, state, refs, callers, world, facts>>

NewGraph ==
    /\ reloading
    /\ active <= Switches
    /\ conn[active + 1] = "none"
    /\ \A h \in Handles : carry[h] \in {"none", "left"}
    /\ conn' = [conn EXCEPT ![active + 1] = "up"]
    /\ UNCHANGED <<life, callers, active, at, held, wire, unanswered, brick, carry, locks, deferred,
                   error, facts>>

\* From here on opens go to the new graph.
SWITCHED ==
    /\ active <= Switches
    /\ IF SwitchWhileOpen
       THEN SessionMove("SWITCHED")
       ELSE session # "CLOSED" /\ (session = "ACTIVE" \/ ~BeforeGate) /\ UNCHANGED session
    /\ IF Steps THEN reloading /\ Up(active + 1) /\ UNCHANGED conn
       ELSE conn' = [conn EXCEPT ![active + 1] = "up"]
    /\ active' = active + 1
    /\ UNCHANGED <<calls, connecting, reloading, state, refs, callers, at, held, wire, unanswered,
                   brick, carry, locks, deferred, error, facts>>

\* What was there before it is there still; what was opened on it is not.
ReloadFails ==
    /\ reloading
    /\ session = "ACTIVE"
    /\ active <= Switches
    /\ reloading' = FALSE
    /\ conn' = [conn EXCEPT ![active + 1] = "none"]
    /\ brick' = {b \in brick : b[2] # active + 1}
    /\ carry' = [h \in Handles |-> "none"]
    /\ UNCHANGED <<session, calls, connecting, state, refs, callers, active, at, held, wire,
                   unanswered, locks, deferred, error, facts>>

ReloadEnds ==  \* done, or cancelled; some handles may have been left on the old graph
    /\ reloading
    /\ \A h \in Handles : carry[h] \in {"none", "left"}
    /\ reloading' = FALSE
    /\ UNCHANGED <<session, calls, connecting, state, refs, callers, world, facts>>

\* A handle is to be carried over, also before the new graph is in use.  From here on no write is
\* deferred on the fd that it has.
BeginCarry(h) ==
    /\ reloading
    /\ state[h] = "OPEN"
    /\ at[h] < Newest
    /\ carry[h] = "none"
    /\ LosesLocked => locks[h] # "lost"
    /\ carry' = [carry EXCEPT ![h] = "flushing"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, locks, deferred,
                   error, facts>>

AskNew(h) ==  \* OPEN, on the new graph
    /\ carry[h] = "flushing"
    /\ state[h] = "OPEN"
    /\ Up(Newest)
    /\ FlushAtSwitch => deferred[h] = 0
    /\ carry' = [carry EXCEPT ![h] = "asked"]
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, brick, locks, deferred,
                   error, facts>>

BrickCarries(h, yes) ==  \* if it does not, the handle is left where it is: it works, there
    /\ carry[h] = "asked"
    /\ Up(Newest)
    /\ carry' = [carry EXCEPT ![h] = IF yes THEN "answered" ELSE "left"]
    /\ brick' = IF yes THEN brick \cup {<<h, Newest>>} ELSE brick
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, locks, deferred, error,
                   facts>>

\* It uses the new graph from now on; its reference on the old fd goes back.
CARRIED(h) ==
    /\ session = "ACTIVE"
    /\ at[h] < active
    /\ LosesLocked => locks[h] # "lost"
    /\ IF Steps
       THEN carry[h] = "answered" \/ (carry[h] = "left" /\ ~CarriesOpened)
       ELSE /\ Up(at[h]) \/ Reconnects
            /\ Up(active)
            /\ FlushAtSwitch => deferred[h] = 0
    /\ HandleMove(h, "CARRIED")
    /\ at' = [at EXCEPT ![h] = active]
    /\ held' = [held EXCEPT ![h][at[h]] = @ - 1, ![h][active] = @ + 1]
    /\ brick' = IF Steps THEN brick ELSE brick \cup {<<h, active>>}
    /\ carry' = [carry EXCEPT ![h] = "none"]
    /\ locks' = [locks EXCEPT ![h] = IF @ = "held" /\ ~CarriesLocks THEN "lost" ELSE @]
    /\ deferred' = [deferred EXCEPT ![h] = 0]
    /\ lostWrite' = (lostWrite \/ deferred[h] > 0)
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, wire,
                   unanswered, error, returned, forked>>

\* The connection of the new graph is lost while the locks of h are on their way: the old one has none
\* any more, and the new one has them no longer.
UNLOCKED(h) ==
    /\ Moves
    /\ Steps => locks[h] = "held" /\ carry[h] = "flushing" /\ ~Up(Newest)
    /\ HandleMove(h, "UNLOCKED")
    /\ locks' = [locks EXCEPT ![h] = "none"]
    /\ UNCHANGED <<session, calls, connecting, reloading, refs, callers, active, conn, at, held, wire,
                   unanswered, brick, carry, deferred, error, facts>>

\* It is not carried over: it was closed meanwhile, or the session is.
NotCarried(h) ==
    /\ \/ carry[h] = "flushing"
       \/ carry[h] = "answered" /\ (state[h] # "OPEN" \/ session # "ACTIVE" \/ locks[h] = "lost")
    /\ carry' = [carry EXCEPT ![h] = "none"]
    /\ brick' = IF DropsNew /\ carry[h] = "answered" THEN brick \ {<<h, Newest>>} ELSE brick
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, locks, deferred, error,
                   facts>>

ReleaseOld(h, g) ==
    /\ g < at[h]
    /\ <<h, g>> \in brick
    /\ OldFdWaits => held[h][g] = 0 /\ <<h, g>> \notin unanswered
    /\ brick' = brick \ {<<h, g>>}
    /\ UNCHANGED <<life, callers, active, conn, at, held, wire, unanswered, carry, locks, deferred,
                   error, facts>>

OldGraphGoes(g) ==
    /\ g < active
    /\ conn[g] \in {"up", "down", "back"}
    /\ OldGraphWaits =>
        \A h \in Handles :
            /\ held[h][g] = 0
            /\ <<h, g>> \notin brick \cup unanswered
            /\ at[h] = g => state[h] \in {"NONE", "RESERVED", "CLOSED"}
    /\ conn' = [conn EXCEPT ![g] = "gone"]
    /\ brick' = {b \in brick : b[2] # g}
    /\ unanswered' = {u \in unanswered : u[2] # g}
    /\ UNCHANGED <<life, callers, active, at, held, wire, carry, locks, deferred, error, facts>>
==============================================================================
