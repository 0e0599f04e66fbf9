"""Reductions, scans and softmax, under PyTorch's names.

`dim` is one axis, several, or None for all; of a 0-d tensor it may be 0 or -1.
"""

import math
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.composed import elementwise
from autodiff.composed.conversion import to
from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.selection import ValuesAndIndices
from autodiff.composed.shape import array_of, axes_of, axis_of, cat, movedim, narrow, ravel, reshape
from autodiff.ops import reduce as ops
from autodiff.ops.index import gather
from autodiff.ops.order import argsort
from autodiff.primitive import Primitive
from autodiff.tensor import Tensor, apply, make, unary

__all__ = [
    "all",
    "amax",
    "amin",
    "aminmax",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_trapezoid",
    "diff",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "nanmean",
    "nanmedian",
    "nansum",
    "prod",
    "quantile",
    "softmax",
    "std",
    "std_mean",
    "sum",
    "trapezoid",
    "trapz",
    "var",
    "var_mean",
]
METHODS = tuple(
    name
    for name in __all__
    if name not in ("cumulative_trapezoid", "std_mean", "trapezoid", "trapz", "var_mean")
)
IN_PLACE = ("cumprod", "cumsum")

Dim = int | Sequence[int] | None
DType = dtypes.dtype | type | None


def _axis(input: Tensor, dim: Any) -> Any:
    """`dim` as NumPy's axis: None for all axes, one, or a tuple of them."""
    array = array_of(input)
    if dim is None or (dim.__class__ is int and array.ndim):
        return dim  # NumPy checks the range
    if isinstance(dim, (tuple, list)) and not dim:
        return None
    axes = axes_of(input, dim)
    return axes if array.ndim else None


def _one_axis(input: Tensor, dim: Any) -> int | None:
    """`dim`, which must be one axis, as NumPy's axis; None for a 0-d tensor."""
    axis = axis_of(input, dim)
    return axis if input._array.ndim else None


def _check_kind(
    input: Tensor, name: str, kinds: str, error: type[Exception] = RuntimeError
) -> None:
    """`kinds`: "f" for floats alone, "fiu" for integers too."""
    if array_of(input).dtype.kind not in kinds:
        what = "floats" if kinds == "f" else "numbers"
        raise error(
            f"{name} is of {what}, got {input.dtype}; convert first, with .float() or .int()"
        )


def _check_not_empty(input: Tensor, axis: Any, name: str) -> None:
    """Raises: IndexError if there is an axis to reduce that has no elements."""
    shape = input._array.shape
    if 0 in shape and axis is not None:
        for a in axis if isinstance(axis, tuple) else (axis,):
            if -len(shape) <= a < len(shape) and not shape[a]:
                raise IndexError(
                    f"{name} over dim {a}, which is empty, of a tensor of shape {shape}"
                )


def _named(function: Callable, name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return numpy_names(function)


def _result(name: str) -> type[ValuesAndIndices]:
    """The class of a function's result: a named tuple called as the function."""
    return type(name, (ValuesAndIndices,), {"__slots__": ()})


# Sums, products and their scans


def in_dtype(operation: Primitive, input: Tensor, dtype: DType, params: dict[str, Any]) -> Tensor:
    """`operation` computed in `dtype`; by default integers and bools in int64."""
    if dtype is not None:
        input = to(input, dtype=dtype)
    if input._array.dtype.kind != "f":
        params["dtype"] = np.dtype(np.int64) if dtype is None else input._array.dtype
    return apply(operation, (input,), params)


_sum, _mean = unary(ops.sum), unary(ops.mean)  # over all axes: 1 us less than apply


@numpy_names
def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None) -> Tensor:
    """The sum over `dim`, computed in `dtype`; of integers and bools in int64."""
    if dim is None and not keepdim and dtype is None and array_of(input).dtype.kind == "f":
        return _sum(input)
    return in_dtype(ops.sum, input, dtype, {"axis": _axis(input, dim), "keepdims": keepdim})


@numpy_names
def nansum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None) -> Tensor:
    """The sum over `dim` of what is not nan."""
    numbers = elementwise.where(elementwise.isnan(input), 0, input)
    return sum(numbers, dim, keepdim, dtype=dtype)


@numpy_names
def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None) -> Tensor:
    """The mean over `dim`, computed in `dtype`. Raises: RuntimeError for integers."""
    if dtype is not None:
        input = to(input, dtype=dtype)
    _check_kind(input, "mean", "f")
    if dim is None and not keepdim:
        return _mean(input)
    axis = _axis(input, dim)
    return apply(ops.mean, (input,), {"axis": axis, "keepdims": keepdim})


@numpy_names
def nanmean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """The mean over `dim` of what is not nan. Raises: RuntimeError for integers."""
    _check_kind(input, "nanmean", "f")
    return nansum(input, dim, keepdim, dtype=dtype) / sum(input == input, dim, keepdim)


@numpy_names
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """The product over one `dim`, or all; the gradient is right at zeros too."""
    axis = _axis(input, None) if dim is None and not keepdim else _one_axis(input, dim)
    return in_dtype(ops.prod, input, dtype, {"axis": axis, "keepdims": keepdim})


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: DType = None) -> Tensor:
    """The sums of the elements up to each one along `dim`."""
    axis = _one_axis(input, dim)
    return in_dtype(ops.sum if axis is None else ops.cumsum, input, dtype, {"axis": axis})


@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: DType = None) -> Tensor:
    """The products of the elements up to each one along `dim`; as `prod` right at zeros."""
    axis = _one_axis(input, dim)
    return in_dtype(ops.prod if axis is None else ops.cumprod, input, dtype, {"axis": axis})


@numpy_names
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences of neighbours along `dim`; of bools, whether they differ.

    Raises: RuntimeError for n < 0 or a 0-d tensor.
    """
    axis = axis_of(input, dim)
    if n < 0 or not input._array.ndim:
        raise RuntimeError(f"diff needs an axis and n >= 0, got n={n}, shape {tuple(input.shape)}")
    if prepend is not None or append is not None:
        input = cat([x for x in (prepend, input, append) if x is not None], axis)
    for length in range(input._array.shape[axis] - 1, -1, -1)[:n]:
        later, earlier = narrow(input, axis, 1, length), narrow(input, axis, 0, length)
        input = later != earlier if input._array.dtype.kind == "b" else later - earlier
    return input


def _trapezoids(y: Tensor, x: Tensor | None, dx: float | None, dim: int) -> Tensor:
    """The areas under the lines that join neighbours along `dim`."""
    axis, shape = axis_of(y, dim), array_of(y).shape
    _check_kind(y, "trapezoid", "fiu")
    if x is not None and dx is not None:
        raise TypeError("trapezoid takes either x or dx, not both")
    if not shape:
        raise IndexError("trapezoid needs an axis, got a 0-d tensor")
    n = shape[axis] - (shape[axis] > 0)
    heights = narrow(y, axis, 0, n) + narrow(y, axis, n and 1, n)
    if x is None:
        return heights * ((1 if dx is None else dx) / 2)
    if array_of(x).ndim != 1:
        return heights * diff(x, dim=axis - len(shape)) / 2
    if x._array.size != shape[axis]:
        raise RuntimeError(f"trapezoid: {x._array.size} places for {shape[axis]} values")
    widths = reshape(diff(x), [-1 if a == axis else 1 for a in range(len(shape))])
    return heights * widths / 2


def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The integral along `dim` by the trapezoidal rule, of values at `x` or `dx` (1) apart."""
    return sum(_trapezoids(y, x, dx, dim), dim)


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The integrals up to each value along `dim` but the first; see `trapezoid`."""
    return cumsum(_trapezoids(y, x, dx, dim), dim)


trapz = trapezoid

# Counts and truth


@numpy_names
def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """How many elements over `dim` are not zero."""
    return apply(ops.count_nonzero, (input,), {"axis": _axis(input, dim)})


def _truth(operation: Primitive, doc: str) -> Callable[..., Tensor]:
    def truth(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
        axis = _axis(input, dim)
        if isinstance(dim, (tuple, list)) and not dim:
            axis = ()  # here no axes are none
        result = apply(operation, (input,), {"axis": axis, "keepdims": keepdim})
        return to(result, dtypes.uint8) if input._array.dtype == np.uint8 else result

    return _named(truth, operation.name, doc)


any = _truth(ops.any, "Whether an element over `dim` is not zero: a bool, for uint8 a uint8.")
all = _truth(ops.all, "Whether no element over `dim` is zero: a bool, for uint8 a uint8.")

# Moments and norms


def _moment(operation: Primitive, doc: str) -> Callable[..., Tensor]:
    def moment(
        input: Tensor,
        dim: Dim | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Tensor:
        if isinstance(dim, bool):  # var(x, False)
            dim, unbiased = None, dim
        if unbiased is not None and correction is not None:
            raise TypeError(f"give {operation.name} either unbiased or correction, not both")
        axis = _axis(input, dim)
        _check_kind(input, operation.name, "f")
        if correction is None:
            correction = 1 if unbiased is None else int(unbiased)
        return apply(operation, (input,), {"axis": axis, "ddof": correction, "keepdims": keepdim})

    return _named(moment, operation.name, doc)


def _with_mean(moment: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    def both(
        input: Tensor,
        dim: Dim | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        first = moment(input, dim, unbiased, keepdim, correction=correction)
        return first, mean(input, None if isinstance(dim, bool) else dim, keepdim)

    return _named(both, f"{moment.__name__}_mean", f"`{moment.__name__}` and `mean`.")


var = _moment(
    ops.var, "The variance over `dim`: squared distances from the mean, over n - correction (1)."
)
std = _moment(ops.std, "The square root of `var`; the gradient is 0 where all elements are equal.")
var_mean, std_mean = _with_mean(var), _with_mean(std)


def vector_norm(
    x: Tensor, ord: float = 2, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """The norm of the elements over `dim` as one vector, (sum |x|^ord)^(1/ord).

    inf is the largest size, -inf the smallest, 0 the number of non-zeros. The gradient is 0 where
    the norm is; of ±inf, ties share it. Raises: RuntimeError for integers; TypeError for a name.
    """
    params = {"axis": _axis(x, dim), "keepdims": keepdim}
    _check_kind(x, "norm", "f")
    if not isinstance(ord, (float, int)):
        raise TypeError(f"the order of a vector's norm is a number, got {ord!r}")
    if dtype is not None:
        x = to(x, dtype=dtype)
    if ord == 0:
        return apply(ops.sum, (elementwise.abs(elementwise.sign(x)),), params)
    if ord == 1:
        return apply(ops.sum, (elementwise.abs(x),), params)
    if ord in (math.inf, -math.inf):
        return apply(ops.amax if ord > 0 else ops.amin, (elementwise.abs(x),), params)
    return apply(ops.vector_norm, (x,), {"ord": ord, **params})


# Extremes and where they stand


def _over(operation: Primitive, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    axis = _axis(input, dim)
    _check_not_empty(input, axis, operation.name)
    return apply(operation, (input,), {"axis": axis, "keepdims": keepdim})


def _picked(
    input: Tensor, dim: Any, keepdim: bool, position: Primitive, result: Any, **params: Any
) -> Any:
    """The elements along `dim` at the places that `position` finds, and these places."""
    axis = _one_axis(input, dim)
    if axis is None:
        return result(apply(ops.amax, (input,)), apply(ops.argmax, (input,)))
    _check_not_empty(input, axis, result.__name__)
    indices = apply(position, (input,), {"axis": axis, "keepdims": True, **params})
    values = apply(gather, (input, indices), {"axis": axis})
    if not keepdim:
        shape = input._array.shape[:axis] + input._array.shape[axis + 1 :]
        values, indices = reshape(values, shape), reshape(indices, shape)
    return result(values, indices)


def _extreme(
    name: str, pairwise: Callable, total: Primitive, position: Primitive, doc: str
) -> Callable[..., Any]:
    result = _result(name)

    def extreme(
        input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
    ) -> Any:
        if isinstance(dim, Tensor):
            other = dim
        if other is not None:
            if dim is not None and dim is not other:
                raise TypeError(f"{name}: give it dim or other, not both")
            return pairwise(input, other)
        if dim is None and not keepdim:
            return _over(total, input, None, False)
        return _picked(input, dim, keepdim, position, result)

    return _named(extreme, name, doc)


max = _extreme(
    "max",
    elementwise.maximum,
    ops.amax,
    ops.argmax,
    """The largest element; (values, indices) along `dim`; of two Tensors the larger elements.

    Of equals the first is taken along `dim`; else they share the gradient evenly. nan wins.
    Raises: RuntimeError, or IndexError with `dim`, if there is no element.
    """,
)
min = _extreme(
    "min",
    elementwise.minimum,
    ops.amin,
    ops.argmin,
    "The smallest element; (values, indices) along `dim`; or elementwise. As `max` otherwise.",
)


@numpy_names
def amax(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """The largest element over `dim`; equal ones share the gradient."""
    return _over(ops.amax, input, dim, keepdim)


@numpy_names
def amin(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """The smallest element over `dim`; equal ones share the gradient."""
    return _over(ops.amin, input, dim, keepdim)


_aminmax = namedtuple("aminmax", ("min", "max"))  # type: ignore[name-match]


@numpy_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """(min, max) over one `dim`, or all."""
    if dim is not None:
        axis_of(input, dim)
    return _aminmax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _position(operation: Primitive, doc: str) -> Callable[..., Tensor]:
    def position(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        _check_kind(input, operation.name, "fiu")
        axis = None if dim is None else _one_axis(input, dim)
        reduced = tuple(range(input._array.ndim)) if axis is None else axis
        _check_not_empty(input, reduced, operation.name)
        return apply(operation, (input,), {"axis": axis, "keepdims": keepdim})

    return _named(position, operation.name, doc)


argmax = _position(
    ops.argmax, "Where the largest element first stands along `dim`, or row by row; nan wins."
)
argmin = _position(
    ops.argmin, "Where the smallest element first stands along `dim`, or row by row; nan wins."
)


def _running(name: str, position: Primitive, doc: str) -> Callable[..., Any]:
    result = _result(name)

    def running(input: Tensor, dim: int) -> Any:
        axis = _one_axis(input, dim)
        if axis is None:
            return result(apply(ops.amax, (input,)), apply(ops.argmax, (input,)))
        indices = apply(position, (input,), {"axis": axis})
        return result(apply(gather, (input, indices), {"axis": axis}), indices)

    return _named(running, name, doc)


cummax = _running(
    "cummax",
    ops.cumargmax,
    "(values, indices) of the largest so far, of equals the last; nan wins.",
)
cummin = _running(
    "cummin",
    ops.cumargmin,
    "(values, indices) of the smallest so far, of equals the last; nan wins.",
)

# Order statistics


def _middle(name: str, ignore_nan: bool, doc: str) -> Callable[..., Any]:
    result = _result(name)

    def middle(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        _check_kind(input, name, "fiu", NotImplementedError)
        if dim is None and not keepdim:
            return apply(ops.median, (input,), {"ignore_nan": ignore_nan})
        return _picked(input, dim, keepdim, ops.argmedian, result, ignore_nan=ignore_nan)

    return _named(middle, name, doc)


median = _middle(
    "median", False, "The lower median of all, or (values, indices) along `dim`; nan if one is."
)
nanmedian = _middle(
    "nanmedian", True, "The lower median of what is not nan, or (values, indices) along `dim`."
)

_ROUNDED = {
    "linear": None,
    "midpoint": None,
    "lower": elementwise.floor,
    "higher": elementwise.ceil,
    "nearest": elementwise.round,
}


@numpy_names
def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The number that a share q of the elements over one `dim`, or all, does not exceed.

    Between two elements `interpolation` decides: linear, lower, higher, midpoint or nearest. It is
    nan where an element is. A vector q makes a new first axis.
    Raises: RuntimeError for integers, for no elements, or if q is not in [0, 1].
    """
    _check_kind(input, "quantile", "f")
    array = input._array
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile: q must be in [0, 1], got {q}")
        q = make(np.array(q, array.dtype))
    if q.ndim > 1 or q.dtype != input.dtype or not array.size or interpolation not in _ROUNDED:
        raise RuntimeError(
            f"quantile needs at least one element, q a number or a vector of {input.dtype}, and "
            f"interpolation one of {', '.join(_ROUNDED)}; got shape {array.shape}, q of "
            f"{q.dtype} and shape {tuple(q.shape)}, interpolation={interpolation!r}"
        )
    axis = axis_of(input, 0 if dim is None else dim)
    lines = ravel(input) if dim is None or not array.ndim else movedim(input, axis, -1)
    n, last = lines._array.shape[-1], {"axis": lines.ndim - 1}
    ordered = apply(gather, (lines, apply(argsort, (lines,), last)), last)  # nan comes last
    has_nan = any(elementwise.isnan(lines), -1, True)
    rank = elementwise.where(has_nan, n - 1.0, ravel(q) * (n - 1))

    def at(rank: Tensor) -> Tensor:
        return apply(gather, (ordered, to(rank, dtypes.int64)), last)

    if rounded := _ROUNDED[interpolation]:
        result = at(rounded(rank))
    else:
        low = elementwise.floor(rank)
        weight = rank - low if interpolation == "linear" else 0.5
        result = elementwise.lerp(at(low), at(elementwise.ceil(rank)), weight)
    stays = [dim is not None and a != axis for a in range(array.ndim)]
    shape = [n if stay else 1 for n, stay in zip(array.shape, stays) if stay or keepdim]
    return reshape(movedim(result, -1, 0), (*q._array.shape, *shape))


# Exponentials


@numpy_names
def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, computed so that nothing overflows."""
    if dim is None:
        raise TypeError("logsumexp: dim must be an integer or a tuple of integers, got None")
    return apply(ops.logsumexp, (input,), {"axis": _axis(input, dim), "keepdims": keepdim})


def _normalised(operation: Primitive, doc: str) -> Callable[..., Tensor]:
    def normalised(input: Tensor, dim: int, dtype: DType = None) -> Tensor:
        axis = _one_axis(input, dim)
        if dtype is not None:
            input = to(input, dtype=dtype)
        _check_kind(input, operation.name, "f", NotImplementedError)
        return apply(operation, (input,), {"axis": axis})

    return _named(normalised, operation.name, doc)


softmax = _normalised(
    ops.softmax, "exp(input) / sum(exp(input)) along `dim`, computed so that nothing overflows."
)
log_softmax = _normalised(
    ops.log_softmax, "The logarithm of softmax, computed without that of a small number."
)
