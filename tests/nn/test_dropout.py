import pytest

import autodiff
import nn
from nn import functional as F


@pytest.mark.parametrize("p", [-0.1, 1.5])
@pytest.mark.parametrize("layer", [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout])
def test_p_must_be_a_probability(layer, p):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        layer(p)


def test_dropout_zeroes_and_scales_while_training():
    x = autodiff.ones(100, 100)
    out = nn.Dropout(0.3)(x)
    assert ((out == 0) | (abs(out - 1 / 0.7) < 1e-6)).all()
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_dropout_keeps_the_input_in_eval():
    x = autodiff.ones(5)
    assert nn.Dropout(0.9).eval()(x) is x
    assert F.dropout(x, 0.9, training=False) is x


def test_dropout_repeats_with_the_seed_and_differs_without():
    layer, x = nn.Dropout(), autodiff.ones(100)
    autodiff.manual_seed(1)
    first, second = layer(x), layer(x)
    autodiff.manual_seed(1)
    assert (layer(x) == first).all()
    assert (second != first).any()


def test_dropout_with_p_1_gives_zeros():
    assert (F.dropout(autodiff.ones(5), 1.0) == 0).all()
    assert (F.alpha_dropout(autodiff.ones(5), 1.0, training=True) == 0).all()


def test_dropout_in_place_writes_into_the_input():
    x = autodiff.ones(100)
    assert F.dropout(x, 0.5, inplace=True) is x
    assert (x == 0).any()


def test_the_gradient_of_dropout_is_its_mask():
    x = autodiff.ones(100, requires_grad=True, dtype=autodiff.float64)
    out = F.dropout(x)
    out.sum().backward()
    assert (x.grad == out.detach()).all()
    assert out.dtype == autodiff.float64


@pytest.mark.parametrize(
    ("function", "shape", "channel_axes"),
    [
        (F.dropout1d, (50, 40, 3), 2),
        (F.dropout1d, (1000, 3), 1),
        (F.dropout2d, (50, 40, 3, 2), 2),
        (F.dropout2d, (50, 40, 3), 2),
        (F.dropout3d, (50, 40, 3, 2, 2), 2),
        (F.dropout3d, (1000, 3, 2, 2), 1),
    ],
)
def test_channels_are_dropped_whole(function, shape, channel_axes):
    out = function(autodiff.ones(shape), 0.25).reshape(*shape[:channel_axes], -1)
    assert (out == out[..., :1]).all()
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.06)


def test_channel_dropout_names_the_shape_it_does_not_take():
    with pytest.raises(RuntimeError, match=r"3 or 4 axes, got shape \(2, 2\)"):
        F.dropout2d(autodiff.ones(2, 2))


def test_alpha_dropout_keeps_mean_0_and_variance_1():
    out = nn.AlphaDropout(0.3)(autodiff.randn(200000))
    assert out.mean().item() == pytest.approx(0.0, abs=0.02)
    assert out.var().item() == pytest.approx(1.0, abs=0.02)


def test_feature_alpha_dropout_drops_whole_channels():
    x = autodiff.ones(50, 40, 3, 2)
    out = F.feature_alpha_dropout(x, 0.25, training=True).reshape(50, 40, -1)
    assert (out == out[..., :1]).all()
    assert (out < 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert F.feature_alpha_dropout(x, 0.25) is x
    with pytest.raises(RuntimeError, match="axes"):
        F.feature_alpha_dropout(autodiff.ones(3), training=True)


def test_dropout_text_is_pytorchs(torch):
    assert repr(nn.Dropout(0.1)) == repr(torch.nn.Dropout(0.1))
    assert repr(nn.Dropout2d(inplace=True)) == repr(torch.nn.Dropout2d(inplace=True))
