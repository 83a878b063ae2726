"""A machine that answers from a recording, without the machine that was recorded."""

from __future__ import annotations

import dataclasses
import os
import threading
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.backend import Machine
from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import InvalidParameterError, ReplayError
from rapid_ising.job import Submission
from rapid_ising.machine.record_file import RecordFile, compact, digest
from rapid_ising.machine.record_request import difference, request_to_json
from rapid_ising.machine.record_values import answer_from_json, error_from_json, set_generator
from rapid_ising.request import Answer, Request
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Replayed(Machine):
    """Answer from a file of ``Recorded``, bit for bit, without the machine.

    Requests must come as they were recorded, each with the same problem, reads, beta, labels and starting
    states; the caller's generator moves as the machine moved it. What failed then fails again, with the same
    kind of error. The name is the machine's after ``replay:``, and every answer says ``"replayed": true``.

    Parameters
    ----------
    path
        The file.
    first
        The number of the request to begin with.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, or is no recording.

    Examples
    --------
    >>> import tempfile
    >>> from rapid_ising import IsingModel
    >>> from rapid_ising.machine import Recorded
    >>> model, path = IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]), tempfile.mkdtemp() + "/a.jsonl"
    >>> there = Recorded("exact", path).sample(model, num_reads=3, seed=0)
    >>> again = Replayed(path).sample(model, num_reads=3, seed=0)
    >>> bool((there.record.sample == again.record.sample).all())
    True
    >>> Replayed(path).sample(model, num_reads=3, beta=2.0, seed=0)
    Traceback (most recent call last):
        ...
    rapid_ising.errors.ReplayError: request 1 of a.jsonl is another one: beta: 1.0 recorded, 2.0 asked
    """

    name: ClassVar[str] = "replay"

    path: str | os.PathLike[str]
    first: int = 1
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)
    _tape: Tape = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        file = RecordFile(self.path)
        positive_integer("first", self.first)
        if self.first > max(1, len(file.requests)):
            raise InvalidParameterError(
                f"first is {self.first} and {file.path} holds {len(file.requests)} requests"
            )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "name", f"replay:{file.machine}")
        object.__setattr__(self, "capabilities", file.capabilities)
        object.__setattr__(self, "_tape", Tape(self.name, file, self.first))

    @property
    def recorded(self) -> int:
        """The number of requests in the file."""
        return len(self._tape.file.requests)

    def _submit(self, request: Request) -> Submission:
        return ReplayedSubmission(self._tape, self._tape.next(request), request.rng)


@final
class Tape:
    """A file of recorded requests, and which of them comes next."""

    def __init__(self, name: str, file: RecordFile, first: int) -> None:
        self.name, self.file = name, file
        self._position, self._lock = first - 1, threading.Lock()

    def next(self, request: Request) -> int:
        """Return the number of the next recorded request, which must be this one."""
        asked = request_to_json(request)
        with self._lock:
            requests = self.file.requests
            if self._position == len(requests):
                raise ReplayError(
                    f"{self.file.path.name} holds {len(requests)} requests and {self.name} was asked one "
                    "more: record again with the machine"
                )
            found = requests[self._position]
            if digest(compact(asked)) != found.hash:
                recorded = self.file.content("request", found.place)
                raise ReplayError(
                    f"request {self._position + 1} of {self.file.path.name} is another one: "
                    f"{difference(recorded, asked)}"
                )
            self._position += 1
            return self._position


@final
class ReplayedSubmission(Submission):
    """What became of a recorded request, event by event."""

    def __init__(self, tape: Tape, number: int, rng: np.random.Generator) -> None:
        self._tape, self._number, self._rng = tape, number, rng
        self._later = list(tape.file.requests[number - 1].later)
        self._answer: Answer | None = None
        self.id: str = self._event("sent")["id"]

    def _event(self, wanted: str) -> dict[str, Any]:
        """Return the next event, which moves the generator; raise the error that it is, or that it is not."""
        if not self._later:
            raise ReplayError(
                f"request {self._number} of {self._tape.file.path.name} has no answer: the recorded run "
                "ended, or asked no further"
            )
        kind, place = self._later[0]
        content = self._tape.file.content(kind, place)
        set_generator(self._rng, content["generator"])
        if len(self._later) > 1:
            self._later.pop(0)
        elif kind == "sent":
            self._later.clear()
        if kind != wanted:
            error = error_from_json(content)
            error.add_note(f"replayed: request {self._number} of {self._tape.file.path.name}")
            raise error
        return content

    def done(self) -> bool:
        """Return True: what there is to come is in the file."""
        return True

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the recorded answer, or raise the recorded error."""
        if self._answer is None:
            facts = {
                "stage": "replayed",
                "replayed": True,
                "file": self._tape.file.path.name,
                "request": self._number,
            }
            self._answer = answer_from_json(self._event("answer")).with_stage(facts)
        return self._answer

    def cancel(self) -> bool:
        """Return False: there is nothing left to stop."""
        return False
