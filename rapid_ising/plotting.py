"""Pictures of trainings and of what the models restore; needs matplotlib."""

from __future__ import annotations

import importlib
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError, MissingDependencyError
from rapid_ising.validation import rectangular

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Histories: TypeAlias = Mapping[str, Sequence[Mapping[str, float]]]
"""The history of each training, by its label."""
Curves: TypeAlias = Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]
"""Of each method, by its label, the places (n,) and the values of several runs there, (runs, n)."""

LOG_LIKELIHOOD = "log_likelihood_test"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""One colour a method, told apart with any kind of colour vision: Okabe and Ito (2008)."""
PIXELS = {-1: (1.0, 1.0, 1.0), 0: (0.80, 0.80, 0.78), 1: (0.15, 0.16, 0.20)}
"""White, grey for an erased pixel, and ink."""
GREY = "#666666"
DPI = 150
NARROW = 7.0
"""Inches across a figure that a phone should still show legibly."""
Style: TypeAlias = Literal["-", "--", ":"]
STYLES: tuple[Style, ...] = ("-", "--", ":")
"""One line style a round of colours."""


def require_matplotlib() -> None:
    """Raise MissingDependencyError when matplotlib is not installed."""
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise MissingDependencyError(
            "pictures need matplotlib, not installed here: pip install 'rapid-ising[plot]'"
        ) from error


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
    >>> figure = training_figure({"RAPID": history}, {"true": np.ones((3, 4))}, (2, 2))
    >>> [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    ['epoch']
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    pictures = {label: _images(label, rows, shape) for label, rows in grid.items()}
    _same_count(pictures)
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(histories)}
    likelihoods = any(LOG_LIKELIHOOD in record for history in histories.values() for record in history)
    heights = [4.2, 0.5 + 0.75 * len(pictures)] if pictures else [4.2]
    figure = Figure(figsize=(11.0, sum(heights)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.06)
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _curves(parts[0], histories, colours, likelihoods, math.prod(shape))
    if pictures:
        parts[1].suptitle(caption, fontsize=11)
        _grid(parts[1], pictures, colours, columns)
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


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
            _reference(axes, *reference)
        axes.set_ylim(bottom=min(0.0, axes.dataLim.ymin) - 0.02 * axes.dataLim.height)
        axes.set_ylabel(y_label)
        axes.set_title(name, fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
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


def images_figure(
    grid: Mapping[str, npt.ArrayLike], shape: tuple[int, int], *, title: str = "", columns: Sequence[str] = ()
) -> Figure:
    """Return a figure of rows of images, as below the curves of ``training_figure``.

    Examples
    --------
    >>> len(images_figure({"given": np.zeros((3, 4)), "true": np.ones((3, 4))}, (2, 2)).axes)
    6
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    pictures = {label: _images(label, rows, shape) for label, rows in grid.items()}
    _same_count(pictures)
    count = len(next(iter(pictures.values())))
    # As high as the images are wide, beside labels.
    row = min(0.7, 0.78 * NARROW / count * shape[0] / shape[1])
    figure = Figure(figsize=(NARROW, 0.3 + row * len(pictures)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    _grid(figure, pictures, {}, columns)
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure to a PNG file and return its path."""
    target = Path(path)
    figure.savefig(target, format="png")
    return target


def _images(label: str, rows: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[Any]:
    images = rectangular(f"the grid's row {label!r}", rows)
    if images.ndim != 2 or images.shape[1] != math.prod(shape) or not np.isin(images, (-1, 0, 1)).all():
        raise InvalidDataError(
            f"the grid's row {label!r} has shape {images.shape} where rows of {shape[0]} x {shape[1]} "
            "pixels, each -1, 0 or +1, are needed"
        )
    return images.astype(np.int8).reshape(-1, *shape)


def _same_count(pictures: Mapping[str, npt.NDArray[Any]]) -> None:
    counts = [len(rows) for rows in pictures.values()]
    if len(set(counts)) > 1 or 0 in counts:
        raise InvalidDataError(
            f"the rows of the grid have {', '.join(map(str, counts))} images: give each the same number, "
            "at least one"
        )


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
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
    handles = [Line2D([], [], color=colour, linewidth=2, label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=max(1, len(handles)), frameon=False)


def _distances(axes: Axes, histories: Histories, colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    _lines(axes, histories, colours, "hamming_test", "-")
    _lines(axes, histories, colours, "zero_temperature_test", "--")
    _reference(axes, 0.5, "chance")
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
    _reference(axes, pixels * math.log(2.0), "all images equally likely")
    axes.set_yscale("log")
    axes.invert_yaxis()
    for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        set_formatter(lambda value, place: f"\u2212{value:g}")
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


def _reference(axes: Axes, height: float, label: str) -> None:
    axes.axhline(height, color=GREY, linewidth=1, linestyle=":")
    axes.annotate(
        label,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
        color=GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _grid(
    figure: Figure | SubFigure,
    pictures: Mapping[str, npt.NDArray[Any]],
    colours: Mapping[str, str],
    columns: Sequence[str],
) -> None:
    """Draw one row of images a label."""
    count = len(next(iter(pictures.values())))
    places = figure.subplots(len(pictures), count, squeeze=False)
    for axes, column in zip(places[0], columns, strict=False):
        axes.set_title(column, fontsize=9, color=GREY)
    for row, (label, images) in zip(places, pictures.items(), strict=True):
        for axes, image in zip(row, images, strict=True):
            axes.imshow([[PIXELS[int(pixel)] for pixel in line] for line in image], interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color("#aaaaaa")
        row[0].set_ylabel(
            label,
            rotation=0,
            ha="right",
            va="center",
            labelpad=8,
            color=colours.get(label, "black"),
        )
