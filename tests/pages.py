"""What a page of Markdown shows, run as its reader would: Python and commands in order, in one empty folder.

A comment on the line before a fence, ``<!-- not run: it needs an account -->``, leaves it out and says why.
One near the top of a page, ``<!-- needs: torch -->``, names modules without which the page is not run, and
another, ``<!-- run by: tests/test_x.py -->``, the test that runs it in its own way. A fence of the language
``output`` is what the block before it prints, with ``...`` for what may differ.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from rapid_ising.cli.app import app

SHELLS = ("", "sh")
"""The languages of fences whose lines are commands."""
ALIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fence of a page: its language, its text, where that begins, and why it is not run."""

    language: str
    text: str
    line: int
    reason: str | None


class Ran(NamedTuple):
    """What is left of a page: the names of its Python, all that was printed, and the commands that ran."""

    names: dict[str, Any]
    printed: str
    commands: list[str]


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fences of a page, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    place = 0
    while place < len(lines):
        opened = re.fullmatch(r"( *)(```+)(\S*).*", lines[place])
        place += 1
        if opened:
            indent, fence, language = opened.groups()
            note = re.fullmatch(r" *<!-- not run: (.+) -->", lines[place - 2]) if place > 1 else None
            end = lines.index(indent + fence, place)
            text = "\n".join(line.removeprefix(indent) for line in lines[place:end])
            yield Block(language, text + "\n", place + 1, note and note[1])
            place = end + 1


def told(path: Path, word: str) -> list[str]:
    """Return what a comment of a page says, as in ``<!-- needs: torch, sklearn -->``."""
    found = re.search(rf"^<!-- {word}: (.+) -->$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [] if found is None else found[1].split(", ")


def commands(text: str, program: str) -> list[str]:
    """Return the commands of a block that call a program, lines that end in a backslash put together."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.startswith(program + " ")]


def run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Run a page in a folder; what is wrong is an error that names the page and the line."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    # What a page may write into the reader's own folders, such as a completion for the shell.
    monkeypatch.setenv("HOME", str(folder))
    # A module, as classes that a page defines look for theirs.
    page = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    ran = Ran(page.__dict__, "", [])
    printed = ""
    for block in blocks(path):
        if block.reason:
            continue
        if block.language == "output":
            same = doctest.OutputChecker().check_output(block.text, printed, ALIKE)
            assert same, f"{path}:{block.line} is not what is printed:\n{printed}"
        elif block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, page.__dict__)
            printed = out.getvalue()
            ran = ran._replace(printed=ran.printed + printed)
        elif block.language in SHELLS:
            for command in commands(block.text, "rapid-ising"):
                words, _, name = command.partition(" > ")
                result = CliRunner().invoke(app, shlex.split(words, comments=True)[1:])
                assert result.exit_code == 0, f"{path}:{block.line}: {command}: {result.output}"
                if name:
                    Path(name).write_text(result.stdout, encoding="utf-8")
                printed = result.output
                ran = ran._replace(printed=ran.printed + printed, commands=[*ran.commands, command])
    return ran
