"""Inverses, equations and decompositions against PyTorch's, their laws and their edges."""

import numpy as np
import pytest

import autodiff
from autodiff import linalg
from tests.autodiff.composed.expressions import check_like_torch, listed

INVERSES = """
    L.linalg.inv(m); L.inverse(b); m.inverse(); L.linalg.inv(A=m); L.linalg.inv(input=m);
    L.inverse(A=m); L.inverse(input=m); L.linalg.inv(b.mT); L.linalg.inv(b[0,::2,::2]);
    L.linalg.inv(m.detach().float()); L.linalg.inv(s); L.linalg.inv(v); L.linalg.inv(x);
    L.linalg.inv(c); L.linalg.inv(ints[:,:2]); L.linalg.inv(m.half()); L.linalg.inv(m[:0,:0]);
    L.linalg.inv(b[:0]); L.linalg.inv(m[:1,:1]); L.linalg.inv(m*np.nan); L.linalg.inv(b[None]);
    L.linalg.inv(m.detach()); L.linalg.inv_ex(m); L.linalg.inv_ex(b); L.linalg.inv_ex(x);
    L.linalg.inv_ex(m,check_errors=True).inverse; L.linalg.inv_ex(ints); L.linalg.pinv(m);
    L.linalg.pinv(x); L.linalg.pinv(q); L.linalg.pinv(c); L.linalg.pinv(b); L.pinverse(x);
    x.pinverse(); L.linalg.pinv(q,1e-3); L.linalg.pinv(x,rtol=.9); L.linalg.pinv(x,atol=1.5);
    L.linalg.pinv(c,rtol=.5,atol=.1); L.linalg.pinv(x[:,:0]); L.linalg.pinv(c,atol=T([1.,0,0,2,9]));
    L.linalg.pinv(c,rtol=T([.1,0,0,.7,1])); L.linalg.pinv(c,atol=T(1.),rtol=T(.2));
    L.linalg.pinv(m@m.T,hermitian=True); L.linalg.pinv(b@b.mT,hermitian=True,rtol=.1);
    L.linalg.pinv(x,hermitian=True); L.linalg.pinv(v); L.linalg.pinv(ints); L.linalg.pinv(e);
    L.linalg.pinv(x.mT@x); L.linalg.pinv(x.detach().float());
"""
EQUATIONS = """
    L.linalg.solve(m,v); L.linalg.solve(m,x.T); L.linalg.solve(b,x); L.linalg.solve(b,v);
    L.linalg.solve(b,m); L.linalg.solve(m,b); L.linalg.solve(b,c[:2]); L.linalg.solve(A=m,B=b);
    L.linalg.solve(m,x,left=False); L.linalg.solve(m,c.mT,left=False); L.linalg.solve(m,c);
    L.linalg.solve(b[:,None],c); L.linalg.solve(m,v,left=False); L.linalg.solve(m,x);
    L.linalg.solve(b,c); L.linalg.solve(m,v.detach().float()); L.linalg.solve(x,v);
    L.linalg.solve(v,m); L.linalg.solve(ints[:,:2],ints); L.linalg.solve(m[:0,:0],m[:0]);
    L.linalg.solve(m,m[:,:0]); L.linalg.solve(m.mT,m[::2].T);
    L.linalg.solve(m.detach().float(),v.detach().float()).dtype==L.float32; L.linalg.solve(m,m);
    L.linalg.solve_ex(m,v); L.linalg.solve_ex(b,x); L.linalg.solve_ex(m,x,left=False);
    L.linalg.solve_triangular(m,q,upper=True); L.linalg.solve_triangular(m,q,upper=False);
    L.linalg.solve_triangular(m,x,upper=True,left=False); L.linalg.solve_triangular(m,m);
    L.linalg.solve_triangular(m,x,upper=False,left=False);
    L.linalg.solve_triangular(m,v,upper=True);
    L.linalg.solve_triangular(m,q,upper=True,unitriangular=True);
    L.linalg.solve_triangular(m,q,upper=False,unitriangular=True);
    L.linalg.solve_triangular(m,x,upper=False,left=False,unitriangular=True);
    L.linalg.solve_triangular(b,b,upper=True); L.linalg.solve_triangular(b,q,upper=True);
    L.linalg.solve_triangular(m,b,upper=False); L.linalg.solve_triangular(b[:,None],c,upper=True);
    L.linalg.solve_triangular(x,x,upper=True); L.linalg.solve_triangular(m,x,upper=True);
    L.linalg.solve_triangular(ints,ints,upper=True);
    L.linalg.solve_triangular(m[:0,:0],q[:0],upper=True); L.linalg.solve_triangular(b,c,upper=True);
    L.linalg.solve_triangular(m.detach().float(),q.detach().float(),upper=True);
    L.linalg.solve_triangular(m,m,True); L.linalg.lstsq(q.T,w)[0];
    L.linalg.lstsq(q.T,c[0].T,driver='gelsd'); L.linalg.lstsq(q,v)[0];
    L.linalg.lstsq(c.mT,c.mT,driver='gelss'); L.linalg.lstsq(c,c,driver='gelsd').solution;
    L.linalg.lstsq(c.mT,c.sum(1),driver='gels'); L.linalg.lstsq(q.T,w,driver='gels');
    L.linalg.lstsq(x,x,driver='gels')[0]; L.linalg.lstsq(c.mT,c.mT)[0]; L.linalg.lstsq(m,m)[0];
    L.linalg.lstsq(q.T.detach(),q.T.detach(),rcond=.7,driver='gelsd')[0];
    L.linalg.lstsq(q.T,w.float()); L.linalg.lstsq(q,w); L.linalg.lstsq(q.T,w,driver='no');
    L.linalg.lstsq(ints,ints); L.linalg.lstsq(v,v); L.linalg.lstsq(q.T[:0],q.T[:0])[0];
    L.linalg.lstsq(q.T,q.T,1e-6)[0]; L.linalg.lstsq(q.T,(m@q).T,driver='gelss').residuals;
    L.linalg.lstsq(x.detach(),x.detach(),driver='gelsd'); L.linalg.lstsq(b,x)[0];
    L.linalg.lstsq(c.detach(),c.detach()); L.linalg.lstsq(q.detach(),v.detach(),driver='gels');
    L.linalg.lstsq(q.T[:,:0].detach(),w.detach()); L.linalg.lstsq(m,m,driver='gelsd').rank;
    L.linalg.lstsq(c.mT,c.mT,driver='gelsd').singular_values; L.linalg.lstsq(x.T@x,v).rank;
"""
DETERMINANTS = """
    L.det(m); L.linalg.det(b); m.det(); L.linalg.det(A=m); L.det(input=m); L.det(m[:0,:0]);
    L.det(b[:0]); L.det(m.detach().float()); L.det(x); L.det(v); L.det(s); L.det(ints);
    L.det(m[:1,:1]); L.det(m.T@m); L.det(b@b.mT); L.det(m*m); L.det(b.mT); L.det(b[None]);
    L.det(m.detach()); L.det(m)*L.trace(m); L.det(m*0+L.eye(3)); L.det(m-m.mean(0)).detach();
    L.det(m.half()); L.slogdet(m); L.linalg.slogdet(b); m.slogdet(); L.slogdet(b[:0]);
    L.slogdet(m[:0,:0]); L.slogdet(m.detach().float()); L.slogdet(x); L.slogdet(v); L.slogdet(ints);
    L.slogdet(m.T@m); L.slogdet(b)[1]; L.slogdet(-m).sign; L.slogdet(m).logabsdet; L.slogdet(b.mT);
    L.slogdet(b[None]); L.linalg.slogdet(A=m); L.slogdet(A=m); L.linalg.svd(input=x);
    L.slogdet(m[:1,:1]); L.slogdet(m.detach()); L.slogdet(m*1e-200)[0];
    L.slogdet(m)[0]*L.slogdet(m)[1]; L.slogdet(L.zeros(2,3,3)); L.slogdet(m*0+1).logabsdet.detach();
    L.logdet(m@m.T); L.logdet(b@b.mT); m.T.mm(m).logdet(); L.logdet(m[:0,:0]); L.logdet(b[:0]);
    L.logdet(L.zeros(2,2)); L.logdet(-L.eye(3)); L.logdet(L.eye(3)); L.logdet(x); L.logdet(ints);
    L.logdet((m@m.T).detach().float()); L.logdet(input=m@m.T); L.logdet(L.diag(v*v)); L.logdet(v);
    L.logdet(b@b.mT+L.eye(3)); L.logdet(m*m[0,0]/m[0,0]@m.T); L.logdet(m.T@m).exp();
    L.logdet((b@b.mT)[None]); L.logdet((m@m.T)[:1,:1]); L.logdet((m@m.T).detach()); L.logdet(s);
"""
POWERS = """
    L.matrix_power(m.detach(),0); L.matrix_power(m,1); L.matrix_power(m,2); L.matrix_power(b,3);
    L.linalg.matrix_power(m,4); m.matrix_power(5); L.matrix_power(m,7); L.matrix_power(m,-1);
    L.matrix_power(b,-2); L.matrix_power(b,-3); L.matrix_power(x,2); L.matrix_power(v,2);
    L.matrix_power(ints[:,:2],3); L.matrix_power(ints[:,:2],0); L.matrix_power(ints[:,:2],-1);
    L.matrix_power(m,1.5); L.matrix_power(input=m,n=2);
    L.matrix_power(b[:0],2); L.matrix_power(m[:0,:0],3); L.matrix_power(m.detach().float(),3);
    L.matrix_power(x,1); L.matrix_power(b,0).detach();
"""
CHOLESKY = """
    L.linalg.cholesky(m@m.T); L.linalg.cholesky(b@b.mT); L.cholesky(m@m.T); (m@m.T).cholesky();
    L.linalg.cholesky(m@m.T,upper=True); L.cholesky(b@b.mT,True);
    L.linalg.cholesky(L.diag(v*v+1)+m.tril(-1)/9); L.linalg.cholesky(L.diag(v*v+1)+m.triu(1)/9);
    L.linalg.cholesky(L.diag(v*v+1)+m.triu(1)/9,upper=True); L.linalg.cholesky(m[:0,:0]);
    L.linalg.cholesky(b[:0]); L.linalg.cholesky((m@m.T).detach().float()); L.linalg.cholesky(x);
    L.linalg.cholesky(v); L.linalg.cholesky(ints[:,:2]); L.linalg.cholesky((m*m)[:1,:1]);
    L.linalg.cholesky((b@b.mT)[None]); L.linalg.cholesky(L.eye(3)+0*m);
    L.linalg.cholesky(m@m.T).sum(); L.linalg.cholesky((m@m.T).detach()); L.linalg.cholesky(m@m.T)@v;
    L.linalg.cholesky(s); L.linalg.cholesky_ex(m@m.T); L.linalg.cholesky_ex(b@b.mT,upper=True);
    L.linalg.cholesky_ex(x); L.linalg.cholesky_ex(-L.eye(2)).info;
    L.linalg.cholesky_ex(L.eye(2),check_errors=True); L.cholesky_solve(q,m.tril());
    L.cholesky_solve(q,m.triu(),upper=True); L.cholesky_solve(b,m.tril());
    L.cholesky_solve(q,b.tril()); q.cholesky_solve(m.tril()); L.cholesky_solve(x,m);
    L.cholesky_solve(v,m); L.cholesky_inverse(m.tril()); L.cholesky_inverse(b.triu(),upper=True);
    m.tril().cholesky_inverse(); L.cholesky_inverse(x); L.cholesky_inverse(m[:0,:0]);
"""
DECOMPOSITIONS = """
    L.linalg.qr(m); L.linalg.qr(x); L.linalg.qr(x.T); L.linalg.qr(q); L.linalg.qr(c);
    L.linalg.qr(b); L.linalg.qr(c.mT); L.linalg.qr(A=m,mode='reduced'); L.linalg.qr(m,'complete');
    L.linalg.qr(v); L.linalg.qr(q,mode='complete'); L.linalg.qr(q.T.detach(),mode='complete');
    L.linalg.qr(m,'no'); L.linalg.qr(q.detach(),mode='r'); L.linalg.qr(c.mT.detach(),mode='r');
    L.linalg.qr(ints); L.linalg.qr(m.detach().float()); L.linalg.qr(e); L.linalg.qr(e.T);
    L.linalg.qr(e.T.detach(),'complete'); L.linalg.qr(c).Q; L.linalg.qr(c.mT).R;
    L.linalg.qr(m.T[::2]).R; L.linalg.qr(m)[0]@v; L.linalg.qr(s); L.linalg.qr(b[:0]);
    L.linalg.qr(m.half()); L.linalg.eigvalsh(m@m.T); L.linalg.eigvalsh(m);
    L.linalg.eigvalsh(m,UPLO='U'); L.linalg.eigvalsh(b,'U'); L.linalg.eigvalsh(b@b.mT);
    L.linalg.eigvalsh(m,UPLO='l'); L.linalg.eigvalsh(m[:0,:0]); L.linalg.eigvalsh(b[:0]);
    L.linalg.eigvalsh(m.detach().float()); L.linalg.eigvalsh(x); L.linalg.eigvalsh(v);
    L.linalg.eigvalsh(ints); L.linalg.eigvalsh(m,'x'); L.linalg.eigvalsh(m[:1,:1]);
    L.linalg.eigvalsh(m.detach()); L.linalg.eigvalsh(m)[-1]; L.linalg.eigvalsh(m+m.T).prod();
    L.linalg.eigvalsh(b[None]); L.linalg.eigh(m@m.T)[0]; L.linalg.eigh(m,'U').eigenvalues;
    L.linalg.eigh(b)[1]**2; L.linalg.eigh(m)[1].abs(); L.linalg.eigh(m,UPLO='u')[1]**2;
    L.linalg.eigh(m[:0,:0]); L.linalg.eigh(b[:0]); L.linalg.eigh(x); L.linalg.eigh(v);
    L.linalg.eigh(ints); L.linalg.eigh(m,'no'); L.linalg.eigh(m[:1,:1])[1]**2;
    (lambda w,a:(a*w.exp())@a.T)(*L.linalg.eigh(m+m.T));
    (lambda w,a:(a*w.abs().sqrt()[:,None])@a.mT)(*L.linalg.eigh(b+b.mT));
    L.linalg.eigh(m.detach())[0]; (lambda w,a:a[:,:1]@a[:,:1].T)(*L.linalg.eigh(m@m.T));
    (L.linalg.eigh(m)[1]*v)**2; (lambda w,a:(a@L.diag(1/w)@a.T))(*L.linalg.eigh(m@m.T+L.eye(3)));
    L.linalg.eigh(m.detach().float())[0]; L.linalg.eigh(b[None])[0]; L.linalg.svdvals(m);
    L.linalg.svdvals(x); L.linalg.svdvals(q.T); L.linalg.svdvals(c); L.linalg.svdvals(A=b);
    L.linalg.svdvals(m[:0,:0]); L.linalg.svdvals(e); L.linalg.svdvals(b[:0]);
    L.linalg.svdvals(m.detach().float()); L.linalg.svdvals(v); L.linalg.svdvals(ints);
    L.linalg.svdvals(m)[0]; L.linalg.svdvals(c.mT); L.linalg.svdvals(m[:1]);
    L.linalg.svdvals(x).sum(); L.linalg.svdvals(b[None]); L.linalg.svdvals(x.detach());
    L.linalg.svdvals(m.T@m); L.linalg.svdvals(m.half()); L.linalg.svdvals(s);
    L.linalg.svdvals(x,driver=None); L.linalg.svd(m)[1]; L.linalg.svd(x,full_matrices=False).S;
    L.linalg.svd(m).U**2; L.linalg.svd(v); L.linalg.svd(x,False)[0]**2;
    L.linalg.svd(q.T,full_matrices=False)[2]**2; L.linalg.svd(ints); L.linalg.svd(c,False)[0].abs();
    L.linalg.svd(c.mT,False).Vh**2; L.linalg.svd(b)[0]**2; (lambda U,S,Vh:U@Vh)(*L.linalg.svd(m));
    (lambda U,S,Vh:U@Vh)(*L.linalg.svd(x,False));
    (lambda U,S,Vh:(U*S**3)@Vh)(*L.linalg.svd(q.T,False)); L.linalg.svd(A=m.detach().float()).S;
    (lambda U,S,Vh:(U*S.log()[...,None,:])@Vh)(*L.linalg.svd(c,full_matrices=False));
    (lambda U,S,Vh:U@L.diag(1/S)@Vh)(*L.linalg.svd(m)); L.linalg.svd(m[:0,:0]); L.linalg.svd(b[:0]);
    L.linalg.svd(e); L.linalg.svd(e.T); L.linalg.svd(e,False); L.linalg.svd(m[:1])[1];
    L.linalg.svd(s); L.linalg.svd(x)[1]; (L.linalg.svd(x)[2][:2]**2);
    (L.linalg.svd(q.T)[0][:,:3]**2); [a.shape for a in L.linalg.svd(c)];
    [a.shape for a in L.linalg.svd(c.mT)]; L.linalg.svd(m.half());
    (lambda U,S,Vh:U@U.T)(*L.linalg.svd(q.T.detach()));
    (lambda U,S,Vh:Vh.mT@Vh)(*L.linalg.svd(c.detach()));
"""
RANKS = """
    L.linalg.matrix_rank(m); L.linalg.matrix_rank(c); L.linalg.matrix_rank(x.T@x);
    L.linalg.matrix_rank(x,10.); L.linalg.matrix_rank(c,tol=1.5); L.linalg.matrix_rank(c,atol=1.5);
    L.linalg.matrix_rank(c,rtol=.6); L.linalg.matrix_rank(c,rtol=.2,atol=1.);
    L.linalg.matrix_rank(c,atol=T([1.,0,0,2,9])); L.linalg.matrix_rank(c,rtol=T([.1,0,0,.7,1]));
    L.linalg.matrix_rank(m+m.T,hermitian=True); L.linalg.matrix_rank(x.T@x,hermitian=True);
    L.linalg.matrix_rank(m*0); L.linalg.matrix_rank(e); L.linalg.matrix_rank(b[:0]);
    L.linalg.matrix_rank(m[:0,:0]); L.linalg.matrix_rank(v); L.linalg.matrix_rank(ints);
    L.linalg.matrix_rank(x,hermitian=True); L.linalg.matrix_rank(m.detach().float());
    L.linalg.matrix_rank(b[None]); L.linalg.matrix_rank(e.T); L.linalg.matrix_rank(s);
"""


@pytest.mark.parametrize(
    "expression",
    listed(INVERSES, EQUATIONS, DETERMINANTS, POWERS, CHOLESKY, DECOMPOSITIONS, RANKS),
)
def test_functions_are_those_of_pytorch(expression: str, torch):
    check_like_torch(torch, expression)


def matrix(rng, *shape, dtype=np.float64, requires_grad=True):
    """A tensor of square matrices far from singular, or of others as they come."""
    array = rng.uniform(-1, 1, shape)
    if shape[-1] == shape[-2]:
        array += 2 * np.eye(shape[-1])
    return autodiff.tensor(array.astype(dtype)).requires_grad_(requires_grad)


def close(a, b) -> None:
    a, b = (x.detach().numpy() if isinstance(x, autodiff.Tensor) else np.asarray(x) for x in (a, b))
    assert a.dtype == b.dtype or not isinstance(b, np.ndarray)
    tolerance = 3e-5 if a.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_batch = pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)], ids=str)


@each_dtype
@each_batch
def test_the_inverse_and_the_solutions_are_what_they_are_called(batch, dtype, rng):
    a, b = matrix(rng, *batch, 4, 4, dtype=dtype), matrix(rng, *batch, 4, 2, dtype=dtype)
    identity = np.broadcast_to(np.eye(4, dtype=dtype), a.shape)
    close(a @ linalg.inv(a), identity)
    close(linalg.matrix_power(a, -2) @ a @ a, identity)
    close(linalg.pinv(b) @ b, np.broadcast_to(np.eye(2, dtype=dtype), (*batch, 2, 2)))
    close(a @ linalg.solve(a, b), b)
    close(linalg.solve(a, b.mT, left=False) @ a, b.mT)
    close(a.triu() @ linalg.solve_triangular(a, b, upper=True), b)
    close(a.tril() @ linalg.solve_triangular(a, b, upper=False), b)
    close(b.mT @ (b @ linalg.lstsq(b, a).solution - a), np.zeros((*batch, 2, 4), dtype))


@each_dtype
@each_batch
@pytest.mark.parametrize(("m", "n"), [(3, 3), (5, 2), (2, 5), (1, 4), (0, 2), (2, 0)])
def test_decompositions_put_the_matrix_together_again(m: int, n: int, batch, dtype, rng):
    a, k = matrix(rng, *batch, m, n, dtype=dtype), min(m, n)

    def orthogonal(q):
        close(q.mT @ q, np.broadcast_to(np.eye(q.shape[-1], dtype=dtype), (q.mT @ q).shape))

    for mode in ("reduced", "complete"):
        Q, R = linalg.qr(a, mode)
        assert Q.shape[-1] == R.shape[-2] == (k if mode == "reduced" else m)
        close(Q @ R, a)
        close(R, R.triu())
        orthogonal(Q)
    for full in (False, True):
        U, S, Vh = linalg.svd(a, full_matrices=full)
        assert (U.shape[-1], Vh.shape[-2]) == ((m, n) if full else (k, k))
        close((U[..., :k] * S[..., None, :]) @ Vh[..., :k, :], a)
        close(S, linalg.svdvals(a))
        close(S, S.sort(-1, descending=True).values)
        orthogonal(U)
        orthogonal(Vh.mT)


@each_dtype
@each_batch
def test_symmetric_matrices_are_put_together_again(batch, dtype, rng):
    a = matrix(rng, *batch, 4, 4, dtype=dtype)
    a = a @ a.mT
    L = linalg.cholesky(a)
    close(L @ L.mT, a)
    close(L, L.tril())
    close(linalg.cholesky(a, upper=True), L.mT)
    close(autodiff.cholesky_solve(a, L), np.broadcast_to(np.eye(4, dtype=dtype), a.shape))
    for UPLO in ("L", "U"):
        w, v = linalg.eigh(a, UPLO)
        close((v * w[..., None, :]) @ v.mT, a)
        close(w, linalg.eigvalsh(a, UPLO))
        close(w, w.sort(-1).values)
    sign, logabsdet = linalg.slogdet(a)
    close(sign * logabsdet.exp(), linalg.det(a))
    close(w.prod(-1), linalg.det(a))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda a: linalg.det(a), -306.0),
        (lambda a: linalg.inv(a)[0], [54 / 306, -1 / 306, -7 / 306]),
        (lambda a: linalg.solve(a, a.sum(1)), [1.0, 1.0, 1.0]),
        (lambda a: linalg.slogdet(a).logabsdet, np.log(306.0)),
        (lambda a: linalg.matrix_norm(a, 1), 13.0),
        (lambda a: linalg.norm(a), np.sqrt(200.0)),
    ],
)
def test_known_values_of_a_matrix(found, expected):
    a = autodiff.tensor(
        [[6.0, 1.0, 1.0], [4.0, -2.0, 5.0], [2.0, 8.0, 7.0]], dtype=autodiff.float64
    )
    np.testing.assert_allclose(found(a).numpy(), expected, rtol=1e-12)


def test_known_decompositions():
    def of(*rows):
        return autodiff.tensor(rows, dtype=autodiff.float64)

    close(linalg.cholesky(of([4.0, 2.0], [2.0, 5.0])), np.array([[2.0, 0.0], [1.0, 2.0]]))
    close(linalg.eigvalsh(of([2.0, 1.0], [1.0, 2.0])), np.array([1.0, 3.0]))
    close(linalg.svdvals(of([3.0, 0.0], [4.0, 5.0])), np.sqrt([45.0, 5.0]))
    close(linalg.qr(of([3.0, 1.0], [4.0, 2.0])).R.abs(), np.array([[5.0, 2.2], [0.0, 0.4]]))
    close(linalg.pinv(of([1.0, 2.0], [2.0, 4.0])), np.array([[1.0, 2.0], [2.0, 4.0]]) / 25)
    hilbert = of(*[[1 / (i + j + 1) for j in range(3)] for i in range(3)])
    np.testing.assert_allclose(linalg.cond(hilbert).item(), 524.0567775860608, rtol=1e-9)
    close(
        linalg.lstsq(of([1.0, 0.0], [1.0, 1.0], [1.0, 2.0]), of([1.0], [2.0], [4.0])).solution,
        np.array([[5 / 6], [1.5]]),
    )


# Matrices that do not have what is asked of them

SINGULAR = autodiff.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=autodiff.float64)
NAN = autodiff.full((2, 2), autodiff.nan)


@pytest.mark.parametrize(
    "function",
    [
        lambda: linalg.inv(SINGULAR),
        lambda: linalg.inv(autodiff.stack([autodiff.eye(2), autodiff.zeros(2, 2)])),
        lambda: linalg.inv_ex(SINGULAR, check_errors=True),
        lambda: linalg.solve(SINGULAR, SINGULAR),
        lambda: linalg.solve_ex(SINGULAR, SINGULAR[0], check_errors=True),
        lambda: linalg.matrix_power(SINGULAR, -1),
        lambda: linalg.cholesky(-SINGULAR),
        lambda: linalg.cholesky(NAN),
        lambda: linalg.cholesky_ex(-SINGULAR, check_errors=True),
        lambda: linalg.svd(NAN),
        lambda: linalg.svdvals(NAN),
        lambda: linalg.pinv(NAN),
    ],
)
def test_what_does_not_exist_is_an_error_of_one_type(function):
    with pytest.raises(linalg.LinAlgError, match=r"given float\d\d\[") as caught:
        function()
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, np.linalg.LinAlgError)


def test_info_says_which_matrices_of_a_batch_failed():
    batch = autodiff.stack([autodiff.eye(2), -autodiff.ones(2, 2), 2 * autodiff.eye(2)])
    for result, info in (
        linalg.inv_ex(batch),
        linalg.cholesky_ex(batch),
        linalg.solve_ex(batch, autodiff.ones(3, 2, 1)),
        linalg.solve_ex(batch, autodiff.ones(3, 2)),
        linalg.solve_ex(batch, autodiff.ones(1, 2, 1)),
    ):
        assert info.dtype == autodiff.int32
        assert info.tolist() == [0, 1, 0]
        assert result[1].isnan().all()
        assert result[::2].isfinite().all()


def test_info_is_0_where_a_result_is_not_finite_for_another_reason():
    nan = autodiff.tensor([[np.nan, 1.0], [1.0, 2.0]])
    tiny = autodiff.tensor([[1e-310]], dtype=autodiff.float64)
    for matrix in (nan, tiny):
        assert linalg.inv_ex(matrix).info.item() == 0
        assert linalg.solve_ex(matrix, matrix).info.item() == 0


def test_nan_goes_through_where_the_algorithm_lets_it():
    for function in (linalg.inv, linalg.det, linalg.qr, linalg.slogdet):
        x = autodiff.full((2, 2), autodiff.nan, requires_grad=True)
        result = function(x)
        result = result[-1] if isinstance(result, tuple) else result
        result.sum().backward()
        assert result.isnan().any()
        assert x.grad.isnan().any()


def test_a_zero_on_the_diagonal_of_a_triangle_gives_inf_or_nan():
    a = autodiff.eye(200, dtype=autodiff.float64)
    a[150, 150] = 0
    x = linalg.solve_triangular(a, autodiff.ones(200, 1, dtype=autodiff.float64), upper=True)
    assert x[150].item() == autodiff.inf
    assert x[:150].isnan().all()  # 1 - 0 inf
    assert (x[151:] == 1).all()


def test_large_triangles_are_solved_exactly_too(rng):
    a = autodiff.tensor(rng.uniform(-1, 1, (150, 150)) / 150 + np.diag(rng.uniform(1, 2, 150)))
    b = autodiff.tensor(rng.uniform(-1, 1, (2, 150, 3)))
    for upper, part in ((True, a.triu()), (False, a.tril())):
        close(linalg.solve_triangular(a, b, upper=upper), linalg.solve(part, b))
    L = linalg.cholesky(a @ a.T)
    close(L @ L.T, a @ a.T)


# Gradients where a formula would divide by zero


def test_the_gradient_of_det_is_right_for_singular_matrices():
    for rows, expected in (
        ([[1.0, 2.0], [2.0, 4.0]], [[4.0, -2.0], [-2.0, 1.0]]),
        (np.diag([2.0, 3.0, 0.0]), np.diag([0.0, 0.0, 6.0])),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        ([[0.0]], [[1.0]]),
    ):
        x = autodiff.tensor(np.array(rows)).requires_grad_()
        linalg.det(x).backward()
        close(x.grad, np.array(expected))


def test_equal_eigenvalues_have_gradients_and_their_vectors_none():
    x = autodiff.eye(3, dtype=autodiff.float64).requires_grad_()
    for values in (
        linalg.eigh(x).eigenvalues,
        linalg.eigvalsh(x),
        linalg.svd(x).S,
        linalg.svdvals(x),
    ):
        (g,) = autodiff.autograd.grad(values.sum(), x)
        close(g, np.eye(3))
    for vectors in (linalg.eigh(x).eigenvectors, linalg.svd(x).U, linalg.svd(x).Vh):
        (g,) = autodiff.autograd.grad((vectors * autodiff.arange(9.0).reshape(3, 3)).sum(), x)
        assert not g.isfinite().all()


def test_the_second_derivative_of_equal_eigenvalues_is_nan_rather_than_wrong():
    x = autodiff.eye(2, dtype=autodiff.float64).requires_grad_()
    for values in (
        linalg.eigh(x).eigenvalues,
        linalg.eigvalsh(x),
        linalg.svd(x).S,
        linalg.svdvals(x),
    ):
        (g,) = autodiff.autograd.grad((values**2).sum(), x, create_graph=True)
        (h,) = autodiff.autograd.grad((g * autodiff.tensor([[1.0, 2.0], [2.0, 0.5]])).sum(), x)
        assert not h.isfinite().all()


def test_the_second_derivative_of_det_is_nan_for_singular_matrices():
    x = autodiff.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    (g,) = autodiff.autograd.grad(autodiff.linalg.det(x), x, create_graph=True)
    g.sum().backward()
    assert x.grad.isnan().all()


def test_singular_values_of_zero_have_gradients():
    x = autodiff.zeros(3, 2, dtype=autodiff.float64).requires_grad_()
    (g,) = autodiff.autograd.grad(linalg.svd(x).S.sum(), x)
    close(linalg.svdvals(g), np.ones(2))


def test_vectors_of_a_matrix_that_is_nearly_singular_have_exact_gradients(rng):
    """Where u and v are square, nothing lies across them, nor is divided by the least of s."""
    turned = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2)]
    x = autodiff.tensor(turned[0] * [3, 2, 1e-13] @ turned[1]).requires_grad_()
    weights = autodiff.tensor(rng.normal(size=(3, 3)))
    of_svd = linalg.svd(x).Vh
    of_eigh = linalg.eigh(x.mT @ x)[1].mT.flip(0)
    by_svd, by_eigh = (
        autodiff.autograd.grad((vh**2 * weights).sum(), x)[0] for vh in (of_svd, of_eigh)
    )
    close(by_svd, by_eigh)


def test_qr_of_more_rows_than_columns_has_no_derivative_if_complete(rng):
    Q, _ = linalg.qr(matrix(rng, 3, 2), "complete")
    with pytest.raises(RuntimeError, match="complete qr of 3 rows and 2 columns"):
        Q.sum().backward()


def test_gradients_of_symmetric_matrices_are_symmetric(rng):
    x = matrix(rng, 3, 3)
    a = (x @ x.T).detach().requires_grad_()
    weights = autodiff.tensor(rng.uniform(-1, 1, (3, 3)))
    for result in (linalg.cholesky(a), *linalg.eigh(a), linalg.eigvalsh(a)):
        (g,) = autodiff.autograd.grad((result * weights).sum(), a, retain_graph=True)
        close(g, g.T)


# Where the functions are met


def test_results_are_named_and_factored_once(rng, monkeypatch):
    x = matrix(rng, 3, 3)
    for result, names in (
        (linalg.svd(x), "U S Vh"),
        (linalg.eigh(x), "eigenvalues eigenvectors"),
        (linalg.qr(x), "Q R"),
        (linalg.slogdet(x), "sign logabsdet"),
        (linalg.lstsq(x, x), "solution residuals rank singular_values"),
        (linalg.inv_ex(x), "inverse info"),
        (linalg.cholesky_ex(x), "L info"),
        (linalg.solve_ex(x, x), "result info"),
    ):
        assert result._fields == tuple(names.split())
        assert all(a is getattr(result, name) for a, name in zip(result, names.split()))
    monkeypatch.setattr(np.linalg, "svd", None)
    (linalg.eigh(x).eigenvectors ** 2).sum().backward()


@pytest.mark.parametrize(
    "function",
    [
        np.linalg.inv,
        np.linalg.det,
        np.linalg.slogdet,
        np.linalg.qr,
        lambda a: np.linalg.qr(a, "complete"),
        lambda a: np.linalg.qr(a, "r"),
        np.linalg.svd,
        lambda a: np.linalg.svd(a, False),
        lambda a: np.linalg.svd(a, compute_uv=False),
        np.linalg.svdvals,
        np.linalg.eigh,
        lambda a: np.linalg.eigh(a, "U"),
        np.linalg.eigvalsh,
        lambda a: np.linalg.cholesky(a @ a.mT),
        lambda a: np.linalg.cholesky(a @ a.mT, upper=True),
        np.linalg.pinv,
        lambda a: np.linalg.pinv(a, rtol=0.5),
        lambda a: np.linalg.solve(a, a),
        lambda a: np.linalg.solve(a, a[0, 0]),
        lambda a: np.linalg.matrix_power(a, 3),
        lambda a: np.linalg.matrix_power(a, -1),
        np.linalg.matrix_rank,
        lambda a: np.linalg.norm(a, axis=1),
        lambda a: np.linalg.norm(a, "nuc", axis=(1, 2), keepdims=True),
        lambda a: np.linalg.matrix_norm(a, ord=2),
        lambda a: np.linalg.vector_norm(a, axis=1, ord=3),
        np.linalg.cond,
        lambda a: np.linalg.cond(a, 1),
        lambda a: np.linalg.multi_dot([a[0], a[1], a[0, 0]]),
        lambda a: np.linalg.cross(a, a.mT, axis=1),
        lambda a: np.cross(a, a.mT),
        lambda a: np.linalg.vecdot(a, a),
        lambda a: np.linalg.diagonal(a, offset=1),
    ],
)
def test_functions_of_numpy_take_tensors(function, rng):
    x = matrix(rng, 2, 3, 3)
    found, expected = function(x), function(x.detach().numpy())
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        assert isinstance(a, autodiff.Tensor)
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-12, atol=1e-14)
        assert a.requires_grad == (a.dtype == autodiff.float64)


def test_a_step_of_gaussian_process_regression_compiles(rng):
    x = autodiff.tensor(rng.uniform(-2, 2, (12, 1)))
    y = autodiff.sin(2 * x[:, 0])

    def step(x, y, scale):
        K = (-0.5 * autodiff.cdist(x, x) ** 2 / scale**2).exp() + 0.1 * autodiff.eye(12)
        L = linalg.cholesky(K)
        a = autodiff.cholesky_solve(y[:, None], L)[:, 0]
        loss = 0.5 * y @ a + L.diagonal().log().sum() + 0.1 * linalg.eigh(K).eigenvalues[-1]
        (g,) = autodiff.autograd.grad(loss, scale)
        return loss.detach(), g

    compiled = autodiff.compile(step, fullgraph=True)
    for value in (0.5, 0.8, 1.3):
        scale = autodiff.tensor(value, dtype=autodiff.float64).requires_grad_()
        for a, b in zip(compiled(x, y, scale), step(x, y, scale)):
            close(a, b)


def test_a_compiled_step_raises_what_the_step_raises():
    compiled = autodiff.compile(lambda a: linalg.inv(a).sum(), fullgraph=True)
    assert compiled(autodiff.eye(2)).item() == 2
    with pytest.raises(linalg.LinAlgError, match="inv: Singular matrix"):
        compiled(autodiff.zeros(2, 2))
    assert compiled(2 * autodiff.eye(2)).item() == 1


def test_ranks_count_singular_values_above_eps_times_the_longer_side():
    eps = np.finfo(np.float64).eps
    tall = autodiff.zeros(5, 2, dtype=autodiff.float64)
    tall[0, 0], tall[1, 1] = 1.0, 3 * eps
    assert [linalg.matrix_rank(x).item() for x in (tall, tall.T)] == [1, 1]
    zero, some = (autodiff.tensor(c, dtype=autodiff.float64) for c in (0.0, 1e-300))
    assert [linalg.matrix_rank(tall, atol=c).item() for c in (zero, some)] == [1, 2]
