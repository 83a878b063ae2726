"""The names of the machines that are installed, read from the metadata of packages alone."""

from __future__ import annotations

import importlib.metadata as metadata

GROUP = "rapid_ising.backends"
"""The entry points that name machines."""


def available_backends() -> list[str]:
    """Return the names of all installed backends, sorted; imports none of them.

    Examples
    --------
    >>> {"exact", "gibbs", "simulated-annealing"} <= set(available_backends())
    True
    """
    return sorted({entry.name for entry in metadata.entry_points(group=GROUP)})
