"""How a path on a volume is opened; what follows is common to both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from glusterio.api.aio.opening import Opening
from glusterio.api.aio.stream import AsyncStream
from glusterio.api.mode import BinaryMode, TextMode
from glusterio.api.pure_path import PureVolumePath

if TYPE_CHECKING:
    from glusterio.api.aio.volume import AsyncVolume

    _Pure = PureVolumePath[AsyncVolume]
else:
    _Pure = PureVolumePath


class AsyncPathOpen(_Pure):
    """A path, and the stream that it leads to."""

    __slots__ = ()

    @overload
    def open(
        self,
        mode: TextMode = "r",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[AsyncStream[str]]: ...

    @overload
    def open(self, mode: BinaryMode) -> Opening[AsyncStream[bytes]]: ...

    @overload
    def open(
        self,
        mode: str,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[AsyncStream[Any]]: ...

    def open(self, mode: str = "r", **how: Any) -> Opening[AsyncStream[Any]]:
        """Open the file as a stream; see :meth:`glusterio.aio.Volume.open`."""
        return self._volume.open(self, mode, **how)
