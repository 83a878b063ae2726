"""``rapid-ising plan``: what would be sent to a machine, before anything is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.machine import EMULATED, Emulate, EmulatorOptions, machine_for
from rapid_ising.cli.options import MACHINE, MODEL, BackendOptions, Beta, Json, model_of

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
        int, typer.Option(metavar="N", help="How many reads are wanted.", rich_help_panel=MACHINE)
    ] = 100,
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
    emulate: Emulate = False,
    emulator_option: EmulatorOptions = None,
    as_json: Json = False,
) -> None:
    """Show how a model would be put on a machine: stages, factors, errors, calls, reads and machine time.

    Nothing is sent. For example, for a twin, and for a service by its emulator:

      rapid-ising plan --model model.safetensors --backend twin-digital-annealer
      rapid-ising plan --model model.safetensors --backend fujitsu-da --emulate
    """
    from rapid_ising.machine.prepare import plan as planned

    with machine_for(backend, backend_option, emulate=emulate, emulator=emulator_option) as machine:
        assert machine is not None
        found = planned(
            machine,
            model_of(model),
            beta=beta,
            num_reads=reads,
            gauges=gauges,
            tiled=tiled,
            refine=refine,
            strict=strict,
        )
    if as_json:
        write_json({**found.as_dict(), "emulated": emulate})
        return
    results().print(str(found), markup=False, soft_wrap=True)
    if emulate:
        results().print(EMULATED.format(machine=backend), soft_wrap=True)
