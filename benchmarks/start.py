"""What it costs to begin: imports, the first trained step, bytes to download and to install.

Everything is timed in fresh processes, which take turns; one turn before the first is not counted,
so that files are in memory and byte code is cached, as an installer leaves it.
"""

import argparse
import compileall
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

from benchmarks import results
from benchmarks.results import Bar, Table
from benchmarks.speed.contenders import installed

OURS, BY_HAND = "tapegrad", "by hand in NumPy"
PACKAGES = ("autodiff", "nn", "optim")
ROUNDS = 15
IMPORT_BAR, WHEEL_BAR, INSTALLED_BAR = 30.0, 0.5, 3.0
"""Milliseconds, of the best import, since other work only adds to it; megabytes (10^6 bytes)."""

IMPORTS = {
    OURS: "import autodiff, nn, optim",
    "torch": "import torch, torch.nn, torch.optim",
    "jax": "import jax, jax.numpy",
    "autograd": "import autograd, autograd.numpy",
}
TIMED_IMPORT = """
import time
begin = time.perf_counter()
import numpy
middle = time.perf_counter()
{imports}
print(middle - begin, time.perf_counter() - middle, flush=True)
"""

# The first step of a 2-8-1 ReLU network on 100 rows (W1), as each package would have it written.
# All of them start from the same weights and print the same number.
DATA = """
import numpy as np
draws = np.random.default_rng(0)
x = draws.random((100, 2), dtype="float32")
y = 1 + 2 * x[:, :1] + x[:, 1:]
weights = [draws.standard_normal(shape, "float32") for shape in ((8, 2), (8,), (1, 8), (1,))]
"""
SUM = """
print(sum(float(abs(weight).sum()) for weight in weights), flush=True)
"""
WITH_ARRAYS = """
W1, b1, W2, b2 = weights
h = np.maximum(x @ W1.T + b1, 0)
d_out = 2 / len(x) * (h @ W2.T + b2 - y)
d_h = d_out @ W2 * (h > 0)
gradients = d_h.T @ x, d_h.sum(0), d_out.T @ h, d_out.sum(0)
weights = [weight - 0.01 * g for weight, g in zip(weights, gradients)]
"""
WITH_LAYERS = """
{imports}
x, y = torch.tensor(x), torch.tensor(y)
model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
with torch.no_grad():
    for parameter, weight in zip(model.parameters(), weights):
        parameter.copy_(torch.tensor(weight))
optimizer = optim.SGD(model.parameters(), lr=0.01)

def update(x, y):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()

{update}(x, y)
weights = [parameter.detach() for parameter in model.parameters()]
"""
WITH_FUNCTIONS = """
{imports}
def loss_of(weights, x, y):
    W1, b1, W2, b2 = weights
    return np.mean((np.maximum(x @ W1.T + b1, 0) @ W2.T + b2 - y) ** 2)

def update(weights, x, y):
    return [weight - 0.01 * g for weight, g in zip(weights, grad(loss_of)(weights, x, y))]

weights = {update}(weights, x, y)
"""
_OUR_IMPORTS = "import autodiff as torch, nn, optim"
STEPS = {
    BY_HAND: WITH_ARRAYS,
    OURS: WITH_LAYERS.format(imports=_OUR_IMPORTS, update="update"),
    f"{OURS}, compiled": WITH_LAYERS.format(imports=_OUR_IMPORTS, update="torch.compile(update)"),
    "torch": WITH_LAYERS.format(
        imports="import torch\nfrom torch import nn, optim", update="update"
    ),
    "jax": WITH_FUNCTIONS.format(
        imports="import jax\nimport jax.numpy as np\nfrom jax import grad", update="jax.jit(update)"
    ),
    "autograd": WITH_FUNCTIONS.format(
        imports="import autograd.numpy as np\nfrom autograd import grad", update="update"
    ),
}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `start`."""
    parser = commands.add_parser(
        "start",
        help="import time, size, and the time to the first trained step, beside the peers",
        description=__doc__.partition("\n")[0],
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--quick", action="store_true", help="one turn each")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Measures, prints the tables and the bars, and returns the exit status: 1 if steps differ."""
    rounds = 1 if asked.quick else ROUNDS
    present = [OURS, *(peer for peer in results.PEERS if installed(peer))]
    for peer in sorted({*results.PEERS} - {*present}):
        print(f"{peer} left out: not installed (pip install 'tapegrad[peers]')")
    print(results.described(results.machine()), end="\n\n")

    numpy_seconds, imports = import_seconds(present, rounds)
    chosen = [name for name in STEPS if name == BY_HAND or name.partition(",")[0] in present]
    steps, sums = first_step_seconds(chosen, rounds)
    with tempfile.TemporaryDirectory() as folder:
        wheel, how = built_wheel(Path(folder))
        wheel_bytes = wheel.stat().st_size
        source_bytes, ours_bytes = unpacked_bytes(wheel, Path(folder) / "unpacked")
    sizes = {OURS: ours_bytes, **{peer: installed_bytes(peer) for peer in present[1:]}}

    tables = [
        _times("imports beyond NumPy", {"numpy alone": numpy_seconds, **imports}, rounds),
        _times("from the start of a process to the end of its first step", steps, rounds),
        _sizes(sizes, f"{how}, unpacked ({source_bytes / 1e6:.3g} MB) and compiled to byte code"),
    ]
    bars = [
        Bar("import beyond NumPy, best", IMPORT_BAR, min(imports[OURS]) * 1e3, "ms"),
        Bar("wheel", WHEEL_BAR, wheel_bytes / 1e6, "MB"),
        Bar("installed beyond NumPy", INSTALLED_BAR, ours_bytes / 1e6, "MB"),
    ]
    for table in tables:
        print(table, end="\n\n")
    print(*bars, sep="\n")
    different = [name for name in steps if not np.isclose(sums[name], sums[BY_HAND])]
    for name in different:
        print(f"{name}: its first step computes something else than the one by hand")
    if asked.json is not None:
        results.write(
            *(asked.json, "start"),
            tables=tables,
            bars=bars,
            rounds=rounds,
            seconds={"import beyond NumPy": imports, "until the first trained step": steps},
            bytes={"installed beyond NumPy": sizes},
        )
    return 1 if different else 0


def import_seconds(names: list[str], rounds: int) -> tuple[list[float], dict[str, list[float]]]:
    """What importing NumPy took in every process, and each of the packages after it."""
    alone: list[float] = []
    beyond: dict[str, list[float]] = {name: [] for name in names}

    def measure(name):
        printed, _ = _printed(TIMED_IMPORT.format(imports=IMPORTS[name]))
        of_numpy, of_package = map(float, printed.split())
        alone.append(of_numpy)
        beyond[name].append(of_package)

    _in_turns(measure, names, rounds)
    return alone[len(names) :], {name: seconds[1:] for name, seconds in beyond.items()}


def first_step_seconds(
    names: list[str], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """How long until a process of each kind has trained one step, and the sum it prints then."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    sums: dict[str, float] = {}

    def measure(name):
        printed, taken = _printed(DATA + STEPS[name] + SUM)
        seconds[name].append(taken)
        sums[name] = float(printed)

    _in_turns(measure, names, rounds)
    return {name: taken[1:] for name, taken in seconds.items()}, sums


def built_wheel(folder: Path) -> tuple[Path, str]:
    """A wheel of this project in `folder`, and how it was made.

    Without hatchling, or without a checkout, it is a zip file of the packages' files, to which
    a wheel would add its metadata.
    """
    root = Path(__file__).parent.parent
    if importlib.util.find_spec("hatchling") and (root / "pyproject.toml").exists():
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
        return next(folder.glob("*.whl")), "the wheel that hatchling builds"
    path = folder / "packages.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            home = Path(importlib.util.find_spec(package).origin).parent
            for file in sorted(home.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(home.parent))
    return path, "a zip file of the packages (hatchling is not installed)"


def unpacked_bytes(wheel: Path, folder: Path) -> tuple[int, int]:
    """The bytes of what a wheel holds; and together with its byte code, as pip installs it."""

    def total():
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    source = total()
    compileall.compile_dir(folder, quiet=1)
    return source, total()


def installed_bytes(name: str) -> int:
    """The bytes of a distribution's files and of those it requires, directly or not, but NumPy's.

    Only distributions that are installed count; requirements of extras do not.
    """
    found: dict[str, int] = {"numpy": 0}
    waiting = [name]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found or not installed(name):
            continue
        files = (Path(file.locate()) for file in distribution(name).files or ())
        found[name] = sum(file.stat().st_size for file in files if file.is_file())
        for requirement in distribution(name).requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.match(r"[\w.-]+", requirement)[0])
    return sum(found.values())


def _printed(program: str) -> tuple[str, float]:
    """The line that a program prints in a process of its own, and the seconds until it does."""
    # without cached byte code every import would compile its sources again
    environment = {name: it for name, it in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONPATH": path},
    ) as process:
        line = process.stdout.readline()
        taken = time.perf_counter() - begin
    if process.returncode:
        raise RuntimeError(f"a process ended with status {process.returncode}:{program}")
    return line, taken


def _in_turns(measure: Callable[[str], None], names: list[str], rounds: int) -> None:
    order = np.random.default_rng(0)
    for _ in range(1 + rounds):
        for name in order.permutation(names).tolist():
            measure(name)


def _times(title: str, seconds: dict[str, list[float]], rounds: int) -> Table:
    best = {name: min(taken) for name, taken in seconds.items()}
    rows = [
        (
            name,
            f"{low * 1e3:.1f}",
            f"{np.median(seconds[name]) * 1e3:.1f}",
            f"{low / best[OURS]:.2f}",
        )
        for name, low in best.items()
    ]
    head = ("program", "best ms", "median ms", f"/ {OURS}")
    return Table(f"{title} (rounds: {rounds})", head, rows)


def _sizes(sizes: dict[str, int], ours: str) -> Table:
    rows = [(n, f"{size / 1e6:.3g}", f"{size / sizes[OURS]:.3g}") for n, size in sizes.items()]
    notes = (
        f"{OURS}: {ours}",
        "others: every file of the distribution and of the installed ones it requires",
    )
    return Table("installed, beyond NumPy", ("package", "MB", f"/ {OURS}"), rows, notes)
