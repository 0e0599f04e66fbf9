"""Random programs of reads, views and writes in place, side by side with PyTorch.

A step works on tensors made by earlier ones: leaves, computed tensors, views of views, tensors that
nothing is recorded of, of floats of both sizes and of integers. What PyTorch accepts has its
values, dtypes and gradients, or is refused before anything changes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import autodiff
from tests.autodiff.test_inplace import same, state, weighted

VIEWS: dict[str, Callable[[Any], Any]] = {
    "row": lambda t: t[0],
    "last": lambda t: t[-1],
    "tail": lambda t: t[1:],
    "every second": lambda t: t[::2],
    "column": lambda t: t[..., 0],
    "columns": lambda t: t[..., 1:],
    "new axis": lambda t: t[None],
    "transposed": lambda t: t.transpose(0, -1),
    "turned": lambda t: t.movedim(0, -1),
    "flat": lambda t: t.view(-1),
    "reshaped": lambda t: t.view(-1, 1),
    "unflattened": lambda t: t.unflatten(-1, (-1, 1)),
    "expanded": lambda t: t.expand(2, *t.shape),
    "narrow": lambda t: t.narrow(0, 0, 1),
    "selected": lambda t: t.select(-1, 1),
    "squeezed": lambda t: t.squeeze(),
    "unsqueezed": lambda t: t.unsqueeze(-1),
    "diagonal": lambda t: t.diagonal(0, 0, -1),
    "upper diagonal": lambda t: t.diagonal(1),
    "part": lambda t: t.split(1)[-1],
    "half": lambda t: t.chunk(2, -1)[0],
    "slice": lambda t: t.unbind(-1)[0],
    "windows": lambda t: t.unfold(-1, 1, 2),
    "overlapping windows": lambda t: t.unfold(-1, 2, 1),
    "detached": lambda t: t.detach(),
}

FUNCTIONS = (
    *("sin", "cos", "tanh", "exp", "expm1", "sigmoid", "square", "neg", "abs", "relu", "erf"),
    *("atan", "asinh", "reciprocal", "log1p", "sqrt"),
)
"""Those of one tensor that exist in both forms."""

READS: dict[str, Callable[..., Any]] = {
    "plus": lambda ns, t, o: t + o,
    "minus": lambda ns, t, o: t - o,
    "times": lambda ns, t, o: t * o,
    "over": lambda ns, t, o: t / (o * o + 1),
    "matrix product": lambda ns, t, o: (t @ o).clone(),
    "maximum": lambda ns, t, o: ns.maximum(t, o),
    "where": lambda ns, t, o: ns.where(o > 0, t, o),
    "atan2": lambda ns, t, o: ns.atan2(t, o * o + 1),
    "stack": lambda ns, t, o: ns.stack([t, o]),
    "cat": lambda ns, t, o: ns.cat([t, o]),
    "sum": lambda ns, t, o: t.sum(0),
    "mean": lambda ns, t, o: t.mean(-1, keepdim=True),
    "cumsum": lambda ns, t, o: t.cumsum(-1),
    "logsumexp": lambda ns, t, o: t.logsumexp(-1),
    "softmax": lambda ns, t, o: t.softmax(0),
    "variance": lambda ns, t, o: t.var(-1),
    "prod": lambda ns, t, o: t.prod(-1),
    "flip": lambda ns, t, o: t.flip(0),
    "roll": lambda ns, t, o: t.roll(1, -1),
    "repeat": lambda ns, t, o: t.repeat(2, *[1] * t.dim()),
    "clone": lambda ns, t, o: t.clone(),
    "list": lambda ns, t, o: t[[0, -1, 0]],
    "mask": lambda ns, t, o: t[t > 0],
    "chosen": lambda ns, t, o: t.index_select(-1, ns.tensor([0, 0])),
    "lower triangle": lambda ns, t, o: t.tril(),
    "single": lambda ns, t, o: t.float(),
    "double": lambda ns, t, o: t.double(),
    "whole": lambda ns, t, o: t.detach().clamp(-9, 9).long(),
}


def _set(key: Callable[[Any], Any]) -> Callable[..., None]:
    def write(ns, t, o):
        t[key(t)] = o

    return write


def _row(ns, t, o):
    t[0] *= o


WRITES: dict[str, Callable[..., Any]] = {
    "add_": lambda ns, t, o: t.add_(o),
    "add_ scaled": lambda ns, t, o: t.add_(o, alpha=2),
    "sub_": lambda ns, t, o: t.sub_(o),
    "mul_": lambda ns, t, o: t.mul_(o),
    "mul_ number": lambda ns, t, o: t.mul_(0.5),
    "div_": lambda ns, t, o: t.div_(o * o + 1),
    "pow_": lambda ns, t, o: t.pow_(2),
    "lerp_": lambda ns, t, o: t.lerp_(o, 0.25),
    "addcmul_": lambda ns, t, o: t.addcmul_(o, o, value=0.5),
    "copy_": lambda ns, t, o: t.copy_(o),
    "fill_": lambda ns, t, o: t.fill_(0.5),
    "zero_": lambda ns, t, o: t.zero_(),
    "clamp_": lambda ns, t, o: t.clamp_(-0.5, 2),
    "clamp_ by a tensor": lambda ns, t, o: t.clamp_(min=o),
    "masked_fill_": lambda ns, t, o: t.masked_fill_(o > 0, 0.5),
    "masked_scatter_": lambda ns, t, o: t.masked_scatter_(t > 0, o.clone()),
    "index_add_": lambda ns, t, o: t.index_add_(0, ns.tensor([0, 0]), o, alpha=2),
    "index_copy_": lambda ns, t, o: t.index_copy_(0, ns.tensor([1, 0]), o),
    "index_fill_": lambda ns, t, o: t.index_fill_(-1, ns.tensor([0]), 0.5),
    "index_put_": lambda ns, t, o: t.index_put_((ns.tensor([0, 0]),), o, True),
    "scatter_": lambda ns, t, o: t.scatter_(0, ns.zeros_like(o).long(), o),
    "scatter_add_": lambda ns, t, o: t.scatter_add_(0, ns.zeros_like(o).long(), o),
    "put_": lambda ns, t, o: t.put_(ns.arange(o.numel()), o),
    "tril_": lambda ns, t, o: t.tril_(),
    "fill_diagonal_": lambda ns, t, o: t.fill_diagonal_(0.5),
    "cumsum_": lambda ns, t, o: t.cumsum_(-1),
    "set row": _set(lambda t: 0),
    "set tail": _set(lambda t: slice(1, None)),
    "set all": _set(lambda t: ...),
    "set list": _set(lambda t: [0]),
    "set mask": _set(lambda t: t > 0),
    "set number": lambda ns, t, o: t.__setitem__(0, 0.25),
    "multiply row": _row,
    "and its result": lambda ns, t, o: t.mul_(t + 1),
}

SHAPES_IN_PLACE = {
    "unsqueeze_": lambda ns, t, o: t.unsqueeze_(0),
    "squeeze_": lambda ns, t, o: t.squeeze_(),
    "transpose_": lambda ns, t, o: t.transpose_(0, -1),
    "t_": lambda ns, t, o: t.t_(),
}
"""Writes that PyTorch counts as new versions, though no element changes."""

STEPS: dict[str, Callable[..., Any]] = {
    **{name: lambda ns, t, o, f=f: f(t) for name, f in VIEWS.items()},
    **{name: lambda ns, t, o, name=name: getattr(t, name)() for name in FUNCTIONS},
    **{f"{name}_": lambda ns, t, o, name=name: getattr(t, f"{name}_")() for name in FUNCTIONS},
    **READS,
    **WRITES,
    **SHAPES_IN_PLACE,
}
KINDS = (*STEPS, *[name for name in (*VIEWS, *WRITES) for _ in range(2)])
SEVERAL = {"multiply row"}
"""Steps of several operations, of which one may be refused after another was done."""

ERRORS = (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError)


@st.composite
def steps(draw, kinds=KINDS):
    """What is done, to which tensor with which other one, counted from the latest."""
    unrecorded = draw(st.integers(0, 7)) == 7
    return (
        draw(st.sampled_from(kinds)),
        draw(st.integers(1, 7)),
        draw(st.integers(1, 7)),
        unrecorded,
    )


def start(ns):
    def leaf(values, dtype):
        return ns.tensor(values, dtype=dtype, requires_grad=dtype.is_floating_point)

    leaves = [
        leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ns.float64),
        leaf([0.5, -1.0, 2.0], ns.float64),
        leaf([[0.25], [-0.5]], ns.float32),
    ]
    return leaves, [
        ns.tensor([1, -2, 3]),
        ns.zeros(2, 3, dtype=ns.float64),
        leaves[2] * 1,
        leaves[0] * 1,
        leaves[1] * 1,
    ]


def operands(tensors, step):
    return [tensors[-min(back, len(tensors))] for back in step[1:3]]


def take(ns, tensors, step, copied=False):
    """Take a step, which may add a tensor; `copied`: the second operand."""
    kind, _, _, unrecorded = step
    t, other = operands(tensors, step)
    if copied:
        other = other.clone()
    if unrecorded and kind not in VIEWS:  # PyTorch says that a view made so requires grad
        with ns.no_grad():
            result = STEPS[kind](ns, t, other)
    else:
        result = STEPS[kind](ns, t, other)
    if result is not None and result is not t:
        tensors.append(result)


def reads_what_it_writes(tensors, step):
    """Whether the second operand shows some of the memory written to: PyTorch may read it anew."""
    t, other = operands(tensors, step)
    return step[0] in WRITES and other is not t and np.shares_memory(t._array, other._array)


def assert_close(mine, reference, tolerance):
    scale = np.abs(reference).max(initial=1.0, where=np.isfinite(reference))
    np.testing.assert_allclose(mine, reference, rtol=0, atol=tolerance * scale)


def run(torch, program):
    """Run a program on both sides, compare, and say how it ended."""
    (leaves, ours), (their_leaves, theirs) = start(autodiff), start(torch)
    versions_agree, left_out = True, False
    for step in program:
        before, copied = state(ours), reads_what_it_writes(ours, step)
        try:
            take(autodiff, ours, step, copied)
        except ERRORS:
            if step[0] in SEVERAL:
                return "a step is refused in the middle"
            assert same(before, state(ours)), f"{step}, which was refused, changed something"
            left_out = True
            continue
        try:
            take(torch, theirs, step, copied)
        except ERRORS:
            return "PyTorch refuses a step"
        versions_agree &= step[0] not in SHAPES_IN_PLACE
        for mine, reference in zip(ours, theirs, strict=True):
            x, y = mine.detach().numpy(), reference.detach().numpy()
            assert x.dtype == y.dtype, step
            assert_close(x, y, 1e-4 if x.dtype == np.float32 else 1e-6)
            assert mine._version == reference._version or not versions_agree or not x.size
            assert mine.requires_grad == reference.requires_grad or x.dtype.kind != "f"
        if any(not np.all(np.abs(t.detach().numpy()) < 1e4) for t in ours):
            return "large or undefined values"
    try:
        sum(weighted(torch, t) for t in theirs).backward()
    except RuntimeError:
        return "PyTorch refuses to differentiate"
    try:
        sum(weighted(autodiff, t) for t in ours).backward()
    except RuntimeError as error:
        assert "in-place" in str(error)
        return "we refuse to differentiate"
    for mine, reference in zip(leaves, their_leaves, strict=True):
        a = mine.grad.numpy() if mine.grad is not None else np.zeros(mine.shape)
        b = reference.grad.numpy() if reference.grad is not None else np.zeros(mine.shape)
        if not np.all(np.isfinite(a) & np.isfinite(b)):
            return "undefined gradients"
        assert_close(a, b, 1e-4)
    return "compared" if left_out else "compared, nothing refused"


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.lists(steps(), min_size=2, max_size=16))
def test_random_programs_give_pytorchs_values_and_gradients_or_an_error(torch, program):
    event(run(torch, program))


def test_there_are_many_kinds_of_steps():
    assert len(STEPS) > 100
