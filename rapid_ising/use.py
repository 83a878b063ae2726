"""What samples took of a machine: calls, reads and the seconds that it stated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
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
    >>> use.count(100, [{"stage": "demo", "machine_seconds": 0.5}])
    >>> use
    Use(calls=1, reads=100, seconds=0.5, emulated=None, twin=None)
    """

    calls: int = 0
    reads: int = 0
    seconds: float = 0.0
    """The seconds of the machine, of those calls that state them."""
    emulated: str | None = None
    """What an emulator that answered said that it is; None for a machine."""

    twin: str | None = None
    """The name of a digital twin that answered in the place of a machine."""

    def count(self, reads: int, stages: Sequence[Mapping[str, Any]]) -> None:
        """Add one call, with what was recorded of its answer, the machine's seconds last."""
        self.calls += 1
        self.reads += reads
        # Of the last alone: what is replayed takes no time of the machine that was recorded.
        self.seconds += (stages[-1].get("machine_seconds") or 0.0) if stages else 0.0
        for record in records(stages):
            self.emulated = record.get("emulated") or self.emulated
            self.twin = record["stage"] if "twin" in record else self.twin

    def add(self, other: Use) -> None:
        """Add what other samples took."""
        self.calls += other.calls
        self.reads += other.reads
        self.seconds += other.seconds
        self.emulated = other.emulated or self.emulated
        self.twin = other.twin or self.twin


def records(stages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the records of stages, each followed by those of its calls, also by way of an Ocean sampler.

    >>> [one["stage"] for one in records([{"stage": "b", "parts": [[{"stage": "a"}]]}, {"stage": "c"}])]
    ['b', 'a', 'c']
    """
    for record in stages:
        yield record
        for part in record.get("parts", []):
            yield from records(part)
        info = record.get("info")
        ours = info.get("rapid_ising") if isinstance(info, Mapping) else None
        if isinstance(ours, Mapping):
            yield from records(ours.get("stages", []))
