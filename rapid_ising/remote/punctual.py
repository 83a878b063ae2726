"""Connections whose every wait ends at the deadline of the request that is under way."""

from __future__ import annotations

import contextlib
import contextvars
import ssl
from collections.abc import Iterator
from typing import Any, final

import httpcore
import httpx

from rapid_ising.deadline import Deadline

SLICE = 2**16
"""The bytes that are sent between two looks at the clock."""
_LIMIT: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar("deadline", default=None)


@contextlib.contextmanager
def keep_to(deadline: Deadline) -> Iterator[None]:
    """Hold every wait in this block to a deadline."""
    token = _LIMIT.set(deadline)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def make_punctual(client: httpx.Client) -> None:
    """Have a client's connections keep to the deadline.

    A time-out of httpx holds for each single wait, so that a service which sends one byte of a header now and
    then could hold a request for ever. Where httpx keeps its connections in another place than here, that is
    how it stays.
    """
    for way in (getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()):
        pool = getattr(way, "_pool", None)
        inner = getattr(pool, "_network_backend", None)
        if isinstance(inner, httpcore.NetworkBackend):
            pool._network_backend = _Punctual(inner)  # type: ignore[union-attr]


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    limit = _LIMIT.get()
    if limit is None:
        return timeout
    left = limit.remaining
    if left <= 0:
        raise error("the deadline has passed")
    return left if timeout is None else min(timeout, left)


@final
class _Punctual(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, timeout, *args, **options))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_unix_socket(path, timeout, *args, **options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


@final
class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for place in range(0, len(buffer), SLICE):
            self._inner.write(buffer[place : place + SLICE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
