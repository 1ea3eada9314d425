---- MODULE Brick_TTrace_1795720579 ----
EXTENDS Brick_TEConstants, Sequences, TLCExt, Brick, Toolbox, Naturals, TLC

_expression ==
    LET Brick_TEExpression == INSTANCE Brick_TEExpression
    IN Brick_TEExpression!expression
----

_trace ==
    LET Brick_TETrace == INSTANCE Brick_TETrace
    IN Brick_TETrace!trace
----

_inv ==
    ~(
        TLCGet("level") = Len(_TETrace)
        /\
        running = ({})
        /\
        conn = (<<"gone", "new">>)
        /\
        os = ({})
        /\
        waiting = ({})
        /\
        owned = ({f1})
        /\
        now = (1)
        /\
        uaf = (FALSE)
        /\
        doomed = (<<{}, {}>>)
        /\
        remote = ((f1 :> 4 @@ f2 :> 3))
        /\
        locks = ({<<1, f1>>})
        /\
        table = (<<{}, {}>>)
    )
----

_init ==
    /\ running = _TETrace[1].running
    /\ conn = _TETrace[1].conn
    /\ os = _TETrace[1].os
    /\ now = _TETrace[1].now
    /\ doomed = _TETrace[1].doomed
    /\ table = _TETrace[1].table
    /\ remote = _TETrace[1].remote
    /\ uaf = _TETrace[1].uaf
    /\ locks = _TETrace[1].locks
    /\ waiting = _TETrace[1].waiting
    /\ owned = _TETrace[1].owned
----

_next ==
    /\ \E i,j \in DOMAIN _TETrace:
        /\ \/ /\ j = i + 1
              /\ i = TLCGet("level")
        /\ running  = _TETrace[i].running
        /\ running' = _TETrace[j].running
        /\ conn  = _TETrace[i].conn
        /\ conn' = _TETrace[j].conn
        /\ os  = _TETrace[i].os
        /\ os' = _TETrace[j].os
        /\ now  = _TETrace[i].now
        /\ now' = _TETrace[j].now
        /\ doomed  = _TETrace[i].doomed
        /\ doomed' = _TETrace[j].doomed
        /\ table  = _TETrace[i].table
        /\ table' = _TETrace[j].table
        /\ remote  = _TETrace[i].remote
        /\ remote' = _TETrace[j].remote
        /\ uaf  = _TETrace[i].uaf
        /\ uaf' = _TETrace[j].uaf
        /\ locks  = _TETrace[i].locks
        /\ locks' = _TETrace[j].locks
        /\ waiting  = _TETrace[i].waiting
        /\ waiting' = _TETrace[j].waiting
        /\ owned  = _TETrace[i].owned
        /\ owned' = _TETrace[j].owned

\* Uncomment the ASSUME below to write the states of the error trace
\* to the given file in Json format. Note that you can pass any tuple
\* to `JsonSerialize`. For example, a sub-sequence of _TETrace.
    \* ASSUME
    \*     LET J == INSTANCE Json
    \*         IN J!JsonSerialize("Brick_TTrace_1795720579.json", _TETrace)

=============================================================================

 Note that you can extract this module `Brick_TEExpression`
  to a dedicated file to reuse `expression` (the module in the 
  dedicated `Brick_TEExpression.tla` file takes precedence 
  over the module `Brick_TEExpression` below).

---- MODULE Brick_TEExpression ----
EXTENDS Brick_TEConstants, Sequences, TLCExt, Brick, Toolbox, Naturals, TLC

expression == 
    [
        \* To hide variables of the `Brick` spec from the error trace,
        \* remove the variables below.  The trace will be written in the order
        \* of the fields of this record.
        running |-> running
        ,conn |-> conn
        ,os |-> os
        ,now |-> now
        ,doomed |-> doomed
        ,table |-> table
        ,remote |-> remote
        ,uaf |-> uaf
        ,locks |-> locks
        ,waiting |-> waiting
        ,owned |-> owned
        
        \* Put additional constant-, state-, and action-level expressions here:
        \* ,_stateNumber |-> _TEPosition
        \* ,_runningUnchanged |-> running = running'
        
        \* Format the `running` variable as Json value.
        \* ,_runningJson |->
        \*     LET J == INSTANCE Json
        \*     IN J!ToJson(running)
        
        \* Lastly, you may build expressions over arbitrary sets of states by
        \* leveraging the _TETrace operator.  For example, this is how to
        \* count the number of times a spec variable changed up to the current
        \* state in the trace.
        \* ,_runningModCount |->
        \*     LET F[s \in DOMAIN _TETrace] ==
        \*         IF s = 1 THEN 0
        \*         ELSE IF _TETrace[s].running # _TETrace[s-1].running
        \*             THEN 1 + F[s-1] ELSE F[s-1]
        \*     IN F[_TEPosition - 1]
    ]

=============================================================================



Parsing and semantic processing can take forever if the trace below is long.
 In this case, it is advised to uncomment the module below to deserialize the
 trace from a generated binary file.

\*
\*---- MODULE Brick_TETrace ----
\*EXTENDS Brick_TEConstants, IOUtils, Brick, TLC
\*
\*trace == IODeserialize("Brick_TTrace_1795720579.bin", TRUE)
\*
\*=============================================================================
\*

---- MODULE Brick_TETrace ----
EXTENDS Brick_TEConstants, Brick, TLC

trace == 
    <<
    ([running |-> {},conn |-> <<"new", "new">>,os |-> {},waiting |-> {},owned |-> {},now |-> 0,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 3 @@ f2 :> 3),locks |-> {},table |-> <<{}, {}>>]),
    ([running |-> {},conn |-> <<"up", "new">>,os |-> {},waiting |-> {},owned |-> {},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 3 @@ f2 :> 3),locks |-> {},table |-> <<{}, {}>>]),
    ([running |-> {},conn |-> <<"up", "new">>,os |-> {<<1, f1>>},waiting |-> {},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 1 @@ f2 :> 3),locks |-> {},table |-> <<{f1}, {}>>]),
    ([running |-> {},conn |-> <<"up", "new">>,os |-> {<<1, f1>>},waiting |-> {<<1, f1>>},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 1 @@ f2 :> 3),locks |-> {},table |-> <<{f1}, {}>>]),
    ([running |-> {},conn |-> <<"up", "new">>,os |-> {<<1, f1>>},waiting |-> {},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 1 @@ f2 :> 3),locks |-> {<<1, f1>>},table |-> <<{f1}, {}>>]),
    ([running |-> {},conn |-> <<"cleaning", "new">>,os |-> {<<1, f1>>},waiting |-> {},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{f1}, {}>>,remote |-> (f1 :> 4 @@ f2 :> 3),locks |-> {<<1, f1>>},table |-> <<{}, {}>>]),
    ([running |-> {},conn |-> <<"cleaning", "new">>,os |-> {},waiting |-> {},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 4 @@ f2 :> 3),locks |-> {<<1, f1>>},table |-> <<{}, {}>>]),
    ([running |-> {},conn |-> <<"gone", "new">>,os |-> {},waiting |-> {},owned |-> {f1},now |-> 1,uaf |-> FALSE,doomed |-> <<{}, {}>>,remote |-> (f1 :> 4 @@ f2 :> 3),locks |-> {<<1, f1>>},table |-> <<{}, {}>>])
    >>
----


=============================================================================

---- MODULE Brick_TEConstants ----
EXTENDS Brick

CONSTANTS f1, f2

=============================================================================

---- CONFIG Brick_TTrace_1795720579 ----
CONSTANTS
    Files = { f1 , f2 }
    MaxConn = 2
    FreshIdentity = TRUE
    FlushFirst = FALSE
    LockChecks = TRUE
    RunningHolds = TRUE
    ForgetsReleased = TRUE
    f2 = f2
    f1 = f1

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
\* Generated on Thu Nov 26 19:16:21 UTC 2026