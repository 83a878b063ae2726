"""The annealer: its schedule ends at the asked temperature, or at the ground state."""

from __future__ import annotations

import math
import os
import signal
import threading
import time

import dimod
import neal
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import DeadlineExceededError, InvalidParameterError
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing


def test_the_schedule_rises_to_beta_and_holds() -> None:
    schedule = SimulatedAnnealing(num_sweeps=100, hold=0.3).schedule(2.5, refresh=False)
    assert schedule.shape == (100,)
    assert schedule[0] == 0.0
    assert (np.diff(schedule[:71]) > 0).all()
    assert (schedule[70:] == 2.5).all()


@pytest.mark.parametrize(("num_sweeps", "hold"), [(1, 0.2), (5, 0.0), (5, 1.0)])
def test_the_last_sweep_is_at_beta(num_sweeps: int, hold: float) -> None:
    schedule = SimulatedAnnealing(num_sweeps=num_sweeps, hold=hold).schedule(2.5, refresh=False)
    assert schedule.shape == (num_sweeps,)
    assert schedule[-1] == 2.5


def test_a_refresh_stays_at_beta() -> None:
    machine = SimulatedAnnealing().for_refresh(7)
    assert machine == SimulatedAnnealing(num_sweeps=7)
    assert machine.schedule(2.5, refresh=True).tolist() == [2.5] * 7
    model = ri.IsingModel(np.zeros(2), [[0, -1], [-1, 0]])
    stage = machine.sample(model, beta=2.5, initial_states=[[1, 1]]).info["rapid_ising"]["stages"][0]
    assert stage["num_sweeps"] == 7
    assert stage["beta_range"] == [2.5, 2.5]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_infinite_beta_reaches_a_planted_ground_state(scale: float) -> None:
    """A spin glass of 40 spins disguised by a gauge, whose ground state is known, at any scale of energy."""
    rng = np.random.default_rng(0)
    hidden = rng.choice([-1, 1], size=40)
    size = np.triu(rng.exponential(size=(40, 40)) * (rng.random((40, 40)) < 0.2), 1)
    model = ri.IsingModel(-0.1 * scale * hidden, -scale * (size + size.T) * np.outer(hidden, hidden))
    answer = SimulatedAnnealing().sample(model, num_reads=20, beta=math.inf, seed=1)
    assert answer.first.energy == pytest.approx(float(model.energies(hidden)[0]))


def test_one_sweep_at_infinite_beta() -> None:
    model = ri.IsingModel([0.0, 0.0], np.zeros((2, 2)))
    assert len(SimulatedAnnealing(num_sweeps=1).sample(model, num_reads=3, beta=math.inf)) == 3


def test_the_deadline_interrupts_it() -> None:
    model = ri.IsingModel(np.zeros(50), np.ones((50, 50)) - np.eye(50))
    began = time.perf_counter()
    with pytest.raises(DeadlineExceededError, match="simulated-annealing"):
        SimulatedAnnealing(num_sweeps=10_000).sample(model, num_reads=10_000, deadline=0.1)
    assert time.perf_counter() - began < 5.0


@pytest.mark.parametrize(
    "options", [{"num_sweeps": 0}, {"hold": -0.1}, {"hold": 1.5}, {"hold": "half"}], ids=repr
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.load_backend("simulated-annealing", **options)


def max_cut(n: int) -> dimod.BinaryQuadraticModel:
    """A max-cut QUBO with one-decimal weights: its fields as spins are zero but for rounding."""
    rng = np.random.default_rng(3)
    bqm = dimod.BinaryQuadraticModel("BINARY")
    for i in range(n):
        for j in range(i + 1, n):
            if rng.random() < 0.1:
                weight = float(rng.integers(1, 10)) / 10
                bqm.add_linear(i, -weight)
                bqm.add_linear(j, -weight)
                bqm.add_quadratic(i, j, 2 * weight)
    return bqm


def test_search_for_ground_states_is_as_good_as_neals_own() -> None:
    """At equal sweeps the mean energy is no worse than neal's default schedule by more than 1 %."""
    problem = max_cut(120)
    ours = ri.load_backend("simulated-annealing").sample(problem, num_reads=50, beta=math.inf, seed=0)
    theirs = neal.SimulatedAnnealingSampler().sample(problem, num_reads=50, num_sweeps=1000, seed=0)
    assert ours.record.energy.mean() < 0.99 * theirs.record.energy.mean()
    assert ours.first.energy <= 0.995 * theirs.first.energy


def test_residues_of_arithmetic_do_not_set_the_scale() -> None:
    rng = np.random.default_rng(0)
    half = np.triu(rng.normal(size=(40, 40)), 1)
    clean = ri.IsingModel(np.zeros(40), half + half.T)
    dirty = ri.IsingModel(1e-14 * rng.normal(size=40), half + half.T)
    reads = [
        ri.load_backend("simulated-annealing").sample(model, num_reads=50, beta=math.inf, seed=0)
        for model in (clean, dirty)
    ]
    assert reads[0].info["rapid_ising"]["stages"][0]["beta_range"] == pytest.approx(
        reads[1].info["rapid_ising"]["stages"][0]["beta_range"]
    )
    assert reads[1].first.energy == pytest.approx(reads[0].first.energy)


def test_ctrl_c_during_the_anneal_is_raised() -> None:
    """neal drops exceptions of its callback, so that Ctrl-C would be lost; here it ends the call."""
    model = ri.IsingModel(np.ones(300), np.ones((300, 300)) - np.eye(300))
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    before = signal.getsignal(signal.SIGINT)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ri.load_backend("simulated-annealing", num_sweeps=200).sample(model, num_reads=100_000, seed=0)
    assert time.monotonic() - began < 20
    assert signal.getsignal(signal.SIGINT) is before
