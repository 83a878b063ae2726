"""One update of the parameters from a batch of the data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from rapid_ising.models import Model, PatternRBM
from rapid_ising.models.centring import centred_step
from rapid_ising.training.negative_phase import NegativePhase, PatternCorrelations
from rapid_ising.training.optimizers import SGD, Optimizer
from rapid_ising.typing import Floats

Update = Callable[[Floats, int | None, float], None]
"""Called with a batch, what its sums are divided by if not its size, and the learning rate."""
SMALL = 2**17
"""Multiplications of the means below which NumPy's calls take longer than their work."""


def updating(
    model: Model,
    phase: NegativePhase,
    optimizer: Optimizer,
    size: int,
    centred: bool,
    rng: np.random.Generator,
) -> Update:
    """Return what makes the updates of a training, in batches of ``size``."""
    if not centred and isinstance(model, PatternRBM) and isinstance(optimizer, SGD):
        work = (size + model.n_patterns) * model.n_patterns * (model.n_visible + model.n_hidden)
        if work < SMALL and _plain(model, phase, optimizer):
            return _compiled(model, optimizer)

    def update(batch: Floats, divisor: int | None, rate: float) -> None:
        chains = model.posterior(batch, rng)
        positive = model.statistics(chains, divisor)
        negative = phase.statistics(model, chains, rng)
        gradient = model.gradient(positive, negative)
        ascend = partial(optimizer.step, model.parameters, rate=rate)
        if centred:
            centred_step(model, gradient, (positive, negative), ascend)
        else:
            ascend(gradient)

    return update


def _plain(model: PatternRBM, phase: NegativePhase, optimizer: SGD) -> bool:
    """Return whether an update is the paper's, in the arrays that the compiled one takes."""
    bare = not (model.bias_names or model.clamp_names or model.learn_scale)
    fresh = isinstance(phase, PatternCorrelations) and not phase.gibbs_steps and phase.num_chains is None
    halves = model.visible_patterns, model.hidden_patterns
    here = model.place.is_numpy and all(h.dtype == np.float32 and h.flags.c_contiguous for h in halves)
    return bare and fresh and here and not (optimizer.momentum or optimizer.decay)


def _compiled(model: PatternRBM, optimizer: SGD) -> Update:
    # Here, since numba takes longer to import than the rest of training.
    from rapid_ising.kernels.pattern_update import pattern_update

    factors = [optimizer.factors.get(name, 1.0) for name in ("visible_patterns", "hidden_patterns")]

    def update(batch: Floats, divisor: int | None, rate: float) -> None:
        rates = rate * factors[0], rate * factors[1]
        halves = model.visible_patterns, model.hidden_patterns
        pattern_update(*halves, model.factor, batch, divisor or len(batch), rates)

    return update
