"""The step of W10 in straight-line NumPy that allocates nothing, as `floor` has the smaller ones.

Weights are folded once a step, and their gradients unfolded, so that there is less to do for rows:
the mean that layer norms take off is taken off what adds to x, their scale and shift are in the
weight and bias behind, and what else is constant is in the weights next to it.

A layer is taken a few texts at a time, for what it makes to stay in the cache. Rows are those of
the texts; but attention has features first, and its scores keys, for softmax to run down long
columns. Products are cut in parts with m n k below a million, for which OpenBLAS packs no matrices:
that makes most a fifth faster. Slow among those are the ones by a transposed matrix: there are few.
"""

import math
from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.floor import BLOCK, Step, adam, aligned, arena, in_pieces, softmax_cost
from benchmarks.speed.framework import HEADS
from benchmarks.speed.workloads import Problem

TEXTS = 4
"""How many texts are taken at a time. With 2 a step takes a tenth longer, with 8 3 %."""

PART, FEW = 64, 32
"""Columns and rows in a part of a product."""

SLOPE = math.sqrt(2 / math.pi)
"""Of erf(u / √2) at 0. gelu is given v = SLOPE u, which spares its gradient a factor."""

FAR = (4.10703408e-05, -0.00198044149, 0.0781606307, 0.989197672)
NEAR = (0.00185179023, 0.0108031609)
"""Of the normal distribution (1 + tanh(v (FAR(v²) + exp(-u²/2) NEAR(v²)))) / 2, for float32.

Fitted to 6e-8; a polynomial alone needs two operations more for that, and exp is at hand.
"""

LOG2 = math.log(2)
LEAST = -80
"""Power of 2 that stands for what is masked: exp2 takes eight times as long where it gives 0."""


class Shared:
    """Arrays that all pieces use in turn."""

    def __init__(self, rows: int, length: int, width: int, dtype: np.dtype):
        self.rows, self.length, self.width, self.dtype = rows, length, width, dtype
        columns = HEADS * rows
        self.work, self.dy = self.room(rows, width), self.room(rows, width)
        self.u, self.du = self.room(rows, 4 * width), self.room(rows, 4 * width)
        self.beside, self.dqkv = self.room(width + 1, rows), self.room(3 * width, rows)
        self.beside[-1] = 1
        self.dseen, self.dscores = self.room(width, rows), self.room(length, columns)
        self.top, self.along_heads, self.along = (self.room(n) for n in (columns, columns, rows))
        self.average, self.ones = np.full(width, 1 / width, dtype), np.ones(rows, dtype)
        masked = np.arange(length)[:, None] > np.arange(length)
        self.mask = np.tile(np.where(masked, -np.inf, 0).astype(dtype), columns // length)
        self.least = np.full(columns, LEAST, dtype)

    def room(self, *shape: int) -> np.ndarray:
        """An array for one piece alone."""
        return aligned(shape, self.dtype)


class Normed:
    """Weights w (blocks, out, width) and biases b that follow a layer norm's scale s and shift t.

    Folded, they are w s and w t + b: forward, (blocks, out, width + 1) with the bias last. From the
    gradients raw and gb of these come raw s + gb t for w, w raw summed over out for s, w gb for t.
    scales: by rows, constants of the weight forward, of that for the way back, of the gradient.
    """

    def __init__(self, weights: list, gradients: list, scales: list, pieces: int, turned: bool):
        self.weights, self.gradients = weights, gradients
        w = weights[2]
        (blocks, out, width), dtype = w.shape, w.dtype

        def room(columns):
            if turned:
                return aligned((blocks, columns, out), dtype).swapaxes(1, 2)
            return aligned((blocks, out, columns), dtype)

        self.forward, self.back = room(width + 1), aligned(w.shape, dtype)
        self.raw, self.work, self.sum = room(width), room(width), aligned((blocks, out), dtype)
        self.part, self.by_piece = room(width)[0], aligned((pieces, blocks, out), dtype)
        self.scales = [np.array(scale, dtype).reshape(-1, 1) for scale in scales]

    def fold(self) -> None:
        (scale, shift, w, b), (forward, back, _) = self.weights, self.scales
        weight, bias = self.forward[..., :-1], self.forward[..., -1]
        np.multiply(w, scale[:, None], weight)
        np.matmul(w, shift[..., None], bias[..., None])
        np.add(bias, b, bias)
        np.multiply(self.forward, forward, self.forward)
        np.multiply(weight, back, self.back)

    def unfold(self) -> None:
        (scale, shift, w, _), (g_scale, g_shift, gw, gb) = self.weights, self.gradients
        raw, work, last = self.raw, self.work, self.scales[-1]
        np.add.reduce(self.by_piece, 0, None, self.sum)
        np.multiply(self.sum, last[:, 0], gb)
        np.multiply(raw, last, raw)
        np.einsum("boi,boi->bi", raw, w, out=g_scale)
        np.matmul(gb[:, None], w, g_shift[:, None])
        np.multiply(gb[..., None], shift[:, None], work)
        np.multiply(raw, scale[:, None], gw)
        np.add(gw, work, gw)


class Adding:
    """Weights (blocks, width, in) and biases that make what adds to x, less their mean over width.

    So x has mean 0, and the gradient of x may miss a constant in each row: the way back, and the
    gradients unfolded, are without it. forward: (blocks, in + 1, width), the bias last; back:
    (blocks, width, in).
    """

    def __init__(self, weights: list, gradients: list, scale: float, pieces: int, turned: bool):
        (self.w, self.b), (self.gw, self.gb) = weights, gradients
        (blocks, width, inputs), dtype = self.w.shape, self.w.dtype
        self.forward = aligned((blocks, inputs + 1, width), dtype)
        self.back, self.raw = aligned(self.w.shape, dtype), aligned(self.w.shape, dtype)
        if turned:
            self.raw = aligned((blocks, inputs, width), dtype).swapaxes(1, 2)
        self.part, self.sum = np.empty_like(self.raw[0]), aligned((blocks, width), dtype)
        self.by_piece = aligned((pieces, blocks, width), dtype)
        self.centre = (np.eye(width) - 1 / width).astype(dtype)
        self.scaled = scale * self.centre
        self.parts = [self.cut(each) for each in (self.w, self.back, self.raw, self.gw)]

    @staticmethod
    def cut(a: np.ndarray) -> np.ndarray:
        """(blocks, width, n · PART) -> (blocks, n, width, PART), a view."""
        return a.reshape(*a.shape[:2], -1, PART).swapaxes(1, 2)

    def fold(self) -> None:
        w, back, _, _ = self.parts
        np.matmul(self.scaled, w, back)
        np.copyto(self.forward[:, :-1], self.back.swapaxes(1, 2))
        np.matmul(self.b, self.centre, self.forward[:, -1])

    def unfold(self) -> None:
        _, _, raw, gw = self.parts
        np.matmul(self.scaled, raw, gw)
        np.add.reduce(self.by_piece, 0, None, self.sum)
        np.matmul(self.sum, self.centre, self.gb)


def texts(problem: Problem) -> Step:
    """W10."""
    letters, places, *rest = problem.weights
    *rest, scale, shift, head = rest
    kinds = [np.stack(rest[i::12]) for i in range(12)]
    kinds[8] = kinds[8].swapaxes(1, 2)
    weights, p, gradients, g = arena(letters, places, *kinds, scale, shift, head)
    for each in (weights, gradients):
        each[10] = each[10].swapaxes(1, 2)
        each[14:] = [a[None] for a in (*each[14:], np.zeros(len(head), p.dtype))]  # no bias
    n, length = problem.batches[0][0].shape
    (blocks, width), pieces, rows = kinds[0].shape, n // TEXTS, TEXTS * length
    shared = Shared(rows, length, width, p.dtype)
    lay_out, cost = softmax_cost(len(head), rows, p.dtype)
    batches = cycle(
        [
            [
                (tokens, (np.arange(len(letters))[:, None] == tokens).astype(p.dtype), lay_out(to))
                for tokens, to in zip(x.reshape(pieces, rows), y.reshape(pieces, rows))
            ]
            for x, y in problem.batches
        ]
    )

    def made(kind, first, last, *rest):
        return kind(weights[first:last], gradients[first:last], *rest)

    root = (HEADS / width) ** 0.5
    thirds = [(root / LOG2, 1, 1), (LOG2, LOG2, 1), (root, LOG2, 1)]
    w_qkv = made(Normed, 2, 6, [np.repeat(each, width) for each in thirds], pieces, False)
    w_seen = made(Adding, 6, 8, 1, pieces, True)
    w_wide = made(Normed, 8, 12, [SLOPE, 1, SLOPE], pieces, True)
    w_narrow = made(Adding, 12, 14, 0.5 / SLOPE, pieces, False)
    w_head = made(Normed, 14, 18, [1, 1, 1], pieces, False)
    bias = shared.room(blocks, rows, width)
    centre = w_seen.centre
    embedded = [np.empty_like(each) for each in (letters, places)]
    raw = [np.empty_like(each) for each in (letters, places)]
    table, where = embedded
    flat_where, part, part_where = where.reshape(-1), np.empty_like(table), np.empty_like(where)

    layers: list[list] = [[] for _ in range(2 * blocks)]
    ends = []
    for j in range(pieces):
        first, d = shared.room(rows, width), shared.room(rows, width)
        x = first
        for i in range(blocks):
            *both, x = attention(shared, w_qkv, w_seen, i, j, x, d)
            layers[2 * i].append(both)
            *both, x = wide(shared, w_wide, w_narrow, bias[i], i, j, x, d)
            layers[2 * i + 1].append(both)
        ending = last(shared, w_head, cost, j, x, d)
        ends.append((first, first.reshape(TEXTS, -1), d, d.reshape(TEXTS, length, width), ending))
    update = adam(p, g, problem.lr, 1 / (n * length))
    folded = w_qkv, w_seen, w_wide, w_narrow, w_head

    def step():
        for each in folded:
            each.fold()
        np.copyto(bias, w_narrow.forward[:, -1:])
        np.matmul(weights[0], centre, table)
        np.matmul(weights[1], centre, where)

        loss, batch = 0.0, next(batches)
        for (tokens, _, _), (x, in_texts, _, _, _) in zip(batch, ends):
            np.take(table, tokens, 0, x, "clip")
            np.add(in_texts, flat_where, in_texts)
        for layer in layers:
            for forward, _ in layer:
                forward()
        for (_, _, targets), (*_, ending) in zip(batch, ends):
            loss += ending(targets)
        for layer in reversed(layers):
            for _, backward in layer:
                backward()
        raw[0].fill(0)
        raw[1].fill(0)
        for (_, chosen, _), (_, _, d, in_texts, _) in zip(batch, ends):
            np.matmul(chosen, d, part)
            np.add(raw[0], part, raw[0])
            np.add.reduce(in_texts, 0, None, part_where)
            np.add(raw[1], part_where, raw[1])

        for each in folded:
            each.unfold()
        np.matmul(raw[0], centre, gradients[0])
        np.matmul(raw[1], centre, gradients[1])
        update()
        return loss / pieces

    return step


def norm(shared: Shared, x: np.ndarray) -> tuple[np.ndarray, Callable, Callable]:
    """Room for the rows of x (of mean 0) over their deviation, what fills it, and the way back.

    That adds to d, the gradient of x, what comes of `shared.dy`, the gradient of those rows.
    """
    unit, inverse = shared.room(*x.shape), shared.room(len(x))
    work, dy, along, average = shared.work, shared.dy, shared.along, shared.average
    inverses, alongs, eps = inverse[:, None], along[:, None], np.array(1e-5, x.dtype)

    def forward():
        np.multiply(x, x, work)
        np.dot(work, average, inverse)
        np.add(inverse, eps, inverse)
        np.sqrt(inverse, inverse)
        np.reciprocal(inverse, inverse)
        np.multiply(x, inverses, unit)

    def backward(d):
        np.multiply(dy, unit, work)
        np.dot(work, average, along)
        np.multiply(unit, alongs, work)
        np.subtract(dy, work, dy)
        np.multiply(dy, inverses, dy)
        np.add(d, dy, d)

    return unit, forward, backward


def attention(
    shared: Shared, w_qkv: Normed, w_seen: Adding, i: int, j: int, x: np.ndarray, d: np.ndarray
) -> tuple[Callable, Callable, np.ndarray]:
    """Of block i and piece j: x plus the attention to x normalised; and back, to d in its place.

    Scores are logarithms to base 2. Not their powers are divided by the sum, but what is seen.
    """
    rows, width, length, room = shared.rows, shared.width, shared.length, shared.room
    unit, normalize, normalize_back = norm(shared, x)
    qkv, p, seen, out = (room(n, rows) for n in (3 * width, length * HEADS, width + 1, width))
    p, out, shares = p.reshape(length, -1), out.reshape(rows, width), room(HEADS * rows)
    seen[-1] = 1
    beside, dqkv, dseen, dp = shared.beside, shared.dqkv, shared.dseen, shared.dscores
    mask, least, top, along = shared.mask, shared.least, shared.top, shared.along_heads
    ones, keys, work = shared.ones, np.ones(length, x.dtype), shared.work.reshape(width, rows)

    def split(a):
        return a.reshape(HEADS, -1, rows)

    def heads(a):
        return a.reshape(HEADS, -1, TEXTS, length).transpose(2, 0, 1, 3)

    def scores(a):
        return a.reshape(length, HEADS, TEXTS, length).transpose(2, 1, 0, 3)

    (q, k, v), (dq, dk, dv) = (map(heads, np.split(a, 3)) for a in (qkv, dqkv))
    o, do, by_key, d_by_key = heads(seen[:-1]), heads(dseen), scores(p), scores(dp)
    kt, vt, by_query, d_by_query = (a.swapaxes(2, 3) for a in (k, v, by_key, d_by_key))
    features, features_t, seen_t, dt, unit_t = seen[:-1], beside[:-1], seen.T, d.T, unit.T
    o_split, do_split, work_split, share = split(features), split(dseen), split(work), split(shares)
    along_split = along.reshape(HEADS, rows)
    w, to, forth = (in_rows(a, PART) for a in (w_qkv.forward[i], qkv, dqkv))
    back = in_columns(dqkv, PART).swapaxes(1, 2), w_qkv.back[i], in_rows(shared.dy, PART)
    raw, part = in_rows(w_qkv.raw[i], PART), in_rows(w_qkv.part, PART)
    by_piece, by_piece_seen = w_qkv.by_piece[j, i], w_seen.by_piece[j, i]
    w_out, w_out_back = w_seen.forward[i], w_seen.forward[i, :-1]
    raw_out, part_out = w_seen.raw[i].T, w_seen.part.T

    def forward():
        normalize()
        np.copyto(features_t, unit_t)
        np.matmul(w, beside, to)
        np.matmul(kt, q, by_key)
        np.add(p, mask, p)
        np.maximum.reduce(p, 0, None, top)
        np.subtract(p, top, p)
        np.maximum(p, least, out=p)
        np.exp2(p, p)
        np.dot(keys, p, shares)
        np.reciprocal(shares, shares)
        np.matmul(v, by_key, o)
        np.multiply(o_split, share, o_split)
        np.matmul(seen_t, w_out, out)
        np.add(out, x, out)

    def backward():
        add_product(j, features, d, raw_out, part_out)
        np.dot(ones, d, by_piece_seen)
        np.matmul(w_out_back, dt, dseen)
        np.multiply(do_split, share, do_split)
        np.multiply(features, dseen, work)
        np.add.reduce(work_split, 1, None, along_split)
        np.matmul(do, by_query, dv)
        np.matmul(vt, do, d_by_key)
        np.subtract(dp, along, dp)
        np.multiply(dp, p, dp)
        np.matmul(k, d_by_key, dq)
        np.matmul(q, d_by_query, dk)
        add_product(j, forth, unit, raw, part)
        np.dot(dqkv, ones, by_piece)
        np.matmul(*back)
        normalize_back(d)

    return forward, backward, out


def wide(
    shared: Shared,
    w_wide: Normed,
    w_narrow: Adding,
    bias: np.ndarray,
    i: int,
    j: int,
    x: np.ndarray,
    d: np.ndarray,
) -> tuple[Callable, Callable, np.ndarray]:
    """Of block i and piece j: x plus two linear layers of x normalised, gelu between; and back."""
    rows, width, room = shared.rows, shared.width, shared.room
    unit, normalize, normalize_back = norm(shared, x)
    active, slope, out = room(rows, 4 * width), room(rows, 4 * width), room(rows, width)
    u, du, ones, dt, unit_t = shared.u, shared.du, shared.ones, d.T, unit.T
    activate = gelu(shared.u, active, slope)
    w, w_bias = w_wide.forward[i].T[:-1], w_wide.forward[i, :, -1]
    to_u = in_rows(unit, FEW), w, in_rows(u, FEW)
    to_out = in_rows(active, FEW), w_narrow.forward[i, :-1], in_rows(out, FEW)
    to_du = in_rows(d, FEW), w_narrow.back[i], in_rows(du, FEW)
    to_dy = in_rows(du, FEW), w_wide.back[i], in_rows(shared.dy, FEW)
    narrow = (in_columns(a, PART) for a in (active, w_narrow.raw[i], w_narrow.part))
    active_parts, raw_narrow, part_narrow = narrow
    du_parts, raw, part = (in_columns(a, PART) for a in (du, w_wide.raw[i].T, w_wide.part.T))
    by_piece, by_piece_narrow = w_wide.by_piece[j, i], w_narrow.by_piece[j, i]

    def forward():
        normalize()
        np.matmul(*to_u)
        np.add(u, w_bias, u)
        activate()
        np.matmul(*to_out)
        np.add(out, x, out)
        np.add(out, bias, out)

    def backward():
        add_product(j, dt, active_parts, raw_narrow, part_narrow)
        np.dot(ones, d, by_piece_narrow)
        np.matmul(*to_du)
        np.multiply(du, slope, du)
        add_product(j, unit_t, du_parts, raw, part)
        np.dot(ones, du, by_piece)
        np.matmul(*to_dy)
        normalize_back(d)

    return forward, backward, out


def gelu(v: np.ndarray, active: np.ndarray, slope: np.ndarray) -> Callable[[], None]:
    """active = 2 v F(u) and slope = 2 (F(u) + u F'(u)), v = SLOPE u, F the normal distribution.

    A block at a time; 2 F'(u) = SLOPE exp(-u² / 2). Until the end active has v², slope 2 F(u).
    """
    dtype = v.dtype
    e = aligned((BLOCK,), dtype)
    flat = (in_pieces(a.reshape(-1)) for a in (v, active, slope))
    pieces = [(*each, e[: len(each[0])]) for each in zip(*flat)]
    a3, a2, a1, a0, b1, b0 = (np.array(c, dtype) for c in (*FAR, *NEAR))
    one, power = np.array(1, dtype), np.array(-0.5 / (LOG2 * SLOPE**2), dtype)

    def error_function(v, y, e, t):
        np.multiply(y, a3, t)
        np.add(t, a2, t)
        np.multiply(t, y, t)
        np.add(t, a1, t)
        np.multiply(t, y, t)
        np.add(t, a0, t)
        np.multiply(y, b1, y)
        np.add(y, b0, y)
        np.multiply(y, e, y)
        np.add(t, y, t)
        np.multiply(t, v, t)
        np.tanh(t, t)

    def exact_error_function(v, y, e, t):
        from autodiff.ops.special import erf  # here: see `hand_networks.texts`

        t[:] = erf.forward(v * (math.sqrt(0.5) / SLOPE))

    erf = error_function if dtype == np.float32 else exact_error_function

    def activate():
        for v, y, t, e in pieces:
            np.multiply(v, v, y)
            np.multiply(y, power, e)
            np.exp2(e, e)
            erf(v, y, e, t)
            np.add(t, one, t)
            np.multiply(v, t, y)
            np.multiply(e, v, e)
            np.add(t, e, t)

    return activate


def last(
    shared: Shared, w_head: Normed, cost: Callable, j: int, x: np.ndarray, d: np.ndarray
) -> Callable[[np.ndarray], np.floating]:
    """The loss of piece j from x, a function of targets, which sets d to the gradient of x."""
    unit, normalize, normalize_back = norm(shared, x)
    z = shared.room(w_head.sum.size, shared.rows)
    beside, features, zt, unit_t = shared.beside, shared.beside[:-1], z.T, unit.T
    w, back, raw, part = w_head.forward[0], w_head.back[0], w_head.raw[0], w_head.part
    dy, ones, by_piece = shared.dy, shared.ones, w_head.by_piece[j, 0]

    def loss(targets):
        normalize()
        np.copyto(features, unit_t)
        np.matmul(w, beside, z)
        value = cost(z, targets)
        add_product(j, z, unit, raw, part)
        np.dot(z, ones, by_piece)
        np.matmul(zt, back, dy)
        d.fill(0)
        normalize_back(d)
        return value

    return loss


def add_product(j: int, a: np.ndarray, b: np.ndarray, out: np.ndarray, part: np.ndarray) -> None:
    """Adds the product of a and b to out, or sets out to it for j = 0, the first piece."""
    if j == 0:
        np.matmul(a, b, out)
    else:
        np.matmul(a, b, part)
        np.add(out, part, out)


def in_rows(a: np.ndarray, size: int) -> np.ndarray:
    """(n · size, columns) -> (n, size, columns), a view."""
    return a.reshape(-1, size, a.shape[1])


def in_columns(a: np.ndarray, size: int) -> np.ndarray:
    """(rows, n · size) -> (n, rows, size), a view."""
    return a.reshape(len(a), -1, size).swapaxes(0, 1)


STEPS: dict[str, Callable[[Problem], Step]] = {"W10": texts}
