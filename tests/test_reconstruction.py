"""The reconstruction distance against its exact expectation, and the summary of a model."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation import hamming_distance, known_rows, reconstruction
from rapid_ising.models import RBM, Model, PatternRBM

Array = npt.NDArray[Any]
MASK = np.array([True, False, True, False])
IMAGES = np.array([[1, 1, -1, 1], [-1, 1, 1, -1], [1, -1, 1, 1]], dtype=np.int8)


def small_rbm() -> RBM:
    model = RBM(4, 3, seed=3, weight_std=0.8, dtype=np.float64)
    rng = np.random.default_rng(4)
    model.parameters["visible_biases"][:] = rng.normal(0, 0.6, 4)
    model.parameters["hidden_biases"][:] = rng.normal(0, 0.6, 3)
    return model


def small_pattern_rbm() -> PatternRBM:
    return PatternRBM(4, 3, 2, seed=1, scale=0.9, amplitude=0.8)


def matrices(model: Model) -> tuple[Array, Array, Array]:
    """Return W, b and c of a model, from its parameters alone."""
    p = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    if isinstance(model, RBM):
        return p["weights"], p["visible_biases"], p["hidden_biases"]
    patterns = len(p["visible_patterns"])
    weights = p["scale"] * p["hidden_patterns"].T @ p["visible_patterns"] / np.sqrt(patterns)
    return weights, np.zeros(weights.shape[1]), np.zeros(weights.shape[0])


def conditional(states: Array, field: Array, beta: float) -> Array:
    """Return the probability of each row of spins in their fields: prod_i e^{beta s f} / 2 cosh(beta f)."""
    p: Array = np.prod(1 / (1 + np.exp(-2 * beta * states * field)), axis=1)
    return p


def expected_distance(model: Model, beta: float, steps: int) -> float:
    """Return the mean fraction of wrong pixels by the sum over all h and v of every step."""
    weights, b, c = matrices(model)
    visible = np.array(list(itertools.product([-1, 1], repeat=4)))
    hidden = np.array(list(itertools.product([-1, 1], repeat=3)))
    to_hidden = np.array([conditional(hidden, weights @ v + c, beta) for v in visible])
    to_visible = np.array([conditional(visible, h @ weights + b, beta) for h in hidden])
    distances = []
    for image in IMAGES:
        start = conditional(hidden, weights @ np.where(MASK, image, 0) + c, beta)
        law = start @ to_visible @ np.linalg.matrix_power(to_hidden @ to_visible, steps - 1)
        distances.append(law @ (visible != image).mean(axis=1))
    return float(np.mean(distances))


@pytest.mark.parametrize("make", [small_rbm, small_pattern_rbm])
@pytest.mark.parametrize(("beta", "steps"), [(0.0, 1), (0.5, 1), (1.0, 1), (1.0, 3), (2.5, 2)])
def test_the_distance_has_its_exact_expectation(make: Any, beta: float, steps: int) -> None:
    model, tries = make(), 40_000
    found = hamming_distance(model, IMAGES, MASK, beta=beta, steps=steps, tries=tries, seed=0)
    # A fraction between 0 and 1 has a standard deviation of at most 1/2.
    tolerance = 4 * 0.5 / math.sqrt(len(IMAGES) * tries)
    assert found == pytest.approx(expected_distance(model, beta, steps), abs=tolerance)


@pytest.mark.parametrize("steps", [1, 3])
def test_at_zero_temperature_every_spin_follows_its_field(steps: int) -> None:
    model = small_rbm()
    weights, b, c = matrices(model)
    v = np.where(MASK, IMAGES, 0)
    for _ in range(steps):
        h = np.sign(v @ weights.T + c)
        v = np.sign(h @ weights + b)
    expected = float((v != IMAGES).mean())
    for tries, seed in ((1, 0), (7, 1)):
        found = hamming_distance(model, IMAGES, MASK, beta=math.inf, steps=steps, tries=tries, seed=seed)
        assert found == expected
    near = hamming_distance(model, IMAGES, MASK, beta=1e6, steps=steps, tries=3, seed=0)
    assert near == expected


def test_ties_at_zero_temperature_are_drawn_evenly() -> None:
    tries = 5000
    found = hamming_distance(RBM(4, 3, weight_std=0), IMAGES, MASK, beta=math.inf, tries=tries, seed=0)
    # The 12 pixels of each try are independent and fair.
    assert found == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(IMAGES.size * tries))


def test_the_known_pixels_are_drawn_and_compared_too() -> None:
    model = RBM(4, 1, weight_std=0)
    model.parameters["visible_biases"][:] = [-9, 9, 9, 9]
    image = np.ones((1, 4))
    everything = np.ones(4, dtype=bool)
    assert hamming_distance(model, image, everything, beta=math.inf) == 0.25


def test_what_stands_at_unknown_pixels_is_not_looked_at() -> None:
    model = RBM(2, 1, weight_std=0)
    model.parameters["weights"][:] = [[1, 0.25]]
    # From v = (1, 0) the hidden spin is +1, and both pixels follow it.
    images = np.array([[1, 1], [1, -1]])
    assert hamming_distance(model, images, [True, False], beta=math.inf) == 0.25
    # From v = (0, v_2) the hidden spin follows the second pixel.
    assert hamming_distance(model, images, [False, True], beta=math.inf) == 0.25
    assert hamming_distance(model, -images, [True, False], beta=math.inf) == 0.25


def test_a_seed_fixes_the_number() -> None:
    model = small_rbm()
    one, same, other = (hamming_distance(model, IMAGES, MASK, tries=50, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert hamming_distance(model, IMAGES, MASK, tries=50, seed=np.random.default_rng(1)) == one


def test_the_work_is_done_in_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes, draw = small_rbm(), [], RBM.gibbs_step

    def recorded(self: RBM, visible: Any, *arguments: Any) -> Any:
        sizes.append(len(visible))
        return draw(self, visible, *arguments)

    whole = hamming_distance(model, IMAGES, MASK, beta=math.inf, tries=40)
    monkeypatch.setattr(reconstruction, "BLOCK", 100)
    monkeypatch.setattr(RBM, "gibbs_step", recorded)
    assert hamming_distance(model, IMAGES, MASK, beta=math.inf, tries=40) == whole
    assert sum(sizes) == 40 * len(IMAGES)
    assert max(sizes) == 100 // 7
    monkeypatch.setattr(reconstruction, "BLOCK", 1)
    sizes.clear()
    assert hamming_distance(model, IMAGES, MASK, beta=math.inf, tries=2) == whole
    assert sizes == [1] * 6


def test_known_rows() -> None:
    assert known_rows((4, 4)).tolist() == [True] * 4 + [False] * 12
    assert known_rows((3, 2), rows=2).tolist() == [True] * 4 + [False] * 2
    assert known_rows((2, 3), 2).all()


@pytest.mark.parametrize(("shape", "rows"), [((4, 4), 0), ((4, 4), 5), ((4, 4), 1.5), ((4, 0), 1), (4, 1)])
def test_known_rows_that_do_not_fit_are_refused(shape: Any, rows: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"rows|shape"):
        known_rows(shape, rows)


@pytest.mark.parametrize(
    ("images", "mask", "message"),
    [
        (IMAGES, MASK[:3], "mask must be a boolean array of shape \\(4,\\)"),
        (IMAGES, MASK.astype(int), "mask must be a boolean array"),
        (IMAGES[:, :3], MASK, "images has rows of 3 values where 4 are needed"),
        (IMAGES[:0], MASK, "images has no rows"),
        ((IMAGES + 1) // 2, MASK, "look like bits"),
        ([[1, -1, 1, math.nan]], MASK, "not finite"),
    ],
)
def test_images_and_masks_that_do_not_fit_are_refused(images: Any, mask: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        hamming_distance(small_rbm(), images, mask)


@pytest.mark.parametrize(
    "option",
    [{"tries": 0}, {"tries": 1.5}, {"steps": 0}, {"beta": -1.0}, {"beta": math.nan}, {"seed": -1}],
)
def test_options_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=f"{next(iter(option))} must be"):
        hamming_distance(small_rbm(), IMAGES, MASK, **option)
