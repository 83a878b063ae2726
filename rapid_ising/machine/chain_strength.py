"""Rules for how strongly a chain of nodes is held together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rapid_ising.ising import IsingModel

ChainStrength = float | Callable[[IsingModel], float]
"""A number in the units of the model's energy, or what returns it for a model."""


TORQUE = 1.414
"""The prefactor of the torque compensation, sqrt(2) as D-Wave has it."""


def uniform_torque_compensation(model: IsingModel, prefactor: float = TORQUE) -> float:
    r"""Return the strength that outweighs the torque of random neighbours on a chain.

    .. math:: C = a \, \sqrt{\langle J^2 \rangle} \, \sqrt{\langle d \rangle}
                = a \sqrt{\frac{2}{N} \sum_{i<j} J_{ij}^2}

    with the mean over the couplings that are not zero, the mean degree <d> and the prefactor a; 1 without
    couplings. Prefactors from 0.5 to 2 are usual.

    Notes
    -----
    D-Wave's default rule, ``dwave.embedding.chain_strength.uniform_torque_compensation``.

    Examples
    --------
    >>> round(uniform_torque_compensation(IsingModel([0, 0], [[0, 3], [3, 0]]), prefactor=2.0), 3)
    6.0
    """
    values = model.couplings.to_coo()[2].astype(np.float64)
    if not len(values):
        return 1.0
    return prefactor * math.sqrt(2.0 * float(values @ values) / model.num_variables)


def thermal_strength(couplers: int, beta: float, breaks: float) -> float:
    r"""Return the strength at which heat alone breaks at most a share ``breaks`` of the chains.

    .. math:: C = \frac{1}{2 \beta} \log\left(\frac{m}{\epsilon} - 1\right)

    A coupler of strength C is violated with probability 1 / (1 + exp(2 beta C)), and a chain of m couplers
    breaks with at most m times that; the law of the majority is off by about as much. Torque compensation
    alone is for optimisers: with small couplings it leaves most chains broken at beta = 1.

    0 where nothing limits it: for chains of one node; in the cold; and at beta = 0, where all states are
    alike, whether chains break or not.

    Parameters
    ----------
    couplers
        The couplers m of the longest chain.
    beta
        The inverse temperature.
    breaks
        The share epsilon.

    Examples
    --------
    >>> round(thermal_strength(3, 1.0, 0.01), 3)
    2.85
    """
    if couplers == 0 or beta == 0 or math.isinf(beta):
        return 0.0
    return max(0.0, math.log(max(1.0, couplers / breaks - 1.0)) / (2.0 * beta))
