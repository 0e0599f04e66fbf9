"""Padding at the edges."""

from collections.abc import Sequence

from autodiff import Tensor
from nn import functional as F
from nn.module import Module

Sizes = int | Sequence[int]


class _Pad(Module):
    """padding: elements before and after, the last axis first; one number for all."""

    _axes = 0
    _mode = "constant"

    def __init__(self, padding: Sizes) -> None:
        self.padding: tuple[int, ...] = (
            (padding,) * (2 * self._axes) if isinstance(padding, int) else tuple(padding)
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` at both ends of the last axis."""

    _axes = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two axes."""

    _axes = 2


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros at both ends of the last axis."""

    _axes = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes."""

    _axes = 2


class ReflectionPad1d(_Pad):
    """The elements of the last axis mirrored at its ends."""

    _axes, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The elements of the last two axes mirrored at their ends."""

    _axes, _mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """The outermost elements of the last axis again."""

    _axes, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The outermost elements of the last two axes again."""

    _axes, _mode = 2, "replicate"


class CircularPad1d(_Pad):
    """The last axis goes on at its other end."""

    _axes, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """The last two axes go on at their other ends."""

    _axes, _mode = 2, "circular"
