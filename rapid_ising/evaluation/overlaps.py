"""Overlaps of samples: their law P(q), how far two laws are apart, and whether distances are ultrametric."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError
from rapid_ising.typing import Floats, Indices, Reals, States
from rapid_ising.validation import Seed, finite, generator, positive_integer, spins

BLOCK = 2048
"""Rows of either set whose products are formed at once: 16 megabytes of products."""
TRIPLET_BLOCK = 2**22
"""Spins of one corner of triplets that are compared at once."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OverlapDistribution:
    """The law P(q) of overlaps between states of V spins, on its whole support, so that nothing is binned.

    Examples
    --------
    >>> overlap_distribution([[1, 1], [1, 1], [1, -1]])
    OverlapDistribution(2 spins: mean 0.333, standard deviation 0.471)
    """

    values: Reals
    """The overlaps that states of V spins can have: -1, -1 + 2/V, ..., 1, shape (V + 1,)."""
    probabilities: Reals
    """The share of pairs with each, shape (V + 1,)."""

    def __repr__(self) -> str:
        return (
            f"OverlapDistribution({len(self.values) - 1} spins: mean {self.mean:.3f}, "
            f"standard deviation {self.std:.3f})"
        )

    @property
    def mean(self) -> float:
        """The mean of q."""
        return float(self.probabilities @ self.values)

    @property
    def std(self) -> float:
        """The standard deviation of q."""
        return math.sqrt(float(self.probabilities @ (self.values - self.mean) ** 2))

    def share_beyond(self, size: float) -> float:
        """Return the share of pairs with abs(q) > ``size``: near 1 for states frozen in one +- pair."""
        return float(self.probabilities[np.abs(self.values) > finite("size", size)].sum())

    def distance(self, other: OverlapDistribution) -> float:
        r"""Return the Wasserstein-1 distance to another law of as many spins.

        .. math:: W_1 = \int_{-1}^{1} \Bigl| \int_{-1}^q P(x) - P'(x) \, dx \Bigr| dq

        from 0 for equal laws to 2. Both laws live on the same grid, so the integral is one sum; a general
        routine would sort values that are sorted, and cost an import of ``scipy.stats``.

        Raises
        ------
        InvalidDataError
            If the laws are of different numbers of spins.

        Examples
        --------
        >>> same, apart = overlap_distribution([[1, 1], [1, 1]]), overlap_distribution([[1, 1], [-1, -1]])
        >>> same.distance(apart)
        2.0
        """
        spins_here, spins_there = len(self.values) - 1, len(other.values) - 1
        if spins_here != spins_there:
            raise InvalidDataError(
                f"laws of overlaps of {spins_here} and of {spins_there} spins have different supports: "
                "compare states of the same spins"
            )
        gaps = np.cumsum(self.probabilities - other.probabilities)
        return float(np.abs(gaps[:-1]).sum() * 2 / spins_here)


def state_rows(name: str, values: npt.ArrayLike, width: int | None = None, minimum: int = 1) -> States:
    """Return ``values`` as rows of at least one spin, ``minimum`` rows or more.

    >>> state_rows("samples", [[1, -1]]).shape
    (1, 2)
    """
    rows = spins(name, values, width)
    if len(rows) < minimum or not rows.shape[1]:
        raise InvalidDataError(
            f"{name} has {len(rows)} rows of {rows.shape[1]} spins: give at least {minimum} of 1 spin or more"
        )
    return rows


def product_blocks(first: States, second: States) -> Iterator[tuple[slice, Floats]]:
    """Yield the scalar products of rows of ``first`` with rows of ``second``, block by block.

    Each block comes with its rows of ``first``; memory does not grow with the number of rows. Products of
    fewer than 2^24 spins are exact in float32.
    """
    for low in range(0, len(second), BLOCK):
        columns = second[low : low + BLOCK].astype(np.float32).T
        for start in range(0, len(first), BLOCK):
            rows = slice(start, min(start + BLOCK, len(first)))
            yield rows, first[rows].astype(np.float32) @ columns


def overlaps(samples: npt.ArrayLike, others: npt.ArrayLike | None = None) -> Reals:
    r"""Return the overlap of each sample with each of another set, shape (n, m).

    .. math:: q_{ab} = \frac{1}{V} \sum_i v^a_i v^b_i = 1 - 2 d_{ab}

    with d the share of spins that differ: 1 for equal states, -1 for opposite ones.

    Parameters
    ----------
    samples
        Spins, shape (n, V); visible, hidden, or both layers.
    others
        Spins, shape (m, V). Left out, the samples themselves, with ones on the diagonal.

    Raises
    ------
    InvalidDataError
        If a set has no rows, values that are not spins, or another width.

    Examples
    --------
    >>> overlaps([[1, 1, 1, 1], [1, 1, 1, -1]])
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    first = state_rows("samples", samples)
    second = first if others is None else state_rows("others", others, first.shape[1])
    whole: Reals = (first.astype(np.float32) @ second.astype(np.float32).T) / np.float64(first.shape[1])
    return whole


def overlap_distribution(samples: npt.ArrayLike, others: npt.ArrayLike | None = None) -> OverlapDistribution:
    r"""Return the law P(q) of the overlaps of pairs of samples, the order parameter of spin glasses.

    .. math:: P(q) = \frac{2}{n (n - 1)} \sum_{a < b} \delta(q - q_{ab})

    One peak at 0 is the paramagnet, two at +-q a single pair of states, a broad law many states. A model that
    has learned its data has their P(q): take the distance between both. Memory does not grow with n.

    Parameters
    ----------
    samples
        Spins, shape (n, V).
    others
        Spins, shape (m, V): pairs are then taken between the two sets, all n m of them.

    Raises
    ------
    InvalidDataError
        If there is no pair, or a set has values that are not spins or another width.

    References
    ----------
    Parisi, Phys. Rev. Lett. 50, 1946 (1983).

    Examples
    --------
    >>> law = overlap_distribution([[1, 1], [1, 1], [1, -1]])
    >>> law.values.tolist(), law.probabilities.round(3).tolist()
    ([-1.0, 0.0, 1.0], [0.0, 0.667, 0.333])
    """
    first = state_rows("samples", samples, minimum=2 if others is None else 1)
    width = first.shape[1]
    second = first if others is None else state_rows("others", others, width)
    counts = np.zeros(width + 1, np.int64)
    for _, products in product_blocks(first, second):
        alike = (products.astype(np.intp).ravel() + width) // 2
        counts += np.bincount(alike, minlength=width + 1)
    if others is None:
        # Every state with itself was counted as well, and every pair twice.
        counts[width] -= len(first)
    return OverlapDistribution(2 * np.arange(width + 1) / width - 1, counts / counts.sum())


def ultrametricity(samples: npt.ArrayLike, *, triplets: int = 10_000, seed: Seed = None) -> float:
    r"""Return how far the distances of samples are from an ultrametric; 0 is a perfect tree.

    .. math:: K = \frac{\langle d_3 - d_2 \rangle}{\sigma(d)}, \quad d_1 \le d_2 \le d_3

    over triplets of distinct samples, d their Hamming distances. In an ultrametric space every triangle is
    isosceles with a short base, so that K = 0. Independent random spins have K = 3 / (2 sqrt(pi)) = 0.846:
    hold a model's samples against the data, and both against that. The standard deviation is that of the
    triplets' own distances; where they are all equal, K is 0.

    Parameters
    ----------
    samples
        Spins, shape (n, V), at least 3 rows.
    triplets
        How many triplets are drawn. Sets that have no more than that are taken whole, without chance.
    seed
        An int or a numpy Generator.

    Raises
    ------
    InvalidDataError
        If there are fewer than 3 samples, or values that are not spins.

    References
    ----------
    Katzgraber and Hartmann, Phys. Rev. Lett. 102, 037207 (2009), for K; Hartnett, Parker and Geist,
    Phys. Rev. E 98, 022116 (2018), for samples of a Boltzmann machine.

    Examples
    --------
    >>> tree, line = [[1, 1, 1, -1], [1, 1, -1, 1], [-1, -1, 1, 1]], [[1, 1], [1, -1], [-1, -1]]
    >>> ultrametricity(tree), round(ultrametricity(line), 3)
    (0.0, 2.121)
    """
    rows = state_rows("samples", samples, minimum=3)
    chosen = _triplets(len(rows), positive_integer("triplets", triplets), generator(seed))
    distances = np.empty(chosen.shape)
    step = max(1, TRIPLET_BLOCK // rows.shape[1])
    for start in range(0, len(chosen), step):
        part = slice(start, start + step)
        a, b, c = (rows[corner] for corner in chosen[part].T)
        for side, (x, y) in enumerate(((a, b), (a, c), (b, c))):
            distances[part, side] = (x != y).mean(axis=1)
    spread = float(distances.std())
    distances.sort(axis=1)
    return float((distances[:, 2] - distances[:, 1]).mean()) / spread if spread > 0 else 0.0


def _triplets(count: int, wanted: int, rng: np.random.Generator) -> Indices:
    """Return all triplets of ``count`` things if there are at most ``wanted``, else that many random ones."""
    if math.comb(count, 3) <= wanted:
        return np.array(list(itertools.combinations(range(count), 3)), dtype=np.intp)
    first, second, third = (rng.integers(count - taken, size=wanted) for taken in range(3))
    # Each number counts the things that are left: step over those already taken, the smaller one first.
    second += second >= first
    third += third >= np.minimum(first, second)
    third += third >= np.maximum(first, second)
    return np.stack([first, second, third], axis=1)
