"""What is known of a machine's temperature: each measurement, and the gain that they give together."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import deque
from collections.abc import Iterator
from typing import final

import numpy as np

from rapid_ising.machine.temperature import EffectiveBeta
from rapid_ising.plain import plain
from rapid_ising.request import Request

KEPT = 10_000
"""The measurements that a history keeps."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Gain:
    """The measured beta over the one that was sent for, with its standard error."""

    value: float
    error: float

    @property
    def known(self) -> bool:
        """Whether it can be told from zero; a machine that is not known is taken to be at beta = 1.

        What is not known yet is kept all the same: to keep only large measurements would be a bias.
        """
        return self.value > 2 * self.error

    def then(self, new: Gain, tolerance: float) -> Gain:
        """Return this gain after a new measurement: the weighted mean, or the new one where they disagree.

        >>> Gain(1.0, 0.1).then(Gain(1.1, 0.1), 0.03).value, Gain(1.0, 0.1).then(Gain(2.0, 0.1), 0.03).value
        (1.05, 2.0)
        """
        apart = abs(new.value - self.value)
        if apart > max(3 * math.hypot(self.error, new.error), tolerance * abs(self.value)):
            return new
        weights = [1 / max(gain.error, 1e-9 * abs(gain.value), 1e-150) ** 2 for gain in (self, new)]
        total = sum(weights)
        return Gain((weights[0] * self.value + weights[1] * new.value) / total, total**-0.5)

    def aged(self, tolerance: float) -> Gain:
        """Return this gain for another request, whose model and so whose gain may be a little different."""
        return Gain(self.value, math.hypot(self.error, 0.5 * tolerance * self.value))


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """One call of a machine, and the inverse temperature of its answer in units of the asked model."""

    asked: float
    factor: float
    reads: int
    estimate: float
    error: float
    gain: float | None
    """The gain that is believed after it."""
    when: float
    """The time, in seconds since 1970."""


@final
class History:
    """The measurements of a machine, the last ten thousand, and the gain that it is believed to have."""

    def __init__(self) -> None:
        self.gain: Gain | None = None
        """What the next request starts from."""
        self._measurements: deque[Measurement] = deque(maxlen=KEPT)
        self._starts: dict[str, Gain | None] = {}

    def __len__(self) -> int:
        return len(self._measurements)

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._measurements)

    def __getitem__(self, place: int) -> Measurement:
        return self._measurements[place]

    def append(self, measurement: Measurement) -> None:
        """Add one measurement."""
        self._measurements.append(measurement)

    def start(self, request: Request) -> Gain | None:
        """Return the gain that a request starts from.

        The same request with the same random numbers starts where it started before, so that a seed fixes
        the samples whatever was asked in between.
        """
        key = fingerprint(request)
        if key not in self._starts:
            if len(self._starts) == KEPT:
                del self._starts[next(iter(self._starts))]
            self._starts[key] = self.gain
        return self._starts[key]


def fingerprint(request: Request) -> str:
    """Return a short text that differs where the model, the reads, beta or the random numbers differ."""
    model = request.model
    state = json.dumps(plain(request.rng.bit_generator.state))
    row = np.where(np.arange(model.num_variables) % 3 == 0, -1, 1)[np.newaxis]
    digest = hashlib.blake2b(f"{request.num_reads} {request.beta} {state}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(model.fields).tobytes())
    digest.update(np.ascontiguousarray(model.local_fields(row)).tobytes())
    if request.initial_states is not None:
        digest.update(request.initial_states.tobytes())
    return digest.hexdigest()


def verdict(beta: float, estimate: EffectiveBeta, tolerance: float) -> bool:
    """Return whether reads agree with ``beta``: within the tolerance, or within two errors."""
    if math.isnan(estimate.beta):
        return True
    if math.isinf(estimate.beta):
        return estimate.beta > 0 and estimate.bound <= beta * (1 + tolerance)
    return abs(estimate.beta - beta) <= max(tolerance * beta, 2 * estimate.error)
