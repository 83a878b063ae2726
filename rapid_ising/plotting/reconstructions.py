"""A picture of images that a model restores from a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets import Dataset
from rapid_ising.evaluation.summary import first_known
from rapid_ising.models import Model
from rapid_ising.plotting.images_figure import spin_images
from rapid_ising.plotting.samples import FINE, draw, mosaic
from rapid_ising.plotting.style import axes_on
from rapid_ising.validation import Seed, positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = ("given", "restored", "true")


def plot_reconstructions(
    model: Model,
    dataset: Dataset,
    *,
    mask: npt.ArrayLike | None = None,
    beta: float = float("inf"),
    steps: int = 1,
    limit: int = 8,
    seed: Seed = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw images of which a model sees a part, what it makes of them, and the true ones; return the axes.

    The images are held-out ones, or training images where none are held out. Crosses mark pixels that came
    out wrong.

    Parameters
    ----------
    model, dataset
        The model, and the images.
    mask
        True where a pixel is given, shape (V,). Left out, as in ``evaluate``: the first row.
    beta, steps, seed
        As in ``Model.reconstruct``; at infinity, the default, the likeliest pixels.
    limit
        How many images are drawn.
    ax
        Where to draw; left out, in a new figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If the images do not fit the model.

    Examples
    --------
    >>> from rapid_ising.datasets import stripes
    >>> from rapid_ising.models import RBM
    >>> axes = plot_reconstructions(RBM(16, 4, seed=0), stripes(4), limit=3)
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['given', 'restored', 'true']
    """
    dataset.require_pixels(model.n_visible)
    known = np.asarray(first_known(dataset.shape) if mask is None else mask)
    kept = dataset.test if len(dataset.test) else dataset.train
    true = kept[: positive_integer("limit", limit)]
    given = np.where(known, true, 0)
    restored = model.reconstruct(given, known, beta=beta, steps=steps, seed=seed)
    images = spin_images("images", np.vstack([given, restored, true]), dataset.shape)
    dots = mosaic(images, len(true))
    axes = axes_on(ax, 4.8, 4.0 * dots.shape[0] / dots.shape[1] + 0.5)
    draw(axes, dots)
    height, width = dataset.shape
    scale = max(1, FINE // max(height, width))
    high, broad = height * scale + 1, width * scale + 1
    image, row, column = np.nonzero((restored != true).reshape(-1, height, width))
    axes.plot(
        image * broad + 0.5 + (column + 0.5) * scale,
        high + 0.5 + (row + 0.5) * scale,
        linestyle="none",
        marker="x",
        # Half as wide as a pixel on 4 inches, the place that images take of a figure of their own.
        markersize=min(7.0, 0.5 * 4 * 72 / (len(true) * width)),
        color="#D55E00",
    )
    axes.set_yticks([(place + 0.5) * high for place in range(len(ROWS))], ROWS)
    axes.tick_params(left=False)
    wrong = float((restored != true)[:, ~known].mean())
    axes.set_xlabel(f"{100 * wrong:.1f} % of the pixels that were not given are wrong", fontsize=9)
    return axes
