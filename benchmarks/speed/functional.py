"""The losses as functions of weights, x and y, in NumPy's spelling: for JAX and HIPS autograd."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.speed.framework import HEADS, LEAKY_SLOPE

Loss = Callable[[list[Any], Any, Any], Any]


def losses(
    np: ModuleType,
    *,
    sigmoid: Callable,
    relu: Callable,
    erf: Callable,
    softmax: Callable,
    cross_entropy: Callable,
    loop: Callable,
    convolve: Callable | None = None,
    pool: Callable | None = None,
) -> dict[str, Loss]:
    """The loss of each workload, written with that NumPy and those functions of one package.

    loop(step, state, xs): the last state, each being step(state before, x). convolve(x, weight,
    padding) and pool(x), the largest of each 2 x 2; without them W9 has no loss.
    """

    def line(weights, x, y):
        error = mlp(weights, x, relu) - y
        return np.mean(error * error)

    def sine(weights, x, y):
        Wxh, Whh, bih, bhh, Why, by = weights
        projected = x @ Wxh.T + (bih + bhh)
        h = np.tanh(projected[:, 0])
        for t in range(1, x.shape[1]):
            h = np.tanh(projected[:, t] + h @ Whh.T)
        error = h @ Why.T + by - y
        return np.mean(error * error)

    def clouds(weights, x, y):
        Wih, Who = weights
        error = sigmoid(sigmoid(x @ Wih.T) @ Who.T) - y
        return np.mean(error * error)

    def binary(weights, x, y):
        z = mlp(weights, x, relu)
        return np.mean(np.maximum(z, 0.0) - z * y + np.log1p(np.exp(-np.abs(z))))

    def digits(weights, x, y):
        return cross_entropy(mlp(weights, x, lambda z: np.maximum(z, LEAKY_SLOPE * z)), y)

    def classes(weights, x, y):
        return cross_entropy(mlp(weights, x, relu), y)

    def sequences(weights, x, y):
        Wih, Whh, bih, bhh, Why, by = weights
        hidden = Whh.shape[1]

        def step(state, projected):
            h, c = state
            z = projected + h @ Whh.T
            i, f, g, o = (z[:, k * hidden : (k + 1) * hidden] for k in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            return sigmoid(o) * np.tanh(c), c

        zeros = np.zeros((x.shape[1], hidden), x.dtype)
        h, _ = loop(step, (zeros, zeros), x @ Wih.T + (bih + bhh))
        return cross_entropy(h @ Why.T + by, y)

    def images(weights, x, y):
        for w, b, padding in ((*weights[:2], 2), (*weights[2:4], 0)):
            x = pool(relu(convolve(x, w, padding) + b[:, None, None]))
        return cross_entropy(mlp(weights[4:], x.reshape(len(x), -1), relu), y)

    def texts(weights, x, y):
        letters, places, *blocks, scale, shift, head = weights
        x = letters[x] + places
        for i in range(0, len(blocks), 12):
            x = attended(x, *blocks[i : i + 6])
            scale1, shift1, *dense = blocks[i + 6 : i + 12]
            x = x + mlp([*dense], normalized(x, scale1, shift1), gelu)
        z = normalized(x, scale, shift) @ head.T
        return cross_entropy(z.reshape(-1, len(head)), y.reshape(-1))

    def attended(x, scale, shift, Wqkv, bqkv, W, b):
        rows, length, width = x.shape
        qkv = normalized(x, scale, shift) @ Wqkv.T + bqkv
        qkv = qkv.reshape(rows, length, 3, HEADS, width // HEADS)
        q, k, v = np.transpose(qkv, (2, 0, 3, 1, 4))
        scores = q @ np.swapaxes(k, 2, 3) * (HEADS / width) ** 0.5
        visible = np.tril(np.ones((length, length), bool))
        seen = softmax(np.where(visible, scores, -np.inf)) @ v
        return x + np.swapaxes(seen, 1, 2).reshape(x.shape) @ W.T + b

    def normalized(x, scale, shift):
        centred = x - np.mean(x, -1, keepdims=True)
        variance = np.mean(centred * centred, -1, keepdims=True)
        return centred / np.sqrt(variance + 1e-5) * scale + shift

    def gelu(x):
        return x * (erf(x * 0.5**0.5) + 1.0) * 0.5

    def chain(weights, x, y):
        [w] = weights
        z = w * x + 0.5
        error = np.log(1.0 + np.exp(-(z * np.tanh(z)))) - y
        return np.sum(error * error)

    images_if_possible = {"W9": images} if convolve and pool else {}
    return {
        "W1": line,
        "W2": sine,
        "W3": clouds,
        "W4": binary,
        "W5": digits,
        "W6": binary,
        "W7": classes,
        "W8": sequences,
        **images_if_possible,
        "W10": texts,
        "W11": chain,
        "W12": classes,
    }


def mlp(weights: list[Any], x: Any, activation: Callable) -> Any:
    """Linear layers, weight (out, in) and bias (out,), with an activation between them."""
    for layer in range(0, len(weights), 2):
        x = activation(x) if layer else x
        x = x @ weights[layer].T + weights[layer + 1]
    return x
