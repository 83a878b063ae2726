"""Pages of documentation with a part that is written by code, between two marker lines."""

from __future__ import annotations

from rapid_ising.errors import InvalidDataError


def with_part(text: str, begin: str, end: str, part: str) -> str:
    r"""Return ``text`` with ``part`` put between its two marker lines.

    Raises
    ------
    InvalidDataError
        If the text does not have each marker once, the first one first.

    Examples
    --------
    >>> with_part("above\n<a>old<b>\nbelow", "<a>", "<b>", "new")
    'above\n<a>\n\nnew\n\n<b>\nbelow'
    """
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed) or begin in rest or end in before + after:
        raise InvalidDataError(
            f"a page with a part that code writes needs one line {begin!r}, then one {end!r}"
        )
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"
