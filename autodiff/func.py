"""PyTorch's `torch.func`: functions of functions."""

from autodiff.batching import vmap
from autodiff.jacobians import hessian, jacfwd, jacrev
from autodiff.stateless import functional_call, stack_module_state
from autodiff.transforms import grad, grad_and_value, jvp, linearize, vjp

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]
