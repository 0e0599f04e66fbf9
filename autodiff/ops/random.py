"""Draws from the NumPy generator they are given; nothing here has a derivative."""

import numpy as np

from autodiff.families import random


def sources_of_chance(params):
    """The generators among an operation's parameters."""
    return [v for v in params.values() if isinstance(v, np.random.Generator)]


def _of(draw, size, dtype):
    """draw(size, dtype) for the dtypes that NumPy draws, float32 and float64, or cast from one."""
    if dtype in (np.float32, np.float64):
        return draw(size, dtype)
    return draw(size, np.float32).astype(dtype)


def _uniform(*, size, dtype, generator):
    """Uniform on [0, 1).  () -> size"""
    return _of(generator.random, size, dtype)


def _normal(*, size, dtype, generator):
    """Of mean 0 and variance 1.  () -> size"""
    return _of(generator.standard_normal, size, dtype)


def _exponential(*, size, dtype, generator):
    """Of density exp(-x) on [0, ∞).  () -> size"""
    return _of(generator.standard_exponential, size, dtype)


def _integers(*, low, high, size, dtype, generator):
    """Integers from `low` to below `high`, all alike.  () -> size"""
    return generator.integers(low, high, size).astype(dtype)


def _permutation(*, n, dtype, generator):
    """0, …, n - 1 in random order.  () -> (n,)"""
    return generator.permutation(n).astype(dtype)


def _bernoulli(p, /, *, generator):
    """1 with probability p, else 0."""
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("probabilities must lie in [0, 1]")
    return (_uniform(size=p.shape, dtype=p.dtype, generator=generator) < p).astype(p.dtype)


def _poisson(rate, /, *, generator):
    """Counts of this mean."""
    return generator.poisson(rate).astype(rate.dtype)


def _multinomial(weights, /, *, count, replacement, generator):
    """`count` indices along the last axis, drawn with probabilities that go as the weights.

    Without replacement: the largest of weights / exponential draws.
    Source: Efraimidis & Spirakis 2006, Information Processing Letters 97.
    """
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("weights must be finite and not negative")
    if not np.all(weights.sum(-1) > 0):
        raise ValueError("some weight must be positive")
    if not replacement:
        keys = weights / generator.standard_exponential(weights.shape)
        return np.argsort(-keys, -1)[..., :count]
    upper = np.cumsum(weights, -1, dtype=np.float64)
    upper /= upper[..., -1:]
    drawn = generator.random((*weights.shape[:-1], count))
    rows = zip(upper.reshape(-1, upper.shape[-1]), drawn.reshape(-1, count), strict=True)
    return np.stack([np.searchsorted(u, d, "right") for u, d in rows]).reshape(drawn.shape)


uniform = random(_uniform)
normal = random(_normal)
exponential = random(_exponential)
integers = random(_integers)
permutation = random(_permutation)
bernoulli = random(_bernoulli)
poisson = random(_poisson)
multinomial = random(_multinomial)
