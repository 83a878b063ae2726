"""The King's graph: a grid in which each site is coupled to its eight neighbours, and its clique map."""

from __future__ import annotations

from typing import Any, final

import networkx as nx
import numpy as np
import numpy.typing as npt

from rapid_ising.machine.topology import Topology
from rapid_ising.typing import Indices

Chain = list[int]
Site = tuple[int, int]


def kings_graph(width: int, height: int) -> nx.Graph[Site]:
    """Return the King's graph of ``width`` x ``height`` sites, its nodes (x, y).

    >>> kings_graph(3, 2).number_of_edges()
    11
    """
    graph: nx.Graph[Site] = nx.Graph()
    sites = [(x, y) for x in range(width) for y in range(height)]
    graph.add_nodes_from(sites)
    for x, y in sites:
        near = ((x + 1, y), (x, y + 1), (x + 1, y + 1), (x + 1, y - 1))
        graph.add_edges_from(((x, y), site) for site in near if site in graph)
    return graph


def swap_network(n: int) -> list[list[Site]]:
    """Return the chains of n spins in n columns and n - 1 rows, so that each two of them are adjacent.

    Row 0 has the spins in order; from each row to the next, neighbours at even places change places, then
    those at odd places, and so on (odd-even transposition). The chain of a spin is its path; the paths of two
    that change places cross on the diagonals of one 2 x 2 block. In the last row all have been neighbours.
    It takes n (n - 1) sites; the map published for these machines takes (n - 1)^2, and so fits one spin more
    on a square. Four spins and fewer are one 2 x 2 block.

    >>> swap_network(3)
    [[(0, 0)], [(1, 0)], [(0, 1)]]
    >>> swap_network(5)[0]
    [(0, 0), (1, 1), (2, 2), (3, 3)]
    """
    if n <= 4:
        return [[(spin % 2, spin // 2)] for spin in range(n)]
    row = list(range(n))
    chains: list[list[Site]] = [[(x, 0)] for x in range(n)]
    for y in range(1, n - 1):
        for x in range((y - 1) % 2, n - 1, 2):
            row[x], row[x + 1] = row[x + 1], row[x]
        for x, spin in enumerate(row):
            chains[spin].append((x, y))
    return chains


def crossing_layers(first: int, second: int) -> list[list[Site]]:
    """Return the chains of two layers of spins, the first layer first, so that each two across are adjacent.

    The lanes of ``swap_network``, but only spins of different layers change places: the last of the first
    layer walks through the whole second one, and one row after it the one before it, and so on. A spin that
    waits takes no sites, so that chains have as many as the other layer has spins: 2 first second in all,
    where the clique takes (first + second)^2.

    >>> crossing_layers(1, 2)
    [[(0, 0), (1, 1)], [(1, 0)], [(2, 1)]]
    """
    walking = [[(i + step, first - 1 - i + step) for step in range(second)] for i in range(first)]
    waiting = [[(first + j - step, j + step) for step in range(first)] for j in range(second)]
    return [*walking, *waiting]


@final
class Grid:
    """Where the nodes of a King's graph lie, and which 2 x 2 blocks have all four sites and six couplers."""

    def __init__(self, topology: Topology, sites: Indices) -> None:
        corner = sites.min(axis=0)
        self.at: Indices = np.full(sites.max(axis=0) - corner + 1, -1, dtype=np.intp)
        """The node at each (x, y), -1 where there is none."""
        x, y = (sites - corner).T
        self.at[x, y] = np.arange(len(topology))
        corners = [self.at[:-1, :-1], self.at[1:, :-1], self.at[:-1, 1:], self.at[1:, 1:]]
        self.blocks = np.logical_and.reduce([corner >= 0 for corner in corners])
        for i in range(4):
            for j in range(i):
                self.blocks &= topology.coupled(corners[i], corners[j])

    def windows(self, width: int, height: int) -> npt.NDArray[np.bool_]:
        """Return at which corners (x, y) a window without a defect starts; sides of two and more."""
        w, h = width - 1, height - 1
        if w > self.blocks.shape[0] or h > self.blocks.shape[1]:
            return np.zeros((0, 0), np.bool_)
        total = np.pad(np.cumsum(np.cumsum(self.blocks, axis=0), axis=1), ((1, 0), (1, 0)))
        sums = total[w:, h:] - total[:-w, h:] - total[w:, :-h] + total[:-w, :-h]
        whole: npt.NDArray[np.bool_] = sums == w * h
        return whole

    def place(self, shape: list[list[Site]], corner: Site) -> list[Chain]:
        """Return the nodes of chains of sites that are moved to ``corner``."""
        x, y = corner
        return [[int(self.at[x + i, y + j]) for i, j in chain] for chain in shape]

    def clique(self, n: int) -> list[Chain] | None:
        """Return the chains of n spins that are all coupled, or None when they do not fit."""
        return self.fitted(swap_network(n))

    def fitted(self, shape: list[list[Site]]) -> list[Chain] | None:
        """Return the nodes of chains of sites, moved to where they fit, or None."""
        for turned in (False, True):
            if turned:
                shape = [[(y, x) for x, y in chain] for chain in shape]
            corners = np.argwhere(self.windows(*extent(shape)))
            if len(corners):
                return self.place(shape, (int(corners[0][0]), int(corners[0][1])))
        return None


def extent(shape: list[list[Site]]) -> Site:
    """Return the width and height of a window around chains of sites, two at least."""
    width, height = np.array([site for chain in shape for site in chain]).max(axis=0) + 1
    return max(2, int(width)), max(2, int(height))


def grid_of(topology: Topology) -> Grid | None:
    """Return the grid of a King's graph, perhaps with sites or couplers missing; None of another graph."""
    nodes: list[Any] = topology.nodes
    if not all(
        isinstance(node, tuple) and len(node) == 2 and all(isinstance(x, int) for x in node) for node in nodes
    ):
        return None
    sites = np.array(nodes, dtype=np.intp).reshape(-1, 2)
    first, second = topology.couplers.T
    if not len(first) or np.abs(sites[first] - sites[second]).max() > 1:
        return None
    # A diagonal tells it from a square lattice, and the area keeps far-apart sites from filling memory.
    spans = sites.max(axis=0) - sites.min(axis=0) + 1
    diagonal = (np.abs(sites[first] - sites[second]).sum(axis=1) == 2).any()
    if not diagonal or int(spans[0]) * int(spans[1]) > 64 * len(nodes) + 1024:
        return None
    return Grid(topology, sites)
