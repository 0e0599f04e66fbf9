"""Hooks of a module: the user's functions that see what goes into it and what comes out."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from autodiff import Tensor, is_grad_enabled
from autodiff.compiler import guard
from autodiff.utils.hooks import RemovableHandle


class Hooks:
    """The hooks of one module: by kind, then by the number of their handle."""

    def __init__(self) -> None:
        self.forward_pre: OrderedDict = OrderedDict()  # (hook, whether it takes keywords)
        self.forward: OrderedDict = OrderedDict()  # likewise
        self.backward_pre: OrderedDict = OrderedDict()
        self.backward: OrderedDict = OrderedDict()
        self.state_dict_pre: OrderedDict = OrderedDict()
        self.state_dict_post: OrderedDict = OrderedDict()
        self.load_pre: OrderedDict = OrderedDict()
        self.load_post: OrderedDict = OrderedDict()

    def _around_forward(self) -> tuple:
        """Which hooks there are around forward and backward, by their numbers."""
        return tuple(
            tuple(hooks)
            for hooks in (self.forward_pre, self.forward, self.backward_pre, self.backward)
        )

    def call(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What module.forward(...) gives, with the hooks around it."""
        guard(self._around_forward)
        for hook, takes_kwargs in tuple(self.forward_pre.values()):
            if takes_kwargs:
                result = hook(module, args, kwargs)
                if result is not None:
                    args, kwargs = result
            else:
                result = hook(module, args)
                if result is not None:
                    args = _as_tuple(result)
        gradients_out: tuple = ()

        def at_inputs(gradients: tuple) -> tuple:
            for hook in tuple(self.backward.values()):
                result = hook(module, gradients, gradients_out)
                if result is not None:
                    gradients = _as_tuple(result)
            return gradients

        def at_outputs(gradients: tuple) -> tuple:
            nonlocal gradients_out
            for hook in tuple(self.backward_pre.values()):
                result = hook(module, gradients)
                if result is not None:
                    gradients = _as_tuple(result)
            gradients_out = gradients
            if not reaches_inputs:
                at_inputs((None,) * len(args))
            return gradients

        reaches_inputs = any(_has_gradient(a) for a in args)
        output = module.forward(*(_tapped(args, at_inputs) if self.backward else args), **kwargs)
        for hook, takes_kwargs in tuple(self.forward.values()):
            inputs = (args, kwargs) if takes_kwargs else (args,)
            result = hook(module, *inputs, output)
            if result is not None:
                output = result
        if self.backward or self.backward_pre:
            tapped = _tapped(_as_tuple(output), at_outputs)
            output = tapped if isinstance(output, tuple) else tapped[0]
        return output


def _as_tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _has_gradient(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad and is_grad_enabled()


def _tapped(values: tuple, react: Callable[[tuple], tuple]) -> tuple:
    """Copies of the tensors in `values` whose gradients a backward pass replaces by react(them).

    All gradients are needed before the first can be replaced, so each tensor is copied twice: the
    backward pass comes by all the second copies, then by all the first.
    """
    wanted = [i for i, value in enumerate(values) if _has_gradient(value)]
    first = {i: values[i].clone() for i in wanted}
    second = {i: first[i].clone() for i in wanted}
    arrived: dict[int, Any] = {}
    replaced: dict[int, Any] = {}

    def replace(i: int) -> Any:
        if not replaced:
            result = react(tuple(arrived.get(j) for j in range(len(values))))
            replaced.update({j: result[j] for j in arrived})
            arrived.clear()
        return replaced.pop(i)

    for i in wanted:
        first[i].register_hook(lambda gradient, i=i: replace(i))
        second[i].register_hook(lambda gradient, i=i: arrived.update({i: gradient}))
    return tuple(second.get(i, value) for i, value in enumerate(values))


class Hooked:
    """What a Module has for registering hooks; each method returns a handle with remove()."""

    _hooks: Hooks | None = None

    def _add_hook(self, kind: str, hook: Any, prepend: bool = False) -> RemovableHandle:
        prepend = bool(prepend)
        if self._hooks is None:
            self._hooks = Hooks()
        return RemovableHandle(getattr(self._hooks, kind), hook, prepend)

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args) before each forward; what it returns replaces args.

        with_kwargs: call hook(module, args, kwargs), which returns None or both.
        """
        return self._add_hook("forward_pre", (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args, output) after each forward; what it returns replaces output.

        with_kwargs: call hook(module, args, kwargs, output).
        """
        return self._add_hook("forward", (hook, with_kwargs), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call hook(module, grad_output) in each backward pass that reaches the output.

        grad_output is a tuple; what the hook returns replaces it.
        """
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_input, grad_output) when a backward pass has left the module.

        Both are tuples, of the gradients of the positional arguments, None for those without, and
        of the outputs; what the hook returns replaces grad_input.
        """
        return self._add_hook("backward", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(module, prefix, keep_vars) before state_dict() reads this module."""
        return self._add_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, {}) after it; the hook may change state_dict."""
        return self._add_hook("state_dict_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call a hook before load_state_dict() looks for this module's keys.

        hook(module, state_dict, prefix, {}, strict, missing_keys, unexpected_keys, error_msgs) may
        change a copy of the state and add to the lists.
        """
        return self._add_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(module, incompatible_keys) before the first write; it may empty the lists."""
        return self._add_hook("load_post", hook)
