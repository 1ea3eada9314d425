"""The examples in the documentation are run as they stand, against a brick of our own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from glusterio.brick.stored_options import store_options
from tests.certificates import Authority
from tests.embedded import PATIENCE, BrickProcess, start_brick

DOCS = Path(__file__).parent.parent / "docs"

#: The pages whose examples are run, and how many each has. architecture.md and caches.md have bits of
#: code that are no examples.
PAGES = {
    "changes.md": 1,
    "from-libgfapi.md": 3,
    "logging.md": 1,
    "metrics.md": 2,
    "tls.md": 1,
    "traces.md": 1,
    "reference/options.md": 1,
}

#: What a page takes for granted: what comes before its examples, and after them.
AROUND = {
    "changes.md": (
        """
        import contextlib
        import glusterio
        url = "gluster://server1/gv0"
        sessions = contextlib.ExitStack()
        connect = glusterio.connect
        glusterio.connect = lambda *args, **how: sessions.enter_context(connect(*args, **how))
        """,
        "sessions.close()",
    ),
    "from-libgfapi.md": (
        """
        import os
        import threading
        import glusterio
        vol = glusterio.connect("gluster://server1/gv0")
        for directory in ("projects", "slow"):
            vol.makedirs(directory, exist_ok=True)
        vol.chmod("/", 0o777)
        vol.write_bytes("f", b"x")
        file = vol.open_handle("g", os.O_RDWR | os.O_CREAT)

        def want_it_too():
            with glusterio.connect("gluster://server1/gv0") as other:
                other.write_bytes("f", b"y")

        another = threading.Thread(target=want_it_too)
        taken = glusterio.File.lease
        def lease(*args):
            granted = taken(*args)
            another.start()
            return granted
        glusterio.File.lease = lease
        """,
        """
        file.close()
        if another.ident is not None:
            another.join()
        vol.close()
        """,
    ),
    "traces.md": ('import glusterio\nurl = "gluster://server1/gv0"\n', ""),
}


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick that grants leases; in the place of the one that other tests share."""
    directory = tmp_path_factory.mktemp("leasing")
    store_options(str(directory), {"features.leases": "on"})
    with start_brick(directory) as process:
        yield process


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """A volume by TLS, brick and management port; a client's certificates in ``tmp_path``."""
    authority = Authority(tmp_path / "authority")
    server, client = authority.vouch("server"), authority.vouch("me")
    given = {"ca.pem": client.authorities, "me.pem": client.certificate, "me.key": client.key}
    for name, file in given.items():
        (tmp_path / name).write_bytes(Path(file).read_bytes())
    served = tmp_path / "served"
    served.mkdir()
    files = (server.certificate, server.key, server.authorities)
    names = ("ssl.own-cert", "ssl.private-key", "ssl.ca-list")
    store_options(str(served), {"server.ssl": "on", **dict(zip(names, files, strict=True))})
    words = ["--tls", "--certificate", files[0], "--key", files[1], "--authorities", files[2]]
    with subprocess.Popen(
        [sys.executable, "-m", "glusterio.cli", "serve", str(served), "--port", "0", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GLUSTERIO_RUNTIME_DIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving gluster+tls://127.0.0.1:")
        yield line.split()[1]
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(
    page: str, brick: BrickProcess, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == PAGES[page]
    before, after = AROUND.get(page, ("", ""))
    changes = [
        (r"gluster://[^\"]*", brick.url),
        (r"start_http_server\(9100\)", 'start_http_server(0, "127.0.0.1")'),
    ]
    if page == "tls.md":
        url = request.getfixturevalue("tls_url")
        changes = [(r"gluster\+tls://[^\"]*", url), ("/etc/ssl/", f"{tmp_path}/")]
    for number, example in enumerate(examples):
        program = tmp_path / f"example{number}.py"
        local = textwrap.dedent(before) + example + textwrap.dedent(after)
        for pattern, ours in changes:
            local = re.sub(pattern, ours, local)
        program.write_text(local, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", str(program)],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
    brick.wait_for(fds=0)
