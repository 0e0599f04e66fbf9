"""Normalisation layers."""

from collections.abc import Sequence
from typing import Any

from autodiff import Tensor, int64, no_grad, ones, tensor, zeros
from nn import functional as F
from nn.functional.arguments import check_tensors
from nn.module import Module
from nn.parameter import Buffer, Parameter


class _ByChannel(Module):
    """Weight, bias and running statistics of each channel."""

    _ranks: tuple[int, ...] = ()
    _rank_of_one = 0  # of input that is one example without the axis N; 0 if that cannot be told
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        options = dict(device=device, dtype=dtype)
        self.weight = Parameter(ones(num_features, **options)) if affine else None
        self.bias = Parameter(zeros(num_features, **options)) if affine and bias else None
        tracked = track_running_stats
        self.running_mean = Buffer(zeros(num_features, **options)) if tracked else None
        self.running_var = Buffer(ones(num_features, **options)) if tracked else None
        self.num_batches_tracked = Buffer(tensor(0, dtype=int64)) if tracked else None

    def reset_running_stats(self) -> None:
        """Start the running statistics anew: mean 0, variance 1."""
        for buffer, value in (
            (self.running_mean, 0),
            (self.running_var, 1),
            (self.num_batches_tracked, 0),
        ):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Start anew: weight 1, bias 0, and the running statistics."""
        self.reset_running_stats()
        _reset(self.weight, self.bias)

    def _check_rank(self, input: Tensor) -> None:
        check_tensors(type(self).__name__, input)
        ranks = (*self._ranks, *([self._rank_of_one] if self._rank_of_one else []))
        if input.ndim not in ranks:
            wanted = " or ".join(map(str, sorted(ranks)))
            raise ValueError(
                f"{type(self).__name__} needs input of {wanted} axes, got shape "
                f"{tuple(input.shape)}"
            )

    def _measures(self) -> bool:
        """Whether mean and variance are those of the input."""
        return self.training or self.running_mean is None

    def _share(self) -> Any:
        """How far the running statistics move; None as momentum makes them a plain mean."""
        if self.momentum is not None:
            return self.momentum
        if self.training and self.num_batches_tracked is not None:
            return 1.0 / (self.num_batches_tracked + 1)
        return 0.0

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_rank(input)
        share = self._share()
        tracked = not self.training or self.track_running_stats
        out = F.batch_norm(
            input,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            self._measures(),
            share,
            self.eps,
        )
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return out


class BatchNorm1d(_BatchNorm):
    """Channels normalised over the batch; see F.batch_norm.

    In training by the batch's mean and variance, towards which running ones move by `momentum`
    (None: their plain mean); in evaluation by those, unless they are not tracked.
    weight, bias, running_mean, running_var: (num_features,).
    Shapes: (N, num_features) or (N, num_features, L), and the result's.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Channels of images normalised over the batch; see BatchNorm1d. Shape (N, C, H, W)."""

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Channels of volumes normalised over the batch; see BatchNorm1d. Shape (N, C, D, H, W)."""

    _ranks = (5,)


class _InstanceNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_rank(input)
        single = input.ndim == self._rank_of_one
        out = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self._measures(),
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out.squeeze(0) if single else out


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each example normalised by itself; see F.instance_norm.

    Shapes: (N, num_features, L) or (num_features, L), and the result's.
    Source: Ulyanov et al. 2016, arXiv:1607.08022.
    """

    _ranks, _rank_of_one = (3,), 2


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image normalised by itself; see InstanceNorm1d. (N, C, H, W)."""

    _ranks, _rank_of_one = (4,), 3


class LayerNorm(Module):
    """The last axes normalised, times weight, plus bias; see F.layer_norm.

    normalized_shape: the lengths of these axes, and the shape of weight and bias.
    Source: Ba et al. 2016, arXiv:1607.06450.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = _shape(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        options = dict(device=device, dtype=dtype)
        affine = elementwise_affine
        self.weight = Parameter(ones(shape, **options)) if affine else None
        self.bias = Parameter(zeros(shape, **options)) if affine and bias else None

    def reset_parameters(self) -> None:
        """Start anew: weight 1, bias 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """The last axes divided by their root mean square, times weight; see F.rms_norm.

    eps: None for the smallest step of the dtype. Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = _shape(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        ones_ = ones(shape, device=device, dtype=dtype)
        self.weight = Parameter(ones_) if elementwise_affine else None

    def reset_parameters(self) -> None:
        """Start anew: weight 1."""
        _reset(self.weight, None)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Groups of channels normalised, then each channel times weight, plus bias; see F.group_norm.

    Raises: ValueError if num_groups does not divide num_channels.
    Source: Wu & He 2018, arXiv:1803.08494.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"num_channels={num_channels} must be divisible by num_groups={num_groups}"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        options = dict(device=device, dtype=dtype)
        self.weight = Parameter(ones(num_channels, **options)) if affine else None
        self.bias = Parameter(zeros(num_channels, **options)) if affine and bias else None

    def reset_parameters(self) -> None:
        """Start anew: weight 1, bias 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _reset(weight: Tensor | None, bias: Tensor | None) -> None:
    with no_grad():
        for parameter, value in ((weight, 1), (bias, 0)):
            if parameter is not None:
                parameter.fill_(value)
