"""Disjoint places for as many copies of a model as a machine's graph holds."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np

from rapid_ising.machine.clique import FAMILIES
from rapid_ising.machine.find_embedding import DENSE, Found, Search, Wanted
from rapid_ising.machine.kings_graph import Grid, Site, extent, grid_of, kings_graph
from rapid_ising.machine.minorminer import parallel_embeddings
from rapid_ising.machine.topology import topology_of
from rapid_ising.progress import Bar

TILE_SECONDS = 5.0
"""The longest search in one tile: what a small graph holds is found at once."""


def find_copies(wanted: Wanted, graph: nx.Graph[Any], search: Search, most: int) -> list[Found]:
    """Return up to ``most`` embeddings that share no node; none when not even one was found.

    On a King's graph one embedding in the smallest window is moved over the grid; on Chimera, Pegasus and
    Zephyr graphs one in the smallest sublattice is moved over the lattice; on any other graph, and where that
    gives nothing, each copy is looked for on the nodes that are left, until none is found.
    """
    topology, end = topology_of(graph), time.monotonic() + search.timeout
    grid = grid_of(topology)
    found: list[Found] = []
    if grid is not None:
        found = list(_moved_over_grid(wanted, grid, search, most))
    elif topology.family in FAMILIES:
        found = _moved_over_lattice(wanted, graph, search, most)
    return found or _one_after_another(wanted, graph, search, most, end)


def _moved_over_grid(wanted: Wanted, grid: Grid, search: Search, most: int) -> Iterator[Found]:
    """Yield one embedding at each window of the grid that has no defect and is still free."""
    tile = _window(wanted, search, min(grid.at.shape))
    if tile is None:
        return
    shape, method = tile
    width, height = extent(shape)
    taken = np.zeros(grid.at.shape, np.bool_)
    copies = 0
    for x, y in np.argwhere(grid.windows(width, height)).tolist():
        if copies < most and not taken[x : x + width, y : y + height].any():
            taken[x : x + width, y : y + height] = True
            copies += 1
            yield Found(grid.place(shape, (x, y)), method)


def _window(wanted: Wanted, search: Search, largest: int) -> tuple[list[list[Site]], Any] | None:
    """Return the sites of an embedding in the smallest square King's graph that is found to hold it."""
    n = wanted.num_variables
    quick = dataclasses.replace(search, tries=1, timeout=min(search.timeout, TILE_SECONDS))
    # All coupled, n spins take n columns: there is nothing to look for in a smaller square.
    smallest = n if n > 4 and wanted.density > DENSE else math.isqrt(n - 1) + 1
    for side in range(max(2, smallest), largest + 1):
        graph = kings_graph(side, side)
        found = quick.find(wanted, graph)
        if found is not None:
            nodes: list[Any] = topology_of(graph).nodes
            sites = np.array([nodes[node] for chain in found.chains for node in chain])
            left, low = sites.min(axis=0).tolist()
            shape = [
                [(nodes[node][0] - left, nodes[node][1] - low) for node in chain] for chain in found.chains
            ]
            return shape, found.method
    return None


def _moved_over_lattice(wanted: Wanted, graph: nx.Graph[Any], search: Search, most: int) -> list[Found]:
    """Return one embedding on every sublattice of the smallest size that is found to hold it."""
    topology = topology_of(graph)
    quick = dataclasses.replace(search, tries=1, timeout=min(search.timeout, TILE_SECONDS))
    source: nx.Graph[int] = nx.Graph(wanted.pairs)
    source.add_nodes_from(range(wanted.num_variables))
    method: Any = "minor"

    def embedder(_: Any, tile: nx.Graph[Any]) -> dict[int, tuple[Any, ...]]:
        nonlocal method
        found = quick.find(wanted, tile)
        if found is None:
            return {}
        method = found.method
        nodes = topology_of(tile).nodes
        return {spin: tuple(nodes[node] for node in chain) for spin, chain in enumerate(found.chains)}

    # A Pegasus graph of one row has no nodes.
    smallest = 2 if topology.family == "pegasus" else 1
    end = time.monotonic() + search.timeout
    for size in range(smallest, max(graph.graph["rows"], graph.graph["columns"]) + 1):
        if time.monotonic() > end:
            break
        placed = parallel_embeddings().find_sublattice_embeddings(
            source,
            graph,
            sublattice_size=size,
            max_num_emb=most,
            use_filter=False,
            use_tile_embedding=True,
            embedder=embedder,
            one_to_iterable=True,
        )
        if placed:
            return [
                Found(
                    [[topology.place[node] for node in one[spin]] for spin in range(wanted.num_variables)],
                    method,
                )
                for one in placed
            ]
    return []


def _one_after_another(
    wanted: Wanted, graph: nx.Graph[Any], search: Search, most: int, end: float
) -> list[Found]:
    """Return embeddings found one by one, each on the nodes that the ones before left."""
    topology = topology_of(graph)
    copies: list[Found] = []
    left: nx.Graph[Any] = nx.Graph(graph)
    with Bar("copies at most", most) as bar:
        while len(copies) < most and (not copies or time.monotonic() < end):
            seconds = max(end - time.monotonic(), TILE_SECONDS)
            rest = topology_of(left)
            found = dataclasses.replace(search, timeout=seconds).find(wanted, left)
            if found is None:
                break
            labels = [[rest.nodes[node] for node in chain] for chain in found.chains]
            placed = [[topology.place[label] for label in chain] for chain in labels]
            copies.append(Found(placed, found.method))
            left = nx.Graph(left)
            left.remove_nodes_from(label for chain in labels for label in chain)
            bar.advance()
    return copies
