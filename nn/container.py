"""Modules that hold other modules or parameters, in a row or by name.

What they hold stands in their attributes, as in any module: the second one of a Sequential is its
attribute "1".
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby
from typing import Any, Self

from autodiff import Tensor
from nn.module import Module, is_module
from nn.parameter import Parameter


class _Row(Module):
    """Modules in a row: what Sequential and ModuleList share."""

    def _named_row(self) -> dict[str, Module]:
        return {name: value for name, value in vars(self).items() if is_module(value)}

    def _name_of(self, index: int) -> str:
        names = list(self._named_row())
        try:
            return names[index]
        except IndexError:
            raise IndexError(f"index {index} is out of range: there are {len(names)}") from None

    def _rearrange(self, modules: Iterable[Module]) -> None:
        """Hold these, numbered from 0."""
        modules = list(modules)
        for name in self._named_row():
            delattr(self, name)
        self.extend(modules)

    def __len__(self) -> int:
        return len(self._named_row())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._named_row().values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(*self._slice(index))
        return getattr(self, self._name_of(index))

    def _slice(self, index: slice) -> tuple:
        """What to make a new one of."""
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_of(index), module)

    def __delitem__(self, index: int | slice) -> None:
        if not isinstance(index, slice):
            self._name_of(index)
        modules = list(self)
        del modules[index]
        self._rearrange(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end. Raises: TypeError if they cannot be iterated over."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"extend() takes several modules, got one {type(modules).__name__}")
        added: list[str] = []
        try:
            for number, module in enumerate(list(modules), len(self)):
                self.add_module(str(number), module)
                added.append(str(number))
        except BaseException:
            for name in added:
                delattr(self, name)
            raise
        return self

    __iadd__ = extend

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`; all are numbered anew."""
        if not is_module(module):
            raise TypeError(f"insert() takes a Module, got {type(module).__name__}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"index {index} is out of range: there are {len(self)}")
        modules = list(self)
        modules.insert(index, module)
        self._rearrange(modules)
        return self

    def pop(self, index: int) -> Module:
        """Take out the module at `index`; all are numbered anew."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Row):
    """Modules applied one after the other: given in order, or by name in a dict.

    >>> from nn import Linear, ReLU
    >>> Sequential(Linear(2, 8), ReLU(), Linear(8, 1))
    Sequential(
      (0): Linear(in_features=2, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=1, bias=True)
    )
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def _slice(self, index: slice) -> tuple:
        return (dict(list(self._named_row().items())[index]),)

    def __add__(self, other: "Sequential") -> "Sequential":
        if not isinstance(other, Sequential):
            raise ValueError(f"a Sequential can be added to one, got {type(other).__name__}")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> "Sequential":
        return Sequential(*[module for _ in range(times) for module in self])

    __rmul__ = __mul__


class ModuleList(_Row):
    """A list of modules."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        if modules is not None:
            self.extend(modules)

    def _slice(self, index: slice) -> tuple:
        return (list(self)[index],)

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def _child_lines(self) -> list[str]:
        """Equal modules next to each other as one."""
        lines = []
        for text, group in groupby(self._modules.items(), key=lambda item: repr(item[1])):
            names = [name for name, _ in group]
            several = len(names) > 1
            lines.append(
                f"({names[0]}-{names[-1]}): {len(names)} x {text}"
                if several
                else f"({names[0]}): {text}"
            )
        return lines


class _ByName(Module, MutableMapping):
    """A module that is used as a dict; it is compared and hashed as a module."""

    __eq__, __hash__ = object.__eq__, object.__hash__


class ModuleDict(_ByName):
    """Modules by name, in the order they were added."""

    def __init__(self, modules: Mapping[str, Module] | Iterable | None = None) -> None:
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self._modules:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)


def _parameter_line(name: Any, value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"({name}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join(map(str, value.shape))
    return f"({name}): {kind} containing: [{value.dtype} of size {size}]"


class ParameterList(Module):
    """A list of parameters: tensors become Parameters, other objects stay what they are."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return sum(name.isdigit() for name in vars(self))

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, str(i)) for i in range(len(self))])

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name_of(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name_of(index), _parameter(value))

    def _name_of(self, index: int) -> str:
        try:
            return str(range(len(self))[index])
        except IndexError:
            raise IndexError(f"index {index} is out of range: there are {len(self)}") from None

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        setattr(self, str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end. Raises: TypeError if they cannot be iterated over."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"extend() takes several parameters, got one {type(values).__name__}")
        for number, value in enumerate(list(map(_parameter, values)), len(self)):
            setattr(self, str(number), value)
        return self

    __iadd__ = extend

    def _child_lines(self) -> list[str]:
        return [_parameter_line(i, value) for i, value in enumerate(self)]


class ParameterDict(_ByName):
    """Parameters by name: tensors become Parameters, other objects stay what they are."""

    def __init__(self, parameters: Mapping[str, Any] | Iterable | None = None) -> None:
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"the name must be a string, got {type(key).__name__}")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict has another attribute {key!r} already")
        self._keys[key] = None
        vars(self)[key] = _parameter(value)

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __or__(self, other: Mapping[str, Any]) -> "ParameterDict":
        return ParameterDict({**self, **other})

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    def popitem(self) -> tuple[str, Any]:
        """Take out the last name and parameter."""
        key = next(reversed(self._keys), None)
        if key is None:
            raise KeyError("the ParameterDict is empty")
        return key, self.pop(key)

    def copy(self) -> "ParameterDict":
        """Another one of the same parameters."""
        return ParameterDict(self)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> "ParameterDict":
        """A new one with `default` for each of these names."""
        return ParameterDict(dict.fromkeys(keys, default))

    def _child_lines(self) -> list[str]:
        return [_parameter_line(key, value) for key, value in self.items()]


def _parameter(value: Any) -> Any:
    is_plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if is_plain else value
