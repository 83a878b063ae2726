"""Fixstars' Amplify Annealing Engine, by its REST interface of version 0."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Mapping
from typing import Any, ClassVar, final

import msgspec
import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError, JobFailedError
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    Secret,
    Sent,
    broken,
    check_energies,
    decoded,
    encoded,
    rows_of_spins,
)
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer
from rapid_ising_backends.qubo import qubo_of

URL = "https://optigan.fixstars.com"
TOKEN = "AMPLIFY_TOKEN"
QUIET = 120.0
"""The seconds that a request may wait for its turn, beside those that it computes."""


class Outputs(msgspec.Struct):
    """What the answer is to hold: every state that was found, the best first."""

    spins: bool = True
    energies: bool = True
    feasibilities: bool = True
    sort: bool = True
    duplicate: bool = True
    num_outputs: int = 0


class Problem(msgspec.Struct):
    """The body of a request."""

    polynomial: list[tuple[int, int, float]]
    constant: float
    timeout: int
    num_gpus: int
    outputs: Outputs


class Times(msgspec.Struct):
    """Milliseconds of an answer; the time stamps are those at which the states were found."""

    annealing_time: float = 0.0
    queue_time: float = 0.0
    cpu_time: float = 0.0
    time_stamps: list[float] = []


class Solved(msgspec.Struct):
    """The body of an answer."""

    energies: list[float]
    spins: list[list[int]]
    feasibilities: list[bool] = []
    execution_time: Times = msgspec.field(default_factory=Times)
    execution_parameters: dict[str, Any] = {}
    message: str = ""


@final
@dataclasses.dataclass(frozen=True)
class AmplifyAe(RemoteMachine):
    r"""Annealing on many GPUs by Fixstars' Amplify Annealing Engine.

    .. math:: H(x) = \sum_{i<j} Q_{ij} x_i x_j + \sum_i Q_{ii} x_i + c

    is minimised over binary x; c goes along, so that its energies are those of the problem. The engine
    anneals for ``timeout`` and answers with the states that it found on its way, as many as they may be. All
    are asked for, those of equal energy too, and the ``num_reads`` best of the distinct ones are kept: the
    document does not say that a state comes back as often as it was found, so that they are no sample. It
    obeys no temperature: beta has no effect.

    Contract-tested against the public document of the service, not yet run on hardware.

    Parameters
    ----------
    timeout
        The milliseconds of the search, 1 to 600000; plans have lower limits.
    num_gpus
        The GPUs, 1 to 4 by plan; 0 takes as many as the plan has.
    url
        The address of the service or of an emulator.
    token
        The token of the account; else the environment variable AMPLIFY_TOKEN.

    Notes
    -----
    Amplify AE API reference, v0. The body is compressed with gzip.

    Examples
    --------
    >>> AmplifyAe(timeout=1000).capabilities.max_variables
    131072
    """

    name: ClassVar[str] = "amplify-ae"
    capabilities = Capabilities(
        max_variables=131072,
        temperature="none",
        returns="distinct",
        seedable=False,
        remote=True,
        tested=CONTRACT_TESTED,
    )

    timeout: int = 1000
    num_gpus: int = 1
    url: str = URL
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if positive_integer("timeout", self.timeout) > 600_000:
            raise InvalidParameterError(
                f"timeout must be at most 600000 milliseconds, ten minutes, not {self.timeout}"
            )
        if positive_integer("num_gpus", self.num_gpus, minimum=0) > 4:
            raise InvalidParameterError(f"num_gpus must be at most 4, not {self.num_gpus}")
        # The way to set a field of a frozen dataclass.
        facts = dataclasses.replace(self.capabilities, call_time=1e-3 * self.timeout)
        object.__setattr__(self, "capabilities", facts)
        self._connect(TOKEN)

    def _body(self, request: Request) -> bytes:
        qubo = qubo_of(request.model)
        places = range(len(qubo.linear))
        # Every variable has its own term, 0 too, so that the answer has all of them.
        terms = list(zip(places, places, qubo.linear.tolist(), strict=True))
        terms += zip(qubo.rows.tolist(), qubo.columns.tolist(), qubo.values.tolist(), strict=True)
        return encoded(Problem(terms, qubo.constant, self.timeout, self.num_gpus, Outputs()))

    def _send(self, request: Request, tag: str) -> Sent:
        reply = self.transport.post(
            "/solve",
            # 1.3 s for the 60 MB of a dense problem of 2000 spins; level 6 takes 6.6 s and saves 6 %.
            gzip.compress(self._body(request), compresslevel=1, mtime=0),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
            deadline=request.deadline,
            silence=1e-3 * self.timeout + QUIET,
        )
        return Sent("none", decoded(self.name, reply.body, Solved))

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        raise JobFailedError(f"{self.name} keeps no answers: a job cannot be fetched; send it again")

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        if not reply.spins:
            raise broken(self.name, "it has no states")
        if False in reply.feasibilities:
            raise broken(self.name, "a state is said to be infeasible, and there are no constraints")
        found = rows_of_spins(self.name, reply.spins, request.model.num_variables, bits=True)
        check_energies(self.name, request.model, found, reply.energies)
        ordered = found[np.argsort(reply.energies, kind="stable")]
        _, first = np.unique(ordered, axis=0, return_index=True)
        kept = ordered[np.sort(first)[: request.num_reads]]
        times = reply.execution_time
        return kept, {
            "service": "Amplify AE v0",
            "found": len(found),
            "distinct": len(first),
            "message": self.transport.told(reply.message) if reply.message else "",
            "machine_seconds": 1e-3 * times.annealing_time,
            "queued": 1e-3 * times.queue_time,
            "iterations": reply.execution_parameters.get("num_iterations"),
            "version": self.transport.told(reply.execution_parameters.get("version", "")),
        }
