import copy

import numpy as np
import pytest

import autodiff
import nn


def test_forward_hooks_see_and_replace_arguments_and_output():
    layer = nn.Identity()
    calls = []
    layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    layer.register_forward_pre_hook(lambda module, args: args[0] * 10)
    layer.register_forward_hook(lambda module, args, output: calls.append((args, output)))
    layer.register_forward_hook(lambda module, args, output: output - 1)
    assert layer(autodiff.tensor(1.0)).item() == 19.0
    assert calls[0][0][0].item() == 20.0 and calls[0][1].item() == 20.0


def test_hooks_take_keywords_on_request():
    class Sum(nn.Module):
        def forward(self, x, y=0):
            return x + y

    layer = Sum()
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"y": 5}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, out: out * kwargs["y"], with_kwargs=True)
    assert layer(1, y=2) == 30


def test_hooks_run_in_order_unless_prepended_and_stop_when_removed():
    layer, order = nn.Identity(), []
    first = layer.register_forward_hook(lambda *_: order.append(1))
    layer.register_forward_hook(lambda *_: order.append(2), prepend=True)
    layer(0)
    first.remove()
    layer(0)
    assert order == [2, 1, 2]
    with layer.register_forward_hook(lambda *_: order.append(3)):
        layer(0)
    layer(0)
    assert order == [2, 1, 2, 2, 3, 2]


def backward_calls(lib, make, two_inputs, scale=None):
    """The gradients that backward hooks saw, and those that came out."""

    class Product(lib.Module):
        def forward(self, x, y=None):
            return x * x * (1.0 if y is None else y)

    layer, seen = Product(), []

    def backward(module, grad_input, grad_output):
        seen.append([None if g is None else g.tolist() for g in (*grad_input, *grad_output)])
        return None if scale is None else tuple(g if g is None else g * scale for g in grad_input)

    layer.register_full_backward_hook(backward)
    layer.register_full_backward_pre_hook(lambda module, g: (g[0] * 2,))
    x, y = make([1.0, 2.0], requires_grad=True), make([3.0, 4.0], requires_grad=True)
    out = (layer(x, y) if two_inputs else layer(x)).sum()
    out.backward(retain_graph=True)
    out.backward()
    return seen, x.grad.tolist(), y.grad.tolist() if two_inputs else None


@pytest.mark.parametrize("two_inputs", [False, True])
@pytest.mark.parametrize("scale", [None, 10.0])
def test_backward_hooks_see_and_replace_what_pytorchs_do(torch, two_inputs, scale):
    ours = backward_calls(nn, autodiff.tensor, two_inputs, scale)
    assert ours == backward_calls(torch.nn, torch.tensor, two_inputs, scale)


def test_backward_hooks_run_where_no_input_requires_grad():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda module, *gradients: seen.append(gradients))
    layer(autodiff.ones(3, 2)).sum().backward()
    ((grad_input, grad_output),) = seen
    assert grad_input == (None,)
    assert grad_output[0].tolist() == [[1.0]] * 3
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]


def test_backward_hooks_stay_away_under_no_grad():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda *_: 1 / 0)
    with autodiff.no_grad():
        assert not layer(autodiff.ones(3, 2, requires_grad=True)).requires_grad


def test_backward_hooks_take_several_outputs():
    class Split(nn.Module):
        def forward(self, x):
            return x * 2, x * 3

    layer, seen = Split(), []
    layer.register_full_backward_hook(lambda module, gi, go: seen.append((gi, go)))
    x = autodiff.ones(2, requires_grad=True)
    a, b = layer(x)
    (a + b).sum().backward()
    a, b = layer(x)
    a.sum().backward()
    assert [g.tolist() for g in seen[0][1]] == [[1.0, 1.0], [1.0, 1.0]]
    assert seen[0][0][0].tolist() == [5.0, 5.0]
    assert seen[1][1][1] is None
    assert x.grad.tolist() == [7.0, 7.0]


def test_state_hooks_rename_keys_both_ways():
    layer = nn.Linear(2, 1, bias=False)

    def rename(module, state, prefix, metadata):
        state[prefix + "kernel"] = state.pop(prefix + "weight")

    def restore(module, state, prefix, metadata, strict, missing, unexpected, errors):
        state[prefix + "weight"] = state.pop(prefix + "kernel")

    calls = []
    layer.register_state_dict_pre_hook(lambda *args: calls.append(args))
    layer.register_state_dict_post_hook(rename)
    layer.register_load_state_dict_pre_hook(restore)
    net = nn.Sequential(layer)
    state = net.state_dict()
    assert list(state) == ["0.kernel"] and calls == [(layer, "0.", False)]
    net.load_state_dict({"0.kernel": np.ones((1, 2))})
    assert layer.weight.tolist() == [[1.0, 1.0]]


def test_a_hook_after_loading_may_forgive_missing_keys():
    layer = nn.Linear(2, 1)
    layer.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    layer.load_state_dict({"weight": autodiff.ones(1, 2)})
    assert layer.weight.tolist() == [[1.0, 1.0]]


def test_a_hook_before_loading_can_refuse():
    layer = nn.Linear(2, 1)
    layer.register_load_state_dict_pre_hook(lambda *args: args[-1].append("too old"))
    with pytest.raises(RuntimeError, match="too old"):
        layer.load_state_dict(layer.state_dict())


def test_copies_have_hooks_of_their_own():
    layer, calls = nn.Identity(), []
    handle = layer.register_forward_hook(lambda *_: calls.append(1))
    other = copy.deepcopy(layer)
    handle.remove()
    layer(0)
    assert calls == []
    other(0)
    assert calls == [1]


def test_an_error_in_a_hook_names_the_module():
    layer = nn.Identity()
    layer.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        nn.Sequential(layer)(0)
    assert caught.value.__notes__ == ["in 0 (Identity)"]
