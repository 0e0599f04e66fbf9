"""vmap: a function of one example becomes a function of a batch of them.

While the function runs, its tensors have the shape of one example, and a Batched for an array. Each
operation on them comes through `apply` here, which steps outside the vmap and runs it on all
examples at once, by a rule of batch_rules.py. What is recorded on tapes outside is therefore what
would be without vmap; a tape that begins inside, as that of grad() in the function, knows only the
example. vmaps nest: outside is then the next one.
"""

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff import inplace, trees
from autodiff.batch_rules import each, example, front, moved, rule_of, whole
from autodiff.batched import Batched
from autodiff.generator import get_rng_state, set_rng_state
from autodiff.ops.shape import concatenate, stack
from autodiff.primitive import Primitive
from autodiff.tape import GRAD, VMAP, modes
from autodiff.tensor import Tensor, apply, make, taken

_twins: dict[Primitive, Primitive] = {}


def _twin(primitive: Primitive) -> Primitive:
    """The operation with the same rules whose forward takes Batched arrays."""
    twin = _twins.get(primitive)
    if twin is None:
        twin = _twins[primitive] = copy.copy(primitive)
        twin.forward, twin.plans = partial(_forward, primitive), {}
    return twin


def _forward(primitive: Primitive, *arrays: Any, **params: Any) -> Batched:
    """The operation on arrays of which at least one is Batched."""
    batched = [a for a in arrays if isinstance(a, Batched)]
    vmap = batched[0].vmap
    with vmap.outside():
        if any(a.mapped for a in batched):
            return Batched(vmap, rule_of(primitive)(primitive, arrays, params, vmap.size), True)
        plain = [a.tensor if isinstance(a, Batched) else a for a in arrays]
        return Batched(vmap, apply(primitive, plain, params), False)


@contextlib.contextmanager
def _running(vmap: "Vmap | None") -> Iterator[None]:
    before, flag = modes.vmap, modes.flags & VMAP
    modes.vmap = vmap
    modes.flags = modes.flags & ~VMAP | (VMAP if vmap else 0)
    try:
        yield
    finally:
        modes.vmap = before
        modes.flags = modes.flags & ~VMAP | flag


class Vmap:
    """One run of a function over `size` examples; `outer` is the run that it is part of."""

    def __init__(self, size: int, randomness: str) -> None:
        self.size, self.randomness = size, randomness
        self.outer: Vmap | None = modes.vmap if modes.flags & VMAP else None

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Here the function runs."""
        return _running(self)

    def outside(self) -> contextlib.AbstractContextManager[None]:
        """Here runs what the function's operations come down to."""
        return _running(self.outer)

    def enter(self, x: Any, dim: int) -> Tensor:
        """A tensor from outside, whose axis `dim` numbers the examples, as that of one example."""
        return make(Batched(self, moved(x, dim, 0), True))

    def results(self, result: Any, out_dims: Any) -> list[Any]:
        """The leaves of what the function gave, as they are outside. Raises: as vmap."""
        outputs, dims = trees.leaves(result), trees.spread(out_dims, result)
        if dims is None or not all(d is None or isinstance(d, int) for d in dims):
            raise ValueError(f"vmap: out_dims={out_dims!r} does not nest as the result does")
        for x, d in zip(outputs, dims, strict=True):
            if d is not None and not isinstance(x, Tensor):
                raise ValueError(
                    f"vmap: the function must return Tensors, got {type(x).__name__}; "
                    "out_dims=None is for a result that is the same for all examples"
                )
        return [
            self._leave(x, d) if isinstance(x, Tensor) else x
            for x, d in zip(outputs, dims, strict=True)
        ]

    def _leave(self, x: Tensor, dim: int | None) -> Tensor:
        """A result as it is outside, the examples along axis `dim`."""
        array = self.operand(x)._array
        if dim is None:
            if array.mapped:
                raise ValueError(
                    "vmap: out_dims is None for a result that differs from one example to the "
                    "next; give the axis along which the examples are to lie"
                )
            return array.tensor
        ndim = array.ndim + 1
        if not -ndim <= dim < ndim:
            raise IndexError(f"vmap: out_dims={dim} must be in [{-ndim}, {ndim - 1}]")
        return moved(front(array, self.size), 0, dim % ndim)

    def owns(self, x: Any) -> bool:
        """Whether x is a tensor of one example of this run."""
        if not isinstance(x, Tensor) or x._array.__class__ is not Batched:
            return False
        if x._array.vmap is self:
            return True
        run = self.outer
        while run is not None and run is not x._array.vmap:
            run = run.outer
        if run is None:
            raise RuntimeError("a tensor from inside a vmap was used after that had ended")
        return False

    def operand(self, x: Any) -> Any:
        """An operand as a tensor of one example, the same for all if it comes from outside."""
        if isinstance(x, (int, float, np.generic)) or self.owns(x):
            return x
        if not isinstance(x, Tensor):
            if not hasattr(x, "__array_ufunc__"):
                return x
            x = make(x)
        return make(Batched(self, x, False))

    def apply(self, primitive: Primitive, args: Sequence, params: dict[str, Any]) -> Tensor:
        """What tensor.apply does while the function runs."""
        if primitive.family == "random":
            return self._draw(primitive, args, params)
        if not any(map(self.owns, args)):
            with self.outside():
                return apply(primitive, args, params)
        args = [self.operand(a) for a in args]
        modes.flags &= ~VMAP  # until _forward: what is recorded of the example is recorded here
        try:
            return apply(_twin(primitive), args, params)
        finally:
            modes.flags |= VMAP

    def function(self, cls: Any, args: tuple, kwargs: dict) -> Callable | None:
        """How to call a custom operation; None if it runs as it is, on one example.

        Its forward is not recorded, so a tape outside the vmap needs a call for each example.
        Raises: RuntimeError if a tape that began inside needs the call too.
        """
        if not any(map(self.owns, args)):
            return partial(self._called_outside, cls, args, kwargs)
        arrays = [a._array if self.owns(a) else a for a in args]
        if not modes.flags & GRAD or not self.size or not any(map(_on_tape, arrays)):
            return None
        if any(a._node is not None for a in args if self.owns(a)):
            raise RuntimeError(
                f"vmap: {cls.__name__}, a custom operation, cannot be differentiated both inside "
                "and outside vmap; compose operations in place of it"
            )
        return partial(self._called_for_each, cls, arrays, kwargs)

    def _called_outside(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        with self.outside():
            return cls.apply(*args, **kwargs)

    def _called_for_each(self, cls: Any, arrays: list, kwargs: dict) -> Any:
        with self.outside():
            results = [
                cls.apply(*[example(a, i) for a in arrays], **kwargs) for i in range(self.size)
            ]
            several = isinstance(results[0], tuple)
            outputs = zip(*results, strict=True) if several else [results]
            stacked = [Batched(self, apply(stack, output), True) for output in outputs]
        found = tuple(map(make, stacked))
        return found if several else found[0]

    def _draw(self, primitive: Primitive, args: Sequence, params: dict[str, Any]) -> Tensor:
        """Random numbers, as `randomness` says."""
        if self.randomness == "error":
            raise RuntimeError(
                f"vmap: {primitive.name} is random; say with randomness='same' or 'different' "
                "whether the examples share what is drawn, or draw outside vmap"
            )
        arrays = [self.operand(a)._array for a in args]
        with self.outside():
            if self.randomness == "same":
                if any(a.mapped for a in arrays):
                    raise RuntimeError(
                        f"vmap: {primitive.name} of a tensor that differs from one example to the "
                        "next cannot draw the same for all; use randomness='different'"
                    )
                return apply(primitive, [a.tensor for a in arrays], params)
            if "size" in params:
                drawn = apply(primitive, (), {**params, "size": (self.size, *params["size"])})
            elif arrays:
                drawn = apply(primitive, [front(a, self.size) for a in arrays], params)
            else:
                drawn = each(lambda: apply(primitive, (), params), (), self.size)
        return make(Batched(self, drawn, True))

    def write(self, x: Tensor, key: Any, value: Tensor) -> Tensor | None:
        """x[key] = value. The value, if a tape that began inside has to follow; else None.

        Raises: RuntimeError before anything is written, if examples differ in values but not in x.
        """
        ours, new = self.owns(x), self.operand(value)._array
        if new.mapped and not (ours and x._array.mapped):
            raise RuntimeError(
                f"vmap: values that differ from one example to the next cannot be written into a "
                f"tensor of shape {tuple(x.shape)} that all examples share; use the out-of-place "
                "form"
            )
        if not ours:
            with self.outside():
                inplace.setitem(x, key, new.tensor)
            return None
        with self.outside():
            if x._array.mapped:
                keys = key if isinstance(key, tuple) else (key,)
                keys, values = whole(x._array, keys, new, self.size)
                inplace.setitem(x._array.tensor, keys, values)
            else:
                inplace.setitem(x._array.tensor, key, new.tensor)
        return self.operand(value)


def _on_tape(x: Any) -> bool:
    """Whether an operand, or what it stands for in a run further out, is on a tape."""
    if isinstance(x, Batched):
        return x.tensor._node is not None or _on_tape(x.tensor._array)
    return isinstance(x, Tensor) and x._node is not None


def entered(x: Tensor) -> Tensor:
    """Inside a vmap, x as a tensor of one example, so that its gradient is that of the example."""
    return modes.vmap.operand(x) if modes.flags & VMAP else x


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """The function that applies `func` to each example of a batch, all at once.

    in_dims: along which axis of each argument the examples lie, None for an argument that all
        share: one for all, or a tuple that nests as the arguments do.
    out_dims: the same of results.
    randomness: whether random operations are an "error", give the "same" for all, or "different".
    chunk_size: how many examples at most to take at once.

    Raises: ValueError if in_dims or out_dims do not fit, or a result is no Tensor; RuntimeError if
        Python asks for a value that differs between examples.

    >>> import autodiff
    >>> dots = vmap(autodiff.dot)
    >>> dots(autodiff.ones(3, 2), autodiff.ones(3, 2)).tolist()
    [2.0, 2.0, 2.0]
    """
    if randomness not in ("error", "same", "different"):
        raise RuntimeError(
            f"vmap: randomness must be 'error', 'same' or 'different', got {randomness!r}"
        )
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: chunk_size must be at least 1, got {chunk_size}")

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        taken("vmap()")
        dims = _dims_of(args, in_dims)
        values = trees.leaves(args)
        size = _size(values, dims)
        step = chunk_size or max(size, 1)
        state = get_rng_state() if randomness == "same" and step < size else None
        chunks = []
        for start in range(0, max(size, 1), step):
            if start and state is not None:
                set_rng_state(state)
            run = Vmap(min(step, size - start), randomness)
            part = slice(start, start + step)
            given = [
                v
                if d is None
                else run.enter(v[(slice(None),) * d + (part,)] if step < size else v, d)
                for v, d in zip(values, dims, strict=True)
            ]
            with run.inside():
                result = func(*trees.rebuilt(args, given), **kwargs)
            chunks.append(run.results(result, out_dims))
        return trees.rebuilt(result, _joined(chunks, trees.spread(out_dims, result)))

    return batched


def _joined(chunks: list[list[Any]], dims: Any) -> list[Any]:
    """The results of all examples, from those of each chunk and their axes of examples."""
    if len(chunks) == 1:
        return chunks[0]
    return [
        parts[0] if d is None else apply(concatenate, parts, {"axis": d})
        for parts, d in zip(zip(*chunks, strict=True), dims, strict=True)
    ]


def _dims_of(args: tuple, in_dims: Any) -> list[int | None]:
    """For each leaf of the arguments the axis of the examples, counted from the first."""
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(f"vmap: in_dims must be an integer or a tuple, got {in_dims!r}")
    values = trees.leaves(args)
    dims = trees.spread(in_dims, args)
    if dims is None:
        raise ValueError(
            f"vmap: in_dims={in_dims!r} does not nest as the {len(args)} positional arguments do"
        )
    found: list[int | None] = []
    for value, dim in zip(values, dims, strict=True):
        if dim is not None and not isinstance(dim, int):
            raise ValueError(f"vmap: in_dims must hold integers and None, got {dim!r}")
        if dim is not None and not isinstance(value, Tensor):
            raise ValueError(
                f"vmap: in_dims={dim} is for Tensors, got {type(value).__name__}; give None for it"
            )
        if dim is not None and not -value.ndim <= dim < value.ndim:
            raise ValueError(
                f"vmap: in_dims={dim} for a tensor of shape {tuple(value.shape)}; it must be in "
                f"[{-value.ndim}, {value.ndim - 1}]"
            )
        found.append(dim if dim is None else dim % value.ndim)
    return found


def _size(values: Sequence, dims: Sequence[int | None]) -> int:
    """The number of examples."""
    sizes = [v.shape[d] for v, d in zip(values, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: there is no argument with an axis of examples; see in_dims")
    if len(set(sizes)) > 1:
        raise ValueError(f"vmap: the arguments have different numbers of examples: {sizes}")
    return sizes[0]
