"""cim: what is sent and read, and what is refused before anything is sent."""

from __future__ import annotations

import dataclasses
import itertools
import json
import traceback
from typing import Any

import httpx
import numpy as np
import pytest
from cim_machines import MODEL, TOKEN, URL, asked, scripted
from starlette.exceptions import HTTPException

import rapid_ising as ri
from rapid_ising.errors import (
    BackendError,
    CapabilityError,
    InvalidParameterError,
    JobFailedError,
    ProblemTooLargeError,
    ProtocolError,
    RejectedError,
)
from rapid_ising_backends.cim import Cim
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.cim import CimEmulator

RECORDED = {
    "tag": "t",
    "status": "done",
    "spins": [[1, -1, -1], [1, 1, 1]],
    "energies": [-2, 0],
    "machine_seconds": 0.01,
    "of_a_later_version": True,
}
"""An answer to two runs of MODEL, written by hand from docs/cim-gateway.md."""


def says(outcome: Any, status: int = 200) -> Cim:
    """Return the machine with a gateway whose every job is like this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(status, json=outcome)
        return httpx.Response(201 if request.method == "PUT" else 204)

    return scripted(answer)


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

    def test_a_gateway_that_takes_less_than_was_said_is_an_error_with_its_words(self) -> None:
        with emulate("cim", size=2, max_runs=5) as found:
            pair = ri.IsingModel(np.zeros(2), np.zeros((2, 2)))
            for problem, reads, words in (
                (MODEL, 1, "spins must be a whole number from 1 to 2"),
                (pair, 6, "runs must be a whole number from 1 to 5"),
            ):
                with pytest.raises(RejectedError, match=rf"refuses the request \(status 422: .*{words}"):
                    found.machine().sample(problem, num_reads=reads)
            assert found.state()["accepted"] == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"beta": 1}, "members couplings, runs, spins, and no others"),
            ({"couplings": [[0, 1, 1], [0, 1]]}, "coupling 1 is not of the form"),
            ({"couplings": [[1, 0, 1]]}, "coupling 0 must have 0 <= i < j < 3"),
            ({"couplings": [[0, 1, 4]]}, "coupling 0 must be a whole number up to 3, and not 0"),
            (
                {"couplings": [[0, 1, 1], [1, 2, 1], [0, 1, 2]]},
                "coupling 2 is of a pair that has one already",
            ),
            ({"couplings": "none"}, "couplings must be a list"),
        ],
    )
    def test_the_emulator_says_where_a_job_is_wrong(self, change: dict[str, Any], words: str) -> None:
        emulator = CimEmulator(largest_coupling=3)
        body = json.dumps({"spins": 3, "couplings": [[0, 1, -3]], "runs": 1})
        assert emulator.checked(body.encode()) == json.loads(body)
        with pytest.raises(HTTPException) as caught:
            emulator.checked(json.dumps({**json.loads(body), **change}).encode())
        assert caught.value.status_code == 422
        assert words in repr(caught.value.detail)

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


def test_options_are_kept_by_replace() -> None:
    machine = dataclasses.replace(Cim(url=URL, token=TOKEN), size=2000)
    assert machine == Cim(size=2000, url=URL)
    assert machine.transport.url == URL
