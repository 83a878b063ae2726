"""Dirac-3 through the vendor's real client, over a socket to the emulator.

They run in an environment of its own, which ``MissingDependencyError`` explains::

    pip install 'rapid-ising[dirac-3,emulators,testing]' hypothesis
    pip install --no-deps 'qci-client>=5'
    pytest tests/test_dirac_3_client.py
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import dimod
import numpy as np
import pytest

pytest.importorskip(
    "qci_client",
    reason="qci-client is not installed: it asks for networkx<3, see tests/test_dirac_3_client.py",
)

from rapid_ising import Backend, IsingModel
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    JobFailedError,
    ProtocolError,
    RapidIsingError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import transport
from rapid_ising.testing import BackendConformance
from rapid_ising_backends.dirac_3 import Dirac3
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running

ASKED = dimod.BinaryQuadraticModel({0: 1.0, 1: 2.0, 2: 0.0}, {(1, 2): -4.0}, 3.0, "BINARY")
# requests keeps its connections until it is collected.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def service() -> Iterator[Running]:
    with emulate("dirac-3") as found:
        yield found


class TestConformance(BackendConformance):
    @pytest.fixture
    def backend(self, service: Running) -> Backend:
        return service.machine()


def test_ground_states_are_found_and_said_to_be_emulated(service: Running) -> None:
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(8, 8)), 1)
    model = IsingModel(rng.normal(size=8), matrix + matrix.T, offset=1.5)
    answer = service.machine().sample(model, num_reads=100, deadline=60)
    assert len(answer) == 100
    lowest = model.energies(list(itertools.product((-1, 1), repeat=8))).min()
    assert answer.first.energy == pytest.approx(lowest)
    assert answer.info["rapid_ising"]["stages"][0]["emulated"] == "dirac-3"


def test_a_polynomial_in_many_parts_arrives_whole(service: Running) -> None:
    # The client cuts files into parts of 10000 terms.
    n = 160
    rng = np.random.default_rng(2)
    matrix = np.triu(rng.normal(size=(n, n)), 1)
    answer = service.machine().sample(IsingModel(np.zeros(n), matrix + matrix.T), num_reads=2, deadline=60)
    assert answer.first.energy < -n


def test_a_wrong_token_is_told_and_not_shown(service: Running) -> None:
    with pytest.raises(AuthenticationError, match="refuses the token") as caught:
        Dirac3(url=service.url, token="canary-0f0f").sample(ASKED, deadline=30)
    assert "canary-0f0f" not in str(caught.value)


def test_a_job_can_be_cancelled(service: Running) -> None:
    job = service.machine().submit(ASKED, num_reads=2)
    assert job.cancel()
    with pytest.raises(JobFailedError, match="cancelled"):
        job.result()
    assert service.state()["open"] == []


def test_a_job_that_never_finishes_is_cancelled_at_the_deadline() -> None:
    with emulate("dirac-3", faults=Faults({"never-finishes": 1.0})) as service:
        with pytest.raises(DeadlineExceededError):
            service.machine().sample(ASKED, deadline=1.0)
        assert service.state()["open"] == []
        assert len(service.state()["accepted"]) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("401", AuthenticationError),
        ("403", AuthenticationError),
        ("404", RejectedError),
        ("429", BackendError),
        ("500", BackendError),
        ("503", BackendError),
        ("disconnect-before", BackendError),
        ("disconnect-after", BackendError),
        ("truncated", BackendError),
        ("job-failed", JobFailedError),
        ("deleted", RejectedError),
        ("wrong-types", ProtocolError),
        ("missing-variables", ProtocolError),
        ("nan-energies", RapidIsingError),
        ("duplicated-rows", ProtocolError),
    ],
)
def test_what_always_goes_wrong_is_a_clear_error(
    kind: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "sleep", lambda seconds: None)
    with emulate("dirac-3", faults=Faults({kind: 1.0})) as service:
        with pytest.raises(error):
            service.machine().sample(ASKED, num_reads=3, deadline=30)
        assert service.state()["faults"][kind] >= 1
        assert len(service.state()["accepted"]) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_what_now_and_then_goes_wrong_ends_in_an_answer_or_an_error_and_no_second_job(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "sleep", lambda seconds: None)
    kinds = ("429", "500", "503", "disconnect-before", "disconnect-after", "truncated", "slow")
    with emulate("dirac-3", faults=Faults(dict.fromkeys(kinds, 0.04), seed)) as service:
        try:
            answer = service.machine().sample(ASKED, num_reads=3, deadline=60)
        except (BackendError, UnknownOutcomeError):
            pass
        else:
            assert len(answer) == 3
            assert answer.first.energy == 1.0
        assert len(service.state()["accepted"]) <= 1
