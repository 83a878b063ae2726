"""Annealed importance sampling: the partition function of models of any size, with bounds from both sides."""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import to_numpy
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidDataError, InvalidParameterError, UnknownNameError
from rapid_ising.evaluation.annealing_path import AnnealingPath, StatePath, annealing_path
from rapid_ising.models.base import Model
from rapid_ising.progress import Bar
from rapid_ising.typing import Floats, Reals, States
from rapid_ising.validation import Seed, finite, generator, positive_integer, rectangular, spins

CLIP = 0.99
"""The largest mean of a pixel in the base: a pixel that never changes in the data may still in the model."""
BASES = ("uniform", "data")
TRUSTED = 100.0
"""The effective sample size below which a spread of weights does not tell its own size."""
LEAST_SHARE = 0.1
"""The effective share of the chains below which a longer path is tried before more chains."""
MARGIN = 1.1
"""How many more chains are run than an estimated spread asks for."""
GROWTH = 10
"""How many times the chains grow at once: the spread that a first run shows is rough."""
MOST_STEPS = 10**8
"""The most steps, of all chains together, that a run takes to reach a tolerance."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AISEstimate:
    """An estimate of log Z with what it was made of.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> found = annealed_importance(RBM(4, 8, weight_std=0.0), betas=10, chains=5, seed=0)
    >>> round(found.log_partition / math.log(2), 6), round(found.effective_sample_size, 6)
    (12.0, 5.0)
    """

    log_partition: float
    """log Z at ``beta``, in nats: below it on average from a forward run, above it from a reverse one."""
    beta: float
    """The inverse temperature of the model."""
    log_weights: Reals = dataclasses.field(repr=False)
    """The logarithm of the weight of each chain, shape (M,)."""
    betas: Reals = dataclasses.field(repr=False)
    """The inverse temperatures of the path from 0 to ``beta``, shape (T + 1,)."""
    base: Reals = dataclasses.field(repr=False)
    """The fields of the pixels at the start of the path, shape (V,); 0 for a uniform base."""
    states: States = dataclasses.field(repr=False)
    """Where the chains ended, shape (M, C), the spins that the model's chains carry: the visible ones of two
    layers. Of a forward run, with the weights, a sample of the model."""
    log_partitions: Reals | None = dataclasses.field(default=None, repr=False)
    """log Z of the model at each of ``betas``, from a forward run with a uniform base, else None."""
    standard_errors: Reals | None = dataclasses.field(default=None, repr=False)
    """The standard errors of ``log_partitions``."""

    @property
    def standard_error(self) -> float:
        r"""The standard error of log Z, from the spread of the M weights w.

        .. math:: \hat\sigma^2 = \frac{1}{M (M - 1)} \sum_m \left( \frac{w_m}{\bar w} - 1 \right)^2
                  = \frac{M / \mathrm{ESS} - 1}{M - 1}

        by the delta method. With an effective sample size near 1 it says only that the run is too short.
        """
        return _log_mean(self.log_weights)[1]

    @property
    def effective_sample_size(self) -> float:
        """(sum w)^2 / sum w^2: how many chains of equal weight would be worth as much."""
        relative = np.exp(self.log_weights - self.log_weights.max())
        return float(relative.sum() ** 2 / np.square(relative).sum())

    @property
    def log_weight_std(self) -> float:
        """The standard deviation of the log-weights, in nats; much more than 1 calls for more ``betas``."""
        return float(self.log_weights.std(ddof=1))


def annealed_importance(
    model: Model,
    *,
    beta: float = 1.0,
    chains: int = 500,
    betas: int | npt.ArrayLike = 1000,
    base: str = "uniform",
    data: npt.ArrayLike | None = None,
    tolerance: float | None = None,
    seed: Seed = None,
    deadline: float | None = None,
) -> AISEstimate:
    r"""Estimate the logarithm of the partition function of a model, in nats.

    Chains start in a base of independent pixels, whose sum Z_0 is known, and take one Gibbs step
    v -> h -> v at each law p_k of a path to the model,

    .. math:: p^*_k(v) = e^{(1 - t_k) a \cdot v + t_k \beta b \cdot v} \prod_a 2\cosh(t_k \beta x_a(v)),
              \quad t_k = \beta_k / \beta

    .. math:: \log \hat Z = \log Z_0 + \log \frac{1}{M} \sum_m w_m,
              \quad \log w = \sum_k \log p^*_{k+1}(v_k) - \log p^*_k(v_k)

    The path above is that of two layers; a deep machine is one of two layers too, its even ones and its odd
    ones. A machine on a graph keeps all its spins, p*_k = exp((1 - t_k) a v - beta_k E), and takes sweeps.

    The mean of Z-hat is Z, so that log Z-hat is below log Z on average, by half the squared standard error
    when that is small. Weights are summed in float64. Sources: Neal, Statistics and Computing 11 (2001) 125;
    Salakhutdinov and Murray, ICML 2008.

    Parameters
    ----------
    model
        The model, of any kind and size.
    beta
        The inverse temperature of the model.
    chains
        The number M of chains, at least 2.
    betas
        The number T of steps, or the inverse temperatures themselves, rising from 0 to ``beta``. By number,
        a short run places them so that each adds as much to the spread of the weights, whatever the scale of
        the energy. The variance of the log-weights was .55 to .95 of that with as many even steps; in a
        magnet that freezes within the first hundredth of the path even ones missed log Z by nats.
    base
        "uniform", which gives log Z at every temperature of the path, or "data", whose pixels have the means
        of ``data``, a = atanh(mean): better for images with a constant background. On MNIST it took the
        standard deviation of the log-weights from 1.6 to .5 in an RBM, from 3.4 to .7 in a PatternRBM.
    data
        The images of the base, shape (n, V). Means are clipped to +-0.99.
    tolerance
        The largest standard error of log Z, in nats, that will do: an error of four of them is rare. The run
        is taken again from the start, with twice the steps where fewer than a tenth of its chains count, else
        with more chains, until its standard error is at most this and 100 chains or more count. ``chains``
        and ``betas`` are those of the first run; betas given as temperatures stay. Left out, one run is
        taken. In a cold model chains freeze in the valley where they are long before the end: a path four
        times as long may only halve the variance, and more chains are worth as much.
    seed
        An int or a numpy Generator; the same seed gives the same estimate.
    deadline
        The seconds that it may take.

    Raises
    ------
    InvalidParameterError
        If an option is out of its range, ``base`` and ``data`` do not go together, or the tolerance would
        take more than 10^8 steps of a chain.
    InvalidDataError
        If the images do not fit the model.
    DeadlineExceededError
        If it takes too long.

    Examples
    --------
    >>> from rapid_ising.evaluation import log_partition
    >>> from rapid_ising.models import RBM
    >>> model = RBM(16, 8, seed=0, weight_std=0.3)
    >>> found = annealed_importance(model, betas=100, tolerance=0.0125, seed=0)
    >>> abs(found.log_partition - log_partition(model)) < 0.05
    True
    """
    inverse = _positive("beta", beta)
    wanted = None if tolerance is None else _positive("tolerance", tolerance)
    count = positive_integer("chains", chains, minimum=2)
    fields = _base_fields(model, base, data)
    path = annealing_path(model, inverse, fields)
    given = None if isinstance(betas, int | np.integer) else _schedule(betas, inverse)
    steps = positive_integer("betas", betas) if given is None else len(given) - 1
    rng, limit = generator(seed), Deadline(deadline)
    found = forward_run(path, fields, count, steps, given, rng, limit)
    if wanted is None:
        return found
    return _within(wanted, found, path, given is None, rng, limit)


def forward_run(
    path: AnnealingPath | StatePath,
    base: Reals,
    count: int,
    steps: int,
    given: Reals | None,
    rng: np.random.Generator,
    limit: Deadline,
) -> AISEstimate:
    """Run ``count`` chains along a path, by ``steps`` of its own choice or by ``given`` fractions."""
    fractions = path.even_fractions(steps, rng, limit) if given is None else given
    visible = path.draw(count, rng)
    curve = np.zeros((steps + 1, 2))
    with Bar("temperatures", steps) as bar:
        for k, log_weights in enumerate(path.anneal(visible, fractions, rng, limit), 1):
            curve[k] = _log_mean(log_weights)
            bar.advance()
    curve[:, 0] += path.log_base
    uniform = not base.any()
    return AISEstimate(
        log_partition=float(curve[-1, 0]),
        beta=path.beta,
        log_weights=log_weights,
        betas=path.beta * fractions,
        base=base,
        states=to_numpy(visible).astype(np.int8),
        log_partitions=curve[:, 0].copy() if uniform else None,
        standard_errors=curve[:, 1].copy() if uniform else None,
    )


def _within(
    tolerance: float,
    found: AISEstimate,
    path: AnnealingPath | StatePath,
    lengthen: bool,
    rng: np.random.Generator,
    limit: Deadline,
) -> AISEstimate:
    """Run again, on a longer path or with more chains, until the standard error is within ``tolerance``.

    A run says only how long the next one is; none of its weights are kept.
    """
    while found.standard_error > tolerance or found.effective_sample_size < TRUSTED:
        chains, steps = len(found.log_weights), len(found.betas) - 1
        given: Reals | None = found.betas / found.beta
        size = found.effective_sample_size
        if lengthen and size < LEAST_SHARE * chains:
            steps, given = 2 * steps, None
            needed = chains
        else:
            needed = math.ceil(MARGIN * chains * max((found.standard_error / tolerance) ** 2, TRUSTED / size))
        if needed * steps > MOST_STEPS:
            raise InvalidParameterError(
                f"a tolerance of {tolerance:g} nats would take about {needed:.0e} chains of {steps} betas: "
                f"{chains} of them have a standard error of {found.standard_error:.2g}; give more tolerance "
                "or a lower beta"
            )
        found = forward_run(path, found.base, min(needed, GROWTH * chains), steps, given, rng, limit)
    return found


def reverse_annealed_importance(
    model: Model,
    forward: AISEstimate,
    *,
    samples: npt.ArrayLike | None = None,
    chains: int | None = None,
    equilibration: int = 100,
    seed: Seed = None,
    deadline: float | None = None,
) -> AISEstimate:
    r"""Estimate log Z from above, by chains that go from the model back to the base.

    .. math:: \log \hat Z = \log Z_0 - \log \frac{1}{M} \sum_m w'_m,
              \quad \log w' = \sum_k \log p^*_k(v_k) - \log p^*_{k+1}(v_k)

    The path is that of the forward run. From exact samples of the model the mean of w' is Z_0 / Z, so that
    log Z-hat is above log Z on average. Source: Grosse, Ghahramani and Adams, arXiv:1511.02543 (2015).

    Parameters
    ----------
    model
        The model of the forward run.
    forward
        The forward run.
    samples
        Samples of the model at its ``beta``, one chain each, shape (M, C) as in ``forward.states``: where
        they are exact, the bound holds. Left out, the ends of the forward chains are drawn by their weights
        and take Gibbs steps, which is right only as far as the forward run found where the model's
        probability lies.
    chains
        The number of chains when ``samples`` is left out, at least 2: as many as the forward run's, if this
        is left out too.
    equilibration
        Gibbs steps before the start, when ``samples`` is left out.
    seed, deadline
        As in ``annealed_importance``.

    Raises
    ------
    InvalidDataError
        If the samples, or the forward run, do not fit the model.

    Examples
    --------
    >>> from rapid_ising.evaluation import log_partition
    >>> from rapid_ising.models import RBM
    >>> model = RBM(16, 8, seed=0, weight_std=0.3)
    >>> forward = annealed_importance(model, seed=0)
    >>> lower, upper = bracket(forward, reverse_annealed_importance(model, forward, seed=1))
    >>> lower <= log_partition(model) <= upper, upper - lower < 0.1
    (True, True)
    """
    if forward.base.shape != (model.n_visible,):
        raise InvalidDataError(
            f"the forward run is of a model with {len(forward.base)} visible spins, not {model.n_visible}: "
            "give the run of this model"
        )
    steps = positive_integer("equilibration", equilibration, minimum=0)
    if samples is not None and chains is not None:
        raise InvalidParameterError("samples start one chain each: give samples or chains, not both")
    count = len(forward.states) if chains is None else positive_integer("chains", chains, minimum=2)
    path = annealing_path(model, forward.beta, forward.base)
    limit = Deadline(deadline)
    rng = generator(seed)
    visible: Floats
    if samples is None:
        drawn = forward.states[_resampled(forward.log_weights, count, rng)].astype(model.dtype)
        visible = model.place.put(drawn)
        path.equilibrate(visible, steps, rng, limit)
    else:
        given = spins("samples", samples, len(model.carried)).astype(model.dtype)
        positive_integer("the number of samples", len(given), minimum=2)
        visible = model.place.put(given)
    fractions = forward.betas / forward.beta
    with Bar("temperatures", len(fractions) - 1) as bar:
        for log_weights in path.anneal(visible, fractions[::-1], rng, limit):  # noqa: B007 - the last one
            bar.advance()
    return AISEstimate(
        log_partition=path.log_base - _log_mean(log_weights)[0],
        beta=forward.beta,
        log_weights=log_weights,
        betas=forward.betas,
        base=forward.base,
        states=to_numpy(visible).astype(np.int8),
    )


def bracket(forward: AISEstimate, reverse: AISEstimate, confidence: float = 0.99) -> tuple[float, float]:
    r"""Return a lower and an upper bound of log Z.

    .. math:: \left( \log \hat Z_{forward} - z \hat\sigma_{forward}, \;
                     \log \hat Z_{reverse} + z \hat\sigma_{reverse} \right)

    with z the normal quantile of (1 + confidence) / 2. On average a forward estimate lies below log Z and
    a reverse one above; the margins make up for the noise of one run, which is larger than that bias when
    both are good. A wide bracket says that the path needs more steps. A narrow one is only as good as the
    samples that the reverse run started from.

    Raises
    ------
    InvalidParameterError
        If the confidence is not between 0 and 1, or the runs are of different temperatures.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> model = RBM(4, 8, weight_std=0.0)
    >>> forward = annealed_importance(model, betas=10, chains=5, seed=0)
    >>> lower, upper = bracket(forward, reverse_annealed_importance(model, forward, seed=1))
    >>> round(lower / math.log(2), 6), round(upper / math.log(2), 6)
    (12.0, 12.0)
    """
    share = finite("confidence", confidence, minimum=0, maximum=1)
    if share == 1:
        raise InvalidParameterError("confidence must be less than 1: at 1 the bracket is everything")
    if forward.beta != reverse.beta:
        raise InvalidParameterError(
            f"the forward run is at beta = {forward.beta:g} and the reverse one at {reverse.beta:g}: "
            "give two runs of one model at one temperature"
        )
    margin = NormalDist().inv_cdf((1 + share) / 2)
    lower = forward.log_partition - margin * forward.standard_error
    return lower, reverse.log_partition + margin * reverse.standard_error


def _log_mean(log_weights: Reals) -> tuple[float, float]:
    """Return the logarithm of the mean weight and its standard error."""
    highest = float(log_weights.max())
    relative = np.exp(log_weights - highest)
    mean = float(relative.mean())
    return highest + math.log(mean), float(relative.std(ddof=1)) / (mean * math.sqrt(len(relative)))


def _resampled(log_weights: Reals, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return ``count`` indices of weights, each as often as its weight asks for, give or take one."""
    cumulative = np.cumsum(np.exp(log_weights - log_weights.max()))
    points = (np.arange(count) + rng.random()) * (cumulative[-1] / count)
    chosen: npt.NDArray[np.intp] = np.searchsorted(cumulative, points, side="right")
    return np.minimum(chosen, len(log_weights) - 1)


def _positive(name: str, value: float) -> float:
    return finite(name, value, minimum=0, exclusive=True)


def _base_fields(model: Model, base: str, data: npt.ArrayLike | None) -> Reals:
    if base not in BASES:
        raise UnknownNameError.among("base", base, BASES)
    if (base == "data") != (data is not None):
        raise InvalidParameterError("base='data' goes with data=images, and data with base='data'")
    if data is None:
        return np.zeros(model.n_visible)
    images = spins("data", data, model.n_visible)
    if not len(images):
        raise InvalidDataError("data has no rows: give at least one image")
    fields: Reals = np.arctanh(np.clip(images.mean(axis=0), -CLIP, CLIP))
    return fields


def _schedule(betas: npt.ArrayLike, beta: float) -> Reals:
    """Return given inverse temperatures as fractions of ``beta``."""
    given = rectangular("betas", betas).astype(np.float64)
    if given.ndim != 1 or len(given) < 2 or not (np.diff(given) > 0).all():
        raise InvalidParameterError("betas must be a number of steps or a rising row of two or more numbers")
    if given[0] != 0 or not math.isclose(given[-1], beta, rel_tol=1e-9):
        raise InvalidParameterError(
            f"betas must rise from 0 to beta = {beta:g}, not from {given[0]:g} to {given[-1]:g}"
        )
    fractions: Reals = given / given[-1]
    return fractions
