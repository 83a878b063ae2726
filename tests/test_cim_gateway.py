"""The contract of docs/cim-gateway.md, held to by the emulator and by the gateway that the page shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.backend import Backend
from rapid_ising.testing import BackendConformance
from rapid_ising_backends import cim
from rapid_ising_backends.cim import Cim
from rapid_ising_backends.emulators import emulate

PAGE = (Path(__file__).parents[1] / "docs" / "cim-gateway.md").read_text(encoding="utf-8")
TOKEN = "swordfish"
JOB: dict[str, Any] = {"spins": 4, "couplings": [[0, 1, 1], [1, 2, -1], [0, 3, 1]], "runs": 5}


def code() -> str:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    return str(block)


@contextlib.contextmanager
def reference(folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the page's gateway in a process of its own and yield where it is."""
    (folder / "gateway.py").write_text(code(), encoding="utf-8")
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    words = [sys.executable, "gateway.py", str(port)]
    environment = {**os.environ, "GATEWAY_TOKEN": TOKEN}
    with subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert time.monotonic() < end
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture(params=["emulator", "reference"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "emulator":
        with emulate("cim", token=TOKEN, size=100, round_trips=300) as service:
            yield service.url
    else:
        with reference(tmp_path_factory.mktemp("gateway")) as (url, _):
            yield url


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with reference(tmp_path_factory.mktemp("gateway")) as (url, _):
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with client_of(url) as client:
        yield client


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)


def done(client: httpx.Client, tag: str) -> dict[str, Any]:
    seen = []
    for _ in range(600):
        reply = client.get(f"/v1/jobs/{tag}")
        assert reply.status_code == 200
        outcome: dict[str, Any] = reply.json()
        seen.append(outcome["status"])
        if seen[-1] == "done":
            assert set(seen) <= {"queued", "running", "done"}
            return outcome
        assert "spins" not in outcome
        time.sleep(0.02)
    raise AssertionError(seen[-5:])


class TestContract:
    def test_the_machine_tells_its_facts(self, client: httpx.Client, url: str) -> None:
        facts = client.get("/v1/machine").json()
        assert (facts["version"], facts["spins"], facts["largest_coupling"]) == (1, 100, 1)
        told = Cim(url=url, token=TOKEN).properties()
        assert (told.spins, told.largest_coupling, told.max_runs) == (100, 1, 1000)

    def test_a_job_is_taken_on_once_and_done(self, client: httpx.Client) -> None:
        first = client.put("/v1/jobs/a.b~c_d-1", json=JOB)
        assert (first.status_code, first.json()) == (201, {"tag": "a.b~c_d-1"})
        again = dict(reversed(JOB.items()))
        assert client.put("/v1/jobs/a.b~c_d-1", json=again).status_code == 200
        outcome = done(client, "a.b~c_d-1")
        states = np.array(outcome["spins"])
        assert states.shape == (5, 4)
        assert set(np.unique(states)) <= {-1, 1}
        energies = [sum(J * row[i] * row[j] for i, j, J in JOB["couplings"]) for row in outcome["spins"]]
        assert outcome["energies"] == energies
        assert outcome["machine_seconds"] == pytest.approx(0.025)
        later = client.put("/v1/jobs/a.b~c_d-1", json=JOB)
        assert later.status_code == 200
        assert done(client, "a.b~c_d-1") == outcome

    def test_another_job_of_the_same_tag_is_refused_and_the_first_is_kept(self, client: httpx.Client) -> None:
        assert client.put("/v1/jobs/kept", json=JOB).status_code == 201
        for other in (
            {**JOB, "runs": 6},
            {**JOB, "couplings": [[0, 1, -1], [1, 2, -1], [0, 3, 1]]},
            {**JOB, "spins": 5},
        ):
            reply = client.put("/v1/jobs/kept", json=other)
            assert reply.status_code == 409
            assert "another job" in reply.json()["error"]
        assert len(done(client, "kept")["spins"]) == 5

    def test_a_tag_that_was_deleted_is_spent(self, client: httpx.Client) -> None:
        assert client.get("/v1/jobs/never").status_code == 404
        client.put("/v1/jobs/one", json=JOB)
        # The second was never there: what may be on its way to it comes too late.
        for tag in ("one", "never"):
            for _ in range(2):
                reply = client.delete(f"/v1/jobs/{tag}")
                assert (reply.status_code, reply.content) == (204, b"")
            assert client.get(f"/v1/jobs/{tag}").status_code == 410
            reply = client.put(f"/v1/jobs/{tag}", json=JOB)
            assert (reply.status_code, reply.json()) == (410, {"error": "the job of this tag was deleted"})

    @pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", "swordfish", "Bearer \xff"])
    def test_every_address_asks_for_the_token(self, url: str, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header.encode("latin-1")}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as stranger:  # type: ignore[arg-type]
            for method, path in (
                ("GET", "/v1/machine"),
                ("PUT", "/v1/jobs/a"),
                ("GET", "/v1/jobs/a"),
                ("DELETE", "/v1/jobs/a"),
            ):
                reply = stranger.request(method, path, json=JOB)
                assert (reply.status_code, list(reply.json())) == (401, ["error"])
        with client_of(url) as client:
            assert client.get("/v1/jobs/a").status_code == 404

    @pytest.mark.parametrize(
        "job",
        [
            {},
            [],
            None,
            {**JOB, "beta": 1},
            {"spins": 4, "couplings": []},
            {**JOB, "spins": 0},
            {**JOB, "spins": 101},
            {**JOB, "spins": 4.0},
            {**JOB, "runs": 0},
            {**JOB, "runs": 1001},
            {**JOB, "runs": True},
            {**JOB, "runs": "5"},
            {**JOB, "couplings": {"a": 1}},
            {**JOB, "couplings": [[0, 1]]},
            {**JOB, "couplings": [[0, 1, 1, 1]]},
            {**JOB, "couplings": [[1, 0, 1]]},
            {**JOB, "couplings": [[1, 1, 1]]},
            {**JOB, "couplings": [[-1, 1, 1]]},
            {**JOB, "couplings": [[0, 4, 1]]},
            {**JOB, "couplings": [[0, 1, 2]]},
            {**JOB, "couplings": [[0, 1, 0]]},
            {**JOB, "couplings": [[0, 1, 1.0]]},
            {**JOB, "couplings": [[0, 1, 1], [0, 1, -1]]},
        ],
        ids=str,
    )
    def test_what_is_no_job_is_refused(self, client: httpx.Client, job: Any) -> None:
        headers = {"Content-Type": "application/json"}
        reply = client.put("/v1/jobs/bad", content=json.dumps(job), headers=headers)
        assert (reply.status_code, list(reply.json())) == (422, ["error"])
        assert client.get("/v1/jobs/bad").status_code == 404

    def test_a_body_that_is_no_json_is_refused(self, client: httpx.Client) -> None:
        headers = {"Content-Type": "application/json"}
        for body in (b"", b"{", b"\xff", b"[" * 100_000):
            assert client.put("/v1/jobs/bad", content=body, headers=headers).status_code == 422
        headers["Content-Type"] = "text/plain"
        assert client.put("/v1/jobs/bad", content=b"{}", headers=headers).status_code == 415

    @pytest.mark.parametrize(
        "path", ["/", "/v2/machine", "/v1/jobs/", "/v1/jobs/.a", "/v1/jobs/" + "a" * 129]
    )
    def test_other_addresses_do_not_exist(self, client: httpx.Client, path: str) -> None:
        assert client.get(path).status_code == 404


class TestPageConformance(BackendConformance):
    """The shipped suite on the backend, with the page's gateway behind it."""

    @pytest.fixture
    def backend(self, gateway: str) -> Backend:
        return Cim(url=gateway, token=TOKEN)


def test_a_killed_gateway_has_its_jobs_when_it_is_back(tmp_path: Path) -> None:
    with reference(tmp_path) as (url, process):
        with client_of(url) as client:
            assert client.put("/v1/jobs/kept", json={**JOB, "runs": 300}).status_code == 201
            assert client.delete("/v1/jobs/spent").status_code == 204
        process.kill()
    with reference(tmp_path, int(url.rpartition(":")[2])) as (url, _), client_of(url) as client:
        assert client.put("/v1/jobs/kept", json={**JOB, "runs": 300}).status_code == 200
        assert len(done(client, "kept")["spins"]) == 300
        assert client.put("/v1/jobs/spent", json=JOB).status_code == 410


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash"
)
def test_the_session_of_the_page_is_what_happens(tmp_path: Path) -> None:
    (session,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.M | re.S)
    lines = session.splitlines()
    assert len(lines) == 10
    with reference(tmp_path) as (url, _):
        environment = {**os.environ, "URL": url, "TOKEN": TOKEN}
        for prompt, expected in zip(lines[::2], lines[1::2], strict=True):
            assert prompt.startswith("$ ")
            words = ["bash", "-c", prompt[2:]]
            said = subprocess.run(
                words, env=environment, capture_output=True, text=True, check=True, timeout=60
            )
            # The machine is a noisy one: its states, and now and then an energy, are others each time.
            drawn = re.compile(r'("spins": )\[\[.*?\]\]|(?<="energies": )\[(-2|0), (-2|0)\]')
            assert drawn.sub("", said.stdout.strip()) == drawn.sub("", expected)


def test_the_page_and_the_backend_have_the_same_members() -> None:
    for kind in (cim.Problem, cim.Outcome, cim.Properties):
        for field in kind.__struct_fields__:
            assert f"\n| `{field}` |" in PAGE, field


def test_the_simulation_of_the_page_finds_ground_states(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "gateway"}
    exec(compile(code(), "gateway.py", "exec"), names)
    couplings = [(i, (i + 1) % 8, -1) if i < 7 else (0, 7, -1) for i in range(8)]
    found = names["solve"](8, couplings, 20)
    rows, columns, values = zip(*couplings, strict=True)
    model = ri.IsingModel(np.zeros(8), ri.Sparse(8, rows, columns, values))
    assert found["energies"] == pytest.approx(model.energies(np.array(found["spins"])))
    assert min(found["energies"]) == -8
