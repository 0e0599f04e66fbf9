"""The steps of W8 to W10 in NumPy with the backward pass derived by hand, as `hand` has the others.

What is not obvious in them: axes are laid out so that elementwise work runs along long rows (the
rows in a batch come last in W8 and W9), each weight's gradient is one product for all times and
rows, and no array is made that a product could read in place.
"""

import math
from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.framework import HEADS
from benchmarks.speed.hand import Step, softmax_cost, update_rule
from benchmarks.speed.workloads import Problem


def sequences(problem: Problem) -> Step:
    """W8: the gates in the order o, i, f, g, each (hidden, rows); inputs lie below the states.

    With one row of weights for both, there is one product a step; the gates' part of it is one
    array each, and PyTorch's sigmoids are one tanh: sigmoid(z) = (1 + tanh(z/2)) / 2.
    """
    Wih, Whh, bih, bhh, Why, by = problem.weights
    hidden = Whh.shape[1]
    order = np.roll(np.arange(4 * hidden), hidden)
    weights = [np.hstack([Whh, Wih])[order], bih[order], bhh[order], Why.copy(), by.copy()]
    W, bih, bhh, Why, by = weights
    update = update_rule(problem, weights)
    batches = cycle([(x.transpose(0, 2, 1).copy(), y) for x, y in problem.batches])
    length, n, inputs = problem.batches[0][0].shape
    by_gate = W.reshape(4, hidden, hidden + inputs)
    states = np.zeros((length + 1, hidden + inputs, n), W.dtype)
    cells = np.zeros((length + 1, hidden, n), W.dtype)
    shown = np.empty((length, hidden, n), W.dtype)
    gates = np.empty((length, 4, hidden, n), W.dtype)
    dz = np.empty((4, hidden, length, n), W.dtype)

    def step():
        x, y = next(batches)
        states[:-1, hidden:] = x
        b = (bih + bhh).reshape(4, hidden, 1)
        for t in range(length):
            z = by_gate @ states[t]
            z += b
            z[:3] *= 0.5
            np.tanh(z, out=gates[t])
            gates[t, :3] *= 0.5
            gates[t, :3] += 0.5
            o, i, f, g = gates[t]
            cells[t + 1] = f * cells[t] + i * g
            shown[t] = np.tanh(cells[t + 1])
            states[t + 1, :hidden] = o * shown[t]
        h = states[length, :hidden]
        loss, d = softmax_cost((Why @ h).T + by, y)

        dWhy, dby = d.T @ h.T, d.sum(0)
        dh = Why.T @ d.T
        dc = np.zeros_like(dh)
        back = W[:, :hidden].T.copy()
        for t in reversed(range(length)):
            o, i, f, g = gates[t]
            d = gates[t] * gates[t]
            np.subtract(gates[t, :3], d[:3], out=d[:3])
            np.subtract(1, d[3], out=d[3])
            dc += dh * o * (1 - shown[t] * shown[t])
            d[0] *= shown[t]
            d[0] *= dh
            d[1] *= g
            d[2] *= cells[t]
            d[3] *= i
            d[1:] *= dc
            dc *= f
            dz[:, :, t] = d
            dh = back @ d.reshape(4 * hidden, n)
        flat = dz.reshape(4 * hidden, length * n)
        dW = flat @ states[:-1].transpose(0, 2, 1).reshape(length * n, -1)
        db = flat.sum(1)
        update([dW, db, db, dWhy, dby])
        return loss

    return step


def images(problem: Problem) -> Step:
    """W9: images are (channels, height, width, rows), and convolutions products with windows."""
    weights = [weight.copy() for weight in problem.weights]
    W1, b1, W2, b2, *dense = weights
    update = update_rule(problem, weights)
    batches = []
    for x, y in problem.batches:
        padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
        batches.append((padded.transpose(1, 2, 3, 0).copy(), y))
    batches = cycle(batches)

    def step():
        x, y = next(batches)
        windows1 = windows(x, 5)
        z1, pooled1, which1 = convolved_and_pooled(windows1, W1, b1)
        windows2 = windows(pooled1, 5)
        z2, pooled2, which2 = convolved_and_pooled(windows2, W2, b2)
        a = pooled2.reshape(400, -1)
        kept = []
        for layer in range(0, 6, 2):
            if layer:
                a = np.maximum(a, 0)
            kept.append(a)
            a = dense[layer] @ a + dense[layer + 1][:, None]
        loss, d = softmax_cost(a.T, y)

        d, gradients = d.T, []
        for layer in (4, 2, 0):
            a = kept[layer // 2]
            gradients = [d @ a.T, d.sum(1), *gradients]
            d = dense[layer].T @ d
            if layer:
                d *= a > 0
        d = unpooled(d.reshape(pooled2.shape) * (pooled2 > 0), which2, z2.shape)
        flat = d.reshape(len(W2), -1)
        dW2 = (flat @ windows2.reshape(-1, flat.shape[1]).T).reshape(W2.shape)
        db2 = flat.sum(1)
        d = unwindowed(W2.reshape(len(W2), -1).T @ flat, pooled1.shape, 5)
        d = unpooled(d * (pooled1 > 0), which1, z1.shape)
        flat = d.reshape(len(W1), -1)
        dW1 = (flat @ windows1.reshape(-1, flat.shape[1]).T).reshape(W1.shape)
        update([dW1, flat.sum(1), dW2, db2, *gradients])
        return loss

    return step


def windows(x: np.ndarray, size: int) -> np.ndarray:
    """A copy of x for each place in a window: (channels, size, size, height, width, rows)."""
    channels, height, width, rows = x.shape
    height, width = height - size + 1, width - size + 1
    out = np.empty((channels, size, size, height, width, rows), x.dtype)
    for i in range(size):
        for j in range(size):
            out[:, i, j] = x[:, i : i + height, j : j + width]
    return out


def unwindowed(d: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    """The gradient of what `windows` was given, of that shape."""
    channels, height, width, rows = shape
    height, width = height - size + 1, width - size + 1
    d = d.reshape(channels, size, size, height, width, rows)
    out = np.zeros(shape, d.dtype)
    for i in range(size):
        for j in range(size):
            out[:, i : i + height, j : j + width] += d[:, i, j]
    return out


def convolved_and_pooled(
    windows: np.ndarray, W: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """The convolution, relu of the largest of each 2 x 2 (relu of fewer: both rise), and which."""
    *_, height, width, rows = windows.shape
    z = W.reshape(len(W), -1) @ windows.reshape(W[0].size, -1)
    z = z.reshape(len(W), height, width, rows)
    left = z[:, :, ::2] >= z[:, :, 1::2]
    wide = np.maximum(z[:, :, ::2], z[:, :, 1::2])
    top = wide[:, ::2] >= wide[:, 1::2]
    out = np.maximum(wide[:, ::2], wide[:, 1::2])
    out += b[:, None, None, None]
    return z, np.maximum(out, 0, out=out), (top, left)


def unpooled(d: np.ndarray, which: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of what was pooled: d where the largest, the first of equals, was."""
    top, left = which
    channels, height, width, rows = shape
    wide = np.empty((channels, height, width // 2, rows), d.dtype)
    np.multiply(d, top, out=wide[:, ::2])
    np.subtract(d, wide[:, ::2], out=wide[:, 1::2])
    out = np.empty(shape, d.dtype)
    np.multiply(wide, left, out=out[:, :, ::2])
    np.subtract(wide, out[:, :, ::2], out=out[:, :, 1::2])
    return out


def texts(problem: Problem) -> Step:
    """W10: rows of all texts beside each other, the heads views of one product."""
    # NumPy has none. Here, for importing autodiff changes what memory is kept (its `allocator`),
    # and that is not to help the other contenders.
    from autodiff.ops.special import erf

    weights = [weight.copy() for weight in problem.weights]
    letters, places = weights[:2]
    blocks = [weights[i : i + 12] for i in range(2, len(weights) - 3, 12)]
    scale, shift, head = weights[-3:]
    update, batches = update_rule(problem, weights), cycle(problem.batches)
    n, length = problem.batches[0][0].shape
    each, mask = np.arange(len(letters))[:, None], np.full((length, length), -np.inf, head.dtype)
    mask = np.triu(mask, 1)

    def step():
        tokens, y = next(batches)
        x = (letters[tokens] + places).reshape(n * length, -1)
        kept = []
        for block in blocks:
            x, values = attend(x, block[:6], mask)
            kept.append(values)
            x, values = widen(x, block[6:], erf)
            kept.append(values)
        out, values = normalized(x, scale, shift)
        loss, d = softmax_cost(out @ head.T, y.reshape(-1))

        dhead = d.T @ out
        d, *dnorm = normalized_gradient(d @ head, scale, values)
        gradients = [*dnorm, dhead]
        for block in reversed(blocks):
            d, of_widen = widen_gradient(d, block[6:], kept.pop())
            d, of_attend = attend_gradient(d, block[:6], kept.pop())
            gradients = [*of_attend, *of_widen, *gradients]
        chosen = (each == tokens.reshape(-1)).astype(d.dtype)
        update([chosen @ d, d.reshape(n, length, -1).sum(0), *gradients])
        return loss

    return step


def normalized(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> tuple:
    """Rows less their mean, over their deviation, scaled and shifted; what the gradient needs."""
    width = x.shape[1]
    unit = x - mean(x)
    inverse = 1 / np.sqrt(np.einsum("ij,ij->i", unit, unit)[:, None] / width + 1e-5)
    unit *= inverse
    out = unit * scale
    out += shift
    return out, (unit, inverse)


def normalized_gradient(d: np.ndarray, scale: np.ndarray, kept: tuple) -> tuple:
    """The gradients of `normalized`'s arguments."""
    unit, inverse = kept
    dscale, dshift = np.einsum("ij,ij->j", d, unit), d.sum(0)
    d = d * scale
    along = np.einsum("ij,ij->i", d, unit)[:, None] / d.shape[1]
    d -= mean(d)
    d -= unit * along
    d *= inverse
    return d, dscale, dshift


def mean(x: np.ndarray) -> np.ndarray:
    """Of each row, as a column: by a product, which takes a third of x.mean(1)'s time."""
    return (x @ np.full(x.shape[1], 1 / x.shape[1], x.dtype))[:, None]


def by_heads(x: np.ndarray, length: int, parts: int = 1) -> np.ndarray:
    """(texts · length, parts · width) -> (parts, texts, heads, length, width / heads), a view."""
    size = x.shape[1] // (parts * HEADS)
    return x.reshape(-1, length, parts, HEADS, size).transpose(2, 0, 3, 1, 4)


def attend(x: np.ndarray, weights: list[np.ndarray], mask: np.ndarray) -> tuple:
    """x plus the attention to x normalised; what the gradient needs."""
    scale, shift, Wqkv, bqkv, W, b = weights
    length, width = len(mask), x.shape[1]
    a, norm = normalized(x, scale, shift)
    qkv = a @ Wqkv.T
    qkv += bqkv
    qkv[:, :width] *= (HEADS / width) ** 0.5
    q, k, v = by_heads(qkv, length, 3)
    p = q @ k.swapaxes(2, 3)
    p += mask
    p -= p.max(3, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(3, keepdims=True)
    seen = np.empty_like(x)
    np.matmul(p, v, out=by_heads(seen, length)[0])
    out = seen @ W.T
    out += b
    out += x
    return out, (norm, a, qkv, p, seen)


def attend_gradient(d: np.ndarray, weights: list[np.ndarray], kept: tuple) -> tuple:
    """The gradient of `attend`'s x, and the list of those of its weights.

    The sum over keys of p dp is that of seen dseen over a head: half as many numbers.
    Source: Dao et al. 2022, arXiv:2205.14135, section B.2.
    """
    scale, _, Wqkv, _, W, _ = weights
    norm, a, qkv, p, seen = kept
    length, width = p.shape[2], d.shape[1]
    dseen = d @ W
    q, k, v = by_heads(qkv, length, 3)
    [by_head] = by_heads(dseen, length)
    dqkv = np.empty_like(qkv)
    dq, dk, dv = by_heads(dqkv, length, 3)
    np.matmul(p.swapaxes(2, 3), by_head, out=dv)
    ds = by_head @ v.swapaxes(2, 3)
    ds -= by_heads(seen * dseen, length)[0].sum(3, keepdims=True)
    ds *= p
    np.matmul(ds, k, out=dq)
    np.matmul(ds.swapaxes(2, 3), q, out=dk)
    dqkv[:, :width] *= (HEADS / width) ** 0.5
    dx, dscale, dshift = normalized_gradient(dqkv @ Wqkv, scale, norm)
    dx += d
    return dx, [dscale, dshift, dqkv.T @ a, dqkv.sum(0), d.T @ seen, d.sum(0)]


def widen(x: np.ndarray, weights: list[np.ndarray], erf: Callable) -> tuple:
    """x plus two linear layers of x normalised, gelu between them; what the gradient needs.

    gelu(u) = u F(u), F the normal distribution function; its slope is F(u) + u F'(u).
    """
    scale, shift, W1, b1, W2, b2 = weights
    a, norm = normalized(x, scale, shift)
    u = a @ W1.T
    u += b1
    below = erf(u * math.sqrt(0.5))
    below += 1
    below *= 0.5
    active = u * below
    out = active @ W2.T
    out += b2
    out += x
    return out, (norm, a, u, below, active)


def widen_gradient(d: np.ndarray, weights: list[np.ndarray], kept: tuple) -> tuple:
    """The gradient of `widen`'s x, and the list of those of its weights."""
    scale, _, W1, _, W2, _ = weights
    norm, a, u, below, active = kept
    slope = u * u
    slope *= -0.5
    np.exp(slope, out=slope)
    slope *= u
    slope *= 1 / math.sqrt(2 * math.pi)
    slope += below
    du = d @ W2
    du *= slope
    dx, dscale, dshift = normalized_gradient(du @ W1, scale, norm)
    dx += d
    return dx, [dscale, dshift, du.T @ a, du.sum(0), d.T @ active, d.sum(0)]


STEPS: dict[str, Callable[[Problem], Step]] = {"W8": sequences, "W9": images, "W10": texts}
