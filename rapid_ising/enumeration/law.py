"""What an exact enumeration tells of a model, and the states that it visits."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from rapid_ising.arrays import Place, is_numpy, namespace, to_numpy
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Floats, Indices, Reals, States

BLOCK = 2**16
"""Entries of one block of work: half a megabyte, which stays in the cache."""


def spin_states(num_spins: int, indices: Indices) -> Reals:
    """Return the states of the given indices; bit i of an index is spin i, a set bit is +1.

    Examples
    --------
    >>> spin_states(2, np.arange(4)).astype(int).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    bits = (indices[:, None] >> np.arange(num_spins)[None, :]) & 1
    return np.where(bits == 1, 1.0, -1.0)


def log_2cosh_sums(values: Floats) -> Reals:
    """Return sum_a log 2 cosh(x_a) of each row, without overflow; one exponential an entry.

    The factors 1 + exp(-2|x|) lie in (1, 2], so 512 of them are multiplied before one logarithm.
    """
    if not is_numpy(values):
        # Entries in their own type, sums in the widest that the device has.
        xp, widest = namespace(values), Place.of(values).wide()
        size = xp.abs(values)
        sums = xp.sum(size, axis=1, dtype=widest)
        sums += xp.sum(xp.log1p(xp.exp(-2.0 * size)), axis=1, dtype=widest)
        return np.asarray(to_numpy(sums), np.float64)
    size = np.abs(values)
    total: Reals = size.sum(axis=1)
    factors = np.exp(np.multiply(size, -2.0, out=size), out=size)
    factors += 1.0
    for start in range(0, values.shape[1], 512):
        total += np.log(factors[:, start : start + 512].prod(axis=1))
    return total


def blocks(total: int, width: int, deadline: Deadline, entries: int = BLOCK) -> Iterator[Indices]:
    """Yield the numbers below ``total`` in blocks of about ``entries`` / ``width``, while there is time."""
    step = max(1, entries // max(1, width))
    for start in range(0, total, step):
        deadline.check("enumeration")
        yield np.arange(start, min(start + step, total))


def tolerance(*coefficients: Reals) -> float:
    """Return how far above the lowest energy a state still counts as a ground state: beyond rounding."""
    return 1e-12 * sum(float(np.abs(part).sum()) for part in coefficients)


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
