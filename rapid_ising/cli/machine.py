"""The machine of a command, with what may be around it: an emulator, a journal, a budget, refinement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli.options import KEEPING, MACHINE, chosen_backend, key_value, output_file, shown_key
from rapid_ising.errors import InvalidParameterError

if TYPE_CHECKING:
    from rapid_ising.backend import Backend

EMULATED = "emulated: the samples are of a digital twin of {machine}, not of the machine"
JOURNAL = ".jobs"
"""What a checkpoint's name is followed by in the name of its journal."""

Emulate = Annotated[
    bool,
    typer.Option(
        "--emulate",
        help="Rehearse with an emulator of the machine's service: no account, no bill, no machine.",
        rich_help_panel=MACHINE,
    ),
]
EmulatorOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--emulator-option",
        metavar="KEY=VALUE",
        help="An option of the emulator, such as faults=429:0.1; may be repeated.",
        rich_help_panel=MACHINE,
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Keep every job in this file, so that none is lost or sent twice. Left out, CHECKPOINT.jobs for "
        "a hardware service with a checkpoint.",
        rich_help_panel=KEEPING,
    ),
]
BudgetText = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="NAME=NUMBER,...",
        help="Stop before more is asked of the machine: calls, reads, seconds of the machine, or money with "
        "the price of a second, such as calls=100,seconds=20. Needs a journal.",
        rich_help_panel=KEEPING,
    ),
]
SendAgain = Annotated[
    bool,
    typer.Option(
        "--send-again",
        help="On --resume, send a job again whose answer was lost with a service that keeps none; it may be "
        "billed twice.",
        rich_help_panel=KEEPING,
    ),
]


@contextlib.contextmanager
def machine_for(
    name: str | None,
    options: list[str] | None,
    *,
    emulate: bool = False,
    emulator: list[str] | None = None,
    journal: Path | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    budget: str | None = None,
    again: bool = False,
    others: Sequence[Path | None] = (),
) -> Iterator[Backend | None]:
    """Yield the machine that a command names, None where it names none, for as long as the block lasts.

    ``others`` are the files of the command that the journal may not be.
    """
    with contextlib.ExitStack() as held:
        if emulate:
            if name is None:
                raise InvalidParameterError("--emulate needs the machine to emulate: give --backend NAME")
            from rapid_ising.emulation import emulated
            from rapid_ising.registry import load_backend

            given: dict[str, Any] = dict(key_value(text) for text in options or [])
            service = held.enter_context(emulated(name, **dict(key_value(text) for text in emulator or [])))
            given |= {"url": service.url, "token": service.token}
            machine: Backend | None = load_backend(name, **given)
        elif emulator:
            raise InvalidParameterError(f"--emulator-option {shown_key(emulator[0])} needs --emulate")
        else:
            machine = chosen_backend(name, options)
        if machine is None:
            for option, value in (("--journal", journal), ("--budget", budget)):
                if value is not None:
                    raise InvalidParameterError(f"{option} is about a machine: give --backend NAME")
            yield None
            return
        if journal is None and checkpoint is not None and machine.capabilities.remote:
            journal = checkpoint.with_name(checkpoint.name + JOURNAL)
        if journal is None:
            if budget is not None:
                raise InvalidParameterError(
                    "--budget counts what is in a journal: give --journal FILE, or --checkpoint FILE"
                )
            yield machine
            return
        from rapid_ising.jobs.budget import parsed
        from rapid_ising.machine import Journaled

        limits = None if budget is None else parsed(budget)
        place = output_file(journal, checkpoint, *others)
        kept = Journaled(machine, place, resume=resume, again=again, budget=limits)
        held.callback(kept.close)
        yield kept
