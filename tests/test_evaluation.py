"""The summary of a model on a data set."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from rapid_ising.datasets import from_array, stripes
from rapid_ising.errors import InvalidDataError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.evaluation import Evaluation, evaluate, hamming_distance, known_rows, log_likelihood, summary
from rapid_ising.models import RBM, PatternRBM


def trained_by_hand(strength: float = 0.5) -> RBM:
    """Return a machine whose hidden spin a copies the pixel of column a in the first row to its column."""
    model = RBM(16, 4, weight_std=0.0)
    model.parameters["weights"][:] = strength * np.tile(np.eye(4), (1, 4))
    return model


def test_the_numbers_are_those_of_the_separate_functions() -> None:
    # Random weights tell the training images from the others, as a symmetric model does not.
    model, data, rng = RBM(16, 6, seed=0, weight_std=0.5), stripes(4), np.random.default_rng(3)
    found = evaluate(model, data, beta=0.7, steps=2, tries=30, seed=3)
    mask = known_rows((4, 4))
    # One generator, drawn from in this order.
    for name, images, beta in (
        ("hamming_train", data.train, 0.7),
        ("hamming_test", data.test, 0.7),
        ("zero_temperature_train", data.train, math.inf),
        ("zero_temperature_test", data.test, math.inf),
    ):
        expected = hamming_distance(model, images, mask, beta=beta, steps=2, tries=30, seed=rng)
        assert getattr(found, name) == expected
    assert found.log_likelihood_train == pytest.approx(log_likelihood(model, data.train, 0.7), abs=1e-12)
    assert found.log_likelihood_test == pytest.approx(log_likelihood(model, data.test, 0.7), abs=1e-12)
    assert evaluate(model, data, beta=0.7, steps=2, tries=30, seed=3) == found


def test_a_machine_that_copies_the_first_row_is_perfect_at_zero_temperature() -> None:
    for strength in (1e-3, 0.5, 50.0):
        found = evaluate(trained_by_hand(strength), stripes(4), likelihood=False)
        assert found.zero_temperature_train == found.zero_temperature_test == 0.0
    weak, strong = (evaluate(trained_by_hand(strength), stripes(4)) for strength in (0.1, 50.0))
    assert weak.hamming_train > 0.4
    assert strong.hamming_train == strong.hamming_test == 0.0
    # At infinite strength the law is uniform over the 16 images of equal rows.
    assert strong.log_likelihood_test == pytest.approx(-math.log(16), abs=1e-4)


def test_without_images_held_out_their_numbers_are_left_out() -> None:
    data = stripes(4, test_share=0)
    found = evaluate(trained_by_hand(), data, tries=5)
    assert (found.hamming_test, found.zero_temperature_test, found.log_likelihood_test) == (None, None, None)
    assert set(found.as_dict()) == {"hamming_train", "zero_temperature_train", "log_likelihood_train"}


def test_as_dict_has_floats_in_order() -> None:
    numbers = evaluate(PatternRBM(16, 20, 4, seed=0), stripes(4), tries=5).as_dict()
    assert list(numbers) == [field.name for field in dataclasses.fields(Evaluation)]
    assert all(type(value) is float for value in numbers.values())


def test_the_likelihood_is_decided_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data, model = stripes(4), trained_by_hand()
    keys = {"log_likelihood_train", "log_likelihood_test"}
    assert not keys & set(evaluate(model, data, tries=1, likelihood=False).as_dict())
    # The smaller layer has 4 spins, the larger one 16.
    monkeypatch.setattr(summary, "MAX_WORK", 2**4 * 16)
    assert keys < set(evaluate(model, data, tries=1).as_dict())
    monkeypatch.setattr(summary, "MAX_WORK", 2**4 * 16 - 1)
    assert not keys & set(evaluate(model, data, tries=1).as_dict())
    assert keys < set(evaluate(model, data, tries=1, likelihood=True).as_dict())


def test_a_model_too_large_has_no_likelihood_unless_asked() -> None:
    data = from_array(np.ones((5, 36)))
    model = RBM(36, 40, seed=0)
    assert evaluate(model, data, tries=1).log_likelihood_train is None
    with pytest.raises(ProblemTooLargeError):
        evaluate(model, data, tries=1, likelihood=True)


def test_zero_temperature_has_no_likelihood() -> None:
    model, data = trained_by_hand(), stripes(4)
    found = evaluate(model, data, beta=math.inf, tries=1)
    assert found.log_likelihood_train is None
    assert found.hamming_train == found.zero_temperature_train == 0.0
    with pytest.raises(InvalidParameterError, match="beta"):
        evaluate(model, data, beta=math.inf, tries=1, likelihood=True)


def test_the_mask_can_be_chosen_and_defaults_to_the_first_row_or_half() -> None:
    model, data = trained_by_hand(), stripes(4)
    chosen = evaluate(model, data, mask=known_rows((4, 4), 3), tries=20, likelihood=False)
    assert chosen.hamming_train != evaluate(model, data, tries=20, likelihood=False).hamming_train
    line = from_array(data.images, shape=(1, 16), test_share=0)
    half = evaluate(model, line, tries=20, likelihood=False)
    assert half == evaluate(model, line, mask=np.arange(16) < 8, tries=20, likelihood=False)
    assert half != evaluate(model, line, mask=np.ones(16, dtype=bool), tries=20, likelihood=False)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"mask": np.ones(15, dtype=bool)}, InvalidDataError),
        ({"tries": 0}, InvalidParameterError),
        ({"steps": 0}, InvalidParameterError),
        ({"beta": -1.0}, InvalidParameterError),
        ({"seed": -1}, InvalidParameterError),
    ],
)
def test_bad_options_are_refused(option: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(trained_by_hand(), stripes(4), **option)


def test_images_of_another_width_are_refused() -> None:
    with pytest.raises(InvalidDataError, match="rows of 25 values where 16 are needed"):
        evaluate(trained_by_hand(), stripes(5))


def test_an_evaluation_is_frozen() -> None:
    found = Evaluation(hamming_train=0.5, zero_temperature_train=0.5)
    with pytest.raises(AttributeError):
        found.hamming_train = 0.0  # type: ignore[misc]
