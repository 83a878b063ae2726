"""Wang-Landau sampling as a machine: walkers on all energies, drawn from at the asked beta."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising import Capabilities, LocalBackend, Request, evaluation
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class WangLandau(LocalBackend):
    r"""States of a flat histogram of energies, drawn with the weights that make them Boltzmann's.

    The density of states g is estimated by the method of Wang and Landau and then held, so that walkers visit
    a state as 1 / g(E). Reads are drawn from the visited states with the weights

    .. math:: w(s) \propto g(E(s)) \, e^{-\beta E(s)},

    at beta = infinity from those of the lowest energy that was found. Walkers cross every barrier between
    energies, at the price of the time to walk over all of them: it works for tens of spins.

    The record has the density of states, log Z at the asked beta with its standard error, and the effective
    sample size (sum w)^2 / sum w^2 of the states that the reads were drawn from.

    Parameters
    ----------
    walkers
        The number of walkers.
    thinning
        The sweeps between two states of a walker.
    oversampling
        States are collected until their effective sample size is this many times the number of reads, so
        that few reads are copies of each other.
    width
        The width of a bin of energy; None takes a tenth of the standard deviation of all states' energies.
    final_factor
        The logarithm of the factor at which g is held.
    flatness
        The least visits of a bin, divided by their mean, at which a histogram is called flat.
    max_rounds
        The most states of a walker; the effective sample size in the record says what they were enough for.

    Notes
    -----
    Wang and Landau, Phys. Rev. Lett. 86, 2050 (2001); reads from a flat histogram, Berg and Neuhaus,
    Phys. Rev. Lett. 68, 9 (1992).

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = WangLandau().sample(IsingModel([1.0, 1.0], [[0, 0], [0, 0]]), seed=0)
    >>> record = answer.info["rapid_ising"]["stages"][0]
    >>> [round(math.exp(g)) for g in record["density_of_states"]["log_density"]]
    [1, 2, 1]
    """

    name: ClassVar[str] = "wang-landau"
    capabilities = Capabilities(max_variables=2048)

    walkers: int = 64
    thinning: int = 2
    oversampling: float = 5.0
    width: float | None = None
    final_factor: float = 1e-4
    flatness: float = 0.8
    max_rounds: int = 20_000

    def __post_init__(self) -> None:
        positive_integer("walkers", self.walkers, minimum=2)
        positive_integer("thinning", self.thinning)
        positive_integer("max_rounds", self.max_rounds)
        finite("oversampling", self.oversampling, minimum=1)
        finite("final_factor", self.final_factor, minimum=0, maximum=1, exclusive=True)
        finite("flatness", self.flatness, minimum=0, maximum=1)
        if self.width is not None:
            finite("width", self.width, minimum=0, exclusive=True)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        model, rng, beta = request.model, request.rng, request.beta
        walk = evaluation.EnergyWalk(model, self.width, highest=None)
        states = (2 * rng.integers(2, size=(self.walkers, model.num_variables)) - 1).astype(np.int8)
        walk.flatten(states, self.final_factor, self.flatness, rng, limit=request.deadline)
        walk.forget(self.walkers)
        rounds: list[States] = []
        energies: list[Reals] = []
        size, look = 0.0, 50
        while size < self.oversampling * request.num_reads and len(rounds) < self.max_rounds:
            for _ in range(min(look, self.max_rounds - len(rounds))):
                walk.move(states, self.thinning, 0.0, rng)
                request.deadline.check(self.name)
                rounds.append(states.copy())
                energies.append(model.energies(states))
            # The next look is after half as many states again.
            look = max(50, len(rounds) // 2)
            found = np.concatenate(energies)
            weights = self._weights(walk, found, beta)
            size = float(1 / np.square(weights).sum())
        # One draw for each of as many even shares of the weights: the least variance that draws can have.
        points = (rng.random() + np.arange(request.num_reads)) / request.num_reads
        chosen = np.searchsorted(np.cumsum(weights)[:-1], points)
        density = walk.density()
        facts: dict[str, Any] = {
            "density_of_states": {
                "energies": density.energies.tolist(),
                "log_density": density.log_density.tolist(),
                "width": density.width,
            },
            "states": len(found),
            "effective_sample_size": size,
            "lowest_energy": float(found.min()),
        }
        if math.isfinite(beta):
            facts["log_partition"] = density.log_partition(beta)
            facts["log_partition_error"] = density.standard_error(beta)
        return np.concatenate(rounds)[rng.permutation(chosen)], facts

    def _weights(self, walk: evaluation.EnergyWalk, energies: Reals, beta: float) -> Reals:
        """Return the weights of the visited states at ``beta``, of sum 1."""
        exponents = walk.log_density[walk.bins(energies - walk.offset)]
        if math.isfinite(beta):
            exponents = exponents - beta * energies
        else:
            # Energies of one level differ by rounding.
            level = energies.min() + 1e-9 * max(1.0, float(np.abs(energies).max()))
            exponents = np.where(energies <= level, exponents, -np.inf)
        weights: Reals = np.exp(exponents - exponents.max())
        weights /= weights.sum()
        return weights
