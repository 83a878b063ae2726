"""Every request and every answer written to one file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

from rapid_ising.job import Submission
from rapid_ising.machine.record_file import RecordWriter
from rapid_ising.machine.record_request import request_to_json
from rapid_ising.machine.record_values import (
    answer_to_json,
    error_to_json,
    generator_to_json,
    label_to_json,
)
from rapid_ising.machine.stage import Stage
from rapid_ising.request import Answer, Request


@final
@dataclasses.dataclass(frozen=True)
class Recorded(Stage):
    """Write every request before it is sent, and every answer before it is used, to one file.

    The file is only ever appended to: a run that goes on later goes on in the same file. It survives that the
    process is killed while it writes. It holds what the requests and answers hold, and the machine's name and
    capabilities: no option of the machine, so no secret. ``Replayed`` answers from it.

    Parameters
    ----------
    backend
        The machine.
    path
        The file; made when it is not there. One writer at a time: ``close`` lets the next one in.

    Raises
    ------
    CheckpointError
        If the file cannot be written, has another writer, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from rapid_ising import IsingModel
    >>> model, path = IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]), tempfile.mkdtemp() + "/answers.jsonl"
    >>> machine = Recorded("exact", path)
    >>> there = machine.sample(model, num_reads=3, seed=0)
    >>> machine.close()
    >>> there.info["rapid_ising"]["stages"][-1]
    {'stage': 'recorded', 'file': 'answers.jsonl', 'request': 1}
    """

    stage: ClassVar[str] = "recorded"
    does: ClassVar[str] = "writes every request and answer to a file"
    rehearsed: ClassVar[bool] = False
    remembers: ClassVar[bool] = True

    path: str | os.PathLike[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        # One writer for this stage and for those that ``for_refresh`` makes of it.
        if isinstance(self.path, RecordWriter):
            self.path.must_be_of(self.name)
        else:
            object.__setattr__(self, "path", RecordWriter(self.path, self.name, self.capabilities))

    @property
    def writer(self) -> RecordWriter:
        """What writes the file."""
        assert isinstance(self.path, RecordWriter)
        return self.path

    def close(self) -> None:
        """Close the file; nothing more can be asked through this stage."""
        self.writer.close()

    def _accept(self, request: Request) -> Callable[[], Submission]:
        for label in request.variables:
            label_to_json(label)
        send = self.inner._accept(self._asked(request))
        return lambda: RecordedSubmission(self.writer, request, send)


@final
class RecordedSubmission(Submission):
    """A submission whose events are written down before anything is made of them."""

    def __init__(self, writer: RecordWriter, request: Request, send: Callable[[], Submission]) -> None:
        self._writer, self._rng = writer, request.rng
        self._answer: Answer | None = None
        self._number = writer.request(request_to_json(request))
        before = generator_to_json(self._rng)
        try:
            self._inner = send()
        except Exception as error:
            self._write("error", before, error_to_json(error))
            raise
        self.id = self._inner.id
        self._write("sent", before, {"id": self.id})

    def _write(self, kind: str, before: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        """Write an event, with the state of the generator where the event changed it."""
        after = generator_to_json(self._rng)
        state = None if after == before else after
        self._writer.event(kind, self._number, {**content, "generator": state})

    def done(self) -> bool:
        """Return whether the machine is done."""
        return self._answer is not None or self._inner.done()

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the machine's answer; it is written once, and each failure to get it."""
        if self._answer is None:
            before = generator_to_json(self._rng)
            try:
                answer = self._inner.answer(timeout)
            except Exception as error:
                self._write("error", before, error_to_json(error))
                raise
            self._write("answer", before, answer_to_json(answer))
            facts = {"stage": "recorded", "file": self._writer.path.name, "request": self._number}
            self._answer = answer.with_stage(facts)
        return self._answer

    def cancel(self) -> bool:
        """Ask the machine to stop."""
        return self._answer is None and self._inner.cancel()
