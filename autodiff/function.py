"""Custom operations: autograd.Function, as in PyTorch.

A call is one node that carries the gradients of all its outputs to `backward`, and a node for each
output, which puts its gradient into the place that belongs to it.
"""

import functools
import weakref
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.grad_modes import is_grad_enabled, no_grad
from autodiff.ops.shape import copy
from autodiff.primitive import Plan
from autodiff.tape import ANOMALY, VMAP, Node, modes, user_line
from autodiff.tensor import Tensor, apply, fresh_copy, make


class FunctionContext:
    """What a custom operation passes from forward to backward; other attributes are its own."""

    needs_input_grad: tuple[bool, ...] = ()
    """For each argument of forward, whether its gradient is wanted."""

    def __init__(self) -> None:
        self._saved: tuple[Tensor | None, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._outputs: list[tuple[Tensor, weakref.ref[Node]]] = []
        self._constant: tuple[Tensor, ...] = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, outputs or other tensors for backward, where `saved_tensors` has them.

        Raises: TypeError for anything else, which can be an attribute of the context.
        """
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward takes Tensors, got {type(tensor).__name__}; "
                    "set anything else as an attribute of ctx"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward() kept. Raises: RuntimeError if it was written since."""
        for tensor, then in zip(self._saved, self._versions):
            if tensor is not None and tensor._version != then:
                raise RuntimeError(
                    f"a tensor of shape {tuple(tensor.shape)} that a custom operation saved was "
                    f"modified in place: it was saved at version {then}, now it is at version "
                    f"{tensor._version}"
                )
        return tuple(self._on_tape(tensor) for tensor in self._saved)

    def _on_tape(self, tensor: Tensor | None) -> Tensor | None:
        """An output with its node, which the context must not hold: that would be a cycle."""
        for output, node in self._outputs:
            if tensor is output:
                return make(output._array, node())
        return tensor

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs that have no gradient; outputs that are no floats need not be marked."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that was not used."""
        self._materialize = value

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Raises: RuntimeError; a custom operation returns new tensors."""
        raise RuntimeError(
            "mark_dirty: a custom operation cannot write to its inputs; return a new tensor"
        )


class Function:
    """A custom operation: subclass it with static methods forward and backward, and call `apply`.

    forward(ctx, *inputs) computes, unrecorded, a tensor or a tuple of them; backward(ctx,
    *gradients) returns one gradient, or None, for each input. As in PyTorch, forward may leave out
    ctx if setup_context(ctx, inputs, output) is defined. backward may use operations: then it can
    be differentiated itself.

    >>> from autodiff import tensor
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * g
    >>> x = tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """What the operation computes."""
        raise NotImplementedError("a custom operation needs a static method forward(ctx, *inputs)")

    @staticmethod
    def setup_context(ctx: FunctionContext, inputs: tuple, output: Any) -> None:
        """Save what backward needs, for a forward without ctx."""

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> Any:
        """The gradients of the inputs, given those of the outputs."""
        raise NotImplementedError(
            "a custom operation needs a static method backward(ctx, *gradients)"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute, and record the operation if an input requires grad.

        Raises: TypeError if forward returns a list.
        """
        if modes.flags & VMAP:
            one_by_one = modes.vmap.function(cls, args, kwargs)
            if one_by_one is not None:
                return one_by_one()
        ctx = FunctionContext()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                result = cls.forward(ctx, *args, **kwargs)
            else:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
        if isinstance(result, list):
            raise TypeError(f"{cls.__name__}.forward must return a Tensor or a tuple, not a list")
        if not any(ctx.needs_input_grad) or not is_grad_enabled():
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        recorded = _record(cls, ctx, args, outputs)
        return recorded if isinstance(result, tuple) else recorded[0]


class _Gradients:
    """The gradients of the outputs of one call, which the walk carries as one value."""

    shape, dtype = (), np.dtype(object)
    _array = np.zeros(())  # nothing for anomaly detection to find

    def __init__(self, position: int, g: Any) -> None:
        self.parts = {position: g}
        self.of_inputs: list | None = None  # computed by the first rule that asks

    def __add__(self, other: "_Gradients") -> "_Gradients":
        self.parts |= other.parts  # each output hands its gradient on once
        return self


class _Plan(Plan):
    """How a call, or one of its outputs, hands gradients on: the rules alone."""

    def __init__(self, name: str, rules: tuple[Callable, ...], saves: bool) -> None:
        self.primitive = SimpleNamespace(name=name, arguments=(), accumulate=None)  # type: ignore[assignment]
        self.positions, self.rules, self.saves = tuple(range(len(rules))), rules, saves
        self.sources = ((None,) * saves,) * len(rules)
        self.whole = None


def _record(cls: type[Function], ctx: FunctionContext, args: tuple, outputs: tuple) -> tuple:
    """The outputs of a call, put on the tape."""
    wanted = [i for i, needed in enumerate(ctx.needs_input_grad) if needed]
    call = Node(
        _Plan(cls.__name__, tuple(partial(_input_gradient, i=i) for i in wanted), True),
        tuple(args[i]._node for i in wanted),
        ((_Call(cls, ctx, args, outputs),),) * len(wanted),
        _Gradients.shape,
        _Gradients.dtype,
    )
    inputs = {id(versions.owner(a._array)) for a in args if isinstance(a, Tensor)}
    results = []
    for position, output in enumerate(outputs):
        if not isinstance(output, Tensor):
            results.append(output)
            continue
        array, node = output._array, None
        if id(versions.owner(array)) in inputs:
            array = apply(copy, (output,))._array
        if array.dtype.kind == "f" and not any(output is t for t in ctx._constant):
            plan = _Plan(cls.__name__, (partial(_Gradients, position),), False)
            node = Node(plan, (call,), ((),), array.shape, array.dtype)
            if modes.flags & ANOMALY:
                node.where = user_line()
            ctx._outputs.append((output, weakref.ref(node)))
        results.append(make(array, node))
    ctx._versions = tuple(0 if t is None else t._version for t in ctx._saved)
    return tuple(results)


class _Call:
    """What is needed to call backward: function, context, forms of the inputs and outputs."""

    def __init__(self, cls: type[Function], ctx: FunctionContext, args: tuple, outputs: tuple):
        self.cls, self.ctx = cls, ctx
        self.inputs = [a.shape if isinstance(a, Tensor) else None for a in args]
        self.outputs = [
            (t._array.shape, t._array.dtype) if isinstance(t, Tensor) else None for t in outputs
        ]


def _input_gradient(g: _Gradients, call: _Call, *, i: int) -> Any:
    """The rule of input i: what backward returns for it, run once for all inputs."""
    if g.of_inputs is None:
        g.of_inputs = _backward(call, g.parts)
    return g.of_inputs[i]


def _backward(call: _Call, parts: dict[int, Any]) -> list:
    """backward of the outputs' gradients, arrays or Tensors, in the same kind, checked."""
    given: list[Tensor | None] = []
    for position, form in enumerate(call.outputs):
        g = parts.get(position)
        if g is None and form is not None and call.ctx._materialize:
            g = np.zeros(*form)
        given.append(g if g is None or isinstance(g, Tensor) else make(fresh_copy(g)))
    results = call.cls.backward(call.ctx, *given)
    results = list(results) if isinstance(results, tuple) else [results]
    count, name = len(call.inputs), call.cls.__name__
    if len(results) < count or any(g is not None for g in results[count:]):
        raise RuntimeError(
            f"{name}.backward must return a gradient, or None, for each of the {count} inputs of "
            f"forward; got {len(results)}"
        )
    recorded = any(isinstance(g, Tensor) for g in parts.values())
    for i, (g, shape) in enumerate(zip(results, call.inputs)):
        if g is None or shape is None:
            continue
        if not isinstance(g, Tensor):
            raise TypeError(
                f"{name}.backward must return Tensors or None; got {type(g).__name__} for input {i}"
            )
        if not _sums_to(g.shape, shape):
            raise RuntimeError(
                f"{name}.backward gave a gradient of shape {tuple(g.shape)} for input {i} of shape "
                f"{tuple(shape)}"
            )
        results[i] = g if recorded else fresh_copy(g._array)  # it may be kept elsewhere
    return results


def _sums_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether `target` broadcasts to `shape`."""
    pairs = zip(reversed(shape), reversed(target))
    return len(shape) >= len(target) and all(m in (1, n) for n, m in pairs)


def once_differentiable(backward: Callable) -> Callable:
    """Decorate a backward that does not use operations alone: it has no derivative."""

    @functools.wraps(backward)
    def unrecorded(ctx: FunctionContext, *gradients: Any) -> Any:
        with no_grad():
            results = backward(ctx, *gradients)
        if not isinstance(results, tuple):
            results = (results,)
        return tuple(
            g if g is None else _Once.apply(g, *gradients, *ctx.saved_tensors) for g in results
        )

    return unrecorded


class _Once(Function):
    """A gradient that was computed unrecorded, from these tensors."""

    @staticmethod
    def forward(ctx: FunctionContext, g: Tensor, *tensors: Tensor) -> Tensor:
        return g

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> Any:
        raise RuntimeError(
            "a custom operation marked once_differentiable cannot be differentiated twice"
        )
