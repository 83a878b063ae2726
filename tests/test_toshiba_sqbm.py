"""The adapter of SQBM+ and its emulator, held to public descriptions of the interface."""

from __future__ import annotations

import io
import itertools
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import dimod
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from adapters import running
from recorded_service import answering
from scipy import sparse
from scipy.io import mmread

from rapid_ising import IsingModel, load_backend
from rapid_ising.errors import (
    AuthenticationError,
    CapabilityError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    MissingDependencyError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import transport
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.qubo import qubo_of
from rapid_ising_backends.qubo_matrix import SPARSE, hdf5, matrix_market
from rapid_ising_backends.toshiba_sqbm import ToshibaSqbm

URL = "http://sqbm.example:8000"
TOKEN = "canary-5e1f"
# The sample of a published guide to SQBM+ 2.1.0, a maximum cut: five of the six edges can be cut.
SAMPLE = b"""%%MatrixMarket matrix coordinate integer general
5 5 11
1 1 -2
2 1 2
2 2 -3
3 1 2
3 2 2
3 3 -3
4 2 2
4 4 -2
5 3 2
5 4 2
5 5 -2
"""
CUT = dimod.BinaryQuadraticModel(
    {0: -2.0, 1: -3.0, 2: -3.0, 3: -2.0, 4: -2.0},
    {(0, 1): 2.0, (0, 2): 2.0, (1, 2): 2.0, (1, 3): 2.0, (2, 4): 2.0, (3, 4): 2.0},
    0.0,
    "BINARY",
)
ANSWER = {
    "id": "r1640998000",
    "time": 0.01,
    "wait": 0.5,
    "runs": 160,
    "message": "finished",
    "value": -5.0,
    "result": [0, 1, 0, 0, 1],
    "param": {"steps": 100, "loops": 1, "algo": 20},
    "count": 100,
    "others": [
        {"value": -5.0, "result": [0, 0, 1, 1, 0], "param": {}, "count": 59},
        {"value": -4.0, "result": [1, 0, 0, 1, 0], "param": {}, "count": 1},
    ],
}
MODEL = IsingModel([0.5, -1.25, 0.75], [[0.0, 1.5, -0.5], [1.5, 0.0, 0.25], [-0.5, 0.25, 0.0]], offset=3.0)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQBM_URL", raising=False)
    monkeypatch.delenv("SQBM_TOKEN", raising=False)


@pytest.fixture
def service() -> Iterator[Running]:
    with emulate("toshiba-sqbm", runs=20) as found:
        yield found


def read(body: bytes) -> npt.NDArray[np.float64]:
    whole: npt.NDArray[np.float64] = sparse.coo_array(mmread(io.BytesIO(body))).toarray()
    return whole


def post(
    service: Running, body: bytes = SAMPLE, *, token: str | None = "emulator-token", **params: Any
) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(service.url + "/solver/qubo", content=body, params=params, headers=headers)


class TestTheProblem:
    def test_the_body_is_the_lower_triangle_each_pair_once(self) -> None:
        body = matrix_market(qubo_of(IsingModel.from_bqm(CUT)))
        lines = body.decode().splitlines()
        assert lines[:3] == ["%%MatrixMarket matrix coordinate real general", "%", "5 5 11"]
        expected = {
            tuple(line.split()[:2]): float(line.split()[2]) for line in SAMPLE.decode().splitlines()[2:]
        }
        assert {tuple(line.split()[:2]): float(line.split()[2]) for line in lines[3:]} == expected

    @pytest.mark.parametrize("bits", list(itertools.product((0, 1), repeat=3)))
    def test_the_values_are_the_energies_less_the_constant(self, bits: tuple[int, ...]) -> None:
        qubo, x = qubo_of(MODEL), np.array(bits)
        state = 2 * x - 1
        by_hand = (
            3.0 + 0.5 * state[0] - 1.25 * state[1] + 0.75 * state[2]
            + 1.5 * state[0] * state[1] - 0.5 * state[0] * state[2] + 0.25 * state[1] * state[2]
        )  # fmt: skip
        matrix = read(matrix_market(qubo))
        assert x @ matrix @ x + qubo.constant == pytest.approx(by_hand, abs=1e-12)

    def test_hdf5_holds_the_same_matrix_dense_and_sparse(self) -> None:

        import h5py

        rng = np.random.default_rng(0)
        full = rng.normal(size=(40, 40)) * (rng.random((40, 40)) < 0.05)
        for matrix, layout in ((full + full.T, "csr"), (np.ones((40, 40)), "dense")):
            np.fill_diagonal(matrix, 0)
            qubo = qubo_of(IsingModel(rng.normal(size=40), matrix))
            expected = read(matrix_market(qubo)).astype(np.float32)
            assert (np.count_nonzero(expected) > SPARSE * 1600) == (layout == "dense")
            with h5py.File(io.BytesIO(hdf5("toshiba-sqbm", qubo))) as root:
                group = root["qubo"]
                assert group["data"].attrs["format"] == layout
                assert group["data"].dtype == np.float32
                if layout == "dense":
                    found = group["data"][:]
                else:
                    parts = (group["data"][:], group["indices"][:], group["indptr"][:])
                    found = sparse.csr_array(parts, shape=(40, 40)).toarray()
            np.testing.assert_array_equal(found, expected)

    def test_what_float32_cannot_hold_is_refused_before_it_is_sent(self) -> None:
        machine = ToshibaSqbm(url=URL)
        with answering(machine), pytest.raises(CapabilityError, match=r"float32.*scale the problem"):
            machine.sample(IsingModel([1e39], [[0.0]]))
        with pytest.raises(CapabilityError, match="float32"):
            machine.check(IsingModel([1.7e308, 0.0], [[0.0, 1.7e308], [1.7e308, 0.0]]))


class TestTheWire:
    def test_a_request_is_what_the_interface_describes(self) -> None:
        machine = ToshibaSqbm(
            url=URL, token=TOKEN, steps=100, loops=2, timeout=1.5, algorithm=15, time_step=0.5
        )
        with answering(machine, httpx.Response(200, json=ANSWER)) as seen:
            machine.sample(CUT, num_reads=3)
        request = seen[0]
        assert request.method == "POST"
        assert str(request.url) == (
            f"{URL}/solver/qubo?steps=100&loops=2&timeout=1.5&maxout=3&algo=15&dt=0.5"
        )
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["content-type"] == "application/octet-stream"
        assert request.content == matrix_market(qubo_of(IsingModel.from_bqm(CUT)))
        # The service may wait for its turn and compute before it says anything.
        assert request.extensions["timeout"]["read"] == pytest.approx(121.5)

    def test_a_recorded_answer_is_read(self) -> None:
        machine = ToshibaSqbm(url=URL)
        with answering(machine, httpx.Response(200, json=ANSWER)) as seen:
            answer = machine.sample(CUT, num_reads=10)
        assert "authorization" not in seen[0].headers
        assert answer.record.sample.tolist() == [[0, 1, 0, 0, 1], [0, 0, 1, 1, 0], [1, 0, 0, 1, 0]]
        assert answer.record.energy.tolist() == [-5.0, -5.0, -4.0]
        stage = answer.info["rapid_ising"]["stages"][0]
        assert stage["counts"] == [100, 59, 1]
        assert stage["runs"] == 160
        assert stage["machine_seconds"] == 0.01
        assert stage["job"] == "r1640998000"
        assert "emulated" not in stage

    def test_one_state_comes_without_others(self) -> None:
        machine = ToshibaSqbm(url=URL)
        short = {key: ANSWER[key] for key in ("value", "result")}
        with answering(machine, httpx.Response(200, json=short)):
            assert len(machine.sample(CUT)) == 1

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"value": -4.5}, "energy"),
            ({"value": "low"}, "Expected `float`"),
            ({"result": [0, 1, 0, 0]}, "different lengths"),
            ({"result": [0, 1, 0, 0, 2]}, "neither 0 nor 1"),
            ({"result": [0, 0, 1, 1, 0]}, "twice"),
            ({"count": 0}, "less than once"),
            ({"result": None}, "Expected `array`"),
        ],
    )
    def test_a_damaged_answer_is_an_error(self, change: dict[str, Any], text: str) -> None:
        machine = ToshibaSqbm(url=URL)
        with (
            answering(machine, httpx.Response(200, json={**ANSWER, **change})),
            pytest.raises(ProtocolError, match=text),
        ):
            machine.sample(CUT, num_reads=3)

    def test_more_states_than_asked_are_an_error(self) -> None:
        machine = ToshibaSqbm(url=URL)
        with (
            answering(machine, httpx.Response(200, json=ANSWER)),
            pytest.raises(ProtocolError, match="2 states were asked and it has 3"),
        ):
            machine.sample(CUT, num_reads=2)

    def test_a_service_that_counts_pairs_twice_shows(self) -> None:
        # All up: the linear terms make -12, and the pairs 12 where each counts once.
        up = {"value": -12.0 + 2 * 12.0, "result": [1, 1, 1, 1, 1], "count": 1}
        machine = ToshibaSqbm(url=URL)
        with answering(machine, httpx.Response(200, json=up)), pytest.raises(ProtocolError, match="energy"):
            machine.sample(CUT)
        up["value"] = -12.0 + 12.0
        with answering(machine, httpx.Response(200, json=up)):
            assert machine.sample(CUT).first.energy == 0.0

    def test_a_lost_answer_is_not_asked_for_again(self) -> None:
        machine = ToshibaSqbm(url=URL)
        with (
            answering(machine, httpx.ReadTimeout("silence")) as seen,
            pytest.raises(UnknownOutcomeError, match="may be with the machine or not"),
        ):
            machine.sample(CUT)
        assert len(seen) == 1

    def test_a_busy_service_is_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "sleep", lambda seconds: None)
        machine = ToshibaSqbm(url=URL)
        busy, done = httpx.Response(503, text="busy"), httpx.Response(200, json=ANSWER)
        with answering(machine, busy, done) as seen:
            machine.sample(CUT, num_reads=3)
        assert len(seen) == 2

    def test_the_token_shows_nowhere(self) -> None:
        machine = ToshibaSqbm(url=URL, token=TOKEN)
        assert TOKEN not in repr(machine)
        refusal = httpx.Response(400, json={"message": f"no such parameter; Bearer {TOKEN}"})
        with answering(machine, refusal), pytest.raises(RejectedError) as caught:
            machine.sample(CUT)
        assert TOKEN not in str(caught.value)
        with answering(machine, httpx.Response(200, json={**ANSWER, "message": TOKEN})):
            assert TOKEN not in json.dumps(machine.sample(CUT, num_reads=3).info)

    def test_an_answer_cannot_be_fetched_later(self) -> None:
        machine = ToshibaSqbm(url=URL)
        with answering(machine, httpx.Response(200, json=ANSWER)):
            job = machine.submit(CUT, num_reads=3)
        assert not job.cancel()
        assert len(job.result()) == 3
        with pytest.raises(JobFailedError, match="cannot be fetched"):
            machine._fetch(None, "r1", None)  # type: ignore[arg-type]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"steps": -1}, "steps"),
            ({"steps": 10**8 + 1}, "steps must be at most"),
            ({"loops": 10**7 + 1}, "loops must be at most"),
            ({"loops": 1.5}, "loops"),
            ({"timeout": 0.0}, "timeout"),
            ({"timeout": 3601}, "timeout"),
            ({"algorithm": 2}, "algorithm must be 15, 20"),
            ({"time_step": 0.0}, "time_step"),
            ({"time_step": 1.5}, "time_step"),
            ({"format": "json"}, "format"),
            ({"url": "sqbm.example"}, "url"),
        ],
    )
    def test_bad_options_are_refused(self, options: dict[str, Any], text: str) -> None:
        with pytest.raises(InvalidParameterError, match=text):
            ToshibaSqbm(**options)

    def test_the_address_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(InvalidParameterError, match="SQBM_URL"):
            ToshibaSqbm().sample(CUT)
        monkeypatch.setenv("SQBM_URL", URL)
        machine = ToshibaSqbm()
        with answering(machine, httpx.Response(200, json=ANSWER)) as seen:
            machine.sample(CUT, num_reads=3)
        assert str(seen[0].url).startswith(URL)

    def test_hdf5_needs_h5py(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[toshiba-sqbm-hdf5\]'"):
            load_backend("toshiba-sqbm", format="hdf5")


class TestTheEmulator:
    def test_it_finds_the_cut_of_the_published_sample(self, service: Running) -> None:
        answer = post(service, maxout=4, steps=200).json()
        assert answer["value"] == -5.0
        assert answer["message"] == "finished"
        found = [answer, *answer["others"]]
        assert [one["value"] for one in found] == sorted(one["value"] for one in found)
        assert sum(one["count"] for one in found) <= answer["runs"] == 20

    def test_a_pair_of_a_symmetric_matrix_counts_twice(self, service: Running) -> None:
        body = SAMPLE.replace(b"general", b"symmetric").replace(b" -3", b" -99").replace(b" -2", b" -99")
        answer = post(service, body, steps=200).json()
        assert answer["result"] == [1, 1, 1, 1, 1]
        assert answer["value"] == -5 * 99 + 2 * 12

    @pytest.mark.parametrize("format", ["matrix-market", "hdf5"])
    @pytest.mark.parametrize("algorithm", [None, 15, 20])
    def test_ground_states_are_found(self, service: Running, format: str, algorithm: int | None) -> None:
        rng = np.random.default_rng(3)
        matrix = np.triu(rng.normal(size=(9, 9)), 1)
        model = IsingModel(rng.normal(size=9), matrix + matrix.T, offset=1.5)
        states = np.array(list(itertools.product((-1, 1), repeat=9)))
        machine = service.machine(format=format, algorithm=algorithm, loops=2)
        answer = machine.sample(model, num_reads=5)
        # All ballistic runs of a small problem may end in one state that is not the lowest.
        limit = np.sort(model.energies(states))[4 if algorithm == 15 else 0]
        assert answer.first.energy <= limit + 1e-4
        assert (np.diff(answer.record.energy) >= -1e-6).all()

    def test_each_refusal(self, service: Running) -> None:
        assert post(service, token="wrong").status_code == 401
        assert post(service, token=None).status_code == 401
        asked: list[tuple[dict[str, Any], str]] = [
            ({"maxouts": 3}, "unknown parameter maxouts"),
            ({"steps": 1.5}, "parameter steps is no number"),
            ({"steps": -1}, "steps is out of range"),
            ({"loops": 10**7 + 1}, "loops is out of range"),
            ({"timeout": 0}, "timeout is out of range"),
            ({"timeout": "nan"}, "timeout is out of range"),
            ({"target": "inf"}, "target is out of range"),
            ({"maxout": 0}, "maxout is out of range"),
            ({"maxout": 1001}, "maxout is out of range"),
            ({"algo": 2}, "algo is out of range"),
            ({"dt": 1.1}, "dt is out of range"),
        ]
        for params, text in asked:
            refusal = post(service, **params)
            assert refusal.status_code == 400, params
            assert text in refusal.json()["message"]
        for body, text in [
            (b"", "neither HDF5 nor"),
            (b"{}", "neither HDF5 nor"),
            (SAMPLE.replace(b"coordinate", b"array"), "neither HDF5 nor"),
            (SAMPLE.replace(b"integer", b"complex"), "neither HDF5 nor"),
            (SAMPLE.replace(b"5 5 11", b"5 6 11"), "not square"),
            (SAMPLE.replace(b"5 5 11", b"5 5 12"), "cannot be read"),
            (SAMPLE.replace(b"5 5 -2", b"6 5 -2"), "cannot be read"),
            (SAMPLE.replace(b"5 5 -2", b"5 5 x"), "cannot be read"),
            (SAMPLE.replace(b"integer", b"real").replace(b"5 5 -2", b"5 5 1e39"), "not finite"),
            (SAMPLE.replace(b"integer", b"real").replace(b"5 5 -2", b"5 5 nan"), "not finite"),
            (SAMPLE.replace(b"5 5 11", b"20000 20000 11"), "holds 10000 variables"),
            (b"\x89HDF\r\n\x1a\nnonsense", "HDF5 file cannot be read"),
        ]:
            refusal = post(service, body)
            assert refusal.status_code == 400, body
            assert text in refusal.json()["message"], body
        assert httpx.get(service.url + "/solver/qubo").status_code == 405
        assert httpx.post(service.url + "/solver/ising", content=SAMPLE).status_code == 404
        assert service.state()["accepted"] == []

    def test_a_machine_of_ones_own_may_ask_for_no_token(self) -> None:
        with emulate("toshiba-sqbm", runs=5, secured=False) as service:
            assert httpx.get(service.url + "/healthcheck").status_code == 200
            assert httpx.get(service.url + "/version").json() == {"version": "2.1.0"}
            assert len(ToshibaSqbm(url=service.url).sample(CUT)) == 1

    def test_a_wrong_token_is_told(self, service: Running) -> None:
        with pytest.raises(AuthenticationError, match="refuses the token"):
            ToshibaSqbm(url=service.url, token="wrong").sample(CUT)

    def test_the_same_job_gives_the_same_in_every_run(self) -> None:
        def asked() -> list[dict[str, Any]]:
            with emulate("toshiba-sqbm", runs=8) as service:
                return [post(service, maxout=3).json() for _ in range(2)]

        assert asked() == asked()

    @pytest.mark.parametrize(
        "kind", ["wrong-types", "missing-variables", "nan-energies", "duplicated-rows", "truncated"]
    )
    def test_spoiled_answers_are_errors(self, kind: str) -> None:
        with running("toshiba-sqbm", Faults({kind: 1.0})) as (machine, service):
            with pytest.raises(ProtocolError):
                machine.sample(CUT, num_reads=20, deadline=30)
            assert service.state()["faults"] == {kind: 1}
            assert len(service.state()["accepted"]) == 1

    @pytest.mark.parametrize(
        "kind", ["job-failed", "deleted", "500", "disconnect-before", "disconnect-after"]
    )
    def test_what_nobody_knows_is_said_and_not_sent_again(self, kind: str) -> None:
        with running("toshiba-sqbm", Faults({kind: 1.0})) as (machine, service):
            with pytest.raises(UnknownOutcomeError):
                machine.sample(CUT, deadline=30)
            assert service.state()["faults"] == {kind: 1}

    def test_a_job_that_never_finishes_ends_at_the_deadline(self) -> None:
        with (
            running("toshiba-sqbm", Faults({"never-finishes": 1.0})) as (machine, _),
            pytest.raises((UnknownOutcomeError, DeadlineExceededError)),
        ):
            machine.sample(CUT, deadline=0.5)

    def test_the_value_of_nothing_is_zero(self, service: Running) -> None:
        answer = service.machine().sample(IsingModel([0.0, 0.0], np.zeros((2, 2))), num_reads=4)
        assert 1 <= len(answer) <= 4
        assert math.isclose(answer.first.energy, 0.0)
