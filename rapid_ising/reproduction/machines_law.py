"""Whether a machine, prepared, follows the Boltzmann law of the conformance suite's models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapid_ising.errors import CapabilityError, MissingDependencyError, ProblemTooLargeError
from rapid_ising.machine import prepare
from rapid_ising.machine.plan import not_a_sampler
from rapid_ising.registry import load_backend

MODELS = (
    "dense",
    "sparse",
    "bipartite",
    "patterns",
    "layered-patterns",
    "whole-numbers",
    "uncoupled",
    "one-spin",
)
"""The reference models, by name: the suite itself needs pytest and is loaded when a task is done."""


def law(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the total variation between the reads of a machine and the law, or why there is none."""
    from rapid_ising.testing import REFERENCE_MODELS, tolerance, total_variation

    model = REFERENCE_MODELS[facts["model"]]
    exact = model.law(1.0)
    reads = facts["reads"]
    limit = tolerance(exact, reads)
    try:
        machine = load_backend(facts["backend"])
        chain = prepare(machine, model.problem(), num_reads=reads, show=False)
    except (CapabilityError, MissingDependencyError, ProblemTooLargeError) as error:
        return {"sampler": False, "reason": str(error), "tolerance": limit}
    note = not_a_sampler(chain.capabilities, chain.name)
    answer = chain.sample(model.problem(), num_reads=reads, seed=facts["seed"])
    columns = [answer.variables.index(spin) for spin in range(len(model.fields))]
    states = [tuple(row) for row in answer.record.sample[:, columns].tolist()]
    return {
        "sampler": not note,
        "reason": note,
        "distance": total_variation(states, exact),
        "tolerance": limit,
    }
