"""One request of ``Calibrated`` in several calls, each after what the one before has shown."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from rapid_ising.errors import BackendError, CapabilityError, DeadlineExceededError, IncompleteError
from rapid_ising.job import Submission
from rapid_ising.log import logger
from rapid_ising.machine.calibration import Gain, Measurement, verdict
from rapid_ising.machine.temperature import EffectiveBeta, effective_beta
from rapid_ising.notices import CalibrationWarning
from rapid_ising.progress import Bar
from rapid_ising.request import Answer, Request

if TYPE_CHECKING:
    from rapid_ising.machine.calibrated import Calibrated

log = logger(__name__)
STEP = 100.0
"""The most by which one measurement may change the factor."""


@final
class Rounds(Submission):
    """Calls one after the other; the last has all the reads.

    ``drive`` is what is varied: the factor of the energies, or the beta that the machine is asked at. What
    was sent is ``drive`` times the factor of a ``Scaled`` inside, and the gain is measured beta over that.
    """

    def __init__(self, stage: Calibrated, request: Request, gain: Gain | None, drive: float) -> None:
        self._stage, self._request = stage, request
        self._gain, self._drive = gain, drive
        self._began = stage.history.gain
        self._tries: list[dict[str, Any]] = []
        self._answer: Answer | None = None
        self._error: BackendError | CapabilityError | None = None
        self._last: tuple[float, float] | None = None
        self._limit: str | None = None
        pilot = stage.pilot_reads
        # A gain that is known well enough needs no pilot.
        piloting = pilot is not None and stage.rounds > 1 and (gain is None or not gain.known)
        self._reads = min(pilot or 0, request.num_reads) if piloting else request.num_reads
        self._kept: Answer | None = None
        self._send: Callable[[], Submission] = self._accepted()
        self._current: Submission | None = None

    def _accepted(self) -> Callable[[], Submission]:
        return self._stage.inner._accept(self._stage.driven(self._request, self._drive, self._reads))

    def begin(self) -> Rounds:
        """Make the first call."""
        self._current = self._send()
        self.id = self._current.id
        return self

    def done(self) -> bool:
        """Return whether the last answer is there; makes the next call as one is answered."""
        while self._open and self._sent.done():
            self._take(None)
        return not self._open

    def answer(self, timeout: float | None = None) -> Answer:
        """Return the last answer, with the record of all calls."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        with Bar("calls of a calibration at most", self._stage.rounds) as bar:
            while self._open:
                self._take(None if timeout is None else max(0.0, end - time.monotonic()))
                bar.advance()
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer

    def cancel(self) -> bool:
        """Ask the machine to stop what it has, and make no more calls."""
        if not self._open or not self._sent.cancel():
            return False
        self._error = BackendError(f"{self._stage.name}: the request was cancelled")
        return True

    @property
    def _open(self) -> bool:
        return self._answer is None and self._error is None

    @property
    def _sent(self) -> Submission:
        assert self._current is not None
        return self._current

    def _take(self, timeout: float | None) -> None:
        """Take one answer, and either finish with it or make the next call."""
        try:
            answer = self._sent.answer(timeout)
        except DeadlineExceededError:
            # It may be there at a later time.
            raise
        except BackendError as error:
            self._fail(error)
            return
        estimate, met = self._measure(answer)
        whole = self._reads == self._request.num_reads
        if whole:
            self._kept = answer
        drive = self._next(estimate, met)
        ended = met or self._limit is not None
        if whole and (ended or len(self._tries) >= self._stage.rounds):
            self._finish(answer, estimate, met)
            return
        # Pilots go on while they tell more than the tolerance, and leave two calls for all the reads.
        gain = self._gain
        sharp = gain is None or gain.error <= self._stage.tolerance * gain.value
        whole = (
            whole or self._limit is not None or (met and sharp) or len(self._tries) >= self._stage.rounds - 2
        )
        self._again(drive, self._request.num_reads if whole else self._reads, estimate)

    def _again(self, drive: float, reads: int, estimate: EffectiveBeta) -> None:
        before, self._reads, self._drive = self._drive, reads, drive
        try:
            send = self._accepted()
        except CapabilityError as error:
            # Only the energies have changed: those of the call before are as far as it goes.
            self._limit = f"it refuses energies times {drive:.4g} ({error})"
            self._drive = before
            if self._kept is not None:
                self._finish(self._kept, estimate, met=False)
                return
            send = self._accepted()
        try:
            self._current = send()
        except DeadlineExceededError as error:
            self._error = error
        except BackendError as error:
            self._fail(error)

    def _measure(self, answer: Answer) -> tuple[EffectiveBeta, bool]:
        stage, request = self._stage, self._request
        found = effective_beta(request.model, answer.states)
        sent = self._drive * (shrunk(answer.stages) if stage.scales else 1.0)
        if math.isfinite(found.beta) and math.isfinite(found.error):
            new = Gain(found.beta / sent, found.error / sent)
            self._gain = new if self._gain is None else self._gain.then(new, stage.tolerance)
            stage.history.gain = self._gain
        met = verdict(request.beta, found, stage.tolerance)
        if self._last is not None and not met:
            drive, energies = self._last
            moved = not math.isclose(drive, self._drive, rel_tol=1e-3)
            if moved and math.isclose(energies, sent, rel_tol=1e-5):
                self._limit = "it is sent the same energies whatever is asked"
        if not met and self._tries and saturated(self._tries[0], found, sent):
            self._limit = "its beta does not rise with the energies, as where its noise does too"
            # The next request starts where this one did: from here on the energies would grow at each.
            stage.history.gain = self._began
        self._last = (self._drive, sent)
        factor = self._drive if stage.scales else self._drive / request.beta
        gain = None if self._gain is None else self._gain.value
        stage.history.append(
            Measurement(request.beta, factor, len(answer.states), found.beta, found.error, gain, time.time())
        )
        self._tries.append({"reads": len(answer.states), "factor": factor, **_told(found), "sent": sent})
        return found, met

    def _next(self, found: EffectiveBeta, met: bool) -> float:
        """Return what to ask next, and note where nothing helps."""
        beta, most = self._request.beta, self._stage.most(self._request)
        known = self._gain.value if self._gain is not None and self._gain.known else None
        if self._limit is not None:
            return self._drive
        if met:
            return self._drive if known is None else min(beta / known, most)
        if found.beta < 0 and (math.isinf(found.beta) or found.beta < -4 * found.error):
            self._limit = "its states prefer high energies, as if the sign of the model were the other one"
            return self._drive
        sent = float(self._tries[-1]["sent"])
        if math.isinf(found.beta):
            # All spins are satisfied: colder than the bound.
            wanted = sent * min(0.25, beta / found.bound)
        elif found.beta <= 2 * found.error:
            largest = max(found.beta, 0.0) + 2 * found.error
            # Reads that are all alike may tell a beta of zero with no error.
            wanted = sent * (max(1.0, beta / largest) if largest else STEP)
        else:
            wanted = beta / (known or found.beta / sent)
        wanted = min(max(wanted, sent / STEP), sent * STEP)
        if wanted > sent and (self._drive >= most or sent < self._drive * (1 - 1e-6)):
            what = "energies" if self._stage.scales else "beta"
            self._limit = f"it takes no larger {what}"
            return self._drive
        return min(wanted, most)

    def _finish(self, answer: Answer, found: EffectiveBeta, met: bool) -> None:
        stage = self._stage
        self._answer = answer.with_stage(self._record(found, met))
        log.log(
            logging.DEBUG if met and len(self._tries) == 1 else logging.INFO,
            "%s: asked for beta %.4g, reads at %.4g +- %.2g after %d calls, factor %.4g",
            stage.name,
            self._request.beta,
            found.beta,
            found.error,
            len(self._tries),
            self._tries[-1]["factor"],
        )
        if met:
            return
        reason = self._limit or f"it took {len(self._tries)} calls, and rounds is {stage.rounds}"
        reached = (
            f"more than {found.bound:.4g}"
            if found.beta == math.inf
            else f"{found.beta:.4g} ± {found.error:.2g}"
        )
        text = (
            f"{stage.name} was asked for beta = {self._request.beta:g} and its reads are at {reached}: "
            f"{reason}; ask for that beta, or change the scale of the model"
        )
        if stage.strict:
            self._error = CapabilityError(text)
        else:
            warnings.warn(text, CalibrationWarning, stacklevel=2)

    def _record(self, found: EffectiveBeta, met: bool) -> Mapping[str, Any]:
        stage, request, gain = self._stage, self._request, self._gain
        unit = 1.0 if stage.scales else self._drive
        record = {
            "stage": stage.stage,
            "asked": request.beta,
            "factor": self._tries[-1]["factor"],
            **_told(found),
            "machine_beta": None if gain is None else gain.value * unit,
            "machine_error": None if gain is None else gain.error * unit,
            "rounds": len(self._tries),
            "reads": sum(one["reads"] for one in self._tries),
            "met": met,
            "tries": self._tries,
        }
        reason = self._limit or found.reason
        return record if reason is None else {**record, "reason": reason}

    def _fail(self, error: BackendError) -> None:
        """End with what has arrived: an answer at another beta, or part of one."""
        place = len(self._tries) + 1
        arrived = error.answer if isinstance(error, IncompleteError) else None
        if arrived is None:
            arrived = self._kept
            if arrived is None:
                self._error = error
                return
            found = effective_beta(self._request.model, arrived.states)
            met = verdict(self._request.beta, found, self._stage.tolerance)
        else:
            found, met = self._measure(arrived)
        kept = arrived.with_stage(self._record(found, met))
        incomplete = IncompleteError(f"call {place} of the calibration failed: {error}", kept)
        incomplete.__cause__ = error
        self._error = incomplete


def _told(found: EffectiveBeta) -> dict[str, float | None]:
    """Return an estimate for the record, without NaN, which JSON has not."""
    known = not math.isnan(found.beta)
    return {"estimate": found.beta if known else None, "error": found.error if known else None}


def saturated(first: Mapping[str, Any], found: EffectiveBeta, sent: float) -> bool:
    """Return whether beta has risen less than as the fourth root of the energies.

    By three errors, so that chance is no reason; on machines that follow the energies more slowly than in
    proportion beta may rise as their square root.

    >>> before = {"sent": 1.0, "estimate": 0.9, "error": 0.01}
    >>> [saturated(before, EffectiveBeta(beta, 0.01, beta), 2.0) for beta in (0.9, 1.3)]
    [True, False]
    """
    estimate, error, grown = first["estimate"], first["error"], sent / first["sent"]
    if grown <= 1 or not math.isfinite((estimate or math.nan) * found.beta * found.error * error):
        return False
    least = grown**0.25
    return bool(found.beta < estimate * least - 3 * math.hypot(found.error, error * least))


def shrunk(stages: Sequence[Mapping[str, Any]]) -> float:
    """Return the factor by which the stages inside multiplied the energies; over parts, the mean of it.

    >>> shrunk([{"stage": "demo"}, {"stage": "scaled", "factor": 0.5, "beta": 1.0}])
    0.5
    """
    factor = 1.0
    for record in stages:
        if record["stage"] == "scaled":
            factor *= record["factor"]
        factors = [shrunk(part) for part in _parts(record)]
        factor *= sum(factors) / len(factors) if factors else 1.0
    return factor


def _parts(record: Mapping[str, Any]) -> Iterator[Sequence[Mapping[str, Any]]]:
    parts = record.get("parts")
    if isinstance(parts, list):
        yield from (part for part in parts if isinstance(part, list))
