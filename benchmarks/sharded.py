"""Reads of a dimod annealer that releases the interpreter lock, spread over two threads, against one.

Run: python benchmarks/sharded.py [N] [READS] [SWEEPS]
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from dwave.samplers import SimulatedAnnealingSampler

import rapid_ising as ri
from rapid_ising.machine import Sharded

REPEATS = 5
TARGET = 1.6


def two_threads(spins: int = 500, reads: int = 100, sweeps: int = 100) -> tuple[str, float, float]:
    """Return the work, its seconds on two threads and on one: the medians of runs that take turns."""
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(spins, spins)) / np.sqrt(spins), k=1)
    model = ri.IsingModel(rng.normal(size=spins), matrix + matrix.T)
    annealer = ri.WrappedSampler(SimulatedAnnealingSampler(), parameters={"num_sweeps": sweeps})
    times: dict[int, list[float]] = {2: [], 1: []}
    found = []
    for _ in range(REPEATS):
        for workers, spent in times.items():
            machine = Sharded(annealer, engine="threads", workers=workers)
            began = time.perf_counter()
            answer = machine.sample(model, num_reads=reads, seed=0)
            spent.append(time.perf_counter() - began)
            found.append(answer.record.sample)
    assert all(np.array_equal(found[0], other) for other in found), (
        "other samples on another number of threads"
    )
    work = f"{reads} reads of {sweeps} sweeps by dwave-samplers, {spins} spins, dense"
    return work, statistics.median(times[2]), statistics.median(times[1])


def main(spins: int = 500, reads: int = 100, sweeps: int = 100) -> None:
    """Print the row."""
    work, ours, peer = two_threads(spins, reads, sweeps)
    print(f"{work}; the medians of {REPEATS} times")
    print(f"{'one thread':44s} {peer * 1e3:8.1f} ms")
    print(
        f"{'two threads, same samples':44s} {ours * 1e3:8.1f} ms  {peer / ours:5.2f} x  (at least {TARGET} x)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
