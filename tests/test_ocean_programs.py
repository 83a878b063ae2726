"""Backends inside dwave-hybrid's workflows and dwave-pytorch-plugin, and workflows as backends."""

from __future__ import annotations

import importlib.util
import itertools
import math
from typing import Any

import dimod
import numpy as np
import pytest
from dimod.reference.composites.tracking import TrackingComposite

import rapid_ising as ri
from rapid_ising.machine import Scaled
from rapid_ising.testing import tolerance, total_variation

missing = [name for name in ("hybrid", "torch") if not importlib.util.find_spec(name)]
if missing:
    pytest.skip(f"{' and '.join(missing)} not installed: make test-torch", allow_module_level=True)
import hybrid  # noqa: E402
import torch  # noqa: E402
from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine  # noqa: E402
from dwave.plugins.torch.samplers import DimodSampler  # noqa: E402

PROBLEM: dimod.BinaryQuadraticModel = dimod.generators.ran_r(3, 6, seed=1)
LEAST = dimod.ExactSolver().sample(PROBLEM).first.energy
READS = 3000


@pytest.fixture(scope="module")
def twin() -> Any:
    """An annealer's twin behind its graph; fields of a subproblem may lie out of its range, so it scales."""
    return ri.as_dimod_sampler(Scaled(ri.load_backend("twin-dwave", size=2, sweeps=100)), seed=0)


def ends_at(workflow: Any) -> float:
    start = hybrid.State.from_sample(hybrid.min_sample(PROBLEM), PROBLEM)
    energy: float = workflow.run(start).result().samples.first.energy
    return energy


def least_read(workflow: Any) -> float:
    """Return the lowest energy that its sampler found; hybrid's composers take the first read instead."""
    start = hybrid.State.from_sample(hybrid.min_sample(PROBLEM), PROBLEM)
    energy: float = workflow.run(start).result().subsamples.first.energy
    return energy


def test_a_backend_is_the_sampler_of_a_branch() -> None:
    """It races others, as hybrid's own samplers do; every subproblem of its branch was sent to it."""
    tracking = TrackingComposite(ri.as_dimod_sampler("exact", beta=math.inf))
    branch = (
        hybrid.EnergyImpactDecomposer(size=5, rolling_history=1.0)
        | hybrid.QPUSubproblemAutoEmbeddingSampler(qpu_sampler=tracking, num_reads=1)
        | hybrid.SplatComposer()
    )
    workflow = hybrid.Loop(
        hybrid.RacingBranches(hybrid.InterruptableTabuSampler(), branch) | hybrid.ArgMin(), max_iter=3
    )
    assert ends_at(workflow) == LEAST
    assert len(tracking.inputs) == 3
    for asked, answer in zip(tracking.inputs, tracking.outputs, strict=True):
        assert answer.first.energy == dimod.ExactSolver().sample(asked["bqm"]).first.energy


def test_a_machine_with_a_graph_is_embedded_into(twin: Any) -> None:
    sampler = hybrid.QPUSubproblemAutoEmbeddingSampler(qpu_sampler=twin, num_reads=50)
    assert least_read(hybrid.IdentityDecomposer() | sampler) == LEAST


def test_a_machine_with_a_graph_takes_cliques(twin: Any) -> None:
    """The embedder knows the family of the graph and keeps its embeddings."""
    sampler = hybrid.SubproblemCliqueEmbedder(sampler=twin) | hybrid.QPUSubproblemExternalEmbeddingSampler(
        qpu_sampler=twin, num_reads=50, logical_srt=True
    )
    assert least_read(hybrid.IdentityDecomposer() | sampler) == LEAST


def test_a_workflow_is_a_backend() -> None:
    backend = ri.WrappedSampler(hybrid.HybridSampler(hybrid.TabuProblemSampler(timeout=20)))
    assert backend.sample(PROBLEM, deadline=60).first.energy == LEAST


def test_a_workflow_with_a_backend_inside_is_a_backend() -> None:
    kept = {"max_iter": 1, "qpu_sampler": ri.as_dimod_sampler("exact", beta=math.inf)}
    backend = ri.WrappedSampler(hybrid.KerberosSampler(), parameters=kept)
    found = backend.sample(PROBLEM, num_reads=2, deadline=60)
    assert found.record.energy.tolist() == [LEAST, LEAST]


@pytest.fixture
def machine() -> Any:
    """A model of dwave-pytorch-plugin whose nodes have names."""
    torch.manual_seed(0)
    edges = [*itertools.combinations("abc", 2), ("c", "d")]
    model = GraphRestrictedBoltzmannMachine(list("abcd"), edges)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return model


def law(machine: Any) -> dict[tuple[int, ...], float]:
    """P of each state, in the order of nodes, by the plugin's own energies."""
    states = list(itertools.product((-1, 1), repeat=4))
    with torch.no_grad():
        weights = torch.exp(-machine(torch.tensor(states, dtype=torch.float32))).double()
    return dict(zip(states, (weights / weights.sum()).tolist(), strict=True))


@pytest.mark.parametrize("backend", ["exact", "annealing"])
def test_a_backend_is_the_sampler_of_the_plugin(machine: Any, backend: str) -> None:
    sampler = DimodSampler(
        machine, ri.as_dimod_sampler(backend, seed=0), prefactor=1.0, sample_kwargs={"num_reads": READS}
    )
    drawn = sampler.sample()
    expected = law(machine)
    rows = [tuple(row) for row in drawn.int().tolist()]
    assert total_variation(rows, expected) < tolerance(expected, READS)
    machine.quasi_objective(torch.tensor([[1.0, -1.0, 1.0, 1.0]]), drawn).backward()
    assert all(torch.isfinite(p.grad).all() for p in machine.parameters())


def test_spins_that_the_plugin_holds(machine: Any) -> None:
    sampler = DimodSampler(
        machine, ri.as_dimod_sampler("exact", seed=0), prefactor=1.0, sample_kwargs={"num_reads": READS}
    )
    held = torch.tensor([[math.nan, 1.0, math.nan, -1.0]])
    drawn = sampler.sample(held)[0].int().tolist()
    whole = {state: p for state, p in law(machine).items() if (state[1], state[3]) == (1, -1)}
    expected = {state: p / math.fsum(whole.values()) for state, p in whole.items()}
    assert total_variation(map(tuple, drawn), expected) < tolerance(expected, READS)


def test_the_plugin_and_ours_have_one_gradient(machine: Any) -> None:
    """Of the same rows, in parameters of opposite sign: its edges are in its own order."""
    from rapid_ising.torch import NegativePhase

    rows = torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, -1.0]])
    states = np.array(list(law(machine)))
    shares = np.array(list(law(machine).values()))
    edges = [tuple(sorted(edge)) for edge in machine.edges]
    graph = {"nodes": 4, "edges": [["abcd".index(a), "abcd".index(b)] for a, b in edges]}
    model = ri.BoltzmannMachine(graph)
    order = [edges.index(("abcd"[i], "abcd"[j])) for i, j in model.edges.tolist()]
    with torch.no_grad():
        model.set_parameters({"couplings": -machine.quadratic[order], "biases": -machine.linear})
    prior = NegativePhase(model, negative_phase="exact")
    prior(rows).backward()
    # The exact average as one over rows that come as often as the law says, of 10^5.
    counts = np.rint(shares * 10**5).astype(int)
    drawn = torch.tensor(np.repeat(states, counts, axis=0), dtype=torch.float32)
    machine.quasi_objective(rows, drawn).backward()
    torch.testing.assert_close(prior.couplings.grad, -machine._quadratic.grad[order], atol=2e-4, rtol=0)
    torch.testing.assert_close(prior.biases.grad, -machine._linear.grad, atol=2e-4, rtol=0)
