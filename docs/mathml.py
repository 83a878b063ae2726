"""Equations as MathML, which browsers draw by themselves: no script, no font, no request to anywhere.

Sphinx knows pictures, for which it needs LaTeX, and scripts from elsewhere. docutils, which it stands on, has
a converter.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer; ``html_math_renderer = "mathml"`` takes it."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer: Any, node: nodes.math) -> None:
    """Write an equation in a line of text."""
    _write(writer, node, as_block=False)


def block(writer: Any, node: nodes.math_block) -> None:
    """Write an equation of its own, in a box that scrolls where the page is narrow."""
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    _write(writer, node, as_block=True)
    writer.body.append("</div>\n")


def _write(writer: Any, node: nodes.Element, as_block: bool) -> None:
    source = " ".join(node.astext().split())
    if re.search(r"frac ?\d\d", source):
        # The converter takes the two digits for one number.
        logger.warning("write \\frac{1}{2} in %s", source, location=node)
    try:
        writer.body.append(tex2mathml(source, as_block=as_block))
    except MathError as error:
        logger.warning("cannot draw %s: %s", source, error, location=node)
    raise nodes.SkipNode
