"""What whole-number coefficients of few bits cost: predicted, and measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rapid_ising.machine import Quantized, Scaled, quantisation_error
from rapid_ising.registry import load_backend
from rapid_ising.reproduction.machines_calibration import correlation_error, exact_correlations, random_rbm

BITS = (1, 2, 3, 4, 8)


def rounding(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error of the coefficients, as predicted and as recorded, and of the correlations."""
    largest = 2.0 ** facts["bits"] - 1
    limits = (-largest, largest)
    machine = Scaled(Quantized("exact"), field_range=limits, coupling_range=limits)
    found: list[dict[str, float]] = []
    for place in range(facts["instances"]):
        seed = facts["seed"] + place
        model = random_rbm(facts["sigma"], seed)
        truth = exact_correlations(model)
        answers = {
            name: sampler.sample(model, num_reads=facts["reads"], seed=seed)
            for name, sampler in (("exact", load_backend("exact")), ("rounded", machine))
        }
        record = next(
            stage
            for stage in answers["rounded"].info["rapid_ising"]["stages"]
            if stage["stage"] == Quantized.stage
        )
        found.append(
            {
                "predicted": quantisation_error(model, [int(largest)])[0].relative_predicted,
                "measured": record["relative_error"],
                "zeros": record["zeroed"],
                "error": correlation_error(answers["rounded"].record.sample, truth),
                "exact": correlation_error(answers["exact"].record.sample, truth),
            }
        )
    return {key: float(np.mean([values[key] for values in found])) for key in found[0]}
