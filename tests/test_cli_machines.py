"""The commands around hardware services: rehearsals, journals, budgets, and the jobs in a journal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import pytest
from adapters import ADAPTERS, running
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app
from rapid_ising.machine import Journaled
from rapid_ising_backends.emulators.server import spawn

TRAIN = ("train", "--hidden", "4", "--patterns", "2", "--reads", "8", "--epochs", "2", "--backend")
RING = ri.IsingModel(np.zeros(4), [[0, 1, 0, -1], [1, 0, 1, 0], [0, 1, 0, 1], [-1, 0, 1, 0]])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
class TestRehearsal:
    @pytest.mark.parametrize("name", [name for name in ADAPTERS if name != "hitachi-cmos"])
    def test_every_service_can_be_rehearsed_and_says_that_it_was(self, name: str) -> None:
        told = call(*TRAIN, name, "--emulate", "--refine", "2")
        assert f"emulated: the samples are of a digital twin of {name}, not of the machine" in told

    def test_json_says_so_too(self) -> None:
        shown = call(*TRAIN, "cim", "--emulate", "--refine", "2", "--json")
        facts = json.loads(shown[shown.index("{") :])
        assert facts["emulated"] is True
        assert facts["backend"] == "cim"

    def test_a_plan_may_ask_the_emulator(self) -> None:
        call("train", "--epochs", "1", "--hidden", "4")
        told = call("plan", "--model", "model.safetensors", "--backend", "fujitsu-da", "--emulate")
        assert "emulated" in told
        assert "quantized" in told

    def test_a_plan_of_a_training_counts_its_calls_reads_seconds_and_cost(self) -> None:
        call("train", "--epochs", "1", "--hidden", "4")
        plan = ("plan", "--model", "model.safetensors", "--backend", "fujitsu-da", "--emulate")
        assert "1 call, 64 reads, 10 s of the machine" in call(*plan, "--reads", "64")
        # 11 training images.
        told = call(*plan, "--epochs", "7", "--batch-size", "4", "--reads", "8", "--price", "0.5")
        assert "7 epochs, 21 updates: 21 calls, 168 reads, 210 s of the machine, which cost 105" in told
        shown = call(
            *plan, "--epochs", "2", "--batch-size", "4", "--backend-option", "time_limit_sec=1", "--json"
        )
        training = json.loads(shown)["training"]
        assert training == {
            "updates": 6,
            "calls": 6,
            "reads": 6 * 64,
            "seconds": 6.0,
            "price": None,
            "money": None,
        }
        unstated = call("plan", "--model", "model.safetensors", "--backend", "gibbs", "--epochs", "2")
        assert "does not state its seconds" in unstated
        assert "give --epochs" in call(*plan, "--price", "2", status=2)
        assert "64 pixels and the model has 16" in call(
            *plan, "--epochs", "2", "--dataset", "digits", status=2
        )

    def test_a_plan_asks_what_the_training_asks(self) -> None:
        call(*TRAIN, "fujitsu-da", "--emulate", "--refine", "1", "--journal", "run.jobs", "--batch-size", "4")
        told = call(
            "plan",
            "--model",
            "model.safetensors",
            "--backend",
            "fujitsu-da",
            "--emulate",
            "--json",
            "--reads",
            "8",
            "--epochs",
            "2",
            "--batch-size",
            "4",
            "--refine",
            "1",
        )
        training = json.loads(told)["training"]
        jobs = json.loads(call("jobs", "list", "run.jobs", "--json"))["jobs"]
        assert training["calls"] == len(jobs)
        assert training["reads"] == sum(job["reads"] for job in jobs)
        assert training["seconds"] == sum(job["machine_seconds"] for job in jobs)

    def test_an_unknown_option_of_an_emulator_is_one_line(self) -> None:
        told = call(
            "train", "--backend", "hitachi-cmos", "--emulate", "--emulator-option", "fault=401:1", status=2
        )
        assert "the emulator of hitachi-cmos has no option 'fault': did you mean 'faults'?" in told
        assert "has no option 'foo'; it has: expired, " in call(
            "emulate", "hitachi-cmos", "--option", "foo=1", status=2
        )
        assert "did you mean 'round_trips'" in call("emulate", "cim", "--option", "roundtrips=1", status=2)

    def test_without_a_machine_there_is_nothing_to_emulate(self) -> None:
        assert "--emulate needs the machine" in call("train", "--emulate", status=2)
        assert "unknown emulator 'gibbs'" in call("train", "--backend", "gibbs", "--emulate", status=2)


class TestJournal:
    def test_a_checkpoint_brings_a_journal_for_a_service_and_none_for_a_local_machine(self) -> None:
        call(*TRAIN, "fujitsu-da", "--emulate", "--refine", "1", "--checkpoint", "a.state")
        assert Path("a.state.jobs").is_file()
        call(*TRAIN, "gibbs", "--checkpoint", "b.state")
        assert not Path("b.state.jobs").exists()

    def test_a_budget_stops_with_a_checkpoint_and_a_resume_goes_on(self) -> None:
        more = ("--batch-size", "3", "--journal", "run.jobs", "--checkpoint", "run.state")
        call(*TRAIN, "gibbs", "--out", "whole.safetensors", "--batch-size", "3")
        told = call(*TRAIN, "gibbs", *more, "--budget", "calls=6", status=3)
        assert "7 calls, more than 6: not sent" in told
        assert Path("run.state").is_file()
        call(*TRAIN, "gibbs", *more, "--resume")
        whole, parts = (ri.load_model(f"{name}.safetensors").parameters for name in ("whole", "model"))
        assert all((whole[name] == parts[name]).all() for name in whole)

    def test_a_budget_for_less_than_a_call_sends_and_writes_nothing(self) -> None:
        Path("model.safetensors").write_bytes(b"of another run")
        more = ("--emulate", "--refine", "1", "--checkpoint", "c.state", "--budget", "seconds=3")
        told = call(*TRAIN, "fujitsu-da", *more, status=3)
        assert "error: fujitsu-da: the budget is reached: 0 calls and 0 reads were used, and the next" in told
        assert "make 10 seconds of the machine, more than 3: not sent" in told
        assert "--resume goes on, with a --budget above seconds=3" in told
        assert "failed" not in told
        assert "as of epoch" not in told
        assert Path("model.safetensors").read_bytes() == b"of another run"
        assert not Path("c.state").exists()

    def test_a_stop_does_not_replace_a_model_that_is_there(self) -> None:
        call("train", "--epochs", "1", "--hidden", "4", "--patterns", "2")
        before = Path("model.safetensors").read_bytes()
        more = ("--batch-size", "3", "--journal", "run.jobs", "--budget", "calls=6")
        told = " ".join(call(*TRAIN, "gibbs", *more, status=3).split())
        assert "epoch 1 is in model.stopped.safetensors, and model.safetensors is as it was" in told
        assert Path("model.safetensors").read_bytes() == before
        assert ri.load_run("model.stopped.safetensors").epochs == 1

    def test_a_run_that_was_killed_before_its_first_epoch_goes_on(self) -> None:
        call(*TRAIN, "gibbs", "--out", "whole.safetensors")
        call(*TRAIN, "gibbs", "--journal", "run.jobs")
        call(*TRAIN, "gibbs", "--journal", "run.jobs", "--checkpoint", "run.state", "--resume")
        listed = json.loads(call("jobs", "list", "run.jobs", "--json"))["jobs"]
        assert {entry["run"] for entry in listed} == {1}
        whole, parts = (ri.load_model(f"{name}.safetensors").parameters for name in ("whole", "model"))
        assert all((whole[name] == parts[name]).all() for name in whole)

    @pytest.mark.parametrize(
        ("arguments", "part"),
        [
            (("--budget", "calls=3"), "--budget is about a machine"),
            (("--journal", "a.jobs"), "--journal is about a machine"),
            (("--backend", "gibbs", "--budget", "calls=3"), "give --journal FILE"),
            (("--backend", "gibbs", "--journal", "a.jobs", "--budget", "eggs=3"), "must read NAME=NUMBER"),
            (("--backend", "gibbs", "--checkpoint", "no.state", "--resume"), "there is no file"),
        ],
    )
    def test_mistakes_are_one_line(self, arguments: tuple[str, ...], part: str) -> None:
        assert part in call("train", *arguments, status=2)


class TestJobs:
    def sent(self, path: Path, service: Any, *seeds: int) -> None:
        """Send jobs and let the program end before their answers are there."""
        kept = Journaled(service.machine(size=8), path)
        for seed in seeds:
            kept.submit(RING, num_reads=3, seed=np.random.default_rng(seed))
        kept.close()

    def test_from_sent_to_exported(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with running("cim") as (_, service):
            monkeypatch.setenv("CIM_GATEWAY_TOKEN", service.token)
            self.sent(folder / "run.jobs", service, 0, 1, 2)
            assert len(re.findall(r"cim \(emulated\) +sent", call("jobs", "list", "run.jobs"))) == 3
            assert "job 1: 3 reads of 4 spins" in call("jobs", "resume", "run.jobs", "1")
            assert "job 2: cancelled" in call("jobs", "cancel", "run.jobs", "2")
            assert "1 answers fetched, 0 jobs without one" in call("jobs", "resume", "run.jobs")
            assert service.state()["open"] == []
        listed = call("jobs", "list", "run.jobs")
        assert len(re.findall(r"cim \(emulated\) +answered", listed)) == 2
        assert "cancelled" in listed
        assert "exported" not in call("jobs", "export", "run.jobs", "--out", "samples.json")
        content = json.loads(Path("samples.json").read_text())
        found = dimod.SampleSet.from_serializable(content["1"])
        assert sorted(content) == ["1", "3"]
        np.testing.assert_allclose(found.record.energy, RING.energies(found.record.sample))
        shown = json.loads(call("jobs", "show", "run.jobs", "1"))
        assert shown["machine"] == "cim"
        assert shown["stages"][0]["emulated"] == "cim"
        assert "token" not in json.dumps(shown)

    def test_a_machine_that_is_gone_is_said(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rapid_ising.remote.transport.sleep", lambda seconds: None)
        monkeypatch.setenv("CIM_GATEWAY_TOKEN", "emulator-token")
        with running("cim") as (_, service):
            self.sent(folder / "run.jobs", service, 0)
        told = call("jobs", "resume", "run.jobs", status=1)
        assert "job 1: cim cannot be reached" in told
        assert "0 answers fetched, 1 jobs without one" in told
        # Nothing was given up: it can be fetched when the machine is back.
        assert json.loads(call("jobs", "list", "run.jobs", "--json"))["jobs"][0]["state"] == "sent"

    def test_mistakes_are_one_line(self, folder: Path) -> None:
        assert "there is no journal" in call("jobs", "list", "none.jobs", status=2)
        assert "there is no journal" in call("jobs", "resume", "none.jobs", status=2)
        kept = Journaled("gibbs", folder / "run.jobs")
        kept.sample(RING, seed=0)
        kept.close()
        assert "has no job 9" in call("jobs", "show", "run.jobs", "9", status=2)
        assert "is answered, and this is for" in call("jobs", "cancel", "run.jobs", "1", status=2)


class TestEmulate:
    def test_ctrl_c_does_afterwards_what_it_did_before(self) -> None:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(number) for number in numbers]
        call("emulate", "cim", "--attached")  # its standard input is empty, so that it ends at once
        assert [signal.getsignal(number) for number in numbers] == before

    def test_it_serves_until_it_is_stopped(self) -> None:
        code = "from rapid_ising.cli.app import main; main()"
        words = [sys.executable, "-c", code, "emulate", "fujitsu-da", "--faults", "429:0.5", "--seed", "1"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "a digital twin and not the machine" in line
            url = line.split()[-1]
            machine = ri.load_backend("fujitsu-da", url=url, token="emulator-token")
            model = ri.PatternRBM(n_visible=3, n_hidden=3, n_patterns=2, seed=0)
            assert len(ri.prepare(machine, model, show=False).sample(model.ising(), num_reads=3)) >= 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

    def test_in_a_process_of_its_own_it_ends_with_the_block(self) -> None:
        with spawn("fujitsu-da", faults="429:0.2", options={"quota": 1000}) as service:
            assert service.state()["accepted"] == []
            assert service.machine().capabilities.remote
        with pytest.raises(urllib.error.URLError):
            service.state()

    def test_a_wrong_fault_or_name_is_one_line(self) -> None:
        assert "unknown fault 'tea'" in call("emulate", "cim", "--faults", "tea:1", status=2)
        assert "unknown emulator 'exact'" in call("emulate", "exact", status=2)
