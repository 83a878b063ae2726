"""A picture of overlaps: of samples with each other, or with patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rapid_ising.evaluation.overlaps import overlap_distribution, overlaps
from rapid_ising.plotting.style import COLOURS, GREY, axes_on, clean, reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST = 240.0
"""The area of a dot that stands for all samples, in square points."""
LEVELS = 64
"""The steps from -1 to 1 that overlaps of more spins are rounded to: finer ones could not be seen."""


def plot_overlaps(
    samples: npt.ArrayLike, patterns: npt.ArrayLike | None = None, *, ax: Axes | None = None
) -> Axes:
    r"""Draw overlaps of samples and return the axes.

    .. math:: q_{ab} = \frac{1}{V} \sum_i v^a_i v^b_i

    With patterns, a column of dots for each: the overlaps of all samples with it, 1 where a sample is the
    pattern and -1 where it is the opposite, the area of a dot the share of samples; and their median.
    Without, the law P(q) of the overlaps of samples with each other, the order parameter of spin glasses. Of
    more than 64 spins, overlaps are shown to the nearest 1/32.

    Parameters
    ----------
    samples
        Spins, shape (n, V).
    patterns
        Spins, shape (K, V), such as the signs of a model's patterns.
    ax
        Where to draw; left out, in a new figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If a set has no rows, values that are not spins, or another width.

    Examples
    --------
    >>> axes = plot_overlaps([[1, 1, 1, 1], [1, 1, 1, -1]], [[1, 1, 1, 1]])
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('pattern', 'overlap q with each sample')
    """
    axes = axes_on(ax)
    if patterns is None:
        law = overlap_distribution(samples)
        levels, group = np.unique(_levels(law.values, len(law.values) - 1), return_inverse=True)
        shares = np.bincount(group.ravel(), law.probabilities)
        axes.bar(levels, shares, width=0.8 * float(levels[1] - levels[0]), color=COLOURS[0])
        axes.set_xlim(-1.1, 1.1)
        axes.set_xlabel("overlap q of two samples")
        axes.set_ylabel("share of pairs, P(q)")
        clean(axes)
        return axes
    values = overlaps(samples, patterns)
    count, width = values.shape[1], np.shape(patterns)[1]
    for place in range(count):
        # Few values are different, and many samples have each.
        found, times = np.unique(_levels(values[:, place], width), return_counts=True)
        axes.scatter(
            np.full(len(found), place + 1),
            found,
            s=np.maximum(3.0, LARGEST * times / len(values)),
            alpha=0.85,
            linewidths=0,
            color=COLOURS[0],
        )
    middle = np.median(values, axis=0)
    axes.hlines(middle, np.arange(count) + 0.6, np.arange(count) + 1.4, color=COLOURS[1], linewidth=2)
    reference(axes, 0.0, "")
    axes.set_ylim(-1.08, 1.08)
    axes.set_xlim(0.4, count + 0.6)
    if count <= 20:
        axes.set_xticks(range(1, count + 1))
    axes.set_xlabel("pattern")
    axes.set_ylabel("overlap q with each sample")
    axes.annotate(
        "dots: share of samples, bars: medians",
        (1, 1),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=8,
        color=GREY,
    )
    clean(axes)
    return axes


def _levels(overlaps: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """Return overlaps of so many spins as they are shown."""
    return overlaps if width <= LEVELS else np.round(overlaps * (LEVELS / 2)) / (LEVELS / 2)
