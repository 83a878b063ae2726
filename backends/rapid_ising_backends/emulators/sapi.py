"""D-Wave's Solver API 3.0 as its emulators speak it: accounts, and jobs of any solver."""

from __future__ import annotations

import json
import zlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising_backends.emulators.emulator import Emulator
from rapid_ising_backends.emulators.faults import STATUSES
from rapid_ising_backends.emulators.jobs import EmulatedJob, Jobs
from rapid_ising_backends.emulators.sapi_wire import (
    VERSION,
    answered,
    bad_job,
    error,
    filtered,
    moment,
    named,
    refused,
)

BATCH, LABEL, LIST = 20, 1024, 1000
"""The most jobs of a request, letters of a label, and ids of a question."""
LARGEST = 2**28
"""The bytes of the largest body, inflated."""
STATES: Mapping[str, str] = {
    "waiting": "PENDING",
    "running": "IN_PROGRESS",
    "done": "COMPLETED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
}


class SapiEmulator(Emulator):
    """An emulator of the Solver API with one solver; a subclass says which, and solves its jobs.

    What goes beyond the public client is a guess: the texts of refusals, and that an answer to a long poll
    comes at once.

    Parameters
    ----------
    slots
        The most jobs that may be unfinished at once; None has no limit.
    """

    kinds: Sequence[str]
    """The types of problems of the solver."""

    def __init__(self, twin: Backend | None = None, *, slots: int | None = None, **options: Any) -> None:
        super().__init__(twin, **options)
        self.slots, self.jobs = slots, Jobs(self.faults)
        self.described: dict[str, dict[str, Any]] = {}
        """What was asked with each job, by its id."""

    @abstractmethod
    def definition(self) -> dict[str, Any]:
        """Return the solver as the API describes it."""

    @abstractmethod
    def problem(self, asked: Mapping[str, Any], body: bytes) -> Callable[[], dict[str, Any]]:
        """Return what solves a job; raise ``bad_job`` where it is refused."""

    def failure(self, asked: Mapping[str, Any]) -> str | None:
        """Return why a job that was taken on fails, if it does."""
        return None

    def routes(self) -> Sequence[Route]:
        """Return the addresses that the vendor's client asks."""
        return [
            Route("/solvers/remote/", self._solvers, methods=["GET"]),
            Route("/solvers/remote/{name}", self._solver, methods=["GET"]),
            Route("/problems/", self._submit, methods=["POST"]),
            Route("/problems/", self._list, methods=["GET"]),
            Route("/problems/", self._cancel_several, methods=["DELETE"]),
            Route("/problems/{id}", self._job, methods=["GET"]),
            Route("/problems/{id}/", self._job, methods=["GET"]),
            Route("/problems/{id}", self._cancel_one, methods=["DELETE"]),
        ]

    def open_jobs(self) -> list[str]:
        """Return the ids of the jobs that are not finished."""
        return [job.id for job in self.jobs.all() if self._state_of(job) in ("PENDING", "IN_PROGRESS")]

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return the API's body of an error."""
        return STATUSES[kind], error(STATUSES[kind])

    def allow(self, http: HttpRequest, media: str | None = None) -> None:
        """Refuse a request without the token, or for another media type than the address has."""
        if http.headers.get("x-auth-token") != self.token:
            raise refused(401)
        if media is not None:
            asked = http.headers.get("accept", "*/*").replace(" ", "").replace('"', "")
            if asked not in ("*/*", named(media), f"{named(media)};version={VERSION}"):
                raise refused(406)

    async def body(self, http: HttpRequest) -> Any:
        """Return the JSON of a request, inflated where it is deflated."""
        body, coding = await http.body(), http.headers.get("content-encoding", "identity")
        if coding not in ("identity", "deflate"):
            raise refused(415)
        try:
            if coding == "deflate":
                inflate = zlib.decompressobj()
                body = inflate.decompress(body, LARGEST)
                if not inflate.eof:
                    raise refused(400)
            return json.loads(body)
        except (ValueError, zlib.error):
            raise refused(400) from None

    def _solvers(self, http: HttpRequest) -> Response:
        self.allow(http, "solver-definition-list")
        return answered([filtered(self.definition(), http)], "solver-definition-list")

    def _solver(self, http: HttpRequest) -> Response:
        self.allow(http, "solver-definition")
        found = self.definition()
        if http.path_params["name"] != found["identity"]["name"]:
            raise refused(404, "Solver does not exist or apitoken does not have access")
        return answered(filtered(found, http), "solver-definition")

    async def _submit(self, http: HttpRequest) -> Response:
        self.allow(http, "problems")
        asked = await self.body(http)
        if not isinstance(asked, list) or not 1 <= len(asked) <= BATCH:
            raise refused(400, f"1 to {BATCH} problems in a list are expected")
        return answered([self._take(job) for job in asked], "problems")

    def _take(self, asked: Any) -> dict[str, Any]:
        try:
            if not isinstance(asked, dict) or set(asked) - {"data", "params", "solver", "type", "label"}:
                raise bad_job("unknown or missing fields")
            solver = asked.get("solver")
            if isinstance(solver, dict) and solver.get("version", self) is None:
                # One of the vendor's two clients writes the version that a hybrid solver lacks as null.
                solver = {key: value for key, value in solver.items() if key != "version"}
            if solver != self.definition()["identity"]:
                raise bad_job("Solver does not exist or apitoken does not have access", 404)
            if asked.get("type") not in self.kinds:
                raise bad_job(f"Problem type must be one of {', '.join(self.kinds)}")
            label = asked.get("label")
            if label is not None and not (isinstance(label, str) and len(label) <= LABEL):
                raise bad_job(f"label must be text of at most {LABEL} characters")
            if not isinstance(asked.get("data"), dict) or not isinstance(asked.get("params"), dict):
                raise bad_job("data and params are expected")
            # The seed of the answer is that of the job without its label, which is another each time.
            body = json.dumps({**asked, "label": None}, sort_keys=True).encode()
            solve = self.problem(asked, body)
            if self.slots is not None and len(self.open_jobs()) >= self.slots:
                raise bad_job("Number of problems in progress exceeds the limit", 429)
        except HTTPException as refusal:
            return dict(cast("dict[str, Any]", refusal.detail))
        job = self.jobs.add(label or "", solve)
        if self.failure(asked) is not None:
            job.fate = "job-failed"
        self.described[job.id] = asked
        self.accept(label or job.id)
        return self._status(job)

    def _state_of(self, job: EmulatedJob) -> str:
        state = STATES[job.state]
        return "FAILED" if state == "COMPLETED" and job.fate == "job-failed" else state

    def _status(self, job: EmulatedJob, state: str | None = None) -> dict[str, Any]:
        state, asked = state or self._state_of(job), self.described[job.id]
        status = {
            "id": job.id,
            "type": asked["type"],
            "solver": asked["solver"],
            "label": job.tag or None,
            "status": state,
            "submitted_on": moment(job.started),
        }
        if state in ("COMPLETED", "FAILED", "CANCELLED"):
            status["solved_on"] = moment(job.started)
        if state == "FAILED":
            status["error_message"] = self.failure(asked) or "An internal error occurred"
        return status

    def _looked(self, id: str) -> tuple[dict[str, Any], Any] | None:
        job = self.jobs.get(id)
        if job is None:
            return None
        state, answer = self.jobs.look(id)
        return None if state == "deleted" else (self._status(job, STATES[state]), answer)

    async def _list(self, http: HttpRequest) -> Response:
        self.allow(http, "problems")
        query = http.query_params
        if set(query) - {"id", "label", "max_results", "status", "solver", "timeout"}:
            raise refused(400)
        if "id" in query:
            ids = query["id"].split(",")
            if len(ids) > LIST or not query.get("timeout", "0").isdigit():
                raise refused(400)
            found = [await run_in_threadpool(self._looked, id) for id in ids]
            if None in found:
                raise refused(404)
            return answered([looked[0] for looked in found if looked is not None], "problems")
        statuses = [self._status(job) for job in reversed(self.jobs.all())]
        for key in ("label", "status"):
            if key in query:
                statuses = [status for status in statuses if status[key] == query[key]]
        if "solver" in query:
            statuses = [status for status in statuses if status["solver"]["name"] == query["solver"]]
        most = query.get("max_results", str(LIST))
        if not most.isdigit():
            raise refused(400)
        return answered(statuses[: int(most)], "problems")

    async def _job(self, http: HttpRequest) -> Response:
        self.allow(http, "problem")
        looked = await run_in_threadpool(self._looked, http.path_params["id"])
        if looked is None:
            raise refused(404)
        status, answer = looked
        if status["status"] == "COMPLETED":
            status["answer"] = answer
        return answered(status, "problem")

    def _cancelled(self, id: str) -> dict[str, Any]:
        job = self.jobs.get(id)
        if job is None:
            return error(404)
        if self._state_of(job) in ("COMPLETED", "FAILED", "CANCELLED"):
            return error(409, "Problem has been finished")
        job.cancelled = True
        return self._status(job)

    def _cancel_one(self, http: HttpRequest) -> Response:
        self.allow(http)
        done = self._cancelled(http.path_params["id"])
        if "error_code" in done:
            raise refused(done["error_code"], done["error_msg"])
        return answered(done, "problem")

    async def _cancel_several(self, http: HttpRequest) -> Response:
        self.allow(http)
        ids = await self.body(http)
        if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise refused(400)
        return answered([self._cancelled(id) for id in ids], "problems")
