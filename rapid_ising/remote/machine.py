"""A machine behind a service: a job is sent, looked after, fetched, read, and cleared away."""

from __future__ import annotations

import contextlib
import math
import os
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, final

from rapid_ising.backend import Machine
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    JobFailedError,
    ProtocolError,
    RapidIsingError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.job import Finished, Submission
from rapid_ising.log import logger
from rapid_ising.progress import Bar
from rapid_ising.remote import transport
from rapid_ising.remote.backoff import Backoff
from rapid_ising.remote.secret import Secret, token_from
from rapid_ising.remote.transport import PATIENCE, Transport
from rapid_ising.request import Answer, Request
from rapid_ising.typing import States

log = logger(__name__)
CONTRACT_TESTED = "contract-tested, not yet run on hardware"
"""What an adapter says of itself until a person with an account has run ``pytest -m live``."""
GRACE = 10.0
"""The seconds for clearing a job away when the deadline is over."""
LOOK_AGAIN = 3
"""How often an answer that cannot be one is fetched again."""
LATEST = 60.0
"""The seconds after which a job is taken to have come, if it comes at all."""
LOOKS = (0.2, 1.0, 2.0)
"""The pauses before each look for a job whose fate is unknown."""
POLLS = Backoff(first=0.05, factor=1.5, longest=5.0, jitter=0.2)


class Sent(NamedTuple):
    """What a service said when it took a job on."""

    id: str
    reply: Any = None
    """Its answer, where it answered at once."""


class Doubtful(NamedTuple):
    """A job that the service may have, or may still take on, and that nobody waits for."""

    request: Request
    tag: str
    since: float
    timed_out: bool


class RemoteMachine(Machine):
    """A machine behind a service; an adapter gives the protocol: ``_send``, ``_fetch`` and ``_read``.

    No job is sent twice: where a POST ended such that nobody knows, it is looked up (``_find``), and sent
    again only if it is not there and can come no more. A job that is not needed any more is cancelled and
    forgotten on the machine, also after a failure, so that it keeps no slot.
    """

    url: str | None
    token: str | Secret | None
    transport: Transport
    """The way to the service, made by ``_connect``."""
    untold: ClassVar[frozenset[str]] = frozenset({"url"})
    """A training goes on at another address of the machine: a checkpoint does not compare it."""
    finds: ClassVar[bool] = False
    """Whether a job can be found by its tag: the adapter has ``_find``."""
    _wanted: tuple[str, ...] = ()
    _left: list[str]
    _doubtful: list[Doubtful]
    keeps: ClassVar[bool] = False
    """Whether the machine keeps an answer, so that a job can be fetched by its id at a later time."""

    def _connect(
        self,
        *variables: str,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        required: bool = True,
        address: str | None = None,
    ) -> None:
        """Take the token from the option or the environment ``variables``; nothing is sent.

        ``address`` is the environment variable of the url where none was given; without either the machine
        can be planned for and not asked. A frozen dataclass calls it from ``__post_init__``.
        """
        secret = token_from(self.name, self.token, *variables)
        url = self.url if self.url is not None or address is None else os.environ.get(address) or None
        way = Transport(self.name, url, secret, header=header, prefix=prefix, variable=address)
        wanted = variables if required else ()
        for field, value in (
            ("url", url),
            ("token", secret),
            ("transport", way),
            ("_wanted", wanted),
            ("_left", []),
            ("_doubtful", []),
        ):
            # The way to set a field of a frozen dataclass.
            object.__setattr__(self, field, value)

    def _submit(self, request: Request) -> Submission:
        if request.model.num_variables == 0:
            return Finished(request.answer([[]] * request.num_reads, [{"stage": self.name}]))
        return self.sent(request, request.provenance.get("tag") or uuid.uuid4().hex)

    def require(self) -> None:
        """Raise when there is no address, no token, or not the vendor's own client; sends nothing."""
        self._require_client()
        self.transport.address()
        if self.token is None and self._wanted:
            raise AuthenticationError(
                f"{self.name} needs a token: set the environment variable {' or '.join(self._wanted)}, or "
                "give token=...; --emulate rehearses without one"
            )

    def _require_client(self) -> None:
        """Raise when the vendor's own client is not installed; an adapter that uses one provides it."""

    def sent(self, request: Request, tag: str) -> RemoteSubmission:
        """Send a checked request under a tag and return its submission."""
        self.require()
        self.clear(min(GRACE, request.deadline.remaining / 2))
        began, resends = time.time(), 0
        held = "tag" in request.provenance
        while True:
            try:
                taken = self._send(request, tag)
                log.info(
                    "%s: job %s sent, %d reads", self.name, self.transport.told(taken.id), request.num_reads
                )
                return RemoteSubmission(self, request, taken, held=held)
            except (UnknownOutcomeError, ProtocolError) as error:
                # An answer that tells no id is one from a service that may have taken the job on.
                if not self.finds:
                    raise
                failure = error
            timed_out = isinstance(failure, UnknownOutcomeError) and failure.timed_out
            doubt = Doubtful(request, tag, began, timed_out)
            try:
                id = self._looked_up(request, tag, began)
            except BackendError as error:
                self._doubt(doubt, held)
                raise UnknownOutcomeError(
                    f"{failure}; nor can it be looked up: {error}: ask the service which jobs it has"
                ) from error
            if id is not None:
                found = RemoteSubmission(self, request, Sent(id), held=held)
                if request.deadline.passed:
                    if not held:
                        found.abandon()
                    raise request.deadline.exceeded(self.name) from failure
                return found
            if timed_out or resends == 2 or request.deadline.passed:
                self._doubt(doubt, held)
                raise failure
            resends += 1

    def _doubt(self, doubt: Doubtful, held: bool) -> None:
        # A job in a journal is looked up when the journal is resumed.
        if not held:
            self._doubtful.append(doubt)

    def attach(self, request: Request, id: str) -> RemoteSubmission:
        """Return the submission of a job that was sent before, by another process perhaps."""
        log.info("%s: job %s is asked for again", self.name, self.transport.told(id))
        return RemoteSubmission(self, request, Sent(id), held="tag" in request.provenance)

    def find(self, request: Request, tag: str, since: float) -> str | None:
        """Return the id of the job with this tag, sent at the time ``since`` or later; None if there is none.

        Raises
        ------
        UnknownOutcomeError
            If it cannot be told.
        """
        if not self.finds:
            raise UnknownOutcomeError(
                f"{self.name} has no list of jobs, so that it cannot be told whether it took this one on"
            )
        return self._find(request, tag, since, request.deadline)

    def _looked_up(self, request: Request, tag: str, since: float) -> str | None:
        limit = request.deadline if request.deadline.remaining > GRACE else Deadline(GRACE)
        failure: BackendError | None = None
        for pause in LOOKS:
            transport.sleep(pause)
            try:
                id, failure = self._find(request, tag, since, limit), None
            except (ProtocolError, UnknownOutcomeError) as error:
                # The list may have been damaged on its way.
                id, failure = None, error
            if id is not None:
                return id
        if failure is not None:
            raise failure
        return None

    def clear(self, seconds: float = GRACE) -> int:
        """Have the jobs forgotten that could not be before, and return how many are still left.

        Those of an unknown fate are looked up first. It takes ``seconds`` in all, if the service is not well.
        """
        limit, now = Deadline(max(1e-3, seconds)), time.time()
        for doubt in list(self._doubtful):
            with contextlib.suppress(BackendError):
                id = self._find(doubt.request, doubt.tag, doubt.since, limit)
                self._left.extend([] if id is None else [id])
                if id is not None or not doubt.timed_out or now > doubt.since + LATEST:
                    self._doubtful.remove(doubt)
        for id in list(self._left):
            with contextlib.suppress(BackendError):
                self._drop(id, limit)
                self._left.remove(id)
        return len(self._left) + len(self._doubtful)

    def forget(self, id: str) -> None:
        """Let the machine clear a job away, now or before the next one is sent."""
        try:
            self._forget(id, Deadline(GRACE))
        except BackendError:
            self._left.append(id)

    def _drop(self, id: str, limit: Deadline) -> None:
        """Cancel a job that nobody waits for, and let the machine forget it."""
        self._cancel(id, limit)
        self._forget(id, limit)

    @abstractmethod
    def _send(self, request: Request, tag: str) -> Sent:
        """Send a request once; ``tag`` goes with it where the service has a place for one."""

    @abstractmethod
    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any | None:
        """Return the answer to a job, None while it is not done; raise JobFailedError when there is none."""

    @abstractmethod
    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        """Return the states in an answer, one row a read, and what to record; raise ProtocolError.

        Reported energies are held against those of the problem as it was sent: an answer to another problem,
        or one that was damaged on its way, is none.
        """

    def _find(self, request: Request, tag: str, since: float, deadline: Deadline) -> str | None:
        """Return the id of the job with this tag, or None."""
        raise UnknownOutcomeError(f"{self.name} has no list of jobs")

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        """Ask the machine to stop a job; return whether there will be no answer."""
        return False

    def _forget(self, id: str, deadline: Deadline) -> None:
        """Let the machine clear a job away whose answer is here, or not wanted."""

    @property
    def emulated(self) -> str | None:
        """What an emulator that was asked said that it is; None for a machine."""
        return self.transport.emulated


@final
class RemoteSubmission(Submission):
    """A job with a service.

    Parameters
    ----------
    machine, request, sent
        Where it is, what was asked, and what the service said.
    held
        Whether somebody keeps a journal of it: then the answer is written there before the machine may forget
        it, and the job is left on the machine when the deadline passes, to be fetched later.
    """

    def __init__(self, machine: RemoteMachine, request: Request, sent: Sent, *, held: bool = False) -> None:
        self._machine, self._request, self._held = machine, request, held
        self._reply: Any = sent.reply
        self._answer: Answer | None = None
        self._error: RapidIsingError | None = None
        self._pauses, self._next = POLLS.pauses(), 0.0
        self._began, self._broken = time.monotonic(), 0
        limit = request.deadline
        self._deadline = Deadline(PATIENCE) if math.isinf(limit.remaining) else limit
        self.id = sent.id
        self.keep: Callable[[Answer], None] = lambda answer: None
        """Called with the answer before the machine may forget it."""

    def done(self) -> bool:
        """Return whether there is an answer or an error; asks the machine, but not too often."""
        if self._answer is None and self._error is None and self._reply is None:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + next(self._pauses)
                self._poll()
        return self._answer is not None or self._error is not None or self._reply is not None

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answer, waiting up to ``timeout`` seconds or to the deadline."""
        wait = Deadline(timeout) if timeout is None or timeout > 0 else None
        with Bar(f"waiting for {self._machine.name}", None) as bar:
            while self._answer is None and self._error is None:
                if self.done():
                    if self._error is None:
                        self._take()
                    continue
                if self._deadline.passed:
                    error = self._deadline.exceeded(self._machine.name)
                    if self._held:
                        error.add_note(f"the job {self.id} is still with the machine and in the journal")
                    else:
                        self.abandon()
                    self._error = error
                    break
                if wait is None or wait.passed:
                    raise DeadlineExceededError(
                        f"{self._machine.name} has not answered job {self.id} within {timeout:g} s: ask again"
                    )
                pause = self._next - time.monotonic()
                bar.advance(0, note=f"at most {self._deadline.remaining:.0f} s")
                transport.sleep(max(0.0, min(pause, self._deadline.remaining, wait.remaining)))
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer

    def cancel(self) -> bool:
        """Ask the machine to stop."""
        if self._answer is not None or self._error is not None or self._reply is not None:
            return False
        if not self._machine._cancel(self.id, Deadline(GRACE)):
            return False
        self._error = JobFailedError(f"{self._machine.name}: job {self.id} was cancelled")
        self._forget()
        return True

    def abandon(self) -> None:
        """Cancel the job and let the machine forget it, at a later time if it will not now."""
        try:
            self._machine._drop(self.id, Deadline(GRACE))
        except BackendError:
            self._machine._left.append(self.id)

    def _poll(self) -> None:
        try:
            self._reply = self._machine._fetch(self._request, self.id, self._deadline)
        except DeadlineExceededError:
            # Told by ``answer``, which clears up.
            return
        except RapidIsingError as error:
            self._refuse(error)

    def _refuse(self, error: RapidIsingError) -> None:
        """Note an error, or look again where the machine still has the answer."""
        if isinstance(error, ProtocolError) and self._machine.keeps and self._broken < LOOK_AGAIN:
            # It may have been damaged on its way.
            self._broken += 1
            return
        self._error = error
        if self._held and not isinstance(error, JobFailedError | ProtocolError | RejectedError):
            # The job is in a journal, and can be fetched when the service is itself again.
            return
        # It may be running still.
        self.abandon()

    def _take(self) -> None:
        """Read the answer, have it kept, and only then let the machine forget it."""
        machine, request = self._machine, self._request
        try:
            states, details = machine._read(request, self._reply)
            record = {"stage": machine.name, "job": self.id, **details}
            seconds = record.get("machine_seconds", 0.0)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ProtocolError(f"{machine.name} says that it took {seconds:g} s: not a time")
            if machine.emulated is not None:
                record["emulated"] = machine.emulated
            record["seconds"] = time.monotonic() - self._began
            answer = request.answer(states, [record])
        except RapidIsingError as error:
            self._reply = None
            self._refuse(error)
            return
        told = machine.transport.told(self.id)
        log.info("%s: job %s answered, %.3g s of the machine", machine.name, told, seconds)
        self.keep(answer)
        self._answer = answer
        self._forget()

    def _forget(self) -> None:
        # The answer or the error is what counts now.
        self._machine.forget(self.id)
