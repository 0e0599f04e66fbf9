"""What all schedulers share: warnings, refusals, and schedulers of the user's own."""

import pytest

import autodiff
import optim
from autodiff import tensor
from optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from tests.optim.lr_scheduler.schedules import optimizer_of
from tests.optim.problem import parameters


def test_the_learning_rates_of_an_exponential_decay():
    optimizer = optimizer_of()
    scheduler = ExponentialLR(optimizer, 0.5)
    assert scheduler.get_last_lr() == [0.1, 0.04]
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.02]
    assert scheduler.last_epoch == 1
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.1, 0.04]


def test_stepping_before_the_optimizer_warns_once():
    optimizer = optimizer_of()
    scheduler = StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="before optimizer.step"):
        scheduler.step()
    scheduler.step()


def test_stepping_after_the_optimizer_does_not_warn():
    optimizer = optimizer_of()
    scheduler = StepLR(optimizer, 3)
    optimizer.step()
    scheduler.step()


def test_get_lr_outside_of_step_warns():
    scheduler = StepLR(optimizer_of(), 3)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()


def test_step_with_an_epoch_warns():
    optimizer = optimizer_of()
    scheduler = StepLR(optimizer, 3)
    optimizer.step()
    with pytest.warns(UserWarning, match="deprecated"):
        scheduler.step(4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_a_scheduler_of_the_users_own():
    class Warmup(LRScheduler):
        def get_lr(self):
            return [base * min(1.0, (self.last_epoch + 1) / 4) for base in self.base_lrs]

    optimizer = optimizer_of()
    scheduler = Warmup(optimizer)
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(5):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates == [0.025, 0.05, 0.1 * 0.75, 0.1, 0.1, 0.1]


def test_an_optimizer_that_defines_step_is_noticed():
    class Own(optim.Optimizer):
        def step(self, closure=None):
            pass

    optimizer = Own([{"params": parameters(autodiff), "lr": 1.0}], {})
    scheduler = StepLR(optimizer, 3)
    optimizer.step()
    scheduler.step()


def test_a_scheduler_without_a_rule_says_so():
    with pytest.raises(NotImplementedError, match="get_lr"):
        LRScheduler(optimizer_of())


def test_a_plateau_reduces_after_patience():
    optimizer = optimizer_of()
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=[0.03, 0.0])
    seen = []
    for metric in (1.0, 0.9, 0.9, 0.9, tensor(0.9), 0.9, 0.9, 0.9):
        optimizer.step()
        scheduler.step(metric)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [0.1] * 4 + [0.05] * 3 + [0.03]
    assert scheduler.get_last_lr() == [0.03, 0.01]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("cooldown", [0, 3])
def test_a_plateau_is_pytorchs(mode, threshold_mode, cooldown, torch):
    metrics = [3.0, 2.5, 2.6, 2.49, 2.2, 2.3, 2.5, 2.7, 1.0, 1.1] + [1.2, 1.05, 0.99] * 8
    options = dict(mode=mode, threshold_mode=threshold_mode, cooldown=cooldown, threshold=0.05)
    options |= dict(factor=0.3, patience=1, min_lr=1e-4, eps=1e-5)
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        optimizer = optimizer_of(ns, module)
        scheduler = module.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for i, metric in enumerate(metrics):
            optimizer.step()
            scheduler.step(metric)
            rates.append(scheduler.get_last_lr())
            if i == 15:
                state = scheduler.state_dict()
                scheduler = module.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
                scheduler.load_state_dict(state)
        seen.append((rates, scheduler.state_dict()))
    assert seen[0] == seen[1]


def sequential(schedulers, milestones):
    return lambda o: SequentialLR(o, [s(o) for s in schedulers], milestones)


def steps(optimizer):
    return StepLR(optimizer, 3)


REFUSED = {
    "no optimizer": (lambda o: StepLR(None, 3), TypeError, "NoneType"),
    "resuming without initial_lr": (lambda o: StepLR(o, 3, last_epoch=4), KeyError, "initial_lr"),
    "ConstantLR factor": (lambda o: ConstantLR(o, 1.5), ValueError, "factor"),
    "LinearLR start": (lambda o: LinearLR(o, 0.0), ValueError, "start_factor"),
    "LinearLR end": (lambda o: LinearLR(o, end_factor=1.5), ValueError, "end_factor"),
    "too many lambdas": (lambda o: LambdaLR(o, [len] * 3), ValueError, "3 functions.* 2"),
    "no function": (lambda o: MultiplicativeLR(o, 0.5), TypeError, "float"),
    "T_0": (lambda o: CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0"),
    "T_mult": (lambda o: CosineAnnealingWarmRestarts(o, 2, 1.5), ValueError, "T_mult"),
    "eta_min": (lambda o: CosineAnnealingWarmRestarts(o, 2, eta_min="0"), ValueError, "eta_min"),
    "mode of a cycle": (lambda o: CyclicLR(o, 0.1, 1.0, mode="up"), ValueError, "up"),
    "lengths": (lambda o: CyclicLR(o, [0.1] * 3, 1.0), ValueError, "base_lr has 3"),
    "no steps": (lambda o: OneCycleLR(o, 1.0), ValueError, "total_steps"),
    "negative steps": (lambda o: OneCycleLR(o, 1.0, -2), ValueError, "total_steps.*-2"),
    "pct_start": (lambda o: OneCycleLR(o, 1.0, 9, pct_start=1.5), ValueError, "pct_start"),
    "anneal_strategy": (
        lambda o: OneCycleLR(o, 1.0, 9, anneal_strategy="up"),
        ValueError,
        "anneal_strategy",
    ),
    "factor of a plateau": (lambda o: ReduceLROnPlateau(o, factor=1.0), ValueError, "factor"),
    "mode of a plateau": (lambda o: ReduceLROnPlateau(o, "least"), ValueError, "least"),
    "threshold_mode": (lambda o: ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold"),
    "min_lr": (lambda o: ReduceLROnPlateau(o, min_lr=[0.0]), ValueError, "min_lr has 1"),
    "nothing in sequence": (sequential([], []), ValueError, "at least one"),
    "milestones": (sequential([steps], [4]), ValueError, "0 milestones"),
    "a plateau in sequence": (sequential([ReduceLROnPlateau], []), ValueError, "metrics"),
    "another optimizer": (
        lambda o: SequentialLR(o, [steps(optimizer_of())], []),
        ValueError,
        "another",
    ),
    "no schedulers": (lambda o: ChainedScheduler([3]), TypeError, "int"),
    "nothing chained": (lambda o: ChainedScheduler([]), ValueError, "at least one"),
    "several optimizers": (
        lambda o: ChainedScheduler([steps(o), steps(optimizer_of())]),
        ValueError,
        "another",
    ),
}


@pytest.mark.parametrize(("make", "error", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scheduled_is_refused(make, error, named):
    with pytest.raises(error, match=named):
        make(optimizer_of())


def test_momentum_is_cycled_only_where_there_is_one():
    optimizer = optimizer_of(name="Rprop")
    with pytest.raises(ValueError, match="Rprop has no momentum"):
        OneCycleLR(optimizer, 0.1, 10)
    OneCycleLR(optimizer, 0.1, 10, cycle_momentum=False)


def test_one_cycle_ends():
    optimizer = optimizer_of()
    scheduler = OneCycleLR(optimizer, 0.1, 3)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    with pytest.raises(ValueError, match="step 4 is beyond the 3 steps"):
        scheduler.step()


def test_a_plateau_takes_groups_that_came_later():
    w, b = parameters(autodiff)
    optimizer = optim.SGD([w], lr=0.1)
    scheduler = ReduceLROnPlateau(optimizer, patience=0)
    strict = ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0])
    optimizer.add_param_group({"params": [b]})
    optimizer.step()
    for metric in (1.0, 2.0):
        scheduler.step(metric)
    assert scheduler.get_last_lr() == pytest.approx([0.01, 0.01])
    strict.step(1.0)
    with pytest.raises(RuntimeError, match="min_lrs"):
        strict.step(2.0)


def test_cosine_meets_its_ends():
    optimizer = optimizer_of()
    scheduler = CosineAnnealingLR(optimizer, 10, eta_min=0.01)
    rates = []
    for _ in range(10):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates[4] == pytest.approx(0.055)
    assert rates[9] == pytest.approx(0.01)
