"""The paths of laws from independent spins to a model that annealed importance sampling walks along."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar, final

import numpy as np

from rapid_ising.arrays import to_numpy, widened
from rapid_ising.deadline import Deadline
from rapid_ising.enumeration import log_2cosh_sums
from rapid_ising.errors import InvalidParameterError
from rapid_ising.gibbs import gibbs_sweeps, sample_spins
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import Model
from rapid_ising.models.rbm import RBM
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.progress import Bar
from rapid_ising.typing import Floats, Reals

BLOCK = 2**15
"""Spins of one layer that are drawn at once: a quarter of a megabyte in float64, which stays in the cache."""
DEVICE_BLOCK = 2**24
"""The same of arrays of another library, whose device wants much work at once: 64 megabytes in float32."""
PILOT_CHAINS = 100
"""Chains of the short run that the steps are measured with."""
PILOT_STEPS = 20_000
"""The most steps of the run that measures a path."""
PILOT_LEAST = (PILOT_STEPS // 10, 1e-3)
"""Steps, and how far they must have come: from less, the rest would have to go a hundred times as fast."""
PILOT_STEP = 1.0
"""The largest standard deviation of a log-weight, in nats, within one step of the short run."""
WHO = "annealed importance sampling"
Prepared = TypeVar("Prepared")


class Path(ABC, Generic[Prepared]):
    """Laws p*_t of spins, not normalised, from a base at t = 0 whose sum is known to a model at t = 1."""

    width: int
    """The spins that are drawn together in a step, for the size of blocks."""
    block: int = BLOCK
    """The spins of one layer that are drawn at once."""

    @property
    @abstractmethod
    def log_base(self) -> float:
        """The logarithm of the sum of p* at t = 0."""

    @abstractmethod
    def draw(self, chains: int, rng: np.random.Generator) -> Floats:
        """Return independent states from the base, one row a chain."""

    @abstractmethod
    def prepare(self, states: Floats) -> Prepared:
        """Return what both the weight and the step of a state need."""

    @abstractmethod
    def increments(self, states: Floats, prepared: Prepared, t: float, u: float) -> Reals:
        """Return log p*_u - log p*_t of each state."""

    @abstractmethod
    def step(self, prepared: Prepared, t: float, rng: np.random.Generator) -> Floats:
        """Return states after a step that leaves p_t as it is."""

    def anneal(
        self, states: Floats, fractions: Reals, rng: np.random.Generator, deadline: Deadline
    ) -> Iterator[Reals]:
        """Move chains along ``fractions`` of the path, in place, and yield their log-weights at each.

        What a state needs is computed once, for its weight and for its step. What is yielded is one array,
        which changes.
        """
        log_weights = np.zeros(states.shape[0])
        for t, u in itertools.pairwise(fractions.tolist()):
            for rows in self._blocks(states.shape[0], deadline):
                here = states[rows, :]
                prepared = self.prepare(here)
                log_weights[rows] += self.increments(here, prepared, t, u)
                states[rows, :] = self.step(prepared, u, rng)
            yield log_weights

    def equilibrate(self, states: Floats, steps: int, rng: np.random.Generator, deadline: Deadline) -> None:
        """Take Gibbs steps of the model itself, in place."""
        with Bar("Gibbs steps", steps) as bar:
            for _ in range(steps):
                for rows in self._blocks(states.shape[0], deadline):
                    states[rows, :] = self.step(self.prepare(states[rows, :]), 1.0, rng)
                bar.advance()

    def even_fractions(self, count: int, rng: np.random.Generator, deadline: Deadline) -> Reals:
        r"""Return ``count`` + 1 fractions from 0 to 1 with the same spread of log-weights between any two.

        The variance of a weight is a sum over the steps, least for its size when all are equal, which places
        the fractions evenly in the length

        .. math:: \Lambda(t) = \int_0^t \sqrt{\mathrm{Var}_{p_s}(\partial_s \log p^*_s)} \, ds

        A short run measures it, at any scale of the energy: it halves its step while the standard deviation
        of the log-weights is more than one nat, and tries twice the step next. Source: thermodynamic length,
        Gelman and Meng, Statistical Science 13 (1998) 163, section 4.
        """
        states = self.draw(PILOT_CHAINS, rng)
        times, lengths, step = [0.0], [0.0], 1.0
        while times[-1] < 1:
            deadline.check(WHO)
            prepared = self.prepare(states)
            step = min(2 * step, 1 - times[-1])
            while True:
                ahead = min(times[-1] + step, 1.0)
                spread = float(self.increments(states, prepared, times[-1], ahead).std())
                if spread <= PILOT_STEP or step < 1e-12:
                    break
                step /= 2
            steps, least = PILOT_LEAST
            if len(times) > PILOT_STEPS or (len(times) > steps and times[-1] < least):
                raise InvalidParameterError(
                    f"{WHO} came to {times[-1]:.2g} of its path in {len(times) - 1} steps of a nat: the "
                    "model is too cold, or its training diverged; ask at a lower beta, or give betas"
                )
            times.append(ahead)
            lengths.append(lengths[-1] + spread)
            states = self.step(prepared, ahead, rng)
        if not lengths[-1]:
            return np.linspace(0.0, 1.0, count + 1)
        return np.interp(np.linspace(0.0, lengths[-1], count + 1), lengths, times)

    def _blocks(self, chains: int, deadline: Deadline) -> Iterator[slice]:
        size = max(1, self.block // self.width)
        for start in range(0, chains, size):
            deadline.check(WHO)
            yield slice(start, min(start + size, chains))


@final
class AnnealingPath(Path[Floats]):
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
        biases = np.zeros(model.n_visible) if model.biases is None else to_numpy(model.biases)
        slope: Reals = beta * biases.astype(np.float64) - base
        self._slope, self._base = (self._beside_chains(values) for values in (slope, base))
        self.width = max(model.n_visible, model.n_hidden)
        if not model.place.is_numpy:
            self.block = DEVICE_BLOCK

    def _beside_chains(self, values: Reals) -> Floats:
        """Return numbers where the chains are; NumPy's stay in float64."""
        place = self.model.place
        here: Floats = values if place.is_numpy else place.put(values.astype(self.model.dtype))
        return here

    @property
    def log_base(self) -> float:  # noqa: D102
        pixels = float(np.logaddexp(self.base, -self.base).sum())
        return pixels + self.model.n_hidden * math.log(2.0)

    def prepare(self, states: Floats) -> Floats:
        """Return the hidden fields x(v)."""
        return self.model.hidden_fields(states)

    def draw(self, chains: int, rng: np.random.Generator) -> Floats:  # noqa: D102
        fields = np.broadcast_to(-self.base, (chains, self.model.n_visible))
        return sample_spins(self.model.place.put(fields.astype(self.model.dtype)), 1.0, rng)

    def increments(self, states: Floats, prepared: Floats, t: float, u: float) -> Reals:
        """Return log p*_u(v) - log p*_t(v) of each state, given its hidden fields x(v)."""
        fields = widened(prepared)
        change: Reals = (u - t) * to_numpy(states @ self._slope).astype(np.float64)
        change += log_2cosh_sums(u * self.beta * fields)
        change -= log_2cosh_sums(t * self.beta * fields)
        return change

    def step(self, prepared: Floats, t: float, rng: np.random.Generator) -> Floats:
        """Return visible states after one Gibbs step v -> h -> v at t, given the hidden fields x(v).

        It leaves p_t as it is, and is reversible: p_t(v) P(v -> v') = sum_h p_t(v, h) p_t(v', h) / p_t(h).
        """
        scale = t * self.beta
        hidden = sample_spins(-prepared, scale, rng)
        fields = self.model.visible_fields(hidden)
        fields *= scale
        fields += (1 - t) * self._base
        return sample_spins(-fields, 1.0, rng)


@final
class StatePath(Path[tuple[Floats, Reals]]):
    r"""Laws of all spins of an Ising problem between independent spins, at t = 0, and ``beta``, at t = 1.

    .. math:: p^*_t(s) = e^{(1 - t) a \cdot s - t \beta E(s)}

    A step is a Gibbs sweep.

    Parameters
    ----------
    problem
        The problem, of N spins.
    beta
        The inverse temperature of the end.
    base
        The fields a of the independent spins, shape (N,).

    Examples
    --------
    >>> path = StatePath(IsingModel(np.zeros(3), np.zeros((3, 3))), 1.0, np.zeros(3))
    >>> round(path.log_base / math.log(2), 6)
    3.0
    """

    def __init__(self, problem: IsingModel, beta: float, base: Reals) -> None:
        self.problem = problem
        self.beta = beta
        self.base = base
        self.width = problem.num_variables

    @property
    def log_base(self) -> float:  # noqa: D102
        return float(np.logaddexp(self.base, -self.base).sum())

    def draw(self, chains: int, rng: np.random.Generator) -> Floats:  # noqa: D102
        return sample_spins(np.broadcast_to(-self.base, (chains, self.width)).copy(), 1.0, rng)

    def prepare(self, states: Floats) -> tuple[Floats, Reals]:
        """Return the states with their energies."""
        return states, self.problem.energies(states)

    def increments(  # noqa: D102
        self, states: Floats, prepared: tuple[Floats, Reals], t: float, u: float
    ) -> Reals:
        change: Reals = -(u - t) * (self.beta * prepared[1] + states @ self.base)
        return change

    def step(  # noqa: D102
        self, prepared: tuple[Floats, Reals], t: float, rng: np.random.Generator
    ) -> Floats:
        problem, scale = self.problem, t * self.beta
        if self.base.any():
            fields = scale * problem.fields - (1 - t) * self.base
            problem, scale = IsingModel(fields, problem.couplings.scaled(scale)), 1.0
        return gibbs_sweeps(problem, prepared[0], 1, scale, rng).astype(np.float64)


def annealing_path(model: Model, beta: float, base: Reals) -> AnnealingPath | StatePath:
    """Return the path to a model from a base of fields on its visible spins, (V,).

    Its states are of the spins that the model's chains carry. The layers between these are summed out: a deep
    machine is one of two layers, its even ones and its odd ones.
    """
    if isinstance(model, TwoLayerModel):
        return AnnealingPath(model, beta, base)
    padded = np.concatenate([base, np.zeros(len(model.carried) - model.n_visible)])
    problem = model.ising()
    split = problem.bipartition() if len(model.layers) > 1 else None
    if split is None:
        return StatePath(problem, beta, padded)
    even, odd = len(model.carried), problem.num_variables - len(model.carried)
    folded = RBM(even, odd, weight_std=0.0, dtype=model.dtype)
    first, second = np.arange(even), np.arange(even, even + odd)
    folded.weights[:] = -split[0].couplings.submatrix(second, first)
    folded.parameters["visible_biases"][:] = -split[0].fields[:even]
    folded.parameters["hidden_biases"][:] = -split[0].fields[even:]
    return AnnealingPath(folded, beta, padded)
