"""The conformance suite: one pytest class, held to what the backend claims."""

from __future__ import annotations

import pytest

from rapid_ising.backend import Backend
from rapid_ising.testing.distribution import Distribution
from rapid_ising.testing.interface import Interface
from rapid_ising.testing.limits import Limits


class BackendConformance(Interface, Limits, Distribution):
    """Every law of the seam, as tests of the machine that the fixture ``backend`` returns.

    Each test is one law, said in its docstring, and each law depends only on ``backend.capabilities``: what a
    backend does not claim is skipped, with the capability in the reason. A backend that claims a settable
    temperature is held to the Boltzmann law itself, by total variation to brute-force enumeration. Its reads
    must then be independent: thin the reads of a chain before they are returned.

    Give ``num_reads`` in the subclass to hold a slow or costly machine to fewer reads; the tolerance widens
    accordingly.
    """

    @pytest.fixture
    def backend(self) -> Backend:
        """Return the machine under test; subclasses give it."""
        pytest.fail("give the fixture `backend` in your subclass of BackendConformance")
