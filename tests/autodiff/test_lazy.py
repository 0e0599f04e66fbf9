"""What importing the packages leaves for later, and how it comes when it is asked for."""

import copy
import importlib
import pickle
import subprocess
import sys
from types import ModuleType

import pytest

import autodiff
import nn
from autodiff.lazy import deferred

LATER = {
    *("autodiff.autograd.functional", "autodiff.batching", "autodiff.checkpoint", "autodiff.data"),
    *("autodiff.compiler.entry", "autodiff.compiler.runtime", "autodiff.compiler.threads"),
    *("autodiff.compiler.trace", "autodiff.compiler.update", "autodiff.func", "autodiff.testing"),
    *("autodiff.transforms", "autodiff.utils.checkpoint", "autodiff.utils.data"),
    *("nn.activation", "nn.attention", "nn.container", "nn.convolution", "nn.distance"),
    *("nn.dropout", "nn.embedding", "nn.functional", "nn.init", "nn.linear", "nn.loss"),
    *("nn.normalization", "nn.padding", "nn.pooling", "nn.recurrent", "nn.resampling"),
    *("nn.transformer", "nn.utils"),
    *("optim.adam", "optim.lbfgs", "optim.lr_scheduler", "optim.sgd", "optim.swa_utils"),
}
"""Modules that no program needs, whatever it does."""

HEAVY = {"asyncio", "dataclasses", "logging", "numpy.random", "queue", "subprocess", "tempfile"}
"""Modules of others that take long to import."""

PACKAGES = (
    *("autodiff", "autodiff.autograd", "autodiff.compiler", "autodiff.utils", "nn", "nn.utils"),
    "optim",
)
"""Those that defer modules."""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_packages_imports_nothing_that_can_wait():
    alone = run("import sys, numpy; print(*sys.modules)")
    loaded = set(run("import sys, numpy, autodiff, nn, optim; print(*sys.modules)"))
    assert loaded & LATER == set()
    assert loaded - set(alone) & HEAVY == set()


def test_what_can_wait_exists():
    for module in LATER:
        assert isinstance(importlib.import_module(module), ModuleType)


@pytest.mark.parametrize("package", PACKAGES)
def test_deferred_names_are_listed_before_they_are_imported(package: str):
    program = f"import {package} as p; print(*set(p.__all__) - set(dir(p)))"
    assert run(program) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_star_imports_deferred_names_too(package: str):
    program = f"from {package} import *; import {package} as p; print(*{{*p.__all__}} - {{*dir()}})"
    assert run(program) == []


@pytest.mark.parametrize(
    "program",
    [
        "from nn import Transformer; Transformer",
        "import nn; nn.Transformer",
        "import nn; nn.transformer.Transformer",
        "from nn import transformer; transformer.Transformer",
        "import nn.transformer; nn.Transformer",
        "import nn.functional as F; F.relu",
        "import nn; nn.utils.parametrizations.weight_norm",
        "from optim.lr_scheduler import StepLR; StepLR",
        "import optim; optim.lr_scheduler.StepLR",
        "import autodiff as torch; torch.nn.utils.rnn.pack_sequence",
        "import autodiff as torch; torch.utils.data.DataLoader",
        "from autodiff import compile; compile(abs)",
        "import autodiff as torch; torch.compiler.Compiled",
    ],
)
def test_every_spelling_finds_what_is_deferred(program: str):
    run(program)


def test_a_name_is_looked_up_once():
    assert run("import nn; nn.Linear; print('Linear' in vars(nn))") == ["True"]


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_an_error_that_names_the_package(package: str):
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'missing'"):
        importlib.import_module(package).missing  # noqa: B018


def test_a_name_can_come_from_another_package():
    get, names = deferred(__name__, {"nn.linear": ("Linear",), "fractions": ()})
    assert get("Linear") is nn.Linear
    assert get("Linear").__module__ == "nn.linear"
    assert {"Linear", "deferred"} <= set(names())
    assert "fractions" in names()
    with pytest.raises(AttributeError, match="no attribute 'linear'"):
        get("linear")


def test_layers_are_pickled_and_copied_by_the_modules_that_define_them():
    layer = nn.Linear(2, 3)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert type(other) is nn.Linear
        assert autodiff.equal(other.weight, layer.weight)


def test_a_model_is_read_without_the_compiler():
    program = (
        "import sys, nn; model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval();"
        "model.load_state_dict(model.state_dict()); [*model.modules()];"
        "print('autodiff.compiler.runtime' in sys.modules)"
    )
    assert run(program) == ["False"]
