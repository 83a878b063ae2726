"""A picture of several trainings: how they went, and images that their models restored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy.typing as npt

from rapid_ising.plotting.images_figure import checked, draw_grid
from rapid_ising.plotting.style import COLOURS, DPI, GREY, clean, negative_log, reference, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Histories: TypeAlias = Mapping[str, Sequence[Mapping[str, float]]]
"""The history of each training, by its label."""

LOG_LIKELIHOOD = "log_likelihood_test"


def training_figure(
    histories: Histories,
    grid: Mapping[str, npt.ArrayLike],
    shape: tuple[int, int],
    *,
    title: str = "",
    columns: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Return a figure of how trainings went and of images that their models restored.

    Above, against the epoch: the Hamming distance of held-out images, at beta = 1 and at zero temperature,
    and their log-likelihood, where the histories have them. Below, one row of images each for what the models
    were given, what each one restored, and the truth.

    Parameters
    ----------
    histories
        The history of each training (``TrainingRun.history``), by its label.
    grid
        Rows of the grid by their labels, each an array of -1, +1 and 0 for an erased pixel, shape (n, V). A
        row with the label of a training has its colour.
    shape
        The rows and columns of an image.
    title
        The heading.
    columns
        What stands above each column of the grid.
    caption
        What stands above the grid.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If the images do not fit ``shape`` or the rows have different numbers of images.

    Examples
    --------
    >>> history = [{"epoch": 1, "hamming_test": 0.4}, {"epoch": 2, "hamming_test": 0.3}]
    >>> figure = training_figure({"RAPID": history}, {"true": [[1, 1, -1, 1]]}, (2, 2))
    >>> [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    ['epoch']
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    pictures = checked(grid, shape)
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(histories)}
    likelihoods = any(LOG_LIKELIHOOD in record for history in histories.values() for record in history)
    heights = [4.2, 0.5 + 0.75 * len(pictures)] if pictures else [4.2]
    figure = Figure(figsize=(11.0, sum(heights)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.06)
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _curves(parts[0], histories, colours, likelihoods, math.prod(shape))
    if pictures:
        parts[1].suptitle(caption, fontsize=11)
        draw_grid(parts[1], pictures, colours, columns)
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


def _curves(
    figure: SubFigure, histories: Histories, colours: Mapping[str, str], likelihoods: bool, pixels: int
) -> None:
    """Draw the distances, and the log-likelihood, of held-out images against the epoch."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    panels = figure.subplots(1, 2 if likelihoods else 1, squeeze=False)[0]
    _distances(panels[0], histories, colours)
    if likelihoods:
        _likelihoods(panels[1], histories, colours, pixels)
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        clean(axes)
    handles = [Line2D([], [], color=colour, linewidth=2, label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=max(1, len(handles)), frameon=False)


def _distances(axes: Axes, histories: Histories, colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    _lines(axes, histories, colours, "hamming_test", "-")
    _lines(axes, histories, colours, "zero_temperature_test", "--")
    reference(axes, 0.5, "chance")
    axes.set_ylim(-0.02, max(0.62, axes.dataLim.ymax + 0.02))
    axes.set_ylabel("Hamming distance (share of wrong pixels)")
    axes.set_title("Restoring held-out images", fontsize=11)
    styles = [
        Line2D([], [], color=GREY, linestyle="-", label="at \u03b2 = 1"),
        Line2D([], [], color=GREY, linestyle="--", label="at zero temperature"),
    ]
    axes.legend(handles=styles, frameon=False, fontsize=9, loc="upper right", ncols=2)


def _likelihoods(axes: Axes, histories: Histories, colours: Mapping[str, str], pixels: int) -> None:
    # Minus the log-likelihood is never negative, so that early epochs fit on a logarithmic axis.
    _lines(axes, histories, colours, LOG_LIKELIHOOD, "-", factor=-1.0)
    reference(axes, pixels * math.log(2.0), "all images equally likely")
    negative_log(axes)
    axes.set_ylabel("log-likelihood (nats an image, log scale)")
    axes.set_title("Exact log-likelihood of held-out images", fontsize=11)


def _lines(
    axes: Axes,
    histories: Histories,
    colours: Mapping[str, str],
    measure: str,
    style: str,
    factor: float = 1.0,
) -> None:
    for label, history in histories.items():
        points = [(record["epoch"], record[measure]) for record in history if measure in record]
        axes.plot(
            [epoch for epoch, _ in points],
            [factor * value for _, value in points],
            color=colours[label],
            linestyle=style,
            linewidth=1.8,
            marker="o" if len(points) < 8 else None,
            markersize=4,
        )
