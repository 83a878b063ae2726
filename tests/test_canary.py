"""A token shows nowhere: in no text of a machine, no answer, no error, no log and no file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import secrets
import sqlite3
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters import ADAPTERS
from demo_service import Demo, demo
from faults import MACHINES
from loopback import echo, everything, scripted

import rapid_ising as ri
from rapid_ising.errors import BackendError, RapidIsingError
from rapid_ising.machine.journaled import Journaled, options_of
from rapid_ising.machine.recorded import Recorded
from rapid_ising.plain import plain
from rapid_ising.remote import RemoteMachine, Secret
from rapid_ising.remote.transport import Transport
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.emulators.trial import hurried, problem_for

# Drawn anew in each run, with what is escaped in one way or other between two halves that never are.
HALVES = secrets.token_hex(8), secrets.token_hex(8)
CANARY = "\"\\'&%/<+".join(HALVES)
STATUSES = (200, 302, 400, 401, 403, 404, 429, 500, 503)


def seen_in(text: str | bytes) -> list[str]:
    """Return the parts of the token that a text has."""
    plainly = text if isinstance(text, str) else text.decode("latin-1")
    return [half for half in HALVES if half in plainly]


@pytest.fixture(scope="module", autouse=True)
def _hurry() -> Iterator[None]:
    with hurried():
        yield


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Have every logger write all that it can."""
    caplog.set_level(1)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "level", logging.NOTSET)
            monkeypatch.setattr(logger, "propagate", True)
            logger.manager._clear_cache()  # type: ignore[attr-defined]
    return caplog


@contextlib.contextmanager
def service(name: str, faults: Faults | None = None) -> Iterator[tuple[RemoteMachine, Running]]:
    with contextlib.ExitStack() as stack:
        if name == "demo":
            machine: Any
            machine, running = stack.enter_context(demo(faults, token=CANARY))
        else:
            options = ADAPTERS[name].emulator
            running = stack.enter_context(emulate(name, faults=faults, token=CANARY, **options))
            machine = running.machine(**ADAPTERS[name].options)
        assert isinstance(machine, RemoteMachine)
        yield machine, running


def texts_of(machine: RemoteMachine) -> Iterator[str]:
    """Yield all that a machine says of itself, and what its parts say."""
    yield from (repr(machine), str(machine), f"{machine}", repr(vars(machine)), repr(vars(machine.transport)))
    for part in vars(machine.transport).values():
        yield repr(getattr(part, "__dict__", part))
    assert dataclasses.is_dataclass(machine)
    yield repr(dataclasses.asdict(machine))
    yield repr([getattr(machine, field.name) for field in dataclasses.fields(machine)])
    yield json.dumps(plain(machine))
    yield json.dumps(options_of(machine))
    yield repr(machine.capabilities)
    yield repr(dataclasses.replace(machine))


@pytest.mark.parametrize("name", MACHINES)
def test_it_shows_in_no_text_and_in_no_answer(name: str, logs: pytest.LogCaptureFixture) -> None:
    with service(name) as (machine, _):
        problem, _ = problem_for(machine.capabilities, np.random.default_rng(0))
        answer = machine.sample(problem, beta=machine.capabilities.max_beta or 9.0, deadline=20.0)
        job = machine.submit(problem, beta=machine.capabilities.max_beta or 9.0, deadline=20.0)
        job.result()
        shown = [*texts_of(machine), repr(answer.info), str(answer), json.dumps(answer.to_serializable())]
        shown += [repr(job), repr(vars(job)), logs.text]
    assert isinstance(machine.token, Secret)
    assert machine.token.reveal() == CANARY
    assert [seen_in(text) for text in shown] == [[]] * len(shown)
    assert any(record.name.startswith("httpcore") for record in logs.records)


def held(journal: Path) -> list[str]:
    """Return all values of a journal, unpacked."""
    with contextlib.closing(sqlite3.connect(journal)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [
            value for name in names for row in database.execute(f"SELECT * FROM {name}") for value in row
        ]
    texts = [zlib.decompress(v).decode() if isinstance(v, bytes) else str(v) for v in values]
    assert any("energies" in text for text in texts)
    return texts


# A machine of its own temperature is not at that of this tiny model.
@pytest.mark.filterwarnings("ignore::rapid_ising.notices.CalibrationWarning")
@pytest.mark.parametrize("name", MACHINES)
def test_it_shows_in_no_file_of_a_training(name: str, tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    model = ri.PatternRBM(n_visible=3, n_hidden=3, n_patterns=2, seed=0)
    data = np.array([[1, 1, -1], [-1, 1, 1]])
    with service(name) as (machine, _):
        journaled = Journaled(machine, tmp_path / "run.jobs")
        chain = ri.prepare(journaled, model, num_reads=4, show=False)
        recorded = Recorded(chain, tmp_path / "answers.jsonl")
        run = ri.train(
            model,
            data,
            negative_phase=ri.BackendSamples(recorded, num_reads=4),
            epochs=1,
            batch_size=2,
            seed=0,
            progress=False,
            checkpoint=tmp_path / "run",
        )
        recorded.close()
        journaled.close()
        shown = [repr(run), json.dumps(plain(run.history)), logs.text, repr(recorded)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"run.jobs", "answers.jsonl"} < {path.name for path in files}
    for path in files:
        assert seen_in(path.read_bytes()) == []
    shown += held(tmp_path / "run.jobs")
    assert [seen_in(text) for text in shown] == [[]] * len(shown)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("kind", ["401", "500", "disconnect-after", "truncated", "wrong-types"])
def test_it_shows_in_no_error_of_a_fault(name: str, kind: str, logs: pytest.LogCaptureFixture) -> None:
    with service(name) as (machine, running):
        problem, _ = problem_for(machine.capabilities, np.random.default_rng(0))
        assert running.emulator is not None
        running.emulator.faults.begin({kind: 1.0})
        with pytest.raises(BackendError) as caught:
            machine.sample(problem, beta=machine.capabilities.max_beta or 9.0, deadline=5.0)
        running.emulator.faults.begin()
        shown = [everything(caught.value), *traceback.format_exception(caught.value), logs.text]
    assert [seen_in(text) for text in shown] == [[]] * len(shown)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("status", STATUSES)
def test_it_shows_nowhere_when_the_service_sends_it_back(
    name: str, status: int, logs: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The service answers with the headers of the request, in a header and in the body."""
    with scripted(echo(status)) as service:
        options = {} if name == "demo" else {**ADAPTERS[name].options}
        machine: Any = (
            Demo(url=service.url, token=CANARY)
            if name == "demo"
            else ri.load_backend(name, url=service.url, token=CANARY, **options)
        )

        def ask() -> None:
            problem, _ = problem_for(machine.capabilities, np.random.default_rng(0))
            machine.sample(problem, beta=machine.capabilities.max_beta or 9.0, deadline=5.0)

        with pytest.raises(RapidIsingError) as caught:
            ask()
    assert any(CANARY in asked.headers.values() or f"Bearer {CANARY}" in asked.headers.values()
               for asked in service.asked)  # fmt: skip
    shown = [everything(caught.value), *traceback.format_exception(caught.value), repr(vars(machine))]
    shown += [logs.text, *capfd.readouterr()]
    assert [seen_in(text) for text in shown] == [[]] * len(shown)
    assert "x-echo" in logs.text


def test_a_token_that_shows_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    way = Transport("demo", "http://127.0.0.1", Secret("another"))
    assert seen_in(way.told(f"who is {CANARY}?")) == list(HALVES)
    assert seen_in(json.dumps(CANARY).encode()) == list(HALVES)

    def leak(token: str) -> None:
        raise RapidIsingError("no")

    leak.__code__ = leak.__code__.replace(co_filename="/elsewhere.py")
    with pytest.raises(RapidIsingError) as caught:
        leak(CANARY)
    assert seen_in(everything(caught.value)) == list(HALVES)
