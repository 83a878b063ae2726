"""A report as Markdown, its pictures in files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapid_ising.report.page import Element, Heading, Picture, Table, Text

SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(elements: Iterable[Element], pictures: str = "pictures") -> str:
    """Return the Markdown of a page whose pictures are files in the folder ``pictures``.

    >>> print(markdown([Heading("A page", 1), Table(["n", "E"], [["1", "-2"]]), Text("The end.")]))
    # A page
    <BLANKLINE>
    | n | E |
    |--:|--:|
    | 1 | -2 |
    <BLANKLINE>
    The end.
    <BLANKLINE>
    """
    return "\n\n".join(_block(element, pictures) for element in elements) + "\n"


def _block(element: Element, pictures: str) -> str:
    if isinstance(element, Heading):
        return f"{'#' * element.level} {_escaped(element.text)}"
    if isinstance(element, Text):
        return _escaped(element.text)
    if isinstance(element, Picture):
        image = f"![{_escaped(element.alt)}]({pictures}/{element.name}.{element.kind})"
        return f"{image}\n\n{_escaped(element.caption)}" if element.caption else image
    return _table(element)


def _table(table: Table) -> str:
    lines = [_row(table.columns), "|" + "|".join("--:" if right else "---" for right in table.numeric) + "|"]
    lines += [_row(row) for row in table.rows]
    body = "\n".join(lines)
    return f"{_escaped(table.caption)}\n\n{body}" if table.caption else body


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Return text whose special characters are plain, but for code between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return SPECIAL.sub(r"\\\1", text)
    parts[::2] = [SPECIAL.sub(r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
