"""The quasi-objective against autograd through a sum over every state, written in PyTorch alone."""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any

import numpy as np
import pytest
import small_models

import rapid_ising as ri
from rapid_ising.errors import (
    DivergenceError,
    InvalidDataError,
    InvalidParameterError,
    MissingDependencyError,
)
from rapid_ising.machine.calibrated import Calibrated

if not importlib.util.find_spec("torch"):
    pytest.skip("PyTorch is not installed: make test-torch", allow_module_level=True)
import torch

from rapid_ising.torch import NegativePhase

MODELS = [
    small_models.rbm,
    small_models.pattern_rbm,
    small_models.biased_pattern_rbm,
    small_models.freely_biased_pattern_rbm,
    small_models.boltzmann_machine,
    small_models.pattern_boltzmann_machine,
]
RELAXED = [[0.3, -0.9, 1.0, 0.05], [-1.0, 1.0, 0.5, -0.2], [0.7, 0.7, -0.7, 0.1]]


def all_states(n: int) -> Any:
    return torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * n).reshape(2**n, n)


def couplings_and_biases(model: ri.Model, p: dict[str, Any]) -> tuple[Any, Any]:
    """J, each pair once, and b of E(s) = -sum_{i<j} J_ij s_i s_j - sum_i b_i s_i, differentiable."""
    n, v = model.n_visible + model.n_hidden, model.n_visible
    matrix, biases = torch.zeros((n, n), dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    two_layers = torch.zeros((n, n), dtype=torch.float64)
    two_layers[:v, v:] = 1
    if isinstance(model, ri.RBM):
        matrix = matrix.index_put((torch.arange(v)[:, None], torch.arange(v, n)), p["weights"].T)
        biases = torch.cat([p["visible_biases"], p["hidden_biases"]])
    elif isinstance(model, ri.BoltzmannMachine):
        rows, columns = torch.as_tensor(model.edges).T
        matrix, biases = matrix.index_put((rows, columns), p["couplings"]), p["biases"]
    else:
        factor = p["scale"] / math.sqrt(model.n_patterns)
        if isinstance(model, ri.PatternRBM):
            xi = torch.hstack([p["visible_patterns"], p["hidden_patterns"]])
            matrix = factor * (xi.T @ xi) * two_layers
            if "visible_clamp" in p:
                up, down = (
                    p["visible_clamp"] @ p["hidden_patterns"],
                    p["hidden_clamp"] @ p["visible_patterns"],
                )
                biases = factor * torch.cat([down, up])
            if "visible_biases" in p:
                biases = torch.cat([p["visible_biases"], p["hidden_biases"]])
        else:
            matrix = factor * torch.triu(p["patterns"].T @ p["patterns"], 1)
    return matrix, biases


def negative_log_likelihood(model: ri.Model, p: dict[str, Any], visible: Any) -> Any:
    """-log P(v) averaged over rows, which may be relaxed: E is linear in each spin."""
    matrix, biases = couplings_and_biases(model, p)

    def log_weights(states: Any) -> Any:
        return ((states @ matrix) * states).sum(-1) + states @ biases

    hidden = all_states(model.n_hidden) if model.n_hidden else torch.zeros((1, 0), dtype=torch.float64)
    rows = visible[:, None, :].expand(-1, len(hidden), -1)
    whole = torch.cat([rows, hidden.expand(len(visible), -1, -1)], -1)
    free = -torch.logsumexp(log_weights(whole), -1)
    return free.mean() + torch.logsumexp(log_weights(all_states(model.n_visible + model.n_hidden)), 0)


def truth(model: ri.Model, visible: Any) -> dict[str, Any]:
    """The gradient by autograd, in the parameters and, named "visible", in the data."""
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in model.parameters.items()}
    leaves["visible"] = visible.detach().clone().requires_grad_()
    negative_log_likelihood(model, leaves, leaves["visible"]).backward()
    return {name: leaf.grad for name, leaf in leaves.items()}


def found(prior: Any, visible: Any) -> dict[str, Any]:
    rows = visible.detach().clone().requires_grad_()
    prior.zero_grad()
    prior(rows).backward()
    return {"visible": rows.grad, **{name: p.grad for name, p in prior.named_parameters()}}


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("relaxed", [False, True])
def test_the_gradient_is_that_of_the_likelihood(make: Any, relaxed: bool) -> None:
    rows = RELAXED if relaxed else small_models.IMAGES
    visible = torch.tensor(np.array(rows), dtype=torch.float64)
    exact = truth(make(), visible)
    ours = found(NegativePhase(make(), negative_phase="exact"), visible)
    assert ours.keys() == exact.keys()
    for name, gradient in exact.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-9, atol=1e-10, msg=name)


def test_hidden_spins_that_are_coupled_are_drawn() -> None:
    """Sweeps over them from unknown ones: within five standard errors of so many rows, each at most 1."""
    model = small_models.hidden_boltzmann_machine()
    rows = torch.tensor(small_models.IMAGES, dtype=torch.float64)
    exact = truth(model, rows)
    prior = NegativePhase(model, negative_phase="exact", seed=0)
    ours = found(prior, rows.repeat(3000, 1))
    bound = 5 / math.sqrt(9000)
    for name in ("couplings", "biases"):
        assert (ours[name] - exact[name]).abs().max() < bound
    # A row of the data has 1 / 9000 of the gradient; its field is a sum of at most three couplings.
    slopes = ours["visible"].reshape(3000, 3, 4).sum(0)
    strength = float(prior.model.parameters["couplings"].__abs__().max())
    assert (slopes - exact["visible"]).abs().max() < 5 * 3 * strength / 3 / math.sqrt(3000)
    with pytest.raises(InvalidDataError, match=r"spins, -1 or \+1, not 0\.3"):
        prior(torch.tensor(RELAXED))


def backends() -> dict[str, Any]:
    from dwave.samplers import SimulatedAnnealingSampler

    steps = np.r_[np.linspace(0, 2, 50), np.full(50, 2.0)]
    parameters = {
        "beta_schedule_type": "custom",
        "beta_schedule": steps,
        "proposal_acceptance_criteria": "Gibbs",
    }
    annealer: Any = SimulatedAnnealingSampler()  # type: ignore[no-untyped-call]
    return {
        "exact": "exact",
        "gibbs": ri.load_backend("gibbs", burn_in=100),
        # Its samples are those of beta = 2: it is asked for half the energy.
        "a dimod sampler at beta = 2": ri.WrappedSampler(annealer, parameters=parameters, beta=2.0),
    }


@pytest.mark.parametrize("name", backends())
def test_samples_give_the_gradient_within_their_error(name: str) -> None:
    reads = 10_000
    visible = torch.tensor(small_models.IMAGES, dtype=torch.float64)
    exact = truth(small_models.rbm(), visible)
    prior = NegativePhase(small_models.rbm(), backends()[name], num_reads=reads, seed=0)
    ours = found(prior, visible)
    torch.testing.assert_close(ours["visible"], exact["visible"], rtol=1e-9, atol=1e-10)
    for key in ("weights", "visible_biases", "hidden_biases"):
        # Averages of values between -1 and 1, of variance at most 1; 19 of them.
        assert (ours[key] - exact[key]).abs().max() < 4.5 / math.sqrt(reads), key
    assert prior.sample(7).shape == (7, 4)


def test_a_machine_of_its_own_temperature_is_calibrated() -> None:
    machine = ri.load_backend("twin-dwave", topology="complete", size=8)
    prior = NegativePhase(small_models.rbm(), machine, num_reads=100, seed=0)
    prior(torch.tensor(small_models.IMAGES, dtype=torch.float64))
    assert isinstance(prior._phase, ri.BackendSamples)
    assert isinstance(prior._phase._machine, Calibrated)


def test_the_value_is_the_difference_of_mean_energies() -> None:
    model = small_models.rbm()
    prior = NegativePhase(small_models.rbm(), negative_phase="exact")
    rows = torch.tensor(small_models.IMAGES, dtype=torch.float64, requires_grad=True)
    value = float(prior(rows).detach())
    states = all_states(7).numpy()
    energies = model.ising().energies(states.astype(np.int8))
    law = np.exp(-energies)
    up = np.tanh(small_models.IMAGES @ model.weights.T + model.parameters["hidden_biases"])
    data = -((up @ model.weights) * small_models.IMAGES).sum(1)
    data -= small_models.IMAGES @ model.parameters["visible_biases"] + up @ model.parameters["hidden_biases"]
    assert value == pytest.approx(data.mean() - law @ energies / law.sum(), abs=1e-10)


def test_an_optimizer_trains_the_model() -> None:
    data = ri.datasets.stripes(4).train
    machine = ri.load_backend("gibbs", burn_in=20)
    prior = NegativePhase(ri.RBM(16, 8, seed=0), machine, num_reads=64, seed=0)
    before = ri.log_likelihood(prior.model, data)
    steps = torch.optim.Adam(prior.parameters(), lr=0.03)
    rows = torch.tensor(data, dtype=torch.float32)
    for _ in range(60):
        steps.zero_grad()
        prior(rows).backward()
        steps.step()
    assert ri.log_likelihood(prior.model, data) > before + 3
    again = NegativePhase(ri.RBM(16, 8), "gibbs")
    again.load_state_dict(prior.state_dict())
    assert ri.log_likelihood(again.model, data) == ri.log_likelihood(prior.model, data)


def test_another_network_may_give_the_parameters() -> None:
    """A parametrisation of the weights: its own parameter gets the gradient, by the chain rule."""
    model = small_models.rbm()
    prior = NegativePhase(model, negative_phase="exact")
    half = torch.nn.Parameter(prior.weights.detach() / 2)
    visible = torch.tensor(small_models.IMAGES, dtype=torch.float64)
    exact = truth(small_models.rbm(), visible)["weights"]
    kept = prior.weights.detach().clone()
    torch.func.functional_call(prior, {"weights": 2 * half}, (visible,)).backward()
    torch.testing.assert_close(half.grad, 2 * exact, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(prior.weights.detach(), kept)


def test_precision_and_seed() -> None:
    rows = torch.tensor(small_models.IMAGES, dtype=torch.bfloat16, requires_grad=True)
    values = [NegativePhase(ri.RBM(4, 3, seed=1), "gibbs", seed=5)(rows) for _ in range(2)]
    assert values[0] == values[1]
    values[0].backward()
    assert rows.grad is not None
    assert rows.grad.dtype is torch.bfloat16


@pytest.mark.parametrize("rows", [small_models.IMAGES[0], RELAXED[0]])
def test_a_single_row_is_a_row(rows: Any) -> None:
    row = torch.tensor(np.array(rows), dtype=torch.float64)
    exact = truth(small_models.rbm(), row[None])
    ours = found(NegativePhase(small_models.rbm(), negative_phase="exact"), row)
    torch.testing.assert_close(ours["visible"], exact["visible"][0], rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(ours["weights"], exact["weights"], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", [torch.float32, torch.bool, torch.uint8, torch.int64, torch.bfloat16])
def test_the_cure_for_bits_works_for_tensors(kind: torch.dtype) -> None:
    visible = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]]).to(kind)
    if kind.is_floating_point:
        visible.requires_grad_()
    prior = NegativePhase(ri.RBM(4, 2, seed=0), "exact", seed=0)
    with pytest.raises(InvalidDataError, match="look like bits") as error:
        prior(visible)
    cured = eval(str(error.value).rpartition("pass ")[2])
    assert cured.tolist() == [[-1, 1, 1, -1], [1, 1, -1, -1]]
    prior(cured).backward()
    assert not kind.is_floating_point or visible.grad is not None


def test_the_cure_for_grey_values_works_for_tensors() -> None:
    visible = torch.tensor([[0.0, 16.0, 12.0, 3.0]], requires_grad=True)
    prior = NegativePhase(ri.RBM(4, 2, seed=0), "exact", seed=0)
    with pytest.raises(InvalidDataError, match="look like grey values") as error:
        prior(visible)
    cure = str(error.value).rpartition("pass ")[2].partition(", or another")[0]
    assert eval(cure).tolist() == [[-1, 1, 1, -1]]
    prior(eval(cure)).backward()


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_modules_on_one_model_are_apart(make: Any) -> None:
    model = make()
    first, second = (NegativePhase(model, negative_phase="exact") for _ in range(2))
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.mul_(2)
    trained, kept = first.model, second.model
    for name, array in make().parameters.items():
        np.testing.assert_array_equal(model.parameters[name], array)
        np.testing.assert_array_equal(kept.parameters[name], array)
        np.testing.assert_array_equal(trained.parameters[name], 2 * array)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_parameters_that_diverged_are_refused(wrong: float) -> None:
    prior = NegativePhase(ri.RBM(4, 2, seed=0), "exact", seed=0)
    with torch.no_grad():
        prior.hidden_biases[1] = wrong
    for asked in (lambda: prior(torch.ones((1, 4))), prior.sample, lambda: prior.model):
        with pytest.raises(DivergenceError, match=r"hidden_biases .* no longer finite: lower the"):
            asked()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.zeros((0, 4)), "no rows"),
        (torch.tensor(1.0), "one row a state .2 dimensions., not 0"),
        (torch.ones((1, 2, 4)), "one row a state .2 dimensions., not 3"),
        (torch.ones((2, 3)), "rows of 3 values where 4 are needed"),
        (torch.tensor([[0.0, 1.0, 1.0, 0.0]]), "look like bits"),
        (torch.tensor([[0.5, 1.5, 1.0, 0.0]]), "not 0.5"),
        (torch.tensor([[float("nan"), 1.0, 1.0, 0.0]]), "not finite"),
        (np.ones((2, 4)), "torch.Tensor, not ndarray"),
    ],
)
def test_what_is_no_data(rows: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        NegativePhase(ri.RBM(4, 2), "exact")(rows)


def test_bad_arguments() -> None:
    with pytest.raises(InvalidParameterError, match="either negative_phase or a backend"):
        NegativePhase(ri.RBM(4, 2), "exact", negative_phase="pcd")
    with pytest.raises(InvalidParameterError, match="a model such as RBM, not Linear"):
        NegativePhase(torch.nn.Linear(2, 2))


def test_what_says_that_pytorch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "rapid_ising.torch")
    with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[torch\]'"):
        importlib.import_module("rapid_ising.torch")
