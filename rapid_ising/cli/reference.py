"""The commands and their options as Markdown, for docs/command-line.md, from what their helps are made of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from rapid_ising.cli.app import app
from rapid_ising.cli.pages import with_part

BEGIN = "<!-- commands: begin, written by `make options-page` -->"
END = "<!-- commands: end -->"
COMMON = ("--help", "--json", "--verbose")
"""Options of every command."""


def commands() -> dict[str, Any]:
    """Return every command by the words that call it.

    >>> {"train", "jobs list"} <= set(commands())
    True
    """
    return dict(_leaves(typer.main.get_command(app)))


def _leaves(group: Any, *words: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, *words, name)
        else:
            yield " ".join([*words, name]), command


def markdown() -> str:
    """Return a section for each command: what it is for, its examples and its options."""
    return "\n\n".join(_section(name, command) for name, command in commands().items())


def _section(name: str, command: Any) -> str:
    paragraphs = [
        f"```\n{text}\n```" if text.startswith("rapid-ising ") else text.replace("<", "&lt;")
        for text in command.help.split("\n\n")
    ]
    rows = [_row(parameter) for parameter in command.params if not {*COMMON} & {*parameter.opts}]
    table = "\n".join(["| | meaning | left out |", "|---|---|---|", *rows])
    return "\n\n".join([f"### `{name}`", *paragraphs, table])


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        told = f"`{parameter.metavar}`"
    else:
        value = "" if parameter.is_flag else f" {parameter.metavar}"
        told = f"`{', '.join(parameter.opts)}{value}`"
    default = parameter.default
    shown = "" if default is None or default is False or default == "" else f"`{default}`"
    if parameter.required:
        shown = "required"
    cells = [cell.replace("|", "\\|") for cell in (told, parameter.help, shown)]
    return f"| {' | '.join(cells)} |"


def with_commands(text: str) -> str:
    """Return a page with the commands put between its markers."""
    return with_part(text, BEGIN, END, markdown())


def main(arguments: list[str]) -> None:
    """Rewrite the commands in each of the given pages."""
    for page in map(Path, arguments):
        page.write_text(with_commands(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
