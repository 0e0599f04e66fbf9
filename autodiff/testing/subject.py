"""What is checked: a function of Tensors, or a pair of NumPy functions, as functions of arrays.

A subject has the arrays to differentiate by and their names. It gives outputs, and gradients of the
outputs' sum weighted with given arrays, at any arrays of the same shapes.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff import transforms, trees
from autodiff.generator import get_rng_state, set_rng_state
from autodiff.gradients import grad
from autodiff.stateless import functional_call
from autodiff.tensor import Tensor, make

__tracebackhide__ = True


class OnceDifferentiableError(Exception):
    """The function says that it has no second derivative."""


class Subject:
    """A function and where it is looked at.

    arrays: the values of its arguments of floats; names: what they are called.
    """

    vector = True
    """Whether gradients of any weighted sum of the outputs can be asked for, not of the sum."""

    def __init__(self, fn: Any, args: tuple) -> None:
        self.fn, self.args = fn, args
        leaves = list(_named(args, _argument_names(fn, len(args))))
        self.positions = [k for k, (_, leaf) in enumerate(leaves) if is_float(leaf)]
        self.leaves = [leaf for _, leaf in leaves]
        self.names = [leaves[k][0] for k in self.positions]
        self.arrays = [array_of(leaves[k][1]) for k in self.positions]

    def replaced(self, arrays: Sequence[Any]) -> tuple:
        """The arguments with these in place of those of floats, everything else as it was."""
        values = list(self.leaves)
        for position, array in zip(self.positions, arrays, strict=True):
            values[position] = array
        return trees.rebuilt(self.args, values)

    def outputs(self, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of floats."""
        raise NotImplementedError

    def gradients(self, arrays: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        """For each array the gradient of the weighted sum of the outputs."""
        raise NotImplementedError


class TensorSubject(Subject):
    """A function of Tensors or a module, whose parameters count as arguments."""

    def __init__(self, fn: Callable[..., Any], args: tuple) -> None:
        super().__init__(fn, args)
        self.parameters: list[str] = []
        if hasattr(fn, "named_parameters"):
            held = [(name, p) for name, p in fn.named_parameters() if is_float(p)]
            self.parameters = [name for name, _ in held]
            self.names += self.parameters
            self.arrays += [array_of(p) for _, p in held]
        self.state = get_rng_state()

    def run(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The outputs of floats at these tensors; random numbers are drawn the same each time."""
        count = len(self.positions)
        args = self.replaced(tensors[:count])
        args = trees.mapped(lambda x: make(x.copy()) if isinstance(x, np.ndarray) else x, args)
        current = get_rng_state()
        set_rng_state(self.state)
        try:
            if hasattr(self.fn, "named_parameters"):
                held = dict(zip(self.parameters, tensors[count:], strict=True))
                for name, buffer in self.fn.named_buffers():  # layers may write to them
                    like = tensors[0] if is_float(buffer) else buffer
                    held[name] = make(buffer._array.astype(like._array.dtype))
                result = functional_call(self.fn, held, args)
            else:
                result = self.fn(*args)
        finally:
            set_rng_state(current)
        found = [t for t in trees.leaves(result) if is_float(t)]
        for t in found:
            if not isinstance(t, Tensor):
                raise TypeError(f"the function must return Tensors, got {type(t).__name__}")
        return found

    def outputs(self, arrays: Sequence[Any]) -> list[Any]:
        return [t._array for t in self.run([make(a) for a in arrays])]

    def gradients(self, arrays: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        tensors = _variables(arrays)
        found = _gradients(self.run(tensors), weights, tensors, False)
        return [g._array for g in found]

    def along(
        self, tensors: Sequence[Tensor], weights: Sequence[Any], directions: Sequence[Any]
    ) -> Tensor:
        """The derivative of the weighted sum of the outputs along directions of all arguments."""
        found = _gradients(self.run(tensors), weights, tensors, True)
        total = make(np.zeros(()))
        for g, d in zip(found, directions, strict=True):
            total = total + (g * make(np.asarray(d, g._array.dtype))).sum()
        return total

    def second(
        self, arrays: Sequence[Any], weights: Sequence[Any], directions: Sequence[Any]
    ) -> list[Any]:
        """The gradients of `along`. Raises: OnceDifferentiableError."""
        tensors = _variables(arrays)
        try:
            value = self.along(tensors, weights, directions)
            found = _gradients([value], [np.ones(())], tensors, False)
        except RuntimeError as error:
            _tell_once(error)
            raise
        return [g._array for g in found]

    def tangent(
        self,
        arrays: Sequence[Any],
        i: int,
        direction: np.ndarray,
        weights: Sequence[Any],
        directions: Sequence[Any] | None = None,
    ) -> float:
        """What forward mode gives for the weighted sum, or for `along`, as array i moves."""
        fixed = [make(a) for a in arrays]

        def moved(x: Tensor) -> Any:
            tensors = [*fixed[:i], x, *fixed[i + 1 :]]
            if directions is None:
                return tuple(self.run(tensors))
            by = [t if t is x else t.detach().requires_grad_() for t in tensors]
            return (self.along(by, weights, directions),)

        along = (make(direction.astype(arrays[i].dtype)),)
        try:
            _, found = transforms.jvp(moved, (fixed[i],), along)
        except RuntimeError as error:
            _tell_once(error)
            raise
        weights = weights if directions is None else [1.0]
        return float(sum(np.sum(w * t._array) for w, t in zip(weights, found, strict=True)))


class PlainSubject(Subject):
    """A NumPy function f and what is said to be its derivative.

    df(*args) gives the gradients of the sum of what f gives; with `vjp` df(g, *args) gives those of
    the sum of g times it.
    """

    def __init__(
        self, f: Callable[..., Any], df: Callable[..., Any], args: tuple, vjp: bool
    ) -> None:
        super().__init__(f, args)
        self.df, self.vjp = df, vjp
        self.vector = vjp

    def outputs(self, arrays: Sequence[Any]) -> list[Any]:
        found = self.fn(*self.replaced(arrays))
        return [x if hasattr(x, "shape") else np.asarray(x) for x in trees.leaves(found)]

    def gradients(self, arrays: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        args = self.replaced([a.copy() for a in arrays])
        given = (weights[0] if len(weights) == 1 else tuple(weights),) if self.vjp else ()
        found = self.df(*given, *args)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) != len(self.arrays):
            raise ValueError(
                f"df must give a gradient for each of {', '.join(self.names)}; got {len(found)}"
            )
        return [np.asarray(g, np.float64) for g in found]


class Bound:
    """A function, given some arguments by name, as a function of the named ones in this order."""

    def __init__(
        self, fn: Callable[..., Any], names: Sequence[str], others: dict[str, Any]
    ) -> None:
        self.fn, self.names, self.others = fn, list(names), others
        kind = inspect.Parameter.POSITIONAL_ONLY
        self.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])

    def __call__(self, *args: Any) -> Any:
        return self.fn(**self.others, **dict(zip(self.names, args, strict=True)))


def is_float(x: Any) -> bool:
    """Whether this is a Tensor or an array of floats."""
    return isinstance(x, (Tensor, np.ndarray)) and array_of(x).dtype.kind == "f"


def array_of(x: Any) -> Any:
    """The array in a Tensor; an array as it is."""
    return x._array if isinstance(x, Tensor) else x


def _variables(arrays: Sequence[Any]) -> list[Tensor]:
    return [make(a).requires_grad_() for a in arrays]


def _gradients(
    outputs: Sequence[Tensor],
    weights: Sequence[Any],
    tensors: Sequence[Tensor],
    create_graph: bool,
) -> list[Any]:
    pairs = [
        (out, make(w.astype(out._array.dtype)))
        for out, w in zip(outputs, weights, strict=True)
        if out._node is not None
    ]
    if not pairs:
        return [make(np.zeros_like(t._array)) for t in tensors]
    outs, given = zip(*pairs, strict=True)
    found = grad(outs, tensors, given, create_graph=create_graph, materialize_grads=True)
    return list(found)


def _tell_once(error: RuntimeError) -> None:
    if "once_differentiable" in str(error):
        raise OnceDifferentiableError(str(error)) from error


def _argument_names(fn: Callable[..., Any], count: int) -> list[str]:
    """What the signature calls the arguments; that of forward for custom operations and modules."""
    owner = getattr(fn, "__self__", None)
    target: Any = getattr(fn, "forward", fn)
    skipped = 0
    if isinstance(owner, type) and getattr(fn, "__name__", "") == "apply":
        target = owner.forward  # type: ignore[attr-defined]
        skipped = "setup_context" not in vars(owner)  # its first parameter is then ctx
    try:
        parameters = list(inspect.signature(target).parameters.values())[skipped:]
    except (TypeError, ValueError):
        parameters = []
    names = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(parameter.name)
    return [*names, *[f"argument {k}" for k in range(len(names), count)]][:count]


def _named(tree: Any, names: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of nested arguments, called by their place in the argument."""
    children = tree.values() if isinstance(tree, dict) else tree
    for child, name in zip(children, names, strict=True):
        if trees.is_leaf(child):
            yield name, child
        else:
            keys = child if isinstance(child, dict) else range(len(child))
            yield from _named(child, [f"{name}[{key!r}]" for key in keys])
