"""What the seam costs around a sampler, and a training step through it (lines 9 and 10)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, final

import dimod
import numpy as np
import numpy.typing as npt
from dimod.core.sampler import Sampler
from dwave.samplers import SimulatedAnnealingSampler

import rapid_ising as ri
from benchmarks.epochs import epoch
from benchmarks.products import Matrix, signs
from benchmarks.side_by_side import (
    Pair,
    Row,
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
from rapid_ising.backend import Problem
from rapid_ising.training.negative_phase import BackendSamples

Reals = npt.NDArray[np.float64]
BETAS = [0.1, 1.0]
"""Given to the sampler: it would work out its own in a Python loop."""
READS, SWEEPS = 100, 1000
RATE = 1e-3
"""So small that the problem stays what it was."""


@final
class Ready(Sampler):
    """A sampler that takes no time: its answer is ready."""

    parameters: ClassVar[Any] = {"num_reads": [], "seed": []}
    properties: ClassVar[Any] = {}

    def __init__(self, answer: dimod.SampleSet) -> None:
        self.answer = answer

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        return self.answer


@case(1)
def around_a_sampler(size: Size, threads: int) -> Iterator[Pair | Row]:
    """The cost around a sampler that takes no time; the ratio measured, or worked out from it."""
    for spins in pick(size, (20,), (100, 1000, 2000)):
        fields, upper = problem(spins)
        model = ri.IsingModel(fields, upper + upper.T)
        states = signs(np.random.default_rng(0), READS, spins).astype(np.int8)
        ready = Ready(dimod.SampleSet.from_samples((states, range(spins)), dimod.SPIN, np.zeros(READS)))
        seam = f"backend.sample, N={spins}, {READS} reads"
        by_hand = "called by hand"
        times = medians(wrapped(ready, model), hand(ready, fields, upper), pick(size, 1, 25))
        cost = times[0] - times[1]
        alone = f"{seam}, around a sampler of no time: difference"
        yield Row("9", alone, threads, by_hand, *times, 1e3 * cost, target=at_most(1, "ms"))
        bqm = dimod.BinaryQuadraticModel(fields, upper, dimod.SPIN)
        asked = f"backend.sample of a BQM, N={spins}, {READS} reads, around a sampler of no time"
        yield Pair("9", asked, wrapped(ready, bqm), "called by hand, and bqm.energies", energies(ready, bqm))
        many = pick(size, 2, SWEEPS)
        whole = f"{seam} of {many} sweeps, around dwave-samplers"
        sampler = annealer()
        if spins < 500:
            ours = wrapped(sampler, model, num_sweeps=many, beta_range=BETAS)
            theirs = hand(sampler, fields, upper, num_sweeps=many, beta_range=BETAS)
            yield Pair("9", whole, ours, by_hand, theirs, at_most(1.02))
            continue
        one, other = (
            seconds(partial(sampler.sample, bqm, num_sweeps=n, beta_range=BETAS), time.process_time)
            for n in (1, 101)
        )
        full = times[1] + READS * SWEEPS * (other - one) / 100
        yield compared("9", f"{whole}, worked out", threads, full + cost, by_hand, full, at_most(1.02))


def annealer() -> SimulatedAnnealingSampler:
    return SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]


def problem(spins: int) -> tuple[Reals, Reals]:
    """Return fields, and couplings above the diagonal, of a dense model."""
    rng = np.random.default_rng(0)
    return rng.normal(size=spins), np.triu(rng.normal(size=(spins, spins)), 1) / np.sqrt(spins)


def energies(sampler: Sampler, bqm: dimod.BinaryQuadraticModel) -> Work:
    return lambda: bqm.energies(sampler.sample(bqm, num_reads=READS, seed=1))


def wrapped(sampler: Sampler, model: Problem, **parameters: Any) -> Work:
    backend = ri.WrappedSampler(sampler, parameters=parameters)
    return lambda: backend.sample(model, num_reads=READS, seed=1)


def hand(sampler: Sampler, fields: Reals, upper: Reals, **parameters: Any) -> Work:
    """Return the same call in the best way: the BQM from arrays, energies by one product."""

    def work() -> Any:
        bqm = dimod.BinaryQuadraticModel(fields, upper, dimod.SPIN)
        answer = sampler.sample(bqm, num_reads=READS, seed=1, **parameters)
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
    """With few sweeps, as chains need that are refreshed, and with many, where the sampler is nearly all."""
    spins, batch, reads = pick(size, (6, 2, 4), (64, 64, 100))
    for sweeps, count in pick(size, ((2, 1),), ((10, 10), (1000, 1))):
        data = signs(np.random.default_rng(0), batch * count, spins)
        model = ri.RBM(spins, spins, seed=0, weight_std=0.1)
        theirs = peer("dwave.plugins.torch", plugin_of(model, data, batch, reads, sweeps))
        work = f"training step with backend=, RBM {spins} x {spins}, {reads} reads of {sweeps} sweeps"
        ours = step(model, data, batch, reads, sweeps)
        yield Pair("10", work, ours, "dwave-pytorch-plugin", theirs, at_least(3))


def step(model: ri.RBM, data: Matrix, batch: int, reads: int, sweeps: int) -> Work:
    """Return one update of an epoch."""
    parameters = {"num_sweeps": sweeps, "beta_range": BETAS}
    phase = BackendSamples(ri.WrappedSampler(annealer(), parameters=parameters, beta=1.0), num_reads=reads)
    return epoch(
        model,
        data,
        time.process_time,
        share=batch / len(data),
        negative_phase=phase,
        optimizer="sgd",
        learning_rate=RATE,
        batch_size=batch,
        centred=False,
    )


def plugin_of(model: ri.RBM, data: Matrix, batch: int, reads: int, sweeps: int) -> Callable[[], Work]:
    """Return what makes the same update with the plugin, hidden spins of the data by their means."""

    def make() -> Work:
        import torch
        from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine
        from dwave.plugins.torch.samplers import DimodSampler

        n = model.n_visible
        hidden = list(range(n, 2 * n))
        edges = [(i, a) for i in range(n) for a in hidden]
        machine = GraphRestrictedBoltzmannMachine(range(2 * n), edges, hidden)
        machine.quadratic.data.copy_(torch.from_numpy(-model.weights.T.ravel()))
        options = {"num_reads": reads, "num_sweeps": sweeps, "beta_range": BETAS, "seed": 1}
        sampler = DimodSampler(machine, annealer(), prefactor=1.0, sample_kwargs=options)
        optimizer = torch.optim.SGD(machine.parameters(), lr=RATE)
        rows = torch.from_numpy(data[:batch])

        def update() -> None:
            optimizer.zero_grad()
            states = sampler.sample()
            machine.quasi_objective(rows, states, kind="exact-disc").backward()
            optimizer.step()

        return lambda: seconds(update, time.process_time, len(data) // batch)

    return make
