"""The adapters of hardware services, each with what its emulator is small enough for."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import rapid_ising as ri
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.server import Running


@dataclasses.dataclass(frozen=True)
class Adapter:
    """Options of a machine and of its emulator, for tests."""

    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    emulator: Mapping[str, Any] = dataclasses.field(default_factory=dict)


ADAPTERS: Mapping[str, Adapter] = {
    # Strong feedback, so that few runs find a ground state.
    "cim": Adapter(emulator={"round_trips": 300, "noise": 0.2, "feedback": 0.5}),
    # Every pair coupled, so that the suite's own problems fit.
    "dwave": Adapter(emulator={"topology": "complete", "size": 8}),
    "fujitsu-da": Adapter(),
    "hitachi-cmos": Adapter({"size": 16}),
    "leap-hybrid": Adapter(),
    "amplify-ae": Adapter(emulator={"iterations": 20}),
    "toshiba-sqbm": Adapter(emulator={"runs": 20}),
}
SEPARATE = ("dirac-3",)
"""Machines whose client cannot be in the environment of the tests."""
HEAVY = {"simulated-bifurcation": "simulated_bifurcation"}
"""Local machines whose package, with PyTorch, is too large for the environment of the tests: its module."""
LOCAL = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in HEAVY and importlib.util.find_spec(HEAVY[name]) is None,
            reason=f"{name} is not installed: pip install 'rapid-ising[{name}]'",
        ),
    )
    for name in ri.available_backends()
    if name not in (*ADAPTERS, *SEPARATE)
]


@contextlib.contextmanager
def running(name: str, faults: Faults | None = None, **options: Any) -> Iterator[tuple[ri.Backend, Running]]:
    """Run an emulator; yield the machine that asks it, and the emulator."""
    adapter = ADAPTERS[name]
    with emulate(name, faults=faults, **adapter.emulator) as service:
        yield service.machine(**{**adapter.options, **options}), service
