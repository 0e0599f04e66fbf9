"""The command line: `python -m benchmarks learn ...` and `python -m benchmarks speed ...`."""

import argparse
import sys
from pathlib import Path

import benchmarks
from benchmarks.learn import experiments
from benchmarks.speed import timings


def main(arguments: list[str] | None = None) -> int:
    """Parses the arguments, runs what they ask for, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    learn = commands.add_parser(
        "learn",
        help="train programs with known results and print their figures beside the known ones",
        description="Without a name, lists the experiments.",
    )
    learn.add_argument("names", nargs="*", metavar="NAME", help="an experiment, or all")
    learn.add_argument("--seed", type=int, help="seed of weights, batches and splits")
    learn.add_argument("--epochs", type=_positive, help="how long to train")
    learn.add_argument("--plot", type=Path, metavar="PATH", help="where the picture goes")
    learn.add_argument("--no-plot", action="store_true", help="draw no picture")
    learn.add_argument("--compiled", action="store_true", help="compile the training step")
    learn.add_argument("--quick", action="store_true", help="a few epochs only")

    speed = commands.add_parser(
        "speed",
        help="time whole training steps beside hand-written NumPy, PyTorch, JAX, HIPS autograd",
        description="Without a name, times every workload: " + timings.listing(),
    )
    speed.add_argument("names", nargs="*", metavar="NAME", help="W1 to W12, ops or conv")
    speed.add_argument(
        "--contenders",
        type=lambda text: text.split(","),
        metavar="NAME,NAME",
        help="all that are installed, of " + ", ".join(timings.CONTENDERS),
    )
    speed.add_argument("--rounds", type=_positive, help="rounds of every contender (30)")
    speed.add_argument("--threads", type=_positive, default=1, help="BLAS threads (1)")
    speed.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    speed.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="one more contender (not for ops and conv): a function from a Problem to its step",
    )
    speed.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    speed.add_argument("--quick", action="store_true", help="three short rounds")

    asked = parser.parse_args(arguments)
    if asked.command == "speed":
        return timings.speed(
            asked.names,
            contenders=asked.contenders,
            rounds=asked.rounds,
            threads=asked.threads,
            dtype=asked.dtype,
            also=asked.also,
            json_file=asked.json,
            quick=asked.quick,
        )
    if not asked.names:
        print("experiments (python -m benchmarks learn NAME, or all):")
        print(experiments.listing())
        return 0
    return experiments.learn(
        asked.names,
        seed=asked.seed,
        epochs=asked.epochs,
        plot=asked.plot,
        pictures=not asked.no_plot,
        quick=asked.quick,
        compiled=asked.compiled,
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
