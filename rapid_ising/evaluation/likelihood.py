"""The exact partition function and likelihood of models that are small enough."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rapid_ising.enumeration import enumerate_model
from rapid_ising.errors import InvalidDataError
from rapid_ising.models.base import Model
from rapid_ising.typing import Reals
from rapid_ising.validation import finite, spins

BLOCK = 2**22
"""Hidden fields that are held at once: 32 megabytes."""


def log_partition(model: Model, beta: float = 1.0) -> float:
    r"""Return the logarithm of the partition function, in nats, by enumeration.

    .. math:: \log Z(\beta) = \log \sum_{v, h} e^{-\beta E(v, h)}

    Of two layers the smaller is enumerated and the larger summed out; the odd and the even layers of a deep
    machine make two.

    Raises
    ------
    ProblemTooLargeError
        If there are more than 26 spins, and more than 22 in the smaller of two layers.
    InvalidParameterError
        If ``beta`` is negative or not finite.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> round(log_partition(RBM(4, 8, weight_std=0.0)) / math.log(2), 6)
    12.0
    """
    return enumerate_model(model.ising(), finite("beta", beta, minimum=0)).log_partition


def log_probabilities(model: Model, images: npt.ArrayLike, beta: float = 1.0) -> Reals:
    r"""Return the logarithm of the probability of each image, in nats, shape (n,).

    .. math:: \log p(v) = -\beta F_\beta(v) - \log Z(\beta), \quad
              F_\beta(v) = -\frac{1}{\beta} \log \sum_h e^{-\beta E(v, h)}

    Parameters
    ----------
    model
        A model small enough for ``log_partition``.
    images
        Spins, shape (n, V).
    beta
        The inverse temperature, finite.

    Raises
    ------
    InvalidDataError
        If the images do not fit the model.
    ProblemTooLargeError
        If the model is too large to be enumerated.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> log_probabilities(RBM(2, 3, weight_std=0.0), [[1, -1]]).round(6)
    array([-1.386294])
    """
    rows = spins("images", images, model.n_visible)
    log_z = log_partition(model, beta)
    if beta == 0:
        # beta F has a limit where F has none: every image is equally likely.
        return np.full(len(rows), -model.n_visible * math.log(2.0))
    size = max(1, BLOCK // max(1, model.n_hidden))
    parts = [model.free_energy(rows[i : i + size], beta) for i in range(0, len(rows), size)]
    return -beta * np.concatenate([np.zeros(0), *parts]) - log_z


def log_likelihood(model: Model, images: npt.ArrayLike, beta: float = 1.0) -> float:
    """Return the mean log-probability of images, in nats an image.

    Parameters and errors are those of ``log_probabilities``. A uniform law has -V log 2, and no model has
    more than minus the entropy of the data.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> round(log_likelihood(RBM(2, 3, weight_std=0.0), [[1, -1], [1, 1]]), 6)
    -1.386294
    """
    values = log_probabilities(model, images, beta)
    if not len(values):
        raise InvalidDataError("images has no rows: give at least one image")
    return float(values.mean())
