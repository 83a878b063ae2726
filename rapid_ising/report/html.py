"""A report as one HTML file that needs nothing else: its pictures and its style are in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html import escape

from rapid_ising.report.page import Element, Heading, Picture, Table, Text

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What the page may do: show what is in it. A reader's browser holds it to that."""
SENTENCE = 24
"""The characters from which on a cell needs room for several words."""
STYLE = """
:root { color-scheme: light dark; --ink: #1d1f23; --paper: #ffffff; --soft: #5f6368; --line: #d9dce0;
  --card: #f5f6f7; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e9; --paper: #16181b; --soft: #a2a8b0;
  --line: #383c42; --card: #202327; --link: #8ab8ee; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.3rem; line-height: 1.3; margin-top: 2.6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin-top: 1.8rem; }
p { max-width: 46rem; }
nav ul { padding-left: 1.2rem; }
a { color: var(--link); }
code { background: var(--card); padding: .05em .3em; border-radius: 3px; font-size: .92em; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.scroll { overflow-x: auto; margin: .4rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.caption { color: var(--soft); margin: 1.2rem 0 0; font-size: .9rem; }
td.text { min-width: 8.5rem; overflow-wrap: anywhere; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 1.2rem 0; }
img { display: block; max-width: min(100%, 46rem); height: auto; background: #ffffff; border-radius: 6px; }
figure.svg { display: inline-block; vertical-align: top; width: min(100%, 29rem); margin: 1.2rem 0; }
figure.svg img { background: none; border-radius: 0; max-width: 100%; }
figcaption { color: var(--soft); font-size: .9rem; padding-top: .4rem; max-width: 46rem; }
@media (max-width: 40rem) { body { padding: .6rem .8rem 3rem; } table { font-size: .82rem; }
  h1 { font-size: 1.35rem; } }
"""


def html(elements: Iterable[Element]) -> str:
    """Return the page as one file: no script, no request, and light or dark as the reader has it.

    Headings of level 2 are listed after whatever comes before the first of them.

    >>> page = html([Heading("One"), Text("1 < 2, by `math`."), Heading("Two")])
    >>> "1 &lt; 2, by <code>math</code>." in page, '<a href="#two">Two</a>' in page
    (True, True)
    """
    parts = list(elements)
    title = next((part.text for part in parts if isinstance(part, Heading) and part.level == 1), "Report")
    heads = [place for place, part in enumerate(parts) if isinstance(part, Heading) and part.level == 2]
    cut = heads[0] if heads else len(parts)
    names = _anchors(parts)
    blocks = [_block(part, names.get(place, f"part-{place}")) for place, part in enumerate(parts)]
    links = [f'<li><a href="#{names[place]}">{_inline(_text(parts[place]))}</a></li>' for place in heads]
    contents = [f"<nav aria-label='Contents'><ul>{''.join(links)}</ul></nav>"] if len(heads) > 1 else []
    body = "\n".join([*blocks[:cut], *contents, *blocks[cut:]])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(element: Element) -> str:
    return element.text if isinstance(element, Heading) else ""


def _anchors(parts: Iterable[Element]) -> dict[int, str]:
    """Return a name of its own for each heading, by its place."""
    names: dict[int, str] = {}
    for place, part in enumerate(parts):
        if isinstance(part, Heading):
            name = re.sub(r"[^a-z0-9]+", "-", part.text.lower()).strip("-") or "part"
            names[place] = name if name not in names.values() else f"{name}-{place}"
    return names


def _block(element: Element, anchor: str) -> str:
    if isinstance(element, Heading):
        return f'<h{element.level} id="{anchor}">{_inline(element.text)}</h{element.level}>'
    if isinstance(element, Text):
        return f"<p>{_inline(element.text)}</p>"
    if isinstance(element, Picture):
        source = base64.b64encode(element.image).decode("ascii")
        media = "image/svg+xml" if element.kind == "svg" else "image/png"
        caption = f"<figcaption>{_inline(element.caption)}</figcaption>" if element.caption else ""
        return (
            f'<figure class="{element.kind}"><img alt="{escape(element.alt)}" '
            f'src="data:{media};base64,{source}">{caption}</figure>'
        )
    return _table(element, anchor)


def _table(table: Table, name: str) -> str:
    kinds = [_kind(table, column) for column, _ in enumerate(table.columns)]
    head = "".join(
        f'<th scope="col"{kind}>{_inline(cell)}</th>' for kind, cell in zip(kinds, table.columns, strict=True)
    )
    lines = [
        "".join(f"<td{kind}>{_inline(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        for row in table.rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    # Not a <caption>, which would be as wide as a table that has to be scrolled.
    caption = f'<p class="caption" id="{name}">{_inline(table.caption)}</p>' if table.caption else ""
    label = f'aria-labelledby="{name}"' if caption else 'aria-label="Table"'
    whole = f"<table {label}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    # Where it is too wide it is scrolled, with the keyboard as well.
    return f'{caption}<div class="scroll" role="region" {label} tabindex="0">{whole}</div>'


def _kind(table: Table, column: int) -> str:
    """Return the class of a column: numbers stay on one line, and sentences have room."""
    if table.numeric[column]:
        return ' class="number"'
    longest = max((len(row[column]) for row in table.rows), default=0)
    return ' class="text"' if longest > SENTENCE else ""


def _inline(text: str) -> str:
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
