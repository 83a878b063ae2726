"""``rapid-ising jobs``: what was sent to a machine, and what became of it."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli.command import add
from rapid_ising.cli.console import remarks, results, write_json
from rapid_ising.cli.options import FAILED, MACHINE, OUTPUT, Json, key_value, output_file
from rapid_ising.errors import CheckpointError, InvalidParameterError

if TYPE_CHECKING:
    from rapid_ising.jobs import Entry, Journal

jobs = typer.Typer(
    help="List, show, fetch, cancel or export the jobs in a journal, the file that --journal of rapid-ising "
    "train named, or CHECKPOINT.jobs."
)


JournalPath = Annotated[Path, typer.Argument(metavar="JOURNAL", help="The file that --journal named.")]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="NUMBER", help="The jobs; left out, all that it can be done to."),
]
MachineOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--backend-option",
        metavar="KEY=VALUE",
        help="Another value for an option of the machine; may be repeated.",
        rich_help_panel=MACHINE,
    ),
]


@jobs.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the commands where none was given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def list_jobs(journal: JournalPath, as_json: Json = False) -> None:
    """List all jobs of a journal: state, id at the machine, reads, and the machine's time in seconds.

    For example:

      rapid-ising jobs list run.state.jobs
    """
    from rapid_ising.jobs import Journal

    kept = Journal(journal, write=False)
    entries = kept.entries()
    if as_json:
        write_json({"jobs": [dataclasses.asdict(entry) for entry in entries]})
        return
    from rich import box
    from rich.table import Table

    view = Table(
        "job", "run", "machine", "state", "id", "spins", "reads", "beta", "sent", "s", box=box.SIMPLE_HEAD
    )
    for entry in entries:
        name, _ = kept.machine(entry.run)
        label = name if entry.emulated is None else f"{name} (emulated)"
        seconds = "-" if entry.machine_seconds is None else f"{entry.machine_seconds:.3g}"
        view.add_row(
            str(entry.number),
            str(entry.run),
            label,
            entry.state,
            entry.id or "-",
            str(entry.spins),
            str(entry.reads),
            f"{entry.beta:g}",
            _clock(entry.sent),
            seconds,
        )
    results().print(view)


def show(
    journal: JournalPath,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The job.")],
    as_json: Json = True,
) -> None:
    """Show everything that a journal holds of one job, as JSON.

    For example:

      rapid-ising jobs show run.state.jobs 1
    """
    from rapid_ising.jobs import Journal

    kept = Journal(journal, write=False)
    entry = kept.entry(number)
    name, options = kept.machine(entry.run)
    facts: dict[str, Any] = {"machine": name, "options": options, **dataclasses.asdict(entry)}
    if entry.state == "answered":
        answer = kept.answer(number)
        facts |= {"stages": answer["answer"]["stages"], "labels": answer["labels"]}
    write_json(facts)


def resume(
    journal: JournalPath,
    numbers: Numbers = None,
    backend_option: MachineOptions = None,
    as_json: Json = False,
) -> None:
    """Fetch the answers of jobs that are still with the machine; nothing is sent again.

    The exit status is 1 when a job is left without its answer. For example:

      rapid-ising jobs resume run.state.jobs
    """
    from rapid_ising.errors import BackendError
    from rapid_ising.jobs.fetching import fetch

    done: dict[str, str] = {}
    failed: dict[str, str] = {}
    options = dict(key_value(text) for text in backend_option or [])
    kept = _opened(journal)
    try:
        for entry in _chosen(kept, numbers, ("sent", "intended")):
            try:
                told = fetch(kept, entry, options)
            except BackendError as error:
                failed[str(entry.number)] = str(error)
                remarks().print(f"job {entry.number}: {error}", markup=False, soft_wrap=True)
            else:
                done[str(entry.number)] = told
                if not as_json:
                    results().print(f"job {entry.number}: {told}", markup=False, soft_wrap=True)
    finally:
        kept.close()
    if as_json:
        write_json({"fetched": done, "failed": failed})
    else:
        results().print(f"{len(done)} answers fetched, {len(failed)} jobs without one")
    if failed:
        raise typer.Exit(FAILED)


def cancel(
    journal: JournalPath,
    numbers: Numbers = None,
    backend_option: MachineOptions = None,
    as_json: Json = False,
) -> None:
    """Ask the machine to stop jobs that have no answer yet.

    For example:

      rapid-ising jobs cancel run.state.jobs
    """
    from rapid_ising.jobs.fetching import stop

    options = dict(key_value(text) for text in backend_option or [])
    kept = _opened(journal)
    found: dict[str, bool] = {}
    try:
        for entry in _chosen(kept, numbers, ("sent",)):
            stopped = found[str(entry.number)] = stop(kept, entry, options)
            told = "cancelled" if stopped else "not cancelled: the machine is done with it, or does not say"
            if not as_json:
                results().print(f"job {entry.number}: {told}")
    finally:
        kept.close()
    if as_json:
        write_json({"cancelled": found})


def export(
    journal: JournalPath,
    numbers: Numbers = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Where the samples go, as dimod writes them in JSON.",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("samples.json"),
    as_json: Json = False,
) -> None:
    """Write the samples of answered jobs to one JSON file; dimod.SampleSet.from_serializable reads each.

    For example:

      rapid-ising jobs export run.state.jobs --out samples.json
    """
    import json

    from rapid_ising.jobs import Journal
    from rapid_ising.jobs.fetching import samples
    from rapid_ising.storage import write_bytes

    output_file(out, journal)
    kept = Journal(journal, write=False)
    chosen = _chosen(kept, numbers, ("answered",))
    content = {str(entry.number): samples(kept, entry).to_serializable() for entry in chosen}
    write_bytes(out, json.dumps(content).encode())
    if as_json:
        write_json({"jobs": [entry.number for entry in chosen], "out": str(out)})
    else:
        results().print(f"the samples of {len(chosen)} jobs are in {out}", soft_wrap=True)


add(jobs, list_jobs, "list")
for command in (show, resume, cancel, export):
    add(jobs, command)


def _opened(path: Path) -> Journal:
    from rapid_ising.jobs import Journal

    if not path.is_file():
        raise CheckpointError(f"there is no journal {path}")
    return Journal(path)


def _chosen(journal: Journal, numbers: list[int] | None, states: tuple[str, ...]) -> list[Entry]:
    if not numbers:
        return journal.entries(*states)
    entries = [journal.entry(number) for number in numbers]
    for entry in entries:
        if entry.state not in states:
            raise InvalidParameterError(
                f"job {entry.number} is {entry.state}, and this is for jobs that are {' or '.join(states)}"
            )
    return entries


def _clock(moment: float | None) -> str:
    return "-" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
