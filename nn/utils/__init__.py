"""What is done to the parameters of a model, and to sequences before they are given to one."""

from typing import TYPE_CHECKING

from autodiff.lazy import deferred
from nn.utils.clip import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from nn.utils.convert import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from nn.utils import parametrizations, parametrize, rnn
    from nn.utils.weight_normalization import remove_weight_norm, weight_norm
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "nn.utils.parametrizations": (),
            "nn.utils.parametrize": (),
            "nn.utils.rnn": (),
            "nn.utils.weight_normalization": ("remove_weight_norm", "weight_norm"),
        },
    )

__all__ = [
    *("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"),
    *("parameters_to_vector", "vector_to_parameters", "remove_weight_norm", "weight_norm"),
    *("parametrizations", "parametrize", "rnn"),
]
