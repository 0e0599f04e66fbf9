"""Arguments and results of compiled functions, and what can be compiled."""

from collections import OrderedDict, namedtuple
from functools import partial

import numpy as np

import autodiff
import nn
import nn.functional as F
import optim
from autodiff import float64, tensor
from tests.autodiff.compiler.scenarios import (
    agree,
    data,
    network,
)

Pair = namedtuple("Pair", "a b")


def test_arguments_and_results_of_all_kinds():
    def scenario(run):
        @run.compile
        def f(pair, flag, name, k, n=None, *rest, scale=1.0, **more):
            chosen = pair.a if flag else pair.b
            return Pair(chosen * k * scale, {"name": [name, n, len(rest), more], 2: (chosen, None)})

        for i in range(3):
            pair = Pair(tensor([1.0, i]), tensor([2.0, i]))
            calls = [
                ((pair, True, "x", 2), {}),
                ((pair, False, "x", 2.5), {}),
                ((pair, True, "y", True, None), {"scale": 3}),
                ((pair, True, "y", 1, 2, 3, 4), {"z": "w"}),
                ((pair,), {"flag": False, "name": "x", "k": 2}),
            ]
            for args, options in calls:
                result = f(*args, **options)
                run.note(type(result).__name__, result)

    agree(scenario, recordings=5)


def test_one_tensor_can_be_a_positional_and_a_named_argument():
    def scenario(run):
        f = run.compile(lambda x, y: x * 2 + y)
        for i in range(3):
            x = tensor([1.0, i])
            run.note(f(x, y=x))

    agree(scenario, recordings=1)


def test_nested_containers_of_tensors_are_arguments():
    def scenario(run):
        f = run.compile(lambda d: {"y": [d["a"] * d["b"][0], d["b"][1][0]], "k": (3, "s")})
        for i in range(3):
            x = tensor([1.0, i])
            run.note(f({"a": x, "b": [x + 1, (x + 2,)]}))
        run.note(f({"a": x, "b": [x, (x,)]}))
        run.note(f({"a": x, "b": [x + 1, (x + 2,)]}))

    agree(scenario, recordings=2)


def test_ordered_dicts_are_arguments_and_results():
    def scenario(run):
        f = run.compile(lambda d: OrderedDict(y=d["a"] * 2))
        for i in range(3):
            result = f(OrderedDict(a=tensor([1.0, i])))
            run.note(type(result).__name__, result)

    agree(scenario, recordings=1)


def test_bools_ints_floats_and_numpy_numbers_are_told_apart():
    def scenario(run):
        kinds = (bool, int, float, np.float32, np.int64)
        f = run.compile(lambda x, k: x * (kinds.index(type(k)) + 1))
        for k in (True, 1, 1.0, np.float32(1), np.int64(1)) * 2:
            run.note(f(tensor([1.0, 2.0]), k))
        signs = run.compile(lambda x, k: x * k)
        for k in (0.0, -0.0) * 2:
            run.note(np.signbit(signs(tensor([1.0, 2.0]), k).numpy()))

    agree(scenario)


def test_arrays_are_arguments():
    def scenario(run):
        w = nn.Parameter(autodiff.ones(3, dtype=float64))

        @run.compile
        def f(a, b):
            w.grad = None
            x = autodiff.from_numpy(a)
            loss = (x * w + autodiff.tensor(b) + autodiff.as_tensor(a) * b).sum()
            loss.backward()
            return loss, x

        for i in range(4):
            a, b = np.full(3, float(i)), np.arange(3.0) + i
            run.note(f(a, b), f(a, a), w.grad, a, b)

    agree(scenario, recordings=2)


def test_arrays_and_tensors_from_outside_that_are_written_between_calls_are_read_anew():
    def scenario(run):
        array, filled = np.ones(3), autodiff.ones(3)
        f = run.compile(lambda x: x * autodiff.from_numpy(array) + x * array + x * filled)
        for i in range(4):
            array[:] = i
            filled.fill_(i)
            run.note(f(data()[0]))

    agree(scenario, recordings=1)


def test_array_arguments_index_tensors():
    def scenario(run):
        f = run.compile(lambda x, i: x[i].sum() + x[autodiff.from_numpy(i)].sum())
        x = autodiff.arange(5.0)
        for i in range(3):
            run.note(f(x, np.array([i, i + 1])))

    agree(scenario, recordings=1)


def test_one_tensor_or_array_given_twice_is_not_taken_for_two():
    def scenario(run):
        f = run.compile(lambda a, b: autodiff.as_tensor(a) * 2 + autodiff.as_tensor(b))
        a, b = np.ones(3), np.full(3, 5.0)
        x, y = autodiff.ones(3), autodiff.full((3,), 5.0)
        for pair in [(a, a), (a, b), (b, a), (x, x), (x, y), (y, x), (x, x.detach()), (x, x)]:
            run.note(f(*pair))

    agree(scenario)


def test_an_argument_that_is_also_a_parameter_is_only_itself_then():
    def scenario(run):
        w, q = nn.Parameter(autodiff.ones(3)), nn.Parameter(autodiff.full((3,), 5.0))
        f = run.compile(lambda x: (x * w).sum())
        for x in (w, q, w, q):
            w.grad = q.grad = None
            f(x).backward()
            run.note(f(x), w.grad, q.grad)

    agree(scenario)


def test_arguments_written_inside_are_written():
    def scenario(run):
        @run.compile
        def f(a, b):
            a.add_(1.0)
            b[0] = a.sum()
            return a * b

        for i in range(4):
            a, b = tensor([1.0, i]), tensor([2.0, i])
            run.note(f(a, b), a, b)

    agree(scenario, recordings=1)


def test_layouts_and_dtypes_of_arguments_are_respected():
    def scenario(run):
        f = run.compile(lambda x: (x @ x.T).sum() + x.reshape(-1)[1] + x.flatten().cumsum(0))
        whole = autodiff.arange(24.0).reshape(4, 6)
        views = [whole, whole.T, whole[::2], whole[:, ::3], whole.flip(0), whole[1:3], whole[:, 1:]]
        views += [autodiff.ones(1, 1).expand(3, 4), whole[:1], whole[:1].T]
        for x in views:
            run.note(f(x), f(x + 0), f(x))
        g = run.compile(lambda x: x * 2 + 1)
        for dtype in ("float32", "float64", "int64", "float16", "bool", "uint8"):
            x = autodiff.ones(3).to(getattr(autodiff, dtype))
            run.note(g(x), g(x))

    agree(scenario)


def test_methods_are_compiled_for_each_object():
    def scenario(run):
        class Trainer:
            def __init__(self, rate):
                self.model = network()
                self.optimizer = optim.SGD(self.model.parameters(), lr=rate)

            @run.compile
            def step(self, x, y):
                self.optimizer.zero_grad()
                loss = F.mse_loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                return loss

            @run.compile(fullgraph=True)
            def loss(self, x, y):
                return F.mse_loss(self.model(x), y)

            @staticmethod
            @run.compile
            def double(x):
                return x * 2

        a, b = Trainer(0.1), Trainer(0.5)
        for i in range(4):
            run.note(a.step(*data(seed=i)), b.step(*data(seed=i)), a.model, b.model)
            run.note(a.loss(*data()), Trainer.loss(b, *data()), a.double(data()[0]))

    agree(scenario, recordings=5)


def test_partials_callable_objects_and_bound_methods_are_compiled():
    class Scale:
        def __init__(self):
            self.factor = tensor(3.0)

        def __call__(self, x):
            return x * self.factor

    def scenario(run):
        layer, scale = nn.Linear(2, 2), Scale()
        functions = [partial(F.elu, alpha=0.3), scale, scale.__call__, layer.forward, F.gelu]
        compiled = [run.compile(function) for function in functions]
        for i in range(3):
            run.note([f(tensor([[1.0, i]])) for f in compiled])
            scale.factor.add_(1.0)

    agree(scenario, recordings=5)


def test_a_compiled_function_keeps_name_documentation_and_signature():
    import inspect

    @autodiff.compile
    def step(x, scale=2.0):
        """Twice."""
        return x * scale

    assert (step.__name__, step.__doc__) == ("step", "Twice.")
    assert str(inspect.signature(step)) == "(x, scale=2.0)"


def test_a_compiled_module_passes_on_its_attributes():
    model = network(nn.Dropout(0.5))
    compiled = autodiff.compile(model)
    compiled.eval()
    assert not model.training
    assert list(compiled.state_dict()) == list(model.state_dict())
    assert all(a is b for a, b in zip(compiled.parameters(), model.parameters(), strict=True))
    compiled.requires_grad_(False)
    assert not model[0].weight.requires_grad
