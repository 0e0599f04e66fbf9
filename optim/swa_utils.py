"""Averages of a model's parameters over the steps: equal weights (SWA) or exponential (EMA)."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from autodiff import Tensor, lerp, no_grad, tensor
from optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, for_groups
from optim.optimizer import Optimizer

if TYPE_CHECKING:
    from nn import Module
else:
    Module = object

__all__ = [
    *("AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn"),
    *("get_swa_multi_avg_fn", "update_bn"),
]


def _checked(decay: float) -> float:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay must lie in [0, 1], got {decay}")
    return decay


def _towards(averages: Iterable[Tensor], currents: Iterable[Tensor], weight: float) -> None:
    """Move each average by this part of the way to the current value."""
    with no_grad():
        for a, p in zip(averages, currents, strict=True):
            a.copy_(lerp(a, p, weight) if a.is_floating_point() else a + weight * (p - a))


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[list, list, Any], None]:
    """A function for AveragedModel: a = decay * a + (1 - decay) * p, in place, for lists.

    Raises: ValueError if decay is outside [0, 1].
    """
    weight = 1.0 - _checked(decay)

    def ema_update(averages: list[Tensor], currents: list[Tensor], num_averaged: Any) -> None:
        _towards(averages, currents, weight)

    return ema_update


def get_swa_multi_avg_fn() -> Callable[[list, list, Any], None]:
    """A function for AveragedModel: a = a + (p - a) / (num_averaged + 1), in place, for lists."""

    def swa_update(averages: list[Tensor], currents: list[Tensor], num_averaged: Any) -> None:
        _towards(averages, currents, 1.0 / (float(num_averaged) + 1.0))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function for AveragedModel that gives decay * a + (1 - decay) * p.

    Raises: ValueError if decay is outside [0, 1].
    """
    _checked(decay)

    def ema_update(average: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return decay * average + (1.0 - decay) * current

    return ema_update


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function for AveragedModel that gives a + (p - a) / (num_averaged + 1)."""

    def swa_update(average: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return average + (current - average) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A module that holds a copy of the model, whose parameters are averages of the model's.

    update_parameters(model) takes the model's parameters into the average; the first time it
    copies them. Buffers are copied each time, or with use_buffers averaged too.

    avg_fn: gives the new average of (average, parameter, number averaged so far).
    multi_avg_fn: writes it, of (averages, parameters, number averaged so far). Without either, all
        have equal weights. A step that is compiled leaves the update to the code around it.
    Raises: ValueError for both; TypeError if the model is no module.
    Source: Izmailov et al. 2018, arXiv:1803.05407; exponential: Polyak & Juditsky 1992,
        doi:10.1137/0330046.
    """

    module: Any
    n_averaged: Tensor

    def __new__(cls, model: Any, *args: Any, **kwargs: Any) -> "AveragedModel":
        """A module of the kind that the model is: optim does not import nn to know one."""
        written: Any = cls
        roots = [c for c in reversed(type(model).__mro__) if hasattr(c, "named_parameters")]
        if not roots:
            raise TypeError(f"AveragedModel needs a Module, got {type(model).__name__}")
        if not issubclass(cls, roots[0]):
            written = _module_class(written, roots[0])
        return object.__new__(written)

    def __init__(
        self,
        model: Any,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[list, list, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("give avg_fn or multi_avg_fn, not both")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def __reduce_ex__(self, protocol: Any) -> Any:
        made_of = vars(type(self)).get("_made_of")
        if made_of is None:
            return super().__reduce_ex__(protocol)
        return _remade, made_of, self.__getstate__()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Any) -> None:
        """Take the model's parameters into the average."""
        averages, currents = ([t.detach() for t in self._averaged(m)] for m in (self.module, model))
        with no_grad():
            if self.n_averaged.item() == 0:
                for a, p in zip(averages, currents, strict=True):
                    a.copy_(p)
            elif self.avg_fn is not None:
                for a, p in zip(averages, currents, strict=True):
                    a.copy_(self.avg_fn(a, p, self.n_averaged))
            else:
                average = self.multi_avg_fn or get_swa_multi_avg_fn()
                average(averages, currents, self.n_averaged)
            if not self.use_buffers:
                for a, b in zip(self.module.buffers(), model.buffers(), strict=True):
                    a.copy_(b)
            self.n_averaged += 1

    def _averaged(self, model: Any) -> Iterable[Tensor]:
        return (
            chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()
        )


@cache
def _module_class(cls: type, root: type) -> type:
    """The class `cls`, written without a base, with `root` as its base."""
    return type(cls.__name__, (cls, root), {"__module__": cls.__module__, "_made_of": (cls, root)})


def _remade(cls: type, root: type) -> Any:
    return object.__new__(_module_class(cls, root))


def update_bn(loader: Iterable, model: Any, device: Any = None) -> None:
    """Compute the running statistics of the model's batch norms anew, over one pass of the data.

    loader: batches, or tuples or lists that begin with one.
    """
    if not hasattr(model, "modules"):
        raise TypeError(f"update_bn takes a Module, got {type(model).__name__}")
    norms = [
        module
        for module in model.modules()
        if any("BatchNorm" in cls.__name__ for cls in type(module).__mro__)
    ]
    if not norms:
        return
    training, momenta = model.training, [norm.momentum for norm in norms]
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    with no_grad():
        for batch in loader:
            x = batch[0] if isinstance(batch, list | tuple) else batch
            model(x if device is None else x.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From the learning rate there is to swa_lr in anneal_epochs steps, to stay there.

    swa_lr: a number, or one for each group. anneal_strategy: along a cosine ("cos") or a line
    ("linear").
    Raises: ValueError for impossible options.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be cos or linear, got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be a whole number from 0, got {anneal_epochs}")
        rates = for_groups("swa_lr", swa_lr, checked_optimizer(optimizer))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        """Which part of the way is made at this step."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1.0 - math.cos(math.pi * t)) / 2.0

    def get_lr(self) -> list:
        """See LRScheduler."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            start, end = group["lr"], group["swa_lr"]
            if before != 1.0:
                start = (start - before * end) / (1.0 - before)
            rates.append(end * now + start * (1.0 - now))
        return rates
