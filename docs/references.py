"""References to public names, by whichever way they are written.

A docstring says ``InvalidDataError``, and an annotation the module where a class is defined; the
documentation has both under their public names.
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
    """Return a link to the one documented object of this last name; None where there is none."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    module, _, last = node["reftarget"].rpartition(".")
    found = [
        name
        for name, entry in domain.objects.items()
        if name.rpartition(".")[2] == last and entry.objtype in ("class", "exception", "function", "data")
    ]
    if len(found) != 1 or not (module in ("", "ri") or module.startswith("rapid_ising")):
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)
