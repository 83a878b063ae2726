"""Hitachi's CMOS annealing machines, by the Annealing Cloud Web API v2."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast, final

import msgspec
import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import AuthenticationError, InvalidParameterError, JobFailedError, RejectedError
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    Reply,
    Secret,
    Sent,
    broken,
    check_energies,
    decoded,
    encoded,
    rows_of_spins,
)
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.twins.cmos import COLDEST, HOTTEST, Type, kings_graph, ranges_of

URL = "https://annealing-cloud.com/api/v2"
TOKEN = "HITACHI_CMOS_TOKEN"
SIDES: Mapping[int, int] = {3: 512, 4: 512, 5: 384}
"""The nodes along each side of the machines."""
HOT = 10.0
"""The service's own first temperature."""
OK, UNAUTHORIZED, BUSY, HARDWARE = 0, 3, 10, 33


class Parameters(msgspec.Struct):
    """The temperatures of an anneal."""

    temperature_num_steps: int
    temperature_step_length: int
    temperature_initial: float
    temperature_target: float


class Outputs(msgspec.Struct):
    """What the answer is to hold."""

    energies: bool = True
    spins: bool = True
    execution_time: bool = True
    num_outputs: int = 0


class Problem(msgspec.Struct):
    """The body of a request: one anneal for each execution."""

    type: int
    num_executions: int
    parameters: Parameters
    outputs: Outputs
    model: list[tuple[int, int, int, int, float]]


class Result(msgspec.Struct):
    """What the machine found."""

    energies: list[float]
    spins: list[list[tuple[int, int, int]]]
    execution_time: float = 0.0


class Solved(msgspec.Struct):
    """The body of an answer."""

    status: int
    message: str = ""
    job_id: int | str | None = None
    result: Result | None = None


class Status(msgspec.Struct):
    """The part of an answer that says how it went."""

    status: int
    message: str = ""


@final
@dataclasses.dataclass(frozen=True)
class HitachiCmos(RemoteMachine):
    r"""Simulated annealing on a King's graph, by Hitachi's CMOS annealing machines.

    .. math:: p(s) \propto e^{-E(s) / T}, \quad T = 1 / \beta

    The temperature falls from ``temperature_initial`` to 1 / beta; 0.01, the service's own target, at beta =
    infinity. A call makes at most 10 anneals and answers at once, and the service keeps nothing: a job whose
    answer was lost cannot be fetched again.

    Contract-tested against the public document of the service, not yet run on hardware.

    Parameters
    ----------
    type
        3 for the GPUs with 32-bit whole numbers, 4 for those with floating point, 5 for the 4-bit chip.
    size
        The nodes along each side of the corner that is used; the machines have 512 (types 3 and 4) and 384.
    temperature_num_steps, temperature_step_length
        The steps of the temperature, 1 to 100, and the sweeps of each, 1 to 1000.
    temperature_initial
        The temperature of the first step, in the units of what is sent; None takes ten times 1 / beta, and
        the service's own, 10, at beta = infinity.
    url
        The address of the service or of an emulator.
    token
        The token of the account, valid for 30 days; else the environment variable HITACHI_CMOS_TOKEN.

    Notes
    -----
    Annealing Cloud Web API v2. Whether the last step is at the target, and for how long, is not documented.

    Examples
    --------
    >>> HitachiCmos(type=5, size=8).capabilities.coupling_range
    (-7, 7)
    """

    name: ClassVar[str] = "hitachi-cmos"
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    type: Type = 4
    size: int = 128
    temperature_num_steps: int = 10
    temperature_step_length: int = 100
    temperature_initial: float | None = None
    url: str = URL
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.type not in SIDES:
            raise InvalidParameterError(f"type must be 3, 4 or 5, not {self.type!r}: the others were retired")
        if positive_integer("size", self.size) > SIDES[self.type]:
            raise InvalidParameterError(
                f"size must be at most {SIDES[self.type]}, the side of the machine, not {self.size}"
            )
        for option, most in (("temperature_num_steps", 100), ("temperature_step_length", 1000)):
            if positive_integer(option, getattr(self, option)) > most:
                raise InvalidParameterError(f"{option} must be at most {most}, not {getattr(self, option)}")
        if self.temperature_initial is not None:
            finite("temperature_initial", self.temperature_initial, minimum=0, exclusive=True)
        facts = Capabilities(
            max_variables=self.size**2,
            topology=kings_graph(self.size),
            max_reads=10,
            seedable=False,
            remote=True,
            tested=CONTRACT_TESTED,
            **ranges_of(self.type),
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)
        self._connect(TOKEN)

    def _body(self, request: Request) -> bytes:
        # The labels are nodes of the graph, or the request was refused.
        places = cast("list[tuple[int, int]]", request.variables)
        rows, columns, values = request.model.couplings.to_coo()
        number: Callable[[float], float] = float if self.type == 4 else round
        model = [
            (x, y, x, y, number(h))
            for (x, y), h in zip(places, request.model.fields.tolist(), strict=True)
            if h
        ]
        model += [
            (*places[i], *places[j], number(p))
            for i, j, p in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True)
        ]
        # A model of nothing is refused: zeros name the places.
        model = model or [(x, y, x, y, number(0.0)) for x, y in places]
        cold = COLDEST if math.isinf(request.beta) else 1 / max(request.beta, 1 / HOTTEST)
        hot = self.temperature_initial or (HOT if math.isinf(request.beta) else 10 * cold)
        parameters = Parameters(self.temperature_num_steps, self.temperature_step_length, hot, cold)
        return encoded(Problem(self.type, request.num_reads, parameters, Outputs(), model))

    def _send(self, request: Request, tag: str) -> Sent:
        reply = self.transport.post(
            "/solve",
            self._body(request),
            headers={"Content-Type": "application/json"},
            deadline=request.deadline,
            busy=lambda reply: self._status(reply).status == BUSY,
        )
        status = self._status(reply)
        said = f"status {status.status}: {self.transport.told(status.message)}"
        if status.status == UNAUTHORIZED:
            raise AuthenticationError(
                f"{self.name} refuses the token ({said}): tokens expire after 30 days, make a new one"
            )
        if status.status == HARDWARE:
            raise JobFailedError(f"{self.name} failed ({said}): try again later")
        if status.status != OK:
            raise RejectedError(f"{self.name} refuses the request ({said})")
        solved = decoded(self.name, reply.body, Solved)
        return Sent("none" if solved.job_id is None else str(solved.job_id), solved)

    def _status(self, reply: Reply) -> Status:
        return decoded(self.name, reply.body, Status)

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        raise JobFailedError(f"{self.name} keeps no answers: job {id} cannot be fetched; send it again")

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        result = reply.result
        if result is None or len(result.spins) != request.num_reads:
            found = 0 if result is None else len(result.spins)
            raise broken(self.name, f"{request.num_reads} executions were asked and {found} have spins")
        column = {place: i for i, place in enumerate(request.variables)}
        # Places of no coefficient are not in an answer: their spins are free.
        states = np.zeros((request.num_reads, len(column)), np.int8)
        for row, spins in zip(states, result.spins, strict=True):
            for x, y, s in spins:
                i = column.get((x, y))
                if i is None:
                    raise broken(self.name, f"it has a spin at {x}, {y}, where none was asked")
                if s not in (-1, 1) or row[i]:
                    raise broken(self.name, f"the spin at {x}, {y} is {s}, or is there twice")
                row[i] = s
        self._fill(request, states)
        states = rows_of_spins(self.name, states, len(column))
        check_energies(self.name, request.model, states, result.energies, offset=False)
        facts = {
            "service": "Annealing Cloud Web API v2",
            "type": self.type,
            "machine_seconds": 1e-9 * result.execution_time,
            "temperature_target": 1 / request.beta if request.beta else HOTTEST,
        }
        return states, facts

    def _fill(self, request: Request, states: States) -> None:
        """Draw the spins that nothing acts on: the service does not know of them."""
        model = request.model
        rows, columns, _ = model.couplings.to_coo()
        free = model.fields == 0
        free[rows] = free[columns] = False
        states[:, free] = 2 * request.rng.integers(2, size=(len(states), int(free.sum())), dtype=np.int8) - 1
