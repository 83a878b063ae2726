"""The table of machines and what each can do, for ``rapid-ising backends`` and for backends/README.md."""

from __future__ import annotations

import dataclasses
import importlib.metadata as metadata
import sys
from collections.abc import Iterable
from pathlib import Path

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import InvalidDataError, RapidIsingError
from rapid_ising.registry import GROUP, available_backends, load_backend

BEGIN = "<!-- machines: begin, written by `make backends-table` -->"
END = "<!-- machines: end -->"


@dataclasses.dataclass(frozen=True, slots=True)
class CapabilityTable:
    """The table of machines, as text."""

    columns: list[str]
    """The headings; the first is the machine's name."""
    rows: list[list[str]]
    """One row a machine that could be loaded, sorted by name, as many cells as there are columns."""
    problems: dict[str, str]
    """Why each other machine could not be loaded, by name: the message of its error."""


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
    for name in sorted(available_backends() if names is None else names):
        try:
            facts = load_backend(name).published.row()
        except RapidIsingError as error:
            problems[name] = str(error)
        else:
            rows.append([name, *facts.values()])
    return CapabilityTable(["backend", *Capabilities().row()], rows, problems)


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
        If the text does not have each marker once, the first one first.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise InvalidDataError(
            f"a page with the table of machines needs one line {BEGIN!r}, then one {END!r}"
        )
    return f"{before}{BEGIN}\n\n{markdown_table()}\n\n{END}{after}"


def main(arguments: list[str]) -> None:
    """Rewrite the table in each of the given pages."""
    for page in map(Path, arguments):
        page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
