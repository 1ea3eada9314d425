----------------------------- MODULE SessionSteps -----------------------------
(****************************************************************************)
(* The end of a libgfapi session, with an open as the steps that it is.     *)
(* (Session.tla tells how to read TLA+.)                                    *)
(*                                                                          *)
(* In Session.tla an open is one step, and then a gate is all that is       *)
(* needed.  In truth a thread passes the gate, walks the path, sends OPEN,  *)
(* gets the reply, and only then enters the file into fs->openfds.          *)
(* glfs_fini() waits for the requests that are on their way, for ten        *)
(* seconds at most; a thread that is between two requests is not waited     *)
(* for, and its file is in no list yet.                                     *)
(****************************************************************************)
EXTENDS Naturals

CONSTANTS
    Threads,     \* each opens one file in its life, and may close it
    Gate,        \* TRUE: glfs_fini() sets a flag, and whoever enters a call looks at it
    Atomic,      \* TRUE: an open is one step, as in Session.tla
    CountCalls,  \* TRUE: glfs_fini() waits for threads, not only for requests
    TimeOut,     \* TRUE: it does not wait for ever
    Drain        \* TRUE: it closes what fs->openfds holds

VARIABLES
    phase,       \* how far glfs_fini() is
    shut,        \* the gate's flag
    at,          \* at[t]: where the thread t is
    requests,    \* threads whose request is on its way
    openfds,     \* files in fs->openfds; a file is named by the thread that opened it
    stale,       \* files that were opened when the flag was set
    uaf,         \* whether something that was freed has been used ("use after free")
    leaked       \* files that were in fs->openfds when the inodes were freed

vars == <<phase, shut, at, requests, openfds, stale, uaf, leaked>>

TypeOK ==
    /\ phase \in {"ACTIVE", "FINI", "POLLED", "CHILD_DOWN", "DRAINED", "TABLES_GONE", "FREED"}
    /\ shut \in BOOLEAN
    /\ at \in [Threads -> {"idle", "in", "wound", "replied", "open", "closed"}]
    /\ requests \subseteq Threads
    /\ openfds \subseteq Threads
    /\ stale \subseteq Threads
    /\ uaf \in BOOLEAN
    /\ leaked \subseteq Threads

Init ==
    /\ phase = "ACTIVE"
    /\ shut = FALSE
    /\ at = [t \in Threads |-> "idle"]
    /\ requests = {}
    /\ openfds = {}
    /\ stale = {}
    /\ uaf = FALSE
    /\ leaked = {}

Gone == phase \in {"TABLES_GONE", "FREED"}
InCall == {t \in Threads : at[t] \in {"in", "wound", "replied"}}

\* The thread t touches inodes, and translators.
Touch == uaf' = (uaf \/ Gone)

Move(t, before, after) ==
    /\ at[t] = before
    /\ at' = [at EXCEPT ![t] = after]

-------------------------------------------------------------------------------
(* A thread opens a file: in one step, or in four. *)

OpenAtOnce(t) ==
    /\ Atomic
    /\ Move(t, "idle", "open")
    /\ phase # "FREED"
    /\ ~(Gate /\ shut)
    /\ openfds' = openfds \cup {t}
    /\ stale' = IF shut THEN stale \cup {t} ELSE stale
    /\ Touch
    /\ UNCHANGED <<phase, shut, requests, leaked>>

Enter(t) ==
    /\ ~Atomic
    /\ Move(t, "idle", "in")
    /\ phase # "FREED"
    /\ ~(Gate /\ shut)
    /\ UNCHANGED <<phase, shut, requests, openfds, stale, uaf, leaked>>

Wind(t) ==
    /\ Move(t, "in", "wound")
    /\ requests' = requests \cup {t}
    /\ Touch
    /\ UNCHANGED <<phase, shut, openfds, stale, leaked>>

Reply(t) ==
    /\ Move(t, "wound", "replied")
    /\ requests' = requests \ {t}
    /\ UNCHANGED <<phase, shut, openfds, stale, uaf, leaked>>

Bind(t) ==
    /\ Move(t, "replied", "open")
    /\ openfds' = openfds \cup {t}
    /\ Touch
    /\ stale' = IF shut THEN stale \cup {t} ELSE stale
    /\ UNCHANGED <<phase, shut, requests, leaked>>

Close(t) ==
    /\ t \in openfds
    /\ Move(t, "open", "closed")
    /\ phase # "FREED"
    /\ openfds' = openfds \ {t}
    /\ Touch
    /\ UNCHANGED <<phase, shut, requests, stale, leaked>>

-------------------------------------------------------------------------------
(* glfs_fini() *)

Phase(before, after) == phase = before /\ phase' = after

FiniStart ==
    /\ Phase("ACTIVE", "FINI")
    /\ shut' = TRUE
    /\ UNCHANGED <<at, requests, openfds, stale, uaf, leaked>>

PollEnds ==
    /\ Phase("FINI", "POLLED")
    /\ TimeOut \/ (requests = {} /\ (CountCalls => InCall = {}))
    /\ UNCHANGED <<shut, at, requests, openfds, stale, uaf, leaked>>

ChildDown ==
    /\ Phase("POLLED", "CHILD_DOWN")
    /\ UNCHANGED <<shut, at, requests, openfds, stale, uaf, leaked>>

DrainOne(t) ==
    /\ Drain
    /\ phase = "CHILD_DOWN"
    /\ t \in openfds
    /\ openfds' = openfds \ {t}
    /\ at' = [at EXCEPT ![t] = "closed"]
    /\ UNCHANGED <<phase, shut, requests, stale, uaf, leaked>>

DrainEnds ==
    /\ Phase("CHILD_DOWN", "DRAINED")
    /\ Drain => openfds = {}
    /\ UNCHANGED <<shut, at, requests, openfds, stale, uaf, leaked>>

DestroyTables ==
    /\ Phase("DRAINED", "TABLES_GONE")
    /\ leaked' = openfds
    /\ UNCHANGED <<shut, at, requests, openfds, stale, uaf>>

Free ==
    /\ Phase("TABLES_GONE", "FREED")
    /\ UNCHANGED <<shut, at, requests, openfds, stale, uaf, leaked>>

Next ==
    \/ \E t \in Threads :
        \/ OpenAtOnce(t) \/ Enter(t) \/ Wind(t) \/ Reply(t) \/ Bind(t) \/ Close(t) \/ DrainOne(t)
    \/ FiniStart \/ PollEnds \/ ChildDown \/ DrainEnds \/ DestroyTables \/ Free

Spec == Init /\ [][Next]_vars

NoStaleFds == stale = {}
NoLeakedFds == leaked = {}
NoUseAfterFree == ~uaf
==============================================================================
