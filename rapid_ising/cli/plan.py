"""``rapid-ising plan``: what would be sent to a machine, before anything is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.machine import EMULATED, Emulate, EmulatorOptions, machine_for
from rapid_ising.cli.options import (
    MACHINE,
    MODEL,
    TRAINING,
    BackendOptions,
    Beta,
    DatasetName,
    Json,
    model_of,
)
from rapid_ising.errors import InvalidDataError, InvalidParameterError

STAGES = "Stages around the machine"


def plan(
    model: Annotated[
        Path,
        typer.Option(metavar="FILE", help="A file that rapid-ising train wrote.", rich_help_panel=MODEL),
    ],
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The machine; rapid-ising backends lists them.",
            autocompletion=names.backends,
            rich_help_panel=MACHINE,
        ),
    ],
    backend_option: BackendOptions = None,
    reads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many reads are wanted; left out, 100, or in a training those of an update.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    beta: Beta = 1.0,
    gauges: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Split the reads over so many random gauges; left out, as suits.",
            rich_help_panel=STAGES,
        ),
    ] = None,
    tiled: Annotated[
        bool,
        typer.Option(
            "--tiled",
            help="Read as many copies of the model at once as the machine holds.",
            rich_help_panel=STAGES,
        ),
    ] = False,
    refine: Annotated[
        int,
        typer.Option(
            metavar="SWEEPS", help="Gibbs sweeps from the machine's states.", rich_help_panel=STAGES
        ),
    ] = 0,
    strict: Annotated[
        float | None,
        typer.Option(
            metavar="ERROR",
            help="Refuse a relative error of rounding above this, such as 0.05.",
            rich_help_panel=STAGES,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Count what a training of so many epochs asks.", rich_help_panel=TRAINING
        ),
    ] = None,
    dataset: DatasetName = "stripes",
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Images of an update of the training; left out, those of the default recipe.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="What a second of the machine costs, as on the bill, for the cost of the training.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    emulate: Emulate = False,
    emulator_option: EmulatorOptions = None,
    as_json: Json = False,
) -> None:
    """Show how a model would be put on a machine: stages, factors, errors, calls, reads and machine time.

    Nothing is sent. For example, for a twin; for a service by its emulator; and for a training on it:

      rapid-ising plan --model model.safetensors --backend twin-digital-annealer
      rapid-ising plan --model model.safetensors --backend fujitsu-da --emulate
      rapid-ising plan --model model.safetensors --backend fujitsu-da --epochs 9
    """
    from rapid_ising.datasets import load
    from rapid_ising.machine.prepare import plan as planned
    from rapid_ising.training.negative_phase import BackendSamples
    from rapid_ising.training.recipes import as_recipe

    if epochs is None and (batch_size is not None or price is not None):
        raise InvalidParameterError("--batch-size and --price are about a training: give --epochs N")
    read_from = model_of(model)
    data = None if epochs is None else load(dataset)
    if data is not None and data.train.shape[1] != read_from.n_visible:
        raise InvalidDataError(
            f"{dataset} has images of {data.train.shape[1]} pixels and the model has "
            f"{read_from.n_visible}: give the --dataset that it is to be trained on"
        )
    with machine_for(backend, backend_option, emulate=emulate, emulator=emulator_option) as machine:
        assert machine is not None
        if reads is None:
            reads = 100 if epochs is None else BackendSamples(machine).reads(read_from)
        found = planned(
            machine,
            read_from,
            beta=beta,
            num_reads=reads,
            gauges=gauges,
            tiled=tiled,
            refine=refine,
            strict=strict,
        )
    cost = None
    if data is not None and epochs is not None:
        size = as_recipe("default", read_from).batch_size if batch_size is None else batch_size
        cost = found.training(len(data.train), epochs=epochs, batch_size=size, price=price)
    if as_json:
        training = {} if cost is None else {"training": cost.as_dict()}
        write_json({**found.as_dict(), **training, "emulated": emulate})
        return
    results().print(str(found), markup=False, soft_wrap=True)
    if cost is not None:
        results().print(f"a training of {epochs} epochs, {cost}", markup=False, soft_wrap=True)
    if emulate:
        results().print(EMULATED.format(machine=backend), soft_wrap=True)
