"""Multi-head attention."""

import math
from typing import Any

from autodiff import Tensor, bool_, cat, empty, softmax, where, zeros
from nn import functional as F
from nn import init
from nn.functional.arguments import check_tensors
from nn.linear import Linear
from nn.module import Module
from nn.parameter import Parameter


class MultiheadAttention(Module):
    """Several attentions side by side, each on projections of queries, keys and values.

    head_h = softmax(q_h k_h^T / sqrt(embed_dim / num_heads)) v_h; out = W_o [head_1, ...] + b_o.
    in_proj_weight (3 · embed_dim, embed_dim), or q_, k_ and v_proj_weight where kdim or vdim
    differ, Glorot uniform at first; in_proj_bias and out_proj.bias zero at first. dropout: of the
    weights.
    add_bias_kv: one more key and value that are learned; add_zero_attn: one more of zeros.

    Shapes: query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim), or N first with
    `batch_first`, or without N -> as query, and weights (N, L, S), or (N, heads, L, S).
    Raises: ValueError if num_heads does not divide embed_dim; RuntimeError for shapes that do not
        fit.
    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be positive, got {embed_dim} and {num_heads}"
            )
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim={embed_dim} must be divisible by num_heads={num_heads}")
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.batch_first, self.head_dim = batch_first, embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        make = lambda *shape: Parameter(empty(shape, device=device, dtype=dtype))
        same = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = make(3 * embed_dim, embed_dim) if same else None
        self.q_proj_weight = None if same else make(embed_dim, embed_dim)
        self.k_proj_weight = None if same else make(embed_dim, self.kdim)
        self.v_proj_weight = None if same else make(embed_dim, self.vdim)
        self.in_proj_bias = make(3 * embed_dim) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.bias_k = make(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = make(1, 1, embed_dim) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        weights = self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        for weight in weights:
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attention of each query, and the weights if they are needed.

        Masks: of bool, True where a key is not to be seen; of floats, what is added to the scores.
        key_padding_mask (N, S); attn_mask (L, S), or (N · heads, L, S). is_causal: says that
        attn_mask is the causal one.
        """
        check_tensors("MultiheadAttention", query, key, value)
        batched = query.ndim == 3
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise RuntimeError("is_causal says that attn_mask is the causal mask: give attn_mask")
        if not batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = _swapped(query, key, value)
        q, k, v = self._projected(query, key, value)
        mask = self._mask(q, k, key_padding_mask, attn_mask)
        n = q.shape[0]
        if self.bias_k is not None and self.bias_v is not None:
            k = cat([k, self.bias_k.expand(n, 1, -1)], 1)
            v = cat([v, self.bias_v.expand(n, 1, -1)], 1)
        q, k, v = (self._by_heads(x) for x in (q, k, v))
        if self.add_zero_attn:
            none = zeros(n, self.num_heads, 1, self.head_dim, dtype=k.dtype)
            k, v = cat([k, none], 2), cat([v, none], 2)
        if mask is not None and mask.shape[-1] < k.shape[2]:
            mask = F.pad(mask, (0, k.shape[2] - mask.shape[-1]))
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = (q * (1 / math.sqrt(self.head_dim))) @ k.transpose(-2, -1)
            weights = F.dropout(softmax(scores if mask is None else scores + mask, -1), dropout)
            out = weights @ v
            if average_attn_weights:
                weights = weights.mean(1)
        else:
            out = F.scaled_dot_product_attention(q, k, v, mask, dropout)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if not batched:
            return out.squeeze(0), None if weights is None else weights.squeeze(0)
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        sizes = self.embed_dim, self.kdim, self.vdim
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise RuntimeError(
                "query, key and value must have 2 axes each, or 3 with a batch, got shapes "
                f"{tuple(query.shape)}, {tuple(key.shape)}, {tuple(value.shape)}"
            )
        for name, x, size in zip(("query", "key", "value"), (query, key, value), sizes):
            if x.shape[-1] != size:
                raise RuntimeError(
                    f"the last axis of {name} must be {size}, got shape {tuple(x.shape)}"
                )
        batch = 0 if self.batch_first else 1
        if query.ndim == 3 and query.shape[batch] != key.shape[batch]:
            raise RuntimeError(
                f"query and key must be as many examples, got shapes {tuple(query.shape)} and "
                f"{tuple(key.shape)}"
            )
        if key.shape[:-1] != value.shape[:-1]:
            raise RuntimeError(
                f"key and value must belong together, got shapes {tuple(key.shape)} and "
                f"{tuple(value.shape)}"
            )

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        bias = self.in_proj_bias
        if self.in_proj_weight is not None and query is key is value:
            return F.linear(query, self.in_proj_weight, bias).chunk(3, -1)
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        biases = (None, None, None) if bias is None else bias.chunk(3)
        return tuple([F.linear(*row) for row in zip((query, key, value), weights, biases)])

    def _by_heads(self, x: Tensor) -> Tensor:
        """(N, S, embed_dim) -> (N, heads, S, head_dim)"""
        return x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _mask(
        self, q: Tensor, k: Tensor, padding: Tensor | None, attention: Tensor | None
    ) -> Tensor | None:
        """What both masks add to the scores, broadcast to (N, heads, L, S)."""
        n, length, size = q.shape[0], q.shape[1], k.shape[1]
        mask = None
        if attention is not None:
            if tuple(attention.shape) not in ((length, size), (n * self.num_heads, length, size)):
                raise RuntimeError(
                    f"attn_mask must be of shape {(length, size)} or "
                    f"{(n * self.num_heads, length, size)}, got {tuple(attention.shape)}"
                )
            mask = _added(attention, q)
            if mask.ndim == 3:
                mask = mask.unflatten(0, (n, self.num_heads))
        if padding is not None:
            if tuple(padding.shape) != (n, size):
                raise RuntimeError(
                    f"key_padding_mask must be of shape {(n, size)}, got {tuple(padding.shape)}"
                )
            added = _added(padding, q)[:, None, None]
            mask = added if mask is None else mask + added
        return mask


def _swapped(*tensors: Tensor) -> list[Tensor]:
    """Their first two axes exchanged; the same tensor given again stays the same."""
    swapped = {id(x): x.transpose(0, 1) for x in tensors}
    return [swapped[id(x)] for x in tensors]


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """What a mask adds to the scores."""
    if mask.dtype == bool_:
        mask = where(mask, -math.inf, 0.0)
    return mask.to(like.dtype)
