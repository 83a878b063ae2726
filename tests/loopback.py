"""A service on the loopback address that does, byte by byte, what a test wrote down."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping

WAIT = 20.0
"""Seconds after which a connection of a test is given up."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request as it came over the socket."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Step = Callable[[socket.socket, Asked], bool]
"""What is done with a request; False ends the connection."""


class Scripted:
    """The steps of a service, the last for ever, and what it was asked."""

    def __init__(self, *steps: Step) -> None:
        self.steps, self.asked = list(steps), list[Asked]()
        self.url = ""
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def next(self, asked: Asked) -> Step:
        with self._lock:
            self.asked.append(asked)
            return self.steps[min(len(self.asked), len(self.steps)) - 1]


@contextlib.contextmanager
def scripted(*steps: Step) -> Iterator[Scripted]:
    """Run a service for as long as the block lasts."""
    service, open_ones = Scripted(*steps), set[socket.socket]()
    listener = socket.create_server(("127.0.0.1", 0))
    service.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(WAIT)
            while (asked := received(connection)) is not None and service.next(asked)(connection, asked):
                pass
        open_ones.discard(connection)

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if service.ended.is_set():
                connection.close()
                return
            open_ones.add(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    try:
        yield service
    finally:
        service.ended.set()
        with contextlib.suppress(OSError):
            # Wakes ``accept``.
            socket.create_connection(listener.getsockname(), timeout=1).close()
        listener.close()
        for connection in list(open_ones):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in [ear, *threads]:
            thread.join(WAIT)


def received(connection: socket.socket) -> Asked | None:
    """Return the next request of a connection, None at its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
        if data.startswith(b"\x16\x03"):
            return Asked("TLS", "", {}, data)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, body)


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Step:
    """Answer with a status; a header's name is written with underscores."""

    def step(connection: socket.socket, asked: Asked) -> bool:
        connection.sendall(written(status, body, **headers))
        return True

    return step


def written(status: int, body: bytes, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def raw(data: bytes) -> Step:
    """Send some bytes and end the connection."""

    def step(connection: socket.socket, asked: Asked) -> bool:
        connection.sendall(data)
        return False

    return step


def cut(connection: socket.socket, asked: Asked) -> bool:
    """End the connection without a word."""
    return False


def silent(connection: socket.socket, asked: Asked) -> bool:
    """Say nothing until the client goes."""
    connection.recv(1)
    return False


def dripping(data: bytes, pause: float = 0.05) -> Step:
    """Send one byte now and then."""

    def step(connection: socket.socket, asked: Asked) -> bool:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)
        return True

    return step


def everything(error: BaseException) -> str:
    """Return an error with its context, causes and notes, and the locals of each frame but a test's."""
    told, waiting, seen = "", [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        told += repr(one) + str(one) + repr(vars(one))
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                told += f"{frame.f_code.co_name}: {frame.f_locals!r}\n"
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
    return told


def echo(status: int) -> Step:
    """Send back all that came, in a header and in the body."""

    def step(connection: socket.socket, asked: Asked) -> bool:
        told = "; ".join(f"{key}={value}" for key, value in asked.headers.items())
        connection.sendall(written(status, f"You sent {told}".encode(), x_echo=told))
        return True

    return step
