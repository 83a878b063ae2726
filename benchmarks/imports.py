"""What `import rapid_ising` costs, and what it leaves to be imported when it is asked for (line 14)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.side_by_side import Pair, Row, Seconds, Size, Work, at_most, case

TIMED = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"
LATE = ("torch", "sklearn", "matplotlib", "openjij", "neal", "dwave", "minorminer", "qci_client", "httpx")
"""PyTorch, other people's samplers and tools, and what the vendors' SDKs come as."""
COMPOSITES = "dimod.reference.composites"


@case(1)
def importing(size: Size, threads: int) -> Iterator[Pair | Row]:
    ours, theirs = fresh("rapid_ising"), fresh("numpy, numba")
    yield Pair(
        "14", "import rapid_ising, in a fresh interpreter", ours, "numpy and numba", theirs, at_most(1.4)
    )
    used = fresh("rapid_ising; rapid_ising.RBM; rapid_ising.train")
    yield Pair("14", "the same, and RBM and train looked up", used, "numpy and numba", theirs, at_most(1.4))
    code = "import sys, rapid_ising; print(*sys.modules)"
    loaded = set(run(code).split())
    found = sorted(loaded & {*LATE, COMPOSITES})
    named = ": " + ", ".join(found) if found else ""
    work = f"PyTorch, SDKs and dimod's composites that it loads{named}"
    yield Row("14", work, threads, "none", value=len(found), target=at_most(0, ""))


def fresh(modules: str) -> Work:
    """Return the seconds that an import takes in an interpreter of its own."""
    return lambda: Seconds(run(TIMED.format(modules)))


def run(code: str) -> str:
    # Python keeps what it compiled, for us as pip did for the others.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=kept, capture_output=True, text=True, check=True).stdout
