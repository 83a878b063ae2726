"""``rapid-ising train``: train a model on a data set and write it to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import cell, remarks, results, write_json
from rapid_ising.cli.machine import (
    EMULATED,
    BudgetText,
    Emulate,
    EmulatorOptions,
    JournalFile,
    SendAgain,
    machine_for,
)
from rapid_ising.cli.names import listed
from rapid_ising.cli.options import (
    HIDDEN,
    HIDDEN_LAYERS,
    INTERRUPTED,
    KEEPING,
    MACHINE,
    MODEL,
    OUTPUT,
    PATTERNS,
    TRAINING,
    BackendName,
    BackendOptions,
    DatasetName,
    Json,
    Seed,
    data_file,
    hidden_sizes,
    output_file,
)
from rapid_ising.errors import (
    BudgetExceededError,
    InvalidParameterError,
    RapidIsingError,
    UnknownNameError,
    causes,
)

if TYPE_CHECKING:
    from rapid_ising.backend import Backend
    from rapid_ising.datasets import Dataset
    from rapid_ising.evaluation import Evaluation
    from rapid_ising.models import Model
    from rapid_ising.training.callbacks import Callback
    from rapid_ising.training.negative_phase import NegativePhase
    from rapid_ising.training.run import TrainingRun


def train(
    dataset: DatasetName = "stripes",
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"{listed(names.MODELS)}. In a boltzmann-machine every two spins are coupled; a deep one "
            "has several hidden layers. Weights are free, those of a pattern- model are built from patterns "
            "(RAPID).",
            autocompletion=names.models,
            rich_help_panel=MODEL,
        ),
    ] = "pattern-rbm",
    hidden: Annotated[
        str | None,
        typer.Option(
            metavar="H|H1,H2,...",
            help=f"Hidden spins, in a deep machine those of each layer. Left out, {HIDDEN} in an RBM, "
            f"none in a Boltzmann machine, {HIDDEN_LAYERS[0]},{HIDDEN_LAYERS[1]} in a deep one.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    patterns: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help=f"Patterns of a pattern- model; {PATTERNS} when left out.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    biases: Annotated[
        bool,
        typer.Option(
            "--biases",
            help="Give a pattern- model biases by clamped spins; the others have them anyway.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    free_biases: Annotated[
        bool,
        typer.Option(
            "--free-biases",
            help="Give a pattern-rbm biases of their own instead of clamped spins.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    from_data: Annotated[
        bool,
        typer.Option(
            "--from-data",
            help="Start at the means of the data, patterns at their leading components (rbm, pattern-rbm).",
            rich_help_panel=MODEL,
        ),
    ] = False,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The settings that are not given: "
            f"{listed(f'{name} ({told})' for name, told in names.RECIPES.items())}.",
            autocompletion=names.recipes,
            rich_help_panel=TRAINING,
        ),
    ] = "default",
    negative_phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the model's averages come from without a machine: "
            f"{listed(names.NEGATIVE_PHASES)}. Left out, the recipe says.",
            autocompletion=names.negative_phases,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How often the data are gone through; the recipe says when left out.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Images of one update; the recipe says when left out.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The rate of the first epoch; the recipe says when left out.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            "--evaluate",
            metavar="N",
            min=0,
            help="Measure the model every N epochs, for the curves of rapid-ising report; 0 never. Left out, "
            "about ten times.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    backend: BackendName = None,
    backend_option: BackendOptions = None,
    reads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The machine's reads for each update; 64 or so when left out.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    refine: Annotated[
        int,
        typer.Option(
            metavar="SWEEPS",
            help="Gibbs sweeps here from the machine's states, where its samples need them.",
            rich_help_panel=MACHINE,
        ),
    ] = 0,
    emulate: Emulate = False,
    emulator_option: EmulatorOptions = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the state of the training here after each epoch.",
            rich_help_panel=KEEPING,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the checkpoint, to the same bits.", rich_help_panel=KEEPING
        ),
    ] = False,
    journal: JournalFile = None,
    budget: BudgetText = None,
    send_again: SendAgain = False,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Where the trained model goes, with the record of its training.",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("model.safetensors"),
    seed: Seed = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show nothing but errors.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a model on a data set, measure it, and write it to a file.

    --backend swaps the machine that draws the model's samples and nothing else. Ctrl-C stops the training
    and keeps the epochs that are done.

    For example, on 4 x 4 stripes; by the samples of a machine; on images of your own;
    and so that it can go on later:

      rapid-ising train --dataset stripes
      rapid-ising train --backend annealing --backend-option num_sweeps=99
      rapid-ising train --dataset images.npy --model rbm --out mine.safetensors
      rapid-ising train --checkpoint run.state
      rapid-ising train --checkpoint run.state --resume
    """
    from rapid_ising.datasets import load
    from rapid_ising.evaluation import evaluate
    from rapid_ising.models import start_from_data
    from rapid_ising.progress import waiting
    from rapid_ising.training import train as run_training
    from rapid_ising.training.callbacks import Evaluate
    from rapid_ising.training.recipes import as_recipe

    if resume and checkpoint is None:
        raise InvalidParameterError("--resume needs the file to go on from: give --checkpoint FILE")
    if backend is not None and negative_phase is not None:
        raise InvalidParameterError(
            f"--backend {backend} is itself the negative phase: leave --negative-phase out"
        )
    data = load(dataset)
    trained = _new_model(model, data.images.shape[1], hidden, patterns, biases, free_biases, seed)
    if from_data and recipe == "paper":
        raise InvalidParameterError("the paper's recipe makes patterns their signs: leave --from-data out")
    if from_data and not resume:
        start_from_data(trained, data.train, seed=seed)
    output_file(out, data_file(dataset), checkpoint)
    # What stands there before is of another training, and is not lost to one that fails.
    unfinished = out.with_name(f"{out.stem}.stopped{out.suffix}") if out.exists() else out
    output_file(unfinished, data_file(dataset), checkpoint)
    if checkpoint is not None:
        output_file(checkpoint, data_file(dataset))
    around = machine_for(
        backend,
        backend_option,
        emulate=emulate,
        emulator=emulator_option,
        journal=journal,
        checkpoint=checkpoint,
        resume=resume,
        budget=budget,
        again=send_again,
        others=(out, data_file(dataset)),
    )
    last = _LastRun(dataset, data)
    watched: list[Callback] = [last]
    if evaluate_every is None:
        total = as_recipe(recipe, trained).epochs if epochs is None else epochs
        evaluate_every = max(1, total // 10)
    if evaluate_every:
        watched.insert(0, Evaluate(data, every=evaluate_every, likelihood_beta="fit"))
    with around as machine:
        phase = negative_phase if machine is None else _samples(machine, refine, reads)
        try:
            run = run_training(
                trained,
                data.train,
                negative_phase=phase,
                recipe=recipe,
                learning_rate=learning_rate,
                epochs=epochs,
                batch_size=batch_size,
                seed=seed,
                callbacks=watched,
                checkpoint=checkpoint,
                resume=resume and not _killed_early(checkpoint, machine),
                progress=not quiet,
            )
        except RapidIsingError as error:
            if last.run is not None and last.run.epochs:
                last.run.save(unfinished)
                kept = "" if unfinished == out else f", and {out} is as it was"
                text = f"the model as of epoch {last.run.epochs} is in {unfinished}{kept}"
                remarks().print(text, soft_wrap=True)
            if checkpoint is not None and any(isinstance(e, BudgetExceededError) for e in causes(error)):
                remarks().print(
                    f"--resume goes on, with a --budget above {budget} for all of the run", soft_wrap=True
                )
            raise
    run.save(out)
    if run.stopped == "interrupted":
        remarks().print(f"interrupted: the model has {run.epochs} epochs and is in {out}", soft_wrap=True)
    if as_json or not quiet:
        with waiting("measuring the model"):
            measured = evaluate(trained, data, likelihood_beta=1 / trained.temperature)
        if as_json:
            write_json(_facts(run, data, measured, machine, out, emulate))
        else:
            _show(run, data, measured, out)
            if emulate:
                results().print(EMULATED.format(machine=backend), soft_wrap=True)
    if run.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _samples(machine: Backend, refine: int, reads: int | None) -> NegativePhase:
    from rapid_ising.machine.prepare import staged
    from rapid_ising.training.negative_phase import BackendSamples

    return BackendSamples(staged(machine, refine=refine) if refine else machine, num_reads=reads)


def _killed_early(checkpoint: Path | None, machine: Backend | None) -> bool:
    """Return whether a run was killed before its first epoch: its journal is there, no checkpoint yet."""
    from rapid_ising.machine import Journaled

    if checkpoint is None or checkpoint.exists() or not isinstance(machine, Journaled):
        return False
    return bool(machine.journal.entries())


class _LastRun:
    """A callback that remembers the run, for when it ends in an error, and tells it what its data are."""

    def __init__(self, source: str, data: Dataset) -> None:
        self.run: TrainingRun | None = None
        self._told = {"source": source, "name": data.name, "shape": list(data.shape)}

    def on_epoch_end(self, run: TrainingRun) -> None:
        """Remember the run."""
        self.run = run
        run.origin["dataset"] = self._told


def _new_model(
    name: str, pixels: int, hidden: str | None, patterns: int | None, biases: bool, free: bool, seed: int
) -> Model:
    from rapid_ising.models import MODELS, GraphModel, LayeredModel, PatternModel, PatternRBM

    if free and (biases or name != PatternRBM.name):
        raise InvalidParameterError(
            f"--free-biases is for pattern-rbm, without --biases, and the model is {name}: leave one out"
        )
    if name not in MODELS:
        raise UnknownNameError.among("model", name, MODELS)
    kind = MODELS[name]
    arguments: list[Any]
    if issubclass(kind, LayeredModel):
        arguments = [(pixels, *hidden_sizes(hidden, HIDDEN_LAYERS))]
    elif issubclass(kind, GraphModel):
        arguments = [pixels + hidden_sizes(hidden, (0,), layers=1)[0]]
    else:
        arguments = [pixels, *hidden_sizes(hidden, (HIDDEN,), layers=1)]
    options: dict[str, Any] = {"n_visible": pixels} if issubclass(kind, GraphModel) else {}
    if issubclass(kind, PatternModel):
        arguments.append(PATTERNS if patterns is None else patterns)
        options["biases"] = "free" if free else biases
    elif patterns is not None:
        raise InvalidParameterError(
            f"--patterns is for models built from patterns and the model is {name}: leave it out"
        )
    made: Model = kind(*arguments, **options, seed=seed)
    return made


def _facts(
    run: TrainingRun, data: Dataset, measured: Evaluation, machine: Backend | None, out: Path, emulated: bool
) -> dict[str, Any]:
    return {
        "dataset": data.name,
        "model": {"kind": run.model.name, **run.model.config()},
        "backend": None if machine is None else machine.name,
        "emulated": emulated,
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
        "log-likelihood of the fit, nats an image": (
            measured.log_likelihood_train,
            measured.log_likelihood_test,
        ),
    }
    for label, values in rows.items():
        table.add_row(label, *(cell(value) for value in values))
    console = results()
    console.print(table)
    console.print(
        "Hamming distance: the share of wrong pixels when the model restores an image from its first part; "
        "0.5 is chance."
    )
    if run.model.temperature > 1:
        console.print(
            f"The model is {run.model.temperature:g} times colder than what was fitted to the data, so that "
            f"it recalls images. For samples like the data ask at --beta {1 / run.model.temperature:g}."
        )
    console.print(f"model: {out}", soft_wrap=True)
