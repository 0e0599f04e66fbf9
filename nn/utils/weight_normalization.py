"""Weights of given norms: w = g v / |v|, where g and v are learned.

Source: Salimans & Kingma 2016, arXiv:1602.07868.
"""

from typing import Any

from autodiff import Tensor, linalg
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.computed import Computed, compute, stop_computing


def norms_except(v: Tensor, dim: int) -> Tensor:
    """The 2-norms over all axes but `dim`, which stay with length 1; of all of it if dim is -1."""
    if dim == -1:
        return linalg.vector_norm(v)
    others = [axis for axis in range(v.ndim + 1) if axis != dim % v.ndim]
    return linalg.vector_norm(v.unsqueeze(-1), 2, others, keepdim=True).squeeze(-1)


def with_norms(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """v with the norms g."""
    return v * (g / norms_except(v, dim))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn the norms and directions of a weight, `weight_g` and `weight_v`, instead of itself.

    The norms are those of the slices along `dim`, or, where that is None, of the whole weight,
    which is computed whenever it is read. parametrizations.weight_norm does the same with a
    parametrization.

    Raises: RuntimeError if it is done twice; AttributeError if there is no such parameter.
    """
    if not isinstance(module, Module):
        raise TypeError(f"weight_norm takes a Module, got {type(module).__name__}")
    dims = vars(module).get("_weight_norms", {})
    if name in dims:
        raise RuntimeError(f"the {name!r} of this {type(module).__name__} is normalised already")
    weight, axis = module.get_parameter(name), -1 if dim is None else dim
    g = Parameter(norms_except(weight.detach(), axis))
    delattr(module, name)
    module.register_parameter(f"{name}_g", g)
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    module._weight_norms = {**dims, name: axis}
    compute(module, name, Computed(_weight))
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Let a weight that weight_norm() was applied to be a parameter again.

    Raises: ValueError if it was not.
    """
    dims = vars(module).get("_weight_norms", {})
    if name not in dims:
        raise ValueError(f"{type(module).__name__} has no weight_norm of {name!r}")
    weight = Parameter(getattr(module, name).detach())
    stop_computing(module, name)
    module._weight_norms = {n: axis for n, axis in dims.items() if n != name}
    delattr(module, f"{name}_g")
    delattr(module, f"{name}_v")
    module.register_parameter(name, weight)
    return module


def _weight(module: Any, name: str) -> Tensor:
    g, v = getattr(module, f"{name}_g"), getattr(module, f"{name}_v")
    return with_norms(v, g, module._weight_norms[name])
