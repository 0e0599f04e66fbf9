"""What is done to the parameters of a model, and to sequences before they are given to one."""

from nn.utils import parametrizations, parametrize, rnn
from nn.utils.clip import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from nn.utils.convert import parameters_to_vector, vector_to_parameters
from nn.utils.weight_normalization import remove_weight_norm, weight_norm
