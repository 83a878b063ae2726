"""The CIM gateway contract of docs/cim-gateway.md, spoken by a twin of a coherent Ising machine."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rapid_ising import Backend, IsingModel, Sparse
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, refuse
from rapid_ising_backends.emulators.faults import STATUSES, Faults
from rapid_ising_backends.emulators.jobs import Jobs
from rapid_ising_backends.twins.cim import TwinCim

TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
MEMBERS = ("couplings", "runs", "spins")
STATES: Mapping[str, str] = {"waiting": "queued"}
ROUND_TRIPS, SECONDS_A_RUN = 1000, 0.005
"""A run on the machine of Inagaki et al.: 1000 round trips of 5 us."""


@final
class CimEmulator(Emulator):
    """An emulator of a gateway to a coherent Ising machine.

    Parameters
    ----------
    twin
        What solves; None takes a ``TwinCim`` with ``round_trips`` and the ``options``.
    round_trips
        The round trips of a run; they change nothing in the time that is told.
    max_runs
        The most runs of one job.
    slots
        The most jobs that it holds at once, those that are done and not forgotten included.
    faults, token
        See ``Emulator``.
    **options
        Those of ``TwinCim``: size, largest_coupling, pump, feedback, noise and so on.
    """

    name: ClassVar[str] = "cim"
    passed_on: ClassVar[tuple[type, ...]] = (TwinCim,)

    def __init__(
        self,
        twin: Backend | None = None,
        *,
        round_trips: int = ROUND_TRIPS,
        max_runs: int = 1000,
        slots: int = 64,
        faults: Faults | None = None,
        token: str = "emulator-token",
        **options: Any,
    ) -> None:
        own = TwinCim(round_trips=round_trips, **options) if twin is None else twin
        super().__init__(own, faults=faults, token=token)
        facts = self.twin.capabilities
        self.max_runs, self.size = max_runs, facts.max_variables or 2000
        self.largest = 1 if facts.coupling_range is None else int(facts.coupling_range[1])
        self.jobs = Jobs(self.faults, slots)
        self.bodies: dict[str, Any] = {}
        """What was asked under each tag; None of a tag that is spent."""
        self._putting = threading.Lock()

    def default_twin(self) -> Backend:
        """Return a machine of 2000 spins."""
        return TwinCim(round_trips=ROUND_TRIPS)

    def routes(self) -> Sequence[Route]:
        """Return the addresses of the contract."""
        return [
            Route("/v1/machine", self._machine, methods=["GET"]),
            Route("/v1/jobs/{tag}", self._put, methods=["PUT"]),
            Route("/v1/jobs/{tag}", self._get, methods=["GET"]),
            Route("/v1/jobs/{tag}", self._delete, methods=["DELETE"]),
        ]

    def open_jobs(self) -> list[str]:
        """Return the tags of the jobs that it holds."""
        return self.jobs.ids

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return the contract's body for a status."""
        return STATUSES[kind], {"error": TEXTS[STATUSES[kind]]}

    async def _machine(self, http: HttpRequest) -> JSONResponse:
        self._authorise(http)
        return JSONResponse(
            {
                "version": 1,
                "name": "twin of a coherent Ising machine",
                "spins": self.size,
                "largest_coupling": self.largest,
                "max_runs": self.max_runs,
                "seconds_per_run": SECONDS_A_RUN,
            }
        )

    async def _put(self, http: HttpRequest) -> JSONResponse:
        tag = self._tag(http)
        if http.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise refused(415)
        body = await http.body()
        return await run_in_threadpool(self._take, tag, body)

    def _take(self, tag: str, body: bytes) -> JSONResponse:
        asked = self.checked(body)
        with self._putting:
            if tag in self.bodies:
                if self.bodies[tag] is None:
                    raise refused(410)
                if self.bodies[tag] != asked:
                    raise refused(409)
                return JSONResponse({"tag": tag})
            if self.jobs.full:
                raise refused(429, {"Retry-After": "1"})
            self.bodies[tag] = asked
            self.accept(tag)
            seed = self.seed(body)
            self.jobs.add(tag, lambda: self._solve(asked, seed), id=tag)
        return JSONResponse({"tag": tag}, 201)

    async def _get(self, http: HttpRequest) -> JSONResponse:
        tag = self._tag(http)
        if tag not in self.bodies:
            raise refused(404)
        state, answer = await run_in_threadpool(self.jobs.look, tag)
        if state == "deleted":
            self.bodies[tag] = None
            raise refused(410)
        outcome = {"tag": tag, "status": STATES.get(state, state)}
        if state == "failed":
            outcome["message"] = "the cavity lost its lock"
        return Lenient({**outcome, **(self._spoiled(answer) if state == "done" else {})})

    async def _delete(self, http: HttpRequest) -> Response:
        tag = self._tag(http)
        with self._putting:
            self.bodies[tag] = None
            self.jobs.remove(tag)
        return Response(status_code=204)

    def _authorise(self, http: HttpRequest) -> None:
        if http.headers.get("authorization") != f"Bearer {self.token}":
            raise refused(401)

    def _tag(self, http: HttpRequest) -> str:
        self._authorise(http)
        tag: str = http.path_params["tag"]
        if not TAG.fullmatch(tag):
            raise refused(404)
        return tag

    def checked(self, body: bytes) -> dict[str, Any]:
        """Return the job in a body, or raise the refusal that says what is wrong with it."""
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise invalid("the body is no JSON") from None
        if not isinstance(asked, dict) or sorted(asked) != list(MEMBERS):
            raise invalid(f"a job has the members {', '.join(MEMBERS)}, and no others")
        spins, runs, couplings = asked["spins"], asked["runs"], asked["couplings"]
        if not whole(spins, 1, self.size):
            raise invalid(f"spins must be a whole number from 1 to {self.size}")
        if not whole(runs, 1, self.max_runs):
            raise invalid(f"runs must be a whole number from 1 to {self.max_runs}")
        if not isinstance(couplings, list):
            raise invalid("couplings must be a list of [i, j, J]")
        seen: set[tuple[int, int]] = set()
        for place, entry in enumerate(couplings):
            if not (isinstance(entry, list) and len(entry) == 3):
                raise invalid(f"coupling {place} is not of the form [i, j, J]")
            i, j, strength = entry
            if not (whole(i, 0, spins - 1) and whole(j, 0, spins - 1) and i < j):
                raise invalid(f"coupling {place} must have 0 <= i < j < {spins}")
            if not whole(strength, -self.largest, self.largest) or not strength:
                raise invalid(f"coupling {place} must be a whole number up to {self.largest}, and not 0")
            if (i, j) in seen:
                raise invalid(f"coupling {place} is of a pair that has one already")
            seen.add((i, j))
        return asked

    def _solve(self, asked: Mapping[str, Any], seed: int) -> dict[str, Any]:
        n = asked["spins"]
        triples = np.array(asked["couplings"], dtype=np.int64).reshape(-1, 3)
        couplings = Sparse(n, triples[:, 0], triples[:, 1], triples[:, 2].astype(np.float64))
        model = IsingModel(np.zeros(n), couplings)
        rng = np.random.default_rng(seed)
        # A run of the twin is one read.
        runs = [self.twin.sample(model, seed=rng).record[0] for _ in range(asked["runs"])]
        return {
            "spins": [run.sample.tolist() for run in runs],
            "energies": [round(run.energy) for run in runs],
            "machine_seconds": SECONDS_A_RUN * asked["runs"],
        }

    def _spoiled(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return an answer, with the fault that was drawn for it."""
        spins, energies = list(answer["spins"]), list(answer["energies"])
        fault = self.content_fault()
        if fault == "wrong-types":
            spins[0] = [str(spin) for spin in spins[0]]
        elif fault == "missing-variables":
            spins = [row[1:] for row in spins]
        elif fault == "nan-energies":
            energies[0] = math.nan
        elif fault == "duplicated-rows":
            spins, energies = [*spins, spins[0]], [*energies, energies[0]]
        return {**answer, "spins": spins, "energies": energies}


TEXTS: Mapping[int, str] = {
    401: "no token, or one that is not known",
    403: "this token may not use the machine",
    404: "there is no such job",
    409: "there is another job of this tag",
    410: "the job of this tag was deleted",
    415: "a job is application/json",
    429: "the queue is full",
    500: "the gateway failed",
    503: "the machine is not running",
}


def refused(status: int, headers: Mapping[str, str] | None = None) -> HTTPException:
    """Return the gateway's refusal."""
    refusal = refuse(status, {"error": TEXTS[status]})
    refusal.headers = headers
    return refusal


def invalid(what: str) -> HTTPException:
    """Return the refusal of a job that is none."""
    return refuse(422, {"error": what})


def whole(value: Any, low: int, high: int) -> bool:
    """Return whether a value is a whole number between two others."""
    return type(value) is int and low <= value <= high
