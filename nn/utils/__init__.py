"""What is done to the parameters of a model, and to sequences before they are given to one."""

import importlib
from typing import TYPE_CHECKING, Any

from nn.utils import rnn
from nn.utils.clip import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from nn.utils.convert import parameters_to_vector, vector_to_parameters
from nn.utils.weight_normalization import remove_weight_norm, weight_norm

if TYPE_CHECKING:
    from nn.utils import parametrizations, parametrize


def __getattr__(name: str) -> Any:
    """`utils.parametrizations` and `utils.parametrize`, imported when first asked for."""
    if name in ("parametrizations", "parametrize"):
        return importlib.import_module(f"nn.utils.{name}")
    raise AttributeError(f"module 'nn.utils' has no attribute {name!r}")
