"""Optimisers: what to do with the gradients, under PyTorch's names."""

from typing import TYPE_CHECKING

import optim.siblings as _siblings  # before all others
from autodiff.lazy import deferred
from optim.optimizer import Optimizer

if TYPE_CHECKING:
    from optim import lr_scheduler, swa_utils
    from optim.adadelta import Adadelta
    from optim.adagrad import Adagrad
    from optim.adam import Adam, AdamW
    from optim.adamax import Adamax
    from optim.asgd import ASGD
    from optim.lbfgs import LBFGS
    from optim.nadam import NAdam
    from optim.radam import RAdam
    from optim.rmsprop import RMSprop
    from optim.rprop import Rprop
    from optim.sgd import SGD
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "optim.adadelta": ("Adadelta",),
            "optim.adagrad": ("Adagrad",),
            "optim.adam": ("Adam", "AdamW"),
            "optim.adamax": ("Adamax",),
            "optim.asgd": ("ASGD",),
            "optim.lbfgs": ("LBFGS",),
            "optim.nadam": ("NAdam",),
            "optim.radam": ("RAdam",),
            "optim.rmsprop": ("RMSprop",),
            "optim.rprop": ("Rprop",),
            "optim.sgd": ("SGD",),
            "optim.lr_scheduler": (),
            "optim.swa_utils": (),
        },
    )

__all__ = [
    *("ASGD", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam"),
    *("Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils"),
]
