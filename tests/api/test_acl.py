"""Access control lists as objects: text, bytes, and what is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glusterio import Acl, AclEntry, AclTag

TEXT = "user::rw-\nuser:1000:r--\nuser:1001:-wx\ngroup::r-x\ngroup:5:---\nmask::rwx\nother::--x"


def test_text_and_bytes_and_back() -> None:
    acl = Acl.parse(TEXT)
    assert str(acl) == TEXT
    assert Acl.parse(TEXT.replace("\n", ",")) == acl
    assert Acl.parse("o::--x,m::rwx,g:5:---,g::r-x,u:1001:-wx,u:1000:r--,u::rw- # all") == acl
    assert Acl.from_bytes(bytes(acl)) == acl
    assert hash(Acl(reversed(acl.entries))) == hash(acl)
    assert acl.entries[2] == AclEntry(AclTag.USER, 3, 1001)
    assert (len(acl), bool(Acl()), Acl.parse("")) == (7, False, Acl())
    assert repr(Acl.from_mode(0o750)) == "<Acl user::rwx,group::r-x,other::--->"


def test_the_kernel_takes_it_and_gives_it(tmp_path: Path) -> None:
    acl = Acl.parse(TEXT)
    file = tmp_path / "f"
    file.touch()
    os.setxattr(file, "system.posix_acl_access", bytes(acl))
    assert Acl.from_bytes(os.getxattr(file, "system.posix_acl_access")) == acl


@pytest.mark.parametrize(
    "text",
    [
        "user::rw-",
        "user::rw-,group::r--,other::r--,user:7:r--",
        "user::rw-,user::r--,group::r--,other::r--",
        "user::rw-,group::r--,other::r--,mask:7:r--",
        "user::rw-,group::r--,other::r--,user:4294967295:r--,mask::r--",
        "user:root:rw-,group::r--,other::r--",
        "user::rw,group::r--,other::r--",
        "user::wr-,group::r--,other::r--",
        "nobody::rw-",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"entry|entries"):
        Acl.parse(text)


@pytest.mark.parametrize(
    "value", [b"", b"\1\0\0\0", b"\2\0\0\0\1", b"\2\0\0\0" + b"\3\0\7\0\xff\xff\xff\xff"]
)
def test_bytes_that_are_none(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|AclTag"):
        Acl.from_bytes(value)


def test_entries_that_are_none() -> None:
    for entry in (
        AclEntry(AclTag.USER_OBJ, 8),
        AclEntry(AclTag.USER, 7),
        AclEntry(AclTag.OTHER, 7, 1),
    ):
        with pytest.raises(ValueError, match=r"entry|permissions"):
            Acl([entry])
