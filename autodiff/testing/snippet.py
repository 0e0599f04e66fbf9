"""Python code that makes a call again elsewhere: its values, functions and modules spelled out.

What a loaded file names is imported from there. Other functions and classes are given by their
source, with whatever that uses; objects by an expression that makes one like them. What cannot be
spelled becomes a line that says what to put in.
"""

import builtins
import functools
import inspect
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import trees
from autodiff.generator import get_rng_state, set_rng_state
from autodiff.tensor import Tensor
from autodiff.testing.sources import names_used, namespace_of, place_of, source_of
from autodiff.testing.subject import Bound, array_of

MOST_ELEMENTS = 1000
"""Larger arrays are not spelled."""

_NAMES = "array", "inf", "nan", "ndarray"
"""Of NumPy's, which values are spelled with."""


def snippet(
    check: Callable[..., Any], functions: Sequence[Any], args: tuple, options: dict[str, Any]
) -> str:
    """The call check(*functions, *args, **options), less the options that are the default."""
    code = _Code()
    code.bind(check.__name__, check)
    usual = inspect.signature(check).parameters
    called = [code.expression(function, name) for function, name in zip(functions, usual)]
    for k, arg in enumerate(trees.mapped(array_of, args)):
        called.append(code.assigned(f"x{k}", arg))
    called += [f"{k}={v!r}" for k, v in options.items() if v != usual[k].default]
    call = f"{check.__name__}({', '.join(called)})"
    text = "\n".join([*code.lines, call])
    used = ", ".join(name for name in _NAMES if re.search(rf"\b{name}\b", text))
    imports = [f"from numpy import {used}"] * bool(used) + code.imports
    return "\n".join([*imports, "", text])


class _Code:
    """Lines that bind names, and expressions in these names.

    known: what the names stand for.
    """

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.lines: list[str] = []
        self.known: dict[str, Any] = {name: getattr(np, name) for name in _NAMES}

    def bind(self, name: str, x: Any) -> None:
        """Let this name stand for x."""
        if name in self.known:
            if self.known[name] is not x:
                self.lines.append(f"# {name} is used for something else too: put in {_line(x)}")
            return
        place = place_of(x)
        if isinstance(x, types.ModuleType):
            self.known[name] = x
            self.imports.append(f"import {x.__name__}" + f" as {name}" * (name != x.__name__))
        elif place and "." not in place[1]:
            self.known[name] = x
            module, own = place
            self.imports.append(f"from {module} import {own}" + f" as {name}" * (name != own))
        else:
            self.assigned(name, x)

    def assigned(self, name: str, x: Any) -> str:
        """The same by a line, under this name or one like it, which is given."""
        name = self.free(name)
        text = self.expression(x, name)
        if text != name:
            self.known[name] = x
            self.lines.append(f"{name} = {text}")
        return name

    def free(self, name: str, others: Sequence[str] = ()) -> str:
        """This name, or one like it if it stands for something or is one of the others."""
        while name in self.known or name in others:
            name += "_"
        return name

    def expression(self, x: Any, name: str) -> str:
        """An expression for x; `name` is bound if it takes lines."""
        if type(x) in (int, float, complex, str, bytes, bool, type(None)):
            return repr(x)
        if not trees.is_leaf(x):
            return repr(trees.mapped(lambda leaf: _Text(self.expression(leaf, name)), x))
        for known, value in self.known.items():
            if value is x:
                return known
        for spelled in self.array, self.imported, self.bound, self.source, self.object:
            text = spelled(x, name)
            if text is not None:
                return text
        return self.left_open(name, x, _line(x))

    def left_open(self, name: str, x: Any, what: str) -> str:
        """A name that stands for nothing yet."""
        name = self.free(name)
        self.known[name] = x
        self.lines.append(f"{name} = ...  # put in: {what}")
        return name

    def array(self, x: Any, name: str) -> str | None:
        if isinstance(x, Tensor):
            self.bind("tensor", sys.modules["autodiff"].tensor)
            text = f"tensor({self.expression(array_of(x), name)})"
            if type(x) is Tensor:
                return text
            self.bind(type(x).__name__, type(x))
            return f"{type(x).__name__}({text})"
        if isinstance(x, np.generic):
            return f"array({x.item()!r}, {x.dtype.name!r})[()]"
        if not isinstance(x, np.ndarray):
            return None
        values, dtype = repr(x.tolist()), repr(x.dtype.name)
        if x.size > MOST_ELEMENTS:
            told = f"an array of {x.dtype} and shape {x.shape}, too large to print"
            return self.left_open(name, x, told)
        if x.size == 0:
            return f"array([], {dtype}).reshape({x.shape})"
        if x.flags.c_contiguous:
            return f"array({values}, {dtype})"
        low, high = np.lib.array_utils.byte_bounds(x)
        memory = f"bytearray({high - low}), {x.ctypes.data - low}, {x.strides}"
        name = self.free(name)
        self.known[name] = x
        self.lines.append(f"{name} = ndarray({x.shape}, {dtype}, {memory})")
        self.lines.append(f"{name}[...] = {values}")
        return name

    def imported(self, x: Any, name: str) -> str | None:
        place = place_of(x)
        if not place:
            return None
        module, path = place
        first, *inner = path.split(".")
        self.bind(first, getattr(sys.modules[module], first))
        return ".".join([first, *inner])

    def bound(self, x: Any, name: str) -> str | None:
        """Of methods, and of functions that have some of their arguments."""
        if isinstance(x, functools.partial):
            self.bind("partial", functools.partial)
            given = [self.expression(v, name) for v in (x.func, *x.args)]
            given += [f"{k}={self.expression(v, k)}" for k, v in x.keywords.items()]
            return f"partial({', '.join(given)})"
        if isinstance(x, types.MethodType):
            return f"{self.expression(x.__self__, 'owner')}.{x.__name__}"
        if not isinstance(x, Bound):
            return None
        fn = self.expression(x.fn, name)
        if not x.others and list(inspect.signature(x.fn).parameters)[: len(x.names)] == x.names:
            return fn
        given = [f"{k}={k}" for k in x.names]
        given += [f"{k}={self.expression(v, k)}" for k, v in x.others.items()]
        return f"(lambda {', '.join(x.names)}: {fn}({', '.join(given)}))"

    def source(self, x: Any, name: str) -> str | None:
        """Of functions and classes."""
        is_plain = isinstance(x, types.FunctionType) and not hasattr(x, "__wrapped__")
        text = source_of(x) if is_plain or isinstance(x, type) else None
        if text is None:
            return None
        around, used = namespace_of(x), names_used(text)
        own = x.__name__
        if own == "<lambda>":
            own = name if around.get(name) is x else self.free(name, used)
            text = f"{own} = {text}"
        if own in self.known:
            return None
        self.known[own] = x  # it may use itself
        for other in used:
            usual = getattr(builtins, other, None)
            if other in around and around[other] is not usual:
                self.bind(other, around[other])
            elif usual is None and other not in self.known:
                self.left_open(other, None, f"what {other} is in {_line(x)}")
        self.lines.append(text + "\n" * ("\n" in text))
        return own

    def object(self, x: Any, name: str) -> str | None:
        """Of what an expression makes, and of modules, whose state is loaded."""
        is_module = hasattr(x, "load_state_dict") and hasattr(x, "modules")
        state = get_rng_state()
        try:
            text = _constructed(x)
        finally:
            set_rng_state(state)
        if text is not None:
            for kind in {type(m): None for m in (x.modules() if is_module else [x])}:
                if re.search(rf"\b{kind.__name__}\(", text):
                    self.bind(kind.__name__, kind)
        if not is_module:
            return text
        name = self.free("module" if name == "fn" else name)  # the check's name of a function
        self.known[name] = x
        if text is None:
            self.made_of_parts(name, x)
            return name
        self.lines.append(f"{name} = {text}")
        values = dict(x.state_dict())
        small = {k: v for k, v in values.items() if v.numel() <= MOST_ELEMENTS}
        partly = "" if len(small) == len(values) else ", strict=False"
        if small:
            spelled = self.expression(small, name)
            self.lines.append(f"{name}.load_state_dict({spelled}, assign=True{partly})")
        if not x.training:
            self.lines.append(f"{name}.eval()")
        return name

    def made_of_parts(self, name: str, x: Any) -> None:
        """A module, whatever its constructor takes: its attributes are set one by one."""
        kind = type(x).__name__
        self.bind(kind, type(x))
        self.lines.append(f"{name} = {kind}.__new__({kind})")
        for attribute, value in vars(x).items():
            own = attribute if attribute.isidentifier() else f"{name}_{attribute}"
            self.lines.append(f"vars({name})[{attribute!r}] = {self.expression(value, own)}")


class _Text(str):
    """Text that is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _line(x: Any) -> str:
    """What x is, in one line."""
    if isinstance(x, types.FunctionType):
        code = inspect.unwrap(x).__code__
        return f"{x.__qualname__}, of {code.co_filename}, line {code.co_firstlineno}"
    text = " ".join(repr(x).split())
    return text if len(text) <= 200 else text[:200] + " …"


# Objects


def _constructed(x: Any) -> str | None:
    """An expression that makes an object like this one, in the names of the classes."""
    kind = type(x).__name__
    is_module = hasattr(x, "named_parameters")
    texts: list[str | None] = [repr(x), f"{kind}()"]
    if is_module and hasattr(x, "children"):
        parts = [_constructed(child) for child in x.children()]
        texts.append(None if None in parts else f"{kind}({', '.join(map(str, parts))})")
    classes = [type(m) for m in x.modules()] if is_module else [type(x)]
    names = {"inf": np.inf, "nan": np.nan, **{c.__name__: c for c in classes}}
    for text in filter(None, texts):
        try:
            if _alike(eval(text, names), x):
                return text
        except Exception:  # whatever a constructor does with no arguments
            continue
    return None


def _alike(made: Any, x: Any) -> bool:
    if type(made) is not type(x):
        return False
    if hasattr(x, "named_parameters"):
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (made, x)]
        return repr(made) == repr(x) and shapes[0] == shapes[1]
    if type(x).__eq__ is object.__eq__:
        return bool(vars(made) == vars(x))
    return bool(made == x) or (x != x and made != made)
