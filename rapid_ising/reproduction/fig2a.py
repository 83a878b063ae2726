"""Fig. 2a: RAPID against contrastive divergence at equal CPU time on bars and stripes of 12 x 12."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.models import RBM, Model, PatternRBM
from rapid_ising.plain import plain
from rapid_ising.report import Element
from rapid_ising.reproduction.bars import images_of, portrait, restored
from rapid_ising.reproduction.fig2a_methods import (
    BASELINES,
    LARGE,
    PAPER,
    PAPER_SETTINGS,
    PATTERNS,
    RAPID,
    Baseline,
)
from rapid_ising.reproduction.fig2a_page import claims, sections
from rapid_ising.reproduction.measures import free_samples
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import Watch, measured
from rapid_ising.training import train
from rapid_ising.training.optimizers import Adam
from rapid_ising.training.schedules import Exponential
from rapid_ising.typing import States

EPOCHS = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500)
SHOWN = 8
"""The images in a row of a picture."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the images are and how much is run."""

    side: int
    seeds: int
    epochs: int
    samples: int
    hidden: int = 300
    large: int = 1000


SIZES: dict[Scale, Size] = {
    "smoke": Size(5, 1, 4, 20, 40, 60),
    "quick": Size(12, 2, 40, 500),
    "full": Size(12, 15, 40, 500),
}
COST = 50.0
"""About how many CPU seconds one race of 40 epochs takes."""


@final
class Fig2a(Study):
    """Each task is a race: one seed, all methods one after the other in one process."""

    name: ClassVar[str] = "fig2a"
    title = "bars and stripes"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        size = SIZES[scale]
        made = []
        for place in range(size.seeds):
            facts = {**dataclasses.asdict(size), "seed": seed + place, "first": place == 0}
            del facts["seeds"]
            # The settings are part of what the task is: a result of others is none of this one.
            facts["settings"] = plain({**BASELINES, RAPID: "recall", PAPER: PAPER_SETTINGS})
            made.append(Task(self.name, "race", facts, COST * size.epochs / 40))
        return made

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts = task.parameters
        values = {RAPID: _rapid(facts, facts["hidden"])}
        budget = values[RAPID]["seconds"]
        values[LARGE] = _rapid(facts, facts["large"])
        for name, baseline in BASELINES.items():
            values[name] = _baseline(facts, baseline, budget)
        if facts["first"]:
            values[PAPER] = _rapid(facts, facts["large"], **PAPER_SETTINGS)
        return {"methods": values, "true": _shown(facts["side"]).tolist()}

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        return sections(results)

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        return claims(results)


def _shown(side: int) -> States:
    """Return held-out images for pictures, evenly spaced: stripes come first, then bars."""
    images = images_of(side).test
    shown: States = images[np.linspace(0, len(images) - 1, SHOWN).astype(int)]
    return shown


def _rapid(facts: Mapping[str, Any], hidden: int, **settings: Any) -> dict[str, Any]:
    model = PatternRBM(facts["side"] ** 2, hidden, PATTERNS, seed=facts["seed"])
    return _trained(facts, model, {"epochs": facts["epochs"], "recipe": "recall", **settings})


def _baseline(facts: Mapping[str, Any], settings: Baseline, budget: float) -> dict[str, Any]:
    model = RBM(facts["side"] ** 2, settings.hidden, seed=facts["seed"])
    options = {
        "epochs": EPOCHS[-1],
        "negative_phase": settings.phase,
        "optimizer": Adam(settings.learning_rate, schedule=Exponential(settings.decay)),
        "batch_size": settings.batch_size,
        "centred": settings.centred,
    }
    return _trained(facts, model, options, budget)


def _trained(
    facts: Mapping[str, Any], model: Model, options: Mapping[str, Any], budget: float | None = None
) -> dict[str, Any]:
    """Train a model, and return its curves, its portrait, and of the first seed images."""
    side, seed = facts["side"], facts["seed"]
    data = images_of(side)
    watch = Watch(lambda model: restored(model, side, seed=seed), {*EPOCHS, options["epochs"]}, budget)
    run = train(model, data.train, seed=seed, callbacks=[watch], progress=False, **options)
    values: dict[str, Any] = {
        "curves": measured(run, "train", "test"),
        "epochs": run.epochs,
        "seconds": watch.spent,
        **portrait(model, side, facts["samples"], seed),
    }
    if facts["first"]:
        known = np.random.default_rng(seed).random(data.images.shape[1]) >= 0.5
        given = np.where(known, _shown(side), 0)
        values["images"] = {
            "samples": free_samples(model, SHOWN, seed=seed).tolist(),
            "given": given.tolist(),
            "restored": model.reconstruct(given, known, seed=seed).tolist(),
        }
    return values
