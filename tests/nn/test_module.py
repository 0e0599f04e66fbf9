import copy
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
import nn


class Scale(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.factor = nn.Parameter(autodiff.ones(size))
        self.register_buffer("seen", autodiff.zeros(2))
        self.register_buffer("hidden", autodiff.zeros(2), persistent=False)

    def forward(self, x):
        return x * self.factor


class Net(nn.Module):
    """Modules and parameters in every place they may stand in."""

    def __init__(self):
        self.layers = [nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 2))]
        self.parts = {"gain": nn.Parameter(autodiff.ones(1)), "deep": ([Scale(2)],)}
        self.scale = Scale()
        self.bias = nn.Parameter(autodiff.zeros(3))
        self.name = "net"

    def forward(self, x):
        return self.layers[1](self.layers[0](x) + self.bias)


def test_parameters_in_lists_tuples_and_dicts_come_after_those_in_attributes():
    assert [name for name, _ in Net().named_parameters()] == [
        "bias",
        "parts.gain",
        "scale.factor",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.1.weight",
        "layers.1.1.bias",
        "parts.deep.0.0.factor",
    ]
    assert [name for name, _ in Net().named_children()] == [
        "scale",
        "layers.0",
        "layers.1",
        "parts.deep.0.0",
    ]


def make_twin(torch):
    """The same tree for either library."""

    def make(lib, zeros):
        class Block(lib.Module):
            def __init__(self):
                super().__init__()
                self.w = lib.Parameter(zeros(2, 3))
                self.register_buffer("count", zeros(1))
                self.inner = lib.Linear(3, 3)
                self.register_parameter("nothing", None)
                self.register_buffer("unsaved", zeros(2), persistent=False)

            def forward(self, x):
                return self.inner(x @ self.w)

            def extra_repr(self):
                return "size=3"

        class Model(lib.Module):
            def __init__(self):
                super().__init__()
                self.b = lib.Parameter(zeros(1))
                self.one = Block()
                self.two = lib.Sequential(lib.Linear(3, 4), lib.Tanh(), self.one)
                self.three = lib.ModuleDict({"x": lib.ModuleList([lib.ReLU(), lib.ReLU()])})
                self.tied = self.one.inner

        return Model()

    return make(nn, autodiff.zeros), make(torch.nn, torch.zeros)


def names(pairs):
    return [name for name, _ in pairs]


def test_names_and_order_are_pytorchs(torch):
    ours, theirs = make_twin(torch)
    for what in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert names(getattr(ours, what)()) == names(getattr(theirs, what)()), what
    for what in ("named_parameters", "named_buffers"):
        for options in (
            {"recurse": False},
            {"prefix": "net"},
            {"remove_duplicate": False},
            {"prefix": "net", "recurse": False},
        ):
            assert names(getattr(ours, what)(**options)) == names(getattr(theirs, what)(**options))
    assert names(ours.named_modules(prefix="m", remove_duplicate=False)) == names(
        theirs.named_modules(prefix="m", remove_duplicate=False)
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(ours.state_dict(prefix="p.")) == list(theirs.state_dict(prefix="p."))
    assert list(ours._modules) == list(theirs._modules)
    assert list(ours.one._buffers) == list(theirs.one._buffers)


def test_the_text_of_a_model_is_pytorchs(torch):
    ours, theirs = make_twin(torch)
    assert repr(ours) == repr(theirs)


def test_a_shared_parameter_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    net = nn.Sequential(first, second, first)
    assert names(net.named_parameters()) == ["0.weight", "0.bias", "1.bias"]
    assert len(list(net.parameters())) == 3
    assert len(net.state_dict()) == 6


def test_super_init_is_not_needed_and_harmless():
    class Bare(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    assert len(list(Bare().parameters())) == len(list(Net().scale.parameters())) + 1
    assert Bare().training


def test_a_dataclass_can_be_a_module():
    @dataclass
    class Pair(nn.Module):
        first: nn.Module
        second: nn.Module

        def forward(self, x):
            return self.second(self.first(x))

    assert names(Pair(nn.ReLU(), nn.Linear(2, 2)).named_parameters()) == [
        "second.weight",
        "second.bias",
    ]


def test_attributes_are_plain_attributes():
    layer = nn.Linear(2, 3)
    assert vars(layer)["weight"] is layer.weight
    assert "__getattr__" not in vars(nn.Module)
    del layer.bias
    assert names(layer.named_parameters()) == ["weight"]
    with pytest.raises(AttributeError):
        _ = layer.bias


def test_a_parameter_is_not_replaced_by_a_tensor_that_would_not_be_trained():
    layer = nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"Linear.weight is a Parameter and cannot become a Tensor"):
        layer.weight = autodiff.zeros(3, 2)
    layer.weight = nn.Parameter(autodiff.zeros(3, 2))
    layer.bias = None
    assert names(layer.named_parameters()) == ["weight"]
    net = nn.Sequential(layer)
    with pytest.raises(TypeError, match="is a Linear and cannot become a function"):
        setattr(net, "0", lambda x: x)


def test_registering_checks_names_and_types():
    net = nn.Module()
    for register, value in (
        (net.register_parameter, nn.Parameter(autodiff.zeros(1))),
        (net.register_buffer, autodiff.zeros(1)),
        (net.add_module, nn.ReLU()),
    ):
        with pytest.raises(TypeError, match="string"):
            register(1, value)
        with pytest.raises(KeyError, match="dot"):
            register("a.b", value)
        with pytest.raises(KeyError, match="empty"):
            register("", value)
        with pytest.raises(KeyError, match="already"):
            register("forward", value)
        with pytest.raises(TypeError, match="got int"):
            register("x", 3)
        register("none", None)
    assert not list(net.parameters()) and not list(net.buffers()) and not list(net.children())
    net.register_module("none", nn.ReLU())
    assert names(net.named_children()) == ["none"]


def test_a_buffer_is_one_whether_registered_or_assigned():
    net = nn.Module()
    net.register_buffer("a", autodiff.zeros(1))
    net.b = nn.Buffer(autodiff.zeros(1))
    net.c = nn.Buffer(autodiff.zeros(1), persistent=False)
    net.d = autodiff.zeros(1)
    assert names(net.named_buffers()) == ["a", "b", "c"]
    assert list(net.state_dict()) == ["a", "b"]
    net.a = net.b = autodiff.ones(1)
    assert list(net.state_dict()) == ["a", "b"]
    assert net.state_dict()["a"].item() == 1.0
    net.a = None
    del net.b
    assert names(net.named_buffers()) == ["c"]


def test_paths_are_found_and_missing_ones_named(torch):
    net, _ = make_twin(torch)
    assert net.get_submodule("two.0") is net.two[0]
    assert net.get_submodule("") is net
    assert net.get_parameter("two.0.weight") is net.two[0].weight
    assert net.get_parameter("tied.weight") is net.one.inner.weight
    assert net.get_buffer("one.count") is net.one.count
    assert Net().get_submodule("layers.1.0").__class__ is nn.ReLU
    with pytest.raises(AttributeError, match=r"no module 'two\.9'"):
        net.get_submodule("two.9")
    with pytest.raises(AttributeError, match=r"no parameter 'one\.count'"):
        net.get_parameter("one.count")


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_the_last_of_train_and_eval_holds_everywhere(modes):
    net = Net()
    for mode in modes:
        assert net.train(mode) is net
    assert {module.training for module in net.modules()} == {modes[-1]}
    assert net.eval() is net and not net.layers[1][0].training


def test_train_refuses_what_is_no_bool():
    with pytest.raises(ValueError, match="True or False"):
        nn.ReLU().train("yes")


def test_apply_goes_to_the_leaves_first():
    seen = []
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_gradients_are_forgotten_or_set_to_zero():
    layer = nn.Linear(2, 1)
    layer(autodiff.ones(1, 2)).sum().backward()
    gradient = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is gradient and (gradient == 0).all()
    layer.zero_grad()
    assert layer.weight.grad is None


def test_requires_grad_switches_all_parameters():
    net = Net()
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())


def test_conversion_keeps_the_objects_and_converts_gradients():
    net = Scale()
    net.register_buffer("count", autodiff.zeros(1, dtype=autodiff.int64))
    parameter, buffer = net.factor, net.seen
    net(autodiff.ones(3)).sum().backward()
    for convert, dtype in (
        (lambda: net.double(), autodiff.float64),
        (lambda: net.float(), autodiff.float32),
        (lambda: net.to(autodiff.float64), autodiff.float64),
        (lambda: net.to(autodiff.zeros(1)), autodiff.float32),
        (lambda: net.to("cpu", autodiff.float64), autodiff.float64),
        (lambda: net.to(dtype=autodiff.float32), autodiff.float32),
        (lambda: net.half(), autodiff.float16),
        (lambda: net.type(autodiff.float64), autodiff.float64),
        (lambda: net.cpu(), autodiff.float64),
    ):
        assert convert() is net
        assert net.factor is parameter and net.seen is buffer
        assert net.factor.dtype == net.factor.grad.dtype == net.seen.dtype == dtype
        if dtype != autodiff.float64:
            assert net.count.dtype == autodiff.int64
    assert net.factor.requires_grad and net.factor.is_leaf


def test_conversion_to_integers_or_another_device_is_refused():
    with pytest.raises(TypeError, match="floating"):
        nn.Linear(2, 2).to(autodiff.int64)
    with pytest.raises(RuntimeError, match="CPU"):
        nn.Linear(2, 2).to("cuda")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_keep_sharing_modes_and_buffers(copied):
    net = nn.Sequential(nn.Linear(2, 2), nn.BCEWithLogitsLoss(pos_weight=autodiff.ones(1)))
    net.append(nn.Linear(2, 2))
    net[2].weight = net[0].weight
    net.eval()
    other = copied(net)
    assert other[2].weight is other[0].weight is not net[0].weight
    assert not other.training and not other[0].training
    assert list(other.state_dict()) == list(net.state_dict())
    assert all((a == b).all() for a, b in zip(net.parameters(), other.parameters()))


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module does not define forward\(\)"):
        nn.Module()(1)


# Errors in forward


class Wrapper(nn.Module):
    def __init__(self, net):
        self.net = net

    def forward(self, x):
        return self.net(x)


def notes(model, x):
    with pytest.raises(RuntimeError) as caught:
        model(x)
    return caught.value.__notes__


def test_an_error_says_once_where_in_the_model_it_arose():
    net = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.Linear(2, 2))
    x = autodiff.zeros(3, 5)
    assert notes(net[2], x) == ["in Linear"]
    assert notes(net, x) == ["in 2 (Linear)"]
    assert notes(Wrapper(net), x) == ["in net.2 (Linear)"]
    assert notes(Wrapper(Wrapper(net)), x) == ["in net.net.2 (Linear)"]


def test_the_path_leads_through_modules_that_are_not_called():
    assert notes(Net(), autodiff.zeros(3, 5)) == ["in layers.0 (Linear)"]


def test_an_error_caught_and_raised_anew_starts_a_new_path():
    class Careful(nn.Module):
        def __init__(self):
            self.net = nn.Linear(2, 2)

        def forward(self, x):
            try:
                return self.net(x)
            except RuntimeError as error:
                raise RuntimeError("again") from error

    assert notes(Wrapper(Careful()), autodiff.zeros(3, 5)) == ["in net (Careful)"]


# State


@given(st.data())
def test_a_state_goes_through_arrays_and_back(data):
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=2, max_size=4))
    layers = [nn.Linear(a, b, bias=data.draw(st.booleans())) for a, b in pairwise(sizes)]
    net = nn.Sequential(*layers)
    other = copy.deepcopy(net)
    for p in other.parameters():
        nn.init.uniform_(p)
    state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    assert repr(other.load_state_dict(state)) == "<All keys matched successfully>"
    for a, b in zip(net.state_dict().values(), other.state_dict().values()):
        assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


def test_a_state_shares_memory_and_is_off_the_tape():
    net = Scale()
    state = net.state_dict()
    assert not state["factor"].requires_grad
    state["factor"][0] = 9.0
    assert net.factor[0].item() == 9.0
    assert net.state_dict(keep_vars=True)["factor"] is net.factor
    destination = {}
    assert net.state_dict(destination=destination, prefix="x.") is destination
    assert list(destination) == ["x.factor", "x.seen"]


def test_loading_keeps_the_parameters_and_copies():
    net, values = nn.Linear(2, 1), autodiff.ones(1, 2)
    weight = net.weight
    net.load_state_dict({"weight": values, "bias": autodiff.zeros(1)})
    assert net.weight is weight and weight.requires_grad and weight.is_leaf
    values[0, 0] = 5.0
    assert weight.tolist() == [[1.0, 1.0]]


def test_loading_casts_to_the_dtype_here_and_assigning_takes_the_one_given():
    state = {"weight": autodiff.ones(1, 2, dtype=autodiff.float64)}
    net = nn.Linear(2, 1, bias=False)
    net.load_state_dict(state)
    assert net.weight.dtype == autodiff.float32
    net.load_state_dict(state, assign=True)
    assert net.weight.dtype == autodiff.float64 and net.weight.requires_grad
    state["weight"][0, 0] = 7.0
    assert net.weight[0, 0].item() == 7.0


def test_loading_writes_all_or_nothing_and_lists_every_problem():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = copy.deepcopy(net)
    state = {
        "0.weight": autodiff.zeros(3, 2),
        "0.bias": autodiff.zeros(4),
        "1.weight": "text",
        "2.weight": autodiff.zeros(1),
    }
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    for part in (
        "does not fit Sequential",
        "0.bias: shape (4,) in the state, (3,) here",
        "1.weight: ",
        "missing keys: 1.bias",
        "unexpected keys: 2.weight",
    ):
        assert part in message
    assert all((a == b).all() for a, b in zip(net.parameters(), before.parameters()))
    with pytest.raises(RuntimeError, match="shape"):
        net.load_state_dict(state, strict=False)
    assert all((a == b).all() for a, b in zip(net.parameters(), before.parameters()))


def test_loading_not_strictly_leaves_out_what_does_not_match():
    net = nn.Linear(2, 1)
    keys = net.load_state_dict({"bias": autodiff.full((1,), 3.0), "other": 1}, strict=False)
    assert keys.missing_keys == ["weight"] and keys.unexpected_keys == ["other"]
    assert net.bias.item() == 3.0


def test_loading_needs_a_dict():
    with pytest.raises(TypeError, match="list"):
        nn.ReLU().load_state_dict([])


def test_extra_state_travels_with_the_rest():
    class Counter(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    first, second = nn.Sequential(Counter()), nn.Sequential(Counter())
    first[0].count = 3
    assert list(first.state_dict()) == ["0._extra_state"]
    second.load_state_dict(first.state_dict())
    assert second[0].count == 3
    with pytest.raises(RuntimeError, match=r"missing keys: 0\._extra_state"):
        second.load_state_dict({})


def test_pytorch_weights_load_both_ways(torch):
    ours = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.Linear(3, 1)))
    theirs = torch.nn.Sequential(OrderedDict(a=torch.nn.Linear(2, 3), b=torch.nn.Linear(3, 1)))
    ours.load_state_dict(theirs.state_dict())
    assert (ours.a.weight.detach().numpy() == theirs.a.weight.detach().numpy()).all()
    for p in ours.parameters():
        nn.init.normal_(p)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    assert (ours.b.weight.detach().numpy() == theirs.b.weight.detach().numpy()).all()


def test_a_buffer_cannot_become_a_number():
    net = nn.Module()
    net.register_buffer("count", autodiff.zeros(1))
    with pytest.raises(TypeError, match="count is a buffer"):
        net.count = 5
    net.count = None
    assert not list(net.buffers())
