----------------------------- MODULE GraphSwitch -----------------------------
(****************************************************************************)
(* A libgfapi session whose graph of translators is replaced, as after      *)
(* every `gluster volume set`.  (Session.tla tells how to read TLA+.)       *)
(*                                                                          *)
(* Open files migrate: each gets an fd_t on the new graph, and its pointer  *)
(* is set to that; the reference on the old fd_t goes back.  A request that *)
(* went out before the switch holds a reference on the *old* fd_t.  When it *)
(* completes it must give back that one.  libgfapi's asynchronous calls     *)
(* give back whatever the file points to by then (gluster issue 4799): the  *)
(* new fd_t loses a reference that was never taken, and the old one keeps   *)
(* one for ever.                                                            *)
(*                                                                          *)
(* An old graph goes when nobody holds anything of it.                      *)
(****************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Files,
    MaxGraph,   \* graphs are 1, 2, ..., MaxGraph, and get active in that order
    DropsOwn,   \* TRUE: a request gives back the reference that it took
    CanStrand,  \* TRUE: a file may fail to migrate (it was unlinked), and stays on its old graph
    GraphWaits  \* TRUE: an old graph waits until nothing of it is held

Graphs == 1 .. MaxGraph
None == 0

VARIABLES
    active,     \* the graph that new requests use
    gone,       \* the graphs that have been let go
    file,       \* file[f]: "unused", "open", "closed"
    ptr,        \* ptr[f]: the graph of the file's present fd_t; None when it is closed
    refs,       \* refs[f][g]: references on the file's fd_t of the graph g
    took,       \* took[f]: the graph that the file's request went out on; None without request
    uaf         \* whether an fd_t was used that was freed

vars == <<active, gone, file, ptr, refs, took, uaf>>

TypeOK ==
    /\ active \in Graphs
    /\ gone \subseteq Graphs
    /\ file \in [Files -> {"unused", "open", "closed"}]
    /\ ptr \in [Files -> Graphs \cup {None}]
    /\ refs \in [Files -> [Graphs -> 0 .. 2]]
    /\ took \in [Files -> Graphs \cup {None}]
    /\ uaf \in BOOLEAN

Init ==
    /\ active = 1
    /\ gone = {}
    /\ file = [f \in Files |-> "unused"]
    /\ ptr = [f \in Files |-> None]
    /\ refs = [f \in Files |-> [g \in Graphs |-> 0]]
    /\ took = [f \in Files |-> None]
    /\ uaf = FALSE

\* Give back a reference on f's fd_t of the graph g.
Drop(f, g) ==
    /\ refs' = [refs EXCEPT ![f][g] = IF @ = 0 THEN 0 ELSE @ - 1]
    /\ uaf' = (uaf \/ refs[f][g] = 0 \/ g \in gone)

Open(f) ==
    /\ file[f] = "unused"
    /\ file' = [file EXCEPT ![f] = "open"]
    /\ ptr' = [ptr EXCEPT ![f] = active]
    /\ refs' = [refs EXCEPT ![f][active] = 1]
    /\ UNCHANGED <<active, gone, took, uaf>>

Submit(f) ==  \* an asynchronous request
    /\ file[f] = "open"
    /\ took[f] = None
    /\ took' = [took EXCEPT ![f] = ptr[f]]
    /\ refs' = [refs EXCEPT ![f][ptr[f]] = @ + 1]
    /\ uaf' = (uaf \/ refs[f][ptr[f]] = 0)
    /\ UNCHANGED <<active, gone, file, ptr>>

Complete(f) ==
    /\ took[f] # None
    /\ took' = [took EXCEPT ![f] = None]
    /\ IF DropsOwn
       THEN Drop(f, took[f])
       ELSE IF ptr[f] # None THEN Drop(f, ptr[f]) ELSE UNCHANGED <<refs, uaf>>
    /\ UNCHANGED <<active, gone, file, ptr>>

Close(f) ==
    /\ file[f] = "open"
    /\ file' = [file EXCEPT ![f] = "closed"]
    /\ ptr' = [ptr EXCEPT ![f] = None]
    /\ Drop(f, ptr[f])
    /\ UNCHANGED <<active, gone, took>>

NewGraph ==
    /\ active < MaxGraph
    /\ active' = active + 1
    /\ UNCHANGED <<gone, file, ptr, refs, took, uaf>>

Migrate(f) ==
    /\ file[f] = "open"
    /\ ptr[f] < active
    /\ ptr' = [ptr EXCEPT ![f] = active]
    /\ refs' = [refs EXCEPT ![f][ptr[f]] = IF @ = 0 THEN 0 ELSE @ - 1, ![f][active] = 1]
    /\ uaf' = (uaf \/ refs[f][ptr[f]] = 0 \/ ptr[f] \in gone)
    /\ UNCHANGED <<active, gone, file, took>>

\* Files that have migrated, or that cannot, stand in no graph's way.
Settled(f, g) == ptr[f] # g \/ (CanStrand /\ ~GraphWaits)

GraphGone(g) ==
    /\ g < active
    /\ g \notin gone
    /\ \A f \in Files : Settled(f, g)
    /\ GraphWaits => \A f \in Files : refs[f][g] = 0
    /\ gone' = gone \cup {g}
    /\ UNCHANGED <<active, file, ptr, refs, took, uaf>>

Next ==
    \/ \E f \in Files : Open(f) \/ Submit(f) \/ Complete(f) \/ Close(f) \/ Migrate(f)
    \/ NewGraph
    \/ \E g \in Graphs : GraphGone(g)

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Files)

-------------------------------------------------------------------------------
\* Who holds f's fd_t of the graph g: the file itself, and its request.
Holders(f, g) == (IF ptr[f] = g THEN 1 ELSE 0) + (IF took[f] = g THEN 1 ELSE 0)

RefsAddUp == \A f \in Files, g \in Graphs : refs[f][g] = Holders(f, g)

NoUseAfterFree == ~uaf

\* What nobody holds has no reference left: it is freed, and the graph can go.
NoLeakedFds == \A f \in Files, g \in Graphs : Holders(f, g) = 0 => refs[f][g] = 0

\* Nobody stands on a graph that is gone.
GraphAlive == \A f \in Files : ptr[f] \notin gone /\ took[f] \notin gone
==============================================================================
