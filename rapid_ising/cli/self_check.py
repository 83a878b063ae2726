"""A few reads of a small problem from a machine that computes here, held to what must come out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable
from typing import Any, final

import dimod
import networkx as nx
import numpy as np

from rapid_ising.backend import Backend
from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Dense, Patterns
from rapid_ising.errors import CapabilityError, ProblemTooLargeError, RapidIsingError
from rapid_ising.ising import IsingModel
from rapid_ising.machine import Batched
from rapid_ising.total_variation import State, tolerance, total_variation
from rapid_ising.typing import Reals
from rapid_ising.use import records

READS, CALLS = 2000, 100
"""The most reads that a law is told from, and the most calls for them."""
SEED = 0


@final
@dataclasses.dataclass(frozen=True)
class Told:
    """What a self-check has shown."""

    passed: bool
    text: str
    twin: bool = False
    """Whether the reads are of a digital twin and not of the machine that it bears the name of."""


@final
@dataclasses.dataclass(frozen=True)
class Small:
    """A few spins as plain numbers, E(s) = sum_i h_i s_i + sum_{i<j} J_ij s_i s_j, and as a problem."""

    fields: Reals
    matrix: Reals
    """Every J_ij twice, zeros on the diagonal."""
    problem: IsingModel | dimod.BinaryQuadraticModel
    labels: list[Hashable]

    def energies(self) -> dict[State, float]:
        """Return the energy of every state, summed here."""
        n = len(self.fields)
        states = 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1
        energies = states @ self.fields + 0.5 * ((states @ self.matrix) * states).sum(axis=1)
        return dict(zip(map(tuple, states.tolist()), energies.tolist(), strict=True))


def self_check(machine: Backend) -> Told:
    """Draw reads from a machine and hold them to a sum over all states.

    Of a machine at the asked beta, the total variation between its reads and exp(-E) / Z must stay below what
    one of a million sets of as many independent draws exceeds. Of the others, at a temperature of their own
    or none, more reads must have the lowest energy of a ring of four spins than so many independent even
    draws have but one time in a million (Hoeffding); where each state comes once, one read must.
    Energies must be those of the states.

    Examples
    --------
    >>> from rapid_ising import load_backend
    >>> self_check(load_backend("exact")).passed
    True
    """
    facts = machine.capabilities
    by_law = facts.temperature == "settable" and facts.returns == "multiset"
    offered = [_glass()] if by_law else []
    offered += [*_ring(facts), _pattern()]
    chosen = next((small for small in offered if _takes(machine, small)), None)
    if chosen is None:
        return Told(False, "no small problem fits the machine: see rapid-ising backends NAME for its limits")
    reads = min(READS if by_law else CALLS, CALLS * (facts.reads_a_call or READS))
    seed = SEED if facts.seedable else np.random.default_rng(SEED)
    answer = Batched(machine).sample(chosen.problem, num_reads=reads, seed=seed)
    columns = [answer.variables.index(label) for label in chosen.labels]
    states: list[State] = [tuple(row) for row in answer.record.sample[:, columns].tolist()]
    twin = any("twin" in stage for stage in records(answer.info["rapid_ising"]["stages"]))
    energies = chosen.energies()
    lowest = min(energies.values())
    true = np.array([energies[state] for state in states])
    if not np.allclose(answer.record.energy, true, atol=1e-4):
        wrong = int((~np.isclose(answer.record.energy, true, atol=1e-4)).sum())
        return Told(False, f"{wrong} of {len(states)} energies are not those of their states", twin)
    if by_law:
        weights = {state: math.exp(lowest - energy) for state, energy in energies.items()}
        total = math.fsum(weights.values())
        law = {state: weight / total for state, weight in weights.items()}
        distance, limit = total_variation(states, law), tolerance(law, len(states))
        text = f"distance {distance:.3f} from the exact law, {limit:.3f} allowed for {len(states)} reads"
        return Told(distance <= limit, text, twin)
    found = int((true <= lowest + 1e-6).sum())
    share = float(np.mean(np.array(list(energies.values())) <= lowest + 1e-6))
    enough = len(states) * (share + math.sqrt(math.log(1e6) / (2 * len(states))))
    needed = 1 if facts.returns == "distinct" else math.ceil(enough)
    text = f"{found} of {len(states)} reads of lowest energy, {needed} needed; it claims no law"
    return Told(found >= needed, text, twin)


def _glass() -> Small:
    """Return five spins with random fields and couplings."""
    rng = np.random.default_rng(SEED)
    upper = np.triu(rng.normal(0, 0.7, (5, 5)), 1)
    fields, matrix = rng.normal(0, 0.4, 5), upper + upper.T
    return Small(fields, matrix, IsingModel(fields, Dense(matrix)), list(range(5)))


def _ring(facts: Capabilities) -> list[Small]:
    """Return four spins in a ring on the machine's graph, of whole numbers, in a field where it has any."""
    labels = _square_of(facts.topology)
    if labels is None:
        return []
    fields, matrix = np.zeros(4), np.zeros((4, 4))
    fields[0] = float(facts.fields)
    bqm = dimod.BinaryQuadraticModel("SPIN")
    for i, J in enumerate((1.0, -1.0, -1.0, 1.0)):
        j = (i + 1) % 4
        matrix[i, j] = matrix[j, i] = J
        bqm.add_linear(labels[i], fields[i])
        bqm.add_quadratic(labels[i], labels[j], J)
    return [Small(fields, matrix, bqm, labels)]


def _pattern() -> Small:
    """Return four spins coupled by one pattern, without fields."""
    pattern, scale = np.array([1.0, -0.8, 0.6, 1.1]), -0.7
    matrix = scale * np.outer(pattern, pattern)
    np.fill_diagonal(matrix, 0)
    problem = IsingModel(np.zeros(4), Patterns(pattern[None], scale))
    return Small(np.zeros(4), matrix, problem, list(range(4)))


def _takes(machine: Backend, small: Small) -> bool:
    try:
        machine.check(small.problem)
    except (CapabilityError, ProblemTooLargeError):
        return False
    return True


def _square_of(graph: nx.Graph[Any] | None) -> list[Hashable] | None:
    """Return four nodes in a ring; any four where every pair is coupled."""
    if graph is None:
        return list(range(4))
    for a in graph:
        neighbours = list(graph[a])
        for i, b in enumerate(neighbours):
            for d in neighbours[i + 1 :]:
                for c in set(graph[b]) & set(graph[d]) - {a}:
                    return [a, b, c, d]
    return None


def checked(machine: Backend) -> Told:
    """Return what a self-check has shown; whatever the machine's code raises is a failure of it."""
    try:
        return self_check(machine)
    except RapidIsingError as error:
        return Told(False, str(error))
    except Exception as error:  # noqa: BLE001 - a machine from elsewhere may raise anything
        return Told(False, f"its own code fails: {type(error).__name__}: {error}")
