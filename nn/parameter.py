"""The tensors that belong to a module: learned or not."""

from typing import Any, Self

from autodiff import Tensor


class Parameter(Tensor):
    """A tensor that is learned: as an attribute of a Module it is one of its parameters.

    It shares memory with `data`; what is computed from it is a plain Tensor.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        super().__init__()
        if data is not None:
            self.data = data
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{self.as_subclass(Tensor)!r}"

    def __deepcopy__(self, memo: dict) -> Self:
        return type(self)(self.detach().clone(), self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.detach(), self.requires_grad)


class Buffer(Tensor):
    """A tensor that is not learned: assigned to an attribute of a Module it becomes a buffer.

    persistent: whether it is part of the module's state_dict.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        super().__init__()
        if data is not None:
            self.data = data
        self.persistent = persistent
