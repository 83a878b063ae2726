"""Reads at the inverse temperature that was asked, from a machine that has one of its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CapabilityError
from rapid_ising.job import Decoded, Finished, Submission
from rapid_ising.machine.calibration import Gain, History, verdict
from rapid_ising.machine.calibration_rounds import Rounds
from rapid_ising.machine.scaled import room
from rapid_ising.machine.stage import Stage
from rapid_ising.machine.temperature import effective_beta
from rapid_ising.request import Answer, Request
from rapid_ising.validation import finite, positive_integer

COLD = 1e6
"""What the largest coefficient times the machine's beta is brought to where ground states are asked."""


@final
@dataclasses.dataclass(frozen=True)
class Calibrated(Stage):
    r"""Measure the beta of what comes back, and ask again with other energies until it is the asked one.

    A machine with a temperature of its own samples exp(-b E') for what it is sent, E' = c E, so that its
    reads have beta = b c: c is what this stage chooses. ``effective_beta`` measures it in units of the asked
    model, and the next call has c times beta / measured, until

    .. math:: |\hat\beta - \beta| \le \max(\mathrm{tolerance} \cdot \beta, 2 \, \mathrm{error}).

    Where the temperature can be set, the beta that the machine is asked at is multiplied instead: an annealer
    may stop short of it. Measurements that agree are put together, and the next request starts from them, so
    that the factor follows a model that trains with about one call an update.

    At beta = 0 the states are drawn here, evenly, as all are alike. At infinity the energies are sent as
    large as the machine takes them.

    Parameters
    ----------
    backend
        The machine. Stages inside may shrink what is sent (``Scaled``): then no larger beta is to be had, and
        the answer says how far it got.
    tolerance
        How far beta may be off, as a share of it.
    rounds
        The most calls for one request.
    pilot_reads
        The reads of the calls before the temperature is known; None takes all. The last call has all the
        reads whatever this is.
    strict
        Whether reads at another beta than the asked one are an error instead of a warning.
    estimate_only
        Change nothing and record the estimate. This is how a machine without a temperature is taken.
    history
        The measurements so far; copies made by ``for_refresh`` or ``dataclasses.replace`` share them.

    Raises
    ------
    CapabilityError
        If the machine has no temperature, or returns each state once; when strict, if beta cannot be met.

    Warns
    -----
    CalibrationWarning
        If the reads are not at the asked beta.

    Notes
    -----
    Benedetti et al., Phys. Rev. A 94, 022308 (2016); Raymond, Yarkoni, Andriyash, Front. ICT 3, 23 (2016).

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> answer = Calibrated("exact").sample(IsingModel([0.5], [[0.0]]), num_reads=1000, seed=0)
    >>> answer.info["rapid_ising"]["stages"][-1]["met"]
    True
    """

    stage: ClassVar[str] = "calibrated"
    does: ClassVar[str] = "beta measured, and asked for again until it is met"
    rehearsed: ClassVar[bool] = False
    remembers: ClassVar[bool] = True

    tolerance: float = 0.03
    rounds: int = 5
    pilot_reads: int | None = None
    strict: bool = False
    estimate_only: bool = False
    history: History = dataclasses.field(default_factory=History, repr=False, compare=False)

    def _check_options(self, facts: Capabilities) -> None:
        finite("tolerance", self.tolerance, minimum=0, exclusive=True)
        positive_integer("rounds", self.rounds)
        if self.pilot_reads is not None:
            positive_integer("pilot_reads", self.pilot_reads)
        if self.estimate_only:
            return
        if facts.temperature == "none":
            raise CapabilityError(
                f"{self.name} is an optimiser, whose states follow the Boltzmann law at no factor of the "
                "energies: put Gibbs sweeps around it, or record an estimate with estimate_only=True"
            )
        if facts.returns != "multiset":
            raise CapabilityError(
                f"{self.name} returns each state once: without their frequencies states have no temperature; "
                "give estimate_only=True to record what they look like"
            )

    def _offered(self, facts: Capabilities) -> Capabilities:
        if self.estimate_only:
            return facts
        most = facts.max_beta if facts.temperature == "settable" else None
        return dataclasses.replace(facts, temperature="settable", max_beta=most, exact=False)

    @property
    def scales(self) -> bool:
        """Whether the factor multiplies the energies, not the beta that the machine is asked at."""
        return self.inner.capabilities.temperature != "settable"

    def _accept(self, request: Request) -> Callable[[], Submission]:
        self._refuse(request)
        if self.estimate_only:
            send = self.inner._accept(self._asked(request))
            return lambda: Decoded(send(), lambda answer: self._estimated(request, answer))
        if request.beta == 0:
            self.inner._accept(self._asked(request, model=request.model.scaled(0.0)))
            return lambda: Finished(self._drawn(request))
        if math.isinf(request.beta):
            return self._coldest(request)
        gain = self.history.start(request)
        known = gain.value if gain is not None and gain.known else 1.0
        drive = min(request.beta / known, self.most(request))
        rounds = Rounds(self, request, None if gain is None else gain.aged(self.tolerance), drive)
        return rounds.begin

    def most(self, request: Request) -> float:
        """Return the largest factor of the energies that the machine inside takes, or its largest beta."""
        facts = self.inner.capabilities
        if not self.scales:
            return math.inf if facts.max_beta is None else facts.max_beta
        model = request.model
        return min(
            room(model.fields, facts.field_range), room(model.couplings.values(), facts.coupling_range)
        )

    def driven(self, request: Request, drive: float, reads: int) -> Request:
        """Return the request to the machine: energies times ``drive``, or beta = ``drive``."""
        start = None if request.initial_states is None else request.initial_states[:reads]
        if not self.scales:
            return self._asked(request, beta=drive, num_reads=reads, initial_states=start)
        model = request.model if drive == 1.0 else request.model.scaled(drive)
        # A stage inside that uses beta has to see the asked law, exp(-(beta / drive) (drive E)).
        beta = min(request.beta / drive, self.inner.capabilities.max_beta or math.inf)
        return self._asked(request, model=model, beta=beta, num_reads=reads, initial_states=start)

    def _coldest(self, request: Request) -> Callable[[], Submission]:
        drive = 1.0
        if self.scales:
            model, gain = request.model, self.history.gain or Gain(1.0, 0.0)
            known = gain.value if gain.known else 1.0
            values = (model.fields, model.couplings.values())
            largest = max(float(np.abs(part).max(initial=0.0)) for part in values)
            drive = min(self.most(request), COLD / (largest * known) if largest else 1.0)
        else:
            drive = math.inf
        send = self.inner._accept(self.driven(request, drive, request.num_reads))
        factor = drive if self.scales else 1.0
        record = {"stage": self.stage, "asked": math.inf, "factor": factor, "rounds": 1, "met": None}
        return lambda: Decoded(send(), lambda answer: answer.with_stage(record))

    def _drawn(self, request: Request) -> Answer:
        shape = (request.num_reads, request.model.num_variables)
        states = (2 * request.rng.integers(2, size=shape) - 1).astype(np.int8)
        request.deadline.check(self.name)
        record = {
            "stage": self.stage,
            "asked": 0.0,
            "factor": 0.0,
            "rounds": 0,
            "met": True,
            "drawn": "evenly, without the machine",
        }
        return request.answer(states, [record])

    def _estimated(self, request: Request, answer: Answer) -> Answer:
        found = effective_beta(request.model, answer.states)
        known = not math.isnan(found.beta)
        record = {
            "stage": self.stage,
            "asked": request.beta,
            "factor": 1.0,
            "estimate": found.beta if known else None,
            "error": found.error if known else None,
            "rounds": 0,
            "met": verdict(request.beta, found, self.tolerance) if math.isfinite(request.beta) else None,
            "estimate_only": True,
        }
        return answer.with_stage(record)
