"""Settings that go together, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from rapid_ising.errors import UnknownNameError
from rapid_ising.models import Model, PatternRBM
from rapid_ising.training.constraints import Clip, Constraint, Signs
from rapid_ising.training.negative_phase import ContrastiveDivergence, NegativePhase, PatternCorrelations
from rapid_ising.training.optimizers import SGD, Adam, Optimizer
from rapid_ising.training.schedules import Exponential

LastBatch = Literal["own", "nominal"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything about a training but the model and the data."""

    negative_phase: NegativePhase
    optimizer: Optimizer
    epochs: int
    batch_size: int
    constraint: Constraint | None = None
    last_batch: LastBatch = "own"
    """What the data average of a short last batch is divided by: its own size or the nominal one."""


def paper(model: Model) -> Recipe:
    """Return the settings of the authors' program for Fig. 1 of arXiv:1910.01592.

    For an RBM with free weights, those of the paper's CD-10 baseline.
    """
    if isinstance(model, PatternRBM):
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=0),
            optimizer=SGD(0.02, schedule=Exponential(0.96, floor=1e-5)),
            epochs=50,
            batch_size=3,
            constraint=Signs(),
            last_batch="nominal",
        )
    return Recipe(
        negative_phase=ContrastiveDivergence(k=10), optimizer=Adam(0.001), epochs=1000, batch_size=1
    )


def default(model: Model) -> Recipe:
    """Return the best settings known.

    For patterns: 64 chains or more start at the patterns and run five Gibbs steps. Patterns of root mean
    square a move W at a rate proportional to a^2 H / K, which the learning rate makes up for, so that one
    setting serves all sizes.
    """
    if isinstance(model, PatternRBM):
        k, h = model.n_patterns, model.n_hidden
        mean_square = float(np.mean(np.square(model.hidden_patterns, dtype=np.float64)))
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=5, chains=max(1, -(-64 // k))),
            optimizer=SGD(0.02 * k / (max(mean_square, 1e-4) * h), schedule=Exponential(0.98)),
            epochs=100,
            batch_size=100,
            constraint=Clip(),
        )
    return Recipe(
        negative_phase=ContrastiveDivergence(k=10), optimizer=Adam(0.01), epochs=100, batch_size=100
    )


RECIPES: dict[str, Callable[[Model], Recipe]] = {"default": default, "paper": paper}


def as_recipe(recipe: str | Recipe, model: Model) -> Recipe:
    """Return a recipe from its name."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise UnknownNameError.among("recipe", recipe, RECIPES)
    return RECIPES[recipe](model)
