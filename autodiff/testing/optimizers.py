"""check_optimizer: what every optimiser keeps, whatever its rule."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autodiff.composed.creation import tensor
from autodiff.tensor import Tensor

__tracebackhide__ = True

SHAPES = ((), (3,), (2, 3))
"""Of the parameters that are optimised."""

RTOL = 1e-10
"""How far runs that should be equal may be apart: BLAS rounds as memory is aligned."""


def check_optimizer(
    make: Callable[[list], Any],
    *,
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Check that an optimiser keeps what users of PyTorch's optimisers rely on.

    - zero_grad() forgets the gradients.
    - Where all gradients are zero, the parameters stay, or shrink (weight decay).
    - On a convex quadratic the first step goes downhill, and the last ends lower.
    - Parameters without a gradient stay.
    - Parameters keep their shape and dtype.
    - step(closure) does what step() does after the closure, and gives the closure's loss.
    - A closure that fails, and a state dict of other parameters, change nothing.
    - A state dict continues the run in another optimiser, with the options of that time.
    - Each parameter group moves as if it were alone, by an "lr" of its own. (Not asked of what
      refuses several groups by a ValueError that says so.)

    make: makes the optimiser of a list of parameters or of parameter groups. It is taken for what
        it offers: `step`, `zero_grad`, `param_groups`, `state_dict` and `load_state_dict`, as in
        PyTorch. If its step needs a closure, it is always given one.
    steps: of most runs.
    seed: of the quadratics, whose curvatures lie in [0.1, 1], and of where a run starts.
    Raises: AssertionError for the first of these that does not hold, saying what happened, and
        what the cause may be; whatever the optimiser raises, with a note on what was tried.

    >>> import optim
    >>> check_optimizer(lambda params: optim.SGD(params, lr=0.1, momentum=0.5))
    """
    if not callable(make):
        raise TypeError(
            "check_optimizer takes what makes an optimiser, as lambda params: SGD(params, lr=0.1); "
            f"got {type(make).__name__}"
        )
    laws = [_zero_grad, _fixed_point, _downhill, _descent, _without_gradient, _form, _closure]
    laws += [_failing_closure, _foreign_state, _continuation, _groups]
    problem = _Problem(make, steps, seed)
    for law in laws:
        try:
            complaint = law(problem)
        except Exception as error:
            error.add_note(f"while check_optimizer tried: {law.__doc__}")
            raise
        if complaint:
            what, cause = complaint
            raise AssertionError(f"{law.__doc__}\nBut {what}.\nlikely cause: {cause}")


class _Problem:
    """Quadratics to optimise, a loss ½ (p - c)ᵀ A (p - c) for each parameter p."""

    def __init__(self, make: Callable[[list], Any], steps: int, seed: int) -> None:
        self.make, self.steps = make, steps
        rng = np.random.default_rng(seed)
        self.starts = [rng.choice([-1, 1], shape) * rng.uniform(1, 2, shape) for shape in SHAPES]
        self.lowest = [rng.uniform(-0.5, 0.5, shape) for shape in SHAPES]
        self.curvatures = [_curvature(rng, start.size) for start in self.starts]

    def parameters(self, dtype: Any = np.float64) -> list[Tensor]:
        """New ones where a run starts."""
        return [tensor(start.astype(dtype), requires_grad=True) for start in self.starts]

    def loss(self, params: Iterable[Tensor]) -> Tensor:
        """The sum of the losses of the first parameters, which may be fewer than all."""
        total = tensor(0.0)
        for p, lowest, curvature in zip(params, self.lowest, self.curvatures):
            away = (p - tensor(lowest, dtype=p.dtype)).reshape(-1)
            total = total + 0.5 * (away @ tensor(curvature, dtype=p.dtype) @ away)
        return total

    def run(
        self, optimizer: Any, loss: Callable[[], Tensor], steps: int | None = None
    ) -> list[np.ndarray]:
        """The parameters after that many steps."""
        for _ in range(self.steps if steps is None else steps):
            closure = _evaluation(optimizer, loss)
            if _closure_is(optimizer, "needed"):
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
        return _values(p for group in optimizer.param_groups for p in group["params"])

    def descend(
        self, optimizer: Any, params: list[Tensor], steps: int | None = None
    ) -> list[np.ndarray]:
        """The parameters after that many steps down the quadratics of `params`."""
        return self.run(optimizer, lambda: self.loss(params), steps)


def _curvature(rng: np.random.Generator, n: int) -> np.ndarray:
    """A symmetric matrix with eigenvalues in [0.1, 1]."""
    axes, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return axes * rng.uniform(0.1, 1, n) @ axes.T


def _evaluation(optimizer: Any, loss: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A closure for step()."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        result = loss()
        result.backward()
        return result

    return closure


def _closure_is(optimizer: Any, what: str) -> bool:
    """Whether a closure is "needed" by step(), or else "taken"."""
    parameters = inspect.signature(optimizer.step).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return bool(needed if what == "needed" else parameters)


def _values(params: Iterable[Any]) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in params]


def _plain(x: Any) -> Any:
    """State as numbers and strings, which == compares."""
    if isinstance(x, dict):
        return {key: _plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(value) for value in x]
    return np.array(x.detach() if isinstance(x, Tensor) else x).tolist()


def _change(before: Any, after: Any, place: str = "state_dict()") -> str | None:
    """The first change of plain state."""
    if before == after:
        return None
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        changes = [_change(before[key], after[key], f"{place}[{key!r}]") for key in before]
        return next(change for change in changes if change)
    return f"{place} went from {before} to {after}"


def _same(some: list[np.ndarray], others: list[np.ndarray], apart: float = RTOL) -> bool:
    return all(np.allclose(a, b, apart, apart) for a, b in zip(some, others, strict=True))


def _moved(before: list[np.ndarray], after: list[np.ndarray]) -> str:
    """Which element moved furthest, and how far."""
    old, new, place = _furthest(before, after)
    return f"{place} moved by {new - old:+.3g} from {old:.6g}"


def _apart(some: list[np.ndarray], others: list[np.ndarray], one: str, other: str) -> str:
    """Which element differs most between two runs, and by how much."""
    a, b, place = _furthest(some, others)
    return f"{place} is {a:.6g} {one}, and {other} {abs(b - a):.3g} {'more' if b > a else 'less'}"


def _furthest(some: list[np.ndarray], others: list[np.ndarray]) -> tuple[float, float, str]:
    far = [np.max(np.abs(b - a)) for a, b in zip(some, others, strict=True)]
    n = int(np.argmax(far))
    a, b = some[n], others[n]
    k = np.unravel_index(np.argmax(np.abs(b - a)), a.shape)
    where = f"element {tuple(map(int, k))} of " if a.ndim else ""
    return float(a[k]), float(b[k]), f"{where}the parameter of shape {a.shape}"


# The laws: each gives what happened instead and its likely cause, or None

Complaint = tuple[str, str] | None


def _zero_grad(problem: _Problem) -> Complaint:
    """zero_grad() forgets the gradients."""
    params = problem.parameters()
    optimizer = problem.make(params)
    problem.loss(params).backward()
    optimizer.zero_grad()
    for p in params:
        if p.grad is not None and bool((p.grad != 0).any()):
            what = f"that of the parameter of shape {tuple(p.shape)} is left"
            return what, "zero_grad() does not reach it, or is overridden"
    return None


def _fixed_point(problem: _Problem) -> Complaint:
    """Where all gradients are zero, the parameters stay, or shrink (weight decay)."""
    params = problem.parameters()
    before = _values(params)
    after = problem.run(
        problem.make(params), lambda: sum(((0 * p).sum() for p in params), tensor(0.0))
    )
    ratios = [new / old for old, new in zip(before, after, strict=True)]
    wrong = [
        np.where((ratio >= 0) & (ratio <= 1), old, new)
        for ratio, old, new in zip(ratios, before, after, strict=True)
    ]
    if _same(wrong, before, 0):
        return None
    cause = "something is added to the step that is not a multiple of the gradient"
    if all(np.all(ratio > 1) for ratio in ratios):
        cause = "the sign of the weight decay is flipped, for all grow"
    return f"after {problem.steps} steps {_moved(before, wrong)}", cause


def _downhill(problem: _Problem) -> Complaint:
    """The first step goes downhill in each parameter."""
    params = problem.parameters()
    before = _values(params)
    problem.loss(params).backward()
    slopes = _values(p.grad for p in params)
    after = problem.descend(problem.make(params), params, 1)
    rises = [float(np.sum((b - a) * g)) for a, b, g in zip(before, after, slopes, strict=True)]
    for old, new, slope, rise in zip(before, after, slopes, rises, strict=True):
        if rise < 0:
            continue
        if np.all(new == old):
            what = f"the parameter of shape {old.shape} does not move"
            return what, "the new value is not written to it, in place under no_grad()"
        cause = "the sign of the step is flipped, for all parameters go uphill"
        if not all(r > 0 for r in rises):
            cause = "what is special about this one: its shape, or its place in the list"
        k = np.unravel_index(np.argmax(np.abs(new - old)), old.shape)
        return f"{_moved([old], [new])}, where the gradient is {float(slope[k]):.6g}", cause
    return None


def _descent(problem: _Problem) -> Complaint:
    """On a convex quadratic the loss is lower in the end."""
    params = problem.parameters()
    before = problem.loss(params).item()
    problem.descend(problem.make(params), params)
    after = problem.loss(params).item()
    if not after < before:
        what = f"it went from {before:.6g} to {after:.6g} in {problem.steps} steps"
        return what, "the steps are too long; curvatures are at most 1, which suits an lr up to 1"
    return None


def _without_gradient(problem: _Problem) -> Complaint:
    """Parameters without a gradient stay, and the others move."""
    params = problem.parameters()
    before = _values(params)
    after = problem.descend(problem.make(params), params[:-1])
    if np.any(after[-1] != before[-1]):
        what = f"without a gradient {_moved(before[-1:], after[-1:])}"
        return what, "weight decay or momentum reaches parameters whose grad is None"
    for old, new in zip(before[:-1], after[:-1], strict=True):
        if np.all(old == new):
            what = f"beside one without a gradient, that of shape {old.shape} does not move"
            return what, "a grad of None ends the step, not just that of its parameter"
    return None


def _form(problem: _Problem) -> Complaint:
    """Parameters keep their shape and dtype, and stay finite leaves that require grad."""
    for dtype in np.float32, np.float64:
        params = problem.parameters(dtype)
        problem.descend(problem.make(params), params)
        for p, shape in zip(params, SHAPES, strict=True):
            array = p.detach().numpy()
            what = f"one of {np.dtype(dtype)} and shape {shape} became"
            if (array.dtype, array.shape) != (dtype, shape):
                cause = "state or numbers of another dtype or shape enter; zeros_like(p) has p's"
                return f"{what} {array.dtype} and {array.shape}", cause
            if not (p.is_leaf and p.requires_grad):
                cause = "the step is recorded; write in place under no_grad()"
                return f"{what} no leaf that requires grad", cause
            if not np.all(np.isfinite(array)):
                return f"{what} nan or infinite", "something is divided by 0; add an eps to it"
    return None


def _closure(problem: _Problem) -> Complaint:
    """step(closure) does what step() does after the closure, and gives the closure's loss."""
    straight, params = problem.parameters(), problem.parameters()
    optimizer = problem.make(params)
    if _closure_is(optimizer, "needed") or not _closure_is(optimizer, "taken"):
        return None
    for _ in range(problem.steps):
        expected = problem.loss(params).item()
        given = optimizer.step(_evaluation(optimizer, lambda: problem.loss(params)))
        if given is None:
            return "it gave None", "step() does not return what the closure gave"
        if float(given) != expected:
            what = f"it gave {float(given):.6g} where the loss is {expected:.6g}"
            return what, "step() returns another loss than that of its first evaluation"
    expected_values = problem.descend(problem.make(straight), straight)
    if not _same(_values(params), expected_values):
        what = _apart(expected_values, _values(params), "without a closure", "with one")
        return what, "with a closure step() moves more than once, or not at all"
    return None


def _failing_closure(problem: _Problem) -> Complaint:
    """A closure that fails at once changes nothing, and its error is raised."""
    params = problem.parameters()
    optimizer = problem.make(params)
    if not _closure_is(optimizer, "taken"):
        return None

    def closure() -> Tensor:
        raise ArithmeticError

    return _unchanged_by(problem, optimizer, params, lambda: optimizer.step(closure))


def _foreign_state(problem: _Problem) -> Complaint:
    """A state dict of fewer parameters is refused and changes nothing."""
    params, fewer = problem.parameters(), problem.parameters()[:-1]
    optimizer, other = problem.make(params), problem.make(fewer)
    problem.descend(other, fewer, 2)
    foreign = other.state_dict()
    return _unchanged_by(problem, optimizer, params, lambda: optimizer.load_state_dict(foreign))


def _unchanged_by(
    problem: _Problem, optimizer: Any, params: list[Tensor], fails: Callable[[], Any]
) -> Complaint:
    problem.descend(optimizer, params, 3)
    before, state = _values(params), _plain(optimizer.state_dict())
    try:
        fails()
    except Exception:
        what = _change(state, _plain(optimizer.state_dict()))
        if not _same(_values(params), before, 0):
            what = _moved(before, _values(params))
        return (what, "something is written before all has succeeded") if what else None
    return "no error was raised", "it is not looked for, or caught"


def _continuation(problem: _Problem) -> Complaint:
    """A state dict continues the run in another optimiser, with the options of that time."""
    straight, first, second = (problem.parameters() for _ in range(3))
    uninterrupted, saved = problem.make(straight), problem.make(first)
    for optimizer, params in (uninterrupted, straight), (saved, first):
        problem.descend(optimizer, params)
        for group in optimizer.param_groups:
            if "lr" in group:
                group["lr"] = group["lr"] / 2
    for p, q in zip(second, first, strict=True):
        p.data = q.detach().clone()
    resumed = problem.make(second)
    resumed.load_state_dict(saved.state_dict())
    expected = problem.descend(uninterrupted, straight)
    found = problem.descend(resumed, second)
    if not _same(found, expected):
        what = _apart(expected, found, "uninterrupted", "resumed")
        what = f"resumed after {problem.steps} steps and run for as many, {what}"
        return what, "state or options are not saved, or not loaded"
    if not _same(problem.descend(saved, first), expected):
        what = "the first goes on differently after steps of the second"
        return what, "the two share state, which load_state_dict() must copy"
    return None


def _groups(problem: _Problem) -> Complaint:
    """Each parameter group moves as if it were alone, by an "lr" of its own."""
    a, b, c = problem.parameters()
    rate = problem.make([a]).param_groups[0].get("lr")
    own = {} if rate is None else {"lr": rate / 2}

    def loss(*params: Tensor) -> Callable[[], Tensor]:
        return lambda: problem.loss(params)

    try:
        both = problem.make([{"params": [a, b]}, {"params": [c], **own}])
    except ValueError as error:
        if "group" in str(error):
            return None  # it takes only one
        raise
    together = problem.run(both, loss(a, b, c))
    a, b, c = problem.parameters()
    alone = problem.run(problem.make([{"params": [a, b]}]), loss(a, b))
    alone += problem.run(problem.make([{"params": [c], **own}]), loss(a.detach(), b.detach(), c))
    if not _same(together, alone):
        what = _apart(alone, together, "alone", "together")
        return what, "a number that belongs to one parameter or group is shared by all"
    a, b, c = problem.parameters()
    usual = problem.run(problem.make([a, b, c]), loss(a, b, c))
    if own and np.array_equal(usual[-1], together[-1]):
        what = f"with half the lr, {own['lr']:.6g}, it moved just as with {rate:.6g}"
        return what, "the step takes the lr from elsewhere than from the group"
    return None
