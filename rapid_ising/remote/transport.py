"""The one way to a service: time-outs, retries where they are safe, and no secret in what is said."""

from __future__ import annotations

import dataclasses
import math
import re
import socket
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, final

import httpx

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
from rapid_ising.log import logger
from rapid_ising.progress import waiting
from rapid_ising.remote.address import checked_url, loopback
from rapid_ising.remote.authorisation import Authorisation, hide_in_logs
from rapid_ising.remote.backoff import Backoff, retry_after
from rapid_ising.remote.punctual import keep_to, make_punctual
from rapid_ising.remote.secret import Secret
from rapid_ising.version import __version__

log = logger(__name__)
CONNECT, SILENCE = 10.0, 120.0
"""Seconds until a connection stands, and between two pieces of an answer."""
IDLE = 3.0
"""Seconds after which a connection is not used again: less than services leave one open."""
PATIENCE = 3600.0
"""The seconds that an answer is waited for where no deadline was given, and the longest pause."""
TRIES, FIRST_TRIES = 8, 3
"""The most tries in a row at a service that fails, and at one whose name nobody has known yet."""
LARGEST = 2**31
"""The bytes of the largest answer that is read."""
MOST_TOLD = 2**16
"""The characters of a text from outside that are looked at for a message."""
EMULATOR = "X-Rapid-Ising-Emulator"
"""The header by which an emulator says that it is none of the real machines."""
UNAUTHORIZED, FORBIDDEN, TOO_MANY, UNAVAILABLE, SERVER_ERROR = 401, 403, 429, 503, 500

sleep: Callable[[float], None] = time.sleep
"""How a pause is made; tests make it shorter."""


@final
@dataclasses.dataclass(frozen=True)
class Reply:
    """What a service answered."""

    status: int
    # Neither is in the repr: a service may send the token back.
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Failure(NamedTuple):
    """Why a try has no answer."""

    said: str
    seen: bool
    """Whether the service may have seen the request."""
    late: bool = False
    """Whether time ran out while it was waited for."""
    final: bool = False
    """Whether the next try would end alike."""
    nameless: bool = False
    """Whether the name of the service could not be turned into an address."""


@final
class Transport:
    """Requests to one service, each within its deadline.

    A GET, PUT or DELETE is tried again after any failure that may pass. A POST is tried again only where the
    service cannot have taken it on: on 429 and 503, when the answer says busy, and when no connection came
    about. After any other failure nobody knows, and that is the error.

    Parameters
    ----------
    machine
        The name of the machine, for messages.
    url
        Where the service is, without a user, a password or a query; None when it was not told, and then
        every request is an error.
    token
        What authorises, if anything.
    header, prefix
        The header that the token goes into, and what stands before it there.
    backoff
        The pauses between tries.
    variable
        The environment variable that the address can stand in, for messages.

    Raises
    ------
    InvalidParameterError
        If the address is none of a service.
    """

    def __init__(
        self,
        machine: str,
        url: str | None,
        token: Secret | None = None,
        *,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        backoff: Backoff | None = None,
        variable: str | None = None,
    ) -> None:
        self.machine = machine
        self.url = None if url is None else checked_url(machine, url)
        self._variable = variable
        self._token = token
        self._authorisation = None if token is None else Authorisation(token, header, prefix)
        if token is not None:
            hide_in_logs(token)
        self._backoff = backoff or Backoff()
        self._client: httpx.Client | None = None
        self._known = False
        self.emulated: str | None = None
        """What an emulator said that it is; None for a service that said nothing of the kind."""

    def address(self) -> str:
        """Return where the service is.

        Raises
        ------
        InvalidParameterError
            If it was not told.
        """
        if self.url is None:
            also = f", or set the environment variable {self._variable}" if self._variable else ""
            raise InvalidParameterError(
                f"{self.machine} has no address: give url='https://host/...'{also}; "
                "--emulate rehearses without one"
            )
        return self.url

    def get(self, path: str, *, deadline: Deadline, **options: Any) -> Reply:
        """Return the answer to a GET; see ``request``."""
        return self.request("GET", path, deadline=deadline, **options)

    def post(self, path: str, body: bytes, *, deadline: Deadline, **options: Any) -> Reply:
        """Return the answer to a POST; see ``request``."""
        return self.request("POST", path, body=body, deadline=deadline, **options)

    def put(self, path: str, body: bytes, *, deadline: Deadline, **options: Any) -> Reply:
        """Return the answer to a PUT, tried again after any failure that may pass; see ``request``.

        Raises
        ------
        UnknownOutcomeError
            If it failed for good and an earlier try may have been taken on; the failure is the cause.
        """
        doubts: list[str] = []
        try:
            return self.request("PUT", path, body=body, deadline=deadline, doubts=doubts, **options)
        except BackendError as error:
            if doubts:
                raise self.unknown(doubts[-1], timed_out=True) from error
            raise

    def delete(self, path: str, *, deadline: Deadline, **options: Any) -> Reply:
        """Return the answer to a DELETE; see ``request``."""
        return self.request("DELETE", path, deadline=deadline, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        body: bytes = b"",
        params: Mapping[str, str | int | float] | None = None,
        headers: Mapping[str, str] | None = None,
        expected: Collection[int] = (200,),
        busy: Callable[[Reply], bool] = lambda reply: False,
        idempotent: bool | None = None,
        doubts: list[str] | None = None,
        silence: float = SILENCE,
    ) -> Reply:
        """Return the answer to one request, after as many tries as are safe.

        Parameters
        ----------
        method, path, body, params, headers
            The request.
        deadline
            When the answer is to be there.
        expected
            The statuses that the caller understands; any other is an error.
        busy
            Whether an answer says that the service took nothing on and wants to be asked later.
        idempotent
            Whether it may be sent twice; None says so of everything but POST.
        doubts
            A list that takes each failure after which the service may have taken the request on.
        silence
            The seconds that the service may say nothing: longer where it computes before it answers.

        Raises
        ------
        InvalidParameterError
            If the address was not told.
        AuthenticationError
            On 401 and 403.
        RejectedError
            On a status that is not expected.
        UnknownOutcomeError
            If a POST failed such that the service may have taken it on; ``timed_out`` says whether it may
            still do so.
        DeadlineExceededError
            If nothing was sent, or nothing that counts, before the deadline.
        BackendError
            If the service fails again and again.
        """
        self.address()
        if math.isinf(deadline.remaining):
            deadline = Deadline(PATIENCE)
        again = method != "POST" if idempotent is None else idempotent
        failures, pauses, failed, tries = 0, self._backoff.pauses(), "", TRIES
        while True:
            if deadline.passed:
                raise self._late(deadline, failed)
            wait = 0.0
            # Errors are raised here and not where they are caught: the context of one that another library
            # raised holds the headers of the request.
            reply = self._tried(method, path, body, params, headers, deadline, silence)
            if isinstance(reply, Failure):
                failed = reply.said
                # A wrong address, or no network at all; one that was known comes back perhaps.
                tries = FIRST_TRIES if reply.nameless and not self._known else TRIES
                if reply.seen and not again:
                    raise self.unknown(failed, timed_out=reply.late)
                if reply.seen and doubts is not None:
                    doubts.append(failed)
                if reply.final:
                    raise BackendError(f"{self.machine} {failed}")
            elif reply.status in (TOO_MANY, UNAVAILABLE) or is_busy(busy, reply, expected):
                wait = retry_after(reply.headers.get("retry-after"))
                failed = f"is busy ({self.said(reply)})"
                left = max(0.0, min(PATIENCE, deadline.remaining))
                if wait > left:
                    raise BackendError(
                        f"{self.machine} {failed} and asks to wait {wait:.0f} s, longer than the "
                        f"{left:.0f} s that are left: try again later, or give a later deadline"
                    )
            elif reply.status in expected:
                return reply
            elif reply.status >= SERVER_ERROR:
                failed = f"failed ({self.said(reply)})"
                if not again:
                    raise self.unknown(failed, timed_out=False)
                if doubts is not None:
                    doubts.append(failed)
            elif reply.status in (UNAUTHORIZED, FORBIDDEN):
                raise AuthenticationError(
                    f"{self.machine} refuses the token ({self.said(reply)}): renew it, or ask for "
                    "the right to use the machine"
                )
            else:
                raise RejectedError(f"{self.machine} refuses the request ({self.said(reply)})")
            failures += 1
            if failures >= tries:
                raise BackendError(f"{self.machine} {failed}, {failures} times in a row: try again later")
            pause = min(max(wait, next(pauses)), max(0.0, deadline.remaining))
            log.info("%s %s: try %d in %.2g s", self.machine, failed, failures + 1, pause)
            # Its details are for the log and the error.
            what = re.split(r": | \(| at ", failed)[0]
            with waiting(f"{self.machine} {what}: trying again in {pause:.2g} s"):
                sleep(pause)

    def _tried(
        self,
        method: str,
        path: str,
        body: bytes,
        params: Mapping[str, str | int | float] | None,
        headers: Mapping[str, str] | None,
        deadline: Deadline,
        silence: float,
    ) -> Reply | Failure:
        """Return the answer to one try, or why there is none."""
        try:
            return self._once(method, path, body, params, headers, deadline, silence)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            # An id that a service gave stands in a path.
            return Failure(f"cannot be asked for {path!r:.200}: {self.told(error)}", seen=False, final=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            known = any(word in str(error) for word in ("CERTIFICATE", "WRONG_VERSION"))
            said = f"cannot be reached at {self.url}: {self.told(error)}"
            return Failure(said, seen=False, final=known, nameless=has_no_address(error))
        except (httpx.TransportError, httpx.DecodingError) as error:
            late = isinstance(error, httpx.TimeoutException)
            return Failure(f"broke off: {self.told(error)}", seen=True, late=late)

    def _once(
        self,
        method: str,
        path: str,
        body: bytes,
        params: Mapping[str, str | int | float] | None,
        headers: Mapping[str, str] | None,
        deadline: Deadline,
        silence: float,
    ) -> Reply:
        left = max(1e-3, deadline.remaining)
        asked = self.client.stream(
            method,
            self.address() + path,
            content=body or None,
            params=params,
            headers=dict(headers or {}),
            auth=self._authorisation,
            timeout=httpx.Timeout(min(silence, left), connect=min(CONNECT, left)),
        )
        with keep_to(deadline), asked as reply:
            pieces, size = [], 0
            for piece in reply.iter_bytes():
                pieces.append(piece)
                size += len(piece)
                if deadline.passed:
                    # Bytes that drip would keep every single time-out.
                    raise httpx.ReadTimeout("the answer was not whole at the deadline")
                if size > LARGEST:
                    raise ProtocolError(
                        f"{self.machine} answers more than {LARGEST} bytes: ask for fewer reads"
                    )
            self._known = True
            if EMULATOR in reply.headers:
                self.emulated = self.told(reply.headers[EMULATOR])
            return Reply(reply.status_code, dict(reply.headers), b"".join(pieces))

    @property
    def client(self) -> httpx.Client:
        """The connections, made at the first request and closed with this object."""
        if self._client is None:
            self._client = httpx.Client(
                headers={"User-Agent": f"rapid-ising/{__version__}"},
                follow_redirects=False,
                # Certificates take a while to load, and are looked at for https alone.
                verify=self.address().startswith("https:"),
                limits=httpx.Limits(keepalive_expiry=IDLE),
                # A proxy of the environment does not lead to this computer.
                trust_env=not loopback(self.address()),
            )
            make_punctual(self._client)
            weakref.finalize(self, self._client.close)
        return self._client

    def _late(self, deadline: Deadline, failed: str) -> DeadlineExceededError:
        error = deadline.exceeded(self.machine)
        return DeadlineExceededError(f"{error}; it {failed}") if failed else error

    def unknown(self, failed: str, *, timed_out: bool) -> UnknownOutcomeError:
        """Return the error of a job that the machine may have, or not."""
        error = UnknownOutcomeError(
            f"{self.machine} {failed}: the job may be with the machine or not; it was not sent again, since "
            "it might be billed twice"
        )
        error.timed_out = timed_out
        return error

    def said(self, reply: Reply) -> str:
        """Return status and text of an answer, for a message."""
        return f"status {reply.status}: {self.told(reply.text)}"

    def told(self, what: object) -> str:
        """Return a text from outside for a message: one line, not long, without the token.

        >>> Transport("demo", "http://127.0.0.1", Secret("swordfish")).told("swordfish?" + chr(10) + "no")
        '***? no'
        """
        text = str(what)
        if len(text) > MOST_TOLD:
            text = text[:MOST_TOLD]
        # Before and after: white space in a token is made one space.
        text = " ".join(self.hidden(text).split()) or type(what).__name__
        text = self.hidden("".join(c if c.isprintable() else "?" for c in text))
        return text if len(text) <= 300 else text[:300] + "..."

    def hidden(self, text: str) -> str:
        """Return a text without the token."""
        return text if self._token is None else self._token.hidden_in(text)


def has_no_address(error: BaseException | None) -> bool:
    """Return whether an error comes from a name that could not be turned into an address."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return error is not None


def is_busy(busy: Callable[[Reply], bool], reply: Reply, expected: Collection[int]) -> bool:
    """Return whether an answer says busy; one of another status may be none of the document's."""
    try:
        return busy(reply)
    except ProtocolError:
        if reply.status in expected:
            raise
        return False
