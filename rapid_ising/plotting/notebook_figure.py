"""A figure of pyplot's that a notebook shows once."""

from __future__ import annotations

from typing import Any, final

from matplotlib import get_backend
from matplotlib.figure import Figure

from rapid_ising.plotting.style import close


@final
class NotebookFigure(Figure):
    """A figure that is pyplot's, shown at the end of a cell, until the notebook shows it as a value."""

    def _repr_mimebundle_(self, **kinds: Any) -> dict[str, Any]:
        """Leave pyplot and return nothing: IPython draws what is missing itself.

        Windows and widgets stay: they are live, where pictures in the page are not.
        """
        if "inline" in get_backend().lower():
            close(self)
        return {}
