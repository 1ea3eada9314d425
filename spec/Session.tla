------------------------------- MODULE Session -------------------------------
(****************************************************************************)
(* The life of one libgfapi session (struct glfs), while the application    *)
(* opens and closes files.                                                  *)
(*                                                                          *)
(* How to read this, for whoever has never seen TLA+.  A specification is   *)
(* some variables, a predicate that says how they may begin (Init), and     *)
(* *actions*: predicates over the values before a step (x) and after it     *)
(* (x').  "/\" is "and", "\/" is "or", "~" is "not", "=>" is "implies",     *)
(* "#" is "differs from", "\E f \in S" is "for some f in S", "\A" is "for   *)
(* all".  UNCHANGED <<x, y>> says x' = x and y' = y.  In each step some     *)
(* action happens, anyone that is possible; TLC, the checker, tries them    *)
(* all, in every order, and looks at every state that can be reached.       *)
(*                                                                          *)
(* The question here.  glfs_fini() is entered at one moment, and only later *)
(* does the session leave the state in which calls succeed.  What if a file *)
(* is opened in between?  Its inode is about to be freed: it is *stale*.    *)
(* The gate (gluster issue 4666) is a flag that glfs_fini() sets first.     *)
(****************************************************************************)
EXTENDS Naturals

CONSTANTS
    MaxFds,      \* the files are 1, 2, ..., MaxFds
    Gate,        \* TRUE: whoever opens looks whether glfs_fini() was entered
    GraphSwitch  \* TRUE: the volume's graph may be replaced meanwhile

Fds == 1 .. MaxFds

VARIABLES
    session,     \* where the session is in its life
    finiCalled,  \* whether glfs_fini() has been entered
    openFds,     \* the files that are open
    staleFds     \* those of them that were opened after glfs_fini() was entered

vars == <<session, finiCalled, openFds, staleFds>>

\* What values the variables may have.  TLA+ has no types; this invariant stands in for them.
TypeOK ==
    /\ session \in {"NONE", "NEW", "ACTIVE", "SWITCHING", "DRAINING", "DESTROYING", "DESTROYED"}
    /\ finiCalled \in BOOLEAN
    /\ openFds \subseteq Fds
    /\ staleFds \subseteq openFds

Init ==
    /\ session = "NONE"
    /\ finiCalled = FALSE
    /\ openFds = {}
    /\ staleFds = {}

\* The session goes from one state to the next.
Step(before, after) == session = before /\ session' = after
Rest == <<finiCalled, openFds, staleFds>>

GlfsNew == Step("NONE", "NEW") /\ UNCHANGED Rest
GlfsInit == Step("NEW", "ACTIVE") /\ UNCHANGED Rest

SwitchStart == GraphSwitch /\ Step("ACTIVE", "SWITCHING") /\ UNCHANGED Rest
SwitchDone == Step("SWITCHING", "ACTIVE") /\ UNCHANGED Rest

GlfsOpen(f) ==
    /\ session = "ACTIVE"
    /\ Gate => ~finiCalled
    /\ f \notin openFds
    /\ openFds' = openFds \cup {f}
    /\ staleFds' = IF finiCalled THEN staleFds \cup {f} ELSE staleFds
    /\ UNCHANGED <<session, finiCalled>>

GlfsClose(f) ==
    /\ session = "ACTIVE"
    /\ f \in openFds
    /\ openFds' = openFds \ {f}
    /\ staleFds' = staleFds \ {f}
    /\ UNCHANGED <<session, finiCalled>>

\* glfs_fini() in its parts: it is entered; calls fail from now on; what there is is destroyed.
GlfsFiniStart ==
    /\ session = "ACTIVE"
    /\ ~finiCalled
    /\ finiCalled' = TRUE
    /\ UNCHANGED <<session, openFds, staleFds>>

GlfsFiniComplete == finiCalled /\ Step("ACTIVE", "DRAINING") /\ UNCHANGED Rest
TeardownStart == Step("DRAINING", "DESTROYING") /\ UNCHANGED Rest
TeardownDone == Step("DESTROYING", "DESTROYED") /\ UNCHANGED Rest

Next ==
    \/ GlfsNew
    \/ GlfsInit
    \/ SwitchStart
    \/ SwitchDone
    \/ \E f \in Fds : GlfsOpen(f)
    \/ \E f \in Fds : GlfsClose(f)
    \/ GlfsFiniStart
    \/ GlfsFiniComplete
    \/ TeardownStart
    \/ TeardownDone

\* All behaviours: they begin as Init says, and each step is one of Next's, or changes nothing.
Spec == Init /\ [][Next]_vars

NoStaleFds == staleFds = {}
==============================================================================
