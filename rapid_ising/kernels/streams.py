"""Streams of random numbers for compiled loops: xoshiro128++, 32 generators side by side.

A stream is known by a 64-bit key, drawn from the caller's Generator once a call, and its place among the
streams of that call. So what is drawn does not depend on how many threads draw it. Numbers are unsigned, of
32 bits: those of generator 0, 1, ..., 31 in turn. Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021);
the states come from their key by SplitMix64, Steele, Lea and Flood, OOPSLA (2014).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled

LANES = 32
"""Generators of a stream, side by side so that they fill the processor's vectors."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
Numbers = npt.NDArray[np.uint32]


def new_key(rng: np.random.Generator) -> np.uint64:
    """Draw the key of a call's streams from the caller's Generator."""
    return rng.integers(2**64, dtype=np.uint64)


def numbers_twin(key: int, stream: int, count: int) -> Numbers:
    """Return the first numbers of a stream in plain Python and NumPy; the specification of what follows.

    >>> numbers_twin(1, 2, 3).tolist() == stream_numbers(np.uint64(1), 2, 3).tolist()
    True
    """
    whole, half = 2**64 - 1, np.uint32
    golden = int(GOLDEN)

    def mixed(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & whole
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & whole
        return x ^ (x >> 31)

    at = mixed(int(key) ^ mixed((stream + 1) * golden & whole))
    words = []
    for _ in range(2 * LANES):
        at = (at + golden) & whole
        words += [mixed(at) & 0xFFFFFFFF, mixed(at) >> 32]
    a, b, c, d = np.array(words, np.uint32).reshape(4, LANES)

    def turned(x: Numbers, by: int) -> Numbers:
        return (x << half(by)) | (x >> half(32 - by))

    found = []
    for _ in range(-(-count // LANES)):
        found.append(turned(a + d, 7) + a)
        shifted = b << half(9)
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = turned(d, 11)
    return np.concatenate([np.zeros(0, np.uint32), *found])[:count]


@numba.njit(inline="always")
def _mixed(x: Any) -> Any:  # pragma: no cover - compiled
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(inline="always")
def _turned(x: Any, by: int) -> Any:  # pragma: no cover - compiled
    return np.uint32(np.uint32(x << np.uint32(by)) | np.uint32(x >> np.uint32(32 - by)))


@compiled(nogil=True)
def seed_lanes(state: Numbers, key: np.uint64, stream: int) -> None:  # pragma: no cover - compiled
    """Set ``state``, shape (4, LANES), to the beginning of a stream."""
    at = _mixed(key ^ _mixed((np.uint64(stream) + np.uint64(1)) * GOLDEN))
    words = state.reshape(4 * LANES)
    for i in range(2 * LANES):
        at += GOLDEN
        word = _mixed(at)
        words[2 * i] = np.uint32(word & np.uint64(0xFFFFFFFF))
        words[2 * i + 1] = np.uint32(word >> np.uint64(32))


@compiled(nogil=True)
def fill(state: Numbers, numbers: Numbers) -> None:  # pragma: no cover - compiled
    """Write the next numbers of a stream; ``numbers`` has a multiple of LANES places."""
    for start in range(0, numbers.size, LANES):
        places = numbers[start : start + LANES]
        for i in range(LANES):
            a, b, c, d = state[0, i], state[1, i], state[2, i], state[3, i]
            # Sums and shifts of 32-bit numbers are 64 bits wide here, until they are cut.
            places[i] = np.uint32(_turned(np.uint32(a + d), 7) + a)
            shifted = np.uint32(b << np.uint32(9))
            c = np.uint32(c ^ a)
            d = np.uint32(d ^ b)
            state[1, i] = np.uint32(b ^ c)
            state[0, i] = np.uint32(a ^ d)
            state[2, i] = np.uint32(c ^ shifted)
            state[3, i] = _turned(d, 11)


@compiled(nogil=True)
def stream_numbers(key: np.uint64, stream: int, count: int) -> Numbers:  # pragma: no cover - compiled
    """Return the first numbers of a stream, for twins and for what is not compiled."""
    state = np.empty((4, LANES), np.uint32)
    numbers = np.empty(-(-count // LANES) * LANES, np.uint32)
    seed_lanes(state, key, stream)
    fill(state, numbers)
    return numbers[:count]
