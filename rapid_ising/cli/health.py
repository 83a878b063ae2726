"""What of this computer the library leans on: versions, threads, compiled loops, folders."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from rapid_ising.errors import RapidIsingError

LEAST_FREE = 100 * 2**20
"""Bytes on the disk below which checkpoints may fail."""
Facts = dict[str, Any]
"""What was found; "problem" is there when something has to be mended, and says what and how."""


def computer() -> Facts:
    """Return the processor, its cores, the threads that are used, and the library of matrix products."""
    import numpy  # noqa: F401 - loads the library that is looked for
    from threadpoolctl import threadpool_info

    from rapid_ising.provenance import cores, processor
    from rapid_ising.threads import threads

    products = [
        f"{pool['internal_api']} {pool.get('version') or ''} {pool.get('architecture') or ''}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    facts: Facts = {
        "processor": processor(),
        "cores": cores(),
        "threads": None,
        "matrix products": ", ".join(dict.fromkeys(products)) or "unknown",
    }
    try:
        facts["threads"] = threads()
    except RapidIsingError as error:
        facts["problem"] = str(error)
    return facts


def kernels() -> Facts:
    """Return how long the compiled loops took to be ready, and where they are kept.

    One small sweep is made of them. The first after an installation compiles it.
    """
    import numpy as np

    from rapid_ising.couplings import Dense
    from rapid_ising.gibbs import gibbs_sweeps
    from rapid_ising.ising import IsingModel
    from rapid_ising.kernels.single_spin import sweep_dense

    began = time.perf_counter()
    problem = IsingModel(np.zeros(2), Dense(np.array([[0.0, 1.0], [1.0, 0.0]])))
    try:
        gibbs_sweeps(problem, np.ones((1, 2), np.int8), 1, 1.0, np.random.default_rng(0))
    except RapidIsingError as error:
        return {"problem": str(error)}
    seconds = time.perf_counter() - began
    cached = sum(sweep_dense.stats.cache_hits.values()) > 0
    place = sweep_dense.stats.cache_path
    facts: Facts = {
        "first sweep, seconds": round(seconds, 3),
        "compiled": "before, and read from the cache" if cached else "now",
        "cache": str(place) if place else None,
    }
    if place is None or not os.access(place, os.W_OK):
        facts["problem"] = (
            "compiled loops cannot be kept, so that each process compiles them anew: set NUMBA_CACHE_DIR to "
            "a folder that you can write"
        )
    return facts


def folders() -> dict[str, Facts]:
    """Return the folders that are written or read: this one, embeddings' and data's; none is made."""
    from rapid_ising.datasets.mnist_files import DATA_FOLDER
    from rapid_ising.machine.embedding_cache import CACHE_FOLDER, cache_folder

    found = {"here": _writable(Path.cwd(), "go to a folder that you can write, or give --out a path in one")}
    cure = f"set {CACHE_FOLDER} to a folder that you can write"
    found["embeddings"] = _writable(cache_folder(), cure)
    named = os.environ.get(DATA_FOLDER)
    if named:
        found["data sets"] = {"path": named}
        if not Path(named).is_dir():
            found["data sets"]["problem"] = f"{DATA_FOLDER} names {named}, which is no folder: correct it"
    return found


def _writable(path: Path, cure: str) -> Facts:
    there = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(there).free
    facts: Facts = {"path": str(path), "free, GB": round(free / 1e9, 1)}
    if not there.is_dir() or not os.access(there, os.W_OK):
        facts["problem"] = f"{there} cannot be written: {cure}"
    elif free < LEAST_FREE:
        facts["problem"] = f"only {free / 1e6:.0f} MB are free at {there}: make room, or {cure}"
    return facts
