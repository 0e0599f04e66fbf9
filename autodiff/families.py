"""How operations are declared: once, in `autodiff/ops`, through the family they belong to.

    exp = elementwise(np.exp, x=lambda g, out: g * out)

A family is what forward mode and the compiler may take for granted; see `autodiff/primitive.py` for
the function, its rules and what else may be said of an operation.
"""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

import numpy as np

from autodiff.primitive import Primitive

REGISTRY: dict[str, Primitive] = {}
"""Every declared operation, by name."""

NUMPY: dict[Callable, Callable] = {}
"""What a NumPy function means when it is called on Tensors."""


def _never(*arrays: Any) -> bool:
    return False


def _declare(
    family: str,
    forward: Callable,
    *,
    numpy: Callable | Iterable[Callable] = (),
    promote: str = "keep",
    view: bool = False,
    name: str | None = None,
    accumulate: Callable | None = None,
    varying: Callable[..., bool] = _never,
    check: Callable[..., None] | None = None,
    body: Callable | None = None,
    **rules: Callable,
) -> Primitive:
    primitive = Primitive(
        forward, family, rules, promote, view, name, accumulate, varying, check, body
    )
    if primitive.name in REGISTRY:
        raise ValueError(f"operation {primitive.name!r} is declared twice")
    REGISTRY[primitive.name] = primitive
    functions = [numpy] if callable(numpy) else list(numpy)
    if isinstance(forward, np.ufunc):
        functions.append(forward)
    NUMPY.update(dict.fromkeys(functions, primitive))
    return primitive


def elementwise(forward: Callable, *, promote: str | None = None, **declared: Any) -> Primitive:
    """An operation whose output element depends on the same element of each broadcast argument.

    Unless said otherwise one argument is promoted to a float, several to a common dtype.
    """
    if promote is None:
        promote = "float" if isinstance(forward, np.ufunc) and forward.nin == 1 else "common"
    return _declare("elementwise", forward, promote=promote, **declared)


linear = partial(_declare, "linear")
"""An operation linear in each argument that has a rule, all of them together."""

bilinear = partial(_declare, "bilinear")
"""An operation linear in each argument that has a rule, the others held fixed."""

reduction = partial(_declare, "reduction")
"""An operation that reduces axes of its argument: parameters `axis` and `keepdims`."""

random = partial(_declare, "random")
"""An operation that draws from the generator it is given."""

general = partial(_declare, "general")
"""An operation of no special form."""


def numpy_function(*functions: Callable) -> Callable:
    """Decorate a function of Tensors as what these NumPy functions mean on Tensors."""

    def register(meaning: Callable) -> Callable:
        NUMPY.update(dict.fromkeys(functions, meaning))
        return meaning

    return register


def wide(forward: Callable) -> Callable:
    """`forward`, of float16 in float32: its range ends at 65 504, and it has 11 bits."""

    @wraps(forward)
    def widened(x: Any, /, **parameters: Any) -> Any:
        if x.dtype.char == "e":
            return forward(x.astype(np.float32), **parameters).astype(np.float16)
        return forward(x, **parameters)

    return widened
