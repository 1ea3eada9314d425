---- MODULE Drain_TTrace_1795720585 ----
EXTENDS Sequences, TLCExt, Drain_TEConstants, Toolbox, Naturals, TLC, Drain

_expression ==
    LET Drain_TEExpression == INSTANCE Drain_TEExpression
    IN Drain_TEExpression!expression
----

_trace ==
    LET Drain_TETrace == INSTANCE Drain_TETrace
    IN Drain_TETrace!trace
----

_inv ==
    ~(
        TLCGet("level") = Len(_TETrace)
        /\
        held = ({fd1})
        /\
        session = ("DESTROYED")
        /\
        leaked = ({fd1})
        /\
        fd = ((fd1 :> "LEAKED" @@ fd2 :> "UNUSED"))
    )
----

_init ==
    /\ fd = _TETrace[1].fd
    /\ session = _TETrace[1].session
    /\ held = _TETrace[1].held
    /\ leaked = _TETrace[1].leaked
----

_next ==
    /\ \E i,j \in DOMAIN _TETrace:
        /\ \/ /\ j = i + 1
              /\ i = TLCGet("level")
        /\ fd  = _TETrace[i].fd
        /\ fd' = _TETrace[j].fd
        /\ session  = _TETrace[i].session
        /\ session' = _TETrace[j].session
        /\ held  = _TETrace[i].held
        /\ held' = _TETrace[j].held
        /\ leaked  = _TETrace[i].leaked
        /\ leaked' = _TETrace[j].leaked

\* Uncomment the ASSUME below to write the states of the error trace
\* to the given file in Json format. Note that you can pass any tuple
\* to `JsonSerialize`. For example, a sub-sequence of _TETrace.
    \* ASSUME
    \*     LET J == INSTANCE Json
    \*         IN J!JsonSerialize("Drain_TTrace_1795720585.json", _TETrace)

=============================================================================

 Note that you can extract this module `Drain_TEExpression`
  to a dedicated file to reuse `expression` (the module in the 
  dedicated `Drain_TEExpression.tla` file takes precedence 
  over the module `Drain_TEExpression` below).

---- MODULE Drain_TEExpression ----
EXTENDS Sequences, TLCExt, Drain_TEConstants, Toolbox, Naturals, TLC, Drain

expression == 
    [
        \* To hide variables of the `Drain` spec from the error trace,
        \* remove the variables below.  The trace will be written in the order
        \* of the fields of this record.
        fd |-> fd
        ,session |-> session
        ,held |-> held
        ,leaked |-> leaked
        
        \* Put additional constant-, state-, and action-level expressions here:
        \* ,_stateNumber |-> _TEPosition
        \* ,_fdUnchanged |-> fd = fd'
        
        \* Format the `fd` variable as Json value.
        \* ,_fdJson |->
        \*     LET J == INSTANCE Json
        \*     IN J!ToJson(fd)
        
        \* Lastly, you may build expressions over arbitrary sets of states by
        \* leveraging the _TETrace operator.  For example, this is how to
        \* count the number of times a spec variable changed up to the current
        \* state in the trace.
        \* ,_fdModCount |->
        \*     LET F[s \in DOMAIN _TETrace] ==
        \*         IF s = 1 THEN 0
        \*         ELSE IF _TETrace[s].fd # _TETrace[s-1].fd
        \*             THEN 1 + F[s-1] ELSE F[s-1]
        \*     IN F[_TEPosition - 1]
    ]

=============================================================================



Parsing and semantic processing can take forever if the trace below is long.
 In this case, it is advised to uncomment the module below to deserialize the
 trace from a generated binary file.

\*
\*---- MODULE Drain_TETrace ----
\*EXTENDS IOUtils, Drain_TEConstants, TLC, Drain
\*
\*trace == IODeserialize("Drain_TTrace_1795720585.bin", TRUE)
\*
\*=============================================================================
\*

---- MODULE Drain_TETrace ----
EXTENDS Drain_TEConstants, TLC, Drain

trace == 
    <<
    ([held |-> {},session |-> "ACTIVE",leaked |-> {},fd |-> (fd1 :> "UNUSED" @@ fd2 :> "UNUSED")]),
    ([held |-> {},session |-> "ACTIVE",leaked |-> {},fd |-> (fd1 :> "OPEN" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "ACTIVE",leaked |-> {},fd |-> (fd1 :> "OPEN" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "FINI_CALLED",leaked |-> {},fd |-> (fd1 :> "OPEN" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "DRAINING",leaked |-> {},fd |-> (fd1 :> "OPEN" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "DRAINING",leaked |-> {},fd |-> (fd1 :> "CLOSED" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "DRAINED",leaked |-> {},fd |-> (fd1 :> "CLOSED" @@ fd2 :> "UNUSED")]),
    ([held |-> {fd1},session |-> "DESTROYED",leaked |-> {fd1},fd |-> (fd1 :> "LEAKED" @@ fd2 :> "UNUSED")])
    >>
----


=============================================================================

---- MODULE Drain_TEConstants ----
EXTENDS Drain

CONSTANTS fd1, fd2

=============================================================================

---- CONFIG Drain_TTrace_1795720585 ----
CONSTANTS
    Fds = { fd1 , fd2 }
    Mitigate = FALSE
    fd2 = fd2
    fd1 = fd1

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
\* Generated on Thu Nov 26 19:16:26 UTC 2026