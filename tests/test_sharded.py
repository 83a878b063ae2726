"""Reads spread over workers: the same samples whatever runs them, errors, deadlines, and workers that die."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import joblib
import numpy as np
import pytest
from adapters import ADAPTERS, LOCAL
from dwave.samplers import SimulatedAnnealingSampler
from hypothesis import given, settings
from hypothesis import strategies as st
from mortal import Mortal, calls, kill_in_the_middle

import rapid_ising as ri
from rapid_ising import parallel
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    IncompleteError,
    InvalidParameterError,
    RapidIsingError,
)
from rapid_ising.machine import Calibrated, Gauged, Journaled, Recorded, Sharded
from rapid_ising.testing import BackendConformance
from rapid_ising.typing import States

MODEL = ri.IsingModel(
    [0.3, -0.2, 0.1, 0.0], np.array([[0, 1, 0, 1], [1, 0, -1, 0], [0, -1, 0, 0.5], [1, 0, 0.5, 0]])
)


@pytest.fixture(scope="module", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)


class TestConformance(BackendConformance):
    """Two local machines, one in threads and one in processes."""

    @pytest.fixture(params=["threads", "processes"])
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        name = {"threads": "gibbs", "processes": "exact"}[request.param]
        return Sharded(name, shards=3, engine=request.param, workers=2)


@final
@dataclasses.dataclass(frozen=True)
class Weighted(ri.LocalBackend):
    """The exact law; it keeps what it is asked, and fails at the reads it is told to."""

    name: ClassVar[str] = "weighted"

    fails: int | None = None
    kind: type[Exception] = BackendError
    capabilities: ri.Capabilities = ri.Capabilities(initial_states=True)  # noqa: RUF009 - frozen
    asked: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        self.asked.append(request)
        if len(self.asked) - 1 == self.fails:
            raise self.kind("lost power")
        if request.initial_states is not None:
            return request.initial_states, {}
        return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng), {}


def samples(backend: ri.Backend, **asked: Any) -> Any:
    return backend.sample(MODEL, **{"num_reads": 30, "seed": 7, **asked}).record.sample


@functools.cache
def serial(shards: int, reads: int, seed: int, name: str = "gibbs") -> Any:
    return samples(Sharded(name, shards=shards, engine="serial"), num_reads=reads, seed=seed)


class TestSameSamples:
    @settings(max_examples=40, deadline=None)
    @given(
        engine=st.sampled_from(["threads", "processes", "serial"]),
        workers=st.sampled_from([None, 1, 2]),
        shards=st.integers(1, 9),
        reads=st.integers(1, 40),
        seed=st.integers(0, 3),
        name=st.sampled_from(["gibbs", "simulated-annealing", "exact"]),
    )
    def test_whatever_the_engine_and_the_number_of_workers(
        self, engine: Any, workers: int | None, shards: int, reads: int, seed: int, name: str
    ) -> None:
        machine = Sharded(name, shards=shards, engine=engine, workers=workers)
        found = samples(machine, num_reads=reads, seed=seed)
        assert found.shape == (reads, 4)
        assert np.array_equal(found, serial(shards, reads, seed, name))

    def test_shards_have_random_numbers_of_their_own(self) -> None:
        rows = samples(Sharded("exact", shards=2, engine="serial"), num_reads=400)
        assert not np.array_equal(rows[:200], rows[200:])
        assert not np.array_equal(rows, serial(2, 400, 8, "exact"))

    def test_other_shards_are_other_samples(self) -> None:
        assert not np.array_equal(serial(2, 40, 0), serial(3, 40, 0))

    def test_joblib_says_what_runs_them(self) -> None:
        machine = Sharded("exact", shards=3)
        for backend, told in (("threading", "threads"), ("sequential", "serial"), ("loky", "processes")):
            with joblib.parallel_config(backend, n_jobs=2):
                answer = machine.sample(MODEL, num_reads=30, seed=7)
            assert np.array_equal(answer.record.sample, serial(3, 30, 7, "exact"))
            (record,) = answer.info["rapid_ising"]["stages"]
            assert (record["shards"], record["engine"]) == (3, told)
            assert [part[0]["stage"] for part in record["parts"]] == ["exact"] * 3

    def test_large_arrays_travel_too(self) -> None:
        matrix = np.triu(np.random.default_rng(0).normal(size=(500, 500)) / 22, k=1)
        model = ri.IsingModel(np.zeros(500), matrix + matrix.T)
        machine = ri.load_backend("simulated-annealing", num_sweeps=10)
        found = [
            Sharded(machine, shards=2, engine=engine).sample(model, num_reads=4, seed=0).record.sample
            for engine in ("serial", "processes")
        ]
        assert np.array_equal(*found)


class TestStage:
    def test_initial_states_go_with_their_reads(self) -> None:
        states = 2 * np.random.default_rng(0).integers(2, size=(7, 4)) - 1
        machine = Weighted()
        found = samples(Sharded(machine, shards=3, engine="serial"), num_reads=7, initial_states=states)
        assert np.array_equal(found, states)
        assert [request.num_reads for request in machine.asked] == [2, 2, 3]

    def test_a_limit_of_reads_is_one_of_each_shard(self) -> None:
        machine = Weighted(capabilities=ri.Capabilities(max_reads=10))
        sharded = Sharded(machine, shards=3, engine="serial")
        assert sharded.capabilities.max_reads == 30
        assert len(samples(sharded)) == 30
        assert max(request.num_reads for request in machine.asked) == 10
        with pytest.raises(CapabilityError, match="at most 30 reads a call and 31"):
            sharded.check(MODEL, num_reads=31)
        with pytest.raises(CapabilityError):
            sharded.sample(MODEL, num_reads=31)
        assert len(machine.asked) == 3

    def test_weights_and_distinct_states_come_back_as_from_parts(self) -> None:
        answer = Sharded(dimod.ExactSolver(), shards=3, engine="threads").sample(MODEL, num_reads=30)
        rows = answer.record.sample
        assert len(np.unique(rows, axis=0)) == len(rows)

    def test_gauges_are_spread(self) -> None:
        answer = Sharded(Gauged("exact", gauges=2), shards=2, engine="threads").sample(MODEL, num_reads=8)
        assert [part[0]["gauges"] for part in answer.info["rapid_ising"]["stages"][0]["parts"]] == [2, 2]

    def test_its_sweeps_reach_the_machine(self) -> None:
        assert Sharded("gibbs", engine="threads").for_refresh(3).inner.burn_in == 3  # type: ignore[attr-defined]

    def test_a_plan_runs_here(self, tmp_path: Path) -> None:
        plan = ri.plan(Sharded(Mortal(str(tmp_path)), shards=3), MODEL, num_reads=30)
        assert (plan.calls, plan.reads) == (3, 30)
        assert "spreads the reads over workers: shards 3" in str(plan)
        assert calls(tmp_path) == []

    def test_prepare_goes_around_it(self) -> None:
        machine = Sharded(ri.load_backend("twin-bifurcation"), shards=2, engine="threads")
        chain = ri.prepare(machine, MODEL, show=False)
        assert chain.sample(MODEL, num_reads=4, seed=0).info["rapid_ising"]["stages"][0]["shards"] == 2

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"shards": 0}, "shards must be"),
            ({"engine": "gpu"}, "engine must be 'threads', 'processes', 'serial' or None"),
            ({"workers": 0}, "workers must be"),
            ({"timeout": 0}, "timeout must be"),
        ],
    )
    def test_options_out_of_range_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidParameterError, match=message):
            Sharded("exact", **options)

    def test_a_memory_is_not_split(self, tmp_path: Path) -> None:
        twin = ri.load_backend("twin-dwave", topology="complete", size=8)
        kept = Recorded("exact", tmp_path / "a"), Journaled("exact", tmp_path / "b")
        for stage in (Calibrated(twin), *kept):
            with pytest.raises(InvalidParameterError, match=r"put it around, \w+\(Sharded"):
                Sharded(stage)
            getattr(stage, "close", lambda: None)()
        recorded = Recorded(Sharded("exact", shards=3, engine="threads"), tmp_path / "c")
        assert np.array_equal(samples(recorded), serial(3, 30, 7, "exact"))
        recorded.close()


class TestSecrets:
    @pytest.mark.parametrize("name", ADAPTERS)
    def test_a_machine_behind_a_service_is_refused(self, name: str) -> None:
        machine = ri.load_backend(name, **ADAPTERS[name].options, token="mackerel")
        with pytest.raises(InvalidParameterError, match="Batched") as caught:
            Sharded(machine)
        assert "mackerel" not in str(caught.value)

    @pytest.mark.parametrize("name", ADAPTERS)
    def test_and_does_not_travel(self, name: str) -> None:
        import pickle  # noqa: TID251

        machine = ri.load_backend(name, **ADAPTERS[name].options, token="mackerel")
        with pytest.raises(InvalidParameterError, match="written nowhere") as caught:
            pickle.dumps(machine)
        assert "mackerel" not in str(caught.value)


class TestTravel:
    @pytest.mark.parametrize("name", LOCAL)
    def test_every_local_machine_does(self, name: str) -> None:
        import pickle  # noqa: TID251

        machine = ri.load_backend(name)
        copy = pickle.loads(pickle.dumps(machine))  # noqa: S301 - what joblib does
        assert copy == machine
        assert copy.capabilities.row() == machine.capabilities.row()

    def test_a_deadline_carries_the_seconds_left(self) -> None:
        import copy

        deadline = Deadline(100)
        other = copy.copy(deadline)
        assert other.seconds == 100
        assert 99 < other.remaining <= deadline.remaining + 1e-3
        assert copy.copy(Deadline(None)).remaining == np.inf

    def test_what_does_not_is_told_what_to_do(self) -> None:
        with pytest.raises(BackendError, match='engine="threads"'):
            samples(Sharded(Bound(), shards=2, engine="processes"), seed=None)


class Bound(dimod.ExactSolver):
    """A sampler that holds what only this process has."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __reduce__(self) -> Any:
        raise InvalidParameterError("a handle does not pickle")


class TestErrors:
    @pytest.mark.parametrize("engine", ["serial", "threads"])
    def test_a_shard_that_fails_leaves_the_others(self, engine: Any) -> None:
        with pytest.raises(IncompleteError, match=r"2 of 3 shards arrived.*lost power") as caught:
            samples(Sharded(Weighted(fails=1), shards=3, engine=engine, workers=1))
        assert caught.value.samples is not None
        assert len(caught.value.samples) == 20
        assert isinstance(caught.value.__cause__, BackendError)

    def test_from_another_process_too(self) -> None:
        # Each process counts for itself: the first shard of each one fails.
        with pytest.raises(IncompleteError, match=r"0 of 2 shards arrived.*lost power") as caught:
            samples(Sharded(Weighted(fails=0), shards=2, engine="processes", workers=2))
        assert caught.value.samples is None

    @pytest.mark.parametrize("engine", ["serial", "threads", "processes"])
    def test_a_fault_of_the_machine_is_told_as_one(self, engine: Any) -> None:
        with pytest.raises(BackendError, match="ZeroDivisionError: lost power") as caught:
            samples(Sharded(Weighted(fails=0, kind=ZeroDivisionError), shards=2, engine=engine))
        assert isinstance(caught.value, RapidIsingError)

    @pytest.mark.parametrize("engine", ["threads", "processes"])
    def test_a_deadline_ends_the_wait(self, engine: Any, tmp_path: Path) -> None:
        machine = Sharded(Mortal(str(tmp_path), seconds=20), shards=4, engine=engine, workers=2)
        if engine == "processes":
            samples(Sharded("exact", shards=2, engine=engine, workers=2))
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"within its deadline of 0\.5 s"):
            samples(machine, deadline=0.5)
        assert time.monotonic() - began < 10

    def test_silence_ends_the_wait_without_a_deadline(self, tmp_path: Path) -> None:
        machine = Mortal(str(tmp_path), seconds=1)
        with pytest.raises(DeadlineExceededError, match=r"none of the 2 pieces .* for 0\.2 s"):
            samples(Sharded(machine, shards=2, engine="threads", workers=2, timeout=0.2))

    def test_what_came_in_before_a_deadline_is_kept(self, tmp_path: Path) -> None:
        machine = Sharded(Mortal(str(tmp_path), seconds=0.4), shards=4, engine="serial")
        with pytest.raises(IncompleteError, match="of 4 shards arrived") as caught:
            samples(machine, deadline=1.0)
        assert caught.value.samples is not None
        assert len(caught.value.samples) in (7, 15)

    @pytest.mark.parametrize("engine", ["serial", "threads", "processes"])
    def test_an_interrupt_ends_it(self, engine: str, tmp_path: Path) -> None:
        code = (
            "from mortal import Mortal; import rapid_ising as ri; from rapid_ising.machine import Sharded\n"
            f"machine = Sharded(Mortal({str(tmp_path)!r}, seconds=60), shards=4, engine={engine!r})\n"
            "machine.sample(ri.IsingModel([1.0], [[0.0]]), num_reads=4)\n"
        )
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            wait_for(lambda: calls(tmp_path))
            # As Ctrl-C does, to all processes of the terminal.
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=20)
            assert process.returncode == -signal.SIGINT
            assert said.rstrip().endswith(b"KeyboardInterrupt")
            for worker in set(calls(tmp_path)):
                wait_for(functools.partial(gone, worker))
        finally:
            process.kill()


def wait_for(there: Any) -> None:
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class TestWorkersThatDie:
    def test_their_shards_are_run_again_and_no_others(self, tmp_path: Path) -> None:
        reference = serial(6, 30, 7, "exact")
        with ThreadPoolExecutor(1) as other:
            killed = other.submit(kill_in_the_middle(tmp_path, 3))
            machine = Sharded(Mortal(str(tmp_path), seconds=0.3), shards=6, engine="processes", workers=2)
            assert np.array_equal(samples(machine), reference)
        assert killed.result() in calls(tmp_path)
        # The two that had come in are kept: of the six, at most those with the two workers began twice.
        assert 7 <= len(calls(tmp_path)) <= 8

    def test_one_that_always_dies_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parallel, "NEW_POOLS", 1)
        with pytest.raises(IncompleteError, match="processes died 2 times with 2 of 2 pieces not done"):
            samples(Sharded(Deadly(os.getpid()), shards=2, engine="processes", workers=2))

    def test_a_cluster_gives_them_to_another(self, tmp_path: Path, cluster: Any) -> None:
        reference = serial(6, 30, 7, "exact")
        with joblib.parallel_config("dask"), ThreadPoolExecutor(1) as other:
            assert np.array_equal(samples(Sharded("exact", shards=6)), reference)
            killed = other.submit(kill_in_the_middle(tmp_path, 3))
            answer = Sharded(Mortal(str(tmp_path), seconds=0.3), shards=6).sample(MODEL, num_reads=30, seed=7)
        assert np.array_equal(answer.record.sample, reference)
        assert answer.info["rapid_ising"]["stages"][0]["engine"] == "dask"
        assert killed.result() in calls(tmp_path)
        assert len(calls(tmp_path)) > 6
        assert os.getpid() not in calls(tmp_path)

    def test_a_cluster_that_gives_up_is_an_error(self, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
        with joblib.parallel_config("dask"), pytest.raises(IncompleteError, match="KilledWorker"):
            samples(Sharded(Deadly(os.getpid()), shards=1))

    def test_a_cluster_of_one_core_does_the_work_itself(
        self, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import distributed

        # As it is for a moment after a worker died: joblib would do the work here.
        monkeypatch.setattr(distributed.Client, "ncores", lambda self: {"the one that is left": 1})
        with joblib.parallel_config("dask"):
            found = samples(Sharded(Mortal(str(tmp_path)), shards=3))
        assert np.array_equal(found, serial(3, 30, 7, "exact"))
        assert len(calls(tmp_path)) >= 3
        assert os.getpid() not in calls(tmp_path)

    def test_what_cannot_be_sent_to_a_cluster_is_an_error(self, cluster: Any) -> None:
        with joblib.parallel_config("dask"), pytest.raises(BackendError, match='engine="threads"'):
            samples(Sharded(Bound(), shards=2), seed=None)


@final
@dataclasses.dataclass(frozen=True)
class Deadly(ri.LocalBackend):
    """A machine that takes its process with it."""

    name: ClassVar[str] = "deadly"

    asker: int
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        assert os.getpid() != self.asker
        os._exit(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes on this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as running,
        Client(running),
    ):
        yield running


def test_wrapped_samplers_run_in_threads() -> None:
    annealer = ri.WrappedSampler(
        SimulatedAnnealingSampler(),  # type: ignore[no-untyped-call]
        parameters={"num_sweeps": 20},
    )
    runs: list[tuple[Any, int | None]] = [("threads", 2), ("threads", 1), ("serial", None), ("processes", 2)]
    found = [samples(Sharded(annealer, shards=4, engine=engine, workers=workers)) for engine, workers in runs]
    assert all(np.array_equal(found[0], other) for other in found)
