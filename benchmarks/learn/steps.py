"""Training steps as they are written, or compiled, and their losses."""

from collections.abc import Callable

import autodiff
from benchmarks.learn.progress import Progress


def made(step: Callable, compiled: bool) -> Callable:
    """The step itself, or compiled: an error if it cannot be."""
    return autodiff.compile(step, fullgraph=True) if compiled else step


def losses_of(update: Callable, updates: int, *batch: autodiff.Tensor) -> list[float]:
    """The losses that a step returns, before each of so many updates on the same batch."""
    losses = []
    progress = Progress(updates, unit="update")
    for _ in progress:
        losses.append(update(*batch).item())
        progress.say(f"loss {losses[-1]:.6f}")
    return losses
