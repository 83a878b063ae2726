"""Data sets that scikit-learn brings or fetches; needs the extra ``data``."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets.arrays import from_array
from rapid_ising.datasets.dataset import Dataset
from rapid_ising.datasets.greyscale import Binarization, binarizer
from rapid_ising.errors import InvalidDataError, MissingDependencyError
from rapid_ising.validation import Seed, finite, positive_integer, rectangular


def digits(
    threshold: float = 0.5,
    test_share: float = 0.2,
    seed: Seed = 0,
    *,
    binarize: Binarization = "threshold",
) -> Dataset:
    """Return scikit-learn's 1797 handwritten digits, 8 x 8, with labels 0 to 9.

    A pixel of grey value p, 0 to 16, is +1 where p / 16 > ``threshold``, or by "stochastic" with probability
    p / 16. Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository (1998), of which scikit-learn ships the test set.

    Parameters
    ----------
    threshold
        The share of white above which a pixel is +1, 0 to 1.
    test_share
        The share of images that is held out, drawn at random.
    seed
        An int or a numpy Generator, which draws those and, by "stochastic", the pixels.
    binarize
        "threshold" or "stochastic".

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    InvalidParameterError
        If ``threshold`` or ``test_share`` is out of range.
    UnknownNameError
        If ``binarize`` is another word.

    Examples
    --------
    >>> data = digits()
    >>> data
    Dataset('digits': 1797 images of 8 x 8, 1438 to train on, 359 held out)
    >>> data.train_labels.shape
    (1438,)
    """
    spins = binarizer(threshold, binarize, seed)
    found = _sklearn_datasets().load_digits()
    return from_array(spins(found.data, 16), (8, 8), test_share, seed, "digits", found.target)


def openml(
    name: str,
    version: int,
    *,
    shape: tuple[int, int] | None = None,
    threshold: float = 0.3,
    binarize: Binarization = "threshold",
    test_share: float = 0.2,
    seed: Seed = 0,
    timeout: float = 60.0,
    data_home: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Fetch a data set of grey images from OpenML, such as ("mnist_784", 1), and make spins of them.

    This is the one data set that needs a network, when it is called and only then; scikit-learn checks what
    it gets against OpenML's checksum and keeps it, so that a second call does without. The tests run it
    against a stand-in for scikit-learn's ``fetch_openml``, not against the service itself.

    A pixel is +1 where its share of the largest value in the data is above ``threshold``, or by "stochastic"
    with that share as the probability. Labels that are whole numbers from 0 to 255 stay as they are, other
    classes are numbered in sorted order; there are none without a target or with one of more than 256 values.

    Parameters
    ----------
    name, version
        The data set's name on OpenML and its version.
    shape
        The rows and columns of one image, as for ``from_array``.
    threshold, binarize, test_share, seed
        As for ``digits``.
    timeout
        The seconds that each step over the network may be silent. While the data are fetched this is the
        default of all new sockets of the process.
    data_home
        The folder to keep the data in; left out, scikit-learn's own.

    Raises
    ------
    InvalidDataError
        If the data cannot be fetched, or are no images: missing or negative values, or nothing but zeros.
    MissingDependencyError
        If scikit-learn is not installed.
    InvalidParameterError
        If an argument is out of range, or ``shape`` does not fit the images.
    UnknownNameError
        If ``binarize`` is another word.

    Examples
    --------
    >>> openml("mnist_784", 0)
    Traceback (most recent call last):
    rapid_ising.errors.InvalidParameterError: version must be an integer of at least 1, not 0
    """
    # Here, since it brings ssl, which only a fetch needs.
    from http.client import HTTPException

    spins = binarizer(threshold, binarize, seed)
    number = positive_integer("version", version)
    with _time_limit(finite("timeout", timeout, minimum=0, exclusive=True)):
        fetch = _sklearn_datasets().fetch_openml
        try:
            # This parser needs no pandas, so the same call gives the same arrays everywhere.
            found = fetch(
                name,
                version=number,
                data_home=data_home,
                as_frame=False,
                parser="liac-arff",
                n_retries=1,
            )
        except (OSError, ValueError, HTTPException) as error:
            raise InvalidDataError(
                f"data set {name!r}, version {number}, could not be fetched from OpenML ({error}): check the "
                "network, the name and the version"
            ) from error
    title = f"{name}-{number}"
    grey = rectangular(title, found.data)
    white = grey.max(initial=0)
    if grey.ndim != 2 or not np.isfinite(grey).all() or grey.min(initial=0) < 0 or white == 0:
        raise InvalidDataError(
            f"{title} is no set of grey images: its values must be a table of finite numbers from 0 (black) "
            "to a largest one above 0 (white)"
        )
    return from_array(spins(grey, float(white)), shape, test_share, seed, title, _class_numbers(found.target))


def _sklearn_datasets() -> Any:
    try:
        import sklearn.datasets
    except ModuleNotFoundError as error:
        # A broken scikit-learn is not a missing one.
        if error.name not in ("sklearn", "sklearn.datasets"):
            raise
        raise MissingDependencyError(
            "this data set needs scikit-learn, not installed here: pip install 'rapid-ising[data]'"
        ) from error
    return sklearn.datasets


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    # fetch_openml takes no time-out of its own and would wait for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _class_numbers(target: Any) -> npt.NDArray[Any] | None:
    """Return the class of each image as a number from 0 to 255, or None where there are no such classes."""
    values = np.asarray(target)
    if target is None or values.ndim != 1:
        return None
    names, ranks = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    if len(names) > 256:
        return None
    try:
        numbers = names.astype(np.float64)
    except ValueError:
        return ranks
    whole = ((numbers == np.floor(numbers)) & (numbers >= 0) & (numbers <= 255)).all()
    return numbers.astype(np.uint8)[ranks] if whole else ranks
