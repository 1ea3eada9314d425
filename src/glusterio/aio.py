r"""glusterio for asyncio: the same volume, awaited.

::

    from glusterio import aio

    async with aio.connect("gluster://server1,server2/gv0") as vol:
        async with vol.open("notes/a.txt", "w") as f:
            await f.write("hello\n")
        async for entry in vol.scandir("/"):
            print(entry.name, (await entry.stat()).st_size)

The errors and the teardown report are those of :mod:`glusterio`.
"""

from glusterio.api.aio.file import AsyncFile as File
from glusterio.api.aio.methods.file_locks import AsyncFileLock as FileLock
from glusterio.api.aio.methods.leases import AsyncLease as Lease
from glusterio.api.aio.methods.objects import AsyncObject as Object
from glusterio.api.aio.methods.paths import AsyncVolumePath as VolumePath
from glusterio.api.aio.methods.scandir import AsyncDirEntry as DirEntry
from glusterio.api.aio.methods.scandir import AsyncScandir as ScandirIterator
from glusterio.api.aio.methods.upcalls import AsyncUpcallIterator as UpcallIterator
from glusterio.api.aio.methods.upcalls import UpcallRegistration
from glusterio.api.aio.stream import AsyncStream as Stream
from glusterio.api.aio.volume import AsyncVolume as Volume
from glusterio.api.aio.volume import connect

__all__ = [
    "DirEntry",
    "File",
    "FileLock",
    "Lease",
    "Object",
    "ScandirIterator",
    "Stream",
    "UpcallIterator",
    "UpcallRegistration",
    "Volume",
    "VolumePath",
    "connect",
]
