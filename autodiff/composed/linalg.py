"""Products of vectors, matrices and arrays, under PyTorch's names.

The arguments must be of one dtype unless said otherwise: nothing is converted silently.
"""

import operator
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.selection import diagonal
from autodiff.composed.shape import array_of, axes_of, axis_of, cat, expand, reshape, roll
from autodiff.families import numpy_function
from autodiff.ops import linalg as ops
from autodiff.ops.reduce import sum
from autodiff.ops.shape import pad
from autodiff.tensor import Tensor, apply, binary, reflected

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "block_diag",
    "bmm",
    "chain_matmul",
    "cross",
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
    "vdot",
]
METHODS = (
    *(
        name
        for name in __all__
        if name not in ("block_diag", "chain_matmul", "einsum", "tensordot")
    ),
    "__matmul__",
    "__rmatmul__",
)
IN_PLACE = ("addbmm", "addmm", "addmv", "addr", "baddbmm")

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
    shapes = [array_of(x).shape for x, _ in given]
    if list(map(len, shapes)) != [count for _, count in given]:
        kinds = ", ".join(_KINDS[n] for _, n in given)
        raise RuntimeError(f"{name}: expected {kinds}, got shapes {', '.join(map(str, shapes))}")


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


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of two vectors; see `dot`."""
    return dot(input, other)


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


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """As addmm, of a matrix and a vector."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2), converted to a common dtype."""
    return _sum(input, outer(vec1, vec2), beta, alpha)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """As addmm, of the sum of the products of each pair of matrices of two batches."""
    return _added("addbmm", input, apply(sum, (bmm(batch1, batch2),), {"axis": 0}), beta, alpha)


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); with beta=0 `input` does not count, even if nan."""
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """As addmm, of each pair of matrices of two batches."""
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def _added(name: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    _check_dtypes(name, input, product)
    return _sum(input, product, beta, alpha)


def _sum(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    expand(input, product._array.shape)  # which refuses to broadcast the product
    if product._array.dtype.kind != "f" and float in (type(beta), type(alpha)):
        raise RuntimeError(f"beta and alpha of integers must be integers, got {beta} and {alpha}")
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    return product + (input if beta == 1 else input * beta)


def _check_dtypes(name: str, *given: Tensor) -> None:
    for x in given:
        array_of(x)
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
    if not isinstance(dims, list | tuple) or len(dims) != 2:
        raise RuntimeError(f"tensordot: dims must be a number or two lists of axes, got {dims!r}")
    axes_a, axes_b = axes_of(a, dims[0]), axes_of(b, dims[1])
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


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of the products along `dim`, the other axes broadcast.

    Raises: RuntimeError for integers.
    """
    if "f" not in (array_of(x).dtype.kind, array_of(y).dtype.kind):
        raise RuntimeError(f"vecdot is of floats, got {x.dtype} and {y.dtype}; use .float()")
    return apply(sum, (x * y,), {"axis": axis_of(x, dim) - array_of(x).ndim})


@numpy_names
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of the vectors of length 3 along `dim`, the other axes broadcast."""
    _check_dtypes("cross", input, other)
    shapes = array_of(input).shape, array_of(other).shape
    axis = axis_of(input, dim)
    if len(shapes[0]) != len(shapes[1]) or any(s[axis : axis + 1] != (3,) for s in shapes):
        raise RuntimeError(f"cross: expected vectors of length 3 along dim={dim}, got {shapes}")
    x, y = (roll(a, -1, axis) for a in (input, other))
    return roll(input * y - x * other, -1, axis)


@numpy_names
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """As linalg.cross, by default along the first axis of length 3."""
    if dim is None:
        shape = array_of(input).shape
        if 3 not in shape:
            raise RuntimeError(f"cross: no axis of length 3 in shape {shape}")
        dim = shape.index(3)
    return linalg_cross(input, other, dim=dim)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of matrices, in the order of least work; the first and last may be vectors."""
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot: expected at least 2 tensors, got {len(tensors)}")
    first, *middle, last = tensors
    given = [array_of(x).ndim for x in (first, last)]
    if any(n not in (1, 2) for n in given) or any(array_of(x).ndim != 2 for x in middle):
        shapes = ", ".join(str(tuple(x.shape)) for x in tensors)
        raise RuntimeError(f"multi_dot: expected matrices, or a vector at an end, got {shapes}")
    if given[0] == 1:
        first = reshape(first, 1, -1)
    if given[1] == 1:
        last = reshape(last, -1, 1)
    result = chain_matmul(first, *middle, last)
    lengths = [n for n, axes in zip(result._array.shape, given, strict=True) if axes == 2]
    return reshape(result, lengths) if min(given) == 1 else result


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, in the order of least work: Cormen et al., "Algorithms", 15.2."""
    if not matrices:
        raise RuntimeError("chain_matmul needs one matrix or more")
    _check_axes("chain_matmul", *[(x, 2) for x in matrices])
    for a, b in pairwise(matrices):
        if a._array.shape[1] != b._array.shape[0]:
            raise RuntimeError(f"chain_matmul: shapes {a._array.shape} and {b._array.shape}")
    n = len(matrices)
    sizes = [*(len(x._array) for x in matrices), matrices[-1]._array.shape[1]]
    plans = {(i, i): (0, i) for i in range(n)}  # of matrices i to j the work, and where to part
    for i, j in [(i, i + span) for span in range(1, n) for i in range(n - span)]:
        plans[i, j] = min(
            (plans[i, k][0] + plans[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
            for k in range(i, j)
        )

    def product(i: int, j: int) -> Tensor:
        k = plans[i, j][1]
        return matrices[i] if i == j else matmul(product(i, k), product(k + 1, j))

    return product(0, n - 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with these matrices along its diagonal, zeros elsewhere; a vector is a row."""
    if any(array_of(x).ndim > 2 for x in tensors):
        shapes = ", ".join(str(tuple(x.shape)) for x in tensors)
        raise RuntimeError(f"block_diag: expected at most two axes, got shapes {shapes}")
    blocks = [x if x._array.ndim == 2 else reshape(x, 1, -1) for x in tensors]
    if not blocks:
        return Tensor(1, 0)
    widths = [x._array.shape[1] for x in blocks]
    starts = [*accumulate(widths, initial=0)]
    rows = [
        apply(pad, (x,), {"pad_width": ((0, 0), (start, starts[-1] - start - width))})
        for x, start, width in zip(blocks, starts, widths)
    ]
    return cat(rows)


@numpy_function(np.linalg.diagonal)
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals over two axes; see `diagonal`."""
    return diagonal(A, offset, dim1, dim2)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    _check_axes("trace", (input, 2))
    kind = {} if input._array.dtype.kind == "f" else {"dtype": np.dtype(np.int64)}
    return apply(sum, (diagonal(input),), kind)


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
    if args and isinstance(args[0], str):
        subscripts, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = tuple(operands[0])
    else:
        operands = args[: len(args) // 2 * 2 : 2]
        subscripts = ",".join(map(_letters, args[1::2]))
        if len(args) % 2:
            subscripts += "->" + _letters(args[-1])
    if not operands:
        raise ValueError("einsum: expected at least one operand")
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
