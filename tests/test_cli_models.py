"""``rapid-ising train --model``: every machine, and how hidden spins are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app

PATTERNS = ["--patterns", "3", "--biases"]


@pytest.mark.parametrize(
    ("name", "options", "config"),
    [
        ("rbm", ["--hidden", "5"], {"n_hidden": 5}),
        ("pattern-rbm", PATTERNS, {"n_hidden": 100, "n_patterns": 3, "biases": True}),
        ("boltzmann-machine", [], {"graph": 16, "n_visible": 16}),
        ("boltzmann-machine", ["--hidden", "3"], {"graph": 19, "n_visible": 16}),
        ("pattern-boltzmann-machine", PATTERNS, {"n_spins": 16, "n_visible": 16, "n_patterns": 3}),
        ("deep-boltzmann-machine", ["--hidden", "6, 4"], {"sizes": [16, 6, 4]}),
        ("pattern-rbm", ["--free-biases", "--from-data"], {"biases": "free"}),
        ("pattern-deep-boltzmann-machine", PATTERNS, {"sizes": [16, 64, 32], "biases": True}),
    ],
)
def test_each_machine_is_trained_and_written(
    name: str, options: list[str], config: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "model.safetensors"
    arguments = ["train", "--model", name, *options, "--epochs", "2", "--out", str(out), "--quiet", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["model"]["kind"] == name
    assert config.items() <= facts["model"].items()
    assert ri.load_model(out).name == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "deep-boltzmann-machine", "--hidden", "6,"], "the spins of each layer"),
        (["--model", "deep-boltzmann-machine", "--hidden", "0"], "each of sizes must be"),
        (["--model", "rbm", "--hidden", "6,4"], "a number of spins"),
        (["--hidden", "six"], "--hidden six must be a number of spins"),
        (["--model", "boltzmann-machine", "--patterns", "3"], "leave it out"),
        (["--model", "rbm", "--free-biases"], "--free-biases is for pattern-rbm"),
        (["--from-data", "--recipe", "paper"], "makes patterns their signs"),
        (["--model", "boltzmann-machine", "--from-data"], "has no start at the data"),
    ],
)
def test_what_does_not_fit_is_refused(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["train", *options])
    assert result.exit_code == 2
    assert message in result.stderr
