import numpy as np
import pytest

import autodiff
import nn
from tests.nn.twins import check_modules


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("axes", [(), (5,)])
def test_rnn_cell_equals_pytorch(torch, rng, axes, bias, nonlinearity):
    x, h = rng.normal(size=(*axes, 3)), rng.normal(size=(*axes, 4))
    for states in ([], [h]):
        ours = nn.RNNCell(3, 4, bias, nonlinearity)
        theirs = torch.nn.RNNCell(3, 4, bias, nonlinearity)
        check_modules(torch, ours, theirs, x, *states)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"nonlinearity": "relu", "bias": False},
        {"num_layers": 3},
        {"bidirectional": True},
        {"num_layers": 2, "bidirectional": True},
    ],
    ids=str,
)
def test_rnn_equals_pytorch(torch, rng, settings, batch_first):
    count = settings.get("num_layers", 1) * (1 + settings.get("bidirectional", False))
    cases = [
        [rng.normal(size=(6, 5, 3))],
        [rng.normal(size=(6, 5, 3)), rng.normal(size=(count, 6 if batch_first else 5, 4))],
        [rng.normal(size=(6, 3))],
        [rng.normal(size=(6, 3)), rng.normal(size=(count, 4))],
        [rng.normal(size=(1, 1, 3))],
    ]
    for inputs in cases:
        ours = nn.RNN(3, 4, batch_first=batch_first, **settings)
        theirs = torch.nn.RNN(3, 4, batch_first=batch_first, **settings)
        check_modules(torch, ours, theirs, *inputs)


def test_rnn_weights_start_uniform_within_one_over_the_root_of_hidden_size():
    layer = nn.RNN(3, 100, num_layers=2)
    for name, values in layer.named_parameters():
        largest = values.detach().abs().max().item()
        assert 0.08 < largest <= 0.1, name


def test_rnn_dropout_acts_between_layers_in_training_only():
    layer = nn.RNN(3, 4, num_layers=2, dropout=1.0)
    x = autodiff.randn(5, 2, 3)
    out, _ = layer(x)
    single = nn.RNN(4, 4)
    single.load_state_dict(
        {k.replace("l1", "l0"): v for k, v in layer.state_dict().items() if "l1" in k}
    )
    assert autodiff.allclose(out, single(autodiff.zeros(5, 2, 4))[0])
    assert not autodiff.allclose(out, layer.eval()(x)[0])


def test_rnn_warns_of_dropout_in_a_single_layer():
    with pytest.warns(UserWarning, match="between layers"):
        nn.RNN(2, 3, dropout=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nonlinearity": "sin"}, "'tanh' or 'relu'"),
        ({"hidden_size": 0}, "hidden_size must be positive"),
        ({"num_layers": 0}, "num_layers must be positive"),
        ({"dropout": 2.0}, r"in \[0, 1\]"),
    ],
)
def test_rnn_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        nn.RNN(**{"input_size": 2, "hidden_size": 3, **settings})


def test_rnn_names_the_shapes_that_do_not_fit():
    layer = nn.RNN(2, 3)
    with pytest.raises(ValueError, match="2 or 3 axes"):
        layer(autodiff.zeros(2))
    with pytest.raises(RuntimeError, match=r"input_size=2, got x of shape \(4, 5, 6\)"):
        layer(autodiff.zeros(4, 5, 6))
    with pytest.raises(RuntimeError, match=r"state of shape \(1, 5, 3\)"):
        layer(autodiff.zeros(4, 5, 2), autodiff.zeros(1, 4, 3))
    with pytest.raises(ValueError, match=r"float64; convert one with .to\(dtype\)"):
        layer(autodiff.zeros(4, 5, 2, dtype=autodiff.float64))


def test_rnn_is_its_cell_applied_step_by_step(rng):
    layer, cell = nn.RNN(2, 3), nn.RNNCell(2, 3)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = autodiff.tensor(rng.normal(size=(4, 5, 2)).astype(np.float32))
    out, last = layer(x)
    h = None
    for t in range(4):
        h = cell(x[t], h)
        assert autodiff.allclose(out[t], h)
    assert autodiff.allclose(last[0], h)
