"""What a plan says of the law of what is really sent, held against the law itself."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any, ClassVar, final

import networkx as nx
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.machine import Quantized, Refined, Scaled, prepare
from rapid_ising.machine.prepare import plan, staged
from rapid_ising.machine.sent_law import (
    BOUND,
    SentLaw,
    all_states,
    nearest_multiple,
    sent_law,
    total_variation,
)
from rapid_ising.notices import RoundingWarning
from rapid_ising.testing import REFERENCE_MODELS

COARSE: dict[str, Any] = {
    "integer_coefficients": True,
    "field_range": (-3.0, 3.0),
    "coupling_range": (-3.0, 3.0),
}
DENSE = REFERENCE_MODELS["dense"].problem()


@final
@dataclasses.dataclass(frozen=True)
class Exact(ri.LocalBackend):
    """Exact draws, at beta times a factor of its own, with given limits; it keeps what it is asked."""

    name: ClassVar[str] = "steps"
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen
    own: float = 1.0
    seen: list[ri.Request] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, dict[str, Any]]:
        self.seen.append(request)
        law = ri.enumerate_model(request.model, self.own * request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


def law_of(model: ri.IsingModel, beta: float = 1.0) -> Any:
    weights = np.exp(-beta * model.energies(all_states(model.num_variables)))
    return weights / weights.sum()


def random_model(spins: int, size: float, seed: int) -> ri.IsingModel:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(0, size, (spins, spins)), k=1)
    return ri.IsingModel(rng.normal(0, size, spins), matrix + matrix.T)


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
def test_it_is_the_total_variation_of_the_model_that_reaches_the_machine(beta: float) -> None:
    machine = Exact(ri.Capabilities(**COARSE, max_reads=10))
    chain = staged(machine)
    found = sent_law(chain, DENSE, beta)
    assert found is not None
    assert found.enumerated
    assert machine.seen == []
    chain.sample(DENSE, beta=beta, seed=0)
    sent = machine.seen[0]
    expected = total_variation(law_of(sent.model, sent.beta), law_of(DENSE, beta))
    assert found.distance == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"fields": False},
        {"topology": nx.convert_node_labels_to_integers(nx.grid_2d_graph(8, 8))},
        {"coupling_range": (-2.0, 1.0), "field_range": (-4.0, 4.0), "temperature": "effective"},
        {"max_reads": 3, "temperature": "effective", "fields": False},
    ],
    ids=["plain", "ancilla", "embedded", "ranges", "own temperature"],
)
def test_without_steps_the_law_is_the_asked_one(facts: dict[str, Any]) -> None:
    found = plan(Exact(ri.Capabilities(**facts)), DENSE)
    assert found.law is not None
    assert found.law.distance < 1e-9
    assert found.sampler
    assert "total variation" not in str(found)


def test_where_the_temperature_is_the_machines_the_best_factor_is_taken_out() -> None:
    settable = plan(Exact(ri.Capabilities(**COARSE)), DENSE).law
    own = plan(Exact(ri.Capabilities(**COARSE, temperature="effective")), DENSE).law
    assert settable is not None
    assert own is not None
    # The factor that the chain sends, 1 / its own, is one of those to choose from.
    assert 0.01 < own.distance <= settable.distance * 1.02
    target = np.array([0.0, 2.0, 5.0, 1.0])
    np.testing.assert_allclose(nearest_multiple(target / 7, target, np.full(4, 0.25)), target)
    assert not nearest_multiple(-target, target, np.full(4, 0.25)).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_prediction_of_many_spins_agrees_with_enumeration(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = staged(Exact(ri.Capabilities(**COARSE)))
    model = random_model(12, 0.1, seed)
    exact = sent_law(chain, model, 1.0)
    monkeypatch.setattr("rapid_ising.machine.sent_law.ENUMERATED", 11)
    predicted = sent_law(chain, model, 1.0)
    assert exact is not None
    assert predicted is not None
    assert (exact.enumerated, predicted.enumerated) == (True, False)
    # 400 states tell the spread to 4 %, and at this temperature the law is nearly even.
    assert predicted.distance == pytest.approx(exact.distance, rel=0.2)


def test_a_machine_that_rounds_on_its_own_is_heard_as_it_rounds() -> None:
    machine = Exact(ri.Capabilities(step=0.25, field_range=(-1.0, 1.0), coupling_range=(-1.0, 1.0)))
    found = plan(machine, DENSE).law
    assert found is not None
    assert found.distance > 0.01
    fine = plan(dataclasses.replace(machine, capabilities=ri.Capabilities(step=1e-6)), DENSE).law
    assert fine is not None
    assert fine.distance < 1e-5


def test_the_plan_says_no_with_the_number_and_what_to_do() -> None:
    found = plan(Exact(ri.Capabilities(**COARSE)), DENSE)
    assert found.law is not None
    assert found.law.distance > BOUND
    assert not found.sampler
    assert f"{found.law.distance:.2g}" in found.note
    assert "steps of steps" in found.note
    assert "refine=" in found.note
    assert "total variation" in str(found)
    assert found.as_dict()["sampler"] is False


def test_prepare_warns_without_a_table_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Exact(ri.Capabilities(**COARSE))
    with pytest.warns(RoundingWarning, match="not Boltzmann samples"):
        prepare(machine, DENSE, show=False)
    assert machine.seen == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(machine, DENSE)
        prepare(machine, REFERENCE_MODELS["one-spin"].problem(), show=False)
    assert "not Boltzmann samples" in capsys.readouterr().err


def test_gibbs_sweeps_change_the_verdict_as_far_as_they_do() -> None:
    machine = Exact(ri.Capabilities(**COARSE))
    found = [plan(machine, DENSE, refine=sweeps) for sweeps in (1, 3, 10)]
    left = [one.law.left for one in found if one.law is not None]
    assert left == sorted(left, reverse=True)
    assert found[-1].sampler
    assert not plan(machine, DENSE).sampler
    # What is told is what comes.
    chain = staged(machine, refine=1)
    reads = chain.sample(DENSE, num_reads=200_000, seed=0).record.sample
    places = (reads > 0) @ (1 << np.arange(5)[::-1])
    seen = np.bincount(places, minlength=32) / len(reads)
    assert total_variation(seen, law_of(DENSE)) == pytest.approx(left[0], abs=0.005)
    # Of many spins it is not known how much they help.
    many = plan(machine, random_model(14, 1.0, 0), refine=10)
    assert not many.sampler
    assert "not known" in str(many.law)


def test_layers_are_swept_as_refined_sweeps_them() -> None:
    model = REFERENCE_MODELS["bipartite"].problem()
    machine = Exact(ri.Capabilities(**COARSE))
    found = plan(machine, model, refine=1).law
    assert found is not None
    assert found.refined is not None
    reads = staged(machine, refine=1).sample(model, num_reads=400_000, seed=1).record.sample
    seen = np.bincount((reads > 0) @ (1 << np.arange(7)[::-1]), minlength=128) / len(reads)
    assert total_variation(seen, law_of(model)) == pytest.approx(found.refined, abs=0.008)


def test_where_there_is_no_law_there_is_no_figure() -> None:
    assert sent_law(ri.load_backend("tabu"), DENSE, 1.0) is None
    assert sent_law(Scaled(Quantized(Exact(ri.Capabilities(**COARSE)))), DENSE, math.inf) is None
    assert plan(Exact(ri.Capabilities(returns="distinct")), DENSE).law is None


def test_all_copies_and_gauges_are_alike() -> None:
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(6, 6))
    machine = Exact(ri.Capabilities(**COARSE, topology=grid))
    ring = REFERENCE_MODELS["whole-numbers"].problem().scaled(0.7)
    found = [
        plan(machine, ring, tiled=tiled, gauges=gauges).law
        for tiled, gauges in ((False, 1), (True, 1), (True, 4))
    ]
    distances = [law.distance for law in found if law is not None]
    assert len(distances) == 3
    np.testing.assert_allclose(distances, distances[0], atol=1e-9)


def test_words() -> None:
    assert str(SentLaw(0.123, True)) == (
        "the law of what is sent is at total variation 0.12 from the asked one (all states)"
    )
    assert "not known" in str(SentLaw(0.1, False, 3))
    assert str(SentLaw(0.1, True, 3, 0.01)).endswith("3 Gibbs sweeps bring the reads nearer: to 0.01")
    assert isinstance(staged(Exact(), refine=2), Refined)
