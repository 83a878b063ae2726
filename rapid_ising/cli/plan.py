"""``rapid-ising plan``: what would be sent to a machine, before anything is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.machine import EMULATED, Emulate, EmulatorOptions, machine_for
from rapid_ising.cli.options import BackendOptions, Beta, model_of


def plan(
    model: Annotated[Path, typer.Option(metavar="FILE", help="A model that rapid-ising train wrote.")],
    backend: Annotated[str, typer.Option(metavar="NAME", help="The machine; see: rapid-ising backends")],
    backend_option: BackendOptions = None,
    reads: Annotated[int, typer.Option(help="How many reads are wanted.")] = 100,
    beta: Beta = 1.0,
    gauges: Annotated[
        int | None, typer.Option(help="Split the reads over so many random gauges; left out, as suits.")
    ] = None,
    tiled: Annotated[
        bool, typer.Option("--tiled", help="Read as many copies of the model at once as the machine holds.")
    ] = False,
    refine: Annotated[int, typer.Option(help="Gibbs sweeps from the machine's states.")] = 0,
    strict: Annotated[
        float | None, typer.Option(help="Refuse a relative error of rounding above this.")
    ] = None,
    emulate: Emulate = False,
    emulator_option: EmulatorOptions = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
) -> None:
    """Show how a model would be put on a machine: stages, factors, errors, calls, reads and machine time.

    Nothing is sent.
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
