"""Models on arrays of other libraries and devices: against NumPy, exact enumeration and laws of chance.

array-api-strict refuses whatever the standard does not have, and its second device whatever is left on the
first. ``make test-torch`` runs the same on PyTorch's tensors.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import numpy.typing as npt
import pytest
import small_models
from phases import STRIPES

import rapid_ising as ri
from rapid_ising import evaluation
from rapid_ising.arrays import NUMPY, Place, namespace, rows, to_numpy
from rapid_ising.errors import DivergenceError, InvalidParameterError, MissingDependencyError
from rapid_ising.layer_fields import block_sweeps
from rapid_ising.models.statistics import Statistics
from rapid_ising.total_variation import tolerance, total_variation

TWO_LAYERS = [
    small_models.rbm,
    small_models.pattern_rbm,
    small_models.biased_pattern_rbm,
    small_models.freely_biased_pattern_rbm,
]
IMAGES = small_models.IMAGES.astype(np.float64)
PHASES: dict[str, Callable[[], ri.NegativePhase]] = {
    "pcd": lambda: ri.PersistentContrastiveDivergence(k=20, chains=2000),
    "parallel-tempering": lambda: ri.ParallelTempering(betas=4, chains=2000, steps=30),
    "simulated-tempering": lambda: ri.SimulatedTempering(betas=4, chains=500, reads=2000, burn_in=20),
    "patterns": lambda: ri.PatternCorrelations(gibbs_steps=20, chains=1000),
    "some patterns": lambda: ri.PatternCorrelations(gibbs_steps=20, num_chains=2000, restart=0.1),
    "langevin": lambda: ri.Langevin(k=30, chains=2000),
    "backend": lambda: ri.BackendSamples("exact", num_reads=2000),
}


def places() -> dict[str, Place]:
    """Every place that there is here."""
    found = {"strict": Place(array_api_strict, array_api_strict.Device("device1"))}
    if importlib.util.find_spec("torch"):
        import torch

        found["torch"] = Place.named(torch)
        if torch.cuda.is_available():
            found["cuda"] = Place.named("cuda")
    return found


PLACES = places()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


def test_all_of_this_runs_on_pytorch() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed here: `make test-torch` has it")
    assert "torch" in PLACES


def test_all_of_this_runs_on_cuda() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: `make test-torch` has it")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    assert "cuda" in PLACES


@pytest.fixture(params=TWO_LAYERS, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    found: Callable[[], Any] = request.param
    return found


def close(found: Any, expected: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=rtol, atol=rtol)


def law_of(model: ri.Model) -> dict[tuple[int, ...], float]:
    states = np.array(list(itertools.product((-1, 1), repeat=model.n_visible)))
    return dict(
        zip(map(tuple, states.tolist()), np.exp(evaluation.log_probabilities(model, states)), strict=True)
    )


class TestOneAnswer:
    """What has no chance in it is NumPy's to rounding."""

    def test_fields_energies_and_free_energies(self, make: Callable[[], Any], place: Place) -> None:
        plain, moved = make(), make().to(place)
        hidden = np.array([[1.0, -1, 1], [-1, -1, 1], [1, 1, 1]])
        close(moved.hidden_fields(IMAGES), plain.hidden_fields(IMAGES))
        close(moved.visible_fields(hidden), plain.visible_fields(hidden))
        close(moved.energies(IMAGES, hidden), plain.energies(IMAGES, hidden))
        for beta in (0.3, 1.0, math.inf):
            close(moved.free_energy(IMAGES, beta), plain.free_energy(IMAGES, beta))
        assert Place.of(moved.hidden_fields(IMAGES)) == place

    def test_many_states_go_through_the_weights(self, place: Place) -> None:
        plain, moved = small_models.biased_pattern_rbm(), small_models.biased_pattern_rbm().to(place)
        for states in (1, 10_000):
            for ours, theirs in zip(moved.layer_fields(states), plain.layer_fields(states), strict=True):
                assert len(ours.matrices) == len(theirs.matrices)
                for first, second in zip(ours.matrices, theirs.matrices, strict=True):
                    close(first, second)
                close(ours.biases, theirs.biases)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_gradients(self, make: Callable[[], Any], place: Place, weighted: bool) -> None:
        def gradient(model: Any) -> dict[str, Any]:
            up, down = model.statistics(IMAGES, 4), model.statistics(-IMAGES[:2])
            if weighted:
                down = down.weighted(np.array([0.2, 0.8]))
            found: dict[str, Any] = model.gradient(up, down)
            if model.bias_names:
                offsets = [(up.mean(layer) + down.mean(layer)) / 2 for layer in (0, 1)]
                found |= {f"centred {name}": g for name, g in model.centred(found, offsets).items()}
                found |= {f"pull {layer}": pull for layer, pull in enumerate(model.pulls(offsets))}
            return found

        ours, theirs = gradient(make().to(place)), gradient(make())
        assert ours.keys() == theirs.keys()
        for name, expected in theirs.items():
            close(ours[name], expected)

    def test_the_ising_problem_and_the_patterns(self, make: Callable[[], Any], place: Place) -> None:
        plain, moved = make(), make().to(place)
        states = np.ones((1, 7), np.int8)
        close(moved.problem().energies(states), plain.problem().energies(states))
        np.testing.assert_array_equal(moved.relaxed(IMAGES), plain.relaxed(IMAGES))
        if plain.n_patterns:
            np.testing.assert_array_equal(to_numpy(moved.states()), plain.states())

    def test_exact_measures(self, make: Callable[[], Any], place: Place) -> None:
        plain, moved = make(), make().to(place)
        for measure in (evaluation.log_likelihood, evaluation.pseudo_log_likelihood):
            assert measure(moved, IMAGES, 0.7) == pytest.approx(measure(plain, IMAGES, 0.7), rel=1e-10)

    def test_single_precision_stays_single(self, place: Place) -> None:
        for model in (ri.RBM(16, 8, seed=0, device=place), ri.PatternRBM(16, 8, 3, seed=0, device=place)):
            single = namespace(model.hidden_fields(np.ones((1, 16)))).float32
            run = ri.train(model, STRIPES.train, epochs=1, seed=0, progress=False, optimizer="adam")
            assert {array.dtype for array in run.model.parameters.values()} == {single}
            chains = model.gibbs_step(STRIPES.train.astype(np.float32), 1.0, np.random.default_rng(0))
            assert chains.dtype == model.hidden_fields(chains).dtype == single


class TestChance:
    """Draws have the law that they should, and the same seed gives the same ones."""

    def test_spins_in_their_fields(self, place: Place) -> None:
        fields = np.array([0.0, 0.5, -2.0, 4.0])
        betas = np.array([0.0, 0.7, 2.0, math.inf])
        reads = 40_000
        given = place.put(np.broadcast_to(fields, (4 * reads, 4)).astype(np.float32))
        spins = to_numpy(ri.sample_spins(given, np.repeat(betas, reads), np.random.default_rng(0)))
        assert set(np.unique(spins)) == {-1.0, 1.0}
        for beta, drawn in zip(betas, spins.reshape(4, reads, 4), strict=True):
            expected = -np.sign(fields) if math.isinf(beta) else -np.tanh(beta * fields)
            # Sure spins have no error at all; five standard errors of the others.
            error = 5 * np.sqrt((1 - expected**2) / reads)
            assert (np.abs(drawn.mean(axis=0) - expected) <= error + 1e-6).all()

    def test_gibbs_chains_have_the_law_of_the_model(self, make: Callable[[], Any], place: Place) -> None:
        model, reads = make().to(place), 20_000
        rng = np.random.default_rng(1)
        chains = to_numpy(model.gibbs_step(model.random_chains(reads, rng), 1.0, rng, 30))
        law = law_of(model)
        assert total_variation(map(tuple, chains.astype(int).tolist()), law) < tolerance(law, reads)

    def test_energies_are_those_of_the_states_that_a_step_ends_at(
        self, make: Callable[[], Any], place: Place
    ) -> None:
        model, energies = make().to(place), np.empty(3)
        up, down = model.layer_fields()
        visible, hidden = block_sweeps(
            up, down, place.put(IMAGES), [[0.3, 1.0, math.inf]], np.random.default_rng(0), energies=energies
        )
        close(energies, model.energies(visible, hidden))

    def test_held_spins_stay(self, place: Place) -> None:
        model = small_models.rbm().to(place)
        known = np.array([True, False, False, True])
        restored = model.reconstruct(IMAGES, known, seed=0, steps=3, unknown=0.5)
        np.testing.assert_array_equal(restored[:, known], IMAGES[:, known])
        up, down = model.layer_fields()
        second, held = np.ones((3, 3)), np.array([True, False, True])
        _, hidden = block_sweeps(
            up, down, place.put(IMAGES), np.ones(20), np.random.default_rng(0), None, second, held
        )
        np.testing.assert_array_equal(to_numpy(hidden)[:, held], second[:, held])

    def test_same_seed_same_samples(self, place: Place) -> None:
        model = ri.RBM(40, 20, seed=0, device=place)
        start = np.ones((5, 40), np.float32)
        drawn = [to_numpy(model.gibbs_step(start, 1.0, np.random.default_rng(seed))) for seed in (3, 3, 4)]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert (drawn[0] != drawn[2]).any()

    def test_a_machine_sees_the_model_and_its_law(self, place: Place) -> None:
        plain, moved = small_models.biased_pattern_rbm(), small_models.biased_pattern_rbm().to(place)
        np.testing.assert_array_equal(moved.sample(20, seed=0), plain.sample(20, seed=0))


class TestNegativePhases:
    @pytest.mark.parametrize("name", PHASES)
    def test_the_averages_are_those_of_the_model(self, name: str, place: Place) -> None:
        """Warm chains forget where they began, so that rows are as good as independent."""
        model = small_models.biased_pattern_rbm().to(place)
        model.rescale(0.7)
        phase, rng = PHASES[name](), np.random.default_rng(0)
        phase.start(model, place.put(IMAGES), rng)
        phase.statistics(model, place.put(IMAGES), rng)
        found = phase.statistics(model, place.put(IMAGES), rng)
        exact = ri.ExactExpectation().statistics(model, place.put(IMAGES), rng)

        def averages(statistics: Statistics) -> npt.NDArray[np.float64]:
            parts = [statistics.mean(0), statistics.mean(1), statistics.correlations(1, 0)]
            return np.concatenate([to_numpy(part).ravel() for part in parts])

        # Each average of 2000 products of at most 1 is off by 5 / sqrt(2000) once in a million times.
        assert np.abs(averages(found) - averages(exact)).max() < 5 / math.sqrt(2000)

    @pytest.mark.parametrize(
        "phase", ["exact", ri.BackendSamples("gibbs", num_reads=40), ri.WangLandau(16, reads=5)], ids=str
    )
    def test_what_is_not_drawn_on_the_device_trains_as_numpy_does(
        self, phase: str | ri.NegativePhase, place: Place
    ) -> None:
        models = [ri.RBM(16, 6, seed=0, dtype=np.float64, device=device) for device in ("cpu", place)]
        for model in models:
            ri.train(
                model, STRIPES.train, negative_phase=phase, epochs=3, batch_size=5, seed=1, progress=False
            )
        for name, array in models[0].parameters.items():
            close(models[1].parameters[name], array, rtol=1e-8)

    @pytest.mark.parametrize("phase", ["cd", "pcd", "parallel-tempering", "mixture"])
    def test_training_learns_as_much(self, phase: str, place: Place) -> None:
        chosen = ri.Mixture(["cd", "exact"]) if phase == "mixture" else phase

        def learnt(device: str | Place, seed: int) -> float:
            model = ri.RBM(16, 8, seed=0, device=device)
            ri.train(model, STRIPES.train, negative_phase=chosen, epochs=30, seed=seed, progress=False)
            return ri.log_likelihood(model, STRIPES.train)

        plain = [learnt("cpu", seed) for seed in range(6)]
        # Within the spread of trainings by their random numbers, which 6 of these tell to a third.
        assert abs(learnt(place, 0) - np.mean(plain)) < 6 * np.std(plain, ddof=1) + 0.1


class TestTraining:
    OPTIMIZERS = (
        ri.SGD(0.05, momentum=0.5, decay=0.01, factors={"scale": 0.1}),
        ri.Adam(0.02, decay=0.01),
    )

    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
    @pytest.mark.parametrize("constraint", ["free", "clip", "signs"])
    def test_steps_and_constraints_are_numpys(self, optimizer: Any, constraint: str, place: Place) -> None:
        models = [
            ri.PatternRBM(16, 8, 4, amplitude=0.5, learn_scale=True, seed=0, dtype=np.float64, device=device)
            for device in ("cpu", place)
        ]
        for model in models:
            ri.train(
                model, STRIPES.train, negative_phase="exact", optimizer=optimizer, constraint=constraint,
                epochs=3, batch_size=4, seed=1, progress=False,
            )  # fmt: skip
        for name, array in models[0].parameters.items():
            close(models[1].parameters[name], array, rtol=1e-8)
        assert models[1].place == place

    @pytest.mark.parametrize("biases", [True, "free"])
    def test_start_from_data(self, biases: Any, place: Place) -> None:
        models = [ri.PatternRBM(16, 8, 3, biases=biases, seed=0, device=device) for device in ("cpu", place)]
        for model in models:
            ri.start_from_data(model, STRIPES.train, seed=0)
        for name, array in models[0].parameters.items():
            close(models[1].parameters[name], array, rtol=1e-6)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
    @pytest.mark.parametrize("there", [True, False], ids=["from NumPy", "to NumPy"])
    def test_a_training_goes_on_elsewhere(
        self, optimizer: Any, there: bool, place: Place, tmp_path: Path
    ) -> None:
        def trained(device: str | Place, epochs: int, **options: Any) -> ri.Model:
            model = ri.RBM(16, 6, seed=0, dtype=np.float64, device=device)
            ri.train(
                model, STRIPES.train, negative_phase="exact", optimizer=optimizer, epochs=epochs,
                batch_size=5, seed=1, progress=False, **options,
            )  # fmt: skip
            return model

        whole, devices = trained("cpu", 4), ("cpu", place) if there else (place, "cpu")
        trained(devices[0], 2, checkpoint=tmp_path / "run")
        resumed = trained(devices[1], 4, checkpoint=tmp_path / "run", resume=True)
        for name, array in whole.parameters.items():
            close(resumed.parameters[name], array, rtol=1e-8)

    @pytest.mark.parametrize(
        "phase",
        [
            "cd",
            "pcd",
            "parallel-tempering",
            "langevin",
            ri.SimulatedTempering(betas=4, chains=40, reads=20),
            ri.PatternCorrelations(gibbs_steps=2, num_chains=20, restart=0.1),
            ri.BackendSamples("gibbs", num_reads=8),
        ],
        ids=lambda phase: getattr(phase, "name", phase),
    )
    def test_a_resumed_training_has_the_same_bits(
        self, phase: str | ri.NegativePhase, place: Place, tmp_path: Path
    ) -> None:
        models = [ri.PatternRBM(16, 12, 4, amplitude=1.0, seed=seed, device=place) for seed in (0, 0, 9)]
        for model, epochs, file in zip(models, (4, 2, 4), (None, "run", "run"), strict=True):
            ri.train(
                model, STRIPES.train, negative_phase=phase, epochs=epochs, batch_size=5, seed=5,
                checkpoint=None if file is None else tmp_path / file, resume=model is models[2],
                progress=False,
            )  # fmt: skip
        for name, array in models[0].parameters.items():
            np.testing.assert_array_equal(to_numpy(models[2].parameters[name]), to_numpy(array))

    def test_divergence_is_told_and_the_last_good_epoch_is_kept(self, place: Place) -> None:
        model = ri.RBM(16, 4, seed=0, device=place)
        with pytest.raises(DivergenceError, match=r"no longer finite in epoch \d+ at learning rate 1e\+30"):
            ri.train(
                model, STRIPES.train, optimizer=ri.SGD(1e30, decay=1.0), epochs=9, seed=0, progress=False
            )
        assert model.place == place
        assert all(np.isfinite(array).all() for array in model.numpy_parameters().values())

    def test_data_may_lie_there_too(self, place: Place) -> None:
        models = [ri.RBM(16, 6, seed=0, device=place) for _ in range(2)]
        for model, data in zip(models, (STRIPES.train, place.put(STRIPES.train)), strict=True):
            ri.train(model, data, negative_phase="cd", epochs=2, seed=0, progress=False)
        close(models[0].parameters["weights"], models[1].parameters["weights"], rtol=0)


class TestEvaluation:
    def test_distances_and_likelihoods(self, place: Place) -> None:
        plain, moved = (ri.RBM(16, 8, seed=0, weight_std=0.3, device=device) for device in ("cpu", place))
        found, expected = (ri.evaluate(model, STRIPES, seed=0, tries=200) for model in (moved, plain))
        assert found.log_likelihood_train is not None
        assert found.log_likelihood_train == pytest.approx(expected.log_likelihood_train, rel=1e-5)
        # Means of 200 tries of each of the images, 16 pixels each, which may all go together.
        error = 5 * 0.5 / math.sqrt(200 * len(STRIPES.train))
        assert abs(found.hamming_train - expected.hamming_train) < error * math.sqrt(2)
        assert abs(found.zero_temperature_train - expected.zero_temperature_train) < error * math.sqrt(2)

    @pytest.mark.parametrize("base", ["uniform", "data"])
    def test_annealed_importance_from_both_sides(self, base: str, place: Place) -> None:
        model = ri.PatternRBM(10, 8, 3, biases=True, amplitude=0.6, seed=0, device=place)
        data = None if base == "uniform" else np.where(np.arange(20).reshape(2, 10) % 3, 1, -1)
        exact = ri.log_partition(model)
        forward = evaluation.annealed_importance(model, betas=60, chains=400, base=base, data=data, seed=0)
        backward = evaluation.reverse_annealed_importance(model, forward, seed=1)
        for estimate in (forward, backward):
            assert abs(estimate.log_partition - exact) < 5 * estimate.standard_error + 1e-3
        images = STRIPES.train[:, :10]
        found = evaluation.estimated_log_likelihood(model, images, forward) + forward.log_partition - exact
        assert found == pytest.approx(ri.log_likelihood(model, images), abs=1e-3)


class TestPlaces:
    def test_there_and_back(self, make: Callable[[], Any], place: Place) -> None:
        plain, model = make(), make()
        assert model.to(place) is model
        assert model.place == place
        assert model.to("cpu").place == NUMPY
        for name, array in plain.parameters.items():
            np.testing.assert_array_equal(model.parameters[name], array)

    def test_a_copy_is_no_view(self, place: Place) -> None:
        array = np.zeros(2)
        moved = place.put(array)
        array[0] = 1
        back = to_numpy(moved)
        back[1] = 2
        np.testing.assert_array_equal(to_numpy(moved), 0)

    def test_files_are_numpys(self, make: Callable[[], Any], place: Place, tmp_path: Path) -> None:
        make().to(place).save(tmp_path / "model")
        loaded = ri.load_model(tmp_path / "model")
        assert loaded.place == NUMPY
        for name, array in make().parameters.items():
            np.testing.assert_array_equal(loaded.parameters[name], array)

    def test_rows_may_be_none(self, place: Place) -> None:
        assert tuple(rows(place.put(np.eye(3)), np.zeros(0, np.intp)).shape) == (0, 3)

    @pytest.mark.parametrize("model", small_models.general_models(), ids=small_models.kind)
    def test_machines_of_other_graphs_are_refused(self, model: ri.Model) -> None:
        assert model.to("cpu") is model
        with pytest.raises(InvalidParameterError, match="RBM or a PatternRBM"):
            model.to(array_api_strict)
        with pytest.raises(InvalidParameterError, match="compiled loops"):
            type(model)(**{**model.config(), "device": array_api_strict})

    def test_no_pytorch_is_told_with_the_line_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[torch\]'"):
            ri.RBM(2, 2, device="cuda")

    @pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
    def test_a_device_that_is_not_there(self, device: str) -> None:
        pytest.importorskip("torch", reason="PyTorch is not installed here: `make test-torch` has it")
        with pytest.raises(InvalidParameterError, match="leave device out"):
            ri.RBM(2, 2, device=device)
