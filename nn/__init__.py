"""Layers, losses and models, under PyTorch's names."""

from typing import TYPE_CHECKING

import nn.siblings as _siblings  # before all others
from autodiff.lazy import deferred
from nn.module import Module
from nn.parameter import Buffer, Parameter
from nn.summary import summary

_DEFERRED = {
    "nn.activation": (
        *("CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish"),
        *("Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6"),
        *("RReLU", "Sigmoid", "SiLU", "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign"),
        *("Tanh", "Tanhshrink", "Threshold"),
    ),
    "nn.attention": ("MultiheadAttention",),
    "nn.container": ("ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"),
    "nn.convolution": (
        *("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    ),
    "nn.distance": ("CosineSimilarity", "PairwiseDistance"),
    "nn.dropout": ("AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d"),
    "nn.embedding": ("Embedding",),
    "nn.functional": (),
    "nn.init": (),
    "nn.linear": ("Bilinear", "Flatten", "Identity", "Linear", "Unflatten"),
    "nn.loss": (
        *("BCELoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss"),
        *("GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss"),
        *("MarginRankingLoss", "MSELoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss"),
        *("SoftMarginLoss", "TripletMarginLoss"),
    ),
    "nn.normalization": (
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d"),
        *("InstanceNorm2d", "LayerNorm", "RMSNorm"),
    ),
    "nn.padding": (
        *("CircularPad1d", "CircularPad2d", "ConstantPad1d", "ConstantPad2d", "ReflectionPad1d"),
        *("ReflectionPad2d", "ReplicationPad1d", "ReplicationPad2d", "ZeroPad1d", "ZeroPad2d"),
    ),
    "nn.pooling": (
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"),
        *("AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"),
    ),
    "nn.recurrent": ("GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"),
    "nn.resampling": (
        *("Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample", "UpsamplingBilinear2d"),
        "UpsamplingNearest2d",
    ),
    "nn.transformer": (
        *("Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder"),
        "TransformerEncoderLayer",
    ),
    "nn.utils": (),
}

if TYPE_CHECKING:
    from nn import functional, init, utils
    from nn.activation import *
    from nn.attention import *
    from nn.container import *
    from nn.convolution import *
    from nn.distance import *
    from nn.dropout import *
    from nn.embedding import *
    from nn.linear import *
    from nn.loss import *
    from nn.normalization import *
    from nn.padding import *
    from nn.pooling import *
    from nn.recurrent import *
    from nn.resampling import *
    from nn.transformer import *
else:
    __getattr__, __dir__ = deferred(__name__, _DEFERRED)

__all__ = [
    *("Buffer", "Module", "Parameter", "functional", "init", "summary", "utils"),
    *(name for names in _DEFERRED.values() for name in names),
]
