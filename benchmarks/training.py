"""Contrastive divergence: against the products of a step, and the peers' epochs (line 11)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import rapid_ising as ri
from benchmarks.epochs import epoch
from benchmarks.products import Matrix, products, signs
from benchmarks.rbm_peers import epochs
from benchmarks.side_by_side import Clock, Pair, Size, Work, at_least, at_most, case, clock_of, pick, seconds
from rapid_ising.training.negative_phase import (
    ContrastiveDivergence,
    NegativePhase,
    PersistentContrastiveDivergence,
)
from rapid_ising.typing import States


def shape(size: Size) -> tuple[int, int, int, int]:
    """Return V, H, the size of a batch and the rows of an epoch."""
    return pick(size, (20, 10, 8, 32), (784, 500, 128, 2560))


@case(1, 2)
def persistent_step(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, batch, rows = shape(size)
    data = signs(np.random.default_rng(0), rows, visible)
    count, clock = rows // batch, clock_of(threads)
    work = f"PCD-1 step, V={visible} H={hidden}, batch and chains {batch}"
    phase = PersistentContrastiveDivergence(k=1, chains=batch)
    ours = updates(data.astype(np.int8), hidden, batch, phase, clock)
    limit = step_products(visible, hidden, batch, count, clock)
    yield Pair("11", work, ours, "its six products", limit, at_most(1.1), parts=count)
    for name, theirs in epochs(data > 0, hidden, batch, 1, True, clock).items():
        yield Pair("11", work, ours, name, theirs, at_least(2), parts=count)


@case(1, 2)
def ten_steps(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, batch, rows = shape(size)
    steps, clock = pick(size, 2, 10), clock_of(threads)
    data = signs(np.random.default_rng(0), rows, visible)
    for kind, persistent in (("CD", False), ("PCD", True)):
        phase: NegativePhase = ContrastiveDivergence(k=steps)
        if persistent:
            phase = PersistentContrastiveDivergence(k=steps, chains=batch)
        work = f"{kind}-{steps} epoch, V={visible} H={hidden}, {rows} rows by {batch}"
        ours = updates(data.astype(np.int8), hidden, batch, phase, clock)
        for name, theirs in epochs(data > 0, hidden, batch, steps, persistent, clock).items():
            yield Pair("11", work, ours, name, theirs, at_least(2))


def updates(data: States, hidden: int, batch: int, phase: NegativePhase, clock: Clock) -> Work:
    """Return an epoch of plain stochastic gradient ascent."""
    model = ri.RBM(data.shape[1], hidden, seed=0)
    return epoch(
        model,
        data,
        clock,
        negative_phase=phase,
        optimizer="sgd",
        learning_rate=0.01,
        batch_size=batch,
        centred=False,
    )


def step_products(visible: int, hidden: int, batch: int, times: int, clock: Clock) -> Work:
    """Return the six products that a step cannot avoid, times over; timed by itself as an epoch is.

    v W^T of the batch; v W^T, h W and again v W^T of the chains, for their step and for their means; and the
    correlations h^T v of each phase.
    """
    rng = np.random.default_rng(0)
    weights = rng.random((hidden, visible), dtype=np.float32)
    v, h = signs(rng, batch, visible), signs(rng, batch, hidden)
    fields: tuple[Matrix, Matrix] = (v, weights.T)
    work = products(fields, fields, (h, weights), fields, (h.T, v), (h.T, v), times=times)
    return lambda: seconds(work, clock)
