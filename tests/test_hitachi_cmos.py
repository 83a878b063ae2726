"""The adapter of the CMOS annealing machines and its emulator, held to the document of their service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dimod
import httpx
import numpy as np
import pytest
from adapters import running
from recorded_service import answering

from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    CapabilityError,
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RejectedError,
)
from rapid_ising.machine import Batched
from rapid_ising.remote import transport
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.hitachi_cmos import HitachiCmos

TOKEN = "canary-77ab"
TRIANGLE = dimod.BinaryQuadraticModel(
    {(0, 0): 1.5, (1, 1): 0.0}, {((0, 0), (1, 1)): -2.0, ((0, 1), (1, 1)): 0.25}, 7.0, "SPIN"
)
"""Three places, of which (0, 1) has no field; the offset stays here."""


def solved(*executions: tuple[list[list[int]], float], **others: Any) -> dict[str, Any]:
    """Return an answer as the document has it, written by hand."""
    result = {
        "execution_time": 12345678,
        "energies": [energy for _, energy in executions],
        "spins": [spins for spins, _ in executions],
    }
    return {"status": 0, "message": "", "job_id": 123456789, "result": result, **others}


def answer(content: Any) -> httpx.Response:
    return httpx.Response(200, json=content)


UP = ([[0, 0, -1], [0, 1, 1], [1, 1, -1]], -3.75)
DOWN = ([[0, 0, -1], [0, 1, -1], [1, 1, -1]], -3.25)


@pytest.fixture
def service() -> Iterator[Running]:
    with emulate("hitachi-cmos") as running_service:
        yield running_service


def post(service: Running, body: Any, token: str = "emulator-token", **headers: str) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = httpx.post(
        f"{service.url}/solve", content=content, headers={"Authorization": f"Bearer {token}", **headers}
    )
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def problem(**changes: Any) -> dict[str, Any]:
    return {
        "type": 5,
        "num_executions": 1,
        "outputs": {"energies": True, "spins": True},
        "model": [[0, 0, 1, 1, -2]],
        **changes,
    }


class TestRequest:
    def test_the_bytes_are_those_of_the_document(self) -> None:
        with answering(machine := HitachiCmos(token=TOKEN, size=4), answer(solved(UP, DOWN))) as asked:
            machine.sample(TRIANGLE, num_reads=2, beta=0.5)
        (sent,) = asked
        assert (sent.method, str(sent.url)) == ("POST", "https://annealing-cloud.com/api/v2/solve")
        assert sent.headers["authorization"] == f"Bearer {TOKEN}"
        assert sent.headers["content-type"] == "application/json"
        assert json.loads(sent.content) == {
            "type": 4,
            "num_executions": 2,
            "parameters": {
                "temperature_num_steps": 10,
                "temperature_step_length": 100,
                "temperature_initial": 20.0,
                "temperature_target": 2.0,
            },
            "outputs": {"energies": True, "spins": True, "execution_time": True, "num_outputs": 0},
            "model": [[0, 0, 0, 0, 1.5], [0, 0, 1, 1, -2.0], [0, 1, 1, 1, 0.25]],
        }

    def test_whole_numbers_are_sent_as_such_to_the_chip(self) -> None:
        machine = HitachiCmos(token=TOKEN, size=4, type=5)
        with answering(machine, answer(solved(([[0, 0, -1]], -3)))) as asked:
            machine.sample(dimod.BinaryQuadraticModel({(0, 0): 3.0}, {}, "SPIN"), beta=float("inf"))
        sent = json.loads(asked[0].content)
        assert sent["model"] == [[0, 0, 0, 0, 3]]
        temperatures = sent["parameters"]
        assert (temperatures["temperature_initial"], temperatures["temperature_target"]) == (10, 0.01)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"type": 1}, "type must be 3, 4 or 5"),
            ({"type": 5, "size": 385}, "at most 384"),
            ({"temperature_num_steps": 101}, "at most 100"),
            ({"temperature_step_length": 0}, "at least 1"),
            ({"temperature_initial": 0.0}, "more than 0"),
        ],
    )
    def test_options_out_of_range(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidParameterError, match=message):
            HitachiCmos(**options)

    def test_what_the_machine_does_not_take_is_refused_before_it_is_sent(self) -> None:
        machine = HitachiCmos(url="http://127.0.0.1:1", token=TOKEN, size=4, type=5)
        far = dimod.BinaryQuadraticModel({}, {((0, 0), (2, 2)): 1.0}, "SPIN")
        with pytest.raises(CapabilityError, match="no coupler"):
            machine.sample(far)
        with pytest.raises(CapabilityError, match="takes fields from -7 to 7"):
            machine.sample(dimod.BinaryQuadraticModel({(0, 0): 8.0}, {}, "SPIN"))
        with pytest.raises(CapabilityError, match="at most 10 reads a call"):
            machine.sample(TRIANGLE, num_reads=11)

    def test_no_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HITACHI_CMOS_TOKEN", raising=False)
        with pytest.raises(AuthenticationError, match="HITACHI_CMOS_TOKEN"):
            HitachiCmos(url="http://127.0.0.1:1", size=4).sample(TRIANGLE)
        monkeypatch.setenv("HITACHI_CMOS_TOKEN", TOKEN)
        assert TOKEN not in repr(HitachiCmos())


class TestAnswer:
    def ask(self, content: Any, reads: int = 2) -> Any:
        machine = HitachiCmos(token=TOKEN, size=4)
        with answering(machine, answer(content)):
            return machine.sample(TRIANGLE, num_reads=reads)

    def test_a_recorded_answer(self) -> None:
        found = self.ask(solved(UP, DOWN))
        # In the order of the labels: (0, 0), (0, 1), (1, 1).
        columns = [found.variables.index(place) for place in ((0, 0), (0, 1), (1, 1))]
        assert found.record.sample[:, columns].tolist() == [[-1, 1, -1], [-1, -1, -1]]
        assert found.record.energy.tolist() == [7 - 3.75, 7 - 3.25]
        stage = found.info["rapid_ising"]["stages"][0]
        assert stage["job"] == "123456789"
        assert stage["machine_seconds"] == pytest.approx(0.012345678)
        assert "emulated" not in stage

    @pytest.mark.parametrize(
        "content",
        [
            solved(UP),
            solved(UP, (UP[0][1:], UP[1])),
            solved(UP, ([*UP[0], [3, 3, 1]], UP[1])),
            solved(UP, ([UP[0][0], *UP[0]], UP[1])),
            solved(UP, (UP[0], -3.0)),
            solved(UP, ([[0, 0, 0], *UP[0][1:]], UP[1])),
            solved(UP, DOWN, result=None),
            solved(UP, DOWN, result={"spins": []}),
            {"status": "0"},
            [],
        ],
        ids=[
            "too few",
            "a spin missing",
            "a spin too many",
            "a spin twice",
            "another energy",
            "no spin",
            "no result",
            "no energies",
            "wrong type",
            "no object",
        ],
    )
    def test_answers_that_are_none(self, content: Any) -> None:
        with pytest.raises(ProtocolError, match="document does not allow"):
            self.ask(content)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (3, AuthenticationError),
            (17, RejectedError),
            (33, JobFailedError),
            (50, RejectedError),
            (53, RejectedError),
            (255, RejectedError),
        ],
    )
    def test_statuses_of_the_service(self, status: int, error: type[Exception]) -> None:
        with pytest.raises(error, match=f"status {status}: because"):
            self.ask({"status": status, "message": "because"})

    def test_busy_is_asked_again_until_it_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(transport, "sleep", pauses.append)
        busy = {"status": 10, "message": "busy"}
        machine = HitachiCmos(token=TOKEN, size=4)
        with answering(machine, answer(busy), answer(busy), answer(solved(UP))) as asked:
            machine.sample(TRIANGLE)
        assert len(asked) == 3
        assert len(pauses) == 2
        with (
            answering(machine, *[answer(busy)] * transport.TRIES),
            pytest.raises(BackendError, match="busy"),
        ):
            machine.sample(TRIANGLE)


class TestEmulator:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 49),
            ([], 49),
            ({"type": 5}, 51),
            (problem(type=1), 17),
            (problem(num_executions=11), 50),
            (problem(num_executions=True), 50),
            (problem(parameters={"temperature_num_steps": 101}), 50),
            (problem(parameters={"temperature_step_length": 0}), 50),
            (problem(parameters={"temperature_initial": -1}), 50),
            (problem(parameters={"heat": 1}), 50),
            (problem(model=[]), 51),
            (problem(model=[[0, 0, 1, 1]]), 50),
            (problem(model=[[0, 0, 0, 2, 1]]), 50),
            (problem(model=[[0, 0, 0, 384, 1]]), 52),
            (problem(model=[[-1, 0, 0, 0, 1]]), 52),
            (problem(model=[[0, 0, 1, 1, 8]]), 53),
            (problem(model=[[0, 0, 1, 1, 0.5]]), 50),
            (problem(model=[[0, 0, 1, 1, "1"]]), 50),
            (problem(type=3, model=[[0, 0, 1, 1, 2**31]]), 53),
        ],
    )
    def test_it_refuses_with_the_service_s_own_status(self, service: Running, body: Any, status: int) -> None:
        answer = post(service, body)
        assert answer["status"] == status
        assert answer["message"]
        assert service.state()["accepted"] == []

    def test_a_wrong_or_expired_token(self, service: Running) -> None:
        assert post(service, problem(), token="wrong")["status"] == 3
        with emulate("hitachi-cmos", expired=True) as expired:
            assert post(expired, problem())["status"] == 3

    def test_it_says_what_it_is(self, service: Running) -> None:
        reply = httpx.post(f"{service.url}/solve", content=b"{")
        assert reply.headers["x-rapid-ising-emulator"] == "hitachi-cmos"

    def test_energies_have_dimod_s_sign_and_a_field_is_a_self_term(self, service: Running) -> None:
        body = problem(model=[[0, 0, 1, 1, -2], [0, 0, 0, 0, 3]], num_executions=10)
        result = post(service, body)["result"]
        for spins, energy in zip(result["spins"], result["energies"], strict=True):
            s = {(x, y): value for x, y, value in spins}
            assert energy == -2 * s[0, 0] * s[1, 1] + 3 * s[0, 0]

    def test_the_same_call_again_is_another_anneal_and_the_same_in_every_run(self) -> None:
        answers = []
        for _ in range(2):
            with running("hitachi-cmos") as (machine, _):
                body = dimod.BinaryQuadraticModel({(0, y): 0.1 for y in range(8)}, {}, "SPIN")
                answers.append(
                    [machine.sample(body, num_reads=2, beta=0.1).record.sample.tolist() for _ in range(2)]
                )
        assert answers[0] == answers[1]
        assert answers[0][0] != answers[0][1]

    def test_spins_that_nothing_acts_on_are_drawn_here(self) -> None:
        with running("hitachi-cmos") as (machine, _):
            bqm = dimod.BinaryQuadraticModel({(0, 0): 5.0, (3, 3): 0.0}, {}, "SPIN")
            found = machine.sample(bqm, num_reads=10, seed=np.random.default_rng(0))
            free = found.record.sample[:, found.variables.index((3, 3))]
            assert set(free.tolist()) == {-1, 1}
            nothing = machine.sample(dimod.BinaryQuadraticModel({(0, 0): 0.0}, {}, "SPIN"), num_reads=4)
            assert len(nothing) == 4

    @pytest.mark.parametrize("type", [3, 4, 5])
    def test_reads_follow_the_law_where_the_coefficients_are_whole(self, type: int) -> None:
        with running("hitachi-cmos", type=type) as (machine, _):
            bqm = dimod.BinaryQuadraticModel({(0, 0): 1.0}, {((0, 0), (0, 1)): -1.0}, "SPIN")
            reads = Batched(machine).sample(bqm, num_reads=1000, beta=0.5, seed=np.random.default_rng(0))
            mean = reads.record.sample[:, reads.variables.index((0, 0))].mean()
        # Five standard errors of a thousand reads.
        assert abs(mean + np.tanh(0.5)) < 5 * np.sqrt((1 - np.tanh(0.5) ** 2) / 1000)
