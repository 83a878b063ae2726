"""What every adapter inherits: nothing sent twice, nothing forgotten in a slot, nothing lost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from demo_service import SLOTS, Demo, DemoEmulator, demo, place

import rapid_ising as ri
from rapid_ising import IsingModel, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    JobFailedError,
    ProtocolError,
    UnknownOutcomeError,
)
from rapid_ising.remote import RemoteSubmission, Reply, Sent, machine, transport
from rapid_ising.remote.backoff import Backoff
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.jobs import EmulatedJob

MODEL = IsingModel([2.0, -1.0], [[0.0, 0.5], [0.5, 0.0]], offset=3.0)
GROUND = [-1, 1]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "sleep", lambda seconds: time.sleep(seconds / 500))
    monkeypatch.setattr(machine, "POLLS", Backoff(first=0.001, factor=1.5, longest=0.02))


@pytest.fixture(scope="module")
def service() -> Iterator[ri.Backend]:
    with demo() as (backend, _):
        yield backend


class TestDemo(BackendConformance):
    @pytest.fixture
    def backend(self, service: ri.Backend) -> ri.Backend:
        return service


def request_to(backend: Demo, *, seconds: float | None = 20.0, tag: str | None = None) -> Request:
    request = backend._request(MODEL, num_reads=3, beta=9.0, seed=None, initial_states=None, deadline=seconds)
    return dataclasses.replace(request, provenance={**request.provenance, **({"tag": tag} if tag else {})})


def emulator(running: Any) -> DemoEmulator:
    found = running.emulator
    assert isinstance(found, DemoEmulator)
    return found


def once(
    backend: Demo, stage: Callable[[str, str], bool], failure: Callable[[Reply], Reply | Exception]
) -> None:
    """Spoil the first answer to a request that ``stage`` picks out; the service has served it."""
    way, done = backend.transport, list[bool]()
    asked = way._once

    def spoiled(method: str, path: str, *rest: Any) -> Reply:
        reply = asked(method, path, *rest)
        if not done and stage(method, path):
            done.append(True)
            outcome = failure(reply)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        return reply

    vars(way)["_once"] = spoiled


def sending(method: str, path: str) -> bool:
    return (method, path) == ("POST", "/jobs")


def lost(reply: Reply) -> Exception:
    return httpx.ReadError("cut")


def late(reply: Reply) -> Exception:
    return httpx.ReadTimeout("too late")


def halved(reply: Reply) -> Reply:
    return dataclasses.replace(reply, body=reply.body[: len(reply.body) // 2])


def test_an_answer_has_the_states_and_the_record_of_the_machine() -> None:
    with demo() as (backend, running):
        answer = backend.sample(MODEL, num_reads=3, beta=9.0)
        assert answer.record.sample.tolist() == [GROUND] * 3
        stage = answer.info["rapid_ising"]["stages"][0]
        assert stage["stage"] == "demo"
        assert stage["emulated"] == "demo"
        assert emulator(running).open_jobs() == []
        assert len(emulator(running).accepted) == 1


@pytest.mark.parametrize("failure", [lost, late, halved])
def test_a_job_whose_acceptance_was_lost_is_looked_up_and_not_sent_again(
    failure: Callable[[Reply], Reply | Exception],
) -> None:
    with demo() as (backend, running):
        once(backend, sending, failure)
        assert backend.sample(MODEL, num_reads=3, beta=9.0).record.sample.tolist() == [GROUND] * 3
        assert len(emulator(running).accepted) == 1
        assert emulator(running).open_jobs() == []


def test_a_job_that_never_came_is_sent_again_under_the_same_tag() -> None:
    with demo(Faults({"disconnect-before": 1.0}, most=1)) as (backend, running):
        job = backend.sent(request_to(backend, tag="mine"), "mine")
        assert job.answer().states.tolist() == [GROUND] * 3
        assert emulator(running).accepted == ["mine"]


def test_a_job_that_may_still_come_is_not_sent_again_and_cleared_when_it_has_come() -> None:
    with demo() as (backend, running):
        way = backend.transport
        asked = way._once

        def stuck(method: str, path: str, *rest: Any) -> Reply:
            if sending(method, path):
                raise late(Reply(0, {}, b""))
            return asked(method, path, *rest)

        vars(way)["_once"] = stuck
        with pytest.raises(UnknownOutcomeError, match="it was not sent again") as caught:
            backend.sample(MODEL, num_reads=3, beta=9.0, deadline=20.0)
        assert caught.value.timed_out
        assert emulator(running).accepted == []
        assert backend.clear() == 1
        # Now it comes.
        tag = backend._doubtful[0].tag
        emulator(running).jobs.add(tag, dict)
        assert backend.clear() == 0
        assert emulator(running).open_jobs() == []


def test_a_job_that_has_not_come_for_a_while_comes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with demo() as (backend, _):
        request = request_to(backend)
        for since, left in ((time.time(), 1), (time.time() - 2 * machine.LATEST, 1)):
            backend._doubtful.append(machine.Doubtful(request, f"{since}", since, True))
            assert backend.clear() == left
        backend._doubtful[:] = [machine.Doubtful(request, "tag", time.time(), False)]
        assert backend.clear() == 0


def test_a_job_that_cannot_be_looked_up_is_cleared_later() -> None:
    with demo() as (backend, running):
        once(backend, sending, lost)
        emulator(running).faults.begin({})
        way, asked, cut_off = backend.transport, backend.transport._once, [True]

        def unlisted(method: str, path: str, *rest: Any) -> Reply:
            if method == "GET" and cut_off:
                return Reply(401, {}, b"who?")
            return asked(method, path, *rest)

        vars(way)["_once"] = unlisted
        with pytest.raises(
            UnknownOutcomeError, match=r"broke off.*nor can it be looked up: demo refuses the token"
        ):
            backend.sample(MODEL, num_reads=3, beta=9.0, deadline=20.0)
        assert len(emulator(running).open_jobs()) == 1
        cut_off.clear()
        assert backend.sample(MODEL, num_reads=3, beta=9.0).record.sample.tolist() == [GROUND] * 3
        assert emulator(running).open_jobs() == []
        assert len(emulator(running).accepted) == 2


def test_a_machine_without_a_list_says_that_nobody_knows() -> None:
    class Blind(Emulated):
        finds = False

    with demo() as (_, running):
        blind = Blind(running)
        with pytest.raises(UnknownOutcomeError, match="may be with the machine or not"):
            blind.machine.sample(MODEL, deadline=20.0)
        with pytest.raises(UnknownOutcomeError, match="has no list of jobs"):
            blind.machine.find(request_to(blind.machine), "tag", 0.0)
        assert len(emulator(running).accepted) == 1


class Emulated:
    """A machine whose first acceptance is lost, with other abilities than the adapter has."""

    finds = True

    def __init__(self, running: Any) -> None:
        self.machine = Demo(url=running.url, token=running.token)
        object.__setattr__(self.machine, "finds", type(self).finds)
        once(self.machine, sending, lost)


def test_a_service_that_takes_nothing_on_is_given_up() -> None:
    with demo(Faults({"disconnect-before": 1.0})) as (backend, running):
        with pytest.raises(BackendError):
            backend.sample(MODEL, deadline=20.0)
        emulator(running).faults.begin()
        assert backend.clear() == 0
        assert emulator(running).accepted == []


def test_a_job_that_takes_too_long_is_taken_back() -> None:
    with demo(Faults({"never-finishes": 1.0})) as (backend, running):
        began = time.monotonic()
        job = backend.submit(MODEL, num_reads=3, beta=9.0, deadline=0.3)
        with pytest.raises(DeadlineExceededError, match=r"demo did not finish within its deadline of 0.3 s"):
            job.result()
        assert time.monotonic() - began < 3
        with pytest.raises(DeadlineExceededError):
            job.result()
        # It cannot be cancelled while it runs, and is cleared away when it is done.
        assert len(emulator(running).open_jobs()) == 1
        assert backend.clear() == 1
        emulator(running).faults.begin()
        time.sleep(1.1)
        assert backend.clear() == 0
        assert emulator(running).open_jobs() == []


def test_to_clear_up_takes_no_more_than_its_share_of_the_time() -> None:
    with demo() as (backend, _):
        backend._left.extend(["a", "b", "c"])
        backend._doubtful.append(machine.Doubtful(request_to(backend), "tag", time.time(), True))

        def gone(*rest: Any) -> Reply:
            time.sleep(0.02)
            raise lost(Reply(0, {}, b""))

        vars(backend.transport)["_once"] = gone
        began = time.monotonic()
        assert backend.clear(0.2) == 4
        assert time.monotonic() - began < 1


def test_time_to_wait_is_not_the_deadline() -> None:
    with demo(Faults({"never-finishes": 1.0})) as (backend, running):
        job = backend.submit(MODEL, num_reads=3, beta=9.0, deadline=60.0)
        assert not job.done()
        for timeout in (0.0, 0.05):
            with pytest.raises(DeadlineExceededError, match="ask again"):
                job.result(timeout)
        emulator(running).faults.begin()
        assert job.result(10.0).record.sample.tolist() == [GROUND] * 3
        assert job.result() is job.result()


def test_without_a_deadline_one_holds_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE", 0.2)
    with demo(Faults({"never-finishes": 1.0})) as (backend, _):
        with pytest.raises(DeadlineExceededError, match=r"deadline of 0.2 s"):
            backend.sample(MODEL)
        assert RemoteSubmission(backend, request_to(backend, seconds=9e5), Sent("x"))._deadline.seconds == 9e5


def test_a_job_is_cancelled_and_forgotten() -> None:
    with demo() as (backend, running):
        job = backend.submit(MODEL, num_reads=3, deadline=20.0)
        assert job.cancel()
        assert emulator(running).open_jobs() == []
        assert not job.cancel()
        with pytest.raises(JobFailedError, match="was cancelled"):
            job.result()
        done = backend.submit(MODEL, num_reads=3, deadline=20.0)
        done.result()
        assert not done.cancel()


def test_a_job_that_is_done_cannot_be_cancelled() -> None:
    with demo() as (backend, running):
        job = backend.submit(MODEL, num_reads=3, beta=9.0, deadline=20.0)
        while not job.done():
            time.sleep(0.001)
        assert not job.cancel()
        assert job.result().record.sample.tolist() == [GROUND] * 3
        assert emulator(running).open_jobs() == []


@pytest.mark.parametrize("fate", ["job-failed", "deleted"])
def test_a_job_without_an_answer_is_an_error_and_keeps_no_slot(fate: str) -> None:
    with demo(Faults({fate: 1.0})) as (backend, running):
        for _ in range(SLOTS + 1):
            with pytest.raises(JobFailedError, match=r"is failed|is deleted"):
                backend.sample(MODEL, deadline=20.0)
        assert emulator(running).open_jobs() == []


def test_slots_that_are_taken_are_waited_for() -> None:
    with demo() as (backend, running):
        waiting = [emulator(running).jobs.add(f"{n}", dict) for n in range(SLOTS)]
        with pytest.raises(BackendError, match=f"all {SLOTS} slots are taken.*8 times in a row"):
            backend.sample(MODEL, deadline=20.0)
        assert emulator(running).accepted == []
        emulator(running).jobs.remove(waiting[0].id)
        assert backend.sample(MODEL, beta=9.0, deadline=20.0).record.sample.tolist() == [GROUND]


def test_an_answer_that_was_damaged_on_its_way_is_fetched_again() -> None:
    with demo() as (backend, running):
        once(backend, lambda method, path: method == "GET", halved)
        assert backend.sample(MODEL, num_reads=3, beta=9.0).record.sample.tolist() == [GROUND] * 3
        assert len(emulator(running).accepted) == 1


def test_an_answer_that_stays_wrong_is_an_error_and_is_forgotten() -> None:
    with demo(Faults({"missing-variables": 1.0})) as (backend, running):
        with pytest.raises(ProtocolError, match="rows of 2 spins were asked"):
            backend.sample(MODEL, num_reads=3, deadline=20.0)
        assert emulator(running).open_jobs() == []


def test_a_token_that_expires_while_a_job_runs_leaves_no_job_behind() -> None:
    with demo() as (backend, running):
        job = backend.submit(MODEL, num_reads=3, deadline=20.0)
        service = emulator(running)
        valid, service.token = service.token, "renewed"
        with pytest.raises(AuthenticationError, match="renew it"):
            job.result()
        assert len(service.open_jobs()) == 1
        assert backend.clear() == 1
        service.token = valid
        assert backend.clear() == 0
        assert service.open_jobs() == []


def test_a_job_in_a_journal_stays_when_the_token_expires_or_time_is_up() -> None:
    with demo() as (backend, running):
        service, request = emulator(running), request_to(backend, tag="mine")
        job = backend.sent(request, "mine")
        valid, service.token = service.token, "renewed"
        with pytest.raises(AuthenticationError):
            job.answer()
        service.token = valid
        again = backend.attach(request, job.id)
        assert again.answer().states.tolist() == [GROUND] * 3
        service.faults.begin({"never-finishes": 1.0})
        slow = backend.sent(request_to(backend, seconds=0.2, tag="slow"), "slow")
        with pytest.raises(DeadlineExceededError) as caught:
            slow.answer()
        assert "still with the machine and in the journal" in caught.value.__notes__[0]
        service.faults.begin()
        assert service.open_jobs() == [slow.id] == [backend.find(request, "slow", 0.0)]
        assert (
            backend.attach(request_to(backend, tag="slow"), slow.id).answer().states.tolist() == [GROUND] * 3
        )
        assert service.open_jobs() == []
        assert service.accepted == ["mine", "slow"]


def test_an_answer_is_kept_before_the_machine_may_forget_it() -> None:
    with demo() as (backend, running):
        job = backend.sent(request_to(backend, tag="mine"), "mine")
        held: list[list[str]] = []
        job.keep = lambda answer: held.append(emulator(running).open_jobs())
        job.answer()
        assert held == [[job.id]]
        assert emulator(running).open_jobs() == []


def test_an_answer_that_cannot_be_kept_is_not_forgotten_by_the_machine() -> None:
    with demo() as (backend, running):
        job = backend.sent(request_to(backend, tag="mine"), "mine")

        def full(answer: Any) -> None:
            raise OSError("disk full")

        job.keep = full
        with pytest.raises(OSError, match="disk full"):
            job.answer()
        assert emulator(running).open_jobs() == [job.id]
        job.keep = lambda answer: None
        assert job.answer().states.tolist() == [GROUND] * 3


def test_a_job_that_the_machine_would_not_forget_is_cleared_with_the_next_call() -> None:
    with demo() as (backend, running):
        once(backend, lambda method, path: method == "DELETE", lambda reply: Reply(403, {}, b""))
        service = emulator(running)
        kept = service.jobs.remove
        vars(service.jobs)["remove"] = lambda id: False
        assert backend.sample(MODEL, beta=9.0, deadline=20.0).record.sample.tolist() == [GROUND]
        vars(service.jobs)["remove"] = kept
        assert len(service.open_jobs()) == 1
        backend.sample(MODEL, deadline=20.0)
        assert service.open_jobs() == []


def test_a_token_is_missed_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_TOKEN", raising=False)
    with demo() as (_, running):
        with pytest.raises(
            AuthenticationError, match="set the environment variable DEMO_TOKEN, or give token="
        ):
            Demo(url=running.url).sample(MODEL)
        monkeypatch.setenv("DEMO_TOKEN", running.token)
        assert len(Demo(url=running.url).sample(MODEL)) == 1


def test_a_problem_without_spins_is_not_sent() -> None:
    backend = Demo(url="http://127.0.0.1:9", token="t")
    assert backend.sample(IsingModel([], np.zeros((0, 0))), num_reads=2).record.sample.shape == (2, 0)


def test_an_id_is_one_part_of_an_address() -> None:
    assert place("../a b?c") == "/jobs/..%2Fa%20b%3Fc"


def test_a_job_is_done_after_a_while_though_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    job = EmulatedJob("id", "tag", lambda: 7, None, time.time())
    assert [job.look() for _ in range(3)] == ["waiting", "running", "done"]
    old = EmulatedJob("id", "tag", lambda: 7, None, time.time() - 60)
    assert (old.state, old.look(), old.answer) == ("done", "done", 7)
    slow = EmulatedJob("id", "tag", lambda: 7, "never-finishes", time.time() - 60)
    assert (slow.state, slow.look()) == ("running", "running")


def test_faults_change_while_a_service_runs() -> None:
    with demo(Faults({"500": 1.0})) as (backend, running):
        with pytest.raises(BackendError):
            backend.sample(MODEL, deadline=Deadline(20.0).seconds)
        emulator(running).faults.begin()
        assert len(backend.sample(MODEL, deadline=20.0)) == 1
