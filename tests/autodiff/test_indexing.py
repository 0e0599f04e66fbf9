"""Reading and writing by an index expression: values, views, gradients and refusals."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from autodiff import autograd
from autodiff.indexing import steps
from autodiff.ops.index import positions_along
from autodiff.testing import strategies

KEYS = """
    0; -1; 5; -3; (0, 1); (0, 0, 0, 0); np.int64(1); np.array(1); T(1); (..., T(1)); (1, [0, 2]);
    slice(1, 0); slice(5, 7); slice(None, None, 2); slice(-2, None); slice(T(1), None);
    slice(None, None, -1); slice(0, 2, 0); slice(0.5, 1); slice(T(1.5), None);
    ...; (); None; (None, ..., None); (slice(None), 0, slice(None, None, 2)); (1, None);
    [0, 1]; []; range(2); np.array([0, 1]); T([1, 0]); T([1, 0]).int(); T([-3]); T([5]); [[0, 1]];
    T([[0, 1], [1, 0]]); (T([0, 1]),); ([-1, 0],); ([0, 1], [0, 1, 2]); (0, []); [True, False];
    [[0, 1], [1, 2]]; [T([0, 1]), T([1, 2])]; [T(0), T(1)]; [0, slice(None)]; [None, 0];
    ((0, 1), (1, 2)); ((0, 1),); (slice(0, 1), T([0, 1])); (T([1, 1]), None); (None, 0, T([0, 2]));
    (0, slice(None), [0, 1]); ([0, 1], slice(None), [0, 1]); (slice(None), [0, 1], 0);
    ([0, 1], None, [0, 1]); ([1, 0], slice(1, 3), 0); (0, ..., [1, 2]); (..., 0, [1, 1]);
    ([0, 1], 0, [2, 3]); (slice(None), 1, T([0, 3, 3])); (0, None, T([1, 1]), None, T([0, 1]));
    (T([0, 1]), T(1), T([2, 3])); (1, [0, 2], slice(1, 3));
    True; T(True); (slice(None), False); (True, 0); (0, True, [0, 1]); (1, None, slice(None), True);
    T([True, False]); np.array([True, False]); (slice(None), T([True, False, True]), [0, 1]);
    T([[True, False, True], [True, True, False]]); (0, T([True, False, True]));
    (T([[True, False, True], [True, True, False]]), 1); T([True, False, True]);
    T([[True, True], [False, True]]);
    1.0; T(1.0); T([]); object(); {}
"""


def outcome(library, expression: str) -> tuple:
    """What reading and writing by a key gives: numbers, whether it is a view, gradients."""
    key = eval(expression, {"L": library, "T": library.tensor, "np": np})
    x = library.tensor(np.arange(24.0).reshape(2, 3, 4)).requires_grad_()
    out = x[key]
    (out**2).sum().backward()
    leaf = library.tensor(np.arange(24.0).reshape(2, 3, 4)).requires_grad_()
    value = library.tensor(7.0, dtype=library.float64).requires_grad_()
    written = leaf * 1
    written[key] = value
    (written**2).sum().backward()
    value_grad = 0.0 if value.grad is None else value.grad.numpy()
    numbers = [out.detach().numpy(), x.grad.numpy(), written.detach().numpy(), leaf.grad.numpy()]
    return [*numbers, value_grad], out._base is not None


@pytest.mark.parametrize("expression", [key.strip() for key in KEYS.split(";")])
def test_every_key_reads_and_writes_as_in_pytorch(expression: str, torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = outcome(torch, expression)
        except Exception as refusal:
            with pytest.raises(type(refusal)):
                outcome(autodiff, expression)
            return
        ours = outcome(autodiff, expression)
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours[1] == theirs[1]


def integer_beside_array(key) -> bool:
    items = key if isinstance(key, tuple) else (key,)
    arrays = [i for i in items if isinstance(i, np.ndarray) and (i.ndim or i.dtype == bool)]
    return bool(arrays) and any(
        isinstance(i, (int, np.integer, np.ndarray)) and not any(i is a for a in arrays)
        for i in items
    )


def forwards(key) -> bool:
    items = key if isinstance(key, tuple) else (key,)
    return all((i.step or 1) > 0 for i in items if isinstance(i, slice))


@given(st.data())
def test_keys_without_integers_beside_arrays_are_those_of_numpy(data):
    array = data.draw(strategies.arrays(strategies.shapes(min_dims=1), np.float64))
    key = data.draw(strategies.indices(array.shape))
    x = autodiff.tensor(array).requires_grad_()
    if not forwards(key):
        with pytest.raises(ValueError, match="use flip"):
            x[key]
        return
    if integer_beside_array(key):
        return
    out = x[key]
    np.testing.assert_array_equal(out.detach().numpy(), array[key])
    g = np.random.default_rng(0).standard_normal(tuple(out.shape))
    expected = np.zeros_like(array)
    np.add.at(expected, key, g)
    (found,) = autograd.grad(out, [x], autodiff.tensor(g))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_integers_are_taken_before_arrays():
    x = autodiff.arange(24).reshape(2, 3, 4)
    assert steps((0, slice(None), [1, 2]))[0] == (0, slice(None), slice(None))
    assert x[0, :, [1, 2]].tolist() == x[0][:, [1, 2]].tolist()


def test_a_view_shows_what_is_written_to_its_tensor():
    x = autodiff.zeros(2, 3)
    views = x[0], x[autodiff.tensor(0)], x[:, 1:], x[None, ..., 0]
    x[0] = autodiff.tensor([1.0, 2.0, 3.0])
    assert [v.tolist() for v in views] == [[1, 2, 3], [1, 2, 3], [[2, 3], [0, 0]], [[1, 0]]]
    copies = x[[0]], x[x > 0]
    x.fill_(5)
    assert [c.tolist() for c in copies] == [[[1, 2, 3]], [1, 2, 3]]


def test_the_index_of_a_recorded_read_may_change_afterwards():
    x, i = autodiff.arange(3.0).requires_grad_(), autodiff.tensor(1)
    out = x[i:] * 1
    i += 1
    out.sum().backward()
    assert x.grad.tolist() == [0, 1, 1]


def test_an_index_array_that_changes_before_the_backward_pass_is_found():
    x, i = autodiff.arange(3.0).requires_grad_(), autodiff.tensor([0, 1])
    out = x[i]
    i += 1
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        out.sum().backward()


def test_repeated_rows_of_a_table_add_up():
    table = autodiff.zeros(3, 2).requires_grad_()
    (table[[2, 0, 2]] * autodiff.tensor([[1.0], [2.0], [4.0]])).sum().backward()
    assert table.grad.tolist() == [[2, 2], [0, 0], [5, 5]]


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (1.5, IndexError, "got float"),
        ("a", TypeError, "got str"),
        ((0, 0, 0), IndexError, "too many indices"),
        (7, IndexError, "index 7 is out of bounds"),
        (slice(None, None, -1), ValueError, "step of at least 1, got -1; use flip"),
        ([True, False, True], IndexError, "boolean index"),
    ],
)
def test_refusals_say_what_was_given(key, error, message):
    with pytest.raises(error, match=message):
        autodiff.ones(2, 3)[key]


@pytest.mark.parametrize("key", [7, (0, 7)])
def test_an_error_shows_the_key_as_it_was_given(key):
    with pytest.raises(IndexError) as caught:
        autodiff.ones(2, 3)[key]
    assert f"key={key})" in str(caught.value)


def test_what_one_index_along_an_axis_gives_is_contiguous_as_in_pytorch():
    x, i = autodiff.arange(24.0).reshape(2, 3, 4), autodiff.tensor([0, 1, 1])
    assert x[:, i].stride() == (12, 4, 1)
    assert x[:, :, i].view(-1)[:4].tolist() == [0, 1, 1, 4]


def test_a_uint8_tensor_is_a_mask():
    mask = autodiff.tensor([1, 0]).to(autodiff.uint8)
    assert autodiff.tensor([3, 4])[mask].tolist() == [3]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_many_indices_along_an_axis_are_gathered_and_scattered_as_few(axis, dtype):
    draws = np.random.default_rng(0)
    x = draws.standard_normal((30, 20, 25))
    shape = [28, 20, 24]
    shape[axis] = 9
    indices = draws.integers(0, x.shape[axis], shape).astype(dtype)
    fitting = x[tuple([slice(n) if a != axis % 3 else slice(None) for a, n in enumerate(shape)])]
    assert indices.size >= 2**12
    positions = positions_along(indices, axis, x.shape)
    found = x.reshape(-1)[positions]
    assert np.array_equal(found, np.take_along_axis(fitting, indices.astype("int64"), axis))
    for wrong in (-1, x.shape[axis]):
        bad = indices.astype("int64")
        bad[3, 4, 5] = wrong
        with pytest.raises(ValueError, match=f"indices along axis {axis} must be at least 0"):
            positions_along(bad, axis, x.shape)
    with pytest.raises(ValueError, match="no more of them than the shape"):
        positions_along(np.zeros((40, 40, 40), np.int64), axis, x.shape)
