import copy

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff import tensor
from nn import functional as F
from tests.autodiff.compiler.scenarios import agree
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

EXPRESSIONS = listed(
    """
    F.batch_norm(x, mean, var); F.batch_norm(x, mean, var, w, b);
    F.batch_norm(x, None, None, training=True);
    (F.batch_norm(x, mean, var, training=True), mean, var);
    (F.batch_norm(x, mean, var, w, b, True, 0.3, 1e-3), mean, var);
    (F.batch_norm(m, mean, var, w, b, True), mean, var);
    (F.batch_norm(image, mean4, var4, w4, b4, True), mean4, var4);
    F.batch_norm(image, mean4, var4, w4, b4); F.batch_norm(volume, None, None, None, None, True);
    (F.batch_norm(none, mean, var, w, b, True), mean, var); F.batch_norm(none, mean, var, w, b);
    (F.batch_norm(x[:, :, :0], mean, var, training=True), mean, var);
    (F.batch_norm(x, mean, var, training=True, momentum=1.0), mean, var);
    (F.batch_norm(x, mean, var, training=True, momentum=0.0), mean, var);
    F.batch_norm(x, mean, var, None, b); F.batch_norm(x, mean, var, w); F.batch_norm(x, None, None);
    F.batch_norm(one, mean, var, training=True); F.batch_norm(one, mean, var);
    F.batch_norm(w, mean, var, training=True); F.batch_norm(x, mean4, var4);
    F.batch_norm(x, mean, var, w4); F.batch_norm(x, mean, None, training=True);
    F.batch_norm(x.long(), mean, var); F.batch_norm(x, mean32, var32);
    F.batch_norm(x.float(), mean, var, training=True);
    F.batch_norm(x, mean, var, training=True, eps=0.0); F.batch_norm(x, mean, var, eps=0.0);
    F.batch_norm(x, mean, var, eps=-1.0); F.batch_norm(x, w, b, training=True);
    F.batch_norm(x, mean, var, w.reshape(3, 1));
    F.batch_norm(x.transpose(0, 1)[:3], mean, var, training=True)
    """,
    """
    F.layer_norm(x, (2,)); F.layer_norm(x, [3, 2]); F.layer_norm(image, (5, 6), last, last_b);
    F.layer_norm(image, (5, 6), last, None, 1e-2); F.layer_norm(image, (5, 6), None, last_b);
    F.layer_norm(m, (3,), w, b); F.layer_norm(none, (2,)); F.layer_norm(none[:, :, 0], (0,));
    F.layer_norm(w, (3,), w, b); F.layer_norm(x, 2); F.layer_norm(x, (3,)); F.layer_norm(x, ());
    F.layer_norm(image, (5, 6), w); F.layer_norm(x.long(), (2,));
    F.layer_norm(x.float(), (3, 2), x[0]); F.layer_norm(w, (2, 3)); F.layer_norm(x, (2,), eps=0.0);
    F.layer_norm(x, (4, 3, 2)); F.rms_norm(x, (2,)); F.rms_norm(x, [3, 2]);
    F.rms_norm(image, (5, 6), last); F.rms_norm(image, (5, 6), last, 1e-2); F.rms_norm(m, (3,), w);
    F.rms_norm(none, (2,)); F.rms_norm(x.long(), (2,)); F.rms_norm(x, (3,)); F.rms_norm(x, ());
    F.rms_norm(image, (5, 6), w); F.rms_norm(x, 2)
    """,
    """
    F.group_norm(image, 2); F.group_norm(image, 1, w4, b4); F.group_norm(image, 4, w4, b4);
    F.group_norm(image, 2, w4); F.group_norm(image, 2, None, b4, 1e-2); F.group_norm(m, 1, w, b);
    F.group_norm(volume, 2); F.group_norm(image[:0], 2, w4, b4); F.group_norm(image, 3);
    F.group_norm(w, 1); F.group_norm(one, 3); F.group_norm(one[:, :1], 1); F.group_norm(m, 3);
    F.group_norm(image, 2, w); F.group_norm(image.long(), 2); F.group_norm(image.float(), 2, w4);
    F.group_norm(image.permute(0, 1, 3, 2), 2, w4, b4)
    """,
    """
    F.instance_norm(x); (F.instance_norm(x, mean, var), mean, var);
    (F.instance_norm(image, mean4, var4, w4, b4, True, 0.3, 1e-2), mean4, var4);
    (F.instance_norm(image, mean4, var4, w4, b4, False), mean4, var4); F.instance_norm(volume);
    F.instance_norm(m); F.instance_norm(w); F.instance_norm(x, use_input_stats=False);
    F.instance_norm(x, mean, None); (F.instance_norm(none, mean, var), mean, var);
    F.instance_norm(x, weight=w4); F.instance_norm(x[:, :, :1]);
    F.instance_norm(x[:, :, :1], mean, var, use_input_stats=False);
    F.instance_norm(x, None, None, w, b); F.instance_norm(x, None, None, w);
    F.instance_norm(x.long())
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_normalisations_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


@pytest.mark.parametrize(
    "call",
    [
        lambda F, x: F.batch_norm(x, None, None, training=True),
        lambda F, x: F.layer_norm(x, (5, 6)),
        lambda F, x: F.group_norm(x, 2),
        lambda F, x: F.instance_norm(x),
        lambda F, x: F.rms_norm(x, (6,)),
    ],
    ids=["batch", "layer", "group", "instance", "rms"],
)
def test_float32_stays_float32(torch, rng, call):
    x = (rng.normal(size=(2, 4, 5, 6)) + 3).astype(np.float32)
    ours, theirs = call(F, tensor(x)), call(torch.nn.functional, torch.tensor(x))
    assert ours.dtype == autodiff.float32
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_a_known_batch():
    mean, var = autodiff.zeros(1), autodiff.ones(1)
    x = tensor([[1.0], [2.0], [3.0], [6.0]])  # mean 3, variance 14 / 4, or 14 / 3 with n - 1
    out = F.batch_norm(x, mean, var, training=True, momentum=0.5, eps=0.5)
    assert out.flatten().tolist() == [-1.0, -0.5, 0.0, 1.5]
    assert mean.item() == 1.5
    assert var.item() == pytest.approx(0.5 + 0.5 * 14 / 3)


def test_known_rows():
    x = tensor([[1.0, 2.0, 3.0, 6.0]])
    assert F.layer_norm(x, (4,), eps=0.5).tolist() == [[-1.0, -0.5, 0.0, 1.5]]
    assert F.group_norm(x[:, :, None], 1, eps=0.5).flatten().tolist() == [-1.0, -0.5, 0.0, 1.5]
    assert F.instance_norm(x[None], eps=0.5).flatten().tolist() == [-1.0, -0.5, 0.0, 1.5]
    assert F.rms_norm(x, (4,), eps=3.5).tolist() == [[0.25, 0.5, 0.75, 1.5]]


def test_nothing_is_written_when_a_batch_is_refused():
    mean, var = autodiff.zeros(3), autodiff.ones(3)
    with pytest.raises(ValueError, match="variance of one element"):
        F.batch_norm(autodiff.ones(1, 3), mean, var, training=True)
    with pytest.raises(RuntimeError, match="each of 4 channels"):
        F.batch_norm(autodiff.ones(2, 4), mean, var, training=True)
    with pytest.raises(RuntimeError, match="one dtype, got input of"):
        F.batch_norm(autodiff.ones(2, 3).double(), mean, var, training=True)
    assert (mean == 0).all() and (var == 1).all()


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics_follow_in_compiled_steps(name):
    def scenario(run):
        mean, var = autodiff.zeros(4), autodiff.ones(4)
        weight = autodiff.ones(4, requires_grad=True)
        sgd = optim.SGD([weight], 0.1)

        @run.compile
        def step(x):
            sgd.zero_grad()
            out = getattr(F, name)(x, mean, var, weight, None, True, 0.3)
            (out * out * x).sum().backward()
            sgd.step()
            return out

        rng = np.random.default_rng(0)
        for i in range(5):
            x = tensor((rng.normal(size=(6, 4, 5)) + i).astype(np.float32))
            run.note(step(x), mean, var, weight)
            run.note(getattr(F, name)(x, mean, var, weight, None, False))

    agree(scenario)


@pytest.mark.parametrize(
    ("normalised", "size", "slopes"),
    [
        (lambda x, w: F.layer_norm(x, (4,), w), 0.6836, [-3.149e-4, 7.095e-4, -4.870e-4, 9.24e-5]),
        (lambda x, w: F.rms_norm(x, (4,), w), 4.512, [-2.68e-6, 1.474e-5, -1.056e-5, -1.69e-6]),
        (
            lambda x, w: F.batch_norm(x.reshape(4, 1), None, None, training=True)[:, 0] * w,
            *(0.6836, [-3.149e-4, 7.095e-4, -4.870e-4, 9.24e-5]),
        ),
        (lambda x, w: F.group_norm(x.reshape(1, 4), 1) * w, 0.6836, None),
    ],
    ids=["layer_norm", "rms_norm", "batch_norm", "group_norm"],
)
def test_float16_is_normalised_where_its_squares_exceed_its_range(normalised, size, slopes):
    # The values are PyTorch's, in float64.
    x = autodiff.tensor([60000.0, 59000, 58000, 57000], dtype=autodiff.float16, requires_grad=True)
    w = autodiff.tensor([1.0, 2.0, 0.5, 1.0], dtype=autodiff.float16)
    out = normalised(x, w).sum()
    out.backward()
    assert out.dtype == x.grad.dtype == autodiff.float16
    assert out.item() == pytest.approx(size, rel=2e-3)
    if slopes is not None:
        np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=5e-3, atol=5e-7)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(6), nn.InstanceNorm1d(6, affine=True)])
@pytest.mark.parametrize("training", [True, False])
def test_layers_of_halves_take_halves(layer, training):
    x = autodiff.linspace(-1, 2, 60).reshape(2, 6, 5)
    layer = copy.deepcopy(layer).train(training)
    wanted = copy.deepcopy(layer)(x)
    for found in (layer(x.half()), layer.half()(x.half())):
        assert found.dtype == autodiff.float16
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), atol=1e-2)
