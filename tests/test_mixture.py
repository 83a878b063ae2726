"""Mixtures of negative phases, and persistent chains from patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phases import check_resume, improvement, largest_error
from small_models import IMAGES, biased_pattern_rbm, kind, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError, UnknownNameError

DATA = IMAGES.astype(float)


@pytest.mark.parametrize("model", [pattern_rbm(), biased_pattern_rbm()], ids=kind)
def test_a_mixture_is_the_average(model: ri.Model) -> None:
    parts = [ri.PatternCorrelations(), ri.ExactExpectation()]
    mixture = ri.Mixture(["patterns", "exact"], [0.25, 0.75])
    rng = np.random.default_rng(0)
    mixture.start(model, DATA, rng)
    found = mixture.statistics(model, DATA, rng)
    first, second = (part.statistics(model, DATA, rng) for part in parts)
    np.testing.assert_allclose(
        found.correlations(1, 0), 0.25 * first.correlations(1, 0) + 0.75 * second.correlations(1, 0)
    )
    positive = model.statistics(DATA)
    gradient = model.gradient(positive, found)
    ones = model.gradient(positive, first), model.gradient(positive, second)
    for name, array in gradient.items():
        np.testing.assert_allclose(array, 0.25 * ones[0][name] + 0.75 * ones[1][name], atol=1e-12)


def test_shares_are_equal_unless_given() -> None:
    assert ri.Mixture(["cd", "pcd", "exact", ri.PatternCorrelations()]).shares == [0.25] * 4


def test_what_a_mixture_was_made_of_is_left_alone() -> None:
    """Two trainings with one mixture, also inside of another, share no chains."""
    inner = ri.PersistentContrastiveDivergence(k=1, chains=5)
    mixture = ri.Mixture([ri.Mixture([inner, "cd"]), inner])
    runs = []
    for _ in range(2):
        model = ri.RBM(4, 3, seed=0)
        ri.train(model, IMAGES, negative_phase=mixture, epochs=3, seed=1, progress=False)
        runs.append(model.weights)
    np.testing.assert_array_equal(runs[0], runs[1])
    assert inner._chains is None
    assert mixture.state() == {}


def test_training_and_resume(tmp_path: Path) -> None:
    assert improvement(ri.Mixture(["cd", "pcd"])) > 2
    nested = ri.Mixture([ri.ParallelTempering(3, chains=4), "cd"], [0.3, 0.7])
    check_resume(ri.Mixture(["patterns", nested, ri.PersistentContrastiveDivergence(2, chains=5)]), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "one or more methods"),
        (("pcd",), "one or more methods"),
        ((["pcd"], [0.5, 0.5]), "2 shares do not fit 1 phases"),
        ((["pcd", "cd"], [0.5, 0.6]), "must add up to 1, not 1.1"),
        ((["pcd", "cd"], [1.5, -0.5]), "each of shares must be more than 0"),
        (([3],), "negative phase must be one of the names"),
    ],
)
def test_bad_mixtures_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ri.Mixture(*arguments)
    with pytest.raises(UnknownNameError, match="did you mean 'pcd'"):
        ri.Mixture(["pdc"])


def test_persistent_chains_start_at_the_patterns_and_go_on() -> None:
    """The law after one update is that of fresh chains; after many, the model's."""
    model, chains = pattern_rbm(), 4000
    rng = np.random.default_rng(2)
    persistent = ri.PatternCorrelations(gibbs_steps=2, chains=chains, restart=0)
    persistent.start(model, DATA, rng)
    first = persistent.statistics(model, DATA, rng).correlations(1, 0)
    restarted = ri.PatternCorrelations(gibbs_steps=2, chains=chains)
    fresh = restarted.statistics(model, DATA, rng)
    reads = 2 * chains
    # Products within -1 .. 1: five standard errors of a difference, and of a mean.
    assert np.abs(first - fresh.correlations(1, 0)).max() < 5 * np.sqrt(2 / reads)
    for _ in range(50):
        found = persistent.statistics(model, DATA, rng)
    assert largest_error(model, found) < 5 / np.sqrt(reads)
    # A start is anew at the patterns, and two updates of two steps have the law of one of four.
    persistent.start(model, DATA, rng)
    steps = np.random.default_rng(3)
    persistent.statistics(model, DATA, steps)
    second = persistent.statistics(model, DATA, steps).correlations(1, 0)
    longer = ri.PatternCorrelations(gibbs_steps=4, chains=chains)
    whole = longer.statistics(model, DATA, np.random.default_rng(3)).correlations(1, 0)
    assert np.abs(second - whole).max() < 5 * np.sqrt(2 / reads)


def test_a_share_of_the_chains_starts_anew_at_random_patterns() -> None:
    """Cold, chains stay where they are, so that those that came back to the patterns can be counted."""
    model = ri.PatternRBM(60, 40, 3, amplitude=1.0, scale=50.0, seed=0)
    rng = np.random.default_rng(4)
    phase = ri.PatternCorrelations(gibbs_steps=1, restart=0.25, num_chains=4000)
    phase.start(model, DATA, rng)
    phase.statistics(model, DATA, rng)
    rest = model.gibbs_step(model.states(), 1.0, rng, 20)
    away = rest[0] * np.where(np.arange(60) < 30, 1, -1)
    phase.restore({"chains": np.repeat(away[np.newaxis], 4000, axis=0)})
    begun = phase._begun(model, rng)
    again = (begun != away).any(axis=1)
    # Five standard errors of a share of a quarter, and of a third of that for each pattern.
    assert abs(again.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)
    for pattern in model.states():
        share = (begun == pattern).all(axis=1).mean()
        assert abs(share - 0.25 / 3) < 5 * np.sqrt(0.083 * 0.917 / 4000)


def test_persistent_chains_resume(tmp_path: Path) -> None:
    check_resume(ri.PatternCorrelations(gibbs_steps=2, chains=3, restart=0), tmp_path)


def test_persistent_chains_need_steps_and_patterns() -> None:
    with pytest.raises(InvalidParameterError, match="would never move"):
        ri.PatternCorrelations(restart=0)
    with pytest.raises(InvalidParameterError, match="needs a model built from patterns"):
        ri.PatternCorrelations(gibbs_steps=1, restart=0).start(rbm(), DATA, np.random.default_rng(0))
