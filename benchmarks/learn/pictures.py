"""Drawing into files with matplotlib, where it is installed."""

from pathlib import Path
from typing import Any

import numpy as np


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


def heat_maps(
    path: Path,
    maps: dict[str, np.ndarray],
    rows: tuple[str, list[str]],
    columns: tuple[str, list[str]],
) -> None:
    """Writes a picture with one panel per map, its numbers in [0, 1] as colours and as text.

    `rows` and `columns` are the name of what is varied along that axis, and its values as text.
    """
    figure, axes = canvas(len(maps))
    for panel, (name, numbers) in zip(axes, maps.items(), strict=True):
        image = panel.imshow(numbers, cmap="viridis", vmin=0, vmax=1)
        for (row, column), number in np.ndenumerate(numbers):
            colour = "black" if number > 0.6 else "white"
            panel.text(column, row, f"{number:.2f}", ha="center", va="center", color=colour)
        panel.set(title=f"{name} accuracy", xlabel=columns[0], ylabel=rows[0])
        panel.set_xticks(range(len(columns[1])), columns[1])
        panel.set_yticks(range(len(rows[1])), rows[1])
    figure.colorbar(image, ax=axes)
    figure.savefig(path)
