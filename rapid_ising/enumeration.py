"""Exact Boltzmann averages, samples and ground states of small models, by visiting every state.

Two ways, chosen by ``enumerate_model``. *Halves*: the N spins are cut into two halves a and b, and
E(a, b) = E_a + E_b + a J b of all pairs comes from one matrix product, block by block. *Layers*: in a model
of two layers the spins x of the larger one are independent given the smaller one s, so that they are summed
out: sum_x exp(-beta E(s, x)) = exp(-beta (c + h s)) prod_a 2 cosh(beta f_a(s)).
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import row_products
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.typing import Indices, Reals, States
from rapid_ising.validation import inverse_temperature

MAX_SPINS = 26
"""The most spins of a model without layers."""
MAX_LAYER = 22
"""The most spins of the smaller layer of a model with two layers."""
BLOCK = 2**16
"""Entries of one block of work: half a megabyte, which stays in the cache."""
NEGLIGIBLE = 1e-20
"""States of lower probability are left out of averages: together they weigh less than 1e-13."""


def spin_states(num_spins: int, indices: Indices) -> Reals:
    """Return the states of the given indices; bit i of an index is spin i, a set bit is +1.

    Examples
    --------
    >>> spin_states(2, np.arange(4)).astype(int).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    bits = (indices[:, None] >> np.arange(num_spins)[None, :]) & 1
    return np.where(bits == 1, 1.0, -1.0)


def log_2cosh_sums(values: Reals) -> Reals:
    """Return sum_a log 2 cosh(x_a) of each row, without overflow; one exponential an entry.

    The factors 1 + exp(-2|x|) lie in (1, 2], so 512 of them are multiplied before one logarithm.
    """
    size = np.abs(values)
    total: Reals = size.sum(axis=1)
    factors = np.exp(np.multiply(size, -2.0, out=size), out=size)
    factors += 1.0
    for start in range(0, values.shape[1], 512):
        total += np.log(factors[:, start : start + 512].prod(axis=1))
    return total


def _blocks(total: int, width: int, deadline: Deadline, entries: int = BLOCK) -> Iterator[Indices]:
    step = max(1, entries // max(1, width))
    for start in range(0, total, step):
        deadline.check("enumeration")
        yield np.arange(start, min(start + step, total))


@dataclasses.dataclass(frozen=True)
class Moments:
    """Averages under the Boltzmann law.

    ``means`` is <s_i>, shape (N,). ``pairs`` is <s_i s_j>: where a layer was summed out the block of the
    first with the second layer (those of ``model.bipartition()``), else the whole N x N matrix.
    """

    means: Reals
    pairs: Reals


class Enumeration(ABC):
    """Everything that can be known of a model at one inverse temperature, exactly.

    At beta = infinity the law is uniform over the ground states.
    """

    beta: float
    ground_energy: float
    """The lowest energy of the model."""
    deadline: Deadline
    """When to give up, in the enumeration and in what is asked of it."""
    _log_partition: float

    @property
    def log_partition(self) -> float:
        """The logarithm of Z = sum_s exp(-beta E(s)), in nats."""
        if math.isinf(self.beta):
            raise InvalidParameterError("log Z has no limit at beta = infinity: ask at a finite beta")
        return self._log_partition

    @abstractmethod
    def sample(self, num_reads: int, rng: np.random.Generator) -> States:
        """Return independent draws from the Boltzmann law, shape (num_reads, N)."""

    @abstractmethod
    def moments(self, whole: bool = False) -> Moments:
        """Return the exact means of the spins and of their products, with ``whole`` those of all pairs."""


def enumerate_model(
    model: IsingModel, beta: float = 1.0, deadline: float | Deadline | None = None
) -> Enumeration:
    r"""Visit every state of a small model.

    .. math:: Z = \sum_s e^{-\beta E(s)}

    Parameters
    ----------
    model
        Up to 26 spins, or two layers of which the smaller has up to 22.
    beta
        The inverse temperature; infinity means the ground states.
    deadline
        The seconds that it may take.

    Raises
    ------
    ProblemTooLargeError
        If the model has too many spins for both ways.

    Examples
    --------
    >>> exact = enumerate_model(IsingModel([1.0], np.zeros((1, 1))))
    >>> round(float(exact.moments().means[0]), 6), round(float(-np.tanh(1.0)), 6)
    (-0.761594, -0.761594)
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    inverse = inverse_temperature(beta)
    check_enumerable(model)
    kind: type[HalvesEnumeration] | type[LayersEnumeration]
    kind = LayersEnumeration if _by_layers(model) else HalvesEnumeration
    law = kind(model, inverse, limit)
    if limit is not deadline:
        # A time for the enumeration, given in seconds, is not one for what is asked of it later.
        law.deadline = Deadline(None)
    return law


def _by_layers(model: IsingModel) -> bool:
    """Return whether a layer is summed out: the odd layers or the even ones, where there are layers."""
    layers = model.couplings.layers
    summable = layers is not None and min(sum(layers[::2]), sum(layers[1::2])) <= MAX_LAYER
    return summable or model.num_variables > MAX_SPINS


def enumeration_work(model: IsingModel) -> float:
    """Return about how many numbers an enumeration computes; 2^27 take a second. Infinity where it cannot.

    >>> enumeration_work(IsingModel(np.zeros(10), np.zeros((10, 10))))
    1024.0
    """
    if not _by_layers(model):
        return 2.0**model.num_variables
    split = model.bipartition()
    small, large = sorted(split[0].couplings.layers or ()) if split is not None else (math.inf, math.inf)
    return 2.0**small * large if small <= MAX_LAYER else math.inf


def check_enumerable(model: IsingModel) -> None:
    """Raise ProblemTooLargeError when ``enumerate_model`` cannot take the model."""
    n = model.num_variables
    if n <= MAX_SPINS:
        return
    split = model.bipartition()
    smaller = min(split[0].couplings.layers or (n,)) if split is not None else n
    if smaller > MAX_LAYER:
        shape = (
            f"two layers, the smaller of {smaller}" if split is not None else "a graph that is not bipartite"
        )
        raise ProblemTooLargeError(
            f"enumeration takes {MAX_SPINS} spins, or two layers of which the smaller has {MAX_LAYER}; "
            f"this model has {n} spins and {shape}: use a sampling backend, or a smaller model"
        )


def _tolerance(*coefficients: Reals) -> float:
    """Return how far above the lowest energy a state still counts as a ground state: beyond rounding."""
    return 1e-12 * sum(float(np.abs(part).sum()) for part in coefficients)


@final
class HalvesEnumeration(Enumeration):
    """All states of up to 26 spins, as pairs of half states."""

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
        self._energy_b = inner(self._b, second)
        self._across = (self._a @ couplings[np.ix_(first, second)], self._b.T.copy())
        rows = len(self._a)
        self._lowest = min(float(self._energies(r).min()) for r in self._row_blocks(rows))
        self.ground_energy = model.offset + self._lowest
        self._slack = _tolerance(fields, couplings)
        self._row_weights = np.concatenate([self._weights(r).sum(axis=1) for r in self._row_blocks(rows)])
        self._total = float(self._row_weights.sum())
        self._log_partition = math.log(self._total)
        if math.isfinite(beta):
            self._log_partition -= beta * self.ground_energy

    def _row_blocks(self, count: int) -> Iterator[Indices]:
        return _blocks(count, len(self._b), self.deadline)

    def _energies(self, rows: Indices) -> Reals:
        energies = self._across[0][rows] @ self._across[1]
        energies += self._energy_a[rows, None]
        energies += self._energy_b[None, :]
        return energies

    def _weights(self, rows: Indices) -> Reals:
        """Return exp(-beta (E - E_ground)), or 1 for ground states at beta = infinity."""
        excess = self._energies(rows)
        excess -= self._lowest
        if math.isinf(self.beta):
            return (excess <= self._slack).astype(np.float64)
        return np.exp(np.multiply(excess, -self.beta, out=excess), out=excess)

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

    def moments(self, whole: bool = False) -> Moments:  # noqa: D102
        n1 = self._cut
        n = n1 + self._b.shape[1]
        row_p = self._row_weights / self._total
        column_p = np.zeros(len(self._b))
        pairs = np.eye(n)
        for rows in self._row_blocks(len(self._a)):
            weights = self._weights(rows)
            column_p += weights.sum(axis=0) / self._total
            pairs[:n1, n1:] += self._a[rows].T @ (weights @ self._b) / self._total
        pairs[n1:, :n1] = pairs[:n1, n1:].T
        pairs[:n1, :n1] = (self._a * row_p[:, None]).T @ self._a
        pairs[n1:, n1:] = (self._b * column_p[:, None]).T @ self._b
        return Moments(np.concatenate([row_p @ self._a, column_p @ self._b]), pairs)


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
        for high in _blocks(2**high_spins, low_fields.size, deadline, 2**24):
            high_states = spin_states(high_spins, high)
            rows = slice(int(high[0]) << cut, (int(high[-1]) + 1) << cut)
            parts = layer_sums(low_fields, high_states @ self._block[cut:], 0.0 if math.isinf(beta) else beta)
            sums[rows], extents[rows] = parts[0].ravel(), parts[1].ravel()
            high_linear = high_states @ self._fields[self._small[cut:]]
            linear[rows] = np.add.outer(high_linear, low_states @ self._fields[self._small[:cut]]).ravel()
        # The offset stays out of the weights, where a large one would drown the energies.
        lowest = linear - extents
        self.ground_energy = model.offset + float(lowest.min())
        if math.isinf(beta):
            ground = np.flatnonzero(lowest <= lowest.min() + _tolerance(self._fields, self._block))
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
        for block in _blocks(len(indices), self._block.shape[1], self.deadline):
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
        for reads in _blocks(num_reads, self._block.shape[1], self.deadline):
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
        by_low, large = np.zeros_like(low_fields), np.zeros(len(self._large))
        pairs = np.empty(self._block.shape)
        pairs[cut:] = 0.0
        for rows in _blocks(len(high), low_fields.size, self.deadline, 2**24):
            fields = high[rows] @ self._block[cut:]
            part, by_high = layer_means(low_fields, fields, self.beta, table[rows], NEGLIGIBLE)
            by_low += part
            pairs[cut:] += high[rows].T @ by_high
            large += by_high.sum(axis=0)
        pairs[:cut] = low.T @ by_low
        small = np.concatenate([table.sum(axis=0) @ low, table.sum(axis=1) @ high])
        return small, large, pairs

    def _state_by_state(self) -> Iterator[tuple[Reals, Reals, Reals]]:
        """Yield blocks of states of the small layer, their probabilities and the means of the large layer."""
        for block in self._state_blocks(np.flatnonzero(self._probabilities > NEGLIGIBLE)):
            states, fields = self._visit(block)
            yield states, self._probabilities[block, None], self._large_means(fields)

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
