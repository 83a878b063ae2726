"""A limit on how long a call may take, carried through whatever it calls."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, final

from rapid_ising.errors import DeadlineExceededError
from rapid_ising.validation import finite


@final
class Deadline:
    """A point in time, ``seconds`` from now; None is never.

    Examples
    --------
    >>> Deadline(None).remaining
    inf
    """

    def __init__(self, seconds: Any = None) -> None:
        self.seconds = math.inf if seconds is None else finite("deadline", seconds, minimum=0, exclusive=True)
        self._end = time.monotonic() + self.seconds

    def __getstate__(self) -> dict[str, float]:
        """Carry the seconds left to another process, since each computer has a clock of its own."""
        return {"seconds": self.seconds, "remaining": self.remaining}

    def __setstate__(self, state: Mapping[str, float]) -> None:
        self.seconds = state["seconds"]
        self._end = time.monotonic() + state["remaining"]

    @property
    def remaining(self) -> float:
        """The seconds left, negative when it has passed."""
        return self._end - time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining <= 0

    def check(self, who: str) -> None:
        """Raise DeadlineExceededError when no time is left."""
        if self.passed:
            raise self.exceeded(who)

    def exceeded(self, who: str) -> DeadlineExceededError:
        """Return the error that says that ``who`` took too long."""
        return DeadlineExceededError(
            f"{who} did not finish within its deadline of {self.seconds:g} s: "
            "ask for fewer reads or sweeps, or give a later deadline"
        )
