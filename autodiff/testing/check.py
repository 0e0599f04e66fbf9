"""check_gradients and check_derivative: gradients compared with derivatives of the values.

The outputs, weighted at random and summed, are a function S of each argument alone. Its derivative
along a direction d is computed from values of S, and must be the gradient times d. The second order
is the same for the derivative of S along directions of all arguments, which must first be right.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from autodiff.testing.failure import failure, mismatch
from autodiff.testing.point import SAFETY, Numeric, Point, between, index, units
from autodiff.testing.report import GradcheckError, Kink, Report, Row
from autodiff.testing.snippet import snippet
from autodiff.testing.subject import OnceDifferentiableError, PlainSubject, Subject, TensorSubject

__tracebackhide__ = True  # pytest shows the line of the test

RTOL = {"complex step": 1e-12, "differences": 1e-8}


def check_gradients(
    fn: Callable[..., Any],
    *args: Any,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    method: str = "auto",
    directions: int | Literal["all"] = 1,
    rtol: float | None = None,
    atol: float = 1e-14,
    seed: int = 0,
) -> Report:
    """Compare the derivatives of fn(*args) with numeric ones, argument by argument.

    fn: takes Tensors and gives a Tensor or nested ones: a function, a method, `apply` of a custom
        operation, a loss. A module's parameters are checked too, under their names.
    args: Tensors and arrays (which become Tensors) of floats are differentiated by, also in tuples,
        lists and dicts; everything else is passed on. They are neither moved nor marked.
    order: 1, or 2 for the derivative of a directional derivative too.
    modes: "reverse" for gradients, "forward" for func.jvp.
    method: "complex" for the complex step, exact to the last digits, for what NumPy computes with
        complex numbers too; "differences" for extrapolated central differences, which estimate
        their own error; "auto" for the first where it can be had.
    directions: in how many random directions of each argument, or "all" for every element.
    rtol, atol: allowed besides the numeric error, rtol of the sum of the sizes of the terms of
        gradient times direction; by default 1e-12 with the complex step, and 1e-8. Give a smaller
        atol where all values are tiny.
    seed: of the directions and of the weights of the outputs.

    Arguments of less than double precision are checked in float64; in their own precision the
    gradient is then compared with that in float64. Where the slopes from the left and the right
    differ, or one does not exist, the report tells of a kink, unless the gradient is not between
    them. Second derivatives of what is marked once_differentiable are left out, with a note.
    Random numbers of the default generator are drawn the same in each run.

    Raises: GradcheckError, with all that is known, at the first derivative that is wrong;
        ValueError if there is nothing to differentiate by, or for unknown modes.

    >>> from autodiff import tensor
    >>> report = check_gradients(lambda x: x.sin(), tensor([0.5, 1.0]))
    >>> report.worst < 1e-6
    True
    """
    unknown = set(modes) - {"reverse", "forward"}
    if unknown or order not in (1, 2) or method not in ("auto", "complex", "differences"):
        raise ValueError(
            f"check_gradients takes order 1 or 2, modes 'reverse' and 'forward', method 'auto', "
            f"'complex' or 'differences'; got {order=}, {modes=}, {method=}"
        )
    subject = TensorSubject(fn, args)
    try:
        check = _Check(subject, method, directions, rtol, atol, seed)
        for n in range(1, order + 1):
            for mode in modes:
                check.run(n, mode)
    except GradcheckError as error:
        options = {"order": order, "modes": tuple(modes), "method": method}
        options |= {"directions": directions, "rtol": rtol, "atol": atol, "seed": seed}
        raise _reproduced(error, check_gradients, [fn], args, options) from error.__cause__
    return check.report


def check_derivative(
    f: Callable[..., Any],
    df: Callable[..., Any],
    *args: Any,
    vjp: bool = False,
    method: str = "auto",
    directions: int | Literal["all"] = 1,
    rtol: float | None = None,
    atol: float = 1e-14,
    seed: int = 0,
) -> Report:
    """Compare a derivative written by hand with numeric ones: functions of NumPy arrays alone.

    df: df(*args) gives the gradient, or a tuple of one for each argument of floats, of the sum of
        the elements of f(*args): of a loss, or of a function that works element by element.
    vjp: df(g, *args) gives those of the sum of g * f(*args) instead, g being an array like the
        output (a tuple of them for several): the backward pass of a layer.

    The rest as in check_gradients; arrays are taken in float64.

    >>> import numpy as np
    >>> report = check_derivative(np.sin, np.cos, np.array([0.5, 1.0]))
    >>> report.worst < 1e-12
    True
    """
    doubled = tuple([_doubled(a) for a in args])
    try:
        check = _Check(PlainSubject(f, df, doubled, vjp), method, directions, rtol, atol, seed)
        check.run(1, "by hand")
    except GradcheckError as error:
        options = {"vjp": vjp, "method": method, "directions": directions}
        options |= {"rtol": rtol, "atol": atol, "seed": seed}
        raise _reproduced(error, check_derivative, [f, df], args, options) from error.__cause__
    return check.report


def _doubled(x: Any) -> Any:
    """Floats as arrays of double precision; everything else as it is."""
    is_float = isinstance(x, float) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")
    return np.array(x, np.float64) if is_float else x


def _reproduced(
    error: GradcheckError,
    check: Callable[..., Any],
    functions: Sequence[Any],
    args: tuple,
    options: dict[str, Any],
) -> GradcheckError:
    """The error with the code that makes the same call again."""
    try:
        code = snippet(check, functions, args, options)
    except Exception as problem:  # of what was passed on: the error is worth more than the code
        code = f"(there is no code for these arguments: {problem!r})"
    return GradcheckError(f"{error}\nto reproduce:\n\n{code}", error.argument, error.order)


class _Check:
    """What to compare with what, and what was found."""

    def __init__(
        self,
        subject: Subject,
        method: str,
        directions: int | Literal["all"],
        rtol: float | None,
        atol: float,
        seed: int,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.point = Point(subject, method, self.rng)
        self.directions, self.rtol, self.atol = directions, rtol, atol
        self.report = Report()

    def run(self, order: int, mode: str) -> None:
        """Compare all derivatives of one order in one mode. Raises: GradcheckError."""
        try:
            gradients = self.point.gradients(order, self.point.arrays)
            for i, name in enumerate(self.point.subject.names):
                errors: dict[str, float] = {}
                for direction in self.drawn(i):
                    found = self.compare(order, mode, i, gradients[i], direction)
                    if found is not None:
                        error, how = found
                        errors[how] = max(errors.get(how, 0.0), error)
                self.report.rows += [Row(name, order, mode, how, e) for how, e in errors.items()]
            if mode == "reverse" and self.coarse():
                self.compare_coarse(order, gradients)
        except OnceDifferentiableError as error:
            self.report.notes.append(f"order {order}, {mode} mode is left out: {error}")

    def drawn(self, i: int) -> list[np.ndarray]:
        """Directions of array i: large elements are moved further."""
        scale = np.maximum(1.0, np.abs(self.point.arrays[i]))
        if self.directions == "all":
            return [unit * scale for unit in units(scale.shape, range(scale.size))]
        return [self.rng.uniform(-1, 1, scale.shape) * scale for _ in range(int(self.directions))]

    def compare(
        self, order: int, mode: str, i: int, given: np.ndarray, direction: np.ndarray
    ) -> tuple[float, str] | None:
        """The relative error along a direction and the numeric method; None at a kink."""
        if given.shape != self.point.arrays[i].shape:
            raise self.wrong(order, mode, i, given)
        found = self.point.analytic(order, mode, i, given, direction)
        numeric = self.point.numeric(order, i, direction)
        scale = self.point.scale(order, i, direction, numeric, np.sum(np.abs(given * direction)))
        if not self.agree(found, numeric, scale) and numeric.method == "complex step":
            other = self.point.difference(order, i, direction)
            doubt = 0.1 * abs(found - numeric.value)
            if abs(found - other.value) < doubt and other.error < doubt:
                numeric = other  # a branch cut, or digits lost by complex arithmetic
        if not self.agree(found, numeric, scale):
            if not self.kinked(order, mode, i, given, direction, found):
                raise self.wrong(order, mode, i, given)
            return None
        at_kink = numeric.method == "differences" and self.point.bent(order, i, direction, scale)
        if at_kink and self.kinked(order, mode, i, given, direction, found):
            return None  # though the mean of both slopes is what is given
        apart = abs(found - numeric.value)
        return apart / (max(scale, 1e12 * self.atol) or 1.0), numeric.method

    def wrong(self, order: int, mode: str, i: int, given: np.ndarray) -> GradcheckError:
        """What to raise of the derivative by array i."""
        text = failure(self.point, order, mode, i, given)
        return GradcheckError(text, self.point.subject.names[i], order)

    def agree(self, found: float, numeric: Numeric, scale: float) -> bool:
        """Whether a derivative is the numeric one, as far as that is known."""
        if numeric.error > 1e-3 * max(scale, 1e4 * self.atol):
            return False  # it does not converge
        rtol = RTOL[numeric.method] if self.rtol is None else self.rtol
        allowed = rtol * scale + self.atol + SAFETY * numeric.error
        return bool(abs(found - numeric.value) <= allowed)

    def coarse(self) -> bool:
        """Whether all arguments are of the same dtype, one that is less than double precision."""
        kinds = {a.dtype for a in self.point.subject.arrays}
        return len(kinds) == 1 and kinds != {np.dtype(np.float64)}

    def compare_coarse(self, order: int, fine: Sequence[np.ndarray]) -> None:
        """Compare the gradients in the arguments' own precision with those in float64.

        How much they may differ is taken from what moving the arguments by rounding does to them.
        Raises: GradcheckError.
        """
        own = self.point.subject.arrays
        coarse = self.point.gradients(order, own)
        unit = float(max(np.finfo(a.dtype).eps for a in own))
        moved = [
            self.point.gradients(
                order,
                [a * (1 + unit * self.rng.uniform(-1, 1, a.shape)) for a in self.point.arrays],
            )
            for _ in range(3)
        ]
        for i, (name, array) in enumerate(zip(self.point.subject.names, own, strict=True)):
            finite = np.isfinite(fine[i])
            spread = max(float(np.max(np.abs(g[i] - fine[i])[finite], initial=0)) for g in moved)
            size = float(np.max(np.abs(fine[i][finite]), initial=0))
            allowed = 200 * unit * size + SAFETY * spread + self.atol
            with np.errstate(invalid="ignore"):
                apart = np.abs(coarse[i].astype(np.float64) - fine[i])
            apart[~np.isfinite(fine[i]) & ~np.isfinite(coarse[i])] = 0.0
            error = float(np.max(apart, initial=0)) / (size or 1.0)
            if not np.all(apart <= allowed):
                k = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
                pair = float(coarse[i].reshape(-1)[k]), float(fine[i].reshape(-1)[k])
                place = index(k, apart.shape)
                raise GradcheckError(
                    f"{mismatch(name, order, 'reverse', place, *pair)}\n"
                    f"likely cause: digits are lost in {array.dtype}, for it is right in float64",
                    name,
                    order,
                )
            self.report.rows.append(Row(name, order, str(array.dtype), "float64 run", error))

    def kinked(
        self, order: int, mode: str, i: int, given: np.ndarray, direction: np.ndarray, found: float
    ) -> bool:
        """Whether kinks explain what does not agree; then they are in the report.

        Every element must be right, or at a kink and between the slopes on its sides.
        """
        kinks: list[tuple] = []
        if not np.isfinite(self.point.line(order, i, direction)(0.0)):
            self.note_kink(order, i, None, np.nan, np.nan, found)
            return True
        along = self.point.slopes(order, i, direction)
        if along is None or not between(found, *along):
            return False
        elements = self.point.elements(i)
        for k, unit in zip(elements, units(given.shape, elements), strict=True):
            of_element = self.point.analytic(order, mode, i, given, unit)
            numeric = self.point.difference(order, i, unit)
            scale = self.point.scale(order, i, unit, numeric, abs(of_element))
            right = self.agree(of_element, numeric, scale)
            if right and not self.point.bent(order, i, unit, scale):
                continue
            slopes = self.point.slopes(order, i, unit)
            if slopes is not None and between(of_element, *slopes):
                kinks.append((index(k, given.shape), *slopes, of_element))
                continue
            spoilt = mode == "forward" and np.isnan(of_element) and not np.all(np.isfinite(given))
            if not right and not spoilt:  # by 0 times the nan of another element
                return False
        for element, left, right, value in kinks or [(None, *along, found)]:
            self.note_kink(order, i, element, left, right, value)
        return True

    def note_kink(
        self, order: int, i: int, element: tuple | None, left: float, right: float, given: float
    ) -> None:
        """Put a kink in the report, once for all modes and directions."""
        kink = Kink(self.point.subject.names[i], order, element, left, right, given)
        place = (kink.argument, order, element)
        if place not in [(k.argument, k.order, k.element) for k in self.report.kinks]:
            self.report.kinks.append(kink)
