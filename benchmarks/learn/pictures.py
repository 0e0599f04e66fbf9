"""Drawing into files with matplotlib, where it is installed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def canvas(columns: int, rows: int = 1) -> tuple[Any, Any]:
    """A matplotlib Figure with rows of `columns` axes, and the axes as a list, row by row.

    No window, no global state: the figure is drawn by whatever writes it (`Figure.savefig`).
    Raises: ImportError naming the extra if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib, which is not installed: pip install 'tapegrad[plot]'"
        ) from error
    figure = Figure(figsize=(6 * columns, 4.5 * rows), layout="constrained", dpi=120)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def learning_curves(path: Path, curves: dict[str, dict[str, list[float]]]) -> None:
    """Writes a picture with one panel per quantity and one line per part of the data, by epoch.

    `curves[quantity][part]` is a list with one number per epoch. Accuracies have a linear axis,
    losses, which fall by orders of magnitude, a logarithmic one.
    """
    figure, axes = canvas(len(curves))
    _draw_curves(axes, curves)
    figure.savefig(path)


def curves_and_images(
    path: Path, curves: dict[str, dict[str, list[float]]], images: dict[str, np.ndarray]
) -> None:
    """Writes learning curves, and below them images under their titles."""
    figure, _ = canvas(len(curves))
    figure.clear()
    above, below = figure.subfigures(2, 1, height_ratios=(3, 1))
    _draw_curves(above.subplots(1, len(curves)), curves)
    for panel, (title, pixels) in zip(below.subplots(1, len(images)), images.items(), strict=True):
        panel.imshow(pixels, cmap="gray_r", interpolation="nearest")
        panel.set_title(title, fontsize="small")
        panel.axis("off")
    figure.savefig(path)


def _draw_curves(axes: Any, curves: dict[str, dict[str, list[float]]]) -> None:
    for panel, (quantity, parts) in zip(axes, curves.items(), strict=True):
        for part, numbers in parts.items():
            panel.plot(range(1, len(numbers) + 1), numbers, label=part)
        scale = "linear" if quantity == "accuracy" else "log"
        panel.set(xlabel="epoch", ylabel=quantity, yscale=scale)
        panel.grid(alpha=0.3)
        panel.legend()


def loss_curves(path: Path, runs: dict[str, list[float]], printed: Sequence[str]) -> None:
    """Writes a picture of the losses of runs by update, with the printed ones as points."""
    figure, (panel,) = canvas(1)
    _draw_losses(panel, runs, printed)
    figure.savefig(path)


def _draw_losses(panel: Any, runs: dict[str, list[float]], printed: Sequence[str]) -> None:
    """Draws the losses of runs by update; `printed` are known ones of every hundredth update."""
    for name, numbers in runs.items():
        panel.plot(numbers, label=name)
    length = max(map(len, runs.values()))
    known = [float(text) for text in printed][: (length + 99) // 100]
    panel.plot([100 * count for count in range(len(known))], known, "ko", label="known")
    panel.set(xlabel="update", ylabel="mean squared error", yscale="log")
    panel.grid(alpha=0.3)
    panel.legend()


def forecasts(
    path: Path,
    runs: dict[str, list[float]],
    printed: Sequence[str],
    targets: np.ndarray,
    predictions: np.ndarray,
) -> None:
    """Writes the losses, as `loss_curves` does, beside the `noisy_sine` with its predicted values.

    Shapes: targets and predictions (n - length, 1), of the last values of the series.
    """
    figure, (curves, series) = canvas(2)
    _draw_losses(curves, runs, printed)
    times = np.linspace(0, 10, 1000)[-len(targets) :]
    series.plot(times, targets, ".", color="0.6", markersize=3, label="series")
    series.plot(times, predictions, color="tab:red", label="predicted from the ten before")
    series.set(xlabel="$t$", ylabel="value")
    series.legend()
    figure.savefig(path)


def decision_regions(
    panel: Any,
    probability: Callable[[np.ndarray], np.ndarray],
    across: tuple[float, float],
    up: tuple[float, float],
) -> None:
    """Draws the probability of class 1 over a rectangle as colours, and the line where it is 1/2.

    `probability` maps points (N, 2) to numbers (N,) in [0, 1].
    """
    x, y = np.meshgrid(np.linspace(*across, 200), np.linspace(*up, 200))
    heights = probability(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    panel.contourf(x, y, heights, levels=np.linspace(0, 1, 11), cmap="RdYlGn_r", alpha=0.5)
    if heights.min() < 0.5 < heights.max():
        panel.contour(x, y, heights, levels=[0.5], colors="black")
    panel.set(xlabel="$x_0$", ylabel="$x_1$")


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
