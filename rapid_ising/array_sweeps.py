"""Spins drawn, and sweeps over two layers, on arrays of any library: what the fused loops do on NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Numbers, Place, beside, namespace, to_numpy
from rapid_ising.typing import Floats, Reals

if TYPE_CHECKING:
    from rapid_ising.layer_fields import LayerFields

Held = tuple[npt.NDArray[np.bool_] | None, Floats | None]
"""Which spins of a layer a sweep holds, and the states that they have."""
COLDEST = 1e30
"""Beyond this inverse temperature spins go against their fields: float32 has no room for more."""


def drawn(fields: Floats, betas: float | Reals, numbers: Numbers) -> Floats:
    r"""Draw independent spins in their fields.

    .. math:: P(s = +1) = \frac{1}{1 + e^{2 \beta f}}

    Parameters
    ----------
    fields
        The fields f in dimod's sign, any shape.
    betas
        The inverse temperature, or one a row, shape ``fields.shape[:-1]``; at infinity ties are drawn evenly.
    numbers
        Where the random numbers come from.
    """
    xp = namespace(fields)
    each = np.asarray(betas, np.float64)
    cold = each > COLDEST
    slopes = np.where(cold, 0.0, 2 * each)
    factors: Floats | float = beside(slopes[..., np.newaxis], fields) if slopes.ndim else slopes.item()
    # An infinite exponential is a spin that is sure.
    with np.errstate(over="ignore", invalid="ignore"):
        chances = 1 / (1 + xp.exp(factors * fields))
    if cold.any():
        frozen = Place.of(fields).put(cold[..., np.newaxis])
        chances = xp.where(frozen, (1 - xp.sign(fields)) / 2, chances)
    ones = xp.ones_like(fields)
    up = numbers.uniform(tuple(fields.shape), fields) < chances
    return cast(Floats, xp.where(up, ones, -ones))


def array_sweeps(
    up: LayerFields,
    down: LayerFields,
    first: Floats,
    schedule: Reals,
    rng: np.random.Generator,
    held: tuple[Held, Held],
    check: Callable[[], object] | None,
    energies: Reals | None,
) -> tuple[Floats, Floats]:
    """Return the states of both layers after sweeps; parameters and result are those of ``block_sweeps``.

    ``schedule`` is of shape (sweeps,) or (sweeps, n); ``held`` is for the first layer and the second.
    """
    place = Place.of(up.biases)
    numbers = Numbers(place, rng)
    xp, low = namespace(up.biases), place.put(first)
    masks = [(None if mask is None else place.put(mask), values) for mask, values in held]

    def kept(states: Floats, layer: int) -> Floats:
        mask, values = masks[layer]
        if mask is None or values is None:
            return states
        return cast(Floats, xp.where(mask, place.put(values), states))

    high = sums = low
    for betas in schedule:
        if check is not None:
            check()
        high = kept(drawn(up.fields(low), betas, numbers), 1)
        sums = down.fields(high)
        low = kept(drawn(sums, betas, numbers), 0)
    if energies is not None:
        # All couplings are in the fields of the first layer, and its own biases.
        energies[:] = to_numpy(xp.sum(sums * low, axis=1) + high @ up.at_zero)
    return low, high
