"""IDX files and what is made of them: the format byte by byte, damage, folders, drawn pixels, MNIST."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest

from rapid_ising.datasets import fashion_mnist, from_idx, idx_images, idx_labels, load, mnist
from rapid_ising.datasets.mnist_files import FASHION_MNIST_MD5, MNIST_MD5
from rapid_ising.errors import InvalidDataError, InvalidParameterError, UnknownNameError

Bytes = npt.NDArray[np.uint8]
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHARED = Path(__file__).parents[1].parent / "shared" / "data"
needs_mnist = pytest.mark.skipif(
    not (SHARED / "mnist").is_dir(), reason="the folder ../shared/data/mnist with MNIST's files is missing"
)


def idx(array: Bytes) -> bytes:
    """Return an array as an IDX file, written from the published layout."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)


def grey(count: int, rows: int = 3, columns: int = 2, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(256, size=(count, rows, columns), dtype=np.uint8)


def write(folder: Path, train: int = 7, test: int = 3, pack: bool = False, **changes: bytes) -> list[Bytes]:
    """Write the four files of a data set, some with other content, and return their arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(train + test, dtype=np.uint8) % 10
    arrays = [grey(train), labels[:train], grey(test, seed=1), labels[train:]]
    for name, array in zip(NAMES, arrays, strict=True):
        content = changes.get(name.partition("-idx")[0].replace("-", "_"), idx(array))
        (folder / (f"{name}.gz" if pack else name)).write_bytes(packed(content) if pack else content)
    return arrays


def refusal(call: Callable[[], object], *words: object) -> str:
    """Return the message of the InvalidDataError that a call raises, which has all the words."""
    with pytest.raises(InvalidDataError) as caught:
        call()
    message = str(caught.value)
    assert [word for word in words if str(word) not in message] == [], message
    return message


class TestFile:
    @pytest.mark.parametrize("pack", [False, True])
    def test_is_read_as_it_was_written(self, tmp_path: Path, pack: bool) -> None:
        images, labels = grey(5), np.arange(250, dtype=np.uint8)
        for array, read in ((images, idx_images), (labels, idx_labels)):
            path = tmp_path / "file"
            path.write_bytes(packed(idx(array)) if pack else idx(array))
            found = read(str(path), md5=hashlib.md5(idx(array), usedforsecurity=False).hexdigest())
            np.testing.assert_array_equal(found, array)
            assert found.dtype == np.uint8

    def test_may_be_larger_than_a_block_and_packed_in_parts(self, tmp_path: Path) -> None:
        images = grey(4, 700, 900)
        content, path = idx(images), tmp_path / "large"
        assert len(content) > 2 << 20
        for whole in (content, packed(content), packed(content[:10]) + packed(content[10:])):
            path.write_bytes(whole)
            np.testing.assert_array_equal(idx_images(path), images)

    @pytest.mark.parametrize("pack", [False, True])
    @pytest.mark.parametrize("extra", [-40, -1, 1, 3 << 20])
    def test_of_another_size_is_refused_with_both_sizes(self, tmp_path: Path, pack: bool, extra: int) -> None:
        whole, path = idx(grey(10)), tmp_path / "off"
        content = whole[:extra] if extra < 0 else whole + bytes(extra)
        path.write_bytes(packed(content) if pack else content)
        how = "cut off" if extra < 0 else "too long"
        refusal(lambda: idx_images(path), path, "76 bytes expected", f"{76 + extra} found", how)

    def test_that_is_far_too_long_is_not_kept_in_memory(self, tmp_path: Path) -> None:
        path, extra = tmp_path / "bomb", 64 << 20
        path.write_bytes(packed(idx(grey(10)) + bytes(extra)))
        tracemalloc.start()
        try:
            refusal(lambda: idx_images(path), path, "76 bytes expected", f"{76 + extra} found")
            assert tracemalloc.get_traced_memory()[1] < extra / 8
        finally:
            tracemalloc.stop()

    def test_with_an_immense_header_is_refused_without_the_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "immense"
        path.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, *[2**32 - 1] * 3) + bytes(100))
        refusal(lambda: idx_images(path), path, 16 + (2**32 - 1) ** 3, "116 found")

    @pytest.mark.parametrize(
        "start",
        [
            b"\x89PNG\r\n\x1a\n",
            b"\0\0\x08\x01\0\0\0\x02\x01\x02",
            b"\0\0\x08\x04" + bytes(40),
            b"\0\0\x0d\x03" + bytes(40),
            b"\x03\x08\0\0" + bytes(40),
            b"\0\0\x09",
            b"\x1f",
        ],
    )
    def test_of_another_kind_is_refused_with_both_beginnings(self, tmp_path: Path, start: bytes) -> None:
        path = tmp_path / "other"
        for content in (start, packed(start)):
            path.write_bytes(content)
            refusal(lambda: idx_images(path), path, start[:4].hex(" "), "00 00 08 03")

    def test_of_images_is_no_file_of_labels(self, tmp_path: Path) -> None:
        path = tmp_path / "images"
        path.write_bytes(idx(grey(2)))
        refusal(lambda: idx_labels(path), path, "00 00 08 03", "00 00 08 01", "labels")

    @pytest.mark.parametrize("shape", [(0, 28, 28), (5, 0, 28), (5, 28, 0)])
    def test_without_a_pixel_is_refused(self, tmp_path: Path, shape: tuple[int, int, int]) -> None:
        path = tmp_path / "none"
        path.write_bytes(idx(np.zeros(shape, dtype=np.uint8)))
        refusal(lambda: idx_images(path), path, " x ".join(map(str, shape)))

    def test_with_another_checksum_is_refused_with_both(self, tmp_path: Path) -> None:
        path, wanted = tmp_path / "changed", "0" * 32
        path.write_bytes(packed(idx(grey(2))))
        found = hashlib.md5(idx(grey(2)), usedforsecurity=False).hexdigest()
        refusal(lambda: idx_images(path, md5=wanted), path, wanted, found)

    def test_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        refusal(lambda: idx_images(tmp_path / "gone"), tmp_path / "gone", "no such file")
        refusal(lambda: idx_labels(tmp_path), tmp_path, "cannot be read")

    @pytest.mark.parametrize("pack", [False, True])
    def test_cut_off_anywhere_is_refused(self, tmp_path: Path, pack: bool) -> None:
        content, path = idx(grey(3)), tmp_path / "cut"
        whole = packed(content) if pack else content
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            refusal(lambda: idx_images(path), path, "bytes")
        path.write_bytes(whole)
        np.testing.assert_array_equal(idx_images(path), grey(3))

    @hypothesis.given(
        array=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
        pack=st.booleans(),
        data=st.data(),
    )
    def test_cut_off_lengthened_or_changed_is_refused_or_read(
        self, tmp_path_factory: pytest.TempPathFactory, array: Any, pack: bool, data: st.DataObject
    ) -> None:
        images = grey(*array)
        whole = packed(idx(images)) if pack else idx(images)
        path = tmp_path_factory.getbasetemp() / "damaged"
        cut = data.draw(st.integers(0, len(whole)), label="cut")
        path.write_bytes(whole[:cut])
        if cut < len(whole):
            refusal(lambda: idx_images(path), path)
        tail = data.draw(st.binary(min_size=1, max_size=20), label="tail")
        path.write_bytes(whole + tail)
        if pack and not tail.strip(b"\0"):
            # gzip files may be padded with zeros.
            np.testing.assert_array_equal(idx_images(path), images)
        else:
            refusal(lambda: idx_images(path), path)
        place = data.draw(st.integers(0, len(whole) - 1), label="place")
        flip = data.draw(st.integers(1, 255), label="flip")
        path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        try:
            found = idx_images(path)
        except InvalidDataError:
            refusal(lambda: idx_images(path), path)
            return
        # A plain file has no checksum of its own, so a changed pixel shows only against a known md5.
        assert found.size == images.size
        assert (found.ravel() != images.ravel()).sum() <= (0 if pack else 1)


class TestFolder:
    @pytest.mark.parametrize("pack", [False, True])
    def test_becomes_a_data_set(self, tmp_path: Path, pack: bool) -> None:
        train, train_labels, test, test_labels = write(tmp_path / "own", pack=pack)
        data = from_idx(tmp_path / "own", threshold=0.4)
        np.testing.assert_array_equal(data.train, np.where(train.reshape(7, 6) > 102, 1, -1))
        np.testing.assert_array_equal(data.test, np.where(test.reshape(3, 6) > 102, 1, -1))
        np.testing.assert_array_equal(data.images, np.vstack([data.train, data.test]))
        np.testing.assert_array_equal(data.train_labels, train_labels)
        np.testing.assert_array_equal(data.test_labels, test_labels)
        assert (data.name, data.shape, data.images.dtype.name) == ("own", (3, 2), "int8")
        assert np.shares_memory(data.images, data.train)
        assert np.shares_memory(data.images, data.test)
        assert not data.images.flags.writeable

    def test_gives_the_first_images_when_fewer_are_asked_for(self, tmp_path: Path) -> None:
        write(tmp_path)
        whole, part = from_idx(tmp_path), from_idx(tmp_path, train=4, test=0, name="part")
        np.testing.assert_array_equal(part.train, whole.train[:4])
        np.testing.assert_array_equal(part.train_labels, np.arange(4))
        assert (part.name, len(part.images), len(part.test)) == ("part", 4, 0)
        assert part.test_labels is not None
        assert len(part.test_labels) == 0

    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            ({"train": 8}, "train = 8, and .* has 7 such images"),
            ({"test": 4}, "test = 4, and .* has 3 such images"),
            ({"train": 0}, "train must be an integer of at least 1"),
            ({"test": -1}, "test must be an integer of at least 0"),
            ({"train": 2.5}, "train must be an integer"),
            ({"threshold": 1.5}, "threshold must be at least 0 and at most 1"),
            ({"threshold": math.nan}, "threshold must be a finite number"),
            ({"seed": -1}, "seed"),
        ],
    )
    def test_refuses_what_it_cannot_give(self, tmp_path: Path, counts: Any, message: str) -> None:
        write(tmp_path)
        with pytest.raises(InvalidParameterError, match=message):
            from_idx(tmp_path, **counts)

    def test_refuses_another_binarization(self, tmp_path: Path) -> None:
        write(tmp_path)
        with pytest.raises(UnknownNameError, match="did you mean 'stochastic'"):
            from_idx(tmp_path, binarize="stochastik")  # type: ignore[arg-type]

    def test_whose_files_do_not_belong_together_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, train_labels=idx(np.zeros(6, np.uint8)))
        refusal(lambda: from_idx(tmp_path), NAMES[0], "7 images", NAMES[1], "6 labels")
        write(tmp_path, t10k_images=idx(grey(3, 3, 3)))
        refusal(lambda: from_idx(tmp_path), tmp_path, "3 x 2", "3 x 3")
        write(tmp_path, t10k_images=idx(grey(3))[:-1])
        refusal(lambda: from_idx(tmp_path), tmp_path / NAMES[2], "34 bytes expected", "33 found")

    def test_that_lacks_a_file_is_refused_with_its_name(self, tmp_path: Path) -> None:
        write(tmp_path, pack=True)
        (tmp_path / f"{NAMES[2]}.gz").unlink()
        message = refusal(lambda: from_idx(tmp_path), tmp_path, NAMES[2], "cannot be read")
        assert NAMES[0] not in message
        refusal(lambda: load(tmp_path), tmp_path, NAMES[2])

    def test_is_loaded_by_its_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(tmp_path / "own")
        monkeypatch.chdir(tmp_path)
        expected = from_idx("own")
        for source in ("./own", "own/", Path("own"), str(tmp_path / "own")):
            data = load(source)
            np.testing.assert_array_equal(data.images, expected.images)
            assert data.name == "own"
        with pytest.raises(UnknownNameError):
            load("own")
        with pytest.raises(
            InvalidParameterError, match=r"own has files of held-out images.* 0\.1 .*leave it out"
        ):
            load(Path("own"), test_share=0.1)


class TestStochastic:
    def test_draws_each_pixel_with_its_grey_value_as_probability(self, tmp_path: Path) -> None:
        levels = np.array([0, 1, 51, 128, 204, 254, 255], dtype=np.uint8)
        count = 4000
        images = np.broadcast_to(levels, (count, 1, 7)).copy()
        labels = np.zeros(count, np.uint8)
        write(tmp_path, train_images=idx(images), train_labels=idx(labels), t10k_images=idx(images[:3]))
        data = from_idx(tmp_path, binarize="stochastic", seed=4)
        share = levels / 255
        lit = (data.train > 0).mean(axis=0)
        assert (np.abs(lit - share) <= 5 * np.sqrt(share * (1 - share) / count)).all()
        # Pixels are drawn on their own: neighbours in the row and in the column do not go together.
        mixed = (data.train[:, 2:5] > 0) - share[2:5]
        scale = np.sqrt(share[2:5] * (1 - share[2:5]))
        bound = 5 / math.sqrt(count)
        assert np.abs((mixed[:, :-1] * mixed[:, 1:]).mean(axis=0) / (scale[:-1] * scale[1:])).max() < bound
        assert np.abs((mixed[:-1] * mixed[1:]).mean(axis=0) / scale**2).max() < bound

    def test_is_fixed_by_the_seed(self, tmp_path: Path) -> None:
        write(tmp_path, train=200)
        one, same, other = (from_idx(tmp_path, binarize="stochastic", seed=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.images, same.images)
        assert (one.images != other.images).any()
        split = np.random.default_rng(1).random((200, 6)) < grey(200).reshape(200, 6) / 255
        assert ((one.train > 0) != split).any(), "pixels have a stream of their own beside that of a split"
        assert (from_idx(tmp_path, seed=1).images == from_idx(tmp_path, seed=2).images).all()


@pytest.mark.parametrize(("make", "name"), [(mnist, "mnist"), (fashion_mnist, "fashion-mnist")])
class TestNamed:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RAPID_ISING_DATA", raising=False)

    @pytest.mark.parametrize("pack", [False, True])
    def test_is_found_in_the_folder_around_it_and_in_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str, pack: bool
    ) -> None:
        write(tmp_path / name, pack=pack)
        for path in (tmp_path, tmp_path / name):
            assert len(make(path, verify=False).images) == 10
            monkeypatch.setenv("RAPID_ISING_DATA", str(path))
            data = make(verify=False, train=5)
            assert (data.name, len(data.images)) == (name, 8)
        assert make(tmp_path, verify=False, name="mine").name == "mine"

    def test_prefers_its_own_folder(self, tmp_path: Path, make: Any, name: str) -> None:
        write(tmp_path, train=9)
        assert len(make(tmp_path, verify=False).train) == 9
        write(tmp_path / name, train=4)
        assert len(make(tmp_path, verify=False).train) == 4

    def test_that_is_nowhere_says_what_is_wanted_and_where_it_looked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str
    ) -> None:
        refusal(make, *NAMES, "RAPID_ISING_DATA is not set", "looked nowhere")
        refusal(lambda: load(name), "RAPID_ISING_DATA is not set")
        write(tmp_path)
        (tmp_path / NAMES[3]).unlink()
        monkeypatch.setenv("RAPID_ISING_DATA", str(tmp_path))
        wanted = (*NAMES, f"{tmp_path / name} (no such folder)", f"{tmp_path} (without {NAMES[3]})")
        refusal(make, *wanted, "set the environment variable RAPID_ISING_DATA")
        refusal(lambda: make(tmp_path / "empty"), f"{tmp_path / 'empty'} (no such folder)")
        (tmp_path / name).mkdir()
        refusal(make, f"{tmp_path / name} (none of them)")

    def test_with_other_files_is_refused_with_both_checksums(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str
    ) -> None:
        arrays = write(tmp_path, pack=True)
        found = hashlib.md5(idx(arrays[0]), usedforsecurity=False).hexdigest()
        known = {"mnist": MNIST_MD5, "fashion-mnist": FASHION_MNIST_MD5}[name]
        monkeypatch.setenv("RAPID_ISING_DATA", str(tmp_path))
        for call in (make, lambda: load(name)):
            refusal(call, tmp_path / f"{NAMES[0]}.gz", found, known[NAMES[0]])

    def test_has_its_own_split(self, make: Any, name: str) -> None:
        with pytest.raises(InvalidParameterError, match=f"^{name} has files of held-out images"):
            load(name, test_share=0.2)


@needs_mnist
class TestMnist:
    def test_has_the_known_files_shapes_and_classes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAPID_ISING_DATA", str(SHARED))
        data = load("mnist")
        assert (data.images.shape, data.train.shape, data.test.shape) == (
            (70000, 784),
            (60000, 784),
            (10000, 784),
        )
        assert (data.name, data.shape) == ("mnist", (28, 28))
        assert data.train_labels is not None
        assert data.test_labels is not None
        train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert np.bincount(data.train_labels).tolist() == train
        assert np.bincount(data.test_labels).tolist() == test
        # The reference takes the same pixels from the bytes of the file.
        content = gzip.decompress((SHARED / "mnist" / f"{NAMES[2]}.gz").read_bytes())[16:]
        pixels = np.frombuffer(content, dtype=np.uint8).reshape(10000, 784)
        np.testing.assert_array_equal(data.test > 0, pixels > 0.3 * 255)

    def test_is_as_light_drawn_as_its_grey_values(self) -> None:
        data = mnist(SHARED, binarize="stochastic", train=1, seed=0)
        share = idx_images(SHARED / "mnist" / f"{NAMES[2]}.gz").reshape(10000, 784) / 255
        deviation = math.sqrt((share * (1 - share)).sum())
        assert abs((data.test > 0).sum() - share.sum()) < 5 * deviation

    def test_is_not_fashion_mnist(self) -> None:
        refusal(lambda: fashion_mnist(SHARED / "mnist"), MNIST_MD5[NAMES[0]], FASHION_MNIST_MD5[NAMES[0]])
