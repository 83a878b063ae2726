"""A request that a machine has taken on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import dimod


class Job(ABC):
    """A handle on a submitted request."""

    id: str
    """The machine's own name for the job; ``local`` where nothing was sent."""

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
class FinishedJob(Job):
    """The job of a machine that finishes at once."""

    id = "local"

    def __init__(self, sampleset: dimod.SampleSet) -> None:
        self._sampleset = sampleset

    def done(self) -> bool:
        """Return True."""
        return True

    def result(self, timeout: float | None = None) -> dimod.SampleSet:
        """Return the samples."""
        return self._sampleset

    def cancel(self) -> bool:
        """Return False: there is nothing left to stop."""
        return False
