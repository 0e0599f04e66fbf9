"""States carried through a sequence, a whole sequence an operation.

Composed, step by step, a layer would take twice as long: a product of weights and gradients at each
step, rather than one of all steps, and a dozen operations on small arrays. The sequence comes as x,
(L, N, …), the inputs of each step projected and with their bias; w (…, H) projects the state h.

The gradients of all arguments come from one walk back. d is that of the sum which the function of a
step is applied to; see Werbos 1990, doi:10.1109/5.58337.
"""

import math

import numpy as np

from autodiff.families import general
from autodiff.ops.elementwise import nonzero_mask
from autodiff.ops.linalg import rows
from autodiff.primitive import shared


def _by_weights(d, h, states):
    """The gradient of w, for the gradients d of the sums of all steps: one product."""
    return np.dot(rows(d).T, rows(np.concatenate((h[None], states[:-1]))))


def _product(d, w):
    """d w; of small matrices by blocks of rows, for which OpenBLAS has a kernel of its own.

    For (32, 512) and (512, 128) 26 us, not 42.
    """
    (n, inner), size = d.shape, w.shape[1]
    blocks = math.gcd(n, 4) if n * inner * size < 4_000_000 else 1
    if blocks == 1:
        return np.dot(d, w)
    return np.matmul(d.reshape((blocks, n // blocks, inner)), w).reshape((n, size))


def _elman(x, h, w, /, relu=False):
    """The states of h' = tanh(x + w h), or relu for tanh.  (L, N, H), (N, H), (H, H) -> (L, N, H)

    Source: Elman 1990, "Finding structure in time".
    """
    w = w.T.copy()  # the product takes two thirds of the time
    out = np.empty_like(x, order="C")
    for x_t, z in zip(x, out):
        np.dot(h, w, z)
        z += x_t
        h = np.maximum(z, 0, out=z) if relu else np.tanh(z, z)
    return out


def _elman_gradients(g, h, w, out, relu):
    steps, dh = [], 0.0
    for t in range(len(out))[::-1]:
        y = out[t]
        d = (dh + g[t]) * (nonzero_mask(y) if relu else 1 - y * y)
        steps.append(d)
        dh = _product(d, w)
    d = np.stack(steps[::-1])
    return d, dh, _by_weights(d, h, out)


def _lstm(x, h, c, w, /):
    """The states and gates of a long short-term memory.

    (i, f, a, o) = x + w h, the sigmoid of i, f and o, the tanh of a; c' = f c + i a;
    h' = o tanh(c').
    (L, N, 4 H), (N, H), (N, H), (4 H, H) -> (6, L, N, H): h, c, i, f, a, o

    Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
    """
    steps, (n, size) = len(x), h.shape
    w = w.reshape((4, size, size)).swapaxes(1, 2).copy()  # by gate: they lie in one piece each
    x = x.reshape((steps, n, 4, size)).swapaxes(1, 2)
    out = np.empty_like(x, shape=(6, steps, n, size), order="C")
    z = np.empty_like(w, shape=(4, n, size))
    i, f, a, o = z
    for t in range(steps):
        np.matmul(h, w, out=z)
        z += x[t]
        for y in (z[:2], o):  # sigmoid(y) = tanh(y / 2) / 2 + 1 / 2: one call for all gates
            y *= 0.5
        np.tanh(z, z)
        for y in (z[:2], o):
            y *= 0.5
            y += 0.5
        h, product = out[0, t], np.multiply(f, c, out[1, t])
        c = np.add(product, np.multiply(i, a, h), product)
        np.tanh(c, h)
        h *= o
        out[2:, t] = z
    return out


def _lstm_gradients(g, h, c, w, out):
    steps, dh, dc = [], 0.0, 0.0
    for t in range(out.shape[1])[::-1]:
        i, f, a, o = out[2:, t]
        gh, gc, gi, gf, ga, go = [g[k, t] for k in range(6)]  # compiled, most are known to be 0
        shown = np.tanh(out[1, t])
        dh = dh + gh
        dc = dc + gc + dh * o * (1 - shown * shown)
        of_gates = (
            (dc * a + gi) * (i * (1 - i)),
            (dc * (out[1, t - 1] if t else c) + gf) * (f * (1 - f)),
            (dc * i + ga) * (1 - a * a),
            (dh * shown + go) * (o * (1 - o)),
        )
        steps.append(np.concatenate(of_gates, -1))
        dh, dc = _product(steps[-1], w), dc * f
    d = np.stack(steps[::-1])
    return d, dh, dc, _by_weights(d, h, out[0])


elman = general(_elman, promote="match", **shared(_elman_gradients, "x", "h", "w"))
lstm = general(_lstm, promote="match", **shared(_lstm_gradients, "x", "h", "c", "w"))
