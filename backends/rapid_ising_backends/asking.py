"""Asking a ``dimod.Sampler`` on behalf of a machine that is built around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dimod.core.sampler import Sampler

from rapid_ising import Request, WrappedSampler
from rapid_ising.typing import States


def ask(
    sampler: Sampler, request: Request, parameters: Mapping[str, Any], **claims: Any
) -> tuple[States, Any]:
    """Return the sampler's states, one row a read, and its ``info``.

    Its call ends at the request's deadline, its seed comes from the request's generator, and its errors are
    a ``BackendError``, all as ``WrappedSampler`` has it; ``claims`` are that one's other options.
    """
    request.deadline.check(request.provenance["backend"])
    remaining = request.deadline.remaining
    answer = WrappedSampler(sampler, parameters, **claims).sample(
        request.model,
        num_reads=request.num_reads,
        seed=request.rng,
        initial_states=request.initial_states,
        deadline=remaining if math.isfinite(remaining) else None,
    )
    return answer.record.sample, answer.info["rapid_ising"]["stages"][0]["info"]
