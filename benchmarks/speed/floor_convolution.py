"""The step of W9 in straight-line NumPy that allocates nothing, as `floor` has the smaller ones.

Arrays are (lines, channels, columns, rows in the batch). A convolution is one product for each line
of its output: the lines of input it sees lie below each other, so that only what it sees along a
line is copied. Two columns, which are pooled, are made at once from blocks of 5 x 6: a sixth of the
product is with zeros, but less is copied, and larger products are faster. Pooled columns are laid
out the even ones first, so that every second one of them is a run of memory.

Products are `matmul`, for `dot` clears what it writes to, and cut into parts for which OpenBLAS
packs no matrices (see `floor_recurrent`). Elementwise work is on whole arrays, for NumPy has faster
loops for these than for views and scalars.
"""

from collections.abc import Callable
from itertools import cycle

import numpy as np
from numpy.lib.stride_tricks import as_strided

from benchmarks.speed.floor import Step, adam, aligned, arena, in_pairs, softmax_cost
from benchmarks.speed.workloads import Problem


def images(problem: Problem) -> Step:
    """W9. Weights of convolutions are (line, column, in, out), those of the first without `in`."""
    W1, b1, W2, b2, W3, b3, *rest = problem.weights
    W3 = W3.reshape(-1, 16, 5, 5).transpose(2, 1, 3, 0).reshape(400, -1)
    (w1, b1, w2, b2, *w), p, (g1, gb1, g2, gb2, *gw), g = arena(
        *(W1[:, 0].transpose(1, 2, 0), b1, W2.transpose(2, 3, 1, 0), b2),
        *(np.vstack([W3, b3]), *in_pairs(rest)),
    )
    n, dtype = len(problem.batches[0][0]), p.dtype
    long, half, short = 14 * n, 7 * n, 5 * n
    lay_out, cost = softmax_cost(10, n, dtype)
    batches = cycle([(blocks(x), lay_out(y)) for x, y in problem.batches])
    update = adam(p, g, problem.lr, 1 / n)

    def room(*shape, dtype=dtype):
        return aligned(shape, np.dtype(dtype))

    t1, t2, t2_back = room(2 * 6, 30), room(2, 16, 180), room(3, 12, 160)
    bias1, bias2 = room(6, long), room(16, short)
    laid_out = [(bias1, b1[:, None]), (bias2, b2[:, None])]
    for at in (0, 1):
        seen, back = slice(at, at + 5), t2_back.reshape(3, 6, 2, 5, 2, 16)[..., ::-1, at, :]
        laid_out += [
            (t1.reshape(2, 6, 5, 6)[at, ..., seen], w1.transpose(2, 0, 1)),
            (t2.reshape(2, 16, 5, 6, 6)[at, :, :, seen], w2.transpose(3, 0, 1, 2)),
            (back[:, :, at], w2[:, ::2].transpose(1, 2, 0, 3)),
            (back[at : at + 2, :, 1 - at], w2[:, 1::2].transpose(1, 2, 0, 3)),
        ]

    z1, z2 = room(2, 2, 6 * long), room(5, 2, 2, 16 * short)
    chosen1, chosen2 = room(14, *z1.shape, dtype=bool), room(*z2.shape, dtype=bool)
    pooled1, pooled2 = room(6 * long), room(401, n)
    pooled2[-1] = 1
    x2, d1, d2 = room(14, 36, short), room(6 * long), room(400, n)
    pool1, pool2 = pooling(bias1), pooling(bias2)
    classify = classifier(w, gw, cost, pooled2, d2)

    upper, lower = z1
    z1_lines, z2_lines = z1.reshape(2, 12, long), z2.reshape(10, 2, 16, short)
    z1_rows, z2_rows = z1.reshape(24, long), z2.reshape(320, short)
    z1t = z1_lines.transpose(0, 2, 1)
    z2t = z2.reshape(10, 1, 32, short).transpose(0, 1, 3, 2)
    pooled1_blocks = strided(pooled1, (3, 2, 6, short), (n, half, long, 1))
    x2_seen = strided(x2, (10, 1, 180, short), (36 * short, 0, short, 1))
    x2_parts = strided(x2, (10, 15, 12, short), (36 * short, 12 * short, short, 1))
    pieces1 = [(to, *chosen) for to, chosen in zip(x2.reshape(14, 3, 2, 6, short), chosen1)]
    pieces2 = [(*z, a, *to) for z, a, to in zip(z2, pooled2[:-1].reshape(5, -1), chosen2)]

    # What blocks give to the same inputs is written a column further along from one array to the
    # next, between zeros: the sum over blocks is a sum of whole arrays.
    apart = room(3, 6 * long)
    apart_seen = strided(apart, (3, 12, short), (6 * long + n, half, 1))
    first, second, third = apart
    sums1, sums2, db1, db2 = room(14, 2, 30, 12), room(10, 15, 12, 32), room(14, 24), room(320)
    ones1, ones2 = room(long), room(short)
    ones1[:] = ones2[:] = 1
    sum1, sum2 = room(5, 6, 2, 6), room(5, 6, 6, 2, 16)
    reduced = [
        *((sums1.reshape(28, -1), sum1.ravel()), (sums2.reshape(10, -1), sum2.ravel())),
        *((db1.reshape(56, 6), gb1), (db2.reshape(20, 16), gb2)),
    ]
    folded = [
        (sum1[:, :5, 0], sum1[:, 1:, 1], g1),
        (sum2[:, :5, :, 0], sum2[:, 1:, :, 1], g2),
    ]
    pieces2_back = list(zip(d2.reshape(5, -1), chosen2, z2))
    pieces1_back = []
    for line in range(14):
        start, stop = 32 * max(0, line - 4), 32 * min(10, line + 1)
        shift = 32 * (line - 4)
        seen = t2_back[..., start - shift : stop - shift], z2_rows[start:stop]
        pieces1_back.append((*seen, chosen1[line], sums1[line], db1[line]))

    def step():
        x, y = next(batches)
        for to, weights in laid_out:
            np.copyto(to, weights)
        for seen, (to, chosen_upper, chosen_lower) in zip(x, pieces1):
            np.matmul(t1, seen, z1_lines)
            pool1(upper, lower, pooled1, chosen_upper, chosen_lower)
            np.copyto(to, pooled1_blocks)
        np.matmul(t2, x2_seen, z2_lines)
        for piece in pieces2:
            pool2(*piece)
        loss = classify(y)

        for piece in pieces2_back:
            unpool(*piece)
        np.matmul(x2_parts, z2t, sums2)
        np.matmul(z2_rows, ones2, db2)
        for seen, (t, dz, chosen, sums, db) in zip(x, pieces1_back):
            np.matmul(t, dz, apart_seen)
            np.add(first, second, d1)
            np.add(d1, third, d1)
            unpool(d1, chosen, z1)
            np.matmul(seen, z1t, sums)
            np.matmul(z1_rows, ones1, db)
        for terms, total in reduced:
            np.add.reduce(terms, 0, None, total)
        for left, right, total in folded:
            np.add(left, right, total)
        update()
        return loss

    return step


def blocks(x: np.ndarray) -> list[np.ndarray]:
    """For two lines of the output each what they see, (2, 5 x 6 inputs, 14 pairs x rows).

    They are views: what two lines both see is laid out once.
    """
    n = len(x)
    padded = np.pad(x[:, 0], ((0, 0), (2, 2), (2, 2))).transpose(1, 2, 0)
    pairs = np.r_[0:14:2, 1:14:2]
    out = aligned((32 * 6, 14 * n), x.dtype)
    out.reshape(32, 6, 14, n)[...] = padded[:, 2 * pairs + np.arange(6)[:, None]]
    line = 6 * 14 * n
    return [strided(out[i:], (2, 30, 14 * n), (line, 14 * n, 1)) for i in range(0, 14 * 12, 12)]


def classifier(
    weights: list[np.ndarray],
    gradients: list[np.ndarray],
    cost: Callable,
    a: np.ndarray,
    d: np.ndarray,
) -> Callable[[np.ndarray], np.floating]:
    """The linear layers: a function of y that returns the loss.

    It reads the inputs a, with a row of ones, and writes the gradients of the weights and d, the
    inputs'. The first weight is (in, out), for which its products are faster.
    """
    (w1, w2, w3), (g1, g2, g3) = weights, gradients
    n, dtype = a.shape[1], a.dtype
    a1, a2, d1, d2 = (aligned((k, n), dtype) for k in 2 * (121, 85))
    a1[-1] = a2[-1] = 1
    h1, h2, dz1, dz2 = (each[:-1] for each in (a1, a2, d1, d2))
    z1, z2, z3 = (aligned((k, n), dtype) for k in (120, 84, 10))
    zeros1, zeros2 = aligned(z1.shape, dtype), aligned(z2.shape, dtype)
    a1t, a2t, dz1t, w2t, w3t = (each.T for each in (a1, a2, dz1, w2, w3))
    w1_parts, z1_parts = w1.reshape(401, 4, 30).transpose(1, 2, 0), z1.reshape(4, 30, n)
    back_parts, d_parts = w1[:-1].reshape(4, 100, 120), d.reshape(4, 100, n)

    def relu_gradient(z, zeros, d):
        np.greater(z, zeros, z)
        np.multiply(d, z, d)

    def classify(y):
        np.matmul(w1_parts, a, z1_parts)
        np.maximum(z1, zeros1, out=h1)
        np.matmul(w2, a1, z2)
        np.maximum(z2, zeros2, out=h2)
        np.matmul(w3, a2, z3)
        loss = cost(z3, y)

        np.matmul(z3, a2t, g3)
        np.matmul(w3t, z3, d2)
        relu_gradient(z2, zeros2, dz2)
        np.matmul(dz2, a1t, g2)
        np.matmul(w2t, dz2, d1)
        relu_gradient(z1, zeros1, dz1)
        np.matmul(a, dz1t, g1)
        np.matmul(back_parts, dz1, d_parts)
        return loss

    return classify


def pooling(bias: np.ndarray) -> Callable[..., None]:
    """A function that takes the largest of each 2 x 2, adds `bias`, and takes the relu of that.

    It is given upper and lower lines, (left or right, the rest), and writes the result, and for
    either line where the gradient goes back to: the first of the largest, if the relu let it pass.
    """
    size, dtype = bias.size, bias.dtype
    bias, zeros, wide = bias.ravel(), aligned((size,), dtype), aligned((2, size), dtype)
    left, right = wide
    below, sides = aligned((2, 2, size), np.dtype(bool))
    on_left, on_right = sides
    passed, is_right = aligned((2, size), np.dtype(bool))

    def pool(upper, lower, out, chosen_upper, chosen_lower):
        np.maximum(upper, lower, out=wide)
        np.greater(lower, upper, below)
        np.maximum(left, right, out=out)
        np.greater(right, left, is_right)
        np.add(out, bias, out)
        np.maximum(out, zeros, out=out)
        np.greater(out, zeros, passed)
        np.bitwise_and(is_right, passed, on_right)
        np.bitwise_xor(on_right, passed, on_left)
        np.bitwise_and(below, sides, chosen_lower)
        np.bitwise_xor(chosen_lower, sides, chosen_upper)

    return pool


def unpool(d: np.ndarray, chosen: np.ndarray, out: np.ndarray) -> None:
    """Writes to `out` the gradient of what was pooled, d being that of the result."""
    np.copyto(out, chosen)
    np.multiply(d, out, out)


def strided(array: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """A view with these strides, in elements."""
    return as_strided(array, shape, [stride * array.itemsize for stride in strides])


STEPS: dict[str, Callable[[Problem], Step]] = {"W9": images}
