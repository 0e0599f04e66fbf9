"""The step of W8 in straight-line NumPy that allocates nothing, as `floor` has the smaller ones."""

from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.speed.floor import Step, adam, arena, softmax_cost
from benchmarks.speed.workloads import Problem

PARTS = 4
"""Into how many a product is cut: OpenBLAS packs no matrices where m n k is below a million."""


def sequences(problem: Problem) -> Step:
    """W8: the gates in the order o, i, f, g, each (hidden, rows); see `hand_networks.sequences`.

    Below the states lie the inputs and two rows of ones, for the biases. The half in sigmoid(z) =
    (1 + tanh(z/2)) / 2 is taken into the weights once a step.
    """
    Wih, Whh, bih, bhh, Why, by = problem.weights
    hidden, dtype = Whh.shape[1], Whh.dtype
    order = np.roll(np.arange(4 * hidden), hidden)
    (w, wy), p, (gw, gwy), gradients = arena(
        np.hstack([Whh, Wih, bih[:, None], bhh[:, None]])[order], np.hstack([Why, by[:, None]])
    )
    length, n, inputs = problem.batches[0][0].shape
    lay_out, cost = softmax_cost(len(wy), n, dtype)
    batches = cycle([(x.transpose(0, 2, 1).copy(), lay_out(y)) for x, y in problem.batches])
    half, one = np.array(0.5, dtype), np.array(1, dtype)
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1], dtype), hidden)[:, None]
    rows = w.shape[1]

    states = np.ones((length + 1, rows, n), dtype)
    states[0, :hidden] = 0
    taken = states[:-1, hidden : hidden + inputs]
    cells = np.zeros((length + 1, hidden, n), dtype)
    shown = np.empty((length, hidden, n), dtype)
    gates, dz = np.empty((2, length, 4, hidden, n), dtype)
    scaled, back = np.empty_like(w), np.empty((hidden, 4 * hidden), dtype)
    by_gate = scaled.reshape(4, hidden, rows)
    in_parts = back.reshape(PARTS, hidden // PARTS, 4 * hidden)
    dh, dc, work = np.empty((3, hidden, n), dtype)
    dh_parts = dh.reshape(PARTS, hidden // PARTS, n)
    last, error = np.ones((hidden + 1, n), dtype), np.empty((len(wy), n), dtype)
    dz_rows = np.empty((4 * hidden, length, n), dtype)
    states_rows = np.empty((length, n, rows), dtype)
    flat_dz, flat_states = dz_rows.reshape(4 * hidden, -1), states_rows.reshape(-1, rows)
    dz_seen = dz.reshape(length, 4 * hidden, n).transpose(1, 0, 2)
    states_seen = states[:-1].transpose(0, 2, 1)
    recurrent, column, last_h, last_t = w[:, :hidden].T, wy[:, :hidden].T, last[:-1], last.T
    update = adam(p, gradients, problem.lr, 1 / n)
    forward = [
        (states[t], z, z[:3], *z, cells[t], cells[t + 1], shown[t], states[t + 1, :hidden])
        for t, z in enumerate(gates)
    ]
    backward = [
        (z, z[:3], *z, cells[t], shown[t], d, d[:3], *d, d[1:], d.reshape(4 * hidden, n))
        for t, (z, d) in enumerate(zip(gates, dz))
    ][::-1]

    def step():
        x, y = next(batches)
        np.copyto(taken, x)
        np.multiply(w, halves, scaled)
        for s, z, sigmoids, o, i, f, g, c, new, t, h in forward:
            np.matmul(by_gate, s, z)
            np.tanh(z, z)
            np.multiply(sigmoids, half, sigmoids)
            np.add(sigmoids, half, sigmoids)
            np.multiply(f, c, new)
            np.multiply(i, g, work)
            np.add(new, work, new)
            np.tanh(new, t)
            np.multiply(o, t, h)
        np.copyto(last_h, h)
        np.dot(wy, last, error)
        loss = cost(error, y)

        np.dot(error, last_t, gwy)
        np.dot(column, error, dh)
        dc.fill(0)
        np.copyto(back, recurrent)
        for z, sigmoids, o, i, f, g, c, t, d, slopes, do, di, df, dg, with_c, flat in backward:
            np.multiply(z, z, d)
            np.subtract(sigmoids, slopes, slopes)
            np.subtract(one, dg, dg)
            np.multiply(do, t, do)
            np.multiply(do, dh, do)
            np.multiply(di, g, di)
            np.multiply(df, c, df)
            np.multiply(dg, i, dg)
            np.multiply(t, t, work)
            np.subtract(one, work, work)
            np.multiply(work, o, work)
            np.multiply(work, dh, work)
            np.add(dc, work, dc)
            np.multiply(with_c, dc, with_c)
            np.multiply(dc, f, dc)
            np.matmul(in_parts, flat, dh_parts)
        np.copyto(dz_rows, dz_seen)
        np.copyto(states_rows, states_seen)
        np.dot(flat_dz, flat_states, gw)
        update()
        return loss

    return step


STEPS: dict[str, Callable[[Problem], Step]] = {"W8": sequences}
