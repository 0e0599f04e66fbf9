"""Derivatives as functions of functions, against numeric derivatives and PyTorch."""

import threading
from typing import Any

import numpy as np
import pytest

import autodiff
from autodiff import func
from autodiff.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from autodiff.primitive import Primitive
from autodiff.tensor import make
from tests.autodiff.samples import Sample
from tests.autodiff.test_primitives import (
    SMOOTH,
    differentiable,
    dot,
    each_smooth_case,
    weights,
)

rng = np.random.default_rng(0)
X, W = rng.normal(size=(3, 4)), rng.normal(size=4)


# Every operation


@each_smooth_case
def test_jvp_is_the_transpose_of_vjp(primitive: Primitive, sample: Sample):
    f, arrays = differentiable(primitive, sample)
    along = [weights(a, seed=7) for a in arrays]
    primals = tuple(map(make, arrays))
    out, tangent = jvp(f, primals, tuple(map(make, along)))
    again, product = vjp(f, *primals)
    g = weights(out._array)
    assert tangent.shape == out.shape and tangent.dtype == out.dtype
    assert not tangent.requires_grad and not out.requires_grad
    np.testing.assert_array_equal(again._array, out._array)
    assert dot([tangent], [g]) == pytest.approx(dot(product(make(g)), along), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("primitive", "sample"), [c for c in SMOOTH if c.values[0].family != "random"]
)
def test_jacobians_in_both_modes_agree(primitive: Primitive, sample: Sample):
    f, arrays = differentiable(primitive, sample)
    positions = tuple(range(len(arrays)))
    tensors = tuple(map(make, arrays))
    for a, b in zip(jacrev(f, positions)(*tensors), jacfwd(f, positions)(*tensors), strict=True):
        np.testing.assert_allclose(a._array, b._array, 1e-9, 1e-11)


# The same programs in PyTorch


def values_of(result: Any) -> Any:
    """Tensors as arrays, nested as they are."""
    if hasattr(result, "detach"):
        return np.array(result.detach().numpy())
    if isinstance(result, dict):
        return {k: values_of(v) for k, v in result.items()}
    if isinstance(result, (tuple, list)):
        return type(result)(values_of(v) for v in result)
    return result


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, 1e-9, 1e-12)
    elif isinstance(expected, (dict, tuple, list)):
        assert len(found) == len(expected)
        if isinstance(expected, dict):
            assert list(found) == list(expected)
            found, expected = found.values(), expected.values()
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    else:
        assert found == expected


def two(x, w):
    return (x @ w).sin(), {"a": x * w}


def scalar(x, w):
    return ((x @ w).sin() ** 2).sum()


def quintic(x):
    return x**5 + x.exp()


PROGRAMS = {
    "grad": lambda F, T: F.grad(lambda x: (x.sin() * x).sum())(T(X)),
    "grad of two": lambda F, T: F.grad(scalar, argnums=(0, 1))(T(X), T(W)),
    "grad of the last": lambda F, T: F.grad(scalar, argnums=-1)(T(X), T(W)),
    "grad of a tuple of one": lambda F, T: F.grad(scalar, argnums=(1,))(T(X), T(W)),
    "grad with aux": lambda F, T: F.grad(lambda x, w: (scalar(x, w), {"out": x * w}), has_aux=True)(
        T(X), T(W)
    ),
    "grad_and_value": lambda F, T: F.grad_and_value(scalar, argnums=1)(T(X), T(W)),
    "grad_and_value with aux": lambda F, T: F.grad_and_value(
        lambda x, w: (scalar(x, w), [x + 1]), argnums=(1, 0), has_aux=True
    )(T(X), T(W)),
    "grad of a dict": lambda F, T: F.grad(lambda d: scalar(d["x"], d["w"][0]))(
        {"x": T(X), "w": [T(W)]}
    ),
    "grad of a keyword call": lambda F, T: F.grad(lambda x, *, w: scalar(x, w))(T(X), w=T(W)),
    "grad of what is not used": lambda F, T: F.grad(lambda x, w: x.sum(), (0, 1))(T(X), T(W)),
    "grad of a constant": lambda F, T: F.grad(lambda x: T(W).sum())(T(X)),
    "grad of the identity": lambda F, T: F.grad(lambda x: x)(T(2.0)),
    "third derivative": lambda F, T: F.grad(F.grad(F.grad(quintic)))(T(1.5)),
    "no confusion of inner and outer": lambda F, T: F.grad(
        lambda x: x * F.grad(lambda y: x + y)(T(1.0))
    )(T(2.0)),
    "grad of grad by the outer": lambda F, T: F.grad(
        lambda x: F.grad(lambda y: (y**3 * x).sum())(x).sum()
    )(T(X)),
    "vjp": lambda F, T: F.vjp(lambda x, w: (x @ w).sin(), T(X), T(W))[1](T(np.ones(3))),
    "vjp of several": lambda F, T: F.vjp(two, T(X), T(W))[1]((T(np.ones(3)), {"a": T(X)})),
    "vjp of a dict": lambda F, T: F.vjp(lambda d: d["w"] ** 2, {"w": T(W)})[1](T(W)),
    "vjp with aux": lambda F, T: F.vjp(lambda x: (x.sin(), x + 1), T(X), has_aux=True)[2],
    "vjp's output": lambda F, T: F.vjp(two, T(X), T(W))[0],
    "jvp": lambda F, T: F.jvp(two, (T(X), T(W)), (T(2 * X), T(W + 1))),
    "jvp with aux": lambda F, T: F.jvp(
        lambda x: (x.sin(), {"x": x}), (T(X),), (T(X),), has_aux=True
    ),
    "jvp of a list": lambda F, T: F.jvp(lambda a: a[0] * a[1], ([T(W), T(W)],), ([T(W), T(W)],)),
    "jvp of a constant": lambda F, T: F.jvp(lambda x: T(W), (T(X),), (T(X),)),
    "linearize": lambda F, T: F.linearize(lambda x: (x * T(W)).sin(), T(X))[1](T(X + 1)),
    "jacrev": lambda F, T: F.jacrev(two, argnums=(0, 1))(T(X), T(W)),
    "jacrev in chunks": lambda F, T: F.jacrev(two, chunk_size=2)(T(X), T(W)),
    "jacrev with aux": lambda F, T: F.jacrev(lambda x: (x**2, x), has_aux=True)(T(W)),
    "jacrev of a dict": lambda F, T: F.jacrev(lambda d: {"out": d["x"] @ d["w"]})(
        {"x": T(X), "w": T(W)}
    ),
    "jacfwd": lambda F, T: F.jacfwd(two, argnums=(0, 1))(T(X), T(W)),
    "jacfwd with aux": lambda F, T: F.jacfwd(lambda x: (x**2, x), has_aux=True)(T(W)),
    "jacfwd of what is not used": lambda F, T: F.jacfwd(lambda x, w: x * 2, (0, 1))(T(W), T(W)),
    "hessian": lambda F, T: F.hessian(scalar, argnums=(0, 1))(T(X), T(W)),
    "hessian of one": lambda F, T: F.hessian(scalar, argnums=1)(T(X), T(W)),
    "hessian of a vector": lambda F, T: F.hessian(lambda w: (T(X) @ w).sin())(T(W)),
    "jacrev of jacrev": lambda F, T: F.jacrev(F.jacrev(lambda w: (T(X) @ w).sin()))(T(W)),
    "jacfwd of jacfwd": lambda F, T: F.jacfwd(F.jacfwd(lambda w: (T(X) @ w).sin()))(T(W)),
    "jacrev of jacfwd": lambda F, T: F.jacrev(F.jacfwd(lambda w: (T(X) @ w).sin()))(T(W)),
    "jacrev of grad": lambda F, T: F.jacrev(F.grad(scalar, argnums=1), argnums=0)(T(X), T(W)),
    "jvp of grad": lambda F, T: F.jvp(F.grad(lambda w: scalar(T(X), w)), (T(W),), (T(np.ones(4)),)),
    "jvp of jvp": lambda F, T: F.jvp(
        lambda x: F.jvp(quintic, (x,), (T(W),))[1], (T(W),), (T(W + 1),)
    ),
    "jvp of vjp": lambda F, T: F.jvp(
        lambda x: F.vjp(lambda y: (y**3).sin(), x)[1](T(W))[0], (T(W),), (T(W + 1),)
    ),
    "vjp of jvp": lambda F, T: F.vjp(lambda x: F.jvp(quintic, (x,), (T(W),))[1], T(W))[1](T(W)),
    "vmap of grad": lambda F, T: F.vmap(F.grad(lambda x: (x * T(W)).sin().sum() ** 2))(T(X)),
    "gradients of each sample": lambda F, T: F.vmap(
        F.grad(lambda w, x: (x @ w).sin()), in_dims=(None, 0)
    )(T(W), T(X)),
    "grad of vmap": lambda F, T: F.grad(
        lambda w: F.vmap(lambda x: (x * w).sin().sum() ** 2)(T(X)).sum()
    )(T(W)),
    "vmap of vmap of grad": lambda F, T: F.vmap(
        F.vmap(F.grad(lambda a, b: (a * b).sin()), in_dims=(None, 0)), in_dims=(0, None)
    )(T(W), T(W + 1)),
    "vmap of vmap of vmap": lambda F, T: F.vmap(
        F.vmap(F.vmap(lambda a, b: a * b + 1, (None, 0)), (0, None)), (0, 0), out_dims=1
    )(T(X), T(2 * X)),
    "vmap of hessian": lambda F, T: F.vmap(F.hessian(lambda x: (x * T(W)).sin().sum() ** 2))(T(X)),
    "hessian of vmap": lambda F, T: F.hessian(
        lambda w: F.vmap(lambda x: (x * w).sin().sum() ** 2)(T(X)).sum()
    )(T(W)),
    "grad of vmap of grad": lambda F, T: F.grad(
        lambda w: F.vmap(F.grad(lambda x: (x * w).sin().sum() ** 2))(T(X)).sin().sum()
    )(T(W)),
    "grad of vmap of vmap of grad": lambda F, T: F.grad(
        lambda w: F.vmap(lambda x: F.vmap(F.grad(lambda y: (x * y).sin().sum()))(T(X) * w))(
            T(X)
        ).sum()
    )(T(W)),
    "vmap of jvp": lambda F, T: F.vmap(lambda x, v: F.jvp(lambda y: (y * T(W)).sin(), (x,), (v,)))(
        T(X), T(X + 1)
    ),
    "jvp of vmap": lambda F, T: F.jvp(
        lambda w: F.vmap(lambda x: (x * w).sin())(T(X)), (T(W),), (T(W + 1),)
    ),
    "vmap of vjp": lambda F, T: F.vmap(F.vjp(lambda w: (T(X) @ w).sin(), T(W))[1])(T(np.eye(3))),
    "vmap of jacrev": lambda F, T: F.vmap(F.jacrev(lambda x: (x * T(W)).sin()))(T(X)),
    "vmap of jacfwd": lambda F, T: F.vmap(F.jacfwd(lambda x: (x * T(W)).sin()))(T(X)),
}
"""Programs on the functions of torch.func, F, and what makes tensors, T."""


in_pytorch = pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning", "ignore:.*get_attr Node:UserWarning"
)


@in_pytorch
@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_nesting_are_those_of_pytorch(name: str, torch):
    program = PROGRAMS[name]
    expected = values_of(program(torch.func, torch.tensor))
    assert_same(values_of(program(func, autodiff.tensor)), expected)


REFUSED = {
    "a value with axes": lambda F, T: F.grad(lambda x: x)(T(W)),
    "a value that is no tensor": lambda F, T: F.grad(lambda x: 3.0)(T(W)),
    "a value that is a tuple": lambda F, T: F.grad(lambda x: (x.sum(), x))(T(W)),
    "no aux": lambda F, T: F.grad(lambda x: x.sum(), has_aux=True)(T(W)),
    "integers": lambda F, T: F.grad(lambda x: x.sum())(T([1, 2])),
    "a number": lambda F, T: F.grad(lambda x: x * 2)(3.0),
    "no such argument": lambda F, T: F.grad(scalar, argnums=2)(T(X), T(W)),
    "an argument twice": lambda F, T: F.grad(scalar, argnums=(0, 0))(T(X), T(W)),
    "no arguments": lambda F, T: F.grad(scalar, argnums=())(T(X), T(W)),
    "argnums of floats": lambda F, T: F.grad(scalar, argnums=0.5)(T(X), T(W)),
    "cotangents of other nesting": lambda F, T: F.vjp(two, T(X), T(W))[1](T(W)),
    "cotangents of another shape": lambda F, T: F.vjp(lambda x: x, T(X))[1](T(W)),
    "primals that are no tuple": lambda F, T: F.jvp(lambda x: x, T(W), (T(W),)),
    "tangents of other nesting": lambda F, T: F.jvp(lambda x: x, (T(W),), (T(W), T(W))),
    "tangents of another shape": lambda F, T: F.jvp(lambda x: x, (T(W),), (T(X),)),
    "no primals": lambda F, T: F.jvp(lambda: T(W), (), ()),
    "strict and independent": lambda F, T: F.jvp(lambda x: T(W), (T(W),), (T(W),), strict=True),
    "an output that is no tensor": lambda F, T: F.jacrev(lambda x: 3.0)(T(W)),
    "jacfwd of no tensor": lambda F, T: F.jacfwd(lambda x: "a")(T(W)),
}


@in_pytorch
@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name: str, torch):
    program = REFUSED[name]
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        program(torch.func, torch.tensor)
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        program(func, autodiff.tensor)


def test_known_values():
    x = autodiff.tensor(2.0)
    assert grad(lambda x: x**3)(x).item() == 12.0
    assert grad(grad(lambda x: x**3))(x).item() == 12.0
    assert hessian(lambda x: (x**3).sum())(autodiff.tensor([1.0, 2.0])).tolist() == [
        [6, 0],
        [0, 12],
    ]


# What is on the tape


def test_results_are_off_the_tape_if_nothing_outside_is_on_it():
    x, w = autodiff.tensor(X), autodiff.tensor(W)
    found = [grad(scalar)(x, w), *func.grad_and_value(scalar)(x, w), jacrev(scalar)(x, w)]
    found += [jacfwd(scalar)(x, w), hessian(scalar)(x, w), vjp(scalar, x, w)[0]]
    found += [*jvp(scalar, (x, w), (x, w)), *vjp(lambda x: x * 2, x)[1](x)]
    found += [grad(lambda x: ((x * 2).sum(), x * 3), has_aux=True)(x)[1]]
    assert not any(t.requires_grad for t in found)


@pytest.mark.parametrize("transform", [grad, jacrev, jacfwd])
def test_captured_tensors_stay_differentiable(transform):
    x, w = autodiff.tensor(W), autodiff.tensor(W, requires_grad=True)
    transform(lambda x: (x**2 * w**3).sum())(x).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * W * 3 * W**2)


@pytest.mark.parametrize("transform", [grad, jacrev, jacfwd])
def test_arguments_that_require_grad_stay_differentiable(transform):
    x = autodiff.tensor(W, requires_grad=True)
    transform(lambda x: (x**3).sum())(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * W)


def test_products_are_differentiable_by_what_they_multiply():
    x, v = autodiff.tensor(W), autodiff.tensor(W, requires_grad=True)
    (product,) = vjp(lambda x: x**2, x)[1](v)
    product.sum().backward()
    np.testing.assert_allclose(v.grad.numpy(), 2 * W)
    v.grad = None
    jvp(lambda x: x**2, (x,), (v,))[1].sum().backward()
    np.testing.assert_allclose(v.grad.numpy(), 2 * W)


def test_no_grad_outside_holds_for_the_result_alone():
    w = autodiff.tensor(W, requires_grad=True)
    with autodiff.no_grad():
        found = grad(lambda x: (x * w).sum())(autodiff.tensor(W))
    assert not found.requires_grad and found.tolist() == W.tolist()


def test_no_grad_inside_holds_inside():
    def f(x):
        with autodiff.no_grad():
            shift = x**2
        return x**2 - shift

    assert grad(f)(autodiff.tensor(3.0)).item() == 6.0


def test_the_function_of_vjp_may_be_called_again():
    _, product = vjp(lambda x: x.sin() * x, autodiff.tensor(W))
    first, second = product(autodiff.tensor(W)), product(autodiff.tensor(W))
    assert first[0].tolist() == second[0].tolist()


def test_gradients_are_not_gathered_in_grad():
    x, w = autodiff.tensor(W, requires_grad=True), autodiff.tensor(W, requires_grad=True)
    grad(lambda x: (x * w).sum())(x)
    hessian(lambda x: (x * w).sum())(x)
    assert x.grad is None and w.grad is None


def test_custom_operations_are_differentiated_in_every_mode():
    class Cube(autodiff.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    x = autodiff.tensor(W)
    np.testing.assert_allclose(jvp(Cube.apply, (x,), (x,))[1].numpy(), 3 * W**3)
    np.testing.assert_allclose(jacrev(Cube.apply)(x).numpy(), np.diag(3 * W**2))
    np.testing.assert_allclose(jacfwd(Cube.apply)(x).numpy(), np.diag(3 * W**2))
    second = vmap(grad(grad(Cube.apply)))(x)
    np.testing.assert_allclose(second.numpy(), 6 * W)


def test_empty_arguments_and_outputs_have_empty_jacobians():
    empty = autodiff.tensor(np.zeros((0, 2)))
    for jacobian in (jacrev, jacfwd):
        assert jacobian(lambda x: x * 2)(empty).shape == (0, 2, 0, 2)
        assert jacobian(lambda x: x.sum())(empty).shape == (0, 2)
        assert jacobian(lambda x: x[:0])(autodiff.tensor(W)).shape == (0, 4)


def test_errors_leave_modes_and_tensors_as_they_were():
    x = autodiff.tensor(W)

    def fails(x):
        raise KeyError("inside")

    for transform in (grad(fails), jacrev(fails), vmap(fails), vmap(grad(fails)), hessian(fails)):
        with autodiff.no_grad(), pytest.raises(KeyError):
            transform(x)
    assert autodiff.is_grad_enabled() and not x.requires_grad
    assert vmap(lambda x: x + 1)(x).tolist() == (W + 1).tolist()


def test_threads_transform_independently():
    results: dict[int, Any] = {}

    def work(i: int) -> None:
        x = autodiff.tensor(W + i)
        for _ in range(20):
            results[i] = vmap(grad(lambda x: x**3))(x).numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(4):
        np.testing.assert_allclose(results[i], 3 * (W + i) ** 2)


@pytest.mark.filterwarnings("ignore:.* runs eagerly")
@pytest.mark.parametrize(
    "function",
    [
        lambda x: grad(lambda y: (y.sin() * y).sum())(x),
        lambda x: grad(lambda y: grad(lambda z: (z**3 * y).sum())(y).sum())(x),
        lambda x: vjp(lambda y: y.exp(), x)[1](x)[0],
        lambda x: jvp(lambda y: y.exp(), (x,), (x,))[1],
        lambda x: hessian(lambda y: (y**3).sum())(x),
        lambda x: vmap(grad(lambda y: y**3))(x),
        lambda x: vmap(lambda y: y * 2)(x) + x,
    ],
)
def test_compiled_transforms_give_what_eager_ones_give(function):
    compiled = autodiff.compile(function)
    for shift in range(3):
        x = autodiff.tensor(W + shift)
        np.testing.assert_allclose(compiled(x).numpy(), function(x).numpy(), 1e-12)


def test_forward_mode_says_nan_where_vectors_of_equal_values_have_no_derivative():
    one, A = autodiff.eye(2, dtype=autodiff.float64), autodiff.tensor([[1.0, 2.0], [3.0, 4.0]])
    twice = autodiff.tensor(np.kron(np.eye(2), [[2.0, 1.0], [1.0, 2.0]]))  # vectors (1, -1, 0, 0)

    def rebuilt(x):
        u, s, vh = autodiff.linalg.svd(x, False)
        return (u * s) @ vh

    assert jvp(rebuilt, (one,), (A.double(),))[1].isnan().all()
    assert hessian(lambda x: autodiff.linalg.matrix_norm(x, "nuc"))(one).isnan().all()
    for x in (one, twice):
        assert not jacfwd(lambda x: autodiff.linalg.eigh(x)[1])(x).isfinite().all()
        assert jacfwd(lambda x: autodiff.linalg.eigh(x)[0])(x).isfinite().all()


def test_forward_mode_goes_through_a_hook_that_clips():
    def clipped(x):
        y = x**2
        y.register_hook(lambda g: g.clamp(-1, 1))
        return y

    x = autodiff.tensor(W)
    np.testing.assert_allclose(jvp(clipped, (x,), (x,))[1].numpy(), 2 * W**2)


def test_a_compiled_grad_is_recorded():
    compiled = autodiff.compile(grad(lambda x: (x.sin() * x).sum()), fullgraph=True)
    for shift in range(3):
        y = W + shift
        expected = np.sin(y) + y * np.cos(y)
        np.testing.assert_allclose(compiled(autodiff.tensor(y)).numpy(), expected)


def test_compiled_functions_are_transformed():
    cube = autodiff.compile(lambda x: (x**3).sum())
    x = autodiff.tensor(W)
    for _ in range(3):
        np.testing.assert_allclose(grad(cube)(x).numpy(), 3 * W**2)
        np.testing.assert_allclose(vmap(cube)(x).numpy(), W**3)
        np.testing.assert_allclose(hessian(cube)(x).numpy(), np.diag(6 * W))
