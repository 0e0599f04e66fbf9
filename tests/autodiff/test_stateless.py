"""Modules as functions of their parameters."""

from typing import Any

import numpy as np
import pytest

import autodiff
import nn
from autodiff import func
from autodiff.func import grad, vmap


class Net(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(4, 3), nn.Linear(3, 3)]
        self.tied = self.layers[1]
        self.register_buffer("shift", autodiff.ones(3))

    def forward(self, x, scale=1.0):
        for layer in self.layers:
            x = layer(x).tanh()
        return self.tied(x) * scale + self.shift


def named(module: nn.Module) -> dict[str, Any]:
    return {name: p.detach() for name, p in module.named_parameters()}


def test_functional_call_takes_the_given_tensors():
    net, x = Net(), autodiff.randn(2, 4)
    new = {name: p + 1 for name, p in named(net).items()} | {"shift": autodiff.zeros(3)}
    before = dict(net.named_parameters())
    found = func.functional_call(net, new, x, {"scale": 2.0})
    assert all(p is before[name] for name, p in net.named_parameters())
    net.load_state_dict(net.state_dict() | new, strict=False)
    np.testing.assert_allclose(found.numpy(), net(x, scale=2.0).detach().numpy(), rtol=1e-6)


def test_functional_call_restores_after_errors():
    net = nn.Linear(4, 3)
    weight = net.weight
    with pytest.raises(RuntimeError):
        func.functional_call(net, {"weight": autodiff.zeros(3, 5)}, autodiff.randn(2, 4))
    assert net.weight is weight


def test_functional_call_restores_what_was_deleted_and_lets_the_error_through():
    class Deletes(nn.Module):
        def __init__(self):
            self.a, self.b = (nn.Parameter(autodiff.ones(2)) for _ in range(2))
            self.rest = [nn.Parameter(autodiff.ones(2)) for _ in range(2)]

        def forward(self, x):
            del self.a, self.rest[0]
            raise ValueError("its own")

    net = Deletes()
    before = dict(net.named_parameters())
    given = {name: autodiff.zeros(2) for name in before}
    with pytest.raises(ValueError, match="its own"):
        func.functional_call(net, given, autodiff.ones(2))
    assert all(p is before[name] for name, p in net.named_parameters())
    assert all(t.tolist() == [0, 0] for t in given.values())


def test_functional_call_replaces_tensors_by_tensors_alone():
    net, x = nn.Linear(4, 3), autodiff.randn(2, 4)
    with pytest.raises(TypeError, match="weight given is of int"):
        func.functional_call(net, {"weight": 3}, x)
    with pytest.raises(TypeError, match="in_features in the module is of int"):
        func.functional_call(net, {"in_features": autodiff.ones(())}, x)


def test_functional_call_refuses_wrong_names():
    net, x = nn.Linear(4, 3), autodiff.randn(2, 4)
    w = autodiff.zeros(3, 4)
    with pytest.raises(KeyError, match="wieght"):
        func.functional_call(net, {"wieght": w}, x)
    with pytest.raises(ValueError, match="several"):
        func.functional_call(net, ({"weight": w}, {"weight": w}), x)
    with pytest.raises(RuntimeError, match="bias"):
        func.functional_call(net, {"weight": w}, x, strict=True)
    with pytest.raises(ValueError, match="dict"):
        func.functional_call(net, [w], x)


def test_functional_call_respects_tied_weights():
    class Tied(nn.Module):
        def __init__(self):
            self.a = self.b = nn.Parameter(autodiff.ones(()))

        def forward(self, x):
            return x + self.a + self.b

    net, x, zero = Tied(), autodiff.zeros(()), autodiff.zeros(())
    assert func.functional_call(net, {"a": zero}, x).item() == 0
    assert func.functional_call(net, {"a": zero}, x, tie_weights=False).item() == 1
    with pytest.raises(ValueError, match="one tensor"):
        func.functional_call(net, {"a": zero, "b": x + 1}, x)


def test_functional_call_keeps_what_is_assigned_in_the_dict():
    class Counter(nn.Module):
        def __init__(self):
            self.register_buffer("count", autodiff.zeros(()))

        def forward(self, x):
            self.count = self.count + 1
            return x

    net, given = Counter(), {"count": autodiff.zeros(())}
    func.functional_call(net, given, autodiff.ones(()))
    assert net.count.item() == 0 and given["count"].item() == 1


def test_per_sample_gradients_of_a_module_are_those_one_by_one():
    net, x = Net(), autodiff.randn(5, 4)
    target = autodiff.randint(0, 3, (5,))

    def loss(params, x, target):
        logits = func.functional_call(net, params, (x[None],))
        return nn.functional.cross_entropy(logits, target[None])

    params = named(net)
    each = vmap(grad(loss), in_dims=(None, 0, 0))(params, x, target)
    for i in range(5):
        alone = grad(loss)(params, x[i], target[i])
        for name, g in alone.items():
            np.testing.assert_allclose(each[name][i].numpy(), g.numpy(), 1e-5, 1e-6)


def test_an_ensemble_runs_as_one():
    models = [Net() for _ in range(3)]
    params, buffers = func.stack_module_state(models)
    assert all(p.requires_grad and p.is_leaf for p in params.values())
    x = autodiff.randn(2, 4)

    def run(params, buffers, x):
        return func.functional_call(models[0], (params, buffers), (x,))

    out = vmap(run, in_dims=(0, 0, None))(params, buffers, x)
    for i, model in enumerate(models):
        np.testing.assert_allclose(out[i].detach().numpy(), model(x).detach().numpy(), 1e-5, 1e-6)
    with pytest.raises(RuntimeError):
        func.stack_module_state([])
    with pytest.raises(RuntimeError):
        func.stack_module_state([nn.Linear(2, 2), Net()])
