"""MNIST, Fashion-MNIST and whatever else comes as the same four IDX files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets.dataset import Dataset
from rapid_ising.datasets.greyscale import Binarization, binarizer
from rapid_ising.datasets.idx import idx_images, idx_labels
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.validation import Seed, positive_integer

DATA_FOLDER = "RAPID_ISING_DATA"
"""The environment variable that names the folder of data sets."""
TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# The md5 checksums of the unpacked files: a packed file has another one each time that it is packed.
MNIST_MD5 = {
    TRAIN[0]: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN[1]: "a25bea736e30d166cdddb491f175f624",
    TEST[0]: "2646ac647ad5339dbf082846283269ea",
    TEST[1]: "27ae3e4e09519cfbb04c329615203637",
}
FASHION_MNIST_MD5 = {
    TRAIN[0]: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    TRAIN[1]: "9018921c3c673c538a1fc5bad174d6f9",
    TEST[0]: "8181f5470baa50b63fa0f6fddb340f0a",
    TEST[1]: "15d484375f8d13e6eb1aabb0c3f46965",
}


def mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    threshold: float = 0.3,
    binarize: Binarization = "threshold",
    seed: Seed = 0,
    train: int | None = None,
    test: int | None = None,
    name: str = "mnist",
    verify: bool = True,
) -> Dataset:
    """Return the handwritten digits of MNIST, 28 x 28, from its four IDX files, with labels 0 to 9.

    A pixel of grey value p, 0 to 255, is +1 where p / 255 > ``threshold``, as in arXiv:1910.01592. By
    "stochastic" it is +1 with probability p / 255, drawn once: the form for which most log-likelihoods in the
    literature are given. The two are different data sets, so their likelihoods cannot be compared.

    Parameters
    ----------
    path
        The folder of the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
        t10k-labels-idx1-ubyte, each as it is or with .gz; or the folder around a folder ``mnist`` of them.
        Left out, the folder that the environment variable RAPID_ISING_DATA names. Nothing is downloaded.
    threshold
        The share of white above which a pixel is +1, 0 to 1; "stochastic" does without.
    binarize
        "threshold" or "stochastic".
    seed
        An int or a numpy Generator, which draws the pixels by "stochastic" and plays no part otherwise.
    train, test
        How many of the 60000 images to train on and of the 10000 held out to take, the first ones of each
        file; left out, all. ``test=0`` holds out none.
    name
        What the data set is called.
    verify
        Whether the files must be those of MNIST, by their checksums.

    Raises
    ------
    InvalidDataError
        If the files are not found, and it says where they were looked for; or if one is damaged, too short or
        too long, or has another checksum.
    InvalidParameterError
        If ``threshold`` is out of range, or there are fewer images than ``train`` or ``test``.
    UnknownNameError
        If ``binarize`` is another word.

    Examples
    --------
    >>> mnist("no/such/folder")  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
    rapid_ising.errors.InvalidDataError: mnist is the files train-images-idx3-ubyte, ...
    """
    folder = _folder("mnist", path)
    return _from_files(folder, name, MNIST_MD5 if verify else {}, threshold, binarize, seed, train, test)


def fashion_mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    threshold: float = 0.3,
    binarize: Binarization = "threshold",
    seed: Seed = 0,
    train: int | None = None,
    test: int | None = None,
    name: str = "fashion-mnist",
    verify: bool = True,
) -> Dataset:
    """Return the pictures of clothes of Fashion-MNIST, 28 x 28, from its four IDX files, with labels 0 to 9.

    Everything is as for ``mnist``: the files have the same names, and their own folder is ``fashion-mnist``.

    >>> fashion_mnist("no/such/folder")  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
    rapid_ising.errors.InvalidDataError: fashion-mnist is the files train-images-idx3-ubyte, ...
    """
    folder = _folder("fashion-mnist", path)
    checksums = FASHION_MNIST_MD5 if verify else {}
    return _from_files(folder, name, checksums, threshold, binarize, seed, train, test)


def from_idx(
    path: str | os.PathLike[str],
    *,
    threshold: float = 0.3,
    binarize: Binarization = "threshold",
    seed: Seed = 0,
    train: int | None = None,
    test: int | None = None,
    name: str | None = None,
) -> Dataset:
    """Return the data set of a folder with the four files of MNIST, of any number and size of images.

    Everything is as for ``mnist``, except that the files must be in the folder itself, that no checksum is
    known, and that the data set is called like the folder when no ``name`` is given.

    >>> from_idx("no/such/folder")  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
    rapid_ising.errors.InvalidDataError: no/such/folder: the folder cannot be read as a data set: ...
    """
    folder = Path(path)
    missing = _missing(folder)
    if missing:
        raise InvalidDataError(
            f"{folder}: the folder cannot be read as a data set: {', '.join(missing)}, plain or with .gz, "
            "must be in it"
        )
    title = folder.resolve().name if name is None else name
    return _from_files(folder, title, {}, threshold, binarize, seed, train, test)


def _folder(known_as: str, path: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the files: that of the data set's name in ``path``, or ``path`` itself."""
    wanted = f"{known_as} is the files {', '.join(TRAIN + TEST)}, plain or with .gz"
    hint = (
        f"give their folder as path, or set the environment variable {DATA_FOLDER} to it or to the folder "
        f"around a folder {known_as} of them"
    )
    base = os.environ.get(DATA_FOLDER) if path is None else path
    if not base:
        raise InvalidDataError(f"{wanted}; looked nowhere, because {DATA_FOLDER} is not set: {hint}")
    places = [Path(base) / known_as, Path(base)]
    for place in places:
        if not _missing(place):
            return place
    looked = " and in ".join(f"{place} ({_what_is_missing(place)})" for place in places)
    raise InvalidDataError(f"{wanted}; looked in {looked}: {hint}")


def _what_is_missing(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    missing = _missing(folder)
    return "none of them" if len(missing) == len(TRAIN + TEST) else f"without {', '.join(missing)}"


def _missing(folder: Path) -> list[str]:
    return [name for name in TRAIN + TEST if _file(folder, name) is None]


def _file(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)


def _from_files(
    folder: Path,
    name: str,
    checksums: Mapping[str, str],
    threshold: float,
    binarize: Binarization,
    seed: Seed,
    train: int | None,
    test: int | None,
) -> Dataset:
    spins = binarizer(threshold, binarize, seed)
    # Checked before the files are read.
    counts = [
        None if count is None else positive_integer(word, count, minimum=least)
        for word, count, least in (("train", train, 1), ("test", test, 0))
    ]
    states, labels, shapes = [], [], []
    for word, files, count in zip(("train", "test"), (TRAIN, TEST), counts, strict=True):
        grey, classes = _pair(folder, files, checksums)
        if count is not None and count > len(grey):
            raise InvalidParameterError(
                f"{word} = {count}, and {folder} has {len(grey)} such images: take fewer"
            )
        states.append(spins(grey[:count], 255))
        labels.append(classes[:count])
        shapes.append(grey.shape[1:])
    if shapes[0] != shapes[1]:
        raise InvalidDataError(
            f"{folder}: the images to train on are {shapes[0][0]} x {shapes[0][1]} and those held out "
            f"{shapes[1][0]} x {shapes[1][1]}: they must be files of one data set"
        )
    images = np.concatenate(states)
    images.setflags(write=False)
    cut = len(states[0])
    del states
    return Dataset(name, images, images[:cut], images[cut:], shapes[0], *labels)


def _pair(folder: Path, files: tuple[str, str], checksums: Mapping[str, str]) -> tuple[npt.NDArray[Any], ...]:
    """Return the images and the labels of one part."""
    first, second = (_file(folder, name) or folder / name for name in files)
    images = idx_images(first, md5=checksums.get(files[0]))
    labels = idx_labels(second, md5=checksums.get(files[1]))
    if len(images) != len(labels):
        raise InvalidDataError(
            f"{first} has {len(images)} images and {second} {len(labels)} labels: they must be files of one "
            "data set"
        )
    return images, labels
