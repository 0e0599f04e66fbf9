"""Where functions and classes come from: the place that names them, their source, what it uses."""

import ast
import functools
import inspect
import symtable
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

import numpy as np


def place_of(x: Any) -> tuple[str, str] | None:
    """The module and the path in it under which x is found."""
    path = getattr(x, "__qualname__", None) or getattr(x, "__name__", None)
    module = getattr(x, "__module__", None) or ("numpy" if isinstance(x, np.ufunc) else None)
    if not isinstance(path, str) or not isinstance(module, str) or module == "__main__":
        return None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        place = ".".join(parts[:count])
        found: Any = sys.modules.get(place)
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is x:
            return place, path
    return None


def source_of(x: Any) -> str | None:
    """The source text of a function or class, a function's without decorators."""
    try:
        lines, start = inspect.findsource(x)
        tree = _tree("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return None
    text, found = "".join(lines), None
    for node in ast.walk(tree):  # the innermost come last
        if isinstance(x, type):
            if isinstance(node, ast.ClassDef) and _first_line(node) == start + 1:
                return textwrap.dedent("".join(lines[start : node.end_lineno])).rstrip()
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)) and _is_of(node, x.__code__):
            found = ast.get_source_segment(text, node, padded=isinstance(node, ast.FunctionDef))
            found = textwrap.dedent(found or "")
            if isinstance(node, ast.Lambda) and "\n" in found:
                found = f"({found})"
    return found


@functools.lru_cache(maxsize=8)
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _first_line(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])


def _is_of(node: ast.FunctionDef | ast.Lambda, code: types.CodeType) -> bool:
    """Whether the code may have been compiled from this."""
    if isinstance(node, ast.FunctionDef):
        return (node.name, _first_line(node)) == (code.co_name, code.co_firstlineno)
    if (code.co_name, code.co_firstlineno) != ("<lambda>", node.lineno):
        return False
    body: Any = node.body
    return all(
        (body.lineno, body.col_offset) <= (first, left)
        and (last, right) <= (body.end_lineno, body.end_col_offset)
        for first, last, left, right in code.co_positions()
        if right  # it is 0 where the code starts and ends
    )


def names_used(source: str) -> list[str]:
    """The names that the source takes from around it."""
    tables = [symtable.symtable(source, "snippet", "exec")]
    own = {s.get_name() for s in tables[0].get_symbols() if s.is_assigned() or s.is_namespace()}
    found: dict[str, None] = {}
    for table in tables:
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and symbol.is_global():
                found[symbol.get_name()] = None
    return [name for name in found if name not in own]


def namespace_of(x: Any) -> dict[str, Any]:
    """What names around a function or class stand for."""
    if not isinstance(x, type):
        closed: dict[str, Any] = {}
        for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
            try:
                closed[name] = cell.cell_contents
            except ValueError:  # it was never assigned
                continue
        names = x.__code__.co_varnames[: x.__code__.co_argcount]
        defaults = dict(zip(reversed(names), reversed(x.__defaults__ or ())))  # as in scale=scale
        return {**x.__globals__, **closed, **defaults}
    found = dict(vars(sys.modules[x.__module__]))
    for method in _methods(x):
        found |= namespace_of(method)
    return found | {base.__name__: base for base in x.__bases__}


def _methods(x: type) -> Iterator[types.FunctionType]:
    for value in vars(x).values():
        value = inspect.unwrap(getattr(value, "__func__", getattr(value, "fget", value)))
        if isinstance(value, types.FunctionType) and value.__module__ == x.__module__:
            yield value
