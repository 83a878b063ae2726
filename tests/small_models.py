"""Models small enough to sum over every state, with strong couplings and unequal signs."""

from __future__ import annotations

import numpy as np

import rapid_ising as ri

IMAGES = np.array([[1, 1, -1, 1], [-1, 1, -1, -1], [1, 1, 1, 1]], dtype=np.int8)


def rbm() -> ri.RBM:
    model = ri.RBM(4, 3, seed=1, weight_std=0.7, dtype=np.float64)
    rng = np.random.default_rng(2)
    model.parameters["visible_biases"][:] = rng.normal(0, 0.4, 4)
    model.parameters["hidden_biases"][:] = rng.normal(0, 0.4, 3)
    return model


def biased_pattern_rbm() -> ri.PatternRBM:
    model = ri.PatternRBM(4, 3, 2, seed=1, scale=1.3, learn_scale=True, biases=True, dtype=np.float64)
    rng = np.random.default_rng(2)
    for name in ("visible_patterns", "hidden_patterns", "visible_clamp", "hidden_clamp"):
        model.parameters[name][...] = rng.normal(0, 0.8, model.parameters[name].shape)
    return model


def pattern_rbm() -> ri.PatternRBM:
    model = ri.PatternRBM(4, 3, 2, seed=1, scale=1.3, learn_scale=True, dtype=np.float64)
    rng = np.random.default_rng(2)
    model.visible_patterns[...] = rng.normal(0, 0.8, (2, 4))
    model.hidden_patterns[...] = rng.normal(0, 0.8, (2, 3))
    return model


def kind(model: ri.Model) -> str:
    """The name of a model in the list of tests."""
    return model.name + ("-biased" if "visible_clamp" in model.parameters else "")
