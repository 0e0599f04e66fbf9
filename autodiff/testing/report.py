"""What a check of gradients found, as a table, and what it says of a gradient that is wrong."""

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autodiff import trees
from autodiff.tensor import Tensor

MOST_ELEMENTS = 1000


class GradcheckError(AssertionError, RuntimeError):
    """A gradient is not the numerical one, or the function is none that can be checked."""


@dataclass(frozen=True)
class Row:
    """The worst of the comparisons for one argument, in one mode and order.

    method: how the numeric derivative was found, "complex step" or "differences".
    error: relative to the sum of the sizes of the terms that make up the derivative.
    """

    argument: str
    order: int
    mode: str
    method: str
    error: float


@dataclass(frozen=True)
class Kink:
    """A place where the derivatives from the left and the right differ, or one does not exist."""

    argument: str
    order: int
    element: tuple[int, ...] | None
    left: float
    right: float
    given: float

    def __str__(self) -> str:
        where = "one direction" if self.element is None else f"element {self.element}"
        return (
            f"at a kink or the edge of the domain: {where} of {self.argument}, order {self.order}: "
            f"left slope {self.left:.6g}, right slope {self.right:.6g}, the gradient given "
            f"{self.given:.6g}"
        )


@dataclass
class Report:
    """The comparisons that passed, the kinks that were met, and what was left out and why."""

    rows: list[Row] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max((row.error for row in self.rows), default=0.0)

    def __str__(self) -> str:
        width = max([8, *[len(row.argument) for row in self.rows]])
        lines = [f"{'argument':{width}}  order  mode     method        relative error"]
        lines += [
            f"{r.argument:{width}}  {r.order:<5}  {r.mode:7}  {r.method:12}  {r.error:.1e}"
            for r in self.rows
        ]
        return "\n".join([*lines, *map(str, self.kinks), *self.notes])


def snippet(check: str, functions: Sequence[Any], args: tuple, options: str) -> str:
    """Python code that makes the same call again: the values are exact."""
    lines = ["from numpy import array, inf, nan"]
    lines += [f"from autodiff.testing import {check}", ""]
    names = []
    for function in functions:
        line, name = _spelled_function(function)
        lines += [line] if line else []
        names.append(name)
    for k, arg in enumerate(args):
        lines.append(f"x{k} = {_spelled(arg)}")
    call = ", ".join(
        [*names, *[f"x{k}" for k in range(len(args))], *([options] if options else [])]
    )
    return "\n".join([*lines, f"{check}({call})"])


def _spelled_function(function: Any) -> tuple[str, str]:
    """An import or a remark, and the expression."""
    if hasattr(function, "named_parameters"):
        values = {name: p.detach().numpy() for name, p in function.named_parameters()}
        load = "\n".join(f"{name} = {_spelled(value)}" for name, value in values.items())
        remark = "\n".join(
            f"#   {line}" for line in [*repr(function).splitlines(), *load.splitlines()]
        )
        return f"# module: the one below, with these parameters\n{remark}", "module"
    function = getattr(function, "__wrapped__", function)
    owner = getattr(function, "__self__", None)
    target = owner if isinstance(owner, type) else function
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", "")
    if isinstance(function, np.ufunc):
        return f"from numpy import {function.__name__}", function.__name__
    # What a decorator has replaced cannot be imported.
    if module not in (None, "__main__") and getattr(sys.modules.get(module), name, None) is target:
        suffix = "" if target is function else f".{function.__name__}"
        return f"from {module} import {name}", name + suffix
    called = getattr(function, "__name__", type(function).__name__)
    called = called if called.isidentifier() else "fn"
    try:
        place = f"{inspect.getsourcefile(function)}, line {inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        place = repr(function)
    return f"# {called}: {place}", called


def _spelled(x: Any) -> str:
    """The expression of an argument, with exact values unless it is very large."""
    if not trees.is_leaf(x):
        return repr(trees.mapped(lambda leaf: _Spelled(_spelled(leaf)), x))
    if isinstance(x, Tensor):
        x = x.detach()._array
    if not isinstance(x, np.ndarray):
        return repr(x)
    if x.size > MOST_ELEMENTS:
        return f"...  # {x.dtype} of shape {x.shape}, too large to print"
    if x.size == 0:
        return f"array([], {x.dtype.name!r}).reshape({x.shape})"
    return f"array({x.tolist()!r}, {x.dtype.name!r})"


class _Spelled(str):
    """Text that is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
