"""The demo, as a newcomer runs it."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import matplotlib.image
import pytest
from typer.testing import CliRunner

from rapid_ising.cli.app import app
from rapid_ising.cli.demo import EXPERIMENTS, QUICK_EPOCHS


def test_the_quick_demo_prints_one_table_and_writes_one_picture(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--quick", "--out", str(tmp_path / "new" / "folder")])
    assert result.exit_code == 0, result.output
    numbers = r"(\d\.\d{3}) +(\d\.\d{3}) +(-\d+\.\d{3})"
    table = re.findall(
        rf"(RAPID|samples) +(\S+) +{QUICK_EPOCHS} +\d+\.\d\d +train +{numbers}\s+held out +{numbers}",
        result.stdout,
    )
    assert [row[:2] for row in table] == [
        ("RAPID", "-"),
        ("samples", "simulated-annealing"),
        ("samples", "exact"),
    ]
    for _, _, *texts in table:
        train, cold_train, log_train, test, cold_test, log_test = map(float, texts)
        assert max(train, test) < 0.45
        assert max(cold_train, cold_test) < 0.2
        # The images are learned when they are likelier than under the uniform law.
        assert -16 * math.log(2) < min(log_train, log_test)

    (picture,) = (tmp_path / "new" / "folder").iterdir()
    assert f"picture: {picture}" in result.stdout
    pixels = matplotlib.image.imread(picture)
    assert pixels.shape[0] > 1000
    assert pixels.shape[1] == 1650
    assert pixels[..., :3].std() > 0.05


def test_the_three_trainings_differ_in_the_machine_alone() -> None:
    assert [backend for _, backend in EXPERIMENTS] == [None, "simulated-annealing", "exact"]


def test_without_matplotlib_it_says_so_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr == (
        "error: pictures need matplotlib, not installed here: pip install 'rapid-ising[plot]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/folder"):
        result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / place)])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: cannot ")
        assert result.stderr.count("\n") == 1
