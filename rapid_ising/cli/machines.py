"""The table of machines and what each can do, for ``rapid-ising backends`` and for backends/README.md."""

from __future__ import annotations

import dataclasses
import importlib.metadata as metadata
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.cli.pages import with_part
from rapid_ising.errors import (
    AuthenticationError,
    InvalidParameterError,
    MissingDependencyError,
    RapidIsingError,
)
from rapid_ising.registry import GROUP, available_backends, load_backend

BEGIN = "<!-- machines: begin, written by `make backends-table` -->"
END = "<!-- machines: end -->"


State = Literal["ready", "not installed", "not configured", "broken"]


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Whether a machine can be asked."""

    state: State
    cure: str = ""
    """What is missing, and what to do about it; never the value of a variable."""


def status_of(name: str) -> tuple[Status, Backend | None]:
    """Return whether a machine can be asked, and the machine where it could be loaded; sends nothing.

    >>> status_of("gibbs")[0].state
    'ready'
    """
    states: list[tuple[type[RapidIsingError], State]] = [
        (MissingDependencyError, "not installed"),
        # An option that it needs, or a token that can be none.
        (InvalidParameterError, "not configured"),
        (AuthenticationError, "not configured"),
        (RapidIsingError, "broken"),
    ]
    machine: Backend | None = None
    try:
        loaded = load_backend(name)
        # Its graph may need a package.
        _ = loaded.published.row()
        machine = loaded
        machine.require()
    except RapidIsingError as error:
        state = next(state for kind, state in states if isinstance(error, kind))
        return Status(state, str(error)), machine
    except Exception as error:  # noqa: BLE001 - a machine from elsewhere may raise anything
        cure = f"the code of backend {name!r} fails: {type(error).__name__}: {error}"
        return Status("broken", cure), machine
    return Status("ready"), machine


@dataclasses.dataclass(frozen=True, slots=True)
class CapabilityTable:
    """The table of machines, as text."""

    columns: list[str]
    """The headings; the first is the machine's name."""
    rows: list[list[str]]
    """One row a machine that could be loaded, sorted by name, as many cells as there are columns."""
    problems: dict[str, str]
    """Why each other machine could not be loaded, by name: the message of its error."""
    statuses: dict[str, Status]
    """Whether each machine can be asked, by name."""


def capability_table(names: Iterable[str] | None = None) -> CapabilityTable:
    """Load every machine, with its default options, and return what each can do.

    Parameters
    ----------
    names
        The machines to list; all that are installed when left out.

    Examples
    --------
    >>> table = capability_table(["exact", "gibbs"])
    >>> table.columns[:3], [row[:3] for row in table.rows]
    (['backend', 'spins', 'graph'], [['exact', 'any', 'complete'], ['gibbs', 'any', 'complete']])
    """
    rows: list[list[str]] = []
    problems: dict[str, str] = {}
    statuses: dict[str, Status] = {}
    for name in sorted(available_backends() if names is None else names):
        statuses[name], machine = status_of(name)
        if machine is None:
            problems[name] = statuses[name].cure
        else:
            rows.append([name, *machine.published.row().values()])
    return CapabilityTable(["backend", *Capabilities().row()], rows, problems, statuses)


def markdown_table() -> str:
    """Return the table of this distribution's own machines in Markdown, each linked to its file.

    Raises
    ------
    RapidIsingError
        If a machine cannot be loaded: the table of a half-installed environment would drop it.
    """
    own = metadata.distribution("rapid-ising").entry_points.select(group=GROUP)
    files = {entry.name: entry.module.replace(".", "/") + ".py" for entry in own}
    table = capability_table(files)
    for message in table.problems.values():
        raise RapidIsingError(message)
    lines = [table.columns, ["---"] * len(table.columns)]
    lines += [[f"[{name}]({files[name]})", *facts] for name, *facts in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_table(text: str) -> str:
    """Return ``text`` with the table of machines put between its two marker lines.

    Raises
    ------
    InvalidDataError
        As ``with_part`` does.
    """
    return with_part(text, BEGIN, END, markdown_table())


def main(arguments: list[str]) -> None:
    """Rewrite the table in each of the given pages."""
    for page in map(Path, arguments):
        page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
