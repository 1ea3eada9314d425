----------------------------- MODULE DrainSteps -----------------------------
(****************************************************************************)
(* The drain that was proposed for libgfapi, in the order of the code, with *)
(* the references counted.  (Session.tla tells how to read TLA+.)           *)
(*                                                                          *)
(*   glfs_open       refs = 1, entered in fs->openfds, glfd->fd is set      *)
(*   async request   a reference now, given back in the callback            *)
(*   glfs_close      state CLOSE, a reference given back                    *)
(*   last one back   out of the list; fd_unref(glfd->fd) if that is not     *)
(*                   NULL; freed                                            *)
(*   drain, a file   out of the list | state CLOSE | fd_unref, fd = NULL |  *)
(*                   a reference given back                                 *)
(*   destroy         the inodes are freed, below every fd_t that there is   *)
(*                                                                          *)
(* Each of the drain's four steps is one action, so that a callback may run *)
(* between any two of them.                                                 *)
(****************************************************************************)
EXTENDS Naturals, TLC

CONSTANTS
    Fds,           \* the files
    MaxOps,        \* requests on their way, for each file
    Mitigate,      \* TRUE: the drain has its third step
    Policy,        \* what the drain does with a file that it finds in state CLOSE:
                   \*   "put"   as with any other (as published)
                   \*   "skip"  it takes it off the list, no more
                   \*   "own"   it works under a reference of its own, and gives back the
                   \*           application's only if the file was still open
    CloseInFlight  \* TRUE: the application may close a file while a request is on its way

VARIABLES
    session,
    openfds,       \* the list fs->openfds, as a set
    st,            \* st[f]: the file's state
    refs,          \* refs[f]: its count
    ptr,           \* ptr[f]: glfd->fd: "NULL", "LIVE", or "DANGLING" once the inode is freed
    ops,           \* ops[f]: its requests on their way
    pc, cur,       \* the drain: what it does next, and with which file
    owe,           \* the references that it will give back
    leaked,        \* files that lost their inode while it was referred to
    blame,         \* files with a request on its way at that moment
    uaf            \* files of which something freed was used

handles == <<openfds, st, refs, ptr, ops>>
drainer == <<pc, cur, owe>>
ghosts == <<leaked, blame, uaf>>
vars == <<session, handles, drainer, ghosts>>

None == "none"

TypeOK ==
    /\ session \in {"ACTIVE", "FINI_CALLED", "DRAINING", "DRAINED", "DESTROYED"}
    /\ openfds \subseteq Fds
    /\ st \in [Fds -> {"UNUSED", "OPEN", "CLOSE"}]
    /\ refs \in [Fds -> 0 .. MaxOps + 2]
    /\ ptr \in [Fds -> {"NULL", "LIVE", "DANGLING"}]
    /\ ops \in [Fds -> 0 .. MaxOps]
    /\ pc \in {"idle", "mark", "unref", "put"}
    /\ cur \in Fds \cup {None}
    /\ owe \in 0 .. 2
    /\ leaked \subseteq Fds /\ blame \subseteq Fds /\ uaf \subseteq Fds

Init ==
    /\ session = "ACTIVE"
    /\ openfds = {}
    /\ st = [f \in Fds |-> "UNUSED"]
    /\ refs = [f \in Fds |-> 0]
    /\ ptr = [f \in Fds |-> "NULL"]
    /\ ops = [f \in Fds |-> 0]
    /\ pc = "idle" /\ cur = None /\ owe = 0
    /\ leaked = {} /\ blame = {} /\ uaf = {}

\* n references are given back; with the last one the file is destroyed.
Put(f, n) ==
    LET last == refs[f] <= n IN
    /\ refs' = [refs EXCEPT ![f] = IF last THEN 0 ELSE @ - n]
    /\ openfds' = IF last THEN openfds \ {f} ELSE openfds
    /\ ptr' = IF last THEN [ptr EXCEPT ![f] = "NULL"] ELSE ptr
    /\ uaf' = IF refs[f] < n \/ (refs[f] = n /\ ptr[f] = "DANGLING")
              THEN uaf \cup {f} ELSE uaf

\* The drain works on a file that was freed already.
TouchCur == uaf' = IF refs[cur] = 0 THEN uaf \cup {cur} ELSE uaf

-------------------------------------------------------------------------------
(* The application, and the threads that handle replies *)

Open(f) ==
    /\ session = "ACTIVE"  \* the gate
    /\ st[f] = "UNUSED"
    /\ st' = [st EXCEPT ![f] = "OPEN"]
    /\ refs' = [refs EXCEPT ![f] = 1]
    /\ ptr' = [ptr EXCEPT ![f] = "LIVE"]
    /\ openfds' = openfds \cup {f}
    /\ UNCHANGED <<session, ops, drainer, ghosts>>

AsyncStart(f) ==
    /\ session \in {"ACTIVE", "FINI_CALLED"}
    /\ st[f] = "OPEN"
    /\ ops[f] < MaxOps
    /\ ops' = [ops EXCEPT ![f] = @ + 1]
    /\ refs' = [refs EXCEPT ![f] = @ + 1]
    /\ UNCHANGED <<session, openfds, st, ptr, drainer, ghosts>>

AsyncDone(f) ==
    /\ ops[f] > 0
    /\ ops' = [ops EXCEPT ![f] = @ - 1]
    /\ Put(f, 1)
    /\ UNCHANGED <<session, st, drainer, leaked, blame>>

Close(f) ==
    /\ session \in {"ACTIVE", "FINI_CALLED"}
    /\ st[f] = "OPEN"
    /\ ops[f] > 0 => CloseInFlight
    /\ st' = [st EXCEPT ![f] = "CLOSE"]
    /\ Put(f, 1)
    /\ UNCHANGED <<session, ops, drainer, leaked, blame>>

-------------------------------------------------------------------------------
(* glfs_fini() *)

FiniStart ==
    /\ session = "ACTIVE"
    /\ session' = "FINI_CALLED"
    /\ UNCHANGED <<handles, drainer, ghosts>>

FiniDrain ==  \* no request is on its way, or ten seconds are over
    /\ session = "FINI_CALLED"
    /\ session' = "DRAINING"
    /\ UNCHANGED <<handles, drainer, ghosts>>

DrainPop ==
    /\ session = "DRAINING" /\ pc = "idle"
    /\ \E f \in openfds :
         /\ openfds' = openfds \ {f}
         /\ IF Policy = "skip" /\ st[f] = "CLOSE"
            THEN UNCHANGED <<drainer, refs>>
            ELSE /\ cur' = f
                 /\ pc' = "mark"
                 /\ IF Policy = "own"
                    THEN /\ refs' = [refs EXCEPT ![f] = @ + 1]
                         /\ owe' = IF st[f] = "CLOSE" THEN 1 ELSE 2
                    ELSE /\ UNCHANGED refs
                         /\ owe' = 1
    /\ UNCHANGED <<session, st, ptr, ops, ghosts>>

DrainMark ==
    /\ pc = "mark"
    /\ pc' = "unref"
    /\ st' = [st EXCEPT ![cur] = "CLOSE"]
    /\ TouchCur
    /\ UNCHANGED <<session, openfds, refs, ptr, ops, cur, owe, leaked, blame>>

DrainUnref ==
    /\ pc = "unref"
    /\ pc' = "put"
    /\ ptr' = IF Mitigate THEN [ptr EXCEPT ![cur] = "NULL"] ELSE ptr
    /\ TouchCur
    /\ UNCHANGED <<session, openfds, st, refs, ops, cur, owe, leaked, blame>>

DrainPut ==
    /\ pc = "put"
    /\ Put(cur, owe)
    /\ pc' = "idle" /\ cur' = None /\ owe' = 0
    /\ UNCHANGED <<session, st, ops, leaked, blame>>

DrainDone ==
    /\ session = "DRAINING" /\ pc = "idle" /\ openfds = {}
    /\ session' = "DRAINED"
    /\ UNCHANGED <<handles, drainer, ghosts>>

DestroyTables ==
    /\ session = "DRAINED"
    /\ session' = "DESTROYED"
    /\ leaked' = {f \in Fds : ptr[f] = "LIVE"}
    /\ ptr' = [f \in Fds |-> IF ptr[f] = "LIVE" THEN "DANGLING" ELSE ptr[f]]
    /\ blame' = {f \in Fds : ops[f] > 0}
    /\ UNCHANGED <<openfds, st, refs, ops, drainer, uaf>>

Next ==
    \/ \E f \in Fds : Open(f) \/ AsyncStart(f) \/ AsyncDone(f) \/ Close(f)
    \/ FiniStart \/ FiniDrain
    \/ DrainPop \/ DrainMark \/ DrainUnref \/ DrainPut \/ DrainDone
    \/ DestroyTables

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Fds)

-------------------------------------------------------------------------------
DrainedImpliesAllClosed ==
    session \in {"DRAINED", "DESTROYED"} => openfds = {} /\ \A f \in Fds : st[f] # "OPEN"

LeakedOnlyFromHeldRefs == leaked \subseteq blame

NoLeakedFds == leaked = {}

NoUseAfterFree == uaf = {}

CompositionSafety ==
    session = "DESTROYED" => leaked = {} /\ \A f \in Fds : st[f] # "OPEN" /\ ptr[f] = "NULL"
==============================================================================
