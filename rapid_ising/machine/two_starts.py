"""Whether reads still remember where they started: half from random states, half from given ones."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import CapabilityError
from rapid_ising.ising import IsingModel
from rapid_ising.job import Decoded, Submission
from rapid_ising.machine.stage import Decode, SplitStage
from rapid_ising.notices import ConvergenceWarning
from rapid_ising.request import Answer, Request
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite

FEWEST = 8
"""The reads of a half below which nothing is compared: a mean of few has no error to be measured by."""
MOST = 2000
"""The reads of a half whose overlaps are formed."""


@final
@dataclasses.dataclass(frozen=True)
class TwoStarts(SplitStage):
    """Start half of the reads at random states and half at the given ones, and compare what came of them.

    Reads that have converged do not know where they started. The halves are compared by their mean energy and
    by their overlaps, each difference in units of its standard error over reads (see ``compared``). The
    figures are recorded, and a difference above ``threshold`` errors is a warning. No disagreement is no
    proof: both halves may miss the same valley.

    Give starting states of low energy, like the patterns of a model: random ones against random ones say
    nothing. A request without any passes through, and the record says that nothing was compared.

    Parameters
    ----------
    backend
        A machine that starts from given states.
    threshold
        The standard errors above which the halves disagree. Halves that agree reach 4 by chance about once in
        10 000 requests.

    Raises
    ------
    CapabilityError
        If the machine cannot start from given states, or returns each state once.

    Warns
    -----
    ConvergenceWarning
        If the halves disagree.

    Examples
    --------
    >>> machine = TwoStarts("gibbs")
    >>> problem = IsingModel([0.1, 0.0], [[0.0, -0.5], [-0.5, 0.0]])
    >>> answer = machine.sample(problem, num_reads=100, initial_states=[[-1, -1]], seed=0)
    >>> answer.info["rapid_ising"]["stages"][-1]["agree"]
    True
    """

    stage: ClassVar[str] = "two-starts"
    does: ClassVar[str] = "reads from random and from given states compared"
    rehearsed: ClassVar[bool] = False

    threshold: float = 4.0

    def _check_options(self, facts: Capabilities) -> None:
        super()._check_options(facts)
        finite("threshold", self.threshold, minimum=0, exclusive=True)
        if not facts.initial_states:
            raise CapabilityError(
                f"{self.name} cannot start from given states: two starts cannot be compared on it"
            )
        if facts.returns != "multiset":
            raise CapabilityError(f"{self.name} returns each state once: there are no averages to compare")

    def _accept(self, request: Request) -> Callable[[], Submission]:
        reason = self._reason(request)
        if reason is not None:
            self._refuse(request)
            record = {"stage": self.stage, "agree": None, "reason": reason}
            return self._sender(self._asked(request), lambda answer: answer.with_stage(record))
        send = super()._accept(request)
        return lambda: Decoded(send(), lambda answer: self._compared(request, answer))

    def _split(self, request: Request) -> Sequence[tuple[Request, Decode]]:
        assert request.initial_states is not None
        given = request.initial_states[: request.num_reads - request.num_reads // 2]
        shape = (request.num_reads // 2, request.model.num_variables)
        even = (2 * request.rng.integers(2, size=shape) - 1).astype(np.int8)
        return [
            (self._asked(request, num_reads=len(rows), initial_states=rows), lambda answer: answer)
            for rows in (given, even)
        ]

    def _reason(self, request: Request) -> str | None:
        """Return why nothing can be compared."""
        if request.initial_states is None:
            return "no initial states were given"
        if request.num_reads < 2 * FEWEST:
            return f"{request.num_reads} reads are fewer than {2 * FEWEST}"
        if not request.model.num_variables:
            return "there are no spins"
        return None

    def _compared(self, request: Request, answer: Answer) -> Answer:
        record = dict(answer.stages[-1])
        if len(answer.states) < request.num_reads:
            record |= {"agree": None, "reason": "not all reads arrived"}
            return Answer(answer.states, [record], answer.weights)
        count = request.num_reads - request.num_reads // 2
        found = compared(request.model, answer.states[:count], answer.states[count:])
        worst = max(found, key=lambda kind: found[kind]["z"])
        agree = found[worst]["z"] <= self.threshold
        record |= {**found, "threshold": self.threshold, "agree": agree}
        if not agree:
            given, random = found[worst]["given"], found[worst]["random"]
            warnings.warn(
                f"reads of {self.name} remember where they started: their {worst} is {given:.4g} from the "
                f"given states and {random:.4g} from random ones, {found[worst]['z']:.1f} standard errors "
                "apart: give it more sweeps, or ask for a lower beta",
                ConvergenceWarning,
                stacklevel=2,
            )
        return Answer(answer.states, [record], answer.weights)


def compared(model: IsingModel, given: States, random: States) -> dict[str, dict[str, Any]]:
    r"""Compare two sets of reads by energy and by overlap, each with its z-score.

    The overlap of two reads is q = s . t / N. If the sets are of one law, q has one law within each and
    between them. What is compared is the mean of k(q) = (1 + q)^2, which sees the means of spins and the
    correlations of pairs, and so also two valleys of opposite sign. With the first half of each set a read
    s is given

    .. math:: w(s) = \langle k(s, t) \rangle_{t \in given} - \langle k(s, t) \rangle_{t \in random},

    and z is the difference of the mean of w between the second halves over its standard error: the reads are
    independent of those that w was made from, so that z is normal where the laws are one. It is above zero
    where they differ, and only that counts; the energy's z is a magnitude.

    Returns
    -------
    dict
        ``"energy"``: the mean of each set and z; ``"overlap"``: the root mean square of q within each set and
        between them, and z.
    """
    energies = [model.energies(rows) for rows in (given, random)]
    sets = [rows[:MOST].astype(np.float32) for rows in (given, random)]
    first, second = ([rows[part::2] for rows in sets] for part in (0, 1))
    n = model.num_variables

    def overlaps(rows: Any, others: Any) -> Any:
        return rows @ others.T / n

    squares = [[float(np.mean(overlaps(a, b) ** 2)) for b in first] for a in second]
    witness = [
        np.mean((1 + overlaps(rows, first[0])) ** 2, axis=1)
        - np.mean((1 + overlaps(rows, first[1])) ** 2, axis=1)
        for rows in second
    ]
    return {
        "energy": {
            "given": float(energies[0].mean()),
            "random": float(energies[1].mean()),
            "z": abs(z_score(energies[0], energies[1])),
        },
        "overlap": {
            "given": math.sqrt(squares[0][0]),
            "random": math.sqrt(squares[1][1]),
            "between": math.sqrt((squares[0][1] + squares[1][0]) / 2),
            "z": z_score(witness[0].astype(np.float64), witness[1].astype(np.float64)),
        },
    }


def z_score(first: Reals, second: Reals) -> float:
    """Return the difference of two means over its standard error; 0 where they differ by rounding only.

    >>> z_score(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    0.7071067811865475
    """
    difference = float(first.mean() - second.mean())
    rounding = 1e-6 * float(np.abs(first).max() + np.abs(second).max())
    if abs(difference) <= rounding:
        return 0.0
    error = math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    # Sets that do not vary at all, and differ, are apart by any number of errors.
    return difference / max(error, rounding)
