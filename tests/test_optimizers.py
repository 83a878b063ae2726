"""Optimizers, schedules and constraints against formulas and published programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Floats


def test_sgd_with_momentum_and_decay_follows_its_formula() -> None:
    theta, velocity = 1.5, 0.0
    parameters = {"w": np.array([theta])}
    optimizer = ri.SGD(0.1, momentum=0.9, decay=0.01)
    for slope in (0.3, -0.2, 0.5):
        velocity = 0.9 * velocity + (slope - 0.01 * theta)
        theta += 0.1 * velocity
        optimizer.step(parameters, {"w": np.array([slope])}, 0.1)
        assert parameters["w"][0] == pytest.approx(theta, rel=1e-14)


def test_adam_follows_its_formula() -> None:
    theta, mean, square = 0.5, 0.0, 0.0
    parameters: dict[str, Floats] = {"w": np.array([theta])}
    optimizer = ri.Adam(0.01)
    for t, slope in enumerate((0.3, -0.2, 5.0, 0.0), start=1):
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        theta += 0.01 * (mean / (1 - 0.9**t)) / ((square / (1 - 0.999**t)) ** 0.5 + 1e-8)
        optimizer.step(parameters, {"w": np.array([slope])}, 0.01)
        assert parameters["w"][0] == pytest.approx(theta, rel=1e-12)


def test_adam_that_counts_epochs_is_the_authors_program() -> None:
    theta, mean, square = 0.5, 0.0, 0.0
    parameters: dict[str, Floats] = {"w": np.array([theta])}
    optimizer = ri.Adam(0.01, time="epochs")
    for epoch in range(2):
        optimizer.begin_epoch(epoch)
        for slope in (0.3, -0.2, 5.0):
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope**2
            t = epoch + 1
            theta += 0.01 * (mean / (1 - 0.9**t)) / ((square / (1 - 0.999**t)) ** 0.5 + 1e-8)
            optimizer.step(parameters, {"w": np.array([slope])}, 0.01)
            assert parameters["w"][0] == pytest.approx(theta, rel=1e-12)
    with pytest.raises(InvalidParameterError, match="time must be 'updates' or 'epochs', not 'steps'"):
        ri.Adam(time="steps")  # type: ignore[arg-type]


def test_parameters_without_gradient_stay() -> None:
    parameters: dict[str, Floats] = {"w": np.ones(2), "scale": np.ones(1)}
    ri.Adam(0.1).step(parameters, {"w": np.ones(2)}, 0.1)
    assert parameters["scale"][0] == 1


def test_exponential_schedule_is_the_loop_of_the_authors_program() -> None:
    # After each epoch: while the rate is above the floor, multiply it.
    optimizer = ri.SGD(0.02, schedule=ri.Exponential(0.96, floor=1e-5))
    rate = 0.02
    for epoch in range(300):
        assert optimizer.rate(epoch) == pytest.approx(rate, rel=1e-12)
        if rate > 1e-5:
            rate *= 0.96
    assert optimizer.rate(299) < 1e-5


def test_cosine_schedule_ends_at_its_share() -> None:
    schedule = ri.Cosine(10, final=0.1)
    assert schedule.factor(0, 1.0) == 1
    assert schedule.factor(10, 1.0) == pytest.approx(0.1)
    assert schedule.factor(50, 1.0) == pytest.approx(0.1)


def test_linear_schedule_falls_to_zero_within_the_epochs_of_the_training() -> None:
    """The rates of five updates in each of two epochs, told by a gradient of ones."""
    steps: list[float] = []

    class Ones(ri.NegativePhase):
        name = "ones"

        def statistics(self, model: ri.Model, chains: Floats, rng: np.random.Generator) -> Any:
            steps.append(float(model.parameters["visible_biases"][0]))
            return model.statistics(-np.ones((1, 4), model.dtype))

    model = ri.RBM(4, 2, weight_std=0, dtype=np.float64)
    run = ri.train(
        model, np.ones((10, 4)), negative_phase=Ones(), optimizer=ri.SGD(0.5, schedule=ri.Linear()), epochs=2,
        batch_size=2, centred=False, progress=False,
    )  # fmt: skip
    # Each gradient of a visible bias is 1 - (-1) = 2.
    np.testing.assert_allclose(np.diff(steps), 2 * 0.5 * (1 - np.arange(9) / 10))
    assert run.settings["optimizer"]["schedule"]["epochs"] == 2
    assert ri.Linear(10).factor(12.0, 0.1) == 0


def test_signs_and_clip() -> None:
    model = ri.PatternRBM(2, 2, 1, seed=0)
    model.visible_patterns[...] = [[0.0, -3.0]]
    model.hidden_patterns[...] = [[0.5, 1.5]]
    ri.Clip(1.0).after_update(model)
    assert model.visible_patterns.tolist() == [[0.0, -1.0]]
    assert model.hidden_patterns.tolist() == [[0.5, 1.0]]
    ri.Signs().after_epoch(model)
    assert model.visible_patterns.tolist() == [[1.0, -1.0]]
    assert model.hidden_patterns.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf, "fast"])
def test_bad_rates_are_refused(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="learning_rate"):
        ri.SGD(bad)
