"""Random tensors. All draw from the `generator` given, or from the default one."""

from typing import Any

import numpy as np

from autodiff.composed.conversion import to
from autodiff.composed.creation import DType, created, element_type, lengths
from autodiff.composed.properties import check_tensor
from autodiff.generator import Generator, numpy_generator
from autodiff.inplace import assign, check_writable
from autodiff.ops import random as ops
from autodiff.ops.shape import broadcast_to
from autodiff.primitive import Primitive
from autodiff.tensor import Tensor, apply, make

__all__ = (
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
)
METHODS = (
    *("bernoulli", "multinomial"),
    *("bernoulli_", "exponential_", "normal_", "random_", "uniform_"),
)
IN_PLACE = ()


def _draw(
    primitive: Primitive, generator: Generator | None, *inputs: Tensor, **params: Any
) -> Tensor:
    params["generator"] = numpy_generator(generator)
    return apply(primitive, [x.detach() for x in inputs], params)


def _drawn(
    primitive: Primitive, shape: tuple[int, ...], dtype: np.dtype, generator: Generator | None
) -> Tensor:
    """Draws of a float dtype. Raises: RuntimeError for another."""
    if dtype.kind != "f":
        raise RuntimeError(f"{primitive.name} draws are floats, got dtype {dtype}")
    return _draw(primitive, generator, size=shape, dtype=dtype)


@created
def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Uniform on [0, 1), of the shape given as integers or as one tuple."""
    return _drawn(ops.uniform, lengths(sizes, size), element_type(dtype), generator)


@created
def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Normal of mean 0 and variance 1, of the shape given as integers or as one tuple."""
    return _drawn(ops.normal, lengths(sizes, size), element_type(dtype), generator)


@created
def randint(
    low: Any = None,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Integers from `low` (0 if left out) to below `high`, all alike, of the shape `size`.

    Raises: RuntimeError if there is no such integer, or the dtype does not hold it.
    """
    if size is None:
        low, high, size = None, low, high
    elif high is None:
        low, high = None, low
    if low is None:
        low = 0
    return _integers(low, high, lengths((), size), element_type(dtype, np.int64), generator)


def _integers(
    low: int, high: int, shape: tuple[int, ...], dtype: np.dtype, generator: Generator | None
) -> Tensor:
    for bound in (low, high):
        if not isinstance(bound, (int, np.integer)):
            raise TypeError(f"bounds of random integers must be integers, got {bound!r}")
    if low >= high:
        raise RuntimeError(f"there is no integer from {low} to below {high}")
    dtype = np.dtype(dtype)
    least, most = _whole_range(dtype)
    if low < least or high - 1 > most:
        raise RuntimeError(f"integers from {low} to below {high} do not fit {dtype}")
    return _draw(ops.integers, generator, low=low, high=high, size=shape, dtype=dtype)


def _whole_range(dtype: np.dtype) -> tuple[int, int]:
    """The integers that the dtype holds, floats without a gap."""
    if dtype.kind == "f":
        most = min(2 ** (np.finfo(dtype).nmant + 1), 2**63 - 1)
        return -most, most
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


@created
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """0, …, n - 1 in random order."""
    (length,) = lengths((), (n,), "n")
    return _draw(ops.permutation, generator, n=length, dtype=element_type(dtype, np.int64))


@created
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Uniform on [0, 1), of the shape and dtype of `input`."""
    check_tensor(input, "rand_like")
    x = input._array
    return _drawn(ops.uniform, x.shape, element_type(dtype, x.dtype), generator)


@created
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Normal of mean 0 and variance 1, of the shape and dtype of `input`."""
    check_tensor(input, "randn_like")
    x = input._array
    return _drawn(ops.normal, x.shape, element_type(dtype, x.dtype), generator)


@created
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Integers from `low` (0 if left out) to below `high`, of the shape and dtype of `input`."""
    check_tensor(input, "randint_like")
    low, high = (0, low) if high is None else (low, high)
    x = input._array
    return _integers(low, high, x.shape, element_type(dtype, x.dtype), generator)


@created
def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
) -> Tensor:
    """Normal of this mean and standard deviation: of `size`, or of their shape if Tensors.

    Raises: RuntimeError for a negative `std`; TypeError for two numbers without `size`.
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        tensors = [t.detach() for t in (mean, std) if isinstance(t, Tensor)]
        shape = np.broadcast_shapes(*(t._array.shape for t in tensors))
        kind = tensors[0]._array.dtype
    elif size is None:
        raise TypeError("normal needs size=, or a Tensor as mean or std")
    else:
        shape, kind = lengths((), size), element_type(dtype)
    return _scaled_normal(shape, kind, mean, std, generator)


def _scaled_normal(shape: Any, dtype: Any, mean: Any, std: Any, generator: Any) -> Tensor:
    if not isinstance(std, Tensor) and std < 0:
        raise RuntimeError(f"a standard deviation must not be negative, got {std}")
    mean, std = (t.detach() if isinstance(t, Tensor) else t for t in (mean, std))
    return _drawn(ops.normal, shape, dtype, generator) * std + mean


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probabilities `input`, or p, else 0; of the dtype of `input`.

    Raises: RuntimeError if a probability is not in [0, 1] or `input` not of a float dtype.
    """
    check_tensor(input, "bernoulli")
    if p is not None:
        return _coins(input, p, generator)
    if input._array.dtype.kind != "f":
        raise RuntimeError(f"bernoulli needs probabilities of a float dtype, got {input.dtype}")
    return _draw(ops.bernoulli, generator, input)


def _coins(like: Tensor, p: float | Tensor, generator: Generator | None) -> Tensor:
    """1 with probability p, else 0, in the shape and dtype of `like`."""
    if not isinstance(p, (Tensor, float, int, np.generic)):
        raise TypeError(f"a probability is a number or a Tensor, got {type(p).__name__}")
    if not isinstance(p, Tensor):
        p = make(np.array(p, np.float64))
    shape = np.broadcast_shapes(p._array.shape, like._array.shape)
    p = apply(broadcast_to, (p.detach(),), {"shape": shape})
    return to(bernoulli(p, generator=generator), dtype=like.dtype)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities that go as the weights `input`.

    Shapes: (K,) -> (num_samples,); (N, K) -> (N, num_samples).
    Raises: RuntimeError if the weights are no floats, negative, or all 0; or if there are fewer
        than `num_samples` to draw without replacement.
    """
    check_tensor(input, "multinomial")
    weights = input._array
    if weights.dtype.kind != "f" or weights.ndim not in (1, 2):
        raise RuntimeError(
            f"multinomial needs weights of a float dtype and one or two axes, got {input.dtype} "
            f"of shape {tuple(input.shape)}"
        )
    if num_samples <= 0 or not (replacement or num_samples <= weights.shape[-1]):
        raise RuntimeError(
            f"multinomial cannot draw {num_samples} of {weights.shape[-1]} "
            f"{'with' if replacement else 'without'} replacement"
        )
    return _draw(ops.multinomial, generator, input, count=num_samples, replacement=replacement)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson counts of the means `input`, in its dtype."""
    check_tensor(input, "poisson")
    return _draw(ops.poisson, generator, input)


# In place


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal draws of this mean and standard deviation."""
    for number in (mean, std):
        if not isinstance(number, (float, int, np.generic)):
            raise TypeError(f"normal_: expected numbers, got {type(number).__name__}")
    check_writable(self, "normal_")
    x = self._array
    return assign(self, _scaled_normal(x.shape, x.dtype, mean, std, generator), "normal_")


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform draws from [from_, to)."""
    check_writable(self, "uniform_")
    if from_ > to:
        raise RuntimeError(f"uniform_ draws from [from_, to), got {from_=} above {to=}")
    x = self._array
    unit = _drawn(ops.uniform, x.shape, x.dtype, generator)
    return assign(self, unit * (to - from_) + from_, "uniform_")


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential draws of rate `lambd`, of mean 1 / lambd."""
    check_writable(self, "exponential_")
    if lambd <= 0:
        raise RuntimeError(f"exponential_ needs a positive rate, got lambd={lambd}")
    x = self._array
    unit = _drawn(ops.exponential, x.shape, x.dtype, generator)
    return assign(self, unit / lambd, "exponential_")


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 1 where a draw of probability p succeeds, else 0."""
    check_writable(self, "bernoulli_")
    return assign(self, _coins(self, p, generator), "bernoulli_")


def random_(
    self: Tensor,
    from_: int = 0,
    to: int | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with integers from `from_` to below `to`, all alike.

    random_(to) starts at 0; random_() takes every integer from 0 that the dtype holds.
    """
    check_writable(self, "random_")
    dtype = self._array.dtype
    if to is None:
        from_, to = (0, from_) if from_ else (0, _whole_range(dtype)[1] + 1)
    return assign(self, _integers(from_, to, self._array.shape, dtype, generator), "random_")
