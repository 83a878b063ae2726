"""References to public names, by whichever way they are written.

A docstring says ``InvalidDataError``, and an annotation the module where a class is defined; the documentation has both under their
public names.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def setup(app: Sphinx) -> dict[str, Any]:
    """Look up what Sphinx has not found."""
    app.connect("missing-reference", public)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Return a link to the one documented object that has the last part of the name; None if there is none."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    last = node["reftarget"].rpartition(".")[2]
    found = [name for name in domain.objects if name.rpartition(".")[2] == last and is_public(name)]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def is_public(name: str) -> bool:
    """Return whether this is a class or a function of a module, as all that is referred to is."""
    return name.rpartition(".")[2][:1].isupper() or name.count(".") <= 2
