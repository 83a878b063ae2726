"""docs/command-line.md: its options are the code's, and its blocks run in order in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rapid_ising.cli.app import app
from rapid_ising.cli.options import STATUSES
from rapid_ising.cli.reference import BEGIN, commands, with_commands

PAGE = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text(encoding="utf-8")
OWN = PAGE.partition(BEGIN)[0]
"""What is written by hand."""


def test_its_commands_and_options_are_those_of_the_code() -> None:
    assert with_commands(PAGE) == PAGE, "run `make options-page`"
    assert re.findall(r"^### `(.*)`$", PAGE, re.M) == list(commands())


def test_its_statuses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", OWN, re.M)
    assert {int(number): what.replace("`", "") for number, what in rows} == STATUSES


def test_its_blocks_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    ran = 0
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", OWN, re.M | re.S):
        if language == "python":
            exec(compile(text, "docs/command-line.md", "exec"), names)
            continue
        for line in text.splitlines():
            words = shlex.split(line.partition(">")[0], comments=True)[1:]
            if "--install-completion" in words:
                # It would write into somebody's home.
                continue
            words += {"train": ["--epochs", "2", "--hidden", "6"], "doctor": ["--no-tests"]}.get(words[0], [])
            monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
            result = CliRunner().invoke(app, words, prog_name="rapid-ising")
            assert result.exit_code == 0, f"{line}: {result.output}"
            ran += 1
    assert ran == 12
    assert names["facts"]["status"]["state"] == "ready"
