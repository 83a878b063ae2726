"""A service that gives answers written down beforehand, and keeps the requests, below httpx."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import httpx

from rapid_ising.remote import RemoteMachine

Answer = httpx.Response | Exception


@contextlib.contextmanager
def answering(machine: RemoteMachine, *answers: Answer) -> Iterator[list[httpx.Request]]:
    """Give these answers to what ``machine`` sends, one after the other; yield the requests."""
    left, seen = list(answers), []

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reply: Callable[[httpx.Request], httpx.Response] = handle
    with httpx.Client(transport=httpx.MockTransport(reply)) as client:
        machine.transport._client = client
        yield seen
    assert not left, f"{len(left)} answers were not asked for"
