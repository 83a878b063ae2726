"""``rapid-ising doctor`` and ``backends``: what is ready, what is missing, and what is broken."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from adapters import ADAPTERS
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli import health
from rapid_ising.cli.app import app
from rapid_ising.cli.machines import Status, status_of
from rapid_ising.cli.self_check import checked
from rapid_ising.errors import BackendLoadError, InvalidParameterError, MissingDependencyError
from rapid_ising.typing import States

TOKENS = (
    "AMPLIFY_TOKEN",
    "CIM_GATEWAY_TOKEN",
    "CIM_GATEWAY_URL",
    "DWAVE_API_TOKEN",
    "FUJITSU_DA_API_KEY",
    "FUJITSU_DA_ACCESS_TOKEN",
    "HITACHI_CMOS_TOKEN",
    "QCI_TOKEN",
    "SQBM_TOKEN",
    "SQBM_URL",
)
SECRET = "swordfish-4711"


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no account of any service, and no network."""

    def refuse(*given: Any, **options: Any) -> Any:
        raise AssertionError("it touches the network")

    monkeypatch.chdir(tmp_path)
    for name in TOKENS:
        monkeypatch.delenv(name, raising=False)
    # The vendor's own file of accounts is not looked for in anybody's home.
    monkeypatch.setenv("DWAVE_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def run(*words: str, status: int = 0) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


class TestBackends:
    def test_each_service_names_the_variable_that_is_not_set(self) -> None:
        status = run("backends")["status"]
        for name, variable in {
            "amplify-ae": "AMPLIFY_TOKEN",
            "cim": "CIM_GATEWAY_URL",
            "dwave": "DWAVE_API_TOKEN",
            "fujitsu-da": "FUJITSU_DA_API_KEY",
            "hitachi-cmos": "HITACHI_CMOS_TOKEN",
            "leap-hybrid": "DWAVE_API_TOKEN",
            "toshiba-sqbm": "SQBM_URL",
        }.items():
            assert status[name]["state"] == "not configured"
            assert variable in status[name]["cure"]
        assert {name for name in ADAPTERS if status[name]["state"] == "ready"} == set()
        assert status["gibbs"] == {"state": "ready", "cure": ""}
        assert status["dirac-3"]["state"] in ("not installed", "not configured")

    def test_with_its_token_a_service_is_ready_and_the_token_is_nowhere(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Of Fujitsu's two tokens exactly one is to be set.
        for name in sorted({*TOKENS} - {"FUJITSU_DA_ACCESS_TOKEN"}):
            monkeypatch.setenv(name, "https://localhost:1" if name.endswith("URL") else SECRET)
        for words in (["backends"], ["backends", "dwave"], ["doctor", "fujitsu-da", "cim", "dwave"]):
            for more in ([], ["--json"], ["-v"]):
                result = CliRunner().invoke(app, [*words, *more])
                assert result.exit_code == 0, result.output
                assert SECRET not in result.output
        assert status_of("fujitsu-da")[0].state == "ready"
        assert "asked nothing" in run("doctor", "fujitsu-da")["machines"]["fujitsu-da"]["told"]

    def test_a_token_that_no_token_is_shows_nothing_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FUJITSU_DA_API_KEY", f"{SECRET}\nsecond line")
        status, _ = status_of("fujitsu-da")
        assert status.state == "not configured"
        assert SECRET not in status.cure

    @pytest.mark.parametrize(
        ("error", "state"),
        [
            (MissingDependencyError("its graph needs a package: pip install 'it[graph]'"), "not installed"),
            (InvalidParameterError("it needs the option 'size'"), "not configured"),
            (BackendLoadError("its code fails"), "broken"),
        ],
    )
    def test_what_cannot_be_made_has_its_reason(
        self, error: Exception, state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Machine(Wrong):
            @property
            def published(self) -> ri.Capabilities:
                raise error

        monkeypatch.setattr("rapid_ising.cli.machines.load_backend", lambda name: Machine())
        assert status_of("gibbs") == (Status(state, str(error)), None)  # type: ignore[arg-type]
        assert str(error) in CliRunner().invoke(app, ["backends"]).stdout

    def test_code_from_elsewhere_that_fails_does_not_hide_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(name: str) -> ri.Backend:
            if name == "gibbs":
                raise RuntimeError("no card in slot 3")
            return ri.load_backend(name)

        monkeypatch.setattr("rapid_ising.cli.machines.load_backend", load)
        told = "the code of backend 'gibbs' fails: RuntimeError: no card in slot 3"
        found = run("backends")
        assert found["status"]["gibbs"] == {"state": "broken", "cure": told}
        assert found["status"]["exact"]["state"] == "ready"
        found = run("doctor", "gibbs", "exact", status=1)
        assert found["problems"] == [f"gibbs: {told}"]
        assert found["machines"]["exact"]["passed"] is True
        one = CliRunner().invoke(app, ["backends", "gibbs"])
        assert (one.exit_code, one.stderr) == (2, f"error: {told}\n")


class TestDoctor:
    def test_it_tells_of_this_computer(self) -> None:
        found = run("doctor", "exact", "gibbs")
        assert found["ok"] is True
        assert found["versions"]["numpy"] == np.__version__
        assert found["computer"]["cores"] >= 1
        assert found["compiled loops"]["cache"]
        assert found["machines"]["gibbs"]["passed"] is True
        shown = CliRunner().invoke(app, ["doctor", "exact", "twin-bifurcation"]).stdout
        assert "Nothing is broken." in shown
        assert "twin-bifurcation (digital twin)" in shown

    def test_a_machine_that_was_asked_for_and_is_not_there_is_a_problem(self) -> None:
        found = run("doctor", "fujitsu-da", status=1)
        assert found["ok"] is False
        assert "FUJITSU_DA_API_KEY" in found["problems"][0]

    @pytest.mark.parametrize(
        ("variable", "value", "part"),
        [
            ("RAPID_ISING_THREADS", "0", "RAPID_ISING_THREADS must be an integer"),
            ("RAPID_ISING_DATA", "no/such/folder", "RAPID_ISING_DATA names no/such/folder"),
            ("RAPID_ISING_CACHE", "file/in", "set RAPID_ISING_CACHE to a folder"),
        ],
    )
    def test_what_is_set_wrongly_is_a_problem(
        self, variable: str, value: str, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("file").write_text("no folder", encoding="utf-8")
        monkeypatch.setenv(variable, value)
        found = run("doctor", "exact", "--no-tests", status=1)
        (problem,) = found["problems"]
        assert part in problem

    def test_a_full_disk_and_loops_that_cannot_be_kept_are_problems(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "LEAST_FREE", 2**80)
        monkeypatch.setattr("rapid_ising.cli.health.os.access", lambda *given: False)
        assert "NUMBA_CACHE_DIR" in health.kernels()["problem"]
        assert "cannot be written" in health.folders()["here"]["problem"]
        monkeypatch.setattr("rapid_ising.cli.health.os.access", lambda *given: True)
        assert "MB are free" in health.folders()["here"]["problem"]


LOCAL = [
    name
    for name in ri.available_backends()
    if status_of(name)[0].state == "ready" and not ri.load_backend(name).published.remote
]


@dataclasses.dataclass(frozen=True)
class Wrong(ri.LocalBackend):
    """A machine of some law, but for one mistake."""

    name: ClassVar[str] = "wrong"
    capabilities: ri.Capabilities = dataclasses.field(default_factory=ri.Capabilities)
    mistake: str = ""

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        if self.mistake == "raises":
            raise KeyError("a key of its own")
        model, beta = request.model, request.beta
        if self.mistake == "sign of the fields":
            model = ri.IsingModel(-model.fields, model.couplings)
        if self.mistake == "temperature":
            beta = beta / 2
        states = ri.enumerate_model(model, beta).sample(request.num_reads, request.rng)
        if self.mistake == "random":
            states = (2 * request.rng.integers(2, size=states.shape) - 1).astype(np.int8)
        return states, {}


class TestSelfCheck:
    @pytest.mark.parametrize("name", LOCAL)
    def test_each_local_machine_passes(self, name: str) -> None:
        told = checked(ri.load_backend(name))
        assert told.passed, told.text
        assert told.twin == name.startswith("twin-")

    @pytest.mark.parametrize("mistake", ["sign of the fields", "temperature", "random", "raises"])
    def test_a_wrong_law_fails(self, mistake: str) -> None:
        told = checked(Wrong(mistake=mistake))
        assert not told.passed
        assert ("a key of its own" in told.text) == (mistake == "raises")
        assert checked(Wrong()).passed

    @pytest.mark.parametrize(
        "facts", [{"temperature": "none"}, {"temperature": "effective", "fields": False}]
    )
    def test_an_optimiser_no_better_than_chance_fails(self, facts: dict[str, Any]) -> None:
        told = checked(Wrong(capabilities=ri.Capabilities(**facts), mistake="random"))
        assert not told.passed
        assert "reads of lowest energy" in told.text

    def test_a_failure_is_the_doctors_exit_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "rapid_ising.cli.machines.load_backend", lambda name: Wrong(mistake="temperature")
        )
        found = run("doctor", "gibbs", status=1)
        assert "gibbs fails its self-check" in found["problems"][0]
