"""Each example runs, is short, and prints what it promises."""

from __future__ import annotations

import ast
import importlib.util
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
SAYS = {
    "01_train_and_reconstruct": "zero_temperature_test      0.000",
    "02_swap_the_machine": "the model's patterns",
    "03_any_dimod_sampler": "asked with: {'num_reads': 200, 'beta': 2.0, 'seed': 0}",
    "04_write_your_own_backend": "0.000 of held-out pixels wrong",
    "05_checkpoints_and_resume": "the same bits: True",
    "06_other_machines": "zero temperature: 0.000 (training)",
    "07_a_machine_of_its_own_temperature": "['gauged', 'calibrated']",
    "08_scikit_learn": "samples hold [0 1]",
    "09_autoencoder_prior": "nine of ten images from the prior are valid: True",
}
ELSEWHERE = {"torch"}
"""What examples may import that the environment of the tests lacks: make test-torch runs those."""


def test_there_are_all_of_them() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(SAYS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = {
        alias.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for name in imported & ELSEWHERE:
        if not importlib.util.find_spec(name):
            pytest.skip(f"{name} is not installed: make test-torch")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert SAYS[path.stem] in capsys.readouterr().out
    assert not any(tmp_path.iterdir())
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
