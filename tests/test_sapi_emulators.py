"""The emulators of D-Wave's Solver API: driven by the vendor's own client, and strict."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
import zlib
from collections.abc import Iterator
from typing import Any

import dimod
import httpx
import numpy as np
import pytest
from dwave.cloud.api.exceptions import ResourceAuthenticationError
from dwave.cloud.exceptions import (
    CanceledFutureError,
    SolverError,
    SolverFailureError,
    SolverNotFoundError,
)
from dwave.system import DWaveSampler, EmbeddingComposite, LeapHybridSampler
from sapi import nobody  # noqa: F401

from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.dwave import DwaveEmulator
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running

pytestmark = pytest.mark.usefixtures("nobody")


def sampler(service: Running, **options: Any) -> DWaveSampler:
    """Return the vendor's own sampler, which retries quickly where it retries."""
    given = {"endpoint": service.url, "token": service.token, "config_file": False, "request_retry_total": 0}
    return DWaveSampler(**{**given, **options})


class TestVendorsClient:
    """The real client is the referee: what it sends is taken, and what it is answered it understands."""

    @pytest.fixture(params=["pegasus", "zephyr", "chimera"])
    def service(self, request: pytest.FixtureRequest) -> Iterator[Running]:
        with emulate("dwave", topology=request.param, size=2) as service:
            yield service

    def test_samples(self, service: Running) -> None:
        with sampler(service) as machine:
            u, v = machine.edgelist[0]
            answer = machine.sample_ising(
                {u: 1.0, v: 0.5}, {(u, v): -2.0}, num_reads=20, answer_mode="raw", auto_scale=False
            )
            assert len(answer) == 20
            np.testing.assert_allclose(
                answer.record.energy,
                dimod.BinaryQuadraticModel({u: 1.0, v: 0.5}, {(u, v): -2.0}, "SPIN").energies(answer),
            )
            assert answer.first.sample == {u: -1, v: -1}
            assert answer.info["timing"]["qpu_access_time"] == 15_000 + 20 * 164
            assert machine.solver.name.startswith("emulator-")
            taken = machine.solver.estimate_qpu_access_time(2, num_reads=20)
            assert taken == pytest.approx(answer.info["timing"]["qpu_access_time"])

    def test_embeds_and_fills_the_ranges(self, service: Running) -> None:
        triangle = dimod.BinaryQuadraticModel(
            {"a": 40.0}, {"ab": 30.0, "bc": 30.0, "ac": 30.0}, 1.5, "BINARY"
        )
        with sampler(service) as machine:
            answer = EmbeddingComposite(machine).sample(triangle, num_reads=30)
            assert answer.first.energy == 1.5
            np.testing.assert_allclose(answer.record.energy, triangle.energies(answer))


@pytest.fixture
def small() -> Iterator[Running]:
    with emulate("dwave", topology="complete", size=3) as service:
        yield service


class TestVendorsClientAndJobs:
    def test_a_histogram_counts(self, small: Running) -> None:
        with sampler(small) as machine:
            answer = machine.sample_ising({0: 3.0}, {}, num_reads=50)
            assert answer.record.num_occurrences.sum() == 50
            assert len(answer) <= 2
            assert (np.diff(answer.record.energy) >= 0).all()

    def test_a_job_is_retrieved_by_its_id_and_found_by_its_label(self, small: Running) -> None:
        with sampler(small) as machine:
            answer = machine.sample_ising({0: 1.0}, {}, num_reads=3, label="mine")
            again = machine.client.retrieve_answer(answer.info["problem_id"]).sampleset
            assert again.record.sample.tolist() == answer.record.sample.tolist()
        with httpx.Client(headers={"X-Auth-Token": small.token}) as http:
            found = http.get(f"{small.url}/problems/", params={"label": "mine"}).json()
            assert [job["id"] for job in found] == [answer.info["problem_id"]]
            assert http.get(f"{small.url}/problems/", params={"label": "other"}).json() == []

    def test_a_wrong_token(self, small: Running) -> None:
        with pytest.raises(ResourceAuthenticationError):
            sampler(small, token="wrong")

    def test_a_solver_that_is_not_there(self, small: Running) -> None:
        with pytest.raises(SolverNotFoundError):
            sampler(small, solver="nowhere")

    def test_a_run_that_takes_too_long_fails(self, small: Running) -> None:
        with sampler(small) as machine:
            future = machine.solver.sample_ising({0: 1.0}, {}, num_reads=600, annealing_time=2000.0)
            with pytest.raises(SolverFailureError, match="Run duration"):
                future.result()
            assert small.state()["open"] == []

    def test_a_job_that_fails(self) -> None:
        with (
            emulate("dwave", topology="complete", size=3, faults=Faults({"job-failed": 1.0})) as service,
            sampler(service) as machine,
            pytest.raises(SolverFailureError, match="internal error"),
        ):
            machine.solver.sample_ising({0: 1.0}, {}).result()

    def test_a_job_is_cancelled(self) -> None:
        with (
            emulate("dwave", topology="complete", size=3, faults=Faults({"never-finishes": 1.0})) as service,
            sampler(service) as machine,
        ):
            future = machine.solver.sample_ising({0: 1.0}, {})
            future.wait_id(timeout=10)
            assert service.state()["open"] == [future.id]
            future.cancel()
            with pytest.raises(CanceledFutureError):
                future.result()
            assert service.state()["open"] == []

    @pytest.mark.parametrize(("kind", "said"), [("429", "limits exceeded"), ("503", "unavailable")])
    def test_busy(self, small: Running, kind: str, said: str) -> None:
        # The client gives up where our adapter waits and asks again.
        with sampler(small) as machine:
            assert small.emulator is not None
            small.emulator.faults = Faults({kind: 1.0}, most=1)
            with pytest.raises(SolverError, match=said):
                machine.solver.sample_ising({0: 1.0}, {}).result()

    def test_a_batch(self, small: Running) -> None:
        with sampler(small) as machine:
            futures = [machine.solver.sample_ising({0: 1.0}, {}, num_reads=2) for _ in range(30)]
            assert all(sum(future.num_occurrences) == 2 for future in futures)
        assert len(small.state()["accepted"]) == 30

    def test_equal_jobs_have_other_answers_and_all_runs_the_same(self) -> None:
        def drawn() -> list[list[int]]:
            with emulate("dwave", topology="complete", size=3) as service, sampler(service) as machine:
                jobs = (machine.sample_ising({0: 0.0}, {}, num_reads=40) for _ in range(2))
                return [job.record.num_occurrences.tolist() for job in jobs]

        first = drawn()
        assert first[0] != first[1]
        assert drawn() == first


class TestHybrid:
    @pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
    def test_the_vendors_sampler_is_served(self, vartype: str) -> None:
        bqm = dimod.BinaryQuadraticModel({"a": 1.0, "d": 0.0}, {"ab": 1.0, "bc": -2.0}, 0.5, vartype)
        with (
            emulate("leap-hybrid") as service,
            LeapHybridSampler(endpoint=service.url, token=service.token, config_file=False) as machine,
        ):
            answer = machine.sample(bqm)
            assert machine.min_time_limit(bqm) == 3
            assert answer.info["run_time"] == 3e6
        assert (
            answer.first.energy == dimod.ExactSolver().sample(bqm).first.energy == bqm.energy(answer.first[0])
        )


def packed(values: list[float]) -> str:
    return base64.b64encode(np.array(values, "<f8").tobytes()).decode()


NAN = math.nan
# Qubits 0 and 1 of three, every pair coupled.
JOB: dict[str, Any] = {
    "solver": {"name": "emulator-complete-3", "version": {"graph_id": "emulator-3"}},
    "type": "ising",
    "data": {"format": "qp", "lin": packed([1.0, -4.0, NAN]), "quad": packed([-2.0]), "offset": 0.0},
    "params": {"num_reads": 2, "auto_scale": False, "answer_mode": "raw", "annealing_time": 20},
    "label": "x",
}


def changed(part: str | None = None, **changes: Any) -> dict[str, Any]:
    return {**JOB, **changes} if part is None else {**JOB, part: {**JOB[part], **changes}}


REFUSED = {
    "another solver": (changed("solver", name="other"), 404, "does not exist"),
    "another graph": (changed("solver", version={"graph_id": "0"}), 404, "does not exist"),
    "the solver as text": (changed(solver="emulator-complete-3"), 404, "does not exist"),
    "another type": (changed(type="bqm"), 400, "type"),
    "another format": (changed("data", format="ref"), 400, "qp"),
    "too few fields": (changed("data", lin=packed([1.0, 2.0])), 400, "3 values"),
    "too many couplings": (changed("data", quad=packed([1.0, 1.0, 1.0])), 400, "1 values"),
    "no base64": (changed("data", lin="?"), 400, "decoded"),
    "an infinite field": (changed("data", lin=packed([math.inf, 0.0, NAN])), 400, "finite"),
    "a coupling that is NaN": (changed("data", quad=packed([NAN])), 400, "finite"),
    "no qubits": (changed("data", lin=packed([NAN] * 3), quad=""), 400, "no active"),
    "a field out of range": (changed("data", lin=packed([4.5, 0.0, NAN])), 400, "out of range"),
    "a coupling out of range": (changed("data", quad=packed([1.5])), 400, "out of range"),
    "a strong negative coupling": (changed("data", quad=packed([-2.5])), 400, "out of range"),
    "no reads": (changed("params", num_reads=0), 400, "num_reads"),
    "too many reads": (changed("params", num_reads=10_001), 400, "num_reads"),
    "reads that are no number": (changed("params", num_reads="3"), 400, "num_reads"),
    "a short anneal": (changed("params", annealing_time=0.1), 400, "annealing_time"),
    "a long anneal": (changed("params", annealing_time=2001), 400, "annealing_time"),
    "a parameter that is none": (changed("params", beta=1.0), 400, "beta"),
    "another answer mode": (changed("params", answer_mode="all"), 400, "answer_mode"),
    "no switch": (changed("params", auto_scale=1), 400, "auto_scale"),
    "a long label": (changed(label="x" * 1025), 400, "label"),
    "a field that is none": (changed(extra=1), 400, "unknown"),
    "no data": ({key: JOB[key] for key in ("solver", "type", "params")}, 400, "data"),
    "no job": ([], 400, "unknown"),
}


class TestStrict:
    @pytest.fixture
    def http(self, small: Running) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=small.url, headers={"X-Auth-Token": small.token}) as http:
            yield http

    def test_the_job_that_is_spoiled_below_is_good(self, http: httpx.Client, small: Running) -> None:
        (status,) = http.post("/problems/", json=[JOB]).json()
        assert status["status"] == "PENDING"
        states = [http.get(f"/problems/{status['id']}").json()["status"] for _ in range(3)]
        assert states == ["PENDING", "IN_PROGRESS", "COMPLETED"]
        assert small.state() == {"accepted": ["x"], "open": [], "faults": {}}

    @pytest.mark.parametrize("kind", REFUSED)
    def test_a_job_is_refused_by_itself(self, http: httpx.Client, small: Running, kind: str) -> None:
        job, code, said = REFUSED[kind]
        reply = http.post("/problems/", json=[job, JOB])
        assert reply.status_code == 200
        refusal, taken = reply.json()
        assert refusal["error_code"] == code
        assert said in refusal["error_msg"]
        assert taken["status"] == "PENDING"
        assert small.state()["accepted"] == ["x"]

    def test_couplings_that_add_up_to_too_much_at_a_qubit(self) -> None:
        with emulate("dwave", topology="complete", size=18) as service:
            assert isinstance(service.emulator, DwaveEmulator)
            emulator, star = service.emulator, [0.0] * (18 * 17 // 2)
            star[:17] = [-1.5] * 17
            job = {
                **JOB,
                "solver": emulator.definition()["identity"],
                "data": {"format": "qp", "lin": packed([0.0] * 18), "quad": packed(star)},
            }
            (refusal,) = httpx.post(
                f"{service.url}/problems/", json=[job], headers={"X-Auth-Token": service.token}
            ).json()
        assert refusal["error_code"] == 400

    @pytest.mark.parametrize(
        ("content", "headers", "status"),
        [
            (b"", {}, 400),
            (b"{}", {}, 400),
            (b"[]", {}, 400),
            (json.dumps([JOB] * 21).encode(), {}, 400),
            (b"[", {}, 400),
            (json.dumps([JOB]).encode(), {"Content-Encoding": "deflate"}, 400),
            (zlib.compress(json.dumps([JOB]).encode())[:-5], {"Content-Encoding": "deflate"}, 400),
            (json.dumps([JOB]).encode(), {"Content-Encoding": "br"}, 415),
            (json.dumps([JOB]).encode(), {"Accept": "application/vnd.dwave.sapi.problem+json"}, 406),
            (
                json.dumps([JOB]).encode(),
                {"Accept": "application/vnd.dwave.sapi.problems+json; version=2.0.0"},
                406,
            ),
            (json.dumps([JOB]).encode(), {"X-Auth-Token": "wrong"}, 401),
            (zlib.compress(json.dumps([JOB]).encode()), {"Content-Encoding": "deflate"}, 200),
        ],
    )
    def test_a_request_is_refused(
        self, http: httpx.Client, small: Running, content: bytes, headers: dict[str, str], status: int
    ) -> None:
        reply = http.post("/problems/", content=content, headers=headers)
        assert reply.status_code == status
        assert len(small.state()["accepted"]) == (status == 200)
        if status != 200:
            assert reply.json()["error_code"] == status

    @pytest.mark.parametrize(
        "path",
        [
            "/problems/?id=none",
            "/problems/none",
            "/problems/none/",
            "/solvers/remote/none",
        ],
    )
    def test_what_is_not_there(self, http: httpx.Client, path: str) -> None:
        assert http.get(path).status_code == 404

    @pytest.mark.parametrize(
        "query", ["id=a&timeout=soon", "max_results=x", "labels=x", "id=" + ",".join(["a"] * 1001)]
    )
    def test_a_question_that_is_none(self, http: httpx.Client, query: str) -> None:
        assert http.get(f"/problems/?{query}").status_code == 400

    def test_answers_have_their_media_types(self, http: httpx.Client) -> None:
        kinds = {
            "/solvers/remote/": "solver-definition-list",
            "/solvers/remote/emulator-complete-3": "solver-definition",
            "/problems/": "problems",
        }
        for path, kind in kinds.items():
            expected = f"application/vnd.dwave.sapi.{kind}+json; version=3.0.0"
            assert http.get(path).headers["content-type"] == expected

    def test_a_definition_is_filtered(self, http: httpx.Client) -> None:
        (parts,) = http.get("/solvers/remote/", params={"filter": "none,+identity,+status"}).json()
        assert set(parts) == {"identity", "status"}
        (parts,) = http.get("/solvers/remote/", params={"filter": "all,-status,-avg_load"}).json()
        assert set(parts) == {"identity", "description", "properties"}
        assert http.get("/solvers/remote/", params={"filter": "some"}).status_code == 400

    def test_cancelling(self, http: httpx.Client) -> None:
        ids = [http.post("/problems/", json=[JOB]).json()[0]["id"] for _ in range(2)]
        assert http.delete(f"/problems/{ids[0]}").json()["status"] == "CANCELLED"
        assert http.delete(f"/problems/{ids[0]}").status_code == 409
        assert http.delete("/problems/none").status_code == 404
        several = http.request("DELETE", "/problems/", json=[*ids, "none"]).json()
        assert [part.get("error_code", part.get("status")) for part in several] == [409, "CANCELLED", 404]
        assert http.request("DELETE", "/problems/", json={}).status_code == 400
        assert http.get(f"/problems/{ids[1]}").json()["status"] == "CANCELLED"

    def test_answers_take_no_notice_of_the_time(self, http: httpx.Client) -> None:
        began = time.monotonic()
        (status,) = http.post("/problems/", json=[JOB]).json()
        http.get(f"/problems/?id={status['id']}&timeout=30")
        assert time.monotonic() - began < 20


class TestUploads:
    @pytest.fixture
    def http(self) -> Iterator[httpx.Client]:
        with (
            emulate("leap-hybrid") as service,
            httpx.Client(base_url=service.url, headers={"X-Auth-Token": service.token}) as http,
        ):
            yield http

    def put(self, http: httpx.Client, path: str, part: bytes, **headers: str) -> int:
        digest = base64.b64encode(hashlib.md5(part).digest()).decode()
        own = {"Content-MD5": digest, "Content-Type": "application/octet-stream"}
        return http.put(path, content=part, headers={**own, **headers}).status_code

    def job(self, id: str, **changes: Any) -> dict[str, Any]:
        return {
            "solver": {"name": "emulator-hybrid-bqm"},
            "type": "bqm",
            "data": {"format": "ref", "data": id},
            "params": {"time_limit": 3.0},
            **changes,
        }

    def uploaded(self, http: httpx.Client, body: bytes) -> str:
        id: str = http.post("/bqm/multipart", json={"size": len(body)}).json()["id"]
        parts = [body[:10], body[10:]]
        for number, part in enumerate(parts, start=1):
            assert self.put(http, f"/bqm/multipart/{id}/part/{number}", part) == 200
        whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
        assert http.post(f"/bqm/multipart/{id}/combine", json={"checksum": whole}).status_code == 200
        return id

    def test_what_is_wrong_with_an_upload(self, http: httpx.Client) -> None:
        assert http.post("/bqm/multipart", json={"size": 0}).status_code == 400
        assert http.post("/bqm/multipart", json=[]).status_code == 400
        assert http.post("/bqm/multipart", json={"size": 9}, headers={"X-Auth-Token": ""}).status_code == 401
        id = http.post("/bqm/multipart", json={"size": 9}).json()["id"]
        own = f"/bqm/multipart/{id}"
        assert self.put(http, "/bqm/multipart/none/part/1", b"a") == 404
        assert self.put(http, f"{own}/part/1", b"a", **{"Content-MD5": "AAAA"}) == 400
        assert self.put(http, f"{own}/part/0", b"a") == 400
        assert self.put(http, f"{own}/part/1", b"a", **{"Content-Type": "text/plain"}) == 400
        assert self.put(http, f"{own}/part/1", b"a") == 200
        digest = hashlib.md5(b"a").hexdigest()
        assert http.get(f"{own}/status").json() == {
            "status": "UPLOAD_IN_PROGRESS",
            "parts": [{"part_number": 1, "checksum": digest}],
        }
        assert http.post(f"{own}/combine", json={"checksum": digest}).status_code == 400
        whole = hashlib.md5(hashlib.md5(b"a").digest()).hexdigest()
        # One byte of nine.
        assert http.post(f"{own}/combine", json={"checksum": whole}).status_code == 400

    def test_what_is_wrong_with_a_job(self, http: httpx.Client) -> None:
        bqm = dimod.BinaryQuadraticModel({0: 1.0}, {(0, 1): 1.0}, "SPIN")
        with bqm.to_file() as file:
            id = self.uploaded(http, file.read())
        junk = self.uploaded(http, b"no model at all")
        jobs = [
            (self.job("none"), "uploaded"),
            (self.job(id, data={"format": "qp", "data": id}), "uploaded"),
            (self.job(junk), "no binary quadratic model"),
            (self.job(id, params={"time_limit": 2.9}), "at least 3"),
            (self.job(id, params={"time_limit": 1e9}), "at most"),
            (self.job(id, params={}), "time_limit"),
            (self.job(id, params={"time_limit": 3, "reads": 2}), "Unknown"),
            (self.job(id, type="ising"), "bqm"),
        ]
        refusals = http.post("/problems/", json=[job for job, _ in jobs]).json()
        for refusal, (_, said) in zip(refusals, jobs, strict=True):
            assert said in refusal["error_msg"]
        (taken,) = http.post("/problems/", json=[self.job(id)]).json()
        assert taken["status"] == "PENDING"
