"""Where arrays lie: NumPy's, or those of another library and device, and what differs between them.

Parameters and chains of two-layer models may be arrays of any library that follows the array API standard and
whose arrays change in place, PyTorch first of all. The annotation ``Floats`` stands for all of them: a type
checker sees NumPy's array, and code that may meet another one uses only what the standard has, from the
namespace of the array at hand. array-api-compat makes the libraries' namespaces follow it.
"""

from __future__ import annotations

import dataclasses
import math
from types import ModuleType
from typing import Any, TypeAlias, cast, final

import array_api_compat
import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidParameterError, MissingDependencyError
from rapid_ising.typing import Floats, Indices

OF_NUMPY = np.ndarray, np.generic
# NumPy 2 follows the standard by itself; array-api-compat's copy of it takes longer to import than NumPy.
FUNCTIONS: Any = np if hasattr(np, "concat") else array_api_compat.array_namespace(np.empty(0))


def namespace(array: Any) -> Any:
    """Return the functions of the array API standard for an array.

    >>> namespace(np.ones(2)).concat([np.ones(1), np.zeros(1)])
    array([1., 0.])
    """
    return FUNCTIONS if isinstance(array, OF_NUMPY) else array_api_compat.array_namespace(array)


def is_numpy(array: Any) -> bool:
    """Return whether an array is NumPy's, which fused loops take, or a list that NumPy makes one of."""
    return isinstance(array, OF_NUMPY) or not array_api_compat.is_array_api_obj(array)


def to_numpy(array: Any) -> Any:
    """Return an array of any library as NumPy's: itself if it is one, else a copy; other objects as they are.

    >>> to_numpy([1, 2])
    [1, 2]
    """
    if is_numpy(array):
        return array
    if array_api_compat.is_torch_array(array):
        return array.detach().cpu().numpy().copy()
    if not hasattr(array, "__dlpack__"):
        return np.array(array)
    memory = namespace(array).__array_namespace_info__().default_device()
    return np.from_dlpack(array_api_compat.to_device(array, memory)).copy()


@final
@dataclasses.dataclass(frozen=True)
class Place:
    """A library of arrays and one of its devices.

    Examples
    --------
    >>> Place.of(np.ones(2)) == NUMPY
    True
    """

    namespace: Any
    device: Any

    @classmethod
    def of(cls, array: Any) -> Place:
        """Return where an array lies."""
        return NUMPY if is_numpy(array) else cls(namespace(array), array_api_compat.device(array))

    @classmethod
    def named(cls, device: Device) -> Place:
        """Return the place that ``Model.to`` was asked for.

        Raises
        ------
        MissingDependencyError
            If PyTorch is needed and not installed.
        InvalidParameterError
            If there is no such device here.
        """
        if isinstance(device, Place):
            return device
        if isinstance(device, ModuleType):
            return cls.of(device.empty(0))
        if str(device) in ("cpu", "numpy"):
            return NUMPY
        try:
            import torch
        except ImportError as error:
            raise MissingDependencyError(
                f"device {device!r} needs PyTorch, not installed here: pip install 'rapid-ising[torch]'"
            ) from error
        try:
            return cls.of(torch.empty(0, device=str(device)))
        # A PyTorch built without CUDA fails by assertion.
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidParameterError(
                f"PyTorch has no device {device!r} here ({reason}): leave device out for NumPy, or see "
                "torch.cuda.is_available()"
            ) from error

    @property
    def is_numpy(self) -> bool:
        """Whether arrays here are NumPy's."""
        return self.namespace is None

    def __str__(self) -> str:
        return "NumPy" if self.is_numpy else f"{self.namespace.__name__.rpartition('.')[2]} on {self.device}"

    def put(self, array: Any) -> Any:
        """Return an array of any place here: itself if it is here, else a copy of the same type."""
        if self.is_numpy:
            return to_numpy(array)
        if not is_numpy(array) and Place.of(array) == self:
            return array
        return self.namespace.asarray(to_numpy(array), device=self.device, copy=True)

    def wide(self) -> Any:
        """Return the type in which sums over many spins are taken here: float64 where the device has it."""
        if self.is_numpy:
            return np.float64
        types = self.namespace.__array_namespace_info__().dtypes(device=self.device, kind="real floating")
        return types.get("float64", types["float32"])


NUMPY = Place(None, None)
"""NumPy's arrays, in the processor's memory."""
Device: TypeAlias = "str | ModuleType | Place"
"""Where a model is to lie: "cpu" is NumPy, any other name a device of PyTorch, such as "cuda" or "cuda:1"; a
namespace such as ``torch`` or ``array_api_strict`` is that library's own first device."""


@final
class Numbers:
    """Random numbers at a place, from one key that the caller's Generator gives.

    PyTorch draws them on the device; for other libraries they are NumPy's, copied there. The same Generator
    gives the same numbers at the same place.

    Examples
    --------
    >>> Numbers(NUMPY, np.random.default_rng(0)).uniform((2,), np.ones(2)).shape
    (2,)
    """

    def __init__(self, place: Place, rng: np.random.Generator) -> None:
        self._place = place
        key = int(rng.integers(2**64, dtype=np.uint64))
        self._torch: Any = None
        if not place.is_numpy and array_api_compat.is_torch_namespace(place.namespace):
            import torch

            self._torch = torch
            self._source: Any = torch.Generator(place.device)
            self._source.manual_seed(key)
        else:
            self._source = np.random.default_rng(key)

    def uniform(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Return numbers from 0 to 1, 1 not among them, of the type of ``like``."""
        drawn: Floats
        if self._torch is not None:
            drawn = self._torch.rand(
                shape, generator=self._source, dtype=like.dtype, device=self._place.device
            )
        else:
            drawn = self._place.put(self._source.random(shape, dtype=numpy_type(like)))
        return drawn


def numpy_type(array: Floats) -> np.dtype[Any]:
    """Return NumPy's name for the type of an array, float32 or float64."""
    return np.dtype(np.float64 if namespace(array).finfo(array.dtype).bits == 64 else np.float32)


def beside(values: npt.ArrayLike, array: Floats) -> Floats:
    """Return NumPy's numbers in the type and at the place of an array."""
    # The type first, since some devices have no float64.
    return cast(Floats, Place.of(array).put(np.asarray(values, numpy_type(array))))


def widened(array: Floats) -> Floats:
    """Return NumPy's array in float64, another as it is: a device may be slow at it, or have none."""
    return array.astype(np.float64) if is_numpy(array) else array


def zeros_like(array: Floats) -> Floats:
    """Return zeros beside an array."""
    return cast(Floats, namespace(array).zeros_like(array))


def copied(array: Floats) -> Floats:
    """Return a copy at the same place."""
    return cast(Floats, namespace(array).asarray(array, copy=True))


def signs(array: Floats) -> Floats:
    """Return -1 where the sign of an entry is negative, else +1.

    >>> signs(np.array([-0.5, 0.0, -0.0]))
    array([-1.,  1., -1.])
    """
    if is_numpy(array):
        return np.copysign(array.dtype.type(1), array)
    xp = namespace(array)
    return cast(Floats, xp.copysign(xp.ones_like(array), array))


def rows(array: Floats, chosen: Indices) -> Floats:
    """Return rows by their numbers, which are NumPy's.

    >>> rows(np.eye(2), np.array([1]))
    array([[0., 1.]])
    """
    if is_numpy(array):
        return array[chosen]
    return cast(Floats, namespace(array).take(array, Place.of(array).put(chosen), axis=0))


def concatenated(arrays: list[Floats], axis: int = 0) -> Floats:
    """Return arrays of one place joined."""
    return cast(Floats, namespace(arrays[0]).concat(arrays, axis=axis))


def outer(first: Floats, second: Floats) -> Floats:
    """Return the product of each entry of the first with each of the second.

    >>> outer(np.array([1.0, 2.0]), np.array([3.0]))
    array([[3.],
           [6.]])
    """
    return first[:, None] * second[None, :]


def dot(first: Floats, second: Floats) -> float:
    """Return the sum of the products of entries, over arrays of any shape."""
    if is_numpy(first):
        return float(np.vdot(first, second))
    return float(namespace(first).sum(first * second))


def all_finite(array: Floats) -> bool:
    """Return whether all entries are finite."""
    # The sum of squares is finite wherever all entries are, unless they are too large for it.
    if is_numpy(array) and math.isfinite(np.vdot(array, array)):
        return True
    xp = namespace(array)
    return bool(xp.all(xp.isfinite(array)))
