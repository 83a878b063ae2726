"""The Digital Annealer: what goes over the wire, by the document, and what its emulator refuses."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
from adapters import running

import rapid_ising as ri
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import Sent
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.fujitsu_da import FULL, QUOTA, FujitsuDaEmulator
from rapid_ising_backends.emulators.fujitsu_da_requests import checked
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.fujitsu_da import FujitsuDa
from rapid_ising_backends.fujitsu_da_wire import Term, binary, moment, terms

TOKEN = "canary-4711"
PAIR = ri.IsingModel([1.0, 0.0], [[0.0, -3.0], [-3.0, 0.0]], offset=0.5)
"""E = s0 - 3 s0 s1 + 1/2, of which Q = 8 x0 + 6 x1 - 12 x0 x1 is sent: E = Q - 4 + 1/2."""


@pytest.fixture(autouse=True)
def _clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    # Short pauses; and jobs that go on when they are looked at, not by the clock.
    monkeypatch.setattr("rapid_ising.remote.transport.sleep", lambda pause: time.sleep(min(pause, 0.01)))
    monkeypatch.setattr("rapid_ising_backends.emulators.jobs.OVERDUE", 600.0)


@pytest.fixture
def service() -> Iterator[Running]:
    with emulate("fujitsu-da") as found:
        yield found


def machine_of(service: Running, **options: Any) -> FujitsuDa:
    machine = service.machine(**options)
    assert isinstance(machine, FujitsuDa)
    return machine


def request_of(machine: FujitsuDa, model: ri.IsingModel, reads: int = 2, beta: float = 1.0) -> ri.Request:
    return machine._request(model, reads, beta, None, None, None)


def whole_numbers(n: int = 6, seed: int = 0) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(-5, 6, size=(n, n)), 1)
    return ri.IsingModel(rng.integers(-5, 6, size=n).astype(float), (upper + upper.T).astype(float), 0.25)


def every_state(n: int) -> np.ndarray[Any, Any]:
    return np.array(list(itertools.product((-1, 1), repeat=n)))


class TestVersion2(BackendConformance):
    """The shipped suite on version 2, whose reads follow the law; version 4 is among all adapters."""

    num_reads = 2048

    @pytest.fixture
    def backend(self) -> Iterator[ri.Backend]:
        with running("fujitsu-da", version="v2") as (machine, _):
            yield machine


class Recorded:
    """A service that gives answers written down, and keeps what it was asked."""

    def __init__(self, machine: FujitsuDa, solution: Mapping[str, Any]) -> None:
        self.solution, self.asked = solution, []  # type: ignore[var-annotated]
        machine.transport._client = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, http: httpx.Request) -> httpx.Response:
        self.asked.append(http)
        path = http.url.path
        if path.endswith("/async/jobs"):
            return httpx.Response(200, json={"job_status_list": []})
        if path.endswith("/solve"):
            return httpx.Response(200, json={"job_id": "5f1c"})
        if http.method == "DELETE":
            return httpx.Response(200, json={"status": "Deleted", "qubo_solution": self.solution})
        return httpx.Response(200, json={"status": "Done", "qubo_solution": self.solution})

    @property
    def lines(self) -> list[str]:
        return [f"{http.method} {http.url.path}" for http in self.asked]


RECORDED: Mapping[str, Any] = {
    "progress": [{"energy": 0, "penalty_energy": 0, "time": 0.012}],
    "result_status": True,
    "solutions": [
        {"energy": 0.0, "penalty_energy": 0, "frequency": 13, "configuration": {"0": False, "1": False}},
        {"energy": 2.0, "penalty_energy": 0, "frequency": 3, "configuration": {"0": True, "1": True}},
    ],
    "timing": {"solve_time": "1000", "total_elapsed_time": "1500"},
}


def asking(answer: Mapping[str, Any] = RECORDED, **options: Any) -> tuple[FujitsuDa, Recorded]:
    machine = FujitsuDa(url="http://127.0.0.1:9/da", token=TOKEN, **options)
    return machine, Recorded(machine, answer)


@pytest.mark.parametrize("version", ["v4", "v3c"])
def test_the_request_is_as_documented(version: Any) -> None:
    machine, recorded = asking(version=version, time_limit_sec=1)
    machine.sample(PAIR, num_reads=3)
    assert recorded.lines == [
        f"GET /da/{version}/async/jobs",
        f"POST /da/{version}/async/qubo/solve",
        f"GET /da/{version}/async/jobs/result/5f1c",
        f"DELETE /da/{version}/async/jobs/result/5f1c",
    ]
    post = recorded.asked[1]
    assert post.headers["X-Api-Key"] == TOKEN
    assert "X-Access-Token" not in post.headers
    assert post.headers["Content-Type"] == "application/json"
    assert post.content == (
        b'{"fujitsuDA3":{"time_limit_sec":1,"num_run":16,"num_group":1,"num_output_solution":3,'
        b'"gs_level":5,"gs_cutoff":8000},"binary_polynomial":{"terms":[{"c":8,"p":[0]},{"c":6,"p":[1]},'
        b'{"c":-12,"p":[0,1]}]}}'
    )


def test_the_request_of_version_2_is_as_documented() -> None:
    machine, recorded = asking(version="v2", access_token=True, number_iterations=1000)
    machine.sample(PAIR, num_reads=16, beta=0.25)
    post = recorded.asked[1]
    assert post.url.path == "/da/v2/async/qubo/solve"
    assert post.headers["X-Access-Token"] == TOKEN
    assert "X-Api-Key" not in post.headers
    assert post.content == (
        b'{"fujitsuDA2":{"number_iterations":1000,"number_runs":16,"temperature_start":4.0,'
        b'"temperature_decay":0.0,"temperature_interval":100,"temperature_mode":"EXPONENTIAL",'
        b'"noise_model":"METROPOLIS","offset_increase_rate":0.0,"solution_mode":"COMPLETE",'
        b'"expert_mode":true},"binary_polynomial":{"terms":[{"coefficient":8,"polynomials":[0]},'
        b'{"coefficient":6,"polynomials":[1]},{"coefficient":-12,"polynomials":[0,1]}]}}'
    )


def test_a_recorded_answer_is_read() -> None:
    machine, _ = asking()
    answer = machine.sample(PAIR, num_reads=5)
    assert answer.record.sample.tolist() == [[-1, -1], [1, 1]]
    assert answer.record.energy.tolist() == [-3.5, -1.5]
    stage = answer.info["rapid_ising"]["stages"][0]
    assert stage["frequencies"] == [13, 3]
    assert stage["machine_seconds"] == 1.0
    assert stage["job"] == "5f1c"
    assert "emulated" not in stage


def test_a_recorded_answer_of_version_2_is_read_as_a_multiset() -> None:
    old = {key: value for key, value in RECORDED.items() if key != "progress"}
    machine, _ = asking(old, version="v2")
    answer = machine.sample(PAIR, num_reads=16)
    assert answer.record.sample.tolist() == [[-1, -1]] * 13 + [[1, 1]] * 3


@pytest.mark.parametrize("reads", [15, 17])
def test_version_2_must_answer_as_many_runs_as_were_asked(reads: int) -> None:
    machine, _ = asking(version="v2")
    with pytest.raises(ProtocolError, match=f"{reads} runs were asked and 16 came"):
        machine.sample(PAIR, num_reads=reads)


def without(index: str) -> Callable[[dict[str, Any]], None]:
    return lambda answer: answer["solutions"][0]["configuration"].pop(index)


def with_value(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda answer: answer["solutions"][0].update({key: value})


SPOILED: Mapping[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "variable missing": (without("1"), "lacks some"),
    "variable added": (lambda a: a["solutions"][0]["configuration"].update({"2": True}), "other variables"),
    "variable renamed": (
        lambda a: a["solutions"][0].update(configuration={"0": False, "01": False}),
        "other variables",
    ),
    "bits for truth": (with_value("configuration", {"0": 0, "1": 0}), "bool"),
    "wrong energy": (with_value("energy", 1.0), "says energy -3 for a state whose energy is -4"),
    "energy as text": (with_value("energy", "0"), "float"),
    "frequency of zero": (with_value("frequency", 0), "less than once"),
    "frequency too large": (with_value("frequency", 10**30), "more often"),
    "frequency as fraction": (with_value("frequency", 1.5), "int"),
    "state twice": (lambda a: a["solutions"].append(a["solutions"][0]), "one state 2 times"),
    "time as a word": (lambda a: a["timing"].update(solve_time="soon"), "no time"),
    "time not finite": (lambda a: a["timing"].update(solve_time="inf"), "no time"),
    "no timing": (lambda a: a.pop("timing"), "timing"),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_an_answer_that_is_none_is_refused(spoil: str) -> None:
    answer = json.loads(json.dumps(RECORDED))
    change, message = SPOILED[spoil]
    change(answer)
    machine, _ = asking(answer)
    with pytest.raises(ProtocolError, match=message):
        machine.sample(PAIR, num_reads=5)


@pytest.mark.parametrize("change", [{"result_status": False}, {"solutions": []}])
def test_no_solution_is_a_failed_job(change: dict[str, Any]) -> None:
    machine, _ = asking({**RECORDED, **change})
    with pytest.raises(JobFailedError, match="no solution"):
        machine.sample(PAIR)


def test_spins_that_nothing_acts_on_may_be_left_out() -> None:
    free = ri.IsingModel([1.0, 0.0], np.zeros((2, 2)))
    solution = {"energy": 0.0, "frequency": 1, "configuration": {"0": False}}
    machine, _ = asking({**RECORDED, "solutions": [solution]})
    answer = machine.sample(free)
    assert answer.record.sample[0, 0] == -1
    assert answer.record.energy.tolist() == [-1.0]


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_binary_form_has_the_energy_of_every_state(n: int) -> None:
    model = whole_numbers(n)
    form = binary(model)
    states = every_state(n)
    bits = (states + 1) // 2
    values = bits @ form.linear + (bits[:, form.rows] * bits[:, form.columns]) @ form.quadratic
    np.testing.assert_array_equal(values + form.constant + model.offset, model.energies(states))


def test_the_binary_form_is_exact_at_the_ends_of_the_ranges() -> None:
    facts = FujitsuDa().capabilities
    assert facts.coupling_range is not None
    assert facts.field_range is not None
    n, j, h = 50, facts.coupling_range[1], facts.field_range[1]
    for sign in (-1, 1):
        form = binary(ri.IsingModel(np.full(n, h), sign * j * (1 - np.eye(n))))
        assert form.quadratic.tolist() == [sign * 2**33] * (n * (n - 1) // 2)
        assert form.linear.tolist() == [2**48 - sign * 2 * (n - 1) * 2**31] * n
    # The largest problem: no linear coefficient beyond the whole numbers that a float holds.
    most = facts.max_variables or 0
    assert 2 * h + 2 * (most - 1) * j < 2**53


def test_the_ranges_of_version_2_keep_every_dense_problem_in_its_bits() -> None:
    facts = FujitsuDa(version="v2").capabilities
    assert facts.coupling_range is not None
    assert facts.field_range is not None
    assert 4 * facts.coupling_range[1] < 2**15
    assert 2 * facts.field_range[1] + 2 * 8191 * facts.coupling_range[1] < 2**25


def test_terms_in_many_blocks_are_one_list() -> None:
    model = whole_numbers(300)
    rows, columns, values = model.couplings.to_coo()
    assert len(values) > 2**15
    listed = json.loads(bytes(terms(binary(model), Term)))
    assert len(listed) == 300 + len(values)
    assert [term["p"] for term in listed[300:]] == np.stack([rows, columns], 1).tolist()
    assert [term["c"] for term in listed[300:]] == (4 * values).astype(int).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "v3"}, "version must be"),
        ({"version": "v2", "time_limit_sec": 1}, "v2 has no time_limit_sec"),
        ({"number_iterations": 1}, "v4 has no number_iterations"),
        ({"time_limit_sec": 0}, "time_limit_sec"),
        ({"time_limit_sec": 3601}, "at most 3600"),
        ({"num_run": 1025}, "at most 1024"),
        ({"num_group": 17}, "at most 16"),
        ({"gs_level": 101}, "at most 100"),
        ({"gs_cutoff": -1}, "gs_cutoff"),
        ({"gs_cutoff": 1.5}, "gs_cutoff"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        FujitsuDa(**options)


def test_groups_make_more_reads() -> None:
    assert FujitsuDa(num_group=3).capabilities.max_reads == 3072
    machine, recorded = asking(num_group=2)
    machine.sample(PAIR, num_reads=100)
    solver = json.loads(recorded.asked[1].content)["fujitsuDA3"]
    assert (solver["num_run"], solver["num_group"], solver["num_output_solution"]) == (50, 2, 100)


def test_states_of_two_groups_are_merged(service: Running) -> None:
    machine = machine_of(service, num_group=2, num_run=8, time_limit_sec=1)
    answer = machine.sample(PAIR, num_reads=5)
    assert answer.first.energy == -3.5
    assert len(answer) == len(np.unique(answer.record.sample, axis=0))
    stage = answer.info["rapid_ising"]["stages"][0]
    assert sum(stage["frequencies"]) == 16
    assert stage["machine_seconds"] == 1.0


@pytest.mark.parametrize("version", ["v4", "v3c", "v2"])
def test_real_coefficients_are_scaled_and_rounded_by_us(version: Any) -> None:
    rng = np.random.default_rng(3)
    upper = np.triu(rng.normal(size=(9, 9)), 1)
    model = ri.IsingModel(rng.normal(size=9), upper + upper.T)
    with running("fujitsu-da", version=version) as (machine, _):
        chain = ri.prepare(machine, model, num_reads=20, show=False)
        answer = chain.sample(model, num_reads=20, beta=np.inf)
    assert answer.first.energy == pytest.approx(model.energies(every_state(9)).min())
    stages = [stage["stage"] for stage in answer.info["rapid_ising"]["stages"]]
    assert {"quantized", "scaled"} < set(stages)


# What the emulator refuses.

QUBO = {"terms": [{"c": 2.0, "p": [0, 1]}, {"c": -1.0, "p": [0]}, {"c": 1.0, "p": []}]}
OLD = {"terms": [{"coefficient": 2, "polynomials": [0, 1]}, {"coefficient": 1}]}


def post(service: Running, body: Any, *, version: str = "v4", **headers: str) -> httpx.Response:
    given = headers or {"X-Api-Key": service.token}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {key.replace("_", "-"): value for key, value in given.items()}
    return httpx.post(f"{service.url}/{version}/async/qubo/solve", content=content, headers=names, timeout=20)


def get(service: Running, path: str, method: str = "GET") -> httpx.Response:
    headers = {"X-Api-Key": service.token}
    return httpx.request(method, f"{service.url}{path}", headers=headers, timeout=20)


def error_of(reply: httpx.Response) -> tuple[int, str]:
    error = reply.json()["error"]
    assert set(error) == {"code", "title", "message"}
    assert error["code"] == reply.status_code
    return reply.status_code, error["message"]


def with_solver(**parameters: Any) -> dict[str, Any]:
    return {"fujitsuDA3": parameters, "binary_polynomial": QUBO}


def with_terms(*listed: Any) -> dict[str, Any]:
    return {"fujitsuDA3": {}, "binary_polynomial": {"terms": list(listed)}}


def expert(*listed: Any) -> dict[str, Any]:
    return {"fujitsuDA2": {"expert_mode": True}, "binary_polynomial": {"terms": list(listed)}}


def test_a_job_goes_its_way(service: Running) -> None:
    id = post(service, with_solver(time_limit_sec=2)).json()["job_id"]
    place = f"/v4/async/jobs/result/{id}"
    assert get(service, place).json() == {"status": "Waiting"}
    assert get(service, "/v4/async/jobs").json()["job_status_list"][0]["job_status"] == "Waiting"
    assert get(service, place).json() == {"status": "Running"}
    done = get(service, place).json()
    assert done["status"] == "Done"
    assert done["qubo_solution"]["timing"]["solve_time"] == "2000"
    best = done["qubo_solution"]["solutions"][0]
    assert best["configuration"] == {"0": True, "1": False}
    assert best["energy"] == 0.0
    assert get(service, place, "DELETE").json() == {**done, "status": "Deleted"}
    assert error_of(get(service, place))[0] == 404
    assert get(service, "/v4/async/jobs").json() == {"job_status_list": []}


REFUSED: Mapping[str, tuple[Any, str]] = {
    "no JSON": (b"{", "truncated"),
    "no text": (b"\xff\xfe", ""),
    "no object": ([], "object"),
    "no solver": ({"binary_polynomial": QUBO}, "fujitsuDA3"),
    "solver of version 2": ({"fujitsuDA2": {}, "binary_polynomial": QUBO}, "fujitsuDA2"),
    "no polynomial": ({"fujitsuDA3": {}}, "binary_polynomial"),
    "unknown parameter": (with_solver(num_runs=1), "num_runs"),
    "time too short": (with_solver(time_limit_sec=0), "between 1 and 3600"),
    "time too long": (with_solver(time_limit_sec=3601), "between 1 and 3600"),
    "time not whole": (with_solver(time_limit_sec=1.5), "int"),
    "too many runs": (with_solver(num_run=1025), "between 1 and 1024"),
    "too many groups": (with_solver(num_group=17), "between 1 and 16"),
    "too many solutions": (with_solver(num_output_solution=1025), "between 1 and 1024"),
    "level too high": (with_solver(gs_level=101), "between 0 and 100"),
    "cutoff too high": (with_solver(gs_cutoff=1_000_001), "between 0 and 1000000"),
    "no terms": (with_terms(), "no variables"),
    "constant only": (with_terms({"c": 1, "p": []}), "no variables"),
    "three bits": (with_terms({"c": 1, "p": [0, 1, 2]}), "at most 2"),
    "bit below zero": (with_terms({"c": 1, "p": [-1]}), "between 0 and 99999"),
    "bit too high": (with_terms({"c": 1, "p": [100_000]}), "between 0 and 99999"),
    "coefficient as text": (with_terms({"c": "1", "p": [0]}), "float"),
    "coefficient as truth": (with_terms({"c": True, "p": [0]}), "float"),
    "coefficient not finite": (b'{"fujitsuDA3":{},"binary_polynomial":{"terms":[{"c":NaN,"p":[0]}]}}', ""),
    "names of version 2": (with_terms({"coefficient": 1, "polynomials": [0]}), "coefficient"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_emulator_refuses(service: Running, case: str) -> None:
    body, message = REFUSED[case]
    status, said = error_of(post(service, body))
    assert status == 400
    assert message in said
    assert service.state()["accepted"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (with_solver(), "fujitsuDA3"),
        ({"fujitsuDA2": {}, "binary_polynomial": QUBO}, "`c`"),
        ({"fujitsuDA2": {"number_runs": 129}, "binary_polynomial": OLD}, "between 1 and 128"),
        ({"fujitsuDA2": {"temperature_start": -1}, "binary_polynomial": OLD}, "temperature_start"),
        ({"fujitsuDA2": {"temperature_decay": 2}, "binary_polynomial": OLD}, "between 0 and 1"),
        ({"fujitsuDA2": {"temperature_mode": "LINEAR"}, "binary_polynomial": OLD}, "LINEAR"),
        ({"fujitsuDA2": {"solution_mode": "ALL"}, "binary_polynomial": OLD}, "ALL"),
        (expert({"coefficient": 1, "polynomials": [8192]}), "8191"),
        (expert({"coefficient": 0.5, "polynomials": [0]}), "integers"),
        (expert({"coefficient": 2**15 + 1, "polynomials": [0, 1]}), "32768"),
        (expert({"coefficient": 2**25 + 1, "polynomials": [0]}), "33554432"),
    ],
)
def test_the_emulator_refuses_in_version_2(service: Running, body: Any, message: str) -> None:
    status, said = error_of(post(service, body, version="v2"))
    assert status == 400
    assert message in said


@pytest.mark.parametrize("version", ["v1", "v3", "v5", "vx"])
def test_other_versions_are_nowhere(service: Running, version: str) -> None:
    assert error_of(post(service, with_solver(), version=version))[0] == 404
    assert error_of(get(service, f"/{version}/async/jobs"))[0] == 404


def test_exactly_one_header_authorises(service: Running) -> None:
    token = service.token
    assert post(service, with_solver(), X_Access_Token=token).status_code == 200
    assert error_of(post(service, with_solver(), X_Api_Key=token, X_Access_Token=token))[0] == 400
    assert error_of(post(service, with_solver(), Authorization=f"Bearer {token}"))[0] == 401
    assert error_of(post(service, with_solver(), X_Api_Key=token + "x"))[0] == 401
    assert httpx.get(f"{service.url}/v1/healthcheck", timeout=20).status_code == 200
    for method, path in (
        ("GET", "jobs"),
        ("POST", "jobs/cancel"),
        ("GET", "jobs/result/a"),
        ("DELETE", "jobs/result/a"),
    ):
        reply = httpx.request(method, f"{service.url}/v4/async/{path}", timeout=20)
        assert error_of(reply)[0] == 401


def test_a_seventeenth_job_finds_no_place(service: Running) -> None:
    ids = [post(service, with_solver()).json()["job_id"] for _ in range(16)]
    assert error_of(post(service, with_solver())) == (429, FULL)
    with pytest.raises(BackendError, match=FULL):
        machine_of(service).sample(PAIR)
    assert len(service.state()["accepted"]) == 16
    cancel = httpx.post(
        f"{service.url}/v4/async/jobs/cancel",
        json={"job_id": ids[3]},
        headers={"X-Api-Key": service.token},
        timeout=20,
    )
    assert cancel.json() == {"status": "Canceled"}
    assert error_of(post(service, with_solver())) == (429, FULL), "a cancelled job keeps its place"
    assert get(service, f"/v4/async/jobs/result/{ids[3]}", "DELETE").json() == {"status": "Deleted"}
    assert machine_of(service).sample(PAIR).first.energy == -3.5


def test_the_quota_of_the_month_ends() -> None:
    with emulate("fujitsu-da", quota=1) as service:
        machine = machine_of(service)
        machine.sample(PAIR)
        with pytest.raises(RejectedError, match=QUOTA):
            machine.sample(PAIR)


def test_a_body_may_not_be_too_large() -> None:
    with emulate("fujitsu-da", body_limit=300) as service:
        machine = machine_of(service)
        machine.sample(PAIR)
        with pytest.raises(RejectedError, match="status 413"):
            machine.sample(whole_numbers(9))


def test_the_twin_holds_what_the_emulator_gives_it() -> None:
    # As large as the adapter sends, and as a stranger may send it: neither fits the twin as it is.
    emulator = FujitsuDaEmulator()
    for factor in (2.0**31, 1e-3):
        model = whole_numbers(8).scaled(factor)
        form = binary(model.scaled(1 / factor))
        listed = [{"c": factor * float(a), "p": [i]} for i, a in enumerate(form.linear)]
        listed += [
            {"c": factor * float(b), "p": [int(i), int(j)]}
            for i, j, b in zip(form.rows, form.columns, form.quadratic, strict=True)
        ]
        asked = checked("v4", json.dumps(with_terms(*listed)).encode())
        best = emulator._answer(asked, 0)["solutions"][0]
        state = [1 if best["configuration"][str(i)] else -1 for i in range(8)]
        energies = model.energies(every_state(8))
        assert model.energies(state)[0] == pytest.approx(energies.min())
        assert best["energy"] + factor * form.constant == pytest.approx(energies.min() - model.offset)


# What becomes of jobs.


class LostAnswer:
    """Faults of which one strikes: at the so-many-th request."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count, self.rates = kind, at, {kind: 1}, {kind: 1.0}

    def draw(self, kinds: Any) -> str | None:
        if self.kind not in kinds:
            return None
        self.at -= 1
        return self.kind if self.at == 0 else None


@pytest.mark.parametrize("kind", ["disconnect-after", "truncated", "disconnect-before", "500"])
def test_a_job_whose_answer_was_lost_is_found_and_not_sent_twice(kind: str) -> None:
    # The first request asks for the list, the second sends the job.
    with emulate("fujitsu-da", faults=LostAnswer(kind, at=2)) as service:  # type: ignore[arg-type]
        machine = machine_of(service)
        answer = machine.sample(PAIR, num_reads=3)
        state = service.state()
    assert answer.first.energy == -3.5
    assert len(state["accepted"]) == 1
    assert state["open"] == []


def test_a_job_of_another_is_not_taken_for_ours() -> None:
    # The first request sends it, the second asks for the list, the third sends ours.
    with emulate("fujitsu-da", faults=LostAnswer("disconnect-after", at=3)) as service:  # type: ignore[arg-type]
        foreign = post(service, with_solver()).json()["job_id"]
        assert machine_of(service).sample(PAIR, num_reads=3).first.energy == -3.5
        assert len(service.state()["accepted"]) == 2
        assert service.state()["open"] == [foreign]


def test_only_a_new_job_can_be_the_one_that_was_lost(service: Running) -> None:
    machine = machine_of(service)
    request, since = request_of(machine, PAIR), time.time()

    def found(since: float = since) -> str | None:
        return machine._find(request, "tag", since, Deadline(9))

    assert found() is None
    sent = machine._send(request, "other")
    assert found() is None
    late = post(service, with_solver()).json()["job_id"]
    assert found() == late
    assert found(since + 60) is None, "it began before"
    later = post(service, with_solver()).json()["job_id"]
    with pytest.raises(UnknownOutcomeError, match="2 jobs that may be") as caught:
        found()
    assert late in str(caught.value)
    assert later in str(caught.value)
    assert sent.id not in str(caught.value)
    machine.attach(request, later)
    assert found() == late


def test_the_answer_to_another_problem_is_refused(service: Running) -> None:
    machine = machine_of(service)
    foreign = post(service, with_solver()).json()["job_id"]
    with pytest.raises(ProtocolError, match="says energy"):
        machine.attach(request_of(machine, PAIR), foreign).answer()


def test_clocks_that_differ_do_not_hide_a_job() -> None:
    # Ours says 12:00 where theirs says 10:00.
    machine = FujitsuDa(url="http://127.0.0.1:9", token=TOKEN)
    behind = time.time() - 7200
    listed = [
        {
            "job_id": "old",
            "job_status": "Done",
            "start_time": datetime.fromtimestamp(behind - 60, UTC).isoformat(),
        },
        {
            "job_id": "new",
            "job_status": "Waiting",
            "start_time": datetime.fromtimestamp(behind, UTC).isoformat(),
        },
    ]
    date = datetime.fromtimestamp(behind, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def answer(http: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"job_status_list": listed}, headers={"Date": date})

    machine.transport._client = httpx.Client(transport=httpx.MockTransport(answer))
    assert machine._find(request_of(machine, PAIR), "tag", time.time(), Deadline(9)) == "new"


def test_a_start_that_is_not_told_is_possible() -> None:
    assert moment("") == moment(None) == moment("0000-99-99") == float("inf")
    assert moment("1970-01-01T00:00:01.500Z") == 1.5
    assert moment("1970-01-01 00:00:02") == 2.0


def test_a_waiting_job_can_be_cancelled(service: Running) -> None:
    machine = machine_of(service)
    job = machine.submit(PAIR)
    assert job.cancel()
    assert service.state()["open"] == []
    with pytest.raises(JobFailedError, match="cancelled"):
        job.result()


def test_a_running_job_keeps_its_place_until_it_is_done(service: Running) -> None:
    machine = machine_of(service)
    submission = machine.sent(request_of(machine, PAIR), "tag")
    for _ in range(2):
        assert get(service, f"/v4/async/jobs/result/{submission.id}").json()["status"] != "Done"
    assert not submission.cancel()
    submission.abandon()
    assert service.state()["open"] == [submission.id]
    assert machine.clear() == 0
    assert service.state()["open"] == []


def test_the_deadline_of_a_job_that_never_ends(service: Running) -> None:
    with emulate("fujitsu-da", faults=Faults({"never-finishes": 1.0}, most=1)) as stuck:
        machine = machine_of(stuck)
        with pytest.raises(DeadlineExceededError, match="fujitsu-da"):
            machine.sample(PAIR, deadline=0.5)
        # It runs, cannot be cancelled, and is not lost sight of.
        assert machine.clear() == len(stuck.state()["open"]) == 1
        assert machine.sample(PAIR).first.energy == -3.5


@pytest.mark.parametrize(
    ("fate", "message"), [("job-failed", "ended as 'Error': Solver failed"), ("deleted", "does not hold")]
)
def test_a_job_that_fails_is_cleared_away(fate: str, message: str) -> None:
    with emulate("fujitsu-da", faults=Faults({fate: 1.0})) as service:
        with pytest.raises(JobFailedError, match=message):
            machine_of(service).sample(PAIR)
        assert service.state()["open"] == []


@pytest.mark.parametrize("version", ["v4", "v2"])
@pytest.mark.parametrize("fault", ["wrong-types", "missing-variables", "nan-energies", "duplicated-rows"])
def test_spoiled_contents_are_refused(fault: str, version: str) -> None:
    with emulate("fujitsu-da", faults=Faults({fault: 1.0})) as service:
        with pytest.raises(ProtocolError):
            machine_of(service, version=version).sample(PAIR, num_reads=4)
        assert service.state()["open"] == []


def test_an_id_that_would_lead_elsewhere_is_refused() -> None:
    machine, _ = asking()
    with pytest.raises(ProtocolError, match="no id"):
        machine._fetch(request_of(machine, PAIR), "../../jobs", Deadline(1))


def test_the_token_is_shown_nowhere(service: Running) -> None:
    machine = FujitsuDa(url=service.url, token=TOKEN)
    with pytest.raises(AuthenticationError) as caught:
        machine.sample(PAIR)
    assert TOKEN not in repr(machine) + str(caught.value) + repr(machine.__dict__)


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUJITSU_DA_API_KEY", raising=False)
    monkeypatch.delenv("FUJITSU_DA_ACCESS_TOKEN", raising=False)
    with pytest.raises(AuthenticationError, match="FUJITSU_DA_API_KEY"):
        FujitsuDa().sample(PAIR)
    with pytest.raises(AuthenticationError, match="FUJITSU_DA_ACCESS_TOKEN"):
        FujitsuDa(access_token=True).sample(PAIR)
    monkeypatch.setenv("FUJITSU_DA_API_KEY", TOKEN)
    machine = FujitsuDa(url="http://127.0.0.1:9")
    recorded = Recorded(machine, RECORDED)
    machine.sample(PAIR)
    assert {http.headers["X-Api-Key"] for http in recorded.asked} == {TOKEN}
    monkeypatch.setenv("FUJITSU_DA_ACCESS_TOKEN", "another")
    with pytest.raises(
        AuthenticationError, match="FUJITSU_DA_API_KEY and FUJITSU_DA_ACCESS_TOKEN: unset one"
    ):
        FujitsuDa().require()
    for clear in (FujitsuDa(access_token=True), FujitsuDa(token="given")):
        clear.require()
    # One that stands alone needs no option.
    monkeypatch.delenv("FUJITSU_DA_API_KEY")
    machine = FujitsuDa(url="http://127.0.0.1:9")
    recorded = Recorded(machine, RECORDED)
    machine.sample(PAIR)
    assert {http.headers["X-Access-Token"] for http in recorded.asked} == {"another"}


def test_an_answer_can_be_fetched_later(service: Running) -> None:
    machine = machine_of(service)
    request = request_of(machine, PAIR)
    id = machine._send(request, "tag").id
    answer = machine_of(service).attach(request, id).answer()
    assert answer.states.tolist()[0] == [-1, -1]
    assert isinstance(machine._send(request, "tag"), Sent)
