"""What building and encoding a large request costs: a Digital Annealer's dense problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import numpy as np

import rapid_ising as ri
from benchmarks.side_by_side import Pair, Size, Work, case, peer, pick
from rapid_ising_backends.fujitsu_da import FujitsuDa
from rapid_ising_backends.fujitsu_da_wire import Binary, Problem3, Solver3, Term, binary

SOLVER = Solver3(10, 16, 1, 5, 5, 8000)


class Tracked(msgspec.Struct):
    """A term that the garbage collector looks after, which is what a structure is by default."""

    c: int
    p: tuple[int, ...]


def pairs(form: Binary) -> Any:
    """Return each coefficient and its bits."""
    bits = zip(form.rows.tolist(), form.columns.tolist(), strict=True)
    yield from ((a, (i,)) for i, a in enumerate(form.linear.tolist()))
    yield from zip(form.quadratic.tolist(), bits, strict=True)


def listed(terms: list[Any]) -> dict[str, Any]:
    """Return the body with its terms as objects."""
    return {"fujitsuDA3": msgspec.to_builtins(SOLVER), "binary_polynomial": {"terms": terms}}


def structures(form: Binary, kind: type[Any]) -> bytes:
    return msgspec.json.encode(listed([kind(c, p) for c, p in pairs(form)]))


def dictionaries(form: Binary) -> dict[str, Any]:
    return listed([{"c": c, "p": p} for c, p in pairs(form)])


def text(form: Binary) -> bytes:
    lines = ",".join([f'{{"c":{c},"p":[{",".join(map(str, p))}]}}' for c, p in pairs(form)])
    head = msgspec.json.encode(listed([]))
    return head[:-3] + lines.encode() + head[-3:]


def pydantic_way() -> Callable[[Binary], bytes]:
    """Return the way by pydantic's models."""
    import pydantic

    class Item(pydantic.BaseModel):
        c: int
        p: tuple[int, ...]

    class Terms(pydantic.BaseModel):
        terms: list[Item]

    class Body(pydantic.BaseModel):
        fujitsuDA3: dict[str, int]  # noqa: N815 - the service's name
        binary_polynomial: Terms

    def way(form: Binary) -> bytes:
        terms = Terms(terms=[Item(c=c, p=p) for c, p in pairs(form)])
        body = Body(fujitsuDA3=msgspec.to_builtins(SOLVER), binary_polynomial=terms)
        return body.model_dump_json().encode()

    return way


@case(1)
def wire(size: Size, threads: int) -> Iterator[Pair]:
    spins = pick(size, 40, 2000)
    rng = np.random.default_rng(0)
    upper = np.triu(rng.integers(-(2**31), 2**31, size=(spins, spins)), 1).astype(float)
    model = ri.IsingModel(rng.integers(-(2**31), 2**31, size=spins).astype(float), upper + upper.T)
    machine = FujitsuDa(token="none")
    request = machine._request(model, 5, 1.0, None, None, None)
    form = binary(model)
    ours = partial(machine._body, request)
    ways: dict[str, Work | None] = {
        "msgspec: structures without gc, at once": lambda: structures(form, Term),
        "msgspec: structures, at once": lambda: structures(form, Tracked),
        "msgspec: dictionaries": lambda: msgspec.json.encode(dictionaries(form)),
        "text by hand": lambda: text(form),
        "json: dictionaries": lambda: json.dumps(dictionaries(form), separators=(",", ":")).encode(),
        "pydantic: models": peer("pydantic", lambda: partial(pydantic_way(), form)),
    }
    sent = terms(ours())
    for name, way in ways.items():
        if way is not None:
            assert terms(way()) == sent, f"{name}: another request"
        yield Pair("-", f"the request of a Digital Annealer, N={spins}, dense", ours, name, way)


def terms(body: object) -> bytes:
    """Return the terms of a request as they were sent."""
    assert isinstance(body, bytes)
    return bytes(msgspec.json.decode(body, type=Problem3).binary_polynomial.terms)
