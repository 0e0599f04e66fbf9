"""NumPy's functions on Tensors: each gives NumPy's value, with gradients, or says what to use."""

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import Tensor
from autodiff.families import NUMPY
from autodiff.numpy_calls import NEAREST

LEAVES = {
    "s": (),
    "v": (3,),
    "w": (3,),
    "x": (2, 3),
    "y": (2, 3),
    "m": (3, 3),
    "n": (3, 3),
    "z": (2, 3, 4),
    "one": (1, 3),
    "e": (0, 3),
}
"""Tensors of float64 that require grad, between 0.5 and 1.5, by name."""

CONSTANTS = {
    "i": np.array([[0, 1, 2], [3, 4, 5]]),
    "j": np.array([2, 0, -1]),
    "k": np.array([[0, 2, 1], [1, 1, 0]]),
    "u8": np.array([200, 100], np.uint8),
    "b": np.array([[True, False, True], [False, False, True]]),
    "row": np.array([True, False, True]),
    "odd": np.array([1.0, np.nan, -np.inf, np.inf, 0.0]),
    "ties": np.array([2.0, 1.0, 2.0, 0.0]),
}
"""Other tensors."""

UNARY = """
absolute fabs negative positive sign signbit square reciprocal sqrt exp exp2 expm1 log log2 log10
log1p sin cos tan arctan sinh cosh tanh arcsinh floor ceil trunc rint isnan isinf isfinite
logical_not degrees radians deg2rad rad2deg conjugate fix isneginf isposinf
"""
BINARY = """
add subtract multiply divide power float_power maximum minimum fmax fmin logaddexp arctan2
remainder fmod floor_divide equal not_equal less less_equal greater greater_equal logical_and
logical_or logical_xor
"""
BITWISE = "bitwise_and bitwise_or bitwise_xor"

EXPRESSIONS = [
    *(f"np.{name}(x)" for name in UNARY.split()),
    *(f"np.{name}(x - 0.9)" for name in "arcsin arccos arctanh".split()),
    "np.arccosh(x + 1)",
    *(f"np.{name}(x, {other})" for name in BINARY.split() for other in ("y", "v", "1.25")),
    *(f"np.{name}(1.25, x)" for name in BINARY.split()),
    *(f"np.{name}(i, k)" for name in BITWISE.split()),
    *("np.invert(i)", "np.left_shift(i, k)", "np.right_shift(i, k)", "np.divmod(x, y)"),
    *("np.add.outer(x, v)", "np.multiply.outer(v, 2.0)", "np.subtract.outer(3.0, v)"),
    *("np.add.reduce(x)", "np.add.reduce(x, axis=None)", "np.add.reduce(x, 1, keepdims=True)"),
    *("np.multiply.reduce(x, -1)", "np.maximum.reduce(x, 1)", "np.minimum.reduce(x)"),
    *("np.logical_and.reduce(b)", "np.logical_or.reduce(b, axis=1)", "np.logaddexp.reduce(x, 1)"),
    "np.logaddexp.reduce(x)",
    *("np.amax(x, 1)", "np.amin(x)", "np.around(x, 1)", "np.deg2rad(x)", "np.rad2deg(x)"),
    *("np.linalg.matrix_transpose(z)", "np.einsum(x, [0, 1], [0])", "np.einsum(x, [0, 1], [1, 0])"),
    *("np.add.accumulate(x)", "np.multiply.accumulate(x, 1)", "np.maximum.accumulate(x)"),
    "np.minimum.accumulate(x, axis=1)",
    *("np.allclose(x, x + 1e-9)", "np.allclose(x, y, rtol=10, atol=1)", "np.allclose(odd, odd)"),
    *("np.isclose(x, y, atol=0.2)", "np.isclose(odd, odd, equal_nan=True)"),
    *("np.isclose(x, 1.0, atol=0.2)", "np.isclose(i, 1.5, atol=1)", "np.allclose(x, 1.0, atol=1)"),
    *("np.array_equal(x, x)", "np.array_equal(x, y)", "np.array_equal(x, v)"),
    *("np.clip(x, 0.8, 1.2)", "np.clip(x, a_min=0.8, a_max=None)", "np.clip(x, 0.7 * v, v)"),
    "np.clip(x, np.array([0.6, 0.8, 1.0]), None)",
    *("np.nan_to_num(odd)", "np.nan_to_num(odd, nan=1.0, posinf=2.0, neginf=3.0)"),
    *("np.round(x)", "np.round(10 * x, -1)", "np.round(x, decimals=1)", "np.around(x, 1)"),
    *("np.where(x > 1, x, y)", "np.where(row, x, 0.0)", "np.where(b)"),
    # Reductions and scans
    *(
        f"np.{name}(x{axis}{keep})"
        for name in "sum mean prod max min amax amin var std median nansum nanmean".split()
        for axis in ("", ", 0", ", axis=-1")
        for keep in ("", ", keepdims=True")
    ),
    *(f"np.{name}(z, axis=(0, 2))" for name in "sum mean prod max min var std nansum".split()),
    *(f"np.{name}(x, axis=())" for name in "sum prod max min".split()),
    *(f"np.{name}(x, 1, None, None)" for name in "sum mean prod var std".split()),
    *("np.sum(x, 0, None, None, True)", "np.max(x, 1, None, True)", "np.var(x, 0, None, None, 1)"),
    *("np.sum(i)", "np.sum(b, 0)", "np.sum(x, dtype=np.float32)", "np.prod(i, 1)", "np.sum(e, 0)"),
    *("np.mean(x, dtype=np.float32)", "np.mean(i)", "np.std(x, ddof=1)", "np.var(x, 1, ddof=1)"),
    *("np.std(i, axis=0)", "np.median(i)", "np.median(ties)", "np.median(x, axis=1)"),
    *("np.nansum(odd[:2])", "np.nanmean(odd[:2])", "np.max(odd)", "np.min(odd)", "np.median(odd)"),
    *("np.any(b)", "np.any(b, axis=0)", "np.all(b, 1, keepdims=True)", "np.all(x)"),
    *("np.argmax(x)", "np.argmax(x, axis=1)", "np.argmin(x, 0, keepdims=True)", "np.argmin(ties)"),
    *(
        "np.count_nonzero(b)",
        "np.count_nonzero(b, axis=0)",
        "np.count_nonzero(b, 1, keepdims=True)",
    ),
    *("np.cumsum(x)", "np.cumsum(x, 1)", "np.cumsum(i, axis=0)", "np.cumprod(x)"),
    *("np.cumprod(x, axis=0)", "np.cumsum(x, 0, np.float32)"),
    *("np.cumulative_sum(v)", "np.cumulative_sum(x, axis=1)", "np.cumulative_prod(x, axis=0)"),
    *("np.diff(x)", "np.diff(x, 2)", "np.diff(x, axis=0)", "np.diff(x, prepend=0, append=y)"),
    *("np.quantile(x, 0.3)", "np.quantile(x, [0.1, 0.75], axis=1)", "np.quantile(x, 1)"),
    *(
        f"np.quantile(x, [0.2, 0.5, 0.9], 0, method='{m}', keepdims=True)"
        for m in ("linear", "lower", "higher", "midpoint", "nearest")
    ),
    *("np.percentile(x, 30)", "np.percentile(x, [25, 50], axis=-1, keepdims=True)"),
    *("np.percentile(x, 33.3)", "np.percentile(x, [10.1, 33.3])"),
    *("np.trapezoid(x)", "np.trapezoid(x, v)", "np.trapezoid(x, dx=0.5, axis=0)"),
    # Order and selection
    *("np.sort(x)", "np.sort(x, axis=None)", "np.sort(x, 0)", "np.sort(x, kind='stable')"),
    *("np.sort(odd)", "np.argsort(x)", "np.argsort(ties, kind='stable')", "np.argsort(x, axis=0)"),
    "np.argsort(x, axis=None)",
    *("np.unique(ties)", "np.unique(ties, return_inverse=True, return_counts=True)"),
    *("np.unique(k, axis=0)", "np.unique_values(ties)", "np.bincount(k[0])"),
    *("np.bincount(k[0], minlength=5)", "np.bincount(k[0], v)"),
    *("np.searchsorted(np.sort(v), x)", "np.searchsorted(np.sort(v), 1.0, side='right')"),
    *("np.isin(i, k)", "np.isin(x, [1.0])", "np.nonzero(b)", "np.flatnonzero(b)", "np.argwhere(b)"),
    *("np.extract(b, x)", "np.extract(i, x)", "np.take(x, j)", "np.take(x, k, axis=1)"),
    *("np.take(x, 1, axis=0)", "np.take(x, [0, 2], 1)", "np.take(x, -1)"),
    *("np.take_along_axis(x, k, 1)", "np.take_along_axis(x, k, axis=1)"),
    "np.take_along_axis(x, j, axis=None)",
    *("np.diag(v)", "np.diag(m, 1)", "np.diag(v, k=-1)", "np.diagflat(x)", "np.diagonal(m)"),
    *("np.diagonal(z, 1, 1, 2)", "np.diagonal(z, offset=-1, axis1=0, axis2=2)"),
    *("np.tril(m)", "np.tril(m, -1)", "np.triu(m, k=1)", "np.trace(m)", "np.trace(z, 1, 0, 2)"),
    # Shapes
    *("np.shape(x)", "np.ndim(x)", "np.size(x)", "np.size(x, 1)"),
    *("np.reshape(x, (3, 2))", "np.reshape(x, -1)", "np.reshape(x, (3, 2), order='C')"),
    *("np.ravel(x)", "np.transpose(x)", "np.transpose(z, (1, 2, 0))", "np.transpose(z, axes=None)"),
    *("np.swapaxes(z, 0, 2)", "np.moveaxis(z, 0, -1)", "np.moveaxis(z, (0, 1), (2, 0))"),
    *("np.expand_dims(x, 1)", "np.expand_dims(x, axis=(0, 3))", "np.squeeze(one)"),
    *("np.squeeze(one, axis=0)", "np.matrix_transpose(z)", "np.broadcast_to(v, (2, 3))"),
    *("np.broadcast_arrays(x, v)", "np.meshgrid(v, w[:2])", "np.meshgrid(v, w, indexing='ij')"),
    *("np.atleast_1d(s)", "np.atleast_1d(s, x)", "np.atleast_2d(v)", "np.atleast_3d(s)"),
    *("np.atleast_3d(v)", "np.atleast_3d(x)", "np.atleast_3d(z)"),
    *("np.concatenate([x, y])", "np.concatenate((x, y), 1)", "np.concatenate([x, y], axis=None)"),
    *("np.concatenate([x, i])", "np.concatenate([x, y], dtype=np.float32)", "np.append(x, v)"),
    *("np.append(x, y, axis=0)", "np.stack([x, y])", "np.stack((x, y), axis=-1)"),
    *("np.hstack([x, y])", "np.hstack([v, w])", "np.vstack([v, w])", "np.vstack([x, v])"),
    *("np.dstack([x, y])", "np.dstack([v, w])", "np.column_stack([v, w])"),
    *("np.column_stack([v, m])", "np.split(x, 3, axis=1)", "np.split(x, [1, 2], 1)"),
    *(
        "np.array_split(x, 2, axis=1)",
        "np.array_split(v, [1])",
        "np.hsplit(x, 3)",
        "np.hsplit(v, 3)",
    ),
    *("np.vsplit(x, 2)", "np.dsplit(z, 2)", "np.dsplit(z, [1, 3])", "np.unstack(x)"),
    "np.unstack(x, axis=1)",
    *("np.pad(x, 1)", "np.pad(x, ((1, 2), (0, 3)))", "np.pad(x, (1, 2), constant_values=3.0)"),
    *(f"np.pad(x, ((0, 1), (2, 1)), '{m}')" for m in ("edge", "reflect", "symmetric", "wrap")),
    *(
        "np.repeat(x, 2)",
        "np.repeat(x, 3, axis=1)",
        "np.repeat(v, [1, 0, 2])",
        "np.repeat(x, j % 3, 1)",
    ),
    *("np.tile(x, 2)", "np.tile(x, (2, 1))", "np.tile(v, [2, 2])"),
    *("np.roll(x, 1)", "np.roll(x, 1, axis=1)", "np.roll(x, [1, 2], [0, 1])", "np.roll(x, (1, 1))"),
    *("np.flip(x)", "np.flip(x, 1)", "np.flip(z, (0, 2))", "np.fliplr(x)", "np.flipud(x)"),
    *("np.rot90(x)", "np.rot90(x, 2)", "np.rot90(z, k=-1, axes=(1, 2))", "np.copy(x)"),
    *("np.astype(x, np.float32)", "np.astype(i, np.float64)"),
    *("np.zeros_like(x)", "np.ones_like(x, dtype=np.int64)", "np.ones_like(x, shape=(2,))"),
    *("np.full_like(x, 2.5)", "np.full_like(i, 2)", "np.empty_like(x, shape=(0,))"),
    # Products
    *("np.matmul(x, m)", "np.matmul(v, w)", "np.dot(x, m)", "np.dot(x, v)", "np.dot(s, x)"),
    *("np.dot(x, 2)", "np.dot(2.0, x)", "np.cross(v, w, axis=0)", "np.split(x, np.int64(3), 1)"),
    *("np.linalg.norm(i)", "np.diff(x, axis=-2)"),
    *("np.inner(x, y)", "np.inner(v, w)", "np.outer(v, w)", "np.outer(x, v)", "np.vdot(x, y)"),
    *("np.kron(x, v)", "np.kron(v, w)", "np.tensordot(x, y)", "np.tensordot(x, m, 1)"),
    *("np.tensordot(z, x, axes=([0, 1], [0, 1]))", "np.tensordot(x, y, (1, 1))"),
    *("np.einsum('ij,jk->ik', x, m)", "np.einsum('ij,j', x, v, optimize=True)"),
    *("np.einsum(x, [0, 1], m, [1, 2], [0, 2])", "np.einsum('ii', m)", "np.cross(v, w)"),
    *("np.cross(x, y)", "np.cross(x.T, y.T, axis=0)"),
    # np.linalg; n + n.T and the like have known properties
    *("np.linalg.matmul(x, m)", "np.linalg.outer(v, w)", "np.linalg.trace(m)"),
    *("np.linalg.trace(m, offset=1)", "np.linalg.diagonal(m)", "np.linalg.diagonal(m, offset=-1)"),
    *("np.linalg.tensordot(x, m, axes=1)", "np.linalg.matrix_transpose(z)"),
    *("np.linalg.cross(v, w)", "np.linalg.cross(x, y, axis=-1)"),
    *("np.linalg.vector_norm(x)", "np.linalg.vector_norm(x, axis=1, ord=3, keepdims=True)"),
    *("np.linalg.matrix_norm(m)", "np.linalg.matrix_norm(m, ord=1)"),
    *("np.linalg.norm(x)", "np.linalg.norm(v, 1)", "np.linalg.norm(x, 'fro')"),
    *("np.linalg.norm(x, axis=1)", "np.linalg.norm(x, 3, 1, True)", "np.linalg.norm(x, np.inf)"),
    *("np.linalg.norm(m, 2)", "np.linalg.norm(m, 'nuc')", "np.linalg.norm(z)"),
    *("np.linalg.inv(m + 3 * np.eye(3))", "np.linalg.det(m)", "np.linalg.slogdet(m)"),
    *("np.linalg.solve(m + 3 * np.eye(3), v)", "np.linalg.solve(m + 3 * np.eye(3), n)"),
    *("np.linalg.cholesky(m @ m.T + np.eye(3))", "np.linalg.qr(m)", "np.linalg.qr(m, mode='r')"),
    *("np.linalg.eigvalsh(m + m.T)", "np.linalg.eigh(m + m.T)[0]", "np.linalg.svdvals(m)"),
    *("np.linalg.svd(x, full_matrices=False)[1]", "np.linalg.svd(x, compute_uv=False)"),
    *("np.linalg.pinv(x)", "np.linalg.matrix_rank(x)", "np.linalg.cond(m)"),
    *("np.linalg.matrix_power(m, 3)", "np.linalg.multi_dot([x, m, n])"),
    *("np.linalg.lstsq(m, v)[0]", "np.linalg.vecdot(x, y)", "np.linalg.vecdot(x, y, axis=0)"),
    "np.vecdot(x, y)",
]


def public(module: Any) -> dict[str, Callable]:
    """The functions of a module that Tensors can be given to, by name."""
    prefix = module.__name__.removeprefix("numpy").lstrip(".")
    found = {}
    for name in dir(module):
        value = getattr(module, name)
        if not name.startswith("_") and callable(value) and not isinstance(value, type):
            found[f"{prefix}.{name}".lstrip(".")] = value
    return found


PUBLIC = {**public(np), **public(np.linalg)}
CALLED = re.compile(r"np\.((?:linalg\.)?\w+)((?:\.(?:reduce|accumulate|outer))?)\(")


def function_of(expression: str) -> Callable | None:
    """The function that an expression calls first, None if NumPy is too old for it."""
    name, method = CALLED.match(expression).groups()  # type: ignore[union-attr]
    found = PUBLIC.get(name)
    return getattr(found, method[1:]) if found and method else found


PLAIN = re.compile(r"np\.(shape|ndim|size|allclose|array_equal)\(")
"""Functions whose results are no tensors."""

PROVIDED = [e for e in EXPRESSIONS if function_of(e) is not None]


def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: rng.uniform(0.5, 1.5, shape) for name, shape in LEAVES.items()}


def evaluated(expression: str, leaves: dict[str, Any], constants: dict[str, Any]) -> list[Any]:
    result = eval(expression, {"np": np, **leaves, **constants})
    return list(result) if isinstance(result, (tuple, list)) else [result]


def total(results: list[Any]) -> Any:
    """A weighted sum of all float results."""
    weighted: Any = 0.0
    for result in results:
        kind = np.dtype(getattr(result.dtype, "dtype", result.dtype)).kind
        if kind == "f" and result.size if isinstance(result, np.ndarray) else kind == "f":
            shape = tuple(result.shape)
            weight = np.random.default_rng(9).uniform(0.5, 1.5, shape)
            weighted = weighted + (result * weight).sum()
    return weighted


@pytest.mark.parametrize("expression", PROVIDED)
def test_the_value_is_numpy_s_and_the_gradient_its_derivative(expression: str):
    arrays = inputs()
    tensors = {k: autodiff.tensor(a, requires_grad=True) for k, a in arrays.items()}
    constants = {k: autodiff.from_numpy(a) for k, a in CONSTANTS.items()}
    autodiff.set_default_dtype(autodiff.float64)
    try:
        found = evaluated(expression, tensors, constants)
    finally:
        autodiff.set_default_dtype(autodiff.float32)
    expected = evaluated(expression, arrays, CONSTANTS)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        if PLAIN.match(expression):
            assert a == b
            assert type(a) is type(b)
            continue
        assert isinstance(a, Tensor), f"{type(a).__name__} from {expression}"
        b = np.asarray(b)
        assert tuple(a.shape) == b.shape
        assert a.dtype == b.dtype
        tolerance = 1e-6 if b.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a.detach().numpy(), b, tolerance, tolerance)

    loss = total([a for a in found if isinstance(a, Tensor)])
    if not isinstance(loss, Tensor) or not loss.requires_grad or np.isnan(loss.item()):
        return
    loss.backward()
    rng = np.random.default_rng(4)
    for name, array in arrays.items():
        if not re.search(rf"(?<!\.)\b{name}\b(?!['=])", expression) or not array.size:
            continue
        direction, h = rng.uniform(-1, 1, array.shape), 3e-3 if "float32" in expression else 1e-6
        ahead, behind = (
            float(total(evaluated(expression, {**arrays, name: array + step}, CONSTANTS)))
            for step in (h * direction, -h * direction)
        )
        gradient = tensors[name].grad
        along = 0.0 if gradient is None else float((gradient.numpy() * direction).sum())
        assert along == pytest.approx((ahead - behind) / (2 * h), rel=1e-3, abs=1e-6), name


def test_every_function_that_is_provided_is_tried():
    tried = {function_of(e) for e in PROVIDED}
    missing = {name for name, f in PUBLIC.items() if f in NUMPY and f not in tried}
    assert not missing, f"add expressions for {', '.join(sorted(missing))}"


def test_mixed_with_arrays_the_result_is_a_tensor():
    x, a = autodiff.ones(2, 3, dtype=autodiff.float64), np.full((2, 3), 2.0)
    for result in (
        *(np.concatenate([a, x]), np.stack([x, a]), np.hstack([a, x]), np.vstack([a, x])),
        *(np.outer(a, x), np.kron(a, x), np.inner(a, x), np.tensordot(a, x), np.vdot(a, x)),
        *(np.einsum("ij,ij", a, x), np.where(a > 1, x, a), np.append(a, x), np.isclose(a, x)),
        *(np.clip(a, x, 3.0), np.searchsorted(a[0], x)),
        *(np.add(a, x), np.add.outer(a, x), np.matmul(a, x.T), np.dot(a, x.T)),
        *(np.diff(a, prepend=x), np.cross(a, x), np.linalg.cross(a, x)),
        *(np.linalg.multi_dot([a, x.T, a]), np.allclose(a, x) or x),
    ):
        assert isinstance(result, Tensor)


def test_percentiles_are_parted_in_the_dtype_of_the_elements():
    array, q = np.arange(7.0) ** 2, [10.1, 33.3]
    assert np.percentile(autodiff.tensor(array), q).tolist() == np.percentile(array, q).tolist()


@pytest.mark.parametrize(
    "function", [lambda x: np.take(x, [0], axis=5), lambda x: np.diff(x, 1, 5)]
)
def test_an_axis_that_is_not_there_is_refused(function: Callable):
    with pytest.raises(np.exceptions.AxisError):
        function(autodiff.ones(2, 2))


def test_an_axis_of_more_elements_is_not_squeezed():
    with pytest.raises(ValueError, match="not all of length 1"):
        np.squeeze(autodiff.ones(1, 2), (0, 1))


def test_integers_become_the_default_float():
    i = autodiff.tensor([1, 2, 4])
    for result in (np.mean(i), np.std(i), np.median(i), np.quantile(i, 0.5), np.sqrt(i)):
        assert result.dtype == autodiff.float32
    u = autodiff.tensor([200, 100], dtype=autodiff.uint8)
    for result in (np.sum(u), np.prod(u), np.cumsum(u)):
        assert result.dtype == autodiff.int64  # where NumPy's is uint64


def test_second_derivatives_go_through():
    x = autodiff.tensor([0.3, 0.9, 0.5], dtype=autodiff.float64, requires_grad=True)
    y = np.sum(np.cumprod(np.take(np.sort(x), [2, 0, 1])) ** 2)
    (g,) = autodiff.autograd.grad(y, x, create_graph=True)
    (second,) = autodiff.autograd.grad(g.sum(), x)
    assert second.isfinite().all()
    assert second.abs().sum() > 0


def test_compiled_steps_may_use_them():
    def step(x):
        return np.sum(np.where(x > 0, np.concatenate([x, x])[:3], np.std(x, ddof=1)))

    x = autodiff.tensor([1.0, -2.0, 3.0])
    compiled = autodiff.compile(step, fullgraph=True)
    for _ in range(3):
        assert compiled(x).item() == pytest.approx(step(x).item())


# Refusals


X = autodiff.ones(3, requires_grad=True)
OUT = np.zeros(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: np.sum(X, out=OUT), r"numpy\.sum with out"),
        (lambda: np.sum(X, None, None, OUT), r"numpy\.sum with out"),
        (lambda: np.sum(X, where=OUT > 0), r"numpy\.sum with where"),
        (lambda: np.sum(X, initial=3.0), r"numpy\.sum with initial"),
        (lambda: np.mean(X, out=OUT), r"numpy\.mean with out"),
        (lambda: np.max(X, initial=3.0), r"numpy\.max with initial"),
        (lambda: np.clip(X, 0, 1, out=OUT), r"numpy\.clip with out"),
        (lambda: np.concatenate([X, X], out=OUT), r"numpy\.concatenate with out"),
        (lambda: np.reshape(X, 3, order="F"), r"numpy\.reshape with order"),
        (lambda: np.unique(X, return_index=True), r"numpy\.unique with return_index"),
        (lambda: np.take(X, [0], mode="wrap"), r"numpy\.take with mode"),
        (lambda: np.var(X, mean=1.0), r"numpy\.var with mean"),
        (lambda: np.add(X, X, where=OUT > 0), r"numpy\.add with where"),
        (lambda: np.add.reduce(X, initial=3.0), r"numpy\.add\.reduce with initial"),
        (lambda: np.add.reduceat(X, [0]), r"numpy\.add\.reduceat"),
        (lambda: np.add.at(X, [0], 1), r"numpy\.add\.at"),
        (lambda: np.exp(X, out=autodiff.ones(3)), "out must be one array"),
        (lambda: np.exp(OUT, out=autodiff.ones(3)), "out must be one array"),
        (lambda: np.pad(X, 1, "linear_ramp"), "mode='linear_ramp'"),
        (lambda: np.pad(X, {0: (1, 1)}), "dict as pad_width"),
        (lambda: np.median(X, axis=(0,)), r"axis=\(0,\)"),
        (lambda: np.linalg.svd(X[None], hermitian=True), r"numpy\.linalg\.svd with hermitian"),
        (lambda: np.nanmax(X), r"numpy\.nanmax is not provided.*autodiff\.amax"),
        (lambda: np.linalg.eig(X), r"numpy\.linalg\.eig is not provided.*autodiff\.linalg\."),
        (lambda: np.hypot(X, X), r"numpy\.hypot is not provided.*autodiff\.\w+"),
        (lambda: np.hypot.reduce(X), r"numpy\.hypot\.reduce is not provided"),
        (lambda: np.save("x.npy", X), r"numpy\.save is not provided.*autodiff\.save"),
        (lambda: np.fft.fft(X), r"is not provided for Tensors"),
    ],
)
def test_what_is_not_provided_is_refused_by_name(call: Callable, message: str):
    with pytest.raises(TypeError, match=message):
        call()
    assert not OUT.any()


def arguments(function: Any) -> list[Any]:
    """A Tensor for each argument that a function needs."""
    if isinstance(function, np.ufunc):
        return [X] * function.nin
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, before NumPy 2.4
        return [X] * {"min_scalar_type": 1, "putmask": 3}.get(function.__name__, 2)
    empty, several = inspect.Parameter.empty, inspect.Parameter.VAR_POSITIONAL
    needed = [p for p in parameters if p.default is empty and p.kind <= several]
    return [X] * max(len(needed), 1)


CREATION = """arange array asanyarray asarray ascontiguousarray asfortranarray empty eye frombuffer
fromfile fromfunction fromiter fromstring full genfromtxt identity loadtxt ones require tri zeros
"""
"""They take Tensors as `like` only, or convert them to arrays."""

WITHOUT_ARRAYS = """array2string asarray_chkfinite asmatrix bartlett base_repr binary_repr blackman
bmat broadcast_shapes busday_count busday_offset datetime_as_string datetime_data diag_indices
format_float_positional format_float_scientific from_dlpack frompyfunc fromregex get_include
get_printoptions getbufsize geterr geterrcall hamming hanning indices info is_busday isdtype
isfortran isscalar issubdtype iterable kaiser linalg.test load mask_indices mintypecode nested_iters
printoptions promote_types row_stack set_printoptions setbufsize seterr seterrcall show_config
show_runtime test trapz tril_indices triu_indices typename
"""
"""They take no arrays, or take them as anything that converts to an array."""

REFUSED = {
    name: function
    for name, function in PUBLIC.items()
    if function not in NUMPY and name not in (CREATION + WITHOUT_ARRAYS).split()
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_every_other_function_names_the_nearest_one(name: str):
    with (
        warnings.catch_warnings(action="ignore"),  # some are deprecated
        pytest.raises(TypeError, match="is not provided for Tensors") as error,
    ):
        REFUSED[name](*arguments(REFUSED[name]))
    (nearest,) = re.findall(r"use autodiff\.([\w.]+),", str(error.value))
    found: Any = autodiff
    for part in nearest.split("."):
        found = getattr(found, part)


def test_nearest_ones_are_named_for_functions_that_are_not_provided():
    provided = [name for name in NEAREST if PUBLIC.get(name) in NUMPY]
    assert not provided, f"no longer refused: {', '.join(provided)}"


def test_lstsq_gives_a_plain_tuple_as_numpy_does():
    a = autodiff.tensor([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]], dtype=autodiff.float64)
    found = np.linalg.lstsq(a, autodiff.tensor([2.0, 4.0, 0.0], dtype=autodiff.float64))
    assert type(found) is tuple
    np.testing.assert_allclose(found[0].numpy(), [1.0, 1.0])


def test_einsum_promotes_as_pytorch_does():
    floats, whole = autodiff.ones(3), autodiff.tensor([1, 2, 3])
    assert np.einsum("i,i->", floats, whole).dtype == autodiff.float32
