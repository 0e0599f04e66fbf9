"""What functions say of arguments that are no tensors."""

from typing import Any

from autodiff import Tensor

__all__ = ()


def check_tensors(function: str, *given: Any) -> None:
    """Raises: TypeError, naming the function, if one is no Tensor."""
    for x in given:
        if not isinstance(x, Tensor):
            raise TypeError(f"{function}: expected a Tensor, got {type(x).__name__}")
