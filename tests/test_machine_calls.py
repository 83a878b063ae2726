"""Stages that ask several times or go on from the answer: gauges, batches, refinement."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import dimod
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import rapid_ising as ri
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    IncompleteError,
    InvalidParameterError,
)
from rapid_ising.machine import Batched, Gauged, Parts, Refined
from rapid_ising.machine.parts import joined, once_each
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance, tolerance, total_variation


@final
@dataclasses.dataclass(frozen=True)
class Local(ri.LocalBackend):
    """A machine that answers as it is told; it keeps the requests that reach it."""

    name: ClassVar[str] = "local"
    answer: Callable[[ri.Request], Any]
    capabilities: ri.Capabilities = ri.Capabilities(initial_states=True)  # noqa: RUF009 - frozen
    requests: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, Mapping[str, Any]]:
        self.requests.append(request)
        return self.answer(request), {}


def exact(request: ri.Request) -> Any:
    return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng)


def starts(request: ri.Request) -> Any:
    return request.initial_states


def up(request: ri.Request) -> Any:
    return np.ones((request.num_reads, request.model.num_variables))


def anything(request: ri.Request) -> Any:
    return 2 * request.rng.integers(2, size=(request.num_reads, request.model.num_variables)) - 1


def best(request: ri.Request) -> Any:
    states = np.array(list(itertools.product((-1, 1), repeat=request.model.num_variables)))
    return states[np.argsort(request.model.energies(states), kind="stable")][: request.num_reads]


LIMITED = ri.Capabilities(exact=True, max_reads=7, seedable=True)
DISTINCT = ri.Capabilities(returns="distinct", temperature="none", max_reads=3)


class TestConformance(BackendConformance):
    @pytest.fixture(
        params=[
            Gauged("exact"),
            Gauged("gibbs", gauges=3),
            Refined("exact"),
            Refined(Local(anything, ri.Capabilities(max_beta=2.0)), sweeps=200),
            Batched(Local(exact, LIMITED)),
            Gauged(Batched(Local(exact, LIMITED), in_flight=1), gauges=2),
        ],
        ids=["gauged", "gauged-gibbs", "refined", "refined-random", "batched", "gauged-batched"],
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        backend: ri.Backend = request.param
        return backend


class TestDistinct(BackendConformance):
    @pytest.fixture(params=[Gauged, Refined, Batched], ids=lambda kind: str(kind.__name__))
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        most = 3 if request.param is Batched else None
        backend: ri.Backend = request.param(Local(best, dataclasses.replace(DISTINCT, max_reads=most)))
        return backend


@st.composite
def problems(draw: Callable[..., Any]) -> tuple[ri.IsingModel, Any]:
    """A model of up to eight spins, and states of it."""
    n, reads = draw(st.integers(0, 8)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    half = np.triu(rng.normal(size=(n, n)), 1)
    states = 2 * rng.integers(2, size=(reads, n), dtype=np.int8) - 1
    return ri.IsingModel(rng.normal(size=n), half + half.T, float(rng.normal())), states


# -- Gauged


@given(problems(), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=400)
def test_states_go_through_a_gauge_and_back(case: tuple[ri.IsingModel, Any], gauges: int, seed: int) -> None:
    model, states = case
    machine = Local(starts)
    reads = len(states)
    if not model.num_variables:
        return
    answer = Gauged(machine, gauges=gauges).sample(model, num_reads=reads, initial_states=states, seed=seed)
    assert answer.record.sample.tolist() == states.tolist()
    sizes = [request.num_reads for request in machine.requests]
    assert len(sizes) == min(gauges, reads)
    assert sum(sizes) == reads
    assert max(sizes) - min(sizes) <= 1
    for request in machine.requests:
        # The energies of the machine's states are those of the states that they become.
        sent = request.initial_states
        assert sent is not None
        start = sum(sizes[: machine.requests.index(request)])
        np.testing.assert_allclose(
            request.model.energies(sent), model.energies(states[start : start + len(sent)]), atol=1e-12
        )
    record = answer.info["rapid_ising"]["stages"][0]
    assert (record["stage"], record["gauges"], len(record["parts"])) == ("gauged", len(sizes), len(sizes))


def test_gauges_are_random_and_fixed_by_the_seed() -> None:
    model = ri.IsingModel(np.ones(40), np.zeros((40, 40)))

    def signs(seed: int) -> list[list[float]]:
        machine = Local(up)
        Gauged(machine, gauges=3).sample(model, num_reads=3, seed=seed)
        return [request.model.fields.tolist() for request in machine.requests]

    first = signs(1)
    assert first == signs(1)
    assert len({tuple(row) for row in first + signs(2)}) == 6
    assert set(np.ravel(first)) == {-1.0, 1.0}


def test_a_bias_of_the_machine_averages_out() -> None:
    # A machine that adds a field of its own: alone it magnetises free spins, in gauges it does not.
    def biased(request: ri.Request) -> Any:
        extra = ri.IsingModel(request.model.fields - 1.0, request.model.couplings)
        return exact(dataclasses.replace(request, model=extra))

    free = ri.IsingModel(np.zeros(4), np.zeros((4, 4)))
    reads = 300
    assert Local(biased).sample(free, num_reads=reads, seed=0).record.sample.mean() > 0.7
    for seed in range(2):
        turned = Gauged(Local(biased), gauges=reads).sample(free, num_reads=reads, seed=seed)
        # Independent signs: five deviations of the mean of 4 * reads of them.
        assert abs(turned.record.sample.mean()) < 5 / math.sqrt(4 * reads)


def test_gauged_offers_what_holds_in_every_gauge() -> None:
    facts = ri.Capabilities(field_range=(-4, 3), coupling_range=(-2, 1))
    stage = Gauged(Local(exact, facts))
    assert stage.capabilities.field_range == (-3, 3)
    assert stage.capabilities.coupling_range == (-1, 1)
    with pytest.raises(CapabilityError, match="-1 to 1"):
        stage.check(ri.IsingModel([0.0, 0.0], [[0, -1.5], [-1.5, 0]]))
    options: Any
    for options in ({"gauges": 0}, {"gauges": 1.5}, {"in_flight": 0}):
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            Gauged("exact", **options)


# -- Refined


def test_sweeps_bring_a_wrong_law_to_the_right_one() -> None:
    reference = REFERENCE_MODELS["bipartite"]
    law, problem = reference.law(0.7), reference.problem()
    for stage, near in ((Refined(Local(up), sweeps=1), False), (Refined(Local(up), sweeps=100), True)):
        answer = stage.sample(problem, num_reads=4000, beta=0.7, seed=2)
        reads = [tuple(row) for row in answer.record.sample.tolist()]
        assert (total_variation(reads, law) <= tolerance(law, len(reads))) == near
    assert answer.info["rapid_ising"]["stages"][-1] == {
        "stage": "refined",
        "sweeps": 100,
        "beta": 0.7,
        "update": "by layers",
    }


def test_refined_uses_the_asked_beta_and_model() -> None:
    # At beta = infinity every read relaxes against its field, whatever the machine gave.
    answer = Refined(Local(up), sweeps=1).sample(
        ri.IsingModel([1.0, -1.0], np.zeros((2, 2))), num_reads=3, beta=math.inf
    )
    assert answer.record.sample.tolist() == [[-1, 1]] * 3
    with pytest.raises(InvalidParameterError, match="sweeps"):
        Refined("exact", sweeps=0)
    assert Refined("exact").capabilities == ri.load_backend("exact").capabilities


@pytest.mark.parametrize("name", ["sparse", "bipartite", "dense"])
def test_runs_of_sweeps_are_chains(name: str) -> None:
    model = REFERENCE_MODELS[name].problem()
    start = np.ones((3, model.num_variables), np.int8)
    found, update = ri.gibbs_chains(model, start, [0, 2, 0], 0.5, np.random.default_rng(0))
    assert update == ("by layers" if name == "bipartite" else "spin by spin")
    assert found.shape == (9, model.num_variables)
    assert (found[:3] == 1).all()
    assert not (found[3:6] == 1).all()
    assert (found[3:6] == found[6:]).all()


# -- Batched, with machines that take their time


class Later(ri.Submission):
    """A job of the fake machine: done when its turn comes on the machine's clock."""

    def __init__(self, machine: Far, request: ri.Request, number: int) -> None:
        self.id, self.machine, self.request, self.number = f"job {number}", machine, request, number
        self.ready = machine.clock + machine.takes[number % len(machine.takes)]
        self.over = False

    def done(self) -> bool:
        self.machine.clock += 1
        return self.over or self.machine.clock >= self.ready

    def finish(self) -> None:
        if not self.over:
            self.over = True
            self.machine.running -= 1

    def answer(self, timeout: float | None = None) -> ri.Answer:
        if self.machine.stuck == self.number:
            time.sleep(
                min(timeout if timeout is not None else math.inf, self.request.deadline.remaining, 1.0)
            )
            if timeout is None or self.request.deadline.passed:
                self.finish()
            raise self.request.deadline.exceeded("far")
        self.machine.clock = max(self.machine.clock, self.ready)
        self.finish()
        if self.number in self.machine.bad:
            raise BackendError(f"job {self.number} burnt")
        marks = np.full((self.request.num_reads, 8), -1, np.int8)
        marks[:, [bit for bit in range(8) if self.number >> bit & 1]] = 1
        return self.request.answer(marks, [{"stage": "far", "number": self.number}])

    def cancel(self) -> bool:
        stopped = not self.over
        self.finish()
        return stopped


@final
class Far(ri.Machine):
    """A machine elsewhere: its reads are the number of the job in bits."""

    name = "far"

    def __init__(
        self, most: int = 10, takes: tuple[int, ...] = (3,), bad: tuple[int, ...] = (), stuck: int = -1
    ) -> None:
        self.capabilities = ri.Capabilities(max_reads=most, initial_states=True)
        self.takes, self.bad, self.stuck = takes, bad, stuck
        self.clock = self.running = self.most = 0
        self.sent: list[ri.Request] = []

    def _submit(self, request: ri.Request) -> ri.Submission:
        self.sent.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        return Later(self, request, len(self.sent) - 1)


EIGHT = ri.IsingModel(np.zeros(8), np.zeros((8, 8)))


def jobs(answer: dimod.SampleSet) -> list[int]:
    """The number of the job that each read came from."""
    return [int((row > 0) @ (1 << np.arange(8))) for row in answer.record.sample]


@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.integers(1, 5),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=400)
def test_batches_in_order_within_the_limits(
    reads: int, most: int, in_flight: int, takes: list[int], polled: bool
) -> None:
    machine = Far(most, tuple(takes))
    stage = Batched(machine, in_flight=in_flight)
    states = np.ones((reads, 8), np.int8)
    states[:, :6] = 2 * (np.arange(reads)[:, np.newaxis] >> np.arange(6) & 1) - 1
    job = stage.submit(EIGHT, num_reads=reads, initial_states=states)
    while polled and not job.done():
        assert machine.clock < 10_000
    answer = job.result()
    calls = -(-reads // most)
    assert job.done()
    assert not job.cancel()
    assert len(machine.sent) == calls
    assert machine.most == min(in_flight, calls)
    assert machine.running == 0
    sizes = [request.num_reads for request in machine.sent]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert jobs(answer) == [number for number, size in enumerate(sizes) for _ in range(size)]
    sent = [request.initial_states for request in machine.sent]
    assert np.vstack([s for s in sent if s is not None]).tolist() == states.tolist()
    assert answer.info["rapid_ising"]["stages"][0]["calls"] == calls


@pytest.mark.parametrize("polled", [False, True])
def test_what_arrived_is_kept_when_a_call_fails(polled: bool) -> None:
    machine = Far(10, takes=(5, 1, 1, 1), bad=(1,))
    job = Batched(machine, in_flight=3).submit(EIGHT, num_reads=95)
    while polled and not job.done():
        assert machine.clock < 1000
    for _ in range(2):
        with pytest.raises(
            IncompleteError, match=r"\d of 10 calls arrived, then one failed: job 1 burnt"
        ) as caught:
            job.result()
        samples = caught.value.samples
        assert samples is not None
        found = jobs(samples)
        assert {0, 2} <= set(found)
        assert 1 not in found
        assert isinstance(caught.value.__cause__, BackendError)
    # Those in flight were waited for; at most one more was sent before the failure was seen.
    assert 3 <= len(machine.sent) <= 4
    assert machine.running == 0


def test_arrived_reads_pass_through_the_stages_outside() -> None:
    # The inner batch fails in one gauge; what arrived is turned back and the energies are the problem's.
    machine = Far(5, bad=(3,))
    model = ri.IsingModel(np.arange(8.0), np.zeros((8, 8)))
    with pytest.raises(IncompleteError) as caught:
        Gauged(Batched(machine), gauges=2).sample(model, num_reads=20, seed=3)
    samples = caught.value.samples
    assert samples is not None
    assert len(samples) == 15
    np.testing.assert_allclose(samples.record.energy, samples.record.sample @ np.arange(8.0))


def test_a_short_wait_does_not_end_the_job() -> None:
    machine = Far(10, stuck=0)
    job = Batched(machine, in_flight=2).submit(EIGHT, num_reads=40, deadline=60)
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        job.result(timeout=0.05)
    assert time.monotonic() - began < 5
    machine.stuck = -1
    assert len(job.result()) == 40


def test_the_wait_is_for_all_calls_together() -> None:
    def slow() -> ri.Submission:
        return Sleeper()

    class Sleeper(ri.Submission):
        id = "sleeper"
        waits: ClassVar[list[float]] = []

        def done(self) -> bool:
            return False

        def answer(self, timeout: float | None = None) -> ri.Answer:
            assert timeout is not None
            self.waits.append(timeout)
            time.sleep(0.02)
            return ri.Answer(np.ones((1, 1), np.int8), [])

        def cancel(self) -> bool:
            return True

    Parts("test", [slow] * 3, 1).answer(10.0)
    assert all(later <= earlier - 0.02 for earlier, later in itertools.pairwise(Sleeper.waits))


def test_the_deadline_ends_it_and_keeps_what_arrived() -> None:
    machine = Far(10, stuck=2)
    with pytest.raises(IncompleteError, match="deadline") as caught:
        Batched(machine, in_flight=2).sample(EIGHT, num_reads=60, deadline=0.1)
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert caught.value.samples is not None
    assert {0, 1} <= set(jobs(caught.value.samples))
    # Nothing is sent after the deadline.
    assert len(machine.sent) <= 4


def test_nothing_before_the_deadline_is_a_deadline_error() -> None:
    with pytest.raises(DeadlineExceededError):
        Batched(Far(10, stuck=0), in_flight=1).sample(EIGHT, num_reads=60, deadline=0.05)
    late = Deadline(1e-9)
    time.sleep(0.001)

    def send() -> ri.Submission:
        pytest.fail("sent after the deadline")

    parts = Parts("test", [send], 1, late)
    assert parts.done()
    with pytest.raises(DeadlineExceededError):
        parts.answer()


def test_cancelled_reads_are_not_passed_off_as_all() -> None:
    machine = Far(10)
    job = Batched(machine, in_flight=2).submit(EIGHT, num_reads=60)
    assert job.cancel()
    assert machine.running == 0
    assert job.done()
    with pytest.raises(IncompleteError, match=r"0 of 6 calls arrived.*cancelled"):
        job.result()
    assert len(machine.sent) == 2


def test_a_fault_while_sending_leaves_nothing_running() -> None:
    machine = Far(10)
    request = Batched(machine)._request(EIGHT, 10, 1.0, 0, None, None)

    def fault() -> ri.Submission:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Parts("test", [machine._accept(request), fault], 4)
    assert machine.running == 0


def test_a_local_machine_is_done_at_once() -> None:
    machine = Local(up, LIMITED)
    job = Batched(machine, in_flight=1).submit(EIGHT, num_reads=50)
    assert job.done()
    assert len(machine.requests) == 8


def test_nothing_is_sent_when_a_part_is_refused() -> None:
    machine = Far(10)
    machine.capabilities = ri.Capabilities(max_reads=10, max_variables=4)
    with pytest.raises(ri.errors.ProblemTooLargeError):
        Batched(machine).submit(EIGHT, num_reads=60)
    assert machine.sent == []


@pytest.mark.parametrize("order", [(0,), (9, 0, 5, 1)])
def test_samples_do_not_depend_on_the_order_of_arrival(order: tuple[int, ...]) -> None:
    # The sweeps draw random numbers when an answer arrives.
    def reads(takes: tuple[int, ...], polled: bool) -> list[list[int]]:
        job = Batched(Refined(Far(10, takes), sweeps=1)).submit(EIGHT, num_reads=60, seed=4)
        while polled and not job.done():
            pass
        rows: list[list[int]] = job.result().record.sample.tolist()
        return rows

    assert reads(order, True) == reads((3,), False)


def test_batches_by_the_time_of_a_call() -> None:
    facts = ri.Capabilities(read_time=0.5, max_call_time=2.0)
    machine = Local(up, facts)
    stage = Batched(machine)
    assert stage.capabilities.reads_a_call is None
    assert stage.capabilities.read_time == 0.5
    stage.sample(EIGHT, num_reads=10)
    assert [request.num_reads for request in machine.requests] == [3, 3, 4]


# -- The join


def test_distinct_states_are_joined_each_once_and_each_call_weighs_the_same() -> None:
    one = ri.Answer(np.array([[1, 1], [1, -1]], np.int8), [], np.array([1.5, 0.5]))
    two = ri.Answer(np.array([[1, -1]], np.int8), [], np.array([1.0]))
    both = joined("test", [one, two], distinct=True)
    assert both.states.tolist() == [[1, 1], [1, -1]]
    # Shares 3/4 and 1/4 of the first call and all of the second, of mean 1.
    np.testing.assert_allclose(both.weights, [0.75, 1.25])  # type: ignore[arg-type]
    reads = joined("test", [one, ri.Answer(two.states, [])])
    assert reads.weights is not None
    assert reads.weights.tolist() == [1.5, 0.5, 1.0]
    assert once_each(ri.Answer(np.zeros((3, 0), np.int8), [])).states.shape == (1, 0)
