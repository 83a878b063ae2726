"""An emulator in this process or in one of its own, on a port of the loopback address."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, final

import uvicorn

from rapid_ising import Backend, load_backend
from rapid_ising.errors import BackendError
from rapid_ising_backends.emulators.emulator import OWN, Emulator

HOST = "127.0.0.1"
START, STOP = 60.0, 10.0
"""Seconds that an emulator may take to start, and to stop."""


@final
class Running:
    """An emulator that is running: where it is, and what it has seen."""

    def __init__(self, name: str, url: str, token: str, emulator: Emulator | None = None) -> None:
        self.name, self.url, self.token = name, url, token
        self.emulator = emulator
        """The emulator itself, where it runs in this process."""

    def machine(self, **options: Any) -> Backend:
        """Return the backend that asks this emulator."""
        return load_backend(self.name, url=self.url, token=self.token, **options)

    def state(self) -> dict[str, Any]:
        """Return which jobs were accepted, which are held, and which faults struck."""
        # A proxy of the environment does not lead to this computer.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.url_of_host}{OWN}/state", timeout=10) as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    @property
    def url_of_host(self) -> str:
        """The address without a path."""
        return "/".join(self.url.split("/")[:3])


@contextlib.contextmanager
def serve(emulator: Emulator, *, port: int = 0, path: str = "") -> Iterator[Running]:
    """Run an emulator in a thread for as long as the block lasts."""
    config = uvicorn.Config(
        emulator.app(),
        host=HOST,
        port=port,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name=f"emulator of {emulator.name}", daemon=True)
    thread.start()
    try:
        end = time.monotonic() + START
        while not server.started:
            if not thread.is_alive() or time.monotonic() > end:
                raise BackendError(
                    f"the emulator of {emulator.name} did not start on port {port}: is it taken? "
                    "0 takes a free one"
                )
            time.sleep(0.01)
        chosen = server.servers[0].sockets[0].getsockname()[1]
        yield Running(emulator.name, f"http://{HOST}:{chosen}{path}", emulator.token, emulator)
    finally:
        server.should_exit = True
        thread.join(STOP)


@contextlib.contextmanager
def spawn(
    name: str, *, faults: str = "", port: int = 0, options: Mapping[str, Any] | None = None
) -> Iterator[Running]:
    """Run the emulator of a machine in a process of its own for as long as the block lasts."""
    command = "from rapid_ising.cli.app import main; main()"
    words = [sys.executable, "-c", command, "emulate", name, "--port", str(port), "--json", "--attached"]
    words += ["--faults", faults] if faults else []
    for key, value in (options or {}).items():
        words += ["--option", f"{key}={json.dumps(value)}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BackendError(
                    f"the emulator of {name} did not start; its exit status is {process.wait(STOP)}"
                )
            facts = json.loads(line)
            yield Running(name, facts["url"], facts["token"])
        finally:
            process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
