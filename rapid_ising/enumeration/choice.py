"""Which way of enumeration a model goes, and what it costs."""

from __future__ import annotations

import math

from rapid_ising.deadline import Deadline
from rapid_ising.enumeration.halves import HalvesEnumeration
from rapid_ising.enumeration.law import Enumeration
from rapid_ising.enumeration.layers import LayersEnumeration
from rapid_ising.errors import ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.threads import one_pool
from rapid_ising.validation import inverse_temperature

MAX_SPINS = 26
"""The most spins of a model without layers."""
MAX_LAYER = 22
"""The most spins of the smaller layer of a model with two layers."""


def enumerate_model(
    model: IsingModel, beta: float = 1.0, deadline: float | Deadline | None = None
) -> Enumeration:
    r"""Visit every state of a small model.

    .. math:: Z = \sum_s e^{-\beta E(s)}

    Parameters
    ----------
    model
        Up to 26 spins, or two layers of which the smaller has up to 22.
    beta
        The inverse temperature; infinity means the ground states.
    deadline
        The seconds that it may take.

    Raises
    ------
    ProblemTooLargeError
        If the model has too many spins for both ways.

    Examples
    --------
    >>> import numpy as np
    >>> exact = enumerate_model(IsingModel([1.0], np.zeros((1, 1))))
    >>> round(float(exact.moments().means[0]), 6), round(float(-np.tanh(1.0)), 6)
    (-0.761594, -0.761594)
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    inverse = inverse_temperature(beta)
    check_enumerable(model)
    kind: type[HalvesEnumeration] | type[LayersEnumeration]
    kind = LayersEnumeration if _by_layers(model) else HalvesEnumeration
    with one_pool():
        law = kind(model, inverse, limit)
    if limit is not deadline:
        # A time for the enumeration, given in seconds, is not one for what is asked of it later.
        law.deadline = Deadline(None)
    return law


def _by_layers(model: IsingModel) -> bool:
    """Return whether a layer is summed out: the odd layers or the even ones, where there are layers."""
    layers = model.couplings.layers
    summable = layers is not None and min(sum(layers[::2]), sum(layers[1::2])) <= MAX_LAYER
    return summable or model.num_variables > MAX_SPINS


def enumeration_work(model: IsingModel) -> float:
    """Return about how many numbers an enumeration computes; 2^27 take a second. Infinity where it cannot.

    >>> import numpy as np
    >>> enumeration_work(IsingModel(np.zeros(10), np.zeros((10, 10))))
    1024.0
    """
    if not _by_layers(model):
        return 2.0**model.num_variables
    split = model.bipartition()
    small, large = sorted(split[0].couplings.layers or ()) if split is not None else (math.inf, math.inf)
    return 2.0**small * large if small <= MAX_LAYER else math.inf


def check_enumerable(model: IsingModel) -> None:
    """Raise ProblemTooLargeError when ``enumerate_model`` cannot take the model."""
    n = model.num_variables
    if n <= MAX_SPINS:
        return
    split = model.bipartition()
    smaller = min(split[0].couplings.layers or (n,)) if split is not None else n
    if smaller > MAX_LAYER:
        shape = (
            f"two layers, the smaller of {smaller}" if split is not None else "a graph that is not bipartite"
        )
        raise ProblemTooLargeError(
            f"enumeration takes {MAX_SPINS} spins, or two layers of which the smaller has {MAX_LAYER}; "
            f"this model has {n} spins and {shape}: use a sampling backend, or a smaller model"
        )
