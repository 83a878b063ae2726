"""Models against sums over every state, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from brute_force import all_states, energy_table, indices, joint
from small_models import all_models, biased_pattern_rbm, general_models, kind, pattern_rbm, rbm

import rapid_ising as ri
from rapid_ising.errors import CheckpointError, InvalidDataError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.models import GraphModel, LayeredModel
from rapid_ising.typing import Floats, Reals

MODELS = all_models()
by_name = pytest.mark.parametrize("model", MODELS, ids=kind)


@by_name
def test_ising_problem_has_the_energies_of_the_model(model: ri.Model) -> None:
    states = all_states(4 + model.n_hidden)
    np.testing.assert_allclose(model.ising().energies(states), energy_table(model).ravel(), atol=1e-12)


@by_name
def test_clamped_problem_is_the_conditional_law(model: ri.Model) -> None:
    clamped = np.array([1, 0, -1, 0])
    part = model.ising(clamped)
    v, h = all_states(4), all_states(model.n_hidden)
    fits = (v[:, 0] == 1) & (v[:, 2] == -1)
    free = np.hstack([np.repeat(v[fits][:, [1, 3]], len(h), axis=0), np.tile(h, (int(fits.sum()), 1))])
    np.testing.assert_allclose(part.energies(free), energy_table(model)[fits].ravel(), atol=1e-12)


@by_name
@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5])
def test_free_energy_sums_the_hidden_spins_out(model: ri.Model, beta: float) -> None:
    expected = -np.log(np.exp(-beta * energy_table(model)).sum(axis=1)) / beta
    np.testing.assert_allclose(model.free_energy(all_states(4), beta), expected, atol=1e-12)


@by_name
def test_free_energy_at_zero_temperature_is_the_lowest_energy(model: ri.Model) -> None:
    lowest = energy_table(model).min(axis=1)
    np.testing.assert_allclose(model.free_energy(all_states(4), np.inf), lowest, atol=1e-12)


@by_name
@pytest.mark.parametrize("beta", [1.0, 1.7])
def test_gibbs_step_leaves_the_law_unchanged(model: ri.Model, beta: float) -> None:
    """From the law of all spins, a step leaves that of the spins that a chain carries."""
    rng = np.random.default_rng(3)
    start = spins_of(model, beta, 20_000, rng)[:, model.carried].astype(float)
    laws_agree(model, model.gibbs_step(start, beta, rng), beta)
    laws_agree(model, model.tempered_step(start, beta, rng)[0], beta)


@by_name
def test_tempered_step_tells_the_energy_of_a_state_of_all_spins(model: ri.Model) -> None:
    """With the law at beta = 1, so that the mean is that of the law."""
    rng, reads = np.random.default_rng(5), 20_000
    start = spins_of(model, 1.0, reads, rng)[:, model.carried].astype(float)
    _, energies = model.tempered_step(start, 1.0, rng)
    table, law = energy_table(model), joint(model)
    mean = float((law * table).sum())
    deviation = float(np.sqrt((law * (table - mean) ** 2).sum()))
    assert abs(energies.mean() - mean) < 5 * deviation / np.sqrt(reads)


@by_name
def test_held_spins_give_the_conditional_law(model: ri.Model) -> None:
    """Each row holds its own values, and the others start unknown; after 60 steps nothing of that is left."""
    rng, reads = np.random.default_rng(6), 8000
    known = np.array([True, False, False, True])
    images = np.array([[1, 0, 0, -1], [-1, 0, 0, -1]])
    rows = np.repeat(images, reads, axis=0).astype(float)
    after = model.gibbs_step(model.chains_at(rows), 1.0, rng, 60, known)
    assert set(np.unique(after)) == {-1.0, 1.0}
    law, states = joint(model).sum(axis=1), all_states(4)
    for image, drawn in zip(images, np.split(after[:, :4], 2), strict=True):
        fits = (states[:, known] == image[known]).all(axis=1)
        frequencies_hold(indices(drawn), np.where(fits, law, 0) / law[fits].sum())


@pytest.mark.parametrize("model", general_models(), ids=kind)
def test_posterior_is_the_law_of_the_hidden_spins_given_the_data(model: ri.Model) -> None:
    """A mean over 60 sweeps from unknown hidden spins: nothing is left of the start."""
    rng, reads = np.random.default_rng(7), 8000
    assert isinstance(model, GraphModel | LayeredModel)
    model.positive_sweeps, before = 60, model.positive_sweeps
    image = np.array([[1, -1, -1, 1]])
    chains = model.posterior(np.repeat(image, reads, axis=0).astype(float), rng)
    model.positive_sweeps = before
    np.testing.assert_array_equal(chains[:, :4], np.repeat(image, reads, axis=0))
    assert chains.shape == (reads, len(model.carried))
    hidden = joint(model)[indices(image)[0]]
    carried = model.carried[4:] - 4
    places = indices(all_states(model.n_hidden)[:, carried])
    law: Reals = np.bincount(places, hidden / hidden.sum(), 2 ** len(carried)).astype(float)
    frequencies_hold(indices(chains[:, 4:]), law)


def spins_of(model: ri.Model, beta: float, reads: int, rng: np.random.Generator) -> Reals:
    """States of all spins, drawn from the law."""
    law = joint(model, beta).ravel()
    drawn: Reals = all_states(4 + model.n_hidden)[rng.choice(len(law), size=reads, p=law)].astype(float)
    return drawn


def laws_agree(model: ri.Model, chains: Floats, beta: float) -> None:
    """The frequencies of the chains are those of the law of the spins that they carry."""
    places = indices(all_states(4 + model.n_hidden)[:, model.carried])
    weights = joint(model, beta).ravel()
    law: Reals = np.bincount(places, weights, 2 ** len(model.carried)).astype(float)
    frequencies_hold(indices(chains), law)


def frequencies_hold(places: npt.NDArray[np.intp], law: Reals) -> None:
    """Five standard errors of each frequency, and a few reads for states so rare that few are expected."""
    reads = len(places)
    counts = np.bincount(places, minlength=len(law))
    assert (np.abs(counts / reads - law) < 5 * np.sqrt(law * (1 - law) / reads) + 4 / reads).all()


@by_name
@pytest.mark.parametrize("backend", ["exact", "gibbs", "simulated-annealing"])
def test_sample_draws_the_visible_law_from_any_machine(model: ri.Model, backend: str) -> None:
    reads = 4000
    states = model.sample(reads, backend=backend, seed=4)
    assert states.shape == (reads, 4)
    law = joint(model).sum(axis=1)
    frequencies_hold(indices(states), law)


@by_name
@pytest.mark.parametrize("backend", [None, "exact", "gibbs", "simulated-annealing"])
def test_reconstruct_keeps_known_pixels(model: ri.Model, backend: str | None) -> None:
    images = all_states(4)
    mask = np.array([True, False, True, False])
    filled = model.reconstruct(np.where(mask, images, 0), mask, backend=backend, seed=0)
    assert filled.shape == images.shape
    assert set(np.unique(filled)) <= {-1, 1}
    np.testing.assert_array_equal(filled[:, mask], images[:, mask])


def test_reconstruct_with_an_exact_machine_draws_the_conditional_law() -> None:
    model = rbm()
    mask = np.array([True, False, False, True])
    reads = 3000
    filled = model.reconstruct(np.tile([1, 0, 0, -1], (reads, 1)), mask, backend="exact", seed=0)
    states = all_states(4)
    law = joint(model).sum(axis=1)
    fits = (states[:, 0] == 1) & (states[:, 3] == -1)
    expected = law[fits] / law[fits].sum()
    seen = np.array([(filled == s).all(axis=1).mean() for s in states[fits]])
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected * (1 - expected) / reads)).all()


def test_symmetric_model_has_symmetric_law() -> None:
    law = joint(pattern_rbm()).sum(axis=1)
    np.testing.assert_allclose(law, law[::-1], atol=1e-14)


@by_name
def test_saved_model_is_the_same(model: ri.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    again = ri.load_model(tmp_path / "model.safetensors")
    assert repr(again) == repr(model)
    for name, array in model.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array)


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    rbm().save(path)
    whole = path.read_bytes()
    for cut in (0, 4, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            ri.load_model(path)
    with pytest.raises(CheckpointError, match="there is no file"):
        ri.load_model(tmp_path / "none")


def test_failed_write_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    rbm().save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rapid_ising.storage.os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        pattern_rbm().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sizes", [(0, 3), (-1, 3), (4, 0), (4.5, 3)])
def test_sizes_must_be_positive_integers(sizes: tuple[int, int]) -> None:
    with pytest.raises(InvalidParameterError, match="must be an integer of at least 1"):
        ri.RBM(*sizes)


def test_bad_images_and_masks_are_refused() -> None:
    model = rbm()
    mask = np.array([True, True, False, False])
    with pytest.raises(InvalidDataError, match="4 are needed"):
        model.reconstruct([[1, 1, 0]], mask)
    with pytest.raises(InvalidDataError, match="boolean array"):
        model.reconstruct([[1, 1, 0, 0]], [1, 1, 0, 0])
    with pytest.raises(InvalidDataError, match="known pixels must hold spins"):
        model.reconstruct([[1, 0, 0, 0]], mask)
    with pytest.raises(InvalidDataError, match=r"np\.where"):
        model.free_energy([[0, 1, 0, 1]])
    with pytest.raises(ProblemTooLargeError, match="22"):
        ri.RBM(30, 40, seed=0).sample(backend="exact")


def test_patterns_never_form_the_weights() -> None:
    # W would hold 4e10 numbers.
    model = ri.PatternRBM(200_000, 200_000, 2, seed=0, amplitude=0.01)
    states = np.ones((1, 200_000), np.float32)
    assert model.hidden_fields(states).shape == (1, 200_000)
    assert model.ising().energies(np.ones((1, 400_000), np.int8)).shape == (1,)


def test_biases_are_couplings_to_clamped_spins() -> None:
    """The model with biases is the one with a spin more in each layer, both held at +1."""
    model = biased_pattern_rbm()
    p = model.parameters
    patterns = np.hstack(
        [p["visible_clamp"][:, None], p["visible_patterns"], p["hidden_patterns"], p["hidden_clamp"][:, None]]
    )
    larger = ri.IsingModel(np.zeros(9), ri.Patterns(patterns, -1.3 / 2**0.5, (5, 4)))
    clamped, free = larger.clamp([1, 0, 0, 0, 0, 0, 0, 0, 1])
    states = all_states(7)
    np.testing.assert_array_equal(free, np.arange(1, 8))
    # The two clamped spins are coupled to each other too: a constant.
    constant = 1.3 / 2**0.5 * p["visible_clamp"] @ p["hidden_clamp"]
    np.testing.assert_allclose(
        clamped.energies(states) + constant, model.ising().energies(states), atol=1e-12
    )


def test_patterns_as_states_have_their_clamped_spin_up() -> None:
    model = biased_pattern_rbm()
    expected = np.sign(model.visible_patterns) * np.sign(model.parameters["visible_clamp"])[:, None]
    np.testing.assert_array_equal(model.states(), expected)


def test_biases_end_the_symmetry_of_an_image_and_its_negative() -> None:
    images = ri.datasets.stripes(4).train[:3]
    model = ri.PatternRBM(16, 60, 6, seed=0, biases=True)
    ri.train(model, images, seed=0, progress=False)
    assert (model.free_energy(images) < model.free_energy(-images)).all()
