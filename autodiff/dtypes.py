"""dtype names, the default dtype, and PyTorch's type promotion on NumPy arrays."""

from typing import Any

import numpy as np

from autodiff import versions


class dtype:
    """An element type, as PyTorch's `torch.dtype`; equal to the NumPy dtype it stands for.

    >>> float32 == np.float32, float32.is_floating_point, float32.itemsize
    (True, True, 4)
    """

    __slots__ = ("_name", "dtype")

    def __init__(self, name: str) -> None:
        self._name = name
        self.dtype = np.dtype(name)  # NumPy reads this attribute: np.zeros(3, dtype=float32)

    @property
    def is_floating_point(self) -> bool:
        """Whether this is a real floating type."""
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        """Whether this is a complex type; there is none yet."""
        return self.dtype.kind == "c"

    @property
    def is_signed(self) -> bool:
        """Whether negative numbers can be represented."""
        return self.dtype.kind in "ifc"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    def __repr__(self) -> str:
        return f"autodiff.{self._name}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dtype):
            return self is other
        try:
            return other is not None and self.dtype == np.dtype(other)  # type: ignore[call-overload]
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __reduce__(self) -> str:
        return "bool_" if self._name == "bool" else self._name  # pickled by name in this module


float16, float32, float64 = dtype("float16"), dtype("float32"), dtype("float64")
uint8, int8, int16, int32, int64 = (dtype(n) for n in ("uint8", "int8", "int16", "int32", "int64"))
bool_ = dtype("bool")

_BY_NUMPY: dict[np.dtype, dtype] = {
    d.dtype: d for d in (float16, float32, float64, uint8, int8, int16, int32, int64, bool_)
}
_PYTHON = {bool: bool_.dtype, int: int64.dtype}  # and float is the default dtype
_default = float32


def of(numpy_dtype: np.dtype) -> dtype:
    """The dtype that stands for `numpy_dtype`. Raises: TypeError if there is none."""
    try:
        return _BY_NUMPY[numpy_dtype]
    except KeyError:
        supported = ", ".join(d._name for d in _BY_NUMPY.values())
        raise TypeError(f"Tensors hold {supported}; got {numpy_dtype}") from None


def as_numpy(spelling: Any) -> np.dtype:
    """The NumPy dtype of a dtype, a NumPy dtype, or a Python type: float is float64, int int64.

    Raises: TypeError if it names no supported dtype.
    """
    if isinstance(spelling, dtype):
        return spelling.dtype
    try:
        return of(np.dtype(spelling)).dtype
    except TypeError:
        raise TypeError(f"dtype must be a dtype such as float32, got {spelling!r}") from None


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats; float32 unless set."""
    return _default


def set_default_dtype(d: dtype, /) -> None:
    """Set the dtype of tensors made from Python floats. Raises: TypeError if `d` is no float."""
    global _default
    new = of(as_numpy(d))
    if not new.is_floating_point:
        raise TypeError(f"the default dtype must be a floating dtype, got {d}")
    _default = new
    versions.changes += 1


_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The dtype both convert to: a float wins over any integer, whatever their sizes."""
    if a == b:
        return a
    if a.kind == "f" != b.kind:
        return a
    if b.kind == "f" != a.kind:
        return b
    return np.promote_types(a, b)


def _merge(strong: np.dtype | None, weak: np.dtype | None) -> np.dtype | None:
    """`weak` raises `strong` only if it is of a higher category (bool < integer < float)."""
    if strong is None or weak is None:
        return strong if weak is None else weak
    if _CATEGORY[weak.kind] > _CATEGORY[strong.kind]:
        return promote_types(strong, weak) if strong.kind == "b" else weak
    return strong


def result_type(*operands: Any) -> np.dtype:
    """PyTorch's result dtype of arrays, 0-d arrays and Python numbers in one operation.

    Arrays with axes decide; 0-d arrays, then Python numbers, matter only if they are of a higher
    category: a float32 array times a float64 scalar stays float32.
    """
    ranks: list[np.dtype | None] = [None, None, None]
    for x in operands:
        if hasattr(x, "dtype") and not isinstance(x, (dtype, type)):
            rank, d = (0 if x.ndim else 1), x.dtype
        elif isinstance(x, (bool, int, float)):
            rank, d = 2, _PYTHON.get(type(x), _default.dtype)
        else:
            raise TypeError(f"expected a Tensor, an array or a number, got {type(x).__name__}")
        before = ranks[rank]
        ranks[rank] = d if before is None else promote_types(before, d)
    result = _merge(_merge(ranks[0], ranks[1]), ranks[2])
    assert result is not None
    return result


def promote(operands: list, how: str, operation: str) -> list:
    """`operands`, Python numbers too, in one dtype, as a Primitive's `promote` says.

    Raises: RuntimeError if `how` is "match" and the dtypes differ, or "signed" and one is bool.
    """
    target = result_type(*operands)
    if how == "signed" and any(
        getattr(x, "dtype", np.dtype(type(x))).kind == "b" for x in operands
    ):
        raise RuntimeError(
            f"{operation}: bools have no sign; use ~x, x ^ y, or convert with .int()"
        )
    if how == "number" and target.kind == "b":
        target = int64.dtype
    if how == "match":
        given = [str(x.dtype) for x in operands if hasattr(x, "dtype")]
        if len(set(given)) > 1:
            raise RuntimeError(
                f"{operation}: expected arguments of one dtype, got {' and '.join(given)}; "
                "convert with .to(dtype)"
            )
        return operands
    if how == "float" and target.kind != "f":
        target = _default.dtype
    return [_converted(x, target) for x in operands]


def _converted(x: Any, target: np.dtype) -> Any:
    """An array or a Python number in `target`; an integer that does not fit wraps around."""
    if hasattr(x, "dtype"):
        return x if x.dtype == target else x.astype(target)
    return target.type(x) if target.kind == "f" else np.array(x).astype(target)[()]


def can_cast(source: np.dtype, target: np.dtype) -> bool:
    """Whether a result may be written into `target`: not a float into integers, not into bool."""
    return _CATEGORY[source.kind] <= _CATEGORY[target.kind]


class finfo:
    """The limits of a floating dtype, as Python floats. Raises: TypeError for another dtype.

    >>> finfo(float32).eps == 2.0**-23
    True
    """

    def __init__(self, type: Any = None) -> None:
        d = _default.dtype if type is None else as_numpy(type)
        if d.kind != "f":
            raise TypeError(f"finfo describes floating dtypes, got {d}; use iinfo for integers")
        limits = np.finfo(d)
        self.dtype, self.bits = d.name, limits.bits
        self.min, self.max, self.eps = float(limits.min), float(limits.max), float(limits.eps)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = 10.0**-limits.precision

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        numbers = ", ".join(f"{name}={getattr(self, name):g}" for name in names)
        return f"finfo({numbers}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer dtype. Raises: TypeError for another dtype."""

    def __init__(self, type: Any) -> None:
        d = as_numpy(type)
        if d.kind not in "iu":
            raise TypeError(f"iinfo describes integer dtypes, got {d}; use finfo for floats")
        limits = np.iinfo(d)
        self.dtype, self.bits = d.name, limits.bits
        self.min, self.max = int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
