"""The twin of simulated bifurcation machines: its equations, its ground states, and what heat does."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.twins.bifurcation import TwinBifurcation, coupling_strength

VARIANTS = list(itertools.product(["ballistic", "discrete"], [False, True]))


class TestConformance(BackendConformance):
    @pytest.fixture(params=VARIANTS, ids=str)
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        variant, heated = request.param
        return TwinBifurcation(variant, heated, steps=100)


def glass(n: int, seed: int, field: float = 0.5) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    half = np.triu(rng.normal(size=(n, n)), 1)
    return ri.IsingModel(field * rng.normal(size=n), half + half.T)


@pytest.mark.parametrize(("variant", "heated"), VARIANTS)
def test_the_equations_spin_by_spin(variant: Any, heated: bool) -> None:
    """The same trajectories from the formulas in the docstring, one oscillator after the other."""
    model, n, steps, dt, gamma = glass(5, 1), 5, 60, 0.5, 0.3
    machine = TwinBifurcation(variant, heated, steps=steps, time_step=dt, heating=gamma)
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-0.1, 0.1, (3, n)), rng.uniform(-0.1, 0.1, (3, n))
    matrix = model.couplings.to_dense()
    total = sum(2 * h**2 for h in model.fields) + sum(J**2 for J in matrix.ravel())
    c = 0.5 / math.sqrt(n) / math.sqrt(total / (n * (n + 1)))
    assert coupling_strength(model) == pytest.approx(c)
    for read in range(3):
        for step in range(steps):
            z = [v if variant == "ballistic" else math.copysign(1, v) for v in x[read]]
            old = list(x[read])
            for i in range(n):
                before = y[read, i]
                pull = model.fields[i] + sum(matrix[i, j] * z[j] for j in range(n))
                y[read, i] += (-(1 - step / steps) * old[i] - c * pull) * dt
                x[read, i] += y[read, i] * dt
                if abs(x[read, i]) > 1:
                    x[read, i], y[read, i] = math.copysign(1, x[read, i]), 0.0
                if heated:
                    y[read, i] += gamma * before * dt
    answer = machine.sample(model, num_reads=3, seed=np.random.default_rng(4))
    assert answer.record.sample.tolist() == np.sign(x).astype(int).tolist()


@pytest.mark.parametrize(("variant", "heated"), VARIANTS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_ground_states_of_small_problems(variant: Any, heated: bool, scale: float) -> None:
    """Nine of ten glasses of ten spins in fields, at any scale of the energy.

    Ballistic oscillators without heat follow nearly one path, which misses some: half of them at least.
    """
    found = 0
    for seed in range(10):
        model = glass(10, seed).scaled(scale)
        ground = ri.load_backend("exact").sample(model, beta=math.inf, seed=0).first.energy
        answer = TwinBifurcation(variant, heated).sample(model, num_reads=100, seed=seed)
        found += answer.first.energy == pytest.approx(ground)
    assert found >= (9 if heated or variant == "discrete" else 5)


def test_a_planted_ground_state_of_a_larger_problem() -> None:
    hidden = np.random.default_rng(0).choice([-1, 1], size=200)
    model = ri.IsingModel(-0.1 * hidden, -(np.outer(hidden, hidden) - np.eye(200)))
    answer = TwinBifurcation().sample(model, num_reads=5, seed=1)
    assert answer.first.energy == pytest.approx(float(model.energies(hidden)[0]))


def test_heat_gives_more_distinct_states() -> None:
    """In each of six glasses of 30 spins; without heat reads fall into few states."""
    for seed in range(6):
        counts = [
            len(np.unique(TwinBifurcation(heated=heated, heating=0.2).sample(
                glass(30, seed), num_reads=200, seed=seed
            ).record.sample, axis=0))
            for heated in (False, True)
        ]  # fmt: skip
        assert counts[1] > counts[0]


def test_it_is_labelled_and_its_options_are_checked() -> None:
    stage = TwinBifurcation().sample(glass(4, 0), seed=0).info["rapid_ising"]["stages"][0]
    assert stage["twin"] is True
    assert stage["stage"] == "twin-bifurcation"
    assert "Twin" in repr(TwinBifurcation())
    wrong: list[dict[str, Any]] = [
        {"variant": "adiabatic"}, {"heated": 1}, {"steps": 0}, {"time_step": 0.0}, {"heating": -1.0}
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            ri.load_backend("twin-bifurcation", **options)
