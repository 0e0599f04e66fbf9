"""Tensors of a module that are computed from others, as in PyTorch."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff import float64, tensor
from autodiff.func import functional_call
from nn.utils import parametrize, remove_weight_norm, weight_norm
from nn.utils.parametrize import (
    cached,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    type_before_parametrizations,
)
from tests.autodiff.compiler.scenarios import agree
from tests.nn.twins import check_modules, check_state

ROWS = np.random.default_rng(5).normal(size=(6, 4))


def kinds(library):
    """The same parametrizations for both libraries."""

    class Symmetric(library.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).T

        def right_inverse(self, a):
            return a.triu()

    class Scaled(library.Module):
        def __init__(self):
            super().__init__()
            self.scale = library.Linear(1, 1)

        def forward(self, x):
            return x * self.scale.weight

        def right_inverse(self, x):
            return x / self.scale.weight

    class Product(library.Module):
        def forward(self, x, y):
            return x.unsqueeze(-1) * y.unsqueeze(-2)

        def right_inverse(self, z):
            return z[:, 0].clone(), z[0].clone()

    class OneWay(library.Module):
        def forward(self, x):
            return x.tanh()

    return {"symmetric": Symmetric, "scaled": Scaled, "product": Product, "one way": OneWay}


KINDS = kinds(nn)


class Positive(nn.Module):
    """Inverts what it gives, and makes something of all else."""

    def forward(self, x):
        return x.exp()

    def right_inverse(self, y):
        return y.abs().log()


class Cut(nn.Module):
    """Of another shape."""

    def forward(self, x):
        return x[:2]


@pytest.mark.parametrize(
    "names",
    [
        ("symmetric",),
        ("one way",),
        ("product",),
        ("scaled", "symmetric"),
        ("product", "scaled", "one way"),
    ],
)
def test_parametrized_modules_equal_pytorchs(torch, names):
    modules = []
    for library, utils in ((nn, nn.utils), (torch.nn, torch.nn.utils)):
        module = library.Linear(4, 4)
        for name in names:
            utils.parametrize.register_parametrization(module, "weight", kinds(library)[name]())
        modules.append(module)
    check_modules(torch, *modules, ROWS)
    for module, utils in zip(modules, (nn.utils, torch.nn.utils)):
        utils.parametrize.remove_parametrizations(module, "weight")
    assert repr(modules[0]) == repr(modules[1])
    check_state(*modules)


def test_the_original_stays_the_parameter_that_is_learned():
    layer = nn.Linear(3, 3)
    weight, before = layer.weight, layer.weight.detach().clone()
    optimizer = optim.SGD(layer.parameters(), 0.1)
    register_parametrization(layer, "weight", KINDS["symmetric"]())
    assert layer.parametrizations.weight.original is weight
    assert layer.parametrizations["weight"][0] is next(iter(layer.parametrizations.weight))
    layer(autodiff.ones(3)).sum().backward()
    optimizer.step()
    gradient = 2 * autodiff.ones(3, 3).triu(1) + autodiff.eye(3)
    remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight is weight
    assert (weight == before.triu() - 0.1 * gradient).all()


def test_assigning_goes_through_the_right_inverse():
    layer = nn.Linear(2, 2)
    register_parametrization(layer, "weight", Positive(), unsafe=True)
    original = layer.parametrizations.weight.original
    layer.weight = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert layer.parametrizations.weight.original is original
    np.testing.assert_allclose(layer.weight.detach(), [[1, 2], [3, 4]], rtol=1e-6)
    register_parametrization(layer, "bias", KINDS["one way"]())
    with pytest.raises(RuntimeError, match=r"OneWay does not define right_inverse\(\)"):
        layer.bias = autodiff.zeros(2)
    with pytest.raises(ValueError, match=r"must keep the dtype .*32, got .*64"):
        layer.weight = autodiff.ones(2, 2, dtype=float64)
    np.testing.assert_allclose(layer.weight.detach(), [[1, 2], [3, 4]], rtol=1e-6)


def test_assigning_to_what_several_tensors_make_writes_all_or_none():
    layer = register_parametrization(nn.Linear(3, 3), "weight", KINDS["product"](), unsafe=True)
    held = layer.parametrizations.weight
    layer.weight = autodiff.ones(3, 3)
    assert (held.original0 == 1).all() and (held.original1 == 1).all()
    held[0].right_inverse = lambda z: (z[0] + 1, z[0].double())
    with pytest.raises(ValueError, match="must keep the dtype"):
        layer.weight = autodiff.ones(3, 3)
    held[0].right_inverse = lambda z: z[0] + 1
    with pytest.raises(ValueError, match="must give 2 tensors in a sequence, as before; got a ten"):
        layer.weight = autodiff.ones(3, 3)
    assert (held.original0 == 1).all()


def test_buffers_can_be_parametrized():
    norm = nn.BatchNorm1d(3)
    register_parametrization(norm, "running_var", KINDS["one way"]())
    assert list(norm.state_dict())[-1] == "parametrizations.running_var.original"
    assert norm.running_var[0].item() == pytest.approx(np.tanh(1))
    assert "running_var" not in dict(norm.named_buffers())
    remove_parametrizations(norm, "running_var")
    assert norm.running_var[0].item() == pytest.approx(np.tanh(1))
    assert "running_var" in dict(norm.named_buffers())


def test_what_is_parametrized_can_be_asked():
    layer = nn.Linear(2, 2)
    assert not is_parametrized(layer)
    register_parametrization(layer, "weight", Positive(), unsafe=True)
    assert is_parametrized(layer) and is_parametrized(layer, "weight")
    assert not is_parametrized(layer, "bias")
    assert isinstance(layer, nn.Linear)
    assert type(layer).__name__ == "ParametrizedLinear"
    assert type_before_parametrizations(layer) is nn.Linear
    register_parametrization(layer, "bias", Positive(), unsafe=True)
    remove_parametrizations(layer, "weight")
    assert is_parametrized(layer, "bias") and not is_parametrized(layer, "weight")
    remove_parametrizations(layer, "bias")
    assert type_before_parametrizations(layer) is type(layer) is nn.Linear
    assert not hasattr(layer, "parametrizations")


def test_other_modules_of_the_class_stay_as_they_are():
    other = nn.Linear(2, 2)
    register_parametrization(nn.Linear(2, 2), "weight", Positive(), unsafe=True)
    assert other.weight is other._parameters["weight"]


def test_a_shape_may_change_only_where_that_is_said(torch):
    layer = nn.Linear(2, 3)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"float32 \(3, 2\), unless unsafe=True; got .* \(2, 2\)"):
        register_parametrization(layer, "weight", Cut())
    assert type(layer) is nn.Linear
    assert list(layer.state_dict()) == list(before)
    register_parametrization(layer, "weight", Cut(), unsafe=True)
    assert layer.weight.shape == (2, 2)
    remove_parametrizations(layer, "weight")
    assert layer.weight.shape == (2, 2)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda a: 3, "a tensor or a sequence of them, got int"),
        (lambda a: a.double(), "must keep the dtype .*32, got .*64"),
        (lambda a: (a, 3), "a tensor or a sequence of them, got tuple"),
    ],
)
def test_bad_inverses_are_refused(give, message):
    layer, kind = nn.Linear(2, 2), Positive()
    kind.right_inverse = give
    before = layer.weight.detach().clone()
    with pytest.raises(ValueError, match=message):
        register_parametrization(layer, "weight", kind)
    assert (layer.weight == before).all()
    register_parametrization(layer, "weight", KINDS["symmetric"]())
    with pytest.raises(ValueError, match="must"):
        register_parametrization(layer, "weight", kind)
    assert len(layer.parametrizations.weight) == 1


def test_bad_calls_are_refused():
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="no parameter and no buffer 'wait'"):
        register_parametrization(layer, "wait", Positive())
    with pytest.raises(ValueError, match="has no parametrization of 'weight'"):
        remove_parametrizations(layer, "weight")
    register_parametrization(layer, "weight", KINDS["product"](), unsafe=True)
    with pytest.raises(ValueError, match="computed from 2 tensors"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)
    with pytest.raises(ValueError, match="one module or more"):
        parametrize.ParametrizationList([], layer.bias)


def test_a_parametrization_takes_the_mode_of_its_module():
    layer, kind = nn.Linear(2, 2).eval(), Positive()
    register_parametrization(layer, "weight", kind, unsafe=True)
    assert not kind.training
    layer.train()
    assert kind.training


def test_a_compiled_module_sees_parametrizations_come_and_go():
    layer, x = nn.Linear(3, 3), autodiff.rand(2, 3)
    compiled = autodiff.compile(layer)
    change = register_parametrization, remove_parametrizations, weight_norm, remove_weight_norm
    for act, *more in ((None,), (change[0], KINDS["symmetric"]()), *[(act,) for act in change[1:]]):
        if act:
            act(layer, "weight", *more)
        for _ in range(2):
            np.testing.assert_allclose(compiled(x).detach(), layer(x).detach(), rtol=1e-5)


def test_functional_call_replaces_the_originals():
    layer, x = nn.Linear(3, 3), autodiff.rand(2, 3)
    register_parametrization(layer, "weight", KINDS["symmetric"]())
    state = {key: 2 * value for key, value in layer.state_dict().items()}
    out = functional_call(layer, state, (x,))
    layer.load_state_dict(state)
    assert (out == layer(x)).all()


def test_cached_values_are_computed_once():
    class Counting(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return 2 * x

    kind = Counting()
    layer = register_parametrization(nn.Linear(2, 2), "weight", kind, unsafe=True)
    with cached():
        with cached():
            first = layer.weight
        assert layer.weight is first
        assert kind.calls == 1
    assert layer.weight is not first
    assert kind.calls == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_parametrized_modules_can_be_copied_and_pickled(copied):
    model = nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2))
    for module, name in ((model[0], "weight"), (model[0], "bias"), (model[1], "weight_hh_l0")):
        register_parametrization(module, name, Positive(), unsafe=True)
    register_parametrization(model[0], "weight", Positive(), unsafe=True)
    other = copied(model)
    assert repr(other) == repr(model)
    assert (other[0].weight == model[0].weight).all()
    assert list(other.state_dict()) == list(model.state_dict())
    with autodiff.no_grad():
        other[0].parametrizations.weight.original.add_(1.0)
    assert (other[0].weight != model[0].weight).all()
    remove_parametrizations(other[0], "weight")
    assert is_parametrized(model[0], "weight")


@pytest.mark.parametrize("in_cache", [False, True])
def test_compiled_steps_train_parametrized_modules(in_cache):
    def scenario(run):
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        register_parametrization(model[0], "weight", KINDS["symmetric"]())
        register_parametrization(model[0], "weight", Positive(), unsafe=True)
        register_parametrization(model[2], "weight", KINDS["product"](), unsafe=True)
        optimizer = optim.Adam(model.parameters(), 0.01)

        @run.compile
        def step(x):
            optimizer.zero_grad()
            loss = (model(x) - model(x + 1)).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        for i in range(6):
            if i == 4:
                model[0].weight = autodiff.ones(4, 4, dtype=float64) / 2
            if in_cache:
                with cached():
                    before = model[0].weight.sum()
                    run.note(step(tensor(ROWS * i)), before)
            else:
                run.note(step(tensor(ROWS * i)))
            run.note(model, optimizer, model[0].weight)

    agree(scenario)
