"""Products of matrices, and of arrays by their indices.

For out = x @ y the derivatives are g @ y^T and x^T @ g; all else here is about axes.
"""

import math
from functools import lru_cache

import numpy as np

from autodiff.families import bilinear, general, numpy_function

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What einsum may call an axis."""


def rows(x):
    """x as a matrix of the vectors along its last axis."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul(x, y, /):
    """The product over the last axis of x and the last but one of y; the axes before broadcast.

    A vector stands for a row on the left and for a column on the right.
    """
    if y.ndim != 2 or x.ndim == 0:
        return np.matmul(x, y)
    if x.ndim <= 2:
        return x.dot(y)  # 0.3 us less than matmul
    return rows(x).dot(y).reshape((*x.shape[:-1], y.shape[1]))  # one product for all matrices


def _matmul_x(g, y, x_shape):
    if y.ndim == 1:
        return g[..., None] * y
    if y.ndim == 2:
        return np.dot(g, y.T) if g.ndim == 2 else matmul(g, y.T)  # dot takes 0.2 us less
    return matmul(g if len(x_shape) > 1 else g[..., None, :], y.swapaxes(-1, -2))


def _matmul_y(g, x, y_shape):
    if x.ndim == 1:
        return x * g if len(y_shape) == 1 else x[:, None] * g[..., None, :]
    if len(y_shape) == 1:
        return matmul(g.reshape((-1,)), rows(x))
    if len(y_shape) == 2:
        return np.dot(rows(x).T, rows(g))
    return matmul(x.swapaxes(-1, -2), g)


matmul = bilinear(_matmul, numpy=np.matmul, promote="match", x=_matmul_x, y=_matmul_y)


@numpy_function(np.dot)
def _dot(x, y):
    """NumPy's dot, where it is a product of matrices or with a scalar."""
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return np.multiply(x, y)
    if y.ndim > 2:
        raise ValueError(f"dot of shapes {x.shape} and {y.shape}: use matmul or einsum")
    return matmul(x, y)


def _linear(x, w, b=None, /):
    """x @ w.T + b, the layer of weights w (out, in): one operation where a composition is three."""
    if not 0 < x.ndim <= 2 and (b is None or b.ndim < 2):
        return _linear(rows(x), w, b).reshape((*x.shape[:-1], w.shape[0]))
    out = x.dot(w.T) if 0 < x.ndim <= 2 else _matmul(x, w.T)
    if b is not None:
        out += b
    return out


# Not bilinear: with b it is affine in x and in w. dot takes two thirds of the time of matmul.
linear = general(
    _linear,
    promote="match",
    x=lambda g, w: np.dot(g, w) if g.ndim == 2 else matmul(g, w),
    w=lambda g, x: np.dot(g.T, x) if x.ndim == 2 else np.dot(rows(g).T, rows(x)),
    b=lambda g: g,
)


@lru_cache(1024)
def _labels(subscripts, ranks):
    """The labels of each operand and of the output, a letter for each axis; "..." is spelled out.

    Without "->" the output has the labels that stand once, sorted, after the axes of "...".
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"{subscripts!r} is for {len(terms)} operands")
    free = "".join(a for a in LETTERS if a not in subscripts)
    dots = ""
    for i, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        ellipsis = term.partition("...")[1]
        n = rank - len(term) + len(ellipsis)
        if n < 0 or (n and not ellipsis):
            raise ValueError(f"{term!r} does not fit an operand of {rank} axes")
        spelled = free[len(free) - n :]  # aligned at the last axis
        terms[i] = term.replace("...", spelled)
        dots = max(dots, spelled, key=len)
    letters = "".join(terms)
    if not arrow:
        once = [a for a in letters if letters.count(a) == 1 and a not in dots]
        output = "..." + "".join(sorted(once))
    output = output.replace("...", dots)
    for a in letters + output:
        if a not in LETTERS:
            raise ValueError(f"labels are letters, got {a!r}")
    for a in output:
        if output.count(a) > 1 or a not in letters:
            raise ValueError(f"the output's label {a!r} must stand once there and in some operand")
    return tuple(terms), output


def _sized(terms, shapes):
    """The length each label stands for: that of its axes which are not of length 1.

    Raises: ValueError if these differ.
    """
    sizes = {}
    for term, shape in zip(terms, shapes, strict=True):
        for a, n in zip(term, shape, strict=True):
            known = sizes.get(a, 1)
            if known == 1:
                sizes[a] = n
            elif n not in (1, known):
                raise ValueError(f"label {a!r} stands for axes of lengths {known} and {n}")
    return sizes


@lru_cache(1024)
def _contraction(a, b, keep):
    """How to contract x, labelled a, with y, labelled b, down to the labels in `keep`.

    Axes to sum each over first; their orders as (both, left, inner) and (both, inner, right): the
    labels that both have and the result too, only x has, both have and are summed, only y has; how
    many these are; and the labels of the result.
    """
    sums = [tuple(i for i, c in enumerate(t) if c not in keep + o) for t, o in ((a, b), (b, a))]
    a, b = (("".join(c for c in t if c in keep + o)) for t, o in ((a, b), (b, a)))
    both = [c for c in a if c in b and c in keep]
    inner = [c for c in a if c in b and c not in keep]
    left, right = [c for c in a if c not in b], [c for c in b if c not in a]
    orders = [a.index(c) for c in both + left + inner], [b.index(c) for c in both + inner + right]
    return *sums, *orders, len(both), len(left), len(inner), "".join(both + left + right)


def _contracted(x, a, y, b, keep):
    """The product of x, labelled a, and y, labelled b, summed over all labels but `keep`."""
    sum_x, sum_y, order_x, order_y, both, left, inner, labels = _contraction(a, b, keep)
    x = (np.add.reduce(x, axis=sum_x) if sum_x else x).transpose(order_x)
    y = (np.add.reduce(y, axis=sum_y) if sum_y else y).transpose(order_y)
    batch, rows, columns = x.shape[:both], x.shape[both : both + left], y.shape[both + inner :]
    if not inner:
        x, y = x.reshape(x.shape + (1,) * len(columns)), y.reshape(batch + (1,) * left + columns)
        return x * y, labels
    n = math.prod(y.shape[both : both + inner])
    x = x.reshape((*batch, math.prod(rows), n))
    y = y.reshape((*batch, n, math.prod(columns)))
    return _matmul(x, y).reshape(batch + rows + columns), labels  # matrix products use BLAS


def _einsum(*operands, subscripts):
    """Einstein's summation: products of the operands' elements, summed over all other labels.

    The operands are contracted from left to right.
    """
    terms, output = _labels(subscripts, tuple([x.ndim for x in operands]))
    sizes = _sized(terms, [x.shape for x in operands])
    factors = []
    for x, term in zip(operands, terms, strict=True):
        shape = tuple([sizes[a] for a in term])
        if x.shape != shape:
            x = np.broadcast_to(x, shape)
        if len(set(term)) < len(term):
            labels = "".join(dict.fromkeys(term))
            x, term = np.einsum(f"{term}->{labels}", x), labels  # its diagonals
        factors.append((x, term))
    x, labels = factors[0]
    for i in range(1, len(factors)):
        x, labels = _contracted(x, labels, *factors[i], output + "".join(terms[i + 1 :]))
    if len(factors) == 1:
        if axes := tuple(i for i, a in enumerate(labels) if a not in output):
            x, labels = np.add.reduce(x, axis=axes), "".join(a for a in labels if a in output)
        return x.transpose([labels.index(a) for a in output]).copy()  # never a view of the operand
    return x if labels == output else x.transpose([labels.index(a) for a in output])


def _einsum_rule(g, operands, position, subscripts):
    """The same sum with g in the operand's place, the operand's labels being the output's."""
    shape = operands[position].shape
    terms, output = _labels(subscripts, tuple(x.ndim for x in operands))
    factors = [g, *operands[:position], *operands[position + 1 :]]
    labels = [output, *terms[:position], *terms[position + 1 :]]
    sizes = _sized(labels, [x.shape for x in factors])
    spare = iter(a for a in LETTERS if a not in "".join(terms))
    result = ""
    for a, n in zip(terms[position], shape, strict=True):
        if a in result:  # on a diagonal: another label, tied to the first
            result += (b := next(spare))
            factors.append(np.eye(n, dtype=g.dtype))
            labels.append(a + b)
        else:
            result += a
            if a not in sizes or sizes[a] == 1 != n:  # the sum spread over its axis again
                factors.append(np.ones(n, g.dtype))
                labels.append(a)
    return einsum(*factors, subscripts=f"{','.join(labels)}->{result}")


einsum = bilinear(_einsum, promote="common", operands=_einsum_rule)
