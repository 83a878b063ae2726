"""cim: no tag makes two jobs, every job ends, and none is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from adapters import running
from cim_machines import MODEL, asked, scripted

import rapid_ising as ri
from rapid_ising.errors import BackendError, DeadlineExceededError, JobFailedError, RejectedError
from rapid_ising_backends.cim import Cim
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.cim import CimEmulator
from rapid_ising_backends.emulators.faults import KINDS, Faults


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid_ising.remote.transport.sleep", lambda seconds: None)


@pytest.fixture
def service() -> Iterator[tuple[Cim, CimEmulator]]:
    with running("cim") as (machine, found):
        assert isinstance(machine, Cim)
        assert isinstance(found.emulator, CimEmulator)
        yield machine, found.emulator


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
        answer = machine.sample(MODEL, num_reads=400)
        for row, energy in zip(answer.record.sample, answer.record.energy, strict=True):
            assert energy == 2.5 + row[0] * row[1] - row[1] * row[2]
        # Low energies are what is looked for. By chance, 1/4 +- .022 of 400 states have the lowest.
        assert (answer.record.energy == 0.5).mean() > 0.25 + 5 * 0.022

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


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
def test_trainings_are_equal_whether_or_not_answers_are_lost(quick: None) -> None:
    data = ri.datasets.stripes(4).train
    trained, jobs = [], []
    for faults in (None, None, Faults({"disconnect-after": 0.2, "disconnect-before": 0.1, "500": 0.1})):
        with running("cim", faults) as (machine, found):
            model = ri.PatternRBM(n_visible=16, n_hidden=12, n_patterns=4, seed=0)
            ri.train(model, data, backend=machine, epochs=2, seed=0, progress=False)
            trained.append(np.array(model.weights))
            state = found.state()
            jobs.append(len(state["accepted"]))
            assert len(set(state["accepted"])) == jobs[-1]
            assert state["open"] == []
    assert (state["faults"].keys(), jobs) == ({"disconnect-after", "disconnect-before", "500"}, jobs[:1] * 3)
    assert (trained[0] == trained[1]).all()
    assert (trained[0] == trained[2]).all()
