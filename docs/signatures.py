"""Signatures as they are written: ``npt.ArrayLike`` and not the page of types that it stands for."""

from __future__ import annotations

import inspect
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of the signatures that autodoc works out."""
    app.connect("autodoc-process-signature", as_written)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def as_written(
    app: Sphinx, what: str, name: str, subject: Any, options: Any, found: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """Return the arguments and what is returned; None where there is no signature, or autodoc's is right."""
    if found is None or what not in ("class", "exception", "function", "method"):
        return None
    signature = inspect.signature(subject)
    own = [p for p in signature.parameters.values() if what != "method" or p.name != "self"]
    text = stringify_signature(signature.replace(parameters=own), show_return_annotation=False)
    result = signature.return_annotation
    return text, None if what == "class" or result is inspect.Signature.empty else str(result)
