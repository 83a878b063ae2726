"""The exchangeable parts of a training, each by name or as an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rapid_ising.errors import InvalidParameterError, UnknownNameError

Part = TypeVar("Part")


def as_part(kind: str, given: Any, base: type[Any], known: Mapping[str, Callable[[], Part]]) -> Part:
    """Return ``given`` when it is a ``base``, or the part of that name.

    Examples
    --------
    >>> as_part("number", "one", int, {"one": lambda: 1})
    1
    """
    if isinstance(given, base):
        part: Part = given
        return part
    if isinstance(given, str):
        if given not in known:
            raise UnknownNameError.among(kind, given, known)
        return known[given]()
    found = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    raise InvalidParameterError(
        f"{kind} must be one of the names {', '.join(known) or 'none'}, or of the class {base.__name__}, "
        f"not {found}"
    )
