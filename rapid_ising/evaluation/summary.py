"""One summary of how good a model is on a data set."""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets.dataset import Dataset
from rapid_ising.enumeration import enumeration_work
from rapid_ising.errors import InvalidDataError
from rapid_ising.evaluation.likelihood import log_probabilities
from rapid_ising.evaluation.reconstruction import hamming_distance, known_rows
from rapid_ising.models.base import Model
from rapid_ising.models.two_layers import TwoLayerModel
from rapid_ising.typing import States
from rapid_ising.validation import Seed, generator

RECONSTRUCTIONS = 20_000
"""The most reconstructions of one set of images when their number is left out."""
MAX_WORK = 2**27
"""Hidden fields that a likelihood may cost without being asked for: about a second."""
CALL = 2**16
"""What an enumeration costs whatever its size, in hidden fields."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Distances and likelihoods of a model; None where there is nothing to say.

    Examples
    --------
    >>> Evaluation(hamming_train=0.5, zero_temperature_train=0.25).as_dict()
    {'hamming_train': 0.5, 'zero_temperature_train': 0.25}
    """

    hamming_train: float
    """The mean fraction of wrong pixels at the asked beta, over the training images."""
    hamming_test: float | None = None
    """The same over the images held out."""
    zero_temperature_train: float
    """The mean fraction of wrong pixels at beta = infinity, over the training images."""
    zero_temperature_test: float | None = None
    """The same over the images held out."""
    log_likelihood_train: float | None = None
    """The mean log-probability of a training image, in nats."""
    log_likelihood_test: float | None = None
    """The same of an image held out."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers that there are, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def evaluate(
    model: Model,
    dataset: Dataset,
    *,
    mask: npt.ArrayLike | None = None,
    beta: float = 1.0,
    steps: int = 1,
    tries: int | None = None,
    seed: Seed = 0,
    likelihood: bool | None = None,
    likelihood_beta: float | None = None,
) -> Evaluation:
    """Return reconstruction distances, at ``beta`` and at zero temperature, and likelihoods of a model.

    A distance at one temperature compares models by the size of their weights as much as by what they
    learned; the one at zero temperature does not change when the weights are multiplied.

    Parameters
    ----------
    model
        The model, of as many visible spins as the images have pixels.
    dataset
        The images; numbers of held-out images are None when there are none.
    mask
        True where a pixel is known, shape (V,). Left out, the first row is, or the first half of an image of
        one row.
    beta, steps
        As in ``hamming_distance``.
    tries
        The reconstructions of each image. Left out, 100, or fewer where that would make more than 20000 of
        one set of images: many images make the mean as sharp as many tries.
    seed
        An int or a numpy Generator; the same seed gives the same numbers.
    likelihood
        Whether to compute the exact likelihood. Left out, it is when its beta is finite and the enumeration
        takes about a second: for an RBM when 2^min(V, H) * max(V, H) is at most 2^27.
    likelihood_beta
        The inverse temperature of the likelihood; left out, ``beta``. That of the fit, 1 / model.temperature,
        says how well a model explains the data that a recipe keeps colder, for recall.

    Raises
    ------
    InvalidDataError
        If the images or the mask do not fit the model.
    InvalidParameterError
        If ``beta``, ``steps`` or ``tries`` is out of range.
    ProblemTooLargeError
        If a likelihood is asked for and the model is too large to be enumerated.

    Examples
    --------
    >>> from rapid_ising.datasets import stripes
    >>> from rapid_ising.models import RBM
    >>> found = evaluate(RBM(16, 4, weight_std=0.0), stripes(4))
    >>> round(found.hamming_train, 1), round(found.log_likelihood_test / math.log(2), 6)
    (0.5, -16.0)
    """
    if not isinstance(dataset, Dataset):
        raise InvalidDataError(
            f"evaluate needs a Dataset, not {type(dataset).__name__}: make one with "
            "datasets.from_array(images, shape)"
        )
    known = first_known(dataset.shape) if mask is None else mask
    rng = generator(seed)
    has_test = len(dataset.test) > 0

    def distance(images: States, inverse: float) -> float:
        count = max(1, min(100, RECONSTRUCTIONS // len(images))) if tries is None else tries
        return hamming_distance(model, images, known, beta=inverse, steps=steps, tries=count, seed=rng)

    log_train, log_test = None, None
    told = beta if likelihood_beta is None else likelihood_beta
    if likelihood or (likelihood is None and math.isfinite(told) and _is_cheap(model, len(dataset.images))):
        # One call, so that the partition function is computed once.
        values = log_probabilities(model, np.vstack([dataset.train, dataset.test]), told)
        cut = len(dataset.train)
        log_train, log_test = float(values[:cut].mean()), float(values[cut:].mean()) if has_test else None
    return Evaluation(
        hamming_train=distance(dataset.train, beta),
        hamming_test=distance(dataset.test, beta) if has_test else None,
        zero_temperature_train=distance(dataset.train, math.inf),
        zero_temperature_test=distance(dataset.test, math.inf) if has_test else None,
        log_likelihood_train=log_train,
        log_likelihood_test=log_test,
    )


def first_known(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the mask of images whose first row is known, or the first half of an image of one row."""
    rows, columns = shape
    return known_rows(shape) if rows > 1 else np.arange(columns) < columns // 2


def _is_cheap(model: Model, images: int) -> bool:
    """Return whether a likelihood takes about a second: all states, and the hidden ones of each image."""
    if enumeration_work(model.ising()) > MAX_WORK:
        return False
    if isinstance(model, TwoLayerModel) or not model.n_hidden:
        return True
    return images * (CALL + enumeration_work(model.ising(np.ones(model.n_visible)))) <= MAX_WORK
