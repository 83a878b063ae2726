"""Annealed importance sampling against sums over every state, step by step and as a whole."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import small_models
from brute_force import all_states, energy_table

from rapid_ising import RBM, PatternRBM, datasets, load_backend, train
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    DeadlineExceededError,
    InvalidDataError,
    InvalidParameterError,
    UnknownNameError,
)
from rapid_ising.evaluation import (
    AISEstimate,
    annealed_importance,
    annealing_path,
    bracket,
    log_partition,
    reverse_annealed_importance,
)
from rapid_ising.evaluation.annealing_path import AnnealingPath
from rapid_ising.models import TwoLayerModel

Reals = npt.NDArray[np.float64]
MODELS = [small_models.rbm(), small_models.pattern_rbm(), small_models.biased_pattern_rbm()]
BASE = np.array([0.6, -0.3, 0.0, 1.1])
DATA = np.array([[1, 1, -1, 1], [1, -1, -1, 1], [1, 1, 1, -1], [-1, 1, -1, 1]])


def along_the_path(model: TwoLayerModel, beta: float, t: float) -> Reals:
    """p*_t(v, h) for every v (rows) and h (columns): base fields at 1 - t, all of the energy at t beta."""
    base = all_states(model.n_visible) @ BASE
    law: Reals = np.exp((1 - t) * base[:, None] - t * beta * energy_table(model))
    return law


def exact_samples(model: TwoLayerModel, number: int, seed: int) -> npt.NDArray[np.int8]:
    rows = load_backend("exact").sample(model.ising(), num_reads=number, seed=seed).record.sample
    shuffled = np.random.default_rng(seed).permutation(rows)
    return np.asarray(shuffled[:, : model.n_visible], dtype=np.int8)


@functools.cache
def model_of(kind: str, hidden: int) -> TwoLayerModel:
    """A model of 16 pixels in float64, whose runs come out alike on every machine."""
    if kind == "random":
        # Near the onset of glassiness, sigma = (V H)^-1/4; far beyond it no chain leaves its first valley.
        model: TwoLayerModel = RBM(
            16, hidden, seed=1, weight_std={8: 0.5, 50: 0.3, 1000: 0.08}[hidden], dtype=np.float64
        )
        rng = np.random.default_rng(2)
        model.parameters["visible_biases"][:] = rng.normal(0, 0.3, 16)
        model.parameters["hidden_biases"][:] = rng.normal(0, 0.3, hidden)
        return model
    model = PatternRBM(16, hidden, 8, seed=0, dtype=np.float64)
    train(model, datasets.stripes(4).train, temperature=1, seed=0, progress=False)
    return model


class TestPath:
    @pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
    @pytest.mark.parametrize("beta", [0.6, 1.0])
    def test_increments_are_ratios_of_sums_over_the_hidden_spins(
        self, model: TwoLayerModel, beta: float
    ) -> None:
        path = AnnealingPath(model, beta, BASE)
        visible = all_states(4).astype(float)
        fields = model.hidden_fields(visible)
        for t, u in ((0.0, 0.2), (0.2, 0.9), (0.9, 1.0), (1.0, 0.4)):
            ratio = along_the_path(model, beta, u).sum(axis=1) / along_the_path(model, beta, t).sum(axis=1)
            np.testing.assert_allclose(path.increments(visible, fields, t, u), np.log(ratio), atol=1e-12)

    @pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
    def test_goes_from_the_base_to_the_model(self, model: TwoLayerModel) -> None:
        path = AnnealingPath(model, 0.6, BASE)
        assert path.log_base == pytest.approx(math.log(along_the_path(model, 0.6, 0.0).sum()), abs=1e-12)
        assert log_partition(model, 0.6) == pytest.approx(math.log(along_the_path(model, 0.6, 1.0).sum()))

    @pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
    @pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
    def test_a_step_has_the_law_of_gibbs_sampling(self, model: TwoLayerModel, t: float) -> None:
        # v -> h -> v by the conditionals of p*_t(v, h), which the sums over every state give.
        joint = along_the_path(model, 0.6, t)
        given_v, given_h = joint / joint.sum(axis=1, keepdims=True), joint / joint.sum(axis=0)
        transition = given_v @ given_h.T
        marginal = joint.sum(axis=1) / joint.sum()
        np.testing.assert_allclose(marginal @ transition, marginal, atol=1e-12)
        path, rng, n = AnnealingPath(model, 0.6, BASE), np.random.default_rng(0), 40_000
        for start in (0, 6):
            visible = np.repeat(all_states(4)[[start]].astype(float), n, axis=0)
            reached = path.step(model.hidden_fields(visible), t, rng)
            counts = np.bincount(((reached + 1) / 2 @ [8, 4, 2, 1]).astype(int), minlength=16)
            expected = n * transition[start]
            # Chi-squared of 15 degrees of freedom is above 45 once in ten thousand.
            assert (np.square(counts - expected) / expected).sum() < 45

    def test_the_base_has_its_means(self) -> None:
        drawn = AnnealingPath(MODELS[0], 1.0, BASE).draw(40_000, np.random.default_rng(0))
        np.testing.assert_allclose(drawn.mean(axis=0), np.tanh(BASE), atol=4 / math.sqrt(40_000))

    def test_steps_are_even_in_the_spread_that_they_add(self) -> None:
        model, none = model_of("random", 8), Deadline(None)
        path = AnnealingPath(model, 1.0, np.zeros(16))
        fractions = path.even_fractions(8, np.random.default_rng(0), none)
        assert (fractions[0], fractions[-1], len(fractions)) == (0, 1, 9)
        assert (np.diff(fractions) > 0).all()
        # Held against exact samples at each fraction; the length comes from a short run of 100 chains.
        spreads = []
        for t, u in itertools.pairwise(fractions.tolist()):
            problem = model.ising()
            rows = load_backend("exact").sample(problem, num_reads=4000, beta=t, seed=1).record.sample
            visible = rows[:, :16].astype(float)
            spreads.append(path.increments(visible, model.hidden_fields(visible), t, u).std())
        assert max(spreads) < 1.6 * min(spreads)

    def test_steps_follow_the_scale_of_the_energy(self) -> None:
        # In a magnet as cold as this everything happens in the first hundredth of the path.
        magnet = RBM(16, 8, weight_std=0.0, dtype=np.float64)
        magnet.weights[:] = 50.0
        exact = log_partition(magnet)
        found = annealed_importance(magnet, chains=200, betas=200, seed=0)
        assert found.betas[100] < 0.01
        assert abs(found.log_partition - exact) < 4 * found.standard_error < 0.3
        even = annealed_importance(magnet, chains=200, betas=np.linspace(0, 1, 201), seed=0)
        assert abs(even.log_partition - exact) > 1


class TestForward:
    @pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
    @pytest.mark.parametrize("data", [None, DATA], ids=["uniform", "data"])
    @pytest.mark.parametrize("beta", [0.5, 1.4])
    def test_the_mean_weight_is_the_ratio_of_sums(self, model: TwoLayerModel, data: Any, beta: float) -> None:
        # Four steps: nothing is near equilibrium, and the mean is right all the same.
        base = "uniform" if data is None else "data"
        found = annealed_importance(model, beta=beta, chains=20_000, betas=4, base=base, data=data, seed=0)
        exact = math.log(np.exp(-beta * energy_table(model)).sum())
        assert found.log_weight_std > 0.05
        assert abs(found.log_partition - exact) < 4 * found.standard_error < 0.3

    @pytest.mark.parametrize("kind", ["random", "trained"])
    @pytest.mark.parametrize(("hidden", "chains", "betas"), [(8, 500, 500), (50, 500, 500), (1000, 200, 500)])
    def test_is_within_a_twentieth_of_a_nat(self, kind: str, hidden: int, chains: int, betas: int) -> None:
        model = model_of(kind, hidden)
        found = annealed_importance(model, chains=chains, betas=betas, seed=1)
        error = abs(found.log_partition - log_partition(model))
        # With 200 chains of 1000 hidden spins a twentieth is one standard error.
        assert error < max(0.05, 3 * found.standard_error)
        assert error < 4 * found.standard_error

    def test_with_a_uniform_base_is_right_at_every_temperature(self) -> None:
        model = model_of("random", 50)
        found = annealed_importance(model, beta=1.2, chains=300, betas=300, seed=0)
        assert found.log_partitions is not None
        assert found.standard_errors is not None
        assert (found.betas[0], found.betas[-1], len(found.betas)) == (0, 1.2, 301)
        assert found.log_partitions[0] == pytest.approx(66 * math.log(2), abs=1e-12)
        assert found.log_partitions[-1] == found.log_partition
        assert found.standard_errors[-1] == found.standard_error
        for k in (1, 50, 120, 200, 300):
            error = found.log_partitions[k] - log_partition(model, float(found.betas[k]))
            assert abs(error) < 4 * found.standard_errors[k]

    def test_with_a_base_of_data_has_no_curve_and_less_spread_where_pixels_are_constant(self) -> None:
        model = RBM(16, 8, seed=0, weight_std=0.2, dtype=np.float64)
        model.parameters["visible_biases"][:8] = -2.0
        images = model.sample(500, seed=0)
        runs = [
            annealed_importance(model, chains=300, betas=30, base=base, data=data, seed=0)
            for base, data in (("uniform", None), ("data", images))
        ]
        assert runs[1].log_weight_std < 0.5 * runs[0].log_weight_std
        assert runs[1].log_partitions is None
        np.testing.assert_allclose(runs[1].base, np.arctanh(images.mean(axis=0).clip(-0.99, 0.99)))
        for run in runs:
            assert abs(run.log_partition - log_partition(model)) < 4 * run.standard_error

    def test_chains_are_taken_in_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = model_of("random", 8)
        monkeypatch.setattr(annealing_path, "BLOCK", 48)
        found = annealed_importance(model, chains=100, betas=50, seed=0)
        assert abs(found.log_partition - log_partition(model)) < 4 * found.standard_error

    def test_a_model_without_couplings_is_exact(self) -> None:
        found = annealed_importance(RBM(5, 7, weight_std=0.0), chains=2, betas=1, seed=0)
        assert found.log_partition == pytest.approx(12 * math.log(2), abs=1e-12)
        assert (found.standard_error, found.log_weight_std) == (0, 0)
        assert found.effective_sample_size == pytest.approx(2)

    def test_the_same_seed_gives_the_same_estimate(self) -> None:
        model = model_of("random", 8)
        runs = [annealed_importance(model, chains=20, betas=20, seed=seed) for seed in (3, 3, 4)]
        assert np.array_equal(runs[0].log_weights, runs[1].log_weights)
        assert np.array_equal(runs[0].states, runs[1].states)
        assert runs[0].log_partition != runs[2].log_partition

    def test_single_precision_gives_the_same_within_its_error(self) -> None:
        model = RBM(16, 50, seed=1, weight_std=0.3)
        found = annealed_importance(model, chains=300, betas=300, seed=0)
        assert abs(found.log_partition - log_partition(model)) < 4 * found.standard_error

    def test_large_weights_do_not_overflow(self) -> None:
        model = RBM(3, 2, weight_std=0.0)
        model.parameters["weights"][:] = 1000.0
        found = annealed_importance(model, chains=50, betas=100, seed=0)
        assert abs(found.log_partition - (6000 + math.log(2))) < 4 * found.standard_error


class TestTolerance:
    @pytest.mark.parametrize("kind", ["random", "trained"])
    def test_more_chains_come_within_it(self, kind: str) -> None:
        model = model_of(kind, 50)
        exact = log_partition(model)
        for seed in range(3):
            found = annealed_importance(model, chains=50, betas=100, tolerance=0.03, seed=seed)
            assert len(found.log_weights) > 50
            assert found.standard_error <= 0.03
            assert abs(found.log_partition - exact) < 4 * 0.03

    def test_a_path_too_short_is_made_longer(self) -> None:
        model = model_of("random", 50)
        found = annealed_importance(model, chains=200, betas=1, tolerance=0.1, seed=0)
        assert len(found.betas) > 4
        assert found.standard_errors is not None
        assert found.standard_errors.shape == found.betas.shape
        assert abs(found.log_partition - log_partition(model)) < 4 * found.standard_error <= 0.4

    def test_given_temperatures_stay(self) -> None:
        given = np.linspace(0, 1, 41) ** 2
        found = annealed_importance(model_of("random", 8), chains=100, betas=given, tolerance=0.02, seed=0)
        np.testing.assert_allclose(found.betas, given, atol=1e-15)
        assert len(found.log_weights) > 100
        assert found.standard_error <= 0.02

    def test_few_chains_are_not_believed(self) -> None:
        # Two chains that agree have a standard error near 0 and say nothing.
        found = annealed_importance(model_of("random", 8), chains=2, betas=50, tolerance=10.0, seed=0)
        assert found.effective_sample_size >= 100

    def test_the_first_run_is_enough_where_it_is_within(self) -> None:
        model = model_of("random", 8)
        runs = [annealed_importance(model, chains=200, betas=50, tolerance=t, seed=3) for t in (None, 1.0)]
        assert np.array_equal(runs[0].log_weights, runs[1].log_weights)

    def test_what_it_cannot_reach_is_refused(self) -> None:
        with pytest.raises(InvalidParameterError, match=r"of 1e-06 nats would take about .* chains"):
            annealed_importance(model_of("random", 8), chains=20, betas=20, tolerance=1e-6, seed=0)
        with pytest.raises(DeadlineExceededError, match="annealed importance sampling"):
            annealed_importance(model_of("random", 50), betas=100, tolerance=3e-3, seed=0, deadline=0.1)


class TestErrorBars:
    def estimate(self, log_weights: Reals) -> AISEstimate:
        return AISEstimate(
            log_partition=0.0,
            beta=1.0,
            log_weights=log_weights,
            betas=np.array([0.0, 1.0]),
            base=np.zeros(2),
            states=np.ones((len(log_weights), 2), np.int8),
        )

    def test_the_standard_error_is_that_of_the_bootstrap(self) -> None:
        rng = np.random.default_rng(0)
        log_weights = 1000 + rng.normal(0, 0.7, 400)
        found = self.estimate(log_weights)
        draws = np.exp(log_weights - 1000)[rng.integers(400, size=(4000, 400))]
        # 4000 draws know their standard deviation to one part in ninety.
        assert found.standard_error == pytest.approx(np.log(draws.mean(axis=1)).std(), rel=0.06)
        size = found.effective_sample_size
        assert found.standard_error == pytest.approx(math.sqrt((400 / size - 1) / 399), rel=1e-9)

    def test_the_effective_sample_size_counts_equal_chains(self) -> None:
        weights = np.array([3.0, 3.0, 3.0, -800.0, -900.0])
        assert self.estimate(weights).effective_sample_size == pytest.approx(3)
        assert self.estimate(weights).log_weight_std == pytest.approx(np.std(weights, ddof=1))

    def test_covers_the_exact_value_as_often_as_it_says(self) -> None:
        model = model_of("random", 8)
        exact = log_partition(model)
        runs = [annealed_importance(model, chains=100, betas=40, seed=seed) for seed in range(60)]
        scores = [(run.log_partition - exact) / run.standard_error for run in runs]
        # Of 60 normal numbers the mean square is below .55 or above 1.6 once in a thousand.
        assert 0.55 < np.mean(np.square(scores)) < 1.6


class TestReverse:
    @pytest.mark.parametrize("model", MODELS, ids=small_models.kind)
    @pytest.mark.parametrize("data", [None, DATA], ids=["uniform", "data"])
    def test_the_mean_weight_is_the_inverse_ratio(self, model: TwoLayerModel, data: Any) -> None:
        base = "uniform" if data is None else "data"
        forward = annealed_importance(model, chains=2, betas=4, base=base, data=data, seed=0)
        samples = exact_samples(model, 20_000, seed=1)
        found = reverse_annealed_importance(model, forward, samples=samples, seed=2)
        assert found.log_weight_std > 0.05
        assert abs(found.log_partition - log_partition(model)) < 4 * found.standard_error < 0.3

    def test_a_short_path_is_below_forward_and_above_backward(self) -> None:
        model = model_of("random", 50)
        exact = log_partition(model)
        runs = [annealed_importance(model, chains=10, betas=10, seed=seed) for seed in range(20)]
        samples = exact_samples(model, 200, seed=0).reshape(20, 10, 16)
        above = [
            reverse_annealed_importance(model, run, samples=part, seed=seed).log_partition
            for seed, (run, part) in enumerate(zip(runs, samples, strict=True))
        ]
        below = [run.log_partition for run in runs]
        for errors in (exact - np.array(below), np.array(above) - exact):
            assert errors.mean() > 2 * errors.std() / math.sqrt(20)

    @pytest.mark.parametrize("kind", ["random", "trained"])
    @pytest.mark.parametrize(("hidden", "chains", "betas"), [(8, 60, 100), (50, 60, 100), (1000, 40, 80)])
    def test_the_bracket_holds_the_exact_value(self, kind: str, hidden: int, chains: int, betas: int) -> None:
        model = model_of(kind, hidden)
        exact = log_partition(model)
        held = []
        for seed in range(20):
            forward = annealed_importance(model, chains=chains, betas=betas, seed=seed)
            reverse = reverse_annealed_importance(model, forward, equilibration=10, seed=100 + seed)
            lower, upper = bracket(forward, reverse)
            held.append(lower <= exact <= upper)
            assert upper - lower < 3
        assert sum(held) >= 18

    def test_starts_follow_the_weights(self) -> None:
        # No step is taken, so that the weight of a chain on a path of one step tells where it started.
        model = RBM(2, 3, seed=0, weight_std=0.5, dtype=np.float64)
        model.parameters["visible_biases"][:] = 0.3, 0.5
        forward = AISEstimate(
            log_partition=0.0,
            beta=1.0,
            log_weights=np.log([0.25, 1e-300, 0.25, 0.5]),
            betas=np.array([0.0, 1.0]),
            base=np.zeros(2),
            states=all_states(2),
        )
        found = reverse_annealed_importance(model, forward, equilibration=0, seed=0)
        expected = math.log(8) - np.log(np.exp(-energy_table(model)).sum(axis=1))
        np.testing.assert_allclose(found.log_weights, expected[[0, 2, 3, 3]], atol=1e-12)
        found = reverse_annealed_importance(model, forward, chains=8, equilibration=0, seed=0)
        np.testing.assert_allclose(found.log_weights, expected[[0, 0, 2, 2, 3, 3, 3, 3]], atol=1e-12)

    def test_margins_are_normal_quantiles(self) -> None:
        model = model_of("random", 8)
        forward = annealed_importance(model, chains=20, betas=20, seed=0)
        reverse = reverse_annealed_importance(model, forward, seed=1)
        lower, upper = bracket(forward, reverse, confidence=0.95)
        assert (forward.log_partition - lower) / forward.standard_error == pytest.approx(1.959964, abs=1e-6)
        assert (upper - reverse.log_partition) / reverse.standard_error == pytest.approx(1.959964, abs=1e-6)
        assert bracket(forward, reverse, 0.0) == (forward.log_partition, reverse.log_partition)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"beta": 0.0}, InvalidParameterError, "beta must be more than 0"),
            ({"beta": math.inf}, InvalidParameterError, "beta must be a finite number"),
            ({"chains": 1}, InvalidParameterError, "chains must be an integer of at least 2"),
            ({"betas": 0}, InvalidParameterError, "betas must be an integer of at least 1"),
            ({"betas": [0.0]}, InvalidParameterError, "two or more numbers"),
            ({"betas": [0.0, 0.7, 0.7, 1.0]}, InvalidParameterError, "rising"),
            ({"betas": [0.0, math.nan, 1.0]}, InvalidParameterError, "rising"),
            ({"betas": [0.1, 1.0]}, InvalidParameterError, "from 0 to beta = 1, not from 0.1 to 1"),
            ({"betas": [0.0, 0.5]}, InvalidParameterError, "not from 0 to 0.5"),
            ({"base": "dta"}, UnknownNameError, "did you mean 'data'"),
            ({"base": "data"}, InvalidParameterError, "goes with data=images"),
            ({"data": DATA}, InvalidParameterError, "data with base='data'"),
            ({"base": "data", "data": DATA[:, :3]}, InvalidDataError, "rows of 3 values where 4 are needed"),
            ({"base": "data", "data": DATA[:0]}, InvalidDataError, "data has no rows"),
            ({"tolerance": 0.0}, InvalidParameterError, "tolerance must be more than 0"),
            ({"seed": -1}, InvalidParameterError, "seed"),
        ],
    )
    def test_of_a_forward_run(self, options: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            annealed_importance(MODELS[0], **options)

    def test_of_a_reverse_run(self) -> None:
        forward = annealed_importance(MODELS[0], chains=5, betas=5, seed=0)
        for options, error, message in (
            ({"samples": np.ones((3, 5))}, InvalidDataError, "rows of 5 values where 4 are needed"),
            ({"samples": np.ones((1, 4))}, InvalidParameterError, "samples must be an integer of at least 2"),
            ({"equilibration": -1}, InvalidParameterError, "equilibration"),
            ({"chains": 1}, InvalidParameterError, "chains must be an integer of at least 2"),
            ({"samples": np.ones((3, 4)), "chains": 3}, InvalidParameterError, "not both"),
        ):
            with pytest.raises(error, match=message):
                reverse_annealed_importance(MODELS[0], forward, **options)
        with pytest.raises(InvalidDataError, match="4 visible spins, not 16"):
            reverse_annealed_importance(model_of("random", 8), forward)

    def test_of_a_bracket(self) -> None:
        runs = [annealed_importance(MODELS[0], beta=b, chains=5, betas=5, seed=0) for b in (1.0, 2.0)]
        with pytest.raises(InvalidParameterError, match="confidence must be less than 1"):
            bracket(runs[0], runs[0], 1.0)
        with pytest.raises(InvalidParameterError, match="beta = 1 and the reverse one at 2"):
            bracket(runs[0], runs[1])

    def test_a_deadline_is_kept(self) -> None:
        with pytest.raises(DeadlineExceededError, match="annealed importance sampling"):
            annealed_importance(MODELS[0], betas=10**6, seed=0, deadline=0.05)
        forward = annealed_importance(MODELS[0], chains=5, betas=5, seed=0)
        with pytest.raises(DeadlineExceededError, match="annealed importance sampling"):
            reverse_annealed_importance(MODELS[0], forward, equilibration=10**6, seed=0, deadline=0.05)


def test_a_model_that_diverged_is_refused_in_time() -> None:
    """Its path is longer than any schedule could pass."""
    model = RBM(30, 30, seed=0, weight_std=1e9, dtype=np.float64)
    with pytest.raises(InvalidParameterError, match="the model is too cold, or its training diverged"):
        annealed_importance(model, chains=10, betas=10, seed=0)
