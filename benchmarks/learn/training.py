"""A training loop for any model: minibatches, parts to validate on, a history, an end by Ctrl-C."""

from collections.abc import Callable

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks.learn.progress import Progress
from benchmarks.learn.steps import made

Measures = dict[str, Callable[[autodiff.Tensor, autodiff.Tensor], autodiff.Tensor]]
History = dict[str, dict[str, list[float]]]


def fit(
    model: nn.Module,
    criterion: Callable,
    optimizer: optim.Optimizer,
    parts: dict[str, TensorDataset],
    measures: Measures,
    epochs: int,
    batch_size: int | None = None,
    compiled: bool = False,
) -> History:
    """Trains on the first of the parts; measures all of them after every epoch.

    Every epoch goes through each row once, in shuffled minibatches of batch_size, or all at once.
    A penalty on the weights is the optimiser's `weight_decay`. Ctrl-C ends the training, and what
    was learned is kept.

    parts: pairs (x, y) by name. measures: functions of what the model gives for x, and of y.
    Returns: history[measure][part], a list with one number per epoch that was finished.
    """
    first, *_ = parts.values()
    batches = [first.tensors]
    if batch_size is not None:
        batches = DataLoader(first, batch_size, shuffle=True)

    def update(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()

    update = made(update, compiled)
    history: History = {name: {part: [] for part in parts} for name in measures}
    progress = Progress(epochs)
    try:
        for _ in progress:
            model.train()
            for batch in batches:
                update(*batch)
            measured = measure(model, parts, measures)
            for name, numbers in measured.items():
                for part, number in numbers.items():
                    history[name][part].append(number)
            progress.say(said(measured))
    except KeyboardInterrupt:
        print("\nstopped; what was learned is kept")
    return history


def measure(
    model: nn.Module, parts: dict[str, TensorDataset], measures: Measures
) -> dict[str, dict[str, float]]:
    """measured[measure][part] of the model as it is."""
    model.eval()
    with autodiff.no_grad():
        given = {part: (model(data.tensors[0]), data.tensors[1]) for part, data in parts.items()}
        return {
            name: {part: function(*pair).item() for part, pair in given.items()}
            for name, function in measures.items()
        }


def said(measured: dict[str, dict[str, float]]) -> str:
    """The numbers in one line.

    >>> said({"loss": {"train": 0.5, "held-out": 0.75}})
    'loss: train 0.5000, held-out 0.7500'
    """
    return "  ".join(
        f"{name}: " + ", ".join(f"{part} {number:.4f}" for part, number in numbers.items())
        for name, numbers in measured.items()
    )


def class_accuracy(scores: autodiff.Tensor, labels: autodiff.Tensor) -> autodiff.Tensor:
    """The fraction of rows whose largest score is that of their class.

    Shapes: scores (N, C) float; labels (N,) int -> ().
    """
    return (scores.argmax(1) == labels).float().mean()


CLASS_MEASURES: Measures = {
    "cross-entropy": nn.functional.cross_entropy,
    "accuracy": class_accuracy,
}


def threshold_accuracy(threshold: float = 0.5) -> Callable:
    """A measure: the fraction of rows for which "probability > threshold" is the answer.

    Of logits (N, 1) and answers (N, 1), 0 or 1.
    """

    def accuracy(logits, answers):
        return ((autodiff.sigmoid(logits) > threshold) == (answers > 0.5)).float().mean()

    return accuracy


def pair_of_parts(x: autodiff.Tensor, y: autodiff.Tensor, split: tuple) -> dict[str, TensorDataset]:
    """The rows to train on and those held out, as the `parts` of `fit`."""
    return {
        part: TensorDataset(x[rows], y[rows])
        for part, rows in zip(("train", "held-out"), split, strict=True)
    }
