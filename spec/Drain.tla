-------------------------------- MODULE Drain --------------------------------
(****************************************************************************)
(* The drain that was proposed for libgfapi, one action for each file.      *)
(* (Session.tla tells how to read TLA+.)                                    *)
(*                                                                          *)
(* glfs_fini() waits for the requests on their way, ten seconds at most,    *)
(* and goes on.  A request that is still on its way then (a "leaked frame") *)
(* holds a reference on its file, so that the drain's is not the last.      *)
(*                                                                          *)
(* Mitigate: the drain gives the fd_t back itself, and sets the file's      *)
(* pointer to NULL.  What the request does later is then harmless, *if*     *)
(* all that it does is to give back its reference on the file: DrainFrames  *)
(* shows that it does more.                                                 *)
(****************************************************************************)
EXTENDS Naturals, TLC

CONSTANTS
    Fds,       \* the files
    Mitigate   \* TRUE: with fd_unref and NULL

VARIABLES
    session,
    fd,        \* fd[f]: where the file f is in its life
    held,      \* files on which a request holds a reference
    leaked     \* files whose fd_t was freed while somebody referred to it

vars == <<session, fd, held, leaked>>

TypeOK ==
    /\ session \in {"ACTIVE", "FINI_CALLED", "DRAINING", "DRAINED", "DESTROYED"}
    /\ fd \in [Fds -> {"UNUSED", "OPEN", "CLOSED", "LEAKED"}]
    /\ held \subseteq Fds
    /\ leaked \subseteq Fds

Init ==
    /\ session = "ACTIVE"
    /\ fd = [f \in Fds |-> "UNUSED"]
    /\ held = {}
    /\ leaked = {}

-------------------------------------------------------------------------------
(* The application *)

GlfsOpen(f) ==
    /\ session = "ACTIVE"
    /\ fd[f] = "UNUSED"
    /\ fd' = [fd EXCEPT ![f] = "OPEN"]
    /\ UNCHANGED <<session, held, leaked>>

GlfsClose(f) ==  \* an application waits for its own requests before it closes
    /\ session \in {"ACTIVE", "FINI_CALLED", "DRAINING"}
    /\ fd[f] = "OPEN"
    /\ f \notin held
    /\ fd' = [fd EXCEPT ![f] = "CLOSED"]
    /\ UNCHANGED <<session, held, leaked>>

AsyncStart(f) ==
    /\ session \in {"ACTIVE", "FINI_CALLED"}
    /\ fd[f] = "OPEN"
    /\ f \notin held
    /\ held' = held \cup {f}
    /\ UNCHANGED <<session, fd, leaked>>

AsyncDone(f) ==  \* perhaps long after the session is gone
    /\ f \in held
    /\ held' = held \ {f}
    /\ UNCHANGED <<session, fd, leaked>>

-------------------------------------------------------------------------------
(* glfs_fini() *)

GlfsFiniStart ==
    /\ session = "ACTIVE"
    /\ session' = "FINI_CALLED"
    /\ UNCHANGED <<fd, held, leaked>>

GlfsFiniDrain ==  \* no request is on its way, or ten seconds are over
    /\ session = "FINI_CALLED"
    /\ session' = "DRAINING"
    /\ UNCHANGED <<fd, held, leaked>>

DrainOne(f) ==
    /\ session = "DRAINING"
    /\ fd[f] = "OPEN"
    /\ fd' = [fd EXCEPT ![f] = "CLOSED"]
    /\ held' = IF Mitigate THEN held \ {f} ELSE held  \* its reference does not matter any more
    /\ UNCHANGED <<session, leaked>>

DrainDone ==
    /\ session = "DRAINING"
    /\ \A f \in Fds : fd[f] # "OPEN"
    /\ session' = "DRAINED"
    /\ UNCHANGED <<fd, held, leaked>>

SessionDestroyed ==  \* the inodes are freed
    /\ session = "DRAINED"
    /\ session' = "DESTROYED"
    /\ LET lost == {f \in Fds : fd[f] = "OPEN" \/ f \in held} IN
         /\ leaked' = lost
         /\ fd' = [f \in Fds |-> IF f \in lost THEN "LEAKED" ELSE fd[f]]
    /\ UNCHANGED held

Next ==
    \/ \E f \in Fds : GlfsOpen(f) \/ GlfsClose(f) \/ AsyncStart(f) \/ AsyncDone(f)
    \/ GlfsFiniStart
    \/ GlfsFiniDrain
    \/ \E f \in Fds : DrainOne(f)
    \/ DrainDone
    \/ SessionDestroyed

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Fds)

-------------------------------------------------------------------------------
DrainedImpliesAllClosed ==
    session \in {"DRAINED", "DESTROYED"} => \A f \in Fds : fd[f] # "OPEN"

\* About steps, not states: whatever leaks in a step was held by a request.
LeakedOnlyFromHeldRefs == [][\A f \in leaked' \ leaked : f \in held]_vars

NoLeakedFds == leaked = {}

CompositionSafety ==
    session = "DESTROYED" => leaked = {} /\ \A f \in Fds : fd[f] \in {"UNUSED", "CLOSED"}
==============================================================================
