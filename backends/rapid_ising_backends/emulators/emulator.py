"""What every emulator is: a service on this computer that speaks a vendor's protocol and is no machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising.remote import EMULATOR
from rapid_ising_backends.emulators.faults import AFTERWARDS, BEFORE, CONTENTS, STATUSES, Faults

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OWN = "/_emulator"
"""Where an emulator answers about itself; no vendor has such an address."""
DRIPS, DRIP = 20, 0.05
"""The pieces of a slow answer, and the seconds between two."""


class Emulator(ABC):
    """A service that speaks the protocol of ``name`` and solves with a digital twin.

    It is strict: what the vendor's document does not allow is refused with the vendor's codes and texts. Its
    answers depend on the job alone, not on the time or on other jobs. Every answer has a header that says
    what it is.

    Parameters
    ----------
    twin
        What solves; None takes the twin of the machine.
    faults
        What goes wrong.
    token
        The one token that is accepted.
    """

    name: ClassVar[str]
    """The backend whose protocol it speaks."""
    synchronous: ClassVar[bool] = False
    """Whether a job is answered in the request that sends it."""
    passed_on: ClassVar[tuple[type, ...]] = ()
    """The classes that are given the options which it does not take itself."""

    def __init__(
        self, twin: Backend | None = None, *, faults: Faults | None = None, token: str = "emulator-token"
    ) -> None:
        self.twin = self.default_twin() if twin is None else twin
        self.faults = faults or Faults()
        self.token = token
        self.accepted: list[str] = []
        """The tag of each job that was taken on, or where the protocol has none, the hash of its body."""
        self.denied: list[str] = []
        """The addresses of which a fault said that there is nothing."""
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    @abstractmethod
    def default_twin(self) -> Backend:
        """Return the twin of the machine."""

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Return the addresses of the protocol."""

    def open_jobs(self) -> list[str]:
        """Return the ids of the jobs that take up a place on the machine."""
        return []

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the vendor's body for a status that was drawn as a fault."""
        return STATUSES[kind], {"error": kind}

    def accept(self, tag: str) -> None:
        """Note that a job was taken on."""
        with self._lock:
            self.accepted.append(tag)

    def seed(self, job: bytes) -> int:
        """Return the seed of a job: by what was asked, and how often the same was asked before.

        So that two calls for the same differ, and that the third call gives the same in every run.
        """
        digest = digest_of(job)
        with self._lock:
            self._seen[digest] += 1
            return seed_of(digest, str(self._seen[digest]))

    def content_fault(self) -> str | None:
        """Return how the content of the answer that is being made is to be spoiled, if at all."""
        return self.faults.draw(CONTENTS)

    def app(self) -> Faulty:
        """Return the service."""
        own = [Route(f"{OWN}/state", self._state, methods=["GET"])]
        handlers = {HTTPException: _refused}
        return Faulty(Starlette(routes=[*self.routes(), *own], exception_handlers=handlers), self)

    def _state(self, request: HttpRequest) -> JSONResponse:
        counts = dict(self.faults.count)
        return JSONResponse({"accepted": self.accepted, "open": self.open_jobs(), "faults": counts})


class Faulty:
    """An app whose requests and answers meet with the faults of its emulator."""

    def __init__(self, inner: Starlette, emulator: Emulator) -> None:
        self.inner, self.emulator = inner, emulator

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        emulator, faults = self.emulator, self.emulator.faults
        if scope["type"] != "http" or scope["path"].startswith(OWN):
            await self.inner(scope, receive, send)
            return
        kind = faults.draw((*STATUSES, BEFORE))
        if kind == BEFORE:
            await cut(send, receive)
            return
        if kind == "404":
            emulator.denied.append(scope["path"] + "?" + scope["query_string"].decode("latin-1"))
        if kind is not None:
            headers = {EMULATOR: emulator.name, **({"Retry-After": "1"} if kind in ("429", "503") else {})}
            status, content = emulator.refusal(kind)
            refused = JSONResponse(content, status, headers)
            await refused(scope, receive, send)
            return
        parts: list[Message] = []

        async def keep(message: Message) -> None:
            parts.append(message)

        silent = emulator.synchronous and scope["method"] == "POST" and faults.draw(("never-finishes",))
        await self.inner(scope, receive, keep)
        if silent:
            # The job was taken on, and there will be no answer.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        start = parts[0]
        body = b"".join(part.get("body", b"") for part in parts[1:])
        kind = faults.draw(AFTERWARDS)
        if kind == "disconnect-after":
            await cut(send, receive)
            return
        if kind == "truncated":
            body = body[: len(body) // 2]
        kept = [(key, value) for key, value in start["headers"] if key != b"content-length"]
        size = (b"content-length", str(len(body)).encode())
        await send({**start, "headers": [*kept, size, (EMULATOR.lower().encode(), emulator.name.encode())]})
        step = len(body) // DRIPS + 1 if kind == "slow" else max(1, len(body))
        for place in range(0, len(body), step):
            if place:
                await asyncio.sleep(DRIP)
            more = place + step < len(body)
            await send({"type": "http.response.body", "body": body[place : place + step], "more_body": more})
        if not body:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def refuse(status: int, body: Any) -> HTTPException:
    """Return what an endpoint raises to answer with an HTTP status and a body of JSON."""
    refusal = HTTPException(status)
    refusal.detail = body
    return refusal


async def _refused(request: HttpRequest, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(error.detail, error.status_code, error.headers)


class Lenient(JSONResponse):
    """JSON that may hold NaN, which is none, where a fault asks for it."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, separators=(",", ":")).encode()


async def cut(send: Send, receive: Receive) -> None:
    """Cut the connection of a request: ``send`` is a method of the server's object for it."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass


def seed_of(*parts: bytes | str) -> int:
    """Return a seed that depends on a job alone.

    >>> seed_of("a") == seed_of(b"a") != seed_of("b")
    True
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return int.from_bytes(digest.digest(), "little")


def digest_of(body: bytes) -> str:
    """Return the hash of a body, by which a job is told where the protocol has no place for a tag."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()
