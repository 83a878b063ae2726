"""IDX files, the form of MNIST: a short header, then the bytes of an array; plain or gzip."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError

UNSIGNED_BYTES = 8
"""The type byte of every file that is read here; IDX has codes for wider numbers too."""
IMAGES = ("images", "rows", "columns")
LABELS = ("labels",)
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20


def idx_images(path: str | os.PathLike[str], *, md5: str | None = None) -> npt.NDArray[np.uint8]:
    """Return the grey images of an IDX file, shape (n, rows, columns), values 0 to 255.

    The file holds the bytes 0, 0, 8 (unsigned bytes) and 3 (dimensions), then n, rows and columns as
    big-endian 32-bit integers, then the pixels row by row; gzip is recognised by its first two bytes.
    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".

    Parameters
    ----------
    path
        The file.
    md5
        The checksum of the file, unpacked; left out, it is not checked.

    Raises
    ------
    InvalidDataError
        If the file is missing, damaged, no IDX file of images, longer or shorter than its header says, or has
        another checksum; the message names the file, what was expected and what was found.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "one-image"
    >>> _ = file.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]))
    >>> idx_images(file)
    array([[[  0, 255]]], dtype=uint8)
    """
    return _array(Path(path), IMAGES, md5)


def idx_labels(path: str | os.PathLike[str], *, md5: str | None = None) -> npt.NDArray[np.uint8]:
    """Return the labels of an IDX file, shape (n,), values 0 to 255.

    The file is as for ``idx_images``, with one dimension: the bytes 0, 0, 8, 1, then n, then the labels.
    Raises InvalidDataError as ``idx_images`` does.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "two-labels"
    >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3]))
    >>> idx_labels(file)
    array([7, 3], dtype=uint8)
    """
    return _array(Path(path), LABELS, md5)


def _array(path: Path, axes: tuple[str, ...], md5: str | None) -> npt.NDArray[np.uint8]:
    """Return the array of a file that has these axes."""
    start = size = _header_size(axes)
    shape: tuple[int, ...] | None = None
    content, found, digest, whole = bytearray(), 0, hashlib.md5(usedforsecurity=False), True
    try:
        for block in _blocks(path):
            digest.update(block)
            found += len(block)
            # What is too long is counted and not kept.
            if shape is None or found <= size:
                content += block
            if shape is None and found >= start:
                shape = _shape(path, content, axes)
                size += math.prod(shape)
    except EOFError:
        whole = False
    shape = shape or _shape(path, content, axes)
    if found != size:
        raise InvalidDataError(
            f"{path}: {size} bytes expected for {_product(shape)} {axes[0]}, {found} found: the file is "
            f"{'cut off' if found < size else 'too long'}; fetch it again"
        )
    if not whole:
        raise InvalidDataError(
            f"{path}: {size} bytes as expected, but no end of the gzip file: fetch it again"
        )
    if md5 is not None and digest.hexdigest() != md5:
        raise InvalidDataError(
            f"{path}: its md5 checksum is {digest.hexdigest()}, and {md5} is expected: the file is damaged "
            "or of another data set; fetch it again, or leave the check out if it is meant"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _shape(path: Path, content: bytearray, axes: tuple[str, ...]) -> tuple[int, ...]:
    """Return the shape that the header in front of ``content`` gives."""
    start, magic = _header_size(axes), bytes([0, 0, UNSIGNED_BYTES, len(axes)])
    if content[:4] != magic[: len(content)]:
        raise InvalidDataError(
            f"{path}: it starts with the bytes {content[:4].hex(' ')}, and an IDX file of {axes[0]} with "
            f"{magic.hex(' ')} (unsigned bytes, {len(axes)} dimensions): give another file"
        )
    if len(content) < start:
        raise InvalidDataError(
            f"{path}: {start} bytes expected for the header alone, {len(content)} found: the file is cut "
            "off; fetch it again"
        )
    shape: tuple[int, ...] = struct.unpack_from(f">{len(axes)}I", content, 4)
    if 0 in shape:
        raise InvalidDataError(f"{path}: its header gives {_product(shape)} {axes[0]}: there are none")
    return shape


def _header_size(axes: tuple[str, ...]) -> int:
    return 4 + 4 * len(axes)


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in blocks, unpacked where it is gzip; EOFError when gzip is cut off."""
    try:
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(path.open("rb"))
            packed = raw.peek(2)[:2] == GZIP
            file = stack.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw
            while block := file.read1(CHUNK):
                yield block
    except FileNotFoundError as error:
        raise InvalidDataError(f"{path}: there is no such file") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InvalidDataError(f"{path}: the gzip file is damaged ({error}): fetch it again") from error
    except OSError as error:
        raise InvalidDataError(f"{path}: the file cannot be read ({error.strerror or error})") from error
