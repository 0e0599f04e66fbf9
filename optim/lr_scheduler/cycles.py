"""Schedules along a curve: cosines, cycles, and one cycle."""

import math
from collections.abc import Callable
from typing import Any

from optim.lr_scheduler.scheduler import (
    LRScheduler,
    attributes,
    checked_optimizer,
    for_groups,
    set_option,
)
from optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2 at step t.

    In the form that goes on from the current learning rate, so that it may be changed in between.
    Raises: ValueError if T_max is not positive.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not T_max > 0:
            raise ValueError(f"T_max must be a positive number of steps, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """See LRScheduler."""
        self._warn_outside_step()
        t, last, least = self.last_epoch, self.T_max, self.eta_min
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - last) % (2 * last) == 0:  # the factor below would be 0 / 0
            rise = (1.0 - math.cos(math.pi / last)) / 2.0
            return [
                rate + (base - least) * rise
                for rate, base in zip(rates, self.base_lrs, strict=True)
            ]
        factor = (1.0 + math.cos(math.pi * t / last)) / (1.0 + math.cos(math.pi * (t - 1) / last))
        return [factor * (rate - least) + least for rate in rates]

    def _get_closed_form_lr(self) -> list:
        height = (1.0 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2.0
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from the base learning rate to eta_min in T_0 steps, again and again.

    Each cycle is T_mult times as long as the one before. step(epoch) takes fractions of an epoch.
    Raises: ValueError if T_0 or T_mult is not a whole number of 1 or more.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of 1 or more, got {value}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"eta_min must be a number, got {type(eta_min).__name__}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """See LRScheduler."""
        self._warn_outside_step()
        height = (1.0 + math.cos(math.pi * self.T_cur / self.T_i)) / 2.0
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the learning rates of the next step, or at `epoch`, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"epoch must be 0 or more, got {epoch}")
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            cycles = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            before = self.T_0 * (self.T_mult**cycles - 1) / (self.T_mult - 1)
            self.T_i, self.T_cur = self.T_0 * self.T_mult**cycles, epoch - before
        self.last_epoch = math.floor(epoch)
        self._get_lr_called_within_step = True
        try:
            self._set(self.get_lr())
        finally:
            self._get_lr_called_within_step = False


class _Cycle(LRScheduler):
    """A schedule that may move the momentum, or the first beta, against the learning rate."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, base: Any, largest: Any, last_epoch: int) -> tuple[list, list]:
        """The least and largest momentum of each group, which begin at the largest."""
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                f"{type(self.optimizer).__name__} has no momentum or betas to cycle: give "
                "cycle_momentum=False"
            )
        self.use_beta1 = "betas" in defaults
        least = for_groups("base_momentum", base, self.optimizer)
        most = for_groups("max_momentum", largest, self.optimizer)
        if last_epoch == -1:
            for group, low, high in zip(self.optimizer.param_groups, least, most, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return least, most

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_Cycle):
    """Up from base_lr to max_lr in step_size_up steps, down in step_size_down, and again.

    The height of cycle c is scaled by mode: "triangular" 1, "triangular2" 2**-c (c from 0),
    "exp_range" gamma**t at step t; or by scale_fn, of c + 1 or, with scale_mode="iterations", t.
    cycle_momentum: the momentum goes from max_momentum to base_momentum and back meanwhile.
    Raises: ValueError for another mode, or if the optimizer has neither momentum nor betas.
    Source: Smith 2017, arXiv:1506.01186.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked_optimizer(optimizer)
        if mode not in _SCALES and scale_fn is None:
            raise ValueError(f"mode must be one of {', '.join(_SCALES)}, got {mode!r}")
        base_lrs = for_groups("base_lr", base_lr, optimizer)
        self.max_lrs = for_groups("max_lr", max_lr, optimizer)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(
                base_momentum, max_momentum, last_epoch
            )
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_option(group, "lr", rate)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """What the height is multiplied with in cycle x (from 1), or at step x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return _SCALES[self.mode](x, self.gamma)

    def get_lr(self) -> list:
        """See LRScheduler; sets the momentum too."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x <= self.step_ratio
        height = x / self.step_ratio if up else (x - 1.0) / (self.step_ratio - 1.0)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, momenta, strict=True):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """See LRScheduler."""
        return {**super().state_dict(), "_scale_fn_custom": attributes(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See LRScheduler."""
        function = self._scale_fn_custom
        super().load_state_dict({**state_dict, "_scale_fn_custom": function})
        if state_dict["_scale_fn_custom"] is not None:
            vars(function).update(state_dict["_scale_fn_custom"])


_SCALES: dict[str, Callable[[float, float], float]] = {
    "triangular": lambda x, gamma: 1.0,
    "triangular2": lambda x, gamma: 1.0 / 2.0 ** (x - 1),
    "exp_range": lambda x, gamma: gamma**x,
}


class OneCycleLR(_Cycle):
    """Up from max_lr / div_factor to max_lr, then down to that / final_div_factor.

    total_steps, or epochs and steps_per_epoch: how many steps there are. pct_start: which part of
    them goes up. anneal_strategy: along a cosine ("cos") or a line ("linear"). three_phase: down
    to the initial learning rate in as many steps as up, then on to the least.
    cycle_momentum: the momentum goes from max_momentum to base_momentum and back meanwhile.
    Raises: ValueError for impossible options, if the optimizer has neither momentum nor betas, and
        by step() after the last step.
    Source: Smith & Topin 2018, arXiv:1708.07120; as in fastai, two phases.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked_optimizer(optimizer)
        if total_steps is not None:
            numbers = {"total_steps": total_steps}
        elif epochs is not None and steps_per_epoch is not None:
            numbers = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        else:
            raise ValueError("give total_steps, or both epochs and steps_per_epoch")
        for name, value in numbers.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of 1 or more, got {value}")
        if not isinstance(pct_start, float) or not 0.0 <= pct_start <= 1.0:
            raise ValueError(f"pct_start must be a float in [0, 1], got {pct_start}")
        if anneal_strategy not in _CURVES:
            raise ValueError(f"anneal_strategy must be cos or linear, got {anneal_strategy!r}")
        self.total_steps = math.prod(numbers.values())
        top = pct_start * self.total_steps - 1.0
        self._schedule_phases = [_phase(top, "initial_lr", "max_lr", "max", "base")]
        if three_phase:
            end = 2 * pct_start * self.total_steps - 2.0
            self._schedule_phases += [
                _phase(end, "max_lr", "initial_lr", "base", "max"),
                _phase(self.total_steps - 1, "initial_lr", "min_lr", "max", "max"),
            ]
        else:
            self._schedule_phases += [
                _phase(self.total_steps - 1, "max_lr", "min_lr", "base", "max")
            ]
        self._anneal_func_type = anneal_strategy
        max_lrs = for_groups("max_lr", max_lr, optimizer)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"], group["max_lr"] = rate / div_factor, rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """See LRScheduler; sets the momentum too."""
        self._warn_outside_step()
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"step {t} is beyond the {self.total_steps} steps of the schedule")
        begin: float = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if t <= end or phase is self._schedule_phases[-1]:
                break
            begin = end
        part, curve = (t - begin) / (end - begin), _CURVES[self._anneal_func_type]
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, curve(*ends, part))
        return [
            curve(group[phase["start_lr"]], group[phase["end_lr"]], part)
            for group in self.optimizer.param_groups
        ]


def _phase(end: float, from_lr: str, to_lr: str, from_momentum: str, to_momentum: str) -> dict:
    """What PyTorch's state dicts say of a phase: where it ends, and between which options."""
    return {
        "end_step": end,
        "start_lr": from_lr,
        "end_lr": to_lr,
        "start_momentum": f"{from_momentum}_momentum",
        "end_momentum": f"{to_momentum}_momentum",
    }


_CURVES: dict[str, Callable[[Any, Any, float], Any]] = {
    "cos": lambda start, end, part: end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1.0),
    "linear": lambda start, end, part: (end - start) * part + start,
}
