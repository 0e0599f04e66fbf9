import math

import numpy as np
import pytest

import autodiff
import nn
from nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def parameters(*gradients, of=None):
    tensors = []
    for gradient in gradients:
        array = np.array(gradient)
        tensor = (of or autodiff).zeros(array.shape, dtype=(of or autodiff).float64)
        tensor.requires_grad_()
        tensor.grad = (of or autodiff).tensor(array)
        tensors.append(tensor)
    return tensors


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, math.inf, 0.5])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm_equals_pytorch(torch, rng, norm_type, max_norm):
    gradients = [rng.normal(size=(3, 4)), rng.normal(size=5)]
    ours, theirs = parameters(*gradients), parameters(*gradients, of=torch)
    total = clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)


def test_clip_grad_norm_brings_the_norm_to_the_maximum():
    (p,) = parameters([3.0, 4.0])
    gradient = p.grad
    assert clip_grad_norm_(p, 1.0).item() == 5.0
    assert p.grad is gradient
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_parameters_without_gradients_are_left_out():
    p, q = parameters([3.0], [4.0])
    q.grad = None
    assert clip_grad_norm_(iter([p, q]), 1.0).item() == 3.0
    assert q.grad is None
    assert clip_grad_norm_([], 1.0).item() == 0.0


def test_a_norm_that_is_not_finite_is_an_error_on_request_and_nothing_is_clipped():
    p, q = parameters([math.inf], [4.0])
    with pytest.raises(RuntimeError, match="inf"):
        clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    assert q.grad.item() == 4.0


def test_clip_grad_value():
    (p,) = parameters([-9.0, 0.5, 7.0])
    assert clip_grad_value_([p], 5.0) is None
    assert p.grad.tolist() == [-5.0, 0.5, 5.0]


def test_total_norm_and_clipping_with_it_are_the_two_halves():
    p, q = parameters([3.0], [4.0])
    total = get_total_norm([p.grad, q.grad])
    assert total.item() == 5.0
    clip_grads_with_norm_([p, q], 1.0, total)
    np.testing.assert_allclose([p.grad.item(), q.grad.item()], [0.6, 0.8], rtol=1e-6)


def test_parameters_survive_the_way_to_a_vector_and_back():
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    vector = parameters_to_vector(first.parameters())
    assert vector.shape == (8,) and vector.requires_grad
    vector_to_parameters(vector, second.parameters())
    assert all((a == b).all() for a, b in zip(first.parameters(), second.parameters()))


def test_a_vector_of_another_length_is_refused_before_anything_is_written():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    with pytest.raises(RuntimeError, match="8 elements, vec has 9"):
        vector_to_parameters(autodiff.zeros(9), layer.parameters())
    with pytest.raises(TypeError, match="Tensor"):
        vector_to_parameters([0.0] * 8, layer.parameters())
    assert (layer.weight == before).all()
