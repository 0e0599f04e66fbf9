import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tests.strategies import (
    DTYPES,
    GRID,
    INDEX_KINDS,
    LAYOUTS,
    OPERATIONS,
    Program,
    arrays,
    axes,
    broadcastable,
    dtypes,
    indices,
    programs,
    shapes,
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


def test_every_operation_occurs_in_programs():
    seen = set()

    @settings(UNSHRUNK, max_examples=1000)
    @given(programs())
    def collect(program):
        seen.update(step.operation for step in program.steps)

    collect()
    assert seen == set(OPERATIONS)


@given(programs())
def test_programs_do_the_same_with_torch(torch, program: Program):
    inputs = [torch.tensor(x.tolist(), dtype=torch.float64) for x in program.inputs]
    theirs = program(torch, *inputs)
    ours = program(np)
    assert np.shape(ours) == tuple(theirs.shape)
    np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-12, atol=1e-12)


def test_all_dtypes_are_drawn():
    for dtype in DTYPES:
        find(dtypes(), lambda drawn, dtype=dtype: drawn is dtype)
