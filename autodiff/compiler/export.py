"""A compiled program as a module of its own that needs NumPy alone.

The program is written as it runs here, with the functions it calls (whole operations, optimisers'
numbers) copied from their sources, and the arrays it starts from beside it or inside.
"""

import ast
import binascii
import functools
import inspect
import io
import os
import re
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiler.arena import flat, home
from autodiff.compiler.entry import Entry
from autodiff.primitive import Primitive


def export(entry: Entry, path: str | os.PathLike, inside: bool) -> None:
    """Write the module; see Compiled.export."""
    stem, suffix = os.path.splitext(path)  # pathlib takes 5 ms to import
    if suffix != ".py":
        raise ValueError(f"export writes a Python module: the path must end in .py, got {path}")
    writer = _Writer(entry)
    text = writer.module(os.path.basename(stem) + ".npz", inside)
    if not inside:
        with open(stem + ".npz", "wb") as arrays:
            np.savez(arrays, **writer.arrays)  # type: ignore[arg-type]
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class _Writer:
    """Collects the parts of one module."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.arrays: dict[str, np.ndarray] = {}
        self.imports: dict[str, None] = {"import numpy as np": None}
        self.pieces: list[str] = []  # of source, in the order they are needed
        self.known: dict[str, Any] = {"np": np}

    def module(self, file: str, inside: bool) -> str:
        entry = self.entry
        for name, thing in entry.needs.items():
            self.define(name, thing)
        bound = self._bound()
        names = entry.argument_names
        given = ", ".join(names)
        results = "_step" if not entry.recording.live else "_step[0]"
        kept = "[0]" if entry.recording.live else ""
        single = "[0]" if entry.simple else ""
        checks = [
            f"    if {name}.shape != {shape}:\n        raise ValueError("
            f'f"{name} must be of shape {shape}, got {{{name}.shape}}")'
            for name, (shape, _) in zip(names, entry.argument_forms)
        ]
        source = entry.source
        head, _, body = (
            source.partition("\n\n\n") if source.startswith("from") else ("", "", source)
        )
        load = f"np.load(Path(__file__).with_name({file!r}))"
        if inside:
            memory = io.BytesIO()
            np.savez_compressed(memory, **self.arrays)  # type: ignore[arg-type]
            data = binascii.b2a_base64(memory.getvalue(), newline=False).decode()
            lines = "\n".join(f"    {data[i : i + 90]!r}" for i in range(0, len(data), 90))
            load = f"np.load(io.BytesIO(binascii.a2b_base64(\n{lines}\n)))"
            self.imports |= {"import binascii": None, "import io": None}
        else:
            self.imports["from pathlib import Path"] = None
        imports = sorted(self.imports, key=lambda line: (not line.startswith("import"), line))
        function = entry.title.rpartition(".")[2]
        if not function.isidentifier() or function in ("bind", "arrays", "weights"):
            function = "run"
        return "\n".join(
            [
                f'"""{entry.title}, compiled to NumPy by tapegrad.',
                "",
                f"{function}({given}) takes arrays of the shapes it was recorded with.",
                '`weights` are its arrays by name; a training step changes them."""',
                "",
                *imports,
                "",
                *self.pieces,
                "",
                "def _program():  # with NumPy's names to itself",
                textwrap.indent("\n".join(filter(None, [head, body.rstrip()])), "    "),
                "    return bind",
                "",
                "",
                "bind = _program()",
                f"with {load} as file:",
                "    arrays = {name: file[name] for name in file.files}",
                *bound,
                "",
                "",
                f"def {function}({given}):",
                *checks,
                f"    return {results}({given}){kept}{single}",
                "",
            ]
        )

    def _bound(self) -> list[str]:
        """The lines that make the arrays and bind the program to them."""
        lines, names, weights = [], [], []
        flats: list[tuple[str, Any]] = []
        for name, source in zip(self.entry.parameter_names, self.entry.parameters):
            if source[0] == "flat":
                self.arrays[name] = flat(source[1])
                lines.append(f"{name} = arrays[{name!r}]")
                flats.append((name, source[1]))
        for name, source in zip(self.entry.parameter_names, self.entry.parameters):
            names.append(name)
            if source[0] == "flat":
                continue
            tensor = source[1]
            for whole, column in flats:
                if any(t is tensor for t in column):
                    start = (home(tensor)[1] - home(column[0])[1]) // tensor._array.itemsize  # type: ignore[index]
                    shape, size = tensor._array.shape, tensor._array.size
                    lines.append(f"{name} = {whole}[{start} : {start + size}].reshape({shape})")
                    break
            else:
                self.arrays[name] = tensor._array
                lines.append(f"{name} = arrays[{name!r}]")
            weights.append(name)
        lines.append("weights = {" + ", ".join([f"{n!r}: {n}" for n in weights]) + "}")
        lines.append(f"_step, _ = bind({', '.join(names)})")
        return lines

    # What the program refers to

    def define(self, name: str, thing: Any) -> None:
        """Write a definition of `thing` under a name. Raises: ValueError if that cannot be."""
        if name in self.known:
            if self.known[name] is not thing:
                raise ValueError(f"export: two things are called {name}")
            return
        self.known[name] = thing
        if isinstance(thing, types.ModuleType):
            self.imports[f"import {thing.__name__}" + (f" as {name}" if thing is np else "")] = None
        elif isinstance(thing, np.ndarray):
            self.arrays[name] = thing
            self.pieces.append(f"# {name} is among the arrays\n")
            self.pieces.append(f"{name} = None\n")
        elif isinstance(thing, np.random.Generator):
            state = thing.bit_generator.state
            kind = state["bit_generator"]
            self.pieces.append(
                f"{name} = np.random.Generator(np.random.{kind}())\n"
                f"{name}.bit_generator.state = {state!r}\n"
            )
        elif isinstance(thing, functools.partial):
            self.imports["from functools import partial"] = None
            self.pieces.append(f"{name} = {self._partial(thing)}\n")
        elif isinstance(thing, Primitive):
            self._primitive(name, thing)
        elif isinstance(thing, np.ufunc):
            self.pieces.append(f"{name} = np.{thing.__name__}\n")
        elif _is_data(thing):
            self.pieces.append(f"{name} = {_literal(thing)}\n")
        elif callable(thing):
            found = self._function(thing)
            if found != name:
                self.pieces.append(f"{name} = {found}\n")
        else:
            raise ValueError(f"export: {name}, a {type(thing).__name__}, cannot be written down")

    def _partial(self, thing: functools.partial) -> str:
        function = thing.func
        text = self._function(function)
        args = [_literal(_data(x)) for x in thing.args] + [
            f"{k}={_literal(_data(v))}" for k, v in thing.keywords.items()
        ]
        return f"partial({', '.join([text, *args])})"

    def _primitive(self, name: str, primitive: Primitive) -> None:
        forward = primitive.forward
        if isinstance(forward, np.ufunc):
            self.pieces.append(f"{name} = np.{forward.__name__}\n")
            return
        text = self._function(forward)
        self.pieces.append(f"{name} = {text}\n{name}.forward = {text}\n")

    def _function(self, function: Callable) -> str:
        """The name under which a function is there, its source written."""
        name = function.__name__
        if self.known.get(name) is function and name in self.written:
            return name
        module = getattr(function, "__module__", "") or ""
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top == "numpy":
            self.imports[f"from {module} import {name}"] = None
            return name
        plain = inspect.unwrap(function)
        code = getattr(plain, "__code__", None)
        if (
            code is None
            or plain.__closure__
            or name == "<lambda>"
            or "<locals>" in plain.__qualname__
        ):
            raise ValueError(
                f"export: {getattr(function, '__qualname__', function)} cannot be written down: "
                "it must be a function of a module that needs nothing from around it"
            )
        self.known[name] = function
        self.written.add(name)
        tree = _Strip().visit(ast.parse(textwrap.dedent(inspect.getsource(plain))))
        for needed in dict.fromkeys(_names(code) + _names_around(tree.body[0])):
            if needed in plain.__globals__ and needed != name:
                self.define(needed, plain.__globals__[needed])
        self.pieces.append(ast.unparse(tree) + "\n")
        return name

    @functools.cached_property
    def written(self) -> set[str]:
        """The functions whose sources are among the pieces."""
        return set()


def _names(code: types.CodeType) -> list[str]:
    """The global names a function may use, its annotations left out."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _names(constant)
    return names


def _names_around(function: ast.FunctionDef) -> list[str]:
    """The names in a function's decorators and defaults."""
    parts = [*function.decorator_list, *function.args.defaults, *function.args.kw_defaults]
    nodes = [node for part in parts if part is not None for node in ast.walk(part)]
    return [node.id for node in nodes if isinstance(node, ast.Name)]


class _Strip(ast.NodeTransformer):
    """Takes the annotations out, which may name what the module does not have."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return ast.Assign([node.target], node.value, lineno=node.lineno)


def _is_data(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return all(map(_is_data, x))
    if isinstance(x, dict):
        return all(_is_data(k) and _is_data(v) for k, v in x.items())
    if isinstance(x, slice):
        return True
    return x is None or x is Ellipsis or isinstance(x, (bool, int, float, str))


def _literal(x: Any) -> str:
    """Data as Python text, infinities included."""
    return re.sub(r"(?<![\w'\"])(inf|nan)(?![\w'\"])", r"float('\1')", repr(x))


def _data(x: Any) -> Any:
    """What of an argument can be written down: dicts lose items that are no data."""
    if isinstance(x, dict):
        return {k: _data(v) for k, v in x.items() if _is_data(v)}
    if isinstance(x, (list, tuple)):
        return type(x)([_data(v) for v in x])
    if hasattr(x, "item") and not getattr(x, "shape", ()):
        return x.item()
    if not _is_data(x):
        raise ValueError(f"export: an argument of type {type(x).__name__} cannot be written down")
    return x
