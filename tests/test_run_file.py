"""A run in a file: what comes back, and which files are none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising import storage
from rapid_ising.errors import CheckpointError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ri.TrainingRun:
    data = ri.datasets.stripes(3)
    return ri.train(
        ri.PatternRBM(9, 6, 3, seed=0),
        data.train,
        epochs=3,
        seed=7,
        callbacks=[ri.callbacks.Evaluate(data)],
        checkpoint=tmp_path_factory.mktemp("run") / "state",
        progress=False,
    )


def same(found: ri.TrainingRun, run: ri.TrainingRun) -> bool:
    parameters = run.model.numpy_parameters()
    return (
        found.history == run.history
        and found.settings == json.loads(json.dumps(run.settings))
        and found.origin == run.origin
        and found.model.temperature == run.model.temperature
        and repr(found.model) == repr(run.model)
        and all(np.array_equal(a, parameters[k]) for k, a in found.model.numpy_parameters().items())
    )


def test_a_saved_run_comes_back(run: ri.TrainingRun, tmp_path: Path) -> None:
    run.save(tmp_path / "run.safetensors")
    found = ri.load_run(tmp_path / "run.safetensors")
    assert same(found, run)
    assert (found.stopped, found.checkpoint) == ("finished", run.checkpoint)


def test_a_model_comes_from_the_file_of_a_run(run: ri.TrainingRun, tmp_path: Path) -> None:
    run.save(tmp_path / "run.safetensors")
    model = ri.load_model(tmp_path / "run.safetensors")
    np.testing.assert_array_equal(model.sample(5, seed=0), run.model.sample(5, seed=0))


def test_a_checkpoint_is_a_run_too(run: ri.TrainingRun) -> None:
    assert run.checkpoint is not None
    found = ri.load_run(run.checkpoint)
    assert same(found, run)
    assert (found.stopped, found.checkpoint) == ("running", run.checkpoint)


def test_it_says_when_and_with_what(run: ri.TrainingRun) -> None:
    (start,) = run.origin["starts"]
    assert (start["epochs"], start["seed"]) == (0, 7)
    assert start["versions"]["rapid-ising"] == ri.__version__
    assert start["time"].endswith("+00:00")


def test_a_model_alone_is_no_run(run: ri.TrainingRun, tmp_path: Path) -> None:
    run.model.save(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"without the run that made it: save it with run\.save"):
        ri.load_run(tmp_path / "model")


def test_another_file_is_no_run(run: ri.TrainingRun, tmp_path: Path) -> None:
    storage.write(tmp_path / "other", "embedding", {}, {})
    with pytest.raises(CheckpointError, match="holds a embedding, not a model or a checkpoint"):
        ri.load_run(tmp_path / "other")
    storage.write(tmp_path / "damaged", "checkpoint", {}, {"history": []})
    with pytest.raises(CheckpointError, match="damaged header"):
        ri.load_run(tmp_path / "damaged")


@pytest.mark.parametrize(
    "wrong",
    [
        {"stopped": "soon"},
        {"origin": {"starts": [{}]}},
        {"origin": {"machines": [{}]}},
        {"origin": []},
    ],
)
def test_a_run_with_parts_missing_is_damaged(run: ri.TrainingRun, tmp_path: Path, wrong: Any) -> None:
    dataclasses.replace(run, **wrong).save(tmp_path / "run")
    with pytest.raises(CheckpointError, match="damaged header"):
        ri.load_run(tmp_path / "run")
