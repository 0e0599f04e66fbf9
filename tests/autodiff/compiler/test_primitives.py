"""Every registered operation, compiled: on other values than it was recorded with it is eager's."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import autograd
from autodiff.compiler import CannotRecordError
from autodiff.primitive import Primitive
from autodiff.tensor import Tensor, apply, make
from autodiff.testing.strategies import LAYOUTS
from tests.autodiff.samples import Drawn, Sample
from tests.autodiff.test_primitives import CASES, ELEMENTWISE, active, prepared, weights

TOLERANCES = {8: 1e-10, 4: 2e-5, 2: 1e-2}
"""Of floats, by their bytes, relative to the largest element."""


def assert_same(found: Any, expected: Any) -> None:
    """Both have the same form, and tensors or arrays that are equal to rounding."""
    assert type(found) is type(expected)
    if isinstance(expected, (list, tuple)):
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
        return
    if not isinstance(expected, (Tensor, np.ndarray)):
        assert found == expected
        return
    a, b = (x._array if isinstance(x, Tensor) else x for x in (found, expected))
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(a, b)
        return
    scale = np.max(np.abs(b[np.isfinite(b)]), initial=1e-3)
    tolerance = TOLERANCES[b.dtype.itemsize]
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def arrays_of(sample: Sample, seed: int, dtype: Any = np.float64) -> list[np.ndarray]:
    """Arguments that differ from seed to seed in every element they can."""
    return [
        a if isinstance(given, Drawn) else _moved(a, seed)
        for a, given in zip(sample.arrays(dtype, seed), sample.arguments, strict=True)
    ]


def _moved(a: np.ndarray, seed: int) -> np.ndarray:
    """The elements of a constant argument, which may be indices or a mask, in another order."""
    if a.ndim:
        return np.roll(a.reshape(-1), seed).reshape(a.shape)
    return np.asarray(a + a.dtype.type(seed / 4)) if a.dtype.kind == "f" else a


def value(out: Any, g: Tensor, inputs: list[Tensor]) -> Any:
    return out


def first_order(out: Tensor, g: Tensor, inputs: list[Tensor]) -> Any:
    return out.detach(), autograd.grad(out, inputs, g)


def second_order(out: Tensor, g: Tensor, inputs: list[Tensor]) -> Any:
    first = autograd.grad(out, inputs, g, create_graph=True)
    recorded = [x for x in first if x.requires_grad]
    if not recorded:
        return first
    total = sum((x * x.detach().cos()).sum() for x in recorded)
    return first, autograd.grad(total, [*inputs, g], allow_unused=True)


MODES = {
    "value": (value, value),
    "first order inside": (first_order, value),
    "second order inside": (second_order, value),
    "first order outside": (value, first_order),
    "second order outside": (value, second_order),
}
"""What is made of an operation's result in the function that is compiled, and what after it."""


class Case:
    """An operation as a function that can be compiled, and how it is called and compared."""

    def __init__(self, primitive: Primitive, sample: Sample, mode: str) -> None:
        self.primitive, self.sample = primitive, sample
        self.positions = active(primitive, sample) if mode != "value" else []
        self.inside, self.after = MODES[mode]

    def function(self, g: Tensor, *tensors: Tensor) -> Any:
        out = apply(self.primitive, tensors, self.sample.parameters)
        return self.inside(out, g, [tensors[i] for i in self.positions])

    def compiled(self, **options: Any) -> Callable:
        return autodiff.compile(lambda *tensors: self.function(*tensors), **options)

    def called(self, function: Callable, arrays: Sequence[np.ndarray], computed: bool) -> Any:
        """The results; the arrays must be as they were."""
        before = [a.copy() for a in arrays]
        tensors = [make(a) for a in arrays]
        for i in self.positions:
            tensors[i].requires_grad_()
        inputs = [t * 1 if computed and t.requires_grad else t for t in tensors]
        g = make(self.weights(arrays))
        if self.positions:
            g.requires_grad_()
        results = self.after(function(g, *inputs), g, [tensors[i] for i in self.positions])
        for a, b in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, b)
        return results

    def weights(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        out = apply(self.primitive, [make(a) for a in arrays], self.sample.parameters)._array
        return weights(out) if out.dtype.kind == "f" else np.zeros(())

    def check(
        self, compiled: Callable, calls: Sequence[Sequence[np.ndarray]], computed: bool = False
    ) -> None:
        """Each call gives what the function gives, also after the others."""
        expected = [self.called(self.function, arrays, computed) for arrays in calls]
        found = [self.called(compiled, arrays, computed) for arrays in calls]
        assert_same(found, expected)


FIXED = [
    case
    for case in CASES
    if case.values[0].family != "random" and not case.values[0].varying(*prepared(*case.values))
]
VARYING = [
    case
    for case in CASES
    if case.values[0].family != "random" and case.values[0].varying(*prepared(*case.values))
]
CHANCE = [case for case in CASES if case.values[0].family == "random"]

NARROW = [(mode, "float32") for mode in ("value", "second order inside", "first order outside")]

each_fixed_case = pytest.mark.parametrize(("primitive", "sample"), FIXED)


@pytest.mark.parametrize(
    ("mode", "dtype"), [*[(mode, "float64") for mode in MODES], *NARROW], ids=str
)
@each_fixed_case
def test_compiled_is_eager_on_other_values(primitive, sample, mode, dtype):
    case = Case(primitive, sample, mode)
    if mode == "value" or case.positions:
        calls = [arrays_of(sample, seed, dtype) for seed in (0, 1, 2)]
        case.check(case.compiled(fullgraph=True), calls)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("C", "broadcast")])
@each_fixed_case
def test_memory_layout_makes_no_difference(primitive, sample, layout):
    case = Case(primitive, sample, "first order inside")
    if not case.positions:
        case = Case(primitive, sample, "value")
    calls = [[LAYOUTS[layout](a) for a in arrays_of(sample, seed)] for seed in (0, 1)]
    case.check(case.compiled(fullgraph=True), calls)


@each_fixed_case
def test_computed_arguments_are_differentiated_through(primitive, sample):
    case = Case(primitive, sample, "first order outside")
    if case.positions:
        calls = [arrays_of(sample, seed) for seed in (0, 1)]
        case.check(case.compiled(fullgraph=True), calls, computed=True)


SHAPES = [[(), (), ()], [(0, 3), (3,), ()], [(2, 1), (3,), (1, 1, 1)], [(), (2, 3), (2, 1)]]
"""Of the arguments of elementwise operations, of which there are up to three."""


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize(("primitive", "sample"), ELEMENTWISE)
def test_elementwise_operations_broadcast(primitive, sample, shapes):
    sample = sample.of_shapes(shapes[: len(sample.arguments)])
    for mode in ("value", "second order inside", "first order outside"):
        case = Case(primitive, sample, mode)
        if mode == "value" or case.positions:
            calls = [arrays_of(sample, seed) for seed in (0, 1)]
            case.check(case.compiled(fullgraph=True), calls)


@pytest.mark.parametrize(("primitive", "sample"), VARYING)
def test_results_whose_shape_depends_on_values_are_computed_eagerly_with_one_warning(
    primitive, sample
):
    for mode in MODES:
        case = Case(primitive, sample, mode)
        if mode != "value" and not case.positions:
            continue
        calls = [arrays_of(sample, seed) for seed in (0, 1, 2)]
        with pytest.raises(CannotRecordError, match=f"{primitive.name} gives depends on values"):
            case.called(case.compiled(fullgraph=True), calls[0], computed=False)
        compiled = case.compiled()
        with pytest.warns(UserWarning, match="runs eagerly") as caught:
            case.check(compiled, calls)
        assert len(caught) == 1


@pytest.mark.parametrize(("primitive", "sample"), CHANCE)
def test_random_operations_draw_the_numbers_that_eager_would(primitive, sample):
    mine, other = np.random.default_rng(1), np.random.default_rng(1)
    parameters = {k: v for k, v in sample.parameters.items() if k != "generator"}
    assert len(parameters) < len(sample.parameters)

    def draw(generator, tensors):
        return apply(primitive, tensors, {**parameters, "generator": generator})

    compiled = autodiff.compile(lambda *tensors: draw(mine, tensors), fullgraph=True)
    for seed in (0, 1, 2):
        tensors = [make(a) for a in sample.arrays(seed=seed)]
        assert_same(compiled(*tensors), draw(other, tensors))
    for generator in (mine, other):
        generator.bit_generator.state = np.random.default_rng(7).bit_generator.state
    assert_same(compiled(*tensors), draw(other, tensors))
    assert mine.bit_generator.state == other.bit_generator.state


def test_every_operation_is_compiled_by_one_of_these_tests():
    tried = {case.values[0] for case in (*FIXED, *VARYING, *CHANCE)}
    assert tried == {case.values[0] for case in CASES}
    assert FIXED
    assert VARYING
    assert CHANCE
