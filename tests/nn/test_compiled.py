"""Every module of nn, compiled: forward and training step do what they do eagerly."""

import inspect
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff import float64, no_grad, tensor
from tests.autodiff.compiler.scenarios import agree
from tests.nn.twins import flat

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(6, 4))
ROWS_2 = RNG.normal(size=(6, 4))
PROBABILITIES = RNG.uniform(0.1, 0.9, size=(6, 4))
CLASSES = np.array([0, 3, 1, 2, 0, 1])
SIGNS = np.sign(RNG.normal(size=(6, 4)))
ROW_SIGNS = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
IMAGES = RNG.normal(size=(2, 4, 6, 6))
SEQUENCE = RNG.normal(size=(5, 3, 4))
SEQUENCE_2 = RNG.normal(size=(5, 3, 4))
LINES = RNG.normal(size=(2, 4, 9))
VOLUMES = RNG.normal(size=(2, 4, 3, 4, 4))
REDUCTIONS = ({}, {"reduction": "sum"}, {"reduction": "none"})
BLOCK: dict = {"dim_feedforward": 6, "dropout": 0.2}
BY_DIMENSION = {"1d": LINES, "2d": IMAGES, "3d": VOLUMES}
"""Input of four channels for layers of so many axes."""


def of_each(kinds: str, *settings: tuple) -> dict[str, list]:
    """Cases, of the same settings, of modules that differ in how many axes they work on."""
    return {
        kind: [(args, options, (BY_DIMENSION[kind[-2:]],)) for args, options in settings]
        for kind in kinds.split()
    }


CASES: dict[str, list[tuple[tuple, dict, tuple]]] = {
    **of_each(
        "Conv1d Conv2d Conv3d",
        ((4, 6, 2), {}),
        ((4, 6, 3), {"padding": 1, "stride": 2, "groups": 2, "bias": False}),
        ((4, 2, 2), {"padding": "same", "dilation": 2, "padding_mode": "circular"}),
    ),
    **of_each(
        "ConvTranspose1d ConvTranspose2d ConvTranspose3d",
        ((4, 6, 2), {}),
        ((4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}),
    ),
    **of_each(
        "MaxPool1d MaxPool2d",
        ((2,), {}),
        ((2,), {"stride": 1, "padding": 1, "dilation": 2}),
        ((2,), {"ceil_mode": True}),
    ),
    **of_each(
        "AvgPool1d AvgPool2d",
        ((2,), {}),
        ((2,), {"stride": 1, "padding": 1, "count_include_pad": False}),
    ),
    **of_each(
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d",
        ((2,), {}),
        ((3,), {}),
    ),
    **of_each(
        "BatchNorm1d BatchNorm2d BatchNorm3d",
        ((4,), {}),
        ((4,), {"momentum": None, "affine": False}),
        ((4,), {"track_running_stats": False, "bias": False}),
    ),
    **of_each(
        "InstanceNorm1d InstanceNorm2d",
        ((4,), {}),
        ((4,), {"affine": True, "track_running_stats": True}),
    ),
    **of_each(
        "ZeroPad1d ZeroPad2d CircularPad1d CircularPad2d ReflectionPad1d ReflectionPad2d "
        "ReplicationPad1d ReplicationPad2d",
        ((2,), {}),
    ),
    **of_each("ConstantPad1d ConstantPad2d", ((2, 0.5), {})),
    "BatchNorm1d": [((4,), {}, (ROWS,)), ((4,), {"momentum": None}, (LINES,))],
    "LayerNorm": [
        ((4,), {}, (ROWS,)),
        (([6, 6],), {"bias": False}, (IMAGES,)),
        ((4,), {"elementwise_affine": False, "eps": 0.1}, (ROWS,)),
    ],
    "RMSNorm": [((4,), {}, (ROWS,)), ((4,), {"elementwise_affine": False}, (SEQUENCE,))],
    "GroupNorm": [((2, 4), {}, (IMAGES,)), ((4, 4), {"affine": False}, (ROWS,))],
    "Embedding": [
        ((4, 3), {}, (CLASSES,)),
        ((4, 3), {"padding_idx": 1, "scale_grad_by_freq": True}, (CLASSES,)),
        ((4, 3), {"max_norm": 0.5}, (CLASSES,)),
    ],
    "MultiheadAttention": [
        ((4, 2), {}, (SEQUENCE, SEQUENCE_2, SEQUENCE_2)),
        ((4, 2), {"dropout": 0.2, "batch_first": True}, (SEQUENCE,) * 3),
        ((4, 2), {"add_bias_kv": True, "add_zero_attn": True}, (ROWS, ROWS_2, ROWS_2)),
        ((4, 4), {"kdim": 4, "vdim": 6, "bias": False}, (ROWS, ROWS_2, IMAGES[0, 0])),
    ],
    "TransformerEncoderLayer": [
        ((4, 2), BLOCK, (SEQUENCE,)),
        ((4, 2), {**BLOCK, "norm_first": True, "activation": "gelu"}, (ROWS,)),
    ],
    "TransformerDecoderLayer": [((4, 2), BLOCK, (SEQUENCE, SEQUENCE_2))],
    "TransformerEncoder": [((nn.TransformerEncoderLayer(4, 2, **BLOCK), 2), {}, (SEQUENCE,))],
    "TransformerDecoder": [
        ((nn.TransformerDecoderLayer(4, 2, **BLOCK), 2), {}, (SEQUENCE, SEQUENCE_2))
    ],
    "Transformer": [
        ((4, 2, 2, 1), {**BLOCK, "batch_first": True}, (SEQUENCE, SEQUENCE_2)),
    ],
    "Upsample": [
        ((), {"scale_factor": 2}, (IMAGES,)),
        ((), {"size": (3, 8), "mode": "bilinear"}, (IMAGES,)),
        ((), {"scale_factor": 1.5, "mode": "linear", "align_corners": True}, (SEQUENCE,)),
    ],
    "UpsamplingNearest2d": [((), {"size": 9}, (IMAGES,))],
    "UpsamplingBilinear2d": [((), {"scale_factor": 2}, (IMAGES,))],
    "PixelShuffle": [((2,), {}, (IMAGES,))],
    "PixelUnshuffle": [((3,), {}, (IMAGES,))],
    "Unfold": [((2,), {"stride": 2, "padding": 1, "dilation": 2}, (IMAGES,))],
    "Fold": [((4, 2), {"stride": (1, 2)}, (RNG.normal(size=(2, 4, 6)),))],
    "Linear": [((4, 3), {}, (ROWS,)), ((4, 3), {"bias": False}, (ROWS[0],))],
    "Bilinear": [((4, 4, 3), {}, (ROWS, ROWS_2))],
    "Identity": [((), {}, (ROWS,))],
    "Flatten": [((), {}, (IMAGES,)), ((0, 1), {}, (IMAGES,))],
    "Unflatten": [((1, (2, 2)), {}, (ROWS,))],
    "RNN": [
        ((4, 5), {}, (SEQUENCE,)),
        ((4, 5), {"nonlinearity": "relu", "batch_first": True}, (SEQUENCE,)),
        ((4, 5), {"num_layers": 2, "bidirectional": True, "dropout": 0.3}, (SEQUENCE,)),
    ],
    "LSTM": [
        ((4, 5), {}, (SEQUENCE,)),
        ((4, 5), {"num_layers": 2, "bidirectional": True, "proj_size": 3}, (SEQUENCE,)),
    ],
    "GRU": [((4, 5), {"bias": False}, (SEQUENCE,)), ((4, 5), {"num_layers": 2}, (SEQUENCE,))],
    "LSTMCell": [((4, 5), {}, (ROWS,))],
    "GRUCell": [((4, 5), {}, (ROWS,)), ((4, 4), {}, (ROWS, ROWS_2))],
    "RNNCell": [((4, 5), {}, (ROWS,)), ((4, 4), {"nonlinearity": "relu"}, (ROWS, ROWS_2))],
    "CosineSimilarity": [((), {"dim": 1}, (ROWS, ROWS_2))],
    "PairwiseDistance": [
        ((), {}, (ROWS, ROWS_2)),
        ((), {"p": 1.0, "keepdim": True}, (ROWS, ROWS_2)),
    ],
    "Dropout": [((0.3,), {}, (ROWS,)), ((), {"inplace": True}, (ROWS,))],
    "Dropout1d": [((0.3,), {}, (SEQUENCE,))],
    "Dropout2d": [((0.3,), {}, (IMAGES,))],
    "Dropout3d": [((0.3,), {}, (IMAGES[:, :, None],))],
    "AlphaDropout": [((0.3,), {}, (ROWS,))],
    "Threshold": [((0.1, 20.0), {}, (ROWS,))],
    "GLU": [((), {"dim": 1}, (ROWS,))],
    "PReLU": [((), {}, (ROWS,)), ((4,), {}, (ROWS,))],
    "Softmax": [((), {"dim": 1}, (ROWS,))],
    "LogSoftmax": [((), {"dim": 0}, (ROWS,))],
    "Softmin": [((), {"dim": 1}, (ROWS,))],
    "BCELoss": [((), r, (PROBABILITIES, PROBABILITIES)) for r in REDUCTIONS],
    "BCEWithLogitsLoss": [
        *[((), r, (ROWS, PROBABILITIES)) for r in REDUCTIONS],
        ((), {"pos_weight": tensor([1.0, 2.0, 3.0, 4.0])}, (ROWS, PROBABILITIES)),
    ],
    "CosineEmbeddingLoss": [((), {"margin": 0.1}, (ROWS, ROWS_2, ROW_SIGNS))],
    "CrossEntropyLoss": [
        *[((), r, (ROWS, CLASSES)) for r in REDUCTIONS],
        ((), {"label_smoothing": 0.1, "ignore_index": 1}, (ROWS, CLASSES)),
        ((), {"weight": tensor([1.0, 2.0, 3.0, 4.0])}, (ROWS, CLASSES)),
        ((), {}, (ROWS, PROBABILITIES)),
    ],
    "GaussianNLLLoss": [((), r, (ROWS, ROWS_2, PROBABILITIES)) for r in REDUCTIONS],
    "HingeEmbeddingLoss": [((), r, (ROWS, SIGNS)) for r in REDUCTIONS],
    "HuberLoss": [((), r, (ROWS, ROWS_2)) for r in REDUCTIONS],
    "KLDivLoss": [((), {"reduction": "batchmean"}, (ROWS, PROBABILITIES))],
    "L1Loss": [((), r, (ROWS, ROWS_2)) for r in REDUCTIONS],
    "MarginRankingLoss": [((), {"margin": 0.1}, (ROWS[:, 0], ROWS[:, 1], ROW_SIGNS))],
    "MSELoss": [((), r, (ROWS, ROWS_2)) for r in REDUCTIONS],
    "NLLLoss": [
        *[((), r, (ROWS, CLASSES)) for r in REDUCTIONS],
        ((), {"ignore_index": 1}, (ROWS, CLASSES)),
    ],
    "PoissonNLLLoss": [
        ((), {}, (ROWS, PROBABILITIES)),
        ((), {"log_input": False, "full": True}, (PROBABILITIES, PROBABILITIES * 3)),
    ],
    "SmoothL1Loss": [((), r, (ROWS, ROWS_2)) for r in REDUCTIONS],
    "SoftMarginLoss": [((), r, (ROWS, SIGNS)) for r in REDUCTIONS],
    "TripletMarginLoss": [((), {"swap": True}, (ROWS, ROWS_2, PROBABILITIES))],
}
"""What to build a module with, and what to give it: positional, keywords, inputs."""

HOLDERS = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}

KINDS = [
    name
    for name in nn.__all__
    if inspect.isclass(value := getattr(nn, name))
    and issubclass(value, nn.Module)
    and name not in HOLDERS
]
"""Every module that computes."""


def cases() -> list:
    """Those above, and of each other module one without arguments that is given rows."""
    return [
        pytest.param(kind, *case, id=f"{kind}-{i}")
        for kind in KINDS
        for i, case in enumerate(CASES.get(kind, [((), {}, (ROWS,))]))
    ]


def tensors(inputs: tuple, seed: int) -> list:
    """The inputs as tensors; from the second call on other numbers in the same range."""
    order = np.random.default_rng(seed).permutation(len(inputs[0])) if seed else slice(None)
    return [tensor(x[order]) for x in inputs]


def total(result: Any) -> autodiff.Tensor:
    """A number that depends on each element of a result in another way."""
    outs = [out for out in flat(result) if out.requires_grad]
    weighted = [
        (out * autodiff.arange(1, out.numel() + 1, dtype=out.dtype).reshape(out.shape)).sum()
        for out in outs
    ]
    return sum(weighted[1:], weighted[0])


@pytest.mark.parametrize(("name", "args", "options", "inputs"), cases())
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_compiled_forward_is_the_eager_one(name, args, options, inputs, training):
    def scenario(run):
        module = getattr(nn, name)(*args, **options).double().train(training)
        compiled = run.compile(module)
        for i in range(4):
            given = tensors(inputs, i)
            for x in given:
                if i % 2 and x.is_floating_point() and not options.get("inplace"):
                    x.requires_grad_()
            result = compiled(*given)
            run.note(flat(result), given)
            if any(out.requires_grad for out in flat(result)):
                total(result).backward()
                run.note([x.grad for x in given], module)
            with no_grad():
                run.note(flat(compiled(*tensors(inputs, i))), autodiff.get_rng_state())

    agree(scenario)


@pytest.mark.parametrize(("name", "args", "options", "inputs"), cases())
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_compiled_step_is_the_eager_one(name, args, options, inputs, training):
    def scenario(run):
        module = getattr(nn, name)(*args, **options).double().train(training)
        scale = nn.Parameter(autodiff.ones(inputs[0].shape[-1:], dtype=float64))
        optimizer = optim.SGD([scale, *module.parameters()], lr=1e-4, momentum=0.9)

        @run.compile
        def step(x, *others):
            optimizer.zero_grad()
            loss = total(module(x * scale if x.is_floating_point() else x, *others))
            loss.backward()
            optimizer.step()
            return loss

        for i in range(5):
            run.note(step(*tensors(inputs, i)), module, scale, scale.grad, optimizer)

    agree(scenario, recordings=1)


def test_containers_are_followed():
    class Model(nn.Module):
        def __init__(self):
            self.row = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
            self.named = nn.ModuleDict({"a": nn.Tanh(), "b": nn.Sequential(nn.Linear(4, 2))})
            self.scales = nn.ParameterList([autodiff.ones(4), autodiff.ones(4)])
            self.shifts = nn.ParameterDict({"x": autodiff.zeros(2)})
            self.plain = [nn.Linear(2, 2)]

        def forward(self, x):
            for layer, scale in zip(self.row, self.scales):
                x = self.named["a"](layer(x)) * scale
            return self.plain[0](self.named["b"](x) + self.shifts["x"])

    def scenario(run):
        model = Model().double()
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @run.compile
        def step(x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        for i in range(8):
            if i == 3:
                model.named["a"] = nn.ReLU()
            if i == 6:
                model.row[0].bias = None
            run.note(step(*tensors((ROWS,), i)), model, optimizer)

    agree(scenario)
