"""Likelihoods from estimates of log Z against exact ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rapid_ising import RBM, PatternRBM, datasets, train
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation import (
    LikelihoodCurve,
    annealed_importance,
    best_temperature,
    estimated_likelihood,
    estimated_log_likelihood,
    log_likelihood,
    log_likelihood_curve,
)

DATA = datasets.stripes(4)
SOME = DATA.images[:5]
"""Not as many negatives as images, so that the biases count."""


def random_rbm() -> RBM:
    model = RBM(16, 12, seed=1, weight_std=0.4, dtype=np.float64)
    rng = np.random.default_rng(2)
    model.parameters["visible_biases"][:] = rng.normal(0, 0.4, 16)
    model.parameters["hidden_biases"][:] = rng.normal(0, 0.4, 12)
    return model


def trained() -> PatternRBM:
    model = PatternRBM(16, 64, 8, seed=0, biases=True, dtype=np.float64)
    train(model, DATA.train, epochs=50, temperature=1, seed=0, progress=False)
    return model


@pytest.mark.parametrize("data", [None, DATA.train], ids=["uniform", "data"])
def test_differs_from_the_exact_one_by_the_error_of_log_z(data: Any) -> None:
    for model in (random_rbm(), trained()):
        base = "uniform" if data is None else "data"
        found = annealed_importance(model, beta=0.8, chains=300, betas=200, base=base, data=data, seed=0)
        error = estimated_log_likelihood(model, SOME, found) - log_likelihood(model, SOME, 0.8)
        assert abs(error) < 4 * found.standard_error < 0.2


def test_the_curve_is_right_at_every_temperature() -> None:
    for model in (random_rbm(), trained()):
        found = annealed_importance(model, beta=1.5, chains=300, betas=200, seed=0)
        curve = log_likelihood_curve(model, SOME, found, points=9)
        assert (curve.betas[0], curve.betas[-1]) == (0, 1.5)
        assert (np.diff(curve.betas) > 0).all()
        assert curve.log_likelihoods[0] == pytest.approx(-16 * math.log(2), abs=1e-9)
        for beta, value, error in zip(
            curve.betas[1:], curve.log_likelihoods[1:], curve.standard_errors[1:], strict=True
        ):
            assert abs(value - log_likelihood(model, SOME, float(beta))) < 4 * error
        end = estimated_log_likelihood(model, SOME, found)
        assert curve.log_likelihoods[-1] == pytest.approx(end, abs=1e-9)


def test_the_best_temperature_is_the_exact_one() -> None:
    for model in (random_rbm(), trained()):
        found = annealed_importance(model, beta=1.5, chains=300, betas=300, seed=0)
        curve = log_likelihood_curve(model, DATA.train, found, points=9)
        exact_beta, exact_value = best_temperature(model, DATA.train, bounds=(0.01, 1.5))
        assert abs(curve.best_log_likelihood - exact_value) < 4 * curve.standard_errors.max() < 0.3
        # What is lost by taking the beta that was found for the exact one.
        assert exact_value - log_likelihood(model, DATA.train, curve.best_beta) < 0.05
        assert curve.best_beta == pytest.approx(exact_beta, abs=0.1)


@pytest.mark.parametrize("points", [4, 7, 100])
def test_no_temperature_of_the_path_lies_beside_the_best_unseen(points: int) -> None:
    model = random_rbm()
    found = annealed_importance(model, chains=50, betas=60, seed=0)
    curve = log_likelihood_curve(model, DATA.train, found, points=points)
    place = found.betas.tolist().index(curve.best_beta)
    around = found.betas[max(0, place - 1) : place + 2].tolist()
    assert set(around) <= set(curve.betas.tolist())
    assert len(curve.betas) == min(61, len(set(curve.betas.tolist())))


def test_images_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_rbm()
    found = annealed_importance(model, chains=10, betas=10, seed=0)
    whole = log_likelihood_curve(model, DATA.images, found)
    monkeypatch.setattr(estimated_likelihood, "BLOCK", 30)
    parts = log_likelihood_curve(model, DATA.images, found)
    np.testing.assert_allclose(parts.log_likelihoods, whole.log_likelihoods, rtol=1e-12)


def test_what_does_not_fit_is_refused() -> None:
    model = RBM(16, 3, seed=0)
    found = annealed_importance(model, chains=5, betas=5, seed=0)
    narrow = annealed_importance(model, chains=5, betas=5, base="data", data=DATA.train[:3], seed=0)
    with pytest.raises(InvalidParameterError, match="log Z at one temperature only"):
        log_likelihood_curve(model, DATA.train, narrow)
    with pytest.raises(InvalidParameterError, match="points"):
        log_likelihood_curve(model, DATA.train, found, points=3)
    with pytest.raises(InvalidDataError, match="rows of 9 values where 16 are needed"):
        estimated_log_likelihood(model, np.ones((2, 9)), found)
    with pytest.raises(InvalidDataError, match="images has no rows"):
        log_likelihood_curve(model, np.ones((0, 16)), found)


def test_a_curve_knows_its_best() -> None:
    curve = LikelihoodCurve(
        betas=np.array([0.0, 0.4, 1.0]),
        log_likelihoods=np.array([-11.0, -3.0, -5.0]),
        standard_errors=np.zeros(3),
    )
    assert (curve.best_beta, curve.best_log_likelihood) == (0.4, -3.0)
