"""What can go wrong between a client and a service, on demand and repeatable."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from typing import final

import numpy as np

from rapid_ising.errors import InvalidParameterError, UnknownNameError
from rapid_ising.validation import finite

STATUSES: Mapping[str, int] = {"401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503}
"""The request is answered with this status, and not looked at."""
BEFORE = "disconnect-before"
"""The connection is cut before the request is looked at."""
AFTERWARDS = ("slow", "truncated", "disconnect-after")
"""The request is served; the answer comes in drips, cut short, or not at all."""
FATES = ("job-failed", "never-finishes", "deleted")
"""What becomes of a job: the machine gives it up, is never done, or loses the answer."""
CONTENTS = ("wrong-types", "missing-variables", "nan-energies", "duplicated-rows")
"""The answer is one that the document does not allow."""
KINDS = (*STATUSES, BEFORE, *AFTERWARDS, *FATES, *CONTENTS)


@final
class Faults:
    """Faults at given rates, drawn from one seed.

    Parameters
    ----------
    rates
        The probability of each kind, for each request or job that it can befall.
    seed
        The seed.
    most
        The most faults in all; None has no limit.

    Examples
    --------
    >>> faults = Faults({"429": 1.0}, most=2)
    >>> [faults.draw(KINDS) for _ in range(3)], faults.count
    (['429', '429', None], Counter({'429': 2}))
    """

    def __init__(
        self, rates: Mapping[str, float] | None = None, seed: int = 0, most: int | None = None
    ) -> None:
        self._lock = threading.Lock()
        self.begin(rates, seed, most)

    def begin(self, rates: Mapping[str, float] | None = None, seed: int = 0, most: int | None = None) -> None:
        """Begin anew with other faults, while an emulator runs; without any, all is well from now on."""
        rates = dict(rates or {})
        for kind, rate in rates.items():
            if kind not in KINDS:
                raise UnknownNameError.among("fault", kind, KINDS)
            finite(f"the rate of {kind}", rate, minimum=0, maximum=1)
        if sum(rates.values()) > 1 + 1e-9:
            raise InvalidParameterError(
                f"the rates of the faults add up to {sum(rates.values()):g}: give at most 1 in all"
            )
        with self._lock:
            self.rates = rates
            self.count: Counter[str] = Counter()
            self._most, self._rng = most, np.random.default_rng(seed)

    def draw(self, kinds: Collection[str]) -> str | None:
        """Return the fault that strikes now among these kinds, or None."""
        possible = [kind for kind in self.rates if kind in kinds]
        if not possible:
            return None
        with self._lock:
            if self._most is not None and self.count.total() >= self._most:
                return None
            u = self._rng.random()
            for kind in possible:
                u -= self.rates[kind]
                if u < 0:
                    self.count[kind] += 1
                    return kind
        return None


def parsed(text: str, seed: int = 0) -> Faults:
    """Return the faults that ``429:0.2,slow:0.1`` names; a rate left out is 0.2.

    >>> parsed("429:0.5,slow").rates
    {'429': 0.5, 'slow': 0.2}
    """
    rates: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, rate = part.partition(":")
        try:
            rates[kind] = float(rate) if rate else 0.2
        except ValueError:
            raise InvalidParameterError(
                f"the fault {part!r} must read KIND or KIND:RATE, such as 429:0.2"
            ) from None
    return Faults(rates, seed)
