"""Annealed importance sampling held against exact likelihoods, on models small enough to be enumerated."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.datasets import stripes
from rapid_ising.evaluation import annealed_importance, bracket, log_partition, reverse_annealed_importance
from rapid_ising.models import RBM, Model, PatternRBM
from rapid_ising.report import Element, Table, Text
from rapid_ising.reproduction.spread import median, number
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.training import train
from rapid_ising.training.negative_phase import ContrastiveDivergence, PersistentContrastiveDivergence

TRAININGS = ("RAPID", "CD-10", "PCD-10")
EPOCHS = 50
ERROR = 0.05
"""The nats that a log-likelihood may be off."""
CONFIDENCE = 0.95
"""The confidence with which all runs of one size are within it."""
HELD = 0.9
"""The share of runs in which the bracket should hold the exact value."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How many models and how many runs on each, by the number of hidden spins."""

    runs: dict[int, tuple[int, int]]
    """The seeds and the runs on the model of each."""
    chains: int = 500
    """The chains that a forward run begins with, and those of a reverse run."""
    betas: int = 250

    def tolerance(self, hidden: int) -> float:
        """Return the standard error that keeps every run on models of this size within ``ERROR``."""
        seeds, runs = self.runs[hidden]
        total = len(TRAININGS) * seeds * runs
        return round(ERROR / NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * total)), 4)


SIZES: dict[Scale, Size] = {
    "smoke": Size({4: (1, 2)}, 50, 50),
    "quick": Size({8: (3, 5), 50: (2, 2), 1000: (1, 1)}),
    "full": Size({8: (5, 10), 50: (5, 10), 1000: (2, 1)}),
}
COST = 0.02
"""About how many CPU seconds a run takes for each hidden spin."""


@final
class Likelihood(Study):
    """Models of the 4 x 4 stripes, trained in several ways, and several independent runs on each."""

    name: ClassVar[str] = "likelihood"
    title = "annealed importance sampling against exact values"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        size = SIZES[scale]
        made = []
        for hidden, (seeds, runs) in size.runs.items():
            # The quick form leaves out what takes minutes: cold models of a thousand hidden spins.
            for training in TRAININGS if hidden < 1000 or scale == "full" else ("RAPID",):
                for place in range(seeds):
                    facts = {
                        "seed": seed + place,
                        "hidden": hidden,
                        "training": training,
                        "runs": runs,
                        "chains": size.chains,
                        "betas": size.betas,
                        "tolerance": size.tolerance(hidden),
                    }
                    made.append(Task(self.name, "ais", facts, 1 + COST * hidden * runs))
        return made

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts = task.parameters
        model = _trained(facts["training"], facts["hidden"], facts["seed"])
        exact = log_partition(model)
        runs = []
        # Streams of its own for each model, one after the other for its runs.
        rng = np.random.default_rng([facts["seed"], facts["hidden"], TRAININGS.index(facts["training"])])
        for _ in range(facts["runs"]):
            forward = annealed_importance(
                model, chains=facts["chains"], betas=facts["betas"], tolerance=facts["tolerance"], seed=rng
            )
            reverse = reverse_annealed_importance(model, forward, chains=facts["chains"], seed=rng)
            lower, upper = bracket(forward, reverse)
            runs.append(
                {
                    "error": forward.log_partition - exact,
                    "standard_error": forward.standard_error,
                    "chains": len(forward.log_weights),
                    "betas": len(forward.betas) - 1,
                    "width": upper - lower,
                    "held": lower <= exact <= upper,
                }
            )
        return {"exact": exact, "runs": runs}

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        if not results:
            return [Text("No task of this study is done.")]
        rows = []
        for hidden in sorted({result.task.parameters["hidden"] for result in results}):
            for training in TRAININGS:
                models = [
                    result
                    for result in results
                    if (result.task.parameters["hidden"], result.task.parameters["training"])
                    == (hidden, training)
                ]
                runs = _runs(models)
                if runs:
                    errors = [abs(run["error"]) for run in runs]
                    rows.append(
                        [
                            str(hidden),
                            training,
                            str(len(models)),
                            str(len(runs)),
                            number(median([model.values["exact"] for model in models]), 1),
                            number(median(errors), 4),
                            number(max(errors), 4),
                            number(median([run["standard_error"] for run in runs]), 4),
                            number(median([run["chains"] for run in runs]), 0),
                            number(max(run["chains"] for run in runs), 0),
                            number(max(run["betas"] for run in runs), 0),
                            number(median([run["width"] for run in runs]), 3),
                            f"{sum(run['held'] for run in runs)} of {len(runs)}",
                        ]
                    )
        columns = [
            "hidden",
            "training",
            "models",
            "runs",
            "log Z",
            "error, median",
            "error, largest",
            "standard error",
            "chains, median",
            "chains, most",
            "steps, most",
            "bracket width",
            "bracket holds",
        ]
        facts = results[0].task.parameters
        caption = (
            f"log Z in nats: runs that begin with {facts['chains']} chains and {facts['betas']} steps, and "
            f"take as many as it needs for a standard error that keeps all runs of one size within {ERROR:g} "
            f"nats with {CONFIDENCE:.0%} confidence. An error of log Z is the error of every log-likelihood, "
            f"with the other sign. The bracket is that of 99 % confidence, with {facts['chains']} chains for "
            "the run back."
        )
        return [Table(columns, rows, caption)]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        runs = _runs(results)
        if not runs:
            return []
        errors = [abs(run["error"]) for run in runs]
        worst = max(results, key=lambda result: max(abs(run["error"]) for run in result.values["runs"]))
        facts = worst.task.parameters
        held = sum(run["held"] for run in runs) / len(runs)
        return [
            Claim(
                "estimated log-likelihoods are right",
                f"every error at most {ERROR:g} nats",
                f"largest {max(errors):.3f} ({facts['hidden']} hidden spins, {facts['training']}), median "
                f"{median(errors):.4f} nats in {len(runs)} runs",
                max(errors) <= ERROR,
            ),
            Claim(
                "the bracket holds the exact value",
                f"in at least {HELD:.0%} of the runs",
                f"{held:.0%} of {len(runs)}",
                held >= HELD,
            ),
        ]


def _trained(training: str, hidden: int, seed: int) -> Model:
    data = stripes(4).train
    if training == "RAPID":
        model: Model = PatternRBM(16, hidden, min(8, hidden), seed=seed)
        train(model, data, epochs=EPOCHS, seed=seed, progress=False)
        # As warm as it was fitted: the recipe keeps it colder, for recall.
        model.rescale(1 / model.temperature)
        return model
    model = RBM(16, hidden, seed=seed)
    phase = (
        ContrastiveDivergence(k=10)
        if training == "CD-10"
        else PersistentContrastiveDivergence(k=10, chains=100)
    )
    train(model, data, negative_phase=phase, epochs=EPOCHS, seed=seed, progress=False)
    return model


def _runs(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [run for result in results for run in result.values["runs"]]
