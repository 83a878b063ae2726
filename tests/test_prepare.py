"""The chain that a model needs on a machine, and the plan of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar, final

import dimod
import networkx as nx
import numpy as np
import pytest

import rapid_ising as ri
from rapid_ising.errors import CapabilityError, InvalidParameterError, ProblemTooLargeError
from rapid_ising.machine import Calibrated, Scaled
from rapid_ising.machine.plan import count, told
from rapid_ising.machine.prepare import plan, prepare, staged, stages
from rapid_ising.notices import CalibrationWarning, RoundingWarning

WHOLE: dict[str, Any] = {
    "integer_coefficients": True,
    "field_range": (-10.0, 10.0),
    "coupling_range": (-10.0, 10.0),
}
"""Steps in which MODEL is told exactly."""
FACTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "reads": ({"max_reads": 7}, ["Batched"]),
    "time": ({"read_time": 0.1, "max_call_time": 1.0}, ["Batched"]),
    "ranges": ({"coupling_range": (-1.0, 1.0)}, ["Scaled"]),
    "whole": (WHOLE, ["Scaled", "Quantized"]),
    "no fields": ({"fields": False}, ["Ancilla"]),
    "graph": ({"topology": nx.complete_graph(6)}, ["Embedded"]),
    "own": ({"temperature": "effective"}, ["Calibrated", "Gauged"]),
    "uneven": (
        {"temperature": "effective", "coupling_range": (-2.0, 1.0), "max_reads": 7},
        ["Calibrated", "Gauged", "Scaled", "Batched"],
    ),
    "all": (
        {
            **WHOLE,
            "max_reads": 7,
            "fields": False,
            "topology": nx.complete_graph(6),
            "temperature": "effective",
        },
        ["Calibrated", "Ancilla", "Embedded", "Scaled", "Quantized", "Gauged", "Batched"],
    ),
}
MODEL = ri.IsingModel([0.5, -0.2, 0.1], [[0, -1.0, 0.3], [-1.0, 0, 0.2], [0.3, 0.2, 0]])


@final
@dataclasses.dataclass(frozen=True)
class Limited(ri.LocalBackend):
    """The exact machine with the limits it is given; it counts its calls."""

    name: ClassVar[str] = "limited"
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen
    calls: list[int] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[Any, dict[str, Any]]:
        self.calls.append(request.num_reads)
        law = ri.enumerate_model(request.model, request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


def kinds(backend: ri.Backend) -> list[str]:
    return [type(part).__name__ for part in stages(backend)]


@pytest.mark.parametrize("case", FACTS)
def test_each_capability_calls_for_its_stage(case: str) -> None:
    facts, wanted = FACTS[case]
    machine = Limited(ri.Capabilities(**facts))
    chain = prepare(machine, MODEL, show=False)
    assert kinds(chain) == [*wanted, "Limited"]
    assert machine.calls == []
    answer = chain.sample(MODEL, num_reads=20, seed=0)
    assert len(answer) == 20
    np.testing.assert_allclose(answer.record.energy, MODEL.energies(answer.record.sample))


def test_all_gauges_have_one_factor() -> None:
    facts = ri.Capabilities(temperature="effective", coupling_range=(-2.0, 1.0))
    model = ri.IsingModel([0.0] * 3, [[0, -4.0, -1.0], [-4.0, 0, -1.0], [-1.0, -1.0, 0]])
    # Signs of which some make the largest coupling positive, and some do not.
    with pytest.warns(CalibrationWarning, match="no larger energies"):
        answer = staged(Limited(facts), gauges=8).sample(model, num_reads=400, seed=0)
    gauged = next(s for s in answer.info["rapid_ising"]["stages"] if s["stage"] == "gauged")
    factors = {record["factor"] for part in gauged["parts"] for record in part if record["stage"] == "scaled"}
    assert len(gauged["parts"]) == 8
    assert len(factors) == 1


def test_a_machine_that_takes_the_model_comes_back_as_it_is() -> None:
    machine = ri.load_backend("gibbs")
    assert prepare(machine, MODEL, show=False) is machine


def test_choices_add_their_stages() -> None:
    chain = staged(Limited(), gauges=3, refine=2, two_starts=False, reweight=True)
    assert kinds(chain) == ["Reweighted", "Refined", "Gauged", "Limited"]
    assert kinds(staged(Limited(ri.Capabilities(temperature="effective")), gauges=1)) == [
        "Calibrated",
        "Limited",
    ]
    with pytest.raises(InvalidParameterError, match="tiled"):
        staged(Limited(), tiled=True)
    with pytest.raises(InvalidParameterError, match="gauges"):
        staged(Limited(), gauges=0)
    with pytest.raises(TypeError, match="gagues"):
        prepare(Limited(), MODEL, **{"gagues": 3})  # type: ignore[arg-type]


def test_more_stages_go_around_stages_made_by_hand() -> None:
    with pytest.warns(RoundingWarning, match=r"0\.23"):
        # Rounding comes before scaling here.
        chain = prepare(Scaled(Limited(ri.Capabilities(**WHOLE, max_reads=3))), MODEL, show=False)
    assert kinds(chain)[-2:] == ["Scaled", "Limited"]
    assert kinds(chain)[0] == "Quantized" or "Batched" in kinds(chain)


def test_the_plan_tells_what_would_be_done_and_sends_nothing() -> None:
    machine = Limited(ri.Capabilities(**FACTS["all"][0], read_time=0.01))
    found = plan(machine, MODEL, num_reads=50, gauges=2)
    assert machine.calls == []
    # Two gauges of 25 reads, each in four calls of at most seven; one spin of three is the ancilla.
    assert (found.calls, found.reads) == (8, 50)
    assert found.seconds == pytest.approx(0.5)
    text = repr(found)
    assert text == str(found)
    for stage in FACTS["all"][1]:
        assert stage.lower() in text.lower()
    assert "8 calls, 50 reads" in text
    by_stage = {stage.stage: stage.facts for stage in found.stages}
    assert by_stage["scaled"]["factor"] == pytest.approx(10.0)
    assert json.loads(json.dumps(found.as_dict()))["calls"] == 8
    assert (
        found.rounds
        == next(s for s in stages(prepare(machine, MODEL, show=False)) if isinstance(s, Calibrated)).rounds
    )


def test_prepare_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    prepare(Limited(ri.Capabilities(max_reads=7)), MODEL, num_reads=20)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "limited: 3 spins, 20 reads at beta = 1" in shown.err
    assert "3 calls, 20 reads" in shown.err


def test_an_optimiser_is_called_one() -> None:
    assert "optimiser" in str(plan(Limited(ri.Capabilities(temperature="none")), MODEL))


def test_what_does_not_fit_is_refused_before_anything_is_sent() -> None:
    machine = Limited(ri.Capabilities(max_variables=2))
    with pytest.raises(ProblemTooLargeError, match="limited"):
        prepare(machine, MODEL, show=False)
    with pytest.raises(CapabilityError, match="limited"):
        prepare(Limited(ri.Capabilities(structures=(ri.Patterns,))), MODEL, show=False)
    for layered in (ri.RBM(2, 2, seed=0), ri.PatternRBM(2, 2, 1, seed=0)):
        with pytest.raises(CapabilityError, match="PatternBoltzmannMachine"):
            prepare("twin-photonic", layered, show=False)
    prepare("twin-photonic", ri.PatternBoltzmannMachine(4, 1, seed=0), show=False)
    with pytest.raises(InvalidParameterError, match="model"):
        prepare("exact", 3, show=False)  # type: ignore[arg-type]
    assert machine.calls == []


@pytest.mark.parametrize(
    "problem", [MODEL, MODEL.to_bqm(), ri.RBM(2, 2, seed=0)], ids=["ising", "bqm", "rbm"]
)
def test_models_and_problems_are_prepared_alike(problem: Any) -> None:
    assert kinds(prepare(Limited(ri.Capabilities(max_reads=7)), problem, show=False)) == [
        "Batched",
        "Limited",
    ]


def test_models_are_trained_and_sampled_through_the_stages() -> None:
    facts = ri.Capabilities(
        topology=nx.complete_graph(9),
        max_reads=40,
        fields=False,
        coupling_range=(-9.0, 9.0),
        temperature="effective",
    )
    machine = Limited(facts)
    model = ri.PatternRBM(4, 3, 2, seed=0, biases=True)
    data = ri.datasets.stripes(2)
    ri.train(model, data.train, backend=machine, epochs=1, seed=0, progress=False)
    asked = len(machine.calls)
    assert asked > 0
    assert model.sample(5, backend=machine, seed=0).shape == (5, 4)
    assert len(machine.calls) > asked
    known = np.array([True, True, False, False])
    filled = model.reconstruct(data.test[:1], known, backend=machine, seed=0)
    assert (filled[:, :2] == data.test[:1, :2]).all()


def test_any_dimod_sampler_is_prepared() -> None:
    assert prepare(dimod.ExactSolver(), MODEL, show=False).name == "dimod:ExactSolver"


def test_words() -> None:
    assert count(1, "call") == "1 call"
    assert told({"kept": True, "factor": 0.5, "inner": {}}) == ": factor 0.5"
