"""Every job of a machine in a journal, so that none is lost and none is sent twice."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, final, runtime_checkable

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import (
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RapidIsingError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.job import Submission
from rapid_ising.jobs.budget import Budget
from rapid_ising.jobs.entry import ANSWERED, INTENDED, SENT, Entry
from rapid_ising.jobs.journal import Journal
from rapid_ising.log import logger
from rapid_ising.machine.record_file import compact, digest
from rapid_ising.machine.record_request import request_to_json
from rapid_ising.machine.record_values import (
    answer_from_json,
    answer_to_json,
    array_to_json,
    generator_to_json,
    label_to_json,
    set_generator,
)
from rapid_ising.machine.stage import Stage
from rapid_ising.plain import plain
from rapid_ising.request import Answer, Request
from rapid_ising.use import Use

log = logger(__name__)


class Held(Submission):
    """A submission to a service, whose answer is kept here before the machine may forget it."""

    keep: Callable[[Answer], None]


@runtime_checkable
class HoldsJobs(Protocol):
    """A machine behind a service: its jobs have ids there."""

    finds: bool
    keeps: bool

    @property
    def emulated(self) -> str | None:
        """What an emulator that was asked said that it is; None for a machine."""

    def sent(self, request: Request, tag: str) -> Held:
        """Send a request under a tag."""

    def attach(self, request: Request, id: str) -> Held:
        """Return the submission of a job that was sent before."""

    def forget(self, id: str) -> None:
        """Let the machine clear a job away, now or before the next is sent."""

    def find(self, request: Request, tag: str, since: float) -> str | None:
        """Return the id of the job with this tag, None where there is none."""


@final
@dataclasses.dataclass(frozen=True)
class Journaled(Stage):
    """Write each request into a journal before it is sent, and each answer before it is used.

    With ``resume``, a request that the journal knows is not sent again: its answer is taken from the journal;
    a job that is still with the machine is fetched from there; one that was about to be sent when the process
    ended is looked up by its tag, and sent only if the machine does not have it. A request is known by its
    problem, reads, beta, starting states and the state of its random numbers, so that a training that is
    seeded finds its own again, and two different ones never share one.

    It goes directly around a machine: ``Journaled(machine, ...)`` is what ``backend=`` is given, and the
    other stages go around it.

    Parameters
    ----------
    backend
        The machine.
    path
        The file of the journal, or a Journal.
    resume
        Go on with the last run of the journal instead of beginning one.
    again
        Send a job again whose answer was lost with a service that keeps no answers and has no list of jobs:
        it may be billed twice. Without, that is an error.
    budget
        What the run may cost, what was spent before a resume included.

    Raises
    ------
    CheckpointError
        If the journal cannot be used.
    BudgetExceededError
        If a request would cost more than is left; it is not sent.
    UnknownOutcomeError
        If it cannot be told whether the machine has a job.

    Examples
    --------
    >>> import tempfile
    >>> from rapid_ising import IsingModel
    >>> machine = Journaled("exact", tempfile.mkdtemp() + "/run.jobs", budget=Budget(calls=1))
    >>> machine.sample(IsingModel([0.5], [[0.0]]), seed=0).info["rapid_ising"]["stages"][-1]
    {'stage': 'journaled', 'job': 1, 'kept': False, 'attempts': 1}
    >>> machine.close()
    """

    stage: ClassVar[str] = "journaled"
    does: ClassVar[str] = "keeps a journal of every job"
    rehearsed: ClassVar[bool] = False
    remembers: ClassVar[bool] = True

    # None of these changes a sample, so that a checkpoint does not compare them.
    path: str | os.PathLike[str] | Journal = dataclasses.field(repr=False)
    resume: bool = dataclasses.field(default=False, repr=False, kw_only=True)
    again: bool = dataclasses.field(default=False, repr=False, kw_only=True)
    budget: Budget | None = dataclasses.field(default=None, repr=False, kw_only=True)
    _tidied: list[bool] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.path, Journal):
            return
        journal = Journal(self.path)
        try:
            journal.begin(self.name, options_of(self.inner), resume=self.resume)
        except BaseException:
            journal.close()
            raise
        # One journal for this stage and for those that ``for_refresh`` makes of it.
        object.__setattr__(self, "path", journal)

    def _check_options(self, facts: Capabilities) -> None:
        if isinstance(self.inner, Stage):
            raise InvalidParameterError(
                f"the journal goes directly around {self.name}: Journaled(machine, ...), the other stages "
                "around that"
            )

    @property
    def journal(self) -> Journal:
        """The journal."""
        assert isinstance(self.path, Journal)
        return self.path

    def close(self) -> None:
        """Close the journal; nothing more can be asked through this stage."""
        self.journal.close()

    def require(self) -> None:
        """Need nothing: what the journal holds is answered without the machine."""

    def _accept(self, request: Request) -> Callable[[], Submission]:
        for label in request.variables:
            label_to_json(label)
        # Counted here, whether the answer comes from the machine or from the journal.
        send = self.inner._accept(self._asked(request, use=Use()))
        return lambda: JournaledSubmission(self, request, send)


@final
class JournaledSubmission(Submission):
    """A job that is sent, attached to, or answered from the journal, whichever the journal calls for."""

    def __init__(self, stage: Journaled, request: Request, send: Callable[[], Submission]) -> None:
        self._stage, self._request, self._send = stage, request, send
        self._tidy()
        self._before = generator_to_json(request.rng)
        self._content = {**request_to_json(request), "returns": stage.inner.capabilities.returns}
        self._key = digest(compact({"request": self._content, "random": self._before}))
        self._answer: Answer | None = None
        self._inner: Submission | None = None
        self._attached = False
        entry = stage.journal.find(self._key)
        if entry is not None and entry.state == ANSWERED:
            self._entry = entry
            self._from_journal()
        elif entry is not None and entry.state == SENT:
            self._attach(entry)
        elif entry is not None and entry.state == INTENDED:
            self._doubtful(entry)
        else:
            self._begin()
        self.id = self._entry.id or "local"

    @property
    def _service(self) -> HoldsJobs | None:
        machine = self._stage.inner
        return machine if isinstance(machine, HoldsJobs) else None

    def _tidy(self) -> None:
        """Have the answered jobs cleared away that an earlier process could not tell the machine of."""
        if not self._stage.resume or self._stage._tidied:
            return
        self._stage._tidied.append(True)
        for entry in self._stage.journal.uncleared():
            if self._service is not None and entry.id is not None:
                self._service.forget(entry.id)
            self._stage.journal.cleared(entry.number)

    @property
    def _tagged(self) -> Request:
        """The request as the service is to see it: with the tag, by which it knows that a journal is kept."""
        provenance = {**self._request.provenance, "tag": self._entry.tag}
        returns = self._stage.inner.capabilities.returns
        return dataclasses.replace(self._request, provenance=provenance, returns=returns)

    def _from_journal(self) -> None:
        content = self._stage.journal.answer(self._entry.number)
        set_generator(self._request.rng, content["generator"])
        self._answer = self._stamped(answer_from_json(content["answer"]), kept=True)
        log.debug("%s: job %d is in the journal", self._stage.name, self._entry.number)

    def _stamped(self, answer: Answer, *, kept: bool) -> Answer:
        self._request.counted(answer)
        record = {"stage": Journaled.stage, "job": self._entry.number, "kept": kept}
        return answer.with_stage({**record, "attempts": self._entry.attempts})

    def _begin(self) -> None:
        """Write the intent, send, and write what the machine called it."""
        stage, request, facts = self._stage, self._request, self._stage.inner.capabilities
        predicted = facts.seconds(1, request.num_reads) or 0.0
        if stage.budget is not None:
            stage.budget.check(stage.name, stage.journal.spent(), reads=request.num_reads, seconds=predicted)
        limit = request.deadline.seconds
        self._entry = stage.journal.intend(
            self._key,
            self._content,
            deadline=None if limit == float("inf") else limit,
            predicted=predicted,
        )
        service = self._service
        try:
            self._inner = self._send() if service is None else service.sent(self._tagged, self._entry.tag)
        except (UnknownOutcomeError, DeadlineExceededError):
            # It may be there: a resume looks it up.
            raise
        except ProtocolError as error:
            # It was answered, and taken on perhaps: this attempt counts.
            stage.journal.failed(self._entry.number, str(error))
            raise
        except RapidIsingError as error:
            stage.journal.never_sent(self._entry.number, str(error))
            raise
        self._sent(self._entry.number, self._inner.id)
        self._entry = dataclasses.replace(self._entry, state=SENT, id=self._inner.id)
        self._keep_first()

    def _attach(self, entry: Entry) -> None:
        """Go on with a job that the machine has taken on."""
        self._entry, service = entry, self._service
        if service is None or entry.id is None:
            # Nothing was sent anywhere: what is computed here is computed again.
            self._begin()
        elif not service.keeps:
            self._lost(f"job {entry.id} was sent and {self._stage.name} keeps no answers")
        else:
            self._inner, self._attached = service.attach(self._tagged, entry.id), True
            self._keep_first()

    def _doubtful(self, entry: Entry) -> None:
        """Find out what became of a job that was about to be sent when the process ended."""
        self._entry, service = entry, self._service
        if service is None:
            self._begin()
            return
        if not service.finds:
            self._lost(f"job {entry.number} may have been sent and {self._stage.name} has no list of jobs")
            return
        id = service.find(self._tagged, entry.tag, entry.intended)
        if id is None:
            self._stage.journal.never_sent(entry.number, "the machine does not have it")
            self._begin()
            return
        self._sent(entry.number, id)
        self._attach(dataclasses.replace(entry, state=SENT, id=id))

    def _sent(self, number: int, id: str) -> None:
        """Write down that the machine has a job, and whether it is one."""
        service = self._service
        self._stage.journal.sent(number, id, None if service is None else service.emulated)

    def _lost(self, what: str) -> None:
        if not self._stage.again:
            raise UnknownOutcomeError(
                f"{what}: its answer is lost, and to send it again may be billed twice; resume with "
                "again=True (--send-again) to accept that"
            )
        self._begin()

    def _keep_first(self) -> None:
        if self._service is not None and self._inner is not None:
            held: Any = self._inner
            held.keep = self._write

    def _write(self, answer: Answer) -> None:
        """Write an answer down; nothing is made of it before."""
        after = generator_to_json(self._request.rng)
        content = answer_content(self._request, answer, None if after == self._before else after)
        self._stage.journal.answered(self._entry.number, content, **facts_of(answer.stages[-1]))

    def done(self) -> bool:
        """Return whether the answer is there."""
        return self._answer is not None or (self._inner is not None and self._inner.done())

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answer; it is in the journal by then."""
        if self._answer is None:
            assert self._inner is not None
            try:
                answer = self._inner.answer(timeout)
            except (JobFailedError, ProtocolError, RejectedError) as error:
                self._stage.journal.failed(self._entry.number, str(error))
                if not (self._attached and isinstance(error, JobFailedError)):
                    raise
                # The machine says that it has the job no more: what an earlier process sent is lost.
                self._attached = False
                self._begin()
                return self.answer(timeout)
            except (UnknownOutcomeError, DeadlineExceededError):
                raise
            except BackendError as error:
                if self._service is None:
                    self._stage.journal.failed(self._entry.number, str(error))
                raise
            if self._service is None:
                self._write(answer)
            # The machine has been told by now, or will be before the next job is sent.
            self._stage.journal.cleared(self._entry.number)
            self._answer = self._stamped(answer, kept=False)
        return self._answer

    def cancel(self) -> bool:
        """Ask the machine to stop."""
        if self._answer is not None or self._inner is None or not self._inner.cancel():
            return False
        self._stage.journal.cancelled(self._entry.number)
        return True


def answer_content(request: Request, answer: Answer, generator: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an answer as a journal keeps it: with labels and energies, so that the request is not needed."""
    return {
        "answer": answer_to_json(answer),
        "generator": generator,
        "labels": [label_to_json(label) for label in request.variables],
        "vartype": request.vartype.name,
        "energies": array_to_json(request.model.energies(answer.states)),
    }


def facts_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a journal keeps beside an answer, from the machine's own record.

    >>> facts_of({"stage": "demo", "machine_seconds": 0.5})
    {'machine_seconds': 0.5, 'emulated': None}
    """
    return {name: record.get(name) for name in ("machine_seconds", "emulated")}


def options_of(machine: Any) -> dict[str, Any]:
    """Return the options by which a machine can be loaded again, without secrets.

    >>> from rapid_ising import load_backend
    >>> options_of(load_backend("gibbs", burn_in=50))
    {'burn_in': 50, 'thinning': 1, 'chains': None}
    """
    if not dataclasses.is_dataclass(machine):
        return {}
    shown = [field.name for field in dataclasses.fields(machine) if field.init and field.repr]
    return {name: plain(getattr(machine, name)) for name in shown}
