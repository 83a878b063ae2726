"""How the conformance suite asks a backend, within what the backend claims."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import dimod
import numpy as np
import pytest

from rapid_ising.backend import Backend, Problem
from rapid_ising.errors import CapabilityError, ProblemTooLargeError
from rapid_ising.ising import IsingModel, canonical_variables
from rapid_ising.testing.models import State
from rapid_ising.validation import Seed

SEED = 20271


def claimed(holds: bool, backend: Backend, claim: str) -> None:
    """Skip a test of something that the backend does not claim; ``claim`` says what it would have to."""
    if not holds:
        pytest.skip(f"not applicable: {backend.name} does not claim {claim}")


def claims_law(backend: Backend, beta: float = 1.0) -> None:
    """Skip a test of the Boltzmann law at ``beta`` where the backend does not claim to obey it."""
    facts = backend.capabilities
    claimed(facts.temperature == "settable", backend, f"a settable temperature: it is {facts.temperature!r}")
    claimed(facts.returns == "multiset", backend, f"a multiset of reads: it returns {facts.returns!r} states")
    if facts.max_beta is not None:
        claimed(beta <= facts.max_beta, backend, f"beta up to {beta:g}: max_beta is {facts.max_beta:g}")


def fitting(backend: Backend, problem: Problem) -> Problem:
    """Return ``problem``; skip the test where it is beyond the limits that the backend claims."""
    if isinstance(problem, IsingModel):
        model, labels = problem, None
    else:
        model, labels = IsingModel.from_bqm(problem), canonical_variables(problem)
    try:
        backend.capabilities.check(backend.name, model, 1, labels)
    except (CapabilityError, ProblemTooLargeError) as limit:
        pytest.skip(f"not applicable: {limit}")
    return problem


def at_most(backend: Backend, num_reads: int) -> int:
    """Return ``num_reads``, or as many as the backend makes in one call."""
    return min(num_reads, backend.capabilities.reads_a_call or num_reads)


def seeded(backend: Backend, seed: Seed = SEED) -> dict[str, Any]:
    """Return the keyword that fixes the samples, or none where the backend cannot be seeded."""
    return {"seed": seed} if backend.capabilities.seedable else {}


def states(answer: dimod.SampleSet, variables: Sequence[Hashable]) -> list[State]:
    """Return the rows of ``answer`` as spins, their columns in the order of ``variables``."""
    columns = [answer.variables.index(label) for label in variables]
    rows = answer.record.sample[:, columns].astype(int)
    return list(map(tuple, (rows if answer.vartype is dimod.SPIN else 2 * rows - 1).tolist()))


def draw(
    backend: Backend, problem: Problem, variables: Sequence[Hashable], num_reads: int, beta: float
) -> list[State]:
    """Return ``num_reads`` states, in as many calls as the backend's limit makes necessary."""
    rng = np.random.default_rng(SEED)
    most = at_most(backend, num_reads)
    reads: list[State] = []
    while len(reads) < num_reads:
        wanted = min(most, num_reads - len(reads))
        answer = backend.sample(problem, num_reads=wanted, beta=beta, **seeded(backend, rng))
        assert len(answer) == wanted, f"{len(answer)} rows where {wanted} reads were asked"
        reads += states(answer, variables)
    return reads
