"""Each structure of couplings against the sum written out pair by pair."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_ising import Bipartite, Couplings, Dense, IsingModel, Layered, Patterns, Sparse
from rapid_ising.errors import InvalidParameterError, InvalidProblemError

Case = tuple[Couplings, np.ndarray[Any, Any]]
KINDS = ("dense", "sparse", "bipartite", "layered", "patterns", "layered patterns")


def build(kind: str, seed: int, dtype: type[np.floating[Any]]) -> Case:
    """Return couplings of a kind and the matrix that they stand for, filled pair by pair."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0 if kind == "dense" else 1, 8))
    truth = np.zeros((n, n))
    pairs = list(itertools.combinations(range(n), 2))
    couplings: Couplings
    if kind == "dense":
        for i, j in pairs:
            truth[i, j] = truth[j, i] = rng.normal()
        couplings = Dense(truth.astype(dtype))
    elif kind == "sparse":
        # With repeated pairs, in both orders.
        chosen = [pairs[k][:: rng.choice([-1, 1])] for k in rng.integers(len(pairs), size=n)] if pairs else []
        values = rng.normal(size=len(chosen)).astype(dtype)
        for (i, j), value in zip(chosen, values, strict=True):
            truth[i, j] += value
            truth[j, i] += value
        couplings = Sparse(n, [i for i, _ in chosen], [j for _, j in chosen], values)
    elif kind == "bipartite":
        first = int(rng.integers(0, n + 1))
        block = rng.normal(size=(first, n - first)).astype(dtype)
        for i, j in np.ndindex(*block.shape):
            truth[i, first + j] = truth[first + j, i] = block[i, j]
        couplings = Bipartite(block)
    elif kind == "layered":
        bounds = [0, *np.sort(rng.integers(0, n + 1, size=2)).tolist(), n]
        layer = np.searchsorted(bounds[1:], np.arange(n), side="right")
        for i, j in pairs:
            if layer[j] - layer[i] == 1:
                truth[i, j] = truth[j, i] = rng.normal()
        blocks = [truth[a:b, b:c] for a, b, c in zip(bounds, bounds[1:], bounds[2:], strict=False)]
        couplings = Layered([block.astype(dtype) for block in blocks])
    else:
        patterns = rng.normal(size=(int(rng.integers(0, 4)), n)).astype(dtype)
        cuts = np.sort(rng.integers(0, n + 1, size=2))
        layers = tuple(np.diff([0, *cuts, n]).tolist()) if kind == "layered patterns" else None
        layer = np.repeat(np.arange(3), layers) if layers else np.arange(n)
        for i, j in pairs:
            if layers is None or abs(int(layer[i]) - int(layer[j])) == 1:
                truth[i, j] = truth[j, i] = -0.7 * sum(xi[i] * xi[j] for xi in patterns)
        couplings = Patterns(patterns, -0.7, layers)
    return couplings, truth


def cases() -> st.SearchStrategy[Case]:
    return st.builds(
        build, st.sampled_from(KINDS), st.integers(0, 2**32), st.sampled_from([np.float32, np.float64])
    )


def close(first: Any, second: Any, dtype: Any) -> None:
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance)


@given(cases(), st.integers(0, 2**32))
def test_products_and_energies(case: Case, seed: int) -> None:
    couplings, truth = case
    n = couplings.num_variables
    states = np.random.default_rng(seed).choice([-1.0, 1.0], size=(5, n)).astype(couplings.dtype)
    energies = [sum(truth[i, j] * s[i] * s[j] for i in range(n) for j in range(i)) for s in states]
    fields = [[sum(truth[i, j] * s[j] for j in range(n)) for i in range(n)] for s in states]
    close(couplings.energies(states), energies, couplings.dtype)
    close(couplings.dot(states), np.reshape(fields, (5, n)), couplings.dtype)
    assert couplings.energies(states).dtype == np.float64
    assert couplings.dot(states).dtype == couplings.dtype


@given(cases(), st.integers(0, 2**32))
def test_parts(case: Case, seed: int) -> None:
    couplings, truth = case
    n = couplings.num_variables
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(n, size=rng.integers(0, 6) if n else 0) for _ in range(2))
    close(couplings.submatrix(rows, columns), truth[np.ix_(rows, columns)], couplings.dtype)
    close(couplings.to_dense(), truth, couplings.dtype)
    kept = np.flatnonzero(rng.integers(2, size=n))
    part = couplings.restricted(kept)
    assert type(part) is type(couplings)
    assert part.num_variables == len(kept)
    close(part.to_dense(), truth[np.ix_(kept, kept)], couplings.dtype)
    close(couplings.scaled(-2.5).to_dense(), -2.5 * truth, couplings.dtype)
    assert couplings.scaled(-2.5).dtype == couplings.dtype


@given(cases())
def test_triplets(case: Case) -> None:
    couplings, truth = case
    rows, columns, values = couplings.to_coo()
    assert (rows < columns).all()
    assert values.all()
    assert len({*zip(rows.tolist(), columns.tolist(), strict=True)}) == len(rows)
    rebuilt = np.zeros_like(truth)
    rebuilt[rows, columns] = rebuilt[columns, rows] = values
    close(rebuilt, truth, couplings.dtype)


@given(cases(), st.integers(0, 2**32))
def test_across_layers(case: Case, seed: int) -> None:
    couplings, truth = case
    if couplings.layers is None:
        with pytest.raises(InvalidProblemError, match="layers"):
            couplings.across(np.ones((1, couplings.num_variables)), 0, 1)
        return
    bounds = np.cumsum((0, *couplings.layers))
    rng = np.random.default_rng(seed)
    for source, target in itertools.permutations(range(len(couplings.layers)), 2):
        there, here = slice(*bounds[source : source + 2]), slice(*bounds[target : target + 2])
        states = rng.choice([-1.0, 1.0], size=(3, couplings.layers[source])).astype(couplings.dtype)
        if abs(source - target) == 1:
            close(couplings.across(states, source, target), states @ truth[there, here], couplings.dtype)
        else:
            with pytest.raises(InvalidProblemError, match="not neighbours"):
                couplings.across(states, source, target)


def test_patterns_never_form_a_square() -> None:
    n = 200_000
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], size=(4, n))
    states = rng.choice([-1, 1], size=(2, n)).astype(np.int8)
    tracemalloc.start()
    model = IsingModel(np.zeros(n), Patterns(patterns, -1 / 2))
    energies = model.energies(states)
    part, _ = model.clamp(np.where(np.arange(n) < n // 2, states[0], 0))
    assert model.bipartition() is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, f"{peak / 1e6:.0f} MB, where the patterns take {patterns.nbytes / 1e6:.0f} MB"
    # sum_{i<j} xi_i xi_j s_i s_j = ((xi s)^2 - N) / 2 for each pattern of signs.
    expected = [-0.5 * sum((xi @ s) ** 2 - n for xi in patterns) / 2 for s in states.astype(float)]
    np.testing.assert_allclose(energies, expected, rtol=1e-9)
    np.testing.assert_allclose(part.energies(states[:1, n // 2 :]), energies[:1], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense([[0.0, 1.0]]), "square"),
        (lambda: Dense([[0.0, 1.0], [2.0, 0.0]]), "not symmetric"),
        (lambda: Dense([[0.0, 1.0], [1.0, 3.0]]), "diagonal"),
        (lambda: Dense([[0.0, np.nan], [np.nan, 0.0]]), "finite"),
        (lambda: Dense([[0.0, 1.0], [1.0]]), "ragged"),
        (lambda: Dense([0.0]), "2 dimensions"),
        (lambda: Dense([["a", "b"], ["b", "a"]]), "real numbers"),
        (lambda: Dense([[0, 1j], [1j, 0]]), "real numbers"),
        (lambda: Sparse(2, [0], [0], [1.0]), "itself"),
        (lambda: Sparse(2, [0], [2], [1.0]), "outside 0..1"),
        (lambda: Sparse(2, [-1], [0], [1.0]), "outside 0..1"),
        (lambda: Sparse(2, [0, 1], [1], [1.0]), "as many"),
        (lambda: Sparse(2, [0], [1], [np.inf]), "finite"),
        (lambda: Sparse(2, [0.5], [1], [1.0]), "whole"),
        (lambda: Bipartite([1.0, 2.0]), "2 dimensions"),
        (lambda: Bipartite([[np.nan]]), "finite"),
        (lambda: Patterns([[1.0, np.inf]]), "finite"),
        (lambda: Patterns([[1.0, 1.0]], scale=np.nan), "scale"),
        (lambda: Patterns([[1.0, 1.0]], layers=(1, 2)), "add up to 3"),
        (lambda: Patterns([[1.0, 1.0]], layers=(3, -1)), "layers"),
    ],
)
def test_what_is_no_coupling(make: Any, message: str) -> None:
    with pytest.raises(InvalidProblemError, match=message):
        make()


def test_a_size_that_is_none() -> None:
    with pytest.raises(InvalidParameterError, match="num_variables"):
        Sparse(-1, [], [], [])
