"""How good free samples are: against a list of every valid image, or by distances where there is none."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Hashable, Iterable
from typing import Any, final

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets.dataset import Dataset
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation.overlaps import product_blocks, state_rows
from rapid_ising.typing import States


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SampleQuality:
    """Validity, variety and novelty of samples; None where there is nothing to say.

    Examples
    --------
    >>> from rapid_ising.datasets import stripes
    >>> data = stripes(4)
    >>> sample_quality(data.images, data).as_dict()["f1"]
    1.0
    """

    valid: float
    """The share of samples that are images of the data set: the precision p."""
    valid_and_distinct: float
    """The number of different valid images among the samples, over the number of samples."""
    valid_and_distinct_ideal: float
    """What as many independent uniform draws from the images of the data set have on average."""
    novel: float | None
    """The share of the valid samples that are not training images; None without valid samples."""
    novel_ideal: float
    """The share of the images of the data set that are not training images."""
    recall: float
    """The share of the images of the data set that occur among the samples: the coverage r."""
    f1: float
    """The qBAS score 2 p r / (p + r)."""
    bars: float | None
    """The share of the valid samples whose rows are each constant, where data sets hold bars and stripes."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers that there are, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def sample_quality(samples: npt.ArrayLike, dataset: Dataset) -> SampleQuality:
    r"""Return how good samples are, where the data set lists every valid image.

    Of N samples m are among the M different images of the data set, and d of these m are different:

    .. math:: p = m / N, \quad r = d / M, \quad F_1 = \frac{2 p r}{p + r}

    The number to compare models by is ``valid_and_distinct`` d / N: a model that repeats one image has p = 1.
    Independent uniform draws have d / N = M (1 - (1 - 1/M)^N) / N on average, the ideal given beside it. The
    recall of few samples of many images is small whatever the model; F1 compares models at equal N only.

    Parameters
    ----------
    samples
        Spins, shape (N, V), as ``Model.sample`` returns them.
    dataset
        Its ``images`` are all that is valid, its ``train`` all that is not novel.

    Raises
    ------
    InvalidDataError
        If there are no samples, values that are not spins, or another width.

    References
    ----------
    Benedetti et al., npj Quantum Information 5, 45 (2019), for precision, recall and F1.

    Examples
    --------
    >>> from rapid_ising.datasets import stripes
    >>> data = stripes(4)
    >>> found = sample_quality([data.train[0], data.test[0], data.test[0], [1] * 16], data)
    >>> found.valid, found.valid_and_distinct, round(found.novel, 3)
    (0.75, 0.5, 0.667)
    """
    rows = state_rows("samples", samples, dataset.images.shape[1])
    # The rows as keys, not the arrays: one look-up a sample, whatever the number of images.
    kinds = dict(zip(_keys(dataset.images), _orientations(dataset), strict=True))
    train = set(_keys(dataset.train))
    valid = [key for key in _keys(rows) if key in kinds]
    distinct = len(set(valid))
    precision, recall = len(valid) / len(rows), distinct / len(kinds)
    known = collections.Counter(kinds.values())
    told = known["bars"] > 0 and known["stripes"] > 0 and known["neither"] == 0
    return SampleQuality(
        valid=precision,
        valid_and_distinct=distinct / len(rows),
        valid_and_distinct_ideal=len(kinds) * (1 - (1 - 1 / len(kinds)) ** len(rows)) / len(rows),
        novel=sum(key not in train for key in valid) / len(valid) if valid else None,
        novel_ideal=sum(key not in train for key in kinds) / len(kinds),
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if valid else 0.0,
        bars=sum(kinds[key] == "bars" for key in valid) / len(valid) if valid and told else None,
    )


def _keys(rows: States) -> list[bytes]:
    return [row.tobytes() for row in rows]


def _orientations(dataset: Dataset) -> list[str]:
    """Return of each image whether only its rows are constant ("bars"), only its columns, or "neither"."""
    images = dataset.images.reshape(-1, *dataset.shape)
    rows = (images == images[:, :, :1]).all(axis=(1, 2))
    columns = (images == images[:, :1, :]).all(axis=(1, 2))
    kinds: list[str] = np.where(rows == columns, "neither", np.where(rows, "bars", "stripes")).tolist()
    return kinds


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageDistances:
    """Distances of samples to real images and among themselves, as shares of the pixels."""

    nearest: float
    """The mean distance of a sample to the reference image nearest to it."""
    diversity: float | None
    """The mean distance of two samples; None for a single sample."""
    diversity_reference: float | None
    """The mean distance of two reference images; None for a single one."""
    lit: float
    """The share of pixels that are +1 in the samples."""
    lit_reference: float
    """The share of pixels that are +1 in the reference."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers that there are, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def image_distances(samples: npt.ArrayLike, reference: npt.ArrayLike) -> ImageDistances:
    r"""Return how far samples are from real images and from each other, where no list says what is valid.

    .. math:: d(a, b) = \frac{1}{V} \sum_i \frac{1 - a_i b_i}{2}, \quad
              \text{nearest} = \frac{1}{n} \sum_a \min_b d(v^a, r^b)

    Good samples are as near to the training images as held-out images are, which the same call with those in
    place of the samples tells, and as far from each other. Nearer means copies; a small diversity means one
    image over and over. Nearest images are found from products of blocks, so that memory does not grow with
    the number of images; the mean distance of pairs follows exactly from how many images light each pixel.

    Parameters
    ----------
    samples
        Spins, shape (n, V).
    reference
        Real images, spins of shape (m, V).

    Raises
    ------
    InvalidDataError
        If a set has no rows, values that are not spins, or another width.

    Examples
    --------
    >>> image_distances([[1, 1], [-1, -1]], [[1, 1], [1, -1]]).as_dict()
    {'nearest': 0.25, 'diversity': 1.0, 'diversity_reference': 0.5, 'lit': 0.5, 'lit_reference': 0.75}
    """
    first = state_rows("samples", samples)
    width = first.shape[1]
    second = state_rows("reference", reference, width)
    highest = np.full(len(first), -width, np.float64)
    for rows, products in product_blocks(first, second):
        np.maximum(highest[rows], products.max(axis=1), out=highest[rows])
    return ImageDistances(
        nearest=float((1 - highest / width).mean() / 2),
        diversity=_diversity(first),
        diversity_reference=_diversity(second),
        lit=float((first > 0).mean()),
        lit_reference=float((second > 0).mean()),
    )


def _diversity(rows: States) -> float | None:
    """Return the mean distance of pairs: a pixel that k of n images light differs in k (n - k) of them."""
    n, width = rows.shape
    if n < 2:
        return None
    lit = np.count_nonzero(rows > 0, axis=0).astype(np.float64)
    return float((lit * (n - lit)).sum() * 2 / (n * (n - 1) * width))


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClassBalance:
    """How samples are spread over classes."""

    counts: dict[Any, int]
    """The number of samples of each class, in the order of the classes."""
    entropy: float
    """The entropy of the shares, in nats: log of the number of classes when all have equally many."""

    @property
    def missing(self) -> tuple[Any, ...]:
        """The classes of which there is no sample."""
        return tuple(label for label, count in self.counts.items() if not count)


def class_balance(
    samples: npt.ArrayLike,
    classify: Callable[[States], npt.ArrayLike],
    classes: Iterable[Hashable] | None = None,
) -> ClassBalance:
    r"""Return how many samples a classifier puts into each class.

    .. math:: S = -\sum_c p_c \log p_c

    with p_c the share of samples in class c: log C when C classes have equally many, 0 when all are in one.

    Parameters
    ----------
    samples
        Spins, shape (n, V).
    classify
        Given the samples, returns one label each, shape (n,); the ``predict`` of any classifier.
    classes
        All labels that there are, so that missing ones show. Left out, those that occur, sorted.

    Raises
    ------
    InvalidDataError
        If there are no samples, or the classifier returns labels of another shape or outside of ``classes``.
    InvalidParameterError
        If a class is named twice.

    Examples
    --------
    >>> balance = class_balance([[1, 1], [1, -1], [1, 1]], lambda rows: rows.sum(axis=1), classes=[-2, 0, 2])
    >>> balance.counts, round(balance.entropy, 4), balance.missing
    ({-2: 0, 0: 1, 2: 2}, 0.6365, (-2,))
    """
    rows = state_rows("samples", samples)
    labels = np.asarray(classify(rows))
    if labels.shape != (len(rows),):
        raise InvalidDataError(
            f"the classifier returned labels of shape {labels.shape} for {len(rows)} samples: one label each"
        )
    found, numbers = np.unique(labels, return_counts=True)
    counted: dict[Any, int] = dict(zip(found.tolist(), numbers.tolist(), strict=True))
    names = list(counted) if classes is None else list(classes)
    if len(set(names)) != len(names):
        raise InvalidParameterError(f"classes {names} name one class twice")
    strange = [label for label in counted if label not in names]
    if strange:
        raise InvalidDataError(f"the classifier returned {strange[0]!r}, which is not among classes {names}")
    shares = numbers / len(rows)
    return ClassBalance(
        counts={label: counted.get(label, 0) for label in names},
        entropy=abs(float((shares * np.log(shares)).sum())),
    )
