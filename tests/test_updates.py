"""Updates of pattern machines: projected at once, and compiled whole, against plainer ways to the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.exponentials import tanh
from rapid_ising.kernels.pattern_update import CHUNK, pattern_update, pattern_update_twin
from rapid_ising.models.statistics import TOGETHER, SampleStatistics
from rapid_ising.threads import use_threads
from rapid_ising.training import update
from rapid_ising.training.constraints import Clip
from rapid_ising.training.optimizers import SGD, Adam
from rapid_ising.training.schedules import Linear
from rapid_ising.typing import Floats


def signs(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.choice(np.array([-1, 1], np.float32), shape)


@compiled()
def tanh_of_each(x: Any) -> None:
    for i in range(x.size):
        x[i] = tanh(x[i])


def test_compiled_tanh_is_true_to_a_millionth() -> None:
    """In itself and not only in size, so that small fields keep their digits."""
    x = np.concatenate([np.geomspace(1e-30, 100, 20_001), [0.0, np.inf]]).astype(np.float32)
    x = np.concatenate([x, -x])
    found = x.copy()
    tanh_of_each(found)
    np.testing.assert_allclose(found, np.tanh(x.astype(np.float64)), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("rows", "k", "visible", "hidden"),
    [(1, 1, 1, 1), (3, 8, 16, 1000), (7, 5, 9, CHUNK), (2, 3, 20, CHUNK + 1), (4, 2, 5, 3)],
)
def test_compiled_update_equals_its_twin(rows: int, k: int, visible: int, hidden: int) -> None:
    rng = np.random.default_rng(rows)
    start = [rng.normal(size=(k, n)).astype(np.float32) for n in (visible, hidden)]
    start[0][-1, 1:2] = -0.0
    batch = signs(rng, rows, visible)
    found, expected = ([half.copy() for half in start] for _ in range(2))
    pattern_update(found[0], found[1], 0.3, batch, rows + 1, (0.1, 0.2))
    pattern_update_twin(expected[0], expected[1], 0.3, batch, rows + 1, (0.1, 0.2))
    for half, whole, before in zip(found, expected, start, strict=True):
        assert np.abs(whole - before).max() > 1e-4
        np.testing.assert_allclose(half, whole, rtol=1e-6, atol=2e-6)


COVERED: dict[str, dict[str, Any]] = {
    "paper": {},
    "own last batch": {"last_batch": "own", "batch_size": 4},
    "clipped": {"constraint": Clip(0.9)},
    "by update": {"optimizer": SGD(0.02, schedule=Linear())},
    "factors": {"optimizer": SGD(0.02, factors={"hidden_patterns": 0.5})},
    "temperature": {"temperature": 2.0},
}
OTHERS: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": SGD(0.02, momentum=0.5)},
    "decay": {"optimizer": SGD(0.02, decay=0.1)},
    "Adam": {"optimizer": Adam(0.01)},
    "Gibbs steps": {"negative_phase": ri.PatternCorrelations(gibbs_steps=1)},
    "random patterns": {"negative_phase": ri.PatternCorrelations(num_chains=5)},
    "another phase": {"negative_phase": "cd"},
    "biases": {"model": {"biases": True}},
    "free biases": {"model": {"biases": "free"}},
    "a learned scale": {"model": {"learn_scale": True}},
    "float64": {"model": {"dtype": np.float64}},
}


def trained(settings: dict[str, Any]) -> dict[str, Floats]:
    settings = dict(settings)
    model = ri.PatternRBM(16, 40, 3, seed=1, amplitude=0.7, **settings.pop("model", {}))
    data = ri.datasets.stripes(4).train
    settings.setdefault("constraint", "free")
    ri.train(model, data, recipe="paper", epochs=3, seed=2, progress=False, **settings)
    return model.parameters


@pytest.mark.parametrize("name", [*COVERED, *OTHERS])
def test_trainings_are_the_same_compiled_or_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compiled update does not cover goes the general way, bit for bit."""
    found = trained((COVERED | OTHERS)[name])
    monkeypatch.setattr(update, "SMALL", 0)
    expected = trained((COVERED | OTHERS)[name])
    for key, array in expected.items():
        if name in COVERED:
            np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-5, err_msg=key)
        else:
            np.testing.assert_array_equal(found[key], array, err_msg=key)
    same = all((found[key] == array).all() for key, array in expected.items())
    assert same == (name in OTHERS), "the other way was not taken"


@pytest.mark.parametrize("rows", [(3, 4), (TOGETHER, 30), (700, 600)])
@pytest.mark.parametrize("weighted", [False, True])
def test_both_phases_go_onto_patterns_as_one_by_one(rows: tuple[int, int], weighted: bool) -> None:
    """Against the general way, by W formed for the means; the same bits on any number of threads."""
    rng = np.random.default_rng(5)
    model = ri.PatternRBM(30, 1100, 20, seed=0, amplitude=0.8)
    states = [signs(rng, n, 30) for n in rows]
    phases = [model.statistics(states[0], 1000), model.statistics(states[1])]
    means = [np.tanh(x @ model.weights.T) for x in states]
    plain = [
        SampleStatistics([states[0], means[0]], 1000),
        SampleStatistics([states[1], means[1]]),
    ]
    if weighted:
        weights = rng.random(rows[1]) + 0.5
        phases[1], plain[1] = (both[1].weighted(weights) for both in (phases, plain))
    gradients = []
    for number in (1, 2):
        with use_threads(number):
            gradients.append(model.gradient(phases[0], phases[1]))
    halves = {
        "visible_patterns": (model.hidden_patterns, 1, 0),
        "hidden_patterns": (model.visible_patterns, 0, 1),
    }
    for name, chain in halves.items():
        np.testing.assert_array_equal(gradients[0][name], gradients[1][name])
        expected = model.factor * plain[0].onto_less(plain[1], *chain)
        np.testing.assert_allclose(gradients[0][name], expected, rtol=0, atol=3e-6 * np.abs(expected).max())
