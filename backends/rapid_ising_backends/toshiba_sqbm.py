"""Toshiba's simulated bifurcation machine, by the HTTP interface of SQBM+ version 2."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import msgspec
import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import CapabilityError, InvalidParameterError, JobFailedError
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    Secret,
    Sent,
    broken,
    check_energies,
    decoded,
    rows_of_spins,
)
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.qubo import Qubo, qubo_of
from rapid_ising_backends.qubo_matrix import hdf5, load_h5py, matrix_market

URL, TOKEN = "SQBM_URL", "SQBM_TOKEN"
ALGORITHMS = (15, 20)
"""Ballistic and discrete."""
LARGEST = float(np.finfo(np.float32).max)
QUIET = 120.0
"""The seconds that a request may wait for its turn, beside those that it computes."""


class Solution(msgspec.Struct):
    """One of the states found, and how many runs ended in it."""

    value: float
    result: list[int]
    count: int = 1


class Solved(msgspec.Struct):
    """The body of an answer: the best state, and the others from the best down."""

    value: float
    result: list[int]
    id: str = "none"
    count: int = 1
    time: float = 0.0
    wait: float = 0.0
    runs: int = 0
    message: str = ""
    others: list[Solution] = []


@final
@dataclasses.dataclass(frozen=True)
class ToshibaSqbm(RemoteMachine):
    r"""Simulated bifurcation by SQBM+ version 2, which runs on a cloud machine or server of the user's own.

    .. math:: x^T Q x = \sum_i Q_{ii} x_i + \sum_{i > j} Q_{ij} x_i x_j

    is minimised over binary x, with Q sent as a lower triangle: the MatrixMarket header says ``general``, so
    that each entry counts once. (Under ``symmetric`` an entry off the diagonal would stand for two.) A value
    in the answer that is not that of its state is an error, and so a service that counted otherwise shows.

    A loop is many runs at once, each to a state of its own; the answer is the ``num_reads`` best of the
    distinct states, each once. How many runs ended in each is in the record as ``counts``. These make up
    all ``runs`` only where no state was left out, which nobody knows beforehand: the reads are not expanded
    by them. It obeys no temperature: beta has no effect.

    Contract-tested against public descriptions of the interface, not yet run on hardware.

    Parameters
    ----------
    steps
        The steps of a run, up to 10^8; 0 lets the service choose.
    loops
        The loops of runs, up to 10^7; 0 goes on until the time-out.
    timeout
        The most seconds of computation, 0.001 to 3600.
    algorithm
        15 for ballistic, 20 for discrete bifurcation; None leaves it to the service.
    time_step
        dt, at most 1; None leaves it to the service.
    format
        "matrix-market", or "hdf5", eight times smaller for dense problems; extra ``toshiba-sqbm-hdf5``.
    url
        The address of the machine, such as http://host:8000, or of an emulator; else the environment variable
        SQBM_URL.
    token
        The token where the machine asks for one; else the environment variable SQBM_TOKEN.

    Notes
    -----
    Goto et al., Science Advances 7, eabe7953 (2021). The coefficients are sent as float32, in which the
    service computes.

    Examples
    --------
    >>> ToshibaSqbm(algorithm=15).capabilities.returns
    'distinct'
    """

    name: ClassVar[str] = "toshiba-sqbm"
    capabilities = Capabilities(
        max_variables=10**6,
        temperature="none",
        returns="distinct",
        max_reads=1000,
        seedable=False,
        remote=True,
        tested=CONTRACT_TESTED,
    )

    steps: int = 0
    loops: int = 1
    timeout: float = 10.0
    algorithm: int | None = None
    time_step: float | None = None
    format: Literal["matrix-market", "hdf5"] = "matrix-market"
    url: str | None = None
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option, most in (("steps", 10**8), ("loops", 10**7)):
            value = getattr(self, option)
            if value != 0 and positive_integer(option, value) > most:
                raise InvalidParameterError(f"{option} must be at most {most}, not {value}")
        finite("timeout", self.timeout, minimum=1e-3, maximum=3600)
        if self.algorithm is not None and self.algorithm not in ALGORITHMS:
            raise InvalidParameterError(f"algorithm must be 15, 20 or None, not {self.algorithm!r}")
        if self.time_step is not None:
            finite("time_step", self.time_step, minimum=0, exclusive=True, maximum=1)
        if self.format not in ("matrix-market", "hdf5"):
            raise InvalidParameterError(f"format must be 'matrix-market' or 'hdf5', not {self.format!r}")
        if self.format == "hdf5":
            load_h5py(self.name)
        if self.loops == 0:
            # The way to set a field of a frozen dataclass. With loops, it is done long before the time-out.
            object.__setattr__(
                self, "capabilities", dataclasses.replace(self.capabilities, call_time=float(self.timeout))
            )
        self._connect(TOKEN, address=URL, required=False)

    def _check(self, request: Request) -> None:
        qubo = qubo_of(request.model)
        for part in (qubo.linear, qubo.values):
            if not (np.abs(part) <= LARGEST).all():
                raise CapabilityError(
                    f"{self.name} computes in float32 and the problem has coefficients beyond {LARGEST:.3g} "
                    "in binary variables: scale the problem"
                )

    def _parameters(self, request: Request) -> dict[str, str | int | float]:
        asked: dict[str, str | int | float] = {
            "steps": self.steps,
            "loops": self.loops,
            "timeout": self.timeout,
            "maxout": request.num_reads,
        }
        if self.algorithm is not None:
            asked["algo"] = self.algorithm
        if self.time_step is not None:
            asked["dt"] = self.time_step
        return asked

    def _body(self, qubo: Qubo) -> bytes:
        return matrix_market(qubo) if self.format == "matrix-market" else hdf5(self.name, qubo)

    def _send(self, request: Request, tag: str) -> Sent:
        reply = self.transport.post(
            "/solver/qubo",
            self._body(qubo_of(request.model)),
            params=self._parameters(request),
            headers={"Content-Type": "application/octet-stream"},
            deadline=request.deadline,
            silence=self.timeout + QUIET,
        )
        solved = decoded(self.name, reply.body, Solved)
        return Sent(solved.id, solved)

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        raise JobFailedError(f"{self.name} keeps no answers: job {id} cannot be fetched; send it again")

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        found = [Solution(reply.value, reply.result, reply.count), *reply.others]
        if len(found) > request.num_reads:
            raise broken(self.name, f"{request.num_reads} states were asked and it has {len(found)}")
        n = request.model.num_variables
        states = rows_of_spins(self.name, [one.result for one in found], n, bits=True)
        if len(np.unique(states, axis=0)) < len(states):
            raise broken(self.name, "a state is there twice")
        if min(one.count for one in found) < 1:
            raise broken(self.name, "a state was found less than once")
        # Its values lack the constant.
        values = qubo_of(request.model).constant + np.array([one.value for one in found])
        check_energies(self.name, request.model, states, values)
        return states, {
            "service": "SQBM+ version 2",
            "coefficients": "float32",
            "runs": reply.runs,
            "counts": [one.count for one in found],
            "message": self.transport.told(reply.message),
            "machine_seconds": reply.time,
            "waited": reply.wait,
        }
