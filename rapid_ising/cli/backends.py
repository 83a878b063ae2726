"""``rapid-ising backends``: the machines and what each can do."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from typing import TYPE_CHECKING, Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.options import Json
from rapid_ising.errors import RapidIsingError

if TYPE_CHECKING:
    from rapid_ising.cli.machines import Status


def backends(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show only this machine, with its options.",
            autocompletion=names.backends,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the machines that draw samples: ready or what is missing, and what each can do.

    Nothing is sent to any of them, and no token is shown. For example, all of them, one with its options,
    and all for a program:

      rapid-ising backends
      rapid-ising backends simulated-annealing
      rapid-ising backends --json
    """
    if name is not None:
        _show_one(name, as_json)
    else:
        _show_all(as_json)


def _show_all(as_json: bool) -> None:
    from rich import box
    from rich.table import Table

    from rapid_ising.cli.machines import capability_table

    table = capability_table()
    if as_json:
        facts = {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}
        statuses = {name: dataclasses.asdict(status) for name, status in table.statuses.items()}
        write_json({"backends": facts, "problems": table.problems, "status": statuses})
        return
    console = results()
    view = Table("backend", "status", *table.columns[1:], box=box.SIMPLE_HEAD, padding=0)
    for name, *cells in table.rows:
        view.add_row(name, _state(table.statuses[name]), *cells)
    if console.measure(view, options=console.options.update(width=10_000)).maximum <= console.width:
        console.print(view)
    else:
        for row in table.rows:
            pairs = zip(table.columns[1:], row[1:], strict=True)
            console.print(
                f"[bold]{row[0]}[/]: {_state(table.statuses[row[0]])}\n"
                f"  {', '.join(f'{what} {fact}' for what, fact in pairs)}"
            )
    for status in table.statuses.values():
        if status.cure:
            console.print(f"{status.state}: {status.cure}", markup=False, soft_wrap=True)
    console.print("rapid-ising backends NAME shows one machine with its options.")


def _state(status: Status) -> str:
    colour = {"ready": "green", "broken": "red"}.get(status.state, "yellow")
    return f"[{colour}]{status.state}[/]"


def _show_one(name: str, as_json: bool) -> None:
    from rich import box
    from rich.table import Table

    from rapid_ising.cli.machines import status_of
    from rapid_ising.registry import backend_options

    status, machine = status_of(name)
    if machine is None:
        raise RapidIsingError(status.cure)
    kind = type(machine)
    facts = machine.published.row()
    options = {key: getattr(machine, key) for key in backend_options(kind)}
    if as_json:
        write_json(
            {
                "backend": name,
                "status": dataclasses.asdict(status),
                "capabilities": facts,
                "options": options,
            }
        )
        return
    described = parameters(inspect.getdoc(kind) or "")
    can = Table("what", "it can do", title=name, box=box.SIMPLE_HEAD)
    for what, value in facts.items():
        can.add_row(what, value)
    console = results()
    console.print(can)
    console.print(status.cure or f"{name} is ready.", markup=False, soft_wrap=True)
    if not options:
        console.print("It has no options.")
        return
    takes = Table("option", "default", "meaning", title="--backend-option OPTION=VALUE", box=box.SIMPLE_HEAD)
    for key, value in options.items():
        takes.add_row(key, str(value), described.get(key, ""))
    console.print(takes)


def parameters(docstring: str) -> dict[str, str]:
    r"""Return what a docstring's Parameters section says of each parameter.

    >>> parameters("Parameters\n----------\nhot, cold\n    The two\n    ends.\n\nNotes\n-----\nNone")
    {'hot': 'The two ends.', 'cold': 'The two ends.'}
    """
    _, _, section = docstring.partition("Parameters\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line, following in itertools.pairwise([*section.splitlines(), ""]):
        if following.startswith("---"):
            break
        if line.startswith("    "):
            found.update({name: f"{found[name]} {line.strip()}".strip() for name in names})
        elif line:
            names = line.split(", ")
            found.update(dict.fromkeys(names, ""))
    return found
