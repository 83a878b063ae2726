"""docs/clusters.md on a cluster of two local workers; studies on it, and what is said when it cannot be."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rapid_ising import provenance
from rapid_ising.cli.app import app
from rapid_ising.errors import MissingDependencyError
from rapid_ising.reproduction import cluster
from rapid_ising.reproduction.catalogue import STUDIES
from rapid_ising.reproduction.cluster import results_on_cluster
from rapid_ising.reproduction.workers import results_of

PAGE = (Path(__file__).parents[1] / "docs" / "clusters.md").read_text(encoding="utf-8")
PORT = "8786"
TASKS = STUDIES["likelihood"].tasks("smoke", 0, None)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """The page's scheduler and workers, at a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = str(free.getsockname()[1])
    lines = [line for line in blocks("sh")[0].splitlines() if line]
    running = []
    try:
        for line in lines:
            words = shlex.split(line.removesuffix("&").replace(PORT, number))
            assert words[0] == "dask"
            command = [str(Path(sys.executable).parent / "dask"), *words[1:]]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        end = time.monotonic() + 60
        while not answers(number):
            assert time.monotonic() < end
            time.sleep(0.1)
        yield number
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=30)


def answers(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_its_python_runs(port: str) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks("python"):
        exec(compile(block.replace(PORT, port), "clusters.md", "exec"), names)
    assert names["again"].shape == (100, 16)


def test_its_command_runs(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = blocks("sh")[1].splitlines()
    result = CliRunner().invoke(app, shlex.split(line.replace(PORT, port))[1:])
    assert result.exit_code == 0, result.output
    assert ", a cluster" in (tmp_path / "reproduction" / "index.md").read_text(encoding="utf-8")


def test_a_cluster_has_the_results_of_local_workers(port: str) -> None:
    (there,) = results_on_cluster(TASKS[:1], scheduler=f"tcp://127.0.0.1:{port}")
    (here,) = results_of(TASKS[:1], workers=1)
    assert there.values == here.values != {}
    assert there.error is None
    assert there.cpu > 0
    assert there.code == provenance.code_fingerprint()


def test_a_late_task_is_ended_there(port: str) -> None:
    (result,) = results_on_cluster(TASKS[:1], scheduler=f"tcp://127.0.0.1:{port}", limit=0.01)
    assert result.error == "the task took longer than 0.01 s, and its worker was ended"


def test_other_code_there_is_an_error(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "code_fingerprint", lambda: "another")
    (result,) = results_on_cluster(TASKS[:1], scheduler=f"tcp://127.0.0.1:{port}")
    assert result.error is not None
    assert "install the same there" in result.error


def test_no_task_needs_no_cluster() -> None:
    assert list(results_on_cluster([], scheduler="tcp://127.0.0.1:1")) == []


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere:x"])
def test_a_scheduler_that_does_not_answer_is_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ANSWERS", 0.5)
    arguments = ["reproduce", "likelihood", "--smoke", "--out", str(tmp_path), "--scheduler", address]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert f"no Dask scheduler answers at '{address}'" in result.stderr.replace("\n", " ")


def test_without_distributed_there_is_a_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"rapid-ising\[dask\]"):
        list(results_on_cluster(TASKS, scheduler="tcp://127.0.0.1:1"))
