"""What comes from scikit-learn: its digits, and OpenML by a stand-in for the fetch."""

from __future__ import annotations

import http.client
import socket
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from rapid_ising.datasets import Dataset, digits, load, openml
from rapid_ising.datasets.scikit_learn import _class_numbers
from rapid_ising.errors import (
    InvalidDataError,
    InvalidParameterError,
    MissingDependencyError,
    UnknownNameError,
)


class TestDigits:
    def test_are_those_of_scikit_learn(self) -> None:
        data, source = digits(), sklearn.datasets.load_digits()
        np.testing.assert_array_equal(data.images, np.where(source.data > 8, 1, -1))
        assert (data.name, data.shape, data.images.dtype.name) == ("digits", (8, 8), "int8")
        assert (len(data.train), len(data.test)) == (1438, 359)

    def test_keep_their_labels(self) -> None:
        data, source = digits(seed=5), sklearn.datasets.load_digits()
        assert data.train_labels is not None
        assert data.test_labels is not None
        both = np.concatenate([data.train_labels, data.test_labels])
        assert np.bincount(both).tolist() == np.bincount(source.target).tolist()
        # Images with one label each, as bytes: what the split pairs must be a pair of the source.
        pairs = {(row.tobytes(), int(label)) for row, label in zip(data.images, source.target, strict=True)}
        for images, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
            assert {(row.tobytes(), int(one)) for row, one in zip(images, labels, strict=True)} <= pairs

    def test_take_a_threshold_a_share_and_a_seed(self) -> None:
        source = sklearn.datasets.load_digits().data
        data = digits(threshold=0.25, test_share=0.5, seed=1)
        np.testing.assert_array_equal(data.images, np.where(source > 4, 1, -1))
        assert len(data.test) == 898
        np.testing.assert_array_equal(load("digits", test_share=0.5, seed=1).test_labels, data.test_labels)
        assert len(load("digits").test) == 359

    def test_can_be_drawn(self) -> None:
        share = sklearn.datasets.load_digits().data / 16
        one, same = (digits(binarize="stochastic", seed=1) for _ in range(2))
        np.testing.assert_array_equal(one.images, same.images)
        lit = (one.images > 0).sum()
        assert abs(lit - share.sum()) < 5 * np.sqrt((share * (1 - share)).sum())
        assert (one.images[share == 0] == -1).all()
        assert (one.images[share == 1] == 1).all()
        np.testing.assert_array_equal(one.test_labels, digits(seed=1).test_labels)

    def test_refuse_what_is_out_of_range(self) -> None:
        with pytest.raises(InvalidParameterError, match="threshold"):
            digits(threshold=-0.1)
        with pytest.raises(InvalidParameterError, match="test_share"):
            digits(test_share=2)
        with pytest.raises(UnknownNameError, match="unknown binarization 'grey'"):
            digits(binarize="grey")  # type: ignore[arg-type]

    def test_without_scikit_learn_say_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "sklearn", None)
        calls: list[Callable[[], Dataset]] = [digits, lambda: load("digits"), lambda: openml("mnist_784", 1)]
        for call in calls:
            with pytest.raises(MissingDependencyError, match=r"pip install 'rapid-ising\[data\]'"):
                call()

    def test_a_broken_scikit_learn_is_not_a_missing_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
            monkeypatch.delitem(sys.modules, name)
        (tmp_path / "sklearn").mkdir()
        (tmp_path / "sklearn" / "__init__.py").write_text("import no_such_module")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
            digits()
        assert not isinstance(caught.value, MissingDependencyError)


class TestOpenml:
    """A stand-in takes the place of scikit-learn's fetch, so that no test needs the network."""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        self.answer: Any = types.SimpleNamespace(
            data=np.arange(60.0).reshape(10, 6), target=np.array(["3", "7"] * 5, dtype=object)
        )
        asked: list[dict[str, Any]] = []

        def fetch(name: str, **options: Any) -> Any:
            asked.append({"name": name, "timeout": socket.getdefaulttimeout(), **options})
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
        return asked

    def test_images_become_spins_and_classes_labels(
        self, calls: list[dict[str, Any]], tmp_path: Path
    ) -> None:
        data = openml(
            "small", 2, shape=(2, 3), threshold=0.5, test_share=0.3, timeout=7.0, data_home=tmp_path
        )
        np.testing.assert_array_equal(data.images.ravel(), np.where(np.arange(60) / 59 > 0.5, 1, -1))
        assert (data.name, data.shape, len(data.test)) == ("small-2", (2, 3), 3)
        assert data.train_labels is not None
        assert data.test_labels is not None
        both = np.concatenate([data.train_labels, data.test_labels])
        assert sorted(both.tolist()) == [3] * 5 + [7] * 5
        assert calls == [
            {
                "name": "small",
                "timeout": 7.0,
                "version": 2,
                "data_home": tmp_path,
                "as_frame": False,
                "parser": "liac-arff",
                "n_retries": 1,
            }
        ]
        assert socket.getdefaulttimeout() is None

    def test_the_call_is_one_that_scikit_learn_takes(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def unreachable(*_: Any, **__: Any) -> None:
            raise URLError("no network here")

        monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)
        with (
            pytest.warns(UserWarning, match="Retrying"),
            pytest.raises(InvalidDataError, match=r"'mnist_784', version 1, .* no network here"),
        ):
            openml("mnist_784", 1, data_home=tmp_path)

    @pytest.mark.parametrize(
        "error",
        [
            URLError("Name or service not known"),
            TimeoutError("timed out"),
            ValueError("No active dataset mnits found."),
            http.client.IncompleteRead(b""),
        ],
    )
    def test_a_failure_to_fetch_is_ours(self, calls: list[dict[str, Any]], error: Exception) -> None:
        self.answer = error
        with pytest.raises(InvalidDataError, match="'mnits', version 3, could not be fetched") as caught:
            openml("mnits", 3)
        assert str(error) in str(caught.value)
        assert caught.value.__cause__ is error
        assert len(calls) == 1
        assert socket.getdefaulttimeout() is None

    @pytest.mark.parametrize(
        "table",
        [np.zeros((4, 4)), -np.eye(4), np.full((4, 4), np.nan), np.ones((2, 2, 2)), [["a"]], [[None]]],
    )
    def test_what_is_no_grey_image_is_refused(self, calls: list[dict[str, Any]], table: Any) -> None:
        self.answer.data = table
        with pytest.raises(InvalidDataError, match="odd-1"):
            openml("odd", 1)
        assert len(calls) == 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"version": 0}, "version must be an integer of at least 1"),
            ({"version": "active"}, "version must be an integer"),
            ({"timeout": 0}, "timeout must be more than 0"),
            ({"timeout": None}, "timeout must be a finite number"),
            ({"threshold": 2}, "threshold"),
        ],
    )
    def test_a_bad_argument_is_refused_before_anything_is_asked(
        self, calls: list[dict[str, Any]], options: Any, message: str
    ) -> None:
        with pytest.raises(InvalidParameterError, match=message):
            openml("small", **{"version": 1, **options})
        assert calls == []

    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            (["10", "9", "10"], [10, 9, 10]),
            ([2.0, 0.0, 255.0], [2, 0, 255]),
            (["cat", "ant", "cat"], [1, 0, 1]),
            (["256", "3", "3"], [0, 1, 1]),
            (["0.5", "inf", "-1"], [1, 2, 0]),
            (np.array(["b", "a", "1"], dtype=object), [2, 1, 0]),
            (np.arange(257), None),
            ([[1, 2], [3, 4]], None),
            (None, None),
        ],
    )
    def test_classes_are_numbered(self, target: Any, expected: list[int] | None) -> None:
        found = _class_numbers(None if target is None else np.asarray(target))
        assert (None if found is None else found.tolist()) == expected

    def test_images_without_classes_have_no_labels(self, calls: list[dict[str, Any]]) -> None:
        self.answer.target = None
        data = openml("small", 1)
        assert data.train_labels is None
        assert data.test_labels is None
        assert len(calls) == 1
