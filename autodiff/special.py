"""Special functions, under the names of PyTorch's `torch.special`."""

from autodiff.composed.elementwise import exp2, expm1, log1p, logit, round
from autodiff.composed.elementwise import sigmoid as expit
from autodiff.composed.reduction import log_softmax, logsumexp, softmax
from autodiff.composed.special import digamma, erf, erfc, erfinv, polygamma, xlogy
from autodiff.composed.special import digamma as psi
from autodiff.composed.special import lgamma as gammaln

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "polygamma",
    "psi",
    "round",
    "softmax",
    "xlogy",
]
