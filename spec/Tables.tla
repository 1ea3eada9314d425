------------------------------- MODULE Tables -------------------------------
(* The two state machines of glusterio, generated from their tables in      *)
(* src/glusterio/lifecycle/states.py by tools/spec_tables.py.               *)
(* SessionTable["NEW"]["CONNECT"] is the state that CONNECT leads to.       *)

\* A row without events.
Nothing == [event \in {} |-> ""]

SessionTable == [
    NEW |-> [CONNECT |-> "CONNECTING", GATE |-> "SETTLING", FORK |-> "FORKED"],
    CONNECTING |-> [CONNECTED |-> "ACTIVE", GATE |-> "SETTLING", FORK |-> "FORKED", RECONNECTED |-> "CONNECTING"],
    ACTIVE |-> [GATE |-> "SETTLING", FORK |-> "FORKED", RECONNECTED |-> "ACTIVE", SWITCHED |-> "ACTIVE"],
    SETTLING |-> [SETTLED |-> "DRAINING", FORK |-> "FORKED", RECONNECTED |-> "SETTLING"],
    DRAINING |-> [DRAINED |-> "PARTING", FORK |-> "FORKED", RECONNECTED |-> "DRAINING"],
    PARTING |-> [PARTED |-> "CHECKING", FORK |-> "FORKED"],
    CHECKING |-> [CHECKED |-> "ENDING", FORK |-> "FORKED"],
    ENDING |-> [ENDED |-> "CLOSED", FORK |-> "FORKED"],
    CLOSED |-> Nothing,
    FORKED |-> Nothing]

HandleTable == [
    RESERVED |-> [SEND |-> "OPENING", DROP |-> "CLOSED", STRIKE |-> "CLOSED"],
    OPENING |-> [OPENED |-> "OPEN", LATE |-> "CLOSING", REFUSED |-> "CLOSED", ABANDON |-> "ABANDONED", STRIKE |-> "CLOSED"],
    OPEN |-> [CLOSE |-> "CLOSING", LOST |-> "STALE", CARRIED |-> "OPEN", UNLOCKED |-> "STALE", STRIKE |-> "CLOSED"],
    ABANDONED |-> [OPENED |-> "CLOSING", LATE |-> "CLOSING", REFUSED |-> "CLOSED", STRIKE |-> "CLOSED"],
    STALE |-> [CLOSE |-> "CLOSING", STRIKE |-> "CLOSED"],
    CLOSING |-> [RELEASED |-> "CLOSED", STRIKE |-> "CLOSED"],
    CLOSED |-> Nothing]
=============================================================================
