"""What a report is made of: headings, sentences, tables and pictures."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TypeAlias, final

from rapid_ising.errors import InvalidParameterError

NUMBER = re.compile(r"[<>~≤≥]?\s?[-−+]?(\.?\d|∞)")
"""How a cell that is read as a number begins."""
PNG = b"\x89PNG"
"""How the bytes of a PNG begin."""


@final
@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the page."""

    text: str
    level: int = 2


@final
@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph; what stands between backticks is code."""

    text: str


@final
@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells under their columns, all of them text.

    Raises
    ------
    InvalidParameterError
        If a row has another number of cells than there are columns.

    Examples
    --------
    >>> Table(["method", "distance"], [["RAPID", "0.02"]]).numeric
    (False, True)
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InvalidParameterError(
                    f"a table of {len(self.columns)} columns has a row of {len(row)} cells: {list(row)}"
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, which stand to the right."""
        return tuple(
            any(cells) and all(NUMBER.match(cell) or cell in ("", "-") for cell in cells)
            for cells in ([row[column] for row in self.rows] or [""] for column, _ in enumerate(self.columns))
        )


@final
@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture: the name of its file, the bytes of it, and what it shows for those who cannot see it.

    A PNG has a white ground and a line of its own; an SVG takes on the theme of the page, and stands beside
    the next where there is room.
    """

    name: str
    image: bytes = dataclasses.field(repr=False)
    alt: str
    caption: str = ""

    @property
    def kind(self) -> str:
        """The kind of the image, which is also how the name of its file ends: png or svg."""
        return "png" if self.image.startswith(PNG) else "svg"


Element: TypeAlias = Heading | Text | Table | Picture
"""One part of a page."""
