"""A model checker for the specification in ``spec/``, which needs no Java.

It reads the TLA+ modules themselves, so that there is one description and not two; what it cannot read
it refuses. :mod:`tla` reads a module, :mod:`config` a configuration; :mod:`compiler` turns both into a
Python function that yields the successors of a state, and :mod:`explore` looks at every state.
"""
