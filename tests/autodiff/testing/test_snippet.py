"""The code that a failed check gives is run in a fresh process, and fails there in the same way."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autodiff.testing import GradcheckError, check_gradients

ROOT = Path(__file__).parents[3]

PLANTED = """
import functools

import numpy as np

import autodiff
import nn
from autodiff.testing import check_derivative, check_gradients, property_gradients
from autodiff.testing.strategies import tensors


class Wrong(autodiff.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, -g * x


X, Y = np.array([0.5, 1.5]), np.array([2.0, -1.0])
SCALE = 3.0


def named(x, y):
    return Wrong.apply(x, y)


def of_a_name():
    check_gradients(named, X, Y, order=1, seed=7, rtol=1e-7)


def of_a_custom_operation():
    check_gradients(Wrong.apply, X, Y)


def of_a_lambda():
    square, cube = lambda x: x**2, lambda x: x**3
    check_gradients(lambda x, y: square(Wrong.apply(x, y)), X, Y)


def of_a_lambda_with_a_default():
    made = [lambda x, y, power=power: Wrong.apply(x, y) ** power for power in (1, 2, 3)]
    check_gradients(made[1], X, Y)


def of_a_lambda_of_two_lines():
    check_gradients(
        lambda x, y: (
            Wrong.apply(x, y) if SCALE else x
        ),
        X,
        Y,
    )


def of_a_local_function():
    weights = autodiff.tensor([1.0, 2.0], dtype=autodiff.float64)
    options = {"dim": 0}

    def inner(x):
        return SCALE * weights * x if x.numel() else inner(x)

    def local(x, y):
        return Wrong.apply(inner(x), y).sum(**options) * np.pi

    check_gradients(local, X, Y)


def of_a_local_operation():
    def made(sign):
        class Local(Wrong):
            @staticmethod
            def backward(ctx, g):
                g = sign * g
                return super(Local, Local).backward(ctx, g)

        return Local.apply

    check_gradients(made(-1), X, Y)


def of_one_layout():
    class OfColumns(Wrong):
        @staticmethod
        def forward(ctx, x, y):
            ctx.sign = 1.0 if x.stride() == (-16, 8) else -1.0
            return Wrong.forward(ctx, x, y)

        @staticmethod
        def backward(ctx, g):
            given = Wrong.backward(ctx, g)
            return given[0], ctx.sign * given[1]

    x = np.arange(32.0).reshape(2, 16)[::-1, ::8]
    check_gradients(OfColumns.apply, x + 0 * x, x)
    check_gradients(OfColumns.apply, x, x.copy())


def of_nested_arguments():
    def fn(state, scale):
        return Wrong.apply(state["h"][0], state["c"]) * scale

    check_gradients(fn, {"h": (X,), "c": Y}, np.float64(2.0))


def of_a_pair():
    def f(x, k):
        return k * np.cos(x)

    check_derivative(f, lambda x, k: k * np.sin(x), X, 2)


class Net(nn.Module):
    def __init__(self, weight):
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return Wrong.apply(x, self.weight)


NET = Net(autodiff.ones(2))


def of_a_module():
    check_gradients(NET, X)


def of_nested_modules():
    layers = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5), NET)
    check_gradients(layers.double().eval(), np.stack([X, Y]), order=1)


class Plain(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(2, 2)

    def forward(self, x):
        return Wrong.apply(x, self.inner(x))


def of_a_module_of_no_arguments():
    check_gradients(Plain(), X)


class Loss:
    def __init__(self, weight=2.0):
        self.weight = weight

    def value(self, x, y):
        return self.weight * Wrong.apply(x, y)


def of_a_method():
    check_gradients(Loss().value, X, Y)


def of_a_partial_call():
    def fn(factor, x, y, power=1, weights=1):
        return factor * weights * Wrong.apply(x, y) ** power

    check_gradients(functools.partial(fn, 2.0, power=3, weights=autodiff.ones(2)), X, Y)


@property_gradients()
def of_a_property(x, y):
    return Wrong.apply(x, y)


of_a_property_of_a_module = property_gradients("N 2", order=1)(NET)


class TestWrong:
    power = 2

    @property_gradients(y=tensors("N"), x=tensors("N"))
    def test(self, x, scale, y):
        return Wrong.apply(x, y) * scale**self.power


def of_a_property_in_a_class():
    TestWrong().test(scale=3.0)


def doubled(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return 2 * fn(*args)

    return wrapper


def of_what_cannot_be_spelled():
    check_gradients(doubled(lambda x, y: Wrong.apply(x, y)), X, Y)


def of_what_is_too_large():
    check_gradients(Wrong.apply, np.ones((40, 40)), 2.0 * np.ones((40, 40)))
"""

KINDS = [line[4:].split("(")[0] for line in PLANTED.splitlines() if line.startswith("def of_")]
KINDS += ["of_a_property_of_a_module"]
LEFT_OPEN = {
    "of_what_cannot_be_spelled": "fn = ...  # put in: of_what_cannot_be_spelled.<locals>.<lambda>",
    "of_what_is_too_large": "x0 = ...  # put in: an array of float64 and shape (40, 40)",
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("planted")
    del sys.modules["planted"]


def run(folder: Path, *arguments: str) -> str:
    """What a new Python process in this folder raises."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_snippet_fails_in_the_same_way_in_a_fresh_process(kind, planted, tmp_path):
    with pytest.raises(GradcheckError) as caught:
        getattr(planted, kind)()
    told, _, code = str(caught.value).partition("to reproduce:\n\n")
    if kind in LEFT_OPEN:
        assert LEFT_OPEN[kind] in code
        compile(code, "snippet", "exec")
    else:
        assert "put in" not in code
        raised = run(tmp_path, "-c", code)
        assert f"GradcheckError: {told}" in raised, f"{code}\n\n{raised}"


def test_snippet_of_a_script_does_not_import_it(tmp_path):
    (tmp_path / "script.py").write_text(f"{PLANTED}\n\nof_a_name()")
    told, _, code = run(tmp_path, "script.py").partition("to reproduce:\n\n")
    assert "script" not in code and "__main__" not in code
    assert told[told.index("GradcheckError: the derivative") :] in run(tmp_path, "-c", code)


def test_the_error_is_told_though_there_is_no_snippet(planted):
    class Odd:
        def __repr__(self):
            raise RuntimeError("no text")

    with pytest.raises(GradcheckError, match="the derivative by y") as caught:
        check_gradients(lambda odd, x, y: planted.named(x, y), Odd(), planted.X, planted.Y)
    assert "(there is no code for these arguments: RuntimeError('no text'))" in str(caught.value)


def test_snippet_gives_the_options_that_are_not_the_default(planted):
    with pytest.raises(GradcheckError) as caught:
        planted.of_a_name()
    assert str(caught.value).endswith(
        "from numpy import array\n"
        "from autodiff.testing import check_gradients\n"
        "from planted import named\n\n"
        "x0 = array([0.5, 1.5], 'float64')\n"
        "x1 = array([2.0, -1.0], 'float64')\n"
        "check_gradients(named, x0, x1, order=1, rtol=1e-07, seed=7)"
    )
