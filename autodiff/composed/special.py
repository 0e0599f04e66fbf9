"""Error functions, the gamma function's logarithm and its derivatives, x log y."""

import numpy as np

from autodiff import dtypes
from autodiff.composed.elementwise import of_one
from autodiff.ops import special as ops
from autodiff.tensor import Tensor, apply

__all__ = ("digamma", "erf", "erfc", "erfinv", "lgamma", "polygamma", "xlogy")
METHODS = tuple(name for name in __all__ if name != "polygamma")
IN_PLACE = METHODS


erf = of_one(ops.erf, "The error function: 2/√π times the integral of exp(-t²) from 0 to x.")
erfc = of_one(ops.erfc, "1 - erf(x), with all its digits where erf(x) is close to 1.")
erfinv = of_one(ops.erfinv, "The number whose erf is x; infinite at -1 and 1, nan beyond.")
lgamma = of_one(ops.lgamma, "The logarithm of |Γ(x)|; infinite at 0 and the negative integers.")
digamma = of_one(
    ops.digamma, "The derivative of lgamma; -∞ at 0, ∞ at -0, nan at the negative integers."
)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma; infinite at 0 and the negative integers (n > 0).

    Exact to n + 5 units in the last place, where PyTorch's polygamma(1, x) has nine digits.

    Raises: TypeError for an n that is no integer, RuntimeError for a negative one.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"polygamma: n, the order, must be an int, got {type(n).__name__}")
    if n < 0:
        raise RuntimeError(f"polygamma: n, the order, must not be negative, got {n}")
    if n == 0:
        return digamma(input)
    if not isinstance(input, Tensor):
        raise TypeError(f"polygamma: input must be a Tensor, got {type(input).__name__}")
    return apply(ops.polygamma, (input,), {"n": n})


def xlogy(input: Tensor | float, other: Tensor | float) -> Tensor:
    """input * log(other); 0 where input = 0, unless `other` is nan.

    The derivative by input is 0 where input = 0 >= other.

    Raises: TypeError if neither is a Tensor.
    """
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        given = f"{type(input).__name__} and {type(other).__name__}"
        raise TypeError(f"xlogy: input, other or both must be a Tensor, got {given}")
    args: list = [input, other]
    dtype = dtypes.result_type(*[getattr(x, "_array", x) for x in args])
    if dtype.kind == "f":
        args = [np.array(x, dtype) if isinstance(x, (float, int)) else x for x in args]
    return apply(ops.xlogy, args)
