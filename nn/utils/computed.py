"""Attributes of one module that are computed whenever they are read.

They are properties, which Python looks for in classes: the module gets a class of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nn.module import Module


class Computed(NamedTuple):
    """How an attribute is read, get(module, name), and assigned, set(module, name, value).

    Both are functions of a file, so that the module can be pickled. title: what the name of the
    module's class then begins with.
    """

    get: Callable[[Any, str], Any]
    set: Callable[[Any, str, Any], None] | None = None
    title: str = ""


def compute(module: Module, name: str, how: Computed) -> None:
    """Compute the attribute `name` from now on."""
    _take_class(module, {**_computed(type(module)), name: how})


def stop_computing(module: Module, name: str) -> None:
    """Let `name` be a usual attribute again; it is not there then."""
    _take_class(module, {n: how for n, how in _computed(type(module)).items() if n != name})


def original_class(module: Module) -> type:
    """The class of a module before any of its attributes was computed."""
    cls = type(module)
    return cls.__bases__[0] if _computed(cls) else cls


def _computed(cls: type) -> Mapping[str, Computed]:
    return vars(cls).get("_computed", {})


def _take_class(module: Module, computed: Mapping[str, Computed]) -> None:
    cls = original_class(module)
    module.__class__ = _subclass(cls, computed) if computed else cls


def _subclass(cls: type, computed: Mapping[str, Computed]) -> type:
    def reduce(self: Any, protocol: Any) -> tuple:
        return _blank, (cls, computed), self.__getstate__()

    title = max(how.title for how in computed.values())
    properties = {name: _property(name, how) for name, how in computed.items()}
    own = {"_computed": computed, "__reduce_ex__": reduce, "__module__": cls.__module__}
    return type(title + cls.__name__, (cls,), {**own, **properties})


def _property(name: str, how: Computed) -> property:
    def set(self: Any, value: Any) -> None:
        assert how.set is not None
        how.set(self, name, value)

    return property(lambda self: how.get(self, name), set if how.set else None)


def _blank(cls: type, computed: Mapping[str, Computed]) -> Any:
    """A module of this kind that has no attributes yet, for pickle and copy."""
    return object.__new__(_subclass(cls, computed))
