"""The effective beta of reads, against brute force, exact draws at known temperatures and its error bar."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidDataError
from rapid_ising.machine import effective_beta, temperature
from rapid_ising.testing import REFERENCE_MODELS, ReferenceModel

COUPLED = [name for name in REFERENCE_MODELS if name != "one-spin"]


def flip_costs(model: ReferenceModel, states: Any) -> Any:
    """What flipping each spin of each read adds to the energy, from energies alone."""
    costs = np.zeros(states.shape)
    for n, state in enumerate(states.tolist()):
        for i in range(len(state)):
            flipped = [-s if j == i else s for j, s in enumerate(state)]
            costs[n, i] = model.energy(tuple(flipped)) - model.energy(tuple(state))
    return costs


@pytest.mark.parametrize("name", COUPLED)
def test_the_maximum_of_the_pseudo_likelihood(name: str) -> None:
    """On a grid twice refined, whose last step is 1e-4."""
    model = REFERENCE_MODELS[name]
    states = ri.enumerate_model(model.problem(), 0.7).sample(100, np.random.default_rng(0))
    costs = flip_costs(model, states)
    grid = np.arange(-3, 3, 1e-2)
    for step in (1e-2, 1e-4):
        totals = [-np.log1p(np.exp(-beta * costs)).sum() for beta in grid]
        best = grid[int(np.argmax(totals))]
        grid = np.arange(best - step, best + step, step / 100)
    found = effective_beta(model.problem(), states)
    assert abs(found.beta - best) < 2e-4
    assert found.bound == found.beta
    assert found.reason is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 3.0])
def test_it_recovers_the_temperature_of_exact_draws(beta: float, dtype: type[np.floating]) -> None:
    """Four errors hold all of 200 estimates but with probability 1 %, and one error holds 68 % of them.

    The share within one error is binomial: 4 sqrt(.68 x .32 / 200) = .13.
    """
    reference = REFERENCE_MODELS["bipartite"]
    couplings = ri.Bipartite(np.asarray(reference.couplings.to_dense()[:3, 3:], dtype))
    model = ri.IsingModel(np.asarray(reference.fields, dtype), couplings)
    law, rng = ri.enumerate_model(model, beta), np.random.default_rng(1)
    found = [effective_beta(model, law.sample(500, rng)) for _ in range(200)]
    off = np.array([abs(one.beta - beta) / one.error for one in found])
    assert off.max() < 4.5
    assert abs((off < 1).mean() - 0.683) < 0.13


def test_the_error_counts_reads_not_spins() -> None:
    """Forty spins that move as one carry the news of one spin, not of forty."""
    n, field = 40, 0.05
    model = ri.IsingModel(np.full(n, field), np.zeros((n, n)))
    rng = np.random.default_rng(2)
    tied = np.repeat(rng.choice([-1, 1], size=(400, 1), p=[0.55, 0.45]), n, axis=1)
    loose = rng.choice([-1, 1], size=(400, n), p=[0.55, 0.45])
    ratio = effective_beta(model, tied).error / effective_beta(model, loose).error
    # The spread of a sum of 40 equal spins over that of independent ones; the latter is known to 5 %.
    assert abs(ratio / math.sqrt(n) - 1) < 0.2


@pytest.mark.parametrize("name", COUPLED)
def test_gauges_change_nothing(name: str) -> None:
    model = REFERENCE_MODELS[name].problem()
    rng = np.random.default_rng(3)
    states = ri.enumerate_model(model).sample(200, rng)
    signs = rng.choice([-1, 1], size=model.num_variables)
    plain, gauged = effective_beta(model, states), effective_beta(model.gauged(signs), states * signs)
    assert math.isclose(plain.beta, gauged.beta, rel_tol=1e-6)
    assert math.isclose(plain.error, gauged.error, rel_tol=1e-6)


def test_a_factor_of_the_energies_divides_it() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    states = ri.enumerate_model(model).sample(200, np.random.default_rng(4))
    once, small = effective_beta(model, states), effective_beta(model.scaled(1e-5), states)
    assert math.isclose(once.beta, small.beta * 1e-5, rel_tol=1e-6)
    assert math.isclose(once.error, small.error * 1e-5, rel_tol=1e-6)


def test_a_weight_is_a_number_of_copies() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    rng = np.random.default_rng(5)
    states = ri.enumerate_model(model).sample(60, rng)
    copies = rng.integers(0, 4, size=60)
    weighted = effective_beta(model, states, copies)
    assert math.isclose(weighted.beta, effective_beta(model, np.repeat(states, copies, axis=0)).beta)
    for bad in (np.ones(59), -np.ones(60), np.full(60, np.nan)):
        with pytest.raises(InvalidDataError, match="weights must be 60 numbers"):
            effective_beta(model, states, bad)


def test_many_reads_go_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    model = REFERENCE_MODELS["dense"].problem()
    states = ri.enumerate_model(model).sample(101, np.random.default_rng(6))
    whole = effective_beta(model, states)
    for kept in (0, 10**6):
        monkeypatch.setattr(temperature, "BLOCK", 35)
        monkeypatch.setattr(temperature, "KEPT", kept)
        parts = effective_beta(model, states)
        assert math.isclose(parts.beta, whole.beta, rel_tol=1e-9)
        assert math.isclose(parts.error, whole.error, rel_tol=1e-9)


def test_ground_states_have_no_upper_end() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    ground = ri.enumerate_model(model, math.inf).sample(50, np.random.default_rng(7))
    found = effective_beta(model, ground)
    assert found.beta == found.error == math.inf
    assert 0 < found.bound < math.inf
    assert found.reason == "every spin of every read is satisfied"
    # Only a few reads, and nothing is excluded.
    assert effective_beta(model, ground[:2]).bound < 0


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_bound_is_above_the_truth_one_time_in_twenty(beta: float) -> None:
    """Over draws that are all satisfied or not: P(bound > beta) <= 5 %, here of 400 within four errors."""
    model = REFERENCE_MODELS["bipartite"].problem()
    law, rng = ri.enumerate_model(model, beta), np.random.default_rng(8)
    found = [effective_beta(model, law.sample(4, rng)) for _ in range(400)]
    above = np.mean([math.isinf(one.beta) and one.bound > beta for one in found])
    assert above <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)


def test_a_flipped_sign_is_a_negative_beta() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    states = ri.enumerate_model(model.scaled(-1.0), 0.8).sample(2000, np.random.default_rng(9))
    found = effective_beta(model, states)
    assert abs(found.beta + 0.8) < 4 * found.error
    worst = effective_beta(ri.IsingModel([1.0, 1.0], np.zeros((2, 2))), np.ones((50, 2)))
    assert worst.beta == -math.inf
    assert worst.bound < 0


def test_where_nothing_can_be_said() -> None:
    silent = effective_beta(ri.IsingModel([0.0, 0.0], np.zeros((2, 2))), [[1, -1]] * 9)
    assert math.isnan(silent.beta)
    assert math.isnan(silent.error)
    assert silent.reason == "every local field is zero"
    model = REFERENCE_MODELS["dense"].problem()
    empty = effective_beta(model, np.zeros((0, 5)))
    assert empty.reason == "there are no reads"
    assert effective_beta(model, np.ones((1, 5))).error == math.inf


def test_what_rounding_makes_of_a_zero_field_is_no_news() -> None:
    """0.1 + 0.2 - 0.3 is 6e-17, which must not make a spin of either value dissatisfied."""
    matrix = np.zeros((4, 4))
    matrix[0, 1:] = matrix[1:, 0] = [0.1, 0.2, -0.3]
    model = ri.IsingModel([0.0, -1.0, -1.0, -1.0], matrix)
    found = effective_beta(model, [[1, 1, 1, 1], [-1, 1, 1, 1]] * 20)
    assert found.beta == math.inf
    assert found.bound < 100
