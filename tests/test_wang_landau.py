"""Wang-Landau sampling against exact densities of states, and its kernel against the plain twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brute_force import all_states
from phases import check_resume, improvement, largest_error
from small_models import IMAGES, all_models, kind, rbm

import rapid_ising as ri
from rapid_ising.errors import DeadlineExceededError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.evaluation import density_of_states
from rapid_ising.kernels.wang_landau import flat_sweeps, flat_sweeps_twin
from rapid_ising.typing import Reals

by_name = pytest.mark.parametrize("model", all_models(), ids=kind)


def glass(n: int, whole: bool) -> ri.IsingModel:
    rng = np.random.default_rng(3)
    half = np.triu(rng.choice([-1.0, 1.0], (n, n)) if whole else rng.normal(0, 0.6, (n, n)), 1)
    fields = np.ones(n) if whole else rng.normal(size=n)
    return ri.IsingModel(fields, half + half.T, 1.5)


def energies(problem: ri.IsingModel) -> Reals:
    states = all_states(problem.num_variables).astype(float)
    pairs = 0.5 * ((states @ problem.couplings.to_dense()) * states).sum(axis=1)
    found: Reals = problem.offset + states @ problem.fields + pairs
    return found


def log_sum(values: Reals) -> float:
    return float(np.logaddexp.reduce(values))


@pytest.mark.parametrize("whole", [False, True], ids=["real", "whole"])
@pytest.mark.parametrize(("top", "factor"), [(60.0, 0.3), (0.0, 0.01), (0.0, 0.0)])
def test_kernel_equals_twin(whole: bool, top: float, factor: float) -> None:
    problem = glass(7, whole)
    start = np.random.default_rng(1).choice([-1, 1], size=(5, 7)).astype(np.int8)
    # Of the bins some are known, and the lowest are one.
    known = np.where(np.arange(70) < 40, -np.inf, 0.1 * np.arange(70)) if top else np.full(9, -np.inf)
    found: list[tuple[Any, ...]] = []
    for sweep in (flat_sweeps_twin, flat_sweeps):
        states, log_density = start.copy(), known.copy()
        visits, sums = np.zeros((5, len(known)), np.int64), np.zeros(len(known))
        rng = np.random.default_rng(2)
        fields, matrix = problem.fields.astype(float), problem.couplings.to_dense().astype(float)
        sweep(states, fields, matrix, top, 1.0, log_density, factor, 6, rng, visits, sums)
        found.append((states, log_density, visits, sums, rng.random()))
    (*exact, sums, after), (*ours, our_sums, our_after) = found
    for twin, kernel in zip(exact, ours, strict=True):
        np.testing.assert_array_equal(kernel, twin)
    # Energies add up in another order.
    np.testing.assert_allclose(our_sums, sums, rtol=1e-12, atol=1e-12)
    assert our_after == after
    assert ours[2].sum() == 5 * 6 * 7
    assert (ours[0] != start).any()


def test_every_level_of_a_whole_problem() -> None:
    """Levels are a whole number of widths apart: log g of each bin is the logarithm of a count."""
    problem = glass(10, whole=True)
    levels, counts = np.unique(energies(problem), return_counts=True)
    found = density_of_states(problem, width=1.0, final_factor=3e-5, seed=0)
    np.testing.assert_allclose(found.energies, levels, atol=1e-9)
    # Standard errors from 16 walkers are themselves uncertain by a fifth: seven of them, on some 30 levels.
    assert (np.abs(found.log_density - np.log(counts)) < 7 * found.standard_errors).all()
    assert (found.standard_errors < 0.2).all()
    assert log_sum(found.log_density) == pytest.approx(10 * np.log(2))


@pytest.mark.parametrize("beta", [-0.5, 0.0, 0.5, 1.0, 2.0])
def test_log_partition(beta: float) -> None:
    problem = glass(10, whole=False)
    found = density_of_states(problem, final_factor=3e-5, seed=1)
    exact = log_sum(-beta * energies(problem))
    # Seven standard errors as above, and the width of a bin at its worst.
    margin = 7 * found.standard_error(beta) + (beta * found.width) ** 2 / 8
    assert abs(found.log_partition(beta) - exact) <= margin + 1e-9
    assert margin < 0.4


def test_standard_errors_are_the_spread_over_seeds() -> None:
    problem = glass(6, whole=True)
    runs = [density_of_states(problem, width=1.0, final_factor=1e-3, seed=seed) for seed in range(60)]
    spread = np.std([run.log_partition(0.5) for run in runs], ddof=1)
    told = np.sqrt(np.mean([run.standard_error(0.5) ** 2 for run in runs]))
    # A standard deviation from 60 runs is known to 1 / sqrt(2 * 60) of itself; five of these, either way.
    assert 1 / 1.5 < spread / told < 1.5


def test_one_seed_gives_one_estimate() -> None:
    first, again, other = (density_of_states(glass(6, True), final_factor=1e-3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.log_density, again.log_density)
    assert not np.array_equal(first.log_density, other.log_density)


def test_problems_without_couplings_or_energies() -> None:
    found = density_of_states(ri.IsingModel(np.zeros(3), np.zeros((3, 3)), 2.0), seed=0)
    np.testing.assert_allclose((found.energies, found.log_density), [[2.0], [3 * np.log(2)]])
    assert found.log_partition(2.0) == pytest.approx(3 * np.log(2) - 4)


def test_what_does_not_fit_is_refused() -> None:
    problem = glass(6, whole=True)
    with pytest.raises(ProblemTooLargeError, match="3000 spins"):
        density_of_states(ri.IsingModel(np.ones(3000), ri.Sparse(3000, [0], [1], [1.0])))
    with pytest.raises(DeadlineExceededError, match="the Wang-Landau walk"):
        density_of_states(problem, final_factor=1e-12, deadline=0.01)
    with pytest.raises(InvalidParameterError, match="give a larger one"):
        density_of_states(problem, width=1e-9)
    bad: list[dict[str, Any]] = [{"width": 0.0}, {"walkers": 1}, {"final_factor": 0.0}, {"flatness": 1.5}]
    for options in bad:
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            density_of_states(problem, **options)
    wrong: list[dict[str, Any]] = [
        {"width": 0.0}, {"walkers": 0}, {"steps": 0}, {"reads": 0}, {"final_factor": 2.0}, {"burn_in": 0}
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            ri.WangLandau(**options)


@by_name
@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_weights_give_the_model_averages(model: ri.Model, tilt: float) -> None:
    """Whatever g is: what is left over when it is wrong is a smaller effective sample size."""
    phase = ri.WangLandau(walkers=500, reads=100, final_factor=1e-3)
    rng = np.random.default_rng(6)
    phase.start(model, IMAGES.astype(float), rng)
    state = phase.state()
    state["log_density"] += tilt * np.arange(len(state["log_density"]))
    phase.restore(state)
    found = phase.statistics(model, IMAGES.astype(float), rng)
    assert phase.effective_sample_size > 2000
    # Products within -1 .. 1. States of one walker are a sweep apart: with ten sweeps as their correlation
    # time, a tenth of the effective sample size is independent.
    assert largest_error(model, found) < 5 / np.sqrt(phase.effective_sample_size / 10)


def test_walkers_cross_barriers() -> None:
    """Two modes that Gibbs steps at beta = 1 never leave: both are found, from a start in one."""
    model = ri.RBM(8, 8, dtype=np.float64)
    model.weights[...] = 0.75
    phase = ri.WangLandau(walkers=50, reads=50)
    rng = np.random.default_rng(9)
    phase.start(model, np.ones((1, 8)), rng)
    state = phase.state()
    phase.restore({**state, "states": np.ones_like(state["states"])})
    means = [phase.statistics(model, np.ones((1, 8)), rng).mean(0).mean() for _ in range(40)]
    # The law is even in v. In each of the last 20 updates every walker goes between the modes at least once.
    assert abs(np.mean(means[20:])) < 5 / np.sqrt(50 * 20)


def test_the_density_follows_a_model_that_changes() -> None:
    """Ten times the weights, in steps: new low energies are found and the averages stay right."""
    model = rbm()
    model.rescale(0.1)
    phase = ri.WangLandau(walkers=200, reads=50)
    rng = np.random.default_rng(7)
    phase.start(model, IMAGES.astype(float), rng)
    for _ in range(30):
        model.rescale(10 ** (1 / 30))
        found = phase.statistics(model, IMAGES.astype(float), rng)
    assert largest_error(model, found) < 5 / np.sqrt(phase.effective_sample_size / 10)


def test_training_and_resume(tmp_path: Path) -> None:
    assert improvement("wang-landau") > 2
    check_resume(ri.WangLandau(walkers=10, steps=2, reads=3, burn_in=200), tmp_path)
