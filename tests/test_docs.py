"""The documentation: all that it shows runs, what it links to is there, and the API has every public name."""

from __future__ import annotations

import importlib
import importlib.util
import re
import types
from importlib import metadata
from pathlib import Path

import pages
import pytest

import rapid_ising
from rapid_ising.registry import GROUP

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "backends/README.md"))]
NOT_RUN = {"docs/tasks/run-on-hardware.md": 1}
"""How many blocks of which page are not run."""
REASON = r"(it )?(needs|costs) .+"
APART = ("machine", "testing", "jobs")
"""Public modules that are no names of ``rapid_ising`` themselves."""

ELSEWHERE = "rapid_ising.torch."
"""What needs PyTorch, which the environment of the tests lacks."""


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def shows(path: Path) -> bool:
    """Whether a page has something to run, and no other test runs it."""
    runs = [block for block in pages.blocks(path) if block.language in ("python", *pages.SHELLS)]
    return bool(runs) and not pages.told(path, "run by")


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
@pytest.mark.parametrize("path", [path for path in DOCS if shows(path)], ids=place)
def test_a_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [name for name in pages.told(path, "needs") if not is_installed(name)]
    if missing:
        pytest.skip(f"{place(path)} needs {', '.join(missing)}")
    pages.run(path, tmp_path, monkeypatch)


def test_what_is_not_run_says_why() -> None:
    found: dict[str, int] = {}
    for path in PAGES:
        for block in pages.blocks(path):
            if block.reason:
                assert re.fullmatch(REASON, block.reason), f"{place(path)}:{block.line}: {block.reason}"
                found[place(path)] = found.get(place(path), 0) + 1
    assert found == NOT_RUN


def test_pages_with_a_test_of_their_own_are_in_it() -> None:
    for path in DOCS:
        for test in pages.told(path, "run by"):
            assert path.name in (ROOT / test).read_text(encoding="utf-8"), f"{place(path)} is not in {test}"


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_its_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for block in pages.blocks(path):
        for command in pages.commands(block.text, "make") if block.language in pages.SHELLS else []:
            for target in re.findall(r"^make ([a-z-]+)", command):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{place(path)}: {command}"


def headings(path: Path) -> set[str]:
    """Return the anchors of a page, made of its headings as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_its_links_hold_where_the_markdown_is_read(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{place(path)} links to {link}"
        assert not anchor or anchor in headings(target), f"{place(path)} links to {link}"


def test_the_api_has_every_public_name() -> None:
    written: set[str] = set()
    for path in (ROOT / "docs" / "api").glob("*.md"):
        module = "rapid_ising"
        for directive, name in re.findall(r"^\.\. (\w+):: (\S+)", path.read_text(encoding="utf-8"), re.M):
            if directive == "currentmodule":
                module = name
            elif directive == "automodule":
                written |= {f"{name}.{own}" for own in own_names(name)}
            else:
                written.add(f"{module}.{name}" if path.stem != "backends" else name)
    top = {name: getattr(rapid_ising, name) for name in dir(rapid_ising)}
    modules = {value.__name__ for value in top.values() if isinstance(value, types.ModuleType)}
    modules |= {f"rapid_ising.{name}" for name in APART}
    public = {f"{module}.{name}" for module in modules for name in own_names(module)}
    public |= {f"rapid_ising.{name}" for name, value in top.items() if callable(value)}
    # What is public in two modules is written in one.
    objects = {id(named(name)) for name in written if not name.startswith(ELSEWHERE)}
    missing = [name for name in public if id(named(name)) not in objects]
    assert sorted(missing) == [], "give each a line in a page of docs/api/"


def test_every_machine_is_shown_with_its_options() -> None:
    text = (ROOT / "docs" / "api" / "backends.md").read_text(encoding="utf-8")
    shown = re.findall(r"^### `([\w-]+)`\n\n```{eval-rst}\n.. autoclass:: (\S+)", text, re.MULTILINE)
    machines = metadata.distribution("rapid-ising").entry_points.select(group=GROUP)
    wanted = {entry.name: f"{entry.module}.{entry.attr}" for entry in machines}
    assert dict(shown) == wanted


def own_names(module: str) -> list[str]:
    """Return the classes and functions that a module offers."""
    found = importlib.import_module(module)
    package = hasattr(found, "__path__")
    return [
        name
        for name, value in ((name, getattr(found, name)) for name in dir(found))
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "").startswith("rapid_ising")
        and (package or value.__module__ == module)
    ]


def named(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)
