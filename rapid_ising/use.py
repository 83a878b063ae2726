"""What samples took of a machine: calls, reads and the seconds that it stated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, final


@final
@dataclasses.dataclass(slots=True)
class Use:
    """The calls of a machine that were answered, with their reads and seconds.

    A request carries one from stage to stage, and the machine adds to it: what stages ask of the machine for
    one request is counted together. Calls that failed are not in it; a journal has those.

    Examples
    --------
    >>> use = Use()
    >>> use.count(100, {"stage": "demo", "machine_seconds": 0.5})
    >>> use
    Use(calls=1, reads=100, seconds=0.5, emulated=None)
    """

    calls: int = 0
    reads: int = 0
    seconds: float = 0.0
    """The seconds of the machine, of those calls that state them."""
    emulated: str | None = None
    """What an emulator that answered said that it is; None for a machine."""

    def count(self, reads: int, record: Mapping[str, Any]) -> None:
        """Add one call, with what the machine recorded of it."""
        self.calls += 1
        self.reads += reads
        self.seconds += record.get("machine_seconds") or 0.0
        self.emulated = record.get("emulated") or self.emulated

    def add(self, other: Use) -> None:
        """Add what other samples took."""
        self.calls += other.calls
        self.reads += other.reads
        self.seconds += other.seconds
        self.emulated = other.emulated or self.emulated
