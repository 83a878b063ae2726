"""Sums over every state of all spins, written without the library: the truth that models are held to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising import (
    RBM,
    BoltzmannMachine,
    DeepBoltzmannMachine,
    Model,
    PatternBoltzmannMachine,
    PatternDeepBoltzmannMachine,
    PatternRBM,
)
from rapid_ising.models.statistics import MixedStatistics, Statistics

Reals = npt.NDArray[np.float64]


def all_states(n: int) -> npt.NDArray[np.int8]:
    return np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8).reshape(2**n, n)


def layer_pairs(sizes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Each spin with each of the next layer."""
    layer = [number for number, size in enumerate(sizes) for _ in range(size)]
    yield from ((i, j) for i, j in itertools.combinations(range(len(layer)), 2) if layer[j] - layer[i] == 1)


def pattern_couplings(model: Model, xi: Reals, pairs: Iterator[tuple[int, int]]) -> Reals:
    """J_ij = s / sqrt K sum_k xi_ki xi_kj for the given pairs."""
    j = np.zeros((xi.shape[1], xi.shape[1]))
    for i, m in pairs:
        j[i, m] = model.parameters["scale"][0] / len(xi) ** 0.5 * sum(row[i] * row[m] for row in xi)
    return j


def upper_couplings_and_biases(model: Model) -> tuple[Reals, Reals]:
    """J (above the diagonal) and b of E(s) = -sum_{i<j} J_ij s_i s_j - sum_i b_i s_i, from the parameters."""
    p = {name: array.astype(float) for name, array in model.parameters.items()}
    n, v = model.n_visible + model.n_hidden, model.n_visible
    j, b = np.zeros((n, n)), np.zeros(n)
    if isinstance(model, RBM):
        for a, i in np.ndindex(model.n_hidden, v):
            j[i, v + a] = p["weights"][a, i]
        b = np.concatenate([p["visible_biases"], p["hidden_biases"]])
    elif isinstance(model, PatternRBM):
        xi = np.hstack([p["visible_patterns"], p["hidden_patterns"]])
        j = pattern_couplings(model, xi, layer_pairs((v, model.n_hidden)))
        if "visible_clamp" in p:
            # The spin clamped in one layer makes the biases of the other one.
            clamps = [p["hidden_clamp"]] * v + [p["visible_clamp"]] * model.n_hidden
            b = p["scale"][0] / len(xi) ** 0.5 * np.array([u @ xi[:, i] for i, u in enumerate(clamps)])
        if "visible_biases" in p:
            b = np.concatenate([p["visible_biases"], p["hidden_biases"]])
    elif isinstance(model, BoltzmannMachine):
        for (i, m), value in zip(model.edges, p["couplings"], strict=True):
            j[i, m] = value
        b = p["biases"]
    elif isinstance(model, DeepBoltzmannMachine):
        starts = np.cumsum((0, *model.layers))
        for layer in range(1, len(model.layers)):
            for a, i in np.ndindex(model.layers[layer], model.layers[layer - 1]):
                j[starts[layer - 1] + i, starts[layer] + a] = p[f"weights_{layer}"][a, i]
        b = np.concatenate([p[f"biases_{layer}"] for layer in range(len(model.layers))])
    else:
        if isinstance(model, PatternBoltzmannMachine):
            xi, pairs = p["patterns"], itertools.combinations(range(n), 2)
        else:
            assert isinstance(model, PatternDeepBoltzmannMachine)
            xi = np.hstack([p[f"patterns_{layer}"] for layer in range(len(model.layers))])
            pairs = layer_pairs(model.layers)  # type: ignore[assignment]
        j = pattern_couplings(model, xi, pairs)
        if "clamp" in p:
            b = p["scale"][0] / len(xi) ** 0.5 * np.array([p["clamp"] @ xi[:, i] for i in range(n)])
    return j, b


def energy_table(model: Model) -> Reals:
    """E(v, h) for every v (rows) and every state h of all hidden spins (columns), from the parameters."""
    j, b = upper_couplings_and_biases(model)
    s = all_states(len(b)).astype(float)
    energies: Reals = -np.einsum("si,ij,sj->s", s, j, s) - s @ b
    return energies.reshape(2**model.n_visible, 2**model.n_hidden)


def joint(model: Model, beta: float = 1.0) -> Reals:
    """P(v, h) for every v (rows) and h (columns)."""
    weights: Reals = np.exp(-beta * energy_table(model))
    law: Reals = weights / weights.sum()
    return law


def mean_log_likelihood(model: Model, images: npt.NDArray[np.int8]) -> float:
    marginal = joint(model).sum(axis=1)
    return float(np.log(marginal[indices(images)]).mean())


def exact_positive(model: Model, images: npt.NDArray[np.int8]) -> Statistics:
    """The averages over the data with each state of the hidden spins as often as the model gives it."""
    n, rows = model.n_visible + model.n_hidden, joint(model)[indices(images)]
    hidden = all_states(model.n_hidden)
    parts, shares = [], []
    for image, law in zip(images, rows, strict=True):
        for h, p in zip(hidden, law / law.sum(), strict=True):
            chain = np.concatenate([image, h]).reshape(1, n)[:, model.carried].astype(float)
            parts.append(model.statistics(chain))
            shares.append(p / len(images))
    return MixedStatistics(parts, shares)


def indices(states: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The place of each state among ``all_states``."""
    place: npt.NDArray[np.intp] = ((states > 0) @ (1 << np.arange(states.shape[1])[::-1])).astype(np.intp)
    return place
