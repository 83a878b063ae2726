"""Write the oldest versions that pyproject.toml claims, for pip: ``make test-oldest`` runs on them.

One that constraints.txt pins is left out: it is what ``make test`` runs on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OTHERS = {"dev", "docs", "simulated-bifurcation", "torch"}
"""Extras that are left out: tools, of which nobody needs an old version, and those that bring PyTorch."""


def oldest(project: dict[str, Any], pins: Iterable[str]) -> list[str]:
    """Return ``name==version`` for the lower bound of each dependency, of the core and of the extras."""
    extras = project["optional-dependencies"]
    groups = [project["dependencies"], *(lines for extra, lines in extras.items() if extra not in OTHERS)]
    newest = {canonicalize_name(pin.name): pin.specifier for pin in map(Requirement, pins)}
    found: dict[str, str] = {}
    for requirement in (Requirement(line) for group in groups for line in group):
        bounds = [part.version for part in requirement.specifier if part.operator == ">="]
        assert len(bounds) == 1, f"{requirement} must claim one oldest version"
        known = found.setdefault(requirement.name, bounds[0])
        assert known == bounds[0], f"{requirement.name} has the oldest versions {known} and {bounds[0]}"
    return sorted(
        f"{name}=={bound}" for name, bound in found.items() if bound not in newest[canonicalize_name(name)]
    )


def main() -> None:
    """Print them, one a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    print(*oldest(project, (line for line in lines if not line.startswith("#"))), sep="\n")


if __name__ == "__main__":
    main()
