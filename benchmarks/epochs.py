"""The time of an epoch of `train`, without what comes once before the first one."""

from __future__ import annotations

from typing import Any

import rapid_ising as ri
from benchmarks.side_by_side import Clock, Seconds, Work


class Ends:
    """A callback that notes when epochs end."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: list[float] = []

    def on_epoch_end(self, run: ri.TrainingRun) -> bool:
        self.times.append(self.clock())
        return False


def epoch(
    model: ri.Model, data: Any, clock: Clock, *, epochs: int = 1, share: float = 1.0, **settings: Any
) -> Work:
    """Return a share of the mean time of so many epochs that follow a first one."""

    def work() -> Seconds:
        ends = Ends(clock)
        ri.train(model, data, epochs=1 + epochs, callbacks=[ends], seed=0, progress=False, **settings)
        return Seconds(share * (ends.times[-1] - ends.times[0]) / epochs)

    return work
