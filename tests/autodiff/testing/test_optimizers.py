import contextlib
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
}

DECAYING = {
    "nesterov": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": partial(optim.Adam, lr=0.05, weight_decay=0.1),
    "AdamW": partial(optim.AdamW, lr=0.05),
    "ASGD": partial(optim.ASGD, t0=3),
}

OF_ONE_GROUP = {
    "LBFGS": partial(optim.LBFGS, max_iter=2),
    "strong Wolfe": partial(optim.LBFGS, line_search_fn="strong_wolfe"),
}


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_our_optimisers_keep_the_laws(make):
    check_optimizer(make)


@pytest.mark.parametrize("make", DECAYING.values(), ids=DECAYING)
def test_our_optimisers_with_weight_decay_keep_the_laws(make):
    check_optimizer(make, decays=True)


@pytest.mark.parametrize("make", OF_ONE_GROUP.values(), ids=OF_ONE_GROUP)
def test_our_optimisers_that_need_a_closure_keep_the_laws(make):
    check_optimizer(make, groups=False)


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


FAULTS = {
    Ascends: "first step goes downhill.*\nBut .* became .*, where the gradient is",
    AscendsInNumbers: "first step goes downhill",
    Overshoots: "loss is lower in the end.\nBut it went from .* in 20 steps",
    StandsStill: "first step goes downhill",
    Drifts: "gradients are zero.*\nBut after 20 steps",
    MovesAll: "gradients are zero",
    MovesFromTheLast: "the others move.\nBut beside one without a gradient",
    Widens: "shape and dtype.*\nBut one of float32 and shape .* became float64",
    KeepsGradients: "forgets the gradients",
    IgnoresTheClosure: "the closure's loss.\nBut it gave None",
    ForgetsTheLoss: "the closure's loss.\nBut it gave None",
    EvaluatesTwice: "the closure's loss.\nBut",
    CountsFirst: r"fails at once.*\nBut state_dict\(\)\['param_groups'\]",
    MovesOnErrors: "fails at once.*\nBut .* became",
    Swallows: "fails at once.*\nBut no error was raised",
    TakesAnyState: "fewer parameters.*\nBut no error was raised",
    LoadsHalf: r"fewer parameters.*\nBut state_dict\(\)\['param_groups'\]",
    KeepsStateElsewhere: "continues the run.*\n.*not saved, or not loaded",
    ForgetsOptions: "continues the run.*\n.*not saved, or not loaded",
    SharesState: "continues the run.*\nBut the two share state",
    OneRate: 'by an "lr" of its own.\nBut with half the lr, 0.05, it moved just as with 0.1',
    Mixes: "as if it were alone.*\nBut alone against together",
}


@pytest.mark.parametrize("make", FAULTS, ids=lambda make: make.__name__)
def test_faults_are_found_and_told(make):
    with pytest.raises(AssertionError, match=FAULTS[make]):
        check_optimizer(make)


@pytest.mark.parametrize("make", [Grows, Drifts])
def test_weight_decay_may_only_shrink(make):
    with pytest.raises(AssertionError, match=r"none grows\).\nBut after 20 steps"):
        check_optimizer(make, decays=True)


def test_weight_decay_does_not_reach_parameters_without_a_gradient():
    with pytest.raises(AssertionError, match="without a gradient stay"):
        check_optimizer(MovesAll, decays=True)


class NeedsAllGradients(Momentum):
    def move(self, p, group):
        p -= group["lr"] * p.grad


def test_what_the_optimiser_raises_comes_with_a_note():
    with pytest.raises(TypeError) as caught:
        check_optimizer(NeedsAllGradients)
    assert caught.value.__notes__ == [
        "while check_optimizer tried: Parameters without a gradient stay, and the others move."
    ]
