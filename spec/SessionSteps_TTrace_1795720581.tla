---- MODULE SessionSteps_TTrace_1795720581 ----
EXTENDS Sequences, TLCExt, SessionSteps_TEConstants, Toolbox, Naturals, TLC, SessionSteps

_expression ==
    LET SessionSteps_TEExpression == INSTANCE SessionSteps_TEExpression
    IN SessionSteps_TEExpression!expression
----

_trace ==
    LET SessionSteps_TETrace == INSTANCE SessionSteps_TETrace
    IN SessionSteps_TETrace!trace
----

_inv ==
    ~(
        TLCGet("level") = Len(_TETrace)
        /\
        phase = ("TABLES_GONE")
        /\
        shut = (TRUE)
        /\
        at = ((t1 :> "wound" @@ t2 :> "idle" @@ t3 :> "idle"))
        /\
        stale = ({})
        /\
        leaked = ({})
        /\
        requests = ({t1})
        /\
        uaf = (TRUE)
        /\
        openfds = ({})
    )
----

_init ==
    /\ at = _TETrace[1].at
    /\ openfds = _TETrace[1].openfds
    /\ requests = _TETrace[1].requests
    /\ phase = _TETrace[1].phase
    /\ stale = _TETrace[1].stale
    /\ shut = _TETrace[1].shut
    /\ leaked = _TETrace[1].leaked
    /\ uaf = _TETrace[1].uaf
----

_next ==
    /\ \E i,j \in DOMAIN _TETrace:
        /\ \/ /\ j = i + 1
              /\ i = TLCGet("level")
        /\ at  = _TETrace[i].at
        /\ at' = _TETrace[j].at
        /\ openfds  = _TETrace[i].openfds
        /\ openfds' = _TETrace[j].openfds
        /\ requests  = _TETrace[i].requests
        /\ requests' = _TETrace[j].requests
        /\ phase  = _TETrace[i].phase
        /\ phase' = _TETrace[j].phase
        /\ stale  = _TETrace[i].stale
        /\ stale' = _TETrace[j].stale
        /\ shut  = _TETrace[i].shut
        /\ shut' = _TETrace[j].shut
        /\ leaked  = _TETrace[i].leaked
        /\ leaked' = _TETrace[j].leaked
        /\ uaf  = _TETrace[i].uaf
        /\ uaf' = _TETrace[j].uaf

\* Uncomment the ASSUME below to write the states of the error trace
\* to the given file in Json format. Note that you can pass any tuple
\* to `JsonSerialize`. For example, a sub-sequence of _TETrace.
    \* ASSUME
    \*     LET J == INSTANCE Json
    \*         IN J!JsonSerialize("SessionSteps_TTrace_1795720581.json", _TETrace)

=============================================================================

 Note that you can extract this module `SessionSteps_TEExpression`
  to a dedicated file to reuse `expression` (the module in the 
  dedicated `SessionSteps_TEExpression.tla` file takes precedence 
  over the module `SessionSteps_TEExpression` below).

---- MODULE SessionSteps_TEExpression ----
EXTENDS Sequences, TLCExt, SessionSteps_TEConstants, Toolbox, Naturals, TLC, SessionSteps

expression == 
    [
        \* To hide variables of the `SessionSteps` spec from the error trace,
        \* remove the variables below.  The trace will be written in the order
        \* of the fields of this record.
        at |-> at
        ,openfds |-> openfds
        ,requests |-> requests
        ,phase |-> phase
        ,stale |-> stale
        ,shut |-> shut
        ,leaked |-> leaked
        ,uaf |-> uaf
        
        \* Put additional constant-, state-, and action-level expressions here:
        \* ,_stateNumber |-> _TEPosition
        \* ,_atUnchanged |-> at = at'
        
        \* Format the `at` variable as Json value.
        \* ,_atJson |->
        \*     LET J == INSTANCE Json
        \*     IN J!ToJson(at)
        
        \* Lastly, you may build expressions over arbitrary sets of states by
        \* leveraging the _TETrace operator.  For example, this is how to
        \* count the number of times a spec variable changed up to the current
        \* state in the trace.
        \* ,_atModCount |->
        \*     LET F[s \in DOMAIN _TETrace] ==
        \*         IF s = 1 THEN 0
        \*         ELSE IF _TETrace[s].at # _TETrace[s-1].at
        \*             THEN 1 + F[s-1] ELSE F[s-1]
        \*     IN F[_TEPosition - 1]
    ]

=============================================================================



Parsing and semantic processing can take forever if the trace below is long.
 In this case, it is advised to uncomment the module below to deserialize the
 trace from a generated binary file.

\*
\*---- MODULE SessionSteps_TETrace ----
\*EXTENDS IOUtils, SessionSteps_TEConstants, TLC, SessionSteps
\*
\*trace == IODeserialize("SessionSteps_TTrace_1795720581.bin", TRUE)
\*
\*=============================================================================
\*

---- MODULE SessionSteps_TETrace ----
EXTENDS SessionSteps_TEConstants, TLC, SessionSteps

trace == 
    <<
    ([phase |-> "ACTIVE",shut |-> FALSE,at |-> (t1 :> "idle" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "ACTIVE",shut |-> FALSE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "FINI",shut |-> TRUE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "POLLED",shut |-> TRUE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "CHILD_DOWN",shut |-> TRUE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "DRAINED",shut |-> TRUE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "TABLES_GONE",shut |-> TRUE,at |-> (t1 :> "in" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {},uaf |-> FALSE,openfds |-> {}]),
    ([phase |-> "TABLES_GONE",shut |-> TRUE,at |-> (t1 :> "wound" @@ t2 :> "idle" @@ t3 :> "idle"),stale |-> {},leaked |-> {},requests |-> {t1},uaf |-> TRUE,openfds |-> {}])
    >>
----


=============================================================================

---- MODULE SessionSteps_TEConstants ----
EXTENDS SessionSteps

CONSTANTS t1, t2, t3

=============================================================================

---- CONFIG SessionSteps_TTrace_1795720581 ----
CONSTANTS
    Threads = { t1 , t2 , t3 }
    Gate = TRUE
    Atomic = FALSE
    CountCalls = FALSE
    TimeOut = FALSE
    Drain = TRUE
    t1 = t1
    t3 = t3
    t2 = t2

INVARIANT
    _inv

CHECK_DEADLOCK
    \* CHECK_DEADLOCK off because of PROPERTY or INVARIANT above.
    FALSE

INIT
    _init

NEXT
    _next

CONSTANT
    _TETrace <- _trace

ALIAS
    _expression
=============================================================================
\* Generated on Thu Nov 26 19:16:23 UTC 2026