"""A lock on a file, for its one writer."""

from __future__ import annotations

import os
import sys


def lock(file: int) -> None:
    """Lock an open file until it is closed or the process ends; OSError if another holds it."""
    if sys.platform == "win32":
        import msvcrt

        # A byte beyond the content: Windows keeps readers off locked ones.
        os.lseek(file, 2**40, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
