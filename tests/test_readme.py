"""What README shows must run, and what it claims must hold."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest

import rapid_ising as ri

README = Path(__file__).parent.parent / "README.md"


def test_what_it_shows_runs_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = pages.run(README, tmp_path, monkeypatch)
    assert "Evaluation(" in ran.printed
    assert ran.names["samples"].shape == (64, 16)
    assert len(ran.commands) > 4


def test_commands_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(block.text for block in pages.blocks(README) if block.language == "")
    shown = re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    assert shown == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in shown)


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
