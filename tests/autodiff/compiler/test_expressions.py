"""Every public function, compiled: arguments are read in each run, nothing of them is baked in."""

import copy
import re
import warnings
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import autograd
from autodiff.tensor import Tensor, make
from tests.autodiff.compiler.test_primitives import assert_same
from tests.autodiff.composed import (
    test_conversion,
    test_creation,
    test_elementwise,
    test_linalg,
    test_random,
    test_selection,
    test_shape,
    test_special,
)
from tests.autodiff.composed.expressions import CONSTANTS, SHAPES, flat, listed

SEEDS = (0, 1, 2)
"""The function is recorded with the arguments of the first, and called with those of all."""

EXPRESSIONS = list(
    dict.fromkeys(
        [
            *listed(
                *(getattr(test_shape, name) for name in "SAME_ORDER AXES REPEATED JOINED".split()),
                *(getattr(test_shape, name) for name in "PARTED MOVED COPIES".split()),
                *(getattr(test_selection, name) for name in "IN_PLACE ALONG SELECTED".split()),
                *(getattr(test_selection, name) for name in "SORTED FOUND TRIANGLES".split()),
                test_selection.PARTLY_USED,
                test_linalg.PRODUCTS,
                test_linalg.EINSUM,
            ),
            *test_special.EXPRESSIONS,
        ]
    )
)


def result_alone(result: Any, arguments: Sequence[Any]) -> Any:
    return result


def outcome(function: Callable, arguments: Sequence[Any], then: Callable) -> Any:
    """What `then` makes of the result, or the type of the error; and the arguments after it."""
    try:
        result = then(function(*arguments), arguments)
    except Exception as error:
        result = type(error).__name__
    return result, [x.detach() if isinstance(x, Tensor) else x for x in arguments]


def compared(
    function: Callable,
    arguments: Callable[[int], Sequence[Any]],
    then: Callable = result_alone,
) -> list[str]:
    """Check that the compiled function does what eager does; why it ran eagerly if it did."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("always", UserWarning)
        expected = [outcome(function, arguments(seed), then) for seed in SEEDS]
        caught.clear()
        compiled = autodiff.compile(function)
        found = [outcome(compiled, arguments(seed), then) for seed in SEEDS]
    assert_same(found, expected)
    return [str(warning.message) for warning in caught]


GIVEN = {**CONSTANTS, "ties": np.array([[2.0, 1.0, 2.0], [0.0, 0.0, 1.0]])}
"""Arrays of which another seed has the elements in another order."""


class Expression:
    """The text of an expression, with the tensors it uses as arguments."""

    def __init__(self, text: str) -> None:
        self.text = text
        words = set(re.findall(r"\w+", text))
        self.names = [name for name in (*SHAPES, *GIVEN) if name in words]

    def arguments(self, seed: int) -> list[Tensor]:
        """Tensors of other values for each seed; leaves, if they are of float64."""
        made = []
        for i, name in enumerate(self.names):
            if name in SHAPES:
                array = np.random.default_rng([seed, i]).standard_normal(SHAPES[name])
            else:
                array = np.roll(GIVEN[name].reshape(-1), seed).reshape(GIVEN[name].shape)
            tensor = autodiff.tensor(array)
            made.append(tensor.requires_grad_() if name in SHAPES or name == "ties" else tensor)
        return made

    def __call__(self, *tensors: Tensor) -> list[Any]:
        names = {"L": autodiff, "T": lambda data: autodiff.tensor(np.asarray(data)), "np": np}
        return flat(eval(self.text, {**names, **dict(zip(self.names, tensors, strict=True))}))


def leaves_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t for t in tensors if t.requires_grad]


def weighted(results: Sequence[Any], power: int) -> Any:
    """A sum to which each element of those results that require grad adds otherwise."""
    rng = np.random.default_rng(3)
    terms = [r for r in results if isinstance(r, Tensor) and r.requires_grad]
    return sum(
        (t**power * autodiff.tensor(rng.uniform(0.5, 1.5, tuple(t.shape)), dtype=t.dtype)).sum()
        for t in terms
    )


def off_tape(results: Sequence[Any]) -> list[Any]:
    return [r.detach() if isinstance(r, Tensor) else r for r in results]


def differentiated(results: Sequence[Any], leaves: Sequence[Tensor], order: int = 2) -> list[Any]:
    """The results, off the tape, and derivatives up to an order by the leaves."""
    total = weighted(results, 2)
    if not order or not isinstance(total, Tensor):
        return off_tape(results)
    first = autograd.grad(total, leaves, create_graph=order > 1, allow_unused=True)
    return off_tape(results) + differentiated(first, leaves, order - 1)


READS_VALUES = (
    *("nonzero", "argwhere", "unique", "bincount", "masked_select", "where(mask)"),
    *("repeat_interleave(T", "repeat_interleave(x,T", "index_put((mask,)"),
    *("tensor_split(T", "narrow(1,T", "select(z,1,T"),
)
"""In expressions whose results' shapes, or what else is decided by Python, depend on values."""


def check_refusals(call: str, reasons: Sequence[str]) -> None:
    """A function runs eagerly only if it reads values, and then warns once."""
    assert len(reasons) <= 1
    expected = any(text in call for text in READS_VALUES)
    assert expected or not reasons, reasons[0]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_differentiated_inside_and_outside(expression):
    evaluate = Expression(expression)

    def inside(*tensors):
        return differentiated(evaluate(*tensors), leaves_of(tensors))

    def outside(results, tensors):
        required = [isinstance(r, Tensor) and r.requires_grad for r in results]
        return required, differentiated(results, leaves_of(tensors), order=1)

    check_refusals(expression, compared(inside, evaluate.arguments))
    check_refusals(expression, compared(lambda *x: evaluate(*x), evaluate.arguments, outside))


ANY_INPUT = """
sum(x)  sum(x, 0)  sum(x, (0, -1))  sum(x, [-1], True)  sum(x, None, True)  sum(x, ())
sum(x, 0, dtype=float64)  sum(x, axis=0, keepdims=True)  sum(input=x, dim=0)  x.sum(-1)
nansum(x)  nansum(x, 0, True)  prod(x)  prod(x, 0)  prod(x, -1, True)  prod(x, dtype=float64)
cumsum(x, 0)  cumsum(x, -1, dtype=float64)  cumprod(x, 0)  cumprod(x, -1)
count_nonzero(x)  count_nonzero(x, 0)  count_nonzero(x, dim=(0, -1))
any(x)  any(x, 0)  any(x, (0, -1), True)  any(x, ())  all(x)  all(x, -1, True)  all(x, dim=[0])
max(x)  max(x, 0)  max(x, -1, True)  max(x, x)  max(x, other=x)  min(x)  min(x, dim=0)  x.min(-1)
amax(x)  amax(x, 0)  amax(x, (0, -1), True)  amin(x, [0])  x.amin(-1, keepdim=True)
aminmax(x)  aminmax(x, dim=0)  aminmax(x, dim=-1, keepdim=True)  aminmax(x, keepdim=True)
cummax(x, 0)  cummax(x, -1)  cummin(x, 0)  cummin(x, dim=-1)  logsumexp(x, 0)
logsumexp(x, (0, -1), keepdim=True)  softmax(x, 0, dtype=float64)  log_softmax(x, -1, float64)
diff(x)  diff(x, 2)  diff(x, dim=0)  diff(x, 0)  diff(x, 9)  diff(x, prepend=x, append=x)
mean(x, dtype=float64)  mean(x, 0, True, dtype=float64)
"""
NUMBERS = """
argmax(x)  argmax(x, 0)  argmax(x, -1, True)  argmax(x, keepdim=True)  argmin(x)  argmin(x, dim=0)
median(x)  median(x, -1, True).values  nanmedian(x)  nanmedian(x, 0).values
"""
FLOATS = """
mean(x)  mean(x, 0)  mean(x, (0, -1), True)  x.mean(dim=-1)  nanmean(x)  nanmean(x, -1, True)
var(x)  var(x, 0)  var(x, False)  var(x, 0, False, True)  var(x, (0, -1), correction=0)
var(x, correction=0.5, keepdim=True)  var(x, dim=0, unbiased=False)  std(x)  std(x, -1)
std(x, True)  std(x, [0], keepdim=True)  var_mean(x)  var_mean(x, 0, keepdim=True)
std_mean(x, False)  std_mean(x, -1, correction=0)
norm(x)  norm(x, 2, 0)  norm(x, 'fro', (0, -1), True)  norm(x, 1)  norm(x, 3, -1)  norm(x, 0.5)
norm(x, 0, 0)  norm(x, inf)  norm(x, -inf)  norm(x, p=1.5, dim=0, keepdim=True)  norm(x, -1)
norm(x, None)  norm(x, dtype=float64)  softmax(x, 0)  softmax(x, -1)  log_softmax(x, 0)
quantile(x, 0.3)  quantile(x, 1, 0)  quantile(x, q=0.5, dim=-1, keepdim=True)
quantile(x, tensor([0.0, 0.4, 1.0], dtype=x.dtype), 0)  quantile(x, 0.6, interpolation='lower')
quantile(x, 0.6, interpolation='higher')  quantile(x, 0.6, -1, interpolation='nearest')
quantile(x, 0.6, 0, True, interpolation='midpoint')  quantile(x, tensor(0.5, dtype=x.dtype))
"""
KINKED = """
norm(x)  norm(x, 1)  norm(x, 3)  norm(x, 0.5)  norm(x, -1)  norm(x, inf)  norm(x, -inf)
norm(x, 2, 0)  norm(x, 1.5, -1, True)  std(x, 0)  amax(x, 0)  max(x)  min(x, 0)  median(x)
median(x, 0)  nanmedian(x)  cummax(x, -1)  amin(x, (0, 1), True)  aminmax(x)
"""


def calls(text: str) -> list[str]:
    return [call for line in text.splitlines() for call in line.split("  ") if call]


def evaluate(ns, call: str, **tensors: Any) -> Any:
    function = call if call.startswith("x.") else f"ns.{call}"
    names = {"float64": ns.float64, "int64": ns.int64, "tensor": ns.tensor, "inf": inf}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both warn of empty means and degrees of freedom
        return eval(function, {"ns": ns, **names, **tensors})


REDUCTIONS = calls(ANY_INPUT + NUMBERS + FLOATS)


def reduced(call: str, differentiate: bool = False) -> Callable:
    """A function of a tensor x that gives what a call gives, and derivatives."""

    def function(x):
        results = flat(evaluate(autodiff, call, x=x))
        return differentiated(results, [x]) if differentiate else results

    return function


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
@pytest.mark.parametrize("call", REDUCTIONS)
def test_reductions_of_every_dtype(call, kind):
    def arguments(seed):
        low = 0 if kind == "bool" else -3
        return [make(np.random.default_rng(seed).integers(low, 4, (3, 4)).astype(kind))]

    check_refusals(call, compared(reduced(call), arguments))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("call", REDUCTIONS)
def test_reductions_of_every_shape_and_their_derivatives(call, shape):
    def arguments(seed):
        size = int(np.prod(shape))
        values = np.random.default_rng(seed).permutation(size).reshape(shape) / 4 - 1.1
        return [make(np.asarray(values)).requires_grad_()]

    check_refusals(call, compared(reduced(call, differentiate=True), arguments))


@pytest.mark.parametrize("call", calls(KINKED))
def test_reductions_at_zeros_and_ties(call):
    def arguments(seed):
        values = np.random.default_rng(seed).integers(-1, 2, (3, 4)).astype(float)
        return [make(values).requires_grad_()]

    check_refusals(call, compared(reduced(call, differentiate=True), arguments))


UNARY = """
abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad exp exp2 expm1 floor frac isfinite
isinf isnan isneginf isposinf log log10 log1p log2 logical_not logit nan_to_num neg positive
rad2deg reciprocal relu round rsqrt sigmoid sign signbit sin sinh sqrt square tan tanh trunc
"""
BINARY = """
add atan2 div eq float_power floor_divide fmax fmin fmod ge gt le logaddexp logical_and logical_or
logical_xor lt maximum minimum mul ne pow remainder rsub sub bitwise_and bitwise_or bitwise_xor
bitwise_left_shift bitwise_right_shift
"""
SHAPES_OF_TWO = [((3,), (3,)), ((2, 1), (1, 3)), ((3,), ()), ((), ()), ((0, 3), (3,))]


def numbers(dtype: str, shape: tuple[int, ...], seed: int) -> Tensor:
    return autodiff.tensor(test_elementwise.values(dtype, shape, np.random.default_rng(seed)))


def each(call: Callable, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
    """`call` on tensors of these dtypes and shapes, and derivatives by those of floats."""

    def function(*tensors):
        floats = [t for t in tensors if t.is_floating_point()]
        return differentiated(flat(call(*tensors)), floats) if floats else call(*tensors)

    def arguments(seed):
        made = [numbers(d, s, 10 * seed + i) for i, (d, s) in enumerate(zip(dtypes, shapes))]
        return [t.requires_grad_() if t.is_floating_point() else t for t in made]

    check_refusals("", compared(function, arguments))


@pytest.mark.parametrize("dtype", test_elementwise.DTYPES)
@pytest.mark.parametrize("name", UNARY.split())
def test_functions_of_one_tensor(name, dtype):
    for shape in (3, 2), ():
        each(getattr(autodiff, name), [dtype], [shape])


PAIRS = [
    *[(dtype, dtype) for dtype in test_elementwise.DTYPES],
    *[("float32", "float64"), ("int64", "float32"), ("float64", "bool"), ("uint8", "int64")],
]


@pytest.mark.parametrize("dtypes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY.split())
def test_functions_of_two_tensors(name, dtypes):
    for shapes in SHAPES_OF_TWO[:2] if dtypes != PAIRS[0] else SHAPES_OF_TWO:
        each(getattr(autodiff, name), dtypes, shapes)


@pytest.mark.parametrize("number", [2, 2.5, -1, True, 0.0, 1])
@pytest.mark.parametrize("name", BINARY.split())
def test_functions_of_a_tensor_and_a_number(name, number):
    function = getattr(autodiff, name)
    for dtype in ("float32", "int64"):
        each(lambda x: function(x, number), [dtype], [(3, 2)])
        each(lambda x: function(number, x), [dtype], [(3, 2)])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", test_elementwise.CALLS)
def test_functions_with_options(name, dtype):
    call = test_elementwise.CALLS[name]
    each(lambda x, y: call(autodiff, x, y), [dtype] * 2, [(6,)] * 2)


@pytest.mark.parametrize("name", test_elementwise.INTEGERS)
def test_functions_of_integers(name):
    call = test_elementwise.INTEGERS[name]
    each(lambda x, y: call(autodiff, x, y), ["int64"] * 2, [(6,)] * 2)


@pytest.mark.parametrize("expression", test_conversion.SAME)
def test_conversions(expression):
    def function(x, i):
        names = {"t": autodiff, "np": np, "x": x, "i": i}
        return eval(expression, names)

    def arguments(seed):
        return [autodiff.arange(6.0).reshape(2, 3) + seed, autodiff.arange(3) + seed]

    reasons = compared(function, arguments)
    if not reasons or "is not made of tensors" not in reasons[0]:  # but of dtypes
        check_refusals(expression, reasons)


@pytest.mark.parametrize("expression", test_creation.SAME)
def test_created_tensors_are_new_in_each_run(expression):
    def function():
        return eval(expression, {"t": autodiff, "np": np})

    compiled = autodiff.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of those that read values
        for _ in range(3):
            result = compiled()
            assert_same(result, function())
            if isinstance(result, Tensor):
                result.detach().fill_(1)


@pytest.mark.parametrize("name", test_random.DRAWS)
def test_draws_are_those_of_eager(name):
    draw = test_random.DRAWS[name]
    mine, other = autodiff.Generator(), autodiff.Generator()
    compiled = autodiff.compile(lambda: (draw(), draw(mine)), fullgraph=True)
    for seed in (3, 4):
        mine.manual_seed(seed)
        other.manual_seed(seed)
        autodiff.manual_seed(seed)
        found = [compiled() for _ in range(3)]
        autodiff.manual_seed(seed)
        assert_same(found, [(draw(), draw(other)) for _ in range(3)])


OF_ARRAYS: dict[str, Callable] = {
    "from_numpy": lambda a, x: autodiff.from_numpy(a) * 2,
    "tensor": lambda a, x: autodiff.tensor(a) + x,
    "tensor of a dtype": lambda a, x: autodiff.tensor(a, dtype=autodiff.float32) + x,
    "as_tensor of a dtype": lambda a, x: autodiff.as_tensor(a, dtype=autodiff.float32) + x,
    "asarray": lambda a, x: autodiff.asarray(a, copy=True) + x,
    "new_tensor": lambda a, x: x.new_tensor(a),
    "a list of arrays": lambda a, x: autodiff.tensor([a, a]),
    "a list of elements": lambda a, x: autodiff.tensor([a[0], a[1]]),
    "an operand on the left": lambda a, x: a + x,
    "an operand on the right": lambda a, x: x * a,
    "a ufunc": lambda a, x: np.hypot(a, a.astype(np.float32)) + x,
    "where": lambda a, x: np.where(x > 0, a, x),
    "a sum": lambda a, x: x * a.sum(),
    "a number": lambda a, x: x * float(a[0]),
    "numbers": lambda a, x: sum(x * v for v in a),
    "a list": lambda a, x: autodiff.tensor(a.tolist()),
    "a condition": lambda a, x: x if a.max() > 2 else -x,
    "a value to fill with": lambda a, x: autodiff.full((2,), a.max()),
    "a bound": lambda a, x: (x * 5).clamp(max=a[0]),
    "a mask": lambda a, x: x * autodiff.tensor(a > 1),
    "an index": lambda a, x: autodiff.arange(9.0)[a.astype(int)],
    "the same memory": lambda a, x: autodiff.tensor(np.asarray(a)) + x,
    "a number of the result": lambda a, x: (x, float(a.mean())),
    "the length": lambda a, x: x * len(a) + a.shape[0],
}


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
@pytest.mark.parametrize("name", OF_ARRAYS)
def test_what_is_made_of_an_array_is_made_again(name):
    compiled = autodiff.compile(OF_ARRAYS[name])
    for seed in SEEDS:
        a, x = np.arange(3.0) + seed, autodiff.ones(3) + seed
        assert_same(compiled(a, x), OF_ARRAYS[name](a, x))


TAKEN: dict[str, Callable] = {
    "item": lambda x: x * x.sum().item(),
    "float": lambda x: x * float(x[0]),
    "int": lambda x: x * int(x.sum()),
    "bool": lambda x: x if x.sum() > 3 else -x,
    "tolist": lambda x: autodiff.tensor(x.tolist()) * 2,
    "numpy": lambda x: autodiff.from_numpy(x.numpy() * 2),
    "asarray": lambda x: autodiff.tensor(np.asarray(x) * 2),
    "in": lambda x: x * (2.0 in x),
    "allclose": lambda x: x * autodiff.allclose(x, x * 0 + 1),
    "equal": lambda x: x * autodiff.equal(x, x * 0 + 1),
    "repr": lambda x: str(x),
    "format": lambda x: f"{x.sum():.3f}",
    "a slice": lambda x: autodiff.arange(9.0)[: x.long()[0]],
    "tensor of elements": lambda x: autodiff.tensor([x[0], x[1]]),
    "arange": lambda x: autodiff.arange(x[0]),
    "full": lambda x: autodiff.full((2,), x[0]),
    "topk": lambda x: autodiff.arange(9.0).topk(x.long()[0]).values,
    "deepcopy": lambda x: copy.deepcopy(x) * 2,
}


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
@pytest.mark.parametrize("name", TAKEN)
def test_what_python_makes_of_values_is_made_again(name):
    compiled = autodiff.compile(TAKEN[name])
    for seed in SEEDS:
        x = autodiff.ones(3) + seed
        assert_same(compiled(x), TAKEN[name](x))
