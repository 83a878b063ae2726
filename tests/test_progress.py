"""Progress: drawn in a terminal and in a notebook, with the time left, and nowhere else."""

from __future__ import annotations

import builtins
import os
import re
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
import pytest
from rich.errors import LiveError

import rapid_ising as ri
from rapid_ising import progress
from rapid_ising.machine import Batched, Calibrated, Embedded, Scaled
from rapid_ising.progress import Bar, hide_progress, waiting

MODEL = ri.RBM(6, 4, seed=0)
STAR = ri.IsingModel(np.zeros(31), ri.Sparse(31, [0] * 30, range(1, 31), [0.1] * 30))
"""More neighbours than any qubit has."""
PAIR = ri.PatternBoltzmannMachine(2, 1, seed=0)


class Terminal:
    """What was written to standard error, which says that it is a terminal."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured, self._text = captured, ""

    def getvalue(self) -> str:
        self._text += self._captured.readouterr().err
        return self._text

    def drop(self) -> None:
        self.getvalue()
        self._text = ""


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard error a terminal, where bars are drawn at once."""
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TERM", progress.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    # What rich takes for a terminal, whatever is at the other end.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(progress, "DELAY", 0.0)
    return Terminal(capsys)


def text_of(screen: Terminal) -> str:
    """What was written, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def count(steps: int = 3, **options: Any) -> None:
    with Bar("steps", steps, **options) as bar:
        for _ in range(steps):
            bar.advance()


class TestTerminal:
    def test_it_counts_and_tells_the_time_left(self, terminal: Terminal) -> None:
        with Bar("steps", 4, keep=True) as bar:
            for _ in range(3):
                time.sleep(0.2)
                bar.advance(note="on its way")
            time.sleep(0.15)
        shown = text_of(terminal)
        assert "0/4 steps" in shown
        assert re.search(r"3/4 steps 0:00:00 left 0:00:0[01] on its way", shown)

    def test_a_bar_that_is_not_kept_leaves_its_line(self, terminal: Terminal) -> None:
        count()
        # What comes after the last state of the bar erases its line and shows the cursor.
        _, drawn, after = terminal.getvalue().rpartition("steps")
        assert drawn
        assert "\x1b[2K" in after
        assert "\x1b[?25h" in after

    def test_a_bar_inside_another_is_a_line_below_it(self, terminal: Terminal) -> None:
        with Bar("images", 2) as outer:
            outer.advance()
            count(keep=True)
            with waiting("the machine answers"):
                pass
        shown = text_of(terminal)
        assert re.search(r"1/2 images.*\n.*3/3 steps", shown)
        # Of what has no end that is known, the time that has passed.
        assert re.search(r"the machine answers 0:00:00 +\r", shown)

    def test_what_is_kept_stays_when_a_bar_that_is_not_ends_last(self, terminal: Terminal) -> None:
        with Bar("images", 2) as outer:
            outer.advance()
            count(keep=True)
        # The last line of the last picture, whose end shows the cursor and erases nothing.
        *_, last = terminal.getvalue().split("\x1b[2K")
        assert "3/3 steps" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last)
        assert "images" not in last

    def test_names_are_no_markup(self, terminal: Terminal) -> None:
        with Bar("[bold]steps[/bold]", 2, keep=True) as bar:
            bar.advance(note="ising[sdk] [/]")
        assert re.search(r"1/2 \[bold\]steps\[/bold\] .* ising\[sdk\] \[/\]", text_of(terminal))

    def test_an_error_takes_the_bar_away(self, terminal: Terminal) -> None:
        with pytest.raises(ZeroDivisionError), Bar("steps", 3) as bar:
            bar.advance(1 // 0)
        assert progress._Screen._open is None
        count(keep=True)
        assert "3/3 steps" in text_of(terminal)


class TestSilence:
    def test_in_the_first_second(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "DELAY", 1.0)
        count()
        assert terminal.getvalue() == ""

    def test_where_nobody_looks(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FORCE_COLOR")
        count(delay=0, keep=True)
        assert terminal.getvalue() == ""

    def test_when_it_is_not_wanted(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        with hide_progress():
            count()
        with Bar("epochs", 3, shown=False):
            count()
        monkeypatch.setenv(progress.VARIABLE, "0")
        count()
        assert terminal.getvalue() == ""

    def test_where_another_live_display_has_the_terminal(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Any) -> None:
            # As rich before 14 does.
            raise LiveError("Only one live display may be active at once")

        monkeypatch.setattr("rich.progress.Progress.start", refuse)
        count()
        assert terminal.getvalue() == ""

    def test_off_the_main_thread(self, terminal: Terminal) -> None:
        def hidden() -> None:
            with hide_progress():
                count()

        for target in (count, hidden):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        assert terminal.getvalue() == ""
        with Bar("images", 1, keep=True):
            thread = threading.Thread(target=count)
            thread.start()
            thread.join()
        assert "images" in text_of(terminal)
        assert "steps" not in text_of(terminal)

    # Python's own remark: the thread that draws is there while the process forks.
    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_in_a_process_forked_inside_a_bar(self, terminal: Terminal) -> None:
        read, write = os.pipe()
        with Bar("images", 2, keep=True) as bar:
            bar.advance()
            child = os.fork()
            if child == 0:
                told = b"failed"
                try:
                    terminal.drop()
                    count(keep=True)
                    bar.advance(note="below")
                    bar.__exit__(None, None, None)
                    told = terminal.getvalue().encode()
                finally:
                    os.write(write, told or b"nothing")
                    os._exit(0)
            os.waitpid(child, 0)
            bar.advance()
        assert os.read(read, 100) == b"nothing"
        assert "2/2 images" in text_of(terminal)
        for end in (read, write):
            os.close(end)

    @pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
    def test_a_training_without_progress_hides_the_bars_of_its_machine(self, terminal: Terminal) -> None:
        machine = ri.prepare("twin-photonic", PAIR, show=False)
        ri.train(PAIR, np.ones((4, 2)), backend=machine, epochs=1, seed=0, progress=False)
        assert terminal.getvalue() == ""


LONG: dict[str, Callable[[], Any]] = {
    "2/2 epochs": lambda: ri.train(MODEL, ri.datasets.stripes(4).images[:, :6], epochs=2, seed=0),
    "/20 temperatures": lambda: ri.evaluation.annealed_importance(MODEL, betas=20, seed=0),
    "parts of an enumeration": lambda: ri.log_partition(MODEL),
    "/2 calls": lambda: Batched("twin-cmos").sample(
        dimod.BinaryQuadraticModel({(0, 0): 1.0}, {}, "SPIN"), num_reads=20, seed=0
    ),
    "calls of a calibration at most": lambda: Calibrated("twin-photonic").sample(
        ri.IsingModel(np.zeros(3), ri.Patterns([[1.0, 0.5, -1.0]], -0.5)), num_reads=200, seed=0
    ),
    "/3 tries of an embedding": lambda: Embedded(Scaled("twin-dwave")).sample(
        STAR, seed=np.random.default_rng(0)
    ),
}


@pytest.mark.filterwarnings("ignore::rapid_ising.notices.RapidIsingWarning")
@pytest.mark.parametrize("counted", LONG)
def test_what_takes_long_counts_its_steps(counted: str, terminal: Terminal) -> None:
    LONG[counted]()
    assert counted in text_of(terminal)


class Handle:
    """What IPython's ``display`` returns for output that changes."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(data["text/plain"])


class TestNotebook:
    @pytest.fixture
    def handles(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> list[Handle]:
        """Make this process a notebook's, by what rich asks, without ipywidgets."""
        made: list[Handle] = []

        def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
            assert (data, raw, display_id) == ({"text/plain": ""}, True, True)
            made.append(Handle())
            return made[-1]

        shell = type("ZMQInteractiveShell", (), {})
        monkeypatch.setattr(builtins, "get_ipython", lambda: shell(), raising=False)
        module = types.ModuleType("IPython.display")
        vars(module)["display"] = display
        monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
        monkeypatch.setattr(progress, "NOTEBOOK_PAUSE", 0.0)
        return made

    def test_one_piece_of_output_changes(self, handles: list[Handle], terminal: Terminal) -> None:
        ri.train(MODEL, ri.datasets.stripes(4).images[:, :6], epochs=2, seed=0)
        (handle,) = handles
        assert "0/2 epochs" in handle.shown[0]
        assert re.search(r"2/2 epochs.* left 0:00:00", handle.shown[-1])
        assert all("\x1b" not in text for text in handle.shown)
        assert terminal.getvalue() == ""

    def test_a_bar_that_is_not_kept_leaves_it_empty(self, handles: list[Handle]) -> None:
        count()
        assert handles[0].shown[-1] == ""
