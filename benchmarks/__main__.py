"""The command line: `python -m benchmarks speed ...`, `learn ...` and so on."""

import argparse
import sys

import benchmarks
from benchmarks import start
from benchmarks.gradients import command as gradients
from benchmarks.learn import experiments
from benchmarks.memory import command as memory
from benchmarks.report import command as report
from benchmarks.scale import command as scale
from benchmarks.speed import timings


def main(arguments: list[str] | None = None) -> int:
    """Parses the arguments, runs what they ask for, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (experiments, timings, scale, memory, start, gradients, report):
        module.add_parser(commands)
    asked = parser.parse_args(arguments)
    return asked.run(asked)


if __name__ == "__main__":
    sys.exit(main())
