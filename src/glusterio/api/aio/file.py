"""An open file for asyncio, raw: every operation says where in the file."""

from __future__ import annotations

from types import TracebackType

from glusterio.api.aio.methods.file_attributes import AsyncFileAttributes
from glusterio.api.aio.methods.file_data import AsyncFileData
from glusterio.api.aio.methods.file_locks import AsyncFileLocks
from glusterio.api.aio.methods.file_ranges import AsyncFileRanges
from glusterio.api.unclosed import warn_if_open
from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.states import HandleState


class AsyncFile(AsyncFileData, AsyncFileRanges, AsyncFileAttributes, AsyncFileLocks):
    """A file, or a directory, open on a volume: every operation says where in the file.

    Any number of tasks may use one file at the same time. A task may be cancelled at any await; the
    buffers that it gave are its own again when it sees the cancellation. Errors are as for
    :class:`glusterio.File`.
    """

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path as it was opened."""
        return self._handle.path

    @property
    def closed(self) -> bool:
        """Whether the file is closed, by :meth:`close` or by the end of the session."""
        return self._handle.state >= HandleState.CLOSING

    async def close(self) -> None:
        """Close the file. Harmless when repeated, or when the session is closed.

        Raises:
            OSError: some of what was written has failed, and nobody was told yet. It is closed.
        """
        await self._session.close_handle(self._handle)

    async def __aenter__(self) -> AsyncFile:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        warn_if_open(self, HandleKind.FILE)

    def __repr__(self) -> str:
        return f"<glusterio.aio.File {self._handle.path!r} {self._handle.state.name.lower()}>"
