"""Likelihoods of models of any size, from an estimate of the partition function."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import to_numpy, widened
from rapid_ising.deadline import Deadline
from rapid_ising.enumeration import enumeration_work, log_2cosh_sums
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation.annealed_importance import AISEstimate, forward_run
from rapid_ising.evaluation.annealing_path import StatePath
from rapid_ising.models.base import Model
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.progress import Bar
from rapid_ising.typing import Reals, States
from rapid_ising.validation import Seed, generator, positive_integer, spins

BLOCK = 2**16
"""Hidden fields that are held at once: half a megabyte, which stays in the cache."""
MAX_WORK = 2**20
"""Hidden states of an image that are enumerated rather than sampled: some milliseconds a temperature."""


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


def estimated_log_likelihood(
    model: Model, images: npt.ArrayLike, estimate: AISEstimate, *, seed: Seed = 0
) -> float:
    r"""Return the mean log-probability of images at the estimate's temperature, in nats an image.

    .. math:: \langle -\beta F_\beta(v) \rangle_{images} - \log \hat Z(\beta)

    Its error is that of log Z-hat: too high on average with a forward run, too low with a reverse one. Where
    hidden spins are coupled to each other and too many to be enumerated, -beta F(v) is the log Z of the
    hidden spins with the image clamped, and is estimated as well, by as many chains along the same
    temperatures for each image; it is too low on average. ``seed`` seeds these.

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
    weights = _MeanLogWeights(model, images, estimate, seed)
    return float(weights.at([len(estimate.betas) - 1])[0]) - estimate.log_partition


def log_likelihood_curve(
    model: Model, images: npt.ArrayLike, estimate: AISEstimate, *, points: int = 33, seed: Seed = 0
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
    seed
        As in ``estimated_log_likelihood``.

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
    weights = _MeanLogWeights(model, images, estimate, seed)
    known: dict[int, float] = {}
    low, high = 0, len(estimate.betas) - 1
    while True:
        looked = np.unique(np.linspace(low, high, count).round().astype(int)).tolist()
        new = [k for k in looked if k not in known]
        values = weights.at(new) - estimate.log_partitions[new]
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


@final
class _MeanLogWeights:
    """The mean over images of -beta F(v) = log sum_h exp(-beta E(v, h)) along the path of an estimate."""

    def __init__(self, model: Model, images: npt.ArrayLike, estimate: AISEstimate, seed: Seed) -> None:
        self.model = model
        self.betas = estimate.betas
        self.rows = spins("images", images, model.n_visible)
        if not len(self.rows):
            raise InvalidDataError("images has no rows: give at least one image")
        self.estimated: Reals | None = None
        if model.n_hidden and not isinstance(model, TwoLayerModel):
            work = enumeration_work(model.ising(np.ones(model.n_visible)))
            if work > MAX_WORK:
                self.estimated = _clamped_curve(model, self.rows, estimate, generator(seed))

    def at(self, places: Sequence[int]) -> Reals:
        """Return the means at some of the temperatures of the path."""
        if self.estimated is not None:
            return self.estimated[places]
        betas: list[float] = self.betas[places].tolist()
        if isinstance(self.model, TwoLayerModel):
            return _two_layer_means(self.model, self.rows, betas)
        limit = self.model.n_hidden * math.log(2.0)
        return np.array(
            [-beta * self.model.free_energy(self.rows, beta).mean() if beta else limit for beta in betas]
        )


def _two_layer_means(model: TwoLayerModel, rows: States, betas: Sequence[float]) -> Reals:
    """Return the mean over images of beta b v + sum_a log 2 cosh(beta x_a(v)) at each beta."""
    biases = to_numpy(model.biases)
    linear = 0.0 if biases is None else float(rows.sum(axis=0) @ biases.astype(np.float64))
    totals = np.array(betas) * linear
    size = max(1, BLOCK // model.n_hidden)
    for start in range(0, len(rows), size):
        fields = widened(model.hidden_fields(rows[start : start + size].astype(model.dtype)))
        totals += [float(log_2cosh_sums(beta * fields).sum()) for beta in betas]
    means: Reals = totals / len(rows)
    return means


def _clamped_curve(model: Model, rows: States, estimate: AISEstimate, rng: np.random.Generator) -> Reals:
    """Return the mean over images of an estimate of log Z with the image clamped, at each temperature."""
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    total = np.zeros(len(estimate.betas))
    chains = len(estimate.log_weights)
    with Bar("images", len(distinct)) as bar:
        for image, count in zip(distinct, counts, strict=True):
            part = model.ising(image)
            # In two layers, which are drawn one at a time, where the hidden spins have layers.
            split = part.bipartition() if part.couplings.layers else None
            base = np.zeros(part.num_variables)
            path = StatePath(split[0] if split else part, estimate.beta, base)
            fractions = estimate.betas / estimate.beta
            run = forward_run(path, base, chains, len(fractions) - 1, fractions, rng, Deadline(None))
            assert run.log_partitions is not None
            total += count * run.log_partitions
            bar.advance()
    means: Reals = total / len(rows)
    return means
