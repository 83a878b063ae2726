"""Mistakes that everybody makes: the message names the cause and the cure, in Python and in the shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising import machine
from rapid_ising.cli.app import app
from rapid_ising.errors import RapidIsingError

BITS = np.random.default_rng(0).integers(2, size=(12, 16))
SPINS = 2 * BITS - 1


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in a folder with files to be mistaken about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAPID_ISING_DATA", raising=False)
    np.save("bits.npy", BITS)
    np.save("bytes.npy", BITS.astype(np.uint8))
    np.save("grey.npy", 127 * BITS)
    np.save("spins.npy", SPINS)
    Path("images.csv").write_text("1,-1\n", encoding="utf-8")
    ri.PatternRBM(16, 4, 2, seed=0).save("model.safetensors")
    return tmp_path


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a machine without the package that it needs."""
    info = tmp_path / "site" / "plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\nProvides-Extra: sdk\n"
        "Requires-Dist: vendor-sdk; extra == 'sdk'\n"
    )
    (info / "entry_points.txt").write_text("[rapid_ising.backends]\nvendor = vendor_machine:Machine [sdk]\n")
    (tmp_path / "site" / "vendor_machine.py").write_text("import vendor_sdk\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def trained(backend: str, hidden: int = 4) -> Any:
    model = ri.PatternRBM(16, hidden, 2, seed=0)
    return ri.train(model, SPINS, backend=backend, epochs=1, seed=0, progress=False)


MISTAKES: list[tuple[Callable[[], Any], str, list[str]]] = [
    (
        lambda: ri.load_backend("gibbs", burnin=3),
        "sample model.safetensors --backend gibbs --backend-option burnin=3",
        ["has no option 'burnin'", "did you mean 'burn_in'?", "rapid-ising backends gibbs"],
    ),
    (
        lambda: ri.load_backend("gibs"),
        "sample model.safetensors --backend gibs",
        ["unknown backend 'gibs'", "did you mean 'gibbs'?", "simulated-annealing"],
    ),
    (
        lambda: ri.load_backend("vendor"),
        "sample model.safetensors --backend vendor",
        ["needs vendor-sdk, not installed here", "pip install 'plugin[sdk]'"],
    ),
    (
        lambda: ri.datasets.from_array(BITS),
        "train --dataset bits.npy",
        ["images must hold spins, -1 or +1", "these look like bits", "pass np.where(images, 1, -1)"],
    ),
    (
        lambda: ri.datasets.from_array(BITS.astype(np.uint8)),
        "train --dataset bytes.npy",
        ["these look like bits", "pass np.where(images, 1, -1)"],
    ),
    (
        lambda: ri.datasets.from_array(127 * BITS),
        "train --dataset grey.npy",
        ["these look like grey values", "pass np.where(images > "],
    ),
    (
        lambda: trained("twin-cmos", 1020),
        "train --dataset spins.npy --backend twin-cmos --hidden 1020 --patterns 2",
        ["holds 1024 spins and the problem has 1036", "take 12 fewer", "a larger machine"],
    ),
    (
        lambda: trained("amplify-ae"),
        "train --dataset spins.npy --backend amplify-ae --hidden 4 --patterns 2",
        ["error: amplify-ae needs a token", "AMPLIFY_TOKEN", "--emulate"],
    ),
    (
        lambda: ri.datasets.load("strips"),
        "train --dataset strips",
        ["unknown data set 'strips'", "did you mean 'stripes'"],
    ),
    (
        lambda: ri.datasets.load("spins"),
        "train --dataset spins",
        ["unknown data set 'spins'", "did you mean 'spins.npy'"],
    ),
    (
        lambda: ri.datasets.load("images.csv"),
        "train --dataset images.csv",
        ["images.csv is a file", "numpy.save('images.npy', array)"],
    ),
    (
        lambda: ri.train(ri.RBM(16, 4, seed=0), SPINS, negative_phase="exat", progress=False),
        "train --negative-phase exat",
        ["unknown negative phase 'exat'", "did you mean 'exact'?"],
    ),
    (
        lambda: ri.train(ri.RBM(16, 4, seed=0), SPINS, recipe="papr", progress=False),
        "train --recipe papr",
        ["unknown recipe 'papr'", "did you mean 'paper'?"],
    ),
    (
        lambda: ri.load_model("model.safetensor"),
        "sample model.safetensor",
        ["there is no file model.safetensor", "did you mean 'model.safetensors'?"],
    ),
    (
        lambda: ri.load_model("spins.npy"),
        "sample spins.npy",
        ["spins.npy is an array of NumPy, no file of rapid-ising", "--dataset, takes data"],
    ),
]


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize(("call", "line", "parts"), MISTAKES, ids=[line for _, line, _ in MISTAKES])
def test_a_mistake_names_its_cause_and_its_cure(
    call: Callable[[], Any], line: str, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMPLIFY_TOKEN", raising=False)
    with pytest.raises(RapidIsingError) as caught:
        call()
    result = CliRunner().invoke(app, shlex.split(line))
    assert (result.exit_code, result.stdout) == (2, "")
    (shown,) = result.stderr.splitlines()
    for part in parts:
        assert part.removeprefix("error: ") in str(caught.value)
        assert part in shown


def test_a_name_that_is_near_none_is_given_none() -> None:
    with pytest.raises(RapidIsingError, match=r"unknown backend 'nope': Known: "):
        ri.load_backend("nope")


def test_a_mistyped_name_of_the_package() -> None:
    with pytest.raises(AttributeError, match=r"PaternRBM: did you mean 'PatternRBM'"):
        _ = ri.PaternRBM  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"zzz$"):
        _ = ri.zzz  # type: ignore[attr-defined]


def test_the_cures_of_wrong_arrays_cure_them() -> None:
    for name in ("bits", "bytes", "grey"):
        images = np.load(f"{name}.npy")
        with pytest.raises(RapidIsingError, match="pass ") as caught:
            ri.datasets.from_array(images)
        (cure,) = re.findall(r"pass (np\.where\(.+, 1, -1\))", str(caught.value))
        cured = ri.datasets.from_array(eval(cure, {"images": images, "np": np}))
        np.testing.assert_array_equal(cured.images, SPINS)


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({"coupling_range": (-0.1, 0.1)}, "Scaled"),
        ({"integer_coefficients": True}, "Quantized"),
        ({"fields": False}, "Ancilla"),
        ({"max_reads": 2}, "Batched"),
    ],
)
def test_a_limit_that_a_stage_lifts_names_the_stage(facts: dict[str, Any], stage: str) -> None:
    problem = ri.IsingModel([0.5, -0.5], [[0, 0.3], [0.3, 0]])
    with pytest.raises(RapidIsingError, match=f"as the stage {stage} does; rapid_ising.prepare"):
        ri.Capabilities(**facts).check("demo", problem, 3)
    assert hasattr(machine, stage)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("trian", "Did you mean 'train'? (rapid-ising --help shows what there is)"),
        ("train --data x", "Possible options: --dataset, --from-data"),
        ("jobs lst run.jobs", "Did you mean 'list'? (rapid-ising jobs --help shows what there is)"),
        ("train --epochs many", "Invalid value for '--epochs'"),
        ("doctor gibs", "unknown backend 'gibs': did you mean 'gibbs'?"),
    ],
)
def test_typing_mistakes_are_one_line(line: str, part: str) -> None:
    result = CliRunner().invoke(app, shlex.split(line))
    assert (result.exit_code, result.stdout) == (2, "")
    (shown,) = result.stderr.splitlines()
    assert part in shown
