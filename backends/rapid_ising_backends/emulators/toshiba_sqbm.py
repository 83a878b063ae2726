"""The HTTP interface of SQBM+ version 2, spoken by a twin of the simulated bifurcation machine."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.io import mmread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend, IsingModel
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, digest_of, refuse
from rapid_ising_backends.emulators.faults import FATES
from rapid_ising_backends.twins.bifurcation import TwinBifurcation

Matrix = npt.NDArray[np.float32]
VERSION = "2.1.0"
DEFAULTS: Mapping[str, float] = {"steps": 0, "loops": 1, "timeout": 10.0, "maxout": 1, "algo": 20, "dt": 1.0}
ALLOWED: Mapping[str, tuple[Callable[[str], float], Callable[[float], bool]]] = {
    "steps": (int, lambda value: 0 <= value <= 10**8),
    "loops": (int, lambda value: 0 <= value <= 10**7),
    "timeout": (float, lambda value: 1e-3 <= value <= 3600),
    "target": (float, math.isfinite),
    "maxout": (int, lambda value: 1 <= value <= 1000),
    "algo": (int, lambda value: value in (15, 20)),
    "dt": (float, lambda value: 0 < value <= 1),
}
"""How each parameter is read, and the values that it may have."""
AUTOMATIC_STEPS = 1000
LARGEST = 10_000
"""The most variables, a 400 MB matrix."""
HEADERS = tuple(
    f"%%MatrixMarket matrix coordinate {numbers} {symmetry}"
    for numbers in ("real", "integer")
    for symmetry in ("general", "symmetric")
)
HDF5 = b"\x89HDF\r\n\x1a\n"
SECONDS_A_STEP = 1e-6


@final
class ToshibaSqbmEmulator(Emulator):
    """An emulator of SQBM+ version 2: synchronous.

    The vendor's list of error messages was not at hand: the texts of refusals are the emulator's own.

    Parameters
    ----------
    secured
        Whether a token is asked for; a machine of one's own may do without.
    runs
        The runs of a loop, all of them at once.
    """

    name: ClassVar[str] = "toshiba-sqbm"
    synchronous: ClassVar[bool] = True

    def __init__(
        self, twin: Backend | None = None, *, secured: bool = True, runs: int = 160, **options: Any
    ) -> None:
        super().__init__(twin, **options)
        self.secured, self.runs = secured, runs

    def default_twin(self) -> Backend:
        """Return the twin; each job is solved with its own steps and variant."""
        return TwinBifurcation()

    def routes(self) -> Sequence[Route]:
        """Return the addresses."""
        return [
            Route("/healthcheck", self._health, methods=["GET"]),
            Route("/version", self._version, methods=["GET"]),
            Route("/solver/qubo", self._solve, methods=["POST"]),
        ]

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return a status with a message."""
        return int(kind), {"message": f"refused with {kind}"}

    async def _health(self, http: HttpRequest) -> JSONResponse:
        return JSONResponse({})

    async def _version(self, http: HttpRequest) -> JSONResponse:
        return JSONResponse({"version": VERSION})

    async def _solve(self, http: HttpRequest) -> JSONResponse:
        body = await http.body()
        if self.secured and http.headers.get("authorization") != f"Bearer {self.token}":
            raise refused(401, "not authorized")
        asked = parameters_of(http)
        matrix = matrix_of(body)
        self.accept(digest_of(body))
        if self.faults.draw(FATES) is not None:
            raise refused(500, "the computation failed")
        job = json.dumps(sorted(asked.items())).encode() + body
        return Lenient(await run_in_threadpool(self._answer, asked, matrix, self.seed(job)))

    def _answer(self, asked: Mapping[str, float], matrix: Matrix, seed: int) -> dict[str, Any]:
        steps = int(asked["steps"]) or AUTOMATIC_STEPS
        runs = self.runs * max(1, int(asked["loops"]))
        variant: Literal["ballistic", "discrete"] = "ballistic" if asked["algo"] == 15 else "discrete"
        twin = TwinBifurcation(variant=variant, steps=steps, time_step=asked["dt"])
        found = twin.sample(ising_of(matrix), num_reads=runs, seed=seed).record.sample
        bits, counts = np.unique((found + 1) // 2, axis=0, return_counts=True)
        values = np.einsum("ri,ij,rj->r", bits, matrix.astype(np.float64), bits, optimize=True)
        best = np.argsort(values, kind="stable")[: int(asked["maxout"])]
        param = {"steps": steps, **{key: asked[key] for key in ("loops", "algo", "dt")}}
        solutions: list[dict[str, Any]] = [
            {"value": values[i].item(), "result": bits[i].tolist(), "param": param, "count": counts[i].item()}
            for i in best
        ]
        fault = self.content_fault()
        if fault == "wrong-types":
            solutions[0]["result"] = [str(bit) for bit in solutions[0]["result"]]
        elif fault == "missing-variables":
            for solution in solutions:
                del solution["result"][0]
        elif fault == "nan-energies":
            solutions[0]["value"] = math.nan
        elif fault == "duplicated-rows":
            solutions.append(solutions[0])
        first, *others = solutions
        return {
            "id": f"r{seed % 10**10}",
            "time": SECONDS_A_STEP * steps * runs,
            "wait": 0.0,
            "runs": runs,
            "message": "finished",
            **first,
            **({"others": others} if others else {}),
        }


def refused(status: int, text: str) -> HTTPException:
    """Return a refusal."""
    return refuse(status, {"message": text})


def parameters_of(http: HttpRequest) -> dict[str, float]:
    """Return the parameters in an address, with the defaults of those left out."""
    asked = dict(DEFAULTS)
    for name, text in http.query_params.multi_items():
        if name not in ALLOWED:
            raise refused(400, f"unknown parameter {name}")
        read, fits = ALLOWED[name]
        try:
            value = read(text)
        except ValueError:
            raise refused(400, f"parameter {name} is no number of its kind") from None
        if not fits(value):
            raise refused(400, f"parameter {name} is out of range")
        asked[name] = value
    return asked


def matrix_of(body: bytes) -> Matrix:
    """Return the whole matrix Q of the value x^T Q x that a body holds, in float32."""
    matrix = from_hdf5(body) if body.startswith(HDF5) else from_matrix_market(body)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise refused(400, "the matrix is not square")
    with np.errstate(over="ignore"):
        single: Matrix = matrix.astype(np.float32)
    if not np.isfinite(single).all():
        raise refused(400, "a coefficient is not finite in single precision")
    return single


def from_matrix_market(body: bytes) -> npt.NDArray[Any]:
    """Return the matrix in a MatrixMarket text; of a symmetric one, an entry off the diagonal is two."""
    if body.split(b"\n", 1)[0].decode("latin-1").strip() not in HEADERS:
        raise refused(
            400, "the body is neither HDF5 nor a real or integer MatrixMarket matrix of coordinates"
        )
    try:
        found = sparse.coo_array(mmread(io.BytesIO(body)))
    except (ValueError, OverflowError, IndexError, TypeError) as error:
        raise refused(400, f"the MatrixMarket text cannot be read: {error}") from None
    return dense(found)


def from_hdf5(body: bytes) -> npt.NDArray[Any]:
    """Return the matrix in the group ``/qubo`` of an HDF5 file."""
    import h5py

    try:
        with h5py.File(io.BytesIO(body), "r") as root:
            group = root["qubo"]
            data, layout = group["data"][:], group["data"].attrs["format"]
            if layout == "dense":
                return np.asarray(data)
            indices, pointers = group["indices"][:], group["indptr"][:].astype(np.int64)
    except (OSError, KeyError) as error:
        raise refused(400, f"the HDF5 file cannot be read: {error}") from None
    if layout != "csr":
        raise refused(400, "the format of the data is neither dense nor csr")
    n = len(pointers) - 1
    rows = sparse.csr_array((data, indices.astype(np.int64), pointers), shape=(n, n))
    return dense(rows)


def dense(matrix: sparse.coo_array[Any] | sparse.csr_array[Any]) -> npt.NDArray[Any]:
    """Return a matrix whole, or refuse one that a twin on this computer does not hold."""
    if max(matrix.shape) > LARGEST:
        raise refused(400, f"the emulator holds {LARGEST} variables")
    found: npt.NDArray[Any] = matrix.toarray()
    return found


def ising_of(matrix: Matrix) -> IsingModel:
    """Return the Ising model of the same energies as x^T Q x, but for a constant."""
    pairs = (matrix + matrix.T).astype(np.float64)
    np.fill_diagonal(pairs, 0)
    return IsingModel(np.diag(matrix).astype(np.float64) / 2 + pairs.sum(1) / 4, pairs / 4)
