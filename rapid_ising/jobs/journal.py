"""A journal of jobs in one SQLite file: each intent before it is sent, each answer before it is used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

from rapid_ising.errors import CheckpointError
from rapid_ising.file_lock import lock
from rapid_ising.jobs.budget import Spent
from rapid_ising.jobs.entry import ANSWERED, CANCELLED, COLUMNS, FAILED, INTENDED, SENT, Entry

FORMAT = 1
APPLICATION = 0x52494A31
"""SQLite's application id of a journal: it tells one from any other SQLite file."""
BUSY = 10.0
"""The seconds that a reader or writer waits for another."""
TABLES = """
CREATE TABLE runs(
    run INTEGER PRIMARY KEY, name TEXT NOT NULL, started REAL NOT NULL, machine TEXT NOT NULL,
    options TEXT NOT NULL);
CREATE TABLE jobs(
    number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, tag TEXT NOT NULL,
    tags INTEGER NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, id TEXT, spins INTEGER NOT NULL,
    reads INTEGER NOT NULL, beta REAL NOT NULL, deadline REAL, predicted REAL NOT NULL, machine_seconds REAL,
    intended REAL NOT NULL, sent REAL, ended REAL, cleared REAL, emulated TEXT, error TEXT, request BLOB,
    answer BLOB, UNIQUE(run, key));
"""


@final
class Journal:
    """The journal of the jobs of one machine, for one process at a time that sends.

    Every write is on the disk before the call returns (WAL, synchronous=FULL), so that what was sent and what
    was answered survive a kill and a power cut.

    Parameters
    ----------
    path
        The file, made where it is missing.
    write
        Whether to send jobs, and so to hold the lock; without, the file is looked at only.

    Raises
    ------
    CheckpointError
        If the file cannot be read or written, is no journal, or another process holds it.

    Examples
    --------
    >>> import tempfile
    >>> journal = Journal(tempfile.mkdtemp() + "/demo.jobs")
    >>> journal.begin("exact", {})
    >>> journal.entries(), journal.spent()
    ([], Spent(calls=0, reads=0, seconds=0.0))
    >>> journal.close()
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool = True) -> None:
        self.path, self._mutex = Path(path), threading.RLock()
        self.run: int | None = None
        """The run that jobs are written under."""
        self.name = ""
        """A name of that run that no other has."""
        if not write and not self.path.is_file():
            raise CheckpointError(f"there is no journal {self.path}")
        self._held: int | None = None
        if write:
            self._held = self._locked()
        try:
            self._database = sqlite3.connect(
                self.path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            self._unlock()
            raise self._failed(error) from error
        self._closing = weakref.finalize(self, _closed, self._database, self._held)
        try:
            with self._told():
                self._open(write)
        except BaseException:
            self.close()
            raise

    def _locked(self) -> int:
        try:
            file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise CheckpointError(f"cannot write {self.path}: {error.strerror or error}") from error
        try:
            lock(file)
        except OSError as error:
            os.close(file)
            raise CheckpointError(
                f"{self.path} is in use by another process, which may be sending jobs: wait for it or stop it"
            ) from error
        return file

    def _unlock(self) -> None:
        if self._held is not None:
            os.close(self._held)

    def _open(self, write: bool) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise CheckpointError(
                f"{self.path} is another database, not a journal of jobs: give another file"
            )
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise CheckpointError(
                f"{self.path} has the format {version} and this version reads up to {FORMAT}: "
                "update rapid-ising"
            )
        if write:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            if not tables:
                with self._transaction():
                    self._database.execute(f"PRAGMA application_id={APPLICATION}")
                    self._database.execute(f"PRAGMA user_version={FORMAT}")
                    for statement in TABLES.split(";"):
                        self._database.execute(statement)
        elif not tables:
            raise CheckpointError(f"{self.path} is empty: no job was sent")

    def close(self) -> None:
        """Close the file, and let another process send."""
        self._closing()

    def begin(self, machine: str, options: Mapping[str, Any], *, resume: bool = False) -> None:
        """Begin a run of this machine, or go on with the last one.

        Raises
        ------
        CheckpointError
            If the last run was of another machine.
        """
        with self._told(), self._mutex, self._transaction():
            if resume:
                last = self._database.execute(
                    "SELECT run, name, machine FROM runs ORDER BY run DESC LIMIT 1"
                ).fetchone()
                if last is not None:
                    if last[2] != machine:
                        raise CheckpointError(
                            f"{self.path} is the journal of {last[2]}, not of {machine}: resume with that "
                            "machine, or start anew with another file"
                        )
                    self.run, self.name = last[:2]
                    self._database.execute(
                        "UPDATE runs SET options = ? WHERE run = ?", (json.dumps(options), self.run)
                    )
                    return
            self.name = uuid.uuid4().hex
            row = (self.name, time.time(), machine, json.dumps(options))
            cursor = self._database.execute(
                "INSERT INTO runs(name, started, machine, options) VALUES (?, ?, ?, ?)", row
            )
            self.run = cursor.lastrowid

    def machine(self, run: int) -> tuple[str, dict[str, Any]]:
        """Return the name and the options of the machine of a run; no token is among them."""
        with self._told(), self._mutex:
            found = self._database.execute(
                "SELECT machine, options FROM runs WHERE run = ?", (run,)
            ).fetchone()
        if found is None:
            raise CheckpointError(f"{self.path} has no run {run}")
        return found[0], json.loads(found[1])

    def find(self, key: str) -> Entry | None:
        """Return this run's job for a request, None where it was never asked."""
        return self._one("run = ? AND key = ?", (self.run, key))

    def entry(self, number: int) -> Entry:
        """Return the job of this number."""
        found = self._one("number = ?", (number,))
        if found is None:
            raise CheckpointError(f"{self.path} has no job {number}: rapid-ising jobs list shows them")
        return found

    def entries(self, *states: str) -> list[Entry]:
        """Return all jobs, or those in these states, in order."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        with self._told(), self._mutex:
            rows = self._database.execute(f"SELECT {COLUMNS} FROM jobs {where} ORDER BY number", states)
            return [Entry(*row) for row in rows]

    def _one(self, where: str, values: tuple[Any, ...]) -> Entry | None:
        with self._told(), self._mutex:
            row = self._database.execute(f"SELECT {COLUMNS} FROM jobs WHERE {where}", values).fetchone()
        return None if row is None else Entry(*row)

    def spent(self) -> Spent:
        """Return what this run has cost: every attempt that may have reached the machine."""
        with self._told(), self._mutex:
            row = self._database.execute(
                "SELECT coalesce(sum(attempts), 0), coalesce(sum(attempts * reads), 0), coalesce(sum("
                "coalesce(machine_seconds, predicted) + (attempts - 1) * predicted), 0.0) "
                "FROM jobs WHERE run = ?",
                (self.run,),
            ).fetchone()
        return Spent(int(row[0]), int(row[1]), float(row[2]))

    def intend(
        self, key: str, request: Mapping[str, Any], *, deadline: float | None, predicted: float
    ) -> Entry:
        """Write down that a request is about to be sent, the next attempt where there were others."""
        with self._told(), self._mutex:
            with self._transaction():
                before = self.find(key)
                place = 1 if before is None else before.tags + 1
                # Another name each time: a machine may refuse, or return, what it knows by a name.
                tag = hashlib.blake2b(f"{self.name} {key} {place}".encode(), digest_size=16).hexdigest()
                if before is None:
                    self._database.execute(
                        "INSERT INTO jobs(run, key, tag, tags, attempts, state, spins, reads, beta, "
                        "deadline, predicted, intended, request) "
                        "VALUES (?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            self.run,
                            key,
                            tag,
                            INTENDED,
                            request["spins"],
                            request["reads"],
                            request["beta"],
                            deadline,
                            predicted,
                            time.time(),
                            packed(request),
                        ),
                    )
                else:
                    self._database.execute(
                        "UPDATE jobs SET tag = ?, tags = ?, attempts = attempts + 1, state = ?, id = NULL, "
                        "intended = ?, sent = NULL, ended = NULL, error = NULL, request = ? WHERE number = ?",
                        (tag, place, INTENDED, time.time(), packed(request), before.number),
                    )
            found = self.find(key)
        assert found is not None
        return found

    def sent(self, number: int, id: str, emulated: str | None = None) -> None:
        """Write down that a machine took a job on, its id there, and the emulator where it is no machine."""
        self._change(number, state=SENT, id=id, sent=time.time(), emulated=emulated)

    def answered(self, number: int, content: Mapping[str, Any], **facts: Any) -> None:
        """Write down an answer; the request is not needed any more."""
        self._change(
            number,
            state=ANSWERED,
            ended=time.time(),
            answer=packed(content),
            request=None,
            error=None,
            **facts,
        )

    def cleared(self, number: int) -> None:
        """Write down that the machine was told that it may forget an answered job."""
        self._change(number, cleared=time.time())

    def uncleared(self) -> list[Entry]:
        """Return the answered jobs of this run that the machine may still hold."""
        with self._told(), self._mutex:
            rows = self._database.execute(
                f"SELECT {COLUMNS} FROM jobs WHERE run = ? AND state = ? AND cleared IS NULL",
                (self.run, ANSWERED),
            )
            return [Entry(*row) for row in rows]

    def failed(self, number: int, error: str) -> None:
        """Write down that there will be no answer."""
        self._change(number, state=FAILED, ended=time.time(), error=error)

    def cancelled(self, number: int) -> None:
        """Write down that a job was cancelled."""
        self._change(number, state=CANCELLED, ended=time.time())

    def never_sent(self, number: int, error: str) -> None:
        """Take an intent back: the machine has not taken it on, for certain, and nothing is to pay."""
        with self._told(), self._mutex, self._transaction():
            self._database.execute(
                "UPDATE jobs SET state = ?, attempts = attempts - 1, ended = ?, error = ? WHERE number = ?",
                (FAILED, time.time(), error, number),
            )

    def request(self, number: int) -> dict[str, Any]:
        """Return the request of a job that has no answer yet."""
        return self._content("request", number)

    def answer(self, number: int) -> dict[str, Any]:
        """Return the answer of a job."""
        return self._content("answer", number)

    def _content(self, column: str, number: int) -> dict[str, Any]:
        with self._told(), self._mutex:
            row = self._database.execute(f"SELECT {column} FROM jobs WHERE number = ?", (number,)).fetchone()
        if row is None or row[0] is None:
            raise CheckpointError(f"job {number} of {self.path} has no {column}")
        try:
            content: dict[str, Any] = json.loads(zlib.decompress(row[0]))
        except (zlib.error, ValueError) as error:
            raise CheckpointError(f"{self.path} is damaged: the {column} of job {number}") from error
        return content

    def _change(self, number: int, **values: Any) -> None:
        setters = ", ".join(f"{name} = ?" for name in values)
        with self._told(), self._mutex, self._transaction():
            self._database.execute(f"UPDATE jobs SET {setters} WHERE number = ?", (*values.values(), number))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> CheckpointError:
        return CheckpointError(f"the journal {self.path} cannot be used: {error}")


def packed(content: Mapping[str, Any]) -> bytes:
    """Return JSON, compressed."""
    return zlib.compress(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), level=1)


def _closed(database: sqlite3.Connection, held: int | None) -> None:
    database.close()
    if held is not None:
        os.close(held)
