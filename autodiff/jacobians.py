"""Jacobians and Hessians as functions of the arguments: a pass for each unit vector, by vmap."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import trees
from autodiff.batching import vmap
from autodiff.ops.shape import reshape
from autodiff.tape import VMAP, modes
from autodiff.tensor import Tensor, apply, make
from autodiff.transforms import ArgNums, Call, Linear, walked


def _basis(x: Tensor) -> Tensor:
    """Tensors like x with a single 1, one for each element, along a new first axis."""
    n = x._array.size
    return make(np.eye(n, dtype=x._array.dtype).reshape(n, *x._array.shape))


def _nested(call: Call, blocks: Sequence[Sequence[Tensor]]) -> Any:
    """blocks[i][j], the derivatives of output i by variable j, nested as outputs of inputs."""
    return trees.rebuilt(call.form, [trees.rebuilt(call.places, row) for row in blocks])


def jacrev(
    func: Callable, argnums: ArgNums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """The function that gives the Jacobian of func, an output's shape followed by an argument's.

    In reverse mode, with a pass for each element of the outputs, `chunk_size` of them at once.
    Jacobians nest as the outputs, and in each place as the argument; as a tuple if argnums is one.
    With has_aux, func returns (output, aux) and the result is (Jacobian, aux).
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = Call(func, args, kwargs, argnums, has_aux)
        found = _nested(
            call, reverse_blocks(call.outputs, call.variables, call.reaches_out(), chunk_size)
        )
        return (found, call.released(call.aux)) if has_aux else found

    return jacobian


def reverse_blocks(
    outputs: Sequence[Tensor],
    variables: Sequence[Tensor],
    keep: bool,
    chunk_size: int | None = None,
) -> list[list[Tensor]]:
    """The Jacobian of each output by each variable, the passes for one output as a vmap."""
    recorded = keep or bool(modes.flags & VMAP)
    blocks = []
    for output in outputs:
        shapes = [(*output._array.shape, *x._array.shape) for x in variables]
        if not output._array.size:
            blocks.append(_zeros(shapes, variables))
            continue

        def row(g: Tensor, output: Tensor = output) -> tuple[Tensor, ...]:
            return tuple(walked([output], variables, [g], recorded, again=True))

        rows = vmap(row, chunk_size=chunk_size)(_basis(output))
        blocks.append([_shaped(r, shape, keep) for r, shape in zip(rows, shapes, strict=True)])
    return blocks


def _zeros(shapes: Sequence[tuple[int, ...]], like: Sequence[Tensor]) -> list[Tensor]:
    return [make(np.zeros(s, x._array.dtype)) for s, x in zip(shapes, like, strict=True)]


def _shaped(x: Tensor, shape: tuple[int, ...], keep: bool) -> Tensor:
    return apply(reshape, (x if keep else x.detach(),), {"shape": shape})


def jacfwd(
    func: Callable, argnums: ArgNums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable:
    """As jacrev, in forward mode, with a pass for each element of the arguments.

    randomness: taken for PyTorch's sake; func runs once, so what it draws is the same in all.
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = Call(func, args, kwargs, argnums, has_aux)
        found = _nested(call, forward_blocks(call.outputs, call.variables, call.reaches_out()))
        return (found, call.released(call.aux)) if has_aux else found

    return jacobian


def forward_blocks(
    outputs: Sequence[Tensor], variables: Sequence[Tensor], keep: bool
) -> list[list[Tensor]]:
    """The Jacobian of each output by each variable, the passes for one variable as a vmap."""
    linear = Linear(outputs, variables)
    recorded = keep or bool(modes.flags & VMAP)
    columns = []
    for i, x in enumerate(variables):
        shapes = [(*t._array.shape, *x._array.shape) for t in outputs]
        if not x._array.size:
            columns.append(_zeros(shapes, outputs))
            continue

        def column(tangent: Tensor, i: int = i) -> tuple[Tensor, ...]:
            return tuple(linear([tangent], recorded, slice(i, i + 1)))

        found = vmap(column, out_dims=-1)(_basis(x))
        columns.append([_shaped(c, shape, keep) for c, shape in zip(found, shapes, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def hessian(func: Callable, argnums: ArgNums = 0) -> Callable:
    """The function that gives the second derivatives of func: jacfwd of jacrev.

    >>> from autodiff import tensor
    >>> hessian(lambda x: (x**3).sum())(tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
