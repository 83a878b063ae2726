"""Contrastive divergence: against the products of a step, and the peers' epochs (line 11)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

import rapid_ising as ri
from benchmarks.products import Matrix, products, signs
from benchmarks.rbm_peers import epochs
from benchmarks.side_by_side import Pair, Seconds, Size, Work, at_least, at_most, case, pick, seconds
from rapid_ising.training.negative_phase import (
    ContrastiveDivergence,
    NegativePhase,
    PersistentContrastiveDivergence,
)


def shape(size: Size) -> tuple[int, int, int, int]:
    """Return V, H, the size of a batch and the rows of an epoch."""
    return pick(size, (20, 10, 8, 32), (784, 500, 128, 2560))


@case(1, 2)
def persistent_step(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, batch, rows = shape(size)
    data = signs(np.random.default_rng(0), rows, visible)
    updates = rows // batch
    work = f"PCD-1 step, V={visible} H={hidden}, batch and chains {batch}"
    phase = PersistentContrastiveDivergence(k=1, chains=batch)
    ours = epoch(data.astype(np.int8), hidden, batch, phase)
    limit = step_products(visible, hidden, batch, updates)
    yield Pair("11", work, ours, "its six products", limit, at_most(1.1), parts=updates)
    for name, theirs in epochs(data > 0, hidden, batch, 1, persistent=True).items():
        yield Pair("11", work, ours, name, theirs, at_least(2), parts=updates)


@case(1, 2)
def ten_steps(size: Size, threads: int) -> Iterator[Pair]:
    visible, hidden, batch, rows = shape(size)
    steps = pick(size, 2, 10)
    data = signs(np.random.default_rng(0), rows, visible)
    for kind, persistent in (("CD", False), ("PCD", True)):
        phase: NegativePhase = ContrastiveDivergence(k=steps)
        if persistent:
            phase = PersistentContrastiveDivergence(k=steps, chains=batch)
        work = f"{kind}-{steps} epoch, V={visible} H={hidden}, {rows} rows by {batch}"
        ours = epoch(data.astype(np.int8), hidden, batch, phase)
        for name, theirs in epochs(data > 0, hidden, batch, steps, persistent).items():
            yield Pair("11", work, ours, name, theirs, at_least(2))


def epoch(data: npt.NDArray[np.int8], hidden: int, batch: int, phase: NegativePhase) -> Work:
    """Return an epoch of training, in the seconds that it counts."""
    model = ri.RBM(data.shape[1], hidden, seed=0)

    def work() -> Seconds:
        run = ri.train(
            model,
            data,
            negative_phase=phase,
            optimizer="sgd",
            learning_rate=0.01,
            centred=False,
            batch_size=batch,
            epochs=1,
            seed=0,
            progress=False,
        )
        return Seconds(run.seconds)

    return work


def step_products(visible: int, hidden: int, batch: int, times: int) -> Work:
    """Return the six products that a step cannot avoid, times over; timed by itself as an epoch is.

    v W^T of the batch; v W^T, h W and again v W^T of the chains, for their step and for their means; and the
    correlations h^T v of each phase.
    """
    rng = np.random.default_rng(0)
    weights = rng.random((hidden, visible), dtype=np.float32)
    v, h = signs(rng, batch, visible), signs(rng, batch, hidden)
    fields: tuple[Matrix, Matrix] = (v, weights.T)
    work = products(fields, fields, (h, weights), fields, (h.T, v), (h.T, v), times=times)
    return lambda: seconds(work)
