"""Texts that must show nowhere: tokens."""

from __future__ import annotations

import hmac
import os
import re
from typing import Any, final

from rapid_ising.errors import InvalidParameterError

HIDDEN = "***"
SHORT = 4
"""The characters below which a secret is hidden as a word of its own only: its letters are in other words."""
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


@final
class Secret:
    """A text that no repr, log, error or record shows; ``reveal`` is the only way to it.

    Examples
    --------
    >>> Secret("swordfish"), f"{Secret('swordfish')}"
    (***, '***')
    """

    __slots__ = ("__weakref__", "_text")

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
        r"""Return a text without the secret, escaped for JSON, a URL, HTML or Python as it may be there.

        >>> Secret("swordfish").hidden_in("no swordfish here")
        'no *** here'
        >>> Secret('a"b').hidden_in(r'no a\"b and no a%22b')
        'no *** and no ***'
        """
        if not self._text:
            return text
        parts = re.findall(" +|.", self._text, re.DOTALL)
        pattern = "".join(map(_written, parts))
        if len(self._text) < SHORT:
            pattern = rf"(?<![^\W_])(?:{pattern})(?![^\W_])"
        return re.sub(pattern, lambda match: HIDDEN, text)


def _written(c: str) -> str:
    """Return a pattern for the ways in which a character, or a number of spaces, is written."""
    if c.startswith(" "):
        return r"(?:\s|%20|\+)+"
    if c.isalnum():
        return c
    code = f"{ord(c):02x}"
    ways = [rf"\\*{re.escape(c)}", f"(?i:%{code})", rf"(?i:\\+(?:u00|x){code})"]
    ways += [f"&#0*{ord(c)};", f"(?i:&#x0*{code};)"]
    ways += [NAMED[c]] if c in NAMED else []
    return f"(?:{'|'.join(ways)})"


def token_from(machine: str, given: str | Secret | None, *variables: str) -> Secret | None:
    """Return the token that was given, else that of the first environment variable that is set, else None.

    Raises
    ------
    InvalidParameterError
        If the token is no text, or has characters that no header can hold.
    """
    if isinstance(given, Secret):
        found: Any = given.reveal()
    else:
        found = given or next((os.environ[name] for name in variables if os.environ.get(name)), None)
    if found is None:
        return None
    if not isinstance(found, str):
        raise InvalidParameterError(f"the token of {machine} must be text, not {type(found).__name__}")
    found = found.strip()
    if not found.isascii() or not found.isprintable() or not found:
        raise InvalidParameterError(
            f"the token of {machine} has characters that no token has, such as a line break: copy it again"
        )
    return given if isinstance(given, Secret) and given.reveal() == found else Secret(found)
