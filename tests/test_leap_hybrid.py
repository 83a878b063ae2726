"""The adapter of D-Wave's hybrid solver: uploads, one best state a call, and what may go wrong."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import zlib
from typing import Any

import dimod
import hypothesis
import numpy as np
import pytest
from adapters import running
from hypothesis import strategies
from sapi import TOKEN, URL, Wire, impatient, nobody  # noqa: F401

from rapid_ising import IsingModel
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    ProblemTooLargeError,
    ProtocolError,
    RapidIsingError,
    RejectedError,
)
from rapid_ising.machine import Batched
from rapid_ising_backends import leap_hybrid
from rapid_ising_backends.emulators.faults import AFTERWARDS, BEFORE, CONTENTS, KINDS, STATUSES, Faults
from rapid_ising_backends.leap_hybrid import LeapHybrid

pytestmark = pytest.mark.usefixtures("nobody", "impatient")

SOLVER = {
    "identity": {"name": "hybrid_recorded", "version": None},
    "status": "ONLINE",
    "description": "by hand",
    "properties": {
        "category": "hybrid",
        "version": "2.2",
        "supported_problem_types": ["bqm"],
        "parameters": {"time_limit": ""},
        "minimum_time_limit": [[1, 3.0], [101, 13.0]],
        "maximum_time_limit_hrs": 1.0,
        "maximum_number_of_variables": 1000,
        "maximum_number_of_biases": 5,
    },
    "avg_load": 0.1,
}
STATUS = {
    "id": "7",
    "type": "bqm",
    "solver": {"name": "hybrid_recorded"},
    "label": "rapid-ising-t",
    "status": "COMPLETED",
    "submitted_on": "2026-01-01T00:00:00.000000Z",
    "solved_on": "2026-01-01T00:00:01.000000Z",
}
# One row, spins -1 and +1: the bits 0 and 1 of a word, the lowest first.
DATA: dict[str, Any] = {
    "type": "SampleSet",
    "version": {"sampleset_schema": "3.2.0"},
    "num_variables": 2,
    "num_rows": 1,
    "sample_data": {
        "type": "array",
        "data": [[2]],
        "data_type": "uint32",
        "shape": [1, 1],
        "use_bytes": False,
    },
    "sample_type": "int8",
    "sample_packed": True,
    "vectors": {
        "energy": {
            "type": "array",
            "data": [-1.25],
            "data_type": "float64",
            "shape": [1],
            "use_bytes": False,
        },
        "num_occurrences": {
            "type": "array",
            "data": [1],
            "data_type": "int64",
            "shape": [1],
            "use_bytes": False,
        },
    },
    "variable_labels": [0, 1],
    "variable_type": "SPIN",
    "info": {"run_time": 2990000, "charge_time": 3000000, "qpu_access_time": 30000},
}
PROBLEM = IsingModel([0.5, -1.0], [[0.0, -0.25], [-0.25, 0.0]], offset=0.0)
FILE = PROBLEM.to_bqm().to_file(version=2, ignore_labels=True)
MODEL = FILE.read()
FILE.close()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(
        monkeypatch,
        {
            "GET /solvers/remote/": ("solver-definition-list", [SOLVER]),
            "POST /bqm/multipart": ("upload", {"id": "up-1"}),
            "PUT /bqm/multipart/up-1/part/1": ("upload", {}),
            "PUT /bqm/multipart/up-1/part/2": ("upload", {}),
            "POST /bqm/multipart/up-1/combine": ("upload", {}),
            "POST /problems/": ("problems", [{**STATUS, "status": "PENDING"}]),
            "DELETE /problems/7": ("problem", {"error_code": 409, "error_msg": "Problem has been finished"}),
            "GET /problems/7": ("problem", {**STATUS, "answer": {"format": "bq", "data": DATA}}),
        },
    )


def machine(**options: Any) -> LeapHybrid:
    return LeapHybrid(**{"url": URL, "token": TOKEN, **options})


def test_a_model_is_uploaded_in_parts_and_solved_by_reference(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = len(MODEL) - 7
    monkeypatch.setattr(leap_hybrid, "PART", cut)
    machine().sample(PROBLEM)
    sent = {f"{method} {path}": (body, headers) for method, path, body, headers in wire.sent}
    assert json.loads(sent["POST /bqm/multipart"][0]) == {"size": len(MODEL)}
    digests = []
    for number, part in enumerate((MODEL[:cut], MODEL[cut:]), start=1):
        body, headers = sent[f"PUT /bqm/multipart/up-1/part/{number}"]
        assert body == part
        digests.append(hashlib.md5(part).digest())
        assert headers["Content-MD5"] == base64.b64encode(digests[-1]).decode()
        assert headers["Content-Type"] == "application/octet-stream"
    whole = hashlib.md5(b"".join(digests)).hexdigest()
    assert json.loads(sent["POST /bqm/multipart/up-1/combine"][0]) == {"checksum": whole}
    (job,) = json.loads(zlib.decompress(sent["POST /problems/"][0]))
    assert job.pop("label").startswith("rapid-ising-")
    assert job == {
        "solver": {"name": "hybrid_recorded", "version": None},
        "type": "bqm",
        "data": {"format": "ref", "data": "up-1"},
        # Between 3 s for one variable and 13 s for 101.
        "params": {"time_limit": pytest.approx(3.1)},
    }


def test_a_recorded_answer_is_read(wire: Wire) -> None:
    answer = machine(time_limit=4.0).sample(PROBLEM)
    assert answer.first.sample == {0: -1, 1: 1}
    assert answer.first.energy == -1.25
    (stage,) = answer.info["rapid_ising"]["stages"]
    stage.pop("seconds")
    assert stage == {
        "stage": "leap-hybrid",
        "job": "7",
        "service": "D-Wave SAPI",
        "solver": "hybrid_recorded",
        "time_limit": 4.0,
        "machine_seconds": pytest.approx(2.99),
        "charged_seconds": pytest.approx(3.0),
    }


def test_an_answer_of_another_energy_is_refused(wire: Wire) -> None:
    data = copy.deepcopy(DATA)
    data["vectors"]["energy"]["data"] = [-1.0]
    wire.answers["GET /problems/7"] = ("problem", {**STATUS, "answer": {"format": "bq", "data": data}})
    with pytest.raises(ProtocolError, match=r"energy -1 for a state whose energy is -1\.25"):
        machine().sample(PROBLEM)


values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers(-10, 10)
    | strategies.text(max_size=9)
    | strategies.floats(),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["data", "shape", "type", "energy"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@hypothesis.given(
    path=strategies.sampled_from(
        [(k,) for k in DATA]
        + [("sample_data", k) for k in DATA["sample_data"]]
        + [("vectors", "energy", k) for k in DATA["sample_data"]]
    ),
    value=values,
)
@hypothesis.settings(max_examples=100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_answer_is_right_or_an_error_of_ours(wire: Wire, path: tuple[str, ...], value: Any) -> None:
    data = copy.deepcopy(DATA)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    wire.answers["GET /problems/7"] = ("problem", {**STATUS, "answer": {"format": "bq", "data": data}})
    try:
        answer = machine().sample(PROBLEM)
    except RapidIsingError:
        return
    assert answer.record.sample.tolist() == [[-1, 1]]


class TestLimits:
    def test_facts_are_the_solvers(self, wire: Wire) -> None:
        solver = machine()
        assert repr(solver) == f"LeapHybrid(solver=None, time_limit=None, url='{URL}')"
        assert wire.sent == []
        facts = solver.capabilities
        assert (facts.max_variables, facts.max_reads, facts.temperature) == (1000, 1, "none")

    def test_without_a_token_the_published_facts(self, wire: Wire) -> None:
        solver = LeapHybrid()
        assert solver.capabilities.max_variables == 1_000_000
        with pytest.raises(AuthenticationError, match="DWAVE_API_TOKEN"):
            solver.sample(PROBLEM)
        assert wire.sent == []

    @pytest.mark.parametrize("limit", [2.0, 3601.0])
    def test_a_time_limit_out_of_range_is_refused(self, wire: Wire, limit: float) -> None:
        with pytest.raises(CapabilityError, match=r"from 3\.1 to 3600 s"):
            machine(time_limit=limit).sample(PROBLEM)
        assert all(sent[0] == "GET" for sent in wire.sent)

    def test_too_many_couplings_are_refused(self, wire: Wire) -> None:
        with pytest.raises(ProblemTooLargeError, match="5 fields and couplings and the problem has 6"):
            machine().sample(IsingModel(np.zeros(3), np.ones((3, 3)) - np.eye(3)))

    @pytest.mark.parametrize("curve", [[], [[9, 1.0], [1, 3.0]], "?"])
    def test_a_solver_that_does_not_say_what_it_is_is_refused(self, wire: Wire, curve: Any) -> None:
        properties = {**SOLVER["properties"], "minimum_time_limit": curve}  # type: ignore[dict-item]
        wire.answers["GET /solvers/remote/"] = (
            "solver-definition-list",
            [{**SOLVER, "properties": properties}],
        )
        with pytest.raises(ProtocolError):
            machine().sample(PROBLEM)

    def test_a_time_limit_that_is_none_is_refused(self) -> None:
        with pytest.raises(InvalidParameterError):
            machine(time_limit=0)


RECOVERED = ("429", "503", "500", BEFORE, "slow", "disconnect-after")
ERRORS: dict[str, type[BackendError]] = {
    "401": AuthenticationError,
    "403": AuthenticationError,
    "404": RejectedError,
    "job-failed": JobFailedError,
    "deleted": JobFailedError,
    "never-finishes": DeadlineExceededError,
    **dict.fromkeys(CONTENTS, ProtocolError),
}


class TestEmulated:
    def test_the_best_state_is_found(self) -> None:
        rng = np.random.default_rng(3)
        couplings = np.triu(rng.normal(size=(10, 10)), 1)
        problem = IsingModel(rng.normal(size=10), couplings + couplings.T, 2.5)
        with running("leap-hybrid") as (solver, service):
            answer = Batched(solver).sample(problem, num_reads=3)
            assert len(service.state()["accepted"]) == 3
        best = dimod.ExactSolver().sample(problem.to_bqm()).first.energy
        assert answer.record.energy.min() == pytest.approx(best)

    def test_every_fault_has_an_end(self) -> None:
        assert {*RECOVERED, "truncated", *ERRORS} == set(KINDS)
        assert {*AFTERWARDS} <= {*RECOVERED, "truncated"}

    @pytest.mark.parametrize("kind", RECOVERED)
    def test_what_passes_is_recovered_from(self, kind: str) -> None:
        for seed in range(5):
            with running("leap-hybrid", Faults({kind: 0.3}, seed=seed, most=2)) as (solver, service):
                answer = solver.sample(PROBLEM, deadline=60.0)
                assert len(answer) == 1
                assert len(service.state()["accepted"]) == 1

    @pytest.mark.parametrize("kind", ERRORS)
    def test_what_does_not_pass_is_a_clear_error(self, kind: str) -> None:
        with running("leap-hybrid", Faults({kind: 1.0})) as (solver, service):
            with pytest.raises(ERRORS[kind], match="leap-hybrid"):
                solver.sample(PROBLEM, deadline=2.0)
            state = service.state()
            assert len(state["accepted"]) == (0 if kind in STATUSES else 1)
            assert state["open"] == []

    def test_answers_that_are_cut(self) -> None:
        for seed in range(10):
            with running("leap-hybrid", Faults({"truncated": 0.3}, seed=seed)) as (solver, service):
                with contextlib.suppress(BackendError):
                    solver.sample(PROBLEM, deadline=30.0)
                assert len(service.state()["accepted"]) <= 1
