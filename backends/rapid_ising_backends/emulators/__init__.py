"""Loopback servers that speak each vendor's protocol, strictly, with faults on demand; extra ``emulators``.

An emulator is not the machine: it shows that an adapter keeps to the document, and what a run would ask. Its
answers come from a digital twin and say so.

Examples
--------
>>> from rapid_ising_backends.emulators import available_emulators
>>> "hitachi-cmos" in available_emulators()
True
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rapid_ising.errors import MissingDependencyError, UnknownNameError, UnknownOptionError

if TYPE_CHECKING:
    from rapid_ising_backends.emulators.emulator import Emulator
    from rapid_ising_backends.emulators.faults import Faults
    from rapid_ising_backends.emulators.server import Running

EMULATORS: Mapping[str, str] = {
    "amplify-ae": "amplify_ae:AmplifyAeEmulator",
    "cim": "cim:CimEmulator",
    "dirac-3": "dirac_3:Dirac3Emulator",
    "dwave": "dwave:DwaveEmulator",
    "fujitsu-da": "fujitsu_da:FujitsuDaEmulator",
    "hitachi-cmos": "hitachi_cmos:HitachiCmosEmulator",
    "leap-hybrid": "leap_hybrid:LeapHybridEmulator",
    "toshiba-sqbm": "toshiba_sqbm:ToshibaSqbmEmulator",
}
"""The module and class of each machine's emulator."""


def available_emulators() -> list[str]:
    """Return the names of the machines that can be emulated."""
    return sorted(EMULATORS)


def emulator_class(name: str) -> type[Emulator]:
    """Return the class of a machine's emulator."""
    if name not in EMULATORS:
        raise UnknownNameError.among("emulator", name, EMULATORS)
    module, kind = EMULATORS[name].split(":")
    try:
        importlib.import_module("uvicorn")
        importlib.import_module("starlette")
    except ImportError as error:
        raise MissingDependencyError(
            f"the emulator of {name} needs starlette and uvicorn, not installed here: "
            "pip install 'rapid-ising[emulators]'"
        ) from error
    found: type[Emulator] = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    return found


def emulator_options(kind: type[Emulator]) -> list[str]:
    """Return the names of an emulator's options: those of its class, and of what it passes others on to.

    >>> emulator_options(emulator_class("hitachi-cmos"))
    ['expired', 'faults', 'port', 'seed', 'token', 'twin']
    """
    from rapid_ising_backends.emulators.emulator import Emulator

    parts = [part for part in inspect.getmro(kind) if issubclass(part, Emulator)]
    found = [one for part in (*parts, *kind.passed_on) for one in inspect.signature(part).parameters.values()]
    return sorted({"port", "seed", *(one.name for one in found if one.kind is not one.VAR_KEYWORD)})


@contextlib.contextmanager
def emulate(
    name: str, *, faults: Faults | str | None = None, seed: int = 0, port: int = 0, **options: Any
) -> Iterator[Running]:
    """Run the emulator of a machine in a thread of this process for as long as the block lasts.

    Parameters
    ----------
    name
        The machine.
    faults
        What goes wrong: Faults, or a text such as "429:0.2,slow:0.1".
    seed
        That of the faults in a text.
    port
        The port; 0 takes a free one.
    **options
        Those of the emulator's class.

    Raises
    ------
    UnknownOptionError
        If it has no such option.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> with emulate("fujitsu-da") as running:
    ...     answer = running.machine().sample(IsingModel([1.0], [[0.0]]), beta=float("inf"))
    >>> int(answer.first.sample[0])
    -1
    """
    kind = emulator_class(name)
    known = emulator_options(kind)
    if not set(options) <= set(known):
        raise UnknownOptionError.among(f"the emulator of {name}", options, known)
    from rapid_ising_backends.emulators.faults import parsed
    from rapid_ising_backends.emulators.server import serve

    if isinstance(faults, str):
        faults = parsed(faults, seed)
    emulator = kind(faults=faults, **options)
    with serve(emulator, port=port) as running:
        yield running
