"""Arrays, labels, answers, errors and random states as JSON values, and back bit for bit."""

from __future__ import annotations

import base64
import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising import errors
from rapid_ising.errors import BackendError, IncompleteError, InvalidDataError, RapidIsingError, ReplayError
from rapid_ising.plain import plain
from rapid_ising.request import Answer
from rapid_ising.typing import States


def array_to_json(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return an array's bytes, little endian and row by row, with type and shape.

    >>> array_to_json(np.array([1.0]))
    {'dtype': '<f8', 'shape': [1], 'base64': 'AAAAAAAA8D8='}
    """
    stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    text = base64.b64encode(stored.data if stored.size else b"").decode("ascii")
    return {"dtype": stored.dtype.str, "shape": list(array.shape), "base64": text}


def array_from_json(value: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return the array that ``array_to_json`` wrote."""
    data = bytearray(base64.b64decode(value["base64"]))
    return np.frombuffer(data, np.dtype(value["dtype"])).reshape(value["shape"])


def states_to_json(states: States) -> dict[str, Any]:
    """Return states of spins, eight spins a byte.

    >>> states_to_json(np.array([[1, -1, 1]], np.int8))
    {'shape': [1, 3], 'bits': 'oA=='}
    """
    bits = np.packbits(states > 0)
    return {"shape": list(states.shape), "bits": base64.b64encode(bits.tobytes()).decode("ascii")}


def states_from_json(value: Mapping[str, Any]) -> States:
    """Return the states that ``states_to_json`` wrote."""
    packed = np.frombuffer(base64.b64decode(value["bits"]), np.uint8)
    bits = np.unpackbits(packed, count=math.prod(value["shape"])).astype(np.int8)
    return (2 * bits - 1).reshape(value["shape"])


def label_to_json(label: Hashable) -> Any:
    """Return a label of a spin: text, a number, None, or tuples and frozensets of them.

    >>> label_to_json(("a", 1))
    {'tuple': ['a', 1]}

    Raises
    ------
    InvalidDataError
        If it is anything else.
    """
    if isinstance(label, np.generic):
        label = label.item()
    if label is None or isinstance(label, str | int | float):
        return label
    if isinstance(label, tuple):
        return {"tuple": [label_to_json(item) for item in label]}
    if isinstance(label, frozenset):
        return {"frozenset": sorted((label_to_json(item) for item in label), key=repr)}
    raise InvalidDataError(
        f"a recording cannot hold the label {label!r}, a {type(label).__name__}: "
        "name spins by text, numbers, or tuples of them"
    )


def label_from_json(value: Any) -> Any:
    """Return the label that ``label_to_json`` wrote."""
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(label_from_json(item) for item in value["tuple"])
    return frozenset(label_from_json(item) for item in value["frozenset"])


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer with its states packed."""
    return {
        "states": states_to_json(answer.states),
        "stages": plain(answer.stages),
        "weights": None if answer.weights is None else array_to_json(answer.weights),
    }


def answer_from_json(value: Mapping[str, Any]) -> Answer:
    """Return the answer that ``answer_to_json`` wrote."""
    weights = None if value["weights"] is None else array_from_json(value["weights"])
    return Answer(states_from_json(value["states"]), value["stages"], weights)


def error_to_json(error: Exception) -> dict[str, Any]:
    """Return an error's kind and text, and what had arrived before it."""
    arrived = error.answer if isinstance(error, IncompleteError) else None
    return {
        "kind": type(error).__name__,
        "text": str(error),
        "arrived": None if arrived is None else answer_to_json(arrived),
    }


def error_from_json(value: Mapping[str, Any]) -> RapidIsingError:
    """Return an error of the same kind and text; one that is not of our tree becomes a BackendError."""
    kind = getattr(errors, value["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, RapidIsingError)):
        return BackendError(f"{value['kind']}: {value['text']}")
    if issubclass(kind, IncompleteError):
        return kind(value["text"], None if value["arrived"] is None else answer_from_json(value["arrived"]))
    return kind(value["text"])


def generator_to_json(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator."""
    state: dict[str, Any] = plain(rng.bit_generator.state)
    return state


def set_generator(rng: np.random.Generator, state: Mapping[str, Any] | None) -> None:
    """Bring a generator to a recorded state; None leaves it.

    Raises
    ------
    ReplayError
        If it is of another kind.
    """
    if state is None:
        return
    kind = rng.bit_generator.state["bit_generator"]
    if kind != state["bit_generator"]:
        raise ReplayError(
            f"it was recorded with a {state['bit_generator']} generator and a {kind} was given: "
            "replay with a seed of that kind"
        )
    rng.bit_generator.state = state
