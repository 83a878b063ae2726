"""Each benchmark runs, on a small size: whether it works, not how fast anything is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_it_runs_and_prints_a_ratio_a_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path))["main"](40, 5)
    head, limit, *rows = capsys.readouterr().out.splitlines()
    assert "40 spins" in head
    assert " ms" in limit
    assert rows
    assert all(" x " in row for row in rows)
