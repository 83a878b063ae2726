"""Embedded and Tiled: models as chains on a machine's graph, held against enumeration and networkx."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
import pytest
from brute_force import all_states
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_ising import (
    Backend,
    Capabilities,
    IsingModel,
    LocalBackend,
    Request,
    enumerate_model,
)
from rapid_ising.couplings import Bipartite, Sparse
from rapid_ising.errors import (
    DeadlineExceededError,
    InvalidParameterError,
    MissingDependencyError,
    ProblemTooLargeError,
)
from rapid_ising.machine import Embedded, Quantized, Scaled, Tiled, on_graph
from rapid_ising.machine.chain_strength import thermal_strength, uniform_torque_compensation
from rapid_ising.machine.clique import clique_chains, largest_clique
from rapid_ising.machine.embedding import Chains
from rapid_ising.machine.embedding_cache import EmbeddingCache, cache_folder
from rapid_ising.machine.find_embedding import Search, Wanted
from rapid_ising.machine.kings_graph import crossing_layers, grid_of, kings_graph, swap_network
from rapid_ising.machine.topology import Topology, topology_of
from rapid_ising.testing import BackendConformance
from rapid_ising.typing import States

graphs = pytest.importorskip("dwave.graphs", reason="needs minorminer")


@final
@dataclasses.dataclass(frozen=True)
class Sparsely(LocalBackend):
    """An exact machine whose couplers are those of a graph."""

    name: ClassVar[str] = "sparsely"
    graph: nx.Graph[Any]
    capabilities: Capabilities = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        facts = Capabilities(topology=self.graph, max_variables=len(self.graph), exact=True)
        object.__setattr__(self, "capabilities", facts)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        law = enumerate_model(request.model, request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


@final
@dataclasses.dataclass(frozen=True)
class Stepped(LocalBackend):
    """Takes whole numbers from -7 to 7 on a graph, answers at random and keeps what it is asked."""

    name: ClassVar[str] = "stepped"
    graph: nx.Graph[Any]
    seen: list[Request] = dataclasses.field(default_factory=list)
    capabilities: Capabilities = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        facts = Capabilities(
            topology=self.graph,
            integer_coefficients=True,
            field_range=(-7.0, 7.0),
            coupling_range=(-7.0, 7.0),
        )
        object.__setattr__(self, "capabilities", facts)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        self.seen.append(request)
        shape = (request.num_reads, request.model.num_variables)
        return (2 * request.rng.integers(2, size=shape) - 1).astype(np.int8), {}


@final
@dataclasses.dataclass(frozen=True)
class Echo(LocalBackend):
    """Returns the initial states, or random ones, of any number of spins on a graph."""

    name: ClassVar[str] = "echo"
    graph: nx.Graph[Any]
    returns: Any = "multiset"
    capabilities: Capabilities = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        facts = Capabilities(topology=self.graph, initial_states=True, returns=self.returns)
        object.__setattr__(self, "capabilities", facts)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        if request.initial_states is not None:
            return request.initial_states, {}
        shape = request.num_reads, request.model.num_variables
        return request.rng.choice(np.array([-1, 1], np.int8), shape), {}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own."""
    monkeypatch.setenv("RAPID_ISING_CACHE", str(tmp_path))
    on_graph._cache.forget()
    return tmp_path / "embeddings"


def random_model(n: int, seed: int = 0, density: float = 1.0) -> IsingModel:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density), 1)
    return IsingModel(rng.normal(size=n), upper + upper.T, offset=0.5)


def hold(chains: list[list[int]], pairs: list[tuple[int, int]], graph: nx.Graph[Any]) -> None:
    """Assert with networkx that chains are disjoint, connected and joined where they must be."""
    nodes = topology_of(graph).nodes
    named = [[nodes[node] for node in chain] for chain in chains]
    every = [node for chain in named for node in chain]
    assert len(set(every)) == len(every)
    for chain in named:
        assert nx.is_connected(graph.subgraph(chain))
    for i, j in pairs:
        assert any(graph.has_edge(u, v) for u in named[i] for v in named[j]), (i, j)


def record(answer: dimod.SampleSet) -> dict[str, Any]:
    stage: dict[str, Any] = answer.info["rapid_ising"]["stages"][-1]
    return stage


def every_pair(n: int) -> list[tuple[int, int]]:
    return [(i, j) for j in range(n) for i in range(j)]


class TestEmbeddedOnChimera(BackendConformance):
    num_reads = 2000

    @pytest.fixture
    def backend(self) -> Backend:
        return Embedded(Sparsely(graphs.chimera_graph(2)))


class TestEmbeddedOnKings(BackendConformance):
    num_reads = 2000

    @pytest.fixture
    def backend(self) -> Backend:
        return Embedded(Sparsely(kings_graph(4, 4)))


class TestTiledOnKings(BackendConformance):
    num_reads = 2000

    @pytest.fixture
    def backend(self) -> Backend:
        return Tiled(Sparsely(kings_graph(5, 4)))


class TestTopology:
    def test_the_digest_is_that_of_the_graph_in_any_order_and_process(self) -> None:
        square = nx.Graph([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")])
        turned = nx.Graph([("d", "c"), ("a", "d"), ("c", "b"), ("b", "a")])
        digest = Topology(square).digest
        assert Topology(turned).digest == digest
        turned.remove_edge("a", "b")
        assert Topology(turned).digest != digest
        code = (
            "import networkx as nx; from rapid_ising.machine.topology import Topology; "
            "print(Topology(nx.cycle_graph('abcd')).digest)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == digest

    def test_a_large_graph_is_read_once(self) -> None:
        graph = graphs.pegasus_graph(8)
        first = topology_of(graph)
        began = time.perf_counter()
        assert topology_of(graph) is first
        assert time.perf_counter() - began < 2e-3

    @settings(max_examples=100)
    @given(st.integers(2, 9), st.integers(0, 2**32))
    def test_coupled_is_has_edge(self, n: int, seed: int) -> None:
        graph = nx.gnp_random_graph(n, 0.4, seed=seed)
        topology = Topology(graph)
        for i, j in every_pair(n):
            ends = np.array([i]), np.array([j])
            assert topology.coupled(*ends)[0] == graph.has_edge(topology.nodes[i], topology.nodes[j])


class TestKingsGraph:
    @pytest.mark.parametrize("n", range(1, 41))
    def test_the_swap_network_couples_every_pair(self, n: int) -> None:
        shape = swap_network(n)
        graph = kings_graph(max(n, 2), max(n - 1, 2))
        index = topology_of(graph).place
        chains = [[index[site] for site in chain] for chain in shape]
        hold(chains, every_pair(n), graph)
        assert sum(map(len, chains)) == (n if n <= 4 else n * (n - 1))

    def test_one_row_less_is_too_few(self) -> None:
        for n in range(5, 12):
            shape = [chain[:-1] for chain in swap_network(n)]
            joined = sum(
                any(max(abs(a - c), abs(b - d)) == 1 for a, b in shape[i] for c, d in shape[j])
                for i, j in every_pair(n)
            )
            assert joined < n * (n - 1) / 2

    @pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 5), (4, 4), (3, 7), (9, 2), (16, 30)])
    def test_layers_cross_on_twice_their_product_of_sites(self, first: int, second: int) -> None:
        shape = crossing_layers(first, second)
        graph = kings_graph(first + second, max(2, first + second - 1))
        index = topology_of(graph).place
        chains = [[index[site] for site in chain] for chain in shape]
        hold(chains, [(i, first + j) for i in range(first) for j in range(second)], graph)
        assert sum(map(len, chains)) == 2 * first * second

    def test_an_rbm_of_a_hundred_hidden_spins_takes_the_map_of_layers_at_once(self) -> None:
        rng = np.random.default_rng(0)
        model = IsingModel(np.zeros(116), Bipartite(rng.normal(size=(16, 100))))
        rows, columns, _ = model.couplings.to_coo()
        # The order of the spins is nobody's promise.
        order = rng.permutation(116)
        wanted = Wanted(116, order[rows], order[columns])
        began = time.monotonic()
        found = Search(timeout=60.0).find(wanted, kings_graph(116, 115))
        assert time.monotonic() - began < 30
        assert found is not None
        assert found.method == "layers"
        hold(found.chains, wanted.pairs, kings_graph(116, 115))
        assert sorted({len(chain) for chain in found.chains}) == [16, 100]

    def test_a_clique_goes_around_defects(self) -> None:
        graph = kings_graph(9, 8)
        graph.remove_node((0, 3))
        graph.remove_edge((8, 0), (7, 1))
        chains = clique_chains(6, graph, 0)
        assert chains is not None
        hold(chains, every_pair(6), graph)

    def test_a_clique_is_turned_where_the_grid_is_high(self) -> None:
        chains = clique_chains(7, kings_graph(6, 7), 0)
        assert chains is not None
        hold(chains, every_pair(7), kings_graph(6, 7))

    @pytest.mark.parametrize(
        ("graph", "size"),
        [
            (kings_graph(6, 5), 6),
            (kings_graph(1, 7), 2),
            (kings_graph(3, 2), 4),
            (graphs.chimera_graph(2), 8),
            (graphs.pegasus_graph(4), 36),
            (nx.cycle_graph(9), 3),
            (nx.empty_graph(4), 1),
        ],
    )
    def test_the_largest_clique(self, graph: nx.Graph[Any], size: int) -> None:
        assert largest_clique(graph) == size

    def test_other_graphs_have_no_grid(self) -> None:
        assert grid_of(topology_of(nx.grid_2d_graph(4, 4))) is None
        assert grid_of(topology_of(nx.cycle_graph(4))) is None


class TestArithmetic:
    @settings(max_examples=300)
    @given(st.integers(2, 5), st.integers(0, 2**32), st.floats(0.1, 4), st.sampled_from([0.0, 0.3, 1.0, 9.0]))
    def test_energies_of_whole_chains_are_the_models(
        self, n: int, seed: int, strength: float, most: float
    ) -> None:
        graph = kings_graph(5, 4)
        chains = Chains(clique_chains(5, graph, 0)[:n], topology_of(graph))  # type: ignore[index]
        model = random_model(n, seed, density=0.8)
        states = all_states(n)
        physical = chains.embed(model, strength, (most, most))
        spread = chains.spread(states)
        # The two are sums of the same few terms in another order: rounding only.
        np.testing.assert_allclose(physical.energies(spread), model.energies(states), atol=1e-9)
        logical, broken = chains.unembed(spread, np.random.default_rng(0))
        assert (logical == states).all()
        assert not broken.any()

    def test_a_bound_puts_fields_and_couplings_on_few_nodes(self) -> None:
        topology = Topology(nx.complete_graph(5))
        model = IsingModel([1.0, -3.0], [[0, 6.0], [6.0, 0]])
        physical = Chains([[0, 1], [2, 3, 4]], topology).embed(model, 7.0, (1.5, 7.0))
        np.testing.assert_allclose(physical.fields, [1, 0, -1.5, -1.5, 0])
        between = physical.couplings.to_dense()[:2, 2:]
        assert np.count_nonzero(between) == 1
        assert between.sum() == 6.0
        # Where one is too small, no more is asked of each than the even share.
        even = Chains([[0, 1], [2, 3, 4]], topology).embed(model, 7.0, (0.1, 0.1))
        np.testing.assert_allclose(even.fields, [0.5, 0.5, -1, -1, -1])

    def test_on_a_machine_with_steps_small_shares_are_not_rounded_to_nothing(self) -> None:
        fields, values = np.array([0.6, -0.5, 0.4, 0.5, -0.6]), np.full((5, 5), -0.5)
        np.fill_diagonal(values, 0)
        machine = Stepped(kings_graph(5, 4))
        Embedded(Scaled(Quantized(machine))).sample(IsingModel(fields, values), seed=0)
        sent = machine.seen[0].model.fields
        assert np.count_nonzero(sent) == 5
        # Spread over a chain of four, .6 is less than half a step.
        assert np.abs(sent).max() < 4
        assert not np.rint(sent / 4).any()

    def test_fields_and_couplings_are_spread_evenly(self) -> None:
        topology = Topology(nx.complete_graph(5))
        model = IsingModel([1.0, 3.0], [[0, 6.0], [6.0, 0]])
        physical = Chains([[0, 1], [2, 3, 4]], topology).embed(model, 7.0)
        np.testing.assert_allclose(physical.fields, [0.5, 0.5, 1, 1, 1])
        expected = np.full((5, 5), 1.0)
        expected[:2, :2] = expected[2:, 2:] = -7.0
        np.fill_diagonal(expected, 0)
        np.testing.assert_allclose(physical.couplings.to_dense(), expected)

    def test_only_couplers_of_the_graph_are_used(self) -> None:
        graph = graphs.chimera_graph(2)
        backend = Embedded(Echo(graph))
        sent: list[Request] = []
        model = random_model(7)
        request = backend._request(model, 1, 1.0, 0, None, None)
        sent.append(backend._encode(request)[0])
        rows, columns, _ = sent[0].model.couplings.to_coo()
        assert all(
            graph.has_edge(sent[0].variables[i], sent[0].variables[j])
            for i, j in zip(rows, columns, strict=True)
        )

    def test_the_ground_state_is_the_models(self) -> None:
        graph = kings_graph(5, 4)
        for seed in range(5):
            model = random_model(5, seed)
            chains = Chains(clique_chains(5, graph, 0), topology_of(graph))  # type: ignore[arg-type]
            physical = chains.embed(model, 2.0 * uniform_torque_compensation(model))
            found = dimod.ExactSolver().sample(model.to_bqm()).first
            law = enumerate_model(physical, math.inf)
            states, _ = chains.unembed(law.sample(1, np.random.default_rng(0)), np.random.default_rng(0))
            assert model.energies(states)[0] == pytest.approx(found.energy)
            assert law.ground_energy == pytest.approx(found.energy)

    def test_majority_and_ties(self) -> None:
        chains = Chains([[0, 1, 2], [3, 4]], Topology(nx.path_graph(5)))
        rows = np.tile(np.array([[1, -1, 1, 1, -1]], np.int8), (2000, 1))
        states, broken = chains.unembed(rows, np.random.default_rng(3))
        assert (states[:, 0] == 1).all()
        assert broken.all()
        # 2000 fair coins: five standard deviations are 5 / sqrt(2000) = 0.11.
        assert abs(states[:, 1].mean()) < 0.11
        again, _ = chains.unembed(rows, np.random.default_rng(3))
        assert (again == states).all()

    @pytest.mark.parametrize(
        ("chains", "message"),
        [([[0], []], "empty"), ([[0, 1], [1]], "share"), ([[0, 2], [1]], "pieces"), ([[0], [9]], "outside")],
    )
    def test_what_is_no_embedding_is_refused(self, chains: list[list[int]], message: str) -> None:
        with pytest.raises(InvalidParameterError, match=message):
            Chains(chains, Topology(nx.path_graph(4)))


class TestChainStrength:
    def test_the_documented_example(self) -> None:
        # The example of dwave.embedding.chain_strength, prefactor 2: 1.224744871391589.
        bqm = dimod.BQM.from_qubo({(0, 0): 1, (1, 1): 1, (2, 3): 2, (1, 2): -2, (0, 3): -2})
        strength = uniform_torque_compensation(IsingModel.from_bqm(bqm), prefactor=2)
        assert strength == pytest.approx(1.224744871391589)

    @pytest.mark.parametrize(("length", "beta"), [(2, 0.3), (4, 1.0), (6, 3.0)])
    def test_heat_breaks_the_share_that_is_stated(self, length: int, beta: float) -> None:
        strength = thermal_strength(length - 1, beta, 0.05)
        path = Chains([list(range(length))], Topology(nx.path_graph(length)))
        physical = path.embed(IsingModel([0.0], [[0.0]]), strength)
        states = all_states(length)
        weights = np.exp(-beta * physical.energies(states))
        whole = np.abs(states.sum(axis=1)) == length
        broken = weights[~whole].sum() / weights.sum()
        # A chain of one coupler breaks just so often, longer ones a little less: the bound adds up.
        assert 0.9 * 0.05 < broken < 0.05 * (1 + 1e-9)

    def test_the_rule_that_is_taken(self) -> None:
        model, machine = random_model(6), Echo(kings_graph(6, 6))
        chains = Chains(clique_chains(6, machine.graph, 0), topology_of(machine.graph))  # type: ignore[arg-type]
        torque = uniform_torque_compensation(model)
        assert Embedded(machine).strength(model, chains, 0.1) == thermal_strength(4, 0.1, 0.01) > torque
        assert Embedded(machine).strength(model, chains, 9.0) == torque
        # The bound holds at the asked beta, also where calibration is what brings a machine to it.
        facts = dataclasses.replace(machine.capabilities, temperature="effective")
        own = Echo(machine.graph)
        object.__setattr__(own, "capabilities", facts)
        assert Embedded(own).strength(model, chains, 0.1) == thermal_strength(4, 0.1, 0.01)
        assert Embedded(machine, prefactor=4.0).strength(model, chains, 9.0) == pytest.approx(
            4 * torque / 1.414
        )
        assert Embedded(machine, chain_strength=3).strength(model, chains, 0.1) == 3
        halved = Embedded(machine, chain_strength=lambda given: given.num_variables / 2)
        assert halved.strength(model, chains, 0.1) == 3

    @pytest.mark.parametrize(
        "options",
        [
            {"chain_strength": -1.0},
            {"prefactor": math.nan},
            {"breaks": 0},
            {"tries": 0},
            {"timeout": 0},
            {"seed": -1},
        ],
    )
    def test_options_out_of_range(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            Embedded(Echo(kings_graph(2, 2)), **options)


class TestMethods:
    def test_labels_that_are_nodes_stay(self) -> None:
        graph = kings_graph(6, 6)
        bqm = dimod.BQM({(1, 1): 0.5, (4, 4): 0}, {((1, 1), (2, 2)): -1.0}, "SPIN")
        answer = Embedded(Echo(graph)).sample(bqm, num_reads=5, seed=0)
        assert record(answer)["method"] == "identity"
        assert record(answer)["nodes"] == 3

    def test_a_part_of_the_graph_is_renamed(self) -> None:
        grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 4))
        rows, columns = np.array(grid.edges).T
        model = IsingModel(np.zeros(16), Sparse(16, rows, columns, np.ones(len(rows))))
        answer = Embedded(Echo(kings_graph(8, 8))).sample(model, num_reads=3, seed=0)
        assert record(answer)["method"] == "relabelled"
        assert record(answer)["nodes"] == 16

    @pytest.mark.parametrize("spins", range(9, 17))
    @pytest.mark.parametrize("family", ["kings", "chimera", "pegasus", "zephyr"])
    def test_cliques(self, family: str, spins: int) -> None:
        graph = {
            "kings": kings_graph(17, 17),
            "chimera": graphs.chimera_graph(5),
            "pegasus": graphs.pegasus_graph(3),
            "zephyr": graphs.zephyr_graph(2),
        }[family]
        backend = Embedded(Echo(graph), cache=False)
        request = backend._request(random_model(spins), 1, 1.0, 0, None, None)
        asked, _ = backend._encode(request)
        rows, columns, _ = asked.model.couplings.to_coo()
        assert all(
            graph.has_edge(asked.variables[i], asked.variables[j]) for i, j in zip(rows, columns, strict=True)
        )
        assert record(backend.sample(random_model(spins), seed=0))["method"] == "clique"

    @settings(max_examples=60)
    @given(st.integers(1, 8), st.integers(0, 2**32), st.floats(0.1, 1))
    def test_any_graph_of_couplings_is_placed(self, n: int, seed: int, density: float) -> None:
        graph = graphs.chimera_graph(3)
        model = random_model(n, seed, density)
        backend = Embedded(Echo(graph), cache=False, timeout=20.0)
        initial = np.random.default_rng(seed).choice([-1, 1], (4, n))
        answer = backend.sample(model, num_reads=4, seed=0, initial_states=initial)
        # What goes in comes out: every chain starts with its spin's value, and none is broken.
        assert (answer.record.sample == initial).all()
        assert record(answer).get("broken_chains", 0.0) == 0.0

    @settings(max_examples=60)
    @given(st.integers(1, 6), st.integers(0, 2**32), st.integers(1, 30))
    def test_tiles_keep_rows_and_their_order(self, n: int, seed: int, reads: int) -> None:
        model = random_model(n, seed, 0.7)
        initial = np.random.default_rng(seed).choice([-1, 1], (reads, n))
        answer = Tiled(Echo(kings_graph(8, 8)), timeout=20.0).sample(
            model, num_reads=reads, seed=0, initial_states=initial
        )
        assert (answer.record.sample == initial).all()
        assert record(answer)["copies"] <= reads

    def test_the_embedding_that_is_given(self) -> None:
        model = dimod.BQM({}, {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 1.0}, "SPIN")
        machine = Echo(nx.cycle_graph(4))
        given_chains = {"a": [0], "b": [1], "c": (2, 3)}
        answer = Embedded(machine, given_chains).sample(model, num_reads=10, seed=0)
        assert record(answer)["method"] == "given"
        assert record(answer)["longest_chain"] == 2
        with pytest.raises(InvalidParameterError, match="share"):
            Embedded(machine, {"a": [0], "b": [0]})
        with pytest.raises(InvalidParameterError, match="not in the graph"):
            Embedded(machine, {"a": [7]})
        with pytest.raises(InvalidParameterError, match="no chain"):
            Embedded(machine, {"a": [0], "b": [1], "d": [2]}).check(model)
        with pytest.raises(InvalidParameterError, match="no coupler"):
            Embedded(machine, {"a": [0], "b": [1], "c": [2]}).check(model)
        with pytest.raises(InvalidParameterError, match="every pair"):
            Embedded("exact", {"a": [0]})

    def test_structures_without_chains_are_kept(self) -> None:
        graph = nx.complete_bipartite_graph(5, 5)
        backend = Embedded(Echo(graph))
        model = IsingModel(np.zeros(6), Bipartite(np.ones((3, 3))))
        asked, _ = backend._encode(backend._request(model, 1, 1.0, 0, None, None))
        assert asked.model is model

    def test_a_machine_without_a_graph_is_passed_through(self) -> None:
        for stage in (Embedded("exact"), Tiled("exact")):
            assert stage.capabilities.exact
            assert record(stage.sample(random_model(3), seed=0))["method"] == "none"

    def test_distinct_states_stay_distinct(self) -> None:
        answer = Embedded(Echo(kings_graph(5, 5), returns="distinct")).sample(
            random_model(5), num_reads=100, seed=0
        )
        rows = answer.record.sample
        assert len(np.unique(rows, axis=0)) == len(rows) <= 32


class TestTooLarge:
    def test_it_says_what_fits_and_what_was_needed(self) -> None:
        backend = Embedded(Echo(kings_graph(5, 5)), timeout=5.0, tries=1)
        with pytest.raises(ProblemTooLargeError, match=r"25 nodes that takes 5 spins.*12 spins with 66"):
            backend.check(random_model(12))
        with pytest.raises(ProblemTooLargeError, match="12 spins"):
            Tiled(Echo(kings_graph(5, 5)), timeout=5.0, tries=1).check(random_model(12))

    def test_a_deadline_that_ends_the_search_is_told_as_such(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def find(search: Search, *_: Any) -> None:
            asked.append(search.timeout)
            time.sleep(search.timeout + 0.01)

        monkeypatch.setattr(Search, "find", find)
        with pytest.raises(DeadlineExceededError, match="echo"):
            Embedded(Echo(kings_graph(5, 5))).sample(random_model(12), deadline=0.1)
        assert asked[0] <= 0.1

    def test_more_spins_than_nodes(self) -> None:
        with pytest.raises(ProblemTooLargeError, match="holds 4 spins"):
            Embedded(Echo(kings_graph(2, 2))).check(IsingModel(np.zeros(5), Sparse(5, [], [], [])))

    def test_minorminer_is_asked_for_by_its_pip_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "minorminer", None)
        monkeypatch.setitem(sys.modules, "minorminer.subgraph", None)
        with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[embedding\]'"):
            Embedded(Echo(nx.cycle_graph(9))).check(random_model(3))
        # The fixed map of a King's graph needs nothing.
        Embedded(Echo(kings_graph(9, 9))).check(random_model(9))


class TestCache:
    def test_a_second_call_reads_and_a_third_remembers(self, folder: Path) -> None:
        backend, model = Embedded(Echo(graphs.pegasus_graph(4))), random_model(20)

        def read() -> tuple[dimod.SampleSet, float]:
            began = time.perf_counter()
            answer = backend.sample(model, num_reads=10, seed=0)
            return answer, time.perf_counter() - began

        first, _ = read()
        remembered, in_memory = read()
        on_graph._cache.forget()
        from_disk, _ = read()
        assert [record(answer)["known"] for answer in (first, remembered, from_disk)] == [False, True, True]
        assert (first.record.sample == from_disk.record.sample).all()
        assert (first.record.sample == remembered.record.sample).all()
        assert len(list(folder.iterdir())) == 1
        # 1 to 2 ms on an idle machine; ten times that may pass on a busy one.
        assert min(in_memory, read()[1], read()[1]) < 0.02

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"\xff", b'{"chains": [[0]], "copies": 1, "method": "clique"}']
        + [
            json.dumps({"chains": c, "copies": 1, "method": "minor"}).encode()
            for c in ([[0], [1], [2], [-3]], [[0], [1], [2], ["x"]], [[0], [1], [2], [3, 10**9]])
        ],
    )
    def test_a_damaged_file_is_written_anew(
        self, folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        backend = Embedded(Echo(nx.cycle_graph("abcdefghi")))
        model = IsingModel(np.zeros(4), Sparse(4, [0, 1, 2], [1, 2, 3], [1.0, 1.0, 1.0]))
        backend.check(model)
        (path,) = folder.iterdir()
        whole = path.read_bytes()
        path.write_bytes(content)
        on_graph._cache.forget()
        with caplog.at_level(logging.WARNING):
            backend.check(model)
        assert "damaged" in caplog.text
        assert path.read_bytes() == whole

    def test_a_folder_that_cannot_be_written_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        taken = tmp_path / "file"
        taken.write_text("no folder")
        monkeypatch.setenv("RAPID_ISING_CACHE", str(taken))
        with caplog.at_level(logging.WARNING):
            Embedded(Echo(nx.cycle_graph(9))).check(random_model(3))
        assert "not kept" in caplog.text

    def test_without_a_cache_nothing_is_written(self, folder: Path) -> None:
        backend = Embedded(Echo(nx.cycle_graph(9)), cache=False)
        assert [record(backend.sample(random_model(3), seed=0))["known"] for _ in range(2)] == [False, False]
        assert not folder.exists()

    def test_another_graph_seed_or_stage_is_another_entry(self, folder: Path) -> None:
        model = random_model(3)
        for backend in (
            Embedded(Echo(nx.cycle_graph(9))),
            Embedded(Echo(nx.cycle_graph(10))),
            Embedded(Echo(nx.cycle_graph(9)), seed=1),
            Tiled(Echo(nx.cycle_graph(9))),
            Tiled(Echo(nx.cycle_graph(9)), 2),
        ):
            backend.check(model)
        assert len(list(folder.iterdir())) == 5

    def test_the_last_ones_stay_in_memory(self) -> None:
        cache: EmbeddingCache[int] = EmbeddingCache()
        for key in range(100):
            assert cache.get(str(key), int, lambda key=key: key) == (key, False)  # type: ignore[misc]
        assert len(cache._memory) == 32

    @pytest.mark.parametrize(
        ("platform", "variables", "expected"),
        [
            ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/rapid-ising"),
            ("linux", {}, "/home/me/.cache/rapid-ising"),
            ("darwin", {}, "/home/me/Library/Caches/rapid-ising"),
            ("win32", {"LOCALAPPDATA": "/local"}, "/local/rapid-ising"),
        ],
    )
    def test_the_folder_is_the_platforms(
        self, monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
    ) -> None:
        for name in ("RAPID_ISING_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
        assert cache_folder() == Path(expected)


class TestTiled:
    @pytest.mark.parametrize(
        ("graph", "spins", "fewest"),
        [
            # 5 x 4 windows of a 20 x 20 grid; 2 x 2 blocks of an 8 x 8 grid.
            (kings_graph(20, 20), 5, 20),
            (kings_graph(8, 8), 4, 16),
            # One K_{4,4} cell holds K_4 as chains of at most two.
            (graphs.chimera_graph(4), 4, 16),
            (graphs.pegasus_graph(4), 4, 10),
            (graphs.zephyr_graph(3), 4, 9),
            (nx.grid_2d_graph(6, 6), 3, 4),
        ],
    )
    def test_copies_are_disjoint_and_whole(self, graph: nx.Graph[Any], spins: int, fewest: int) -> None:
        backend = Tiled(Echo(graph))
        model = random_model(spins)
        answer = backend.sample(model, num_reads=1001, seed=0)
        assert len(answer) == 1001
        copies = record(answer)["copies"]
        assert copies >= fewest
        asked, _ = backend._encode(backend._request(model, 1001, 1.0, 0, None, None))
        assert asked.num_reads == -(-1001 // copies)
        assert len(set(asked.variables)) == len(asked.variables)
        # The machine itself refuses what is no coupler.
        backend.inner.capabilities.check("echo", asked.model, 1, asked.variables)

    def test_copies_are_at_most_those_asked(self) -> None:
        backend = Tiled(Echo(kings_graph(8, 8)), 3)
        assert record(backend.sample(random_model(4), num_reads=10, seed=0))["copies"] == 3
        assert record(backend.sample(random_model(4), num_reads=2, seed=0))["copies"] == 2

    def test_a_defect_costs_the_copies_around_it(self) -> None:
        graph = kings_graph(8, 8)
        graph.remove_node((0, 0))
        backend = Tiled(Echo(graph))
        assert 12 <= record(backend.sample(random_model(4), num_reads=99, seed=0))["copies"] <= 15
