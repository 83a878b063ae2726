"""Gibbs sweeps of models of two layers, and parallel tempering by them (lines 1, 2, 4, 12)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

import rapid_ising as ri
from benchmarks.products import signs, sweep_products
from benchmarks.rbm_peers import sweeps
from benchmarks.side_by_side import Pair, Size, Work, at_least, at_most, case, pick
from rapid_ising.training.negative_phase import ParallelTempering
from rapid_ising_backends.parallel_tempering import ParallelTempering as ParallelTemperingBackend

BESIDE = at_most(1.15)


@case(1, 2)
def wide(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, chains = pick(size, (20, 30, 8), (784, 3000, 512))
    model = ri.RBM(visible, hidden, seed=0)
    count = pick(size, 1, 3)
    work = f"block-Gibbs sweep, V={visible} H={hidden}, {chains} chains"
    ours, limit = steps(model, chains, count), sweep_products(model.weights, chains, count)
    target = at_most({1: 1.08}.get(threads, 1.15))
    yield Pair("1", work, ours, "its two products", limit, target, parts=count)


@case(1, 2)
def narrow(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, chains = pick(size, (4, 30, 8), (16, 1000, 2048))
    model = ri.RBM(visible, hidden, seed=0)
    count = pick(size, 1, 10)
    work = f"block-Gibbs sweep, V={visible} H={hidden}, {chains} chains"
    ours, limit = steps(model, chains, count), sweep_products(model.weights, chains, count)
    target = at_most({1: 1.7}.get(threads, 2.2))
    yield Pair("2", work, ours, "its two products", limit, target, parts=count)
    for name, theirs in sweeps(visible, hidden, chains, count).items():
        yield Pair("2", work, ours, name, theirs, at_least(10), parts=count)


@case(1, 2)
def patterns(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, k, chains = pick(size, (20, 30, 2, 8), (784, 3000, 200, 512))
    model = ri.PatternRBM(visible, hidden, k, seed=0)
    through_weights = ri.RBM(visible, hidden, seed=0)
    through_weights.weights[...] = model.weights
    bound = 0.6 * visible * hidden / (k * (visible + hidden))
    work = f"Gibbs sweep through K={k} patterns, V={visible} H={hidden}, {chains} chains"
    ours, theirs = steps(model, chains, 1), steps(through_weights, chains, 1)
    yield Pair("4", work, ours, "through W", theirs, at_least(round(bound, 2)))


@case(1, 2)
def tempering(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, chains = pick(size, (20, 30, 4), (784, 500, 64))
    rungs, count = 10, pick(size, 1, 5)
    model, rng = ri.RBM(visible, hidden, seed=0), np.random.default_rng(0)
    data = signs(rng, chains, visible)
    phase = ParallelTempering(betas=rungs, chains=chains, steps=count)
    phase.start(model, data, rng)
    work = f"parallel tempering, {rungs} temperatures of {chains} chains, V={visible} H={hidden}"
    sweep = f"{rungs} plain sweeps"
    update, plain = partial(phase.statistics, model, data, rng), steps(model, chains, rungs * count)
    yield Pair("12", f"{work}, in training", update, sweep, plain, BESIDE, parts=count)
    problem, rounds = model.ising(), pick(size, 2, 20)
    states = signs(rng, chains, visible + hidden).astype(np.int8)
    machine = ParallelTemperingBackend(rungs=rungs, chains=chains, burn_in=rounds - 1)
    read = partial(machine.sample, problem, num_reads=chains, seed=0)
    plain = partial(ri.gibbs_sweeps, problem, states, rungs * rounds, 1.0, rng)
    yield Pair("12", f"{work}, as a backend", read, sweep, plain, BESIDE, parts=rounds)


def steps(model: ri.Model, chains: int, count: int) -> Work:
    """Return so many Gibbs steps of a model."""
    rng = np.random.default_rng(0)
    start = signs(rng, chains, model.n_visible)
    return lambda: model.gibbs_step(start, 1.0, rng, count)
