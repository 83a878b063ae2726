"""What every machine of several layers can do, its odd and even layers drawn in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidParameterError
from rapid_ising.gibbs import sample_spins
from rapid_ising.ising import IsingModel
from rapid_ising.models.base import Known, Model
from rapid_ising.models.free_energy import enumerated_free_energies
from rapid_ising.models.statistics import SampleStatistics
from rapid_ising.typing import Floats, Indices, Reals, States
from rapid_ising.validation import positive_integer

Layers = dict[int, Floats]
"""States of some layers, by the number of the layer."""


class LayeredModel(Model):
    r"""A machine of layers 0, 1, 2, ... of which only neighbours are coupled; layer 0 is the visible one.

    .. math:: E(s) = -\sum_l s^{(l)} W^{(l)} s^{(l-1)} - \sum_l b^{(l)} s^{(l)}

    Its chains carry the even layers: the odd ones are independent given them. A Gibbs step draws all odd
    layers and then all even ones.
    """

    positive_sweeps: int
    _sizes: tuple[int, ...]

    def _set_sizes(self, sizes: Sequence[int], positive_sweeps: int) -> None:
        """Set the numbers of spins of each layer."""
        if isinstance(sizes, str) or not isinstance(sizes, Sequence) or len(sizes) < 2:
            raise InvalidParameterError(
                f"sizes must be the spins of two layers or more, such as (16, 32, 16), not {sizes!r}"
            )
        self._sizes = tuple(positive_integer("each of sizes", size) for size in sizes)
        self.n_visible = self._sizes[0]
        self.n_hidden = sum(self._sizes[1:])
        self.positive_sweeps = positive_integer("positive_sweeps", positive_sweeps)

    @property
    def layers(self) -> tuple[int, ...]:  # noqa: D102
        return self._sizes

    @property
    def carried(self) -> Indices:  # noqa: D102
        layer = np.repeat(np.arange(len(self._sizes)), self._sizes)
        return np.flatnonzero(layer % 2 == 0)

    def _even(self, chains: Floats) -> Layers:
        """Return the layers that chains carry."""
        parts = np.split(chains, np.cumsum(self._sizes[::2])[:-1], axis=1)
        return dict(zip(range(0, len(self._sizes), 2), parts, strict=True))

    def _fields(self, problem: IsingModel, others: Layers) -> Layers:
        """Return the fields, in dimod's sign, on the layers between ``others``, the odd or the even ones."""
        bounds = np.cumsum((0, *self._sizes))
        fields = {}
        for layer in sorted(set(range(len(self._sizes))) - others.keys()):
            total = problem.fields[bounds[layer] : bounds[layer + 1]]
            for neighbour in others.keys() & {layer - 1, layer + 1}:
                total = total + problem.couplings.across(others[neighbour], neighbour, layer)
            fields[layer] = total
        return fields

    def _drawn(
        self, problem: IsingModel, others: Layers, beta: float | Reals, rng: np.random.Generator
    ) -> Layers:
        fields = self._fields(problem, others)
        return {layer: sample_spins(field, beta, rng) for layer, field in fields.items()}

    def statistics(self, chains: Floats, divisor: int | None = None) -> SampleStatistics:  # noqa: D102
        even = self._even(chains)
        means = {layer: np.tanh(-field) for layer, field in self._fields(self.problem(), even).items()}
        return SampleStatistics(_in_order(even, means), divisor)

    def gibbs_step(  # noqa: D102
        self, chains: Floats, beta: float, rng: np.random.Generator, steps: int = 1, known: Known = None
    ) -> Floats:
        problem, even = self.problem(), self._even(chains)
        for _ in range(steps):
            visible = even[0]
            even = self._drawn(problem, self._drawn(problem, even, beta, rng), beta, rng)
            if known is not None:
                even[0] = np.where(known, visible, even[0])
        return np.hstack([*even.values()])

    def tempered_step(  # noqa: D102
        self, chains: Floats, beta: float | Reals, rng: np.random.Generator
    ) -> tuple[Floats, Reals]:
        problem = self.problem()
        odd = self._drawn(problem, self._even(chains), beta, rng)
        even = self._drawn(problem, odd, beta, rng)
        return np.hstack([*even.values()]), problem.energies(np.hstack(_in_order(even, odd)))

    def posterior(self, visible: Floats, rng: np.random.Generator) -> Floats:
        """Return chains at the data, their hidden layers after ``positive_sweeps`` steps at beta = 1."""
        known = np.ones(self.n_visible, dtype=bool)
        if len(self._sizes) == 2:
            return visible
        return self.gibbs_step(self.chains_at(visible), 1.0, rng, self.positive_sweeps, known)

    def relaxed(self, chains: Floats) -> States:  # noqa: D102
        even = self._even(chains)
        odd = {layer: np.copysign(1, -field) for layer, field in self._fields(self.problem(), even).items()}
        return np.hstack(_in_order(even, odd)).astype(np.int8)

    def free_energy(self, visible: npt.ArrayLike, beta: float = 1.0) -> Reals:  # noqa: D102
        return enumerated_free_energies(self, visible, beta)


def _in_order(even: Layers, odd: Layers) -> list[Floats]:
    """Return all layers, from the visible one on."""
    every = even | odd
    return [every[layer] for layer in sorted(every)]
