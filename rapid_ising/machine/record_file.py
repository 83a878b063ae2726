"""The file of a recording: JSON lines that are only ever appended, by one writer.

The first line says what the file is, in which version, and what the machine can do. Each other line is one
event, ``{"number": n, "hash": h, kind: content}``: the ``request`` n, before it is sent; that it was
``sent``; the ``answer``, before it is used, or the ``error``. h is the BLAKE2b hash of the content as JSON
with sorted keys and no spaces. A line counts once its newline is there, so that a file whose last write was
cut short holds everything before it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, final

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CheckpointError, InvalidDataError
from rapid_ising.file_lock import lock
from rapid_ising.machine.record_capabilities import capabilities_from_json, capabilities_to_json
from rapid_ising.notices import RapidIsingWarning
from rapid_ising.version import __version__

VERSION = 1
MAGIC = "rapid_ising_recording"
START = f'{{"{MAGIC}":'.encode()
KINDS = ("request", "sent", "answer", "error")


def compact(value: Any) -> str:
    """Return a value as JSON in the one form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the BLAKE2b hash of a text, 128 bits as hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@final
@dataclasses.dataclass(frozen=True)
class Events:
    """What a file holds of one request."""

    hash: str
    place: int
    """Where the line of the request begins, in bytes."""
    later: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    """The kind and place of each event after it."""


@final
class RecordFile:
    """The complete lines of a recording, as they are when it is opened.

    Warns
    -----
    RapidIsingWarning
        If the last write was cut short: with the number of requests that are kept.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, not a recording, or of a later version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.requests: list[Events] = []
        self.head: dict[str, Any] = {}
        try:
            with self.path.open("rb") as file:
                self.end = self._scan(file)
                self.torn = os.fstat(file.fileno()).st_size - self.end
        except OSError as error:
            raise CheckpointError(f"cannot read {self.path}: {error.strerror or error}") from error
        if self.torn:
            warnings.warn(
                f"the last write to {self.path} was cut short: {self.torn} bytes are ignored and "
                f"{len(self.requests)} requests kept",
                RapidIsingWarning,
                stacklevel=3,
            )

    def _scan(self, file: BinaryIO) -> int:
        """Check every line and note its place; return where the last complete one ends."""
        end = version = 0
        for number, line in enumerate(file):
            if number == 0 and not (line.startswith(START) or START.startswith(line)):
                raise CheckpointError(f"{self.path} is not a recording: give another file")
            if not line.endswith(b"\n"):
                break
            try:
                event = json.loads(line)
                if number:
                    self._note(event, end)
                else:
                    self.head, version = event, int(event[MAGIC])
            except (ValueError, KeyError, IndexError, StopIteration, TypeError) as error:
                raise CheckpointError(
                    f"{self.path} is damaged in line {number + 1}, after {len(self.requests)} requests"
                ) from error
            if version > VERSION:
                raise CheckpointError(
                    f"{self.path} has the format {version} and this version reads up to {VERSION}: "
                    "update rapid-ising"
                )
            end += len(line)
        return end

    def _note(self, event: dict[str, Any], place: int) -> None:
        number, kind = event["number"], next(kind for kind in KINDS if kind in event)
        if digest(compact(event[kind])) != event["hash"]:
            raise InvalidDataError("its hash is of another content")
        count = len(self.requests)
        if not (number == count + 1 if kind == "request" else 0 < number <= count):
            raise InvalidDataError("its number is out of order")
        if kind == "request":
            self.requests.append(Events(event["hash"], place))
        else:
            self.requests[number - 1].later.append((kind, place))

    @property
    def machine(self) -> str:
        """The name of the machine that was recorded."""
        name: str = self._header["machine"]
        return name

    @property
    def capabilities(self) -> Capabilities:
        """What the machine can do."""
        return capabilities_from_json(self._header["capabilities"])

    @property
    def _header(self) -> dict[str, Any]:
        if not self.head:
            raise CheckpointError(f"{self.path} is empty: nothing was recorded")
        return self.head

    def content(self, kind: str, place: int) -> dict[str, Any]:
        """Return the content of the event of this kind that begins at ``place``."""
        try:
            with self.path.open("rb") as file:
                file.seek(place)
                content: dict[str, Any] = json.loads(file.readline())[kind]
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{self.path} was changed since it was opened") from error
        return content


@final
class RecordWriter(os.PathLike[str]):
    """The one writer of a file; goes on where an earlier writer for the same machine ended.

    Each line is on the disk before the call returns. Threads may share a writer.

    Raises
    ------
    CheckpointError
        If the file cannot be written, has another writer, or is of another machine or no recording.
    """

    def __init__(self, path: str | os.PathLike[str], machine: str, facts: Capabilities) -> None:
        self.path = Path(path)
        head = {MAGIC: VERSION, "version": __version__, "machine": machine}
        head["capabilities"] = capabilities_to_json(facts)
        self._lock, self._process = threading.Lock(), os.getpid()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise self._failed(error) from error
        self.close = weakref.finalize(self, os.close, self._file)
        """Close the file, so that another writer can go on."""
        try:
            lock(self._file)
        except OSError as error:
            self.close()
            raise CheckpointError(
                f"{self.path} has a writer already: close it (Recorded.close()), or use another file"
            ) from error
        try:
            there = RecordFile(self.path)
            self.requests, self._end = len(there.requests), there.end
            self.machine = there.machine if there.head else machine
            if there.head:
                self.must_be_of(machine)
                if capabilities_to_json(there.capabilities) != head["capabilities"]:
                    raise CheckpointError(
                        f"{self.path} is a recording of {machine} with other capabilities: give another file"
                    )
            os.ftruncate(self._file, self._end)
            if not there.head:
                self._append(json.dumps(head, separators=(",", ":")))
        except BaseException:
            self.close()
            raise

    def must_be_of(self, machine: str) -> None:
        """Raise unless the file is a recording of this machine."""
        if self.machine != machine:
            raise CheckpointError(
                f"{self.path} is a recording of {self.machine}, not of {machine}: give another file"
            )

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RecordWriter({str(self.path)!r})"

    def request(self, content: dict[str, Any]) -> int:
        """Append a request and return its number, from 1."""
        with self._lock:
            self._event("request", self.requests + 1, content)
            self.requests += 1
            return self.requests

    def event(self, kind: str, number: int, content: dict[str, Any]) -> None:
        """Append what became of the request of this number."""
        with self._lock:
            self._event(kind, number, content)

    def _event(self, kind: str, number: int, content: dict[str, Any]) -> None:
        text = compact(content)
        self._append(f'{{"number":{number},"hash":"{digest(text)}","{kind}":{text}}}')

    def _append(self, line: str) -> None:
        if not self.close.alive:
            raise CheckpointError(f"{self.path} is closed: record to it with a new Recorded")
        if os.getpid() != self._process:
            raise CheckpointError(f"{self.path} is written by another process: give each process its file")
        data = memoryview(line.encode() + b"\n")
        end = self._end + len(data)
        try:
            with self._whole():
                while data:
                    data = data[os.write(self._file, data) :]
                os.fsync(self._file)
                self._end = end
        except OSError as error:
            raise self._failed(error) from error

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Take back a write that fails half way: the next line must begin on its own."""
        before = self._end
        try:
            yield
        finally:
            if self._end == before:
                os.ftruncate(self._file, before)

    def _failed(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"cannot write {self.path}: {error.strerror or error}")
