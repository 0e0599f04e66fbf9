import math
import warnings

import numpy as np
import pytest

import autodiff
import nn
from nn import functional as F
from tests.nn.twins import check_functions, check_modules

# Kinks, bounds of every piecewise function here, and points far out on both sides.
POINTS = np.array(
    [-100.0, -7.0, -3.0, -1.0, -0.5, -0.1, -0.0, 0.0, 0.2, 0.5, 1.0, 3.0, 6.0, 7.0, 20.0, 21.0, 100]
)

SETTINGS = {
    "ReLU": [{}, {"inplace": True}],
    "ReLU6": [{}, {"inplace": True}],
    "LeakyReLU": [
        *({"negative_slope": slope} for slope in (0.3, 0.0, -0.5, 2.0)),
        *({}, {"negative_slope": 0.3, "inplace": True}),
    ],
    "ELU": [{}, {"alpha": 0.5}, {"alpha": 0.5, "inplace": True}],
    "CELU": [{}, {"alpha": 0.5}, {"alpha": 2.0, "inplace": True}],
    "SELU": [{}, {"inplace": True}],
    "GELU": [{}, {"approximate": "tanh"}],
    "SiLU": [{}, {"inplace": True}],
    "Mish": [{}, {"inplace": True}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 5.0}],
    "Sigmoid": [{}],
    "LogSigmoid": [{}],
    "Tanh": [{}],
    "Tanhshrink": [{}],
    "Hardtanh": [{}, {"min_val": -0.5, "max_val": 3.0}, {"max_val": 3.0, "inplace": True}],
    "Hardsigmoid": [{}],
    "Hardswish": [{}],
    "Hardshrink": [{}, {"lambd": 1.0}],
    "Softshrink": [{}, {"lambd": 1.0}],
    "Softsign": [{}],
    "Threshold": [{"threshold": 0.5, "value": 9.0}],
    "RReLU": [{}],
    "PReLU": [{}, {"num_parameters": 1, "init": 0.5}],
    "Softmax": [{"dim": 0}],
    "LogSoftmax": [{"dim": -1}],
    "Softmin": [{"dim": 0}],
}


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, s) for name, several in SETTINGS.items() for s in several],
    ids=str,
)
def test_activations_equal_pytorch_also_at_kinks(torch, name, settings):
    ours, theirs = getattr(nn, name)(**settings), getattr(torch.nn, name)(**settings)
    ours.eval(), theirs.eval()
    # PyTorch's hardsigmoid multiplies gradients by the float32 nearest to 1/6.
    tolerance = 1e-7 if name == "Hardsigmoid" else 1e-10
    if settings.get("inplace"):
        assert repr(ours) == repr(theirs)
        check_functions(torch, lambda x: ours(x * 1), lambda x: theirs(x * 1), POINTS)
    else:
        check_modules(torch, ours, theirs, POINTS, tolerance=tolerance)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "softplus", "logsigmoid", "silu", "mish"])
def test_activations_at_infinity_and_nan_are_pytorchs(torch, name):
    found = []
    for functional, module in ((F, autodiff), (torch.nn.functional, torch)):
        x = module.tensor([math.inf, -math.inf, math.nan, 800.0, -800.0], requires_grad=True)
        out = getattr(functional, name)(x)
        out.sum().backward()
        x.grad[2] = 0.0  # the derivative at nan is an accident
        found.append([out.tolist(), x.grad.tolist()])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu", "selu", "softplus", "logsigmoid"])
def test_second_derivatives_equal_pytorch_also_at_kinks(torch, name):
    found = []
    for functional, module in ((F, autodiff), (torch.nn.functional, torch)):
        x = module.tensor(POINTS[1:-3], requires_grad=True)
        (first,) = module.autograd.grad(getattr(functional, name)(x).sum(), x, create_graph=True)
        (first * x).sum().backward()
        found.append(x.grad.tolist())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["elu", "softplus", "gelu", "silu", "logsigmoid", "leaky_relu"])
def test_activations_keep_float32(name):
    assert getattr(F, name)(autodiff.ones(3)).dtype == autodiff.float32


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "leaky_relu", "elu", "celu", "selu", "silu", "mish", "hardtanh"]
)
def test_in_place_writes_into_the_input_and_returns_it(name):
    x = autodiff.tensor([-2.0, 0.5, 9.0])
    expected = getattr(F, name)(x)
    assert getattr(F, name)(x, inplace=True) is x
    assert (x == expected).all()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *(("relu", ()), ("elu", (0.5,)), ("celu", (0.5,)), ("selu", ()), ("leaky_relu", (0.3,))),
        *(("hardtanh", (-1.0, 0.7)), ("threshold", (0.6, 5.0)), ("rrelu", (0.1, 0.3))),
    ],
)
def test_functions_have_a_form_that_writes_into_the_input(torch, name, settings):
    x = np.array([-2.0, 0.5, 9.0])
    ours, theirs = autodiff.tensor(x), torch.tensor(x)
    assert getattr(F, f"{name}_")(ours, *settings) is ours
    getattr(torch.nn.functional, f"{name}_")(theirs, *settings)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_in_place_is_refused_on_a_leaf_that_requires_grad():
    with pytest.raises(RuntimeError, match="leaf"):
        F.elu(autodiff.ones(3, requires_grad=True), inplace=True)


@pytest.mark.parametrize(
    "name",
    [
        *("elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "logsigmoid", "leaky_relu"),
        *("hardsigmoid", "hardswish", "hardshrink", "softshrink", "rrelu"),
    ],
)
def test_integers_are_refused_as_pytorch_does(torch, name):
    with pytest.raises(NotImplementedError):
        getattr(torch.nn.functional, name)(torch.ones(3, dtype=torch.int64))
    with pytest.raises(NotImplementedError, match=f"{name} needs input of a floating dtype"):
        getattr(F, name)(autodiff.ones(3, dtype=autodiff.int64))


@pytest.mark.parametrize("shape", [(6,), (2, 6), (2, 6, 3)])
def test_prelu_has_a_slope_for_each_channel(torch, rng, shape):
    weight = rng.normal(size=6 if len(shape) > 1 else 1)
    check_functions(torch, F.prelu, torch.nn.functional.prelu, rng.normal(size=shape), weight)


def test_prelu_refuses_another_number_of_slopes():
    with pytest.raises(RuntimeError, match="6 channels"):
        F.prelu(autodiff.ones(2, 6), autodiff.ones(4))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu_equals_pytorch(torch, rng, dim):
    x = rng.normal(size=(4, 6))
    check_modules(torch, nn.GLU(dim), torch.nn.GLU(dim), x)


def test_glu_refuses_an_odd_length():
    with pytest.raises(RuntimeError, match="halves"):
        F.glu(autodiff.ones(3))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_without_dim_the_axis_is_pytorchs_with_a_warning(torch, rng, name):
    for shape in [(4,), (3, 4), (2, 3, 4), (2, 3, 4, 5)]:
        x = rng.normal(size=shape)
        with pytest.warns(UserWarning, match="without dim"):
            ours = getattr(F, name)(autodiff.tensor(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = getattr(torch.nn.functional, name)(torch.tensor(x))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_rrelu_draws_slopes_while_training():
    x = autodiff.full((10000,), -1.0)
    slopes = -F.rrelu(x, 0.2, 0.4, training=True)
    assert slopes.min() >= 0.2 and slopes.max() <= 0.4
    assert slopes.mean().item() == pytest.approx(0.3, abs=0.005)


def test_gumbel_softmax_draws_by_the_probabilities():
    logits = autodiff.tensor([0.1, 0.2, 0.7]).log().expand(20000, 3)
    hard = F.gumbel_softmax(logits, hard=True)
    assert ((hard == 0) | (hard == 1)).all()
    np.testing.assert_allclose(hard.mean(0).numpy(), [0.1, 0.2, 0.7], atol=0.02)


def test_gumbel_softmax_has_the_gradient_of_the_relaxed_draw():
    logits = autodiff.zeros(4, 3, requires_grad=True)
    F.gumbel_softmax(logits, hard=True)[:, 0].sum().backward()
    assert (logits.grad != 0).any()


def test_a_linear_function_is_relu_of_x_minus_relu_of_minus_x(rng):
    x = autodiff.tensor(rng.normal(size=100))
    assert (F.relu(x) - F.relu(-x) == x).all()
