"""Texts that must show nowhere: tokens."""

from __future__ import annotations

import hmac
import os
from typing import Any, final

from rapid_ising.errors import InvalidParameterError

HIDDEN = "***"


@final
class Secret:
    """A text that no repr, log, error or record shows; ``reveal`` is the only way to it.

    Examples
    --------
    >>> Secret("swordfish"), f"{Secret('swordfish')}"
    (***, '***')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the header of a request."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> Any:
        raise InvalidParameterError("a secret is written nowhere: give it by the environment")

    def hidden_in(self, text: str) -> str:
        """Return a text without the secret.

        >>> Secret("swordfish").hidden_in("no swordfish here")
        'no *** here'
        """
        return text.replace(self._text, HIDDEN) if self._text else text


def token_from(machine: str, given: str | Secret | None, *variables: str) -> Secret | None:
    """Return the token that was given, else that of the first environment variable that is set, else None.

    Raises
    ------
    InvalidParameterError
        If the token has characters that no header can hold.
    """
    if isinstance(given, Secret):
        return given
    found = given or next((os.environ[name] for name in variables if os.environ.get(name)), None)
    if found is None:
        return None
    found = found.strip()
    if not found.isascii() or not found.isprintable() or not found:
        raise InvalidParameterError(
            f"the token of {machine} has characters that no token has, such as a line break: copy it again"
        )
    return Secret(found)
