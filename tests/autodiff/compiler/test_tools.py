"""What a compiled step shows of itself: source, export, explanation; verification, threads."""

import gc
import importlib.util
import os
import subprocess
import sys
import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff.compiler import plan
from autodiff.compiler.program import Program
from autodiff.compiler.verify import VerificationError

F = nn.functional


def training(optimizer=optim.Adam, loss=F.cross_entropy, **options):
    """A model, its optimizer, and the step as a plain function."""
    autodiff.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    updates = optimizer(model.parameters(), lr=0.05, **options)

    def step(x, y):
        updates.zero_grad()
        value = loss(model(x), y)
        value.backward()
        updates.step()
        return value

    return model, updates, step


def batch(seed=0, rows=6):
    rng = np.random.default_rng(seed)
    x = autodiff.tensor(rng.standard_normal((rows, 4)).astype("float32"))
    return x, autodiff.tensor(rng.integers(0, 3, rows))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_source_is_numpy_named_and_grouped_after_the_model():
    _, _, step = training()
    compiled = autodiff.compile(step)
    with pytest.raises(RuntimeError, match="call it first"):
        _ = compiled.source
    compiled(*batch())
    source = compiled.source
    for text in ("# forward", "# backward", "# update", "# 0 (Linear)", "d_weight_0", "bias_2"):
        assert text in source
    assert "autodiff" not in source


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (optim.SGD, {}),
        (optim.SGD, {"momentum": 0.9}),
        (optim.Adam, {"weight_decay": 0.1}),
        (optim.AdamW, {"amsgrad": True}),
        (optim.RMSprop, {"momentum": 0.9, "centered": True}),
        (optim.NAdam, {}),
        (optim.RAdam, {}),
        (optim.ASGD, {}),
        (optim.Rprop, {}),
    ],
)
def test_an_exported_training_step_goes_on_with_numpy_alone(tmp_path, optimizer, options, inside):
    model, _, step = training(optimizer, **options)
    compiled = autodiff.compile(step, fullgraph=True)
    for i in range(3):
        compiled(*batch(i))
    compiled.export(tmp_path / "exported.py", inside)
    assert (tmp_path / "exported.npz").exists() is not inside
    module = load(tmp_path / "exported.py")
    for i in range(3, 7):
        x, y = batch(i)
        expected = compiled(x, y).item()
        np.testing.assert_allclose(module.step(x.numpy(), y.numpy()), expected, rtol=1e-6)
    for name, parameter in zip(["weight_0", "bias_0"], model.parameters()):
        np.testing.assert_allclose(module.weights[name], parameter.detach().numpy(), rtol=1e-6)
    with pytest.raises(ValueError, match="shape"):
        module.step(x.numpy()[:2], y.numpy())
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import exported; print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"autodiff", "nn", "optim"} & set(ran.stdout.split())


def test_an_exported_model_infers(tmp_path):
    model, _, _ = training()
    compiled = autodiff.compile(model.eval(), fullgraph=True)
    x, _ = batch()
    with autodiff.no_grad():
        compiled(x)
        compiled.export(tmp_path / "model.py")
        out = load(tmp_path / "model.py")
        function = next(f for name, f in vars(out).items() if name in ("Sequential", "run", "step"))
        np.testing.assert_allclose(function(x.numpy()), model(x).numpy(), rtol=1e-6)


def test_an_exported_lambda_is_called_run(tmp_path):
    compiled = autodiff.compile(lambda x: 2 * x)
    compiled(autodiff.ones(2))
    compiled.export(tmp_path / "doubled.py")
    assert load(tmp_path / "doubled.py").run(np.ones(2, np.float32)).tolist() == [2, 2]


def test_export_says_what_it_cannot_write(tmp_path):
    compiled = autodiff.compile(lambda x: x * autodiff.host(lambda: 2.0))
    compiled(autodiff.ones(2))
    with pytest.raises(ValueError, match="cannot be written down"):
        compiled.export(tmp_path / "step.py")
    with pytest.raises(ValueError, match=r"end in \.py"):
        compiled.export(tmp_path / "step.txt")


def test_explain_counts_calls_buffers_and_what_was_merged():
    _, _, step = training()
    compiled = autodiff.compile(step)
    compiled(*batch())
    text = compiled.explain()
    for words in ("calls recorded", "after merge", "buffers", "merged", "4 tensors as parameters"):
        assert words in text


def test_verify_accepts_what_is_right_and_leaves_the_state_of_one_step():
    (model, _, step), (twin, _, other) = training(), training()
    compiled = autodiff.compile(step, verify=True, fullgraph=True)
    for i in range(4):
        assert compiled(*batch(i)).item() == pytest.approx(other(*batch(i)).item(), rel=1e-5)
    for p, q in zip(model.parameters(), twin.parameters()):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5)


def test_verify_names_what_differs():
    compiled = autodiff.compile(lambda x: (x * 3).tanh(), verify=True)
    x = autodiff.tensor([0.1, 0.2])
    compiled(x)
    (entry,) = compiled.entries
    source = entry.source.replace("tanh(", "sin(").replace("import ", "import sin, ")
    exec(compile(source, "a fault", "exec"), entry.globals)
    with pytest.raises(VerificationError, match="result 0 differs"):
        compiled(x)


@pytest.mark.parametrize("name", ["dead", "merge", "constants", "simplify", "common", "blocks"])
def test_every_pass_can_be_left_out(name):
    (model, _, step), (twin, _, other) = training(weight_decay=0.1), training(weight_decay=0.1)
    compiled = autodiff.compile(step, disable=[name], fullgraph=True)
    for i in range(4):
        assert compiled(*batch(i)).item() == pytest.approx(other(*batch(i)).item(), rel=1e-5)
    for p, q in zip(model.parameters(), twin.parameters()):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_unknown_passes_are_refused():
    with pytest.raises(ValueError, match="speed"):
        autodiff.compile(lambda x: x, disable=["speed"])


def chain(w, x):
    return ((w * x + 0.5).tanh() * w).exp().sum()


@pytest.fixture
def threads():
    before = autodiff.get_num_threads()
    yield autodiff.set_num_threads
    autodiff.set_num_threads(before)


def test_results_do_not_depend_on_the_number_of_threads(threads):
    rng = np.random.default_rng(0)
    x, w = (autodiff.tensor(rng.standard_normal(30 * plan.BLOCK + 7)) for _ in range(2))
    compiled = autodiff.compile(chain, fullgraph=True)
    compiled(w, x)
    results = []
    for count in (1, 2, 3, 7):
        threads(count)
        results.append(compiled(w, x).item())
    assert len(set(results)) == 1
    assert results[0] == pytest.approx(chain(w, x).item(), rel=1e-12)
    assert "sums, on 7 threads" in compiled.explain()


def test_the_number_of_threads_must_be_positive(threads):
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="positive integer"):
            threads(wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_threads_of_its_own(threads):
    x = autodiff.ones(30 * plan.BLOCK)
    compiled = autodiff.compile(chain)
    threads(2)
    compiled(x, x)
    expected = compiled(x, x).item()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # fork with threads, from Python 3.12 on
        child = os.fork()
    if not child:
        os._exit(0 if compiled(x, x).item() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_errors_in_threads_come_out(threads):
    threads(2)

    def fail(part):
        raise ZeroDivisionError(part)

    with pytest.raises(ZeroDivisionError):
        autodiff.compiler.threads.together(fail, [1, 2])


def peak(step, *args):
    gc.collect()
    tracemalloc.start()
    try:
        step(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_compiled_step_takes_no_more_memory_than_the_eager_one_and_the_arena():
    def wide(compiled):
        autodiff.manual_seed(0)
        layers = (nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
        model = nn.Sequential(*layers)
        updates = optim.Adam(model.parameters())

        def step(x, y):
            updates.zero_grad()
            value = F.cross_entropy(model(x), y)
            value.backward()
            updates.step()
            return value

        step = autodiff.compile(step, fullgraph=True) if compiled else step
        x = autodiff.rand(128, 64)
        y = autodiff.randint(10, (128,))
        for _ in range(3):
            step(x, y)
        arena = sum(p.nbytes for p in model.parameters())
        return step, x, y, arena

    step, x, y, arena = wide(False)
    eager = peak(step, x, y)
    step, x, y, arena = wide(True)
    assert peak(step, x, y) < 0.2 * eager
    (entry,) = step.entries
    made = [v for v in entry.plan.made if entry.plan.slots[v].how in ("empty", "zeros", "constant")]
    assert sum(v.nbytes for v in made) <= eager + arena


def test_eager_updates_are_compiled_and_identical():
    (model, updates, step), (twin, plain, other) = training(), training()
    plain.programs = None
    for i in range(6):
        step(*batch(i))
        other(*batch(i))
    (update,) = updates.programs.values()
    assert update.entry is not None
    for p, q in zip(model.parameters(), twin.parameters()):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_a_tensor_that_somebody_else_refers_to_is_not_moved():
    model, _, step = training()
    kept = model[0].weight.detach().numpy()
    compiled = autodiff.compile(step)
    for i in range(3):
        compiled(*batch(i))
    assert model[0].weight._home is None
    assert model[0].bias._home is not None
    assert kept is model[0].weight._array


def test_a_program_as_such_computes_what_its_source_does():
    compiled = autodiff.compile(lambda x, y: ((x @ y).relu() - y.sum(0)).tanh(), fullgraph=True)
    rng = np.random.default_rng(0)
    x, y = (autodiff.tensor(rng.standard_normal((3, 3))) for _ in range(2))
    compiled(x, y)
    (entry,) = compiled.entries
    assert isinstance(entry.program, Program)
    arrays = {v: (x, y)[v.source[1]].numpy() for v in entry.program.inputs}
    (found,), _ = entry.program.run(arrays)
    np.testing.assert_allclose(found, compiled(x, y).numpy(), rtol=1e-12)


@pytest.mark.parametrize("cast", ["float", "half", "double", "long", "bool"])
def test_a_number_of_host_is_as_weak_as_a_python_number(cast):
    settings = SimpleNamespace(weight=0.25)

    def step(x):
        weight = autodiff.host(lambda: settings.weight)
        x = getattr(x, cast)()
        return x.sum() * weight, x * weight, autodiff.maximum(x.sum(), x.sum() * weight)

    compiled = autodiff.compile(step, fullgraph=True)
    for settings.weight in (0.25, 0.5, 3.0):
        for found, expected in zip(compiled(autodiff.ones(2)), step(autodiff.ones(2)), strict=True):
            assert found.dtype == expected.dtype
            assert found.tolist() == expected.tolist()


def test_a_number_of_host_may_be_a_result():
    numbers = iter([1.0, 2.0, 3.0])
    compiled = autodiff.compile(
        lambda x: (x * 2, autodiff.host(lambda: next(numbers))), fullgraph=True
    )
    assert [compiled(autodiff.ones(2))[1].item() for _ in range(3)] == [1.0, 2.0, 3.0]
