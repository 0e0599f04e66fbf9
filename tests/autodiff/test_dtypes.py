"""dtypes, the default dtype, and PyTorch's promotion."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
from autodiff import dtypes, tensor

NAMES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_its_numpy_dtype_and_keeps_its_identity(name):
    d = getattr(autodiff, name)
    assert d == np.dtype(name)
    assert np.zeros(1, d).dtype == np.dtype(name)
    assert repr(d) == f"autodiff.{name}"
    assert dtypes.of(np.dtype(name)) is d
    assert pickle.loads(pickle.dumps(d)) is d
    assert copy.deepcopy(d) is d
    assert {d: 1}[d] == 1


def test_dtypes_tell_their_kind():
    assert autodiff.float32.is_floating_point
    assert not autodiff.int8.is_floating_point
    assert autodiff.int8.is_signed
    assert not autodiff.uint8.is_signed
    assert not autodiff.float64.is_complex
    assert autodiff.float64.itemsize == 8


def test_python_types_are_dtypes_as_in_pytorch():
    assert autodiff.zeros(1, dtype=float).dtype is autodiff.float64
    assert autodiff.zeros(1, dtype=int).dtype is autodiff.int64
    assert autodiff.zeros(1, dtype=bool).dtype is autodiff.bool


@pytest.mark.parametrize("wrong", ["nonsense", complex, np.uint16, 3, object])
def test_what_is_no_dtype_is_refused(wrong):
    with pytest.raises(TypeError, match="dtype"):
        autodiff.zeros(1, dtype=wrong)


def test_the_default_dtype_is_that_of_python_floats():
    assert autodiff.get_default_dtype() is autodiff.float32
    try:
        autodiff.set_default_dtype(autodiff.float64)
        assert tensor(1.0).dtype is autodiff.float64
        assert (tensor(1) / 2).dtype is autodiff.float64
        assert (tensor(1) + 0.5).dtype is autodiff.float64
        assert autodiff.ones(1).dtype is autodiff.float64
    finally:
        autodiff.set_default_dtype(autodiff.float32)
    with pytest.raises(TypeError, match="floating"):
        autodiff.set_default_dtype(autodiff.int64)


def test_integers_that_do_not_fit_wrap_around_as_in_pytorch():
    byte = tensor([1], dtype=autodiff.uint8)
    assert (byte + -1).tolist() == [0]
    assert (byte * 300).tolist() == [44]
    assert (byte > -1).tolist() == [False]
    assert (tensor([1], dtype=autodiff.int8) + 200).tolist() == [-55]


@pytest.mark.parametrize("left", NAMES)
@pytest.mark.parametrize("right", NAMES)
def test_promotion_is_that_of_pytorch(left, right, torch):
    def pair(library, shape):
        return getattr(library, left), getattr(library, right), shape

    def name(dtype):
        return str(dtype).partition(".")[2]

    a, b = getattr(autodiff, left), getattr(autodiff, right)
    ta, tb = getattr(torch, left), getattr(torch, right)
    assert name(autodiff.promote_types(a, b)) == name(torch.promote_types(ta, tb))
    assert autodiff.can_cast(a, b) == torch.can_cast(ta, tb)
    for shapes in (((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())):
        ours = [autodiff.ones(s, dtype=d) for s, d in zip(shapes, (a, b))]
        theirs = [torch.ones(s, dtype=d) for s, d in zip(shapes, (ta, tb))]
        assert name((ours[0] * ours[1]).dtype) == name((theirs[0] * theirs[1]).dtype)
        assert name(autodiff.result_type(*ours)) == name(torch.result_type(*theirs))
        for number in (True, 2, 2.5):
            assert name((ours[0] * number).dtype) == name((theirs[0] * number).dtype)
            assert name((number / ours[0]).dtype) == name((number / theirs[0]).dtype)


def test_limits_are_python_numbers(torch):
    for name in ("float16", "float32", "float64"):
        ours, theirs = autodiff.finfo(getattr(autodiff, name)), torch.finfo(getattr(torch, name))
        for limit in ("bits", "eps", "max", "min", "resolution", "smallest_normal", "tiny"):
            assert getattr(ours, limit) == getattr(theirs, limit)
        assert type(ours.eps) is float
        assert repr(ours) == repr(theirs)
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = autodiff.iinfo(getattr(autodiff, name)), torch.iinfo(getattr(torch, name))
        assert (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)
        assert repr(ours) == repr(theirs)
    with pytest.raises(TypeError, match="iinfo"):
        autodiff.finfo(autodiff.int32)
    with pytest.raises(TypeError, match="finfo"):
        autodiff.iinfo(autodiff.float32)
