"""The Ising model against dimod, against loops, and against what is no Ising model."""

from __future__ import annotations

import itertools
from typing import Any

import dimod
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_ising import Bipartite, Couplings, Dense, IsingModel, Patterns, Sparse
from rapid_ising.errors import InvalidDataError, InvalidProblemError
from rapid_ising.ising import canonical_variables

SEEDS = st.integers(0, 2**32)


def all_states(n: int) -> np.ndarray[Any, Any]:
    return np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8).reshape(2**n, n)


def random_model(kind: type[Couplings], seed: int) -> IsingModel:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    matrix = np.triu(rng.normal(size=(n, n)) * rng.integers(2, size=(n, n)), 1)
    rows, columns = np.nonzero(matrix)
    couplings: dict[type[Couplings], Couplings] = {
        Dense: Dense(matrix + matrix.T),
        Sparse: Sparse(n, rows, columns, matrix[rows, columns]),
        Bipartite: Bipartite(rng.normal(size=(1, n - 1))),
        Patterns: Patterns(rng.normal(size=(2, n)), -0.5),
    }
    return IsingModel(rng.normal(size=n), couplings[kind], float(rng.normal()))


KINDS = st.sampled_from([Dense, Sparse, Bipartite, Patterns])


@given(KINDS, SEEDS, st.sampled_from([dimod.SPIN, dimod.BINARY]))
def test_to_bqm_keeps_the_energies(kind: type[Couplings], seed: int, vartype: dimod.Vartype) -> None:
    model = random_model(kind, seed)
    labels = [f"v{9 - i}" for i in range(model.num_variables)]
    states = all_states(model.num_variables)
    values = states if vartype is dimod.SPIN else (states + 1) // 2
    bqm = model.to_bqm(vartype, labels)
    assert bqm.vartype is vartype
    np.testing.assert_allclose(bqm.energies((values, labels)), model.energies(states), atol=1e-9)
    unlabelled = model.to_bqm(vartype)
    np.testing.assert_allclose(
        unlabelled.energies((values, range(len(labels)))), model.energies(states), atol=1e-9
    )


@pytest.mark.parametrize("kind", [dimod.Float64BQM, dimod.Float32BQM, dimod.DictBQM])
@pytest.mark.parametrize("n", [0, 1, 5, 70])
@pytest.mark.parametrize("vartype", [dimod.SPIN, dimod.BINARY])
def test_from_bqm_keeps_the_energies(vartype: dimod.Vartype, n: int, kind: Any) -> None:
    rng = np.random.default_rng(n)
    bqm = kind(vartype)
    # Inserted backwards; 70 variables on a ring are sparse.
    for i in range(n)[::-1]:
        bqm.add_variable((i, "x"), rng.normal())
    for i in range(n if n > 2 else 0):
        bqm.add_interaction((i, "x"), ((i + 1) % n, "x"), rng.normal())
    bqm.offset = 0.75
    model = IsingModel.from_bqm(bqm)
    assert isinstance(model.couplings, Sparse if n == 70 else Dense)
    states = rng.choice([-1, 1], size=(20, n)).astype(np.int8)
    values = states if vartype is dimod.SPIN else (states + 1) // 2
    labels = sorted(bqm.variables)
    expected = bqm.energies((values, labels)) if n else np.full(20, 0.75)
    np.testing.assert_allclose(
        model.energies(states), np.asarray(expected, dtype=float), rtol=1e-4, atol=1e-4
    )


def test_canonical_variables() -> None:
    bqm = dimod.BinaryQuadraticModel({"b": 1.0, "a": 1.0}, {}, "SPIN")
    assert canonical_variables(bqm) == ["a", "b"]
    bqm.add_linear(3, 1.0)
    assert canonical_variables(bqm) == ["b", "a", 3]


@given(KINDS, SEEDS)
def test_clamped_spins_leave_the_energies(kind: type[Couplings], seed: int) -> None:
    model = random_model(kind, seed)
    n = model.num_variables
    values = np.random.default_rng(seed).integers(-1, 2, size=n)
    part, free = model.clamp(values)
    assert free.tolist() == [i for i in range(n) if values[i] == 0]
    states = np.tile(values.astype(np.int8), (2 ** len(free), 1))
    states[:, free] = all_states(len(free))
    np.testing.assert_allclose(part.energies(all_states(len(free))), model.energies(states), atol=1e-9)


@given(KINDS, SEEDS)
def test_local_fields_are_energy_differences(kind: type[Couplings], seed: int) -> None:
    model = random_model(kind, seed)
    states = all_states(model.num_variables)
    for i in range(model.num_variables):
        flipped = states.copy()
        flipped[:, i] *= -1
        change = model.energies(flipped) - model.energies(states)
        np.testing.assert_allclose(change, -2 * states[:, i] * model.local_fields(states)[:, i], atol=1e-9)
    np.testing.assert_allclose(model.scaled(-3.0).energies(states), -3 * model.energies(states), atol=1e-9)


@given(st.integers(1, 12), st.floats(0.05, 0.4), st.booleans(), SEEDS)
def test_bipartition(n: int, density: float, odd: bool, seed: int) -> None:
    """Two layers are found just when networkx finds them, and hold the same model."""
    rng = np.random.default_rng(seed)
    side = rng.integers(2, size=n)
    edges = [(i, j) for i, j in itertools.combinations(range(n), 2) if rng.random() < density]
    if not odd:
        edges = [(i, j) for i, j in edges if side[i] != side[j]]
    graph = nx.Graph(edges)
    couplings = Sparse(n, [i for i, _ in edges], [j for _, j in edges], rng.normal(size=len(edges)))
    model = IsingModel(rng.normal(size=n), couplings, 0.5)
    split = model.bipartition()
    assert (split is not None) == nx.is_bipartite(graph)
    if split is not None:
        layered, order = split
        assert sorted(order.tolist()) == list(range(n))
        assert isinstance(layered.couplings, Bipartite)
        states = rng.choice([-1, 1], size=(20, n)).astype(np.int8)
        np.testing.assert_allclose(layered.energies(states[:, order]), model.energies(states), atol=1e-9)


def test_odd_and_even_rings() -> None:
    for n in (3, 4, 5, 100, 101):
        ring = IsingModel(np.zeros(n), Sparse(n, range(n), [*range(1, n), 0], np.ones(n)))
        assert (ring.bipartition() is not None) == (n % 2 == 0)
    assert IsingModel([1.0], [[0.0]]).bipartition() is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, np.nan], np.zeros((2, 2))), "fields has nan"),
        (([0.0, np.inf], np.zeros((2, 2))), "finite"),
        (([[0.0], [0.0, 1.0]], np.zeros((2, 2))), "ragged"),
        ((["up"], np.zeros((1, 1))), "real numbers"),
        (([[1.0]], np.zeros((1, 1))), "1 dimensions"),
        (([1.0], np.zeros((2, 2))), "do not fit"),
        (([1.0], [[0.0]], np.nan), "offset"),
        (([1.0], [[0.0]], "none"), "offset"),
    ],
)
def test_what_is_no_model(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidProblemError, match=message):
        IsingModel(*arguments)


@pytest.mark.parametrize("values", [[0], [0, 2], [0.5, 1], [np.nan, 1], [[0, 1]], ["a", "b"]], ids=repr)
def test_what_cannot_be_clamped(values: Any) -> None:
    with pytest.raises(InvalidProblemError, match="clamped"):
        IsingModel([1.0, 1.0], np.zeros((2, 2))).clamp(values)


def test_what_is_no_state() -> None:
    model = IsingModel([1.0, 1.0], np.zeros((2, 2)))
    for states, message in (([[0, 1]], "bits"), ([[1, 1, 1]], "3 values where 2"), ([[1], [1, 1]], "ragged")):
        with pytest.raises(InvalidDataError, match=message):
            model.energies(states)
    with pytest.raises(InvalidProblemError, match="3 labels"):
        model.to_bqm(variables="abc")
    assert model.energies(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, object])
def test_large_penalties_keep_the_small_energies(dtype: type) -> None:
    """Energies of 0..7 beside penalties of a million, which float32 could not hold together."""
    exact = dimod.generators.combinations(8, 1, strength=1e6)
    for i in range(8):
        exact.add_linear(i, float(i))
    bqm = dimod.BinaryQuadraticModel(exact, dtype=dtype)
    states = 2 * np.eye(8, dtype=np.int8) - 1
    np.testing.assert_allclose(IsingModel.from_bqm(bqm).energies(states), np.arange(8), atol=1e-6)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("labels", [[2, 0, 1], ["b", "a", (1, 2)], [7, "x", 0]])
def test_a_matrix_goes_to_the_labels_that_are_asked_for(vartype: Any, labels: list[Any]) -> None:
    """Also where the labels are numbers of other spins."""
    matrix = np.array([[0.0, 1.0, -2.0], [1.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])
    model = IsingModel([0.5, 0.25, -1.0], matrix, 3.0)
    bqm = model.to_bqm(vartype, labels)
    assert list(bqm.variables) == labels
    expected = dimod.BinaryQuadraticModel(
        dict(zip(labels, model.fields, strict=True)),
        {(labels[0], labels[1]): 1.0, (labels[0], labels[2]): -2.0},
        3.0,
        "SPIN",
    )
    assert bqm.is_almost_equal(expected.change_vartype(vartype, inplace=False))


@given(KINDS, SEEDS)
def test_there_and_back_through_a_graph(kind: type[Couplings], seed: int) -> None:
    model = random_model(kind, seed)
    states = all_states(model.num_variables)
    labels = [(9 - i, "v") for i in range(model.num_variables)]
    graph = model.to_graph(labels, field="h", coupling="J")
    assert list(graph) == labels
    back = IsingModel.from_graph(graph, field="h", coupling="J")
    np.testing.assert_allclose(back.energies(states), model.energies(states), atol=1e-9)


@pytest.mark.parametrize("kind", [Dense, Sparse])
def test_two_spins_of_one_label_are_refused(kind: type[Couplings]) -> None:
    model = random_model(kind, 0)
    labels = ["a", "b", *range(model.num_variables - 3), "b"]
    for convert in (model.to_graph, model.to_bqm):
        with pytest.raises(InvalidProblemError, match="'b' is given to several spins"):
            convert(variables=labels)


def test_a_graph_is_what_dimod_reads_of_it() -> None:
    """Nodes without a field, parallel edges, integers; dimod is the other reader."""
    graph = nx.gnp_random_graph(90, 0.5, seed=1)
    rng = np.random.default_rng(0)
    nx.set_edge_attributes(graph, {edge: int(rng.integers(-3, 4)) for edge in graph.edges}, "bias")
    nx.set_node_attributes(graph, {node: 0.5 * node for node in range(0, 90, 2)}, "bias")
    graph.graph["offset"] = 2.5
    bqm = dimod.from_networkx_graph(graph, "SPIN")
    bqm.offset = 2.5
    states = 2 * rng.integers(2, size=(20, 90)) - 1
    model = IsingModel.from_graph(graph, "bias", "bias")
    np.testing.assert_allclose(model.energies(states), bqm.energies((states, range(90))), atol=1e-9)
    doubled: nx.MultiGraph[int] = nx.MultiGraph([*graph.edges(data=True), *graph.edges(data=True)])
    twice = IsingModel.from_graph(doubled, coupling="bias").couplings
    order = [list(doubled).index(node) for node in graph]
    np.testing.assert_array_equal(twice.to_dense()[np.ix_(order, order)], 2 * model.couplings.to_dense())


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            nx.Graph([("a", "b", {"weight": 1.0})]),
            "between 'a' and 'b' has no attribute 'coupling': it has",
        ),
        (nx.Graph([("a", "b")]), "it has none"),
        (nx.Graph([("a", "a", {"coupling": 1.0})]), "join spin 0 to itself"),
        (nx.Graph([("a", "b", {"coupling": "1"})]), "must hold real numbers"),
        (nx.DiGraph([("a", "b", {"coupling": 1.0})]), r"directed .* give graph\.to_undirected\(\)"),
        (nx.Graph([("a", "b", {"coupling": np.inf})]), "every value must be finite"),
    ],
)
def test_what_is_no_model_in_a_graph(graph: Any, message: str) -> None:
    with pytest.raises(InvalidProblemError, match=message):
        IsingModel.from_graph(graph)


def test_an_empty_graph_is_a_model_of_no_spins() -> None:
    assert IsingModel.from_graph(nx.Graph()).num_variables == 0
    assert IsingModel.from_graph(nx.empty_graph(3)).energies([1, 1, 1]).tolist() == [0.0]
