"""Norms and condition numbers of matrices, and distances, under PyTorch's names."""

import math
from collections.abc import Sequence

import numpy as np

from autodiff.composed.conversion import to
from autodiff.composed.decompositions import check_matrices, inv_ex, svdvals
from autodiff.composed.elementwise import clamp_min, isnan, sqrt, where
from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.reduction import Dim, DType, amax, amin, sum, vector_norm
from autodiff.composed.shape import array_of, axes_of, movedim, reshape
from autodiff.families import numpy_function
from autodiff.tensor import Tensor, make

__all__ = ["cdist", "norm"]
METHODS = ("norm",)
IN_PLACE = ()

Order = float | str | None


@numpy_function(np.linalg.matrix_norm)
@numpy_names
def matrix_norm(
    input: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType = None,
) -> Tensor:
    """A norm of the matrices in two axes.

    "fro" is the root of the sum of squares, "nuc" the sum of the singular values, 2 and -2 the
    largest and smallest of them; 1 and -1 the largest and smallest sum of sizes of a column, inf
    and -inf of a row. Raises: RuntimeError for other orders and for integers.
    """
    if array_of(input).ndim < 2 or not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError(
            f"matrix_norm is over two axes, got dim={dim!r} of a tensor of shape "
            f"{tuple(input.shape)}"
        )
    rows, columns = axes_of(input, tuple(dim))
    if ord == "fro":
        return vector_norm(input, 2, (rows, columns), keepdim, dtype=dtype)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(f'matrix_norm: ord must be "fro", "nuc", ±1, ±2 or ±inf, got {ord!r}')
    x = movedim(input if dtype is None else to(input, dtype=dtype), (rows, columns), (-2, -1))
    if ord in ("nuc", 2, -2):
        sizes = svdvals(x)
    else:
        sizes = vector_norm(x, 1, -2 if ord in (1, -1) else -1)
    if ord == "nuc" or (ord > 0 and not sizes._array.shape[-1]):  # type: ignore[operator]
        result = sum(sizes, -1)
    else:
        result = (amax if ord > 0 else amin)(sizes, -1)  # type: ignore[operator]
    if not keepdim:
        return result
    lengths = enumerate(input._array.shape)
    return reshape(result, [1 if a in (rows, columns) else n for a, n in lengths])


@numpy_names
def norm(
    input: Tensor,
    p: Order = "fro",
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType = None,
) -> Tensor:
    """The norm of order p of the elements over `dim` as one vector; see linalg.vector_norm.

    "fro" is order 2, "nuc" the sum of the singular values of matrices. Raises: RuntimeError for
    integers and other names.
    """
    if p == "nuc":
        dim = tuple(range(array_of(input).ndim)) if dim is None else dim
        return matrix_norm(input, "nuc", dim, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: p must be a number, 'fro' or 'nuc', got {p!r}")
    return vector_norm(input, 2.0 if p is None or p == "fro" else p, dim, keepdim, dtype=dtype)  # type: ignore[arg-type]


@numpy_names
def linalg_norm(
    input: Tensor,
    ord: Order = None,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType = None,
) -> Tensor:
    """linalg.norm: the norm of a vector over one `dim`, of a matrix over two; see both.

    Without `ord` the root of the sum of squares, of any tensor. Raises: RuntimeError for integers.
    """
    n = array_of(input).ndim
    if isinstance(dim, (tuple, list)) and len(dim) not in (1, 2):
        raise RuntimeError(f"norm: dim must be one axis or two, got {tuple(dim)}")
    if ord is None:
        return vector_norm(input, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if n not in (1, 2):
            raise RuntimeError(
                f"norm with ord={ord!r} is of a vector or a matrix if dim is not given, "
                f"got shape {tuple(input.shape)}"
            )
        dim = tuple(range(n))
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    if len(dims) == 2 or isinstance(ord, str):
        return matrix_norm(input, ord, dims, keepdim, dtype=dtype)
    return vector_norm(input, ord, dims, keepdim, dtype=dtype)


@numpy_function(np.linalg.cond)
@numpy_names
def cond(input: Tensor, p: Order = None) -> Tensor:
    """norm(A) norm(A^-1), in the 2-norm by default; inf for a singular matrix.

    p: as `ord` of matrix_norm. With None, 2 and -2 the matrices need not be square.
    """
    check_matrices("cond", input, square=p not in (None, 2, -2))
    if not input._array.size:
        return make(np.zeros(input._array.shape[:-2], input._array.dtype))
    if p in (None, 2, -2, "nuc"):
        s = svdvals(input)
        if p == "nuc":
            return sum(s, -1) * sum(1 / s, -1)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    size, inverse = matrix_norm(input, p), matrix_norm(inv_ex(input).inverse, p)
    return where(isnan(inverse), math.inf, size * inverse)


# Distances

_EUCLIDEAN = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = _EUCLIDEAN[0]) -> Tensor:
    """The p-norm of the difference of each row of x1 and each row of x2; the gradient at 0 is 0.

    compute_mode: with p=2, whether to compute |a|^2 + |b|^2 - 2 a.b, which is faster and less
    exact for points close together; by default for more than 25 rows.

    Shapes: x1 (..., P, M), x2 (..., R, M) -> (..., P, R)
    Raises: RuntimeError for integers, mixed dtypes, p < 0 and shapes that do not fit; ValueError
        for another compute_mode.
    """
    (rows, n), (others, m) = (check_matrices("cdist", x, square=False) for x in (x1, x2))
    if x1._array.dtype != x2._array.dtype or n != m or p < 0:
        raise RuntimeError(
            f"cdist needs rows of one length and dtype, and p >= 0; got {x1.dtype} of shape "
            f"{tuple(x1.shape)}, {x2.dtype} of shape {tuple(x2.shape)}, p={p}"
        )
    if compute_mode not in _EUCLIDEAN:
        raise ValueError(f"cdist: compute_mode must be one of {_EUCLIDEAN}, got {compute_mode!r}")
    if p == 2 and compute_mode in _EUCLIDEAN[max(rows, others) <= 25 : 2]:
        squares = sum(x1 * x1, -1, True) + sum(x2 * x2, -1)[..., None, :]
        squares = clamp_min(squares - 2 * (x1 @ x2.mT), 0)
        apart = squares > 0
        return where(apart, sqrt(where(apart, squares, 1)), 0)
    difference = x1[..., :, None, :] - x2[..., None, :, :]
    return vector_norm(difference, p if n else 2, -1)  # of no elements also the inf-norm is 0
