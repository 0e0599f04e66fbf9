"""NumPy's functions called on Tensors: bound to what they mean, or refused.

The arguments have NumPy's names and order. Those at their defaults are left out; another one that
the meaning does not take is refused by name, so that none is silently ignored.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff.families import NUMPY
from autodiff.primitive import Primitive


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """NumPy's protocol for its ufuncs: what one, or a method of it, means on Tensors.

    Raises: TypeError if that is not provided.
    """
    out = options.pop("out", None)
    if method == "outer" and ufunc in NUMPY:  # axes of length 1 in x for those of y
        x, y = inputs
        x = x if hasattr(x, "ndim") else np.asarray(x)
        method, inputs = "__call__", (x[(..., *[None] * getattr(y, "ndim", 0))], y)
    if method == "__call__":
        meaning = None if options else NUMPY.get(ufunc)
    else:
        meaning = NUMPY.get(getattr(ufunc, method))
        if method in ("reduce", "accumulate"):
            options.setdefault("axis", 0)
    if meaning is None or (
        options and not options.keys() <= set(getattr(meaning, "parameters", options))
    ):
        raise refusal(ufunc, method, options.keys() - {"axis"})
    result = meaning(*inputs, **options)
    if out is None:
        return result
    if len(out) != 1 or not isinstance(out[0], np.ndarray):
        raise TypeError(f"numpy.{ufunc.__name__}: out must be one array, not a Tensor")
    np.copyto(out[0], result.numpy(), casting="same_kind")  # array += tensor
    return out[0]


def array_function(
    self: Any, function: Callable, types: Any, args: tuple, options: dict[str, Any]
) -> Any:
    """NumPy's protocol for its other functions. Raises: TypeError if one is not provided."""
    meaning = NUMPY.get(function)
    if meaning is None:
        raise refusal(function)
    names, defaults, arrays, taken = _parameters(function, meaning)
    if arrays is not None:
        options = {**dict(zip(names[arrays:], args[arrays:], strict=False)), **options}
        args = args[:arrays]
        args += tuple([options.pop(name) for name in names[len(args) : arrays] if name in options])
    if not options.keys() <= taken:
        refused = [
            name
            for name in options.keys() - taken
            if not (options[name] is None or _is(options[name], defaults.get(name)))
        ]
        if refused:
            raise refusal(function, options=refused)
        options = {name: value for name, value in options.items() if name in taken}
    return meaning(*args, **options)


def _is(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, (str, bool)) and value == default)


@lru_cache(None)
def _parameters(
    function: Callable, meaning: Callable
) -> tuple[tuple[str, ...], dict[str, Any], int | None, set[str]]:
    """Names and defaults of NumPy's parameters; how many are given by position; names taken.

    All that is given by position stays so, None, for a meaning that takes any number of arrays, and
    for functions written in C, whose names are not known.
    """
    theirs: Any = inspect.unwrap(function)
    code: Any = getattr(theirs, "__code__", None)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()
    if isinstance(meaning, Primitive):
        arrays = None if meaning.variadic else len(meaning.arguments)
        taken = meaning.parameters
        names = names or (*meaning.arguments, *taken)
    else:
        own: Any = meaning.__code__
        renames = own.co_flags & inspect.CO_VARKEYWORDS  # see numpy_names
        taken = names if renames else own.co_varnames[: own.co_argcount + own.co_kwonlyargcount]
        arrays = None if own.co_flags & inspect.CO_VARARGS or not code else 1
    values = getattr(theirs, "__defaults__", None) or ()
    defaults = dict(zip(names[code.co_argcount - len(values) :], values)) if code else {}
    return names, defaults | (getattr(theirs, "__kwdefaults__", None) or {}), arrays, {*taken}


def refusal(function: Callable, method: str = "__call__", options: Iterable[str] = ()) -> TypeError:
    """That a function, a method of a ufunc, or an option is not provided, and what is."""
    name = function.__name__
    if (getattr(function, "__module__", None) or "numpy").startswith("numpy.linalg"):
        name = f"linalg.{name}"
    what = f"numpy.{name}" if method == "__call__" else f"numpy.{name}.{method}"
    how = f" with {', '.join(sorted(options))}" if options else ""
    nearest = "an operation of autodiff" if how else NEAREST.get(name, "an operation of autodiff")
    return TypeError(
        f"{what}{how} is not provided for Tensors; use {nearest}, "
        "or tensor.detach().numpy() if no gradient is needed"
    )


NEAREST = {
    name: nearest
    for nearest, names in {
        "autodiff.abs": "hypot copysign angle",
        "autodiff.amax": "nanmax",
        "autodiff.amin": "nanmin",
        "autodiff.aminmax": "ptp",
        "autodiff.argmax": "nanargmax",
        "autodiff.argmin": "nanargmin",
        "autodiff.argsort": "argpartition lexsort",
        "autodiff.bincount": "histogram histogram2d histogramdd histogram_bin_edges unique_counts",
        "autodiff.bitwise_and": "bitwise_count packbits unpackbits",
        "autodiff.bucketize": "digitize interp",
        "autodiff.can_cast": "can_cast",
        "autodiff.cat": "block insert",
        "autodiff.cumprod": "nancumprod",
        "autodiff.cumsum": "nancumsum",
        "autodiff.diff": "ediff1d gradient unwrap",
        "autodiff.equal": "array_equiv",
        "autodiff.exp2": "ldexp frexp",
        "autodiff.index_select": "compress delete trim_zeros",
        "autodiff.isfinite": "iscomplex isreal isnat",
        "autodiff.is_complex": "iscomplexobj isrealobj real imag real_if_close sort_complex",
        "autodiff.isin": "in1d intersect1d setdiff1d setxor1d union1d",
        "autodiff.linspace": "geomspace linspace logspace",
        "autodiff.logaddexp": "logaddexp2",
        "autodiff.matmul": "convolve correlate matvec vecmat poly polyadd polyder polydiv polyfit "
        "polyint polymul polysub polyval roots vander",
        "autodiff.movedim": "rollaxis",
        "autodiff.nanmean": "nanmedian nanpercentile nanquantile nanstd nanvar",
        "autodiff.nansum": "nanprod",
        "autodiff.pow": "cbrt",
        "autodiff.remainder": "gcd lcm modf unravel_index ravel_multi_index",
        "autodiff.result_type": "common_type min_scalar_type result_type",
        "autodiff.save": "save savetxt savez savez_compressed",
        "autodiff.set_printoptions": "array2string array_repr array_str datetime_as_string",
        "autodiff.sin": "sinc i0",
        "autodiff.sort": "partition",
        "autodiff.stack": "apply_along_axis apply_over_axes ix_ linalg.tensorinv "
        "linalg.tensorsolve",
        "autodiff.sum": "average einsum_path",
        "autodiff.Tensor.data_ptr": "may_share_memory shares_memory",
        "autodiff.Tensor.to": "require asfortranarray ascontiguousarray",
        "autodiff.Tensor.index_put_": "copyto fill_diagonal place put put_along_axis putmask",
        "autodiff.tile": "resize",
        "autodiff.tril_indices": "tril_indices_from",
        "autodiff.triu_indices": "triu_indices_from diag_indices_from",
        "autodiff.unique": "unique_all unique_inverse",
        "autodiff.var": "cov corrcoef",
        "autodiff.where": "choose piecewise select heaviside nextafter spacing",
        "autodiff.linalg.eigvalsh": "linalg.eig linalg.eigvals",
    }.items()
    for name in names.split()
}
"""What to use in place of NumPy's functions that are not provided."""
