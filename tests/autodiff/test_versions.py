"""Versions: how often memory was written, and saved values that were overwritten."""

import gc

import numpy as np
import pytest

import autodiff
from autodiff import autograd, tensor, versions


def leaf(values=(1.0, 2.0, 3.0)):
    return tensor(values, dtype=autodiff.float64, requires_grad=True)


COUNTS = {
    "nothing": (lambda t: t, 0),
    "a read": (lambda t: t + t[0] * 2, 0),
    "add_": (lambda t: t.add_(1), 1),
    "two methods": (lambda t: t.add_(1).mul_(2), 2),
    "an operator": (lambda t: t.__iadd__(1), 1),
    "an index": (lambda t: t.__setitem__(0, 1.0), 1),
    "a list": (lambda t: t.__setitem__([0, 1], 1.0), 1),
    "a mask": (lambda t: t.__setitem__(t > 0, 1.0), 1),
    "fill_": (lambda t: t.fill_(1), 1),
    "zero_": (lambda t: t.zero_(), 1),
    "copy_": (lambda t: t.copy_(t * 2), 1),
    "a view": (lambda t: t[1:].mul_(2), 1),
    "a view of a view": (lambda t: t.view(3, 1)[1:].mul_(2), 1),
    "the detached tensor": (lambda t: t.detach().mul_(2), 1),
    "a copy": (lambda t: t.clone().mul_(2), 0),
}


@pytest.mark.parametrize(("write", "count"), COUNTS.values(), ids=COUNTS)
def test_every_write_to_its_memory_counts_once(write, count):
    for t in (autodiff.ones(3), leaf() * 1):
        write(t)
        assert t._version == count


@pytest.mark.parametrize("write", [write for write, _ in COUNTS.values()], ids=COUNTS)
def test_versions_are_counted_as_in_pytorch(write, torch):
    for ns in (autodiff, torch):
        t = ns.ones(3)
        write(t)
        if ns is autodiff:
            ours = t._version
    assert t._version == ours


def test_a_view_and_its_base_have_one_version():
    base = autodiff.zeros(2, 3)
    part = base[0]
    whole = base.detach()
    base.add_(1)
    part.add_(1)
    assert base._version == part._version == whole._version == 2


def test_a_failed_write_does_not_count():
    t = autodiff.ones(3)
    with pytest.raises(RuntimeError):
        t.add_(autodiff.ones(2))
    with pytest.raises(RuntimeError):
        t[0] = autodiff.ones(4)
    assert t._version == 0


def test_backward_counts_where_it_adds_to_grad():
    x = leaf()
    x.sum().backward()
    assert x.grad._version == 0
    x.sum().backward()
    assert x.grad._version == 1
    assert x._version == 0


def test_memory_that_is_gone_leaves_no_count_behind():
    gc.collect()
    before = len(versions._writes)
    for _ in range(100):
        t = autodiff.zeros(3)
        t += 1
        t[0].add_(1)
    del t
    assert len(versions._writes) <= before
    assert autodiff.zeros(3)._version == 0


# A saved value that was overwritten

OVERWRITTEN = {
    "an argument of a product": (lambda y: (y * y, y.add_(1))[0], "multiply", (0, 1)),
    "the result of exp": (lambda y: y.exp().mul_(2), "exp", (0, 1)),
    "the result of exp, twice": (lambda y: y.exp().mul_(2).add_(1), "exp", (0, 2)),
    "by an index": (lambda y: (y.sin(), y.__setitem__(0, 5.0))[0], "sin", (0, 1)),
    "through a view": (lambda y: (y.sin(), y[1:].zero_())[0], "sin", (0, 1)),
    "through its base": (lambda y: (y[1:].sin(), y.zero_())[0], "sin", (0, 1)),
    "through another view": (lambda y: (y[1:].sin(), y[:1].zero_())[0], "sin", (0, 1)),
    "through detach()": (lambda y: (y.cos(), y.detach().zero_())[0], "cos", (0, 1)),
    "through data": (lambda y: (y.cos(), y.data.zero_())[0], "cos", (0, 1)),
    "under no_grad": (lambda y: (y.cos(), unrecorded(y.zero_))[0], "cos", (0, 1)),
    "after earlier writes": (
        lambda y: (y.add_(1).mul_(2).sin(), y.add_(1))[0],
        "sin",
        (2, 3),
    ),
    "many times": (lambda y: (y.sin(), [y.add_(1) for _ in range(100)])[0], "sin", (None, 100)),
    "a weight": (
        lambda y: (y * weight, unrecorded(lambda: weight.mul_(1)))[0],
        "multiply",
        (None, None),
    ),
    "an index": (
        lambda y: (lambda i: (y[i], i.zero_())[0])(tensor([0, 2, 1])),
        "index",
        (0, 1),
    ),
    "a condition": (
        lambda y: (lambda c: (autodiff.where(c, y, y * 2), c.zero_())[0])(tensor([True] * 3)),
        "where",
        (0, 1),
    ),
    "by what was made of it": (lambda y: (y.sin(), y.copy_(y * 2))[0], "sin", (0, 1)),
    "a square copied into it": (lambda y: y.copy_(y * y), "multiply", (0, 1)),
    "a square of before copied into it": (
        lambda y: (y * y, y.add_(1)) and y.copy_((y * y, y.add_(1))[0]),
        "multiply",
        (1, 3),
    ),
}
weight = leaf((2.0, 2.0, 2.0))


def unrecorded(write):
    with autodiff.no_grad():
        write()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("write", "named", "counts"), OVERWRITTEN.values(), ids=OVERWRITTEN)
def test_an_overwritten_saved_value_is_an_error_that_names_it(write, named, counts, create_graph):
    x = leaf()
    y = x * 1
    with pytest.raises(RuntimeError) as caught:
        write(y).sum().backward(create_graph=create_graph)
    message = str(caught.value)
    assert named in message
    assert "in-place" in message
    assert "clone" in message
    assert "(3,)" in message or "(2,)" in message
    for count in counts:
        assert count is None or f"version {count}" in message
    assert x.grad is None


def test_an_overwritten_value_is_found_before_anything_is_released():
    x, w = leaf(), leaf()
    y = x * 1
    spoilt, fine = y.sin(), w.exp()
    y += 1
    with pytest.raises(RuntimeError, match="in-place"):
        (spoilt * fine).sum().backward()
    fine.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), np.exp([1.0, 2.0, 3.0]))
    assert x.grad is None


HARMLESS = {
    "an argument that no rule asks for": lambda y: (y + 1, y.zero_())[0],
    "the argument of exp": lambda y: (y.exp(), y.zero_())[0],
    "the result of sin": lambda y: (z := y.sin(), z.zero_(), y.sin())[2],
    "before it was saved": lambda y: y.add_(1).mul_(2).sin(),
    "a copy": lambda y: (y.clone().sin(), y.zero_())[0],
    "another row's memory": lambda y: (y.clone()[1:].sin(), y[:1].zero_())[0],
    "a branch that is not walked": lambda y: (y.sin(), y.add_(1))[1] * 2,
    "the other factor of a constant": lambda y: (y * 2.0, y.zero_())[0],
}


@pytest.mark.parametrize("write", HARMLESS.values(), ids=HARMLESS)
def test_a_write_that_spoils_nothing_saved_is_no_error(write):
    x = leaf()
    write(x * 1).sum().backward()
    assert x.grad is not None


def test_a_training_step_between_forward_and_backward_is_found_out():
    w, x = leaf(), tensor([1.0, 1.0, 2.0]).double()
    loss = ((w * x) ** 2).sum()
    loss.backward(retain_graph=True)
    with autodiff.no_grad():
        w -= 0.1 * w.grad
    loss.backward()  # w itself was not saved: the gradient for x is not wanted
    other = ((w * w) ** 2).sum()
    with autodiff.no_grad():
        w -= 0.1
    with pytest.raises(RuntimeError, match="multiply"):
        other.backward()


def test_a_number_given_to_a_new_array_is_not_mistaken_for_the_old_one():
    x = leaf()
    for _ in range(200):  # memory and ids are used again
        scratch = autodiff.zeros(3).double()
        scratch += 1
        del scratch
        fresh = x * 1
        fresh.sin().sum().backward()
    assert x.grad is not None


def test_the_gradient_function_of_a_gradient_checks_too():
    x = leaf()
    y = x * 1
    (g,) = autograd.grad((y**3).sum(), x, create_graph=True)
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="in-place"):
        g.sum().backward()


def test_an_optimiser_writes_through_overwrite_and_counts():
    p, q = autodiff.ones(2), autodiff.ones(3)
    memory = p.numpy()
    autodiff.overwrite([((p, q), [tensor(0.5)])], lambda p, q, g: (p - g, q * 2))
    assert p.numpy() is memory
    assert (p.tolist(), q.tolist()) == ([0.5, 0.5], [2, 2, 2])
    assert p._version == q._version == 1


def test_overwrite_writes_all_or_nothing():
    p, q = autodiff.ones(2), autodiff.ones(3)
    with pytest.raises(ValueError, match=r"\(4,\).*\(3,\)"):
        autodiff.overwrite([((p, q), [])], lambda p, q: (p * 5, np.ones(4)))
    assert p.tolist() == [1, 1]
    assert p._version == q._version == 0


def test_writes_to_several_arrays_at_once_count_for_each():
    arrays = np.zeros(3), np.ones((2, 2))
    other = np.zeros(3)
    together = versions.Together(arrays)
    versions.touch(arrays[0])
    before = versions.tick()
    for _ in range(2):
        together.touch()
    assert [versions.version(a) for a in (*arrays, arrays[1][0], other)] == [3, 2, 2, 0]
    assert [versions.version_at(a, before) for a in (*arrays, other)] == [1, 0, 0]
    assert versions.latest > before
