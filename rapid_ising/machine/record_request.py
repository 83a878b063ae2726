"""A request as JSON values, and where two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import Sparse
from rapid_ising.deadline import Deadline
from rapid_ising.ising import IsingModel
from rapid_ising.machine.record_values import (
    array_from_json,
    array_to_json,
    label_from_json,
    label_to_json,
    states_from_json,
    states_to_json,
)
from rapid_ising.request import Request


def request_to_json(request: Request) -> dict[str, Any]:
    """Return what a machine is asked: everything but its random numbers, its deadline and its provenance.

    Couplings are those with i < j that are not zero, by row and column; zeros have no sign.
    """
    model, n = request.model, request.model.num_variables
    rows, columns, values = model.couplings.to_coo()
    order = np.lexsort((columns, rows)) if (np.diff(rows * n + columns) < 0).any() else slice(None)
    index = np.min_scalar_type(n)
    start = request.initial_states
    return {
        "spins": n,
        "reads": request.num_reads,
        "beta": request.beta + 0.0,
        "offset": model.offset + 0.0,
        "vartype": request.vartype.name,
        "labels": [label_to_json(label) for label in request.variables],
        "fields": array_to_json(model.fields + model.fields.dtype.type(0)),
        "couplings": {
            "rows": array_to_json(rows[order].astype(index)),
            "columns": array_to_json(columns[order].astype(index)),
            "values": array_to_json(values[order]),
        },
        "initial_states": None if start is None else states_to_json(start),
    }


def request_from_json(content: Mapping[str, Any], provenance: dict[str, Any]) -> Request:
    """Return the request that ``request_to_json`` told, with random numbers and a deadline of its own."""
    n, couplings, start = content["spins"], content["couplings"], content["initial_states"]
    rows, columns = (array_from_json(couplings[end]).astype(np.intp) for end in ("rows", "columns"))
    model = IsingModel(
        array_from_json(content["fields"]),
        Sparse(n, rows, columns, array_from_json(couplings["values"])),
        content["offset"],
    )
    return Request(
        model,
        content["reads"],
        content["beta"],
        np.random.default_rng(),
        None if start is None else states_from_json(start),
        Deadline(None),
        [label_from_json(label) for label in content["labels"]],
        dimod.Vartype[content["vartype"]],
        content["returns"],
        provenance,
    )


def difference(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return where two requests, as ``request_to_json`` told them, first differ, and both values."""
    key = next(name for name in asked if recorded.get(name) != asked[name])
    there, here = recorded.get(key), asked[key]
    if there is None or here is None:
        return key + _both(*("none" if part is None else "given" for part in (there, here)))
    if key == "couplings":
        return _couplings_differ(there, here, asked["spins"])
    if key not in ("labels", "fields", "initial_states"):
        return key + _both(there, here)
    first, second = _entries(key, there), _entries(key, here)
    for kind in ("dtype", "shape"):
        if getattr(first, kind) != getattr(second, kind):
            return f"{kind} of {key}" + _both(getattr(first, kind), getattr(second, kind))
    places = np.argwhere(first != second)
    place = tuple(places[0].tolist())
    where = ", ".join(map(str, place))
    told = f"{key} differ in {len(places)} of {first.size} places, first at {where}"
    return told + _both(first[place], second[place])


def _both(there: Any, here: Any) -> str:
    return f": {there!s} recorded, {here!s} asked"


def _entries(key: str, value: Any) -> npt.NDArray[Any]:
    if key == "fields":
        return array_from_json(value)
    if key == "initial_states":
        return states_from_json(value)
    labels = np.empty(len(value), object)
    labels[:] = [label_from_json(label) for label in value]
    return labels


def _couplings_differ(there: Mapping[str, Any], here: Mapping[str, Any], n: int) -> str:
    """Return the first pair of spins whose coupling differs; a missing one is 0."""
    pairs, values = [], []
    for part in (there, here):
        pairs.append(array_from_json(part["rows"]).astype(np.int64) * n + array_from_json(part["columns"]))
        values.append(array_from_json(part["values"]))
    if values[0].dtype != values[1].dtype:
        return "dtype of couplings" + _both(values[0].dtype, values[1].dtype)
    union = np.union1d(*pairs)
    table = np.zeros((2, len(union)), values[0].dtype)
    for row, pair, value in zip(table, pairs, values, strict=True):
        row[np.searchsorted(union, pair)] = value
    places = np.flatnonzero(table[0] != table[1])
    i, j = divmod(int(union[places[0]]), n)
    return f"couplings differ in {len(places)} pairs, first at {i}, {j}" + _both(*table[:, places[0]])
