"""Coherent Ising machines, by the gateway contract of docs/cim-gateway.md."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, ClassVar, final

import msgspec
import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    BackendError,
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
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
from rapid_ising.validation import positive_integer

URL, TOKEN = "CIM_GATEWAY_URL", "CIM_GATEWAY_TOKEN"
VERSION = 1
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
"""The tags that a gateway takes: they stand in addresses as they are."""
WAITING, ENDED = ("queued", "running"), ("failed", "cancelled")
CREATED, UNKNOWN, CONFLICT, GONE = 201, 404, 409, 410
LOOKS = 3
"""How often an answer that cannot be read is asked for."""
GRACE = 10.0
"""The seconds for clearing away a job of which nobody knows whether it is there."""
JSON: Mapping[str, str] = {"Content-Type": "application/json"}


class Problem(msgspec.Struct):
    """The body of a job: the energy is the sum of J s_i s_j over the couplings [i, j, J], i < j."""

    spins: int
    couplings: list[tuple[int, int, int]]
    runs: int


class Outcome(msgspec.Struct):
    """What a gateway says of a job; spins and energies once it is done, one of each a run."""

    tag: str
    status: str
    message: str = ""
    spins: list[list[int]] | None = None
    energies: list[float] | None = None
    machine_seconds: float | None = None


class Properties(msgspec.Struct):
    """What a gateway says of its machine."""

    version: int
    name: str
    spins: int
    largest_coupling: int
    max_runs: int
    seconds_per_run: float | None = None


@final
@dataclasses.dataclass(frozen=True)
class Cim(RemoteMachine):
    r"""A coherent Ising machine: optical parametric oscillators coupled by measurement and feedback.

    .. math:: E(s) = \sum_{i<j} J_{ij} s_i s_j, \quad J_{ij} \in \{-L, ..., L\}

    Such machines (NTT's LASOLV, Stanford's) have no public interface. This one asks a small gateway that a
    laboratory puts before its machine. A job goes by a name that the client chooses, so that it runs once
    however often it is sent, and can be fetched by another process.

    There are no fields, and each run gives one read, at an effective temperature that the machine's pump,
    feedback and noise decide: beta has no part in what is sent.

    At L = 1 rounding leaves little of a model with real weights but the signs of the largest. Gibbs sweeps
    from the machine's states, ``prepare(machine, model, refine=20)``, bring the reads to the model's law; on
    a model so small that the same sweeps from random states do it too, they say nothing of the machine.

    Contract-tested against an emulator and a reference gateway, not yet run on hardware.

    Parameters
    ----------
    size
        The most spins: 2000 on the machine of Inagaki et al., 100 on that of McMahon et al., 100512 on that
        of Honjo et al. ``properties`` tells a gateway's own.
    largest_coupling
        The largest whole-number coupling L; 1 on the machines that were published.
    max_runs
        The most runs of one job.
    url
        The address of the gateway or of an emulator; else the environment variable CIM_GATEWAY_URL.
    token
        The token of the gateway; else the environment variable CIM_GATEWAY_TOKEN.

    Notes
    -----
    McMahon et al., Science 354, 614 (2016); Inagaki et al., Science 354, 603 (2016); Honjo et al., Sci. Adv.
    7, eabh0952 (2021).

    Examples
    --------
    >>> facts = Cim(size=2000).capabilities
    >>> facts.max_variables, facts.coupling_range, facts.fields
    (2000, (-1, 1), False)
    """

    name: ClassVar[str] = "cim"
    finds: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    size: int = 2000
    largest_coupling: int = 1
    max_runs: int = 1000
    url: str | None = None
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        largest = positive_integer("largest_coupling", self.largest_coupling)
        facts = Capabilities(
            max_variables=positive_integer("size", self.size),
            coupling_range=(-largest, largest),
            integer_coefficients=True,
            fields=False,
            temperature="effective",
            max_reads=positive_integer("max_runs", self.max_runs),
            seedable=False,
            remote=True,
            tested=CONTRACT_TESTED,
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)
        self._connect(TOKEN, address=URL)

    def properties(self, *, deadline: float = 60.0) -> Properties:
        """Return what the gateway says of its machine.

        Raises
        ------
        InvalidParameterError
            If there is no address.
        BackendError
            If the gateway does not answer, or speaks another version.
        """
        reply = self.transport.get("/v1/machine", deadline=Deadline(deadline))
        found = decoded(self.name, reply.body, Properties)
        if found.version != VERSION:
            raise broken(self.name, f"it speaks version {found.version} of the contract, not {VERSION}")
        return found

    def _body(self, request: Request) -> bytes:
        rows, columns, values = request.model.couplings.to_coo()
        strengths = np.rint(values).astype(np.int64)
        couplings = list(zip(rows.tolist(), columns.tolist(), strengths.tolist(), strict=True))
        return encoded(Problem(request.model.num_variables, couplings, request.num_reads))

    def _send(self, request: Request, tag: str) -> Sent:
        path, body = self._path(tag), self._body(request)
        try:
            reply = self.transport.put(
                path,
                body,
                headers=JSON,
                deadline=request.deadline,
                expected=(200, CREATED, CONFLICT, GONE),
            )
        except UnknownOutcomeError as error:
            # It may be there, or come late. Once its tag is spent, it is not and cannot.
            failure = error.__cause__ or error
            self._spend(tag, failure)
            raise failure from None
        if reply.status == CONFLICT:
            raise RejectedError(
                f"{self.name} holds another job under the tag {tag!r}, and this one was not taken on: send "
                f"it under a new tag ({self.transport.said(reply)})"
            )
        if reply.status == GONE:
            raise self._gone(tag, reply)
        return Sent(tag)

    def _spend(self, tag: str, error: BaseException) -> None:
        """Have a job forgotten that may be there or not; if it cannot be now, the next call tries again."""
        try:
            self._forget(tag, Deadline(GRACE))
        except BackendError:
            self._left.append(tag)
            error.add_note(f"job {tag} may still be with the machine; the next call has it forgotten")

    def _find(self, request: Request, tag: str, since: float, deadline: Deadline) -> str | None:
        """Return the tag, which is the id; also of a job that was forgotten, so that it is not sent again."""
        reply = self.transport.get(self._path(tag), deadline=deadline, expected=(200, UNKNOWN, GONE))
        return None if reply.status == UNKNOWN else tag

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Outcome | None:
        outcome = self._outcome(id, deadline)
        if outcome.tag != id:
            raise broken(self.name, f"job {id} was asked for and it tells of another")
        if outcome.status in WAITING:
            return None
        if outcome.status in ENDED:
            raise JobFailedError(
                f"{self.name}: job {id} has {outcome.status} "
                f"({self.transport.told(outcome.message or 'no reason given')}): send it again"
            )
        if outcome.status != "done":
            raise broken(self.name, f"{self.transport.told(outcome.status)!r} is no status of a job")
        return outcome

    def _outcome(self, id: str, deadline: Deadline, looks: int = LOOKS) -> Outcome:
        reply = self.transport.get(self._path(id), deadline=deadline, expected=(200, UNKNOWN, GONE))
        if reply.status != 200:
            raise self._gone(id, reply)
        try:
            return decoded(self.name, reply.body, Outcome)
        except ProtocolError:
            # The gateway still has what was cut short on its way.
            if looks == 1:
                raise
            return self._outcome(id, deadline, looks - 1)

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        outcome: Outcome = reply
        if outcome.spins is None or outcome.energies is None or len(outcome.spins) != request.num_reads:
            found = 0 if outcome.spins is None or outcome.energies is None else len(outcome.spins)
            raise broken(
                self.name, f"{request.num_reads} runs were asked and {found} have spins and energies"
            )
        states = rows_of_spins(self.name, outcome.spins, request.model.num_variables)
        check_energies(self.name, request.model, states, outcome.energies, offset=False)
        facts: dict[str, Any] = {"service": "CIM gateway v1"}
        if outcome.machine_seconds is not None:
            facts["machine_seconds"] = outcome.machine_seconds
        return states, facts

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        self._forget(id, deadline)
        return True

    def _forget(self, id: str, deadline: Deadline) -> None:
        """Have a job stopped and forgotten; its tag is spent then, also where there was none."""
        self.transport.delete(self._path(id), deadline=deadline, expected=(204,))

    def _path(self, tag: str) -> str:
        if not TAG.fullmatch(tag):
            raise InvalidParameterError(
                f"{self.name} has no tag {tag[:150]!r}: give up to 128 of the characters A-Z a-z 0-9 . _ ~ "
                "and -, a letter or a digit first"
            )
        return f"/v1/jobs/{tag}"

    def _gone(self, tag: str, reply: Reply) -> JobFailedError:
        return JobFailedError(
            f"{self.name} does not hold job {tag} any more ({self.transport.said(reply)}): send it again "
            "under a new tag"
        )
