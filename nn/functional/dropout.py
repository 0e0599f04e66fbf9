"""Dropout: parts of the input set to 0 at random, in training only."""

from autodiff import Tensor
from autodiff.kernels import check_probability, dropout_factor, kept
from nn.functional.arguments import check_tensors

__all__ = (
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 - p; the input itself if not training.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".
    Raises: ValueError if p is not in [0, 1].
    """
    check_tensors("dropout", input)
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
    check_tensors("alpha_dropout", input)
    return _alpha_dropout(input, tuple(input.shape), p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """alpha_dropout of whole channels. Shapes: (N, C, ...)."""
    check_tensors("feature_alpha_dropout", input)
    if input.ndim < 2:
        raise RuntimeError(f"feature_alpha_dropout needs axes (N, C), got {tuple(input.shape)}")
    return _alpha_dropout(input, _channels(input, 2), p, training, inplace)


def _alpha_dropout(
    input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    check_probability(p)
    if not training or p == 0:
        return input
    lowest = -1.7580993408473766
    scale = 0.0 if p == 1 else ((1 - p) * (1 + p * lowest**2)) ** -0.5
    mask = kept(input, shape, p)
    shift = (1 - mask) * (lowest * scale) - p * lowest * scale
    if inplace:
        return input.mul_(mask * scale).add_(shift)
    return input * (mask * scale) + shift


def _dropout(
    input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    """dropout that draws once for each element of `shape`, which is broadcast."""
    check_probability(p)
    if not training or p == 0:
        return input
    factor = dropout_factor(input, shape, p)
    return input.mul_(factor) if inplace else input * factor


def _channels(input: Tensor, axes: int) -> tuple[int, ...]:
    """The shape of one draw for all elements behind the first `axes` axes."""
    return (*input.shape[:axes], *(1 for _ in input.shape[axes:]))


def _check_axes(name: str, input: Tensor, *allowed: int) -> None:
    check_tensors(name, input)
    if input.ndim not in allowed:
        raise RuntimeError(
            f"{name} needs {allowed[0]} or {allowed[1]} axes, got shape {tuple(input.shape)}"
        )
