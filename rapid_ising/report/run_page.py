"""The page of one training: curves, samples, reconstructions, calibration, machine use, provenance."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rapid_ising.arrays import to_numpy
from rapid_ising.datasets import Dataset
from rapid_ising.datasets.dataset import usual_shape
from rapid_ising.jobs import Journal
from rapid_ising.models import PatternModel
from rapid_ising.plotting import (
    plot_calibration,
    plot_history,
    plot_overlaps,
    plot_reconstructions,
    plot_samples,
    svg,
    themed,
)
from rapid_ising.plotting.history import KNOWN, label, panels
from rapid_ising.plotting.style import close
from rapid_ising.report.page import Element, Heading, Picture, Table, Text
from rapid_ising.training.negative_phase.base import machines_of
from rapid_ising.training.run import TrainingRun
from rapid_ising.version import __version__

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, COMPARED, COLUMNS = 40, 400, 20
"""The samples that are drawn, those whose overlaps are, and the patterns whose overlaps with them are."""


def run_page(
    run: TrainingRun,
    data: Dataset | None = None,
    *,
    journal: Journal | None = None,
    price: float | None = None,
    seed: int = 0,
) -> list[Element]:
    """Return all that the page of a training shows.

    Parameters
    ----------
    run
        The training.
    data
        The data set that it was trained on, for reconstructions and the shape of the images.
    journal
        The journal of its jobs, for what was sent, what failed and what it took.
    price
        What a second of the machine costs.
    seed
        Seeds the samples and the reconstructions that are drawn for the page.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    InvalidDataError
        If the images do not fit the model.

    Examples
    --------
    >>> import rapid_ising as ri
    >>> model = ri.PatternRBM(16, 20, 4, seed=0)
    >>> run = ri.train(model, ri.datasets.stripes(4).train, epochs=2, seed=0, progress=False)
    >>> [part.text for part in run_page(run) if isinstance(part, Heading)][1:4]
    ['Curves', 'Samples', 'Patterns']
    """
    if data is not None:
        data.require_pixels(run.model.n_visible)
    with themed():
        return [
            *_head(run, data),
            *_curves(run),
            *_samples(run, data, seed),
            *_reconstructions(run, data, seed),
            *_calibration(run),
            *_use(run, journal, price),
            *_provenance(run, seed),
        ]


def same_data(run: TrainingRun, data: Dataset) -> bool:
    """Return whether a run was trained on the training images of a data set."""
    told = run.settings.get("data", {}).get("sha256")
    return bool(told == hashlib.sha256(data.train.tobytes()).hexdigest())


def _head(run: TrainingRun, data: Dataset | None) -> Iterator[Element]:
    name = data.name if data is not None else run.origin.get("dataset", {}).get("name")
    yield Heading(f"A {type(run.model).__name__} trained" + (f" on {name}" if name else ""), 1)
    ended = {
        "finished": "It is finished.",
        "early": "A callback ended it.",
        "interrupted": "It was interrupted.",
        "running": "This is its state in a checkpoint: it may go on.",
    }[run.stopped]
    yield Text(f"{run.epochs} epochs in {run.seconds:.3g} s. {ended}")
    yield from (Text(text) for text in labels(run.origin))
    measured = {k: v for record in run.history for k, v in record.items() if k in KNOWN}
    last = [
        [f"{KNOWN[k][0]}, {label(k, run.history)}", f"{v:.4g}"]
        for k, v in measured.items()
        if k != "learning_rate"
    ]
    if last:
        yield Table(["measure", "last value"], last, "What was measured last")


def labels(origin: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has to be said of samples that are not a machine's own.

    >>> list(labels({"machines": [{"name": "exact"}, {"name": "twin-cim", "twin": "twin-cim"}]}))
    ['Twin: the samples are of `twin-cim`, a digital twin that computes here, not of a machine.']
    """
    yield from filter(None, map(_label, machines_of(origin)))


def _label(machine: Mapping[str, Any]) -> str:
    if "emulated" in machine:
        return f"Emulated: the samples are of a digital twin of `{machine['name']}`, not of the machine."
    if "twin" in machine:
        twin = machine["twin"]
        return f"Twin: the samples are of `{twin}`, a digital twin that computes here, not of a machine."
    return ""


def _curves(run: TrainingRun) -> Iterator[Element]:
    yield Heading("Curves")
    found = panels(run.history)
    if not found:
        yield Text("No epoch is done yet.")
    elif list(found) == ["learning rate"]:
        yield Text("No callback measured anything: train with an `Evaluate` callback for curves.")
    for unit, measures in found.items():
        told = "; ".join(_course(run, measure) for measure in measures)
        yield _drawn(_file(unit), plot_history(run, *measures), f"{unit} against the epoch. {told}.")


def _course(run: TrainingRun, measure: str) -> str:
    values = [record[measure] for record in run.history if measure in record]
    return f"{label(measure, run.history)}: from {values[0]:.3g} to {values[-1]:.3g}"


def _file(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _drawn(name: str, drawn: Axes | Figure, alt: str, caption: str = "") -> Picture:
    figure = cast("Figure", getattr(drawn, "figure", drawn))
    content = svg(figure)
    close(figure)
    return Picture(name, content, alt, caption)


def _samples(run: TrainingRun, data: Dataset | None, seed: int) -> Iterator[Element]:
    model, beta = run.model, 1 / run.model.temperature
    shape = _shape(run, data)
    yield Heading("Samples")
    samples = model.sample(COMPARED, beta=beta, seed=seed)
    yield _drawn(
        "samples",
        plot_samples(samples, shape, limit=SHOWN),
        f"{SHOWN} images drawn from the model",
        f"Drawn from the model at \u03b2 = {beta:g}, that of its fit to the data, by Gibbs chains on this "
        "computer.",
    )
    overlaps = plot_overlaps(samples)
    yield _drawn(
        "overlaps",
        overlaps,
        f"The law of the overlaps of pairs of {COMPARED} samples",
        "Overlaps of samples with each other: many different images, or few?",
    )
    if not isinstance(model, PatternModel):
        return
    patterns = np.where(to_numpy(model.states())[:, : model.n_visible] < 0, -1, 1)
    yield Heading("Patterns")
    yield _drawn(
        "patterns",
        plot_samples(patterns, shape, limit=SHOWN),
        f"{min(SHOWN, len(patterns))} patterns of the model as images",
        f"The signs of the model's patterns, {len(patterns)} states.",
    )
    yield _drawn(
        "pattern-overlaps",
        plot_overlaps(samples, patterns[:COLUMNS]),
        f"The overlaps of {COMPARED} samples with each of {min(COLUMNS, len(patterns))} patterns",
        "1: a sample is the pattern; \u22121: its opposite.",
    )


def _shape(run: TrainingRun, data: Dataset | None) -> tuple[int, int]:
    told = data.shape if data is not None else run.origin.get("dataset", {}).get("shape")
    if told is not None:
        return int(told[0]), int(told[1])
    return usual_shape(run.model.n_visible)


def _reconstructions(run: TrainingRun, data: Dataset | None, seed: int) -> Iterator[Element]:
    yield Heading("Reconstructions")
    if data is None:
        yield Text("The data are not known here: `rapid-ising report RUN --dataset NAME` shows them.")
        return
    if not same_data(run, data):
        yield Text(f"`{data.name}` is not what the model was trained on: its training images are others.")
    part = "held-out" if len(data.test) else "training"
    yield _drawn(
        "reconstructions",
        plot_reconstructions(run.model, data, seed=seed),
        f"{part} images with a part given, what the model restores, and the true ones",
        f"The likeliest pixels of {part} images of which a part is given; crosses mark wrong ones.",
    )


def _calibration(run: TrainingRun) -> Iterator[Element]:
    if not any("reads_beta" in record for record in run.history):
        return
    yield Heading("Calibration")
    yield _drawn(
        "calibration",
        plot_calibration(run),
        "The inverse temperature of the reads of each epoch and that of the machine, with standard errors. "
        f"{_course(run, 'reads_beta').replace('reads_beta', 'reads')}.",
        "The machine has a temperature of its own: energies are scaled until its reads are at the asked one, "
        "1. Bars are standard errors.",
    )


def _use(run: TrainingRun, journal: Journal | None, price: float | None) -> Iterator[Element]:
    yield Heading("Machine use")
    machines = machines_of(run.origin)
    if not machines:
        phase = run.settings.get("negative_phase", {}).get("class", "a method without a machine")
        yield Text(f"No machine was asked: the model's averages come from `{phase}`.")
        return
    totals = {
        name: sum(record.get(f"machine_{name}", 0.0) for record in run.history)
        for name in ("calls", "reads", "seconds")
    }
    kinds = {machine["name"]: _label(machine).partition(":")[0].lower() for machine in machines}
    rows = [
        ["machine", ", ".join(f"{name} ({kind})" if kind else str(name) for name, kind in kinds.items())],
        ["calls", f"{totals['calls']:.0f}"],
        ["reads", f"{totals['reads']:.0f}"],
        ["machine time", f"{totals['seconds']:.4g} s" if totals["seconds"] else "not stated"],
    ]
    if price is not None:
        cost = f"{totals['seconds'] * price:.4g}, at {price:g} a second"
        rows.append(["cost", cost if totals["seconds"] else "not known"])
    yield Table(["", "all epochs"], rows, "What the epochs took of the machine")
    if journal is not None:
        yield from _jobs(journal, price)


def _jobs(journal: Journal, price: float | None) -> Iterator[Element]:
    """Return what the journal says, which has failed and repeated calls too."""
    groups: dict[tuple[str, str], list[float]] = {}
    for entry in journal.entries():
        name, _ = journal.machine(entry.run)
        shown = name if entry.emulated is None else f"{name} (emulated)"
        group = groups.setdefault((shown, entry.state), [0, 0, 0, 0.0])
        # As a budget counts them.
        known = entry.predicted if entry.machine_seconds is None else entry.machine_seconds
        seconds = known + (entry.attempts - 1) * entry.predicted
        for place, value in enumerate((1, entry.attempts, entry.attempts * entry.reads, seconds)):
            group[place] += value
    rows = [
        [shown, state, f"{jobs:.0f}", f"{sent:.0f}", f"{reads:.0f}", f"{seconds:.4g}"]
        + ([] if price is None else [f"{seconds * price:.4g}"])
        for (shown, state), (jobs, sent, reads, seconds) in groups.items()
    ]
    columns = ["machine", "state", "jobs", "sent", "reads", "machine s"] + ([] if price is None else ["cost"])
    caption = (
        f"All jobs in the journal {journal.path.name}; seconds that the machine did not state are expected"
    )
    yield Table(columns, rows, caption)


def _provenance(run: TrainingRun, seed: int) -> Iterator[Element]:
    yield Heading("Provenance")
    starts = run.origin.get("starts", [])
    if starts:
        names = list(dict.fromkeys(name for start in starts for name in start["versions"]))
        rows = [
            ["time", *(start["time"] for start in starts)],
            ["epochs done before", *(str(start["epochs"]) for start in starts)],
            ["seed", *("none" if start["seed"] is None else str(start["seed"]) for start in starts)],
            *[[name, *(start["versions"].get(name, "-") for start in starts)] for name in names],
            ["processor", *(start["processor"] for start in starts)],
        ]
        columns = ["", "started", *(f"resumed {place}" for place in range(1, len(starts)))]
        yield Table(columns, rows, "Where and with what it was trained")
    settings = [[name, told(value)] for name, value in run.settings.items()]
    if settings:
        yield Table(["setting", "value"], settings, "How it was trained")
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield Text(f"This page: rapid-ising {__version__}, {now}, seed {seed}.")


def told(value: Any) -> str:
    """Return a setting as Python would write it; what was left out is not told.

    >>> told({"class": "SGD", "rate": 0.1, "decay": None}), told({"rows": 10}), told([{"class": "Exact"}])
    ('SGD(rate=0.1)', 'rows=10', '[Exact()]')
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(told(item) for item in value)}]"
    if not isinstance(value, Mapping):
        return f"{value:g}" if isinstance(value, float) else str(value)
    parts = ", ".join(
        f"{name}={told(item)}" for name, item in value.items() if name != "class" and item is not None
    )
    return f"{value['class']}({parts})" if "class" in value else parts


def journal_of(run: TrainingRun, path: Path) -> Path | None:
    """Return the journal that lies beside a run's file or its checkpoint, None where there is none."""
    places = [place.with_name(place.name + ".jobs") for place in (path, run.checkpoint) if place is not None]
    return next((place for place in places if place.is_file()), None)
