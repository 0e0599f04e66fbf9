"""The passes, the planner and block loops: a program computes the same with and without them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff
import nn
import optim
from autodiff.compiler import blocks, get_num_threads, passes, plan, set_num_threads
from autodiff.compiler.arena import flat, home
from autodiff.compiler.entry import PASSES, Recording
from autodiff.compiler.merge import merge
from autodiff.compiler.passes import common, constants, dead, simplify
from autodiff.compiler.program import Program, Value
from autodiff.compiler.recorded import Opaque, Recorded
from autodiff.compiler.sweep import Sweep
from autodiff.compiler.trace import Trace
from autodiff.tape import TRACE, modes
from autodiff.tensor import Tensor, make
from autodiff.testing.strategies import indices
from tests.autodiff.compiler.test_primitives import assert_same
from tests.autodiff.compiler.test_random_programs import (
    assert_alike,
    contiguous,
    differentiated,
    inputs_of,
    outcome,
    run,
    tensors_of,
)
from tests.autodiff.test_random_programs import WRITING, long_programs
from tests.strategies import Program as RandomProgram

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
few = settings(max_examples=max(settings().max_examples // 4, 1))


def recorded(function: Callable, tensors: Sequence[Tensor]) -> Program:
    """What a trace makes of a run of the function, before any pass."""
    trace = Trace(fullgraph=True)
    for i, t in enumerate(tensors):
        trace.input(t._array, ("argument", i), f"x{i}")
        trace.met[id(t)] = t
    before, outer = modes.flags, modes.trace
    modes.trace, modes.flags = trace, before | TRACE
    try:
        results = function(*tensors)
    finally:
        modes.trace, modes.flags = outer, before
    recording = Recording(trace, list(tensors), {}, results)
    recording.program.outputs += recording.lent
    return recording.program


def given_to(program: Program, tensors: Sequence[Tensor]) -> dict[Value, Any]:
    """Arrays, and numbers, for the inputs of a program."""
    rng = np.random.default_rng(5)
    numbers: dict[Any, tuple] = {}
    found: dict[Value, Any] = {}
    for v in program.inputs:
        kind, of = v.source[:2]
        if kind == "argument":
            found[v] = tensors[of]._array
        elif kind == "seed":
            found[v] = rng.uniform(-1, 1, v.shape).astype(v.dtype)
        elif kind == "number":
            found[v] = numbers.setdefault(of, of())[v.source[2]]
        else:
            found[v] = {"tensor": lambda t: t._array, "flat": flat}[kind](of)
    return found


def computed(program: Program, arrays: dict[Value, Any]) -> list[Tensor]:
    outputs, writes = program.run(arrays)
    return [make(np.asarray(x)) for x in [*outputs, *writes]]


def in_order_of_groups(program: Program) -> None:
    uses: dict[Value, int] = {}
    for x in [*program.wanted, *(x for call in program.calls for x in call.inputs)]:
        uses[x] = uses.get(x, 0) + 1
    steps = plan.grouped(program, uses, set())
    program.calls = [call for s in steps for call in plan.calls_of(s)]


ALONE: dict[str, Callable[[Program], Any]] = {
    "dead": dead,
    "merge": merge,
    "constants": lambda program: Sweep(program, [constants]),
    "simplify": lambda program: Sweep(program, [simplify]),
    "common": lambda program: Sweep(program, [common]),
    "blocks": in_order_of_groups,
}


@contextmanager
def small_blocks(threads: int = 1) -> Iterator[None]:
    """Let arrays of few elements count as large, and be cut into blocks of fewer."""
    before = get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "BLOCK", 6)
        for module in (passes, plan):
            patch.setattr(
                module, "is_large", lambda c: plan.is_elementwise(c) and c.result.size >= 4
            )
        patch.setattr(blocks, "THREADED", 1)
        set_num_threads(threads)
        try:
            yield
        finally:
            set_num_threads(before)


def test_every_pass_is_tried():
    assert set(ALONE) == set(PASSES)


def is_differentiable(program: RandomProgram) -> bool:
    """Whether it overwrites nothing that the backward pass needs."""
    tensors = tensors_of(inputs_of(program, 0))
    return not isinstance(outcome(differentiated, run(program, np, tensors), tensors), type)


written = long_programs(WRITING, contiguous).filter(is_differentiable)


@pytest.mark.parametrize("name", PASSES)
@few
@given(program=written, inside=st.booleans())
def test_a_pass_alone_keeps_what_a_program_computes(name, program, inside):
    def function(*inputs):
        outputs = run(program, np, inputs)
        return differentiated(outputs, inputs, order=2) if inside else outputs

    made = recorded(function, tensors_of(inputs_of(program, 0)))
    given = [given_to(made, tensors_of(inputs_of(program, seed))) for seed in (0, 1, 2)]
    expected = [computed(made, arrays) for arrays in given]
    with small_blocks():
        ALONE[name](made)
    for arrays, wanted in zip(given, expected, strict=True):
        assert_alike(computed(made, arrays), wanted)


def check_compiled(program: RandomProgram, inside: bool, **options: Any) -> None:
    """A random program does what eager does, compiled with these options."""

    def function(*inputs):
        outputs = run(program, np, inputs)
        return differentiated(outputs, inputs) if inside else outputs

    def complete(function, inputs):
        return function(*inputs) if inside else differentiated(function(*inputs), inputs)

    compiled = autodiff.compile(function, fullgraph=True, **options)
    for seed in (0, 1, 2):
        mine, other = (tensors_of(inputs_of(program, seed)) for _ in range(2))
        assert_alike(complete(compiled, mine), complete(function, other))


@pytest.mark.parametrize("names", [*[(name,) for name in PASSES], PASSES], ids="-".join)
@few
@given(program=written, inside=st.booleans())
def test_a_pass_switched_off_makes_no_difference(names, program, inside):
    check_compiled(program, inside, disable=names)


@pytest.mark.parametrize("threads", [1, 2])
@few
@given(program=written, inside=st.booleans())
def test_loops_over_blocks_make_no_difference(threads, program, inside):
    with small_blocks(threads):
        check_compiled(program, inside)


# Rules of single passes


def calls_of(function: Callable, *arrays: np.ndarray) -> list[str]:
    """The kinds of calls that remain of a function after all passes; it computes what it did."""
    tensors = [make(a) for a in arrays]
    program = recorded(lambda *given: [function(*given)], tensors)
    given = given_to(program, tensors)
    expected = computed(program, given)
    Sweep(program, [constants, simplify, common])
    dead(program)
    assert_same(computed(program, given), expected)
    return [call.kind for call in program.calls]


x, tall = np.arange(6.0).reshape(2, 3) - 1.5, np.arange(3000.0).reshape(600, 5)
s, half = np.array(3.0), np.arange(6.0, dtype=np.float16)


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (lambda x: (x + 0) * 1 - 0, []),
        (lambda x: x * autodiff.ones(2, 3).double() / 1, []),
        (lambda x: x.neg().neg(), []),
        (lambda x: x.T.T.reshape(6).reshape(2, 3), []),
        (lambda x: x.double().clone(), []),
        (lambda x: x[:, :][...], []),
        (lambda x: x[:, None][:, 0], []),
        (lambda x: autodiff.cat([x, x * 2])[:2], []),
        (lambda x: autodiff.stack([x * 2, x])[1], []),
        (lambda x: x * 2 * 3 / 2, ["ufunc"]),
        (lambda x: x.permute(1, 0)[None].permute(2, 1, 0), ["transpose", "reshape", "transpose"]),
        (lambda x: autodiff.zeros(3) * 2 + 1, []),
        (lambda x: (x * 2) * (x * 2), ["ufunc", "ufunc"]),
    ],
)
def test_what_changes_nothing_is_taken_out(function, left):
    found = calls_of(function, x)
    assert [kind for kind in found if kind not in ("reshape", "getitem")] == [
        kind for kind in left if kind not in ("reshape", "getitem")
    ]


def _filled(x: Tensor) -> Tensor:
    y = autodiff.zeros(2, 3).double()
    y[:] = x * 2
    return y


_ZEROS = [[0.0, -0.0, 0.0], [-0.0, 0.0, 0.0], [-0.0, -0.0, -0.0], [0.0, 0.0, 0.0]]

SHAPED: dict[str, tuple[Callable, tuple]] = {
    "a number on an array of equal numbers": (lambda s: s * autodiff.full((3,), 2.0) * 2, (s,)),
    "an array of equal numbers below": (lambda s: s / autodiff.full((3,), 2.0), (s,)),
    "zeros that widen": (lambda s: s + autodiff.zeros(3), (s,)),
    "ones that widen": (lambda s: s * autodiff.ones(2, 1), (s,)),
    "factors too small together": (lambda x: x.float() * 1e-30 * 1e-30, (x * 1e30,)),
    "factors too small in halves": (lambda x: x * 1e-4 * 1e-4, (half * 1000,)),
    "factors too large in halves": (lambda x: x * 300 * 300, (half / 100,)),
    "a divisor whose inverse is too large": (lambda x: x / 2**-16, (half / 100,)),
    "a divisor whose inverse is too small": (lambda x: x / 2.0**20, (half * 1000,)),
    "zeros of either sign": (lambda x: x / 0.0 + autodiff.atan2(x, x * 0 - 0.0), (x,)),
    "zero and minus zero": (lambda x: autodiff.stack([x / 0.0, x / -0.0]), (x,)),
    "constants with zeros of either sign": (
        lambda x: autodiff.stack([x / autodiff.tensor(c) for c in _ZEROS]),
        (x + 0.25,),
    ),
    "a write to all": (_filled, (x,)),
    "a row on a tall matrix": (lambda t: t * 2 + t[0], (tall,)),
    "a tall matrix less a row": (lambda t: t * 2 - t[:1], (tall,)),
    "a row less a tall matrix": (lambda t: t[0] - t * 2, (tall,)),
    "a column on a tall matrix": (lambda t: t * 2 + t[:, :1], (tall,)),
    "sums along axes": (lambda x: x.sum(0) + x.sum(1, keepdim=True) + x.sum((0, 1)), (x,)),
    "sums of integers": (lambda x: x.long().sum(0) + x.float().sum(0), (x,)),
    "a bound": (lambda x: x.clamp(min=0.0).clamp(max=1.0) + autodiff.relu(x), (x,)),
    "one order of axes after another": (
        lambda x: x.reshape(1, 2, 3).permute(1, 2, 0).permute(1, 0, 2).permute(2, 0, 1),
        (x,),
    ),
    "casts there and back": (lambda x: x.float().double() + x.long().double(), (x,)),
}


@pytest.mark.parametrize("name", SHAPED)
def test_rules_keep_shapes_dtypes_and_special_values(name):
    function, arrays = SHAPED[name]
    calls_of(function, *arrays)
    for names in ((), ("constants",), ("common",), ("simplify",)):
        compiled = autodiff.compile(function, fullgraph=True, disable=names)
        for _ in range(2):
            assert_same(compiled(*map(make, arrays)), function(*map(make, arrays)))


keys = indices((3, 4, 2), ["basic"])


@few
@given(keys, keys, keys)
def test_parts_of_what_was_put_together_are_those_parts(first, second, third):
    def function(x):
        y = x * 1
        for key, scale in ((first, 2.0), (second, 3.0)):
            if _goes_forward(key):
                y[key] = y[key] * scale
        z = autodiff.cat([x, y, x * 5], 1)
        pieces = [t[key] for t in (y, z) for key in (first, second, third) if _goes_forward(key)]
        return [y, z, *pieces, *differentiated([t for t in pieces if t.requires_grad], [x])]

    x = make(np.random.default_rng(0).uniform(-1, 1, (3, 4, 2))).requires_grad_()
    assert_alike(computed_after_sweep(function, x), [t.detach() for t in function(x)])


def _goes_forward(key: Any) -> bool:
    items = key if isinstance(key, tuple) else (key,)
    return all(not isinstance(i, slice) or i.step is None or i.step > 0 for i in items)


def computed_after_sweep(function: Callable, x: Tensor) -> list[Tensor]:
    program = recorded(function, [x])
    given = given_to(program, [x])
    Sweep(program, [constants, simplify, common])
    dead(program)
    outputs, _ = program.run(given)
    return [make(np.asarray(out)) for out in outputs][: len(function(x))]


# Large arrays, really


LARGE = [(70_003,), (300, 251), (9, 100, 80), (5001, 14), (4, 20_000)]
"""Shapes of more than two blocks, whose ends are no ends of blocks."""

UNARY: dict[str, Callable] = {
    "tanh": lambda x: x.tanh(),
    "exp": lambda x: (x * 0.25).exp(),
    "relu": lambda x: x.relu(),
    "square": lambda x: x * x * 0.5,
    "cast": lambda x: x.float().double(),
    "mask": lambda x: (x > 0.3) * x,
    "transposed": lambda x: x.transpose(0, -1).tanh().transpose(0, -1),
    "reversed": lambda x: x.flip(0),
    "norm": lambda x: x / (1 + x.square().mean()),
    "centred": lambda x: x - x.mean(-1, keepdim=True),
    "row": lambda x: x * x[:1],
    "element": lambda x: x + x.reshape(-1)[3],
    "softmax": lambda x: x.softmax(-1) * 5,
}
BINARY: dict[str, Callable] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: y - x * 0.5,
    "multiply": lambda x, y: x * y.tanh(),
    "maximum": lambda x, y: autodiff.maximum(x, y),
    "where": lambda x, y: autodiff.where(x > y, x, y * 2),
    "projected": lambda x, y: x * (x * y).mean(),
    "summed": lambda x, y: x + (x - y).square().sum() * 1e-5,
}
large_steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 9), st.integers(0, 9)),
    min_size=2,
    max_size=8,
)


def narrow(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes that broadcast to a shape: a row, a column, the same in more ways, a number."""
    one = (1,) * (len(shape) - 1)
    return [shape, shape[-1:], (shape[0], *one), (1, *shape[1:]), (), (*one, 1)]


@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@settings(max_examples=max(settings().max_examples // 16, 1))
@given(steps=large_steps, inside=st.booleans(), written=st.booleans(), data=st.data())
def test_large_arrays(shape, dtype, steps, inside, written, data):
    shapes = [shape, *(data.draw(st.sampled_from(narrow(shape))) for _ in range(2))]

    def function(memory, *inputs):
        values = [inputs[0] * 1, *inputs[1:]]
        for name, i, j in steps:
            x, y = values[-1 - i % len(values)], values[-1 - j % len(values)]
            x = x if x.shape == shape else x + values[0]
            values.append(UNARY[name](x) if name in UNARY else BINARY[name](x, y))
        if written:
            with autodiff.no_grad():
                memory.mul_(values[-1] - memory[:1]).add_(values[-2].detach()[..., :1])
        outputs = [values[-1], values[-1].sum(), values[-2].mean()]
        return differentiated(outputs, inputs) if inside else outputs

    def complete(make_function):
        memory = make(np.random.default_rng(9).uniform(-1, 1, shape).astype(dtype))
        given = make_function(lambda *inputs: function(memory, *inputs))
        found = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            inputs = tensors_of([rng.uniform(-1, 1, s).astype(dtype) for s in shapes])
            outputs = given(*inputs)
            found += outputs if inside else differentiated(outputs, inputs)
        return [*found, memory]

    compiled = complete(lambda f: autodiff.compile(f, fullgraph=True))
    assert_alike(compiled, complete(lambda f: f), 1e-9 if dtype == np.float64 else 2e-2)


# Optimisers, whose rules are merged


def model() -> nn.Module:
    autodiff.manual_seed(2)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.Linear(2, 1, bias=False))


OPTIMISERS: dict[str, Callable] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    "groups": lambda p: optim.Adam([{"params": p[:2], "lr": 0.02}, {"params": p[2:]}], lr=0.01),
}


def training(make_optimiser: Callable) -> tuple[nn.Module, Callable]:
    net = model()
    optimiser = make_optimiser(list(net.parameters()))

    def step(x, y):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return net, step


def batch(seed: int) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [make(rng.uniform(-1, 1, shape).astype(np.float32)) for shape in ((5, 3), (5, 1))]


@pytest.mark.parametrize("names", [(), *[(name,) for name in PASSES], PASSES], ids="-".join)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_training_does_not_depend_on_the_passes(optimiser, names):
    results = []
    for compiled in (True, False):
        net, step = training(OPTIMISERS[optimiser])
        if compiled:
            step = autodiff.compile(step, fullgraph=True, disable=names)
        losses = [step(*batch(seed)) for seed in range(6)]
        results.append([*losses, *(p.detach() for p in net.parameters())])
    assert_alike(*results, 1e-5)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_merged_rules_leave_memory_as_each_alone_does(optimiser):
    net, step = training(OPTIMISERS[optimiser])
    for seed in range(3):
        step(*batch(seed))
    program = recorded(lambda *given: [step(*given)], batch(3))
    given = given_to(program, batch(4))
    names = {id(p): name for name, p in net.named_parameters()}
    before = memory_after(program, given, names)
    merge(program)
    numbers = {v: given[v] for v in program.inputs if v in given and v.source[0] == "number"}
    after = memory_after(program, {**given_to(program, batch(4)), **numbers}, names)
    assert before.keys() == after.keys()
    assert len(before) == len(names)
    assert_alike(
        [make(after[k]) for k in names.values()], [make(before[k]) for k in names.values()]
    )


def memory_after(program: Program, given: dict[Value, Any], names: dict[int, str]) -> dict:
    """The parameters after a run, by name, also of those that lie in one piece of memory."""
    found = {}
    for (memory, _), array in zip(program.writes, program.run(given)[1], strict=True):
        kind, of = memory.source
        for t in (of,) if kind == "tensor" else of:
            if id(t) in names:
                start = 0
                if kind == "flat":
                    start = (home(t)[1] - home(of[0])[1]) // t._array.itemsize
                part = array.reshape(-1)[start : start + t._array.size]
                found[names[id(t)]] = part.reshape(t._array.shape)
    return found


def test_a_view_of_a_product_that_is_joined_can_be_read_later():
    """Its memory went to a value made in between."""

    def function(a, b, c):
        product = a @ b
        total = autodiff.cat([product, c], 1).sum()
        later = (c * 2).tanh()
        return product.T @ (later * total).exp() + later

    matrices = [autodiff.linspace(-0.1, 0.2, 16).reshape(4, 4) * k for k in (1, 2, 3)]
    compiled = autodiff.compile(function, fullgraph=True)
    compiled(*matrices)
    assert_same(compiled(*matrices), function(*matrices))


def _put(*keys: Any) -> Callable[[Tensor], Tensor]:
    """A function that puts x * 2, x * 3, … into zeros, at these keys."""

    def function(x):
        y = autodiff.zeros(4, 3).double()
        for n, key in enumerate(keys):
            y[key] = (x * (n + 2))[: len(range(4)[key])]
        return y

    return function


def test_what_fills_zeros_part_by_part_is_a_concatenation():
    assert calls_of(_put(slice(2), slice(2, 4)), x).count("concatenate") == 1
    assert calls_of(_put(slice(2, 4), slice(2)), x).count("setitem") == 0
    for keys in (
        (slice(2), slice(2, 3)),
        (slice(2), slice(1, 3), slice(3, 4)),
        (slice(0, 4, 2), slice(1, 4, 2)),
        (slice(0, 0), slice(2)),
    ):
        assert "concatenate" not in calls_of(_put(*keys), x)


def test_a_piece_of_a_part_is_read_from_what_was_put_there():
    put = _put(slice(1, 3))
    for key in ((2, slice(1, 3)), (slice(1, 2), 0), (slice(2, 3),)):
        assert "setitem" not in calls_of(lambda x, key=key: put(x)[key] * 2, x)
    for key in ((slice(0, 2),), (slice(1, 3, 2),)):
        assert "setitem" in calls_of(lambda x, key=key: put(x)[key] * 2, x)


def lines_of(function: Callable, *tensors: Tensor) -> str:
    """What a compiled function does at each run, which is what the function does."""
    compiled = autodiff.compile(function, fullgraph=True)
    for _ in range(2):
        assert_same(compiled(*tensors), function(*tensors))
    return compiled.source.partition("def step")[2]


def test_what_is_stacked_is_computed_in_its_place():
    def function(x):
        rows = [autodiff.cat([x * n, x + n], 1) for n in (2, 3, 4)]
        stacked = autodiff.stack(rows)
        return (stacked * stacked).sum() + (rows[1] * 2).sum()

    lines = lines_of(function, autodiff.rand(2, 3))
    assert "concatenate(" not in lines
    assert "copyto(" not in lines


def test_joins_within_joins_keep_products_in_memory_of_their_own():
    def function(x):
        halves = [autodiff.cat([x @ x.T, x @ x.T + n], 1) for n in (1, 2)]
        return autodiff.cat([autodiff.stack([autodiff.cat(halves, 1), x @ x.mT.repeat(1, 4)])] * 2)

    lines_of(function, autodiff.rand(2, 3))


def test_large_arrays_that_a_step_makes_are_let_go():
    def function(x):
        y = x @ x  # of batches: makes a new array
        return (y[1:].tanh() @ x[1:]).sum()

    assert "del " in lines_of(function, autodiff.rand(4, 80, 80))
    assert "del " not in lines_of(function, autodiff.rand(4, 8, 8))


def test_memory_is_written_once_nothing_shows_it_any_more():
    trace = Trace(fullgraph=True)
    array = np.zeros((2, 3))
    whole = Recorded(trace, trace.value(array), array, True)
    view = whole.reshape(3, 2)
    part = view[0]
    for _ in range(2):
        with pytest.raises(Opaque):
            whole += 1
        view = None  # but a view of it is left
    del part
    whole += 1
    np.testing.assert_array_equal(whole.array, np.ones((2, 3)))
    with pytest.raises(Opaque):  # a view's memory is not its own
        whole[0].__iadd__(1)


def test_softmax_is_taken_apart():
    assert "softmax_" not in lines_of(lambda x: x.softmax(-1), autodiff.rand(40, 30))
