"""What made a result: the code, the versions and the machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("rapid_ising", "rapid_ising_backends")
LIBRARIES = (
    "rapid-ising",
    "numpy",
    "scipy",
    "dimod",
    "dwave-samplers",
    "numba",
    "scikit-learn",
    "matplotlib",
)


@functools.cache
def code_fingerprint() -> str:
    """Return a fingerprint of every Python file of the library and of its machines.

    A result is used again only by the code that made it, whatever part of it was changed.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of Python and of the packages that the numbers depend on.

    >>> "numpy" in versions()
    True
    """
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), platform.processor() or platform.machine() or "unknown")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
