"""Powers of two and tanh of float32 numbers, as loops that become vector instructions."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

LOG2E = 1.4426950408889634
LARGEST = 126.0
"""The largest power of two: exponents are held between its negative and it."""
# 2^r for r from -1/2 to 1/2, by least largest relative error (9e-8, about that of rounding to float32).
C1, C2, C3, C4, C5 = (
    np.float32(c) for c in (0.69314698, 0.24022242, 0.05550734, 0.00967151, 0.00132647)
)  # fmt: skip
ROUND = np.float32(1.5 * 2**23)
"""Added to a number it leaves the nearest integer in the lowest bits; taken away again, that integer."""


@numba.njit(inline="always")
def power_of_two(x: Any) -> Any:  # pragma: no cover - compiled
    """Return 2^x; x is between -LARGEST and LARGEST."""
    whole = np.float32(x + ROUND)
    r = np.float32(x - np.float32(whole - ROUND))
    p = np.float32(1) + r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * C5))))
    return np.int32(np.float32(p).view(np.int32) + np.int32(whole.view(np.int32) << np.int32(23))).view(
        np.float32
    )


@numba.njit(inline="always")
def tanh(x: Any) -> Any:  # pragma: no cover - compiled
    """Return tanh x = e / (e + 2) with e = exp(2 x) - 1, to a millionth of itself also where x is small."""
    y = np.float32(2 * LOG2E) * x
    y = min(max(y, np.float32(-LARGEST)), np.float32(LARGEST))
    whole = np.float32(y + ROUND)
    r = np.float32(y - np.float32(whole - ROUND))
    scale = np.int32(np.int32(127 << 23) + np.int32(whole.view(np.int32) << np.int32(23))).view(np.float32)
    e = scale * (r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * C5))))) + (scale - np.float32(1))
    return e / (e + np.float32(2))
