"""Trainings killed and resumed, a few times; ``make kills`` does it hundreds of times."""

from __future__ import annotations

import kills
import pytest


@pytest.mark.parametrize("machine", ["cim", "fujitsu-da"])
def test_a_killed_training_ends_as_if_it_had_not_been(machine: str) -> None:
    found = kills.trial(machine, 3, epochs=3, most=3)
    assert found.problems == []
    assert found.kills >= 3
    assert (found.equal, found.once, found.left) == (found.trainings, found.trainings, 0)
