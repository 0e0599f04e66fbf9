"""Figures of an experiment beside the printed ones, and the table that shows them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

HEAD = "figure", "known", "here", "ok"


@dataclass(frozen=True)
class Figure:
    """One number an experiment reached. `ok` is None where there is nothing to hold it against."""

    name: str
    value: float
    printed: str = ""
    here: str = ""
    ok: bool | None = None


def exact(name: str, printed: str, value: float) -> Figure:
    """A figure that must equal the printed one in every printed digit.

    >>> exact("loss", "0.333", 1 / 3).ok, exact("loss", "0.334", 1 / 3).ok
    (True, False)
    """
    decimals = len(printed.partition(".")[2])
    here = f"{value:.{decimals}f}"
    return Figure(name, float(value), printed, here, here == printed)


def within(
    name: str, printed: str, value: float, low: float = -math.inf, high: float = math.inf
) -> Figure:
    """A figure that must lie in the closed interval from low to high.

    >>> within("accuracy", "at least 0.97", 0.98, low=0.97).ok
    True
    """
    return Figure(name, float(value), printed, f"{value:.6g}", bool(low <= value <= high))


def shown(name: str, value: float, printed: str = "") -> Figure:
    """A figure to look at, held against nothing."""
    return Figure(name, float(value), printed, f"{value:.6g}")


def judged(finished: bool, figure: Figure) -> Figure:
    """The figure; held against nothing after a run that is too short to be.

    >>> judged(False, within("accuracy", "at least 0.97", 0.5, low=0.97)).ok
    """
    return figure if finished else replace(figure, ok=None)


def by_hundreds(losses: list[float], printed: tuple[str, ...]) -> list[Figure]:
    """Exact figures of the losses after 0, 100, 200 ... updates, as far as the training went."""
    return [exact(name, text, loss) for name, text, loss in _hundreds(losses, printed)]


def shown_by_hundreds(losses: list[float], printed: tuple[str, ...]) -> list[Figure]:
    """The same losses to look at, where the printed run had other initial weights."""
    return [shown(name, loss, text) for name, text, loss in _hundreds(losses, printed)]


def _hundreds(losses: list[float], printed: tuple[str, ...]) -> Iterable[tuple[str, str, float]]:
    for count, (text, loss) in enumerate(zip(printed, losses[::100])):
        yield f"loss after {100 * count} updates", text, loss


def value(figures: Iterable[Figure], name: str) -> float:
    """The value of the figure called `name`."""
    return next(figure.value for figure in figures if figure.name == name)


def table(figures: Iterable[Figure]) -> str:
    """The figures as text in four columns: name, known (as printed), here, ok."""
    return aligned([HEAD, *rows(figures)])


def rows(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """The cells of the table below HEAD."""
    verdicts = {True: "yes", False: "NO", None: ""}
    return [(f.name, f.printed, f.here, verdicts[f.ok]) for f in figures]


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows of text under their header row; the first column left-aligned, the others right.

    >>> print(aligned([("name", "n"), ("a", "12")]))
    name |  n
    -----+---
    a    | 12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines)
