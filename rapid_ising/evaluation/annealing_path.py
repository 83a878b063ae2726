"""The path of laws from independent pixels to a model that annealed importance sampling walks along."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import final

import numpy as np

from rapid_ising.deadline import Deadline
from rapid_ising.enumeration import log_2cosh_sums
from rapid_ising.gibbs import sample_spins
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import Floats, Reals

BLOCK = 2**16
"""Spins of one layer that are drawn at once: half a megabyte in float64, which stays in the cache."""
PILOT_CHAINS = 100
"""Chains of the short run that the steps are measured with."""
PILOT_STEP = 1.0
"""The largest standard deviation of a log-weight, in nats, within one step of the short run."""
WHO = "annealed importance sampling"


@final
class AnnealingPath:
    r"""Laws of the visible spins between a base, at t = 0, and a model at ``beta``, at t = 1.

    .. math:: p^*_t(v) = e^{(1 - t) a \cdot v + t \beta b \cdot v} \prod_a 2\cosh(t \beta x_a(v))

    with base fields a, visible biases b and hidden fields x_a(v) = c_a + sum_i W_ai v_i: the hidden spins are
    summed out. At t = 1 it is exp(-beta F(v)), whose sum is the Z of the model.

    Parameters
    ----------
    model
        The model, of V visible and H hidden spins.
    beta
        The inverse temperature of the end.
    base
        The fields a of the independent pixels, shape (V,).

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> path = AnnealingPath(RBM(3, 2, seed=0), 1.0, np.zeros(3))
    >>> round(path.log_base / math.log(2), 6)
    5.0
    """

    def __init__(self, model: TwoLayerModel, beta: float, base: Reals) -> None:
        self.model = model
        self.beta = beta
        self.base = base
        biases = np.zeros(model.n_visible) if model.biases is None else model.biases.astype(np.float64)
        self._slope: Reals = beta * biases - base

    @property
    def log_base(self) -> float:
        """The logarithm of the sum of p* at t = 0."""
        pixels = float(np.logaddexp(self.base, -self.base).sum())
        return pixels + self.model.n_hidden * math.log(2.0)

    def draw(self, chains: int, rng: np.random.Generator) -> Floats:
        """Return independent states from the base, shape (chains, V)."""
        fields = np.broadcast_to(-self.base, (chains, self.model.n_visible))
        return sample_spins(fields.astype(self.model.dtype), 1.0, rng)

    def increments(self, visible: Floats, hidden_fields: Floats, t: float, u: float) -> Reals:
        """Return log p*_u(v) - log p*_t(v) of each state, given its hidden fields x(v)."""
        fields = hidden_fields.astype(np.float64)
        change: Reals = (u - t) * (visible @ self._slope)
        change += log_2cosh_sums(u * self.beta * fields)
        change -= log_2cosh_sums(t * self.beta * fields)
        return change

    def step(self, hidden_fields: Floats, t: float, rng: np.random.Generator) -> Floats:
        """Return visible states after one Gibbs step v -> h -> v at t, given the hidden fields x(v).

        It leaves p_t as it is, and is reversible: p_t(v) P(v -> v') = sum_h p_t(v, h) p_t(v', h) / p_t(h).
        """
        scale = t * self.beta
        hidden = sample_spins(-hidden_fields, scale, rng)
        fields = self.model.visible_fields(hidden)
        fields *= scale
        fields += (1 - t) * self.base
        return sample_spins(-fields, 1.0, rng)

    def anneal(
        self, visible: Floats, fractions: Reals, rng: np.random.Generator, deadline: Deadline
    ) -> Iterator[Reals]:
        """Move chains along ``fractions`` of the path, in place, and yield their log-weights at each.

        The hidden fields of a state are computed once, for its weight and for its step. What is yielded is
        one array, which changes.
        """
        log_weights = np.zeros(len(visible))
        for t, u in itertools.pairwise(fractions.tolist()):
            for rows in self._blocks(len(visible), deadline):
                hidden_fields = self.model.hidden_fields(visible[rows])
                log_weights[rows] += self.increments(visible[rows], hidden_fields, t, u)
                visible[rows] = self.step(hidden_fields, u, rng)
            yield log_weights

    def equilibrate(self, visible: Floats, steps: int, rng: np.random.Generator, deadline: Deadline) -> None:
        """Take Gibbs steps of the model itself, in place."""
        for _ in range(steps):
            for rows in self._blocks(len(visible), deadline):
                visible[rows] = self.step(self.model.hidden_fields(visible[rows]), 1.0, rng)

    def even_fractions(self, count: int, rng: np.random.Generator, deadline: Deadline) -> Reals:
        r"""Return ``count`` + 1 fractions from 0 to 1 with the same spread of log-weights between any two.

        The variance of a weight is a sum over the steps, least for its size when all are equal, which places
        the fractions evenly in the length

        .. math:: \Lambda(t) = \int_0^t \sqrt{\mathrm{Var}_{p_s}(\partial_s \log p^*_s)} \, ds

        A short run measures it, at any scale of the energy: it halves its step while the standard deviation
        of the log-weights is more than one nat, and tries twice the step next. Source: thermodynamic length,
        Gelman and Meng, Statistical Science 13 (1998) 163, section 4.
        """
        visible = self.draw(PILOT_CHAINS, rng)
        times, lengths, step = [0.0], [0.0], 1.0
        while times[-1] < 1:
            deadline.check(WHO)
            hidden_fields = self.model.hidden_fields(visible)
            step = min(2 * step, 1 - times[-1])
            while True:
                ahead = min(times[-1] + step, 1.0)
                spread = float(self.increments(visible, hidden_fields, times[-1], ahead).std())
                if spread <= PILOT_STEP or step < 1e-12:
                    break
                step /= 2
            times.append(ahead)
            lengths.append(lengths[-1] + spread)
            visible = self.step(hidden_fields, ahead, rng)
        if not lengths[-1]:
            return np.linspace(0.0, 1.0, count + 1)
        return np.interp(np.linspace(0.0, lengths[-1], count + 1), lengths, times)

    def _blocks(self, chains: int, deadline: Deadline) -> Iterator[slice]:
        size = max(1, BLOCK // max(self.model.n_visible, self.model.n_hidden))
        for start in range(0, chains, size):
            deadline.check(WHO)
            yield slice(start, start + size)
