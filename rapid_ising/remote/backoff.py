"""Pauses between tries: longer each time, with jitter, and as long as a service asks for."""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import random
import time
from collections.abc import Iterator
from typing import final


@final
@dataclasses.dataclass(frozen=True)
class Backoff:
    r"""Pauses that grow to a limit.

    .. math:: t_n = \min(t_1 f^{n-1}, t_{\max}) \, (1 - j u_n), \quad u_n \in [0, 1)

    The jitter u is not one of the random numbers of the samples: it moves with the clock.

    Parameters
    ----------
    first, factor, longest
        t_1 in seconds, f, and t_max.
    jitter
        j, the share of a pause that is random, so that many clients do not come back at once.

    Examples
    --------
    >>> pauses = Backoff(1.0, 2.0, 3.0, jitter=0.0).pauses()
    >>> [next(pauses) for _ in range(4)]
    [1.0, 2.0, 3.0, 3.0]
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.5

    def pauses(self) -> Iterator[float]:
        """Yield one pause after the other, in seconds."""
        pause, rng = self.first, random.Random()
        while True:
            yield pause * (1 - self.jitter * rng.random())
            pause = min(self.longest, pause * self.factor)


def retry_after(value: str | None) -> float:
    """Return the seconds that a ``Retry-After`` header asks to wait: a number or a date; 0 without one.

    >>> retry_after("2"), retry_after(None), retry_after("soon")
    (2.0, 0.0, 0.0)
    """
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value)) if value.strip().replace(".", "", 1).isdigit() else _until(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _until(date: str) -> float:
    until = email.utils.parsedate_to_datetime(date)
    # A zone of -0000 gives none.
    return max(0.0, until.replace(tzinfo=until.tzinfo or datetime.UTC).timestamp() - time.time())
