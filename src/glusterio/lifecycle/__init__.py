"""The heart: how a session and its handles live and end, as data. Pure; no I/O, no clocks, no threads.

:mod:`~glusterio.lifecycle.states` holds the two transition tables and the essay that explains them;
:mod:`~glusterio.lifecycle.session` is their only interpreter; the other modules watch or plan.
"""
