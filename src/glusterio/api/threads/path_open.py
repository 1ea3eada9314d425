"""How a path on a volume is opened; what follows is common to both faces."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Literal, overload

from glusterio.api.mode import (
    BinaryMode,
    ReadBinaryMode,
    TextMode,
    UpdateBinaryMode,
    WriteBinaryMode,
)
from glusterio.api.pure_path import PureVolumePath

if TYPE_CHECKING:
    from glusterio.api.threads.volume import Volume

    _Pure = PureVolumePath[Volume]
else:
    _Pure = PureVolumePath


class PathOpen(_Pure):
    """A path, and the file that it leads to."""

    __slots__ = ()

    @overload
    def open(
        self,
        mode: TextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> io.TextIOWrapper: ...

    @overload
    def open(self, mode: ReadBinaryMode, buffering: Literal[-1, 1] = -1) -> io.BufferedReader: ...

    @overload
    def open(self, mode: WriteBinaryMode, buffering: Literal[-1, 1] = -1) -> io.BufferedWriter: ...

    @overload
    def open(self, mode: UpdateBinaryMode, buffering: Literal[-1, 1] = -1) -> io.BufferedRandom: ...

    @overload
    def open(self, mode: BinaryMode, buffering: int = -1) -> IO[bytes]: ...

    @overload
    def open(
        self,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open the file as Python's ``open`` does; see :meth:`glusterio.Volume.open`."""
        return self._volume.open(self, mode, buffering, encoding, errors, newline)
