"""What every negative phase is held to: that it learns, and that a resumed training has the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import rapid_ising as ri
from rapid_ising.models.statistics import Statistics

STRIPES = ri.datasets.stripes(4)


def largest_error(model: ri.Model, found: Statistics) -> float:
    """The largest error of a mean of a spin or of a product of spins in neighbouring layers."""
    exact = ri.ExactExpectation().statistics(model, np.empty(0), np.random.default_rng(0))
    layers = range(len(model.layers))
    pairs = [(layer, layer - 1) for layer in layers[1:]] or [(0, 0)]
    errors = [found.mean(layer) - exact.mean(layer) for layer in layers]
    errors += [found.correlations(*pair) - exact.correlations(*pair) for pair in pairs]
    return max(float(np.abs(error).max()) for error in errors)


def improvement(phase: str | ri.NegativePhase, seed: int = 0) -> float:
    """Nats an image by which 30 updates raise the exact likelihood of the stripes."""
    model = ri.RBM(16, 8, seed=seed)
    before = ri.log_likelihood(model, STRIPES.train)
    ri.train(model, STRIPES.train, negative_phase=phase, epochs=30, seed=seed, progress=False)
    return ri.log_likelihood(model, STRIPES.train) - before


def check_resume(phase: str | ri.NegativePhase, folder: Path) -> None:
    """Stop after two of four epochs and go on, in a fresh model, to the bits of a run without a stop."""
    # Cold: in a warm model chains from any start coalesce under the same random numbers.
    models = [ri.PatternRBM(16, 12, 4, amplitude=1.0, seed=seed) for seed in (0, 0, 9)]
    for model, epochs, seed, resume in zip(models, (4, 2, 4), (5, 5, 77), (None, False, True), strict=True):
        file = None if resume is None else folder / "run.safetensors"
        ri.train(
            model, STRIPES.train, negative_phase=phase, epochs=epochs, batch_size=5, seed=seed,
            checkpoint=file, resume=bool(resume), progress=False,
        )  # fmt: skip
    for name, array in models[0].parameters.items():
        np.testing.assert_array_equal(models[2].parameters[name], array)
    assert not np.array_equal(models[1].visible_patterns, models[0].visible_patterns)
