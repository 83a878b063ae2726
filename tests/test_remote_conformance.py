"""The shipped suite on every adapter of a service, over a socket to its emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adapters import ADAPTERS, running

import rapid_ising as ri
from rapid_ising.testing import BackendConformance


@pytest.fixture(scope="module", params=ADAPTERS)
def service(request: pytest.FixtureRequest) -> Iterator[ri.Backend]:
    """One service for all tests of a machine: its answers do not depend on other jobs."""
    with running(request.param) as (machine, _):
        yield machine


class TestAdapters(BackendConformance):
    @pytest.fixture
    def backend(self, service: ri.Backend) -> ri.Backend:
        return service


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_is_registered_and_says_what_it_is(name: str) -> None:
    facts = ri.load_backend(name).published
    assert facts.remote
    assert facts.tested == "contract-tested, not yet run on hardware"
    assert not facts.seedable


@pytest.mark.parametrize("name", ADAPTERS)
# Four reads do not tell the temperature of a machine that has one of its own.
@pytest.mark.filterwarnings("ignore::rapid_ising.notices.CalibrationWarning")
def test_answers_say_that_they_are_emulated(name: str) -> None:
    model = ri.PatternRBM(n_visible=3, n_hidden=3, n_patterns=2, seed=0)
    with running(name) as (machine, _):
        answer = ri.prepare(machine, model, num_reads=4, show=False).sample(model.ising(), num_reads=4)
    assert "emulated" in repr(answer.info["rapid_ising"]["stages"])
