"""A picture of several runs of several methods: medians and the middle halves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError
from rapid_ising.plotting.style import COLOURS, DPI, NARROW, STYLES, Style, clean, require_matplotlib
from rapid_ising.plotting.style import reference as mark
from rapid_ising.validation import rectangular

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves: TypeAlias = Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]
"""Of each method, by its label, the places (n,) and the values of several runs there, (runs, n)."""


def curves_figure(
    panels: Mapping[str, Curves],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    log_x: bool = True,
    ticks: Mapping[float, str] | None = None,
    reference: tuple[float, str] | None = None,
) -> Figure:
    """Return a figure of several runs of several methods: medians as lines, the middle halves as bands.

    Parameters
    ----------
    panels
        The curves of each panel, by its title; panels stand one below the other, and a label has one colour
        in all of them.
    x_label, y_label
        What the axes show.
    title
        The heading.
    log_x
        Whether places are on a logarithmic axis.
    ticks
        The labels of places, where they are not numbers like others.
    reference
        A height with its name, drawn as a dotted line.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If the values do not fit their places.

    Examples
    --------
    >>> figure = curves_figure(
    ...     {"held out": {"RAPID": ([1, 10], [[0.4, 0.2], [0.5, 0.1]])}}, x_label="epoch", y_label="distance"
    ... )
    >>> figure.axes[0].lines[0].get_ydata()
    array([0.45, 0.15])
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import LogFormatter

    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    styles = {label: STYLES[i // len(COLOURS) % len(STYLES)] for i, label in enumerate(labels)}
    figure = Figure(figsize=(NARROW, 0.9 + 2.9 * len(panels)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    places = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (name, curves) in zip(places, panels.items(), strict=True):
        if log_x:
            axes.set_xscale("log")
        for label, (x, values) in curves.items():
            _band(axes, label, x, values, colours[label], styles[label])
        if reference is not None:
            mark(axes, *reference)
        axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin) - 0.02 * axes.dataLim.height)
        axes.set_ylabel(y_label)
        axes.set_title(name, fontsize=11)
        clean(axes)
    places[-1].set_xlabel(x_label)
    if ticks is not None:
        places[-1].set_xticks(list(ticks), list(ticks.values()))
        places[-1].minorticks_off()
    elif log_x:
        places[-1].xaxis.set_major_formatter(LogFormatter())
        places[-1].xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
    handles = [
        Line2D([], [], color=colours[label], linestyle=styles[label], linewidth=2, label=label)
        for label in labels
    ]
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    if handles:
        columns = min(3, len(handles))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    return figure


def _band(axes: Axes, label: str, x: npt.ArrayLike, values: npt.ArrayLike, colour: str, style: Style) -> None:
    """Draw the median of several runs, and a band from the first to the third quartile."""
    places, runs = rectangular(f"the places of {label!r}", x), rectangular(f"the values of {label!r}", values)
    if places.ndim != 1 or runs.ndim != 2 or runs.shape[1] != len(places) or not runs.size:
        raise InvalidDataError(
            f"the values of {label!r} have shape {runs.shape} where one row a run of {len(places)} places "
            "is needed"
        )
    low, middle, high = np.quantile(runs, (0.25, 0.5, 0.75), axis=0)
    marker = "o" if len(places) < 12 else None
    axes.plot(places, middle, color=colour, linestyle=style, linewidth=1.8, marker=marker, markersize=3.5)
    if len(runs) > 1:
        axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)
