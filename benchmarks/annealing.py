"""Time to the mean energy that 1000 sweeps of an annealer reach: dwave-samplers and OpenJij (lines 7 and 8).

A peer has all reads in one call on one thread, and either the schedule that it works out for itself, made
beforehand since that takes seconds, or this annealer's, which serves it better. Of the annealer it is the
fewest sweeps, each number about 1.2 times the last, whose mean energy is no higher than the peer's by more
than the standard error of the difference.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from dwave.samplers import SimulatedAnnealingSampler
from dwave.samplers.sa.sampler import _default_ising_beta_range

import rapid_ising as ri
from benchmarks.side_by_side import Pair, Size, at_least, case, pick
from rapid_ising_backends.annealing import Annealing

Energies = npt.NDArray[np.float64]
Peer = Callable[[int], Energies]
"""Reads to their energies."""
READS = 100


@case(1)
def dense(size: Size, threads: int) -> Iterator[Pair]:
    targets = {400: (None, 1.2), 1000: (8.0, 2.5), 2000: (12.0, 8.0)}
    for spins in pick(size, (20,), (400, 1000, 2000)):
        yield from against_peers("7", "dense", spins, size, *targets.get(spins, (None, None)))


@case(1)
def layers(size: Size, threads: int) -> Iterator[Pair]:
    for kind, spins in pick(size, (("rbm", 20),), (("rbm", 128), ("wide", 1784))):
        yield from against_peers("8", kind, spins, size, 8.0)


@case(1)
def graphs(size: Size, threads: int) -> Iterator[Pair]:
    for kind in ("sparse", "patterns"):
        yield from against_peers("-", kind, pick(size, 80, 2000), size)


def against_peers(
    line: str,
    kind: str,
    spins: int,
    size: Size,
    to_dwave: float | None = None,
    to_open_jij: float | None = None,
) -> Iterator[Pair]:
    """Yield a pair for each peer and schedule."""
    model, sweeps, reads = problem(kind, spins), pick(size, 10, 1000), pick(size, 8, READS)
    answer = Annealing(sweeps).sample(model, num_reads=1, beta=math.inf, seed=0)
    facts = answer.info["rapid_ising"]["stages"][0]
    hot, cold = facts["beta_range"]
    # The last sweeps as cold as can be, as ours are.
    schedule = np.r_[np.linspace(hot, cold, sweeps - sweeps // 10), np.full(sweeps // 10, 1e3 * cold)]
    few = max(6, min(reads, int(3e7 / spins**2)))
    peers = [("dwave-samplers", dwave_samplers, to_dwave)]
    if kind == "dense":
        peers.append(("OpenJij", open_jij, to_open_jij))
    for name, peer, target in peers:
        for added, given in ((", 1000 sweeps", None), (", 1000 sweeps of our schedule", schedule)):
            work = f"{kind} {spins}, a read by {facts['sweeps']}"
            if name == "OpenJij" and importlib.util.find_spec("openjij") is None:
                yield Pair(line, work, partial(anneal, model, reads, sweeps), name + added, None)
                continue
            theirs = partial(peer(model, sweeps, given), few)
            count = fewest_sweeps(model, theirs(), reads, sweeps)
            yield Pair(
                line,
                f"{work}, {count} sweeps" + (" and not there" if count >= 4 * sweeps else ""),
                partial(anneal, model, reads, count),
                name + added,
                theirs,
                None if target is None else at_least(target),
                multiple=reads / few,
                parts=reads,
            )


def anneal(model: ri.IsingModel, reads: int, sweeps: int) -> Energies:
    """Return the energies of reads of the annealer."""
    energies: Energies = Annealing(sweeps).sample(model, num_reads=reads, beta=math.inf, seed=1).record.energy
    return energies


def fewest_sweeps(model: ri.IsingModel, goal: Energies, reads: int, most: int) -> int:
    """Return the sweeps that reach a peer's mean energy, at most four times as many as its own."""
    count = 10.0
    while count < 4 * most:
        found = anneal(model, reads, round(count))
        error = math.hypot(goal.std() / math.sqrt(len(goal)), found.std() / math.sqrt(len(found)))
        if found.mean() <= goal.mean() + error:
            break
        count *= 1.2
    return round(count)


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
    own_range: Callable[..., object] = _default_ising_beta_range
    options = (
        {"beta_range": own_range(bqm.linear, bqm.quadratic), "num_sweeps": sweeps}
        if schedule is None
        else {"beta_schedule_type": "custom", "beta_schedule": schedule}
    )
    sampler = SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]
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
