"""Pictures of a run and of samples: what they show, where they are drawn, and that they need no colour."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import dimod
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import rapid_ising as ri
from rapid_ising.errors import InvalidDataError, InvalidParameterError, MissingDependencyError
from rapid_ising.machine import Calibrated
from rapid_ising.plotting import notebook_figure, png, svg, themed
from rapid_ising.plotting.style import DARK, LIGHT, PIXELS, PYPLOT
from rapid_ising.report.run_page import run_page

HISTORY: list[dict[str, float]] = [
    {
        "epoch": epoch,
        "seconds": 0.1 * epoch,
        "learning_rate": 0.1,
        "hamming_test": 0.5 / epoch,
        "hamming_train": 0.4 / epoch,
        "log_likelihood_test": -900.0 / epoch**3,
        "entropy": 2.0,
        "reads_beta": 1.0 + 0.1 / epoch,
        "reads_beta_error": 0.05,
        "machine_beta": 3.0,
        "machine_beta_error": 0.2,
        "machine_calls": 4,
    }
    for epoch in (1, 2, 3)
]
EMPTY = ri.TrainingRun(ri.RBM(4, 2, seed=0))


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    if PYPLOT in sys.modules:
        sys.modules[PYPLOT].close("all")


def points(line: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_a_run_has_a_panel_for_each_unit() -> None:
    run = ri.TrainingRun(EMPTY.model, HISTORY)
    distance, likelihood, entropy = run.plot().axes
    assert [points(line) for line in distance.lines[:2]] == [
        [(1, 0.5), (2, 0.25), (3, 0.5 / 3)],
        [(1, 0.4), (2, 0.2), (3, 0.4 / 3)],
    ]
    assert [axes.get_ylabel() for axes in (distance, entropy)] == ["wrong pixels (share)", "entropy"]
    # On a logarithmic axis of minus the value, turned over.
    assert points(likelihood.lines[0])[0] == (1, 900)
    assert likelihood.yaxis_inverted()
    assert likelihood.yaxis.get_major_formatter()(100.0, None) == "−100"
    assert {axes.get_xlabel() for axes in (distance, likelihood, entropy)} == {"epoch"}


def test_lines_are_told_apart_without_colour() -> None:
    (axes,) = ri.plot_history(HISTORY, "hamming_test", "hamming_train").axes
    styles = [line.get_linestyle() for line in axes.lines[:2]]
    assert len(set(styles)) == 2
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["held out, β = 1", "training, β = 1"]


def test_a_likelihood_says_at_which_beta_it_is() -> None:
    data = ri.datasets.stripes(3)
    for given, beta in ((None, "1"), ("fit", "0.125"), (0.5, "0.5")):
        watch = ri.callbacks.Evaluate(data, tries=1, likelihood_beta=given)  # type: ignore[arg-type]
        model = ri.RBM(9, 4, seed=0)
        run = ri.train(model, data.train, epochs=1, temperature=8, seed=0, callbacks=[watch], progress=False)
        (axes,) = run.plot("log_likelihood_train").axes
        legend = axes.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == [f"training, \u03b2 = {beta}"]
        assert len(run.plot().axes) == 2
        assert run.history[0]["log_likelihood_train"] == pytest.approx(
            ri.evaluate(model, data, tries=1, likelihood_beta=float(beta)).log_likelihood_train
        )


def test_names_are_drawn_as_they_are() -> None:
    history = [{"epoch": 1.0, "$a_$b{": 0.5, "cost ($)": 2.0}]
    for figure in (ri.plot_history(history), ri.plot_history(history, "$a_$b{", "cost ($)")):
        content = svg(figure).decode()
        # Each text is told in a comment beside its outlines.
        assert "$a_$b{" in content
        assert "cost ($)" in content


def test_it_is_drawn_where_it_is_told_to() -> None:
    figure = Figure()
    places = figure.subplots(1, 5)
    samples = ri.RBM(4, 2, seed=0).sample(9, seed=0)
    assert ri.TrainingRun(EMPTY.model, HISTORY).plot("entropy", ax=places[0]) is figure
    drawn = [
        ri.plot_samples(samples, ax=places[1]),
        ri.plot_overlaps(samples, ax=places[2]),
        ri.plot_calibration(HISTORY, ax=places[3]),
        ri.plot_reconstructions(EMPTY.model, ri.datasets.stripes(2), ax=places[4]),
    ]
    assert all(there is here for there, here in zip(drawn, places[1:], strict=True))


def test_a_notebook_shows_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the value of a cell, or at its end where pyplot still holds it."""
    pyplot = importlib.import_module(PYPLOT)
    figure: Any = ri.plot_history(HISTORY)
    assert figure._repr_mimebundle_(include=None, exclude=None) == {}
    assert len(pyplot.get_fignums()) == 1, "a window stays"
    monkeypatch.setattr(notebook_figure, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    assert figure._repr_mimebundle_(include=None, exclude=None) == {}
    assert pyplot.get_fignums() == []
    assert figure.axes


def test_it_is_one_of_pyplots_where_that_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = importlib.import_module(PYPLOT)
    drawn = [ri.plot_history(HISTORY), ri.plot_samples(np.ones((1, 4))).figure]
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == drawn
    assert len(run_page(ri.TrainingRun(EMPTY.model, HISTORY))) > 10
    assert len(pyplot.get_fignums()) == 2
    monkeypatch.delitem(sys.modules, PYPLOT)
    ri.plot_history(HISTORY)
    assert len(pyplot.get_fignums()) == 2


def test_a_history_without_measures_has_its_learning_rate() -> None:
    records = [{name: record[name] for name in ("epoch", "seconds", "learning_rate")} for record in HISTORY]
    (axes,) = ri.plot_history(records).axes
    assert points(axes.lines[0]) == [(1, 0.1), (2, 0.1), (3, 0.1)]


def test_what_was_not_recorded_cannot_be_drawn() -> None:
    with pytest.raises(InvalidParameterError, match="no 'energy'; it has entropy, epoch"):
        ri.plot_history(HISTORY, "energy")
    with pytest.raises(InvalidParameterError, match="no epochs yet: train first"):
        EMPTY.plot()


def test_samples_are_the_pixels_of_the_picture() -> None:
    samples = np.array([[1, -1, -1, 1], [1, 1, 1, -1], [-1, -1, -1, -1]])
    axes = ri.plot_samples(samples, columns=2)
    dots = np.asarray(axes.images[0].get_array())
    # Images of 24 dots a side with frames of one dot: the middles of the pixels.
    for place, image in enumerate(samples):
        row, column = divmod(place, 2)
        found = dots[row * 25 + 7 : row * 25 + 24 : 12, column * 25 + 7 : column * 25 + 24 : 12, :3]
        np.testing.assert_allclose(found.reshape(4, 3), [PIXELS[int(pixel)] for pixel in image])
    assert dots[40, 40, 3] == 0


def test_of_a_sample_set_the_visible_spins_are_drawn_in_order() -> None:
    states = np.array([[1, -1, -1, 1, -1], [-1, 1, 1, 1, 1]])
    turned = dimod.SampleSet.from_samples((states[:, ::-1], [4, 3, 2, 1, 0]), "SPIN", energy=[0, 0])
    there = ri.plot_samples(turned, (2, 2)).images[0].get_array()
    here = ri.plot_samples(states[:, :4]).images[0].get_array()
    np.testing.assert_array_equal(np.asarray(there), np.asarray(here))


@pytest.mark.parametrize(
    ("samples", "shape", "message"),
    [
        (np.ones((2, 5)), None, r"5 spins make no square image: give shape"),
        (np.ones((2, 5)), (2, 3), r"shape \(2, 5\) where rows of 2 x 3"),
        (np.full((2, 4), 2), None, "each -1, 0 or"),
        (np.ones((0, 4)), None, "at least one row"),
    ],
)
def test_samples_that_are_no_images(samples: Any, shape: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        ri.plot_samples(samples, shape)


def test_wrong_pixels_of_reconstructions_are_marked() -> None:
    data = ri.datasets.stripes(4)
    model = ri.RBM(16, 4, seed=0)
    axes = ri.plot_reconstructions(model, data, seed=3, limit=3)
    known = ri.known_rows(data.shape, 1)
    true = data.test[:3]
    restored = model.reconstruct(np.where(known, true, 0), known, beta=float("inf"), seed=3)
    (marks,) = axes.lines
    assert len(points(marks)) == (restored != true).sum() > 0
    # Each mark lies on a pixel of the restored image that differs from the true one 25 dots below.
    dots = np.asarray(axes.images[0].get_array())
    for x, y in points(marks):
        assert not np.allclose(dots[round(y), round(x)], dots[round(y) + 25, round(x)])
    share = 100 * (restored != true)[:, ~known].mean()
    assert axes.get_xlabel() == f"{share:.1f} % of the pixels that were not given are wrong"


def test_overlaps_are_those_of_the_evaluation() -> None:
    samples = ri.RBM(9, 3, seed=0).sample(50, seed=0)
    patterns = samples[:2]
    axes = ri.plot_overlaps(samples, patterns)
    wanted = ri.evaluation.overlaps(samples, patterns)
    for column, dots in enumerate(axes.collections[:2]):
        assert isinstance(dots, PathCollection)
        found = np.asarray(dots.get_offsets())
        np.testing.assert_allclose(found, [[column + 1, q] for q in np.unique(wanted[:, column])])
        shares = [(wanted[:, column] == q).mean() for q in np.unique(wanted[:, column])]
        np.testing.assert_allclose(dots.get_sizes(), np.maximum(3, 240 * np.array(shares)))
    law = ri.evaluation.overlap_distribution(samples)
    heights = [float(bar.get_height()) for bar in ri.plot_overlaps(samples).patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(heights, law.probabilities)


def test_overlaps_of_many_spins_are_rounded() -> None:
    samples = ri.RBM(784, 2, seed=0).sample(60, seed=0)
    bars = ri.plot_overlaps(samples).patches
    assert len(bars) <= 65
    assert sum(bar.get_height() for bar in bars) == pytest.approx(1)  # type: ignore[attr-defined]
    law = ri.evaluation.overlap_distribution(samples)
    mean = sum((bar.get_x() + bar.get_width() / 2) * bar.get_height() for bar in bars)  # type: ignore[attr-defined]
    assert abs(mean - law.values @ law.probabilities) < 1 / 64
    (dots,) = ri.plot_overlaps(samples, samples[:1]).collections[:1]
    assert isinstance(dots, PathCollection)
    wanted = np.unique(ri.evaluation.overlaps(samples, samples[:1]))
    assert all(np.abs(wanted - q).min() <= 1 / 64 + 1e-9 for _, q in np.asarray(dots.get_offsets()))


def test_calibration_shows_estimates_with_their_errors() -> None:
    axes = ri.plot_calibration(HISTORY)
    reads, machine = axes.containers
    assert [round(y, 6) for _, y in points(reads[0])] == [1.1, 1.05, 1.033333]
    assert [round(y, 6) for _, y in points(machine[0])] == [3, 3, 3]
    low, high = np.asarray(reads[2][0].get_segments())[0][:, 1]
    assert (low, high) == pytest.approx((1.05, 1.15))


def test_calibration_of_a_machine_is_that_of_its_calls() -> None:
    stage = Calibrated("exact")
    problem = ri.IsingModel([0.5], [[0.0]])
    stage.sample(problem, num_reads=500, seed=np.random.default_rng(0))
    axes = ri.plot_calibration(stage)
    assert [y for _, y in points(axes.containers[0][0])] == [one.estimate for one in stage.history]
    assert axes.get_xlabel() == "call"


def test_where_nothing_was_measured_there_is_no_calibration() -> None:
    with pytest.raises(InvalidParameterError, match="no inverse temperature was measured"):
        ri.plot_calibration(HISTORY[:0])
    with pytest.raises(InvalidParameterError, match=r"no Calibrated stage around it: prepare\(\)"):
        ri.plot_calibration(ri.load_backend("exact"))


def test_a_picture_takes_on_the_theme_of_a_page_and_asks_for_nothing() -> None:
    with themed():
        text = svg(ri.plot_history(HISTORY)).decode()
    assert text.startswith("<svg")
    assert set(re.findall(r"var\(--(\w+)\)", text)) >= {"ink", "soft", "line", "colour0", "colour1"}
    for name, colour in (LIGHT | DARK).items():
        assert f"--{name}: {colour};" in text
    assert not re.search(r'(?:href|src)="(?!#|data:)', text)
    assert "url(http" not in text
    with themed():
        assert svg(ri.plot_history(HISTORY)).decode() == text


def test_a_picture_has_no_theme_outside_of_pages() -> None:
    assert png(ri.plot_history(HISTORY)).startswith(b"\x89PNG")
    (axes, *_) = ri.plot_history(HISTORY).axes
    assert axes.xaxis.label.get_color() == "black"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: ri.plot_history(HISTORY),
        lambda: ri.plot_samples(np.ones((1, 4))),
        lambda: ri.plot_overlaps(np.ones((2, 4))),
        lambda: ri.plot_calibration(HISTORY),
        lambda: ri.plot_reconstructions(EMPTY.model, ri.datasets.stripes(2)),
    ],
)
def test_without_matplotlib_the_error_has_the_pip_line(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[plot\]'"):
        draw()
