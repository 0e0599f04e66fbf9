import numpy as np
import pytest

import autodiff
from autodiff import tensor
from nn import functional as F
from tests.autodiff.compiler.scenarios import agree
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

EXPRESSIONS = listed(
    """
    F.scaled_dot_product_attention(q, k, v);
    F.scaled_dot_product_attention(q[0, 0], k[0, 0], v[0, 0]);
    F.scaled_dot_product_attention(q[0, 0, 0], k[0, 0], v[0, 0]);
    F.scaled_dot_product_attention(q, k, v, sees); F.scaled_dot_product_attention(q, k, v, adds);
    F.scaled_dot_product_attention(q, k, v, scores);
    F.scaled_dot_product_attention(q, k, v, scores*adds.exp());
    F.scaled_dot_product_attention(q, k, v, scores+adds);
    F.scaled_dot_product_attention(q, k, v, i);
    F.scaled_dot_product_attention(q, k, v, sees[:, :3]);
    F.scaled_dot_product_attention(q, k, v, sees, is_causal=True);
    F.scaled_dot_product_attention(q, k, v, is_causal=True);
    F.scaled_dot_product_attention(k, q, v[:, :, :4], is_causal=True);
    F.scaled_dot_product_attention(q, k.float(), v);
    F.scaled_dot_product_attention(q, k[..., :3], v);
    F.scaled_dot_product_attention(q, k, v[:, :, :2]);
    F.scaled_dot_product_attention(q, k[:1], v[:1]); F.scaled_dot_product_attention(q, k[0], v[0]);
    F.scaled_dot_product_attention(q6, k, v);
    F.scaled_dot_product_attention(q6, k, v, enable_gqa=True);
    F.scaled_dot_product_attention(q6[:, :5], k, v, enable_gqa=True);
    F.scaled_dot_product_attention(q[0, 0], k[0, 0], v[0, 0], enable_gqa=True);
    F.scaled_dot_product_attention(q6, k, v[:, :1], enable_gqa=True);
    F.scaled_dot_product_attention(q, k, v, dropout_p=1.0);
    F.scaled_dot_product_attention(q.long(), k.long(), v.long());
    F.scaled_dot_product_attention(q, k[:, :, :0], v[:, :, :0]);
    F.scaled_dot_product_attention(q[:, :, :0], k, v);
    F.scaled_dot_product_attention(q[..., :0], k[..., :0], v);
    F.scaled_dot_product_attention(q, k, v, scale=0.0);
    F.scaled_dot_product_attention(q, k, v, scale=0.3);
    F.scaled_dot_product_attention(q, k, v, scores[0]);
    F.scaled_dot_product_attention(q, k, v, scores[None, None]);
    F.scaled_dot_product_attention(q, k, v, q[:, :, :, :5]);
    F.scaled_dot_product_attention(q[0], k[0], v[0], sees);
    F.scaled_dot_product_attention(q[:0], k[:0], v[:0], sees);
    F.scaled_dot_product_attention(q6, k, v, sees, enable_gqa=True, scale=0.5)
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_attention_equals_pytorch(torch, expression):
    check_like_torch(torch, expression)


def test_float32_stays_float32(torch, rng):
    q, k, v = (rng.normal(size=(2, 3, 4, 8)).astype(np.float32) for _ in range(3))
    ours = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), is_causal=True)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (q, k, v)), is_causal=True
    )
    assert ours.dtype == autodiff.float32
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_equal_keys_share_the_attention():
    v = tensor([[0.0, 6.0], [2.0, 0.0]])
    out = F.scaled_dot_product_attention(autodiff.ones(1, 3), autodiff.ones(2, 3), v)
    assert out.tolist() == [[1.0, 3.0]]


def test_the_future_does_not_count():
    q, k, v = (autodiff.randn(5, 4) for _ in range(3))
    whole = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    part = F.scaled_dot_product_attention(q[:3], k[:3], v[:3], is_causal=True)
    np.testing.assert_allclose(whole[:3].numpy(), part.numpy(), rtol=1e-5, atol=1e-6)


def test_a_query_that_sees_no_key_gives_zeros_and_no_gradient():
    q = autodiff.randn(2, 4, requires_grad=True)
    k, v = autodiff.randn(3, 4), autodiff.randn(3, 4)
    out = F.scaled_dot_product_attention(q, k, v, tensor([[True, True, False], [False] * 3]))
    out.sum().backward()
    assert out[1].tolist() == [0.0] * 4
    assert q.grad[1].tolist() == [0.0] * 4 and (q.grad[0] != 0).all()


def test_dropout_drops_weights_and_keeps_the_mean():
    k, v = autodiff.zeros(1000, 2), autodiff.ones(1000, 1)
    out = F.scaled_dot_product_attention(autodiff.zeros(200, 2), k, v, dropout_p=0.3)
    assert out.std().item() > 0
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        F.scaled_dot_product_attention(k, k, v, dropout_p=1.5)


@pytest.mark.parametrize(
    ("masked", "options"),
    [
        *((True, {}), (False, {}), (False, {"is_causal": True})),
        *((True, {"dropout_p": 0.4}), (False, {"dropout_p": 0.4})),
    ],
    ids=str,
)
def test_a_compiled_attention_is_the_eager_one(masked, options):
    def scenario(run):
        rng = np.random.default_rng(0)

        @run.compile
        def step(q, k, v, mask):
            mask = mask if masked else None
            out = F.scaled_dot_product_attention(q, k, v, mask, **options)
            return out, autodiff.autograd.grad((out * out).sum(), (q, k, v))

        autodiff.manual_seed(3)
        for _ in range(4):
            q, k, v = (tensor(rng.normal(size=(2, 5, 4)), requires_grad=True) for _ in range(3))
            run.note(step(q, k, v, tensor(rng.integers(0, 2, (5, 5)) > 0)), q, k, v)

    agree(scenario)
