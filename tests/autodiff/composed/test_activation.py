import numpy as np
import pytest

import autodiff
from tests.autodiff.composed.expressions import check_like_torch, listed

EXPRESSIONS = listed(
    """
    L.selu(x); L.selu(ties); L.selu(e); L.selu(s); L.selu(floats); L.selu(ints);
    L.celu(x); L.celu(x, 0.5); L.celu(x, alpha=2.0); L.celu(x, -1.0); L.celu(ties); L.celu(x, 0);
    L.celu(ints); L.celu(floats, 0.5);
    L.rrelu(x); L.rrelu(x, 0.1, 0.3); L.rrelu(x, lower=0.5, upper=0.5, training=True);
    L.rrelu(x, 0.5, 0.1); L.rrelu(ints); L.rrelu(ties, 0.2, 0.2, True);
    L.prelu(x, u); L.prelu(x, w); L.prelu(q, w); L.prelu(c, u); L.prelu(x, s); L.prelu(z, u[:1]);
    x.prelu(u); x.prelu(weight=u[:1]); L.prelu(u, u); L.prelu(u, u[:1]); L.prelu(x, y);
    L.hardshrink(x); L.hardshrink(x, 1.0); x.hardshrink(); x.hardshrink(0.0); ties.hardshrink(1);
    L.hardshrink(x, lambd=-1.0); L.hardshrink(ints);
    L.dropout(x, 0.5, False); L.dropout(x, p=1.0, train=True); L.dropout(x, 0.0, True)
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_activations_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


def test_dropout_zeroes_and_scales():
    out = autodiff.dropout(autodiff.ones(100, 100), 0.3, True)
    assert ((out == 0) | (abs(out - 1 / 0.7) < 1e-6)).all()
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        autodiff.dropout(out, 1.5, True)


def test_rrelu_draws_from_the_generator_it_is_given():
    x = autodiff.full((50,), -1.0)
    first, second = (
        autodiff.rrelu(x, 0.2, 0.4, True, autodiff.Generator().manual_seed(5)) for _ in range(2)
    )
    assert (first == second).all() and first.std() > 0
    assert first.max() <= -0.2 and first.min() >= -0.4


def test_selu_of_known_numbers():
    x = autodiff.tensor([-1.0, 0.0, 2.0], dtype=autodiff.float64)
    np.testing.assert_allclose(autodiff.selu(x).numpy(), [-1.1113307378125625, 0.0, 2.101401974])


def test_the_gradient_of_relu_is_that_of_pytorch_at_zeros_and_nan():
    x = autodiff.tensor([0.0, -0.0, 2.0, -1.0, float("nan"), float("inf")], requires_grad=True)
    x.relu().sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 0, 1, 1]
