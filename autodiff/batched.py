"""A batch of examples that looks like one: the storage of the tensors inside vmap."""

from typing import Any, NoReturn

import numpy as np

from autodiff import versions
from autodiff.ops.shape import cast, copy
from autodiff.tensor import Tensor, apply

_LIKE = (np.zeros_like, np.ones_like, np.empty_like, np.full_like)
_OF_MEMORY = (np.may_share_memory, np.shares_memory)


class Batched:
    """The array of a tensor inside vmap: it tells the shape of one example, and has no elements.

    tensor: the examples along its first axis, as the code around the vmap sees them; or, unless
        `mapped`, what is the same for all examples. vmap: the run it belongs to, see batching.py.
    """

    __slots__ = ("mapped", "tensor", "vmap")

    def __init__(self, vmap: Any, tensor: Tensor, mapped: bool) -> None:
        self.vmap, self.tensor, self.mapped = vmap, tensor, mapped

    @property
    def shape(self) -> tuple[int, ...]:
        """That of one example."""
        return tuple(self.tensor._array.shape[self.mapped :])

    @property
    def strides(self) -> tuple[int, ...]:
        """Those of one example."""
        return self.tensor._array.strides[self.mapped :]

    @property
    def dtype(self) -> np.dtype:
        """That of the elements."""
        return self.tensor._array.dtype

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.tensor._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of one example."""
        return self.size * self.itemsize

    @property
    def ndim(self) -> int:
        """The number of axes of one example."""
        return self.tensor._array.ndim - self.mapped

    @property
    def size(self) -> int:
        """The number of elements of one example."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def flags(self) -> Any:
        """Those of the memory of all examples."""
        return self.tensor._array.flags

    @property
    def elements(self) -> np.ndarray:
        """The array of all examples."""
        array = self.tensor._array
        return array.elements if isinstance(array, Batched) else array

    @property
    def first(self) -> np.ndarray:
        """The array of the first example, as a view."""
        array = self.tensor._array
        array = array.first if isinstance(array, Batched) else array
        return array[0] if self.mapped else array

    @property
    def base(self) -> np.ndarray:
        """The array that owns the memory, as of NumPy's views: versions are counted there."""
        return versions.owner(self.elements)

    def astype(self, dtype: Any) -> "Batched":
        """The examples in another dtype."""
        with self.vmap.outside():
            return Batched(self.vmap, apply(cast, (self.tensor,), {"dtype": dtype}), self.mapped)

    def copy(self) -> "Batched":
        """The examples in memory of their own."""
        with self.vmap.outside():
            return Batched(self.vmap, apply(copy, (self.tensor,)), self.mapped)

    def min(self) -> Any:
        """The least element of all examples: what checks of a range ask for."""
        return self.elements.min()

    def max(self) -> Any:
        """The largest element of all examples."""
        return self.elements.max()

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{'all examples' if self.mapped else 'for every example'}: {self.tensor!r}"

    def __array_function__(self, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        if func in _LIKE and args[0] is self:
            return func(np.broadcast_to(np.empty((), self.dtype), self.shape), *args[1:], **kwargs)
        if func in _OF_MEMORY:
            return func(*[getattr(a, "elements", a) for a in args], **kwargs)
        return _refuse(f"numpy.{func.__name__}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return _refuse(f"numpy.{ufunc.__name__}")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._same("numpy()").numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The one element, if it is the same for all examples."""
        return self._same("bool(), item() or use as an index").item()

    def tolist(self) -> Any:
        """The elements, if they are the same for all examples."""
        return self._same("tolist()").tolist()

    def _same(self, what: str) -> Tensor:
        if self.mapped:
            _refuse(what)
        return self.tensor.detach()

    def __bool__(self) -> NoReturn:
        _refuse("bool()")

    def __getitem__(self, key: Any) -> NoReturn:
        _refuse("an element")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _refuse(f"{name}()")


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(
        f"{what} of a tensor inside vmap: its values differ from one example to the next, so "
        "Python cannot branch on them or take them out; use operations such as where(), or do it "
        "outside vmap (where a tensor kept from inside means nothing)"
    )
