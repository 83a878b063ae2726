"""A picture of the history of a training: one panel for measures of one unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from rapid_ising.errors import InvalidParameterError
from rapid_ising.plotting.style import (
    COLOURS,
    clean,
    negative_log,
    new_figure,
    reference,
    require_matplotlib,
    unmarked,
)
from rapid_ising.training.run import TrainingRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Source: TypeAlias = TrainingRun | Sequence[Mapping[str, float]]
"""A run, or its history."""
DISTANCE, LIKELIHOOD = "wrong pixels (share)", "log-likelihood (nats an image)"
KNOWN = {
    "hamming_test": (DISTANCE, "held out, \u03b2 = 1"),
    "hamming_train": (DISTANCE, "training, \u03b2 = 1"),
    "zero_temperature_test": (DISTANCE, "held out, T = 0"),
    "zero_temperature_train": (DISTANCE, "training, T = 0"),
    "log_likelihood_test": (LIKELIHOOD, "held out"),
    "log_likelihood_train": (LIKELIHOOD, "training"),
    "learning_rate": ("learning rate", "learning rate"),
}
"""The unit and the label of each measure that is known."""
LINES = ("-", "--", "-.", ":")
"""One a measure, so that they are told apart without colour."""
BESIDE = ("epoch", "seconds", "reads_beta", "machine_", "likelihood_beta")
"""How the measures begin that are no curve of their own, or have their own picture."""


def panels(history: Source) -> dict[str, list[str]]:
    """Return the measures that a history has, by their unit; the learning rate where there is no other.

    Examples
    --------
    >>> panels([{"epoch": 1, "seconds": 0.1, "learning_rate": 0.1, "hamming_test": 0.4, "entropy": 2.0}])
    {'wrong pixels (share)': ['hamming_test'], 'entropy': ['entropy']}
    """
    found = dict.fromkeys(name for record in _records(history) for name in record)
    named = [name for name in KNOWN if name in found]
    named += [name for name in found if name not in KNOWN and not name.startswith(BESIDE)]
    chosen = [name for name in named if name != "learning_rate"] or named
    units = {name: KNOWN.get(name, (name, name))[0] for name in chosen}
    return {unit: [name for name in chosen if units[name] == unit] for unit in dict.fromkeys(units.values())}


def label(name: str, records: Sequence[Mapping[str, float]]) -> str:
    """Return what a measure is called beside its unit; a likelihood has the beta that it was recorded with.

    >>> label("log_likelihood_test", [{"log_likelihood_test": -5.6, "likelihood_beta": 0.125}])
    'held out, β = 0.125'
    """
    unit, text = KNOWN.get(name, (name, name))
    if unit != LIKELIHOOD:
        return text
    betas = dict.fromkeys(r["likelihood_beta"] for r in records if name in r and "likelihood_beta" in r)
    return f"{text}, β = {', '.join(f'{beta:g}' for beta in betas)}" if betas else text


def plot_history(history: Source, *measures: str, ax: Axes | None = None) -> Figure:
    """Return a figure of what was recorded of each epoch, against the epoch.

    Parameters
    ----------
    history
        A TrainingRun, or its history.
    *measures
        The names of what is drawn, in one panel. Left out, all that callbacks added, a panel for each unit;
        what an ``Evaluate`` callback measures is known by its unit. Without any the learning rate is drawn.
    ax
        Where to draw: all of it in one panel. Left out, in a new figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidParameterError
        If there are no epochs, or none has a measure of that name.

    Examples
    --------
    >>> figure = plot_history([{"epoch": 1, "hamming_test": 0.4}, {"epoch": 2, "hamming_test": 0.3}])
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('epoch', 'wrong pixels (share)')
    """
    require_matplotlib()
    records = _records(history)
    recorded = dict.fromkeys(name for record in records for name in record)
    if not recorded:
        raise InvalidParameterError("the history has no epochs yet: train first")
    unknown = [name for name in measures if name not in recorded]
    groups = list(panels(records).values())
    if unknown or not groups:
        missing = repr(unknown[0]) if unknown else "measure"
        raise InvalidParameterError(f"the history has no {missing}; it has {', '.join(sorted(recorded))}")
    if measures or ax is not None:
        groups = [list(measures) or [name for group in groups for name in group]]
    if ax is not None:
        places = [ax]
    else:
        figure = new_figure(4.8 * len(groups), 3.2)
        places = list(figure.subplots(1, len(groups), squeeze=False)[0])
    for place, group in zip(places, groups, strict=True):
        _panel(place, records, group)
    return cast("Figure", places[0].figure)


def _records(history: Source) -> Sequence[Mapping[str, float]]:
    return history.history if isinstance(history, TrainingRun) else history


def _panel(axes: Axes, records: Sequence[Mapping[str, float]], group: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    series = {name: [(r["epoch"], r[name]) for r in records if name in r] for name in group}
    values = [value for points in series.values() for _, value in points]
    # Minus a log-likelihood is never negative, so that early epochs and late ones are both told.
    turned = all(value < 0 for value in values) and min(values) < 10 * max(values)
    for place, (name, points) in enumerate(series.items()):
        axes.plot(
            [epoch for epoch, _ in points],
            [-value if turned else value for _, value in points],
            color=COLOURS[place % len(COLOURS)],
            linestyle=LINES[place % len(LINES)],
            linewidth=1.8,
            marker="o" if len(points) < 8 else None,
            markersize=4,
            label=unmarked(label(name, records)),
        )
    units = dict.fromkeys(KNOWN.get(name, (name, name))[0] for name in group)
    if turned:
        negative_log(axes)
    if DISTANCE in units:
        reference(axes, 0.5, "chance")
        axes.set_ylim(-0.02, max(0.56, axes.dataLim.ymax + 0.02))
    axes.set_xlabel("epoch")
    axes.set_ylabel(unmarked(", ".join(units)) + (", log scale" if turned else ""))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    clean(axes)
    # One alone says what it is at its axis, unless there is more to say.
    if len(group) > 1 or label(group[0], records) not in units:
        axes.legend(frameon=False, fontsize=9)
