"""Functions that choose, replace, sort and search elements, against PyTorch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from tests.autodiff.composed.expressions import check_like_torch, listed

IN_PLACE = """
    (x*1).masked_fill_(mask,0.); (x*1).masked_fill_(mask,s); (x*1).scatter_(1,T([[0]]),3.);
    (x*1).masked_scatter_(mask,w); (x*1).tril_(); (x*1).triu_(1); x.masked_fill_(mask,0.);
    (x[0]*1).masked_fill_(mask,0.);
"""
ALONG = """
    x.gather(1,ints%3); L.gather(x,1,T([[0]])); L.gather(x,axis=1,index=T([[0]]));
    x.gather(1,T([[-1]])); x.gather(1,T([[3]])); x.gather(1,T([0])); x.gather(1,T([[0,1]]).int());
    x.gather(1,T([[0.]])); x.gather(0,T([[0,1,0,1]])); x.gather(1,T([[0],[0],[0]]));
    s.gather(0,T(0)); s.gather(0,T([0,0])); v.gather(0,T(1)); x.gather(1,L.zeros(0,3).long());
    x.gather(1,T([]).long()); z.gather(2,T(np.arange(6).reshape(2,3,1)%4));
    z.gather(-2,T(np.arange(4).reshape(1,2,2)%3)); e.gather(0,T([]).long()); x.gather(5,T([[0]]));
    x.scatter(1,T([[0,1],[2,0]]),9.); x.scatter(1,T([[0,2,1],[0,1,2]]),y[:,:1]);
    x.scatter(1,T([[0,1]]),y.float()); x.scatter(1,T([[0,1]]),L.ones(2,3).long());
    x.scatter(1,T([[5]]),1.); x.scatter(1,T([[-1]]),1.);
    x.detach().scatter(1,T([[0,1],[2,0]]),x.detach(),reduce='multiply');
    x.scatter(1,T([[0,1],[2,0]]),T(5.)); x.scatter(1,T([[0]]),value=9); s.scatter(0,T(0),2.);
    s.scatter(0,T([0]),u[:1]); x.scatter(1,T([]).long(),1.); x.scatter_add(1,T([[0,1],[0,0]]),9.);
    x.scatter_add(1,T([[0,1],[0,0]]),y.float()); x.scatter_add(0,T([[0,1,0],[0,0,1],[1,1,1]]),m);
    ints.scatter(1,T([[0,1],[2,0]]),2.5); ints.scatter(1,T([[0,1],[2,0]]),True);
    ints.scatter_add(1,T([[0,0],[2,0]]),ints); mask.scatter(1,T([[0]]),False);
    L.take_along_dim(x,T([[0,2],[1,1]]),1); L.take_along_dim(x,T([[0]]),1);
    L.take_along_dim(x,T([5,0])); L.take_along_dim(x,T([[-1]]),1); L.take_along_dim(x,T([0]),1);
    L.take_along_dim(z,T([[[0]],[[2]]]),dim=1); x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'sum');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'sum',include_self=False);
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'prod',include_self=False);
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'prod');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ties,'prod');
    ties.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ties,'prod');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'mean');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'mean',include_self=False);
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'amax');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ties,'amax');
    ties.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ties,'amax');
    ties.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ties,'amin');
    x.scatter_reduce(1,T([[0,0,2],[1,1,1]]),y,'amin',include_self=False);
    ints.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ints,'amin',include_self=False);
    ints.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ints,'mean');
    ints.scatter_reduce(1,T([[0,0,2],[1,1,1]]),ints,'prod'); x.scatter_reduce(1,T([[0]]),y,'zz');
    floats.scatter_reduce(1,T([[0,0,2],[1,1,1]]),floats,'amax');
    floats.scatter_reduce(1,T([[0,0,2],[1,1,1]]),floats,'prod');
"""
SELECTED = """
    x.index_select(0,T([1,0])); x.index_select(0,T([1,1,1])); x.index_select(0,T(1));
    x.index_select(0,T([[1]])); x.index_select(0,T([-1])); x.index_select(0,T([2]));
    x.index_select(1,T([1,0]).int()); x.index_select(1,T([1.,0])); s.index_select(0,T([0]));
    L.index_select(z,dim=1,index=T([2,0,2])); L.index_select(z,-1,T([2,0]));
    z.transpose(0,2).index_select(1,T([2,0])); x.index_select(0,T([]).long());
    x.index_add(0,T([1,1]),y); x.index_add(0,T([1,1]),y,alpha=2); x.index_add(0,T([1]),y);
    x.index_add(0,T([-1,0]),y); x.index_add(0,T([2,0]),y); x.index_add(0,T([1,0]),y.float());
    z.index_add(1,T([1,0]),z[:,:2]); x.index_add(1,T([1,0,1]),y);
    ints.index_add(1,T([1,0,1]),ints); x.index_add(1,T([1,0,1]),y.t());
    x.index_fill(1,T([0,2]),7.); x.index_fill(1,T([-1]),7.); x.index_fill(1,T([0,2]),s);
    x.index_fill(1,T([0,2]),T([7.])); x.index_fill(1,T([5]),7.); x.index_copy(0,T([1,0]),y);
    x.index_copy(0,T([-1,0]),y); x.index_copy(1,T([1]),y[:,:1]);
    x.index_put((T([0,1]),T([1,1])),s); x.index_put((T([0,0]),T([1,1])),v[:2],accumulate=True);
    x.index_put((T([0,0]),),v,accumulate=True); x.index_put((T([0,1]),),y);
    x.index_put([T([0,1])],s); x.index_put((mask,),s); x.index_put((mask,),w);
    x.index_put((mask,),s,accumulate=True); x.index_put((T([0,1]),),y.float());
    x.index_put((T(0),),v); x.masked_fill(mask,0.); x.masked_fill(mask,-np.inf);
    x.masked_fill(mask,s); x.masked_fill(mask,v); x.masked_fill(ints,0.); x.masked_fill(row,0.);
    x.masked_fill(row[None,None].expand(2,1,3).transpose(0,1),0.); floats.masked_fill(mask,1e-9);
    floats.masked_fill(mask,s.detach()); L.masked_fill(x,mask,value=2);
    ints.masked_fill(mask,0.5); ints.masked_fill(mask,True); ints32.masked_fill(mask,3);
    mask.masked_fill(mask,False); h.masked_fill(mask,3); x.masked_select(mask);
    x.masked_select(row); x.masked_select(L.ones(2,2,3).bool()); v.masked_select(mask);
    x.masked_select(ints); s.masked_select(T(True)); x.masked_scatter(mask,w);
    x.masked_scatter(mask,v); x.masked_scatter(mask,z); x.masked_scatter(mask,ints);
    x.masked_scatter(ints,w); x.masked_scatter(row,w); x.masked_scatter(mask&False,e);
    L.take(x,T([[0,5],[-1,2]])); L.take(x.t(),T([[0,5],[-1,2]])); L.take(x,T([6]));
    L.take(x,T([0]).int()); L.argwhere(ints); (x*1).index_add_(0,T([0,0]),y);
    (x*1).index_fill_(0,T([0]),2.); (x*1).index_copy_(0,T([0]),y[:1]);
    (x*1).index_put_((T([0]),),y[0]); L.where(mask);
"""
SORTED = """
    x.topk(2); x.topk(2,0,largest=False); x.topk(4); x.topk(0); s.topk(1); x.topk(-1);
    T([1.,np.nan,3.]).topk(2); T([1.,np.nan,3.]).topk(2,largest=False);
    L.topk(z,k=2,dim=1,sorted=True); x.topk(k=1).values; x.sort(); x.sort(0,True);
    x.sort(descending=True); L.sort(x,stable=True,dim=0); L.sort(x,stable=True); L.sort(x,axis=0);
    mask.sort(descending=True); odd.sort(); odd.sort(descending=True); s.sort(); x.sort(5);
    ties.sort(stable=True); ties.sort(stable=True,descending=True); z.sort(1); e.sort(0);
    ints.sort(descending=True); L.msort(x); L.argsort(x,descending=True);
    L.argsort(ties,stable=True); x.argsort(0); s.argsort(); L.kthvalue(x,2); L.kthvalue(x,4);
    L.kthvalue(x,1,keepdim=True); L.kthvalue(x,0); L.kthvalue(z,2,1); L.kthvalue(s,1);
    L.unique(T([3,1,1,2])); L.unique(T([3,1,1,2]),return_inverse=True,return_counts=True);
    L.unique(T([[3,1],[1,2],[3,1]]),dim=0,return_counts=True);
    L.unique(T([[3,1],[1,2],[3,1]]),dim=0,return_inverse=True);
    L.unique(T([[3,1],[1,2],[3,1]]),dim=1); L.unique(T([[3,1],[1,2]]),return_inverse=True);
    L.unique(odd); L.unique(mask); T([3,1,1]).unique(); L.unique(T(3));
    L.searchsorted(T([1.,3,5]),T([3.,4])); L.searchsorted(T([1.,3,5]),T([3.,4]),right=True);
    L.searchsorted(T([1.,3,5]),3.); L.searchsorted(T([[1.,3,5],[0,1,2]]),T([[3.],[1.]]));
    L.searchsorted(T([[1.,3,5],[0,1,2]]),T([3.]));
    L.searchsorted(z.detach().sort(-1)[0],z.detach()[...,:2]);
    L.searchsorted(T([1.,3,5]),T([3.]),out_int32=True);
    L.searchsorted(T([1.,3,5]),T([3.]),side='right');
    L.searchsorted(T([1.,3,5]),T([3.]),side='left',right=True);
    L.searchsorted(T([5.,1,3]),T([3.,6]),sorter=T([1,2,0])); L.searchsorted(T([1,3,5]),T([3]));
    L.bucketize(T([[3.,4]]),T([1.,3,5])); L.bucketize(3.,T([1.,3,5]));
    L.bucketize(T([3.]),T([1.,3,5]),right=True); L.bucketize(T([3.]),m);
"""
FOUND = """
    L.nonzero(ints); L.nonzero(mask); L.nonzero(ints,as_tuple=True); L.nonzero(s);
    L.nonzero(T(0.)); L.nonzero(s,as_tuple=True); L.nonzero(e); L.nonzero(z); ints.nonzero();
    L.bincount(T([1,1,3])); L.bincount(T([1,1,3]),minlength=6);
    L.bincount(T([1,1,3]),weights=T([.5,1,2]));
    L.bincount(T([1,1,3]),weights=T([.5,1,2]).float()); L.bincount(T([1,1,3]),weights=T([5,1,2]));
    L.bincount(T([-1])); L.bincount(T([]).long()); L.bincount(ints); L.isin(T([1,2,3]),T([2,5]));
    L.isin(T([1,2,3]),2); L.isin(2,T([1,2])); L.isin(T([1,2,3]),T([2,5]),invert=True);
    L.isin(x,x[0]);
"""
TRIANGLES = """
    L.diag(m); L.diag(v,1); L.diag(v,-2); L.diag(x,-1); L.diag(z); L.diag(s); x.diagonal(1);
    L.diagonal(x,5); L.diagonal(x,0,0,0); L.diagonal(v); L.diagonal(z,1,dim1=1,dim2=2);
    z.diagonal(-1,-1,0); L.diag_embed(v); L.diag_embed(x,1); L.diag_embed(x,0,0,2);
    L.diag_embed(x,-1,1,0); L.diag_embed(x,0,0,0); L.tril_indices(2,3); L.tril_indices(2,3,1);
    L.triu_indices(2,3,-1,dtype=L.int32); L.triu_indices(3,2,offset=1); L.tril_indices(-1,3);
    L.tril_indices(0,3); L.tril(x,diagonal=-1); L.triu(x,1); z.tril(); ints.triu(); mask.tril();
    v.tril(); x.tril(1);
"""
PARTLY_USED = """
    x.scatter(1,T([[0,1],[2,0]]),y); x.scatter(1,T([[0]]),y);
    x.scatter(1,T([[0,1],[2,0]]),9.,reduce='add'); x.scatter(dim=1,index=T([[0]]),src=y);
    x.scatter_add(1,T([[0,1],[0,0]]),y); x.scatter_add(1,T([[0,0]]),y);
    (x*1).scatter_(1,T([[0]]),y); (x*1).scatter_add_(1,T([[0,0]]),y);
    (x*1).scatter_reduce_(1,T([[0]]),y,'sum');
"""


@pytest.mark.parametrize(
    "expression", listed(IN_PLACE, ALONG, PARTLY_USED, SELECTED, SORTED, FOUND, TRIANGLES)
)
def test_functions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def test_larger_source_of_scatter_has_a_gradient_where_it_is_used():
    x, source = autodiff.zeros(2, 3), autodiff.ones(2, 3).requires_grad_()
    x.scatter(1, autodiff.tensor([[0, 2]]), source).sum().backward()
    assert source.grad.tolist() == [[1, 1, 0], [0, 0, 0]]


def test_repeated_indices_of_scatter_keep_the_last_and_pass_the_gradient_to_each():
    source = autodiff.tensor([[1.0, 2.0]]).requires_grad_()
    out = autodiff.zeros(1, 2).scatter(1, autodiff.tensor([[0, 0]]), source)
    assert out.tolist() == [[2, 0]]
    out.sum().backward()
    assert source.grad.tolist() == [[1, 1]]


def test_what_does_not_count_in_scatter_reduce_has_no_gradient():
    x = autodiff.tensor([1.0, 5.0]).requires_grad_()
    source = autodiff.tensor([1.0, 1.0]).requires_grad_()
    index = autodiff.tensor([0, 0])
    x.scatter_reduce(0, index, source, "amin", include_self=False).sum().backward()
    assert x.grad.tolist() == [0, 1]
    assert source.grad.tolist() == [0.5, 0.5]


def test_index_out_of_bounds_is_named():
    with pytest.raises(RuntimeError, match="axis 1 must be at least 0 and below 3"):
        autodiff.ones(2, 3).gather(1, autodiff.tensor([[3]]))
    with pytest.raises(IndexError, match="axis 0 must be at least 0 and below 2"):
        autodiff.ones(2, 3).index_select(0, autodiff.tensor([-1]))


def test_an_int_tensor_is_no_mask():
    with pytest.raises(RuntimeError, match=r"mask must be of bool, got autodiff\.int64"):
        autodiff.ones(2).masked_fill(autodiff.tensor([0, 1]), 0.0)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), max_size=8), st.booleans())
def test_sorting_is_stable_and_puts_nan_last(values: list[float], descending: bool):
    x = autodiff.tensor(np.array(values, np.float64))
    out, order = x.sort(descending=descending)
    keys = [(v != v, v if v == v else 0.0) for v in values]
    expected = sorted(range(len(values)), key=keys.__getitem__)
    if descending:
        expected = sorted(range(len(values)), key=lambda i: (*[-k for k in keys[i]], i))
    assert order.tolist() == expected
    np.testing.assert_array_equal(out.numpy(), np.array(values)[expected] if values else [])


@given(st.data())
def test_scattering_is_the_adjoint_of_gathering(data):
    rows, columns, k = (data.draw(st.integers(1, 4)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, g = (autodiff.tensor(rng.standard_normal((rows, n))) for n in (columns, k))
    index = autodiff.tensor(rng.integers(0, columns, (rows, k)))
    scattered = autodiff.zeros_like(x).scatter_add(1, index, g)
    assert (x.gather(1, index) * g).sum().item() == pytest.approx((x * scattered).sum().item())


@given(st.data())
def test_unique_elements_their_places_and_counts_make_up_the_input(data):
    values = data.draw(st.lists(st.integers(-2, 2), min_size=1, max_size=9))
    x = autodiff.tensor(values)
    found, inverse, counts = autodiff.unique(x, return_inverse=True, return_counts=True)
    assert found.tolist() == sorted(set(values))
    assert found[inverse].tolist() == values
    assert counts.tolist() == [values.count(v) for v in found.tolist()]


def test_the_gradient_of_a_product_with_one_zero_is_the_product_of_the_others():
    x = autodiff.tensor([2.0, 3.0], requires_grad=True)
    v = autodiff.tensor([0.0, 5.0, 0.0, 0.0], requires_grad=True)
    x.scatter_reduce(0, autodiff.tensor([0, 0, 1, 1]), v, "prod").sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0])
    np.testing.assert_array_equal(v.grad.numpy(), [10, 0, 0, 0])


def test_the_largest_none_of_one_element_has_the_index_0():
    values, indices = autodiff.tensor(3.0).topk(0)
    assert (values.item(), indices.item()) == (3.0, 0)
