"""Every registered operation, on the inputs of `samples.py`, against what all of them promise."""

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import dtypes
from autodiff.families import NUMPY, REGISTRY
from autodiff.gradients import grad
from autodiff.ops.shape import fit
from autodiff.primitive import OUT, REST, Primitive, rule_needs
from autodiff.tensor import Tensor, apply, make
from autodiff.testing import check_gradients
from autodiff.testing.strategies import LAYOUTS, broadcastable
from tests.autodiff.samples import SAMPLES, Drawn, Sample

BY_POSITION = (np.astype, np.reshape)
"""Functions whose parameters have no name, or another one in NumPy 2.0."""


def takes(function: Any, sample: Sample) -> bool:
    """Whether a NumPy function has the parameters of a sample."""
    try:
        inspect.signature(function).bind(*sample.arguments, **sample.parameters)
    except ValueError:  # no signature, as of np.add.reduce
        return True
    except TypeError:
        return function in BY_POSITION
    return True


CASES = [
    pytest.param(REGISTRY[name], sample, id=f"{name}-{i}")
    for name, samples in SAMPLES.items()
    if name in REGISTRY
    for i, sample in enumerate(samples)
]
SMOOTH = [case for case in CASES if case.values[0].rules]
ELEMENTWISE = [
    case
    for case in CASES
    if case.values[0].family == "elementwise"
    and all(isinstance(a, Drawn) for a in case.values[1].arguments)
]
NUMPY_FUNCTIONS = [
    pytest.param(function, *case.values, id=f"{case.id}-numpy.{function.__name__}")
    for case in CASES
    for function, meaning in NUMPY.items()
    if meaning is case.values[0] and takes(function, case.values[1])
]

UNDEFINED = {"unique", "bincount"}
"""Operations that PyTorch does not differentiate, though their results vary."""

each_case = pytest.mark.parametrize(("primitive", "sample"), CASES)
each_smooth_case = pytest.mark.parametrize(("primitive", "sample"), SMOOTH)


def prepared(
    primitive: Primitive, sample: Sample, dtype: Any = np.float64, seed: int = 0
) -> list[np.ndarray]:
    """The arguments as `forward` gets them: promoted."""
    arrays = sample.arrays(dtype, seed)
    if primitive.promote == "keep":
        return arrays
    return dtypes.promote(arrays, primitive.promote, primitive.name)


def active(primitive: Primitive, sample: Sample) -> list[int]:
    """The arguments with a derivative: those that have a rule and floats."""
    kinds = [a.dtype.kind for a in sample.arrays()]
    return [i for i, kind in enumerate(kinds) if kind == "f" and primitive.rule_of(i)]


def forward(primitive: Primitive, arrays: Sequence[Any], sample: Sample) -> np.ndarray:
    return np.asarray(primitive.forward(*arrays, **copy.deepcopy(sample.parameters)))


def call(function: Any, arrays: Sequence[Any], sample: Sample) -> Any:
    """A NumPy function called with the arguments and parameters of a sample."""
    parameters = copy.deepcopy(sample.parameters)
    if function in BY_POSITION:
        return function(*arrays, *parameters.values())
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        parameters.setdefault("axis", None)  # where that of np.add.reduce is 0
    return function(*arrays, **parameters)


def record(primitive: Primitive, arrays: Sequence[Any], sample: Sample) -> tuple[list, Tensor]:
    """The tensors that the result is differentiated by, and the result."""
    tensors = [make(a) for a in arrays]
    inputs = [tensors[i].requires_grad_() for i in active(primitive, sample)]
    return inputs, apply(primitive, tensors, copy.deepcopy(sample.parameters))


def weights(out: Any, seed: int = 1) -> np.ndarray:
    """A random gradient for a result."""
    return np.random.default_rng(seed).uniform(-1, 1, out.shape).astype(out.dtype)


def differentiable(
    primitive: Primitive, sample: Sample, seed: int = 0
) -> tuple[Callable[..., Tensor], list[np.ndarray]]:
    """The operation as a function of Tensors of its active arguments, and these.

    Symmetric arguments are made so, as derivatives in other directions mean nothing for them.
    """
    arrays = prepared(primitive, sample, seed=seed)
    positions = active(primitive, sample)

    def f(*tensors):
        values = [make(a) for a in arrays]
        for i, x in zip(positions, tensors, strict=True):
            symmetric = getattr(sample.arguments[i], "symmetric", False)
            values[i] = (x + x.mT) / 2 if symmetric else x
        return apply(primitive, values, copy.deepcopy(sample.parameters))

    return f, [arrays[i] for i in positions]


def gradients(
    primitive: Primitive, arrays: Sequence[Any], sample: Sample, g: Any = None, create_graph=False
) -> list[Tensor]:
    """The gradients by the active arguments, given that of the output."""
    inputs, out = record(primitive, arrays, sample)
    g = make(weights(out._array) if g is None else g)
    return list(grad(out, inputs, g, create_graph=create_graph))


def read_only(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    for a in arrays:
        a.flags.writeable = False
    return list(arrays)


def dot(a: Sequence[Any], b: Sequence[Any]) -> float:
    return float(sum(np.sum(np.asarray(x) * np.asarray(y)) for x, y in zip(a, b, strict=True)))


def test_every_operation_has_samples_and_every_sample_an_operation():
    missing = sorted(REGISTRY.keys() - SAMPLES.keys())
    assert not missing, f"no samples in tests/autodiff/samples.py for {', '.join(missing)}"
    unknown = sorted(SAMPLES.keys() - REGISTRY.keys())
    assert not unknown, f"samples for operations that do not exist: {', '.join(unknown)}"


@pytest.mark.parametrize("primitive", REGISTRY.values(), ids=lambda p: p.name)
def test_every_rule_is_reached_by_a_sample(primitive: Primitive):
    reached = {
        primitive.rule_of(i)
        for sample in SAMPLES.get(primitive.name, ())
        for i in active(primitive, sample)
    }
    missing = [name for name, rule in primitive.rules.items() if rule not in reached]
    assert not missing, f"no sample of {primitive.name} differentiates by {', '.join(missing)}"


def test_every_numpy_function_has_a_sample_it_takes():
    taken = {case.values[0] for case in NUMPY_FUNCTIONS}
    names = {f.__name__ for f, meaning in NUMPY.items() if isinstance(meaning, Primitive)}
    assert not names - {f.__name__ for f in taken}


@pytest.mark.parametrize(("function", "primitive", "sample"), NUMPY_FUNCTIONS)
def test_forward_is_the_numpy_function(function, primitive: Primitive, sample: Sample):
    arrays = prepared(primitive, sample)
    expected = call(function, arrays, sample)
    np.testing.assert_array_equal(forward(primitive, arrays, sample), expected, strict=True)


@pytest.mark.parametrize(("function", "primitive", "sample"), NUMPY_FUNCTIONS)
def test_numpy_function_records_the_operation(function, primitive: Primitive, sample: Sample):
    arrays = prepared(primitive, sample)
    tensors = [make(a) for a in arrays]
    inputs = [tensors[i].requires_grad_() for i in active(primitive, sample)]
    out = call(function, tensors, sample)
    assert isinstance(out, Tensor)
    assert (out._node.operation if out._node else None) == (primitive.name if inputs else None)
    np.testing.assert_array_equal(out._array, forward(primitive, arrays, sample), strict=True)


@each_smooth_case
def test_gradients_of_both_orders_and_modes_are_the_numeric_ones(primitive, sample):
    fn, arrays = differentiable(primitive, sample)
    report = check_gradients(fn, *arrays)
    assert len(report.rows) >= 4 * len(arrays)
    assert not report.kinks and not report.notes


@each_case
def test_argument_without_a_rule_has_no_derivative(primitive: Primitive, sample: Sample):
    if primitive.name in UNDEFINED or primitive.family == "random":
        return
    arrays = prepared(primitive, sample)
    out = forward(primitive, arrays, sample)
    constant = [
        i
        for i, a in enumerate(sample.arrays())
        if a.dtype.kind == out.dtype.kind == "f" and not primitive.rule_of(i)
    ]
    for i in constant:
        moved = [a + 1e-3 * weights(a) if i == k else a for k, a in enumerate(arrays)]
        np.testing.assert_array_equal(forward(primitive, moved, sample), out)


@each_smooth_case
def test_array_mode_equals_tensor_mode(primitive: Primitive, sample: Sample):
    arrays = prepared(primitive, sample)
    plain = gradients(primitive, arrays, sample)
    recorded = gradients(primitive, arrays, sample, create_graph=True)
    for i, a, b in zip(active(primitive, sample), plain, recorded, strict=True):
        assert a.shape == b.shape == arrays[i].shape
        assert a.dtype == b.dtype == arrays[i].dtype
        np.testing.assert_allclose(b._array, a._array, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(("primitive", "sample"), ELEMENTWISE)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_elementwise_operations_broadcast(primitive: Primitive, sample: Sample, data):
    shapes = data.draw(broadcastable(len(sample.arguments)))
    sample = sample.of_shapes(shapes)
    arrays = prepared(primitive, sample)
    inputs, out = record(primitive, arrays, sample)
    assert out.shape == np.broadcast_shapes(*shapes)
    if not inputs:
        return
    g = weights(out._array)
    found = grad(out, inputs, make(g))
    spread = gradients(primitive, np.broadcast_arrays(*arrays), sample, g)
    for leaf, a, b in zip(inputs, found, spread, strict=True):
        assert a.shape == leaf.shape
        np.testing.assert_allclose(a._array, fit(b._array, leaf._array.shape), 1e-12, 1e-12)


OF_INTEGERS = {
    np.int32: """add subtract multiply negative positive square power absolute sign floor ceil trunc
        floor_divide remainder fmod relu bitwise_and bitwise_or bitwise_xor left_shift right_shift
        invert where maximum minimum fmax fmin amax amin median matmul""",
    np.int64: "sum prod argmax argmin count_nonzero argsort nonzero",
    np.float32: """divide reciprocal exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan arcsin
        arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh sigmoid logsumexp mean var std
        vector_norm standardize softmax log_softmax softplus log_sigmoid logaddexp xlogy erf erfc
        erfinv normal_cdf normal_density lgamma digamma polygamma
        binary_cross_entropy_with_logits""",
    np.bool_: """equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit
        logical_and logical_or logical_xor logical_not any all""",
}
"""The dtypes that PyTorch 2.13 gives for int32."""


@pytest.mark.parametrize(
    ("name", "dtype"), [(n, dtype) for dtype, text in OF_INTEGERS.items() for n in text.split()]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_dtype_for_integers_is_that_of_pytorch(name: str, dtype: type):
    if name in ("floor", "ceil", "trunc") and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy gives floats; autodiff.floor and its like give integers all the same")
    arguments = REGISTRY[name].arguments
    tensors = [
        make(np.array([1, 2, 3], np.bool_ if x == "condition" else np.int32)) for x in arguments
    ]
    parameters = SAMPLES[name][0].parameters | ({"axis": 0} if "softmax" in name else {})
    assert apply(REGISTRY[name], tensors, parameters)._array.dtype == dtype


@pytest.mark.parametrize(
    "name",
    "matmul linear convolve convolve_w convolve_x elman lstm binary_cross_entropy".split(),
)
def test_arguments_of_two_dtypes_are_refused(name: str):
    sample = SAMPLES[name][0]
    for i in range(len(sample.arguments)):
        arrays = sample.arrays()
        arrays[i] = arrays[i].astype(np.float32)
        with pytest.raises(RuntimeError, match=rf"{name}: expected arguments of one dtype"):
            apply(REGISTRY[name], [make(a) for a in arrays], sample.parameters)


class Float32(np.ndarray):
    """A float32 array from which no float64 array may be computed."""

    def __array_finalize__(self, source: Any) -> None:
        assert self.dtype != np.float64, "float32 was turned into float64 on the way"


@each_case
def test_float32_stays_float32(primitive: Primitive, sample: Sample):
    if primitive.name in ("cast", "bincount") or primitive.family == "random":
        return
    arrays = [
        a.view(Float32) if a.dtype == np.float32 else a
        for a in prepared(primitive, sample, np.float32)
    ]
    out = forward(primitive, arrays, sample)
    if all(a.dtype.kind == "f" for a in sample.arrays()) and out.dtype.kind == "f":
        assert out.dtype == np.float32
    positions = active(primitive, sample)
    plan = primitive.plan(sum(1 << i for i in positions))
    g = weights(out).view(Float32)
    out = out.view(Float32) if out.dtype == np.float32 else out
    saved = plan.save(arrays, out, sample.parameters)
    for rule, values in zip(plan.rules, saved, strict=True):
        assert rule(g, *values).dtype == np.float32
    if positions:
        for a in gradients(primitive, [np.asarray(a) for a in arrays], sample):
            assert a.dtype == np.float32


@each_case
def test_inputs_are_untouched(primitive: Primitive, sample: Sample):
    arrays = read_only(prepared(primitive, sample))
    before = [a.copy() for a in arrays]
    inputs, out = record(primitive, arrays, sample)
    if inputs:
        (g,) = read_only([weights(out._array)])
        grad(out, inputs, make(g), retain_graph=True)
        grad(out, inputs, make(g), create_graph=True)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("C", "broadcast")])
@each_case
def test_memory_layout_makes_no_difference(primitive: Primitive, sample: Sample, layout: str):
    arrays = prepared(primitive, sample)
    laid_out = [LAYOUTS[layout](a) for a in arrays]
    out = forward(primitive, arrays, sample)
    np.testing.assert_allclose(forward(primitive, laid_out, sample), out, 1e-12, 1e-12)
    if active(primitive, sample):
        g = weights(out)
        expected = gradients(primitive, arrays, sample, g)
        found = gradients(primitive, laid_out, sample, LAYOUTS[layout](g))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a._array, b._array, 1e-12, 1e-12)


@each_smooth_case
def test_only_what_the_rules_name_is_saved(primitive: Primitive, sample: Sample):
    arrays = prepared(primitive, sample)
    _, out = record(primitive, arrays, sample)
    plan = out._node.plan
    assert [len(values) for values in out._node.saved] == [
        len(rule_needs(rule)) for rule in plan.rules
    ]
    for values, sources in zip(out._node.saved, plan.sources, strict=True):
        for value, source in zip(values, sources, strict=True):
            if source == REST:
                rest = arrays[len(primitive.arguments) :]
                assert all(v is a for v, a in zip(value, rest, strict=True))
            elif source is not None:
                assert value is (out._array if source == OUT else arrays[source])


@each_case
def test_family_is_true(primitive: Primitive, sample: Sample):
    arrays = prepared(primitive, sample)
    out = forward(primitive, arrays, sample)
    positions = active(primitive, sample)
    if primitive.family == "linear" and positions:
        assert_linear(primitive, arrays, sample, positions)
    elif primitive.family == "bilinear":
        for i in positions:
            assert_linear(primitive, arrays, sample, [i])
    elif primitive.family == "reduction":
        assert {"axis", "keepdims"} <= set(primitive.parameters)
    elif primitive.family == "elementwise":
        spread = np.broadcast_arrays(*arrays)
        for index in np.ndindex(out.shape):
            alone = forward(primitive, [a[index] for a in spread], sample)
            np.testing.assert_allclose(alone, out[index], rtol=1e-14)


def assert_linear(
    primitive: Primitive, arrays: list[np.ndarray], sample: Sample, positions: list[int]
) -> None:
    """f(2 x - 3 y) = 2 f(x) - 3 f(y) in the arguments at these positions."""
    other, mixed = list(arrays), list(arrays)
    for i in positions:
        other[i] = weights(arrays[i], seed=5)
        mixed[i] = 2 * arrays[i] - 3 * other[i]
    x, y = (forward(primitive, a, sample) for a in (arrays, other))
    np.testing.assert_allclose(forward(primitive, mixed, sample), 2 * x - 3 * y, 1e-12, 1e-12)


@pytest.mark.parametrize("windows", [((2, 1, 1, 1, 5),), ((3, 2, 1, 2, 3),)])
def test_max_pool_of_integers_is_that_of_floats(windows: tuple):
    x = np.array([[-7, -3, -5, -9]], np.int8)
    pooled = apply(REGISTRY["max_pool"], [make(x)], {"windows": windows})
    expected = apply(REGISTRY["max_pool"], [make(x.astype(np.float32))], {"windows": windows})
    assert pooled._array.dtype == np.int8
    assert pooled.tolist() == expected.tolist()


@pytest.mark.parametrize("target", [[0, 3], [-1, 0], [-100, 3], [3, -100], [-100, -1]])
def test_a_target_that_is_no_class_is_refused(target: list):
    x, target = make(np.zeros((2, 3))), make(np.array(target))
    with pytest.raises(IndexError, match="from 0 to 2, or ignore_index=-100"):
        apply(REGISTRY["nll_loss"], [x, target], {"ignore_index": -100})


def test_softplus_at_its_threshold_is_not_above_it():
    x = make(np.array([0.25, 0.5, 0.75])).requires_grad_()
    y = apply(REGISTRY["softplus"], [x], {"beta": 2.0, "threshold": 1.0})
    (g,) = grad(y.sum(), x)
    np.testing.assert_allclose(y._array, [np.log1p(np.exp(0.5)) / 2, np.log1p(np.e) / 2, 0.75])
    np.testing.assert_allclose(g._array, [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-1)), 1])


def test_elman_is_of_tanh_unless_told_otherwise():
    arguments = [make(np.array([[[2.0]]])), make(np.zeros((1, 1))), make(np.ones((1, 1)))]
    assert apply(REGISTRY["elman"], arguments).item() == np.tanh(2.0)
    assert apply(REGISTRY["elman"], arguments, {"relu": True}).item() == 2.0


@pytest.mark.parametrize("ignored", [-100, 1])
def test_ignored_targets_count_for_nothing(ignored: int):
    x = make(np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]])).requires_grad_()
    arguments = [x, make(np.array([0, ignored, 2]))]
    loss = apply(REGISTRY["nll_loss"], arguments, {"ignore_index": ignored})
    (g,) = grad(loss, x)
    assert loss.item() == -(1.0 + 256.0) / 2
    assert g.tolist() == [[-0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, -0.5]]
