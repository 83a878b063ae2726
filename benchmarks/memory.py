"""The most memory that a work takes, that of BLAS and compiled kernels too: from the system's count."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def peak_of(work: Callable[[], T]) -> tuple[T, float | None]:
    """Return what the work returns, and the bytes by which it raised the process above where it began.

    None where the system cannot begin its count anew, which Linux can.
    """
    if not CLEAR.exists():
        return work(), None
    # What was freed goes back to the system first, so that it is not in use again without being seen.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    CLEAR.write_text("5")
    before = _kilobytes("VmRSS")
    answer = work()
    return answer, 1024.0 * max(0, _kilobytes("VmHWM") - before)


def peak_of_process() -> float:
    """Return the most bytes that this process had since it began, or since ``peak_of`` was asked."""
    if STATUS.exists():
        return 1024.0 * _kilobytes("VmHWM")
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _kilobytes(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0])
