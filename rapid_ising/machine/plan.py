"""What a chain of stages would do with a problem, found by a rehearsal in which the machine is a stand-in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.backend import Backend, Machine, Problem
from rapid_ising.capabilities import Capabilities
from rapid_ising.job import Finished, Submission
from rapid_ising.machine.calibrated import Calibrated
from rapid_ising.machine.sent_law import BOUND, SentLaw, sent_law
from rapid_ising.machine.stage import Stage
from rapid_ising.plain import plain
from rapid_ising.request import Request
from rapid_ising.validation import finite, positive_integer

SHOWN = 4
"""The significant digits of a figure."""
TOLD = 1e-3
"""The total variation below which a plan does not speak of it."""


@final
@dataclasses.dataclass(frozen=True)
class PlannedStage:
    """One stage of a plan."""

    stage: str
    does: str
    facts: Mapping[str, Any]
    """What it would record."""


@final
@dataclasses.dataclass(frozen=True)
class Cost:
    """What a training would ask of a machine, a plan at each update."""

    updates: int
    calls: int
    reads: int
    seconds: float | None
    """Seconds of the machine; None where it does not state them."""
    price: float | None = None
    """What a second of the machine costs."""

    @property
    def money(self) -> float | None:
        """What it costs; None where that is not known."""
        return None if self.seconds is None or self.price is None else self.seconds * self.price

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**dataclasses.asdict(self), "money": self.money}

    def __str__(self) -> str:
        text = f"{count(self.updates, 'update')}: {asked(self.calls, self.reads, self.seconds)}"
        if self.seconds is None:
            return f"{text}; the machine does not state its seconds"
        return text if self.money is None else f"{text}, which cost {self.money:.6g}"


@final
@dataclasses.dataclass(frozen=True, repr=False)
class Plan:
    """What would be sent to a machine: the stages from the outside in, the calls, the reads and the time."""

    machine: str
    spins: int
    beta: float
    num_reads: int
    stages: Sequence[PlannedStage]
    calls: int
    reads: int
    seconds: float | None
    """The time of the machine, where it states that of a read or its options set that of a call."""
    rounds: int = 1
    """The most times that all this is repeated, to meet the asked beta."""
    law: SentLaw | None = None
    """How far the law of what is sent lies from the one that was asked; None where there is none."""
    note: str = ""
    """Why the reads are no Boltzmann samples; nothing where they are meant to be."""

    @property
    def sampler(self) -> bool:
        """Whether the reads are Boltzmann samples, as far as can be told before any is drawn."""
        return not self.note

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        facts: dict[str, Any] = plain(dataclasses.asdict(self))
        return {**facts, "sampler": self.sampler}

    def training(self, rows: int, *, epochs: int, batch_size: int, price: float | None = None) -> Cost:
        """Return what a training on so many rows would ask, where each update asks for what is planned.

        Parameters
        ----------
        rows, epochs, batch_size
            The rows of the training data, how often they are gone through, and how many make an update.
        price
            What a second of the machine costs, as on the bill.

        Examples
        --------
        >>> plan = Plan("demo", 3, 1.0, 16, [], 1, 16, 10.0)
        >>> print(plan.training(14, epochs=2, batch_size=5, price=0.5))
        6 updates: 6 calls, 96 reads, 60 s of the machine, which cost 30
        """
        sizes = {"rows": rows, "epochs": epochs, "batch_size": batch_size}
        rows, epochs, batch_size = (positive_integer(name, value) for name, value in sizes.items())
        if price is not None:
            finite("price", price, minimum=0, exclusive=True)
        updates = epochs * -(-rows // batch_size)
        seconds = None if self.seconds is None else updates * self.seconds
        return Cost(updates, updates * self.calls, updates * self.reads, seconds, price)

    def __repr__(self) -> str:
        """Return the table, which the last line of a cell of a notebook shows."""
        size = f"{count(self.spins, 'spin')}, {count(self.num_reads, 'read')}"
        head = f"{self.machine}: {size} at beta = {self.beta:g}"
        width = max((len(stage.stage) for stage in self.stages), default=0)
        rows = [f"  {s.stage:<{width}}  {s.does}{told(s.facts)}" for s in self.stages]
        cost = asked(self.calls, self.reads, self.seconds)
        if self.rounds > 1:
            cost += f"; up to {self.rounds} times that until beta is met"
        # Where nothing is rounded the law is the asked one but for the last digits of numbers.
        law = [str(self.law)] if self.law is not None and self.law.distance > TOLD else []
        return "\n".join([head, *rows, cost, *law, *([self.note] if self.note else [])])


def rehearse(chain: Backend, problem: Problem, *, beta: float, num_reads: int) -> Plan:
    """Return the plan of a chain for a problem.

    The request goes down the chain to a stand-in with the machine's capabilities, which counts the calls and
    answers with random states; each stage's own record says what it did.
    """
    outer: list[Stage] = []
    machine = chain
    while isinstance(machine, Stage):
        outer.append(machine)
        machine = machine.inner
    standin = StandIn(machine)
    rounds = 1
    staged: Backend = standin
    for stage in reversed(outer):
        if isinstance(stage, Calibrated):
            rounds = stage.rounds
        if stage.rehearsed:
            staged = stage.around(staged)
    facts = chain.capabilities
    answer = staged.sample(problem, num_reads=num_reads, beta=beta, seed=np.random.default_rng(0))
    records = flattened(answer.info["rapid_ising"]["stages"])
    planned = [
        PlannedStage(
            stage.stage,
            stage.does,
            {k: v for k, v in records.get(stage.stage, {}).items() if k not in stage.measured},
        )
        for stage in outer
    ]
    law = sent_law(chain, problem, beta)
    calls = len(standin.asked)
    reads = sum(request.num_reads for request in standin.asked)
    return Plan(
        machine.name,
        problem.num_variables,
        float(beta),
        num_reads,
        planned,
        calls,
        reads,
        machine.capabilities.seconds(calls, reads),
        rounds,
        law,
        not_a_sampler(facts, machine.name, law),
    )


def not_a_sampler(facts: Capabilities, name: str, law: SentLaw | None = None) -> str:
    """Return why the reads of a chain are no Boltzmann samples; nothing where they are meant to be."""
    if facts.temperature == "none":
        return f"{name} is an optimiser: its reads are low-energy states, not Boltzmann samples"
    if facts.returns == "distinct":
        return f"{name} returns each of its best states once: not Boltzmann samples"
    if facts.temperature == "effective":
        return f"the reads of {name} have a temperature of its own: put Calibrated around it"
    return "" if law is None else too_coarse(name, law)


def too_coarse(name: str, law: SentLaw) -> str:
    """Return that a machine's steps change the law too much; nothing where they do not."""
    if law.left <= BOUND:
        return ""
    what = "use a machine with finer steps or a smaller model"
    what += ", or let more Gibbs sweeps follow" if law.sweeps else ", or let Gibbs sweeps follow (refine=10)"
    after = "" if law.refined is None else f" after {count(law.sweeps, 'Gibbs sweep')}"
    return (
        f"in the steps of {name} the model has another law: total variation {law.left:.2g}{after}, above "
        f"{BOUND:.2g}, so that its reads are not Boltzmann samples of this model: {what}"
    )


@final
class StandIn(Machine):
    """A machine's capabilities without the machine: it notes what it is asked and answers at random."""

    name: ClassVar[str] = "stand-in"

    def __init__(self, machine: Backend) -> None:
        self.__dict__["name"] = machine.name
        self.capabilities = machine.capabilities
        self.machine = machine
        self.asked: list[Request] = []

    def _check(self, request: Request) -> None:
        # What is accepted is not sent.
        self.machine._accept(request)

    def _submit(self, request: Request) -> Submission:
        self.asked.append(request)
        shape = (request.num_reads, request.model.num_variables)
        return Finished(request.answer(2 * np.random.default_rng(0).integers(2, size=shape) - 1, []))


def flattened(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each stage's record by name, of a stage that asks several times that of its first call."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        parts = record.get("parts", [])
        if parts:
            found = {**flattened(parts[0]), **found}
        found[record["stage"]] = {k: v for k, v in record.items() if k not in ("stage", "parts")}
    return found


def count(number: int, what: str) -> str:
    """Return a number of things as words.

    >>> count(1, "call"), count(1200, "read")
    ('1 call', '1200 reads')
    """
    return f"{number} {what}" + ("" if number == 1 else "s")


def asked(calls: int, reads: int, seconds: float | None) -> str:
    """Return what is asked of a machine as words.

    >>> asked(1, 64, 10.0)
    '1 call, 64 reads, 10 s of the machine'
    """
    time = [] if seconds is None else [f"{seconds:.{SHOWN}g} s of the machine"]
    return ", ".join([count(calls, "call"), count(reads, "read"), *time])


def told(facts: Mapping[str, Any]) -> str:
    """Return the figures of a record as words.

    >>> told({"factor": 0.123456, "chain_breaks": 0})
    ': factor 0.1235, chain breaks 0'
    """
    words = []
    for key, value in facts.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        shown = f"{value:.{SHOWN}g}" if isinstance(value, float) else f"{value}"
        words.append(f"{key.replace('_', ' ')} {shown}")
    return ": " + ", ".join(words) if words else ""
