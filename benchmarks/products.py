"""The float32 matrix products that a work cannot avoid, bare, into memory that is there: its limit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.side_by_side import Work

Matrix = npt.NDArray[np.float32]


def products(*factors: tuple[Matrix, Matrix], times: int = 1) -> Work:
    """Return the work of multiplying each pair of matrices, ``times`` over."""
    outputs = [np.empty((a.shape[0], b.shape[1]), np.float32) for a, b in factors]

    def work() -> None:
        for _ in range(times):
            for (a, b), out in zip(factors, outputs, strict=True):
                np.matmul(a, b, out=out)

    return work


def sweep_products(weights: Matrix, chains: int, times: int = 1) -> Work:
    """Return the two products of a sweep through weights (H, V): v W^T and h W."""
    hidden, visible = weights.shape
    rng = np.random.default_rng(0)
    v, h = signs(rng, chains, visible), signs(rng, chains, hidden)
    return products((v, weights.T), (h, weights), times=times)


def fastest_product(size: int = 2048) -> tuple[Work, float]:
    """Return a square product and its floating-point operations: what the machine can do."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((size, size), dtype=np.float32) for _ in range(2))
    return products((a, b)), 2.0 * size**3


def signs(rng: np.random.Generator, *shape: int) -> Matrix:
    """Return even spins -1 and +1."""
    return (2 * rng.integers(2, size=shape, dtype=np.int8) - 1).astype(np.float32)
