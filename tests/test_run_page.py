"""The page of a training: what it holds, and how it looks in a browser, on a phone and in the dark."""

from __future__ import annotations

import hashlib
import html as markup
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, Browser, browser
from typer.testing import CliRunner

import rapid_ising as ri
from rapid_ising.cli.app import app
from rapid_ising.cli.report import data_of
from rapid_ising.errors import InvalidDataError
from rapid_ising.report import Element, Heading, Picture, Table, html
from rapid_ising.report.run_page import labels, run_page

DATA = ri.datasets.stripes(4)
NASTY = '<script>alert("x")</script> & `code`'


def call(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def fails(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    return result.output


def trained(**options: Any) -> ri.TrainingRun:
    given: dict[str, Any] = {"epochs": 4, "seed": 0, "progress": False, **options}
    return ri.train(ri.PatternRBM(16, 12, 4, seed=0), DATA.train, **given)


@pytest.fixture(scope="module")
def run() -> ri.TrainingRun:
    evaluate = ri.callbacks.Evaluate(DATA, every=2, tries=1)
    found = trained(backend="exact", batch_size=5, callbacks=[evaluate])
    for record in found.history:
        record |= {"reads_beta": 1.0, "reads_beta_error": 0.1, "machine_seconds": 0.5}
    found.settings["machine"] = {
        "class": "Long",
        "name": "x" * 400,
        "url": "https://example.org/" + "y" * 200,
    }
    return found


@pytest.fixture(scope="module")
def elements(run: ri.TrainingRun) -> list[Element]:
    return run_page(run, DATA, price=2.0)


def table(elements: list[Element], caption: str) -> dict[str, str]:
    """The first two columns of a table."""
    tables = [part for part in elements if isinstance(part, Table)]
    (found,) = [part for part in tables if part.caption.startswith(caption)]
    return {row[0]: row[1] for row in found.rows}


def test_it_has_a_part_for_everything_that_is_known(elements: list[Element]) -> None:
    parts = ["Curves", "Samples", "Patterns", "Reconstructions", "Calibration", "Machine use", "Provenance"]
    found = [part.text for part in elements if isinstance(part, Heading)]
    assert found == ["A PatternRBM trained on stripes-4", *parts]
    pictures = [part for part in elements if isinstance(part, Picture)]
    assert len(pictures) == 8
    assert all(picture.kind == "svg" and len(picture.alt) > 20 for picture in pictures)


def test_the_numbers_are_those_of_the_run(run: ri.TrainingRun, elements: list[Element]) -> None:
    measured = table(elements, "What was measured")
    assert measured["wrong pixels (share), training, β = 1"] == f"{run.history[-1]['hamming_train']:.4g}"
    likelihood = f"{run.history[-1]['log_likelihood_train']:.4g}"
    assert measured["log-likelihood (nats an image), training, β = 1"] == likelihood
    use = table(elements, "What the epochs took")
    # Two batches of 5 rows in each of 4 epochs, 64 reads each; half a second an epoch, at 2.
    assert use == {
        "machine": "exact",
        "calls": "8",
        "reads": "512",
        "machine time": "2 s",
        "cost": "4, at 2 a second",
    }
    sha = hashlib.sha256(DATA.train.tobytes()).hexdigest()
    assert table(elements, "How it was trained")["data"] == f"rows=10, sha256={sha}"
    start = table(elements, "Where and with what")
    assert (start["seed"], start["rapid-ising"]) == ("0", ri.__version__)


def test_samples_that_are_no_machines_are_labelled() -> None:
    assert "a digital twin that computes here" in " ".join(labels({"machine": "twin-cim"}))
    assert "digital twin of `cim`, not of the machine" in " ".join(
        labels({"machine": "cim", "emulated": "x"})
    )
    assert list(labels({"machine": "cim"})) == []
    machines = [
        {"name": "replay:twin-cim", "twin": "twin-cim"},
        {"name": "exact"},
        {"name": "cim", "emulated": "x"},
    ]
    assert [text.partition(":")[0] for text in labels({"machines": machines})] == ["Twin", "Emulated"]


def test_each_machine_of_a_mixture_is_named() -> None:
    run = trained(negative_phase=ri.Mixture([ri.BackendSamples("exact", num_reads=8), "cd"]), epochs=1)
    run.origin["machines"] += [{"name": "twin-cim", "twin": "twin-cim"}]
    page = run_page(run)
    assert table(page, "What the epochs took")["machine"] == "exact, twin-cim (twin)"
    phase = table(page, "How it was trained")["negative_phase"]
    assert phase.startswith("Mixture(phases=[BackendSamples(backend=Exact()")
    assert "ContrastiveDivergence(" in phase


def test_no_text_of_a_run_becomes_markup() -> None:
    run = ri.train(ri.RBM(16, 2, seed=0), DATA.train, epochs=1, seed=0, progress=False)
    run.history[0][NASTY] = 1.0
    run.settings |= {NASTY: NASTY}
    run.origin |= {"machine": NASTY, "dataset": {"name": NASTY, "shape": [4, 4]}}
    page = html(run_page(run))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_data_that_do_not_fit_the_model_are_refused(run: ri.TrainingRun) -> None:
    with pytest.raises(InvalidDataError, match="have 9 pixels and the model has 16"):
        run_page(run, ri.datasets.stripes(3))


def test_every_training_leaves_what_can_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = "train --model rbm --dataset stripes-3 --hidden 10 --epochs 3 --quiet"
    call(*line.split(), "--checkpoint", "run.state", "--out", "model")
    assert json.loads(call("report", "model", "--json"))["out"] == "model.html"
    page = Path("model.html").read_text()
    assert "trained on stripes-3" in page
    assert "crosses mark wrong ones" in page
    # The command measures about ten times unless it is told not to.
    assert "log-likelihood (nats an image) against the epoch" in page
    assert "No machine was asked" in page
    call("report", "run.state", "--dataset", "bars-and-stripes-3", "--out", "other.html")
    page = Path("other.html").read_text()
    assert "This is its state in a checkpoint" in page
    assert "<code>bars-and-stripes-3</code> is not what the model was trained on" in page


def test_data_that_have_changed_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", DATA.images)
    call("train", "--dataset", "images.npy", "--hidden", "5", "--epochs", "1", "--quiet", "--out", "model")
    run = ri.load_run("model")
    assert data_of(run, None) is not None
    np.save("images.npy", DATA.images[:12])
    assert data_of(run, None) is None
    assert "without reconstructions: images.npy has other images" in capsys.readouterr().err
    Path("images.npy").unlink()
    assert data_of(run, None) is None
    assert "without reconstructions: images.npy: there is no such file" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
def test_what_a_journal_has_is_shown_with_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = "train --model rbm --backend cim --emulate --hidden 5 --epochs 1 --quiet --refine 2 --evaluate 0"
    call(*line.split(), "--checkpoint", "run.state")
    call("report", "run.state", "--price", "3")
    page = Path("run.state.html").read_text()
    assert "All jobs in the journal run.state.jobs" in page
    assert "cim (emulated)" in page
    assert '<th scope="col" class="number">cost</th>' in page
    assert "Emulated: the samples are of a digital twin" in page
    assert "No callback measured anything" in page


def test_a_run_that_cannot_be_shown(tmp_path: Path) -> None:
    assert "there is no file" in fails("report", tmp_path / "none")
    trained(epochs=1).model.save(tmp_path / "model")
    assert "without the run that made it" in fails("report", tmp_path / "model")
    trained(epochs=1).save(tmp_path / "run")
    assert "price must be" in fails("report", tmp_path / "run", "--price", "-1")
    assert "there is no journal" in fails("report", tmp_path / "run", "--journal", tmp_path / "none")


@pytest.fixture(scope="module")
def page(elements: list[Element], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "run.html"
    path.write_text(html(elements), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with browser() as opened:
        yield opened


CONTRASTS = """
(() => {
  const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    if (!texts.currentNode.data.trim()) continue;
    const element = texts.currentNode.parentElement;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    found.push((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return found;
})()
"""
PICTURES = """
Promise.all([...document.images].map(image => image.decode().then(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const drawn = canvas.getContext("2d");
  drawn.drawImage(image, 0, 0);
  const box = image.getBoundingClientRect();
  return [image.naturalWidth, box.width, box.right, image.alt.length];
})))
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(chromium: Browser, page: Path, width: int, dark: bool) -> None:
    chromium.open(page, width, dark=dark)
    assert chromium.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    # No wider than the window, and the window as wide as was asked: phones widen it for what is too wide.
    assert chromium.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert chromium.evaluate("innerWidth") == width
    contrasts = chromium.evaluate(CONTRASTS)
    assert len(contrasts) > 50
    # What WCAG 2 asks of text at level AA.
    assert min(contrasts) >= 4.5
    pictures = chromium.evaluate(PICTURES)
    assert len(pictures) == 8
    for natural, shown, right, alt in pictures:
        # Text of 9 points stays readable where the picture is shrunk for a phone.
        assert shown >= 0.7 * natural
        assert right <= width
        assert alt > 20
    asked = [url for url in chromium.requests if not url.startswith("data:")]
    assert asked == [page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures_are_drawn_in_the_theme(chromium: Browser, page: Path, tmp_path: Path, dark: bool) -> None:
    from PIL import Image

    chromium.open(page, 1280, dark=dark)
    box = chromium.evaluate("(box => [box.left, box.top, box.right, box.bottom])("
                            "document.images[0].getBoundingClientRect())")  # fmt: skip
    chromium.picture(tmp_path / "shot.png")
    with Image.open(tmp_path / "shot.png") as shot:
        seen = np.asarray(shot.convert("L").crop(tuple(map(round, box))))
    ground, ink = (22, 228) if dark else (255, 29)
    assert abs(int(np.median(seen)) - ground) < 12
    assert np.abs(seen.astype(int) - ink).min() < 12


def test_a_browser_is_forbidden_to_ask_for_anything(chromium: Browser, page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    leaky = text.replace("</main>", '<img src="http://127.0.0.1:9/x.png" alt="">\n</main>')
    (tmp_path / "leaky.html").write_text(leaky, encoding="utf-8")
    chromium.open(tmp_path / "leaky.html", 390, dark=False)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert "default-src 'none'" in markup.unescape(policy[1])
    # The request is begun and blocked: no picture came, and none was looked for at the address.
    assert chromium.evaluate("[...document.images].at(-1).naturalWidth") == 0
    assert chromium.blocked == ["csp"]
