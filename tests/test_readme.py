"""What README shows must run, and what it claims must hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    fences = re.findall(
        r"^```(\w*)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [text for named, text in fences if named == language]


def test_python_examples_run_in_order(capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert "Evaluation(" in capsys.readouterr().out
    assert names["samples"].shape == (64, 16)


def test_commands_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    shown = re.findall(r"^make ([a-z-]+)", "\n".join(blocks("")), re.MULTILINE)
    assert shown == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in shown)


def test_commands_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for line in "\n".join(blocks("")).splitlines() if line.startswith("rapid-ising ")]
    assert len(lines) > 4
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_table_names_every_machine() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ri.available_backends())


def test_default_recipe_recalls_and_explains_better_than_the_papers() -> None:
    data = ri.datasets.stripes(4)
    found = {}
    for recipe in ("default", "paper"):
        model = ri.PatternRBM(16, 1000, 8, seed=0)
        ri.train(model, data.train, recipe=recipe, seed=0, progress=False)
        found[recipe] = ri.evaluate(model, data, tries=10, likelihood_beta=1 / model.temperature)
    assert found["default"].hamming_train < 0.01
    assert (found["default"].hamming_test or 0) < 0.01
    default, paper = found["default"].log_likelihood_train, found["paper"].log_likelihood_train
    assert default is not None
    assert paper is not None
    assert default > paper + 200
