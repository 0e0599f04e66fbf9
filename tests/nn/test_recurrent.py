import importlib
import math
from functools import partial

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


def with_state(module, x, *state):
    """A module called as PyTorch wants it: a state of several tensors is a tuple."""
    return module(x, state if len(state) > 1 else state[0]) if state else module(x)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("axes", [(), (5,)])
def test_cells_with_gates_equal_pytorch(torch, rng, axes, bias, kind):
    x, h, c = rng.normal(size=(*axes, 3)), *rng.normal(size=(2, *axes, 4))
    for states in ([], [h, c] if kind == "LSTMCell" else [h]):
        ours, theirs = getattr(nn, kind)(3, 4, bias), getattr(torch.nn, kind)(3, 4, bias)
        check_modules(torch, ours, theirs, x, *states, call=with_state)


SETTINGS = [
    {},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
]
KINDS = [
    *[("RNN", settings) for settings in (*SETTINGS, {"nonlinearity": "relu"})],
    *[("GRU", settings) for settings in SETTINGS],
    *[("LSTM", settings) for settings in SETTINGS],
    *[("LSTM", {**settings, "proj_size": 2}) for settings in SETTINGS],
]
every_kind = pytest.mark.parametrize(("kind", "settings"), KINDS, ids=str)


def states(rng, kind, settings, *batch):
    """A state to begin with, less the last axis for one step."""
    count = settings.get("num_layers", 1) * (1 + settings.get("bidirectional", False))
    sizes = {"LSTM": [settings.get("proj_size") or 4, 4]}.get(kind, [4])
    return [rng.normal(size=(count, *batch, size)) for size in sizes]


@pytest.mark.parametrize("batch_first", [False, True])
@every_kind
def test_layers_equal_pytorch(torch, rng, kind, settings, batch_first):
    x, single = rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 3))
    for inputs in (
        [x],
        [x, *states(rng, kind, settings, 6 if batch_first else 5)],
        [single],
        [single, *states(rng, kind, settings)],
        [rng.normal(size=(1, 1, 3))],
    ):
        ours = getattr(nn, kind)(3, 4, batch_first=batch_first, **settings)
        theirs = getattr(torch.nn, kind)(3, 4, batch_first=batch_first, **settings)
        check_modules(torch, ours, theirs, *inputs, call=with_state)


def packed(module, x, *state, lengths):
    """What a module gives for a padded batch, packed in between."""
    rnn = (nn if isinstance(module, nn.Module) else importlib.import_module("torch.nn")).utils.rnn
    batch = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    out, last = with_state(module, batch, *state)
    return rnn.pad_packed_sequence(out, padding_value=0.5)[0], last


@pytest.mark.parametrize("lengths", [[6, 4, 4, 1, 1], [2, 6, 1, 5, 6], [3, 3, 3, 3, 3], [1] * 5])
@every_kind
def test_layers_on_packed_sequences_equal_pytorch(torch, rng, kind, settings, lengths):
    x = rng.normal(size=(6, 5, 3))
    for state in ([], states(rng, kind, settings, 5)):
        ours = getattr(nn, kind)(3, 4, **settings)
        theirs = getattr(torch.nn, kind)(3, 4, **settings)
        check_modules(torch, ours, theirs, x, *state, call=partial(packed, lengths=lengths))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers_are_their_cells_step_by_step(rng, kind):
    layer, cell = getattr(nn, kind)(2, 3), getattr(nn, f"{kind}Cell")(2, 3)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = autodiff.tensor(rng.normal(size=(4, 5, 2)).astype(np.float32))
    out, last = layer(x)
    state = None
    for t in range(4):
        state = cell(x[t], state)
        assert autodiff.allclose(out[t], state[0] if kind == "LSTM" else state)
    for s, given in zip(state if kind == "LSTM" else [state], last if kind == "LSTM" else [last]):
        assert autodiff.allclose(given[0], s)


def test_a_cell_of_ones_gives_the_published_equations():
    cell = nn.LSTMCell(1, 1)
    with autodiff.no_grad():
        for p in cell.parameters():
            p.fill_(0.5)
    h, c = cell(autodiff.tensor([1.0]), (autodiff.tensor([0.2]), autodiff.tensor([-1.0])))
    z = 0.5 * 1.0 + 0.5 + 0.5 * 0.2 + 0.5  # every gate's
    gate = 1 / (1 + math.exp(-z))
    memory = gate * -1.0 + gate * math.tanh(z)
    assert c.item() == pytest.approx(memory, rel=1e-6)
    assert h.item() == pytest.approx(gate * math.tanh(memory), rel=1e-6)


def test_lstm_refuses_bad_projections_and_states():
    for size in (-1, 3, 4):
        with pytest.raises(ValueError, match="proj_size must be 0 or more and below"):
            nn.LSTM(2, 3, proj_size=size)
    layer, x = nn.LSTM(2, 3), autodiff.zeros(4, 5, 2)
    with pytest.raises(RuntimeError, match="a state of 2 tensors, got 1"):
        layer(x, [autodiff.zeros(1, 5, 3)])
    with pytest.raises(RuntimeError, match=r"state of shape \(1, 5, 3\)"):
        layer(x, (autodiff.zeros(1, 5, 3), autodiff.zeros(1, 4, 3)))


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


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_sequences_without_steps_are_refused(kind: str):
    with pytest.raises(RuntimeError, match="one step or more"):
        getattr(nn, kind)(3, 4)(autodiff.zeros(0, 2, 3))


def test_states_without_a_graph_hold_no_gates():
    with autodiff.no_grad():
        out, _ = nn.LSTM(3, 4)(autodiff.zeros(5, 2, 3))
    assert out._array.base is None or out._array.base.nbytes == out._array.nbytes
