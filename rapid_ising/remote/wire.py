"""Typed structures on the wire, and answers held against the problem that was sent."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from rapid_ising.errors import ProtocolError
from rapid_ising.ising import IsingModel
from rapid_ising.typing import States

T = TypeVar("T")
CLOSE = 1e-5
"""How far a reported energy may be off, as a share of the sum of all coefficients: float32 machines."""


def encoded(value: Any) -> bytes:
    """Return a structure as JSON."""
    return msgspec.json.encode(value)


def decoded(machine: str, body: bytes, kind: type[T]) -> T:
    """Return the structure that a body of JSON holds.

    Raises
    ------
    ProtocolError
        If it is no JSON, or of other types or names; the message says where.

    Examples
    --------
    >>> decoded("demo", b'{"a": 1}', dict[str, int])
    {'a': 1}
    >>> decoded("demo", b'{"a": ', dict[str, int])
    Traceback (most recent call last):
        ...
    rapid_ising.errors.ProtocolError: demo answers what its document does not allow: Input data was truncated
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = str(error)
    # Not from where it is caught, and with neither the answer nor a value of it: it may hold what was sent.
    del body
    raise broken(machine, re.sub("(?s)value '.*'", "value", said))


def broken(machine: str, what: str) -> ProtocolError:
    """Return the error of an answer that cannot be one."""
    return ProtocolError(f"{machine} answers what its document does not allow: {what}")


def rows_of_spins(machine: str, rows: Any, spins: int, *, bits: bool = False) -> States:
    """Return rows of -1 and +1, or of 0 and 1 turned into them, each of so many spins.

    Raises
    ------
    ProtocolError
        If they are anything else.
    """
    try:
        array = np.asarray(rows)
    except ValueError:
        raise broken(machine, "its rows of spins have different lengths") from None
    if array.ndim != 2 or array.shape[1] != spins or array.dtype.kind not in "iub":
        raise broken(machine, f"rows of {spins} spins were asked, and it has {array.dtype} of {array.shape}")
    if not np.isin(array, (0, 1) if bits else (-1, 1)).all():
        raise broken(machine, f"a spin is neither {'0 nor 1' if bits else '-1 nor 1'}")
    return np.where(array == 1, 1, -1).astype(np.int8)


def check_energies(
    machine: str, sent: IsingModel, states: States, reported: npt.ArrayLike, *, offset: bool = True
) -> None:
    """Raise unless each reported energy is that of its state in the model that was sent.

    ``offset`` says whether the offset was sent with it.

    An answer to another problem, columns in another order or bits that changed on their way show here.
    """
    try:
        energies = np.asarray(reported, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise broken(machine, "its energies are no numbers") from None
    if energies.shape != (len(states),):
        raise broken(machine, f"{len(states)} states and energies of shape {energies.shape}")
    if not np.isfinite(energies).all():
        raise broken(machine, "an energy is not finite")
    own = sent.energies(states) - (0.0 if offset else sent.offset)
    size = abs(sent.offset) + float(np.abs(sent.fields).sum()) + float(np.abs(sent.couplings.values()).sum())
    far = np.abs(energies - own) > CLOSE * max(1.0, size)
    if far.any():
        place = int(np.argmax(far))
        raise broken(
            machine,
            f"it says energy {energies[place]:.8g} for a state whose energy is {own[place]:.8g} "
            f"({int(far.sum())} of {len(far)} states)",
        )
