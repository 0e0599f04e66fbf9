"""Loading a module's state: all of it is checked before any of it is written."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from autodiff import Tensor, from_numpy, no_grad

EXTRA = "_extra_state"
"""The key of what get_extra_state() gives."""


class IncompatibleKeys(NamedTuple):
    """Keys that a module has and the state lacked, and keys it has no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"


def load(module: Any, state: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Write `state` into `module` and the modules below it; see Module.load_state_dict."""
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict needs a dict of tensors, got {type(state).__name__}")
    state = dict(state)
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    modules = [
        (f"{path}." if path else "", below)
        for path, below in module.named_modules(remove_duplicate=False)
    ]
    for prefix, below in modules:
        for hook in below._hooks.load_pre.values() if below._hooks else ():
            hook(below, state, prefix, {}, strict, missing, unexpected, errors)

    targets = {p + name: t for p, below in modules for name, t in below._state().items()}
    extra = {p + EXTRA: below for p, below in modules if below._has_extra_state}
    missing += [key for key in (*targets, *extra) if key not in state]
    unexpected += [key for key in state if key not in targets and key not in extra]
    values = {}
    for key, target in targets.items():
        if key in state:
            try:
                values[key] = _fitting(state[key], target, assign)
            except (TypeError, ValueError) as error:
                errors.append(f"{key}: {error}")
    keys = IncompatibleKeys(missing, unexpected)
    for _, below in modules:
        if below._hooks and not errors:
            for hook in below._hooks.load_post.values():
                hook(below, keys)
    if strict and missing:
        errors.append(f"missing keys: {', '.join(missing)}")
    if strict and unexpected:
        errors.append(f"unexpected keys: {', '.join(map(str, unexpected))}")
    if errors:
        raise RuntimeError(
            f"the state does not fit {type(module).__name__}; nothing was loaded:\n    "
            + "\n    ".join(errors)
        )

    for key, below in extra.items():
        if key in state:
            below.set_extra_state(state[key])
    with no_grad():
        for key, value in values.items():
            if assign:
                targets[key].data = value
            else:
                targets[key].copy_(value)
    return keys


def _fitting(value: Any, target: Tensor, assign: bool) -> Tensor:
    """`value` as a tensor for the target, which can take it. Raises: TypeError, ValueError."""
    value = value.detach() if isinstance(value, Tensor) else from_numpy(np.asarray(value))
    if value.shape != target.shape:
        raise ValueError(f"shape {tuple(value.shape)} in the state, {tuple(target.shape)} here")
    if assign and target.requires_grad and not value.is_floating_point():
        raise TypeError(f"{value.dtype} in the state, but what requires grad is of floats")
    array = target.detach().numpy()
    if not assign and not (array.flags.writeable and _apart(array)):
        raise ValueError("elements lie at the same place, or the memory is read-only; hold a clone")
    return value


def _apart(array: np.ndarray) -> bool:
    """Whether no element is repeated, as in an expanded tensor."""
    strides = zip(array.strides, array.shape, strict=True)
    return not array.size or all(stride or n == 1 for stride, n in strides)
