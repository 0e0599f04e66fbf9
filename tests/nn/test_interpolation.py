import numpy as np
import pytest

import autodiff
from autodiff import tensor
from nn import functional as F
from tests.autodiff.compiler.scenarios import agree
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

TARGETS = (
    *("size=1", "size=3", "size=8", "scale_factor=0.6", "scale_factor=1.7", "scale_factor=2"),
    "scale_factor=1.7, recompute_scale_factor=True",
)
BY_AXES = {
    "signal": ("nearest", "nearest-exact", "area", "linear"),
    "image": ("nearest", "nearest-exact", "area", "bilinear", "bicubic"),
    "volume": ("nearest", "nearest-exact", "area", "trilinear"),
}
EXPRESSIONS = [
    f"F.interpolate({x}, {target}, mode={mode!r}, align_corners={align})"
    for x, modes in BY_AXES.items()
    for mode in modes
    for align in ((None, True) if mode.endswith(("linear", "cubic")) else (None,))
    for target in TARGETS
]
OTHERS = listed(
    """
    F.interpolate(image, size=3, mode="bilinear", antialias=True);
    F.interpolate(image, size=(2, 3), mode="bilinear", antialias=True);
    F.interpolate(image, size=8, mode="bilinear", antialias=True);
    F.interpolate(image, scale_factor=0.6, mode="bilinear", antialias=True);
    F.interpolate(image, size=3, align_corners=True, mode="bilinear", antialias=True);
    F.interpolate(image, size=3, mode="bicubic", antialias=True);
    F.interpolate(image, size=(2, 3), mode="bicubic", antialias=True);
    F.interpolate(image, size=8, mode="bicubic", antialias=True);
    F.interpolate(image, scale_factor=0.6, mode="bicubic", antialias=True);
    F.interpolate(image, size=3, align_corners=True, mode="bicubic", antialias=True);
    F.interpolate(image); F.interpolate(image, size=2, scale_factor=2);
    F.interpolate(image, size=[2]); F.interpolate(image, scale_factor=[2]);
    F.interpolate(image[0, 0], size=2); F.interpolate(image, size=2, mode="linear");
    F.interpolate(signal, size=2, mode="bilinear"); F.interpolate(image, size=2, mode="cubic");
    F.interpolate(signal, size=2, mode="bicubic");
    F.interpolate(image, size=2, align_corners=False);
    F.interpolate(image, size=2, recompute_scale_factor=True); F.interpolate(image, size=0);
    F.interpolate(image, scale_factor=0.1); F.interpolate(image, scale_factor=-1.0);
    F.interpolate(image, size=2.0); F.interpolate(image, size=[2.0, 2.0]);
    F.interpolate(image.long(), size=2); F.interpolate(bytes, size=2); F.interpolate(bytes, size=5);
    F.interpolate(image>0, size=2); F.interpolate(image.long(), size=2, mode="bilinear");
    F.interpolate(image[:0], size=2); F.interpolate(image[:0], size=2, mode="bilinear");
    F.interpolate(image[:, :0], size=2); F.interpolate(image[:, :, :0], size=2);
    F.interpolate(image, size=2, antialias=True); F.interpolate(image.long(), size=3, mode="area");
    F.interpolate(image, scale_factor=(2, 1.5)); F.interpolate(image, size=(3, 7), mode="bilinear");
    F.upsample(image, size=2); F.upsample(image, scale_factor=2, mode="bilinear");
    F.upsample_nearest(image, size=3); F.upsample_bilinear(image, size=3);
    F.upsample_bilinear(image, scale_factor=2);
    F.interpolate(image.permute(0, 1, 3, 2), size=(7, 2), mode="bicubic");
    F.interpolate(image, size=(5, 4), mode="bilinear"); F.interpolate(image, scale_factor=1.1);
    F.interpolate(image, scale_factor=1.1, mode="bilinear")
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS + OTHERS)
def test_interpolations_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_nearest_pixels_are_pytorchs_at_ties_too(torch, mode, dtype):
    for n in range(1, 24):
        x = np.tile(np.arange(n, dtype=dtype)[:, None], (1, 1, 1, 2))
        for m in range(1, 60):
            ours = F.interpolate(tensor(x), (m, 2), mode=mode)
            theirs = torch.nn.functional.interpolate(torch.tensor(x), (m, 2), mode=mode)
            assert ours.tolist() == theirs.tolist(), (n, m)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "area"])
@pytest.mark.parametrize("size", [(3, 9), (40, 31), (1, 1)])
def test_float32_stays_float32(torch, rng, mode, size):
    x = rng.normal(size=(2, 3, 17, 12)).astype(np.float32)
    ours = F.interpolate(tensor(x), size, mode=mode)
    theirs = torch.nn.functional.interpolate(torch.tensor(x), size, mode=mode)
    assert ours.dtype == autodiff.float32
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_known_signals():
    x = tensor([[[1.0, 2.0, 4.0]]])
    double = {"scale_factor": 2}
    assert F.interpolate(x, **double).flatten().tolist() == [1, 1, 2, 2, 4, 4]
    assert F.interpolate(x, 5, mode="linear", align_corners=True).flatten().tolist() == [
        *(1.0, 1.5, 2.0, 3.0, 4.0),
    ]
    expected = [1.0, 1.25, 1.75, 2.5, 3.5, 4.0]
    assert F.interpolate(x, **double, mode="linear").flatten().tolist() == expected
    assert F.interpolate(x, 2, mode="area").flatten().tolist() == [1.5, 3.0]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "area"])
def test_constants_stay_constant(mode):
    x = autodiff.full((1, 1, 5, 7), 3.0, dtype=autodiff.float64)
    for size in ((2, 3), (11, 10), (5, 1)):
        out = F.interpolate(x, size, mode=mode)
        np.testing.assert_allclose(out.numpy(), 3.0, rtol=1e-12)


def test_an_infinite_pixel_stays_one_where_the_nearest_is_taken():
    x = tensor([[[1.0, np.inf, 2.0]]])
    assert F.interpolate(x, 6).flatten().tolist() == [1.0, 1.0, np.inf, np.inf, 2.0, 2.0]


def test_the_result_does_not_share_memory_with_the_input():
    x = autodiff.ones(1, 1, 3, 3)
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        F.interpolate(x, (3, 3), mode=mode).fill_(0.0)
    assert (x == 1).all()


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
def test_a_compiled_interpolation_is_the_eager_one(mode):
    def scenario(run):
        @run.compile
        def step(x):
            out = F.interpolate(x, (5, 3), mode=mode)
            return out, autodiff.autograd.grad((out * out).sum(), x)[0]

        for i in range(3):
            x = autodiff.arange(24.0).reshape(1, 2, 3, 4) * (i + 1)
            run.note(step(x.requires_grad_()))

    agree(scenario)
