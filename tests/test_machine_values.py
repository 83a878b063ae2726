"""Stages that change the numbers of a problem: rounding, and fields as couplings to one extra spin."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import dimod
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import rapid_ising as ri
from rapid_ising.errors import CapabilityError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.machine import Ancilla, Quantized, Scaled, quantisation_error
from rapid_ising.machine.ancilla import pattern_column, with_ancilla
from rapid_ising.machine.quantized import rounded, whole_steps
from rapid_ising.testing import REFERENCE_MODELS, BackendConformance

WHOLE = ri.Capabilities(integer_coefficients=True, field_range=(-7, 7), coupling_range=(-7, 5))


@final
@dataclasses.dataclass(frozen=True)
class Echo(ri.LocalBackend):
    """A machine that returns the states it was started from; it keeps the requests that reach it."""

    name: ClassVar[str] = "echo"
    capabilities: ri.Capabilities = ri.Capabilities(initial_states=True)  # noqa: RUF009 - frozen
    requests: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, Mapping[str, Any]]:
        self.requests.append(request)
        return request.initial_states, {}


@final
@dataclasses.dataclass(frozen=True)
class Fieldless(ri.LocalBackend):
    """The exact machine without fields, or with other limits."""

    name: ClassVar[str] = "fieldless"
    capabilities: ri.Capabilities = ri.Capabilities(fields=False, max_variables=9)  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[Any, Mapping[str, Any]]:
        law = ri.enumerate_model(request.model, request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


class TestAncillaConformance(BackendConformance):
    @pytest.fixture(params=["fieldless", "exact"])
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return Ancilla(Fieldless() if request.param == "fieldless" else ri.load_backend("exact"))


class TestAncillaOfDistinctStates(BackendConformance):
    """The best states, each once: opposite ones of the machine are one of the problem."""

    @pytest.fixture
    def backend(self) -> ri.Backend:
        return Ancilla(Best())


@final
@dataclasses.dataclass(frozen=True)
class Best(ri.LocalBackend):
    """Every state of the lowest energies, each once."""

    name: ClassVar[str] = "best"
    capabilities = ri.Capabilities(fields=False, returns="distinct", temperature="none")

    def _draw(self, request: ri.Request) -> tuple[Any, Mapping[str, Any]]:
        states = np.array(list(itertools.product((-1, 1), repeat=request.model.num_variables)))
        return states[np.argsort(request.model.energies(states), kind="stable")][: request.num_reads], {}


class TestQuantizedConformance(BackendConformance):
    """Steps so fine that the law stays as it is to all that the suite can tell."""

    @pytest.fixture(params=["nearest", "stochastic"])
    def backend(self, request: pytest.FixtureRequest) -> ri.Backend:
        return Quantized("exact", step=1e-6, rounding=request.param)


numbers = st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@st.composite
def models(draw: Callable[..., Any], values: st.SearchStrategy[float] = numbers) -> ri.IsingModel:
    """Two to six spins in any structure of couplings."""
    n = draw(st.integers(2, 6))
    fields = np.array(draw(st.lists(values, min_size=n, max_size=n)))
    kind = draw(st.sampled_from(["dense", "sparse", "bipartite", "layered", "patterns", "layered patterns"]))
    pairs = list(itertools.combinations(range(n), 2))
    if "patterns" in kind:
        layers = (1, n - 1) if kind == "layered patterns" else None
        size = draw(st.integers(1, 3))
        xi = draw(st.lists(st.integers(-3, 3), min_size=size * n, max_size=size * n))
        return ri.IsingModel(fields, ri.Patterns(np.reshape(xi, (size, n)).astype(float), 0.5, layers))
    found = np.array(draw(st.lists(values, min_size=len(pairs), max_size=len(pairs))))
    sparse = ri.Sparse(n, [i for i, _ in pairs], [j for _, j in pairs], found)
    matrix = sparse.to_dense()
    half = n // 2
    couplings: Mapping[str, Callable[[], ri.Couplings]] = {
        "dense": lambda: ri.Dense(matrix),
        "sparse": lambda: sparse,
        "bipartite": lambda: ri.Bipartite(matrix[:half, half:]),
        "layered": lambda: ri.Layered([matrix[:1, 1:half], matrix[1:half, half:]]),
    }
    return ri.IsingModel(fields, couplings[kind](), draw(values))


def random_states(model: ri.IsingModel, reads: int = 4, seed: int = 0) -> Any:
    shape = (reads, model.num_variables)
    return (2 * np.random.default_rng(seed).integers(2, size=shape) - 1).astype(np.int8)


# -- Quantized


@given(models(), st.sampled_from([1.0, 0.1, 0.3, 7.0]))
@settings(max_examples=500)
def test_nearest_multiples_and_the_record_of_the_error(model: ri.IsingModel, step: float) -> None:
    echo, states = Echo(), random_states(model)
    answer = Quantized(echo, step=step).sample(model, num_reads=4, initial_states=states)
    assert answer.record.sample.tolist() == states.tolist()
    sent = echo.requests[0].model
    assert sent.offset == model.offset
    old = [*model.fields.tolist(), *pair_values(model)]
    new = [*sent.fields.tolist(), *pair_values(sent)]
    for x, y in zip(old, new, strict=True):
        assert math.isclose(y / step, round(y / step), abs_tol=1e-6)
        assert abs(y - x) <= step / 2 * (1 + 1e-9)
        # Between two, the one nearer to 0.
        assert not (abs(y) > abs(x) and math.isclose(abs(y) - abs(x), step / 2, rel_tol=1e-12))
    record = answer.info["rapid_ising"]["stages"][-1]
    kept = [(x, y) for x, y in zip(old, new, strict=True) if x]
    rms = math.sqrt(sum((y - x) ** 2 for x, y in kept) / max(1, len(kept)))
    size = math.sqrt(sum(x * x for x, _ in kept) / max(1, len(kept)))
    assert math.isclose(record["rms_error"], rms, abs_tol=1e-12)
    assert math.isclose(record["relative_error"], rms / size if size else 0.0, abs_tol=1e-12)
    assert math.isclose(record["largest_error"], max((abs(y - x) for x, y in kept), default=0), abs_tol=1e-12)
    n = model.num_variables
    pairs = [(x, y) for x, y in zip(old[n:], new[n:], strict=True) if x]
    assert math.isclose(record["zeroed"], sum(y == 0 for _, y in pairs) / max(1, len(pairs)))
    assert record["held"] == 0


def pair_values(model: ri.IsingModel) -> list[float]:
    """J_ij of each pair, from the energies of states alone."""
    bare = ri.IsingModel(np.zeros(model.num_variables), model.couplings)
    found = bare.couplings.to_dense()
    return [float(found[i, j]) for i, j in itertools.combinations(range(model.num_variables), 2)]


@pytest.mark.parametrize("kind", ["dense", "sparse", "bipartite"])
def test_stochastic_rounding_is_unbiased(kind: str) -> None:
    model = REFERENCE_MODELS[kind].problem()
    rng = np.random.default_rng(3)
    times, step = 1000, 0.5
    draws = [rounded(model, step, rng)[0] for _ in range(times)]
    for old, new in (
        (model.fields, [draw.fields for draw in draws]),
        (model.couplings.to_dense(), [draw.couplings.to_dense() for draw in draws]),
    ):
        stacked = np.array(new)
        assert set(np.unique(stacked / step - np.floor(old / step))) <= {0.0, 1.0}
        # The deviation of one draw is at most step / 2; 5 of those of the mean are passed in < 1e-6 of cases.
        assert np.abs(stacked.mean(axis=0) - old).max() < 5 * step / 2 / math.sqrt(times)


def test_stochastic_rounding_takes_its_numbers_from_the_request() -> None:
    model = REFERENCE_MODELS["dense"].problem()
    sent = []
    for seed in (1, 1, 2):
        echo = Echo()
        states = random_states(model, 1)
        Quantized(echo, rounding="stochastic").sample(model, seed=seed, initial_states=states)
        sent.append(echo.requests[0].model.couplings.to_dense().tolist())
    assert sent[0] == sent[1] != sent[2]


@given(
    st.floats(0.05, 3),
    st.floats(0.05, 3),
    st.floats(0.01, 1),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.sampled_from(["nearest", "stochastic"]),
    st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=500)
def test_rounding_stays_inside_the_ranges(
    below: float, above: float, step: float, shares: list[float], rounding: Any, kind: Any
) -> None:
    limits = (-below, above)
    machine = Echo(ri.Capabilities(initial_states=True, field_range=limits, coupling_range=limits))
    # Scaled brings the coefficients right to the edges.
    values = (-below + (below + above) * np.array(shares)).astype(kind)
    matrix = np.zeros((2, 2), kind)
    matrix[0, 1] = matrix[1, 0] = values[2]
    stage = Scaled(Quantized(machine, step=step, rounding=rounding))
    try:
        stage.sample(ri.IsingModel(values[:2], matrix), seed=0, initial_states=[[1, 1]])
    except CapabilityError:
        # The coupling is so small beside the fields that it would become 0.
        hypothesis.reject()
    sent = machine.requests[0].model
    assert sent.dtype == kind
    machine.capabilities.check("echo", sent, 1)


def test_a_value_kept_inside_the_range_is_counted() -> None:
    limits = ri.Capabilities(initial_states=True, field_range=(-1.1, 1.1))
    answer = Quantized(Echo(limits), step=0.4).sample(
        ri.IsingModel([1.1, -1.1, 0.4], np.zeros((3, 3))), initial_states=[[1, 1, 1]]
    )
    record = answer.info["rapid_ising"]["stages"][-1]
    assert record["held"] == 2
    assert math.isclose(record["largest_error"], 0.3)


def test_strict_refuses_with_the_number_before_anything_is_sent() -> None:
    model = ri.IsingModel([1.5, -0.5], [[0, 3.2], [3.2, 0]])
    # Errors 0.5, 0.5 and 0.2 of coefficients 1.5, 0.5 and 3.2.
    expected = math.sqrt(0.54 / (1.5**2 + 0.5**2 + 3.2**2))
    echo = Echo()
    with pytest.raises(CapabilityError, match=f"{expected:.3g} of their size"):
        Quantized(echo, strict=expected * 0.99).check(model)
    Quantized(echo, strict=expected * 1.01).check(model)
    assert echo.requests == []


def test_a_machine_of_whole_numbers_takes_real_ones() -> None:
    stage = Scaled(Quantized(Fieldless(WHOLE)))
    assert not stage.capabilities.integer_coefficients
    answer = stage.sample(REFERENCE_MODELS["dense"].problem(), num_reads=5, seed=0)
    assert [s["stage"] for s in answer.info["rapid_ising"]["stages"]] == ["fieldless", "quantized", "scaled"]
    with pytest.raises(InvalidParameterError, match=r"whole numbers.*0\.5"):
        Quantized(Fieldless(WHOLE), step=0.5)


@pytest.mark.parametrize("options", [{"step": 0.0}, {"step": math.inf}, {"rounding": "up"}, {"strict": -1.0}])
def test_bad_options_of_quantized(options: Any) -> None:
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        Quantized("exact", **options)


def test_a_step_far_too_small_for_the_coefficients() -> None:
    with pytest.raises(CapabilityError, match="too large for steps of 1e-200"):
        Quantized("exact", step=1e-200).check(ri.IsingModel([1e200], [[0.0]]))


def test_no_negative_zeros() -> None:
    assert not np.signbit(whole_steps(np.array([-0.2, -0.5, -0.0]), 1.0)).any()


def test_the_predicted_error_of_rounding_is_met_at_many_steps() -> None:
    rng = np.random.default_rng(5)
    n = 200
    half = np.triu(rng.normal(size=(n, n)), 1)
    model = ri.IsingModel(rng.normal(size=n), half + half.T)
    found = quantisation_error(model, [1, 3, 7, 15, 255])
    largest = max(np.abs(half).max(), np.abs(model.fields).max())
    assert [e.steps for e in found] == [1, 3, 7, 15, 255]
    for error in found:
        assert math.isclose(error.step, largest / error.steps)
        assert math.isclose(error.predicted, error.step / math.sqrt(12))
        assert math.isclose(
            error.relative_measured / error.measured, error.relative_predicted / error.predicted
        )
    # The square of a uniform error has the relative deviation sqrt(4/5); five of those over 20 100 values.
    for error in found[2:]:
        assert abs(error.measured / error.predicted - 1) < 5 * math.sqrt(0.8 / (n * (n + 1) / 2)) / 2 + 2e-3
    # One step, larger than twice most of the values: they become 0, and the error is their own size.
    assert found[0].zeroed > 0.9
    with pytest.raises(InvalidParameterError, match="steps"):
        quantisation_error(model, [0])
    with pytest.raises(InvalidParameterError, match="no steps"):
        quantisation_error(ri.IsingModel([0.0], [[0.0]]), [1])


# -- Ancilla


@given(models(), st.integers(0, 2**32 - 1))
@settings(max_examples=500)
def test_energies_with_the_extra_spin_are_those_of_the_decoded_states(
    model: ri.IsingModel, seed: int
) -> None:
    echo = Echo(ri.Capabilities(fields=False, initial_states=True))
    states = random_states(model, seed=seed)
    answer = Ancilla(echo).sample(model, num_reads=4, initial_states=states)
    assert answer.record.sample.tolist() == states.tolist()
    sent = echo.requests[0]
    record = answer.info["rapid_ising"]["stages"][-1]
    assert record["spins"] == int(model.fields.any())
    assert not sent.model.fields.any()
    if not record["spins"]:
        assert sent.model is model
        return
    assert record["couplings"] == type(sent.model.couplings).__name__
    assert sent.initial_states is not None
    assert (sent.initial_states[:, -1] == 1).all()
    both = np.vstack([sent.initial_states, -sent.initial_states])
    np.testing.assert_allclose(
        sent.model.energies(both), np.tile(model.energies(states), 2), rtol=1e-10, atol=1e-7
    )


def test_the_sign_of_the_extra_spin_decodes() -> None:
    model = ri.IsingModel([0.5, -1.0], [[0, 2.0], [2.0, 0]])
    answer = Ancilla(Best()).sample(model, num_reads=8)
    # All eight states of three spins, in pairs of opposite ones.
    assert sorted(answer.record.sample.tolist()) == sorted(map(list, itertools.product((-1, 1), repeat=2)))


def test_patterns_stay_patterns_when_the_fields_are_a_sum_of_them() -> None:
    rng = np.random.default_rng(1)
    for kind in (np.float64, np.float32):
        clamp: Any
        xi: Any
        xi, clamp = rng.normal(size=(4, 50)).astype(kind), rng.normal(size=4).astype(kind)
        couplings = ri.Patterns(xi, -0.5)
        fields: Any = couplings.scale * (clamp @ xi)
        sent = with_ancilla(ri.IsingModel(fields, couplings)).couplings
        assert isinstance(sent, ri.Patterns)
        # The clamp is the only solution, since there are more spins than patterns.
        np.testing.assert_allclose(sent.patterns[:, -1], clamp, rtol=1e-3 if kind is np.float32 else 1e-9)
        other = fields + np.eye(50, dtype=kind)[7] * 1e-2
        assert pattern_column(couplings, other) is None
        assert isinstance(with_ancilla(ri.IsingModel(other, couplings)).couplings, ri.Dense)


@pytest.mark.parametrize(("patterns", "scale"), [(np.zeros((0, 3)), 1.0), (np.ones((2, 3)), 0.0)])
def test_patterns_that_couple_nothing(patterns: Any, scale: float) -> None:
    model = ri.IsingModel([1.0, 2.0, 3.0], ri.Patterns(patterns, scale))
    np.testing.assert_array_equal(with_ancilla(model).couplings.to_dense()[-1], [1, 2, 3, 0])


def test_single_couplings_stay_single_where_few_are_coupled() -> None:
    n = 400
    ring = ri.Sparse(n, np.arange(n), (np.arange(n) + 1) % n, np.ones(n))
    fields = np.zeros(n)
    fields[:3] = 1.0
    thin = np.zeros((n // 2, n // 2))
    thin[0] = 1.0
    for couplings, kind in (
        (ring, ri.Sparse),
        (ri.Bipartite(thin), ri.Sparse),
        (ri.Bipartite(1 + thin), ri.Dense),
    ):
        sent = with_ancilla(ri.IsingModel(fields, couplings)).couplings
        assert isinstance(sent, kind)
        matrix = sent.to_dense()
        np.testing.assert_array_equal(matrix[:n, :n], couplings.to_dense())
        np.testing.assert_array_equal(matrix[n, :n], fields)


def test_the_extra_spin_has_a_label_of_its_own() -> None:
    echo = Echo(ri.Capabilities(fields=False, initial_states=True))
    bqm = dimod.BinaryQuadraticModel({"ancilla": 1.0, "ancilla'": -1.0}, {}, "SPIN")
    Ancilla(echo).sample(bqm, initial_states=[[1, -1]])
    labels = echo.requests[0].variables
    assert labels[:2] == ["ancilla", "ancilla'"]
    assert len(set(labels)) == 3


def test_what_ancilla_offers() -> None:
    facts = Ancilla(
        Fieldless(ri.Capabilities(fields=False, coupling_range=(-2, 1), max_variables=4))
    ).capabilities
    assert facts.fields
    assert (facts.field_range, facts.coupling_range, facts.max_variables) == ((-2, 1), (-2, 1), 3)
    with pytest.raises(ProblemTooLargeError, match="3 spins and the problem has 5"):
        Ancilla(Fieldless(dataclasses.replace(facts, fields=False, max_variables=4))).check(
            REFERENCE_MODELS["dense"].problem()
        )
    exact = ri.load_backend("exact")
    assert Ancilla(exact).capabilities == exact.capabilities
