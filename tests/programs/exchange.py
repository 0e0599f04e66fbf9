"""The programs as PyTorch's: other imports, and the same random numbers."""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import autodiff
import nn.functional as F

IMPORTS = {
    r"import autodiff as torch": "import torch",
    r"import nn": "from torch import nn",
    r"import nn\.functional as F": "from torch.nn import functional as F",
    r"import optim": "from torch import optim",
    r"from autodiff(\.[\w.]+)? import (.*)": r"from torch\1 import \2",
    r"from (nn|optim)(\.[\w.]+)? import (.*)": r"from torch.\1\2 import \3",
}
"""PyTorch's line for each line that imports from this library."""

FOLDER = Path(__file__).parent


def ours(name: str) -> ModuleType:
    """A program, as it is."""
    return importlib.import_module(f"tests.programs.{name}")


def theirs(name: str) -> ModuleType:
    """The same program with PyTorch's imports in place of ours, and nothing else changed."""
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").split("\n")
    module = ModuleType(f"{name}_on_pytorch")
    exec(compile("\n".join(map(exchanged, lines)), f"{name}.py on PyTorch", "exec"), vars(module))
    return module


def exchanged(line: str) -> str:
    """A line of a program, for PyTorch."""
    for pattern, replacement in IMPORTS.items():
        if match := re.fullmatch(pattern, line):
            return match.expand(replacement)
    assert not re.match(r"\s*(import|from) (autodiff|nn|optim)\b", line), f"not exchanged: {line}"
    return line


def draw_as_we_do(torch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch take its random numbers, initial weights included, from this library.

    So both draw the same as long as they draw the same shapes in the same order.
    """

    def known(value: Any) -> Any:
        """An argument of PyTorch's, as ours."""
        if isinstance(value, torch.Tensor):
            return autodiff.from_numpy(value.detach().numpy())
        if isinstance(value, torch.dtype):
            return getattr(autodiff, str(value).removeprefix("torch."))
        return value if not isinstance(value, (torch.device, generator_class)) else None

    def drawn(function: Any) -> Any:
        def draw(*args: Any, **kwargs: Any) -> Any:
            out = function(*map(known, args), **{k: known(v) for k, v in kwargs.items()})
            return torch.from_numpy(out.numpy())

        return draw

    def filled(name: str) -> Any:
        def fill(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = autodiff.empty(*self.shape, dtype=known(self.dtype))
            drawn = getattr(source, name)(*args, **{k: known(v) for k, v in kwargs.items()})
            with torch.no_grad():
                return self.copy_(torch.from_numpy(drawn.numpy()))

        return fill

    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        factor = F.dropout(autodiff.ones(*input.shape, dtype=known(input.dtype)), p, training)
        return input * torch.from_numpy(factor.numpy())

    def seed_of_workers(self: Any, generator: Any = None) -> Any:
        autodiff.randint(2**62, (), generator=generator)  # as a DataLoader of ours draws it
        return self.zero_()

    generator_class = torch.Generator
    functions = ("bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randn")
    for name in (*functions, "randn_like", "randperm"):
        monkeypatch.setattr(torch, name, drawn(getattr(autodiff, name)))
    for name in ("normal_", "uniform_"):
        monkeypatch.setattr(torch.Tensor, name, filled(name))
    monkeypatch.setattr(torch.Tensor, "random_", seed_of_workers)
    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    monkeypatch.setattr(torch, "manual_seed", autodiff.manual_seed)
    monkeypatch.setattr(torch, "Generator", autodiff.Generator)
    data = torch.utils.data
    monkeypatch.setattr(data.dataset, "randperm", torch.randperm)
    order = lambda self: iter(torch.randperm(len(self), generator=self.generator).tolist())
    monkeypatch.setattr(data.RandomSampler, "__iter__", order)
