"""The Boltzmann machine on any graph, with free couplings and biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, final

import networkx as nx
import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device
from rapid_ising.couplings import SPARSE_BELOW, Dense, Sparse
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import float_type
from rapid_ising.models.graph import GraphModel
from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats, Indices
from rapid_ising.validation import MODEL, Seed, finite, generator, positive_integer


@final
class BoltzmannMachine(GraphModel):
    r"""A Boltzmann machine of spins -1 and +1 on a graph.

    .. math:: E(s) = -\sum_{(i,j)} J_{ij} s_i s_j - \sum_i b_i s_i

    over the edges (i, j) of the graph: a positive J favours equal spins. The Ising problem that it gives to
    machines has dimod's sign, -J and -b. Its parameters are ``couplings`` J (E,), one an edge in the order of
    ``edges``, and ``biases`` b (N,). Ackley, Hinton and Sejnowski, Cognitive Science 9, 147 (1985).

    Parameters
    ----------
    graph
        Which spins are coupled: a networkx graph, whose nodes in order are the spins, or the number N of
        spins of a complete graph. ``{"nodes": N, "edges": [[i, j], ...]}`` does as well.
    n_visible
        How many of the spins are visible, the first ones; left out, all. The others are hidden.
    seed
        Seeds the couplings.
    weight_std
        The standard deviation of the couplings at the start; biases start at 0.
    positive_sweeps
        Sweeps over the hidden spins from unknown ones, with the data held, that make the positive phase.
    dtype
        float32 or float64.
    device
        "cpu" alone: see ``to``.

    Raises
    ------
    InvalidParameterError
        If the graph has no nodes, or an edge from a node to itself.

    Examples
    --------
    >>> BoltzmannMachine(9).n_hidden, BoltzmannMachine(nx.cycle_graph(5), n_visible=3).edges.tolist()
    (0, [[0, 1], [0, 4], [1, 2], [2, 3], [3, 4]])
    """

    name: ClassVar[str] = "boltzmann-machine"

    def __init__(
        self,
        graph: int | nx.Graph[Any] | Mapping[str, Any],
        n_visible: int | None = None,
        *,
        seed: Seed = None,
        weight_std: float = 0.01,
        positive_sweeps: int = 10,
        dtype: npt.DTypeLike = np.float32,
        device: Device = "cpu",
    ) -> None:
        self.to(device)
        spins, self.edges = _spins_and_edges(graph)
        self._set_spins(spins, n_visible, positive_sweeps)
        self.weight_std = finite("weight_std", weight_std, minimum=0)
        self.dtype = float_type(dtype)
        pairs = spins * (spins - 1) // 2
        self._complete = len(self.edges) == pairs
        self._dense = spins <= 64 or len(self.edges) >= SPARSE_BELOW * pairs
        couplings = generator(seed, MODEL).normal(0.0, self.weight_std, len(self.edges))
        self.parameters = {
            "couplings": couplings.astype(self.dtype),
            "biases": np.zeros(spins, self.dtype),
        }

    @classmethod
    def from_graph(
        cls,
        graph: nx.Graph[Any],
        n_visible: int | None = None,
        *,
        field: str = "field",
        coupling: str = "coupling",
        dtype: npt.DTypeLike = np.float32,
    ) -> BoltzmannMachine:
        """Return the machine whose Ising problem a networkx graph holds in its attributes.

        An edge whose coupling is 0 is trained like the others. The graph's offset is not kept: a machine has
        none. ``model.ising().to_graph(list(graph))`` has the fields and couplings on the same nodes, without
        edges whose coupling is 0; without an argument its nodes are 0..N-1.

        Parameters
        ----------
        graph, field, coupling
            As in ``IsingModel.from_graph``, so in dimod's sign, which is opposite to that of the parameters.
        n_visible, dtype
            As of the class.

        Examples
        --------
        >>> graph = nx.Graph()
        >>> graph.add_edge(0, 1, coupling=-2.0)
        >>> BoltzmannMachine.from_graph(graph).couplings
        array([2.], dtype=float32)
        """
        machine = cls(graph, n_visible, weight_std=0.0, dtype=dtype)
        problem = IsingModel.from_graph(graph, field, coupling)
        rows, columns, values = (part.tolist() for part in problem.couplings.to_coo())
        found = dict(zip(zip(rows, columns, strict=True), values, strict=True))
        couplings = [-found.get((i, j), 0.0) for i, j in machine.edges.tolist()]
        machine.set_parameters({"couplings": couplings, "biases": -problem.fields})
        return machine

    @property
    def couplings(self) -> Floats:
        """The couplings J, shape (E,)."""
        return self.parameters["couplings"]

    @property
    def biases(self) -> Floats:
        """The biases b, shape (N,)."""
        return self.parameters["biases"]

    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        """Return <s_i s_j> of the edges and <s_i> of the data less those of the model."""
        rows, columns = self.edges.T
        return {
            "couplings": positive.pairs(rows, columns) - negative.pairs(rows, columns),
            "biases": positive.mean(0) - negative.mean(0),
        }

    def problem(self) -> IsingModel:  # noqa: D102
        rows, columns = self.edges.T
        if not self._dense:
            return IsingModel(-self.biases, Sparse(self.num_spins, rows, columns, -self.couplings))
        matrix = np.zeros((self.num_spins, self.num_spins), self.dtype)
        matrix[rows, columns] = matrix[columns, rows] = -self.couplings
        return IsingModel(-self.biases, Dense(matrix))

    def config(self) -> dict[str, Any]:  # noqa: D102
        return {
            "graph": self.num_spins
            if self._complete
            else {"nodes": self.num_spins, "edges": self.edges.tolist()},
            "n_visible": self.n_visible,
            "weight_std": self.weight_std,
            "positive_sweeps": self.positive_sweeps,
            "dtype": self.dtype.name,
        }


def _spins_and_edges(graph: int | nx.Graph[Any] | Mapping[str, Any]) -> tuple[int, Indices]:
    """Return the number of spins and the edges (i, j) with i < j in order, shape (E, 2)."""
    if isinstance(graph, nx.Graph):
        place = {node: index for index, node in enumerate(graph)}
        nodes, pairs = len(place), [(place[a], place[b]) for a, b in graph.edges()]
    elif isinstance(graph, Mapping):
        nodes, pairs = graph["nodes"], graph["edges"]
    else:
        nodes = positive_integer("graph", graph)
        return nodes, np.stack(np.triu_indices(nodes, k=1), axis=1)
    positive_integer("the number of nodes of graph", nodes)
    ends = np.sort(np.array(pairs, dtype=np.intp).reshape(-1, 2), axis=1)
    if ends.size and (ends.min() < 0 or ends.max() >= nodes):
        raise InvalidParameterError(f"graph has an edge to a node outside 0..{nodes - 1}")
    loops = ends[ends[:, 0] == ends[:, 1]]
    if len(loops):
        raise InvalidParameterError(
            f"graph has an edge from node {loops[0, 0]} to itself, and s * s is a constant: take it out"
        )
    return nodes, np.unique(ends, axis=0)
