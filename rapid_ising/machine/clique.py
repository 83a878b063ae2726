"""Cliques on a machine's graph: fixed maps, and the largest one that fits."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np

from rapid_ising.machine.kings_graph import crossing_layers, grid_of
from rapid_ising.machine.minorminer import busclique, minorminer
from rapid_ising.machine.topology import Topology, topology_of
from rapid_ising.typing import Indices

FAMILIES = {"chimera", "pegasus", "zephyr"}
"""The graphs of D-Wave's machines, as their generators call them."""
SMALL = 8
"""Cliques up to this size are searched for, and found at once: busclique 0.2.22 runs out of memory on Zephyr
graphs with t < n <= 2 t spins, where t is 4, and on Chimera graphs with up to t."""


def clique_chains(n: int, graph: nx.Graph[Any], seed: int) -> list[list[int]] | None:
    """Return the chains of n spins that are all coupled by the fixed map of the graph.

    None when they do not fit, or when the graph has no such map: a King's graph takes the swap network,
    Chimera, Pegasus and Zephyr graphs take ``minorminer.busclique``.
    """
    topology = topology_of(graph)
    grid = grid_of(topology)
    if grid is not None:
        return grid.clique(n)
    if not _mapped(n, graph):
        return None
    # Its own cache is a folder of pickles; ours is JSON.
    found = busclique().find_clique_embedding(n, graph, seed=seed, use_cache=False)
    return [[topology.place[node] for node in found[spin]] for spin in range(n)] if found else None


def layered_chains(first: Indices, second: Indices, graph: nx.Graph[Any]) -> list[list[int]] | None:
    """Return the chains of two layers of spins, every pair across coupled, by the fixed map of the graph.

    Each layer names its spins, 0..n-1 in all. None when they do not fit, or the graph is no King's graph.
    """
    grid = grid_of(topology_of(graph))
    found = None if grid is None else grid.fitted(crossing_layers(len(first), len(second)))
    if found is None:
        return None
    order = np.argsort(np.concatenate([first, second]))
    return [found[place] for place in order.tolist()]


def largest_clique(graph: nx.Graph[Any], seed: int = 0) -> int:
    """Return the size of the largest clique that the graph's fixed map fits, or else a short search finds.

    >>> from rapid_ising.machine.kings_graph import kings_graph
    >>> largest_clique(kings_graph(6, 6))
    6
    """
    topology = topology_of(graph)
    grid = grid_of(topology)

    def fits(n: int) -> bool:
        if grid is not None:
            return grid.clique(n) is not None
        return bool(clique_chains(n, graph, seed) if _mapped(n, graph) else _searched(n, topology, seed))

    # A clique that fits has all smaller ones inside; n - 1 neighbours and all couplers bound it from above.
    low = min(len(topology), 2 if len(topology.couplers) else 1)
    high = min(len(topology), math.isqrt(2 * len(topology.couplers)) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _mapped(n: int, graph: nx.Graph[Any]) -> bool:
    """Return whether busclique has a map of n spins on the graph."""
    family = graph.graph.get("family")
    # The t of Chimera and Zephyr graphs; Pegasus graphs have always 4, and count otherwise.
    tile = 4 if family == "pegasus" else graph.graph.get("tile", 4)
    return family in FAMILIES and n > max(SMALL, 2 * tile)


def _searched(n: int, topology: Topology, seed: int) -> bool:
    edges = topology.couplers.tolist()
    clique = [(i, j) for i in range(n) for j in range(i)]
    return bool(minorminer().find_embedding(clique, edges, random_seed=seed, tries=1, timeout=1.0))
