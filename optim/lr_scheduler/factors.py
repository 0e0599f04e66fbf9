"""Schedules that multiply the learning rate, so that several on one optimiser multiply up."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from optim.lr_scheduler.scheduler import LRScheduler, attributes, checked_optimizer
from optim.optimizer import Optimizer


class _Factor(LRScheduler):
    """The learning rate times _factor() at each step: base * _share() in closed form."""

    def get_lr(self) -> list:
        self._warn_outside_step()
        factor = self._factor()
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list:
        share = self._share()
        return [base * share for base in self.base_lrs]

    def _factor(self) -> float:
        raise NotImplementedError

    def _share(self) -> float:
        raise NotImplementedError


class StepLR(_Factor):
    """lr = base * gamma**(t // step_size) at step t.

    Raises: ValueError if step_size is not positive.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if not step_size > 0:
            raise ValueError(f"step_size must be a positive number of steps, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self.gamma if due else 1.0

    def _share(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_Factor):
    """lr = base * gamma**(the number of milestones up to t) at step t."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]

    def _share(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_Factor):
    """lr = base * factor at the first total_iters steps, base from then on.

    Raises: ValueError for a factor outside [0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0.0 <= factor <= 1.0:
            raise ValueError(f"factor must lie in [0, 1], got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def _share(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1.0 - self.factor)


class LinearLR(_Factor):
    """lr = base times a factor that goes from start_factor to end_factor in total_iters steps.

    Raises: ValueError for a start_factor outside (0, 1] or an end_factor outside [0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0.0 < start_factor <= 1.0:
            raise ValueError(f"start_factor must lie in (0, 1], got {start_factor}")
        if not 0.0 <= end_factor <= 1.0:
            raise ValueError(f"end_factor must lie in [0, 1], got {end_factor}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
        if t == 0:
            return start
        if self._is_initial or t > self.total_iters:
            return 1.0
        return 1.0 + rise / (self.total_iters * start + (t - 1) * rise)

    def _share(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_Factor):
    """lr = base * gamma**t at step t."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def _share(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_Factor):
    """lr = base * (1 - t / total_iters)**power at step t, then 0."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        t, last = self.last_epoch, self.total_iters
        if self._is_initial or t > last:
            return 1.0
        return ((1.0 - t / last) / (1.0 - (t - 1) / last)) ** self.power

    def _share(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power


class LambdaLR(LRScheduler):
    """lr = base * lr_lambda(t) at step t.

    lr_lambda: a function, or one for each group. Of functions state_dict() keeps nothing, of other
        objects that can be called their attributes.
    Raises: ValueError for another number of functions than of groups.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(checked_optimizer(optimizer).param_groups)
        given = lr_lambda if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        if len(given) != groups:
            raise ValueError(f"{len(given)} functions given for {groups} parameter groups")
        for function in given:
            if not callable(function):
                raise TypeError(f"lr_lambda must be a function, got {type(function).__name__}")
        self.lr_lambdas = list(given)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """See LRScheduler."""
        self._warn_outside_step()
        return [
            base * function(self.last_epoch)
            for function, base in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """See LRScheduler."""
        return {**super().state_dict(), "lr_lambdas": [attributes(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See LRScheduler."""
        functions = self.lr_lambdas
        super().load_state_dict({**state_dict, "lr_lambdas": functions})
        for function, state in zip(functions, state_dict["lr_lambdas"], strict=True):
            if state is not None:
                vars(function).update(state)


class MultiplicativeLR(LambdaLR):
    """lr = lr * lr_lambda(t) at step t; the arguments are those of LambdaLR."""

    def get_lr(self) -> list:
        """See LRScheduler."""
        self._warn_outside_step()
        return [
            group["lr"] * (1.0 if self._is_initial else function(self.last_epoch))
            for function, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        ]
