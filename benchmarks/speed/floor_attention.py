"""The step of W10 in straight-line NumPy that allocates nothing, as `floor` has the smaller ones.

Features come first and the rows of all texts last, 1024 beside each other: what a layer norm takes
from each row is one vector for whole features, and a bias is the column of a weight that meets a
row of ones. Attention has keys first: its softmax runs down long columns.
"""

import math
from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.floor import BLOCK, Step, adam, aligned, arena, in_pieces, softmax_cost
from benchmarks.speed.framework import HEADS
from benchmarks.speed.workloads import Problem

TEXTS = 16
"""How many texts go forth and back at a time: more of what a layer makes stays in the cache.

All 32 at once take 3 % longer, 8 and 4 at a time 1 and 7 %.
"""

NORMAL = (
    *(1.7561702811121507e-09, -1.3226332458504408e-07, 3.964744248879876e-06),
    *(-5.53061928993475e-05, -3.2594977230358476e-05, 0.036333084575192784, 0.7978849414601431),
)
"""P of the normal distribution (1 + tanh(x P(x²))) / 2, to the digits of float32."""


def texts(problem: Problem) -> Step:
    """W10."""
    letters, places, *rest = problem.weights
    *rest, scale, shift, head = rest
    matrices = [np.hstack([letters.T, places.T])]
    for i in range(0, len(rest), 6):
        s, t, w1, b1, w2, b2 = rest[i : i + 6]
        matrices += [np.stack([s, t]), with_bias(w1, b1), with_bias(w2, b2)]
    weights, p, gradients, g = arena(*matrices, np.stack([scale, shift]), head)
    total = aligned(g.shape, g.dtype)
    n, length = problem.batches[0][0].shape
    rows, dtype = TEXTS * length, p.dtype
    lay_out, cost = softmax_cost(len(head), rows, dtype)
    batches = cycle(
        [
            [
                (
                    positions(x[i : i + TEXTS], len(letters), dtype),
                    lay_out(y[i : i + TEXTS].ravel()),
                )
                for i in range(0, n, TEXTS)
            ]
            for x, y in problem.batches
        ]
    )
    mask = np.where(np.arange(length)[:, None] > np.arange(length), -np.inf, 0)
    mask = np.tile(mask.astype(dtype), TEXTS * HEADS)

    x = aligned((len(scale), rows), dtype)
    first, layers = x, []
    for i in range(1, len(matrices), 3):
        make = attention if len(layers) % 2 == 0 else wide
        forward, backward, x = make(weights[i : i + 3], gradients[i : i + 3], x, mask)
        layers.append((forward, backward))
    forwards, backwards = [f for f, _ in layers], [b for _, b in layers][::-1]
    y, error = aligned(x.shape, dtype), aligned((len(head), rows), dtype)
    normalize, normalize_back = norm(weights[-2], gradients[-2], x, y)
    table, head, g_table, g_head = weights[0], weights[-1], gradients[0], gradients[-1]
    d = aligned(x.shape, dtype)
    yt, head_t = y.T, head.T
    update = adam(p, total, problem.lr, 1 / (n * length))

    def step():
        loss, batch = 0.0, next(batches)
        total.fill(0)
        for where, targets in batch:
            np.matmul(table, where, first)
            for forward in forwards:
                forward()
            normalize()
            np.matmul(head, y, error)
            loss += cost(error, targets)

            np.matmul(error, yt, g_head)
            np.matmul(head_t, error, d)
            normalize_back(d)
            for backward in backwards:
                backward(d)
            np.matmul(d, where.T, g_table)
            np.add(total, g, total)
        update()
        return loss / len(batch)

    return step


def with_bias(w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A weight (out, in) and a bias (out,) as one matrix (out, in + 1)."""
    return np.hstack([w, b[:, None]])


def positions(tokens: np.ndarray, letters: int, dtype: np.dtype) -> np.ndarray:
    """Which letter and which place a column is, each by a one."""
    n, length = tokens.shape
    which = np.arange(letters)[:, None] == tokens.ravel()
    return np.vstack([which, np.tile(np.eye(length), n)]).astype(dtype)


def norm(m: np.ndarray, g: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[Callable, Callable]:
    """y = x normalised, scaled and shifted; and from the gradient of y that of x, in its place."""
    width, rows = x.shape
    scale, shift = m[0][:, None], m[1][:, None]
    unit, work = aligned((2, *x.shape), x.dtype)
    mean, inverse, along = aligned((3, rows), x.dtype)
    average, ones, share = np.full(width, 1 / width, x.dtype), np.ones(rows, x.dtype), m[0].copy()
    eps, part = np.array(1e-5, x.dtype), np.array(1 / width, x.dtype)

    def forward():
        np.dot(average, x, mean)
        np.subtract(x, mean, unit)
        np.multiply(unit, unit, work)
        np.dot(average, work, inverse)
        np.add(inverse, eps, inverse)
        np.sqrt(inverse, inverse)
        np.reciprocal(inverse, inverse)
        np.multiply(unit, inverse, unit)
        np.multiply(unit, scale, y)
        np.add(y, shift, y)

    def backward(d):
        np.multiply(d, unit, work)
        np.dot(work, ones, g[0])
        np.dot(d, ones, g[1])
        np.multiply(m[0], part, share)
        np.dot(share, d, mean)
        np.dot(share, work, along)
        np.multiply(d, scale, d)
        np.subtract(d, mean, d)
        np.multiply(unit, along, work)
        np.subtract(d, work, d)
        np.multiply(d, inverse, d)

    return forward, backward


def attention(weights: list, gradients: list, x: np.ndarray, mask: np.ndarray) -> tuple:
    """x plus the attention to x normalised."""
    (m, w_in, w_out), (gm, g_in, g_out) = weights, gradients
    (width, rows), dtype, length = x.shape, x.dtype, len(mask)
    y, seen = aligned((2, width + 1, rows), dtype)
    y[-1], seen[-1] = 1, 1
    qkv, dqkv = aligned((2, 3 * width, rows), dtype)
    out, dseen, dy, work = aligned((4, width, rows), dtype)
    p, dp = aligned((2, *mask.shape), dtype)
    back, columns = w_in[:, :-1].T, w_out[:, :-1].T
    top, total, along = aligned((3, mask.shape[1]), dtype)
    ones = np.ones(length, dtype)
    by_head = aligned((HEADS, rows), dtype)
    q, k, v = heads(qkv, length, 3)
    dq, dk, dv = heads(dqkv, length, 3)
    [o], [do] = heads(seen[:-1], length), heads(dseen, length)
    keys = lambda a: a.reshape(length, -1, HEADS, length).transpose(1, 2, 0, 3)
    p_keys, dp_keys = keys(p), keys(dp)
    kt, vt, pt, dpt = (a.swapaxes(2, 3) for a in (k, v, p_keys, dp_keys))
    in_order = by_head.reshape(HEADS, -1, length).transpose(1, 0, 2)
    along_heads = along.reshape(in_order.shape)
    work_by_head, seen_width = work.reshape(HEADS, -1, rows), seen[:-1]
    normalize, normalize_back = norm(m, gm, x, y[:-1])
    quarter = np.array((HEADS / width) ** 0.5, dtype)
    yt, seen_t, queries, dqueries = y.T, seen.T, qkv[:width], dqkv[:width]

    def forward():
        normalize()
        np.matmul(w_in, y, qkv)
        np.multiply(queries, quarter, queries)
        np.matmul(kt, q, p_keys)
        np.add(p, mask, p)
        np.maximum.reduce(p, 0, None, top)
        np.subtract(p, top, p)
        np.exp(p, p)
        np.dot(ones, p, total)
        np.divide(p, total, p)
        np.matmul(v, p_keys, o)
        np.matmul(w_out, seen, out)
        np.add(out, x, out)

    def backward(d):
        np.matmul(d, seen_t, g_out)
        np.matmul(columns, d, dseen)
        np.multiply(seen_width, dseen, work)
        np.add.reduce(work_by_head, 1, None, by_head)
        np.copyto(along_heads, in_order)
        np.matmul(do, pt, dv)
        np.matmul(vt, do, dp_keys)
        np.subtract(dp, along, dp)
        np.multiply(dp, p, dp)
        np.matmul(k, dp_keys, dq)
        np.matmul(q, dpt, dk)
        np.multiply(dqueries, quarter, dqueries)
        np.matmul(dqkv, yt, g_in)
        np.matmul(back, dqkv, dy)
        normalize_back(dy)
        np.add(d, dy, d)

    return forward, backward, out


def heads(x: np.ndarray, length: int, parts: int = 1) -> np.ndarray:
    """(parts · width, texts · length) -> (parts, texts, heads, width / heads, length), a view."""
    return x.reshape(parts, HEADS, -1, x.shape[1] // length, length).transpose(0, 3, 1, 2, 4)


def wide(weights: list, gradients: list, x: np.ndarray, mask: np.ndarray) -> tuple:
    """x plus two linear layers of x normalised, gelu between them."""
    (m, w1, w2), (gm, g1, g2) = weights, gradients
    (width, rows), dtype = x.shape, x.dtype
    y, active = aligned((width + 1, rows), dtype), aligned((len(w1) + 1, rows), dtype)
    y[-1], active[-1] = 1, 1
    u, slope = aligned((2, len(w1), rows), dtype)
    out, dy = aligned((2, width, rows), dtype)
    yt, active_t, back1, back2 = y.T, active.T, w1[:, :-1].T, w2[:, :-1].T
    activate = gelu(u, active[:-1], slope)
    normalize, normalize_back = norm(m, gm, x, y[:-1])

    def forward():
        normalize()
        np.matmul(w1, y, u)
        activate()
        np.matmul(w2, active, out)
        np.add(out, x, out)

    def backward(d):
        np.matmul(d, active_t, g2)
        np.matmul(back2, d, u)
        np.multiply(u, slope, u)
        np.matmul(u, yt, g1)
        np.matmul(back1, u, dy)
        normalize_back(dy)
        np.add(d, dy, d)

    return forward, backward, out


def gelu(u: np.ndarray, active: np.ndarray, slope: np.ndarray) -> Callable[[], None]:
    """active = u F(u) and slope = F(u) + u F'(u), F the normal distribution, a piece at a time."""
    dtype = u.dtype
    y, t = aligned((2, BLOCK), dtype)
    pieces = [
        (*each, y[: len(each[0])], t[: len(each[0])])
        for each in zip(*(in_pieces(a.reshape(-1)) for a in (u, active, slope)))
    ]
    first, *middle, last = [np.array(c, dtype) for c in NORMAL]
    half, one, minus_half = (np.array(c, dtype) for c in (0.5, 1, -0.5))
    factor = np.array(1 / math.sqrt(2 * math.pi), dtype)

    def distribution(u, y, t):
        np.multiply(y, first, t)
        for c in middle:
            np.add(t, c, t)
            np.multiply(t, y, t)
        np.add(t, last, t)
        np.multiply(t, u, t)
        np.tanh(t, t)

    def exact_distribution(u, y, t):
        from autodiff.ops.special import erf  # here: see `hand_networks.texts`

        t[:] = erf.forward(u * math.sqrt(0.5))

    distribute = distribution if dtype == np.float32 else exact_distribution

    def activate():
        for u, active, slope, y, t in pieces:
            np.multiply(u, u, y)
            distribute(u, y, t)
            np.add(t, one, t)
            np.multiply(t, half, t)
            np.multiply(u, t, active)
            np.multiply(y, minus_half, y)
            np.exp(y, y)
            np.multiply(y, factor, y)
            np.multiply(y, u, y)
            np.add(t, y, slope)

    return activate


STEPS: dict[str, Callable[[Problem], Step]] = {"W10": texts}
