"""What pytest shows of a failed check: the line of the test, and no source of ours."""

import re
import subprocess
import sys
from pathlib import Path

WRONG = """
import numpy as np
import autodiff, nn, optim
from autodiff import autograd
from autodiff.testing import (
    check_derivative, check_gradients, check_optimizer, property_gradients
)

class Wrong(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g

class Module(nn.Module):
    def forward(self, x):
        return Wrong.apply(x)

def test_gradients():
    check_gradients(Wrong.apply, np.ones(2))

def test_derivative():
    check_derivative(np.cos, np.sin, np.ones(2))

def test_optimizer():
    check_optimizer(lambda params: optim.SGD(params, lr=0.1, maximize=True))

def test_gradcheck():
    autograd.gradcheck(Wrong.apply, autodiff.ones(2, requires_grad=True).double())

def test_wrong_call():
    check_gradients(Wrong.apply, 2)

def test_own_error():
    check_gradients(lambda x: {}["own"], np.ones(2))

@property_gradients()
def test_property(x):
    return Wrong.apply(x)

test_module = property_gradients("N")(Module())
"""

NAMES = re.findall(r"test_\w+", WRONG)


def test_lines_of_the_tests_are_shown_alone(tmp_path: Path):
    file = tmp_path / "test_planted.py"
    file.write_text(WRONG)
    options = ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    ).stdout
    assert "autodiff/testing" not in shown, shown
    found = re.split(r"^_+ (test_\w+) _+$", shown, flags=re.MULTILINE)
    assert found[1::2] == NAMES
    for text in found[2::2]:
        marked = re.findall(r"^> +(.*)$", text, re.MULTILINE)
        assert marked and set(marked) <= {line.strip() for line in WRONG.splitlines()}, text
