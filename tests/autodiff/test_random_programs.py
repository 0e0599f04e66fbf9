"""Laws of the backward pass, on random programs of mostly 15 operations and more."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import autodiff
from autodiff.gradients import backward, grad
from autodiff.tensor import Tensor, make
from autodiff.testing.strategies import Shape, arrays, broadcastable
from tests.reference import Node, naive, slope
from tests.strategies import (
    BINARY,
    OPERATIONS,
    PARAMETERS,
    SAFE,
    Program,
    Step,
    programs,
)

NAMESPACES = st.sampled_from([np, autodiff])
OUTPUTS = 3
"""How many of the last values are differentiated together."""


def _written(ns: Any, x: Any, y: Any, index: Any) -> Any:
    x[index] = y
    return x


WRITES: dict[str, Callable[..., Any]] = {
    "add_": lambda ns, x, y: operator.iadd(x, y),
    "subtract_": lambda ns, x, y: operator.isub(x, y),
    "multiply_": lambda ns, x, y: operator.imul(x, y),
    "write": _written,
}
"""Steps that write into their first operand and give it back."""

VIEWS = {"swapaxes", "index"}
"""Operations whose result shows the memory of the operand, with NumPy as with PyTorch."""

WRITING = (*sorted(OPERATIONS.keys() - {"reshape"}), *WRITES, *WRITES)
"""Operations of programs that write; whether reshape gives a view depends on the library."""

KEYS = st.sampled_from(
    [(0, ...), (-1, ...), (..., 0), slice(1, None), slice(None, None, 2), (None, ...)]
).map(lambda key: (key,))
"""Keys that give NumPy a view even where it is a single element."""


def _parameters(name: str, shape: Shape) -> st.SearchStrategy[tuple]:
    if name in ("index", "write"):
        return KEYS
    return PARAMETERS[name](shape) if name in PARAMETERS else st.just(())


def _allowed(name: str, operands: list[np.ndarray], roots: list[int], inputs: int) -> bool:
    """Whether this step stays off kinks and, if it writes, may do so and to memory of its own."""
    if name in WRITES:
        x, y = operands
        return roots[0] >= inputs and roots[0] != roots[1] and x.ndim >= y.ndim
    return name not in SAFE or bool(SAFE[name](*operands))


@st.composite
def long_programs(
    draw: st.DrawFn,
    operations: Sequence[str] = tuple(OPERATIONS),
    elements: Callable[[Shape], st.SearchStrategy[np.ndarray]] = arrays,
) -> Program:
    """A program of some 20 steps over three inputs that broadcast together.

    Values stay moderate and off kinks, and are reused. Writes are never into an input.
    """
    inputs = tuple(draw(elements(shape)) for shape in draw(broadcastable(3, min_side=1)))
    values: list[np.ndarray] = [x.copy() for x in inputs]
    roots, steps = list(range(len(inputs))), []
    for _ in range(32):
        name = draw(
            st.sampled_from([None, *operations])
        )  # None first: programs shrink to few steps
        if name is None:
            continue
        count = 1 + (name in BINARY or name in WRITES)
        back = [draw(st.integers(1, min(len(values), 6))) for _ in range(count)]
        positions = tuple(len(values) - b for b in back)
        operands = [values[i] for i in positions]
        parameters = draw(_parameters(name, operands[0].shape))
        try:
            if not _allowed(name, operands, [roots[i] for i in positions], len(inputs)):
                continue
            target = operands[0].copy() if name in WRITES else operands[0]
            out = step(np, name, [target, *operands[1:]], parameters)
        except (ValueError, IndexError):
            continue
        if out.size not in range(1, 100) or not np.max(np.abs(out)) <= 30:
            continue
        if name in WRITES:
            out = step(np, name, operands, parameters)
        values.append(out)
        roots.append(roots[positions[0]] if name in VIEWS or name in WRITES else len(roots))
        steps.append(Step(name, positions, parameters))
    assume(steps)
    return Program(inputs, tuple(steps))


def step(ns: Any, name: str, operands: list, parameters: tuple) -> Any:
    out = (WRITES.get(name) or OPERATIONS[name])(ns, *operands, *parameters)
    return np.asarray(out) if isinstance(out, np.generic) else out


def run(program: Program, ns: Any, inputs: Sequence[Any]) -> list:
    """The last few values of a program."""
    values = list(inputs)
    for s in program.steps:
        values.append(step(ns, s.operation, [values[i] for i in s.operands], s.parameters))
    return values[len(inputs) :][-OUTPUTS:]


def leaves(program: Program) -> list[Tensor]:
    return [make(x.copy()).requires_grad_() for x in program.inputs]


def weights(outputs: Sequence[Any], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, tuple(out.shape)) for out in outputs]


def gradients(
    outputs: list[Tensor], inputs: list[Tensor], gs: Sequence[np.ndarray], **options: Any
) -> list[np.ndarray]:
    """The gradients of the outputs, weighted; zeros for an unused input."""
    found = grad(
        outputs,
        inputs,
        [make(g.astype(out._array.dtype)) for g, out in zip(gs, outputs, strict=True)],
        materialize_grads=True,
        **options,
    )
    return [g._array for g in found]


def numeric(program: Program, gs: Sequence[np.ndarray], directions: Sequence[np.ndarray]) -> float:
    """The derivative of the weighted outputs along `directions`, by differences."""

    def scalar(*inputs):
        outputs = run(program, np, [x.copy() for x in inputs])
        return sum(np.sum(g * out) for g, out in zip(gs, outputs, strict=True))

    return slope(scalar, program.inputs, directions)


def dot(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def assert_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-10) -> None:
    """Equal up to a tolerance relative to the largest element of all."""
    scale = max([1.0, *(float(np.max(np.abs(b), initial=0)) for b in expected)])
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@given(long_programs(), NAMESPACES)
def test_gradient_is_the_numeric_derivative(program: Program, ns):
    inputs = leaves(program)
    outputs = run(program, ns, inputs)
    assert_close([out._array for out in outputs], run(program, np, program.inputs))
    gs, directions = weights(outputs), weights(inputs, seed=1)
    found = gradients(outputs, inputs, gs)
    for x, g in zip(inputs, found, strict=True):
        assert g.shape == x._array.shape
    expected = numeric(program, gs, directions)
    assert dot(found, directions) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(programs(max_steps=12))
def test_gradient_is_that_of_the_naive_graph(program: Program):
    nodes = [Node(x) for x in program.inputs]
    *_, expected = [*nodes, *run(program, naive, nodes)]
    (g,) = weights([expected.value])
    expected.push(g)
    inputs = leaves(program)
    found = gradients([*inputs, *run(program, np, inputs)][-1:], inputs, [g])
    assert_close(found, [node.gradient for node in nodes])


@given(long_programs())
def test_gradient_is_that_of_pytorch(torch, program: Program):
    theirs = [torch.from_numpy(x.copy()).requires_grad_() for x in program.inputs]
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    gs = weights(outputs)
    assert_close(gradients(outputs, inputs, gs), torch_gradients(torch, program, theirs, gs))


def torch_gradients(torch, program, inputs, gs) -> list[np.ndarray]:
    outputs = run(program, torch, inputs)
    used = [(out, torch.from_numpy(g).to(out.dtype)) for out, g in zip(outputs, gs) if out.grad_fn]
    found = torch.autograd.grad(
        [out for out, _ in used], inputs, [g for _, g in used], allow_unused=True
    )
    return [np.zeros(x.shape) if g is None else g.numpy() for x, g in zip(inputs, found)]


@given(long_programs())
def test_second_order_is_the_numeric_derivative_of_the_first(program: Program):
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    gs, along, directions = weights(outputs), weights(inputs, seed=1), weights(inputs, seed=2)
    first = grad(outputs, inputs, [make(g) for g in gs], create_graph=True, materialize_grads=True)
    recorded = [(f, d) for f, d in zip(first, along, strict=True) if f._node is not None]
    second = gradients([f for f, _ in recorded], inputs, [d for _, d in recorded])

    def f(*moved):
        inputs = [make(x).requires_grad_() for x in moved]
        return dot(gradients(run(program, np, inputs), inputs, gs), along)

    expected = slope(f, program.inputs, directions)
    scale = max(1.0, *(float(np.max(np.abs(s))) for s in second))
    assert dot(second, directions) == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


@given(long_programs(WRITING))
def test_writing_in_place_gives_the_numeric_derivative_or_an_error(program: Program):
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    assert_close(
        [out._array for out in outputs], run(program, np, [x.copy() for x in program.inputs])
    )
    gs, directions = weights(outputs), weights(inputs, seed=1)
    try:
        found = gradients(outputs, inputs, gs)
    except RuntimeError as error:
        assert "modified by an in-place operation" in str(error)
        return
    expected = numeric(program, gs, directions)
    assert dot(found, directions) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(long_programs(WRITING))
def test_writing_in_place_works_wherever_it_does_with_pytorch(torch, program: Program):
    theirs = [torch.from_numpy(x.copy()).requires_grad_() for x in program.inputs]
    gs = weights(run(program, np, [x.copy() for x in program.inputs]))
    try:
        expected = torch_gradients(torch, program, theirs, gs)
    except RuntimeError:
        return
    inputs = leaves(program)
    assert_close(gradients(run(program, np, inputs), inputs, gs), expected)


POLYNOMIAL = sorted(
    OPERATIONS.keys() - {"sin", "cos", "tanh", "exp", "log", "sqrt", "divide", "mean", "matmul"}
)
"""Operations that amplify the rounding of float32 little."""


def of_any_dtype(shape: Shape) -> st.SearchStrategy[np.ndarray]:
    return st.sampled_from([np.float32, np.float64, np.int64]).flatmap(
        lambda dtype: arrays(shape, dtype)
    )


def floating(inputs: Sequence[Any]) -> list[int]:
    return [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]


@given(long_programs(POLYNOMIAL, of_any_dtype))
def test_gradients_of_mixed_dtypes_are_those_in_float64(program: Program):
    positions = floating(program.inputs)
    results = []
    for dtype in (None, np.float64):
        inputs = [make(x.astype(dtype or x.dtype)) for x in program.inputs]
        wanted = [inputs[i].requires_grad_() for i in positions]
        outputs = [out for out in run(program, np, inputs) if out._node is not None]
        if not outputs:
            return
        results.append(gradients(outputs, wanted, weights(outputs)))
    assert [g.dtype for g in results[0]] == [program.inputs[i].dtype for i in positions]
    assert_close(*results, tolerance=1e-4)


@given(long_programs(POLYNOMIAL, of_any_dtype))
def test_mixed_dtypes_promote_as_with_pytorch(torch, program: Program):
    theirs = [torch.from_numpy(x.copy()) for x in program.inputs]
    inputs = [make(x.copy()) for x in program.inputs]
    positions = floating(program.inputs)
    outputs, expected = (
        run(program, ns, [x.requires_grad_() if i in positions else x for i, x in enumerate(xs)])
        for ns, xs in ((np, inputs), (torch, theirs))
    )
    for a, b in zip(outputs, expected, strict=True):
        assert str(a.dtype).partition(".")[2] == str(b.dtype).partition(".")[2]
        np.testing.assert_allclose(a._array, b.detach().numpy(), rtol=1e-4, atol=1e-4)


@given(long_programs(), st.sampled_from([2.0, -0.5]))
def test_backward_is_linear(program: Program, factor: float):
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    a, b = weights(outputs), weights(outputs, seed=1)
    both = [x + factor * y for x, y in zip(a, b, strict=True)]
    found = gradients(outputs, inputs, both, retain_graph=True)
    of_a = gradients(outputs, inputs, a, retain_graph=True)
    of_b = gradients(outputs, inputs, b)
    assert_close(found, [x + factor * y for x, y in zip(of_a, of_b, strict=True)])


@given(long_programs())
def test_gradient_is_the_sum_over_the_uses_of_an_input(program: Program):
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    gs = weights(outputs)
    expected = gradients(outputs, inputs, gs)
    count = sum(i < len(inputs) for s in program.steps for i in s.operands)
    shift = count - len(inputs)
    uses, owners, steps = [], [], []
    for s in program.steps:
        operands = []
        for i in s.operands:
            if i < len(inputs):
                operands.append(len(uses))
                uses.append(program.inputs[i])
                owners.append(i)
            else:
                operands.append(i + shift)
        steps.append(replace(s, operands=tuple(operands)))
    apart = Program(tuple(uses), tuple(steps))
    copies = leaves(apart)
    found = gradients(run(apart, np, copies), copies, gs)
    sums = [np.zeros_like(x) for x in program.inputs]
    for owner, g in zip(owners, found, strict=True):
        sums[owner] = sums[owner] + g
    assert_close(sums, expected)


@given(long_programs())
def test_backward_adds_up_over_outputs_and_calls(program: Program):
    together, apart = leaves(program), leaves(program)
    outputs = run(program, np, together)
    gs = [make(g) for g in weights(outputs)]
    backward(outputs, gs)
    for out, g in zip(run(program, np, apart), gs, strict=True):
        out.backward(g, retain_graph=True)
    for x, y in zip(together, apart, strict=True):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            assert_close([x.grad._array], [y.grad._array])


@given(long_programs(), st.randoms(use_true_random=False))
def test_order_of_recording_makes_no_difference(program: Program, random):
    inputs = leaves(program)
    outputs = run(program, np, inputs)
    gs = weights(outputs)
    expected = gradients(outputs, inputs, gs)
    values: dict[int, Any] = dict(enumerate(leaves(program)))
    leaf = list(values.values())
    first = len(values)
    waiting = dict(enumerate(program.steps, first))
    while waiting:
        ready = [i for i, s in waiting.items() if all(o in values for o in s.operands)]
        i = random.choice(ready)
        s = waiting.pop(i)
        values[i] = step(np, s.operation, [values[o] for o in s.operands], s.parameters)
    last = [values[i] for i in sorted(values)[first:][-OUTPUTS:]]
    assert_close(gradients(last, leaf, gs), expected)
