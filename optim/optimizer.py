"""The optimiser's bookkeeping: parameter groups, state, and saving both."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from autodiff import Tensor, enable_grad, tensor
from autodiff.compiler import changed, guard, recorder
from optim.hooks import Hooked, hooked


class Optimizer(Hooked):
    """Base of the optimisers: a subclass says what one step does to the parameters.

    params: parameters, pairs of names and parameters, or dicts with "params" and options of their
        own (parameter groups).
    defaults: the options of groups that do not give them.

    A subclass defines `update(pairs, options)`: given the parameters of a group that have a
    gradient, each with it, and the group, it writes their new values, and what it keeps of each
    in `self.state[p]`. Or it defines `step(closure)`, as in PyTorch, which is never compiled.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = hooked(cls.step, records=False)  # type: ignore[method-assign]

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
        return {**vars(self), "programs": {}, "_hooks": None}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        changed()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise further parameters: a dict with "params" and options of their own.

        Raises: TypeError if they are no Tensors; ValueError if one is computed rather than a leaf
            (and the options do not say differentiable), or already there, or if only some have
            names.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"a parameter group must be a dict, got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError("parameters need an order: give a list, not a set")
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [p[0] for p in params if isinstance(p, tuple)]
        if names:
            if len(names) != len(params):
                raise ValueError("give all parameters a name, or none")
            params = [p for _, p in params]
            param_group = {**param_group, "param_names": names}
        named = {"param_names" in group for group in (*self.param_groups, param_group)}
        if len(named) > 1:
            raise ValueError("give the parameters of all groups names, or of none")
        computed = self.defaults.get("differentiable", False)
        taken = {id(p) for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"an optimizer takes Tensors, got {type(p).__name__}")
            if not (p.is_leaf or p.retains_grad or computed):
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

    @hooked
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
        for hook in self._hooks.state_dict_pre.values() if self._hooks else ():
            hook(self)
        position = {
            p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])
        }
        groups = [
            {**group, "params": [position[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            position[p]: {k: self._stored(k, v) for k, v in values.items()}
            for p, values in self.state.items()
            if values
        }
        result = {"state": state, "param_groups": groups}
        for hook in self._hooks.state_dict_post.values() if self._hooks else ():
            changed_result = hook(self, result)
            result = result if changed_result is None else changed_result
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, here or in PyTorch; all of it or nothing.

        Raises: ValueError if groups or parameters differ in number, or state in shape.
        """
        for hook in self._hooks.load_pre.values() if self._hooks else ():
            state_dict = dict(state_dict)
            changed_dict = hook(self, state_dict)
            state_dict = state_dict if changed_dict is None else changed_dict
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
            state[p] = {k: self._restored(k, v, p) for k, v in values.items()}
        groups = [
            {**group, **deepcopy(new), "params": group["params"]}
            for group, new in zip(self.param_groups, state_dict["param_groups"], strict=True)
        ]
        self.state, self.param_groups = state, groups
        changed()
        for hook in self._hooks.load_post.values() if self._hooks else ():
            hook(self)

    def _stored(self, key: str, value: Any) -> Any:
        """What a state dict has in place of a value of the state."""
        return value

    def _restored(self, key: str, value: Any, p: Tensor) -> Any:
        """The value for the state of parameter p that a state dict has; tensors as p's dtype."""
        if isinstance(value, dict):
            return {k: self._restored(k, v, p) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self._restored(key, v, p) for v in value])
        if not isinstance(value, Tensor | np.ndarray) and not hasattr(value, "detach"):
            return deepcopy(value)
        value = value if isinstance(value, Tensor) else tensor(np.asarray(value))
        cast = key != "step" and p.is_floating_point()
        return value.detach().clone().to(p.dtype if cast else value.dtype)

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


def non_negative(**options: float | Tensor) -> None:
    """Raises: ValueError naming the first option below 0, or a tensor of several numbers."""
    for name, value in options.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"{name} must be one number, got shape {tuple(value.shape)}")
        if not float(value) >= 0.0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
