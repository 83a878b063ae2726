"""Fujitsu's Digital Annealer, by versions 4, 3c and 2 of its QUBO API."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final, get_args

import numpy as np

from rapid_ising import Capabilities, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    InvalidParameterError,
    JobFailedError,
    UnknownOutcomeError,
)
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    RemoteSubmission,
    Reply,
    Secret,
    Sent,
    broken,
    check_energies,
    decoded,
    encoded,
)
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer
from rapid_ising_backends.fujitsu_da_wire import (
    JobId,
    Jobs,
    Listed,
    OldTerm,
    Polynomial,
    Problem2,
    Problem3,
    Result,
    Solution,
    Solver2,
    Solver3,
    Status,
    Term,
    Whole,
    ahead,
    binary,
    moment,
    rows_of,
    seconds,
    terms,
)

URL = "https://api.aispf.global.fujitsu.com/da"
API_KEY, ACCESS_TOKEN = "FUJITSU_DA_API_KEY", "FUJITSU_DA_ACCESS_TOKEN"
Version = Literal["v4", "v3c", "v2"]
Bounds = Mapping[str, tuple[int, int, int]]
DA3: Bounds = {
    "time_limit_sec": (1, 3600, 10),
    "num_run": (1, 1024, 16),
    "num_group": (1, 16, 1),
    "gs_level": (0, 100, 5),
    "gs_cutoff": (0, 10**6, 8000),
}
"""The lowest, highest and usual value of each option of versions 4 and 3c."""
DA2: Bounds = {"number_iterations": (1, 2 * 10**9, 10**6), "temperature_interval": (1, 2 * 10**9, 100)}
"""The same of version 2."""
MOST_SOLUTIONS, MOST_RUNS = 1024, 128
HOT, COLD = 1e3, 1e-2
"""The temperature that stands for beta = 0, in units of the largest change of the energy, and the one at
which a search ends, where the smallest step uphill, 2, is never taken."""
CLOCKS = 5.0
"""Seconds by which the start of a job may be off: dates in headers are in whole seconds."""
UNFINISHED = ("Waiting", "Running")
MISSING = (200, 404)
JSON = {"Content-Type": "application/json"}


@final
@dataclasses.dataclass(frozen=True)
class FujitsuDa(RemoteMachine):
    r"""The Digital Annealer, which minimises a quadratic function of bits in whole numbers.

    Versions 4 and 3c search for ``time_limit_sec`` and return the distinct best states; beta has no effect.
    How many of the searches ended in each is in the record, as ``frequencies``.

    Version 2 makes runs at a constant temperature, 1 / beta, with no offset, and returns one state a run:

    .. math:: p(s) \propto e^{-E(s) / T}, \quad T = 1 / \beta

    At beta = infinity its temperature falls to where no step uphill is taken. What is not documented: whether
    a run of version 2 returns its last state or its best. Until a person has looked at a histogram of
    energies, or had ``Calibrated`` estimate the temperature, take its samples for too cold.

    A job takes one of 16 places until its answer is deleted, and can be cancelled only while it waits.

    Contract-tested against the public document of the service, not yet run on hardware.

    Parameters
    ----------
    version
        The version of the API.
    time_limit_sec
        The seconds of a search, 1 to 3600; None takes 10.
    num_run
        The searches of a group, 1 to 1024; None takes one a read, 16 at least.
    num_group
        The groups of searches, 1 to 16; None takes one.
    gs_level
        How long one search goes on, 0 to 100; None takes 5.
    gs_cutoff
        How stubbornly one search goes on, 0 to 1e6; None takes 8000.
    number_iterations
        Version 2: the iterations of a run; None takes a million.
    temperature_interval
        Version 2: the iterations between two temperatures at beta = infinity; None takes 100.
    access_token
        Whether the token is an access token, sent as X-Access-Token, in place of an API key; one from the
        environment is what its variable says.
    url
        The address of the service or of an emulator.
    token
        The API key; else the environment variable FUJITSU_DA_API_KEY, or FUJITSU_DA_ACCESS_TOKEN.

    Notes
    -----
    QUBO API v4, v3c and v2. The services take 64-bit coefficients, and version 2 in its largest size 16 bits
    and 26 for the linear ones; the ranges here are narrower, so that every dense problem stays in those, and
    version 4 in the whole numbers that a float holds. The protocol has no place for a tag: a job whose answer
    was lost is known by being new in the list of jobs.

    Examples
    --------
    >>> FujitsuDa(time_limit_sec=1).capabilities.returns, FujitsuDa(version="v2").capabilities.temperature
    ('distinct', 'settable')
    """

    name: ClassVar[str] = "fujitsu-da"
    finds: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    version: Version = "v4"
    time_limit_sec: int | None = None
    num_run: int | None = None
    num_group: int | None = None
    gs_level: int | None = None
    gs_cutoff: int | None = None
    number_iterations: int | None = None
    temperature_interval: int | None = None
    access_token: bool = False
    url: str = URL
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)
    _unclear: bool = dataclasses.field(default=False, init=False, repr=False, compare=False)
    _ours: set[str] = dataclasses.field(default_factory=set, init=False, repr=False, compare=False)
    _before: dict[str, set[str]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.version not in get_args(Version):
            raise InvalidParameterError(f"version must be 'v4', 'v3c' or 'v2', not {self.version!r}")
        own, others = (DA2, DA3) if self.version == "v2" else (DA3, DA2)
        for option in others:
            if getattr(self, option) is not None:
                raise InvalidParameterError(f"{self.version} has no {option}: leave it out")
        for option, (low, high, _) in own.items():
            value = getattr(self, option)
            if value is not None and positive_integer(option, value, minimum=low) > high:
                raise InvalidParameterError(f"{option} must be at most {high}, not {value}")
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", self._facts())
        set_here = [name for name in (API_KEY, ACCESS_TOKEN) if self.token is None and os.environ.get(name)]
        if self.access_token or set_here == [ACCESS_TOKEN]:
            self._connect(ACCESS_TOKEN, header="X-Access-Token", prefix="")
        else:
            self._connect(API_KEY, header="X-Api-Key", prefix="")
        object.__setattr__(self, "_unclear", len(set_here) == 2 and not self.access_token)

    def require(self) -> None:
        """Raise also when both variables are set and no option says which of them counts; sends nothing."""
        super().require()
        if self._unclear:
            raise AuthenticationError(
                f"the environment has two tokens for {self.name}, {API_KEY} and {ACCESS_TOKEN}: unset one of "
                "them, or take the second by access_token=true"
            )

    def _facts(self) -> Capabilities:
        old = self.version == "v2"
        coupling, field = (2.0**10, 2.0**22) if old else (2.0**31, 2.0**47)
        return Capabilities(
            max_variables=8192 if old else 100_000,
            coupling_range=(-coupling, coupling),
            field_range=(-field, field),
            integer_coefficients=True,
            temperature="settable" if old else "none",
            returns="multiset" if old else "distinct",
            max_reads=MOST_RUNS if old else MOST_SOLUTIONS * self._option("num_group"),
            call_time=None if old else float(self._option("time_limit_sec")),
            seedable=False,
            remote=True,
            tested=CONTRACT_TESTED,
        )

    def _option(self, name: str) -> int:
        value: int | None = getattr(self, name)
        return {**DA3, **DA2}[name][2] if value is None else value

    def _solver3(self, request: Request) -> Solver3:
        groups = self._option("num_group")
        searches = min(MOST_SOLUTIONS, max(self._option("num_run"), -(-request.num_reads // groups)))
        return Solver3(
            time_limit_sec=self._option("time_limit_sec"),
            num_run=self.num_run or searches,
            num_group=groups,
            num_output_solution=min(MOST_SOLUTIONS, request.num_reads),
            gs_level=self._option("gs_level"),
            gs_cutoff=self._option("gs_cutoff"),
        )

    def _solver2(self, request: Request) -> Solver2:
        iterations, interval = self._option("number_iterations"), self._option("temperature_interval")
        magnitudes = np.abs(request.model.couplings.values()).sum() + np.abs(request.model.fields).sum()
        hottest = HOT * max(1.0, 2 * float(magnitudes))
        if math.isfinite(request.beta):
            start, decay = min(hottest, 1 / max(request.beta, 1 / hottest)), 0.0
        else:
            start = max(1.0, float(magnitudes))
            decay = -math.expm1(math.log(COLD / start) * min(1.0, interval / iterations))
        return Solver2(iterations, request.num_reads, start, decay, interval)

    def _body(self, request: Request) -> bytes:
        form = binary(request.model)
        if self.version == "v2":
            return encoded(Problem2(self._solver2(request), Polynomial(terms(form, OldTerm))))
        return encoded(Problem3(self._solver3(request), Polynomial(terms(form, Term))))

    def attach(self, request: Request, id: str) -> RemoteSubmission:
        """Return the submission of a job that was sent before, and never take it for another one."""
        self._ours.add(id)
        return super().attach(request, id)

    def _send(self, request: Request, tag: str) -> Sent:
        body = self._body(request)
        # What is there before cannot be this job, should its answer be lost.
        self._before.setdefault(tag, {job.job_id for job in self._jobs(request.deadline)[0]})
        reply = self.transport.post(
            f"/{self.version}/async/qubo/solve", body, headers=JSON, deadline=request.deadline
        )
        id = decoded(self.name, reply.body, JobId).job_id
        self._ours.add(id)
        del self._before[tag]
        return Sent(id)

    def _jobs(self, deadline: Deadline) -> tuple[list[Listed], Reply]:
        reply = self.transport.get(f"/{self.version}/async/jobs", deadline=deadline)
        return decoded(self.name, reply.body, Jobs).job_status_list, reply

    def _find(self, request: Request, tag: str, since: float, deadline: Deadline) -> str | None:
        jobs, reply = self._jobs(deadline)
        earliest = since + ahead(reply) - CLOCKS
        known = self._ours | self._before.get(tag, set())
        late = [job.job_id for job in jobs if moment(job.start_time) >= earliest]
        new = [id for id in late if id not in known]
        if len(new) > 1:
            raise UnknownOutcomeError(
                f"{self.name} holds {len(new)} jobs that may be the one whose answer was lost "
                f"({', '.join(new)}) and has no tags to tell them apart: delete those of others, or send the "
                "job again"
            )
        return new[0] if new else None

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Result | None:
        self._ours.add(id)
        reply = self.transport.get(self._place(id), deadline=deadline, expected=MISSING)
        if reply.status != 200:
            raise JobFailedError(f"{self.name} does not hold job {id} any more: send it again")
        result = decoded(self.name, reply.body, Result)
        if result.status in UNFINISHED:
            return None
        if result.status != "Done":
            said = f": {self.transport.told(result.message)}" if result.message else ""
            raise JobFailedError(f"{self.name}: job {id} ended as {result.status!r}{said}")
        return result

    def _place(self, id: str) -> str:
        if not id or not all(c.isalnum() or c in "-_." for c in id):
            raise broken(self.name, f"{id!r} is no id of a job")
        return f"/{self.version}/async/jobs/result/{id}"

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        reply = self.transport.post(
            f"/{self.version}/async/jobs/cancel",
            encoded(JobId(id)),
            headers=JSON,
            deadline=deadline,
            expected=(200, 400, 404),
            idempotent=True,
        )
        return reply.status == 200 and decoded(self.name, reply.body, Status).status == "Canceled"

    def _forget(self, id: str, deadline: Deadline) -> None:
        self._ours.add(id)
        reply = self.transport.delete(self._place(id), deadline=deadline, expected=MISSING)
        if reply.status == 200 and decoded(self.name, reply.body, Status).status in UNFINISHED:
            raise BackendError(
                f"{self.name}: job {id} still runs and keeps its place; it is deleted with a later call"
            )

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        found = reply.qubo_solution
        if found is None or not found.result_status or not found.solutions:
            raise JobFailedError(f"{self.name} is done and has found no solution: give it more time")
        solutions: list[Solution] = found.solutions
        states, counts = rows_of(self.name, request, solutions)
        energies = np.array([solution.energy for solution in solutions]) + binary(request.model).constant
        check_energies(self.name, request.model, states, energies, offset=False)
        facts = {
            "service": f"Digital Annealer {self.version}",
            "machine_seconds": seconds(self.name, found.timing.solve_time),
        }
        if self.version == "v2":
            if counts.sum() != request.num_reads:
                raise broken(self.name, f"{request.num_reads} runs were asked and {counts.sum()} came")
            solver = self._solver2(request)
            facts["temperature"] = [solver.temperature_start, solver.temperature_decay]
            return np.repeat(states, counts, axis=0), facts
        states, counts = self._best(request, states, counts)
        return states, {**facts, "frequencies": counts.tolist()}

    def _best(self, request: Request, states: States, counts: Whole) -> tuple[States, Whole]:
        """Return each state once, the best first; two groups may find the same."""
        distinct, places, times = np.unique(states, axis=0, return_inverse=True, return_counts=True)
        if times.max() > self._option("num_group"):
            raise broken(self.name, f"it has one state {times.max()} times")
        found = np.bincount(places.ravel(), counts).astype(np.int64)
        order = np.argsort(request.model.energies(distinct), kind="stable")[: request.num_reads]
        return distinct[order], found[order]
