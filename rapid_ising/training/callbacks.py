"""What can be done at the end of each epoch."""

from __future__ import annotations

import dataclasses
from typing import Literal, Protocol, final

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets import Dataset
from rapid_ising.errors import InvalidParameterError
from rapid_ising.training.logs import CSVLog as CSVLog
from rapid_ising.training.logs import JSONLines as JSONLines
from rapid_ising.training.logs import TensorBoard as TensorBoard
from rapid_ising.training.run import TrainingRun
from rapid_ising.validation import finite, positive_integer


class Callback(Protocol):
    """Something that ``train`` calls at the end of each epoch.

    One that has a method ``on_start(run)`` is also called before the first epoch, or after a resume before
    the next one: what it raises there comes before any work. One that has a method ``on_end(run)`` is called
    when a training that began is over, also by an error.
    """

    def on_epoch_end(self, run: TrainingRun) -> bool | None:
        """Look at the run, whose last record is of this epoch; return True to stop the training."""


@final
@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Records what ``evaluate`` measures, with the same random numbers each time.

    Parameters
    ----------
    dataset
        The images to reconstruct and to score.
    every
        The epochs from one evaluation to the next.
    tries
        The reconstructions of each image, as in ``evaluate``.
    seed
        Seeds the reconstructions, apart from the training's own random numbers.
    mask, beta, steps, likelihood, likelihood_beta
        As in ``evaluate``; ``likelihood_beta="fit"`` is that of the model's fit to the data,
        1 / model.temperature. Beside a likelihood the record has the beta that it is at, ``likelihood_beta``.
        The exact likelihood of a large model takes longer than an epoch: leave it out with
        ``likelihood=False``, or evaluate less often.
    """

    dataset: Dataset
    every: int = 1
    tries: int | None = None
    seed: int = 0
    mask: npt.NDArray[np.bool_] | None = None
    beta: float = 1.0
    steps: int = 1
    likelihood: bool | None = None
    likelihood_beta: float | Literal["fit"] | None = None

    def __post_init__(self) -> None:
        positive_integer("every", self.every)
        if not isinstance(self.dataset, Dataset):
            raise InvalidParameterError(
                f"Evaluate needs a Dataset, not {type(self.dataset).__name__}: make one with "
                "datasets.from_array(images, shape)"
            )

    def on_epoch_end(self, run: TrainingRun) -> None:
        """Add the measures to the last record."""
        # Here, since a training may well do without.
        from rapid_ising.evaluation import evaluate

        if run.epochs % self.every == 0:
            beta = self.beta if self.likelihood_beta is None else self.likelihood_beta
            beta = 1 / run.model.temperature if beta == "fit" else beta
            measured = evaluate(
                run.model,
                self.dataset,
                mask=self.mask,
                beta=self.beta,
                steps=self.steps,
                tries=self.tries,
                seed=self.seed,
                likelihood=self.likelihood,
                likelihood_beta=beta,
            )
            run.history[-1].update(measured.as_dict())
            if measured.log_likelihood_train is not None:
                run.history[-1]["likelihood_beta"] = float(beta)


@final
@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stops the training when a recorded measure no longer gets better.

    Parameters
    ----------
    metric
        The name of the measure in the history, such as "zero_temperature_test".
    patience
        How many records in a row may pass without a better one.
    min_change
        How much better counts.
    larger_is_better
        True for likelihoods.
    target
        Stop as soon as the measure is at least as good as this.
    """

    metric: str
    patience: int = 10
    min_change: float = 0.0
    larger_is_better: bool = False
    target: float | None = None

    def __post_init__(self) -> None:
        positive_integer("patience", self.patience)
        finite("min_change", self.min_change, minimum=0)

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """Return whether to stop; told from the history alone, so that a resumed run stops alike."""
        sign = -1.0 if self.larger_is_better else 1.0
        values = [sign * record[self.metric] for record in run.history if self.metric in record]
        if not values:
            if run.epochs > self.patience:
                known = ", ".join(sorted(run.history[-1]))
                raise InvalidParameterError(
                    f"no record has {self.metric!r} after {run.epochs} epochs (it has {known}): "
                    "put an Evaluate callback before EarlyStopping"
                )
            return False
        if self.target is not None and values[-1] <= sign * self.target:
            return True
        best, since = values[0], 0
        for value in values[1:]:
            best, since = (value, 0) if value < best - self.min_change else (best, since + 1)
        return since >= self.patience
