"""Likelihoods of models of any size, from an estimate of the partition function."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.enumeration import log_2cosh_sums
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation.annealed_importance import AISEstimate
from rapid_ising.models.base import Model
from rapid_ising.models.two_layers import two_layer_model
from rapid_ising.typing import Reals
from rapid_ising.validation import positive_integer, spins

BLOCK = 2**16
"""Hidden fields that are held at once: half a megabyte, which stays in the cache."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LikelihoodCurve:
    """The mean log-likelihood of images as a function of the inverse temperature.

    Examples
    --------
    >>> curve = LikelihoodCurve(
    ...     betas=np.array([0.0, 0.5, 1.0]),
    ...     log_likelihoods=np.array([-11.1, -7.7, -1400.0]),
    ...     standard_errors=np.array([0.0, 0.1, 0.2]),
    ... )
    >>> curve.best_beta, curve.best_log_likelihood
    (0.5, -7.7)
    """

    betas: Reals
    """Inverse temperatures, rising from 0."""
    log_likelihoods: Reals
    """The mean log-probability of an image at each, in nats."""
    standard_errors: Reals
    """The standard errors of the estimates of log Z."""

    @property
    def best_beta(self) -> float:
        """The inverse temperature of the largest likelihood."""
        return float(self.betas[self.log_likelihoods.argmax()])

    @property
    def best_log_likelihood(self) -> float:
        """The largest likelihood."""
        return float(self.log_likelihoods.max())


def estimated_log_likelihood(model: Model, images: npt.ArrayLike, estimate: AISEstimate) -> float:
    r"""Return the mean log-probability of images at the estimate's temperature, in nats an image.

    .. math:: \langle -\beta F_\beta(v) \rangle_{images} - \log \hat Z(\beta)

    Its error is that of log Z-hat: too high on average with a forward run, too low with a reverse one.

    Raises
    ------
    InvalidDataError
        If the images do not fit the model.

    Examples
    --------
    >>> from rapid_ising.evaluation import annealed_importance
    >>> from rapid_ising.models import RBM
    >>> model = RBM(2, 3, weight_std=0.0)
    >>> found = annealed_importance(model, betas=10, chains=5, seed=0)
    >>> round(estimated_log_likelihood(model, [[1, -1], [1, 1]], found), 6)
    -1.386294
    """
    return float(_mean_log_weights(model, images, [estimate.beta])[0]) - estimate.log_partition


def log_likelihood_curve(
    model: Model, images: npt.ArrayLike, estimate: AISEstimate, *, points: int = 33
) -> LikelihoodCurve:
    r"""Return the mean log-likelihood of images from beta = 0 to the estimate's beta.

    One run of annealed importance sampling passes through the model at every temperature of its path. The
    best one is in the curve: ``points`` temperatures are looked at, then as many between the neighbours of
    the best of them, until no temperature of the path lies in between. For a best beta above 1, give the run
    a higher ``beta``.

    Parameters
    ----------
    model
        The model of the run.
    images
        Spins, shape (n, V).
    estimate
        A forward run with a uniform base.
    points
        The number of temperatures of the first look, at least 4.

    Raises
    ------
    InvalidParameterError
        If the run has no curve of log Z.
    InvalidDataError
        If the images do not fit the model.

    Examples
    --------
    >>> from rapid_ising.evaluation import annealed_importance
    >>> from rapid_ising.models import RBM
    >>> model = RBM(2, 3, weight_std=0.0)
    >>> found = annealed_importance(model, betas=10, chains=5, seed=0)
    >>> log_likelihood_curve(model, [[1, -1]], found).log_likelihoods[[0, -1]].round(6)
    array([-1.386294, -1.386294])
    """
    if estimate.log_partitions is None or estimate.standard_errors is None:
        raise InvalidParameterError(
            "this estimate has log Z at one temperature only: "
            "give one of annealed_importance with base='uniform'"
        )
    count = positive_integer("points", points, minimum=4)
    known: dict[int, float] = {}
    low, high = 0, len(estimate.betas) - 1
    while True:
        looked = np.unique(np.linspace(low, high, count).round().astype(int)).tolist()
        new = [k for k in looked if k not in known]
        values = _mean_log_weights(model, images, estimate.betas[new].tolist()) - estimate.log_partitions[new]
        known |= dict(zip(new, values.tolist(), strict=True))
        if high - low < count:
            break
        best = max(range(len(looked)), key=lambda place: known[looked[place]])
        low, high = looked[max(0, best - 1)], looked[min(len(looked) - 1, best + 1)]
    order = sorted(known)
    return LikelihoodCurve(
        betas=estimate.betas[order],
        log_likelihoods=np.array([known[k] for k in order]),
        standard_errors=estimate.standard_errors[order],
    )


def _mean_log_weights(model: Model, images: npt.ArrayLike, betas: Sequence[float]) -> Reals:
    """Return the mean over images of beta b v + sum_a log 2 cosh(beta x_a(v)) at each beta."""
    machine = two_layer_model(model, "a likelihood by annealed importance sampling")
    rows = spins("images", images, model.n_visible)
    if not len(rows):
        raise InvalidDataError("images has no rows: give at least one image")
    linear = 0.0 if machine.biases is None else float(rows.sum(axis=0) @ machine.biases.astype(np.float64))
    totals = np.array(betas) * linear
    size = max(1, BLOCK // model.n_hidden)
    for start in range(0, len(rows), size):
        fields = machine.hidden_fields(rows[start : start + size].astype(model.dtype)).astype(np.float64)
        totals += [float(log_2cosh_sums(beta * fields).sum()) for beta in betas]
    means: Reals = totals / len(rows)
    return means
