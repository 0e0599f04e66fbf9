"""Trading time for memory: computing a part of a model anew in the backward pass."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autodiff import gradients, trees
from autodiff.function import Function, FunctionContext
from autodiff.generator import get_rng_state, set_rng_state
from autodiff.grad_modes import enable_grad, is_grad_enabled
from autodiff.tape import VMAP, Node, modes, reachable, recorder
from autodiff.tensor import Tensor, make
from autodiff.versions import tick

__all__ = ["checkpoint", "checkpoint_sequential"]

_Contexts = tuple[contextlib.AbstractContextManager, contextlib.AbstractContextManager]


def _no_contexts() -> _Contexts:
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Run:
    """A call that can be repeated as it was: function, arguments, their versions, random state."""

    def __init__(
        self, function: Callable, args: tuple, kwargs: dict, preserve: bool, again: Any, check: bool
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.again, self.check = again, check
        self.random = get_rng_state() if preserve else None
        self.given = [t for t in trees.leaves((args, kwargs)) if isinstance(t, Tensor)]
        self.versions = [t._version for t in self.given]
        self.forms: list[tuple] = []

    def repeated(self) -> list[Any]:
        """The leaves of the result, computed and recorded anew.

        Raises: RuntimeError if an argument was written since, or the results are of another form.
        """
        if [t._version for t in self.given] != self.versions:
            raise RuntimeError(
                "checkpoint: an argument was modified in place before the backward pass, which "
                "needs it as it was; pass a clone"
            )
        now = None if self.random is None else get_rng_state()
        try:
            if self.random is not None:
                set_rng_state(self.random)
            with enable_grad(), self.again:
                results = trees.leaves(self.function(*self.args, **self.kwargs))
        finally:
            if now is not None:
                set_rng_state(now)
        if self.check and _forms(results) != self.forms:
            raise RuntimeError(
                "checkpoint: the function gave other results in the backward pass than before: "
                f"{_forms(results)} after {self.forms}; it must do the same each time"
            )
        return results


def _forms(results: Sequence[Any]) -> list[tuple]:
    return [
        (tuple(t.shape), t.dtype) if isinstance(t, Tensor) else (type(t).__name__,) for t in results
    ]


class _Recomputed(Function):
    """The results of a run, given as they are, as functions of what they were computed from."""

    @staticmethod
    def forward(ctx: FunctionContext, run: _Run, results: list, *sources: Tensor) -> tuple:
        ctx.run, ctx.sources = run, sources  # type: ignore[attr-defined]
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> tuple:
        run, sources = ctx.run, ctx.sources  # type: ignore[attr-defined]
        pairs = [
            (t, g)
            for t, g in zip(run.repeated(), grad_outputs, strict=True)
            if g is not None and t._node is not None
        ]
        found: Sequence[Tensor | None] = gradients.grad(
            [t for t, _ in pairs],
            sources,
            [g for _, g in pairs],
            create_graph=is_grad_enabled(),
            allow_unused=True,
        )
        return None, None, *found


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], _Contexts] = _no_contexts,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), keeping nothing for the backward pass, which runs it again.

    Gradients reach the arguments and whatever else the function takes from around it, to any order.

    preserve_rng_state: whether the second run draws the same random numbers. context_fn: gives the
        contexts of the first and of the second run. determinism_check: "none" to allow results of
        other shapes in the second run.
    use_reentrant, debug, early_stop: taken for PyTorch's sake.

    Raises: RuntimeError in the backward pass, if an argument was written to in the meantime.
    """
    first, again = context_fn()
    if recorder() is not None or modes.flags & VMAP or not is_grad_enabled():
        with first:  # a compiled step decides itself what to keep
            return function(*args, **kwargs)
    check = determinism_check != "none"
    run = _Run(function, args, kwargs, preserve_rng_state, again, check)
    start = tick()
    with first:
        result = function(*args, **kwargs)
    results = trees.leaves(result)
    run.forms = _forms(results)
    made = _made_since(start, results)
    sources = dict.fromkeys(p for node in made for p in node.parents if p not in made)
    if not sources:
        return result
    stand_ins = [make(np.broadcast_to(np.empty((), p.dtype), p.shape), p) for p in sources]
    outputs = [t.detach() if isinstance(t, Tensor) else t for t in results]
    placed = [
        new if isinstance(old, Tensor) and old._node in made else old
        for old, new in zip(results, _Recomputed.apply(run, outputs, *stand_ins), strict=True)
    ]
    return trees.rebuilt(result, placed)


def _made_since(start: int, results: Sequence[Any]) -> set[Node]:
    """The nodes younger than `start` that the results were computed by."""
    nodes = [t._node for t in results if isinstance(t, Tensor) and t._node is not None]
    return {node for node in reachable(nodes) if node.number > start and node.plan is not None}


def checkpoint_sequential(
    functions: Iterable[Callable],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """A row of functions, or a Sequential, in that many checkpoints; the last part is kept.

    Raises: ValueError if there are not as many functions as segments.
    """
    row = list(functions)
    if not 1 <= segments <= len(row):
        raise ValueError(f"{len(row)} functions cannot be parted into {segments} segments")
    length = len(row) // segments

    def part(first: int, last: int) -> Callable:
        def run(x: Any) -> Any:
            for function in row[first:last]:
                x = function(x)
            return x

        return run

    for start in range(0, length * (segments - 1), length):
        run = part(start, start + length)
        input = checkpoint(run, input, use_reentrant=use_reentrant, **kwargs)
    return part(length * (segments - 1), len(row))(input)
