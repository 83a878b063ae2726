"""What holds for every stage: how a request goes down to the machine and its answer comes back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, final

import dimod
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import rapid_ising as ri
from rapid_ising.errors import BackendError, CapabilityError, IncompleteError, InvalidParameterError
from rapid_ising.job import Finished
from rapid_ising.machine import Scaled, SplitStage
from rapid_ising.machine.scaled import room
from rapid_ising.machine.stage import Decode
from rapid_ising.testing import BackendConformance

NARROW = ri.Capabilities(field_range=(-2.0, 2.0), coupling_range=(-1.0, 0.5))


@final
@dataclasses.dataclass(frozen=True)
class Spy(ri.LocalBackend):
    """The exact machine with other capabilities; it keeps the requests that reach it."""

    name: ClassVar[str] = "spy"
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen
    requests: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, dict[str, Any]]:
        self.requests.append(request)
        law = ri.enumerate_model(request.model, request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


class TestScaledConformance(BackendConformance):
    @pytest.fixture
    def backend(self) -> ri.Backend:
        return Scaled(Spy(NARROW))


coefficients = st.floats(-50, 50, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@st.composite
def models(draw: Callable[..., Any]) -> ri.IsingModel:
    n = draw(st.integers(1, 5))
    fields = draw(st.lists(coefficients, min_size=n, max_size=n))
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = draw(coefficients)
    return ri.IsingModel(fields, matrix)


@given(models(), st.sampled_from([0.0, 0.5, 3.0, math.inf]))
@settings(max_examples=500)
def test_scaled_keeps_beta_times_the_energy(model: ri.IsingModel, beta: float) -> None:
    spy = Spy(NARROW)
    answer = Scaled(spy).sample(model, num_reads=3, beta=beta, seed=0)
    sent = spy.requests[0]
    factor = answer.info["rapid_ising"]["stages"][-1]["factor"]
    rows = answer.record.sample
    np.testing.assert_allclose(
        sent.model.energies(rows), factor * model.energies(rows), rtol=1e-12, atol=1e-9
    )
    if 0 < beta < math.inf:
        assert math.isclose(sent.beta * factor, beta)
    else:
        assert sent.beta == beta
    # As much of the ranges as can be is used.
    allowed = [(sent.model.fields, (-2.0, 2.0)), (sent.model.couplings.values(), (-1.0, 0.5))]
    assert all(
        low <= values.min(initial=0) and values.max(initial=0) <= high for values, (low, high) in allowed
    )
    if any(np.any(values) for values, _ in allowed):
        assert math.isclose(min(room(values, limits) for values, limits in allowed), 1.0)


def test_an_effective_temperature_is_not_changed_by_filling_the_ranges() -> None:
    spy = Spy(dataclasses.replace(NARROW, temperature="effective"))
    for size, factor in ((0.1, 1.0), (10.0, 0.2)):
        answer = Scaled(spy).sample(ri.IsingModel([size, 0.0], np.zeros((2, 2))), seed=0)
        assert answer.info["rapid_ising"]["stages"][-1]["factor"] == factor


def test_scaled_refuses_couplings_that_all_round_to_zero() -> None:
    whole = ri.Capabilities(integer_coefficients=True, field_range=(-7, 7), coupling_range=(-7, 7))
    model = ri.IsingModel([100.0, 0.0], [[0, 1.0], [1.0, 0]])
    with pytest.raises(CapabilityError, match=r"0\.07"):
        Scaled(Spy(whole)).check(model)
    with pytest.raises(InvalidParameterError, match="coupling_range"):
        Scaled(Spy(ri.Capabilities(integer_coefficients=True, field_range=(-7, 7))))
    with pytest.raises(InvalidParameterError, match="field_range"):
        Scaled("exact", field_range=(1.0, 2.0))


def test_a_stage_has_the_machines_name_and_hands_on_its_sweeps() -> None:
    stage = Scaled(ri.load_backend("gibbs", burn_in=7))
    assert stage.name == "gibbs"
    assert ri.as_backend(stage.for_refresh(3).backend).burn_in == 3  # type: ignore[attr-defined]
    exact = Scaled("exact")
    assert exact.for_refresh(3) is exact


@final
@dataclasses.dataclass(frozen=True)
class Halves(SplitStage):
    """Ask for one read after the other."""

    stage: ClassVar[str] = "halves"
    does: ClassVar[str] = "one read a call"

    def _split(self, request: ri.Request) -> list[tuple[ri.Request, Decode]]:
        one = dataclasses.replace(request, num_reads=1)
        return [(one, lambda answer: answer.with_stage({"stage": "half"}))] * request.num_reads


class Slow(ri.Submission):
    """A submission that is done after so many questions."""

    running = 0
    most = 0

    def __init__(self, machine: Remote, answer: ri.Answer, questions: int, error: str = "") -> None:
        self.id, self.machine = f"job {len(machine.sent)}", machine
        self.held, self.questions, self.error, self.over = answer, questions, error, False
        machine.running += 1
        machine.most = max(machine.most, machine.running)

    def finish(self) -> None:
        if not self.over:
            self.over = True
            self.machine.running -= 1

    def done(self) -> bool:
        self.questions -= 1
        if self.questions < 0:
            self.finish()
        return self.over

    def answer(self, timeout: float | None = None) -> ri.Answer:
        self.finish()
        if self.error:
            raise BackendError(self.error)
        return self.held

    def cancel(self) -> bool:
        cancelled = not self.over
        self.finish()
        self.machine.cancelled += cancelled
        return cancelled


@final
class Remote(ri.Machine):
    """A machine that takes jobs; those whose number is in ``bad`` fail."""

    name = "remote"
    capabilities = ri.Capabilities()

    def __init__(self, *bad: int, refuse: int = -1) -> None:
        self.bad, self.refuse = bad, refuse
        self.sent: list[ri.Request] = []
        self.running = self.most = self.cancelled = 0

    def _submit(self, request: ri.Request) -> ri.Submission:
        number = len(self.sent)
        if number == self.refuse:
            raise BackendError("refused")
        self.sent.append(request)
        states = np.full((request.num_reads, request.model.num_variables), 1 if number % 2 else -1)
        error = f"call {number} failed" if number in self.bad else ""
        return Slow(self, request.answer(states, [{"stage": "remote", "call": number}]), 2, error)


BQM = dimod.BinaryQuadraticModel({"a": 1.0}, {}, 0.5, "BINARY")


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_parts_come_back_in_order_and_few_are_in_flight(limit: int) -> None:
    machine = Remote()
    answer = Halves(machine, in_flight=limit).sample(BQM, num_reads=7)
    assert answer.record.sample[:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert machine.most == min(limit, 7)
    record = answer.info["rapid_ising"]["stages"][0]
    assert record["stage"] == "halves"
    assert record["calls"] == 7
    assert [part[0]["call"] for part in record["parts"]] == list(range(7))
    assert all(part[1] == {"stage": "half"} for part in record["parts"])


def test_a_split_job_is_done_when_all_parts_are() -> None:
    machine = Remote()
    job = Halves(machine, in_flight=2).submit(BQM, num_reads=5)
    questions = 0
    while not job.done():
        questions += 1
        assert questions < 50
    assert len(machine.sent) == 5
    assert machine.running == 0
    assert len(job.result()) == 5


@pytest.mark.parametrize("machine", [Remote(2), Remote(refuse=2)], ids=["fails", "is refused"])
def test_what_has_arrived_is_kept_when_a_part_fails(machine: Remote) -> None:
    with pytest.raises(IncompleteError, match=r"(2|3) of 5") as caught:
        Halves(machine, in_flight=2).sample(BQM, num_reads=5)
    error = caught.value
    assert error.samples is not None
    assert error.samples.record.sample[:2, 0].tolist() == [0, 1]
    assert set(error.samples.record.energy) <= {0.5, 1.5}
    assert isinstance(error.__cause__, BackendError)
    assert machine.running == 0
    assert len(machine.sent) <= 4


def test_nothing_arrived_leaves_no_samples() -> None:
    with pytest.raises(IncompleteError, match="0 of 3") as caught:
        Halves(Remote(0), in_flight=1).sample(BQM, num_reads=3)
    assert caught.value.samples is None


def test_cancel_stops_what_runs_and_sends_no_more() -> None:
    machine = Remote()
    job = Halves(machine, in_flight=2).submit(BQM, num_reads=5)
    assert job.cancel()
    assert machine.cancelled == 2
    assert len(machine.sent) == 2


def test_a_finished_submission_cannot_be_cancelled() -> None:
    assert not Finished(ri.Answer(np.ones((1, 1), np.int8), [])).cancel()
