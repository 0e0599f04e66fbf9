"""Module: an object whose attributes are parameters, buffers and other modules.

What stands in the attributes is all there is: the parameters and modules are read off from there,
so nothing needs to be registered, and reading an attribute is Python's own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from autodiff import Tensor, zeros
from autodiff.compiler import Wrapper, changed, recorder
from nn import state
from nn.hooks import Hooked
from nn.parameter import Buffer, Parameter


class Module(Hooked):
    """Base class of layers and models: parameters in `__init__`, the computation in `forward`.

    Modules and Parameters are found in attributes, then in attributes that are lists, tuples and
    dicts (with keys such as `layers.0.weight`). `super().__init__()` is not needed.

    >>> from autodiff import ones
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(ones(3))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training: bool = True
    """Whether in training mode, which a few modules ask for; see train() and eval()."""

    _persistent: Mapping[str, bool] = MappingProxyType({})
    """The names of the buffers, and whether each is part of the state."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = recorder()
        if trace is not None:
            trace.enter(self)
        result = None
        try:
            if self._hooks is None:
                result = self.forward(*args, **kwargs)
            else:
                result = self._hooks.call(self, args, kwargs)
            return result
        except Exception as error:
            _note_path(error, self)
            raise
        finally:
            if trace is not None:
                trace.leave(result)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation, which every module defines. Call the module, not this."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        if isinstance(old, _HELD) and value is not None and not isinstance(_within(value), _HELD):
            # Otherwise the attribute would silently cease to be trained.
            raise TypeError(
                f"{type(self).__name__}.{name} is a {type(old).__name__} and cannot become a "
                f"{type(value).__name__}: assign a Parameter, a Module or None, "
                "or write into a parameter with copy_() under no_grad()"
            )
        if name in self._persistent and not isinstance(value, Tensor | Module | None):
            raise TypeError(
                f"{type(self).__name__}.{name} is a buffer and cannot become a "
                f"{type(value).__name__}: assign a Tensor or None"
            )
        if isinstance(value, Buffer):
            self._note_buffer(name, value.persistent)
        super().__setattr__(name, value)
        changed()
        trace = recorder()
        if trace is not None and value is not old:
            trace.attribute_set(self, name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        changed()

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [*(extra.split("\n") if extra else ()), *self._child_lines()]
        if lines == [extra] or not lines:
            return f"{type(self).__name__}({extra})"
        return "\n".join([f"{type(self).__name__}(", *map(_indented, lines), ")"])

    def extra_repr(self) -> str:
        """The settings to show in the repr."""
        return ""

    def _child_lines(self) -> list[str]:
        return [f"({name}): {child!r}" for name, child in self._modules.items()]

    # What stands in the attributes

    @property
    def _parameters(self) -> Mapping[str, Parameter]:  # not to be written to: set attributes
        held = {name: value for name, value in _held(self) if isinstance(value, Parameter)}
        return MappingProxyType(held)

    @property
    def _modules(self) -> Mapping[str, "Module"]:
        held = {name: value for name, value in _held(self) if isinstance(value, Module)}
        return MappingProxyType(held)

    @property
    def _buffers(self) -> Mapping[str, Tensor]:
        held = {name: vars(self).get(name) for name in self._persistent}
        return MappingProxyType(
            {n: v for n, v in held.items() if v is not None and not isinstance(v, Parameter)}
        )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make `param` the attribute `name`; None says that there is none."""
        self._set_new(name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make `tensor` the attribute `name` and a buffer: converted with the module, not learned.

        persistent: whether it is part of the state_dict.
        """
        self._set_new(name, tensor, Tensor)
        self._note_buffer(name, persistent)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Make `module` the attribute `name`."""
        self._set_new(name, module, Module)

    register_module = add_module

    def _set_new(self, name: str, value: Any, kind: type) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"the name must not be empty or contain a dot, got {name!r}")
        if value is not None and not isinstance(_within(value), kind):
            given = type(value).__name__
            if isinstance(value, type):
                given = f"the class {value.__name__}: write {value.__name__}()"
            elif isinstance(value, list):
                given = "list: give what is in it one by one, as in Sequential(*modules)"
            raise TypeError(f"{name} must be a {kind.__name__} or None, got {given}")
        if not isinstance(_within(getattr(self, name, None)), kind | None):
            raise KeyError(f"{type(self).__name__} has another attribute {name!r} already")
        setattr(self, name, value)

    def _note_buffer(self, name: str, persistent: bool) -> None:
        super().__setattr__("_persistent", {**self._persistent, name: persistent})

    # Walking the tree

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it with their paths, each once unless told otherwise."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.named_modules(memo, _joined(prefix, name), remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly in this one with their names, each once."""
        return _once(self._modules.items())

    def children(self) -> Iterator["Module"]:
        """The modules directly in this one, each once."""
        return (child for _, child in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters here and below with their paths, each once unless told otherwise."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters here and below, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers here and below with their paths, each once unless told otherwise."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers here and below, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(
        self, what: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        modules: Iterable = [(prefix, self)]
        if recurse:
            modules = self.named_modules(None, prefix, remove_duplicate)
        found = (
            (_joined(path, name), value)
            for path, module in modules
            for name, value in getattr(module, what).items()
        )
        return _once(found) if remove_duplicate else found

    def get_submodule(self, target: str) -> "Module":
        """The module at a path such as "encoder.layers.0". Raises: AttributeError."""
        return self._at(target, "module", self.named_modules(remove_duplicate=False))

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path. Raises: AttributeError."""
        return self._at(target, "parameter", self.named_parameters(remove_duplicate=False))

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path. Raises: AttributeError."""
        return self._at(target, "buffer", self.named_buffers(remove_duplicate=False))

    def _at(self, target: str, what: str, named: Iterable[tuple[str, Any]]) -> Any:
        values = dict(named)
        if target not in values:
            there = ", ".join(filter(None, values)) or "none"
            raise AttributeError(f"{type(self).__name__} has no {what} {target!r}, but: {there}")
        return values[target]

    # Doing something to all of it

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Call `fn` on every module below this one, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below."""
        if not isinstance(mode, bool):
            raise ValueError(f"train() takes True or False, got {mode!r}")
        if self.training is not mode:  # so that a step to be compiled may say train() each time
            self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(False)

    def cuda(self, device: Any = None) -> Self:
        """Refused: there is the CPU alone."""
        return self.to("cuda")

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let all parameters be learned, or none."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif (gradient := parameter.grad) is not None:
                if gradient.requires_grad:
                    gradient.detach_()
                gradient.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        """Convert parameters, their gradients and buffers; they stay the same objects."""
        for tensor in (*self.parameters(), *self.buffers()):
            gradient, tensor.grad = tensor.grad, None
            tensor.data = fn(tensor.detach())
            if gradient is not None:
                tensor.grad = fn(gradient.detach())
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert the floating parameters and buffers; takes what Tensor.to takes.

        Raises: TypeError if the dtype is not a floating one.
        """
        target = zeros(0).to(*args, **kwargs).dtype
        if not target.is_floating_point:
            raise TypeError(f"a module converts to floating dtypes only, got {target}")
        return self._apply(lambda t: t.to(*args, **kwargs) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Convert the floating parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Convert the floating parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Self:
        """Convert the floating parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Self:
        """This module, which is on the CPU already."""
        return self

    # State

    def get_extra_state(self) -> Any:
        """What to save besides tensors; define it together with set_extra_state()."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take back what get_extra_state() gave."""
        raise NotImplementedError(f"{type(self).__name__} does not define set_extra_state()")

    @property
    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

    def _state(self) -> dict[str, Tensor]:
        """The parameters and persistent buffers of this module alone."""
        buffers = {n: b for n, b in self._buffers.items() if self._persistent[n]}
        return {**self._parameters, **buffers}

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers here and below by path, off the tape, memory shared.

        destination: a dict to add to; keep_vars: give the parameters themselves.
        """
        destination = {} if destination is None else destination
        for hook in self._hooks.state_dict_pre.values() if self._hooks else ():
            hook(self, prefix, keep_vars)
        for name, tensor in self._state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._has_extra_state:
            destination[prefix + state.EXTRA] = self.get_extra_state()
        for name, child in self._modules.items():
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
        for hook in self._hooks.state_dict_post.values() if self._hooks else ():
            hook(self, destination, prefix, {})
        return destination

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Write tensors or arrays into the parameters and buffers of the same paths; all or none.

        strict: refuse missing and unexpected keys. assign: take over the tensors' memory, and with
        it their dtype, instead of copying.

        Raises: RuntimeError that lists everything that does not fit; then nothing was written.
        """
        return state.load(self, state_dict, strict, assign)


_HELD = (Parameter, Module)
_CONTAINERS = (list, tuple, dict)


def _held(module: Module) -> Iterator[tuple[str, Any]]:
    """The Parameters and Modules in the attributes, then those in lists, tuples and dicts."""
    containers = []
    for name, value in vars(module).items():
        value = _within(value)
        if isinstance(value, _HELD):
            yield name, value
        elif isinstance(value, _CONTAINERS):
            containers.append((name, value))
    for name, value in containers:
        yield from _held_in(name, value, ())


def _held_in(path: str, container: Any, outer: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    outer = (*outer, id(container))
    for key, value in items:
        value = _within(value)
        if isinstance(value, _HELD):
            yield f"{path}.{key}", value
        elif isinstance(value, _CONTAINERS) and id(value) not in outer:
            yield from _held_in(f"{path}.{key}", value, outer)


def is_module(value: Any) -> bool:
    """Whether this is a module, or one that was compiled."""
    return isinstance(_within(value), Module)


def _within(value: Any) -> Any:
    """The module that was compiled; anything else as it is."""
    return value.function if isinstance(value, Wrapper) else value


def _once(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _indented(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")


def _note_path(error: Exception, module: Module) -> None:
    """Say in one note on `error` where in the model it arose; each module adds its step."""
    if not hasattr(error, "_arose_in"):
        note = f"in {type(module).__name__}"
        error._arose_in = module, "", type(module).__name__, note  # type: ignore[attr-defined]
        error.add_note(note)
        return
    below, path, kind, old = error._arose_in
    name = next((name for name, m in module.named_modules() if m is below), None)
    if not name:
        return
    path = _joined(name, path)
    note = f"in {path} ({kind})"
    error._arose_in = module, path, kind, note
    error.__notes__[error.__notes__.index(old)] = note
