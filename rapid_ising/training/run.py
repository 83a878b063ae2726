"""What a training returns, and what callbacks see while it goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from rapid_ising.models import Model

Stopped = Literal["running", "finished", "early", "interrupted"]


@dataclasses.dataclass(repr=False)
class TrainingRun:
    """A training: its model, what was recorded of each epoch, and how it ended."""

    model: Model
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    """One record an epoch: ``epoch`` (the first is 1), ``seconds`` of training so far, ``learning_rate``,
    and what callbacks added."""
    stopped: Stopped = "running"
    """"finished" after the last epoch, "early" by a callback, "interrupted" by Ctrl-C."""
    checkpoint: Path | None = None
    """The file to resume from."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the training was made with: model, data, negative phase, optimizer and so on, as JSON values."""

    def __repr__(self) -> str:
        return f"TrainingRun({self.epochs} epochs, {self.stopped}, {self.seconds:.3g} s, {self.model})"

    @property
    def epochs(self) -> int:
        """The number of whole epochs done."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """The seconds spent on training, callbacks and checkpoints not counted."""
        return self.history[-1]["seconds"] if self.history else 0.0
