"""Layers and losses without state, as functions."""

from nn.functional.activation import *
from nn.functional.class_loss import *
from nn.functional.distance import *
from nn.functional.dropout import *
from nn.functional.linear import *
from nn.functional.pair_loss import *
from nn.functional.regression_loss import *
