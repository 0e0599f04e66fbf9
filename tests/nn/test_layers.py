"""Convolution, pooling, normalisation, padding, embedding and attention layers, as PyTorch's.

Text, keys, outputs, gradients of inputs and parameters, and buffers, in training and evaluation.
"""

import copy
import math
import pickle

import numpy as np
import pytest

import autodiff
import nn
from tests.nn.twins import check_modules, check_state, copy_weights

RNG = np.random.default_rng(11)
LINES = RNG.normal(size=(2, 4, 9))
IMAGES = RNG.normal(size=(2, 4, 7, 8))
ROWS = RNG.normal(size=(5, 4))
INDICES = np.array([[1, 0, 3], [5, 5, 2]])


def of(kind: str, inputs: list, *settings: tuple | dict) -> list:
    """Cases of one module: for each settings (positional or keywords) and input."""
    found = []
    for setting in settings:
        args, options = (setting, {}) if isinstance(setting, tuple) else ((), setting)
        for x in inputs:
            found.append(pytest.param(kind, args, options, x, id=f"{kind}-{setting}-{x.shape}"))
    return found


CONVOLUTIONS: list = [
    (4, 6, 3),
    *[
        {"in_channels": 4, "out_channels": 6, "kernel_size": 3, **more}
        for more in (
            {"stride": 2, "padding": 1},
            {"padding": "same", "dilation": 2},
            {"padding": "valid", "bias": False},
            {"groups": 2},
            {"padding": 2, "padding_mode": "reflect"},
            {"padding": 1, "padding_mode": "replicate", "stride": 2},
            {"padding": 1, "padding_mode": "circular"},
            {"padding": "same", "padding_mode": "circular"},
        )
    ],
]
SPREAD: list = [
    (4, 6, 3),
    *[
        {"in_channels": 4, "out_channels": 6, "kernel_size": 3, **more}
        for more in (
            {"stride": 2, "padding": 1, "output_padding": 1},
            {"groups": 2, "bias": False},
            {"dilation": 2, "stride": 3},
        )
    ],
]
NORMS = [
    (4,),
    {"num_features": 4, "momentum": None},
    {"num_features": 4, "affine": False, "eps": 0.1},
    {"num_features": 4, "track_running_stats": False},
    {"num_features": 4, "bias": False},
]
OWN_NORMS = [(4,), {"num_features": 4, "affine": True, "track_running_stats": True}]
CASES = [
    *of("Conv1d", [LINES, LINES[0]], *CONVOLUTIONS),
    *of("Conv2d", [IMAGES, IMAGES[1]], *CONVOLUTIONS, (4, 2, (2, 3), (1, 2), (0, 1))),
    *of("Conv3d", [RNG.normal(size=(2, 4, 3, 4, 5))], (4, 6, 2), (4, 2, (1, 2, 3), 2, 1)),
    *of("ConvTranspose1d", [LINES, LINES[0]], *SPREAD),
    *of("ConvTranspose2d", [IMAGES], *SPREAD, (4, 2, (2, 3), (1, 2), (0, 1), (0, 1))),
    *of("MaxPool1d", [LINES, LINES[0]], (3,), (2, 1), {"kernel_size": 3, "padding": 1}),
    *of("MaxPool2d", [IMAGES, IMAGES[0]], (2,), ((3, 2), 2, 1), {"kernel_size": 3, "dilation": 2}),
    *of("MaxPool2d", [IMAGES], {"kernel_size": 3, "ceil_mode": True}),
    *of("AvgPool1d", [LINES], (3,), (2, 1), {"kernel_size": 3, "padding": 1, "ceil_mode": True}),
    *of("AvgPool2d", [IMAGES], (2,), ((3, 2), 2, 1), {"kernel_size": 3, "divisor_override": 2}),
    *of("AvgPool2d", [IMAGES], {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
    *of("AdaptiveAvgPool1d", [LINES], (3,), (1,)),
    *of("AdaptiveAvgPool2d", [IMAGES], (3,), ((None, 2),), ((1, 1),)),
    *of("AdaptiveMaxPool1d", [LINES], (3,), (4,)),
    *of("AdaptiveMaxPool2d", [IMAGES], (3,), ((None, 2),)),
    *of("BatchNorm1d", [LINES, ROWS], *NORMS),
    *of("BatchNorm2d", [IMAGES], *NORMS),
    *of("BatchNorm3d", [IMAGES[:, :, None]], *NORMS[:1]),
    *of("InstanceNorm1d", [LINES, LINES[0]], *OWN_NORMS),
    *of("InstanceNorm2d", [IMAGES], *OWN_NORMS),
    *of("LayerNorm", [ROWS], (4,), {"normalized_shape": 4, "bias": False, "eps": 0.1}),
    *of("LayerNorm", [IMAGES], ([7, 8],), {"normalized_shape": (8,), "elementwise_affine": False}),
    *of("RMSNorm", [ROWS], (4,), {"normalized_shape": 4, "eps": 1e-3}),
    *of("RMSNorm", [ROWS], {"normalized_shape": [4], "elementwise_affine": False}),
    *of("GroupNorm", [IMAGES, LINES], (2, 4), (4, 4, 1e-3, False)),
    *of("GroupNorm", [LINES], {"num_groups": 2, "num_channels": 4, "bias": False}),
    *of(
        "Embedding", [INDICES], (6, 3), {"num_embeddings": 6, "embedding_dim": 3, "padding_idx": 5}
    ),
    *of("Embedding", [INDICES], {"num_embeddings": 6, "embedding_dim": 3, "padding_idx": -2}),
    *of(
        "Embedding",
        [INDICES],
        {"num_embeddings": 6, "embedding_dim": 3, "max_norm": 1.0},
        {"num_embeddings": 6, "embedding_dim": 3, "scale_grad_by_freq": True},
    ),
    *of("ConstantPad1d", [LINES], (2, 0.5), ((1, 3), -1.0)),
    *of("ConstantPad2d", [IMAGES], (2, 0.5), ((1, 3, 0, -2), -1.0)),
    *of("ZeroPad1d", [LINES], (2,)),
    *of("ZeroPad2d", [IMAGES], (2,), ((1, 3, 0, 2),)),
    *[
        case
        for mode in ("Reflection", "Replication", "Circular")
        for case in (
            *of(f"{mode}Pad1d", [LINES, LINES[0]], (2,), ((1, 3),)),
            *of(f"{mode}Pad2d", [IMAGES], (2,), ((1, 3, 0, 2),)),
        )
    ],
    *of("Upsample", [IMAGES], {"scale_factor": 2}, {"size": (3, 5), "mode": "bilinear"}),
    *of("Upsample", [LINES], {"scale_factor": 1.5, "mode": "linear", "align_corners": True}),
    *of("UpsamplingNearest2d", [IMAGES], {"scale_factor": 2}, {"size": 5}),
    *of("UpsamplingBilinear2d", [IMAGES], {"scale_factor": 2}),
    *of("PixelShuffle", [IMAGES], (2,)),
    *of("PixelUnshuffle", [IMAGES[:, :, :6, :6]], (2,), (3,)),
    *of(
        "Unfold", [IMAGES], (2,), {"kernel_size": (2, 3), "dilation": 2, "padding": 1, "stride": 2}
    ),
    *of("Fold", [RNG.normal(size=(2, 4, 12))], {"output_size": (4, 5), "kernel_size": 2}),
]


def built(library, kind, args, options):
    return getattr(library, kind)(*args, **options)


@pytest.mark.parametrize(("kind", "args", "options", "x"), CASES)
def test_layers_equal_pytorch(torch, kind, args, options, x):
    ours, theirs = built(nn, kind, args, options), built(torch.nn, kind, args, options)
    check_modules(torch, ours, theirs, x)
    check_state(ours, theirs)
    check_modules(torch, ours.eval(), theirs.eval(), x)


@pytest.mark.parametrize(
    "kind", ["MaxPool1d", "MaxPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"]
)
def test_pooling_tells_where_the_largest_was(torch, kind):
    x = LINES if kind.endswith("1d") else IMAGES
    ours = built(nn, kind, (2,), {"return_indices": True})(autodiff.tensor(x))
    theirs = built(torch.nn, kind, (2,), {"return_indices": True})(torch.tensor(x))
    for a, b in zip(ours, theirs):
        assert a.tolist() == b.tolist()


def test_transposed_convolutions_take_the_size_they_are_to_give(torch):
    ours = nn.ConvTranspose2d(4, 2, 3, 2).double()
    theirs = torch.nn.ConvTranspose2d(4, 2, 3, 2).double()
    copy_weights(ours, theirs)
    for size in ((16, 17), (15, 18), (2, 2, 16, 18)):
        mine = ours(autodiff.tensor(IMAGES), output_size=size)
        other = theirs(torch.tensor(IMAGES), output_size=size)
        np.testing.assert_allclose(mine.detach(), other.detach(), atol=1e-12)
    with pytest.raises(ValueError, match=r"between \[15, 17\] and \[16, 18\], got \[14, 17\]"):
        ours(autodiff.tensor(IMAGES), output_size=[14, 17])


def mask(*shape):
    drawn = np.random.default_rng(2).random(shape) < 0.3
    drawn[..., 0] = False
    return drawn


QUERY, KEY, VALUE = (RNG.normal(size=(n, 2, 8)) for n in (3, 5, 5))
NARROW_KEY, NARROW_VALUE = RNG.normal(size=(5, 2, 3)), RNG.normal(size=(5, 2, 6))
CALLS: dict = {
    "plain": {},
    "padding": {"key_padding_mask": mask(2, 5)},
    "bool mask": {"attn_mask": mask(3, 5)},
    "float mask": {"attn_mask": RNG.normal(size=(3, 5))},
    "by head": {"attn_mask": mask(8, 3, 5), "average_attn_weights": False},
    "both": {"attn_mask": mask(3, 5), "key_padding_mask": mask(2, 5)},
    "no weights": {"need_weights": False, "attn_mask": mask(3, 5)},
}
ATTENTIONS: list[dict] = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True},
]


def attended(call, masks):
    """Query, key and value given to a module with masks in its library's tensors."""

    def run(module, *inputs):
        library = type(inputs[0])
        make = (
            autodiff.tensor
            if library is autodiff.Tensor
            else __import__("torch").tensor  # the library of the inputs
        )
        options = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in masks.items()}
        out, weights = call(module, *inputs, **options)
        return (out,) if weights is None else (out, weights)

    return run


@pytest.mark.parametrize("masks", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("settings", ATTENTIONS, ids=str)
def test_attention_equals_pytorch(torch, settings, masks):
    call = attended(lambda module, *x, **options: module(*x, **options), masks)
    ours = nn.MultiheadAttention(8, 4, **settings)
    theirs = torch.nn.MultiheadAttention(8, 4, **settings)
    check_modules(torch, ours, theirs, QUERY, KEY, VALUE, call=call, text=False)


def test_attention_of_other_layouts_equals_pytorch(torch):
    plain = attended(lambda module, *x, **options: module(*x, **options), {})
    itself = attended(lambda module, x, **options: module(x, x, x, **options), {})
    for settings, inputs, call in (
        ({"batch_first": True}, [x.swapaxes(0, 1).copy() for x in (QUERY, KEY, VALUE)], plain),
        ({}, [x[:, 0].copy() for x in (QUERY, KEY, VALUE)], plain),
        ({"kdim": 3, "vdim": 6}, [QUERY, NARROW_KEY, NARROW_VALUE], plain),
        ({"kdim": 3, "vdim": 6, "bias": False}, [QUERY, NARROW_KEY, NARROW_VALUE], plain),
        ({}, [QUERY], itself),
        ({"batch_first": True}, [QUERY], itself),
    ):
        ours = nn.MultiheadAttention(8, 2, **settings)
        theirs = torch.nn.MultiheadAttention(8, 2, **settings)
        check_modules(torch, ours, theirs, *inputs, call=call, text=False)


LAYERS: list[dict] = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"batch_first": True, "bias": False},
    {"layer_norm_eps": 0.1},
]
SOURCE, TARGET = RNG.normal(size=(5, 2, 8)), RNG.normal(size=(3, 2, 8))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("settings", LAYERS, ids=str)
def test_transformer_layers_equal_pytorch(torch, settings):
    batch_first = settings.get("batch_first", False)
    source, target = (x.swapaxes(0, 1).copy() if batch_first else x for x in (SOURCE, TARGET))
    options = {"d_model": 8, "nhead": 2, "dim_feedforward": 12, "dropout": 0.0, **settings}
    encoder, decoder = (
        [getattr(library, f"Transformer{kind}Layer")(**options) for library in (nn, torch.nn)]
        for kind in ("Encoder", "Decoder")
    )
    check_modules(torch, *encoder, source, text=False)
    check_modules(torch, *decoder, target, source, text=False)
    stacks = [
        library.TransformerEncoder(layer, 2, library.LayerNorm(8))
        for library, layer in zip((nn, torch.nn), encoder)
    ]
    check_modules(torch, *stacks, source, text=False)
    stacks = [library.TransformerDecoder(x, 2) for library, x in zip((nn, torch.nn), decoder)]
    check_modules(torch, *stacks, target, source, text=False)


def test_transformers_want_the_mask_that_is_said_to_be_causal():
    x = autodiff.zeros(3, 2, 8)
    encoder, decoder = nn.TransformerEncoderLayer(8, 2, 4), nn.TransformerDecoderLayer(8, 2, 4)
    for call in (
        lambda: encoder(x, is_causal=True),
        lambda: nn.TransformerEncoder(encoder, 1)(x, is_causal=True),
        lambda: decoder(x, x, tgt_is_causal=True),
        lambda: nn.TransformerDecoder(decoder, 1)(x, x, memory_is_causal=True),
        lambda: nn.Transformer(8, 2, 1, 1, 4)(x, x, src_is_causal=True),
    ):
        with pytest.raises(RuntimeError, match="give attn_mask"):
            call()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_a_transformer_with_masks_equals_pytorch(torch):
    options = {"d_model": 8, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 1}
    options |= {"dim_feedforward": 12, "dropout": 0.0}
    masks = {"tgt_mask": np.triu(np.full((3, 3), -math.inf), 1), "src_mask": mask(5, 5)}
    masks |= {"src_key_padding_mask": mask(2, 5), "memory_key_padding_mask": mask(2, 5)}
    call = attended(lambda module, *x, **options: (module(*x, **options), None), masks)
    ours, theirs = nn.Transformer(**options), torch.nn.Transformer(**options)
    check_modules(torch, ours, theirs, SOURCE, TARGET, call=call, text=False)
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    assert causal.tolist() == masks["tgt_mask"].tolist()


@pytest.mark.parametrize("kind", ["Conv1d", "Conv2d", "ConvTranspose2d", "Linear"])
def test_weights_start_uniform_within_one_over_the_root_of_the_inputs(kind):
    layer = getattr(nn, kind)(*((40, 30) if kind == "Linear" else (40, 30, 3)))
    fan_in = math.prod(layer.weight.shape[1:])
    for values in layer.parameters():
        assert 0.8 * fan_in**-0.5 < values.abs().max().item() <= fan_in**-0.5


def test_attention_and_embedding_start_as_pytorch_starts_them():
    layer = nn.MultiheadAttention(64, 4)
    bound = math.sqrt(6 / (64 + 3 * 64))
    assert 0.95 * bound < layer.in_proj_weight.abs().max().item() <= bound
    assert not layer.in_proj_bias.any()
    assert not layer.out_proj.bias.any()
    table = nn.Embedding(500, 20, padding_idx=3).weight
    assert not table[3].any()
    assert abs(table.std().item() - 1.0) < 0.05


def test_the_padding_row_is_not_trained():
    table = nn.Embedding(4, 2, padding_idx=1)
    table(autodiff.tensor([0, 1, 1])).sum().backward()
    assert table.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


def test_pretrained_tables_are_frozen_unless_told_otherwise():
    data = autodiff.rand(3, 2)
    table = nn.Embedding.from_pretrained(data)
    assert not table.weight.requires_grad
    assert (table(autodiff.tensor(2)) == data[2]).all()
    assert nn.Embedding.from_pretrained(data, freeze=False).weight.requires_grad


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), "must be divisible by groups=2"),
        (lambda: nn.Conv2d(3, 4, 2, groups=0), "groups must be positive"),
        (lambda: nn.Conv2d(3, 4, 2, padding="some"), "'valid', 'same' or numbers"),
        (lambda: nn.Conv2d(3, 4, 2, 2, padding="same"), "needs a stride of 1"),
        (lambda: nn.Conv2d(3, 4, 2, padding_mode="mirror"), "padding_mode must be one of"),
        (lambda: nn.ConvTranspose2d(3, 4, 2, padding_mode="reflect"), "padding_mode must be one"),
        (lambda: nn.GroupNorm(3, 4), "must be divisible by num_groups=3"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx must be an index of 3 rows"),
        (lambda: nn.MultiheadAttention(5, 2), "must be divisible by num_heads=2"),
        (lambda: nn.BatchNorm2d(3)(autodiff.zeros(2, 3, 4)), "needs input of 4 axes"),
        (lambda: nn.BatchNorm1d(3)(autodiff.zeros(1, 3)), "variance of one element"),
    ],
)
def test_bad_settings_and_inputs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_attention_names_the_shapes_that_do_not_fit():
    layer, x = nn.MultiheadAttention(4, 2), autodiff.zeros(3, 2, 4)
    for inputs, options, message in (
        ((x, x, x[0]), {}, "2 axes each, or 3"),
        ((x, x, autodiff.zeros(3, 2, 5)), {}, "the last axis of value must be 4"),
        ((x, x, x[:2]), {}, "must belong together"),
        ((x, x, x), {"attn_mask": autodiff.zeros(2, 3)}, r"attn_mask must be of shape \(3, 3\)"),
        ((x, x, x), {"key_padding_mask": autodiff.zeros(3, 2)}, r"must be of shape \(2, 3\)"),
        ((x, x, x), {"is_causal": True}, "give attn_mask"),
        ((x, x[:, :1], x[:, :1]), {}, "as many examples"),
    ):
        with pytest.raises(RuntimeError, match=message):
            layer(*inputs, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(4, 2, 3, padding_mode="reflect", padding=1),
        lambda: nn.BatchNorm2d(4),
        lambda: nn.MaxPool2d(2),
    ],
)
def test_layers_can_be_copied_and_pickled(make):
    layer, x = make().double(), autodiff.tensor(IMAGES)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert (copied(x) == layer(x)).all()
        assert repr(copied) == repr(layer)
