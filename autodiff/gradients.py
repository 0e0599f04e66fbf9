"""Gradients of tensors: from Tensors to the walk over the tape, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import versions
from autodiff.inplace import assign
from autodiff.ops.elementwise import add
from autodiff.ops.shape import cast, copy
from autodiff.tape import GRAD, TRACE, VMAP, Node, modes, walk
from autodiff.tensor import Tensor, apply, fresh_copy, lift, make

_ndarray = np.ndarray


def tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of this tensor to the `grad` of the leaves it was computed from.

    gradient: that of the final result with respect to this tensor; 1 for a single element.
    retain_graph: keep what a second backward pass needs (by default if `create_graph`).
    create_graph: record the backward pass, for derivatives of higher order.
    inputs: add to these alone.
    Raises: RuntimeError if nothing here requires grad, the shape of `gradient` is not this
        tensor's, the graph was freed, or a saved value was overwritten; no grad is changed.
    """
    backward((self,), (gradient,), retain_graph, create_graph, inputs)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensors` to the `grad` of leaves; see Tensor.backward."""
    if modes.flags & VMAP:
        raise RuntimeError(
            "backward() inside vmap would add the gradients of all examples to one tensor; use "
            "func.grad(), or autograd.grad()"
        )
    wanted = None if inputs is None else {_node_of(t, "inputs"): t for t in _listed(inputs)}
    given = None if grad_tensors is None else _listed(grad_tensors)
    found = _walk(_listed(tensors), given, wanted, retain_graph, create_graph)
    taken = {id(g._array) for g in given or () if g is not None}  # arrays that others have
    for node, g in found.items():
        tensor = node.tensor() if wanted is None else wanted[node]  # type: ignore[misc]
        if tensor is None:
            continue
        old = tensor.grad
        if isinstance(g, Tensor) and not create_graph:  # the pass was recorded, by a trace
            _add_traced(tensor, old, g)
            continue
        # A gradient may be the gradient of another tensor too, or a view of it.
        if old is None and not create_graph:
            if g.__class__ is not _ndarray or g.base is not None or id(g) in taken:
                g = fresh_copy(g)
            taken.add(id(g))
            tensor._grad = make(g)
        elif old is None:
            tensor._grad = make(fresh_copy(g._array), g._node)
        elif create_graph or 0 in old._array.strides:  # an expanded one
            tensor._grad = old + g
        else:
            old._array[...] += g
            versions.touch(old._array)


def _add_traced(tensor: Tensor, old: Tensor | None, g: Tensor) -> None:
    """Add g, which is recorded, to the gradient of `tensor`."""
    g = apply(copy, (g,))
    if old is None:
        tensor.grad = g
    elif 0 in old._array.strides:  # an expanded one
        tensor.grad = apply(add, (old, g))
    else:
        assign(old, apply(add, (old, g)))


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` (their sum, weighted by `grad_outputs`) with respect to `inputs`.

    Nothing is added to any `grad`. An input that the outputs do not depend on is an error, or gives
    None with `allow_unused`, or zeros with `materialize_grads`.

    Raises: RuntimeError as Tensor.backward, or for an unused input.
    """
    inputs = _listed(inputs)
    if materialize_grads and allow_unused is False:
        raise ValueError("materialize_grads allows unused inputs; leave allow_unused out")
    wanted = [_node_of(tensor, "inputs") for tensor in inputs]
    found = _walk(_listed(outputs), grad_outputs, set(wanted), retain_graph, create_graph)
    results: list[Tensor | None] = []
    for i, (tensor, node) in enumerate(zip(inputs, wanted, strict=True)):
        g = found.get(node)
        if g is not None:
            if not isinstance(g, Tensor):
                g = make(fresh_copy(g))
            elif not create_graph:
                g = apply(copy, (g,))
            results.append(g)
        elif materialize_grads:
            results.append(make(np.zeros_like(tensor._array)))
        elif allow_unused:
            results.append(None)
        else:
            raise RuntimeError(
                f"input {i}, of shape {tuple(tensor.shape)}, was not used to compute the outputs; "
                "pass allow_unused=True if that is meant"
            )
    return tuple(results)


def _listed(tensors: Any) -> Sequence:
    if isinstance(tensors, Tensor):
        return (tensors,)
    return tensors if isinstance(tensors, tuple) else tuple(tensors)


def _node_of(tensor: Tensor, what: str) -> Node:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{what} must be Tensors, got {type(tensor).__name__}")
    if tensor._node is None:
        raise RuntimeError(
            f"{what} must require grad or be computed from a tensor that does; the one of shape "
            f"{tuple(tensor.shape)} does not: call requires_grad_() on what to differentiate by"
        )
    return tensor._node


def _walk(
    outputs: Sequence[Tensor],
    gradients: Any,
    wanted: Any,
    retain_graph: bool | None,
    create_graph: bool,
) -> dict[Node, Any]:
    """Check and complete the gradients of the outputs, and walk back from them."""
    if wanted is not None and not wanted:
        raise RuntimeError("inputs must name at least one tensor to differentiate by")
    given = (None,) * len(outputs) if gradients is None else _listed(gradients)
    if len(given) != len(outputs):
        raise RuntimeError(f"{len(outputs)} tensors need as many gradients, got {len(given)}")
    start: dict[Node, Any] = {}
    lifted = create_graph or modes.flags & (TRACE | VMAP)  # which see the rules too
    for i, output in enumerate(outputs):
        node = _node_of(output, "the tensors to differentiate")
        g = _initial(output, given[i])
        if not lifted:
            g = g._array
        start[node] = start[node] + g if node in start else g
    retain = create_graph if retain_graph is None else retain_graph
    before = modes.flags
    modes.flags = before | GRAD if create_graph else before & ~GRAD
    try:
        if before & TRACE:
            modes.trace.begin_backward(start)
        return walk(start, wanted, retain, lift if lifted else None)
    finally:
        modes.flags = before & ~TRACE | modes.flags & TRACE  # a trace may have given up meanwhile
        if before & TRACE:
            modes.trace.end_backward()


def _initial(output: Tensor, g: Any) -> Tensor:
    if g is None:
        if output._array.size != 1:
            raise RuntimeError(
                "backward() without a gradient needs a tensor of one element, got shape "
                f"{tuple(output.shape)}; pass gradient=, or reduce it with .sum() or .mean()"
            )
        return make(np.ones(output._array.shape, output._array.dtype))
    if not isinstance(g, Tensor):
        raise TypeError(f"a gradient must be a Tensor or None, got {type(g).__name__}")
    if g._array.shape != output._array.shape:
        raise RuntimeError(
            f"a gradient of shape {tuple(g.shape)} was given for a tensor of shape "
            f"{tuple(output.shape)}; the shapes must be equal"
        )
    if g._array.dtype != output._array.dtype:
        return apply(cast, (g,), {"dtype": output._array.dtype})
    return g
