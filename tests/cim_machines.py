"""The machine ``cim`` with a scripted gateway, and what the tests of it ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

import rapid_ising as ri
from rapid_ising_backends.cim import Cim

URL, TOKEN = "http://lab.example/cim", "swordfish"
MODEL = ri.IsingModel(np.zeros(3), ri.Sparse(3, [0, 1], [1, 2], [1.0, -1.0]), offset=2.5)


def asked(machine: ri.Backend, reads: int = 2, deadline: float | None = None) -> ri.Request:
    return machine._request(MODEL, reads, 1.0, None, None, deadline)


def scripted(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Cim:
    """Return the machine with a service that answers so."""
    machine = Cim(url=URL, token=TOKEN, **options)
    machine.transport._client = httpx.Client(transport=httpx.MockTransport(answer))
    return machine
