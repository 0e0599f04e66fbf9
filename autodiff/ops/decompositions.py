"""Systems of linear equations and decompositions of matrices, of all those in the last two axes.

An operation has one output, so a decomposition is packed: row i of its output holds what belongs to
the i-th eigenvalue, singular value or vector of Q, and `eigh_parts` and its like are views of that.
One factorisation serves all parts and one rule all their gradients; of a part that is not used the
gradient is zero. The rules: Giles 2008, "An extended collection of matrix derivative results";
Walter & Lehmann 2012, arXiv:1009.6112 (QR); Murray 2016, arXiv:1602.07527 (Cholesky).
"""

import math

import numpy as np

from autodiff.families import general, numpy_function
from autodiff.ops.shape import concatenate, tril, triu

# Equations


def _computed(function, check, *matrices):
    """`function` of matrices; without `check`, where it fails for one, nan in place of an error."""
    try:
        return function(*matrices)
    except np.linalg.LinAlgError:
        if check:
            raise
    batch = np.broadcast_shapes(*[x.shape[:-2] for x in matrices])
    spread = [np.broadcast_to(x, batch + x.shape[-2:]) for x in matrices]
    out = np.full(spread[-1].shape, math.nan, spread[-1].dtype)
    for i in np.ndindex(batch):
        try:
            out[i] = function(*[x[i] for x in spread])
        except np.linalg.LinAlgError:
            continue
    return out


def _inv(x, /, check=True):
    """The inverse. Raises: LinAlgError if x is singular, unless told not to check."""
    return _computed(np.linalg.inv, check, x)


def _solve(a, b, /, check=True):
    """The matrix y with a y = b. Raises: LinAlgError if a is singular, unless told not to check."""
    return _computed(np.linalg.solve, check, a, b)


def _back_substituted(a, b):
    """The matrix y with a y = b, of a the upper triangle.

    By halves, so that most of the work is in products: NumPy has no triangular solver, and its
    general one takes n^3 operations. On small blocks that one does no more than substitute, as
    there is nothing below the diagonal to eliminate. For 500 equations 0.5 ms, not 3.6.
    """
    n = a.shape[-1]
    if n <= 64:
        try:
            return np.linalg.solve(np.triu(a), b)
        except np.linalg.LinAlgError:  # a zero on the diagonal: inf or nan, as division gives
            if n == 1:
                return b / a
    half = n // 2
    last = _back_substituted(a[..., half:, half:], b[..., half:, :])
    first = b[..., :half, :] - a[..., :half, half:] @ last
    return np.concatenate((_back_substituted(a[..., :half, :half], first), last), -2)


def _solve_triangular(a, b, /, upper, unit=False):
    """The matrix y with a y = b, of a one triangle; with `unit` its diagonal counts as ones.

    A zero on the diagonal is no error: it gives inf or nan.
    """
    if unit:
        a = np.triu(a, 1) + np.tril(a, -1) + np.eye(a.shape[-1], dtype=a.dtype)
    if upper:
        return _back_substituted(a, b)
    return _back_substituted(a[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :]


def _solve_triangular_a(g, a, out, upper, unit):
    g = solve_triangular(a.mT, g, upper=not upper, unit=unit) @ -out.mT
    return triu(g, k=int(unit)) if upper else tril(g, k=-int(unit))


inv = general(_inv, numpy=np.linalg.inv, x=lambda g, out: -out.mT @ g @ out.mT)
solve = general(
    _solve,
    a=lambda g, a, out: solve(a.mT, g, check=False) @ -out.mT,
    b=lambda g, a: solve(a.mT, g, check=False),
)
solve_triangular = general(
    _solve_triangular,
    a=_solve_triangular_a,
    b=lambda g, a, upper, unit: solve_triangular(a.mT, g, upper=not upper, unit=unit),
)


@numpy_function(np.linalg.solve)
def _numpy_solve(a, b):
    return solve(a, b[:, None])[..., 0] if b.ndim == 1 else solve(a, b)


# Determinants


def _det(x, /):
    """The determinant."""
    with np.errstate(invalid="ignore"):  # of nan; the warning would be NumPy's own
        return np.linalg.det(x)


def _cofactors(x):
    """u c vh, where x = u s vh, of det(u vh) times the products of the other elements of s in c."""
    u, s, vh = np.linalg.svd(x)
    one = np.ones_like(s[..., :1])
    before = np.multiply.accumulate(np.concatenate((one, s[..., :-1]), -1), axis=-1)
    after = np.multiply.accumulate(np.concatenate((one, s[..., :0:-1]), -1), axis=-1)[..., ::-1]
    sign = np.rint(np.linalg.det(u) * np.linalg.det(vh))
    return (u * (sign[..., None] * before * after)[..., None, :]) @ vh


def _cofactor(x, /):
    """The derivative of the determinant by each element, right for singular matrices too."""
    return _computed(_cofactors, False, x)


def _cofactor_x(g, x, out):
    """<g, out> x^-T - x^-T g^T out; nan where x is singular."""
    y = inv(x, check=False).mT
    total = np.add.reduce(g * out, axis=(-2, -1), keepdims=True)
    return total * y - y @ g.mT @ out


def _slogdet(x, /):
    """The sign of the determinant and the logarithm of its size, along a new last axis."""
    with np.errstate(invalid="ignore"):
        return np.stack(np.linalg.slogdet(x), -1)


det = general(_det, numpy=np.linalg.det, x=lambda g, x: g[..., None, None] * cofactor(x))
cofactor = general(_cofactor, x=_cofactor_x)
slogdet = general(_slogdet, x=lambda g, x: g[..., 1, None, None] * inv(x, check=False).mT)

# Triangular factors


def _cholesky(x, /, check=True):
    """The lower triangle l with l l^T = x, of x the lower triangle; the gradient is symmetric.

    Raises: LinAlgError if x is not positive definite, unless told not to check.
    """
    out = _computed(np.linalg.cholesky, check, x)
    if check and np.isnan(out).any():
        raise np.linalg.LinAlgError("Matrix is not positive definite")
    return out


def _cholesky_x(g, out):
    """out^-T p out^-1, p the symmetric matrix of half the lower triangle of out^T g."""
    p = out.mT @ g
    half = solve_triangular(out.mT, (tril(p) + tril(p, k=-1).mT) / 2, upper=True)
    return solve_triangular(out.mT, half.mT, upper=True)


def _qr(x, /, complete=False):
    """Rows (column of q, row of r) with x = q r, q orthogonal and r an upper triangle."""
    q, r = np.linalg.qr(x, "complete" if complete else "reduced")
    return np.concatenate((q.mT, r), -1)


def qr_parts(packed, m):
    """The factors q (..., m, k) and r (..., k, n)."""
    return packed[..., :m].mT, packed[..., m:]


def _qr_x(g, out, x_shape):
    """(g_q + q p) r^-T, p the symmetric matrix of the lower triangle of r g_r^T - g_q^T q.

    Of a wide matrix r = (r_1, r_2): the columns of r_2 are those of q^T x.
    """
    m, n = x_shape[-2:]
    if out.shape[-2] > n:
        raise RuntimeError(f"the complete qr of {m} rows and {n} columns has no derivative")
    (q, r), (g_q, g_r) = qr_parts(out, m), qr_parts(g, m)
    if m < n:
        r, rest, g_r, g_rest = r[..., :m], r[..., m:], g_r[..., :m], g_r[..., m:]
        g_q = g_q + q @ rest @ g_rest.mT
    p = r @ g_r.mT - g_q.mT @ q
    left = g_q + q @ (tril(p) + tril(p, k=-1).mT)
    left = solve_triangular(r, left.mT, upper=True).mT
    return concatenate(left, q @ g_rest, axis=-1) if m < n else left


cholesky = general(_cholesky, x=_cholesky_x)
qr = general(_qr, x=_qr_x)

# Eigenvalues and singular values


def _ratio(x, y):
    """x / y, but 0 where both are 0: what is not used of equal eigenvalues has no gradient."""
    return x / np.where((x == 0) & (y == 0), math.inf, y)


def _outer_diagonal(x, y, values):
    """The matrix x diag(values) y^T."""
    return (x * values[..., None, :]) @ y.mT


def _eigh(x, /, UPLO="L"):
    """Rows (eigenvalue, eigenvector) of the symmetric x, eigenvalues ascending.

    Of x the lower, or upper, triangle counts; the gradient is symmetric.
    """
    w, v = np.linalg.eigh(x, UPLO)
    return np.concatenate((w[..., None], v.mT), -1)


def eigh_parts(packed):
    """The eigenvalues (..., n) and as columns their vectors (..., n, n)."""
    return packed[..., 0], packed[..., 1:].mT


def _eigh_x(g, out):
    """The symmetric part of v k v^T, k_ij = (v^T g_v)_ij / (w_j - w_i) and g_w on the diagonal."""
    (w, v), (g_w, g_v) = eigh_parts(out), eigh_parts(g)
    diagonal = np.eye(w.shape[-1], dtype=bool)
    gaps = w[..., None, :] - w[..., None] + diagonal
    k = np.where(diagonal, g_w[..., None], _ratio(v.mT @ g_v, gaps))
    return v @ ((k + k.mT) / 2) @ v.mT


def _eigvalsh(x, /, UPLO="L"):
    """The eigenvalues of the symmetric x alone, which takes half of the time."""
    return np.linalg.eigvalsh(x, UPLO)


def _eigvalsh_x(g, x, UPLO):
    _, v = eigh_parts(eigh(x, UPLO=UPLO))
    return _outer_diagonal(v, v, g)


def _svd(x, /, full=False):
    """Rows (singular value, vector on the left, on the right), singular values descending.

    With `full` there is a row for each of the longer axis, zero where a value or vector ends.
    """
    m, n = x.shape[-2:]
    out = np.zeros((*x.shape[:-2], (max if full else min)(m, n), 1 + m + n), x.dtype)
    for part, found in zip(svd_parts(out, m, n, full), np.linalg.svd(x, full)):
        part[...] = found
    return out


def svd_parts(packed, m, n, full=False):
    """u, s and v^T; as many of each as there are singular values, or with `full` rows."""
    k = min(m, n)
    left, right = (m, n) if full else (k, k)
    u, vh = packed[..., :left, 1 : m + 1].mT, packed[..., :right, m + 1 :]
    return u, packed[..., :k, 0], vh


def _svd_x(g, out, x_shape):
    """u ((j + j^T) s + s (k + k^T) + g_s) v^T, and the parts of g_u and g_v across u and v.

    j_ij = (u^T g_u)_ij / (s_j^2 - s_i^2), and k_ij the same of v.
    """
    m, n = x_shape[-2:]
    (u, s, vh), (g_u, g_s, g_vh) = svd_parts(out, m, n), svd_parts(g, m, n)
    v, g_v = vh.mT, g_vh.mT
    diagonal = np.eye(s.shape[-1], dtype=bool)
    row, column = s[..., None, :], s[..., None]
    gaps = (row - column) * (row + column) + diagonal
    p, q = u.mT @ g_u, v.mT @ g_v
    j, k = _ratio(p, gaps), _ratio(q, gaps)
    middle = (j + j.mT) * row + column * (k + k.mT)
    middle = np.where(diagonal, g_s[..., None], middle)
    if m < n:
        return u @ (middle @ vh + _ratio(g_v - v @ q, row).mT)
    left = u @ middle
    return (left + _ratio(g_u - u @ p, row) if m > n else left) @ vh


def _svdvals(x, /):
    """The singular values alone, which takes half of the time."""
    return np.linalg.svd(x, compute_uv=False)


def _svdvals_x(g, x):
    u, _, vh = svd_parts(svd(x), *x.shape[-2:])
    return _outer_diagonal(u, vh.mT, g)


eigh = general(_eigh, x=_eigh_x)
eigvalsh = general(_eigvalsh, numpy=np.linalg.eigvalsh, x=_eigvalsh_x)
svd = general(_svd, x=_svd_x)
svdvals = general(_svdvals, numpy=np.linalg.svdvals, x=_svdvals_x)


def _pinv(x, atol, rtol, /, hermitian=False):
    """The inverse on the space of the singular values above atol and rtol times the largest one.

    hermitian: x is symmetric. The thresholds have no derivative, and a last axis of length 1 or
    no axes.
    """
    if hermitian:
        s, u = np.linalg.eigh(x)
        vh = u.mT
    else:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
    size = np.abs(s)
    top = np.maximum.reduce(size, axis=-1, keepdims=True, initial=0)
    keep = size > np.maximum(atol, rtol * top)
    return _outer_diagonal(vh.mT, u, keep / np.where(keep, s, 1))


def _pinv_x(g, x, out):
    """The change of the inverse, and that of the spaces on either side: Golub & Pereyra 1973."""
    h = g.mT
    left = (h - x @ (out @ h)) @ out @ out.mT
    right = out.mT @ out @ (h - (h @ out) @ x)
    return left + right - out.mT @ g @ out.mT


pinv = general(_pinv, x=_pinv_x)
