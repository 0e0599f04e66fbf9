"""What a comparison found: tables for people, bars, a picture, a record for machines."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learn.pictures import canvas
from benchmarks.results import Bar, Table
from benchmarks.speed import operations
from benchmarks.speed.comparison import NOISE, Outcome, Ratio

Bars = dict[str, dict[str, float]]
OURS = ("compiled", "eager")
PEERS = ("torch", "torch-fused", "torch-compile", "jax", "autograd")
RECORDING = 20
"""The most that recording a step may take, in eager steps."""
LEGEND = f"~ marks a noisy ratio: it spreads, or drifts, over more than {NOISE:.0%} of it"


def steps_table(outcome: Outcome, title: str, references: tuple[str, ...], bars: Bars) -> Table:
    """A problem's times in microseconds and their ratios to the references, with the quartiles."""
    references = tuple(each for each in references if each in outcome.seconds)
    head = ("contender", "median us", "min us", *(f"/ {each}" for each in references), "bar")
    rows = []
    for contender, seconds in outcome.seconds.items():
        cells = [contender, f"{np.median(seconds) * 1e6:.2f}", f"{min(seconds) * 1e6:.2f}"]
        for reference in references:
            ratio = outcome.ratio(contender, reference)
            spread = "" if contender == reference else f" ({ratio.low:.2f} to {ratio.high:.2f})"
            cells.append(f"{ratio}{spread}")
        verdicts = []
        for who, reference, bar in judged(outcome, bars):
            if who == contender:
                met = outcome.ratio(who, reference).median <= bar
                verdicts.append(f"{bar:g} x {reference} {'met' if met else 'MISSED'}")
        rows.append((*cells, ", ".join(verdicts)))
    notes = []
    if "compiled" in outcome.first and "eager" in outcome.seconds:
        steps = outcome.first["compiled"] / np.median(outcome.seconds["eager"])
        verdict = "met" if steps <= RECORDING else "MISSED"
        notes.append(
            f"compiled: the first call takes {steps:.1f} eager steps ({RECORDING} {verdict})"
        )
    notes += [f"{contender} refused: {reason}" for contender, reason in outcome.refused.items()]
    return Table(title, head, rows, notes)


def judged(outcome: Outcome, bars: Bars) -> list[tuple[str, str, float]]:
    """Contender, reference and bar, for each bar whose two sides were timed."""
    return [
        (contender, reference, bar)
        for contender, bounds in bars.items()
        for reference, bar in bounds.items()
        if contender in outcome.seconds and reference in outcome.seconds
    ]


def judgements(outcomes: Iterable[tuple[Outcome, Bars]]) -> list[tuple[Bar, Ratio]]:
    """The ratios that have a bar, farthest from it first."""
    found = []
    for outcome, bars in outcomes:
        for who, reference, bar in judged(outcome, bars):
            ratio = outcome.ratio(who, reference)
            found.append((Bar(f"{outcome.name} {who} / {reference}", bar, ratio.median), ratio))
    return sorted(found, key=lambda pair: pair[0].bar / pair[0].value)


def peers_ahead(outcomes: Iterable[tuple[Outcome, Bars]]) -> list[str]:
    """A line for each problem where a peer takes less than the better of our contenders."""
    lines = []
    for outcome, _ in outcomes:
        times = {who: np.median(seconds) for who, seconds in outcome.seconds.items()}
        ours = min((who for who in OURS if who in times), key=times.get, default=None)
        ahead = [who for who in PEERS if who in times and ours and times[who] < times[ours]]
        if ahead:
            ratios = ", ".join(f"{who} {outcome.ratio(who, ours)}" for who in ahead)
            lines.append(f"{outcome.name}: {ratios} of {ours}'s time")
    return lines


def summary(outcomes: list[tuple[Outcome, Bars]]) -> list[Table]:
    """Where peers are ahead; every time over PyTorch's and over that by hand; the bars."""
    tables = []
    if lines := peers_ahead(outcomes):
        rows = [tuple(line.split(": ")) for line in lines]
        tables.append(Table("peers ahead of ours", ("", "who, and how much"), rows))
    timed = list({contender: None for outcome, _ in outcomes for contender in outcome.seconds})
    for reference in ("torch", "hand"):
        rows = [
            (
                outcome.name,
                *(
                    str(outcome.ratio(each, reference)) if each in outcome.seconds else ""
                    for each in timed
                ),
            )
            for outcome, _ in outcomes
            if reference in outcome.seconds
        ]
        if rows:
            tables.append(Table(f"times over those of {reference}", ("", *timed), rows, [LEGEND]))
    if found := judgements(outcomes):
        tables.append(bars_table(found))
    return tables


def bars_table(judgements: list[tuple[Bar, Ratio]]) -> Table:
    """Each bar beside its figure."""
    rows = [
        (bar.figure, str(ratio), f"{bar.bar:g}", "met" if bar.met else "MISSED")
        for bar, ratio in judgements
    ]
    return Table("bars, worst first", ("figure", "ratio", "bar", ""), rows)


def operations_tables(outcomes: list[Outcome]) -> list[Table]:
    """Recording and going back: our time over NumPy's and over PyTorch's, by operation and size."""
    sizes = list({int(outcome.name.split("/")[1]): None for outcome in outcomes})
    refused = [
        f"{outcome.name}: {who} refused: {why}"
        for outcome in outcomes
        for who, why in outcome.refused.items()
    ]
    tables = []
    for kind, title in (("record", "recording an operation"), ("backward", "one step back")):
        found = {outcome.name: outcome for outcome in outcomes if outcome.name.endswith(kind)}
        names = list({name.split("/")[0]: None for name in found})
        rows = [
            (name, *(_beside(found.get(f"{name}/{size}/{kind}")) for size in sizes))
            for name in names
        ]
        middle = ["median"]
        for size in sizes:
            of_size = [each for each in found.values() if each.name.split("/")[1] == str(size)]
            medians = []
            for reference in ("numpy", "torch"):
                ratios = [
                    each.ratio("eager", reference).median
                    for each in of_size
                    if {"eager", reference} <= each.seconds.keys()
                ]
                medians.append(f"{np.median(ratios):.2f}" if ratios else "-")
            middle.append(" , ".join(medians))
        head = ("ours / numpy , / torch", *(f"{size:,}" for size in sizes))
        notes = [LEGEND, *refused] if kind == "backward" else [LEGEND]
        tables.append(Table(f"{title}, by elements", head, [*rows, tuple(middle)], notes))
    return tables


def _beside(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if "eager" not in outcome.seconds:
        return "refused"
    return " , ".join(
        str(outcome.ratio("eager", each)) if each in outcome.seconds else "-"
        for each in ("numpy", "torch")
    )


def operation_judgements(outcomes: list[Outcome]) -> list[tuple[Bar, Ratio]]:
    """The median over the operations: recording on 8 x 8 elements over the bare NumPy call."""
    suffix = f"/{operations.BAR_SIZE}/record"
    ratios = [
        outcome.ratio("eager", "numpy")
        for outcome in outcomes
        if outcome.name.endswith(suffix) and {"eager", "numpy"} <= outcome.seconds.keys()
    ]
    if not ratios:
        return []
    ratio = Ratio(*(float(np.median(numbers)) for numbers in zip(*ratios)))
    return [(Bar("recording one operation / NumPy", operations.BAR, ratio.median), ratio)]


def picture(path: Path, outcomes: list[tuple[Outcome, Bars]]) -> None:
    """Draws the ratios to PyTorch and to the hand-written step, and the bars as ticks, log scale.

    Raises: ImportError naming the extra if matplotlib is not installed.
    """
    references = [
        reference
        for reference in ("torch", "hand")
        if any(reference in outcome.seconds for outcome, _ in outcomes)
    ]
    timed = list({who: None for outcome, _ in outcomes for who in outcome.seconds})
    colours = {who: f"C{place}" for place, who in enumerate(timed)}
    figure, panels = canvas(len(references))
    figure.set_figheight(1.5 + 0.45 * len(outcomes))
    for panel, reference in zip(panels, references):
        for who in timed:
            if who == reference:
                continue
            points = [
                (outcome.ratio(who, reference), row)
                for row, (outcome, _) in enumerate(outcomes)
                if {who, reference} <= outcome.seconds.keys()
            ]
            if points:
                ratios, rows = zip(*points)
                middle, low, high = np.transpose(ratios)
                panel.errorbar(
                    *(middle, rows),
                    xerr=(middle - low, high - middle),
                    fmt="o" if who in OURS else ".",
                    color=colours[who],
                    label=who,
                )
        for row, (outcome, bars) in enumerate(outcomes):
            for who, against, bar in judged(outcome, bars):
                if against == reference:
                    panel.plot(bar, row, "|", color=colours[who], markersize=22, markeredgewidth=2)
        panel.axvline(1, color="grey", linewidth=0.8)
        panel.set(xscale="log", xlabel=f"time of a step / that of {reference} (| a bar)")
        panel.set_yticks(range(len(outcomes)), [outcome.name for outcome, _ in outcomes])
        panel.invert_yaxis()
        panel.legend(fontsize="small")
    figure.savefig(path)


def numbers(outcomes: list[Outcome]) -> dict[str, Any]:
    """Every number of a comparison, for a JSON file."""
    return {
        "seconds per step": {outcome.name: outcome.seconds for outcome in outcomes},
        "ratios": {
            outcome.name: {
                reference: {
                    who: {**ratio._asdict(), "noisy": ratio.noisy}
                    for who in outcome.seconds
                    if who != reference
                    for ratio in [outcome.ratio(who, reference)]
                }
                for reference in ("hand", "torch", "jax", "numpy")
                if reference in outcome.seconds
            }
            for outcome in outcomes
        },
        "refused": {outcome.name: outcome.refused for outcome in outcomes if outcome.refused},
        "left out": {outcome.name: outcome.left_out for outcome in outcomes if outcome.left_out},
    }
