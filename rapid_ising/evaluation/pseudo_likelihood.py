"""The pseudo-likelihood: how well each pixel is told from all the others, with no partition function."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import to_numpy
from rapid_ising.enumeration import log_2cosh_sums
from rapid_ising.errors import InvalidDataError
from rapid_ising.models.base import Model
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import Floats, Reals, States
from rapid_ising.validation import finite, spins

BLOCK = 2**20
"""Hidden fields of flipped pixels, and pairs of images and pixels, held at once: eight megabytes."""


def pseudo_log_probabilities(model: Model, images: npt.ArrayLike, beta: float = 1.0) -> Reals:
    r"""Return the sum over pixels of the log-probability of each given the others, in nats, shape (n,).

    .. math:: \sum_i \log p(v_i | v_{-i}), \quad
              \log p(v_i | v_{-i}) = -\log \left( 1 + e^{-\beta (F_\beta(v^{(i)}) - F_\beta(v))} \right)

    where v^(i) is v with pixel i flipped: a pixel is likely when flipping it costs free energy. The sum is
    over all pixels, not over one drawn at random. In a machine of two layers a flip changes the hidden fields
    by -2 v_i W_i, and with the exponentials of fields and weights tabulated it takes a few multiplications a
    hidden spin and no exponential. Without hidden spins that of pixel i is log sigma(2 beta v_i x_i), x_i the
    local field. Source: Besag, The Statistician 24 (1975) 179.

    Parameters
    ----------
    model
        The model. No size is too large for two layers, of which W is formed by columns, in blocks, nor for a
        machine without hidden spins; any other has its hidden spins enumerated for each flip.
    images
        Spins, shape (n, V).
    beta
        The inverse temperature, finite.

    Raises
    ------
    InvalidDataError
        If the images do not fit the model.
    InvalidParameterError
        If ``beta`` is negative or not finite.
    ProblemTooLargeError
        If the hidden spins have to be enumerated and are too many.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> pseudo_log_probabilities(RBM(2, 3, weight_std=0.0), [[1, -1]]).round(6)
    array([-1.386294])
    """
    rows = spins("images", images, model.n_visible)
    inverse = finite("beta", beta, minimum=0)
    if isinstance(model, TwoLayerModel):
        return _two_layer_totals(model, rows, inverse)
    changes = _flip_costs(model, rows, inverse)
    total: Reals = -np.logaddexp(0.0, -changes).sum(axis=1)
    return total


def _flip_costs(model: Model, rows: States, beta: float) -> Reals:
    """Return beta (F(v^(i)) - F(v)) of each pixel i, shape (n, V)."""
    if not model.n_hidden:
        fields = model.problem().local_fields(rows).astype(np.float64)
        costs: Reals = -2 * beta * rows * fields
        return costs
    costs = np.zeros(rows.shape)
    if beta > 0:
        flipped = np.repeat(rows, rows.shape[1], axis=0).reshape(*rows.shape, rows.shape[1])
        flipped *= 1 - 2 * np.eye(rows.shape[1], dtype=np.int8)
        energies = model.free_energy(flipped.reshape(-1, rows.shape[1]), beta).reshape(rows.shape)
        costs += beta * (energies - model.free_energy(rows, beta)[:, np.newaxis])
    return costs


def _two_layer_totals(model: TwoLayerModel, rows: States, beta: float) -> Reals:
    totals = np.zeros(len(rows))
    pixels = max(1, BLOCK // (2 * model.n_hidden))
    size = max(1, BLOCK // max(model.n_hidden, 2 * min(pixels, model.n_visible)))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        for first in range(0, model.n_visible, pixels):
            chosen = np.arange(first, min(first + pixels, model.n_visible))
            totals[part] += _log_conditionals(model, rows[part], chosen, beta).sum(axis=1)
    return totals


def pseudo_log_likelihood(model: Model, images: npt.ArrayLike, beta: float = 1.0) -> float:
    """Return the mean pseudo-log-likelihood of images, in nats an image.

    Parameters and errors are those of ``pseudo_log_probabilities``. A uniform law has -V log 2. Where pixels
    are independent it is the log-likelihood itself; otherwise it may be above it, so compare like with like.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> round(pseudo_log_likelihood(RBM(2, 3, weight_std=0.0), [[1, -1], [1, 1]]), 6)
    -1.386294
    """
    values = pseudo_log_probabilities(model, images, beta)
    if not len(values):
        raise InvalidDataError("images has no rows: give at least one image")
    return float(values.mean())


def _log_conditionals(model: TwoLayerModel, rows: States, pixels: npt.NDArray[np.intp], beta: float) -> Reals:
    """Return log p(v_i | v_-i) of some pixels i, shape (rows, pixels)."""
    # Here, since numba is half of the time that an import of the library would take.
    from rapid_ising.kernels.layer_sums import layer_sums

    visible = rows.astype(model.dtype)
    fields = to_numpy(model.hidden_fields(visible)).astype(np.float64)
    columns = _weight_columns(model, pixels)
    # Both signs of a flip for every image: twice the work, and no exponential for each image and pixel.
    flipped, _ = layer_sums(np.vstack([-2 * columns, 2 * columns]), fields, beta)
    up = rows[:, pixels] > 0
    change = np.where(up, flipped[:, : len(pixels)], flipped[:, len(pixels) :])
    change -= log_2cosh_sums(beta * fields)[:, None]
    if model.biases is not None:
        change -= 2 * beta * rows[:, pixels] * to_numpy(model.biases)[pixels].astype(np.float64)
    # change = beta F(v) - beta F(v^(i)).
    conditionals: Reals = -np.logaddexp(0.0, change)
    return conditionals


def _weight_columns(model: TwoLayerModel, pixels: npt.NDArray[np.intp]) -> Reals:
    """Return the columns W_i of the weights as rows, shape (pixels, H)."""
    ones: Floats = np.zeros((len(pixels) + 1, model.n_visible), model.dtype)
    ones[np.arange(len(pixels)), pixels] = 1
    fields = to_numpy(model.hidden_fields(ones)).astype(np.float64)
    columns: Reals = fields[:-1] - fields[-1]
    return columns
