"""The inverse temperature at which states look as if drawn, with its standard error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
import numpy.typing as npt
import scipy

from rapid_ising.errors import InvalidDataError
from rapid_ising.ising import IsingModel
from rapid_ising.typing import Floats, Reals, States
from rapid_ising.validation import rectangular, spins

BLOCK = 2**22
"""The most local fields that are computed at once."""
KEPT = 2**24
"""The most local fields that are kept; of more reads they are computed again in each step."""
PASSES = 200
"""The most steps of Newton and of bisection; about ten are used."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class EffectiveBeta:
    """An inverse temperature estimated from reads."""

    beta: float
    """The estimate: negative when spins prefer to point along their fields, infinite when every spin is
    satisfied, NaN when nothing can be said."""
    error: float
    """Its standard error, over reads; infinite when beta is or when there is one read, NaN when beta is."""
    bound: float
    """Where beta is infinite, the nearest value that the reads do not exclude, at 95 %; else beta."""
    reason: str | None = None
    """Why there is no finite estimate."""


def effective_beta(
    model: IsingModel, states: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> EffectiveBeta:
    r"""Estimate the inverse temperature of states by maximum pseudo-likelihood.

    .. math:: \hat\beta = \arg\max_\beta \sum_n w_n \sum_i \log \sigma(-2 \beta s_{ni} f_{ni}), \quad
        f_{ni} = h_i + \sum_j J_{ij} s_{nj},

    in dimod's sign, where s_i f_i < 0 is a satisfied spin and sigma(x) = 1 / (1 + exp(-x)): the probability
    of each spin given the others of its read. The sum is concave in beta.

    The spins of a read depend on each other, so that the reads, not the spins, are counted in the error: with
    the score g_n and the information I_n of a read at the estimate its square is
    n / (n - 1) sum (w g)^2 / (sum w I)^2.

    It is a local thermometer. Reads that are stuck in the wrong valleys can show the right temperature, so
    that it tells the scale of the energies and certifies no convergence.

    Parameters
    ----------
    model
        The problem whose energies the temperature is measured against.
    states
        One row a read, shape (reads, N); reads are taken as independent.
    weights
        Weights of the reads, zero or more, shape (reads,); left out, they count alike.

    Returns
    -------
    EffectiveBeta
        The estimate and its error. When all spins are satisfied it is infinite, with a lower bound: the
        product over reads of the probability that spin i is satisfied is a p-value for each i, and e times
        the geometric mean of p-values is one whatever their dependence.

    Raises
    ------
    InvalidDataError
        If states or weights do not fit.

    Notes
    -----
    Besag, Statistician 24, 179 (1975); Raymond, Yarkoni, Andriyash, Front. ICT 3, 23 (2016); for the bound
    Vovk and Wang, Biometrika 107, 791 (2020).

    Examples
    --------
    >>> field = IsingModel([0.5], [[0.0]])
    >>> estimate = effective_beta(field, [[-1], [-1], [-1], [1]])
    >>> round(estimate.beta, 6), round(float(np.log(3)), 6)
    (1.098612, 1.098612)
    """
    rows = spins("states", states, model.num_variables)
    shares = _weights(weights, len(rows))
    rows, shares = rows[shares > 0], shares[shares > 0]
    if not rows.size:
        return EffectiveBeta(math.nan, math.nan, math.nan, "there are no reads")
    gains = _gains(model, rows)
    largest, positive, negative = _extent(gains)
    if not (positive or negative):
        return EffectiveBeta(math.nan, math.nan, math.nan, "every local field is zero")
    if not (positive and negative):
        sign = 1.0 if positive else -1.0
        bound = sign * _bound(gains, shares, sign / largest, model.num_variables)
        satisfied = "satisfied" if positive else "against its field"
        return EffectiveBeta(sign * math.inf, math.inf, bound, f"every spin of every read is {satisfied}")
    beta = _maximum(gains, shares, 1 / largest)
    _, information, squares = _score(gains, shares, beta)
    n = len(rows)
    error = math.sqrt(squares * n / (n - 1)) / information if n > 1 else math.inf
    return EffectiveBeta(beta, error, beta)


Gains = Callable[[], Iterator[tuple[slice, Floats]]]
"""Yields -2 s_i f_i of blocks of reads: the log odds of each spin's value at beta = 1."""


def _weights(weights: npt.ArrayLike | None, reads: int) -> Reals:
    if weights is None:
        return np.ones(reads)
    given: Any = rectangular("weights", weights)
    if given.shape != (reads,) or not (np.isfinite(given) & (given >= 0)).all():
        raise InvalidDataError(f"weights must be {reads} numbers of zero or more, one a read")
    total = float(given.sum())
    return np.asarray(given * (reads / total) if total else given, np.float64)


def _block(model: IsingModel, rows: States) -> Floats:
    gains = model.local_fields(rows)
    # What rounding makes of a field of zero says nothing; a sum of N terms is off by about sqrt(N) roundings.
    gains[np.abs(gains) <= 4 * np.finfo(gains.dtype).eps * np.abs(gains).max() * rows.shape[1] ** 0.5] = 0
    gains *= rows
    gains *= -2
    return gains


def _gains(model: IsingModel, rows: States) -> Gains:
    step = max(1, BLOCK // rows.shape[1])
    parts = [slice(start, start + step) for start in range(0, len(rows), step)]
    kept = [_block(model, rows[part]) for part in parts] if rows.size <= KEPT else None

    def blocks() -> Iterator[tuple[slice, Floats]]:
        for place, part in enumerate(parts):
            yield part, _block(model, rows[part]) if kept is None else kept[place]

    return blocks


def _extent(gains: Gains) -> tuple[float, bool, bool]:
    """Return the largest magnitude, and whether some gains are positive and some negative."""
    lows, highs = zip(*((block.min(), block.max()) for _, block in gains()), strict=True)
    low, high = float(min(lows)), float(max(highs))
    return max(-low, high), high > 0, low < 0


def _score(gains: Gains, shares: Reals, beta: float) -> tuple[float, float, float]:
    """Return the score, the information and the sum over reads of their squared scores."""
    score = information = squares = 0.0
    for part, block in gains():
        wrong = scipy.special.expit(block * block.dtype.type(-beta))
        slopes = np.einsum("ri,ri->r", block, wrong, dtype=np.float64) * shares[part]
        score += float(slopes.sum())
        squares += float(slopes @ slopes)
        wrong *= 1 - wrong
        information += float(shares[part] @ np.einsum("ri,ri,ri->r", block, block, wrong, dtype=np.float64))
    return score, information, squares


def _maximum(gains: Gains, shares: Reals, scale: float) -> float:
    """Return the root of the score, which falls with beta, by Newton's method inside a bracket."""
    beta, low, high = 0.0, -math.inf, math.inf
    for _ in range(PASSES):
        score, information, _ = _score(gains, shares, beta)
        if score > 0:
            low = beta
        else:
            high = beta
        # Far from the maximum Newton's steps are too long: the reach at most doubles in each.
        reach = 2 * abs(beta) + scale
        step = score / information if information > 0 else math.copysign(math.inf, score)
        step = max(-reach, min(reach, step))
        found = beta + step
        if not low < found < high:
            found = 0.5 * (low + high) if math.isfinite(low + high) else found
        if abs(found - beta) <= 1e-9 * (abs(beta) + scale):
            return found
        beta = found
    return beta


def _bound(gains: Gains, shares: Reals, unit: float, spins: int) -> float:
    """Return the size of beta, in the direction of ``unit``, where reads like these have a p-value of 5 %."""
    target = spins * math.log(0.05 / math.e)

    def excess(beta: float) -> float:
        likelihood = 0.0
        for part, block in gains():
            # A spin without a field is satisfied whatever the temperature.
            values = np.where(
                block == 0, 0, scipy.special.log_expit(np.asarray(block * (beta * unit), np.float64))
            )
            likelihood += float(shares[part] @ values.sum(axis=1))
        return likelihood - target

    low, high = -1.0, 1.0
    while excess(low) > 0:
        low *= 4
    while excess(high) < 0:
        high *= 4
    return float(scipy.optimize.brentq(excess, low, high, rtol=1e-6)) * abs(unit)
