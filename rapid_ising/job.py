"""A request that a machine has taken on: the machine's side of it, and the asker's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import dimod

from rapid_ising.errors import IncompleteError, RapidIsingError
from rapid_ising.request import Answer, Request
from rapid_ising.use import Use


class Submission(ABC):
    """What a machine has taken on, answered in spins 0..N-1; stages are put around it."""

    id: str
    """The machine's own name for the job; ``local`` where nothing was sent."""

    @abstractmethod
    def done(self) -> bool:
        """Return whether the answer is there, without waiting."""

    @abstractmethod
    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answer, waiting at most ``timeout`` seconds or until the request's deadline."""

    @abstractmethod
    def cancel(self) -> bool:
        """Ask the machine to stop; return whether there will be no answer."""


@final
class Finished(Submission):
    """What a machine that finishes at once has taken on: its answer, or the error told in its place."""

    id = "local"

    def __init__(self, answer: Answer | RapidIsingError) -> None:
        self._answer = answer

    def done(self) -> bool:
        """Return True."""
        return True

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the answer, or raise the error."""
        if isinstance(self._answer, RapidIsingError):
            raise self._answer
        return self._answer

    def cancel(self) -> bool:
        """Return False: there is nothing left to stop."""
        return False


@final
class Decoded(Submission):
    """A submission whose answer passes through one stage on its way back."""

    def __init__(self, inner: Submission, decode: Callable[[Answer], Answer]) -> None:
        self._inner, self._decode = inner, decode
        self.id = inner.id

    def done(self) -> bool:
        """Return whether the machine is done."""
        return self._inner.done()

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the machine's answer, decoded."""
        try:
            return self._decode(self._inner.answer(timeout))
        except IncompleteError as error:
            if error.answer is not None:
                error.answer = self._decode(error.answer)
            raise

    def cancel(self) -> bool:
        """Ask the machine to stop."""
        return self._inner.cancel()


class Job(ABC):
    """A handle on a submitted request."""

    id: str
    """The machine's own name for the job; ``local`` where nothing was sent."""
    use: Use
    """What it took of the machine, as far as that has answered."""

    @abstractmethod
    def done(self) -> bool:
        """Return whether the samples are there, without waiting."""

    @abstractmethod
    def result(self, timeout: float | None = None) -> dimod.SampleSet:
        """Return the samples, waiting at most ``timeout`` seconds or until the request's deadline."""

    @abstractmethod
    def cancel(self) -> bool:
        """Ask the machine to stop; return whether the job will give no samples."""


@final
class SubmittedJob(Job):
    """A job whose samples are in the asker's variables; the answer is decoded once."""

    def __init__(self, request: Request, submission: Submission) -> None:
        self._request, self._submission = request, submission
        self._samples: dimod.SampleSet | None = None
        self.id, self.use = submission.id, request.use

    def done(self) -> bool:
        """Return whether the samples are there."""
        return self._samples is not None or self._submission.done()

    def result(self, timeout: float | None = None) -> dimod.SampleSet:
        """Return the samples."""
        if self._samples is None:
            try:
                self._samples = self._request.sampleset(self._submission.answer(timeout))
            except IncompleteError as error:
                if error.answer is not None:
                    error.samples = self._request.sampleset(error.answer)
                raise
        return self._samples

    def cancel(self) -> bool:
        """Ask the machine to stop."""
        return self._samples is None and self._submission.cancel()
