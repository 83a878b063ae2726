"""Where a service is: told by the option or the environment, and missed only when something is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

import pytest

from rapid_ising import Capabilities, IsingModel, Request
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError
from rapid_ising.remote import RemoteMachine, Secret, Sent, Transport
from rapid_ising.typing import States

VARIABLE = "DEMO_URL"
MODEL = IsingModel([1.0], [[0.0]])


@final
@dataclasses.dataclass(frozen=True)
class Demo(RemoteMachine):
    name: ClassVar[str] = "demo"
    capabilities: Capabilities = dataclasses.field(
        default=Capabilities(seedable=False, remote=True), init=False
    )
    url: str | None = None
    token: str | Secret | None = None

    def __post_init__(self) -> None:
        self._connect(address=VARIABLE, required=False)

    def _send(self, request: Request, tag: str) -> Sent:
        return Sent(tag, self.transport.get("/", deadline=request.deadline))

    def _fetch(self, request: Request, id: str, deadline: Deadline) -> Any:
        return self.transport.get("/", deadline=deadline)

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        raise NotImplementedError


def test_a_machine_without_an_address_can_be_checked_and_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    machine = Demo()
    machine.check(MODEL)
    assert machine.url is None
    with pytest.raises(InvalidParameterError, match=f"no address: give url=.* {VARIABLE}"):
        machine.sample(MODEL)


def test_every_request_misses_the_address() -> None:
    with pytest.raises(InvalidParameterError, match=r"demo has no address: give url='https://host/\.\.\.';"):
        Transport("demo", None).get("/", deadline=Deadline(1))


def test_the_option_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://elsewhere:8000/")
    assert Demo().transport.url == "http://elsewhere:8000"
    assert Demo(url="http://here").transport.url == "http://here"
    monkeypatch.setenv(VARIABLE, "")
    assert Demo().url is None


def test_an_address_of_the_environment_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://me:swordfish@here")
    with pytest.raises(InvalidParameterError, match="without a user, a password") as caught:
        Demo()
    assert "swordfish" not in str(caught.value)
