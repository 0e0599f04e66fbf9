"""What a subcommand found: tables, figures held against their bars, and the machine it ran on."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learn.figures import aligned
from benchmarks.speed.contenders import CONTENDERS, installed

PEERS = ("torch", "jax", "autograd")


@dataclass(frozen=True)
class Table:
    """A table of text; its first column names the row. `notes` are lines to print below it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        return "\n".join([self.title, aligned([self.head, *self.rows]), *self.notes])


def once(tables: Iterable[Table], said: set[str] | None = None) -> list[Table]:
    """The tables with each note below the first that has it.

    said: the notes below tables before these; those of these are added to it.
    """
    said = set() if said is None else said
    told = []
    for table in tables:
        told.append(replace(table, notes=[note for note in table.notes if note not in said]))
        said.update(table.notes)
    return told


@dataclass(frozen=True)
class Bar:
    """A figure and the most it may be, both in `unit`.

    >>> print(Bar("import", 30, 43.2, "ms"))
    import: 43.2 ms, bar 30 MISSED
    """

    figure: str
    bar: float
    value: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the value is at most the bar."""
        return self.value <= self.bar

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        value = f"{self.value:.3g} {self.unit}".rstrip()
        return f"{self.figure}: {value}, bar {self.bar:g} {verdict}"


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, system, versions (None if missing), and the date."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        **{peer: installed(peer) or None for peer in PEERS},
    }


def described(machine: dict[str, Any]) -> str:
    """What `machine` returned, in one line.

    >>> described({"date": "2026-11-26", "processor": "Xeon", "processors": 2, "jax": None})
    '2026-11-26; 2 processors Xeon; jax none'
    """
    said = dict(machine)
    processors = f"{said.pop('processors')} processors {said.pop('processor')}"
    versions = [f"{name} {value or 'none'}" for name, value in said.items() if name != "date"]
    return "; ".join([said["date"], processors, *versions])


def present(contenders: Iterable[str]) -> list[str]:
    """Those contenders whose packages are installed; the others are said to be left out."""
    found = []
    for contender in contenders:
        needs = CONTENDERS[contender].needs
        if needs and not installed(needs):
            why = f"{needs} is not installed (pip install 'tapegrad[peers]')"
            print(f"{contender} left out: {why}")
        else:
            found.append(contender)
    return found


def positive(text: str) -> int:
    """The number that a command line gives where it must be a whole one above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def refuse(command: str, kind: str, name: str, known: Iterable[str]) -> int:
    """Says on stderr that there is no such name, and which there are; the exit status for it."""
    print(f"{command}: no {kind} {name!r}; choose from {', '.join(known)}", file=sys.stderr)
    return 2


def write(
    path: Path,
    command: str,
    *,
    tables: Iterable[Table] = (),
    bars: Iterable[Bar] = (),
    pictures: Iterable[Path] = (),
    **numbers: Any,
) -> None:
    """Writes what a subcommand found as JSON; `numbers` are entries beside the common ones."""
    record = {
        "command": command,
        "machine": machine(),
        "tables": [asdict(table) for table in tables],
        "pictures": [str(picture) for picture in pictures],
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars],
        **numbers,
    }
    path.write_text(json.dumps(record, indent=1))


def _processor() -> str:
    """The processor's name; where the system does not tell it, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
