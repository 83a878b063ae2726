"""Data sets: the paper's split, the number and form of the images, own arrays and files, bad input."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from rapid_ising.datasets import Dataset, bars_and_stripes, from_array, load, stripes
from rapid_ising.errors import InvalidDataError, InvalidParameterError, UnknownNameError


def rows_as_set(images: npt.NDArray[np.int8]) -> set[bytes]:
    return {row.tobytes() for row in images}


def signs(words: str) -> set[tuple[int, ...]]:
    """Return the rows written as words of 0 and 1, and their negations."""
    rows = {tuple(1 if bit == "1" else -1 for bit in word) for word in words.split()}
    return rows | {tuple(-pixel for pixel in row) for row in rows}


def assert_partition(data: Dataset) -> None:
    train, test = rows_as_set(data.train), rows_as_set(data.test)
    assert not train & test
    assert train | test == rows_as_set(data.images)
    assert len(train) == len(data.train)
    assert len(test) == len(data.test)


def spin_rows(count: int, width: int, seed: int = 0) -> npt.NDArray[np.int8]:
    return (2 * np.random.default_rng(seed).integers(2, size=(count, width)) - 1).astype(np.int8)


def test_stripes_of_four_have_the_split_of_the_paper() -> None:
    data = stripes(4)
    squares = {name: getattr(data, name).reshape(-1, 4, 4) for name in ("images", "train", "test")}
    for images in squares.values():
        assert (images == images[:, :1, :]).all(), "every row of an image equals its first"
    first = {name: [tuple(row) for row in images[:, 0, :].tolist()] for name, images in squares.items()}
    assert len(first["train"]) == 10
    assert set(first["train"]) == signs("1000 1100 1110 1011 1101")
    assert len(first["test"]) == 4
    assert set(first["test"]) == signs("1010 1001")
    assert len(first["images"]) == 14
    assert_partition(data)
    assert (data.name, data.shape, data.images.dtype.name) == ("stripes-4", (4, 4), "int8")
    assert rows_as_set(stripes(4, seed=5).test) == rows_as_set(data.test), "the paper's split has no seed"


def test_stripes_of_four_take_another_split_when_asked() -> None:
    data = stripes(4, test_share=0.5, seed=1)
    assert len(data.test) == 7
    assert_partition(data)


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_stripes_are_all_images_of_equal_rows_but_the_uniform_ones(n: int) -> None:
    data = stripes(n)
    squares = data.images.reshape(-1, n, n)
    assert len(rows_as_set(data.images)) == len(data.images) == 2**n - 2
    assert (squares == squares[:, :1, :]).all()
    assert (np.abs(data.images.sum(axis=1)) < n * n).all()
    assert len(data.test) == max(1, round(0.2 * (2**n - 2)))
    assert_partition(data)


@pytest.mark.parametrize("n", [2, 4, 12])
def test_bars_and_stripes_are_both_directions_without_the_uniform_images(n: int) -> None:
    data = bars_and_stripes(n)
    squares = data.images.reshape(-1, n, n)
    vertical = (squares == squares[:, :1, :]).all(axis=(1, 2))
    horizontal = (squares == squares[:, :, :1]).all(axis=(1, 2))
    assert (vertical ^ horizontal).all()
    assert vertical.sum() == horizontal.sum() == 2**n - 2
    assert len(rows_as_set(data.images)) == len(data.images) == 2 * (2**n - 2)
    assert_partition(data)


def test_bars_and_stripes_of_twelve_are_8188() -> None:
    assert bars_and_stripes(12).images.shape == (8188, 144)


def test_the_largest_side_is_made() -> None:
    assert stripes(16, test_share=0).images.shape == (65534, 256)


def test_a_seed_fixes_the_split() -> None:
    one, same, other = (bars_and_stripes(6, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.test, same.test)
    assert rows_as_set(one.test) != rows_as_set(other.test)
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(bars_and_stripes(6, seed=rng).test, one.test)
    assert rows_as_set(bars_and_stripes(6, seed=rng).test) != rows_as_set(one.test), "a Generator advances"


def test_every_image_is_as_likely_to_be_held_out() -> None:
    seeds = 400
    held = sum(np.isin(np.arange(28), from_array_indices(seed)).astype(int) for seed in range(seeds))
    share = 6 / 28
    assert np.abs(held / seeds - share).max() < 5 * math.sqrt(share * (1 - share) / seeds)


def from_array_indices(seed: int) -> npt.NDArray[np.int64]:
    """Return which of the 28 images of bars and stripes of side 4 are held out."""
    data = bars_and_stripes(4, seed=seed)
    return np.array([int((data.images == row).all(axis=1).argmax()) for row in data.test])


@pytest.mark.parametrize("n", [1, 0, -3, 2.0, "4", True, None])
@pytest.mark.parametrize("make", [stripes, bars_and_stripes])
def test_a_bad_side_is_refused(make: Any, n: Any) -> None:
    with pytest.raises(InvalidParameterError, match="n must be an integer of at least 2"):
        make(n)


@pytest.mark.parametrize("make", [stripes, bars_and_stripes])
def test_a_side_that_would_fill_the_memory_is_refused(make: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"n = 17 would make about 2\^17 images .* up to 16"):
        make(17)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf, "0.2", None])
def test_a_test_share_out_of_range_is_refused(share: Any) -> None:
    with pytest.raises(InvalidParameterError, match="test_share"):
        bars_and_stripes(4, test_share=share)


@pytest.mark.parametrize(("count", "share"), [(10, 1.0), (10, 0.99), (1, 0.2)])
def test_a_split_leaves_an_image_to_train_on(count: int, share: float) -> None:
    with pytest.raises(InvalidParameterError, match=f"of {count} images? leaves none to train on"):
        from_array(spin_rows(count, 4), test_share=share)


@pytest.mark.parametrize(("count", "share", "held"), [(10, 0.0, 0), (10, 0.2, 2), (10, 0.01, 1), (7, 0.5, 4)])
def test_the_number_of_images_held_out(count: int, share: float, held: int) -> None:
    data = from_array(spin_rows(count, 6), shape=(2, 3), test_share=share)
    assert (len(data.train), len(data.test)) == (count - held, held)
    assert data.test.shape[1] == 6


@pytest.mark.parametrize(
    ("size", "shape", "expected"),
    [
        ((5, 9), None, (3, 3)),
        ((5, 8), None, (1, 8)),
        ((5, 8), (4, 2), (4, 2)),
        ((5, 8), [2, 4], (2, 4)),
        ((5, 2, 4), None, (2, 4)),
        ((5, 2, 4), (2, 4), (2, 4)),
    ],
)
def test_the_shape_of_an_own_array(size: tuple[int, ...], shape: Any, expected: tuple[int, int]) -> None:
    array = spin_rows(5, math.prod(size[1:])).reshape(size)
    data = from_array(array, shape=shape, name="own")
    assert (data.shape, data.name) == (expected, "own")
    np.testing.assert_array_equal(data.images, array.reshape(5, -1))


@pytest.mark.parametrize(
    ("size", "shape", "message"),
    [
        ((5, 8), (3, 3), "shape 3 x 3 makes 9 pixels and the images have 8"),
        ((5, 8), (8,), "shape must be two integers"),
        ((5, 8), 8, "shape must be two integers"),
        ((5, 8), (0, 8), "the rows of shape must be an integer of at least 1"),
        ((5, 8), (2, 4.0), "the columns of shape must be an integer"),
        ((5, 2, 4), (4, 2), "shape \\(4, 2\\) is not that of the images, 2 x 4"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(size: tuple[int, ...], shape: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        from_array(spin_rows(5, math.prod(size[1:])).reshape(size), shape=shape)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[1, -1], [1]], "images is ragged"),
        ([[1.0, math.nan], [1.0, -1.0]], "not finite at row 0, column 1"),
        ([[1.0, math.inf], [1.0, -1.0]], "not finite at row 0, column 1"),
        ([[1, 0], [0, 1]], "look like bits, 0 and 1: pass np.where\\(images, 1, -1\\)"),
        ([[True, False]], "look like bits"),
        ([[1, -1], [3, 1]], "not 3 \\(row 1, column 0\\)"),
        ([[0.5, -1.0]], "not 0.5"),
        ([["a", "b"]], "array of numbers"),
        ([[None, 1]], "array of numbers"),
        ([[1j, 1]], "array of numbers"),
        ([1, -1, 1], "a single image is a list of one"),
        (1, "one row an image"),
        ([], "one row an image"),
        (np.zeros((0, 4)), r"images has no rows, its shape is \(0, 4\)"),
        (np.zeros((4, 0)), r"images has no pixels, its shape is \(4, 0\)"),
        ("x.npy", r"not the text 'x\.npy': where that is a file, numpy\.load it"),
        (Path("x.npy"), r"numpy\.load it"),
        (np.ones((2, 2, 2, 2)), "one row an image"),
    ],
)
def test_an_array_that_is_no_images_is_refused(images: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        from_array(images)


def test_a_data_set_is_frozen_and_leaves_the_callers_array_alone() -> None:
    own = spin_rows(6, 4)
    data = Dataset("own", own, own[:4], own[4:], (2, 2))
    for name in ("images", "train", "test"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, name)[0, 0] = 1
    with pytest.raises(AttributeError):
        data.name = "other"  # type: ignore[misc]
    before = data.images.copy()
    own *= -1
    np.testing.assert_array_equal(data.images, before)


def test_a_data_set_shares_what_nobody_can_write_to_and_copies_the_rest() -> None:
    own = spin_rows(6, 4)
    own.setflags(write=False)
    data = Dataset("own", own, own[:4], own[4:], (2, 2))
    assert all(np.shares_memory(own, part) for part in (data.images, data.train, data.test))
    writable = spin_rows(6, 4)
    view = writable[:]
    view.setflags(write=False)
    memory = memoryview(bytearray(writable.tobytes())).toreadonly()
    mapped = np.frombuffer(memory, dtype=np.int8).reshape(6, 4)
    assert not mapped.flags.writeable
    for behind in (view, mapped):
        data = Dataset("own", behind, behind[:4], behind[4:], (2, 2))
        assert not any(np.shares_memory(behind, part) for part in (data.images, data.train, data.test))


def test_a_data_set_checks_its_parts() -> None:
    own = spin_rows(6, 4)
    with pytest.raises(InvalidDataError, match="test has rows of 3 values where 4 are needed"):
        Dataset("own", own, own, spin_rows(2, 3), (2, 2))
    with pytest.raises(InvalidDataError, match="train must hold spins"):
        Dataset("own", own, np.zeros((2, 4), np.int8), own, (2, 2))
    with pytest.raises(InvalidDataError, match="'own' has no rows in train"):
        Dataset("own", own, own[:0], own, (2, 2))
    with pytest.raises(InvalidParameterError, match="shape 2 x 3"):
        Dataset("own", own, own, own, (2, 3))
    assert len(Dataset("own", own, own, own[:0], (2, 2)).test) == 0


def test_labels_are_kept_frozen_and_beside_their_images() -> None:
    own, labels = spin_rows(6, 4), cast(Any, np.arange(6))
    data = Dataset("own", own, own[:4], own[4:], (2, 2), labels[:4], labels[4:])
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert (data.train_labels.dtype.name, data.train_labels.tolist()) == ("uint8", [0, 1, 2, 3])
    assert (data.test_labels.dtype.name, data.test_labels.tolist()) == ("uint8", [4, 5])
    labels[0] = 9
    assert data.train_labels[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        data.train_labels[0] = 1
    bare = Dataset("own", own, own[:4], own[4:], (2, 2))
    assert bare.train_labels is None
    assert bare.test_labels is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], r"one label for each of 4 images, shape \(4,\), not \(3,\)"),
        ([[0], [1], [2], [3]], r"not \(4, 1\)"),
        (5, r"not \(\)"),
        ([0, 1, 2, 256], "from 0 to 255, not 256"),
        ([0, -1, 2, 3], "from 0 to 255, not -1"),
        ([0.0, 1.0, 2.0, 3.0], r"whole numbers from 0 to 255, not 0.0 \(float64\)"),
        ([False, True, True, True], r"not False \(bool\)"),
        (["a", "b", "c", "d"], "array of numbers"),
        ([0, 1, 2, None], "array of numbers"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Any, message: str) -> None:
    own = spin_rows(6, 4)
    with pytest.raises(InvalidDataError, match=f"train_labels.*{message}"):
        Dataset("own", own, own[:4], own[4:], (2, 2), labels)
    with pytest.raises(InvalidDataError, match="test_labels"):
        Dataset("own", own, own[2:], own[:4], (2, 2), None, labels)
    with pytest.raises(InvalidDataError, match=f"^labels.*{message}"):
        from_array(own[:4], labels=labels)


def test_labels_follow_their_images_through_the_split() -> None:
    own = spin_rows(40, 12, seed=3)
    assert len(rows_as_set(own)) == 40
    data = from_array(own, labels=np.arange(40), test_share=0.3, seed=1)
    assert data.train_labels is not None
    assert data.test_labels is not None
    np.testing.assert_array_equal(own[data.train_labels], data.train)
    np.testing.assert_array_equal(own[data.test_labels], data.test)
    np.testing.assert_array_equal(from_array(own, test_share=0.3, seed=1).test, data.test)


@pytest.mark.parametrize(
    ("name", "count"),
    [("stripes", 14), ("stripes-6", 62), ("bars-and-stripes", 28), ("bars-and-stripes-12", 8188)],
)
def test_data_sets_by_name(name: str, count: int) -> None:
    assert len(load(name).images) == count


def test_a_name_takes_a_share_and_a_seed() -> None:
    np.testing.assert_array_equal(
        load("stripes-5", test_share=0.5, seed=3).test, stripes(5, test_share=0.5, seed=3).test
    )


@pytest.mark.parametrize("name", ["strips", "stripes-", "stripes-x", "mnits", "", "stripes-" + 5000 * "9"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"Known: FILE\.npy, FOLDER/, bars-and-stripes, .*stripes"):
        load(name)


def test_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'stripes'"):
        load("strips")
    with pytest.raises(UnknownNameError, match="did you mean 'mnist'"):
        load("mnits")


@pytest.mark.parametrize("name", ["stripes-1", "stripes-0", "bars-and-stripes-17", "stripes-999999999"])
def test_a_bad_side_in_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="n"):
        load(name)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64, ">i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_of_spins(tmp_path: Path, dtype: Any, order: Any) -> None:
    images = spin_rows(10, 9)
    np.save(tmp_path / "own.npy", np.array(images, dtype=dtype, order=order))
    data = load(str(tmp_path / "own.npy"))
    np.testing.assert_array_equal(data.images, images)
    assert (data.name, data.shape, len(data.test)) == ("own", (3, 3), 2)
    assert len(load(tmp_path / "own.npy", test_share=0, seed=1).test) == 0


def test_a_file_of_stacked_images_brings_its_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", spin_rows(10, 6).reshape(10, 2, 3))
    assert load(tmp_path / "own.npy").shape == (2, 3)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"gone\.npy: there is no such file"):
        load(str(tmp_path / "gone.npy"))


def refuse_file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(InvalidDataError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_file_that_is_not_one_array_of_spins_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npy"
    archive = io.BytesIO()
    np.savez(archive, images=spin_rows(3, 4))
    for content in (b"", b"1 -1\n-1 1\n", archive.getvalue()):
        assert "damaged or not one array" in refuse_file(path, content)
    assert "Object arrays cannot be loaded" in refuse_file(path, npy(np.array([[1, None]], dtype=object)))
    assert "look like bits" in refuse_file(path, npy(np.array([[1, 0]])))
    assert "not finite" in refuse_file(path, npy(np.array([[1.0, np.nan]])))
    assert "array of numbers" in refuse_file(path, npy(np.array([["a", "b"]])))
    assert "array of numbers" in refuse_file(path, npy(np.zeros(3, dtype=[("a", "i4")])))


# A damaged header may look like one of an older format, of which numpy warns.
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_refused_wherever_the_damage_is(tmp_path: Path) -> None:
    path, whole = tmp_path / "cut.npy", npy(spin_rows(3, 4))
    for length in range(len(whole)):
        refuse_file(path, whole[:length])
    start = len(whole) - 12
    loaded = 0
    for place in range(start):
        for flip in (0x01, 0x08, 0x40, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            try:
                load(path)
                loaded += 1
            except InvalidDataError:
                continue
    assert loaded < start, "few flips leave a readable header"
