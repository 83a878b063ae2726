"""The base of all machines: how a request is read, and what a machine may give back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import dimod
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    InvalidDataError,
    InvalidParameterError,
    ProblemTooLargeError,
)


@final
@dataclasses.dataclass(frozen=True)
class Scripted(ri.LocalBackend):
    """A machine that returns what it is told to, and keeps the requests that reached it."""

    name: ClassVar[str] = "scripted"

    answer: Callable[[ri.Request], Any]
    capabilities: ri.Capabilities = ri.Capabilities(initial_states=True)  # noqa: RUF009 - frozen
    requests: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, Mapping[str, Any]]:
        self.requests.append(request)
        return self.answer(request), {"sweeps": 3}


def up(request: ri.Request) -> Any:
    return np.ones((request.num_reads, request.model.num_variables))


def starts(request: ri.Request) -> Any:
    return request.initial_states


BQM = dimod.BinaryQuadraticModel({"c": 1.0, "a": -2.0, "b": 0.5}, {("a", "c"): 0.25}, 0.5, "BINARY")


def test_the_answer_is_in_the_askers_terms() -> None:
    machine = Scripted(lambda request: [[1, -1, -1], [-1, 1, 1]])
    answer = machine.sample(BQM, num_reads=2)
    assert [dict(sample) for sample in answer.samples(sorted_by=None)] == [
        {"a": 1, "b": 0, "c": 0},
        {"a": 0, "b": 1, "c": 1},
    ]
    np.testing.assert_allclose(answer.record.energy, BQM.energies(answer))
    record = answer.info["rapid_ising"]
    assert record["stages"][0]["stage"] == "scripted"
    assert record["stages"][0]["sweeps"] == 3
    assert record["stages"][0]["seconds"] >= 0
    assert machine.requests[0].variables == ["a", "b", "c"]


@pytest.mark.parametrize("seed", [5, np.int64(5)], ids=repr)
def test_an_integer_seed_is_recorded(seed: Any) -> None:
    assert Scripted(up).sample(BQM, seed=seed).info["rapid_ising"]["seed"] == 5


@pytest.mark.parametrize("seed", [None, np.random.default_rng(0), np.random.SeedSequence(0)], ids=type)
def test_no_other_seed_is_recorded(seed: Any) -> None:
    assert Scripted(up).sample(BQM, seed=seed).info["rapid_ising"]["seed"] is None


@pytest.mark.parametrize(
    "given",
    [
        [[1, 0, 0], [0, 1, 1]],
        np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]),
        dimod.SampleSet.from_samples([{"c": 0, "b": 0, "a": 1}, {"c": 1, "b": 1, "a": 0}], "BINARY", [0, 0]),
        dimod.SampleSet.from_samples([{"b": -1, "a": 1, "c": -1}, {"b": 1, "a": -1, "c": 1}], "SPIN", [0, 0]),
    ],
    ids=["list", "floats", "bits", "spins"],
)
def test_initial_states_reach_the_machine_as_spins(given: Any) -> None:
    machine = Scripted(starts)
    machine.sample(BQM, num_reads=5, initial_states=given)
    states = machine.requests[0].initial_states
    assert states is not None
    assert states.dtype == np.int8
    assert states.tolist() == [[1, -1, -1], [-1, 1, 1]] * 2 + [[1, -1, -1]]


def test_a_multiset_of_initial_states_is_unfolded() -> None:
    given = dimod.SampleSet.from_samples(([[1, 1], [-1, 1]], "ab"), "SPIN", [0, 0], num_occurrences=[1, 2])
    machine = Scripted(starts)
    machine.sample(dimod.BQM({"a": 1.0, "b": 1.0}, {}, "SPIN"), num_reads=3, initial_states=given)
    assert machine.requests[0].initial_states is not None
    assert machine.requests[0].initial_states.tolist() == [[1, 1], [-1, 1], [-1, 1]]


@pytest.mark.parametrize(
    "given", [[[1, -1, 1]], [[0.5, 0, 1]], [[0, 1]], [[0, 1], [1]], "abc", [[None] * 3]], ids=repr
)
def test_initial_states_that_are_no_bits(given: Any) -> None:
    with pytest.raises(InvalidDataError, match="initial_states"):
        Scripted(up).sample(BQM, num_reads=3, initial_states=given)


@pytest.mark.parametrize(
    "answer",
    [
        np.ones((2, 2)),
        np.ones(3),
        np.zeros((2, 3)),
        np.full((2, 3), 255),
        np.full((2, 3), 0.5),
        np.full((2, 3), np.nan),
        [[1, 1, 1], [1]],
        None,
        "up",
    ],
    ids=["narrow", "flat", "zeros", "255", "halves", "NaN", "ragged", "None", "text"],
)
def test_a_machine_that_returns_no_spins(answer: Any) -> None:
    with pytest.raises(BackendError, match="scripted returned"):
        Scripted(lambda request: answer).sample(BQM, num_reads=2)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_machine_that_returns_another_number_of_reads(rows: int) -> None:
    with pytest.raises(BackendError, match=f"scripted returned {rows} reads where 2 were asked"):
        Scripted(lambda request: np.ones((rows, 3))).sample(BQM, num_reads=2)


def test_a_machine_of_distinct_states_may_return_fewer() -> None:
    machine = Scripted(lambda request: np.ones((1, 3)), ri.Capabilities(returns="distinct"))
    assert len(machine.sample(BQM, num_reads=2)) == 1


def test_check_says_what_sample_would_refuse() -> None:
    machine = Scripted(up, ri.Capabilities(max_variables=2, max_reads=5, max_beta=3.0))
    small = ri.IsingModel([1.0], [[0.0]])
    machine.check(small, num_reads=5, beta=3.0)
    with pytest.raises(ProblemTooLargeError, match="2 spins and the problem has 3"):
        machine.check(BQM)
    with pytest.raises(CapabilityError, match="at most 5 reads"):
        machine.check(small, num_reads=6)
    with pytest.raises(CapabilityError, match="beta up to 3 and inf"):
        machine.check(small, beta=float("inf"))
    with pytest.raises(InvalidParameterError, match="num_reads"):
        machine.check(small, num_reads=0)
    assert machine.requests == []


def test_nothing_reaches_a_machine_that_refuses() -> None:
    machine = Scripted(up, ri.Capabilities(max_variables=2, seedable=False))
    for arguments in ({}, {"seed": 1}, {"initial_states": [[1, 1, 1]]}, {"beta": -1.0}, {"deadline": -1.0}):
        with pytest.raises((CapabilityError, ProblemTooLargeError, InvalidParameterError)):
            machine.submit(BQM, **arguments)
    assert machine.requests == []


def test_an_answer_after_the_deadline_is_an_error() -> None:
    def slow(request: ri.Request) -> Any:
        time.sleep(0.05)
        return up(request)

    with pytest.raises(DeadlineExceededError, match="scripted"):
        Scripted(slow).sample(BQM, deadline=0.01)
    Scripted(slow).sample(BQM, deadline=60)


def test_a_finished_job() -> None:
    job = Scripted(up).submit(BQM)
    assert job.id == "local"
    assert job.done()
    assert job.cancel() is False
    answer = job.result(timeout=0.0)
    assert (answer.record == Scripted(up).sample(BQM).record).all()
    assert job.cancel() is False
    assert job.result() is answer


def test_for_refresh_is_the_machine_itself_where_it_has_no_sweeps() -> None:
    exact = ri.load_backend("exact")
    assert exact.for_refresh(5) is exact
