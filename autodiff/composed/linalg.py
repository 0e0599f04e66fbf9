"""Products of vectors, matrices and arrays, under PyTorch's names.

The arguments must be of one dtype unless said otherwise: nothing is converted silently.
"""

import operator
from collections.abc import Sequence
from typing import Any

from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.selection import diagonal
from autodiff.composed.shape import array_of, axes_of, expand, reshape
from autodiff.ops import linalg as ops
from autodiff.ops.reduce import sum
from autodiff.tensor import Tensor, apply, binary, reflected

__all__ = [
    "addmm",
    "baddbmm",
    "bmm",
    "dot",
    "einsum",
    "ger",
    "inner",
    "kron",
    "matmul",
    "mm",
    "mv",
    "outer",
    "tensordot",
    "trace",
]
METHODS = (
    *(name for name in __all__ if name not in ("einsum", "tensordot")),
    "__matmul__",
    "__rmatmul__",
)
IN_PLACE = ("addmm", "baddbmm")

_product, _reflected_product = binary(ops.matmul), reflected(ops.matmul)


def __matmul__(input: Tensor, other: Any) -> Tensor:
    return _product(input, other) if hasattr(other, "shape") else NotImplemented


def __rmatmul__(input: Tensor, other: Any) -> Tensor:
    return _reflected_product(input, other) if hasattr(other, "shape") else NotImplemented


@numpy_names
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of matrices in the last two axes, the others broadcast.

    A vector stands for a row on the left and for a column on the right.

    Raises: RuntimeError, naming the shapes and dtypes, if they do not fit.
    """
    if array_of(input).dtype.kind == "b" or array_of(other).dtype.kind == "b":
        raise NotImplementedError("products of bools are not provided; convert with .int()")
    return _product(input, other)


def _check_axes(name: str, *given: tuple[Any, int]) -> None:
    """Raises: RuntimeError if a Tensor has not the number of axes that stands beside it."""
    for x, count in given:
        if array_of(x).ndim != count:
            shapes = ", ".join(str(tuple(x.shape)) for x, _ in given)
            kinds = ", ".join(_KINDS[n] for _, n in given)
            raise RuntimeError(f"{name}: expected {kinds}, got shapes {shapes}")


_KINDS = ("a number", "a vector", "a matrix", "a batch of matrices")


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    _check_axes("mm", (input, 2), (mat2, 2))
    return matmul(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of the matrices of two batches of the same length."""
    _check_axes("bmm", (input, 3), (mat2, 3))
    if len(input._array) != len(mat2._array):
        raise RuntimeError(f"bmm: batches of {len(input._array)} and {len(mat2._array)} matrices")
    return matmul(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    _check_axes("mv", (input, 2), (vec, 1))
    return matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors."""
    _check_axes("dot", (input, 1), (tensor, 1))
    return matmul(input, tensor)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last axes; with a 0-d tensor just the product."""
    if not array_of(input).ndim or not array_of(other).ndim:
        return input * other
    _check_dtypes("inner", input, other)
    return tensordot(input, other, ([-1], [-1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The matrix of the products of two vectors, converted to a common dtype."""
    _check_axes("outer", (input, 1), (vec2, 1))
    return reshape(input, -1, 1) * vec2


ger = outer


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); with beta=0 `input` does not count, even if nan."""
    return _added(input, mm(mat1, mat2), beta, alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """As addmm, of each pair of matrices of two batches."""
    return _added(input, bmm(batch1, batch2), beta, alpha)


def _added(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    _check_dtypes("addmm", input, product)
    expand(input, product._array.shape)  # which refuses to broadcast the product
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    return product + (input if beta == 1 else input * beta)


def _check_dtypes(name: str, *given: Tensor) -> None:
    kinds = [str(x.dtype) for x in given]
    if len(set(kinds)) > 1:
        raise RuntimeError(
            f"{name}: expected arguments of one dtype, got {' and '.join(kinds)}; "
            "convert with .to(dtype)"
        )


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Any] | Tensor = 2) -> Tensor:
    """The sums of products over axes of both: the last `dims` of a and first of b, or a list each.

    >>> import autodiff
    >>> tensordot(autodiff.ones(2, 3, 4), autodiff.ones(4, 3), ([1, 2], [1, 0])).tolist()
    [12.0, 12.0]
    """
    _check_dtypes("tensordot", a, b)
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(a._array.ndim, b._array.ndim):
            raise RuntimeError(f"tensordot: dims={dims} for {a.ndim} and {b.ndim} axes")
        dims = list(range(-dims, 0)), list(range(dims))
    axes_a, axes_b = (axes_of(x, d) for x, d in zip((a, b), dims, strict=True))
    if len(axes_a) != len(axes_b):
        raise RuntimeError(f"tensordot: dims={dims} must name as many axes of both")
    letters = ops.LETTERS
    of_a = list(letters[: a._array.ndim])
    of_b = list(letters[a._array.ndim :][: b._array.ndim])
    for i, j in zip(axes_a, axes_b, strict=True):
        of_b[j] = of_a[i]
    output = [c for c in of_a + of_b if (c in of_a) != (c in of_b)]
    subscripts = f"{''.join(of_a)},{''.join(of_b)}->{''.join(output)}"
    return apply(ops.einsum, (a, b), {"subscripts": subscripts})


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    _check_axes("trace", (input, 2))
    return apply(sum, (diagonal(input),))


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: a copy of `other` for each element of `input`, times that element."""
    n = max(array_of(input).ndim, array_of(other).ndim)
    a, b = ((1,) * (n - x._array.ndim) + x._array.shape for x in (input, other))
    pairs = zip(a, b, strict=True)
    x = reshape(input, [k for n in a for k in (n, 1)])
    y = reshape(other, [k for n in b for k in (1, n)])
    return reshape(x * y, [n * m for n, m in pairs])


def einsum(*args: Any) -> Tensor:
    """Einstein's summation: the products of the operands' elements, summed over all other labels.

    einsum("bij,bjk->bik", x, y), or labels as integers, einsum(x, [0, 1], y, [1, 2], [0, 2]). A
    label that stands twice for one operand takes its diagonal; "..." stands for any axes, which
    broadcast; without "->" the output has the labels that stand once, sorted.

    >>> import autodiff
    >>> einsum("ii", autodiff.eye(3)).item()
    3.0
    """
    if not args or (isinstance(args[0], str) and len(args) < 2):
        raise ValueError("einsum: expected labels and at least one operand")
    if isinstance(args[0], str):
        subscripts, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = tuple(operands[0])
    else:
        operands = args[: len(args) // 2 * 2 : 2]
        subscripts = ",".join(map(_letters, args[1::2]))
        if len(args) % 2:
            subscripts += "->" + _letters(args[-1])
    for x in operands:
        array_of(x)
    return apply(ops.einsum, operands, {"subscripts": subscripts})


def _letters(labels: Sequence[Any]) -> str:
    """Labels that are integers or Ellipsis as letters."""
    letters = []
    for label in labels:
        if label is not Ellipsis and not 0 <= operator.index(label) < len(ops.LETTERS):
            raise ValueError(f"einsum: labels are integers from 0 to 51, got {label}")
        letters.append("..." if label is Ellipsis else (ops.LETTERS[26:] + ops.LETTERS[:26])[label])
    return "".join(letters)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b over the last axis.

    Shapes: input (..., in), weight (out, in), bias (out,) -> (..., out).
    """
    return apply(ops.linear, (input, weight) if bias is None else (input, weight, bias))
