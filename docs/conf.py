"""How the documentation is built: ``make docs``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

import rapid_ising

sys.path.insert(0, str(Path(__file__).parent))

project = "rapid-ising"
author = "The rapid-ising developers"
copyright = author
version = release = rapid_ising.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "references",
    "signatures",
]
exclude_patterns = ["reproduction/*"]

html_theme = "furo"
html_title = f"rapid-ising {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_type_aliases = {name: name for name in ("Floats", "Reals", "Indices", "States")}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_attr_annotations = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True

# PyTorch is not in the environment of the documentation.
autodoc_mock_imports = ["torch"]

nitpicky = True
# Types in signatures may be of other libraries, whose pages are not asked for here.
nitpick_ignore_regex = [("py:class", ".*")]


def inside(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links that leave this folder, right where the Markdown itself is read, to pages in it."""
    source[0] = re.sub(r"\]\((\.\./)+backends/README\.md", "](/capabilities.md", source[0])
    source[0] = re.sub(r"\]\((\.\./)+README\.md", "](/index.md", source[0])


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", inside)
