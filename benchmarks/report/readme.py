"""The README's table of training steps, from the record of `speed`."""

from typing import Any

import numpy as np

from benchmarks.report import markdown
from benchmarks.results import Table
from benchmarks.speed.comparison import Outcome
from benchmarks.speed.report import LEGEND
from benchmarks.speed.workloads import WORKLOADS

COLUMNS = {
    "eager: / by hand": ("eager", "hand"),
    "/ PyTorch": ("eager", "torch"),
    "compiled: us": ("compiled", None),
    "/ by hand": ("compiled", "hand"),
    "/ PyTorch ": ("compiled", "torch"),
    "/ JAX": ("compiled", "jax"),
}


def table(record: dict[str, Any]) -> str:
    """A row for each workload of one size that was timed; then when, on what, which versions."""
    rows = []
    for name, seconds in record["seconds per step"].items():
        if name in WORKLOADS:
            outcome = Outcome(name, seconds)
            title = f"{name}: {WORKLOADS[name].title}"
            rows.append((title, *(_cell(outcome, *pair) for pair in COLUMNS.values())))
    machine = record["machine"]
    versions = {
        "Python": machine["python"],
        "NumPy": machine["numpy"],
        "PyTorch": machine.get("torch"),
        "JAX": machine.get("jax"),
    }
    said = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    head = ("model", *(column.strip() for column in COLUMNS))
    noisy = any("~" in cell for row in rows for cell in row)
    return "\n".join(
        [
            markdown.table(Table("", head, rows)),
            "",
            *([f"{LEGEND}."] if noisy else []),
            f"Medians of {record['rounds']} rounds on {machine['date']}, {record['dtype']}, BLAS "
            f"threads: {record['threads']};",
            f"{machine['processors']} processors {machine['processor']}, {said}.",
        ]
    )


def _cell(outcome: Outcome, contender: str, reference: str | None) -> str:
    if not {contender, reference or contender} <= outcome.seconds.keys():
        return "-"
    if reference is None:
        return f"{float(f'{np.median(outcome.seconds[contender]) * 1e6:.3g}'):g}"
    return str(outcome.ratio(contender, reference))
