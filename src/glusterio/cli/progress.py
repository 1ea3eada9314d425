"""A progress bar, where somebody looks."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Bar:
    """A bar with bytes, bytes a second and files; nothing at all when the console is no terminal.

    It goes away when it is done: what there is to say then is the caller's.
    """

    def __init__(self, console: Console, text: str) -> None:
        self._files = 0
        self._all_files = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[files]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(text, total=None, files="")
        self.seconds = 0.0

    def expect(self, files: int, size: int) -> None:
        """So much is to come."""
        self._all_files += files
        self._bar.update(self._task, total=(self._bar.tasks[0].total or 0) + size)

    def advance(self, size: int) -> None:
        """So many bytes more are done."""
        self._bar.advance(self._task, size)

    def finished(self, path: str) -> None:
        """One more file is done."""
        self._files += 1
        if not self._bar.disable:
            self._bar.update(self._task, files=f"{self._files:,}/{self._all_files:,} files")

    def __enter__(self) -> Bar:
        self._started = time.monotonic()
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        self.seconds = time.monotonic() - self._started
