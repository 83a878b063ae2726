"""An emulator of D-Wave's hybrid solver behind the Solver API: uploads in parts, and jobs by reference."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, final

import dimod
import numpy as np
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising_backends.emulators.sapi import SapiEmulator
from rapid_ising_backends.emulators.sapi_wire import bad_job, error, refused
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing

VARIABLES, BIASES, HOURS = 1_000_000, 200_000_000, 24.0
SHORTEST: Sequence[tuple[float, float]] = ((1, 3.0), (1024, 3.0), (4096, 10.0), (10000, 40.0))
"""The shortest time limit by the number of variables."""
PARAMETERS = {"time_limit": "Seconds of the solver."}


@final
class LeapHybridEmulator(SapiEmulator):
    """An emulator of the Solver API with one hybrid solver, an annealer at zero temperature that says so.

    Its answers come at once: no time passes for a time limit.
    """

    name: ClassVar[str] = "leap-hybrid"
    kinds = ("bqm",)

    def __init__(self, twin: Backend | None = None, **options: Any) -> None:
        super().__init__(twin, **options)
        self.sizes: dict[str, int] = {}
        """The bytes that each upload announced."""
        self.parts: dict[str, dict[int, bytes]] = {}
        self.models: dict[str, bytes] = {}
        """What was uploaded whole."""

    def default_twin(self) -> Backend:
        """Return an annealer of this computer."""
        return SimulatedAnnealing()

    def definition(self) -> dict[str, Any]:
        """Return the solver as the API describes it."""
        properties = {
            "category": "hybrid",
            "version": "2.2",
            "supported_problem_types": list(self.kinds),
            "parameters": dict(PARAMETERS),
            "minimum_time_limit": SHORTEST,
            "maximum_time_limit_hrs": HOURS,
            "maximum_number_of_variables": VARIABLES,
            "maximum_number_of_biases": BIASES,
            "quota_conversion_rate": 20,
        }
        return {
            "identity": {"name": "emulator-hybrid-bqm"},
            "status": "ONLINE",
            "description": "An emulator on this computer, not a machine",
            "properties": properties,
            "avg_load": 0.0,
        }

    def routes(self) -> Sequence[Route]:
        """Return the addresses of jobs, and those of uploads."""
        own = "/bqm/multipart"
        return [
            *super().routes(),
            Route(own, self._begin, methods=["POST"]),
            Route(own + "/{id}/part/{number:int}", self._part, methods=["PUT"]),
            Route(own + "/{id}/status", self._progress, methods=["GET"]),
            Route(own + "/{id}/combine", self._combine, methods=["POST"]),
        ]

    def _upload(self, http: HttpRequest) -> str:
        self.allow(http)
        id: str = http.path_params["id"]
        if id not in self.sizes:
            raise refused(404, "Problem does not exist")
        return id

    async def _begin(self, http: HttpRequest) -> Response:
        self.allow(http)
        asked = await self.body(http)
        size = asked.get("size") if isinstance(asked, dict) else None
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise refused(400, "size is expected")
        id = str(uuid.uuid4())
        self.sizes[id], self.parts[id] = size, {}
        return JSONResponse({"id": id})

    async def _part(self, http: HttpRequest) -> Response:
        id, number, body = self._upload(http), http.path_params["number"], await http.body()
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        if http.headers.get("content-md5") != base64.b64encode(digest).decode():
            raise refused(400, "Content-MD5 does not match")
        if number < 1 or not body or http.headers.get("content-type") != "application/octet-stream":
            raise refused(400)
        self.parts[id][number] = body
        return JSONResponse({})

    def _progress(self, http: HttpRequest) -> Response:
        id = self._upload(http)
        parts = [
            {"part_number": number, "checksum": hashlib.md5(part, usedforsecurity=False).hexdigest()}
            for number, part in sorted(self.parts[id].items())
        ]
        status = "UPLOAD_COMPLETED" if id in self.models else "UPLOAD_IN_PROGRESS"
        return JSONResponse({"status": status, "parts": parts})

    async def _combine(self, http: HttpRequest) -> Response:
        id, asked = self._upload(http), await self.body(http)
        parts = [part for _, part in sorted(self.parts[id].items())]
        digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
        whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        if not isinstance(asked, dict) or asked.get("checksum") != whole:
            return JSONResponse(error(400, "checksum does not match"), 400)
        if sum(map(len, parts)) != self.sizes[id]:
            return JSONResponse(error(400, "size does not match"), 400)
        self.models[id] = b"".join(parts)
        return JSONResponse({})

    def problem(self, asked: Mapping[str, Any], body: bytes) -> Callable[[], dict[str, Any]]:
        """Return what solves a job."""
        data, parameters = asked["data"], asked["params"]
        if data.get("format") != "ref" or data.get("data") not in self.models:
            raise bad_job("Problem data must refer to a problem that was uploaded")
        if set(parameters) - set(PARAMETERS):
            raise bad_job("Unknown parameter")
        model = self.models[data["data"]]
        try:
            bqm = dimod.BinaryQuadraticModel.from_file(io.BytesIO(model))
        except (ValueError, KeyError, TypeError, EOFError):
            raise bad_job("Problem is no binary quadratic model") from None
        if bqm.num_variables > VARIABLES or bqm.num_variables + bqm.num_interactions > BIASES:
            raise bad_job("Problem is too large")
        sizes, times = zip(*SHORTEST, strict=True)
        shortest, limit = float(np.interp(bqm.num_variables, sizes, times)), parameters.get("time_limit")
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not shortest <= limit:
            raise bad_job(f"time_limit must be a number of at least {shortest:g}")
        if limit > 3600 * HOURS:
            raise bad_job(f"time_limit must be at most {3600 * HOURS:g}")
        return lambda: self._solve(bqm, float(limit), model)

    def _solve(self, bqm: dimod.BinaryQuadraticModel, limit: float, model: bytes) -> dict[str, Any]:
        found = self.twin.sample(bqm, num_reads=1, beta=math.inf, seed=self.seed(model))
        row, energies = found.record.sample, found.record.energy
        variables, fault = list(found.variables), self.content_fault()
        if fault == "missing-variables":
            row, variables = row[:, 1:], variables[1:]
        elif fault == "nan-energies":
            energies = np.full(1, np.nan)
        elif fault == "duplicated-rows":
            # Two rows of which only one is the state of its energy.
            row, energies = np.concatenate([-row, row]), np.concatenate([energies, energies + 1])
        spent = 1e6 * limit
        answer = dimod.SampleSet.from_samples(
            (row, variables),
            vartype=bqm.vartype,
            energy=energies,
            info={"qpu_access_time": 0, "run_time": spent, "charge_time": spent},
            sort_labels=False,
        ).to_serializable()
        if fault == "nan-energies":
            answer["vectors"]["energy"]["data"] = [None]
        if fault == "wrong-types":
            answer["sample_data"] = "none"
        return {"format": "bq", "data": answer}
