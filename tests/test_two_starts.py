"""Two starts: silent where reads have converged, and warned of where a thermometer sees nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import pytest
from annealers import random_rbm
from hypothesis import given, settings
from hypothesis import strategies as st

import rapid_ising as ri
from rapid_ising.errors import CapabilityError, InvalidParameterError
from rapid_ising.machine import TwoStarts, effective_beta
from rapid_ising.machine.two_starts import compared, z_score
from rapid_ising.notices import ConvergenceWarning
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance
from rapid_ising.typing import States


def record_of(answer: Any) -> dict[str, Any]:
    record: dict[str, Any] = answer.info["rapid_ising"]["stages"][-1]
    assert record["stage"] == "two-starts"
    return record


@final
@dataclasses.dataclass(frozen=True)
class Converged(ri.LocalBackend):
    """Exact draws, wherever they are told to start."""

    name: ClassVar[str] = "converged"
    capabilities = ri.Capabilities(initial_states=True)

    starts: list[States] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        if request.initial_states is not None:
            self.starts.append(request.initial_states)
        return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng), {}


class TestConformance(BackendConformance):
    @pytest.fixture
    def backend(self) -> ri.Backend:
        return TwoStarts(Converged())

    def test_reads_start_from_the_initial_states(self) -> None:  # type: ignore[override]
        """Half of them start elsewhere: what the stage is for."""
        backend, start = Converged(), np.array([[1, -1, 1, 1, -1], [1, 1, 1, 1, 1]], np.int8)
        machine = TwoStarts(backend)
        machine.sample(REFERENCE_MODELS["dense"].problem(), num_reads=41, initial_states=start, seed=0)
        given, random = backend.starts
        np.testing.assert_array_equal(given, start[np.arange(21) % 2])
        assert len(random) == 20
        # Twenty random states of five spins are all among two with probability 16^-20.
        assert len(np.unique(random, axis=0)) > 2


def test_too_few_sweeps_in_the_cold_are_caught() -> None:
    """The thermometer reads the asked beta within a tenth and sees nothing: it is local."""
    model = random_rbm(1.0, 3)
    law = ri.enumerate_model(model)
    ground = ri.enumerate_model(model, math.inf).sample(1, np.random.default_rng(0))
    machine = TwoStarts(ri.load_backend("gibbs", burn_in=10))
    with pytest.warns(ConvergenceWarning, match=r"gibbs remember where they started.* standard errors apart"):
        answer = machine.sample(model, num_reads=2000, initial_states=ground, seed=0)
    states = answer.record.sample
    for half in (states[:1000], states[1000:]):
        assert abs(effective_beta(model, half).beta - 1) < 0.1
    pairs = states[1000:].astype(float).T @ states[1000:] / 1000
    error = np.sqrt(np.mean((pairs - law.moments(whole=True).pairs) ** 2))
    # The error of as many exact draws is at most 1 / sqrt(1000).
    assert error > 5 / math.sqrt(1000)
    record = record_of(answer)
    assert record["agree"] is False
    assert max(record["energy"]["z"], record["overlap"]["z"]) > 10
    assert record["energy"]["random"] > record["energy"]["given"]


def test_valleys_of_opposite_sign_are_told_apart() -> None:
    """Without fields both halves have the same energies: only overlaps see that one valley is missed."""
    n = 12
    magnet = ri.IsingModel(np.zeros(n), (np.eye(n) - 1) * 0.5)
    machine = TwoStarts(ri.load_backend("gibbs", burn_in=20))
    with pytest.warns(ConvergenceWarning, match="their overlap is"):
        answer = machine.sample(magnet, num_reads=400, initial_states=np.ones((1, n)), seed=1)
    record = record_of(answer)
    assert record["energy"]["z"] < 4
    assert record["overlap"]["z"] > 5


@pytest.mark.parametrize("reads", [40, 400])
def test_false_alarms_are_as_rare_as_said(reads: int) -> None:
    """Over 200 seeds of exact draws z is normal: above 2 in 2.3 % (overlap) and 4.6 % (energy) of them.

    Four standard deviations of the counts are 4 sqrt(200 x .023) = 8.5 and 4 sqrt(200 x .046) = 12. The
    threshold of 4 is exceeded with probability 1 %. Halves of 20 reads have wider tails: twice the counts.
    """
    model = random_rbm(0.5, 1)
    law = ri.enumerate_model(model)
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        states = law.sample(reads, rng)
        one = compared(model, states[: reads // 2], states[reads // 2 :])
        found.append((one["energy"]["z"], one["overlap"]["z"]))
    z = np.array(found)
    slack = 2 if reads < 100 else 1
    assert (z[:, 0] > 2).sum() < slack * (9.2 + 12)
    assert (z[:, 1] > 2).sum() < slack * (4.6 + 8.5)
    assert z.max() < 4.5
    # Below zero as often as above, within four standard deviations of a count of 200.
    assert abs((z[:, 1] > 0).sum() - 100) < 4 * math.sqrt(50)


def test_an_exact_machine_is_silent() -> None:
    model = random_rbm(0.3, 2)
    machine = TwoStarts(Converged())
    for seed in range(20):
        answer = machine.sample(model, num_reads=200, initial_states=np.ones((1, 24)), seed=seed)
        assert record_of(answer)["agree"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"num_reads": 100}, "no initial states were given"),
        ({"num_reads": 15, "initial_states": [[1, 1, 1, 1, 1]]}, "15 reads are fewer than 16"),
    ],
)
def test_where_nothing_is_compared(arguments: dict[str, Any], reason: str) -> None:
    answer = TwoStarts(Converged()).sample(REFERENCE_MODELS["dense"].problem(), seed=0, **arguments)
    record = record_of(answer)
    assert record["agree"] is None
    assert record["reason"] == reason
    assert len(answer) == arguments["num_reads"]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(CapabilityError, match="exact cannot start from given states"):
        TwoStarts("exact")
    with pytest.raises(InvalidParameterError, match="threshold"):
        TwoStarts("gibbs", threshold=0)


@settings(max_examples=200)
@given(st.integers(1, 8), st.integers(0, 2**32 - 1), st.integers(16, 40))
def test_decoding_keeps_states_and_energies(n: int, seed: int, reads: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)), 1)
    model = ri.IsingModel(rng.normal(size=n), matrix + matrix.T)
    start = rng.choice([-1, 1], size=(reads, n)).astype(np.int8)
    # At zero sweeps a read is its start.
    machine = TwoStarts(ri.load_backend("gibbs", burn_in=0), threshold=1e300)
    answer = machine.sample(model, num_reads=reads, initial_states=start, seed=seed)
    np.testing.assert_array_equal(answer.record.sample[: reads - reads // 2], start[: reads - reads // 2])
    np.testing.assert_allclose(answer.record.energy, model.energies(answer.record.sample))


def test_sets_that_do_not_vary() -> None:
    assert z_score(np.ones(9), np.ones(9)) == 0.0
    assert z_score(np.ones(9), -np.ones(9)) > 1e5
