"""The page: its sections in order, from the records of the subcommands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import comparisons
from benchmarks.report.records import COMMANDS
from benchmarks.results import Table, described, once

TITLE = "tapegrad: what it learns, how fast, and in how much memory"
PEERS_AHEAD = "Where a peer is faster or smaller"
MISSED = "MISSED"

# The figures to reach and their bars, by the subcommand that measures them: what the table of bars
# says where there is no record of it.
FIGURES = {
    "speed": (
        ("eager step, W1 to W6: / torch", "0.5"),
        ("eager step / by hand: W1, W7", "3, 1.3"),
        ("compiled step, W1 to W6: / torch, / by hand, / jax", "0.1, 0.6, 1"),
        ("compiled step / torch: W7, W8, W10, W11; W9", "1; 1.5"),
    ),
    "speed ops": (("recording one operation / NumPy", "4"),),
    "memory": (
        ("peak of a training step / torch, W7 to W10", "1.2"),
        ("growth over 20 000 steps", "5 MB"),
    ),
    "start": (
        ("import beyond NumPy", "30 ms"),
        ("wheel", "0.5 MB"),
        ("installed beyond NumPy", "3 MB"),
    ),
    "gradients": (("gradients of smooth operations, float64, relative error", "1e-12"),),
}


@dataclass
class Section:
    """A heading, and below it lines of text, tables and pictures."""

    title: str
    lines: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def sections(records: list[dict[str, Any]], missing: dict[str, str]) -> list[Section]:
    """Where a peer is ahead, the bars, then a section for each command.

    missing: why a command has no record.
    """
    order = list(COMMANDS)
    known = sorted(
        (record for record in records if record["command"] in order),
        key=lambda record: order.index(record["command"]),
    )
    records = known + [record for record in records if record["command"] not in order]
    page = [_peers_ahead(records), _bars(records), _measured_on(records)]
    if missing:
        page.append(Section("Not measured", [f"{name}: {why}" for name, why in missing.items()]))
    return page + [_of_command(record) for record in records]


def _measured_on(records: list[dict[str, Any]]) -> Section:
    """One line for each machine, whatever the dates."""
    machines: dict[str, tuple[list[str], dict[str, None]]] = {}
    for record in records:
        date, _, machine = described(record["machine"]).partition("; ")
        commands, dates = machines.setdefault(machine, ([], {}))
        commands.append(record["command"])
        dates[date] = None
    lines = [
        f"{', '.join(commands)}: " * (len(machines) > 1) + f"{', '.join(sorted(dates))}; {machine}"
        for machine, (commands, dates) in machines.items()
    ]
    return Section("Measured on", lines)


def _peers_ahead(records: list[dict[str, Any]]) -> Section:
    compared, tables, ahead = 0, [], 0
    for record in records:
        found = comparisons.of(record)
        rows = [(each.what, each.ours, each.peer, f"{each.ratio:.2f}") for each in found]
        lost = [row for row, each in zip(rows, found) if each.ratio > 1]
        compared, ahead = compared + len(rows), ahead + len(lost)
        if lost:
            title = f"{record['command']}: {len(lost)} of {len(rows)}"
            tables.append(Table(title, ("measured", "ours", "peer", "ours / peer"), lost))
    if not compared:
        return Section(PEERS_AHEAD, ["No peer was measured."])
    line = (
        f"In {ahead} of {compared} comparisons. An eager step is compared with peers that do not "
        "compile, a compiled one with all; ratios are medians over the rounds."
    )
    return Section(PEERS_AHEAD, [line], tables)


def _bars(records: list[dict[str, Any]]) -> Section:
    rows = []
    for record in records:
        for bar in record.get("bars", []):
            most = f"{bar['bar']:g} {bar['unit']}".rstrip()
            value = f"{bar['value']:.3g} {bar['unit']}".rstrip()
            mark = "met" if bar["met"] else MISSED
            rows.append((bar["figure"], record["command"], most, value, mark))
    judged, missed = len(rows), sum(row[-1] == MISSED for row in rows)
    measured = {row[1] for row in rows}
    for command, figures in FIGURES.items():
        if command not in measured:
            rows += [(figure, command, most, "not measured", "") for figure, most in figures]
    return Section(
        "Figures to reach",
        [f"{judged - missed} of {judged} bars are met, {missed} missed."],
        [Table("", ("figure", "command", "at most", "measured", "mark"), rows)],
    )


def _of_command(record: dict[str, Any]) -> Section:
    command = " ".join(COMMANDS.get(record["command"], (record["command"],)))
    section = Section(record["command"], [f"python -m benchmarks {command}"])
    if record.get("status"):
        section.lines.append(f"It ended with status {record['status']}: a check failed.")
    section.tables = once(Table(**table) for table in record.get("tables", []))
    for picture in map(Path, record.get("pictures", [])):
        if picture.exists():
            section.pictures.append(picture)
        else:
            section.lines.append(f"The picture {picture} is no longer there.")
    return section
