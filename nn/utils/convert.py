"""All parameters as one vector, and back."""

from collections.abc import Iterable

from autodiff import Tensor, cat, no_grad
from nn.functional.arguments import check_tensors


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters one after the other, on the tape."""
    parameters = list(parameters)
    check_tensors("parameters_to_vector", *parameters)
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of `vec` into the parameters, in the order of parameters_to_vector.

    Raises: TypeError if `vec` is no Tensor; RuntimeError if it has too few or too many elements.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vec must be a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    check_tensors("vector_to_parameters", *parameters)
    needed = sum(parameter.numel() for parameter in parameters)
    if vec.numel() != needed:
        raise RuntimeError(f"the parameters have {needed} elements, vec has {vec.numel()}")
    start = 0
    with no_grad():
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.copy_(vec[start:end].reshape(parameter.shape))
            start = end
