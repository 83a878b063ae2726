"""What every command has: a help whose examples run, completion, JSON on stdout, and an exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner, Result

import rapid_ising as ri
from rapid_ising.cli import names, options
from rapid_ising.cli.app import app
from rapid_ising.datasets.catalogue import BY_SIDE, OF_FILES
from rapid_ising.errors import BudgetExceededError, IncompleteError
from rapid_ising.models import MODELS
from rapid_ising.reproduction.catalogue import OTHER, STUDIES
from rapid_ising.training.negative_phase import NEGATIVE_PHASES
from rapid_ising.training.recipes import RECIPES

SMALL = {
    "train": "--hidden 6 --epochs 2",
    "sample": "--reads 20",
    "doctor": "--no-tests",
    # Ends when its standard input does, here at once.
    "emulate": "--attached",
}
"""What the examples of a command run with, here; of an option that is given twice, the last counts."""


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(typer.main.get_command(app)))


def run(line: str, **options: Any) -> Result:
    return CliRunner().invoke(app, shlex.split(line), **options)


def examples() -> list[str]:
    """The examples of all commands, train's first: others take its model and its journal."""
    return [
        line.removeprefix("rapid-ising ")
        for command in COMMANDS.values()
        for line in command.help.splitlines()
        if line.startswith("rapid-ising ")
    ]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with somebody's images and a journal, where the examples run in order."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", 2 * rng.integers(2, size=(10, 9)) - 1)
    out = f"--journal {folder / 'run.state.jobs'} --out {folder / 'model.safetensors'}"
    result = run(f"train --backend gibbs --epochs 1 --hidden 4 --quiet {out}")
    assert result.exit_code == 0, result.output
    return folder


class TestHelp:
    @pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
    def test_each_command_says_what_it_is_for_and_has_an_example_and_groups(
        self, path: tuple[str, ...]
    ) -> None:
        shown = run(f"{' '.join(path)} --help", env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).stdout
        first, *_ = COMMANDS[path].help.split("\n\n")
        assert first.endswith(".")
        told = [line for line in COMMANDS[path].help.splitlines() if line.startswith("rapid-ising ")]
        assert told
        assert all(line.startswith(f"rapid-ising {' '.join(path)}") for line in told)
        # Each in one line of a terminal of 80 columns, to be copied.
        for line in told:
            assert line in [text.strip() for text in shown.splitlines()]
        own = [
            p.name
            for p in COMMANDS[path].params
            if p.param_type_name == "option" and getattr(p, "rich_help_panel", None) is None
        ]
        assert {*own} <= {"help", "port", "faults", "seed", "option", "attached"}

    @pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
    @pytest.mark.parametrize("line", examples())
    def test_each_example_runs(self, line: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(work)
        monkeypatch.setattr("rapid_ising.cli.demo.QUICK_EPOCHS", 2)
        # The whole paper takes half an hour: its cheapest study stands for all.
        line = line.replace("fig1a --smoke", "likelihood --smoke").replace("all --full", "likelihood --smoke")
        result = run(f"{line} {SMALL.get(line.split()[0], '')}")
        assert result.exit_code == 0, result.output

    def test_the_names_in_help_and_completion_are_those_of_the_code(self) -> None:
        assert [*names.DATASETS] == [*BY_SIDE, "digits", *OF_FILES]
        assert {*names.MODELS} == {*MODELS}
        assert {*names.NEGATIVE_PHASES} == {*NEGATIVE_PHASES}
        assert [*names.RECIPES] == [*RECIPES]
        assert {*names.STUDIES} == {*STUDIES} - {*OTHER}
        assert names.OTHER_STUDIES == OTHER


def completed(words: str, shell: str = "bash") -> list[str]:
    """What a shell is offered for the last word, by the protocol of its completion."""
    asked = {
        "bash": {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": words},
        "fish": {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment = {"_RAPID_ISING_COMPLETE": f"complete_{shell}", **asked}
    result = CliRunner().invoke(app, [], env=environment, prog_name="rapid-ising")
    return result.stdout.rstrip().split("\n")


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "offered"),
        [
            ("rapid-ising rec", ["reconstruct"]),
            ("rapid-ising jobs ex", ["export"]),
            ("rapid-ising train --nega", ["--negative-phase"]),
            ("rapid-ising train --backend simulated-a", ["simulated-annealing"]),
            ("rapid-ising backends twin-p", ["twin-photonic"]),
            ("rapid-ising doctor exact gib", ["gibbs"]),
            ("rapid-ising train --dataset ba", ["bars-and-stripes"]),
            ("rapid-ising train --model deep", ["deep-boltzmann-machine"]),
            ("rapid-ising train --negative-phase p", ["patterns", "pcd", "parallel-tempering"]),
            ("rapid-ising train --recipe re", ["recall"]),
            ("rapid-ising train --backend gibbs --backend-option b", ["burn_in="]),
            ("rapid-ising train --backend-option b", [""]),
            ("rapid-ising reproduce neg", ["negative-phases"]),
        ],
    )
    def test_names_are_completed(self, words: str, offered: list[str]) -> None:
        assert completed(words) == offered

    def test_zsh_and_fish_are_told_what_the_names_mean(self) -> None:
        told = names.RECIPES["recall"]
        assert completed("rapid-ising train --recipe rec", "fish")[0] == f"recall\t{told}"
        assert f'"recall":"{told}"' in completed("rapid-ising train --recipe rec", "zsh")[0]

    def test_it_loads_nothing_slow(self) -> None:
        code = (
            "import atexit, sys; "
            "atexit.register(lambda: print(*sorted({'numpy', 'dimod', 'rich.table'} & set(sys.modules)))); "
            "sys.argv[0] = 'rapid-ising'; from rapid_ising.cli.app import main; main()"
        )
        asked = {"COMP_WORDS": "rapid-ising train --backend gi", "COMP_CWORD": "3"}
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "_RAPID_ISING_COMPLETE": "complete_bash", **asked},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.split() == ["gibbs"]

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_script_of_each_shell_is_shown(self, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
        result = CliRunner().invoke(app, ["--show-completion"], prog_name="rapid-ising")
        assert result.exit_code == 0
        assert f"_RAPID_ISING_COMPLETE=complete_{shell}" in result.stdout


LINES: dict[str, str] = {
    "train": "--epochs 1 --hidden 4 --out other.safetensors",
    "sample": "model.safetensors --reads 5 --backend exact",
    "reconstruct": "model.safetensors",
    "plan": "--model model.safetensors --backend twin-digital-annealer",
    "backends": "exact",
    "doctor": "exact",
    "emulate": "cim --attached",
    "demo": "--quick --out pictures",
    "reproduce": "likelihood --smoke",
    "report": "other.safetensors",
    "jobs list": "run.state.jobs",
    "jobs show": "run.state.jobs 1",
    "jobs resume": "run.state.jobs",
    "jobs cancel": "run.state.jobs",
    "jobs export": "run.state.jobs --out samples.json",
}
"""Small command lines that succeed, of every command."""


class TestJson:
    @pytest.mark.parametrize("name", [" ".join(path) for path in COMMANDS])
    def test_stdout_is_one_json_object(self, name: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(work)
        monkeypatch.setattr("rapid_ising.cli.demo.QUICK_EPOCHS", 2)
        assert {"--json"} <= {o for p in COMMANDS[tuple(name.split())].params for o in p.opts}
        result = run(f"{name} {LINES[name]} --json")
        assert result.exit_code == 0, result.output
        assert isinstance(json.loads(result.stdout), dict)

    def test_files_that_were_written_are_named(self, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(work)
        facts = json.loads(run("jobs export run.state.jobs --out s.json --json").stdout)
        assert Path(facts["out"]).is_file()
        assert facts["jobs"]


class TestStatus:
    def test_the_help_has_every_status(self) -> None:
        shown = " ".join(run("--help", env={"COLUMNS": "200"}).stdout.split())
        for number, what in options.STATUSES.items():
            assert f"{number} {what}" in shown

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (None, 0),
            (ri.errors.BackendError("it broke"), options.ERROR),
            (OSError("no room"), options.ERROR),
            (BudgetExceededError("too much"), options.OVER_BUDGET),
            (KeyboardInterrupt(), options.INTERRUPTED),
        ],
    )
    def test_each_end_has_its_own(
        self, error: BaseException | None, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def statuses(*given: Any, **options: Any) -> Any:
            if error is not None:
                raise error

        monkeypatch.setattr("rapid_ising.cli.backends._show_all", statuses)
        assert run("backends").exit_code == status

    def test_a_call_of_several_that_was_over_the_budget_counts_as_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*given: Any) -> None:
            raise IncompleteError("1 of 2 calls arrived") from BudgetExceededError("too much")

        monkeypatch.setattr("rapid_ising.cli.backends._show_all", fail)
        assert run("backends").exit_code == options.OVER_BUDGET

    def test_verbose_shows_the_log_of_the_library_on_stderr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import logging

        before = [*logging.getLogger("rapid_ising").handlers]
        monkeypatch.setattr(
            "rapid_ising.cli.backends._show_all",
            lambda as_json: logging.getLogger("rapid_ising.machine").info("looked at machines"),
        )
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d rapid_ising\.machine: looked at machines\n", run("backends -v").stderr
        )
        assert run("backends").stderr == ""
        assert logging.getLogger("rapid_ising").handlers == before

    def test_verbose_lines_go_where_stderr_goes_at_the_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a bar takes it, which puts lines above itself."""
        import contextlib
        import io
        import logging

        bar = io.StringIO()

        def log(as_json: bool) -> None:
            with contextlib.redirect_stderr(bar):
                logging.getLogger("rapid_ising.machine").info("inside")
            logging.getLogger("rapid_ising.machine").info("after")

        monkeypatch.setattr("rapid_ising.cli.backends._show_all", log)
        assert "inside" not in run("backends -v").stderr
        assert bar.getvalue().endswith("rapid_ising.machine: inside\n")
