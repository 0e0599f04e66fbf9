"""The complex step: derivatives of NumPy code from one run on numbers with an imaginary part.

Im f(x + ihd) / h is the derivative of f along d to the last digits, for nothing is subtracted and h
is so small that its square vanishes. f must be analytic between its branches, which the real parts
choose: what is not, or is at a tie, raises NotAnalyticError.

Source: Squire & Trapp 1998, SIAM Review 40(1), 110-112.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from autodiff import trees

_COMPLEX = {np.dtype(np.float32): np.dtype(np.complex64)}
_STEPS = {np.dtype(np.complex64): 1e-20, np.dtype(np.complex128): 1e-100}

_ORDERED = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}
_CONSTANT = {np.floor, np.ceil, np.trunc, np.rint, np.sign}
_OF_VALUES = {np.isfinite, np.isnan, np.isinf, np.signbit, np.logical_not}
_CONJUGATING = {
    np.conjugate,
    np.vdot,
    np.linalg.cholesky,
    np.linalg.eig,
    np.linalg.lstsq,
    np.linalg.pinv,
    np.linalg.qr,
    np.linalg.slogdet,
    np.linalg.svd,
    np.linalg.vecdot,
    np.vecdot,
}
_CREATING = {np.zeros, np.ones, np.empty, np.full, np.eye, np.arange}
_PARTS = {"real", "imag", "conj", "conjugate", "view", "item", "tolist", "tobytes", "data"}


class NotAnalyticError(TypeError):
    """The complex step does not go through this function, or not at this point."""


class Stepped(NDArrayOperatorsMixin):
    """An array of real numbers, each with an infinitesimal part, in NumPy's protocols.

    numbers: complex, the infinitesimal parts being the imaginary ones. It tells the dtype of the
    real parts, so that a Tensor can have it as its storage.
    """

    __slots__ = ("numbers",)

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    @property
    def dtype(self) -> np.dtype:
        """That of the real parts."""
        return self.numbers.real.dtype

    @property
    def itemsize(self) -> int:
        """Bytes of a real part."""
        return self.dtype.itemsize

    @property
    def base(self) -> Any:
        """The array that owns the memory: versions are counted there."""
        base = self.numbers
        while isinstance(base.base, np.ndarray):
            base = base.base
        return base

    def astype(self, dtype: Any, **options: Any) -> Any:
        """In another dtype; the infinitesimal parts are lost in one that is not of floats."""
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            return self.numbers.real.astype(dtype, **options)
        return Stepped(self.numbers.astype(_complex(dtype), **options))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc in _ORDERED | _OF_VALUES | _CONSTANT:
            reals = [x.numbers.real if isinstance(x, Stepped) else x for x in inputs]
            result = getattr(ufunc, method)(*reals, **options)
            if ufunc in _ORDERED:
                _refuse_ties(reals[0] == reals[1], inputs)
            elif ufunc in _CONSTANT:
                _refuse_ties(reals[0] == (0 if ufunc is np.sign else result), inputs)
            return result
        if ufunc is np.absolute and method == "__call__":
            (z,) = _bare(inputs)
            _refuse_ties(z.real == 0, inputs)
            return Stepped(np.where(z.real < 0, -z, z))
        if ufunc in (np.maximum, np.minimum, np.fmax, np.fmin) and method == "__call__":
            x, y = _bare(inputs)
            _refuse_ties(np.real(x) == np.real(y), inputs)
        return _called(getattr(ufunc, method), ufunc, inputs, options)

    def __array_function__(self, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        if func in _CREATING:
            constant = func(*_bare(args), **_bare(kwargs))
            return (
                constant
                if constant.dtype.kind != "f"
                else Stepped(constant.astype(_complex(constant.dtype)))
            )
        return _called(func, func, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise NotAnalyticError("the values were taken out of NumPy's protocols")

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: Any) -> Any:
        return _wrapped(self.numbers[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.numbers[key] = value.numbers if isinstance(value, Stepped) else value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in _PARTS:
            raise NotAnalyticError(f"{name} has no meaning for numbers with an infinitesimal part")
        found = getattr(self.numbers, name)
        if not callable(found):
            return _wrapped(found)
        return lambda *args, **kwargs: _called(found, None, args, kwargs)


def still(array: np.ndarray) -> Stepped:
    """An array that does not move."""
    return Stepped(array.astype(_complex(array.dtype)))


def derivative(
    value: Callable[[Sequence[Any]], Any],
    arrays: Sequence[np.ndarray],
    i: int,
    direction: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """value(arrays), and its derivative as array `i` moves along the direction.

    Raises: NotAnalyticError, or whatever NumPy raises for complex numbers it has no function of.
    """
    moved = [still(a) for a in arrays]
    step = _STEPS[moved[i].numbers.dtype]
    moved[i].numbers.imag = step * direction
    with np.errstate(all="ignore"):
        result = value(moved)
    if not isinstance(result, Stepped):
        return np.asarray(result), np.zeros(np.shape(result))
    return result.numbers.real.astype(np.float64), result.numbers.imag.astype(np.float64) / step


def _complex(dtype: np.dtype) -> np.dtype:
    return _COMPLEX.get(dtype, np.dtype(np.complex128))


def _bare(tree: Any) -> Any:
    return trees.mapped(lambda x: x.numbers if isinstance(x, Stepped) else x, tree)


def _wrapped(result: Any) -> Any:
    if isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind == "c":
        return Stepped(np.asarray(result))
    return result


def _called(function: Callable, meaning: Any, args: Any, kwargs: dict) -> Any:
    """function of the complex numbers, if it is analytic."""
    if meaning in _CONJUGATING:
        raise NotAnalyticError(f"{meaning.__name__} is not analytic")
    options = _bare(kwargs)
    wanted = options.get("dtype")
    if wanted is not None and np.dtype(wanted).kind == "f":
        options["dtype"] = _complex(np.dtype(wanted))
    result = function(*_bare(tuple(args)), **options)
    for part in trees.leaves(result):
        if isinstance(part, (np.ndarray, np.generic)) and part.dtype.kind == "f":
            raise NotAnalyticError(f"{function.__name__} drops the infinitesimal parts")
    if kwargs.get("out") is not None:
        return trees.leaves(kwargs["out"])[0]
    return trees.mapped(_wrapped, result)


def _refuse_ties(ties: Any, inputs: Sequence[Any]) -> None:
    """Where equal numbers move apart the branch is not known."""
    parts = [x.numbers.imag if isinstance(x, Stepped) else 0.0 for x in inputs]
    apart = parts[0] - parts[1] if len(parts) == 2 else parts[0]
    if np.any(ties & (apart != 0)):
        raise NotAnalyticError("two numbers that are compared are equal")
