"""Who is timed: for each contender what it needs and how its step is made from a Problem."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle
from typing import Any

import numpy as np

from benchmarks.speed import (
    floor,
    floor_attention,
    floor_convolution,
    floor_recurrent,
    framework,
    functional,
    hand,
    hand_networks,
)
from benchmarks.speed.workloads import Problem

Step = Callable[[], Any]
PACKAGES = {"eager": ("autodiff", "nn", "optim"), "torch": ("torch", "torch.nn", "torch.optim")}


class UnavailableError(Exception):
    """Why a contender cannot run here, though its packages are installed."""


def eager(problem: Problem) -> Step:
    """Our step, nothing compiled."""
    return framework.training_step(problem, *map(importlib.import_module, PACKAGES["eager"]))


def compiled(problem: Problem) -> Step:
    """Our whole step through `autodiff.compile`."""
    autodiff, nn, optim = map(importlib.import_module, PACKAGES["eager"])
    if not hasattr(autodiff, "compile"):
        raise UnavailableError("autodiff has no compile")
    step = partial(autodiff.compile, fullgraph=True)
    return framework.training_step(problem, autodiff, nn, optim, compile_step=step)


def torch(problem: Problem, **options: Any) -> Step:
    """The same step in PyTorch."""
    packages = map(importlib.import_module, PACKAGES["torch"])
    return framework.training_step(problem, *packages, **options)


def torch_compile(problem: Problem) -> Step:
    """Forward and backward through torch.compile, shapes fixed; the update is the fused one.

    Compiling the update or the whole step took as long or longer (W5: 544 and 559 us, this 541).
    """
    import torch as package

    package._dynamo.config.allow_rnn = True
    compile_loss = partial(package.compile, dynamic=False)
    step = torch(problem, fused=True, compile_loss=compile_loss)

    def checked():
        try:
            return step()
        except package._dynamo.exc.TorchDynamoException as error:
            reason = " ".join(str(error).split())[:100]
            raise UnavailableError(f"torch.compile failed: {reason}") from error

    return checked


def jax(problem: Problem) -> Step:
    """The whole step through jax.jit: gradient and update, the old state's memory given away."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", problem.weights[0].dtype == "float64")

    def cross_entropy(z, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

    def loop(step, state, xs):
        return jax.lax.scan(lambda state, x: (step(state, x), None), state, xs)[0]

    def convolve(x, weight, padding):
        return jax.lax.conv_general_dilated(x, weight, (1, 1), [(padding, padding)] * 2)

    def pool(x):
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    losses = functional.losses(
        jnp,
        sigmoid=jax.nn.sigmoid,
        relu=jax.nn.relu,
        erf=jax.lax.erf,
        softmax=jax.nn.softmax,
        cross_entropy=cross_entropy,
        loop=loop,
        convolve=convolve,
        pool=pool,
    )
    value_and_grad = jax.value_and_grad(losses[problem.workload])

    @partial(jax.jit, donate_argnums=0)
    def sgd(state, x, y):
        loss, gradients = value_and_grad(state, x, y)
        return [p - problem.lr * g for p, g in zip(state, gradients)], loss

    @partial(jax.jit, donate_argnums=0)
    def adam(state, x, y):
        weights, m, v, count = state
        loss, gradients = value_and_grad(weights, x, y)
        count = count + 1
        rate = problem.lr / -jnp.expm1(count * np.log(0.9))
        scale = jax.lax.rsqrt(-jnp.expm1(count * np.log(0.999)))
        m = [0.9 * mean + 0.1 * g for mean, g in zip(m, gradients)]
        v = [0.999 * square + 0.001 * g * g for square, g in zip(v, gradients)]
        weights = [
            p - rate * mean / (jnp.sqrt(square) * scale + 1e-8)
            for p, mean, square in zip(weights, m, v)
        ]
        return (weights, m, v, count), loss

    def zeros():
        return [jnp.zeros_like(weight) for weight in problem.weights]

    state = [jnp.array(weight) for weight in problem.weights]
    update = sgd
    if problem.optimizer == "Adam":
        update, state = adam, (state, zeros(), zeros(), jnp.array(0.0, problem.weights[0].dtype))
    batches = cycle([(jnp.array(x), jnp.array(y)) for x, y in problem.batches])

    def step():
        nonlocal state
        state, loss = update(state, *next(batches))
        return loss

    return step


def autograd(problem: Problem) -> Step:
    """The gradient from HIPS autograd; the update is the hand-written one in NumPy."""
    import autograd as package
    import autograd.numpy as anp
    from autograd.scipy.special import erf
    from autograd.tracer import getval

    def sigmoid(z):
        return 0.5 * (anp.tanh(0.5 * z) + 1.0)

    def relu(z):
        return anp.maximum(z, 0.0)

    def cross_entropy(z, y):
        shifted = z - getval(z).max(1, keepdims=True)
        picked = shifted[np.arange(len(y)), y]
        return anp.mean(anp.log(anp.sum(anp.exp(shifted), 1)) - picked)

    def softmax(z):
        shifted = anp.exp(z - getval(z).max(-1, keepdims=True))
        return shifted / anp.sum(shifted, -1, keepdims=True)

    losses = functional.losses(
        anp,
        sigmoid=sigmoid,
        relu=relu,
        erf=erf,
        softmax=softmax,
        cross_entropy=cross_entropy,
        loop=lambda step, state, xs: reduce(step, xs, state),
    )
    if problem.workload not in losses:
        raise UnavailableError("autograd has no convolution of arrays that need a gradient")
    value_and_grad = package.value_and_grad(losses[problem.workload])
    weights = [weight.copy() for weight in problem.weights]
    update = hand.update_rule(problem, weights)
    batches = cycle(problem.batches)

    def step():
        loss, gradients = value_and_grad(weights, *next(batches))
        update(gradients)
        return loss

    return step


@dataclass(frozen=True)
class Contender:
    """How a contender's step is made, and the distribution it needs ("" for none but NumPy)."""

    make: Callable[[Problem], Step]
    needs: str = ""


def _written(steps: dict[str, Callable[[Problem], Step]]) -> Callable[[Problem], Step]:
    def make(problem):
        if problem.workload not in steps:
            raise UnavailableError(f"{problem.workload} was not written this way")
        return steps[problem.workload](problem)

    return make


FLOORS = floor.STEPS | floor_recurrent.STEPS | floor_convolution.STEPS | floor_attention.STEPS
CONTENDERS = {
    "hand": Contender(_written(hand.STEPS | hand_networks.STEPS)),
    "floor": Contender(_written(FLOORS)),
    "eager": Contender(eager),
    "compiled": Contender(compiled),
    "torch": Contender(torch, "torch"),
    "torch-fused": Contender(partial(torch, fused=True), "torch"),
    "torch-compile": Contender(torch_compile, "torch"),
    "jax": Contender(jax, "jax"),
    "autograd": Contender(autograd, "autograd"),
}


def installed(distribution: str) -> str:
    """The version of an installed distribution, or "" if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
