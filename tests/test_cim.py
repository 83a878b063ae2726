"""cim: what is sent and read, that no tag makes two jobs, and what becomes of a job that is lost."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from adapters import running

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    ProblemTooLargeError,
    ProtocolError,
    RejectedError,
)
from rapid_ising_backends.cim import Cim
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.cim import CimEmulator
from rapid_ising_backends.emulators.faults import KINDS, Faults

URL, TOKEN = "http://lab.example/cim", "swordfish"
MODEL = ri.IsingModel(np.zeros(3), ri.Sparse(3, [0, 1], [1, 2], [1.0, -1.0]), offset=2.5)
RECORDED = {
    "tag": "t",
    "status": "done",
    "spins": [[1, -1, -1], [1, 1, 1]],
    "energies": [-2, 0],
    "machine_seconds": 0.01,
    "of_a_later_version": True,
}
"""An answer to two runs of MODEL, written by hand from docs/cim-gateway.md."""


def asked(machine: ri.Backend, reads: int = 2, deadline: float | None = None) -> ri.Request:
    return machine._request(MODEL, reads, 1.0, None, None, deadline)


def scripted(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Cim:
    """Return the machine with a service that answers so."""
    machine = Cim(url=URL, token=TOKEN, **options)
    machine.transport._client = httpx.Client(transport=httpx.MockTransport(answer))
    return machine


def says(outcome: Any, status: int = 200) -> Cim:
    """Return the machine with a gateway whose every job is like this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(status, json=outcome)
        return httpx.Response(201 if request.method == "PUT" else 204)

    return scripted(answer)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid_ising.remote.transport.sleep", lambda seconds: None)


@pytest.fixture
def service() -> Iterator[tuple[Cim, CimEmulator]]:
    with running("cim") as (machine, found):
        assert isinstance(machine, Cim)
        assert isinstance(found.emulator, CimEmulator)
        yield machine, found.emulator


class TestWire:
    def test_a_job_is_sent_as_the_contract_says(self) -> None:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response({"PUT": 201, "DELETE": 204}.get(request.method, 200), json=RECORDED)

        machine = scripted(answer)
        machine.sent(asked(machine), "t").answer()
        assert [(r.method, str(r.url)) for r in seen] == [
            ("PUT", f"{URL}/v1/jobs/t"),
            ("GET", f"{URL}/v1/jobs/t"),
            ("DELETE", f"{URL}/v1/jobs/t"),
        ]
        assert seen[0].content == b'{"spins":3,"couplings":[[0,1,1],[1,2,-1]],"runs":2}'
        assert seen[0].headers["content-type"] == "application/json"
        assert {r.headers["authorization"] for r in seen} == {f"Bearer {TOKEN}"}

    @pytest.mark.parametrize("kind", ["dense", "bipartite", "patterns"])
    def test_every_structure_is_sent_as_pairs(self, kind: str) -> None:
        weights = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 1.0]])
        couplings: Any = {
            "dense": ri.Dense(np.block([[np.zeros((2, 2)), weights], [weights.T, np.zeros((3, 3))]])),
            "bipartite": ri.Bipartite(weights),
            "patterns": ri.Patterns([[1.0, -1.0, 1.0, 1.0, -1.0]], scale=1.0),
        }[kind]
        machine = Cim()
        model = ri.IsingModel(np.zeros(5), couplings)
        sent = json.loads(machine._body(machine._request(model, 1, 1.0, None, None, None)))["couplings"]
        matrix = couplings.to_dense()
        pairs = itertools.combinations(range(5), 2)
        assert sorted(sent) == [[i, j, matrix[i, j]] for i, j in pairs if matrix[i, j]]

    def test_a_recorded_answer_is_read(self) -> None:
        machine = says(RECORDED)
        answer = machine.sent(asked(machine), "t").answer()
        assert answer.states.tolist() == RECORDED["spins"]
        stage = answer.stages[0]
        assert (stage["stage"], stage["job"], stage["machine_seconds"]) == ("cim", "t", 0.01)
        assert "emulated" not in stage

    @pytest.mark.parametrize(
        "change",
        [
            {"status": "finished"},
            {"tag": "u"},
            {"spins": None},
            {"energies": None},
            {"spins": [[1, -1, -1]], "energies": [-2]},
            {"spins": [[1, -1, -1], [1, 1]]},
            {"spins": [[1, -1], [1, 1]]},
            {"spins": [[1, -1, -1], [1, 1, 0]]},
            {"spins": [[1, -1, -1], [1, 1, "1"]]},
            {"energies": [2, 0]},
            {"energies": [0, -2]},
            {"energies": [0.5, 2.5]},
            {"energies": [-2]},
            {"energies": [-2, None]},
            {"machine_seconds": "0.01"},
        ],
        ids=str,
    )
    def test_what_is_no_answer_is_not_used(self, change: dict[str, Any]) -> None:
        machine = says({**RECORDED, **change})
        with pytest.raises(ProtocolError, match="cim answers what its document does not allow"):
            machine.sent(asked(machine), "t").answer()

    @pytest.mark.parametrize("status", ["failed", "cancelled"])
    def test_a_job_that_ended_without_an_answer_is_an_error_that_says_why(self, status: str) -> None:
        machine = says({"tag": "t", "status": status, "message": f"{TOKEN} lost\nits lock"})
        with pytest.raises(JobFailedError, match=rf"job t has {status} \(\*\*\* lost its lock\)"):
            machine.sent(asked(machine), "t").answer()

    def test_another_version_is_told(self) -> None:
        facts = {"version": 2, "name": "x", "spins": 9, "largest_coupling": 1, "max_runs": 5}
        with pytest.raises(ProtocolError, match="version 2 of the contract"):
            says(facts).properties()


class TestLimits:
    def test_what_does_not_fit_is_refused_before_anything_is_sent(self) -> None:
        machine = Cim(url="http://127.0.0.1:9", token=TOKEN, size=3, max_runs=10)
        with pytest.raises(ProblemTooLargeError):
            machine.sample(ri.IsingModel(np.zeros(4), np.zeros((4, 4))))
        for problem, reads in (
            (ri.IsingModel([1.0, 0.0], np.zeros((2, 2))), 1),
            (ri.IsingModel([0.0, 0.0], [[0, 2], [2, 0]]), 1),
            (ri.IsingModel([0.0, 0.0], [[0, 0.5], [0.5, 0]]), 1),
            (MODEL, 11),
        ):
            with pytest.raises(CapabilityError):
                machine.sample(problem, num_reads=reads)
        with pytest.raises(InvalidParameterError, match=r"no tag '\.\./a'"):
            machine.sent(asked(machine), "../a")

    @pytest.mark.parametrize("option", ["size", "largest_coupling", "max_runs"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
    def test_options_are_whole_numbers(self, option: str, value: Any) -> None:
        with pytest.raises(InvalidParameterError, match=option):
            Cim(**{option: value})

    def test_without_an_address_it_can_be_planned_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CIM_GATEWAY_URL", raising=False)
        model = ri.PatternRBM(n_visible=4, n_hidden=4, n_patterns=2, seed=0)
        assert "cim: 8 spins" in str(ri.plan("cim", model))
        with pytest.raises(InvalidParameterError, match="CIM_GATEWAY_URL"):
            ri.load_backend("cim").sample(MODEL)
        monkeypatch.setenv("CIM_GATEWAY_URL", URL)
        monkeypatch.delenv("CIM_GATEWAY_TOKEN", raising=False)
        with pytest.raises(BackendError, match="CIM_GATEWAY_TOKEN"):
            Cim().sample(MODEL)

    def test_the_token_shows_nowhere(self) -> None:
        machine = scripted(lambda request: httpx.Response(401, text=f"no {TOKEN}"))
        with pytest.raises(BackendError) as caught:
            machine.sample(MODEL)
        texts = [
            repr(machine),
            str(machine),
            repr(vars(machine)),
            "".join(traceback.format_exception(caught.value)),
        ]
        assert not [text for text in texts if TOKEN in text]


class TestOnce:
    """The same tag never makes two jobs."""

    def test_the_same_job_sent_again_is_one_job(self, service: tuple[Cim, CimEmulator]) -> None:
        machine, emulator = service
        first, again = (machine.sent(asked(machine), "t") for _ in range(2))
        assert emulator.accepted == ["t"]
        assert again.id == first.id == "t"
        # Forgetting is for who has the answer last.
        looks = [machine._fetch(asked(machine), "t", asked(machine).deadline) for _ in range(4)]
        assert looks[-1] is not None
        assert again.answer().states.tolist() == looks[-1].spins
        assert emulator.open_jobs() == []

    def test_many_at_once_make_one_job(self, service: tuple[Cim, CimEmulator]) -> None:
        machine, emulator = service
        start, statuses = threading.Barrier(8), Counter[int]()

        def put() -> None:
            start.wait()
            body, headers = machine._body(asked(machine)), {"Authorization": f"Bearer {emulator.token}"}
            headers["Content-Type"] = "application/json"
            statuses[httpx.put(f"{machine.url}/v1/jobs/t", content=body, headers=headers).status_code] += 1

        threads = [threading.Thread(target=put) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert statuses == {201: 1, 200: 7}
        assert emulator.accepted == ["t"]

    def test_another_job_of_the_tag_is_an_error_and_the_first_is_kept(
        self, service: tuple[Cim, CimEmulator]
    ) -> None:
        machine, emulator = service
        first = machine.sent(asked(machine), "t")
        with pytest.raises(
            RejectedError, match=r"another job under the tag 't'.*under a new tag.*status 409"
        ):
            machine.sent(asked(machine, reads=3), "t")
        assert emulator.accepted == emulator.open_jobs() == ["t"]
        assert len(first.answer().states) == 2

    def test_a_tag_that_was_forgotten_is_not_used_again(self, service: tuple[Cim, CimEmulator]) -> None:
        machine, emulator = service
        machine.sent(asked(machine), "t").answer()
        with pytest.raises(JobFailedError, match=r"does not hold job t any more .* new tag"):
            machine.sent(asked(machine), "t")
        with pytest.raises(JobFailedError, match="does not hold job t any more"):
            machine.attach(asked(machine), "t").answer()
        assert emulator.accepted == ["t"]

    @pytest.mark.parametrize("fault", ["disconnect-after", "disconnect-before", "truncated", "500", "503"])
    def test_a_lost_answer_changes_nothing(self, fault: str, quick: None) -> None:
        answers = []
        for faults in (None, Faults({fault: 1.0}, most=2)):
            with running("cim", faults) as (machine, found):
                answers.append(machine.sample(MODEL, num_reads=20).record.sample.tolist())
                assert len(found.state()["accepted"]) == 1
                assert found.state()["open"] == []
        assert answers[0] == answers[1]

    @pytest.mark.parametrize("reachable", [True, False])
    def test_a_job_of_which_nobody_knows_cannot_run_later(self, reachable: bool, quick: None) -> None:
        held: set[str] = set()
        spent: set[str] = set()

        def answer(request: httpx.Request) -> httpx.Response:
            tag = request.url.path.rpartition("/")[2]
            if request.method == "PUT" and tag not in spent:
                held.add(tag)
            elif request.method == "DELETE" and gate["open"]:
                held.discard(tag)
                spent.add(tag)
                return httpx.Response(204)
            raise httpx.ReadError("cut")

        gate = {"open": reachable}
        machine = scripted(answer)
        with pytest.raises(BackendError, match=r"broke off.*8 times in a row") as caught:
            machine.sample(MODEL)
        assert bool(held) is not reachable
        assert (
            "may still be with the machine" in str(getattr(caught.value, "__notes__", ""))
        ) is not reachable
        gate["open"] = True
        assert machine.clear() == 0
        assert not held
        assert len(spent) == 1

    def test_a_job_is_fetched_by_another_process(self, service: tuple[Cim, CimEmulator]) -> None:
        machine, emulator = service
        script = f"""
import os
import numpy as np, rapid_ising as ri
from rapid_ising_backends.cim import Cim
machine = Cim(url={machine.url!r}, token={emulator.token!r})
model = ri.IsingModel(np.zeros(3), ri.Sparse(3, [0, 1], [1, 2], [1.0, -1.0]), offset=2.5)
machine.sent(machine._request(model, 50, 1.0, None, None, None), "from-elsewhere")
os._exit(9)
"""
        assert subprocess.run([sys.executable, "-c", script], check=False, timeout=120).returncode == 9
        request = asked(machine, reads=50)
        assert machine.find(request, "from-elsewhere", 0.0) == "from-elsewhere"
        assert machine.find(request, "not-sent", 0.0) is None
        answer = machine.attach(request, "from-elsewhere").answer()
        assert answer.states.shape == (50, 3)
        assert emulator.accepted == ["from-elsewhere"]
        assert emulator.open_jobs() == []
        # It was there: so it is not to be sent again, though its answer is gone.
        assert machine.find(request, "from-elsewhere", 0.0) == "from-elsewhere"


class TestEnds:
    """Every job ends, and takes up no place afterwards."""

    def test_energies_are_those_of_the_problem_as_it_was_asked(
        self, service: tuple[Cim, CimEmulator]
    ) -> None:
        machine, _ = service
        answer = machine.sample(MODEL, num_reads=50)
        for row, energy in zip(answer.record.sample, answer.record.energy, strict=True):
            assert energy == 2.5 + row[0] * row[1] - row[1] * row[2]
        # Low energies are what is looked for: by chance half of the states have 2.5 or more.
        assert (answer.record.energy == 0.5).mean() > 0.5

    def test_a_deadline_leaves_nothing_behind(self) -> None:
        with running("cim", Faults({"never-finishes": 1.0})) as (machine, found):
            with pytest.raises(DeadlineExceededError):
                machine.sample(MODEL, deadline=0.5)
            state = found.state()
            assert (len(state["accepted"]), state["open"]) == (1, [])

    def test_a_cancelled_job_is_gone(self, service: tuple[Cim, CimEmulator]) -> None:
        machine, emulator = service
        job = machine.submit(MODEL, num_reads=2)
        assert emulator.open_jobs() == [job.id]
        assert job.cancel()
        assert emulator.open_jobs() == []
        with pytest.raises(JobFailedError, match="cancelled"):
            job.result()

    def test_a_full_queue_is_waited_for(self) -> None:
        with emulate("cim", slots=1, round_trips=100) as found:
            machine = found.machine()
            first = machine.submit(MODEL)
            threading.Timer(0.3, first.cancel).start()
            assert len(machine.sample(MODEL, num_reads=3, deadline=30)) == 3
            assert len(found.state()["accepted"]) == 2

    @pytest.mark.parametrize("kind", KINDS)
    def test_faults_end_in_an_answer_or_a_clear_error(self, kind: str, quick: None) -> None:
        ends: Counter[str] = Counter()
        for seed in range(2):
            with running("cim", Faults({kind: 0.4}, seed=seed)) as (machine, found):
                assert isinstance(machine, Cim)
                for _ in range(3):
                    try:
                        answer = machine.sample(MODEL, num_reads=4, deadline=3)
                    except BackendError as error:
                        ends[type(error).__name__] += 1
                    else:
                        assert len(answer) == 4
                        ends["answered"] += 1
                assert found.emulator is not None
                struck = dict(found.emulator.faults.count)
                found.emulator.faults.rates.clear()
                assert machine.clear() == 0
                state = found.state()
                assert state["open"] == []
                assert len(set(state["accepted"])) == len(state["accepted"]) <= 3
                assert set(struck) <= {kind}
        assert ends.total() == 6
        assert ends["answered"]


def test_options_are_kept_by_replace() -> None:
    machine = dataclasses.replace(Cim(url=URL, token=TOKEN), size=2000)
    assert machine == Cim(size=2000, url=URL)
    assert machine.transport.url == URL
