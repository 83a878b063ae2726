"""The transport's law, branch by branch, over a socket."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import logging
import re
import socket
import time
from collections.abc import Iterator

import pytest
from loopback import Step, answer, cut, dripping, echo, everything, raw, scripted, silent

from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import Reply, Secret, Transport, decoded, transport
from rapid_ising.remote.backoff import Backoff, retry_after
from rapid_ising.remote.transport import FIRST_TRIES, PATIENCE, TRIES, Failure

TOKEN = "mack\"erel\\ '&%"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make no pauses, and note how long they would have been."""
    made: list[float] = []
    monkeypatch.setattr(transport, "sleep", made.append)
    return made


def nowhere() -> str:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


PASSING: dict[str, Step] = {
    "500": answer(500),
    "502": answer(502),
    "cut": cut,
    "half a header": raw(b"HTTP/1.1 20"),
    "half a body": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "broken gzip": answer(200, gzip.compress(b"{}")[:-12] + b"xxxxxxxxxxxx", content_encoding="gzip"),
}
UNTOUCHED: dict[str, Step] = {"429": answer(429), "503": answer(503)}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("failure", [*PASSING, *UNTOUCHED])
def test_what_may_be_asked_twice_is(failure: str, method: str, pauses: list[float]) -> None:
    step = {**PASSING, **UNTOUCHED}[failure]
    with scripted(step, step, answer(200, b"done")) as service:
        reply = Transport("demo", service.url).request(method, "/a", deadline=Deadline(20))
    assert reply.body == b"done"
    assert [(asked.method, asked.path) for asked in service.asked] == [(method, "/a")] * 3
    assert len(pauses) == 2


@pytest.mark.parametrize("failure", UNTOUCHED)
def test_a_post_that_was_not_taken_on_is_sent_again(failure: str, pauses: list[float]) -> None:
    with scripted(UNTOUCHED[failure], answer(200, b"done")) as service:
        assert Transport("demo", service.url).post("/a", b"job", deadline=Deadline(20)).body == b"done"
    assert [asked.body for asked in service.asked] == [b"job"] * 2


def test_a_post_to_a_busy_service_is_sent_again(pauses: list[float]) -> None:
    with scripted(answer(200, b"busy"), answer(200, b"done")) as service:
        way = Transport("demo", service.url)
        busy = way.post("/", b"job", deadline=Deadline(20), busy=lambda reply: reply.body == b"busy")
    assert busy.body == b"done"
    assert len(service.asked) == 2


def test_what_is_none_of_the_documents_answers_is_not_busy(pauses: list[float]) -> None:
    def busy(reply: Reply) -> bool:
        return decoded("demo", reply.body, dict[str, int])["busy"] == 1

    with scripted(answer(401, b"<html>"), answer(500, b"<html>"), answer(200, b"<html>")) as service:
        way = Transport("demo", service.url)
        for kind in (AuthenticationError, UnknownOutcomeError, ProtocolError):
            with pytest.raises(kind):
                way.post("/", b"job", deadline=Deadline(20), busy=busy)
    assert len(service.asked) == 3


def test_a_post_to_a_refused_connection_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(nowhere().rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        servers: list[socket.socket] = []
        monkeypatch.setattr(
            transport,
            "sleep",
            lambda seconds: servers.append(stack.enter_context(socket.create_server(("127.0.0.1", port)))),
        )
        with pytest.raises(UnknownOutcomeError, match="not sent again") as caught:
            # Nobody listens at first, and then somebody who says nothing.
            Transport("demo", f"http://127.0.0.1:{port}").post("/", b"job", deadline=Deadline(0.5))
    assert len(servers) == 1
    assert caught.value.timed_out


@pytest.mark.parametrize("failure", PASSING)
def test_a_post_whose_fate_is_unknown_is_never_sent_again(failure: str, pauses: list[float]) -> None:
    with (
        scripted(PASSING[failure], answer()) as service,
        pytest.raises(UnknownOutcomeError, match="may be with the machine or not") as caught,
    ):
        Transport("demo", service.url).post("/", b"job", deadline=Deadline(20))
    assert len(service.asked) == 1
    assert not caught.value.timed_out
    assert pauses == []


def test_a_post_that_is_safe_to_repeat_is(pauses: list[float]) -> None:
    with scripted(cut, answer()) as service:
        assert Transport("demo", service.url).post("/", b"", deadline=Deadline(20), idempotent=True)
    assert len(service.asked) == 2


@pytest.mark.parametrize(("failure", "told"), [(answer(500), "status 500"), (cut, "broke off")])
def test_a_service_that_fails_again_and_again_is_given_up(
    failure: Step, told: str, pauses: list[float]
) -> None:
    with (
        scripted(failure) as service,
        pytest.raises(BackendError, match=rf"{told}.*{TRIES} times in a row: try again later"),
    ):
        Transport("demo", service.url).get("/", deadline=Deadline(20))
    assert len(service.asked) == TRIES
    assert len(pauses) == TRIES - 1


def test_a_service_that_is_not_there_is_told_with_its_address(pauses: list[float]) -> None:
    url = nowhere()
    with pytest.raises(BackendError, match=f"cannot be reached at {url}.* 8 times"):
        Transport("demo", url).post("/", b"", deadline=Deadline(20))


def test_a_name_that_nobody_knows_is_given_up_sooner_than_one_that_was_known(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    @contextlib.contextmanager
    def shown(what: str) -> Iterator[None]:
        told.append(what)
        yield

    monkeypatch.setattr(transport, "waiting", shown)

    def unknown(*given: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    with scripted(answer(200)) as service:
        way = Transport("demo", service.url.replace("127.0.0.1", "localhost"))
        known = Transport("demo", service.url.replace("127.0.0.1", "localhost"))
        known.get("/", deadline=Deadline(20))
        known.client.close()
        known._client = None
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", unknown)
            with pytest.raises(BackendError, match=rf"not known, {FIRST_TRIES} times in a row"):
                way.get("/", deadline=Deadline(20))
            assert len(pauses) == FIRST_TRIES - 1
            assert re.fullmatch(r"demo cannot be reached: trying again in [\d.]+ s", told[0])
            with pytest.raises(BackendError, match=rf"not known, {TRIES} times in a row"):
                known.get("/", deadline=Deadline(20))


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said_at_once(status: int, pauses: list[float]) -> None:
    with scripted(answer(status, b"who?")) as service:
        with pytest.raises(AuthenticationError, match=rf"status {status}: who\?.*renew"):
            Transport("demo", service.url).get("/", deadline=Deadline(20))
        assert len(service.asked) == 1


@pytest.mark.parametrize("status", [301, 400, 404, 413])
def test_a_status_that_is_not_expected_is_a_refusal(status: int, pauses: list[float]) -> None:
    with scripted(answer(status, b"no", location="http://elsewhere.invalid/")) as service:
        way = Transport("demo", service.url)
        with pytest.raises(RejectedError, match=f"status {status}: no"):
            way.get("/", deadline=Deadline(20))
        assert way.get("/", deadline=Deadline(20), expected=(status,)).status == status
    assert len(service.asked) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_as_long_as_the_service_asks_for(status: int, pauses: list[float]) -> None:
    soon = email.utils.formatdate(time.time() + 15, usegmt=True)
    with scripted(answer(status, retry_after="7"), answer(status, retry_after=soon), answer()) as service:
        Transport("demo", service.url).get("/", deadline=Deadline(60))
    assert pauses[0] == 7.0
    assert 12 < pauses[1] <= 15


@pytest.mark.parametrize("asks", ["3600", "9" * 400])
def test_a_pause_longer_than_the_deadline_is_not_begun(asks: str, pauses: list[float]) -> None:
    with (
        scripted(answer(429, b"later", retry_after=asks)) as service,
        pytest.raises(BackendError, match=r"is busy .status 429: later. and asks to wait .* than the 5 s"),
    ):
        Transport("demo", service.url).get("/", deadline=Deadline(5))
    assert pauses == []


def test_without_a_deadline_no_pause_is_for_ever(pauses: list[float]) -> None:
    with (
        scripted(answer(429, retry_after=f"{2 * PATIENCE:.0f}")) as service,
        pytest.raises(BackendError, match="asks to wait 7200 s, longer than the 3600 s"),
    ):
        Transport("demo", service.url).get("/", deadline=Deadline(None))


def test_the_last_pause_ends_at_the_deadline() -> None:
    way = Transport("demo", nowhere(), backoff=Backoff(first=60.0))
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError, match=r"its deadline of 0.2 s: .*; it cannot be reached"):
        way.get("/", deadline=Deadline(0.2))
    assert time.monotonic() - began < 5


def test_pauses_grow_with_jitter_up_to_a_limit() -> None:
    pauses = Backoff(1.0, 2.0, 4.0, jitter=0.5).pauses()
    for most in (1.0, 2.0, 4.0, 4.0):
        assert most / 2 < next(pauses) <= most


def test_times_to_wait_that_are_none() -> None:
    for text in ("", "-1", "1,5", "nan", "inf", "Thu, 99 Foo 2020", "²"):
        assert retry_after(text) == 0.0
    past = email.utils.formatdate(time.time() - 60, usegmt=True)
    assert retry_after(past) == 0.0
    zoneless = email.utils.formatdate(time.time() + 60)
    assert zoneless.endswith("-0000")
    assert 55 < retry_after(zoneless) <= 60


SLOW: dict[str, Step] = {
    "silence": silent,
    "a header in drips": dripping(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 400),
    "informational answers": dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
    "a body in drips": dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n" + b" " * 400, 0.03),
    "chunks in drips": dripping(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 400, 0.02
    ),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("slowness", SLOW)
def test_an_answer_in_drips_keeps_to_the_deadline(slowness: str, method: str) -> None:
    began = time.monotonic()
    with scripted(SLOW[slowness]) as service:
        way = Transport("demo", service.url, backoff=Backoff(first=0.01))
        kind = DeadlineExceededError if method == "GET" else UnknownOutcomeError
        with pytest.raises(kind, match=r"demo (did not finish within its deadline|broke off)") as caught:
            way.request(method, "/", deadline=Deadline(0.4))
        taken = time.monotonic() - began
    assert taken < 2
    assert getattr(caught.value, "timed_out", True)


def test_a_service_that_does_not_read_keeps_to_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        way = Transport("demo", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(UnknownOutcomeError) as caught:
            way.post("/", bytes(30_000_000), deadline=Deadline(0.4))
    assert time.monotonic() - began < 3
    assert caught.value.timed_out


def test_a_connection_that_does_not_stand_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        # The queue is full: the next one waits for its turn.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        way = Transport("demo", f"http://127.0.0.1:{server.getsockname()[1]}", backoff=Backoff(first=0.01))
        monkeypatch.setattr(transport, "CONNECT", 0.1)
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError, match="cannot be reached"):
            # No POST was sent, so that it is tried again.
            way.post("/", b"job", deadline=Deadline(0.5))
    assert 0.4 < time.monotonic() - began < 3


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    deadline = Deadline(1e-6)
    time.sleep(0.001)
    with scripted(answer()) as service:
        with pytest.raises(DeadlineExceededError):
            Transport("demo", service.url).post("/", b"job", deadline=deadline)
        assert service.asked == []


def test_an_answer_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST", 1000)
    bomb = gzip.compress(bytes(10_000_000))
    with (
        scripted(answer(200, bomb, content_encoding="gzip")) as service,
        pytest.raises(ProtocolError, match="more than 1000 bytes: ask for fewer reads"),
    ):
        Transport("demo", service.url).get("/", deadline=Deadline(20))


def test_an_id_that_makes_no_address_is_an_error_and_not_sent() -> None:
    with scripted(answer()) as service:
        way = Transport("demo", service.url)
        with pytest.raises(BackendError, match="cannot be asked for"):
            way.get("/jobs/\x00", deadline=Deadline(20))
        assert service.asked == []


def test_a_certificate_that_nobody_signed_is_not_tried_again(pauses: list[float]) -> None:
    with (
        scripted(raw(b"HTTP/1.1 400 Bad\r\n\r\n")) as service,
        pytest.raises(BackendError, match=r"cannot be reached at https://127.0.0.1.*WRONG_VERSION"),
    ):
        # A service without TLS is as good as one with another's certificate.
        Transport("demo", service.url.replace("http", "https")).get("/", deadline=Deadline(20))
    assert pauses == []


def test_what_goes_along_with_a_request() -> None:
    with scripted(answer()) as service:
        way = Transport("demo", service.url + "/api/", Secret("tok"), header="X-Api-Key", prefix="")
        way.post("/solve", b"job", deadline=Deadline(20), params={"a": 1}, headers={"Content-Type": "text/x"})
    asked = service.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/solve?a=1", b"job")
    assert (asked.headers["x-api-key"], asked.headers["content-type"]) == ("tok", "text/x")
    assert asked.headers["user-agent"].startswith("rapid-ising/")
    assert "authorization" not in asked.headers


def test_a_proxy_of_the_environment_does_not_lead_to_this_computer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", nowhere())
    monkeypatch.setenv("http_proxy", nowhere())
    with scripted(answer()) as service:
        assert Transport("demo", service.url).get("/", deadline=Deadline(5)).status == 200


def test_an_emulator_says_what_it_is() -> None:
    with scripted(answer(200, b"{}", X_Rapid_Ising_Emulator="demo"), answer()) as service:
        way = Transport("demo", service.url)
        assert way.emulated is None
        way.get("/", deadline=Deadline(20))
        way.get("/", deadline=Deadline(20))
    assert way.emulated == "demo"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def shapes(token: str) -> list[str]:
    """Return what must show nowhere: the token, and its parts between what is escaped in one way or other."""
    return [token, "mack", "erel"]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_a_token_that_the_service_sends_back_is_nowhere(
    status: int, header: str, pauses: list[float], logged: pytest.LogCaptureFixture
) -> None:
    with scripted(echo(status)) as service:
        way = Transport("demo", service.url, Secret(TOKEN), header=header)
        said = ""
        try:
            said = repr(way.post("/", b"job", deadline=Deadline(20)))
        except BackendError as error:
            said = everything(error)
        if status != 429:
            assert TOKEN in service.asked[0].headers[header.lower()]
    assert ("***" in said) == (status != 200)
    for text in shapes(TOKEN):
        assert text not in said
        assert text not in logged.text
    assert "x-echo" in logged.text


@pytest.mark.parametrize("failure", [*PASSING, "nobody", "id"])
def test_no_error_of_another_library_is_in_a_context(failure: str, pauses: list[float]) -> None:
    with scripted(PASSING.get(failure, answer())) as service:
        way = Transport("demo", nowhere() if failure == "nobody" else service.url, Secret(TOKEN))
        for method in ("GET", "POST"):
            with pytest.raises(BackendError) as caught:
                way.request(method, "/\x00" if failure == "id" else "/", deadline=Deadline(20))
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
            assert "mack" not in everything(caught.value)


def test_a_transport_tells_no_token() -> None:
    way = Transport("demo", "http://127.0.0.1", Secret(TOKEN))
    assert "mack" not in repr(way) + repr(vars(way)) + repr(Failure("", seen=False))
    assert "mack" not in repr(Reply(200, {"echo": TOKEN}, TOKEN.encode()))


def test_a_long_text_is_told_short_and_in_one_line() -> None:
    way = Transport("demo", "http://127.0.0.1", Secret("mack  erel"))
    assert way.told("no\n\tmack  erel\x1b[0m") == "no ***?[0m"
    assert way.told("mack erel, mack%20%20erel, mack+erel") == "***, ***, ***"
    assert len(way.told("x" * 10**7)) == 303
    assert way.told(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "http://",
        "http://me@example.org",
        "http://me:mackerel@example.org",
        "https://example.org/?token=mackerel",
        "https://example.org/?",
        "https://example.org/#mackerel",
        "http://example.org:0",
        "http://example.org:99999",
        "http://example.org:port",
        "http://exam ple.org",
        "http://example.org/\n",
        "http://[::1",
        None,
        8,
    ],
)
def test_an_address_that_is_none_of_a_service(url: object) -> None:
    if url is None:
        with pytest.raises(InvalidParameterError, match="has no address"):
            Transport("demo", None).get("/", deadline=Deadline(1))
        return
    with pytest.raises(InvalidParameterError, match="url of demo must") as caught:
        Transport("demo", url)  # type: ignore[arg-type]
    assert "mack" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/", "https://example.org/a/b", "http://[::1]:8"])
def test_an_address_of_a_service(url: str) -> None:
    assert Transport("demo", url).url == url.rstrip("/")
