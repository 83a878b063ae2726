"""Averages of spins and of their products, from states or as exact moments: what a gradient is made of.

The spins are in layers, numbered from the visible one, 0. A machine on a graph has all its spins in layer 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np

from rapid_ising.arrays import beside, concatenated, namespace, zeros_like
from rapid_ising.layer_fields import product
from rapid_ising.typing import Floats, Indices

FEW = 2**14
"""Entries of states that are put side by side rather than multiplied in two products."""

TOGETHER = 512
"""Rows of two phases that are put together."""


class Statistics(ABC):
    """Averages over the states of one phase, data or model."""

    @abstractmethod
    def mean(self, layer: int) -> Floats:
        """Return <s_i> of a layer's spins, shape (n,)."""

    @abstractmethod
    def correlations(self, rows: int, columns: int) -> Floats:
        """Return <s_i s_j> of each spin i of layer ``rows`` with each spin j of layer ``columns``."""

    def correlations_less(self, other: Statistics, rows: int, columns: int) -> Floats:
        """Return ``correlations`` less those of another phase."""
        return self.correlations(rows, columns) - other.correlations(rows, columns)

    @abstractmethod
    def onto(self, patterns: Floats, source: int, target: int) -> Floats:
        """Return sum_j xi_kj <s_j s_i> over the spins j of ``source``, for i of ``target``, shape (K, n).

        Within one layer the products of a spin with itself are left out.
        """

    def onto_less(self, other: Statistics, patterns: Floats, source: int, target: int) -> Floats:
        """Return ``onto`` less that of another phase."""
        projected = self.onto(patterns, source, target)
        projected -= other.onto(patterns, source, target)
        return projected

    def pairs(self, rows: Indices, columns: Indices) -> Floats:
        """Return <s_i s_j> of pairs of different spins of layer 0, shape (pairs,)."""
        return self.correlations(0, 0)[rows, columns]


@final
class SampleStatistics(Statistics):
    """Averages over rows, one array a layer: states, or means of spins given the other layers of their row.

    Projections onto patterns never form the matrix of correlations.

    Parameters
    ----------
    layers
        One array (n, spins) a layer, layer 0 the visible one.
    divisor
        Replaces the number n of rows where they are part of a larger whole.
    weights
        Positive weights of the rows, shape (n,); left out, they are equal.
    means
        Returns the means of one more layer given rows of the first; called when they are first asked for,
        which must be before the model changes.

    Examples
    --------
    >>> SampleStatistics([np.ones((2, 1)), np.array([[1.0], [0.0]])]).correlations(1, 0)
    array([[0.5]])
    """

    def __init__(
        self,
        layers: Sequence[Floats],
        divisor: int | None = None,
        weights: Floats | None = None,
        means: Callable[[Floats], Floats] | None = None,
    ) -> None:
        self._given, self._means = layers, means
        self._share = 1 / (layers[0].shape[0] if divisor is None else divisor)
        self._weights: Floats | None = None
        if weights is not None:
            relative = len(weights) * weights / weights.sum()
            self._weights = beside(relative[:, np.newaxis], layers[0])

    @cached_property
    def _layers(self) -> Sequence[Floats]:
        return self._given if self._means is None else [*self._given, self._means(self._given[0])]

    @property
    def _shares(self) -> Floats | float:
        """The share of each row in an average, (n, 1), or of all."""
        return self._share if self._weights is None else self._share * self._weights

    def rows_less(self, other: SampleStatistics) -> list[tuple[Floats, Floats | float]]:
        """Return the rows of layer 0 of both phases with their shares, those of the other phase negative.

        Few rows are put together, since what is done with them is then a matter of calls.
        """
        ours, theirs = self._given[0], other._given[0]
        if ours.shape[0] + theirs.shape[0] > TOGETHER:
            return [(ours, self._shares), (theirs, -other._shares)]
        shares = np.empty((ours.shape[0] + theirs.shape[0], 1), ours.dtype)
        shares[: ours.shape[0]] = self._shares
        shares[ours.shape[0] :] = -other._shares
        return [(np.concatenate([ours, theirs]), shares)]

    def rows(self) -> Floats:
        """Return the rows with the spins of all layers, shape (n, N), without their weights."""
        return concatenated(list(self._layers), axis=1)

    def weighted(self, weights: Floats) -> SampleStatistics:
        """Return the averages over the same rows with weights, shape (n,)."""
        return SampleStatistics(self._layers, weights=weights)

    def _weighted(self, layer: int) -> Floats:
        rows = self._layers[layer]
        return rows if self._weights is None else rows * self._weights

    def mean(self, layer: int) -> Floats:  # noqa: D102
        rows = self._weighted(layer)
        mean: Floats = namespace(rows).sum(rows, axis=0) * self._share
        return mean

    def correlations(self, rows: int, columns: int) -> Floats:  # noqa: D102
        return product((self._weighted(rows) * self._share).T, self._layers[columns])

    def correlations_less(self, other: Statistics, rows: int, columns: int) -> Floats:  # noqa: D102
        if not isinstance(other, SampleStatistics):
            return super().correlations_less(other, rows, columns)
        self._meet(other)
        # One product over the rows of both phases, in which those of the other count negative.
        rows_of_both, columns_of_both = self._both(other, rows, columns)
        return product(rows_of_both.T, columns_of_both)

    def _both(self, other: SampleStatistics, source: int, target: int) -> tuple[Floats, Floats]:
        """Return two layers of the rows of both phases, the first layer by the share of each row."""
        count = self._layers[source].shape[0]
        scaled = concatenated([self._weighted(source), other._weighted(source)])
        scaled[:count, :] *= self._share
        scaled[count:, :] *= -other._share
        return scaled, concatenated([self._layers[target], other._layers[target]])

    def _meet(self, other: SampleStatistics) -> None:
        """Work out the means of both phases at once where neither has them: few rows make slow products."""
        ours, theirs = self._given[0], other._given[0]
        known = "_layers" in self.__dict__ or "_layers" in other.__dict__
        rows = ours.shape[0] + theirs.shape[0]
        if known or self._means is None or self._means != other._means or rows > TOGETHER:
            return
        means = self._means(concatenated([ours, theirs]))
        self._layers = [*self._given, means[: ours.shape[0], :]]
        other._layers = [*other._given, means[ours.shape[0] :, :]]

    def onto_less(self, other: Statistics, patterns: Floats, source: int, target: int) -> Floats:  # noqa: D102
        if source == target or not isinstance(other, SampleStatistics):
            return super().onto_less(other, patterns, source, target)
        self._meet(other)
        if sum(math.prod(self._layers[layer].shape) for layer in (source, target)) >= FEW:
            return super().onto_less(other, patterns, source, target)
        sources, targets = self._both(other, source, target)
        return product(product(patterns, sources.T), targets)

    def onto(self, patterns: Floats, source: int, target: int) -> Floats:  # noqa: D102
        rows = self._weighted(source)
        onto_rows = product(patterns, rows.T)
        onto_rows *= self._share
        projected: Floats = product(onto_rows, self._layers[target])
        if source == target:
            own = np.einsum("ri,ri->i", rows, self._layers[source]) * self._share
            projected -= patterns * own
        return projected

    def pairs(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        states = self._layers[0]
        if 8 * len(rows) > states.shape[1] ** 2:
            return super().pairs(rows, columns)
        weighted = self._weighted(0)
        products: Floats = np.einsum("re,re->e", weighted[:, rows], states[:, columns]) * self._share
        return products


@final
class MomentStatistics(Statistics):
    """Averages that are known as such.

    Parameters
    ----------
    means
        <s_i> of all spins, shape (N,).
    pairs
        <s_i s_j>: of the first spins with the others, shape (n, N - n), as many as coupled pairs need, or of
        all, shape (N, N).
    sizes
        The spins of each layer.
    """

    def __init__(self, means: Floats, pairs: Floats, sizes: Sequence[int]) -> None:
        self._means = means
        self._pairs = pairs
        bounds = np.cumsum((0, *sizes))
        self._spins = [slice(int(low), int(high)) for low, high in pairwise(bounds)]
        self._first = 0 if pairs.shape[0] == means.shape[0] else pairs.shape[0]

    def mean(self, layer: int) -> Floats:  # noqa: D102
        return self._means[self._spins[layer]]

    def correlations(self, rows: int, columns: int) -> Floats:  # noqa: D102
        low, high = self._spins[min(rows, columns)], self._spins[max(rows, columns)]
        block = self._pairs[low, high.start - self._first : high.stop - self._first]
        return block if rows <= columns else block.T

    def onto(self, patterns: Floats, source: int, target: int) -> Floats:  # noqa: D102
        block = self.correlations(source, target)
        projected: Floats = patterns @ block
        if source == target:
            projected -= patterns * np.diagonal(block)
        return projected


@final
class MixedStatistics(Statistics):
    """The average of several estimates, each with its share."""

    def __init__(self, parts: Sequence[Statistics], shares: Sequence[float]) -> None:
        self._parts = list(zip(parts, shares, strict=True))

    def mean(self, layer: int) -> Floats:  # noqa: D102
        return _total([(part.mean(layer), share) for part, share in self._parts])

    def correlations(self, rows: int, columns: int) -> Floats:  # noqa: D102
        return _total([(part.correlations(rows, columns), share) for part, share in self._parts])

    def onto(self, patterns: Floats, source: int, target: int) -> Floats:  # noqa: D102
        return _total([(part.onto(patterns, source, target), share) for part, share in self._parts])

    def pairs(self, rows: Indices, columns: Indices) -> Floats:  # noqa: D102
        return _total([(part.pairs(rows, columns), share) for part, share in self._parts])


def _total(parts: Sequence[tuple[Floats, float]]) -> Floats:
    total = zeros_like(parts[0][0])
    for values, share in parts:
        total += float(share) * values
    return total
