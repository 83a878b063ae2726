"""A picture of inverse temperatures as they were measured, with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rapid_ising.backend import Backend
from rapid_ising.errors import InvalidParameterError
from rapid_ising.machine.calibrated import Calibrated
from rapid_ising.machine.calibration import History
from rapid_ising.machine.prepare import stages
from rapid_ising.plotting.style import COLOURS, GREY, axes_on, clean
from rapid_ising.training.run import TrainingRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Point(NamedTuple):
    """One inverse temperature, where it stands in the picture, and its standard error."""

    place: float
    beta: float
    error: float


def plot_calibration(
    source: TrainingRun | Sequence[Mapping[str, float]] | Backend | History, *, ax: Axes | None = None
) -> Axes:
    """Draw the measured inverse temperatures with their standard errors, and the asked one; return the axes.

    Of a training, for each epoch the beta of its reads and that of the machine; of a machine, for each of its
    calls the beta of the reads and the gain, the measured beta over the one that was sent for.

    Parameters
    ----------
    source
        A TrainingRun or its history, or a ``Calibrated`` stage, a chain with one in it, or its history.
    ax
        Where to draw; left out, in a new figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidParameterError
        If nothing was measured.

    Examples
    --------
    >>> record = {"epoch": 1, "reads_beta": 0.97, "reads_beta_error": 0.02}
    >>> axes = plot_calibration([record, {**record, "epoch": 2}])
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('epoch', 'inverse temperature β')
    """
    axes = axes_on(ax)
    told = _of_history(source) if isinstance(source, Backend | History) else _of_training(source)
    where, asked, series = told
    if not any(series.values()):
        raise InvalidParameterError(
            "no inverse temperature was measured: give a run on a machine with a Calibrated stage, which "
            "training puts around machines of their own temperature"
        )
    for place, (label, points) in enumerate(series.items()):
        if not points:
            continue
        axes.errorbar(
            [point.place for point in points],
            [point.beta for point in points],
            yerr=[point.error for point in points],
            color=COLOURS[place],
            marker="os"[place],
            markersize=4,
            linewidth=1.2,
            linestyle=("-", "--")[place],
            capsize=2,
            label=label,
        )
    axes.plot(*zip(*asked, strict=True), color=GREY, linestyle=":", linewidth=1.4, label="asked")
    betas = [point.beta for points in series.values() for point in points]
    if min(betas) > 0 and max(betas) > 10 * min(betas):
        axes.set_yscale("log")
    axes.set_xlabel(where)
    axes.set_ylabel("inverse temperature \u03b2")
    clean(axes)
    axes.legend(frameon=False, fontsize=9)
    return axes


Told = tuple[str, list[tuple[float, float]], dict[str, list[Point]]]
"""What the places are, the asked beta at places, and the series."""


def _of_training(source: TrainingRun | Sequence[Mapping[str, float]]) -> Told:
    records = source.history if isinstance(source, TrainingRun) else source
    names = {"reads_beta": "of the reads", "machine_beta": "of the machine"}
    series = {
        label: [Point(r["epoch"], r[name], r[f"{name}_error"]) for r in records if name in r]
        for name, label in names.items()
    }
    places = [point.place for points in series.values() for point in points]
    return "epoch", [(place, 1.0) for place in (min(places, default=0), max(places, default=0))], series


def _of_history(source: Backend | History) -> Told:
    if isinstance(source, Backend):
        found = [stage for stage in stages(source) if isinstance(stage, Calibrated)]
        if not found:
            raise InvalidParameterError(
                f"{source.name} has no Calibrated stage around it: prepare() puts one"
            )
        source = found[0].history
    calls = list(enumerate(source, start=1))
    series = {
        "of the reads": [
            Point(place, one.estimate, one.error)
            for place, one in calls
            if math.isfinite(one.estimate) and math.isfinite(one.error)
        ],
        "gain: measured / sent": [
            Point(place, one.gain, 0.0) for place, one in calls if one.gain is not None
        ],
    }
    return "call", [(place, one.asked) for place, one in calls], series
