"""The quality of samples against loops over every pair and every image."""

from __future__ import annotations

import importlib
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rapid_ising.datasets import Dataset, bars_and_stripes, stripes
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.evaluation import class_balance, image_distances, sample_quality

Spins = npt.NDArray[np.int8]


def random_spins(rows: int, width: int, seed: int = 0) -> Spins:
    return (2 * np.random.default_rng(seed).integers(2, size=(rows, width)) - 1).astype(np.int8)


class TestSampleQuality:
    def test_every_number_is_that_of_a_loop(self) -> None:
        data = bars_and_stripes(3, seed=1)
        rng = np.random.default_rng(2)
        samples = np.vstack([data.images[rng.integers(len(data.images), size=30)], random_spins(20, 9)])
        everything = [image.tolist() for image in data.images]
        train = [image.tolist() for image in data.train]
        valid = [row for row in samples.tolist() if row in everything]
        distinct = [image for image in everything if image in valid]
        bars = [row for row in valid if all(len({*row[i : i + 3]}) == 1 for i in (0, 3, 6))]
        found = sample_quality(samples, data)
        assert 30 <= len(valid) < 50
        assert found.valid == len(valid) / 50
        assert found.valid_and_distinct == len(distinct) / 50
        assert found.novel == sum(row not in train for row in valid) / len(valid)
        assert found.novel_ideal == len(data.test) / len(data.images)
        assert found.recall == len(distinct) / len(everything)
        assert found.f1 == pytest.approx(2 / (1 / found.valid + 1 / found.recall))
        assert found.bars == len(bars) / len(valid)
        assert set(found.as_dict()) == set(type(found).__dataclass_fields__)

    def test_the_whole_data_set_is_perfect(self) -> None:
        data = bars_and_stripes(4)
        found = sample_quality(data.images, data)
        assert (found.valid, found.valid_and_distinct, found.recall, found.f1) == (1, 1, 1, 1)
        assert found.novel == found.novel_ideal
        assert found.bars == 0.5

    def test_one_image_over_and_over_is_valid_but_not_distinct(self) -> None:
        data = stripes(4)
        found = sample_quality(np.tile(data.train[0], (100, 1)), data)
        assert (found.valid, found.valid_and_distinct, found.novel) == (1, 0.01, 0)
        assert found.recall == 1 / 14
        assert found.bars is None

    @pytest.mark.parametrize("other", [[1, 1, 1, 1], [1, -1, -1, 1]])
    def test_bars_are_told_only_where_every_image_is_a_bar_or_a_stripe(self, other: list[int]) -> None:
        images = np.array([[1, 1, -1, -1], [1, -1, 1, -1], other], np.int8)
        both = Dataset("both", images[:2], images[:2], images[:1], (2, 2))
        assert sample_quality(images, both).bars == 0.5
        more = Dataset("more", images, images, images[:1], (2, 2))
        assert sample_quality(images, more).bars is None

    def test_samples_that_are_all_wrong_leave_numbers_out(self) -> None:
        found = sample_quality(np.ones((3, 16)), bars_and_stripes(4))
        assert (found.valid, found.f1, found.novel, found.bars) == (0, 0, None, None)
        assert "novel" not in found.as_dict()

    def test_the_ideal_is_the_mean_over_every_way_to_draw(self) -> None:
        data = Dataset("three", random_spins(3, 8), random_spins(3, 8), random_spins(0, 8), (2, 4))
        assert len({image.tobytes() for image in data.images}) == 3
        ways = [len({*draws}) / 4 for draws in itertools.product(range(3), repeat=4)]
        found = sample_quality(data.images[[0, 0, 1, 2]], data)
        assert found.valid_and_distinct_ideal == pytest.approx(np.mean(ways))

    def test_500_uniform_draws_of_12_x_12_bars_and_stripes(self) -> None:
        data = bars_and_stripes(12)
        rng = np.random.default_rng(0)
        found = [sample_quality(data.images[rng.integers(8188, size=500)], data) for _ in range(20)]
        assert found[0].valid_and_distinct_ideal == pytest.approx(0.970, abs=5e-4)
        # The draws that repeat an image, about 15 of the 500, have a Poisson law.
        tolerance = 4 * math.sqrt(15 / 20) / 500
        mean = np.mean([one.valid_and_distinct for one in found])
        assert mean == pytest.approx(found[0].valid_and_distinct_ideal, abs=tolerance)
        bars = np.mean([one.bars for one in found if one.bars is not None])
        assert bars == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(20 * 500))

    def test_an_image_that_is_listed_twice_counts_once(self) -> None:
        images = random_spins(2, 4)
        data = Dataset("twice", images[[0, 0, 1]], images[:1], images[1:], (2, 2))
        found = sample_quality(images[[1]], data)
        assert (found.recall, found.novel_ideal, found.novel) == (0.5, 0.5, 1)

    @pytest.mark.parametrize("samples", [np.zeros((0, 16)), np.ones((2, 9)), np.zeros((2, 16))])
    def test_what_are_no_samples_is_refused(self, samples: Any) -> None:
        with pytest.raises(InvalidDataError, match="samples"):
            sample_quality(samples, stripes(4))


class TestImageDistances:
    def test_every_number_is_that_of_a_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        samples, reference = random_spins(7, 15, 1), random_spins(11, 15, 2)

        def d(a: Spins, b: Spins) -> float:
            return sum(int(x != y) for x, y in zip(a, b, strict=True)) / 15

        def diversity(rows: Spins) -> float:
            return float(np.mean([d(a, b) for a, b in itertools.combinations(rows, 2)]))

        expected = {
            "nearest": np.mean([min(d(a, b) for b in reference) for a in samples]),
            "diversity": diversity(samples),
            "diversity_reference": diversity(reference),
            "lit": np.mean(samples > 0),
            "lit_reference": np.mean(reference > 0),
        }
        for block in (2048, 3, 1):
            monkeypatch.setattr(importlib.import_module("rapid_ising.evaluation.overlaps"), "BLOCK", block)
            assert image_distances(samples, reference).as_dict() == pytest.approx(expected)

    def test_copies_are_at_no_distance_and_a_single_image_has_no_pairs(self) -> None:
        reference = random_spins(5, 9)
        found = image_distances(reference[2], reference)
        assert (found.nearest, found.diversity) == (0, None)
        assert "diversity" not in found.as_dict()
        assert image_distances(-reference[2], reference[[2]]).nearest == 1

    def test_what_are_no_images_is_refused(self) -> None:
        with pytest.raises(InvalidDataError, match="reference has rows of 3 values where 4"):
            image_distances(np.ones((2, 4)), np.ones((2, 3)))
        with pytest.raises(InvalidDataError, match="reference has 0 rows"):
            image_distances(np.ones((2, 4)), np.ones((0, 4)))


class TestClassBalance:
    def test_counts_and_entropy(self) -> None:
        samples = random_spins(60, 6)
        labels = (samples > 0).sum(axis=1)
        found = class_balance(samples, lambda rows: (rows > 0).sum(axis=1), classes=range(10))
        assert found.counts == {label: int((labels == label).sum()) for label in range(10)}
        shares = [count / 60 for count in found.counts.values() if count]
        assert found.entropy == pytest.approx(-sum(p * math.log(p) for p in shares))
        assert found.missing == tuple(label for label in range(10) if label not in labels)

    def test_even_classes_have_the_highest_entropy_and_one_class_none(self) -> None:
        samples = random_spins(12, 4)
        even = class_balance(samples, lambda rows: np.arange(len(rows)) % 4)
        assert even.entropy == pytest.approx(math.log(4))
        assert class_balance(samples, lambda rows: ["one"] * len(rows)).entropy == 0
        assert even.missing == ()

    def test_a_classifier_that_does_not_fit_is_refused(self) -> None:
        samples = random_spins(3, 4)
        with pytest.raises(InvalidDataError, match=r"labels of shape \(3, 4\) for 3 samples"):
            class_balance(samples, lambda rows: rows)
        with pytest.raises(InvalidDataError, match="returned 7, which is not among"):
            class_balance(samples, lambda rows: [0, 7, 0], classes=[0, 1])
        with pytest.raises(InvalidParameterError, match="twice"):
            class_balance(samples, lambda rows: [0, 0, 0], classes=[0, 0])
