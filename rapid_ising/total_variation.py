"""The distance between samples and a law, and how far apart chance alone may put them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

State = tuple[int, ...]
"""One spin, -1 or +1, for each variable."""


def total_variation(reads: Iterable[State], law: Mapping[State, float]) -> float:
    r"""Return the total variation distance between the frequencies of ``reads`` and ``law``.

    .. math:: TV = \frac{1}{2} \sum_s |n_s / R - p_s|

    Examples
    --------
    >>> total_variation([(1,), (1,), (1,), (-1,)], {(1,): 0.5, (-1,): 0.5})
    0.25
    """
    counts = Counter(reads)
    number = counts.total()
    return 0.5 * math.fsum(abs(counts[s] / number - law.get(s, 0.0)) for s in counts.keys() | law.keys())


def tolerance(law: Mapping[State, float], num_reads: int, delta: float = 1e-6) -> float:
    r"""Return the total variation that R independent reads exceed with probability below ``delta``.

    .. math:: t = \frac{1}{2} \sum_s \sqrt{\frac{p_s (1 - p_s)}{R}} + \sqrt{\frac{\log(1/\delta)}{2 R}}

    The first term bounds the mean. A state's count n_s is binomial, so that n_s / R has the mean p_s and the
    variance p_s (1 - p_s) / R, and E|X| <= sqrt(E X^2) bounds each term of the sum.

    The second term bounds the excess over the mean. To change one read moves 1/R from one state to another
    and so changes TV by at most 1/R; McDiarmid's inequality for R independent reads then gives
    P(TV - E TV >= t) <= exp(-2 t^2 / (R (1/R)^2)) = exp(-2 R t^2), which is delta at the t above.

    The same inequality from below bounds what a wrong sampler can hide: when its law lies at a distance D
    from the asked one, E TV >= D (the norm is convex), and TV < D - sqrt(log(1/delta) / (2 R)) has
    probability below delta.

    Notes
    -----
    McDiarmid, On the method of bounded differences, Surveys in Combinatorics 141, 148 (1989).

    Examples
    --------
    >>> round(tolerance({(1,): 0.5, (-1,): 0.5}, 4000), 4)
    0.0495
    """
    mean = 0.5 * math.fsum(math.sqrt(p * (1 - p) / num_reads) for p in law.values())
    return mean + math.sqrt(math.log(1 / delta) / (2 * num_reads))
