"""A training watched: its CPU time, measures at listed epochs, and an end when its time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, final

from rapid_ising.models import Model
from rapid_ising.training.run import TrainingRun

CPU = "cpu"
"""The entry of each record with the CPU seconds of training so far, measures not counted."""


@final
class Watch:
    """A callback that records CPU time and measures; make it right before the training.

    CPU time, not time by the clock: on a machine with other work it is the fairer of the two, and methods
    that are compared at equal time take their turns in one process.

    Parameters
    ----------
    measure
        What to measure of the model at some epochs; its numbers go into the history.
    epochs
        The epochs to measure at.
    budget
        The CPU seconds after which the training ends; its last epoch is measured too.
    """

    def __init__(
        self,
        measure: Callable[[Any], Mapping[str, float]] | None = None,
        epochs: Collection[int] = (),
        budget: float | None = None,
    ) -> None:
        self.measure = measure
        self.epochs = frozenset(epochs)
        self.budget = budget
        self.spent = 0.0
        self._since = time.process_time()

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """Stop the clock, measure, start it again; return whether the time is spent."""
        self.spent += time.process_time() - self._since
        run.history[-1][CPU] = self.spent
        over = self.budget is not None and self.spent >= self.budget
        if self.measure is not None and (over or run.epochs in self.epochs):
            model: Model = run.model
            run.history[-1].update(self.measure(model))
        self._since = time.process_time()
        return over


def measured(run: TrainingRun, *names: str) -> dict[str, list[float]]:
    """Return the records that have every one of the measures, as one list a name, with epoch and CPU time.

    >>> run = TrainingRun(None, [{"epoch": 1, "cpu": 0.5}, {"epoch": 2, "cpu": 1.0, "distance": 0.1}])
    >>> measured(run, "distance")
    {'epoch': [2], 'cpu': [1.0], 'distance': [0.1]}
    """
    rows = [record for record in run.history if all(name in record for name in names)]
    return {name: [record[name] for record in rows] for name in ("epoch", CPU, *names)}
