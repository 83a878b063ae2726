"""Properties of every stage, on machines that give back the states that they were started from.

Such a machine shows what a stage sends and takes back what it decodes, so that three things are held for each
random model and random states:

- decode after encode is the identity: the states that come back are those that were given;
- what is sent has the energies of the model, times one factor that the stage records, and the energies that
  come back are the model's;
- the order of the variables never matters: the same problem with its variables in another order sends states
  of the same energies and brings back the same ones.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
import pytest
from brute_force import all_states
from hypothesis import given, settings
from hypothesis import strategies as st

import rapid_ising as ri
from rapid_ising.machine import (
    Ancilla,
    Batched,
    Calibrated,
    Embedded,
    Gauged,
    Quantized,
    Recorded,
    Refined,
    Reweighted,
    Scaled,
    Sharded,
    Tiled,
    TwoStarts,
)
from rapid_ising.machine.kings_graph import kings_graph
from rapid_ising.machine.plan import flattened
from rapid_ising.machine.prepare import staged
from rapid_ising.notices import RapidIsingWarning
from rapid_ising.typing import States

CASES = 420
"""Random models of each stage."""
MOST = 5
"""Spins of the largest model."""
GRAPH: nx.Graph[Any] = kings_graph(12, 10)


@final
@dataclasses.dataclass(frozen=True)
class Echo(ri.LocalBackend):
    """Gives back the states that it is started from, and keeps what it is asked."""

    name: ClassVar[str] = "echo"
    capabilities: ri.Capabilities = ri.Capabilities(initial_states=True)  # noqa: RUF009 - frozen
    asked: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, dict[str, Any]]:
        self.asked.append(request)
        assert request.initial_states is not None
        return request.initial_states, {}


def echo(**facts: Any) -> Echo:
    return Echo(ri.Capabilities(initial_states=True, **facts))


RANGES: dict[str, Any] = {"field_range": (-2.0, 2.0), "coupling_range": (-1.0, 0.5)}
WHOLE: dict[str, Any] = {
    "integer_coefficients": True,
    "field_range": (-1023.0, 1023.0),
    "coupling_range": (-1023.0, 1023.0),
}
STAGES: dict[str, tuple[Callable[[Echo], ri.Backend], dict[str, Any]]] = {
    "scaled": (Scaled, RANGES),
    "quantized": (lambda machine: Scaled(Quantized(machine)), WHOLE),
    "ancilla": (Ancilla, {"fields": False}),
    "embedded": (Embedded, {"topology": GRAPH}),
    "tiled": (Tiled, {"topology": GRAPH}),
    "batched": (Batched, {"max_reads": 3}),
    "gauged": (lambda machine: Gauged(machine, gauges=3), {}),
    "sharded": (lambda machine: Sharded(machine, shards=3, engine="serial"), {}),
    "calibrated": (lambda machine: Calibrated(machine, rounds=2), {"temperature": "effective"}),
    "two-starts": (TwoStarts, {}),
    "reweighted": (Reweighted, {}),
    "refined": (lambda machine: Refined(machine, sweeps=1), {}),
    "all": (
        lambda machine: staged(machine, gauges=2),
        {
            **WHOLE,
            "max_reads": 4,
            "fields": False,
            "topology": nx.convert_node_labels_to_integers(GRAPH),
            "temperature": "effective",
        },
    ),
}
ROUNDS = ("quantized", "all")
"""Where a rounded model is sent, whose energies are not the asked ones."""
MOVES = ("refined",)
"""Where other states than the machine's are meant to come back."""
READS = 16


def problem_of(spins: int, density: float, seed: int) -> tuple[ri.IsingModel, States]:
    """Return a random model and states of it."""
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(spins, spins)) * (rng.random((spins, spins)) < density), k=1)
    fields = rng.normal(size=spins) * (rng.random(spins) < 0.8)
    states = (2 * rng.integers(2, size=(READS, spins)) - 1).astype(np.int8)
    return ri.IsingModel(fields, matrix + matrix.T), states


def relabelled(model: ri.IsingModel, order: Any) -> dimod.BinaryQuadraticModel:
    """Return the model with labels s0, s1, ... and its variables in this order."""
    matrix = model.couplings.to_dense()
    bqm = dimod.BinaryQuadraticModel("SPIN")
    for i in order:
        bqm.add_linear(f"s{i}", float(model.fields[i]))
    for i, j in itertools.combinations(order, 2):
        if matrix[i, j]:
            bqm.add_quadratic(f"s{i}", f"s{j}", float(matrix[i, j]))
    return bqm


def sent(machine: Echo) -> Any:
    """Return beta times the energy of each state that reached the machine."""
    return np.concatenate([request.beta * request.model.energies(of(request)) for request in machine.asked])


def of(request: ri.Request) -> States:
    """Return the states that a request starts from."""
    assert request.initial_states is not None
    return request.initial_states


def ask(kind: str, problem: Any, start: Any) -> tuple[dimod.SampleSet, Echo]:
    wrap, facts = STAGES[kind]
    machine = echo(**facts)
    with warnings.catch_warnings():
        # States at random are at no temperature, and where they came from is remembered.
        warnings.simplefilter("ignore", RapidIsingWarning)
        answer = wrap(machine).sample(problem, num_reads=READS, initial_states=start, seed=1)
    return answer, machine


def kept(kind: str) -> int:
    """Return how many of the reads start from the given states."""
    return READS // 2 if kind == "two-starts" else READS


@pytest.mark.parametrize("kind", STAGES)
@settings(max_examples=CASES)
@given(st.integers(1, MOST), st.sampled_from([0.3, 1.0]), st.integers(0, 2**32 - 1))
def test_states_and_energies_go_through_a_stage_and_back(
    kind: str, spins: int, density: float, seed: int
) -> None:
    model, states = problem_of(spins, density, seed)
    answer, machine = ask(kind, model, states)
    rows = answer.record.sample
    # Decode after encode.
    if kind not in MOVES:
        np.testing.assert_array_equal(rows[: kept(kind)], states[: kept(kind)])
    # The model's energies come back.
    np.testing.assert_allclose(answer.record.energy, model.energies(rows), atol=1e-12)
    # What is sent has them too, times beta.
    energies = sent(machine)
    if kind == "tiled":
        copies = flattened(answer.info["rapid_ising"]["stages"])["tiled"].get("copies", 1)
        padded = states[np.arange(-(-READS // copies) * copies) % READS]
        expected = model.energies(padded).reshape(-1, copies).sum(axis=1)
        np.testing.assert_allclose(energies, expected, atol=1e-8)
    elif kind == "calibrated":
        factors = [one["sent"] for one in answer.info["rapid_ising"]["stages"][-1]["tries"]]
        calls = [r.model.energies(of(r)) for r in machine.asked]
        for factor, call in zip(factors, calls, strict=True):
            np.testing.assert_allclose(call, factor * model.energies(states), rtol=1e-9, atol=1e-9)
    elif kind not in ROUNDS:
        np.testing.assert_allclose(energies[: kept(kind)], model.energies(states)[: kept(kind)], atol=1e-8)
    # The order of the variables.
    order = np.random.default_rng(seed).permutation(spins)
    named = dimod.SampleSet.from_samples(
        (states, [f"s{i}" for i in range(spins)]), energy=0, vartype="SPIN", sort_labels=False
    )
    first, one = ask(kind, relabelled(model, range(spins)), named)
    second, other = ask(kind, relabelled(model, order), named)
    columns = [second.variables.index(v) for v in first.variables]
    if kind not in MOVES:
        limit = kept(kind)
        np.testing.assert_array_equal(first.record.sample[:limit], second.record.sample[:limit, columns])
        np.testing.assert_allclose(sent(one)[:limit], sent(other)[:limit], atol=1e-8)
    np.testing.assert_allclose(
        second.record.energy,
        model.energies(second.record.sample[:, np.argsort(order_of(second))]),
        atol=1e-12,
    )


def order_of(answer: dimod.SampleSet) -> list[int]:
    """Return the number of the spin in each column."""
    return [int(str(v)[1:]) for v in answer.variables]


@settings(max_examples=CASES)
@given(st.integers(1, MOST), st.sampled_from([0.5, 1.0]), st.integers(0, 2**32 - 1))
def test_rounding_sends_the_energies_of_the_nearest_multiples(spins: int, density: float, seed: int) -> None:
    model, states = problem_of(spins, density, seed)
    answer, machine = ask("quantized", model, states)
    factor = answer.info["rapid_ising"]["stages"][-1]["factor"]
    fields = np.rint(model.fields * factor)
    matrix = np.rint(model.couplings.to_dense() * factor)
    nearest = ri.IsingModel(fields, matrix)
    np.testing.assert_allclose(machine.asked[0].model.energies(states), nearest.energies(states), atol=1e-9)
    # No sum of roundings, each of at most half a step, is larger.
    terms = spins + spins * (spins - 1) / 2
    error = np.abs(nearest.energies(all_states(spins)) / factor - model.energies(all_states(spins)))
    assert error.max() <= 0.5 * terms / factor + 1e-9


def test_a_recording_gives_back_what_went_through(tmp_path: Path) -> None:
    for seed in range(20):
        model, states = problem_of(1 + seed % MOST, 0.7, seed)
        machine = echo()
        stage = Recorded(machine, tmp_path / f"{seed}.jsonl")
        answer = stage.sample(model, num_reads=READS, initial_states=states, seed=0)
        stage.close()
        np.testing.assert_array_equal(answer.record.sample, states)
        np.testing.assert_allclose(sent(machine), model.energies(states))


def test_there_are_ten_thousand_cases() -> None:
    """The random models of all properties of stages, by the settings of their tests."""
    files = ("calibrated", "embedding", "machine_calls", "machine_values", "recorded", "stages", "two_starts")
    total = (len(STAGES) + 1) * CASES
    for name in files:
        tree = ast.parse((Path(__file__).parent / f"test_{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "max_examples":
                assert isinstance(node.value, ast.Constant)
                total += int(str(node.value.value))
    assert total >= 10_000
