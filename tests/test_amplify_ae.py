"""The adapter of Amplify AE and its emulator, held to the public reference of version 0."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from typing import Any

import dimod
import httpx
import numpy as np
import pytest
from adapters import running
from recorded_service import answering

from rapid_ising import IsingModel
from rapid_ising.errors import (
    AuthenticationError,
    InvalidParameterError,
    JobFailedError,
    ProblemTooLargeError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import transport
from rapid_ising_backends.amplify_ae import AmplifyAe
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running

URL = "https://amplify.example"
TOKEN = "canary-77aa"
# H = -4 x1 x2 + x0 + 2 x1 + 3: the reference's own terms, and a constant.
ASKED = dimod.BinaryQuadraticModel({0: 1.0, 1: 2.0, 2: 0.0}, {(1, 2): -4.0}, 3.0, "BINARY")
ANSWER = {
    "execution_time": {
        "annealing_time": 998.5,
        "queue_time": 47.6,
        "cpu_time": 0.19,
        "time_stamps": [8.7, 12.1, 5.0, 3.0],
    },
    "execution_parameters": {
        "num_gpus": 1,
        "timeout": 1000,
        "num_iterations": 585,
        "penalty_calibration": False,
        "penalty_multipliers": [],
        "version": "v0.8.7-V100",
    },
    "energies": [1.0, 1.0, 2.0, 3.0],
    "spins": [[0, 1, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]],
    "feasibilities": [True, True, True, True],
    "message": "",
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMPLIFY_TOKEN", raising=False)


@pytest.fixture
def service() -> Iterator[Running]:
    with emulate("amplify-ae", iterations=20) as found:
        yield found


def machine(**options: Any) -> AmplifyAe:
    return AmplifyAe(url=URL, token=TOKEN, **options)


class TestTheWire:
    def test_a_request_is_what_the_reference_describes(self) -> None:
        asker = machine(timeout=1500, num_gpus=2)
        with answering(asker, httpx.Response(200, json=ANSWER)) as seen:
            asker.sample(ASKED, num_reads=3)
        request = seen[0]
        assert (request.method, str(request.url)) == ("POST", f"{URL}/solve")
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["content-type"] == "application/json"
        assert gzip.decompress(request.content) == (
            b'{"polynomial":[[0,0,1.0],[1,1,2.0],[2,2,0.0],[1,2,-4.0]],"constant":3.0,"timeout":1500,'
            b'"num_gpus":2,"outputs":{"spins":true,"energies":true,"feasibilities":true,"sort":true,'
            b'"duplicate":true,"num_outputs":0}}'
        )
        assert request.extensions["timeout"]["read"] == pytest.approx(121.5)

    def test_the_distinct_states_of_a_recorded_answer_are_read(self) -> None:
        asker = machine()
        with answering(asker, httpx.Response(200, json=ANSWER)):
            answer = asker.sample(ASKED, num_reads=10)
        assert answer.record.sample.tolist() == [[0, 1, 1], [1, 1, 1], [0, 0, 1]]
        assert answer.record.energy.tolist() == [1.0, 2.0, 3.0]
        stage = answer.info["rapid_ising"]["stages"][0]
        assert (stage["found"], stage["distinct"], stage["iterations"]) == (4, 3, 585)
        assert stage["machine_seconds"] == pytest.approx(0.9985)
        assert stage["version"] == "v0.8.7-V100"

    def test_the_best_are_kept_also_of_an_answer_that_is_not_sorted(self) -> None:
        mixed = {**ANSWER, "energies": ANSWER["energies"][::-1], "spins": ANSWER["spins"][::-1]}  # type: ignore[index]
        asker = machine()
        with answering(asker, httpx.Response(200, json=mixed)):
            answer = asker.sample(ASKED, num_reads=2)
        assert answer.record.energy.tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"energies": [1.0, 1.0, 2.0, 0.0]}, "energy"),
            ({"energies": [1.0, 1.0, 2.0]}, "4 states and energies of shape"),
            ({"energies": [1.0, 1.0, 2.0, None]}, "Expected `float`"),
            ({"spins": [[0, 1, 1]] * 3 + [[0, 1]]}, "different lengths"),
            ({"spins": [[0, 1, 1]] * 3 + [[0, 1, -1]]}, "neither 0 nor 1"),
            ({"spins": [[0, 1, 1]] * 3 + [["0", "1", "1"]]}, "Expected `int`"),
            ({"spins": [], "energies": []}, "no states"),
            ({"feasibilities": [True, False]}, "infeasible"),
        ],
    )
    def test_a_damaged_answer_is_an_error(self, change: dict[str, Any], text: str) -> None:
        asker = machine()
        with (
            answering(asker, httpx.Response(200, json={**ANSWER, **change})),
            pytest.raises(ProtocolError, match=text),
        ):
            asker.sample(ASKED, num_reads=3)

    def test_a_lost_answer_is_not_asked_for_again(self) -> None:
        asker = machine()
        with (
            answering(asker, httpx.ReadTimeout("silence")) as seen,
            pytest.raises(UnknownOutcomeError, match="may be with the machine or not"),
        ):
            asker.sample(ASKED)
        assert len(seen) == 1

    def test_a_busy_service_is_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "sleep", lambda seconds: None)
        asker = machine()
        with answering(asker, httpx.Response(429), httpx.Response(200, json=ANSWER)) as seen:
            asker.sample(ASKED)
        assert seen[0].content == seen[1].content

    def test_the_token_is_needed_and_shows_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(AuthenticationError, match="AMPLIFY_TOKEN"):
            AmplifyAe().sample(ASKED)
        monkeypatch.setenv("AMPLIFY_TOKEN", TOKEN)
        asker = AmplifyAe(url=URL)
        assert TOKEN not in repr(asker)
        with (
            answering(asker, httpx.Response(400, json={"message": f"Bearer {TOKEN}?"})),
            pytest.raises(RejectedError) as caught,
        ):
            asker.sample(ASKED)
        assert TOKEN not in str(caught.value)
        with answering(asker, httpx.Response(200, json={**ANSWER, "message": TOKEN})):
            assert TOKEN not in json.dumps(asker.sample(ASKED).info)

    def test_an_answer_cannot_be_fetched_later(self) -> None:
        asker = machine()
        with answering(asker, httpx.Response(200, json=ANSWER)):
            job = asker.submit(ASKED)
        assert not job.cancel()
        assert len(job.result()) == 1
        with pytest.raises(JobFailedError, match="cannot be fetched"):
            asker._fetch(None, "none", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": 600_001}, "timeout must be at most"),
        ({"timeout": 1.5}, "timeout"),
        ({"num_gpus": -1}, "num_gpus"),
        ({"num_gpus": 5}, "num_gpus must be at most"),
        ({"url": "amplify.example"}, "url"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameterError, match=text):
        AmplifyAe(**options)


def test_more_bits_than_the_engine_has_are_refused_before_they_are_sent() -> None:
    from rapid_ising.couplings import Sparse

    n = 131_073
    asker = machine()
    with answering(asker), pytest.raises(ProblemTooLargeError, match="131072"):
        asker.sample(IsingModel(np.zeros(n), Sparse(n, [], [], [])))


class TestTheEmulator:
    def post(
        self, service: Running, body: Any, token: str = "emulator-token", **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers["Authorization"] = f"Bearer {token}"
        return httpx.post(service.url + "/solve", content=content, headers=headers)

    def test_the_forms_of_one_problem_give_one_answer(self, service: Running) -> None:
        outputs = {"num_outputs": 0, "duplicate": False}
        forms: list[dict[str, Any]] = [
            {"polynomial": [[0, 0, 1.0], [1, 1, 2.0], [1, 2, -4.0]]},
            {"polynomial": [[0, 1.0], [1, 2.0], [2, 1, -4.0]]},
            {"matrix": [[1.0, 0.0, 0.0], [2.0, -4.0], [0]]},
        ]
        for form in forms:
            answer = self.post(service, {**form, "constant": 3, "outputs": outputs}).json()
            assert answer["energies"][0] == 1.0
            assert answer["spins"][0] == [0, 1, 1]
            assert answer["energies"] == sorted(set(answer["energies"]))

    def test_the_outputs_are_those_asked_for(self, service: Running) -> None:
        free: dict[str, Any] = {"polynomial": [[0, 0, 0], [1, 1, 0], [2, 2, -1]]}
        only = self.post(service, free).json()
        assert len(only["spins"]) == len(only["energies"]) == len(only["feasibilities"]) == 1
        all_of_one = self.post(service, {**free, "outputs": {"duplicate": True}}).json()
        assert len(all_of_one["spins"]) > 1
        assert set(all_of_one["energies"]) == {-1.0}
        silent = self.post(service, {**free, "outputs": {"spins": False, "feasibilities": False}}).json()
        assert "spins" not in silent
        assert "feasibilities" not in silent

    def test_bodies_may_be_compressed(self, service: Running) -> None:
        plain = json.dumps({"polynomial": [[0, -1]]}).encode()
        for encoding, body in (("gzip", gzip.compress(plain)), ("deflate", zlib.compress(plain))):
            answer = self.post(service, body, **{"Content-Encoding": encoding})
            assert answer.json()["spins"] == [[1]]
            assert self.post(service, plain, **{"Content-Encoding": encoding}).status_code == 400
        assert self.post(service, plain, **{"Content-Encoding": "br"}).status_code == 415

    def test_each_refusal(self, service: Running) -> None:
        assert self.post(service, {"polynomial": [[0, 1]]}, token="wrong").status_code == 401
        good = {"polynomial": [[0, 1, 2.0]]}
        bodies: list[tuple[Any, str]] = [
            (b"{", "not JSON"),
            ([], "not an object"),
            ({}, "one of polynomial and matrix"),
            ({**good, "matrix": [[1]]}, "one of polynomial and matrix"),
            ({**good, "constraints": []}, "no constraints"),
            ({**good, "time": 1}, "unknown key time"),
            ({**good, "timeout": 600_001}, "timeout is out of range"),
            ({**good, "timeout": 1.5}, "timeout is out of range"),
            ({**good, "num_gpus": 5}, "num_gpus is out of range"),
            ({**good, "constant": "1"}, "constant is not a number"),
            ({**good, "penalty_calibration": 1}, "penalty_calibration"),
            ({**good, "outputs": {"spin": True}}, "unknown key"),
            ({**good, "outputs": {"spins": 1}}, "outputs.spins is of a wrong type"),
            ({**good, "outputs": {"num_outputs": -1}}, "outputs.num_outputs"),
            ({"polynomial": {}}, "a term of the polynomial"),
            ({"polynomial": [[0]]}, "a term of the polynomial"),
            ({"polynomial": [[0, 1, "2"]]}, "a term of the polynomial"),
            (b'{"polynomial":[[0,1,NaN]]}', "a term of the polynomial"),
            ({"polynomial": [[-1, 1, 2.0]]}, "an index"),
            ({"polynomial": [[0, 131_072, 2.0]]}, "an index"),
            ({"polynomial": []}, "0 variables"),
            ({"matrix": [[1.0, 2.0], [3.0, 4.0]]}, "upper triangle"),
            ({"matrix": []}, "upper triangle"),
        ]
        for body, text in bodies:
            refusal = self.post(service, body)
            assert refusal.status_code == 400, body
            assert text in refusal.json()["message"], body
        assert httpx.get(service.url + "/solve").status_code == 405
        assert httpx.get(service.url + "/health").status_code == 200
        assert service.state()["accepted"] == []

    def test_ground_states_are_found(self, service: Running) -> None:
        rng = np.random.default_rng(5)
        matrix = np.triu(rng.normal(size=(9, 9)), 1)
        model = IsingModel(rng.normal(size=9), matrix + matrix.T, offset=-2.5)
        energies = model.energies(list(itertools.product((-1, 1), repeat=9)))
        answer = service.machine().sample(model, num_reads=5)
        assert answer.first.energy == pytest.approx(energies.min())
        assert (np.diff(answer.record.energy) >= -1e-9).all()

    def test_a_wrong_token_is_told(self, service: Running) -> None:
        with pytest.raises(AuthenticationError, match="refuses the token"):
            AmplifyAe(url=service.url, token="wrong").sample(ASKED)

    @pytest.mark.parametrize(
        "kind", ["wrong-types", "missing-variables", "nan-energies", "duplicated-rows", "truncated"]
    )
    def test_spoiled_answers_are_errors(self, kind: str) -> None:
        with running("amplify-ae", Faults({kind: 1.0})) as (asker, service):
            with pytest.raises(ProtocolError):
                asker.sample(ASKED, num_reads=5, deadline=30)
            assert service.state()["faults"] == {kind: 1}
            assert len(service.state()["accepted"]) == 1

    @pytest.mark.parametrize(
        "kind", ["job-failed", "deleted", "500", "disconnect-before", "disconnect-after"]
    )
    def test_what_nobody_knows_is_said_and_not_sent_again(self, kind: str) -> None:
        with running("amplify-ae", Faults({kind: 1.0})) as (asker, service):
            with pytest.raises(UnknownOutcomeError):
                asker.sample(ASKED, deadline=30)
            assert service.state()["faults"] == {kind: 1}
