"""The Tensor: an array, and the node of the tape that made it.

`apply` runs an operation and records it. Everything else is how a Tensor looks from outside; the
operations under PyTorch's names are attached in `methods.py`, writing in place in `inplace.py`.
"""

import copy
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from autodiff import dtypes, numpy_calls, printing, versions
from autodiff.attributes import RemovableHandle, Size, device
from autodiff.errors import explain
from autodiff.ops import elementwise as ops
from autodiff.primitive import Primitive
from autodiff.tape import ANOMALY, GRAD, TRACE, VMAP, Leaf, Node, modes, user_line

_NO_PARAMS: dict[str, Any] = {}
_NUMBERS = frozenset((float, int, bool))
_new = object.__new__
_ndarray = np.ndarray
_tick = versions.tick


def apply(primitive: Primitive, args: Sequence, params: dict[str, Any] = _NO_PARAMS) -> "Tensor":
    """Run `primitive` on Tensors, arrays and Python numbers, and record it if grad mode is on.

    Every operation on Tensors comes through here or through one of its three short cuts below.

    Raises: TypeError for an argument of another type; else what the NumPy function raises, as the
        type PyTorch raises, with the operation's name and what it was given.
    """
    flags, trace = modes.flags, None
    if flags >= TRACE:
        if flags & VMAP:
            return modes.vmap.apply(primitive, args, params)
        trace = modes.trace
        trace.meet(args)
    arrays: list[Any] = []
    parents: list[Node] = []
    mask, bit = 0, 1
    first, mixed = None, False
    for a in args:
        if isinstance(a, Tensor):
            node = a._node
            if node is not None:
                parents.append(node)
                mask |= bit
            a = a._array
        elif a.__class__ not in _NUMBERS:
            a = _operand(primitive, a)
            if trace is not None:
                a = trace.plain(a)
        if a.__class__ not in _NUMBERS:
            d = a.dtype
            if first is None:
                first = d
            elif d is not first:
                mixed = True
        elif a.__class__ is bool:
            mixed = True
        arrays.append(a)
        bit += bit
    if primitive.promote != "keep" and (mixed or first is None or first.kind != "f"):
        if trace is None:
            arrays = dtypes.promote(arrays, primitive.promote, primitive.name)
        else:
            arrays = trace.promoted(primitive, arrays)
    try:
        if trace is None:
            out = primitive.forward(*arrays, **params)
        else:
            out = trace.run(primitive, arrays, params)
    except Exception as error:
        if trace is not None:
            trace.spoil(f"{primitive.name} raised an error while it was recorded")
        explain(error, primitive, arrays, params)
    if out.__class__ is not _ndarray:
        out = _storage(out)
    tensor = _new(Tensor)
    tensor._array, tensor._node = out, None
    if mask and flags & GRAD:
        plan = primitive.plans.get(mask) or primitive.plan(mask)
        if plan.rules:
            if len(plan.rules) != len(parents):  # an argument that has a gradient but no rule
                parents = [args[i]._node for i in plan.positions]
            node = tensor._node = _new(Node)  # Node(...) takes 0.2 us more
            node.plan, node.parents = plan, tuple(parents)
            node.saved = plan.save(arrays, out, params)
            node.shape, node.dtype, node.number = out.shape, out.dtype, _tick()
            if flags & ANOMALY:
                node.where = user_line()
            if trace is not None:
                trace.on_tape(node, out)
    if primitive.view:
        _note_view(tensor, args[0])
    return tensor


def unary(primitive: Primitive) -> Callable[["Tensor"], "Tensor"]:
    """`primitive` as a function of one Tensor; the short cut serves floats."""
    forward, plans = primitive.forward, primitive.plans

    def function(input: "Tensor") -> "Tensor":
        if not isinstance(input, Tensor):
            raise TypeError(f"{primitive.name}: input must be a Tensor, got {type(input).__name__}")
        x = input._array
        d, flags = x.dtype, modes.flags
        if d.kind != "f" or flags >= ANOMALY:
            return apply(primitive, (input,))
        try:
            out = forward(x)
        except Exception as error:
            explain(error, primitive, [x], _NO_PARAMS)
        if out.__class__ is not _ndarray:
            out = _storage(out)
        tensor = _new(Tensor)
        tensor._array, tensor._node = out, None
        parent = input._node
        if parent is not None and flags & GRAD:
            plan = plans[1] if 1 in plans else primitive.plan(1)
            if plan.rules:
                node = tensor._node = _new(Node)
                node.plan, node.parents = plan, (parent,)
                node.saved = plan.save((x,), out, _NO_PARAMS)
                node.shape, node.dtype, node.number = out.shape, d, _tick()
        return tensor

    function.__name__ = function.__qualname__ = primitive.name
    return function


def viewing(primitive: Primitive) -> Callable[..., "Tensor"]:
    """`primitive`, whose result may be a view, as a function of one Tensor and parameters."""
    forward, plans = primitive.forward, primitive.plans

    def function(input: "Tensor", **params: Any) -> "Tensor":
        if not isinstance(input, Tensor):
            raise TypeError(f"{primitive.name}: input must be a Tensor, got {type(input).__name__}")
        x = input._array
        flags = modes.flags
        if flags >= ANOMALY:
            return apply(primitive, (input,), params)
        try:
            out = forward(x, **params)
        except Exception as error:
            explain(error, primitive, [x], params)
        tensor = _new(Tensor)
        tensor._array, tensor._node = out, None
        parent = input._node
        if parent is not None and flags & GRAD:
            plan = plans[1] if 1 in plans else primitive.plan(1)
            node = tensor._node = _new(Node)
            node.plan, node.parents = plan, (parent,)
            node.saved = plan.save((x,), out, params)
            node.shape, node.dtype, node.number = out.shape, out.dtype, _tick()
        _note_view(tensor, input)
        return tensor

    function.__name__ = function.__qualname__ = primitive.name
    return function


def binary(primitive: Primitive) -> Callable[["Tensor", Any], "Tensor"]:
    """`primitive` as an operator; the short cut serves floats of one dtype."""
    forward, plans = primitive.forward, primitive.plans
    assert len(primitive.rules) != 1, "the short cut is for a rule for both arguments or for none"

    def operator(self: "Tensor", other: Any) -> "Tensor":
        x = self._array
        d = x.dtype
        if isinstance(other, Tensor):
            y, theirs = other._array, other._node
            usual = y.dtype is d
        else:
            y, theirs = other, None
            usual = other.__class__ is float or other.__class__ is int
        flags = modes.flags
        if not usual or d.kind != "f" or flags >= ANOMALY:
            try:
                return apply(primitive, (self, other))
            except TypeError:
                if _is_operand(other):
                    raise
                return NotImplemented
        try:
            out = forward(x, y)
        except Exception as error:
            explain(error, primitive, [x, y], _NO_PARAMS)
        if out.__class__ is not _ndarray:
            out = _storage(out)
        tensor = _new(Tensor)
        tensor._array, tensor._node = out, None
        if not flags & GRAD:
            return tensor
        mine = self._node
        if mine is not None:
            mask, parents = (1, (mine,)) if theirs is None else (3, (mine, theirs))
        elif theirs is not None:
            mask, parents = 2, (theirs,)
        else:
            return tensor
        plan = plans[mask] if mask in plans else primitive.plan(mask)
        if plan.rules:
            node = tensor._node = _new(Node)
            node.plan, node.parents = plan, parents
            node.saved = plan.save((x, y), out, _NO_PARAMS)
            node.shape, node.dtype, node.number = out.shape, d, _tick()
        return tensor

    operator.__name__ = operator.__qualname__ = primitive.name
    return operator


def reflected(primitive: Primitive) -> Callable[["Tensor", Any], "Tensor"]:
    """`primitive` as the operator of a Tensor on the right."""

    def operator(self: "Tensor", other: Any) -> "Tensor":
        if not _is_operand(other):
            return NotImplemented
        return apply(primitive, (other, self))

    return operator


def _is_operand(value: Any) -> bool:
    """Whether operations take `value`; if not, Python is to ask its class for the operator."""
    return isinstance(value, (Tensor, float, int, np.generic)) or hasattr(value, "__array_ufunc__")


def _operand(primitive: Primitive, value: Any) -> Any:
    """An argument that is no Tensor as an operation takes it: an array, or a Python number."""
    if isinstance(value, np.generic):
        return value.item()  # weak in promotion, as a Python number is
    if isinstance(value, (float, int)):
        return value + 0  # a plain one: from an IntEnum, say
    if hasattr(value, "__array_ufunc__"):  # NumPy's arrays, and whatever speaks its protocols
        dtypes.of(value.dtype)
        return value
    raise TypeError(
        f"{primitive.name}: expected a Tensor, an array or a number, got {type(value).__name__}"
    )


def _storage(out: Any) -> Any:
    """NumPy's scalars as 0-d arrays; other arrays as they are."""
    return np.array(out) if isinstance(out, np.generic) else out


def fresh_copy(array: Any) -> Any:
    """The same values in memory that nobody else holds."""
    return _storage(array).copy()


def _note_view(view: "Tensor", source: "Tensor") -> None:
    """Let the tensor whose memory `view` shows know of it, for writing in place."""
    memory, array = view._array.base, source._array
    if memory is None or (memory is not array and memory is not array.base):
        return
    root = source if source._base is None else source._base
    view._base = root
    views = root._views
    if views is None:
        views = root._views = []
    views.append(weakref.ref(view))
    if not len(views) & (len(views) - 1):  # at each power of two, forget the dead if they are half
        alive = [r for r in views if r() is not None]
        if 2 * len(alive) <= len(views):
            views[:] = alive


def make(array: Any, node: Node | None = None) -> "Tensor":
    """The Tensor of an array that nobody else writes to, with its place on the tape."""
    if modes.flags & TRACE:
        modes.trace.made(array)
    tensor = _new(Tensor)
    tensor._array, tensor._node = array, node
    return tensor


def lift(value: Any, node: Node | None) -> Any:
    """A saved value as the rules take it when they are recorded: arrays become Tensors."""
    return make(value, node) if hasattr(value, "dtype") else value


class Lent:
    """A gradient in the memory of a compiled step, until somebody asks for it."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


class Tensor:
    """An array that remembers how it was computed.

    Made by `tensor`, `zeros` and the like, and by operations. `Tensor(2, 3)` is uninitialised and
    `Tensor([1, 2])` of the default dtype, as in PyTorch.
    """

    __slots__ = ("__dict__", "__weakref__", "_array", "_node")
    __array_priority__ = 1000  # for array types older than __array_ufunc__
    _apply = staticmethod(apply)

    _array: Any
    _node: Node | None
    _base: "Tensor | None" = None
    _views: "list[weakref.ref[Tensor]] | None" = None
    _grad: "Tensor | Lent | None" = None
    _home: "tuple[Any, int, Any] | None" = None  # see compiler/arena.py

    def __init__(self, *sizes: Any) -> None:
        dtype = dtypes.get_default_dtype().dtype
        if len(sizes) == 1 and not isinstance(sizes[0], int):
            data = sizes[0]
            if hasattr(data, "dtype"):
                taken("Tensor() of a tensor or an array")
            self._array = np.array(data._array if isinstance(data, Tensor) else data, dtype)
        else:
            self._array = np.empty(sizes or (0,), dtype)
        self._node = None

    def as_subclass(self, cls: type) -> Any:
        """This tensor, memory and place on the tape, as an instance of a subclass of Tensor."""
        taken("as_subclass()")
        tensor = _new(cls)
        tensor._array, tensor._node = self._array[...], self._node
        _note_view(tensor, self)
        return tensor

    # What it is

    @property
    def shape(self) -> "Size":
        """Length along each axis."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """Type of the elements."""
        return dtypes.of(self._array.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def device(self) -> "device":
        """Always the CPU."""
        return device("cpu")

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> "Iterator[Tensor]":
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._array)))

    # Values out

    def item(self) -> float | int | bool:
        """The one element as a Python number. Raises: RuntimeError if there is not just one."""
        taken("item()")
        if self._array.size != 1:
            raise RuntimeError(
                f"item() needs a tensor of one element, got shape {tuple(self.shape)}"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        taken("tolist()")
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The array itself, memory shared; `force` detaches first.

        Raises: RuntimeError if it requires grad: writing to it would escape the tape.
        """
        if self._node is not None and not force:
            raise RuntimeError(
                "numpy() would take a tensor that requires grad off the tape; "
                "use tensor.detach().numpy()"
            )
        taken("numpy()")
        return self._array if modes.flags < VMAP else np.asarray(self._array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self._node is not None:
            raise BufferError("a tensor that requires grad cannot be exported; use tensor.detach()")
        taken("DLPack")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                f"the truth value of a tensor of shape {tuple(self.shape)} is ambiguous; "
                "use .any() or .all()"
            )
        taken("bool()")
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def _only(self) -> float | int | bool:
        if self._array.size != 1:
            raise ValueError(
                f"only tensors of one element are numbers, got shape {tuple(self.shape)}"
            )
        return self.item()

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        taken("use as an index")
        return int(self._array.item())

    def __contains__(self, value: Any) -> bool:
        found = self == value
        if not isinstance(found, Tensor):
            raise RuntimeError(f"a tensor contains Tensors and numbers, not {type(value).__name__}")
        taken("in")
        return bool(found._array.any())

    def __repr__(self) -> str:
        taken("repr()")
        if modes.flags & VMAP and not isinstance(self._array, np.ndarray):
            return f"{type(self).__name__}({self._array!r})"
        return printing.tensor_text(
            self._array, type(self).__name__, self.requires_grad, self.grad_fn
        )

    def __format__(self, spec: str) -> str:
        if self._array.ndim or not (spec or type(self) is Tensor):
            return object.__format__(self, spec)
        return format(self.item(), spec)  # f"{loss}" is the number

    # Its place on the tape

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradient of this tensor, or no longer.

        Raises: RuntimeError if its elements are not floats, or it is computed from others.
        """
        if modes.flags & TRACE:
            modes.trace.changing(self, "requires_grad_()")
        versions.changes += 1
        if not self.is_leaf:
            if not requires_grad:
                raise RuntimeError(
                    "requires_grad can be switched off for leaf tensors only; "
                    "use tensor.detach() for a computed one"
                )
        elif requires_grad and self._node is None:
            if self._array.dtype.kind != "f":
                raise RuntimeError(
                    f"only tensors of a floating dtype can require gradients, got {self.dtype}"
                )
            self._node = Leaf(self)
        elif not requires_grad:
            self._node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was not computed by a recorded operation."""
        return self._node is None or self._node.plan is None

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that computed this tensor, None for a leaf."""
        return None if self.is_leaf else self._node

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that backward passes have gathered here."""
        gradient = self._grad
        if gradient.__class__ is Lent:
            gradient = self._grad = make(fresh_copy(gradient.array))
        if modes.flags & TRACE:
            modes.trace.meet_grad(self)
        return gradient  # type: ignore[return-value]

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad must be a Tensor or None, got {type(value).__name__}")
            if value.shape != self.shape or value.dtype != self.dtype:
                raise RuntimeError(
                    f"grad must be like its tensor, {self.dtype} of shape {tuple(self.shape)}; "
                    f"got {value.dtype} of shape {tuple(value.shape)}"
                )
        if modes.flags & TRACE:
            modes.trace.set_grad(self)
        self._grad = value

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `grad` too."""
        if self._node is None:
            raise RuntimeError("retain_grad() needs a tensor that requires grad")
        if not self.is_leaf:
            self._node.tensor = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether this is a computed tensor that keeps its gradient."""
        return not self.is_leaf and self._node.tensor is not None  # type: ignore[union-attr]

    def register_hook(self, hook: "Callable[[Tensor], Tensor | None]") -> "RemovableHandle":
        """Call `hook` with the gradient of this tensor in each backward pass.

        What it returns, unless None, replaces the gradient. Returns a handle with `remove()`.
        """
        if self._node is None:
            raise RuntimeError("register_hook() needs a tensor that requires grad")

        def run(g: Any) -> Any:
            recorded = isinstance(g, Tensor)
            given = g if recorded else make(fresh_copy(g))  # the hook may keep it, or write to it
            result = hook(given)
            if result is None:
                result = given
            if not isinstance(result, Tensor):
                raise TypeError(f"a hook must return a Tensor or None, got {type(result).__name__}")
            if result._array.shape != g.shape or result._array.dtype != g.dtype:
                raise RuntimeError(
                    f"a hook must return a gradient like the one it was given, {given.dtype} of "
                    f"shape {tuple(g.shape)}; got {result.dtype} of shape {tuple(result.shape)}"
                )
            return result if recorded else fresh_copy(result._array)

        if self._node.hooks is None:
            self._node.hooks = {}
        return RemovableHandle(self._node.hooks, run)

    @property
    def data(self) -> "Tensor":
        """The same memory, off the tape; assigning another tensor takes over its memory."""
        return self.detach()

    @data.setter
    def data(self, value: "Tensor") -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, got {type(value).__name__}")
        if modes.flags & TRACE:
            modes.trace.changing(self, "assigning data")
        versions.changes += 1
        for reference in self._views or ():
            if (view := reference()) is not None:
                view._base = None
        if self._base is not None:
            self._base._views = [r for r in self._base._views or () if r() is not self]
        self._array, self._views, self._base = value._array, None, None
        if self._node is not None:
            self._node.shape, self._node.dtype = self._array.shape, self._array.dtype

    def detach(self) -> "Tensor":
        """The same memory, off the tape."""
        if modes.flags & TRACE:
            modes.trace.meet((self,))
        return make(self._array)

    def detach_(self) -> Self:
        """Take this tensor itself off the tape.

        Raises: RuntimeError if it is a view: the tensor it shows would stay on the tape.
        """
        if self._base is not None:
            raise RuntimeError("detach_() cannot take a view off the tape; use detach()")
        if modes.flags & TRACE:
            modes.trace.changing(self, "detach_()")
        versions.changes += 1
        self._node = None
        return self

    @property
    def _version(self) -> int:
        return versions.version(self._array)

    # NumPy functions on Tensors

    __array_ufunc__, __array_function__ = numpy_calls.array_ufunc, numpy_calls.array_function

    # Copies

    def __deepcopy__(self, memo: dict) -> Self:
        if not self.is_leaf:
            raise RuntimeError(
                "only leaf tensors can be deep-copied; use tensor.detach() or tensor.clone()"
            )
        cls, array, requires_grad, grad, kept = self.__reduce_ex__(4)[1]
        if grad is not None:
            grad = make(fresh_copy(grad._array))
        array = copy.deepcopy(array, memo)  # of tensors that share it, one copy for all
        return rebuild(cls, array, requires_grad, grad, copy.deepcopy(kept, memo))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        own = ("_base", "_views", "_grad", "_home")
        kept = {k: v for k, v in self.__dict__.items() if k not in own}
        return rebuild, (type(self), self._array, self.requires_grad, self.grad, kept)

    if TYPE_CHECKING:  # what methods.py attaches

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, key: Any) -> "Tensor": ...
        def __setitem__(self, key: Any, value: Any) -> None: ...

        __and__: Any
        __or__: Any
        __xor__: Any
        __invert__: Any
        __matmul__: Any
        __mod__: Any
        __floordiv__: Any
        __abs__: Any

    # Operators; the rest is in methods.py

    __hash__ = object.__hash__
    __add__, __sub__ = binary(ops.add), binary(ops.subtract)
    __mul__, __truediv__ = binary(ops.multiply), binary(ops.divide)
    __pow__, __neg__ = binary(ops.power), unary(ops.negative)
    __radd__, __rsub__ = reflected(ops.add), reflected(ops.subtract)
    __rmul__, __rtruediv__ = reflected(ops.multiply), reflected(ops.divide)
    __rpow__ = reflected(ops.power)
    __eq__, __ne__ = binary(ops.equal), binary(ops.not_equal)  # type: ignore[assignment]
    __lt__, __le__ = binary(ops.less), binary(ops.less_equal)
    __gt__, __ge__ = binary(ops.greater), binary(ops.greater_equal)


def taken(how: str) -> None:
    """What is about to be done cannot be recorded, such as taking values off the tape."""
    if modes.flags & TRACE:
        modes.trace.refuse(f"{how} cannot be recorded")


def rebuild(cls: type, array: Any, requires_grad: bool, grad: Tensor | None, kept: dict) -> Any:
    """The tensor of a subclass with an array, a gradient and attributes, as copied or loaded."""
    usual = np.dtype(array.dtype.type)
    tensor = _new(cls)
    # The dtype of an unpickled array is equal to the usual one, not identical: see binary().
    if array.dtype is not usual:
        array = array.view(usual) if array.dtype == usual else array.astype(usual)
    tensor._array = array
    tensor._node, tensor._grad = None, grad
    tensor.__dict__.update(kept)
    return tensor.requires_grad_(requires_grad)
