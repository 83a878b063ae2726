"""The adapter of Dirac-3 against a client of the vendor's calls, and the emulator by its addresses.

qci-client is not in this environment: ``test_dirac_3_client.py`` has the tests that need it.
"""

from __future__ import annotations

import itertools
import math
import sys
import types
from collections.abc import Iterator
from typing import Any

import dimod
import httpx
import numpy as np
import pytest
import requests

from rapid_ising import Backend, IsingModel, load_backend
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    MissingDependencyError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import transport
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.dirac_3 import Dirac3
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing

TOKEN = "canary-d1c3"
ASKED = dimod.BinaryQuadraticModel({0: 1.0, 1: 2.0, 2: 0.0}, {(1, 2): -4.0}, 3.0, "BINARY")


class Service:
    """What the client's calls do, in memory, as the vendor's guide shows them."""

    def __init__(self) -> None:
        self.files: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.clients: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.statuses = ["SUBMITTED", "QUEUED", "RUNNING", "COMPLETED"]
        self.errors: dict[str, list[Exception]] = {}
        self.results: dict[str, Any] | None = None
        self.job_result: dict[str, Any] = {"device_usage_s": 8, "file_id": "674f5e1b5e08552632271fd7"}

    def call(self, name: str) -> None:
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    def solved(self) -> dict[str, Any]:
        polynomial = self.files[-1]["file_config"]["polynomial"]
        bqm = dimod.BinaryQuadraticModel("BINARY")
        bqm.add_variables_from((i, 0.0) for i in range(1, polynomial["num_variables"] + 1))
        for term in polynomial["data"]:
            places = [i for i in term["idx"] if i]
            if len(places) == 1:
                bqm.add_linear(places[0], term["val"])
            else:
                bqm.add_quadratic(*places, term["val"])
        device = self.bodies[-1]["job_submission"]["device_config"]["dirac-3_qudit"]
        reads = SimulatedAnnealing(num_sweeps=20).sample(
            bqm, num_reads=device["num_samples"], beta=math.inf, seed=0
        )
        columns = [list(reads.variables).index(i + 1) for i in range(bqm.num_variables)]
        bits, counts = np.unique(reads.record.sample[:, columns], axis=0, return_counts=True)
        energies = bqm.energies((bits, range(1, bqm.num_variables + 1)))
        return {"counts": counts.tolist(), "energies": energies.tolist(), "solutions": bits.tolist()}

    def module(self) -> types.ModuleType:
        service = self

        class QciClient:
            def __init__(self, *, url: str, api_token: str, timeout: float) -> None:
                service.clients.append({"url": url, "api_token": api_token, "timeout": timeout})

            def upload_file(self, *, file: dict[str, Any]) -> dict[str, str]:
                service.call("upload_file")
                service.files.append(file)
                return {"file_id": "674f27a75e08552632271ef7"}

            def build_job_body(
                self,
                *,
                job_type: str,
                job_params: dict[str, Any],
                polynomial_file_id: str,
                job_name: str,
                job_tags: list[str],
            ) -> dict[str, Any]:
                assert job_type == "sample-hamiltonian-integer"
                device = {key: value for key, value in job_params.items() if key != "device_type"}
                assert job_params["device_type"] == "dirac-3"
                problem = {"qudit_hamiltonian_optimization": {"polynomial_file_id": polynomial_file_id}}
                return {
                    "job_submission": {
                        "device_config": {"dirac-3_qudit": device},
                        "job_name": job_name,
                        "job_tags": job_tags,
                        "problem_config": problem,
                    }
                }

            def submit_job(self, *, job_body: dict[str, Any]) -> dict[str, str]:
                service.call("submit_job")
                service.bodies.append(job_body)
                return {"job_id": f"j{len(service.bodies)}"}

            def get_job_status(self, *, job_id: str) -> dict[str, str]:
                service.call("get_job_status")
                left = service.statuses
                return {"status": left[0] if len(left) == 1 else left.pop(0)}

            def get_job_results(self, *, job_id: str) -> dict[str, Any]:
                service.call("get_job_results")
                status = service.statuses[0]
                results = service.results or service.solved() if status == "COMPLETED" else None
                info = {"job_id": job_id, "job_result": service.job_result, "job_status": {}}
                return {"job_info": info, "status": status, "results": results}

            def cancel_job(self, *, job_id: str) -> dict[str, str]:
                service.call("cancel_job")
                service.cancelled.append(job_id)
                return {"job_id": job_id}

        module = types.ModuleType("qci_client")
        module.QciClient = QciClient  # type: ignore[attr-defined]
        return module


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    found = Service()
    monkeypatch.setitem(sys.modules, "qci_client", found.module())
    monkeypatch.delenv("QCI_TOKEN", raising=False)
    monkeypatch.setattr(transport, "sleep", lambda seconds: None)
    return found


def wrapped(status: int, text: str = "why") -> Exception:
    """Return an HTTP error as the client raises it: a new one, of which the first is the cause."""
    response = requests.Response()
    response.status_code = status
    error = requests.HTTPError(f"{status} with response body: {text}")
    error.__cause__ = requests.HTTPError(str(status), response=response)
    return error


def sample(num_reads: int = 4, **options: Any) -> dimod.SampleSet:
    return Dirac3(token=TOKEN, **options).sample(ASKED, num_reads=num_reads, deadline=60)


class TestConformance(BackendConformance):
    @pytest.fixture
    def backend(self, service: Service) -> Backend:
        service.statuses = ["COMPLETED"]
        return load_backend("dirac-3", token=TOKEN)


class TestWithoutTheClient:
    @pytest.fixture(autouse=True)
    def absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "qci_client", None)

    def test_it_can_be_planned_for(self) -> None:
        machine = load_backend("dirac-3")
        machine.check(ASKED, num_reads=100)
        assert machine.capabilities.tested == "contract-tested, not yet run on hardware"

    def test_what_is_missing_is_explained_before_anything_is_sent(self) -> None:
        with pytest.raises(MissingDependencyError) as caught:
            Dirac3(token=TOKEN).sample(ASKED)
        told = str(caught.value)
        assert "networkx<3, and rapid-ising for networkx>=3" in told
        assert "environment of its own" in told
        assert told.endswith("pip install 'rapid-ising[dirac-3]' && pip install --no-deps 'qci-client>=5'")

    def test_a_fault_of_the_client_is_not_called_missing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "qci_client.py").write_text("import another_that_is_not_there")
        monkeypatch.delitem(sys.modules, "qci_client")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModuleNotFoundError, match="another_that_is_not_there"):
            Dirac3(token=TOKEN).sample(ASKED)


class TestTheCalls:
    def test_the_polynomial_is_encoded_as_the_guide_says(self, service: Service) -> None:
        sample()
        assert len(service.files) == 1
        tag = service.files[0]["file_name"]
        assert service.files[0] == {
            "file_name": tag,
            "file_config": {
                "polynomial": {
                    "num_variables": 3,
                    "min_degree": 1,
                    "max_degree": 2,
                    "data": [
                        {"idx": [0, 1], "val": 1.0},
                        {"idx": [0, 2], "val": 2.0},
                        {"idx": [0, 3], "val": 0.0},
                        {"idx": [2, 3], "val": -4.0},
                    ],
                }
            },
        }

    def test_without_pairs_it_is_of_the_first_degree(self, service: Service) -> None:
        Dirac3(token=TOKEN).sample(IsingModel([0.5, -1.0], np.zeros((2, 2))))
        polynomial = service.files[0]["file_config"]["polynomial"]
        assert polynomial["max_degree"] == 1
        assert polynomial["data"] == [{"idx": [1], "val": 1.0}, {"idx": [2], "val": -2.0}]

    def test_the_job_is_what_the_guide_shows(self, service: Service) -> None:
        sample(5, relaxation_schedule=2, mean_photon_number=0.001, quantum_fluctuation_coefficient=50)
        tag = service.files[0]["file_name"]
        assert service.bodies == [
            {
                "job_submission": {
                    "device_config": {
                        "dirac-3_qudit": {
                            "num_samples": 5,
                            "num_levels": [2, 2, 2],
                            "relaxation_schedule": 2,
                            "mean_photon_number": 0.001,
                            "quantum_fluctuation_coefficient": 50,
                        }
                    },
                    "job_name": tag,
                    "job_tags": ["rapid-ising"],
                    "problem_config": {
                        "qudit_hamiltonian_optimization": {"polynomial_file_id": "674f27a75e08552632271ef7"}
                    },
                }
            }
        ]
        assert service.clients[0]["url"] == "https://api.qci-prod.com"
        assert service.clients[0]["api_token"] == TOKEN

    def test_counts_of_a_recorded_answer_are_expanded(self, service: Service) -> None:
        service.results = {
            "counts": [3, 1, 1],
            "energies": [-2.0, -1.0, 0.0],
            "solutions": [[0, 1, 1], [1, 1, 1], [0, 0, 0]],
        }
        answer = sample(5)
        assert answer.record.sample.tolist() == [[0, 1, 1]] * 3 + [[1, 1, 1], [0, 0, 0]]
        assert answer.record.energy.tolist() == [1.0, 1.0, 1.0, 2.0, 3.0]
        stage = answer.info["rapid_ising"]["stages"][0]
        assert (stage["machine_seconds"], stage["distinct"], stage["job"]) == (8, 3, "j1")
        assert service.cancelled == []

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"counts": [3, 1]}, "its counts are"),
            ({"counts": [3, 2, 0]}, "its counts are"),
            ({"counts": [3, 1, 1], "energies": [-2.0, -1.0]}, "3 states and energies of shape"),
            ({"energies": [-2.0, -1.0, 5.0]}, "energy"),
            ({"energies": [-2.0, -1.0, math.nan]}, "not finite"),
            ({"solutions": [[0, 1, 1], [1, 1, 1], [0, 0]]}, "3 zeros and ones"),
            ({"solutions": [[0, 1, 1], [1, 1, 1], [0, 0, 2]]}, "3 zeros and ones"),
            ({"solutions": [[0, 1, 1], [1, 1, 1], [0, 0, 0.5]]}, "3 zeros and ones"),
            ({"solutions": [["0", "1", "1"]]}, "Expected `float`"),
            ({"solutions": []}, "its counts are"),
            ({"counts": None}, "Expected `array`"),
        ],
    )
    def test_a_damaged_answer_is_an_error(self, service: Service, change: dict[str, Any], text: str) -> None:
        good = {
            "counts": [3, 1, 1],
            "energies": [-2.0, -1.0, 0.0],
            "solutions": [[0, 1, 1], [1, 1, 1], [0, 0, 0]],
        }
        service.results = {**good, **change}
        with pytest.raises(ProtocolError, match=text):
            sample(5)


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("call", "error", "ours", "text"),
        [
            ("upload_file", wrapped(401), AuthenticationError, "refuses the token"),
            ("submit_job", wrapped(403), AuthenticationError, "refuses the token"),
            ("submit_job", wrapped(400, "too many levels"), RejectedError, "too many levels"),
            ("submit_job", wrapped(429), BackendError, "is busy"),
            ("upload_file", wrapped(500), BackendError, "500"),
            ("upload_file", requests.ConnectionError("refused"), BackendError, "refused"),
            ("upload_file", TimeoutError(), BackendError, "TimeoutError"),
            ("upload_file", KeyError("file_id"), ProtocolError, "file_id"),
            ("submit_job", wrapped(500), UnknownOutcomeError, "may be with the machine"),
            ("submit_job", requests.ReadTimeout("late"), UnknownOutcomeError, "late"),
            ("submit_job", requests.ConnectionError("cut"), UnknownOutcomeError, "cut"),
            ("submit_job", KeyError("job_id"), UnknownOutcomeError, "job_id"),
        ],
    )
    def test_errors_before_there_is_a_job(
        self, service: Service, call: str, error: Exception, ours: type[Exception], text: str
    ) -> None:
        service.errors[call] = [error]
        with pytest.raises(ours, match=text) as caught:
            sample()
        assert type(caught.value) is ours
        assert service.bodies == []

    def test_a_late_answer_to_a_job_says_that_it_was_late(self, service: Service) -> None:
        service.errors["submit_job"] = [requests.ReadTimeout("late")]
        with pytest.raises(UnknownOutcomeError) as caught:
            sample()
        assert caught.value.timed_out

    def test_questions_are_asked_again(self, service: Service) -> None:
        service.errors["get_job_status"] = [wrapped(503), requests.ConnectionError("cut"), wrapped(429)]
        service.errors["get_job_results"] = [wrapped(500)]
        assert len(sample()) == 4
        assert len(service.bodies) == 1

    def test_but_not_for_ever(self, service: Service) -> None:
        service.errors["get_job_status"] = [wrapped(503)] * 4
        with pytest.raises(BackendError, match="503"):
            sample()
        assert service.errors["get_job_status"] == []

    @pytest.mark.parametrize("status", ["ERRORED", "CANCELLED", "LOST"])
    def test_a_job_that_failed_says_why(self, service: Service, status: str) -> None:
        service.statuses = ["QUEUED", status]
        service.job_result = {"error": "the device is warm"}
        with pytest.raises(JobFailedError, match=f"ended as {status}: the device is warm"):
            sample()

    def test_a_job_that_is_deleted_under_us(self, service: Service) -> None:
        service.errors["get_job_status"] = [wrapped(404, "no such job")]
        with pytest.raises(RejectedError, match="no such job"):
            sample()

    def test_at_the_deadline_the_job_is_cancelled(self, service: Service) -> None:
        service.statuses = ["RUNNING"]
        with pytest.raises(DeadlineExceededError):
            Dirac3(token=TOKEN).sample(ASKED, deadline=0.3)
        assert service.cancelled == ["j1"]
        # No single question may last longer than what is left, but those that clear up.
        assert {client["timeout"] for client in service.clients[:-1]} <= {60 / 4**5, 60 / 4**4}

    def test_a_job_can_be_cancelled_until_it_is_over(self, service: Service) -> None:
        job = Dirac3(token=TOKEN).submit(ASKED, num_reads=2)
        assert job.cancel()
        assert service.cancelled == ["j1"]
        with pytest.raises(JobFailedError, match="was cancelled"):
            job.result()
        service.errors["cancel_job"] = [wrapped(400, "the job is over")]
        other = Dirac3(token=TOKEN).submit(ASKED, num_reads=2)
        assert not other.cancel()
        assert len(other.result()) == 2

    def test_the_token_is_needed_and_shows_nowhere(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(AuthenticationError, match="QCI_TOKEN"):
            Dirac3().sample(ASKED)
        with pytest.raises(AuthenticationError, match="QCI_TOKEN"):
            Dirac3()._cancel("j1", Deadline(1))
        monkeypatch.setenv("QCI_TOKEN", TOKEN)
        machine = Dirac3()
        machine.sample(ASKED)
        assert TOKEN not in repr(machine)
        service.errors["submit_job"] = [wrapped(400, f"token {TOKEN} has no time left")]
        with pytest.raises(RejectedError) as caught:
            machine.sample(ASKED)
        assert TOKEN not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"relaxation_schedule": 0}, "relaxation_schedule"),
        ({"relaxation_schedule": 5}, "relaxation_schedule must be 1 to 4"),
        ({"mean_photon_number": 0.1}, "mean_photon_number"),
        ({"quantum_fluctuation_coefficient": 101}, "quantum_fluctuation_coefficient must be 1 to 100"),
        ({"quantum_fluctuation_coefficient": 1.5}, "quantum_fluctuation_coefficient"),
        ({"url": "api.qci"}, "url"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameterError, match=text):
        Dirac3(**options)


class TestTheEmulator:
    @pytest.fixture
    def asking(self) -> Iterator[tuple[httpx.Client, Running]]:
        with emulate("dirac-3") as service:
            token = httpx.post(
                service.url + "/auth/v1/access-tokens/", json={"refresh_token": service.token}
            ).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=service.url + "/optimization/v1", headers=headers) as client:
                yield client, service

    def upload(self, client: httpx.Client, data: Any, *, variables: int = 2, degree: int = 2) -> str:
        shape = {"num_variables": variables, "min_degree": 1, "max_degree": degree}
        id: str = client.post("/files", json={"file_config": {"polynomial": shape}}).json()["file_id"]
        part = {"file_config": {"polynomial": {"data": data}}}
        assert client.patch(f"/files/{id}/contents/1", json=part).status_code == 200
        return id

    def submit(self, client: httpx.Client, file: str, **device: Any) -> httpx.Response:
        config = {"num_levels": [2], "num_samples": 3, **device}
        submission = {
            "job_name": "a job",
            "problem_config": {"qudit_hamiltonian_optimization": {"polynomial_file_id": file}},
            "device_config": {"dirac-3_qudit": config},
        }
        return client.post("/jobs", json={"job_submission": submission})

    def test_a_job_from_upload_to_answer(self, asking: tuple[httpx.Client, Running]) -> None:
        client, service = asking
        file = self.upload(client, [{"idx": [0, 1], "val": -1}, {"idx": [1, 2], "val": -2.5}])
        id = self.submit(client, file).json()["job_id"]
        assert service.state() == {"accepted": ["a job"], "open": [id], "faults": {}}
        seen = [client.get(f"/jobs/{id}/status").json()["status"] for _ in range(4)]
        assert seen == ["QUEUED", "RUNNING", "COMPLETED", "COMPLETED"]
        info = client.get(f"/jobs/{id}").json()
        assert info["emulator"] == "dirac-3"
        assert info["job_result"]["device_usage_s"] == 1
        results = info["job_result"]["file_id"]
        assert client.get(f"/files/{results}").json()["num_parts"] == 1
        answer = client.get(f"/files/{results}/contents/1").json()
        assert answer["file_config"]["qudit_hamiltonian_optimization_results"] == {
            "counts": [3],
            "energies": [-3.5],
            "solutions": [[1, 1]],
        }
        assert client.patch(f"/jobs/{id}", json={}).status_code == 400
        assert service.state()["open"] == []

    def test_a_waiting_job_can_be_cancelled(self, asking: tuple[httpx.Client, Running]) -> None:
        client, _ = asking
        id = self.submit(client, self.upload(client, [{"idx": [0, 1], "val": 1}])).json()["job_id"]
        assert client.patch(f"/jobs/{id}", json={}).status_code == 200
        assert client.get(f"/jobs/{id}/status").json()["status"] == "CANCELLED"

    def test_each_refusal(self, asking: tuple[httpx.Client, Running]) -> None:
        client, service = asking
        login = service.url + "/auth/v1/access-tokens/"
        assert httpx.post(login, json={"refresh_token": "wrong"}).status_code == 401
        assert httpx.get(service.url + "/optimization/v1/jobs/x").status_code == 401
        for path in ("/jobs/x", "/jobs/x/status", "/files/x", "/files/x/contents/1"):
            assert client.get(path).status_code == 404
        part: dict[str, Any] = {"file_config": {"polynomial": {"data": []}}}
        assert client.patch("/files/x/contents/1", json=part).status_code == 404
        for body in (b"{", b"[]", b'{"file_config":{"qubo":{}}}', b'{"file_config":{"polynomial":{}}}'):
            assert client.post("/files", content=body).status_code == 400
        good = self.upload(client, [{"idx": [0, 1], "val": 1}])
        assert client.patch(f"/files/{good}/contents/1", json={"file_config": {}}).status_code == 400
        assert self.submit(client, "nothing").status_code == 400
        jobs: list[tuple[dict[str, Any], str]] = [
            ({"num_levels": [3]}, "two levels"),
            ({"num_levels": [2, 2, 2]}, "num_levels"),
            ({"num_samples": 0}, "num_samples is out of range"),
            ({"num_samples": 101}, "num_samples is out of range"),
            ({"num_samples": 1.5}, "num_samples is of a wrong type"),
            ({"relaxation_schedule": 5}, "relaxation_schedule is out of range"),
            ({"mean_photon_number": 1.0}, "mean_photon_number is out of range"),
            ({"quantum_fluctuation_coefficient": 0}, "quantum_fluctuation_coefficient is out of range"),
            ({"sum_constraint": 1}, "unknown parameters"),
        ]
        for device, text in jobs:
            refusal = self.submit(client, good, **device)
            assert refusal.status_code == 400, device
            assert text in refusal.json()["message"]
        for data, text in [
            ([{"idx": [2, 1], "val": 1}], "does not rise"),
            ([{"idx": [1], "val": 1}], "wrong length"),
            ([{"idx": [1, 3], "val": 1}], "variable"),
            ([{"idx": [0, 0], "val": 1}], "constant"),
            ([{"idx": [0, 1]}], "idx and val"),
            ([{"idx": [0, 1], "val": "x"}], "idx and val"),
        ]:
            refusal = self.submit(client, self.upload(client, data))
            assert refusal.status_code == 400, data
            assert text in refusal.json()["message"]
        large = self.upload(client, [{"idx": [0, 1], "val": 1}], variables=475)
        assert "950, more than the 949" in self.submit(client, large).json()["message"]
        cubic = self.upload(client, [{"idx": [0, 0, 1], "val": 1}], degree=3)
        assert "degree" in self.submit(client, cubic).json()["message"]
        empty = client.post(
            "/files",
            json={"file_config": {"polynomial": {"num_variables": 1, "min_degree": 1, "max_degree": 1}}},
        ).json()["file_id"]
        assert "part of the file is missing" in self.submit(client, empty).json()["message"]
        assert service.state()["accepted"] == []

    def test_energies_are_those_of_the_polynomial(self, asking: tuple[httpx.Client, Running]) -> None:
        client, _ = asking
        rng = np.random.default_rng(1)
        pairs = {(i, j): float(rng.normal()) for i, j in itertools.combinations(range(1, 6), 2)}
        data = [{"idx": list(places), "val": value} for places, value in pairs.items()]
        id = self.submit(client, self.upload(client, data, variables=5), num_samples=40).json()["job_id"]
        for _ in range(3):
            client.get(f"/jobs/{id}/status")
        results = client.get(f"/jobs/{id}").json()["job_result"]["file_id"]
        found = client.get(f"/files/{results}/contents/1").json()["file_config"][
            "qudit_hamiltonian_optimization_results"
        ]
        assert sum(found["counts"]) == 40
        for bits, energy in zip(found["solutions"], found["energies"], strict=True):
            by_hand = sum(value for (i, j), value in pairs.items() if bits[i - 1] and bits[j - 1])
            assert energy == pytest.approx(by_hand)
