"""Compilation of the inner loops, kept on disk where there is a place to keep it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator like ``numba.njit`` that caches what it compiles.

    Where neither the package nor a cache folder can be written, each process compiles anew.
    """

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return decorate
