"""Tensors that remember how they were computed, and their derivatives; PyTorch's names throughout.

>>> import autodiff
>>> x = autodiff.tensor([1.0, 2.0], requires_grad=True)
>>> (x**3).sum().backward()
>>> x.grad
tensor([ 3., 12.])
"""

import math
import warnings
from typing import TYPE_CHECKING

from autodiff import allocator, autograd, cuda, linalg, methods, special, utils
from autodiff.attributes import Size, device
from autodiff.compiler import host
from autodiff.composed import (
    activation,
    conversion,
    creation,
    decompositions,
    elementwise,
    norms,
    numpy_functions,
    properties,
    random,
    reduction,
    selection,
    shape,
)
from autodiff.composed import linalg as products
from autodiff.composed import special as special_functions
from autodiff.composed.activation import *
from autodiff.composed.conversion import *
from autodiff.composed.creation import *
from autodiff.composed.decompositions import *
from autodiff.composed.elementwise import *
from autodiff.composed.linalg import *
from autodiff.composed.norms import *
from autodiff.composed.properties import *
from autodiff.composed.random import *
from autodiff.composed.reduction import *
from autodiff.composed.selection import *
from autodiff.composed.shape import *
from autodiff.composed.special import *
from autodiff.diagram import tape
from autodiff.dtypes import (
    bool_,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from autodiff.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from autodiff.grad_modes import (
    enable_grad,
    inference_mode,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from autodiff.lazy import deferred
from autodiff.printing import set_printoptions
from autodiff.tensor import Tensor

if TYPE_CHECKING:
    from autodiff import func
    from autodiff.batching import vmap
    from autodiff.checkpoint import load, save
    from autodiff.compiler import compile, get_num_threads, overwrite, set_num_threads

# In sight of the type checker too: it cannot follow nn and optim, which import this package.
__getattr__, __dir__ = deferred(
    __name__,
    {
        "autodiff.batching": ("vmap",),
        "autodiff.checkpoint": ("load", "save"),
        "autodiff.compiler": ("compile", "get_num_threads", "overwrite", "set_num_threads"),
        "autodiff.func": (),
        "nn": (),
        "optim": (),
    },
)

__version__ = "0.1.0"

bool = bool_
half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
e, inf, nan, pi, newaxis = math.e, math.inf, math.nan, math.pi, None
globals().update({name: getattr(Tensor, name) for name in methods.FUNCTIONS})

__all__ = [
    # Tensors and their types
    *("Size", "Tensor", "device", "dtype", "finfo", "iinfo"),
    *("bool", "double", "float", "float16", "float32", "float64", "half", "int", "int16", "int32"),
    *("int64", "int8", "long", "short", "uint8"),
    *("get_default_dtype", "set_default_dtype", "set_printoptions"),
    *("e", "inf", "nan", "newaxis", "pi"),
    # Making and describing them
    *creation.__all__,
    *conversion.__all__,
    *properties.__all__,
    # Randomness
    *("Generator", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "seed"),
    *("set_rng_state", *random.__all__),
    # Operations
    *activation.__all__,
    *elementwise.__all__,
    *reduction.__all__,
    *products.__all__,
    *decompositions.__all__,
    *norms.__all__,
    *special_functions.__all__,
    *("linalg", "special"),
    # Shapes, indexing, selection, sorting
    *shape.__all__,
    *selection.__all__,
    *methods.FUNCTIONS,
    # Derivatives
    *("autograd", "enable_grad", "func", "inference_mode", "is_anomaly_enabled"),
    *("is_grad_enabled", "is_inference_mode_enabled", "no_grad", "overwrite", "set_grad_enabled"),
    *("tape", "vmap"),
    # Compiling
    *("compile", "get_num_threads", "host", "set_num_threads"),
    # Elsewhere
    *("cuda", "load", "save", "utils"),
]

# log(0) is -inf without a word, as in PyTorch. A filter costs an operation nothing; np.errstate,
# 0.8 us.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"(autodiff|nn|optim)\b")
