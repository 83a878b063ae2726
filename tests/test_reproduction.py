"""The reproduction: tasks and workers, results that are kept, what is measured and what is said of it."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising import provenance
from rapid_ising.cli.app import app
from rapid_ising.errors import (
    CheckpointError,
    InvalidDataError,
    InvalidParameterError,
    MissingDependencyError,
    UnknownNameError,
)
from rapid_ising.plotting import curves_figure, images_figure, png
from rapid_ising.report import Element, Picture, Table, Text
from rapid_ising.reproduction import fig2b, reproduce
from rapid_ising.reproduction.bars import images_of, portrait
from rapid_ising.reproduction.catalogue import OTHER, STUDIES, chosen, study_of
from rapid_ising.reproduction.fig1 import EPOCHS, Fig1
from rapid_ising.reproduction.measures import (
    edges_known,
    erased_distance,
    free_samples,
    samples_from_patterns,
    unknown_distance,
)
from rapid_ising.reproduction.models import independent_pixels, kings_graph
from rapid_ising.reproduction.page import claims_table, page, write_page
from rapid_ising.reproduction.results import Store, write_file
from rapid_ising.reproduction.spread import mean, median, number, quartiles, spread
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import Watch, measured
from rapid_ising.reproduction.worker import answer
from rapid_ising.reproduction.workers import results_of

DONE = Result(Task("fig1", "cd", {"seed": 0}), {"x": 0.5}, None, 1.5, 2.5, ri.__version__)


def small(seed: int = 0, **other: Any) -> Task:
    """A task of a tenth of a second."""
    facts = {
        "seed": seed,
        "hidden": 4,
        "training": "RAPID",
        "runs": 1,
        "chains": 20,
        "betas": 20,
        "tolerance": 0.05,
    }
    return Task("likelihood", "ais", {**facts, **other})


def in_process(tasks: list[Task], **options: Any) -> Iterator[Result]:
    """What workers do, without them."""
    for task in tasks:
        facts = answer(json.dumps(task.facts))
        yield Result(task, version=ri.__version__, code=provenance.code_fingerprint(), **facts)


@functools.cache
def smoke_results(study: str) -> list[Result]:
    """Results of a study: of each kind of its tasks, and of its first three."""
    tasks = study_of(study).tasks("smoke", 0, None)
    some = {task.key: task for task in [*{task.kind: task for task in tasks}.values(), *tasks[:3]]}
    return list(in_process(list(some.values())))


def said(elements: list[Element]) -> str:
    return "\n".join(element.text for element in elements if isinstance(element, Text))


class TestTasks:
    def test_the_key_tells_tasks_apart_and_not_their_costs(self) -> None:
        keys = {small().key, small(1).key, small(hidden=5).key, Task("fig1", "ais", small().parameters).key}
        assert len(keys) == 4
        assert dataclasses.replace(small(), cost=9.0).key == small().key

    @pytest.mark.parametrize("name", STUDIES)
    def test_tasks_of_every_scale_are_json_and_distinct(self, name: str) -> None:
        for scale in ("smoke", "quick", "full"):
            tasks = STUDIES[name].tasks(scale, 7, None)
            assert tasks
            assert len({task.key for task in tasks}) == len(tasks)
            assert all(task.parameters["seed"] >= 7 for task in tasks)
            assert all(study_of(task.study).name == STUDIES[name].name for task in tasks)
            json.dumps([task.facts for task in tasks], allow_nan=False)

    def test_both_halves_of_fig_1_share_their_tasks(self) -> None:
        first, second = (STUDIES[name].tasks("quick", 0, None) for name in ("fig1a", "fig1b"))
        assert [task.key for task in first] == [task.key for task in second]

    def test_a_study_of_no_name_is_refused_with_the_nearest(self) -> None:
        assert list(chosen(["all"])) == [name for name in STUDIES if name not in OTHER]
        with pytest.raises(UnknownNameError, match="did you mean 'fig1"):
            chosen(["fig1"])


class TestStore:
    def test_a_result_comes_back_as_it_was(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        mine = dataclasses.replace(DONE, code=provenance.code_fingerprint())
        store.put(mine)
        assert store.get(DONE.task) == dataclasses.replace(mine, reused=True)
        assert store.get(Task("fig1", "cd", {"seed": 1})) is None

    def test_other_code_is_used_only_where_that_is_asked_for(self, tmp_path: Path) -> None:
        Store(tmp_path).put(dataclasses.replace(DONE, code="another"))
        assert Store(tmp_path).get(DONE.task) is None
        kept = Store(tmp_path, keep=True).get(DONE.task)
        assert kept is not None
        assert kept.code == "another"

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"task": 1, "values": {}}'])
    def test_a_damaged_file_is_no_result(self, tmp_path: Path, content: str) -> None:
        store = Store(tmp_path, keep=True)
        store.path(DONE.task).parent.mkdir(parents=True)
        store.path(DONE.task).write_text(content, encoding="utf-8")
        assert store.get(DONE.task) is None

    def test_an_error_is_not_kept(self, tmp_path: Path) -> None:
        Store(tmp_path).put(dataclasses.replace(DONE, error="it failed"))
        assert list(tmp_path.iterdir()) == []

    def test_what_cannot_be_written_leaves_nothing_behind(self, tmp_path: Path) -> None:
        (tmp_path / "page").mkdir()
        with pytest.raises(CheckpointError, match="cannot write"):
            write_file(tmp_path / "page", "text")
        (tmp_path / "file").touch()
        with pytest.raises(InvalidParameterError, match="cannot make"):
            write_file(tmp_path / "file" / "page", b"bytes")
        assert {path.name for path in tmp_path.iterdir()} == {"page", "file"}

    def test_the_fingerprint_covers_the_library_and_its_machines(self) -> None:
        assert len(provenance.code_fingerprint()) == 16
        assert {"rapid_ising", "rapid_ising_backends"} == {*provenance.PACKAGES}


class TestWorkers:
    def test_workers_return_what_the_study_does_and_go_on_after_an_error(self) -> None:
        tasks = [small(), dataclasses.replace(small(hidden=-1), cost=9.0), small(1)]
        failed, *good = results_of(tasks, workers=1)
        assert failed.error is not None
        assert failed.error.startswith("InvalidParameterError: n_hidden must be")
        for task, result in zip((tasks[0], tasks[2]), good, strict=True):
            assert (result.task, result.error) == (task, None)
            assert result.values == json.loads(json.dumps(study_of(task.study).run(task)))
            assert result.cpu > 0
            assert result.code == provenance.code_fingerprint()

    def test_a_worker_that_dies_is_an_error_with_its_last_words(self) -> None:
        code = "import sys; sys.stdin.readline(); print('lost power', file=sys.stderr); sys.exit(3)"
        tasks = [small(seed) for seed in range(3)]
        found = list(results_of(tasks, workers=2, command=[sys.executable, "-c", code]))
        assert [result.error for result in found] == ["the worker died with status 3: lost power"] * 3

    def test_a_task_that_takes_too_long_is_ended(self) -> None:
        began = time.monotonic()
        slow = [sys.executable, "-c", "import time; time.sleep(60)"]
        (result,) = results_of([small()], workers=1, limit=0.3, command=slow)
        assert result.error == "the task took longer than 0.3 s, and its worker was ended"
        assert time.monotonic() - began < 30

    def test_a_caller_that_stops_asking_ends_the_workers(self, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        code = (
            "import os, sys, time; first = sys.stdin.readline(); "
            f"open({str(pid)!r}, 'w').write(str(os.getpid())); "
            'print(\'{"values": {}, "cpu": 0, "wall": 0}\', flush=True); time.sleep(60)'
        )
        tasks = [small(seed) for seed in range(2)]
        running = results_of(tasks, workers=1, command=[sys.executable, "-c", code])
        assert next(iter(running)).error is None
        running.close()  # type: ignore[attr-defined]
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)

    def test_each_worker_has_one_thread_and_the_given_variables(self) -> None:
        code = (
            "import json, os, sys; sys.stdin.readline(); "
            "print(json.dumps({'values': {k: os.environ[k] for k in ('OMP_NUM_THREADS', 'MINE')}, "
            "'cpu': 0, 'wall': 0}), flush=True)"
        )
        (result,) = results_of(
            [small()], workers=1, environment={"MINE": "yes"}, command=[sys.executable, "-c", code]
        )
        assert result.values == {"OMP_NUM_THREADS": "1", "MINE": "yes"}

    def test_values_that_are_no_json_are_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(study_of("likelihood")), "run", lambda self, task: {"x": math.nan})
        assert "ValueError" in answer(json.dumps(small().facts))["error"]


class TestReproduce:
    @pytest.fixture
    def studies(self) -> dict[str, Any]:
        return {"likelihood": STUDIES["likelihood"]}

    def test_a_second_run_computes_nothing(
        self, tmp_path: Path, studies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reproduce, "results_of", in_process)
        first = reproduce.reproduce(studies, tmp_path, scale="smoke", progress=False)
        assert not first.failed
        assert not any(result.reused for result in first.every)
        monkeypatch.setattr(
            reproduce, "results_of", lambda tasks, **options: iter([_ for _ in tasks if 1 / 0])
        )
        second = reproduce.reproduce(studies, tmp_path, scale="smoke", progress=False)
        assert all(result.reused for result in second.every)
        assert [r.values for r in first.every] == [r.values for r in second.every]
        with pytest.raises(ZeroDivisionError):
            reproduce.reproduce(studies, tmp_path, scale="smoke", fresh=True, progress=False)

    def test_an_interrupted_run_keeps_what_is_done(
        self, tmp_path: Path, studies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(tasks: list[Task], **options: Any) -> Any:
            yield Result(tasks[0], {"done": 1}, version=ri.__version__, code=provenance.code_fingerprint())
            raise KeyboardInterrupt

        monkeypatch.setattr(reproduce, "results_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reproduce.reproduce(studies, tmp_path, scale="smoke", progress=False)
        assert len(list((tmp_path / "results" / "likelihood").iterdir())) == 1

    def test_a_study_without_its_data_is_left_out_and_says_why(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(*given: Any, **options: Any) -> Any:
            raise MissingDependencyError("scikit-learn is not installed here")

        monkeypatch.delenv("RAPID_ISING_DATA", raising=False)
        monkeypatch.setattr(fig2b, "digits", missing)
        studies = {"fig2b": STUDIES["fig2b"]}
        outcome = reproduce.reproduce(studies, tmp_path, scale="smoke", progress=False)
        assert outcome.results == {}
        assert "scikit-learn is not installed" in outcome.left_out["fig2b"]
        assert "Left out: mnist is the files" in said(page(studies, outcome))

    def test_failures_are_on_the_page(
        self, tmp_path: Path, studies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            reproduce,
            "results_of",
            lambda tasks, **options: (Result(task, error="it broke") for task in tasks),
        )
        outcome = reproduce.reproduce(studies, tmp_path, scale="smoke", progress=False)
        elements = page(studies, outcome)
        assert "3 of 3 tasks of this study failed." in said(elements)
        assert elements[-1] == Table(
            ["study", "task", "error"],
            [["likelihood", result.task.key, "it broke"] for result in outcome.every],
        )


class TestStudies:
    @pytest.mark.parametrize("name", STUDIES)
    def test_each_runs_and_has_a_page(
        self, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("RAPID_ISING_DATA", raising=False)
        study = STUDIES[name]
        results = smoke_results(study.name)
        assert [result.error for result in results] == [None] * len(results)
        elements = study.sections(results)
        assert any(isinstance(element, Table) for element in elements)
        assert study.claims(results)
        for element in elements:
            if isinstance(element, Picture):
                assert element.image.startswith(b"\x89PNG")
        write_page(elements, tmp_path)
        assert (tmp_path / "index.html").stat().st_size > 1000

    @pytest.mark.parametrize("name", STUDIES)
    def test_without_results_it_says_so(self, name: str) -> None:
        assert said(STUDIES[name].sections([])) == "No task of this study is done."
        assert STUDIES[name].claims([]) == []


def fig1_result(kind: str, seed: int, warm: Mapping[int, float], cold: Mapping[int, float]) -> Result:
    """A result of Fig. 1 with given distances; they stay from each epoch to the next one given."""
    epochs = [epoch for epoch in EPOCHS if epoch <= 1000]

    def column(given: Mapping[int, float]) -> list[float]:
        return [given[max(start for start in given if start <= epoch)] for epoch in epochs]

    curves = {"epoch": epochs, "cpu": [0.1] * len(epochs)}
    for part in ("train", "test"):
        curves |= {f"hamming_{part}": column(warm), f"zero_temperature_{part}": column(cold)}
    return Result(Task("fig1", kind, {"seed": seed, "epochs": 1000}), {"curves": curves, "seconds": 0.05})


class TestSentences:
    """What is said follows from the numbers: other numbers, other sentences."""

    def test_the_papers_claims_hold_where_the_numbers_do(self) -> None:
        rapid = [fig1_result("paper", seed, {1: 0.2, 20: 0.0}, {1: 0.2, 20: 0.0}) for seed in range(100)]
        slow = [fig1_result("cd", 0, {1: 0.4, 1000: 0.0}, {1: 0.3, 1000: 0.0})]
        assert [claim.met for claim in Fig1("train").claims([*rapid, *slow])] == [True, True, True, True]

    def test_and_fail_where_they_do_not(self) -> None:
        rapid = [fig1_result("paper", seed, {1: 0.2, 70: 0.0}, {1: 0.2, 70: 0.0}) for seed in range(100)]
        cold = [fig1_result("cd", 0, {1: 0.4}, {1: 0.3, 5: 0.0})]
        claims = Fig1("test").claims([*rapid, *cold])
        assert [claim.met for claim in claims] == [True, False, False, False]
        assert claims[2].seen == "epoch 70"
        assert claims[3].seen == "beta = 1: not within 1000 epochs; T = 0: epoch 5"

    def test_few_seeds_decide_nothing_about_the_time(self) -> None:
        assert Fig1("train").claims([fig1_result("paper", 0, {1: 0.0}, {1: 0.0})])[0].met is None

    def test_the_best_methods_are_named(self) -> None:
        results = [
            fig1_result("paper", 0, {1: 0.1}, {1: 0.2}),
            fig1_result("cd", 0, {1: 0.3}, {1: 0.0}),
            fig1_result("exact", 0, {1: 0.2}, {1: 0.0}),
        ]
        text = said(Fig1("train").sections(results))
        assert "RAPID, paper's recipe has the smallest median distance, 0.100, at beta = 1" in text
        assert "CD-10 and exact gradient have the smallest median distance, 0.000, at zero" in text

    @pytest.mark.parametrize("share", [0.95, 0.1])
    def test_the_race_goes_to_who_has_more_valid_and_distinct_samples(self, share: float) -> None:
        (race,) = smoke_results("fig2a")
        values = json.loads(json.dumps(race.values))
        for name, method in values["methods"].items():
            for measures in method["by_beta"].values():
                measures["valid_and_distinct"] = share if name == "RAPID" else 0.5
        claims = {claim.what: claim.met for claim in STUDIES["fig2a"].claims([Result(race.task, values)])}
        (won,) = [met for what, met in claims.items() if "distinct samples than each baseline" in what]
        (target,) = [met for what, met in claims.items() if what.endswith("best over beta")]
        assert won is target is (share > 0.9)

    @pytest.mark.parametrize("good", [True, False])
    def test_the_default_recipe_restores_and_the_likelihood_recipe_explains(self, good: bool) -> None:
        recalled = [fig1_result("default", seed, {1: 0.0 if good else 0.05}, {1: 0.0}) for seed in range(3)]
        nats = -2.9 if good else -4.5
        pairs = zip(("log_likelihood", "zero_temperature"), (nats, 0.0), strict=True)
        numbers = {f"{name}_{part}": x for name, x in pairs for part in ("train", "test")}
        scores = {"beta": 1.0, "as trained": numbers, "calibrated": numbers}
        one = fig1_result("likelihood", 0, {1: 0.2}, {1: 0.0})
        explained = Result(one.task, {**one.values, "likelihood": scores})
        claims = Fig1("train").claims([*recalled, explained])
        assert [claim.met for claim in claims] == [good] * 3
        assert claims[0].seen == ("0.0000 and 0.0000; 100%" if good else "0.0500 and 0.0500; 0%")

    @pytest.mark.parametrize("whole", [True, False])
    def test_only_all_of_mnist_decides_what_was_said_of_it(self, whole: bool) -> None:
        results = smoke_results("fig2b")
        facts = {**results[0].task.parameters, "train": 60_000 if whole else 200}
        task = dataclasses.replace(results[0].task, parameters=facts)
        claims = STUDIES["fig2b"].claims([dataclasses.replace(results[0], task=task)])
        assert len(claims) == 8
        assert [claim.met is None for claim in claims] == [not whole] * 5 + [False] * 3

    def test_the_largest_error_of_a_likelihood_is_told_with_its_model(self) -> None:
        runs = [{"error": 0.001, "held": True}, {"error": -0.2, "held": False}]
        result = Result(small(hidden=7), {"exact": 1.0, "runs": runs})
        right, held = STUDIES["likelihood"].claims([result])
        assert (right.met, held.met) == (False, False)
        assert right.seen.startswith("largest 0.200 (7 hidden spins, RAPID)")
        assert held.seen == "50% of 2"

    def test_a_smoke_run_decides_nothing(self) -> None:
        runs = [fig1_result("paper", seed, {1: 0.0}, {1: 0.0}) for seed in range(100)]
        for scale, met in (("quick", "yes"), ("smoke", "untold")):
            outcome = reproduce.Outcome(scale, 0, 1, {"fig1a": runs}, {}, 1.0)  # type: ignore[arg-type]
            assert {row[2] for row in claims_table(STUDIES, outcome).rows} == {met}


class TestMeasures:
    def test_a_model_without_couplings_restores_by_chance(self) -> None:
        data = ri.datasets.stripes(4)
        # 14 images x 16 pixels: the share of wrong ones among 224 fair coins has s = 0.033.
        found = erased_distance(ri.RBM(16, 3, weight_std=0.0), data.images, seed=0)
        assert abs(found - 0.5) < 4 * 0.5 / math.sqrt(14 * 16)

    def test_only_erased_pixels_are_hidden_from_the_model(self) -> None:
        # One hidden spin a pixel, strongly tied to it: what is known comes back, what is erased is a coin.
        model = ri.RBM(16, 16, weight_std=0.0)
        model.weights[:] = 50 * np.eye(16)
        images = np.tile(ri.datasets.stripes(4).images, (50, 1))
        assert erased_distance(model, images, share=0.0) == 0.0
        # The masks: 20 x 16 pixels, erased with probability 1/4 each, half of the erased ones wrong.
        masks = 0.5 * math.sqrt(0.25 * 0.75 / (20 * 16))
        coins = math.sqrt(0.25 * 0.25 / images.size)
        assert abs(erased_distance(model, images, share=0.25) - 0.125) < 4 * math.hypot(masks, coins)

    def test_only_unknown_pixels_count_and_known_ones_are_held(self) -> None:
        images = np.tile(ri.datasets.stripes(4).images, (50, 1))
        masks = np.arange(16) < np.array([[4], [8]])
        # Without couplings an unknown pixel is a coin: 14 x 50 images, 8 pixels or more of each.
        found = unknown_distance(ri.RBM(16, 3, weight_std=0.0), images, masks, seed=0)
        assert abs(found - 0.5) < 4 * 0.5 / math.sqrt(len(images) * 8)
        # One hidden spin a column, whose pixels are equal in every image: the first row tells all.
        model = ri.RBM(16, 4, weight_std=0.0)
        model.weights[:] = np.tile(np.eye(4), 4)
        assert unknown_distance(model, images, masks, beta=math.inf, steps=3, seed=0) == 0.0

    def test_unknown_pixels_start_where_they_are_told_to(self) -> None:
        # One hidden spin a pixel, strongly tied to it: every pixel stays as it starts.
        model = ri.RBM(16, 16, weight_std=0.0)
        model.weights[:] = 50 * np.eye(16)
        image, masks = np.ones((1, 16), np.int8), np.zeros((1, 16), bool)
        for start, wrong in ((1.0, 0.0), (-1.0, 1.0)):
            assert unknown_distance(model, image, masks, unknown=start, steps=9, seed=0) == wrong

    def test_samples_from_patterns_are_patterns_that_nothing_moves_from(self) -> None:
        model = ri.PatternRBM(16, 16, 1, amplitude=5.0, seed=0)
        pattern = np.sign(model.visible_patterns[0])
        drawn = samples_from_patterns(model, 20, steps=5, seed=0)
        assert np.array_equal(drawn, np.tile(pattern, (20, 1)))

    def test_the_edges_of_bars_and_stripes_tell_the_image(self) -> None:
        data = ri.datasets.bars_and_stripes(4)
        known = edges_known(data.shape)
        assert known.sum() == 7
        assert len(np.unique(data.images[:, known], axis=0)) == len(data.images)

    def test_free_samples_have_the_law_of_the_model(self) -> None:
        model = ri.RBM(3, 2, weight_std=0.0)
        model.parameters["visible_biases"][:] = [0.5, -1.0, 0.0]
        means = free_samples(model, 4000, sweeps=1, seed=1).mean(axis=0)
        assert np.abs(means - np.tanh([0.5, -1.0, 0.0])).max() < 4 / math.sqrt(4000)

    def test_a_portrait_of_the_data_themselves_is_perfect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = images_of(4)
        monkeypatch.setattr(
            "rapid_ising.reproduction.bars.free_samples", lambda *given, **options: data.images
        )
        found = portrait(ri.PatternRBM(16, 5, 2, seed=0), 4, 10)["by_beta"]["1"]
        assert (found["valid"], found["f1"]) == (1.0, 1.0)
        assert found["overlap_distance"] == 0.0

    def test_a_watch_counts_training_and_no_measures(self) -> None:
        def slow(model: ri.Model) -> dict[str, float]:
            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
            return {"seen": 1.0}

        data = ri.datasets.stripes(4)
        watch = Watch(slow, {2})
        run = ri.train(
            ri.PatternRBM(16, 10, 4, seed=0), data.train, epochs=3, callbacks=[watch], seed=0, progress=False
        )
        assert measured(run, "seen")["epoch"] == [2]
        assert 0 < watch.spent < 0.2
        assert [record["cpu"] for record in run.history] == sorted(record["cpu"] for record in run.history)

    def test_a_budget_ends_the_training_with_a_measure(self) -> None:
        data = ri.datasets.stripes(4)
        watch = Watch(lambda model: {"seen": 1.0}, (), budget=0.02)
        run = ri.train(
            ri.PatternRBM(16, 10, 4, seed=0), data.train, epochs=10_000, callbacks=[watch], progress=False
        )
        assert run.stopped == "early"
        assert run.history[-1]["seen"] == 1.0
        assert run.history[-1]["cpu"] >= 0.02 > run.history[-2]["cpu"]


class TestMachines:
    def test_the_pixels_of_the_kings_graph_are_its_middle(self) -> None:
        graph = kings_graph()
        # n x n places have 2 n (n - 1) straight pairs and 2 (n - 1)^2 oblique ones.
        assert graph.number_of_edges() == 2 * 6 * 5 + 2 * 25
        middle = graph.subgraph(range(16))
        assert middle.number_of_edges() == 2 * 4 * 3 + 2 * 9
        assert all(graph.degree[node] == 8 for node in range(16))

    def test_independent_pixels_are_an_rbm_without_couplings(self) -> None:
        data = ri.datasets.stripes(4)
        model = ri.RBM(16, 2, weight_std=0.0, dtype=np.float64)
        ri.start_from_data(model, data.train)
        for part, images in (("train", data.train), ("test", data.test)):
            assert independent_pixels(data)[part] == pytest.approx(ri.log_likelihood(model, images), abs=1e-9)


class TestFigures:
    def test_lines_are_medians_and_bands_the_middle_half(self) -> None:
        runs = [[0.0, 4.0], [1.0, 5.0], [2.0, 9.0], [3.0, 5.0], [4.0, 6.0]]
        panels = {"a": {"first": ([1, 10], runs)}, "b": {"second": ([1, 2, 5], [[3.0, 2.0, 1.0]])}}
        upper, lower = curves_figure(panels, x_label="epoch", y_label="distance", reference=(0.5, "c")).axes
        assert np.asarray(upper.lines[0].get_ydata()).tolist() == [2.0, 5.0]
        band = upper.collections[0].get_paths()[0].vertices
        assert {(1.0, 1.0), (1.0, 3.0), (10.0, 5.0), (10.0, 6.0)} <= {*map(tuple, np.asarray(band))}
        assert not lower.collections
        assert upper.lines[0].get_color() != lower.lines[0].get_color()
        assert upper.get_xscale() == "log"
        assert lower.get_xlabel() == "epoch"

    def test_a_seventh_method_has_another_style(self) -> None:
        panels = {"": {f"{i}": ([1, 2], [[0.0, i]]) for i in range(7)}}
        (axes,) = curves_figure(panels, x_label="x", y_label="y").axes
        seen = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
        assert len(seen) == 7

    def test_values_that_do_not_fit_their_places_are_refused(self) -> None:
        with pytest.raises(InvalidDataError, match="one row a run of 2 places"):
            curves_figure({"a": {"x": ([1, 2], [[1.0]])}}, x_label="x", y_label="y")

    def test_pictures_of_images(self) -> None:
        figure = images_figure({"given": np.zeros((3, 4)), "true": np.ones((3, 4))}, (2, 2))
        assert len(figure.axes) == 6
        assert png(figure).startswith(b"\x89PNG")
        with pytest.raises(InvalidDataError, match="3, 2 images"):
            images_figure({"given": np.zeros((3, 4)), "true": np.ones((2, 4))}, (2, 2))


class TestNumbers:
    def test_spreads(self) -> None:
        assert median([3.0, None, 1.0]) == 2.0
        assert (median([]), mean([None])) == (None, None)
        assert mean([1.0, 2.0]) == 1.5
        assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0], 1) == "2.0 to 4.0"
        assert spread([1.0, 2.0], 1) == "1.5"
        assert number(math.inf) == "∞"


class TestCommand:
    def run(self, *arguments: str | Path) -> Any:
        return CliRunner().invoke(app, ["reproduce", *map(str, arguments)])

    def test_it_writes_the_page_and_prints_tables(self, tmp_path: Path) -> None:
        result = self.run("likelihood", "--smoke", "--workers", "2", "--out", tmp_path / "new")
        assert result.exit_code == 0, result.output
        assert "annealed importance sampling against exact values" in result.stdout
        assert f"page: {tmp_path / 'new' / 'index.html'}" in result.stdout
        text = (tmp_path / "new" / "index.md").read_text(encoding="utf-8")
        assert "3, of which 0 are results of an earlier run and 0 failed" in text
        again = self.run("likelihood", "--smoke", "--out", tmp_path / "new")
        assert again.exit_code == 0
        text = (tmp_path / "new" / "index.md").read_text(encoding="utf-8")
        assert "3, of which 3 are results of an earlier run and 0 failed" in text

    def test_a_failed_task_is_in_the_exit_status(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            reproduce,
            "results_of",
            lambda tasks, **options: (Result(task, error="it broke") for task in tasks),
        )
        result = self.run("likelihood", "--smoke", "--out", tmp_path)
        assert result.exit_code == 1
        assert "error: 3 of 3 tasks failed" in result.stderr
        assert (tmp_path / "index.html").exists()

    def test_ctrl_c_says_that_the_work_is_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*given: Any, **options: Any) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(reproduce, "reproduce", interrupted)
        result = self.run("likelihood", "--smoke", "--out", tmp_path)
        assert result.exit_code == 130
        assert "finished tasks are kept" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["fig3"], "unknown study 'fig3'"),
            (["fig1a", "--quick", "--full"], "--quick and --full are two scales: give one"),
            (["fig1a", "--workers", "0"], "--workers must be an integer of at least 1"),
            (["fig1a", "--workers", "2", "--scheduler", "tcp://x:1"], "leave --workers or --scheduler out"),
            (["fig2b", "--data", "no/such/folder"], "--data no/such/folder is no folder"),
            ([], "Missing argument"),
        ],
    )
    def test_mistakes_are_one_line(self, tmp_path: Path, arguments: list[str], message: str) -> None:
        result = self.run(*arguments, *(["--out", str(tmp_path / "out")] if arguments else []))
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()
