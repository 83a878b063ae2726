"""``rapid-ising doctor``: whether everything here works, and what to do about what does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from rapid_ising.backend_names import available_backends
from rapid_ising.cli import names
from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.options import FAILED, MACHINE, Json
from rapid_ising.errors import UnknownBackendError


def doctor(
    machines: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="The machines to look at; all that are installed when left out.",
            autocompletion=names.backends,
        ),
    ] = None,
    no_tests: Annotated[
        bool,
        typer.Option("--no-tests", help="Draw no reads: only look.", rich_help_panel=MACHINE),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check that everything here works: versions, threads, compiled loops, folders, and each machine.

    Each machine that computes here draws some reads of a few spins, which are held to a sum over all states;
    a digital twin is tested as one, and nothing is said of the machine that it bears the name of. Services
    are asked nothing: only whether their token and address are set, whose values are not shown. It takes a
    few seconds.

    The exit status is 1 when something is broken. For example, all, and one machine:

      rapid-ising doctor
      rapid-ising doctor gibbs --json
    """
    from rapid_ising.cli import health
    from rapid_ising.progress import waiting
    from rapid_ising.provenance import versions

    known = available_backends()
    for name in machines or []:
        if name not in known:
            raise UnknownBackendError.among("backend", name, known)
    with waiting("looking at this computer"):
        found: dict[str, Any] = {
            "versions": versions(),
            "computer": health.computer(),
            "compiled loops": health.kernels(),
            "folders": health.folders(),
        }
    found["machines"] = _machines(machines or known, tests=not no_tests, named=bool(machines))
    problems = list(dict.fromkeys(_problems(found)))
    if as_json:
        write_json({"ok": not problems, "problems": problems, **found})
    else:
        _show(found, problems)
    if problems:
        raise typer.Exit(FAILED)


def _machines(wanted: list[str], *, tests: bool, named: bool) -> dict[str, dict[str, Any]]:
    from rapid_ising.cli.machines import status_of
    from rapid_ising.cli.self_check import checked
    from rapid_ising.progress import Bar

    found: dict[str, dict[str, Any]] = {}
    with Bar("machines", len(wanted), delay=0) as bar:
        for name in wanted:
            bar.advance(0, note=name)
            status, machine = status_of(name)
            facts: dict[str, Any] = {"state": status.state, "told": status.cure}
            # What was asked for by name is to work.
            if status.state == "broken" or (named and status.state != "ready"):
                facts["problem"] = f"{name}: {status.cure}"
            elif status.state == "ready" and machine is not None and machine.published.remote:
                facts["told"] = "token and address are set; it is asked nothing here"
            elif status.state == "ready" and machine is not None and tests:
                told = checked(machine)
                facts |= {"told": told.text, "passed": told.passed, "digital twin": told.twin}
                if not told.passed:
                    facts["problem"] = f"{name} fails its self-check: {told.text}"
            found[name] = facts
            bar.advance()
    return found


def _problems(found: Mapping[str, Any]) -> list[str]:
    """Return every "problem", however deep it lies."""
    problems = [str(found["problem"])] if "problem" in found else []
    for inner in found.values():
        if isinstance(inner, Mapping):
            problems += _problems(inner)
    return problems


def _show(found: Mapping[str, Any], problems: list[str]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    console = results()
    rows = dict(found["versions"])
    for part in ("computer", "compiled loops"):
        rows |= {key: value for key, value in found[part].items() if key != "problem"}
    for name, facts in found["folders"].items():
        free = f" ({facts['free, GB']} GB free)" if "free, GB" in facts else ""
        rows[f"folder: {name}"] = f"{facts['path']}{free}"
    view = Table(show_header=False, box=box.SIMPLE_HEAD, padding=(0, 1))
    for key, value in rows.items():
        view.add_row(key, escape(str(value)))
    console.print(view)
    table = Table("machine", "state", "what was seen", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name, facts in found["machines"].items():
        state = {True: "[green]works[/]", False: "[red]fails[/]"}.get(facts.get("passed"), facts["state"])
        twin = " (digital twin)" if facts.get("digital twin") else ""
        table.add_row(f"{name}{twin}", state, escape(facts["told"]))
    console.print(table)
    for problem in problems:
        console.print(f"[red]problem:[/] {escape(problem)}", soft_wrap=True)
    if not problems:
        console.print("Nothing is broken.")
