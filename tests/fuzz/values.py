"""Arguments to try, right and wrong ones, by names that say what they are.

Each is made anew for each call, so that one call cannot spoil another.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import autodiff
import nn
import optim
from autodiff import tensor

Made = dict[str, Callable[[], Any]]


def _drawn(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    size = int(np.prod(shape))
    return autodiff.from_numpy((np.arange(1.0, size + 1) * 0.37 % 1).reshape(shape).astype(dtype))


def _leaf(*shape: int) -> Any:
    return _drawn(shape, "float32").requires_grad_()


def _written(x: Any) -> Any:
    """A tensor in a graph whose saved value was overwritten."""
    y = x * 2
    z = (y * y).sum()
    y.add_(1)
    return z


def _holding_itself() -> list:
    found: list = []
    found.append(found)
    return found


def _raising(*args: Any, **options: Any) -> Any:
    raise ArithmeticError("raised by the function that was given")


class Odd:
    """An object of no use."""

    def __repr__(self) -> str:
        return "Odd()"


SHAPES = (
    *((), (1,), (3,), (0,), (2, 3), (3, 3), (3, 2), (0, 3), (2, 3, 3), (3, 3, 3), (2, 3, 4)),
    *((2, 3, 4, 4), (3, 3, 2, 2), (3, 1, 1, 1, 1, 2)),
)
TENSORS: Made = {
    **{f"f32{list(shape)}": (lambda shape=shape: _drawn(shape)) for shape in SHAPES},
    "f64[3]": lambda: _drawn((3,), "float64"),
    "f64[3, 3]": lambda: _drawn((3, 3), "float64"),
    "f16[3, 3]": lambda: _drawn((3, 3), "float16"),
    "i64[]": lambda: tensor(1),
    "i64[3]": lambda: tensor([0, 2, 1]),
    "i64[3, 3]": lambda: tensor([[0, 1, 2], [1, 1, 0], [2, 0, 1]]),
    "i64[3] out of range": lambda: tensor([5, -9, 2**62]),
    "i32[2]": lambda: tensor([1, 0], dtype=autodiff.int32),
    "u8[3]": lambda: tensor([0, 1, 255], dtype=autodiff.uint8),
    "bool[3]": lambda: tensor([True, False, True]),
    "bool[3, 3]": lambda: _drawn((3, 3)) > 0.5,
    "bool[]": lambda: tensor(True),
    "f32[3] nan": lambda: tensor([np.nan, np.inf, -np.inf]),
    "f32[3, 3] nan": lambda: tensor([[np.nan] * 3] * 3),
    "f32[3, 3] zeros": lambda: autodiff.zeros(3, 3),
    "leaf[3]": lambda: _leaf(3),
    "leaf[2, 3]": lambda: _leaf(2, 3),
    "leaf[3, 3]": lambda: _leaf(3, 3),
    "leaf[]": lambda: _leaf(),
    "computed[3, 3]": lambda: _leaf(3, 3) * 2,
    "computed[]": lambda: _leaf(3, 3).sum(),
    "overwritten[]": lambda: _written(_leaf(3)),
    "f32[3, 3] transposed": lambda: _drawn((3, 3)).T,
    "f32[3, 3] expanded": lambda: _drawn((3,)).expand(3, 3),
    "f32[3] backwards": lambda: autodiff.from_numpy(np.arange(3.0)[::-1]),
    "f32[3] read-only": lambda: autodiff.from_numpy(np.broadcast_to(np.float32(1), 3)),
    "parameter[3, 3]": lambda: nn.Parameter(_drawn((3, 3))),
}


def _written_out(*texts: str) -> Made:
    """Values by their Python text."""
    names = {"inf": np.inf, "nan": np.nan}
    return {text: (lambda text=text: eval(text, names)) for text in texts}


INTEGERS = _written_out(
    *("0", "1", "2", "3", "4", "-1", "-2", "-7", "2**31", "2**63", "-(2**63)", "10**30"),
)
FLOATS = _written_out(
    *("0.0", "0.5", "0.9", "1.5", "-1.0", "1e-300", "1e308", "inf", "-inf", "nan"),
)
FLAGS = _written_out("True", "False")
TEXTS = _written_out(
    *map(repr, ("", "mean", "sum", "none", "same", "zeros", "reflect", "nearest", "fro", "cpu")),
    *map(repr, ("cuda:0", "ij->ji", "ij,jk", "i...,->>", "float32", "weight", "é", "tanh")),
    *map(repr, ("min", "relu", "fan_in", "ij", "bilinear", "strict", "linear", "a", "x" * 50)),
)
SEQUENCES = _written_out(
    *("()", "(2,)", "(1, 1)", "(2, 3)", "(3, 3)", "(-1,)", "(0, 1)", "(-1, 0)", "[0, 1]", "[]"),
    *("[[]]", "[[1.0], [1.0, 2.0]]", "[None]", "['a']", "(1.5,)", "(0, 0)", "(2**40, 2**40)"),
    *("(1, 1, 1, 1)", "range(3)", "iter([1, 2])", "[0.9, 0.999]", "(0.9, 0.999)", "[0, 1, 2]"),
    *("(3, 9)", "[True]", "((0, 1), (1, 0))"),
)
TENSOR_LISTS: Made = {
    "[3]": lambda: [3],
    "(i64[3],)": lambda: (tensor([0, 2, 1]),),
    "[Linear, Linear]": lambda: [nn.Linear(3, 3), nn.Linear(3, 3)],
    "[f32[3], f32[3]]": lambda: [_drawn((3,)), _drawn((3,))],
    "(f32[3, 3], f32[3, 3])": lambda: (_drawn((3, 3)), _drawn((3, 3))),
    "[f32[3], i64[2, 2]]": lambda: [_drawn((3,)), autodiff.ones(2, 2, dtype=autodiff.int64)],
    "[f32[3], None]": lambda: [_drawn((3,)), None],
    "[leaf[3], leaf[3, 3]]": lambda: [_leaf(3), _leaf(3, 3)],
    "[leaf with grad]": lambda: [_with_grad()],
    "[leaf with nan grad]": lambda: [_with_grad(np.nan)],
    "[parameters with grad]": lambda: [nn.Parameter(_drawn((3, 3))), _with_grad()],
    "{'a': f32[3]}": lambda: {"a": _drawn((3,))},
    "{'params': [leaf[3]], 'lr': 0.1}": lambda: {"params": [_leaf(3)], "lr": 0.1},
    "[{'params': [leaf[3]]}]": lambda: [{"params": [_leaf(3)]}],
}


def _with_grad(value: float = 1.0) -> Any:
    x = _leaf(3)
    x.grad = autodiff.full((3,), value)
    return x


FUNCTIONS: Made = {
    "lambda x: x": lambda: lambda x: x,
    "lambda x: (x * x).sum()": lambda: lambda x: (x * x).sum(),
    "lambda *a: None": lambda: lambda *a: None,
    "lambda *a: 1.0": lambda: lambda *a: 1.0,
    "lambda epoch: 0.5": lambda: lambda epoch: 0.5,
    "raising": lambda: _raising,
    "print": lambda: print,
    "int": lambda: int,
    "Odd": lambda: Odd,
}
MODULES: Made = {
    "Linear": lambda: nn.Linear(3, 3),
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.BatchNorm1d(2)),
    "LSTM": lambda: nn.LSTM(3, 3),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2, 4),
    "Module()": lambda: nn.Module(),
    "identity module": lambda: nn.Identity(),
}
OBJECTS: Made = {
    "float32": lambda: autodiff.float32,
    "int64": lambda: autodiff.int64,
    "bool dtype": lambda: autodiff.bool,
    "float64": lambda: autodiff.float64,
    "np.float32": lambda: np.float32,
    "np.dtype('complex64')": lambda: np.dtype("complex64"),
    "np.dtype('datetime64[s]')": lambda: np.dtype("datetime64[s]"),
    "Generator": lambda: autodiff.Generator(),
    "np Generator": lambda: np.random.default_rng(0),
    "SGD": lambda: optim.SGD([_with_grad()], lr=0.1),
    "Adam": lambda: optim.Adam(nn.Linear(3, 3).parameters()),
    "StepLR": lambda: optim.lr_scheduler.StepLR(optim.SGD([_with_grad()], lr=0.1), 2),
    "TensorDataset": lambda: autodiff.utils.data.TensorDataset(_drawn((3, 3))),
    "packed": lambda: nn.utils.rnn.pack_sequence([_drawn((3, 3)), _drawn((2, 3))]),
    "device": lambda: autodiff.device("cpu"),
}
ODDITIES: Made = {
    "None": lambda: None,
    "1j": lambda: 1j,
    "b'x'": lambda: b"x",
    "{}": dict,
    "{1, 2}": lambda: {1, 2},
    "{'a': 1}": lambda: {"a": 1},
    "{0: None}": lambda: {0: None},
    "Odd()": Odd,
    "...": lambda: ...,
    "slice": lambda: slice(None, None, 0),
    "np f32": lambda: np.float32(0.5),
    "np i64": lambda: np.int64(1),
    "np bool": lambda: np.bool_(True),
    "array f64[3, 3]": lambda: np.eye(3),
    "array i64[3]": lambda: np.arange(3),
    "array c64[3]": lambda: np.ones(3, np.complex64),
    "array of objects": lambda: np.array([None, "a", 1], object),
    "array of text": lambda: np.array(["a", "b", "c"]),
    "array of times": lambda: np.array([1, 2, 3], "M8[s]"),
    "array, big-endian": lambda: np.arange(3, dtype=">f4"),
    "masked array": lambda: np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]),
    "holding itself": _holding_itself,
    "type": lambda: type,
    "Exception": lambda: ValueError("x"),
    "2**5000": lambda: 2**5000,
}

ALL: Made = {
    **TENSORS,
    **INTEGERS,
    **FLOATS,
    **FLAGS,
    **TEXTS,
    **SEQUENCES,
    **TENSOR_LISTS,
    **FUNCTIONS,
    **MODULES,
    **OBJECTS,
    **ODDITIES,
}
