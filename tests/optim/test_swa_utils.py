"""Averaged models: PyTorch's numbers and keys, a Module in every respect; SWALR and update_bn."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
import nn
import optim
from optim import swa_utils
from optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, update_bn
from tests.optim.lr_scheduler.schedules import optimizer_of, run

AVERAGES = {
    "equal weights": lambda s: {},
    "swa": lambda s: {"avg_fn": s.get_swa_avg_fn()},
    "swa, all at once": lambda s: {"multi_avg_fn": s.get_swa_multi_avg_fn()},
    "ema": lambda s: {"avg_fn": s.get_ema_avg_fn(0.9)},
    "ema, all at once": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.3)},
    "buffers too": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(), "use_buffers": True},
    "buffers with equal weights": lambda s: {"use_buffers": True},
}


def model(ns=autodiff, modules=nn):
    """A small model with buffers, one of which counts."""
    result = modules.Sequential(modules.Linear(3, 2), modules.Tanh(), modules.Linear(2, 1))
    result.register_buffer("mean", ns.tensor([1.0, 2.0]))
    result.register_buffer("count", ns.tensor(0))
    return result


@pytest.mark.parametrize("options", AVERAGES.values(), ids=AVERAGES)
def test_averages_are_pytorchs(options, torch):
    found, rng = [], np.random.default_rng(0)
    values = [rng.normal(size=(4, 9)).astype("float32") for _ in range(5)]
    for ns, modules, utils in (
        (autodiff, nn, swa_utils),
        (torch, torch.nn, torch.optim.swa_utils),
    ):
        source = model(ns, modules)
        averaged = utils.AveragedModel(source, **options(utils))
        for value in values:
            with ns.no_grad():
                for p, row in zip(source.parameters(), value):
                    p.copy_(ns.tensor(row[: p.numel()].reshape(p.shape)))
                source.mean.add_(1.5)
                source.count.add_(3)
            averaged.update_parameters(source)
        found.append({key: value.numpy() for key, value in averaged.state_dict().items()})
    ours, theirs = found
    assert list(ours) == list(theirs)
    for key in theirs:
        assert ours[key].dtype == theirs[key].dtype
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-6, atol=1e-6, err_msg=key)


def test_the_first_update_copies_and_the_next_averages():
    source = nn.Linear(1, 1, bias=False)
    averaged = AveragedModel(source)
    seen = []
    for value in (2.0, 4.0, 9.0):
        with autodiff.no_grad():
            source.weight.fill_(value)
        averaged.update_parameters(source)
        seen.append(averaged.module.weight.item())
    assert seen == [2.0, 3.0, 5.0]
    assert averaged.n_averaged.item() == 3
    assert averaged.module.weight is not source.weight


def test_it_is_a_module_of_its_own():
    source = model()
    averaged = AveragedModel(source)
    assert isinstance(averaged, nn.Module)
    assert isinstance(averaged, AveragedModel)
    assert "module.0.weight" in dict(averaged.named_parameters())
    x = autodiff.ones(4, 3)
    np.testing.assert_array_equal(averaged(x).detach(), source(x).detach())
    assert not averaged.eval().module.training
    assert "AveragedModel(\n  (module): Sequential" in repr(averaged)
    outer = nn.Sequential(averaged)
    assert "0.module.2.bias" in outer.state_dict()
    source.zero_grad()
    averaged(x).sum().backward()
    assert averaged.module[0].weight.grad is not None
    assert source[0].weight.grad is None


class Own(AveragedModel):
    """One of the user's."""


@pytest.mark.parametrize("kind", [AveragedModel, Own])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_it_is_copied_saved_and_loaded(kind, duplicate):
    source = model()
    averaged = kind(source)
    averaged.update_parameters(source)
    again = duplicate(averaged)
    assert type(again) is type(averaged)
    assert isinstance(again, kind)
    again.update_parameters(model())
    assert (averaged.n_averaged.item(), again.n_averaged.item()) == (1, 2)
    again.load_state_dict(averaged.state_dict())
    for a, b in zip(again.parameters(), averaged.parameters()):
        np.testing.assert_array_equal(a.detach(), b.detach())


def test_what_is_impossible_is_refused():
    with pytest.raises(ValueError, match="not both"):
        AveragedModel(model(), avg_fn=get_ema_avg_fn(), multi_avg_fn=get_ema_multi_avg_fn())
    with pytest.raises(TypeError, match="Module, got int"):
        AveragedModel(3)
    for make in (get_ema_avg_fn, get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match=r"1\.5"):
            make(1.5)
    with pytest.raises(ValueError, match="up"):
        SWALR(optimizer_of(), 0.1, anneal_strategy="up")
    with pytest.raises(ValueError, match="-1"):
        SWALR(optimizer_of(), 0.1, anneal_epochs=-1)


class CountingBatchNorm(nn.Module):
    """As much of a batch norm as update_bn() knows of."""

    def __init__(self):
        self.momentum = 0.1
        self.register_buffer("running_mean", autodiff.ones(2))
        self.register_buffer("num_batches_tracked", autodiff.tensor(7))

    def reset_running_stats(self):
        self.running_mean.zero_()
        self.num_batches_tracked.zero_()

    def forward(self, x):
        if self.training:
            self.num_batches_tracked += 1
            weight = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            self.running_mean.lerp_(x.mean(0).detach(), weight)
        return x - self.running_mean


def test_update_bn_averages_over_all_batches():
    norm = CountingBatchNorm()
    network = nn.Sequential(norm, nn.Tanh()).eval()
    batches = [autodiff.randn(5, 2) for _ in range(3)]
    update_bn([(x, None) if i % 2 else x for i, x in enumerate(batches)], network)
    expected = np.mean([x.numpy().mean(0) for x in batches], axis=0)
    np.testing.assert_allclose(norm.running_mean.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert norm.momentum == 0.1
    assert not network.training
    update_bn(iter(lambda: pytest.fail("read"), None), nn.Tanh())


SWA = {
    "cos": {},
    "linear": {"anneal_strategy": "linear", "anneal_epochs": 5},
    "at once": {"anneal_epochs": 0},
}


@pytest.mark.parametrize("options", SWA.values(), ids=SWA)
def test_swa_learning_rates_are_pytorchs(options, torch):
    seen = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        optimizer = optimizer_of(ns, module)
        scheduler = module.swa_utils.SWALR(optimizer, [0.02, 0.5], **options)
        rates = [rate for groups in run(scheduler, optimizer, 7) for rate, _ in groups]
        again = module.swa_utils.SWALR(optimizer, [0.02, 0.5], **options)
        again.load_state_dict(scheduler.state_dict())
        rates += [rate for groups in run(again, optimizer, 33) for rate, _ in groups]
        seen.append((rates, scheduler.state_dict()))
    np.testing.assert_allclose(seen[0][0], seen[1][0], rtol=1e-12)
    assert set(seen[0][1]) == set(seen[1][1])
    assert seen[0][1]["_last_lr"] == pytest.approx(seen[1][1]["_last_lr"], rel=1e-12)
