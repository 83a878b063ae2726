"""Time to the mean energy that 1000 sweeps of a peer reach: the annealer and its peers (lines 7 and 8).

A peer has all reads in one call, on one thread, and the schedule that it works out for itself, or this
annealer's, which serves it better. Of the annealer it is the fewest sweeps, each number about 1.2 times the
last, whose mean energy is no higher than the peer's by more than the standard error of the difference. Both
are timed in turns, and the ratio is that of the shortest times.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from dwave.samplers import SimulatedAnnealingSampler
from dwave.samplers.sa.sampler import _default_ising_beta_range

import rapid_ising as ri
from benchmarks.side_by_side import Row, Size, Target, at_least, case, clock_of, pick, seconds
from rapid_ising_backends.annealing import Annealing

Energies = npt.NDArray[np.float64]
Peer = Callable[[int], Energies]
"""Reads to their energies."""
TURNS = 3
NAMES = {
    "dense": "normal couplings",
    "whole": "couplings of either sign",
    "fields": "normal couplings and fields",
    "rbm": "two layers of one size",
    "wide": "two layers as 784 to 1000",
    "patterns": "16 patterns",
    "sparse": "a graph of degree 15",
}


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
    """Return its annealer with a schedule or its own range, worked out beforehand: that takes seconds."""
    bqm = model.to_bqm()
    if schedule is not None:
        options: dict[str, Any] = {"beta_schedule_type": "custom", "beta_schedule": schedule}
    else:
        options = {"beta_range": _default_ising_beta_range(bqm.linear, bqm.quadratic), "num_sweeps": sweeps}  # type: ignore[no-untyped-call]
    sampler = SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]

    def sample(reads: int) -> Energies:
        answer = sampler.sample(bqm, num_reads=reads, seed=1, **options)
        return np.asarray(answer.record.energy)

    return sample


def open_jij(model: ri.IsingModel, sweeps: int, schedule: Energies | None) -> Peer:
    """Return its annealer on its dense graph, with a schedule or its own, worked out beforehand."""
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


def row(
    line: str,
    work: str,
    model: ri.IsingModel,
    name: str,
    peer: Peer,
    reads: tuple[int, int],
    sweeps: int,
    threads: int,
    target: Target | None,
) -> Row:
    """Return the seconds a read of both at the peer's mean energy, in ``reads`` of ours and of the peer's."""
    clock = clock_of(threads)
    goal = peer(reads[1])

    def ours(sweeps: int) -> Energies:
        answer = Annealing(sweeps).sample(model, num_reads=reads[0], beta=math.inf, seed=1)
        return np.asarray(answer.record.energy)

    count = 10.0
    while True:
        found = ours(round(count))
        error = math.hypot(goal.std() / math.sqrt(len(goal)), found.std() / math.sqrt(len(found)))
        if found.mean() <= goal.mean() + error or count > 4 * sweeps:
            break
        count *= 1.2
    sides: tuple[Callable[[], object], ...] = (lambda: ours(round(count)), lambda: peer(reads[1]))
    times = [[seconds(side, clock) for side in sides] for _ in range(TURNS)]
    own, theirs = (min(column) / part for column, part in zip(zip(*times, strict=True), reads, strict=True))
    work += f", {round(count)} sweeps for {sweeps}"
    return Row(line, work, threads, name, own, theirs, theirs / own, target=target)


def rows(
    line: str, kind: str, spins: int, size: Size, threads: int, targets: dict[str, float]
) -> Iterator[Row]:
    """Yield a line for each peer."""
    model, sweeps = problem(kind, spins), pick(size, 20, 1000)
    reads = pick(size, 4, 100)
    few = max(4, min(reads, int(2e7 / spins**2)))
    peers = {"dwave-samplers": dwave_samplers}
    if importlib.util.find_spec("openjij") and kind not in ("rbm", "wide", "sparse"):
        peers["OpenJij"] = open_jij
    answer = Annealing(sweeps).sample(model, num_reads=1, beta=math.inf, seed=0)
    hot, cold = answer.info["rapid_ising"]["stages"][0]["beta_range"]
    # The last sweeps as cold as can be, as ours are.
    last = sweeps // 10
    schedule = np.r_[np.linspace(hot, cold, sweeps - last), np.full(last, 1e3 * cold)]
    work = f"a read at equal mean energy, {NAMES[kind]}, N={spins}"
    for name, make in peers.items():
        target = at_least(targets[name]) if name in targets else None
        for its, given in (("", None), (", our schedule", schedule)):
            peer = make(model, sweeps, given)
            yield row(line, work, model, name + its, peer, (reads, few), sweeps, threads, target)


@case(1)
def dense(size: Size, threads: int) -> Iterator[Row]:
    targets: dict[int, dict[str, float]] = {
        400: {"OpenJij": 1.2},
        1000: {"dwave-samplers": 8, "OpenJij": 2.5},
        2000: {"dwave-samplers": 12, "OpenJij": 8},
    }
    for spins in pick(size, (20,), (400, 1000, 2000)):
        yield from rows("7", "dense", spins, size, threads, targets.get(spins, {}))


@case(1)
def two_layers(size: Size, threads: int) -> Iterator[Row]:
    for kind, spins in pick(size, (("rbm", 20),), (("rbm", 128), ("wide", 1784))):
        yield from rows("8", kind, spins, size, threads, {"dwave-samplers": 8})


@case(1)
def sparse(size: Size, threads: int) -> Iterator[Row]:
    yield from rows("-", "sparse", pick(size, 40, 2000), size, threads, {})
