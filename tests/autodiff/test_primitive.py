from collections.abc import Callable, Iterator

import numpy as np
import pytest

from autodiff import tensor
from autodiff.families import (
    NUMPY,
    REGISTRY,
    bilinear,
    elementwise,
    general,
    linear,
    numpy_function,
    random,
    reduction,
)
from autodiff.primitive import OUT, REST, rule_needs, shared
from autodiff.tensor import apply


@pytest.fixture(autouse=True)
def declarations() -> Iterator[None]:
    """Forget what a test declares."""
    registry, functions = dict(REGISTRY), dict(NUMPY)
    yield
    for table, before in ((REGISTRY, registry), (NUMPY, functions)):
        table.clear()
        table.update(before)


def _scaled(x, y, /, factor, shift=0.0):
    return x * y * factor + shift


def _gathered(x, /, *others, axis=0):
    return np.concatenate([x, *others], axis)


def test_name_is_that_of_the_function_without_underscores():
    assert general(_scaled).name == "scaled"
    assert general(_scaled, name="other").name == "other"


def test_positional_only_parameters_are_arrays_and_the_others_parameters():
    scaled = general(_scaled)
    assert scaled.arguments == ("x", "y")
    assert scaled.parameters == ("factor", "shift")
    assert scaled.defaults == {"shift": 0.0}
    assert scaled.variadic is None


def test_arguments_of_a_ufunc_are_x_y():
    hypot = elementwise(np.hypot)
    assert (hypot.arguments, hypot.parameters) == (("x", "y"), ())


@pytest.mark.parametrize(
    ("declare", "family"),
    [
        (elementwise, "elementwise"),
        (linear, "linear"),
        (bilinear, "bilinear"),
        (reduction, "reduction"),
        (random, "random"),
        (general, "general"),
    ],
)
def test_family_is_the_one_declared_with(declare: Callable, family: str):
    assert declare(_scaled).family == family


def test_promotion_of_elementwise_operations_follows_from_the_function():
    assert elementwise(np.cbrt).promote == "float"
    assert elementwise(np.hypot).promote == "common"
    assert elementwise(_scaled).promote == "common"
    assert elementwise(np.spacing, promote="keep").promote == "keep"


def test_declaring_twice_is_refused():
    general(_scaled)
    with pytest.raises(ValueError, match="'scaled' is declared twice"):
        general(_scaled)


def test_rule_for_no_argument_is_refused():
    with pytest.raises(TypeError, match="scaled: a rule for 'z', which is no array argument"):
        general(_scaled, z=lambda g: g)


def test_rule_for_a_parameter_is_refused():
    with pytest.raises(TypeError, match="a rule for 'factor'"):
        general(_scaled, factor=lambda g: g)


@pytest.mark.parametrize("name", ["z", "z_shape", "factor_shape", "output", "position"])
def test_rule_that_names_what_does_not_exist_is_refused(name: str):
    with pytest.raises(TypeError, match=f"scaled: a rule asks for '{name}'"):
        general(_scaled, x=eval(f"lambda g, {name}: g"))
    assert "scaled" not in REGISTRY


def test_operation_is_found_by_name_and_by_numpy_function():
    scaled = general(_scaled, numpy=[np.vdot, np.kron])
    assert REGISTRY["scaled"] is scaled
    assert NUMPY[np.vdot] is NUMPY[np.kron] is scaled
    hypot = elementwise(np.hypot)
    assert NUMPY[np.hypot] is hypot


def test_numpy_function_registers_what_is_no_operation():
    @numpy_function(np.vdot, np.kron)
    def meaning(x, y):
        return x

    assert NUMPY[np.vdot] is NUMPY[np.kron] is meaning


def test_calling_on_arrays_computes():
    scaled = general(_scaled)
    x = np.arange(3.0)
    np.testing.assert_array_equal(scaled(x, 2.0, factor=3.0), 6 * x)


def test_parameters_may_be_given_by_position():
    scaled = general(_scaled)
    assert scaled.bind((1.0, 2.0, 3.0), {"shift": 4.0}) == (
        (1.0, 2.0),
        {"factor": 3.0, "shift": 4.0},
    )
    assert scaled(1.0, 2.0, 3.0, 4.0) == 10.0


def test_too_many_positional_arguments_are_refused():
    with pytest.raises(TypeError, match="scaled takes 2 arrays and 2 parameters, got 5"):
        general(_scaled)(1.0, 2.0, 3.0, 4.0, 5.0)


def test_calling_on_a_type_with_apply_hands_over_to_it():
    class Recorder:
        @staticmethod
        def _apply(operation, args, params):
            return operation.name, len(args), params

    assert general(_scaled)(2.0, Recorder(), 3.0) == ("scaled", 2, {"factor": 3.0})


def test_variadic_arguments_share_a_rule():
    gathered = general(_gathered, others=lambda g: g)
    assert gathered.arguments == ("x",)
    assert gathered.variadic == "others"
    assert gathered.rule_of(0) is None
    assert gathered.rule_of(1) is gathered.rule_of(7) is gathered.rules["others"]


def test_arguments_beyond_the_last_have_no_rule():
    assert general(_scaled, x=lambda g: g).rule_of(2) is None


def test_repr_shows_family_arguments_and_parameters():
    assert repr(general(_scaled)) == "<general scaled(x, y, factor, shift)>"
    assert repr(linear(_gathered)) == "<linear gathered(x, *others, axis)>"


def test_plan_saves_what_the_rules_of_its_arguments_name():
    scaled = general(
        _scaled,
        x=lambda g, y, factor: g * y * factor,
        y=lambda g, out, x_shape, shift: g,
    )
    x, y, out = np.zeros((2, 1)), np.ones(3), np.zeros((2, 3))
    both = scaled.plan(0b11)
    assert both.positions == (0, 1)
    assert both.rules == (scaled.rules["x"], scaled.rules["y"])
    assert both.sources == ((1, None), (OUT, None, None))
    saved = both.save([x, y], out, {"factor": 5.0})
    assert saved[0][0] is y
    assert saved[0][1] == 5.0
    assert saved[1][0] is out
    assert saved[1][1:] == ((2, 1), 0.0), "the default of a parameter that was not given"
    assert scaled.plan(0b01).save([x, y], out, {"factor": 5.0}) == ((y, 5.0),)


def test_plan_leaves_out_arguments_without_a_rule():
    scaled = general(_scaled, y=lambda g, x: g * x)
    assert scaled.plan(0b01).rules == ()
    assert scaled.plan(0b11).positions == (1,)


def test_plan_of_variadic_arguments_tells_each_rule_its_position():
    gathered = general(
        _gathered,
        x=lambda g, axis: g,
        others=lambda g, others, others_shape, x_shape, position: g,
    )
    x, a, b = np.zeros(1), np.zeros(2), np.zeros(3)
    plan = gathered.plan(0b101)
    assert plan.positions == (0, 2)
    assert plan.sources == ((None,), (REST, None, None, None))
    assert plan.save([x, a, b], None, {}) == ((0,), ((a, b), ((2,), (3,)), (1,), 1))


def test_plan_knows_whether_it_saves_arrays():
    scaled = general(_scaled, x=lambda g, y: g * y, y=lambda g, x_shape, factor: g)
    assert scaled.plan(0b01).saves
    assert not scaled.plan(0b10).saves
    assert not scaled.plan(0b00).saves


def test_plans_are_made_once():
    scaled = general(_scaled, x=lambda g, y: g * y)
    assert scaled.plan(1) is scaled.plan(1)


def test_rule_needs_are_its_parameters_after_g():
    assert rule_needs(lambda g: g) == []
    assert rule_needs(lambda g, x, out: g) == ["x", "out"]


def test_a_plan_for_many_variadic_arguments_shares_what_they_all_need():
    joined = general(lambda *xs: xs, name="joined", xs=lambda g, xs, xs_shape, position: g)
    arrays = [np.zeros(n) for n in range(300)]
    plan = joined.plan(sum(1 << i for i in range(0, 300, 2)))
    saved = plan.save(arrays, None, {})
    assert plan.positions == tuple(range(0, 300, 2))
    assert plan.sources == ((REST, None, None),) * 150
    assert [row[2] for row in saved] == list(plan.positions)
    assert all(row[0] is saved[0][0] and row[1] is saved[0][1] for row in saved)
    assert plan.save.__code__.co_stacksize < 20, "the code does not grow with the arguments"


def test_a_function_may_give_the_gradients_of_several_arguments_at_once():
    calls = []

    def both(g, x, y):
        calls.append(1)
        return g * y, g * x

    product = bilinear(lambda x, y, /: x * y, name="product", **shared(both, "x", "y"))
    x, y = (tensor([2.0, 3.0], requires_grad=True) for _ in range(2))
    apply(product, (x, y)).sum().backward()
    assert len(calls) == 1
    assert x.grad.tolist() == y.grad.tolist() == [2.0, 3.0]
    x.grad = None
    apply(product, (x, y.detach())).sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]
