"""Enumeration of a model of two layers: the states of the smaller one, the larger one summed out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.deadline import Deadline
from rapid_ising.enumeration.law import Enumeration, Moments, blocks, spin_states, tolerance
from rapid_ising.errors import ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.progress import Bar
from rapid_ising.threads import one_pool
from rapid_ising.typing import Indices, Reals, States

NEGLIGIBLE = 1e-20
"""States of lower probability are left out of averages: together they weigh less than 1e-13."""


@final
class LayersEnumeration(Enumeration):
    """All states of the smaller of two layers, the larger one summed out."""

    def __init__(self, model: IsingModel, beta: float, deadline: Deadline) -> None:
        # Here, since numba is half of the time that an import of the library would take.
        from rapid_ising.kernels.layer_sums import layer_sums

        self.beta = beta
        self.deadline = deadline
        split = model.bipartition()
        if split is None:
            raise ProblemTooLargeError("the couplings of this model have no two layers")
        layered, self._order = split
        sizes = layered.couplings.layers
        assert sizes is not None
        first = np.arange(sizes[0])
        second = np.arange(sizes[0], sizes[0] + sizes[1])
        # In terms of the layered model: the small layer is enumerated, the large one summed out.
        self._small_first = sizes[0] <= sizes[1]
        self._small, self._large = (first, second) if self._small_first else (second, first)
        self._fields = layered.fields.astype(np.float64)
        self._block = layered.couplings.submatrix(self._small, self._large).astype(np.float64)
        linear = np.empty(2 ** len(self._small))
        sums, extents = np.empty_like(linear), np.empty_like(linear)
        cut = len(self._small) // 2
        low_states = spin_states(cut, np.arange(2**cut))
        low_fields = low_states @ self._block[:cut] + self._fields[self._large]
        high_spins = len(self._small) - cut
        # Without fields a state weighs as much as its mirror image, whose index is counted from the end.
        self._even = not self._fields.any() and high_spins > 0
        count = 2 ** (high_spins - self._even)
        with Bar("parts of an enumeration", count) as bar:
            for high in blocks(count, low_fields.size, deadline, 2**24):
                high_states = spin_states(high_spins, high)
                rows = slice(int(high[0]) << cut, (int(high[-1]) + 1) << cut)
                high_fields = high_states @ self._block[cut:]
                parts = layer_sums(low_fields, high_fields, 0.0 if math.isinf(beta) else beta)
                sums[rows], extents[rows] = parts[0].ravel(), parts[1].ravel()
                high_linear = high_states @ self._fields[self._small[cut:]]
                linear[rows] = np.add.outer(high_linear, low_states @ self._fields[self._small[:cut]]).ravel()
                bar.advance(len(high))
        if self._even:
            for part in (linear, sums, extents):
                part[count << cut :] = part[: count << cut][::-1]
        # The offset stays out of the weights, where a large one would drown the energies.
        lowest = linear - extents
        self.ground_energy = model.offset + float(lowest.min())
        if math.isinf(beta):
            ground = np.flatnonzero(lowest <= lowest.min() + tolerance(self._fields, self._block))
            log_weights = np.full(len(linear), -math.inf)
            for block in self._state_blocks(ground):
                # A spin in no field doubles the number of ground states.
                log_weights[block] = math.log(2.0) * self._unmoved(self._visit(block)[1]).sum(axis=1)
        else:
            log_weights = sums - beta * linear
        highest = float(log_weights.max())
        weights = np.exp(log_weights - highest)
        self._log_partition = highest + math.log(float(weights.sum()))
        if math.isfinite(beta):
            self._log_partition -= beta * model.offset
        self._probabilities = weights / weights.sum()

    def _state_blocks(self, indices: Indices) -> Iterator[Indices]:
        for block in blocks(len(indices), self._block.shape[1], self.deadline):
            yield indices[block]

    def _visit(self, indices: Indices) -> tuple[Reals, Reals]:
        """Return states of the small layer and the fields that they make on the large one."""
        states = spin_states(len(self._small), indices)
        return states, states @ self._block + self._fields[self._large]

    def _unmoved(self, fields: Reals) -> npt.NDArray[np.bool_]:
        """Return which fields of the large layer are zero but for rounding."""
        largest = np.abs(self._block).sum(axis=0) + np.abs(self._fields[self._large])
        unmoved: npt.NDArray[np.bool_] = np.abs(fields) <= 1e-12 * largest
        return unmoved

    def _large_means(self, fields: Reals) -> Reals:
        """Return the means of the large layer's spins in their fields."""
        if math.isinf(self.beta):
            return np.where(self._unmoved(fields), 0.0, -np.sign(fields))
        return np.tanh(-self.beta * fields)

    def sample(self, num_reads: int, rng: np.random.Generator) -> States:  # noqa: D102
        chosen = rng.choice(len(self._probabilities), size=num_reads, p=self._probabilities)
        layered = np.empty((num_reads, len(self._order)), np.int8)
        for reads in blocks(num_reads, self._block.shape[1], self.deadline):
            states, fields = self._visit(chosen[reads])
            up = 2.0 * rng.random(fields.shape) - 1.0 < self._large_means(fields)
            layered[np.ix_(reads, self._small)] = states
            layered[np.ix_(reads, self._large)] = 2 * up - 1
        result = np.empty_like(layered)
        result[:, self._order] = layered
        return result

    def _halves(self) -> tuple[Reals, Reals]:
        """Return the states of the first and of the second half of the small layer."""
        cut = len(self._small) // 2
        rest = len(self._small) - cut
        return spin_states(cut, np.arange(2**cut)), spin_states(rest, np.arange(2**rest))

    def _sums_by_halves(self) -> tuple[Reals, Reals, Reals]:
        """Return <s_i> of both layers and <s_i s_a> across, at finite beta."""
        from rapid_ising.kernels.layer_means import layer_means

        low, high = self._halves()
        cut = low.shape[1]
        low_fields = low @ self._block[:cut] + self._fields[self._large]
        table = self._probabilities.reshape(len(high), len(low))
        if self._even:
            # The other half of the states adds the same to pairs, and the opposite to means.
            high, table = high[: len(high) // 2], 2 * table[: len(high) // 2]
        by_low, large = np.zeros_like(low_fields), np.zeros(len(self._large))
        pairs = np.empty(self._block.shape)
        pairs[cut:] = 0.0
        with Bar("parts of an enumeration", len(high)) as bar:
            for rows in blocks(len(high), low_fields.size, self.deadline, 2**24):
                fields = high[rows] @ self._block[cut:]
                part, by_high = layer_means(low_fields, fields, self.beta, table[rows], NEGLIGIBLE)
                by_low += part
                pairs[cut:] += high[rows].T @ by_high
                large += by_high.sum(axis=0)
                bar.advance(len(rows))
        pairs[:cut] = low.T @ by_low
        if self._even:
            return np.zeros(len(self._small)), np.zeros(len(self._large)), pairs
        small = np.concatenate([table.sum(axis=0) @ low, table.sum(axis=1) @ high])
        return small, large, pairs

    def _state_by_state(self) -> Iterator[tuple[Reals, Reals, Reals]]:
        """Yield blocks of states of the small layer, their probabilities and the means of the large layer."""
        for block in self._state_blocks(np.flatnonzero(self._probabilities > NEGLIGIBLE)):
            states, fields = self._visit(block)
            yield states, self._probabilities[block, None], self._large_means(fields)

    @one_pool()
    def moments(self, whole: bool = False) -> Moments:  # noqa: D102
        if not whole and math.isfinite(self.beta):
            small, large, pairs = self._sums_by_halves()
        else:
            small, large = np.zeros(len(self._small)), np.zeros(len(self._large))
            pairs = np.zeros(self._block.shape)
            for states, weights, expected in self._state_by_state():
                small += (weights * states).sum(axis=0)
                large += (weights * expected).sum(axis=0)
                pairs += (weights * states).T @ expected
        means = np.empty(len(self._order))
        i, j = self._order[self._small], self._order[self._large]
        means[i], means[j] = small, large
        if not whole:
            # The first layer of the model is the enumerated one unless it is the larger.
            return Moments(means, pairs if self._small_first else pairs.T)
        every = np.zeros((len(means), len(means)))
        for states, weights, expected in self._state_by_state():
            every[np.ix_(i, i)] += (weights * states).T @ states
            every[np.ix_(j, j)] += (weights * expected).T @ expected
        every[np.ix_(i, j)], every[np.ix_(j, i)] = pairs, pairs.T
        np.fill_diagonal(every, 1.0)
        return Moments(means, every)
