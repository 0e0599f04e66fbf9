"""gradcheck and gradgradcheck: gradients compared with differences of the function's values.

The Jacobian J of an output with respect to an input is looked at along directions U of the input
and W of the output: U J Wᵀ is computed from differences along U, and from backward passes that
start with W. All elements are compared if U and W are unit matrices; in fast mode each is one
random direction.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import transforms
from autodiff.batching import vmap
from autodiff.gradients import grad
from autodiff.tensor import Tensor, make, taken
from autodiff.testing.report import GradcheckError

__tracebackhide__ = True


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of func(*inputs) are those that central differences give.

    inputs: one or several; those that require grad are moved by `eps`, in place, and restored.
    atol, rtol: for |analytical - numerical| <= atol + rtol * |numerical|.
    raise_exception: raise where a check fails, rather than return False.
    nondet_tol: by how much two runs at the same inputs may differ.
    check_undefined_grad: differentiate each output alone, the others without a gradient; if False,
        with zeros.
    fast_mode: compare in one random direction of each input and output, not all elements.
    check_backward_ad, check_forward_ad: compare what backward and what func.jvp give.
    check_batched_grad, check_batched_forward_grad: compare these under vmap with one at a time.
    check_grad_dtypes, masked: for PyTorch's sake; gradients always have the dtype of their input.
    Raises: GradcheckError if a gradient differs, if an output without gradient depends on an
        input, if `func` writes to its inputs, or gives one thing and then another; ValueError if
        no input requires grad, or nothing is to be checked; RuntimeError if an input cannot be
        moved element by element.

    >>> from autodiff import rand, float64
    >>> gradcheck(lambda x: x.sin(), rand(3, dtype=float64, requires_grad=True))
    True
    """
    if not (check_backward_ad or check_forward_ad):
        raise ValueError("gradcheck needs check_backward_ad or check_forward_ad, both are False")
    if (check_batched_grad and not check_backward_ad) or (
        check_batched_forward_grad and not check_forward_ad
    ):
        raise ValueError("gradcheck checks under vmap only what it checks without")
    taken("gradcheck()")
    modes = ["reverse"] * check_backward_ad + ["forward"] * check_forward_ad
    check = _Check(func, _listed(inputs), eps, atol, rtol, nondet_tol, check_undefined_grad, modes)
    try:
        check.run(fast_mode)
        if check_batched_grad:
            check.check_batched("reverse")
        if check_batched_forward_grad:
            check.check_batched("forward")
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of func(*inputs) are those of central differences.

    grad_outputs: the gradients of the outputs to start with, which count as inputs too; random
        ones unless given, with gaps in memory if `gen_non_contig_grad_outputs`.
    The rest, and what is raised, as in gradcheck.
    """
    inputs = _listed(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*inputs))
        gradients = _random_like(outputs, gen_non_contig_grad_outputs)
    else:
        gradients = _listed(grad_outputs)
    count = len(inputs)
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def gradient(*given: Any) -> tuple[Tensor, ...]:
        found = grad(
            _differentiable(func(*given[:count])),
            [given[i] for i in wanted],
            given[count:],
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradient,
        (*inputs, *gradients),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


def _listed(given: Any) -> tuple:
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def _differentiable(result: Any) -> list[Tensor]:
    return [t for t in _listed(result) if isinstance(t, Tensor) and t.requires_grad]


def _random_like(outputs: Sequence[Tensor], gaps: bool) -> tuple[Tensor, ...]:
    """Gradients for these outputs, that require grad themselves."""
    rng = np.random.default_rng(0)
    gradients = []
    for out in outputs:
        drawn = rng.uniform(-1, 1, (*out.shape, 1 + gaps)).astype(out._array.dtype)
        gradients.append(make(drawn[..., 0]).requires_grad_())
    return tuple(gradients)


class _Check:
    """A function at its inputs, and how closely it is looked at."""

    def __init__(
        self,
        func: Callable[..., Any],
        inputs: tuple,
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        alone: bool,
        modes: Sequence[str],
    ) -> None:
        self.func, self.inputs, self.eps = func, inputs, eps
        self.atol, self.rtol, self.nondet_tol, self.alone = atol, rtol, nondet_tol, alone
        self.modes = modes
        self.shapes: list[tuple[int, ...]] | None = None
        self.moved = {
            i: x for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad
        }
        """The inputs to differentiate by, by their position."""
        if not self.moved:
            raise ValueError(
                "gradcheck needs an input that requires grad, and none does; call requires_grad_() "
                "on what to differentiate by"
            )
        for i, x in self.moved.items():
            if x._array.dtype != np.float64:
                warnings.warn(
                    f"input {i} is of {x.dtype}, likely too coarse for differences of {eps=}; "
                    "convert the inputs to double precision by .double()",
                    stacklevel=3,
                )
            lengths = zip(x._array.strides, x._array.shape, strict=True)
            shared = x._array.size and any(stride == 0 and n > 1 for stride, n in lengths)
            if shared or not x._array.flags.writeable:
                raise RuntimeError(
                    f"elements of input {i} of shape {tuple(x.shape)} lie at the same place, or "
                    "its memory is read-only, so that they cannot be moved one by one; pass "
                    ".clone() of it"
                )

    def run(self, fast: bool) -> None:
        """Raises: GradcheckError if anything is wrong."""
        outputs = self.outputs()
        for j, (a, b) in enumerate(zip(outputs, self.outputs(), strict=True)):
            if not self.repeated(a._array, b._array):
                raise GradcheckError(
                    f"func gave other values of output {j} for the same inputs; seed what it "
                    "draws, or allow for differences by nondet_tol"
                )
        if not any(out.requires_grad for out in outputs):
            self.check_constant(outputs)
        elif not fast:
            self.compare(outputs, np.eye)
        else:
            try:
                self.compare(outputs, _random_direction)
            except GradcheckError:
                self.compare(outputs, np.eye)  # tells where
                raise

    def outputs(self) -> list[Tensor]:
        """The Tensors among what the function gives."""
        before = [x._array.copy() if isinstance(x, Tensor) else None for x in self.inputs]
        result = self.func(*self.inputs)
        for i, (x, values) in enumerate(zip(self.inputs, before, strict=True)):
            if values is not None and not _same(x._array, values, 0.0):
                raise GradcheckError(f"func wrote to input {i}; let it work on a .clone() of it")
        outputs = [t for t in _listed(result) if isinstance(t, Tensor)]
        shapes = [tuple(t.shape) for t in outputs]
        if self.shapes not in (None, shapes):
            raise GradcheckError(f"func gave outputs of shapes {self.shapes}, then of {shapes}")
        self.shapes = shapes
        return outputs

    def repeated(self, a: Any, b: Any) -> bool:
        """Whether two runs at the same inputs agree."""
        return _same(a, b, self.nondet_tol)

    def check_constant(self, outputs: Sequence[Tensor]) -> None:
        """Outputs that do not require grad must not depend on the inputs."""
        for i, x in self.moved.items():
            for j, found in enumerate(self.numerical(x, outputs, np.eye(x.numel()))):
                if found.any():
                    raise GradcheckError(
                        f"output {j} does not require grad, but depends on input {i}: the "
                        f"numerical gradient, expected to be zero, is\n{found}"
                    )

    def compare(self, outputs: Sequence[Tensor], directions: Callable[[int], np.ndarray]) -> None:
        """Compare the gradients of all outputs along these directions."""
        numerical = {
            i: self.numerical(x, outputs, directions(x.numel())) for i, x in self.moved.items()
        }
        for j, out in enumerate(outputs):
            if not out.requires_grad:
                continue
            along = directions(out.numel())
            expected = {i: rows[j] @ along.T for i, rows in numerical.items()}
            if "reverse" in self.modes:
                rows = self.analytical(outputs, j, along)
                found = {i: directions(x.numel()) @ rows[i].T for i, x in self.moved.items()}
                self.check_close(j, out, expected, found, directions, "")
                self.check_reentrant(outputs, j, along)
            if "forward" in self.modes:
                found = self.tangents(outputs, j, along, directions)
                self.check_close(j, out, expected, found, directions, " in forward mode")

    def check_close(
        self,
        j: int,
        out: Tensor,
        expected: dict[int, np.ndarray],
        found: dict[int, np.ndarray],
        directions: Callable[[int], np.ndarray],
        mode: str,
    ) -> None:
        """Derivatives of output j along directions of inputs and output must be the numerical."""
        along = np.abs(directions(out.numel())).sum(1)
        for i, x in self.moved.items():
            allowed = np.abs(directions(x.numel())).sum(1)[:, None] * along
            allowed = self.atol * allowed + self.rtol * np.abs(expected[i])
            if not np.all(np.abs(found[i] - expected[i]) <= allowed):
                where = f"output {j} with respect to input {i}{mode}"
                raise GradcheckError(_mismatch(where, expected[i], found[i], allowed, x, out))

    def check_reentrant(self, outputs: Sequence[Tensor], j: int, along: np.ndarray) -> None:
        """Two backward passes must give the same, and one that is given zeros must give zeros."""
        first, second = self.analytical(outputs, j, along), self.analytical(outputs, j, along)
        for i in self.moved:
            if not self.repeated(first[i], second[i]):
                raise GradcheckError(
                    f"the backward pass of output {j} with respect to input {i} is not reentrant: "
                    f"run twice it gave gradients that differ by more than {self.nondet_tol=}"
                )
        zeros = self.analytical(outputs, j, np.zeros((1, outputs[j].numel())))
        if any(g.any() for g in zeros.values()):
            raise GradcheckError(
                f"the gradient of output {j} is not multiplied by what backward was given: "
                "it is not zero where that is"
            )

    def check_batched(self, mode: str) -> None:
        """The Jacobian times two vectors at once must be what it is times each of them."""
        outputs = _differentiable(self.outputs())
        if not outputs:
            return
        values = [x.detach() for x in self.moved.values()]
        if mode == "reverse":
            like, (_, times) = outputs, transforms.vjp(self.of_variables, *values)
        else:
            like, (_, linear) = values, transforms.linearize(self.of_variables, *values)

            def times(tangents: tuple) -> Any:
                return linear(*tangents)

        rng = np.random.default_rng(0)
        drawn = [rng.uniform(-1, 1, (2, *t.shape)).astype(t._array.dtype) for t in like]
        together = vmap(times)(tuple([make(a) for a in drawn]))
        for k in range(2):
            for a, b in zip(together, times(tuple([make(d[k]) for d in drawn])), strict=True):
                if not np.allclose(a[k].detach()._array, b.detach()._array, self.rtol, self.atol):
                    raise GradcheckError(
                        f"under vmap, {mode} mode gives {a[k].tolist()}, and one at a time "
                        f"{b.tolist()}"
                    )

    def of_variables(self, *variables: Tensor) -> tuple[Tensor, ...]:
        """The outputs that require grad, with these in place of the inputs to differentiate by."""
        inputs = list(self.inputs)
        for i, x in zip(self.moved, variables, strict=True):
            inputs[i] = x
        return tuple(_differentiable(self.func(*inputs)))

    def tangents(
        self,
        outputs: Sequence[Tensor],
        j: int,
        along: np.ndarray,
        directions: Callable[[int], np.ndarray],
    ) -> dict[int, np.ndarray]:
        """For each input the derivatives of output j along both directions, by forward mode."""
        place = sum(out.requires_grad for out in outputs[:j])
        inputs = list(self.moved.values())
        _, linear = transforms.linearize(self.of_variables, *[x.detach() for x in inputs])
        found = {}
        for i, x in self.moved.items():
            rows = []
            for direction in directions(x.numel()):
                moving = direction.reshape(x.shape).astype(x._array.dtype)
                tangents = [make(moving if t is x else np.zeros_like(t._array)) for t in inputs]
                rows.append(linear(*tangents)[place].detach()._array.ravel())
            found[i] = np.array(rows).reshape(len(rows), outputs[j].numel()) @ along.T
        return found

    def numerical(
        self, x: Tensor, outputs: Sequence[Tensor], directions: np.ndarray
    ) -> list[np.ndarray]:
        """For each output its derivatives along directions of x, one in a row."""
        array, start = x._array, x._array.copy()
        rows = [np.empty((len(directions), out.numel())) for out in outputs]
        try:
            for k, direction in enumerate(directions):
                ends = []
                for eps in self.eps, -self.eps:
                    array[...] = start + eps * direction.reshape(start.shape)
                    ends.append([out._array.astype(np.float64) for out in self.outputs()])
                for row, above, below in zip(rows, *ends, strict=True):
                    row[k] = (above - below).ravel() / (2 * self.eps)
        finally:
            array[...] = start
        return rows

    def analytical(
        self, outputs: Sequence[Tensor], j: int, directions: np.ndarray
    ) -> dict[int, np.ndarray]:
        """For each input the gradients of output j along its directions, one in a row."""
        out, inputs = outputs[j], list(self.moved.values())
        others = [] if self.alone else [t for t in _differentiable(outputs) if t is not out]
        zeros = [make(np.zeros_like(t._array)) for t in others]
        rows = {i: np.empty((len(directions), x.numel())) for i, x in self.moved.items()}
        for k, direction in enumerate(directions):
            given = make(direction.reshape(out.shape).astype(out._array.dtype))
            found = grad([out, *others], inputs, [given, *zeros], True, materialize_grads=True)
            for row, g in zip(rows.values(), found, strict=True):
                row[k] = g.detach()._array.ravel()  # type: ignore[union-attr]
        return rows


def _random_direction(n: int) -> np.ndarray:
    """One of n numbers, the same each time."""
    drawn = np.random.default_rng(n).uniform(-1, 1, (1, n))
    return drawn / np.sqrt(np.sum(drawn**2) or 1.0)


def _same(a: Any, b: Any, tolerance: float) -> bool:
    return np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=a.dtype.kind == "f")


def _mismatch(
    where: str,
    numerical: np.ndarray,
    analytical: np.ndarray,
    allowed: np.ndarray,
    x: Tensor,
    out: Tensor,
) -> str:
    """What to say of Jacobians that differ."""
    excess = np.abs(analytical - numerical) - allowed
    k, m = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
    if excess.shape == (x.numel(), out.numel()):
        place = "element {} of the input and {} of the output".format(
            *(tuple(map(int, np.unravel_index(n, t.shape))) for n, t in ((k, x), (m, out)))
        )
    else:
        place = "one random direction"
    return (
        f"Jacobian mismatch for {where}, a row for each element of the input,\n"
        f"numerical:\n{numerical}\nanalytical:\n{analytical}\n"
        f"worst for {place}: numerical {numerical[k, m]:.8g}, analytical "
        f"{analytical[k, m]:.8g}, {abs(analytical[k, m] - numerical[k, m]):.3g} apart where "
        f"{allowed[k, m]:.3g} is allowed"
    )
