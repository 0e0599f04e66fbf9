"""Converting tensors to other dtypes, and writing values into them.

The methods named after dtypes hide Python's own names here, hence `builtins`.
"""

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import dtypes, inplace
from autodiff.attributes import device as Device
from autodiff.composed.properties import check_tensor
from autodiff.ops.shape import cast, copy
from autodiff.tensor import Tensor, apply

__all__ = ("fill", "fill_", "zero_")
METHODS = (
    *("bool", "byte", "char", "double", "float", "half", "int", "long", "short"),
    *("copy_", "cpu", "cuda", "fill_", "to", "type", "type_as", "zero_"),
)
IN_PLACE = ()


def to(
    input: Tensor,
    *target: Any,
    dtype: Any = None,
    device: Any = None,
    copy: builtins.bool = False,
    non_blocking: builtins.bool = False,
    memory_format: Any = None,
) -> Tensor:
    """`input` itself if it is of this dtype, else converted.

    Called as to(dtype), to(device), to(device, dtype) or to(other), a Tensor of that dtype. The
    gradient goes back in the dtype of `input`; integers have none. `copy` makes a new tensor in any
    case.

    Raises: RuntimeError for another device than the CPU; TypeError for a name that is no dtype.
    """
    if target:
        first, *rest = target
        if isinstance(first, Tensor):
            dtype = first.dtype
        elif isinstance(first, (dtypes.dtype, builtins.type)):
            dtype = first
        else:
            device = first
            if rest:
                dtype = rest.pop(0)
        copy = rest[1] if len(rest) > 1 else copy
    if device is not None:
        Device(device)
    check_tensor(input, "to")
    new = input._array.dtype if dtype is None else dtypes.as_numpy(dtype)
    if new == input._array.dtype and not copy:
        return input
    if new.kind != "f":
        input = input.detach()
    return apply(cast, (input,), {"dtype": new})


def _to(dtype: dtypes.dtype) -> Callable[[Tensor], Tensor]:
    def convert(input: Tensor, memory_format: Any = None) -> Tensor:
        return to(input, dtype=dtype)

    convert.__doc__ = f"The elements as {dtype!r}."
    return convert


float, double, half = _to(dtypes.float32), _to(dtypes.float64), _to(dtypes.float16)
long, int, short = _to(dtypes.int64), _to(dtypes.int32), _to(dtypes.int16)
char, byte, bool = _to(dtypes.int8), _to(dtypes.uint8), _to(dtypes.bool_)

_LEGACY = {
    dtypes.float32: "Float",
    dtypes.float64: "Double",
    dtypes.float16: "Half",
    dtypes.int64: "Long",
    dtypes.int32: "Int",
    dtypes.int16: "Short",
    dtypes.int8: "Char",
    dtypes.uint8: "Byte",
    dtypes.bool_: "Bool",
}
"""What PyTorch's older names of types call the dtypes."""


def type(input: Tensor, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
    """Converted to `dtype`; without one the name of the type, such as "autodiff.FloatTensor"."""
    if dtype is None:
        return f"autodiff.{_LEGACY[input.dtype]}Tensor"
    names = {f"{name}Tensor": d for d, name in _LEGACY.items()}
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        if name not in names:
            raise ValueError(f"type must be a dtype or one of {', '.join(names)}, got {dtype!r}")
        dtype = names[name]
    return to(input, dtype=dtype)


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """In the dtype of `other`."""
    check_tensor(other, "type_as")
    return to(input, dtype=other.dtype)


def cpu(input: Tensor, memory_format: Any = None) -> Tensor:
    """`input` itself: tensors live on the CPU."""
    return input


def cuda(input: Tensor, device: Any = None) -> Tensor:
    """Raises: RuntimeError; tensors live on the CPU."""
    return to(input, device="cuda")


# Writing


def copy_(input: Tensor, src: Any, non_blocking: builtins.bool = False) -> Tensor:
    """Write `src`, broadcast and converted, into `input`; gradients go to `src` from now on."""
    if not isinstance(src, (Tensor, builtins.int, builtins.float)):
        raise TypeError(f"copy_ takes a Tensor, got {builtins.type(src).__name__}")
    inplace.setitem(input, ..., src)
    return input


def fill_(input: Tensor, value: Any) -> Tensor:
    """Write a number or a 0-d Tensor everywhere."""
    check_tensor(input, "fill_")
    if not isinstance(value, Tensor):
        value = number_of(value, input._array.dtype)
    elif value.ndim:
        raise RuntimeError(f"fill_ takes a number, got a Tensor of shape {tuple(value.shape)}")
    return copy_(input, value)


def number_of(value: Any, dtype: np.dtype) -> Any:
    """A number as one that the dtype holds. Raises: TypeError; RuntimeError if it does not fit."""
    if not isinstance(value, (builtins.int, builtins.float, np.generic)):
        raise TypeError(f"expected a number, got {builtins.type(value).__name__} {value!r:.50}")
    try:
        number = {"f": builtins.float, "b": builtins.bool}.get(dtype.kind, builtins.int)(value)
        if dtype.kind == "u" and number < 0:
            number %= 256  # as in PyTorch
        np.array(number, dtype)
        return number
    except (OverflowError, ValueError) as error:
        raise RuntimeError(f"{value} does not fit {dtype}: {error}") from None


def fill(input: Tensor, value: Any) -> Tensor:
    """A number, or a 0-d Tensor, everywhere, in the shape and dtype of `input`."""
    check_tensor(input, "fill")
    return fill_(apply(copy, (input,)), value)


def zero_(input: Tensor) -> Tensor:
    """Write 0 everywhere."""
    return copy_(input, 0)
