"""QCi's Dirac-3, by the vendor's own client, which stays in an environment of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, final

import msgspec
import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    DeadlineExceededError,
    InvalidParameterError,
    JobFailedError,
    RejectedError,
)
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    Secret,
    Sent,
    broken,
    check_energies,
    rows_of_spins,
    transport,
)
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.qci import client_class, told
from rapid_ising_backends.qubo import qubo_of

T = TypeVar("T")
URL = "https://api.qci-prod.com"
TOKEN = "QCI_TOKEN"
WAITING, DONE = ("SUBMITTED", "QUEUED", "RUNNING"), "COMPLETED"
TIMEOUTS = tuple(60.0 / 4**k for k in range(6))
"""The seconds that the client may wait for one answer: the longest that is not beyond the deadline."""
PAUSES = (0.5, 2.0, 8.0)
"""The seconds before a question about a job is asked again that failed."""


class Results(msgspec.Struct):
    """The states that were found, with their energies, and how many samples ended in each."""

    counts: list[int]
    energies: list[float]
    solutions: list[list[float]]


class JobResult(msgspec.Struct):
    """What a job has cost, or why there is no result."""

    device_usage_s: float = 0.0
    error: str = ""


class JobInfo(msgspec.Struct):
    """What the service knows of a job."""

    job_id: str
    job_result: JobResult = msgspec.field(default_factory=JobResult)
    emulator: str | None = None


class Response(msgspec.Struct):
    """What the client returns about a job."""

    status: str
    job_info: JobInfo
    results: Results | None = None


@final
@dataclasses.dataclass(frozen=True)
class Dirac3(RemoteMachine):
    r"""Binary problems on QCi's Dirac-3, photons in time bins with measurement and loss.

    .. math:: E(x) = \sum_i C_i x_i + \sum_{i<j} J_{ij} x_i x_j

    is minimised over qudits of two levels, by the job type ``sample-hamiltonian-integer``; the constant is
    not sent. A job makes up to 100 samples, and its answer says how often each state was sampled: these
    counts are expanded, so that every sample is a row. It obeys no temperature: beta has no effect.

    qci-client is asked for when something is sent, not before: the machine can be planned for without it.

    Contract-tested against the vendor's client and guide, not yet run on hardware.

    Parameters
    ----------
    relaxation_schedule
        1 to 4: the later ones take longer and find lower energies.
    mean_photon_number
        0.0000667 to 0.0066666; None leaves it to the schedule.
    quantum_fluctuation_coefficient
        n of the noise 1 / sqrt(n), 1 to 100; None leaves it to the schedule.
    url
        The address of the service or of an emulator.
    token
        The token of the account; else the environment variable QCI_TOKEN.

    Raises
    ------
    MissingDependencyError
        When something is sent and qci-client is not installed; the message has the pip lines.

    Notes
    -----
    Nguyen et al., arXiv:2407.04512. The levels of all variables are at most 949.

    Examples
    --------
    >>> Dirac3(relaxation_schedule=2).capabilities.max_variables
    474
    """

    name: ClassVar[str] = "dirac-3"
    keeps: ClassVar[bool] = True
    capabilities = Capabilities(
        max_variables=474,
        temperature="none",
        max_reads=100,
        seedable=False,
        remote=True,
        tested=CONTRACT_TESTED,
    )

    relaxation_schedule: int = 1
    mean_photon_number: float | None = None
    quantum_fluctuation_coefficient: int | None = None
    url: str = URL
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    _clients: dict[float, Any] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if positive_integer("relaxation_schedule", self.relaxation_schedule) > 4:
            raise InvalidParameterError(f"relaxation_schedule must be 1 to 4, not {self.relaxation_schedule}")
        if self.mean_photon_number is not None:
            finite("mean_photon_number", self.mean_photon_number, minimum=6.67e-5, maximum=6.6666e-3)
        noise = self.quantum_fluctuation_coefficient
        if noise is not None and positive_integer("quantum_fluctuation_coefficient", noise) > 100:
            raise InvalidParameterError(f"quantum_fluctuation_coefficient must be 1 to 100, not {noise}")
        self._connect(TOKEN)

    def _require_client(self) -> None:
        client_class()

    def _client(self, deadline: Deadline) -> Any:
        """Return a client whose every request ends within the deadline."""
        deadline.check(self.name)
        timeout = next((t for t in TIMEOUTS if t <= deadline.remaining), TIMEOUTS[-1])
        if timeout not in self._clients:
            if not isinstance(self.token, Secret):
                raise AuthenticationError(f"{self.name} needs a token: set the environment variable {TOKEN}")
            self._clients[timeout] = client_class()(
                url=self.url, api_token=self.token.reveal(), timeout=timeout
            )
        return self._clients[timeout]

    def _asked(self, deadline: Deadline, question: Callable[[Any], T]) -> T:
        """Return the answer to a question that changes nothing, asked again where it failed."""
        for pause in PAUSES:
            try:
                with told(self.transport):
                    return question(self._client(deadline))
            except (AuthenticationError, RejectedError, DeadlineExceededError):
                raise
            except BackendError:
                transport.sleep(min(pause, max(0.0, deadline.remaining)))
        with told(self.transport):
            return question(self._client(deadline))

    def _send(self, request: Request, tag: str) -> Sent:
        client = self._client(request.deadline)
        with told(self.transport):
            file = client.upload_file(file=self._file(request, tag))["file_id"]
            body = client.build_job_body(
                job_type="sample-hamiltonian-integer",
                job_name=tag,
                job_tags=["rapid-ising"],
                job_params=self._parameters(request),
                polynomial_file_id=file,
            )
        client = self._client(request.deadline)
        with told(self.transport, submits=True):
            return Sent(str(client.submit_job(job_body=body)["job_id"]))

    def _file(self, request: Request, tag: str) -> dict[str, Any]:
        """Return the polynomial: indices from 1, 0 where a term is of a lower degree."""
        qubo = qubo_of(request.model)
        pairs = list(zip(qubo.rows.tolist(), qubo.columns.tolist(), qubo.values.tolist(), strict=True))
        lower = [0] if pairs else []
        # Every variable has its own term, 0 too, so that the polynomial has all of them.
        data = [{"idx": [*lower, i], "val": c} for i, c in enumerate(qubo.linear.tolist(), 1)]
        data += [{"idx": [i + 1, j + 1], "val": c} for i, j, c in pairs]
        polynomial = {
            "num_variables": len(qubo.linear),
            "min_degree": 1,
            "max_degree": 2 if pairs else 1,
            "data": data,
        }
        return {"file_name": tag, "file_config": {"polynomial": polynomial}}

    def _parameters(self, request: Request) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "device_type": "dirac-3",
            "num_samples": request.num_reads,
            "num_levels": [2] * request.model.num_variables,
            "relaxation_schedule": self.relaxation_schedule,
        }
        for option in ("mean_photon_number", "quantum_fluctuation_coefficient"):
            if getattr(self, option) is not None:
                asked[option] = getattr(self, option)
        return asked

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        if self._asked(deadline, lambda client: client.get_job_status(job_id=id)["status"]) in WAITING:
            return None
        found = self._asked(deadline, lambda client: client.get_job_results(job_id=id))
        try:
            response = msgspec.convert(found, Response)
        except msgspec.ValidationError as error:
            raise broken(self.name, str(error)) from None
        if response.status != DONE:
            why = self.transport.told(response.job_info.job_result.error or "no reason given")
            raise JobFailedError(f"{self.name}: job {id} ended as {response.status}: {why}")
        return response

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        results, info = reply.results, reply.job_info
        if results is None:
            raise broken(self.name, "a completed job has no results")
        n, counts = request.model.num_variables, results.counts
        if any(len(row) != n or not set(row) <= {0, 1} for row in results.solutions):
            raise broken(self.name, f"a solution is not made of {n} zeros and ones")
        bits = np.array(results.solutions, np.int8).reshape(-1, n)
        states = rows_of_spins(self.name, bits, n, bits=True)
        if len(counts) != len(states) or min(counts, default=0) < 1 or sum(counts) != request.num_reads:
            raise broken(
                self.name, f"{request.num_reads} samples were asked and its counts are {counts[:8]} ..."
            )
        check_energies(
            self.name, request.model, states, qubo_of(request.model).constant + np.array(results.energies)
        )
        facts = {
            "service": "QCi optimization v1",
            "machine_seconds": info.job_result.device_usage_s,
            "relaxation_schedule": self.relaxation_schedule,
            "distinct": len(states),
        }
        if info.emulator is not None:
            facts["emulated"] = self.transport.told(info.emulator)
        return np.repeat(states, counts, axis=0), facts

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        try:
            with told(self.transport):
                self._client(deadline).cancel_job(job_id=id)
        except RejectedError:
            # It has ended already.
            return False
        return True
