"""What building and encoding a large request costs: the dense problem of a Digital Annealer, in several ways.

Run: python benchmarks/wire.py [N] [REPEATS]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

import rapid_ising as ri
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


def pydantic_way() -> Callable[[Binary], bytes] | None:
    """Return the way by pydantic's models, None where it is not installed."""
    try:
        import pydantic
    except ImportError:
        return None

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


def seconds(work: Callable[[], bytes], repeats: int) -> tuple[float, bytes]:
    """Return the shortest of several times of this process, and the body."""
    times, body = [], b""
    for _ in range(repeats):
        began = time.process_time()
        body = work()
        times.append(time.process_time() - began)
    return min(times), body


def main(spins: int = 2000, repeats: int = 3) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    upper = np.triu(rng.integers(-(2**31), 2**31, size=(spins, spins)), 1).astype(float)
    model = ri.IsingModel(rng.integers(-(2**31), 2**31, size=spins).astype(float), upper + upper.T)
    machine = FujitsuDa(token="none")
    request = machine._request(model, 5, 1.0, None, None, None)
    form = binary(model)
    spent, body = seconds(lambda: machine._body(request), repeats)
    ways: dict[str, Callable[[], bytes]] = {
        "msgspec: structures without gc, all at once": lambda: structures(form, Term),
        "msgspec: structures, all at once": lambda: structures(form, Tracked),
        "msgspec: dictionaries": lambda: msgspec.json.encode(dictionaries(form)),
        "text by hand": lambda: text(form),
        "json: dictionaries": lambda: json.dumps(dictionaries(form), separators=(",", ":")).encode(),
    }
    modelled = pydantic_way()
    if modelled is not None:
        ways["pydantic: models"] = lambda: modelled(form)
    print(f"{spins} spins, dense: {len(body) / 1e6:.1f} MB; the best of {repeats} times, of the processor")
    print(f"{'fujitsu-da: structures without gc, by blocks':46s} {spent * 1e3:8.1f} ms")
    sent = msgspec.json.decode(body, type=Problem3).binary_polynomial.terms
    for name, way in ways.items():
        other, made = seconds(way, repeats)
        found = msgspec.json.decode(made, type=Problem3).binary_polynomial.terms
        assert bytes(found) == bytes(sent), f"{name}: another request"
        print(f"{name:46s} {other * 1e3:8.1f} ms  {other / spent:5.2f} x as long")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
