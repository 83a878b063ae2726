"""What all pictures share: colours, lines, and how a figure becomes a file; needs matplotlib."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from rapid_ising.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""One colour a method, told apart with any kind of colour vision: Okabe and Ito (2008)."""
PIXELS = {-1: (1.0, 1.0, 1.0), 0: (0.80, 0.80, 0.78), 1: (0.15, 0.16, 0.20)}
"""White, grey for an erased pixel, and ink."""
GREY, LINE = "#666666", "#e5e5e5"
DPI = 150
PYPLOT = "matplotlib.pyplot"
NARROW = 7.0
"""Inches across a figure that a phone should still show legibly."""
Style: TypeAlias = Literal["-", "--", ":"]
STYLES: tuple[Style, ...] = ("-", "--", ":")
"""One line style a round of colours."""
INK = "#1b1c1d"
"""What text and axes are drawn in where they are to follow the theme of a page."""
THEMED = {
    INK: "ink",
    GREY: "soft",
    LINE: "line",
    **{colour.lower(): f"colour{place}" for place, colour in enumerate(COLOURS)},
}
"""The colours of a figure that another theme changes, with the names of what they become."""
LIGHT = {"ink": "#1d1f23", "soft": "#5f6368", "line": "#d9dce0"} | {
    f"colour{place}": colour for place, colour in enumerate(COLOURS)
}
DARK = {"ink": "#e4e6e9", "soft": "#a2a8b0", "line": "#383c42"} | dict(
    zip(
        (f"colour{place}" for place in range(len(COLOURS))),
        ("#4ba3e3", "#f0853f", "#2fbf93", "#dc94bd", "#efb53c", "#7cc7f0"),
        strict=True,
    )
)
"""The same on a dark page, as well told apart from the ground."""


def require_matplotlib() -> None:
    """Raise MissingDependencyError when matplotlib is not installed."""
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise MissingDependencyError(
            "pictures need matplotlib, not installed here: pip install 'rapid-ising[plot]'"
        ) from error


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure to a PNG file and return its path."""
    target = Path(path)
    figure.savefig(target, format="png")
    return target


def axes_on(ax: Axes | None, width: float = 4.8, height: float = 3.2) -> Axes:
    """Return the axes that a picture was given, or those of a new figure of so many inches."""
    require_matplotlib()
    return new_figure(width, height).subplots() if ax is None else ax


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches.

    It is one of pyplot's where the program uses that or is a notebook, so that ``plt.show()`` or the end of a
    cell shows it; else one that no window shows and nobody has to close.
    """
    if {PYPLOT, "ipykernel"} & sys.modules.keys():
        from rapid_ising.plotting.notebook_figure import NotebookFigure

        pyplot = importlib.import_module(PYPLOT)
        figure: Figure = pyplot.figure(
            figsize=(width, height), layout="constrained", FigureClass=NotebookFigure
        )
        return figure
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def close(figure: Figure) -> None:
    """Let go of a figure that was made into a file: pyplot would keep it, and show it."""
    if PYPLOT in sys.modules:
        sys.modules[PYPLOT].close(figure)


def clean(axes: Axes) -> None:
    """Take away what tells nothing: two sides of the frame, and all lines but faint level ones."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)


def reference(axes: Axes, height: float, label: str) -> None:
    """Draw a level dotted line with a name."""
    from matplotlib import rcParams

    axes.axhline(height, color=GREY, linewidth=1, linestyle=":")
    axes.annotate(
        label,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
        color=GREY,
        bbox={"facecolor": rcParams["axes.facecolor"], "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def negative_log(axes: Axes) -> None:
    """Have axes on which minus a value that is never positive was drawn show the value: higher is better."""
    axes.set_yscale("log")
    axes.invert_yaxis()
    for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        set_formatter(lambda value, place: f"\u2212{value:g}")


@contextlib.contextmanager
def themed() -> Iterator[None]:
    """Draw figures inside the block such that ``svg`` can give them the theme of a page."""
    require_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context(
        {
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "axes.titlecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.facecolor": "none",
            "svg.hashsalt": "rapid-ising",
        }
    ):
        yield


def unmarked(text: str) -> str:
    r"""Return a text that matplotlib draws as it is, dollars and all.

    >>> print(unmarked("$a_$b{"))
    \$a_\$b{
    """
    return text.replace("$", r"\$")


def svg(figure: Figure) -> bytes:
    """Return a figure as the bytes of an SVG file, light or dark as its reader has it.

    What is drawn inside ``themed`` has text and axes in the colour of the theme; the ground is left open. It
    asks for no font and no other file.
    """
    content = io.StringIO()
    # Without the date: the same figure makes the same file.
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = content.getvalue()
    text = re.sub(
        "|".join(THEMED), lambda found: f"var(--{THEMED[found[0].lower()]})", text, flags=re.IGNORECASE
    )
    rules = [f"--{name}: {colour};" for name, colour in LIGHT.items()]
    dark = [f"--{name}: {colour};" for name, colour in DARK.items()]
    style = (
        f"<style>:root {{ {' '.join(rules)} }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ {' '.join(dark)} }} }}</style>"
    )
    start = text.index("<svg")
    place = text.index(">", start) + 1
    # Without the prologue, whose document type names an address.
    return (text[start:place] + style + text[place:]).encode()
