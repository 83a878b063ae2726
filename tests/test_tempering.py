"""Simulated tempering against exact laws, and that it crosses barriers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brute_force import all_states, energy_table, indices, joint
from phases import check_resume, improvement, largest_error
from small_models import IMAGES, all_models, kind, rbm

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Reals

by_name = pytest.mark.parametrize("model", all_models(), ids=kind)
LADDER = [0.0, 0.4, 1.0]


def log_partitions(model: ri.Model) -> Reals:
    table = energy_table(model)
    return np.array([np.log(np.exp(-beta * table).sum()) for beta in LADDER])


@by_name
def test_the_joint_law_of_states_and_temperatures_is_kept(model: ri.Model) -> None:
    """From equilibrium at weights that are not the flat ones."""
    chains, rng = 20_000, np.random.default_rng(8)
    weights = np.array([0.0, 0.5, 0.2]) - log_partitions(model)
    shares = np.exp([0.0, 0.5, 0.2])
    shares /= shares.sum()
    every = all_states(4 + model.n_hidden)[:, model.carried].astype(float)
    places = indices(every)
    law = shares[:, None] * np.stack([joint(model, beta).ravel() for beta in LADDER])
    rungs, drawn = np.divmod(rng.choice(law.size, size=chains, p=law.ravel()), len(every))
    # As many reads as come in one step, so that no stop depends on what was drawn.
    phase = ri.SimulatedTempering(LADDER, chains=chains, reads=1)
    state = {"chains": every[drawn], "rungs": rungs, "weights": weights, "steps": np.array([5.0])}
    for _ in range(3):
        phase.restore(state)
        found = phase.statistics(model, IMAGES.astype(float), rng)
        state = {**phase.state(), "weights": weights}
    carried = np.stack([np.bincount(places, weights=row) for row in law])
    counts = np.zeros(carried.shape)
    np.add.at(counts, (state["rungs"].astype(int), indices(state["chains"])), 1)
    # Five standard errors of each frequency, as chains are independent of each other, and a few counts for
    # states so rare that few are expected.
    bounds = 5 * np.sqrt(carried * (1 - carried) / chains) + 4 / chains
    assert (np.abs(counts / chains - carried) < bounds).all()
    # Products within -1 .. 1, from the reads at beta = 1.
    assert largest_error(model, found) < 5 / np.sqrt(counts[2].sum())


@by_name
def test_the_weights_become_minus_log_z(model: ri.Model) -> None:
    phase = ri.SimulatedTempering(LADDER, chains=500, reads=500, rate=0.01, burn_in=50)
    rng = np.random.default_rng(9)
    phase.start(model, IMAGES.astype(float), rng)
    for _ in range(100):
        phase.statistics(model, IMAGES.astype(float), rng)
    weights = phase.state()["weights"]
    log_z = log_partitions(model)
    # The rate averages over the last 1 / rate = 100 steps of 500 chains, which mix in a few steps: the
    # shares of three temperatures are known to a few per cent.
    np.testing.assert_allclose(weights[0] - weights, log_z - log_z[0], atol=0.2)
    occupied = np.bincount(phase.state()["rungs"].astype(int), minlength=3) / 500
    assert (np.abs(occupied - 1 / 3) < 0.05 + 5 * np.sqrt(2 / 9 / 500)).all()


def test_weights_found_before_training_are_near() -> None:
    """The areas under mean energies, of a model whose log Z varies by tens of nats."""
    model = ri.RBM(10, 8, weight_std=0.8, seed=2, dtype=np.float64)
    phase = ri.SimulatedTempering(20, chains=200, burn_in=40)
    phase.start(model, np.ones((1, 10)), np.random.default_rng(0))
    weights = phase.state()["weights"]
    exact = [ri.log_partition(model, float(beta)) for beta in phase.ladder]
    # 200 chains know each mean energy, of spread about 5, to .4: errors of 20 areas of width 1/20 add up to
    # .1 at most, and the trapezoids are .03 off.
    np.testing.assert_allclose(-weights, np.array(exact) - exact[0], atol=0.3)


def test_chains_cross_barriers() -> None:
    """Two modes that Gibbs steps at beta = 1 never leave: started in one, both are read."""
    model = ri.RBM(8, 8, dtype=np.float64)
    model.weights[...] = 0.75
    phase = ri.SimulatedTempering(12, chains=50, reads=50)
    rng = np.random.default_rng(9)
    phase.start(model, np.ones((1, 8)), rng)
    state = phase.state()
    phase.restore({**state, "chains": np.ones_like(state["chains"])})
    means = [phase.statistics(model, np.ones((1, 8)), rng).mean(0).mean() for _ in range(150)]
    # The law is even in v. Some 50 chains go up and down the ladder in about 50 steps of which an update
    # takes a dozen: some 50 * 100 * 12 / 50 independent reads, and the bound is ten of their errors.
    assert abs(np.mean(means[50:])) < 10 / np.sqrt(50 * 100 * 12 / 50)


def test_reads_are_waited_for_and_then_given_up() -> None:
    model = rbm()
    phase = ri.SimulatedTempering(5, chains=10, reads=100)
    rng = np.random.default_rng(1)
    phase.start(model, IMAGES.astype(float), rng)
    phase.statistics(model, IMAGES.astype(float), rng)
    assert phase.steps >= 10
    short = ri.SimulatedTempering(5, chains=10, reads=100, max_steps=3)
    short.start(model, IMAGES.astype(float), rng)
    with pytest.raises(InvalidParameterError, match="in 3 steps of 10 chains, and 100 are needed"):
        short.statistics(model, IMAGES.astype(float), rng)


def test_training_and_resume(tmp_path: Path) -> None:
    assert improvement("simulated-tempering") > 2
    check_resume(ri.SimulatedTempering(8, chains=10, reads=20, burn_in=10), tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"betas": [0.5, 0.9]}, {"betas": 1}, {"chains": 0}, {"reads": 0}, {"rate": 0.0}, {"max_steps": 0}],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.SimulatedTempering(**options)
