"""The temperature at which a model explains images best."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy

from rapid_ising.errors import InvalidParameterError
from rapid_ising.evaluation.likelihood import log_likelihood
from rapid_ising.models import Model
from rapid_ising.progress import Bar
from rapid_ising.validation import finite, positive_integer


def best_temperature(
    model: Model,
    images: npt.ArrayLike,
    *,
    bounds: tuple[float, float] = (0.001, 10.0),
    points: int = 17,
) -> tuple[float, float]:
    r"""Return the inverse temperature of the largest likelihood, and that likelihood.

    .. math:: \beta^* = \arg\max_\beta \; \langle -\beta F_\beta(v) \rangle_{data} - \log Z(\beta)

    One number of a model is often far off while the rest is right: RAPID with the paper's recipe has a
    log-likelihood hundreds of nats below zero at beta = 1, and of about -8 at its best beta.
    ``Model.rescale`` moves the model there.

    Parameters
    ----------
    model
        A model small enough for its exact partition function.
    images
        The images to explain, shape (n, V); use training images to calibrate, others to report.
    bounds
        The lowest and highest inverse temperature looked at.
    points
        How many inverse temperatures, evenly spaced in their logarithm, are tried before the search closes in
        on the best of them.

    Returns
    -------
    tuple
        beta* and the mean log-likelihood an image there, in nats.

    Raises
    ------
    ProblemTooLargeError
        If the model is too large to be enumerated.

    Examples
    --------
    >>> from rapid_ising import RBM, datasets
    >>> model = RBM(16, 4, seed=0, weight_std=0.0)
    >>> _, value = best_temperature(model, datasets.stripes(4).train)
    >>> round(value / math.log(2), 6)
    -16.0
    """
    low = finite("the lower of bounds", bounds[0], minimum=0, exclusive=True)
    high = finite("the upper of bounds", bounds[1], minimum=0, exclusive=True)
    if low >= high:
        raise InvalidParameterError(f"bounds must rise, not go from {low:g} to {high:g}")
    grid = np.linspace(math.log(low), math.log(high), positive_integer("points", points, minimum=3))

    def cost(log_beta: float) -> float:
        return -log_likelihood(model, images, math.exp(log_beta))

    costs = []
    with Bar("temperatures", len(grid)) as bar:
        for x in grid:
            costs.append(cost(x))
            bar.advance()
    best = int(np.argmin(costs))
    around = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    found = scipy.optimize.minimize_scalar(cost, bounds=around, method="bounded", options={"xatol": 1e-4})
    if found.fun > costs[best]:
        return math.exp(grid[best]), -costs[best]
    return math.exp(found.x), -float(found.fun)
