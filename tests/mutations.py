"""Ways in which an answer is damaged, as bytes, as JSON, or in what its texts hold."""

from __future__ import annotations

import base64
import binascii
import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, float("nan"), float("inf"), -(2**31), 2**31, 2**63,
    2**64, 10**400, "", "x", "0", "\x00", "../..", "é" * 300, [], {}, [[]], [{}], [1, [2]], {"": None},
]  # fmt: skip
DEEP = 100_000


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One damage: of which kind, at which place (0 to 1), and two numbers that say more."""

    kind: str
    place: float
    number: int
    other: float

    def of(self, body: bytes) -> bytes:
        """Return a damaged body."""
        if self.kind in BYTES:
            return BYTES[self.kind](self, body)
        try:
            content = json.loads(body)
        except ValueError:
            return BYTES["flip"](self, body)
        if self.kind == "twice":
            return self._twice(body)
        if self.kind == "deep":
            return body[: self.at(body)] + b"[" * DEEP + body[self.at(body) :]
        content = copy.deepcopy(content)
        places = list(nodes([content]))
        parent, key = places[int(self.place * len(places))]
        root = [content] if parent is None else None
        holder = root if root is not None else parent
        NODES[self.kind](self, holder, key)
        found = content if root is None else (root[0] if root else None)
        return json.dumps(found).encode()

    def at(self, body: bytes) -> int:
        """Return a place in a body."""
        return min(len(body), int(self.place * (1 + len(body))))

    def _twice(self, body: bytes) -> bytes:
        """Give a name a second value, before or after the first."""
        content = json.loads(body)
        objects = [part for part in parts(content) if isinstance(part, dict) and part]
        if not objects:
            return body
        chosen = objects[int(self.place * len(objects))]
        key = list(chosen)[int(self.other * len(chosen))]
        value = VALUES[self.number % len(VALUES)]
        mark = "\x01twice\x01"
        chosen[mark] = None
        text = json.dumps(content)
        return text.replace(f"{json.dumps(mark)}: null", f"{json.dumps(key)}: {json.dumps(value)}").encode()


def parts(content: Any) -> Iterator[Any]:
    """Yield a value and all that it holds."""
    yield content
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else []
    for part in inner:
        yield from parts(part)


def nodes(root: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield where each value stands: what holds it and its key or index; None holds the root."""
    yield None, 0
    for part in parts(root[0]):
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else []
        for key in keys:
            yield part, key


def each_kind_of_place(body: bytes) -> Iterator[float]:
    """Yield the place of one value of each kind: the elements of a list are alike."""
    try:
        content = json.loads(body)
    except ValueError:
        return
    places, seen = list(nodes([content])), set[tuple[Any, ...]]()
    ways: dict[int, tuple[Any, ...]] = {}
    for number, (parent, key) in enumerate(places):
        held = content if parent is None else parent[key]
        way = () if parent is None else (*ways[id(parent)], None if isinstance(parent, list) else key)
        if isinstance(held, dict | list):
            ways[id(held)] = way
        if way not in seen:
            seen.add(way)
            yield (number + 0.5) / len(places)


def _flip(m: Mutation, body: bytes) -> bytes:
    place = min(len(body) - 1, m.at(body))
    return body[:place] + bytes([body[place] ^ (1 << m.number % 8)]) + body[place + 1 :] if body else b"x"


def _drop(m: Mutation, body: bytes) -> bytes:
    return body[: m.at(body)] + body[m.at(body) + 1 + m.number % 16 :]


def _insert(m: Mutation, body: bytes) -> bytes:
    return body[: m.at(body)] + bytes([m.number % 256]) * (1 + m.number % 3) + body[m.at(body) :]


def _repeat(m: Mutation, body: bytes) -> bytes:
    place, size = m.at(body), 1 + m.number % 32
    return body[: place + size] + body[place:]


BYTES: dict[str, Callable[[Mutation, bytes], bytes]] = {
    "flip": _flip,
    "drop": _drop,
    "insert": _insert,
    "repeat": _repeat,
    "cut": lambda m, body: body[: m.at(body)],
    "noise": lambda m, body: bytes((m.number * k + k * k) % 256 for k in range(m.number % 50)),
}


def _set(m: Mutation, holder: Any, key: Any) -> None:
    holder[key] = VALUES[m.number % len(VALUES)]


def _delete(m: Mutation, holder: Any, key: Any) -> None:
    del holder[key]


def _copy(m: Mutation, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[f"{key}_"] = holder[key]


def _swap(m: Mutation, holder: Any, key: Any) -> None:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    other = keys[int(m.other * len(keys))]
    holder[key], holder[other] = holder[other], holder[key]


def _retype(m: Mutation, holder: Any, key: Any) -> None:
    value = holder[key]
    ways: list[Any] = [str(value), [value], {"value": value}, json.dumps(value, default=str)]
    if isinstance(value, int | float):
        ways += [
            -value,
            value + 1,
            value * 10**300 if isinstance(value, int) else -value,
            bool(value),
            float(value),
        ]
    if isinstance(value, list):
        ways += [value[::-1], dict(enumerate(value)), value + value, value[1:], value[:-1]]
    holder[key] = ways[m.number % len(ways)]


def _inside(m: Mutation, holder: Any, key: Any) -> None:
    """Damage what a text holds in base64, or the text."""
    value = holder[key]
    if not isinstance(value, str):
        _retype(m, holder, key)
        return
    try:
        holder[key] = base64.b64encode(
            _flip(Mutation("", m.other, m.number, 0), base64.b64decode(value))
        ).decode()
    except (binascii.Error, ValueError):
        holder[key] = value[: int(m.other * len(value))] + chr(32 + m.number % 90)


NODES: dict[str, Callable[[Mutation, Any, Any], None]] = {
    "set": _set,
    "delete": _delete,
    "copy": _copy,
    "swap": _swap,
    "retype": _retype,
    "inside": _inside,
}
KINDS = [*BYTES, *NODES, "twice", "deep"]
SHARE = st.floats(0, 1, exclude_max=True)


def mutations() -> st.SearchStrategy[Mutation]:
    """Return all damages."""
    return st.builds(Mutation, st.sampled_from(KINDS), SHARE, st.integers(0, 2**16), SHARE)
