"""Reads of a dimod annealer that releases the interpreter lock, on two threads against one (line 13)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from dwave.samplers import SimulatedAnnealingSampler

import rapid_ising as ri
from benchmarks.side_by_side import Pair, Size, at_least, case, pick
from rapid_ising.machine import Sharded


@case(2)
def two_threads(size: Size, threads: int) -> Iterator[Pair]:
    spins, reads, sweeps = pick(size, (20, 8, 2), (500, 100, 100))
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(spins, spins)) / np.sqrt(spins), k=1)
    model = ri.IsingModel(rng.normal(size=spins), matrix + matrix.T)
    sampler = SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]
    # Its own range of beta it would work out in a Python loop, anew in each shard.
    parameters = {"num_sweeps": sweeps, "beta_range": [0.1, 1.0]}
    annealer = ri.WrappedSampler(sampler, parameters=parameters)
    ours, theirs = (
        partial(Sharded(annealer, engine="threads", workers=n).sample, model, num_reads=reads, seed=0)
        for n in (2, 1)
    )
    same = np.array_equal(ours().record.sample, theirs().record.sample)
    assert same, "other samples on another number of threads"
    work = f"{reads} reads of {sweeps} sweeps by dwave-samplers, N={spins}, two threads"
    yield Pair("13", work, ours, "one thread, the same samples", theirs, at_least(1.6))
