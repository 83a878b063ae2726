"""dimod on both sides of the seam, with samplers that fail in every way that users' samplers do."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import dimod
import networkx as nx
import numpy as np
import pytest
from dimod.core.sampler import Sampler
from dimod.reference.composites.tracking import TrackingComposite

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    InvalidParameterError,
    ProblemTooLargeError,
    RapidIsingError,
)
from rapid_ising.notices import RoundingWarning

BQM = dimod.BinaryQuadraticModel({"b": 0.5, "a": -1.0}, {("a", "b"): 0.25}, "SPIN")


class Scripted(Sampler):
    """A user's sampler that does what it is told to and keeps its calls."""

    def __init__(self, answer: Callable[[dimod.BinaryQuadraticModel], Any], *parameters: str) -> None:
        self.answer = answer
        self.known = ("num_reads", *parameters)
        self.calls: list[tuple[dimod.BinaryQuadraticModel, dict[str, Any]]] = []

    @property
    def parameters(self) -> dict[str, list[str]]:
        return {name: [] for name in self.known}

    @property
    def properties(self) -> dict[str, Any]:
        return {}

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> Any:
        self.calls.append((bqm, parameters))
        return self.answer(bqm)


def answering(rows: Any, labels: Any = "ab", vartype: str = "SPIN", **vectors: Any) -> dimod.SampleSet:
    """Return a SampleSet whose energies are wrong."""
    samples: dimod.SampleSet = dimod.SampleSet.from_samples(
        (np.array(rows, dtype=np.int8), list(labels)), vartype, energy=np.full(len(rows), 99.0), **vectors
    )
    return samples


class RateLimitError(Exception):
    """A vendor's own error, outside every tree that we know."""


def raising(error: BaseException) -> Callable[[Any], Any]:
    def answer(bqm: dimod.BinaryQuadraticModel) -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    "error",
    [
        RateLimitError("429 Too Many Requests: retry after 30 s"),
        RuntimeError("the machine is on fire"),
        ValueError("bad embedding"),
        ConnectionResetError("reset by peer"),
        TimeoutError("the queue"),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failing_sampler_is_the_cause_of_an_error_of_ours(error: BaseException) -> None:
    with pytest.raises(
        BackendError, match=f"dimod:Scripted failed: {type(error).__name__}: {error}"
    ) as caught:
        ri.WrappedSampler(Scripted(raising(error))).sample(BQM)
    assert caught.value.__cause__ is error
    assert isinstance(caught.value, RapidIsingError)


def test_a_sampler_that_fails_when_its_answer_is_read() -> None:
    error = RateLimitError("429")
    future: Future[Any] = Future()
    future.set_exception(error)
    lazy = Scripted(lambda bqm: dimod.SampleSet.from_future(future, lambda f: f.result()))
    with pytest.raises(BackendError, match="RateLimitError: 429") as caught:
        ri.WrappedSampler(lazy).sample(BQM)
    assert caught.value.__cause__ is error


@pytest.fixture
def slow() -> Iterator[Scripted]:
    """A sampler that waits until the test is over."""
    over = threading.Event()

    def wait(bqm: dimod.BinaryQuadraticModel) -> Any:
        over.wait(60)
        return answering([[1, 1]])

    yield Scripted(wait)
    over.set()


@pytest.mark.parametrize(("timeout", "deadline"), [(3600.0, 0.1), (0.1, None), (0.1, 50.0)])
def test_a_slow_sampler_meets_the_deadline(slow: Scripted, timeout: float, deadline: float | None) -> None:
    """The earlier of the request's deadline and the wrapper's own time-out counts."""
    began = time.perf_counter()
    with pytest.raises(DeadlineExceededError, match=r"dimod:Scripted .* 0\.1 s"):
        ri.WrappedSampler(slow, timeout=timeout).sample(BQM, deadline=deadline)
    assert 0.1 <= time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (answering([[1, 1], [1, 1]], "ac"), "other variables"),
        (answering([[1], [1]], "a"), "other variables"),
        (answering([[1, 1, 1], [1, 1, 1]], "abc"), "other variables"),
        (answering([[1, 1]]), "1 reads where 2 were asked"),
        (answering([[1, 1]] * 3), "3 reads where 2 were asked"),
        (answering([[1, 1]], num_occurrences=[5]), "5 reads where 2 were asked"),
        (dimod.SampleSet.from_samples(np.zeros((0, 2)), "SPIN", []), "other variables|no samples"),
        (answering(np.zeros((0, 2))), "no samples"),
        ([{"a": 1, "b": 1}], "must return a SampleSet, not list"),
        (None, "must return a SampleSet, not NoneType"),
    ],
)
def test_a_faulty_answer(answer: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        ri.WrappedSampler(Scripted(lambda bqm: answer)).sample(BQM, num_reads=2)


def test_the_answer_is_read_by_label_and_its_energies_are_recomputed() -> None:
    """In the other vartype, the other order of columns, a repeated row folded into one."""
    answer = answering([[0, 1], [1, 1]], "ba", "BINARY", num_occurrences=[2, 1])
    sampleset = ri.WrappedSampler(Scripted(lambda bqm: answer)).sample(BQM, num_reads=3)
    assert sampleset.vartype is dimod.SPIN
    rows = sampleset.record.sample[:, [sampleset.variables.index(v) for v in "ab"]]
    assert rows.tolist() == [[1, -1], [1, -1], [1, 1]]
    assert sampleset.record.energy.tolist() == [-1.75, -1.75, -0.25]


def test_the_sampler_is_asked_in_the_askers_labels() -> None:
    sampler = Scripted(lambda bqm: answering([[1, 1]] * 4), "seed", "initial_states", "sweeps")
    machine = ri.WrappedSampler(sampler, parameters={"sweeps": 7}, initial_states=True)
    for _ in range(2):
        machine.sample(BQM, num_reads=4, seed=1, initial_states=[[1, -1]])
    (bqm, first), (_, second) = sampler.calls
    assert bqm == BQM
    assert first["num_reads"] == 4
    assert first["sweeps"] == 7
    assert first["seed"] == second["seed"]
    states, labels = first["initial_states"]
    assert [dict(zip(labels, row, strict=True)) for row in states.tolist()] == [{"a": 1, "b": -1}] * 4


def test_a_sampler_gets_nothing_that_it_does_not_know() -> None:
    sampler = Scripted(lambda bqm: answering([[1, 1]]))
    ri.WrappedSampler(sampler).sample(BQM)
    assert sampler.calls[0][1] == {"num_reads": 1}


@pytest.mark.parametrize(("stated", "asked", "factor"), [(2.0, 1.0, 0.5), (2.0, 5.0, 2.5), (1.0, 1.0, 1.0)])
def test_another_temperature_is_asked_by_scaling_the_energies(
    stated: float, asked: float, factor: float
) -> None:
    sampler = Scripted(lambda bqm: answering([[1, 1]]))
    answer = ri.WrappedSampler(sampler, beta=stated).sample(BQM, beta=asked)
    scaled = BQM.copy()
    scaled.scale(factor)
    assert sampler.calls[0][0] == scaled
    assert answer.record.energy.tolist() == [-0.25]
    assert answer.info["rapid_ising"]["stages"][0]["factor"] == factor


def test_claims() -> None:
    plain, stated = (
        ri.WrappedSampler(Scripted(answering, "initial_states")).capabilities,
        ri.WrappedSampler(
            Scripted(answering, "seed", "initial_states"), beta=1.0, initial_states=True
        ).capabilities,
    )
    assert (plain.temperature, plain.returns, plain.seedable, plain.initial_states) == (
        "none",
        "multiset",
        False,
        False,
    )
    assert (stated.temperature, stated.seedable, stated.initial_states) == ("settable", True, True)
    with pytest.raises(CapabilityError, match="beta up to"):
        ri.WrappedSampler(Scripted(answering), beta=1.0).sample(BQM, beta=math.inf)
    assert ri.WrappedSampler(dimod.ExactSolver()).capabilities.returns == "distinct"


def test_the_best_states_of_a_solver_come_first() -> None:
    answer = ri.WrappedSampler(dimod.ExactSolver()).sample(BQM, num_reads=3)
    assert (
        answer.record.energy.tolist()
        == sorted(BQM.energies(list(dimod.ExactSolver().sample(BQM).samples())))[:3]
    )


def test_the_graph_of_a_structured_sampler_is_its_topology() -> None:
    sampler = dimod.StructureComposite(dimod.ExactSolver(), ["a", "b", "c"], [("a", "b"), ("b", "c")])
    machine = ri.WrappedSampler(sampler)
    assert machine.capabilities.topology is not None
    assert nx.utils.graphs_equal(machine.capabilities.topology, nx.Graph([("a", "b"), ("b", "c")]))
    assert machine.sample(BQM).first.energy == -1.75
    with pytest.raises(CapabilityError, match="no coupler between spins 'a' and 'c'"):
        machine.sample(dimod.BQM({}, {("a", "c"): 1.0}, "SPIN"))
    with pytest.raises(CapabilityError, match="no spin 'd'"):
        machine.sample(dimod.BQM({"d": 1.0}, {}, "SPIN"))
    with pytest.raises(ProblemTooLargeError, match="3 spins and the problem has 4"):
        machine.sample(dimod.BQM(dict.fromkeys("abcd", 1.0), {}, "SPIN"))


@pytest.mark.parametrize("name", ["sweps", "num_reads", "seed", "initial_states"])
def test_parameters_that_a_wrapper_does_not_take(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"no parameters {name} here"):
        ri.WrappedSampler(Scripted(answering, "sweeps"), parameters={name: 1})


@pytest.mark.parametrize(
    "options",
    [{"beta": 0}, {"beta": -1.0}, {"beta": math.inf}, {"beta": "cold"}, {"timeout": 0}, {"timeout": None}],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        ri.WrappedSampler(Scripted(answering), **options)


def test_there_and_back() -> None:
    backend = ri.load_backend("gibbs", burn_in=7)
    sampler = ri.as_dimod_sampler(backend)
    assert isinstance(sampler, Sampler)
    assert ri.as_backend(sampler) is backend
    assert ri.as_backend(backend) is backend
    assert ri.as_dimod_sampler(sampler) is sampler
    user = Scripted(answering)
    wrapped = ri.as_backend(user)
    assert isinstance(wrapped, ri.WrappedSampler)
    assert wrapped.sampler is user


def test_defaults_are_not_lost_on_the_way_back() -> None:
    sampler = ri.as_dimod_sampler("gibbs", seed=7, num_reads=3)
    with pytest.raises(InvalidParameterError, match=r"no defaults, .* of gibbs has seed, num_reads: pass"):
        ri.as_backend(sampler)


def test_a_backend_as_a_sampler() -> None:
    sampler = ri.as_dimod_sampler("exact")
    assert sampler.properties["backend"] == "exact"
    assert sampler.properties["exact"] is True
    assert set(sampler.parameters) == {"num_reads", "beta", "seed", "initial_states", "deadline"}
    assert len(sampler.sample(BQM)) == 1
    assert len(sampler.sample_qubo({("x", "y"): 1.0}, num_reads=5, beta=2.0, seed=0)) == 5
    with pytest.raises(TypeError, match=r"takes no num_sweeps; it takes num_re.*load_backend\('exact', "):
        sampler.sample(BQM, num_sweeps=3)


def test_a_seed_of_all_calls_is_recorded_with_the_number_of_the_call() -> None:
    sampler = ri.as_dimod_sampler("exact", seed=5)
    told = [sampler.sample(BQM).info["rapid_ising"] for _ in range(2)]
    assert [(info["seed"], info["call"]) for info in told] == [(5, 1), (5, 2)]
    own = sampler.sample(BQM, seed=3).info["rapid_ising"]
    assert (own["seed"], "call" in own) == (3, False)


@pytest.mark.parametrize("name", ["twin-digital-annealer", "twin-cim", "twin-cmos"])
def test_a_limit_that_a_stage_lifts_names_the_way_for_samplers(name: str) -> None:
    with pytest.raises(CapabilityError, match=r"as_dimod_sampler\(rapid_ising\.prepare\(machine, bqm"):
        ri.as_dimod_sampler(name).sample(BQM, num_reads=3)
    if name == "twin-cmos":
        pytest.importorskip("minorminer", reason="a graph needs the extra 'embedding'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingWarning)
        sampler = ri.as_dimod_sampler(ri.prepare(name, BQM, show=False), seed=0)
    # A machine of distinct states returns fewer rows.
    assert 1 <= len(sampler.sample(BQM, num_reads=3)) <= 3


def test_a_composite_around_a_backend_is_a_backend_again() -> None:
    composite = TrackingComposite(ri.as_dimod_sampler("exact"))
    backend = ri.WrappedSampler(composite, parameters={"beta": math.inf})
    assert backend.sample(BQM, num_reads=4, seed=0).record.energy.tolist() == [-1.75] * 4
    assert composite.input["num_reads"] == 4


def test_states_cannot_be_stated_of_a_sampler_that_takes_none() -> None:
    with pytest.raises(InvalidParameterError, match="takes no initial_states"):
        ri.WrappedSampler(Scripted(answering), initial_states=True)


def test_what_the_sampler_says_of_its_work_is_kept() -> None:
    def timed(bqm: Any) -> dimod.SampleSet:
        answer = answering([[1, 1]])
        answer.info.update(timing={"qpu": np.int64(5)}, problem_id="x1", client=object())
        return answer

    info = ri.WrappedSampler(Scripted(timed)).sample(BQM).info["rapid_ising"]["stages"][0]["info"]
    assert info == {"timing": {"qpu": 5}, "problem_id": "x1", "client": {"class": "object"}}


def test_distinct_states_are_distinct() -> None:
    class Few(Sampler):
        parameters: ClassVar[dict[str, Any]] = {}
        properties: ClassVar[dict[str, Any]] = {}

        def sample(self, bqm: Any, **_: Any) -> dimod.SampleSet:
            rows = [{"a": 1, "b": 1}, {"a": -1, "b": 1}] * 3
            answer: dimod.SampleSet = dimod.SampleSet.from_samples_bqm(rows, bqm)
            return answer

    answer = ri.WrappedSampler(Few()).sample(BQM, num_reads=6)
    assert len(answer) == 2
