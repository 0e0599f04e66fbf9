"""Names of a package whose modules are imported when they are first asked for."""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def deferred(
    package: str, names: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package, given the names that each module defines.

    The modules are named in full; those within the package are names of it too. What was once
    asked for is an attribute like any other.

        __getattr__, __dir__ = deferred(__name__, {"nn.transformer": ("Transformer",)})
    """
    origin = {name: module for module in names for name in names[module]}
    for module in names:
        parent, _, name = module.rpartition(".")
        if parent in ("", package):
            origin[name] = module

    def get(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(origin[name])
        value = getattr(module, name) if name in names[origin[name]] else module
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *origin})

    return get, list_names
