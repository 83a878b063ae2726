"""The laws of the house that no type checker and no linter holds."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.metadata as metadata
import importlib.util
import inspect
import itertools
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapters import HEAVY

import rapid_ising
import rapid_ising_backends
from rapid_ising import Backend, errors
from rapid_ising.couplings import Couplings
from rapid_ising.errors import RapidIsingError
from rapid_ising.job import Job
from rapid_ising.registry import GROUP

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIBRARY_STUB = ROOT / "rapid_ising" / "__init__.pyi"
LIBRARY = sorted((ROOT / "rapid_ising").rglob("*.py"))
MACHINES = sorted((ROOT / "backends" / "rapid_ising_backends").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
OWN = metadata.distribution("rapid-ising").entry_points.select(group=GROUP)

LATE = {
    "rapid_ising_backends",
    "distributed",
    "dwave",
    "joblib",
    "matplotlib",
    "neal",
    "numba",
    "pytest",
    "sklearn",
    "torch",
    "typer",
}
"""What is imported when it is used, and not with the public names."""
OPEN_MODULES = {
    "rapid_ising.typing",
    "rapid_ising.validation",
    "rapid_ising.errors",
    "rapid_ising.kernels.compile",
    "rapid_ising.deadline",
    "rapid_ising.remote",
}
"""The modules, besides the public names of ``rapid_ising``, that a machine may import from."""
ELSEWHERE = {"rapid_ising.torch": "torch"}
"""The modules that cannot be imported without a package that the environment of the tests lacks."""
UNDECLARED = {"qci_client"}
"""What no extra can name: qci-client asks for networkx<3, and rapid-ising for networkx>=3."""
UNSAFE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Every import of a file, at any depth: the module, and the name taken from it if one is."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} has a relative import"
            for alias in node.names:
                yield node.module or "", alias.name


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def public_names() -> set[str]:
    return {
        node.names[0].asname or "" for node in tree(LIBRARY_STUB).body if isinstance(node, ast.ImportFrom)
    }


def loaded(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after ``code``."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return {name.partition(".")[0] for name in answer.stdout.split()}


def every_class() -> Iterator[type]:
    """Every class that the two packages define, each once, but for modules of packages that are not here."""
    for package in (rapid_ising, rapid_ising_backends):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not importlib.util.find_spec(ELSEWHERE.get(info.name, "rapid_ising")):
                continue
            module = importlib.import_module(info.name)
            for value in vars(module).values():
                if isinstance(value, type) and value.__module__ == info.name:
                    yield value


def named(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return match.group()


class TestDirection:
    def test_importing_the_library_loads_no_other_package(self) -> None:
        packages = loaded("import rapid_ising") - loaded("pass")
        assert packages - sys.stdlib_module_names == {"rapid_ising", "lazy_loader"}

    def test_public_names_are_not_hidden_by_files_of_the_same_name(self) -> None:
        """A function ``overlaps`` in overlaps.py: Python itself would put the file where the function was."""
        for package in (rapid_ising.evaluation, rapid_ising.datasets):
            for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
                importlib.import_module(info.name)
            assert [name for name in package.__all__ if inspect.ismodule(getattr(package, name))] == []

    @pytest.mark.parametrize("use", ["rapid_ising.available_backends()", "from rapid_ising import *"])
    def test_its_names_load_no_machine_and_no_slow_package(self, use: str) -> None:
        assert loaded(f"import rapid_ising; {use}") & LATE == set()

    @pytest.mark.parametrize("path", LIBRARY, ids=place)
    def test_the_library_imports_no_machine(self, path: Path) -> None:
        assert [module for module, _ in imports(path) if module.startswith("rapid_ising_backends")] == []

    @pytest.mark.parametrize("path", MACHINES, ids=place)
    def test_machines_import_only_the_public_names(self, path: Path) -> None:
        own = [(m, n) for m, n in imports(path) if m.partition(".")[0] == "rapid_ising"]
        allowed = public_names()
        assert [
            (module, name)
            for module, name in own
            if not (module in OPEN_MODULES or (module == "rapid_ising" and name in allowed))
            or (name or "").startswith("_")
        ] == []

    def test_the_public_names_are_explicit_exports_and_nothing_else(self) -> None:
        for node in tree(LIBRARY_STUB).body:
            assert isinstance(node, ast.ImportFrom), ast.unparse(node)
            assert len(node.names) == 1, ast.unparse(node)
            assert node.names[0].name == node.names[0].asname, ast.unparse(node)

    def test_each_public_name_is_what_its_module_defines(self) -> None:
        assert public_names() == {*dir(rapid_ising)}
        for node in tree(LIBRARY_STUB).body:
            assert isinstance(node, ast.ImportFrom)
            name = node.names[0].name
            path = ".".join(part for part in ("rapid_ising", node.module) if part)
            found = importlib.import_module(f"{path}.{name}" if node.module is None else path)
            assert getattr(rapid_ising, name) is (found if node.module is None else getattr(found, name))

    def test_what_the_library_imports_is_declared(self) -> None:
        extras = PROJECT["optional-dependencies"]
        offered = [extra for name, extra in extras.items() if name != "dev"]
        declared = [*PROJECT["dependencies"], *itertools.chain(*offered)]
        allowed = {named(requirement) for requirement in declared}
        owners = metadata.packages_distributions()
        own = {"rapid_ising", "rapid_ising_backends", *UNDECLARED, *sys.stdlib_module_names}
        for path in [*LIBRARY, *MACHINES, *EXAMPLES]:
            for module in {module.partition(".")[0] for module, _ in imports(path)} - own:
                # A package that is not installed here is declared by the name of its module.
                names = owners.get(module, [module.replace("_", "-")])
                assert allowed & {*names}, f"{place(path)} imports {module}"

    def test_the_named_packages_are_used(self) -> None:
        used = {module.partition(".")[0] for path in [*LIBRARY, *MACHINES] for module, _ in imports(path)}
        assert {"dimod", "neal", "networkx", "numpy", "pytest"} <= used


class TestModules:
    @pytest.mark.parametrize("path", [*LIBRARY, *MACHINES, *EXAMPLES], ids=place)
    def test_says_what_it_is_for(self, path: Path) -> None:
        assert ast.get_docstring(tree(path)), f"{place(path)} has no docstring"

    @pytest.mark.parametrize("path", [*LIBRARY, *MACHINES, *EXAMPLES], ids=place)
    def test_reads_and_writes_no_pickle(self, path: Path) -> None:
        assert {module.partition(".")[0] for module, _ in imports(path)} & UNSAFE == set()
        for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            # joblib runs pieces of work here, and nothing else.
            assert ast.unparse(call.func) not in ("joblib.dump", "joblib.load", "joblib.Memory")
            assert options.get("allow_pickle", "False") == "False", ast.unparse(call)
            if ast.unparse(call.func) in ("np.load", "numpy.load"):
                assert "allow_pickle" in options, f"say allow_pickle=False: {ast.unparse(call)}"

    @pytest.mark.parametrize("path", EXAMPLES, ids=place)
    def test_examples_are_numbered_and_short(self, path: Path) -> None:
        assert re.match(r"\d\d_", path.name)
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60


class TestErrors:
    def test_every_error_class_derives_from_the_root(self) -> None:
        kinds = [k for k in every_class() if issubclass(k, Exception) and not issubclass(k, Warning)]
        assert [kind for kind in kinds if not issubclass(kind, RapidIsingError)] == []

    def test_each_is_drawn_in_the_tree_with_the_builtin_that_it_is(self) -> None:
        drawn = dict(re.findall(r"[├└]── (\w+) *(\w*)", errors.__doc__ or ""))
        kinds = {k.__name__: k for k in every_class() if issubclass(k, RapidIsingError)}
        assert set(drawn) | {"RapidIsingError"} == set(kinds)
        for name, builtin in drawn.items():
            expected = getattr(builtins, builtin) if builtin.endswith("Error") else Exception
            assert issubclass(kinds[name], expected)
            natural = [base for base in kinds[name].__mro__ if base.__module__ == "builtins"]
            assert natural[0] is not Exception, f"{name} inherits no builtin error"

    @pytest.mark.parametrize("path", [*LIBRARY, *MACHINES], ids=place)
    def test_no_builtin_error_is_raised(self, path: Path) -> None:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                kind = getattr(builtins, ast.unparse(raised), None)
                assert not (isinstance(kind, type) and issubclass(kind, Exception)), (
                    f"{place(path)}:{node.lineno} raises {ast.unparse(raised)}, which is not of our tree"
                )


class TestMachines:
    @pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.name)
    def test_each_is_registered_by_its_own_name(self, entry: metadata.EntryPoint) -> None:
        kind = entry.load()
        assert issubclass(kind, Backend)
        assert kind.name == entry.name

    def test_the_installed_machines_are_those_of_pyproject(self) -> None:
        assert {entry.name: entry.value for entry in OWN} == PROJECT["entry-points"][GROUP]

    @pytest.mark.parametrize("root", [Backend, Couplings, Job])
    def test_a_class_is_abstract_or_final(self, root: type) -> None:
        kinds = [kind for kind in every_class() if issubclass(kind, root)]
        open_ = [k for k in kinds if not (inspect.isabstract(k) or getattr(k, "__final__", False))]
        assert open_ == []


class TestRelease:
    def test_the_version_is_one(self) -> None:
        assert metadata.version("rapid-ising") == rapid_ising.__version__
        newest = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
        assert newest is not None
        assert newest.group(1) == rapid_ising.__version__

    def test_constraints_pin_every_dependency_and_name_no_host(self) -> None:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s/;]+", line)] == []
        names = [named(line) for line in pins]
        assert names == sorted(names, key=str.lower)
        extras = PROJECT["optional-dependencies"]
        # The pins are those of the environment of the tests, which has no part of these.
        heavy = {*HEAVY, "torch"}
        assert not any(name in line for name in heavy for line in extras["dev"])
        offered = [lines for extra, lines in extras.items() if extra not in heavy]
        wanted = [PROJECT["dependencies"], *offered]
        assert {named(line) for group in wanted for line in group} - {*names} == {"rapid-ising"}
