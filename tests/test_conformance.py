"""The shipped suite, on every machine that an entry point registers and on wrapped dimod samplers."""

from __future__ import annotations

import dataclasses
import unittest
from collections.abc import Mapping
from typing import Any, ClassVar, final

import dimod
import dimod.testing
import networkx as nx
import numpy as np
import pytest
from adapters import LOCAL
from dwave.samplers import SimulatedAnnealingSampler, SteepestDescentSampler, TabuSampler

import rapid_ising as ri
from rapid_ising.errors import CapabilityError
from rapid_ising.testing import BackendConformance
from rapid_ising.typing import States

FEWER_READS = {"path-integral": 1000, "simulated-tempering": 2000, "wang-landau": 2000}
"""Machines that take a second or more for the reads of a law."""


class TestEntryPoints(BackendConformance):
    """A new machine is in this list as soon as it is installed."""

    @pytest.fixture(params=LOCAL)
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        request.instance.num_reads = FEWER_READS.get(request.param, BackendConformance.num_reads)
        return ri.load_backend(request.param)


class TestWrappedSamplers(BackendConformance):
    """Samplers of unknown temperature: held to the interface, the limits and the energies."""

    @pytest.fixture(
        params=[
            (dimod.ExactSolver, {}),
            (SteepestDescentSampler, {}),
            # A search this short ends long before its time-out, so that a seed fixes it.
            (TabuSampler, {"num_restarts": 0, "lower_bound_z": 100, "coefficient_z_first": 100}),
        ],
        ids=lambda param: param[0].__name__,
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        sampler, parameters = request.param
        return ri.WrappedSampler(sampler(), parameters=parameters)


class TestWrappedAtAStatedTemperature(BackendConformance):
    """A sampler whose parameters make a stated temperature true is held to the distribution."""

    @pytest.fixture(
        params=[
            (np.full(300, 1.5), 1.5, True),
            (np.r_[np.linspace(0, 1, 800), np.ones(200)], 1.0, False),
        ],
        ids=["constant", "ramp-and-hold"],
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        schedule, beta, keeps_states = request.param
        return ri.WrappedSampler(
            SimulatedAnnealingSampler(),  # type: ignore[no-untyped-call]
            parameters={
                "beta_schedule_type": "custom",
                "beta_schedule": schedule,
                "proposal_acceptance_criteria": "Gibbs",
            },
            beta=beta,
            initial_states=keeps_states,
        )


@final
@dataclasses.dataclass(frozen=True)
class Limited(ri.LocalBackend):
    """The exact law behind the limits of a small machine."""

    name: ClassVar[str] = "limited"

    capabilities: ri.Capabilities

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng), {}


class TestLimitedMachines(BackendConformance):
    """Machines that claim limits are held to the law within them."""

    @pytest.fixture(
        params=[
            ri.Capabilities(
                max_variables=5,
                fields=False,
                coupling_range=(-2, 2),
                integer_coefficients=True,
                max_reads=1500,
                max_beta=10.0,
                seedable=False,
            ),
            ri.Capabilities(topology=nx.cycle_graph(5), field_range=(-1, 0.5)),
        ],
        ids=["whole-numbers", "ring"],
    )
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return Limited(request.param)


@pytest.mark.parametrize("name", LOCAL)
def test_dimods_own_tests(name: str) -> None:
    """Where the machine has no limits: their labels and coefficients are beyond any."""
    widest = dimod.BinaryQuadraticModel({"a": 6.5}, {("a", 0): -3.0, (0, "c"): 105.0}, "SPIN")
    try:
        ri.load_backend(name).check(widest)
    except CapabilityError as limit:
        pytest.skip(f"not applicable: {limit}")

    @dimod.testing.load_sampler_bqm_tests(ri.as_dimod_sampler(name))
    class Case(unittest.TestCase):
        pass

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun > 20
    assert result.wasSuccessful(), result.errors + result.failures
