"""The history in CSV, JSON lines and event files, read back by other readers."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import rapid_ising as ri
from rapid_ising.errors import CheckpointError, MissingDependencyError
from rapid_ising.training.callbacks import CSVLog, Evaluate, JSONLines, TensorBoard

DATA = ri.datasets.stripes(3)
Records = list[dict[str, float]]


def csv_records(path: Path) -> Records:
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v != ""} for row in csv.DictReader(file)]


def json_records(path: Path) -> Records:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def events(path: Path) -> Records:
    """What TensorBoard itself shows of a folder."""
    seen = EventAccumulator(str(path)).Reload()
    found: dict[int, dict[str, float]] = {}
    for name in seen.Tags()["scalars"]:
        for event in seen.Scalars(name):
            found.setdefault(event.step, {"epoch": event.step})[name] = event.value
    return [found[step] for step in sorted(found)]


KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Records]]] = {
    "csv": (CSVLog, csv_records),
    "json": (JSONLines, json_records),
    "tensorboard": (TensorBoard, events),
}
each = pytest.mark.parametrize("kind", KINDS)


def train(callback: Any, folder: Path, epochs: int, **options: Any) -> ri.TrainingRun:
    return ri.train(
        ri.PatternRBM(9, 4, 2, seed=0),
        DATA.train,
        epochs=epochs,
        seed=0,
        callbacks=[Evaluate(DATA, every=2, tries=1), callback],
        checkpoint=folder / "state",
        progress=False,
        **options,
    )


def same(found: Records, history: Records) -> bool:
    # Event files have single precision.
    return len(found) == len(history) and all(
        there.keys() == here.keys()
        and all(math.isclose(there[name], here[name], rel_tol=1e-6) for name in here)
        for there, here in zip(found, history, strict=True)
    )


@each
def test_it_holds_the_history_epoch_by_epoch(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    seen: list[Records] = []

    class Look:
        def on_epoch_end(self, run: ri.TrainingRun) -> None:
            assert same(read(tmp_path / "log"), run.history)
            seen.append(run.history)

    log = make(tmp_path / "log")
    run = ri.train(
        ri.PatternRBM(9, 4, 2, seed=0),
        DATA.train,
        epochs=4,
        seed=0,
        callbacks=[Evaluate(DATA, every=2, tries=1), log, Look()],
        progress=False,
    )
    assert len(seen) == 4
    assert "hamming_test" in run.history[1]
    assert same(read(tmp_path / "log"), run.history)


@each
def test_a_resumed_training_goes_on_without_duplicates(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    path = tmp_path / "log"
    train(make(path), tmp_path, 3)
    state = (tmp_path / "state").read_bytes()
    train(make(path), tmp_path, 5, resume=True)
    # As if it had been killed after the fifth epoch was in the log and before it was in the checkpoint.
    (tmp_path / "state").write_bytes(state)
    run = train(make(path), tmp_path, 6, resume=True)
    assert same(read(path), run.history)
    assert run.epochs == 6


@each
def test_one_callback_serves_two_trainings(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    log = make(tmp_path / "log")
    train(log, tmp_path, 2)
    run = train(log, tmp_path, 3, resume=True)
    assert same(read(tmp_path / "log"), run.history)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_line_that_was_cut_off_is_written_again(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    path = tmp_path / "log"
    train(make(path), tmp_path, 3)
    path.write_bytes(path.read_bytes()[:-7])
    run = train(make(path), tmp_path, 4, resume=True)
    assert same(read(path), run.history)


@each
def test_the_log_of_another_training_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    path = tmp_path / "log"
    first = train(make(path), tmp_path, 2)
    (tmp_path / "state").unlink()
    with pytest.raises(CheckpointError, match="another training: give another"):
        train(make(path), tmp_path, 2)
    assert not (tmp_path / "state").exists()
    assert same(read(path), first.history)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_another_file_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    train(KINDS[kind][0](tmp_path / "log"), tmp_path, 1)
    for content in ("notes", "notes\n", '{"a": 1}\n', "seconds\nsoon\n", "epoch,seconds,loss\n"):
        (tmp_path / "other").write_text(content)
        with pytest.raises(CheckpointError, match="another training"):
            train(KINDS[kind][0](tmp_path / "other"), tmp_path, 2, resume=True)
        assert (tmp_path / "other").read_text() == content


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("kept", [3, 12, 40])
def test_a_first_line_that_was_cut_off_is_written_again(kind: str, kept: int, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    path = tmp_path / "log"
    train(make(path), tmp_path, 1)
    path.write_bytes(path.read_bytes()[:kept])
    # By then there are more columns.
    run = train(make(tmp_path / "other"), tmp_path, 2, resume=True)
    run = train(make(path), tmp_path, 3, resume=True)
    assert same(read(path), run.history)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_no_text_file_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Is a directory"):
        train(KINDS[kind][0](tmp_path), tmp_path, 1)
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    with pytest.raises(CheckpointError, match="is no text: give another file"):
        train(KINDS[kind][0](tmp_path / "picture"), tmp_path, 1)
    assert (tmp_path / "picture").read_bytes() == b"\x89PNG\xff"


def test_events_of_another_training_are_left_as_they_are(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = train(TensorBoard(tmp_path / "log"), tmp_path / "first", 2)
    train(CSVLog(tmp_path / "csv"), tmp_path / "second", 1)
    with pytest.raises(CheckpointError, match="holds the events of another training"):
        train(TensorBoard(tmp_path / "log"), tmp_path / "second", 3, resume=True)
    assert same(events(tmp_path / "log"), first.history)


def test_events_that_were_lost_are_written_again(tmp_path: Path) -> None:
    train(TensorBoard(tmp_path / "log"), tmp_path, 3)
    (file,) = (tmp_path / "log").iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    run = train(TensorBoard(tmp_path / "log"), tmp_path, 4, resume=True)
    assert same(events(tmp_path / "log"), run.history)


@each
def test_numbers_of_numpy_are_numbers(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]

    class Measure:
        def on_epoch_end(self, run: ri.TrainingRun) -> None:
            run.history[-1] |= {"single": np.float32(0.5), "count": np.int64(3)}  # type: ignore[dict-item]

    model = ri.RBM(9, 4, seed=0)
    calls = [Measure(), make(tmp_path / "log")]
    ri.train(model, DATA.train, epochs=1, seed=0, callbacks=calls, progress=False)
    (record,) = read(tmp_path / "log")
    assert (record["single"], record["count"]) == (0.5, 3)


def test_event_files_are_closed_when_a_training_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboardX.event_file_writer import EventsWriter

    closed: list[Any] = []
    close = EventsWriter.close

    def closing(writer: Any) -> None:
        closed.append(writer)
        close(writer)

    monkeypatch.setattr(EventsWriter, "close", closing)
    log = TensorBoard(tmp_path / "log")
    train(log, tmp_path, 1)
    assert len(closed) == 1
    with pytest.raises(RuntimeError, match="of this test"):
        ri.train(
            ri.PatternRBM(9, 4, 2, seed=0),
            DATA.train,
            epochs=1,
            callbacks=[TensorBoard(tmp_path / "other"), Fails()],
            progress=False,
        )
    assert len(closed) == 2


class Fails:
    """Fails in the first epoch, and notes that it was told of the end."""

    ended = 0

    def on_epoch_end(self, run: ri.TrainingRun) -> None:
        raise RuntimeError("of this test")

    def on_end(self, run: ri.TrainingRun) -> None:
        self.ended += 1


def test_a_training_that_fails_says_so(caplog: pytest.LogCaptureFixture) -> None:
    fails = Fails()
    with caplog.at_level("INFO", "rapid_ising"), pytest.raises(RuntimeError):
        ri.train(ri.RBM(9, 4, seed=0), DATA.train, epochs=2, seed=0, callbacks=[fails], progress=False)
    assert "training of rbm failed: 0 epochs" in caplog.text
    assert fails.ended == 1


KILLED = """
import os, signal, sys
import rapid_ising as ri

class Kill:
    def on_epoch_end(self, run):
        if run.epochs == 3:
            os.kill(os.getpid(), signal.SIGKILL)

folder = sys.argv[1]
logs = [ri.callbacks.CSVLog(f"{folder}/csv"), ri.callbacks.JSONLines(f"{folder}/json")]
model = ri.PatternRBM(9, 4, 2, seed=0)
data = ri.datasets.stripes(3).train
ri.train(model, data, epochs=5, seed=0, callbacks=[*logs, Kill()], progress=False)
"""


@pytest.mark.skipif(not hasattr(__import__("signal"), "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_run_leaves_whole_lines(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=120, check=False)
    assert ended.returncode == -9
    for kind in ("csv", "json"):
        records = KINDS[kind][1](tmp_path / kind)
        assert [record["epoch"] for record in records] == [1, 2, 3]


def test_what_a_start_raises_comes_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("notes")
    model = ri.PatternRBM(9, 4, 2, seed=0)
    before = model.numpy_parameters()["visible_patterns"].copy()
    with pytest.raises(CheckpointError):
        ri.train(model, DATA.train, recipe="paper", callbacks=[CSVLog(tmp_path / "log")], progress=False)
    assert (model.numpy_parameters()["visible_patterns"] == before).all()


def test_what_json_has_no_word_for_is_text(tmp_path: Path) -> None:
    run = ri.TrainingRun(ri.RBM(4, 2, seed=0), [{"epoch": 1, "seconds": 0.5, "entropy": math.inf}])
    JSONLines(tmp_path / "log").on_epoch_end(run)
    assert json_records(tmp_path / "log") == [{"epoch": 1, "seconds": 0.5, "entropy": "inf"}]


def test_without_tensorboardx_the_error_has_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[tensorboard\]'"):
        TensorBoard(tmp_path)
