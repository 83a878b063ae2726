"""The adapter of D-Wave's processors: the bytes it sends, the answers it takes, and what may go wrong."""

from __future__ import annotations

import json
import logging
import traceback
import zlib
from pathlib import Path
from typing import Any

import dimod
import hypothesis
import numpy as np
import pytest
from adapters import running
from hypothesis import strategies
from sapi import TOKEN, URL, Wire, impatient, nobody  # noqa: F401
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising import IsingModel
from rapid_ising.cli.app import app
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    CapabilityError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RapidIsingError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.machine import Batched
from rapid_ising.remote import Transport
from rapid_ising_backends.dwave import Dwave
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import AFTERWARDS, BEFORE, CONTENTS, KINDS, STATUSES, Faults
from rapid_ising_backends.twins.dwave import TwinDwave

pytestmark = pytest.mark.usefixtures("nobody", "impatient")

PROPERTIES = {
    "category": "qpu",
    "supported_problem_types": ["ising", "qubo"],
    "qubits": [0, 1, 3],
    "couplers": [[0, 1], [0, 3], [1, 3]],
    "num_qubits": 4,
    "topology": {"type": "triangle", "shape": [1]},
    "h_range": [-4.0, 4.0],
    "j_range": [-1.0, 1.0],
    "extended_j_range": [-2.0, 1.0],
    "per_qubit_coupling_range": [-3.0, 2.5],
    "num_reads_range": [1, 100],
    "annealing_time_range": [0.5, 2000.0],
    "default_annealing_time": 20.0,
    "default_readout_thermalization": 0.0,
    "default_programming_thermalization": 1000.0,
    "problem_run_duration_range": [0.0, 3000.0],
    "parameters": {"num_reads": "", "annealing_time": "", "answer_mode": "", "auto_scale": ""},
}
SOLVER = {
    "identity": {"name": "Recorded_system", "version": {"graph_id": "01ab"}},
    "status": "ONLINE",
    "description": "by hand",
    "properties": PROPERTIES,
    "avg_load": 0.1,
}
STATUS = {
    "id": "7",
    "type": "ising",
    "solver": SOLVER["identity"],
    "label": "rapid-ising-t",
    "status": "COMPLETED",
    "submitted_on": "2026-01-01T00:00:00.000000Z",
    "solved_on": "2026-01-01T00:00:01.000000Z",
}
# Two reads of qubits 1 and 3, (-1, +1) and (+1, +1), in the problem below.
ANSWER = {
    "format": "qp",
    "num_variables": 4,
    "active_variables": "AQAAAAMAAAA=",
    "num_occurrences": "AQAAAAEAAAA=",
    "solutions": "QMA=",
    "energies": "AAAAAAAA9L8AAAAAAADovw==",
    "timing": {"qpu_access_time": 15328.0},
}
PROBLEM = dimod.BinaryQuadraticModel({1: 0.5, 3: -1.0}, {(1, 3): -0.25}, 7.0, "SPIN")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(
        monkeypatch,
        {
            "GET /solvers/remote/": ("solver-definition-list", [SOLVER]),
            "GET /solvers/remote/Recorded_system": ("solver-definition", SOLVER),
            "POST /problems/": ("problems", [{**STATUS, "status": "PENDING"}]),
            "DELETE /problems/7": ("problem", {"error_code": 409, "error_msg": "Problem has been finished"}),
            "GET /problems/7": ("problem", {**STATUS, "answer": ANSWER}),
        },
    )


def machine(**options: Any) -> Dwave:
    return Dwave(**{"url": URL, "token": TOKEN, **options})


class TestWire:
    def test_a_job_is_sent_as_the_protocol_has_it(self, wire: Wire) -> None:
        machine(solver="Recorded_system", annealing_time=5.0).sample(PROBLEM, num_reads=2)
        (post,) = [sent for sent in wire.sent if sent[0] == "POST"]
        assert post[3]["Content-Encoding"] == "deflate"
        assert post[3]["Content-Type"] == "application/json"
        assert post[3]["Accept"] == "application/vnd.dwave.sapi.problems+json; version=3.0.0"
        (job,) = json.loads(zlib.decompress(post[2]))
        label = job.pop("label")
        assert label.startswith("rapid-ising-")
        assert job == {
            "solver": {"name": "Recorded_system", "version": {"graph_id": "01ab"}},
            "type": "ising",
            # NaN for qubit 0, which has no part, then 0.5 and -1; one active coupler.
            "data": {
                "format": "qp",
                "lin": "AAAAAAAA+H8AAAAAAADgPwAAAAAAAPC/",
                "quad": "AAAAAAAA0L8=",
                "offset": 0.0,
            },
            "params": {
                "num_reads": 2,
                "annealing_time": 5.0,
                "answer_mode": "raw",
                "auto_scale": False,
            },
        }

    def test_a_recorded_answer_is_read(self, wire: Wire) -> None:
        answer = machine().sample(PROBLEM, num_reads=2)
        assert answer.record.sample[:, [answer.variables.index(v) for v in (1, 3)]].tolist() == [
            [-1, 1],
            [1, 1],
        ]
        assert answer.record.energy.tolist() == [5.75, 6.25]
        (stage,) = answer.info["rapid_ising"]["stages"]
        stage.pop("seconds")
        assert stage == {
            "stage": "dwave",
            "job": "7",
            "service": "D-Wave SAPI",
            "solver": "Recorded_system",
            "graph": "01ab",
            "annealing_time": 20.0,
            "machine_seconds": pytest.approx(15328e-6),
        }

    def test_counts_are_expanded(self, wire: Wire) -> None:
        counted = {**ANSWER, "num_occurrences": "AwAAAAEAAAA="}
        wire.answers["GET /problems/7"] = ("problem", {**STATUS, "answer": counted})
        assert machine().sample(PROBLEM, num_reads=4).record.energy.tolist() == [5.75, 5.75, 5.75, 6.25]

    @pytest.mark.parametrize(
        ("spoiled", "said"),
        [
            ({"energies": "AAAAAAAA9L8AAAAAAADwvw=="}, "energy"),
            ({"energies": "AAAAAAAA9L8="}, "counts"),
            ({"energies": "no base64"}, "cannot be read"),
            ({"solutions": "QMBA"}, "cannot be read"),
            ({"active_variables": "AQAAAAIAAAA="}, "qubits"),
            ({"active_variables": "AQAAAAEAAAA="}, "qubits"),
            ({"num_occurrences": "AQAAAAIAAAA="}, "2 reads"),
            ({"num_occurrences": "AwAAAP////8="}, "2 reads"),
            ({"energies": [-1.25, -0.75]}, "document"),
            ({"timing": None}, "document"),
        ],
    )
    def test_an_answer_that_is_none_is_refused(self, wire: Wire, spoiled: dict[str, Any], said: str) -> None:
        wire.answers["GET /problems/7"] = ("problem", {**STATUS, "answer": {**ANSWER, **spoiled}})
        with pytest.raises(ProtocolError, match=said):
            machine().sample(PROBLEM, num_reads=2)

    @pytest.mark.parametrize(
        "status", [{"status": "FAILED", "error_message": "too long"}, {"status": "CANCELLED"}]
    )
    def test_a_job_that_failed_says_why(self, wire: Wire, status: dict[str, Any]) -> None:
        wire.answers["GET /problems/7"] = ("problem", {**STATUS, **status})
        with pytest.raises(JobFailedError, match=status.get("error_message", "CANCELLED")):
            machine().sample(PROBLEM, num_reads=2)

    def test_a_refused_job_has_the_words_of_the_service(self, wire: Wire) -> None:
        wire.answers["POST /problems/"] = ("problems", [{"error_code": 400, "error_msg": "h out of range"}])
        with pytest.raises(RejectedError, match="code 400: h out of range"):
            machine().sample(PROBLEM, num_reads=2)

    @hypothesis.given(
        key=strategies.sampled_from(sorted(ANSWER)),
        value=strategies.recursive(
            strategies.none() | strategies.integers() | strategies.text(max_size=20) | strategies.floats(),
            lambda inner: (
                strategies.lists(inner, max_size=3)
                | strategies.dictionaries(strategies.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
    @hypothesis.settings(
        max_examples=100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
    )
    def test_any_answer_is_right_or_an_error_of_ours(self, wire: Wire, key: str, value: Any) -> None:
        wire.answers["GET /problems/7"] = ("problem", {**STATUS, "answer": {**ANSWER, key: value}})
        try:
            answer = machine(solver="Recorded_system").sample(PROBLEM, num_reads=2)
        except RapidIsingError:
            return
        assert answer.record.energy.tolist() == [5.75, 6.25]


class TestFacts:
    def test_nothing_is_asked_at_construction_and_once_later(self, wire: Wire) -> None:
        solver = machine()
        assert repr(solver) == f"Dwave(solver=None, annealing_time=20.0, url='{URL}')"
        assert wire.sent == []
        facts = solver.capabilities
        assert solver.capabilities is facts
        assert [sent[:2] for sent in wire.sent] == [("GET", "/solvers/remote/")]
        assert facts.topology is not None
        assert sorted(facts.topology) == [0, 1, 3]
        assert (facts.field_range, facts.coupling_range, facts.max_reads) == ((-4, 4), (-2, 1), 100)

    def test_the_limit_of_a_call_is_the_clients_own_without_timing_data(self, wire: Wire) -> None:
        # (3000 - 1000) / 20 reads: `StructuredSolver.max_num_reads`.
        solver = machine()
        assert solver.capabilities.reads_a_call == 100
        assert machine(annealing_time=40.0).capabilities.reads_a_call == 50
        assert solver.structure.max_num_reads(annealing_time=40.0) == 50

    def test_without_a_token_the_published_facts_and_no_network(self, wire: Wire) -> None:
        solver = Dwave()
        assert solver.url == "https://na-west-1.cloud.dwavesys.com/sapi/v2"
        assert solver.capabilities.max_variables == 5640
        assert solver.capabilities.row() == solver.published.row()
        with pytest.raises(AuthenticationError, match="DWAVE_API_TOKEN"):
            solver.sample(dimod.BinaryQuadraticModel({180: 1.0}, {}, "SPIN"))
        assert wire.sent == []

    def test_the_table_of_machines_asks_nobody(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        from rapid_ising.cli.machines import capability_table

        monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
        assert capability_table(["dwave"]).rows[0][1] == "5640"
        assert wire.sent == []

    def test_a_processor_is_chosen_by_its_qubits(self, wire: Wire) -> None:
        def other(name: str, **changes: Any) -> dict[str, Any]:
            status = changes.pop("status", "ONLINE")
            return {
                **SOLVER,
                "identity": {"name": name, "version": {"graph_id": "0"}},
                "status": status,
                "properties": {**PROPERTIES, **changes},
            }

        every = [
            other("smaller", qubits=[0, 1], couplers=[[0, 1]]),
            other("hybrid", category="hybrid", qubits=[0, 1, 2, 3]),
            other("offline", status="OFFLINE", qubits=[0, 1, 2, 3]),
            SOLVER,
        ]
        wire.answers["GET /solvers/remote/"] = ("solver-definition-list", every)
        assert machine().definition.identity.name == "Recorded_system"
        wire.answers["GET /solvers/remote/"] = ("solver-definition-list", every[1:3])
        with pytest.raises(RejectedError, match="no qpu solver"):
            machine().sample(PROBLEM)

    def test_an_annealing_time_beyond_the_solver_is_refused(self, wire: Wire) -> None:
        with pytest.raises(InvalidParameterError, match=r"0\.5 to 2000"):
            machine(annealing_time=2001.0).sample(PROBLEM)
        assert all(sent[0] == "GET" for sent in wire.sent)

    def test_couplings_that_add_up_to_too_much_at_a_qubit_are_refused(self, wire: Wire) -> None:
        both = dimod.BinaryQuadraticModel({}, {(0, 1): -2.0, (1, 3): -1.5}, "SPIN")
        with pytest.raises(CapabilityError, match=r"-3 to 2\.5 at a qubit, and the problem has -3\.5"):
            machine().sample(both)
        assert all(sent[0] == "GET" for sent in wire.sent)

    @pytest.mark.parametrize("broken", ["h_range", "qubits", "num_reads_range"])
    def test_a_solver_that_does_not_say_what_it_is_is_refused(self, wire: Wire, broken: str) -> None:
        properties = {**PROPERTIES, broken: "?"}
        wire.answers["GET /solvers/remote/Recorded_system"] = (
            "solver-definition",
            {**SOLVER, "properties": properties},
        )
        with pytest.raises(ProtocolError, match="not described"):
            machine(solver="Recorded_system").sample(PROBLEM)

    def test_an_unknown_solver_is_named(self) -> None:
        with running("dwave", solver="nowhere") as (solver, _), pytest.raises(RejectedError, match="nowhere"):
            solver.sample(IsingModel([1.0], [[0.0]]))

    @pytest.mark.parametrize(
        "options", [{"solver": "a/b"}, {"solver": 3}, {"annealing_time": 0}, {"url": "ftp://x"}]
    )
    def test_bad_options_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            machine(**options)


class TestAccount:
    def test_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DWAVE_API_TOKEN", "from-environment")
        monkeypatch.setenv("DWAVE_API_REGION", "eu-central-1")
        solver = Dwave()
        assert solver.url == "https://eu-central-1.cloud.dwavesys.com/sapi/v2"
        assert solver.token is not None
        assert solver.token.reveal() == "from-environment"  # type: ignore[union-attr]
        monkeypatch.setenv("DWAVE_API_ENDPOINT", "https://box.example.org/sapi/")
        assert Dwave().url == "https://box.example.org/sapi/"
        assert Dwave(url="na-east-1").url == "https://na-east-1.cloud.dwavesys.com/sapi/v2"

    def test_the_vendors_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "dwave.conf"
        file.write_text(f"[defaults]\nregion = eu-central-1\n[mine]\ntoken = {TOKEN}\n")
        monkeypatch.setenv("DWAVE_CONFIG_FILE", str(file))
        solver = Dwave()
        assert solver.url == "https://eu-central-1.cloud.dwavesys.com/sapi/v2"
        assert solver.token.reveal() == TOKEN  # type: ignore[union-attr]
        assert TOKEN not in repr(solver)

    def test_a_broken_file_is_refused_without_a_word_of_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        file = tmp_path / "dwave.conf"
        file.write_text(f"token {TOKEN}\n")
        monkeypatch.setenv("DWAVE_CONFIG_FILE", str(file))
        with pytest.raises(InvalidParameterError, match="configuration") as caught:
            Dwave()
        assert TOKEN not in str(caught.value)
        Dwave(url=URL, token="given")


class TestEmulated:
    def test_the_sign_of_energies_is_the_fields_own(self) -> None:
        with running("dwave") as (solver, _):
            answer = solver.sample(
                dimod.BinaryQuadraticModel({0: 3.0, 1: 0.0, 2: 0.0}, {(0, 1): -1.0, (1, 2): 1.0}, "SPIN"),
                num_reads=50,
            )
        # A field of +3 turns a spin down, a coupling of -1 aligns, one of +1 opposes.
        states = answer.record.sample
        assert states[:, 0].mean() < -0.9
        assert (states[:, 0] * states[:, 1]).mean() > 0.5
        assert (states[:, 1] * states[:, 2]).mean() < -0.5

    def test_an_embedded_model_on_a_graph_of_qubits(self) -> None:
        model = ri.PatternRBM(n_visible=4, n_hidden=4, n_patterns=2, seed=0)
        with emulate("dwave", size=2) as service:
            chain = ri.prepare(service.machine(), model, num_reads=8, show=False)
            answer = chain.sample(model.ising(), num_reads=8)
        assert len(answer) == 8
        stages = answer.info["rapid_ising"]["stages"]
        assert "emulated" in repr(stages)
        assert "emulator-pegasus-2" in repr(stages)

    def test_reads_that_take_too_long_for_a_call_are_split(self) -> None:
        with emulate("dwave", topology="complete", size=2) as service:
            solver = service.machine(annealing_time=2000.0)
            # (1 s - 15 ms of programming) / 2.144 ms.
            assert solver.capabilities.reads_a_call == 459
            answer = Batched(solver).sample(IsingModel([0.0], [[0.0]]), num_reads=500)
            assert len(answer) == 500
            assert len(service.state()["accepted"]) == 2

    def test_a_job_can_be_attached_to_and_cancelled(self) -> None:
        with running("dwave") as (solver, service):
            assert isinstance(solver, Dwave)
            problem = IsingModel([0.5, 0.0], [[0, 1], [1, 0]])
            job = solver.submit(problem, num_reads=3)
            request = solver._request(problem, 3, 1.0, None, None, 60.0)
            states = solver.attach(request, job.id).answer().states
            np.testing.assert_array_equal(states, job.result().record.sample)
            other = solver.submit(problem, num_reads=3)
            assert other.cancel()
            with pytest.raises(JobFailedError, match="cancelled"):
                other.result()
            assert service.state()["open"] == []
            assert len(service.state()["accepted"]) == 2

    def test_a_job_is_found_by_its_tag(self) -> None:
        with running("dwave") as (solver, _):
            assert isinstance(solver, Dwave)
            request = solver._request(IsingModel([0.5], [[0.0]]), 3, 1.0, None, None, 60.0)
            sent = solver.sent(request, "abc")
            assert solver.find(request, "abc", 0.0) == sent.id
            assert solver.find(request, "abd", 0.0) is None


RECOVERED = ("429", "503", "500", BEFORE, *AFTERWARDS)
ERRORS: dict[str, type[BackendError]] = {
    "401": AuthenticationError,
    "403": AuthenticationError,
    "404": RejectedError,
    "job-failed": JobFailedError,
    "deleted": JobFailedError,
    "never-finishes": DeadlineExceededError,
    **dict.fromkeys(CONTENTS, ProtocolError),
}


class TestFaults:
    problem = IsingModel([0.5, 0.0, -0.25], [[0.0, 1.0, 0.0], [1.0, 0.0, -0.5], [0.0, -0.5, 0.0]])

    def test_every_fault_has_an_end(self) -> None:
        assert {*RECOVERED, *ERRORS} == set(KINDS)

    @pytest.mark.parametrize("at", range(4))
    @pytest.mark.parametrize("kind", RECOVERED)
    def test_what_passes_is_recovered_from(self, kind: str, at: int) -> None:
        with running("dwave") as (solver, service):
            solver.capabilities  # noqa: B018
            emulator = service.emulator
            assert emulator is not None
            emulator.faults = Later(kind, at)
            answer = solver.sample(self.problem, num_reads=5, deadline=30.0)
            assert len(answer) == 5
            assert len(service.state()["accepted"]) == 1
            assert service.state()["open"] == []
            assert sum(service.state()["faults"].values()) == 1

    @pytest.mark.parametrize("kind", ERRORS)
    def test_what_does_not_pass_is_a_clear_error(self, kind: str) -> None:
        with running("dwave", Faults({kind: 1.0})) as (solver, service):
            with pytest.raises(ERRORS[kind], match="dwave"):
                solver.sample(self.problem, num_reads=5, deadline=2.0)
            state = service.state()
            assert len(state["accepted"]) == (0 if kind in STATUSES else 1)
            assert state["open"] == []
            assert state["faults"]

    @pytest.mark.parametrize("kind", RECOVERED)
    def test_a_service_that_never_recovers_is_given_up(self, kind: str) -> None:
        with running("dwave", Faults({kind: 1.0})) as (solver, service):
            if kind == "slow":
                assert len(solver.sample(self.problem, num_reads=5)) == 5
                return
            with pytest.raises(BackendError):
                solver.sample(self.problem, num_reads=5, deadline=5.0)
            assert service.state()["accepted"] == []

    def test_a_lost_answer_is_looked_up_and_the_job_not_sent_again(self) -> None:
        with running("dwave") as (solver, service):
            solver.capabilities  # noqa: B018
            assert service.emulator is not None
            service.emulator.faults = Later("disconnect-after", 0)
            job = solver.submit(self.problem, num_reads=5)
            assert len(job.result()) == 5
            assert len(service.state()["accepted"]) == 1

    def test_a_timed_out_job_that_is_not_there_is_not_sent_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running("dwave") as (solver, service):
            solver.capabilities  # noqa: B018
            real = Transport.request

            def request(self: Transport, method: str, path: str, **options: Any) -> Any:
                if method == "POST":
                    raise self.unknown("broke off", timed_out=True)
                return real(self, method, path, **options)

            monkeypatch.setattr(Transport, "request", request)
            with pytest.raises(UnknownOutcomeError, match="not sent again"):
                solver.sample(self.problem)
            assert service.state()["accepted"] == []

    def test_busy_is_waited_out_as_long_as_the_service_asks(self, impatient: list[float]) -> None:  # noqa: F811
        with running("dwave") as (solver, service):
            solver.capabilities  # noqa: B018
            assert service.emulator is not None
            service.emulator.faults = Later("429", 0)
            solver.sample(self.problem)
        assert impatient[0] >= 1.0

    def test_a_full_queue_is_the_services_word(self) -> None:
        with emulate("dwave", topology="complete", size=4, slots=1) as service:
            solver = service.machine()
            first = solver.submit(self.problem)
            with pytest.raises(RejectedError, match="429"):
                solver.submit(self.problem)
            first.result()
            solver.sample(self.problem)


class Later(Faults):  # type: ignore[misc]
    """One fault of a kind, at the n-th time that it could strike."""

    def __init__(self, kind: str, at: int) -> None:
        super().__init__({kind: 1.0}, most=1)
        self.at = at

    def draw(self, kinds: Any) -> str | None:
        if any(kind in kinds for kind in self.rates):
            self.at -= 1
            return super().draw(kinds) if self.at < 0 else None
        return None


def test_the_token_shows_nowhere(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(1)
    for name in ("dwave.cloud", "dwave.cloud.api.client", "httpx", "httpcore", "urllib3"):
        caplog.set_level(1, logger=name)
    shown = []
    with emulate("dwave", twin=TwinDwave("complete", 4), token=TOKEN) as service:
        for kind in (None, "401", "wrong-types", "404"):
            assert service.emulator is not None
            service.emulator.faults = Faults({kind: 1.0} if kind else {})
            solver = service.machine()
            try:
                answer = solver.sample(IsingModel([1.0], [[0.0]]), deadline=20.0)
                shown += [repr(answer.info), repr(vars(solver)["definition"])]
            except BackendError as error:
                shown += traceback.format_exception(error)
            shown += [repr(solver), repr(vars(solver)["transport"].__dict__)]
    shown += [record.getMessage() for record in caplog.records]
    assert any("dwave.cloud" in record.name for record in caplog.records)
    assert logging.getLogger("dwave.cloud").level == 1
    leaked = [text for text in [*shown, *capsys.readouterr()] if TOKEN in text]
    assert not leaked


@pytest.mark.parametrize("words", [["--json"], []])
def test_the_command_line_hides_the_token(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    result = CliRunner().invoke(app, ["backends", "dwave", *words])
    assert result.exit_code == 0
    assert "***" in result.output
    assert TOKEN not in result.output


def test_a_deadline_holds_for_a_service_that_drips() -> None:
    with running("dwave", Faults({"slow": 1.0})) as (solver, _):
        assert isinstance(solver, Dwave)
        with pytest.raises((DeadlineExceededError, BackendError)):
            solver.sample(IsingModel([0.5], [[0.0]]), deadline=0.5)
        assert (
            solver._find(
                solver._request(IsingModel([0.5], [[0.0]]), 1, 1.0, None, None, None), "x", 0.0, Deadline(20)
            )
            is None
        )
