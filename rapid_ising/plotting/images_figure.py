"""A picture of rows of images, each row under a label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError
from rapid_ising.plotting.style import DPI, GREY, NARROW, PIXELS, require_matplotlib
from rapid_ising.validation import rectangular

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


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

    pictures = checked(grid, shape)
    count = len(next(iter(pictures.values())))
    # As high as the images are wide, beside labels.
    row = min(0.7, 0.78 * NARROW / count * shape[0] / shape[1])
    figure = Figure(figsize=(NARROW, 0.3 + row * len(pictures)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    draw_grid(figure, pictures, {}, columns)
    return figure


def spin_images(name: str, rows: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return images of -1, +1 and 0 for an erased pixel as (n, rows, columns), or raise InvalidDataError."""
    images = rectangular(name, rows)
    if images.ndim != 2 or images.shape[1] != math.prod(shape) or not np.isin(images, (-1, 0, 1)).all():
        raise InvalidDataError(
            f"{name} has shape {images.shape} where rows of {shape[0]} x {shape[1]} "
            "pixels, each -1, 0 or +1, are needed"
        )
    return images.astype(np.int8).reshape(-1, *shape)


def checked(grid: Mapping[str, npt.ArrayLike], shape: tuple[int, int]) -> dict[str, npt.NDArray[Any]]:
    """Return the rows of a grid as images (n, rows, columns), or raise InvalidDataError."""
    pictures = {label: spin_images(f"the grid's row {label!r}", rows, shape) for label, rows in grid.items()}
    counts = [len(rows) for rows in pictures.values()]
    if len(set(counts)) > 1 or 0 in counts:
        raise InvalidDataError(
            f"the rows of the grid have {', '.join(map(str, counts))} images: give each the same number, "
            "at least one"
        )
    return pictures


def draw_grid(
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
