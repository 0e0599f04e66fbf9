"""Products of vectors, matrices and arrays against PyTorch's."""

from itertools import pairwise

import numpy as np
import pytest

import autodiff
from tests.autodiff.composed.expressions import check_like_torch, listed

PRODUCTS = """
    L.matmul(x,2.0); x.matmul(q); x@q; v@u; x@v; v@m; v@b; b@v; b@m; m@b; c@q.t();
    c[:,None]@c.transpose(1,2); L.matmul(c,q.mT); x@x; s@x; x@s; x@2.0; 2.0@x; [1,2]@x; e@m;
    e.t()@e; L.mm(x,q); L.mm(x,v); L.mm(x,x); L.mm(b,c); L.bmm(b,c[:2]); x.mm(mat2=q); L.bmm(b,b);
    L.bmm(b,b[:1]); L.bmm(x,y); b.bmm(mat2=b); L.mv(x,v); L.mv(x,x); L.mv(v,v); L.mv(x,v[:2]);
    L.dot(v,u); L.dot(v,v); L.dot(v,v[:2]); L.dot(x,x); L.dot(v,v.float()); L.dot(v,s);
    L.inner(x,y); L.inner(v,s); L.inner(x,v); L.inner(b,x); L.inner(x,q); L.inner(x,x.float());
    L.outer(v,w); L.outer(v,T([1,2])); L.outer(x,v); L.outer(s,v); L.ger(v,u); L.addmm(w,x,q);
    L.addmm(w,x,q,beta=2,alpha=.5); L.addmm(v,x,q); L.addmm(s,x,q); L.addmm(s[None],x,q);
    L.addmm(L.ones(1,2,4).double(),x,q); L.addmm(w.float(),x,q);
    L.addmm(L.full((4,),np.nan).double(),x,q,beta=0); L.addmm(w,x,x);
    w[None].repeat(2,1).addmm_(x,q); L.baddbmm(v,b,b); L.baddbmm(b,b,b,beta=2,alpha=3);
    L.baddbmm(c,b,b); L.tensordot(x,q,1); L.tensordot(x,q,dims=([1],[0]));
    L.tensordot(x,y,dims=([1,0],[1,0])); L.tensordot(x,y,dims=2); L.tensordot(x,y,dims=0);
    L.tensordot(x,x,dims=1); L.tensordot(x,x,dims=3); L.tensordot(x,v,dims=2);
    L.tensordot(x,y,dims=-1);
    L.tensordot(x,y,dims=([1],[0,1])); L.tensordot(x,q.float(),1);
    L.tensordot(c,z,dims=([1,2],[1,2])); L.tensordot(c,z,dims=([-1,1],[2,-2])); L.trace(m);
    L.trace(x); L.trace(v); L.trace(ints); L.trace(ints32); L.trace(b); L.trace(e); L.kron(x,q);
    L.kron(v,x); L.kron(s,x); L.kron(x,ints); L.kron(b,v); L.matmul(ints,x);
    L.matmul(ints,ints.t()); L.matmul(ints32,ints32.t()); L.matmul(mask,mask.t());
    L.mm(mask,mask.t()); L.matmul(floats,floats.t()); v.matmul(other=u); v.dot(u); x.inner(y);
    v.outer(u); m.trace(); L.matmul(input=x,other=q);
"""
SUMS = """
    L.addmv(v[:2],x,v); L.addmv(s,x,v); L.addmv(v[:2],x,v,beta=2,alpha=.5); v[:2].addmv(x,v);
    L.addmv(v,x,v); L.addmv(v[:2].float(),x,v); L.addmv(x,x,v); L.addmv(v[:2],v,x);
    (v*1).addmv_(m,u); L.addmv(input=v,mat=m,vec=u); L.addmv(v[:2],x,w); L.addr(m,v,u);
    L.addr(v,v,u); L.addr(x,v[:2],u,beta=.5,alpha=3); m.addr(v,u); L.addr(x,v,u);
    L.addr(L.full((3,3),np.nan),v,u,beta=0); (m*1).addr_(v,u); L.addr(m,x,v); L.addr(s,v,w);
    L.addr(m,v.float(),u); L.addr(ints,ints[:,0],ints[0]); L.addr(input=m,vec1=v,vec2=u);
    L.addbmm(m,b,b); L.addbmm(v,b,b,beta=2,alpha=.5); m.addbmm(b,b); L.addbmm(x,b,b);
    L.addbmm(s,b,b); L.addbmm(m,b,c); L.addbmm(m.float(),b,b); (m*1).addbmm_(b,b);
    L.addbmm(m,b[:0],b[:0]); L.addbmm(q,b,c[:2]); L.addbmm(input=m,batch1=b,batch2=b); L.vdot(v,u);
    v.vdot(u); L.vdot(v,w); L.vdot(x,x); L.vdot(ints[0],ints[1]); L.vdot(v,v.float());
"""
OTHERS = """
    L.linalg.vecdot(x,y); L.linalg.vecdot(b,x); L.linalg.vecdot(x,v);
    L.linalg.vecdot(c,z[:1],dim=1); L.linalg.vecdot(x,y,dim=0); L.linalg.vecdot(x,y,dim=2);
    L.linalg.vecdot(x,q); L.linalg.vecdot(v,u); L.linalg.vecdot(ints,ints);
    L.linalg.vecdot(x=x,y=y); L.linalg.vecdot(e,e); L.linalg.vecdot(x,v,dim=0); L.cross(v,u);
    L.cross(x,y); L.cross(b,b.mT); L.cross(b,b.mT,1); L.cross(b,b.mT,dim=2); L.cross(q,q*q);
    v.cross(u); x.cross(y,1); L.cross(x,y,0); L.cross(c,c); L.cross(w,w); L.cross(one,x);
    L.cross(x,v); L.cross(ints,ints.flip(0)); L.cross(ints,x); L.cross(x,floats); L.cross(x,y,5);
    L.cross(m,b); L.cross(s,s); L.linalg.cross(x,y); L.linalg.cross(b,b.mT,dim=1);
    L.linalg.cross(q,q*q,dim=0); L.linalg.cross(x,v); L.linalg.cross(q,q); L.linalg.cross(one,x);
    L.linalg.cross(input=v,other=u); L.linalg.cross(e,e); L.linalg.diagonal(b);
    L.linalg.diagonal(x,offset=1); L.linalg.diagonal(c,dim1=0,dim2=1);
    L.linalg.diagonal(A=m,offset=-1); L.linalg.diagonal(v); L.linalg.multi_dot([x,m]);
    L.linalg.multi_dot([x,m,q]); L.linalg.multi_dot([v,m,q,w]); L.linalg.multi_dot([x,m,v]);
    L.linalg.multi_dot((v,m,q)); L.linalg.multi_dot([v,u]); L.linalg.multi_dot([x]);
    L.linalg.multi_dot([]); L.linalg.multi_dot([b,m]); L.linalg.multi_dot([x,v,q]);
    L.linalg.multi_dot([x,x]); L.linalg.multi_dot([x,q.float()]); L.linalg.multi_dot([s,m]);
    L.linalg.multi_dot([ints,ints.T]); L.linalg.multi_dot([x.T,x,q,q.T,m]);
    L.linalg.multi_dot([e,m]); L.chain_matmul(x,m,q); L.chain_matmul(x,m); L.chain_matmul(x,x);
    L.chain_matmul(x,v); L.chain_matmul(q.T,m,x.T,x,q); L.block_diag(x,q); L.block_diag(x);
    L.block_diag(v,s,x); L.block_diag(b); L.block_diag(); L.block_diag(x,ints); L.block_diag(e,m);
    L.block_diag(v); L.block_diag(s); L.block_diag(m,m,m); L.block_diag(e.T,v);
    L.block_diag(mask,ints);
"""
EINSUM = """
    L.einsum('ij,jk->ik',x,q); L.einsum('ij,jk->ik',[x,q]); L.einsum('ij,jk->ik',(x,q));
    L.einsum(x,[0,1],q,[1,2],[0,2]); L.einsum(x,[0,1],q,[1,2]); L.einsum(x,[3,1],q,[1,2]);
    L.einsum(x,[27,1],q,[1,2]); L.einsum(x,[...,1],q,[1,2],[...,2]); L.einsum(x,[...,1]);
    L.einsum('ij'); L.einsum(); L.einsum('ints,ints',v,2.0); L.einsum(x,[60,1]); L.einsum('ii',m);
    L.einsum('ii->ints',m); L.einsum('bii->bi',b); L.einsum('ij,ij->',x,y); L.einsum('ij->',x);
    L.einsum('ij->ji',x); L.einsum('...ij,...jk',b,m); L.einsum('ints,j,k->ijk',v,u,w);
    L.einsum('ij,jk,kl->il',x,m,q); L.einsum('bij,bj->bi',b,x); L.einsum('bij,bjk->bik',b,b);
    L.einsum('ij->ik',x); L.einsum('ij,jk->ik',x,x); L.einsum('ij->ii',x); L.einsum('ints',x);
    L.einsum('ij,jk->ik',ints,ints.t()); L.einsum('ints->',ints[0]); L.einsum('ij,kj->ik',one,x);
    L.einsum('ij,jk->ik',one[:,:1],q);
"""


@pytest.mark.parametrize("expression", listed(PRODUCTS, SUMS, OTHERS, EINSUM))
def test_functions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


@pytest.mark.parametrize(
    ("shapes", "subscripts"),
    [
        (((2, 3), (3, 4)), "ij,jk"),
        (((2, 3), (3, 4), (4, 2)), "ij,jk,kl->li"),
        (((4, 2, 3), (4, 3, 2)), "bij,bji->b"),
        (((2, 3, 4), (5, 3, 4)), "aij,bij->ab"),
        (((3, 3),), "ii"),
        (((2, 3, 3),), "aii->ia"),
        (((2, 1, 3), (4, 3)), "...j,...j->..."),
        (((2, 3), (2, 3)), "ij,ij->ij"),
        (((2,), (3,)), "i,j->ji"),
    ],
)
def test_einsum_is_that_of_numpy(shapes, subscripts: str, rng):
    arrays = [rng.standard_normal(shape) for shape in shapes]
    expected = np.einsum(subscripts, *arrays)
    ours = autodiff.einsum(subscripts, *map(autodiff.tensor, arrays))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12)
    through_numpy = np.einsum(subscripts, *map(autodiff.tensor, arrays))
    np.testing.assert_allclose(through_numpy.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk", ((2, 3),), "is for 2 operands"),
        ("ij", ((2, 3, 4),), "does not fit an operand of 3 axes"),
        ("ij,jk", ((2, 3), (4, 5)), "'j' stands for axes of lengths 3 and 4"),
        ("ij->ii", ((2, 3),), "'i' must stand once"),
        ("i1", ((2, 3),), "labels are letters, got '1'"),
    ],
)
def test_einsum_says_which_label_is_wrong(subscripts: str, shapes, message: str):
    with pytest.raises(RuntimeError, match=message):
        autodiff.einsum(subscripts, *[autodiff.ones(*shape) for shape in shapes])


def test_an_error_names_the_shapes():
    with pytest.raises(RuntimeError, match=r"float32\[2, 3\], float32\[2, 3\]"):
        autodiff.ones(2, 3) @ autodiff.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"a matrix, a vector, got shapes \(2, 3\), \(1, 3\)"):
        autodiff.mv(autodiff.ones(2, 3), autodiff.ones(1, 3))


@pytest.mark.parametrize("shapes", [[(2, 3), (2, 3)], [(2, 3), (3, 4), (2, 3)]])
def test_chain_matmul_names_the_shapes_that_do_not_fit(shapes):
    with pytest.raises(RuntimeError, match=r"chain_matmul: shapes \(.*\) and \(2, 3\)"):
        autodiff.chain_matmul(*[autodiff.ones(*shape) for shape in shapes])


def test_dtypes_are_not_converted_silently():
    with pytest.raises(RuntimeError, match="float32 and float64"):
        autodiff.ones(2, 2) @ autodiff.ones(2, 2, dtype=autodiff.float64)


def test_arrays_stand_on_either_side_of_a_product(rng):
    array = rng.standard_normal((3, 3))
    x = autodiff.tensor(rng.standard_normal((3, 3))).requires_grad_()
    for ours, expected in ((array @ x, array @ x.detach().numpy()), (x @ array, None)):
        assert ours.requires_grad
        if expected is not None:
            np.testing.assert_allclose(ours.detach().numpy(), expected)


@pytest.mark.parametrize(
    ("sizes", "least"), [((1, 9, 2, 9, 1), 38), ((9, 1, 9, 2, 9), 117), ((2, 3, 4, 5, 6), 124)]
)
def test_chain_matmul_multiplies_in_the_order_of_least_work(sizes, least):
    matrices = [autodiff.ones(a, b, requires_grad=True) for a, b in pairwise(sizes)]
    nodes = [n for n in autodiff.tape(autodiff.chain_matmul(*matrices)) if n.operation == "matmul"]
    assert sum(n.parents[0].shape[0] * n.parents[0].shape[1] * n.shape[1] for n in nodes) == least


def test_einsum_of_axes_given_as_numbers_has_the_output_asked_for():
    x = autodiff.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert autodiff.einsum(x, [0, 1], [0]).tolist() == [6, 15]
    assert autodiff.einsum(x, [1, 0], [0, 1]).tolist() == x.T.tolist()


def test_a_chain_of_products_is_of_matrices():
    matrix = autodiff.ones(2, 2)
    with pytest.raises(RuntimeError):
        autodiff.linalg.multi_dot([matrix, autodiff.ones(2, 2, 2), matrix])
