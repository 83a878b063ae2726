"""One machine against one emulator while things go wrong: what becomes of each request, and what must not be.

A request ends in a right answer or in an error of the tree, within its deadline; no job is sent twice; none
is left in a slot when all is well again; and no answer of a job that was taken on is lost where the service
keeps it and is to be had.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import dimod
import numpy as np

from rapid_ising import Backend, Capabilities
from rapid_ising.errors import BackendError, InvalidParameterError, UnknownNameError
from rapid_ising.remote import Backoff, RemoteMachine, machine, transport
from rapid_ising_backends.emulators import emulator as emulators
from rapid_ising_backends.emulators import jobs
from rapid_ising_backends.emulators.emulator import Emulator
from rapid_ising_backends.emulators.faults import AFTERWARDS, BEFORE, KINDS

MIXED = "mixed"
"""All faults at once, each at the same rate."""
RATES = (0.5, 1.0, 0.2)
"""The rate of a fault, by the seed."""
PASSING = ("429", "500", "503", BEFORE, *AFTERWARDS)
"""Faults after which the service is itself again."""
REQUESTS, READS, SPINS = 2, 32, 4
"""What a trial asks."""
PATIENT, BRIEF = 10.0, 0.7
"""The deadline of a request, and where a fault is to be waited for, in seconds."""
CLEARING = machine.GRACE + 5.0
"""The seconds after the deadline in which a request ends."""
LOOKS = 40
"""How often it is tried to clear up when all is well again."""


@dataclasses.dataclass
class Outcome:
    """What became of some requests."""

    requests: int = 0
    right: int = 0
    struck: int = 0
    """The faults that befell them."""
    errors: Counter[str] = dataclasses.field(default_factory=Counter)
    breaches: list[str] = dataclasses.field(default_factory=list)
    """What must not be: it is empty."""

    def add(self, other: Outcome) -> None:
        """Take what became of others to it."""
        self.requests += other.requests
        self.right += other.right
        self.struck += other.struck
        self.errors += other.errors
        self.breaches += other.breaches


def trial(backend: Backend, emulator: Emulator, kind: str, seed: int) -> Outcome:
    """Ask a machine while a kind of fault strikes, or all of them, and look at what comes of it.

    Parameters
    ----------
    backend
        The machine, which asks this emulator and nobody else does.
    emulator
        The emulator, running in this process.
    kind
        One of ``faults.KINDS``, or ``mixed``.
    seed
        Of the faults, and of the problems; the rate goes by it.
    """
    if kind not in (*KINDS, MIXED):
        raise UnknownNameError.among("fault", kind, (*KINDS, MIXED))
    rate = RATES[seed % len(RATES)]
    rates = {kind: rate} if kind != MIXED else dict.fromkeys(KINDS, (0.4 + 0.5 * rate) / len(KINDS))
    # Some machines ask the service for them.
    facts = backend.capabilities
    found, rng = Outcome(), np.random.default_rng(seed)
    place = f"{emulator.name}, {kind} at {rate:g}, seed {seed}"
    deadline = BRIEF if kind == "never-finishes" else PATIENT
    # An answer can be had where the service keeps it, and fails now and then only.
    sure = kind in PASSING and rate < 0.5 and _holds(backend)
    emulator.faults.begin(rates, seed)
    emulator.denied.clear()
    try:
        for _ in range(REQUESTS):
            problem, ground = problem_for(facts, rng)
            _ask(found, place, backend, emulator, problem, ground, deadline, sure)
        found.struck = emulator.faults.count.total()
    finally:
        emulator.faults.begin()
    if left := _left(backend, emulator):
        found.breaches.append(f"{place}: {len(left)} jobs are left in a slot")
    return found


def _ask(
    found: Outcome,
    place: str,
    backend: Backend,
    emulator: Emulator,
    problem: dimod.BinaryQuadraticModel,
    ground: float,
    deadline: float,
    sure: bool,
) -> None:
    facts, before, began = backend.capabilities, len(emulator.accepted), time.monotonic()
    reads, answered = min(READS, facts.reads_a_call or READS), False
    wrong: list[str] = []
    found.requests += 1
    try:
        answer = backend.sample(problem, num_reads=reads, beta=facts.max_beta or math.inf, deadline=deadline)
    except BackendError as error:
        found.errors[type(error).__name__] += 1
        wrong.append("" if str(error) else f"an error that says nothing: {error!r}")
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        wrong.append(f"an error of no machine: {error!r}")
    else:
        answered = True
        wrong.append(fault_of(answer, problem, ground, reads, distinct=facts.returns == "distinct"))
        found.right += not wrong[-1]
    taken, sent = time.monotonic() - began, len(emulator.accepted) - before
    if taken > deadline + CLEARING:
        wrong.append(f"it took {taken:.1f} s with a deadline of {deadline:g} s")
    if sent > 1 or (answered and sent != 1):
        wrong.append(f"a job was sent {sent} times")
    if sure and sent and not answered:
        wrong.append(f"the answer to a job was lost, after {dict(found.errors)}")
    found.breaches += [f"{place}: {what}" for what in wrong if what]


def fault_of(
    answer: dimod.SampleSet,
    problem: dimod.BinaryQuadraticModel,
    ground: float,
    reads: int,
    *,
    distinct: bool,
) -> str:
    """Return what is wrong with an answer, empty if nothing is.

    The ground state is among the reads of a machine that is asked for it: spins in another order, or of
    another problem, do not have its energy.
    """
    rows = int(answer.record.num_occurrences.sum())
    if set(answer.variables) != set(problem.variables):
        return f"its variables are {list(answer.variables)}"
    if not (rows == reads or (distinct and 1 <= rows <= reads)):
        return f"{rows} reads where {reads} were asked"
    if not np.isin(answer.record.sample, (-1, 1)).all():
        return "its states are no spins"
    own = problem.energies((answer.record.sample, answer.variables))
    if not np.allclose(own, answer.record.energy):
        return "its energies are not those of the problem"
    if not math.isclose(float(own.min()), ground, abs_tol=1e-6):
        return f"its lowest energy is {own.min():g} and the ground state's {ground:g}"
    return ""


def problem_for(facts: Capabilities, rng: np.random.Generator) -> tuple[dimod.BinaryQuadraticModel, float]:
    """Return a chain of a few spins that a machine can take, without frustration, and its lowest energy.

    Couplings are of either sign at random; the first spin has a field where the machine has fields.
    """
    nodes = path_of(facts)
    limits = [pair for pair in (facts.coupling_range, facts.field_range) if pair is not None]
    size = min([1.0, *(min(-low, high) for low, high in limits)])
    if size <= 0:
        raise InvalidParameterError("the machine takes no positive coefficients")
    signs = rng.choice([-size, size], len(nodes)).tolist()
    linear = {nodes[0]: signs[0]} if facts.fields else {}
    quadratic = dict(zip(itertools.pairwise(nodes), signs[1:], strict=True))
    problem = dimod.BinaryQuadraticModel(linear, quadratic, 0.0, "SPIN")
    return problem, -size * (len(linear) + len(quadratic))


def path_of(facts: Capabilities) -> list[Any]:
    """Return some spins in a row of which each is coupled to the next."""
    graph = facts.topology
    if graph is None:
        return list(range(SPINS))
    for start in graph:
        path = [start]
        while len(path) < SPINS:
            step = next((node for node in graph[path[-1]] if node not in path), None)
            if step is None:
                break
            path.append(step)
        else:
            return path
    raise InvalidParameterError(f"the machine's graph has no path of {SPINS} spins")


def _holds(backend: Backend) -> bool:
    return isinstance(backend, RemoteMachine) and backend.finds and backend.keeps


def _left(backend: Backend, emulator: Emulator) -> list[str]:
    """Clear up, now that all is well again, and return the jobs that are there all the same.

    Without those of which the service said that it does not have them.
    """
    for _ in range(LOOKS):
        if isinstance(backend, RemoteMachine):
            backend.clear()
        if not emulator.open_jobs():
            break
        time.sleep(jobs.OVERDUE / 10)
    left = emulator.open_jobs()
    store = getattr(emulator, "jobs", None)
    if isinstance(store, jobs.Jobs):
        for id in left:
            store.remove(id)
    return [id for id in left if not any(quote(id, safe="") in path for path in emulator.denied)]


@contextlib.contextmanager
def hurried(factor: float = 500.0) -> Iterator[None]:
    """Make every pause of client and emulators shorter for as long as the block lasts."""
    kept: Mapping[tuple[Any, str], Any] = {
        (transport, "sleep"): lambda seconds: time.sleep(seconds / factor),
        (machine, "POLLS"): Backoff(first=0.002, factor=1.5, longest=0.05),
        (emulators, "DRIP"): emulators.DRIP / 50,
        (jobs, "OVERDUE"): 0.1,
    }
    before = {place: getattr(*place) for place in kept}
    try:
        for (module, name), value in kept.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)
