"""A small request to each hardware service whose token is in the environment: ``pytest -m live``.

It costs a few seconds of the machine, and is left out of every other run.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.remote import RemoteMachine

VARIABLES = {
    "amplify-ae": ("AMPLIFY_TOKEN",),
    "cim": ("CIM_GATEWAY_URL", "CIM_GATEWAY_TOKEN"),
    "dirac-3": ("QCI_TOKEN",),
    "dwave": ("DWAVE_API_TOKEN",),
    "fujitsu-da": ("FUJITSU_DA_API_KEY",),
    "hitachi-cmos": ("HITACHI_CMOS_TOKEN",),
    "leap-hybrid": ("DWAVE_API_TOKEN",),
    "toshiba-sqbm": ("SQBM_URL",),
}
"""What each service needs to be asked."""
MODEL = ri.IsingModel([1.0, 0.0, 0.0], [[0, -2, 0], [-2, 0, 2], [0, 2, 0]])
"""Its ground state is -1, -1, +1, at energy -5; every other state is at -3 or above."""


@pytest.mark.live
@pytest.mark.parametrize("name", VARIABLES)
def test_a_model_of_three_spins(name: str) -> None:
    missing = [variable for variable in VARIABLES[name] if not os.environ.get(variable)]
    if missing:
        pytest.skip(f"no account: {' and '.join(missing)} not set")
    machine = ri.load_backend(name)
    chain = ri.prepare(machine, MODEL, num_reads=10, beta=2.0)
    found = chain.sample(MODEL, num_reads=10, beta=2.0, deadline=600.0)
    print(f"{name}: {found.info['rapid_ising']['stages']}")
    np.testing.assert_allclose(found.record.energy, MODEL.energies(found.record.sample))
    assert 1 <= len(found) <= 10
    # Of ten reads at beta = 2 all but one in a hundred thousand runs have the ground state among them.
    assert found.first.energy == -5


def test_every_service_is_here() -> None:
    remote = {name for name in ri.available_backends() if isinstance(loaded(name), RemoteMachine)}
    assert remote <= set(VARIABLES)


def test_the_ground_state_is_what_it_says() -> None:
    exact = ri.load_backend("exact").sample(MODEL, num_reads=1, beta=float("inf"), seed=0)
    assert exact.record.sample.tolist() == [[-1, -1, 1]]
    assert exact.first.energy == -5


def loaded(name: str) -> ri.Backend | None:
    try:
        return ri.load_backend(name)
    except ri.errors.MissingDependencyError:
        return None
