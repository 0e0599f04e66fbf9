"""Tensors as text: PyTorch's, but for the name of the package."""

import numpy as np
import pytest

import autodiff
from autodiff import tensor


@pytest.fixture(autouse=True)
def default_options():
    yield
    autodiff.set_printoptions(profile="default")


EXAMPLES = {
    "tensor(3.)": lambda: tensor(3.0),
    "tensor(True)": lambda: tensor(True),
    "tensor([1, 2])": lambda: tensor([1, 2]),
    "tensor([1.0000, 2.5000])": lambda: tensor([1.0, 2.5]),
    "tensor([ 1., -2.])": lambda: tensor([1.0, -2.0]),
    "tensor([1.0000e+00, 1.0000e-05])": lambda: tensor([1.0, 1e-5]),
    "tensor([nan, inf, 1.])": lambda: tensor([np.nan, np.inf, 1.0]),
    "tensor([0.1000,    nan])": lambda: tensor([0.1, np.nan]),
    "tensor([1, 2], dtype=autodiff.int32)": lambda: tensor([1, 2], dtype=autodiff.int32),
    "tensor([1.], dtype=autodiff.float64)": lambda: tensor([1.0], dtype=autodiff.float64),
    "tensor([])": lambda: tensor([]),
    "tensor([], dtype=autodiff.int64)": lambda: tensor([], dtype=autodiff.int64),
    "tensor([], size=(2, 0))": lambda: autodiff.zeros(2, 0),
    "tensor([1.], requires_grad=True)": lambda: tensor([1.0], requires_grad=True),
    "tensor([2.], grad_fn=<AddBackward0>)": lambda: tensor([1.0], requires_grad=True) + 1,
    "tensor([[1., 2.],\n        [3., 4.]])": lambda: tensor([[1.0, 2.0], [3.0, 4.0]]),
    "tensor([[[1]],\n\n        [[2]]])": lambda: tensor([[[1]], [[2]]]),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_tensors_print_as_in_pytorch(text):
    assert repr(EXAMPLES[text]()) == text


def test_more_than_a_thousand_elements_are_cut():
    assert repr(autodiff.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert "..." not in repr(autodiff.arange(1000))


def test_options_last_until_they_are_set_again():
    x = tensor([1 / 3, 2.0])
    autodiff.set_printoptions(precision=2)
    assert repr(x) == "tensor([0.33, 2.00])"
    autodiff.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([3.33e-01, 2.00e+00])"
    autodiff.set_printoptions(profile="default")
    assert repr(x) == "tensor([0.3333, 2.0000])"


def test_the_default_dtype_is_not_named():
    autodiff.set_default_dtype(autodiff.float64)
    try:
        assert repr(tensor([1.0])) == "tensor([1.])"
        assert repr(tensor([1.0], dtype=autodiff.float32)) == "tensor([1.], dtype=autodiff.float32)"
    finally:
        autodiff.set_default_dtype(autodiff.float32)


SHAPES = [(), (1,), (7,), (40,), (2, 3), (0, 3), (3, 13), (2, 3, 4), (1, 2, 3, 2), (1200,)]
SHAPES += [(40, 40), (5, 300), (2, 2, 2, 200)]
DTYPES = ["float32", "float64", "float16", "int64", "int16", "uint8", "bool"]
OPTIONS = [
    {},
    {"profile": "short"},
    {"linewidth": 40, "threshold": 10, "edgeitems": 1},
    {"precision": 2, "sci_mode": True},
]
SPECIAL = [0.0, -0.0, 1, -1, np.nan, np.inf, -np.inf, 1e-5, 1e-4, 1e8, 99999999, 123456, 0.1]


def values(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "whole":
        return rng.integers(0, 250, shape)
    if kind == "special":
        return rng.choice(SPECIAL, shape)
    return rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 8)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_text_equals_that_of_pytorch(options, torch, rng, monkeypatch):
    # Lines are as long, so they must break where PyTorch's do: the name is replaced first.
    monkeypatch.setattr(autodiff.dtype, "__repr__", lambda d: f"torch.{d.dtype}")
    autodiff.set_printoptions(**options)
    torch.set_printoptions(**options)
    try:
        for shape in SHAPES:
            for name in DTYPES:
                for kind in ("normal", "whole", "special", "scaled"):
                    with np.errstate(all="ignore"):
                        a = np.asarray(values(kind, shape, rng)).astype(name)
                    ours, theirs = tensor(a), torch.tensor(a)
                    if name == "float32":
                        ours.requires_grad_()
                        theirs.requires_grad_()
                    assert repr(ours) == repr(theirs)
    finally:
        torch.set_printoptions(profile="default")
