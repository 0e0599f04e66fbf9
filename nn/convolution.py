"""Convolutions and transposed convolutions."""

import math
from collections.abc import Sequence
from typing import Any

from autodiff import Tensor, empty
from nn import functional as F
from nn import init
from nn.module import Module
from nn.parameter import Parameter

Sizes = int | Sequence[int]
MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Settings and weights; a subclass says in how many axes and which way."""

    _axes = 0
    _transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if groups <= 0:
            raise ValueError(f"groups must be positive, got {groups}")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"in_channels={in_channels} and out_channels={out_channels} must be divisible by "
                f"groups={groups}"
            )
        modes = MODES[:1] if self._transposed else MODES
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = self._each(kernel_size), self._each(stride)
        self.dilation, self.output_padding = self._each(dilation), self._each(0)
        self.padding: Any = padding if isinstance(padding, str) else self._each(padding)
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ValueError(f"padding must be 'valid', 'same' or numbers, got {padding!r}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' needs a stride of 1")
        channels = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        shape = channels[0], channels[1] // groups, *self.kernel_size
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def _each(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes,) * self._axes if isinstance(sizes, int) else tuple(sizes)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniform in ±1/sqrt(weight[0].numel())."""
        init.uniform_by_fan_in_(self.weight, self.bias, math.prod(self.weight.shape[1:]))

    def extra_repr(self) -> str:
        zero, one = (0,) * self._axes, (1,) * self._axes
        settings = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}, stride={self.stride}",
        ]
        for name, usual in {
            "padding": zero,
            "dilation": one,
            "output_padding": zero,
            "groups": 1,
        }.items():
            if getattr(self, name) != usual:
                settings.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            settings.append("bias=False")
        if self.padding_mode != "zeros":
            settings.append(f"padding_mode={self.padding_mode}")
        return ", ".join(settings)

    def _added(self) -> list[int]:
        """What F.pad is to add, last axis first, for a mode that convolutions do not have."""
        if self.padding == "valid":
            return [0] * (2 * self._axes)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            return [n for total in totals[::-1] for n in (total // 2, total - total // 2)]
        return [p for p in self.padding[::-1] for _ in (0, 1)]

    def _convolved(self, convolve: Any, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._added(), self.padding_mode), 0
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The padding that gives an output of this size."""
        if output_size is None:
            return self.output_padding
        wanted = list(output_size)[-self._axes :]
        shortest = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-self._axes :],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        ]
        if len(wanted) != self._axes or any(
            not 0 <= w - n < s for w, n, s in zip(wanted, shortest, self.stride)
        ):
            longest = [n + s - 1 for n, s in zip(shortest, self.stride)]
            raise ValueError(
                f"output_size must lie between {shortest} and {longest}, got {list(output_size)}"
            )
        return tuple([w - n for w, n in zip(wanted, shortest)])


class Conv1d(_Convolution):
    """Cross-correlation with kernels along the last axis; see F.conv1d.

    weight: (out_channels, in_channels / groups, k); bias: (out_channels,). Both start uniform in
    ±1/sqrt(in_channels / groups · k). padding_mode: "zeros", "reflect", "replicate" or "circular".
    Shapes: (N, in_channels, L) or (in_channels, L) -> (N, out_channels, L') or (out_channels, L').
    Raises: ValueError for groups that do not divide the channels, or another padding_mode.
    """

    _axes = 1

    def forward(self, input: Tensor) -> Tensor:
        return self._convolved(F.conv1d, input)


class Conv2d(_Convolution):
    """Cross-correlation with kernels along the last two axes; see F.conv2d.

    weight: (out_channels, in_channels / groups, kh, kw); bias: (out_channels,). Both start uniform
    in ±1/sqrt(in_channels / groups · kh · kw). padding_mode: as in Conv1d.
    Shapes: (N, in_channels, H, W) or (in_channels, H, W) -> (N, out_channels, H', W') or without N.
    Raises: as Conv1d.

    >>> from autodiff import zeros
    >>> Conv2d(3, 8, 5, stride=2, padding=2)(zeros(1, 3, 32, 32)).shape
    autodiff.Size([1, 8, 16, 16])
    """

    _axes = 2

    def forward(self, input: Tensor) -> Tensor:
        return self._convolved(F.conv2d, input)


class Conv3d(_Convolution):
    """Cross-correlation with kernels along the last three axes; see Conv2d."""

    _axes = 3

    def forward(self, input: Tensor) -> Tensor:
        return self._convolved(F.conv3d, input)


class _Transposed(_Convolution):
    """The transpose of a convolution: `output_padding` chooses among the sizes it may come from."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self.output_padding = self._each(output_padding)

    def _spread(self, convolve: Any, input: Tensor, output_size: Sequence[int] | None) -> Tensor:
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._output_padding(input, output_size),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_Transposed):
    """The transpose of a convolution along the last axis; see F.conv_transpose1d.

    weight: (in_channels, out_channels / groups, k); bias: (out_channels,). Both start uniform in
    ±1/sqrt(out_channels / groups · k). forward() takes the output's size as `output_size`.
    Shapes: (N, in_channels, L) or (in_channels, L) -> (N, out_channels, L') or (out_channels, L').
    Raises: ValueError as Conv1d, or for an output size that cannot be.
    """

    _axes = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._spread(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_Transposed):
    """The transpose of a convolution along the last two axes; see F.conv_transpose2d.

    weight: (in_channels, out_channels / groups, kh, kw); else as ConvTranspose1d.
    Shapes: (N, in_channels, H, W) or (in_channels, H, W) -> (N, out_channels, H', W') or without N.
    """

    _axes = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._spread(F.conv_transpose2d, input, output_size)


class ConvTranspose3d(_Transposed):
    """The transpose of a convolution along the last three axes; see ConvTranspose2d."""

    _axes = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._spread(F.conv_transpose3d, input, output_size)
