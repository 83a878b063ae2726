"""The start at the data against scikit-learn's components, and what it is worth."""

from __future__ import annotations

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidDataError, InvalidParameterError

BARS = ri.datasets.bars_and_stripes(6)


def uneven(rows: int = 400) -> np.ndarray:
    """Images with means: two groups of pixels that go together, and pixels of their own."""
    rng = np.random.default_rng(0)
    groups = np.where(rng.random((rows, 2)) < [0.3, 0.6], 1, -1)
    noise = np.where(rng.random((rows, 12)) < 0.1, -1, 1)
    return np.hstack([np.repeat(groups, 4, axis=1), np.where(rng.random((rows, 4)) < 0.2, 1, -1)]) * noise


def test_patterns_span_the_leading_components() -> None:
    sklearn = pytest.importorskip("sklearn.decomposition", reason="scikit-learn is the extra 'data'")
    images = uneven()
    model = ri.PatternRBM(12, 30, 2, biases="free", dtype=np.float64)
    ri.start_from_data(model, images, gain=1.0, seed=0)
    means = images.mean(axis=0)
    scales = np.sqrt(1 - means**2)
    found = sklearn.PCA(2).fit((images - means) / scales)
    # W D^(1/2) has the singular values sqrt(1 - 1/l) along the components; PCA divides by n - 1.
    values, directions = np.linalg.svd(model.weights * scales)[1:]
    variances = found.explained_variance_ * (len(images) - 1) / len(images)
    np.testing.assert_allclose(values[:2], np.sqrt(1 - 1 / variances), rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(directions[:2] * found.components_, axis=1)), 1, rtol=1e-6)
    np.testing.assert_allclose(model.parameters["visible_biases"], np.arctanh(means), rtol=1e-9)
    # Hidden spins begin even: their fields vanish at the means.
    np.testing.assert_allclose(model.hidden_fields(means[np.newaxis]), 0, atol=1e-12)


def test_visible_biases_alone_are_independent_pixels() -> None:
    images = uneven()
    model = ri.RBM(12, 3, weight_std=0, dtype=np.float64)
    ri.start_from_data(model, images)
    p = (1 + images.mean(axis=0)) / 2
    bound = float((p * np.log(p) + (1 - p) * np.log(1 - p)).sum())
    assert ri.log_likelihood(model, images) == pytest.approx(bound, abs=1e-9)


@pytest.mark.parametrize("biases", [False, "free"])
def test_the_start_is_worth_nats(biases: bool) -> None:
    data = BARS.train[:, :18] if biases else BARS.train[:, :12]
    values = []
    for begin in (False, True):
        model = ri.PatternRBM(data.shape[1], 20, 6, biases=biases, seed=1)
        if begin:
            ri.start_from_data(model, data, seed=1)
        values.append(ri.log_likelihood(model, data))
    assert values[1] > values[0] + 0.25


def test_what_has_no_start_is_refused() -> None:
    with pytest.raises(
        InvalidParameterError, match="13 patterns cannot start at the components of 12 pixels"
    ):
        ri.start_from_data(ri.PatternRBM(12, 30, 13), uneven())
    with pytest.raises(InvalidParameterError, match="has no start at the data"):
        ri.start_from_data(ri.DeepBoltzmannMachine((12, 4, 2)), uneven())
    with pytest.raises(InvalidDataError, match="no rows"):
        ri.start_from_data(ri.RBM(12, 3), np.zeros((0, 12)))
    with pytest.raises(InvalidParameterError, match="biases must be False, True, 'clamped' or 'free'"):
        ri.PatternRBM(4, 3, 2, biases="none")  # type: ignore[arg-type]


def test_the_default_recipe_with_free_biases_learns_images_with_means() -> None:
    """Ten epochs on digits of 8 x 8, held out: far above independent pixels, and near an RBM of CD-10.

    Measured: -18.9 against -18.0 for the default recipe of an RBM with as many hidden spins and -27.5 with
    clamped spins; the standard error of the estimate is below .1.
    """
    pytest.importorskip("sklearn", reason="scikit-learn is the extra 'data'")
    data = ri.datasets.digits()
    model = ri.PatternRBM(64, 100, 30, biases="free", seed=0)
    ri.start_from_data(model, data.train, seed=0)
    ri.train(model, data.train, seed=0, progress=False)
    found = ri.evaluation.annealed_importance(model, base="data", data=data.train, seed=0)
    likelihood = ri.evaluation.estimated_log_likelihood(model, data.test, found)
    p = np.clip((1 + data.train.mean(axis=0)) / 2, 0.005, 0.995)
    up = data.test > 0
    independent = float((np.where(up, np.log(p), np.log(1 - p))).sum(axis=1).mean())
    assert likelihood > max(independent + 5, -20)


@pytest.mark.parametrize(("hidden", "patterns"), [(100, 32), (100, 8), (50, 100)])
def test_the_default_recipe_stays_in_bounds_where_images_are_copies_of_a_few(
    hidden: int, patterns: int
) -> None:
    """Their covariance has one large eigenvalue after the other, along which weights move fastest."""
    rng = np.random.default_rng(2)
    originals = rng.integers(0, 2, (5, 144))
    images = np.where(originals[rng.integers(0, 5, 300)] ^ (rng.random((300, 144)) < 0.03), 1, -1)
    model = ri.PatternRBM(144, hidden, patterns, seed=2, biases="free")
    ri.train(model, images, epochs=60, seed=2, progress=False)
    independent = -144 * np.log(2)
    assert ri.evaluation.pseudo_log_likelihood(model, images) > independent / 3
