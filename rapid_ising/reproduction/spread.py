"""How numbers of several seeds are told: the median, the quartiles and the mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the numbers that there are, or None where there are none."""
    numbers = [value for value in values if value is not None]
    return float(np.median(numbers)) if numbers else None


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as a table shows it; a dash where there is none.

    >>> number(0.12345), number(-1666.2), number(None)
    ('0.123', '-1666', '-')
    """
    if value is None:
        return "-"
    if not np.isfinite(value):
        return "∞" if value > 0 else str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}"


def quartiles(values: Sequence[float | None], digits: int = 3) -> str:
    """Return the first and the third quartile of three numbers or more.

    >>> quartiles([0.1, 0.2, 0.3]), quartiles([0.1])
    ('0.150 to 0.250', '-')
    """
    numbers = [value for value in values if value is not None]
    if len(numbers) < 3:
        return "-"
    low, high = np.quantile(numbers, (0.25, 0.75))
    return f"{number(float(low), digits)} to {number(float(high), digits)}"


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the numbers that there are, or None where there are none."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def spread(values: Sequence[float | None], digits: int = 3) -> str:
    """Return the median, with the quartiles in brackets where there are three numbers or more.

    >>> spread([0.1, 0.2, 0.3]), spread([0.1]), spread([])
    ('0.200 (0.150 to 0.250)', '0.100', '-')
    """
    numbers = [value for value in values if value is not None]
    middle = number(median(numbers), digits)
    return f"{middle} ({quartiles(numbers, digits)})" if len(numbers) > 2 else middle
