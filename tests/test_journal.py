"""The journal of jobs, and the stage that keeps it: what is written when, and what a resume does with it."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import numpy as np
import pytest
from adapters import running

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    BudgetExceededError,
    CheckpointError,
    DeadlineExceededError,
    InvalidParameterError,
    UnknownOutcomeError,
)
from rapid_ising.jobs import Budget, Journal, Spent
from rapid_ising.jobs.budget import parsed
from rapid_ising.jobs.fetching import fetch, samples, stop
from rapid_ising.machine import Batched, Gauged, Journaled
from rapid_ising.typing import States

MODEL = ri.IsingModel([0.3, -0.2, 0.0], [[0, 1.0, -0.5], [1.0, 0, 0.2], [-0.5, 0.2, 0]])
RING = ri.IsingModel(np.zeros(4), [[0, 1, 0, -1], [1, 0, 1, 0], [0, 1, 0, 1], [-1, 0, 1, 0]])
"""A model that a coherent Ising machine takes as it is."""


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Counting(ri.LocalBackend):
    """A machine that computes here, and counts what it is asked."""

    name: ClassVar[str] = "counting"
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen
    asked: list[int] = dataclasses.field(default_factory=list)
    fails: list[Exception] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        self.asked.append(request.num_reads)
        if self.fails:
            raise self.fails.pop()
        shape = (request.num_reads, request.model.num_variables)
        return (2 * request.rng.integers(2, size=shape) - 1).astype(np.int8), {"machine_seconds": 0.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jobs"


def rows(answer: Any) -> list[list[int]]:
    found: list[list[int]] = answer.record.sample.tolist()
    return found


class TestJournal:
    def test_a_job_from_intent_to_answer_survives_that_the_file_is_opened_again(self, path: Path) -> None:
        journal = Journal(path)
        journal.begin("demo", {"size": 3})
        entry = journal.intend("key", {"spins": 3, "reads": 10, "beta": 1.0}, deadline=None, predicted=0.25)
        assert (entry.state, entry.attempts, entry.id) == ("intended", 1, None)
        journal.sent(entry.number, "there-1")
        journal.close()
        journal = Journal(path)
        journal.begin("demo", {}, resume=True)
        assert [e.id for e in journal.entries("sent")] == ["there-1"]
        assert journal.request(entry.number)["reads"] == 10
        assert journal.spent() == Spent(1, 10, 0.25)
        journal.answered(entry.number, {"answer": 1}, machine_seconds=2.0)
        assert journal.spent() == Spent(1, 10, 2.0)
        assert journal.answer(entry.number) == {"answer": 1}
        with pytest.raises(CheckpointError, match="has no request"):
            journal.request(entry.number)
        journal.close()

    def test_each_attempt_has_another_tag_and_only_what_was_sent_counts(self, path: Path) -> None:
        journal = Journal(path)
        journal.begin("demo", {})
        request = {"spins": 3, "reads": 10, "beta": 1.0}
        first = journal.intend("key", request, deadline=1.0, predicted=0.0)
        journal.never_sent(first.number, "refused")
        assert journal.spent() == Spent(0, 0, 0.0)
        second = journal.intend("key", request, deadline=1.0, predicted=0.0)
        journal.failed(second.number, "gave up")
        third = journal.intend("key", request, deadline=1.0, predicted=0.0)
        assert len({first.tag, second.tag, third.tag}) == 3
        assert (third.number, third.attempts) == (first.number, 2)
        assert journal.spent() == Spent(2, 20, 0.0)
        journal.close()

    def test_a_new_run_knows_nothing_of_the_last_and_has_other_tags(self, path: Path) -> None:
        journal = Journal(path)
        request = {"spins": 3, "reads": 10, "beta": 1.0}
        journal.begin("demo", {})
        first = journal.intend("key", request, deadline=None, predicted=0.0)
        journal.begin("demo", {})
        assert journal.find("key") is None
        assert journal.intend("key", request, deadline=None, predicted=0.0).tag != first.tag
        journal.close()

    def test_one_process_at_a_time(self, path: Path) -> None:
        journal = Journal(path)
        with pytest.raises(CheckpointError, match="in use by another process"):
            Journal(path)
        code = "import sys; from rapid_ising.jobs import Journal; Journal(sys.argv[1])"
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
        assert "in use by another process" in other.stderr
        # Looking is free.
        reader = Journal(path, write=False)
        assert reader.entries() == []
        reader.close()
        journal.close()
        Journal(path).close()

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="there is no journal"):
            Journal(tmp_path / "none", write=False)
        with pytest.raises(CheckpointError, match="cannot write"):
            Journal(tmp_path / "no-folder" / "run.jobs")
        text = tmp_path / "text"
        text.write_text("not a database, by far" * 100)
        with pytest.raises(CheckpointError, match="cannot be used"):
            Journal(text)
        other = tmp_path / "other.sqlite"
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE theirs(a)")
        database.close()
        with pytest.raises(CheckpointError, match="another database"):
            Journal(other)
        empty = tmp_path / "empty"
        empty.touch()
        with pytest.raises(CheckpointError, match="is empty"):
            Journal(empty, write=False)

    def test_a_later_format_is_refused(self, path: Path) -> None:
        Journal(path).close()
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version=99")
        database.close()
        with pytest.raises(CheckpointError, match="update rapid-ising"):
            Journal(path)

    def test_another_machine_does_not_go_on(self, path: Path) -> None:
        journal = Journal(path)
        journal.begin("demo", {})
        with pytest.raises(CheckpointError, match="is the journal of demo, not of other"):
            journal.begin("other", {}, resume=True)
        journal.close()

    def test_it_is_on_the_disk_before_a_call_returns(self, path: Path) -> None:
        journal = Journal(path)
        database = journal._database
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        journal.close()


class TestJournaled:
    def ask(self, machine: ri.Backend, seed: int = 0, reads: int = 4) -> Any:
        return machine.sample(MODEL, num_reads=reads, seed=seed)

    def test_a_resumed_run_takes_its_answers_from_the_journal(self, path: Path) -> None:
        machine = Counting()
        first = Journaled(machine, path)
        rng = np.random.default_rng(7)
        told = [rows(first.sample(MODEL, num_reads=4, seed=rng)) for _ in range(3)]
        after = rng.integers(2**32)
        first.close()
        again = Journaled(machine, path, resume=True)
        rng = np.random.default_rng(7)
        assert [rows(again.sample(MODEL, num_reads=4, seed=rng)) for _ in range(3)] == told
        # The caller's random numbers go on as the machine left them.
        assert rng.integers(2**32) == after
        assert machine.asked == [4, 4, 4]
        assert rows(self.ask(again, seed=99)) != told[0]
        assert machine.asked == [4, 4, 4, 4]
        again.close()

    def test_without_resume_everything_is_asked_anew(self, path: Path) -> None:
        machine = Counting()
        for _ in range(2):
            kept = Journaled(machine, path)
            self.ask(kept)
            kept.close()
        assert len(machine.asked) == 2

    def test_parts_of_one_request_are_jobs_of_their_own(self, path: Path) -> None:
        machine = Counting(capabilities=ri.Capabilities(max_reads=2))
        kept = Journaled(machine, path)
        chain = Gauged(Batched(kept), gauges=2)
        told = rows(self.ask(chain, reads=8))
        assert machine.asked == [2, 2, 2, 2]
        kept.close()
        kept = Journaled(machine, path, resume=True)
        assert rows(self.ask(Gauged(Batched(kept), gauges=2), reads=8)) == told
        assert len(machine.asked) == 4
        kept.close()

    @pytest.mark.parametrize(
        "other",
        [
            {"num_reads": 5},
            {"beta": 2.0},
            {"seed": 1},
            {"problem": ri.IsingModel(MODEL.fields + 1e-9, MODEL.couplings)},
        ],
        ids=str,
    )
    def test_another_request_is_another_job(self, path: Path, other: dict[str, Any]) -> None:
        machine = Counting()
        kept = Journaled(machine, path)
        asked: dict[str, Any] = {"problem": MODEL, "num_reads": 4, "beta": 1.0, "seed": 0}
        kept.sample(**asked)
        kept.close()
        kept = Journaled(machine, path, resume=True)
        kept.sample(**{**asked, **other})
        assert len(machine.asked) == 2
        kept.close()

    def test_a_failure_is_written_and_the_next_attempt_counts(self, path: Path) -> None:
        machine = Counting(fails=[BackendError("it broke")])
        kept = Journaled(machine, path)
        with pytest.raises(BackendError, match="it broke"):
            self.ask(kept)
        (entry,) = kept.journal.entries()
        assert (entry.state, entry.error) == ("failed", "it broke")
        self.ask(kept)
        (entry,) = kept.journal.entries()
        assert entry.state == "answered"
        kept.close()

    def test_it_goes_next_to_the_machine(self, path: Path) -> None:
        with pytest.raises(InvalidParameterError, match="goes directly around counting"):
            Journaled(Batched(Counting()), path)

    def test_a_disk_that_is_full_stops_it_before_anything_is_sent(self, path: Path) -> None:
        machine = Counting()
        kept = Journaled(machine, path)
        pages = kept.journal._database.execute("PRAGMA page_count").fetchone()[0]
        kept.journal._database.execute(f"PRAGMA max_page_count={pages}")

        def many() -> None:
            for seed in range(100):
                self.ask(kept, seed=seed)

        with pytest.raises(CheckpointError, match="cannot be used: database or disk is full"):
            many()
        asked = len(machine.asked)
        kept.journal._database.execute("PRAGMA max_page_count=1000000")
        assert asked == sum(entry.state in ("answered", "sent") for entry in kept.journal.entries())
        kept.close()

    def test_a_checkpoint_does_not_compare_where_the_journal_is(self, tmp_path: Path) -> None:
        from rapid_ising.plain import plain

        kept = Journaled("exact", tmp_path / "a.jobs", budget=Budget(calls=3))
        assert plain(kept) == {"class": "Journaled", "backend": {"class": "Exact"}}
        kept.close()


class TestBudget:
    def test_calls_and_reads_stop_before_they_are_exceeded(self, path: Path) -> None:
        machine = Counting()
        kept = Journaled(machine, path, budget=Budget(calls=2, reads=9))
        kept.sample(MODEL, num_reads=4, seed=0)
        with pytest.raises(BudgetExceededError, match=r"10 reads, more than 9: not sent"):
            kept.sample(MODEL, num_reads=6, seed=1)
        kept.sample(MODEL, num_reads=5, seed=2)
        with pytest.raises(BudgetExceededError, match=r"3 calls, more than 2: not sent"):
            kept.sample(MODEL, num_reads=1, seed=3)
        assert machine.asked == [4, 5]
        kept.close()

    def test_what_was_spent_before_a_resume_counts(self, path: Path) -> None:
        machine = Counting()
        kept = Journaled(machine, path)
        kept.sample(MODEL, seed=0)
        kept.close()
        kept = Journaled(machine, path, resume=True, budget=Budget(seconds=0.4))
        assert rows(kept.sample(MODEL, seed=0))
        with pytest.raises(BudgetExceededError, match=r"0\.5 seconds of the machine, more than 0\.4"):
            kept.sample(MODEL, seed=1)
        kept.close()

    def test_money_is_seconds_times_their_price(self, path: Path) -> None:
        machine = Counting(capabilities=ri.Capabilities(read_time=0.1))
        kept = Journaled(machine, path, budget=Budget(money=1.5, price=2.0))
        kept.sample(MODEL, num_reads=2, seed=0)
        with pytest.raises(BudgetExceededError, match=r"2 of money, more than 1\.5"):
            kept.sample(MODEL, num_reads=5, seed=1)
        kept.close()

    def test_a_training_stops_with_a_checkpoint_and_goes_on(self, tmp_path: Path) -> None:
        def model() -> ri.PatternRBM:
            return ri.PatternRBM(n_visible=16, n_hidden=8, n_patterns=4, seed=0)

        data = ri.datasets.stripes(4).train
        options: dict[str, Any] = {"epochs": 3, "batch_size": 3, "seed": 0, "progress": False}
        whole = model()
        ri.train(whole, data, backend="gibbs", **options)
        stopped, state = model(), tmp_path / "state"
        kept = Journaled("gibbs", tmp_path / "run.jobs", budget=Budget(calls=5))
        with pytest.raises(BudgetExceededError):
            ri.train(stopped, data, backend=kept, checkpoint=state, **options)
        kept.close()
        assert state.is_file()
        kept = Journaled("gibbs", tmp_path / "run.jobs", resume=True)
        run = ri.train(stopped, data, backend=kept, checkpoint=state, resume=True, **options)
        assert run.epochs == 3
        assert kept.journal.spent().calls == len(kept.journal.entries())
        kept.close()
        for name, array in whole.parameters.items():
            np.testing.assert_array_equal(stopped.parameters[name], array)

    @pytest.mark.parametrize("text", ["calls", "calls=x", "eggs=3", "calls=1.5", "calls=0", "money=3", ""])
    def test_texts_that_are_none(self, text: str) -> None:
        with pytest.raises(InvalidParameterError):
            parsed(text)


class TestService:
    """A job with a service that keeps answers, over a socket."""

    def test_a_job_that_was_sent_is_fetched_and_not_sent_again(self, path: Path) -> None:
        with running("cim", size=8) as (machine, service):
            kept = Journaled(machine, path)
            job = kept.submit(RING, num_reads=3, seed=np.random.default_rng(0))
            assert [entry.state for entry in kept.journal.entries()] == ["sent"]
            # The process dies here: nobody asks for the answer.
            del job
            kept.close()
            again = Journaled(service.machine(size=8), path, resume=True)
            answer = again.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert len(service.state()["accepted"]) == 1
            assert service.state()["open"] == []
            assert answer.info["rapid_ising"]["stages"][-1]["attempts"] == 1
            again.close()

    def test_an_intent_is_looked_up_and_sent_only_if_it_is_not_there(self, path: Path) -> None:
        with running("cim", size=8) as (machine, service):
            for reached in (True, False):
                kept = Journaled(machine, path, resume=not reached)
                seed = np.random.default_rng(reached)

                def dies(number: int, id: str, emulated: str | None = None) -> None:
                    raise KeyboardInterrupt

                if reached:
                    # After the machine took it on, before its id was written.
                    kept.journal.sent = dies  # type: ignore[method-assign]
                else:
                    # Before it was sent.
                    object.__setattr__(machine, "sent", lambda request, tag: dies(0, tag))
                with pytest.raises(KeyboardInterrupt):
                    kept.submit(RING, num_reads=3, seed=seed)
                assert kept.journal.entries()[-1].state == "intended"
                kept.close()
                again = Journaled(service.machine(size=8), path, resume=True)
                again.sample(RING, num_reads=3, seed=np.random.default_rng(reached))
                again.close()
            assert len(service.state()["accepted"]) == 2
            assert service.state()["open"] == []

    def test_a_job_that_the_machine_lost_is_sent_anew(self, path: Path) -> None:
        with running("cim", size=8) as (machine, service):
            kept = Journaled(machine, path)
            kept.submit(RING, num_reads=3, seed=np.random.default_rng(0))
            (entry,) = kept.journal.entries()
            kept.close()
            other = service.machine(size=8)
            other._forget(entry.id, ri.deadline.Deadline(5))  # type: ignore[attr-defined]
            again = Journaled(other, path, resume=True)
            answer = again.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert answer.info["rapid_ising"]["stages"][-1]["attempts"] == 2
            assert len(service.state()["accepted"]) == 2
            again.close()

    def test_what_was_answered_is_cleared_away_after_a_resume(self, path: Path) -> None:
        with running("cim", size=8) as (machine, service):
            kept = Journaled(machine, path)
            # Killed between the journal's write and the machine's forgetting.
            object.__setattr__(machine, "forget", lambda id: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                kept.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert [entry.state for entry in kept.journal.entries()] == ["answered"]
            assert len(service.state()["open"]) == 1
            kept.close()
            again = Journaled(service.machine(size=8), path, resume=True)
            again.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert service.state()["open"] == []
            assert len(service.state()["accepted"]) == 1
            again.close()

    def test_a_service_that_keeps_nothing_asks_before_it_is_paid_twice(self, path: Path) -> None:
        with running("hitachi-cmos") as (machine, service):
            place = dimod.BinaryQuadraticModel({(0, 0): 1.0}, {}, "SPIN")
            kept = Journaled(machine, path)

            def dies(number: int, id: str, emulated: str | None = None) -> None:
                raise KeyboardInterrupt

            kept.journal.sent = dies  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                kept.sample(place, num_reads=2, seed=np.random.default_rng(0))
            kept.close()
            again = Journaled(machine, path, resume=True)
            with pytest.raises(UnknownOutcomeError, match="--send-again"):
                again.sample(place, num_reads=2, seed=np.random.default_rng(0))
            again.close()
            assert len(service.state()["accepted"]) == 1
            again = Journaled(machine, path, resume=True, again=True)
            again.sample(place, num_reads=2, seed=np.random.default_rng(0))
            assert len(service.state()["accepted"]) == 2
            assert again.journal.spent().calls == 2
            again.close()

    def test_a_deadline_leaves_the_job_with_the_machine(self, path: Path) -> None:
        with running("cim", size=8) as (machine, service):
            kept = Journaled(machine, path)
            assert service.emulator is not None
            object.__setattr__(machine, "_fetch", lambda request, id, deadline: None)
            with pytest.raises(DeadlineExceededError):
                kept.sample(RING, num_reads=3, seed=np.random.default_rng(0), deadline=0.3)
            assert len(service.state()["open"]) == 1
            kept.close()
            again = Journaled(service.machine(size=8), path, resume=True)
            again.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert len(service.state()["accepted"]) == 1
            again.close()

    def test_fetched_without_the_program_that_sent_it(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running("cim", size=8) as (machine, service):
            monkeypatch.setenv("CIM_GATEWAY_TOKEN", service.token)
            kept = Journaled(machine, path)
            kept.submit(RING, num_reads=3, seed=np.random.default_rng(0))
            kept.submit(RING, num_reads=2, seed=np.random.default_rng(1))
            kept.close()
            journal = Journal(path)
            first, second = journal.entries()
            assert fetch(journal, first) == "3 reads of 4 spins"
            found = samples(journal, journal.entry(first.number))
            np.testing.assert_allclose(found.record.energy, RING.energies(found.record.sample))
            assert stop(journal, second)
            assert [entry.state for entry in journal.entries()] == ["answered", "cancelled"]
            journal.close()
            # The program finds what was fetched, and sends what was cancelled again.
            again = Journaled(service.machine(size=8), path, resume=True)
            answer = again.sample(RING, num_reads=3, seed=np.random.default_rng(0))
            assert rows(answer) == rows(found)
            again.close()


class TestCalibration:
    def test_a_training_on_a_machine_of_its_own_temperature_resumes_to_the_bit(self, tmp_path: Path) -> None:
        data = ri.datasets.stripes(4).train
        options: dict[str, Any] = {"seed": 0, "progress": False}

        def machine() -> ri.Backend:
            return ri.load_backend("twin-dwave", topology="complete", size=32, sweeps=50)

        def model() -> ri.PatternRBM:
            return ri.PatternRBM(n_visible=16, n_hidden=8, n_patterns=4, seed=0)

        whole, parted = model(), model()
        ri.train(whole, data, backend=machine(), epochs=4, **options)
        state = tmp_path / "state"
        ri.train(parted, data, backend=machine(), epochs=2, checkpoint=state, **options)
        ri.train(parted, data, backend=machine(), epochs=4, checkpoint=state, resume=True, **options)
        for name, array in whole.parameters.items():
            np.testing.assert_array_equal(parted.parameters[name], array)
