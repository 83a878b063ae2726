"""Sums over every state of both layers, written without the library: the truth that models are held to."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from rapid_ising import RBM, Model, PatternRBM

Reals = npt.NDArray[np.float64]


def all_states(n: int) -> npt.NDArray[np.int8]:
    return np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8)


def energy_table(model: Model) -> Reals:
    """E(v, h) = -h W v - b v - c h for every v (rows) and h (columns), from the parameters."""
    p = {name: array.astype(float) for name, array in model.parameters.items()}
    if isinstance(model, PatternRBM):
        k = model.n_patterns
        weights = p["scale"][0] / k**0.5 * np.einsum("ka,ki->ai", p["hidden_patterns"], p["visible_patterns"])
        nothing = np.zeros(k)
        u, w = p.get("visible_clamp", nothing), p.get("hidden_clamp", nothing)
        b = p["scale"][0] / k**0.5 * np.einsum("k,ki->i", w, p["visible_patterns"])
        c = p["scale"][0] / k**0.5 * np.einsum("k,ka->a", u, p["hidden_patterns"])
    else:
        assert isinstance(model, RBM)
        weights, b, c = p["weights"], p["visible_biases"], p["hidden_biases"]
    v, h = all_states(model.n_visible).astype(float), all_states(model.n_hidden).astype(float)
    table: Reals = -(v @ weights.T) @ h.T - (v @ b)[:, None] - (h @ c)[None, :]
    return table


def joint(model: Model, beta: float = 1.0) -> Reals:
    """P(v, h) for every v (rows) and h (columns)."""
    weights: Reals = np.exp(-beta * energy_table(model))
    law: Reals = weights / weights.sum()
    return law


def mean_log_likelihood(model: Model, images: npt.NDArray[np.int8]) -> float:
    states = all_states(model.n_visible)
    marginal = joint(model).sum(axis=1)
    place = [int(np.flatnonzero((states == image).all(axis=1))[0]) for image in images]
    return float(np.log(marginal[place]).mean())
