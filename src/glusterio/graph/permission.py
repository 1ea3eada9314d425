"""What permission bits say, for a client that has to tell before a brick has been asked."""

from __future__ import annotations

import stat as stat_module

from glusterio.wire.credentials import Credentials
from glusterio.wire.iatt import Iatt

#: The extended attribute with a file's access control list. A file that has one is not judged by its
#: bits alone.
ACL = "system.posix_acl_access"


def may_read(user: Credentials, found: Iatt) -> bool:
    """Tell whether the permission bits let a user read a file that has no access control list."""
    if user.uid == 0:
        return True
    if user.uid == found.uid:
        return bool(found.mode & stat_module.S_IRUSR)
    if found.gid == user.gid or found.gid in user.groups:
        return bool(found.mode & stat_module.S_IRGRP)
    return bool(found.mode & stat_module.S_IROTH)
