"""What NumPy's functions mean on Tensors, where more than an operation's name is translated.

The parameters are NumPy's, those not listed are refused; values, axes and defaults are NumPy's, and
dtypes are those of the functions that do the work: integers become the default float, not float64.
As in PyTorch, np.unique takes each nan for different from the others.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autodiff import dtypes, indexing
from autodiff.composed import (
    creation,
    decompositions,
    elementwise,
    linalg,
    norms,
    properties,
    reduction,
    selection,
    shape,
)
from autodiff.composed.conversion import to
from autodiff.families import NUMPY
from autodiff.ops import linalg as linalg_ops
from autodiff.ops import reduce
from autodiff.ops import shape as shape_ops
from autodiff.ops.index import repeat, take_along_axis
from autodiff.tensor import Tensor

_tensor = creation.as_tensor


def _tensors(xs: Sequence[Any]) -> list[Tensor]:
    return [_tensor(x) for x in xs]


def _compared(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both in the dtype of an operation on them."""
    a, b = (x if isinstance(x, (bool, int, float)) else _tensor(x) for x in (a, b))
    dtype = properties.result_type(a, b)
    return _tensor(a, dtype=dtype), _tensor(b, dtype=dtype)


def _floats(a: Any, dtype: Any = None) -> Tensor:
    """`a` in `dtype`, by default as floats."""
    a = _tensor(a)
    if dtype is None and a.dtype.is_floating_point:
        return a
    return to(a, dtype=dtypes.get_default_dtype() if dtype is None else dtype)


def _clip(a: Tensor, low: Any, high: Any) -> Tensor:
    low, high = (_tensor(x) if isinstance(x, np.ndarray) else x for x in (low, high))
    if low is not None:  # one by one: clamp() takes two numbers or two Tensors
        a = elementwise.clamp(a, low)
    return a if high is None else elementwise.clamp(a, None, high)


def _numbers(xs: Any) -> Any:
    """A number, or a list of them as a tuple."""
    return tuple(xs) if isinstance(xs, (list, tuple)) else xs


def _vector(a: Tensor, axis: int | None) -> tuple[Tensor, int]:
    """`a` and an axis; all of it as a vector if that is None."""
    return (shape.ravel(a), 0) if axis is None else (a, axis)


def _whole(operation: Any, a: Any, axis: Any, dtype: Any, **params: Any) -> Tensor:
    return reduction.in_dtype(operation, _tensor(a), dtype, {"axis": axis, **params})


# Reductions, scans, order


def _var(
    operation: Any, a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, correction: Any
) -> Tensor:
    ddof = ddof if correction is None else correction
    return operation(_floats(a, dtype), axis=axis, ddof=ddof, keepdims=keepdims)


def _quantile(a: Any, q: Any, axis: Any, method: str, keepdims: bool, whole: float = 1.0) -> Tensor:
    if isinstance(axis, (tuple, list)):
        raise TypeError(f"quantiles over axis={axis} are not provided for Tensors; use one, or all")
    a = _floats(a)
    q = (q if isinstance(q, float) else _tensor(q, dtype=a.dtype)) / whole
    return reduction.quantile(a, q, axis, keepdims, interpolation=method)


def _scan(operation: Any, a: Any, axis: int | None, dtype: Any) -> Tensor:
    a, axis = _vector(_tensor(a), axis)
    return _whole(operation, a, axis, dtype)


def _diff(a: Tensor, n: int, axis: int, prepend: Any, append: Any) -> Tensor:
    axis = normalize_axis_index(axis, a.ndim)

    def edge(x: Any) -> Any:
        if x is None:
            return x
        lengths = [1 if i == axis else length for i, length in enumerate(a.shape)]
        x = _tensor(x)
        return x if x.ndim else shape.expand(x, lengths)

    return reduction.diff(a, n, axis, edge(prepend), edge(append))


def _sort(a: Tensor, axis: int | None) -> Tensor:
    return selection.sort(*_vector(a, axis)).values


def _unique(ar: Tensor, return_inverse: bool, return_counts: bool, axis: int | None) -> Any:
    return selection.unique(
        ar, return_inverse=return_inverse, return_counts=return_counts, dim=axis
    )


# Shapes


def _concatenate(arrays: Any, axis: int | None, dtype: Any) -> Tensor:
    if axis is None:
        arrays, axis = [shape.ravel(_tensor(x)) for x in arrays], 0
    result = shape_ops.concatenate(*arrays, axis=axis)
    return result if dtype is None else to(result, dtype=dtype)


def _at_least(count: int) -> Callable[..., Any]:
    """np.atleast_1d and so on."""

    def at_least(*arys: Any) -> Any:
        found = []
        for x in _tensors(arys):
            while x.ndim < count:  # NumPy makes of (n,) a (1, n) and a (1, n, 1)
                x = shape.unsqueeze(x, 2 if count == 3 and x.ndim == 2 else 0)
            found.append(x)
        return found[0] if len(found) == 1 else tuple(found)

    return at_least


def _stacked(least: Callable, arrays: Any, axis: int) -> Tensor:
    return _concatenate([least(x) for x in arrays], axis, None)


def _split(ary: Tensor, indices_or_sections: Any, axis: int, even: bool = True) -> list[Tensor]:
    one = isinstance(indices_or_sections, (int, np.integer))
    parts = int(indices_or_sections) if one else list(indices_or_sections)
    if one and even and ary.shape[axis] % parts:
        raise ValueError(f"split: {ary.shape[axis]} elements do not make {parts} equal parts")
    return list(shape.tensor_split(ary, parts, axis))


def _pad(array: Tensor, pad_width: Any, mode: str, constant_values: Any) -> Tensor:
    if isinstance(pad_width, dict):
        raise TypeError(
            "numpy.pad with a dict as pad_width is not provided for Tensors; use pairs, one an axis"
        )
    widths = [tuple(map(int, w)) for w in np.broadcast_to(pad_width, (array.ndim, 2))]
    if mode == "constant":
        return shape_ops.pad(array, pad_width=tuple(widths), constant=constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise TypeError(
            f"numpy.pad with mode={mode!r} is not provided for Tensors; "
            "use constant, edge, reflect, symmetric or wrap"
        )
    for axis, width in enumerate(widths):
        places: np.ndarray = np.pad(np.arange(array.shape[axis]), width, mode)  # type: ignore[call-overload]
        array = selection.index_select(array, axis, _tensor(places))
    return array


def _take(a: Tensor, indices: Any, axis: int | None) -> Tensor:
    a, axis = _vector(a, axis)
    where = indices if isinstance(indices, (int, Tensor)) else np.asarray(indices)
    return indexing.read(a, (slice(None),) * normalize_axis_index(axis, a.ndim) + (where,))


def _like(filled: Callable, a: Tensor, dtype: Any, lengths: Any, *value: Any) -> Tensor:
    lengths = a.shape if lengths is None else lengths
    return filled(lengths, *value, dtype=a.dtype if dtype is None else dtype)


def _meshgrid(*xi: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    return shape.meshgrid(*_tensors(xi), indexing=indexing)


# Products


def _trace(a: Tensor, offset: int, axis1: int, axis2: int, dtype: Any) -> Tensor:
    diagonal = shape_ops.diagonal(a, offset=offset, axis1=axis1, axis2=axis2)
    return _whole(reduce.sum, diagonal, -1, dtype)


def _flat(x: Any) -> Tensor:
    return shape.ravel(_tensor(x))


def _einsum(*operands: Any, optimize: Any = False) -> Tensor:
    if isinstance(operands[0], str):
        return linalg_ops.einsum(*operands[1:], subscripts=operands[0])
    return linalg.einsum(*operands)


TRANSLATED: dict[Any, Callable] = {
    # Elementwise
    np.allclose: lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: elementwise.allclose(
        *_compared(a, b), rtol, atol, equal_nan
    ),
    np.array_equal: lambda a1, a2: elementwise.equal(_tensor(a1), _tensor(a2)),
    np.clip: lambda a, a_min=None, a_max=None, min=None, max=None: _clip(
        _tensor(a), a_min if min is None else min, a_max if max is None else max
    ),
    np.fix: elementwise.trunc,
    np.isclose: lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: elementwise.isclose(
        *_compared(a, b), rtol, atol, equal_nan
    ),
    np.isneginf: elementwise.isneginf,
    np.isposinf: elementwise.isposinf,
    np.nan_to_num: lambda x, nan=0.0, posinf=None, neginf=None: elementwise.nan_to_num(
        x, nan, posinf, neginf
    ),
    np.round: lambda a, decimals=0: elementwise.round(a, decimals=decimals),
    np.degrees: elementwise.rad2deg,
    np.radians: elementwise.deg2rad,
    np.divmod: lambda x1, x2: (x1 // x2, x1 % x2),
    np.fabs: lambda x: elementwise.abs(_floats(x)),
    np.float_power: elementwise.float_power,
    np.conjugate: elementwise.positive,
    # Reductions and scans
    np.sum: lambda a, axis=None, dtype=None, keepdims=False: _whole(
        reduce.sum, a, axis, dtype, keepdims=keepdims
    ),
    np.prod: lambda a, axis=None, dtype=None, keepdims=False: _whole(
        reduce.prod, a, axis, dtype, keepdims=keepdims
    ),
    np.mean: lambda a, axis=None, dtype=None, keepdims=False: reduce.mean(
        _floats(a, dtype), axis=axis, keepdims=keepdims
    ),
    np.var: lambda a, axis=None, dtype=None, ddof=0, keepdims=False, correction=None: _var(
        reduce.var, a, axis, dtype, ddof, keepdims, correction
    ),
    np.std: lambda a, axis=None, dtype=None, ddof=0, keepdims=False, correction=None: _var(
        reduce.std, a, axis, dtype, ddof, keepdims, correction
    ),
    np.nansum: lambda a, axis=None, dtype=None, keepdims=False: reduction.nansum(
        a, axis, keepdims, dtype=dtype
    ),
    np.nanmean: lambda a, axis=None, dtype=None, keepdims=False: reduction.nanmean(
        _floats(a, dtype), axis, keepdims
    ),
    np.median: lambda a, axis=None, keepdims=False: _quantile(a, 0.5, axis, "linear", keepdims),
    np.quantile: lambda a, q, axis=None, method="linear", keepdims=False: _quantile(
        a, q, axis, method, keepdims
    ),
    np.percentile: lambda a, q, axis=None, method="linear", keepdims=False: _quantile(
        a, q, axis, method, keepdims, 100.0
    ),
    np.cumsum: lambda a, axis=None, dtype=None: _scan(reduce.cumsum, a, axis, dtype),
    np.cumprod: lambda a, axis=None, dtype=None: _scan(reduce.cumprod, a, axis, dtype),
    np.maximum.accumulate: lambda array, axis=0: reduction.cummax(array, axis).values,
    np.minimum.accumulate: lambda array, axis=0: reduction.cummin(array, axis).values,
    np.logaddexp.reduce: lambda array, axis=0, keepdims=False: reduce.logsumexp(
        array, axis=axis, keepdims=keepdims
    ),
    np.diff: lambda a, n=1, axis=-1, prepend=None, append=None: _diff(
        _tensor(a), n, axis, prepend, append
    ),
    np.trapezoid: lambda y, x=None, dx=1.0, axis=-1: reduction.trapezoid(
        _tensor(y), None if x is None else _tensor(x), dx=dx if x is None else None, dim=axis
    ),
    # Order and selection
    np.sort: lambda a, axis=-1, kind=None, stable=None: _sort(a, axis),
    np.argsort: lambda a, axis=-1, kind=None, stable=None: selection.argsort(*_vector(a, axis)),
    np.isin: lambda element, test_elements, assume_unique=False, invert=False: selection.isin(
        _tensor(element), _tensor(test_elements), assume_unique=assume_unique, invert=invert
    ),
    np.unique: lambda ar, return_inverse=False, return_counts=False, axis=None: _unique(
        ar, return_inverse, return_counts, axis
    ),
    np.searchsorted: lambda a, v, side="left", sorter=None: selection.searchsorted(
        _tensor(a), _tensor(v), side=side, sorter=sorter
    ),
    np.nonzero: lambda a: selection.nonzero(a, as_tuple=True),
    np.flatnonzero: lambda a: selection.nonzero(shape.ravel(a), as_tuple=True)[0],
    np.extract: lambda condition, arr: selection.masked_select(
        _flat(arr), elementwise.ne(_flat(condition), 0)
    ),
    np.take: lambda a, indices, axis=None: _take(a, indices, axis),
    np.take_along_axis: lambda arr, indices, axis=-1: (
        take_along_axis(_flat(arr), _tensor(indices), 0)
        if axis is None
        else take_along_axis(_tensor(arr), _tensor(indices), axis)
    ),
    np.diag: lambda v, k=0: selection.diag(v, k),
    np.diagflat: lambda v, k=0: selection.diag(shape.ravel(v), k),
    # Shapes
    np.shape: lambda a: tuple(a.shape),
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
    np.reshape: lambda a, shape=None, newshape=None: shape_ops.reshape(  # NumPy 2.0 has newshape
        a, shape=_numbers(newshape if shape is None else shape)
    ),
    np.concatenate: lambda arrays, axis=0, dtype=None: _concatenate(arrays, axis, dtype),
    np.append: lambda arr, values, axis=None: _concatenate(_tensors((arr, values)), axis, None),
    np.atleast_1d: _at_least(1),
    np.atleast_2d: _at_least(2),
    np.atleast_3d: _at_least(3),
    np.hstack: lambda tup: shape.hstack(_tensors(tup)),
    np.vstack: lambda tup: shape.vstack(_tensors(tup)),
    np.dstack: lambda tup: _stacked(_at_least(3), tup, 2),
    np.column_stack: lambda tup: _stacked(
        lambda x: shape.reshape(_tensor(x), -1, 1) if _tensor(x).ndim < 2 else x, tup, 1
    ),
    np.split: lambda ary, indices_or_sections, axis=0: _split(ary, indices_or_sections, axis),
    np.array_split: lambda ary, indices_or_sections, axis=0: _split(
        ary, indices_or_sections, axis, even=False
    ),
    np.hsplit: lambda ary, indices_or_sections: _split(
        ary, indices_or_sections, 1 if ary.ndim > 1 else 0
    ),
    np.vsplit: lambda ary, indices_or_sections: _split(ary, indices_or_sections, 0),
    np.dsplit: lambda ary, indices_or_sections: _split(ary, indices_or_sections, 2),
    np.broadcast_arrays: lambda *args: shape.broadcast_tensors(*_tensors(args)),
    np.meshgrid: _meshgrid,
    np.pad: lambda array, pad_width, mode="constant", constant_values=0: _pad(
        array, pad_width, mode, constant_values
    ),
    np.repeat: lambda a, repeats, axis=None: repeat(
        _vector(_tensor(a), axis)[0], _tensor(repeats), axis=0 if axis is None else axis
    ),
    np.tile: lambda A, reps: shape.tile(A, reps),
    np.roll: lambda a, shift, axis=None: shape_ops.roll(
        a, shift=_numbers(shift), axis=_numbers(axis)
    ),
    np.fliplr: shape.fliplr,
    np.flipud: shape.flipud,
    np.rot90: lambda m, k=1, axes=(0, 1): shape.rot90(m, k, axes),
    np.copy: shape.clone,
    # Filled
    np.empty_like: lambda prototype, dtype=None, shape=None: _like(
        creation.empty, prototype, dtype, shape
    ),
    np.zeros_like: lambda a, dtype=None, shape=None: _like(creation.zeros, a, dtype, shape),
    np.ones_like: lambda a, dtype=None, shape=None: _like(creation.ones, a, dtype, shape),
    np.full_like: lambda a, fill_value, dtype=None, shape=None: _like(
        creation.full, a, dtype, shape, fill_value
    ),
    # Products
    np.cross: lambda a, b, axis=None: linalg.linalg_cross(
        _tensor(a), _tensor(b), dim=-1 if axis is None else axis
    ),
    np.einsum: _einsum,
    np.inner: lambda a, b: linalg.inner(_tensor(a), _tensor(b)),
    np.kron: lambda a, b: linalg.kron(_tensor(a), _tensor(b)),
    np.outer: lambda a, b: linalg.outer(_flat(a), _flat(b)),
    np.tensordot: lambda a, b, axes=2: linalg.tensordot(_tensor(a), _tensor(b), axes),
    np.trace: lambda a, offset=0, axis1=0, axis2=1, dtype=None: _trace(
        a, offset, axis1, axis2, dtype
    ),
    np.vdot: lambda a, b: linalg.dot(_flat(a), _flat(b)),
    np.vecdot: lambda x1, x2: linalg.vecdot(_tensor(x1), _tensor(x2)),
    np.linalg.vecdot: lambda x1, x2, axis=-1: linalg.vecdot(_tensor(x1), _tensor(x2), dim=axis),
    np.linalg.cross: lambda x1, x2, axis=-1: linalg.linalg_cross(
        _tensor(x1), _tensor(x2), dim=axis
    ),
    np.linalg.matmul: linalg_ops.matmul,
    np.linalg.multi_dot: lambda arrays: linalg.multi_dot(_tensors(arrays)),
    np.linalg.norm: lambda x, ord=None, axis=None, keepdims=False: norms.linalg_norm(
        _floats(x), ord, axis, keepdims
    ),
    np.linalg.outer: lambda x1, x2: linalg.outer(_tensor(x1), _tensor(x2)),
    np.linalg.trace: lambda x, offset=0, dtype=None: _trace(x, offset, -2, -1, dtype),
    np.linalg.lstsq: lambda a, b, rcond=None: tuple(
        decompositions.lstsq(_tensor(a), _tensor(b), rcond, driver="gelsd")
    ),
    np.linalg.tensordot: lambda x1, x2, axes=2: linalg.tensordot(_tensor(x1), _tensor(x2), axes),
    np.matrix_transpose: shape.mT,
    np.linalg.vector_norm: lambda x, axis=None, keepdims=False, ord=2: reduction.vector_norm(
        _floats(x), ord, axis, keepdims
    ),
}
"""Functions of Tensors by the functions of NumPy that they stand for."""

TRANSLATED |= {
    np.amax: reduce.amax,
    np.amin: reduce.amin,
    np.around: TRANSLATED[np.round],
    np.deg2rad: TRANSLATED[np.radians],
    np.rad2deg: TRANSLATED[np.degrees],
    np.linalg.matrix_transpose: TRANSLATED[np.matrix_transpose],
}

_NEWER: dict[str, Callable] = {  # than NumPy 2.0
    "cumulative_prod": lambda x, axis=None, dtype=None: _scan(reduce.cumprod, x, axis, dtype),
    "cumulative_sum": lambda x, axis=None, dtype=None: _scan(reduce.cumsum, x, axis, dtype),
    "unique_values": selection.unique,
    "unstack": lambda x, axis=0: shape.unbind(x, axis),
}
TRANSLATED |= {getattr(np, name): f for name, f in _NEWER.items() if hasattr(np, name)}

NUMPY.update(TRANSLATED)
