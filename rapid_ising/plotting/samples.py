"""A picture of samples as images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import dimod
import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError
from rapid_ising.plotting.images_figure import spin_images
from rapid_ising.plotting.style import PIXELS, axes_on
from rapid_ising.validation import positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = (0.62, 0.62, 0.62)
"""What separates images: seen on white and on black."""
FINE = 24
"""The dots along an image that frames of one dot look fine beside."""


def plot_samples(
    samples: npt.ArrayLike | dimod.SampleSet,
    shape: tuple[int, int] | None = None,
    *,
    limit: int = 48,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw samples as images side by side, +1 dark, and return the axes.

    Parameters
    ----------
    samples
        Spins, shape (n, V) or more columns, of which the first are pixels; or a SampleSet of a model.
    shape
        The rows and columns of an image. Left out, they are square.
    limit
        How many are drawn, the first ones.
    columns
        How many stand in a row; left out, what makes the whole about twice as wide as high.
    ax
        Where to draw; left out, in a new figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If the samples are no spins, or make no images of that shape.

    Examples
    --------
    >>> axes = plot_samples(np.ones((3, 4)), columns=3)
    >>> axes.images[0].get_array().shape
    (26, 76, 4)
    """
    rows = pixels_of(samples, shape)
    if shape is None:
        side = math.isqrt(rows.shape[1])
        shape = (side, side)
    images = spin_images("samples", rows[: positive_integer("limit", limit)], shape)
    wide = max(1, round(math.sqrt(2 * len(images) * shape[0] / shape[1])))
    # A few more in a row where the last row is full then.
    wide = next((more for more in range(wide, 2 * wide) if len(images) % more == 0), wide)
    across = min(len(images), positive_integer("columns", wide if columns is None else columns))
    dots = mosaic(images, across)
    axes = axes_on(ax, 4.8, 4.8 * dots.shape[0] / dots.shape[1] + 0.1)
    draw(axes, dots)
    return axes


def pixels_of(samples: npt.ArrayLike | dimod.SampleSet, shape: tuple[int, int] | None) -> npt.NDArray[Any]:
    """Return rows of pixels: of a SampleSet or of whole states, the first columns."""
    rows: npt.NDArray[Any]
    if isinstance(samples, dimod.SampleSet):
        spins = samples.change_vartype(dimod.SPIN, inplace=False)
        order = [spins.variables.index(label) for label in sorted(spins.variables)]
        rows = np.repeat(spins.record.sample, spins.record.num_occurrences, axis=0)[:, order]
    else:
        rows = np.asarray(samples)
    if rows.ndim != 2 or not rows.size:
        raise InvalidDataError(f"samples have shape {rows.shape}: give at least one row of spins")
    if shape is not None:
        return rows[:, : math.prod(shape)]
    if math.isqrt(rows.shape[1]) ** 2 != rows.shape[1]:
        raise InvalidDataError(f"{rows.shape[1]} spins make no square image: give shape=(rows, columns)")
    return rows


def mosaic(images: npt.NDArray[Any], columns: int) -> npt.NDArray[np.float64]:
    """Return images of spins as one of red, green and blue, with frames between them."""
    count, height, width = images.shape
    scale = max(1, FINE // max(height, width))
    down = -(-count // columns)
    high, broad = height * scale + 1, width * scale + 1
    dots = np.full((down * high + 1, columns * broad + 1, 3), FRAME)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        colours = np.array([[PIXELS[int(pixel)] for pixel in line] for line in image])
        top, left = row * high + 1, column * broad + 1
        dots[top : top + high - 1, left : left + broad - 1] = colours.repeat(scale, 0).repeat(scale, 1)
    # Places that are left over are part of no image.
    for place in range(count, down * columns):
        row, column = divmod(place, columns)
        dots[row * high + 1 : (row + 1) * high + 1, column * broad + 1 :] = np.nan
    return dots


def draw(axes: Axes, dots: npt.NDArray[np.float64]) -> None:
    """Draw what ``mosaic`` made, and nothing around it."""
    axes.imshow(np.dstack([np.nan_to_num(dots), ~np.isnan(dots[..., 0])]), interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
