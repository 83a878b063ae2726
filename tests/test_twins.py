"""The twins of machines: held to the law that each claims, its hidden numbers and its limits."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from typing import Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import brentq

import rapid_ising as ri
from rapid_ising.errors import CapabilityError, InvalidParameterError, MissingDependencyError
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance, tolerance, total_variation
from rapid_ising_backends.twins.cim import TwinCim, oscillate, oscillate_twin
from rapid_ising_backends.twins.cmos import TwinCmos
from rapid_ising_backends.twins.dwave import TwinDwave
from rapid_ising_backends.twins.photonic import TwinPhotonic, metropolis, metropolis_twin
from rapid_ising_backends.twins.schedule import rise_and_hold

State = tuple[int, ...]
RING = [(0, 0), (1, 0), (2, 1), (1, 1), (0, 1)]
"""Five nodes of a King's graph that are a ring in this order."""


@final
@dataclasses.dataclass(frozen=True)
class Placed(PlainStage):
    """Spins 0..4 at the nodes of RING, so that the models of the suite reach a machine with a graph."""

    stage: ClassVar[str] = "placed"

    def _offered(self, facts: ri.Capabilities) -> ri.Capabilities:
        assert facts.topology is not None
        part = nx.relabel_nodes(facts.topology.subgraph(RING), {node: i for i, node in enumerate(RING)})
        return dataclasses.replace(facts, topology=part, max_variables=len(RING))

    def _encode(self, request: ri.Request) -> tuple[ri.Request, Decode]:
        nodes = [RING[label] for label in request.variables]  # type: ignore[call-overload]
        return self._asked(request, variables=nodes), lambda answer: answer.with_stage({"stage": self.stage})


class TestDwaveConformance(BackendConformance):
    @pytest.fixture(params=["raw", "histogram"])
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return TwinDwave("complete", size=8, sweeps=50, answer=request.param)


class TestCmosConformance(BackendConformance):
    """The law on the models that fit, and every refusal."""

    @pytest.fixture
    def backend(self) -> ri.Backend:
        return Placed(TwinCmos(size=3, temperature_num_steps=4, temperature_step_length=25))


class TestCimConformance(BackendConformance):
    @pytest.fixture
    def backend(self) -> ri.Backend:
        return TwinCim(largest_coupling=2)


class TestPhotonicConformance(BackendConformance):
    @pytest.fixture(params=[0.0, 0.01])
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return TwinPhotonic(noise=request.param)


def law(model: ri.IsingModel, beta: float) -> dict[State, float]:
    """Return exp(-beta E) / Z of every state, from the matrix of the couplings."""
    matrix = model.couplings.to_dense()
    states = list(itertools.product((-1, 1), repeat=model.num_variables))
    energies = np.array([model.fields @ s + np.array(s) @ matrix @ s / 2 for s in states])
    weights = np.exp(-beta * (energies - energies.min()))
    return dict(zip(states, (weights / weights.sum()).tolist(), strict=True))


def fitted_beta(model: ri.IsingModel, states: npt.NDArray[Any]) -> float:
    """Return the beta of the largest pseudo-likelihood, the root of sum x / (1 + exp(2 beta x))."""
    matrix = model.couplings.to_dense()
    x = -states * (model.fields + states @ matrix)
    return float(brentq(lambda beta: (x / (1 + np.exp(2 * beta * x))).sum(), 0, 50))


def hold(model: ri.IsingModel, states: npt.NDArray[Any], beta: float) -> None:
    expected = law(model, beta)
    assert total_variation(map(tuple, states.tolist()), expected) <= tolerance(expected, len(states))


def spin_glass(n: int, seed: int = 0, scale: float = 0.5) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    half = np.triu(rng.normal(0, scale / math.sqrt(n) * 2, (n, n)), 1)
    return ri.IsingModel(rng.normal(0, 0.2, n), np.clip(half + half.T, -2, 1))


def edges(half: npt.NDArray[np.float64]) -> ri.Sparse:
    """Return the couplings of an upper triangle."""
    rows, columns = np.nonzero(half)
    return ri.Sparse(len(half), rows, columns, half[rows, columns])


@pytest.mark.parametrize(("steps", "share"), [(1, 0.2), (5, 0.0), (5, 1.0), (100, 0.3)])
def test_the_schedule(steps: int, share: float) -> None:
    schedule = rise_and_hold(2.5, steps, share)
    assert schedule.shape == (steps,)
    assert (schedule[-max(1, round(share * steps)) :] == 2.5).all()
    assert (np.diff(schedule) >= 0).all()
    assert schedule[0] == (0.0 if share < 1 and steps > 1 else 2.5)


@pytest.mark.parametrize("name", ["twin-dwave", "twin-cmos", "twin-cim", "twin-photonic"])
def test_each_says_that_it_is_a_twin(name: str) -> None:
    machine = ri.load_backend(name)
    assert machine.name == name
    assert repr(machine).startswith("Twin")
    assert not machine.capabilities.remote
    model = ri.IsingModel(np.zeros(0), ri.Patterns(np.zeros((1, 0))))
    if machine.capabilities.topology is not None:
        bqm = dimod.BinaryQuadraticModel({next(iter(machine.capabilities.topology)): 0.0}, {}, "SPIN")
        model = ri.IsingModel.from_bqm(bqm)
        answer = machine.sample(bqm)
    else:
        model = ri.IsingModel(np.zeros(2), ri.Patterns([[1.0, -1.0]]))
        answer = machine.sample(model)
    record = answer.info["rapid_ising"]
    assert record["backend"] == name
    assert record["stages"][0]["stage"] == name
    assert record["stages"][0]["twin"]


class TestDwave:
    @pytest.mark.parametrize("beta", [0.4, 1.7])
    def test_without_noise_it_samples_at_its_own_beta(self, beta: float) -> None:
        """Whatever was asked."""
        model = spin_glass(6)
        machine = TwinDwave("complete", size=6, beta=beta, field_noise=0, coupling_noise=0)
        answer = machine.sample(model, num_reads=5000, beta=9.0, seed=1)
        hold(model, answer.record.sample, beta)
        # The standard error at 5000 reads is about 0.02; five of them.
        assert fitted_beta(model, answer.record.sample) == pytest.approx(beta, abs=0.1)
        assert answer.info["rapid_ising"]["stages"][0]["twin"]["beta"] == beta

    def test_the_errors_are_drawn_once_a_call(self) -> None:
        """One spin in a noisy field: its mean over a call is -tanh(beta (h + error)), another each call."""
        machine = TwinDwave("complete", size=1, beta=1.0, field_noise=0.3, sweeps=5)
        model = ri.IsingModel([0.2], [[0.0]])
        rng = np.random.default_rng(3)
        means = [machine.sample(model, num_reads=4000, seed=rng).record.sample.mean() for _ in range(60)]
        errors = -np.arctanh(means) - 0.2
        # 60 draws of N(0, 0.3), read through 4000 spins (+- 0.016): mean 0 +- 0.04, deviation 0.3 +- 0.03.
        assert abs(errors.mean()) < 4 * 0.04
        assert abs(errors.std() - 0.3) < 4 * 0.03

    def test_couplers_that_are_zero_get_no_error(self) -> None:
        machine = TwinDwave("complete", size=4, beta=1.0, field_noise=0, coupling_noise=0.5, sweeps=20)
        model = ri.IsingModel(np.zeros(4), ri.Sparse(4, [0], [1], [0.5]))
        programmed = [machine._programmed(model, np.random.default_rng(seed)) for seed in range(300)]
        drawn = np.array([p.couplings.to_dense() for p in programmed])
        errors = drawn[:, 0, 1] - 0.5
        assert abs(errors.mean()) < 4 * 0.5 / math.sqrt(300)
        assert abs(errors.std() - 0.5) < 4 * 0.5 / math.sqrt(600)
        drawn[:, 0, 1] = drawn[:, 1, 0] = 0
        assert not drawn.any()

    @pytest.mark.parametrize("kind", ["dense", "sparse", "bipartite", "patterns", "layered-patterns"])
    def test_every_structure_is_programmed(self, kind: str) -> None:
        model = REFERENCE_MODELS[kind].problem()
        machine = TwinDwave("complete", coupling_noise=1e-9, field_noise=0)
        programmed = machine._programmed(model, np.random.default_rng(0))
        np.testing.assert_allclose(programmed.couplings.to_dense(), model.couplings.to_dense(), atol=1e-7)
        errors = programmed.couplings.to_dense() - model.couplings.to_dense()
        np.testing.assert_array_equal(errors != 0, model.couplings.to_dense() != 0)

    def test_a_histogram_is_sorted_and_has_every_read(self) -> None:
        model = spin_glass(5)
        raw, sorted_ = (
            TwinDwave("complete", sweeps=20, answer=mode).sample(model, num_reads=300, seed=5)
            for mode in ("raw", "histogram")
        )
        assert len(sorted_) == 300
        assert (np.diff(sorted_.record.energy) >= 0).all()
        assert sorted(raw.record.sample.tolist()) == sorted(sorted_.record.sample.tolist())
        runs = [key for key, _ in itertools.groupby(map(tuple, sorted_.record.sample.tolist()))]
        assert len(runs) == len(set(runs))

    @pytest.mark.parametrize(
        ("topology", "size", "qubits", "degree"),
        [
            ("pegasus", None, 264, 15),
            ("zephyr", None, 336, 20),
            ("chimera", 2, 32, 6),
            ("pegasus", 2, 40, 15),
        ],
    )
    def test_graphs(self, topology: Any, size: int | None, qubits: int, degree: int) -> None:
        facts = TwinDwave(topology, size).capabilities
        assert facts.max_variables == qubits
        assert facts.topology is not None
        assert len(facts.topology) == qubits
        assert max(d for _, d in facts.topology.degree()) <= degree

    def test_a_problem_on_the_graph_runs_and_another_is_refused(self) -> None:
        machine = TwinDwave("chimera", 2, sweeps=20)
        graph = machine.capabilities.topology
        assert graph is not None
        rng = np.random.default_rng(0)
        bqm = dimod.BinaryQuadraticModel(
            {q: float(rng.uniform(-4, 4)) for q in graph},
            {edge: float(rng.uniform(-2, 1)) for edge in graph.edges},
            "SPIN",
        )
        answer = machine.sample(bqm, num_reads=10, seed=0)
        np.testing.assert_allclose(answer.record.energy, bqm.energies(answer))
        with pytest.raises(CapabilityError, match="no coupler"):
            machine.sample(dimod.BinaryQuadraticModel({}, {(0, 1): 1.0}, "SPIN"))
        for bad in ({(0, 4): 1.1}, {(0, 4): -2.1}):
            with pytest.raises(CapabilityError, match="couplings from -2 to 1"):
                machine.sample(dimod.BinaryQuadraticModel({}, bad, "SPIN"))

    def test_reads_of_a_call_by_its_time(self) -> None:
        """20 + 123 + 21 microseconds a read, in one second; and never more than 10 000."""
        assert TwinDwave("complete").capabilities.reads_a_call == 6097
        assert TwinDwave("complete", annealing_time=2000).capabilities.reads_a_call == 466
        with pytest.raises(CapabilityError, match="6097 reads"):
            TwinDwave("complete").check(ri.IsingModel([0.0], [[0.0]]), num_reads=6098)

    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dwave.graphs", None)
        with pytest.raises(MissingDependencyError, match=r"rapid-ising\[embedding\]"):
            TwinDwave("pegasus", 7)
        TwinDwave("complete")


class TestCmos:
    def test_the_temperature_steps(self) -> None:
        machine = TwinCmos(size=2, temperature_num_steps=4, temperature_initial=8.0, hold=0.25)
        np.testing.assert_allclose(machine.schedule(1.0), [8.0, 4.0, 2.0, 1.0])
        np.testing.assert_allclose(dataclasses.replace(machine, temperature_num_steps=1).schedule(2.0), [2.0])

    @pytest.mark.parametrize(("beta", "target"), [(0.0, 1e6), (0.5, 2.0), (math.inf, 0.01)])
    def test_the_target_is_the_asked_temperature(self, beta: float, target: float) -> None:
        bqm = dimod.BinaryQuadraticModel({(0, 0): 7.0}, {}, 0.5, "SPIN")
        answer = TwinCmos(size=1).sample(bqm, num_reads=10, beta=beta, seed=0)
        record = answer.info["rapid_ising"]["stages"][0]
        assert record["temperature_target"] == pytest.approx(target)
        assert record["twin"]["beta"] == pytest.approx(1 / target)
        assert record["energies"] == (answer.record.energy - 0.5).tolist()
        assert all(isinstance(energy, int) for energy in record["energies"])

    def test_fields_and_couplings_follow_the_law(self) -> None:
        """A square of four sites with both diagonals, whole numbers up to 7; 4000 reads in 400 calls."""
        sites = list(itertools.product(range(2), repeat=2))
        rng = np.random.default_rng(4)
        bqm = dimod.BinaryQuadraticModel(
            {site: float(rng.integers(-7, 8)) for site in sites},
            {pair: float(rng.integers(-7, 8)) for pair in itertools.combinations(sites, 2)},
            "SPIN",
        )
        model, machine = ri.IsingModel.from_bqm(bqm), TwinCmos(size=2, temperature_step_length=10)
        seeds = np.random.default_rng(1)
        reads = [machine.sample(bqm, num_reads=10, beta=0.1, seed=seeds).record.sample for _ in range(400)]
        hold(model, np.concatenate(reads), 0.1)

    def test_its_graph_is_the_kings(self) -> None:
        """Against the definition: steps of at most one in both directions."""
        graph = TwinCmos(size=4).capabilities.topology
        assert graph is not None
        nodes = set(itertools.product(range(4), repeat=2))
        expected = {
            frozenset((a, b))
            for a, b in itertools.combinations(nodes, 2)
            if max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1
        }
        assert set(graph) == nodes
        assert {frozenset(edge) for edge in graph.edges} == expected

    @pytest.mark.parametrize("value", [8.0, -8.0, 0.5])
    def test_four_bits(self, value: float) -> None:
        for bqm in (
            dimod.BinaryQuadraticModel({(0, 0): value}, {}, "SPIN"),
            dimod.BinaryQuadraticModel({}, {((0, 0), (0, 1)): value}, "SPIN"),
        ):
            with pytest.raises(CapabilityError, match="twin-cmos takes"):
                TwinCmos(size=2).sample(bqm)
        with pytest.raises(CapabilityError, match="at most 10 reads"):
            TwinCmos(size=2).sample(dimod.BinaryQuadraticModel({(0, 0): 1.0}, {}, "SPIN"), num_reads=11)


class TestCim:
    def test_kernel_and_twin(self) -> None:
        """The same random numbers; sums in another order."""
        rng = np.random.default_rng(0)
        half = np.triu(rng.integers(-1, 2, (7, 7)), 1).astype(float)
        couplings = edges(half)
        pump, matrix = rise_and_hold(1.5, 300, 0.5), couplings.matrix
        ours, twin = np.zeros((3, 7)), np.zeros((3, 7))
        first, second = np.random.default_rng(1), np.random.default_rng(1)
        oscillate(ours, matrix.indptr, matrix.indices, matrix.data, pump, 0.1, 0.3, 0.05, first)
        oscillate_twin(twin, half + half.T, pump, 0.1, 0.3, 0.05, second)
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)
        assert first.random() == second.random()
        assert np.abs(ours).max() > 0.3

    def test_below_threshold_it_is_an_ornstein_uhlenbeck_process(self) -> None:
        """With the pump at 0 and little noise, x has the covariance sigma^2 / 2 (1 + xi J)^-1."""
        half = np.array([[0.0, 1.0, -1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
        matrix = edges(half).matrix
        amplitudes, runs = np.zeros((20_000, 3)), 20_000
        oscillate(
            amplitudes, matrix.indptr, matrix.indices, matrix.data, np.zeros(1500), 0.2, 0.01, 0.01,
            np.random.default_rng(2),
        )  # fmt: skip
        expected = 0.01**2 / 2 * np.linalg.inv(np.eye(3) + 0.2 * (half + half.T))
        # The standard error of an entry is at most 1.5 sqrt(2 / runs) of the variance; steps of 0.01 add 1 %.
        limit = (5 * 1.5 * math.sqrt(2 / runs) + 0.01) * expected[0, 0]
        assert np.abs(np.cov(amplitudes.T) - expected).max() < limit

    @pytest.mark.parametrize("seed", range(3))
    def test_it_finds_ground_states(self, seed: int) -> None:
        """Of ternary spin glasses of 12 spins, in 50 runs."""
        rng = np.random.default_rng(seed)
        half = np.triu(rng.integers(-1, 2, (12, 12)), 1).astype(float)
        model = ri.IsingModel(np.zeros(12), half + half.T)
        ground = ri.enumerate_model(model, math.inf).ground_energy
        machine, seeds = TwinCim(), np.random.default_rng(seed)
        assert min(machine.sample(model, seed=seeds).first.energy for _ in range(50)) == ground

    def test_its_samples_are_near_canonical(self) -> None:
        """At the default pump and noise, on the ring of the suite, as its docstring says."""
        model = REFERENCE_MODELS["whole-numbers"].problem()
        assert isinstance(model.couplings, ri.Sparse)
        matrix, machine = model.couplings.matrix, TwinCim(largest_coupling=2)
        pump = rise_and_hold(machine.pump, machine.round_trips, machine.hold)
        amplitudes = np.zeros((5000, 5))
        oscillate(
            amplitudes, matrix.indptr, matrix.indices, matrix.data, pump, machine.feedback, machine.noise,
            machine.step, np.random.default_rng(0),
        )  # fmt: skip
        states = np.where(amplitudes < 0, -1, 1)
        beta = fitted_beta(model, states)
        # The docstring's figure; five standard errors of a fit to 5000 reads.
        assert beta == pytest.approx(1.04, abs=0.1)
        assert total_variation(map(tuple, states.tolist()), law(model, beta)) < 0.05
        # The machine itself, one run a call, has the same law: two samples, each within its tolerance.
        seeds = np.random.default_rng(1)
        single = [tuple(machine.sample(model, seed=seeds).record.sample[0].tolist()) for _ in range(1000)]
        assert total_variation(single, law(model, beta)) < 0.05 + tolerance(law(model, beta), 1000)

    def test_one_read_a_call_and_no_fields(self) -> None:
        model = ri.IsingModel(np.zeros(2), [[0, -1], [-1, 0]])
        with pytest.raises(CapabilityError, match="at most 1 reads"):
            TwinCim().sample(model, num_reads=2)
        with pytest.raises(CapabilityError, match="no fields"):
            TwinCim().sample(ri.IsingModel([1.0, 0.0], [[0, -1], [-1, 0]]))
        with pytest.raises(CapabilityError, match="couplings from -1 to 1"):
            TwinCim().sample(ri.IsingModel([0.0, 0.0], [[0, -2], [-2, 0]]))


def pattern_model(n: int = 6, k: int = 3, seed: int = 0, scale: float = -0.4) -> ri.IsingModel:
    patterns = np.random.default_rng(seed).normal(size=(k, n))
    return ri.IsingModel(np.zeros(n), ri.Patterns(patterns, scale))


class TestPhotonic:
    @pytest.mark.parametrize("noise", [0.0, 0.3])
    @pytest.mark.parametrize("flips", [1, 3])
    @pytest.mark.parametrize("beta", [0.0, 0.7, math.inf])
    def test_kernel_equals_twin(self, noise: float, flips: int, beta: float) -> None:
        rng = np.random.default_rng(6)
        by_spin = rng.choice([-1.0, 1.0], size=(9, 4))
        start = rng.choice([-1, 1], size=(5, 9)).astype(np.int8)
        ours, twin = start.copy(), start.copy()
        first, second = np.random.default_rng(1), np.random.default_rng(1)
        accepted = metropolis(ours, by_spin, -0.5, beta, noise, flips, 200, first)
        assert accepted == metropolis_twin(twin, by_spin, -0.5, beta, noise, flips, 200, second)
        np.testing.assert_array_equal(ours, twin)
        assert first.random() == second.random()
        assert (ours != start).any()

    @pytest.mark.parametrize("flips", [1, 2, 3])
    @pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
    def test_without_noise_it_obeys_the_law(self, flips: int, beta: float) -> None:
        model = pattern_model()
        machine = TwinPhotonic(noise=0.0, flips=flips)
        assert machine.capabilities.temperature == "settable"
        answer = machine.sample(model, num_reads=4000, beta=beta, seed=2)
        hold(model, answer.record.sample, beta)

    def test_noise_adds_to_the_temperature(self) -> None:
        model = pattern_model()
        betas = []
        for noise in (0.0, 0.2, 0.4):
            machine = TwinPhotonic(noise=noise)
            assert machine.capabilities.temperature == ("effective" if noise else "settable")
            answer = machine.sample(model, num_reads=4000, beta=1.0, seed=2)
            betas.append(fitted_beta(model, answer.record.sample))
            assert answer.info["rapid_ising"]["stages"][0]["twin"] == {"beta": 1.0, "noise": noise}
        # The figures of the docstring; the standard error of each is about 0.02.
        np.testing.assert_allclose(betas, [1.0, 0.79, 0.58], atol=0.08)

    def test_the_noise_is_that_of_k_measured_intensities(self) -> None:
        """The one Gaussian number of a proposal has the spread of 2 K relative errors, simulated apart."""
        rng = np.random.default_rng(3)
        patterns, state = rng.normal(size=(4, 8)), rng.choice([-1, 1], size=8)
        moved = state * np.array([-1, 1, 1, 1, 1, 1, 1, 1])
        before, after = (patterns @ state) ** 2, (patterns @ moved) ** 2
        seen = (after * (1 + 0.2 * rng.normal(size=(20_000, 4)))).sum(1)
        seen -= (before * (1 + 0.2 * rng.normal(size=(20_000, 4)))).sum(1)
        expected = np.exp(-np.maximum(-0.5 * seen, 0)).mean()
        starts = np.tile(state, (100_000, 1)).astype(np.int8)
        # One proposal each; those that pick spin 0 are an eighth, and it moves when the proposal is taken.
        metropolis(starts, np.ascontiguousarray(patterns.T), -1.0, 1.0, 0.2, 1, 1, np.random.default_rng(4))
        share = (starts[:, 0] != state[0]).mean() * 8
        # A binomial share of an eighth of 100 000, and a mean of 20 000: five standard errors.
        assert share == pytest.approx(expected, abs=5 * (math.sqrt(8 / 100_000) + 1 / math.sqrt(20_000)))

    def test_a_large_model_forms_no_matrix(self) -> None:
        """100 000 spins: a matrix of all pairs would be 80 GB."""
        patterns = np.random.default_rng(0).choice([-1.0, 1.0], size=(2, 100_000))
        model = ri.IsingModel(np.zeros(100_000), ri.Patterns(patterns, -1.0))
        answer = TwinPhotonic(sweeps=2).sample(model, beta=math.inf, seed=0)
        assert answer.first.energy < 0

    def test_only_patterns_without_layers(self) -> None:
        machine = TwinPhotonic()
        with pytest.raises(CapabilityError, match="takes Patterns couplings"):
            machine.sample(ri.IsingModel(np.zeros(2), [[0, 1], [1, 0]]))
        with pytest.raises(CapabilityError, match="layers"):
            machine.check(ri.IsingModel(np.zeros(2), ri.Patterns([[1.0, 1.0]], layers=(1, 1))))
        with pytest.raises(CapabilityError, match="no fields"):
            machine.sample(ri.IsingModel(np.ones(2), ri.Patterns([[1.0, 1.0]])))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (TwinDwave, {"topology": "hexagon"}),
        (TwinDwave, {"answer": "sorted"}),
        (TwinDwave, {"size": 0}),
        (TwinDwave, {"beta": math.inf}),
        (TwinDwave, {"field_noise": -0.1}),
        (TwinDwave, {"coupling_noise": "some"}),
        (TwinDwave, {"sweeps": 0}),
        (TwinDwave, {"hold": 1.5}),
        (TwinDwave, {"annealing_time": 0.1}),
        (TwinCmos, {"size": 0}),
        (TwinCmos, {"temperature_num_steps": 101}),
        (TwinCmos, {"temperature_step_length": 1001}),
        (TwinCmos, {"temperature_initial": 0}),
        (TwinCmos, {"hold": -1}),
        (TwinCim, {"size": 0}),
        (TwinCim, {"pump": -1}),
        (TwinCim, {"feedback": math.nan}),
        (TwinCim, {"noise": 0}),
        (TwinCim, {"round_trips": 0}),
        (TwinCim, {"step": 0.5}),
        (TwinCim, {"hold": 2}),
        (TwinCim, {"largest_coupling": 0}),
        (TwinPhotonic, {"noise": -0.1}),
        (TwinPhotonic, {"sweeps": 0}),
        (TwinPhotonic, {"flips": 0}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else value.__name__,
)
def test_bad_options(kind: type[ri.Backend], options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        kind(**options)
