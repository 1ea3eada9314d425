r"""glusterio: the GlusterFS client for Python whose sessions cannot leak.

::

    import glusterio

    with glusterio.connect("gluster://server1,server2/gv0") as vol:
        with vol.open("notes/a.txt", "w", encoding="utf-8") as f:
            f.write("hello\n")
        for entry in vol.scandir("/"):
            print(entry.name, entry.stat().st_size)

:mod:`glusterio.aio` is the same for asyncio.
"""

from typing import TYPE_CHECKING, Any

from glusterio import metrics
from glusterio.api.acl import Acl, AclEntry, AclTag
from glusterio.api.facts import statedumps as statedump
from glusterio.api.locks import LockHolder
from glusterio.api.renaming import RENAME_NOREPLACE
from glusterio.api.statx import Statx
from glusterio.api.switch_report import LeftBehind, SwitchReport
from glusterio.api.threads.file import File
from glusterio.api.threads.methods.file_locks import FileLock
from glusterio.api.threads.methods.leases import Lease
from glusterio.api.threads.methods.objects import Object
from glusterio.api.threads.methods.paths import VolumePath
from glusterio.api.threads.methods.scandir import DirEntry, ScandirIterator
from glusterio.api.threads.methods.upcalls import UpcallIterator, UpcallRegistration
from glusterio.api.threads.volume import Volume, connect
from glusterio.api.tree_copy import Progress as CopyProgress
from glusterio.api.upcalls import Upcall, UpcallKind
from glusterio.api.usage import Usage
from glusterio.errors import (
    AuthRejectedError,
    CloseFromCallbackError,
    ConnectionLostError,
    ForkedSessionError,
    GlusterError,
    GraphError,
    HandleClosedError,
    HandleRevokedError,
    HandleStaleError,
    HandshakeError,
    LocalProtocolError,
    ProtocolError,
    RecordTooLongError,
    ReentrantCallError,
    Refusal,
    RemoteProtocolError,
    SessionClosedError,
    TlsError,
    UnsupportedGraphError,
    VersionMismatchError,
    VolfileError,
    VolumeNotFoundError,
    XdrError,
)
from glusterio.lifecycle.report import DrainedHandle, DrainedObject, StepTime, TeardownReport
from glusterio.wire.callbacks import UpcallFlag
from glusterio.wire.programs import LeaseType

if TYPE_CHECKING:
    from glusterio.api.options import Options

__version__ = "0.1.0.dev0"

__all__ = [
    "RENAME_NOREPLACE",
    "Acl",
    "AclEntry",
    "AclTag",
    "AuthRejectedError",
    "CloseFromCallbackError",
    "ConnectionLostError",
    "CopyProgress",
    "DirEntry",
    "DrainedHandle",
    "DrainedObject",
    "File",
    "FileLock",
    "ForkedSessionError",
    "GlusterError",
    "GraphError",
    "HandleClosedError",
    "HandleRevokedError",
    "HandleStaleError",
    "HandshakeError",
    "Lease",
    "LeaseType",
    "LeftBehind",
    "LocalProtocolError",
    "LockHolder",
    "Object",
    "Options",
    "ProtocolError",
    "RecordTooLongError",
    "ReentrantCallError",
    "Refusal",
    "RemoteProtocolError",
    "ScandirIterator",
    "SessionClosedError",
    "Statx",
    "StepTime",
    "SwitchReport",
    "TeardownReport",
    "TlsError",
    "UnsupportedGraphError",
    "Upcall",
    "UpcallFlag",
    "UpcallIterator",
    "UpcallKind",
    "UpcallRegistration",
    "Usage",
    "VersionMismatchError",
    "VolfileError",
    "Volume",
    "VolumeNotFoundError",
    "VolumePath",
    "XdrError",
    "__version__",
    "connect",
    "metrics",
    "statedump",
]


def __getattr__(name: str) -> Any:
    """Load what few programs use, and what takes a tenth of the time of all the rest to load."""
    if name == "Options":
        from glusterio.api.options import Options

        return Options
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
