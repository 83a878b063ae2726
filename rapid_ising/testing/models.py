"""Small Ising models whose Boltzmann law is known by brute force, to hold samples against.

Each is written down twice: as plain numbers, from which energies and probabilities are summed term by term,
and as the ``Couplings`` that a backend is given. None of the numbers here comes from the code under test.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import final

import dimod
import numpy as np

from rapid_ising.couplings import Bipartite, Couplings, Dense, Patterns, Sparse
from rapid_ising.ising import IsingModel
from rapid_ising.total_variation import State as State


@final
@dataclasses.dataclass(frozen=True)
class ReferenceModel:
    """An Ising model in plain numbers, in dimod's sign, beside the structure that holds them.

    Examples
    --------
    >>> REFERENCE_MODELS["dense"].energy((1, 1, 1, 1, 1))
    1.1
    >>> round(sum(REFERENCE_MODELS["dense"].law(2.0).values()), 12)
    1.0
    """

    name: str
    fields: tuple[float, ...]
    pairs: Mapping[tuple[int, int], float]
    """The couplings J_ij with i < j."""
    couplings: Couplings
    """The same couplings in the structure that a backend is given."""

    def energy(self, state: State) -> float:
        """Return sum_i h_i s_i + sum_{i<j} J_ij s_i s_j, term by term."""
        linear = math.fsum(h * s for h, s in zip(self.fields, state, strict=True))
        return linear + math.fsum(J * state[i] * state[j] for (i, j), J in self.pairs.items())

    def law(self, beta: float) -> dict[State, float]:
        """Return the probability of every state, exp(-beta E) / Z; at infinity, of the ground states."""
        energies = {s: self.energy(s) for s in itertools.product((-1, 1), repeat=len(self.fields))}
        lowest = min(energies.values())
        if math.isinf(beta):
            weights = {s: float(energy - lowest < 1e-9) for s, energy in energies.items()}
        else:
            weights = {s: math.exp(-beta * (energy - lowest)) for s, energy in energies.items()}
        total = math.fsum(weights.values())
        return {s: weight / total for s, weight in weights.items()}

    def problem(self) -> IsingModel:
        """Return the model in its own structure."""
        return IsingModel(self.fields, self.couplings)

    def bqm(
        self,
        labels: Sequence[Hashable],
        vartype: dimod.Vartype = dimod.SPIN,
        *,
        backwards: bool = False,
    ) -> dimod.BinaryQuadraticModel:
        """Return the model with ``labels``, built term by term, from the last one when ``backwards``."""
        bqm = dimod.BinaryQuadraticModel("SPIN")
        step = -1 if backwards else 1
        for label, h in list(zip(labels, self.fields, strict=True))[::step]:
            bqm.add_linear(label, h)
        for (i, j), J in list(self.pairs.items())[::step]:
            bqm.add_quadratic(labels[i], labels[j], J)
        return bqm.change_vartype(vartype, inplace=False)


def _dense() -> ReferenceModel:
    """Return five spins in fields; the triangles 012 and 134 are frustrated."""
    fields = (0.5, -0.3, 0.2, -0.1, -0.6)
    pairs = {
        (0, 1): 0.7,
        (0, 2): 0.5,
        (1, 2): 0.6,
        (1, 3): -0.9,
        (1, 4): -0.4,
        (2, 4): -0.2,
        (3, 4): 0.8,
        (0, 4): 0.3,
    }
    matrix = np.zeros((5, 5))
    for (i, j), J in pairs.items():
        matrix[i, j] = matrix[j, i] = J
    return ReferenceModel("dense", fields, pairs, Dense(matrix))


def _sparse() -> ReferenceModel:
    """Return a ring of eight spins with two chords, few of them in a field; the rings are frustrated."""
    fields = (0.8, 0.0, 0.0, -0.5, 0.0, 0.3, 0.0, 0.0)
    pairs = {
        (0, 1): -1.0,
        (1, 2): 0.6,
        (2, 3): 0.9,
        (3, 4): -0.7,
        (4, 5): 0.5,
        (5, 6): 0.8,
        (6, 7): -0.6,
        (0, 7): 0.4,
        (1, 5): -0.3,
        (2, 6): 1.1,
    }
    rows, columns = zip(*pairs, strict=True)
    couplings = Sparse(len(fields), rows, columns, list(pairs.values()))
    return ReferenceModel("sparse", fields, pairs, couplings)


def _bipartite() -> ReferenceModel:
    """Return layers of three and four spins."""
    fields = (0.3, -0.5, 0.1, -0.2, 0.4, 0.0, -0.6)
    block = [[-0.8, 0.5, 0.3, -0.4], [0.6, 0.9, -0.7, 0.2], [-0.3, 0.4, -0.5, -1.0]]
    pairs = {(i, 3 + j): J for i, row in enumerate(block) for j, J in enumerate(row)}
    return ReferenceModel("bipartite", fields, pairs, Bipartite(block))


def _patterns(name: str, layers: tuple[int, ...] | None, *, free: bool = False) -> ReferenceModel:
    """Return six spins coupled by two real patterns, all of them or only between two layers.

    ``free`` of fields they are a model for machines of patterns, which have no fields and no layers.
    """
    fields = (0.0,) * 6 if free else (0.2, -0.4, 0.3, 0.0, -0.1, 0.5)
    patterns = [[1.0, -0.8, 0.6, 1.1, -0.5, 0.9], [0.7, 1.0, -0.9, 0.4, -1.2, -0.6]]
    scale = -0.6
    pairs = {
        (i, j): scale * sum(xi[i] * xi[j] for xi in patterns)
        for i, j in itertools.combinations(range(6), 2)
        if layers is None or i < layers[0] <= j
    }
    return ReferenceModel(name, fields, pairs, Patterns(patterns, scale, layers))


def _whole_numbers() -> ReferenceModel:
    """Return a frustrated ring of five spins, for machines without fields or with integers only."""
    pairs = {(0, 1): 1.0, (1, 2): -2.0, (2, 3): 1.0, (3, 4): 1.0, (0, 4): -1.0}
    rows, columns = zip(*pairs, strict=True)
    return ReferenceModel("whole-numbers", (0.0,) * 5, pairs, Sparse(5, rows, columns, list(pairs.values())))


def _uncoupled(name: str, fields: tuple[float, ...]) -> ReferenceModel:
    n = len(fields)
    return ReferenceModel(name, fields, {}, Dense(np.zeros((n, n))))


REFERENCE_MODELS: Mapping[str, ReferenceModel] = {
    model.name: model
    for model in (
        _dense(),
        _sparse(),
        _bipartite(),
        _patterns("patterns", None),
        _patterns("layered-patterns", (2, 4)),
        _patterns("free-patterns", None, free=True),
        _whole_numbers(),
        _uncoupled("uncoupled", (0.7, -0.3, 0.0, 1.1)),
        _uncoupled("one-spin", (0.4,)),
    )
}
"""Up to eight spins in every structure of couplings: frustrated, of unequal signs and magnitudes, and no two
spins alike, so that a flipped sign, a wrong temperature or swapped columns show in the law."""
