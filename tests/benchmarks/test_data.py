"""The benchmarks' data: the values of the published sets, and the streams of the simulated ones."""

import doctest
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import data
from benchmarks.data import simulated
from benchmarks.learn import figures


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_digits_are_the_published_ones():
    images, labels = data.digits()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == (
        *((1797, 64), np.uint8),
        *((1797,), np.int64),
    )
    assert sha256(images) == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    assert sha256(labels) == "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"


def test_breast_cancer_is_the_published_set():
    features, labels = data.breast_cancer()
    assert (features.shape, features.dtype, labels.shape, labels.dtype) == (
        *((569, 30), np.float64),
        *((569,), np.int64),
    )
    assert sha256(features) == "6b202a2072f9a0385f405a8f8605b1b06f6f36ae6d23d9cd6cbbc0974a416bc7"
    assert sha256(labels) == "1763c0f8cd3f454b9eda72031113884593bb382411c0cd511e3ec6e7ac85cddb"
    assert len(set(data.breast_cancer_names())) == 30


def test_both_sets_equal_scikit_learns():
    published = pytest.importorskip("sklearn.datasets")
    for ours, theirs in (
        (data.digits(), published.load_digits()),
        (data.breast_cancer(), published.load_breast_cancer()),
    ):
        np.testing.assert_array_equal(ours[0], theirs.data)
        np.testing.assert_array_equal(ours[1], theirs.target)
    assert data.breast_cancer_names() == list(published.load_breast_cancer().feature_names)


@given(st.integers(2, 500), st.floats(0.01, 0.99), st.integers(0, 10))
def test_held_out_split_partitions_the_rows(n, fraction, seed):
    held_out_rows = round(fraction * n)
    if not 0 < held_out_rows < n:
        with pytest.raises(ValueError, match="both parts need at least one row"):
            data.held_out_split(n, fraction, seed)
        return
    train, held_out = data.held_out_split(n, fraction, seed)
    assert len(held_out) == held_out_rows
    assert sorted([*train, *held_out]) == list(range(n))
    again = data.held_out_split(n, fraction, seed)
    np.testing.assert_array_equal(held_out, again[1])


def test_two_clouds_are_the_printed_ones():
    points, labels = simulated.two_clouds(np.random.RandomState(104729))
    assert [f"{number:.8f}" for number in points[0]] == ["-0.22117921", "0.03544490"]
    assert [f"{number:.8f}" for number in points[999]] == ["4.23706484", "4.85350827"]
    assert labels[[0, 499, 500, 999]].tolist() == [0, 0, 1, 1]


def test_two_clouds_equal_scipys_draw():
    stats = pytest.importorskip("scipy.stats")
    draws = np.random.RandomState(104729)
    covariance = [[1.0, 0.75], [0.75, 1.0]]
    theirs = [
        stats.multivariate_normal.rvs(mean, covariance, size=500, random_state=draws)
        for mean in ([0.0, 0.0], [5.0, 5.0])
    ]
    points, _ = simulated.two_clouds(np.random.RandomState(104729))
    np.testing.assert_allclose(points, np.concatenate(theirs), rtol=0, atol=1e-14)


def test_windows_of_the_sine_are_followed_by_their_targets():
    x, y = simulated.noisy_sine(np.random.RandomState(42), n=20, length=4)
    assert x.shape == (16, 4, 1) and y.shape == (16, 1)
    np.testing.assert_array_equal(x[1:, -1], y[:-1])
    np.testing.assert_array_equal(x[1:, :-1], x[:-1, 1:])


@pytest.mark.parametrize("module", [data, figures], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module):
    tried = doctest.testmod(module)
    assert tried.attempted > 0 and tried.failed == 0
