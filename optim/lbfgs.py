"""L-BFGS: Newton's steps, with the curvature seen in the last steps, and a line search."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autodiff import Tensor, enable_grad, from_numpy, no_grad
from optim.optimizer import Optimizer, non_negative

_ENOUGH = 1e-4  # of the decrease that the slope promises, for a step to be taken
_FLATTER = 0.9  # of the slope that may be left at the end of a step


class LBFGS(Optimizer):
    """Steps along an estimate of -(inverse Hessian) g from the last changes of p and g.

    With s the changes of the parameters in the last history_size iterations, y those of the
    gradient g, and H = (s·y / y·y) of the last of them:
        q = g; from the last to the first: a = s·q / s·y, q = q - a * y
        d = -H * q; from the first to the last: d = d + s * (-a - y·d / s·y)
        p = p + t * d
    t is lr, in the first iteration at most lr / sum |g|; or from it on, with
    line_search_fn="strong_wolfe", what a search along d finds.

    step(closure) makes up to max_iter iterations and about max_eval (5/4 of that) evaluations, and
    stops before when no |g| exceeds tolerance_grad, or when the loss or all parameters change by
    less than tolerance_change. There can be one group of parameters. A step is never compiled.
    Raises: ValueError for a negative lr or several groups; step() RuntimeError for another
        line_search_fn.
    Source: Nocedal 1980, doi:10.1090/S0025-5718-1980-0572855-7; the search: Nocedal & Wright 2006,
        Numerical Optimization, algorithms 3.5 and 3.6, in the form of M. Schmidt's minFunc.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        non_negative(lr=lr)
        options = dict(
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )
        super().__init__(params, options)
        self._only_group()

    def _only_group(self) -> dict[str, Any]:
        if len(self.param_groups) != 1:
            raise ValueError(f"LBFGS takes one parameter group, got {len(self.param_groups)}")
        return self.param_groups[0]

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Make up to max_iter iterations.

        closure: computes the loss and its gradients, as often as needed; the first is returned.
        """
        group = self._only_group()
        params, lr, search = group["params"], float(group["lr"]), group["line_search_fn"]
        if search not in (None, "strong_wolfe"):
            raise RuntimeError(f"line_search_fn must be 'strong_wolfe' or None, got {search!r}")
        tolerance, least = group["tolerance_grad"], group["tolerance_change"]
        state = self.state[params[0]]  # of all parameters
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Any:
            with enable_grad():
                result = closure()
            state["func_evals"] += 1
            return result

        before = state["func_evals"]
        result = evaluate()
        loss, g = float(result), _gradient(params)
        if abs(g).max() <= tolerance:
            return result
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            self._note_curvature(state, g, group["history_size"])
            d = state["d"] = _direction(state, g)
            state["prev_flat_grad"], state["prev_loss"] = g, loss
            t = state["t"] = min(1.0, 1.0 / abs(g).sum()) * lr if first else lr
            slope = g @ d
            if slope > -least:
                break
            x = _vector(params)

            def at(t: Any, x: Any = x, d: Any = d) -> _Point:
                _place(params, x + float(t) * d)
                loss = float(evaluate())
                g = _gradient(params)
                return _Point(t, loss, g, g @ d)

            if search is not None:
                left = group["max_eval"] - (state["func_evals"] - before)
                start = _Point(0, loss, g, slope)
                found = _strong_wolfe(at, start, at(t), left, least / abs(d).max())
                t, loss, g = found.t, found.loss, found.g
                state["t"] = t
                _place(params, x + float(t) * d)
            elif i < group["max_iter"]:
                new = at(t)
                loss, g = new.loss, new.g
            else:  # nobody asks for the loss after the last
                _place(params, x + t * d)
            if (
                state["func_evals"] - before >= group["max_eval"]
                or abs(g).max() <= tolerance
                or abs(d * t).max() <= least
                or abs(loss - state["prev_loss"]) < least
            ):
                break
        return result

    @staticmethod
    def _note_curvature(state: dict[str, Any], g: Any, most: int) -> None:
        """Take the last step and the change of the gradient into the history."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = y @ s
        if not curvature > 1e-10:
            return
        history = ("old_dirs", y), ("old_stps", s), ("ro", 1.0 / curvature)
        for name, value in history:
            if len(state[name]) == most:
                state[name].pop(0)
            state[name].append(value)
        state["H_diag"] = curvature / (y @ y)

    def _stored(self, key: str, value: Any) -> Any:
        """What is an array here is a tensor in a state dict."""
        if isinstance(value, list):
            return [self._stored(key, v) for v in value]
        if isinstance(value, np.ndarray | np.generic):
            return from_numpy(np.array(value))
        return value

    def _restored(self, key: str, value: Any, p: Tensor) -> Any:
        value = super()._restored(key, value, p)
        if isinstance(value, list):
            return [_array(v) for v in value]
        return _array(value)


class _Point:
    """A point of the line: how far along it, the loss, its gradient, and its slope on the line."""

    __slots__ = ("g", "loss", "slope", "t")

    def __init__(self, t: Any, loss: float, g: Any, slope: Any) -> None:
        self.t, self.loss, self.g, self.slope = t, loss, g, slope


def _array(value: Any) -> Any:
    return value.numpy()[()] if isinstance(value, Tensor) else value


def _vector(params: list[Tensor]) -> Any:
    return np.concatenate([p.detach().numpy().ravel() for p in params])


def _gradient(params: list[Tensor]) -> Any:
    parts = [np.zeros(p.shape) if p.grad is None else p.grad.detach().numpy() for p in params]
    return np.concatenate([x.astype(p.dtype, copy=False).ravel() for x, p in zip(parts, params)])


def _place(params: list[Tensor], x: Any) -> None:
    """Write the vector into the parameters."""
    start = 0
    with no_grad():
        for p in params:
            p.copy_(from_numpy(x[start : start + p.numel()].reshape(p.shape)))
            start += p.numel()


def _direction(state: dict[str, Any], g: Any) -> Any:
    """-H g, by the recursion of two loops."""
    history = list(zip(state["old_stps"], state["old_dirs"], state["ro"], strict=True))
    d, shares = -g, []
    for s, y, ro in reversed(history):
        shares.append((s @ d) * ro)
        d = d - shares[-1] * y
    d = d * state["H_diag"]
    for s, y, ro in history:
        d = d + (shares.pop() - (y @ d) * ro) * s
    return d


def _strong_wolfe(
    at: Callable[[Any], _Point], start: _Point, new: _Point, left: int, narrowest: float
) -> _Point:
    """A point that is lower by enough and flat enough, from the first one tried, `new`.

    left: how many others may be tried; then it is the lowest of the last two.
    narrowest: how close the ends of the interval may come.
    """

    def too_high(point: _Point) -> Any:
        return point.loss > start.loss + _ENOUGH * point.t * start.slope

    def flat(point: _Point) -> Any:
        return abs(point.slope) <= -_FLATTER * start.slope

    last, tried = start, 0
    while tried < left:
        if too_high(new) or (tried > 1 and new.loss >= last.loss):
            break
        if flat(new):
            return new
        if new.slope >= 0:
            break
        bounds = new.t + 0.01 * (new.t - last.t), new.t * 10
        last, new = new, at(_lowest(last, new, *bounds))
        tried += 1
    else:
        last = start

    low, high = (last, new) if last.loss <= new.loss else (new, last)
    close = False  # whether the last one tried was close to an end
    while tried < left and abs(high.t - low.t) >= narrowest:
        least, most = min(low.t, high.t), max(low.t, high.t)
        t, margin = _lowest(low, high, least, most), 0.1 * (most - least)
        was_close, close = close, bool(min(most - t, t - least) < margin)
        if close and (was_close or t >= most or t <= least):
            t = most - margin if abs(t - most) < abs(t - least) else least + margin
            close = False
        new = at(t)
        tried += 1
        if too_high(new) or new.loss >= low.loss:
            high = new
            continue
        if flat(new):
            return new
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low


def _lowest(a: _Point, b: _Point, least: Any, most: Any) -> Any:
    """Where the cubic with the losses and slopes of two points is lowest between the bounds.

    Source: Nocedal & Wright 2006, equation 3.59.
    """
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    d2 = np.sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, least), most)
