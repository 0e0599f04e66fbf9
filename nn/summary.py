"""What a model is made of and what it costs, as a table."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from autodiff import Tensor, enable_grad, get_rng_state, ones, set_rng_state
from autodiff.kernels import multiply_adds
from nn.module import Module
from nn.parameter import Parameter


class Layer(NamedTuple):
    """One module of a model, without the modules in it.

    output: the shape it gave when it was last called, a tuple of shapes where it gave several
    tensors, None if it was not called. multiply_adds: of all calls. bytes: of its parameters and
    buffers. What modules share is counted once.
    """

    path: str
    kind: str
    output: tuple | None
    parameters: int
    multiply_adds: int
    bytes: int


class Summary(NamedTuple):
    """The modules of a model, itself first, and how many of its parameters are trained.

    As a text it is a table.
    """

    layers: tuple[Layer, ...]
    trainable: int

    @property
    def parameters(self) -> int:
        """How many numbers the parameters of the model are."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """How many products the matrix products and convolutions of a run have added up."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def bytes(self) -> int:
        """How much memory the parameters and buffers of the model take."""
        return sum(layer.bytes for layer in self.layers)

    def __str__(self) -> str:
        rows = [("layer", "class", "output", "parameters", "multiply-adds", "bytes")]
        for layer in self.layers:
            output = "" if layer.output is None else str(layer.output)
            rows.append((layer.path or "(model)", layer.kind, output, *_numbers(layer)))
        rows.append(("total", "", "", *_numbers(self)))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = []
        for row in rows:
            words = [text.ljust(n) for text, n in zip(row[:3], widths[:3])]
            numbers = [text.rjust(n) for text, n in zip(row[3:], widths[3:])]
            lines.append("  ".join([*words, *numbers]))
        rule = "-" * len(lines[0])
        trained = f"{self.trainable:,} of {self.parameters:,} parameters are trained"
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], trained])

    def __repr__(self) -> str:
        return str(self)


def _numbers(counted: Layer | Summary) -> tuple[str, str, str]:
    return f"{counted.parameters:,}", f"{counted.multiply_adds:,}", f"{counted.bytes:,}"


def summary(model: Module, *inputs: Any, **options: Any) -> Summary:
    """The modules of `model`: what they give for these inputs, their parameters, and their cost.

    inputs, options: what the model is called with. A tuple or list of integers is the shape, batch
    included, of a tensor of ones in the dtype of the model's parameters.

    The model is copied, and the copy run once in evaluation mode; the multiply-adds are those of
    the matrix products and convolutions that the run left on the tape. Those of other operations
    are not counted, nor is what is computed without parameters.

    >>> from nn import Linear, ReLU, Sequential
    >>> summary(Sequential(Linear(4, 8), ReLU(), Linear(8, 1, bias=False)), (32, 4))
    layer    class       output   parameters  multiply-adds  bytes
    --------------------------------------------------------------
    (model)  Sequential  (32, 1)           0              0      0
    0        Linear      (32, 8)          40          1,024    160
    1        ReLU        (32, 8)           0              0      0
    2        Linear      (32, 1)           8            256     32
    --------------------------------------------------------------
    total                                 48          1,280    192
    48 of 48 parameters are trained
    """
    run = _Run(copy.deepcopy(model).eval())
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    before = get_rng_state()
    try:
        with enable_grad():
            run.model(*[ones(x, dtype=dtype) if _is_shape(x) else x for x in inputs], **options)
    finally:
        set_rng_state(before)
    return Summary(run.layers(), sum(p.numel() for p in model.parameters() if p.requires_grad))


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple | list) and all(isinstance(n, int) for n in x)


class _Run:
    """What is noted while a model runs: for each module its output and its multiply-adds."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.outputs: dict[Module, Any] = {}
        self.multiply_adds = dict.fromkeys(model.modules(), 0)
        self.running: list[Module] = []
        self.counted: set[Any] = set()
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_()
        for module in model.modules():
            module.register_forward_pre_hook(self.enter, prepend=True, with_kwargs=True)
            module.register_forward_hook(self.leave)

    def enter(self, module: Module, args: tuple, kwargs: dict[str, Any]) -> None:
        if self.running:
            self.count((args, kwargs), self.running[-1])
        self.running.append(module)

    def leave(self, module: Module, args: tuple, output: Any) -> None:
        self.count(output, self.running.pop())
        self.outputs[module] = _shapes(output)

    def count(self, values: Any, module: Module) -> None:
        """Count for a module what led to these values and was not counted yet."""
        nodes = [tensor.grad_fn for tensor in _tensors(values)]
        while nodes:
            node = nodes.pop()
            if node is not None and node not in self.counted:
                self.counted.add(node)
                self.multiply_adds[module] += multiply_adds(node)
                nodes += node.parents

    def layers(self) -> tuple[Layer, ...]:
        seen: set[int] = set()
        found = []
        for path, module in self.model.named_modules():
            own = [
                tensor
                for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False))
                if id(tensor) not in seen
            ]
            seen.update(map(id, own))
            found.append(
                Layer(
                    path,
                    type(module).__name__,
                    self.outputs.get(module),
                    sum(tensor.numel() for tensor in own if isinstance(tensor, Parameter)),
                    self.multiply_adds[module],
                    sum(tensor.nbytes for tensor in own),
                )
            )
        return tuple(found)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors(tuple(values.values()))
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)


def _shapes(output: Any) -> tuple | None:
    shapes = [tuple(tensor.shape) for tensor in _tensors(output)]
    if isinstance(output, Tensor):
        return shapes[0]
    return tuple(shapes) if shapes else None
