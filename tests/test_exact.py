"""The exact machine: what it records, and the sizes at which it refuses."""

from __future__ import annotations

import math
import time

import dimod
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import DeadlineExceededError, ProblemTooLargeError
from rapid_ising.testing import REFERENCE_MODELS

EXACT = ri.load_backend("exact")


def test_it_records_the_partition_function_and_the_ground_energy() -> None:
    reference = REFERENCE_MODELS["dense"]
    energies = [reference.energy(state) for state in reference.law(1.0)]
    stage = EXACT.sample(reference.problem(), beta=0.7).info["rapid_ising"]["stages"][0]
    assert stage["log_partition"] == pytest.approx(math.log(sum(math.exp(-0.7 * e) for e in energies)))
    assert stage["ground_energy"] == pytest.approx(min(energies))
    assert (
        "log_partition"
        not in EXACT.sample(reference.problem(), beta=math.inf).info["rapid_ising"]["stages"][0]
    )


def test_it_finds_what_dimods_exact_solver_finds() -> None:
    bqm = REFERENCE_MODELS["sparse"].bqm("hgfedcba", dimod.BINARY)
    best = dimod.ExactSolver().sample(bqm).first
    found = EXACT.sample(bqm, beta=math.inf, num_reads=10)
    assert found.first.energy == pytest.approx(best.energy)
    assert (found.record.energy == found.first.energy).all()


def test_a_large_layer_is_summed_out() -> None:
    """A star of 200 leaves: given the centre, each leaf has the mean -tanh(J s)."""
    leaves, reads = 200, 2000
    model = ri.IsingModel(np.zeros(1 + leaves), ri.Bipartite(np.full((1, leaves), 0.5)))
    rows = EXACT.sample(model, num_reads=reads, seed=0).record.sample
    products = rows[:, :1] * rows[:, 1:]
    bound = math.sqrt(2 * math.log(2 / 1e-6) / products.size)
    assert products.mean() == pytest.approx(-math.tanh(0.5), abs=bound)


def test_a_larger_model_is_refused_before_any_work() -> None:
    began = time.perf_counter()
    with pytest.raises(ProblemTooLargeError, match="27 spins"):
        EXACT.submit(ri.IsingModel(np.zeros(27), 1.0 - np.eye(27)))
    with pytest.raises(ProblemTooLargeError, match="smaller of 23"):
        EXACT.submit(ri.IsingModel(np.zeros(46), ri.Bipartite(np.ones((23, 23)))))
    assert time.perf_counter() - began < 1.0


def test_the_deadline_stops_it() -> None:
    began = time.perf_counter()
    with pytest.raises(DeadlineExceededError, match=r"0\.0001 s"):
        EXACT.sample(ri.IsingModel(np.zeros(26), 1.0 - np.eye(26)), deadline=1e-4)
    assert time.perf_counter() - began < 1.0
