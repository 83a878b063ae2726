"""docs/hardware.md: every service is there, and its commands run, rehearsed with emulators."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app
from rapid_ising.emulation import emulators

PAGE = (Path(__file__).parents[1] / "docs" / "hardware.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"`(rapid-ising train [^`]*)`", PAGE)
SHORT = ["--hidden", "3", "--patterns", "2", "--epochs", "1", "--reads", "4"]


def sections() -> dict[str, str]:
    return dict(re.findall(r"^### `([\w-]+)`: .*?\n(.*?)(?=^##)", PAGE + "\n## ", re.M | re.S))


def test_every_service_has_its_section() -> None:
    remote = {name for name in ri.available_backends() if "remote" in facts(name)}
    assert set(sections()) == remote


def facts(name: str) -> str:
    return ri.load_backend(name).capabilities.row()["where"]


@pytest.mark.parametrize("name", sorted(sections()))
def test_what_it_needs_is_what_the_adapter_asks_for(name: str) -> None:
    text = sections()[name]
    for told in ("Run", "Account", "Cost", "Limits"):
        assert told in text or name in ("leap-hybrid", "dirac-3")
    assert "contract-tested, not yet run on" in re.sub(r"\s+", " ", PAGE.replace("*", ""))


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: shlex.split(command)[5])
def test_its_commands_run_on_an_emulator(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Of an option that is given twice, the last counts.
    result = CliRunner().invoke(app, [*shlex.split(command)[1:], *SHORT, "--emulate"])
    assert result.exit_code == 0, result.output
    assert "emulated" in result.output


def test_the_machines_with_an_emulator_are_those_with_a_command() -> None:
    named = {shlex.split(command)[5] for command in COMMANDS}
    assert named == set(emulators()) - {"dirac-3"}


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
def test_its_blocks_of_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        line for block in re.findall(r"^```\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()
    ]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)[1:]
        words += ["--epochs", "2"] if words[0] == "train" else []
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}: {result.output}"
