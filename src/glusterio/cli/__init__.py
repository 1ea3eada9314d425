"""The ``glusterio`` command. It needs the extra ``cli``: ``pip install 'glusterio[cli]'``."""

from __future__ import annotations

import sys

#: What the extra ``cli`` brings; ``click`` is typer's own.
_EXTRA = frozenset({"typer", "rich", "click"})


def main() -> None:
    """Run the command line; the entry point of the ``glusterio`` script."""
    try:
        from glusterio.cli.app import run_app
        from glusterio.cli.output import prepare_streams
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit(
            "glusterio: the command line needs more: pip install 'glusterio[cli]'\n"
            "(without it: python -m glusterio.brick --help, python -m glusterio.verify --help)"
        )
    prepare_streams()
    run_app()
