"""Norms of matrices, condition numbers and distances against PyTorch's."""

import pytest

import autodiff
from tests.autodiff.composed.expressions import check_like_torch, listed

ORDERS = ("'fro'", "'nuc'", "1", "-1", "2", "-2", "np.inf", "-np.inf")
NORMS = "; ".join(
    text.format(ord=ord)
    for ord in (*ORDERS, "3", "'no'")
    for text in (
        "L.linalg.norm(x,{ord})",
        "L.linalg.norm(v,{ord})",
        "L.linalg.norm(c,{ord},dim=(0,2))",
        "L.linalg.norm(c,{ord},(2,0),True)",
        "L.linalg.norm(c,{ord},dim=1,keepdim=True)",
        "L.linalg.norm(c,{ord},dim=(-1,))",
        "L.linalg.norm(c,{ord})",
        "L.linalg.norm(s,{ord})",
        "L.linalg.norm(e.detach(),{ord})",
        "L.linalg.norm(e.T.detach(),{ord})",
        "L.linalg.matrix_norm(c,{ord})",
        "L.linalg.matrix_norm(m,{ord},dim=(1,0),keepdim=True)",
        "L.linalg.matrix_norm(v,{ord})",
        "L.linalg.cond(m,{ord})",
        "L.linalg.cond(b,{ord})",
        "L.linalg.cond(x,{ord})",
    )
)
OTHERS = """
    L.linalg.norm(x,None); L.linalg.norm(v,0).detach(); L.linalg.norm(x,0); L.cdist(x,m,0).detach();
    L.linalg.norm(c,None,dim=(0,2)); L.linalg.norm(c,None,1); L.linalg.norm(s,None);
    L.linalg.norm(x); L.linalg.norm(c); L.linalg.norm(ints); L.linalg.norm(floats.detach());
    L.linalg.norm(x,dim=0); L.linalg.norm(x,dim=(0,1)); L.linalg.norm(c,dim=(0,1,2));
    L.linalg.norm(c,2,dim=(0,1,2)); L.linalg.norm(c,2,dim=(0,0)); L.linalg.norm(x,dim=5);
    L.linalg.norm(x,2,dim=(0,5)); L.linalg.norm(x,ord=2,dim=(0,1),keepdim=True);
    L.linalg.norm(floats,dtype=L.float64); L.linalg.norm(floats,1,dim=(0,1),dtype=L.float64);
    L.linalg.norm(x[None],2,dim=(-2,-1)); L.linalg.norm(x,keepdim=True); L.linalg.norm(x.T,1);
    L.linalg.matrix_norm(x); L.linalg.matrix_norm(ints); L.linalg.matrix_norm(c,dim=(0,));
    L.linalg.matrix_norm(c,dim=(0,0)); L.linalg.matrix_norm(c,dim=(0,1));
    L.linalg.matrix_norm(floats,2,dtype=L.float64); L.linalg.matrix_norm(input=x,ord='nuc');
    L.linalg.matrix_norm(c[:0],2); L.linalg.matrix_norm(c[:,:0],'nuc');
    L.linalg.matrix_norm(c[:,:0].detach(),2); L.linalg.matrix_norm(c[:,:0].detach(),1);
    L.linalg.matrix_norm(c[:,:0].detach(),np.inf); L.linalg.matrix_norm(ties,1);
    L.linalg.matrix_norm(ties,np.inf); L.linalg.matrix_norm(x.detach()*0);
    L.linalg.matrix_norm(m.half().detach()); L.linalg.vector_norm(c);
    L.linalg.vector_norm(c,3,dim=(0,1)); L.linalg.vector_norm(x=x,ord=1); L.linalg.cond(m);
    L.linalg.cond(c); L.linalg.cond(v); L.linalg.cond(ints); L.linalg.cond(e); L.linalg.cond(b[:0]);
    L.linalg.cond(m[:0,:0]); L.linalg.cond(L.ones(2,2),1); L.linalg.cond(b[:0],1);
    L.linalg.cond(L.zeros(2,2),'fro'); L.linalg.cond(L.stack([L.eye(2),L.zeros(2,2)]),np.inf);
    L.linalg.cond(L.full((2,2),np.nan),1); L.linalg.cond(m.detach().float()); L.linalg.cond(s);
"""
PAIRS = "; ".join(
    text.format(p=p)
    for p in ("0.5", "1", "1.5", "2", "2.0", "3", "np.inf")
    for text in (
        "L.cdist(x,m,{p})",
        "L.cdist(c,z[:1],p={p})",
        "L.cdist(ties,ties.detach(),p={p})",
        "L.cdist(x,e,p={p})",
        "L.cdist(x[:,:0],m[:,:0],p={p})",
        "L.cdist(x.detach(),x.detach(),p={p})",
    )
)
DISTANCES = """
    L.cdist(x,m); L.cdist(x1=x,x2=m); L.cdist(b,x); L.cdist(x,b); L.cdist(b[:,None],b[None]);
    L.cdist(c,c[:2]); L.cdist(x,q); L.cdist(v,x); L.cdist(x,v); L.cdist(s,s); L.cdist(ints,ints);
    L.cdist(x,floats); L.cdist(x,m,-1); L.cdist(x,m,compute_mode='no'); L.cdist(e,x); L.cdist(x,e);
    L.cdist(x,m,compute_mode='use_mm_for_euclid_dist');
    L.cdist(x,m,2,'use_mm_for_euclid_dist_if_necessary');
    L.cdist(b,x,compute_mode='donot_use_mm_for_euclid_dist'); L.cdist(floats,floats[:1]);
    L.cdist(b,x,compute_mode='use_mm_for_euclid_dist'); L.cdist(x[:0],m[:0]); L.cdist(x,m,None);
    L.cdist(c.reshape(-1,3),c.reshape(-1,3)+1); L.cdist(c.reshape(-1,4),q); L.cdist(x.T,y.T);
    L.cdist(L.cat([x]*20),m);
    L.cdist(x,x.detach(),compute_mode='use_mm_for_euclid_dist').detach().round();
"""


@pytest.mark.parametrize("expression", listed(NORMS, OTHERS, PAIRS, DISTANCES))
def test_functions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def test_the_nuclear_norm_over_all_axes_is_the_sum_of_the_singular_values():
    x = autodiff.ones(2, 3)
    assert autodiff.norm(x, "nuc").item() == pytest.approx(6**0.5)
    with pytest.raises(RuntimeError):
        autodiff.norm(autodiff.ones(2, 3, 1), "nuc")
