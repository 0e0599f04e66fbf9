"""What a check of gradients found, as a table, and what it says of a gradient that is wrong."""

from dataclasses import dataclass, field


class GradcheckError(AssertionError, RuntimeError):
    """A gradient is not the numerical one, or the function is none that can be checked.

    argument, order: by what the derivative is wrong, and which derivative; "" and 0 if it is none.
    """

    def __init__(self, message: str, argument: str = "", order: int = 0) -> None:
        super().__init__(message)
        self.argument, self.order = argument, order


@dataclass(frozen=True)
class Row:
    """The worst of the comparisons for one argument, in one mode and order.

    method: how the numeric derivative was found, "complex step" or "differences".
    error: relative to the sum of the sizes of the terms that make up the derivative.
    """

    argument: str
    order: int
    mode: str
    method: str
    error: float


@dataclass(frozen=True)
class Kink:
    """A place where the derivatives from the left and the right differ, or one does not exist."""

    argument: str
    order: int
    element: tuple[int, ...] | None
    left: float
    right: float
    given: float

    def __str__(self) -> str:
        where = "one direction" if self.element is None else f"element {self.element}"
        return (
            f"at a kink or the edge of the domain: {where} of {self.argument}, order {self.order}: "
            f"left slope {self.left:.6g}, right slope {self.right:.6g}, the gradient given "
            f"{self.given:.6g}"
        )


@dataclass
class Report:
    """The comparisons that passed, the kinks that were met, and what was left out and why."""

    rows: list[Row] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max((row.error for row in self.rows), default=0.0)

    def __str__(self) -> str:
        width = max([8, *[len(row.argument) for row in self.rows]])
        lines = [f"{'argument':{width}}  order  mode     method        relative error"]
        lines += [
            f"{r.argument:{width}}  {r.order:<5}  {r.mode:7}  {r.method:12}  {r.error:.1e}"
            for r in self.rows
        ]
        return "\n".join([*lines, *map(str, self.kinks), *self.notes])
