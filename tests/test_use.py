"""What samples took of a machine, held against a count at the machine itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from demo_service import demo
from dimod.reference.composites.truncatecomposite import TruncateComposite

import rapid_ising as ri
from rapid_ising.machine import Batched, Calibrated, Gauged, Journaled, Recorded, Replayed, Sharded
from rapid_ising.training.negative_phase import Mixture
from rapid_ising.training.negative_phase.base import machines_of
from rapid_ising.typing import States

PROBLEM = ri.IsingModel([0.3, -0.2, 0.1], [[0, 0.2, 0], [0.2, 0, -0.1], [0, -0.1, 0]])


@dataclasses.dataclass(frozen=True)
class Warm(ri.LocalBackend):
    """Draws exactly, at twice the beta that it is asked at, and notes each call."""

    name: ClassVar[str] = "warm"
    capabilities: ri.Capabilities = dataclasses.field(
        default=ri.Capabilities(temperature="effective"), repr=False
    )
    asked: list[int] = dataclasses.field(default_factory=list, repr=False, compare=False)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        self.asked.append(request.num_reads)
        answer = ri.load_backend("exact").sample(
            request.model, num_reads=request.num_reads, beta=2.0, seed=request.rng
        )
        return np.asarray(answer.record.sample, np.int8), {"machine_seconds": 0.25}


def test_every_call_of_every_stage_is_counted_once() -> None:
    machine = Warm(ri.Capabilities(temperature="effective", max_reads=30))
    chain = Calibrated(Gauged(Batched(machine), gauges=2))
    job = chain.submit(PROBLEM, num_reads=100, seed=np.random.default_rng(0))
    job.result()
    job.result()
    assert job.use == ri.Use(len(machine.asked), sum(machine.asked), 0.25 * len(machine.asked))
    # More than one round of 2 gauges of 2 batches: beta was not met at once.
    assert len(machine.asked) >= 8


def test_shards_count_as_calls() -> None:
    job = Sharded("exact", shards=3, engine="threads").submit(PROBLEM, num_reads=10, seed=0)
    job.result()
    assert (job.use.calls, job.use.reads) == (3, 10)


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_what_shards_took_and_who_answered_comes_back(engine: Any) -> None:
    shards = Sharded(Gauged(Warm(), gauges=2), shards=3, engine=engine, workers=2)
    job = shards.submit(PROBLEM, num_reads=12, seed=0)
    job.result()
    assert job.use == ri.Use(calls=6, reads=12, seconds=1.5)
    job = Sharded(twin(), shards=2, engine=engine, workers=2).submit(PROBLEM, num_reads=4, seed=0)
    job.result()
    assert job.use.twin == "twin-dwave"


def twin() -> ri.Backend:
    return ri.load_backend("twin-dwave", topology="complete", size=12, sweeps=10)


def test_a_twin_is_told_whatever_is_around_it(tmp_path: Path) -> None:
    def told(machine: ri.Backend) -> str | None:
        job = machine.submit(PROBLEM, num_reads=4, seed=np.random.default_rng(0))
        job.result()
        return job.use.twin

    assert told(Recorded(twin(), tmp_path / "record")) == "twin-dwave"
    assert told(Replayed(tmp_path / "record")) == "twin-dwave"
    assert told(Gauged(Batched(twin()), gauges=2)) == "twin-dwave"
    ocean = TruncateComposite(ri.as_dimod_sampler(twin()), 100)
    assert told(ri.as_backend(ocean)) == "twin-dwave"
    assert told(ri.load_backend("exact")) is None


def test_what_a_journal_answers_counts_as_if_the_machine_had(tmp_path: Path) -> None:
    uses = []
    with demo() as (service, _):
        for resume in (False, True):
            machine = Journaled(service, tmp_path / "jobs", resume=resume)
            job = machine.submit(ri.IsingModel([1.0], [[0.0]]), num_reads=7, seed=np.random.default_rng(0))
            job.result()
            uses.append(job.use)
            machine.close()
    assert uses[0] == uses[1]
    assert (uses[0].calls, uses[0].reads) == (1, 7)
    assert uses[0].emulated


def run_on(machine: ri.Backend, **options: Any) -> ri.TrainingRun:
    data = ri.datasets.stripes(3)
    model = ri.PatternRBM(9, 4, 2, seed=0)
    given = {"epochs": 4, "batch_size": 5, "seed": 0, "progress": False, **options}
    return ri.train(model, data.train, negative_phase=ri.BackendSamples(machine, num_reads=600), **given)


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.CalibrationWarning")
def test_the_history_has_it_and_the_temperatures_and_goes_on_after_a_resume(tmp_path: Path) -> None:
    machine = Warm()
    whole = run_on(machine)
    assert sum(record["machine_calls"] for record in whole.history) == len(machine.asked)
    assert sum(record["machine_reads"] for record in whole.history) == sum(machine.asked)
    assert sum(record["machine_seconds"] for record in whole.history) == 0.25 * len(machine.asked)
    last = whole.history[-1]
    # The machine is at twice the beta that is sent for, and its reads at the asked one, by five errors.
    assert abs(last["machine_beta"] - 2) < 5 * last["machine_beta_error"] < 2
    assert abs(last["reads_beta"] - 1) < 5 * last["reads_beta_error"]
    run_on(Warm(), epochs=2, checkpoint=tmp_path / "state")
    resumed = run_on(Warm(), checkpoint=tmp_path / "state", resume=True)
    for there, here in zip(whole.history, resumed.history, strict=True):
        assert {**there, "seconds": 0} == {**here, "seconds": 0}
    assert resumed.origin["machines"] == [{"name": "warm"}]
    assert [start["epochs"] for start in resumed.origin["starts"]] == [0, 2]


def test_a_mixture_adds_up_what_its_machines_took() -> None:
    parts = [ri.BackendSamples("exact", num_reads=reads) for reads in (10, 20)]
    run = ri.train(
        ri.RBM(9, 2, seed=0),
        ri.datasets.stripes(3).train,
        negative_phase=Mixture(parts),
        epochs=1,
        batch_size=100,
        seed=0,
        progress=False,
    )
    assert (run.history[0]["machine_calls"], run.history[0]["machine_reads"]) == (2, 30)


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.CalibrationWarning")
def test_a_mixture_names_each_of_its_machines(tmp_path: Path) -> None:
    def train(epochs: int, **options: Any) -> ri.TrainingRun:
        mixture = Mixture([ri.BackendSamples(twin(), num_reads=20), ri.BackendSamples("exact", num_reads=20)])
        model, data = ri.RBM(9, 2, seed=0), ri.datasets.stripes(3).train
        given = {"seed": 0, "progress": False, "checkpoint": tmp_path / "state", **options}
        return ri.train(model, data, negative_phase=mixture, epochs=epochs, batch_size=100, **given)

    told = [{"name": "twin-dwave", "twin": "twin-dwave"}, {"name": "exact"}]
    assert train(1).origin["machines"] == told
    # Without an epoch more, too.
    assert train(1, resume=True).origin["machines"] == told


def test_machines_of_earlier_files_are_read() -> None:
    assert machines_of({"machine": "cim", "emulated": "x"}) == [{"name": "cim", "emulated": "x"}]
    assert machines_of({"machine": "twin-cim"}) == [{"name": "twin-cim", "twin": "twin-cim"}]
    # What was said of a machine before a resume stays said.
    both = machines_of(
        {"machine": "cim", "emulated": "x"}, {"machines": [{"name": "cim"}, {"name": "exact"}]}
    )
    assert both == [{"name": "cim", "emulated": "x"}, {"name": "exact"}]


def test_without_a_machine_nothing_is_told() -> None:
    data = ri.datasets.stripes(3)
    run = ri.train(ri.RBM(9, 2, seed=0), data.train, negative_phase="cd", epochs=1, seed=0, progress=False)
    assert set(run.history[0]) == {"epoch", "seconds", "learning_rate"}
    assert set(run.origin) == {"starts"}
