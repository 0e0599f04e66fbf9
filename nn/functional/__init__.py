"""Layers and losses without state, as functions."""

from nn.functional.activation import *
from nn.functional.attention import *
from nn.functional.class_loss import *
from nn.functional.convolution import *
from nn.functional.distance import *
from nn.functional.dropout import *
from nn.functional.embedding import *
from nn.functional.interpolation import *
from nn.functional.linear import *
from nn.functional.normalization import *
from nn.functional.padding import *
from nn.functional.pair_loss import *
from nn.functional.pooling import *
from nn.functional.regression_loss import *
from nn.functional.shuffle import *
from nn.functional.window import *
