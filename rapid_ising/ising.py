"""The Ising model: fields, couplings and an offset, with energies of many states at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, final

import dimod
import networkx as nx
import numpy as np
import numpy.typing as npt
import scipy

from rapid_ising.couplings import Bipartite, Couplings, Dense, Patterns, Sparse, from_pairs, real_array
from rapid_ising.errors import InvalidProblemError
from rapid_ising.typing import Floats, Indices, Reals
from rapid_ising.validation import spins

MAX_BLOCK = 2**26
"""The most entries of a block of couplings that is formed to use that a graph is bipartite."""


@final
class IsingModel:
    r"""An Ising problem of N spins, in dimod's sign.

    .. math:: E(s) = c + \sum_i h_i s_i + \sum_{i<j} J_{ij} s_i s_j, \quad s_i = \pm 1,

    which a machine minimises, or samples from exp(-beta E).

    Parameters
    ----------
    fields
        The fields h, shape (N,).
    couplings
        A ``Couplings`` (Dense, Sparse, Bipartite, Layered, Patterns) of N spins, or a symmetric N x N matrix.
    offset
        The constant c.

    Raises
    ------
    InvalidProblemError
        If a value is not finite or the shapes do not fit.

    Examples
    --------
    >>> model = IsingModel([0.5, 0.0], [[0.0, -1.0], [-1.0, 0.0]])
    >>> model.energies([[1, 1], [-1, -1]])
    array([-0.5, -1.5])
    """

    def __init__(
        self, fields: npt.ArrayLike, couplings: Couplings | npt.ArrayLike, offset: float = 0.0
    ) -> None:
        self.fields = real_array("fields", fields, 1)
        self.couplings = couplings if isinstance(couplings, Couplings) else Dense(couplings)
        self.offset = float(real_array("offset", offset, 0))
        if len(self.fields) != self.couplings.num_variables:
            raise InvalidProblemError(
                f"{len(self.fields)} fields do not fit couplings of {self.couplings.num_variables} spins"
            )

    @property
    def num_variables(self) -> int:
        """The number of spins N."""
        return len(self.fields)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating type of the energies' arithmetic."""
        return np.result_type(self.fields, self.couplings.dtype)

    def __repr__(self) -> str:
        return f"IsingModel({self.num_variables} spins, {type(self.couplings).__name__})"

    def _rows(self, states: npt.ArrayLike) -> Floats:
        return spins("states", states, self.num_variables).astype(self.dtype)

    def energies(self, states: npt.ArrayLike) -> Reals:
        """Return E of each row of ``states``, shape (reads,), in float64."""
        rows = self._rows(states)
        linear = rows @ self.fields.astype(self.dtype)
        energies: Reals = self.offset + linear.astype(np.float64) + self.couplings.energies(rows)
        return energies

    def local_fields(self, states: npt.ArrayLike) -> Floats:
        """Return f_i = h_i + sum_j J_ij s_j for each row; flipping spin i changes E by -2 s_i f_i."""
        return self.couplings.dot(self._rows(states)) + self.fields

    def scaled(self, factor: float) -> IsingModel:
        """Return the model of energy ``factor`` * E."""
        return IsingModel(
            self.fields * self.fields.dtype.type(factor),
            self.couplings.scaled(factor),
            self.offset * factor,
        )

    def astype(self, dtype: npt.DTypeLike) -> IsingModel:
        """Return the model with its fields and couplings in float32 or float64.

        Examples
        --------
        >>> IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]).astype(np.float32).dtype
        dtype('float32')
        """
        return IsingModel(self.fields.astype(dtype), self.couplings.astype(dtype), self.offset)

    def gauged(self, signs: npt.ArrayLike) -> IsingModel:
        """Return the model in which each spin s_i is called ``signs[i]`` * s_i; energies stay with states.

        Examples
        --------
        >>> model = IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]).gauged([1, -1])
        >>> model.energies([1, -1])
        array([-0.5])
        """
        row = np.asarray(signs)
        return IsingModel(
            self.fields * row.astype(self.fields.dtype), self.couplings.gauged(row), self.offset
        )

    def clamp(self, values: npt.ArrayLike) -> tuple[IsingModel, Indices]:
        """Fix some spins and return the model of the others, with their indices.

        Parameters
        ----------
        values
            One number a spin: -1 or +1 fixes it, 0 leaves it free; shape (N,).

        Returns
        -------
        tuple
            The model of the free spins, whose energies equal the whole model's, and the indices of those
            spins in this model.

        Examples
        --------
        >>> part, free = IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]).clamp([0, 1])
        >>> part.fields, part.offset, free
        (array([-0.5]), 0.0, array([0]))
        """
        fixed = np.asarray(values)
        if fixed.shape != (self.num_variables,) or not np.isin(fixed, (-1, 0, 1)).all():
            raise InvalidProblemError(
                f"clamped values must be {self.num_variables} numbers, each -1, +1 or 0 for a free spin"
            )
        free = np.flatnonzero(fixed == 0)
        state = fixed.astype(self.dtype)[np.newaxis]
        fields = self.fields + self.couplings.dot(state)[0]
        offset = self.offset + float(state[0] @ self.fields) + float(self.couplings.energies(state)[0])
        return IsingModel(fields[free], self.couplings.restricted(free), offset), free

    def bipartition(self) -> tuple[IsingModel, Indices] | None:
        """Return an equal model whose couplings have two layers, and the order of its spins.

        Spin n of the result is spin ``order[n]`` of this model. None when the graph of the couplings is not
        bipartite, or so large and thin that the block of the two layers would be mostly zeros.
        """
        layers = self.couplings.layers
        if layers is not None and len(layers) == 2:
            return self, np.arange(self.num_variables)
        if layers is not None:
            return self._odd_and_even(layers)
        if isinstance(self.couplings, Patterns):
            # Patterns couple every pair, and there may be too many pairs to list.
            return None
        n = self.num_variables
        # Two layers have at most n^2 / 4 couplings; a matrix, which has each twice, is counted first.
        if isinstance(self.couplings, Dense) and np.count_nonzero(self.couplings.matrix) > n * n / 2:
            return None
        rows, columns, values = self.couplings.to_coo()
        if len(values) > n * n / 4:
            return None
        # In the double cover, each spin twice and every edge from one copy to the other, the copies of a
        # spin are connected just when the spin lies on an odd cycle.
        cover = scipy.sparse.coo_array(
            (np.ones(2 * len(rows)), (np.r_[rows, columns], np.r_[columns, rows] + n)),
            shape=(2 * n, 2 * n),
        )
        label = scipy.sparse.csgraph.connected_components(cover, directed=False)[1]
        if (label[:n] == label[n:]).any():
            return None
        side = label[:n] > label[n:]
        order = np.argsort(side, kind="stable")
        first = int((~side).sum())
        if first * (n - first) > MAX_BLOCK:
            return None
        place = np.empty_like(order)
        place[order] = np.arange(n)
        block = np.zeros((first, n - first), self.couplings.dtype)
        low, high = np.minimum(place[rows], place[columns]), np.maximum(place[rows], place[columns])
        block[low, high - first] = values
        return IsingModel(self.fields[order], Bipartite(block), self.offset), order

    def _odd_and_even(self, layers: tuple[int, ...]) -> tuple[IsingModel, Indices] | None:
        """Return the even layers as the first layer of two and the odd ones as the second."""
        odd = np.repeat(np.arange(len(layers)) % 2 == 1, layers)
        first, second = np.flatnonzero(~odd), np.flatnonzero(odd)
        if len(first) * len(second) > MAX_BLOCK:
            return None
        order = np.concatenate([first, second])
        block = Bipartite(self.couplings.submatrix(first, second))
        return IsingModel(self.fields[order], block, self.offset), order

    @classmethod
    def from_bqm(cls, bqm: dimod.BinaryQuadraticModel) -> IsingModel:
        """Return the model of ``bqm``, its spins in the order of ``canonical_variables(bqm)``.

        Binary variables x become spins s = 2x - 1 of the same energy.

        Examples
        --------
        >>> bqm = dimod.BinaryQuadraticModel({"a": 1.0}, {("a", "b"): 2.0}, 0.0, "BINARY")
        >>> model = IsingModel.from_bqm(bqm)
        >>> model.fields, model.offset
        (array([1. , 0.5]), 1.0)
        """
        try:
            # In float32 the change of variables would lose energies beside large penalties.
            bqm = bqm if bqm.dtype == np.float64 else dimod.BinaryQuadraticModel(bqm, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidProblemError(f"the coefficients of the BQM are not real numbers: {error}") from error
        spin = bqm if bqm.vartype is dimod.SPIN else bqm.change_vartype(dimod.SPIN, inplace=False)
        # dimod's annotation forgets that labels are returned only on request.
        vectors: Any = spin.to_numpy_vectors(variable_order=canonical_variables(bqm))
        fields, (rows, columns, values), offset = vectors
        return cls(fields, from_pairs(len(fields), rows, columns, values), float(offset))

    def to_bqm(
        self,
        vartype: dimod.Vartype | dimod.typing.VartypeLike = "SPIN",
        variables: Sequence[Hashable] | None = None,
    ) -> dimod.BinaryQuadraticModel:
        """Return the model as a BQM of ``vartype``, built from arrays.

        Its variables are 0..N-1, or ``variables``.

        Raises
        ------
        InvalidProblemError
            If ``variables`` are not N labels, each another.

        Examples
        --------
        >>> IsingModel([1.0, 0.0], [[0, 2], [2, 0]]).to_bqm().quadratic
        {(1, 0): 2.0}
        """
        numbers, labels = self._labels(None), self._labels(variables)
        if isinstance(self.couplings, Dense):
            # dimod reads a whole matrix three times faster than its nonzero triplets, and adds both halves.
            bqm = dimod.BinaryQuadraticModel(
                self.fields, self.couplings.matrix * self.couplings.dtype.type(0.5), self.offset, dimod.SPIN
            )
            if labels != numbers:
                bqm.relabel_variables(dict(zip(numbers, labels, strict=True)))
        else:
            rows, columns, values = self.couplings.to_coo()
            bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
                self.fields, (rows, columns, values), self.offset, dimod.SPIN, variable_order=labels
            )
        # dimod annotates only literals, not a variable of type Vartype.
        wanted = dimod.as_vartype(vartype)  # type: ignore[arg-type]
        return bqm if wanted is dimod.SPIN else bqm.change_vartype(wanted, inplace=False)

    @classmethod
    def from_graph(cls, graph: nx.Graph[Any], field: str = "field", coupling: str = "coupling") -> IsingModel:
        """Return the model that a networkx graph holds, its spins in the order of the nodes.

        Parameters
        ----------
        graph
            The graph. Edges between the same two nodes add up; ``graph.graph["offset"]`` is the offset.
        field, coupling
            The names of the attributes: of nodes h_i, 0 where a node has none, and of edges J_ij, in dimod's
            sign.

        Raises
        ------
        InvalidProblemError
            If an edge has no such attribute, or joins a node to itself, or a value is no finite number; or if
            the graph is directed.

        Examples
        --------
        >>> graph = nx.Graph()
        >>> graph.add_node("a", field=0.5)
        >>> graph.add_edge("a", "b", coupling=-1.0)
        >>> IsingModel.from_graph(graph).energies([1, 1])
        array([-0.5])
        """
        if graph.is_directed():
            raise InvalidProblemError(
                "the graph is directed and couplings are not: an edge back would be another coupling or the "
                "same one; give graph.to_undirected(), which keeps one of the two"
            )
        place = {node: index for index, node in enumerate(graph)}
        ends = np.empty((graph.number_of_edges(), 2), np.intp)
        found = []
        for row, (a, b, facts) in enumerate(graph.edges(data=True)):
            if coupling not in facts:
                raise InvalidProblemError(
                    f"the edge between {a!r} and {b!r} has no attribute {coupling!r}: it has "
                    f"{', '.join(map(repr, facts)) or 'none'}; name the one that is meant, coupling=..."
                )
            ends[row] = place[a], place[b]
            found.append(facts[coupling])
        fields = [value for _, value in graph.nodes(data=field, default=0.0)]
        # NumPy's own type where there is something to tell it from, so that text is refused.
        values = np.array(found, dtype=None if found else np.float64)
        couplings = Sparse(len(place), ends[:, 0], ends[:, 1], values)
        return cls(
            np.array(fields, dtype=None if fields else np.float64),
            from_pairs(len(place), *couplings.to_coo()),
            graph.graph.get("offset", 0.0),
        )

    def to_graph(
        self, variables: Sequence[Hashable] | None = None, field: str = "field", coupling: str = "coupling"
    ) -> nx.Graph[Any]:
        """Return the model as a networkx graph, which ``from_graph`` reads.

        Nodes are 0..N-1, or ``variables``, with their fields; edges are the couplings that are not zero.

        Raises
        ------
        InvalidProblemError
            If ``variables`` are not N labels, each another.

        Examples
        --------
        >>> graph = IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]).to_graph("ab")
        >>> graph.nodes["a"], graph.edges["a", "b"]
        ({'field': 0.5}, {'coupling': -1.0})
        """
        labels = self._labels(variables)
        graph: nx.Graph[Any] = nx.Graph(offset=self.offset)
        graph.add_nodes_from(
            (label, {field: value}) for label, value in zip(labels, self.fields.tolist(), strict=True)
        )
        rows, columns, values = (part.tolist() for part in self.couplings.to_coo())
        graph.add_edges_from(
            (labels[i], labels[j], {coupling: value})
            for i, j, value in zip(rows, columns, values, strict=True)
        )
        return graph

    def _labels(self, variables: Sequence[Hashable] | None) -> list[Hashable]:
        """Return the labels that are given, or 0..N-1."""
        labels: list[Hashable] = list(range(self.num_variables) if variables is None else variables)
        if len(labels) != self.num_variables:
            raise InvalidProblemError(f"{len(labels)} labels do not fit {self.num_variables} spins")
        if variables is not None and len(set(labels)) < len(labels):
            twice = next(label for place, label in enumerate(labels) if label in labels[:place])
            raise InvalidProblemError(f"the label {twice!r} is given to several spins: give each its own")
        return labels


def canonical_variables(bqm: dimod.BinaryQuadraticModel) -> list[Hashable]:
    """Return the labels of ``bqm`` sorted where they can be, else in order of insertion.

    One order for one model: built in another order it gives the same samples for the same seed.
    """
    labels: Iterable[Any] = bqm.variables
    try:
        return sorted(labels)
    except TypeError:
        return list(labels)
