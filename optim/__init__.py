"""Optimisers: what to do with the gradients, under PyTorch's names."""

import importlib
from typing import Any

import optim.siblings as _siblings  # before all others
from optim.adadelta import Adadelta
from optim.adagrad import Adagrad
from optim.adam import Adam, AdamW
from optim.adamax import Adamax
from optim.asgd import ASGD
from optim.lbfgs import LBFGS
from optim.nadam import NAdam
from optim.optimizer import Optimizer
from optim.radam import RAdam
from optim.rmsprop import RMSprop
from optim.rprop import Rprop
from optim.sgd import SGD

__all__ = [
    *("ASGD", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam"),
    *("Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils"),
]


def __getattr__(name: str) -> Any:
    """`optim.lr_scheduler` and `optim.swa_utils`, imported when first asked for."""
    if name in ("lr_scheduler", "swa_utils"):
        return importlib.import_module(f"optim.{name}")
    raise AttributeError(f"module 'optim' has no attribute {name!r}")
