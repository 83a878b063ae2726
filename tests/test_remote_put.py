"""A PUT is sent again until it is answered; when it is not, it is said whether it may have arrived."""

from __future__ import annotations

import httpx
import pytest

from rapid_ising.deadline import Deadline
from rapid_ising.errors import AuthenticationError, BackendError, UnknownOutcomeError
from rapid_ising.remote import Transport
from rapid_ising.remote.transport import TRIES


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid_ising.remote.transport.sleep", lambda seconds: None)


def way(*outcomes: int | Exception) -> tuple[Transport, list[httpx.Request]]:
    """Return a transport to a service that answers so, the last for ever, and what it is sent."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        outcome = outcomes[min(len(seen), len(outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome)

    transport = Transport("demo", "http://here")
    transport._client = httpx.Client(transport=httpx.MockTransport(answer))
    return transport, seen


BROKEN = httpx.ReadError("cut")
REFUSED = httpx.ConnectError("refused")


@pytest.mark.parametrize("failure", [BROKEN, REFUSED, 500, 502, 503, 429])
def test_it_is_sent_again_as_it_was(failure: int | Exception) -> None:
    transport, seen = way(failure, failure, 201)
    assert transport.put("/a", b"body", deadline=Deadline(9), expected=(201,)).status == 201
    assert [(r.method, r.url.path, r.content) for r in seen] == [("PUT", "/a", b"body")] * 3


@pytest.mark.parametrize("failure", [BROKEN, 500])
def test_nobody_knows_when_it_may_have_arrived(failure: int | Exception) -> None:
    transport, seen = way(failure)
    with pytest.raises(UnknownOutcomeError, match="may be with the machine or not") as caught:
        transport.put("/a", b"", deadline=Deadline(9))
    assert len(seen) == TRIES
    assert type(caught.value.__cause__) is BackendError


def test_a_later_refusal_tells_nothing_of_the_try_before() -> None:
    transport, _ = way(BROKEN, 401)
    with pytest.raises(UnknownOutcomeError) as caught:
        transport.put("/a", b"", deadline=Deadline(9))
    assert isinstance(caught.value.__cause__, AuthenticationError)


@pytest.mark.parametrize(
    ("failure", "kind"), [(REFUSED, BackendError), (503, BackendError), (401, AuthenticationError)]
)
def test_what_was_never_taken_on_is_a_plain_failure(failure: int | Exception, kind: type) -> None:
    transport, _ = way(failure)
    with pytest.raises(kind) as caught:
        transport.put("/a", b"", deadline=Deadline(9))
    assert not isinstance(caught.value, UnknownOutcomeError)
