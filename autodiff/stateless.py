"""Modules as functions of their parameters, as in torch.func.

Modules are taken for what they offer, `named_parameters()` and the like: this package does not know
the class.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from autodiff import versions
from autodiff.composed.shape import stack
from autodiff.tensor import Tensor, taken


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with the given tensors in place of its parameters and buffers.

    parameter_and_buffer_dicts: tensors by the module's names, or several such dicts of different
        names. args: a tuple of arguments, or the only one. tie_weights: whether what the module
        holds under several names is replaced under all. strict: whether all must be replaced.
    Writing to a tensor in the module writes to the one given; an assigned one is put in its dict.

    Raises: ValueError if a name comes twice, or tied tensors get different ones; KeyError if the
        module has no such name; TypeError if what has it or what is given is no tensor;
        RuntimeError if `strict` and some are missing.
    """
    given: Sequence[Any] = [parameter_and_buffer_dicts]
    if isinstance(parameter_and_buffer_dicts, (list, tuple)):
        given = parameter_and_buffer_dicts
    for tensors in given:
        if not isinstance(tensors, Mapping):
            raise ValueError(
                "functional_call takes a dict of tensors by their names, or a sequence of dicts, "
                f"got {type(tensors).__name__}"
            )
    if not hasattr(module, "named_parameters"):
        raise TypeError(f"functional_call takes a Module, got {type(module).__name__}")
    names = [name for tensors in given for name in tensors]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"functional_call: {', '.join(twice)} stands in several dicts")
    new = {name: tensor for tensors in given for name, tensor in tensors.items()}
    own = dict(module.named_parameters(remove_duplicate=False))
    own |= dict(module.named_buffers(remove_duplicate=False))
    if strict and (missing := sorted(own.keys() - new.keys())):
        raise RuntimeError(f"functional_call: no tensors for {', '.join(missing)}, and strict=True")
    if strict and (unknown := sorted(new.keys() - own.keys())):
        raise RuntimeError(f"functional_call: the module has no {', '.join(unknown)}")
    if tie_weights:
        new = _tied(own, new)
    places = {name: _place(module, name) for name in new}
    before = {name: holder[key] for name, (holder, key) in places.items()}
    for name, old in before.items():
        for what, value in ("given", new[name]), ("in the module", old):
            if not isinstance(value, Tensor | None):
                raise TypeError(
                    "functional_call puts Tensors in place of parameters and buffers; "
                    f"{name} {what} is of {type(value).__name__}"
                )
    taken("functional_call()")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    versions.changes += 1
    try:
        for name, (holder, key) in places.items():
            holder[key] = new[name]
        return module(*args, **(kwargs or {}))
    finally:
        after = {name: _put_back(*places[name], old) for name, old in before.items()}
        versions.changes += 1
        for tensors in given:
            for name in tensors:
                if after[name] is not None and after[name] is not new[name]:
                    tensors[name] = after[name]


def _tied(own: dict[str, Tensor], new: dict[str, Tensor]) -> dict[str, Tensor]:
    """`new` with all names of the tensors that are replaced."""
    found = dict(new)
    for name, tensor in own.items():
        values = {id(new[n]): new[n] for n, t in own.items() if t is tensor and n in new}
        if len(values) > 1:
            names = [n for n, t in own.items() if t is tensor]
            raise ValueError(
                f"functional_call: {', '.join(names)} are one tensor in the module, and got "
                "several; use tie_weights=False if that is meant"
            )
        found.update(dict.fromkeys([name] if values else [], *values.values()))
    return found


def _place(module: Any, path: str) -> tuple[Any, Any]:
    """The dict or list that holds what has this name, and its key there."""
    first, *rest = path.split(".")
    holder: Any = _attributes(module, first)
    key: Any = first
    for part in rest:
        child = _child(holder, key, path)
        holder = child if isinstance(child, (dict, list)) else _attributes(child, part)
        key = int(part) if isinstance(holder, list) else part
    _child(holder, key, path)
    return holder, key


def _attributes(module: Any, name: str) -> dict[str, Any]:
    """The attributes of a module, or of the one in it, if it was compiled."""
    found = vars(module)
    return vars(found["function"]) if name not in found and "function" in found else found


def _child(holder: Any, key: Any, path: str) -> Any:
    try:
        return holder[key]
    except (KeyError, IndexError):
        raise KeyError(f"functional_call: the module has no {path}") from None


def _put_back(holder: Any, key: Any, old: Any) -> Any:
    """Put what was there before in its place, and return what was there now, None for nothing."""
    if isinstance(holder, dict):
        now = holder.get(key)
        holder[key] = old
        return now
    now = holder[key : key + 1]
    holder[key : key + 1] = [old]  # also at the end of a list that has become shorter
    return now[0] if now else None


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of models of one class, each stacked along a new first axis.

    For vmap over functional_call: the models as one. Raises: RuntimeError if there are none, or
    they differ in class, mode or in whether a parameter requires grad.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state needs at least one model, got 0")
    for m in models:
        if not hasattr(m, "named_parameters"):
            raise TypeError(f"stack_module_state takes Modules, got {type(m).__name__}")
    if len({type(m) for m in models}) > 1 or len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: the models must be of one class and in one mode")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: _stacked(name, [state[name] for state in parameters]) for name in parameters[0]},
        {name: _stacked(name, [state[name] for state in buffers]) for name in buffers[0]},
    )


def _stacked(name: str, tensors: list[Tensor]) -> Tensor:
    wanted = {t.requires_grad for t in tensors}
    if len(wanted) > 1:
        raise RuntimeError(f"stack_module_state: {name} requires grad in some of the models alone")
    stacked = stack([t.detach() for t in tensors])
    return stacked.requires_grad_() if True in wanted else stacked
