"""Hooks of an optimiser: the user's functions around its steps and around saving and loading."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from autodiff.compiler import guard, recorder
from autodiff.utils.hooks import RemovableHandle

Step = TypeVar("Step", bound=Callable)


class Hooks:
    """The hooks of one optimiser: by kind, then by the number of their handle."""

    def __init__(self) -> None:
        self.step_pre: OrderedDict = OrderedDict()
        self.step_post: OrderedDict = OrderedDict()
        self.state_dict_pre: OrderedDict = OrderedDict()
        self.state_dict_post: OrderedDict = OrderedDict()
        self.load_pre: OrderedDict = OrderedDict()
        self.load_post: OrderedDict = OrderedDict()
        self.stepping = False

    def call(self, step: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What step(*args, **kwargs) gives, with the hooks around it; args[0] is the optimiser."""
        if self.stepping:  # a step() that calls the one it overrides
            return step(*args, **kwargs)
        self.stepping = True
        try:
            return self._call(step, args, kwargs)
        finally:
            self.stepping = False

    def _call(self, step: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        optimizer = args[0]
        for hook in tuple(self.step_pre.values()):
            result = hook(optimizer, args, kwargs)
            if result is not None:
                if not isinstance(result, tuple) or len(result) != 2:
                    raise RuntimeError(
                        "a hook before step() must return None or (args, kwargs), got "
                        f"{type(result).__name__}"
                    )
                args, kwargs = result
        loss = step(*args, **kwargs)
        for hook in tuple(self.step_post.values()):
            hook(optimizer, args, kwargs)
        return loss


class Hooked:
    """What an Optimizer has for registering hooks; each method returns a handle with remove()."""

    _hooks: Hooks | None = None

    stepped: bool = False
    """Whether step() was ever called, which schedulers look at."""

    def _around_step(self) -> tuple:
        """Which hooks there are around a step, by their numbers."""
        hooks = self._hooks
        return (tuple(hooks.step_pre), tuple(hooks.step_post)) if hooks else ((), ())

    def _add_hook(self, kind: str, hook: Callable, prepend: bool = False) -> RemovableHandle:
        if self._hooks is None:
            self._hooks = Hooks()
        return RemovableHandle(getattr(self._hooks, kind), hook, prepend)

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step; args begins with the optimizer.

        What it returns, a tuple of new args and kwargs, replaces them.
        """
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call hook(optimizer) before state_dict() reads the state."""
        return self._add_hook("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call hook(optimizer, state_dict) after it; what it returns replaces the state dict."""
        return self._add_hook("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call hook(optimizer, state_dict) before loading, with a shallow copy of what is loaded.

        What it returns is loaded instead.
        """
        return self._add_hook("load_pre", hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call hook(optimizer) after loading."""
        return self._add_hook("load_post", hook, prepend)


def hooked(step: Step, records: bool = True) -> Step:
    """A class's step() with an optimiser's hooks around it.

    records: whether it can be a part of a compiled step.
    """

    @wraps(step)
    def around(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.stepped:
            self.stepped = True
        if trace := recorder():
            if not records:  # what it counts, or reads from options, would be as it is now forever
                trace.refuse(f"{type(self).__name__} defines step() itself")
            guard(self._around_step)
        if self._hooks is None:
            return step(self, *args, **kwargs)
        return self._hooks.call(step, (self, *args), kwargs)

    return around  # type: ignore[return-value]
