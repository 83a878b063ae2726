"""Tests that every machine passes, shipped so that a machine from outside is held to the same law.

Subclass ``BackendConformance``, give the fixture ``backend``, and run pytest::

    class TestMine(BackendConformance):
        @pytest.fixture
        def backend(self):
            return Mine()
"""

# ruff: noqa: E402 - the check for pytest and the rewriting of asserts come before the modules that need them
from rapid_ising.errors import MissingDependencyError

try:
    import pytest
except ImportError as error:
    raise MissingDependencyError(
        "rapid_ising.testing needs pytest, not installed here: pip install 'rapid-ising[testing]'"
    ) from error

# Before the modules are imported, so that their bare asserts explain themselves to outsiders too.
pytest.register_assert_rewrite(
    "rapid_ising.testing.distribution",
    "rapid_ising.testing.interface",
    "rapid_ising.testing.limits",
    "rapid_ising.testing.reads",
)

from rapid_ising.testing.conformance import BackendConformance as BackendConformance
from rapid_ising.testing.models import REFERENCE_MODELS as REFERENCE_MODELS
from rapid_ising.testing.models import ReferenceModel as ReferenceModel
from rapid_ising.total_variation import tolerance as tolerance
from rapid_ising.total_variation import total_variation as total_variation
