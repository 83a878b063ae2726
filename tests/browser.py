"""A headless Chromium, spoken to in its DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
]


class Browser:
    """One page of a browser; what it asks for is in ``requests``."""

    def __init__(self, commands: IO[bytes], events: IO[bytes]) -> None:
        self._commands, self._events = commands, events
        self._number, self._rest = 0, b""
        self.requests: list[str] = []
        self.blocked: list[str] = []
        self.loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._page = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")

    def call(self, method: str, page: str | None = None, **options: Any) -> Any:
        """Return the result of one command; events that come before it are noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": options}
        if page is not None:
            message["sessionId"] = page
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def ask(self, method: str, **options: Any) -> Any:
        """Return the result of one command to the page."""
        return self.call(method, self._page, **options)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._events.read(1 << 16)
            assert piece, "the browser has gone"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        event: dict[str, Any] = json.loads(message)
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") == "Network.loadingFailed":
            self.blocked.append(event["params"].get("blockedReason", event["params"]["errorText"]))
        self.loaded |= event.get("method") == "Page.loadEventFired"
        return event

    def open(self, path: Path, width: int, *, dark: bool) -> None:
        """Load a file in a window of this width."""
        height = 844 if width < 600 else 900
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.requests, self.blocked, self.loaded = [], [], False
        self.ask("Page.navigate", url=path.as_uri())
        while not self.loaded:
            self._next()

    def evaluate(self, script: str) -> Any:
        """Return the value of a script in the page."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write what the whole page looks like to a PNG file."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser, which ends with the block."""
    assert CHROMIUM is not None
    theirs, commands = os.pipe()
    events, ours = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The protocol wants the file descriptors 3 and 4: from others than these two.
        low, high = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs, ours))
        line = f'exec "$0" "$@" 3<&{low} 4>&{high}'
        started = subprocess.Popen(
            ["bash", "-c", line, CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(low, high),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs, ours, low, high):
            os.close(end)
        with os.fdopen(commands, "wb", buffering=0) as to, os.fdopen(events, "rb", buffering=0) as back:
            try:
                yield Browser(to, back)
            finally:
                started.terminate()
                started.wait(timeout=20)
