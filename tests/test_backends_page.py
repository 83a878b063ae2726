"""backends/README.md: its table is what the machines say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rapid_ising import Backend, load_backend
from rapid_ising.cli import machines
from rapid_ising.cli.machines import BEGIN, END, capability_table, markdown_table, with_table
from rapid_ising.errors import BackendLoadError, InvalidDataError, RapidIsingError

PAGE = Path(__file__).parents[1] / "backends" / "README.md"


class TestTable:
    def test_the_page_is_not_stale(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        assert with_table(page) == page, "run `make backends-table`"

    def test_each_machine_is_linked_to_its_file(self) -> None:
        files = re.findall(r"^\| \[.*?\]\((.*?)\)", markdown_table(), re.M)
        assert {"rapid_ising_backends/exact.py", "rapid_ising_backends/gibbs.py"} <= set(files)
        assert [file for file in files if not (PAGE.parent / file).is_file()] == []

    def test_rows_fit_the_columns(self) -> None:
        table = capability_table()
        assert table.columns[0] == "backend"
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert table.problems == {}

    def test_a_machine_that_cannot_be_loaded_is_named_with_the_reason(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(name: str) -> Backend:
            if name == "gibbs":
                raise BackendLoadError("gibbs is broken")
            return load_backend(name)

        monkeypatch.setattr("rapid_ising.cli.machines.load_backend", load)
        table = capability_table(["gibbs", "exact"])
        assert [row[0] for row in table.rows] == ["exact"]
        assert table.problems == {"gibbs": "gibbs is broken"}
        with pytest.raises(RapidIsingError, match="gibbs is broken"):
            markdown_table()

    def test_text_around_the_markers_is_kept(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")
        machines.main([str(page)])
        text = page.read_text(encoding="utf-8")
        assert text == f"above\n{BEGIN}\n\n{markdown_table()}\n\n{END}\nbelow\n"
        assert with_table(text) == text

    @pytest.mark.parametrize(
        "text", ["", BEGIN, END, f"{END} {BEGIN}", f"{BEGIN} {END} {END}", f"{BEGIN} " * 2 + END]
    )
    def test_a_page_without_its_markers_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidDataError, match="one line"):
            with_table(text)
