"""The field below which a spin is drawn +1, from a random number of 32 bits.

A spin in the field f, in dimod's sign, is +1 with probability 1 / (1 + exp(2 beta f)). So with u even in
(0, 1) it is +1 where f < t,

    t = log(1/u - 1) / (2 beta), u = (b + 1/2) / 2^32,

which needs no exponential once f is known. Metropolis' rule flips a spin s with probability min(1, exp(2 beta
s f)), so where s f > log(u) / (2 beta); with t = -s log(1/u) / (2 beta) that is again to become +1 where
f < t, and -1 elsewhere. With q = 2^i q' and p = 2^j p', where q' and p' lie in [1, 2),

    log(q/p) = (i - j) log 2 + 2 artanh((q' - p') / (q' + p')),

and seven terms of the series of artanh leave 1e-8 of it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.vectors import bits_of, float_of

Reals = npt.NDArray[np.floating[Any]]
Numbers = npt.NDArray[np.uint32]

COLDEST = 1e-35
"""The least 1 / (2 beta): at beta = infinity t is next to 0, with the sign that decides a tie."""
MANTISSA, ONE, SHIFT = np.int32(0x7FFFFF), np.int32(0x3F800000), np.int32(23)
LOG2 = np.float32(0.6931471805599453)
ODD = tuple(np.float32(1 / k) for k in (3, 5, 7, 9, 11, 13))


def thresholds_twin(numbers: Numbers, scale: Any, metropolis: bool = False) -> npt.NDArray[np.float64]:
    """Return t in plain NumPy and float64; the specification of the kernel below."""
    bits = numbers.astype(np.float64)
    above = 2.0**32 if metropolis else 2.0**32 - 0.5 - bits
    t: npt.NDArray[np.float64] = np.log(above / (bits + 0.5)) * scale
    return t


@numba.njit(inline="always")
def _log_ratio(above: Any, below: Any) -> Any:  # pragma: no cover - compiled
    q, p = bits_of(above), bits_of(below)
    powers = np.int32(np.int32(q >> SHIFT) - np.int32(p >> SHIFT))
    high = float_of(np.int32(np.int32(q & MANTISSA) | ONE))
    low = float_of(np.int32(np.int32(p & MANTISSA) | ONE))
    z = (high - low) / (high + low)
    y = z * z
    series = y * (ODD[0] + y * (ODD[1] + y * (ODD[2] + y * (ODD[3] + y * (ODD[4] + y * ODD[5])))))
    return np.float32(powers) * LOG2 + (z + z) * (np.float32(1) + series)


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def thresholds(
    numbers: Numbers, scale: Any, metropolis: bool, found: Reals
) -> None:  # pragma: no cover - compiled
    """Write t of each number; ``scale`` is 1 / (2 beta), float32, at least COLDEST.

    For Metropolis' rule it is |t|.
    """
    if metropolis:
        for i in range(numbers.size):
            found[i] = _log_ratio(np.float32(2**32), np.float32(numbers[i]) + np.float32(0.5)) * scale
    else:
        for i in range(numbers.size):
            above = np.float32(np.uint32(~numbers[i])) + np.float32(0.5)
            found[i] = _log_ratio(above, np.float32(numbers[i]) + np.float32(0.5)) * scale
