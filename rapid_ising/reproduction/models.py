"""Every kind of machine on the 4 x 4 stripes: what training makes of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import networkx as nx
import numpy as np

from rapid_ising.datasets import Dataset, stripes
from rapid_ising.errors import ProblemTooLargeError
from rapid_ising.evaluation import (
    annealed_importance,
    estimated_log_likelihood,
    hamming_distance,
    known_rows,
    log_likelihood,
)
from rapid_ising.models import (
    BoltzmannMachine,
    DeepBoltzmannMachine,
    Model,
    PatternBoltzmannMachine,
    PatternDeepBoltzmannMachine,
)
from rapid_ising.report import Element, Table, Text
from rapid_ising.reproduction.spread import median, number, spread
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import Watch
from rapid_ising.training import train
from rapid_ising.training.negative_phase import ContrastiveDivergence
from rapid_ising.training.optimizers import Adam

STEPS = 5
"""Gibbs steps of a restored image: one does not reach every layer."""
SEEDS = 3


def kings_graph(side: int = 6, inner: int = 4) -> nx.Graph[int]:
    """Return the king's graph of ``side`` x ``side`` nodes, the square in its middle counted first.

    >>> kings_graph(3, 1).degree[0]
    8
    """
    margin = (side - inner) // 2
    places = sorted(
        np.ndindex(side, side), key=lambda place: not all(margin <= x < margin + inner for x in place)
    )
    number_of = {place: index for index, place in enumerate(places)}
    graph: nx.Graph[int] = nx.empty_graph(len(places))
    for (row, column), index in number_of.items():
        for step in ((0, 1), (1, -1), (1, 0), (1, 1)):
            other = number_of.get((row + step[0], column + step[1]))
            if other is not None:
                graph.add_edge(index, other)
    return graph


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A model and how it is trained."""

    make: Callable[[int], Model]
    """The model of a seed."""
    epochs: int | None = None
    """The epochs of CD-10 with Adam at 0.01; None is the default recipe."""


EXPERIMENTS = {
    "Boltzmann machine, 16 visible": Experiment(lambda seed: BoltzmannMachine(16, seed=seed), 300),
    "Boltzmann machine, 16 visible, 6 hidden": Experiment(
        lambda seed: BoltzmannMachine(22, n_visible=16, weight_std=0.1, seed=seed), 300
    ),
    "Boltzmann machine, king's graph 6 x 6": Experiment(
        lambda seed: BoltzmannMachine(kings_graph(), n_visible=16, weight_std=0.1, seed=seed), 500
    ),
    "deep Boltzmann machine 16-12-6": Experiment(
        lambda seed: DeepBoltzmannMachine([16, 12, 6], weight_std=0.1, seed=seed), 300
    ),
    "8 patterns, 16 visible": Experiment(lambda seed: PatternBoltzmannMachine(16, 8, seed=seed)),
    "8 patterns, 16 visible, 6 hidden": Experiment(
        lambda seed: PatternBoltzmannMachine(22, 8, n_visible=16, seed=seed)
    ),
    "8 patterns, deep 16-12-6": Experiment(
        lambda seed: PatternDeepBoltzmannMachine([16, 12, 6], 8, seed=seed)
    ),
}
"""The machines by the names of the table."""


@final
class Models(Study):
    """Each task is one model of one seed."""

    name: ClassVar[str] = "models"
    title = "machines of every kind on the 4 x 4 stripes"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        seeds = 1 if scale == "smoke" else SEEDS
        return [
            Task(self.name, "model", {"model": name, "seed": seed + place, "short": scale == "smoke"}, 0.5)
            for name in EXPERIMENTS
            for place in range(seeds)
        ]

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts, data = task.parameters, stripes(4)
        experiment, seed = EXPERIMENTS[facts["model"]], facts["seed"]
        model = experiment.make(seed)
        before, exact = _likelihoods(model, data, seed)
        watch = Watch()
        options: dict[str, Any] = {}
        if experiment.epochs is not None:
            phase = ContrastiveDivergence(k=10)
            options = {"negative_phase": phase, "optimizer": Adam(0.01), "epochs": experiment.epochs}
        if facts["short"]:
            options["epochs"] = 2
        run = train(model, data.train, seed=seed, callbacks=[watch], progress=False, **options)
        after, _ = _likelihoods(model, data, seed)
        known = known_rows(data.shape)
        distances = {
            part: hamming_distance(model, images, known, beta=math.inf, steps=STEPS, tries=30, seed=seed)
            for part, images in (("train", data.train), ("test", data.test))
        }
        return {
            "before": before,
            "after": after,
            "exact": exact,
            "distances": distances,
            "epochs": run.epochs,
            "seconds": watch.spent,
            "parameters": sum(array.size for array in model.parameters.values()),
        }

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        found = _by_model(results)
        if not found:
            return [Text("No task of this study is done.")]
        rows = [
            [
                name,
                str(runs[0]["parameters"]),
                str(len(runs)),
                str(runs[0]["epochs"]),
                number(median([run["seconds"] for run in runs]), 2),
                *(number(median([run["before"][part] for run in runs]), 2) for part in ("train", "test")),
                *(spread([run["after"][part] for run in runs], 2) for part in ("train", "test")),
                "exact" if runs[0]["exact"] else "estimated",
                *(number(median([run["distances"][part] for run in runs])) for part in ("train", "test")),
            ]
            for name, runs in found.items()
        ]
        columns = [
            "model",
            "numbers",
            "seeds",
            "epochs",
            "CPU s",
            "log-lik. before, train",
            "held out",
            "after, train",
            "held out",
            "log Z",
            "T = 0, train",
            "held out",
        ]
        bound = independent_pixels(stripes(4))
        caption = (
            "Medians over seeds, with quartiles: log-likelihoods in nats an image, and the share of wrong "
            f"pixels after {STEPS} Gibbs steps at zero temperature from the first row. Pixels independent of "
            f"each other, with the means of the training images, have {bound['train']:.2f} on training "
            f"images and {bound['test']:.2f} on those held out."
        )
        return [
            Text(
                "Free couplings are trained with CD-10 and Adam at 0.01, patterns with the default recipe. "
                "On the king's graph the 16 nodes in the middle are the pixels, and the 20 around them are "
                "hidden; its log Z is estimated by annealed importance sampling."
            ),
            Table(columns, rows, caption),
        ]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        found = _by_model(results)
        if not found:
            return []
        bound = independent_pixels(stripes(4))["train"]
        medians = {name: median([run["after"]["train"] for run in runs]) for name, runs in found.items()}
        worst = min(medians, key=lambda name: medians[name] or 0.0)
        lowest = medians[worst] or 0.0
        return [
            Claim(
                "every kind of machine explains training images better than independent pixels",
                f"median log-likelihood above {bound:.2f}",
                f"lowest {lowest:.2f} ({worst})",
                lowest > bound,
            )
        ]


def independent_pixels(data: Dataset) -> dict[str, float]:
    """Return the mean log-likelihood under independent pixels with the means of the training images."""
    lit = np.clip((1 + data.train.mean(axis=0)) / 2, 0.01, 0.99)
    return {
        part: float(np.where(images > 0, np.log(lit), np.log1p(-lit)).sum(axis=1).mean())
        for part, images in (("train", data.train), ("test", data.test))
    }


def _likelihoods(model: Model, data: Dataset, seed: int) -> tuple[dict[str, float], bool]:
    """Return the mean log-likelihoods of both parts, and whether they are exact."""
    parts = {"train": data.train, "test": data.test}
    try:
        return {part: log_likelihood(model, images) for part, images in parts.items()}, True
    except ProblemTooLargeError:
        found = annealed_importance(model, chains=200, betas=500, seed=seed)
        return {
            part: estimated_log_likelihood(model, images, found, seed=seed) for part, images in parts.items()
        }, False


def _by_model(results: Sequence[Result]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        found.setdefault(result.task.parameters["model"], []).append(result.values)
    return found
