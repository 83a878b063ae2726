"""``rapid-ising train``: train a model on a data set and write it to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli.console import cell, remarks, results, write_json
from rapid_ising.cli.options import (
    HIDDEN,
    INTERRUPTED,
    PATTERNS,
    BackendName,
    BackendOptions,
    DatasetName,
    Seed,
    chosen_backend,
    output_file,
)
from rapid_ising.errors import InvalidParameterError, RapidIsingError, UnknownNameError

if TYPE_CHECKING:
    from rapid_ising.backend import Backend
    from rapid_ising.datasets import Dataset
    from rapid_ising.evaluation import Evaluation
    from rapid_ising.models import Model
    from rapid_ising.training.run import TrainingRun


def train(
    dataset: DatasetName = "stripes",
    model: Annotated[
        str,
        typer.Option(
            metavar="pattern-rbm|rbm", help="Weights built from patterns (RAPID), or free weights and biases."
        ),
    ] = "pattern-rbm",
    hidden: Annotated[int, typer.Option(help="How many hidden spins.")] = HIDDEN,
    patterns: Annotated[
        int | None, typer.Option(help=f"How many patterns, for pattern-rbm; {PATTERNS} when left out.")
    ] = None,
    biases: Annotated[
        bool, typer.Option("--biases", help="Give a pattern-rbm biases; an rbm has them anyway.")
    ] = False,
    negative_phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the model's averages come from without a machine: patterns, cd, pcd, "
            "parallel-tempering or exact. Left "
            "out, the recipe says.",
        ),
    ] = None,
    backend: BackendName = None,
    backend_option: BackendOptions = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="default|paper", help="The settings that are not given: the best known, or the paper's."
        ),
    ] = "default",
    epochs: Annotated[int | None, typer.Option(help="How often the data are gone through.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="How many images make an update.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The rate of the first epoch.")] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the trained model goes.")] = Path(
        "model.safetensors"
    ),
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the state of the training here after each epoch."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
) -> None:
    """Train a model on a data set, measure it, and write it to a file.

    --backend swaps the machine that draws the model's samples and nothing else. Ctrl-C stops the training
    and keeps the epochs that are done.
    """
    from rapid_ising.datasets import load
    from rapid_ising.evaluation import evaluate
    from rapid_ising.training import train as run_training

    if resume and checkpoint is None:
        raise InvalidParameterError("--resume needs the file to go on from: give --checkpoint FILE")
    if backend is not None and negative_phase is not None:
        raise InvalidParameterError(
            f"--backend {backend} is itself the negative phase: leave --negative-phase out"
        )
    data = load(dataset)
    trained = _new_model(model, data.images.shape[1], hidden, patterns, biases, seed)
    machine = chosen_backend(backend, backend_option)
    output_file(out)
    if checkpoint is not None:
        output_file(checkpoint)
    last = _LastRun()
    try:
        run = run_training(
            trained,
            data.train,
            negative_phase=negative_phase,
            backend=machine,
            recipe=recipe,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            callbacks=[last],
            checkpoint=checkpoint,
            resume=resume,
            progress=not quiet,
        )
    except RapidIsingError:
        if last.run is not None and last.run.epochs:
            trained.save(out)
            remarks().print(f"the model as of epoch {last.run.epochs} is in {out}", soft_wrap=True)
        raise
    trained.save(out)
    if run.stopped == "interrupted":
        remarks().print(f"interrupted: the model has {run.epochs} epochs and is in {out}", soft_wrap=True)
    if as_json or not quiet:
        measured = evaluate(trained, data)
        if as_json:
            write_json(_facts(run, data, measured, machine, out))
        else:
            _show(run, data, measured, out)
    if run.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)


class _LastRun:
    """A callback that remembers the run, for when it ends in an error."""

    run: TrainingRun | None = None

    def on_epoch_end(self, run: TrainingRun) -> None:
        """Remember the run."""
        self.run = run


def _new_model(name: str, pixels: int, hidden: int, patterns: int | None, biases: bool, seed: int) -> Model:
    from rapid_ising.models import MODELS, RBM, PatternRBM

    if name not in MODELS:
        raise UnknownNameError.among("model", name, MODELS)
    if name == PatternRBM.name:
        count = PATTERNS if patterns is None else patterns
        return PatternRBM(pixels, hidden, count, biases=biases, seed=seed)
    if patterns is not None:
        raise InvalidParameterError(f"--patterns is for pattern-rbm and the model is {name}: leave it out")
    return RBM(pixels, hidden, seed=seed)


def _facts(
    run: TrainingRun, data: Dataset, measured: Evaluation, machine: Backend | None, out: Path
) -> dict[str, Any]:
    return {
        "dataset": data.name,
        "model": {"kind": run.model.name, **run.model.config()},
        "backend": None if machine is None else machine.name,
        "epochs": run.epochs,
        "seconds": run.seconds,
        "stopped": run.stopped,
        "evaluation": measured.as_dict(),
        "history": run.history,
        "out": str(out),
    }


def _show(run: TrainingRun, data: Dataset, measured: Evaluation, out: Path) -> None:
    from rich.table import Table

    table = Table(
        "",
        f"{len(data.train)} training images",
        f"{len(data.test)} held-out images",
        title=f"{data.name}: {run.epochs} epochs in {run.seconds:.2g} s",
    )
    rows = {
        "Hamming distance at beta = 1": (measured.hamming_train, measured.hamming_test),
        "Hamming distance at zero temperature": (
            measured.zero_temperature_train,
            measured.zero_temperature_test,
        ),
        "log-likelihood, nats an image": (measured.log_likelihood_train, measured.log_likelihood_test),
    }
    for label, values in rows.items():
        table.add_row(label, *(cell(value) for value in values))
    console = results()
    console.print(table)
    console.print(
        "Hamming distance: the share of wrong pixels when the model restores an image from its first part; "
        "0.5 is chance."
    )
    console.print(f"model: {out}", soft_wrap=True)
