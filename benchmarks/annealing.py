"""Time to the mean energy that 1000 sweeps of a peer reach: the annealer against dwave-samplers and OpenJij.

Run: python benchmarks/annealing.py [N] [READS] [KIND] [SWEEPS] [THREADS]

A peer has all reads in one call, one thread, and either the schedule that it works out for itself, made
beforehand since that takes seconds, or this annealer's, which serves it better. Of the annealer it is the
fewest sweeps, each number about 1.2 times the last, whose mean energy is no higher than the peer's by more
than the standard error of the difference. Both are timed in turns; the ratio is that of the shortest times.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from dwave.samplers import SimulatedAnnealingSampler
from dwave.samplers.sa.sampler import _default_ising_beta_range

import rapid_ising as ri
from rapid_ising.threads import use_threads
from rapid_ising_backends.annealing import Annealing

Energies = npt.NDArray[np.float64]
Peer = Callable[[int], Energies]
"""Reads to their energies."""
TURNS = 3


@dataclasses.dataclass(frozen=True)
class Measured:
    """A line of the table: the seconds a read of both, at the same mean energy."""

    work: str
    peer: str
    ours: float
    theirs: float
    sweeps: int
    energies: tuple[float, float]


def problem(kind: str, spins: int) -> ri.IsingModel:
    """Return a problem of a kind: dense, whole, fields, patterns, rbm, wide or sparse."""
    rng = np.random.default_rng(spins)
    half = np.triu(rng.normal(size=(spins, spins)), 1)
    if kind == "whole":
        half = np.sign(half)
    fields = np.sqrt(spins) * rng.normal(size=spins) if kind == "fields" else np.zeros(spins)
    if kind in ("rbm", "wide"):
        visible = spins // 2 if kind == "rbm" else spins * 784 // 1784
        return ri.IsingModel(fields, ri.Bipartite(rng.normal(size=(visible, spins - visible))))
    if kind == "patterns":
        return ri.IsingModel(fields, ri.Patterns(rng.choice([-1.0, 1.0], size=(16, spins)), -1 / spins))
    if kind == "sparse":
        import networkx as nx

        edges = np.array(nx.random_regular_graph(15, spins + spins % 2, seed=1).edges)
        edges = edges[(edges < spins).all(axis=1)]
        return ri.IsingModel(fields, ri.Sparse(spins, edges[:, 0], edges[:, 1], rng.normal(size=len(edges))))
    return ri.IsingModel(fields, half + half.T)


def dwave_samplers(model: ri.IsingModel, sweeps: int, schedule: Energies | None) -> Peer:
    """Return its annealer: with its own range of temperatures, or a schedule."""
    bqm = model.to_bqm()
    options = (
        {"beta_range": _default_ising_beta_range(bqm.linear, bqm.quadratic), "num_sweeps": sweeps}
        if schedule is None
        else {"beta_schedule_type": "custom", "beta_schedule": schedule}
    )
    sampler = SimulatedAnnealingSampler()
    return lambda reads: sampler.sample(bqm, num_reads=reads, seed=1, **options).record.energy


def open_jij(model: ri.IsingModel, sweeps: int, schedule: Energies | None) -> Peer:
    """Return its annealer on its dense graph: with its own schedule, or one that is given."""
    from openjij import cxxjij
    from openjij.sampler.sa_sampler import geometric_ising_beta_schedule

    n, rng = model.num_variables, np.random.default_rng(0)
    matrix = np.zeros((n + 1, n + 1))
    matrix[:n, :n] = model.couplings.to_dense()
    matrix[:n, n] = matrix[n, :n] = model.fields
    matrix[n, n] = 1
    graph = cxxjij.graph.Dense(n)
    graph.set_interaction_matrix(matrix)
    system = cxxjij.system.make_classical_ising([1] * n, graph)
    if schedule is None:
        steps, _ = geometric_ising_beta_schedule(graph, num_sweeps=sweeps, seed=1)
    else:
        steps = [(float(beta), 1) for beta in schedule]

    def sample(reads: int) -> Energies:
        states = np.empty((reads, n), np.int8)
        for state in states:
            system.reset_spins((2 * rng.integers(2, size=n) - 1).tolist())
            cxxjij.algorithm.Algorithm_SingleSpinFlip_run(system, int(rng.integers(2**31)), steps)
            state[:] = np.asarray(system.spin)[:n]
        return model.energies(states)

    return sample


def measure(
    work: str,
    model: ri.IsingModel,
    name: str,
    peer: Peer,
    reads: int,
    peer_reads: int,
    sweeps: int,
    threads: int,
) -> Measured:
    """Return the seconds of both at the peer's mean energy."""
    clock = time.process_time if threads == 1 else time.perf_counter
    goal = peer(peer_reads)

    def ours(sweeps: int) -> Energies:
        return Annealing(sweeps).sample(model, num_reads=reads, beta=math.inf, seed=1).record.energy

    count = 10.0
    while count < 4 * sweeps:
        found = ours(round(count))
        error = math.hypot(goal.std() / math.sqrt(len(goal)), found.std() / math.sqrt(len(found)))
        if found.mean() <= goal.mean() + error:
            break
        count *= 1.2
    times = {True: math.inf, False: math.inf}
    for _ in range(TURNS):
        for own in (True, False):
            began = clock()
            if own:
                ours(round(count))
            else:
                peer(peer_reads)
            times[own] = min(times[own], clock() - began)
    means = float(found.mean()), float(goal.mean())
    return Measured(work, name, times[True] / reads, times[False] / peer_reads, round(count), means)


def cases(kind: str, spins: int, reads: int, sweeps: int, threads: int) -> Iterator[Measured]:
    """Yield a line for each peer and schedule."""
    model = problem(kind, spins)
    info = (
        Annealing(sweeps).sample(model, num_reads=1, beta=math.inf, seed=0).info["rapid_ising"]["stages"][0]
    )
    hot, cold = info["beta_range"]
    # The last sweeps as cold as can be, as ours are.
    schedule = np.r_[np.linspace(hot, cold, sweeps - sweeps // 10), np.full(sweeps // 10, 1e3 * cold)]
    work = f"{kind} {spins}, {info['sweeps']}"
    few = max(6, min(reads, int(3e7 / spins**2)))
    peers = {"dwave-samplers": dwave_samplers}
    if importlib.util.find_spec("openjij") and kind not in ("rbm", "wide", "sparse"):
        peers["OpenJij"] = open_jij
    for name, peer in peers.items():
        for added, given in (("", None), (", our schedule", schedule)):
            work_of_peer = peer(model, sweeps, given)
            yield measure(work, model, name + added, work_of_peer, reads, few, sweeps, threads)


def main(
    spins: int = 400, reads: int = 100, kind: str = "dense", sweeps: int = 1000, threads: int = 1
) -> None:
    """Print the table."""
    sweeps = sweeps if spins >= 100 else 20
    print(f"{kind}, {spins} spins, {reads} reads, {threads} threads; to the mean energy of {sweeps} sweeps")
    print("times in ms a read; energies of ours and the peer's")
    with use_threads(threads):
        for line in cases(kind, spins, reads, sweeps, threads):
            sides = f"{line.work:24s} {line.peer:28s} {line.ours * 1e3:8.3f} {line.theirs * 1e3:9.3f}"
            means = f"{line.sweeps} sweeps, {line.energies[0]:.1f} {line.energies[1]:.1f}"
            print(f"{sides}  {line.theirs / line.ours:6.1f} x  {means}", flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:2]), *given[2:3], *map(int, given[3:]))
