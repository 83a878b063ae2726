"""The couplings J of an Ising model, each structure at its own cost behind one small interface.

Sign convention of all: the pair energy is sum_{i<j} J_ij s_i s_j, so a negative J favours equal spins.

========== ============================ ================ ======================
structure  holds                        memory           work a state
========== ============================ ================ ======================
Dense      J, N x N                     N^2              N^2
Sparse     the nonzero J_ij             nonzeros         nonzeros
Bipartite  the block J, V x H           V H              V H
Layered    a block J a pair of layers   sum of blocks    sum of blocks
Patterns   K patterns and a scale       K N              K N
========== ============================ ================ ======================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, final

import numpy as np
import numpy.typing as npt
import scipy

from rapid_ising.errors import InvalidProblemError
from rapid_ising.typing import Floats, Indices, Reals
from rapid_ising.validation import positive_integer

SPARSE_BELOW = 0.1
"""Single couplings are kept in a matrix once this share of the pairs is coupled."""


def real_array(name: str, values: Any, ndim: int) -> Floats:
    """Return ``values`` as a finite floating array of ``ndim`` dimensions; float32 stays float32."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidProblemError(f"{name} is ragged: {error}") from error
    if array.dtype.kind not in "biuf":
        raise InvalidProblemError(f"{name} must hold real numbers, not {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != ndim:
        raise InvalidProblemError(f"{name} must have {ndim} dimensions, not {array.ndim}")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        place = f" at {where}" if where else ""
        raise InvalidProblemError(f"{name} has {array[where]!s}{place}: every value must be finite")
    return array


def row_products(first: Floats, second: Floats) -> Reals:
    """Return the scalar product of each pair of rows, summed in float64."""
    products: Reals = np.einsum("ri,ri->r", first, second, dtype=np.float64)
    return products


def row_blocks(num_rows: int, rows: int = 32) -> Iterator[slice]:
    """Yield slices of so many rows, few enough that the rows of a matrix stay in the processor's cache.

    >>> list(row_blocks(50))
    [slice(0, 32, None), slice(32, 50, None)]
    """
    for start in range(0, num_rows, rows):
        yield slice(start, min(start + rows, num_rows))


def from_pairs(num_variables: int, rows: Indices, columns: Indices, values: Floats) -> Dense | Sparse:
    """Return the cheaper structure for single couplings, each pair once: a matrix where many are coupled."""
    pairs = num_variables * (num_variables - 1) / 2
    if num_variables > 64 and len(values) < SPARSE_BELOW * pairs:
        return Sparse(num_variables, rows, columns, values)
    matrix = np.zeros((num_variables, num_variables), values.dtype if len(values) else np.float64)
    matrix[rows, columns] = real_array("couplings", values, 1)
    # The other halves by blocks: entry by entry, down the columns, takes several times as long.
    for block in row_blocks(num_variables, 64):
        matrix[block, block] += matrix[block, block].T
        matrix[block, block.stop :] += matrix[block.stop :, block].T
        matrix[block.stop :, block] = matrix[block, block.stop :].T
    return Dense._trusted(matrix)


class Couplings(ABC):
    """What every structure of couplings can do."""

    num_variables: int
    dtype: np.dtype[Any]
    layers: tuple[int, ...] | None = None
    """Sizes of consecutive layers when only neighbouring layers are coupled, else None."""

    @abstractmethod
    def dot(self, states: Floats) -> Floats:
        """Return J s for each row: sum_j J_ij s_j, shape (reads, N)."""

    def across(self, states: Floats, source: int, target: int) -> Floats:
        """Return what the spins of layer ``source`` add to the fields of the neighbour ``target``."""
        raise InvalidProblemError(f"{type(self).__name__} couplings have no layers")

    @abstractmethod
    def submatrix(self, rows: Indices, columns: Indices) -> Floats:
        """Return the dense block J[rows, columns]; a spin with itself gives 0."""

    @abstractmethod
    def scaled(self, factor: float) -> Couplings:
        """Return the same structure with every J multiplied by ``factor``."""

    @abstractmethod
    def gauged(self, signs: Floats) -> Couplings:
        """Return the same structure with every J_ij multiplied by ``signs[i] * signs[j]``."""

    @abstractmethod
    def astype(self, dtype: npt.DTypeLike) -> Couplings:
        """Return the same structure in float32 or float64."""

    @abstractmethod
    def mapped(self, function: Callable[[Floats], Floats]) -> Couplings:
        """Return couplings with ``function`` applied to every J; it must leave 0 as it is."""

    @abstractmethod
    def values(self) -> Floats:
        """Return every J in a row: a structure may have each twice, and zeros besides."""

    @abstractmethod
    def restricted(self, indices: Indices) -> Couplings:
        """Return the couplings among the spins ``indices``, in increasing order."""

    @abstractmethod
    def to_coo(self) -> tuple[Indices, Indices, Floats]:
        """Return rows, columns and values of the couplings with i < j that are not zero."""

    def energies(self, states: Floats) -> Reals:
        """Return sum_{i<j} J_ij s_i s_j of each row, shape (reads,), in float64."""
        return 0.5 * row_products(self.dot(states), states)

    def to_dense(self) -> Floats:
        """Return the symmetric N x N matrix; costs N^2 memory whatever the structure."""
        everyone = np.arange(self.num_variables)
        return self.submatrix(everyone, everyone)


@final
class Dense(Couplings):
    """Couplings between any two spins, as a symmetric N x N matrix with a zero diagonal.

    Examples
    --------
    >>> Dense([[0.0, -1.0], [-1.0, 0.0]]).energies(np.array([[1.0, 1.0], [1.0, -1.0]]))
    array([-1.,  1.])
    """

    def __init__(self, matrix: npt.ArrayLike) -> None:
        array = real_array("couplings", matrix, 2)
        if array.shape[0] != array.shape[1]:
            raise InvalidProblemError(f"couplings must be square, not {array.shape[0]} x {array.shape[1]}")
        if np.diagonal(array).any():
            where = int(np.flatnonzero(np.diagonal(array))[0])
            raise InvalidProblemError(
                f"couplings have {array[where, where]:g} on the diagonal at {where}: a spin with itself is "
                "a constant, put it in the offset"
            )
        if not np.array_equal(array, array.T):
            i, j = (int(x) for x in np.argwhere(array != array.T)[0])
            raise InvalidProblemError(
                f"couplings are not symmetric: J[{i},{j}] = {array[i, j]:g}, J[{j},{i}] = {array[j, i]:g}; "
                "pass (J + J.T) / 2 for a sum over all ordered pairs, J + J.T for an upper triangle"
            )
        self._set(array)

    def _set(self, matrix: Floats) -> None:
        self.matrix = matrix
        self.num_variables = matrix.shape[0]
        self.dtype = matrix.dtype

    @classmethod
    def _trusted(cls, matrix: Floats) -> Dense:
        """Return couplings of a matrix that is known to be finite and symmetric, with a zero diagonal.

        The checks cost more than most of what is done to a matrix.
        """
        dense = cls.__new__(cls)
        dense._set(matrix)
        return dense

    def dot(self, states: Floats) -> Floats:  # noqa: D102
        return states @ self.matrix

    def submatrix(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        return self.matrix[np.ix_(rows, columns)]

    def scaled(self, factor: float) -> Dense:  # noqa: D102
        # A product may be too large for a number.
        return Dense._trusted(real_array("couplings", self.matrix * self.dtype.type(factor), 2))

    def gauged(self, signs: Floats) -> Dense:  # noqa: D102
        row = signs.astype(self.dtype)
        matrix = np.empty_like(self.matrix)
        both = (row, -row)
        # Row by row, so that each entry is read and written once.
        for source, target, turned in zip(self.matrix, matrix, (row < 0).tolist(), strict=True):
            np.multiply(source, both[turned], out=target)
        return Dense._trusted(matrix)

    def astype(self, dtype: npt.DTypeLike) -> Dense:  # noqa: D102
        return Dense._trusted(self.matrix.astype(dtype, copy=False))

    def mapped(self, function: Callable[[Floats], Floats]) -> Dense:  # noqa: D102
        # Half of it, so that a function that draws random numbers gives one value a pair.
        matrix = np.empty_like(self.matrix)
        for rows in row_blocks(self.num_variables):
            size = rows.stop - rows.start
            half = self.matrix[rows, rows.start :].copy()
            half[:, :size] = np.triu(half[:, :size])
            half = real_array("couplings", np.asarray(function(half), self.dtype), 2)
            matrix[rows, rows] = half[:, :size] + half[:, :size].T
            matrix[rows, rows.stop :] = half[:, size:]
            matrix[rows.stop :, rows] = half[:, size:].T
        if np.diagonal(matrix).any():
            raise InvalidProblemError("a function of couplings must leave 0 as it is")
        return Dense._trusted(matrix)

    def values(self) -> Floats:  # noqa: D102
        return self.matrix.ravel()

    def restricted(self, indices: Indices) -> Dense:  # noqa: D102
        return Dense._trusted(self.submatrix(indices, indices))

    def to_coo(self) -> tuple[Indices, Indices, Floats]:  # noqa: D102
        rows, columns = np.nonzero(np.triu(self.matrix))
        return rows, columns, self.matrix[rows, columns]


@final
class Sparse(Couplings):
    """Couplings on the edges of a graph, as rows, columns and values; repeated pairs add up.

    Examples
    --------
    >>> Sparse(3, [0, 1], [1, 2], [-1.0, 2.0]).dot(np.array([[1.0, 1.0, 1.0]]))
    array([[-1.,  1.,  2.]])
    """

    def __init__(
        self, num_variables: int, rows: npt.ArrayLike, columns: npt.ArrayLike, values: npt.ArrayLike
    ) -> None:
        data = real_array("couplings", values, 1)
        positive_integer("num_variables", num_variables, minimum=0)
        i, j = np.asarray(rows), np.asarray(columns)
        for indices in (i, j):
            if indices.size and indices.dtype.kind not in "iu":
                raise InvalidProblemError(f"couplings need whole numbers as indices, not {indices.dtype}")
        i, j = i.astype(np.intp), j.astype(np.intp)
        if not i.shape == j.shape == data.shape:
            raise InvalidProblemError(
                f"couplings need as many rows ({i.size}) as columns ({j.size}) and values ({data.size})"
            )
        if i.size and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= num_variables):
            raise InvalidProblemError(f"couplings name a spin outside 0..{num_variables - 1}")
        if (i == j).any():
            raise InvalidProblemError(f"couplings join spin {int(i[i == j][0])} to itself")
        half = scipy.sparse.coo_array((data, (i, j)), shape=(num_variables, num_variables))
        self.matrix = scipy.sparse.csr_array(half + half.T)
        self.num_variables = num_variables
        self.dtype = data.dtype

    def dot(self, states: Floats) -> Floats:  # noqa: D102
        product: Floats = np.ascontiguousarray((self.matrix @ states.T).T)
        return product

    def submatrix(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        block: Floats = self.matrix[rows][:, columns].toarray()
        return block

    def scaled(self, factor: float) -> Sparse:  # noqa: D102
        rows, columns, values = self.to_coo()
        return Sparse(self.num_variables, rows, columns, values * self.dtype.type(factor))

    def gauged(self, signs: Floats) -> Sparse:  # noqa: D102
        rows, columns, values = self.to_coo()
        flips = (signs[rows] * signs[columns]).astype(self.dtype)
        return Sparse(self.num_variables, rows, columns, values * flips)

    def astype(self, dtype: npt.DTypeLike) -> Sparse:  # noqa: D102
        rows, columns, values = self.to_coo()
        return Sparse(self.num_variables, rows, columns, values.astype(dtype))

    def mapped(self, function: Callable[[Floats], Floats]) -> Sparse:  # noqa: D102
        rows, columns, values = self.to_coo()
        return Sparse(self.num_variables, rows, columns, function(values))

    def values(self) -> Floats:  # noqa: D102
        return self.matrix.data

    def restricted(self, indices: Indices) -> Sparse:  # noqa: D102
        kept = scipy.sparse.coo_array(scipy.sparse.triu(self.matrix[indices][:, indices], k=1))
        return Sparse(len(indices), kept.row, kept.col, kept.data)

    def to_coo(self) -> tuple[Indices, Indices, Floats]:  # noqa: D102
        half = scipy.sparse.coo_array(scipy.sparse.triu(self.matrix, k=1))
        kept = half.data != 0
        return half.row[kept].astype(np.intp), half.col[kept].astype(np.intp), half.data[kept]


@final
class Bipartite(Couplings):
    """Couplings between two layers: spins 0..V-1 with spins V..V+H-1, as one V x H block.

    Examples
    --------
    >>> Bipartite([[-1.0, 2.0]]).energies(np.array([[1.0, 1.0, -1.0]]))
    array([-3.])
    """

    def __init__(self, block: npt.ArrayLike) -> None:
        self.block = real_array("couplings", block, 2)
        self.layers: tuple[int, int] = (self.block.shape[0], self.block.shape[1])
        self.num_variables = sum(self.layers)
        self.dtype = self.block.dtype

    def across(self, states: Floats, source: int, target: int) -> Floats:  # noqa: D102
        check_layers(self.layers, source, target)
        return states @ (self.block if source < target else self.block.T)

    def dot(self, states: Floats) -> Floats:  # noqa: D102
        first, second = states[:, : self.layers[0]], states[:, self.layers[0] :]
        return np.hstack([second @ self.block.T, first @ self.block])

    def energies(self, states: Floats) -> Reals:  # noqa: D102
        first, second = states[:, : self.layers[0]], states[:, self.layers[0] :]
        return row_products(first @ self.block, second)

    def submatrix(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        v = self.layers[0]
        padded = np.zeros((self.layers[0] + 1, self.layers[1] + 1), self.dtype)
        padded[:-1, :-1] = self.block
        # Index -1 is the row or column of zeros, for pairs within one layer.
        i = np.where(rows < v, rows, -1)[:, None]
        j = np.where(columns >= v, columns - v, -1)[None, :]
        k = np.where(columns < v, columns, -1)[None, :]
        m = np.where(rows >= v, rows - v, -1)[:, None]
        return padded[i, j] + padded[k, m]

    def scaled(self, factor: float) -> Bipartite:  # noqa: D102
        return Bipartite(self.block * self.dtype.type(factor))

    def gauged(self, signs: Floats) -> Bipartite:  # noqa: D102
        row = signs.astype(self.dtype)
        return Bipartite(self.block * row[: self.layers[0], np.newaxis] * row[self.layers[0] :])

    def astype(self, dtype: npt.DTypeLike) -> Bipartite:  # noqa: D102
        return Bipartite(self.block.astype(dtype, copy=False))

    def mapped(self, function: Callable[[Floats], Floats]) -> Bipartite:  # noqa: D102
        return Bipartite(function(self.block))

    def values(self) -> Floats:  # noqa: D102
        return self.block.ravel()

    def restricted(self, indices: Indices) -> Bipartite:  # noqa: D102
        first = indices[indices < self.layers[0]]
        second = indices[indices >= self.layers[0]] - self.layers[0]
        return Bipartite(self.block[np.ix_(first, second)])

    def to_coo(self) -> tuple[Indices, Indices, Floats]:  # noqa: D102
        rows, columns = np.nonzero(self.block)
        return rows, columns + self.layers[0], self.block[rows, columns]


@final
class Layered(Couplings):
    """Couplings between neighbouring layers: one block a pair of them, of the lower with the upper one.

    Examples
    --------
    >>> chain = Layered([[[-1.0]], [[2.0]]])
    >>> chain.layers, chain.energies(np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]]))
    ((1, 1, 1), array([ 1., -1.]))
    """

    def __init__(self, blocks: Sequence[npt.ArrayLike]) -> None:
        self.blocks = [real_array("couplings", block, 2) for block in blocks]
        if not self.blocks:
            raise InvalidProblemError("couplings between layers need one block or more")
        for lower, (below, above) in enumerate(pairwise(self.blocks)):
            if below.shape[1] != above.shape[0]:
                raise InvalidProblemError(
                    f"blocks {lower} and {lower + 1} do not meet: layer {lower + 1} has {below.shape[1]} "
                    f"spins in one and {above.shape[0]} in the other"
                )
        sizes = [len(self.blocks[0]), *(block.shape[1] for block in self.blocks)]
        self.layers: tuple[int, ...] = tuple(sizes)
        self.num_variables = sum(sizes)
        self.dtype = np.result_type(*self.blocks)
        self._bounds = np.cumsum((0, *sizes))

    def _parts(self) -> Iterator[tuple[slice, slice, Floats]]:
        """Yield the spins of each pair of layers, and their block."""
        spins = [slice(int(low), int(high)) for low, high in pairwise(self._bounds)]
        yield from zip(spins[:-1], spins[1:], self.blocks, strict=True)

    def across(self, states: Floats, source: int, target: int) -> Floats:  # noqa: D102
        check_layers(self.layers, source, target)
        block = self.blocks[min(source, target)]
        return states @ (block if source < target else block.T)

    def dot(self, states: Floats) -> Floats:  # noqa: D102
        fields = np.zeros(states.shape, np.result_type(states, self.dtype))
        for below, above, block in self._parts():
            fields[:, above] += states[:, below] @ block
            fields[:, below] += states[:, above] @ block.T
        return fields

    def energies(self, states: Floats) -> Reals:  # noqa: D102
        total = np.zeros(len(states))
        for below, above, block in self._parts():
            total += row_products(states[:, below] @ block, states[:, above])
        return total

    def submatrix(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        found = np.zeros((len(rows), len(columns)), self.dtype)
        for below, above, block in self._parts():
            for this, that, part in ((below, above, block), (above, below, block.T)):
                i = np.flatnonzero((rows >= this.start) & (rows < this.stop))
                j = np.flatnonzero((columns >= that.start) & (columns < that.stop))
                found[np.ix_(i, j)] = part[np.ix_(rows[i] - this.start, columns[j] - that.start)]
        return found

    def scaled(self, factor: float) -> Layered:  # noqa: D102
        return Layered([block * self.dtype.type(factor) for block in self.blocks])

    def gauged(self, signs: Floats) -> Layered:  # noqa: D102
        row = signs.astype(self.dtype)
        return Layered([block * row[below, np.newaxis] * row[above] for below, above, block in self._parts()])

    def astype(self, dtype: npt.DTypeLike) -> Layered:  # noqa: D102
        return Layered([block.astype(dtype, copy=False) for block in self.blocks])

    def mapped(self, function: Callable[[Floats], Floats]) -> Layered:  # noqa: D102
        return Layered([function(block) for block in self.blocks])

    def values(self) -> Floats:  # noqa: D102
        return np.concatenate([block.ravel() for block in self.blocks])

    def restricted(self, indices: Indices) -> Layered:  # noqa: D102
        inside = [indices[(indices >= low) & (indices < high)] - low for low, high in pairwise(self._bounds)]
        return Layered(
            [block[np.ix_(*ends)] for block, ends in zip(self.blocks, pairwise(inside), strict=True)]
        )

    def to_coo(self) -> tuple[Indices, Indices, Floats]:  # noqa: D102
        parts = []
        for below, above, block in self._parts():
            i, j = np.nonzero(block)
            parts.append((i + below.start, j + above.start, block[i, j]))
        rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rows, columns, values


@final
class Patterns(Couplings):
    r"""Couplings of low rank from K patterns: J_ij = scale * sum_k xi_ki xi_kj for i != j.

    With ``layers`` only spins of neighbouring layers are coupled. No N x N matrix is formed: a product
    costs K N. This is Eq. 1 of arXiv:1910.01592 with scale = -1 / sqrt(K), in dimod's sign.

    Parameters
    ----------
    patterns
        The patterns xi, shape (K, N); any real values.
    scale
        The factor of every coupling.
    layers
        Sizes of consecutive layers that add up to N; None couples every pair.

    Raises
    ------
    InvalidProblemError
        If a value is not finite or the layers do not add up to N.

    Examples
    --------
    >>> xi = np.array([[1.0, 1.0, -1.0], [1.0, -1.0, 1.0]])
    >>> Patterns(xi, scale=-0.5).energies(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]))
    array([ 1., -1.])
    """

    def __init__(
        self, patterns: npt.ArrayLike, scale: float = 1.0, layers: tuple[int, ...] | None = None
    ) -> None:
        self.patterns = real_array("patterns", patterns, 2)
        self.dtype = self.patterns.dtype
        self.num_variables = self.patterns.shape[1]
        factor = real_array("scale", scale, 0)
        if layers is not None and (sum(layers) != self.num_variables or min(layers, default=-1) < 0):
            raise InvalidProblemError(
                f"layers {layers} add up to {sum(layers)} where the patterns have {self.num_variables} spins"
            )
        self.scale = self.dtype.type(factor)
        self.layers = layers
        self._bounds = np.cumsum((0, *layers)) if layers is not None else np.array([0, self.num_variables])

    def _layer(self, index: int) -> slice:
        return slice(int(self._bounds[index]), int(self._bounds[index + 1]))

    def across(self, states: Floats, source: int, target: int) -> Floats:  # noqa: D102
        check_layers(self.layers, source, target)
        overlaps = states @ self.patterns[:, self._layer(source)].T
        # The scale last: sums over +-1 patterns stay whole numbers, so that fields which cancel are 0.
        fields: Floats = overlaps @ self.patterns[:, self._layer(target)]
        fields *= self.scale
        return fields

    def dot(self, states: Floats) -> Floats:  # noqa: D102
        if self.layers is None:
            own = states * np.einsum("ki,ki->i", self.patterns, self.patterns)
            whole: Floats = self.scale * ((states @ self.patterns.T) @ self.patterns - own)
            return whole
        fields = np.zeros(states.shape, np.result_type(states, self.patterns))
        for lower in range(len(self.layers) - 1):
            below, above = self._layer(lower), self._layer(lower + 1)
            fields[:, above] += self.across(states[:, below], lower, lower + 1)
            fields[:, below] += self.across(states[:, above], lower + 1, lower)
        return fields

    def submatrix(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        block = self.scale * (self.patterns[:, rows].T @ self.patterns[:, columns])
        if self.layers is None:
            coupled = rows[:, None] != columns[None, :]
        else:
            layer = np.repeat(np.arange(len(self.layers)), self.layers)
            coupled = np.abs(layer[rows][:, None] - layer[columns][None, :]) == 1
        kept: Floats = np.where(coupled, block, self.dtype.type(0))
        return kept

    def scaled(self, factor: float) -> Patterns:  # noqa: D102
        return Patterns(self.patterns, float(self.scale) * factor, self.layers)

    def gauged(self, signs: Floats) -> Patterns:  # noqa: D102
        return Patterns(self.patterns * signs.astype(self.dtype), float(self.scale), self.layers)

    def astype(self, dtype: npt.DTypeLike) -> Patterns:  # noqa: D102
        return Patterns(self.patterns.astype(dtype, copy=False), float(self.scale), self.layers)

    def mapped(self, function: Callable[[Floats], Floats]) -> Couplings:  # noqa: D102
        # Other values have no patterns: each coupling is formed.
        if self.layers is None:
            return Dense(self.to_dense()).mapped(function)
        spins = [np.arange(low, high) for low, high in pairwise(self._bounds)]
        blocks = [self.submatrix(below, above) for below, above in pairwise(spins)]
        return (Bipartite(blocks[0]) if len(blocks) == 1 else Layered(blocks)).mapped(function)

    def values(self) -> Floats:  # noqa: D102
        return self.to_coo()[2]

    def restricted(self, indices: Indices) -> Patterns:  # noqa: D102
        layers = None
        if self.layers is not None:
            layers = tuple(np.diff(np.searchsorted(indices, self._bounds)).tolist())
        return Patterns(self.patterns[:, indices], float(self.scale), layers)

    def to_coo(self) -> tuple[Indices, Indices, Floats]:  # noqa: D102
        # Blocks of rows keep the work space at about a million entries.
        step = max(1, 2**20 // max(1, self.num_variables))
        parts = []
        for start in range(0, self.num_variables, step):
            rows = np.arange(start, min(start + step, self.num_variables))
            columns = np.arange(start, self.num_variables)
            block = np.triu(self.submatrix(rows, columns), k=1)
            i, j = np.nonzero(block)
            parts.append((i + start, j + start, block[i, j]))
        if not parts:
            return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, self.dtype)
        rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rows, columns, values


def check_layers(layers: tuple[int, ...] | None, source: int, target: int) -> None:
    """Raise unless ``source`` and ``target`` are neighbouring layers."""
    if layers is None or abs(source - target) != 1 or not 0 <= min(source, target) < len(layers) - 1:
        raise InvalidProblemError(f"layers {source} and {target} of {layers} are not neighbours")
