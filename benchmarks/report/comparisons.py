"""Ours beside the peers, number by number."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.start import OURS

COMPILING = ("torch-compile", "jax")
"""Contenders that compile the step, which only our compiled step is held against."""
PEERS = ("torch", "torch-fused", *COMPILING, "autograd")


@dataclass(frozen=True)
class Comparison:
    """Something less of which is better, by one of our ways and by one of a peer's.

    `ratio` is ours over theirs, within a round where both were measured in rounds.
    """

    what: str
    ours: str
    peer: str
    ratio: float


def of(record: dict[str, Any]) -> list[Comparison]:
    """The comparisons that a record holds, those in which a peer is farthest ahead first."""
    found = [each for what, numbers in measured(record) for each in _pairs(what, numbers)]
    return sorted(found, key=lambda comparison: -comparison.ratio)


def measured(record: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """What was measured; and by contender a number, or a list with one for each round."""
    for step, seconds in record.get("seconds per step", {}).items():
        yield f"time: {step}", seconds
    for quantity in ("seconds", "bytes"):
        for what, numbers in record.get(quantity, {}).items():
            if record["command"] != "memory":
                yield what, numbers
                continue
            for measure in ("arrays", "resident"):
                peaks = {who: it[measure]["peak"] for who, it in numbers.items() if measure in it}
                yield f"peak of {measure}: {what}", peaks
    if record["command"] == "scale":
        for axis, growth in record["growth"].items():
            for quantity, name in (("seconds", "time"), ("memory", "memory")):
                columns = growth[quantity]
                for size in sorted({int(size) for column in columns.values() for size in column}):
                    by_contender = {
                        who: column[str(size)]
                        for who, column in columns.items()
                        if column.get(str(size), 0) > 0
                    }
                    yield f"{name}: {axis} {size}", by_contender


def _pairs(what: str, numbers: dict[str, Any]) -> Iterable[Comparison]:
    """Pairs from `numbers[contender]`: one number, or a list with one for each round."""
    for ours in numbers:
        if ours not in {"eager", "compiled"} and not ours.startswith(OURS):
            continue
        for peer in PEERS:
            if peer not in numbers or (ours == "eager" and peer in COMPILING):
                continue
            ratio = np.median(np.divide(numbers[ours], numbers[peer]))
            yield Comparison(what, ours, peer, float(ratio))
