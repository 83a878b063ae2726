"""Reports: what they hold, that they need nothing else, and that no text becomes markup."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from rapid_ising.errors import InvalidParameterError
from rapid_ising.report import Element, Heading, Picture, Table, Text, html, markdown

PNG = b"\x89PNG\r\n\x1a\n and the rest"
PAGE: list[Element] = [
    Heading("A <page>", 1),
    Text("Given by `x < 1` & more."),
    Heading("Part"),
    Table(["method", "E | F"], [["a_b", "-1.5"], ["c*d", "-"]], "Energies"),
    Heading("Part"),
    Picture("curve", PNG, "A curve", "It falls."),
]


class Tags(HTMLParser):
    """Collects the tags of a page, and fails where one is not closed."""

    VOID = frozenset({"meta", "img", "!doctype"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    assert not parser.open
    return parser.seen


def test_the_html_is_well_formed_and_asks_for_nothing_outside() -> None:
    seen = tags(html(PAGE))
    links = [value for _, attributes in seen for name, value in attributes.items() if name in ("src", "href")]
    assert links
    assert all(link is not None and link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not {"script", "link"} & {tag for tag, _ in seen}
    assert "url(" not in html(PAGE)
    assert "@import" not in html(PAGE)


def test_the_html_suits_phones_and_dark_rooms() -> None:
    page = html(PAGE)
    assert 'name="viewport" content="width=device-width' in page
    assert "prefers-color-scheme: dark" in page


def test_headings_of_one_name_have_anchors_of_their_own() -> None:
    seen = tags(html(PAGE))
    anchors = [attributes["id"] for tag, attributes in seen if tag == "h2"]
    assert len({*anchors}) == 2
    assert [attributes["href"] for tag, attributes in seen if tag == "a"] == [f"#{name}" for name in anchors]


def test_a_picture_is_in_the_html_and_beside_the_markdown() -> None:
    (source,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html(PAGE))
    assert base64.b64decode(source) == PNG
    assert "![A curve](pictures/curve.png)\n\nIt falls." in markdown(PAGE, "pictures")


def test_text_never_becomes_markup() -> None:
    assert '<h1 id="a-page">A &lt;page&gt;</h1>' in html(PAGE)
    assert "<code>x &lt; 1</code> &amp; more" in html(PAGE)
    page = markdown(PAGE)
    assert "# A \\<page\\>" in page
    assert "`x < 1`" in page
    assert "| a\\_b | -1.5 |" in page
    assert "| method | E \\| F |\n|---|--:|" in page


def test_a_single_backtick_is_a_backtick() -> None:
    assert "<p>one ` here</p>" in html([Text("one ` here")])
    assert markdown([Text("one ` here")]) == "one \\` here\n"


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["1", "-2.5"], True),
        (["0.1 (0.0 to 0.2)", "-"], True),
        (["∞", "2"], True),
        (["yes", "1"], False),
        ([], False),
    ],
)
def test_columns_of_numbers_are_told(cells: list[str], numeric: bool) -> None:
    assert Table(["x"], [[cell] for cell in cells]).numeric == (numeric,)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="2 columns has a row of 1 cells"):
        Table(["a", "b"], [["only"]])
