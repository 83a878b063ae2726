"""Whether a machine, prepared, follows the Boltzmann law of the conformance suite's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapid_ising.errors import CapabilityError, MissingDependencyError, ProblemTooLargeError
from rapid_ising.machine import Calibrated, plan, prepare
from rapid_ising.machine.plan import flattened
from rapid_ising.registry import load_backend

MODELS = (
    "dense",
    "sparse",
    "bipartite",
    "patterns",
    "layered-patterns",
    "free-patterns",
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
        planned = plan(machine, model.problem(), num_reads=reads)
    except (CapabilityError, MissingDependencyError, ProblemTooLargeError) as error:
        return {"sampler": False, "reason": str(error), "tolerance": limit}
    answer = chain.sample(model.problem(), num_reads=reads, seed=facts["seed"])
    columns = [answer.variables.index(spin) for spin in range(len(model.fields))]
    states = [tuple(row) for row in answer.record.sample[:, columns].tolist()]
    reason = planned.note or refused(answer.info["rapid_ising"]["stages"])
    return {
        "sampler": not reason,
        "reason": reason,
        "predicted": None if planned.law is None else planned.law.distance,
        "distance": total_variation(states, exact),
        "tolerance": limit,
    }


def refused(stages: Sequence[Mapping[str, Any]]) -> str:
    """Return why an answer itself says that its reads are not of the asked law; nothing where it does not.

    >>> refused([{"stage": "calibrated", "asked": 1.0, "estimate": 0.8, "met": False}])
    'asked for beta = 1, its reads are at 0.8'
    """
    found = flattened(stages).get(Calibrated.stage)
    if found is None or found["met"] is not False:
        return ""
    estimate = "no beta that can be told" if found["estimate"] is None else f"{found['estimate']:.3g}"
    reason = f": {found['reason']}" if found.get("reason") else ""
    return f"asked for beta = {found['asked']:g}, its reads are at {estimate}{reason}"
