"""Emulators of services by name: modules that entry points of the group ``rapid_ising.emulators`` name."""

from __future__ import annotations

import contextlib
import importlib.metadata as metadata
from collections.abc import Iterator
from typing import Any, Protocol

from rapid_ising.errors import UnknownNameError

GROUP = "rapid_ising.emulators"


class Service(Protocol):
    """An emulator that is running."""

    name: str
    url: str
    token: str


class Emulators(Protocol):
    """A module of emulators."""

    def available_emulators(self) -> list[str]:
        """Return the names of the machines that it can emulate."""

    def emulate(self, name: str, **options: Any) -> contextlib.AbstractContextManager[Service]:
        """Run an emulator for as long as the block lasts."""


def emulators() -> dict[str, Emulators]:
    """Return the module of each machine that can be emulated, by name.

    >>> "hitachi-cmos" in emulators()
    True
    """
    modules: list[Emulators] = [entry.load() for entry in metadata.entry_points(group=GROUP)]
    return {name: module for module in modules for name in module.available_emulators()}


@contextlib.contextmanager
def emulated(name: str, **options: Any) -> Iterator[Service]:
    """Run the emulator of a machine for as long as the block lasts.

    Raises
    ------
    UnknownNameError
        If nothing emulates the machine.
    MissingDependencyError
        If the packages of the emulator are not installed.
    """
    known = emulators()
    if name not in known:
        raise UnknownNameError.among("emulator", name, known)
    with known[name].emulate(name, **options) as service:
        yield service
