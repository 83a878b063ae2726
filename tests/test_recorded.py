"""Recordings: bit for bit the same without the machine, and whole after any interruption."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rapid_ising as ri
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    CheckpointError,
    DeadlineExceededError,
    IncompleteError,
    InvalidDataError,
    InvalidParameterError,
    ReplayError,
)
from rapid_ising.machine import Batched, Embedded, Gauged, Recorded, Refined, Replayed, Scaled
from rapid_ising.machine.record_capabilities import capabilities_from_json, capabilities_to_json
from rapid_ising.machine.record_file import RecordFile, RecordWriter
from rapid_ising.machine.record_request import difference, request_to_json
from rapid_ising.machine.record_values import (
    answer_from_json,
    answer_to_json,
    array_from_json,
    array_to_json,
    generator_to_json,
    label_from_json,
    label_to_json,
    set_generator,
    states_from_json,
    states_to_json,
)
from rapid_ising.notices import RapidIsingWarning
from rapid_ising.plain import plain
from rapid_ising.registry import available_backends, load_backend
from rapid_ising.testing import BackendConformance
from rapid_ising.typing import States

COUPLINGS = np.array([[0, -1, 0.5], [-1, 0, 2], [0.5, 2, 0]])
MODEL = ri.IsingModel([0.5, -0.25, 0.0], COUPLINGS, 0.75)
GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM]


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module", autouse=True)
def synced() -> Iterator[list[int]]:
    """Note what is put on the disk instead of waiting for it: no test cuts the power."""
    noted: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", noted.append)
        yield noted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.jsonl"


@final
class Telling(ri.Submission):
    """A submission that tells each of its outcomes in turn, the last one again and again."""

    id = "job 7"

    def __init__(self, outcomes: list[Callable[[], ri.Answer]]) -> None:
        self.outcomes = outcomes

    def done(self) -> bool:
        return True

    def answer(self, timeout: float | None = None) -> ri.Answer:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return outcome()

    def cancel(self) -> bool:
        return False


@final
@dataclasses.dataclass(frozen=True)
class Scripted(ri.Machine):
    """A machine that gives weights and draws from the generator where it is told, then fails or not."""

    name: ClassVar[str] = "scripted"
    capabilities = ri.Capabilities(initial_states=True)

    script: tuple[str, ...] = ("answer",)
    token: str = dataclasses.field(default="s3cret-t0ken", repr=False)

    def _submit(self, request: ri.Request) -> ri.Submission:
        request.rng.random(3)
        if self.script[0] == "refuse":
            raise CapabilityError("no time for this")

        def outcome(kind: str) -> ri.Answer:
            shape = (request.num_reads, request.model.num_variables)
            states = 2 * np.random.default_rng(4).integers(2, size=shape) - 1
            found = request.answer(states, [{"stage": self.name, "kind": kind}], np.full(shape[0], 1 / 3))
            first = ri.Answer(found.states[:1], found.stages, np.ones(1))
            if kind == "draws":
                request.rng.random(2)
            if kind == "late":
                raise DeadlineExceededError("not yet")
            if kind == "partial":
                raise IncompleteError("1 of 2 arrived", first)
            if kind == "nothing":
                raise IncompleteError("0 of 2 arrived")
            if kind == "bug":
                raise ZeroDivisionError("division by zero")
            return found

        return Telling([lambda kind=kind: outcome(kind) for kind in self.script])  # type: ignore[misc]


def same(first: dimod.SampleSet, second: dimod.SampleSet) -> None:
    assert first.vartype is second.vartype
    assert list(first.variables) == list(second.variables)
    assert first.record.dtype == second.record.dtype
    assert first.record.tobytes() == second.record.tobytes()


# Training


@final
@dataclasses.dataclass(frozen=True)
class Limited(ri.Machine):
    """neal's annealer behind limits."""

    name: ClassVar[str] = "limited"

    limits: Mapping[str, Any]
    sweeps: int = 20

    @property
    def inner(self) -> ri.Backend:
        return load_backend("simulated-annealing", num_sweeps=self.sweeps)

    @property
    def capabilities(self) -> ri.Capabilities:  # type: ignore[override]
        return dataclasses.replace(self.inner.capabilities, **self.limits)

    def for_refresh(self, sweeps: int) -> Limited:
        return dataclasses.replace(self, sweeps=sweeps)

    def _submit(self, request: ri.Request) -> ri.Submission:
        return self.inner._accept(request)()


Around = Callable[[ri.Backend], ri.Backend]
CHAINS: dict[str, tuple[Around, dict[str, Any]]] = {
    "alone": (lambda machine: machine, {}),
    "scaled": (
        lambda machine: Scaled(machine, coupling_range=(-0.2, 0.2)),
        {"coupling_range": (-0.25, 0.25)},
    ),
    "gauged": (lambda machine: Gauged(machine, gauges=3), {}),
    "batched": (lambda machine: Batched(machine, in_flight=2), {"max_reads": 24}),
    "refined": (lambda machine: Refined(machine, sweeps=2), {}),
    "embedded": (lambda machine: Embedded(machine), {"topology": nx.complete_bipartite_graph(7, 17)}),
    "all": (
        lambda machine: Refined(
            Gauged(Scaled(Batched(machine), coupling_range=(-0.2, 0.2)), gauges=2), sweeps=1
        ),
        {"max_reads": 24, "field_range": (-1, 1), "coupling_range": (-0.25, 0.25)},
    ),
}


@pytest.mark.parametrize(("around", "limits"), CHAINS.values(), ids=CHAINS.keys())
@pytest.mark.parametrize("kind", ["free", "patterns"])
def test_a_replayed_training_gives_the_same_model(
    path: Path, around: Around, limits: dict[str, Any], kind: str
) -> None:
    def train(backend: ri.Backend) -> ri.Model:
        # The second starts at its patterns: through for_refresh, and with initial states.
        model: ri.Model = ri.RBM(16, 6, seed=0) if kind == "free" else ri.PatternRBM(16, 6, 8, seed=0)
        data = ri.datasets.stripes(4).train
        ri.train(model, data, backend=around(backend), epochs=2, batch_size=4, seed=5, progress=False)
        return model

    machine = Limited(limits)
    bare = train(machine)
    with_file = Recorded(machine, path)
    recorded = train(with_file)
    with_file.close()
    replay = Replayed(path)
    replayed = train(replay)
    for name, array in recorded.parameters.items():
        assert array.tobytes() == bare.parameters[name].tobytes(), "recording changed the training"
        assert array.tobytes() == replayed.parameters[name].tobytes()
    with pytest.raises(ReplayError, match=f"holds {replay.recorded} requests"):
        replay.sample(ri.IsingModel([], np.zeros((0, 0))))


def test_a_replay_needs_no_machine(path: Path) -> None:
    Recorded("gibbs", path).sample(MODEL, num_reads=4, seed=1)
    code = (
        "import sys; sys.modules['rapid_ising_backends'] = None\n"
        "import numpy as np, rapid_ising as ri\n"
        "from rapid_ising.machine import Replayed\n"
        "model = ri.IsingModel([0.5, -0.25, 0.0], [[0, -1, 0.5], [-1, 0, 2], [0.5, 2, 0]], 0.75)\n"
        f"machine = Replayed({str(path)!r})\n"
        "print(machine.name, machine.sample(model, num_reads=4, seed=1).record.sample.tolist())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    expected = load_backend("gibbs").sample(MODEL, num_reads=4, seed=1).record.sample.tolist()
    assert told.stdout.strip() == f"replay:gibbs {expected}"


# What a replay says and does


def test_names_and_records(path: Path) -> None:
    there = Recorded("exact", path).sample(MODEL, num_reads=4, seed=1)
    replay = Replayed(path)
    again = replay.sample(MODEL, num_reads=4, seed=1)
    same(there, again)
    ours, theirs = there.info["rapid_ising"], again.info["rapid_ising"]
    assert (ours["backend"], theirs["backend"]) == ("exact", "replay:exact")
    assert ours["stages"][:-1] == theirs["stages"][:-1]
    assert ours["stages"][-1] == {"stage": "recorded", "file": "recording.jsonl", "request": 1}
    assert theirs["stages"][-1] == {
        "stage": "replayed",
        "replayed": True,
        "file": "recording.jsonl",
        "request": 1,
    }
    assert "Replayed" in repr(replay)
    assert replay.capabilities == load_backend("exact").capabilities


@pytest.mark.parametrize("bits", GENERATORS, ids=lambda kind: kind.__name__)
def test_the_generator_moves_as_it_did(path: Path, bits: Any) -> None:
    """Also when the asker draws between sending and the answer, and when the machine draws at the answer."""

    def drawn(machine: ri.Backend) -> list[float]:
        rng = np.random.Generator(bits(3))
        jobs, numbers = [], []
        for _ in range(2):
            jobs.append(machine.submit(MODEL, num_reads=2, seed=rng))
            numbers.append(rng.random())
        for job in jobs:
            job.result()
            numbers.append(rng.random())
        return numbers

    numbers = drawn(Scripted(("draws",)))
    assert drawn(Recorded(Scripted(("draws",)), path)) == numbers
    assert drawn(Replayed(path)) == numbers


def test_a_generator_of_another_kind_is_refused(path: Path) -> None:
    Recorded("gibbs", path).sample(MODEL, seed=1)
    with pytest.raises(ReplayError, match="PCG64 generator and a MT19937 was given"):
        Replayed(path).sample(MODEL, seed=np.random.Generator(np.random.MT19937(1)))


def test_without_a_seed(path: Path) -> None:
    there = Recorded("gibbs", path).sample(MODEL, num_reads=9)
    same(there, Replayed(path).sample(MODEL, num_reads=9))


def test_first_begins_later_and_a_file_goes_on(path: Path) -> None:
    for beta in (0.5, 1.0):
        machine = Recorded("gibbs", path)
        there = machine.sample(MODEL, num_reads=4, beta=beta, seed=1)
        machine.close()
    replay = Replayed(path, first=2)
    assert replay.recorded == 2
    same(there, replay.sample(MODEL, num_reads=4, beta=1.0, seed=1))
    with pytest.raises(ReplayError, match=r"recording.jsonl holds 2 requests and replay:gibbs was asked one"):
        replay.sample(MODEL)
    for first, text in ((3, "holds 2"), (0, "at least 1")):
        with pytest.raises(InvalidParameterError, match=text):
            Replayed(path, first=first)


def test_check_and_refusals_write_nothing(path: Path) -> None:
    machine = Recorded("exact", path)
    size = path.stat().st_size
    machine.check(MODEL)
    with pytest.raises(CapabilityError):
        machine.sample(MODEL, initial_states=[[1, 1, 1]])
    with pytest.raises(InvalidDataError, match="cannot hold the label"):
        machine.sample(dimod.BinaryQuadraticModel({b"a": 1.0}, {}, "SPIN"))
    assert path.stat().st_size == size


def test_reads_weights_and_starts(path: Path) -> None:
    bqm = dimod.BinaryQuadraticModel({"b": 1.0, ("a", 3): -0.5}, {("b", ("a", 3)): 0.3}, 0.1, "BINARY")
    arguments: dict[str, Any] = {
        "num_reads": 3,
        "initial_states": [[0, 1], [1, 1]],
        "seed": 2,
        "beta": np.inf,
    }
    there = Recorded(Scripted(), path).sample(bqm, **arguments)
    again = Replayed(path).sample(bqm, **arguments)
    same(there, again)
    assert again.record.weight.tolist() == [1 / 3] * 3
    content = RecordFile(path).content("request", RecordFile(path).requests[0].place)
    assert states_from_json(content["initial_states"]).tolist() == [[-1, 1], [1, 1], [-1, 1]]


# Failures


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        ("refuse", CapabilityError, "no time"),
        ("late", DeadlineExceededError, "not yet"),
        ("partial", IncompleteError, "1 of 2"),
        ("nothing", IncompleteError, "0 of 2"),
        ("bug", BackendError, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_failed_fails_again(path: Path, script: str, kind: type[Exception], text: str) -> None:
    machine = Recorded(Scripted((script,)), path)
    rng = np.random.default_rng(0)
    with pytest.raises((kind, ZeroDivisionError)) as first:
        machine.sample(MODEL, num_reads=2, seed=rng)
    fine = Recorded(Scripted(), machine.path).sample(MODEL, num_reads=2, seed=0)
    replay, again = Replayed(path), np.random.default_rng(0)
    with pytest.raises(kind, match=text) as second:
        replay.sample(MODEL, num_reads=2, seed=again)
    assert second.value.__notes__ == ["replayed: request 1 of recording.jsonl"]
    assert rng.bit_generator.state == again.bit_generator.state
    if isinstance(first.value, IncompleteError):
        assert isinstance(second.value, IncompleteError)
        if first.value.samples is None:
            assert second.value.samples is None
        else:
            assert second.value.samples is not None
            same(first.value.samples, second.value.samples)
    same(fine, replay.sample(MODEL, num_reads=2, seed=0))


def test_a_later_try_for_the_answer(path: Path) -> None:
    """A time-out of one wait is not the end: the same job gives its answer later."""
    job = Recorded(Scripted(("late", "late", "answer")), path).submit(MODEL, seed=0)
    again = Replayed(path)  # Opened before there is an answer: it keeps to what was there.
    for _ in range(2):
        with pytest.raises(DeadlineExceededError):
            job.result(timeout=1)
    there = job.result()
    assert job.id == "job 7"
    replayed = Replayed(path).submit(MODEL, seed=0)
    for _ in range(2):
        with pytest.raises(DeadlineExceededError):
            replayed.result(timeout=1)
    same(there, replayed.result())
    assert replayed.id == "job 7"
    pending = again.submit(MODEL, seed=0)
    for _ in range(2):
        with pytest.raises(ReplayError, match=r"request 1 of recording.jsonl has no answer"):
            pending.result()


# Another request


def request(
    model: ri.IsingModel = MODEL,
    num_reads: int = 2,
    beta: float = 1.0,
    labels: tuple[Any, ...] = (0, 1, 2),
    start: Any = ((1, -1, 1), (1, 1, 1)),
    vartype: dimod.Vartype = dimod.SPIN,
) -> ri.Request:
    states = None if start is None else np.array(start, np.int8)
    rng = np.random.default_rng(0)
    return ri.Request(
        model, num_reads, beta, rng, states, Deadline(), list(labels), vartype, "multiset", {"backend": "x"}
    )


def changed(**parts: Any) -> ri.IsingModel:
    couplings = parts.get("couplings", COUPLINGS)
    return ri.IsingModel(parts.get("fields", [0.5, -0.25, 0.0]), couplings, parts.get("offset", 0.75))


OTHERS: list[tuple[ri.Request, str]] = [
    (request(num_reads=3), "reads: 2 recorded, 3 asked"),
    (request(beta=np.inf), "beta: 1.0 recorded, inf asked"),
    (request(changed(offset=1)), "offset: 0.75 recorded, 1.0 asked"),
    (request(vartype=dimod.BINARY), "vartype: SPIN recorded, BINARY asked"),
    (
        request(labels=(0, ("a", 1), "b")),
        "labels differ in 2 of 3 places, first at 1: 1 recorded, ('a', 1) asked",
    ),
    (
        request(changed(fields=[0.5, -0.25, 1e-300])),
        "fields differ in 1 of 3 places, first at 2: 0.0 recorded, 1e",
    ),
    (
        request(changed(fields=np.array([0.5, -0.25, 0], np.float32))),
        "dtype of fields: float64 recorded, float32 asked",
    ),
    (
        request(changed(couplings=[[0, -1, 0], [-1, 0, 3], [0, 3, 0]])),
        "couplings differ in 2 pairs, first at 0, 2: 0.5 recorded, 0.0 asked",
    ),
    (
        request(changed(couplings=COUPLINGS.astype(np.float32))),
        "dtype of couplings: float64 recorded, float32 asked",
    ),
    (request(start=None), "initial_states: given recorded, none asked"),
    (
        request(start=((1, -1, 1), (1, -1, 1))),
        "initial_states differ in 1 of 6 places, first at 1, 1: 1 recorded, -1 asked",
    ),
    (request(start=((1, -1, 1),)), "shape of initial_states: (2, 3) recorded, (1, 3) asked"),
    (request(ri.IsingModel([0.5], [[0.0]]), labels=(0,)), "spins: 3 recorded, 1 asked"),
]


@pytest.mark.parametrize(("other", "text"), OTHERS, ids=[text.split(":")[0] for _, text in OTHERS])
def test_another_request_is_told(other: ri.Request, text: str) -> None:
    recorded, asked = through_json(request_to_json(request())), through_json(request_to_json(other))
    assert text in difference(recorded, asked)


def test_another_request_is_an_error_and_does_not_move_on(path: Path) -> None:
    there = Recorded("exact", path).sample(MODEL, num_reads=4, seed=1)
    replay = Replayed(path)
    with pytest.raises(
        ReplayError, match=r"request 1 of recording.jsonl is another one: beta: 1.0 rec.* 2.0 asked"
    ):
        replay.sample(MODEL, num_reads=4, seed=1, beta=2.0)
    same(there, replay.sample(MODEL, num_reads=4, seed=1))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_same_couplings_in_another_structure_are_the_same_request(sign: int) -> None:
    block = np.array([[0.5, 0.0, -1.0], [2.0, 3.0, 0.25]])
    dense = ri.Bipartite(block).to_dense()
    i, j = np.nonzero(np.triu(dense))
    order = np.random.default_rng(0).permutation(len(i))
    fields = sign * np.zeros(5)
    labels = (0, 1, 2, 3, 4)
    told = [
        request_to_json(request(ri.IsingModel(fields, couplings), labels=labels, start=None))
        for couplings in (ri.Bipartite(block), dense, ri.Sparse(5, j[order], i[order], dense[i, j][order]))
    ]
    assert told[0] == told[1] == told[2]
    assert told[0]["fields"] == array_to_json(np.zeros(5))


# The file


def recorded_lines(path: Path, reads: int = 2) -> list[bytes]:
    machine = Recorded("exact", path)
    for seed in range(2):
        machine.sample(MODEL, num_reads=reads, seed=seed)
    machine.close()
    return path.read_bytes().splitlines(keepends=True)


def test_a_file_cut_anywhere_in_its_last_record_opens(path: Path) -> None:
    lines = recorded_lines(path)
    assert [
        next(k for k in ("request", "sent", "answer") if k in json.loads(line)) for line in lines[1:]
    ] == [
        "request",
        "sent",
        "answer",
    ] * 2
    whole = path.read_bytes()
    first = load_backend("exact").sample(MODEL, num_reads=2, seed=0)
    # The last answer, and the last request when it is the last line.
    for count, kept in ((len(lines), 2), (5, 1)):
        start = sum(map(len, lines[: count - 1]))
        for cut in range(start, start + len(lines[count - 1])):
            path.write_bytes(whole[:cut])
            if cut == start:
                replay = Replayed(path)
            else:
                with pytest.warns(
                    UserWarning, match=rf"cut short: {cut - start} bytes .* {kept} requests kept"
                ):
                    replay = Replayed(path)
            assert replay.recorded == kept
            same(first, replay.sample(MODEL, num_reads=2, seed=0))
            with pytest.raises(ReplayError, match=r"has no answer|holds 1 requests"):
                replay.sample(MODEL, num_reads=2, seed=1)


def test_a_writer_goes_on_after_a_cut(path: Path) -> None:
    lines = recorded_lines(path)
    whole = path.read_bytes()
    second = load_backend("exact").sample(MODEL, num_reads=2, seed=1)
    path.write_bytes(whole[: -len(lines[-1]) - len(lines[-2]) - 5])
    with pytest.warns(RapidIsingWarning, match="1 requests kept"):
        machine = Recorded("exact", path)
    machine.sample(MODEL, num_reads=2, seed=1)
    same(second, Replayed(path, first=2).sample(MODEL, num_reads=2, seed=1))


def test_a_head_cut_anywhere_is_begun_anew(path: Path) -> None:
    head = recorded_lines(path)[0]
    for cut in [*range(0, len(head), 29), len(head) - 1]:
        path.write_bytes(head[:cut])
        machine: ri.Backend
        if cut:
            with pytest.warns(RapidIsingWarning, match="0 requests kept"):
                machine = Recorded("exact", path)
        else:
            machine = Recorded("exact", path)
        assert path.read_bytes() == head
        machine.close()
        path.write_bytes(head[:cut])
        with pytest.raises((CheckpointError, RapidIsingWarning), match=r"nothing was recorded|cut short"):
            Replayed(path)


def test_killed_in_the_middle_of_writing(path: Path) -> None:
    code = (
        "import numpy as np, rapid_ising as ri\n"
        "from rapid_ising.machine import Recorded\n"
        f"machine = Recorded('exact', {str(path)!r})\n"
        "model = ri.IsingModel(np.ones(4), np.zeros((4, 4)))\n"
        "while True: machine.sample(model, num_reads=20_000, seed=0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        end = time.monotonic() + 60
        while not path.exists() or path.stat().st_size < 200_000:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # The torn line, if there is one, is cut off by hand, so that the warning does not depend on the moment.
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\n") + 1])
    model = ri.IsingModel(np.ones(4), np.zeros((4, 4)))
    replay = Replayed(path)
    assert replay.recorded >= 3
    same(
        load_backend("exact").sample(model, num_reads=20_000, seed=0),
        replay.sample(model, num_reads=20_000, seed=0),
    )
    Recorded("exact", path).close()


def test_damage_is_told(path: Path) -> None:
    lines = recorded_lines(path)
    whole = path.read_bytes()
    middle = len(lines[0]) + len(lines[1]) // 2
    cases = {
        "changed": (
            whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "damaged in line 2, after 0",
        ),
        "lost": (b"".join(lines[:1] + lines[2:]), "damaged in line 2, after 0"),
        "twice": (b"".join(lines[:2] + lines[1:]), "damaged in line 3, after 1"),
        "list": (lines[0] + b"[1]\n", "damaged in line 2"),
        "later": (
            whole.replace(b'{"rapid_ising_recording":1', b'{"rapid_ising_recording":2', 1),
            "format 2 and",
        ),
        "other": (b"\x89PNG no newline", "not a recording"),
        "text": (b"{}\n", "not a recording"),
    }
    for content, text in cases.values():
        path.write_bytes(content)
        for opened in (lambda: Replayed(path), lambda: Recorded("exact", path)):
            with pytest.raises(CheckpointError, match=text):
                opened()
        assert path.read_bytes() == content, "a file that is refused stays as it was"


def test_files_that_cannot_be(path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        Replayed(path)
    with pytest.raises(CheckpointError, match="cannot write"):
        Recorded("exact", path / "no" / "folder")
    recorded_lines(path)
    with pytest.raises(CheckpointError, match="recording of exact, not of gibbs"):
        Recorded("gibbs", path)
    with pytest.raises(CheckpointError, match="other capabilities"):
        RecordWriter(path, "exact", ri.Capabilities(max_variables=3))
    replay = Replayed(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="was changed"):
        replay.sample(MODEL, num_reads=2, seed=0)


def test_a_full_disk_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Recorded("exact", path)
    machine.sample(MODEL, seed=0)
    size, write = path.stat().st_size, os.write
    room = [150]

    def limited(file: int, data: Any) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(file, data[: min(room[0], 100)])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(CheckpointError, match=r"cannot write .*No space left"):
            machine.sample(MODEL, seed=1)
    assert room == [0]
    assert path.stat().st_size == size
    machine.sample(MODEL, seed=1)
    assert Replayed(path).recorded == 2


def test_every_line_is_put_on_the_disk(path: Path, synced: list[int]) -> None:
    before = len(synced)
    assert len(recorded_lines(path)) == len(synced) - before == 7


# Writers


def test_a_second_writer_is_refused(path: Path) -> None:
    machine = Recorded("exact", path)
    with pytest.raises(CheckpointError, match="has a writer already: close it"):
        Recorded("exact", path)
    code = f"from rapid_ising.machine import Recorded; Recorded('exact', {str(path)!r})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "CheckpointError" in other.stderr
    assert "has a writer already" in other.stderr
    machine.close()
    machine.close()
    with pytest.raises(CheckpointError, match="is closed"):
        machine.sample(MODEL)
    again = Recorded("exact", path)
    again.sample(MODEL, seed=0)
    # Forgotten is closed.
    del again
    Recorded("exact", path).close()


def test_a_forked_process_does_not_write(path: Path) -> None:
    machine = Recorded("exact", path)
    size = path.stat().st_size
    # As in a child process, which has the same open file.
    machine.writer._process += 1
    with pytest.raises(CheckpointError, match="another process"):
        machine.sample(MODEL)
    assert path.stat().st_size == size


def test_threads_may_share_a_writer(path: Path) -> None:
    machine = Recorded("exact", path)
    together = threading.Barrier(4)

    def ask(seed: int) -> None:
        together.wait()
        for _ in range(10):
            machine.sample(MODEL, num_reads=3, seed=seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file = RecordFile(path)
    assert len(file.requests) == 40
    assert all([kind for kind, _ in events.later] == ["sent", "answer"] for events in file.requests)


def test_a_refreshed_stage_shares_the_writer(path: Path) -> None:
    machine = Recorded("simulated-annealing", path)
    fewer = machine.for_refresh(3)
    assert fewer is not machine
    assert isinstance(fewer.inner, type(machine.inner))
    fewer.sample(MODEL, seed=0, initial_states=[[1, 1, 1]])
    machine.sample(MODEL, seed=0)
    assert Replayed(machine.path).recorded == 2
    with pytest.raises(CheckpointError, match="recording of simulated-annealing, not of exact"):
        Recorded("exact", machine.path)


def test_no_secret_in_the_file(path: Path) -> None:
    machine = Recorded(Scripted(token="hunter2-token"), path)
    machine.sample(MODEL, seed=0)
    assert b"hunter2" not in path.read_bytes()


# Round trips


def labels() -> st.SearchStrategy[Any]:
    leaves = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.none()
    return st.recursive(
        leaves, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5
    )


@given(labels())
@settings(max_examples=300)
def test_labels_round_trip(label: Any) -> None:
    back = label_from_json(through_json(label_to_json(label)))
    assert back == label
    assert type(back) is type(label)


@given(
    hnp.arrays(
        hnp.floating_dtypes(sizes=(32, 64), endianness="?") | hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)
@settings(max_examples=300)
def test_arrays_round_trip(array: Any) -> None:
    back = array_from_json(through_json(array_to_json(array)))
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("<")
    assert back.tobytes() == array.astype(back.dtype).tobytes()


@given(
    hnp.arrays(
        np.int8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=20), elements=st.booleans()
    ),
    st.booleans(),
    st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers() | st.none() | st.text()),
)
@settings(max_examples=300)
def test_answers_round_trip(bits: Any, weighted: bool, record: Mapping[str, Any]) -> None:
    states: States = 2 * bits - 1
    weights = np.random.default_rng(len(states)).random(len(states)) if weighted else None
    back = answer_from_json(through_json(answer_to_json(ri.Answer(states, [record], weights))))
    assert back.states.dtype == np.int8
    assert np.array_equal(back.states, states)
    assert back.states.shape == states.shape
    assert list(back.stages) == [record]
    assert (None if back.weights is None else back.weights.tolist()) == (
        None if weights is None else weights.tolist()
    )
    assert np.array_equal(states_from_json(states_to_json(states)), states)


@given(
    st.integers(0, 8),
    st.integers(1, 6),
    st.floats(0, 10) | st.just(np.inf),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(["SPIN", "BINARY"]),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_requests_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    n: int,
    reads: int,
    beta: float,
    dtype: Any,
    vartype: str,
    seed: int,
) -> None:
    """What is asked in any order of insertion is the same request, and the answer the same to the bit."""
    rng = np.random.default_rng(seed)
    names = [("v", int(i)) for i in rng.permutation(n)]
    # Eighths, so that the sums of a change of vartype have no rounding that depends on the order.
    linear = {name: int(rng.integers(-9, 9)) / 8 for name in names}
    quadratic = {
        (a, b): int(rng.integers(-9, 9)) / 8 for a in names for b in names if a != b and rng.random() < 0.3
    }
    bqm = dimod.BinaryQuadraticModel(linear, quadratic, 0.5, vartype, dtype=dtype)
    path = tmp_path_factory.mktemp("recording") / "file"
    there = Recorded("exact", path).sample(bqm, num_reads=reads, beta=beta, seed=seed)
    turned = dimod.BinaryQuadraticModel(vartype)
    turned.offset = bqm.offset
    for label in reversed(list(bqm.variables)):
        turned.add_linear(label, bqm.linear[label])
    for (a, b), value in bqm.quadratic.items():
        turned.add_quadratic(b, a, value)
    same(there, Replayed(path).sample(turned, num_reads=reads, beta=beta, seed=seed))


@pytest.mark.parametrize("kind", GENERATORS, ids=lambda kind: kind.__name__)
def test_generators_round_trip(kind: Any) -> None:
    rng, other = np.random.Generator(kind(3)), np.random.Generator(kind(4))
    # Half of a 64-bit number is left over in the state.
    rng.integers(5, dtype=np.int32)
    set_generator(other, through_json(generator_to_json(rng)))
    assert (
        rng.integers(5, size=9, dtype=np.int32).tolist() == other.integers(5, size=9, dtype=np.int32).tolist()
    )
    assert rng.random() == other.random()


def alike(first: ri.Capabilities, second: ri.Capabilities) -> None:
    for field in dataclasses.fields(ri.Capabilities):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        if isinstance(ours, nx.Graph):
            assert list(ours) == list(theirs)
            assert list(ours.edges) == list(theirs.edges)
            assert plain(ours.graph) == plain(theirs.graph)
        else:
            assert ours == theirs
            assert type(ours) is type(theirs)


@pytest.mark.parametrize("name", available_backends())
def test_capabilities_of_every_machine_round_trip(name: str) -> None:
    facts = load_backend(name).capabilities
    alike(facts, capabilities_from_json(through_json(capabilities_to_json(facts))))


def test_capabilities_round_trip() -> None:
    graph: nx.Graph[Any] = nx.Graph([("a", (1, 2)), ((1, 2), 7)], family="demo", rows=2)
    graph.add_node(8)
    facts = ri.Capabilities(
        max_variables=8,
        topology=graph,
        field_range=(-2, 4.5),
        coupling_range=(-np.inf, 1),
        integer_coefficients=True,
        fields=False,
        temperature="none",
        max_beta=3.0,
        returns="distinct",
        max_reads=10,
        read_time=0.5,
        max_call_time=2.0,
        call_time=0.25,
        structures=(ri.Patterns, ri.Dense),
        seedable=False,
        remote=True,
        initial_states=True,
        exact=True,
    )
    told = through_json(capabilities_to_json(facts))
    alike(facts, capabilities_from_json(told))
    # A file of an earlier version lacks the facts that came later.
    del told["read_time"]
    assert capabilities_from_json(told).read_time is None
    with pytest.raises(InvalidDataError, match="later version"):
        capabilities_from_json({**told, "colour": "red"})
    with pytest.raises(InvalidDataError, match="no Woven couplings"):
        capabilities_from_json({**told, "structures": ["Woven"]})


class TestConformance(BackendConformance):
    @pytest.fixture
    def backend(self, path: Path) -> ri.Backend:
        return Recorded("exact", path)
