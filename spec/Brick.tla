-------------------------------- MODULE Brick --------------------------------
(****************************************************************************)
(* The other side: a brick, one client, and connections that come and go.   *)
(* (Session.tla tells how to read TLA+.)                                    *)
(*                                                                          *)
(* Every connection says who it is (SETVOLUME); the identity holds a number *)
(* that grows with each of them, so the brick never takes a new connection  *)
(* for an old one.  The brick keeps a table of fds for each connection.     *)
(* When a connection ends, the table is taken away whole; each fd in it is  *)
(* flushed, which drops its locks; then its reference is dropped, and the   *)
(* file is closed with its last: a request that still runs holds one.       *)
(*                                                                          *)
(* The client opens its files again on the next connection, and counts a    *)
(* file's RELEASE as done when there is no connection to send it on.        *)
(****************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Files,
    MaxConn,         \* connections are 1, 2, ..., MaxConn, one after the other
    FreshIdentity,   \* TRUE: a connection never gets an earlier one's table
    FlushFirst,      \* TRUE: clean-up drops an fd's locks, before its reference
    LockChecks,      \* TRUE: a lock is granted only while its connection is in order
    RunningHolds,    \* TRUE: a request that runs holds a reference on its fd
    ForgetsReleased  \* TRUE: a file released without a connection is not opened again

Conns == 1 .. MaxConn
None == 0

VARIABLES
    now,       \* the latest connection; None before the first
    conn,      \* conn[c]: "new", "up", "cleaning", "gone"
    table,     \* table[c]: files in the connection's fd table
    doomed,    \* doomed[c]: files that the clean-up still has to flush
    os,        \* <<c, f>>: files that the brick holds open
    running,   \* <<c, f>>: requests that run in the brick
    locks,     \* <<c, f>>: locks that are held
    waiting,   \* <<c, f>>: lock requests that wait
    remote,    \* remote[f]: what the client knows: "unused", a connection, "lost", "released"
    owned,     \* files that the application has open
    uaf        \* whether a request ran on a file that was closed under it

vars == <<now, conn, table, doomed, os, running, locks, waiting, remote, owned, uaf>>

Unused == MaxConn + 1
Lost == MaxConn + 2
Released == MaxConn + 3

TypeOK ==
    /\ now \in Conns \cup {None}
    /\ conn \in [Conns -> {"new", "up", "cleaning", "gone"}]
    /\ table \in [Conns -> SUBSET Files]
    /\ doomed \in [Conns -> SUBSET Files]
    /\ os \subseteq Conns \X Files
    /\ running \subseteq Conns \X Files
    /\ locks \subseteq Conns \X Files
    /\ waiting \subseteq Conns \X Files
    /\ remote \in [Files -> Conns \cup {Unused, Lost, Released}]
    /\ owned \subseteq Files
    /\ uaf \in BOOLEAN

Init ==
    /\ now = None
    /\ conn = [c \in Conns |-> "new"]
    /\ table = [c \in Conns |-> {}]
    /\ doomed = [c \in Conns |-> {}]
    /\ os = {} /\ running = {} /\ locks = {} /\ waiting = {}
    /\ remote = [f \in Files |-> Unused]
    /\ owned = {}
    /\ uaf = FALSE

Up == now # None /\ conn[now] = "up"

\* With an identity that is used twice the brick finds the earlier connection's table.
Key(c) == IF FreshIdentity THEN c ELSE 1

-------------------------------------------------------------------------------
(* The client *)

Connect ==
    /\ now < MaxConn
    /\ now # None => conn[now] \in {"cleaning", "gone"}
    /\ now' = now + 1
    /\ conn' = [conn EXCEPT ![now + 1] = "up"]
    /\ UNCHANGED <<table, doomed, os, running, locks, waiting, remote, owned, uaf>>

\* OPEN and its reply; also what a client does again for each file, on a new connection.
OpenOn(f) ==
    /\ table' = [table EXCEPT ![Key(now)] = @ \cup {f}]
    /\ os' = os \cup {<<Key(now), f>>}
    /\ remote' = [remote EXCEPT ![f] = now]
    /\ owned' = owned \cup {f}
    /\ UNCHANGED <<now, conn, doomed, running, locks, waiting, uaf>>

Open(f) == Up /\ remote[f] = Unused /\ OpenOn(f)
Reopen(f) == Up /\ remote[f] = Lost /\ OpenOn(f)

Release(f) ==
    /\ Up
    /\ remote[f] = now
    /\ <<Key(now), f>> \notin running \cup waiting  \* a client waits for the answers first
    /\ remote' = [remote EXCEPT ![f] = Released]
    /\ owned' = owned \ {f}
    /\ table' = [table EXCEPT ![Key(now)] = @ \ {f}]
    /\ os' = os \ {<<Key(now), f>>}
    /\ locks' = locks \ {<<Key(now), f>>}
    /\ UNCHANGED <<now, conn, doomed, running, waiting, uaf>>

\* There is nothing to send it on.
ReleaseUnsent(f) ==
    /\ remote[f] = Lost
    /\ f \in owned
    /\ owned' = owned \ {f}
    /\ remote' = IF ForgetsReleased THEN [remote EXCEPT ![f] = Released] ELSE remote
    /\ UNCHANGED <<now, conn, table, doomed, os, running, locks, waiting, uaf>>

-------------------------------------------------------------------------------
(* The brick serves requests *)

Begin(f) ==
    /\ Up
    /\ remote[f] = now
    /\ <<Key(now), f>> \notin running
    /\ running' = running \cup {<<Key(now), f>>}
    /\ UNCHANGED <<now, conn, table, doomed, os, locks, waiting, remote, owned, uaf>>

\* The file is closed when neither a table nor a running request holds it.
Finish(c, f) ==
    /\ <<c, f>> \in running
    /\ running' = running \ {<<c, f>>}
    /\ uaf' = (uaf \/ <<c, f>> \notin os)
    /\ os' = IF f \in table[c] \cup doomed[c] THEN os ELSE os \ {<<c, f>>}
    /\ UNCHANGED <<now, conn, table, doomed, locks, waiting, remote, owned>>

AskLock(f) ==
    /\ Up
    /\ remote[f] = now
    /\ <<Key(now), f>> \notin waiting \cup locks
    /\ waiting' = waiting \cup {<<Key(now), f>>}
    /\ UNCHANGED <<now, conn, table, doomed, os, running, locks, remote, owned, uaf>>

GrantLock(c, f) ==
    /\ <<c, f>> \in waiting
    /\ LockChecks => f \in table[c] /\ conn[c] = "up"
    /\ waiting' = waiting \ {<<c, f>>}
    /\ locks' = locks \cup {<<c, f>>}
    /\ UNCHANGED <<now, conn, table, doomed, os, running, remote, owned, uaf>>

-------------------------------------------------------------------------------
(* A connection ends *)

Disconnect ==  \* the table is taken away, all at once
    /\ Up
    /\ conn' = [conn EXCEPT ![now] = "cleaning"]
    /\ doomed' = [doomed EXCEPT ![Key(now)] = @ \cup table[Key(now)]]
    /\ table' = [table EXCEPT ![Key(now)] = {}]
    /\ waiting' = IF LockChecks THEN {w \in waiting : w[1] # Key(now)} ELSE waiting
    /\ remote' = [f \in Files |-> IF remote[f] = now THEN Lost ELSE remote[f]]
    /\ UNCHANGED <<now, os, running, locks, owned, uaf>>

CleanUp(c, f) ==  \* one fd of it: flushed, and its reference dropped
    /\ f \in doomed[c]
    /\ doomed' = [doomed EXCEPT ![c] = @ \ {f}]
    /\ locks' = IF FlushFirst THEN locks \ {<<c, f>>} ELSE locks
    /\ os' = IF RunningHolds /\ <<c, f>> \in running THEN os ELSE os \ {<<c, f>>}
    /\ UNCHANGED <<now, conn, table, running, waiting, remote, owned, uaf>>

CleanUpEnds(c) ==
    /\ conn[c] = "cleaning"
    /\ doomed[Key(c)] = {}
    /\ \A f \in Files : <<Key(c), f>> \notin running
    /\ conn' = [conn EXCEPT ![c] = "gone"]
    /\ UNCHANGED <<now, table, doomed, os, running, locks, waiting, remote, owned, uaf>>

-------------------------------------------------------------------------------
OfClient == Connect \/ \E f \in Files : Open(f) \/ Reopen(f) \/ Release(f) \/ ReleaseUnsent(f)

CleansUp(c) == CleanUpEnds(c) \/ \E f \in Files : CleanUp(c, f) \/ Finish(c, f)

Next ==
    \/ OfClient
    \/ \E f \in Files : Begin(f) \/ AskLock(f)
    \/ \E c \in Conns, f \in Files : GrantLock(c, f)
    \/ Disconnect
    \/ \E c \in Conns : CleansUp(c)

Spec == Init /\ [][Next]_vars

\* Besides: what can be cleaned up for ever is cleaned up at last, and what runs ends.
\* WF is "weak fairness"; A ~> B is "whenever A, then B at that time or later".
FairSpec == Spec /\ \A c \in Conns : WF_vars(conn[c] = "cleaning" /\ CleansUp(c))

Symmetry == Permutations(Files)

-------------------------------------------------------------------------------
\* After the clean-up nothing of the connection is left.
BrickAgrees ==
    \A c \in Conns : conn[c] = "gone" =>
        \A f \in Files : <<c, f>> \notin os \cup locks \cup running \cup waiting

\* What the client believes open is open, in the table of its connection.
ClientAgrees == \A f \in Files : remote[f] \in Conns /\ conn[remote[f]] = "up"
    => f \in table[Key(remote[f])] /\ <<Key(remote[f]), f>> \in os

NoUseAfterFree == ~uaf

\* A file that its owner released is not opened again.
ReleasedStays == [][\A f \in Files : remote[f] = Released => remote'[f] = Released]_vars

\* A file that the application has closed is not kept, to be opened again.
NoLeakedFds == \A f \in Files : remote[f] \notin {Unused, Released} => f \in owned

CleanUpHappens == \A c \in Conns : conn[c] = "cleaning" ~> conn[c] = "gone"

LockHolderConnected == \A l \in locks : l[2] \in table[l[1]] \cup doomed[l[1]]
==============================================================================
