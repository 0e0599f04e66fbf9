"""Training steps as they are written, or compiled."""

from collections.abc import Callable

import autodiff


def made(step: Callable, compiled: bool) -> Callable:
    """The step itself, or compiled: an error if it cannot be."""
    return autodiff.compile(step, fullgraph=True) if compiled else step
