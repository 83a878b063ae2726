"""``rapid-ising demo``: one model, one data set, and its negative phase from three places."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli.console import cell, remarks, results, write_json
from rapid_ising.cli.options import (
    HIDDEN,
    INTERRUPTED,
    OUTPUT,
    PATTERNS,
    TRAINING,
    Json,
    Seed,
    output_folder,
)

if TYPE_CHECKING:
    from rapid_ising.datasets import Dataset
    from rapid_ising.evaluation import Evaluation
    from rapid_ising.training.run import TrainingRun


EXPERIMENTS: tuple[tuple[str, str | None], ...] = (
    ("RAPID", None),
    ("simulated-annealing", "simulated-annealing"),
    ("exact", "exact"),
)
"""Each label and the machine whose samples make the negative phase; without one, the model's own patterns
do, refreshed by a few Gibbs steps. All else is shared."""
QUICK_EPOCHS = 60
EVERY = 2
"""The epochs from one point of the curves to the next."""
PICTURE = "rapid-ising-demo.png"
SHOWN = 4
"""How many training images, and how many held-out ones, the picture shows."""


def demo(
    quick: Annotated[
        bool,
        typer.Option("--quick", help=f"{QUICK_EPOCHS} epochs, a few seconds.", rich_help_panel=TRAINING),
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the picture goes.", rich_help_panel=OUTPUT)
    ] = Path("demo-output"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train one model with three sources of samples, and compare them in a table and a picture.

    The data are the 4 x 4 stripes of arXiv:1910.01592. The model learns from its own patterns (RAPID), from
    a simulated annealer and from exact samples; nothing else differs. For example:

      rapid-ising demo --quick
    """
    from rapid_ising.datasets import stripes
    from rapid_ising.models import PatternRBM
    from rapid_ising.plotting import require_matplotlib
    from rapid_ising.training import callbacks, train
    from rapid_ising.training.recipes import default

    require_matplotlib()
    picture = output_folder(out) / PICTURE
    data = stripes(4)
    runs: dict[str, TrainingRun] = {}
    for number, (label, backend) in enumerate(EXPERIMENTS, start=1):
        remarks().print(f"{number}/{len(EXPERIMENTS)} {label}")
        model = PatternRBM(data.images.shape[1], HIDDEN, PATTERNS, seed=seed)
        # A machine's samples are fitted at 1 by default; here at the recipe's temperature, as RAPID's are.
        temperature = default(model).temperature
        runs[label] = train(
            model,
            data.train,
            backend=backend,
            epochs=QUICK_EPOCHS if quick else None,
            temperature=temperature,
            seed=seed,
            callbacks=[callbacks.Evaluate(data, every=EVERY, seed=seed, likelihood_beta=1 / temperature)],
        )
        if runs[label].stopped == "interrupted":
            raise typer.Exit(INTERRUPTED)
    measured = {label: (run, _measured(run, data, seed)) for label, run in runs.items()}
    _draw(runs, data, picture, seed)
    if as_json:
        write_json({"runs": _facts(measured), "dataset": data.name, "picture": str(picture)})
        return
    _show(measured)
    results().print(f"picture: {picture}", soft_wrap=True)


def _measured(run: TrainingRun, data: Dataset, seed: int) -> Evaluation:
    from rapid_ising.evaluation import evaluate

    return evaluate(run.model, data, seed=seed, likelihood_beta=1 / run.model.temperature)


def _facts(measured: dict[str, tuple[TrainingRun, Evaluation]]) -> dict[str, Any]:
    machines = dict(EXPERIMENTS)
    return {
        label: {
            "backend": machines[label],
            "epochs": run.epochs,
            "seconds": run.seconds,
            "evaluation": found.as_dict(),
        }
        for label, (run, found) in measured.items()
    }


def _show(measured: dict[str, tuple[TrainingRun, Evaluation]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table("method", "backend", box=box.SIMPLE_HEAD, padding=0)
    for name in ("epochs", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("images")
    for name in ("distance", "T = 0", "log-lik."):
        table.add_column(name, justify="right")
    machines = dict(EXPERIMENTS)
    for label, (run, found) in measured.items():
        machine = machines[label]
        table.add_row(
            "samples" if machine else "RAPID",
            machine or "-",
            f"{run.epochs}",
            f"{run.seconds:.2f}",
            "train",
            cell(found.hamming_train),
            cell(found.zero_temperature_train),
            cell(found.log_likelihood_train),
        )
        held_out = (found.hamming_test, found.zero_temperature_test, found.log_likelihood_test)
        table.add_row("", "", "", "", "held out", *map(cell, held_out))
    console = results()
    console.print(table)
    uniform = -16 * math.log(2.0)
    for line in (
        "distance: the share of wrong pixels when the model restores an image from its first row, at "
        "beta = 1; T = 0: the same at zero temperature. 0.5 is chance.",
        "log-lik.: exact log-likelihood at the temperature of the fit, in nats an image; "
        f"{uniform:.2f} if all images were equally likely.",
        "seconds: training alone. RAPID takes the model's own patterns for samples.",
    ):
        console.print(line)


def _draw(runs: dict[str, TrainingRun], data: Dataset, path: Path, seed: int) -> None:
    import numpy as np

    from rapid_ising.evaluation import known_rows
    from rapid_ising.plotting import save_figure, training_figure

    mask = known_rows(data.shape)
    truth = np.vstack([data.test[:SHOWN], data.train[:SHOWN]])
    corrupted = np.where(mask, truth, 0)
    restored = {
        label: run.model.reconstruct(corrupted, mask, beta=math.inf, seed=seed) for label, run in runs.items()
    }
    figure = training_figure(
        {label: run.history for label, run in runs.items()},
        {"corrupted": corrupted, **restored, "true": truth},
        data.shape,
        title="4 x 4 stripes: one model, three sources of samples",
        columns=[*["held out"] * len(data.test[:SHOWN]), *["training"] * len(data.train[:SHOWN])],
        caption="Images restored from their first row, at zero temperature",
    )
    save_figure(figure, path)
