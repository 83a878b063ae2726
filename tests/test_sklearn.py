"""The estimators against scikit-learn's own checks, the library itself and exact enumeration."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import dimod
import networkx as nx
import numpy as np
import pytest
from brute_force import all_states, energy_table, indices, joint
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils.estimator_checks import parametrize_with_checks

import rapid_ising as ri
from rapid_ising.errors import (
    InvalidDataError,
    InvalidParameterError,
    ProblemTooLargeError,
    UnknownNameError,
)
from rapid_ising.models import MODELS
from rapid_ising.sklearn import BoltzmannMachine, RapidRBM
from rapid_ising.sklearn.base import BoltzmannEstimator
from rapid_ising.training.recipes import as_recipe

BITS = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
SPINS = 2 * BITS - 1
TRAIN = sys.modules["rapid_ising.training.train"]
"""The module, which the function hides."""
KNOWN = np.array([True, True, False, False])

CHECKED = [
    # The checks feed real numbers, which need a threshold.
    RapidRBM(8, n_patterns=4, epochs=2, threshold=0.0),
    RapidRBM(8, n_patterns=None, epochs=2, threshold=0.0),
    BoltzmannMachine(epochs=2, threshold=0.0),
    BoltzmannMachine(2, epochs=2, threshold=0.0),
]


def makers() -> list[Any]:
    """Small estimators of each kind, to be trained in a moment."""
    return [
        pytest.param(lambda **o: RapidRBM(3, n_patterns=2, random_state=0, **o), id="patterns"),
        pytest.param(lambda **o: RapidRBM(3, n_patterns=None, random_state=0, **o), id="free-weights"),
        pytest.param(lambda **o: BoltzmannMachine(random_state=0, **o), id="visible"),
        pytest.param(lambda **o: BoltzmannMachine(3, random_state=0, **o), id="hidden"),
    ]


Make = Callable[..., BoltzmannEstimator]
each = pytest.mark.parametrize("make", makers())


@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]
def test_scikit_learns_own_checks(estimator: BoltzmannEstimator, check: Callable[..., None]) -> None:
    check(estimator)


def strengthened(estimator: BoltzmannEstimator) -> BoltzmannEstimator:
    """The estimator with parameters so large that no formula is right by being near 0."""
    rng = np.random.default_rng(2)
    for name, array in estimator.model_.parameters.items():
        if name != "scale":
            array[...] = rng.normal(0, 0.6, array.shape)
    return estimator


def untrained(model: ri.Model) -> tuple[ri.Model, np.random.Generator]:
    """A new model of the same shape, made as an estimator of random_state 0 does, and its generator."""
    rng = np.random.default_rng(np.random.RandomState(0).randint(2**31, size=4))
    return MODELS[model.name](seed=rng, **model.config()), rng


def assert_same_parameters(one: ri.Model, other: ri.Model) -> None:
    assert one.parameters.keys() == other.parameters.keys()
    for name, array in one.parameters.items():
        assert_array_equal(array, other.parameters[name])


def interrupt(*_: object) -> None:
    """What Ctrl-C does, wherever this is put."""
    raise KeyboardInterrupt


class TestValues:
    @each
    def test_bits_and_spins_make_the_same_model_and_come_back_as_they_went_in(self, make: Make) -> None:
        of_bits, of_spins = make(epochs=3).fit(BITS), make(epochs=3).fit(SPINS.astype(float))
        assert_array_equal(of_bits.data_values_, [0, 1])
        assert_array_equal(of_spins.data_values_, [-1, 1])
        assert_same_parameters(of_bits.model_, of_spins.model_)
        bits, spins = of_bits.sample(20), of_spins.sample(20)
        assert_array_equal(2 * bits - 1, spins)
        assert bits.dtype == BITS.dtype
        assert spins.dtype == float
        assert_array_equal(2 * of_bits.reconstruct(BITS, KNOWN) - 1, of_spins.reconstruct(SPINS, KNOWN))
        assert_allclose(2 * of_bits.transform(BITS) - 1, of_spins.transform(SPINS))
        assert_array_equal(of_bits.score_samples(BITS), of_spins.score_samples(SPINS))

    def test_booleans_come_back_as_booleans(self) -> None:
        assert RapidRBM(3, epochs=1).fit(BITS == 1).sample(2).dtype == bool

    def test_a_threshold_takes_any_numbers_and_gives_bits(self) -> None:
        grey = BITS * 16 - np.array([0.0, 1.0, 2.0, 3.0])
        of_grey = RapidRBM(3, epochs=1, threshold=7, random_state=0).fit(grey)
        of_bits = RapidRBM(3, epochs=1, random_state=0).fit(BITS)
        assert_same_parameters(of_grey.model_, of_bits.model_)
        assert_array_equal(of_grey.data_values_, [0, 1])
        assert_array_equal(of_grey.transform(grey), of_bits.transform(BITS))

    @pytest.mark.parametrize(
        ("data", "found"),
        [
            ([[0, 1], [0.25, 1]], r"0\.25 \(row 1, column 0\)"),
            ([[0, 1], [-1, 1]], "-1, 0 and 1 together"),
            ([[0, 16], [3, 1]], r"16 \(row 0, column 1\)"),
        ],
    )
    def test_other_values_are_refused_with_both_cures(self, data: Any, found: str) -> None:
        message = rf"must hold 0 and 1, or -1 and 1, not {found}: give threshold=t.*Binarizer"
        with pytest.raises(InvalidDataError, match=message):
            RapidRBM().fit(data)
        assert RapidRBM(2, epochs=1, threshold=0.5).fit(data).sample().shape == (1, 2)
        assert make_pipeline(Binarizer(threshold=0.5), RapidRBM(2, epochs=1)).fit(data)

    def test_values_that_it_was_not_fitted_to_are_refused(self) -> None:
        with pytest.raises(InvalidDataError, match=r"holds -1 \(row 0, column 2\) .* fitted to 0 and 1"):
            RapidRBM(3, epochs=1).fit(BITS).transform(SPINS)

    @pytest.mark.parametrize("kind", [np.int64, np.uint8, bool, float])
    def test_train_names_the_cure_for_bits_and_the_cure_works(self, kind: type) -> None:
        x: Any = BITS.astype(kind)
        model = ri.RBM(4, 2, seed=0)
        with pytest.raises(
            InvalidDataError, match=r"must hold spins, -1 or \+1.*look like bits, 0 and 1"
        ) as error:
            ri.train(model, x, epochs=1, progress=False)
        cure = str(error.value).rpartition("pass ")[2]
        assert_array_equal(eval(cure, {"np": np, "x": x}), SPINS)
        ri.train(model, eval(cure, {"np": np, "x": x}), epochs=1, progress=False)


class TestAgainstEnumeration:
    @each
    def test_samples_follow_the_models_law(self, make: Make) -> None:
        estimator, reads = strengthened(make(epochs=1).fit(BITS)), 4000
        law = joint(estimator.model_).sum(axis=1)
        for backend in ("exact", "gibbs"):
            drawn = estimator.sample(reads, backend=backend, random_state=1)
            shares = np.bincount(indices(2 * drawn - 1), minlength=16) / reads
            # The mean of the total variation is at most half the sum of the standard errors; its deviation
            # from that is more than t with probability exp(-2 n t^2) (McDiarmid): 1e-6 at this t.
            bound = 0.5 * np.sqrt(law * (1 - law) / reads).sum() + math.sqrt(math.log(1e6) / (2 * reads))
            assert 0.5 * np.abs(shares - law).sum() < bound

    @each
    def test_exact_scores_are_logarithms_of_probabilities(self, make: Make) -> None:
        estimator = strengthened(make(epochs=1, likelihood="exact").fit(SPINS))
        expected = np.log(joint(estimator.model_).sum(axis=1))
        assert_allclose(estimator.score_samples(all_states(4)), expected, rtol=1e-6)
        assert estimator.score(SPINS) == pytest.approx(ri.log_likelihood(estimator.model_, SPINS), rel=1e-5)

    @each
    def test_pseudo_scores_are_those_of_each_value_given_the_others(self, make: Make) -> None:
        estimator = strengthened(make(epochs=1).fit(SPINS))
        law, states = joint(estimator.model_).sum(axis=1), all_states(4)
        expected = np.zeros(16)
        for pixel in range(4):
            flipped = states.copy()
            flipped[:, pixel] *= -1
            expected += np.log(law / (law + law[indices(flipped)]))
        assert_allclose(estimator.score_samples(states), expected, rtol=1e-6)

    @each
    def test_a_model_fitted_warm_is_asked_at_the_temperature_of_its_fit(self, make: Make) -> None:
        warm = dataclasses.replace(as_recipe("default", ri.RBM(4, 3)), temperature=8.0, centred=False)
        estimator, reads = strengthened(make(recipe=warm, epochs=1, likelihood="exact").fit(SPINS)), 4000
        assert estimator.model_.temperature == 8
        law = np.exp(-energy_table(estimator.model_) / 8)
        law /= law.sum()
        visible, states = law.sum(axis=1), all_states(4)
        assert_allclose(estimator.score_samples(states), np.log(visible), rtol=1e-6)
        shares = np.bincount(indices(estimator.sample(reads, backend="exact", random_state=1)), minlength=16)
        # As in the test of samples.
        error = 0.5 * np.sqrt(visible * (1 - visible) / reads).sum()
        bound = error + math.sqrt(math.log(1e6) / (2 * reads))
        assert 0.5 * np.abs(shares / reads - visible).sum() < bound
        of_model = joint(estimator.model_).sum(axis=1)
        assert 0.5 * np.abs(of_model - visible).sum() > 2 * bound
        # The same law, kept warm.
        features = estimator.transform(states)
        estimator.model_.rescale(1 / 8)
        assert_allclose(estimator.transform(states), features, rtol=1e-5)
        estimator.model_.temperature = 8.0
        assert not np.allclose(estimator.transform(states), features, rtol=0.1)

    @pytest.mark.parametrize("n_patterns", [2, None])
    def test_features_of_an_rbm_are_means_of_hidden_spins(self, n_patterns: int | None) -> None:
        estimator = strengthened(RapidRBM(3, n_patterns=n_patterns, epochs=1).fit(SPINS))
        law = joint(estimator.model_)
        expected = (law / law.sum(axis=1, keepdims=True)) @ all_states(3)
        assert_allclose(estimator.transform(all_states(4)), expected, atol=1e-6)

    def test_features_of_a_visible_machine_are_means_given_the_others(self) -> None:
        estimator = strengthened(BoltzmannMachine(epochs=1).fit(BITS))
        law, states = joint(estimator.model_).sum(axis=1), all_states(4)
        for pixel in range(4):
            up, down = states.copy(), states.copy()
            up[:, pixel], down[:, pixel] = 1, -1
            share = law[indices(up)] / (law[indices(up)] + law[indices(down)])
            assert_allclose(estimator.transform((states + 1) // 2)[:, pixel], share, atol=1e-6)

    def test_features_of_uncoupled_hidden_spins_on_a_graph_are_exact(self) -> None:
        graph = nx.complete_bipartite_graph(4, 3)
        estimator = strengthened(BoltzmannMachine(3, graph=graph, epochs=1).fit(SPINS))
        law = joint(estimator.model_)
        expected = (law / law.sum(axis=1, keepdims=True)) @ all_states(3)
        assert_allclose(estimator.transform(all_states(4)), expected, atol=1e-6)

    def test_features_of_coupled_hidden_spins_are_the_best_product_law(self) -> None:
        # No other means near them have a lower variational free energy, worked out by enumeration.
        estimator = strengthened(BoltzmannMachine(3, epochs=1).fit(SPINS))
        energies, hidden = energy_table(estimator.model_), all_states(3)

        def free_energy(row: int, means: np.ndarray[Any, Any]) -> float:
            shares = np.prod((1 + hidden * means) / 2, axis=1)
            return float(shares @ (energies[row] + np.log(shares)))

        rng = np.random.default_rng(0)
        for row, means in enumerate(estimator.transform(all_states(4))):
            best = free_energy(row, means)
            for step in rng.normal(0, 1e-3, (10, 3)):
                assert free_energy(row, np.clip(means + step, -0.999999, 0.999999)) >= best

    def test_a_likelihood_too_large_or_unknown_is_refused(self) -> None:
        wide = np.tile(BITS, (1, 8))
        with pytest.raises(ProblemTooLargeError, match="23"):
            RapidRBM(23, epochs=1, likelihood="exact").fit(wide).score(wide)
        with pytest.raises(UnknownNameError, match="did you mean 'exact'"):
            RapidRBM(likelihood="exakt").fit(BITS)  # type: ignore[arg-type]


class TestTraining:
    @each
    def test_it_is_the_librarys_training(self, make: Make) -> None:
        estimator = make(epochs=3, batch_size=2).fit(BITS)
        model, rng = untrained(estimator.model_)
        ri.train(model, SPINS, epochs=3, batch_size=2, seed=rng, progress=False)
        assert_same_parameters(model, estimator.model_)

    @each
    def test_the_same_random_state_gives_the_same_model_and_samples(self, make: Make) -> None:
        first, again, other = make(epochs=2).fit(BITS), make(epochs=2).fit(BITS), make(epochs=2)
        other.set_params(random_state=1).fit(BITS)
        assert_array_equal(first.transform(BITS), again.transform(BITS))
        assert not (first.transform(BITS) == other.transform(BITS)).all()
        rows = first.sample(50)
        assert_array_equal(rows, again.sample(50))
        assert not (rows == first.sample(50)).all()
        asked = first.sample(50, random_state=3)
        assert_array_equal(asked, again.sample(50, random_state=np.random.RandomState(3)))

    @each
    def test_partial_fit_goes_on_at_a_constant_rate(self, make: Make) -> None:
        estimator = make(learning_rate=0.1)
        for rows in (BITS[:3], BITS[1:]):
            estimator.partial_fit(rows)
        model, rng = untrained(estimator.model_)
        steps = ri.SGD(0.1) if model.n_patterns else ri.Adam(0.1)
        for rows in (SPINS[:3], SPINS[1:]):
            ri.train(model, rows, epochs=1, optimizer=steps, seed=rng, progress=False)
        assert_same_parameters(model, estimator.model_)

    def test_partial_fit_by_batches_learns(self) -> None:
        data = ri.datasets.stripes(4)
        machine = BoltzmannMachine(random_state=0, likelihood="exact").partial_fit(data.train)
        first = machine.score(data.train)
        for _ in range(40):
            machine.partial_fit(data.train)
        assert machine.score(data.train) > first + 1

    def test_a_machine_by_name_as_an_object_and_as_a_dimod_sampler(self) -> None:
        machines = ("exact", ri.load_backend("exact"), ri.as_dimod_sampler("exact"))
        found = [clone(RapidRBM(3, epochs=2, random_state=0, backend=m)).fit(BITS) for m in machines]
        rows = found[0].sample(9)
        for other in found[1:]:
            assert_same_parameters(found[0].model_, other.model_)
            assert_array_equal(rows, other.sample(9))
        # Its own machine is asked for samples too, and this one gives ground states alone.
        solver = BoltzmannMachine(epochs=1, backend=dimod.ExactSolver(), random_state=0).fit(SPINS)
        energies = energy_table(solver.model_)[:, 0]
        assert energies[indices(solver.sample(1))[0]] == pytest.approx(energies.min())
        assert len(solver.sample(30, backend="exact")) == 30

    @each
    def test_a_fit_that_fails_or_is_interrupted_leaves_the_estimator_as_it_was(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new, fitted = make(epochs=1), make(epochs=1).fit(BITS)
        before = dict(vars(fitted))
        arrays = {name: array.copy() for name, array in fitted.model_.parameters.items()}

        def refused(estimator: BoltzmannEstimator, expected: type[BaseException], data: Any) -> None:
            for train in (estimator.fit, estimator.partial_fit):
                with pytest.raises(expected):
                    train(data)

        for estimator in (new, fitted):
            estimator.set_params(batch_size=0)
            refused(estimator, InvalidParameterError, SPINS[:, :3] if estimator is new else BITS)
            estimator.set_params(batch_size=None)
        with monkeypatch.context() as patched:
            patched.setattr(TRAIN, "_check_finite", interrupt)
            refused(new, KeyboardInterrupt, BITS)
            refused(fitted, KeyboardInterrupt, BITS)
        assert vars(new).keys() == new.get_params().keys()
        assert vars(fitted).keys() == before.keys()
        assert all(vars(fitted)[name] is value for name, value in before.items())
        for name, array in arrays.items():
            assert_array_equal(fitted.model_.parameters[name], array)
        with pytest.raises(NotFittedError):
            new.sample()

    def test_ctrl_c_ends_a_search(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TRAIN, "_check_finite", interrupt)
        with pytest.raises(KeyboardInterrupt):
            GridSearchCV(RapidRBM(3, epochs=1), {"n_hidden": [2, 3]}, cv=2).fit(BITS)

    def test_a_graph_that_does_not_fit_the_data(self) -> None:
        with pytest.raises(InvalidParameterError, match=r"5 nodes where 4 features and 0 hidden.*n_hidden=1"):
            BoltzmannMachine(graph=nx.path_graph(5)).fit(BITS)
        fitted = BoltzmannMachine(1, graph=nx.path_graph(5), epochs=1).fit(BITS)
        assert fitted.model_.parameters["couplings"].shape == (4,)


class TestReconstruction:
    @each
    def test_the_likely_completion_of_what_is_known(self, make: Make) -> None:
        rows = np.repeat([[0, 0, 1, 1], [1, 1, 0, 0]], 20, axis=0)
        estimator = make(epochs=1000).fit(rows)
        partial = np.array([[0, np.nan, np.nan, np.nan], [1, np.nan, np.nan, np.nan]])
        known = np.array([True, False, False, False])
        assert_array_equal(estimator.reconstruct(partial, known), [[0, 0, 1, 1], [1, 1, 0, 0]])
        by_machine = estimator.reconstruct(partial, known, backend="exact")
        assert_array_equal(by_machine, [[0, 0, 1, 1], [1, 1, 0, 0]])

    def test_a_known_value_must_be_one_of_the_datas(self) -> None:
        rbm = RapidRBM(3, epochs=1).fit(BITS)
        with pytest.raises(InvalidDataError, match=r"holds 0\.5 \(row 0, column 1\)"):
            rbm.reconstruct([[0, 0.5, 9, 9]], KNOWN)
        with pytest.raises(InvalidDataError, match="known feature that is not finite"):
            rbm.reconstruct([[0, np.nan, 9, 9]], KNOWN)
        with pytest.raises(InvalidDataError, match="boolean array"):
            rbm.reconstruct(BITS, [1, 1, 0, 0])


class TestWithinScikitLearn:
    def test_features_of_digits_are_worth_more_than_their_pixels(self) -> None:
        pixels, labels = load_digits(return_X_y=True)
        train, test = slice(0, 1200), slice(1200, None)
        bits = make_pipeline(Binarizer(threshold=8), RidgeClassifier()).fit(pixels[train], labels[train])
        rbm = RapidRBM(200, epochs=30, threshold=8, random_state=0)
        features = make_pipeline(rbm, RidgeClassifier()).fit(pixels[train], labels[train])
        assert features.score(pixels[test], labels[test]) > bits.score(pixels[test], labels[test]) + 0.02

    def test_a_grid_over_hidden_spins_and_machines(self) -> None:
        data = ri.datasets.stripes(3).images
        grid = {"n_hidden": [1, 12], "backend": [None, "exact", ri.load_backend("gibbs", burn_in=10)]}
        rbm = RapidRBM(epochs=40, n_patterns=None, likelihood="exact", random_state=0)
        search = GridSearchCV(rbm, grid, cv=2, n_jobs=1).fit(data)
        assert len(search.cv_results_["params"]) == 6
        best = search.best_estimator_
        assert best.score(data) == pytest.approx(ri.log_likelihood(best.model_, data), rel=1e-5)
        assert search.score(data) == best.score(data)
        # A uniform law has -9 log 2.
        assert best.score(data) > -9 * math.log(2) + 0.5

    def test_clones_keep_their_parameters_and_nothing_else(self) -> None:
        rbm = RapidRBM(3, epochs=1, backend=ri.load_backend("gibbs", burn_in=7)).fit(BITS)
        twin = clone(rbm)
        assert twin.get_params() == rbm.get_params()
        assert not hasattr(twin, "model_")

    def test_features_have_names(self) -> None:
        assert list(RapidRBM(2, epochs=1).fit(BITS).get_feature_names_out()) == ["rapidrbm0", "rapidrbm1"]
        assert len(BoltzmannMachine(epochs=1).fit(BITS).get_feature_names_out()) == 4

    def test_without_scikit_learn_the_pip_line_is_told(self) -> None:
        code = (
            "import sys; sys.modules['sklearn'] = None\n"
            "import rapid_ising as ri; ri.sklearn\n"
            "try: ri.sklearn.RapidRBM\n"
            "except ri.errors.MissingDependencyError as error: print(error)"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert answer.stdout.endswith("pip install 'rapid-ising[sklearn]'\n"), answer.stderr
