from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
import optim
from autodiff import tensor
from nn import functional as F
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch
from tests.nn.twins import check_functions

CONV1D = """
    F.conv1d(signal,k1); F.conv1d(signal,k1,b6); F.conv1d(signal[0],k1,b6);
    F.conv1d(signal,k1,stride=2); F.conv1d(signal,k1,b6,3,2);
    F.conv1d(signal,k1,None,(2,),[1],(2,)); F.conv1d(signal,k1,padding="same");
    F.conv1d(signal,k1[:,:,:2],padding="same"); F.conv1d(signal,k1,padding="same",dilation=2);
    F.conv1d(signal,k1,b6,2,"valid"); F.conv1d(signal,k1[:,:1],groups=3);
    F.conv1d(signal,k1[:3,:1],b6[:3],groups=3,padding=4); F.conv1d(signal,k1,dilation=3);
    F.conv1d(signal,k1,dilation=4); F.conv1d(signal,k1,stride=9); F.conv1d(signal,k1[:,:,:1]);
    F.conv1d(signal[:1],k1); F.conv1d(signal[:0],k1,b6); F.conv1d(signal[:,:,::2],k1);
    F.conv1d(signal.flip(2),k1);
    F.conv1d(signal.transpose(0,2)[:3].transpose(1,2).transpose(0,1)[:1],k1[:,:1,:2]);
    F.conv1d(signal,k1,padding=1.0); F.conv1d(image,k1); F.conv1d(u,k1); F.conv1d(signal,k2);
    F.conv1d(signal,k1,stride=(1,2)); F.conv1d(signal,k1,b6[:5]); F.conv1d(signal,k1[:,:2]);
    F.conv1d(signal,k1.transpose(0,1)); F.conv1d(signal[:,:,:2],k1);
    F.conv1d(signal,k1[:5],groups=2); F.conv1d(signal,k1,padding="full");
    F.conv1d(signal,k1,stride=2,padding="same");
"""
CONV2D = """
    F.conv2d(image,k2); F.conv2d(image,k2,b6); F.conv2d(image[0],k2,b6); F.conv2d(image[:1],k2,b6);
    F.conv2d(image,k2,b6,2); F.conv2d(image,k2,None,(2,3),(1,2)); F.conv2d(image,k2,b6,1,"same");
    F.conv2d(image,k2,padding="same",dilation=(2,3)); F.conv2d(image,k2,b6,(3,1),"valid");
    F.conv2d(image,k2,padding=(3,0)); F.conv2d(image,k2,padding=5,stride=4);
    F.conv2d(image,k2,b6,9); F.conv2d(image,k2,dilation=2); F.conv2d(image,k2,b6,(2,1),(2,1),(2,3));
    F.conv2d(image,k2,b6,3,4,2); F.conv2d(image,k2,stride=(3,2),padding=(2,3),dilation=(2,4));
    F.conv2d(image,k2,stride=(4,1),padding=(4,1),dilation=(2,1)); F.conv2d(image,k2[:,:2],groups=2);
    F.conv2d(image,k2[:,:2],b6,2,1,groups=2); F.conv2d(image,k2[:4,:1],b6[:4],padding=1,groups=4);
    F.conv2d(image[:,:2],k2[:,:1],groups=2); F.conv2d(image,k2[:,:2],b6,2,3,2,2);
    F.conv2d(image,k2[:,:,:1,:1]); F.conv2d(image,k2[:1],b6[:1]); F.conv2d(image,k2[:,:,:1]);
    F.conv2d(image,k2[:,:,:,:1],b6,2); F.conv2d(image[:,:,:3,:2],k2);
    F.conv2d(image[:,:1],k2[:,:1],b6); F.conv2d(image[:,:1],k2[:,:1],b6,(2,3),2);
    F.conv2d(image[:,:2],k2[:1,:2].expand(1,2,3,2)); F.conv2d(image[:0],k2,b6);
    F.conv2d(image.transpose(2,3),k2); F.conv2d(image.flip(3)[:,:,::2],k2,padding=1);
    F.conv2d(image[:1].expand(3,4,5,6),k2); F.conv2d(image.permute(3,1,2,0),k2);
    F.conv2d(bytes.long(),bytes.long()); F.conv2d(input=image,weight=k2,bias=b6,stride=2);
    F.conv2d(image,k2,b6.float()); F.conv2d(image,k2.float()); F.conv2d(image,k2,b6[:5]);
    F.conv2d(image,k2,b6[:,None]); F.conv2d(image,k2,stride=0); F.conv2d(image,k2,stride=-1);
    F.conv2d(image,k2,padding=-1); F.conv2d(image,k2,dilation=0); F.conv2d(image,k2,groups=0);
    F.conv2d(image,k2,groups=2); F.conv2d(image,k2[:5,:2],groups=2); F.conv2d(image[:,:3],k2);
    F.conv2d(image,k2,stride=(1,2,3)); F.conv2d(image,k2,stride=1.5); F.conv2d(image,k2,stride="1");
    F.conv2d(image,k2,stride=2,padding="same"); F.conv2d(image,k2,padding="full");
    F.conv2d(image[:,:,:2],k2); F.conv2d(image,k2,dilation=3); F.conv2d(signal[0],k2);
    F.conv2d(image,k1); F.conv2d(image,k2[:0]); F.conv2d(image,k2[:,:,:0]); F.conv2d(image>0,k2>0);
    F.conv2d(image[:,:,:0],k2,padding=2); F.conv2d(image,k2,b6,1,0,1,1,1);
"""
CONV3D = """
    F.conv3d(volume,k3); F.conv3d(volume,k3,w4,2,1); F.conv3d(volume[0],k3,w4,(1,2,3),(1,0,2));
    F.conv3d(volume,k3,padding="same"); F.conv3d(volume,k3[:,:1],w4,groups=2,dilation=(2,1,2));
    F.conv3d(image,k3); F.conv3d(volume,k2);
"""
TRANSPOSED1D = """
    F.conv_transpose1d(signal,k1.transpose(0,1));
    F.conv_transpose1d(signal[0],k1.transpose(0,1),b6); F.conv_transpose1d(signal,k1[:3]);
    F.conv_transpose1d(signal,k1[:3],b6[:3],2); F.conv_transpose1d(signal,k1[:3],b6[:3],2,1);
    F.conv_transpose1d(signal,k1[:3],None,2,1,1); F.conv_transpose1d(signal,k1[:3],None,3,2,2);
    F.conv_transpose1d(signal,k1[:3],stride=5); F.conv_transpose1d(signal,k1[:3],dilation=3);
    F.conv_transpose1d(signal,k1[:3],dilation=3,stride=2);
    F.conv_transpose1d(signal,k1[:3],dilation=3,output_padding=2,padding=2);
    F.conv_transpose1d(signal,k1[:3],groups=3); F.conv_transpose1d(signal,k1[:3,:2],b6,2,1,1,3);
    F.conv_transpose1d(signal,k1[:3,:,:1]); F.conv_transpose1d(signal,k1[:3,:,:1],stride=2);
    F.conv_transpose1d(signal,k1[:3],padding=4); F.conv_transpose1d(signal[:,:,:1],k1[:3]);
    F.conv_transpose1d(signal[:0],k1[:3]);
    F.conv_transpose1d(signal[:1],k1[:3],(1*b6)[:3],(2,),[1],(1,));
    F.conv_transpose1d(signal[:,:,::2],k1[:3]); F.conv_transpose1d(signal,k1);
    F.conv_transpose1d(image,k1[:3]); F.conv_transpose1d(u,k1[:3]);
    F.conv_transpose1d(signal,k1[:3],b6); F.conv_transpose1d(signal,k1[:3],groups=2);
    F.conv_transpose1d(signal,k1[:3],output_padding=1); F.conv_transpose1d(signal,k1[:3],padding=5);
    F.conv_transpose1d(signal,k1[:3],padding=-1); F.conv_transpose1d(signal,k1[:3],stride=0);
"""
TRANSPOSED2D = """
    F.conv_transpose2d(image,k2[:4]); F.conv_transpose2d(image,k2.transpose(0,1),b6);
    F.conv_transpose2d(image[0],k2[:4],w4,2); F.conv_transpose2d(image,k2[:4],w4,2,1);
    F.conv_transpose2d(image,k2[:4],w4,2,1,1);
    F.conv_transpose2d(image,k2[:4],w4,(2,3),(1,0),(1,2));
    F.conv_transpose2d(image,k2[:4],stride=3,padding=(2,1),output_padding=(0,2));
    F.conv_transpose2d(image,k2[:4],stride=(4,3),dilation=(2,1));
    F.conv_transpose2d(image,k2[:4],w4,4);
    F.conv_transpose2d(image,k2[:4],stride=2,dilation=2,padding=2,output_padding=1);
    F.conv_transpose2d(image,k2[:4],stride=3,dilation=2); F.conv_transpose2d(image[:1],k2[:4],w4,2);
    F.conv_transpose2d(image,k2[:4],stride=2,dilation=4,output_padding=3,padding=1);
    F.conv_transpose2d(image,k2[:4],groups=2); F.conv_transpose2d(image,k2[:4,:3],b6,2,1,1,2);
    F.conv_transpose2d(image,k2[:4,:1],groups=4,padding=1);
    F.conv_transpose2d(image,k2[:4,:,:1,:1]); F.conv_transpose2d(image,k2[:4,:,:1,:1],stride=2);
    F.conv_transpose2d(image,k2[:4,:1],stride=2); F.conv_transpose2d(image[:,:1],k2[:1]);
    F.conv_transpose2d(image[:,:,:1,:1],k2[:4]); F.conv_transpose2d(image.transpose(2,3),k2[:4]);
    F.conv_transpose2d(image[:0],k2[:4]); F.conv_transpose2d(bytes.long(),bytes.long());
    F.conv_transpose2d(image,k2); F.conv_transpose2d(image,k2[:4],b6);
    F.conv_transpose2d(image,k1[:4]); F.conv_transpose2d(image,k2[:4],padding="same");
    F.conv_transpose2d(image,k2[:4],groups=3);
    F.conv_transpose2d(image,k2[:4],stride=2,output_padding=2);
    F.conv_transpose2d(image,k2[:4],padding=9); F.conv_transpose2d(image,k2[:4],output_padding=-1);
    F.conv_transpose2d(image[:,:,:0],k2[:4]); F.conv_transpose2d(image,k2[:4].float());
    F.conv_transpose3d(volume,k3[:2],padding=(1,0,1));
    F.conv_transpose3d(volume[0],k3[:2],b6[:2],2,1,1);
"""


@pytest.mark.parametrize("expression", listed(CONV1D, CONV2D, CONV3D, TRANSPOSED1D, TRANSPOSED2D))
def test_convolutions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def test_a_worked_convolution():
    image = tensor([[[[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [4.0, 0.0, 1.0]]]])
    kernel = tensor([[[[1.0, -1.0], [2.0, 0.5]]]])
    assert F.conv2d(image, kernel, tensor([10.0])).tolist() == [[[[9.5, 15.5], [17.0, 8.5]]]]
    assert F.conv_transpose2d(kernel, kernel).tolist() == [
        [[[1.0, -2.0, 1.0], [4.0, -3.0, -1.0], [4.0, 2.0, 0.25]]]
    ]
    assert F.conv1d(tensor([[1.0, 2.0, 3.0]]), tensor([[[1.0, 10.0]]])).tolist() == [[21.0, 32.0]]


settings = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 4)
)


@given(st.lists(settings, min_size=1, max_size=3), st.integers(0, 2), st.sampled_from([1, 2]))
def test_conv_transpose_is_the_transpose_of_conv(axes, batch, groups):
    """<conv(x), y> = <x, conv_transpose(y)>"""
    size, stride, dilation, padding, extra = zip(*axes)
    lengths = [
        max(1, d * (k - 1) + 1 - 2 * p) + e for k, d, p, e in zip(size, dilation, padding, extra)
    ]
    rng = np.random.default_rng(0)
    n = len(axes)
    x = tensor(rng.normal(size=(batch, 2 * groups, *lengths)))
    weight = tensor(rng.normal(size=(3 * groups, 2, *size)))
    forward, back = getattr(F, f"conv{n}d"), getattr(F, f"conv_transpose{n}d")
    out = forward(x, weight, None, stride, padding, dilation, groups)
    y = tensor(rng.normal(size=tuple(out.shape)))
    rest = [
        (m + 2 * p - d * (k - 1) - 1) % s
        for m, k, s, d, p in zip(lengths, size, stride, dilation, padding)
    ]
    returned = back(y, weight, None, stride, padding, rest, groups, dilation)
    assert returned.shape == x.shape
    assert (out * y).sum().item() == pytest.approx((x * returned).sum().item(), abs=1e-9)


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_float32_is_computed_in_float32(torch, rng, name, channels):
    arrays = [(2, 8, 9, 7), (8, 8 // channels, 3, 3), (8,)]
    settings = {"stride": 2, "padding": 1, "groups": channels}
    check_functions(
        torch,
        partial(getattr(F, name), **settings),
        partial(getattr(torch.nn.functional, name), **settings),
        *[rng.normal(size=shape).astype("float32") for shape in arrays],
        tolerance=1e-4,
    )


@pytest.mark.parametrize("channels", [1, 8])  # windows laid out along both axes, or along one
def test_results_are_contiguous_and_nothing_else_is_kept_for_the_backward_pass(channels):
    x = autodiff.randn(4, channels, 9, 9, requires_grad=True)
    weight = autodiff.randn(5, channels, 3, 3, requires_grad=True)
    out = F.conv2d(x, weight, autodiff.randn(5), padding=1)
    assert out.is_contiguous()
    assert {id(v) for row in out._node.saved for v in row if hasattr(v, "dtype")} == {
        id(x._array),
        id(weight._array),
    }


@pytest.mark.parametrize(
    ("images", "kernels", "settings"),
    [
        ((40, 8, 30, 30), (4, 8, 3, 3), {}),
        ((60, 8, 30, 30), (6, 4, 3, 3), {"groups": 2, "padding": 1, "stride": (1, 2)}),
        ((33, 4, 2000), (4, 4, 5), {"dilation": 2}),
    ],
)
def test_many_images_are_convolved_as_each_by_itself(images, kernels, settings):
    convolve = F.conv1d if len(images) == 3 else F.conv2d
    shapes = images, kernels, kernels[:1]
    x, w, b = leaves = [autodiff.randn(s, dtype=autodiff.float64).requires_grad_() for s in shapes]
    whole = convolve(*leaves, **settings)
    each = autodiff.cat([convolve(x[i : i + 1], w, b, **settings) for i in range(len(x))])
    np.testing.assert_allclose(whole.detach(), each.detach(), 1e-12, 1e-12)
    g = autodiff.randn(whole.shape, dtype=autodiff.float64)
    found, expected = (autodiff.autograd.grad(y, leaves, g) for y in (whole, each))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, 1e-9, 1e-9)


def test_a_compiled_training_step_is_the_eager_one():
    def trained(compiled: bool) -> list[float]:
        autodiff.manual_seed(3)
        kernels = [autodiff.randn(4, 1, 3, 3), autodiff.randn(6, 4, 3, 3), autodiff.randn(6 * 4, 3)]
        parameters = [(0.3 * k).requires_grad_() for k in (*kernels, autodiff.randn(6))]
        first, second, last, bias = parameters
        optimizer = optim.SGD(parameters, lr=0.05)

        def step(x, target):
            h = F.max_pool2d(F.conv2d(x, first, padding=1).relu(), 2)
            h = F.max_pool2d(F.conv2d(h, second, bias), 3, stride=1, padding=1)[:, :, ::2, ::2]
            loss = F.cross_entropy(h.flatten(1) @ last, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = autodiff.compile(step, fullgraph=True) if compiled else step
        batches = [(autodiff.randn(5, 1, 10, 10), autodiff.randint(3, (5,))) for _ in range(4)]
        return [run(*batch).item() for batch in batches]

    assert trained(compiled=True) == pytest.approx(trained(compiled=False), rel=1e-5)
