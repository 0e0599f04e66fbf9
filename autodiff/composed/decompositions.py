"""Inverses, systems of equations and decompositions of matrices, under PyTorch's names.

All are of the matrices in the last two axes; the axes before are a batch. They are of floats of 32
or 64 bits, and raise a RuntimeError for other dtypes and for shapes that do not fit. Of a matrix
that must be symmetric one triangle is read, and the gradient is symmetric.
"""

import operator
from collections import namedtuple
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.composed.conversion import to
from autodiff.composed.elementwise import isnan, where
from autodiff.composed.linalg import matmul
from autodiff.composed.numpy_names import numpy_names
from autodiff.composed.reduction import amax, any, sum
from autodiff.composed.shape import array_of, expand
from autodiff.families import numpy_function
from autodiff.ops import decompositions as ops
from autodiff.tensor import Tensor, apply, make

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "det",
    "inverse",
    "logdet",
    "matrix_power",
    "pinverse",
    "slogdet",
]
METHODS = tuple(__all__)
IN_PLACE = ()

Tolerance = float | Tensor | None


def check_matrices(name: str, A: Tensor, square: bool = True) -> tuple[int, int]:
    """The numbers of rows and columns. Raises: RuntimeError if A is no float, square matrix."""
    array = array_of(A)
    if array.dtype.kind != "f" or array.itemsize < 4:
        raise RuntimeError(
            f"{name} is of float32 or float64, got {A.dtype}; convert first, with .float()"
        )
    shape = array.shape
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "square matrices" if square else "matrices"
        raise RuntimeError(f"{name} is of {kind}, the last two axes; got shape {shape}")
    return shape[-2:]


def _check_system(name: str, A: Tensor, B: Tensor, rows: int) -> None:
    if array_of(B).dtype != A._array.dtype:
        raise RuntimeError(
            f"{name}: expected arguments of one dtype, got {A.dtype} and {B.dtype}; "
            "convert with .to(dtype)"
        )
    if B._array.ndim < 2 or B._array.shape[-2] != rows:
        raise RuntimeError(
            f"{name}: expected right-hand sides of {rows} rows for matrices of shape "
            f"{A._array.shape}, got shape {B._array.shape}"
        )


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether B is a right-hand side, or one for each matrix of a batch, rather than a matrix."""
    a, b = array_of(A).shape, array_of(B).shape
    return len(b) == 1 or (len(a) - 1 == len(b) and b == a[:-1])


# Inverses and equations


@numpy_names
def inverse(input: Tensor) -> Tensor:
    """The inverse. Raises: LinAlgError if a matrix is singular."""
    check_matrices("inv", input)
    return apply(ops.inv, (input,))


_inv_ex = namedtuple("inv_ex", ("inverse", "info"))  # type: ignore[name-match]
_solve_ex = namedtuple("solve_ex", ("result", "info"))  # type: ignore[name-match]
_cholesky_ex = namedtuple("cholesky_ex", ("L", "info"))  # type: ignore[name-match]


def _singular(A: Tensor) -> Tensor:
    """1 for each matrix whose elimination comes to a pivot of 0, else 0."""
    return to(slogdet(A.detach()).sign == 0, dtype=dtypes.int32)


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(inverse, info): info is not 0 where there is no inverse, and the inverse nan there."""
    check_matrices("inv_ex", A)
    result = apply(ops.inv, (A,), {"check": check_errors})
    return _inv_ex(result, _singular(A))


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B, or X A = B with left=False; B may be a vector, or a batch of them.

    Raises: LinAlgError if a matrix is singular.

    >>> import autodiff
    >>> solve(autodiff.tensor([[2.0, 0.0], [0.0, 4.0]]), autodiff.tensor([1.0, 1.0]))
    tensor([0.5000, 0.2500])
    """
    return _solved(A, B, left, True)


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(result, info): as `solve`; info is not 0 where A is singular, and the result nan there."""
    return _solve_ex(_solved(A, B, left, check_errors), _singular(A))


def _solved(A: Tensor, B: Tensor, left: bool, check: bool) -> Tensor:
    n, _ = check_matrices("solve", A)
    if _is_vector(A, B):
        return _solved(A, B[..., None], left, check)[..., 0]
    if not left:
        return _solved(A.mT, B.mT, True, check).mT
    _check_system("solve", A, B, n)
    return apply(ops.solve, (A, B), {"check": check})


def solve_triangular(
    input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """X with A X = B, or X A = B with left=False; of A = input one triangle is read.

    A zero on the diagonal is no error: it gives inf or nan. With `unitriangular` the diagonal
    counts as ones.
    """
    n, _ = check_matrices("solve_triangular", input)
    if not left:
        options = {"upper": not upper, "unitriangular": unitriangular}
        return solve_triangular(input.mT, B.mT, **options).mT
    _check_system("solve_triangular", input, B, n)
    return apply(ops.solve_triangular, (input, B), {"upper": upper, "unit": unitriangular})


@numpy_function(np.linalg.matrix_power)
@numpy_names
def matrix_power(input: Tensor, n: int) -> Any:
    """The product of n copies of a matrix, or of its inverse if n < 0."""
    n = operator.index(n)
    if n < 0:
        return matrix_power(inverse(input), -n)
    shape = array_of(input).shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise RuntimeError(f"matrix_power is of square matrices, got shape {shape}")
    if n == 0:
        return expand(make(np.eye(shape[-1], dtype=input._array.dtype)), shape)
    result, square = None, input
    while n:
        if n % 2:
            result = square if result is None else matmul(result, square)
        n //= 2
        square = matmul(square, square) if n else square
    return input.clone() if result is input else result


# Determinants

_slogdet = namedtuple("slogdet", ("sign", "logabsdet"))  # type: ignore[name-match]


@numpy_names
def det(input: Tensor) -> Tensor:
    """The determinant; the gradient is right for singular matrices too, the second is nan there."""
    check_matrices("det", input)
    return apply(ops.det, (input,))


@numpy_function(np.linalg.slogdet)
@numpy_names
def slogdet(input: Tensor) -> Any:
    """(sign, logabsdet) of the determinant; (0, -inf) of a singular matrix, with gradient nan."""
    check_matrices("slogdet", input)
    packed = apply(ops.slogdet, (input,))
    return _slogdet(packed[..., 0], packed[..., 1])


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; nan if that is negative."""
    sign, logabsdet = slogdet(input)
    return where(sign < 0, float("nan"), logabsdet)


def _of_A(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """The function as torch.linalg has it: its argument is called A."""

    @wraps(function)
    def renamed(A: Tensor) -> Any:
        return function(A)

    return renamed


linalg_inv, linalg_det, linalg_slogdet = map(_of_A, (inverse, det, slogdet))

# Cholesky


@numpy_function(np.linalg.cholesky)
@numpy_names
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangle L with L L^T = input; with `upper` its transpose, of the upper triangle.

    Raises: LinAlgError if a matrix is not positive definite.
    """
    return _cholesky(input, upper, True)


def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info): info is not 0 where a matrix is not positive definite, and L nan there."""
    result = _cholesky(input, upper, check_errors)
    failed = any(isnan(result.detach()), (-2, -1))
    return _cholesky_ex(result, to(failed, dtype=dtypes.int32))


def _cholesky(input: Tensor, upper: bool, check: bool) -> Tensor:
    check_matrices("cholesky", input)
    if upper:
        return _cholesky(input.mT, False, check).mT
    return apply(ops.cholesky, (input,), {"check": check})


def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """X with A X = input, for A = L L^T with L = input2, or L^T L if `upper`."""
    check_matrices("cholesky_solve", input2)
    lower, higher = (input2.mT, input2) if upper else (input2, input2.mT)
    return solve_triangular(higher, solve_triangular(lower, input, upper=False), upper=True)


def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of L L^T with L = input, or of L^T L if `upper`."""
    n, _ = check_matrices("cholesky_inverse", input)
    return cholesky_solve(make(np.eye(n, dtype=input._array.dtype)), input, upper)


# Decompositions

_qr = namedtuple("qr", ("Q", "R"))  # type: ignore[name-match]
_eigh = namedtuple("eigh", ("eigenvalues", "eigenvectors"))  # type: ignore[name-match]
_svd = namedtuple("svd", ("U", "S", "Vh"))  # type: ignore[name-match]


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with A = Q R, Q orthogonal and R an upper triangle.

    Shapes: A (..., m, n) -> Q (..., m, k), R (..., k, n), k the smaller of m and n; with mode
    "complete" k is m, which has no derivative if m > n; with "r" Q is empty.
    """
    m, _ = check_matrices("qr", A, square=False)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f'qr: mode must be "reduced", "complete" or "r", got {mode!r}')
    packed = apply(ops.qr, (A,), {"complete": mode == "complete"})
    Q, R = ops.qr_parts(packed, m)
    return _qr(make(np.empty(0, A._array.dtype)) if mode == "r" else Q, R)


@numpy_function(np.linalg.qr)
def _numpy_qr(a: Tensor, mode: str = "reduced") -> Any:
    return qr(a, mode).R if mode == "r" else qr(a, mode)


@numpy_function(np.linalg.eigh)
@numpy_names
def eigh(input: Tensor, UPLO: str = "L") -> Any:
    """(eigenvalues, eigenvectors) of symmetric matrices, ascending; the vectors are columns.

    UPLO: which triangle is read, "L" the lower or "U" the upper one. The gradient of vectors of
    equal eigenvalues is not defined: inf or nan.
    """
    packed = apply(ops.eigh, (input,), _triangle("eigh", input, UPLO))
    return _eigh(*ops.eigh_parts(packed))


@numpy_names
def eigvalsh(input: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending; see `eigh`."""
    return apply(ops.eigvalsh, (input,), _triangle("eigvalsh", input, UPLO))


def _triangle(name: str, A: Tensor, UPLO: str) -> dict[str, Any]:
    check_matrices(name, A)
    if UPLO not in ("L", "U", "l", "u"):
        raise RuntimeError(f'{name}: UPLO must be "L" or "U", got {UPLO!r}')
    return {"UPLO": UPLO.upper()}


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vh) with A = U diag(S) Vh, S descending, U and Vh orthogonal.

    Of `full_matrices` the vectors beyond S have no gradient. That of vectors of equal singular
    values, or of 0, is not defined: inf or nan.

    Shapes: A (..., m, n) -> U (..., m, k), S (..., k), Vh (..., k, n), k the smaller of m and n;
    with full_matrices U (..., m, m), Vh (..., n, n).
    Raises: LinAlgError if an element is not finite.
    """
    m, n = check_matrices("svd", A, square=False)
    packed = apply(ops.svd, (A,), {"full": full_matrices})
    return _svd(*ops.svd_parts(packed, m, n, full_matrices))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending."""
    check_matrices("svdvals", A, square=False)
    return apply(ops.svdvals, (A,))


@numpy_function(np.linalg.svd)
def _numpy_svd(a: Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    return svd(a, full_matrices) if compute_uv else svdvals(a)


# Of matrices that may be singular


def tolerances(A: Tensor, atol: Tolerance, rtol: Tolerance) -> list[Any]:
    """The thresholds for singular values, absolute and relative to the largest.

    Without either of them the relative one is eps times the longer side.
    """
    usual = dtypes.finfo(A.dtype).eps * max(A._array.shape[-2:])
    if rtol is None:
        if isinstance(atol, Tensor):
            rtol = where(atol > 0, 0.0, usual)
        else:
            rtol = 0.0 if atol else usual
    atol = 0.0 if atol is None else atol
    return [x[..., None] if isinstance(x, Tensor) and x._array.ndim else x for x in (atol, rtol)]


@numpy_names
def pinv(
    input: Tensor,
    rcond: Tolerance = None,
    hermitian: bool = False,
    *,
    atol: Tolerance = None,
    rtol: Tolerance = None,
) -> Tensor:
    """The pseudo-inverse of Moore and Penrose.

    Singular values are taken for 0 up to `atol`, and up to `rtol` (or `rcond`) times the largest,
    by default eps times the longer side. hermitian: the matrices are symmetric.
    """
    check_matrices("pinv", input, square=hermitian)
    thresholds = tolerances(input, atol, rcond if rtol is None else rtol)
    return apply(ops.pinv, (input, *thresholds), {"hermitian": hermitian})


@numpy_function(np.linalg.pinv)
def _numpy_pinv(a: Tensor, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return pinv(a, rcond, hermitian, rtol=rtol)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse; see linalg.pinv."""
    return pinv(input, rcond)


@numpy_function(np.linalg.matrix_rank)
@numpy_names
def matrix_rank(
    input: Tensor,
    tol: Tolerance = None,
    hermitian: bool = False,
    *,
    atol: Tolerance = None,
    rtol: Tolerance = None,
) -> Tensor:
    """The number of singular values above `atol` (or `tol`) and `rtol` times the largest."""
    check_matrices("matrix_rank", input, square=hermitian)
    size = eigvalsh(input).abs() if hermitian else svdvals(input)
    return _rank(size.detach(), *tolerances(input, tol if atol is None else atol, rtol))


def _rank(size: Tensor, atol: Any, rtol: Any) -> Tensor:
    above = size > atol
    if size._array.shape[-1]:
        above = above & (size > amax(size, -1, True) * rtol)
    return sum(above, -1)


_lstsq = namedtuple("lstsq", ("solution", "residuals", "rank", "singular_values"))  # type: ignore[name-match]
_DRIVERS = ("gelsy", "gels", "gelsd", "gelss")


def lstsq(
    input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> Any:
    """(solution, residuals, rank, singular_values): the shortest X with the least |input X - b|.

    All drivers compute the pseudo-inverse; which of the other results are empty is PyTorch's:
    residuals, the squared distances of the columns, for "gelsy" (the default) and if `input` is
    not higher than wide; rank for "gels"; singular_values unless "gelsd" or "gelss". Unlike
    PyTorch's the residuals are there also if the rank is not full.
    """
    m, n = check_matrices("lstsq", input, square=False)
    driver = driver or "gelsy"
    if driver not in _DRIVERS:
        raise RuntimeError(f"lstsq: driver must be one of {', '.join(_DRIVERS)}, got {driver!r}")
    columns = b[..., None] if _is_vector(input, b) else b
    _check_system("lstsq", input, columns, m)
    solution = matmul(pinv(input, rcond), columns)
    residuals = rank = values = make(np.empty(0, input._array.dtype))
    if m > n and driver != "gelsy":
        residuals = sum((matmul(input, solution) - columns) ** 2, -2)
    if driver == "gels":
        rank = to(rank, dtype=dtypes.int64)
    else:
        sizes = svdvals(input.detach())
        rank = _rank(sizes, *tolerances(input, None, rcond))
        values = sizes if driver != "gelsy" else values
    return _lstsq(solution[..., 0] if columns is not b else solution, residuals, rank, values)
