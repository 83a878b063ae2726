"""Exact enumeration: against dimod's solver and straightforward NumPy (line 6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import dimod
import numpy as np
import numpy.typing as npt

import rapid_ising as ri
from benchmarks.side_by_side import Pair, Size, at_least, case, pick
from rapid_ising.training.negative_phase import ExactExpectation

Reals = npt.NDArray[np.float64]
BLOCK = 2**16
"""States that the straightforward way holds at once, where all would not fit."""


@case(1, 2)
def two_layers(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden = pick(size, (6, 20), (16, 1000))
    model = ri.RBM(visible, hidden, seed=0, weight_std=0.1)
    data, rng, phase = np.ones((1, visible), np.float32), np.random.default_rng(0), ExactExpectation()
    positive = model.statistics(data)
    shape = f"V={visible} H={hidden}"
    plain = "NumPy, all hidden fields at once"
    log_z = partial(ri.log_partition, model)
    yield Pair("6", f"log Z, {shape}", log_z, plain, partial(log_partition, model), at_least(20))

    def gradient() -> None:
        phase.start(model, data, rng)
        model.gradient(positive, phase.statistics(model, data, rng))

    theirs = partial(averages, model)
    yield Pair("6", f"exact gradient, {shape}", gradient, plain, theirs, at_least(20))


def log_partition(model: ri.RBM) -> float:
    """Return log Z from the weights of all 2^V visible states, in float64."""
    _, _, logs = all_visible(model)
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def averages(model: ri.RBM) -> tuple[Reals, Reals, Reals]:
    """Return <h v^T>, <v> and <h>, of which the gradient is made."""
    states, fields, logs = all_visible(model)
    law: Reals = np.exp(logs - logs.max())
    law /= law.sum()
    means: Reals = np.tanh(fields)
    return (means * law[:, np.newaxis]).T @ states, law @ states, law @ means


def all_visible(model: ri.RBM) -> tuple[Reals, Reals, Reals]:
    """Return every visible state, its hidden fields and the logarithm of its weight."""
    states = every_state(0, 2**model.n_visible, model.n_visible)
    fields = states @ model.weights.T.astype(np.float64) + model.parameters["hidden_biases"]
    logs = np.logaddexp(fields, -fields).sum(axis=1) + states @ model.parameters["visible_biases"]
    return states, fields, logs


@case(1, 2)
def enumeration(size: Size, threads: int) -> Iterator[Pair]:
    for spins in pick(size, (10,), (20, 22, 24, 26)):
        rng = np.random.default_rng(0)
        upper = np.triu(rng.normal(size=(spins, spins)), 1) / np.sqrt(spins)
        fields = rng.normal(size=spins)
        model = ri.IsingModel(fields, upper + upper.T)
        work = f"enumeration, N={spins}: log Z and ground energy"
        ours = partial(ri.enumerate_model, model, 1.0)
        if spins <= 20:
            bqm = dimod.BinaryQuadraticModel(fields, upper, dimod.SPIN)
            solve = partial(dimod.ExactSolver().sample, bqm)
            yield Pair("6", work, ours, "dimod.ExactSolver", solve, at_least(200))
        if spins <= 22:
            plain = partial(all_energies, fields, upper)
            yield Pair("6", work, ours, "NumPy, all energies", plain, at_least(20))
        else:
            yield Pair("6", work, ours, "", None)


def all_energies(fields: Reals, upper: Reals) -> tuple[float, float]:
    """Return log Z at beta = 1 and the lowest energy, from all energies, by blocks of products."""
    spins = len(fields)
    energies = np.empty(2**spins)
    for start in range(0, 2**spins, BLOCK):
        states = every_state(start, min(start + BLOCK, 2**spins), spins)
        energies[start : start + len(states)] = states @ fields + np.einsum(
            "ri,ri->r", states @ upper, states
        )
    lowest = energies.min()
    return float(np.log(np.exp(lowest - energies).sum()) - lowest), float(lowest)


def every_state(start: int, stop: int, spins: int) -> Reals:
    bits = (np.arange(start, stop)[:, np.newaxis] >> np.arange(spins)) & 1
    return np.where(bits == 1, 1.0, -1.0)
