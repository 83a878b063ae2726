"""Settings that go together, by name."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Literal, Protocol

import numpy as np

from rapid_ising.arrays import to_numpy
from rapid_ising.models import Model, PatternModel, PatternRBM
from rapid_ising.training.constraints import Clip, Constraint, Signs
from rapid_ising.training.negative_phase import (
    ContrastiveDivergence,
    NegativePhase,
    PatternCorrelations,
    PersistentContrastiveDivergence,
)
from rapid_ising.training.optimizers import SGD, Adam, Optimizer
from rapid_ising.training.parts import as_part
from rapid_ising.training.schedules import Exponential, Linear
from rapid_ising.typing import Floats, States

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
    centred: bool = False
    """Whether to follow the centred gradient, of spins counted from their means."""
    temperature: float = 1.0
    """At which temperature the model is fitted: at 1 it is this much colder than what was fitted."""


def paper(model: Model, images: States | Floats | None = None) -> Recipe:
    """Return the settings of the authors' program for Fig. 1 of arXiv:1910.01592.

    For a machine with free weights, those of the paper's CD-10 baseline.
    """
    if isinstance(model, PatternModel):
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=0),
            optimizer=SGD(0.02, schedule=Exponential(0.96, floor=1e-5)),
            epochs=50,
            batch_size=3,
            constraint=Signs(),
            last_batch="nominal",
        )
    return Recipe(
        negative_phase=ContrastiveDivergence(k=10),
        optimizer=Adam(0.001, time="epochs"),
        epochs=1000,
        batch_size=1,
    )


def default(model: Model, images: States | Floats | None = None) -> Recipe:
    r"""Return the best settings known.

    For patterns: 64 chains or more start at the patterns and run five Gibbs steps. A gradient G of W moves W
    by eta [(xi_h^T xi_h) G + G (xi_v^T xi_v)] / K, in which the matrices have, for random patterns of
    amplitude a, the largest eigenvalues

    .. math:: \lambda_h = a^2 (\sqrt{H / K} + 1)^2, \quad \lambda_v = a^2 (\sqrt{V / K} + 1)^2

    (Marchenko and Pastur, 1967). The learning rate is min(0.05, 4 / V) / (lambda_h + lambda_v): so W moves at
    one pace whatever the sizes, and the field of a hidden spin, a sum over V pixels, by a bounded step. A
    learned scale moves as fast as the patterns would make it.

    Small patterns on few pixels make fields so small that at temperature 1 an image does not decide a hidden
    spin. Such a model is fitted at the temperature T, a power of two so that nothing is rounded, at which V
    times the root mean square of W at the start, at scale 1, is at least 5,

    .. math:: V a^2 T \ge 5

    and is that much colder as it is kept: for recall. ``best_temperature`` and ``Model.rescale`` take it to
    where it explains the data best.

    With free biases, for many images whose pixels have means, such as photographs or digits: a hundred chains
    go on from update to update, one in a hundred starting anew at a pattern, and centred steps of the rate
    min(1.6 / sqrt(V), 0.03 sqrt(V) / (mu lambda_h)) fall to 0 over the training. mu is the largest eigenvalue
    of the covariance of the data, along which W moves fastest. The second rate was found by trial, on copies
    of two to ten images of 16 to 784 pixels: with 20 patterns and more weights stay in bounds, with four or
    eight on hundreds of pixels they may need a lower one. mu is 25 on MNIST, where the first rate holds with
    200 patterns for 500 hidden spins, and V / 5 or so on such copies. Begin
    with ``start_from_data``.
    """
    if isinstance(model, PatternRBM):
        k, v, h, square = model.n_patterns, model.n_visible, model.n_hidden, model.amplitude**2
        of_visible, of_hidden = (square * (math.sqrt(size / k) + 1) ** 2 for size in (v, h))
    if isinstance(model, PatternRBM) and model.bias_names:
        rate = 1.6 / math.sqrt(v)
        if images is not None:
            rate = min(rate, 0.03 * math.sqrt(v) / (of_hidden * max(_largest_variance(images), 1e-6)))
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=5, num_chains=100, restart=0.01),
            optimizer=SGD(rate, schedule=Linear()),
            epochs=10,
            batch_size=100,
            centred=True,
        )
    if isinstance(model, PatternRBM):
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=5, chains=max(1, -(-64 // k))),
            optimizer=SGD(
                min(0.05, 4 / v) / (of_visible + of_hidden),
                schedule=Exponential(0.98),
                factors={"scale": 1 / (k * (v + h) * square)},
            ),
            epochs=100,
            batch_size=100,
            constraint=Clip(),
            temperature=2.0 ** max(0, math.ceil(math.log2(5 / (v * square)))),
        )
    if isinstance(model, PatternModel):
        # On 4x4 bars and stripes 20 steps are worth 0.3 to 1.5 nats an image more than five.
        return Recipe(
            negative_phase=PatternCorrelations(gibbs_steps=20, chains=max(1, -(-64 // model.n_patterns))),
            optimizer=Adam(0.02, schedule=Exponential(0.99)),
            epochs=300,
            batch_size=100,
            constraint=Clip(),
        )
    return Recipe(
        negative_phase=ContrastiveDivergence(k=10),
        optimizer=Adam(0.01),
        epochs=100,
        batch_size=100,
        centred=bool(model.bias_names),
    )


def recall(model: Model, images: States | Floats | None = None) -> Recipe:
    """Return settings for the best recall in a training whose number of epochs is known beforehand.

    As the default, with a rate that falls to 0 over the training, which averages the noise of few chains out:
    128 go one Gibbs step from update to update, one in eight starting anew at a pattern, so that the steps
    from a pattern are geometric in number, eight on average. Such a training cannot be made longer later.
    For a model without patterns, or with free biases, the default.
    """
    recipe = default(model, images)
    if not isinstance(model, PatternRBM) or model.bias_names:
        return recipe
    assert isinstance(recipe.optimizer, SGD)
    slower = min(1.0, 3 / min(0.05 * model.n_visible, 4))
    optimizer = dataclasses.replace(
        recipe.optimizer, learning_rate=slower * recipe.optimizer.learning_rate, schedule=Linear()
    )
    phase = PatternCorrelations(gibbs_steps=1, num_chains=128, restart=1 / 8)
    return dataclasses.replace(recipe, negative_phase=phase, optimizer=optimizer, batch_size=50)


def likelihood(model: Model, images: States | Floats | None = None) -> Recipe:
    r"""Return settings for a model of high likelihood, of patterns or not: chains of their own, and Adam.

    On the 4 x 4 stripes a ``PatternRBM`` so comes near the exact gradient, where the default recipe recalls
    images better and explains them worse. Adam moves every entry of the patterns alike, so that the field on
    a visible spin, a sum over H, moves by steps that grow with H: the rate is 0.005 sqrt(1000 / H). Its steps
    are centred where weights are free; those of patterns with free biases run into their limits so.
    """
    hidden = math.sqrt(1000 / max(1, model.n_hidden)) if model.n_patterns else 1.0
    return Recipe(
        negative_phase=PersistentContrastiveDivergence(k=5, chains=64),
        optimizer=Adam(min(0.02, 0.005 * hidden), schedule=Exponential(0.99)),
        epochs=300,
        batch_size=100,
        constraint=Clip() if model.n_patterns else None,
        centred=bool(model.bias_names) and not model.n_patterns,
    )


def _largest_variance(images: States | Floats, rows: int = 1000) -> float:
    """Return the largest eigenvalue of the covariance of images, estimated from so many of them."""
    some = to_numpy(images[:: max(1, len(images) // rows)])[:rows].astype(np.float64)
    centred = some - some.mean(axis=0)
    if len(centred) > centred.shape[1]:
        centred = centred.T
    return float(np.linalg.eigvalsh(centred @ centred.T)[-1]) / len(some)


class MakesRecipe(Protocol):
    """A recipe for a model, and for the images that it is to be trained on, where they are known."""

    def __call__(self, model: Model, images: States | Floats | None = None) -> Recipe:
        """Return the settings."""


RECIPES: dict[str, MakesRecipe] = {
    "default": default,
    "paper": paper,
    "recall": recall,
    "likelihood": likelihood,
}


def as_recipe(recipe: str | Recipe, model: Model, images: States | Floats | None = None) -> Recipe:
    """Return a recipe from its name."""
    known = {name: partial(make, model, images) for name, make in RECIPES.items()}
    return as_part("recipe", recipe, Recipe, known)
