"""Follow docs/add-a-machine.md to the letter in an empty folder: ``python tests/plugin.py WHEEL FOLDER``.

The files of the page are written, its commands run in order, and its machines must be there, train and pass.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "add-a-machine.md").read_text(encoding="utf-8")
FILE = re.compile(r"^\*\*`(\S+)`\*\*\n\n```\w+\n(.*?)^```$", re.M | re.S)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
SAYS: tuple[tuple[str, ...], ...] = (
    (),
    ("desk-annealer", "full scale", "20 epochs in", " passed"),
    ("pip install 'rack-annealer[rack-annealer]'", "RACK_ANNEALER_TOKEN", " passed"),
)
"""What each block of commands must print."""
WRONG = ("steepness = request.beta * scale", "steepness = request.beta")
"""A line of the machine, and the mistake of which the page says that the suite finds it."""


def run(commands: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Run commands of a shell, show what they print, and return their status and it."""
    print(commands, flush=True)
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt"), "PIP_QUIET": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        print("  ", line, end="", flush=True)
        said.append(line)
    return process.wait(), "".join(said)


def follow(wheel: Path, folder: Path) -> None:
    """Do in ``folder`` what the page says, with rapid-ising from ``wheel``."""
    files, blocks = FILE.findall(PAGE), COMMANDS.findall(PAGE)
    assert len(files) == 6, [name for name, _ in files]
    for name, text in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for commands, expected in zip(blocks, SAYS, strict=True):
        status, said = run(commands, folder, RAPID_ISING=str(wheel))
        assert status == 0, f"status {status}"
        assert [text for text in expected if text not in said] == []
    names = " ".join(name for name, _ in files if name.endswith(".py"))
    status, _ = run(f"{sys.executable} -m mypy --strict --python-executable env/bin/python {names}", folder)
    assert status == 0, "a user's mypy does not see the types of the wheel"


def mistake(folder: Path) -> None:
    """Make the mistake in what was followed in ``folder``; the suite must find it."""
    machine = folder / "desk-annealer" / "desk_annealer.py"
    text = machine.read_text(encoding="utf-8")
    assert text.count(WRONG[0]) == 1
    machine.write_text(text.replace(*WRONG), encoding="utf-8")
    status, said = run("env/bin/pytest -q desk-annealer -k boltzmann_law", folder)
    assert (status, "total variation" in said) == (1, True), "the suite does not find the mistake"


def main(arguments: list[str]) -> None:
    """Follow the page with a wheel in a folder, where the environment stays, in env/."""
    wheel, folder = map(Path, arguments)
    follow(wheel.resolve(), folder)
    mistake(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
