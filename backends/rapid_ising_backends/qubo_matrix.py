"""A QUBO as a matrix in a file: MatrixMarket text, or HDF5."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.io import mmwrite

from rapid_ising.errors import MissingDependencyError
from rapid_ising_backends.qubo import Qubo

DIGITS = 9
"""The decimal digits that tell any two numbers of float32 apart."""
SPARSE = 0.3
"""The share of entries of the square up to which only those that are not 0 go into HDF5."""


def matrix_market(qubo: Qubo) -> bytes:
    """Return the lower triangle of the matrix as MatrixMarket text: ``general``, so that each counts once.

    scipy's writer makes the 49 MB of a dense problem of 2000 spins in 0.65 s, lines joined in Python 2.8 s.

    Examples
    --------
    >>> qubo = Qubo(np.array([3.0, 2.0]), np.array([0]), np.array([1]), np.array([-4.0]), 0.0)
    >>> matrix_market(qubo).decode().splitlines()[2:]
    ['2 2 3', '1 1 3.00000000e+00', '2 2 2.00000000e+00', '2 1 -4.00000000e+00']
    """
    file = io.BytesIO()
    mmwrite(file, lower_triangle(qubo), field="real", symmetry="general", precision=DIGITS)
    return file.getvalue()


def hdf5(machine: str, qubo: Qubo) -> bytes:
    """Return the lower triangle of the matrix as HDF5, in the group ``/qubo``: dense, or by sparse rows."""
    matrix, file = lower_triangle(qubo), io.BytesIO()
    with load_h5py(machine).File(file, "w") as root:
        group = root.create_group("qubo")

        def add(name: str, values: npt.NDArray[Any]) -> Any:
            return group.create_dataset(name, data=values, compression="gzip", compression_opts=1)

        n = len(qubo.linear)
        if matrix.nnz > SPARSE * n * n:
            add("data", matrix.toarray()).attrs["format"] = "dense"
        else:
            rows = matrix.tocsr()
            add("data", rows.data).attrs["format"] = "csr"
            add("indices", rows.indices.astype(np.uint32))
            add("indptr", rows.indptr.astype(np.uint32))
    return file.getvalue()


def lower_triangle(qubo: Qubo) -> sparse.coo_array[Any]:
    """Return the matrix in float32: q_i on the diagonal, q_ij of each pair below it."""
    places = np.arange(len(qubo.linear))
    values = np.concatenate([qubo.linear, qubo.values]).astype(np.float32)
    rows, columns = np.concatenate([places, qubo.columns]), np.concatenate([places, qubo.rows])
    return sparse.coo_array((values, (rows, columns)), shape=(len(places), len(places)))


def load_h5py(machine: str) -> Any:
    """Return h5py, or raise with the line that installs it."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{machine} needs h5py for format='hdf5', not installed here: "
            f"pip install 'rapid-ising[{machine}-hdf5]'"
        ) from error
    return h5py
