"""A data set: images of spins, the rows to train on and the rows held out."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.typing import States
from rapid_ising.validation import Seed, finite, generator, positive_integer, rectangular, spins

Labels: TypeAlias = npt.NDArray[np.uint8]
"""The class of each image, a number from 0 to 255."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images of spins, flattened row by row, and their split.

    The arrays are checked and made read-only. They are copied, unless nobody can write to them: read-only
    views of one array share its memory.

    Parameters
    ----------
    name
        What the data set is called in tables and checkpoints.
    images
        Every image, shape (n, V), each value -1 or +1.
    train
        The images to train on, shape (n_train, V); at least one.
    test
        The images held out, shape (n_test, V); may have no rows.
    shape
        The rows and columns of one image; their product is V.
    train_labels, test_labels
        The class of each image of ``train`` and of ``test``, shapes (n_train,) and (n_test,), whole numbers
        from 0 to 255; None where the images have no classes.

    Raises
    ------
    InvalidDataError
        If an array is ragged, has values that are not spins, the wrong width or no rows; or if the labels are
        not one number from 0 to 255 for each image.
    InvalidParameterError
        If ``shape`` does not fit the width of the images.

    Examples
    --------
    >>> Dataset("pair", [[1, -1], [-1, 1]], [[1, -1]], [[-1, 1]], (1, 2))
    Dataset('pair': 2 images of 1 x 2, 1 to train on, 1 held out)
    """

    name: str
    images: States
    train: States
    test: States
    shape: tuple[int, int]
    train_labels: Labels | None = None
    test_labels: Labels | None = None

    def __post_init__(self) -> None:
        images = _frozen("images", self.images)
        width = images.shape[1]
        object.__setattr__(self, "shape", image_shape(self.shape, width))
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "train", _frozen("train", self.train, width))
        object.__setattr__(self, "test", _frozen("test", self.test, width))
        for kind in ("images", "train"):
            if not len(getattr(self, kind)):
                raise InvalidDataError(f"data set {self.name!r} has no rows in {kind}: give at least one")
        for part in ("train", "test"):
            given = getattr(self, f"{part}_labels")
            if given is not None:
                labels = class_labels(f"{part}_labels", given, len(getattr(self, part)))
                object.__setattr__(self, f"{part}_labels", labels)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"Dataset({self.name!r}: {len(self.images)} images of {rows} x {columns}, "
            f"{len(self.train)} to train on, {len(self.test)} held out)"
        )

    def require_pixels(self, n_visible: int) -> None:
        """Raise InvalidDataError unless the images have a pixel for each visible spin of a model."""
        if self.images.shape[1] != n_visible:
            raise InvalidDataError(
                f"the images of {self.name} have {self.images.shape[1]} pixels and the model has {n_visible} "
                "visible spins: give the data set that it was trained on"
            )


def _frozen(name: str, values: npt.ArrayLike, width: int | None = None) -> States:
    rows = spins(name, values, width)
    if _is_writable(rows):
        # A copy, so that the caller's own array stays writable.
        rows = rows.copy()
    rows.setflags(write=False)
    return rows


def _is_writable(array: npt.NDArray[Any]) -> bool:
    """Return whether somebody can write to the memory of an array, through it or through what it views."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return True
        owner = owner.base
    return owner is not None


def class_labels(name: str, values: npt.ArrayLike, count: int) -> Labels:
    """Return ``values`` as a read-only copy of ``count`` labels.

    >>> class_labels("labels", [3, 1, 4], count=3)
    array([3, 1, 4], dtype=uint8)
    """
    array = rectangular(name, values)
    if array.shape != (count,):
        raise InvalidDataError(
            f"{name} must be one label for each of {count} images, shape ({count},), not {array.shape}"
        )
    wrong = array != array.astype(np.uint8) if array.dtype.kind in "iu" else np.ones(count, dtype=np.bool_)
    if wrong.any():
        raise InvalidDataError(
            f"{name} must be whole numbers from 0 to 255, not {array[wrong.argmax()]!s} ({array.dtype}): "
            "number the classes"
        )
    labels = array.astype(np.uint8)
    labels.setflags(write=False)
    return labels


def image_shape(shape: Any, width: int | None = None) -> tuple[int, int]:
    """Return ``shape`` as rows and columns, whose product must be ``width``.

    >>> image_shape([4, 3], width=12)
    (4, 3)
    """
    try:
        rows, columns = shape
    except (TypeError, ValueError):
        raise InvalidParameterError(f"shape must be two integers, rows and columns, not {shape!r}") from None
    pair = positive_integer("the rows of shape", rows), positive_integer("the columns of shape", columns)
    if width is not None and pair[0] * pair[1] != width:
        raise InvalidParameterError(
            f"shape {pair[0]} x {pair[1]} makes {pair[0] * pair[1]} pixels and the images have {width}: "
            "give the rows and columns of one image"
        )
    return pair


def usual_shape(pixels: int) -> tuple[int, int]:
    """Return the rows and columns of an image that nothing else is known of: a square, or else one row.

    >>> usual_shape(16), usual_shape(12)
    ((4, 4), (1, 12))
    """
    side = math.isqrt(pixels)
    return (side, side) if side * side == pixels else (1, pixels)


def held_out(count: int, test_share: float, seed: Seed) -> npt.NDArray[np.bool_]:
    """Return which of ``count`` images are held out: ``test_share`` of them, rounded, drawn at random.

    A share above 0 holds out at least one. Raises InvalidParameterError when none is left to train on.

    >>> int(held_out(10, 0.2, seed=0).sum())
    2
    """
    share = finite("test_share", test_share, minimum=0, maximum=1)
    size = max(1, round(share * count)) if share > 0 else 0
    if size >= count:
        raise InvalidParameterError(
            f"test_share {share:g} of {count} image{'' if count == 1 else 's'} leaves none to train on: give "
            "less, or 0"
        )
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[generator(seed).choice(count, size, replace=False)] = True
    return chosen
