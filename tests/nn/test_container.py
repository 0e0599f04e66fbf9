from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
import nn


class Add(nn.Module):
    def __init__(self, number):
        self.number = number

    def forward(self, numbers):
        return [*numbers, self.number]


numbers = st.lists(st.integers(0, 9), max_size=5)


@given(st.lists(numbers, max_size=4))
def test_a_sequential_of_sequentials_is_the_sequential_of_all(groups):
    nested = nn.Sequential(*[nn.Sequential(*map(Add, group)) for group in groups])
    flat = nn.Sequential(*[Add(n) for group in groups for n in group])
    assert nested([]) == flat([])


@given(numbers, st.data())
def test_sequential_and_module_list_change_as_a_list(values, data):
    expected = list(values)
    rows = [nn.Sequential(*map(Add, values)), nn.ModuleList(map(Add, values))]
    for _ in range(data.draw(st.integers(0, 6))):
        change = data.draw(st.sampled_from(["append", "extend", "insert", "pop", "del", "set"]))
        n, more = data.draw(st.integers(0, 9)), data.draw(numbers)
        if change in ("pop", "set", "del") and not expected:
            continue
        i = data.draw(st.integers(-len(expected), max(len(expected) - 1, 0)))
        for row in rows:
            if change == "append":
                row.append(Add(n))
            elif change == "extend":
                row.extend(map(Add, more))
            elif change == "insert":
                row.insert(i, Add(n))
            elif change == "pop":
                assert row.pop(i).number == expected[i]
            elif change == "del":
                del row[i:]
            else:
                row[i] = Add(n)
        if change == "append":
            expected.append(n)
        elif change == "extend":
            expected.extend(more)
        elif change == "insert":
            expected.insert(i, n)
        elif change == "pop":
            expected.pop(i)
        elif change == "del":
            del expected[i:]
        else:
            expected[i] = n
    part = data.draw(st.slices(len(expected)))
    for row in rows:
        assert [module.number for module in row] == expected
        assert len(row) == len(expected)
        assert [name for name, _ in row.named_children()] == [str(i) for i in range(len(row))]
        assert [module.number for module in row[part]] == expected[part]
        assert type(row[part]) is type(row)


def test_a_sequential_of_names_keeps_them_in_slices(torch):
    def make(lib):
        return lib.Sequential(
            OrderedDict(first=lib.Linear(2, 3), second=lib.ReLU(), third=lib.Linear(3, 1))
        )

    ours, theirs = make(nn), make(torch.nn)
    assert ours.first is ours[0]
    for part in (slice(None), slice(1, None), slice(None, None, -1)):
        assert repr(ours[part]) == repr(theirs[part])
    assert repr(ours.append(nn.Tanh())) == repr(theirs.append(torch.nn.Tanh()))
    del ours[0], theirs[0]
    assert repr(ours) == repr(theirs)


def test_a_sequential_of_one_module_dict_holds_it(torch):
    def make(lib):
        return lib.Sequential(lib.ModuleDict({"a": lib.ReLU()}))

    assert repr(make(nn)) == repr(make(torch.nn))


def test_sequentials_add_and_multiply(torch):
    def make(lib):
        row = lib.Sequential(lib.Linear(2, 2), lib.ReLU())
        return [row + lib.Sequential(lib.Tanh()), row * 2, 2 * row]

    for ours, theirs in zip(make(nn), make(torch.nn)):
        assert repr(ours) == repr(theirs)
    with pytest.raises(ValueError, match="list"):
        nn.Sequential().__add__([nn.ReLU()])


@pytest.mark.parametrize("container", [nn.Sequential, nn.ModuleList])
def test_rows_name_what_is_wrong(container):
    row = container()
    for index in (0, -1):
        with pytest.raises(IndexError, match="out of range: there are 0"):
            row[index]
    with pytest.raises(IndexError, match="out of range"):
        row.insert(5, nn.ReLU())
    with pytest.raises(TypeError, match="Module or None, got int"):
        row.append(3)
    with pytest.raises(TypeError, match="extend"):
        row.extend(nn.ReLU())


def test_module_list_shows_equal_neighbours_once(torch):
    def make(lib):
        linears = [lib.Linear(2, 3) for _ in range(3)]
        return lib.ModuleList([*linears, lib.ReLU(), lib.Sequential(lib.Tanh()), lib.Linear(2, 3)])

    assert repr(make(nn)) == repr(make(torch.nn))
    assert repr(nn.ModuleList([])) == repr(torch.nn.ModuleList([]))
    both = nn.ModuleList([nn.ReLU()]) + nn.ModuleList([nn.Tanh()])
    assert [type(module) for module in both] == [nn.ReLU, nn.Tanh]


def test_module_dict_is_a_dict_of_modules(torch):
    def make(lib):
        modules = lib.ModuleDict({"a": lib.Linear(2, 2), "b": lib.ReLU()})
        modules["c"] = lib.Tanh()
        modules.update([("a", lib.Sigmoid())])
        return modules

    ours = make(nn)
    assert repr(ours) == repr(make(torch.nn))
    assert list(ours) == list(ours.keys()) == ["a", "b", "c"]
    assert list(ours.values()) == [ours["a"], ours["b"], ours.c]
    assert "b" in ours and "training" not in ours and len(ours) == 3
    assert ours.pop("a").__class__ is nn.Sigmoid
    del ours["b"]
    assert dict(ours.items()) == {"c": ours.c}
    ours.clear()
    assert not list(ours.children())
    with pytest.raises(KeyError):
        ours["a"]
    with pytest.raises(KeyError, match="already"):
        ours["keys"] = nn.ReLU()


def test_dicts_of_modules_are_compared_and_hashed_as_modules():
    first, second = nn.ModuleDict(), nn.ModuleDict()
    assert first == first and first != second and {first, second}


def test_parameter_list_makes_parameters_of_tensors():
    values = nn.ParameterList([autodiff.zeros(2), nn.Parameter(autodiff.ones(3))])
    values.append(autodiff.zeros(1)).extend([autodiff.zeros(4)])
    values += ["other"]
    assert [name for name, _ in values.named_parameters()] == ["0", "1", "2", "3"]
    assert len(values) == 5 and values[-1] == "other"
    values[0] = autodiff.ones(2)
    assert type(values[0]) is nn.Parameter and values[0].tolist() == [1.0, 1.0]
    assert [p.shape[0] for p in values[1:4]] == [3, 1, 4]
    assert list(values)[1] is values[1]
    with pytest.raises(IndexError, match="out of range"):
        values[9]
    with pytest.raises(TypeError, match="extend"):
        values.extend(autodiff.zeros(3))


def test_parameter_dict_is_a_dict_of_parameters():
    values = nn.ParameterDict({"b": autodiff.zeros(2), "a": autodiff.ones(1)})
    values["n"] = 3
    assert list(values) == ["b", "a", "n"] and list(reversed(values)) == ["n", "a", "b"]
    assert [name for name, _ in values.named_parameters()] == ["b", "a"]
    assert values.b is values["b"] and type(values.b) is nn.Parameter
    assert values.get("z", 5) == 5 and values.setdefault("n") == 3
    assert values.popitem() == ("n", 3) and "n" not in values
    assert list(values | {"c": autodiff.ones(1)}) == ["b", "a", "c"]
    assert values.copy()["a"] is values["a"]
    values.pop("a")
    values |= {"z": autodiff.ones(1)}
    assert list(values.state_dict()) == ["b", "z"]
    assert list(values.fromkeys(["p", "q"], 1).items()) == [("p", 1), ("q", 1)]
    values.clear()
    assert len(values) == 0
    with pytest.raises(KeyError):
        values["b"]
    with pytest.raises(KeyError, match="already"):
        values["forward"] = autodiff.ones(1)
    with pytest.raises(TypeError, match="string"):
        values[3] = autodiff.ones(1)


def test_the_text_of_parameter_containers_is_pytorchs(torch):
    def make(lib, core):
        return (
            lib.ParameterList([core.zeros(2), core.zeros(2, 3), 5]),
            lib.ParameterDict({"a": core.zeros(2), "b": 3}),
            lib.ParameterList(),
        )

    ours, theirs = make(nn, autodiff), make(torch.nn, torch)
    assert [repr(x).replace("autodiff", "torch").split() for x in ours] == [
        repr(x).replace("FloatTensor", "float32").split() for x in theirs
    ]


def test_a_compiled_module_takes_its_place_in_a_row():
    x = autodiff.ones(1, 2)
    for make in (lambda row: nn.Sequential(*row), nn.ModuleList):
        row = make([nn.Linear(2, 3), nn.ReLU()])
        keys = list(row.state_dict())
        for i, module in enumerate(row):
            row[i] = autodiff.compile(module)
        assert len(row) == len(list(row)) == 2
        assert list(row.state_dict()) == keys
    model = nn.Sequential(autodiff.compile(nn.Linear(2, 3)), nn.ReLU())
    assert model(x).shape == (1, 3)
    assert (model(x) == model(x)).all()


def test_what_is_read_off_the_attributes_is_not_to_be_written_to():
    layer = nn.Linear(2, 2)
    for held in (layer._parameters, nn.Sequential(layer)._modules, layer._buffers):
        with pytest.raises(TypeError):
            held["x"] = None


def test_refusals_say_how_to_write_it():
    with pytest.raises(TypeError, match=r"one by one, as in Sequential\(\*modules\)"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(TypeError, match=r"the class ReLU: write ReLU\(\)"):
        nn.Sequential(nn.ReLU)
    with pytest.raises(RuntimeError, match="CPU"):
        nn.ReLU().cuda()
