"""Parameters and buffers that are computed from others, by modules."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autodiff import Tensor, no_grad
from autodiff.compiler import recorder
from nn.container import ModuleDict, ModuleList
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.computed import Computed, compute, original_class, stop_computing

__all__ = (
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
)


class ParametrizationList(ModuleList):
    """The modules that a tensor is computed with, in a row, and what it is computed from.

    That is `original`, or `original0`, `original1` … where the first module takes several tensors.
    Calling it computes.
    """

    is_tensor: bool
    """Whether there is one original, which right_inverse() does not give in a sequence."""

    ntensors: int
    """How many originals there are."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        if not len(self):
            raise ValueError("ParametrizationList needs one module or more")
        self.unsafe = unsafe
        with no_grad():
            found = original
            for module in reversed(self):
                found = _inverse(module, found)
            self.is_tensor = isinstance(found, Tensor)
            values = _as_tensors(found)
            self.ntensors = len(values)
            if self.is_tensor:
                _check_dtype(found, original, "right_inverse of a parametrization")
            if not unsafe:
                _check_same(self._computed_from(values), original, "a parametrization")
            if self.is_tensor:
                _write(original, found)
                _register(self, "original", original)
                return
            for i, value in enumerate(values):
                if isinstance(original, Parameter):
                    value = Parameter(value.detach(), original.requires_grad)
                _register(self, f"original{i}", value)

    def forward(self) -> Tensor:
        return self._computed_from(self._originals())

    def _originals(self) -> list[Tensor]:
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    def _computed_from(self, originals: Sequence[Tensor]) -> Any:
        first, *others = self
        value = first(*originals)
        for module in others:
            value = module(value)
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Write into the originals what `value` is computed from; all or none.

        Raises: RuntimeError if a module does not define right_inverse(); ValueError if what one
            gives does not fit the originals.
        """
        with no_grad():
            found: Any = value
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"{type(module).__name__} does not define right_inverse(), so what it "
                        "computes cannot be assigned to"
                    )
                found = module.right_inverse(found)
            values, originals = _as_tensors(found), self._originals()
            if isinstance(found, Tensor) != self.is_tensor or len(values) != self.ntensors:
                got = "a tensor" if isinstance(found, Tensor) else f"{len(values)} in a sequence"
                raise ValueError(
                    f"right_inverse must give {'a' if self.is_tensor else self.ntensors} "
                    f"tensor{'' if self.is_tensor else 's in a sequence'}, as before; got {got}"
                )
            for new, original in zip(values, originals):
                _check_dtype(new, original, "right_inverse of a parametrization")
            for new, original in zip(values, originals):
                _write(original, new)


class _Cache(threading.local):
    """What was computed since the outermost cached() began."""

    depth = 0

    def __init__(self) -> None:
        self.values: dict[tuple, Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once, when it is first read, until the end of the block."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values.clear()


def _lists(module: Any) -> ModuleDict:
    """For each parametrized tensor of a module its ParametrizationList."""
    return module.parametrizations


def _get(module: Any, name: str) -> Tensor:
    parametrization: Any = getattr(_lists(module), name)
    if not _cache.depth:
        return parametrization()
    # A step that is recorded computes its own, as its later runs must.
    key = recorder(), id(module), name
    if key not in _cache.values:
        _cache.values[key] = parametrization()
    return _cache.values[key]


def _set(module: Any, name: str, value: Tensor) -> None:
    getattr(_lists(module), name).right_inverse(value)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let module.weight, say, be parametrization(module.weight): computed whenever it is read.

    The tensor itself becomes `module.parametrizations.weight.original`, and stays the parameter
    that is learned. If the parametrization defines right_inverse(), its value there is what that
    makes of the tensor; if that is a sequence of tensors they become `original0`, `original1` …,
    new parameters, which are the arguments of the parametrization. Where all parametrizations of a
    tensor define it, the tensor can be assigned to. Further parametrizations are applied to what
    the earlier ones give. unsafe: the shape and dtype may change.

    Raises: ValueError if there is no such tensor, or the parametrization gives no tensor of its
        shape and dtype; then the module is as before.

    >>> from nn import Linear
    >>> class Positive(Module):
    ...     def forward(self, x):
    ...         return x.exp()
    ...     def right_inverse(self, y):
    ...         return y.abs().log()
    >>> layer = register_parametrization(Linear(3, 2), "weight", Positive())
    >>> bool((layer.weight > 0).all())
    True
    """
    for given in (module, parametrization):
        if not isinstance(given, Module):
            raise TypeError(f"register_parametrization takes Modules, got {type(given).__name__}")
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        already: Any = getattr(_lists(module), tensor_name)
        if not unsafe:
            with no_grad():
                before = getattr(module, tensor_name)
                after = parametrization(before)
                _check_same(after, before, "a parametrization")
                _check_same(_inverse(parametrization, after), before, "right_inverse")
        already.append(parametrization)
        already.unsafe |= unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"{type(module).__name__} has no parameter and no buffer {tensor_name!r} to parametrize"
        )
    held = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
    if not is_parametrized(module):
        module.add_module("parametrizations", ModuleDict())
    delattr(module, tensor_name)
    _lists(module).add_module(tensor_name, held)
    compute(module, tensor_name, Computed(_get, _set, "Parametrized"))
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of this name, or any, is computed by parametrizations."""
    held = getattr(module, "parametrizations", None)
    if not isinstance(held, ModuleDict):
        return False
    return bool(held) if tensor_name is None else tensor_name in held


def type_before_parametrizations(module: Module) -> type:
    """The class of a module before it was parametrized."""
    return original_class(module) if is_parametrized(module) else type(module)


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Let a tensor be a parameter or buffer again.

    Its value is the one that is computed now, or that of `original` if not leave_parametrized. A
    single original stays the same object; otherwise it is a new parameter.

    Raises: ValueError if the tensor is not parametrized, or the originals are several and one of
        them is asked for.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{type(module).__name__} has no parametrization of {tensor_name!r}")
    held: Any = getattr(_lists(module), tensor_name)
    if not (held.is_tensor or leave_parametrized):
        raise ValueError(
            f"{tensor_name!r} is computed from {held.ntensors} tensors, so it cannot become the "
            "original again: pass leave_parametrized=True"
        )
    value = getattr(module, tensor_name) if leave_parametrized else held.original
    if held.is_tensor:
        with no_grad():
            _write(held.original, value)
        value = held.original
    elif value.requires_grad:
        value = Parameter(value.detach())
    stop_computing(module, tensor_name)
    del _lists(module)[tensor_name]
    if not _lists(module):
        delattr(module, "parametrizations")
    _register(module, tensor_name, value)
    return module


def _inverse(module: Module, value: Any) -> Any:
    """What right_inverse() of a module gives, which is the identity where it is not defined."""
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


def _as_tensors(value: Any) -> Sequence[Tensor]:
    values = [value] if isinstance(value, Tensor) else value
    if not isinstance(values, Sequence) or not all(isinstance(v, Tensor) for v in values):
        raise ValueError(
            f"right_inverse must give a tensor or a sequence of them, got {type(value).__name__}"
        )
    return values


def _check_dtype(new: Any, old: Tensor, what: str) -> None:
    if new.dtype != old.dtype:
        raise ValueError(f"{what} must keep the dtype {old.dtype}, got {new.dtype}")


def _check_same(new: Any, old: Tensor, what: str) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(f"{what} must give a tensor, got {type(new).__name__}")
    if (new.dtype, new.shape) != (old.dtype, old.shape):
        raise ValueError(
            f"{what} must keep the dtype and shape, {old.dtype} {tuple(old.shape)}, unless "
            f"unsafe=True; got {new.dtype} {tuple(new.shape)}"
        )


def _write(tensor: Tensor, value: Tensor) -> None:
    """Let `tensor` hold `value`, which may have another shape."""
    if tensor.shape == value.shape:
        tensor.copy_(value)
    else:
        tensor.data = value.detach()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)
