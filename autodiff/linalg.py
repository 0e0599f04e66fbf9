"""Linear algebra, under PyTorch's names."""

from autodiff.composed.decompositions import (
    cholesky,
    cholesky_ex,
    eigh,
    eigvalsh,
    inv_ex,
    lstsq,
    matrix_power,
    matrix_rank,
    pinv,
    qr,
    solve,
    solve_ex,
    solve_triangular,
    svd,
    svdvals,
)
from autodiff.composed.decompositions import linalg_det as det
from autodiff.composed.decompositions import linalg_inv as inv
from autodiff.composed.decompositions import linalg_slogdet as slogdet
from autodiff.composed.linalg import linalg_cross as cross
from autodiff.composed.linalg import linalg_diagonal as diagonal
from autodiff.composed.linalg import matmul, multi_dot, vecdot
from autodiff.composed.norms import cond, matrix_norm
from autodiff.composed.norms import linalg_norm as norm
from autodiff.composed.reduction import vector_norm
from autodiff.errors import LinAlgError

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "inv_ex",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "vecdot",
    "vector_norm",
]
