"""Functions of each element with options and as operators, and values stated in docstrings."""

import math

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor

DTYPES = ("float32", "float64", "int64", "uint8", "bool")


def values(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype == "uint8":
        return np.asarray(rng.integers(1, 5, shape)).astype(np.uint8)
    if dtype == "int64":
        return np.asarray(rng.integers(1, 5, shape) * rng.choice([-1, 1], shape))
    return np.asarray(rng.standard_normal(shape) * 2).astype(dtype)


def dtype_of(x) -> str:
    return str(x.dtype).rpartition(".")[2]


def check_equal(ours, theirs, tolerance: float = 1e-12):
    assert dtype_of(ours) == dtype_of(theirs)
    assert tuple(ours.shape) == tuple(theirs.shape)
    check_close(ours, theirs, tolerance)


def check_close(ours, theirs, tolerance: float, where_theirs_is_a_number: bool = False):
    if dtype_of(ours) == "float32":
        tolerance = 1e-5
    a = ours.detach().numpy().astype(float)
    b = theirs.detach().numpy(force=True).astype(float)
    if where_theirs_is_a_number:
        a = np.where(np.isnan(b), b, a)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def leaves(library, arrays):
    made = [library.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays]
    for x in made:
        if hasattr(x, "dtype") and x.dtype.is_floating_point:
            x.requires_grad_()
    return made


def check_like_torch(torch, name, arrays, call=None):
    """Values, dtypes, refusals and derivatives of `name` on these arrays are PyTorch's."""
    call = call or (lambda library, *xs: getattr(library, name)(*xs))
    mine, other = leaves(autodiff, arrays), leaves(torch, arrays)
    try:
        theirs = call(torch, *other)
    except (RuntimeError, TypeError):
        return  # dtypes that PyTorch's kernels lack, and numbers for tensors, are welcome here
    ours = call(autodiff, *mine)
    check_equal(ours, theirs)
    assert ours.requires_grad == theirs.requires_grad
    if not theirs.requires_grad:
        return
    wanted = [(x, y) for x, y in zip(mine, other) if hasattr(x, "dtype")]
    if not all(x.requires_grad for x, _ in wanted):
        return  # beside an integer PyTorch takes some derivatives in another dtype
    xs, ys = zip(*wanted)
    g = np.random.default_rng(1).standard_normal(theirs.shape).astype(dtype_of(theirs))
    try:
        theirs = torch.autograd.grad(
            theirs, ys, torch.tensor(g), create_graph=True, allow_unused=True
        )
    except RuntimeError as error:
        assert "not implemented" in str(error)
        return
    ours = autograd.grad(ours, xs, tensor(g), create_graph=True, allow_unused=True)
    check_gradients(ours, theirs)
    ours, theirs = (sum((t * t).sum() for t in ts if t.requires_grad) for ts in (ours, theirs))
    second = hasattr(ours, "dtype") and hasattr(theirs, "dtype") and dtype_of(ours) == "float64"
    if second and math.isfinite(theirs.item()):
        check_gradients(
            autograd.grad(ours, xs, allow_unused=True),
            torch.autograd.grad(theirs, ys, allow_unused=True),
        )


def check_gradients(ours, theirs):
    for a, b in zip(ours, theirs):
        if a is not None and b is not None:
            assert dtype_of(a) == dtype_of(b)
            check_close(a, b, 1e-7, where_theirs_is_a_number=True)


CALLS = {
    "add alpha": lambda t, x, y: t.add(x, y, alpha=3),
    "sub alpha": lambda t, x, y: t.sub(x, y, alpha=-2),
    "sub of numbers": lambda t, x, y: t.sub(x, 2.5, alpha=2) + t.sub(1.5, y),
    "div trunc": lambda t, x, y: t.div(x, y, rounding_mode="trunc"),
    "div floor": lambda t, x, y: t.div(x, y, rounding_mode="floor"),
    "lerp number": lambda t, x, y: t.lerp(x, y, 0.3) + t.lerp(x, y, 0.8),
    "lerp tensor": lambda t, x, y: t.lerp(x, y, t.sigmoid(x)),
    "addcmul": lambda t, x, y: t.addcmul(x, x, y, value=2),
    "addcdiv": lambda t, x, y: t.addcdiv(x, x, y, value=2),
    "clamp numbers": lambda t, x, y: t.clamp(x, -0.5, 0.7) + y.clamp(max=0.3) + x.clamp(0),
    "clamp empty": lambda t, x, y: t.clamp(x, 1.0, -1.0) + y,
    "clamp tensors": lambda t, x, y: t.clamp(x, y, y + 1) + t.clamp(y, max=x),
    "clamp mixed": lambda t, x, y: t.clamp(x, 0, y),
    "clamp_min": lambda t, x, y: t.clamp_min(x, 0.2) + x.clamp_max(y),
    "where": lambda t, x, y: t.where(x > y, x, y),
    "where numbers": lambda t, x, y: t.where(x > y, x, 2) + t.where(x > y, 1.5, y),
    "where method": lambda t, x, y: x.where(x > 0, y),
    "round": lambda t, x, y: t.round(x * 100, decimals=1) + t.round(y * 1000, decimals=-2),
    "logit eps": lambda t, x, y: t.logit(x, eps=0.1) + y,
    "nan_to_num": lambda t, x, y: t.nan_to_num(x / (y - y[0]), nan=1.0, posinf=3.0),
    "isclose": lambda t, x, y: t.isclose(x, x + y * 1e-8) & t.isclose(x, y, rtol=1, atol=1),
    "operators": lambda t, x, y: -x + abs(y) * 2 - 3 / x + x**2 - 2**y + x % y + 1 - y,
    "reflected": lambda t, x, y: (5 % x).detach() + (5 // y).detach() + (1 - x) * (2.0 - y),
    "comparisons": lambda t, x, y: (x < y) & (x != 1) | ~(y >= 0) ^ (x == x),
}


@pytest.mark.parametrize("dtypes", [("float64", "float64"), ("float32", "float32")], ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_functions_with_options_are_those_of_pytorch(name, dtypes, torch, rng):
    arrays = [values(d, (6,), rng) for d in dtypes]
    check_like_torch(torch, name, arrays, CALLS[name])


INTEGERS = {
    "div trunc": CALLS["div trunc"],
    "div floor": CALLS["div floor"],
    "add alpha": CALLS["add alpha"],
    "addcmul": CALLS["addcmul"],
    "clamp int": lambda t, x, y: t.clamp(x, -1, 2),
    "clamp float": lambda t, x, y: t.clamp(x, -0.5, 2),
    "clamp tensor": lambda t, x, y: t.clamp(x, y),
    "where": lambda t, x, y: t.where(x > y, x, 2.5),
    "where numbers": lambda t, x, y: t.where(x > y, 1, 2),
    "where of floats": lambda t, x, y: t.where(x > y, 1.5, 2),
    "shifts": lambda t, x, y: (x << 2) + (y >> 1),
    "bits": lambda t, x, y: (x & 3) + (2 | y) - (x ^ y) + ~x,
    "round": lambda t, x, y: t.round(x) + t.floor(y) + t.ceil(x) + t.trunc(y),
    "nan_to_num": lambda t, x, y: t.nan_to_num(x),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_functions_of_integers_are_those_of_pytorch(name, torch, rng):
    arrays = [values("int64", (6,), rng), values("int64", (6,), rng)]
    check_like_torch(torch, name, arrays, INTEGERS[name])


def test_in_place_operators_keep_the_tensor_and_its_gradient():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = same = x * 1
    y += 1
    y *= y
    y -= 0.5
    y /= 2
    y **= 2
    assert y is same
    y.sum().backward()
    expected = tensor([1.0, 2.0], requires_grad=True)
    ((((expected + 1) * (expected + 1) - 0.5) / 2) ** 2).sum().backward()
    assert autodiff.allclose(x.grad, expected.grad)
    n = tensor([5, 6])
    n &= 4
    n |= 1
    n ^= 7
    n <<= 2
    n >>= 1
    n //= 2
    n %= 3
    assert n.tolist() == [2, 2]


def test_a_leaf_is_written_under_no_grad_and_refused_outside():
    w, g = tensor([1.0, 2.0], requires_grad=True), tensor([1.0, 1.0])
    with pytest.raises(RuntimeError, match="leaf"):
        w -= g
    version = w._version
    with autodiff.no_grad():
        same = w
        w -= 0.5 * g
        w *= 2
        w += tensor([[1], [1]])[0]
        w.sub_(g, alpha=3)
    assert w is same
    assert w.requires_grad
    assert w.tolist() == [-1.0, 1.0]
    assert w._version == version + 4


def test_writing_in_place_is_refused_where_the_result_does_not_fit():
    with autodiff.no_grad():
        for x, y in (
            (tensor([1, 2]), 0.5),
            (tensor([1, 2]), tensor([0.5, 1.0])),
            (tensor([1.0]), tensor([1.0, 2.0])),
            (tensor([True]), 2),
            (autodiff.ones(1).expand(3), 1.0),
        ):
            before = x.tolist()
            with pytest.raises(RuntimeError):
                x += y
            assert x.tolist() == before


def test_integer_division_by_zero_is_an_error():
    x = tensor([1, 2])
    for divide in (lambda: x // 0, lambda: x % 0, lambda: autodiff.fmod(x, tensor([1, 0]))):
        with pytest.raises(RuntimeError, match="division by zero"):
            divide()
    assert (x / 0).tolist() == [math.inf, math.inf]
    assert (tensor([1.0]) // 0).tolist() == [math.inf]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: autodiff.clamp(x), RuntimeError),
        (lambda x: autodiff.div(x, 2, rounding_mode="up"), RuntimeError),
        (lambda x: autodiff.add(tensor([1]), 2, alpha=0.5), RuntimeError),
        (lambda x: autodiff.addcdiv(x, tensor([1]), tensor([2])), RuntimeError),
        (lambda x: autodiff.where(tensor([1]), x, x), RuntimeError),
        (lambda x: autodiff.where(True, x, x), TypeError),
        (lambda x: autodiff.isclose(x, x.double()), RuntimeError),
        (lambda x: autodiff.isclose(x, 1.0), TypeError),
        (lambda x: autodiff.equal(x, 1.0), TypeError),
        (lambda x: autodiff.exp([1.0]), TypeError),
        (lambda x: autodiff.exp(1.0), TypeError),
        (lambda x: autodiff.add(x, [1.0]), TypeError),
        (lambda x: x + object(), TypeError),
        (lambda x: x * None, TypeError),
        (lambda x: "a" + x, TypeError),
        (lambda x: x + tensor([1.0, 2.0, 3.0]), RuntimeError),
        (lambda x: ~x, NotImplementedError),
        (lambda x: x & x, NotImplementedError),
        (lambda x: tensor([2]) ** -1, RuntimeError),
        (lambda x: autodiff.round(tensor([12]), decimals=-1), RuntimeError),
    ],
)
def test_bad_arguments_are_refused(call, error):
    with pytest.raises(error):
        call(tensor([1.0, 2.0]))


def test_where_without_values_gives_the_indices():
    rows, columns = autodiff.where(tensor([[True, False], [False, True]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [0, 1])


def test_where_keeps_what_is_not_chosen_out_of_the_gradient():
    x = tensor([0.0, 4.0], requires_grad=True)
    autodiff.where(x > 0, x.sqrt(), 0.0)[1].backward()
    assert x.grad.tolist() == [0.0, 0.25] or math.isnan(x.grad[0])
    y = tensor([-1.0, 4.0], requires_grad=True)
    y.clamp(min=0).sqrt()[1].backward()
    assert y.grad[1] == 0.25


def test_closeness():
    a = tensor([1.0, math.nan, math.inf])
    assert autodiff.isclose(a, a).tolist() == [True, False, True]
    assert autodiff.isclose(a, a, equal_nan=True).tolist() == [True, True, True]
    assert autodiff.allclose(tensor([1.0]), tensor([1.0 + 1e-7]))
    assert not a.allclose(a) and not np.allclose(a, a) and not np.isclose(a, a)[1]
    one, zero = (tensor(x, dtype=autodiff.float64) for x in (1.0, 0.0))
    for isclose in (autodiff.isclose, autodiff.allclose, np.isclose, np.allclose):
        assert isclose(one + 0.9e-5, one) and not isclose(one + 1.1e-5, one)
        assert isclose(zero + 0.9e-8, zero) and not isclose(zero + 1.1e-8, zero)
    assert tensor([1, 2]).equal(tensor([1.0, 2.0]))
    assert not tensor([1, 2]).equal(tensor([1]))


def test_functions_stay_exact_where_the_plain_formula_does_not():
    assert autodiff.logaddexp(tensor(1000.0), tensor(1000.0)).item() == pytest.approx(1000.6931)
    assert tensor(-1000.0).sigmoid().item() == 0
    assert tensor(1e-10, dtype=autodiff.float64).expm1().item() == pytest.approx(1e-10, rel=1e-9)
    x = tensor([-200.0, 200.0], requires_grad=True)
    (g,) = autograd.grad(autodiff.logaddexp(x, tensor(0.0)).sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    assert g.tolist() == [0.0, 1.0]
    assert h.tolist() == [0.0, 0.0]


def test_float32_stays_float32_with_every_kind_of_scalar():
    x = tensor([1.5, 2.5], requires_grad=True)
    for y in (x**2, x**0.5, 2**x, x * np.float64(2), x.clamp(0.1, 0.9), np.maximum(x, 2)):
        assert y.dtype is autodiff.float32
        (g,) = autograd.grad(y.sum(), x, create_graph=True)
        assert g.dtype is autodiff.float32


def test_integers_to_negative_powers_are_rounded_to_zero():
    powers = tensor([-1, 2, -1, 1, 2]) ** tensor([-1, -1, -2, -3, 3])
    np.testing.assert_array_equal(powers.numpy(), [-1, 0, 1, 1, 8])
