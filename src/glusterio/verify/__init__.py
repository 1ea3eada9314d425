"""A model checker for the specification in ``spec/``, which needs no Java; and what is made of it.

It reads the TLA+ modules themselves, so that there is one description and not two; what it cannot read
it refuses.

* :mod:`tla` reads a module, :mod:`config` a configuration; :mod:`compiler`, with :mod:`expressions`
  and :mod:`values`, turns both into a Python function that yields the successors of a state.
* :mod:`explore` looks at every state, :mod:`liveness` at whether what shall happen does;
  :mod:`symmetry` and :mod:`composed` look at those that differ in more than names. :mod:`checking`
  puts it together for one configuration, :mod:`shipped` for those that come with the package.
* :mod:`told` tells a way through the states in words; :mod:`scenes`, :mod:`drawing` and :mod:`page`
  make pictures of it, and a page to step through.
* :mod:`traces` reads what a real session has recorded, :mod:`fitting` holds it against ``Teardown``,
  and :mod:`life` tells it.
"""
