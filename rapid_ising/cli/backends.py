"""``rapid-ising backends``: the machines and what each can do."""

from __future__ import annotations

import inspect
import itertools
from typing import Annotated

import typer

from rapid_ising.cli.console import results, write_json


def backends(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show only this machine, with its options.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
) -> None:
    """List the machines that can draw samples, and what each can do."""
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
        write_json({"backends": facts, "problems": table.problems})
        return
    console = results()
    view = Table(*table.columns, box=box.SIMPLE_HEAD, padding=0)
    for row in table.rows:
        view.add_row(*row)
    if console.measure(view, options=console.options.update(width=10_000)).maximum <= console.width:
        console.print(view)
    else:
        for row in table.rows:
            pairs = zip(table.columns[1:], row[1:], strict=True)
            console.print(f"[bold]{row[0]}[/]\n  {', '.join(f'{what} {fact}' for what, fact in pairs)}")
    for machine, problem in table.problems.items():
        console.print(f"{machine}: {problem}", markup=False, soft_wrap=True)
    console.print("rapid-ising backends NAME shows one machine with its options.")


def _show_one(name: str, as_json: bool) -> None:
    from rich import box
    from rich.table import Table

    from rapid_ising.registry import backend_options, load_backend

    machine = load_backend(name)
    kind = type(machine)
    facts = machine.published.row()
    options = {key: getattr(machine, key) for key in backend_options(kind)}
    if as_json:
        write_json({"backend": name, "capabilities": facts, "options": options})
        return
    described = parameters(inspect.getdoc(kind) or "")
    can = Table("what", "it can do", title=name, box=box.SIMPLE_HEAD)
    for what, value in facts.items():
        can.add_row(what, value)
    console = results()
    console.print(can)
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
