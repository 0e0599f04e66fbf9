import numpy as np
import pytest

import autodiff
from autodiff import tensor
from nn import functional as F
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

MAX1D = """
    F.max_pool1d(signal,2); F.max_pool1d(signal,3); F.max_pool1d(signal[0],2);
    F.max_pool1d(signal,3,1); F.max_pool1d(signal,3,2,1); F.max_pool1d(signal,2,2,1,2);
    F.max_pool1d(signal,(3,),(2,),[1],(2,)); F.max_pool1d(signal,2,ceil_mode=True);
    F.max_pool1d(signal,3,2,ceil_mode=True); F.max_pool1d(signal,3,3,1,ceil_mode=True);
    F.max_pool1d(signal,2,3,1,ceil_mode=True); F.max_pool1d(signal,2,return_indices=True);
    F.max_pool1d(signal,3,2,1,1,True,True); F.max_pool1d(signal[0],3,1,return_indices=True);
    F.max_pool1d_with_indices(signal,2); F.max_pool1d(signal,7); F.max_pool1d(signal,1);
    F.max_pool1d(signal,1,2); F.max_pool1d(signal[:0],2); F.max_pool1d(signal.flip(2),3,1);
    F.max_pool1d(signal[:,:,::2],2); F.max_pool1d(signal.float(),2);
    F.max_pool1d(signal.round(),3,1); F.max_pool1d(signal.round(),3,1,1,return_indices=True);
    F.max_pool1d(ints,2); F.max_pool1d(signal,8); F.max_pool1d(signal,2,0); F.max_pool1d(signal,0);
    F.max_pool1d(signal,2,padding=2); F.max_pool1d(signal,2,padding=-1); F.max_pool1d(signal,(2,2));
    F.max_pool1d(signal,2,dilation=0); F.max_pool1d(image,2); F.max_pool1d(u,2);
    F.max_pool1d(signal>0,2);
"""
MAX2D = """
    F.max_pool2d(image,2); F.max_pool2d(image,(2,3)); F.max_pool2d(image[0],2);
    F.max_pool2d(image,3,1); F.max_pool2d(image,3,2,1); F.max_pool2d(image,(3,2),(1,2),(1,0));
    F.max_pool2d(image,2,None,1,(2,1)); F.max_pool2d(image,2,3); F.max_pool2d(image,2,1,1,2);
    F.max_pool2d(image,2,2,ceil_mode=True); F.max_pool2d(image,3,2,1,ceil_mode=True);
    F.max_pool2d(image,(2,4),3,(1,2),ceil_mode=True); F.max_pool2d(image,2,return_indices=True);
    F.max_pool2d(image,3,1,1,1,False,True); F.max_pool2d(image,3,2,1,1,True,True);
    F.max_pool2d(image[0],2,1,return_indices=True); F.max_pool2d_with_indices(image,2);
    F.max_pool2d(image,(5,6)); F.max_pool2d(image,1,2);
    F.max_pool2d(image.round(),3,1,1,return_indices=True); F.max_pool2d(image.round(),2);
    F.max_pool2d(image*0,3,2,1,return_indices=True); F.max_pool2d(image-float("inf"),3,1,1)*0;
    F.max_pool2d(image.transpose(2,3),2); F.max_pool2d(image.flip(3),2,1);
    F.max_pool2d(image[:0],2); F.max_pool2d(image[:1].expand(3,4,5,6),2);
    F.max_pool2d(image.float(),3,2); F.max_pool2d(bytes,2);
    F.max_pool2d(bytes.long(),3,1,1,return_indices=True); F.max_pool2d(image,2,[]);
    F.max_pool2d(image,6); F.max_pool2d(image,0); F.max_pool2d(image,2,0);
    F.max_pool2d(image,2,padding=2); F.max_pool2d(image,3,padding=2,dilation=2);
    F.max_pool2d(image,2,padding=-1); F.max_pool2d(image,2.0); F.max_pool2d(image,2,dilation=0);
    F.max_pool2d(image,(2,2,2)); F.max_pool2d(x[0],2); F.max_pool2d(image[:,:0],2);
    F.max_pool2d(image[:,:,:0],2); F.max_pool2d(image>0,2);
"""
TIES = """
    F.max_pool1d(signal-signal.detach(),2); F.max_pool1d(rounded(signal),3,1,1);
    F.max_pool1d(rounded(signal),2,2,1,2); F.max_pool1d(rounded(signal[0]),3,2,ceil_mode=True);
    F.max_pool2d(rounded(image),2); F.max_pool2d(rounded(image),3,2,1);
    F.max_pool2d(rounded(image),3,2,1,ceil_mode=True); F.max_pool2d(rounded(image),(3,2),(1,2),1);
    F.max_pool2d(rounded(image),2,1,1,2); F.max_pool2d(rounded(image),2,1,0,(4,3));
    F.max_pool2d(rounded(image.transpose(2,3)),2); F.max_pool2d(rounded(image[0]),(4,1),1,(2,0));
    F.max_pool2d(rounded(image)**3,2,1); F.max_pool2d(rounded(image)-float("inf"),3,2,1);
    F.max_pool2d(rounded(image).relu(),2);
"""
AVG1D = """
    F.avg_pool1d(signal,2); F.avg_pool1d(signal,3); F.avg_pool1d(signal[0],2);
    F.avg_pool1d(signal,3,1); F.avg_pool1d(signal,3,2,1); F.avg_pool1d(signal,3,2,1,False,False);
    F.avg_pool1d(signal,(2,),(3,),(1,)); F.avg_pool1d(signal,2,ceil_mode=True);
    F.avg_pool1d(signal,3,2,1,True); F.avg_pool1d(signal,4,3,2,True);
    F.avg_pool1d(signal,4,3,2,True,False); F.avg_pool1d(signal,2,3,1,ceil_mode=True);
    F.avg_pool1d(signal,2,3,1,count_include_pad=False); F.avg_pool1d(signal,7);
    F.avg_pool1d(signal,1); F.avg_pool1d(signal,1,2); F.avg_pool1d(signal.flip(2),3,1);
    F.avg_pool1d(signal[:,:,::2],2); F.avg_pool1d(signal.float(),3,1,1); F.avg_pool1d(signal[:0],2);
    F.avg_pool1d(signal,2,4); F.avg_pool1d(signal,8); F.avg_pool1d(signal,2,0);
    F.avg_pool1d(signal,0); F.avg_pool1d(signal,2,1,2); F.avg_pool1d(signal,2,padding=-1);
    F.avg_pool1d(signal,(2,2)); F.avg_pool1d(image,2);
"""
AVG2D = """
    F.avg_pool2d(image,2); F.avg_pool2d(image,(2,3)); F.avg_pool2d(image[0],2);
    F.avg_pool2d(image,3,1); F.avg_pool2d(image,3,2,1); F.avg_pool2d(image,3,2,1,False,False);
    F.avg_pool2d(image,2,3,1); F.avg_pool2d(image,2,2,ceil_mode=True);
    F.avg_pool2d(image,3,2,1,True); F.avg_pool2d(image,3,2,1,True,False);
    F.avg_pool2d(image,(4,3),(3,2),(2,1),True); F.avg_pool2d(image,(4,3),(3,2),(2,1),True,False);
    F.avg_pool2d(image,2,divisor_override=3); F.avg_pool2d(image,3,2,1,True,False,-2);
    F.avg_pool2d(image,(5,6)); F.avg_pool2d(image,1); F.avg_pool2d(image,1,2);
    F.avg_pool2d(image[:0],2); F.avg_pool2d(image.transpose(2,3),2);
    F.avg_pool2d(image.flip(3),2,1); F.avg_pool2d(image[:1].expand(3,4,5,6),2,1);
    F.avg_pool2d(image,2,(1,3)); F.avg_pool2d(image,6); F.avg_pool2d(image,0);
    F.avg_pool2d(image,2,0); F.avg_pool2d(image,2,1,2); F.avg_pool2d(image,2,padding=-1);
    F.avg_pool2d(image,(2,2,2)); F.avg_pool2d(image,2,divisor_override=0);
    F.avg_pool2d(image[:,:0],2);
"""
ADAPTIVE_AVG = """
    F.adaptive_avg_pool1d(signal,1); F.adaptive_avg_pool1d(signal,2);
    F.adaptive_avg_pool1d(signal,3); F.adaptive_avg_pool1d(signal,4);
    F.adaptive_avg_pool1d(signal,5); F.adaptive_avg_pool1d(signal,6);
    F.adaptive_avg_pool1d(signal,7); F.adaptive_avg_pool1d(signal,8);
    F.adaptive_avg_pool1d(signal,15); F.adaptive_avg_pool1d(signal[0],3);
    F.adaptive_avg_pool1d(signal,(3,)); F.adaptive_avg_pool1d(signal,[2]);
    F.adaptive_avg_pool1d(signal[:,:,:6],2); F.adaptive_avg_pool1d(signal[:,:,:6],3);
    F.adaptive_avg_pool1d(signal.flip(2),3); F.adaptive_avg_pool1d(signal[:,:,::2],3);
    F.adaptive_avg_pool1d(signal.float(),4); F.adaptive_avg_pool1d(signal[:0],2);
    F.adaptive_avg_pool1d(signal,None); F.adaptive_avg_pool1d(signal,-1);
    F.adaptive_avg_pool1d(image,2); F.adaptive_avg_pool1d(signal[:,:,:0],2);
    F.adaptive_avg_pool1d(ints,2); F.adaptive_avg_pool1d(u,2); F.adaptive_avg_pool2d(image,1);
    F.adaptive_avg_pool2d(image,2); F.adaptive_avg_pool2d(image,3); F.adaptive_avg_pool2d(image,4);
    F.adaptive_avg_pool2d(image,(5,6)); F.adaptive_avg_pool2d(image,(1,2));
    F.adaptive_avg_pool2d(image,(5,3)); F.adaptive_avg_pool2d(image,(None,2));
    F.adaptive_avg_pool2d(image,[3,None]); F.adaptive_avg_pool2d(image,(7,9));
    F.adaptive_avg_pool2d(image[0],(2,4)); F.adaptive_avg_pool2d(image,0);
    F.adaptive_avg_pool2d(image.transpose(2,3),(2,4)); F.adaptive_avg_pool2d(image.flip(3),4);
    F.adaptive_avg_pool2d(image[:0],3); F.adaptive_avg_pool2d(image,(4,1));
    F.adaptive_avg_pool2d(image[:,:,:0],3); F.adaptive_avg_pool2d(image,-1);
    F.adaptive_avg_pool2d(image,(1,2,3)); F.adaptive_avg_pool2d(x[0],2);
    F.adaptive_avg_pool2d(bytes.long(),2);
"""
ADAPTIVE_MAX = """
    F.adaptive_max_pool1d(signal,1); F.adaptive_max_pool1d(signal,2);
    F.adaptive_max_pool1d(signal,3); F.adaptive_max_pool1d(signal,4,True);
    F.adaptive_max_pool1d(signal,5); F.adaptive_max_pool1d(signal,6,True);
    F.adaptive_max_pool1d(signal,7); F.adaptive_max_pool1d(signal,9,True);
    F.adaptive_max_pool1d(signal[0],3,True); F.adaptive_max_pool1d(signal,(3,));
    F.adaptive_max_pool1d_with_indices(signal,3); F.adaptive_max_pool1d(signal.round(),2,True);
    F.adaptive_max_pool1d(signal.round(),3); F.adaptive_max_pool1d(signal.flip(2),3,True);
    F.adaptive_max_pool1d(signal[:,:,::2],3); F.adaptive_max_pool1d(signal.float(),4);
    F.adaptive_max_pool1d(signal[:0],2); F.adaptive_max_pool1d(signal*0,4);
    F.adaptive_max_pool1d(signal,None); F.adaptive_max_pool1d(signal,-1);
    F.adaptive_max_pool1d(image,2); F.adaptive_max_pool1d(ints,2); F.adaptive_max_pool1d(u,2);
    F.adaptive_max_pool2d(image,1); F.adaptive_max_pool2d(image,2,True);
    F.adaptive_max_pool2d(image,3); F.adaptive_max_pool2d(image,4,True);
    F.adaptive_max_pool2d(image,(5,6)); F.adaptive_max_pool2d(image,(1,2),True);
    F.adaptive_max_pool2d(image,(None,3),return_indices=True);
    F.adaptive_max_pool2d(image,(3,None)); F.adaptive_max_pool2d(image,(7,9),True);
    F.adaptive_max_pool2d(image[0],(2,4),True); F.adaptive_max_pool2d_with_indices(image,3);
    F.adaptive_max_pool2d(image.round(),(2,4),True);
    F.adaptive_max_pool2d(image.transpose(2,3),(2,4),True); F.adaptive_max_pool2d(image.flip(3),4);
    F.adaptive_max_pool2d(image.float(),(2,3)); F.adaptive_max_pool2d(image[:0],3);
    F.adaptive_max_pool2d(image,0); F.adaptive_max_pool2d(image*0,(2,4));
    F.adaptive_max_pool2d(image,(4,1)); F.adaptive_max_pool2d(image,-1);
    F.adaptive_max_pool2d(image[:,:,:0],3); F.adaptive_max_pool2d(x[0],2);
    F.adaptive_max_pool2d(bytes.long(),2);
"""


@pytest.mark.parametrize(
    "expression", listed(MAX1D, MAX2D, TIES, AVG1D, AVG2D, ADAPTIVE_AVG, ADAPTIVE_MAX)
)
def test_pooling_is_that_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def test_worked_pooling():
    image = tensor([[[1.0, 5.0, 2.0], [3.0, 5.0, 4.0]]], requires_grad=True)
    largest, where = F.max_pool2d(image, 2, 1, return_indices=True)
    assert largest.tolist() == [[[5.0, 5.0]]]
    assert where.tolist() == [[[1, 1]]]
    largest.sum().backward()
    assert image.grad.tolist() == [[[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]]
    assert F.avg_pool2d(image, 2, 1).tolist() == [[[3.5, 4.0]]]
    assert F.adaptive_avg_pool2d(image, (1, 2)).tolist() == [[[3.5, 4.0]]]
    assert F.avg_pool1d(image[0], 2, padding=1, count_include_pad=False).tolist() == [
        [1.0, 3.5],
        [3.0, 4.5],
    ]


def test_the_largest_of_a_window_with_nan_is_nan():
    x = tensor([[1.0, np.nan, 3.0, 4.0]])
    assert str(F.max_pool1d(x, 2).tolist()) == "[[nan, 4.0]]"


@pytest.mark.parametrize("step", [1, 2, 3])
def test_nan_leaves_the_gradient_of_other_windows_as_it_is(step):
    x = autodiff.randn(2, 3, 7, 9, requires_grad=True)
    y = x.detach().clone()
    y[1, 1, 3, 4] = np.nan
    y.requires_grad_()
    for image in (x, y):
        F.max_pool2d(image, 3, step, 1).sum().backward()
    assert y.grad.sum() == x.grad.sum()
    near = np.zeros(x.shape, bool)
    near[1, 1, 1:6, 2:7] = True
    assert ((x.grad == y.grad).numpy() | near).all()


def test_a_gradient_of_a_pooling_is_pooled_where_the_largest_are():
    x = tensor([[1.0, 4.0, 4.0, 2.0, 3.0]], requires_grad=True)
    g = tensor([[1.0, 10.0, 100.0]], requires_grad=True)
    (dx,) = autodiff.autograd.grad(F.max_pool1d(x, 3, 1), x, g, create_graph=True)
    assert dx.tolist() == [[0.0, 11.0, 100.0, 0.0, 0.0]]
    (dg,) = autodiff.autograd.grad(dx, g, tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    assert dg.tolist() == [[2.0, 2.0, 3.0]]


def test_a_window_without_elements_has_no_gradient():
    x = autodiff.randn(3, 2, 4, requires_grad=True)
    largest = F.max_pool1d(x, 2, 1, 1, 5)
    assert largest.tolist() == [[[-np.inf]] * 2] * 3
    with pytest.raises(ValueError, match="padding alone"):
        largest.sum().backward()


def test_gradient_of_infinity_goes_to_the_largest_alone():
    x = autodiff.tensor([[1.0, 2.0, 4.0, 3.0]], requires_grad=True)
    F.max_pool1d(x, 2).backward(tensor([[np.inf, 1.0]]))
    assert x.grad.tolist() == [[0.0, np.inf, 1.0, 0.0]]


def test_infinity_stays_in_its_part():
    x = tensor([[np.inf, 1.0, 2.0, 3.0, 4.0]])
    assert F.adaptive_avg_pool1d(x, 3).tolist() == [[np.inf, 2.0, 3.5]]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pooling_in_equal_parts_is_adaptive_pooling(size):
    x = autodiff.randn(2, 3, 6, 12)
    parts = (6 // size, 12 // size)
    assert (F.max_pool2d(x, size) == F.adaptive_max_pool2d(x, parts)).all()
    assert (F.avg_pool2d(x, size) - F.adaptive_avg_pool2d(x, parts)).abs().max() < 1e-6
