"""Every module over its constructor options: text, state and copies.

PyTorch's text, keys, shapes and dtypes; its state loads here and ours there; copies are equal to
the module and have nothing in common with it.
"""

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import autodiff
import nn
from tests.nn import test_compiled, test_layers
from tests.nn.test_compiled import KINDS
from tests.nn.twins import flat

NEEDED: dict[str, tuple[tuple, dict, tuple]] = {
    kind: test_compiled.CASES.get(kind, [((), {}, (test_compiled.ROWS,))])[0] for kind in KINDS
}
"""What each module cannot be built without, and what it takes."""

MORE: dict[str, list[dict]] = {
    "RNN": [{"nonlinearity": "relu", "num_layers": 2, "dropout": 0.5}],
    "LSTM": [{"proj_size": 2, "bidirectional": True}],
    "GRU": [{"num_layers": 2, "bidirectional": True, "bias": False}],
    "RNNCell": [{"nonlinearity": "relu"}],
    "CrossEntropyLoss": [{"label_smoothing": 0.1, "ignore_index": 3, "reduction": "sum"}],
    "TransformerEncoderLayer": [{"activation": "gelu", "layer_norm_eps": 0.1}],
    "MultiheadAttention": [{"kdim": 3}, {"vdim": 5, "bias": False}],
    "PReLU": [{"num_parameters": 4, "init": 0.5}],
    "Softplus": [{"beta": 2.0, "threshold": 10.0}],
    "GELU": [{"approximate": "tanh"}],
    "Upsample": [{"mode": "bicubic", "align_corners": True}],
}


def cases() -> list:
    """Each module as needed, with each flag turned over, and with other settings."""
    found = []
    for kind in KINDS:
        args, options, _ = NEEDED[kind]
        flags = [
            {p.name: not p.default}
            for p in list(inspect.signature(getattr(nn, kind)).parameters.values())[len(args) :]
            if isinstance(p.default, bool)
        ]
        found += [(kind, args, options | more) for more in [{}, *flags, *MORE.get(kind, [])]]
    found += [case.values[:3] for case in test_layers.CASES]
    return [pytest.param(*case, id=f"{case[0]}-{i}") for i, case in enumerate(found)]


each_case = pytest.mark.parametrize(("kind", "args", "options"), cases())
quietly = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")


def theirs_of(torch: Any, kind: str, args: tuple, options: dict) -> Any:
    """The module of PyTorch with these settings, in which tensors and modules are ours."""

    def translated(value: Any) -> Any:
        if isinstance(value, autodiff.Tensor):
            return torch.from_numpy(value.numpy())
        if isinstance(value, nn.Module):
            return theirs_of(torch, type(value).__name__, (4, 2), test_compiled.BLOCK)
        return value

    return getattr(torch.nn, kind)(
        *map(translated, args), **{name: translated(value) for name, value in options.items()}
    )


def text_of(module: Any) -> str:
    """The repr; PyTorch's attention has a Linear of another name."""
    return repr(module).replace("NonDynamicallyQuantizableLinear", "Linear")


def described(module: Any) -> list:
    return [
        (key, tuple(value.shape), value.numpy().dtype) for key, value in module.state_dict().items()
    ]


@quietly
@each_case
def test_text_and_state_are_pytorchs(torch, kind, args, options):
    ours, theirs = getattr(nn, kind)(*args, **options), theirs_of(torch, kind, args, options)
    assert text_of(ours) == text_of(theirs)
    assert described(ours) == described(theirs)
    learned = [{n: p.requires_grad for n, p in m.named_parameters()} for m in (ours, theirs)]
    assert learned[0] == learned[1]

    ours.load_state_dict(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert (ours.state_dict()[key].numpy() == value.numpy()).all()
    with autodiff.no_grad():
        for parameter in ours.parameters():
            parameter.add_(1.0)
    mine = ours.state_dict()
    theirs.load_state_dict({key: torch.from_numpy(value.numpy()) for key, value in mine.items()})
    for key, value in theirs.state_dict().items():
        assert (mine[key].numpy() == value.numpy()).all()


@each_case
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal_and_independent(copied, kind, args, options):
    module = getattr(nn, kind)(*args, **options).eval()
    other = copied(module)
    assert type(other) is type(module)
    assert repr(other) == repr(module)
    assert [m.training for m in other.modules()] == [m.training for m in module.modules()]
    before = {key: value.numpy().copy() for key, value in module.state_dict().items()}
    assert list(other.state_dict()) == list(before)
    for key, value in other.state_dict().items():
        assert (value.numpy() == before[key]).all()
        value.fill_(7)
    for key, value in module.state_dict().items():
        assert (value.numpy() == before[key]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_compute_the_same(copied, kind):
    args, options, inputs = NEEDED[kind]
    module = getattr(nn, kind)(*args, **options).double().eval()
    outs = []
    for m in (module, copied(module)):
        autodiff.manual_seed(1)
        outs.append(flat(m(*[autodiff.tensor(x) for x in inputs])))
    for a, b in zip(*outs):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_the_constructor_takes_what_pytorchs_takes(torch, kind):
    takes = {}
    for library in (nn, torch.nn):
        signature = inspect.signature(getattr(library, kind))
        takes[library] = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if not callable(parameter.default)
        }
    if kind in ("RNN", "LSTM", "GRU"):  # PyTorch does not say in its signature what they take
        return
    old = {"Hardtanh": {"min_value", "max_value"}}.get(kind, set())
    expected = {n: default for n, default in takes[torch.nn].items() if n not in old}
    assert list(takes[nn].items()) == list(expected.items())


@quietly
@pytest.mark.parametrize("kind", KINDS)
def test_a_dtype_can_be_asked_for(torch, kind):
    args, options, _ = NEEDED[kind]
    if "dtype" not in inspect.signature(getattr(nn, kind)).parameters:
        return
    ours = getattr(nn, kind)(*args, **options, dtype=autodiff.float64, device="cpu")
    theirs = theirs_of(torch, kind, args, options | {"dtype": torch.float64})
    assert described(ours) == described(theirs)
