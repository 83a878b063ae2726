"""Composites of Ocean around a backend: its law comes out, or what they say they make of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import dimod
import networkx as nx
import numpy as np
import pytest
from dimod.core.sampler import Sampler
from dimod.core.structured import Structured
from dimod.reference.composites.tracking import TrackingComposite
from dwave.preprocessing.composites import (
    ClipComposite,
    ConnectedComponentsComposite,
    FixVariablesComposite,
    ScaleComposite,
    SpinReversalTransformComposite,
)
from dwave.system import AutoEmbeddingComposite, EmbeddingComposite, FixedEmbeddingComposite

import rapid_ising as ri
from rapid_ising.dimod_samplers import StructuredBackendSampler
from rapid_ising.errors import CapabilityError, InvalidParameterError
from rapid_ising.machine import Gauged, Sharded
from rapid_ising.testing import tolerance, total_variation

READS = 4000
LABELS = "abcd"
PROBLEM = dimod.BQM(
    {"a": 0.4, "b": -0.3, "c": 0.2, "d": 0.1},
    {("a", "b"): 0.7, ("b", "c"): -0.6, ("c", "a"): 0.5, ("c", "d"): -0.8},
    0.25,
    "SPIN",
)


def law(bqm: dimod.BinaryQuadraticModel, beta: float) -> dict[tuple[int, ...], float]:
    """The Boltzmann law of all four variables, by dimod's energies."""
    states = [s for s in itertools.product((-1, 1), repeat=4)]
    weights = np.exp(-beta * bqm.energies((np.array(states), list(LABELS))))
    return dict(zip(states, (weights / weights.sum()).tolist(), strict=True))


def rows(found: dimod.SampleSet) -> list[tuple[int, ...]]:
    """Every read, as often as it occurs."""
    columns = [found.variables.index(label) for label in LABELS]
    states = np.repeat(found.record.sample, found.record.num_occurrences, axis=0)[:, columns]
    return [tuple(row) for row in states.tolist()]


def machine(beta: float = 2.0) -> Sampler:
    return ri.as_dimod_sampler("exact", beta=beta, seed=0)


def structured() -> Any:
    """The exact machine behind a square with two tails: a triangle of the problem needs a chain."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (2, 5)]
    return dimod.StructureComposite(machine(), range(6), edges)


EVERY_PAIR = list(itertools.combinations(LABELS, 2))
CHAINS = {"a": [0], "b": [1], "c": [2, 3], "d": [4]}
GAUGES = {"num_spin_reversal_transforms": 10, "num_reads": READS // 10}
MINORMINER = {"chain_strength": 8, "embedding_parameters": {"random_seed": 1}}
BETA = 2.0
SAME: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "tracking": lambda: (TrackingComposite(machine()), {}),
    "gauges": lambda: (SpinReversalTransformComposite(machine(), seed=0), {}),
    "many gauges": lambda: (SpinReversalTransformComposite(machine(), seed=0), GAUGES),
    # Half the energy at twice the inverse temperature.
    "scaled": lambda: (ScaleComposite(machine(2 * BETA)), {"scalar": 0.5}),
    "clipped where nothing is": lambda: (ClipComposite(machine()), {"lower_bound": -1, "upper_bound": 1}),
    "one in another": lambda: (
        ScaleComposite(SpinReversalTransformComposite(machine(2 * BETA), seed=0)),
        {"scalar": 0.5},
    ),
    "structure": lambda: (dimod.StructureComposite(machine(), list(LABELS), EVERY_PAIR), {}),
    # Chains so strong that none breaks: each is one spin, and the law is that of the problem.
    "embedded": lambda: (FixedEmbeddingComposite(structured(), CHAINS), {"chain_strength": 8}),
    "embedded by minorminer": lambda: (EmbeddingComposite(structured()), MINORMINER),
    "embedded where it must be": lambda: (AutoEmbeddingComposite(machine()), {}),
}


@pytest.mark.parametrize("name", SAME)
def test_the_law_of_a_backend_comes_out_of_a_composite(name: str) -> None:
    composite, parameters = SAME[name]()
    found = composite.sample(PROBLEM, **{"num_reads": READS, **parameters})
    expected = law(PROBLEM, BETA)
    assert len(rows(found)) == READS
    assert total_variation(rows(found), expected) < tolerance(expected, READS)
    wrong = law(PROBLEM, 1.0)
    assert total_variation(rows(found), wrong) > tolerance(wrong, READS)


def test_fixed_variables_give_the_conditional_law() -> None:
    found = FixVariablesComposite(machine(1.0)).sample(PROBLEM, fixed_variables={"c": -1}, num_reads=READS)
    whole = {state: p for state, p in law(PROBLEM, 1.0).items() if state[2] == -1}
    expected = {state: p / math.fsum(whole.values()) for state, p in whole.items()}
    assert total_variation(rows(found), expected) < tolerance(expected, READS)


def test_composites_that_search_find_ground_states() -> None:
    """Roof duality fixes what every ground state has, and components are each solved for their best read."""
    cold = machine(math.inf)
    least = dimod.ExactSolver().sample(PROBLEM).first.energy
    assert FixVariablesComposite(cold, algorithm="roof_duality").sample(PROBLEM).first.energy == least
    two = PROBLEM.copy()
    two.add_quadratic("e", "f", -1.0)
    found = ConnectedComponentsComposite(cold).sample(two)
    assert found.first.energy == pytest.approx(least - 1.0)


@pytest.mark.parametrize("name", ["tracking", "gauges", "embedded"])
def test_a_composite_around_a_backend_is_a_backend_of_its_law(name: str) -> None:
    composite, parameters = SAME[name]()
    backend = ri.WrappedSampler(composite, parameters=parameters, beta=BETA)
    found = backend.sample(PROBLEM, num_reads=READS, beta=1.0, seed=None)
    expected = law(PROBLEM, 1.0)
    assert total_variation(rows(found), expected) < tolerance(expected, READS)


@pytest.fixture(scope="module")
def twin() -> Any:
    return ri.as_dimod_sampler(ri.load_backend("twin-dwave", topology="pegasus", size=2), seed=0)


class TestMachinesWithAGraph:
    def test_its_graph_is_told_in_order(self, twin: Any) -> None:
        assert isinstance(twin, Structured)
        assert isinstance(twin, StructuredBackendSampler)
        graph: Any = twin.backend.capabilities.topology
        assert twin.nodelist == sorted(graph)
        assert sorted(twin.edgelist) == twin.edgelist == sorted(tuple(sorted(edge)) for edge in graph.edges)
        assert nx.utils.graphs_equal(twin.to_networkx_graph(), graph)
        assert twin.to_networkx_graph().graph["family"] == "pegasus"
        assert twin.properties["h_range"] == [-4.0, 4.0]
        assert ri.as_backend(ri.as_dimod_sampler(twin.backend)) is twin.backend

    def test_it_is_embedded_into(self, twin: Any) -> None:
        composite = EmbeddingComposite(ScaleComposite(twin))
        found = composite.sample(PROBLEM, num_reads=50, embedding_parameters={"random_seed": 1}, scalar=1.0)
        assert found.first.energy == pytest.approx(dimod.ExactSolver().sample(PROBLEM).first.energy)

    def test_a_model_on_its_graph_is_sampled_without_an_embedding(self, twin: Any) -> None:
        graph = twin.to_networkx_graph()
        model = ri.BoltzmannMachine(graph, seed=0, weight_std=0.5)
        found = twin.sample(model.ising().to_bqm(variables=list(graph)), num_reads=10)
        assert set(found.variables) == set(graph)

    def test_what_does_not_fit_its_graph_is_embedded(self, twin: Any) -> None:
        """By the error that composites look out for; other errors stay what they are."""
        composite = AutoEmbeddingComposite(twin)
        assert len(composite.sample(PROBLEM, num_reads=4, embedding_parameters={"random_seed": 1})) == 4
        for problem in (PROBLEM, dimod.BQM(dict.fromkeys(range(999), 1.0), {}, "SPIN")):
            with pytest.raises(dimod.exceptions.BinaryQuadraticModelStructureError) as caught:
                twin.sample(problem)
            assert isinstance(caught.value, CapabilityError)
        with pytest.raises(CapabilityError, match="scale the problem") as large:
            twin.sample(dimod.BQM({twin.nodelist[0]: 9.0}, {}, "SPIN"))
        assert not isinstance(large.value, dimod.exceptions.BinaryQuadraticModelStructureError)

    def test_a_machine_without_one_is_not_structured(self) -> None:
        assert not isinstance(machine(), Structured)

    def test_no_machine_is_asked_before_it_is_used(self) -> None:
        sampler: Any = ri.as_dimod_sampler(ri.load_backend("dwave", url="http://127.0.0.1:9", token="x"))
        assert isinstance(sampler, Structured)


def test_defaults_are_for_callers_that_do_not_say() -> None:
    sampler = ri.as_dimod_sampler("exact", num_reads=3, beta=math.inf, seed=1)
    assert len(sampler.sample(PROBLEM)) == 3
    assert len(sampler.sample(PROBLEM, num_reads=5)) == 5
    info = sampler.sample(PROBLEM, beta=0.5).info["rapid_ising"]
    assert (info["beta"], info["num_reads"]) == (0.5, 3)


def test_a_seed_is_that_of_all_calls_in_order() -> None:
    """Calls differ, and the same calls in another process are the same."""
    drawn = []
    for _ in range(2):
        sampler = ri.as_dimod_sampler("exact", num_reads=50, seed=1)
        drawn.append([sampler.sample(PROBLEM).record.sample.tolist() for _ in range(2)])
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]


def test_wrong_defaults() -> None:
    with pytest.raises(InvalidParameterError, match="takes no num_raeds; it takes num_reads, beta"):
        ri.as_dimod_sampler("exact", num_raeds=3)
    with pytest.raises(InvalidParameterError, match=r"is a dimod\.Sampler already: give it beta itself"):
        ri.as_dimod_sampler(dimod.ExactSolver(), beta=2.0)


class TestOneConversion:
    """A BQM goes on to a wrapped sampler as it is, where that changes nothing."""

    @staticmethod
    def sent(bqm: dimod.BinaryQuadraticModel, beta: float | None = None, **asked: Any) -> Any:
        tracking = TrackingComposite(dimod.ExactSolver())
        found = ri.WrappedSampler(tracking, beta=beta).sample(bqm, **asked)
        np.testing.assert_allclose(found.record.energy, bqm.energies(found), atol=1e-12)
        return tracking.input["bqm"]

    @pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
    def test_the_same_object(self, vartype: Any) -> None:
        bqm = PROBLEM.change_vartype(vartype, inplace=False)
        assert self.sent(bqm) is bqm

    def test_an_equal_one_in_the_order_of_labels(self) -> None:
        """So that the samples of a seed do not hang on how the BQM was built."""
        reverse = dimod.BQM({v: PROBLEM.linear[v] for v in reversed(LABELS)}, {}, 0.25, "SPIN")
        reverse.add_quadratic_from(PROBLEM.quadratic)
        sent = self.sent(reverse)
        assert sent == PROBLEM
        assert list(sent.variables) == list(LABELS)

    def test_an_equal_one_in_double_precision(self) -> None:
        sent = self.sent(dimod.Float32BQM(PROBLEM))
        assert sent.dtype == np.float64

    def test_another_one_where_a_temperature_or_a_stage_asks_for_it(self) -> None:
        kept = PROBLEM.copy()
        tracking = TrackingComposite(dimod.ExactSolver())
        Sharded(ri.WrappedSampler(tracking), engine="serial").sample(PROBLEM)
        assert tracking.input["bqm"] == PROBLEM
        assert tracking.input["bqm"] is not PROBLEM
        ri.WrappedSampler(tracking, beta=2.0).sample(PROBLEM, beta=1.0)
        assert tracking.input["bqm"].linear["a"] == PROBLEM.linear["a"] / 2
        Gauged(ri.WrappedSampler(tracking), gauges=1).sample(PROBLEM, seed=np.random.default_rng(1))
        assert tracking.input["bqm"] != PROBLEM
        assert kept == PROBLEM
