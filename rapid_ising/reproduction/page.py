"""The page of a reproduction: how it was made, every claim with what was seen, then the studies."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from rapid_ising.provenance import code_fingerprint, cores, processor, versions
from rapid_ising.report import Element, Heading, Picture, Table, Text, html, markdown
from rapid_ising.reproduction.reproduce import Outcome
from rapid_ising.reproduction.results import write_file
from rapid_ising.reproduction.study import Claim, Study
from rapid_ising.version import __version__

PICTURES = "pictures"
PAPER = (
    "A. Pozas-Kerstjens et al., Efficient training of energy-based models via spin-glass control, "
    "arXiv:1910.01592"
)


def page(studies: Mapping[str, Study], outcome: Outcome) -> list[Element]:
    """Return all that the page shows."""
    elements: list[Element] = [
        *_head(studies),
        *_how(outcome),
        Heading("Claims"),
        Text(
            "Those marked (paper) are the paper's own, as far as this run can test them; the others are this "
            "library's. Untold: the run was too short to decide."
        ),
        claims_table(studies, outcome),
    ]
    for name, study in studies.items():
        elements.append(Heading(f"{name}: {study.title}"))
        if name in outcome.left_out:
            elements.append(Text(f"Left out: {outcome.left_out[name]}."))
            continue
        results = outcome.results[name]
        failed = [result for result in results if result.error is not None]
        elements += study.sections([result for result in results if result.error is None])
        elements += [Text(f"{len(failed)} of {len(results)} tasks of this study failed.")] if failed else []
    if outcome.failed:
        rows = [[r.task.study, r.task.key, str(r.error)] for r in outcome.failed]
        elements += [Heading("Failed tasks"), Table(["study", "task", "error"], rows)]
    return elements


def _head(studies: Mapping[str, Study]) -> list[Element]:
    """Return the title, and what was measured."""
    if set(studies) == {"machines"}:
        said = f"What every machine does with models of known law, measured with rapid-ising {__version__}."
        return [Heading("Every machine, measured", 1), Text(said)]
    if set(studies) == {"services"}:
        said = f"The stripes trained by way of the emulator of every service, with rapid-ising {__version__}."
        return [Heading("Every hardware service, rehearsed", 1), Text(said)]
    said = f"The figures and claims of {PAPER}, measured again with rapid-ising {__version__}."
    return [Heading("Reproduction of arXiv:1910.01592", 1), Text(said)]


def claims_table(studies: Mapping[str, Study], outcome: Outcome) -> Table:
    """Return every claim with its target and what was seen."""
    answers = {True: "yes", False: "no", None: "untold"}
    rows: dict[tuple[str, str], list[str]] = {}
    for name, found in outcome.results.items():
        claims: list[Claim] = studies[name].claims([result for result in found if result.error is None])
        for claim in claims:
            met = None if outcome.scale == "smoke" else claim.met
            row = [name, claim.what, answers[met], claim.seen, claim.target]
            rows.setdefault((studies[name].name, claim.what), row)
    return Table(["study", "claim", "met", "seen", "target"], list(rows.values()))


def _how(outcome: Outcome) -> list[Element]:
    """Return what was run, on what, with which seeds."""
    every = outcome.every
    reused = [result for result in every if result.reused]
    others = sorted({f"{r.version} ({r.code})" for r in every if r.code and r.code != code_fingerprint()})
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    workers = "a cluster" if outcome.workers is None else f"{outcome.workers} workers"
    facts = {
        "date": now,
        "studies": ", ".join([*outcome.results, *(f"{name} (left out)" for name in outcome.left_out)]),
        "scale": outcome.scale,
        "first seed": str(outcome.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "code": code_fingerprint(),
        "processor": f"{processor()}, {cores()} cores for this process, {workers}",
        "tasks": f"{len(every)}, of which {len(reused)} are results of an earlier run and "
        f"{len(outcome.failed)} failed",
        "CPU time": f"{sum(result.cpu for result in every):.0f} s in all tasks, with those of earlier runs",
        "time": f"{outcome.seconds:.0f} s by the clock for this run, "
        f"{sum(result.wall for result in every):.0f} s in all tasks, with those of earlier runs",
    }
    elements: list[Element] = [Table(["", "this page"], [[name, fact] for name, fact in facts.items()])]
    if outcome.scale == "smoke":
        elements.append(
            Text("At the scale smoke a run only shows that everything works; its numbers mean little.")
        )
    if others:
        elements.append(Text(f"Some results were made by other versions of the code: {', '.join(others)}."))
    return elements


def write_page(elements: list[Element], out: Path) -> list[Path]:
    """Write index.html, index.md and the pictures, and return the paths of the first two."""
    for element in elements:
        if isinstance(element, Picture):
            write_file(out / PICTURES / f"{element.name}.{element.kind}", element.image)
    return [
        write_file(out / "index.html", html(elements)),
        write_file(out / "index.md", markdown(elements, PICTURES)),
    ]
