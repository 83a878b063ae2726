"""What the seam costs around a sampler, and a training step through it (lines 9 and 10)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt
from dwave.samplers import SimulatedAnnealingSampler

import rapid_ising as ri
from benchmarks.products import Matrix, signs
from benchmarks.side_by_side import (
    Pair,
    Row,
    Seconds,
    Size,
    Work,
    at_least,
    at_most,
    case,
    compared,
    peer,
    pick,
    seconds,
)
from rapid_ising.training.negative_phase import BackendSamples

Reals = npt.NDArray[np.float64]
BETAS = [0.1, 1.0]
"""Given to the sampler: it would work out its own in a Python loop."""
READS, SWEEPS = 100, 1000


@case(1)
def around_a_sampler(size: Size, threads: int) -> Iterator[Pair | Row]:
    """The cost as the difference of short calls; the ratio of a long one measured, or worked out from it."""
    for spins in pick(size, (20,), (100, 1000, 2000)):
        fields, upper = problem(spins)
        model = ri.IsingModel(fields, upper + upper.T)
        work = f"backend.sample around dwave-samplers, N={spins}, {READS} reads"
        by_hand = "called by hand"
        ours, theirs = medians(
            wrapped(model, READS, 1), hand(fields, upper, READS, 1), pick(size, 1, 25 if spins < 500 else 9)
        )
        short, cost = f"{work} of 1 sweep: difference", 1e3 * (ours - theirs)
        yield Row("9", short, threads, by_hand, ours, theirs, cost, target=at_most(1, "ms"))
        many = pick(size, 2, SWEEPS)
        if spins < 500:
            full = f"{work} of {many} sweeps"
            calls = wrapped(model, READS, many), hand(fields, upper, READS, many)
            yield Pair("9", full, calls[0], by_hand, calls[1], at_most(1.02))
            continue
        one, other = (seconds(hand(fields, upper, 1, sweeps), time.process_time) for sweeps in (1, 101))
        whole = theirs + READS * SWEEPS * (other - one) / 100
        long = f"{work} of {SWEEPS} sweeps, worked out"
        yield compared("9", long, threads, whole + ours - theirs, by_hand, whole, at_most(1.02))


def annealer() -> SimulatedAnnealingSampler:
    return SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]


def problem(spins: int) -> tuple[Reals, Reals]:
    """Return fields, and couplings above the diagonal, of a dense model."""
    rng = np.random.default_rng(0)
    return rng.normal(size=spins), np.triu(rng.normal(size=(spins, spins)), 1) / np.sqrt(spins)


def wrapped(model: ri.IsingModel, reads: int, sweeps: int) -> Work:
    parameters = {"num_sweeps": sweeps, "beta_range": BETAS}
    backend = ri.WrappedSampler(annealer(), parameters=parameters)
    return lambda: backend.sample(model, num_reads=reads, seed=1)


def hand(fields: Reals, upper: Reals, reads: int, sweeps: int) -> Work:
    """Return the same call in the best way: the BQM from arrays, energies by one product."""
    sampler = annealer()

    def work() -> Any:
        bqm = dimod.BinaryQuadraticModel(fields, upper, dimod.SPIN)
        answer = sampler.sample(bqm, num_reads=reads, num_sweeps=sweeps, beta_range=BETAS, seed=1)
        states = answer.record.sample
        rows = states.astype(np.float64)
        return states, rows @ fields + np.einsum("ri,ri->r", rows @ upper, rows)

    return work


def medians(ours: Work, theirs: Work, count: int) -> tuple[float, float]:
    """Return the median seconds of each way, in turns."""
    for work in (ours, theirs):
        work()
    times = [(seconds(ours, time.process_time), seconds(theirs, time.process_time)) for _ in range(count)]
    first, second = zip(*times, strict=True)
    return statistics.median(first), statistics.median(second)


@case(1)
def training_step(size: Size, threads: int) -> Iterator[Pair]:
    """With few sweeps, as persistent or refreshed chains need, and with many, where the sampler is all."""
    spins, rows, reads = pick(size, (6, 8, 4), (64, 640, 100))
    for sweeps in pick(size, (2,), (10, 1000)):
        batch = rows // 10 or 1
        data = signs(np.random.default_rng(0), rows if sweeps < 1000 else 2 * batch, spins)
        work = f"training step with backend=, RBM {spins} x {spins}, {reads} reads of {sweeps} sweeps"
        name = "dwave-pytorch-plugin"
        theirs = peer("dwave.plugins.torch", lambda d=data, s=sweeps, b=batch: plugin(d, b, reads, s))  # type: ignore[misc]
        yield Pair("10", work, step(data, batch, reads, sweeps), name, theirs, at_least(3))


def step(data: Matrix, batch: int, reads: int, sweeps: int) -> Work:
    """Return the seconds of one update of an epoch, as training counts them."""
    model = ri.RBM(data.shape[1], data.shape[1], seed=0)
    parameters = {"num_sweeps": sweeps, "beta_range": BETAS}
    sampler = ri.WrappedSampler(annealer(), parameters=parameters, beta=1.0)
    phase = BackendSamples(sampler, num_reads=reads)

    def work() -> Seconds:
        run = ri.train(
            model,
            data,
            negative_phase=phase,
            optimizer="sgd",
            centred=False,
            batch_size=batch,
            epochs=1,
            seed=0,
            progress=False,
        )
        return Seconds(run.seconds * batch / len(data))

    return work


def plugin(data: Matrix, batch: int, reads: int, sweeps: int) -> Work:
    """Return the seconds of the same update with the plugin, hidden spins of the data by their means."""
    import torch
    from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine
    from dwave.plugins.torch.samplers import DimodSampler

    n = data.shape[1]
    hidden = list(range(n, 2 * n))
    edges = [(i, a) for i in range(n) for a in hidden]
    model = GraphRestrictedBoltzmannMachine(range(2 * n), edges, hidden)
    options = {"num_reads": reads, "num_sweeps": sweeps, "beta_range": BETAS, "seed": 1}
    sampler = DimodSampler(model, annealer(), prefactor=1.0, sample_kwargs=options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    rows = torch.from_numpy(data)

    def update() -> None:
        optimizer.zero_grad()
        states = sampler.sample()
        model.quasi_objective(rows[:batch], states, kind="exact-disc").backward()
        optimizer.step()

    return lambda: seconds(update, calls=max(1, len(data) // batch))
