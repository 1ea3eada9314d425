"""A real glusterd with management encryption, in namespaces of its own, and our client there.

    unshare --net --mount python -m tests.interop.secured_daemon DIRECTORY

GlusterFS finds its certificates, and whether management is encrypted at all, in places of the whole
machine (``/var/lib/glusterd/secure-access``, OpenSSL's directory); here these are others for this
process and its children only. It prints what came of each attempt, as JSON. The directory's path must
be short.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import glusterio
from glusterio import aio
from tests.certificates import Authority
from tests.interop import real_gluster


def bind(copy: Path, place: str) -> None:
    """Have something else in the place of a file or directory, for us."""
    subprocess.run(["mount", "--bind", str(copy), place], check=True)


def secure(directory: Path) -> Authority:
    """Make this machine, as it is seen from here, one whose GlusterFS has management encryption."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    authority = Authority(directory / "authority")
    server = authority.vouch("server", f"DNS:{real_gluster.HOST}")
    # Debian's GlusterFS looks in /usr/lib/ssl, whatever its documents say.
    place = directory / "ssl"
    shutil.copytree("/usr/lib/ssl", place, symlinks=True)
    for name, file in {
        "pem": server.certificate,
        "key": server.key,
        "ca": server.authorities,
    }.items():
        shutil.copy(file, place / f"glusterfs.{name}")
    hosts = directory / "hosts"
    shutil.copy("/etc/hosts", hosts)
    daemon = directory / "glusterd"
    daemon.mkdir()
    (daemon / "secure-access").touch()
    bind(place, "/usr/lib/ssl")
    bind(hosts, "/etc/hosts")
    bind(daemon, "/var/lib/glusterd")
    return authority


def on_threads(url: str, context: ssl.SSLContext | None) -> str:
    """Write, read, and tell who secured what."""
    try:
        with glusterio.connect(url, timeout=10.0, ssl=context) as vol:
            vol.write_bytes("file", b"by threads")
            return vol.read_bytes("file").decode()
    except glusterio.HandshakeError as error:
        return str(error.reason)


def on_asyncio(url: str, context: ssl.SSLContext | None) -> str:
    """The same."""

    async def main() -> str:
        async with aio.connect(url, timeout=10.0, ssl=context) as vol:
            await vol.write_bytes("file", b"by asyncio")
            return (await vol.read_bytes("file")).decode()

    try:
        return asyncio.run(main())
    except glusterio.HandshakeError as error:
        return str(error.reason)


def follows(volume: real_gluster.GlusterVolume) -> bool:
    """Tell whether a session hears, by TLS, of an option that is set while it is open."""
    with glusterio.connect(volume.url, timeout=10.0) as vol:
        volume.gluster("volume", "set", volume.volume, "performance.write-behind", "off")
        core = vol._session.core
        return real_gluster.poll(lambda: bool(vol.stat("/")) and core.switches == 1)


def attempts(volume: real_gluster.GlusterVolume, authority: Authority) -> dict[str, object]:
    """Come in every way, and note what came of it."""
    ours = authority.context("me", check_hostname=True)
    strange = Authority(Path(volume.data_dir).parents[1] / "strangers").context("me")
    by_tls = volume.url.replace("gluster:", "gluster+tls:")
    found: dict[str, object] = {}
    for name, face in {"threads": on_threads, "asyncio": on_asyncio}.items():
        found[f"{name}: GlusterFS's files"] = face(volume.url, None)
        found[f"{name}: GlusterFS's files, gluster+tls"] = face(by_tls, None)
        found[f"{name}: a context of ours"] = face(by_tls, ours)
        found[f"{name}: a context of strangers"] = face(by_tls, strange)
    found["follows"] = follows(volume)
    return found


def main() -> int:
    """Run it all."""
    directory = Path(sys.argv[1])
    authority = secure(directory)
    try:
        volume = real_gluster.start_volume(directory / "g")
        for option in ("client.ssl", "server.ssl"):
            volume.gluster("volume", "set", volume.volume, option, "on")
        volume.gluster("volume", "stop", volume.volume)
        volume.gluster("volume", "start", volume.volume)
        if not real_gluster.poll(
            lambda: real_gluster.online_brick(volume.glusterd_sock) is not None
        ):
            raise real_gluster.SetUpError("the brick does not come by TLS")
        print(json.dumps(attempts(volume, authority)))
    finally:
        real_gluster.stop(directory / "g")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
