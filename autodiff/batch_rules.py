"""How each operation runs on all examples of a vmap at once.

A rule takes the operation, its operands, its parameters and the number of examples, and gives a
tensor with the examples along its first axis. Operands are Batched, at least one of them mapped, or
Python numbers. Rules are compositions of operations, so that what is outside the vmap, another vmap
or the tape, sees nothing unusual. Where no rule fits, the examples are taken one by one.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autodiff.batched import Batched
from autodiff.ops import decompositions as matrices
from autodiff.ops import (
    elementwise,
    index,
    linalg,
    loss,
    normalization,
    order,
    recurrent,
    reduce,
    scatter,
    shape,
    window,
)
from autodiff.primitive import Primitive
from autodiff.tensor import Tensor, apply, make, viewing

Operand = Any
Rule = Callable[[Primitive, Sequence[Operand], dict[str, Any], int], Tensor]

_ALL = slice(None)
_reshape, _transpose, _getitem = map(viewing, (shape.reshape, shape.transpose, index.getitem))


# The batch axis of one operand


def _ranked(x: Operand, ndim: int) -> Any:
    """The tensor of an operand, an example having `ndim` axes, so that examples broadcast."""
    if not isinstance(x, Batched):
        return x
    if not x.mapped or x.ndim == ndim:
        return x.tensor
    n = x.tensor._array.shape[0]
    return _reshape(x.tensor, shape=(n, *(1,) * (ndim - x.ndim), *x.shape))


def front(x: Operand, size: int, ndim: int | None = None) -> Any:
    """As _ranked, but with a batch axis in any case."""
    if not isinstance(x, Batched):
        return x
    ndim = x.ndim if ndim is None else ndim
    if x.mapped:
        return _ranked(x, ndim)
    given = (1,) * (ndim - x.ndim) + x.shape
    t = x.tensor if given == x.shape else _reshape(x.tensor, shape=given)
    return apply(shape.broadcast_to, (t,), {"shape": (size, *given)})


def _moved(t: Tensor, source: int, destination: int, count: int = 1) -> Tensor:
    """`count` neighbouring axes moved."""
    if source == destination or not count:
        return t
    order = [a for a in range(t._array.ndim) if not source <= a < source + count]
    order[destination:destination] = range(source, source + count)
    return _transpose(t, axes=tuple(order))


def moved(t: Tensor, source: int, destination: int) -> Tensor:
    """One axis moved."""
    return _moved(t, source, destination)


def _shifted(axis: Any, ndim: int) -> Any:
    """An axis, or a tuple of them, of one example as that of the batch."""
    if isinstance(axis, tuple):
        return tuple([_shifted(a, ndim) for a in axis])
    return normalize_axis_index(axis, ndim) + 1


# Families of rules


def broadcasting(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """For operations whose operands broadcast, or broadcast but for their last axes."""
    ndim = max(x.ndim for x in xs if isinstance(x, Batched))
    return apply(op, [_ranked(x, ndim) for x in xs], params)


def _alike(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """For operations on operands that have the same axes in front."""
    ndim = max(x.ndim for x in xs if isinstance(x, Batched))
    return apply(op, [front(x, size, ndim) for x in xs], params)


def _reduced(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    (x,) = xs
    if params.get("axis") is not None:
        return apply(op, (x.tensor,), {**params, "axis": _shifted(params["axis"], x.ndim)})
    rows = _reshape(x.tensor, shape=(size, x.size))
    out = apply(op, (rows,), {**params, "axis": 1, "keepdims": False})
    return _reshape(out, shape=(size, *(1,) * x.ndim)) if params.get("keepdims") else out


def _along(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """For operations along one axis that all operands have."""
    ndim, axis = xs[0].ndim, params.get("axis", op.defaults.get("axis"))
    params = {**params, "axis": _shifted(axis, ndim + (op is shape.stack))}
    if "shape" in params:
        params["shape"] = (size, *params["shape"])
    return apply(op, [front(x, size, ndim) for x in xs], params)


def _with(change: Callable[[Batched, dict, int], dict]) -> Rule:
    """For operations on one array that differ in parameters alone."""

    def rule(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
        (x,) = xs
        return apply(op, (x.tensor,), {**params, **change(x, params, size)})

    return rule


def one_by_one(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """For any operation: a loop over the examples."""
    if op.varying(*xs):
        raise RuntimeError(
            f"{op.name} inside vmap: the shape of its result depends on values, which differ from "
            "one example to the next; use where() and the like, or do it outside vmap"
        )
    if not size:
        raise RuntimeError(f"{op.name} inside vmap over no examples is not provided")
    warnings.warn(
        f"vmap runs {op.name} for one example after the other: it has no rule for a batch",
        stacklevel=2,
    )
    return each(lambda *values: apply(op, values, params), xs, size)


def each(function: Callable, xs: Sequence[Operand], size: int) -> Tensor:
    """function of each example, the results stacked."""
    return apply(shape.stack, [function(*[example(x, i) for x in xs]) for i in range(size)])


def example(x: Operand, number: int) -> Any:
    """The operand of one example, as it is outside the vmap."""
    if not isinstance(x, Batched):
        return x
    return _getitem(x.tensor, key=number) if x.mapped else x.tensor


# Shapes


def _reshaped(x: Batched, params: dict, size: int) -> dict:
    lengths = params["shape"]
    lengths = (lengths,) if isinstance(lengths, int) else tuple(lengths)
    if -1 in lengths:
        known = math.prod(n for n in lengths if n != -1)
        lengths = tuple([x.size // max(known, 1) if n == -1 else n for n in lengths])
    if math.prod(lengths) != x.size:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {params['shape']}")
    return {"shape": (size, *lengths)}


def _transposed(x: Batched, params: dict, size: int) -> dict:
    axes = params.get("axes")
    axes = tuple(range(x.ndim))[::-1] if axes is None else axes
    return {"axes": (0, *_shifted(tuple(axes), x.ndim))}


def _broadcast(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    lengths, (x,) = params["shape"], xs
    if x.ndim > len(lengths):
        raise ValueError("input operand has more dimensions than allowed by the axis remapping")
    return apply(op, (_ranked(x, len(lengths)),), {"shape": (size, *lengths)})


def _summed(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    lengths, (x,) = params["shape"], xs
    kept = (size, *(1,) * (x.ndim - len(lengths)), *lengths)
    return _reshape(apply(op, (x.tensor,), {"shape": kept}), shape=(size, *lengths))


def _tiled(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    reps, (x,) = tuple(params["reps"]), xs
    ndim = max(x.ndim, len(reps))
    return apply(op, (_ranked(x, ndim),), {"reps": (1,) * (ndim + 1 - len(reps)) + reps})


def _rolled(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    (x,) = xs
    if params.get("axis") is not None:
        return apply(op, (x.tensor,), {**params, "axis": _shifted(params["axis"], x.ndim)})
    rows = _reshape(x.tensor, shape=(size, x.size))
    return _reshape(apply(op, (rows,), {**params, "axis": 1}), shape=(size, *x.shape))


def _flipped(x: Batched, params: dict, size: int) -> dict:
    axis = params.get("axis")
    return {"axis": _shifted(tuple(range(x.ndim)) if axis is None else axis, x.ndim)}


def _diagonals(x: Batched, params: dict, size: int) -> dict:
    lengths = params.get("shape", x.shape)
    axes = {a: _shifted(params.get(a, i), len(lengths)) for i, a in enumerate(("axis1", "axis2"))}
    return {**axes, "shape": (size, *lengths)} if "shape" in params else axes


# Indices


def _keyed(x: Batched, params: dict, size: int) -> dict:
    key = params["key"]
    key = (_ALL, *key) if isinstance(key, tuple) else (_ALL, key)
    return {"key": key, "shape": (size, *params["shape"])} if "shape" in params else {"key": key}


class _Places:
    """Where a key with arrays puts their axes, in one example and in the batch.

    ndim: of the array that is indexed. together: whether the arrays stand side by side, so that
    their `count` axes replace those indexed, from axis `start` on; else they come first.
    """

    def __init__(self, indices: Sequence[Batched], form: tuple, ndim: int) -> None:
        masks = [i.dtype.kind == "b" for i in indices]
        self.mapped = any(i.mapped for i in indices)
        if self.mapped and any(masks):
            raise RuntimeError(
                "an index inside vmap that is a mask, different for each example, gives results of "
                "different shapes; use where() in place of it"
            )
        places = [a for a, entry in enumerate(form) if not entry]
        self.together = places[-1] - places[0] == len(places) - 1
        self.count = max(1 if mask else i.ndim for i, mask in zip(indices, masks, strict=True))
        taken = sum(i.ndim if mask else 1 for i, mask in zip(indices, masks, strict=True))
        others = sum(entry not in ((), (None,), (Ellipsis,)) for entry in form)
        hidden = max(ndim - taken - others, 0)
        before = form[: places[0]]
        self.start = sum(hidden if entry == (Ellipsis,) else 1 for entry in before)
        self.leading = not before  # whether an index in front of the key is beside the arrays

    def arrays(self, indices: Sequence[Batched]) -> list[Tensor]:
        """The indices of all examples."""
        return [_ranked(i, self.count) if self.mapped else i.tensor for i in indices]

    def numbered(self, size: int) -> Tensor:
        """The number of the example, as one more index."""
        return make(np.arange(size).reshape((size,) + (1,) * self.count))

    def arranged(self, values: Tensor, inward: bool) -> Tensor:
        """Values as the key of the batch gives them, in the order of those of the examples.

        inward: the reverse, from that of the examples to what the key of the batch takes.
        """
        if not self.mapped:  # the key is (:, *key)
            places, count = (0 if self.together else self.count, 0), 1
        elif self.together and not self.leading:  # the key is (numbers, *key)
            places, count = (1, self.start + 1), self.count
        else:
            return values
        return _moved(values, *(places[::-1] if inward else places), count)


def _indexed(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, *indices = xs
    form = params["form"]
    at = _Places(indices, form, x.ndim)
    arrays = at.arrays(indices)
    if at.mapped and not x.mapped:
        out = apply(op, (x.tensor, *arrays), {"form": form})
        return _moved(out, at.start if at.together else 0, 0)
    if at.mapped:
        arrays.insert(0, at.numbered(size))
    out = apply(op, (x.tensor, *arrays), {"form": (() if at.mapped else (_ALL,), *form)})
    return at.arranged(out, inward=False)


def _unindexed(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    g, *indices = xs
    form, lengths = params["form"], params["shape"]
    at = _Places(indices, form, len(lengths))
    numbers = [at.numbered(size)] if at.mapped else []
    return apply(
        op,
        (at.arranged(front(g, size), inward=True), *numbers, *at.arrays(indices)),
        {"form": (() if at.mapped else (_ALL,), *form), "shape": (size, *lengths)},
    )


def _index_put(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, v, *indices = xs
    form = params["form"]
    at = _Places(indices, form, x.ndim)
    numbers = [at.numbered(size)] if at.mapped else []
    if isinstance(v, Batched):
        example = np.broadcast_to(np.empty(()), x.shape)
        known = [np.zeros(i.shape, int) if i.mapped else i.elements for i in indices]
        place = example[index.fill_in(form, known)] if known else example
        v = at.arranged(front(v, size, place.ndim), inward=True)
    return apply(
        op,
        (front(x, size), v, *numbers, *at.arrays(indices)),
        {"form": (() if at.mapped else (_ALL,), *form)},
    )


def _positioned(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """For operations at positions counted row by row: in the batch each example has its own."""
    positions, lengths = params["positions"], params.get("shape", xs[0].shape)
    starts = np.arange(size).reshape((size,) + (1,) * positions.ndim) * math.prod(lengths)
    params = {**params, "positions": starts + positions}
    if "shape" in params:
        params["shape"] = (size, *lengths)
    others = [front(x, size, positions.ndim) for x in xs[1:]]
    return apply(op, [front(xs[0], size), *others], params)


def whole(x: Batched, keys: tuple, value: Batched, size: int) -> tuple[tuple, Tensor]:
    """The key and the value for all examples of x[keys] = value, keys of arrays and the like."""
    ndim = np.broadcast_to(np.empty((), bool), x.shape)[keys].ndim
    values = front(value, size, ndim)
    arrays = [Batched(x.vmap, make(k), False) for k in keys if isinstance(k, np.ndarray)]
    if arrays:
        form = tuple(() if isinstance(k, np.ndarray) else (k,) for k in keys)
        values = _Places(arrays, form, x.ndim).arranged(values, inward=True)
    return (_ALL, *keys), values


def _repeated(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, repeats = xs
    if isinstance(repeats, Batched):
        if repeats.mapped:
            return one_by_one(op, xs, params, size)
        repeats = repeats.tensor
    return apply(op, (x.tensor, repeats), {"axis": _shifted(params["axis"], x.ndim)})


def _searched(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, values = xs
    if x.ndim > 1:
        return apply(op, [front(a, size) for a in xs], params)
    if not x.mapped:
        return apply(op, (x.tensor, values.tensor), params)
    if not isinstance(values, Batched):
        values = Batched(x.vmap, make(np.array(values)), False)
    rows = _reshape(front(values, size), shape=(size, values.size))
    return _reshape(apply(op, (x.tensor, rows), params), shape=(size, *values.shape))


def _found(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    if isinstance(xs[1], Batched) and xs[1].mapped:
        return one_by_one(op, xs, params, size)
    return apply(op, [x.tensor if isinstance(x, Batched) else x for x in xs], params)


# Products


def _product(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, y = xs
    if not x.ndim or not y.ndim:
        raise ValueError("both operands need at least one axis")
    if not y.mapped and y.ndim == 2:
        return apply(linalg.matmul, (x.tensor, y.tensor))  # one product for all examples
    if not x.mapped and x.ndim == 2 and y.ndim == 1:
        return apply(linalg.matmul, (y.tensor, _transpose(x.tensor)))
    row, column = x.ndim == 1, y.ndim == 1
    x = Batched(x.vmap, _getitem(x.tensor, key=(..., None, _ALL)), x.mapped) if row else x
    y = Batched(y.vmap, _getitem(y.tensor, key=(..., None)), y.mapped) if column else y
    ndim = max(x.ndim, y.ndim)
    out = apply(linalg.matmul, (_ranked(x, ndim), _ranked(y, ndim)))
    if row or column:
        out = _getitem(out, key=(..., *[0 if row else _ALL], *[0 if column else _ALL]))
    return out


def _linear(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, w, *b = xs
    if x.mapped and not any(a.mapped for a in (w, *b)):
        return apply(op, [a.tensor for a in xs], params)
    axes = (0, 2, 1) if w.mapped else (1, 0)
    w = Batched(w.vmap, _transpose(w.tensor, axes=axes), w.mapped)
    if x.mapped or w.mapped:
        out = _product(linalg.matmul, (x, w), {}, size)
    else:
        out = front(Batched(x.vmap, apply(linalg.matmul, (x.tensor, w.tensor)), False), size)
    return out + _ranked(b[0], out._array.ndim - 1) if b else out


def _standardized(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, w, b = xs
    rows = front(x, size)
    if not (w.mapped or b.mapped):
        return apply(op, (rows, w.tensor, b.tensor), params)
    ones, zeros = (make(np.full(w.shape, value, rows._array.dtype)) for value in (1, 0))
    out = apply(op, (rows, ones, zeros), params)
    return out * _ranked(w, x.ndim) + _ranked(b, x.ndim)


def _walked(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    """Recurrent layers: the examples side by side, where all have the same weights."""
    *xs, w = xs
    if w.mapped:
        return one_by_one(op, (*xs, w), params, size)
    x, *states = [front(a, size) for a in xs]
    n = xs[0].shape[1]
    beside = [moved(x, 0, 1), *states]
    flat = [_reshape(a, shape=(*a.shape[:-3], size * n, a.shape[-1])) for a in beside]
    out = apply(op, (*flat, w.tensor), params)
    lead = out.shape[:-2]
    return moved(_reshape(out, shape=(*lead, size, n, out.shape[-1])), len(lead), 0)


def _einsum(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    terms, output = linalg._labels(params["subscripts"], tuple([x.ndim for x in xs]))
    batch = next(a for a in linalg.LETTERS if a not in "".join(terms))
    terms = [batch + t if x.mapped else t for x, t in zip(xs, terms, strict=True)]
    return apply(op, [x.tensor for x in xs], {"subscripts": f"{','.join(terms)}->{batch}{output}"})


def _pseudo_inverse(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, *tolerances = xs
    each = [front(a, size, x.ndim - 1) for a in tolerances]
    return apply(op, [front(x, size), *each], params)


# Convolutions: the examples become samples where they share w, and else channels, in groups


def _merged(t: Tensor, axis: int) -> Tensor:
    """Two neighbouring axes as one."""
    lengths = t._array.shape
    n = lengths[axis] * lengths[axis + 1]
    return _reshape(t, shape=(*lengths[:axis], n, *lengths[axis + 2 :]))


def _parted(t: Tensor, axis: int, size: int) -> Tensor:
    """What _merged made one, as two axes, of which the first has `size` elements."""
    lengths = t._array.shape
    n = lengths[axis] // max(size, 1)
    return _reshape(t, shape=(*lengths[:axis], size, n, *lengths[axis + 1 :]))


def _convolution(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, w, *b = xs
    if b and isinstance(b[0], Batched) and b[0].mapped:
        x = Batched(x.vmap, front(x, size), True)
        out = _convolution(op, (x, w, 0), params, size)
        return out + _ranked(b[0], out._array.ndim - 1)
    if op is not window.convolve_w and not w.mapped:
        rest = [a.tensor if isinstance(a, Batched) else a for a in (w, *b)]
        return _parted(apply(op, (_merged(x.tensor, 0), *rest), params), 0, size)
    params = {**params, "groups": params["groups"] * size}
    x = _merged(moved(front(x, size), 0, 1), 1)
    if op is window.convolve_w:
        w = _merged(moved(front(w, size), 0, 1), 1)
        return _parted(apply(op, (x, w), params), 0, size)
    rest = [
        _merged(front(a, size), 0) if isinstance(a, Batched) and a.ndim else example(a, 0)
        for a in (w, *b)
    ]
    return moved(_parted(apply(op, (x, *rest), params), 1, size), 1, 0)


# Losses


def _mean_square_error(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    ndim = max(x.ndim for x in xs if isinstance(x, Batched))
    x, y = (_ranked(x, ndim) for x in xs)
    axes = {"axis": tuple(range(1, ndim + 1))}
    return apply(reduce.mean, (apply(elementwise.square, (x - y,)),), axes)


def _classes(target: Batched, ignore_index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row whether it counts, its class along a new last axis, and how many rows count."""
    t = front(target, size)
    valid = t != ignore_index
    classes = apply(elementwise.where, (valid, t, 0))
    count = apply(reduce.sum, (valid,), {"axis": 1, "dtype": np.dtype(np.int64)})
    return valid, _getitem(classes, key=(..., None)), count


def _nll_loss(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    x, target = xs
    valid, classes, count = _classes(target, params["ignore_index"], size)
    found = apply(index.gather, (front(x, size), classes), {"axis": 2})
    found = apply(elementwise.where, (valid, _getitem(found, key=(..., 0)), 0.0))
    return apply(reduce.sum, (found,), {"axis": 1}) / -_as(count, x.dtype)


def _nll_loss_x(op: Primitive, xs: Sequence[Operand], params: dict, size: int) -> Tensor:
    g, target = xs
    valid, classes, count = _classes(target, params["ignore_index"], size)
    share = front(g, size) / -_as(apply(elementwise.maximum, (count, 1)), g.dtype)
    shares = apply(elementwise.where, (valid, _getitem(share, key=(..., None)), 0.0))
    place = {"axis": 2, "shape": (size, *params["shape"])}
    return apply(index.ungather, (_getitem(shares, key=(..., None)), classes), place)


def _as(t: Tensor, dtype: np.dtype) -> Tensor:
    return apply(shape.cast, (t,), {"dtype": dtype})


RULES: dict[Primitive, Rule] = {
    **dict.fromkeys((shape.cast, shape.copy, shape.tril, shape.triu), broadcasting),
    **dict.fromkeys((shape.concatenate, shape.stack, reduce.cumsum, reduce.cumprod), _along),
    **dict.fromkeys((reduce.cumargmax, reduce.cumargmin, order.argsort), _along),
    **dict.fromkeys((reduce.softmax, reduce.log_softmax), _along),
    **dict.fromkeys((index.gather, index.ungather, index.scatter), _along),
    **dict.fromkeys((scatter.scatter_extreme, scatter.scatter_prod), _along),
    **dict.fromkeys((shape.diagonal, shape.undiagonal), _with(_diagonals)),
    **dict.fromkeys((index.getitem, index.ungetitem), _with(_keyed)),
    **dict.fromkeys((index.windows, index.unwindows), _along),
    **dict.fromkeys((index.put, index.take, index.untake), _positioned),
    **dict.fromkeys((window.convolve, window.convolve_w, window.convolve_x), _convolution),
    **dict.fromkeys((window.im2col, window.col2im, window.max_pool), broadcasting),
    **dict.fromkeys((matrices.inv, matrices.solve, matrices.solve_triangular), broadcasting),
    **dict.fromkeys((matrices.det, matrices.cofactor, matrices.slogdet), broadcasting),
    **dict.fromkeys((matrices.cholesky, matrices.qr), broadcasting),
    **dict.fromkeys((matrices.eigh, matrices.eigvalsh), broadcasting),
    **dict.fromkeys((matrices.svd, matrices.svdvals), broadcasting),
    **dict.fromkeys((window.max_pool_positions, window.max_pool_x, window.at_largest), _alike),
    normalization.standardize: _standardized,
    shape.reshape: _with(_reshaped),
    shape.transpose: _with(_transposed),
    shape.flip: _with(_flipped),
    shape.pad: _with(lambda x, params, size: {"pad_width": ((0, 0), *params["pad_width"])}),
    shape.roll: _rolled,
    shape.broadcast_to: _broadcast,
    shape.sum_to: _summed,
    shape.tile: _tiled,
    index.index: _indexed,
    index.unindex: _unindexed,
    index.index_put: _index_put,
    index.repeat: _repeated,
    order.searchsorted: _searched,
    order.isin: _found,
    linalg.matmul: _product,
    linalg.linear: _linear,
    recurrent.elman: _walked,
    recurrent.lstm: _walked,
    linalg.einsum: _einsum,
    matrices.pinv: _pseudo_inverse,
    loss.mean_square_error: _mean_square_error,
    loss.nll_loss: _nll_loss,
    loss.nll_loss_x: _nll_loss_x,
}
"""The rules of operations that are neither elementwise nor reductions."""

_FAMILIES: dict[str, Rule] = {"elementwise": broadcasting, "reduction": _reduced}


def rule_of(op: Primitive) -> Rule:
    """How an operation runs on a batch."""
    return RULES.get(op) or _FAMILIES.get(op.family, one_by_one)
