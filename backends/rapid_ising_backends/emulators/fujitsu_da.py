"""The Digital Annealer's Web API, versions 4, 3c and 2, spoken by twins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, final

import msgspec
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend, IsingModel
from rapid_ising.errors import RejectedError
from rapid_ising.typing import States
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, digest_of, refuse
from rapid_ising_backends.emulators.fujitsu_da_requests import (
    BITS,
    Asked,
    Polynomial,
    Solver2,
    Solver3,
    checked,
)
from rapid_ising_backends.emulators.jobs import EmulatedJob, Jobs
from rapid_ising_backends.gibbs import Gibbs
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing
from rapid_ising_backends.twins.digital_annealer import TwinDigitalAnnealer

SLOTS, LARGEST_BODY = 16, 2 * 10**9
LARGEST_COUPLING, LARGEST_FIELD = 2.0**15 - 1, 2.0**25 - 1
"""What the twin holds."""
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
FULL = "Exceed limit of number of request."
QUOTA = "Monthly usage exceeds specified metering limit."
HEADERS = ("X-Api-Key", "X-Access-Token")
STATES = {
    "waiting": "Waiting",
    "running": "Running",
    "done": "Done",
    "failed": "Error",
    "cancelled": "Canceled",
}
OVERHEAD = 500
"""The milliseconds between the time of a search and that of a job."""


@final
class FujitsuDaEmulator(Emulator):
    """An emulator of the QUBO API of versions 4, 3c and 2: jobs in 16 places, looked after by polling.

    Versions 3c and 4 are solved by the twin of the Digital Annealer, which is of the second generation: it
    holds 8192 bits, and numbers that are larger than it holds, or not whole, are scaled and rounded for it.
    Version 2 is solved by a Gibbs sampler at the asked temperature where that is constant, else by simulated
    annealing to where it ends: stand-ins for the runs of the machine, not a twin of them. The solver
    fujitsuDA2PT, penalties and inequalities are refused: they are not emulated.

    A job ends when it has been looked at three times; a DELETE that comes too early counts as a look.

    Parameters
    ----------
    quota
        The jobs of this month; None has no limit.
    body_limit
        The bytes of the largest request.
    """

    name: ClassVar[str] = "fujitsu-da"

    def __init__(
        self,
        twin: Backend | None = None,
        *,
        quota: int | None = None,
        body_limit: int = LARGEST_BODY,
        **options: Any,
    ) -> None:
        super().__init__(twin, **options)
        self.quota, self.body_limit = quota, body_limit
        self.jobs = Jobs(self.faults, SLOTS)

    def default_twin(self) -> Backend:
        """Return the twin of the Digital Annealer."""
        return TwinDigitalAnnealer()

    def open_jobs(self) -> list[str]:
        """Return the ids of the jobs that take a place."""
        return self.jobs.ids

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return the service's own words."""
        return int(kind), words(int(kind), FULL if kind == "429" else TITLES[int(kind)])

    def routes(self) -> Sequence[Route]:
        """Return the addresses of all versions."""
        result = "/v{version}/async/jobs/result/{id}"
        return [
            Route("/v1/healthcheck", self._health, methods=["GET"]),
            Route("/v{version}/async/qubo/solve", self._solve, methods=["POST"]),
            Route("/v{version}/async/jobs", self._list, methods=["GET"]),
            Route("/v{version}/async/jobs/cancel", self._cancel, methods=["POST"]),
            Route(result, self._result, methods=["GET"]),
            Route(result, self._delete, methods=["DELETE"]),
            Route("/v{rest:path}", self._nowhere),
        ]

    async def _health(self, http: HttpRequest) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def _nowhere(self, http: HttpRequest) -> JSONResponse:
        raise refused(404, "Resource not found.")

    async def _solve(self, http: HttpRequest) -> JSONResponse:
        version = self._allowed(http)
        if int(http.headers.get("content-length", 0)) > self.body_limit:
            raise refused(413, "Request body is too large.")
        body = await http.body()
        try:
            asked = await run_in_threadpool(checked, version, body)
        except RejectedError as error:
            raise refused(400, str(error)) from None
        if self.quota is not None and len(self.accepted) >= self.quota:
            raise refused(400, QUOTA)
        if self.jobs.full:
            raise refused(429, FULL)
        seed = self.seed(body)
        self.accept(digest_of(body))
        job = self.jobs.add("", lambda: self._answer(asked, seed))
        return JSONResponse({"job_id": job.id})

    async def _list(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        listed = [
            {"job_id": job.id, "job_status": state_of(job), "start_time": started(job)}
            for job in self.jobs.all()
        ]
        return JSONResponse({"job_status_list": listed})

    async def _cancel(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        try:
            id = msgspec.json.decode(await http.body(), type=dict[str, str])["job_id"]
        except (msgspec.MsgspecError, KeyError):
            raise refused(400, "job_id is required.") from None
        job = self._held(id)
        if job.state == "waiting":
            job.cancelled = True
        return JSONResponse({"status": state_of(job)})

    async def _result(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        job = self._held(http.path_params["id"])
        state, answer = await run_in_threadpool(self.jobs.look, job.id)
        if state == "deleted":
            raise refused(404, "Job not found.")
        if state == "done":
            return Lenient({"status": "Done", "qubo_solution": answer})
        message = {"message": "Solver failed."} if state == "failed" else {}
        return JSONResponse({"status": STATES[state], **message})

    async def _delete(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        job = self._held(http.path_params["id"])
        state = state_of(job)
        if state in ("Waiting", "Running"):
            job.looks += 1
            return JSONResponse({"status": state})
        self.jobs.remove(job.id)
        kept = {} if job.answer is None else {"qubo_solution": job.answer}
        return Lenient({"status": "Deleted", **kept})

    def _held(self, id: str) -> EmulatedJob:
        job = self.jobs.get(id)
        if job is None:
            raise refused(404, "Job not found.")
        return job

    def _allowed(self, http: HttpRequest) -> str:
        """Return the version of a request that has a right to an answer."""
        version = f"v{http.path_params['version']}"
        if version not in BITS:
            raise refused(404, "Resource not found.")
        given = [http.headers[header] for header in HEADERS if header in http.headers]
        if len(given) > 1:
            raise refused(400, "Specify either X-Api-Key or X-Access-Token.")
        if given != [self.token]:
            raise refused(401, "Unauthorized.")
        return version

    def _answer(self, asked: Asked, seed: int) -> dict[str, Any]:
        solver, polynomial = asked.solver, asked.polynomial
        exact = polynomial.ising()
        if isinstance(solver, Solver2):
            solutions = self._runs(exact, solver, seed)
            milliseconds = solver.number_runs * solver.number_iterations // 1000
        else:
            solutions = self._groups(polynomial, exact, solver, seed)
            milliseconds = 1000 * solver.time_limit_sec
        listed: list[dict[str, Any]] = [
            {
                "energy": energy,
                "penalty_energy": 0.0,
                "frequency": count,
                "configuration": {str(i): bool(s > 0) for i, s in zip(polynomial.labels, state, strict=True)},
            }
            for state, energy, count in solutions
        ]
        best = min(energy for _, energy, _ in solutions)
        spoiled(listed, self.content_fault())
        return {
            "progress": [{"energy": best, "penalty_energy": 0.0, "time": milliseconds / 1000}],
            "result_status": True,
            "solutions": listed,
            "timing": {
                "solve_time": str(milliseconds),
                "total_elapsed_time": str(milliseconds + OVERHEAD),
            },
        }

    def _groups(
        self, polynomial: Polynomial, exact: IsingModel, solver: Solver3, seed: int
    ) -> list[tuple[list[int], float, int]]:
        """Return the best states of each group of searches."""
        model = fitting(polynomial)
        solutions = []
        for group in range(solver.num_group):
            found = self.twin.sample(model, num_reads=solver.num_run, seed=seed + group)
            stage = found.info["rapid_ising"]["stages"][0]
            counts = np.array(stage.get("frequencies", [1] * len(found)))
            solutions += merged(exact, found.record.sample, counts)[: solver.num_output_solution]
        return solutions

    def _runs(self, exact: IsingModel, solver: Solver2, seed: int) -> list[tuple[list[int], float, int]]:
        """Return the state of each run, equal ones together; the best one alone in the quick mode."""
        beta = beta_of(solver)
        stand_in: Backend = Gibbs()
        if math.isinf(beta) or solver.temperature_decay:
            stand_in = SimulatedAnnealing()
        found = stand_in.sample(exact, num_reads=solver.number_runs, beta=beta, seed=seed)
        solutions = merged(exact, found.record.sample, np.ones(len(found), int))
        return solutions if solver.solution_mode == "COMPLETE" else solutions[:1]


def fitting(polynomial: Polynomial) -> IsingModel:
    """Return the model in whole numbers that the twin holds, four times the polynomial where that fits."""
    model = polynomial.ising(4.0)
    values = model.couplings.values()
    sizes = (np.abs(values).max(initial=0) / LARGEST_COUPLING, np.abs(model.fields).max() / LARGEST_FIELD)
    exact = np.array_equal(values, np.rint(values)) and np.array_equal(model.fields, np.rint(model.fields))
    factor = 1.0 if max(sizes) == 0 or (exact and max(sizes) <= 1) else 1 / max(sizes)
    scaled = model.scaled(factor)
    return IsingModel(np.rint(scaled.fields), scaled.couplings.mapped(np.rint))


def merged(
    exact: IsingModel, states: States, counts: np.ndarray[Any, Any]
) -> list[tuple[list[int], float, int]]:
    """Return each state once with its energy and how often it was found, the best first."""
    distinct, places = np.unique(states, axis=0, return_inverse=True)
    energies = exact.energies(distinct)
    times = np.bincount(places.ravel(), counts).astype(int)
    order = np.argsort(energies, kind="stable")
    return list(zip(distinct[order].tolist(), energies[order].tolist(), times[order].tolist(), strict=True))


def beta_of(solver: Solver2) -> float:
    """Return the inverse of the temperature at which a run ends; infinity where the service chooses it.

    >>> beta_of(Solver2(temperature_start=4.0, temperature_decay=0.0, expert_mode=True))
    0.25
    """
    if not solver.expert_mode:
        return math.inf
    steps = solver.number_iterations / solver.temperature_interval
    if solver.temperature_mode == "EXPONENTIAL":
        end = solver.temperature_start * (1 - solver.temperature_decay) ** steps
    else:
        power = 1.0 if solver.temperature_mode == "INVERSE" else 0.5
        end = solver.temperature_start / (1 + solver.temperature_decay * steps) ** power
    return 1 / end if end > 0 else math.inf


def spoiled(solutions: list[dict[str, Any]], fault: str | None) -> None:
    """Spoil the content of an answer."""
    first = solutions[0]
    if fault == "wrong-types":
        first["configuration"] = {key: int(bit) for key, bit in first["configuration"].items()}
    elif fault == "missing-variables":
        for solution in solutions:
            solution["configuration"].popitem()
    elif fault == "nan-energies":
        first["energy"] = math.nan
    elif fault == "duplicated-rows":
        solutions += [first] * (1 + 16)


def state_of(job: EmulatedJob) -> str:
    """Return the state of a job in the service's words."""
    failed = job.state == "done" and job.fate == "job-failed"
    return STATES["failed" if failed else job.state]


def started(job: EmulatedJob) -> str:
    """Return when a job was taken on."""
    return datetime.fromtimestamp(job.started, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def words(status: int, message: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": {"code": status, "title": TITLES[status], "message": message}}


def refused(status: int, message: str) -> HTTPException:
    """Return the service's refusal."""
    return refuse(status, words(status, message))
