"""The optimiser's bookkeeping: parameter groups, state, and saving both."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from autodiff import Tensor, enable_grad, tensor
from autodiff.compiler import changed, guard, recorder


class Optimizer:
    """Base of the optimisers: a subclass says what one step does to one parameter.

    params: parameters, or dicts with "params" and options of their own (parameter groups).
    defaults: the options of groups that do not give them.

    A subclass defines `update(pairs, options)`: given the parameters of a group that have a
    gradient, each with it, and the group, it writes their new values, and what it keeps of each
    in `self.state[p]`, with `overwrite`.
    """

    def __init__(self, params: Iterable, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params must be an iterable of Tensors or of dicts, got one Tensor")
        groups = list(params)
        if not groups:
            raise ValueError("the optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = _State(dict)
        self.param_groups: list[dict[str, Any]] = []
        self.programs: dict[Any, Any] = {}  # compiled updates, see autodiff.overwrite
        for group in groups:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "programs": {}}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        changed()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise further parameters: a dict with "params" and options of their own.

        Raises: TypeError if they are no Tensors; ValueError if one is computed rather than a leaf,
            or already there.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"a parameter group must be a dict, got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError("parameters need an order: give a list, not a set")
        params = [params] if isinstance(params, Tensor) else list(params)
        taken = {id(p) for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"an optimizer takes Tensors, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    "an optimizer takes leaf tensors, got a computed one of shape "
                    f"{tuple(p.shape)}; use .detach().requires_grad_() to make a leaf of it"
                )
            if id(p) in taken:
                raise ValueError(
                    f"a parameter of shape {tuple(p.shape)} appears twice; give each only once"
                )
            taken.add(id(p))
        self.param_groups.append({**self.defaults, **param_group, "params": params})
        changed()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        closure: computes the loss and its gradients first; its result is returned.
        """
        guard(lambda: (id(self.state), list(map(id, self.param_groups))))
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            pairs = [(p, g) for p in group["params"] if (g := p.grad) is not None]
            if pairs:
                self.update(pairs, group)
        if recorder():
            guard(lambda: list(map(id, self.state.values())))
            for group in self.param_groups:
                identities = partial(_identities, group)
                guard(identities)  # of a list that was written to
                guard(identities, group)  # of another list
        return loss

    def update(self, pairs: list[tuple[Tensor, Tensor]], options: dict[str, Any]) -> None:
        """Make one step of parameters of one group, given with their gradients."""
        raise NotImplementedError(f"{type(self).__name__} does not define update()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach().zero_()

    def state_dict(self) -> dict[str, Any]:
        """State and options, with the parameters' positions in their place, as PyTorch's."""
        position = {
            p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])
        }
        groups = [
            {**group, "params": [position[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            position[p]: {k: _stored(k, v) for k, v in values.items()}
            for p, values in self.state.items()
            if values
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, here or in PyTorch; all of it or nothing.

        Raises: ValueError if groups or parameters differ in number, or state in shape.
        """
        sizes = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in state_dict["param_groups"]]
        if sizes != given:
            raise ValueError(
                f"the state dict has parameter groups of {given} parameters, "
                f"the optimizer of {sizes}"
            )
        keys = [k for group in state_dict["param_groups"] for k in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        owner = dict(zip(keys, params, strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = _State(dict)
        for key, values in state_dict["state"].items():
            p = owner[key]
            state[p] = {k: _restored(k, v, p) for k, v in values.items()}
        groups = [
            {**group, **new, "params": group["params"]}
            for group, new in zip(self.param_groups, state_dict["param_groups"], strict=True)
        ]
        self.state, self.param_groups = state, groups
        changed()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])


class _State(defaultdict):
    """State by parameter, which a compiled step relies on."""

    def __setitem__(self, p: Tensor, values: dict[str, Any]) -> None:
        super().__setitem__(p, values)
        changed()

    def __delitem__(self, p: Tensor) -> None:
        super().__delitem__(p)
        changed()

    def pop(self, *args: Any) -> Any:
        """See dict.pop."""
        changed()
        return super().pop(*args)

    def clear(self) -> None:
        """See dict.clear."""
        super().clear()
        changed()


def _identities(group: dict[str, Any]) -> list[int]:
    return list(map(id, group["params"]))


def _stored(key: str, value: Any) -> Any:
    """PyTorch keeps the number of steps as a tensor."""
    return tensor(float(value)) if key == "step" else value


def _restored(key: str, value: Any, p: Tensor) -> Any:
    if key == "step":
        return int(value)
    if value is None:
        return None
    value = tensor(value if isinstance(value, Tensor) else np.asarray(value), dtype=p.dtype)
    if value.shape != p.shape:
        raise ValueError(
            f"{key} of shape {tuple(value.shape)} does not fit its parameter of shape "
            f"{tuple(p.shape)}"
        )
    return value


def non_negative(**options: float | Tensor) -> None:
    """Raises: ValueError naming the first option below 0."""
    for name, value in options.items():
        if not float(value) >= 0.0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
