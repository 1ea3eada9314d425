"""``python -m glusterio.brick DIR --volume NAME``: serve a directory until told to stop.

SIGTERM and SIGINT end it; SIGUSR1 writes what is going on to the standard error, as a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence

from glusterio.brick.access import Access
from glusterio.brick.descriptors import limits_within, raise_descriptor_limit
from glusterio.brick.limits import names as limit_names
from glusterio.brick.main import Brick
from glusterio.brick.management import MANAGEMENT_PORT


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m glusterio.brick", description="Serve a directory as a GlusterFS volume."
    )
    parser.add_argument("directory", help="what to serve")
    parser.add_argument("--volume", help="the volume's name (the directory's)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=MANAGEMENT_PORT, help="0 for any (24007)")
    parser.add_argument("--brick-port", type=int, default=0, help="0 for any, as it is by default")
    parser.add_argument("--unix", help="a Unix socket for the management daemon, too")
    parser.add_argument("--allow", action="append", help="pattern of addresses that may (*)")
    parser.add_argument("--ping-timeout", type=int, default=42, help="what clients are told")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"what clients may ask for; may be repeated. By default {limit_names()}",
    )
    parser.add_argument("--ready-fd", type=int, help="where to write the ports when ready, as JSON")
    return parser


async def serve(brick: Brick, ready_fd: int | None = None) -> None:
    """Serve until a signal tells to stop, and end cleanly then."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(
        signal.SIGUSR1, lambda: print(json.dumps(brick.dump()), file=sys.stderr)
    )
    async with brick:
        print(f"serving {brick.url}", flush=True)
        if ready_fd is not None:
            ready = {
                "url": brick.url,
                "port": brick.port,
                "brick_port": brick.brick_port,
                "pid": os.getpid(),
            }
            os.write(ready_fd, json.dumps(ready).encode() + b"\n")
            os.close(ready_fd)
        await told.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve, as the command line says."""
    given = arguments().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        limits = limits_within(raise_descriptor_limit()).changed(given.limit)
        brick = Brick(
            given.directory,
            given.volume,
            host=given.host,
            port=given.port,
            brick_port=given.brick_port,
            unix=given.unix,
            access=Access(allow=given.allow) if given.allow else None,
            ping_timeout=given.ping_timeout,
            limits=limits,
        )
        asyncio.run(serve(brick, given.ready_fd))
    except (OSError, ValueError) as error:
        print(f"glusterio.brick: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
