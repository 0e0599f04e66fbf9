"""The errors that NumPy raises in an operation, as PyTorch's types."""

from typing import Any, NoReturn

import numpy as np

from autodiff.primitive import Primitive


class LinAlgError(RuntimeError, np.linalg.LinAlgError):
    """A matrix does not have what was asked of it, such as an inverse."""


def explain(
    error: Exception, primitive: Primitive, arrays: list[Any], params: dict[str, Any]
) -> NoReturn:
    """Raise `error` as PyTorch's type, naming the operation and what it was given."""
    given = ", ".join(
        f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else repr(a) for a in arrays
    )
    settings = "".join(f", {k}={v!r}" for k, v in params.items())
    message = f"{primitive.name}: {error} (given {given}{settings})"
    if isinstance(error, (IndexError, np.exceptions.AxisError)):
        raise IndexError(message) from error
    if isinstance(error, TypeError):
        raise (TypeError if params else NotImplementedError)(message) from error  # of these dtypes
    if isinstance(error, np.linalg.LinAlgError):
        raise LinAlgError(message) from error
    if isinstance(error, (ValueError, OverflowError)):
        raise RuntimeError(message) from error
    error.add_note(message)
    raise error
