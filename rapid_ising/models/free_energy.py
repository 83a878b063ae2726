"""The free energy of machines whose hidden spins are coupled to each other: a sum over all their states."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rapid_ising.enumeration import enumerate_model
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models.base import Model
from rapid_ising.typing import Reals
from rapid_ising.validation import inverse_temperature, spins


def enumerated_free_energies(model: Model, visible: npt.ArrayLike, beta: float) -> Reals:
    r"""Return the free energy of each visible state by enumeration of the hidden spins, shape (n,).

    .. math:: F_\beta(v) = -\frac{1}{\beta} \log \sum_h e^{-\beta E(v, h)}

    Without hidden spins it is the energy.

    Raises
    ------
    ProblemTooLargeError
        If there are more than 26 hidden spins, and more than 22 in the smaller of two layers of them.
    """
    rows = spins("visible states", visible, model.n_visible)
    inverse = inverse_temperature(beta)
    if inverse == 0:
        raise InvalidParameterError("the free energy has no limit at beta = 0")
    problem = model.problem()
    if not model.n_hidden:
        return problem.energies(rows)
    unknown = np.zeros(model.n_hidden, np.int8)
    energies = np.empty(len(rows))
    for place, row in enumerate(rows):
        law = enumerate_model(problem.clamp(np.concatenate([row, unknown]))[0], inverse)
        energies[place] = law.ground_energy if math.isinf(inverse) else -law.log_partition / inverse
    return energies
