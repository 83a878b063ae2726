"""The twin of the Digital Annealer: its kernel against the plain twin, its limits, and what it finds."""

from __future__ import annotations

import math

import dimod
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import CapabilityError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.twins.digital_annealer import (
    TwinDigitalAnnealer,
    parallel_trials,
    parallel_trials_twin,
)


class TestConformance(BackendConformance):
    @pytest.fixture
    def backend(self) -> ri.Backend:
        return TwinDigitalAnnealer(iterations=100)


def whole(n: int, seed: int, size: int = 9) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    half = np.triu(rng.integers(-size, size + 1, (n, n)), 1).astype(float)
    return ri.IsingModel(rng.integers(-size, size + 1, n).astype(float), half + half.T)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("offset", [0.0, 40.0])
def test_kernel_equals_twin(seed: int, offset: float) -> None:
    model = whole(9, seed)
    fields, couplings = model.fields.astype(np.int64), model.couplings.to_dense().astype(np.int16)
    start = np.random.default_rng(seed).choice([-1, 1], size=9).astype(np.int8)
    found = []
    for trials in (parallel_trials_twin, parallel_trials):
        state, best, rng = start.copy(), start.copy(), np.random.default_rng(7)
        left = trials(state, best, fields, couplings, np.geomspace(40, 0.1, 200), 2.5, offset, rng)
        found.append((state.tolist(), best.tolist(), left, rng.random()))
    assert found[0] == found[1]
    assert found[0][0] != start.tolist()


def test_one_of_the_accepted_flips_is_taken_evenly() -> None:
    """Spins whose flips all lower the energy by different amounts: each is as likely to be the one."""
    fields, couplings = np.array([1, 5, 50, 500]), np.zeros((4, 4), np.int16)
    rng, counts, runs = np.random.default_rng(0), np.zeros(4), 4000
    for _ in range(runs):
        state = np.ones(4, np.int8)
        parallel_trials(state, state.copy(), fields, couplings, np.array([1e-3]), 1.0, 0.0, rng)
        assert (state < 0).sum() == 1
        counts += state < 0
    # Five standard errors of a binomial count.
    np.testing.assert_allclose(counts, runs / 4, atol=5 * math.sqrt(runs * 3 / 16))


def test_the_offset_grows_until_a_flip_is_accepted_and_falls_to_zero() -> None:
    """A minimum whose cheapest way out costs 2 * 7: at T near 0 it takes ceil(14 / 3) steps of 3."""
    fields, couplings = np.array([7, 9]), np.zeros((2, 2), np.int16)
    state = np.array([-1, -1], np.int8)
    best, rng = state.copy(), np.random.default_rng(0)
    offsets: list[float] = []
    for _ in range(6):
        before = offsets[-1] if offsets else 0.0
        offsets.append(parallel_trials(state, best, fields, couplings, np.array([1e-9]), 3.0, before, rng))
    assert offsets == [3.0, 6.0, 9.0, 12.0, 15.0, 0.0]
    assert state.tolist() == [1, -1]
    assert best.tolist() == [-1, -1]


@pytest.mark.parametrize("seed", range(5))
def test_distinct_states_in_order_with_their_frequencies(seed: int) -> None:
    model = whole(12, seed)
    ground = ri.load_backend("exact").sample(model, beta=math.inf, seed=0).first.energy
    answer = TwinDigitalAnnealer().sample(model, num_reads=30, seed=seed)
    stage = answer.info["rapid_ising"]["stages"][0]
    assert answer.first.energy == ground
    assert (np.diff(answer.record.energy) >= 0).all()
    assert len(np.unique(answer.record.sample, axis=0)) == len(answer) == len(stage["frequencies"])
    assert sum(stage["frequencies"]) == 30
    assert stage["twin"] is True
    assert "Twin" in repr(TwinDigitalAnnealer())


def test_the_offset_helps_out_of_local_minima() -> None:
    """Near T = 0 a state stays in the first minimum without an offset that grows, and goes on with one."""
    model = whole(20, 3)
    ground = ri.load_backend("exact").sample(model, beta=math.inf, seed=0).first.energy
    fields, couplings = model.fields.astype(np.int64), model.couplings.to_dense().astype(np.int16)
    reached = []
    for rate in (0.0, 5.0):
        rng, found = np.random.default_rng(0), []
        for _ in range(100):
            state = rng.choice([-1, 1], size=20).astype(np.int8)
            best = state.copy()
            parallel_trials(state, best, fields, couplings, np.full(2000, 1e-3), rate, 0.0, rng)
            found.append(best)
        reached.append((model.energies(np.array(found)) == ground).sum())
    # Of 100 each: five standard errors of a difference of two binomial counts.
    assert reached[1] > reached[0] + 5 * math.sqrt(2 * 100 / 4)


@pytest.mark.parametrize(
    ("field", "coupling"), [(0.5, 0.0), (0.0, 0.5), (2.0**25, 0.0), (0.0, 2.0**15), (0.0, -(2.0**15) - 1)]
)
def test_what_is_not_in_its_bits_is_refused(field: float, coupling: float) -> None:
    with pytest.raises(CapabilityError, match="twin-digital-annealer"):
        TwinDigitalAnnealer().sample(ri.IsingModel([field, 0.0], [[0.0, coupling], [coupling, 0.0]]))


def test_the_largest_values_do_not_overflow() -> None:
    low = ri.IsingModel([2.0**25 - 1, -(2.0**25)], [[0.0, -(2.0**15)], [-(2.0**15), 0.0]])
    answer = TwinDigitalAnnealer().sample(low, num_reads=3, seed=0)
    assert answer.first.energy == -(2.0**26 - 1) + 2.0**15


def test_its_size_and_options() -> None:
    with pytest.raises(ProblemTooLargeError, match="8192"):
        TwinDigitalAnnealer().check(ri.IsingModel(np.zeros(8193), ri.Sparse(8193, [0], [1], [1.0])))
    for options in ({"iterations": 0}, {"offset_increase_rate": -1.0}):
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            ri.load_backend("twin-digital-annealer", **options)
    empty = TwinDigitalAnnealer().sample(dimod.BinaryQuadraticModel({"a": 0}, {}, "SPIN"), seed=0)
    assert len(empty) == 1
