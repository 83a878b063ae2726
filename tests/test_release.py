"""What goes out with a release says one thing everywhere: versions, citation, extras, oldest versions."""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from oldest import oldest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app
from rapid_ising.registry import GROUP

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = {"rapid_ising": ROOT, "rapid_ising_backends": ROOT / "backends"}
OWNERS = metadata.packages_distributions()


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


CORE = names(PROJECT["dependencies"])


class TestVersion:
    def test_it_is_written_once(self) -> None:
        written = re.compile(rf"version\w*\s*=\s*['\"]{re.escape(ri.__version__)}['\"]")
        places = [ROOT / name for name in ("rapid_ising", "backends", "docs", "benchmarks")]
        files = [ROOT / "pyproject.toml", *(path for place in places for path in place.rglob("*.py"))]
        found = [
            str(path.relative_to(ROOT)) for path in files if written.search(path.read_text(encoding="utf-8"))
        ]
        assert found == ["rapid_ising/version.py"]

    def test_the_command_says_it(self) -> None:
        assert CliRunner().invoke(app, ["--version"]).output == f"rapid-ising {ri.__version__}\n"

    def test_it_is_one_that_can_be_released(self) -> None:
        assert str(Version(ri.__version__)) == ri.__version__


class TestChangelog:
    def test_it_has_the_form_of_keep_a_changelog(self) -> None:
        text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        releases = re.findall(r"^## (.*)$", text, re.M)
        dated = r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|Unreleased)"
        assert [line for line in releases if not re.fullmatch(dated, line)] == []
        kinds = re.findall(r"^### (.*)$", text, re.M)
        assert {*kinds} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


class TestCitation:
    CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    def test_it_agrees_with_the_project(self) -> None:
        said = {key: self.CITATION[key] for key in ("title", "version", "license")}
        assert said == {
            "title": PROJECT["name"],
            "version": ri.__version__,
            "license": PROJECT["license"],
        }
        assert self.CITATION["authors"] == [{"name": PROJECT["authors"][0]["name"]}]

    def test_it_has_what_the_format_requires(self) -> None:
        assert {"cff-version", "message", "title", "authors"} <= set(self.CITATION)
        (paper,) = self.CITATION["references"]
        assert {"type", "title", "authors"} <= set(paper)
        assert re.fullmatch(r"10\.\d{4,9}/\S+", paper["doi"])

    def test_the_paper_is_the_one_that_the_readme_names(self) -> None:
        (paper,) = self.CITATION["references"]
        readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
        assert paper["title"] in readme.replace("*", "")
        assert paper["identifiers"][0]["value"] in readme


def at_the_top(module: str, seen: set[str]) -> Iterator[str]:
    """The modules of others that are imported when ``module`` is, by way of our own ones too."""
    seen.add(module)
    stem = SOURCES[module.partition(".")[0]].joinpath(*module.split("."))
    path = next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None)
    # rapid_ising itself imports its names when they are used.
    body = [] if path is None or module == "rapid_ising" else ast.parse(path.read_text(encoding="utf-8")).body
    for node in body:
        taken = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            taken = [f"{node.module}", *(f"{node.module}.{name}" for name in taken)]
        for name in taken:
            if name.partition(".")[0] not in SOURCES:
                yield name.partition(".")[0]
            elif name not in seen:
                yield from at_the_top(name, seen)


class TestExtras:
    """A machine that needs more than the core has an extra of its name, with what it imports."""

    @pytest.mark.parametrize("name", PROJECT["entry-points"][GROUP])
    def test_a_machine_names_its_own_extra_and_no_other(self, name: str) -> None:
        module, _, named = PROJECT["entry-points"][GROUP][name].partition(" ")
        extra = names(PROJECT["optional-dependencies"].get(name, []))
        # A package that is not installed here is declared by the name of its module.
        needed = {
            package: {canonicalize_name(owner) for owner in OWNERS.get(package, [package])}
            for package in {*at_the_top(module.partition(":")[0], set())} - sys.stdlib_module_names
        }
        beyond = {package: owners for package, owners in needed.items() if not owners & CORE}
        # Some import what they need when they are asked, and so have an extra and nothing at the top.
        assert named == (f"[{name}]" if name in PROJECT["optional-dependencies"] else "")
        assert {package for package, owners in beyond.items() if not owners & extra} == set()

    def test_one_that_is_behind_a_service_is_among_them(self) -> None:
        assert {"httpx", "msgspec"} <= {*at_the_top("rapid_ising_backends.cim", set())}
        assert {*at_the_top("rapid_ising_backends.gibbs", set())} & {"httpx", "msgspec"} == set()

    def test_pip_finds_each(self) -> None:
        offered = metadata.metadata("rapid-ising").get_all("Provides-Extra") or []
        assert sorted(offered) == sorted(PROJECT["optional-dependencies"])


class TestOldest:
    def test_each_is_older_than_what_the_other_tests_run_on(self) -> None:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        newest = {canonicalize_name(pin.partition("==")[0]): Version(pin.partition("==")[2]) for pin in pins}
        old = dict(line.split("==") for line in oldest(PROJECT, pins))
        assert all(Version(bound) < newest[canonicalize_name(name)] for name, bound in old.items())

    def test_it_is_read_from_the_lower_bounds(self) -> None:
        project = {
            "dependencies": ["one>=1.2", "two>=2"],
            "optional-dependencies": {
                "more": ["three>=3,<4", "one>=1.2"],
                "dev": ["mypy"],
                "torch": ["torch>=2"],
            },
        }
        assert oldest(project, ["one==1.5", "two==2.0.0", "three==3.9"]) == ["one==1.2", "three==3"]

    @pytest.mark.parametrize(
        ("core", "extra", "said"),
        [("one", "two>=1", "one must claim one"), ("one>=1", "one>=2", "versions 1 and 2")],
    )
    def test_a_claim_that_cannot_be_tested_is_refused(self, core: str, extra: str, said: str) -> None:
        project = {"dependencies": [core], "optional-dependencies": {"more": [extra]}}
        with pytest.raises(AssertionError, match=said):
            oldest(project, ["one==9", "two==9"])
