"""Random programs, compiled: values, gradients, what they write, and several calls at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import autodiff
from autodiff import autograd
from autodiff.tensor import Tensor, make
from autodiff.testing.strategies import LAYOUTS, Shape, arrays
from tests.autodiff import test_random_writes
from tests.autodiff.test_random_programs import (
    POLYNOMIAL,
    WRITING,
    long_programs,
    of_any_dtype,
    step,
    weights,
)
from tests.strategies import Program

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*runs eagerly"),
]
fewer = settings(max_examples=max(settings().max_examples // 2, 1))

SEEDS = (0, 1, 2)
"""The first is of the inputs a function is recorded with."""


def contiguous(shape: Shape) -> st.SearchStrategy[np.ndarray]:
    return arrays(shape, layouts=("C",))


some_layouts = st.lists(st.sampled_from(sorted(LAYOUTS)), min_size=3, max_size=3)


def inputs_of(program: Program, seed: int, layouts: Sequence[str] = ("C",) * 3) -> list[np.ndarray]:
    """The inputs, others near to them, which stay off kinks, and others far from them."""
    rng = np.random.default_rng(seed)
    found = []
    for x, layout in zip(program.inputs, layouts):
        if seed == 2:
            x = np.roll(x.reshape(-1), 1).reshape(x.shape)
        if seed and x.dtype.kind == "f":
            x = (x + rng.uniform(-0.02, 0.02, x.shape)).astype(x.dtype)
        found.append(LAYOUTS[layout](np.array(x)))
    return found


def tensors_of(arrays: Sequence[np.ndarray], require: bool = True) -> list[Tensor]:
    made = [make(x) for x in arrays]
    return [t.requires_grad_() if require and t.is_floating_point() else t for t in made]


def run(program: Program, ns: Any, inputs: Sequence[Any], count: int = 3) -> list:
    """The last few values of a program, its inputs among them."""
    values = list(inputs)
    for s in program.steps:
        values.append(step(ns, s.operation, [values[i] for i in s.operands], s.parameters))
    return values[-count:]


def differentiated(outputs: Sequence[Tensor], inputs: Sequence[Tensor], order: int = 1) -> list:
    """The outputs, and derivatives by the inputs of weighted sums of them."""
    roots = [out for out in outputs if out.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    if not order or not roots:
        return [out.detach() for out in outputs]
    gs = [make(g) for g in weights(roots)]
    first = autograd.grad(
        roots, wanted, gs, create_graph=order > 1, allow_unused=True, materialize_grads=True
    )
    return [out.detach() for out in outputs] + differentiated(first, wanted, order - 1)


def outcome(function: Callable, *arguments: Any) -> Any:
    """The result, or the type of the error."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error)


def assert_alike(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Both are the same error, or tensors equal to a tolerance relative to the largest element."""
    if isinstance(expected, type):
        assert found is expected or issubclass(found, expected)
        return
    assert not isinstance(found, type), found
    assert len(found) == len(expected)
    sizes = [np.abs(b._array[np.isfinite(b._array)]).max(initial=1.0) for b in expected]
    for a, b in zip(found, expected):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a._array, b._array, rtol=0, atol=tolerance * float(max(sizes)))


ORDERS = st.sampled_from([1, 1, 2])
NAMESPACES = st.sampled_from([np, autodiff])


@fewer
@given(long_programs(elements=contiguous), NAMESPACES, some_layouts, ORDERS)
def test_values_and_gradients_computed_inside(program, ns, layouts, order):
    def function(*inputs):
        return differentiated(run(program, ns, inputs), inputs, order)

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in SEEDS:
        arrays = inputs_of(program, seed, layouts)
        assert_alike(compiled(*tensors_of(arrays)), function(*tensors_of(arrays)))


@fewer
@given(long_programs(elements=contiguous), some_layouts, st.booleans())
def test_gradients_taken_outside_of_several_calls_in_any_order(program, layouts, reverse):
    def function(*inputs):
        return run(program, autodiff, inputs)

    def gradients(function):
        calls = [tensors_of(inputs_of(program, seed, layouts)) for seed in SEEDS]
        results = [function(*inputs) for inputs in calls]
        pairs = list(zip(results, calls, strict=True))
        return [
            differentiated(outputs, inputs) for outputs, inputs in pairs[:: -1 if reverse else 1]
        ]

    compiled = autodiff.compile(function, fullgraph=True)
    for _ in range(2):
        for found, expected in zip(gradients(compiled), gradients(function), strict=True):
            assert_alike(found, expected)


@fewer
@given(long_programs(WRITING, contiguous), st.booleans())
def test_programs_that_write_into_what_they_computed(program, inside):
    def function(*inputs):
        outputs = run(program, np, inputs)
        return differentiated(outputs, inputs) if inside else outputs

    def complete(function, inputs):
        outputs = function(*inputs)
        return outputs if inside else differentiated(outputs, inputs)

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in SEEDS:
        mine, other = (tensors_of(inputs_of(program, seed)) for _ in range(2))
        assert_alike(outcome(complete, compiled, mine), outcome(complete, function, other))


@fewer
@given(long_programs(POLYNOMIAL, of_any_dtype), some_layouts, ORDERS)
def test_programs_of_mixed_dtypes(program, layouts, order):
    def function(*inputs):
        return differentiated(run(program, np, inputs), inputs, order)

    compiled = autodiff.compile(function, fullgraph=True)
    for seed in (0, 2):
        arrays = inputs_of(program, seed, layouts)
        assert_alike(compiled(*tensors_of(arrays)), function(*tensors_of(arrays)), 1e-4)


@fewer
@given(
    long_programs(elements=lambda shape: contiguous((2, 3))),
    st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=3, max_size=6),
    st.booleans(),
)
def test_tensors_given_more_than_once(program, calls, inside):
    def function(inputs, more):
        outputs = run(program, autodiff, [*inputs, *more.values()])
        return {"inside": differentiated(outputs, inputs)} if inside else {"outputs": outputs}

    def complete(function, call):
        drawn = [x for seed in (0, 2) for x in inputs_of(program, seed)]
        pool = tensors_of(drawn[:4])
        x, y, z = (pool[i] for i in call)
        found = function((x, y), {"z": z})
        return found["inside"] if inside else differentiated(found["outputs"], pool)

    compiled = autodiff.compile(function, fullgraph=True)
    for call in calls:
        assert_alike(complete(compiled, call), complete(function, call))


@fewer
@given(long_programs(elements=contiguous), st.sampled_from(["none", "zero", "add"]))
def test_training_of_tensors_from_outside(program, clear):
    def trained(make_step):
        w, *parameters = tensors_of(inputs_of(program, 0))

        def step(x):
            outputs = run(program, autodiff, [w * x, *parameters])
            roots = [out for out in outputs if out.requires_grad]
            autograd.backward(roots, [make(g) for g in weights(roots)])
            for p in (w, *parameters):
                if p.grad is not None:
                    with autodiff.no_grad():
                        p -= p.grad * 1e-3
                        p *= 0.999
                    if clear == "zero":
                        p.grad.zero_()
                    elif clear == "none":
                        p.grad = None
            return [out.detach().clone() for out in outputs]

        taken = make_step(step)
        results = []
        for seed in range(4):
            results += taken(make(np.random.default_rng(seed).uniform(0.9, 1.1, w.shape)))
        gradients = [p.grad for p in (w, *parameters) if p.grad is not None]
        return [*results, w, *parameters, *gradients]

    found = trained(lambda step: autodiff.compile(step, fullgraph=True))
    assert_alike(found, trained(lambda step: step))


MODES = [autodiff.enable_grad, autodiff.no_grad, autodiff.inference_mode]


@fewer
@pytest.mark.filterwarnings("ignore:.*cannot be differentiated")  # and therefore runs eagerly
@given(long_programs(WRITING, contiguous), st.lists(st.sampled_from(MODES), max_size=5))
def test_grad_modes_are_followed_from_call_to_call(program, modes):
    def function(*inputs):
        return run(program, np, inputs)

    compiled = autodiff.compile(function)
    for seed, mode in enumerate([*modes, autodiff.enable_grad]):
        results = []
        for f in (compiled, function):
            with mode():
                results.append(f(*tensors_of(inputs_of(program, seed % 3))))
        assert_alike(*results)
        assert [x.requires_grad for x in results[0]] == [x.requires_grad for x in results[1]]


# Programs that write to their arguments, and show memory in many ways


def start_of(seed: int) -> list[Tensor]:
    """Two leaves, and two tensors that may be written."""
    rng = np.random.default_rng(seed)
    leaves = [make(rng.uniform(-1, 1, shape)).requires_grad_() for shape in ((2, 3), (3,))]
    return leaves + [make(rng.uniform(-1, 1, shape)) for shape in ((2, 3), (3,))]


def taken(steps: Sequence, arguments: Sequence[Tensor]) -> list[Tensor]:
    """All tensors of a program: the last two arguments, and what the steps make of them."""
    tensors = [*arguments[2:], arguments[0] * 1, arguments[1] * 1]
    for s in steps:
        test_random_writes.take(autodiff, tensors, s)
    return tensors


def possible(steps: Sequence) -> list:
    """The steps, less those that would raise an error or give large numbers."""
    kept: list = []
    for s in steps:
        try:
            tensors = taken([*kept, s], start_of(0))
        except test_random_writes.ERRORS:
            continue
        if all(np.abs(t._array).max(initial=0) < 100 for t in tensors):
            kept.append(s)
    return kept


KINDS = [kind for kind in test_random_writes.KINDS if kind not in ("single", "masked_scatter_")]
"""Steps in double precision, which leaves no room for rounding in another order, and of which the
values do not decide whether they are refused."""

RECORDED = (
    test_random_writes.STEPS.keys()
    - {"mask", "set mask", "set list"}  # the values decide on shapes or places
    - {"diagonal", "upper diagonal", "windows", "overlapping windows"}  # may not be written
    - test_random_writes.SHAPES_IN_PLACE.keys()  # may not be of an argument
)
"""Steps that never make a step run eagerly."""

programs_of_writes = st.lists(test_random_writes.steps(kinds=KINDS), min_size=2, max_size=14).map(
    possible
)
positions = st.lists(st.integers(0, 20), min_size=1, max_size=4)


def chosen(tensors: Sequence[Tensor], positions: Sequence[int]) -> list[Tensor]:
    return [tensors[i % len(tensors)] for i in positions]


AT_AN_ARRAY = [
    ("column", 1, 1, False),
    ("plus", 1, 1, False),
    ("sin_", 2, 1, False),
]
"""The gradient is read at an index that is an array."""

READ_AFTER_A_WRITE = [("row", 1, 1, False), ("sin_", 2, 1, False), ("list", 2, 1, False)]
"""What was written is read first by an operation that is recorded as a whole."""


@example(AT_AN_ARRAY, [9], False)
@example(READ_AFTER_A_WRITE, [4, 5], False)
@given(programs_of_writes, positions, st.booleans())
def test_programs_that_write_to_their_arguments(steps, positions, inside):
    def function(*arguments):
        outputs = chosen(taken(steps, arguments), positions)
        return outputs + (differentiated(outputs, arguments[:2]) if inside else [])

    def complete(function, arguments):
        outputs = function(*arguments)
        same = [[a is b for b in (*outputs, *arguments)] for a in outputs]
        return same, outputs + ([] if inside else differentiated(outputs, arguments[:2]))

    recorded = all(kind in RECORDED for kind, *_ in steps)
    outcome(function, *(tried := start_of(0)))
    on_tape = any(t.requires_grad for t in tried[2:])
    compiled = autodiff.compile(function, fullgraph=recorded and not on_tape)
    for seed in SEEDS:
        mine, other = start_of(seed), start_of(seed)
        found, expected = outcome(complete, compiled, mine), outcome(complete, function, other)
        if isinstance(expected, tuple) and isinstance(found, tuple):
            assert found[0] == expected[0]
            found, expected = found[1], expected[1]
        assert_alike(found, expected)
        assert_alike(mine, other)
        for a, b in zip(mine, other, strict=True):
            assert (a._version > 0) == (b._version > 0)
