"""A function or module of ours and the same one of PyTorch, compared on the same arrays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import autodiff
import nn


def flat(value: Any) -> list:
    """The tensors in nested tuples."""
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in flat(item)]
    return [value]


def run(function: Callable, make: Callable, inputs: tuple) -> tuple[list, list]:
    """The outputs, and the gradients at the float inputs of the outputs' randomly weighted sum."""
    tensors = [make(x.copy()) if isinstance(x, np.ndarray) else x for x in inputs]
    leaves = [
        tensor.requires_grad_()
        for x, tensor in zip(inputs, tensors)
        if isinstance(x, np.ndarray) and x.dtype.kind == "f"
    ]
    outputs = flat(function(*tensors))
    rng = np.random.default_rng(7)
    sum((out * make(rng.normal(size=(*out.shape, 1))[..., 0])).sum() for out in outputs).backward()
    return [out.detach().numpy() for out in outputs], gradients(leaves)


def gradients(leaves: Any) -> list:
    return [None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]


def check_equal(ours: list, theirs: list, what: str, tolerance: float) -> None:
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs)):
        name = f"{what} {i}"
        if a is None or b is None:
            assert a is None or not a.any(), name
            assert b is None or not b.any(), name
            continue
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)


def check_functions(
    torch: Any, ours: Callable, theirs: Callable, *inputs: Any, tolerance: float = 1e-10
) -> None:
    """Equal outputs, and equal gradients at all inputs that are arrays of floats."""
    mine = run(ours, autodiff.tensor, inputs)
    other = run(theirs, torch.tensor, inputs)
    check_equal(mine[0], other[0], "output", tolerance)
    check_equal(mine[1], other[1], "gradient of input", tolerance)


def check_modules(
    torch: Any,
    ours: nn.Module,
    theirs: Any,
    *inputs: Any,
    tolerance: float = 1e-10,
    call: Callable = lambda module, *inputs: module(*inputs),
    text: bool = True,
) -> None:
    """Equal text and keys; with PyTorch's weights equal outputs and gradients, in float64.

    call: what to do with a module and the inputs as tensors. text: whether to compare the text.
    """
    assert not text or repr(ours) == repr(theirs)
    copy_weights(ours, theirs)
    ours.double()
    theirs.double()
    check_functions(torch, partial(call, ours), partial(call, theirs), *inputs, tolerance=tolerance)
    mine, other = (dict(module.named_parameters()) for module in (ours, theirs))
    assert list(mine) == list(other)
    names = f"gradient of {list(mine)}"
    check_equal(gradients(mine.values()), gradients(other.values()), names, tolerance)


def check_state(ours: nn.Module, theirs: Any) -> None:
    """Equal parameters and buffers."""
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for key, value in mine.items():
        np.testing.assert_allclose(value.numpy(), other[key].numpy(), 1e-10, 1e-10, err_msg=key)


def copy_weights(ours: nn.Module, theirs: Any) -> None:
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
