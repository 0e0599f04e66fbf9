"""What all schedules of the learning rate share."""

import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

from autodiff import Tensor
from autodiff.compiler import recorder
from optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedulers: sets the learning rate of each parameter group at each step.

    optimizer: what is scheduled. last_epoch: the number of the last step made, when one resumes
        with groups that have an "initial_lr"; -1 to begin.

    A subclass defines get_lr(): the learning rates of the groups at step `last_epoch`, of which
    `base_lrs` are the initial ones. Learning rates that are tensors are written to.
    Raises: TypeError if it is no Optimizer; KeyError if it cannot be resumed.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", own(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"parameter group {i} has no 'initial_lr' to resume from with last_epoch="
                    f"{last_epoch}: load the optimizer's state dict first, or begin with -1"
                )
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list:
        """The learning rates of the groups at step `last_epoch`, for step() alone to call."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def get_last_lr(self) -> list:
        """The learning rates that were set last."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Set the learning rates of the next step, or of step `epoch`; call it after the optimizer.

        epoch: deprecated in PyTorch; a schedule that has a closed form takes it then.
        """
        if self._step_count == 1 and not self.optimizer.stepped:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(), so that the first "
                "learning rate is never used; call them in the other order",
                stacklevel=2,
            )
        if epoch is not None:
            warn_of_epoch()
        before = self._step_count, self.last_epoch
        self._step_count += 1
        try:
            self._update_lr(epoch)
        except BaseException:
            self._step_count, self.last_epoch = before
            raise

    def _update_lr(self, epoch: int | None = None) -> None:
        closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._get_lr_called_within_step = True
        try:
            rates = self.get_lr() if epoch is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set(rates)

    def _set(self, rates: list) -> None:
        if trace := recorder():
            trace.refuse("a scheduler makes its steps outside of compiled steps")
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", rate)
        self._last_lr = values(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "get_lr() is for step() alone; get_last_lr() gives the current learning rates",
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """All the attributes but the optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, here or in PyTorch."""
        vars(self).update(state_dict)


def checked_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer. Raises: TypeError if it is none."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a scheduler needs an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def own(value: Any) -> Any:
    """The number, or a copy of the tensor."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def values(optimizer: Optimizer, key: str) -> list:
    """An option of each group."""
    return [own(group[key]) for group in optimizer.param_groups]


def set_option(group: dict[str, Any], key: str, value: Any) -> None:
    """Set an option of a group; a tensor is written to."""
    if isinstance(group.get(key), Tensor):
        group[key].detach().fill_(float(value))
    else:
        group[key] = value


def for_groups(name: str, value: Any, optimizer: Optimizer) -> list:
    """The value for each group. Raises: ValueError for a list of another length."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        value = [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} has {len(value)} values, but the optimizer {groups} parameter groups"
        )
    return [own(x) for x in value]


def warn_of_epoch() -> None:
    """The warning for step(epoch)."""
    warnings.warn(
        "step(epoch) is deprecated: call step(); with an epoch the closed form of the schedule is "
        "taken, where it has one",
        stacklevel=3,
    )


def attributes(function: Callable | None) -> dict[str, Any] | None:
    """What a state dict has of a function that was given: nothing, unless it is an object."""
    if function is None or isinstance(function, FunctionType):
        return None
    return dict(vars(function))
