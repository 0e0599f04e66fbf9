"""The training steps as a user of PyTorch writes them, for any package that is spelled like it."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

from benchmarks.speed.workloads import Problem

LEAKY_SLOPE = 0.001
HEADS = 4


def training_step(
    problem: Problem, torch: Any, nn: Any, optim: Any, **options: Any
) -> Callable[[], Any]:
    """A function that makes one update on the next batch and returns the loss before it.

    `torch`, `nn` and `optim` are the modules to use: PyTorch's or ours. `options` are the
    optimizer's, and two functions that wrap one: `compile_step` the whole update, `compile_loss`
    the forward pass.
    """
    compile_step = options.pop("compile_step", lambda function: function)
    compile_loss = options.pop("compile_loss", lambda function: function)
    model, criterion = MODELS[problem.workload](torch, nn)
    if problem.weights[0].dtype == "float64":
        model.double()
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), problem.weights, strict=True):
            parameter.copy_(torch.tensor(weight))
    optimizer = getattr(optim, problem.optimizer)(model.parameters(), lr=problem.lr, **options)
    batches = cycle([(torch.tensor(x), torch.tensor(y)) for x, y in problem.batches])

    @compile_loss
    def loss_of(x, y):
        return criterion(model(x), y)

    @compile_step
    def update(x, y):
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda: update(*next(batches))


def line(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W1."""
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)), nn.MSELoss()


def sine(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W2."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 5, batch_first=True)
            self.fc = nn.Linear(5, 1)

        def forward(self, x):
            states, _ = self.rnn(x)
            return self.fc(states[:, -1])

    return Network(), nn.MSELoss()


def clouds(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W3. The mean over two outputs is half the sum, as in the program this comes from."""
    layers = (
        *(nn.Linear(2, 2, bias=False), nn.Sigmoid()),
        *(nn.Linear(2, 2, bias=False), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.MSELoss()


def tumours(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W4."""
    layers = (
        *(nn.Linear(30, 100), nn.ReLU()),
        *(nn.Linear(100, 30), nn.ReLU()),
        *(nn.Linear(30, 1), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.BCELoss()


def digits(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W5."""
    layers = (
        *(nn.Linear(64, 100), nn.LeakyReLU(LEAKY_SLOPE)),
        *(nn.Linear(100, 30), nn.LeakyReLU(LEAKY_SLOPE)),
        nn.Linear(30, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


def small_classifier(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W6."""
    layers = (
        *(nn.Linear(8, 12), nn.ReLU()),
        *(nn.Linear(12, 8), nn.ReLU()),
        *(nn.Linear(8, 1), nn.Sigmoid()),
    )
    return nn.Sequential(*layers), nn.BCELoss()


def wide(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W7."""
    layers = (
        *(nn.Linear(784, 512), nn.ReLU()),
        *(nn.Linear(512, 512), nn.ReLU()),
        nn.Linear(512, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


def sequences(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W8."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(64, 128)
            self.fc = nn.Linear(128, 10)

        def forward(self, x):
            states, _ = self.lstm(x)
            return self.fc(states[-1])

    return Network(), nn.CrossEntropyLoss()


def images(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W9, as LeCun et al. 1998 but for ReLU and the largest of each window."""
    layers = (
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


def texts(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W10: blocks of attention and two linear layers, normalised first."""
    functional = nn.functional

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm1 = nn.LayerNorm(width)
            self.qkv = nn.Linear(width, 3 * width)
            self.out = nn.Linear(width, width)
            self.norm2 = nn.LayerNorm(width)
            self.wide = nn.Linear(width, 4 * width)
            self.narrow = nn.Linear(4 * width, width)

        def forward(self, x):
            rows, length, width = x.shape
            parts = self.qkv(self.norm1(x)).split(width, -1)
            q, k, v = (
                part.view(rows, length, self.heads, width // self.heads).transpose(1, 2)
                for part in parts
            )
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(rows, length, width))
            return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.letters = nn.Embedding(65, 64)
            self.places = nn.Embedding(32, 64)
            self.blocks = nn.Sequential(*[Block(64, HEADS) for _ in range(4)])
            self.norm = nn.LayerNorm(64)
            self.head = nn.Linear(64, 65, bias=False)

        def forward(self, x):
            x = self.letters(x) + self.places(torch.arange(x.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    def criterion(out, y):
        return functional.cross_entropy(out.reshape(-1, 65), y.reshape(-1))

    return Network(), criterion


def chain(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W11: the sum of (log(1 + exp(-z tanh z)) - y)^2 with z = w x + 0.5."""

    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1_000_000))

        def forward(self, x):
            z = self.weight * x + 0.5
            return (1 + (-(z * z.tanh())).exp()).log()

    def criterion(out, y):
        error = out - y
        return (error * error).sum()

    return Chain(), criterion


def narrow(torch: Any, nn: Any) -> tuple[Any, Any]:
    """W12."""
    layers = (
        *(nn.Linear(64, 64), nn.ReLU()),
        *(nn.Linear(64, 64), nn.ReLU()),
        nn.Linear(64, 10),
    )
    return nn.Sequential(*layers), nn.CrossEntropyLoss()


MODELS = {
    "W1": line,
    "W2": sine,
    "W3": clouds,
    "W4": tumours,
    "W5": digits,
    "W6": small_classifier,
    "W7": wide,
    "W8": sequences,
    "W9": images,
    "W10": texts,
    "W11": chain,
    "W12": narrow,
}
