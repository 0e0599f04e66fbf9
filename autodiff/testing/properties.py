"""property_gradients: a function of tensors becomes a test of its gradients."""

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from autodiff.tensor import Tensor
from autodiff.testing.check import check_gradients
from autodiff.testing.report import GradcheckError
from autodiff.testing.strategies import broadcastable, tensors
from autodiff.testing.subject import Bound

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "property-based tests need hypothesis, which is not installed: pip install 'tapegrad[test]'"
    ) from error

__tracebackhide__ = True

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
    to the smallest shapes and simplest values: each argument and order on its own, as errors in an
    ExceptionGroup, if examples fail in several. A module is tested too, its parameters included.

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
        user = sys._getframe(1)
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
            subject = fn if is_module else Bound(fn, list(drawn), others)
            try:
                check_gradients(subject, *drawn.values(), order=order, modes=modes, method=method)
            except GradcheckError as error:
                kind = _kind(error.argument, error.order)
                raise kind(str(error), error.argument, error.order) from error.__cause__

        left = [
            p.replace(default=p.empty)
            for name, p in signature.parameters.items()
            if name in strategies or p.default is p.empty
        ]
        test.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        test.__name__ = _name(fn)
        chosen: dict[str, Any] = {} if max_examples is None else {"max_examples": max_examples}
        property_test = hypothesis.given(**strategies)(test)
        # Where pytest is to say that it failed; the second line of this code raises.
        property_test.__code__ = property_test.__code__.replace(
            co_filename=user.f_code.co_filename, co_firstlineno=user.f_lineno - 1
        )
        return hypothesis.settings(deadline=None, phases=_phases(), **chosen)(property_test)

    return decorate


@functools.cache
def _kind(argument: str, order: int) -> type[GradcheckError]:
    """A type of error for each derivative.

    What is of one type and raised in one line is one fault to Hypothesis, which would shrink a
    wrong first derivative to an example where only the second is wrong.
    """
    return type("GradcheckError", (GradcheckError,), {"__module__": GradcheckError.__module__})


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
    wrong = [f"it has no parameter {name!r}" for name in named if name not in parameters]
    wrong += [
        f"{name!r} is given by position and by name"
        for name in named
        if name in list(parameters)[: len(arguments)]
    ]
    if len(arguments) > len(parameters):
        wrong.append(f"{len(arguments)} are given by position")
    wrong += [
        f"{name}={drawn!r} is neither a strategy nor a template such as 'N C'"
        for name, drawn in given.items()
        if not isinstance(drawn, (str, st.SearchStrategy))
    ]
    if wrong:
        takes = ", ".join(parameters) or "nothing"
        raise TypeError(
            f"property_gradients cannot draw arguments for {_name(fn)}, which takes {takes}: "
            f"{'; '.join(wrong)}"
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


def _name(fn: Any) -> str:
    return getattr(fn, "__name__", type(fn).__name__)
