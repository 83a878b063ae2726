"""What a training returns, and what callbacks see while it goes on."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rapid_ising import storage
from rapid_ising.models import Model
from rapid_ising.models.base import KIND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Stopped = Literal["running", "finished", "early", "interrupted"]


@dataclasses.dataclass(repr=False)
class TrainingRun:
    """A training: its model, what was recorded of each epoch, and how it ended."""

    model: Model
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    """One record an epoch: ``epoch`` (the first is 1), ``seconds`` of training so far, ``learning_rate``,
    what the negative phase measured (see ``BackendSamples``), and what callbacks added."""
    stopped: Stopped = "running"
    """"finished" after the last epoch, "early" by a callback, "interrupted" by Ctrl-C."""
    checkpoint: Path | None = None
    """The file to resume from."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the training was made with: model, data, negative phase, optimizer and so on, as JSON values."""
    origin: dict[str, Any] = dataclasses.field(default_factory=dict)
    """How it came about, as JSON values: ``starts``, one for each time that it began or was resumed, with
    time, seed, versions and processor; and the ``machines`` that were asked, each with its ``name``, and
    ``emulated`` or ``twin`` where it was none. A resumed training does not compare them."""

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model with the run that made it to one safetensors file.

        ``load_model`` takes the model from it, ``load_run`` both, and ``rapid-ising report`` shows it.

        Examples
        --------
        >>> import tempfile
        >>> import rapid_ising as ri
        >>> model = ri.PatternRBM(16, 20, 4, seed=0)
        >>> run = ri.train(model, ri.datasets.stripes(4).train, epochs=2, seed=0, progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run.save(f"{folder}/run.safetensors")
        ...     ri.load_run(f"{folder}/run.safetensors").epochs
        2
        """
        told = {
            "history": self.history,
            "stopped": self.stopped,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "settings": self.settings,
            "origin": self.origin,
        }
        storage.write(path, KIND, self.model.numpy_parameters(), {**self.model.header(), "run": told})

    def plot(self, *measures: str, ax: Axes | None = None) -> Figure:
        """Return a figure of the history; see ``plot_history``."""
        from rapid_ising.plotting import plot_history

        return plot_history(self, *measures, ax=ax)
