"""Epochs of the paper's training, patterns for their own negative phase: lines 3 and 5."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

import rapid_ising as ri
from benchmarks.dense_rapid import DenseRapid
from benchmarks.epochs import epoch
from benchmarks.memory import peak_of, peak_of_process
from benchmarks.products import fastest_product, signs
from benchmarks.side_by_side import (
    Clock,
    Pair,
    Row,
    Size,
    Work,
    at_least,
    at_most,
    case,
    clock_of,
    pick,
    seconds,
)
from rapid_ising.typing import States

RATE = 0.02


def dense(model: ri.PatternRBM, data: States, batch: int, epochs: int, clock: Clock) -> Work:
    """Return epochs with W formed, the time of one."""
    rows, rng = data.astype(np.float32), np.random.default_rng(0)
    peer = DenseRapid(model.visible_patterns, model.hidden_patterns)

    def one() -> None:
        peer.epoch(rows, rng.permutation(len(rows)), batch, RATE, signs=True)

    return lambda: seconds(one, clock, epochs)


def pair(
    name: str, data: States, hidden: int, k: int, batch: int, epochs: int, faster: float, threads: int
) -> Pair:
    visible, clock = data.shape[1], clock_of(threads)
    model = ri.PatternRBM(visible, hidden, k, seed=0, amplitude=1.0)
    work = f"RAPID epoch, {name}, V={visible} H={hidden} K={k}, {len(data)} rows by {batch}"
    ours = epoch(model, data, clock, epochs=epochs, recipe="paper", batch_size=batch)
    theirs = dense(model, data, batch, epochs, clock)
    return Pair("3", work, ours, "dense NumPy, W formed", theirs, at_least(faster))


@case(1, 2)
def bars(size: Size, threads: int) -> Iterator[Pair]:
    data = ri.datasets.stripes(4).train
    yield pair("4x4 bars", data, pick(size, 20, 1000), 8, 3, pick(size, 2, 100), 1.5, threads)


@case(1, 2)
def bars_and_stripes(size: Size, threads: int) -> Iterator[Pair]:
    data = ri.datasets.bars_and_stripes(pick(size, 4, 12)).train
    yield pair("12x12 bars and stripes", data, pick(size, 20, 1000), pick(size, 4, 30), 100, 1, 6, threads)


@case(1, 2)
def mnist_size(size: Size, threads: int) -> Iterator[Pair | Row]:
    """At one thread a part of the rows, which makes no difference to the ratio."""
    rows, visible, hidden, k, batch = pick(size, (60, 20, 30, 4, 8), (60_000, 784, 3000, 200, 8000))
    rows = rows if threads > 1 else rows * 4 // 15
    data = signs(np.random.default_rng(0), rows, visible).astype(np.int8)
    made = pair("MNIST size", data, hidden, k, batch, 1, 2.5, threads)
    yield made
    _, peak = peak_of(made.ours)
    if peak is not None:
        above = f"{made.work}: memory over the data in float32"
        yield Row("3", above, threads, "", value=peak / 1e9 - 4e-9 * data.size, target=at_most(0.3, "GB"))
    product, operations = fastest_product(pick(size, 64, 2048))
    # A row of the batch, and a pattern of each update's negative phase, each costs 2 K (2 V + 3 H).
    counted = 2.0 * k * (2 * visible + 3 * hidden) * (rows + k * math.ceil(rows / batch))
    share = f"{made.work}: share of sgemm's rate"
    limit = "the fastest product, as many operations"
    yield Pair(
        "3",
        share,
        made.ours,
        limit,
        lambda: seconds(product, clock_of(threads)),
        at_least(0.75),
        multiple=counted / operations,
    )


@case(2)
def growth(size: Size, threads: int) -> Iterator[Row]:
    """One epoch and one sweep of ever larger models, the largest last, whose memory is the most."""
    k, rows = pick(size, 4, 64), pick(size, 4, 64)
    spins = pick(size, (200, 2000), (10**4, 10**5, 10**6))
    times: dict[str, list[float]] = {"epoch": [], "sweep": []}
    rng = np.random.default_rng(0)
    for count in spins:
        model = ri.PatternRBM(count // 2, count // 2, k, seed=0, amplitude=1.0)
        data = signs(rng, rows, count // 2)
        training = epoch(model, data.astype(np.int8), clock_of(threads), recipe="paper", batch_size=rows)
        calls = pick(size, 1, max(1, 10**6 // count // 4))
        works: dict[str, Work] = {"epoch": training, "sweep": partial(model.gibbs_step, data, 1.0, rng)}
        for name, work in works.items():
            seconds(work)
            times[name].append(min(seconds(work, calls=calls) for _ in range(pick(size, 1, 3))))
    for name, taken in times.items():
        slope = float(np.polyfit(np.log(spins), np.log(taken), 1)[0])
        grown = f"{'RAPID epoch' if name == 'epoch' else 'Gibbs sweep'}, K={k}, {rows} rows: growth with N"
        peer = "itself, N=" + ", ".join(f"{n:g}" for n in spins)
        yield Row("5", grown, threads, peer, ours=taken[-1], value=slope, target=at_most(1.05, "= exponent"))
    whole = f"the whole process, K={k}, N={spins[-1]:g}"
    yield Row("5", whole, threads, "", value=peak_of_process() / 1e9, target=at_most(4, "GB"))
