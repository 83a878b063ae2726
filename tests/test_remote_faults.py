"""Every adapter while everything goes wrong; ``make faults`` takes more seeds, and prints the counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import dimod
import networkx as nx
import numpy as np
import pytest
from demo_service import Demo, DemoEmulator, demo
from faults import CELLS, MACHINES, service, table

import rapid_ising as ri
from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import BackendError, InvalidParameterError, UnknownNameError
from rapid_ising.remote import Sent, transport
from rapid_ising.remote import machine as machines
from rapid_ising_backends.emulators import trial as trials
from rapid_ising_backends.emulators.emulator import Emulator
from rapid_ising_backends.emulators.faults import KINDS
from rapid_ising_backends.emulators.trial import Outcome, fault_of, hurried, path_of, problem_for, trial

SEEDS = (1, 2)
"""Each fault at every chance, and now and then."""


@pytest.fixture(scope="module", autouse=True)
def _hurry() -> Iterator[None]:
    with hurried():
        yield


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[tuple[ri.Backend, Emulator]]:
    with service(request.param) as (machine, running):
        assert running.emulator is not None
        yield machine, running.emulator


@pytest.mark.parametrize("place", MACHINES, indirect=True)
@pytest.mark.parametrize("kind", CELLS)
def test_each_request_ends_well_or_says_why(place: tuple[ri.Backend, Emulator], kind: str) -> None:
    found = Outcome()
    for seed in SEEDS:
        found.add(trial(*place, kind, seed))
    assert found.breaches == []
    assert found.right + found.errors.total() == found.requests == len(SEEDS) * trials.REQUESTS
    assert found.struck


@pytest.mark.parametrize("kind", ["429", "503", "slow"])
@pytest.mark.parametrize("place", MACHINES, indirect=True)
def test_what_a_pause_repairs_costs_no_answer(place: tuple[ri.Backend, Emulator], kind: str) -> None:
    found = trial(*place, kind, 2)
    assert found.right == found.requests


def test_all_is_well_without_faults() -> None:
    with demo() as (machine, running):
        assert running.emulator is not None
        found = trial(machine, running.emulator, "never-finishes", 2)
        again = trial(machine, running.emulator, "never-finishes", 2)
        assert (found.right, found.struck, found.errors) == (again.right, again.struck, again.errors)


# Each of these is broken in one way, and the trial must see it.


@dataclasses.dataclass
class Broken:
    """What is replaced in the adapter of the demo, by name."""

    parts: Mapping[str, Any]

    def breaches(self, kind: str, seed: int = 2, **options: Any) -> str:
        with demo(**options) as (machine, running):
            assert isinstance(running.emulator, DemoEmulator)
            for name, part in self.parts.items():
                object.__setattr__(machine, name, part.__get__(machine))
            return "\n".join(trial(machine, running.emulator, kind, seed).breaches)


def test_a_job_that_is_sent_twice_is_seen() -> None:
    send = Demo._send

    def twice(self: Demo, request: Any, tag: str) -> Sent:
        send(self, request, tag)
        return send(self, request, tag)

    assert "a job was sent 2 times" in Broken({"_send": twice}).breaches("slow")


def test_a_job_that_is_left_in_a_slot_is_seen() -> None:
    assert "jobs are left in a slot" in Broken({"_forget": lambda self, *rest: None}).breaches("slow")


def test_a_job_that_is_not_taken_back_is_seen() -> None:
    def leave(self: Demo, id: str, limit: Any) -> None:
        pass

    assert "jobs are left in a slot" in Broken({"_drop": leave}).breaches("never-finishes", 1)


def test_an_answer_in_another_order_is_seen() -> None:
    def backwards(self: Demo, request: Any, reply: Any) -> Any:
        return np.array(reply.spins)[:, ::-1], {}

    assert "and the ground state's" in Broken({"_read": backwards}).breaches("slow")


def test_an_answer_that_is_lost_is_seen() -> None:
    def give_up(self: Demo, *rest: Any) -> None:
        raise BackendError("too much for me")

    assert "the answer to a job was lost" in Broken({"_fetch": give_up}).breaches("disconnect-after")
    # Where every try fails, an error is all that can be had.
    assert "was lost" not in Broken({"_fetch": give_up}).breaches("disconnect-after", 1)


def test_an_error_of_another_kind_is_seen() -> None:
    def fail(self: Demo, *rest: Any) -> None:
        raise KeyError("spins")

    assert "an error of no machine: KeyError('spins')" in Broken({"_read": fail}).breaches("slow")


def test_a_request_that_takes_too_long_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "CLEARING", -100.0)
    assert "with a deadline of 10 s" in Broken({}).breaches("slow")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[1, 1], [-1, -1]], ""),
        ([[1, 1]], "1 reads where 2 were asked"),
        ([[1, -1], [-1, 1]], "its lowest energy is 1 and the ground state's -1"),
        ([[2, 2], [1, 1]], "its states are no spins"),
    ],
)
def test_what_is_wrong_with_an_answer(rows: list[list[int]], told: str) -> None:
    problem = dimod.BinaryQuadraticModel({}, {("a", "b"): -1.0}, 0.0, "SPIN")
    answer = dimod.SampleSet.from_samples_bqm((np.array(rows), ["a", "b"]), problem)
    assert fault_of(answer, problem, -1.0, 2, distinct=False) == told
    other = answer.relabel_variables({"a": "c"}, inplace=False)
    assert "its variables are" in fault_of(other, problem, -1.0, 2, distinct=False)
    off = answer.copy()
    off.record.energy[0] += 1.0
    if not told:
        assert fault_of(off, problem, -1.0, 2, distinct=False) == "its energies are not those of the problem"


def test_problems_that_a_machine_can_take() -> None:
    facts = Capabilities(topology=nx.star_graph(9), fields=False)
    with pytest.raises(InvalidParameterError, match="no path of 4 spins"):
        path_of(facts)
    facts = Capabilities(topology=nx.cycle_graph(6), fields=False, coupling_range=(-0.5, 2.0))
    problem, ground = problem_for(facts, np.random.default_rng(0))
    assert ground == -1.5
    assert {abs(bias) for bias in problem.quadratic.values()} == {0.5}
    assert not any(problem.linear.values())


def test_kinds_that_there_are_not() -> None:
    with demo() as (machine, running):
        assert running.emulator is not None
        with pytest.raises(UnknownNameError, match="unknown fault 'fire'"):
            trial(machine, running.emulator, "fire", 1)


def test_the_table_has_every_fault() -> None:
    cells = {kind: Outcome(requests=2, right=1, struck=3) for kind in CELLS}
    text = table({"demo": cells})
    assert all(kind in text for kind in KINDS)
    assert text.count("1 + 0, 3") == len(CELLS)


def test_pauses_are_as_long_as_before_afterwards() -> None:
    before = (transport.sleep, machines.POLLS)
    with hurried(2.0):
        assert (transport.sleep, machines.POLLS) != before
    assert (transport.sleep, machines.POLLS) == before
