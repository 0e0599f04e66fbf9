"""Operations that take the elements along axes together: reductions, scans, softmax.

Forwards call ufunc.reduce, which spares the 1 to 3 us that np.sum and its like spend in Python.
"""

import math

import numpy as np

from autodiff.families import general, linear, reduction, wide
from autodiff.ops.index import getitem, ungetitem


def _axes(axis):
    return (axis,) if isinstance(axis, int) else axis


def _count(shape, axis):
    """How many elements are reduced to one."""
    return math.prod(shape if axis is None else [shape[a] for a in _axes(axis)])


def _put_back(g, shape, axis, keepdims):
    """g, shaped as the output, with the reduced axes in place; 0-d it broadcasts as it is."""
    if keepdims or axis is None:
        return g
    kept = list(shape)
    for a in _axes(axis):
        kept[a] = 1
    return g.reshape(tuple(kept))


# Sums and products


def _sum(x, /, axis=None, dtype=None, keepdims=False):
    """The sum over axes; of many short rows a product with ones, in a seventh of the time.

    Rows of more than 256 keep add.reduce, which sums by pairs: its error grows less.
    """
    last = x.ndim - 1
    if axis in (-1, last, (-1,), (last,)) and dtype is None and last > 0:
        n = x.shape[-1]
        if 1 < n <= 256 and x.size >= 96 * n and x.dtype.char in "fd" and x.flags.c_contiguous:
            sums = x.reshape((-1, n)).dot(np.ones(n, x.dtype))
            return sums.reshape((*x.shape[:-1], 1) if keepdims else x.shape[:-1])
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _reducer(ufunc):
    """ufunc.reduce as the forward of an operation."""

    def forward(x, /, axis=None, dtype=None, keepdims=False):
        return ufunc.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)

    return forward


@wide
def _mean(x, /, axis=None, keepdims=False):
    """The sum over axes, divided by the number of elements."""
    return _sum(x, axis=axis, keepdims=keepdims) / _count(x.shape, axis)


def _cumsum(x, /, axis, dtype=None):
    """The sums of the elements up to each one along an axis."""
    return np.add.accumulate(x, axis=axis, dtype=dtype)


def _cumprod(x, /, axis, dtype=None):
    """The products of the elements up to each one along an axis."""
    return np.multiply.accumulate(x, axis=axis, dtype=dtype)


def _part(x, axis, part):
    """The key for a slice of one axis."""
    return (slice(None),) * (axis % x.ndim) + (part,)


def _reversed(x, axis):
    return getitem(x, key=_part(x, axis, slice(None, None, -1)))  # a Tensor's x[::-1] is refused


def _next(x, axis, step=1):
    """For each element the one `step` places on along an axis, 0 past the end."""
    moved = x[_part(x, axis, slice(step, None))]
    return ungetitem(moved, key=_part(x, axis, slice(moved.shape[axis])), shape=x.shape)


def _after(x, axis):
    """For each element the product of those after it along an axis."""
    products = _reversed(np.multiply.accumulate(_reversed(x, axis), axis=axis), axis)
    last = np.arange(x.shape[axis]) == x.shape[axis] - 1
    return _next(products, axis) + last.reshape((-1,) + (1,) * (x.ndim - 1 - axis % x.ndim))


def _before(x, axis):
    return _reversed(_after(_reversed(x, axis), axis), axis)


def _prod_x(g, x, axis, keepdims):
    """g times the product of the other elements: no division, so right at zeros."""
    g = _put_back(g, x.shape, axis, keepdims)
    for a in range(x.ndim) if axis is None else _axes(axis):
        g = g * (_before(x, a) * _after(x, a))
        x = np.multiply.reduce(x, axis=a, keepdims=True)
    return g


def _cumprod_x(g, x, axis):
    """The product before each element, times s with s[i] = g[i] + x[i + 1] s[i + 1].

    That recurrence is solved by doubling: s holds its first `step` terms, p the product of the next
    `step` elements. Right at zeros, and made of operations that can be differentiated again.
    """
    s, p, step = g, _next(x, axis), 1
    while step < x.shape[axis]:
        s = s + p * _next(s, axis, step)
        p = p * _next(p, axis, step)
        step *= 2
    return _before(x, axis) * s


sum = reduction(
    _sum,
    numpy=np.add.reduce,
    x=lambda g, x_shape, axis, keepdims: _put_back(g, x_shape, axis, keepdims),
)
mean = reduction(
    _mean,
    promote="float",
    x=lambda g, x_shape, axis, keepdims: _put_back(
        g / _count(x_shape, axis), x_shape, axis, keepdims
    ),
)
prod = reduction(_reducer(np.multiply), name="prod", numpy=np.multiply.reduce, x=_prod_x)
cumsum = linear(
    _cumsum,
    numpy=np.add.accumulate,
    x=lambda g, axis: _reversed(np.add.accumulate(_reversed(g, axis), axis=axis), axis),
)
cumprod = general(_cumprod, numpy=np.multiply.accumulate, x=_cumprod_x)

# Moments and norms


@wide
def _var(x, /, axis=None, ddof=0, keepdims=False):
    """The mean squared distance from the mean over axes, with n - ddof for n."""
    n = _count(x.shape, axis)
    d = x - np.add.reduce(x, axis=axis, keepdims=True) / n
    return np.add.reduce(d * d, axis=axis, keepdims=keepdims) / max(n - ddof, 0)


def _var_x(g, x, axis, ddof, keepdims):
    n = _count(x.shape, axis)
    g = _put_back(g * 2 / max(n - ddof, 0), x.shape, axis, keepdims)
    return g * (x - mean(x, axis=axis, keepdims=True))


@wide
def _std(x, /, axis=None, ddof=0, keepdims=False):
    """The square root of the variance over axes."""
    return np.sqrt(_var(x, axis=axis, ddof=ddof, keepdims=keepdims))


def _std_x(g, x, out, axis, ddof, keepdims):
    """That of the variance, times 1 / (2 out); 0 where all elements are equal."""
    return _var_x(g / (2 * np.where(out == 0, math.inf, out)), x, axis, ddof, keepdims)


@wide
def _vector_norm(x, /, ord=2, axis=None, keepdims=False):
    """(sum |x|^ord)^(1 / ord) over axes, for a finite ord other than 0."""
    if ord != 2:
        return np.add.reduce(np.abs(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)
    if axis is None and not keepdims:
        x = x.reshape(-1)  # a product takes half the time for 640 elements, a fifth for 65536
        return np.sqrt(x.dot(x))
    return np.sqrt(np.add.reduce(x * x, axis=axis, keepdims=keepdims))


def _vector_norm_x(g, x, out, ord, axis, keepdims):
    """g x |x|^(ord - 2) / out^(ord - 1); 0 where x is 0 or out is 0."""
    g, out = (_put_back(a, x.shape, axis, keepdims) for a in (g, out))
    if ord > 1:
        out = np.where(out == 0, math.inf, out)
    if ord == 2:
        return x * (g / out)
    return np.sign(x) * np.where(x == 0, 1.0, np.abs(x)) ** (ord - 1) * (g * out ** (1 - ord))


var = reduction(_var, promote="float", x=_var_x)
std = reduction(_std, promote="float", x=_std_x)
vector_norm = reduction(_vector_norm, promote="float", x=_vector_norm_x)

# Extremes and positions; positions have no derivative


def _argmax(x, /, axis=None, keepdims=False):
    """Where the largest element, or else the first nan, first stands along an axis or of all."""
    return x.argmax(axis=axis, keepdims=keepdims)


def _argmin(x, /, axis=None, keepdims=False):
    """Where the smallest element, or else the first nan, first stands along an axis or of all."""
    return x.argmin(axis=axis, keepdims=keepdims)


def _argmedian(x, /, axis, keepdims=False, ignore_nan=False):
    """Where the lower median of an axis stands; the first nan if there is one not to be ignored."""
    nan = x != x
    count = x.shape[axis] - np.add.reduce(nan, axis=axis, keepdims=True)
    middle = np.maximum(count - 1, 0) // 2
    found = np.take_along_axis(np.argsort(x, axis=axis, kind="stable"), middle, axis)
    if not ignore_nan:
        found = np.where(count < x.shape[axis], nan.argmax(axis=axis, keepdims=True), found)
    return found if keepdims else found.squeeze(axis)


def _median(x, /, ignore_nan=False):
    """The lower median of all elements."""
    x = x.reshape(-1)
    if not x.size:
        return np.full((), math.nan, x.dtype)
    return x[_argmedian(x, axis=0, ignore_nan=ignore_nan)]


def _latest(hits, axis):
    """The position of the latest hit up to each place along an axis."""
    n = hits.shape[axis]
    positions = np.arange(n).reshape((n,) + (1,) * (hits.ndim - 1 - axis % hits.ndim))
    return np.maximum.accumulate(np.where(hits, positions, 0), axis=axis)


def _cumargmax(x, /, axis):
    """Where the largest element, or nan, up to each place along an axis last stands."""
    return _latest((x == np.maximum.accumulate(x, axis=axis)) | (x != x), axis)


def _cumargmin(x, /, axis):
    """Where the smallest element, or nan, up to each place along an axis last stands."""
    return _latest((x == np.minimum.accumulate(x, axis=axis)) | (x != x), axis)


def _count_nonzero(x, /, axis=None, keepdims=False):
    """How many elements over axes are not zero."""
    return np.add.reduce(x != 0, axis=axis, dtype=np.int64, keepdims=keepdims)


def _shared(g, x, out, axis=None, keepdims=False):
    """g in even shares to the elements equal to the output, or to the nans if it is nan."""
    g, out = (_put_back(a, x.shape, axis, keepdims) for a in (g, out))
    winners = np.where(np.isnan(out), np.isnan(x), x == out)
    return winners * (g / np.add.reduce(winners, axis=axis, dtype=g.dtype, keepdims=True))


amax = reduction(_reducer(np.maximum), name="amax", numpy=(np.max, np.maximum.reduce), x=_shared)
amin = reduction(_reducer(np.minimum), name="amin", numpy=(np.min, np.minimum.reduce), x=_shared)
median = general(_median, x=lambda g, x, out: _shared(g, x, out))
argmax = reduction(_argmax, numpy=np.argmax)
argmin = reduction(_argmin, numpy=np.argmin)
argmedian = reduction(_argmedian)
cumargmax = general(_cumargmax)
cumargmin = general(_cumargmin)
any = reduction(_reducer(np.logical_or), name="any", numpy=(np.any, np.logical_or.reduce))
all = reduction(_reducer(np.logical_and), name="all", numpy=(np.all, np.logical_and.reduce))
count_nonzero = reduction(_count_nonzero, numpy=np.count_nonzero)

# Sums of exponentials, the largest element taken out so that none overflows


def _logsumexp(x, /, axis=None, keepdims=False):
    """log(sum(exp(x))) over axes."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-math.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.add.reduce(np.exp(x - top), axis=axis, keepdims=keepdims)
    return np.log(total) + top.reshape(total.shape)


def _largest(x, axis):
    """The largest element along an axis, which stays with length 1."""
    n = x.shape[-1] if x.ndim > 1 and axis in (x.ndim - 1, -1) else 0
    if 0 < n <= 32 and x.size >= 64 * n:
        # NumPy takes 60 ns a row, so for 4096 rows of 10 310 us; of this copy 28.
        columns = x.reshape((-1, n)).T.copy()
        return np.maximum.reduce(columns, axis=0, initial=-math.inf).reshape((*x.shape[:-1], 1))
    return np.maximum.reduce(x, axis=axis, keepdims=True, initial=-math.inf)


def _softmax(x, /, axis):
    """exp(x) / sum(exp(x)) along an axis."""
    e = np.exp(x - _largest(x, axis))
    e /= _sum(e, axis=axis, keepdims=True)
    return e


def _log_softmax(x, /, axis):
    """x - log(sum(exp(x))) along an axis."""
    x = x - _largest(x, axis)
    x -= np.log(_sum(np.exp(x), axis=axis, keepdims=True))
    return x


logsumexp = reduction(
    _logsumexp,
    promote="float",
    x=lambda g, x, out, axis, keepdims: (
        _put_back(g, x.shape, axis, keepdims) * np.exp(x - _put_back(out, x.shape, axis, keepdims))
    ),
)
softmax = general(
    _softmax,
    promote="float",
    x=lambda g, out, axis: out * (g - sum(g * out, axis=axis, keepdims=True)),
)
log_softmax = general(
    _log_softmax,
    promote="float",
    x=lambda g, out, axis: g - np.exp(out) * sum(g, axis=axis, keepdims=True),
)
