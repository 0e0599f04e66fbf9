"""Expressions evaluated here and by PyTorch, compared in all that a program could notice."""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autodiff

SHAPES = {
    "s": (),
    "u": (3,),
    "v": (3,),
    "w": (4,),
    "x": (2, 3),
    "y": (2, 3),
    "q": (3, 4),
    "m": (3, 3),
    "b": (2, 3, 3),
    "c": (5, 3, 4),
    "z": (2, 3, 4),
    "one": (1, 3),
    "e": (0, 3),
}
"""Leaves of float64 that the expressions may use, by name."""

CONSTANTS = {
    "ints": np.array([[0, 1, 2], [3, 4, 5]]),
    "ints32": np.array([[1, 2, 3], [4, 5, 6]], np.int32),
    "mask": np.array([[True, False, True], [False, False, True]]),
    "row": np.array([True, False, True]),
    "floats": np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]], np.float32),
    "odd": np.array([1.0, np.nan, -1.0, np.inf, 0.0]),
}
"""Other tensors."""


def listed(*groups: str) -> list[str]:
    """The expressions in texts that part them by semicolons."""
    return [e.strip() for group in groups for e in group.split(";") if e.strip()]


def evaluated(library: ModuleType, expression: str) -> tuple[list[Any], dict[str, Any]]:
    """What an expression gives, as a flat list, and the leaves it was given.

    Besides the tensors it may use L, the library, and T, which makes a tensor.
    """
    rng = np.random.default_rng(0)
    leaves = {
        name: library.tensor(rng.standard_normal(shape)).requires_grad_()
        for name, shape in SHAPES.items()
    }
    leaves["ties"] = library.tensor(np.array([[2.0, 1.0, 2.0], [0.0, 0.0, 1.0]])).requires_grad_()
    constants = {name: library.tensor(array) for name, array in CONSTANTS.items()}

    def T(data: Any) -> Any:
        return library.tensor(np.asarray(data))

    names = {**leaves, **constants, "L": library, "T": T, "np": np}
    return flat(eval(expression, names)), leaves


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [item for part in result for item in flat(part)]
    return [result]


def is_tensor(value: Any) -> bool:
    return hasattr(value, "requires_grad")


def derivatives(library: ModuleType, results: list[Any], leaves: dict[str, Any]) -> list[dict]:
    """Derivatives of first and second order by the leaves, of a cubic function of the results.

    Fewer, where PyTorch refuses them.
    """
    rng = np.random.default_rng(1)
    found: list[dict] = []
    terms = [r for r in results if is_tensor(r) and r.requires_grad]
    while terms and len(found) < 2:
        total = sum(
            (t ** (1 if found else 3) * library.tensor(rng.standard_normal(tuple(t.shape)))).sum()
            for t in terms
        )
        try:
            gradients = library.autograd.grad(
                total, list(leaves.values()), create_graph=True, allow_unused=True
            )
        except RuntimeError:
            if library is autodiff:
                raise
            break
        terms = [g for g in gradients if g is not None and g.requires_grad]
        numbers = [0.0 if g is None else g.detach().numpy() for g in gradients]
        found.append(dict(zip(leaves, numbers, strict=True)))
    return found


def check_like_torch(
    torch: ModuleType,
    expression: str,
    *,
    views: bool = False,
    evaluated: Callable[[ModuleType, str], tuple[list, dict]] = evaluated,
) -> None:
    """Values, shapes, dtypes, derivatives and refusals, and with `views` what shares memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs, their_leaves = evaluated(torch, expression)
        except Exception as refusal:
            with pytest.raises(Exception) as caught:
                evaluated(autodiff, expression)
            kinds = (caught.type, type(refusal))
            assert issubclass(*kinds) or issubclass(*kinds[::-1]), f"{kinds}: {caught.value}"
            return
        ours, our_leaves = evaluated(autodiff, expression)
        for a, b in zip(ours, theirs, strict=True):
            if is_tensor(b):
                check_equal(a, b)
                assert not views or (a._base is None) == (b._base is None)
            else:
                assert a == b
        # PyTorch's may be shorter, but not ours.
        for mine, other in zip(
            derivatives(autodiff, ours, our_leaves),
            derivatives(torch, theirs, their_leaves),
            strict=False,
        ):
            for name, g in mine.items():
                check_close(*np.broadcast_arrays(g, other[name]), name)


def check_equal(ours: Any, theirs: Any) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).rpartition(".")[2] == str(theirs.dtype).rpartition(".")[2]
    assert ours.requires_grad == theirs.requires_grad
    check_close(ours.detach().numpy(), theirs.detach().numpy())


def check_close(ours: Any, theirs: Any, name: str = "") -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-10, err_msg=name)
