import inspect
import math

import numpy as np
import pytest

import autodiff
import nn
from nn import init


def drawn(function, *args, shape=(200, 100), **options):
    tensor = autodiff.empty(shape, requires_grad=True)
    assert function(tensor, *args, **options) is tensor
    assert tensor.requires_grad and tensor.is_leaf
    return tensor.detach().numpy()


def check_uniform(values, bound):
    assert 0.99 * bound < abs(values).max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def check_normal(values, std):
    assert values.mean() == pytest.approx(0.0, abs=0.03 * std)
    assert values.std() == pytest.approx(std, rel=0.03)
    assert abs(values).max() > 3 * std


def test_constants():
    assert (drawn(init.zeros_) == 0).all()
    assert (drawn(init.ones_) == 1).all()
    assert (drawn(init.constant_, 0.3) == np.float32(0.3)).all()
    assert (drawn(init.eye_, shape=(3, 4)) == np.eye(3, 4)).all()


def test_uniform_and_normal():
    check_uniform(drawn(init.uniform_, -2.0, 2.0), 2.0)
    check_normal(drawn(init.normal_, 0.0, 3.0), 3.0)


def test_xavier():
    check_uniform(drawn(init.xavier_uniform_, 2.0), 2.0 * math.sqrt(6 / 300))
    check_normal(drawn(init.xavier_normal_), math.sqrt(2 / 300))
    check_normal(drawn(init.xavier_normal_, shape=(20, 10, 3, 4)), math.sqrt(2 / (30 * 12)))


def test_kaiming():
    check_uniform(drawn(init.kaiming_uniform_), math.sqrt(6 / 100))
    check_uniform(drawn(init.kaiming_uniform_, a=math.sqrt(5)), 0.1)
    check_normal(drawn(init.kaiming_normal_, nonlinearity="relu"), math.sqrt(2 / 100))
    check_normal(drawn(init.kaiming_normal_, mode="fan_out"), math.sqrt(2 / 200))


def test_trunc_normal():
    values = drawn(init.trunc_normal_, 1.0, 2.0, -1.0, 2.0)
    assert -1.0 <= values.min() < -0.95 and 1.95 < values.max() <= 2.0
    # the mean of the truncated law: mu - sigma (phi(b) - phi(a)) / (Phi(b) - Phi(a))
    assert values.mean() == pytest.approx(0.5914, abs=0.02)


def test_trunc_normal_has_no_outliers_in_half_precision():
    values = init.trunc_normal_(autodiff.empty(200, 300, dtype=autodiff.float16), std=0.02)
    assert 0.06 < abs(values.numpy()).max() < 0.12


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3)])
def test_orthogonal(shape):
    matrix = drawn(init.orthogonal_, 2.0, shape=shape).reshape(shape[0], -1)
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(product, 4.0 * np.eye(min(rows, columns)), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((3, 16, 5), 1), ((6, 2, 3, 4), 3), ((4, 4, 1, 2, 3), 2), ((2, 2, 1), 2), ((0, 2, 3), 1)],
)
def test_dirac(torch, shape, groups):
    expected = torch.nn.init.dirac_(torch.empty(shape), groups)
    assert (drawn(init.dirac_, groups, shape=shape) == expected.numpy()).all()


def test_a_dirac_convolution_passes_its_input_on():
    x = autodiff.rand(2, 3, 5, 5)
    weight = init.dirac_(autodiff.empty(3, 3, 3, 3))
    assert (nn.functional.conv2d(x, weight, padding=1) == x).all()


def test_no_function_of_pytorch_is_missing(torch):
    theirs = {
        name
        for name in vars(torch.nn.init)
        if (name.endswith("_") and not name.startswith("_")) or name == "calculate_gain"
    }
    assert theirs <= set(init.__all__)
    for name in theirs:
        ours, other = (
            inspect.signature(getattr(library.init, name)).parameters for library in (nn, torch.nn)
        )
        assert [(p.name, p.default) for p in ours.values()] == [
            (p.name, p.default) for p in other.values()
        ]


def test_sparse():
    values = drawn(init.sparse_, 0.25, 2.0)
    assert ((values == 0).sum(0) == 50).all()
    assert values[values != 0].std() == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize(
    "function",
    [
        init.uniform_,
        init.normal_,
        init.trunc_normal_,
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
        lambda tensor, generator: init.sparse_(tensor, 0.5, generator=generator),
    ],
)
def test_draws_come_from_the_generator_given(function):
    def draw(seed):
        return drawn(function, generator=autodiff.Generator().manual_seed(seed), shape=(4, 5))

    autodiff.manual_seed(0)
    before = autodiff.rand(1).item()
    autodiff.manual_seed(0)
    assert (draw(1) == draw(1)).all()
    assert (draw(1) != draw(2)).any()
    assert autodiff.rand(1).item() == before


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains_equal_pytorchs(torch, name):
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def test_gain_of_leaky_relu_takes_the_slope(torch):
    assert init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)
    with pytest.raises(ValueError, match="slope"):
        init.calculate_gain("leaky_relu", True)


def test_wrong_arguments_are_refused():
    vector = autodiff.empty(3)
    with pytest.raises(ValueError, match="two or more axes"):
        init.xavier_uniform_(vector)
    with pytest.raises(ValueError, match="two or more axes"):
        init.orthogonal_(vector)
    with pytest.raises(ValueError, match="matrices"):
        init.eye_(vector)
    with pytest.raises(ValueError, match="matrices"):
        init.sparse_(vector, 0.5)
    with pytest.raises(ValueError, match="3 to 5 axes"):
        init.dirac_(vector)
    with pytest.raises(ValueError, match="3 channels do not make 2 groups"):
        init.dirac_(autodiff.empty(3, 1, 1), 2)
    with pytest.raises(ValueError, match="'fan_in' or 'fan_out'"):
        init.kaiming_normal_(autodiff.empty(3, 3), mode="out")
    with pytest.raises(ValueError, match="nonlinearity must be one of"):
        init.calculate_gain("sine")
    with pytest.warns(UserWarning, match="without elements"):
        init.kaiming_uniform_(autodiff.empty(0, 3))
