"""Data sets by name, and from files and folders."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets.arrays import from_array
from rapid_ising.datasets.bars_stripes import bars_and_stripes, stripes
from rapid_ising.datasets.dataset import Dataset
from rapid_ising.datasets.mnist_files import fashion_mnist, from_idx, mnist
from rapid_ising.datasets.scikit_learn import digits
from rapid_ising.errors import InvalidDataError, InvalidParameterError, UnknownNameError
from rapid_ising.validation import Seed

BY_SIDE: dict[str, Callable[..., Dataset]] = {"stripes": stripes, "bars-and-stripes": bars_and_stripes}
OF_FILES: dict[str, Callable[..., Dataset]] = {"mnist": mnist, "fashion-mnist": fashion_mnist}
"""What comes with its own held-out images."""


def load(source: str | os.PathLike[str], *, test_share: float | None = None, seed: Seed = 0) -> Dataset:
    """Return a data set by its name or from a path.

    Parameters
    ----------
    source
        "stripes" or "bars-and-stripes", with the side after a hyphen unless it is 4 ("stripes-6"); "digits",
        "mnist" or "fashion-mnist"; or the path of a .npy file for ``from_array`` or of a folder for
        ``from_idx``: a text that ends in .npy or has a slash, or a Path.
    test_share
        The share of images that is held out; left out, what the data set itself takes. MNIST, Fashion-MNIST
        and folders have files of held-out images, and take none.
    seed
        An int or a numpy Generator that draws them.

    Raises
    ------
    UnknownNameError
        If there is no data set of that name and it is not a path either.
    InvalidDataError
        If the file is missing, damaged, or holds no array of spins; or as ``mnist`` says.
    InvalidParameterError
        If the side or ``test_share`` is out of range, or a share is given where there is nothing to draw.
    MissingDependencyError
        If it is the digits and scikit-learn is not installed.

    Examples
    --------
    >>> load("stripes-6")
    Dataset('stripes-6': 62 images of 6 x 6, 50 to train on, 12 held out)
    """
    split: dict[str, Any] = {"seed": seed} if test_share is None else {"seed": seed, "test_share": test_share}
    if isinstance(source, str):
        named = re.fullmatch(f"({'|'.join(BY_SIDE)})(?:-([0-9]{{1,9}}))?", source)
        if named is not None:
            return BY_SIDE[named[1]](int(named[2] or 4), **split)
        if source == "digits":
            return digits(**split)
        if source in OF_FILES:
            _refuse_share(source, test_share)
            return OF_FILES[source](seed=seed)
        if not is_path(source):
            if os.path.isfile(source):
                raise InvalidDataError(
                    f"{source} is a file, and a data set comes as a .npy file: write one in Python by "
                    "numpy.save('images.npy', array), an array of -1 and +1 with one image a row"
                )
            sized = [f"{name}-N" for name in BY_SIDE]
            here = [f"{source}{end}" for end in (".npy", "/") if source and os.path.exists(f"{source}{end}")]
            known = [*here, *BY_SIDE, *sized, "digits", *OF_FILES, "FILE.npy", "FOLDER/"]
            raise UnknownNameError.among("data set", source, known)
    path = Path(source)
    if path.is_dir():
        _refuse_share(path, test_share)
        return from_idx(path, seed=seed)
    try:
        return from_array(read_npy(path), name=path.stem, **split)
    except InvalidDataError as error:
        raise InvalidDataError(f"{path}: {error}") from error


def is_path(source: str) -> bool:
    """Return whether ``load`` takes a text for a path, not for a name.

    >>> is_path("stripes"), is_path("stripes.npy"), is_path("stripes/")
    (False, True, True)
    """
    return source.endswith(".npy") or not {"/", os.sep}.isdisjoint(source)


def _refuse_share(source: str | Path, test_share: float | None) -> None:
    if test_share is not None:
        raise InvalidParameterError(
            f"{source} has files of held-out images, and test_share {test_share!r} draws none: leave it out"
        )


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Return the array of a .npy file; nothing in the file is ever executed."""
    try:
        # A memory map would turn a file that is cut off later into a crash.
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise InvalidDataError("there is no such file") from error
    except OSError as error:
        raise InvalidDataError(f"the file cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, MemoryError, SyntaxError, tokenize.TokenError) as error:
        # numpy reads the header as a Python literal, hence the last two.
        raise InvalidDataError(
            f"the file is damaged or not one array of numbers, as numpy.save writes it ({error})"
        ) from error
