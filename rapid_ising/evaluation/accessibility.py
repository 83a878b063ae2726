"""How near to the ground state a model's own states come, and how loaded with patterns it is."""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np

from rapid_ising.couplings import Patterns
from rapid_ising.enumeration import enumerate_model
from rapid_ising.errors import InvalidParameterError
from rapid_ising.gibbs import gibbs_sweeps
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import Model
from rapid_ising.typing import States
from rapid_ising.validation import Seed, finite, generator, inverse_temperature, positive_integer

GLOBAL_LOAD = 0.051
"""Below it patterns are the global minima of a Hopfield model (Amit, Gutfreund, Sompolinsky 1987)."""
SAFE_LOAD = 0.07
"""Up to it an RBM of random patterns relaxes from each to an overlap of 0.95 or more, as measured."""
CRITICAL_LOAD = 0.138
"""Above it a Hopfield model has no retrieval states at all (Amit, Gutfreund, Sompolinsky 1987)."""


def ising_problem(model: Model | IsingModel) -> IsingModel:
    """Return the Ising problem of a model, or the problem that was given."""
    return model if isinstance(model, IsingModel) else model.ising()


def ground_energy(model: Model | IsingModel, known: float | None = None) -> float:
    r"""Return the lowest energy of a model by enumeration, its offset included.

    .. math:: E_0 = \min_{v, h} E(v, h) = \min_v \Bigl( -b \cdot v - \sum_a |x_a(v)| \Bigr)

    Parameters
    ----------
    model
        A model or an Ising problem small enough for ``enumerate_model``.
    known
        The lowest energy where it is known, which is then returned: for larger models the lowest that a
        machine finds at beta = infinity.

    Raises
    ------
    ProblemTooLargeError
        If the model is too large to be enumerated and ``known`` is left out.
    InvalidParameterError
        If ``known`` is not finite.

    Examples
    --------
    >>> ground_energy(IsingModel([0.5, 0.0], [[0, -1], [-1, 0]]))
    -1.5
    """
    if known is not None:
        return finite("the ground energy", known)
    return enumerate_model(ising_problem(model), math.inf).ground_energy


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accessibility:
    """The lowest energies that chains and patterns reach, as shares of the ground energy; 1 is the best."""

    ground_energy: float
    """The lowest energy of the model, its offset included."""
    gibbs: float
    """The lowest energy of the chains after their Gibbs steps."""
    gibbs_relaxed: float
    """The same after each chain has relaxed at zero temperature."""
    patterns: float | None
    """The lowest energy of the signs of the patterns; None for a model without patterns."""
    patterns_relaxed: float | None
    """The same after each pattern has relaxed at zero temperature."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers that there are, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def accessibility(
    model: Model | IsingModel,
    *,
    chains: int = 10,
    steps: int = 100,
    beta: float = 1.0,
    lowest_energy: float | None = None,
    seed: Seed = None,
) -> Accessibility:
    r"""Return how near to the ground state Gibbs chains and patterns come.

    .. math:: A_{\text{Gibbs}} = \min_{c} E(s^c_k) / E_0, \quad A_{\text{patterns}} = \min_k E(\xi^k) / E_0

    over chains from random states after k steps at ``beta``, and over the signs of the patterns. Energies
    count from the offset. The raw numbers measure how cold a model is as much as how rugged: a model of large
    weights has 0.98 before any training. The relaxed ones, of the same states after sweeps at zero
    temperature until no energy falls, do not depend on the size of the weights.

    Parameters
    ----------
    model
        A model or an Ising problem; it has patterns if its couplings are ``Patterns``. With fields the
        patterns and their negatives differ, and both are tried.
    chains, steps, beta
        The chains, their Gibbs steps, and the inverse temperature of these.
    lowest_energy
        The ground energy where it is known; left out, it is enumerated. If it was only the lowest one found,
        a share above 1 says that there is a lower one.
    seed
        An int or a numpy Generator.

    Raises
    ------
    ProblemTooLargeError
        If the ground energy has to be enumerated and the model is too large.
    InvalidParameterError
        If a number is out of its range, or ``lowest_energy`` is not below the offset.

    References
    ----------
    arXiv:1910.01592 and the program of its authors.

    Examples
    --------
    >>> from rapid_ising.models import PatternRBM
    >>> single = accessibility(PatternRBM(6, 4, 1, seed=0, amplitude=1.0), seed=0)
    >>> round(single.patterns, 6), round(single.gibbs_relaxed, 6)
    (1.0, 1.0)
    """
    problem, rng = ising_problem(model), generator(seed)
    inverse = inverse_temperature(beta)
    count = positive_integer("chains", chains)
    ground = ground_energy(problem, lowest_energy)
    depth = ground - problem.offset
    if depth > 0 or (depth == 0 and lowest_energy is not None):
        raise InvalidParameterError(
            f"lowest_energy {ground:g} is not below the mean energy of all states, {problem.offset:g}: no "
            "ground energy of a model with couplings or fields is that high"
        )

    def share(states: States) -> float:
        # Without couplings and fields every state is a ground state.
        return float((problem.energies(states).min() - problem.offset) / depth) if depth else 1.0

    start = (2 * rng.integers(2, size=(count, problem.num_variables)) - 1).astype(np.int8)
    reached = gibbs_sweeps(problem, start, positive_integer("steps", steps, minimum=0), inverse, rng)
    signs = pattern_signs(problem)
    return Accessibility(
        ground_energy=ground,
        gibbs=share(reached),
        gibbs_relaxed=share(relaxed(problem, reached, rng)),
        patterns=None if signs is None else share(signs),
        patterns_relaxed=None if signs is None else share(relaxed(problem, signs, rng)),
    )


def pattern_signs(problem: IsingModel) -> States | None:
    """Return the signs of the patterns of a problem as states, and with fields also their negatives."""
    if not isinstance(problem.couplings, Patterns):
        return None
    signs = np.where(problem.couplings.patterns < 0, -1, 1).astype(np.int8)
    return np.vstack([signs, -signs]) if problem.fields.any() else signs


def relaxed(problem: IsingModel, states: States, rng: np.random.Generator) -> States:
    """Return the states after sweeps at zero temperature, until no energy falls any more.

    >>> ferromagnet = IsingModel([0.1, 0.0], [[0, -9], [-9, 0]])
    >>> relaxed(ferromagnet, np.array([[1, -1]], np.int8), np.random.default_rng(0))
    array([[-1, -1]], dtype=int8)
    """
    lowest = problem.energies(states)
    while True:
        states = gibbs_sweeps(problem, states, 1, math.inf, rng)
        energies = problem.energies(states)
        if not (energies < lowest).any():
            return states
        lowest = np.minimum(lowest, energies)


@final
@dataclasses.dataclass(frozen=True, slots=True)
class PatternLoad:
    """How many patterns a model of so many spins carries.

    Examples
    --------
    >>> PatternLoad(8, 1016).warning is None, PatternLoad(60, 444).ratio < CRITICAL_LOAD
    (True, True)
    """

    patterns: int
    """The number K of patterns."""
    num_variables: int
    """The number N of spins of all layers."""

    @property
    def ratio(self) -> float:
        """The load K / N."""
        return self.patterns / self.num_variables

    @property
    def warning(self) -> str | None:
        """What is wrong with the load and what to do, or None where it is at most 0.07."""
        if self.ratio <= SAFE_LOAD:
            return None
        need = math.ceil(self.patterns / SAFE_LOAD) - self.num_variables
        remedy = f"take {need} more hidden units or at most {int(SAFE_LOAD * self.num_variables)} patterns"
        what = f"{self.patterns} patterns on {self.num_variables} spins are a load of {self.ratio:.3f}"
        if self.ratio <= CRITICAL_LOAD:
            return f"{what}, above {SAFE_LOAD}: random patterns are no longer stable as a whole; {remedy}"
        return f"{what}, above {CRITICAL_LOAD}: random patterns are no states of the model any more; {remedy}"


def pattern_load(model: Model | IsingModel) -> PatternLoad:
    r"""Return the load of a pattern model, with its warning.

    .. math:: \alpha = \frac{K}{N}, \quad N = V + H

    A Hopfield model has its random patterns as global minima for alpha below 0.051 and as local ones below
    0.138. RBMs of random patterns were measured: a pattern relaxes at zero temperature to a state of overlap
    0.95 or more up to a load of about 0.07, of 0.5 to 0.8 at 0.14. The warning is a text of the result, for
    whoever shows it: a measure that is called once an epoch should not print, and a model above 0.07 is not
    a mistake, since training makes patterns that are not random.

    Parameters
    ----------
    model
        A model or an Ising problem whose couplings are ``Patterns``.

    Raises
    ------
    InvalidParameterError
        If the model has no patterns.

    References
    ----------
    Amit, Gutfreund and Sompolinsky, Ann. Phys. 173, 30 (1987).

    Examples
    --------
    >>> from rapid_ising.models import PatternRBM
    >>> load = pattern_load(PatternRBM(144, 300, 40))
    >>> round(load.ratio, 3), load.warning.partition("; ")[2]
    (0.09, 'take 128 more hidden units or at most 31 patterns')
    """
    problem = ising_problem(model)
    if not isinstance(problem.couplings, Patterns):
        raise InvalidParameterError(
            f"{model!r} has no patterns, and so no load: a PatternRBM or couplings of Patterns have"
        )
    return PatternLoad(len(problem.couplings.patterns), problem.num_variables)
