"""Channels as pixels, pixels as channels, and channels in another order."""

from autodiff import Tensor
from nn.functional.arguments import check_tensors

__all__ = ("channel_shuffle", "pixel_shuffle", "pixel_unshuffle")


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Images r times as high and wide, each r x r pixels from as many channels.

    Shapes: (..., C r², H, W) -> (..., C, H r, W r).
    Raises: RuntimeError if the shape does not fit.
    Source: Shi et al. 2016, arXiv:1609.05158.
    """
    r = upscale_factor
    batch, (channels, height, width) = _image_shape("pixel_shuffle", input, r)
    if channels % (r * r):
        raise RuntimeError(f"pixel_shuffle: {channels} channels are no multiple of {r}²")
    channels //= r * r
    parts = input.reshape(*batch, channels, r, r, height, width)
    parts = parts.permute(*range(len(batch)), -5, -2, -4, -1, -3)
    return parts.reshape(*batch, channels, height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of pixel_shuffle.

    Shapes: (..., C, H r, W r) -> (..., C r², H, W).
    Raises: RuntimeError if the shape does not fit.
    """
    r = downscale_factor
    batch, (channels, height, width) = _image_shape("pixel_unshuffle", input, r)
    if height % r or width % r:
        raise RuntimeError(f"pixel_unshuffle: {height} x {width} pixels are no multiples of {r}")
    height, width = height // r, width // r
    parts = input.reshape(*batch, channels, height, r, width, r)
    parts = parts.permute(*range(len(batch)), -5, -3, -1, -4, -2)
    return parts.reshape(*batch, channels * r * r, height, width)


def _image_shape(
    name: str, input: Tensor, factor: int
) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    """The shape as that of a batch and that of an image."""
    check_tensors(name, input)
    if input.ndim < 3:
        raise RuntimeError(f"{name} needs axes (..., C, H, W), got shape {tuple(input.shape)}")
    if factor < 1:
        raise RuntimeError(f"{name} needs a positive factor, got {factor}")
    *batch, channels, height, width = input.shape
    return tuple(batch), (channels, height, width)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of all groups in turn: the first of each, then the second of each, ...

    Shapes: (N, C, H, ...), C a multiple of groups, -> the same.
    Raises: RuntimeError if the shape does not fit.
    Source: Zhang et al. 2018, arXiv:1707.01083.
    """
    check_tensors("channel_shuffle", input)
    shape = tuple(input.shape)
    if len(shape) < 3:
        raise RuntimeError(f"channel_shuffle needs axes (N, C, H, ...), got shape {shape}")
    if groups < 1 or shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: {shape[1]} channels do not part into {groups} groups")
    parts = input.reshape(shape[0], groups, shape[1] // groups, *shape[2:])
    return parts.transpose(1, 2).reshape(shape)
