"""Contenders for the tests of `benchmarks.speed`: each takes a Problem and returns its step."""

import os
import sys
from dataclasses import replace

from benchmarks.speed.contenders import CONTENDERS, UnavailableError


def same(problem):
    """What the hand-written step computes."""
    return CONTENDERS["hand"].make(problem)


def faster_rate(problem):
    """The right first loss and wrong ones from then on: a rate one percent too large."""
    return CONTENDERS["hand"].make(replace(problem, lr=problem.lr * 1.01))


def failing(problem):
    """Cannot be built."""
    raise ValueError("no such layer")


def unavailable(problem):
    """Lacks something on every machine."""
    raise UnavailableError("no compiler")


def dying(problem):
    """Takes its process with it."""
    return lambda: os._exit(3)


def two_threads_wanted(problem):
    """Cannot be built unless the BLAS library was told to use two threads."""
    if os.environ["OPENBLAS_NUM_THREADS"] != "2":
        raise ValueError("another number of threads")
    return CONTENDERS["hand"].make(problem)


def printing(problem):
    """Writes to standard output, which carries the answers."""
    step = CONTENDERS["hand"].make(problem)

    def loud():
        sys.stdout.write("step\n")
        return step()

    return loud
