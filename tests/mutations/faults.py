"""Faults that can be planted in a source file: its syntax tree with one node replaced.

They are found systematically, in every expression and statement; what only words an error, types a
name or serves the compiler's recording is left alone (the compiler has tests of its own).
"""

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

DECISIONS = set("branch check comparison condition constant flag".split())
"""Kinds of faults in which way is taken: most that no test finds lead to the same by the other."""

UNWRAPPED = set(
    """abs absolute asarray broadcast_to cast copy fit flip fresh_copy log1p matrix_transpose
    maximum moveaxis reshape roll sign sqrt squeeze sum_to swapaxes transpose tril triu
    _contiguous _converted _copied _from_rows _inside _next _one_at_zero _positions _put_back
    _reversed _rows _storage _to_rows""".split()
)
"""Functions and methods that are left out, so that what they take is left as it is."""

SWAPPED = set("arctan2 dot fmod hypot logaddexp matmul outer remainder solve".split())
"""Functions and methods whose first two operands are exchanged; of where() the last two."""

MISTAKEN = {
    a: b
    for pair in """maximum-minimum sin-cos sinh-cosh floor-ceil tril-triu argmax-argmin any-all
    max-min exp-expm1 log-log1p zeros-ones add-multiply isnan-isinf fmax-fmin""".split()
    for a, b in (pair.split("-"), reversed(pair.split("-")))
}
"""Names taken for each other."""

NOTES = ("add_note", "taken")
"""Calls that word an error or serve the compiler's recording."""

SPOILT = set("g d old total x y s p out e".split())
"""Names of arrays to which a fault adds in place where a new array was made."""

DECLARATIONS = {"elementwise", "linear", "bilinear", "reduction", "random", "general"}

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}

Replacement = tuple[str, ast.AST]


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, where it is, and the innermost telling piece of text before and after.

    node, choice: the number of the node in ast.walk(), and which of its replacements it gets.
    lines, statement: the first and the last line of the node, and of the statement it is in.
    owner: the name that the statement at the top of the file binds.
    """

    path: str
    kind: str
    scope: str
    owner: str
    before: str
    after: str
    repeated: int
    node: int
    choice: int
    lines: tuple[int, int]
    statement: tuple[int, int]

    @property
    def name(self) -> str:
        """What tells it from all others; it does not change with what surrounds the fault."""
        where = f"{self.path}:{self.scope}" if self.scope else self.path
        number = f" #{self.repeated + 1}" if self.repeated else ""
        return f"{where}: {self.before} -> {self.after}{number}"


def faults(path: str, source: str) -> list[Fault]:
    """All that can be planted in this file."""
    tree = ast.parse(source)
    parents = _parents(tree)
    found: list[Fault] = []
    seen = Counter[str]()
    for number, node in enumerate(ast.walk(tree)):
        if node not in parents or _left_alone(node, parents):
            continue
        for choice, (kind, new) in enumerate(_replacements(node, parents)):
            line = _line(node, parents)
            statement = _statement(line, parents)
            scope, owner = _scope(node, parents)
            before, after = _texts(node, new, parents)
            if before == after:
                continue
            fault = Fault(
                path, kind, scope, owner, before, after, 0, number, choice,
                (line.lineno, line.end_lineno), (statement.lineno, _end(statement)),
            )  # fmt: skip
            found.append(Fault(**{**fault.__dict__, "repeated": seen[fault.name]}))
            seen[fault.name] += 1
    return found


def planted(fault: Fault, source: str) -> ast.Module:
    """The syntax tree of the file with the fault in it."""
    tree = ast.parse(source)
    parents = _parents(tree)
    node = next(node for i, node in enumerate(ast.walk(tree)) if i == fault.node)
    new = list(_replacements(node, parents))[fault.choice][1]
    _replace(parents[node], node, copy.deepcopy(new))
    return ast.fix_missing_locations(tree)


def sample(found: list[Fault], count: int, seed: int = 0) -> list[Fault]:
    """So many of them, as evenly as can be over files and, in these, over kinds.

    The choice depends on nothing but the seed and the faults' names.
    """

    def digest(fault: Fault) -> str:
        return hashlib.sha256(f"{seed or ''}{fault.name}".encode()).hexdigest()

    strata: dict[tuple[str, str], list[Fault]] = {}
    for fault in sorted(found, key=digest):
        strata.setdefault((fault.path, fault.kind), []).append(fault)
    rank = {f: n for stratum in strata.values() for n, f in enumerate(stratum)}
    return sorted(found, key=lambda f: (rank[f], digest(f)))[:count]


# Where a node is


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def _upwards(node: ast.AST, parents: dict) -> Iterator[ast.AST]:
    """The node and what it is in, from the inside out."""
    while node in parents:
        yield node
        node = parents[node]


def _left_alone(node: ast.AST, parents: dict) -> bool:
    inner = node
    for outer in _upwards(node, parents):
        if isinstance(outer, (ast.Raise, ast.Assert, ast.JoinedStr, ast.ImportFrom, ast.arg)):
            return True
        if isinstance(outer, (ast.FunctionDef, ast.ClassDef)) and (
            outer.name in ("__repr__", "describe") or inner in outer.decorator_list
        ):
            return True
        if isinstance(outer, ast.FunctionDef) and inner is outer.returns:
            return True
        if _is_limit(outer):
            return True
        if isinstance(outer, ast.AnnAssign) and inner is outer.annotation:
            return True
        if isinstance(outer, (ast.If, ast.IfExp)) and any(
            _called(n) in ("TRACE", "trace") for n in ast.walk(outer.test)
        ):
            return True
        inner = outer
    return False


def _line(node: ast.AST, parents: dict) -> ast.AST:
    """The node, or the one around it, that has lines."""
    return next(outer for outer in _upwards(node, parents) if hasattr(outer, "lineno"))


def _statement(node: ast.AST, parents: dict) -> ast.AST:
    return next(outer for outer in _upwards(node, parents) if isinstance(outer, ast.stmt))


def _end(statement: ast.AST) -> int:
    """The last line of a statement, or of the head of one that holds others."""
    body = getattr(statement, "body", None)
    return body[0].lineno - 1 if body else statement.end_lineno


def _scope(node: ast.AST, parents: dict) -> tuple[str, str]:
    """The functions and classes it is in, and the name that is bound at the top of the file."""
    outers = list(_upwards(node, parents))
    names = [o.name for o in outers[1:] if isinstance(o, (ast.FunctionDef, ast.ClassDef))]
    top = outers[-1]
    owner = getattr(top, "name", "")
    if isinstance(top, ast.Assign) and isinstance(top.targets[0], ast.Name):
        owner = top.targets[0].id
    return ".".join(reversed(names)) or owner, owner


def _texts(node: ast.AST, new: ast.AST, parents: dict) -> tuple[str, str]:
    """The node as text before and after, with as much around it as makes it telling."""
    changed = {id(node): new}
    shown, shown_new = node, new
    for outer in list(_upwards(node, parents))[1:]:
        if len(_text(shown)) >= 24 or isinstance(shown, ast.stmt):
            break
        if isinstance(outer, ast.stmt) and hasattr(outer, "body"):
            break
        shown = outer
        shown_new = copy.deepcopy(outer, {id(node): changed[id(node)]})
    return _text(shown), _text(shown_new)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.stmt) and hasattr(node, "body"):
        return f"if {ast.unparse(node.test)}" if isinstance(node, ast.If) else type(node).__name__
    return " ".join(ast.unparse(node).split())


def _replace(parent: ast.AST, node: ast.AST, new: ast.AST) -> None:
    for field, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, field, new)
        elif isinstance(value, list) and any(v is node for v in value):
            setattr(parent, field, [new if v is node else v for v in value])


# What it may be replaced by


def _replacements(node: ast.AST, parents: dict) -> Iterator[Replacement]:
    """Kinds of faults and what then stands in the node's place."""
    parent = parents[node]
    if isinstance(node, ast.BinOp):
        yield from _of_arithmetic(node)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        kind = "sign" if isinstance(node.op, ast.USub) else "condition"
        yield kind, node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield "comparison", _with(node, ops=[COMPARISONS[type(node.ops[0])]()])
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "condition", _with(node, op=other)
        yield "condition", _without(node, node.values[-1])
        yield "condition", _without(node, node.values[0])
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    elif isinstance(node, ast.If):
        kind = "check" if isinstance(node.body[-1], ast.Raise) else "branch"
        yield kind, _with(node, test=ast.BoolOp(ast.And(), [ast.Constant(False), node.test]))
    elif isinstance(node, (ast.Constant, ast.UnaryOp)) and not isinstance(parent, ast.UnaryOp):
        yield from _of_number(node, parent)
    elif isinstance(node, ast.keyword):
        yield from _of_parameter(node)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "axis", node.value
    elif isinstance(node, ast.Slice):
        yield from _of_slice(node)
    if isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Load):
        yield from _of_name(node, parent)
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)


def _with(node: ast.AST, **fields) -> ast.AST:
    new = copy.copy(node)
    new.__dict__.update(fields)
    return new


def _without(node: ast.BoolOp, value: ast.expr) -> ast.expr:
    rest = [v for v in node.values if v is not value]
    return rest[0] if len(rest) == 1 else _with(node, values=rest)


def _is_limit(node: ast.AST) -> bool:
    """Whether it compares with a size, of 16 or more, from which another way is quicker."""
    if not isinstance(node, ast.Compare) or isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
        return False
    sizes = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return any(type(size) is int and size >= 16 for size in sizes)


def _of_arithmetic(node: ast.BinOp) -> Iterator[Replacement]:
    left, right, op = node.left, node.right, type(node.op)
    if any(isinstance(n, ast.JoinedStr) or _is_text(n) for n in (left, right)):
        return
    swapped = _with(node, left=right, right=left)
    if op is ast.Mult:
        yield "factor", left
        yield "factor", right
        yield "operator", _with(node, op=ast.Div())
    elif op is ast.Div:
        yield "factor", left
        yield "operator", _with(node, op=ast.Mult())
        yield "operands", swapped
    elif op is ast.Add:
        yield "term", left
        yield "term", right
        yield "sign", _with(node, op=ast.Sub())
    elif op is ast.Sub:
        yield "term", left
        yield "sign", _with(node, op=ast.Add())
        yield "operands", swapped
    elif op in (ast.Pow, ast.FloorDiv, ast.Mod):
        yield "factor", left
    elif op is ast.MatMult:
        yield "operands", swapped
    elif op in (ast.BitAnd, ast.BitOr):
        yield "condition", _with(node, op=ast.BitOr() if op is ast.BitAnd else ast.BitAnd())
        yield "condition", left
        yield "condition", right
    if op in (ast.Add, ast.Mult) and isinstance(left, ast.Name) and left.id in SPOILT:
        in_place = "iadd" if op is ast.Add else "imul"
        yield (
            "aliasing",
            ast.parse(
                f"__import__('operator').{in_place}({left.id}, {ast.unparse(right)})", mode="eval"
            ).body,
        )


def _of_number(node: ast.expr, parent: ast.AST) -> Iterator[Replacement]:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return
    if isinstance(value, bool):
        if isinstance(parent, ast.keyword) and parent.arg == "strict":
            return  # it guards what cannot happen
        yield "flag", ast.Constant(not value)
    elif isinstance(value, int):
        axis = isinstance(parent, ast.keyword) or _called(parent) in ("swapaxes", "moveaxis")
        yield "axis" if axis else "constant", ast.Constant(value + 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(2 * value or 1.0)


def _of_parameter(node: ast.keyword) -> Iterator[Replacement]:
    given = node.value
    if node.arg == "axis" and not isinstance(given, (ast.Constant, ast.UnaryOp)):
        yield "axis", _with(node, value=ast.parse(f"-1 - {ast.unparse(given)}", mode="eval").body)
    elif node.arg == "keepdims" and not isinstance(given, ast.Constant):
        yield "flag", _with(node, value=ast.UnaryOp(ast.Not(), given))


def _of_call(node: ast.Call) -> Iterator[Replacement]:
    name, args = _called(node), node.args
    if name in DECLARATIONS:
        for given in node.keywords:
            if given.arg in ("accumulate", "body", "check"):  # the same, sooner, or compiled
                continue
            if isinstance(given.value, (ast.Lambda, ast.Name)) or given.arg == "promote":
                kind = "cast" if given.arg == "promote" else "rule"
                yield kind, _with(node, keywords=[k for k in node.keywords if k is not given])
    if name in UNWRAPPED:
        method = isinstance(node.func, ast.Attribute) and _called(node.func.value) != "np"
        kind = {"fit": "unbroadcast", "sum_to": "unbroadcast", "_put_back": "unbroadcast"}.get(
            name, "cast" if name in ("cast", "_converted") else "call"
        )
        if method:
            yield kind, node.func.value
        elif args and not isinstance(args[0], ast.Starred):
            yield kind, args[0]
    if name in SWAPPED and len(args) >= 2:
        yield "operands", _with(node, args=[args[1], args[0], *args[2:]])
    if name == "where" and len(args) == 3:
        yield "operands", _with(node, args=[args[0], args[2], args[1]])
    if name == "astype":
        yield "cast", node.func.value
    if name in ("slice", "range"):
        for i, given in enumerate(args[:2]):
            if not isinstance(given, (ast.Constant, ast.Starred)):
                yield "window", _with(node, args=[*args[:i], _off_by_one(given), *args[i + 1 :]])


def _of_slice(node: ast.Slice) -> Iterator[Replacement]:
    for field in ("lower", "upper"):
        bound = getattr(node, field)
        if bound is not None and not isinstance(bound, ast.Constant):
            yield "window", _with(node, **{field: _off_by_one(bound)})


def _off_by_one(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def _of_name(node: ast.expr, parent: ast.AST) -> Iterator[Replacement]:
    other = MISTAKEN.get(_called(node))
    if other and isinstance(node, ast.Attribute):
        yield "function", _with(node, attr=other)
    elif other in ("min", "max", "any", "all") and getattr(parent, "func", None) is node:
        yield "function", _with(node, id=other)


def _of_statement(node: ast.stmt) -> Iterator[Replacement]:
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    stored = isinstance(target, (ast.Attribute, ast.Subscript)) and "__" not in ast.unparse(target)
    if isinstance(node, ast.AugAssign) or stored or (call and _called(node.value) not in NOTES):
        kind = "check" if call and "check" in (_called(node.value) or "") else "step"
        yield kind, ast.Pass()
    if isinstance(node, ast.Continue):
        yield "step", ast.Pass()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _called(node: ast.AST) -> str | None:
    """The last name of a name, an attribute, or what is called."""
    if isinstance(node, ast.Call):
        return _called(node.func)
    return getattr(node, "attr", getattr(node, "id", None))
