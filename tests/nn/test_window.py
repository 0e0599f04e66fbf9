import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import tensor
from nn import functional as F
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

UNFOLD = """
    F.unfold(image,2); F.unfold(image,(3,2)); F.unfold(image[0],(3,2)); F.unfold(image,3,2);
    F.unfold(image,3,1,1); F.unfold(image,3,1,1,2); F.unfold(image,(3,2),(1,3),(2,1),(2,3));
    F.unfold(image,1); F.unfold(image,1,stride=2); F.unfold(image,(5,6));
    F.unfold(image,4,padding=3); F.unfold(image,kernel_size=2,dilation=1,padding=0,stride=3);
    F.unfold(image[:0],2); F.unfold(image.transpose(2,3),2); F.unfold(image.flip(3),(2,3));
    F.unfold(image[:,:,::2],2); F.unfold(image.float(),2); F.unfold(image>0,2);
    F.unfold(image[:1,:1],(2,1),stride=(1,2)); F.unfold(image,2,padding=9,stride=8);
    F.unfold(image,6); F.unfold(image,3,3); F.unfold(image,0); F.unfold(image,2,0);
    F.unfold(image,2,1,-1); F.unfold(image,2,stride=0); F.unfold(image,(2,2,2));
    F.unfold(image[:,:0],2); F.unfold(image,2.0); F.unfold(volume,2);
"""
FOLD = """
    F.fold(q.reshape(2,12,16),5,2); F.fold(q.reshape(2,12,16),(5,5),(2,2));
    F.fold(q[0].reshape(12,8),(5,3),2); F.fold(q.reshape(2,12,16),3,2,1,1);
    F.fold(q.reshape(2,12,16),(8,8),2,1,0,2); F.fold(q.reshape(2,12,16),6,2,2);
    F.fold(q.reshape(2,12,16),(4,4),(2,2),(2,2),(1,1)); F.fold(q.reshape(2,6,32),(5,8),(2,1));
    F.fold(q.reshape(2,12,16),(7,6),(1,3),stride=(2,1));
    F.fold(q.reshape(2,12,16),(8,5),(1,2),1,0,(2,1)); F.fold(q.reshape(4,8,6),(4,3),2);
    F.fold(q.reshape(2,12,16),4,1); F.fold(q.reshape(2,12,16),7,1,stride=2);
    F.fold(q.reshape(2,96,2),(4,5),4); F.fold(q.reshape(1,24,16),8,2,stride=2);
    F.fold(q.float().reshape(2,12,16),5,2); F.fold(q.transpose(2,3).reshape(2,12,16),5,2);
    F.fold(q.reshape(2,12,16).flip(2),5,2); F.fold(q[:0].reshape(0,12,16),5,2);
    F.fold(output_size=5,kernel_size=2,input=q.reshape(2,12,16));
    F.fold(q.reshape(2,12,16),(5,5),2)[0]; F.fold(q.reshape(2,12,16),6,2);
    F.fold(q.reshape(2,6,32),(5,8),2); F.fold(q,5,2); F.fold(u,5,2); F.fold(q.reshape(2,12,16),0,2);
    F.fold(q.reshape(2,12,16),5,0); F.fold(q.reshape(2,12,16),5,2,0);
    F.fold(q.reshape(2,12,16),5,2,1,-1); F.fold(q.reshape(2,12,16),5,2,1,0,0);
    F.fold(q.reshape(2,12,16),(5,5,5),2); F.fold(q.reshape(2,12,16),5.0,2);
"""


@pytest.mark.parametrize("expression", listed(UNFOLD, FOLD))
def test_windows_as_columns_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def test_worked_columns():
    image = tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    columns = F.unfold(image, 2)
    assert columns.tolist() == [[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]
    assert F.fold(columns, (2, 3), 2).tolist() == [[[1.0, 4.0, 3.0], [4.0, 10.0, 6.0]]]


settings = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3))


@given(st.tuples(settings, settings), st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_fold_is_the_transpose_of_unfold(axes, extra):
    """<unfold(x), y> = <x, fold(y)>"""
    size, dilation, padding, stride = zip(*axes)
    lengths = [max(1, d * (k - 1) + 1 - 2 * p) + e for (k, d, p, _), e in zip(axes, extra)]
    rng = np.random.default_rng(0)
    x = tensor(rng.normal(size=(2, 3, *lengths)))
    columns = F.unfold(x, size, dilation, padding, stride)
    y = tensor(rng.normal(size=tuple(columns.shape)))
    folded = F.fold(y, lengths, size, dilation, padding, stride)
    assert (columns * y).sum().item() == pytest.approx((x * folded).sum().item(), abs=1e-9)


def test_convolution_is_a_product_with_columns():
    rng = np.random.default_rng(0)
    x, weight = tensor(rng.normal(size=(2, 3, 6, 5))), tensor(rng.normal(size=(4, 3, 2, 3)))
    columns = F.unfold(x, (2, 3), 1, 1, 2)
    product = (weight.reshape(4, -1) @ columns).reshape(2, 4, 4, 3)
    assert (F.conv2d(x, weight, None, 2, 1) - product).abs().max() < 1e-12
