"""The experiments by name: listing them, and running them with their figures in a table."""

import argparse
import inspect
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import results
from benchmarks.learn import (
    backpropagation,
    breast_cancer,
    classifier,
    cnn,
    derivatives,
    digits,
    gates,
    gradient_flow,
    grid,
    lstm,
    mlp,
    mlp_torch,
    penalties,
    poisson,
    polynomial,
    rnn,
    rnn_torch,
    selection,
    sigmoid_claims,
    sigmoid_net,
    update_rules,
)
from benchmarks.learn.figures import HEAD, rows, table
from benchmarks.learn.pictures import canvas
from benchmarks.results import Table

# In the order of their sources. Each module has `run`, which returns figures and has an argument
# for every option it takes, and QUICK, the arguments of a run of a few seconds. The first line of
# its docstring describes it.
EXPERIMENTS: dict[str, ModuleType] = {
    "mlp": mlp,
    "mlp-torch": mlp_torch,
    "rnn": rnn,
    "rnn-torch": rnn_torch,
    "poisson": poisson,
    "lstm": lstm,
    "cnn": cnn,
    "penalties": penalties,
    "sigmoid-net": sigmoid_net,
    "sigmoid-claims": sigmoid_claims,
    "update-rules": update_rules,
    "derivatives": derivatives,
    "polynomial": polynomial,
    "breast-cancer": breast_cancer,
    "digits": digits,
    "gates": gates,
    "grid": grid,
    "selection": selection,
    "classifier": classifier,
    "backpropagation": backpropagation,
    "gradient-flow": gradient_flow,
}


def listing() -> str:
    """One line for each experiment: its name and what it is."""
    return "\n".join(f"  {name:<15} {_summary(module)}" for name, module in EXPERIMENTS.items())


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand `learn`."""
    parser = commands.add_parser(
        "learn",
        help="train programs with known results and print their figures beside the known ones",
        description="Without a name, lists the experiments.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="an experiment, or all")
    parser.add_argument("--seed", type=int, help="seed of weights, batches and splits")
    parser.add_argument("--epochs", type=results.positive, help="how long to train")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="where the picture goes")
    parser.add_argument("--no-plot", action="store_true", help="draw no picture")
    parser.add_argument("--compiled", action="store_true", help="compile the training step")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--quick", action="store_true", help="a few epochs only")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Lists the experiments or runs those that are named; the exit status."""
    if not asked.names:
        print("experiments (python -m benchmarks learn NAME, or all):")
        print(listing())
        return 0
    return learn(
        asked.names,
        seed=asked.seed,
        epochs=asked.epochs,
        plot=asked.plot,
        pictures=not asked.no_plot,
        quick=asked.quick,
        compiled=asked.compiled,
        json_file=asked.json,
    )


def learn(
    names: list[str],
    *,
    seed: int | None = None,
    epochs: int | None = None,
    plot: Path | None = None,
    pictures: bool = True,
    quick: bool = False,
    compiled: bool = False,
    json_file: Path | None = None,
) -> int:
    """Runs the named experiments, or `["all"]`, and prints their figures; the exit status.

    `seed`, `epochs`, `plot` and `compiled` go to the experiments as they are; with "all", to those
    that take them. Without `plot` a picture goes beside the JSON file if there is one, else to the
    directory for temporary files, and its path is said.

    Returns: 0; 1 if a figure misses its bar; 2, with a line on stderr, for what cannot be asked.
    """
    everything = names == ["all"]
    if unknown := [name for name in names if name not in EXPERIMENTS and not everything]:
        return _refuse(f"no experiment {unknown[0]!r}; choose from {', '.join(EXPERIMENTS)}, all")
    chosen = list(EXPERIMENTS) if everything else names
    if plot is not None and len(chosen) > 1:
        return _refuse("--plot names one file, so it goes with one experiment")
    options = {"seed": seed, "epochs": epochs, "plot": plot}
    options = {option: given for option, given in options.items() if given is not None}
    if compiled:
        options["compiled"] = True
    for name in chosen:
        if not everything and (extra := options.keys() - parameters(name)):
            return _refuse(f"{name} takes no --{extra.pop()}: its run is fixed")
    why_no_picture = _why_no_picture()
    if plot is not None and why_no_picture:
        return _refuse(why_no_picture)

    missed, tables, drawn = 0, [], []
    folder = Path(tempfile.gettempdir()) if json_file is None else json_file.parent
    for name in chosen:
        arguments: dict[str, Any] = EXPERIMENTS[name].QUICK if quick else {}
        arguments = arguments | {o: given for o, given in options.items() if o in parameters(name)}
        print(f"{name}: {_summary(EXPERIMENTS[name])}")
        draws = pictures and "plot" in parameters(name)
        if draws and why_no_picture:
            print(f"no picture: {why_no_picture}")
        elif draws:
            arguments.setdefault("plot", folder / f"tapegrad-{name}.png")
        begin = time.perf_counter()
        figures = EXPERIMENTS[name].run(**arguments)
        print(table(figures))
        if "plot" in arguments:
            print(f"picture: {arguments['plot']}")
            drawn.append(arguments["plot"])
        took = f"{time.perf_counter() - begin:.1f} s"
        print(took, end="\n\n")
        tables.append(Table(f"{name}: {_summary(EXPERIMENTS[name])}", HEAD, rows(figures), [took]))
        missed += sum(figure.ok is False for figure in figures)
    if json_file is not None:
        results.write(json_file, "learn", tables=tables, pictures=drawn)
    return 1 if missed else 0


def parameters(name: str) -> set[str]:
    """The options that an experiment's `run` takes."""
    return set(inspect.signature(EXPERIMENTS[name].run).parameters)


def _summary(module: ModuleType) -> str:
    return module.__doc__.partition("\n")[0]


def _why_no_picture() -> str:
    try:
        canvas(1)
    except ImportError as error:
        return str(error)
    return ""


def _refuse(reason: str) -> int:
    print(f"learn: {reason}", file=sys.stderr)
    return 2
