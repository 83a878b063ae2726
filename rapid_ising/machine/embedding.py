"""The arithmetic of a minor embedding: each logical spin as a chain of nodes, and back by majority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt
import scipy

from rapid_ising.couplings import Sparse
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.machine.topology import Topology
from rapid_ising.typing import Floats, Indices, Reals, States


@final
class Chains:
    r"""Disjoint connected chains of nodes, one a logical spin, with every coupler among them.

    A field is spread evenly over the chain and a coupling evenly over all couplers between two chains; the
    couplers inside a chain hold it together with -C:

    .. math:: E'(s') = c + \sum_i \frac{h_i}{|c_i|} \sum_{p \in c_i} s'_p
              + \sum_{i<j} \frac{J_{ij}}{m_{ij}} \sum_{pq} s'_p s'_q + C \sum_{pq \in c_i} (1 - s'_p s'_q),

    so that E' = E while no chain is broken, and each violated coupler of a chain costs 2 C. ``embed`` can
    also put them on as few nodes and couplers as a bound allows, since small shares round to nothing.

    Parameters
    ----------
    chains
        The nodes of each logical spin, as indices into ``topology.nodes``.
    topology
        The graph.

    Raises
    ------
    InvalidParameterError
        If a chain is empty or in pieces, or two share a node.

    Notes
    -----
    Choi, Minor-embedding in adiabatic quantum computation, Quantum Inf. Process. 7, 193 (2008).

    Examples
    --------
    >>> import networkx as nx
    >>> square = Topology(nx.cycle_graph(4))
    >>> triangle = Chains([[0], [1], [2, 3]], square)
    >>> model = triangle.embed(IsingModel([0, 0, 1.0], [[0, 1, 1], [1, 0, 1], [1, 1, 0]]), 2.0)
    >>> model.fields, model.energies([1, 1, -1, -1])
    (array([0. , 0. , 0.5, 0.5]), array([-2.]))
    >>> triangle.unembed(np.array([[1, 1, -1, -1]], np.int8), np.random.default_rng())[0]
    array([[ 1,  1, -1]], dtype=int8)
    """

    def __init__(self, chains: Sequence[Sequence[int]], topology: Topology) -> None:
        self.lengths: Indices = np.array([len(chain) for chain in chains], dtype=np.intp)
        self.nodes: Indices = np.array([node for chain in chains for node in chain], dtype=np.intp)
        """The nodes in use, chain after chain: the spins of the physical model."""
        if not self.lengths.all():
            raise InvalidParameterError(f"the chain of spin {int(np.argmin(self.lengths))} is empty")
        if len(self.nodes) and not 0 <= self.nodes.min() <= self.nodes.max() < len(topology):
            raise InvalidParameterError(f"a chain names a node outside 0..{len(topology) - 1}")
        if len(np.unique(self.nodes)) < len(self.nodes):
            raise InvalidParameterError("two chains share a node, or one has a node twice: each is used once")
        self.owner: Indices = np.repeat(np.arange(len(chains)), self.lengths)
        """The logical spin of each node in use."""
        self.starts: Indices = np.cumsum(self.lengths) - self.lengths
        spin = np.full(len(topology), -1, dtype=np.intp)
        spin[self.nodes] = np.arange(len(self.nodes))
        first, second = spin[topology.couplers].T
        used = (first >= 0) & (second >= 0)
        first, second = first[used], second[used]
        inside = self.owner[first] == self.owner[second]
        self._bonds = first[inside], second[inside]
        self._between = first[~inside], second[~inside]
        pairs = self._pair(*(self.owner[end] for end in self._between))
        self._pairs, self._pair_of, self._couplers = np.unique(pairs, return_inverse=True, return_counts=True)
        # The place of each coupler among those of its pair.
        order = np.argsort(self._pair_of, kind="stable")
        self._rank = np.empty(len(order), np.intp)
        before = np.cumsum(self._couplers) - self._couplers
        self._rank[order] = np.arange(len(order)) - before[self._pair_of[order]]
        self._refuse_pieces()

    def _pair(self, i: Indices, j: Indices) -> Indices:
        """Return one number for each pair of logical spins."""
        return np.minimum(i, j) * len(self.lengths) + np.maximum(i, j)

    def _refuse_pieces(self) -> None:
        p = len(self.nodes)
        bonds = scipy.sparse.coo_array((np.ones(len(self._bonds[0])), self._bonds), shape=(p, p))
        number, piece = scipy.sparse.csgraph.connected_components(bonds, directed=False)
        if number > len(self.lengths):
            torn = self.owner[np.flatnonzero(piece != piece[self.starts[self.owner]])[0]]
            raise InvalidParameterError(
                f"the chain of spin {int(torn)} is in pieces: couplers must join its nodes"
            )

    @property
    def longest(self) -> int:
        """The nodes of the longest chain."""
        return int(self.lengths.max(initial=0))

    def first(self, number: int, topology: Topology) -> Chains:
        """Return the first chains alone."""
        parts = np.split(self.nodes, self.starts[1:])[:number]
        return Chains([part.tolist() for part in parts], topology)

    def missing(self, rows: Indices, columns: Indices) -> Indices:
        """Return which of these couplings of logical spins have no coupler between their chains."""
        return np.flatnonzero(~np.isin(self._pair(rows, columns), self._pairs))

    def embed(self, model: IsingModel, strength: float, most: tuple[float, float] = (0, 0)) -> IsingModel:
        """Return the model of the nodes in use; every coupling must have a coupler.

        Parameters
        ----------
        model
            The logical model of as many spins as there are chains.
        strength
            C, in the units of the model's energy.
        most
            The largest field of a node and coupling of a coupler that are no matter: a field or coupling is
            spread over no more of them than that takes. 0 spreads it over all.
        """
        rows, columns, values = model.couplings.to_coo()
        place = np.searchsorted(self._pairs, self._pair(rows, columns))
        whole = np.zeros(len(self._pairs))
        whole[place] = values
        shares, used = fewest(whole, self._couplers, most[1])
        spread = np.where(self._rank < used[self._pair_of], shares[self._pair_of], 0.0).astype(model.dtype)
        kept = spread != 0
        bonds = np.full(len(self._bonds[0]), -strength, model.dtype)
        couplings = Sparse(
            len(self.nodes),
            np.concatenate([self._between[0][kept], self._bonds[0]]),
            np.concatenate([self._between[1][kept], self._bonds[1]]),
            np.concatenate([spread[kept], bonds]),
        )
        shares, used = fewest(model.fields, self.lengths, most[0])
        position = np.arange(len(self.nodes)) - self.starts[self.owner]
        fields = np.where(position < used[self.owner], shares[self.owner], 0.0).astype(model.dtype)
        return IsingModel(fields, couplings, model.offset + strength * len(bonds))

    def spread(self, states: States) -> States:
        """Return states of the nodes in use in which each chain has its logical spin's value."""
        return states[:, self.owner]

    def unembed(self, states: States, rng: np.random.Generator) -> tuple[States, npt.NDArray[np.bool_]]:
        """Return logical states by majority, ties drawn from ``rng``, and which chains were broken.

        Both have shape (reads, N).
        """
        if not len(self.lengths):
            return states, np.zeros(states.shape, np.bool_)
        sums = np.add.reduceat(states, self.starts, axis=1, dtype=np.int32)
        ties = sums == 0
        sums[ties] = rng.choice(np.array([-1, 1]), int(ties.sum()))
        return np.where(sums > 0, 1, -1).astype(np.int8), (np.abs(sums) != self.lengths) | ties


def fewest(values: Floats, places: Indices, most: float) -> tuple[Reals, Indices]:
    """Return each value's share when it is spread over as few of its places as ``most`` allows, and how many.

    >>> fewest(np.array([3.0, -0.5, 9.0]), np.array([4, 4, 2]), 1.0)
    (array([ 1. , -0.5,  4.5]), array([3, 1, 2]))
    """
    whole = values.astype(np.float64)
    if most <= 0:
        return whole / places, places
    needed = np.ceil(np.minimum(np.abs(whole) / most, places)).astype(np.intp)
    used = np.maximum(needed, 1)
    return whole / used, used
