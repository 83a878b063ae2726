"""What D-Wave's solvers share: the Solver API (SAPI), the account, and jobs by their label."""

from __future__ import annotations

import functools
import os
import re
from abc import abstractmethod
from typing import Any, ClassVar

from dwave.cloud.api import Problems, Solvers
from dwave.cloud.api.exceptions import ResourceConflictError, ResourceNotFoundError
from dwave.cloud.api.models import ProblemJob, SolverConfiguration
from dwave.cloud.config.exceptions import ConfigFileError
from dwave.cloud.config.loaders import load_profile_from_files

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    InvalidParameterError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import RemoteMachine, Secret, Sent, broken
from rapid_ising_backends.sapi_session import GONE, asking

TOKEN = "DWAVE_API_TOKEN"
REGION, ENDPOINT = "DWAVE_API_REGION", "DWAVE_API_ENDPOINT"
HOME = "na-west-1"
"""The region where none is named, as with the vendor's own tools."""
CONTACT = 60.0
"""The seconds in which a solver has to say what it is."""
LABEL = "rapid-ising-"
"""What the label of each job begins with; its tag follows."""
FOUND = (200, 201, 202, *GONE)


class SapiMachine(RemoteMachine):
    """A solver behind D-Wave's Solver API.

    The wire is the vendor's own: the resources, models and encoders of dwave-cloud-client. Time-outs,
    retries and deadlines are those of every adapter, since that client tries neither 429 nor 503 again and
    waits without end.

    What a solver can do, its graph and its ranges, is known to the solver alone. It is asked once, when
    ``capabilities`` are first needed and not at construction. Without a token nothing can be asked: then
    ``capabilities`` are what the vendor has published (``published``), good for a plan and for nothing else.
    """

    finds = keeps = True
    category: ClassVar[str]
    """The kind of solver: qpu or hybrid."""
    kind: ClassVar[str]
    """The type of its problems."""
    solver: str | None
    url: str
    """Always one: the option, the vendor's configuration, or the vendor's address."""

    def _open(self) -> None:
        """Find out the address and the token; nothing is sent."""
        url, token = account(self.name, self.url, self.token)
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "token", token)
        if self.solver is not None and (
            not isinstance(self.solver, str) or not re.fullmatch(r"[\w.-]+", self.solver)
        ):
            raise InvalidParameterError(f"solver must be the name of a solver, not {self.solver!r}")
        self._connect(TOKEN, header="X-Auth-Token", prefix="")

    @functools.cached_property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # set once, by the solver's word
        """What the solver says of itself; without a token, what is published."""
        return self.published if self.token is None else self._facts()

    @abstractmethod
    def _facts(self) -> Capabilities:
        """Return the capabilities of ``definition``."""

    @functools.cached_property
    def definition(self) -> SolverConfiguration:
        """The solver as it describes itself, asked for once."""
        deadline = Deadline(CONTACT)
        with asking(self.transport, deadline, expected=FOUND) as client:
            try:
                if self.solver is not None:
                    return Solvers(client=client).get_solver(self.solver)
                every = Solvers(client=client).list_solvers()
            except ResourceNotFoundError as error:
                raise RejectedError(
                    f"{self.name}: there is no solver {self.solver!r} for this account, or none at all at "
                    f"{self.url} ({self.transport.told(error)}): see the Leap dashboard for their names"
                ) from None
            mine = [found for found in every if self._is_mine(found)]
        if not mine:
            raise RejectedError(f"{self.name}: no {self.category} solver of this account is online")
        return max(mine, key=self._rank)

    def _is_mine(self, found: SolverConfiguration) -> bool:
        properties = getattr(found.root, "properties", None)
        return (
            isinstance(properties, dict)
            and properties.get("category") == self.category
            and self.kind in list(properties.get("supported_problem_types") or ())
            and str(getattr(found.root, "status", None)).upper() == "ONLINE"
        )

    @abstractmethod
    def _rank(self, found: SolverConfiguration) -> Any:
        """Return by what one solver is preferred to another."""

    def _post(self, request: Request, job: ProblemJob) -> Sent:
        """Send a job once."""
        try:
            with asking(self.transport, request.deadline) as client:
                (reply,) = Problems(client=client).submit_problems([job])
        except ProtocolError as error:
            # It was sent and something was answered that is no answer.
            raise self.transport.unknown(str(error), timed_out=False) from None
        if hasattr(reply, "error_code"):
            raise RejectedError(
                f"{self.name} refuses the job (code {reply.error_code}: "
                f"{self.transport.told(reply.error_msg)})"
            )
        return Sent(str(reply.id))

    def _find(self, request: Request, tag: str, since: float, deadline: Deadline) -> str | None:
        # The label has a tag of its own for each job, so that the time says nothing more.
        label = LABEL + tag
        try:
            with asking(self.transport, deadline) as client:
                jobs = Problems(client=client).list_problems(label=label)
                return next((str(job.id) for job in jobs if job.label == label), None)
        except ProtocolError as error:
            raise UnknownOutcomeError(f"its list of jobs cannot be read: {error}") from None

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any | None:
        with asking(self.transport, deadline, expected=FOUND) as client:
            try:
                job = Problems(client=client).get_problem(id)
            except ResourceNotFoundError:
                raise JobFailedError(f"{self.name} does not hold job {id} any more: send it again") from None
            state = str(getattr(job.status, "value", job.status))
            if state in ("PENDING", "IN_PROGRESS"):
                return None
            if state != "COMPLETED":
                said = self.transport.told(getattr(job, "error_message", None) or "no reason given")
                raise JobFailedError(f"{self.name}: job {id} is {state}: {said}")
            if job.id != id or job.answer is None:
                raise broken(self.name, f"job {id} is COMPLETED, and the answer of it is missing")
            return job.answer.root

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        with asking(self.transport, deadline, expected=FOUND) as client:
            try:
                job = Problems(client=client).cancel_problem(id)
            except (ResourceNotFoundError, ResourceConflictError):
                return False
            return str(getattr(getattr(job, "status", None), "value", None)) == "CANCELLED"


def account(machine: str, url: str, token: str | Secret | None) -> tuple[str, str | Secret | None]:
    """Return the address and the token: as given, else by the environment, else by the vendor's own file.

    An address may be given as a region, such as eu-central-1.
    """
    given: dict[str, str] = {}
    if not url or (token is None and not os.environ.get(TOKEN)):
        try:
            path, profile = os.environ.get("DWAVE_CONFIG_FILE"), os.environ.get("DWAVE_PROFILE")
            given = load_profile_from_files([path] if path else None, profile)
        except (ConfigFileError, ValueError) as error:
            # Its text may have a line of the file in it, and that line may be the token.
            raise InvalidParameterError(
                f"the configuration of D-Wave's tools cannot be read ({type(error).__name__}): give "
                f"{machine} url= and token=, or repair it with `dwave config create`"
            ) from None
    if not url:
        named = (os.environ.get(ENDPOINT), os.environ.get(REGION), given.get("endpoint"), given.get("region"))
        url = next(filter(None, named), HOME)
    if isinstance(url, str) and re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", url):
        url = f"https://{url}.cloud.dwavesys.com/sapi/v2"
    return url, token or os.environ.get(TOKEN) or given.get("token") or None
