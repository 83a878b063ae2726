"""Enumeration of a model of any couplings, by sums over pairs of half states."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import final

import numpy as np

from rapid_ising.couplings import row_blocks, row_products
from rapid_ising.deadline import Deadline
from rapid_ising.enumeration.law import BLOCK, Enumeration, Moments, blocks, spin_states, tolerance
from rapid_ising.ising import IsingModel
from rapid_ising.threads import one_pool, over_pieces
from rapid_ising.typing import Indices, Reals, States

UNDERFLOW = 750.0
"""exp(-x) is zero for all x above it."""
LARGEST_SCALE = 600.0
"""The largest logarithm of a factor of a weight: sums of such factors are finite."""


@final
class HalvesEnumeration(Enumeration):
    r"""All states of up to 26 spins, as pairs of half states a and b; b is cut again into quarters q and p.

    .. math:: E = E_a + x_{aq} + y_{ap} + t_{qp}

    so that sums of exp(-beta E) over b are products of three matrices of exponentials.
    """

    def __init__(self, model: IsingModel, beta: float, deadline: Deadline) -> None:
        self.beta = beta
        self.deadline = deadline
        n = model.num_variables
        self._cut = n // 2
        first, second = np.arange(self._cut), np.arange(self._cut, n)
        couplings = model.couplings.submatrix(np.arange(n), np.arange(n)).astype(np.float64)
        fields = model.fields.astype(np.float64)
        self._a = spin_states(self._cut, np.arange(2**self._cut))
        self._b = spin_states(n - self._cut, np.arange(2 ** (n - self._cut)))

        def inner(states: Reals, part: Indices) -> Reals:
            energies: Reals = states @ fields[part]
            energies += 0.5 * row_products(states @ couplings[np.ix_(part, part)], states)
            return energies

        # The offset stays out of the weights, where a large one would drown the energies.
        self._energy_a = inner(self._a, first)
        near, far = np.split(second, [len(second) // 2])
        self._p, self._q = (spin_states(len(part), np.arange(2 ** len(part))) for part in (near, far))
        self._table = inner(self._b, second).reshape(len(self._q), len(self._p))
        self._x = self._a @ couplings[np.ix_(first, far)] @ self._q.T
        self._y = self._a @ couplings[np.ix_(first, near)] @ self._p.T
        lows = self._lowest_energies()
        self._lowest = float(lows.min())
        self.ground_energy = model.offset + self._lowest
        self._slack = tolerance(fields, couplings)
        self._factors = self._exponentials() if math.isfinite(beta) else None
        # The others have weights of zero, too small for a number.
        excess = lows - self._lowest
        self._live = np.flatnonzero(excess <= self._slack if math.isinf(beta) else beta * excess < UNDERFLOW)
        self._row_weights = self._sums_over_second()
        self._total = float(self._row_weights.sum())
        self._log_partition = math.log(self._total)
        if math.isfinite(beta):
            self._log_partition -= beta * self.ground_energy

    def _row_blocks(self, count: int) -> Iterator[Indices]:
        return blocks(count, len(self._b), self.deadline)

    def _lowest_energies(self) -> Reals:
        """Return the lowest energy of each row."""
        if len(self._a) * len(self._b) <= BLOCK:
            lows: Reals = self._energies(np.arange(len(self._a))).min(axis=1)
            return lows
        # Here, since numba is half of the time that an import of the library would take.
        from rapid_ising.kernels.lowest_energies import lowest_energies

        lows = np.empty(len(self._a))

        def work(rows: slice) -> None:
            self.deadline.check("enumeration")
            lowest_energies(self._x[rows], self._y[rows], self._table, lows[rows])

        over_pieces(work, list(row_blocks(len(lows), 2**20 // len(self._b))))
        return lows + self._energy_a

    def _exponentials(self) -> tuple[Reals, Reals, Reals] | None:
        """Return X, Y and T with X_aq Y_ap T_qp = exp(-beta (E - E_ground)); None where one is too large."""
        parts = self._x.min(axis=1), self._y.min(axis=1), self._table.min()
        scale = self.beta * (self._lowest - self._energy_a - sum(parts))
        if scale.max() > LARGEST_SCALE:
            return None
        x = np.exp(scale[:, None] - self.beta * (self._x - parts[0][:, None]))
        y = np.exp(-self.beta * (self._y - parts[1][:, None]))
        return x, y, np.exp(-self.beta * (self._table - parts[2]))

    def _energies(self, rows: Indices) -> Reals:
        energies = (self._energy_a[rows, None] + self._x[rows])[:, :, None] + self._y[rows, None, :]
        energies += self._table
        return energies.reshape(len(rows), -1)

    def _weights(self, rows: Indices) -> Reals:
        """Return exp(-beta (E - E_ground)), or 1 for ground states at beta = infinity."""
        excess = self._energies(rows)
        excess -= self._lowest
        if math.isinf(self.beta):
            return (excess <= self._slack).astype(np.float64)
        return np.exp(np.multiply(excess, -self.beta, out=excess), out=excess)

    def _sums_over_second(self) -> Reals:
        """Return the summed weight of each row."""
        if self._factors is not None:
            x, y, table = self._factors
            return row_products(x @ table, y)
        sums = np.zeros(len(self._a))
        for block in self._row_blocks(len(self._live)):
            sums[self._live[block]] = self._weights(self._live[block]).sum(axis=1)
        return sums

    def _moments_of_second(self) -> tuple[Reals, Reals]:
        """Return the weighted sums of the second half's spins in each row, and the weight of each column."""
        if self._factors is not None:
            x, y, table = self._factors
            spins = np.hstack([(x @ table * y) @ self._p, (y @ table.T * x) @ self._q])
            return spins, (x.T @ y * table).ravel()
        spins, columns = np.zeros((len(self._a), self._b.shape[1])), np.zeros(len(self._b))
        for block in self._row_blocks(len(self._live)):
            weights = self._weights(self._live[block])
            spins[self._live[block]] = weights @ self._b
            columns += weights.sum(axis=0)
        return spins, columns

    def sample(self, num_reads: int, rng: np.random.Generator) -> States:  # noqa: D102
        rows = rng.choice(len(self._a), size=num_reads, p=self._row_weights / self._total)
        points = rng.random(num_reads)
        columns = np.zeros(num_reads, dtype=np.intp)
        order = np.argsort(rows, kind="stable")
        unique, starts = np.unique(rows[order], return_index=True)
        reads_of = np.split(order, starts[1:])
        for block in self._row_blocks(len(unique)):
            weights = np.cumsum(self._weights(unique[block]), axis=1)
            for place, row in zip(block, weights, strict=True):
                reads = reads_of[place]
                columns[reads] = np.searchsorted(row, points[reads] * row[-1], side="right")
        return np.hstack([self._a[rows], self._b[columns]]).astype(np.int8)

    @one_pool()
    def moments(self, whole: bool = False) -> Moments:  # noqa: D102
        n1 = self._cut
        spins, columns = self._moments_of_second()
        row_p, column_p = self._row_weights / self._total, columns / self._total
        pairs = np.eye(n1 + self._b.shape[1])
        pairs[:n1, n1:] = self._a.T @ spins / self._total
        pairs[n1:, :n1] = pairs[:n1, n1:].T
        pairs[:n1, :n1] = (self._a * row_p[:, None]).T @ self._a
        pairs[n1:, n1:] = (self._b * column_p[:, None]).T @ self._b
        return Moments(np.concatenate([row_p @ self._a, column_p @ self._b]), pairs)
