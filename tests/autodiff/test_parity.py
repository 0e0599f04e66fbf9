"""Every operation against PyTorch, over the calls that parity.py lists."""

import re
import warnings
from functools import reduce
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autodiff
from tests.autodiff.parity import SAMPLES, Call

ALIASES = {
    **{"abs": "absolute", "acos": "arccos", "asin": "arcsin", "atan": "arctan", "atan2": "arctan2"},
    **{
        "clamp": "clip",
        "div": "divide",
        "ge": "greater_equal",
        "gt": "greater",
        "le": "less_equal",
    },
    **{"lt": "less", "mul": "multiply", "ne": "not_equal", "neg": "negative", "sign": "sgn"},
    **{"sub": "subtract", "trunc": "fix", "cat": "concat concatenate", "movedim": "moveaxis"},
    **{"outer": "ger", "transpose": "swapdims", "vstack": "row_stack"},
}
"""PyTorch's other names for the same operation."""

DIFFERENT = {
    r"(logical_\w+|eq|ne|lt|le|gt|ge|not_equal|less\w*|greater\w*)_\(.* (deriv|requires_g)": (
        "PyTorch leaves the gradient of what was overwritten; it is 0"
    ),
    r"(var|std|std_mean|var_mean)\(x, \(\).* derivative": (
        "PyTorch's gradient for dim=() has another factor"
    ),
    r"var(_mean)?\(x, correction=9.* derivative": "PyTorch says inf for 0/0, here it has its sign",
    r"scatter_reduce_?\(.*'prod', include_self=False.* derivative": (
        "PyTorch has a gradient also for elements of the source that are not used"
    ),
    r"cum(sum|prod)_\(x, 0; x=bool\[\]\)": "PyTorch writes int64 into a bool without axes",
    r"float_power_\(.* expected RuntimeError: the base given to float_power_ has dtype": (
        "a float64 result is written into narrower floats, as by other in-place forms"
    ),
    r"(fill|zero)_\(.*x=f64\[3,2\]E": "PyTorch fills expanded tensors",
}
"""Calls that give another result than PyTorch's, and why."""

UNDIFFERENTIATED = (
    "not implemented",
    "invalid gradient",
    "must match the size",
    "modified by an inplace operation",
    "Subtraction, the `-` operator",
    "INTERNAL ASSERT FAILED",
)
"""What PyTorch says where it has no derivative, or fails to compute it."""

UNDONE = ("not implemented for", "Autograd not support")
"""What it says of dtypes that its kernels lack, and ours may have."""

DTYPE_NAMES = ("float", "long", "bool", "double", "half", "int")
UNFILLED = ("empty", "empty_like", "new_empty")
RANDOM = """
rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal
bernoulli_ normal_ uniform_ exponential_ random_
""".split()
VIEWS = """
__getitem__ broadcast_to chunk clone contiguous diag diagonal expand expand_as flatten flip mT
moveaxis movedim narrow permute repeat reshape reshape_as roll select split squeeze swapaxes
swapdims T t tensor_split tile transpose unbind unflatten unfold unsqueeze view view_as
""".split()
"""What gives a view where PyTorch does."""
TOLERANCES = {"float64": 1e-9, "float32": 1e-5, "float16": 4e-3}


@pytest.mark.parametrize("name", SAMPLES)
def test_operations_are_those_of_pytorch(name: str, torch: ModuleType):
    found = disagreements(torch, name)
    assert not found, "\n".join([f"{len(found)} disagreements", *found])


@pytest.mark.parametrize("name", SAMPLES)
def test_operations_have_samples(name: str):
    assert len(SAMPLES[name]) >= 20


def disagreements(torch: ModuleType, name: str) -> list[str]:
    """What differs in any form of an operation, but for what DIFFERENT explains."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for form, spelling in forms(torch, name):
            for call in SAMPLES[name]:
                if call.form in ("", form[0]):
                    what = disagreement(torch, call, form, spelling)
                    line = f"{spelling}({call}): {what}"
                    if what and not any(re.match(pattern, line) for pattern in DIFFERENT):
                        found.append(f"{form} {line:.400}")
    return found


def forms(torch: ModuleType, name: str) -> list[tuple[str, str]]:
    """How PyTorch lets an operation be called: "function" or "method", and the name of that."""
    found = []
    for spelling in [name, *ALIASES.get(name, "").split()]:
        if spelling not in DTYPE_NAMES and attribute(torch, spelling):
            found.append(("function", spelling))
        names = (spelling,) if spelling.endswith("_") else (spelling, f"{spelling}_")
        found += [("method", n) for n in names if hasattr(torch.Tensor, n)]
    return found


def attribute(library: ModuleType, path: str) -> Any:
    return reduce(lambda found, part: getattr(found, part, None), path.split("."), library)


def disagreement(torch: ModuleType, call: Call, form: str, name: str) -> str | None:
    """In what the libraries differ, None if in nothing."""
    try:
        theirs, their_leaves = outcome(torch, call, form, name)
    except Exception as refusal:
        if any(text in str(refusal) for text in UNDONE):
            return None
        expected = f"expected {type(refusal).__name__}: {str(refusal).partition(chr(10))[0]}"
        try:
            ours, _ = outcome(autodiff, call, form, name)
        except Exception as error:
            if isinstance(error, type(refusal)) or isinstance(refusal, type(error)):
                return None
            return f"{type(error).__name__}: {error}, {expected}"
        return f"gave {[getattr(x, 'shape', x) for x in ours]}, {expected}"
    try:
        ours, our_leaves = outcome(autodiff, call, form, name)
        check_results(ours, theirs, name)
        if name not in UNFILLED and name not in RANDOM and any(map(is_tensor, theirs)):
            check_derivatives(torch, (ours, our_leaves), (theirs, their_leaves))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def outcome(library: ModuleType, call: Call, form: str, name: str) -> tuple[list[Any], list[Any]]:
    """The results, which for an in-place form are the tensor written to, and the leaves."""
    written = form == "method" and name.endswith("_") and not name.endswith("__")
    args, keywords, leaves = call.arguments(library, copied=written)
    if form == "function":
        function = attribute(library, name)
        assert function, f"no function {name}"
        return flat(function(*args, **keywords)), leaves
    self, *args = args
    method = getattr(library.Tensor, name, None)
    assert method, f"no method {name}"
    if not is_tensor(self):
        raise TypeError("a method of something else")
    if name in ("T", "mT"):
        return [getattr(self, name)], leaves
    result = method(self, *args, **keywords)
    assert not written or result is self
    return flat(result), leaves


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)) and not hasattr(result, "numel"):
        return [item for part in result for item in flat(part)]
    return [result]


def is_tensor(value: Any) -> bool:
    return hasattr(value, "requires_grad")


def dtype_of(x: Any) -> str:
    return str(x.dtype).rpartition(".")[2]


def check_results(ours: list[Any], theirs: list[Any], name: str) -> None:
    assert len(ours) == len(theirs), f"{len(ours)} results, expected {len(theirs)}"
    for a, b in zip(ours, theirs):
        if not is_tensor(b):
            kinds = type(a).__name__ == type(b).__name__
            assert kinds and (a == b or a != a), f"{a!r}, expected {b!r}"
            continue
        assert dtype_of(a) == dtype_of(b), f"dtype {a.dtype}, expected {b.dtype}"
        if name in VIEWS:
            assert (a._base is None) == (b._base is None), f"a view: {a._base is not None}"
        assert tuple(a.shape) == tuple(b.shape), f"shape {a.shape}, expected {b.shape}"
        if name != "unique" and name not in RANDOM:  # PyTorch records them, but without derivative
            assert a.requires_grad == b.requires_grad, f"requires_grad {a.requires_grad}"
        if name not in UNFILLED and name not in RANDOM:
            check_close(a, b, TOLERANCES.get(dtype_of(b), 0))


def check_close(ours: Any, theirs: Any, tolerance: float, known: Any = True) -> None:
    """Where `known`."""
    a, b = (np.asarray(x.detach().numpy(force=True)) for x in (ours, theirs))
    wrong = known & ~np.isclose(a, b, tolerance, tolerance, equal_nan=True)
    if np.any(wrong):
        raise AssertionError(f"{a[wrong].tolist()[:4]}, expected {b[wrong].tolist()[:4]}")


def check_derivatives(torch: ModuleType, ours: tuple, theirs: tuple) -> None:
    """Those of first order, and if all results are finite floats of float64 of second."""
    finite = all(np.isfinite(b.detach().numpy()).all() for b in theirs[0] if is_tensor(b))
    orders = 2 if finite else 1
    leaves = [x for x in ours[1] if x.requires_grad]
    dtypes = {dtype_of(x) for x in [*leaves, *ours[0]] if is_tensor(x)}
    tolerance = 100 * max(TOLERANCES.get(d, 0) for d in dtypes)
    pairs = zip(derivatives(autodiff, *ours, orders), derivatives(torch, *theirs, orders))
    for order, (mine, other) in enumerate(pairs, 1):
        for leaf, a, b in zip(leaves, mine, other):
            assert dtype_of(a) == dtype_of(b), f"a gradient of {a.dtype}, expected {b.dtype}"
            if order == 1 or dtype_of(leaf) == "float64":
                known = ~np.isnan(b.detach().numpy(force=True)) & ~np.isnan(leaf.detach().numpy())
                try:
                    check_close(a, b, tolerance, known)
                except AssertionError as error:
                    raise AssertionError(f"derivative of order {order}: {error}") from None


def derivatives(
    library: ModuleType, results: list[Any], leaves: list[Any], orders: int
) -> list[list[Any]]:
    """Gradients of a function of the results, and of these; fewer if PyTorch refuses."""
    rng = np.random.default_rng(1)
    leaves = [x for x in leaves if x.requires_grad]
    terms = [r for r in results if is_tensor(r)]
    found: list[list[Any]] = []
    while leaves and len(found) < orders and any(t.requires_grad for t in terms):
        total: Any = 0.0
        for t in terms:
            weight = library.tensor(rng.uniform(0.5, 1.5, tuple(t.shape)))
            if t.requires_grad:
                weight = weight.to(t.dtype)
                total = total + (t * (weight if len(found) == orders - 1 else t * weight)).sum()
        try:
            gradients = library.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
        except RuntimeError as error:
            if library is autodiff or not any(text in str(error) for text in UNDIFFERENTIATED):
                raise
            break
        zeros = [library.zeros(tuple(x.shape), dtype=x.dtype) for x in leaves]
        terms = [zero if g is None else g for g, zero in zip(gradients, zeros)]
        found.append(terms)
    return found
