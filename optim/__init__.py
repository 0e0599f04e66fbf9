"""Optimisers: what to do with the gradients, under PyTorch's names."""

import optim.siblings as _siblings  # before all others
from optim.adam import Adam, AdamW
from optim.optimizer import Optimizer
from optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
