"""What every machine can do whose spins are coupled as a graph, swept spin by spin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidParameterError
from rapid_ising.gibbs import gibbs_sweeps, tempered_sweep
from rapid_ising.models.base import Known, Model
from rapid_ising.models.free_energy import enumerated_free_energies
from rapid_ising.models.statistics import SampleStatistics
from rapid_ising.typing import Floats, Indices, Reals, States
from rapid_ising.validation import positive_integer


class GraphModel(Model):
    r"""A machine of N spins of which any two may be coupled, the first V visible and the others hidden.

    .. math:: E(s) = -\sum_{i<j} J_{ij} s_i s_j - \sum_i b_i s_i

    Its chains carry all spins. A Gibbs step is a sweep that draws each spin in turn given all others.
    """

    num_spins: int
    positive_sweeps: int

    def _set_spins(self, num_spins: int, n_visible: int | None, positive_sweeps: int) -> None:
        """Set the numbers of spins; ``n_visible=None`` makes all of them visible."""
        self.num_spins = num_spins
        self.n_visible = num_spins if n_visible is None else positive_integer("n_visible", n_visible)
        if self.n_visible > num_spins:
            raise InvalidParameterError(
                f"n_visible is {n_visible} and there are {num_spins} spins: it must be at most as many"
            )
        self.n_hidden = num_spins - self.n_visible
        self.positive_sweeps = positive_integer("positive_sweeps", positive_sweeps)

    @property
    def layers(self) -> tuple[int, ...]:  # noqa: D102
        return (self.num_spins,)

    @property
    def carried(self) -> Indices:  # noqa: D102
        return np.arange(self.num_spins)

    def statistics(self, chains: Floats, divisor: int | None = None) -> SampleStatistics:  # noqa: D102
        return SampleStatistics([chains], divisor)

    def gibbs_step(  # noqa: D102
        self, chains: Floats, beta: float, rng: np.random.Generator, steps: int = 1, known: Known = None
    ) -> Floats:
        # Spins that are not known yet are drawn before the others, which would else be drawn without them:
        # the hidden ones first, as in a step v -> h -> v.
        rank = np.where((chains == 0).any(axis=0), 1, 2)
        rank[self.n_visible :][rank[self.n_visible :] == 1] = 0
        free = np.argsort(rank, kind="stable")
        if known is not None:
            free = free[~np.concatenate([known, np.zeros(self.n_hidden, bool)])[free]]
        return gibbs_sweeps(self.problem(), chains, steps, beta, rng, free=free).astype(self.dtype)

    def tempered_step(  # noqa: D102
        self, chains: Floats, beta: float | Reals, rng: np.random.Generator
    ) -> tuple[Floats, Reals]:
        betas = np.broadcast_to(np.asarray(beta, np.float64), (len(chains),))
        states, energies = tempered_sweep(self.problem(), chains.astype(np.int8), betas, rng)
        return states.astype(self.dtype), energies

    def posterior(self, visible: Floats, rng: np.random.Generator) -> Floats:
        """Return chains at the data, their hidden spins after ``positive_sweeps`` sweeps at beta = 1."""
        if not self.n_hidden:
            return visible
        known = np.ones(self.n_visible, dtype=bool)
        return self.gibbs_step(self.chains_at(visible), 1.0, rng, self.positive_sweeps, known)

    def relaxed(self, chains: Floats) -> States:  # noqa: D102
        return chains.astype(np.int8)

    def free_energy(self, visible: npt.ArrayLike, beta: float = 1.0) -> Reals:  # noqa: D102
        return enumerated_free_energies(self, visible, beta)
