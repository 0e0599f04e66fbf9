"""Functions of shape, order and place against PyTorch's."""

import numpy as np
import pytest

import autodiff
from tests.autodiff.composed.expressions import check_like_torch, listed

SAME_ORDER = """
    x.reshape(4); x.reshape(3,2); x.reshape((3,2)); x.reshape([6]); x.reshape(-1);
    L.reshape(x,(3,-1)); L.reshape(x,shape=(3,-1)); x.t().reshape(6); x.reshape(-1,4);
    x.reshape(-2,3); x.reshape(-1,-1); e.reshape(-1,0); e.reshape(0,-1); e.reshape(0,3,1);
    x.reshape(2.0,3); x.reshape('a'); s.reshape(1,1); s.reshape(()); x[0,:1].reshape(());
    L.reshape([1,2],(2,)); x.t().view(6); x.view(6); x.view(3,-1); z.transpose(0,1).view(3,2,2,2);
    x[:,::2].view(4); x[:,:2].view(2,2,1); e.view(3,0); x.flatten(1,0); x.flatten(5); s.flatten();
    s.flatten(0,0); z.flatten(1); z.flatten(0,1); z.flatten(start_dim=-2); L.flatten(z,1,2);
    z.transpose(0,2).flatten(); x.unflatten(1,(-1,3)); x.unflatten(1,(2,2)); x.unflatten(1,());
    x.unflatten(0,(1,2)); x.unflatten(5,(1,2)); x.unflatten(1,(-1,2)); x.unflatten(1,(3,0));
    x.squeeze(5); s.squeeze(0); s.squeeze(1); s.squeeze(); x[None].squeeze((0,1));
    x[None].squeeze((0,0)); one.squeeze(); one.squeeze(0); one.squeeze(1); L.squeeze(one,dim=0);
    L.squeeze(one,axis=0); s.unsqueeze(0); s.unsqueeze(1); s.unsqueeze(-1); x.unsqueeze(-3);
    x.unsqueeze(3); x.unsqueeze(1); x.unsqueeze(-1); x.unsqueeze(1.0); x.contiguous() is x;
    x.t().contiguous(); x.view_as(x.T); x.reshape_as(L.ones(3,2)); x.ravel(); s.ravel();
    L.ravel(x); ints.reshape(3,2); mask.reshape(6);
"""
AXES = """
    x.permute(0); x.permute(0,0); x.permute(0,5); x.permute(1,-2); L.permute(z,(2,0,1));
    z.permute([1,2,0]); s.transpose(0,0); s.transpose(0,-1); x.transpose(0,2); z.transpose(0,2);
    z.transpose(-1,1); L.transpose(z,0,1); z.transpose(dim0=0,dim1=1); x[None].t(); x.t(); s.t();
    x[0].t(); s.T; x[0].T; x.T; z.T; x[0].mT; z.mT; x.movedim(0,1); z.movedim((0,1),(1,0));
    z.movedim((0,1),(-1,0)); z.moveaxis(0,-1); L.moveaxis(z,0,-1); x.movedim((0,0),(1,0));
    x.movedim((0,),(1,0)); x.movedim(0,3); x.swapaxes(0,1); L.swapaxes(z,axis0=0,axis1=1);
    L.swapdims(z,0,1); x.expand_as(z.transpose(1,2).transpose(0,1)); mask.t();
"""
REPEATED = """
    x.expand(2,2,3); x.expand(2,-1,3); x.expand(-1,2,3); x.expand(4,3); x.expand(3);
    one.expand(4,3); one.expand((4,-1)); one.expand(0,3); one.expand(-2,3); s.expand(2,2);
    s.expand(3); v.expand(2,3); v.expand_as(x); L.broadcast_to(x,(2,-1,3));
    L.broadcast_to(s,(2,2)); L.broadcast_shapes((2,1),(3,)); L.broadcast_shapes((2,),(3,));
    L.broadcast_shapes(2,(3,1)); L.broadcast_tensors(L.ones(2),L.ones(3)); x.repeat(2);
    x.repeat(2,1,1); x.repeat(2,3); v.repeat(2); v.repeat(1); v.repeat(3,2); s.repeat(3);
    s.repeat(2,2); x.repeat((2,2)); x.repeat(0,1); x.repeat(-1,1); L.ones(1).repeat(4); x.tile(2);
    x.tile((2,1,1)); x.tile(2,2); L.tile(v,(2,2)); L.tile(v,dims=(2,2));
    x.repeat_interleave(T([1,2]),0); x.repeat_interleave(T([1,2,3]),0);
    x.repeat_interleave(T([3]),0); x.repeat_interleave(-1); x.repeat_interleave([1,2],dim=0);
    L.repeat_interleave(T([1,0,2])); L.repeat_interleave(x,T([1,0]),dim=0);
"""
JOINED = """
    L.cat([]); L.cat(x); L.cat([x,s]); L.cat([x,L.zeros(0)]); L.cat([L.zeros(0),L.zeros(0)]);
    L.cat([x,x],2); L.cat([x,y],-1); L.cat((x,y)); L.cat([x,x]); L.cat([x,ints]);
    L.cat([floats,x]); L.cat([ints32,ints]); L.cat([mask,ints]); L.cat([x,ints.int()]);
    L.cat([x,x[:, :2]]); L.cat([x,z]); L.cat([x,1.0]); L.cat([L.zeros(0),x],1);
    L.cat((x,x),axis=1); L.cat(tensors=(x,y),dim=1); L.cat([e,x]); L.cat([e,e],1);
    L.concat([x,y],1); L.concatenate([x,y],1); L.stack([]); L.stack([x,x[0]]); L.stack([x,x],3);
    L.stack([x,y],-1); L.stack([x,y],1); L.stack((x,y),dim=2); L.stack([x,floats]);
    L.stack([s,s],-1); L.stack([e,e]); L.stack([x,2]); L.stack(x); L.hstack([s,s]);
    L.hstack([v,u]); L.hstack([x,y]); L.vstack([s,s]); L.vstack([v,x]); L.vstack((x,y));
    L.vstack([v,u]); L.hstack([z,z]); L.vstack([z,z]); L.stack([ints,ints]);
"""
PARTED = """
    x.split(2,1); x.split(0); x.split(-1); x.split([1,1],1); x.split([1,2],1); x.split((1,2),-1);
    x.split([-1,4],1); L.split(z,2,dim=2); L.split(z,split_size_or_sections=3,dim=2); e.split(2);
    s.split(1); e.split(0); x.split(7); x.chunk(0); x.chunk(5,1); x.chunk(2,1); e.chunk(3);
    s.chunk(1); L.ones(5).chunk(4); L.chunk(z,2,dim=-1); x.tensor_split(2,1);
    x.tensor_split([1],1); x.tensor_split((1,2),1); x.tensor_split(5,1); x.tensor_split([5,1],1);
    x.tensor_split(0); x.tensor_split(T([1]),1); x.unbind(5); x.unbind(); x.unbind(1);
    x.unbind(-1); L.unbind(z,dim=1); s.unbind(); e.unbind(); x.narrow(1,1,2); x.narrow(1,-1,1);
    x.narrow(1,2,2); x.narrow(1,5,0); x.narrow(1,3,0); x.narrow(1,0,-1); x.narrow(1,T(1),1);
    s.narrow(0,0,1); x.select(1,2); x.select(1,-1); x.select(1,3); x.select(5,3); s.select(0,0);
    L.select(z,1,T(1));
"""
MOVED = """
    x.flip(0,0); x.flip(2); x.flip(0); x.flip(0,1); x.flip((-1,)); L.flip(z,dims=[0,2]);
    L.flip(z,[1]); s.flip(0); x.fliplr(); x[0].fliplr(); s.flipud(); x.flipud(); L.fliplr(z);
    x.roll(1); x.roll(1,0); x.roll(-1,1); x.roll((1,2),(0,1)); L.roll(z,shifts=(1,-2),dims=(0,2));
    x.roll((1,2),(0,)); x.roll((1,1)); x.roll(1,(0,1)); x.roll(1,5); s.roll(1); e.roll(1,0);
    x.rot90(1,(0,0)); x.rot90(2); x.rot90(4); x[0].rot90(); L.meshgrid(v,w);
    L.meshgrid(v,w,indexing='ij'); L.meshgrid(v,w,indexing='xy'); L.meshgrid(v,s,indexing='xy');
    L.meshgrid(v,w,u,indexing='xy'); L.meshgrid(x,s); L.meshgrid([v,w],indexing='xy');
    L.meshgrid(v,indexing='zz'); L.meshgrid(v,ints[0]); L.meshgrid(v,indexing='xy'); x.clone();
    ints.flip(0); ints.roll(1); L.clone(x); L.clone(2.0); L.clone(np.ones(3));
"""
COPIES = """
    L.cartesian_prod(v,w); L.cartesian_prod(v,w,u); L.cartesian_prod(v); L.cartesian_prod(x,v);
    L.cartesian_prod(v,v[:0]); L.cartesian_prod(v,s); L.cartesian_prod(ints[0],ints[1]);
    x.t().ravel(); x.repeat_interleave(2); x.repeat_interleave(2,0);
    x.repeat_interleave(2,dim=-1); x.rot90(); x.rot90(-1); L.rot90(z,1,[1,2]); x.unfold(1,2,1);
    x.unfold(1,4,1); x.unfold(1,2,0); x.unfold(1,0,1); z.unfold(1,2,1); z.unfold(0,2,3);
    z.unfold(-1,2,2); L.broadcast_tensors(x,v,s);
"""


@pytest.mark.parametrize("expression", listed(SAME_ORDER, AXES, REPEATED, JOINED, PARTED, MOVED))
def test_functions_and_views_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression, views=True)


@pytest.mark.parametrize("expression", listed(COPIES))
def test_functions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


@pytest.mark.parametrize("function", ["repeat", "tile", "expand"])
def test_copies_are_copies_also_where_nothing_is_repeated(function: str):
    x = autodiff.ones(2, 1)
    out = getattr(x, function)(2, 1)
    assert np.shares_memory(out.numpy(), x.numpy()) == (function == "expand")
    assert autodiff.ones(1).repeat(3).add_(autodiff.arange(3)).tolist() == [1, 2, 3]


def test_flip_and_roll_are_copies():
    x = autodiff.arange(4)
    for copy in (x.flip(0), x.roll(1), x.clone()):
        copy.fill_(9)
    assert x.tolist() == [0, 1, 2, 3]


def test_windows_are_views_of_memory_in_any_order():
    base = autodiff.tensor(np.arange(60.0).reshape(3, 4, 5))
    for axes in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        x = base.permute(*axes) * 1  # in memory of its own, in the order of the base
        windows = x.unfold(1, 2, 1)
        expected = np.lib.stride_tricks.sliding_window_view(x.numpy(), 2, 1)
        np.testing.assert_array_equal(windows.numpy(), expected)
        x[0, 1, 0] = 99.0
        assert windows[0, 0, 0, 1] == windows[0, 1, 0, 0] == 99.0


def test_view_names_shape_and_strides_where_it_is_impossible():
    with pytest.raises(RuntimeError, match=r"shape \(3, 2\) and strides \(1, 3\).*reshape"):
        autodiff.ones(2, 3).t().view(6)


def test_gradient_of_each_piece_reaches_its_place():
    x = autodiff.arange(6.0).requires_grad_()
    for i, piece in enumerate(x.split([1, 2, 3])):
        (piece.sum() * i).backward()
    assert x.grad.tolist() == [0, 1, 1, 2, 2, 2]


def test_one_tensor_joined_with_itself_gets_the_gradients_of_all_places():
    x = autodiff.ones(2).requires_grad_()
    (autodiff.cat([x, x, x]) * autodiff.arange(6.0)).sum().backward()
    assert x.grad.tolist() == [6, 9]


def test_a_thousand_tensors_are_joined():
    xs = [autodiff.ones(2).requires_grad_() for _ in range(1000)]
    autodiff.cat(xs).sum().backward()
    assert all(x.grad.tolist() == [1, 1] for x in xs)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (np.reshape, ((3, 2),)),
        (np.transpose, ()),
        (np.swapaxes, (0, 1)),
        (np.moveaxis, (0, -1)),
        (np.expand_dims, ((0, -1),)),
        (np.squeeze, ()),
        (np.ravel, ()),
        (np.flip, (1,)),
        (np.roll, (1,)),
        (np.tile, ((2, 1),)),
        (np.broadcast_to, ((2, 2, 3),)),
        (np.concatenate, ()),
        (np.stack, ()),
    ],
)
def test_numpy_functions_of_tensors_are_recorded(function, arguments, rng):
    array = rng.standard_normal((2, 3))
    x = autodiff.tensor(array).requires_grad_()
    many = function in (np.concatenate, np.stack)
    out = function([x, x] if many else x, *arguments)
    expected = function([array, array] if many else array, *arguments)
    assert out.requires_grad
    np.testing.assert_array_equal(out.detach().numpy(), expected, strict=True)
