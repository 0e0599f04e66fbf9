import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import autodiff
from autodiff.testing.strategies import (
    DTYPES,
    GRID,
    INDEX_KINDS,
    KINKS,
    LAYOUTS,
    MAX_SIDE,
    arrays,
    axes,
    broadcastable,
    dtypes,
    elements,
    indices,
    kinks,
    shapes,
    template,
    tensors,
)


@given(broadcastable(3))
def test_broadcastable_shapes_broadcast(drawn):
    np.broadcast_shapes(*drawn)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (1,), (0, 2), (3, 4)])
def test_layouts_keep_shape_dtype_and_values(name, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    laid_out = LAYOUTS[name](x)
    assert isinstance(laid_out, np.ndarray)
    assert (laid_out.shape, laid_out.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(laid_out, x if name != "broadcast" else 0 * x)


def test_layouts_differ_in_strides():
    x = np.zeros((3, 4))
    strides = {name: layout(x).strides for name, layout in LAYOUTS.items()}
    assert strides == {
        "C": (32, 8),
        "F": (8, 24),
        "strided": (128, 16),
        "reversed": (-32, -8),
        "broadcast": (0, 0),
    }


@given(st.data(), dtypes())
def test_arrays_have_the_dtype_asked_for(data, dtype):
    assert data.draw(arrays(dtype=dtype)).dtype == dtype


@given(st.data())
def test_distinct_arrays_have_no_ties(data):
    x = np.sort(data.draw(arrays(distinct=True)), axis=None)
    assert np.all(np.diff(x) >= 0.2)


def test_values_keep_away_from_multiples_of_one_half():
    assert min(abs(x * 2 - round(x * 2)) for x in GRID) > 0.15


@given(arrays(values=kinks()))
def test_values_can_be_put_on_the_kinks(x):
    assert set(x.ravel()) <= set(KINKS)
    assert all(2 * kink == round(2 * kink) for kink in KINKS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
def test_positive_values_are_positive(dtype):
    @given(arrays(dtype=dtype, positive=True))
    def check(x):
        assert np.all(x > 0)

    check()


@given(elements(np.uint8))
def test_unsigned_elements_are_not_negative(x):
    assert 0 <= x <= 4


@given(st.data())
def test_axes_and_indices_are_what_numpy_accepts(data):
    x = data.draw(arrays())
    x.sum(data.draw(axes(x.shape)))
    x[data.draw(indices(x.shape))]


UNSHRUNK = settings(derandomize=True, database=None, phases=[Phase.generate])


def contains(entry):
    """Whether an index is, or has in its tuple, something of which `entry` holds."""
    return lambda index: any(map(entry, index if isinstance(index, tuple) else (index,)))


@pytest.mark.parametrize(
    "what",
    [
        contains(lambda i: i is None),
        contains(lambda i: i is ...),
        contains(lambda i: isinstance(i, int) and i < 0),
        contains(lambda i: isinstance(i, slice) and (i.step or 1) < 0),
        contains(lambda i: isinstance(i, np.ndarray) and i.dtype == bool and i.ndim == 2),
        contains(lambda i: isinstance(i, np.ndarray) and i.dtype == int and i.ndim == 2),
        lambda i: (
            contains(lambda i: isinstance(i, np.ndarray) and i.dtype == bool and i.sum() > 1)(i)
            and contains(lambda i: isinstance(i, np.ndarray) and i.dtype == int and i.ndim)(i)
        ),
    ],
    ids=["None", "Ellipsis", "negative", "negative step", "mask", "integers", "both arrays"],
)
def test_every_kind_of_index_is_drawn(what):
    find(indices((2, 3, 4)), what, settings=settings(UNSHRUNK, max_examples=5000))


@pytest.mark.parametrize("kind", INDEX_KINDS)
def test_index_kinds_can_be_asked_for(kind):
    @settings(database=None)
    @given(st.data())
    def check(data):
        shape = data.draw(shapes())
        np.zeros(shape)[data.draw(indices(shape, kinds=[kind]))]

    check()


def test_all_dtypes_are_drawn():
    for dtype in DTYPES:
        find(dtypes(), lambda drawn, dtype=dtype: drawn is dtype)


# Templates


@given(template("N 3 H+2 2*W"))
def test_a_template_gives_each_axis_its_side(shape):
    n, three, h, w = shape
    assert three == 3
    assert 1 <= n <= MAX_SIDE
    assert 3 <= h <= MAX_SIDE + 2
    assert w in range(2, 2 * MAX_SIDE + 1, 2)


@given(template("... N C"), template("... N"), template("2*C"))
def test_equal_names_have_equal_sides(x, y, z):
    assert x[:-1] == y
    assert z == (2 * x[-1],)


def test_dots_stand_for_any_axes():
    for ndim in range(3):
        find(template("... 2"), lambda shape, ndim=ndim: len(shape) == 1 + ndim)


@pytest.mark.parametrize("word", ["H-1", "3x", "+1", "N,C", "2*", "H+W"])
def test_a_word_that_is_no_axis_is_refused(word):
    with pytest.raises(ValueError, match="no axis: give a number"):
        find(template(f"N {word}"), lambda _: True)


def test_the_empty_template_is_a_number():
    assert find(tensors(""), lambda _: True).shape == ()


# Tensors


@given(tensors("N 3", np.int64, values=st.integers(0, 9)))
def test_tensors_have_the_shape_dtype_and_values_asked_for(x):
    assert x.shape[1:] == (3,)
    assert x.dtype is autodiff.int64
    assert 0 <= x.min() <= x.max() <= 9
    assert not x.requires_grad


def test_tensors_have_every_layout():
    for stride in (-1, 0, 2):
        find(tensors("2 2"), lambda x, stride=stride: x.stride()[-1] == stride)
    find(tensors("2 2"), lambda x: x.stride() == (1, 2))


def test_tensors_shrink_to_one_small_number_in_usual_order():
    assert find(tensors(), lambda x: True).tolist() in ([], 0.1)
    x = find(tensors(shapes(min_side=1)), lambda x: x.ndim > 1 and float(x.abs().max()) > 1)
    assert tuple(x.shape) == (1, 1)
    assert x.item() == 1.1
    assert find(tensors("N C"), lambda x: x.shape[0] > 1 < x.shape[1]).stride() == (2, 1)


# Without hypothesis


def test_without_hypothesis_the_error_names_the_extra_and_only_there():
    program = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import autodiff.testing as testing\n"
        "testing.check_gradients, testing.check_optimizer\n"
        "for name in 'strategies', 'property_gradients':\n"
        "    try: getattr(testing, name)\n"
        "    except ImportError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.count("pip install 'tapegrad[test]'") == 2, run.stdout + run.stderr


def test_importing_testing_does_not_import_hypothesis():
    program = "import sys, autodiff.testing; print('hypothesis' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "False\n", run.stderr
