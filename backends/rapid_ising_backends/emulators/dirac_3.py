"""The REST interface that qci-client speaks, for jobs of Dirac-3 with two levels a variable."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import dimod
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, refuse
from rapid_ising_backends.emulators.jobs import Jobs
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing

STATES: Mapping[str, str] = {
    "waiting": "QUEUED",
    "running": "RUNNING",
    "done": "COMPLETED",
    "failed": "ERRORED",
    "cancelled": "CANCELLED",
}
DEVICE, PROBLEM = "dirac-3_qudit", "qudit_hamiltonian_optimization"
RESULTS = f"{PROBLEM}_results"
PARAMETERS = frozenset(
    (
        "num_samples",
        "num_levels",
        "relaxation_schedule",
        "mean_photon_number",
        "quantum_fluctuation_coefficient",
    )
)
MOST_SAMPLES, MOST_LEVELS = 100, 949
SECONDS_A_SAMPLE = 0.3
LIFE = datetime.timedelta(hours=1)


@final
@dataclasses.dataclass
class File:
    """An uploaded file: what was said of it, and its parts."""

    config: dict[str, Any]
    parts: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)


@final
class Dirac3Emulator(Emulator):
    """An emulator of what qci-client asks for about integer jobs of Dirac-3.

    There is no twin of this machine: simulated annealing solves. The texts of refusals are the emulator's
    own. What it knows of a job says ``emulator``, since the client shows no headers.
    """

    name: ClassVar[str] = "dirac-3"

    def __init__(self, twin: Backend | None = None, **options: Any) -> None:
        super().__init__(twin, **options)
        self.jobs = Jobs(self.faults)
        self._files: dict[str, File] = {}
        self._asked: dict[str, dict[str, Any]] = {}
        self._access: set[str] = set()

    def default_twin(self) -> Backend:
        """Return simulated annealing."""
        return SimulatedAnnealing(num_sweeps=100)

    def open_jobs(self) -> list[str]:
        """Return the jobs that are not over."""
        return [job.id for job in self.jobs.all() if job.state in ("waiting", "running")]

    def routes(self) -> Sequence[Route]:
        """Return the addresses."""
        files, jobs = "/optimization/v1/files", "/optimization/v1/jobs"
        return [
            Route("/auth/v1/access-tokens/", self._token, methods=["POST"]),
            Route(files, self._new_file, methods=["POST"]),
            Route(files + "/{id}", self._file, methods=["GET"]),
            Route(files + "/{id}/contents/{part:int}", self._part, methods=["GET", "PATCH"]),
            Route(jobs, self._new_job, methods=["POST"]),
            Route(jobs + "/{id}", self._job, methods=["GET", "PATCH"]),
            Route(jobs + "/{id}/status", self._status, methods=["GET"]),
        ]

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return a status with a message."""
        return int(kind), {"message": f"refused with {kind}"}

    async def _token(self, http: HttpRequest) -> JSONResponse:
        given = parsed(await http.body())
        if given.get("refresh_token") != self.token:
            raise refused(401, "the refresh token is not known")
        token = secrets.token_urlsafe(16)
        self._access.add(token)
        end = datetime.datetime.now(datetime.UTC) + LIFE
        return JSONResponse(
            {
                "access_token": token,
                "expires_at_rfc3339": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "token_type": "bearer",
                "organization_id": "emulator",
                "user_id": "emulator",
            }
        )

    def _authorized(self, http: HttpRequest) -> None:
        kind, _, token = http.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or token not in self._access:
            raise refused(401, "the access token is not known")

    async def _new_file(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        given = parsed(await http.body())
        config = given.get("file_config")
        if not isinstance(config, dict) or set(config) != {"polynomial"}:
            raise refused(400, "this emulator takes files of one polynomial")
        shape = config["polynomial"]
        if not isinstance(shape, dict) or not all(
            isinstance(shape.get(key), int) for key in ("num_variables", "min_degree", "max_degree")
        ):
            raise refused(400, "a polynomial has num_variables, min_degree and max_degree")
        id = f"f{len(self._files):023d}"
        self._files[id] = File(shape)
        return JSONResponse({"file_id": id}, 201)

    async def _file(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        id = http.path_params["id"]
        answer = self._answer_of(id)
        now = "2026-01-01T00:00:00Z"
        return JSONResponse(
            {
                "file_id": id,
                "num_parts": 1,
                "num_bytes": len(json.dumps(answer)),
                "upload_date_rfc3339": now,
                "last_accessed_rfc3339": now,
                "file_config": {RESULTS: {}},
            }
        )

    async def _part(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        id, part = http.path_params["id"], http.path_params["part"]
        if http.method == "GET":
            if part != 1:
                raise refused(404, "there is no such part")
            return Lenient({"file_id": id, "part_number": 1, "file_config": {RESULTS: self._answer_of(id)}})
        body = await http.body()
        content = parsed(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
        if id not in self._files:
            raise refused(404, "there is no such file")
        try:
            data = content["file_config"]["polynomial"]["data"]
        except (KeyError, TypeError):
            raise refused(400, "a part of a polynomial has data") from None
        self._files[id].parts[part] = {"data": data}
        return JSONResponse({"file_id": id})

    def _answer_of(self, file: str) -> dict[str, Any]:
        job = self.jobs.get(file.removeprefix("results-"))
        if job is None or job.answer is None:
            raise refused(404, "there is no such file")
        answer: dict[str, Any] = job.answer
        return answer

    async def _new_job(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        body = await http.body()
        submission: Any = parsed(body).get("job_submission")
        problem, parameters = checked(submission, self._files)
        tag = str(submission["job_name"])
        seed = self.seed(json.dumps([problem.to_serializable(), parameters], sort_keys=True).encode())
        self.accept(tag)
        job = self.jobs.add(tag, lambda: self._solved(problem, parameters["num_samples"], seed))
        self._asked[job.id] = submission
        return JSONResponse({"job_id": job.id}, 201)

    def _solved(self, problem: dimod.BinaryQuadraticModel, samples: int, seed: int) -> dict[str, Any]:
        found = self.twin.sample(problem, num_reads=samples, beta=math.inf, seed=seed)
        columns = [list(found.variables).index(i) for i in range(problem.num_variables)]
        bits, counts = np.unique(found.record.sample[:, columns], axis=0, return_counts=True)
        energies = problem.energies((bits, range(problem.num_variables)))
        order = np.argsort(energies, kind="stable")
        answer: dict[str, Any] = {
            "counts": counts[order].tolist(),
            "energies": energies[order].tolist(),
            "solutions": bits[order].tolist(),
        }
        fault = self.content_fault()
        if fault == "wrong-types":
            answer["solutions"][0] = [str(bit) for bit in answer["solutions"][0]]
        elif fault == "missing-variables":
            answer["solutions"] = [row[1:] for row in answer["solutions"]]
        elif fault == "nan-energies":
            answer["energies"][0] = math.nan
        elif fault == "duplicated-rows":
            answer = {key: [*values, values[0]] for key, values in answer.items()}
        return answer

    async def _status(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        state, _ = await run_in_threadpool(self.jobs.look, http.path_params["id"])
        if state == "deleted":
            raise refused(404, "there is no such job")
        return JSONResponse({"status": STATES[state]})

    async def _job(self, http: HttpRequest) -> JSONResponse:
        self._authorized(http)
        job = self.jobs.get(http.path_params["id"])
        if job is None:
            raise refused(404, "there is no such job")
        if http.method == "PATCH":
            if job.answer is not None or job.cancelled:
                raise refused(400, "the job is over")
            job.cancelled = True
            return JSONResponse({"job_id": job.id})
        info: dict[str, Any] = {
            "job_id": job.id,
            "emulator": self.name,
            "job_submission": self._asked[job.id],
            "job_status": {"submitted_at_rfc3339nano": "2026-01-01T00:00:00Z"},
        }
        if job.answer is not None:
            seconds = SECONDS_A_SAMPLE * sum(job.answer["counts"])
            info["job_result"] = {"file_id": f"results-{job.id}", "device_usage_s": round(seconds)}
        elif job.fate == "job-failed":
            info["job_result"] = {"error": "the device gave the job up", "device_usage_s": 0}
        return JSONResponse(info)


def refused(status: int, text: str) -> HTTPException:
    """Return a refusal."""
    return refuse(status, {"message": text})


def parsed(body: bytes) -> dict[str, Any]:
    """Return the object in a body."""
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise refused(400, "the body is no JSON object")
    return given


def checked(submission: Any, files: Mapping[str, File]) -> tuple[dimod.BinaryQuadraticModel, dict[str, Any]]:
    """Return the problem and the parameters of a job, or raise the refusal."""
    try:
        parameters = dict(submission["device_config"][DEVICE])
        file = files[submission["problem_config"][PROBLEM]["polynomial_file_id"]]
        str(submission["job_name"])
    except (KeyError, TypeError):
        raise refused(400, f"this emulator takes jobs {PROBLEM} of {DEVICE} with a file and a name") from None
    if set(parameters) - PARAMETERS:
        raise refused(400, f"unknown parameters {sorted(set(parameters) - PARAMETERS)}")
    n = file.config["num_variables"]
    levels = parameters.get("num_levels")
    if not isinstance(levels, list) or len(levels) not in (1, n):
        raise refused(400, "num_levels has one number, or one for each variable")
    levels = levels * n if len(levels) == 1 else levels
    if any(level != 2 for level in levels):
        raise refused(400, "this emulator has two levels a variable")
    if sum(levels) > MOST_LEVELS:
        raise refused(400, f"the levels add up to {sum(levels)}, more than the {MOST_LEVELS} of the device")
    for key, low, high in (
        ("num_samples", 1, MOST_SAMPLES),
        ("relaxation_schedule", 1, 4),
        ("mean_photon_number", 6.67e-5, 6.6666e-3),
        ("quantum_fluctuation_coefficient", 1, 100),
    ):
        value = parameters.setdefault(key, low)
        whole = key != "mean_photon_number"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise refused(400, f"{key} is of a wrong type")
        if not low <= value <= high:
            raise refused(400, f"{key} is out of range")
    return polynomial(file, n), parameters


def polynomial(file: File, n: int) -> dimod.BinaryQuadraticModel:
    """Return the polynomial in the parts of a file."""
    most, least = file.config["max_degree"], file.config["min_degree"]
    if not 1 <= least <= most <= 2:
        raise refused(400, "this emulator takes polynomials of degree 1 and 2")
    if sorted(file.parts) != list(range(1, len(file.parts) + 1)) or not file.parts:
        raise refused(400, "a part of the file is missing")
    bqm = dimod.BinaryQuadraticModel("BINARY")
    bqm.add_variables_from((i, 0.0) for i in range(n))
    for part in file.parts.values():
        for term in part["data"]:
            try:
                places, value = list(term["idx"]), float(term["val"])
            except (KeyError, TypeError, ValueError):
                raise refused(400, "a term has idx and val") from None
            if len(places) != most or sorted(places) != places or not all(0 <= i <= n for i in places):
                raise refused(400, "an idx does not rise, or has a wrong length or variable")
            if not any(places) or not math.isfinite(value):
                raise refused(400, "a term is a constant, or not finite")
            i, j = places[0] - 1, places[-1] - 1
            if i < 0 or i == j:
                bqm.add_linear(j, value)
            else:
                bqm.add_quadratic(i, j, value)
    return bqm
