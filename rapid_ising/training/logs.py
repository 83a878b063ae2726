"""Callbacks that write the history where other tools read it: CSV, JSON lines, TensorBoard."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import json
import math
import os
import re
import struct
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from rapid_ising import storage
from rapid_ising.errors import CheckpointError, MissingDependencyError
from rapid_ising.training.run import TrainingRun

Record = Mapping[str, float]
BETWEEN = r"[{},\n] *"
"""What stands between names and values in a line of either format."""


@dataclasses.dataclass
class HistoryFile(ABC):
    """A text file with one line an epoch, which is on the disk as soon as the epoch is done.

    A resumed training goes on in its file: what the file has of epochs that the checkpoint has not, a line
    that was cut off among them, is written again. The file of another training is left as it is, and that is
    an error before the first epoch.

    Put it after the callbacks whose measures it is to have.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or holds another training.
    """

    path: str | os.PathLike[str]
    _written: int | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    """The epochs that are in the file, None before the first look."""
    _columns: list[str] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    def on_start(self, run: TrainingRun) -> None:
        """Look at the file, and write what was done before a resume."""
        place = Path(self.path)
        try:
            text = place.read_text(encoding="utf-8") if place.exists() else ""
        except OSError as error:
            raise CheckpointError(f"cannot read {place}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{place} is no text: give another file, or remove it") from error
        if text:
            held = self._seconds(text)
            same = [record["seconds"] for record in run.history]
            mine = held[: len(same)] == same[: len(held)] if held else self._begins(run, text)
            if not run.history or not mine:
                raise CheckpointError(
                    f"{place} holds the history of another training: give another file, or remove it"
                )
        self._rewrite(run)

    def on_epoch_end(self, run: TrainingRun) -> None:
        """Write the records that are not in the file yet."""
        if self._written is None:
            self.on_start(run)
        new = run.history[self._written :]
        if any(name not in self._columns for record in new for name in record):
            self._rewrite(run)
            return
        if new:
            with Path(self.path).open("a", encoding="utf-8", newline="") as file:
                # One write of whole lines: a kill comes before it or after it.
                file.write(self._lines(new))
        self._written = run.epochs

    def _begins(self, run: TrainingRun, text: str) -> bool:
        """Return whether a text without a whole record is the start of a file of this training."""
        self._columns = _columns(run)
        # Names and values, in any order: that of a record is not kept by a checkpoint.
        own = set(re.split(BETWEEN, self._head() + self._lines(run.history[:1])))
        *whole, last = re.split(BETWEEN, text)
        return own.issuperset(whole) and any(piece.startswith(last) for piece in own)

    def _rewrite(self, run: TrainingRun) -> None:
        """Write the whole file anew, whole or not at all."""
        self._columns = _columns(run)
        content = (self._head() + self._lines(run.history)) if run.history else ""
        storage.write_bytes(self.path, content.encode())
        self._written = run.epochs

    def _head(self) -> str:
        """Return what stands before the first record."""
        return ""

    @abstractmethod
    def _lines(self, records: Sequence[Record]) -> str:
        """Return the lines of these records."""

    @abstractmethod
    def _seconds(self, text: str) -> list[float]:
        """Return the measure ``seconds`` of each whole line; no two trainings have the same."""


@final
@dataclasses.dataclass
class CSVLog(HistoryFile):
    """Writes the history to a CSV file, a column a measure; empty where an epoch was not measured.

    When a measure comes up that has no column yet, the file is written again with one.

    Parameters
    ----------
    path
        The file. See ``HistoryFile`` for what happens to one that is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import rapid_ising as ri
    >>> path = Path(tempfile.mkdtemp()) / "history.csv"
    >>> model, data = ri.PatternRBM(16, 20, 4, seed=0), ri.datasets.stripes(4)
    >>> run = ri.train(model, data.train, epochs=2, seed=0, callbacks=[CSVLog(path)], progress=False)
    >>> path.read_text().splitlines()[0]
    'epoch,seconds,learning_rate'
    """

    def _head(self) -> str:
        return _csv([self._columns])

    def _lines(self, records: Sequence[Record]) -> str:
        return _csv([[record.get(name, "") for name in self._columns] for record in records])

    def _seconds(self, text: str) -> list[float]:
        rows = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        if "\n" not in text:
            return []
        try:
            # Another head than ours is that of another file.
            known = "seconds" in (rows.fieldnames or ())
            return [float(row["seconds"]) for row in rows] if known else [math.nan]
        except (KeyError, TypeError, ValueError, csv.Error):
            return [math.nan]


def _columns(run: TrainingRun) -> list[str]:
    return list(dict.fromkeys(name for record in run.history for name in record))


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue()


@final
@dataclasses.dataclass
class JSONLines(HistoryFile):
    """Writes the history to a file of JSON lines, one object an epoch.

    What JSON has no word for, such as infinity, is text.

    Parameters
    ----------
    path
        The file. See ``HistoryFile`` for what happens to one that is there.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import rapid_ising as ri
    >>> path = Path(tempfile.mkdtemp()) / "history.jsonl"
    >>> model, data = ri.PatternRBM(16, 20, 4, seed=0), ri.datasets.stripes(4)
    >>> run = ri.train(model, data.train, epochs=2, seed=0, callbacks=[JSONLines(path)], progress=False)
    >>> [json.loads(line) for line in path.read_text().splitlines()] == run.history
    True
    """

    def _lines(self, records: Sequence[Record]) -> str:
        told = [{k: _json(v) for k, v in record.items()} for record in records]
        return "".join(json.dumps(record, allow_nan=False) + "\n" for record in told)

    def _seconds(self, text: str) -> list[float]:
        whole = text[: text.rfind("\n") + 1]
        try:
            return [float(json.loads(line)["seconds"]) for line in whole.splitlines()]
        except (KeyError, TypeError, ValueError):
            return [math.nan]


def _json(value: float) -> float | str:
    """Return a number as JSON can have it; NumPy's and PyTorch's become Python's."""
    plain = value if isinstance(value, int) else float(value)
    return plain if math.isfinite(plain) else str(plain)


@final
@dataclasses.dataclass
class TensorBoard:
    """Writes the history for TensorBoard, one scalar a measure, its step the epoch.

    Look at it with ``tensorboard --logdir FOLDER``. A resumed training goes on in its folder: TensorBoard
    forgets what it has of epochs that the checkpoint has not. Put it after the callbacks whose measures it is
    to have.

    Parameters
    ----------
    folder
        Where the event files go, one folder a training.

    Raises
    ------
    MissingDependencyError
        If tensorboardX is not installed.
    CheckpointError
        If the folder holds the events of another training, or cannot be written.
    """

    folder: str | os.PathLike[str]
    _writer: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _close: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _written: int = dataclasses.field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            importlib.import_module("tensorboardX")
        except ImportError as error:
            raise MissingDependencyError(
                "the callback TensorBoard needs tensorboardX, not installed here: "
                "pip install 'rapid-ising[tensorboard]'"
            ) from error

    def on_start(self, run: TrainingRun) -> None:
        """Open an event file; what was done before a resume is in an earlier one."""
        # Not its SummaryWriter, whose flush does not wait for the thread that writes.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        if self._close is not None:
            # The file of an earlier training.
            self._close()
        place = Path(self.folder)
        before = sorted(place.glob("events.out.tfevents.*"))
        held = _seconds_held(before)
        same = {record["epoch"]: np.float32(record["seconds"]) for record in run.history}
        mine = not held or (1 in held and all(held[step] == same[step] for step in held.keys() & same.keys()))
        if before and not (run.history and mine):
            raise CheckpointError(
                f"{place} holds the events of another training: give another folder, or remove it"
            )
        try:
            place.mkdir(parents=True, exist_ok=True)
            # Its own name has seconds alone, and TensorBoard reads files in the order of their names.
            self._writer = EventsWriter(str(place / "events"), f".{time.time_ns()}")
        except OSError as error:
            raise CheckpointError(f"cannot write into {place}: {error.strerror or error}") from error
        self._close = weakref.finalize(self, self._writer.close)
        self._written = min(run.epochs, max(held, default=0))
        if before:
            # TensorBoard forgets what it has of this step and of later ones.
            start = SessionLog(status=SessionLog.START)
            event = Event(step=self._written + 1, wall_time=time.time(), session_log=start)
            self._writer.write_event(event)
        self._write(run)

    def on_epoch_end(self, run: TrainingRun) -> None:
        """Write the last record."""
        if self._writer is None:
            self.on_start(run)
        self._write(run)

    def on_end(self, run: TrainingRun) -> None:
        """Close the event file; a training that goes on opens another."""
        if self._close is not None:
            self._close()
        self._writer = self._close = None

    def _write(self, run: TrainingRun) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        for record in run.history[self._written :]:
            values = [
                Summary.Value(tag=name, simple_value=float(value))
                for name, value in record.items()
                if name != "epoch"
            ]
            event = Event(step=int(record["epoch"]), wall_time=time.time(), summary=Summary(value=values))
            self._writer.write_event(event)
        self._written = run.epochs
        self._writer.flush()


def _seconds_held(files: Sequence[Path]) -> dict[int, np.float32]:
    """Return the measure ``seconds`` of each step in event files, not a number for a step without one."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[int, np.float32] = {}
    for file in files:
        content, place = file.read_bytes(), 0
        # Eight bytes of length with four of its checksum, the event, four of its checksum.
        while place + 12 <= len(content):
            (size,) = struct.unpack_from("<Q", content, place)
            body = content[place + 12 : place + 12 + size]
            if len(body) < size:
                # It was cut off.
                break
            try:
                event = Event.FromString(body)
            except Exception as error:
                raise CheckpointError(f"{file} is damaged: give another folder, or remove it") from error
            if event.summary.value:
                found.setdefault(event.step, np.float32(math.nan))
            for value in event.summary.value:
                if value.tag == "seconds":
                    found[event.step] = np.float32(value.simple_value)
            place += size + 16
    return found
