"""What is called: every public function, class and method, by its full name."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import autodiff
import nn
import optim
from autodiff import Tensor
from tests.fuzz import values

NAMESPACES = (
    *("autodiff", "autodiff.linalg", "autodiff.special", "autodiff.func", "autodiff.autograd"),
    *("autodiff.autograd.functional", "autodiff.utils.data", "autodiff.utils.checkpoint"),
    *("nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize"),
    *("nn.utils.parametrizations", "nn", "optim", "optim.lr_scheduler", "optim.swa_utils"),
)

LEFT_OUT = {
    "autodiff.seed": "it takes no argument, and its purpose is to change the global state",
    "autodiff.overwrite": "for authors of optimizers; their rules are trusted",
    "autodiff.detach_": "a method",
    "nn.init.uniform_by_fan_in_": "for the layers, which give it what they made",
    "nn.summary": "it runs the model, and says what the model says",
    "optim.Optimizer": "a base class",
    "optim.lr_scheduler.LRScheduler": "a base class",
}
"""What is not called, and why."""

EXAMPLES = {
    "autodiff.addbmm": "f32[3, 3]; f32[3, 3, 3]; f32[3, 3, 3]",
    "autodiff.addmv_": "f32[3]; f32[3, 3]; f32[3]",
    "autodiff.addmv": "f32[3]; f32[3, 3]; f32[3]",
    "autodiff.autograd.grad": "computed[]; leaf[3, 3]; allow_unused=True",
    "autodiff.baddbmm": "f32[3, 3, 3]; f32[3, 3, 3]; f32[3, 3, 3]",
    "autodiff.bmm": "f32[3, 3, 3]; f32[3, 3, 3]",
    "autodiff.cat": "[f32[3], f32[3]]",
    "autodiff.einsum": "'ij->ji'; f32[3, 3]",
    "autodiff.func.functional_call": "Linear; {}; f32[3, 3]",
    "autodiff.func.jvp": "lambda x: x; (f32[3, 3], f32[3, 3]); (f32[3, 3], f32[3, 3])",
    "autodiff.func.stack_module_state": "[Linear, Linear]",
    "autodiff.func.vjp": "lambda x: (x * x).sum(); f32[3, 3]",
    "autodiff.gather": "f32[3, 3]; 0; i64[3, 3]",
    "autodiff.index_add": "f32[3, 3]; 0; i64[3]; f32[3, 3]",
    "autodiff.index_copy": "f32[3, 3]; 0; i64[3]; f32[3, 3]",
    "autodiff.index_put_": "f32[3, 3]; (i64[3],); f32[]",
    "autodiff.index_select": "f32[3, 3]; 0; i64[3]",
    "autodiff.linalg.cross": "f32[3, 3]; f32[3, 3]",
    "autodiff.masked_fill": "f32[3, 3]; bool[3, 3]; 0.5",
    "autodiff.movedim": "f32[3, 3]; 0; 1",
    "autodiff.multinomial": "f32[3]; 2",
    "autodiff.narrow": "f32[3, 3]; 0; 0; 2",
    "autodiff.randint": "0; 4; (2, 3)",
    "autodiff.scatter": "f32[3, 3]; 0; i64[3, 3]; f32[3, 3]",
    "autodiff.scatter_reduce": "f32[3, 3]; 0; i64[3, 3]; f32[3, 3]; 'sum'",
    "autodiff.utils.checkpoint.checkpoint_sequential": "[Linear, Linear]; 2; f32[3, 3]",
    "nn.Module.load_state_dict": "{}; strict=False",
    "nn.functional.adaptive_avg_pool2d": "f32[2, 3, 4, 4]; 2",
    "nn.functional.avg_pool2d": "f32[2, 3, 4, 4]; 2",
    "nn.functional.batch_norm": "f32[3, 3]; f32[3]; f32[3]; training=True",
    "nn.functional.conv1d": "f32[2, 3, 4]; f32[2, 3, 3]",
    "nn.functional.conv2d": "f32[2, 3, 4, 4]; f32[3, 3, 2, 2]; f32[3]",
    "nn.functional.conv_transpose1d": "f32[2, 3, 4]; f32[3, 3, 3]",
    "nn.functional.conv_transpose2d": "f32[2, 3, 4, 4]; f32[3, 3, 2, 2]",
    "nn.functional.cross_entropy": "f32[3, 3]; i64[3]",
    "nn.functional.embedding": "i64[3]; f32[3, 3]",
    "nn.functional.fold": "f32[2, 3, 4]; 2; 1",
    "nn.functional.group_norm": "f32[2, 3, 4]; 3",
    "nn.functional.interpolate": "f32[2, 3, 4, 4]; 2",
    "nn.functional.layer_norm": "f32[3, 3]; [3]",
    "nn.functional.max_pool2d": "f32[2, 3, 4, 4]; 2",
    "nn.functional.nll_loss": "f32[3, 3]; i64[3]",
    "nn.functional.one_hot": "i64[3]",
    "nn.functional.scaled_dot_product_attention": "f32[2, 3, 3]; f32[2, 3, 3]; f32[2, 3, 3]",
    "nn.functional.unfold": "f32[2, 3, 4, 4]; 2",
    "nn.utils.parametrize.register_parametrization": "Linear; 'weight'; identity module",
    "nn.utils.rnn.pad_packed_sequence": "packed",
    "nn.utils.rnn.unpack_sequence": "packed",
    "optim.Adam.add_param_group": "{'params': [leaf[3]], 'lr': 0.1}",
    "optim.lr_scheduler.OneCycleLR": "SGD; 0.9; total_steps=4",
}
"""Right arguments of functions that random ones seldom fit."""

RECEIVERS: dict[str, Callable[[], Any]] = {
    "autodiff.Generator": autodiff.Generator,
    "autodiff.Size": lambda: autodiff.Size([2, 3]),
    "nn.Module": values.MODULES["Sequential"],
    "nn.Sequential": values.MODULES["Sequential"],
    "nn.ModuleList": lambda: nn.ModuleList([nn.Linear(3, 3)]),
    "nn.ModuleDict": lambda: nn.ModuleDict({"a": nn.Linear(3, 3)}),
    "nn.ParameterList": lambda: nn.ParameterList([nn.Linear(3, 3).weight]),
    "nn.ParameterDict": lambda: nn.ParameterDict({"a": nn.Linear(3, 3).weight}),
    "optim.SGD": values.OBJECTS["SGD"],
    "optim.Adam": values.OBJECTS["Adam"],
    "optim.LBFGS": lambda: optim.LBFGS([values.TENSORS["leaf[3]"]()]),
    "optim.lr_scheduler.StepLR": values.OBJECTS["StepLR"],
    "optim.lr_scheduler.ReduceLROnPlateau": lambda: optim.lr_scheduler.ReduceLROnPlateau(
        values.OBJECTS["SGD"]()
    ),
    "autodiff.utils.data.TensorDataset": values.OBJECTS["TensorDataset"],
}
"""Objects whose methods are called."""


def public(namespace: str) -> Iterator[tuple[str, Any]]:
    """The names that a namespace offers, and what they are."""
    names = importlib.import_module(namespace)
    for name in getattr(names, "__all__", None) or list(vars(names)):
        value = getattr(names, name)
        module = getattr(value, "__module__", None) or "autodiff"
        own = module.partition(".")[0] in ("autodiff", "nn", "optim", "functools")
        if own and not name.startswith("_") and callable(value):
            yield f"{namespace}.{name}", value


def methods(kind: type) -> list[str]:
    """The methods and operators of a class that are its own, not Python's."""
    special = {"__getitem__", "__setitem__", "__delitem__", "__call__", "__len__", "__contains__"}
    return [
        name
        for name in dir(kind)
        if not hasattr(object, name) or name in ("__eq__", "__lt__", "__ne__", "__ge__")
        if isinstance(getattr(kind, name), FunctionType)
        if not name.startswith("_") or (kind is Tensor and name.endswith("__")) or name in special
    ]


def targets(namespace: str) -> dict[str, Callable]:
    """Each once, under its first name; with "Tensor", its methods, which take a Tensor first."""
    found: dict[str, Callable] = {}
    if namespace == "Tensor":
        functions = {id(value) for _, value in public("autodiff")}
        for name in methods(Tensor):
            if id(getattr(Tensor, name)) not in functions:
                found[f"Tensor.{name}"] = getattr(Tensor, name)
    elif namespace == "methods":
        for kind, make in RECEIVERS.items():
            module, _, name = kind.rpartition(".")
            for method in methods(getattr(importlib.import_module(module), name)):
                found[f"{kind}.{method}"] = _bound(make, method)
    else:
        others = NAMESPACES[: NAMESPACES.index(namespace)]
        earlier = {id(value) for other in others for _, value in public(other)}
        for name, value in public(namespace):
            if id(value) not in earlier and inspect.getmodule(value) is not None:
                found[name] = value
    return {name: value for name, value in found.items() if name not in LEFT_OUT}


def _bound(make: Callable[[], Any], method: str) -> Callable[[], Callable]:
    return lambda: getattr(make(), method)
