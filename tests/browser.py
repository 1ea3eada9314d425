"""A real browser, driven by its DevTools protocol: pages as people see them, and keys pressed.

It speaks over a pair of pipes (``--remote-debugging-pipe``: messages of JSON, each ended by a zero
byte), so it needs no driver program, no port and no library.
Source: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any

#: How long the browser may take for anything, in seconds.
PATIENCE = 60.0

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # it reaches nobody
)

#: DevTools wants a key's number, too.
_KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}


def program() -> str | None:
    """Where the browser is: ``GLUSTERIO_CHROMIUM``, or what is installed."""
    return os.environ.get("GLUSTERIO_CHROMIUM") or next(
        filter(None, map(shutil.which, _NAMES)), None
    )


class Browser:
    """One browser with one page.

    Args:
        path: the program.
        place: an empty directory for what it keeps.

    Attributes:
        complaints: what pages wrote to the console, and errors of their scripts.
        requests: the addresses of all that was loaded.
    """

    def __init__(self, path: str, place: Path) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self._log = place / "stderr"
        hears, self._out = os.pipe()
        self._in, says = os.pipe()
        # out of the way of 3 and 4, where the browser looks for them
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (hears, says)]
        os.close(hears)
        os.close(says)
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        words = [path, *_OPTIONS, *sandbox, f"--user-data-dir={place / 'profile'}", "about:blank"]
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            self._pid = os.posix_spawn(
                path,
                words,
                dict(os.environ, HOME=str(place)),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, ends[0], 3),
                    (os.POSIX_SPAWN_DUP2, ends[1], 4),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, str(self._log), write, 0o600),
                ],
                setpgroup=0,
            )
        except BaseException:
            os.close(self._out)
            os.close(self._in)
            raise
        finally:
            for fd in ends:
                os.close(fd)

    def __enter__(self) -> Browser:
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._call(f"{domain}.enable")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session = None
        with contextlib.suppress(OSError, TimeoutError):
            self._call("Browser.close")
        self._kill()

    def _kill(self) -> None:
        """See to it that it has ended: it, and the processes of its group."""
        os.close(self._out)
        deadline = time.monotonic() + 5
        while os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                break
            select.select([self._in], [], [], 0.05)  # it closes its end when it ends
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, 9)
        os.waitpid(self._pid, 0)
        os.close(self._in)

    # -- the protocol -----------------------------------------------------------------------------

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        """Return the next message; events are noted."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser says nothing")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise ConnectionError(f"the browser has ended: {self._log.read_text()[-2000:]}")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(str([arg.get("value") for arg in told["args"]]))
        elif event == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])

    # -- what a person does -----------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self._call("Page.navigate", url="about:blank")  # another hash alone loads nothing
        answer = self._call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        deadline = time.monotonic() + PATIENCE
        there = "document.readyState === 'complete' && location.protocol !== 'about:'"
        while not self.ask(there):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} is not loaded")

    def ask(self, expression: str) -> Any:
        """Return what an expression is in the page's script."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, and let it go."""
        told = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        self._call("Input.dispatchKeyEvent", type="rawKeyDown", **told)
        self._call("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector: str) -> None:
        """Click on the middle of the first element that is shown."""
        place = self.ask(
            f"""(() => {{
              const shown = [...document.querySelectorAll({json.dumps(selector)})]
                .find((one) => one.getClientRects().length);
              shown.scrollIntoView({{ block: "center" }});
              const box = shown.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        told = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type="mousePressed", **told)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", **told)

    def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Look at pages through a window of another size, in the dark, or on a phone."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
