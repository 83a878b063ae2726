"""Damaged answers to every adapter: an error of the tree or a right result, and never anything else.

A conversation with the emulator is noted once. Then one or two of its answers are damaged, as bytes or as
JSON, and the machine is asked the same again without a socket. ``RAPID_ISING_FUZZ=10000`` sets how often, for
each machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import dimod
import hypothesis
import numpy as np
import pytest
from demo_service import Demo
from faults import MACHINES, service
from hypothesis import strategies as st
from mutations import KINDS, VALUES, Mutation, each_kind_of_place, mutations

import rapid_ising as ri
from rapid_ising.errors import RapidIsingError
from rapid_ising.remote import RemoteMachine, Reply, machine, transport
from rapid_ising.remote.backoff import Backoff
from rapid_ising_backends.emulators.trial import READS, hurried, path_of

EXAMPLES = int(os.environ.get("RAPID_ISING_FUZZ", "200"))
NEVER = 0.1
"""The deadline in seconds: a damaged state may never become done."""
Rows = Counter[tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Said:
    """One answer of a conversation."""

    method: str
    path: str
    reply: Reply


@dataclasses.dataclass
class Talk:
    """A conversation: the machine, what it was asked, what the service said and what came of it."""

    machine: RemoteMachine
    problem: dimod.BinaryQuadraticModel
    told_apart: bool
    """Whether no two states that differ in one spin have one energy."""
    said: list[Said] = dataclasses.field(default_factory=list)
    rows: Rows = dataclasses.field(default_factory=Counter)

    def sample(self, deadline: float) -> Rows:
        """Ask, always in the same way, and return the states in the order of the problem's variables."""
        self.machine._left.clear()
        self.machine._doubtful.clear()
        facts = self.machine.capabilities
        answer = self.machine.sample(
            self.problem,
            num_reads=min(READS, facts.reads_a_call or READS),
            beta=facts.max_beta or 1.0,
            seed=np.random.default_rng(0),
            deadline=deadline,
        )
        columns = [list(answer.variables).index(v) for v in self.problem.variables]
        return Counter(map(tuple, answer.record.sample[:, columns].tolist()))

    def damaged(self, damages: Mapping[int, Mutation], deadline: float = NEVER) -> Rows:
        """Ask again, with damages to some of the answers."""
        bodies = {place: damage.of(self.said[place].reply.body) for place, damage in damages.items()}
        used: Counter[tuple[str, str]] = Counter()

        def once(method: str, path: str, *rest: Any) -> Reply:
            places = [k for k, said in enumerate(self.said) if (said.method, said.path) == (method, path)]
            if not places:
                return Reply(404, {}, b"{}")
            place = places[min(used[method, path], len(places) - 1)]
            used[method, path] += 1
            return dataclasses.replace(
                self.said[place].reply, body=bodies.get(place, self.said[place].reply.body)
            )

        vars(self.machine.transport)["_once"] = once
        return self.sample(deadline)

    def wrong(self, rows: Rows) -> str:
        """Return what is wrong with an answer."""
        most, distinct = self.rows.total(), self.machine.capabilities.returns == "distinct"
        if not (rows.total() == most or (distinct and 1 <= rows.total() <= READS)):
            return f"{rows.total()} rows"
        if self.told_apart:
            strange = [row for row in rows if row not in self.rows]
        else:
            known = {self.energy(row) for row in self.rows}
            strange = [row for row in rows if self.energy(row) not in known]
        return f"the states {strange} are not among {list(self.rows)}" if strange else ""

    def energy(self, row: tuple[int, ...]) -> float:
        return float(self.problem.energy(dict(zip(self.problem.variables, row, strict=True))))


def problem_of(asked: ri.Backend) -> tuple[dimod.BinaryQuadraticModel, bool]:
    """Return a chain of spins, and whether each coupling is of a size of its own."""
    facts = asked.capabilities
    nodes = path_of(facts)
    limits = [pair for pair in (facts.field_range, facts.coupling_range) if pair is not None]
    size = min([8.0, *(min(-low, high) for low, high in limits)])
    told_apart = not facts.integer_coefficients or size >= 4
    sizes = [size, size / 2, size / 4] if told_apart else [size] * 3
    if facts.integer_coefficients:
        sizes = [float(int(value)) for value in sizes]
    quadratic = dict(zip(itertools.pairwise(nodes), [-sizes[0], sizes[1], -sizes[2]], strict=True))
    linear = {nodes[0]: sizes[2]} if facts.fields else {}
    return dimod.BinaryQuadraticModel(linear, quadratic, 0.0, "SPIN"), told_apart


@pytest.fixture(scope="module", autouse=True)
def _hurry() -> Iterator[None]:
    with hurried(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "sleep", lambda seconds: None)
        patch.setattr(machine, "POLLS", Backoff(first=1e-5, factor=1.5, longest=1e-3))
        # Always the same tag, which is in addresses.
        patch.setattr(
            machine, "uuid", types.SimpleNamespace(uuid4=lambda: types.SimpleNamespace(hex="ab" * 16))
        )
        yield


@contextlib.contextmanager
def noted(name: str) -> Iterator[Talk]:
    """Ask an emulator over a socket and note the conversation."""
    with service(name) as (asked, _):
        assert isinstance(asked, RemoteMachine)
        talk = Talk(asked, *problem_of(asked))
        once = asked.transport._once

        def note(method: str, path: str, *rest: Any) -> Reply:
            reply = once(method, path, *rest)
            talk.said.append(Said(method, path, reply))
            return reply

        vars(asked.transport)["_once"] = note
        talk.rows = talk.sample(30.0)
    yield talk


@pytest.fixture(scope="module")
def talk(request: pytest.FixtureRequest) -> Iterator[Talk]:
    with noted(request.param) as found:
        yield found


@pytest.mark.parametrize("talk", MACHINES, indirect=True)
def test_a_damaged_answer_is_an_error_or_harmless(talk: Talk) -> None:
    ends: Counter[str] = Counter()
    places = st.integers(0, len(talk.said) - 1)

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES < 1000,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.dictionaries(places, mutations(), min_size=1, max_size=2))
    def ask(damages: dict[int, Mutation]) -> None:
        try:
            rows = talk.damaged(damages)
        except RapidIsingError as error:
            ends[type(error).__name__ if str(error) else "an error that says nothing"] += 1
            return
        assert talk.wrong(rows) == ""
        ends["right"] += 1

    assert talk.damaged({}, 30.0) == talk.rows
    ask()
    print(f"\n{talk.machine.name}: {dict(ends.most_common())}")
    assert not ends["an error that says nothing"]
    # Both ends are seen: not all damage is noticed before it matters, and not all of it matters.
    assert ends["ProtocolError"] > EXAMPLES / 20
    assert ends["right"] > EXAMPLES / 50


STRANGE: list[Any] = [None, -1, 0.5, 2**63, 10**400, "x", [], {}]
HARD = [VALUES.index(value) for value in STRANGE]


@pytest.mark.parametrize("talk", MACHINES, indirect=True)
def test_each_value_may_be_any_other(talk: Talk) -> None:
    tried = 0
    for place, said in enumerate(talk.said):
        for where in each_kind_of_place(said.reply.body):
            for number in HARD:
                tried += 1
                with contextlib.suppress(RapidIsingError):
                    assert talk.wrong(talk.damaged({place: Mutation("set", where, number, 0.0)})) == ""
    assert tried > 30


def test_places_of_each_kind() -> None:
    body = b'{"a": [{"b": 1}, {"b": 2}], "c": [[1, 2], [3, 4]]}'
    changed = [Mutation("set", place, VALUES.index("x"), 0.0).of(body) for place in each_kind_of_place(body)]
    assert changed == [
        b'"x"',
        b'{"a": "x", "c": [[1, 2], [3, 4]]}',
        b'{"a": [{"b": 1}, {"b": 2}], "c": "x"}',
        b'{"a": ["x", {"b": 2}], "c": [[1, 2], [3, 4]]}',
        b'{"a": [{"b": "x"}, {"b": 2}], "c": [[1, 2], [3, 4]]}',
        b'{"a": [{"b": 1}, {"b": 2}], "c": ["x", [3, 4]]}',
        b'{"a": [{"b": 1}, {"b": 2}], "c": [["x", 2], [3, 4]]}',
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_changes_a_body(kind: str) -> None:
    body = b'{"id": "eA==", "rows": [[1, -1], [1, 1]], "energies": [0.5, 2]}'
    changed = {
        Mutation(kind, place / 20, number, other / 3).of(body)
        for place in range(20)
        for number in range(len(VALUES))
        for other in range(3)
    }
    assert len(changed) > 5
    assert changed != {body}
    assert Mutation(kind, 0.5, 3, 0.5).of(b"") is not None


def test_a_wrong_state_is_seen() -> None:
    with noted("demo") as talk:
        state = next(iter(talk.rows))
        other = (-state[0], *state[1:])
        assert talk.told_apart
        assert talk.wrong(talk.rows) == ""
        assert "are not among" in talk.wrong(
            Counter({row: talk.rows.total() for row in all_others(talk.rows)})
        )
        assert talk.wrong(Counter({state: 1})) == "1 rows"
        assert talk.energy(state) != talk.energy(other)


def all_others(rows: Rows) -> list[tuple[int, ...]]:
    return [row for row in itertools.product((-1, 1), repeat=4) if row not in rows][:1]


def test_an_error_of_another_kind_is_seen() -> None:
    def careless(self: Demo, request: Any, reply: Any) -> Any:
        return np.array(reply.spins), {"lowest": int(min(reply.energies) * 1e300) ** 2}

    with noted("demo") as talk:
        place = next(k for k, said in enumerate(talk.said) if b"energies" in said.reply.body)
        object.__setattr__(talk.machine, "_read", careless.__get__(talk.machine))
        seen: set[str] = set()
        for number in range(200):
            try:
                talk.damaged({place: Mutation("retype", number / 200, number, 0.0)})
            except Exception as error:  # noqa: BLE001 - which one is what is looked at
                seen.add(type(error).__name__)
        assert {"ProtocolError", "ValueError"} <= seen
