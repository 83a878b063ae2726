"""The command line: what it writes, what it shows, and how it fails."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app
from rapid_ising.cli.options import chosen_backend
from rapid_ising.machine import Journaled
from rapid_ising.remote.secret import Secret

COMMANDS = ("train", "sample", "reconstruct", "backends", "demo")
SMALL = ("train", "--hidden", "20", "--epochs", "5")


def fit_measured(model: ri.Model) -> ri.evaluation.Evaluation:
    """The measures of a model, its likelihood at the temperature of its fit."""
    return ri.evaluate(model, ri.datasets.stripes(4), likelihood_beta=1 / model.temperature)


def call(*arguments: str | Path) -> str:
    """Run a command line that must succeed, and return what it wrote to stdout."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def call_json(*arguments: str | Path) -> Any:
    return json.loads(call(*arguments, "--json"))


def error_of(*arguments: str | Path) -> str:
    """Run a command line that must fail, and return its one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    *_, last = result.stderr.splitlines()
    assert last.startswith("error: ")
    assert "Traceback" not in result.stderr
    return last


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the stripes."""
    path = tmp_path_factory.mktemp("trained") / "model.safetensors"
    data = ri.datasets.stripes(4)
    model = ri.PatternRBM(16, 60, 8, seed=0)
    ri.train(model, data.train, seed=0, progress=False)
    model.save(path)
    return path


class TestHelp:
    def test_version(self) -> None:
        assert call("--version") == f"rapid-ising {ri.__version__}\n"

    @pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
    def test_the_commands_are_listed(self, arguments: list[str]) -> None:
        shown = call(*arguments)
        assert all(command in shown for command in COMMANDS)
        assert "rapid-ising demo --quick" in shown

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_command_explains_itself(self, command: str) -> None:
        shown = call(command, "--help")
        assert "--help" in shown
        assert "[bold]" not in shown

    def test_pictures_and_machines_are_imported_when_they_are_needed(self) -> None:
        code = (
            "import sys, rapid_ising.cli.app; "
            "print(sorted({'matplotlib', 'neal', 'rapid_ising_backends'} & set(sys.modules)))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout == "[]\n"


class TestTrain:
    def test_the_table_has_what_evaluate_says_of_the_written_model(self) -> None:
        shown = call(*SMALL, "--out", "m.safetensors")
        found = fit_measured(ri.load_model("m.safetensors"))
        for value in found.as_dict().values():
            assert f"{value:.3f}" in shown
        assert len(found.as_dict()) == 6
        assert "10 training images" in shown
        assert "4 held-out images" in shown
        assert "model: m.safetensors" in shown

    def test_json_has_the_same(self) -> None:
        facts = call_json(*SMALL, "--out", "m.safetensors", "--quiet")
        found = fit_measured(ri.load_model("m.safetensors"))
        assert facts["evaluation"] == found.as_dict()
        assert [record["epoch"] for record in facts["history"]] == [1, 2, 3, 4, 5]
        assert facts["model"]["n_hidden"] == 20
        assert (facts["backend"], facts["stopped"], facts["out"]) == (None, "finished", "m.safetensors")

    def test_it_trains_what_python_trains(self) -> None:
        call(
            *SMALL, "--patterns", "5", "--backend", "gibbs", "--batch-size", "4", "--learning-rate", "0.1",
            "--seed", "7",
        )  # fmt: skip
        model = ri.PatternRBM(16, 20, 5, seed=7)
        ri.train(
            model,
            ri.datasets.stripes(4).train,
            backend="gibbs",
            epochs=5,
            batch_size=4,
            learning_rate=0.1,
            seed=7,
            progress=False,
        )
        written = ri.load_model("model.safetensors")
        assert isinstance(written, ri.PatternRBM)
        np.testing.assert_array_equal(written.weights, model.weights)

    @pytest.mark.parametrize("backend", ["exact", "gibbs", "simulated-annealing"])
    def test_each_machine_learns_to_restore_held_out_images(self, backend: str) -> None:
        facts = call_json("train", "--dataset", "stripes", "--backend", backend, "--hidden", "60", "--quiet")
        assert facts["backend"] == backend
        assert facts["epochs"] <= 100
        assert facts["evaluation"]["zero_temperature_test"] < 0.05

    def test_options_reach_the_machine(self) -> None:
        weights: list[Any] = []
        for burn_in in ("1", "60"):
            call(
                *SMALL, "--model", "rbm", "--backend", "gibbs", "--backend-option", f"burn_in={burn_in}",
                "--backend-option", "chains=2", "--quiet",
            )  # fmt: skip
            weights.append(ri.load_model("model.safetensors").parameters["weights"])
        assert not np.array_equal(weights[0], weights[1])

    def test_quiet_says_nothing(self) -> None:
        result = CliRunner().invoke(app, [*SMALL, "--quiet"])
        assert (result.exit_code, result.output) == (0, "")

    def test_a_resumed_training_has_the_same_bits(self) -> None:
        call(*SMALL, "--backend", "gibbs", "--out", "whole.safetensors")
        first = ("train", "--hidden", "20", "--backend", "gibbs", "--checkpoint", "state", "--out", "parts")
        call(*first, "--epochs", "2")
        call(*first, "--epochs", "5", "--resume")
        whole, parts = ri.load_model("whole.safetensors"), ri.load_model("parts")
        for name, array in whole.parameters.items():
            np.testing.assert_array_equal(parts.parameters[name], array)

    def test_images_of_ones_own(self) -> None:
        images = ri.datasets.bars_and_stripes(3).images.reshape(-1, 3, 3)
        np.save("mine.npy", images)
        shown = call(*SMALL, "--dataset", "mine.npy")
        assert "mine: 5 epochs" in shown
        assert ri.load_model("model.safetensors").n_visible == 9

    def test_a_model_too_large_for_a_likelihood_has_a_dash(self) -> None:
        shown = call("train", "--dataset", "stripes-5", "--hidden", "30", "--epochs", "1")
        (line,) = [line for line in shown.splitlines() if "log-likelihood" in line]
        assert line.count(" - ") == 2


class TestSample:
    def test_the_images_are_those_of_python(self, trained: Path) -> None:
        call("sample", trained, "--reads", "50", "--seed", "3", "--backend", "gibbs", "--out", "s.npy")
        images = np.load("s.npy", allow_pickle=False)
        expected = ri.load_model(trained).sample(50, backend="gibbs", seed=3)
        np.testing.assert_array_equal(images, expected)
        assert images.dtype == np.int8

    def test_the_most_frequent_images_come_first_with_counts_and_free_energies(self, trained: Path) -> None:
        facts = call_json("sample", trained, "--reads", "200", "--backend", "exact", "--out", "s.npy")
        images = np.load("s.npy", allow_pickle=False)
        counts = facts["counts"]
        assert counts == sorted(counts, reverse=True)
        for image, count in zip(facts["images"], counts, strict=True):
            assert (images == image).all(axis=1).sum() == count
        assert facts["distinct"] == len(np.unique(images, axis=0))
        energies = ri.load_model(trained).free_energy(facts["images"])
        assert facts["free_energies"] == pytest.approx(energies.tolist())

    def test_pictures(self, trained: Path) -> None:
        shown = call("sample", trained, "--reads", "20", "--top", "3", "--shape", "2x8")
        assert "20 images from gibbs at beta = 1" in shown
        assert shown.count("of 20") == 3
        assert "█" in shown
        assert "░" in shown

    def test_infinite_beta_draws_ground_states(self, trained: Path) -> None:
        facts = call_json("sample", trained, "--backend", "exact", "--beta", "inf", "--reads", "5")
        model = ri.load_model(trained)
        everything = 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1) - 1
        lowest = model.free_energy(everything, math.inf).min()
        assert facts["beta"] == "inf"
        assert facts["free_energies"] == pytest.approx([lowest] * len(facts["images"]), rel=1e-6)

    def test_at_beta_zero_there_is_no_free_energy(self, trained: Path) -> None:
        assert "F = -" in call("sample", trained, "--beta", "0", "--reads", "2")


class TestReconstruct:
    def test_known_pixels_stay_and_distances_are_those_of_the_images(self, trained: Path) -> None:
        facts = call_json("reconstruct", trained, "--known-rows", "2", "--steps", "3")
        restored, truth = np.array(facts["reconstructed"]), np.array(facts["true"])
        corrupted = np.array(facts["corrupted"])
        np.testing.assert_array_equal(truth, ri.datasets.stripes(4).test)
        np.testing.assert_array_equal(corrupted[:, :8], truth[:, :8])
        assert not corrupted[:, 8:].any()
        np.testing.assert_array_equal(restored[:, :8], truth[:, :8])
        assert facts["distances"] == (restored != truth).mean(axis=1).tolist()
        assert facts["distance"] == pytest.approx(np.mean(facts["distances"]))

    def test_a_trained_model_restores_held_out_images_at_zero_temperature(self, trained: Path) -> None:
        assert call_json("reconstruct", trained, "--beta", "inf")["distance"] == 0

    @pytest.mark.parametrize("backend", ["exact", "gibbs"])
    def test_a_machine_restores_with_known_pixels_held_fixed(self, trained: Path, backend: str) -> None:
        facts = call_json("reconstruct", trained, "--backend", backend, "--seed", "1")
        mask = ri.known_rows((4, 4))
        data = ri.datasets.stripes(4)
        expected = ri.load_model(trained).reconstruct(data.test, mask, backend=backend, seed=1)
        np.testing.assert_array_equal(facts["reconstructed"], expected)
        np.testing.assert_array_equal(expected[:, mask], data.test[:, mask])

    def test_pictures_side_by_side(self, trained: Path) -> None:
        shown = call("reconstruct", trained, "--beta", "inf", "--limit", "2")
        lines = [line.split() for line in shown.splitlines()]
        # The first row of the first image, 0101, three times, and how many pixels are wrong.
        assert ["░░██░░██", "░░██░░██", "░░██░░██", "0", "of", "12"] in lines
        assert "4 held-out images of stripes-4, 2 shown: Hamming distance 0.000" in shown

    def test_of_an_image_of_one_row_the_first_half_is_known(self) -> None:
        np.save("rows.npy", 2 * np.eye(6, dtype=np.int8)[:, :6] - 1)
        call(*SMALL, "--dataset", "rows.npy", "--quiet")
        facts = call_json("reconstruct", "model.safetensors", "--dataset", "rows.npy")
        corrupted = np.array(facts["corrupted"])
        assert (corrupted[:, :3] != 0).all()
        assert not corrupted[:, 3:].any()


FLAKY = """
import rapid_ising as ri

class Machine(ri.LocalBackend):
    name = "flaky"
    capabilities = ri.Capabilities()
    calls = 0

    def _draw(self, request):
        Machine.calls += 1
        if Machine.calls > 3:
            raise ri.errors.BackendError("flaky is out of order")
        return ri.sample_spins(request.model.fields * 0 + [[0.0]] * request.num_reads, 1.0, request.rng), {}
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution with a machine that fails at the fourth call, and one whose SDK is missing."""
    site = tmp_path / "site"
    info = site / "plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\nProvides-Extra: sdk\n"
        "Requires-Dist: vendor-sdk; extra == 'sdk'\n"
    )
    (info / "entry_points.txt").write_text(
        "[rapid_ising.backends]\nflaky = flaky_machine:Machine\nvendor = vendor_machine:Machine [sdk]\n"
    )
    (site / "flaky_machine.py").write_text(FLAKY)
    (site / "vendor_machine.py").write_text("import vendor_sdk\n")
    monkeypatch.syspath_prepend(str(site))
    return site


class TestBackends:
    @pytest.mark.parametrize("width", [140, 60])
    def test_every_machine_is_listed_with_every_fact(
        self, width: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rapid_ising.cli.console.WIDTH", width)
        shown = " ".join(call("backends").split())
        assert all(name in shown for name in ri.available_backends())
        for what, fact in ri.load_backend("exact").capabilities.row().items():
            assert what in shown
            assert fact in shown

    def test_a_missing_sdk_has_its_pip_line_and_does_not_hide_the_others(self, plugin: Path) -> None:
        shown = call("backends")
        assert "pip install 'plugin[sdk]'" in shown
        assert "simulated-annealing" in shown
        facts = call_json("backends")
        assert "vendor-sdk" in facts["problems"]["vendor"]
        assert facts["backends"]["exact"]["exact"] == "yes"
        assert "pip install 'plugin[sdk]'" in error_of(*SMALL, "--backend", "vendor")

    def test_one_machine_with_its_options(self) -> None:
        shown = call("backends", "simulated-annealing")
        assert "num_sweeps" in shown
        assert "The sweeps of each read." in shown
        facts = call_json("backends", "simulated-annealing")
        assert facts["options"]["num_sweeps"] == ri.load_backend("simulated-annealing").num_sweeps  # type: ignore[attr-defined]
        assert "It has no options." in call("backends", "exact")


def nothing(path: Path) -> None:
    """Leave no file."""


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def images(**changes: Any) -> np.ndarray[Any, Any]:
    values = np.ones((10, 16))
    for value in changes.values():
        values[3, 5] = value
    return values


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "part"),
        [
            (["frain"], "train"),
            (["train", "--nope"], "--nope"),
            (["train", "--epochs", "many"], "--epochs"),
            (["train", "--epochs", "0"], "epochs must be an integer of at least 1"),
            (["train", "--batch-size", "-3"], "batch_size"),
            (["train", "--hidden", "0"], "n_hidden"),
            (["train", "--patterns", "0"], "n_patterns"),
            (["train", "--hidden", "999999999999999"], "llocate"),
            (["train", "--learning-rate", "nan"], "learning_rate"),
            (["train", "--learning-rate", "0"], "learning_rate"),
            (["train", "--seed", "-1"], "seed"),
            (["train", "--model", "rmb"], "did you mean 'rbm'"),
            (["train", "--model", "rbm", "--patterns", "3"], "leave it out"),
            (["train", "--recipe", "papre"], "did you mean 'paper'"),
            (["train", "--negative-phase", "patern"], "did you mean 'patterns'"),
            (["train", "--negative-phase", "backend"], "backend=NAME"),
            (["train", "--negative-phase", "cd", "--backend", "gibbs"], "--negative-phase"),
            (["train", "--model", "rbm", "--negative-phase", "patterns"], "patterns"),
            (["train", "--backend", "gibs"], "did you mean 'gibbs'"),
            (["train", "--backend", "gibbs", "--backend-option", "burnin=3"], "burn_in"),
            (["train", "--backend", "gibbs", "--backend-option", "burn_in=-1"], "burn_in"),
            (["train", "--backend", "gibbs", "--backend-option", "burn_in"], "KEY=VALUE"),
            (["train", "--backend-option", "burn_in=3"], "--backend NAME"),
            (["train", "--backend", "exact", "--dataset", "stripes-6", "--hidden", "30"], "smaller"),
            (["train", "--negative-phase", "exact", "--dataset", "stripes-6", "--hidden", "30"], "smaller"),
            (["train", "--dataset", "strips"], "did you mean 'stripes'"),
            (["train", "--dataset", "absent.npy"], "absent.npy: there is no such file"),
            (["train", "--dataset", "/"], "cannot be read"),
            (["train", "--dataset", "stripes-99"], "99"),
            (["train", "--out", "."], "folder"),
            (["train", "--out", "absent/m.safetensors"], "absent"),
            (["train", "--out", "n" * 300], "too long"),
            (["train", "--checkpoint", "."], "folder"),
            (["train", "--resume"], "--checkpoint FILE"),
            (["train", "--resume", "--checkpoint", "absent"], "there is no file absent"),
            (["sample"], "MODEL"),
            (["sample", "absent"], "there is no file absent"),
            (["sample", "."], "there is no file"),
            (["reconstruct", "absent"], "there is no file absent"),
            (["backends", "gibs"], "did you mean 'gibbs'"),
        ],
    )  # fmt: skip
    def test_bad_input_is_one_line(self, arguments: list[str], part: str) -> None:
        assert part in error_of(*arguments)
        assert not any(Path().iterdir())

    @pytest.mark.parametrize(
        ("arguments", "part"),
        [
            (["sample", "--reads", "0"], "num_reads"),
            (["sample", "--top", "0"], "top"),
            (["sample", "--beta", "-1"], "beta"),
            (["sample", "--beta", "nan"], "beta"),
            (["sample", "--shape", "3x3"], "16 pixels"),
            (["sample", "--shape", "square"], "ROWSxCOLUMNS"),
            (["sample", "--backend", "gibs"], "did you mean 'gibbs'"),
            (["sample", "--out", "."], "folder"),
            (["reconstruct", "--known-rows", "5"], "5 known rows"),
            (["reconstruct", "--known-rows", "0"], "rows"),
            (["reconstruct", "--steps", "0"], "steps"),
            (["reconstruct", "--limit", "0"], "limit"),
            (["reconstruct", "--dataset", "stripes-5"], "25 pixels"),
            (["reconstruct", "--backend", "gibbs", "--steps", "2"], "--steps"),
        ],
    )
    def test_bad_input_beside_a_good_model(self, trained: Path, arguments: list[str], part: str) -> None:
        assert part in error_of(arguments[0], trained, *arguments[1:])

    @pytest.mark.parametrize(
        ("array", "part"),
        [
            (images(value=np.nan), "not finite at row 3, column 5"),
            (images(value=0.5), "-1 or +1"),
            ((images(value=0) == 1).astype(np.int8), "look like bits"),
            (np.ones(16), "one row an image"),
            (np.ones((0, 16)), "images has no rows"),
            (np.array([["a", "b"]]), "numbers"),
            (np.array([[1, -1], [1]], dtype=object), "not one array of numbers"),
        ],
    )
    def test_bad_data_is_one_line(self, array: Any, part: str) -> None:
        np.save("data.npy", array, allow_pickle=array.dtype == object)
        line = error_of("train", "--dataset", "data.npy")
        assert "data.npy" in line
        assert part in line

    def test_files_that_are_no_models(self, trained: Path) -> None:
        Path("broken").write_bytes(trained.read_bytes()[:500])
        Path("text").write_text("no model", encoding="utf-8")
        call(*SMALL, "--checkpoint", "state", "--quiet")
        assert "truncated or damaged" in error_of("sample", "broken")
        assert "truncated or damaged" in error_of("sample", "text")
        assert "holds a checkpoint, not a model" in error_of("sample", "state")

    def test_a_checkpoint_that_is_truncated_or_of_another_model(self) -> None:
        call(*SMALL, "--checkpoint", "state", "--quiet")
        resume = ("--checkpoint", "state", "--resume")
        assert "another training" in error_of("train", "--hidden", "21", *resume)
        content = Path("state").read_bytes()
        Path("state").write_bytes(content[:-100])
        assert "truncated or damaged" in error_of(*SMALL, *resume)

    def test_a_machine_that_fails_in_training_costs_one_epoch(self, plugin: Path) -> None:
        result = CliRunner().invoke(app, [*SMALL, "--backend", "flaky", "--checkpoint", "state"])
        assert result.exit_code == 2
        *_, remark, error = result.stderr.splitlines()
        assert remark == "the model as of epoch 3 is in model.safetensors"
        assert error == "error: flaky is out of order"
        model = ri.load_model("model.safetensors")
        assert not np.array_equal(
            model.parameters["visible_patterns"],
            ri.PatternRBM(16, 20, 8, seed=0).parameters["visible_patterns"],
        )
        assert Path("state").exists()

    @pytest.mark.parametrize(
        "words",
        [
            ["--backend-option", "token=swordfish"],
            ["--backend", "gibbs", "--backend-option", "to-ken=swordfish"],
            ["--backend", "gibbs", "--backend-option", "token: swordfish"],
            ["--backend", "gibbs", "--emulator-option", "token=swordfish"],
            ["--backend", "gibbs", "--backend-option", "token=swordfish"],
        ],
    )
    def test_no_message_repeats_a_value_that_may_be_a_token(self, words: list[str]) -> None:
        line = error_of("train", *words)
        assert "ken" in line
        assert "swordfish" not in line

    def test_a_token_of_digits_is_one(self) -> None:
        service = chosen_backend("fujitsu-da", ["token=0123456", "access_token=true"])
        assert repr(service) == repr(ri.load_backend("fujitsu-da", token="0123456", access_token=True))
        assert getattr(service, "token", None) == Secret("0123456")

    def test_a_process_fails_like_this(self, folder: Path) -> None:
        command = [sys.executable, "-c", "from rapid_ising.cli.app import main; main()"]
        found = subprocess.run(
            [*command, "train", "--backend", "gibs"], capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr == (
            "error: unknown backend 'gibs': did you mean 'gibbs'? "
            f"Known: {', '.join(ri.available_backends())}\n"
        )


class TestInputsAreKept:
    @pytest.fixture(autouse=True)
    def files(self, trained: Path) -> dict[Path, bytes]:
        """What the commands read, and a second name of each."""
        data = ri.datasets.stripes(4)
        run = ri.train(ri.PatternRBM(16, 4, 2, seed=0), data.train, epochs=1, seed=0, progress=False)
        run.save("run")
        np.save("mine.npy", data.images)
        kept = Journaled("gibbs", "run.jobs")
        kept.sample(run.model.ising(), seed=0)
        kept.close()
        Path("linked").symlink_to("run")
        Path("hard.npy").hardlink_to("mine.npy")
        return {path: path.read_bytes() for path in map(Path, ("run", "mine.npy", "run.jobs"))}

    @pytest.mark.parametrize(
        "line",
        [
            "sample run --out run",
            "sample run --out linked",
            "sample linked --out run",
            "report run --out run",
            "report run --out run.jobs",
            "report run --dataset ./mine.npy --out mine.npy",
            "jobs export run.jobs --out ../{here}/run.jobs",
            "train --dataset mine.npy --out mine.npy",
            "train --dataset mine.npy --out hard.npy",
            "train --dataset mine.npy --checkpoint mine.npy",
            "train --checkpoint s --out s",
            "train --checkpoint s --out ./s --resume",
            "train --backend gibbs --journal s --out s",
            "train --backend gibbs --checkpoint s --journal ./s",
            "train --backend gibbs --dataset mine.npy --journal mine.npy",
        ],
    )
    def test_no_output_takes_the_place_of_another_file_of_the_command(
        self, line: str, files: dict[Path, bytes], folder: Path
    ) -> None:
        told = error_of(*line.format(here=folder.name).split())
        assert re.search("cannot write .*: it is the same file as .*; name another", told)
        assert {path: path.read_bytes() for path in files} == files
        assert not Path("s").exists()

    def test_the_name_of_a_data_set_is_no_file(self) -> None:
        for _ in range(2):
            call("train", "--hidden", "5", "--epochs", "1", "--quiet", "--out", "stripes")
        assert ri.load_model("stripes").n_hidden == 5

    def test_the_data_that_a_run_names_are_kept(self) -> None:
        call("train", "--hidden", "5", "--epochs", "1", "--quiet", "--dataset", "mine.npy", "--out", "named")
        assert "the same file as mine.npy" in error_of("report", "named", "--out", "mine.npy")


class TestInterrupt:
    def test_ctrl_c_keeps_the_model(self, folder: Path) -> None:
        command = [sys.executable, "-c", "from rapid_ising.cli.app import main; main()", "train"]
        options = ["--epochs", "1000000", "--hidden", "20", "--checkpoint", "state", "--out", "m", "--json"]
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            limit = time.monotonic() + 60
            while not Path("state").exists():
                assert process.poll() is None, process.stderr
                assert time.monotonic() < limit
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, remarks = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130, remarks
        facts = json.loads(out)
        assert facts["stopped"] == "interrupted"
        assert f"interrupted: the model has {facts['epochs']} epochs and is in m" in remarks
        assert "Traceback" not in remarks
        found = fit_measured(ri.load_model("m"))
        assert facts["evaluation"] == pytest.approx(found.as_dict())


class TestPlan:
    def test_it_tells_the_stages_and_sends_nothing(self, trained: Path) -> None:
        text = call("plan", "--model", trained, "--backend", "twin-digital-annealer", "--reads", "5")
        assert "5 reads at beta = 1" in text
        assert "quantized" in text
        assert "optimiser" in text

    def test_json_has_the_same(self, trained: Path) -> None:
        found = call_json("plan", "--model", trained, "--backend", "gibbs")
        assert found["machine"] == "gibbs"
        assert found["stages"] == []
        assert (found["calls"], found["reads"]) == (1, 100)

    def test_a_machine_that_cannot_take_the_model_is_one_line(self, trained: Path) -> None:
        assert "twin-photonic" in error_of("plan", "--model", trained, "--backend", "twin-photonic")
