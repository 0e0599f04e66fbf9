"""Making tensors: from data, filled, and in sequences."""

import math
import operator
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import chain
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.attributes import device
from autodiff.composed.conversion import number_of, to
from autodiff.composed.properties import check_tensor
from autodiff.ops.shape import copy
from autodiff.tape import recorder
from autodiff.tensor import Tensor, apply, make, taken

__all__ = (
    "arange",
    "as_tensor",
    "asarray",
    "contiguous_format",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "preserve_format",
    "scalar_tensor",
    "strided",
    "tensor",
    "zeros",
    "zeros_like",
)
METHODS = ("new", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros")
IN_PLACE = ()

contiguous_format, preserve_format, strided = "contiguous_format", "preserve_format", "strided"
"""What PyTorch's memory_format and layout may be."""

Device = str | device | None
DType = dtypes.dtype | type | None


def finished(new: Any, place: Device = None, requires_grad: bool = False) -> Tensor:
    """The Tensor of a new array, `place` checked."""
    if place is not None:
        device(place)
    result = new if isinstance(new, Tensor) else make(new)
    return result.requires_grad_() if requires_grad else result


def created(create: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorate a function that makes a Tensor with the options of new tensors.

    These are `device`, the CPU, `requires_grad`, and PyTorch's on memory, which make no difference:
    results lie there as NumPy lays them.
    """

    @wraps(create)
    def creating(
        *args: Any,
        device: Device = None,
        requires_grad: bool = False,
        layout: Any = strided,
        pin_memory: bool = False,
        memory_format: Any = preserve_format,
        **options: Any,
    ) -> Tensor:
        return finished(create(*args, **options), device, requires_grad)

    return creating


def element_type(dtype: DType, default: Any = None) -> np.dtype:
    """The NumPy dtype asked for; the default one if None."""
    if dtype is not None:
        return dtypes.as_numpy(dtype)
    return dtypes.get_default_dtype().dtype if default is None else default


def lengths(sizes: Any, size: Any = None, name: str = "size") -> tuple[int, ...]:
    """A shape given as integers, `zeros(2, 3)`, or as one sequence, `zeros((2, 3))`.

    Raises: TypeError for anything else; RuntimeError for a negative length.
    """
    if size is not None:
        sizes = size
    elif not sizes:
        raise TypeError(f"{name} is missing: integers or one tuple of them")
    elif len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    try:
        shape = tuple([operator.index(n) for n in sizes])
    except TypeError:
        raise TypeError(f"{name} must be integers or one tuple of them, got {sizes!r}") from None
    if any(n < 0 for n in shape):
        raise RuntimeError(f"{name} must not be negative, got {shape}")
    return shape


# From data


def tensor(
    data: Any,
    *,
    dtype: DType = None,
    device: Device = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor of a copy of `data`: a number, nested sequences, an array or a Tensor.

    Arrays and Tensors keep their dtype, Python floats become the default dtype.

    Raises: TypeError for data that are no numbers; ValueError for ragged sequences.

    >>> tensor([[1, 2.5]])
    tensor([[1.0000, 2.5000]])
    """
    array = _array_of(data, None if dtype is None else dtypes.as_numpy(dtype))
    return finished(array, device, requires_grad)


def _array_of(data: Any, dtype: np.dtype | None) -> np.ndarray:
    """A new C-contiguous array of `data`."""
    if isinstance(data, Tensor) or (recorder() and isinstance(data, np.ndarray)):
        data = data.detach() if isinstance(data, Tensor) else from_numpy(data)
        return apply(copy, (to(data, dtype=dtypes.of(dtype or data._array.dtype)),))._array
    if hasattr(data, "dtype"):
        return np.array(data, dtype or dtypes.of(data.dtype).dtype, order="C")
    shape: list[int] = []
    level = [data]
    while level and _is_sequence(level[0]):
        if len(shape) == 64:
            raise ValueError("the sequences are nested deeper than the 64 axes of NumPy's arrays")
        n = len(level[0])
        if not all(map(_is_sequence, level)):
            raise TypeError(f"at depth {len(shape)} there are numbers beside sequences")
        if any(len(item) != n for item in level):
            raise ValueError(
                f"the sequences at depth {len(shape)} differ in length: "
                f"{sorted(set(map(len, level)))}; a tensor needs as many elements in each"
            )
        shape.append(n)
        level = list(chain.from_iterable(level))
    kinds = set(map(type, level))
    if kinds <= {float, int, bool}:
        return _converted(level, dtype or _python_type(kinds)).reshape(shape)
    arrays = [_element(item) for item in level]
    if dtype is None:
        dtype = arrays[0].dtype
        for array in arrays:
            dtype = dtypes.promote_types(dtype, array.dtype)
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(f"elements of shapes {sorted({a.shape for a in arrays})} in one tensor")
    return np.stack([a.astype(dtype) for a in arrays]).reshape((*shape, *arrays[0].shape))


def _is_sequence(item: Any) -> bool:
    return isinstance(item, Sequence) and not isinstance(item, (str, bytes))


def _python_type(kinds: set[type]) -> np.dtype:
    if float in kinds or not kinds:
        return dtypes.get_default_dtype().dtype
    return np.dtype(np.int64 if int in kinds else np.bool_)


def _converted(numbers: list, dtype: np.dtype) -> np.ndarray:
    try:
        return np.array(numbers, dtype)
    except OverflowError as error:
        raise RuntimeError(f"a number is too large for {dtype}: {error}") from None


def _element(item: Any) -> np.ndarray:
    """A leaf of nested sequences as an array."""
    if isinstance(item, (Tensor, np.ndarray)):
        taken("tensor() of tensors or arrays")
    if isinstance(item, Tensor):
        return item._array
    if isinstance(item, (float, int, np.ndarray, np.generic)):
        array = np.asarray(item)
        if type(item) is float:
            array = array.astype(dtypes.get_default_dtype().dtype)
        dtypes.of(array.dtype)
        return array
    raise TypeError(f"a tensor is made of numbers, got {type(item).__name__} {item!r}")


def as_tensor(data: Any, dtype: DType = None, device: Device = None) -> Tensor:
    """`data` as a tensor, memory and place on the tape shared if its dtype is the one asked for."""
    if isinstance(data, np.ndarray):
        data = from_numpy(data)
    if isinstance(data, Tensor):
        return to(data, device, dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any,
    *,
    dtype: DType = None,
    device: Device = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`obj` as a tensor, memory shared if possible; never if `copy`, always (or error) if False."""
    if copy:
        return tensor(obj, dtype=dtype, device=device, requires_grad=requires_grad)
    result = as_tensor(obj, dtype, device)
    if copy is False and not np.shares_memory(result._array, getattr(obj, "_array", obj)):
        raise ValueError("asarray: this needs a copy, but copy=False was given")
    return result.requires_grad_() if requires_grad else result


def from_numpy(ndarray: np.ndarray, /) -> Tensor:
    """A tensor of the array's memory: writing to one writes to both.

    Raises: TypeError if it is no array, or of a dtype that Tensors do not hold.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy needs a numpy.ndarray, got {type(ndarray).__name__}")
    dtypes.of(ndarray.dtype)
    trace = recorder()
    return make(ndarray if trace is None else trace.shared(ndarray))


# Filled


@created
def zeros(
    *sizes: Any,
    size: Any = None,
    dtype: DType = None,
) -> Tensor:
    """Zeros of the shape given as integers or as one tuple."""
    return make(np.zeros(lengths(sizes, size), element_type(dtype)))


@created
def ones(
    *sizes: Any,
    size: Any = None,
    dtype: DType = None,
) -> Tensor:
    """Ones of the shape given as integers or as one tuple."""
    return make(np.ones(lengths(sizes, size), element_type(dtype)))


@created
def empty(
    *sizes: Any,
    size: Any = None,
    dtype: DType = None,
) -> Tensor:
    """Uninitialised memory of the shape given as integers or as one tuple."""
    return make(np.empty(lengths(sizes, size), element_type(dtype)))


@created
def full(
    size: Sequence[int],
    fill_value: float | Tensor,
    *,
    dtype: DType = None,
) -> Tensor:
    """`fill_value` everywhere; a float gives the default dtype, an int int64, a bool bool."""
    value = _number(fill_value)
    kind = element_type(dtype, _python_type({type(value)}))
    return make(np.full(lengths((), size), number_of(value, kind), kind))


@created
def scalar_tensor(s: float, *, dtype: DType = None) -> Tensor:
    """The number as a 0-d tensor of the default dtype."""
    kind = dtype or dtypes.get_default_dtype()
    return full((), s, dtype=kind)


@created
def zeros_like(
    input: Tensor,
    *,
    dtype: DType = None,
) -> Tensor:
    """Zeros of the shape and dtype of `input`."""
    check_tensor(input, "zeros_like")
    return make(np.zeros_like(input._array, _like(dtype)))


@created
def ones_like(
    input: Tensor,
    *,
    dtype: DType = None,
) -> Tensor:
    """Ones of the shape and dtype of `input`."""
    check_tensor(input, "ones_like")
    return make(np.ones_like(input._array, _like(dtype)))


@created
def full_like(
    input: Tensor,
    fill_value: float | Tensor,
    *,
    dtype: DType = None,
) -> Tensor:
    """`fill_value` everywhere, in the shape and dtype of `input`."""
    check_tensor(input, "full_like")
    kind = element_type(dtype, input._array.dtype)
    return make(np.full_like(input._array, number_of(_number(fill_value), kind), kind))


@created
def empty_like(
    input: Tensor,
    *,
    dtype: DType = None,
) -> Tensor:
    """Uninitialised memory of the shape and dtype of `input`."""
    check_tensor(input, "empty_like")
    return make(np.empty_like(input._array, _like(dtype)))


def _like(dtype: DType) -> np.dtype | None:
    return None if dtype is None else dtypes.as_numpy(dtype)


def _number(value: Any) -> float | int | bool:
    """A Python number, out of a 0-d Tensor or a NumPy scalar too. Raises: TypeError."""
    number = value.item() if hasattr(value, "item") else value
    if not isinstance(number, (float, int)):
        raise TypeError(f"expected a number, got {type(value).__name__} {value!r:.50}")
    return number


def new_tensor(
    input: Tensor,
    data: Any,
    *,
    dtype: DType = None,
    device: Device = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`data` as a new tensor of the dtype of `input`."""
    return tensor(data, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def new_full(
    input: Tensor,
    size: Sequence[int],
    fill_value: float | Tensor,
    *,
    dtype: DType = None,
    **options: Any,
) -> Tensor:
    """`fill_value` everywhere, in the dtype of `input`."""
    return full(size, fill_value, dtype=dtype or input.dtype, **options)


def _of_same_dtype(create: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(
        input: Tensor, *sizes: Any, size: Any = None, dtype: DType = None, **options: Any
    ) -> Tensor:
        return create(*sizes, size=size, dtype=dtype or input.dtype, **options)

    method.__doc__ = f"As {create.__name__}, in the dtype of `input`."
    return method


new_zeros, new_ones, new_empty = map(_of_same_dtype, (zeros, ones, empty))


def new(input: Tensor, *data: Any) -> Tensor:
    """Uninitialised memory of a shape, or a tensor of `data`, in the dtype of `input`."""
    if len(data) == 1 and not isinstance(data[0], int):
        return new_tensor(input, data[0])
    return new_empty(input, *data or (0,))


# In sequences


@created
def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType = None,
) -> Tensor:
    """start, start + step, … below `end`; arange(end) starts at 0.

    Raises: RuntimeError if `step` is 0 or leads away from `end`.
    """
    if end is None:
        start, end = None, start
    if start is None:
        start = 0
    numbers = [_number(start), _number(end), _number(step)]
    kind = element_type(dtype, _python_type({int, *map(type, numbers)}))
    start, end, step = numbers if kind.kind == "f" else map(int, numbers)
    length = (end - start) / step if step else math.nan
    if not 0 <= length < math.inf:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    count = math.ceil(length) if kind.kind == "f" else -((start - end) // step)
    array = start + np.arange(count) * step  # rounded to the dtype once, not at each step
    return make(array.astype(kind))


@created
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DType = None,
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    return make(_line(start, end, steps).astype(element_type(dtype)))


def _line(start: Any, end: Any, steps: int) -> np.ndarray:
    """linspace in float64, counted from the nearer end: it is symmetric, and exact at both."""
    start, end, (steps,) = _number(start), _number(end), lengths((steps,), name="steps")
    i, step = np.arange(steps), (end - start) / max(steps - 1, 1)
    return np.where(i < max(steps // 2, 1), start + i * step, end - (steps - 1 - i) * step)


@created
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType = None,
) -> Tensor:
    """`base` to the powers linspace(start, end, steps)."""
    return make(np.power(float(base), _line(start, end, steps)).astype(element_type(dtype)))


@created
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType = None,
) -> Tensor:
    """The identity matrix of n rows and m (or n) columns."""
    shape = lengths((n, n if m is None else m), name="n and m")
    return make(np.eye(*shape, dtype=element_type(dtype)))
