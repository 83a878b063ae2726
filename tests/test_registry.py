"""Machines by name, from distributions that are whole, broken, doubled or half installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import pytest

import rapid_ising as ri
from rapid_ising.errors import (
    BackendLoadError,
    DuplicateBackendError,
    InvalidParameterError,
    MissingDependencyError,
    UnknownBackendError,
    UnknownOptionError,
)

GOOD = """
import rapid_ising as ri

class Machine(ri.LocalBackend):
    name = "outside"
    capabilities = ri.Capabilities()
    def _draw(self, request):
        return ri.enumerate_model(request.model, request.beta).sample(request.num_reads, request.rng), {}

value = 3
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a distribution with one backend, as an installer leaves it."""

    def installer(
        distribution: str, entry: str, code: str = GOOD, requires: str = "", name: str = "outside"
    ) -> None:
        module = entry.split(":")[0]
        site = tmp_path / distribution
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        # An installer spells extras in lower case, with hyphens, and leaves entry points as they are.
        named = entry.partition("[")[2].rstrip("]").replace("_", "-").lower()
        extra = (
            f"Provides-Extra: {named}\nRequires-Dist: {requires}; extra == '{named}'\n" if requires else ""
        )
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{extra}")
        (info / "entry_points.txt").write_text(f"[rapid_ising.backends]\n{name} = {entry}\n")
        (site / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return installer


def test_the_machines_of_this_project_are_listed() -> None:
    names = ri.available_backends()
    assert {"exact", "gibbs", "simulated-annealing"} <= set(names)
    assert names == sorted(set(names))
    for name in names:
        assert isinstance(ri.load_backend(name), ri.Backend)


def test_a_machine_from_outside_comes_in_by_the_same_door(install: Install) -> None:
    install("outsider", "outsider_machine:Machine")
    assert "outside" in ri.available_backends()
    answer = ri.as_backend("outside").sample(dimod.BQM({"a": 1.0}, {}, "SPIN"), beta=float("inf"))
    assert answer.first.energy == -1.0


def test_listing_imports_nothing(install: Install) -> None:
    install("landmine", "landmine:Machine", "raise SystemExit('imported')")
    code = (
        "import sys, rapid_ising as ri; names = ri.available_backends(); "
        "print(names, sorted({'landmine', 'rapid_ising_backends', 'neal'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "'outside'" in answer.stdout
    assert answer.stdout.strip().endswith("[]")


def test_an_unknown_name_has_its_nearest() -> None:
    with pytest.raises(UnknownBackendError, match="did you mean 'simulated-annealing'") as caught:
        ri.load_backend("simulated-anealing")
    assert "exact" in str(caught.value)
    assert isinstance(caught.value, LookupError)
    with pytest.raises(UnknownBackendError, match="Known: "):
        ri.as_backend("zzz")


def test_an_unknown_option_names_those_that_there_are() -> None:
    with pytest.raises(
        UnknownOptionError,
        match=r"'burnin': did you mean 'burn_in'\? It has: burn_in, thin",
    ):
        ri.load_backend("gibbs", burnin=3)
    with pytest.raises(UnknownOptionError, match="it has: none"):
        ri.load_backend("exact", sweeps=3)


def test_one_name_from_two_distributions(install: Install) -> None:
    install("first-party", "first_machine:Machine")
    install("second-party", "second_machine:Machine")
    with pytest.raises(
        DuplicateBackendError, match="'outside' is registered by first-party and by second-party"
    ):
        ri.load_backend("outside")
    assert ri.available_backends().count("outside") == 1


def test_a_built_in_name_cannot_be_taken_over(install: Install) -> None:
    install("usurper", "usurper_machine:Machine", name="exact")
    with pytest.raises(DuplicateBackendError, match="rapid-ising and by usurper"):
        ri.load_backend("exact")


@pytest.mark.parametrize("extra", ["sdk", "far-sdk", "Far_SDK"])
def test_a_missing_sdk_has_its_pip_line(install: Install, extra: str) -> None:
    install(
        "far-away",
        f"far_machine:Machine [{extra}]",
        "import sdk_that_is_not_there\n" + GOOD,
        "sdk-that-is-not-there>=2",
    )
    with pytest.raises(MissingDependencyError) as caught:
        ri.load_backend("outside")
    assert str(caught.value) == (
        "backend 'outside' needs sdk-that-is-not-there, not installed here: "
        f"pip install 'far-away[{extra.replace('_', '-').lower()}]'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("entry", "code", "requires", "cause"),
    [
        ("broken_one:Machine", "1 / 0", "", "ZeroDivisionError"),
        ("broken_two:Machine", "import module_that_is_not_there", "", "ModuleNotFoundError"),
        ("broken_three:Machine [sdk]", "from numpy import nothing_at_all", "numpy", "ImportError"),
        ("broken_four:Machine [sdk]", "{}['key']", "sdk-that-is-not-there", "KeyError"),
        ("broken_five:Machine", "this is no python", "", "SyntaxError"),
        ("broken_six:Machin", GOOD, "", "AttributeError"),
    ],
)
def test_a_bug_in_a_backend_is_never_called_not_installed(
    install: Install, entry: str, code: str, requires: str, cause: str
) -> None:
    install("broken", entry, code, requires)
    with pytest.raises(
        BackendLoadError, match=f"'outside' of broken fails while it is imported: {cause}"
    ) as caught:
        ri.load_backend("outside")
    assert "not installed" not in str(caught.value)
    assert type(caught.value.__cause__).__name__ == cause


def test_an_entry_that_is_no_backend(install: Install) -> None:
    install("confused", "confused_machine:value")
    with pytest.raises(BackendLoadError, match="confused_machine:value, which is not a Backend class"):
        ri.load_backend("outside")


@pytest.mark.parametrize("backend", [None, 3, ri.Backend, dimod.ExactSolver], ids=repr)
def test_what_is_no_backend(backend: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"a name, a Backend or a dimod\.Sampler"):
        ri.as_backend(backend)
