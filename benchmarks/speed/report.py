"""What a comparison found: tables for people, a record for machines."""

import os
import platform
from typing import Any

import numpy as np

from benchmarks.learn.figures import aligned
from benchmarks.speed import operations
from benchmarks.speed.comparison import Outcome
from benchmarks.speed.contenders import installed

Bars = dict[str, dict[str, float]]
RECORDING = 20
"""The most that recording a step may take, in eager steps."""


def steps_report(outcome: Outcome, references: tuple[str, ...], bars: Bars) -> str:
    """A table of a problem's times in microseconds and of their ratios to the references."""
    references = tuple(each for each in references if each in outcome.seconds)
    rows = [("contender", "median us", "min us", *(f"/ {each}" for each in references), "bar")]
    for contender, seconds in outcome.seconds.items():
        cells = [contender, f"{np.median(seconds) * 1e6:.2f}", f"{min(seconds) * 1e6:.2f}"]
        for reference in references:
            median, low, high = outcome.ratio(contender, reference)
            spread = "" if contender == reference else f" ({low:.2f} to {high:.2f})"
            cells.append(f"{median:.2f}{spread}")
        verdicts = [
            f"{bar:g} x {reference} {'met' if median <= bar else 'MISSED'}"
            for who, reference, median, bar in judged(outcome, bars)
            if who == contender
        ]
        rows.append((*cells, ", ".join(verdicts)))
    lines = [aligned(rows)]
    if "compiled" in outcome.first and "eager" in outcome.seconds:
        steps = outcome.first["compiled"] / np.median(outcome.seconds["eager"])
        verdict = "met" if steps <= RECORDING else "MISSED"
        lines.append(
            f"compiled: the first call takes {steps:.1f} eager steps ({RECORDING} {verdict})"
        )
    lines += [f"{contender} refused: {reason}" for contender, reason in outcome.refused.items()]
    return "\n".join(lines)


def judged(outcome: Outcome, bars: Bars) -> list[tuple[str, str, float, float]]:
    """Contender, reference, median ratio and bar, for each bar whose two sides were timed."""
    return [
        (contender, reference, outcome.ratio(contender, reference)[0], bar)
        for contender, bounds in bars.items()
        for reference, bar in bounds.items()
        if contender in outcome.seconds and reference in outcome.seconds
    ]


def summary(outcomes: list[tuple[Outcome, Bars]]) -> str:
    """One line per problem: every contender's time over the hand-written one's; bars missed."""
    timed = list({contender: None for outcome, _ in outcomes for contender in outcome.seconds})
    rows = [("/ hand", *timed)]
    missed = []
    for outcome, bars in outcomes:
        if "hand" in outcome.seconds:
            ratios = (
                f"{outcome.ratio(each, 'hand')[0]:.2f}" if each in outcome.seconds else ""
                for each in timed
            )
            rows.append((outcome.name, *ratios))
        missed += [
            (ratio / bar, f"{outcome.name} {who} / {reference}: {ratio:.2f}, bar {bar:g}")
            for who, reference, ratio, bar in judged(outcome, bars)
            if ratio > bar
        ]
    lines = [aligned(rows)]
    if missed:
        lines += ["bars missed, worst first:", *(line for _, line in sorted(missed, reverse=True))]
    return "\n".join(lines)


def operations_report(outcomes: list[Outcome]) -> str:
    """A table with one line per operation: nanoseconds, and ratios to the bare NumPy call."""
    timed = {contender: None for outcome in outcomes for contender in outcome.seconds}
    others = [contender for contender in timed if contender != "numpy"]
    head = ["operation", *(f"{each} ns" for each in timed), *(f"{o} / numpy" for o in others)]
    rows = [(*head, "bar")]
    ratios = {other: [] for other in others}
    for outcome in outcomes:
        cells = [outcome.name]
        for contender in timed:
            seconds = outcome.seconds.get(contender)
            cells.append(f"{np.median(seconds) * 1e9:.0f}" if seconds else "refused")
        for other in others:
            if other in outcome.seconds:
                median, low, high = outcome.ratio(other, "numpy")
                ratios[other].append(median)
                cells.append(f"{median:.2f} ({low:.2f} to {high:.2f})")
            else:
                cells.append("")
        met = "eager" in outcome.seconds and outcome.ratio("eager", "numpy")[0] <= operations.BAR
        rows.append((*cells, f"{operations.BAR:g} x numpy {'met' if met else 'MISSED'}"))
    lines = [aligned(rows)]
    lines += [
        f"median over the operations, {other} / numpy: {np.median(ratios[other]):.2f}"
        for other in others
    ]
    for outcome in outcomes:
        lines += [f"{outcome.name}: {who} refused: {why}" for who, why in outcome.refused.items()]
    return "\n".join(lines)


def record(outcomes: list[Outcome], rounds: int, threads: int, dtype: str) -> dict[str, Any]:
    """Every number of a comparison and what it ran on, for a JSON file."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "rounds": rounds,
        "threads": threads,
        "dtype": dtype,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        **{package: installed(package) for package in ("torch", "jax", "autograd")},
        "seconds per step": {outcome.name: outcome.seconds for outcome in outcomes},
        "refused": {outcome.name: outcome.refused for outcome in outcomes if outcome.refused},
        "left out": {outcome.name: outcome.left_out for outcome in outcomes if outcome.left_out},
    }
