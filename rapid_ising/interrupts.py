"""Ctrl-C during calls of compiled code, which would swallow it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def noted_interrupts() -> Iterator[list[Any]]:
    """Note Ctrl-C in a list instead of raising it, and raise it at the end.

    Compiled code that calls back into Python may drop an exception that is raised there. The callback looks
    at the list and asks the code to stop; what was noted is handled when the block is left. Outside the main
    thread, where no signal arrives, nothing changes.
    """
    noted: list[Any] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append((number, frame))

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
        if noted and callable(before):
            before(*noted[0])
