"""The density of states of an Ising problem by the method of Wang and Landau."""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError, ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.progress import Bar
from rapid_ising.typing import Indices, Reals, States
from rapid_ising.validation import Seed, finite, generator, positive_integer

MAX_SPINS = 2048
"""The most spins; the walk takes far too long well before."""
SWEEPS = 50
"""Sweeps between two looks at the histogram."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DensityOfStates:
    """How many states a problem has in each bin of its energy.

    Examples
    --------
    >>> found = density_of_states(IsingModel([1.0, 1.0], np.zeros((2, 2))), width=1.0, seed=0)
    >>> found.energies, np.exp(found.log_density).round(1)
    (array([-2.,  0.,  2.]), array([1., 2., 1.]))
    """

    energies: Reals
    """The mean energy of the states visited in each bin that was, increasing, shape (B,)."""
    log_density: Reals
    """The logarithm of the number of states in each bin, shape (B,); together they are 2^N."""
    width: float
    """The width of a bin."""
    _walkers: Reals = dataclasses.field(repr=False)
    """The states that each walker would alone have counted in each bin, up to a factor, shape (W, B)."""

    def log_partition(self, beta: float = 1.0) -> float:
        r"""Return the logarithm of the partition function, in nats.

        .. math:: \log Z(\beta) = \log \sum_k g(E_k) e^{-\beta E_k}

        That all states of a bin have its mean energy lowers it by (beta width)^2 / 24 where they lie evenly,
        and by (beta width)^2 / 8 at most.
        """
        inverse = finite("beta", beta)
        return _log_sum(self.log_density - inverse * self.energies)

    def standard_error(self, beta: float = 1.0) -> float:
        """Return the standard error of log Z from the spread between walkers."""
        exponents = self.log_density - finite("beta", beta) * self.energies
        shares = np.exp(exponents - _log_sum(exponents))
        return float(self._errors(shares[:, np.newaxis])[0])

    @property
    def standard_errors(self) -> Reals:
        """The standard errors of ``log_density`` from the spread between walkers, shape (B,)."""
        return self._errors(np.eye(len(self.energies)))

    def _errors(self, shares: Reals) -> Reals:
        # Each walker's part in the sum, less its part in the count of all states, by which it is divided.
        parts = self._walkers / self._walkers.sum(axis=0) @ shares
        whole = self._walkers.sum(axis=1) / self._walkers.sum()
        count = len(whole)
        errors: Reals = np.sqrt(np.square(parts - whole[:, np.newaxis]).sum(axis=0) * count / (count - 1))
        return errors


def density_of_states(
    problem: IsingModel,
    *,
    width: float | None = None,
    walkers: int = 16,
    final_factor: float = 1e-5,
    flatness: float = 0.8,
    seed: Seed = None,
    deadline: float | None = None,
) -> DensityOfStates:
    r"""Estimate the number of states g(E) of a problem as a function of its energy.

    Walkers flip single spins with probability min(1, g(E) / g(E')), and each visit to a bin of energy
    multiplies its g by a factor, so that the histogram of energies becomes flat. When it is, the logarithm
    of the factor is halved; once it is below B / t, with B bins and t moves, it is B / t. Then g stays, and
    as many moves again count the visits n:

    .. math:: \hat g_k \propto g_k n_k, \quad \sum_k \hat g_k = 2^N

    which is without the bias of a g that changes. Sources: Wang and Landau, Phys. Rev. Lett. 86, 2050 (2001),
    reference 9 of arXiv:1910.01592; Belardinelli and Pereyra, Phys. Rev. E 75, 046701 (2007).

    It works for tens of spins. In a rugged landscape walkers do not find the lowest states, whose bins then
    are missing, and the time to cross all energies grows at least as the square of their number.

    Parameters
    ----------
    problem
        The Ising problem.
    width
        The width of a bin of energy; None takes a tenth of the standard deviation of the energies of all
        states. Levels a whole number of widths apart, down from the sum of the sizes of all coefficients,
        have bins of their own.
    walkers
        The number W of walkers, at least 2.
    final_factor
        The logarithm of the factor at which g stays; the moves are B / final_factor at least.
    flatness
        The least number of visits to a bin, divided by the mean, at which a histogram is called flat.
    seed
        An int or a numpy Generator; the same seed gives the same estimate.
    deadline
        The seconds that it may take.

    Raises
    ------
    ProblemTooLargeError
        If the problem has more than 2048 spins.
    InvalidParameterError
        If an option is out of its range.
    DeadlineExceededError
        If it takes too long.

    Examples
    --------
    >>> from rapid_ising.evaluation import log_partition
    >>> from rapid_ising.models import RBM
    >>> model = RBM(8, 6, seed=0, weight_std=0.5)
    >>> found = density_of_states(model.ising(), final_factor=1e-4, seed=0)
    >>> abs(found.log_partition() - log_partition(model)) < 0.2
    True
    """
    positive_integer("walkers", walkers, minimum=2)
    finite("final_factor", final_factor, minimum=0, maximum=1, exclusive=True)
    finite("flatness", flatness, minimum=0, maximum=1)
    limit = Deadline(deadline)
    rng = generator(seed)
    walk = EnergyWalk(problem, width, highest=None)
    states = (2 * rng.integers(2, size=(walkers, problem.num_variables)) - 1).astype(np.int8)
    sweeps = walk.flatten(states, final_factor, flatness, rng, limit=limit)
    walk.forget(walkers)
    with Bar("sweeps", sweeps) as bar:
        for _ in range(-(-sweeps // SWEEPS)):
            walk.move(states, SWEEPS, 0.0, rng)
            limit.check("the Wang-Landau walk")
            bar.advance(SWEEPS)
    return walk.density()


def spacing(problem: IsingModel) -> float:
    r"""Return the standard deviation of the energies of all states, 1 where they are all equal.

    .. math:: \sigma^2 = \sum_i h_i^2 + \sum_{i<j} J_{ij}^2
    """
    values = problem.couplings.to_coo()[2].astype(np.float64)
    return (
        math.sqrt(float(np.square(problem.fields.astype(np.float64)).sum() + np.square(values).sum())) or 1.0
    )


@final
class EnergyWalk:
    """Walkers on the energies of a problem, and the log g that they share; the offset is left out.

    Parameters
    ----------
    problem
        The problem.
    width
        The width of a bin; None takes a tenth of the standard deviation of the energies of all states.
    highest
        Energies from here up make one bin; None keeps them all apart.
    log_density
        What is known of log g, bins counted down from the highest energy; left out, nothing.
    """

    def __init__(
        self,
        problem: IsingModel,
        width: float | None,
        highest: float | None,
        log_density: Reals | None = None,
    ) -> None:
        if problem.num_variables > MAX_SPINS:
            raise ProblemTooLargeError(
                f"a walk over the energies of {problem.num_variables} spins would not come to an end: "
                f"at most {MAX_SPINS} can be asked for, and tens are what it is good for"
            )
        wanted = spacing(problem) / 10 if width is None else width
        self.width = finite("width", wanted, minimum=0, exclusive=True)
        self.offset = problem.offset
        self.fields = problem.fields.astype(np.float64)
        self.couplings = np.ascontiguousarray(problem.couplings.to_dense(), dtype=np.float64)
        largest = float(np.abs(self.fields).sum() + np.abs(self.couplings).sum() / 2)
        self.highest = largest if highest is None else highest
        # One bin more than are needed, so that rounding leaves none out.
        bins = math.ceil((self.highest + largest) / self.width) + 2
        if bins > 2**24:
            raise InvalidParameterError(f"width {width:g} makes {bins} bins of energy: give a larger one")
        known = np.zeros(0) if log_density is None else log_density
        self.log_density = np.full(max(bins, len(known)), -np.inf)
        self.log_density[: len(known)] = known
        self.forget(0)

    def forget(self, walkers: int) -> None:
        """Set the histogram of each walker to zero."""
        self.visits = np.zeros((walkers, len(self.log_density)), np.int64)
        self.sums = np.zeros(len(self.log_density))

    def move(self, states: States, sweeps: int, factor: float, rng: np.random.Generator) -> None:
        """Move the walkers in place for some sweeps of N moves each."""
        # Here, since numba is half of the time that an import of the library would take.
        from rapid_ising.kernels.wang_landau import flat_sweeps

        if len(self.visits) != len(states):
            self.forget(len(states))
        flat_sweeps(
            states,
            self.fields,
            self.couplings,
            self.highest,
            self.width,
            self.log_density,
            factor,
            sweeps,
            rng,
            self.visits,
            self.sums,
        )
        self.log_density -= self.log_density.max()

    def flatten(
        self,
        states: States,
        final_factor: float,
        flatness: float,
        rng: np.random.Generator,
        *,
        most: float = math.inf,
        limit: Deadline | None = None,
    ) -> int:
        """Lower the factor from 1 to ``final_factor`` as the histogram gets flat, in ``most`` sweeps at most.

        Returns the sweeps taken.
        """
        timer = limit or Deadline(None)
        factor, sweeps, by_time = 1.0, 0, False
        self.forget(len(states))
        # How long it takes shows in the factor alone.
        with Bar("sweeps", None) as bar:
            while factor > final_factor and sweeps < most:
                self.move(states, SWEEPS, factor, rng)
                timer.check("the Wang-Landau walk")
                sweeps += SWEEPS
                bar.advance(count=f"{sweeps} sweeps", note=f"factor {factor:.1e}, down to {final_factor:.1e}")
                known = self.log_density > -np.inf
                pace = float(known.sum() / (sweeps * states.size))
                if by_time:
                    factor = pace
                    continue
                histogram = self.visits.sum(axis=0)[known]
                if histogram.min() >= flatness * histogram.mean():
                    factor /= 2
                    by_time = factor <= pace
                    self.forget(len(states))
        return sweeps

    def density(self) -> DensityOfStates:
        """Return the density of states from log g and the visits since ``forget``, with g held."""
        visited = np.flatnonzero(self.visits.any(axis=0))[::-1]
        weights = self.log_density[visited]
        counts = np.exp(weights - weights.max()) * self.visits[:, visited]
        total = counts.sum(axis=0)
        return DensityOfStates(
            energies=self.offset + self.sums[visited] / self.visits[:, visited].sum(axis=0),
            log_density=np.log(total / total.sum()) + len(self.fields) * math.log(2.0),
            width=self.width,
            _walkers=counts,
        )

    def bins(self, energies: npt.ArrayLike) -> Indices:
        """Return the bin of each energy, as the kernel counts them."""
        down = np.ceil((self.highest - np.asarray(energies)) / self.width)
        return np.clip(down, 0, len(self.log_density) - 1).astype(np.intp)


def _log_sum(exponents: Reals) -> float:
    highest = float(exponents.max())
    return highest + math.log(float(np.exp(exponents - highest).sum()))
