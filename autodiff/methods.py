"""The methods and operators of Tensor that are operations, attached from `composed`."""

from typing import Any

import numpy as np

from autodiff import gradients, indexing, inplace
from autodiff.composed import (
    activation,
    conversion,
    creation,
    decompositions,
    elementwise,
    linalg,
    norms,
    properties,
    random,
    reduction,
    selection,
    shape,
    special,
)
from autodiff.ops import elementwise as ops
from autodiff.tensor import Tensor, binary, reflected

MODULES: tuple[Any, ...] = (
    *(
        activation,
        conversion,
        creation,
        decompositions,
        elementwise,
        linalg,
        norms,
        properties,
        random,
    ),
    *(reduction, selection, shape, special),
)
"""Each names its METHODS and PROPERTIES, and under IN_PLACE those that have a form `name_`."""

for module in MODULES:
    for name in module.METHODS:
        setattr(Tensor, name, getattr(module, name))
    for name in getattr(module, "PROPERTIES", ()):
        setattr(Tensor, name, property(getattr(module, name)))
    for name in module.IN_PLACE:
        setattr(Tensor, f"{name}_", inplace.in_place(getattr(module, name), f"{name}_"))

for name in ("squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze"):
    setattr(Tensor, f"{name}_", inplace.viewed_in_place(getattr(shape, name), f"{name}_"))

OPERATORS = {
    "and": (ops.bitwise_and, elementwise.bitwise_and),
    "floordiv": (ops.floor_divide, elementwise.floor_divide),
    "lshift": (ops.left_shift, elementwise.bitwise_left_shift),
    "mod": (ops.remainder, elementwise.remainder),
    "or": (ops.bitwise_or, elementwise.bitwise_or),
    "pow": (ops.power, elementwise.pow),
    "rshift": (ops.right_shift, elementwise.bitwise_right_shift),
    "xor": (ops.bitwise_xor, elementwise.bitwise_xor),
}
"""Operations and functions by their operator: `__and__`, `__rand__` and `__iand__`."""

for name, (operation, function) in OPERATORS.items():
    setattr(Tensor, f"__{name}__", binary(operation))
    setattr(Tensor, f"__r{name}__", reflected(operation))
    setattr(Tensor, f"__i{name}__", inplace.in_place(function, f"{operation.name}_"))

ARITHMETIC: dict[str, tuple[Any, ...]] = {
    "add_": (elementwise.add, np.add, "__iadd__"),
    "sub_": (elementwise.sub, np.subtract, "__isub__", "subtract_"),
    "mul_": (elementwise.mul, np.multiply, "__imul__", "multiply_"),
    "div_": (elementwise.div, np.divide, "__itruediv__", "divide_"),
}
"""Functions, the ufuncs they come down to, and other names by the name of the in-place form."""

for name, (function, ufunc, *others) in ARITHMETIC.items():
    for alias in (name, *others):
        setattr(Tensor, alias, inplace.arithmetic(function, ufunc, name))


def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """This tensor where the condition holds, else `other`."""
    return elementwise.where(condition, self, other)


def polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma."""
    return special.polygamma(n, self)


SPECIAL: dict[str, Any] = {
    "__abs__": elementwise.abs,
    "__getitem__": indexing.read,
    "__invert__": elementwise.bitwise_not,
    "__pos__": elementwise.positive,
    "__rdiv__": Tensor.__rtruediv__,
    "__setitem__": inplace.setitem,
    "backward": gradients.tensor_backward,
    "polygamma": polygamma,
    "polygamma_": inplace.in_place(polygamma, "polygamma_"),
    "where": where,
}

for name, method in SPECIAL.items():
    setattr(Tensor, name, method)

FUNCTIONS = (
    *("abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_"),
    *("arctanh_", "asin_", "asinh_", "atan_", "atanh_", "ceil_", "clamp_", "clamp_max_"),
    *("clamp_min_", "clip_", "cos_", "cosh_", "deg2rad_", "detach_", "erf_", "erfc_", "exp2_"),
    *("exp_", "expm1_", "fix_", "floor_", "frac_", "index_put_", "log10_", "log1p_"),
    *("log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_"),
    *("relu_", "round_", "rsqrt_", "sigmoid_", "sin_", "sinh_", "sqrt_", "square_", "tan_"),
    *("tanh_", "trunc_", "xlogy_"),
)
"""Methods that write in place and are functions of the package too."""
