"""Transformers: stacks of attention and feed-forward blocks.

Source: Vaswani et al. 2017, arXiv:1706.03762; normalisation first as in Xiong et al. 2020,
arXiv:2002.04745.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

from autodiff import Tensor, full, triu
from nn import functional as F
from nn import init
from nn.attention import MultiheadAttention
from nn.container import ModuleList
from nn.dropout import Dropout
from nn.functional.arguments import check_tensors
from nn.linear import Linear
from nn.module import Module
from nn.normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]


class _Layer(Module):
    """What encoder and decoder layers share: self-attention, and the feed-forward block."""

    _crosses = False  # whether it attends to an encoder's output

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(activation, str):
            if activation not in ("relu", "gelu"):
                raise RuntimeError(f"activation must be 'relu' or 'gelu', got {activation!r}")
            activation = getattr(F, activation)
        options = dict(bias=bias, device=device, dtype=dtype)
        attention = lambda: MultiheadAttention(
            d_model, nhead, dropout, batch_first=batch_first, **options
        )
        self.self_attn = attention()
        if self._crosses:
            self.multihead_attn = attention()
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        for i in range(1, 3 + self._crosses):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, **options))
        for i in range(1, 3 + self._crosses):
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation: Any = activation

    def _attended(
        self, attention: Module, x: Tensor, memory: Tensor, mask: Any, padding: Any, causal: bool
    ) -> Tensor:
        out, _ = attention(x, memory, memory, padding, False, mask, is_causal=causal)
        return out

    def _fed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _added(self, x: Tensor, i: int, block: Callable[[Tensor], Tensor]) -> Tensor:
        """The residual block number i: normalised before or after."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        if self.norm_first:
            return x + dropout(block(norm(x)))
        return norm(x + dropout(block(x)))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward block, each added to its input and normalised.

    Shapes: src (S, N, d_model), or N first with `batch_first`, or without N; src_mask (S, S) and
    src_key_padding_mask (N, S) as MultiheadAttention's.
    Raises: RuntimeError for an activation that is not "relu", "gelu" or a function.
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        how = src_mask, src_key_padding_mask, is_causal
        x = self._added(src, 1, lambda x: self._attended(self.self_attn, x, x, *how))
        return self._added(x, 2, self._fed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output, then a feed-forward block.

    Shapes: tgt (T, N, d_model), memory (S, N, d_model), or as TransformerEncoderLayer.
    """

    _crosses = True

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        x = self._added(tgt, 1, lambda x: self._attended(self.self_attn, x, x, *own))
        x = self._added(x, 2, lambda x: self._attended(self.multihead_attn, x, memory, *other))
        return self._added(x, 3, self._fed_forward)


class _Stack(Module):
    """Copies of a layer one after the other."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def _stacked(self, x: Tensor, *args: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *args)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """Copies of an encoder layer one after the other, then `norm` if given.

    enable_nested_tensor and mask_check are accepted for PyTorch's sake and change nothing.
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        return self._stacked(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    """Copies of a decoder layer one after the other, then `norm` if given."""

    def __init__(
        self,
        decoder_layer: TransformerDecoderLayer,
        num_layers: int,
        norm: Module | None = None,
    ) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        return self._stacked(
            *(tgt, memory, tgt_mask, memory_mask),
            *(tgt_key_padding_mask, memory_key_padding_mask),
            *(bool(tgt_is_causal), memory_is_causal),
        )


class Transformer(Module):
    """An encoder and a decoder; weights of more than one axis start Glorot uniform.

    Shapes: src (S, N, d_model), tgt (T, N, d_model), or N first with `batch_first`, or without N.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        layer = (
            *(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps),
            *(batch_first, norm_first, bias, device, dtype),
        )
        norm = lambda: LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*layer), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*layer), num_decoder_layers, norm()
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        check_tensors("Transformer", src, tgt)
        if min(src.ndim, tgt.ndim) < 2:
            raise RuntimeError(
                f"src and tgt need two axes or three, got shapes {tuple(src.shape)} and "
                f"{tuple(tgt.shape)}"
            )
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError(
                f"src and tgt must be as many examples, got shapes {tuple(src.shape)} and "
                f"{tuple(tgt.shape)}"
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"the last axis of src and tgt must be d_model={self.d_model}, got shapes "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            *(tgt, memory, tgt_mask, memory_mask),
            *(tgt_key_padding_mask, memory_key_padding_mask),
            *(tgt_is_causal, memory_is_causal),
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """(sz, sz): -inf where a later element would be seen, else 0."""
        return triu(full((sz, sz), -math.inf, device=device, dtype=dtype), diagonal=1)
