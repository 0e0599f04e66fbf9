"""The training steps in straight-line NumPy that allocates nothing: how fast NumPy can be.

Every result goes to an array made beforehand. All weights are views of one array, so are their
gradients, and one update serves all. Batches are laid out once, features first and with a row of
ones, so that a bias is one more column of its weight and elementwise work runs along the rows in
the batch. Constant factors of a gradient are left to the update.
"""

import math
from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.framework import LEAKY_SLOPE
from benchmarks.speed.workloads import Problem

Step = Callable[[], np.floating]
BLOCK = 16_384
"""Elements of a piece of a long array: a few such pieces stay in the second-level cache."""

CACHE_LINE = 64
"""In bytes. The whole step of W9 takes a fifth longer if arrays begin in the middle of one."""


def line(problem: Problem) -> Step:
    """W1."""
    (w1, w2), p, (g1, g2), g = arena(*in_pairs(problem.weights))
    [(x, y)] = problem.batches
    n, hidden = len(x), len(w1)
    x, y = with_ones(x.T), y.T.copy()
    a = with_ones(np.empty((hidden, n), x.dtype))
    z, error, dz = np.empty_like(a[:hidden]), np.empty_like(y), np.empty_like(a[:hidden])
    active, xt, at, column = np.empty(z.shape, bool), x.T, a.T, w2[:, :hidden].T
    flat, h, rate = error[0], a[:hidden], 2 * problem.lr / n

    def step():
        np.dot(w1, x, z)
        np.maximum(z, 0.0, out=h)
        np.dot(w2, a, error)
        np.subtract(error, y, error)
        loss = np.dot(flat, flat) / n

        np.dot(error, at, g2)
        np.multiply(column, error, dz)
        np.greater(z, 0.0, active)
        np.multiply(dz, active, dz)
        np.dot(dz, xt, g1)

        np.multiply(g, rate, g)
        np.subtract(p, g, p)
        return loss

    return step


def sine(problem: Problem) -> Step:
    """W2: one array holds states, two rows of ones and inputs, for all times beside each other."""
    Wxh, Whh, bih, bhh, Why, by = problem.weights
    (w, wy), p, (gw, gwy), g = arena(
        np.hstack([Whh, bih[:, None], bhh[:, None], Wxh]), np.hstack([Why, by[:, None]])
    )
    [(x, y)], hidden = problem.batches, len(Whh)
    n, length, _ = x.shape
    states = np.zeros((hidden + 3, length + 1, n), x.dtype)
    states[hidden : hidden + 2] = 1
    states[-1, :length] = x[:, :, 0].T
    y = y.T.copy()
    z, dh, error = np.empty((hidden, n), x.dtype), np.empty((hidden, n), x.dtype), np.empty_like(y)
    slope = np.empty((hidden, length, n), x.dtype)
    dz = np.empty_like(slope)
    inputs = [states[:, t] for t in range(length)]
    outputs = [states[:hidden, t + 1] for t in range(length)]
    top, all_outputs = states[: hidden + 1, length], states[:hidden, 1:]
    slopes, dzs = ([each[:, t] for t in range(length)] for each in (slope, dz))
    recurrent, column = w[:, :hidden].T, wy[:, :hidden].T
    flat_dz = dz.reshape(hidden, -1)
    flat_states = states.reshape(len(states), -1)[:, : length * n].T
    flat, top_t = error[0], top.T
    update = adam(p, g, problem.lr, 2 / n)
    forward = list(zip(inputs, outputs))
    backward = list(zip(dzs, slopes))[:0:-1]

    def step():
        for before, after in forward:
            np.dot(w, before, z)
            np.tanh(z, after)
        np.dot(wy, top, error)
        np.subtract(error, y, error)
        loss = np.dot(flat, flat) / n

        np.dot(error, top_t, gwy)
        np.multiply(all_outputs, all_outputs, slope)
        np.subtract(1.0, slope, slope)
        np.multiply(column, error, dh)
        for d, s in backward:
            np.multiply(dh, s, d)
            np.dot(recurrent, d, dh)
        np.multiply(dh, slopes[0], dzs[0])
        np.matmul(flat_dz, flat_states, gw)
        update()
        return loss

    return step


def clouds(problem: Problem) -> Step:
    """W3: out = sigmoid(z) = (1 + tanh(z/2)) / 2, the halves taken into weights and rates.

    With w = W/2 and t = tanh(z/2), out - y = (t - (2y - 1)) / 2 and out (1 - out) = (1 - t^2) / 4.
    """
    (w1, w2), p, (g1, g2), g = arena(*(0.5 * weight for weight in problem.weights))
    batches = cycle([(x[0], 2 * y[0] - 1) for x, y in problem.batches])
    th, h, t, error, dt, dh = np.empty((6, 2), p.dtype)
    ones, halves, w2t = np.ones(2, p.dtype), np.full(2, 0.5, p.dtype), w2.T
    dt_column, dh_column = dt[:, None], dh[:, None]
    rates = np.repeat(np.array([problem.lr / 32, problem.lr / 16], p.dtype), 4)

    def step():
        x, y = next(batches)
        np.dot(w1, x, th)
        np.tanh(th, th)
        np.add(th, ones, h)
        np.multiply(h, halves, h)
        np.dot(w2, h, t)
        np.tanh(t, t)
        np.subtract(t, y, error)
        loss = np.dot(error, error) / 8

        np.multiply(t, t, t)
        np.subtract(ones, t, t)
        np.multiply(error, t, dt)
        np.multiply(dt_column, h, g2)
        np.dot(w2t, dt, dh)
        np.multiply(th, th, th)
        np.subtract(ones, th, th)
        np.multiply(dh, th, dh)
        np.multiply(dh_column, x, g1)

        np.multiply(g, rates, g)
        np.subtract(p, g, p)
        return loss

    return step


def dense(problem: Problem, make_cost: Callable, slope: float = 0.0) -> Step:
    """W4 to W7 and W12: three linear layers with (leaky) ReLU between them, and Adam.

    `make_cost(outputs, n, dtype)` returns a function that turns a batch's y into what `cost(z, y)`
    wants, and `cost`: it returns the loss of z (outputs, n), and leaves n times its gradient in z.
    """
    (w1, w2, w3), p, (g1, g2, g3), g = arena(*in_pairs(problem.weights))
    n, dtype = len(problem.batches[0][0]), p.dtype
    lay_out, cost = make_cost(len(w3), n, dtype)
    batches = [(with_ones(x.T), lay_out(y)) for x, y in problem.batches]
    batches = cycle([(x, x.T, y) for x, y in batches])
    a1, a2 = (with_ones(np.empty((len(w), n), dtype)) for w in (w1, w2))
    h1, h2, a1t, a2t = a1[:-1], a2[:-1], a1.T, a2.T
    z1, z2, z3 = np.empty_like(h1), np.empty_like(h2), np.empty((len(w3), n), dtype)
    d1, d2 = np.empty_like(h1), np.empty_like(h2)
    w2t, w3t = w2[:, :-1].T, w3[:, :-1].T
    zero, leak, rest = (np.array(each, dtype) for each in (0, slope, 1 - slope))
    update = adam(p, g, problem.lr, 1 / n)

    def relu(z, h):
        np.maximum(z, zero, out=h)

    def leaky(z, h):
        np.multiply(z, leak, h)
        np.maximum(z, h, out=h)

    def relu_gradient(z, d):
        np.greater(z, zero, z)
        np.multiply(d, z, d)

    def leaky_gradient(z, d):
        np.greater(z, zero, z)
        np.multiply(z, rest, z)
        np.add(z, leak, z)
        np.multiply(d, z, d)

    # dot copies what lies in neither order, as w2t, and clears a result first; but begins sooner,
    # and is quicker where little is summed over.
    product = np.dot if h1.size < 2**12 else np.matmul
    activate, activate_gradient = (leaky, leaky_gradient) if slope else (relu, relu_gradient)

    def step():
        x, xt, y = next(batches)
        product(w1, x, z1)
        activate(z1, h1)
        product(w2, a1, z2)
        activate(z2, h2)
        product(w3, a2, z3)
        loss = cost(z3, y)

        product(z3, a2t, g3)
        np.dot(w3t, z3, d2)
        activate_gradient(z2, d2)
        product(d2, a1t, g2)
        product(w2t, d2, d1)
        activate_gradient(z1, d1)
        product(d1, xt, g1)
        update()
        return loss

    return step


def sigmoid_cost(outputs: int, n: int, dtype: np.dtype) -> tuple[Callable, Callable]:
    """Binary cross-entropy of sigmoid(z), from t = tanh(z/2): sigmoid(z) = (1 + t) / 2.

    -log sigmoid(|z|) = log 2 - log(1 + |t|), and what is left is |z|/2 - z (y - 1/2).
    """
    work = np.empty((outputs, n), dtype)
    flat_work, log2 = work[0], math.log(2)
    half, one = np.array(0.5, dtype), np.array(1, dtype)

    def cost(z, y):
        flat_z = z[0]
        linear = np.dot(flat_z, y[0])
        np.multiply(z, half, z)
        np.absolute(z, work)
        linear = np.add.reduce(flat_work) - linear
        np.tanh(z, z)
        np.absolute(z, work)
        np.add(work, one, work)
        np.log(work, work)
        loss = (linear - np.add.reduce(flat_work)) / n + log2
        np.multiply(z, half, z)
        np.subtract(z, y, z)
        return loss

    return lambda y: y.T - half, cost


def softmax_cost(outputs: int, n: int, dtype: np.dtype) -> tuple[Callable, Callable]:
    """Cross-entropy of softmax(z) for integer targets, laid out with a one in each column."""
    row = np.empty(n, dtype)

    def lay_out(y):
        return (np.arange(outputs)[:, None] == y).astype(dtype)

    def cost(z, y):
        np.maximum.reduce(z, 0, None, row)
        np.subtract(z, row, z)
        picked = np.vdot(z, y)
        np.exp(z, z)
        np.add.reduce(z, 0, None, row)
        np.divide(z, row, z)
        np.subtract(z, y, z)
        np.log(row, row)
        return (np.add.reduce(row) - picked) / n

    return lay_out, cost


def chain(problem: Problem) -> Step:
    """W11: in pieces that stay in the cache from the first operation to the update."""
    w, [(x, y)] = problem.weights[0].copy(), problem.batches
    pieces = list(zip(*(in_pieces(each) for each in (w, x, y))))
    z, t, e, total = np.empty((4, BLOCK), w.dtype)
    half, one, rate = (np.array(each, w.dtype) for each in (0.5, 1, 2 * problem.lr))
    work = [tuple(each[: len(piece)] for each in (z, t, e, total)) for piece, _, _ in pieces]
    pieces = [(*arrays, *buffers) for arrays, buffers in zip(pieces, work)]

    def step():
        loss = 0.0
        for w, x, y, z, t, e, total in pieces:
            np.multiply(w, x, z)
            np.add(z, half, z)
            np.tanh(z, t)
            np.multiply(z, t, e)
            np.negative(e, e)
            np.exp(e, e)
            np.add(e, one, total)
            np.divide(e, total, e)
            np.log(total, total)
            np.subtract(total, y, total)
            loss += np.dot(total, total)

            np.multiply(total, e, e)
            np.multiply(t, t, total)
            np.subtract(one, total, total)
            np.multiply(total, z, total)
            np.add(total, t, total)
            np.multiply(total, e, e)
            np.multiply(e, x, e)
            np.multiply(e, rate, e)
            np.add(w, e, w)
        return loss

    return step


def arena(
    *matrices: np.ndarray,
) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray], np.ndarray]:
    """Views and the flat array behind them: copies of matrices, then room for their gradients."""
    flat = np.concatenate([matrix.ravel() for matrix in matrices])
    p, g = aligned(flat.shape, flat.dtype), aligned(flat.shape, flat.dtype)
    p[:] = flat
    ends = np.cumsum([matrix.size for matrix in matrices])[:-1]
    views = (
        [part.reshape(m.shape) for part, m in zip(np.split(flat, ends), matrices)]
        for flat in (p, g)
    )
    return next(views), p, next(views), g


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros that begin with a line of the cache."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def in_pairs(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Every weight (out, in) and bias (out,) as one matrix (out, in + 1)."""
    return [np.hstack([w, b[:, None]]) for w, b in zip(weights[::2], weights[1::2])]


def with_ones(rows: np.ndarray) -> np.ndarray:
    """A copy with a last row of ones."""
    return np.vstack([rows, np.ones_like(rows[:1])])


def in_pieces(array: np.ndarray) -> list[np.ndarray]:
    """Views of a flat array, BLOCK elements each."""
    return [array[i : i + BLOCK] for i in range(0, len(array), BLOCK)]


def adam(p: np.ndarray, g: np.ndarray, lr: float, scale: float) -> Callable[[], None]:
    """Adam's update of p for the gradient scale * g; p and g are flat.

    The averages kept are without their constant factors, which the last lines make up for.
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    m, v, work = (aligned(a.shape, a.dtype) for a in (p, p, p[:BLOCK]))
    pieces = [(*each, work[: len(each[0])]) for each in zip(*map(in_pieces, (p, g, m, v)))]
    decay1, decay2, rate, shift = (np.array(each, p.dtype) for each in (beta1, beta2, 0, 0))
    count = 0

    def update():
        nonlocal count
        count += 1
        size = math.sqrt((1 - beta2) / (1 - beta2**count))
        rate[...] = lr * (1 - beta1) / (1 - beta1**count) / size
        shift[...] = eps / (size * scale)
        for p, g, m, v, work in pieces:
            np.multiply(m, decay1, m)
            np.add(m, g, m)
            np.multiply(g, g, g)
            np.multiply(v, decay2, v)
            np.add(v, g, v)
            np.sqrt(v, work)
            np.add(work, shift, work)
            np.divide(m, work, work)
            np.multiply(work, rate, work)
            np.subtract(p, work, p)

    return update


STEPS: dict[str, Callable[[Problem], Step]] = {
    "W1": line,
    "W2": sine,
    "W3": clouds,
    "W4": lambda problem: dense(problem, sigmoid_cost),
    "W5": lambda problem: dense(problem, softmax_cost, LEAKY_SLOPE),
    "W6": lambda problem: dense(problem, sigmoid_cost),
    "W7": lambda problem: dense(problem, softmax_cost),
    "W11": chain,
    "W12": lambda problem: dense(problem, softmax_cost),
}
