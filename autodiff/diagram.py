"""Looking at the tape: the recorded operations of a result, as a table and as diagrams."""

import math
from collections.abc import Callable
from typing import Any

from autodiff.primitive import REST, rule_needs
from autodiff.tape import Node, reachable
from autodiff.tensor import Tensor


class Tape(tuple[Node, ...]):
    """The nodes that led to a result, in the order in which they were recorded."""

    __slots__ = ()

    def __str__(self) -> str:
        head = ["", "operation", "shape", "dtype", "from", "saved"]
        rows = []
        for i, (node, inputs) in enumerate(zip(self, self._inputs())):
            form = [str(node.shape), node.dtype.name]
            rows.append([str(i), node.operation, *form, str(inputs)[1:-1], _bytes(node)])
        if any(node.where for node in self):
            head.append("recorded at")
            rows = [[*row, node.where or ""] for row, node in zip(rows, self)]
        widths = [max(map(len, column)) for column in zip(head, *rows)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
        return "\n".join(lines)

    __repr__ = __str__

    def mermaid(self) -> str:
        """The tape as a Mermaid flowchart; leaves have square corners."""
        lines = ["flowchart TD"]
        for i, (node, inputs) in enumerate(zip(self, self._inputs())):
            label = f"{node.operation}<br>{node.dtype} {node.shape}"
            lines.append(f'    n{i}("{label}")' if inputs else f'    n{i}["{label}"]')
            lines += [f"    n{j} --> n{i}" for j in inputs]
        return "\n".join(lines)

    def dot(self) -> str:
        """The tape in the language of Graphviz; leaves are filled."""
        lines = ["digraph tape {", "    node [shape=box, style=rounded]"]
        for i, (node, inputs) in enumerate(zip(self, self._inputs())):
            label = f"{node.operation}\\n{node.dtype} {node.shape}"
            style = "" if inputs else ", style=filled"
            lines.append(f'    n{i} [label="{label}"{style}]')
            lines += [f"    n{j} -> n{i}" for j in inputs]
        return "\n".join([*lines, "}"])

    def _inputs(self) -> list[list[int]]:
        """For each node the places on the tape of those it was computed from."""
        place = {node: i for i, node in enumerate(self)}
        return [[place[parent] for parent in node.parents] for node in self]


def tape(*results: Tensor) -> Tape:
    """What was recorded on the way to `results`, the leaves that require grad included.

    Each node tells its operation, shape, dtype and parents; under anomaly detection also where in
    the user's program it was recorded.

    Raises: TypeError for what is no Tensor; RuntimeError if nothing was recorded.

    >>> from autodiff import tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> print(tape((x * x).exp()))
       operation  shape  dtype    from  saved
    0  leaf       (2,)   float32        0 B
    1  multiply   (2,)   float32  0, 0  8 B
    2  exp        (2,)   float32  1     8 B
    """
    for result in results:
        if not isinstance(result, Tensor):
            raise TypeError(f"tape() shows the tape of Tensors, got {type(result).__name__}")
    roots = [result._node for result in results if result._node is not None]
    if not roots:
        raise RuntimeError("nothing was recorded: the result does not require grad")
    return Tape(reversed(reachable(roots)))


def saved_arrays(node: Node) -> list[Any]:
    """The arrays that a node keeps for the backward pass, each once."""
    arrays: dict[int, Any] = {}
    if node.plan is not None and node.saved is not None:
        for values, sources in zip(node.saved, node.plan.sources):
            for value, source in zip(values, sources):
                for array in value if source == REST else (value,):
                    if source is not None and hasattr(array, "nbytes"):
                        arrays[id(array)] = array
    return list(arrays.values())


def multiply_adds(node: Node) -> int:
    """How many products of two elements a matrix product, einsum or convolution has added up.

    0 for other operations; of an einsum as if all operands were contracted at once.
    Raises: RuntimeError if a backward pass has freed what the node kept.
    """
    count = _PRODUCTS.get(node.operation)
    if count is None or node.plan is None:
        return 0
    if node.saved is None:
        raise RuntimeError("a backward pass has freed the graph: count before it")
    known: dict[str, Any] = {"out": node.shape}
    for position, parent, rule, values in zip(
        node.plan.positions, node.parents, node.plan.rules, node.saved
    ):
        saved = dict(zip(rule_needs(rule), values))
        known |= {name: getattr(value, "shape", value) for name, value in saved.items()}
        known |= dict(zip(node.plan.primitive.arguments[position : position + 1], [parent.shape]))
    return count(known)


def _matmul(known: dict[str, Any]) -> int:
    inner = known["x"][-1] if "x" in known else known["y"][-2:][0]
    return math.prod(known["out"]) * inner


def _einsum(known: dict[str, Any]) -> int:
    inputs, arrow, output = known["subscripts"].replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for term, operand in zip(inputs.split(","), known["operands"]):
        before, _, after = term.partition("...")
        sizes |= dict(zip(before, operand.shape)) | dict(zip(after[::-1], operand.shape[::-1]))
    summed = [a for a in sizes if (a not in output if arrow else inputs.count(a) > 1)]
    return math.prod(known["out"]) * math.prod(sizes[a] for a in summed)


# By the shapes of the arguments that are on the tape or saved; of x and w in x w, the weight is.
_PRODUCTS: dict[str, Callable[[dict[str, Any]], int]] = {
    "matmul": _matmul,
    "einsum": _einsum,
    "linear": lambda known: math.prod(known["out"]) * known.get("w", (0, 0))[1],
    "elman": lambda known: math.prod(known["out"]) * known["out"][-1],
    "lstm": lambda known: math.prod(known["out"][1:]) * 4 * known["out"][-1],
    "convolve": lambda known: math.prod(known["out"]) * math.prod(known.get("w", (0, 0))[1:]),
    "convolve_x": lambda known: math.prod(known["y"]) * math.prod(known["w"][1:]),
}


def _bytes(node: Node) -> str:
    """How much a node keeps, in a unit that makes it short."""
    size, unit = float(sum(array.nbytes for array in saved_arrays(node))), 0
    while size >= 1000:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}"
