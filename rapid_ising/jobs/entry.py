"""One job, as a journal has it."""

from __future__ import annotations

import dataclasses
from typing import final

INTENDED, SENT, ANSWERED, FAILED, CANCELLED = "intended", "sent", "answered", "failed", "cancelled"
COLUMNS = (
    "number, run, key, tag, tags, attempts, state, id, spins, reads, beta, deadline, predicted, "
    "machine_seconds, intended, sent, ended, cleared, emulated, error"
)
"""The fields of an entry, in its order."""


@final
@dataclasses.dataclass(frozen=True)
class Entry:
    """What a journal knows of a job; times are seconds since 1970."""

    number: int
    run: int
    key: str
    """The hash of the request and of its random numbers."""
    tag: str
    """The name under which the job goes to the machine, another at each attempt."""
    tags: int
    """How many names it has had."""
    attempts: int
    """How many times it may have reached the machine."""
    state: str
    """intended, sent, answered, failed or cancelled."""
    id: str | None
    """The machine's own name for the job."""
    spins: int
    reads: int
    beta: float
    deadline: float | None
    """The seconds that the call had; None is no limit."""
    predicted: float
    """The seconds of the machine that were expected."""
    machine_seconds: float | None
    """The seconds that it stated."""
    intended: float
    sent: float | None
    ended: float | None
    cleared: float | None
    """When the machine was told that it may forget the answered job."""
    emulated: str | None
    """What an emulator said that it is; None for a machine."""
    error: str | None
