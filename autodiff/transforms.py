"""Functions of functions: derivatives as functions of the arguments, as in torch.func.

A function runs on variables, tensors of its arguments' values that are on the tape, and the walk
back over the tape is what differentiates it. Variables are new, so that derivatives of derivatives
do not mix; a result stays on the tape only if it depends on something that was there before.
Forward mode is the walk back taken twice: it is linear in the gradient it starts from, and its
derivative by that is the wanted product.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autodiff import gradients, trees
from autodiff.batching import entered
from autodiff.grad_modes import enable_grad
from autodiff.ops.shape import reshape
from autodiff.tape import GRAD, VMAP, Leaf, Node, modes, reachable
from autodiff.tensor import Tensor, apply, make

ArgNums = int | tuple[int, ...]


# Variables and results


def variable(x: Any) -> Tensor:
    """A tensor of the same values, on the tape, to differentiate by; it leads on to x's own place.

    Raises: TypeError if x is no Tensor; RuntimeError if its elements are not floats.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"only Tensors can be differentiated by, got {type(x).__name__}")
    x = entered(x)
    if x._array.dtype.kind != "f":
        raise RuntimeError(f"only tensors of floats can be differentiated by, got {x.dtype}")
    if x._node is not None:
        with enable_grad():
            return apply(reshape, (x,), {"shape": x._array.shape})
    x = x.detach()
    x._node = Leaf(x)
    return x


def _reaches_out(nodes: Iterable[Node | None], variables: Sequence[Tensor]) -> bool:
    """Whether these depend on something on the tape besides the variables."""
    own = {v._node for v in variables}
    found = reachable([node for node in nodes if node is not None])
    return any(node.plan is None and node not in own for node in found)


class Call:
    """One run of a function on variables in place of the tensors in some of its arguments.

    outputs: the tensors in its result, and `form` how they nest. variables: the tensors, and
    `places` how they nest. recorded: whether what is computed from these may be wanted on the tape.
    """

    def __init__(
        self, func: Callable, args: tuple, kwargs: dict, argnums: ArgNums, has_aux: bool = False
    ) -> None:
        chosen = _positions(argnums, len(args))
        self.places = (
            args[chosen[0]] if isinstance(argnums, int) else tuple([args[i] for i in chosen])
        )
        replaced = list(args)
        for i in chosen:
            replaced[i] = trees.mapped(variable, args[i])
        self.variables: list[Tensor] = [v for i in chosen for v in trees.leaves(replaced[i])]
        self.recorded = bool(modes.flags & GRAD)
        with enable_grad():
            result = func(*replaced, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise RuntimeError(
                    "with has_aux=True the function must return a tuple (output, aux), got "
                    f"{type(result).__name__}"
                )
            result, self.aux = result
        self.form = result
        self.outputs: list[Tensor] = trees.leaves(result)
        for output in self.outputs:
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    "a function to be differentiated must return Tensors, in tuples, lists or "
                    f"dicts; got {type(output).__name__}"
                )

    def reaches_out(self, others: Sequence[Tensor] = ()) -> bool:
        """Whether derivatives, which may also depend on others, are to stay on the tape."""
        if not self.recorded:
            return False
        nodes = [t._node for t in self.outputs]
        return any(t._node is not None for t in others) or _reaches_out(nodes, self.variables)

    def released(self, tree: Any) -> Any:
        """Results of the function as they are outside: off the tape if only variables are on it."""

        def release(x: Any) -> Any:
            if not isinstance(x, Tensor) or x._node is None:
                return x
            keep = self.recorded and _reaches_out([x._node], self.variables)
            return x if keep else x.detach()

        return trees.mapped(release, tree)


def walked(
    outputs: Sequence[Tensor],
    by: Sequence[Tensor],
    given: Sequence[Any] | None,
    keep: bool,
    again: bool = False,
) -> list[Tensor]:
    """The gradients of outputs, zeros where there is no way; on the tape themselves if `keep`.

    again: whether the graph is needed afterwards.
    """
    on_tape = [i for i, t in enumerate(outputs) if t._node is not None]
    if not on_tape:
        return [make(np.zeros_like(x._array)) for x in by]
    recorded = keep or bool(modes.flags & VMAP)  # tapes outside a vmap may be concerned
    found = gradients.grad(
        [outputs[i] for i in on_tape],
        by,
        None if given is None else [given[i] for i in on_tape],
        retain_graph=again or recorded,
        create_graph=recorded,
        materialize_grads=True,
    )
    return [g if keep else g.detach() for g in found if g is not None]


def _positions(argnums: ArgNums, count: int) -> list[int]:
    """The arguments' positions. Raises: RuntimeError if there is one twice, or no such argument."""
    given = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(given, tuple) or not all(isinstance(i, int) for i in given):
        raise RuntimeError(f"argnums must be an integer or a tuple of integers, got {argnums!r}")
    for i in given:
        if not -count <= i < count:
            raise RuntimeError(f"argnums={argnums} for {count} positional arguments")
    found = [i % count for i in given]
    if not found or len(set(found)) < len(found):
        raise RuntimeError(f"argnums must name at least one argument, each once; got {argnums}")
    return found


# Gradients


def grad_and_value(func: Callable, argnums: ArgNums = 0, has_aux: bool = False) -> Callable:
    """The function that gives the gradients of func by the arguments `argnums`, and its value.

    func must return a 0-d tensor; with has_aux a tuple of it and anything else, and the result is
    (gradients, (value, aux)). Gradients nest as the argument does; for a tuple argnums they are a
    tuple. Of an argument that was not used they are zeros.

    Raises: RuntimeError if the value is no 0-d tensor, or there are no such arguments.

    >>> from autodiff import tensor
    >>> grad_and_value(lambda x: x**3)(tensor(2.0))
    (tensor(12.), tensor(8.))
    """

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        call = Call(func, args, kwargs, argnums, has_aux)
        value = call.form
        if not isinstance(value, Tensor) or value._array.ndim:
            given = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value)
            raise RuntimeError(
                f"grad needs a function that returns a 0-d tensor, got {given}; use .sum(), or "
                "jacrev()"
            )
        found = walked(call.outputs, call.variables, None, call.reaches_out(), again=True)
        of_arguments = trees.rebuilt(call.places, found)
        if has_aux:
            return of_arguments, (call.released(value), call.released(call.aux))
        return of_arguments, call.released(value)

    return differentiated


def grad(func: Callable, argnums: ArgNums = 0, has_aux: bool = False) -> Callable:
    """The function that gives the gradients of func; (gradients, aux) with has_aux.

    See grad_and_value.

    >>> from autodiff import tensor
    >>> grad(grad(lambda x: x**3))(tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


# Products with the Jacobian


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """(output, function): the function gives cotangents, nested as the output, times the Jacobian.

    Its result is a tuple of products, one for each primal. With has_aux, func returns (output,
    aux), and the result is (output, function, aux).

    >>> from autodiff import tensor
    >>> output, product = vjp(lambda x, y: x * y, tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    >>> product(tensor([1.0, 0.0]))
    (tensor([3., 0.]), tensor([1., 0.]))
    """
    call = Call(func, primals, {}, tuple(range(len(primals))), has_aux)

    def product(
        cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None
    ) -> tuple:
        if not trees.same_form(cotangents, call.form):
            raise RuntimeError("vjp: the cotangents must nest as the outputs of the function do")
        given = trees.leaves(cotangents)
        _check_alike("vjp: a cotangent", given, "an output", call.outputs)
        keep = bool(modes.flags & GRAD) if create_graph is None else create_graph
        keep = keep and call.reaches_out(given)
        found = walked(call.outputs, call.variables, given, keep, retain_graph)
        return trees.rebuilt(call.places, found)

    output = call.released(call.form)
    return (output, product, call.released(call.aux)) if has_aux else (output, product)


def _check_alike(what: str, given: Sequence[Any], other: str, like: Sequence[Tensor]) -> None:
    for a, b in zip(given, like, strict=True):
        if not isinstance(a, Tensor):
            raise TypeError(f"{what} must be a Tensor, got {type(a).__name__}")
        if a._array.shape != b._array.shape:
            raise RuntimeError(
                f"{what} must have the shape of what it belongs to; got {tuple(a.shape)} for "
                f"{other} of shape {tuple(b.shape)}"
            )


def seeds(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Variables like these, to walk back from and differentiate the walk by.

    It is linear in them, so that any values would do, but for rules that take a gradient of 0 for
    an output that is not used, and hooks that clip: so sums and differences of them are not 0, and
    they are small.
    """
    found = []
    for x in [t._array for t in tensors]:
        values = np.arange(2.0, x.size + 2) ** -0.5 / 1024
        found.append(variable(make(values.astype(x.dtype).reshape(x.shape))))
    return found


class Linear:
    """The linear map of tangents, close to the variables, to those of the outputs."""

    def __init__(self, outputs: Sequence[Tensor], variables: Sequence[Tensor]) -> None:
        self.outputs = outputs
        on_tape = [t for t in outputs if t._node is not None]
        self.seeds = seeds(on_tape)
        self.products = walked(on_tape, variables, self.seeds, keep=True, again=True)

    def __call__(
        self, tangents: Sequence[Tensor], keep: bool, part: slice = slice(None)
    ) -> list[Tensor]:
        """part: of the variables, those that the tangents belong to; the others do not move."""
        found = iter(walked(self.products[part], self.seeds, tangents, keep, again=True))
        return [
            make(np.zeros_like(t._array)) if t._node is None else next(found) for t in self.outputs
        ]


def jvp(
    func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """(output, the Jacobian times tangents, which nest as the primals); (…, aux) with has_aux.

    Raises: RuntimeError if the primals or tangents are no tuples or do not nest alike, or with
        `strict` if an output does not depend on the primals.

    >>> from autodiff import tensor
    >>> jvp(lambda x, y: x * y, (tensor(2.0), tensor(3.0)), (tensor(1.0), tensor(10.0)))
    (tensor(6.), tensor(23.))
    """
    for given, name in (primals, "primals"), (tangents, "tangents"):
        if not isinstance(given, tuple) or not given:
            raise RuntimeError(f"jvp: {name} must be a tuple of at least one, got {given!r:.80}")
    if not trees.same_form(primals, tangents):
        raise RuntimeError("jvp: the tangents must nest as the primals do")
    call = Call(func, primals, {}, tuple(range(len(primals))), has_aux)
    along = trees.leaves(tangents)
    _check_alike("jvp: a tangent", along, "a primal", call.variables)
    if strict and any(t._node is None for t in call.outputs):
        raise RuntimeError("jvp: an output does not depend on the primals, and strict=True")
    found = Linear(call.outputs, call.variables)(along, call.reaches_out(along))
    result = call.released(call.form), trees.rebuilt(call.form, found)
    return (*result, call.released(call.aux)) if has_aux else result


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """(output, function): the function takes a tangent for each primal and gives those of outputs.

    func runs once, however often the function is called.
    """
    call = Call(func, primals, {}, tuple(range(len(primals))))
    linear = Linear(call.outputs, call.variables)

    def product(*tangents: Any) -> Any:
        if not trees.same_form(tangents, primals):
            raise RuntimeError("linearize: the tangents must nest as the primals do")
        along = trees.leaves(tangents)
        _check_alike("linearize: a tangent", along, "a primal", call.variables)
        keep = bool(modes.flags & GRAD) and call.reaches_out(along)
        return trees.rebuilt(call.form, linear(along, keep))

    return call.released(call.form), product
