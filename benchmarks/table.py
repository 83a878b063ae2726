"""The table of all rows: as text, and as a page with the facts of the machine that it was measured on."""

from __future__ import annotations

import datetime
import importlib.metadata as metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import threadpoolctl

from benchmarks.side_by_side import Row

HEAD = (
    "line",
    "work",
    "threads",
    "ours",
    "peer or limit",
    "takes",
    "ratio",
    "spread",
    "target",
    "met",
    "memory",
)
PACKAGES = (
    "numpy",
    "numba",
    "scipy",
    "dimod",
    "dwave-samplers",
    "openjij",
    "scikit-learn",
    "rbms",
    "torch",
    "dwave-pytorch-plugin",
)
WORDS = """\
What `make bench-page` measured. Each ratio is of one run, both ways in turns (`benchmarks/side_by_side.py`):
the median of the ratios, with half the distance between their quartiles as the spread. Times are the shortest
of the turns, processor time at one thread and time on the wall at more. "At least" counts how many times
faster we are than the peer, "at most" how many times the limit we take. Memory is what our way took beyond
what was there before it. On a machine that others use too, as its load shows, more than one thread means
little. Lines are those of the list of targets, "-" is none of them.
"""


def text(rows: Sequence[Row]) -> str:
    """Return the table in columns of even width."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    padded = ("  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def page(rows: Sequence[Row]) -> str:
    """Return the table and the facts in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    facts = "\n".join(f"- {name}: {value}" for name, value in machine().items())
    return f"# Benchmarks\n\n{WORDS}\n{facts}\n\n{table}\n"


def cells(row: Row) -> tuple[str, ...]:
    target = row.target
    goal = "" if target is None else f"{target.kind} {target.bound:g} {target.unit}".rstrip()
    unit = "x" if target is None else target.unit
    return (
        row.line,
        row.work,
        str(row.threads),
        _time(row.ours),
        row.peer,
        _time(row.theirs),
        "" if row.value is None else f"{row.value:.3g} {unit}".rstrip(),
        "" if row.spread is None else f"{100 * row.spread:.0f} %",
        goal,
        row.verdict,
        "" if row.memory is None else f"{row.memory / 1e6:.1f} MB",
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    kernels = {f"{pool['internal_api']} {pool['version']} ({pool.get('architecture')})" for pool in blas}
    found = [f"{name} {version}" for name in PACKAGES if (version := _version(name))]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "load at the end": ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " (1, 5 and 15 minutes)",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "BLAS of NumPy and SciPy": ", ".join(sorted(kernels)),
        "packages": ", ".join(found),
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    told = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    name = told.get("model name", platform.processor()).strip()
    if not told.get("flags"):
        return name
    widest = next((kind for kind in ("avx512f", "avx2", "avx") if kind in told["flags"].split()), "no AVX")
    return f"{name} (family {told['cpu family'].strip()}, model {told['model'].strip()}, {widest})"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
