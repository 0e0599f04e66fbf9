import numpy as np
import pytest

import autodiff
import nn
from nn import functional as F
from tests.nn.twins import check_functions, check_modules


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_equals_pytorch(torch, rng, shape, bias):
    x = rng.normal(size=shape)
    check_modules(torch, nn.Linear(4, 3, bias), torch.nn.Linear(4, 3, bias), x)


def test_linear_is_one_recorded_operation():
    out = nn.Linear(2, 3)(autodiff.ones(4, 2))
    assert all(parent.plan is None for parent in out.grad_fn.parents)


def test_linear_starts_uniform_within_one_over_the_root_of_in_features():
    layer = nn.Linear(25, 2000)
    for values in (layer.weight, layer.bias):
        values = values.detach().numpy()
        assert 0.19 < abs(values).max() <= 0.2
        assert values.std() == pytest.approx(0.2 / np.sqrt(3), rel=0.05)


def test_linear_names_the_axis_that_does_not_fit():
    with pytest.raises(RuntimeError, match=r"in_features=4, got x of shape \(32, 5\)"):
        nn.Linear(4, 3)(autodiff.zeros(32, 5))


def test_linear_refuses_another_dtype_and_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"float64.*float32.*\.to\(dtype\)"):
        nn.Linear(4, 3)(autodiff.zeros(32, 4, dtype=autodiff.float64))


def test_linear_takes_a_dtype():
    assert nn.Linear(2, 3, dtype=autodiff.float64).weight.dtype == autodiff.float64


def test_linear_refuses_another_device():
    with pytest.raises(RuntimeError, match="CPU"):
        nn.Linear(2, 3, device="cuda")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("axes", [(), (5,), (2, 3)])
def test_bilinear_equals_pytorch(torch, rng, axes, bias):
    ours, theirs = nn.Bilinear(3, 4, 2, bias), torch.nn.Bilinear(3, 4, 2, bias)
    check_modules(torch, ours, theirs, rng.normal(size=(*axes, 3)), rng.normal(size=(*axes, 4)))


def test_identity_takes_any_arguments_and_gives_its_input():
    x = autodiff.ones(2)
    assert nn.Identity(54, unused=True)(x) is x


def test_flatten_and_unflatten_equal_pytorch(torch, rng):
    x = rng.normal(size=(2, 3, 4, 5))
    check_modules(torch, nn.Flatten(), torch.nn.Flatten(), x)
    check_modules(torch, nn.Flatten(0, 2), torch.nn.Flatten(0, 2), x)
    check_modules(torch, nn.Unflatten(2, (2, 2)), torch.nn.Unflatten(2, (2, 2)), x)


def test_functional_linear_equals_pytorch(torch, rng):
    x, w, b = rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), rng.normal(size=3)
    check_functions(torch, F.linear, torch.nn.functional.linear, x, w, b)
