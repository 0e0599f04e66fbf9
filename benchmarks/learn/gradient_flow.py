"""Vanishing gradients: how large they are in every layer of a deep network, and what helps.

The digits, scaled to [0, 1], and networks of ten hidden layers of 50 units, for several activations
and first weights, without and with batch normalisation in front of the activation. First the norms
of the gradients of the weights before any training; then the accuracy after 20 epochs of Adam with
a rate of 1e-3. The claims of the notes that are tested, each without batch normalisation:
    logistic units saturate when weights are drawn from N(0, 1)
    the gradients of a logistic network vanish towards its first layer; no other's does
    every other activation learns better (the notes' order among them is within the noise here)
    batch normalisation keeps gradients from vanishing
and with networks of their own:
    dropout of one half regularises: lower cross-entropy on new images after training on 200
    clipping bounds a gradient that explodes, that of an RNN with large weights over 50 steps
Source: M. Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
week 3, from "Which activation function should I use?" to "Gradient Clipping"; Glorot & Bengio 2010,
proceedings.mlr.press/v9/glorot10a; He et al. 2015, arXiv:1502.01852.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks import data
from benchmarks.learn.figures import Figure, judged, shown, within
from benchmarks.learn.pictures import canvas
from benchmarks.learn.progress import Progress
from benchmarks.learn.steps import made
from benchmarks.learn.training import CLASS_MEASURES, measure, pair_of_parts

DEPTH, WIDTH = 10, 50
PLAIN, NORMALISED = "", ", batch norm"
QUICK = {"epochs": 1}


def standard_normal(weight: autodiff.Tensor) -> None:
    """What was usual before Glorot: N(0, 1)."""
    nn.init.normal_(weight)


def he(weight: autodiff.Tensor) -> None:
    """N(0, 2 / inputs)."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


glorot = nn.init.xavier_normal_

NETWORKS: dict[str, tuple[type[nn.Module], Callable]] = {
    "logistic, N(0, 1)": (nn.Sigmoid, standard_normal),
    "logistic, Glorot": (nn.Sigmoid, glorot),
    "tanh, Glorot": (nn.Tanh, glorot),
    "ReLU, He": (nn.ReLU, he),
    "leaky ReLU, He": (nn.LeakyReLU, he),
    "ELU, He": (nn.ELU, he),
}


def network(
    activation: type[nn.Module], initialise: Callable, normalised: bool = False
) -> nn.Sequential:
    """Ten hidden layers and an output layer, biases 0."""
    layers: list[nn.Module] = []
    for layer in range(DEPTH):
        layers.append(nn.Linear(WIDTH if layer else 64, WIDTH))
        if normalised:
            layers.append(nn.BatchNorm1d(WIDTH))
        layers.append(activation())
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    for module in model:
        if isinstance(module, nn.Linear):
            initialise(module.weight)
            nn.init.zeros_(module.bias)
    return model


def gradient_norms(model: nn.Module, x: autodiff.Tensor, y: autodiff.Tensor) -> list[float]:
    """The norm of every weight matrix's gradient of the cross-entropy, first layer first."""
    model.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    return [
        module.weight.grad.norm().item()
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]


def saturated(model: nn.Sequential, x: autodiff.Tensor) -> float:
    """The fraction of the outputs of logistic units that are within 1 % of 0 or 1."""
    outputs = []
    with autodiff.no_grad():
        for module in model:
            x = module(x)
            if isinstance(module, nn.Sigmoid):
                outputs.append(x)
    outputs = autodiff.cat(outputs)
    return ((outputs < 0.01) | (outputs > 0.99)).float().mean().item()


def trained(
    model: nn.Module, parts: dict[str, TensorDataset], epochs: int, compiled: bool = False
) -> dict[str, float]:
    """Trains the model; its measures on what was held out."""
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def update(x, y):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    update = made(update, compiled)
    model.train()
    for _ in range(epochs):
        for batch in DataLoader(parts["train"], batch_size=100, shuffle=True):
            update(*batch)
    return {
        name: by_part["held-out"] for name, by_part in measure(model, parts, CLASS_MEASURES).items()
    }


def wide_network(dropout: float) -> nn.Sequential:
    """Two hidden layers of 200 units, of which a fraction is left out in every update."""
    return nn.Sequential(
        *(nn.Linear(64, 200), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(200, 200), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(200, 10),
    )


def recurrent_norms(longest: float) -> tuple[float, float]:
    """The norm of the gradient through 50 steps of an RNN with large weights; and once clipped."""
    model = nn.RNN(1, 20, batch_first=True, nonlinearity="relu")
    nn.init.orthogonal_(model.weight_hh_l0, gain=2)
    out, _ = model(autodiff.randn(8, 50, 1))
    out[:, -1].square().mean().backward()
    before = nn.utils.clip_grad_norm_(model.parameters(), longest)
    after = nn.utils.get_total_norm([p.grad for p in model.parameters()])
    return before.item(), after.item()


def run(
    seed: int = 0, epochs: int = 20, plot: Path | None = None, compiled: bool = False
) -> list[Figure]:
    """Saturation, gradients and accuracies of every network; then dropout and clipping."""
    pixels, labels = data.digits()
    parts = pair_of_parts(
        autodiff.tensor(pixels / 16, dtype=autodiff.float32),
        autodiff.tensor(labels),
        data.held_out_split(len(pixels), 0.2, seed),
    )
    x, y = parts["train"].tensors
    figures: list[Figure] = []
    norms: dict[str, dict[str, list[float]]] = {PLAIN: {}, NORMALISED: {}}
    reached: dict[str, dict[str, float]] = {PLAIN: {}, NORMALISED: {}}
    progress = Progress(len(norms) * len(NETWORKS), unit="network")
    for _, (how, name) in zip(progress, product(norms, NETWORKS)):
        progress.say(name + how)
        autodiff.manual_seed(seed)
        model = network(*NETWORKS[name], normalised=how == NORMALISED)
        if name == "logistic, N(0, 1)" and how == PLAIN:
            figures.append(within(f"{name}: saturated", "many", saturated(model, x), low=0.1))
        norms[how][name] = gradient_norms(model, x, y)
        reached[how][name] = trained(model, parts, epochs, compiled)["accuracy"]
    if plot is not None:
        draw(plot, norms)

    for how, by_network in norms.items():
        for name, numbers in by_network.items():
            ratio = numbers[0] / numbers[DEPTH - 1]
            vanishes = how == PLAIN and name.startswith("logistic")
            bounds = {"high": 0.5} if vanishes else {"low": 0.5}
            said = "below 1/2" if vanishes else "above 1/2"
            figures.append(within(f"{name}{how}: first/last gradient", said, ratio, **bounds))
    best = max(found for name, found in reached[PLAIN].items() if name.startswith("logistic"))
    for how, by_name in reached.items():
        for name, found in by_name.items():
            figure = shown(f"{name}{how}: held-out accuracy", found)
            if how == PLAIN and not name.startswith("logistic"):
                figure = within(figure.name, "above logistic", found, low=best)
            figures.append(judged(epochs >= 20, figure))

    few = {**parts, "train": TensorDataset(x[:200], y[:200])}
    losses = []
    for dropout in (0.0, 0.5):
        autodiff.manual_seed(seed)
        losses.append(trained(wide_network(dropout), few, 10 * epochs, compiled)["cross-entropy"])
    autodiff.manual_seed(seed)
    before, after = recurrent_norms(1.0)
    figure = within("dropout 1/2: held-out cross-entropy", "lower", losses[1], high=losses[0])
    return [
        *figures,
        shown("no dropout: held-out cross-entropy", losses[0]),
        judged(epochs >= 20, figure),
        within("RNN, norm of the gradient", "large", before, low=1e3),
        within("RNN, norm once clipped to 1", "1", after, high=1 + 1e-5),
    ]


def draw(path: Path, norms: dict[str, dict[str, list[float]]]) -> None:
    """Writes the norms by layer, a panel for each way to build the networks."""
    figure, axes = canvas(len(norms))
    for panel, (title, by_network) in zip(axes, norms.items(), strict=True):
        for (name, numbers), marker in zip(by_network.items(), "os^Dxv", strict=True):
            panel.plot(range(1, len(numbers) + 1), numbers, marker, ls="-", mfc="none", label=name)
        panel.set(title=title.strip(", ") or "as they are", xlabel="layer", yscale="log")
    axes[0].set_ylabel("norm of the gradient")
    axes[1].sharey(axes[0])
    axes[0].legend()
    figure.savefig(path)
