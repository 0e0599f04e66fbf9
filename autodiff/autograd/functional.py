"""Derivatives of a function at one point, as in torch.autograd.functional.

`inputs` are a Tensor or a tuple of them, as are the function's outputs, and results nest likewise:
a tuple for a tuple. Results are off the tape unless `create_graph`. With `strict`, a derivative
that is zero because there is no dependence is an error. See autodiff.func for the same as functions
of functions.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import gradients
from autodiff.composed.shape import reshape
from autodiff.grad_modes import enable_grad
from autodiff.jacobians import forward_blocks, reverse_blocks
from autodiff.ops.shape import stack
from autodiff.tensor import Tensor, apply, make
from autodiff.transforms import seeds, variable

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]
_STRATEGIES = ("reverse-mode", "forward-mode")


def _as_tuple(given: Any, what: str, name: str) -> tuple[Tensor, ...]:
    tensors = given if isinstance(given, tuple) else (given,)
    for t in tensors:
        if not isinstance(t, Tensor):
            raise TypeError(
                f"{name}: {what} must be a Tensor or a tuple of Tensors, got {type(t).__name__}"
            )
    return tensors


class _Run:
    """One run of a function on variables with the values of the inputs."""

    def __init__(self, name: str, func: Callable, inputs: Any, create_graph: bool, strict: bool):
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.several = isinstance(inputs, tuple)
        self.inputs = tuple(map(variable, _as_tuple(inputs, "the inputs", name)))
        with enable_grad():
            result = func(*self.inputs)
        self.several_outputs = isinstance(result, tuple)
        self.outputs = _as_tuple(result, "what the function returns", name)
        for i, output in enumerate(self.outputs):
            if strict and output._node is None:
                raise RuntimeError(
                    f"{name}: output {i} does not depend on the inputs, and strict=True"
                )

    def derivatives(
        self, of: Sequence[Tensor], by: Sequence[Tensor], given: Any, create_graph: bool
    ) -> tuple[Tensor, ...]:
        """The gradients of tensors by others, zeros where there are none. Raises: if strict."""
        on_tape = [i for i, t in enumerate(of) if t._node is not None]
        found: Sequence[Tensor | None] = (None,) * len(by)
        if on_tape:
            found = gradients.grad(
                [of[i] for i in on_tape],
                by,
                None if given is None else [given[i] for i in on_tape],
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
            )
        for i, g in enumerate(found):
            if self.strict and (g is None or (create_graph and g._node is None)):
                raise RuntimeError(
                    f"{self.name}: a derivative does not depend on input {i}, and strict=True; "
                    "strict=False gives zeros"
                )
        return tuple([make(np.zeros_like(x._array)) if g is None else g for g, x in zip(found, by)])

    def pushed(self, of: Sequence[Tensor], v: Any) -> tuple[Tensor, ...]:
        """The Jacobian of tensors by the inputs, times v: a pass, and one through that pass."""
        start = seeds(of)
        products = self.derivatives(of, self.inputs, start, True)
        return self.derivatives(products, start, v, self.create_graph)

    def vector(self, v: Any, like: Sequence[Tensor], several: bool) -> tuple[Tensor, ...] | None:
        """v, checked against what it is multiplied with; None for a single element."""
        if v is None:
            if len(like) != 1 or like[0]._array.size != 1:
                raise RuntimeError(
                    f"{self.name}: v can be left out only for a single tensor of one element"
                )
            return (make(np.ones_like(like[0]._array)),)
        given = _as_tuple(v, "v", self.name)
        shapes = [tuple(t.shape) for t in given], [tuple(t.shape) for t in like]
        if shapes[0] != shapes[1]:
            raise RuntimeError(f"{self.name}: v must be of shapes {shapes[1]}, got {shapes[0]}")
        return given

    def scalar(self) -> tuple[Tensor, ...]:
        """The only output. Raises: RuntimeError if it is not one tensor of one element."""
        if self.several_outputs or self.outputs[0]._array.size != 1:
            raise RuntimeError(
                f"{self.name}: the function must return one tensor of one element, got "
                f"{[tuple(t.shape) for t in self.outputs]}"
            )
        return self.outputs

    def result(self, derivatives: tuple[Tensor, ...], several: bool) -> tuple[Any, Any]:
        """The outputs and derivatives."""
        return (
            self.form(self.outputs, self.several_outputs),
            self.form(derivatives, several),
        )

    def form(self, tensors: tuple[Tensor, ...], several: bool) -> Any:
        """Tensors as they are returned."""
        tensors = tensors if self.create_graph else tuple([t.detach() for t in tensors])
        return tensors if several else tensors[0]


def vjp(
    func: Callable,
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(outputs, v times the Jacobian): v is like the outputs, the product like the inputs."""
    run = _Run("vjp", func, inputs, create_graph, strict)
    v = run.vector(v, run.outputs, run.several_outputs)
    return run.result(run.derivatives(run.outputs, run.inputs, v, create_graph), run.several)


def jvp(
    func: Callable,
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(outputs, the Jacobian times v): v is like the inputs, the product like the outputs."""
    run = _Run("jvp", func, inputs, create_graph, strict)
    v = run.vector(v, run.inputs, run.several)
    return run.result(run.pushed(run.outputs, v), run.several_outputs)


def vhp(
    func: Callable,
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(output, v times the Hessian) of a function to one element; v is like the inputs."""
    run = _Run("vhp", func, inputs, create_graph, strict)
    v = run.vector(v, run.inputs, run.several)
    first = run.derivatives(run.scalar(), run.inputs, None, True)
    return run.result(run.derivatives(first, run.inputs, v, create_graph), run.several)


def hvp(
    func: Callable,
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(output, the Hessian times v) of a function to one element; slower than vhp, its equal."""
    run = _Run("hvp", func, inputs, create_graph, strict)
    v = run.vector(v, run.inputs, run.several)
    first = run.derivatives(run.scalar(), run.inputs, None, True)
    return run.result(run.pushed(first, v), run.several)


def jacobian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivatives of outputs by inputs, each of an output's shape followed by an input's.

    As a tuple over the outputs of tuples over the inputs, where these are tuples. vectorize: all
    rows at once, by vmap. strategy: "reverse-mode", or "forward-mode" with vectorize alone.

    Raises: as PyTorch, for options that do not go together.

    >>> from autodiff import tensor
    >>> jacobian(lambda x: x**2, tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in _STRATEGIES:
        raise ValueError(f"jacobian: strategy must be one of {_STRATEGIES}, got {strategy!r}")
    if strategy == "forward-mode" and (create_graph or not vectorize):
        raise NotImplementedError(
            "jacobian: strategy='forward-mode' goes with vectorize=True and create_graph=False "
            "alone; see func.jacfwd"
        )
    if strict and vectorize:
        raise RuntimeError("jacobian: strict=True goes with vectorize=False alone")
    run = _Run("jacobian", func, inputs, create_graph, strict)
    if strategy == "forward-mode":
        blocks = forward_blocks(run.outputs, run.inputs, False)
    elif vectorize:
        blocks = reverse_blocks(run.outputs, run.inputs, create_graph)
    else:
        blocks = [_rows(run, output) for output in run.outputs]
    rows = tuple([run.form(tuple(block), run.several) for block in blocks])
    return rows if run.several_outputs else rows[0]


def _rows(run: _Run, output: Tensor) -> list[Tensor]:
    """The derivatives of one output, a pass for each of its elements."""
    with enable_grad():
        elements = reshape(output, -1)
        found = [
            run.derivatives([elements[i]], run.inputs, None, run.create_graph)
            for i in range(output._array.size)
        ]
        shapes = [(*output._array.shape, *x._array.shape) for x in run.inputs]
        if not found:
            return [make(np.zeros(s, x._array.dtype)) for s, x in zip(shapes, run.inputs)]
        columns = zip(zip(*found, strict=True), shapes, strict=True)
        return [reshape(apply(stack, rows), shape) for rows, shape in columns]


def hessian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function to one element: a tuple of tuples if inputs are one.

    >>> from autodiff import tensor
    >>> hessian(lambda x: (x**3).sum(), tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    @functools.wraps(func)
    def first(*given: Tensor) -> tuple[Tensor, ...]:
        run = _Run("hessian", func, given, True, strict)
        return run.derivatives(run.scalar(), run.inputs, None, True)

    tensors = _as_tuple(inputs, "the inputs", "hessian")
    found = jacobian(first, tensors, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if isinstance(inputs, tuple) else found[0][0]
