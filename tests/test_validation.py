"""Checks of arguments, and the deadline."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from rapid_ising.deadline import Deadline
from rapid_ising.errors import DeadlineExceededError, InvalidDataError, InvalidParameterError
from rapid_ising.validation import (
    finite,
    generator,
    inverse_temperature,
    positive_integer,
    rectangular,
    spins,
)


@pytest.mark.parametrize("value", [0, -3, 2.0, True, None, "3", math.nan, [1]], ids=repr)
def test_what_is_no_count(value: Any) -> None:
    with pytest.raises(InvalidParameterError, match="sweeps must be an integer of at least 1"):
        positive_integer("sweeps", value)


def test_counts() -> None:
    assert positive_integer("sweeps", np.int64(3)) == 3
    assert type(positive_integer("sweeps", np.uint8(3))) is int
    assert positive_integer("sweeps", 0, minimum=0) == 0


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -1, 5, 0, None, "1", True, 1j, np.complex128(1)], ids=repr
)
def test_what_is_no_number_between(value: Any) -> None:
    with pytest.raises(InvalidParameterError, match="rate must be"):
        finite("rate", value, minimum=0, exclusive=True, maximum=4)


def test_numbers_between() -> None:
    assert finite("rate", np.float32(0.5), minimum=0, maximum=4) == 0.5
    assert finite("rate", 0, minimum=0) == 0.0
    assert finite("rate", 4, maximum=4) == 4.0


@pytest.mark.parametrize(
    "value", [-1, math.nan, -math.inf, None, "cold", True, 1j, np.complex128(1)], ids=repr
)
def test_what_is_no_temperature(value: Any) -> None:
    with pytest.raises(InvalidParameterError, match="beta must be a number from 0 to infinity"):
        inverse_temperature(value)


def test_temperatures() -> None:
    assert [inverse_temperature(b) for b in (0, 1, np.float32(2), math.inf)] == [0.0, 1.0, 2.0, math.inf]


def test_seeds() -> None:
    narrow: Any = np.int64(3)
    assert generator(3).random() == generator(narrow).random() == np.random.default_rng(3).random()
    rng = np.random.default_rng(0)
    assert generator(rng) is rng
    assert generator(None).random() != generator(None).random()
    sequence = np.random.SeedSequence(5)
    assert generator(sequence).random() == np.random.default_rng(sequence).random()
    for seed in (-1, 1.5, "7", True):
        with pytest.raises(InvalidParameterError, match="seed"):
            generator(seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, -1], [1]], "ragged"),
        ([[1, None]], "object"),
        ([["1", "-1"]], "array of numbers"),
        ([[1, 1j]], "array of numbers"),
        ([[1, 0]], "look like bits"),
        ([[True, False]], "look like bits"),
        ([[1, 2]], r"not 2 \(row 0, column 1\)$"),
        ([[1, -1], [0.5, 1]], r"not 0.5 \(row 1, column 0\)$"),
        ([[1, math.nan]], "not finite at row 0, column 1"),
        ([[1, -math.inf]], "not finite"),
        ([[[1, -1]]], "2 dimensions"),
        (1, "2 dimensions"),
        ([[1, -1, 1]], "rows of 3 values where 2 are needed"),
        ([[257, 1]], "not 257"),
    ],
)
def test_what_is_no_spin(values: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        spins("images", values, 2)


def test_spins() -> None:
    for given in (
        [1, -1],
        [[1, -1]],
        np.array([[1.0, -1.0]], np.float32),
        np.array([[1, -1]]).T.reshape(1, 2),
    ):
        rows = spins("images", given, 2)
        assert rows.dtype == np.int8
        assert rows.flags.c_contiguous
        assert rows.tolist() == [[1, -1]]
    assert spins("images", np.zeros((0, 2)), 2).shape == (0, 2)
    assert rectangular("images", [[1, 2], [3, 4]]).shape == (2, 2)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "soon", True], ids=repr)
def test_what_is_no_deadline(seconds: Any) -> None:
    with pytest.raises(InvalidParameterError, match="deadline"):
        Deadline(seconds)


def test_deadlines() -> None:
    never, soon = Deadline(), Deadline(0.02)
    assert never.remaining == math.inf
    assert not never.passed
    never.check("this")
    assert 0 < soon.remaining <= 0.02
    soon.check("this")
    time.sleep(0.03)
    assert soon.passed
    assert soon.remaining < 0
    with pytest.raises(DeadlineExceededError, match=r"this did not finish within its deadline of 0.02 s"):
        soon.check("this")
    assert issubclass(DeadlineExceededError, TimeoutError)
