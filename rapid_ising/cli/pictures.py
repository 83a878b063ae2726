"""Images of spins as block characters in a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCKS = {-1: "░", 0: " ", 1: "█"}
"""One character a pixel; 0 is a pixel that was erased."""
PLAIN = {-1: ".", 0: " ", 1: "#"}
WIDE = 20
"""From this many columns on, a pixel is one character wide instead of two."""


def picture(image: npt.NDArray[Any], shape: tuple[int, int], encoding: str = "utf-8") -> str:
    """Return the text of an image of -1, 0 and +1, one line a row of pixels.

    >>> print(picture(np.array([1, -1, -1, 1]), (2, 2), encoding="ascii"))
    ##..
    ..##
    """
    characters = BLOCKS if encoding.lower().startswith("utf") else PLAIN
    width = 1 if shape[1] >= WIDE else 2
    rows = np.asarray(image).reshape(shape).tolist()
    return "\n".join("".join(characters[int(pixel)] * width for pixel in row) for row in rows)
