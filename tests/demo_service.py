"""A service that keeps jobs in slots, and its adapter: they use all of what adapters share.

::

    POST   /jobs             {"tag", "fields", "couplings", "beta", "reads"}  ->  {"id"}; 429 when full
    GET    /jobs?tag=TAG     {"jobs": [{"id", "tag"}]}
    GET    /jobs/ID          {"state", "answer"?: {"spins", "energies"}}; 404
    POST   /jobs/ID/cancel   {"state"}
    DELETE /jobs/ID          {"state"}; one that still runs stays
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, final
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend, Capabilities, IsingModel, Request, load_backend
from rapid_ising.deadline import Deadline
from rapid_ising.errors import BackendError, JobFailedError
from rapid_ising.remote import (
    CONTRACT_TESTED,
    RemoteMachine,
    Secret,
    Sent,
    check_energies,
    decoded,
    encoded,
    rows_of_spins,
)
from rapid_ising.typing import States
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, refuse
from rapid_ising_backends.emulators.faults import Faults
from rapid_ising_backends.emulators.jobs import Jobs
from rapid_ising_backends.emulators.server import Running, serve

SLOTS = 4


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    tag: str
    fields: list[float]
    couplings: list[tuple[int, int, float]]
    beta: float
    reads: int


class Taken(msgspec.Struct):
    id: str


class Listed(msgspec.Struct):
    id: str
    tag: str


class List(msgspec.Struct):
    jobs: list[Listed]


class Found(msgspec.Struct):
    spins: list[list[int]]
    energies: list[float]


class Job(msgspec.Struct):
    state: Literal["waiting", "running", "done", "failed", "cancelled", "deleted"]
    answer: Found | None = None


@final
@dataclasses.dataclass(frozen=True)
class Demo(RemoteMachine):
    """The adapter."""

    name: ClassVar[str] = "demo"
    finds: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)
    url: str | None = None
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        facts = Capabilities(
            max_variables=16, max_reads=100, seedable=False, remote=True, tested=CONTRACT_TESTED
        )
        object.__setattr__(self, "capabilities", facts)
        self._connect("DEMO_TOKEN", address="DEMO_URL")

    def _send(self, request: Request, tag: str) -> Sent:
        rows, columns, values = request.model.couplings.to_coo()
        body = Asked(
            tag,
            request.model.fields.tolist(),
            list(zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True)),
            min(request.beta, 1e6),
            request.num_reads,
        )
        reply = self.transport.post("/jobs", encoded(body), deadline=request.deadline, expected=(201,))
        return Sent(decoded(self.name, reply.body, Taken).id)

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        reply = self.transport.get(place(id), deadline=deadline, expected=(200, 404))
        if reply.status == 404:
            raise JobFailedError(f"demo does not hold job {id}")
        job = decoded(self.name, reply.body, Job)
        if job.state in ("failed", "cancelled", "deleted"):
            raise JobFailedError(f"demo: job {id} is {job.state}")
        return job.answer if job.state == "done" else None

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        states = rows_of_spins(self.name, reply.spins, request.model.num_variables)
        check_energies(self.name, request.model, states, reply.energies, offset=False)
        return states, {}

    def _find(self, request: Request, tag: str, since: float, deadline: Deadline) -> str | None:
        reply = self.transport.get("/jobs", deadline=deadline, params={"tag": tag})
        return next((job.id for job in decoded(self.name, reply.body, List).jobs if job.tag == tag), None)

    def _cancel(self, id: str, deadline: Deadline) -> bool:
        way = place(id) + "/cancel"
        reply = self.transport.post(way, b"", deadline=deadline, expected=(200, 404), idempotent=True)
        return reply.status == 200 and decoded(self.name, reply.body, Job).state == "cancelled"

    def _forget(self, id: str, deadline: Deadline) -> None:
        reply = self.transport.delete(place(id), deadline=deadline, expected=(200, 404))
        if reply.status == 200 and decoded(self.name, reply.body, Job).state in ("waiting", "running"):
            raise BackendError(f"demo: job {id} still runs")


def place(id: str) -> str:
    return f"/jobs/{quote(id, safe='')}"


@final
class DemoEmulator(Emulator):
    """The service; it solves exactly."""

    name: ClassVar[str] = "demo"

    def __init__(self, twin: Backend | None = None, *, slots: int = SLOTS, **options: Any) -> None:
        super().__init__(twin, **options)
        self.jobs = Jobs(self.faults, slots)

    def default_twin(self) -> Backend:
        return load_backend("exact")

    def open_jobs(self) -> list[str]:
        return self.jobs.ids

    def routes(self) -> Sequence[Route]:
        return [
            Route("/jobs", self._post, methods=["POST"]),
            Route("/jobs", self._list, methods=["GET"]),
            Route("/jobs/{id}", self._job, methods=["GET"]),
            Route("/jobs/{id}", self._delete, methods=["DELETE"]),
            Route("/jobs/{id}/cancel", self._cancel, methods=["POST"]),
        ]

    def _allowed(self, http: HttpRequest) -> None:
        if http.headers.get("authorization") != f"Bearer {self.token}":
            raise refuse(401, {"error": "no such token"})

    async def _post(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        body = await http.body()
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except msgspec.MsgspecError as error:
            raise refuse(400, {"error": str(error)}) from None
        if self.jobs.full:
            raise refuse(429, {"error": f"all {self.jobs.slots} slots are taken"})
        self.accept(asked.tag)
        content = json.loads(body)
        seed = self.seed(json.dumps({**content, "tag": None}).encode())
        job = self.jobs.add(asked.tag, lambda: self._solved(asked, seed))
        return JSONResponse({"id": job.id}, 201)

    async def _list(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        tag = http.query_params.get("tag")
        jobs = [{"id": job.id, "tag": job.tag} for job in self.jobs.all() if tag in (None, job.tag)]
        return JSONResponse({"jobs": jobs})

    async def _job(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        id = http.path_params["id"]
        if self.jobs.get(id) is None:
            raise refuse(404, {"error": "no such job"})
        state, answer = await run_in_threadpool(self.jobs.look, id)
        return Lenient({"state": state, **({"answer": answer} if answer is not None else {})})

    async def _delete(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        id = http.path_params["id"]
        job = self.jobs.get(id)
        if job is None:
            raise refuse(404, {"error": "no such job"})
        if job.state in ("done", "cancelled"):
            self.jobs.remove(id)
        return JSONResponse({"state": job.state})

    async def _cancel(self, http: HttpRequest) -> JSONResponse:
        self._allowed(http)
        job = self.jobs.get(http.path_params["id"])
        if job is None:
            raise refuse(404, {"error": "no such job"})
        if job.state == "waiting":
            job.cancelled = True
        return JSONResponse({"state": job.state})

    def _solved(self, asked: Asked, seed: int) -> dict[str, Any]:
        couplings = [[0.0] * len(asked.fields) for _ in asked.fields]
        for i, j, value in asked.couplings:
            couplings[i][j] = couplings[j][i] = value
        model = IsingModel(asked.fields, couplings)
        beta = math.inf if asked.beta >= 1e6 else asked.beta
        found = self.twin.sample(model, num_reads=asked.reads, beta=beta, seed=seed)
        spins: list[Any] = found.record.sample.tolist()
        energies = model.energies(found.record.sample).tolist()
        fault = self.content_fault()
        if fault == "wrong-types":
            spins[0] = [str(spin) for spin in spins[0]]
        elif fault == "missing-variables":
            spins = [row[1:] for row in spins]
        elif fault == "nan-energies":
            energies[0] = math.nan
        elif fault == "duplicated-rows":
            spins, energies = [*spins, spins[0]], [*energies, energies[0]]
        return {"spins": spins, "energies": energies}


@contextlib.contextmanager
def demo(faults: Faults | None = None, **options: Any) -> Iterator[tuple[Demo, Running]]:
    """Run the service; yield the machine that asks it, and the service."""
    with serve(DemoEmulator(faults=faults, **options)) as running:
        yield Demo(url=running.url, token=running.token), running
