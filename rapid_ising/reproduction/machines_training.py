"""The stripes trained on a machine through ``prepare``, with everything that was asked of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from rapid_ising.datasets import stripes
from rapid_ising.errors import CapabilityError, MissingDependencyError, ProblemTooLargeError
from rapid_ising.evaluation import hamming_distance, known_rows
from rapid_ising.machine import Calibrated, Embedded
from rapid_ising.machine.plan import flattened, not_a_sampler
from rapid_ising.machine.prepare import plan, staged, stages
from rapid_ising.machine.sent_law import sent_law
from rapid_ising.models import PatternBoltzmannMachine, PatternModel, PatternRBM
from rapid_ising.registry import load_backend
from rapid_ising.reproduction.machines_calibration import Noted
from rapid_ising.request import Answer, Request
from rapid_ising.training import train

SIDE, HIDDEN, PATTERNS = 4, 100, 8
"""With fewer hidden spins many a training fails on an exact machine too: a third of the seeds with 16."""
OPTIONS: dict[str, dict[str, Any]] = {
    "twin-dwave": {"topology": "complete", "size": SIDE**2 + HIDDEN},
    "twin-cmos": {"size": SIDE**2 + HIDDEN},
    "tree-decomposition": {"marginals": False},
}
"""Machines large enough for the model, and none of the work that is not asked for."""
SLOW = {"twin-cmos": "a training takes a quarter of an hour: the model has 3200 nodes in chains of up to 100"}
"""Machines that are planned for and not trained, with the reason."""


def training(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the distance of held-out images and what was asked of the machine, or why it cannot train."""
    data = stripes(SIDE)
    calls: list[int] = []
    records: list[dict[str, dict[str, Any]]] = []

    def asked(request: Request, answer: Answer) -> None:
        calls.append(request.num_reads)

    def answered(request: Request, answer: Answer) -> None:
        records.append(flattened(answer.stages))

    try:
        machine = load_backend(facts["backend"], **OPTIONS.get(facts["backend"], {}))
        model: PatternModel = PatternRBM(SIDE**2, HIDDEN, PATTERNS, seed=facts["seed"])
        if machine.capabilities.structures is not None:
            # A machine of patterns couples every two spins.
            model = PatternBoltzmannMachine(SIDE**2 + HIDDEN, PATTERNS, n_visible=SIDE**2, seed=facts["seed"])
        if facts["backend"] in SLOW:
            planned = plan(machine, model)
            why = [f"left out: {SLOW[facts['backend']]}", planned.note]
            return {"sampler": planned.sampler, "reason": "; ".join(filter(None, why))}
        chain = staged(Noted(machine, note=asked))
        began = time.perf_counter()
        train(
            model,
            data.train,
            backend=Noted(chain, note=answered),
            epochs=facts["epochs"],
            seed=facts["seed"],
            progress=False,
        )
    except (CapabilityError, MissingDependencyError, ProblemTooLargeError) as error:
        return {"sampler": False, "reason": str(error)}
    seconds = time.perf_counter() - began
    known = known_rows(data.shape, 1)
    # Of the trained model, since a model grows colder, and so coarser in steps, while it trains.
    law = sent_law(chain, model.ising(), 1.0)
    note = not_a_sampler(chain.capabilities, machine.name, law)
    unmet = sum(record.get(Calibrated.stage, {}).get("met") is False for record in records)
    if unmet > len(records) / 2:
        note = note or f"{unmet} of its {len(records)} answers say that they are not at the asked beta"
    values: dict[str, Any] = {
        "sampler": not note,
        "reason": note,
        "predicted": None if law is None else law.distance,
        "unmet": unmet / max(1, len(records)),
        "distance": hamming_distance(model, data.test, known, beta=math.inf, seed=0),
        "calls": len(calls),
        "reads": sum(calls),
        "seconds": seconds,
    }
    breaks = [
        record[Embedded.stage].get("broken_chains", 0.0) for record in records if Embedded.stage in record
    ]
    if breaks:
        values["chain_breaks"] = sum(breaks) / len(breaks)
    if any(isinstance(stage, Calibrated) for stage in stages(chain)):
        values["machine_beta"] = records[-1][Calibrated.stage]["machine_beta"]
    return values
