"""property_gradients: a function of tensors becomes a test of its gradients."""

import functools
import inspect
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from autodiff.tensor import Tensor
from autodiff.testing.check import check_gradients
from autodiff.testing.strategies import broadcastable, tensors

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "property-based tests need hypothesis, which is not installed: pip install 'tapegrad[test]'"
    ) from error

Drawn = str | st.SearchStrategy[Any]


def property_gradients(
    *arguments: Drawn,
    positive: bool = False,
    max_examples: int | None = None,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    method: str = "auto",
    **named: Drawn,
) -> Callable[[Any], Callable[..., None]]:
    """A decorator that makes of a function of tensors a test of its gradients for pytest.

    Hypothesis draws the arguments, `check_gradients` checks the result, and what fails is shrunk
    to the smallest shapes and simplest values. A module is tested too, its parameters included.

    arguments, named: what to draw for the parameters of the function, by position or by name: a
        strategy, or a template of a shape for a tensor of float64 (see strategies.template). If
        none is given, the parameters without default get tensors that broadcast together. Other
        parameters are left to pytest: self, fixtures, parametrize.
    positive: draw tensors, where no strategy is given, above 0: for log, sqrt, and the like.
    max_examples: how many, unless Hypothesis's profile is to say it.
    order, modes, method: as in check_gradients.
    Raises: TypeError for arguments that the function does not have, or if it has none to draw.

    >>> @property_gradients(x="N C", target="C")
    ... def test_distance(x, target):
    ...     return ((x - target) ** 2).sum(-1)
    >>> test_distance()
    """

    def decorate(fn: Any) -> Callable[..., None]:
        is_module = hasattr(fn, "named_parameters")
        signature = inspect.signature(fn.forward if is_module else fn)
        strategies = _strategies(fn, signature, arguments, named, positive)

        @functools.wraps(fn)
        def test(*args: Any, **kwargs: Any) -> None:
            others = signature.bind(*args, **kwargs).arguments
            drawn = {name: others.pop(name) for name in strategies}
            for name, x in drawn.items():
                if isinstance(x, Tensor) and not x.is_contiguous():
                    hypothesis.note(f"{name}: shape {tuple(x.shape)}, strides {x.stride()}")
            subject = fn if is_module else _bound(fn, list(drawn), others)
            check_gradients(subject, *drawn.values(), order=order, modes=modes, method=method)

        left = [
            p.replace(default=p.empty)
            for name, p in signature.parameters.items()
            if name in strategies or p.default is p.empty
        ]
        test.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        test.__name__ = _name(fn)
        chosen: dict[str, Any] = {} if max_examples is None else {"max_examples": max_examples}
        return hypothesis.settings(deadline=None, phases=_phases(), **chosen)(
            hypothesis.given(**strategies)(test)
        )

    return decorate


def _phases() -> list[hypothesis.Phase]:
    """Those of the profile, less one that makes 400 checks of what the others find with 11."""
    return [p for p in hypothesis.settings().phases if p is not hypothesis.Phase.explain]


def _strategies(
    fn: Any,
    signature: inspect.Signature,
    arguments: tuple[Drawn, ...],
    named: dict[str, Drawn],
    positive: bool,
) -> dict[str, st.SearchStrategy[Any]]:
    """What to draw, by the names of the parameters, in their order."""
    parameters = {name: p for name, p in signature.parameters.items() if name != "self"}
    given = dict(zip(parameters, arguments)) | named
    if len(given) != len(arguments) + len(named) or given.keys() - parameters.keys():
        raise TypeError(
            f"property_gradients got strategies for {len(arguments)} arguments and for "
            f"{sorted(named)}, but {_name(fn)} takes {list(parameters)}"
        )
    if given:
        in_order = [(name, given[name]) for name in parameters if name in given]
        return {
            name: tensors(drawn, positive=positive) if isinstance(drawn, str) else drawn
            for name, drawn in in_order
        }
    names = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if not names:
        raise TypeError(
            f"property_gradients finds no arguments to draw: {_name(fn)} takes {signature}; give "
            "strategies or templates"
        )
    together = st.shared(broadcastable(len(names), min_side=1, max_dims=3), key=tuple(names))
    return {
        name: tensors(together.map(itemgetter(i)), positive=positive)
        for i, name in enumerate(names)
    }


def _bound(fn: Any, names: Sequence[str], others: dict[str, Any]) -> Any:
    """fn, given the others, as a function of the named arguments in this order."""

    @functools.wraps(fn)
    def bound(*drawn: Any) -> Any:
        return fn(**others, **dict(zip(names, drawn, strict=True)))

    kind = inspect.Parameter.POSITIONAL_ONLY
    parameters = [inspect.Parameter(name, kind) for name in names]
    bound.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return bound


def _name(fn: Any) -> str:
    return getattr(fn, "__name__", type(fn).__name__)
