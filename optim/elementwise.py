"""What optimisers share whose update treats each element of a parameter alone."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

import autodiff
from autodiff import (
    Tensor,
    enable_grad,
    float64,
    get_default_dtype,
    tensor,
    zeros_like,
)
from autodiff.compiler import guard, recorder
from optim.optimizer import Optimizer

Rule = tuple[Callable[..., tuple], Callable[..., tuple[float, ...]], tuple[str, ...]]


class Elementwise(Optimizer):
    """Base of optimisers with one pure rule, on arrays of the shape of a parameter.

    A subclass defines rule(options), which gives
        a function (p, *kept, g, *numbers, **form) -> (new p, *new kept), plain NumPy;
        a function (states, options) -> the numbers in the next step of parameters with these
            states, in all of which it counts the step; one of a module, so that it is exported;
        the names of what is kept;
    and form(options), unless it suits: the keywords that decide what operations the rule makes.
    """

    counts: tuple[str, ...] = ("step",)
    """What the state has as numbers. Parameters where they are equal make their step together."""

    def rule(self, options: dict[str, Any]) -> Rule:
        """How a step is made with these options."""
        raise NotImplementedError(f"{type(self).__name__} does not define rule()")

    @staticmethod
    def form(options: dict[str, Any]) -> dict[str, Any]:
        """The keywords of the rule: what gradient() takes."""
        return {
            "ascends": bool(options["maximize"]),
            "decays": options.get("weight_decay", 0) != 0,
        }

    def first(self, name: str, p: Tensor, options: dict[str, Any]) -> Any:
        """What the state of parameter p has under this name before the first step."""
        return 0 if name == "step" else zeros_like(p)

    def update(self, pairs: list[tuple[Tensor, Tensor]], options: dict[str, Any]) -> None:
        """Make one step of parameters of one group, given with their gradients."""
        rule, numbers, kept = guard(lambda: self.rule(options), watched=options)
        names, many = (*kept, *self.counts), len(kept)
        values_of = itemgetter(*names)
        alike: dict[tuple, tuple[list, list]] = {}  # rows and states, by what was counted
        for p, g in pairs:
            state = self.state[p]
            try:
                values = values_of(state)
            except KeyError:
                for name in names:
                    if name not in state:
                        state[name] = self.first(name, p, options)
                values = values_of(state)
            rows, states = alike.setdefault(values[many:], ([], []))
            rows.append(((p, *values[:many]), (g,)))
            states.append(state)
        for rows, states in alike.values():
            if recorder():  # another step may have updated a part of them
                guard(partial(_alike, states, self.counts), each_run=True)
            self.write(rows, rule, partial(numbers, states), options)

    def write(
        self,
        rows: list[tuple[tuple, tuple]],
        rule: Callable[..., tuple],
        numbers: Callable[[dict[str, Any]], tuple],
        options: dict[str, Any],
    ) -> None:
        """Replace the tensors of each row (tensors, inputs) by rule(*tensors, *inputs, *numbers).

        With differentiable among the options that is recorded, as an operation in place.
        """
        if not options["differentiable"]:
            autodiff.overwrite(rows, rule, numbers, self.form, options, self.programs)
            return
        if trace := recorder():
            trace.refuse("a differentiable optimizer makes its steps eagerly")
        values, form = numbers(options), self.form(options)
        with enable_grad():
            for tensors, inputs in rows:
                for t, new in zip(tensors, rule(*tensors, *inputs, *values, **form), strict=True):
                    t.copy_(new)

    def _stored(self, key: str, value: Any) -> Any:
        """What is counted is a tensor in PyTorch."""
        return tensor(float(value)) if key in self.counts else value

    def _restored(self, key: str, value: Any, p: Tensor) -> Any:
        if key in self.counts:
            return int(value) if key == "step" else float(value)
        if value is None:
            return None
        value = tensor(value if isinstance(value, Tensor) else np.asarray(value), dtype=p.dtype)
        if value.shape != p.shape:
            raise ValueError(
                f"{key} of shape {tuple(value.shape)} does not fit its parameter of shape "
                f"{tuple(p.shape)}"
            )
        return value


def _alike(states: list[dict[str, Any]], counts: tuple[str, ...]) -> bool:
    """Whether parameters with these states have counted the same."""
    return all(len({state[name] for state in states}) == 1 for name in counts)


def keep(states: list[dict[str, Any]], **counted: float) -> None:
    """Set what is counted in all of the states."""
    for name, value in counted.items():
        for state in states:
            state[name] = value


def count(states: list[dict[str, Any]]) -> int:
    """The number of the step that is made now, from 1."""
    t = states[0]["step"] + 1
    keep(states, step=t)
    return t


def as_saved(number: float, precise: bool) -> float:
    """The number as a state dict has it, in float32 if not precise: PyTorch computes with that."""
    return number if precise else float(np.float32(number))


def is_precise() -> bool:
    """Whether state dicts have numbers in float64: in the default dtype, as in PyTorch."""
    return get_default_dtype() is float64


def gradient(p: Any, g: Any, weight_decay: float, decays: bool, ascends: bool) -> Any:
    """The gradient to descend, with the weight decay that is a part of it."""
    if ascends:
        g = -g
    return g + weight_decay * p if decays else g


def decoupled_form(options: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a rule whose weight decay may be apart from the gradient (`shrinks`)."""
    decays, decoupled = options["weight_decay"] != 0, bool(options["decoupled_weight_decay"])
    return {
        "ascends": bool(options["maximize"]),
        "decays": decays and not decoupled,
        "shrinks": decays and decoupled,
    }


def decay_number(lr: float, options: dict[str, Any]) -> float:
    """What such a rule multiplies p with: to add it to g, or to shrink it."""
    decay = options["weight_decay"]
    return 1.0 - lr * decay if options["decoupled_weight_decay"] else decay


def check_betas(betas: tuple[float, float]) -> None:
    """Raises: ValueError if they are not two numbers of [0, 1)."""
    if len(betas) != 2 or not all(0.0 <= float(beta) < 1.0 for beta in betas):
        raise ValueError(f"betas must be two numbers in [0, 1), got {betas}")
