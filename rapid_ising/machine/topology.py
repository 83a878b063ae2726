"""A machine's graph as arrays, made once a graph and remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any, final
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np
import numpy.typing as npt

from rapid_ising.typing import Indices


@final
class Topology:
    """The nodes 0..M-1 and the couplers of a graph, in an order that does not depend on how it was built.

    Nodes are sorted where they can be, else by their repr. The graph of a machine is taken as fixed.

    Examples
    --------
    >>> ring = Topology(nx.cycle_graph("dcba"))
    >>> ring.nodes, ring.couplers.tolist()
    (['a', 'b', 'c', 'd'], [[0, 1], [0, 3], [1, 2], [2, 3]])
    >>> ring.coupled(np.array([3, 0]), np.array([0, 2]))
    array([ True, False])
    """

    def __init__(self, graph: nx.Graph[Any]) -> None:
        self.nodes = in_order(graph)
        self.place: dict[Hashable, int] = {node: index for index, node in enumerate(self.nodes)}
        self.family: str | None = graph.graph.get("family")
        ends = np.array(
            [(self.place[u], self.place[v]) for u, v in graph.edges if u != v], dtype=np.intp
        ).reshape(-1, 2)
        self._keys = np.unique(ends.min(axis=1) * len(self.nodes) + ends.max(axis=1))
        self.couplers: Indices = np.stack(np.divmod(self._keys, max(1, len(self.nodes))), axis=1)
        """The two ends of each coupler, the lower first, shape (E, 2), in increasing order."""
        told = hashlib.sha256(repr(self.nodes).encode())
        told.update(self._keys.astype("<i8").tobytes())
        self.digest = told.hexdigest()
        """The same for equal graphs, in any process."""

    def __len__(self) -> int:
        return len(self.nodes)

    def coupled(self, first: Indices, second: Indices) -> npt.NDArray[np.bool_]:
        """Return whether there is a coupler between each two nodes."""
        keys = np.minimum(first, second) * len(self.nodes) + np.maximum(first, second)
        if not len(self._keys):
            return np.zeros(keys.shape, np.bool_)
        found = self._keys[np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)]
        equal: npt.NDArray[np.bool_] = found == keys
        return equal

    def places(self, labels: Sequence[Hashable]) -> Indices | None:
        """Return the index of each label, or None when one is no node."""
        found = [self.place.get(label, -1) for label in labels]
        return None if -1 in found else np.array(found, dtype=np.intp)


_known: WeakKeyDictionary[nx.Graph[Any], Topology] = WeakKeyDictionary()


def topology_of(graph: nx.Graph[Any]) -> Topology:
    """Return the arrays of a graph; they are made once."""
    if graph not in _known:
        _known[graph] = Topology(graph)
    return _known[graph]


def in_order(graph: nx.Graph[Any]) -> list[Hashable]:
    """Return the nodes sorted where they can be, else by their repr."""
    nodes: list[Any] = list(graph)
    try:
        return sorted(nodes)
    except TypeError:
        return sorted(nodes, key=repr)
