"""Check what a release holds: ``python tests/archives.py dist``, the folder of its two archives."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import Metadata
from readme_renderer import markdown

ROOT = Path(__file__).parents[1]
PACKAGES = {"rapid_ising": "rapid_ising", "rapid_ising_backends": "backends/rapid_ising_backends"}
"""Where in the repository each import package is."""
LARGEST = 500_000
"""The bytes of the largest file that an archive may hold: a picture of the documentation."""


def tracked(*places: str) -> set[str]:
    """Return the files that git knows in these places."""
    command = ["git", "ls-files", "-z", "--", *places]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name}


def differ(what: str, found: set[str], expected: set[str]) -> list[str]:
    """Say which files are in one of two sets alone."""
    return [f"{what} has {name}" for name in sorted(found - expected)] + [
        f"{what} lacks {name}" for name in sorted(expected - found)
    ]


def wheel_faults(path: Path) -> list[str]:
    """Return what is wrong with the files of a wheel, and with its metadata."""
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        (info,) = {name.partition("/")[0] for name in sizes if ".dist-info/" in name}
        text = archive.read(f"{info}/METADATA")
    expected = {
        package + name.removeprefix(place) for package, place in PACKAGES.items() for name in tracked(place)
    }
    expected |= {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    expected.add(f"{info}/licenses/LICENSE")
    faults = differ(path.name, set(sizes), expected)
    faults += [f"{path.name} has no {name}/py.typed" for name in PACKAGES if f"{name}/py.typed" not in sizes]
    return faults + large(path, sizes) + metadata_faults(text)


def source_faults(path: Path) -> list[str]:
    """Return what is wrong with the files of a source archive."""
    with tarfile.open(path) as archive:
        sizes = {entry.name: entry.size for entry in archive.getmembers() if entry.isfile()}
    (top,) = {name.partition("/")[0] for name in sizes}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    places = project["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    # What hatchling adds.
    expected = tracked(*places) | {"PKG-INFO", ".gitignore"}
    found = {name.removeprefix(f"{top}/") for name in sizes}
    return differ(path.name, found, expected) + large(path, sizes)


def large(path: Path, sizes: dict[str, int]) -> list[str]:
    """Return the files that are too large."""
    return [f"{path.name} has {name} of {size} bytes" for name, size in sizes.items() if size > LARGEST]


def metadata_faults(text: bytes) -> list[str]:
    """Return what an index would refuse: fields that are none, a README that it cannot show."""
    metadata = Metadata.from_email(text, validate=True)
    page = markdown.render(metadata.description or "")
    shown = page is not None and "<h1" in page and "<table>" in page and "<pre" in page
    if metadata.description_content_type != "text/markdown" or not shown:
        return ["README.md does not show as a page"]
    return []


def main(arguments: list[str]) -> None:
    """Check both archives of a folder."""
    (folder,) = map(Path, arguments)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    faults = wheel_faults(wheel) + source_faults(source)
    if faults:
        sys.exit("\n".join(faults))
    print(f"{wheel.name} and {source.name} hold what they should")


if __name__ == "__main__":
    main(sys.argv[1:])
