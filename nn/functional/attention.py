"""Attention."""

import math

from autodiff import Tensor, bool_, float32, ones, softmax, where
from nn.functional.activation import check_floating
from nn.functional.arguments import check_tensors
from nn.functional.dropout import dropout

__all__ = ("scaled_dot_product_attention",)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale q k^T + mask) v: for each query the mean of the values weighted by their keys.

    attn_mask: of bool, where a query sees a key; of floats, what is added. A query that sees no key
        gives zeros.
    dropout_p: dropout of the weights, also in evaluation: pass 0.0 there.
    is_causal: query i sees the keys up to i.
    scale: 1 / sqrt(E) unless given.
    enable_gqa: each head (axis -3) of keys and values serves several heads of queries in a row.
    Shapes: query (..., L, E), key (..., S, E), value (..., S, D), attn_mask broadcast to
    (..., L, S) -> (..., L, D).
    Raises: RuntimeError if shapes or dtypes do not fit, or for a mask besides is_causal.
    Source: Vaswani et al. 2017, arXiv:1706.03762; grouped heads Ainslie et al. 2023,
    arXiv:2305.13245.
    """
    if attn_mask is not None and is_causal:
        raise RuntimeError("scaled_dot_product_attention takes attn_mask or is_causal, not both")
    _check(query, key, value, attn_mask)
    if enable_gqa:
        if min(x.ndim for x in (query, key, value)) < 3:
            raise IndexError("scaled_dot_product_attention: enable_gqa needs an axis of heads")
        key, value = _for_heads(query, key), _for_heads(query, value)
    if scale is None:
        scale = 1 / math.sqrt(max(query.shape[-1], 1))
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        scores = scores + _added(ones(scores.shape[-2:], dtype=bool_).tril(), scores)
    elif attn_mask is not None:
        added = _added(attn_mask, scores)
        blind = (added == -math.inf).all(-1, keepdim=True)
        scores = scores + added.masked_fill(blind, 0.0)
    out = dropout(softmax(scores, -1), dropout_p) @ value
    return out if attn_mask is None else out.masked_fill(blind, 0.0)


def _added(mask: Tensor, scores: Tensor) -> Tensor:
    """What a mask adds to the scores."""
    check_tensors("scaled_dot_product_attention", mask)
    if mask.dtype == bool_:
        mask = where(mask, 0.0, -math.inf)
    return mask.to(scores.dtype)


def _for_heads(query: Tensor, x: Tensor) -> Tensor:
    """The heads of keys or values, each as often in a row as there are heads of queries for it."""
    heads, ours = query.shape[-3], x.shape[-3]
    if heads % ours:
        raise RuntimeError(
            f"scaled_dot_product_attention: {ours} heads of keys or values for {heads} of queries; "
            "their number must divide that of the queries"
        )
    return x if ours == heads else x.repeat_interleave(heads // ours, -3)


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    check_tensors("scaled_dot_product_attention", query, key, value)
    name = "scaled_dot_product_attention"
    given = query, key, value
    if min(x.ndim for x in given) < 2:
        shapes = ", ".join(str(tuple(x.shape)) for x in given)
        raise RuntimeError(f"{name} needs two axes or more, got shapes {shapes}")
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(f"{name} needs one dtype, got {', '.join(str(x.dtype) for x in given)}")
    check_floating(name, query)
    if mask is not None and mask.dtype not in (bool_, float32, query.dtype):
        raise RuntimeError(f"{name}: attn_mask must be of bool or {query.dtype}, got {mask.dtype}")
