"""autograd.functional against PyTorch's."""

import numpy as np
import pytest

import autodiff
from autodiff.autograd import functional
from tests.autodiff.test_transforms import assert_same, values_of

X = np.random.default_rng(0).normal(size=(3, 4))
W = np.random.default_rng(1).normal(size=4)


def one(x):
    return x.sin() * x


def two(x, w):
    return (x @ w).sin(), x * w


def scalar(x, w):
    return ((x @ w).sin() ** 2).sum()


def cubes(x):
    return (x**3).sum()


def constant(x):
    return x.detach() * 2


def of_the_first(x, y):
    return x * 2


def double(x):
    return x * 2


def total(x):
    return (x * 2).sum()


PROGRAMS = {
    "jacobian": lambda F, T: F.jacobian(one, T(X)),
    "jacobian of several": lambda F, T: F.jacobian(two, (T(X), T(W))),
    "jacobian of a tuple of one": lambda F, T: F.jacobian(lambda x: (x.sin(),), (T(X),)),
    "jacobian of a number": lambda F, T: F.jacobian(cubes, T(2.0)),
    "jacobian, vectorized": lambda F, T: F.jacobian(two, (T(X), T(W)), vectorize=True),
    "jacobian, forward": lambda F, T: F.jacobian(
        one, T(X), vectorize=True, strategy="forward-mode"
    ),
    "jacobian of a constant": lambda F, T: F.jacobian(constant, T(W)),
    "jacobian of what is not used": lambda F, T: F.jacobian(of_the_first, (T(W), T(W))),
    "jacobian, strict": lambda F, T: F.jacobian(one, T(W), strict=True),
    "hessian": lambda F, T: F.hessian(cubes, T(W)),
    "hessian of several": lambda F, T: F.hessian(scalar, (T(X), T(W))),
    "hessian, vectorized": lambda F, T: F.hessian(scalar, (T(X), T(W)), vectorize=True),
    "hessian, forward": lambda F, T: F.hessian(
        cubes, T(W), vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "hessian of a tuple of one": lambda F, T: F.hessian(cubes, (T(W),)),
    "hessian of a linear function": lambda F, T: F.hessian(total, T(W)),
    "hessian, strict": lambda F, T: F.hessian(cubes, T(W), strict=True),
    "vjp": lambda F, T: F.vjp(two, (T(X), T(W)), (T(X[:, 0].copy()), T(X))),
    "vjp without v": lambda F, T: F.vjp(cubes, T(X)),
    "vjp of a constant": lambda F, T: F.vjp(constant, T(W), T(W)),
    "vjp of what is not used": lambda F, T: F.vjp(of_the_first, (T(W), T(W)), T(W)),
    "jvp": lambda F, T: F.jvp(two, (T(X), T(W)), (T(X + 1), T(W + 2))),
    "jvp without v": lambda F, T: F.jvp(lambda x: x * T(W), T(2.0)),
    "jvp of one": lambda F, T: F.jvp(one, T(X), T(X)),
    "jvp of a constant": lambda F, T: F.jvp(constant, T(W), T(W)),
    "vhp": lambda F, T: F.vhp(scalar, (T(X), T(W)), (T(X + 1), T(W + 2))),
    "vhp of a linear function": lambda F, T: F.vhp(total, T(W), T(W)),
    "hvp": lambda F, T: F.hvp(scalar, (T(X), T(W)), (T(X + 1), T(W + 2))),
    "hvp of one": lambda F, T: F.hvp(cubes, T(W), T(W + 1)),
    "hvp of a linear function": lambda F, T: F.hvp(total, T(W), T(W)),
    "hvp without v": lambda F, T: F.hvp(cubes, T(2.0)),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_nesting_are_those_of_pytorch(name: str, torch):
    expected = values_of(PROGRAMS[name](torch.autograd.functional, torch.tensor))
    assert_same(values_of(PROGRAMS[name](functional, autodiff.tensor)), expected)


REFUSED = {
    "v of another shape": lambda F, T: F.vjp(one, T(X), T(W)),
    "too many v": lambda F, T: F.vjp(one, T(X), (T(X), T(X))),
    "no v": lambda F, T: F.vjp(one, T(X)),
    "no v for jvp": lambda F, T: F.jvp(one, T(X)),
    "v of another shape for hvp": lambda F, T: F.hvp(cubes, T(W), T(X)),
    "hvp of a vector": lambda F, T: F.hvp(one, T(W), T(W)),
    "vhp of a tuple": lambda F, T: F.vhp(lambda x: (x.sum(),), T(W), T(W)),
    "hessian of a vector": lambda F, T: F.hessian(one, T(W)),
    "a strict constant": lambda F, T: F.jacobian(constant, T(W), strict=True),
    "a strict constant for vjp": lambda F, T: F.vjp(constant, T(W), T(W), strict=True),
    "a strict constant for jvp": lambda F, T: F.jvp(constant, T(W), T(W), strict=True),
    "strict and not used": lambda F, T: F.jacobian(of_the_first, (T(W), T(W)), strict=True),
    "strict, linear, create_graph": lambda F, T: F.jacobian(
        double, T(W), strict=True, create_graph=True
    ),
    "a strict hessian of zeros": lambda F, T: F.hessian(total, T(W), strict=True),
    "a strict hvp of zeros": lambda F, T: F.hvp(total, T(W), T(W), strict=True),
    "a strict vhp of zeros": lambda F, T: F.vhp(total, T(W), T(W), strict=True),
    "strict and vectorized": lambda F, T: F.jacobian(one, T(W), strict=True, vectorize=True),
    "forward without vectorize": lambda F, T: F.jacobian(one, T(W), strategy="forward-mode"),
    "forward with create_graph": lambda F, T: F.jacobian(
        one, T(W), create_graph=True, vectorize=True, strategy="forward-mode"
    ),
    "an unknown strategy": lambda F, T: F.jacobian(one, T(W), strategy="sideways"),
    "integers": lambda F, T: F.jacobian(one, T([1, 2])),
    "a number": lambda F, T: F.jacobian(one, 3.0),
    "a list of outputs": lambda F, T: F.jacobian(lambda x: [x], T(W)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name: str, torch):
    errors = (RuntimeError, ValueError, TypeError, NotImplementedError, AssertionError)
    with pytest.raises(errors):
        REFUSED[name](torch.autograd.functional, torch.tensor)
    with pytest.raises(errors):
        REFUSED[name](functional, autodiff.tensor)


def test_known_values():
    x = autodiff.tensor([1.0, 2.0])
    assert functional.jacobian(lambda x: x**2, x).tolist() == [[2, 0], [0, 4]]
    assert functional.hessian(cubes, x).tolist() == [[6, 0], [0, 12]]
    assert functional.hvp(cubes, x, x)[1].tolist() == [6, 24]


@pytest.mark.parametrize("vectorize", [False, True])
def test_create_graph_leads_back_to_the_inputs(vectorize: bool):
    x = autodiff.tensor(W, requires_grad=True)
    functional.jacobian(lambda x: x**3, x, create_graph=True, vectorize=vectorize).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * W)
    x.grad = None
    functional.hessian(cubes, x, create_graph=True, vectorize=vectorize).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(4, 6.0))


@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp"])
def test_products_with_create_graph_lead_back_to_the_inputs(name: str):
    x, v = autodiff.tensor(W, requires_grad=True), autodiff.ones(4, dtype=autodiff.float64)
    f = cubes if name in ("vhp", "hvp") else lambda x: x**3
    getattr(functional, name)(f, x, v, create_graph=True)[1].sum().backward()
    expected = np.full(4, 6.0) if name in ("vhp", "hvp") else 6 * W
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_results_are_off_the_tape_without_create_graph():
    x = autodiff.tensor(W, requires_grad=True)
    for f in (functional.vjp, functional.jvp, functional.vhp, functional.hvp):
        assert not any(t.requires_grad for t in f(cubes, x, x if f != functional.vjp else None))
    assert not functional.jacobian(one, x).requires_grad
    assert not functional.hessian(cubes, x).requires_grad
    assert x.grad is None


def test_equal_singular_values_give_nan_in_either_order():
    one, v = autodiff.eye(2, dtype=autodiff.float64), autodiff.ones(2, 2, dtype=autodiff.float64)
    for product in (functional.hvp, functional.vhp):
        found = product(lambda x: (autodiff.linalg.svdvals(x) ** 2).sum(), one, v)[1]
        assert found.isnan().any()
    found = functional.jvp(lambda x: autodiff.linalg.eigh(x)[1], one, v)[1]
    assert not found.isfinite().all()
