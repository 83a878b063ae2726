"""As many threads for everything: the library's own setting, NumPy's products, and what the peers bring."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from rapid_ising.threads import VARIABLE, use_threads

VARIABLES = (
    VARIABLE,
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that has so many threads from its start."""
    return {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}


@contextmanager
def held(threads: int) -> Iterator[None]:
    """Hold the pools of libraries that are loaded to so many threads."""
    with use_threads(threads), threadpool_limits(limits=threads):
        yield
