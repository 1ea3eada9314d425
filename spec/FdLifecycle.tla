----------------------------- MODULE FdLifecycle -----------------------------
(****************************************************************************)
(* What becomes of files that are still open when a libgfapi session ends.  *)
(* (Session.tla tells how to read TLA+.)                                    *)
(*                                                                          *)
(* The gate is in place: nothing is opened once glfs_fini() is entered.     *)
(* The question is what was opened before.  The inodes are freed at the     *)
(* end, whether files are open on them or not; a file that is open then is  *)
(* LEAKED.  The drain (gluster issue 4668) closes them first.               *)
(****************************************************************************)
EXTENDS Naturals, TLC

CONSTANTS
    Fds,         \* the files
    Drain,       \* TRUE: glfs_fini() closes what is open
    AtomicClose  \* TRUE: a close is one step; else it marks the file, and then drops it

VARIABLES
    session,
    fd,          \* fd[f]: where the file f is in its life
    leaked       \* files whose inode was freed under them

vars == <<session, fd, leaked>>

TypeOK ==
    /\ session \in {"NONE", "NEW", "ACTIVE", "FINI_CALLED", "DRAINING", "DRAIN_FDS", "DESTROYED"}
    /\ fd \in [Fds -> {"UNUSED", "OPEN", "CLOSING", "CLOSED", "LEAKED"}]
    /\ leaked \subseteq Fds

Init ==
    /\ session = "ACTIVE"
    /\ fd = [f \in Fds |-> "UNUSED"]
    /\ leaked = {}

\* The same, begun two steps earlier.
InitNone ==
    /\ session = "NONE"
    /\ fd = [f \in Fds |-> "UNUSED"]
    /\ leaked = {}

Alive == session # "DESTROYED"

Step(before, after) == session = before /\ session' = after
FdStep(f, before, after) == fd[f] = before /\ fd' = [fd EXCEPT ![f] = after]

AfterClose == IF AtomicClose THEN "CLOSED" ELSE "CLOSING"

-------------------------------------------------------------------------------
(* The application *)

GlfsNew == Step("NONE", "NEW") /\ UNCHANGED <<fd, leaked>>
GlfsInit == Step("NEW", "ACTIVE") /\ UNCHANGED <<fd, leaked>>

GlfsOpen(f) == session = "ACTIVE" /\ FdStep(f, "UNUSED", "OPEN") /\ UNCHANGED <<session, leaked>>
GlfsClose(f) == Alive /\ FdStep(f, "OPEN", AfterClose) /\ UNCHANGED <<session, leaked>>
FdRefPut(f) == Alive /\ FdStep(f, "CLOSING", "CLOSED") /\ UNCHANGED <<session, leaked>>

-------------------------------------------------------------------------------
(* glfs_fini() *)

GlfsFiniStart == Step("ACTIVE", "FINI_CALLED") /\ UNCHANGED <<fd, leaked>>
\* No request is on its way, or ten seconds are over:
GlfsFiniDrain == Step("FINI_CALLED", "DRAINING") /\ UNCHANGED <<fd, leaked>>

DrainStart == Drain /\ Step("DRAINING", "DRAIN_FDS") /\ UNCHANGED <<fd, leaked>>
DrainOne(f) == session = "DRAIN_FDS" /\ FdStep(f, "OPEN", AfterClose) /\ UNCHANGED <<session, leaked>>

SessionDestroyed ==  \* the inodes are freed
    /\ IF Drain
       THEN session = "DRAIN_FDS" /\ \A f \in Fds : fd[f] # "OPEN"
       ELSE session = "DRAINING"
    /\ session' = "DESTROYED"
    /\ leaked' = {f \in Fds : fd[f] = "OPEN"}
    /\ fd' = [f \in Fds |-> IF fd[f] = "OPEN" THEN "LEAKED" ELSE fd[f]]

Terminated == session = "DESTROYED" /\ UNCHANGED vars

Next ==
    \/ \E f \in Fds : GlfsOpen(f)
    \/ \E f \in Fds : GlfsClose(f)
    \/ \E f \in Fds : FdRefPut(f)
    \/ GlfsFiniStart
    \/ GlfsFiniDrain
    \/ DrainStart
    \/ \E f \in Fds : DrainOne(f)
    \/ SessionDestroyed
    \/ Terminated

Spec == Init /\ [][Next]_vars
SpecFromNew == InitNone /\ [][GlfsNew \/ GlfsInit \/ Next]_vars

Symmetry == Permutations(Fds)

NoLeakedFds == leaked = {}

CompositionSafety ==
    session = "DESTROYED" => \A f \in Fds : fd[f] \notin {"OPEN", "LEAKED"}
==============================================================================
