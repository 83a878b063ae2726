"""The fields that the states of one layer make on another, and what follows: spins or their means."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.array_sweeps import array_sweeps
from rapid_ising.arrays import is_numpy, namespace
from rapid_ising.couplings import row_products
from rapid_ising.threads import one_pool, over_pieces
from rapid_ising.typing import Floats, Reals

Span = tuple[int, int]
Pieces = tuple[tuple[Span, Span], ...]
"""Tiles of a block of entries, as spans of rows and of columns."""
WORTHWHILE = 2**21
"""Multiplications below which a piece of work is not cut: some twenty microseconds."""
SMALL = 2**17
"""Multiplications below which a product is on one thread whatever the setting."""
Known = npt.NDArray[np.bool_] | None
"""Which spins of a layer a sweep holds."""


@final
@dataclasses.dataclass(slots=True)
class LayerFields:
    r"""The fields on a layer of A spins, as a function of the states t of another one.

    .. math:: f = g \, (t M_1 + u) M_2 + b

    in dimod's sign, so that a spin is tanh(-beta f) on average. Without M_2 it is f = g t M_1 + b.

    Parameters
    ----------
    matrices
        M_1, or M_1 and M_2.
    gain
        The factor g. It comes after the products, so that sums over signs stay whole numbers and fields which
        cancel are 0.
    biases
        b, shape (A,).
    inner
        u, added to the sums after M_1; left out, 0.
    """

    matrices: tuple[Floats, ...]
    gain: float
    biases: Floats
    inner: Floats | None = None

    @property
    def width(self) -> int:
        """The number A of spins in the fields."""
        return int(self.biases.shape[0])

    @property
    def work(self) -> int:
        """The multiplications for one state."""
        return sum(matrix.size for matrix in self.matrices)

    @property
    def at_zero(self) -> Floats:
        """The fields of no states at all, g u M_2 + b, shape (A,): what the spins have by themselves."""
        if self.inner is None:
            return self.biases
        return self.gain * (self.inner @ self.matrices[-1]) + self.biases

    def sums(self, states: Floats, out: Floats, columns: Span | None = None) -> None:
        """Write what the gain multiplies, for some rows of states and some columns of ``out``."""
        first, last = (0, self.width) if columns is None else columns
        np.matmul(self._inner_sums(states), self.matrices[-1][:, first:last], out=out[:, first:last])

    def _inner_sums(self, states: Floats) -> Floats:
        """Return t M_1 + u where there are two matrices, else the states."""
        if len(self.matrices) == 1:
            return states
        states = states @ self.matrices[0]
        if self.inner is not None:
            states += self.inner
        return states

    def once(self, states: Floats, pieces: Pieces) -> tuple[LayerFields, Floats]:
        """Return fields and states that give the same, with M_1 done where each of the pieces would do it."""
        if len(self.matrices) == 1 or len(pieces) == 1 or pieces[0][1] == (0, self.width):
            return self, states
        inner = product(states, self.matrices[0])
        if self.inner is not None:
            inner += self.inner
        return LayerFields(self.matrices[1:], self.gain, self.biases), inner

    def fields(self, states: Floats) -> Floats:
        """Return f for each row of states, shape (n, A)."""
        if not is_numpy(states):
            return self.gain * (self._inner_sums(states) @ self.matrices[-1]) + self.biases
        return self._in_tiles(states, self.gain, self.biases)

    def means(self, states: Floats, beta: float = 1.0) -> Floats:
        """Return tanh(-beta f) for each row of states, shape (n, A)."""
        if not is_numpy(states):
            means: Floats = namespace(states).tanh(-beta * self.fields(states))
            return means
        biases = -beta * self.biases if self.biases.any() else None
        return self._in_tiles(states, -self.gain * beta, biases, np.tanh)

    def _in_tiles(
        self, states: Floats, gain: float, biases: Floats | None, function: np.ufunc | None = None
    ) -> Floats:
        """Return a function of the sums times ``gain`` plus ``biases``, tile by tile."""
        found = np.empty((len(states), self.width), self.biases.dtype)
        factor = found.dtype.type(gain)
        pieces = tiles(len(states), self.width, self.work)
        fields, source = self.once(states, pieces)

        def work(tile: tuple[Span, Span]) -> None:
            rows, columns = slice(*tile[0]), slice(*tile[1])
            fields.sums(source[rows], found[rows], tile[1])
            part = found[rows, columns]
            part *= factor
            if biases is not None:
                part += biases[columns]
            if function is not None:
                function(part, out=part)

        over_pieces(work, pieces)
        return found


@lru_cache(1024)
def tiles(rows: int, columns: int, work: int, least: int = 256) -> Pieces:
    """Return pieces of a block of entries that are worth a thread each, as spans of rows and of columns.

    They follow from the sizes alone. Products of fewer than 256 rows cost more an entry, so that rows too few
    for two pieces of ``least`` are cut into columns.

    >>> tiles(512, 1000, 16_000)
    (((0, 256), (0, 1000)), ((256, 512), (0, 1000)))
    >>> tiles(128, 784, 392_000)
    (((0, 128), (0, 392)), ((0, 128), (392, 784)))
    >>> tiles(3, 1000, 16_000)
    (((0, 3), (0, 1000)),)
    """
    worth = rows * work // WORTHWHILE
    if min(rows // least, worth) > 1:
        return tuple((span, (0, columns)) for span in _spans(rows, min(rows // least, worth, 16)))
    count = min(columns // 250, worth, 16)
    # A power of two, which a few threads share evenly.
    parts = 2 ** int(math.log2(count)) if count > 1 else 1
    return tuple(((0, rows), span) for span in _spans(columns, parts))


def product(first: Floats, second: Floats) -> Floats:
    """Return the matrix product, on all threads.

    >>> product(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if not is_numpy(first) or len(first) * second.size < SMALL:
        return first @ second
    found = np.empty((len(first), second.shape[1]), np.result_type(first, second))

    def work(tile: tuple[Span, Span]) -> None:
        rows, columns = slice(*tile[0]), slice(*tile[1])
        np.matmul(first[rows], second[:, columns], out=found[rows, columns])

    over_pieces(work, tiles(len(first), second.shape[1], second.size))
    return found


def _spans(size: int, count: int) -> list[Span]:
    bounds = [size * place // count for place in range(count + 1)]
    return list(pairwise(bounds))


def block_sweeps(
    up: LayerFields,
    down: LayerFields,
    first: Floats,
    betas: npt.ArrayLike,
    rng: np.random.Generator,
    known: Known = None,
    second: Floats | None = None,
    known_second: Known = None,
    check: Callable[[], object] | None = None,
    energies: Reals | None = None,
) -> tuple[Floats, Floats]:
    """Return the states of two layers after sweeps, each of which draws the second layer and then the first.

    Parameters
    ----------
    up, down
        The fields on the second layer, and those on the first.
    first
        The states of the first layer, shape (n, V).
    betas
        The inverse temperature of each sweep, shape (sweeps,), or of each row in each, (sweeps, n).
    rng
        Gives the key of the call's random numbers.
    known, known_second
        Which spins of a layer are held.
    second
        The states that held spins of the second layer have, shape (n, H).
    check
        Called before each sweep; may raise.
    energies
        Filled with the energies of the states that it returns, without an offset, shape (n,).

    Returns
    -------
    tuple
        The states of both layers, in the type of the fields.
    """
    schedule = np.asarray(betas, dtype=np.float64)
    held = (known, first), (known_second, second)
    if not is_numpy(up.biases):
        return array_sweeps(up, down, first, schedule, rng, held, check, energies)
    # Here, since numba is half of the time that an import of the library would take.
    from rapid_ising.kernels.spin_draws import draw_spins
    from rapid_ising.kernels.streams import new_key

    rows = len(first)
    key = new_key(rng)
    low = np.array(first, down.biases.dtype, order="C")
    high = np.empty((rows, up.width), up.biases.dtype)
    sums = np.empty_like(low) if energies is not None else None
    schedule = np.broadcast_to(schedule.reshape(len(schedule), -1), (len(schedule), rows))

    def update(piece: tuple[int, int, int, Span, Span], fields: LayerFields, source: Floats) -> None:
        """Draw a tile of a layer: one stream of random numbers for each tile of each layer of each sweep."""
        sweep, layer, place, span, columns = piece
        target = (low, high)[layer]
        part, tile = slice(*span), (slice(*span), slice(*columns))
        fields.sums(source[part], target[part], columns)
        if sums is not None and layer == 0:
            sums[tile] = target[tile]
        stream = (2 * sweep + 1 - layer) << 16 | place
        draw_spins(target, fields.biases, fields.gain, schedule[sweep], key, stream, span, columns)
        mask, values = held[layer]
        if mask is not None and values is not None:
            np.copyto(target[tile], values[tile], where=mask[slice(*columns)])

    by_rows = tiles(rows, 0, up.work + down.work)
    if len(by_rows) > 1:
        # Chains are independent: each piece goes through all sweeps by itself.
        def sweeps(piece: tuple[int, Span]) -> None:
            place, span = piece
            for sweep in range(len(schedule)):
                if check is not None:
                    check()
                update((sweep, 1, place, span, (0, up.width)), up, low)
                update((sweep, 0, place, span, (0, down.width)), down, high)

        over_pieces(sweeps, list(enumerate(span for span, _ in by_rows)))
    else:
        for sweep in range(len(schedule)):
            if check is not None:
                check()
            for layer, fields, source in ((1, up, low), (0, down, high)):
                pieces = tiles(rows, fields.width, fields.work)
                once, done = fields.once(source, pieces)
                draw = partial(update, fields=once, source=done)
                over_pieces(draw, [(sweep, layer, place, *tile) for place, tile in enumerate(pieces)])
    if energies is not None and sums is not None:
        # All couplings are in the fields of the first layer; its own biases are not in the sums.
        with one_pool():
            energies[:] = down.gain * row_products(sums, low) + low @ down.biases + high @ up.at_zero
    return low, high
