"""What convolutions cost, forward and backward, beside PyTorch's.

The bar is twice PyTorch's time: `BARS`.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

BARS = {"eager": {"torch": 2.0}}

# name: the shapes of images and weight, and whether the images need a gradient
CONVOLUTIONS = {
    "first layer": ((64, 1, 28, 28), (32, 1, 5, 5), False),
    "one channel": ((64, 1, 28, 28), (32, 1, 5, 5), True),
    "16 channels": ((64, 16, 14, 14), (32, 16, 5, 5), True),
}


def step(
    name: str, torch: ModuleType, functional: ModuleType, dtype: str
) -> Callable[[], list[Any]]:
    """Convolves and goes back, in a package spelled like PyTorch: the result and the gradients."""
    images_shape, weight_shape, needed = CONVOLUTIONS[name]
    rng = np.random.default_rng(0)

    def tensor(*shape):
        return torch.tensor(rng.standard_normal(shape).astype(dtype))

    images, weight, bias = tensor(*images_shape), tensor(*weight_shape), tensor(weight_shape[0])
    leaves = [*([images] if needed else []), weight, bias]
    for leaf in leaves:
        leaf.requires_grad_(True)
    g = tensor(*functional.conv2d(images, weight, bias).shape)

    def run():
        for leaf in leaves:
            leaf.grad = None
        out = functional.conv2d(images, weight, bias)
        out.backward(g)
        return [out.detach(), *(leaf.grad for leaf in leaves)]

    return run
