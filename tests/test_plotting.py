"""The picture: its size, what it shows, and how it fails."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidDataError, MissingDependencyError
from rapid_ising.plotting import save_figure, training_figure
from rapid_ising.plotting.style import COLOURS, DPI, PIXELS

HISTORIES: dict[str, list[dict[str, float]]] = {
    "first": [
        {"epoch": 1, "hamming_test": 0.4, "zero_temperature_test": 0.3, "log_likelihood_test": -900.0},
        {"epoch": 2, "seconds": 1.0},
        {"epoch": 3, "hamming_test": 0.2, "zero_temperature_test": 0.0, "log_likelihood_test": -9.0},
    ],
    "second": [{"epoch": 1, "hamming_test": 0.5, "zero_temperature_test": 0.1, "log_likelihood_test": -4.0}],
}
TRUTH = np.array([[1, -1, 1, -1, 1, -1], [-1, 1, 1, 1, 1, -1]])
GRID = {"corrupted": np.where(np.arange(6) < 3, TRUTH, 0), "first": -TRUTH, "true": TRUTH}


def lines(axes: Any) -> list[tuple[str, str, list[float], list[float]]]:
    """The curves of a panel: colour, style and points."""
    return [
        (line.get_color(), line.get_linestyle(), list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
        if line.get_linestyle() != ":"
    ]


def test_the_curves_are_the_histories() -> None:
    distance, likelihood, *_ = training_figure(HISTORIES, GRID, (2, 3)).axes
    assert lines(distance) == [
        (COLOURS[0], "-", [1, 3], [0.4, 0.2]),
        (COLOURS[1], "-", [1], [0.5]),
        (COLOURS[0], "--", [1, 3], [0.3, 0.0]),
        (COLOURS[1], "--", [1], [0.1]),
    ]
    # Minus the log-likelihood on a logarithmic axis that is turned over: better is higher, labels are minus.
    assert lines(likelihood) == [(COLOURS[0], "-", [1, 3], [900, 9]), (COLOURS[1], "-", [1], [4])]
    assert likelihood.yaxis_inverted()
    assert likelihood.yaxis.get_major_formatter()(100.0, None) == "−100"
    chance, uniform = (float(np.asarray(axes.lines[-1].get_ydata())[0]) for axes in (distance, likelihood))
    assert chance == 0.5
    assert uniform == pytest.approx(6 * math.log(2))


def test_the_grid_has_the_images_in_the_colours_of_the_methods() -> None:
    figure = training_figure(HISTORIES, GRID, (2, 3), columns=["held out", "training"])
    cells = figure.axes[2:]
    assert len(cells) == 6
    assert [cells[0].get_title(), cells[1].get_title()] == ["held out", "training"]
    labels = {axes.get_ylabel(): axes.yaxis.label.get_color() for axes in cells if axes.get_ylabel()}
    assert labels == {"corrupted": "black", "first": COLOURS[0], "true": "black"}
    for axes, image in zip(cells, np.concatenate(list(GRID.values())), strict=True):
        expected = np.array([PIXELS[int(pixel)] for pixel in image]).reshape(2, 3, 3)
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected)


def test_the_file_has_the_size_of_the_figure_and_is_not_blank(tmp_path: Path) -> None:
    figure = training_figure(HISTORIES, GRID, (2, 3), title="title", caption="caption")
    path = save_figure(figure, tmp_path / "picture.png")
    pixels = matplotlib.image.imread(path)
    width, height = figure.get_size_inches() * DPI
    assert pixels.shape[:2] == (int(height), int(width))
    for colour in COLOURS[:2]:
        wanted = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        assert (np.abs(pixels[..., :3] - wanted).max(axis=-1) < 0.01).sum() > 100


def test_without_likelihoods_and_without_images() -> None:
    history = [{"epoch": 1.0, "hamming_test": 0.4, "zero_temperature_test": 0.1}]
    figure = training_figure({"only": history}, {}, (2, 2))
    (distance,) = figure.axes
    assert distance.get_xlabel() == "epoch"


def test_a_real_training(tmp_path: Path) -> None:
    data = ri.datasets.stripes(3)
    model = ri.PatternRBM(9, 10, 4, seed=0)
    run = ri.train(
        model, data.train, epochs=4, seed=0, callbacks=[ri.callbacks.Evaluate(data, every=2)], progress=False
    )
    figure = training_figure({"RAPID": run.history}, {"true": data.test}, data.shape)
    assert lines(figure.axes[0])[0][2] == [2, 4]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"true": np.ones((2, 5))}, r"shape \(2, 5\) where rows of 2 x 3"),
        ({"true": np.full((2, 6), 2)}, "each -1, 0 or"),
        ({"true": np.ones((2, 6)), "given": np.ones((3, 6))}, "2, 3 images"),
        ({"true": np.ones((0, 6))}, "at least one"),
    ],
)
def test_images_that_do_not_fit(grid: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        training_figure(HISTORIES, grid, (2, 3))


def test_without_matplotlib_the_error_has_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[plot\]'"):
        training_figure(HISTORIES, GRID, (2, 3))
