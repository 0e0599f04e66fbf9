import pytest

import autodiff
from nn import functional as F
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

EXPRESSIONS = listed(
    """
    F.pixel_shuffle(image, 2); F.pixel_shuffle(image, 1); F.pixel_shuffle(image[0], 2);
    F.pixel_shuffle(image[None], 2); F.pixel_shuffle(x, 2); F.pixel_shuffle(m, 2);
    F.pixel_shuffle(image, 0); F.pixel_shuffle(image, -2); F.pixel_shuffle(image[:0], 2);
    F.pixel_shuffle(bytes.reshape(4, 2, 2), 2); F.pixel_unshuffle(image[:, :, :4], 2);
    F.pixel_unshuffle(image, 2); F.pixel_unshuffle(image[:, :, :4, :5], 2);
    F.pixel_unshuffle(image[:, :, :3], 3); F.pixel_unshuffle(m, 2); F.pixel_unshuffle(image, 0);
    F.pixel_unshuffle(F.pixel_shuffle(image, 2), 2); F.channel_shuffle(image, 2);
    F.channel_shuffle(image, 4); F.channel_shuffle(image, 3); F.channel_shuffle(image, 0);
    F.channel_shuffle(m, 1); F.channel_shuffle(volume, 2)
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_shuffles_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


def test_known_pixels():
    x = autodiff.arange(4.0).reshape(4, 1, 1)
    assert F.pixel_shuffle(x, 2).tolist() == [[[0.0, 1.0], [2.0, 3.0]]]
    assert F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).tolist() == x.tolist()


def test_known_channels():
    x = autodiff.arange(6).reshape(1, 6, 1)
    assert F.channel_shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_no_images_stay_no_images():
    assert tuple(F.pixel_shuffle(autodiff.zeros(0, 4, 2, 3), 2).shape) == (0, 1, 4, 6)
    assert tuple(F.pixel_unshuffle(autodiff.zeros(0, 1, 4, 6), 2).shape) == (0, 4, 2, 3)
