"""Where the commands write: results to stdout, progress and remarks to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

WIDTH = 140
"""Columns of output that goes to a file or a pipe."""


def results() -> Console:
    """Return a console on stdout."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def remarks() -> Console:
    """Return a console on stderr."""
    return Console(file=sys.stderr, width=None if sys.stderr.isatty() else WIDTH, highlight=False)


def cell(value: float | None) -> str:
    """Return a number as a table shows it; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def write_json(facts: Mapping[str, Any]) -> None:
    """Write facts to stdout as one JSON object; what JSON has no word for, such as infinity, is text."""
    print(json.dumps(_plain(facts), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # A token among the options of a machine is text that hides it.
    return value if value is None or isinstance(value, str | int | float) else str(value)
