"""Experiments run on PyTorch: the same file with only its imports changed."""

import importlib.util
import sys
from types import ModuleType

OURS = "import autodiff\nimport nn\nimport optim\n"
THEIRS = "import torch as autodiff\nimport torch.nn as nn\nimport torch.optim as optim\n"
SHARED = "benchmarks.learn.training"
"""A module whose users run with its own twin."""


def on_pytorch(name: str) -> ModuleType:
    """benchmarks.learn.<name> as a module that imports torch where ours imports autodiff."""
    full = f"benchmarks.learn.{name}"
    twin = f"tests.benchmarks.learn.{name}_on_pytorch"
    if twin in sys.modules:
        return sys.modules[twin]
    text = importlib.util.find_spec(full).loader.get_source(full)
    assert text.count(OURS) == 1
    text = text.replace(OURS, THEIRS).replace("from autodiff.", "from torch.")
    if f"from {SHARED} import" in text:
        text = text.replace(SHARED, on_pytorch("training").__name__)
    module = sys.modules[twin] = ModuleType(twin)
    exec(compile(text, f"{name} on PyTorch", "exec"), vars(module))
    return module
