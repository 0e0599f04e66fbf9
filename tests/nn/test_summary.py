import math

import numpy as np
import pytest

import autodiff
import nn
from nn.utils import parametrizations, weight_norm
from tests.autodiff.compiler.scenarios import held


def convolutional():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(8 * 4 * 4, 10),
    )


def test_layers_have_their_own_numbers_and_the_model_their_totals():
    summary = nn.summary(convolutional(), (2, 3, 8, 8))
    assert [layer[:3] for layer in summary.layers] == [
        ("", "Sequential", (2, 10)),
        ("0", "Conv2d", (2, 8, 8, 8)),
        ("1", "BatchNorm2d", (2, 8, 8, 8)),
        ("2", "ReLU", (2, 8, 8, 8)),
        ("3", "Sequential", (2, 128)),
        ("3.0", "MaxPool2d", (2, 8, 4, 4)),
        ("3.1", "Flatten", (2, 128)),
        ("4", "Linear", (2, 10)),
    ]
    assert [layer.parameters for layer in summary.layers] == [0, 224, 16, 0, 0, 0, 0, 1290]
    products = [0, 2 * 8 * 64 * 27, 0, 0, 0, 0, 0, 2 * 10 * 128]
    assert [layer.multiply_adds for layer in summary.layers] == products
    buffers = 2 * 8 * 4 + 8
    assert [layer.bytes for layer in summary.layers] == [0, 896, 64 + buffers, 0, 0, 0, 0, 5160]
    assert summary.parameters == summary.trainable == 224 + 16 + 1290
    assert summary.multiply_adds == sum(products)
    assert summary.bytes == 896 + 64 + buffers + 5160


def test_the_text_is_a_table():
    model = nn.Sequential(nn.Linear(20, 100), nn.Linear(100, 1)).requires_grad_(False)
    model[1].requires_grad_()
    assert str(nn.summary(model, (10, 20))) == "\n".join(
        [
            "layer    class       output     parameters  multiply-adds  bytes",
            "----------------------------------------------------------------",
            "(model)  Sequential  (10, 1)             0              0      0",
            "0        Linear      (10, 100)       2,100         20,000  8,400",
            "1        Linear      (10, 1)           101          1,000    404",
            "----------------------------------------------------------------",
            "total                                2,201         21,000  8,804",
            "101 of 2,201 parameters are trained",
        ]
    )


CASES = [
    (lambda library: library.Conv1d(4, 6, 3, groups=2, stride=2), [(2, 4, 9)]),
    (lambda library: library.Conv3d(2, 3, 2, dilation=2, padding=1), [(2, 2, 4, 5, 6)]),
    (lambda library: library.ConvTranspose2d(4, 2, 3, 2, groups=2), [(2, 4, 5, 6)]),
    (lambda library: library.Linear(4, 3, bias=False), [(4,)]),
    (lambda library: library.Linear(4, 3), [(2, 5, 4)]),
    (lambda library: library.Sequential(library.Linear(4, 3), library.Linear(3, 2)), [(7, 4)]),
    (lambda library: library.LSTMCell(4, 5), [(3, 4)]),
    (lambda library: library.MultiheadAttention(8, 2, bias=False), [(5, 2, 8)] * 3),
    (lambda library: library.MultiheadAttention(8, 2, kdim=8, vdim=6), [(5, 8), (3, 8), (3, 6)]),
]


@pytest.mark.parametrize(("make", "shapes"), CASES)
def test_multiply_adds_are_those_that_pytorch_counts(torch, make, shapes):
    flop_counter = pytest.importorskip("torch.utils.flop_counter")
    with flop_counter.FlopCounterMode(display=False) as counter:
        make(torch.nn)(*[torch.ones(shape) for shape in shapes])
    assert nn.summary(make(nn), *shapes).multiply_adds == counter.get_total_flops() // 2


def test_frozen_models_and_inputs_of_integers_are_counted():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)).requires_grad_(False)
    tokens = autodiff.zeros(2, 5, dtype=autodiff.int64)
    summary = nn.summary(model, tokens)
    assert (summary.trainable, summary.multiply_adds) == (0, 2 * 5 * 4 * 3)
    assert summary.layers[1].output == (2, 5, 4)


def test_the_module_that_is_running_is_the_one_that_computes():
    class Outer(nn.Module):
        def __init__(self):
            self.first = nn.Parameter(autodiff.ones(4, 4))
            self.inner = nn.Linear(4, 2, bias=False)
            self.unused = nn.Linear(3, 3)

        def forward(self, x, twice):
            y = self.inner(x @ self.first)
            return {"y": y + self.inner(x), "z": y @ y.T} if twice else y

    summary = nn.summary(Outer(), (3, 4), twice=True)
    assert [(layer.path, layer.output, layer.multiply_adds) for layer in summary.layers] == [
        ("", ((3, 2), (3, 3)), 3 * 4 * 4 + 3 * 2 * 3),
        ("inner", (3, 2), 2 * 3 * 4 * 2),
        ("unused", None, 0),
    ]


def test_what_modules_share_is_counted_once():
    table, head = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
    head.weight = table.weight
    layer = nn.Linear(4, 4)
    summary = nn.summary(nn.Sequential(table, layer, layer, head), autodiff.tensor([1, 2]))
    assert summary.parameters == summary.trainable == 36 + 20
    assert [layer.path for layer in summary.layers] == ["", "0", "1", "3"]
    assert [layer.multiply_adds for layer in summary.layers] == [0, 0, 2 * 2 * 16, 2 * 36]


def test_computed_weights_are_counted_at_what_they_are_learned_as():
    for normalise in (weight_norm, parametrizations.weight_norm):
        summary = nn.summary(normalise(nn.Linear(4, 3)), (2, 4))
        assert (summary.parameters, summary.multiply_adds) == (3 + 12 + 3, 24)


def test_the_model_stays_as_it_is():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    model[3].eval().requires_grad_(False)
    model[0].weight.grad = autodiff.ones(3, 4)
    calls = []
    model[0].register_forward_hook(lambda *args: calls.append(1))

    def state():
        flags = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
        hooks = [m._hooks and len(m._hooks.forward) for m in model.modules()]
        return held([model, *flags, hooks, autodiff.get_rng_state()])

    before = state()
    nn.summary(model, (5, 4))
    with pytest.raises(RuntimeError):
        nn.summary(model, (5, 3))
    for a, b in zip(before[1:], state()[1:]):
        assert np.array_equal(a, b)
    assert all(np.array_equal(before[0][k], v) for k, v in state()[0].items() if v is not None)
    assert calls == [1]


def test_inputs_take_the_dtype_of_the_model_and_gradients_need_not_be_on():
    with autodiff.no_grad():
        summary = nn.summary(nn.Linear(4, 3).double(), [2, 4])
    assert summary.multiply_adds == math.prod((2, 4, 3))
    assert summary.bytes == 15 * 8
    assert nn.summary(nn.ReLU(), (2, 4)).parameters == 0
