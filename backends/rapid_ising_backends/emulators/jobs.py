"""The jobs that an emulated machine holds."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, final

from rapid_ising_backends.emulators.faults import FATES, Faults

OVERDUE = 1.0
"""Seconds after which a job is done though nobody has looked at it."""


@final
@dataclasses.dataclass
class EmulatedJob:
    """A job: waiting, then running, then done, one step each time it is looked at, or when it is overdue.

    One that never finishes does so when the faults of the emulator are over.
    """

    id: str
    tag: str
    solve: Callable[[], Any]
    fate: str | None
    started: float
    looks: int = 0
    cancelled: bool = False
    answer: Any = None

    def look(self) -> str:
        """Return the state, and move on: waiting, running, done, failed, cancelled or deleted."""
        if self.cancelled:
            return "cancelled"
        self.looks += 1
        state = self.state
        if state != "done":
            return state
        if self.fate in ("job-failed", "deleted"):
            return self.fate.removeprefix("job-")
        if self.answer is None:
            self.answer = self.solve()
        return state

    @property
    def state(self) -> str:
        """The state as the last look had it: waiting, running, done (in whichever way) or cancelled."""
        if self.cancelled:
            return "cancelled"
        overdue = time.time() - self.started > OVERDUE
        if self.looks < 2 and not overdue:
            return "waiting"
        if self.fate == "never-finishes" or (self.looks == 2 and not overdue):
            return "running"
        return "done"


@final
class Jobs:
    """All jobs, at most ``slots`` of them at once."""

    def __init__(self, faults: Faults, slots: int | None = None) -> None:
        self._faults, self.slots = faults, slots
        self._jobs: dict[str, EmulatedJob] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def ids(self) -> list[str]:
        """The ids, oldest first."""
        with self._lock:
            return list(self._jobs)

    def all(self) -> list[EmulatedJob]:
        """Return the jobs, oldest first."""
        with self._lock:
            self._settle()
            return list(self._jobs.values())

    @property
    def full(self) -> bool:
        """Whether there is no place for one more."""
        return self.slots is not None and len(self._jobs) >= self.slots

    def add(self, tag: str, solve: Callable[[], Any], *, id: str | None = None) -> EmulatedJob:
        """Take a job on and return it; ``id`` is the client's own name for it where the client gives one."""
        with self._lock:
            job = EmulatedJob(
                str(uuid.uuid4()) if id is None else id, tag, solve, self._faults.draw(FATES), time.time()
            )
            self._jobs[job.id] = job
            return job

    def get(self, id: str) -> EmulatedJob | None:
        """Return a job, None when there is none of this id."""
        with self._lock:
            self._settle()
            return self._jobs.get(id)

    def _settle(self) -> None:
        if not self._faults.rates:
            for job in self._jobs.values():
                job.fate = None if job.fate == "never-finishes" else job.fate

    def look(self, id: str) -> tuple[str, Any]:
        """Return the state of a job and its answer; a job that was deleted under us is gone."""
        with self._lock:
            job = self.get(id)
            if job is None:
                return "deleted", None
            state = job.look()
            if state == "deleted":
                del self._jobs[id]
            return state, job.answer

    def remove(self, id: str) -> bool:
        """Clear a job away; return whether it was there."""
        with self._lock:
            return self._jobs.pop(id, None) is not None
