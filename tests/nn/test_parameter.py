import copy
import pickle

import pytest

import autodiff
import nn


def test_a_parameter_requires_grad_and_shares_memory_with_its_data():
    data = autodiff.zeros(3)
    p = nn.Parameter(data)
    assert p.requires_grad and p.is_leaf and not data.requires_grad
    data[0] = 5.0
    assert p.tolist() == [5.0, 0.0, 0.0]


def test_what_is_computed_from_a_parameter_is_a_plain_tensor():
    p = nn.Parameter(autodiff.ones(3))
    for result in (p * 2, p.sum(), p.detach(), p[0], p.reshape(3, 1), -p):
        assert type(result) is autodiff.Tensor


def test_a_parameter_of_a_computed_tensor_is_a_leaf():
    x = autodiff.ones(3, requires_grad=True)
    p = nn.Parameter(x * 2)
    p.sum().backward()
    assert p.grad.tolist() == [1.0, 1.0, 1.0] and x.grad is None


def test_a_parameter_need_not_require_grad():
    assert not nn.Parameter(autodiff.ones(3), requires_grad=False).requires_grad
    assert not nn.Parameter(autodiff.ones(3, dtype=autodiff.int64), False).requires_grad
    with pytest.raises(RuntimeError, match="floating"):
        nn.Parameter(autodiff.ones(3, dtype=autodiff.int64))


def test_a_parameter_is_made_of_a_tensor():
    assert nn.Parameter().shape == (0,)
    with pytest.raises(TypeError, match="Tensor, got list"):
        nn.Parameter([1.0])


def test_the_text_of_a_parameter_is_pytorchs(torch):
    ours, theirs = (nn.Parameter(autodiff.ones(2)), torch.nn.Parameter(torch.ones(2)))
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_are_parameters_with_memory_of_their_own_and_no_gradient(copied):
    p = nn.Parameter(autodiff.ones(2))
    p.sum().backward()
    q = copied(p)
    assert type(q) is nn.Parameter and q.requires_grad and q.grad is None
    with autodiff.no_grad():
        q.zero_()
    assert p.tolist() == [1.0, 1.0]


def test_a_buffer_does_not_require_grad():
    assert not nn.Buffer(autodiff.ones(3)).requires_grad
