"""Drawing into files with matplotlib, where it is installed."""

from pathlib import Path
from typing import Any


def canvas(columns: int) -> tuple[Any, Any]:
    """A matplotlib Figure with one row of `columns` axes, and the axes as a list.

    No window, no global state: the figure is drawn by whatever writes it (`Figure.savefig`).
    Raises: ImportError naming the extra if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib, which is not installed: pip install 'tapegrad[plot]'"
        ) from error
    figure = Figure(figsize=(6 * columns, 4.5), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def learning_curves(path: Path, curves: dict[str, dict[str, list[float]]]) -> None:
    """Writes a picture with one panel per quantity and one line per part of the data, by epoch.

    `curves[quantity][part]` is a list with one number per epoch.
    """
    figure, axes = canvas(len(curves))
    for panel, (quantity, parts) in zip(axes, curves.items(), strict=True):
        for part, numbers in parts.items():
            panel.plot(range(1, len(numbers) + 1), numbers, label=part)
        panel.set(xlabel="epoch", ylabel=quantity)
        panel.legend()
    figure.savefig(path)
