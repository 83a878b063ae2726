"""Each limit of a machine, at the limit and beyond it."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from rapid_ising import Capabilities, IsingModel, Sparse
from rapid_ising.errors import CapabilityError, ProblemTooLargeError


def path(*couplings: float, fields: Any = 0.0) -> IsingModel:
    """Return a path of spins with these couplings."""
    n = len(couplings) + 1
    return IsingModel(np.full(n, fields), Sparse(n, range(n - 1), range(1, n), couplings))


LIMITS: list[tuple[Capabilities, IsingModel, IsingModel, str]] = [
    (Capabilities(max_variables=2), path(1.0), path(1.0, 1.0), "holds 2 spins and the problem has 3"),
    (Capabilities(fields=False), path(1.0), path(1.0, fields=0.1), "no fields and the problem has 2"),
    (Capabilities(field_range=(-2, 4)), path(1.0, fields=4), path(1.0, fields=4.5), "fields from -2 to 4"),
    (Capabilities(field_range=(-2, 4)), path(1.0, fields=-2), path(1.0, fields=-2.5), "has -2.5 to -2.5"),
    (Capabilities(coupling_range=(-1, 2)), path(-1, 2), path(-1, 2.5), "couplings from -1 to 2"),
    (Capabilities(coupling_range=(-1, 2)), path(), path(-1.5), "scale the problem"),
    (Capabilities(integer_coefficients=True), path(3, -2, fields=1), path(0.5), "whole-number couplings"),
    (Capabilities(integer_coefficients=True), path(3), path(3, fields=0.5), "whole-number fields"),
    (
        Capabilities(topology=nx.Graph([(0, 1), (0, 2)])),
        path(1),
        path(1, 1),
        "no coupler between spins 1 and 2",
    ),
]


@pytest.mark.parametrize(("facts", "within", "beyond", "message"), LIMITS)
def test_limits(facts: Capabilities, within: IsingModel, beyond: IsingModel, message: str) -> None:
    facts.check("demo", within, 1)
    with pytest.raises((CapabilityError, ProblemTooLargeError), match=f"demo .*{message}"):
        facts.check("demo", beyond, 1)
    Capabilities().check("demo", beyond, 10**9)


def test_the_reads_of_a_call() -> None:
    facts = Capabilities(max_reads=10)
    facts.check("demo", path(1.0), 10)
    with pytest.raises(CapabilityError, match="at most 10 reads a call and 11 were asked"):
        facts.check("demo", path(1.0), 11)


def test_the_graph_is_in_the_labels_of_the_asker() -> None:
    facts = Capabilities(topology=nx.Graph([("a", "b"), ("b", 7)]))
    facts.check("demo", path(1, 1), 1, ["a", "b", 7])
    with pytest.raises(CapabilityError, match="between spins 'a' and 7"):
        facts.check("demo", path(1, 1), 1, ["b", "a", 7])


def test_a_spin_outside_the_graph_is_refused() -> None:
    """Also one without a coupling: it would be silently dropped."""
    facts = Capabilities(topology=nx.path_graph(2))
    with pytest.raises(CapabilityError, match="no spin 2"):
        facts.check("demo", path(1.0, 0.0), 1)


def test_the_row_of_the_table() -> None:
    free, bound = (
        Capabilities().row(),
        Capabilities(
            max_variables=8,
            topology=nx.path_graph(8),
            field_range=(-2, 2),
            coupling_range=(-1, 1),
            integer_coefficients=True,
            temperature="none",
            returns="distinct",
            max_reads=100,
            seedable=False,
            remote=True,
            initial_states=True,
            exact=True,
        ).row(),
    )
    assert free.keys() == bound.keys()
    assert list(free.values()) == (
        ["any", "complete", "real", "real", "settable", "multiset", "any", "yes", "no", "no", "local"]
    )
    assert list(bound.values()) == (
        ["8", "sparse", "integer -1 to 1", "-2 to 2", "none", "distinct", "100", "no", "yes", "yes", "remote"]
    )
    assert Capabilities(fields=False).row()["fields"] == "no"
