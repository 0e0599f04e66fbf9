"""What a tensor is: its kind, size and place in memory; and what dtype an operation has."""

from typing import Any

from autodiff import dtypes, versions
from autodiff.tensor import Size, Tensor

__all__ = (
    "can_cast",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_tensor",
    "numel",
    "promote_types",
    "result_type",
)
METHODS = (
    *("data_ptr", "dim", "element_size", "get_device", "is_complex", "is_contiguous"),
    *("is_floating_point", "is_nonzero", "is_same_size", "is_signed", "ndimension", "nelement"),
    *("numel", "size", "storage_offset", "stride"),
)
PROPERTIES = ("is_cuda", "itemsize", "nbytes")
IN_PLACE = ()


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def check_tensor(input: Any, name: str) -> None:
    """Raises: TypeError if `input` is no Tensor."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: input must be a Tensor, got {type(input).__name__}")


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floats."""
    check_tensor(input, "is_floating_point")
    return input._array.dtype.kind == "f"


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers: never."""
    check_tensor(input, "is_complex")
    return input._array.dtype.kind == "c"


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    check_tensor(input, "is_signed")
    return input.dtype.is_signed


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0. Raises: RuntimeError if there is not just one."""
    check_tensor(input, "is_nonzero")
    return input.__bool__()


def is_cuda(input: Tensor) -> bool:
    """False: tensors live on the CPU."""
    return False


def get_device(input: Tensor) -> int:
    """-1: tensors live on the CPU."""
    return -1


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    check_tensor(other, "is_same_size")
    return input.shape == other.shape


def size(input: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length along one axis. Raises: IndexError if there is no such axis."""
    if dim is None:
        return Size(input._array.shape)
    try:
        return input._array.shape[dim]
    except IndexError:
        raise _no_axis("size", dim, input) from None


def stride(input: Tensor, dim: int | None = None) -> Any:
    """How many elements apart neighbours along each axis, or one, lie in memory."""
    strides = tuple(s // input._array.itemsize for s in input._array.strides)
    try:
        return strides if dim is None else strides[dim]
    except IndexError:
        raise _no_axis("stride", dim, input) from None


def _no_axis(name: str, dim: int | None, input: Tensor) -> IndexError:
    return IndexError(f"{name}: dim={dim} is no axis of a tensor of shape {tuple(input.shape)}")


def dim(input: Tensor) -> int:
    """The number of axes."""
    return input._array.ndim


def numel(input: Tensor) -> int:
    """The number of elements."""
    if not isinstance(input, Tensor):
        raise TypeError(f"numel: input must be a Tensor, got {type(input).__name__}")
    return input._array.size


def itemsize(input: Tensor) -> int:
    """Bytes of one element."""
    return input._array.itemsize


def element_size(input: Tensor) -> int:
    """Bytes of one element."""
    return input._array.itemsize


def nbytes(input: Tensor) -> int:
    """Bytes of all elements."""
    return input._array.nbytes


def is_contiguous(input: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory row by row without gaps."""
    return input._array.flags.c_contiguous


def data_ptr(input: Tensor) -> int:
    """The address of the first element."""
    return _address(input._array)


def _address(array: Any) -> int:
    return array.__array_interface__["data"][0]


def storage_offset(input: Tensor) -> int:
    """How many elements from the start of its memory the first one lies."""
    array = input._array
    owner = versions.owner(array)
    return (_address(array) - _address(owner)) // array.itemsize


ndimension, nelement = dim, numel


# dtypes


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of an operation on both, Tensors or numbers."""
    operands = [x._array if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return dtypes.of(dtypes.result_type(*operands))


def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """The smallest dtype that both convert to: a float wins over any integer."""
    return dtypes.of(dtypes.promote_types(dtypes.as_numpy(type1), dtypes.as_numpy(type2)))


def can_cast(from_: dtypes.dtype, to: dtypes.dtype, /) -> bool:
    """Whether a result of one dtype may be written into another: not a float into integers."""
    return dtypes.can_cast(dtypes.as_numpy(from_), dtypes.as_numpy(to))
