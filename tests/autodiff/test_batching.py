"""vmap against a loop over the examples, for every operation; and against PyTorch."""

import copy
import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff import func, vmap
from autodiff.batch_rules import one_by_one, rule_of
from autodiff.families import REGISTRY
from autodiff.gradients import grad
from autodiff.primitive import Primitive
from autodiff.tape import modes
from autodiff.tensor import Tensor, apply, make
from tests.autodiff.compiler.test_expressions import EXPRESSIONS, READS_VALUES, SEEDS, Expression
from tests.autodiff.samples import Sample
from tests.autodiff.test_primitives import CASES, SMOOTH, active, weights
from tests.autodiff.test_transforms import assert_same, in_pytorch, values_of

SIZE = 3
X = np.random.default_rng(0).normal(size=(3, 4))
W = np.random.default_rng(1).normal(size=4)
M = np.random.default_rng(2).normal(size=(5, 3, 4))

LOOPED = {"isin", "median", "bincount", "nonzero", "unique", "elman", "lstm"}
"""The operations without a rule for a batch, of which three give shapes that depend on values; the
last two have one where all examples have the same weights."""

NOT_RANDOM = [case for case in CASES if case.values[0].family != "random"]


def subsets(count: int) -> list[tuple[int, ...]]:
    """Which of that many arguments differ from one example to the next."""
    numbers = range(count)
    return [s for n in numbers for s in itertools.combinations(numbers, n + 1)]


def examples(sample: Sample, mapped: tuple[int, ...]) -> list[list[np.ndarray]]:
    """The arguments of each example: those not mapped are the first one's."""
    drawn = [sample.arrays(seed=seed) for seed in range(SIZE)]
    return [[a[i] if i in mapped else drawn[0][i] for i in range(len(a))] for a in drawn]


def stacked(
    cases: list[list[np.ndarray]], mapped: tuple[int, ...], dim: int
) -> tuple[list[Tensor], tuple[int | None, ...]]:
    """The arguments with the examples along an axis, and in_dims."""
    columns = list(zip(*cases, strict=True))
    arguments = [
        make(np.stack(c, dim) if i in mapped else c[0].copy()) for i, c in enumerate(columns)
    ]
    return arguments, tuple(dim if i in mapped else None for i in range(len(columns)))


def varies(primitive: Primitive, sample: Sample, mapped: tuple[int, ...]) -> bool:
    """Whether examples may give results of different shapes, which is refused."""
    if primitive.name in ("nonzero", "unique", "bincount"):
        return True
    arrays = sample.arrays()
    if not primitive.varying(*arrays):
        return False
    index = [i for i in mapped if arrays[i].dtype.kind in "ib" and i > 0]
    return bool(index)


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize(("primitive", "sample"), NOT_RANDOM)
def test_vmap_is_a_loop(primitive: Primitive, sample: Sample, dim: int):
    def f(*tensors):
        return apply(primitive, tensors, copy.deepcopy(sample.parameters))

    for mapped in subsets(len(sample.arguments)):
        cases = examples(sample, mapped)
        arguments, in_dims = stacked(cases, mapped, dim)
        if varies(primitive, sample, mapped):
            with pytest.raises(RuntimeError, match="vmap"):
                vmap(f, in_dims)(*arguments)
            continue
        expected = [f(*map(make, case))._array for case in cases]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if primitive.name in LOOPED else "error")
            found = vmap(f, in_dims)(*arguments)
        assert found._array.dtype == expected[0].dtype
        np.testing.assert_allclose(found._array, np.stack(expected), 1e-10, 1e-12)


def test_every_operation_but_a_few_has_a_rule():
    looped = {
        p.name for p in REGISTRY.values() if p.family != "random" and rule_of(p) is one_by_one
    }
    assert looped <= LOOPED


@pytest.mark.filterwarnings("ignore:vmap runs")
@pytest.mark.parametrize(("primitive", "sample"), SMOOTH)
def test_gradients_inside_and_outside_vmap_are_those_of_a_loop(
    primitive: Primitive, sample: Sample
):
    positions = active(primitive, sample)

    def gradients(*tensors):
        def product(*variables):
            values = list(tensors)
            for i, v in zip(positions, variables, strict=True):
                values[i] = v
            return apply(primitive, values, copy.deepcopy(sample.parameters))

        out, pull = func.vjp(product, *[tensors[i] for i in positions])
        return pull(make(weights(out._array)))

    for mapped in {tuple(positions[:1]), tuple(positions[-1:]), tuple(positions)}:
        cases = examples(sample, mapped)
        arguments, in_dims = stacked(cases, mapped, 0)
        expected = [gradients(*map(make, case)) for case in cases]
        found = vmap(gradients, in_dims)(*arguments)
        for i, column in enumerate(zip(*expected, strict=True)):
            np.testing.assert_allclose(
                found[i]._array, np.stack([g._array for g in column]), 1e-9, 1e-11
            )
        leaves = [arguments[i].requires_grad_() for i in positions]
        out = vmap(lambda *t: apply(primitive, t, copy.deepcopy(sample.parameters)), in_dims)(
            *arguments
        )
        one = weights(out._array[0])
        outside = grad(out, leaves, make(np.broadcast_to(one, out._array.shape).copy()))
        for i, g, column in zip(positions, outside, zip(*expected, strict=True), strict=True):
            each = np.stack([e._array for e in column])
            np.testing.assert_allclose(g._array, each if i in mapped else each.sum(0), 1e-8, 1e-10)


@pytest.mark.filterwarnings("ignore:vmap runs isin")
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_public_functions_run_inside_vmap(text: str):
    expression = Expression(text)
    given = [expression.arguments(seed) for seed in SEEDS]
    mapped = [i for i, t in enumerate(given[0]) if t.requires_grad]
    fixed = [t.detach() for t in given[0]]

    def values(*tensors):
        arguments = list(fixed)
        for i, t in zip(mapped, tensors, strict=True):
            arguments[i] = t
        return [r for r in expression(*arguments) if isinstance(r, Tensor)]

    def gradients(*tensors):
        def loss(*tensors):
            results = [r for r in values(*tensors) if r.is_floating_point()]
            return sum((r**2 * (i + 1)).sum() for i, r in enumerate(results))

        return list(func.grad(loss, tuple(range(len(mapped))))(*tensors))

    columns = [[row[i].detach()._array for row in given] for i in mapped]
    for f in (values, gradients):
        try:
            expected = [f(*[make(c[k].copy()) for c in columns]) for k in range(len(SEEDS))]
            shapes = [[r.shape for r in row] for row in expected]
        except Exception:
            continue  # refused without vmap
        if not columns or not expected[0]:
            continue
        if any(word in text for word in READS_VALUES) and shapes.count(shapes[0]) < len(shapes):
            continue
        try:
            found = vmap(f)(*[make(np.stack(c)) for c in columns])
        except RuntimeError as error:
            assert "vmap" in str(error) and any(word in text for word in READS_VALUES), error
            continue
        for i, r in enumerate(found):
            column = np.stack([row[i]._array for row in expected])
            assert r._array.dtype == column.dtype
            np.testing.assert_allclose(r._array, column, 1e-8, 1e-10)


# The same programs in PyTorch


def embedded(F: Any, T: Any) -> Any:
    table = T(X)
    return F.vmap(lambda i: table[i].sum())(T(np.array([[0, 2], [1, 1]])))


PROGRAMS = {
    "sum": lambda F, T: F.vmap(lambda x: x.sum())(T(X)),
    "a matrix and a vector": lambda F, T: F.vmap(lambda x: T(X) @ x)(T(X)),
    "dot": lambda F, T: F.vmap(lambda x, y: x @ y)(T(X), T(2 * X)),
    "in_dims": lambda F, T: F.vmap(lambda x, w: x * w, in_dims=(1, None))(T(X), T(X[:, 0].copy())),
    "a negative in_dim": lambda F, T: F.vmap(lambda x: x.sum(0), in_dims=-1)(T(M)),
    "out_dims": lambda F, T: F.vmap(lambda x: x * 2, out_dims=1)(T(M)),
    "a negative out_dim": lambda F, T: F.vmap(lambda x: x * 2, out_dims=-1)(T(M)),
    "several out_dims": lambda F, T: F.vmap(lambda x: (x, {"y": x}), out_dims=(0, 1))(T(M)),
    "nested in_dims": lambda F, T: F.vmap(
        lambda a: a["x"] @ a["w"][0], in_dims=({"x": 0, "w": [None]},)
    )({"x": T(M), "w": [T(W)]}),
    "a dict of results": lambda F, T: F.vmap(lambda x: {"a": x, "b": [x + 1]})(T(X)),
    "an argument that is no tensor": lambda F, T: F.vmap(lambda x, n: x**n, (0, None))(T(X), 2),
    "a keyword": lambda F, T: F.vmap(lambda x, *, w: x @ w)(T(X), w=T(W)),
    "a result that is the same": lambda F, T: F.vmap(lambda x: T(W).sum())(T(X)),
    "a result without examples": lambda F, T: F.vmap(lambda x: T(W), out_dims=None)(T(X)),
    "no examples": lambda F, T: F.vmap(lambda x: x.sum())(T(np.zeros((0, 3)))),
    "chunks": lambda F, T: F.vmap(lambda x: (x @ T(W), x), out_dims=(0, 1), chunk_size=2)(T(M)),
    "an index of the example": lambda F, T: F.vmap(lambda x, i: x[i])(T(X), T([0, 3, 1])),
    "an index of a shared tensor": embedded,
    "an index between slices": lambda F, T: F.vmap(lambda x, i: x[:, i])(T(M), T([[0, 1]] * 5)),
    "masked_fill": lambda F, T: F.vmap(lambda x: x.masked_fill(x > 0, 0.0))(T(X)),
    "sort": lambda F, T: F.vmap(lambda x: x.sort(descending=True)[0])(T(X)),
    "topk": lambda F, T: F.vmap(lambda x: tuple(x.topk(2)))(T(X)),
    "max": lambda F, T: F.vmap(lambda x: tuple(x.max(0)))(T(M)),
    "softmax": lambda F, T: F.vmap(lambda x: x.softmax(-1))(T(M)),
    "transpose": lambda F, T: F.vmap(lambda x: x.T @ x)(T(M)),
    "reshape": lambda F, T: F.vmap(lambda x: x.reshape(2, -1))(T(M)),
    "flatten": lambda F, T: F.vmap(lambda x: x.flatten())(T(M)),
    "expand": lambda F, T: F.vmap(lambda x: x.expand(2, -1, -1))(T(M)),
    "unbind": lambda F, T: F.vmap(lambda x: x.unbind(0)[1] + x.unbind(1)[0].sum())(T(M)),
    "split": lambda F, T: F.vmap(lambda x: x.split(2, -1))(T(M)),
    "cumsum": lambda F, T: F.vmap(lambda x: x.cumsum(-1))(T(M)),
    "var": lambda F, T: F.vmap(lambda x: x.var())(T(M)),
    "0-d tensors keep their rank in promotion": lambda F, T: F.vmap(
        lambda x: T(np.ones(2, np.float32)) * x
    )(T(np.ones(3))),
    "vmap of vmap": lambda F, T: F.vmap(F.vmap(lambda x, y: x @ y, (0, None)), (None, 0))(
        T(X), T(2 * X)
    ),
    "an inner vmap over a shared tensor": lambda F, T: F.vmap(
        lambda x: F.vmap(lambda y: x * y)(T(X))
    )(T(X)),
    "writing in place": lambda F, T: F.vmap(lambda x: (x * 1).add_(1).mul_(x))(T(X)),
    "writing to part": lambda F, T: F.vmap(lambda x: written(x * 1))(T(X)),
    "views of what is written": lambda F, T: F.vmap(lambda x: through_a_view(x * 1))(T(X)),
}


def written(x: Any) -> Any:
    x[1:] = x[0]
    x[0] = 7.0
    return x


def through_a_view(x: Any) -> Any:
    part = x[1:3]
    part += 10
    return x


@in_pytorch
@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_nesting_are_those_of_pytorch(name: str, torch):
    expected = values_of(PROGRAMS[name](torch.func, torch.tensor))
    assert_same(values_of(PROGRAMS[name](func, autodiff.tensor)), expected)


REFUSED = {
    "different sizes": lambda F, T: F.vmap(lambda x, y: x, (0, 1))(T(X), T(X)),
    "no in_dims": lambda F, T: F.vmap(lambda x: x, None)(T(X)),
    "a list of in_dims": lambda F, T: F.vmap(lambda x: x, [0])(T(X)),
    "in_dims None for all": lambda F, T: F.vmap(lambda x: x, (None,))(T(X)),
    "a float in_dim": lambda F, T: F.vmap(lambda x: x, 0.5)(T(X)),
    "too few in_dims": lambda F, T: F.vmap(lambda x, y: x + y, (0,))(T(X), T(X)),
    "in_dims of another dict": lambda F, T: F.vmap(lambda d: d["b"], ({"a": 0},))({"b": T(X)}),
    "an in_dim out of range": lambda F, T: F.vmap(lambda x: x, 2)(T(X)),
    "a 0-d tensor": lambda F, T: F.vmap(lambda x: x)(T(2.0)),
    "a number": lambda F, T: F.vmap(lambda x: x)(3.0),
    "no arguments": lambda F, T: F.vmap(lambda: T(W))(),
    "a result that is no tensor": lambda F, T: F.vmap(lambda x: 3)(T(X)),
    "too many out_dims": lambda F, T: F.vmap(lambda x: x, out_dims=(0, 0))(T(X)),
    "out_dims of a list": lambda F, T: F.vmap(lambda x: [x, x], out_dims=(0, 1))(T(X)),
    "an out_dim out of range": lambda F, T: F.vmap(lambda x: x, out_dims=7)(T(X)),
    "out_dim None of a batch": lambda F, T: F.vmap(lambda x: x, out_dims=None)(T(X)),
    "an unknown randomness": lambda F, T: F.vmap(lambda x: x, randomness="maybe")(T(X)),
    "no chunks": lambda F, T: F.vmap(lambda x: x, chunk_size=0)(T(X)),
    "a branch": lambda F, T: F.vmap(lambda x: x if x.sum() > 0 else -x)(T(X)),
    "item": lambda F, T: F.vmap(lambda x: x.sum().item())(T(X)),
    "float": lambda F, T: F.vmap(lambda x: float(x.sum()))(T(X)),
    "numpy": lambda F, T: F.vmap(lambda x: x.numpy())(T(X)),
    "tolist": lambda F, T: F.vmap(lambda x: x.tolist())(T(X)),
    "nonzero": lambda F, T: F.vmap(lambda x: x.nonzero())(T(X)),
    "a mask as an index": lambda F, T: F.vmap(lambda x: x[x > 0])(T(X)),
    "backward": lambda F, T: F.vmap(lambda x: (x * T(W).requires_grad_()).sum().backward())(T(X)),
    "writing a batch to a shared tensor": lambda F, T: F.vmap(lambda x: T(W).add_(x))(T(X)),
    "a shape that does not fit": lambda F, T: F.vmap(lambda x: x + T(W[:3]))(T(X)),
    "an axis that the example has not": lambda F, T: F.vmap(lambda x: x.sum(1))(T(X)),
    "a negative axis that it has not": lambda F, T: F.vmap(lambda x: x.sum(-2))(T(X)),
}


@in_pytorch
@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name: str, torch):
    errors = (RuntimeError, ValueError, TypeError, IndexError)
    with pytest.raises(errors):
        REFUSED[name](torch.func, torch.tensor)
    with pytest.raises(errors):
        REFUSED[name](func, autodiff.tensor)
    assert modes.vmap is None and modes.flags == 1


def test_errors_tell_what_to_do():
    with pytest.raises(RuntimeError, match=r"item\(\).*where\(\)"):
        vmap(lambda x: x if x.sum() > 0 else -x)(autodiff.tensor(X))
    with pytest.raises(RuntimeError, match="randomness='same'"):
        vmap(lambda x: x + autodiff.rand(4))(autodiff.tensor(X))
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        vmap(lambda x, y: x, (0, 1))(autodiff.tensor(X), autodiff.tensor(X))
    kept = []
    vmap(lambda x: kept.append(x) or x)(autodiff.tensor(X))
    with pytest.raises(RuntimeError, match="vmap"):
        kept[0] + 1
    with pytest.raises(RuntimeError, match="vmap"):
        vmap(lambda x: x + kept[0])(autodiff.tensor(X))


def test_a_tensor_inside_can_be_printed():
    shown = []
    vmap(lambda x: shown.append(repr(x)) or x)(autodiff.tensor([[1.0, 2.0]]))
    assert shown == ["Tensor(all examples: tensor([[1., 2.]]))"]


# Randomness


def test_different_randomness_draws_for_each_example():
    x = autodiff.zeros(4)
    for draw in (
        lambda x: autodiff.randn(3) + x,
        lambda x: autodiff.rand_like(x) + autodiff.randint(0, 1000, ()),
        lambda x: autodiff.randperm(50),
        lambda x: autodiff.bernoulli(autodiff.full((50,), 0.5)),
        lambda x: autodiff.bernoulli(x.expand(50) + 0.5),
        lambda x: autodiff.poisson(x.expand(20) + 5),
        lambda x: autodiff.multinomial(autodiff.ones(50), 20),
        lambda x: nn.functional.dropout(autodiff.ones(50)),
    ):
        drawn = vmap(draw, randomness="different")(x).numpy().reshape(4, -1)
        assert len({row.tobytes() for row in drawn}) == 4


def test_same_randomness_draws_once():
    x = autodiff.zeros(4)
    for draw in (
        lambda x: autodiff.randn(3) + x,
        lambda x: autodiff.rand_like(x),
        lambda x: nn.functional.dropout(x + autodiff.ones(50)),
    ):
        for chunk_size in (None, 2):
            drawn = vmap(draw, randomness="same", chunk_size=chunk_size)(x).numpy()
            assert len({row.tobytes() for row in drawn.reshape(4, -1)}) == 1
    with pytest.raises(RuntimeError, match="different"):
        vmap(autodiff.bernoulli, randomness="same")(x)


def test_nested_runs_have_randomness_of_their_own():
    def outer(x):
        return vmap(lambda y: autodiff.rand(3), randomness="different")(autodiff.zeros(2))

    drawn = vmap(outer, randomness="same")(autodiff.zeros(4)).numpy()
    assert (drawn == drawn[:1]).all() and not (drawn[0, 0] == drawn[0, 1]).all()
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(outer)(autodiff.zeros(4))


# Tapes


def test_captured_tensors_get_the_sum_of_the_gradients():
    w = autodiff.tensor(W, requires_grad=True)
    vmap(lambda x: (x * w).sin().sum())(autodiff.tensor(X)).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), (X * np.cos(X * W)).sum(0))


def test_results_may_be_differentiated_twice_outside():
    x = autodiff.tensor(X, requires_grad=True)
    (first,) = grad(vmap(lambda x: (x**3).sum())(x).sum(), x, create_graph=True)
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * X)


def test_autograd_grad_works_inside():
    def f(x):
        x = x.detach().requires_grad_()
        (g,) = grad((x**3).sum(), x)
        return g

    np.testing.assert_allclose(vmap(f)(autodiff.tensor(X)).numpy(), 3 * X**2)


def test_no_grad_inside_takes_results_off_the_tape():
    w = autodiff.tensor(W, requires_grad=True)
    with autodiff.no_grad():
        assert not vmap(lambda x: x * w)(autodiff.tensor(X)).requires_grad
    assert vmap(lambda x: x * w)(autodiff.tensor(X)).requires_grad


def test_anomaly_detection_finds_nan_inside():
    with autodiff.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="nan"):
        vmap(func.grad(lambda x: (x * 0.0).sqrt() * 0.0))(autodiff.tensor(W))


def test_custom_operations_run_inside():
    class Double(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = autodiff.tensor(X, requires_grad=True)
    out = vmap(lambda x: Double.apply(x, 2).sum())(x)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), 2 * X.sum(1))
    np.testing.assert_allclose(x.grad.numpy(), np.full_like(X, 2))
    each = vmap(func.grad(lambda x: Double.apply(x, 2).sum()))(autodiff.tensor(X))
    np.testing.assert_allclose(each.numpy(), np.full_like(X, 2))


def test_writing_in_place_reaches_the_argument_and_its_gradient():
    x = autodiff.tensor(X)
    vmap(lambda x: x.add_(1))(x)
    np.testing.assert_allclose(x.numpy(), X + 1)
    w = autodiff.tensor(X, requires_grad=True)
    vmap(lambda w: (w * 2).mul_(3).sum())(w).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), np.full_like(X, 6))

    def f(x):
        y = x * 2
        y += 1
        y[0] = 5.0
        return (y * y).sum()

    found = vmap(func.grad(f))(autodiff.tensor(X)).numpy()
    expected = 4 * (2 * X + 1)
    expected[:, 0] = 0
    np.testing.assert_allclose(found, expected)


def test_keys_of_arrays_are_written_where_they_point():
    rows, columns = autodiff.tensor([0, 2, 1]), autodiff.tensor([1, 0, 1])
    mask = autodiff.tensor(M[0] > 0)
    z = np.random.default_rng(3).normal(size=(3, 3, 4, 2))

    def f(x, v):
        x = x * 1
        x[rows, :, columns] = v
        x[:, rows[:2]] += v[:2, :2].T[:, :, None].sum(0)
        x[..., 0][mask] = v[0, 0]
        x[1] = 2.0
        return x

    arguments = autodiff.tensor(z), autodiff.tensor(M[:3])
    each = [f(arguments[0][i], arguments[1][i]).numpy() for i in range(3)]
    np.testing.assert_allclose(vmap(f)(*arguments).numpy(), np.stack(each))
    shared = autodiff.tensor(M[0])
    each = [f(arguments[0][i], shared).numpy() for i in range(3)]
    np.testing.assert_allclose(vmap(f, (0, None))(arguments[0], shared).numpy(), np.stack(each))


def test_keys_that_differ_between_examples_are_written():
    def f(x, i, v):
        y = x * 2
        y[i] = v
        y[0, i] += 1.0
        y[i[0]] = y[i[0]] * 2
        return y

    x, i, v = autodiff.tensor(M), autodiff.tensor([[0, 2]] * 3 + [[1, 0]] * 2), autodiff.tensor(W)
    each = [f(x[b], i[b], v).numpy() for b in range(5)]
    np.testing.assert_allclose(vmap(f, (0, 0, None))(x, i, v).numpy(), np.stack(each))
    slope = func.grad(lambda x, i, v: (f(x, i, v) ** 3).sum(), (0, 2))
    alone = [slope(x[b], i[b], v) for b in range(5)]
    for k, g in enumerate(vmap(slope, (0, 0, None))(x, i, v)):
        np.testing.assert_allclose(g.numpy(), np.stack([a[k].numpy() for a in alone]))
    with pytest.raises(RuntimeError, match="mask"):
        vmap(lambda x: (x * 1).__setitem__(x > 0, 0.0))(x)


def test_a_saved_value_that_is_written_is_found():
    def f(x):
        y = x.exp()
        out = y.sin()
        y.add_(1)
        return out.sum()

    with pytest.raises(RuntimeError, match="modified by an in-place"):
        vmap(func.grad(f))(autodiff.tensor(X))


def test_writing_through_views_has_the_right_gradients():
    def f(x):
        y = x * 2
        part, whole = y[1:], y.reshape(2, 2)
        part.mul_(x[:3])
        whole[0, 0] = x[3]
        y.add_(1)
        return (part**2).sum() + (whole**3).sum() + (y.T * x).sum()

    for argument in (X, np.asfortranarray(X), X[:, ::-1]):
        each = [func.grad(f)(autodiff.tensor(x)).numpy() for x in argument]
        found = vmap(func.grad(f))(autodiff.tensor(argument))
        np.testing.assert_allclose(found.numpy(), np.stack(each))
        twice = vmap(vmap(func.grad(f)))(autodiff.tensor(np.stack([argument] * 2)))
        np.testing.assert_allclose(twice.numpy(), np.stack([each] * 2))
        leaf = autodiff.tensor(argument, requires_grad=True)
        vmap(f)(leaf).sum().backward()
        np.testing.assert_allclose(leaf.grad.numpy(), np.stack(each))


def test_writes_that_would_go_wrong_are_refused_unwritten():
    x = autodiff.tensor(X)
    shared = autodiff.zeros(4, dtype=autodiff.float64)
    with pytest.raises(RuntimeError, match="share"):
        vmap(lambda x: shared.copy_(x))(x)
    assert shared.tolist() == [0, 0, 0, 0]
    with pytest.raises(RuntimeError, match="leaf"):
        vmap(lambda x: x.add_(1))(autodiff.tensor(X, requires_grad=True))


def test_a_loop_warns_once_and_names_the_operation():
    with pytest.warns(UserWarning, match="median") as caught:
        vmap(lambda x: x.median())(autodiff.tensor(X))
    assert len(caught) == 1


def test_a_training_step_uses_gradients_of_each_sample():
    net = nn.Linear(4, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    x, y = autodiff.randn(8, 4), autodiff.randn(8, 1)

    def loss(params, x, y):
        return ((func.functional_call(net, params, (x,)) - y) ** 2).mean()

    losses = []
    for _ in range(20):
        params = {k: p.detach() for k, p in net.named_parameters()}
        each = vmap(func.grad_and_value(loss), in_dims=(None, 0, 0))(params, x, y)
        losses.append(each[1].mean().item())
        for name, p in net.named_parameters():
            p.grad = each[0][name].mean(0)
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


def test_modules_with_convolutions_have_gradients_of_each_sample():
    weight, x = autodiff.randn(2, 3, 3, 3), autodiff.randn(4, 3, 6, 6)

    def loss(weight, x):
        return nn.functional.conv2d(x[None], weight, padding=1).tanh().sum()

    each = vmap(func.grad(loss), in_dims=(None, 0))(weight, x)
    for i in range(4):
        alone = func.grad(loss)(weight, x[i])
        np.testing.assert_allclose(each[i].numpy(), alone.numpy(), 1e-4, 1e-5)


def test_numpy_functions_of_one_example_work_inside():
    x = autodiff.ones(2, 3, 4)
    assert vmap(np.ravel)(x).shape == (2, 12)
    with pytest.raises(ValueError, match="not all of length 1"):
        vmap(lambda x: np.squeeze(x, 0))(x)
