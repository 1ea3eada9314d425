----------------------------- MODULE DrainFrames -----------------------------
(****************************************************************************)
(* The drain that was proposed for libgfapi, and what a request that        *)
(* outlives the wait really holds.  (Session.tla tells how to read TLA+.)   *)
(*                                                                          *)
(* Two things are counted here: the application's handle (struct glfs_fd),  *)
(* and the fd_t behind it, whose inode must be alive when a reference on it *)
(* is given back, since fd_unref() takes the inode's lock.  A request that  *)
(* is on its way when the bricks' connections go down is unwound by an      *)
(* event thread *after* glfs_fini() was told so, thus beside its next       *)
(* steps: the drain, and the freeing of the inodes.                         *)
(****************************************************************************)
EXTENDS Naturals

CONSTANTS
    Fds,         \* the files
    Drain,       \* TRUE: glfs_fini() closes what is open
    Nullify,     \* TRUE: the drain gives the fd_t back and sets the handle's pointer to NULL
    Fix4800,     \* TRUE: a callback gives back the fd_t that its request went out on, not
                 \*       whatever the handle points to by now (gluster issue 4799)
    CallbackUnref,  \* TRUE: a callback gives back an fd_t at all, as it does
    Locals,      \* TRUE: a translator's frame holds a reference on the fd_t, too, as they do
    WaitFrames   \* TRUE: glfs_fini() waits for the unwinding, before it drains

VARIABLES
    phase,       \* how far glfs_fini() is
    href,        \* href[f]: references on the handle
    fref,        \* fref[f]: references on the fd_t
    ptr,         \* ptr[f]: whether the handle points to the fd_t
    frame,       \* frame[f]: the file's one request
    alive,       \* whether the inodes are there
    uaf,         \* whether one was used that was not
    dbl          \* whether more references were given back than there were

vars == <<phase, href, fref, ptr, frame, alive, uaf, dbl>>

TypeOK ==
    /\ phase \in {"ACTIVE", "FINI", "POLLED", "CHILD_DOWN", "DRAINED", "TABLES_GONE",
                  "JOINED", "FREED"}
    /\ href \in [Fds -> 0 .. 2]
    /\ fref \in [Fds -> 0 .. 3]
    /\ ptr \in [Fds -> BOOLEAN]
    /\ frame \in [Fds -> {"none", "on its way", "done"}]
    /\ alive \in BOOLEAN /\ uaf \in BOOLEAN /\ dbl \in BOOLEAN

Init ==
    /\ phase = "ACTIVE"
    /\ href = [f \in Fds |-> 0]
    /\ fref = [f \in Fds |-> 0]
    /\ ptr = [f \in Fds |-> FALSE]
    /\ frame = [f \in Fds |-> "none"]
    /\ alive = TRUE
    /\ uaf = FALSE
    /\ dbl = FALSE

One(yes) == IF yes THEN 1 ELSE 0

-------------------------------------------------------------------------------
(* The application, and the event threads *)

Open(f) ==
    /\ phase = "ACTIVE"
    /\ href[f] = 0
    /\ frame[f] = "none"
    /\ href' = [href EXCEPT ![f] = 1]
    /\ fref' = [fref EXCEPT ![f] = 1]
    /\ ptr' = [ptr EXCEPT ![f] = TRUE]
    /\ UNCHANGED <<phase, frame, alive, uaf, dbl>>

Async(f) ==
    /\ phase = "ACTIVE"
    /\ href[f] > 0
    /\ ptr[f]
    /\ frame[f] = "none"
    /\ frame' = [frame EXCEPT ![f] = "on its way"]
    /\ href' = [href EXCEPT ![f] = @ + 1]
    /\ fref' = [fref EXCEPT ![f] = @ + One(CallbackUnref) + One(Locals)]
    /\ UNCHANGED <<phase, ptr, alive, uaf, dbl>>

Complete(f) ==  \* until the event threads are joined
    /\ frame[f] = "on its way"
    /\ phase \notin {"JOINED", "FREED"}
    /\ LET callback == CallbackUnref /\ (Fix4800 \/ ptr[f])  \* NULL is looked at, and no more
           last == href[f] = 1
           destroy == last /\ ptr[f]
           drops == One(callback) + One(Locals) + One(destroy)
       IN
       /\ uaf' = (uaf \/ (drops > 0 /\ ~alive))
       /\ dbl' = (dbl \/ drops > fref[f])
       /\ fref' = [fref EXCEPT ![f] = IF drops > @ THEN 0 ELSE @ - drops]
       /\ href' = [href EXCEPT ![f] = @ - 1]
       /\ ptr' = [ptr EXCEPT ![f] = @ /\ ~last]
    /\ frame' = [frame EXCEPT ![f] = "done"]
    /\ UNCHANGED <<phase, alive>>

Close(f) ==
    /\ phase = "ACTIVE"
    /\ href[f] > 0
    /\ ptr[f]
    /\ frame[f] = "none"
    /\ href' = [href EXCEPT ![f] = 0]
    /\ fref' = [fref EXCEPT ![f] = 0]
    /\ ptr' = [ptr EXCEPT ![f] = FALSE]
    /\ frame' = [frame EXCEPT ![f] = "done"]
    /\ UNCHANGED <<phase, alive, uaf, dbl>>

-------------------------------------------------------------------------------
(* glfs_fini() *)

Phase(before, after) == phase = before /\ phase' = after
Rest == <<href, fref, ptr, frame, uaf, dbl>>

FiniStart == Phase("ACTIVE", "FINI") /\ UNCHANGED <<Rest, alive>>
PollEnds == Phase("FINI", "POLLED") /\ UNCHANGED <<Rest, alive>>  \* also by its time-out

ChildDown ==
    /\ Phase("POLLED", "CHILD_DOWN")
    /\ WaitFrames => \A f \in Fds : frame[f] # "on its way"
    /\ UNCHANGED <<Rest, alive>>

\* The only reference left is that of a request on its way: the drain has had its turn.
RequestAlone(f) == frame[f] = "on its way" /\ href[f] = 1

DrainOne(f) ==
    /\ Drain
    /\ phase = "CHILD_DOWN"
    /\ href[f] > 0
    /\ ptr[f]
    /\ ~RequestAlone(f)
    /\ href' = [href EXCEPT ![f] = @ - 1]
    /\ IF Nullify \/ href[f] = 1
       THEN /\ fref' = [fref EXCEPT ![f] = @ - 1]
            /\ ptr' = [ptr EXCEPT ![f] = FALSE]
       ELSE UNCHANGED <<fref, ptr>>
    /\ frame' = [frame EXCEPT ![f] = IF @ = "none" THEN "done" ELSE @]
    /\ UNCHANGED <<phase, alive, uaf, dbl>>

DrainEnds ==
    /\ Phase("CHILD_DOWN", "DRAINED")
    /\ Drain => \A f \in Fds : href[f] = 0 \/ ~ptr[f] \/ RequestAlone(f)
    /\ UNCHANGED <<Rest, alive>>

DestroyTables == Phase("DRAINED", "TABLES_GONE") /\ alive' = FALSE /\ UNCHANGED Rest
Join == Phase("TABLES_GONE", "JOINED") /\ UNCHANGED <<Rest, alive>>
Free == Phase("JOINED", "FREED") /\ UNCHANGED <<Rest, alive>>

Next ==
    \/ \E f \in Fds : Open(f) \/ Async(f) \/ Complete(f) \/ Close(f) \/ DrainOne(f)
    \/ FiniStart \/ PollEnds \/ ChildDown \/ DrainEnds \/ DestroyTables \/ Join \/ Free

Spec == Init /\ [][Next]_vars

-------------------------------------------------------------------------------
TablesGone == phase \in {"TABLES_GONE", "JOINED", "FREED"}

NoUseAfterFree == ~uaf
NoDoublePut == ~dbl
NoLeakedHandle == phase = "FREED" => \A f \in Fds : href[f] = 0
NoLeakedFds == TablesGone => \A f \in Fds : fref[f] = 0
NoDangling == TablesGone => \A f \in Fds : ~ptr[f]
==============================================================================
