"""Machines on graphs: what a graph may be, biases by a clamped spin, symmetry, and closed forms."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from brute_force import all_states, exact_positive, joint
from small_models import hidden_boltzmann_machine, hidden_pattern_boltzmann_machine, pattern_boltzmann_machine

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError

SYMMETRIC = np.array([[1, 1, -1, 1], [-1, -1, 1, -1], [1, -1, 1, 1], [-1, 1, -1, -1]], dtype=np.int8)


def test_one_graph_in_each_form_is_one_machine() -> None:
    """Nodes in order are the spins, whatever they are called; edges are told once, in order."""
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(["d", "c", "b", "a", "alone"])
    graph.add_edges_from([("a", "d"), ("c", "d"), ("b", "c")])
    named = ri.BoltzmannMachine(graph, n_visible=3, seed=0)
    told = ri.BoltzmannMachine({"nodes": 5, "edges": [[3, 0], [1, 2], [0, 1], [1, 0]]}, n_visible=3, seed=0)
    assert named.edges.tolist() == told.edges.tolist() == [[0, 1], [0, 3], [1, 2]]
    assert (named.n_visible, named.n_hidden) == (3, 2)
    np.testing.assert_array_equal(named.couplings, told.couplings)
    complete = ri.BoltzmannMachine(nx.complete_graph(4), seed=1)
    assert complete.config()["graph"] == 4
    np.testing.assert_array_equal(complete.couplings, ri.BoltzmannMachine(4, seed=1).couplings)


def test_many_edges_are_told_in_few_words() -> None:
    assert len(repr(ri.BoltzmannMachine(nx.grid_2d_graph(30, 30), n_visible=800))) < 250


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (0, {}, "graph must be an integer of at least 1"),
        (nx.Graph(), {}, "number of nodes"),
        (nx.Graph([(0, 0)]), {}, "node 0 to itself"),
        ({"nodes": 2, "edges": [[0, 2]]}, {}, r"outside 0\.\.1"),
        (4, {"n_visible": 5}, "n_visible is 5 and there are 4 spins"),
        (4, {"n_visible": 0}, "n_visible must be an integer of at least 1"),
        (4, {"positive_sweeps": 0}, "positive_sweeps must be"),
    ],
)
def test_what_is_no_machine_is_refused(graph: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ri.BoltzmannMachine(graph, **options)


def test_a_large_thin_graph_is_kept_sparse() -> None:
    thin = ri.BoltzmannMachine(nx.cycle_graph(200), seed=0, weight_std=0.5)
    assert isinstance(thin.ising().couplings, ri.Sparse)
    states = np.random.default_rng(0).choice([-1, 1], size=(5, 200))
    expected = -np.einsum(
        "re,e->r", states[:, thin.edges[:, 0]] * states[:, thin.edges[:, 1]], thin.couplings
    )
    np.testing.assert_allclose(thin.ising().energies(states), expected, rtol=1e-5, atol=1e-4)
    assert isinstance(ri.BoltzmannMachine(65).ising().couplings, ri.Dense)


def test_exact_averages_of_a_chain_of_28_spins() -> None:
    """Without fields <s_i s_j> is the product of tanh J along the way, here with one edge of coupling 0.

    More than 26 spins are enumerated as the two sides of a graph without odd cycles. The edges (0, 2), of
    two spins of one side, and (4, 5) have no coupling, and their products are needed all the same.
    """
    edges = [[i, i + 1] for i in range(27)] + [[0, 2]]
    model = ri.BoltzmannMachine({"nodes": 28, "edges": edges}, n_visible=20, dtype=np.float64)
    couplings = np.random.default_rng(0).normal(size=28)
    couplings[(model.edges == [0, 2]).all(axis=1)] = 0.0
    couplings[(model.edges == [4, 5]).all(axis=1)] = 0.0
    model.couplings[:] = couplings
    found = ri.ExactExpectation().statistics(model, np.ones((1, 28)), np.random.default_rng(0))
    tanh = np.tanh(couplings)
    by_edge = {tuple(edge): value for edge, value in zip(model.edges.tolist(), tanh, strict=True)}
    expected = [tanh[place] for place in range(28)]
    expected[model.edges.tolist().index([0, 2])] = by_edge[0, 1] * by_edge[1, 2]
    np.testing.assert_allclose(found.pairs(*model.edges.T), expected, atol=1e-9)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)


def test_biases_are_couplings_to_a_clamped_spin() -> None:
    model = hidden_pattern_boltzmann_machine()
    p = model.parameters
    larger = ri.PatternBoltzmannMachine(8, 2, 5, scale=1.3, dtype=np.float64)
    larger.patterns[...] = np.hstack([p["clamp"][:, None], p["patterns"]])
    part, free = larger.ising().clamp([1, 0, 0, 0, 0, 0, 0, 0])
    states = all_states(7)
    np.testing.assert_array_equal(free, np.arange(1, 8))
    np.testing.assert_allclose(part.energies(states), model.ising().energies(states), atol=1e-12)
    np.testing.assert_array_equal(model.states(), np.sign(p["patterns"]) * np.sign(p["clamp"])[:, None])


def test_patterns_without_biases_stay_symmetric() -> None:
    model = pattern_boltzmann_machine()
    ri.train(model, SYMMETRIC, negative_phase="exact", epochs=20, seed=0, progress=False)
    law = joint(model).sum(axis=1)
    np.testing.assert_allclose(law, law[::-1], rtol=1e-12)


def test_free_biases_of_a_symmetric_machine_have_no_gradient() -> None:
    """With data closed under negation and exact averages of both phases."""
    model = hidden_boltzmann_machine()
    model.biases[:] = 0
    negative = ri.ExactExpectation().statistics(model, SYMMETRIC.astype(float), np.random.default_rng(0))
    gradient = model.gradient(exact_positive(model, SYMMETRIC), negative)
    np.testing.assert_allclose(gradient["biases"], 0, atol=1e-12)
    assert np.abs(gradient["couplings"]).max() > 0.01


def test_unknown_spins_are_drawn_before_those_that_are_known() -> None:
    """One step from a known spin and two unknown ones, all tied to it, keeps it."""
    model = ri.BoltzmannMachine(3, n_visible=2, dtype=np.float64)
    model.couplings[:] = 9.0
    start = np.tile([1.0, 0.0], (200, 1))
    after = model.gibbs_step(model.chains_at(start), 1.0, np.random.default_rng(0))
    assert (after == 1).all()
    assert ri.hamming_distance(model, np.ones((1, 2)), np.array([True, False]), seed=0) == 0


def test_patterns_never_form_the_couplings() -> None:
    # J would hold 1e10 numbers.
    model = ri.PatternBoltzmannMachine(100_000, 2, seed=0, amplitude=0.01)
    chains = model.gibbs_step(model.states(), 1.0, np.random.default_rng(0))
    statistics = model.statistics(chains)
    assert model.gradient(statistics, statistics)["patterns"].shape == (2, 100_000)
    assert model.ising().energies(chains).shape == (2,)


def test_too_many_hidden_spins_have_no_exact_free_energy() -> None:
    with pytest.raises(ProblemTooLargeError, match="26 spins"):
        ri.BoltzmannMachine(40, n_visible=10, seed=0).free_energy(np.ones((1, 10)))
    large = ri.BoltzmannMachine(200, seed=0, weight_std=0.1)
    images = np.random.default_rng(0).choice([-1, 1], size=(3, 200))
    np.testing.assert_allclose(large.free_energy(images, 0.5), large.ising().energies(images))
    with pytest.raises(InvalidParameterError, match="no limit"):
        large.free_energy(images, 0.0)


def test_a_graph_with_couplings_is_a_machine_and_back() -> None:
    """Edges of coupling 0 are there, and the Ising problem is the one that the graph holds."""
    graph: nx.Graph[str] = nx.cycle_graph("dcba")
    couplings = dict(zip(graph.edges, (1.0, 0.0, -2.0, 0.5), strict=True))
    nx.set_edge_attributes(graph, couplings, "coupling")
    graph.nodes["c"]["field"] = -0.25
    graph.graph["offset"] = 3.0
    model = ri.BoltzmannMachine.from_graph(graph, 3, dtype="float64")
    assert (model.n_visible, model.n_hidden, len(model.edges)) == (3, 1, 4)
    back = model.ising().to_graph(list(graph))
    assert back.graph["offset"] == 0.0
    assert list(model.ising().to_graph()) == [0, 1, 2, 3]
    assert dict(back.nodes(data="field")) == {"d": 0.0, "c": -0.25, "b": 0.0, "a": 0.0}
    assert {frozenset(e): back.edges[e]["coupling"] for e in back.edges} == {
        frozenset(edge): value for edge, value in couplings.items() if value
    }
