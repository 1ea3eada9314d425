"""The end of a graph that is in use no longer: when no handle of the session is open in it.

A graph is old once another one is in use. What was under way in it goes on there, and a handle that
could not be carried to the new one stays until it is closed (:mod:`glusterio.api.switching`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glusterio.errors import SessionClosedError
from glusterio.graph.frame import Frame
from glusterio.graph.graph import Graph
from glusterio.xlators.base import Xlator

if TYPE_CHECKING:
    from glusterio.api.core import Core


def handle_left(core: Core, top: Xlator) -> None:
    """A handle of an old graph is closed: if it was the last one, the graph ends. Waits for nothing."""
    for graph in core.graphs:
        if graph.top is top and graph.is_left and not is_used(core, graph):
            try:
                core.start(end_graph, graph)
            except SessionClosedError:
                pass  # the session's end sees to it


def is_used(core: Core, graph: Graph[Xlator]) -> bool:
    """Tell whether the session has a handle in a graph that a brick may hold open."""
    top = graph.top
    return any(handle.fd is not None and handle.fd.top is top for handle in core.session.handles())


async def end_graph(core: Core, frame: Frame, graph: Graph[Xlator]) -> None:
    """Disconnect a graph that nothing uses any more, and let go of it."""
    if graph not in core.graphs:
        return
    await graph.top.sever(None)
    if graph.was_used:
        core.upcalls.forgotten()
    for error in await graph.fini():
        core.log.warning("ending graph %d: %s", graph.generation, error)
    for xlator in graph.xlators:
        xlator.parents.clear()  # no cycle shall keep it in memory
    if graph in core.graphs:
        core.graphs.remove(graph)
    core.log.info("graph %d has ended", graph.generation)
