"""The bookkeeping of all optimisers: groups, state, saving, closures, and refusals."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
import optim
from autodiff import tensor
from tests.optim.problem import as_torch, loss, parameters, train, values

OPTIMIZERS = {
    "SGD": lambda params, module=optim: module.SGD(params, lr=0.01),
    "momentum": lambda params, module=optim: module.SGD(params, lr=0.01, momentum=0.9),
    "Adam": lambda params, module=optim: module.Adam(params, lr=0.05),
    "AMSGrad": lambda params, module=optim: module.Adam(params, lr=0.05, amsgrad=True),
    "AdamW": lambda params, module=optim: module.AdamW(params, lr=0.05),
    "RMSprop": lambda params, module=optim: module.RMSprop(params, momentum=0.5, centered=True),
    "Adagrad": lambda params, module=optim: module.Adagrad(params, lr=0.05, lr_decay=0.1),
    "Adadelta": lambda params, module=optim: module.Adadelta(params),
    "Adamax": lambda params, module=optim: module.Adamax(params, lr=0.05),
    "NAdam": lambda params, module=optim: module.NAdam(params, lr=0.05),
    "RAdam": lambda params, module=optim: module.RAdam(params, lr=0.05),
    "ASGD": lambda params, module=optim: module.ASGD(params, t0=3),
    "Rprop": lambda params, module=optim: module.Rprop(params),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def snapshot(optimizer):
    """All an optimiser holds, as plain numbers."""
    state = optimizer.state_dict()
    return pickle.dumps(
        (
            [
                (key, name, np.asarray(value).tolist() if value is not None else None)
                for key, entries in sorted(state["state"].items())
                for name, value in sorted(entries.items())
            ],
            state["param_groups"],
        )
    )


# Steps


@every_optimizer
def test_a_step_writes_into_the_parameter_itself(make):
    params = parameters(autodiff)
    memory = [p.detach().numpy() for p in params]
    before = [p.tolist() for p in params]
    train(autodiff, params, make(params), 1)
    for p, array, old in zip(params, memory, before, strict=True):
        assert p.detach().numpy() is array
        assert p.tolist() != old
        assert p.is_leaf
        assert p.requires_grad
        assert p._version == 1


@every_optimizer
def test_parameters_without_a_gradient_are_skipped(make):
    w, b = parameters(autodiff)
    optimizer = make([w, b])
    before = b.tolist()
    (w**2).sum().backward()
    optimizer.step()
    assert b.tolist() == before
    if not isinstance(optimizer, optim.Adagrad):  # its sums are there from the beginning
        assert b not in optimizer.state or not optimizer.state[b]
        assert 1 not in optimizer.state_dict()["state"]


@every_optimizer
def test_step_records_nothing_and_leaves_the_modes(make):
    params = parameters(autodiff)
    optimizer = make(params)
    loss(autodiff, *params).backward(create_graph=True)
    optimizer.step()
    assert autodiff.is_grad_enabled()
    assert all(p.is_leaf for p in params)
    for entries in optimizer.state.values():
        for value in entries.values():
            assert not getattr(value, "requires_grad", False)


@every_optimizer
def test_a_closure_is_run_first_with_recording_on_and_its_loss_returned(make):
    params, others = parameters(autodiff), parameters(autodiff)
    optimizer, other = make(params), make(others)

    def closure():
        optimizer.zero_grad()
        result = loss(autodiff, *params)
        result.backward()
        return result

    with autodiff.no_grad():
        results = [optimizer.step(closure).item() for _ in range(3)]
    train(autodiff, others, other, 3)
    np.testing.assert_array_equal(values(params), values(others))
    assert results[0] == loss(autodiff, *parameters(autodiff)).item()
    assert results == sorted(results, reverse=True)
    assert optimizer.step() is None


def test_an_error_in_the_closure_changes_nothing():
    params = parameters(autodiff)
    optimizer = optim.Adam(params)
    train(autodiff, params, optimizer, 2)
    before, state = values(params), snapshot(optimizer)

    def closure():
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        optimizer.step(closure)
    np.testing.assert_array_equal(values(params), before)
    assert snapshot(optimizer) == state


@every_optimizer
def test_mixed_dtypes_keep_their_own(make):
    params = [parameters(autodiff, "float32")[0], parameters(autodiff, "float64")[1]]
    optimizer = make(params)
    for p in params:
        p.grad = autodiff.ones_like(p)
    optimizer.step()
    assert [p.dtype for p in params] == [autodiff.float32, autodiff.float64]
    for p, entries in optimizer.state.items():
        assert all(v.dtype == p.dtype for k, v in entries.items() if k not in optimizer.counts)


@every_optimizer
def test_a_learning_rate_of_zero_changes_nothing(make):
    params = parameters(autodiff)
    optimizer = make(params)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        group["step_sizes"] = 0.0, 0.0  # of Rprop
    before = values(params)
    train(autodiff, params, optimizer, 3)
    np.testing.assert_array_equal(values(params), before)


def test_a_learning_rate_may_be_a_tensor_and_may_change():
    p = tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=tensor(0.5))
    p.grad = tensor([1.0])
    optimizer.step()
    assert p.item() == 0.5
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.item() == 0.25


# zero_grad


def test_zero_grad_forgets_or_fills_with_zeros():
    params = parameters(autodiff)
    optimizer = optim.SGD(params, lr=0.1)
    loss(autodiff, *params).backward()
    memory = params[0].grad.numpy()
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad.tolist() == [[0.0] * 3] * 2
    assert params[0].grad.numpy() is memory
    optimizer.zero_grad()
    assert [p.grad for p in params] == [None, None]
    optimizer.zero_grad(set_to_none=False)
    assert [p.grad for p in params] == [None, None]


def test_zero_grad_drops_the_graph_of_a_recorded_gradient():
    params = parameters(autodiff)
    optimizer = optim.SGD(params, lr=0.1)
    loss(autodiff, *params).backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert not any(p.grad.requires_grad for p in params)


# Groups


def test_groups_have_options_of_their_own():
    w, b = parameters(autodiff)
    optimizer = optim.SGD(
        [{"params": [w]}, {"params": b, "lr": 0.5, "momentum": 0.9}], lr=0.1, weight_decay=0.0
    )
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert [group["momentum"] for group in optimizer.param_groups] == [0, 0.9]
    for p in (w, b):
        p.grad = autodiff.ones_like(p)
    before = w.tolist(), b.tolist()
    optimizer.step()
    np.testing.assert_allclose(np.array(before[0]) - w.detach().numpy(), 0.1)
    np.testing.assert_allclose(np.array(before[1]) - b.detach().numpy(), 0.5)


@pytest.mark.parametrize("name", sorted({*OPTIMIZERS} - {"momentum", "AMSGrad"}))
def test_groups_train_as_in_pytorch(name, torch):
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        w, b = parameters(ns)
        groups = [{"params": [w], "maximize": True}, {"params": [b], "lr": 0.02}]
        train(ns, [w, b], getattr(module, name)(groups, lr=0.01))
        reached.append(values([w, b]))
    np.testing.assert_allclose(*reached, rtol=1e-12)


def test_a_group_can_be_added_later():
    w, b = parameters(autodiff)
    optimizer = optim.Adam([w], lr=0.1)
    optimizer.add_param_group({"params": b, "lr": 0.01})
    assert [group["params"] for group in optimizer.param_groups][1][0] is b
    assert optimizer.param_groups[1]["betas"] == (0.9, 0.999)
    train(autodiff, [w, b], optimizer, 2)
    assert len(optimizer.state_dict()["state"]) == 2


def test_a_generator_of_parameters_is_taken_once():
    params = parameters(autodiff)
    optimizer = optim.SGD((p for p in params), lr=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 2


def test_the_group_given_is_not_changed():
    w, _ = parameters(autodiff)
    group = {"params": [w]}
    optim.SGD([group], lr=0.1)
    assert list(group) == ["params"]


REFUSED = {
    "an empty list": (lambda w, b: [], ValueError, "empty"),
    "one tensor": (lambda w, b: w, TypeError, "Tensor"),
    "arrays": (lambda w, b: [np.ones(2)], TypeError, "ndarray"),
    "a computed tensor": (lambda w, b: [w * 2], ValueError, r"leaf.*\(2, 3\)"),
    "one twice": (lambda w, b: [w, b, w], ValueError, r"\(2, 3\)"),
    "one in two groups": (
        lambda w, b: [{"params": [w]}, {"params": [b, w]}],
        ValueError,
        r"\(2, 3\)",
    ),
    "a set": (lambda w, b: [{"params": {w, b}}], TypeError, "set"),
}


@pytest.mark.parametrize(("params", "error", "named"), REFUSED.values(), ids=REFUSED)
def test_parameters_that_cannot_be_optimised_are_refused(params, error, named):
    with pytest.raises(error, match=named):
        optim.SGD(params(*parameters(autodiff)), lr=0.1)


@pytest.mark.parametrize(
    "group", [[1], {"params": [np.ones(2)]}, {"params": "taken"}, {"params": "computed"}]
)
def test_a_refused_group_is_not_added(group):
    w, b = parameters(autodiff)
    if isinstance(group, dict) and isinstance(group["params"], str):
        group = {"params": [b, {"taken": w, "computed": w * 2}[group["params"]]]}
    optimizer = optim.SGD([w], lr=0.1)
    before = snapshot(optimizer)
    with pytest.raises((TypeError, ValueError)):
        optimizer.add_param_group(group)
    assert snapshot(optimizer) == before


def test_an_optimizer_without_a_rule_says_so():
    params = parameters(autodiff)
    optimizer = optim.Optimizer(params, {})
    params[0].grad = autodiff.ones_like(params[0])
    with pytest.raises(NotImplementedError):
        optimizer.step()


# Saving


@every_optimizer
def test_training_goes_on_from_a_state_dict_as_if_uninterrupted(make):
    straight, halted, resumed = (parameters(autodiff) for _ in range(3))
    train(autodiff, straight, make(straight), 20)
    first = make(halted)
    train(autodiff, halted, first, 10)
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    for p, q in zip(resumed, halted, strict=True):
        p.data = q.detach().clone()
    second = make(resumed)
    second.load_state_dict(saved)
    train(autodiff, resumed, second, 10)
    np.testing.assert_array_equal(values(resumed), values(straight))


@every_optimizer
def test_loading_takes_copies(make):
    params, others = parameters(autodiff), parameters(autodiff)
    first, second = make(params), make(others)
    train(autodiff, params, first, 3)
    second.load_state_dict(first.state_dict())
    before = snapshot(first)
    train(autodiff, others, second, 3)
    second.param_groups[0]["lr"] = 99
    assert snapshot(first) == before


@every_optimizer
def test_a_state_dict_has_pytorchs_form(make, torch):
    dicts = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns)
        optimizer = make(params, module)
        train(ns, params, optimizer, 3)
        dicts.append(optimizer.state_dict())
    ours, theirs = dicts
    assert ours["param_groups"] == theirs["param_groups"]
    assert list(ours["state"]) == list(theirs["state"])
    for key, entries in theirs["state"].items():
        assert set(ours["state"][key]) == set(entries)
        for name, value in entries.items():
            mine = ours["state"][key][name]
            assert str(mine.dtype).split(".")[1] == str(value.dtype).split(".")[1]
            np.testing.assert_allclose(mine.numpy(), value.numpy(), rtol=1e-12)


@every_optimizer
def test_state_dicts_go_to_pytorch_and_come_back(make, torch):
    straight, halted = parameters(autodiff), parameters(autodiff)
    train(autodiff, straight, make(straight), 15)
    first = make(halted)
    train(autodiff, halted, first, 5)

    theirs = [torch.tensor(p.detach().numpy(), requires_grad=True) for p in halted]
    second = make(theirs, torch.optim)
    second.load_state_dict(as_torch(torch, first.state_dict()))
    train(torch, theirs, second, 5)

    back = [tensor(p.detach().numpy(), requires_grad=True) for p in theirs]
    third = make(back)
    third.load_state_dict(second.state_dict())
    train(autodiff, back, third, 5)
    # PyTorch loads the mu_product of NAdam in the dtype of its parameter.
    rtol = 1e-8 if isinstance(first, optim.NAdam) else 1e-11
    np.testing.assert_allclose(values(back), values(straight), rtol=rtol)


def broken(kind, state):
    """A state dict that does not fit, as it may come from another model or file."""
    state = {
        "state": {k: dict(v) for k, v in state["state"].items()},
        "param_groups": [dict(g) for g in state["param_groups"]],
    }
    if kind == "another number of groups":
        state["param_groups"] *= 2
    elif kind == "another number of parameters":
        state["param_groups"][0]["params"] = [0]
    elif kind == "a shape that does not fit":
        state["state"][1]["exp_avg"] = autodiff.zeros(5)
    elif kind == "state of a parameter that is not there":
        state["state"][7] = state["state"][1]
    elif kind == "state that is no tensor":
        state["state"][1]["exp_avg"] = "a"
    elif kind == "no groups at all":
        del state["param_groups"]
    return state


@pytest.mark.parametrize(
    "kind",
    [
        "another number of groups",
        "another number of parameters",
        "a shape that does not fit",
        "state of a parameter that is not there",
        "state that is no tensor",
        "no groups at all",
    ],
)
def test_a_state_dict_that_does_not_fit_is_refused_whole(kind):
    params = parameters(autodiff)
    optimizer = optim.Adam(params, lr=0.05)
    train(autodiff, params, optimizer, 3)
    other = optim.Adam(parameters(autodiff), lr=0.7)
    before = snapshot(optimizer)
    saved = broken(kind, optimizer.state_dict())
    saved.get("param_groups", [{}])[0]["lr"] = other.param_groups[0]["lr"]
    with pytest.raises((ValueError, KeyError, TypeError)):
        optimizer.load_state_dict(saved)
    assert snapshot(optimizer) == before


@every_optimizer
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_an_optimizer_is_copied_with_its_parameters(make, duplicate):
    params = parameters(autodiff)
    optimizer = make(params)
    train(autodiff, params, optimizer, 3)
    (copies, second) = duplicate((params, optimizer))
    assert second.param_groups[0]["params"][0] is copies[0]
    train(autodiff, copies, second, 3)
    train(autodiff, params, optimizer, 3)
    np.testing.assert_array_equal(values(copies), values(params))


def test_repr_shows_the_options_of_each_group():
    text = repr(optim.SGD(parameters(autodiff), lr=0.25, momentum=0.5))
    for part in ("SGD (", "Parameter Group 0", "lr: 0.25", "momentum: 0.5"):
        assert part in text
    assert "params" not in text
