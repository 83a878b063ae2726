"""D-Wave's hybrid solver for binary quadratic models, by the vendor's Solver API (SAPI)."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import dimod
import msgspec
import numpy as np
from dwave.cloud.api.models import ProblemJob, SolverConfiguration, UnstructuredProblemAnswer
from dwave.cloud.coders import encode_problem_as_ref

from rapid_ising import Capabilities, Request
from rapid_ising.errors import CapabilityError, ProblemTooLargeError
from rapid_ising.remote import (
    CONTRACT_TESTED,
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
from rapid_ising.validation import finite
from rapid_ising_backends.sapi import LABEL, SapiMachine

PART = 5 * 1024 * 1024
"""The bytes of a part of an upload."""
VARIABLES = 1_000_000
"""The most variables, as the vendor has published them."""
SHORTEST = 3.0
"""The seconds of the shortest call, by the same documents."""
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Properties(msgspec.Struct):
    """What is used of the properties of a solver."""

    maximum_number_of_variables: int
    minimum_time_limit: list[tuple[float, float]]
    maximum_number_of_biases: int | None = None
    maximum_time_limit_hrs: float | None = None


class Size(msgspec.Struct):
    """The beginning of an upload."""

    size: int


class Upload(msgspec.Struct):
    """An upload that was begun."""

    id: str


class Checksum(msgspec.Struct):
    """The end of an upload."""

    checksum: str


@final
@dataclasses.dataclass(frozen=True)
class LeapHybrid(SapiMachine):
    """A portfolio of classical heuristics that asks a quantum annealer now and then: an optimiser.

    It gives one state a call, the best that it found, and obeys no Boltzmann law: a mean over its states is
    not one over the model. Each call takes at least the shortest time that the solver allows, about three
    seconds, and is charged by that time.

    Its limits are asked of the solver when they are first needed; without a token, ``capabilities`` are those
    published.

    Contract-tested against an emulator that the vendor's own client is held to as well, not yet run on
    hardware.

    Parameters
    ----------
    solver
        The name of a solver; None takes the newest for binary quadratic models that is online, when it is
        first asked.
    time_limit
        The seconds of each call; None takes the shortest that the solver allows for the problem.
    url, token
        As for ``dwave``.

    Notes
    -----
    Solver API 3.0. A model is uploaded in parts, then solved by reference; an upload alone is not charged.

    Examples
    --------
    >>> LeapHybrid(url="https://sapi.example.org", token="none").time_limit is None
    True
    """

    name: ClassVar[str] = "leap-hybrid"
    category: ClassVar[str] = "hybrid"
    kind: ClassVar[str] = "bqm"

    solver: str | None = None
    time_limit: float | None = None
    url: str = ""
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.time_limit is not None:
            finite("time_limit", self.time_limit, minimum=0, exclusive=True)
        self._open()

    @property
    def published(self) -> Capabilities:
        """The limits in the vendor's documents."""
        return self._capabilities(VARIABLES, SHORTEST)

    def _capabilities(self, variables: int, shortest: float) -> Capabilities:
        return Capabilities(
            max_variables=variables,
            temperature="none",
            max_reads=1,
            # A large problem is given more, where no time_limit is.
            call_time=shortest if self.time_limit is None else self.time_limit,
            seedable=False,
            remote=True,
            tested=CONTRACT_TESTED,
        )

    def _facts(self) -> Capabilities:
        own = self.properties
        return self._capabilities(own.maximum_number_of_variables, own.minimum_time_limit[0][1])

    def _rank(self, found: SolverConfiguration) -> Any:
        return str(found.properties.get("version", "")), found.identity.name

    @functools.cached_property
    def properties(self) -> Properties:
        """The facts that the solver states."""
        try:
            own = msgspec.convert(self.definition.properties, Properties)
        except msgspec.ValidationError as error:
            raise broken(self.name, f"its solver is not described as a hybrid one: {error}") from None
        sizes = [size for size, _ in own.minimum_time_limit]
        if not sizes or sizes != sorted(sizes):
            raise broken(self.name, "its minimum_time_limit is no curve")
        return own

    def seconds(self, variables: int) -> float:
        """Return the time limit of a call for a problem of so many variables."""
        sizes, times = zip(*self.properties.minimum_time_limit, strict=True)
        shortest = float(np.interp(variables, sizes, times))
        return shortest if self.time_limit is None else self.time_limit

    def _check(self, request: Request) -> None:
        if self.token is None:
            return
        own, model = self.properties, request.model
        if own.maximum_number_of_biases is not None:
            biases = model.num_variables + len(model.couplings.to_coo()[2])
            if biases > own.maximum_number_of_biases:
                raise ProblemTooLargeError(
                    f"{self.name} holds {own.maximum_number_of_biases} fields and couplings and the problem "
                    f"has {biases}: use a sparser one"
                )
        sizes, times = zip(*own.minimum_time_limit, strict=True)
        shortest, limit = float(np.interp(model.num_variables, sizes, times)), self.time_limit
        longest = math.inf if own.maximum_time_limit_hrs is None else 3600 * own.maximum_time_limit_hrs
        if limit is not None and not shortest <= limit <= longest:
            raise CapabilityError(
                f"{self.name} takes a time_limit from {shortest:g} to {longest:g} s for "
                f"{model.num_variables} spins, not {limit:g}: leave it out, or give one of these"
            )

    def _send(self, request: Request, tag: str) -> Sent:
        with request.model.to_bqm().to_file(version=2, ignore_labels=True) as file:
            id = self._upload(file.read(), request)
        job = ProblemJob(
            data=encode_problem_as_ref(id),
            params={"time_limit": self.seconds(request.model.num_variables)},
            solver=self.definition.identity,
            type=self.kind,
            label=LABEL + tag,
        )
        return self._post(request, job)

    def _upload(self, body: bytes, request: Request) -> str:
        """Upload a model and return its id; done twice it does no harm."""
        begun = self._sent("POST", "/bqm/multipart", encoded(Size(len(body))), JSON, request)
        id = decoded(self.name, begun.body, Upload).id
        if not id.replace("-", "").isalnum():
            raise broken(self.name, "the id of an upload is none")
        digests = []
        for number, start in enumerate(range(0, len(body), PART), start=1):
            part = body[start : start + PART]
            digests.append(hashlib.md5(part, usedforsecurity=False).digest())
            headers = {
                "Content-MD5": base64.b64encode(digests[-1]).decode(),
                "Content-Type": "application/octet-stream",
            }
            self._sent("PUT", f"/bqm/multipart/{id}/part/{number}", part, headers, request)
        whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
        self._sent("POST", f"/bqm/multipart/{id}/combine", encoded(Checksum(whole)), JSON, request)
        return id

    def _sent(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], request: Request
    ) -> Reply:
        return self.transport.request(
            method,
            path,
            body=body,
            headers=headers,
            deadline=request.deadline,
            expected=(200, 201, 202),
            idempotent=True,
        )

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        if not isinstance(reply, UnstructuredProblemAnswer):
            raise broken(self.name, "its answer is none of a hybrid solver")
        try:
            found = dimod.SampleSet.from_serializable(reply.data).change_vartype(dimod.SPIN, inplace=False)
            energies = np.asarray(found.record.energy, dtype=np.float64)
            best = int(np.argmin(energies))
            row, energy, info = found.record.sample[best], energies[best], dict(found.info)
            variables: Sequence[Any] = list(found.variables)
            column = {v: place for place, v in enumerate(variables)}
            if set(column) != set(range(request.model.num_variables)):
                raise broken(self.name, "the variables of its answer are not those that were asked")
            row = row[[column[v] for v in range(len(column))]]
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            # Of dimod, which takes a serialised answer to be one.
            raise broken(self.name, f"its answer is no set of samples: {error}") from None
        states = rows_of_spins(self.name, row[None], len(column))
        check_energies(self.name, request.model, states, [energy])
        facts: dict[str, Any] = {
            "service": "D-Wave SAPI",
            "solver": str(self.definition.identity.name),
            "time_limit": self.seconds(request.model.num_variables),
        }
        for key, name in (("run_time", "machine_seconds"), ("charge_time", "charged_seconds")):
            spent = info.get(key)
            if isinstance(spent, int | float) and 0 <= spent < 1e12:
                facts[name] = 1e-6 * spent
        return states, facts
