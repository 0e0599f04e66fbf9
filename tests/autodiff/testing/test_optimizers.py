import contextlib
import re
from functools import partial

import pytest

import autodiff
import optim
from autodiff.testing import check_optimizer

OURS = {
    "SGD": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, dampening=0.1),
    "Adam": partial(optim.Adam, lr=0.05),
    "AMSGrad": partial(optim.Adam, lr=0.05, amsgrad=True),
    "RMSprop": partial(optim.RMSprop, momentum=0.5, centered=True),
    "Adagrad": partial(optim.Adagrad, lr=0.05, lr_decay=0.1),
    "Adadelta": optim.Adadelta,
    "Adamax": partial(optim.Adamax, lr=0.05),
    "NAdam": partial(optim.NAdam, lr=0.05),
    "RAdam": partial(optim.RAdam, lr=0.05),
    "Rprop": optim.Rprop,
    "nesterov": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam with weight decay": partial(optim.Adam, lr=0.05, weight_decay=0.1),
    "AdamW": partial(optim.AdamW, lr=0.05),
    "ASGD": partial(optim.ASGD, t0=3),
    "LBFGS": partial(optim.LBFGS, max_iter=2),
    "strong Wolfe": partial(optim.LBFGS, line_search_fn="strong_wolfe"),
}


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_our_optimisers_keep_the_laws(make):
    check_optimizer(make)


class Momentum(optim.Optimizer):
    """As a user of PyTorch writes it."""

    def __init__(self, params, lr=0.1, momentum=0.5):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def step(self, closure=None):
        loss = None if closure is None else self.evaluate(closure)
        with autodiff.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    self.move(p, group)
        return loss

    def evaluate(self, closure):
        return closure()

    def move(self, p, group):
        if p.grad is not None:
            b = self.direction(p, group)
            p -= group["lr"] * b

    def direction(self, p, group):
        state = self.state[p]
        if "buffer" not in state:
            state["buffer"] = autodiff.zeros_like(p)
        state["buffer"].mul_(group["momentum"]).add_(p.grad)
        return state["buffer"]


class WithoutClosure(Momentum):
    def step(self):
        super().step()


@pytest.mark.parametrize("make", [Momentum, WithoutClosure])
@pytest.mark.parametrize("seed", range(3))
def test_a_right_optimiser_passes_whatever_the_seed(make, seed):
    check_optimizer(make, seed=seed)


class Ascends(Momentum):
    def direction(self, p, group):
        return -super().direction(p, group)


class AscendsInNumbers(Momentum):
    def direction(self, p, group):
        return super().direction(p, group) * (-1 if p.ndim == 0 else 1)


class Overshoots(Momentum):
    def direction(self, p, group):
        return 100 * super().direction(p, group)


class StandsStill(Momentum):
    def direction(self, p, group):
        return 0 * super().direction(p, group)


class Drifts(Momentum):
    def direction(self, p, group):
        return super().direction(p, group) + 1e-6


class Grows(Momentum):
    def direction(self, p, group):
        return super().direction(p, group) - 1e-6 * p


class Freezes(Momentum):
    def move(self, p, group):
        super().move(p, group)
        p.requires_grad_(p.ndim > 0)


class Divides(Momentum):
    def direction(self, p, group):
        b = super().direction(p, group)
        return b / 0 if p.dtype is autodiff.float32 else b


class MovesAll(Momentum):
    def move(self, p, group):
        super().move(p, group)
        p *= 1 - 1e-6


class MovesFromTheLast(Momentum):
    def step(self, closure=None):
        if all(p.grad is not None for group in self.param_groups for p in group["params"]):
            super().step(closure)


class Widens(Momentum):
    def move(self, p, group):
        super().move(p, group)
        p.data = p.data.double()


class KeepsGradients(Momentum):
    def zero_grad(self, set_to_none=True):
        pass


class IgnoresTheClosure(Momentum):
    def step(self, closure=None):
        super().step()


class ForgetsTheLoss(Momentum):
    def step(self, closure=None):
        super().step(closure)


class GivesALaterLoss(Momentum):
    def step(self, closure=None):
        loss = super().step(closure)
        return closure() if closure else loss


class EvaluatesTwice(Momentum):
    def step(self, closure=None):
        loss = super().step(closure)
        if closure is not None:
            super().step()
        return loss


class CountsFirst(Momentum):
    def evaluate(self, closure):
        for group in self.param_groups:
            group["evaluations"] = group.get("evaluations", 0) + 1
        return closure()


class MovesOnErrors(Momentum):
    def evaluate(self, closure):
        try:
            return closure()
        except ArithmeticError:
            with autodiff.no_grad():
                self.param_groups[0]["params"][0].add_(1.0)
            raise


class Swallows(Momentum):
    def evaluate(self, closure):
        try:
            return closure()
        except ArithmeticError:
            return None


class TakesAnyState(Momentum):
    def load_state_dict(self, state_dict):
        with contextlib.suppress(ValueError):
            super().load_state_dict(state_dict)


class LoadsHalf(Momentum):
    def load_state_dict(self, state_dict):
        for group, new in zip(self.param_groups, state_dict["param_groups"]):
            group.update({k: v for k, v in new.items() if k != "params"}, loaded=True)
        super().load_state_dict(state_dict)


class KeepsStateElsewhere(Momentum):
    def direction(self, p, group):
        own = vars(self).setdefault("buffers", {})
        own[p] = group["momentum"] * own.get(p, 0) + p.grad
        return own[p]


class ForgetsOptions(Momentum):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group.update(self.defaults)


class SharesState(Momentum):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        for p, state in zip(params, state_dict["state"].values()):
            self.state[p] = dict(state)


class OneRate(Momentum):
    def move(self, p, group):
        super().move(p, {**group, "lr": self.defaults["lr"]})


class Mixes(Momentum):
    def direction(self, p, group):
        largest = max(
            float(q.grad.abs().max())
            for group in self.param_groups
            for q in group["params"]
            if q.grad is not None
        )
        return super().direction(p, group) / (1 + largest)


CAUSE = r"\.\nlikely cause: .*"

FAULTS = {
    Ascends: r"first step goes downhill.*\nBut the parameter of shape \(\) moved by \+0\.\d+ from "
    rf"1\.\d+, where the gradient is 1\.\d+{CAUSE}sign of the step is flipped",
    AscendsInNumbers: rf"goes downhill.*\nBut .* of shape \(\) moved by .*{CAUSE}special about",
    Overshoots: f"lower in the end.\nBut it went from .* in 20 steps{CAUSE}steps are too long",
    StandsStill: rf"downhill.*\nBut .* of shape \(\) does not move{CAUSE}not written to it",
    Drifts: rf"gradients are zero.*\nBut after 20 steps .* moved by -2e-06 .*{CAUSE}is added",
    Grows: rf"gradients are zero.*\nBut after 20 steps .* moved by .*{CAUSE}sign of the weight",
    MovesAll: rf"without a gradient element \(0, 0\) of .* moved by .*{CAUSE}whose grad is None",
    MovesFromTheLast: f"But beside one without a gradient, .*{CAUSE}ends the step",
    Widens: f"But one of float32 and shape .* became float64 and .*{CAUSE}dtype or shape enter",
    Freezes: rf"But one of float32 and shape \(\) became no leaf that requires grad{CAUSE}no_grad",
    Divides: rf"But one of float32 and shape \(\) became nan or infinite{CAUSE}add an eps",
    KeepsGradients: rf"forgets the gradients\.\nBut that of .* shape \(\) is left{CAUSE}reach it",
    IgnoresTheClosure: f"the closure's loss.\nBut it gave None{CAUSE}does not return",
    ForgetsTheLoss: f"the closure's loss.\nBut it gave None{CAUSE}does not return",
    GivesALaterLoss: rf"But it gave \S+ where the loss is \S+{CAUSE}another loss",
    EvaluatesTwice: f"But .* without a closure, and with one .*{CAUSE}moves more than once",
    CountsFirst: rf"fails at once.*\nBut state_dict\(\)\['param_groups'\].*{CAUSE}before all",
    MovesOnErrors: rf"fails at once.*\nBut the parameter of shape \(\) moved by .*{CAUSE}before",
    Swallows: f"fails at once.*\nBut no error was raised{CAUSE}or caught",
    TakesAnyState: "fewer parameters.*\nBut no error was raised",
    LoadsHalf: rf"fewer parameters.*\nBut state_dict\(\)\['param_groups'\].*{CAUSE}before all",
    KeepsStateElsewhere: f"continues the run.*\nBut .* resumed .*{CAUSE}not saved, or not loaded",
    ForgetsOptions: f"continues the run.*\nBut .* resumed .*{CAUSE}not saved, or not loaded",
    SharesState: f"continues the run.*\nBut the first goes on differently.*{CAUSE}share state",
    OneRate: f'"lr" of its own.\nBut with half the lr, 0.05, .* as with 0.1{CAUSE}from elsewhere',
    Mixes: f"as if it were alone.*\nBut .* alone, and together .*{CAUSE}is shared by all",
}


@pytest.mark.parametrize("make", FAULTS, ids=lambda make: make.__name__)
def test_faults_are_found_and_told(make):
    with pytest.raises(AssertionError, match=FAULTS[make]) as caught:
        check_optimizer(make)
    assert not re.search(r"\d\.\d{7}", str(caught.value))


def test_one_group_is_enough_for_who_says_so():
    class OneGroup(Momentum):
        def __init__(self, params):
            super().__init__(params)
            if len(self.param_groups) > 1:
                raise self.refusal

    OneGroup.refusal = ValueError("OneGroup takes one parameter group")
    check_optimizer(OneGroup)
    OneGroup.refusal = ValueError("too many values to unpack")
    with pytest.raises(ValueError, match="unpack"):
        check_optimizer(OneGroup)


def test_an_optimiser_in_place_of_what_makes_one_is_refused():
    optimizer = optim.SGD([autodiff.ones(2, requires_grad=True)], lr=0.1)
    with pytest.raises(TypeError, match="takes what makes an optimiser"):
        check_optimizer(optimizer)


class NeedsAllGradients(Momentum):
    def move(self, p, group):
        p -= group["lr"] * p.grad


def test_what_the_optimiser_raises_comes_with_a_note():
    with pytest.raises(TypeError) as caught:
        check_optimizer(NeedsAllGradients)
    assert caught.value.__notes__ == [
        "while check_optimizer tried: Parameters without a gradient stay, and the others move."
    ]
