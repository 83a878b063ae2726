"""What the tests of D-Wave's solvers share: no account of whoever runs them, and a recorded service."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest

from rapid_ising.deadline import Deadline
from rapid_ising.remote import Reply, Transport, machine, transport
from rapid_ising.remote.backoff import Backoff

URL, TOKEN = "https://sapi.example.org/sapi/v2", "canary-8d1f"


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """No environment and no configuration file of D-Wave's tools; their cache in a folder of the test."""
    for variable in os.environ:
        if variable.startswith("DWAVE_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("DWAVE_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("DWAVE_CACHE_HOME", str(tmp_path))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that are noted and short, and looks for an answer in quick succession."""
    monkeypatch.setattr(machine, "POLLS", Backoff(first=0.001, factor=1.5, longest=0.05))
    pauses: list[float] = []
    real = transport.sleep

    def nap(seconds: float) -> None:
        pauses.append(seconds)
        real(min(seconds, 0.002))

    monkeypatch.setattr(transport, "sleep", nap)
    return pauses


class Wire:
    """A service that gives recorded answers, by method and path, and keeps what it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, tuple[str, Any]]) -> None:
        self.answers = dict(answers)
        self.sent: list[tuple[str, str, bytes, dict[str, str]]] = []
        monkeypatch.setattr(Transport, "_once", self._once_of())

    def _once_of(self) -> Any:
        def once(
            way: Transport,
            method: str,
            path: str,
            body: bytes,
            params: Any,
            headers: Any,
            deadline: Deadline,
            silence: float,
        ) -> Reply:
            self.sent.append((method, path, body, dict(headers or {})))
            media, content = self.answers[f"{method} {path}"]
            kind = f"application/vnd.dwave.sapi.{media}+json; version=3.0.0"
            return Reply(200, {"content-type": kind}, json.dumps(content).encode())

        return once
