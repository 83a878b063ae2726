"""Each benchmark works, on a small size: how fast anything is, is not a test."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rapid_ising as ri
from benchmarks import memory, side_by_side, table
from benchmarks.__main__ import TOPICS, load, row_from, rows_of
from benchmarks.dense_rapid import DenseRapid
from benchmarks.side_by_side import CASES, Pair, Seconds, at_least, at_most, measured, turns
from rapid_ising.training.negative_phase import PatternCorrelations
from rapid_ising.validation import TRAINING, generator

load()
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", CASES)
def test_a_case_yields_rows_that_the_table_can_hold(name: str) -> None:
    _, threads = CASES[name]
    rows = list(rows_of(name, "smoke", threads[-1]))
    assert rows
    for row in rows:
        assert row.threads == threads[-1]
        assert row.value is not None or row.verdict in ("peer not installed", "")
        assert row_from(json.dumps(dataclasses.asdict(row))) == row
    assert len(table.text(rows).splitlines()) == 1 + len(rows)


def test_every_file_with_cases_is_a_topic() -> None:
    files = {
        path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\n@case(" in path.read_text("utf-8")
    }
    assert files == {*TOPICS} == {name.partition(".")[0] for name in CASES}


class TestSideBySide:
    def test_against_a_limit_the_ratio_is_ours_over_it(self) -> None:
        row = measured(told(3.0, 2.0, at_most(1.5)), "smoke", 1)
        assert (row.value, row.verdict) == (1.5, "yes")
        assert measured(told(3.1, 2.0, at_most(1.5)), "smoke", 1).verdict == "no"

    def test_against_a_peer_it_is_how_many_times_faster(self) -> None:
        pair = dataclasses.replace(told(2.0, 3.0, at_least(6)), multiple=4.0, parts=2.0)
        row = measured(pair, "smoke", 1)
        assert (row.value, row.verdict) == (6.0, "yes")
        assert (row.ours, row.theirs) == (1.0, 6.0)

    def test_of_the_turns_the_median_ratio_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(side_by_side, "ENOUGH", 0.0)
        # Fifteen turns after two trials of ours, fewer than half of them disturbed.
        times = iter([2.0] * 10 + [20.0] * 7)
        row = measured(
            Pair("1", "", lambda: Seconds(next(times)), "", lambda: Seconds(4.0), at_most(1)), "full", 1
        )
        assert (row.ours, row.theirs, row.value) == (2.0, 4.0, 0.5)
        assert next(times, None) is None

    def test_the_ways_take_turns(self) -> None:
        calls: list[str] = []

        def way(name: str) -> Callable[[], Seconds]:
            def work() -> Seconds:
                calls.append(name)
                return Seconds(9.0)

            return work

        assert list(turns(way("a"), way("b"), lambda: 0.0, fewest=2, most=2)) == [(9.0, 9.0)] * 2
        assert calls == ["a", "b", "a", "b"]

    def test_a_peer_that_is_not_there_is_said(self) -> None:
        pair = Pair("2", "a work", lambda: Seconds(1.0), "a peer", None, at_least(2))
        row = measured(pair, "smoke", 1)
        assert row.verdict == "peer not installed"
        assert "peer not installed" in table.page([row])


def told(ours: float, theirs: float, target: object) -> Pair:
    """Return a pair of works that say what they took."""
    return Pair("1", "a work", lambda: Seconds(ours), "a peer", lambda: Seconds(theirs), target)  # type: ignore[arg-type]


def test_memory_counts_what_numpy_allocates() -> None:
    size = 64 * 2**20
    before = memory.peak_of_process()
    kept, peak = memory.peak_of(lambda: int(np.ones(size, np.uint8).sum()))
    assert kept == size
    if peak is None:
        pytest.skip("no /proc/self/clear_refs: this system cannot count a peak anew")
    assert 0.9 * size < peak < 1.5 * size
    assert before > 0


class TestDenseRapid:
    """The peer of the library's own epoch makes the same update."""

    @pytest.mark.parametrize("batch", [7, 20])
    def test_an_epoch_is_that_of_the_library_to_rounding(self, batch: int) -> None:
        data = 2 * np.random.default_rng(1).integers(2, size=(20, 12)).astype(np.float32) - 1
        model = ri.PatternRBM(12, 30, 4, seed=0)
        peer = DenseRapid(model.visible_patterns, model.hidden_patterns)
        settings = {"optimizer": "sgd", "learning_rate": 0.02, "epochs": 1, "batch_size": batch}
        ri.train(
            model,
            data,
            negative_phase=PatternCorrelations(gibbs_steps=0),
            constraint="free",
            last_batch="nominal",
            centred=False,
            temperature=1.0,
            seed=5,
            progress=False,
            **settings,  # type: ignore[arg-type]
        )
        order = generator(5, TRAINING).permutation(len(data))
        peer.epoch(data, order, batch, 0.02, signs=False)
        # Sums of 30 terms or fewer, a step of 0.02: some rounding units of the entries, which are below 1.
        np.testing.assert_allclose(peer.visible, model.visible_patterns, atol=2e-6, rtol=0)
        np.testing.assert_allclose(peer.hidden, model.hidden_patterns, atol=2e-6, rtol=0)

    def test_signs_are_taken_at_the_end_of_an_epoch(self) -> None:
        data = ri.datasets.stripes(4).train
        model = ri.PatternRBM(16, 50, 8, seed=0, amplitude=1.0)
        peer = DenseRapid(model.visible_patterns, model.hidden_patterns)
        ri.train(model, data, recipe="paper", learning_rate=0.5, epochs=1, seed=5, progress=False)
        peer.epoch(data.astype(np.float32), generator(5, TRAINING).permutation(len(data)), 3, 0.5, signs=True)
        before = ri.PatternRBM(16, 50, 8, seed=0, amplitude=1.0)
        assert (model.visible_patterns != before.visible_patterns).any()
        assert (peer.visible == model.visible_patterns).all()
        assert (peer.hidden == model.hidden_patterns).all()
